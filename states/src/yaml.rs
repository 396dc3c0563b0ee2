//! Data as YAML text in the block style PyYAML writes: sorted keys, two blanks, quotes only where they are needed, lines
//! folded after 80 columns.

use std::sync::LazyLock;

use fancy_regex::Regex;
use proto::arrange;
use serde_json::Value as Json;

/// Texts that read back as something else when they stand plain (YAML 1.1, as PyYAML resolves it).
static OTHER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?:
            yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF
            | ~|null|Null|NULL | << | =
            | [-+]?0b[01_]+ | [-+]?0[0-7_]+ | [-+]?(?:0|[1-9][0-9_]*) | [-+]?0x[0-9a-fA-F_]+
            | [-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+
            | [-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)? | \.[0-9][0-9_]*(?:[eE][-+][0-9]+)?
            | [-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]* | [-+]?\.(?:inf|Inf|INF) | \.(?:nan|NaN|NAN)
            | [0-9]{4}-[0-9]{2}-[0-9]{2}
            | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[\ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?
              (?:[\ \t]*(?:Z|[-+][0-9]{1,2}(?::?[0-9]{2})?))?
        )$",
    )
    .ok()
});

/// Columns after which a line is folded at its next blank.
const WIDTH: usize = 80;

/// How to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    /// Keys in order of the alphabet rather than as they stand.
    pub(crate) sort_keys: bool,
    /// Letters beyond ASCII as they are rather than escaped.
    pub(crate) unicode: bool,
}

/// The data as text, with a newline at the end.
pub(crate) fn dump(data: &Json, style: Style) -> String {
    let mut out = Out {
        text: String::new(),
        column: 0,
        style,
    };
    match data {
        Json::Object(map) if !map.is_empty() => out.mapping(map, 0, false),
        Json::Array(items) if !items.is_empty() => out.sequence(items, 0, false),
        other => out.scalar(other, 2, false),
    }
    if out.column > 0 {
        out.line(0);
    }
    out.text
}

struct Out {
    text: String,
    column: usize,
    style: Style,
}

/// How a text can be written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quotes {
    Plain,
    Single,
    Double,
}

impl Out {
    fn put(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self, indent: usize) {
        self.text.push('\n');
        self.text.push_str(&" ".repeat(indent));
        self.column = indent;
    }

    /// `inline`: the first entry stands on the line that is begun.
    fn mapping(&mut self, map: &proto::Args, indent: usize, inline: bool) {
        let mut entries: Vec<(&String, &Json)> = map.iter().collect();
        if self.style.sort_keys {
            arrange(&mut entries, &|a, b| a.0 < b.0);
        }
        for (place, (key, value)) in entries.into_iter().enumerate() {
            if (place > 0 || !inline) && !self.text.is_empty() {
                self.line(indent);
            }
            self.key(key, indent);
            match value {
                Json::Object(map) if !map.is_empty() => self.mapping(map, indent + 2, false),
                // A list in a mapping is not indented.
                Json::Array(items) if !items.is_empty() => self.sequence(items, indent, false),
                other => {
                    self.put(" ");
                    self.scalar(other, indent + 2, false);
                }
            }
        }
    }

    fn sequence(&mut self, items: &[Json], indent: usize, inline: bool) {
        for (place, item) in items.iter().enumerate() {
            if (place > 0 || !inline) && !self.text.is_empty() {
                self.line(indent);
            }
            self.put("- ");
            match item {
                Json::Object(map) if !map.is_empty() => self.mapping(map, indent + 2, true),
                Json::Array(items) if !items.is_empty() => self.sequence(items, indent + 2, true),
                other => self.scalar(other, indent + 2, false),
            }
        }
    }

    fn key(&mut self, key: &str, indent: usize) {
        let simple = !key.is_empty() && key.len() < 128 && !key.contains('\n');
        if simple {
            self.scalar(&Json::from(key), indent, true);
        } else {
            self.put("? ");
            self.scalar(&Json::from(key), indent + 2, false);
            self.line(indent);
        }
        self.put(":");
    }

    fn scalar(&mut self, value: &Json, indent: usize, key: bool) {
        match value {
            Json::Null => self.put("null"),
            Json::Bool(true) => self.put("true"),
            Json::Bool(false) => self.put("false"),
            Json::Number(number) => self.put(&number.to_string()),
            Json::Array(_) => self.put("[]"),
            Json::Object(_) => self.put("{}"),
            Json::String(text) => match self.quotes(text, key) {
                Quotes::Plain => self.plain(text, indent, key),
                Quotes::Single => self.single(text, indent, key),
                Quotes::Double => self.double(text, indent, key),
            },
        }
    }

    /// What PyYAML's analysis of a text comes to in block context.
    fn quotes(&self, text: &str, key: bool) -> Quotes {
        let chars: Vec<char> = text.chars().collect();
        let (Some(&first), Some(&last)) = (chars.first(), chars.last()) else {
            return Quotes::Single;
        };
        let blank =
            |c: Option<&char>| c.is_none_or(|c| matches!(c, ' ' | '\t' | '\r' | '\0') || is_break(*c));
        let mut indicator = text.starts_with("---") || text.starts_with("...");
        indicator |= "#,[]{}&*!|>'\"%@`".contains(first);
        indicator |= matches!(first, '?' | ':' | '-') && blank(chars.get(1));
        let (mut special, mut breaks, mut break_space, mut space_break) = (false, false, false, false);
        for (at, &c) in chars.iter().enumerate() {
            let before = at.checked_sub(1).and_then(|at| chars.get(at));
            indicator |= at > 0 && c == ':' && blank(chars.get(at + 1));
            indicator |= at > 0 && c == '#' && blank(before);
            breaks |= is_break(c);
            special |= !(c == '\n' || (' '..='~').contains(&c) || (self.style.unicode && printable(c)));
            break_space |= c == ' ' && before.is_some_and(|c| is_break(*c));
            space_break |= is_break(c) && before == Some(&' ');
        }
        let edge = |c: char| c == ' ' || is_break(c);
        let reads_back = OTHER
            .as_ref()
            .is_none_or(|other| !other.is_match(text).unwrap_or(true));
        if special || space_break {
            Quotes::Double
        } else if reads_back && !indicator && !breaks && !edge(first) && !edge(last) {
            Quotes::Plain
        } else if !(break_space || key && breaks) {
            Quotes::Single
        } else {
            Quotes::Double
        }
    }

    /// Words, folded where the line is too long.
    fn plain(&mut self, text: &str, indent: usize, key: bool) {
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.find(' ').unwrap_or(rest.len());
            self.put(&rest[..word]);
            rest = &rest[word..];
            let blanks = rest.len() - rest.trim_start_matches(' ').len();
            if blanks == 1 && self.column > WIDTH && !key {
                self.line(indent);
            } else {
                self.put(&rest[..blanks]);
            }
            rest = &rest[blanks..];
        }
    }

    fn single(&mut self, text: &str, indent: usize, key: bool) {
        self.put("'");
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        while let Some(&c) = chars.get(at) {
            let run = chars[at..]
                .iter()
                .take_while(|other| class(**other) == class(c))
                .count();
            let piece: String = chars[at..at + run].iter().collect();
            match class(c) {
                Class::Blank => {
                    let inside = at > 0 && at + run < chars.len();
                    if run == 1 && self.column > WIDTH && !key && inside {
                        self.line(indent);
                    } else {
                        self.put(&piece);
                    }
                }
                Class::Break => {
                    // A single break would be read as a blank.
                    self.text.push('\n');
                    self.text.push_str(&"\n".repeat(run - 1));
                    self.line(indent);
                }
                Class::Other => self.put(&piece.replace('\'', "''")),
            }
            at += run;
        }
        self.put("'");
    }

    fn double(&mut self, text: &str, indent: usize, key: bool) {
        self.put("\"");
        let chars: Vec<char> = text.chars().collect();
        for (at, &c) in chars.iter().enumerate() {
            let inside = at > 0 && at + 1 < chars.len() && !key;
            if c == ' ' && inside && self.column > WIDTH {
                self.put("\\");
                self.line(indent);
                self.put("\\ ");
                continue;
            }
            let escaped = match c {
                '"' => "\\\"".to_owned(),
                '\\' => "\\\\".to_owned(),
                '\0' => "\\0".to_owned(),
                '\u{7}' => "\\a".to_owned(),
                '\u{8}' => "\\b".to_owned(),
                '\t' => "\\t".to_owned(),
                '\n' => "\\n".to_owned(),
                '\u{b}' => "\\v".to_owned(),
                '\u{c}' => "\\f".to_owned(),
                '\r' => "\\r".to_owned(),
                '\u{1b}' => "\\e".to_owned(),
                '\u{85}' => "\\N".to_owned(),
                '\u{a0}' if !self.style.unicode => "\\_".to_owned(),
                '\u{2028}' => "\\L".to_owned(),
                '\u{2029}' => "\\P".to_owned(),
                c if (' '..='~').contains(&c) || (self.style.unicode && printable(c)) => c.to_string(),
                c if u32::from(c) <= 0xff => format!("\\x{:02X}", u32::from(c)),
                c if u32::from(c) <= 0xffff => format!("\\u{:04X}", u32::from(c)),
                c => format!("\\U{:08X}", u32::from(c)),
            };
            self.put(&escaped);
            // A line may also be folded after what is escaped.
            if escaped.len() != c.len_utf8() && inside && self.column > WIDTH {
                self.put("\\");
                self.line(indent);
                if chars.get(at + 1) == Some(&' ') {
                    self.put("\\");
                }
            }
        }
        self.put("\"");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    Break,
    Other,
}

const fn class(c: char) -> Class {
    match c {
        ' ' => Class::Blank,
        c if is_break(c) => Class::Break,
        _ => Class::Other,
    }
}

const fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

const fn printable(c: char) -> bool {
    matches!(c, '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10fffe}')
        && c != '\u{feff}'
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn yaml(data: Json) -> String {
        let style = Style {
            sort_keys: true,
            unicode: false,
        };
        dump(&data, style)
    }

    #[test]
    fn collections() {
        assert_eq!(
            yaml(json!({"b": [1, null, true], "a": {"z": "text", "y": "5", "q": "it's"}})),
            "a:\n  q: it's\n  y: '5'\n  z: text\nb:\n- 1\n- null\n- true\n"
        );
        assert_eq!(
            yaml(json!([{"a": 1, "b": [[1, 2], []]}, {}])),
            "- a: 1\n  b:\n  - - 1\n    - 2\n  - []\n- {}\n"
        );
        assert_eq!(yaml(json!("x")), "x\n");
    }

    #[test]
    fn quotes_where_needed() {
        for (text, want) in [
            ("yes", "'yes'"),
            ("0644", "'0644'"),
            ("1.5", "'1.5'"),
            ("2024-01-02", "'2024-01-02'"),
            ("a: b", "'a: b'"),
            ("a #b", "'a #b'"),
            ("a#b:c", "a#b:c"),
            ("- x", "'- x'"),
            ("-x", "-x"),
            ("*", "'*'"),
            (" x", "' x'"),
            ("", "''"),
            ("it's: x", "'it''s: x'"),
            ("a\nb\n", "'a\n\n  b\n\n  '"),
            ("a \nb", "\"a \\nb\""),
            ("tab\t", "\"tab\\t\""),
            ("é", "\"\\xE9\""),
            ("1e3", "1e3"),
        ] {
            assert_eq!(yaml(json!({"k": text})), format!("k: {want}\n"), "{text:?}");
        }
    }

    #[test]
    fn long_lines_are_folded() {
        let long = "word ".repeat(20);
        let folded = yaml(json!({"k": long.trim_end()}));
        let accents = yaml(json!({"k": "é ".repeat(20).trim_end()}));
        let head = "\\xE9 ".repeat(16);
        let tail = "\\xE9 ".repeat(4);
        assert_eq!(
            accents,
            format!("k: \"{}\\\n  \\ {}\"\n", head.trim_end(), tail.trim_end())
        );
        assert_eq!(
            folded,
            format!(
                "k: {}\n  {}\n",
                "word ".repeat(16).trim_end(),
                "word ".repeat(4).trim_end()
            )
        );
    }
}
