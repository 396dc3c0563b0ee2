//! What goes wrong in a template: the internal fault, and the error handed out with Salt's wording and an excerpt.

use std::fmt;
use std::sync::Arc;

use super::parse::ast::Pos;
use super::wanted::{Step, Wanted};

/// Result inside the engine.
pub(crate) type Res<T> = Result<T, Box<Fault>>;

/// The families Salt words differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something undefined was used: `Jinja variable …`.
    Undefined,
    /// The template is malformed, or the engine refused it while running: `Jinja syntax error: …`.
    Syntax,
    /// A function called through `salt` failed: `Problem running salt function in Jinja template: …`.
    Function,
    /// Any other exception: `Jinja error: …`.
    Other,
}

/// An error on its way up, before it knows the source text.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: ErrorKind,
    pub(crate) message: String,
    /// File and place, set by the innermost construct that knows them.
    pub(crate) place: Option<(Arc<str>, Pos)>,
    /// The nesting did not fit the stack at hand; a larger one may do.
    pub(crate) too_deep: bool,
    /// What was looked for and is not there.
    pub(crate) wanted: Option<Box<Wanted>>,
    /// The place within a text that was loaded, before it is known where the text came from.
    pub(crate) within: Option<Pos>,
    /// The calls, imports and includes that led to the place, innermost first.
    pub(crate) trail: Vec<Step>,
}

/// Ways to make a fault.
pub(crate) mod fault {
    use super::{ErrorKind, Fault};

    fn make(kind: ErrorKind, message: String) -> Box<Fault> {
        Box::new(Fault {
            kind,
            message,
            place: None,
            too_deep: false,
            wanted: None,
            within: None,
            trail: Vec::new(),
        })
    }

    /// An undefined value was used; `message` is Jinja's, such as `'x' is undefined`.
    pub(crate) fn undefined(message: impl Into<String>) -> Box<Fault> {
        make(ErrorKind::Undefined, message.into())
    }

    /// A syntax error or a runtime error of Jinja itself.
    pub(crate) fn syntax(message: impl Into<String>) -> Box<Fault> {
        make(ErrorKind::Syntax, message.into())
    }

    /// A function of Salt refused.
    pub(crate) fn function(message: impl Into<String>) -> Box<Fault> {
        make(ErrorKind::Function, message.into())
    }

    /// What would be some other Python exception.
    pub(crate) fn other(message: impl Into<String>) -> Box<Fault> {
        make(ErrorKind::Other, message.into())
    }

    /// Recursion beyond the limit.
    pub(crate) fn too_deep() -> Box<Fault> {
        let mut fault = make(ErrorKind::Other, "maximum recursion depth exceeded".to_owned());
        fault.too_deep = true;
        fault
    }
}

impl Fault {
    /// The same fault, placed unless it already has a place.
    pub(crate) fn at(mut self: Box<Self>, file: &Arc<str>, pos: Pos) -> Box<Self> {
        if self.place.is_none() {
            self.place = Some((file.clone(), pos));
        }
        self
    }
}

/// A template that cannot be rendered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderError {
    /// Which family.
    pub kind: ErrorKind,
    /// Salt's sentence without the place: `Jinja variable 'x' is undefined`.
    pub message: String,
    /// The file the error is in, as the template was named: not always the one that was rendered.
    pub file: String,
    /// Line in that file, counted from 1.
    pub line: usize,
    /// Column in that line in characters, counted from 1.
    pub column: usize,
    /// The lines around it, with Salt's marker on the line itself.
    pub excerpt: String,
    /// Whether `file` is another one than was rendered (an imported template).
    pub imported: bool,
    /// What helps to understand it.
    pub aid: Box<Aid>,
}

/// What helps to understand an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aid {
    /// The nearest name, or another way out.
    pub help: Option<String>,
    /// The calls, imports and includes that led there, innermost first.
    pub trail: Vec<Step>,
}

impl RenderError {
    pub(super) fn new(
        fault: Fault,
        main: &str,
        help: Option<String>,
        source: impl Fn(&str) -> Option<Arc<str>>,
    ) -> Self {
        let (file, pos) = fault
            .place
            .unwrap_or_else(|| (Arc::from(main), Pos { line: 1, column: 1 }));
        let lead = match fault.kind {
            ErrorKind::Undefined => "Jinja variable ",
            ErrorKind::Syntax => "Jinja syntax error: ",
            ErrorKind::Function => "Problem running salt function in Jinja template: ",
            ErrorKind::Other => "Jinja error: ",
        };
        let line = pos.line as usize;
        Self {
            kind: fault.kind,
            message: format!("{lead}{}", fault.message),
            excerpt: source(&file).map_or_else(String::new, |text| excerpt(&text, line)),
            line,
            column: pos.column as usize,
            imported: *file != *main,
            file: file.to_string(),
            aid: Box::new(Aid {
                help,
                trail: fault.trail,
            }),
        }
    }
}

impl fmt::Display for RenderError {
    /// Salt's whole text: sentence, `; line N`, excerpt; for an imported file its name and line before the excerpt.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.imported {
            write!(
                f,
                "{}\n{}({}):\n{}",
                self.message, self.file, self.line, self.excerpt
            )
        } else {
            write!(f, "{}; line {}\n\n{}", self.message, self.line, self.excerpt)
        }
    }
}

impl std::error::Error for RenderError {}

/// Five lines on each side of `line`, the line itself marked, as Salt shows it.
fn excerpt(text: &str, line: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if line > lines.len() || line == 0 {
        return format!("---\n{}\n---", text.trim_end_matches('\n'));
    }
    let from = line.saturating_sub(6);
    let to = (line + 5).min(lines.len());
    let mut out = String::from("---\n");
    if from > 0 {
        out.push_str("[...]\n");
    }
    for (index, text) in lines.iter().enumerate().take(to).skip(from) {
        out.push_str(text);
        if index + 1 == line {
            out.push_str("    <======================");
        }
        out.push('\n');
    }
    if to < lines.len() {
        out.push_str("[...]\n");
    }
    out.push_str("---");
    out
}
