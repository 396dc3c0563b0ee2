//! One run's entries on disk: JSON lines, chained by SHA-256, durable when [`Writer::append`] returns (J1).
//!
//! A line is `{"seq":N,"prev":"HEX","sum":"HEX","entry":{…}}`; `sum` is the SHA-256 of `N`, `prev` and the entry's own
//! bytes as they stand in the line, with line ends between them. Bytes are hashed, never values written anew. What lies
//! around a run (its directory, its generation) is [`super`]'s and [`super::head`]'s affair.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use proto::{Digest, Entry};

use super::JournalError;

/// What stands before the first line of a host's first run.
pub(crate) fn origin() -> Digest {
    Digest::of("")
}

/// The entries of a run as far as they can be trusted.
#[derive(Debug)]
pub struct Entries {
    /// What was read, in order.
    pub entries: Vec<Entry>,
    /// Chain head after the last good line.
    pub head: Digest,
    /// `prev` of the first line.
    pub first: Digest,
    /// Number of the next line.
    pub next: u64,
    /// Bytes up to the end of the last good line before the tail.
    pub good: u64,
    /// The last line was cut short or never became durable; it counts as not written.
    pub torn: bool,
    /// Records that are damaged, one text each with file and line (J1).
    pub damage: Vec<String>,
}

/// Reads a run's entries.
///
/// # Errors
/// The file cannot be read. Damage is no error: it is in [`Entries::damage`].
pub fn read(path: &Path) -> Result<Entries, JournalError> {
    let bytes = std::fs::read(path).map_err(|cause| JournalError::io(path, cause))?;
    let mut read = Entries {
        entries: Vec::new(),
        head: origin(),
        first: origin(),
        next: 0,
        good: 0,
        torn: false,
        damage: Vec::new(),
    };
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (line, whole) = match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&rest[..end], true),
            None => (rest, false),
        };
        let length = line.len() + usize::from(whole);
        let last = at + length >= bytes.len();
        match parse(line) {
            Ok(record) if whole => {
                if record.seq != read.next || (record.seq > 0 && record.prev != read.head) {
                    read.damage.push(format!(
                        "{}:{}: a record is missing before it",
                        path.display(),
                        record.seq + 1
                    ));
                }
                if record.seq == 0 {
                    read.first = record.prev;
                }
                read.next = record.seq.saturating_add(1);
                read.head = record.sum;
                read.entries.push(record.entry);
                read.good = (at + length) as u64;
            }
            // Only the tail of the file may be half a line: its writer was cut off before it acted on it.
            _ if last => read.torn = true,
            Ok(_) => {}
            Err(why) => {
                read.damage
                    .push(format!("{}:{}: {why}", path.display(), read.next + 1));
                read.next += 1;
            }
        }
        at += length;
    }
    Ok(read)
}

/// The checksum before and that of every whole record of a file, in order. Nothing is checked.
pub(crate) fn ends(bytes: &[u8]) -> Vec<(Digest, Digest)> {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let whole = lines.filter_map(|line| std::str::from_utf8(line.strip_suffix(b"\n")?).ok());
    whole
        .filter_map(|line| split(line).map(|(_, prev, sum, _)| (prev, sum)))
        .collect()
}

struct Record {
    seq: u64,
    prev: Digest,
    sum: Digest,
    entry: Entry,
}

/// The parts of a line: number, checksum before, checksum, the entry's own bytes.
fn split(text: &str) -> Option<(u64, Digest, Digest, &str)> {
    let rest = text.strip_prefix("{\"seq\":")?;
    let (seq, rest) = rest.split_once(",\"prev\":\"")?;
    let (prev, rest) = rest.split_once("\",\"sum\":\"")?;
    let (sum, rest) = rest.split_once("\",\"entry\":")?;
    let body = rest.strip_suffix('}')?;
    Some((seq.parse().ok()?, prev.parse().ok()?, sum.parse().ok()?, body))
}

fn parse(line: &[u8]) -> Result<Record, &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
    let (seq, prev, sum, body) = split(text).ok_or("not a record")?;
    if checksum(seq, &prev, body) != sum {
        return Err("its checksum does not fit");
    }
    let entry =
        serde_json::from_slice(body.as_bytes()).map_err(|_| "written by a newer version, or not an entry")?;
    Ok(Record {
        seq,
        prev,
        sum,
        entry,
    })
}

fn checksum(seq: u64, prev: &Digest, body: &str) -> Digest {
    Digest::of(format!("{seq}\n{prev}\n{body}"))
}

/// The writing end of a run's entries.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    head: Digest,
    next: u64,
}

impl Writer {
    /// A new file for a run, chained to `prev`, the head of the run before it.
    ///
    /// # Errors
    /// The file exists, or cannot be made.
    pub(crate) fn create(path: &Path, prev: Digest) -> Result<Self, JournalError> {
        Self::open(
            path,
            OpenOptions::new().append(true).create_new(true).mode(0o600),
            prev,
            0,
        )
    }

    /// A file in place of whatever is there.
    ///
    /// # Errors
    /// The file cannot be made.
    pub(crate) fn anew(path: &Path, prev: Digest) -> Result<Self, JournalError> {
        Self::open(
            path,
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600),
            prev,
            0,
        )
    }

    /// Goes on after what was read; a torn tail is cut off first.
    ///
    /// # Errors
    /// The file cannot be opened or cut.
    pub(crate) fn resume(path: &Path, read: &Entries) -> Result<Self, JournalError> {
        let writer = Self::open(path, OpenOptions::new().append(true), read.head, read.next)?;
        if read.torn {
            writer
                .file
                .set_len(read.good)
                .and_then(|()| writer.file.sync_all())
                .map_err(|cause| JournalError::io(path, cause))?;
        }
        Ok(writer)
    }

    #[expect(clippy::disallowed_methods, reason = "the journal's own file")]
    fn open(path: &Path, options: &OpenOptions, head: Digest, next: u64) -> Result<Self, JournalError> {
        let file = options
            .open(path)
            .map_err(|cause| JournalError::io(path, cause))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            head,
            next,
        })
    }

    /// Appends one entry; durable when it returns.
    ///
    /// # Errors
    /// Writing or syncing failed; then the entry counts as not written (J1), and nothing may be acted on it.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        self.write(entry)?;
        self.sync()
    }

    /// Appends one entry that becomes durable with the next [`Writer::append`].
    ///
    /// # Errors
    /// Writing failed.
    pub fn write(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let body = serde_json::to_string(entry)
            .map_err(|cause| JournalError::io(&self.path, io::Error::other(cause)))?;
        let sum = checksum(self.next, &self.head, &body);
        let line = format!(
            "{{\"seq\":{},\"prev\":\"{}\",\"sum\":\"{sum}\",\"entry\":{body}}}\n",
            self.next, self.head
        );
        let before = self.file.metadata().map(|found| found.len()).ok();
        if let Err(cause) = self.file.write_all(line.as_bytes()) {
            // Half a line must not stay where a later record would follow it.
            if let Some(length) = before {
                self.file
                    .set_len(length)
                    .map_err(|cause| JournalError::io(&self.path, cause))?;
            }
            return Err(JournalError::io(&self.path, cause));
        }
        self.next += 1;
        self.head = sum;
        Ok(())
    }

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// Syncing failed: treat what was written since the last success as lost.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.file
            .sync_data()
            .map_err(|cause| JournalError::io(&self.path, cause))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests damage files")]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    fn entry(number: u64) -> Entry {
        Entry::Done {
            act_num: number,
            changes: Vec::new(),
        }
    }

    fn written(scratch: &Scratch, count: u64) -> PathBuf {
        let path = scratch.path("entries");
        let mut writer = Writer::create(&path, origin()).expect("a new file");
        for number in 0..count {
            writer.append(&entry(number)).expect("room");
        }
        path
    }

    #[test]
    fn every_cut_of_the_tail_loses_only_the_tail() {
        let scratch = Scratch::new();
        let path = written(&scratch, 3);
        let whole = std::fs::read(&path).expect("just written");
        let lines: Vec<usize> = whole
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == b'\n')
            .map(|(i, _)| i + 1)
            .collect();
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("room");
            let read = read(&path).expect("readable");
            let full = lines.iter().filter(|end| **end <= cut).count();
            assert_eq!(read.entries.len(), full, "cut at {cut}");
            assert_eq!(read.torn, !lines.contains(&cut) && cut > 0, "cut at {cut}");
            assert!(read.damage.is_empty(), "cut at {cut}: {:?}", read.damage);
            let mut writer = Writer::resume(&path, &read).expect("the file is there");
            writer.append(&entry(9)).expect("room");
            let again = super::read(&path).expect("readable");
            assert_eq!(again.entries.len(), full + 1, "cut at {cut}");
            assert!(
                !again.torn && again.damage.is_empty(),
                "cut at {cut}: {:?}",
                again.damage
            );
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let scratch = Scratch::new();
        let path = written(&scratch, 2);
        let whole = std::fs::read(&path).expect("just written");
        let clean = serde_json::to_string(&read(&path).expect("readable").entries).ok();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            let at = bit / 8;
            bytes[at] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).expect("room");
            let read = read(&path).expect("readable");
            // A digest may be written in capitals, too.
            let same = serde_json::to_string(&read.entries).ok() == clean;
            assert!(
                read.torn || !read.damage.is_empty() || read.first != origin() || same,
                "bit {} of byte {at} was changed and nobody noticed",
                bit % 8
            );
        }
    }
}
