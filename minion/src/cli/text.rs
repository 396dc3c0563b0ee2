//! What the agent prints for people.

use std::fmt::{self, Write};

use proto::frame::Limits;
use proto::frame::Probation as How;
use proto::{Change, FromMinion, Outcome, Value};

use crate::clock::date;
use crate::journal::Last;
use crate::journal::lock::{Fence, Holder};
use crate::journal::sweep::{Swept, Usage};
use crate::log::Told;

/// The change record.
pub(super) fn log(list: &[Told]) -> String {
    let mut out = String::new();
    if list.is_empty() {
        out.push_str("nothing was changed on this host yet\n");
    }
    for (generation, diffs) in list {
        let header = &generation.header;
        let how = match (&generation.outcome, header.restores) {
            (None, _) => "going on, or cut off".to_owned(),
            (Some(outcome), Some(to)) => format!("back to {to}, {}", word(*outcome)),
            (Some(outcome), None) => word(*outcome).to_owned(),
        };
        // Writing to a String cannot fail.
        writeln!(
            out,
            "generation {}  {}  {how}",
            generation.number,
            date(header.started)
        )
        .ok();
        let rev: String = header.rev.chars().take(20).collect();
        writeln!(out, "  run {}  by {}  {rev}", header.run, header.by).ok();
        for change in &generation.changes {
            writeln!(out, "  {}", changed(change)).ok();
        }
        for (address, diff) in diffs {
            writeln!(out, "  {address}:").ok();
            for line in diff.lines() {
                writeln!(out, "    {line}").ok();
            }
        }
    }
    out
}

/// One change in one line.
fn changed(change: &Change) -> String {
    let what = match (&change.before, &change.after) {
        (Value::Absent, after) => format!("+ {}: {}", change.at, short(after)),
        (before, Value::Absent) => format!("- {}: was {}", change.at, short(before)),
        (before, after) => format!("~ {}: {} -> {}", change.at, short(before), short(after)),
    };
    clean(&what)
}

/// A value in a few words.
fn short(value: &Value) -> String {
    let of = |meta: &proto::Meta| format!("{:04o} {}:{}", meta.mode, meta.uid, meta.gid);
    match value {
        Value::Absent => "absent".to_owned(),
        Value::File { content, size, meta } => format!("file {size} bytes {} {}", of(meta), content.short()),
        Value::Dir { meta } => format!("directory {}", of(meta)),
        Value::Link { to, .. } => format!("link to {to}"),
        Value::Special { what, .. } => what.clone(),
        Value::Package(package) => {
            let hold = if package.hold { ", held" } else { "" };
            let rest = if package.config_only { ", removed" } else { "" };
            format!("version {}{hold}{rest}", package.version)
        }
        Value::Unit(unit) => {
            let up = if unit.active { "running" } else { "stopped" };
            format!(
                "{up}, {}",
                if unit.enablement.is_empty() {
                    "unknown"
                } else {
                    &unit.enablement
                }
            )
        }
        Value::User(account) => format!("uid {} {} {}", id(account.uid), account.home, account.shell),
        Value::Group(group) => format!("gid {}", id(group.gid)),
        Value::Text(text) => text.clone(),
        Value::Checkout(checkout) => checkout.commit.chars().take(12).collect(),
        Value::MysqlUser(_) | Value::MysqlGrants(_) | Value::MysqlDatabase(_) | Value::MysqlSource(_) => {
            proto::mysql::told(value)
        }
        Value::Mount(mount) => format!("{} ({})", mount.device, mount.options),
    }
}

fn id(id: Option<u32>) -> String {
    id.map_or_else(|| "?".to_owned(), |id| id.to_string())
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Changed => "changed",
        Outcome::Failed => "failed",
        Outcome::Unreachable => "unreachable",
        Outcome::Unknown => "unknown",
        Outcome::Refused => "refused",
        Outcome::RolledBack => "rolled back",
    }
}

/// What a rollback did, or would do.
pub(super) fn rollback(message: &FromMinion, plan: bool) -> String {
    let FromMinion::RollbackReport(report) = message else {
        return String::new();
    };
    let mut out = String::new();
    // Writing to a String cannot fail.
    for change in &report.restored {
        writeln!(out, "  {}", changed(change)).ok();
    }
    for conflict in &report.conflicts {
        let ours = &conflict.ours;
        writeln!(out, "  conflict at {}", clean(&ours.at.to_string())).ok();
        for (whose, value) in [
            ("before us", &ours.before),
            ("ours", &ours.after),
            ("now", &conflict.theirs),
        ] {
            writeln!(out, "    {whose:<10} {}", clean(&short(value))).ok();
        }
        for (whose, diff) in [
            ("ours:", &conflict.ours_diff),
            ("since then:", &conflict.theirs_diff),
        ] {
            texts(&mut out, whose, diff.as_deref().unwrap_or_default());
        }
    }
    for (address, diff) in &report.merged {
        writeln!(out, "  merged {}", clean(address)).ok();
        texts(&mut out, "comes back as:", diff);
    }
    for why in &report.refused {
        writeln!(out, "  refused: {}", clean(why)).ok();
    }
    for lost in &report.lost {
        writeln!(out, "  cannot come back: {}", clean(lost)).ok();
    }
    for failed in &report.failed {
        writeln!(out, "  failed: {}", clean(failed)).ok();
    }
    let end = match report.outcome {
        Outcome::Refused if report.conflicts.is_empty() => {
            "refused; nothing was touched (--past-irreversible goes back past what cannot be taken back,\n\
             --skip-conflicts leaves what is damaged)"
                .to_owned()
        }
        Outcome::Refused => "refused: somebody changed since what would be taken back; nothing was touched\n\
             see --merge, --skip-conflicts and --force"
            .to_owned(),
        Outcome::Ok => "nothing to take back".to_owned(),
        Outcome::Failed => format!(
            "went back to generation {} only in part; run it again to go on",
            report.to
        ),
        _ if plan => format!("would go back to generation {}", report.to),
        _ => format!(
            "back at generation {} (as generation {})",
            report.to, report.generation
        ),
    };
    writeln!(out, "{end}").ok();
    out
}

/// A diff below its heading; nothing where there is none.
fn texts(out: &mut String, heading: &str, diff: &str) {
    if diff.is_empty() {
        return;
    }
    writeln!(out, "    {heading}").ok();
    for line in diff.lines() {
        writeln!(out, "      {}", clean(line)).ok();
    }
}

/// What checking the journal found.
pub(super) fn verified(found: &crate::verify::Verified) -> String {
    let mut out = String::new();
    for line in &found.damage {
        writeln!(out, "damaged: {}", clean(line)).ok();
    }
    for line in &found.notes {
        writeln!(out, "note: {}", clean(line)).ok();
    }
    let sound = if found.damage.is_empty() {
        "sound"
    } else {
        "DAMAGED"
    };
    writeln!(
        out,
        "generation {}: {} runs, {} records, {} objects, {} bytes: {sound}",
        found.generation, found.runs, found.entries, found.objects, found.bytes
    )
    .ok();
    out
}

/// Who made a path what it is.
pub(super) fn blame(found: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    let mut out = String::new();
    let list = |name: &str| {
        found
            .get(name)
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let field = |of: &Json, name: &str| match of.get(name) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(text)) => clean(text),
        Some(other) => other.to_string(),
    };
    let whose = |of: &Json| match field(of, "by") {
        by if by.is_empty() => "before".to_owned(),
        by => by,
    };
    for run in list("runs") {
        let words = [
            "generation",
            "started",
            "run",
            "by",
            "commit",
            "sls",
            "state",
            "id",
        ];
        let words: Vec<String> = words.iter().map(|name| field(&run, name)).collect();
        writeln!(out, "{}", words.join(" ").trim_end()).ok();
    }
    for (name, part) in found
        .get("attributes")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
    {
        writeln!(out, "  {:>8} {name} {}", whose(part), field(part, "value")).ok();
    }
    for line in list("lines") {
        writeln!(out, "  {:>8} | {}", whose(&line), field(&line, "text").trim_end()).ok();
    }
    out
}

/// What a sweep did.
pub(super) fn swept(swept: &Swept) -> String {
    let Swept { runs, objects, bytes } = swept;
    format!("swept: {runs} runs, {objects} objects of {bytes} bytes\n")
}

/// What the record takes up.
pub(super) fn usage(usage: &Usage, oldest: u64, newest: u64, limits: &Limits) -> String {
    let limit = |number: u64| {
        if number == 0 {
            "no limit".to_owned()
        } else {
            number.to_string()
        }
    };
    format!(
        "generations {oldest} to {newest}: so far one can go back, and no further\nruns        {}, {} bytes\nobjects     {}, \
         {} bytes, of which {} nothing refers to\nkept        generations {}, days {}, bytes {}\n",
        usage.runs,
        usage.entries,
        usage.objects,
        usage.bytes,
        usage.unused,
        limit(limits.keep_generations),
        limit(limits.keep_days),
        limit(limits.keep_bytes),
    )
}

/// What the host knows of itself.
pub(super) struct Status {
    pub(super) owed: Vec<String>,
    pub(super) generation: u64,
    pub(super) last: Option<Last>,
    pub(super) fence: Fence,
    pub(super) holder: Option<Holder>,
    pub(super) cut_off: Option<String>,
    /// The run that waits to be confirmed, and the seconds it has left.
    pub(super) window: Option<(String, How, Option<u64>)>,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "generation  {}", self.generation)?;
        match &self.last {
            Some(last) => writeln!(f, "last run    {} at {}", last.run, date(last.ended))?,
            None => writeln!(f, "last run    none")?,
        }
        match self.fence.master.as_str() {
            "" => writeln!(f, "master      none yet")?,
            master => writeln!(f, "master      {master}, epoch {}", self.fence.epoch)?,
        }
        for owed in &self.owed {
            writeln!(f, "owed        {}", clean(owed))?;
        }
        if let Some(holder) = &self.holder {
            writeln!(f, "going on    {holder}")?;
        }
        if let Some(run) = &self.cut_off {
            writeln!(
                f,
                "cut off     run {run}; the next run or rollback resolves it first"
            )?;
        }
        match &self.window {
            None => {}
            Some((run, How::Going, _)) => {
                writeln!(f, "probation   run {run}; its window begins when it ends")?
            }
            Some((run, How::Leaving, None)) => writeln!(f, "probation   run {run} goes back now")?,
            Some((run, _, left)) => writeln!(
                f,
                "probation   run {run} goes back in {} s unless it is confirmed (salt-rs-minion confirm)",
                left.unwrap_or(0)
            )?,
        }
        Ok(())
    }
}

/// Text from the host without what a terminal would obey.
fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
