//! YAML as Salt's filters write it: libyaml's emitter, fed as PyYAML's safe dumper feeds it.
//!
//! Keys are sorted, tuples are sequences, a list or mapping that appears twice gets an anchor, and text is quoted
//! where it would read as something else.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::LazyLock;

use base64::Engine as _;
use libyaml_safer::{Emitter, Encoding, Event, MappingStyle, ScalarStyle, SequenceStyle};
use regex::Regex;

use super::error::{Res, fault};
use super::values::text::{NESTING, float};
use super::values::{Key, Value, sorting};

/// How sequences and mappings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// `{a: 1}`.
    Always,
    /// One entry per line.
    Never,
    /// Collections of scalars as flow, others as block: PyYAML's `None`.
    Leaves,
}

/// What plain text may read as, by tag. Text that matches is quoted.
static RESOLVERS: LazyLock<Vec<(&'static str, Option<Regex>)>> = LazyLock::new(|| {
    [
        ("bool", r"^(?:yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$"),
        (
            "float",
            r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        ),
        (
            "int",
            r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$",
        ),
        ("merge", r"^(?:<<)$"),
        ("null", r"^(?:~|null|Null|NULL|)$"),
        (
            "timestamp",
            r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9][0-9]?-[0-9][0-9]?(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9][0-9]:[0-9][0-9](?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9][0-9])?))?)$",
        ),
        ("value", r"^(?:=)$"),
        ("yaml", r"^(?:!|&|\*)$"),
    ]
    .into_iter()
    .map(|(tag, pattern)| (tag, Regex::new(pattern).ok()))
    .collect()
});

/// The tag a plain text would be read with.
fn resolve(text: &str) -> &'static str {
    // `$` also matches before a final line end, as in Python.
    let text = text.strip_suffix('\n').unwrap_or(text);
    if text.contains('\n') {
        return "str";
    }
    RESOLVERS
        .iter()
        .find(|(_, regex)| regex.as_ref().is_some_and(|regex| regex.is_match(text)))
        .map_or("str", |(tag, _)| tag)
}

/// `yaml.safe_dump(value)` with its final line end.
///
/// # Errors
/// Nesting beyond the limit, values the emitter refuses.
pub(crate) fn dump(value: &Value, flow: Flow) -> Res<String> {
    let mut events = Events {
        flow,
        counts: HashMap::new(),
        names: HashMap::new(),
        out: Vec::new(),
        next: 0,
        odd: Vec::new(),
    };
    events.count(value, 0)?;
    events.node(value, 0)?;
    let refused = || fault::other("the value cannot be written as YAML");
    // The emitter asserts its own invariants; a template must never take the process down.
    let (out, odd) = (events.out, events.odd);
    let written = catch_unwind(AssertUnwindSafe(|| write(out)));
    written
        .ok()
        .flatten()
        .map(|text| restore(text, &odd))
        .ok_or_else(refused)
}

/// Stands for characters that libyaml escapes and its Rust translation does not: itself one that is escaped.
const STAND_IN: char = '\u{fffe}';

/// Puts the escapes of `odd` where the stand-in was escaped.
fn restore(text: String, odd: &[char]) -> String {
    if odd.is_empty() {
        return text;
    }
    let mut odd = odd.iter();
    let mut parts = text.split("\\uFFFE");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = odd.next().map_or(STAND_IN as u32, |c| *c as u32);
        out.push_str(&if code > 0xffff {
            format!("\\U{code:08X}")
        } else {
            format!("\\u{code:04X}")
        });
        out.push_str(part);
    }
    out
}

fn write(events: Vec<Event>) -> Option<String> {
    let mut bytes = Vec::new();
    {
        let mut emitter = Emitter::new();
        emitter.set_output_string(&mut bytes);
        emitter.set_unicode(true);
        emitter.emit(Event::stream_start(Encoding::Utf8)).ok()?;
        emitter.emit(Event::document_start(None, &[], true)).ok()?;
        for event in events {
            emitter.emit(event).ok()?;
        }
        emitter.emit(Event::document_end(true)).ok()?;
        emitter.emit(Event::stream_end()).ok()?;
        emitter.flush().ok()?;
    }
    String::from_utf8(bytes).ok()
}

struct Events {
    flow: Flow,
    /// How often each collection appears, by identity.
    counts: HashMap<usize, usize>,
    names: HashMap<usize, String>,
    out: Vec<Event>,
    next: usize,
    /// Characters that were replaced by the stand-in, in order.
    odd: Vec<char>,
}

fn identity(value: &Value) -> Option<usize> {
    match value {
        Value::List(list) => Some(Rc::as_ptr(list) as usize),
        Value::Dict(dict) => Some(Rc::as_ptr(dict) as usize),
        Value::Tuple(tuple) if !tuple.items.is_empty() => Some(Rc::as_ptr(tuple) as usize),
        _ => None,
    }
}

impl Events {
    fn count(&mut self, value: &Value, depth: usize) -> Res<()> {
        if depth > NESTING {
            return Err(fault::too_deep());
        }
        if let Some(id) = identity(value) {
            let count = self.counts.entry(id).or_default();
            *count += 1;
            if *count > 1 {
                return Ok(());
            }
        }
        match value {
            Value::List(list) => list
                .items
                .borrow()
                .iter()
                .try_for_each(|item| self.count(item, depth + 1)),
            Value::Tuple(tuple) => tuple
                .items
                .iter()
                .try_for_each(|item| self.count(item, depth + 1)),
            Value::Dict(dict) => dict
                .pairs()
                .iter()
                .try_for_each(|(_, item)| self.count(item, depth + 1)),
            _ => Ok(()),
        }
    }

    fn node(&mut self, value: &Value, depth: usize) -> Res<()> {
        if depth > NESTING {
            return Err(fault::too_deep());
        }
        let mut anchor = None;
        if let Some(id) = identity(value) {
            if let Some(name) = self.names.get(&id) {
                self.out.push(Event::alias(name));
                return Ok(());
            }
            if self.counts.get(&id).is_some_and(|count| *count > 1) {
                self.next += 1;
                let name = format!("id{:03}", self.next);
                self.names.insert(id, name.clone());
                anchor = Some(name);
            }
        }
        match value {
            Value::List(list) => {
                let items = list.items.borrow().clone();
                self.sequence(&items, anchor.as_deref(), depth)
            }
            Value::Tuple(tuple) if tuple.names.is_empty() => {
                self.sequence(&tuple.items, anchor.as_deref(), depth)
            }
            Value::Dict(dict) => {
                let mut pairs = dict.pairs();
                if !dict.ordered {
                    sort(&mut pairs);
                }
                self.mapping(&pairs, anchor.as_deref(), depth)
            }
            Value::Object(object) => match object.data()? {
                Some(data) => self.node(&data, depth + 1),
                None => {
                    self.scalar("NULL", "null");
                    Ok(())
                }
            },
            _ => {
                let (text, tag) = scalar(value);
                self.scalar(&text, tag);
                Ok(())
            }
        }
    }

    fn is_flow(&self, mut children: impl Iterator<Item = bool>) -> bool {
        match self.flow {
            Flow::Always => true,
            Flow::Never => false,
            Flow::Leaves => children.all(|plain| plain),
        }
    }

    fn sequence(&mut self, items: &[Value], anchor: Option<&str>, depth: usize) -> Res<()> {
        let flow = self.is_flow(items.iter().map(leaf));
        let style = if flow {
            SequenceStyle::Flow
        } else {
            SequenceStyle::Block
        };
        self.out.push(Event::sequence_start(
            anchor,
            Some("tag:yaml.org,2002:seq"),
            true,
            style,
        ));
        for item in items {
            self.node(item, depth + 1)?;
        }
        self.out.push(Event::sequence_end());
        Ok(())
    }

    fn mapping(&mut self, pairs: &[(Key, Value)], anchor: Option<&str>, depth: usize) -> Res<()> {
        let flow = self.is_flow(pairs.iter().map(|(key, value)| leaf(key.value()) && leaf(value)));
        let style = if flow {
            MappingStyle::Flow
        } else {
            MappingStyle::Block
        };
        self.out.push(Event::mapping_start(
            anchor,
            Some("tag:yaml.org,2002:map"),
            true,
            style,
        ));
        for (key, value) in pairs {
            self.node(key.value(), depth + 1)?;
            self.node(value, depth + 1)?;
        }
        self.out.push(Event::mapping_end());
        Ok(())
    }

    fn scalar(&mut self, text: &str, tag: &str) {
        let style = if tag == "binary" {
            ScalarStyle::Literal
        } else {
            ScalarStyle::Any
        };
        let full = format!("tag:yaml.org,2002:{tag}");
        let mut tamed = String::with_capacity(text.len());
        for c in text.chars() {
            if c as u32 > 0xffff || c == STAND_IN {
                self.odd.push(c);
                tamed.push(STAND_IN);
            } else {
                tamed.push(c);
            }
        }
        self.out.push(Event::scalar(
            None,
            Some(&full),
            &tamed,
            resolve(text) == tag,
            tag == "str",
            style,
        ));
    }
}

fn leaf(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Tuple(_) | Value::Dict(_))
}

/// Sorts entries by key; where keys cannot be compared they stay as they are.
fn sort(pairs: &mut Vec<(Key, Value)>) {
    let keys: Vec<Value> = pairs.iter().map(|(key, _)| key.value().clone()).collect();
    let places = (0..pairs.len()).map(Value::from).collect();
    if let Ok(order) = sorting::sort_by_key(places, keys, false) {
        *pairs = order
            .iter()
            .filter_map(|place| place.as_int().and_then(|i| usize::try_from(i).ok()))
            .filter_map(|place| pairs.get(place).cloned())
            .collect();
    }
}

/// The text and tag of a value that is no collection.
pub(crate) fn scalar(value: &Value) -> (String, &'static str) {
    match value {
        Value::Bool(value) => (value.to_string(), "bool"),
        Value::Int(value) => (value.to_string(), "int"),
        Value::Float(value) if value.is_nan() => (".nan".to_owned(), "float"),
        Value::Float(value) if value.is_infinite() => {
            (if *value > 0.0 { ".inf" } else { "-.inf" }.to_owned(), "float")
        }
        Value::Float(value) => {
            let text = float(*value);
            let text = if text.contains('.') {
                text
            } else {
                text.replacen('e', ".0e", 1)
            };
            (text, "float")
        }
        Value::Str(text) => (text.to_string(), "str"),
        Value::Bytes(bytes) => {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            let lines: Vec<String> = text
                .as_bytes()
                .chunks(76)
                .map(|line| String::from_utf8_lossy(line).into_owned() + "\n")
                .collect();
            (lines.concat(), "binary")
        }
        Value::None => ("null".to_owned(), "null"),
        _ => ("NULL".to_owned(), "null"),
    }
}

/// A text in double quotes; line ends and other odd characters become escapes, other scripts stay.
pub(crate) fn double_quoted(text: &str) -> String {
    quoted(text, true)
}

/// A text in double quotes with everything outside ASCII escaped.
pub(crate) fn double_quoted_ascii(text: &str) -> String {
    quoted(text, false)
}

fn quoted(text: &str, unicode: bool) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        let short = match c {
            '\0' => Some('0'),
            '\u{7}' => Some('a'),
            '\u{8}' => Some('b'),
            '\t' => Some('t'),
            '\n' => Some('n'),
            '\u{b}' => Some('v'),
            '\u{c}' => Some('f'),
            '\r' => Some('r'),
            '\u{1b}' => Some('e'),
            '"' => Some('"'),
            '\\' => Some('\\'),
            '\u{85}' => Some('N'),
            '\u{a0}' if !unicode => Some('_'),
            '\u{2028}' => Some('L'),
            '\u{2029}' => Some('P'),
            _ => None,
        };
        let code = c as u32;
        match short {
            Some(short) => out.extend(['\\', short]),
            None if (' '..='~').contains(&c) => out.push(c),
            None if unicode
                && ((0xa0..=0xd7ff).contains(&code) || (0xe000..=0xfffd).contains(&code))
                && code != 0xfeff =>
            {
                out.push(c);
            }
            None if code <= 0xff => out.push_str(&format!("\\x{code:02X}")),
            None if code <= 0xffff => out.push_str(&format!("\\u{code:04X}")),
            None => out.push_str(&format!("\\U{code:08X}")),
        }
    }
    out.push('"');
    out
}

/// A text in single quotes; each line end is doubled, as folding asks.
pub(crate) fn single_quoted(text: &str) -> String {
    let mut out = String::from("'");
    let is_break = |c: char| matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut in_breaks = false;
    for c in text.chars() {
        if is_break(c) && !in_breaks && c == '\n' {
            out.push('\n');
        }
        in_breaks = is_break(c);
        match c {
            '\'' => out.push_str("''"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}
