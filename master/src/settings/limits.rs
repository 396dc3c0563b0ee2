//! What hosts may keep, how long they may wait, and how soon they go back by themselves.

use proto::frame::Limits;

use super::window;
use crate::compile::yaml::{Node, Value};
use crate::document::Document;

/// `packages: { keep: 2G, wait: 60 }`: room for old package files, and seconds to wait for another package manager.
pub(super) fn packages(limits: &mut Limits, node: &Node, document: &mut Document<'_>) {
    let mut fields = document.fields(node, "packages");
    let keep = fields.take("keep");
    if let Some(bytes) = keep.and_then(|node| document.bytes(node, "packages.keep")) {
        limits.packages_keep = bytes;
    }
    let wait = fields.take("wait");
    if let Some(seconds) = wait.and_then(|node| document.number(node, "packages.wait", 0, 86_400)) {
        limits.packages_wait = seconds;
    }
    fields.finish(document);
}

/// `journal: { keep_generations: 100, keep_days: 90, keep_bytes: 2G }`: how much of its past a host keeps.
pub(super) fn journal(limits: &mut Limits, node: &Node, document: &mut Document<'_>) {
    let mut fields = document.fields(node, "journal");
    let most = fields.take("keep_generations");
    if let Some(count) = most.and_then(|node| document.number(node, "journal.keep_generations", 0, 1_000_000))
    {
        limits.keep_generations = count;
    }
    let days = fields.take("keep_days");
    if let Some(days) = days.and_then(|node| document.number(node, "journal.keep_days", 0, 36_500)) {
        limits.keep_days = days;
    }
    let bytes = fields.take("keep_bytes");
    if let Some(bytes) = bytes.and_then(|node| document.bytes(node, "journal.keep_bytes")) {
        limits.keep_bytes = bytes;
    }
    fields.finish(document);
}

/// `confirm: 120s`: seconds, with or without a unit; `false` is off, `true` the default.
pub(super) fn confirm(document: &mut Document<'_>, node: &Node, default: Option<u64>) -> Option<u64> {
    if let Value::Bool(on) = node.value {
        return default.filter(|_| on);
    }
    let text = document.text(node, "confirm")?;
    let found = window(&text);
    if let Err(why) = &found {
        document.report(node.at, format!("confirm: {why}"), None);
    }
    found.ok().or(default)
}
