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
pub(crate) trait Lines: Send + Sync {
    /// File and line that made this line, both as the user knows them.
    fn origin(&self, line: u32) -> Option<(String, u32)>;
    /// Text of that file, for excerpts.
    fn text(&self, file: &str) -> Option<Arc<str>>;
}

struct Text {
    file: String,
    written: Arc<str>,
    /// What the templates made of it, and how its lines go back.
    made: Option<(Arc<str>, Box<dyn Lines>)>,
}

/// All texts of a compilation.
#[derive(Default)]
pub(crate) struct Sources {
    texts: Vec<Text>,
}

impl Sources {
    /// Adds a text read from `file`; `made` is what a template made of it, with the map of its lines.
    pub(crate) fn add(
        &mut self,
        file: &str,
        written: Arc<str>,
        made: Option<(Arc<str>, Box<dyn Lines>)>,
    ) -> u32 {
        self.texts.push(Text {
            file: file.to_owned(),
            written,
            made,
        });
        u32::try_from(self.texts.len()).unwrap_or(0)
    }

    /// Takes over the texts of another compilation; the number of the text before its first.
    pub(crate) fn append(&mut self, mut others: Self) -> u32 {
        let before = self.texts.len();
        self.texts.append(&mut others.texts);
        u32::try_from(before).unwrap_or(0)
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
        let Some((made, file, origin)) = text.made.as_ref().and_then(|(made, lines)| {
            // A place behind the end is that of the last line.
            let (file, origin) = (1..=line).rev().find_map(|line| lines.origin(line))?;
            let written = if file == text.file {
                Some(text.written.clone())
            } else {
                lines.text(&file)
            };
            Some((made, file, (origin, written)))
        }) else {
            return problem
                .in_file(&text.file)
                .at(line, column)
                .with_source(&text.written);
        };
        match origin {
            (line_there, Some(written)) => {
                let column = column_there(nth(&written, line_there), nth(made, line), column);
                problem.in_file(file).at(line_there, column).with_source(&written)
            }
            (line_there, None) => problem.in_file(file).at(line_there, column),
        }
    }

    /// A note that can be added to a problem.
    pub(crate) fn note(&self, place: Place, message: impl Into<String>) -> Diagnostic {
        self.error(place, message)
    }
}

/// A line of a text, from 1.
fn nth(text: &str, line: u32) -> &str {
    let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    text.lines().nth(index).unwrap_or_default()
}

/// The column in the line as written of what stands at a column of the line a template made of it.
///
/// Where nothing before it was made by the template it is the same; else it is that of the same word, or of the
/// expression from which on the lines differ.
fn column_there(written: &str, made: &str, column: u32) -> u32 {
    let from_one = |at: usize| u32::try_from(at).unwrap_or(u32::MAX - 1) + 1;
    let at = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    let same = written
        .chars()
        .zip(made.chars())
        .take_while(|(written, made)| written == made)
        .count();
    if same >= at && !written.chars().skip(at).take(2).eq("{{".chars()) || written == made {
        return column;
    }
    let is_word = |ch: &char| ch.is_alphanumeric() || "_-./".contains(*ch);
    let word: String = made.chars().skip(at).take_while(is_word).collect();
    // Characters, openings and closings before the word, counted on from one place to the next.
    let (mut from, mut chars, mut open, mut closed) = (0, 0, 0, 0);
    let places = written.match_indices(word.as_str()).filter_map(|(place, _)| {
        let between = written.get(from..place).unwrap_or_default();
        from = place;
        chars += between.chars().count();
        open += between.matches("{{").count();
        closed += between.matches("}}").count();
        (open == closed).then_some(chars)
    });
    let near = match word.is_empty() {
        true => None,
        false => places.min_by_key(|place| place.abs_diff(at)),
    };
    from_one(near.unwrap_or(same.min(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_user() {
        let cases = [
            // Nothing before it was made.
            ("    - mode: {{ m }}", "    - mode: 644", 7, 7),
            // The word stands behind an expression.
            ("{{ a }}: { b: 1 }", "long name: { b: 1 }", 14, 12),
            // The word was made.
            ("  - {{ kind }}: x", "  - file: x", 5, 5),
            ("  - x{{ kind }}: x", "  - xfile: x", 5, 5),
            ("{{ indent }}- x", "      - x", 7, 13),
        ];
        for (written, made, column, want) in cases {
            assert_eq!(column_there(written, made, column), want, "{written}");
        }
    }
}
