//! `--merge`: a text that somebody changed since, put together with what goes back (J6).
//!
//! What we left is the base, what was there before us is one change of it, what is there now the other. Where they do not
//! meet both are there afterwards; where they meet it stays a conflict. Attributes are compared one by one, as always.

use proto::frame::Conflict;
use proto::{Address, Digest, Value};

use super::lines::{bytes, kept};
use super::{diff3, merge};
use crate::system::System;

/// What a conflict's file becomes, its text already kept; `None` where it stays a conflict.
pub(super) fn combined<S: System>(system: &mut S, conflict: &Conflict) -> Option<Value> {
    let Address::Path(path) = &conflict.ours.at else {
        return None;
    };
    let (before, ours, theirs) = (&conflict.ours.before, &conflict.ours.after, &conflict.theirs);
    let (
        Value::File { content: was, .. },
        Value::File { content: left, .. },
        Value::File { content, size, .. },
    ) = (before, ours, theirs)
    else {
        return None;
    };
    // Everything but the contents, as if nobody had touched those.
    let bare = |value: &Value| match value {
        Value::File { meta, .. } => Some(Value::File {
            content: *content,
            size: *size,
            meta: meta.clone(),
        }),
        _ => None,
    };
    let Value::File { mut meta, .. } = merge::attributes(&bare(before)?, &bare(ours)?, &bare(theirs)?)?
    else {
        return None;
    };
    let there = bytes(system, path.clone())?;
    if Digest::of(&there) != *content || there.contains('\0') {
        return None;
    }
    let text = if was == left {
        there
    } else {
        diff3::merge(&kept(system, ours)?, &kept(system, before)?, &there, 1)?
    };
    let kept = system.keep(text.as_bytes()).ok()?;
    meta.mtime = before.meta().filter(|_| kept == *was).and_then(|meta| meta.mtime);
    Some(Value::File {
        content: kept,
        size: text.len() as u64,
        meta,
    })
}
