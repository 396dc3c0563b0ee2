//! Text as Salt shows it: unified diffs, and what counts as text.

/// Salt's diff of two texts: difflib's unified diff with bare `--- ` and `+++ ` headers, lines kept as they are, so a
/// missing newline at the end makes lines run together as Salt's do.
pub fn diff(before: &str, after: &str) -> String {
    let before: Vec<&str> = before.split_inclusive('\n').collect();
    let after: Vec<&str> = after.split_inclusive('\n').collect();
    difflib::unified_diff(&before, &after, "", "", "", "", 3)
        .into_iter()
        .enumerate()
        .map(|(at, line)| match at {
            // The crate writes a tab before the (empty) date, Python does not.
            0 => "--- \n".to_owned(),
            1 => "+++ \n".to_owned(),
            _ => line,
        })
        .collect()
}

/// A diff of lines without their ends, joined by newlines: headers carry one of their own, so a blank line follows each
/// of them, as in what `file.append` tells.
pub fn diff_of_lines(before: &[&str], after: &[&str]) -> String {
    let lines: Vec<String> = difflib::unified_diff(before, after, "", "", "", "", 3)
        .into_iter()
        .enumerate()
        .map(|(at, line)| match at {
            0 => "--- \n".to_owned(),
            1 => "+++ \n".to_owned(),
            _ => line,
        })
        .collect();
    lines.join("\n")
}

/// The bytes as text, unless they are binary as Salt tells it: a NUL in them, or not UTF-8.
pub fn as_text(bytes: &[u8]) -> Option<&str> {
    if bytes.contains(&0) {
        None
    } else {
        std::str::from_utf8(bytes).ok()
    }
}

/// What Salt shows for a change of contents: the diff, or a word that they are binary.
pub fn diff_of_bytes(before: &[u8], after: &[u8]) -> String {
    match (as_text(before), as_text(after)) {
        (Some(before), Some(after)) => diff(before, after),
        (None, None) => "Replace binary file".to_owned(),
        (None, Some(_)) => "Replace binary file with text file".to_owned(),
        (Some(_), None) => "Replace text file with binary file".to_owned(),
    }
}

/// The lines of a text without their ends, as Python's `str.splitlines` tells them.
pub fn splitlines(text: &str) -> Vec<&str> {
    let end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some((at, c)) = rest.char_indices().find(|(_, c)| end(*c)) else {
            lines.push(rest);
            break;
        };
        lines.push(&rest[..at]);
        rest = &rest[at + c.len_utf8()..];
        if c == '\r' {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diff_is_difflibs() {
        assert_eq!(
            diff("a\nb\nc\n", "a\nB\nc\n"),
            "--- \n+++ \n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n"
        );
        assert_eq!(diff("a", "b"), "--- \n+++ \n@@ -1 +1 @@\n-a+b");
    }

    #[test]
    fn lines_end_as_pythons_do() {
        assert_eq!(splitlines("a\r\nb\rc\n\nd"), ["a", "b", "c", "", "d"]);
        assert_eq!(splitlines("a\n"), ["a"]);
        assert!(splitlines("").is_empty());
    }
}
