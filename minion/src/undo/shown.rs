//! What a rollback found, shown with the texts it is about: conflicts three ways (J6), and what is put together.

use proto::frame::RollbackReport;
use proto::{Address, Answer, Question, Value};

use crate::journal::{Journal, JournalError};
use crate::log::{self, Private};
use crate::system::System;

/// Adds the diffs of text files to a report. What not everybody on the host may read is shown to root alone.
///
/// # Errors
/// The journal cannot be read.
pub fn explain<S: System>(
    journal: &Journal,
    system: &mut S,
    report: &mut RollbackReport,
    private: Private,
) -> Result<(), JournalError> {
    if report.conflicts.is_empty() && report.merged.is_empty() {
        return Ok(());
    }
    let silent = log::silent(journal, private)?;
    let mut diff = |at: &Address, before: &Value, after: &Value| {
        let hidden = private == Private::Hidden && (silent.contains(at) || !log::open(before, after));
        log::diff(before, after, hidden, &mut |value| {
            text(journal, system, at, value)
        })
    };
    for conflict in &mut report.conflicts {
        let ours = &conflict.ours;
        conflict.ours_diff = diff(&ours.at, &ours.before, &ours.after);
        conflict.theirs_diff = diff(&ours.at, &ours.after, &conflict.theirs);
    }
    for (address, shown) in &mut report.merged {
        let change = report
            .restored
            .iter()
            .find(|change| change.at.to_string() == *address);
        if let Some(change) = change {
            *shown = diff(&change.at, &change.before, &change.after).unwrap_or_default();
        }
    }
    Ok(())
}

/// The text of a value: as it is kept, or as it is there now.
fn text<S: System>(journal: &Journal, system: &mut S, at: &Address, value: &Value) -> Option<String> {
    log::text(journal, value).or_else(|| {
        let (Address::Path(path), Value::File { content, .. }) = (at, value) else {
            return None;
        };
        // The object store of a host in memory is its own.
        let kept = states::host::object_path(content);
        for path in [path.clone(), kept] {
            if let Some(Answer::Bytes(Some(bytes))) = system.answer(&[Question::Bytes(path)]).pop()
                && proto::Digest::of(&bytes) == *content
            {
                return states::text::as_text(&bytes).map(str::to_owned);
            }
        }
        None
    })
}
