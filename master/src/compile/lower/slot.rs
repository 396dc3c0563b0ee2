//! `__slot__:salt:mod.fun(args).path ~ text` in arguments: read here, asked of the host just before the call.
//!
//! Salt looks at an argument's text, at the members of a list or mapping, and at the members of mappings in a list. What
//! is no call stays the text it is.

use std::collections::BTreeMap;

use proto::question::Call;
use proto::{Args, Slot};
use serde_json::Value as Json;

const MARK: &str = "__slot__:";

/// The slots of all arguments.
pub(super) fn slots(args: &Args, name: &Json) -> Vec<Slot> {
    let mut found = Vec::new();
    let mut look = |at: String, value: &Json| {
        let slot = value
            .as_str()
            .and_then(|text| text.strip_prefix(MARK))
            .and_then(read);
        found.extend(slot.map(|slot| Slot { at, ..slot }));
    };
    look("/name".to_owned(), name);
    for (key, value) in args {
        let key = escaped(key);
        match value {
            Json::Object(map) => map
                .iter()
                .for_each(|(inner, value)| look(format!("/{key}/{}", escaped(inner)), value)),
            Json::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    look(format!("/{key}/{place}"), item);
                    for (inner, value) in item.as_object().into_iter().flatten() {
                        look(format!("/{key}/{place}/{}", escaped(inner)), value);
                    }
                }
            }
            value => look(format!("/{key}"), value),
        }
    }
    found
}

/// A key as a JSON pointer has it.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Reads what stands behind the mark.
fn read(text: &str) -> Option<Slot> {
    let text = text.strip_prefix("salt:")?;
    let call = call(text)?;
    let mut parts = text.splitn(2, '~');
    let (head, more) = (parts.next().unwrap_or_default(), parts.next());
    let path = head
        .rsplit_once(')')
        .and_then(|(_, path)| path.split_once('.'))
        .map(|(_, path)| path.trim().to_owned());
    let append = more.map(|more| {
        let more = more.trim();
        let quoted = ['"', '\'']
            .into_iter()
            .find_map(|quote| more.strip_prefix(quote)?.strip_suffix(quote));
        quoted.unwrap_or(more).to_owned()
    });
    Some(Slot {
        at: String::new(),
        call,
        path,
        append,
    })
}

/// `mod.fun(arg, kw=arg)`: every argument is text; blanks outside quotes do not count.
fn call(text: &str) -> Option<Call> {
    let mut tokens = tokens(text)?.into_iter();
    let mut fun = String::new();
    loop {
        match tokens.next()? {
            Token::Mark('(') => break,
            token => token.push_to(&mut fun),
        }
    }
    let mut args = Vec::new();
    let mut kwargs = BTreeMap::new();
    let (mut word, mut key, mut any) = (String::new(), None, false);
    let mut open: Vec<char> = Vec::new();
    loop {
        let token = tokens.next()?;
        match token {
            Token::Mark(mark @ (',' | ')')) if open.is_empty() => {
                let text = Json::String(std::mem::take(&mut word)).to_string();
                match key.take() {
                    Some(key) => _ = kwargs.insert(key, text),
                    None if any => args.push(text),
                    None => {}
                }
                any = false;
                if mark == ')' {
                    return (!fun.is_empty()).then_some(Call { fun, args, kwargs });
                }
                continue;
            }
            Token::Mark('=') if open.is_empty() => {
                key = Some(std::mem::take(&mut word));
                continue;
            }
            Token::Mark('(') => open.push(')'),
            Token::Mark('[') => open.push(']'),
            Token::Mark('{') => open.push('}'),
            Token::Mark(mark @ (')' | ']' | '}')) if open.pop() != Some(mark) => return None,
            _ => {}
        }
        any = true;
        token.push_to(&mut word);
    }
}

enum Token {
    Word(String),
    Mark(char),
}

impl Token {
    fn push_to(&self, word: &mut String) {
        match self {
            Self::Word(text) => word.push_str(text),
            Self::Mark(mark) => word.push(*mark),
        }
    }
}

/// Words, quoted texts and single marks, as a shell would split them; `None` when a quote is left open.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(next) = chars.next() {
        match next {
            '"' | '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        end if end == next => break,
                        '\\' => match chars.next()? {
                            escaped if escaped == next || escaped == '\\' => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        inside => word.push(inside),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '#' => break,
            plain if plain.is_alphanumeric() || plain == '_' => word.get_or_insert_default().push(plain),
            mark => {
                found.extend(word.take().map(Token::Word));
                if !mark.is_whitespace() {
                    found.push(Token::Mark(mark));
                }
            }
        }
    }
    found.extend(word.map(Token::Word));
    Some(found)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(text: &str) -> String {
        let Some(slot) = read(text) else {
            return "no slot".to_owned();
        };
        let kwargs: Vec<String> = slot
            .call
            .kwargs
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        format!(
            "{} {} {} {:?} {:?}",
            slot.call.fun,
            slot.call.args.join(","),
            kwargs.join(","),
            slot.path,
            slot.append
        )
    }

    #[test]
    fn reads_calls_as_salt_does() {
        for (text, want) in [
            ("salt:test.echo(a b)", r#"test.echo "ab"  None None"#),
            ("salt:test.echo('a b')", r#"test.echo "a b"  None None"#),
            (
                "salt:test.arg(x, k='v w').kwargs.k ~ /end",
                r#"test.arg "x" k="v w" Some("kwargs.k") Some("/end")"#,
            ),
            (
                r#"salt:test.echo("a,b") ~ " c ""#,
                r#"test.echo "a,b"  None Some(" c ")"#,
            ),
            (
                "salt:test.arg([1, 2], {a})",
                r#"test.arg "[1,2]","{a}"  None None"#,
            ),
            ("salt:test.ping()", "test.ping   None None"),
            ("salt:test.echo(x", "no slot"),
            ("salt:test.echo([x)", "no slot"),
            ("salt:test.echo", "no slot"),
            ("pillar:x(y)", "no slot"),
        ] {
            assert_eq!(shown(text), want, "{text}");
        }
    }

    #[test]
    fn looks_one_level_deep() {
        let slot = "__slot__:salt:test.ping()";
        let args =
            json!({"a": slot, "b": [slot, {"c/d": slot}, [slot]], "e": {"f": slot, "g": [slot]}, "h": "x"});
        let found = slots(args.as_object().expect("a mapping"), &json!(slot));
        let at: Vec<&str> = found.iter().map(|slot| slot.at.as_str()).collect();
        assert_eq!(at, ["/name", "/a", "/b/0", "/b/1/c~1d", "/e/f"]);
    }
}
