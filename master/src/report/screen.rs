//! The only place that writes to the terminal: stdout for what was asked for, stderr for everything on the way.

use std::fmt::Display;
use std::io::{BufWriter, IsTerminal, Write};

use clap::ValueEnum;

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How much to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volume {
    /// Results only.
    Quiet,
    /// Changes, failures, summary.
    Normal,
    /// Every state.
    Verbose,
}

/// Where and how to write.
#[derive(Debug, Clone, Copy)]
pub struct Screen {
    /// One JSON document on stdout, everything else on stderr.
    pub json: bool,
    /// Use colours.
    pub color: bool,
    /// How much to say.
    pub volume: Volume,
    /// stderr is a terminal: progress may be drawn.
    pub live: bool,
}

/// Bytes of a document that are written at once.
const WRITTEN: usize = 256 << 10;

/// What a piece of text means; its colour follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Right.
    Good,
    /// Changed, or would.
    Change,
    /// Failed.
    Bad,
    /// Of less weight.
    Faint,
    /// A heading.
    Strong,
    /// An added line.
    Added,
    /// A removed line.
    Removed,
}

impl Screen {
    /// From the options and what stdout and stderr are.
    pub fn new(json: bool, choice: ColorChoice, volume: Volume) -> Self {
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                std::io::stdout().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        let live = std::io::stderr().is_terminal() && volume != Volume::Quiet;
        Self {
            json,
            color,
            volume,
            live,
        }
    }

    /// `text` in the colour of `tone`.
    pub fn paint(&self, tone: Tone, text: impl Display) -> String {
        if !self.color {
            return text.to_string();
        }
        let code = match tone {
            Tone::Good | Tone::Added => "32",
            Tone::Change => "33",
            Tone::Bad | Tone::Removed => "31",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// Writes to stdout. A closed pipe (`| head`) ends the program quietly, as every tool does.
    pub fn out(&self, text: impl Display) {
        write_or_end(&mut std::io::stdout().lock(), &text.to_string());
    }

    /// Writes to stderr.
    pub fn err(&self, text: impl Display) {
        write_or_end(&mut std::io::stderr().lock(), &text.to_string());
    }

    /// Writes the one JSON document.
    pub fn document(&self, value: &serde_json::Value) {
        let mut out = BufWriter::with_capacity(WRITTEN, std::io::stdout().lock());
        let written = serde_json::to_writer_pretty(&mut out, value).map_err(std::io::Error::from);
        if written
            .and_then(|()| out.write_all(b"\n"))
            .and_then(|()| out.flush())
            .is_err()
        {
            std::process::exit(0);
        }
    }
}

fn write_or_end(to: &mut dyn Write, text: &str) {
    let newline = if text.ends_with('\n') { "" } else { "\n" };
    if to
        .write_all(format!("{text}{newline}").as_bytes())
        .and_then(|()| to.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// Text from hosts, made harmless for a terminal: control characters other than newline and tab, and marks that turn
/// the writing direction, are shown as escapes (W3).
pub fn tame(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    if !text.contains(steers) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| {
            if steers(c) {
                c.escape_unicode().to_string()
            } else {
                c.to_string()
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_cannot_steer_the_terminal() {
        assert_eq!(tame("a\u{1b}[2Jb\tc\n"), "a\\u{1b}[2Jb\tc\n");
        assert_eq!(tame("\u{202e}x"), "\\u{202e}x");
        assert_eq!(tame("plain é"), "plain é");
    }
}
