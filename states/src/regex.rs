//! Python's regular expressions, replacement texts and file name patterns on top of `fancy_regex`.

use fancy_regex::{Captures, Regex, RegexBuilder};

use crate::Stop;

/// Flags of Python's `re` that the file states use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// `re.IGNORECASE`.
    pub(crate) ignorecase: bool,
    /// `re.MULTILINE`.
    pub(crate) multiline: bool,
    /// `re.DOTALL`.
    pub(crate) dotall: bool,
}

impl Flags {
    /// From Salt's `flags`: a number (8 is MULTILINE) or a list of names.
    pub(crate) fn of(args: &proto::Args, default: Self) -> Self {
        use crate::ArgsExt;
        let Some(given) = args.any("flags") else {
            return default;
        };
        if let Some(bits) = given.as_u64() {
            return Self {
                ignorecase: bits & 2 != 0,
                multiline: bits & 8 != 0,
                dotall: bits & 16 != 0,
            };
        }
        let names = args.texts("flags");
        let has = |name: &str| names.iter().any(|given| given.eq_ignore_ascii_case(name));
        Self {
            ignorecase: has("IGNORECASE") || has("I"),
            multiline: has("MULTILINE") || has("M"),
            dotall: has("DOTALL") || has("S"),
        }
    }
}

/// A pattern compiled with Python's meaning.
///
/// # Errors
/// [`Stop::Failed`] with the pattern and what is wrong with it.
pub(crate) fn compile(pattern: &str, flags: Flags) -> Result<Regex, Stop> {
    let wrong = |why: String| Stop::Failed(format!("invalid regular expression {pattern:?}: {why}"));
    RegexBuilder::new(&translate(pattern, flags.multiline))
        .case_insensitive(flags.ignorecase)
        .multi_line(flags.multiline)
        .dot_matches_new_line(flags.dotall)
        .build()
        .map_err(|why| wrong(why.to_string()))
}

/// Whether the pattern matches anywhere.
///
/// # Errors
/// [`Stop::Failed`] when matching takes too many steps.
pub(crate) fn found(regex: &Regex, text: &str) -> Result<bool, Stop> {
    regex.is_match(text).map_err(|why| Stop::Failed(why.to_string()))
}

/// Replaces up to `count` matches (all when 0) and tells how many there were.
///
/// # Errors
/// [`Stop::Failed`] when matching takes too many steps, or the replacement names a group there is not.
pub(crate) fn substitute(
    regex: &Regex,
    text: &str,
    replacement: &str,
    count: usize,
) -> Result<(String, usize), Stop> {
    let mut out = String::with_capacity(text.len());
    let (mut copied, mut done) = (0, 0);
    for found in regex.captures_iter(text) {
        let found = found.map_err(|why| Stop::Failed(why.to_string()))?;
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[copied..whole.start()]);
        out.push_str(&expand(&found, replacement)?);
        copied = whole.end();
        done += 1;
        if done == count {
            break;
        }
    }
    out.push_str(&text[copied..]);
    Ok((out, done))
}

/// A replacement text with its escapes: `\1`, `\g<1>`, `\g<name>`, `\n`, `\t`, `\\`.
fn expand(found: &Captures<'_, str>, replacement: &str) -> Result<String, Stop> {
    let mut out = String::new();
    let mut rest = replacement.chars().peekable();
    let group = |found: &Captures<'_, str>, name: &str| {
        let group = match name.parse::<usize>() {
            Ok(number) if number < found.len() => found.get(number),
            Ok(_) => return Err(Stop::Failed(format!("invalid group reference {name}"))),
            Err(_) => found.name(name),
        };
        Ok(group.map_or(String::new(), |group| group.as_str().to_owned()))
    };
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match rest.next() {
            None => out.push('\\'),
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\u{7}'),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some('v') => out.push('\u{b}'),
            Some('g') if rest.peek() == Some(&'<') => {
                rest.next();
                let name: String = rest.by_ref().take_while(|c| *c != '>').collect();
                out.push_str(&group(found, &name)?);
            }
            Some(digit) if digit.is_ascii_digit() => {
                let mut name = digit.to_string();
                if let Some(second) = rest.peek().filter(|c| c.is_ascii_digit()) {
                    name.push(*second);
                    rest.next();
                }
                out.push_str(&group(found, &name)?);
            }
            Some('\\') => out.push('\\'),
            Some(other) if other.is_ascii_alphabetic() => {
                return Err(Stop::Failed(format!("bad escape \\{other} in {replacement:?}")));
            }
            Some(other) => out.extend(['\\', other]),
        }
    }
    Ok(out)
}

/// What Python reads otherwise than we do: literal braces, brackets and `&&` inside classes, `\Z`, and `$` that also
/// stands before a final newline.
fn translate(pattern: &str, multiline: bool) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut in_class = false;
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '\\' => {
                let next = chars.get(at).copied();
                at += 1;
                match next {
                    Some('Z') if !in_class => out.push_str(r"\z"),
                    Some(
                        c @ ('"' | '\'' | '/' | ',' | ':' | ';' | '=' | '!' | '@' | '%' | '`' | '_' | '<'
                        | '>'),
                    ) => {
                        out.push(c);
                    }
                    Some(c) => out.extend(['\\', c]),
                    None => out.push('\\'),
                }
            }
            '[' if in_class => out.push_str(r"\["),
            '[' => {
                in_class = true;
                out.push('[');
                if chars.get(at) == Some(&'^') {
                    out.push('^');
                    at += 1;
                }
                if chars.get(at) == Some(&']') {
                    out.push_str(r"\]");
                    at += 1;
                }
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => out.extend(['\\', c]),
            '{' if !in_class && !is_repeat(&chars[at..]) => out.push_str(r"\{"),
            '$' if !in_class && !multiline => out.push_str(r"(?=\n?\z)"),
            c => out.push(c),
        }
    }
    out
}

/// Whether `{` is followed by what makes it a repetition.
fn is_repeat(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|c| *c == '}') else {
        return false;
    };
    let inside = &rest[..end];
    inside.iter().any(char::is_ascii_digit)
        && inside.iter().all(|c| c.is_ascii_digit() || *c == ',')
        && inside.iter().filter(|c| **c == ',').count() <= 1
}

/// A text as a pattern that matches just it.
pub(crate) fn escape(text: &str) -> String {
    fancy_regex::escape(text).into_owned()
}

/// A shell pattern as Python's `fnmatch` reads it: `*` also crosses slashes.
pub fn glob(pattern: &str, path: &str) -> bool {
    let mut regex = String::from("(?s)^");
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        at += 1;
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '[' => {
                let from = at + usize::from(matches!(chars.get(at), Some('!')));
                let end = chars
                    .iter()
                    .skip(from + 1)
                    .position(|c| *c == ']')
                    .map(|n| from + 1 + n);
                let Some(end) = end else {
                    regex.push_str(r"\[");
                    continue;
                };
                regex.push('[');
                if from > at {
                    regex.push('^');
                }
                for &c in &chars[from..end] {
                    if matches!(c, '\\' | '[' | ']' | '^' | '&' | '~') {
                        regex.push('\\');
                    }
                    regex.push(c);
                }
                regex.push(']');
                at = end + 1;
            }
            c => regex.push_str(&escape(&c.to_string())),
        }
    }
    regex.push_str(r"\z");
    Regex::new(&regex).is_ok_and(|regex| regex.is_match(path).unwrap_or(false))
}

/// Salt's `include_pat` and `exclude_pat`: shell patterns, or regular expressions behind `E@`.
pub(crate) fn selected(path: &str, include: &[String], exclude: &[String]) -> Result<bool, Stop> {
    let matches = |patterns: &[String]| -> Result<bool, Stop> {
        for pattern in patterns {
            let hit = match pattern.strip_prefix("E@") {
                Some(regex) => found(&compile(regex, Flags::default())?, path)?,
                None => glob(pattern, path),
            };
            if hit {
                return Ok(true);
            }
        }
        Ok(false)
    };
    Ok((include.is_empty() || matches(include)?) && !matches(exclude)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sub(pattern: &str, repl: &str, text: &str) -> String {
        let flags = Flags {
            multiline: true,
            ..Flags::default()
        };
        let regex = compile(pattern, flags).expect(pattern);
        substitute(&regex, text, repl, 0).expect(repl).0
    }

    #[test]
    fn as_python_replaces() {
        for (pattern, repl, text, want) in [
            (r"^([ab])=1$", r"\1=2", "a=1\nc=1\n", "a=2\nc=1\n"),
            (r"(?P<k>x)=\d+", r"\g<k>=\\n\n", "x=12", "x=\\n\n"),
            ("{% if", "X", "{% if y", "X y"),
            (r"[[]a[]]", "b", "[a]", "b"),
            (r"a{2}", "b", "caat", "cbt"),
            (r"\<tag\>", "b", "<tag>", "b"),
            (r"(?<=a)b(?!c)", "X", "abc ab", "abc aX"),
            (r"[]&]", "-", "a&b]", "a-b-"),
        ] {
            assert_eq!(sub(pattern, repl, text), want, "{pattern}");
        }
        assert!(compile("(", Flags::default()).is_err());
    }

    #[test]
    fn dollar_stands_before_the_last_newline() {
        let regex = compile("b$", Flags::default()).expect("compiles");
        assert_eq!(found(&regex, "a b\n"), Ok(true));
        assert_eq!(found(&regex, "b\na"), Ok(false));
    }

    #[test]
    fn globs_cross_slashes() {
        assert!(glob("*.bak", "a/b.bak"));
        assert!(glob("[!a]?", "bc"));
        assert!(!glob("[!a]?", "ac"));
        assert!(!glob("a", "ab"));
        let keep = ["E@^sub/".to_owned()];
        assert_eq!(selected("sub/x", &[], &keep), Ok(false));
        assert_eq!(selected("x", &[], &keep), Ok(true));
        assert_eq!(selected("x", &["y*".to_owned()], &[]), Ok(false));
    }
}
