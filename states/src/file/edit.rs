//! What the states that edit a text file share: reading it, writing it back, the copy some of them leave beside it.

use proto::{Act, Address, Meta, Question, Value};

use super::place::{self, Place};
use crate::args::{plain, truth};
use crate::perms::{Perms, masked};
use crate::{Call, Host, Stop};

/// A file that is there, with its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Text<'a> {
    /// Where it is, and what.
    pub(crate) place: Place<'a>,
    /// Its attributes.
    meta: &'a Meta,
    /// Its bytes.
    pub(crate) text: String,
}

/// The file at `name`, links followed; `None` when there is none.
///
/// # Errors
/// [`Stop::Failed`] when it is a directory or not UTF-8.
pub(crate) fn read<'a>(host: &Host<'a>, name: &str) -> Result<Option<Text<'a>>, Stop> {
    host.expect([Question::Bytes(name.to_owned())]);
    let place = place::followed(host, name)?;
    let meta = match place.value {
        Value::File { meta, .. } => meta,
        Value::Absent => return Ok(None),
        Value::Dir { .. } => return Err(Stop::Failed(format!("{name} is a directory"))),
        _ => return Err(Stop::Failed(format!("{name} is not a regular file"))),
    };
    let bytes = host.bytes(name)?.unwrap_or_default();
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Stop::Failed(format!("{name} is not UTF-8 text and is left alone")))?;
    Ok(Some(Text {
        text: text.to_owned(),
        meta,
        place,
    }))
}

/// The file a state edits, which must be there.
///
/// # Errors
/// [`Stop::Failed`] with Salt's comment when it is not.
pub(super) fn existing<'a>(call: &Call<'_>, host: &Host<'a>) -> Result<Text<'a>, Stop> {
    let name = place::name(call, host)?;
    read(host, &name)?.ok_or_else(|| Stop::Failed(format!("{}: file not found", call.name())))
}

impl Text<'_> {
    /// The copy that `backup` asks for, `.bak` where it says nothing.
    ///
    /// # Errors
    /// [`Stop::Ask`] while it is not known what is there.
    pub(super) fn copies(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Vec<Act>, Stop> {
        let extension = match call.args().get("backup") {
            None => ".bak".to_owned(),
            Some(given) if !truth(given) => return Ok(Vec::new()),
            Some(given) => plain(given),
        };
        Ok(vec![self.backup(host, &extension)?])
    }

    /// The act that puts `new` in, everything else staying as it is.
    pub(crate) fn write(&self, host: &Host<'_>, new: &str) -> Act {
        Act::assign(
            Address::Path(self.place.path.clone()),
            self.place.value.clone(),
            file(host, new, Perms::default().onto(self.meta)),
        )
    }

    /// The act that leaves a copy beside the file, as `backup: .bak` asks.
    ///
    /// # Errors
    /// [`Stop::Ask`] while it is not known what is there.
    fn backup(&self, host: &Host<'_>, extension: &str) -> Result<Act, Stop> {
        let at = format!("{}{extension}", self.place.path);
        let expect = host.path(&at)?.clone();
        let copy = file(host, &self.text, Perms::default().onto(self.meta));
        Ok(Act::assign(Address::Path(at), expect, copy))
    }
}

/// The act that makes a new file of root's with mode 0644.
pub(crate) fn create(call: &Call<'_>, host: &Host<'_>, name: &str, parent: &Meta, text: &str) -> Act {
    let meta = Perms::default().fresh(Some(parent), masked(call, 0o666));
    Act::assign(
        Address::Path(name.to_owned()),
        Value::Absent,
        file(host, text, meta),
    )
}

/// A file value with its bytes kept.
fn file(host: &Host<'_>, text: &str, meta: Meta) -> Value {
    Value::File {
        content: host.keep(text),
        size: text.len() as u64,
        meta,
    }
}
