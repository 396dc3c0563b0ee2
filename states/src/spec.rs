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
            doc,
        }
    }

    /// A parameter without which the state fails.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            required: true,
            doc,
        }
    }
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
    "late",
    "state",
    "fun",
    "reactor_fun",
];
