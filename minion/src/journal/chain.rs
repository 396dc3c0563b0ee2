//! The end of the journal as its master keeps it, to notice one that was cut or swapped (J4).
//!
//! Only checksums are read here, not entries: it is looked at on every greeting.

use std::fs;

use proto::Digest;
use proto::frame::Chain;

use super::entries::{ends, origin};
use super::{Journal, JournalError};

/// Where the journal ends, for this master; and whether it goes on from the end that the master knew.
///
/// # Errors
/// It cannot be read.
pub fn chain(journal: &Journal, master: &str, known: Option<&Digest>) -> Result<Chain, JournalError> {
    let mut chain = Chain {
        generation: journal.generation()?,
        digest: Chain::keyed(master, &origin()),
        continues: known.map(|known| *known == Chain::keyed(master, &origin())),
    };
    let mut end = None;
    for number in journal.runs()?.into_iter().rev() {
        let path = journal.entries_path(number);
        if !path.exists() {
            continue;
        }
        let bytes = fs::read(&path).map_err(|cause| JournalError::io(&path, cause))?;
        for (prev, sum) in ends(&bytes).into_iter().rev() {
            end.get_or_insert(sum);
            let found = known.is_some_and(|known| {
                *known == Chain::keyed(master, &sum) || *known == Chain::keyed(master, &prev)
            });
            if found {
                chain.continues = Some(true);
            }
            if chain.continues != Some(false) {
                break;
            }
        }
        if end.is_some() && chain.continues != Some(false) {
            break;
        }
    }
    if let Some(end) = end {
        chain.digest = Chain::keyed(master, &end);
    }
    Ok(chain)
}
