//! What leaves the host of its journal: never a secret that an act or a pre-image holds (P3).
//!
//! Standard input and environment of commands, shadow lines, what makes database accounts and sources, and everything a state with `no_log` did stay here.

use std::collections::BTreeSet;

use proto::frame::{Conflict, RollbackReport};
use proto::{Act, Catalog, Change, ChunkId, Command, Entry, Generation, PreImage, Value};

/// Takes secrets out of entries on their way to the master.
#[derive(Debug, Clone, Default)]
pub struct Scrubber {
    silent: BTreeSet<ChunkId>,
}

impl Scrubber {
    /// Knows which chunks of a catalog may not be logged.
    pub fn new(catalog: &Catalog) -> Self {
        let silent = catalog.chunks.iter().filter(|chunk| chunk.options.no_log);
        Self {
            silent: silent.map(|chunk| chunk.id.clone()).collect(),
        }
    }

    /// The entry as it may leave the host.
    pub fn entry(&self, entry: &Entry) -> Entry {
        match entry {
            Entry::Intent {
                act_num,
                chunk,
                beside,
                acts,
                before,
            } => {
                let silent = chunk
                    .iter()
                    .chain(beside)
                    .any(|chunk| self.silent.contains(chunk));
                let (acts, before) = if silent {
                    (Vec::new(), Vec::new())
                } else {
                    (acts.iter().map(act).collect(), before.iter().map(image).collect())
                };
                Entry::Intent {
                    act_num: *act_num,
                    chunk: chunk.clone(),
                    beside: beside.clone(),
                    acts,
                    before,
                }
            }
            Entry::Done { act_num, changes } => Entry::Done {
                act_num: *act_num,
                changes: changes.iter().map(change).collect(),
            },
            Entry::Failed {
                act_num,
                why,
                changes,
            } => Entry::Failed {
                act_num: *act_num,
                why: why.clone(),
                changes: changes.iter().map(change).collect(),
            },
            Entry::Recovered {
                act_num,
                how,
                changes,
            } => Entry::Recovered {
                act_num: *act_num,
                how: how.clone(),
                changes: changes.iter().map(change).collect(),
            },
            other => other.clone(),
        }
    }
}

/// A rollback's report as it may leave the host.
pub fn rollback(mut report: RollbackReport) -> RollbackReport {
    report.restored = report.restored.iter().map(change).collect();
    for Conflict { ours, theirs, .. } in &mut report.conflicts {
        *ours = change(ours);
        *theirs = value(theirs);
    }
    report
}

/// A generation as it may leave the host.
pub fn generation(mut generation: Generation) -> Generation {
    generation.changes = generation.changes.iter().map(change).collect();
    generation
}

fn act(act: &Act) -> Act {
    match act {
        Act::Assign {
            at,
            expect,
            to,
            check,
        } => Act::Assign {
            at: at.clone(),
            expect: value(expect),
            to: value(to),
            check: check.as_ref().map(command),
        },
        Act::Run {
            command: run,
            undo,
            verify,
            touches,
        } => Act::Run {
            command: command(run),
            undo: undo.as_ref().map(command),
            verify: verify.as_ref().map(command),
            touches: touches.clone(),
        },
        other => other.clone(),
    }
}

fn command(command: &Command) -> Command {
    Command {
        stdin: None,
        env: std::collections::BTreeMap::new(),
        ..command.clone()
    }
}

fn image(image: &PreImage) -> PreImage {
    PreImage {
        at: image.at.clone(),
        was: value(&image.was),
        fidelity: image.fidelity.clone(),
    }
}

fn change(change: &Change) -> Change {
    Change {
        at: change.at.clone(),
        before: value(&change.before),
        after: value(&change.after),
    }
}

fn value(value: &Value) -> Value {
    match value {
        Value::User(account) => Value::User(proto::Account {
            shadow: None,
            ..account.clone()
        }),
        Value::MysqlUser(_) => Value::MysqlUser(None),
        Value::MysqlSource(source) => Value::MysqlSource(proto::Source {
            statement: None,
            seed: None,
            ..source.clone()
        }),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{catalog, chunk};
    use proto::{Account, Address, Digest};

    #[test]
    fn no_secret_leaves_with_an_entry() {
        let secret = "s3cret-word";
        let shadow = Some(Digest::of(secret));
        let user = Value::User(Account {
            shadow,
            ..Account::default()
        });
        let at = Address::User("a".into());
        let mut hidden = Command::program(&["true"]);
        hidden.stdin = Some(secret.into());
        hidden.env.insert("PASSWORD".into(), secret.into());
        let run = |argv: &str| Act::Run {
            command: Command {
                argv: vec![argv.into()],
                ..hidden.clone()
            },
            undo: Some(hidden.clone()),
            verify: Some(hidden.clone()),
            touches: Vec::new(),
        };
        let mut silent = chunk("run", "x", serde_json::json!({}));
        silent.options.no_log = true;
        let scrubber = Scrubber::new(&catalog(vec![silent.clone()]));
        let change = Change {
            at: at.clone(),
            before: user.clone(),
            after: user.clone(),
        };
        let image = PreImage {
            at: at.clone(),
            was: user.clone(),
            fidelity: proto::Fidelity::Exact,
        };
        for entry in [
            Entry::Intent {
                act_num: 0,
                chunk: None,
                beside: Vec::new(),
                acts: vec![run("true")],
                before: vec![image],
            },
            Entry::Intent {
                act_num: 0,
                chunk: Some(silent.id),
                beside: Vec::new(),
                acts: vec![run(secret)],
                before: vec![],
            },
            Entry::Intent {
                act_num: 0,
                chunk: None,
                beside: Vec::new(),
                acts: vec![Act::assign(at, user.clone(), user)],
                before: vec![],
            },
            Entry::Done {
                act_num: 0,
                changes: vec![change],
            },
        ] {
            let text = serde_json::to_string(&scrubber.entry(&entry)).expect("an entry");
            assert!(
                !text.contains(secret) && !text.contains(&Digest::of(secret).hex()),
                "{text}"
            );
        }
    }
}
