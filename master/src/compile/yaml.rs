//! YAML as Salt's loader reads it: libyaml's events, YAML 1.1 scalars, and the place of every node.
//!
//! Differences from plain YAML 1.1 are Salt's own: a leading zero is dropped and not octal, dates stay text, a
//! duplicate key is an error. Aliases are copied under a budget and nesting is limited (requirement C2). The
//! meaning of plain scalars is in `scalar`.

mod advice;
mod collections;
mod quick;
mod scalar;
mod value;

pub(crate) use scalar::{float_text, quoted};
pub use value::{Mark, Node, Value};
use value::{Same, same};

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use libyaml_safer::{Event, EventData, Mark as Point, Parser, ScalarStyle};
use thiserror::Error;

/// Deepest nesting of lists and mappings.
const DEPTH: usize = 64;
/// Most nodes that aliases and merges may copy.
const COPIES: usize = 200_000;

/// Text that is not the YAML Salt accepts.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}; line {}, column {}", at.line, at.column)]
pub struct YamlError {
    /// What is wrong, in libyaml's words where it found the problem.
    pub message: String,
    /// Where.
    pub at: Mark,
    /// Where what is wrong began, and what that is.
    pub began: Option<(Mark, &'static str)>,
}

/// The one document of `text`; nothing but blanks and comments is `Null`.
///
/// # Errors
/// Malformed YAML, duplicate keys, unknown tags, a second document, nesting or copying beyond the limits.
pub fn load(text: &str) -> Result<Node, YamlError> {
    // libyaml-safer can panic on odd input; a tree must never take the process down.
    catch_unwind(AssertUnwindSafe(|| compose(text))).unwrap_or_else(|_| {
        Err(YamlError {
            message: "this text cannot be parsed as YAML".to_owned(),
            at: Mark { line: 1, column: 1 },
            began: None,
        })
    })
}

impl YamlError {
    /// The way out, from the line at fault.
    pub fn help(&self, line: &str) -> Option<String> {
        advice::help(&self.message, line, self.at.column)
    }
}

/// The same as JSON, for callers that need no places.
///
/// # Errors
/// As [`load`], as one line of text.
pub fn load_plain(text: &str) -> Result<serde_json::Value, String> {
    load(text).map(Node::into_json).map_err(|error| error.to_string())
}

/// Where every scalar begins and ends. Of text that is no YAML, those before the problem.
pub(crate) fn scalar_spans(text: &str) -> Vec<(Mark, Mark)> {
    catch_unwind(|| {
        let mut bytes = text.as_bytes();
        let mut parser = Parser::new();
        parser.set_input_string(&mut bytes);
        let mut spans = Vec::new();
        while let Ok(event) = parser.parse() {
            match event.data {
                EventData::Scalar { .. } => spans.push((mark(event.start_mark), mark(event.end_mark))),
                EventData::StreamEnd => break,
                _ => {}
            }
        }
        spans
    })
    .unwrap_or_default()
}

/// `text` as the scalar it would be if written plainly: `yes` is true, `0644` is 644.
pub fn plain_scalar(text: &str) -> Value {
    scalar::resolve(text).unwrap_or_else(|_| Value::Text(text.to_owned()))
}

/// Most entries of a mapping whose keys are compared one by one.
const FEW: usize = 12;

struct Composer<'r, 'b> {
    parser: Parser<&'r mut &'b [u8]>,
    anchors: HashMap<String, Option<Node>>,
    copies: usize,
    /// Line (from 0) of a last line that had no line end, if so.
    unended: Option<u64>,
}

fn compose(text: &str) -> Result<Node, YamlError> {
    match quick::load(text) {
        Some(node) => Ok(node),
        None => whole(text),
    }
}

/// The document as the whole parser reads it.
fn whole(text: &str) -> Result<Node, YamlError> {
    // libyaml-safer panics when a block scalar ends without a line end, so it always gets one; the composer takes
    // it off again.
    let owned;
    let ends = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
    let unended = (!text.is_empty() && !text.ends_with(ends)).then(|| text.matches('\n').count() as u64);
    let mut bytes = if unended.is_some() {
        owned = format!("{text}\n");
        owned.as_bytes()
    } else {
        text.as_bytes()
    };
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    let mut composer = Composer {
        parser,
        anchors: HashMap::new(),
        copies: 0,
        unended,
    };
    composer.document().map_err(|mut error| {
        // Nothing is wrong in the line that is not there.
        if let Some(last) = unended
            && u64::from(error.at.line) > last + 1
        {
            let width = text.rsplit('\n').next().unwrap_or_default().chars().count() as u64;
            error.at = mark_at(last, width);
        }
        error
    })
}

fn mark(point: Point) -> Mark {
    mark_at(point.line, point.column)
}

/// The place of a line and a column that count from 0.
fn mark_at(line: u64, column: u64) -> Mark {
    let from_one = |number: u64| u32::try_from(number).unwrap_or(u32::MAX - 1).saturating_add(1);
    Mark {
        line: from_one(line),
        column: from_one(column),
    }
}

fn wrong<T>(message: impl Into<String>, at: Mark) -> Result<T, YamlError> {
    Err(YamlError {
        message: message.into(),
        at,
        began: None,
    })
}

impl Composer<'_, '_> {
    fn next(&mut self) -> Result<Event, YamlError> {
        self.parser.parse().map_err(|error| {
            let message = match error.context() {
                Some(context) => format!("{context}, {}", error.problem()),
                None => error.problem().to_owned(),
            };
            let at = error.problem_mark().or(error.context_mark()).map(mark);
            YamlError {
                message,
                at: at.unwrap_or(Mark { line: 1, column: 1 }),
                began: error
                    .context_mark()
                    .map(mark)
                    .map(|began| (began, "this begins here")),
            }
        })
    }

    fn document(&mut self) -> Result<Node, YamlError> {
        self.next()?; // the stream's start
        let start = self.next()?;
        if matches!(start.data, EventData::StreamEnd) {
            return Ok(Node {
                value: Value::Null,
                at: Mark { line: 1, column: 1 },
            });
        }
        let first = self.next()?;
        let node = self.node(first, 0)?;
        self.next()?; // the document's end
        let end = self.next()?;
        if matches!(end.data, EventData::StreamEnd) {
            Ok(node)
        } else {
            wrong(
                "expected a single document in the stream, but found another document",
                mark(end.start_mark),
            )
        }
    }

    fn node(&mut self, event: Event, depth: usize) -> Result<Node, YamlError> {
        let at = mark(event.start_mark);
        if depth > DEPTH {
            return wrong(format!("nested deeper than {DEPTH} levels"), at);
        }
        let (anchor, value) = match event.data {
            EventData::Alias { anchor } => return self.alias(&anchor, at),
            EventData::Scalar {
                anchor,
                tag,
                mut value,
                plain_implicit,
                style,
                ..
            } => {
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
                    && self.unended.is_some_and(|last| event.end_mark.line > last)
                    && value.ends_with('\n')
                {
                    value.pop();
                }
                self.open(anchor.as_deref(), at)?;
                (
                    anchor,
                    scalar::construct(value, tag.as_deref(), plain_implicit)
                        .or_else(|message| wrong(message, at))?,
                )
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                self.open(anchor.as_deref(), at)?;
                let items = self.sequence(depth)?;
                (anchor, collections::sequence(items, tag.as_deref(), at)?)
            }
            EventData::MappingStart { anchor, tag, .. } => {
                self.open(anchor.as_deref(), at)?;
                let entries = self.mapping(depth)?;
                (anchor, collections::mapping(entries, tag.as_deref(), at)?)
            }
            _ => return wrong("expected a value", at),
        };
        let node = Node { value, at };
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Some(node.clone()));
        }
        Ok(node)
    }

    /// Notes that an anchor is being built, so that an alias to itself is seen. An anchor is given once only.
    fn open(&mut self, anchor: Option<&str>, at: Mark) -> Result<(), YamlError> {
        match anchor {
            Some(anchor) if self.anchors.insert(anchor.to_owned(), None).is_some() => {
                wrong(format!("found duplicate anchor '{anchor}'"), at)
            }
            _ => Ok(()),
        }
    }

    fn alias(&mut self, anchor: &str, at: Mark) -> Result<Node, YamlError> {
        match self.anchors.get(anchor) {
            Some(Some(node)) => {
                self.copies += node.value.count();
                if self.copies > COPIES {
                    return wrong(format!("aliases would copy more than {COPIES} nodes"), at);
                }
                Ok(Node {
                    value: node.value.clone(),
                    at,
                })
            }
            Some(None) => wrong(format!("anchor '{anchor}' contains itself"), at),
            None => wrong(format!("found undefined alias '{anchor}'"), at),
        }
    }

    fn sequence(&mut self, depth: usize) -> Result<Vec<Node>, YamlError> {
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::SequenceEnd) {
                return Ok(items);
            }
            items.push(self.node(event, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Vec<(Node, Node)>, YamlError> {
        let mut own: Vec<(Node, Node)> = Vec::new();
        let mut merged: Vec<(Node, Node)> = Vec::new();
        loop {
            let event = self.next()?;
            if matches!(event.data, EventData::MappingEnd) {
                break;
            }
            let merge = matches!(&event.data, EventData::Scalar { value, tag, plain_implicit: true, style: ScalarStyle::Plain, .. }
                if value == "<<" && tag.is_none());
            let key = if merge || is_equals(&event) {
                let text = if merge { "<<" } else { "=" };
                Node {
                    value: Value::Text(text.to_owned()),
                    at: mark(event.start_mark),
                }
            } else {
                self.node(event, depth + 1)?
            };
            let event = self.next()?;
            let value = self.node(event, depth + 1)?;
            if merge {
                merged.extend(sources(value)?);
            } else {
                own.push((key, value));
            }
        }
        if !merged.is_empty() {
            // Keys written out win over merged ones, and merged ones come first.
            let written: HashSet<Same<'_>> = own.iter().filter_map(|(key, _)| same(&key.value)).collect();
            merged.retain(|(key, _)| same(&key.value).is_none_or(|key| !written.contains(&key)));
            drop(written);
            merged.append(&mut own);
            own = merged;
        }
        distinct(&own)?;
        Ok(own)
    }
}

/// `=` as a key is text; as a value it has no meaning.
fn is_equals(event: &Event) -> bool {
    matches!(&event.data, EventData::Scalar { value, tag: None, plain_implicit: true, style: ScalarStyle::Plain, .. } if value == "=")
}

fn unknown_tag(tag: &str) -> String {
    format!("could not determine a constructor for the tag '{tag}'")
}

/// The entries a `<<` brings: of one mapping, or of several, the last of the list first.
fn sources(node: Node) -> Result<Vec<(Node, Node)>, YamlError> {
    match node.value {
        Value::Map(entries) => Ok(entries),
        Value::List(items) => {
            let mut all = Vec::new();
            for item in items.into_iter().rev() {
                match item.value {
                    Value::Map(entries) => all.extend(entries),
                    _ => {
                        return wrong(
                            "expected a mapping for merging, but found something else",
                            item.at,
                        );
                    }
                }
            }
            Ok(all)
        }
        _ => wrong(
            "expected a mapping or list of mappings for merging, but found scalar",
            node.at,
        ),
    }
}

fn distinct(entries: &[(Node, Node)]) -> Result<(), YamlError> {
    let mut seen = HashSet::new();
    for (index, (key, _)) in entries.iter().enumerate() {
        let Some(this) = same(&key.value) else {
            return wrong("found unacceptable key: a list or mapping", key.at);
        };
        // Most mappings are too short for hashing to pay.
        let known = if entries.len() <= FEW {
            entries[..index]
                .iter()
                .any(|(other, _)| same(&other.value).is_some_and(|other| other == this))
        } else {
            !seen.insert(this)
        };
        if known {
            let first = entries.iter().find(|(other, _)| other.value == key.value);
            return Err(YamlError {
                message: format!("found conflicting ID '{}'", key.value.python_text()),
                at: key.at,
                began: first.map(|(first, _)| (first.at, "it is here first")),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
