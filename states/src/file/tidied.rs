//! `file.tidied`: what is old or large in a directory goes.
//!
//! A state has no clock, and addresses have no access times: `find` and `date` of the host tell both in one question.

use proto::{Command, Question};

use super::place;
use crate::plan::one;
use crate::regex::{self, Flags};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `file.tidied`.
#[derive(Debug)]
pub struct Tidied;

static SPEC: Spec = Spec {
    state: "file",
    fun: "tidied",
    doc: "Remove from a directory what is old or large.\n\nWithout `age` and `size` everything goes that `matches`; `age: 7` \
          alone still takes every file, because each is at least 0 bytes large: say `age_size_only: age`.",
    params: &[
        Param::new("age", Kind::Number, "Days since it was last used (default 0)."),
        Param::new("size", Kind::Any, "Bytes, or a text such as `10M` (default 0)."),
        Param::new(
            "age_size_logical_operator",
            Kind::Text,
            "`OR` (default): old or large; `AND`: both.",
        ),
        Param::new(
            "age_size_only",
            Kind::Text,
            "Look at the `age` alone, or at the `size`.",
        ),
        Param::new(
            "time_comparison",
            Kind::Text,
            "Which time tells the age: `atime` (default), `mtime` or `ctime`.",
        ),
        Param::new(
            "matches",
            Kind::List,
            "Regular expressions; a name must begin with what one matches.",
        ),
        Param::new("exclude", Kind::List, "Regular expressions of names that stay."),
        Param::new(
            "full_path_match",
            Kind::Flag,
            "Match the path instead of the name.",
        ),
        Param::new(
            "rmdirs",
            Kind::Flag,
            "Remove directories too, with all that is in them.",
        ),
        Param::new("rmlinks", Kind::Flag, "Remove symbolic links too (default true)."),
        Param::new("followlinks", Kind::Flag, "Not supported: going through links."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

/// Today, then kind, size, day and path of everything in a directory, what is in a directory before it.
const LOOK: &str = "date +%Y-%m-%d; exec find \"$1\" -mindepth 1 -depth -printf \"%y %s $2 %p\\\\0\"";

/// One line of that.
struct Entry<'a> {
    kind: &'a str,
    size: u64,
    day: i64,
    path: &'a str,
}

impl State for Tidied {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let given = call.name();
        let name = place::name(call, host)?;
        if args.flag("followlinks", false) {
            return Err(Stop::failed("followlinks is not supported"));
        }
        if !matches!(host.follow(&name)?, proto::Value::Dir { .. }) {
            return Err(Stop::Failed(format!(
                "{given} does not exist or is not a directory."
            )));
        }
        let time = match args
            .text("time_comparison")
            .unwrap_or_default()
            .to_lowercase()
            .as_str()
        {
            "mtime" => "T",
            "ctime" => "C",
            _ => "A",
        };
        let day = format!("%{time}Y-%{time}m-%{time}d");
        let look = ["/bin/sh", "-c", LOOK, "sh", &format!("{name}/"), &day];
        let said = host.command(Command::program(&look))?;
        if said.code != 0 {
            return Err(Stop::Failed(format!(
                "cannot look through {name}: {}",
                said.stderr
            )));
        }
        let (today, entries) = said.stdout.split_once('\n').unwrap_or_default();
        let today = days(today).unwrap_or_default();
        let mut gone: Vec<String> = Vec::new();
        for entry in entries.split('\0').filter_map(entry) {
            if due(call, &entry, today)? {
                let below = entry
                    .path
                    .trim_start_matches(name.as_str())
                    .trim_start_matches('/');
                gone.push(crate::paths::join(&name, below));
            }
        }
        host.expect(
            gone.iter()
                .map(|path| Question::Read(proto::Address::Path(path.clone()))),
        );
        // What an earlier state of a plan would have removed is there still for `find`.
        let mut there = Vec::new();
        for path in gone {
            if !host.path(&path)?.is_absent() {
                there.push(path);
            }
        }
        let gone = there;
        if gone.is_empty() {
            return Ok(Plan::met(format!("Nothing to remove from directory {given}")));
        }
        let mut acts = Vec::new();
        for path in &gone {
            let inside = |dir: &String| crate::paths::below(path, dir).is_some_and(|below| !below.is_empty());
            if !gone.iter().any(inside) {
                acts.extend(place::remove(path, host.path(path)?));
            }
        }
        let count = gone.len();
        let comment = format!("Removed {count} files or directories from directory {given}");
        Ok(Plan::change(acts, one("removed", gone), comment)
            .or_would(format!("{given} is set for tidy"), None))
    }
}

/// Whether something goes.
fn due(call: &Call<'_>, entry: &Entry<'_>, today: i64) -> Result<bool, Stop> {
    let args = call.args();
    let takes = match entry.kind {
        "d" => args.flag("rmdirs", false),
        "l" => args.flag("rmlinks", true),
        _ => true,
    };
    let old = (today - entry.day).abs() >= args.number("age")?.unwrap_or(0);
    let sized = if matches!(entry.kind, "d" | "l") {
        0
    } else {
        entry.size
    };
    let large = sized >= bytes(&args.text("size").unwrap_or_default());
    let word = |key: &str| args.text(key).unwrap_or_default().to_lowercase();
    let due = match (
        word("age_size_only").as_str(),
        word("age_size_logical_operator").as_str(),
    ) {
        ("age", _) => old,
        ("size", _) => large,
        (_, "and") => old && large,
        _ => old || large,
    };
    if !takes || !due {
        return Ok(false);
    }
    let name = if args.flag("full_path_match", false) {
        entry.path
    } else {
        crate::paths::base(entry.path)
    };
    let fits = |patterns: Vec<String>| -> Result<bool, Stop> {
        for pattern in patterns {
            if regex::found(
                &regex::compile(&format!(r"\A(?:{pattern})"), Flags::default())?,
                name,
            )? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    let all = args.any("matches").is_none();
    Ok((all || fits(args.texts("matches"))?) && !fits(args.texts("exclude"))?)
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let mut parts = line.splitn(4, ' ');
    Some(Entry {
        kind: parts.next()?,
        size: parts.next()?.parse().ok()?,
        day: days(parts.next()?)?,
        path: parts.next()?,
    })
}

/// The number of a day of the Gregorian calendar, from `YEAR-MONTH-DAY`.
fn days(date: &str) -> Option<i64> {
    let mut parts = date.trim().splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    // Years that begin in March have their leap day last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day)
}

/// Bytes from a whole number with a unit: `10`, `10K`, `15GiB`, `2MB`.
fn bytes(text: &str) -> u64 {
    let text = text.trim().to_uppercase();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim();
    let power = unit
        .chars()
        .next()
        .and_then(|c| "KMGTP".find(c))
        .map_or(0, |at| at + 1);
    let base: u64 = if power > 0 && unit.len() == 2 { 1000 } else { 1024 };
    let size: u64 = number.parse().unwrap_or(0);
    (0..power).fold(size, |size, _| size.saturating_mul(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_sizes() {
        let between = |a: &str, b: &str| days(b).expect(b) - days(a).expect(a);
        assert_eq!(between("2024-02-28", "2024-03-01"), 2);
        assert_eq!(between("2023-12-31", "2024-01-01"), 1);
        assert_eq!(between("1970-01-01", "2000-01-01"), 10957);
        assert_eq!(bytes("10"), 10);
        assert_eq!(bytes("2K"), 2048);
        assert_eq!(bytes("2KB"), 2000);
        assert_eq!(bytes("3MiB"), 3_145_728);
        assert_eq!(bytes(""), 0);
    }
}
