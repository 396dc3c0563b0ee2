//! Passwords and passphrases: kept in memory that is wiped, shown nowhere (P2).

use std::str::Utf8Error;

use russh::CryptoVec;

/// A secret text. It has no `Display` and no `Serialize`; its memory is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(CryptoVec);

impl Secret {
    /// Takes a secret over. The caller's own copy is the caller's to wipe.
    pub fn new(text: &str) -> Self {
        let mut bytes = CryptoVec::new();
        bytes.extend(text.as_bytes());
        Self(bytes)
    }

    /// The text itself, for the one call that needs it.
    ///
    /// # Errors
    /// Never for a value made by [`Secret::new`].
    pub fn expose(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_eq!(secret.expose(), Ok("hunter2"));
    }
}
