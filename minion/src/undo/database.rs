//! Database servers in a rollback: what is in one can be taken back only while it answers.
//!
//! Things of a server that answers go back first of all, before its configuration, its unit and its package. A server that
//! does not answer must not hold up the rest: perhaps this very rollback brings it up again, so its things are tried once
//! more at the end. Where the rollback removes the server's package, they are told and left.

use proto::{Address, Change, Value};

use super::merge::{Merged, merge};
use super::rollback::{Back, look};
use super::{Fold, Step, Undo};
use crate::system::System;

/// A thing of a database server that could not be looked at, and why.
pub(super) type Silent = (Address, String);

/// The databases' own steps go first.
pub(super) const fn is_mysql(at: &Address) -> bool {
    matches!(at, Address::Mysql(_))
}

/// Why a value stays, where taking it away would take what no run put there: data.
pub(super) fn stays(at: &Address, live: &Value, to: &Value) -> Option<String> {
    match (live, to) {
        (Value::MysqlDatabase(schema), Value::Absent) if schema.holds > 0 => Some(format!(
            "{at} stays: it holds {} tables and the like, and data is never dropped by going back",
            schema.holds
        )),
        _ => None,
    }
}

impl Undo {
    /// Adds what a silent server holds of ours. `leave` is what the user says when it is to be left.
    pub(super) fn add_silent(&mut self, fold: &Fold, silent: &[Silent], leave: bool) {
        let goes = self.steps.iter().any(takes_server);
        let mut late = Vec::new();
        for (at, why) in silent {
            let Some(ours) = fold.ours(at) else { continue };
            if goes || leave {
                let rest = if goes {
                    "; the server goes, what is in its data stays"
                } else {
                    ""
                };
                let why = why.lines().next().unwrap_or_default();
                self.lost.push(format!("{at} was not taken back: {why}{rest}"));
            } else {
                late.push(Step::Late { ours: ours.clone() });
            }
        }
        late.reverse();
        self.steps.extend(late);
    }
}

impl Fold {
    /// What was done at an address, first and last.
    pub(super) fn ours(&self, at: &Address) -> Option<&Change> {
        self.touched
            .iter()
            .map(|touched| &touched.ours)
            .find(|ours| ours.at == *at)
    }
}

impl<S: System> Back<'_, S> {
    /// What is still to be done at a database server that did not answer in the beginning.
    pub(super) fn late(&mut self, ours: &Change) -> Option<Change> {
        let at = &ours.at;
        let live = match look(self.hands.system, vec![at.clone()]) {
            Ok((mut found, silent)) => match (found.remove(at), silent.first()) {
                (Some(live), _) => live,
                (None, why) => {
                    let why = why.map(|(_, why)| why.as_str()).unwrap_or_default();
                    self.report.failed.push(format!(
                        "{at} was not taken back: {why}\nstart the server and go back once more, or leave this out with \
                         --skip-conflicts"
                    ));
                    return None;
                }
            },
            Err(problem) => {
                self.report.failed.push(problem.to_string());
                return None;
            }
        };
        match merge(ours, &live) {
            Merged::Nothing => None,
            Merged::Put(to) => match stays(at, &live, &to) {
                None => self.due(at.clone(), &live, to),
                Some(why) => {
                    self.report.lost.push(why);
                    None
                }
            },
            Merged::Conflict => {
                self.report
                    .failed
                    .push(format!("{at} was changed by somebody since; it was left alone"));
                None
            }
        }
    }
}

/// Whether a step takes a database server's package away.
fn takes_server(step: &Step) -> bool {
    let Step::Put {
        at: Address::Package(name),
        to,
        ..
    } = step
    else {
        return false;
    };
    let name = name.to_lowercase();
    let gone = match to {
        Value::Package(package) => package.config_only,
        to => to.is_absent(),
    };
    gone && name.contains("server")
        && ["mariadb", "mysql", "percona"]
            .iter()
            .any(|brand| name.contains(brand))
}
