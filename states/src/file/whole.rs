//! A text file that a state of another module keeps: read whole, written whole, its attributes as they are.

use proto::{Act, Address, Digest, Meta, Question, Value};

use super::place;
use crate::perms::Perms;
use crate::{Host, Stop};

/// A text file, or the place for one.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    /// Where it is once links are followed.
    pub(crate) path: String,
    /// What is there.
    pub(crate) value: Value,
    /// Its text; empty when nothing is there.
    pub(crate) text: String,
}

impl Whole {
    /// What [`Whole::read`] asks, to be asked together with other things.
    pub(crate) fn questions(path: &str) -> [Question; 2] {
        [
            Question::Read(Address::Path(path.to_owned())),
            Question::Bytes(path.to_owned()),
        ]
    }

    /// The file at `path`, links followed.
    ///
    /// # Errors
    /// [`Stop::Failed`] when something else than a text file is there.
    pub(crate) fn read(host: &Host<'_>, path: &str) -> Result<Self, Stop> {
        host.expect(Self::questions(path));
        let there = place::followed(host, path)?;
        Self::of(host, path, there.path, there.value)
    }

    /// The file at `path` itself. For places where others than root may put a link: following it would let them choose what
    /// is written.
    ///
    /// # Errors
    /// [`Stop::Failed`] when something else than a text file is there, or a link.
    pub(crate) fn unlinked(host: &Host<'_>, path: &str) -> Result<Self, Stop> {
        host.expect(Self::questions(path));
        let value = host.path(path)?;
        if let Value::Link { to, .. } = value {
            return Err(Stop::Failed(format!(
                "{path} is a link to {to}, and is not followed: put a file there"
            )));
        }
        Self::of(host, path, path.to_owned(), value)
    }

    fn of(host: &Host<'_>, path: &str, real: String, value: &Value) -> Result<Self, Stop> {
        if !matches!(value, Value::File { .. } | Value::Absent) {
            return Err(Stop::Failed(format!("{path} is not a regular file")));
        }
        let bytes = host.bytes(path)?.unwrap_or_default();
        if let Value::File { content, .. } = value
            && Digest::of(bytes) != *content
        {
            return Err(Stop::Failed(format!("{path} changed while it was read")));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Stop::Failed(format!("{path} is not UTF-8 text and is left alone")))?;
        Ok(Self {
            path: real,
            value: value.clone(),
            text: text.to_owned(),
        })
    }

    /// The act that puts another text in; `fresh` are the attributes of a file that was not there.
    pub(crate) fn write(&self, host: &Host<'_>, text: &str, fresh: Meta) -> Act {
        let meta = self
            .value
            .meta()
            .map_or(fresh, |meta| Perms::default().onto(meta));
        let to = Value::File {
            content: host.keep(text),
            size: text.len() as u64,
            meta,
        };
        Act::assign(Address::Path(self.path.clone()), self.value.clone(), to)
    }
}
