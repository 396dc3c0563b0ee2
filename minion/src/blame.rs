//! `log blame`: which run, commit and state made a path what it is, line by line where the texts are still kept.
//!
//! A run that went back gives what it restored back to those that had made it. What is there now and no run left so is
//! nobody's that we know.

use std::collections::BTreeMap;

use proto::journal::whose;
use proto::{Address, Answer, Change, ChunkId, Entry, Gather, Question, Value};
use serde_json::{Map, Value as Json, json};

use crate::journal::{Journal, JournalError, RunRecord};
use crate::log::{self, Private};
use crate::system::System;
use crate::undo::{hunks, lines};

/// Who made a part: a generation, or nobody we know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    /// It was there before us.
    Before,
    /// The run of this generation.
    Run(u64),
    /// Somebody, between two runs that touched it or after the last.
    Hand,
}

impl Maker {
    fn word(self) -> Json {
        match self {
            Self::Before => Json::Null,
            Self::Run(generation) => generation.into(),
            Self::Hand => "hand".into(),
        }
    }
}

/// A path at one time, part by part.
#[derive(Debug, Clone)]
struct Made {
    value: Value,
    attributes: BTreeMap<&'static str, Maker>,
    /// Per line; `None` when the text is not known.
    lines: Option<Vec<Maker>>,
}

/// What made `path` what it is; `None` when no run that is kept touched it.
///
/// # Errors
/// The journal cannot be read.
pub fn blame<S: System>(
    journal: &Journal,
    system: &mut S,
    path: &str,
    private: Private,
) -> Result<Option<Json>, JournalError> {
    let at = Address::Path(path.to_owned());
    let text = |value: &Value| log::text(journal, value);
    let mut made: Option<Made> = None;
    let mut snapshots: BTreeMap<u64, Made> = BTreeMap::new();
    let mut runs = Vec::new();
    for run in journal.history()? {
        let generation = run.header.parent + 1;
        for (change, chunk) in changes(&run, &at) {
            let mut old = made.take().unwrap_or_else(|| Made::first(&change.before, &text));
            if !old.value.same(&change.before) {
                old = old.changed(&change.before, Maker::Hand, &text);
            }
            let earlier = run.header.restores.and_then(|to| {
                let (_, then) = snapshots.range(..=to).next_back()?;
                Some(then.clone())
            });
            if snapshots.is_empty() {
                snapshots.insert(0, old.clone());
            }
            let mut new = old.changed(&change.after, Maker::Run(generation), &text);
            if let Some(then) = earlier {
                new.given_back(&then, Maker::Run(generation), &text);
            }
            made = Some(new);
            runs.push(told(&run, generation, chunk));
        }
        if let Some(made) = &made {
            snapshots.insert(generation, made.clone());
        }
    }
    let Some(mut made) = made else {
        return Ok(None);
    };
    let live = system.answer(&[Question::Read(at.clone()), Question::Bytes(path.to_owned())]);
    let mut now = None;
    if let [Answer::Value(there), bytes] = live.as_slice() {
        let bytes = match bytes {
            Answer::Bytes(Some(bytes)) => states::text::as_text(bytes).map(str::to_owned),
            _ => None,
        };
        now = bytes;
        let text = |value: &Value| {
            if value.same(there) {
                now.clone()
            } else {
                text(value)
            }
        };
        made = made.changed(there, Maker::Hand, &text);
    }
    let hidden = private == Private::Hidden
        && (!log::open(&made.value, &made.value) || log::silent(journal, private)?.contains(&at));
    let lines = now.filter(|_| !hidden).zip(made.lines).map(|(text, makers)| {
        let each = lines(&text).into_iter().zip(makers);
        each.map(|(line, by)| json!({ "text": line, "by": by.word() }))
            .collect::<Json>()
    });
    let shown = parts(&made.value);
    let attributes: Map<String, Json> = made
        .attributes
        .iter()
        .map(|(name, by)| {
            let value = shown.get(name).cloned().unwrap_or_default();
            ((*name).to_owned(), json!({ "value": value, "by": by.word() }))
        })
        .collect();
    Ok(Some(
        json!({ "path": path, "runs": runs, "attributes": attributes, "lines": lines, "hidden": hidden }),
    ))
}

impl Made {
    fn first(value: &Value, text: &dyn Fn(&Value) -> Option<String>) -> Self {
        Self {
            value: value.clone(),
            attributes: parts(value)
                .into_keys()
                .map(|name| (name, Maker::Before))
                .gather(),
            lines: text(value).map(|text| lines(&text).iter().map(|_| Maker::Before).collect()),
        }
    }

    /// What a run that went back brought again is of those who had made it then.
    fn given_back(&mut self, then: &Self, by: Maker, text: &dyn Fn(&Value) -> Option<String>) {
        let again = then.changed(&self.value, by, text);
        for (name, maker) in &mut self.attributes {
            if *maker == by {
                *maker = again.attributes.get(name).copied().unwrap_or(by);
            }
        }
        for (maker, then) in self.lines.iter_mut().flatten().zip(again.lines.iter().flatten()) {
            if *maker == by {
                *maker = *then;
            }
        }
    }

    /// As somebody left it: what they did not change stays whose it was.
    fn changed(&self, to: &Value, by: Maker, text: &dyn Fn(&Value) -> Option<String>) -> Self {
        let (old, new) = (parts(&self.value), parts(to));
        let attributes = new.iter().map(|(name, value)| {
            let same = old.get(name) == Some(value);
            let whose = self.attributes.get(name).copied().filter(|_| same);
            (*name, whose.unwrap_or(by))
        });
        let attributes = attributes.gather();
        let lines = match (&self.lines, text(&self.value), text(to)) {
            (Some(makers), _, _) if old.get("content") == new.get("content") => Some(makers.clone()),
            (Some(makers), Some(before), Some(after)) => Some(carried(makers, &before, &after, by)),
            (None, _, Some(after)) => Some(lines(&after).iter().map(|_| by).collect()),
            _ => None,
        };
        Self {
            value: to.clone(),
            attributes,
            lines,
        }
    }
}

/// The makers of a text's lines after a change.
fn carried(makers: &[Maker], before: &str, after: &str, by: Maker) -> Vec<Maker> {
    let (before, after) = (lines(before), lines(after));
    let Some(hunks) = hunks(&before, &after) else {
        return after.iter().map(|_| by).collect();
    };
    let (mut carried, mut at) = (Vec::new(), 0);
    for hunk in hunks {
        carried.extend(makers.get(at..hunk.base.0).unwrap_or_default());
        carried.extend((hunk.to.0..hunk.to.1).map(|_| by));
        at = hunk.base.1;
    }
    carried.extend(makers.get(at..).unwrap_or_default());
    carried
}

/// What a value is made of, in words.
fn parts(value: &Value) -> BTreeMap<&'static str, String> {
    let mut parts = BTreeMap::new();
    let kind = match value {
        Value::Absent => "absent",
        Value::File { content, .. } => {
            parts.insert("content", content.short());
            "file"
        }
        Value::Dir { .. } => "directory",
        Value::Link { to, .. } => {
            parts.insert("target", to.clone());
            "link"
        }
        _ => "other",
    };
    parts.insert("type", kind.to_owned());
    if let Some(meta) = value.meta() {
        parts.insert("mode", format!("{:04o}", meta.mode));
        parts.insert("owner", format!("{}:{}", meta.uid, meta.gid));
    }
    parts
}

/// The changes of a run at an address, with the state that made each.
fn changes<'a>(run: &'a RunRecord, at: &Address) -> Vec<(&'a Change, Option<&'a ChunkId>)> {
    let mut intents: BTreeMap<u64, Option<&ChunkId>> = BTreeMap::new();
    let mut found = Vec::new();
    for entry in &run.entries {
        match entry {
            Entry::Intent {
                act_num,
                chunk,
                beside,
                acts,
                ..
            } => drop(intents.insert(*act_num, whose(chunk.as_ref(), beside, acts, at))),
            Entry::Done { act_num, changes }
            | Entry::Failed { act_num, changes, .. }
            | Entry::Recovered { act_num, changes, .. } => {
                let here = changes.iter().filter(|change| change.at == *at);
                found.extend(here.map(|change| (change, intents.get(act_num).copied().flatten())));
            }
            _ => {}
        }
    }
    found
}

fn told(run: &RunRecord, generation: u64, chunk: Option<&ChunkId>) -> Json {
    let sls = run.entries.iter().find_map(|entry| match (entry, chunk) {
        (Entry::State(state), Some(chunk)) if state.id == chunk.id && state.state == chunk.state => {
            Some(state.sls.clone())
        }
        _ => None,
    });
    let header = &run.header;
    json!({
        "generation": generation, "run": header.run, "commit": header.rev, "by": header.by,
        "started": crate::clock::date(header.started), "restores": header.restores, "sls": sls,
        "state": chunk.map(|chunk| format!("{}.{}", chunk.state, chunk.fun)), "id": chunk.map(|chunk| &chunk.id),
    })
}
