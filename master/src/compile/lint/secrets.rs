//! Secrets that stand in the tree as they are.
//!
//! Lines are looked at, not documents, so that nothing has to render: a key that speaks of a secret, and behind it a plain
//! text. What a template makes, what is encrypted, hashes of passwords and files by their path are none. The excerpt of a
//! problem gives no secret away.

use std::sync::LazyLock;

use regex::Regex;

use super::files::written;
use crate::compile::diagnostic::Diagnostic;
use crate::compile::files::Files;

/// A key that speaks of a secret, and the text behind it on its line.
static KEY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r"[\w.-]*(?:password|passwd|passphrase|secret|secret_key|access_key|api_key|apikey|token|private_key)";
    Regex::new(&format!(r#"(?i)(?:^|[\s{{,])["']?({name})["']?:\s+([^\s#].*)$"#)).ok()
});

/// Texts that are no secret: numbers of another meaning, words for "none".
const NONE: [&str; 14] = [
    "", "~", "null", "none", "true", "false", "yes", "no", "on", "off", "*", "!", "!!", "…",
];

/// A warning for each.
pub(super) fn told(files: &Files) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for full in written(files) {
        let Some(text) = files.text_at(&full) else {
            continue;
        };
        let mut lines = (1u32..).zip(text.lines()).peekable();
        while let Some((number, line)) = lines.next() {
            let Some((key, at)) = KEY
                .as_ref()
                .and_then(|key| secret(key, line, lines.peek().map(|next| next.1)))
            else {
                continue;
            };
            let column = line.get(..at).unwrap_or_default().chars().count() + 1;
            found.push(
                Diagnostic::warning(format!("`{key}` stands here for everybody to read"))
                    .coded("plain-secret")
                    .in_file(full.as_str())
                    .at(number, u32::try_from(column).unwrap_or(1))
                    .with_source(&text)
                    .with_help(
                        "encrypt it (`#!yaml|gpg`, `#!yaml|age`), or take it from `sdb` or an `ext_pillar`",
                    ),
            );
        }
    }
    found
}

/// The key of a line that holds a secret as it is, and where in the line it stands.
fn secret<'l>(pattern: &Regex, line: &'l str, next: Option<&str>) -> Option<(&'l str, usize)> {
    if line.trim_start().starts_with(['#', '{']) && !line.trim_start().starts_with("{{") {
        return None;
    }
    let found = pattern.captures(line)?;
    let (key, value) = (found.get(1)?, found.get(2)?.as_str());
    let before = line.get(..key.start())?;
    if before.contains(" #") || before.contains("{%") {
        return None;
    }
    // Inside `{ … }` the text ends at the comma.
    let value = match before.contains('{') {
        true => value.split([',', '}']).next().unwrap_or_default(),
        false => value.split(" #").next().unwrap_or_default(),
    };
    let value = value.trim();
    if let Some(style) = value.strip_prefix(['|', '>']) {
        let block = style.len() < 3 && next.is_some_and(|next| next.contains("PRIVATE KEY"));
        return block.then_some((key.as_str(), key.start()));
    }
    let bare = value.trim_matches(['"', '\'']);
    let low = bare.to_lowercase();
    let made = bare.contains("{{") || bare.contains("{%");
    // References, tags, hashes, paths, addresses of what holds it.
    let other = value.starts_with(['&', '*', '[', '{', '!', '%', '@'])
        || bare.starts_with(['$', '/'])
        || bare.contains("://")
        || low.starts_with("__slot__");
    (!made && !other && !NONE.contains(&low.as_str())).then_some((key.as_str(), key.start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_from_what_only_speaks_of_them() {
        let key = KEY.as_ref().expect("a pattern");
        let found = |line| secret(key, line, None).map(|(key, _)| key);
        for (line, want) in [
            ("    - password: hunter2", "password"),
            ("db_password: 'hunter 2'  # why", "db_password"),
            ("mysql: { user: x, password: hunter2, port: 1 }", "password"),
            ("API_TOKEN: abcdef", "API_TOKEN"),
            ("aws.secret_key: abc", "aws.secret_key"),
        ] {
            assert_eq!(found(line), Some(want), "{line}");
        }
        for line in [
            "password: {{ pillar['x'] }}",
            "# password: hunter2",
            "x: 1 # password: hunter2",
            "password: $6$salt$hash",
            "password: '!'",
            "private_key: /etc/ssl/key.pem",
            "secret: sdb://vault/x",
            "password_file: x",
            "passwords:",
            "password:",
            "password: ''",
            "empty_password: True",
            "{% set password = 'x' %}",
            "password: [a, b]",
            "password: |",
        ] {
            assert_eq!(found(line), None, "{line}");
        }
        assert!(secret(key, "private_key: |", Some("  -----BEGIN RSA PRIVATE KEY-----")).is_some());
        assert!(secret(key, "private_key: |", Some("  -----BEGIN PGP MESSAGE-----")).is_none());
    }
}
