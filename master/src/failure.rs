//! Failures as the command line ends with them: kind, cause, hints, exit code (contract, section 6).

use std::fmt::Display;

use crate::compile::diagnostic::Diagnostic;

/// Kinds of failures; each has an exit code that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A state failed on some host.
    State,
    /// A host could not be reached, or its result is unknown.
    Host,
    /// Refused before any host was touched.
    Refused,
    /// The command line makes no sense.
    Usage,
    /// The tree does not compile.
    Tree,
    /// A bug in salt-rs.
    Bug,
    /// Ctrl-C.
    Interrupted,
}

impl Kind {
    /// The contract's exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::State => 1,
            Self::Host => 3,
            Self::Refused => 5,
            Self::Usage => 64,
            Self::Tree => 65,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    /// Which sort; decides the exit code.
    pub kind: Kind,
    /// Problems, each with its place and help.
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// A failure with one cause.
    pub fn new(kind: Kind, cause: impl Display) -> Self {
        Self {
            kind,
            diagnostics: vec![Diagnostic::error(cause.to_string())],
        }
    }

    /// A failure with problems found at places.
    pub const fn of(kind: Kind, diagnostics: Vec<Diagnostic>) -> Self {
        Self { kind, diagnostics }
    }

    /// The way out, shown below the cause.
    #[must_use]
    pub fn hint(mut self, help: impl Into<String>) -> Self {
        if let Some(first) = self.diagnostics.pop() {
            self.diagnostics.push(first.with_help(help));
        }
        self
    }

    /// Wrong use of the command line.
    pub fn usage(cause: impl Display) -> Self {
        Self::new(Kind::Usage, cause)
    }

    /// A broken invariant.
    pub fn bug(cause: impl Display) -> Self {
        Self::new(Kind::Bug, cause)
            .hint("this is a bug in salt-rs; please report it with the command you ran")
    }
}
