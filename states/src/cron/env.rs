//! `cron.env_present` and `cron.env_absent`: variables of a crontab.

use proto::Args;

use super::table::{Piece, Table, What};
use super::{USER, user};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `cron.env_present`.
#[derive(Debug)]
pub struct EnvPresent;

/// `cron.env_absent`.
#[derive(Debug)]
pub struct EnvAbsent;

static PRESENT: Spec = Spec {
    state: "cron",
    fun: "env_present",
    doc: "Make sure that a variable is set in a user's crontab, above the jobs.",
    params: &[
        Param::new("value", Kind::Text, "Its value (default empty)."),
        USER,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

static ABSENT: Spec = Spec {
    state: "cron",
    fun: "env_absent",
    doc: "Make sure that a variable is not set in a user's crontab.",
    params: &[USER],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for EnvPresent {
    fn spec(&self) -> &'static Spec {
        &PRESENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let user = user(call);
        let refused = |why: &str| {
            Stop::Failed(format!(
                "Cron env {name} for user {user} failed to commit with error \n{why}"
            ))
        };
        let set = |what: &str| format!("Cron env {name} is set to be {what}");
        let value = call.args().text("value").filter(|value| !value.is_empty());
        let value = value.unwrap_or_else(|| "\"\"".to_owned());
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "=#\0".contains(c)) {
            return Err(refused("a variable's name is one word"));
        }
        if value.contains(['\n', '\r', '\0']) {
            return Err(refused("a variable's value is one line"));
        }
        let mut table = match Table::read(host, &user)? {
            Ok(table) => table,
            // An earlier state of the run may bring what is missing.
            Err(_) if call.test => {
                let verdict = Verdict::WouldChange;
                let plan = Plan::met(set("added"));
                return Ok(Plan { verdict, ..plan });
            }
            Err(why) => return Err(refused(&why)),
        };
        let there = table.env(name).map(|(at, now)| (at, now == value.trim()));
        let piece = Piece::new(What::Env(name.to_owned(), value));
        let (done, would) = match there {
            Some((_, true)) => return Ok(Plan::met(format!("Cron env {name} already present"))),
            Some((at, false)) => {
                table.pieces[at] = piece;
                (format!("Cron env {name} updated"), set("updated"))
            }
            None => {
                // A variable counts for the jobs below it only.
                let jobs = table.pieces.iter();
                let first = jobs.take_while(|piece| !matches!(piece.what, What::Job(_)));
                let last = first
                    .enumerate()
                    .filter(|(_, piece)| matches!(piece.what, What::Env(..)))
                    .last();
                let at = last.map_or(0, |(at, _)| at + 1);
                table.pieces.insert(at, piece);
                (format!("Cron env {name} added to {user}'s crontab"), set("added"))
            }
        };
        Ok(Plan::change(vec![table.write(host)], one(user, name), done).or_would(would, Some(Args::new())))
    }
}

impl State for EnvAbsent {
    fn spec(&self) -> &'static Spec {
        &ABSENT
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name().trim();
        let user = user(call);
        let gone = || {
            Plan::met(if call.test {
                format!("Cron env {name} is absent")
            } else {
                format!("Cron env {name} already absent")
            })
        };
        let Ok(mut table) = Table::read(host, &user)? else {
            return Ok(gone());
        };
        let Some((at, _)) = table.env(name) else {
            return Ok(gone());
        };
        table.pieces.remove(at);
        let done = format!("Cron env {name} removed from {user}'s crontab");
        let would = format!("Cron env {name} is set to be removed");
        Ok(Plan::change(vec![table.write(host)], one(user, name), done).or_would(would, Some(Args::new())))
    }
}
