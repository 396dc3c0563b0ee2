//! Places: where in the user's own files something was written.
//!
//! Values carry a small [`Place`]; only when a problem is shown is it turned into file, line and column, through
//! the line map of the template that made the text.

use std::sync::Arc;

use super::diagnostic::Diagnostic;
use super::yaml::Mark;

/// A position in one of the texts of a compilation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Which text, as [`Sources::add`] numbered it; 0 is no text at all.
    pub(crate) source: u32,
    /// Where in it.
    pub(crate) mark: Mark,
}

/// How lines of a rendered text go back to lines of files.
pub(crate) trait Lines {
    /// File and line that made this line, both as the user knows them.
    fn origin(&self, line: u32) -> Option<(String, u32)>;
    /// Text of that file, for excerpts.
    fn text(&self, file: &str) -> Option<Arc<str>>;
}

struct Text {
    file: String,
    written: Arc<str>,
    lines: Option<Box<dyn Lines>>,
}

/// All texts of a compilation.
#[derive(Default)]
pub(crate) struct Sources {
    texts: Vec<Text>,
}

impl Sources {
    /// Adds a text read from `file`; `lines` says where lines come from if it was a template.
    pub(crate) fn add(&mut self, file: &str, written: Arc<str>, lines: Option<Box<dyn Lines>>) -> u32 {
        self.texts.push(Text {
            file: file.to_owned(),
            written,
            lines,
        });
        u32::try_from(self.texts.len()).unwrap_or(0)
    }

    /// A problem at a place.
    pub(crate) fn error(&self, place: Place, message: impl Into<String>) -> Diagnostic {
        self.locate(Diagnostic::error(message), place)
    }

    /// The same problem, at a place.
    pub(crate) fn locate(&self, problem: Diagnostic, place: Place) -> Diagnostic {
        let index = usize::try_from(place.source).unwrap_or(0);
        let Some(text) = index.checked_sub(1).and_then(|index| self.texts.get(index)) else {
            return problem;
        };
        let Mark { line, column } = place.mark;
        if line == 0 {
            return problem.in_file(&text.file);
        }
        match text
            .lines
            .as_ref()
            .and_then(|lines| Some((lines.origin(line)?, lines)))
        {
            Some(((file, line), lines)) => {
                let excerpt = if file == text.file {
                    Some(text.written.clone())
                } else {
                    lines.text(&file)
                };
                let problem = problem.in_file(file).at(line, column);
                match excerpt {
                    Some(excerpt) => problem.with_source(&excerpt),
                    None => problem,
                }
            }
            None => problem
                .in_file(&text.file)
                .at(line, column)
                .with_source(&text.written),
        }
    }
}
