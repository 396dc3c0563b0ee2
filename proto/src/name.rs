//! Names that are parsed once at the edge and then trusted.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A host's name as the roster gives it: `[a-z0-9]([a-z0-9.-]*[a-z0-9])?`, at most 253 bytes (T3).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MinionId(String);

/// A name that breaks the rule of [`MinionId`].
#[derive(Debug, thiserror::Error)]
#[error(
    "host name {0:?} is not allowed: lower-case letters, digits, '.' and '-' only, beginning and ending with a letter or digit"
)]
pub struct NameError(String);

impl MinionId {
    /// Checks `text` against the rule.
    ///
    /// # Errors
    /// [`NameError`] names the offending text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let edge = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let bytes = text.as_bytes();
        let fine = bytes.len() <= 253
            && bytes.first().copied().is_some_and(edge)
            && bytes.last().copied().is_some_and(edge)
            && bytes.iter().all(|&c| edge(c) || c == b'.' || c == b'-');
        if fine {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(text.chars().take(80).collect()))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MinionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MinionId {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<MinionId> for String {
    fn from(id: MinionId) -> Self {
        id.0
    }
}

/// Salt's four-part identity of a low chunk; prints as `state_|-id_|-name_|-fun`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ChunkId {
    /// State module, such as `file`.
    pub state: String,
    /// The id the user declared.
    pub id: String,
    /// The `name` argument.
    pub name: String,
    /// Function of the module, such as `managed`.
    pub fun: String,
}

impl ChunkId {
    /// `file.managed`.
    pub fn function(&self) -> String {
        format!("{}.{}", self.state, self.fun)
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_|-{}_|-{}_|-{}", self.state, self.id, self.name, self.fun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rule() {
        for good in ["web1", "a", "db-2.example.org", "0x"] {
            assert!(MinionId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a b",
            "../x",
            "a/b",
            "-oProxyCommand=x",
            &"a".repeat(254),
        ] {
            assert!(MinionId::parse(bad).is_err(), "{bad}");
        }
    }
}
