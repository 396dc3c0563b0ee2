//! The declared face of a state function: one table for checking arguments, for `salt-rs doc` and for docs/states.md.

/// Name, parameters and reference text of a state function.
#[derive(Debug)]
pub struct Spec {
    /// State module, such as `file`.
    pub state: &'static str,
    /// Function, such as `managed`.
    pub fun: &'static str,
    /// Reference text; the first line is a summary.
    pub doc: &'static str,
    /// Parameters besides those every state has, in documentation order.
    pub params: &'static [Param],
    /// Arguments not in `params` are allowed (`file.managed` hands them to its template).
    pub free: bool,
    /// The module has a `mod_watch`.
    pub watch: bool,
    /// What rollback brings back.
    pub undo: Undo,
}

/// One parameter.
#[derive(Debug)]
pub struct Param {
    /// Salt's name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// The state fails without it.
    pub required: bool,
    /// One or two sentences.
    pub doc: &'static str,
}

impl Param {
    /// An optional parameter.
    pub const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            required: false,
            doc: reference(doc),
        }
    }

    /// A parameter without which the state fails.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            required: true,
            doc: reference(doc),
        }
    }
}

/// The text, where there is somebody to read it.
const fn reference(doc: &'static str) -> &'static str {
    if cfg!(feature = "reference") { doc } else { "" }
}

/// What a parameter takes. As loosely as Salt: a number where a text is wanted is its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// True or false.
    Flag,
    /// A whole number.
    Number,
    /// Permission bits: octal digits as text or number, or `keep`.
    Mode,
    /// A list, or one text standing for a list of one.
    List,
    /// A mapping.
    Map,
    /// Anything.
    Any,
}

/// What rollback brings back, as `salt-rs doc` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Every recorded attribute.
    Exact,
    /// Exactly, where the material (an old package file) was kept.
    Kept,
    /// Only what another act takes back.
    Compensated,
    /// Nothing, unless the state declares `undo`.
    None,
}

impl Spec {
    /// `file.managed`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.state, self.fun)
    }

    /// The parameter of that name.
    pub fn param(&self, name: &str) -> Option<&'static Param> {
        self.params.iter().find(|param| param.name == name)
    }
}

/// Arguments that every state takes; none of them reaches the function (salt-semantics section 7).
pub static GLOBAL: &[&str] = &[
    "name",
    "names",
    "order",
    "require",
    "require_any",
    "require_in",
    "watch",
    "watch_any",
    "watch_in",
    "onchanges",
    "onchanges_any",
    "onchanges_in",
    "onfail",
    "onfail_any",
    "onfail_all",
    "onfail_in",
    "prereq",
    "prereq_in",
    "use",
    "use_in",
    "listen",
    "listen_in",
    "onlyif",
    "unless",
    "creates",
    "check_cmd",
    "retry",
    "failhard",
    "parallel",
    "reload_modules",
    "reload_grains",
    "reload_pillar",
    "aggregate",
    "runas",
    "runas_password",
    "umask",
    "fire_event",
    "no_log",
    "saltenv",
    "reset_system_locale",
    "ignore_timeout",
    "cwd",
    "shell",
    "env",
    "timeout",
    "test",
    "undo",
    "verify_undone",
    "irreversible",
    "validate",
    "late",
    "state",
    "fun",
    "reactor_fun",
];

/// Something wrong with the arguments of a state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The function has no such parameter.
    #[error("unknown parameter `{name}` for {function}{}", hint(.nearest))]
    Unknown {
        /// As written.
        name: String,
        /// `file.managed`.
        function: String,
        /// The parameter it may have been meant to be.
        nearest: Option<&'static str>,
    },
    /// The function takes any argument (it hands them to its template), but this one looks like a mistake.
    #[error("`{name}` is no parameter of {function} and becomes a template variable{}", hint(&Some(nearest)))]
    Suspect {
        /// As written.
        name: String,
        /// `file.managed`.
        function: String,
        /// The parameter it may have been meant to be.
        nearest: &'static str,
    },
    /// A parameter without which the function fails is not given.
    #[error("{function} needs the parameter `{name}`")]
    Missing {
        /// The parameter.
        name: &'static str,
        /// `file.managed`.
        function: String,
    },
    /// A value of another sort than the parameter takes.
    #[error("`{name}` of {function} takes {wanted}, not {given}")]
    Kind {
        /// The parameter.
        name: &'static str,
        /// `file.managed`.
        function: String,
        /// What it takes.
        wanted: &'static str,
        /// What is there.
        given: &'static str,
    },
}

impl Problem {
    /// The argument it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Unknown { name, .. } | Self::Suspect { name, .. } => name,
            Self::Missing { name, .. } | Self::Kind { name, .. } => name,
        }
    }

    /// Salt does not mind: worth a warning only.
    pub const fn is_warning(&self) -> bool {
        matches!(self, Self::Suspect { .. } | Self::Kind { .. })
    }
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// What is wrong with `args` for a function, in the order of the arguments. Arguments that every state has are fine
/// wherever they stand.
pub fn check(spec: &Spec, args: &proto::Args) -> Vec<Problem> {
    let function = spec.name();
    let mut problems = Vec::new();
    for (name, value) in args {
        if let Some(param) = spec.param(name) {
            if let Some((wanted, given)) = param.kind.mismatch(value) {
                problems.push(Problem::Kind {
                    name: param.name,
                    function: function.clone(),
                    wanted,
                    given,
                });
            }
            continue;
        }
        if name.starts_with("__") || GLOBAL.contains(&name.as_str()) {
            continue;
        }
        let own = spec.params.iter().map(|param| param.name);
        let nearest = nearest(name, own.chain(GLOBAL.iter().copied()));
        match (spec.free, nearest) {
            (false, nearest) => problems.push(Problem::Unknown {
                name: name.clone(),
                function: function.clone(),
                nearest,
            }),
            (true, Some(nearest)) if !nearest.starts_with(name.as_str()) && !name.starts_with(nearest) => {
                problems.push(Problem::Suspect {
                    name: name.clone(),
                    function: function.clone(),
                    nearest,
                });
            }
            (true, _) => {}
        }
    }
    for param in spec.params.iter().filter(|param| param.required) {
        if args.get(param.name).is_none_or(serde_json::Value::is_null) {
            problems.push(Problem::Missing {
                name: param.name,
                function: function.clone(),
            });
        }
    }
    problems
}

impl Kind {
    /// What it takes, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Flag => "true or false",
            Self::Number => "a whole number",
            Self::Mode => "octal digits such as '0644'",
            Self::List => "a list",
            Self::Map => "a mapping",
            Self::Any => "anything",
        }
    }

    /// What it takes and what is there, where these do not go together.
    fn mismatch(self, value: &serde_json::Value) -> Option<(&'static str, &'static str)> {
        use serde_json::Value as Json;
        let given = match value {
            Json::Null => return None,
            Json::Bool(_) => "true or false",
            Json::Number(_) => "a number",
            Json::String(_) => "a text",
            Json::Array(_) => "a list",
            Json::Object(_) => "a mapping",
        };
        let fine = match (self, value) {
            (Self::Any | Self::List, _) => true,
            (Self::Text | Self::Mode | Self::Flag | Self::Number, Json::Array(_) | Json::Object(_)) => false,
            (Self::Number, Json::String(text)) => text.trim().parse::<i64>().is_ok(),
            (Self::Number, value) => value.as_i64().is_some(),
            (Self::Mode, Json::Bool(_)) => false,
            (Self::Text | Self::Mode | Self::Flag, _) => true,
            // Salt's older form of a mapping is a list of mappings.
            (Self::Map, value) => value.is_object() || value.is_array(),
        };
        (!fine).then_some((self.words(), given))
    }
}

/// The most similar of `names`, when it is similar enough to have been meant: at most a third of the letters differ.
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let most = match name.chars().count() {
        0..=2 => return None,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    names
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour to turn one word into the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (row[j] + usize::from(a != b))
                .min(row[j + 1] + 1)
                .min(next[j] + 1);
            if i > 0 && j > 0 && *a == other[j - 1] && one[i - 1] == *b {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(function: (&str, &str), args: serde_json::Value) -> Vec<String> {
        let state = crate::find(function.0, function.1).expect("registered");
        let args = args.as_object().expect("a mapping").clone();
        check(state.spec(), &args)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            told(("file", "append"), json!({"txet": "a", "require": []})),
            ["unknown parameter `txet` for file.append; did you mean `text`?"]
        );
        assert_eq!(
            told(
                ("file", "managed"),
                json!({"sorce": "salt://a", "backends": [1], "user": "root"})
            ),
            [
                "`sorce` is no parameter of file.managed and becomes a template variable; did you mean `source`?"
            ]
        );
        assert_eq!(
            told(("file", "symlink"), json!({"makedirs": [1]})),
            [
                "`makedirs` of file.symlink takes true or false, not a list",
                "file.symlink needs the parameter `target`"
            ]
        );
        assert!(told(("cmd", "run"), json!({"cwd": "/", "timeout": "3"})).is_empty());
    }

    #[test]
    fn distances() {
        for (one, other, steps) in [
            ("a", "a", 0),
            ("source", "sorce", 1),
            ("text", "txet", 1),
            ("", "ab", 2),
            ("mode", "made", 1),
        ] {
            assert_eq!(distance(one, other), steps, "{one} {other}");
        }
        assert_eq!(nearest("xyz", ["user", "group"]), None);
    }
}
