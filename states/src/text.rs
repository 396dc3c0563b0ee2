//! Text as Salt shows it: unified diffs, and what counts as text.

/// Salt's diff of two texts: difflib's unified diff with bare `--- ` and `+++ ` headers, lines kept as they are, so a
/// missing newline at the end makes lines run together as Salt's do.
pub fn diff(before: &str, after: &str) -> String {
    let before: Vec<&str> = before.split_inclusive('\n').collect();
    let after: Vec<&str> = after.split_inclusive('\n').collect();
    difflib::unified_diff(&before, &after, "", "", "", "", 3)
        .into_iter()
        .map(|line| match line.as_str() {
            // The crate writes a tab before the (empty) date, Python does not.
            header if header.starts_with("--- ") && header.trim_end() == "---" => "--- \n".to_owned(),
            header if header.starts_with("+++ ") && header.trim_end() == "+++" => "+++ \n".to_owned(),
            _ => line,
        })
        .collect()
}

/// The bytes as text, unless they are binary as Salt tells it: a NUL in them, or not UTF-8.
pub fn as_text(bytes: &[u8]) -> Option<&str> {
    if bytes.contains(&0) {
        None
    } else {
        std::str::from_utf8(bytes).ok()
    }
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
}
