//! A password from the roster: kept out of every output.

use std::fmt;
use std::hint::black_box;

/// A secret text without `Display` and `Serialize`; overwritten when dropped (requirements P2, P3).
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        Self(text.into_bytes())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.fill(0);
        black_box(&self.0);
    }
}
