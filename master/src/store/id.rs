//! Ids of runs: 26 characters that sort by time, as ULIDs do.
//!
//! 48 bits of milliseconds and 80 random bits in Crockford's base 32. Any unambiguous beginning is accepted where an
//! id is asked for; small letters and the look-alikes I, L and O are read as the alphabet means them.

use std::fmt;

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 26;

/// The id of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(String);

impl RunId {
    /// Makes an id from a time in milliseconds since 1970 and random bits. It is greater than `newest`, even when
    /// the clock went backwards (requirement M6).
    pub fn new(millis: u64, random: [u8; 10], newest: Option<&Self>) -> Self {
        let chance = random
            .iter()
            .fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        let number = u128::from(millis & 0xffff_ffff_ffff) << 80 | chance;
        let least = newest.map_or(0, |newest| newest.number().saturating_add(1));
        Self::of(number.max(least))
    }

    /// Reads a whole id.
    pub fn parse(text: &str) -> Option<Self> {
        let text = canonical(text);
        // Five bits a character: the first one holds the three that are left of 128.
        let fits = text.len() == LENGTH && text.starts_with(|ch: char| ch <= '7');
        (fits && text.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(Self(text))
    }

    /// Whether the id begins with what somebody typed.
    pub fn begins_with(&self, typed: &str) -> bool {
        self.0.starts_with(&canonical(typed))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// When it was made, in milliseconds since 1970.
    pub fn millis(&self) -> u64 {
        u64::try_from(self.number() >> 80).unwrap_or(u64::MAX)
    }

    fn number(&self) -> u128 {
        let digit = |byte: u8| ALPHABET.iter().position(|known| *known == byte).unwrap_or(0) as u128;
        self.0.bytes().fold(0, |number, byte| number << 5 | digit(byte))
    }

    fn of(number: u128) -> Self {
        let digit = |place: usize| {
            let index = usize::try_from(number >> (5 * (LENGTH - 1 - place)) & 31).unwrap_or(0);
            char::from(ALPHABET[index])
        };
        Self((0..LENGTH).map(digit).collect())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RunId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is not the id of a run"))
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

fn canonical(typed: &str) -> String {
    typed
        .trim()
        .to_ascii_uppercase()
        .replace(['I', 'L'], "1")
        .replace('O', "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = RunId::new(1_000, [255; 10], None);
        let late = RunId::new(1_001, [0; 10], None);
        assert!(early < late);
        assert_eq!((early.as_str().len(), early.millis()), (26, 1_000));
        assert_eq!(RunId::parse(early.as_str()).as_ref(), Some(&early));
        assert_eq!(
            RunId::parse(&early.as_str().to_lowercase()).as_ref(),
            Some(&early)
        );
        assert_eq!(
            RunId::new(0, [0; 10], None).as_str(),
            "00000000000000000000000000"
        );
        assert_eq!(
            RunId::new(u64::MAX, [255; 10], None).as_str(),
            "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
        );
    }

    #[test]
    fn a_clock_that_goes_backwards_does_not_break_the_order() {
        let newest = RunId::new(2_000, [7; 10], None);
        let next = RunId::new(1_000, [9; 10], Some(&newest));
        assert!(next > newest);
        assert!(RunId::new(1_000, [9; 10], Some(&next)) > next);
    }

    #[test]
    fn beginnings_are_read_kindly() {
        let id = RunId::parse("01J0000000000000000000000Z").unwrap();
        for typed in ["01J", "01j", "0ij", "oLJ0", "01J0000000000000000000000Z"] {
            assert!(id.begins_with(typed), "{typed}");
        }
        assert!(!id.begins_with("01K"));
        for text in [
            "",
            "01J",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "01J000000000000000000000U!",
            "../../../../../../etc/pass",
        ] {
            assert_eq!(RunId::parse(text), None, "{text}");
        }
    }
}
