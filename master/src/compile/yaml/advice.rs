//! The way out of what libyaml complains about.

/// What to do about a problem, from its message and the line it is on.
pub(super) fn help(message: &str, line: &str, column: u32) -> Option<String> {
    let at = usize::try_from(column).unwrap_or(usize::MAX).saturating_sub(1);
    let here = line.chars().nth(at);
    let says = |part: &str| message.contains(part);
    let text = if says("cannot start any token") && (here == Some('\t') || line.starts_with('\t')) {
        "indent with blanks: YAML takes no tabs"
    } else if says("cannot start any token") {
        "write the text in quotes"
    } else if says("mapping values are not allowed") {
        "a text with `: ` in it needs quotes; or the line before lacks its `:`"
    } else if says("found conflicting ID") {
        "a key stands once: take one out, or put their contents together"
    } else if says("unexpected end of stream") {
        "close the quote"
    } else if says("did not find expected ',' or") {
        "close the bracket, and put a comma between its members"
    } else if says("did not find expected key") || says("did not find expected '-' indicator") {
        "members of one list or mapping stand in the same column; a text that goes on behind a quote needs quotes around all of it"
    } else if says("could not find expected ':'") {
        "a key needs its `:`"
    } else if says("undefined alias") {
        "an alias `*name` needs an anchor `&name` before it; a text that begins with `*` needs quotes"
    } else if says("while scanning an alias") {
        "a text that begins with `*` needs quotes, such as '*'"
    } else if says("could not determine a constructor") {
        "take the tag out: only YAML's own are understood"
    } else if says("expected a single document") {
        "take `---` out: a file holds one document"
    } else if says("unknown escape character") {
        "write it in single quotes, where a backslash is a backslash"
    } else if says("control characters") {
        "take the character out, or write it as \\x.. in double quotes"
    } else {
        return None;
    };
    Some(text.to_owned())
}
