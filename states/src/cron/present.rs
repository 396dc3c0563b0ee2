//! `cron.present`: a job in a crontab.

use proto::Args;

use super::table::{Job, Piece, Table, What};
use super::when::When;
use super::{IDENTIFIER, USER, identifier, user};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `cron.present`.
#[derive(Debug)]
pub struct Present;

static SPEC: Spec = Spec {
    state: "cron",
    fun: "present",
    doc: "Make sure that a job is in a user's crontab.\n\nThe name is the command. A job is found again by its `identifier`, \
          which stands in a comment above it as Salt writes it; without one a changed command is another job. A field that \
          is not given is `*`; `random` draws a number that stays the same on a host.",
    params: &[
        USER,
        Param::new(
            "minute",
            Kind::Text,
            "Minute, 0 to 59, as crontab(5) has it (default `*`).",
        ),
        Param::new("hour", Kind::Text, "Hour, 0 to 23 (default `*`)."),
        Param::new("daymonth", Kind::Text, "Day of the month, 1 to 31 (default `*`)."),
        Param::new("month", Kind::Text, "Month, 1 to 12 or its name (default `*`)."),
        Param::new(
            "dayweek",
            Kind::Text,
            "Day of the week, 0 to 7 (both are Sunday) or its name (default `*`).",
        ),
        Param::new(
            "special",
            Kind::Text,
            "`@reboot`, `@hourly`, `@daily` and so on instead of the five fields.",
        ),
        Param::new("comment", Kind::Text, "Remark above the job."),
        Param::new(
            "commented",
            Kind::Flag,
            "Keep the job switched off, behind `#DISABLED#`.",
        ),
        IDENTIFIER,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name().trim();
        let user = user(call);
        let refused = |why: &str| {
            Stop::Failed(format!(
                "Cron {name} for user {user} failed to commit with error \n{why}"
            ))
        };
        let set = |what: &str| format!("Cron {name} is set to be {what}");
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
        let identifier = identifier(call, name);
        let there = table
            .jobs()
            .into_iter()
            .find(|(_, job)| job.is(name, identifier.as_deref()));
        let there = there.map(|(at, job)| (at, job.clone()));
        let now = there.as_ref().map(|(_, job)| job);
        let job = wanted(call, host, name, identifier, now)?;
        if let Some(why) = problem(&job, !table.debian) {
            return Err(refused(&why));
        }
        let (done, would) = match there {
            Some((_, now)) if now == job => return Ok(Plan::met(format!("Cron {name} already present"))),
            Some((at, _)) => {
                table.pieces[at] = Piece::new(What::Job(job));
                (format!("Cron {name} updated"), set("updated"))
            }
            None => {
                table.pieces.push(Piece::new(What::Job(job)));
                (format!("Cron {name} added to {user}'s crontab"), set("added"))
            }
        };
        Ok(Plan::change(vec![table.write(host)], one(user, name), done).or_would(would, Some(Args::new())))
    }
}

/// The job a state declares; a comment that it does not speak of stays.
fn wanted(
    call: &Call<'_>,
    host: &Host<'_>,
    name: &str,
    identifier: Option<String>,
    now: Option<&Job>,
) -> Result<Job, Stop> {
    let job = identifier.as_deref().unwrap_or(name);
    let when = When::wanted(call, host, job, now.map(|now| &now.when))?;
    // As it is read back: what marks a comment is no part of it.
    let comment = call.args().text("comment").map(|text| {
        let lines: Vec<&str> = text
            .trim_end()
            .lines()
            .map(|line| line.trim().trim_start_matches(['#', ' ']))
            .collect();
        lines.join("\n")
    });
    // The line with the identifier is a comment, if an empty one.
    let empty = identifier.as_ref().map(|_| String::new());
    Ok(Job {
        when,
        command: name.to_owned(),
        comment: comment
            .or_else(|| now.and_then(|now| now.comment.clone()))
            .or(empty),
        identifier,
        commented: call.args().flag("commented", false),
    })
}

/// Why the job would spoil its table.
fn problem(job: &Job, tilde: bool) -> Option<String> {
    let lines = |text: &str| text.contains(['\n', '\r', '\0']);
    if job.command.is_empty() || lines(&job.command) {
        return Some("a command is one line".to_owned());
    }
    if job.identifier.as_deref().is_some_and(lines) {
        return Some("an identifier is one line".to_owned());
    }
    if job
        .comment
        .as_deref()
        .is_some_and(|text| text.contains(['\r', '\0']))
    {
        return Some("a comment is text".to_owned());
    }
    job.when.problem(tilde)
}
