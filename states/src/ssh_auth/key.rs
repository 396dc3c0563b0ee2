//! One line of authorized_keys.

use proto::Args;

use crate::{ArgsExt, Stop};

/// A key that may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// What stands before it, commas and all.
    pub(super) options: String,
    /// Its type.
    pub(super) enc: String,
    /// The key itself, in base64.
    pub(super) key: String,
    /// The remark after it.
    pub(super) comment: String,
}

/// Salt's short names, and every type that OpenSSH takes.
const TYPES: &[(&str, &[&str])] = &[
    ("ssh-rsa", &["r", "rsa", "ssh-rsa"]),
    ("ssh-dss", &["d", "dsa", "dss", "ssh-dss"]),
    ("ecdsa-sha2-nistp256", &["e", "ecdsa", "ecdsa-sha2-nistp256"]),
    ("ssh-ed25519", &["ed25519", "ssh-ed25519"]),
];
const OTHERS: &[&str] = &[
    "ecdsa-sha2-nistp521",
    "ecdsa-sha2-nistp384",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
    "ssh-rsa-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ssh-ed25519-cert-v01@openssh.com",
    "sk-ssh-ed25519@openssh.com",
    "sk-ssh-ed25519-cert-v01@openssh.com",
];

impl Key {
    /// The key a state speaks of: bare or with options, type and remark, which then win over the arguments.
    ///
    /// # Errors
    /// [`Stop::Failed`] with Salt's comment for an unknown type or what is no key.
    pub(super) fn declared(text: &str, args: &Args) -> Result<Self, Stop> {
        let mut key = Self::split(text).unwrap_or_else(|| {
            let (key, comment) = text
                .trim()
                .split_once(char::is_whitespace)
                .unwrap_or((text.trim(), ""));
            Self {
                options: String::new(),
                enc: args.text("enc").unwrap_or_else(|| "ssh-rsa".to_owned()),
                key: key.to_owned(),
                comment: comment.trim().to_owned(),
            }
        });
        if key.options.is_empty() {
            key.options = args.texts("options").join(",");
        }
        if key.comment.is_empty() {
            key.comment = args.text("comment").unwrap_or_default().trim().to_owned();
        }
        key.enc = known(&key.enc)?.to_owned();
        let lines = |text: &str| text.contains(['\n', '\r', '\0']);
        if !base64(&key.key) || lines(&key.options) || lines(&key.comment) {
            return Err(Stop::failed(
                "Invalid public ssh key, most likely has spaces or invalid syntax",
            ));
        }
        Ok(key)
    }

    /// The key of a line; `None` for comments and what is no key.
    pub(super) fn of_line(line: &str) -> Option<Self> {
        let line = line.trim();
        if line.starts_with('#') {
            return None;
        }
        Self::split(line).filter(|key| base64(&key.key))
    }

    /// `[options] type key [comment]`.
    fn split(text: &str) -> Option<Self> {
        let (first, rest) = word(text)?;
        let (options, enc, rest) = if is_type(first) {
            ("", first, rest)
        } else {
            let (second, rest) = word(rest)?;
            is_type(second).then_some((first, second, rest))?
        };
        let (key, comment) = word(rest)?;
        Some(Self {
            options: options.to_owned(),
            enc: enc.to_owned(),
            key: key.to_owned(),
            comment: comment.split_whitespace().collect::<Vec<_>>().join(" "),
        })
    }

    /// The line without its end.
    pub(super) fn line(&self) -> String {
        let parts = [&self.options, &self.enc, &self.key, &self.comment];
        let parts = parts.iter().filter(|part| !part.is_empty());
        parts.map(|part| part.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// The first word, blanks inside quotes not counting, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let mut quoted = false;
    let mut escaped = false;
    let end = text.find(|c: char| {
        let ends = c.is_whitespace() && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (!word.is_empty()).then(|| (word, rest.trim_start()))
}

fn is_type(word: &str) -> bool {
    let bare = word.strip_prefix("sk-").unwrap_or(word);
    bare.starts_with("ssh-") || bare.starts_with("ecdsa-") || bare.starts_with("rsa-sha2-")
}

fn known(enc: &str) -> Result<&str, Stop> {
    let named = TYPES.iter().find(|(_, names)| names.contains(&enc));
    named
        .map(|(full, _)| *full)
        .or_else(|| OTHERS.contains(&enc).then_some(enc))
        .ok_or_else(|| Stop::Failed(format!("Incorrect encryption key type '{enc}'.")))
}

fn base64(text: &str) -> bool {
    let bare = text.trim_end_matches('=');
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    !bare.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - bare.len() <= 2
        && bare.chars().all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_every_form() {
        let key = Key::of_line("ssh-ed25519 AAAA  me  at home\n").expect("a key");
        assert_eq!(
            (key.enc.as_str(), key.comment.as_str()),
            ("ssh-ed25519", "me at home")
        );
        let text = r#"command="ssh-keygen \"x y\" -l",no-pty ssh-rsa AAAA"#;
        let key = Key::of_line(text).expect("a key");
        assert_eq!((key.key.as_str(), key.line().as_str()), ("AAAA", text));
        for bad in ["# ssh-rsa AAAA", "ssh-rsa", "ssh-rsa AAA", "a b ssh-rsa AAAA", ""] {
            assert_eq!(Key::of_line(bad), None, "{bad}");
        }
    }
}
