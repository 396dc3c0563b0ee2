//! The text under way, and which line of which file each line of it came from.

use std::sync::Arc;

/// Where a piece of text came from.
#[derive(Debug, Clone, Copy)]
struct Mark {
    offset: usize,
    file: u32,
    line: u32,
}

/// Text with marks. Captured text (`{% set %}` blocks, macros called for their value) has its own.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) text: String,
    marks: Vec<Mark>,
}

impl Sink {
    /// Adds text that stands in the template at `line`.
    pub(crate) fn literal(&mut self, text: &str, file: u32, line: u32) {
        let mut line = line;
        let mut from = self.text.len();
        self.mark(from, file, line);
        for piece in text.split_inclusive('\n') {
            self.text.push_str(piece);
            from += piece.len();
            if piece.ends_with('\n') {
                line += 1;
                self.mark(from, file, line);
            }
        }
    }

    /// Adds text an expression at `line` made.
    pub(crate) fn made(&mut self, text: &str, file: u32, line: u32) {
        self.mark(self.text.len(), file, line);
        self.text.push_str(text);
    }

    /// The file and line that made a line of the text.
    pub(crate) fn origin(&self, line: u32) -> Option<(u32, u32)> {
        let skipped = usize::try_from(line.checked_sub(1)?).ok()?;
        let lines = self.text.split_inclusive('\n').take(skipped);
        let offset: usize = lines.map(str::len).sum();
        let mark = self.marks.iter().rev().find(|mark| mark.offset <= offset)?;
        Some((mark.file, mark.line))
    }

    fn mark(&mut self, offset: usize, file: u32, line: u32) {
        if let Some(last) = self.marks.last_mut() {
            if last.offset == offset {
                *last = Mark { offset, file, line };
                return;
            }
            if last.file == file && last.line == line {
                return;
            }
        }
        self.marks.push(Mark { offset, file, line });
    }
}

/// For each line of the rendered text, the file and line it came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineMap {
    files: Vec<Arc<str>>,
    lines: Vec<(u32, u32)>,
}

impl LineMap {
    /// The file and line of the template that made `line` of the text; both lines count from 1.
    pub fn origin(&self, line: usize) -> Option<(&str, usize)> {
        let (file, line) = self.lines.get(line.checked_sub(1)?)?;
        Some((self.files.get(*file as usize)?, *line as usize))
    }

    /// How many lines the text has.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn new(files: Vec<Arc<str>>, sink: &Sink) -> Self {
        let mut lines = Vec::new();
        let mut start = 0;
        let mut at = 0;
        let mut last = (0, 1);
        for piece in sink.text.split_inclusive('\n') {
            let end = start + piece.len();
            // The mark in force at the first character that is not blank speaks for the line.
            let ink = start + piece.len() - piece.trim_start().len();
            let ink = if ink >= end { start } else { ink };
            while let Some(mark) = sink.marks.get(at) {
                if mark.offset > ink {
                    break;
                }
                last = (mark.file, mark.line);
                at += 1;
            }
            lines.push(last);
            start = end;
        }
        Self { files, lines }
    }
}
