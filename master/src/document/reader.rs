//! From text to nodes: libyaml's events, one document, no anchors and no tags.
//!
//! The parser is known to panic on some truncated inputs, so it runs under `catch_unwind` and always sees a
//! final newline.

use std::panic::{AssertUnwindSafe, catch_unwind};

use libyaml_safer::{Event, EventData, Parser, ScalarStyle};
use serde_json::Value;

use super::{Entry, Mark, Node, Shape, resolve};

/// How deep a settings file may nest (requirement C2).
const DEPTH: usize = 64;

/// The beginning of the text.
const START: Mark = Mark { line: 1, column: 1 };

/// Why a text is not a document, and where.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) at: Mark,
    pub(super) message: String,
}

/// Reads one document; an empty text is null.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let padded = format!("{text}\n");
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut bytes = padded.as_bytes();
        let mut parser = Parser::new();
        parser.set_input_string(&mut bytes);
        document(&mut Events(parser))
    }));
    outcome.unwrap_or_else(|_| {
        Err(Problem {
            at: START,
            message: "the YAML parser cannot read this file".to_owned(),
        })
    })
}

struct Events<'r, 'b>(Parser<&'b mut &'r [u8]>);

impl Events<'_, '_> {
    fn next(&mut self) -> Result<Event, Problem> {
        self.0.parse().map_err(|error| {
            let at = error
                .problem_mark()
                .map_or(START, |mark| place(mark.line, mark.column));
            Problem {
                at,
                message: error.problem().to_owned(),
            }
        })
    }
}

fn document(events: &mut Events<'_, '_>) -> Result<Node, Problem> {
    let mut root = None;
    loop {
        let event = events.next()?;
        let at = start(&event);
        match event.data {
            EventData::StreamEnd => {
                return Ok(root.unwrap_or(Node {
                    at: START,
                    shape: Shape::Null,
                }));
            }
            EventData::StreamStart { .. } | EventData::DocumentEnd { .. } => {}
            EventData::DocumentStart { .. } if root.is_none() => {
                let event = events.next()?;
                root = Some(node(events, event, 0)?);
            }
            _ => {
                return Err(Problem {
                    at,
                    message: "a second document in the same file".to_owned(),
                });
            }
        }
    }
}

fn node(events: &mut Events<'_, '_>, event: Event, depth: usize) -> Result<Node, Problem> {
    let at = start(&event);
    let refuse = |message: &str| {
        Err(Problem {
            at,
            message: message.to_owned(),
        })
    };
    if depth > DEPTH {
        return refuse("nested too deeply");
    }
    let shape = match event.data {
        EventData::Scalar { tag: Some(_), .. }
        | EventData::SequenceStart { tag: Some(_), .. }
        | EventData::MappingStart { tag: Some(_), .. } => return refuse("tags are not used in this file"),
        EventData::Alias { .. } => return refuse("anchors and aliases are not used in this file"),
        EventData::Scalar {
            value,
            style: ScalarStyle::Plain,
            ..
        } => resolve(&value).map_or(Shape::Null, |means| Shape::Scalar { text: value, means }),
        EventData::Scalar { value, .. } => Shape::Scalar {
            means: Value::String(value.clone()),
            text: value,
        },
        EventData::SequenceStart { .. } => Shape::List(items(events, depth)?),
        EventData::MappingStart { .. } => Shape::Map(entries(events, depth)?),
        _ => return refuse("unexpected end of the document"),
    };
    Ok(Node { at, shape })
}

fn items(events: &mut Events<'_, '_>, depth: usize) -> Result<Vec<Node>, Problem> {
    let mut items = Vec::new();
    loop {
        let event = events.next()?;
        if matches!(event.data, EventData::SequenceEnd) {
            return Ok(items);
        }
        items.push(node(events, event, depth + 1)?);
    }
}

fn entries(events: &mut Events<'_, '_>, depth: usize) -> Result<Vec<Entry>, Problem> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let event = events.next()?;
        let at = start(&event);
        let key = match event.data {
            EventData::MappingEnd => return Ok(entries),
            EventData::Scalar { value, .. } => value,
            _ => {
                return Err(Problem {
                    at,
                    message: "a key must be text".to_owned(),
                });
            }
        };
        if entries.iter().any(|entry| entry.key == key) {
            return Err(Problem {
                at,
                message: format!("the key `{key}` stands twice in the same mapping"),
            });
        }
        let event = events.next()?;
        entries.push(Entry {
            key,
            at,
            value: node(events, event, depth + 1)?,
        });
    }
}

fn start(event: &Event) -> Mark {
    place(event.start_mark.line, event.start_mark.column)
}

/// libyaml counts from 0.
fn place(line: u64, column: u64) -> Mark {
    let count = |zero_based: u64| u32::try_from(zero_based.saturating_add(1)).unwrap_or(u32::MAX);
    Mark {
        line: count(line),
        column: count(column),
    }
}
