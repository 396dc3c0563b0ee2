//! Settings of the environment, from the configuration and from a file's own `#jinja2:` header.

use serde_json::{Map, Value as Json};

/// Jinja2's settings by their names there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JinjaEnv {
    /// `{%`.
    pub block_start_string: String,
    /// `%}`.
    pub block_end_string: String,
    /// `{{`.
    pub variable_start_string: String,
    /// `}}`.
    pub variable_end_string: String,
    /// `{#`.
    pub comment_start_string: String,
    /// `#}`.
    pub comment_end_string: String,
    /// What makes a line a statement; nothing does when `None`.
    pub line_statement_prefix: Option<String>,
    /// What makes the rest of a line a comment; nothing does when `None`.
    pub line_comment_prefix: Option<String>,
    /// Take the line end after a block.
    pub trim_blocks: bool,
    /// Take the blanks before a block that begins its line.
    pub lstrip_blocks: bool,
    /// Keep the final line end in Jinja. Salt puts it back by itself, so with this there are two, as in Salt.
    pub keep_trailing_newline: bool,
    /// Undefined values print as nothing instead of being errors.
    pub allow_undefined: bool,
}

impl Default for JinjaEnv {
    fn default() -> Self {
        Self {
            block_start_string: "{%".to_owned(),
            block_end_string: "%}".to_owned(),
            variable_start_string: "{{".to_owned(),
            variable_end_string: "}}".to_owned(),
            comment_start_string: "{#".to_owned(),
            comment_end_string: "#}".to_owned(),
            line_statement_prefix: None,
            line_comment_prefix: None,
            trim_blocks: false,
            lstrip_blocks: false,
            keep_trailing_newline: false,
            allow_undefined: false,
        }
    }
}

impl JinjaEnv {
    /// The environment Salt makes from its configuration: `jinja_sls_env` for sls files, `jinja_env` for other
    /// templates, and `allow_undefined`.
    pub fn from_opts(opts: &Map<String, Json>, sls: bool) -> Self {
        let mut env = Self {
            allow_undefined: opts
                .get("allow_undefined")
                .and_then(Json::as_bool)
                .unwrap_or(false),
            ..Self::default()
        };
        let key = if sls { "jinja_sls_env" } else { "jinja_env" };
        if let Some(Json::Object(settings)) = opts.get(key) {
            env.apply(settings);
        }
        for (option, setting) in [
            ("jinja_trim_blocks", "trim_blocks"),
            ("jinja_lstrip_blocks", "lstrip_blocks"),
        ] {
            if opts.get(option).and_then(Json::as_bool) == Some(true) {
                env.set(setting, &Json::Bool(true));
            }
        }
        env
    }

    /// Applies settings by name. Names that Jinja does not know are ignored, as Salt ignores them.
    pub fn apply(&mut self, settings: &Map<String, Json>) {
        for (name, value) in settings {
            self.set(&name.to_lowercase(), value);
        }
    }

    fn set(&mut self, name: &str, value: &Json) {
        let truth = match value {
            Json::Null => false,
            Json::Bool(value) => *value,
            Json::Number(number) => number.as_f64() != Some(0.0),
            Json::String(text) => !text.is_empty(),
            Json::Array(items) => !items.is_empty(),
            Json::Object(entries) => !entries.is_empty(),
        };
        match name {
            "trim_blocks" => self.trim_blocks = truth,
            "lstrip_blocks" => self.lstrip_blocks = truth,
            "keep_trailing_newline" => self.keep_trailing_newline = truth,
            _ => {
                let text = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
                match (name, text) {
                    ("line_statement_prefix", text) => self.line_statement_prefix = text,
                    ("line_comment_prefix", text) => self.line_comment_prefix = text,
                    ("block_start_string", Some(text)) => self.block_start_string = text,
                    ("block_end_string", Some(text)) => self.block_end_string = text,
                    ("variable_start_string", Some(text)) => self.variable_start_string = text,
                    ("variable_end_string", Some(text)) => self.variable_end_string = text,
                    ("comment_start_string", Some(text)) => self.comment_start_string = text,
                    ("comment_end_string", Some(text)) => self.comment_end_string = text,
                    _ => {}
                }
            }
        }
    }

    /// Applies the `#jinja2: {…}` header of a text, if it has one on its first line or after a renderer line.
    /// Returns the text without the header and the header's line number.
    pub(crate) fn header<'a>(&mut self, text: &'a str) -> (std::borrow::Cow<'a, str>, Option<u32>) {
        let whole = std::borrow::Cow::Borrowed(text);
        let mut lines = text.split_inclusive('\n');
        let Some(mut line) = lines.next() else {
            return (whole, None);
        };
        let mut before = 0;
        if line.starts_with("#!") && !line.starts_with("#!/") {
            before = line.len();
            match lines.next() {
                Some(second) => line = second,
                None => return (whole, None),
            }
        }
        let Some(Ok(Json::Object(settings))) = line.strip_prefix("#jinja2:").map(serde_json::from_str) else {
            return (whole, None);
        };
        self.apply(&settings);
        let rest = format!("{}{}", &text[..before], &text[before + line.len()..]);
        (
            std::borrow::Cow::Owned(rest),
            Some(if before == 0 { 1 } else { 2 }),
        )
    }
}
