//! Names of members: which to take, under which name, and which must never be taken.

use std::io;

use proto::question::Unpack;

use super::odd;

/// What to take of an archive.
#[derive(Debug)]
pub(super) struct Picker {
    strip: usize,
    members: Vec<String>,
}

impl Picker {
    pub(super) fn new(ask: &Unpack) -> Self {
        Self {
            strip: ask.strip as usize,
            members: ask
                .members
                .iter()
                .map(|name| name.trim_start_matches("./").trim_end_matches('/').to_owned())
                .collect(),
        }
    }

    /// A member's name below the target; `None` when it is not to be taken.
    ///
    /// # Errors
    /// The name is absolute, leads outside, or is no text.
    pub(super) fn name(&self, raw: &[u8]) -> io::Result<Option<String>> {
        let text = std::str::from_utf8(raw).map_err(|_| {
            odd(format!(
                "the member name {:?} is not valid UTF-8",
                String::from_utf8_lossy(raw)
            ))
        })?;
        if text.starts_with('/') {
            return Err(odd(format!("the member {text} has an absolute name")));
        }
        let parts: Vec<&str> = text
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        if parts.contains(&"..") || text.contains('\0') {
            return Err(odd(format!("the member {text} leads outside of the archive")));
        }
        let whole = parts.join("/");
        let taken = self.members.is_empty()
            || self.members.iter().any(|member| {
                whole == *member
                    || whole
                        .strip_prefix(member)
                        .is_some_and(|rest| rest.starts_with('/'))
            });
        let rest = parts.get(self.strip..).unwrap_or_default();
        Ok((taken && !rest.is_empty()).then(|| rest.join("/")))
    }

    /// Refuses a symbolic link at `name` that leads outside of the archive.
    pub(super) fn link(&self, name: &str, to: &str) -> io::Result<()> {
        let out = || {
            Err(odd(format!(
                "the link {name} points outside of the archive, to {to}"
            )))
        };
        if to.starts_with('/') {
            return out();
        }
        // Depth of the directory the link is in, below the target.
        let mut depth = name.split('/').count() as i64 - 1;
        for part in to.split('/') {
            match part {
                "" | "." => {}
                ".." => depth -= 1,
                _ => depth += 1,
            }
            if depth < 0 {
                return out();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stripped_and_checked() {
        let picker = Picker {
            strip: 1,
            members: vec!["a/b".to_owned()],
        };
        assert_eq!(picker.name(b"./a/b/c").expect("fine"), Some("b/c".to_owned()));
        assert_eq!(picker.name(b"a/bc").expect("fine"), None);
        assert_eq!(picker.name(b"a").expect("fine"), None);
        for bad in [&b"/a"[..], b"a/../b", b"..", b"a/\xff"] {
            assert!(picker.name(bad).is_err());
        }
        assert!(picker.link("a/l", "../b").is_ok());
        assert!(picker.link("l", "../b").is_err());
        assert!(picker.link("a/l", "x/../../../b").is_err());
    }
}
