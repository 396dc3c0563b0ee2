//! Reading arguments as loosely as Salt does: numbers where text is wanted are their text, `None` is "not given".

use proto::Args;
use serde_json::Value as Json;

use crate::Stop;

/// Typed readers on a state's arguments. A null counts as not given.
pub trait ArgsExt {
    /// A text; numbers and booleans become their text as Python prints them.
    fn text(&self, key: &str) -> Option<String>;
    /// A truth value: Python's truth of whatever is there.
    fn flag(&self, key: &str, default: bool) -> bool;
    /// A whole number, also from text.
    ///
    /// # Errors
    /// [`Stop::Failed`] names the argument and its value.
    fn number(&self, key: &str) -> Result<Option<i64>, Stop>;
    /// Permission bits from octal digits (`'0644'`, `644`); `keep` and null give `None`.
    ///
    /// # Errors
    /// [`Stop::Failed`] names the argument and its value.
    fn mode(&self, key: &str) -> Result<Option<u32>, Stop>;
    /// A list of texts; one text is a list of one.
    fn texts(&self, key: &str) -> Vec<String>;
    /// Whatever is there, unless null.
    fn any(&self, key: &str) -> Option<&Json>;
}

impl ArgsExt for Args {
    fn text(&self, key: &str) -> Option<String> {
        self.any(key).map(plain)
    }

    fn flag(&self, key: &str, default: bool) -> bool {
        self.any(key).map_or(default, truth)
    }

    fn number(&self, key: &str) -> Result<Option<i64>, Stop> {
        let Some(value) = self.any(key) else {
            return Ok(None);
        };
        let number = match value {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number
            .map(Some)
            .ok_or_else(|| Stop::failed(format!("{key} must be a whole number, not {value}")))
    }

    fn mode(&self, key: &str) -> Result<Option<u32>, Stop> {
        let Some(value) = self.any(key) else {
            return Ok(None);
        };
        let text = plain(value);
        let digits = text.strip_prefix("0o").unwrap_or(&text).trim_start_matches('0');
        match digits {
            "keep" => Ok(None),
            "" => Ok(Some(0)),
            digits => u32::from_str_radix(digits, 8)
                .ok()
                .filter(|mode| *mode <= 0o7777)
                .map(Some)
                .ok_or_else(|| {
                    Stop::failed(format!("{key} must be octal digits such as '0644', not {text}"))
                }),
        }
    }

    fn texts(&self, key: &str) -> Vec<String> {
        match self.any(key) {
            None => Vec::new(),
            Some(Json::Array(items)) => items.iter().map(plain).collect(),
            Some(value) => vec![plain(value)],
        }
    }

    fn any(&self, key: &str) -> Option<&Json> {
        self.get(key).filter(|value| !value.is_null())
    }
}

/// A value as Python's `str()` prints it.
pub fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => python(other),
    }
}

/// A value as Python's `repr()` prints it.
pub fn python(value: &Json) -> String {
    match value {
        Json::Null => "None".to_owned(),
        Json::Bool(true) => "True".to_owned(),
        Json::Bool(false) => "False".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => {
            let quote = if text.contains('\'') && !text.contains('"') {
                '"'
            } else {
                '\''
            };
            let mut out = String::from(quote);
            for c in text.chars() {
                match c {
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    c if c == quote => out.extend(['\\', c]),
                    c => out.push(c),
                }
            }
            out.push(quote);
            out
        }
        Json::Array(items) => format!("[{}]", items.iter().map(python).collect::<Vec<_>>().join(", ")),
        Json::Object(map) => {
            let entries: Vec<_> = map
                .iter()
                .map(|(k, v)| format!("{}: {}", python(&Json::String(k.clone())), python(v)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// Python's truth of a value.
pub fn truth(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(flag) => *flag,
        Json::Number(number) => number.as_f64() != Some(0.0),
        Json::String(text) => !text.is_empty(),
        Json::Array(items) => !items.is_empty(),
        Json::Object(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn modes_are_octal_digits_however_written() {
        let args = json!({"a": "0644", "b": 644, "c": "0", "d": "keep", "e": "0999", "f": null, "g": "rw", "h": "+644"});
        let args = args.as_object().expect("a mapping");
        assert_eq!(args.mode("a"), Ok(Some(0o644)));
        assert_eq!(args.mode("b"), Ok(Some(0o644)));
        assert_eq!(args.mode("c"), Ok(Some(0)));
        assert_eq!(args.mode("d"), Ok(None));
        assert_eq!(args.mode("f"), Ok(None));
        for bad in ["e", "g"] {
            assert!(args.mode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn python_prints() {
        assert_eq!(
            python(&json!({"a": [1, true, null, "it's"]})),
            r#"{'a': [1, True, None, "it's"]}"#
        );
    }
}
