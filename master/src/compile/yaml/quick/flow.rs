//! Lists and mappings in brackets.

use super::{DEPTH, KEY, Node, Quick, Value, construct, distinct};

impl Quick<'_> {
    pub(super) fn flow(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH {
            return None;
        }
        let at = self.mark();
        let list = self.byte(0) == b'[';
        let close = if list { b']' } else { b'}' };
        self.at += 1;
        self.blanks();
        let mut items = Vec::new();
        let mut entries = Vec::new();
        if self.byte(0) == close {
            self.at += 1;
        } else {
            loop {
                let one = self.flow_value(depth + 1)?;
                if list {
                    items.push(one);
                } else {
                    let scalar = !matches!(one.value, Value::List(_) | Value::Map(_));
                    if !scalar || self.column() > KEY || self.byte(0) != b':' || self.byte(1) != b' ' {
                        return None;
                    }
                    self.at += 2;
                    self.blanks();
                    entries.push((one, self.flow_value(depth + 1)?));
                }
                self.blanks();
                let next = self.byte(0);
                self.at += 1;
                if next == close {
                    break;
                }
                if next != b',' {
                    return None;
                }
                self.blanks();
            }
        }
        let value = if list {
            Value::List(items)
        } else {
            distinct(&entries).ok()?;
            Value::Map(entries)
        };
        Some(Node { value, at })
    }

    pub(super) fn flow_value(&mut self, depth: usize) -> Option<Node> {
        let at = self.mark();
        let value = match self.byte(0) {
            b'[' | b'{' => return self.flow(depth),
            b'"' | b'\'' => Value::Text(self.quoted()?),
            _ => {
                let rest = self.bytes.get(self.at..)?;
                let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./+~-".contains(byte);
                let begins = match rest {
                    [b'-', next, ..] => next.is_ascii_alphanumeric() || *next == b'.',
                    [first, ..] => word(first),
                    [] => false,
                };
                if !begins {
                    return None;
                }
                let mut end = 1;
                while let Some(byte) = rest.get(end) {
                    let more = match byte {
                        b' ' | b':' => rest.get(end + 1).is_some_and(word),
                        b'@' | b'%' | b'=' => true,
                        byte => word(byte),
                    };
                    if !more {
                        break;
                    }
                    end += 1;
                }
                let text = self.text.get(self.at..self.at + end)?;
                self.at += end;
                construct(text.to_owned(), None, true).ok()?
            }
        };
        Some(Node { value, at })
    }
}
