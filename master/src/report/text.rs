//! A run as text: per host what changed or failed with its diff, then one line per host, one for the fleet, and the
//! command that would undo it.

use proto::{Cause, Outcome, StateResult, Undone};
use serde_json::Value as Json;

use super::screen::{Screen, Tone, Volume, tame};
use super::{HostResult, Mode, RunResult};

/// Writes the whole run.
pub fn write(screen: &Screen, run: &RunResult) {
    for host in &run.hosts {
        let block = host_block(screen, run.mode, host);
        if !block.is_empty() {
            screen.out(block);
        }
    }
    for host in &run.hosts {
        screen.out(host_line(screen, host));
    }
    screen.out(fleet_line(screen, run));
    if let Some(line) = undo_line(run) {
        screen.out(line);
    }
    for failed in failures(screen, run) {
        screen.out(failed);
    }
    if let Some(command) = run.undo_command() {
        screen.out(format!("undo with: {command}"));
    }
}

/// More changes of a host than these, and more members of a list, are counted and not shown.
const CHANGES: usize = 100;
const MEMBERS: usize = 12;

/// What one host did, state by state; empty when there is nothing worth a line.
fn host_block(screen: &Screen, mode: Mode, host: &HostResult) -> String {
    let mut out = String::new();
    let (mut good, mut left) = (0, 0);
    for state in &host.states {
        let touched = !state.changes.is_empty() || state.result != Some(true);
        if screen.volume == Volume::Quiet || (!touched && screen.volume < Volume::Verbose) {
            continue;
        }
        good += usize::from(state.result != Some(false));
        if good > CHANGES && state.result != Some(false) && screen.volume < Volume::Verbose {
            left += 1;
            continue;
        }
        out.push_str(&state_block(screen, mode, state));
    }
    if left > 0 {
        out.push_str(&format!("  … and {left} more; `-v` shows them\n"));
    }
    if screen.volume > Volume::Quiet {
        out.push_str(&orphans(screen, mode, host));
    }
    for conflict in &host.conflicts {
        out.push_str(&three_ways(screen, conflict));
    }
    for note in &host.notes {
        out.push_str(&format!("  {}\n", tame(note)));
    }
    if out.is_empty() {
        out
    } else {
        format!("{}\n{out}", screen.paint(Tone::Strong, &host.host))
    }
}

/// A conflict: what was there before us, what we left, what is there now; of text files the two diffs.
fn three_ways(screen: &Screen, conflict: &Json) -> String {
    let word = |name: &str| tame(conflict[name].as_str().unwrap_or_default());
    let head = format!("! conflict at {}", word("address"));
    let mut out = format!("  {}\n", screen.paint(Tone::Bad, head));
    for (whose, name) in [
        ("before us", "before_text"),
        ("ours", "ours_text"),
        ("now", "theirs_text"),
    ] {
        indent(&mut out, &format!("{whose:<9} {}", word(name)), 6);
    }
    for (heading, name) in [("what we did:", "ours"), ("what somebody did since:", "theirs")] {
        if let Some(text) = conflict["diff"][name].as_str().filter(|text| !text.is_empty()) {
            indent(&mut out, &screen.paint(Tone::Faint, heading), 6);
            diff(screen, &mut out, text);
        }
    }
    out
}

fn state_block(screen: &Screen, mode: Mode, state: &StateResult) -> String {
    let (mark, tone, word) = match state.result {
        Some(false) if !state.state_ran => ("-", Tone::Faint, "not run"),
        Some(false) => ("✗", Tone::Bad, "failed"),
        None => ("~", Tone::Change, "would change"),
        Some(true) if !state.changes.is_empty() && mode == Mode::Plan => ("~", Tone::Change, "would change"),
        Some(true) if !state.changes.is_empty() => ("*", Tone::Change, "changed"),
        Some(true) if !state.state_ran || state.skip_watch => ("-", Tone::Faint, "skipped"),
        Some(true) => ("=", Tone::Good, "ok"),
    };
    let name = if state.name == state.id {
        tame(&state.id)
    } else {
        format!("{} ({})", tame(&state.id), tame(&state.name))
    };
    let head = format!("{mark} {}.{} {name}", state.state, state.fun);
    let whose = match state.cause {
        Some(Cause::Drift) => ", drift",
        Some(Cause::Yours) | None => "",
    };
    let sls = screen.paint(Tone::Faint, format!("[{}] {word}{whose}", tame(&state.sls)));
    let mut out = format!("  {} {sls}\n", screen.paint(tone, head));
    // Salt's comment on a change says less than the change itself.
    let shown = state.changes.is_empty() || state.result == Some(false) || screen.volume == Volume::Verbose;
    if shown && !state.comment.is_empty() {
        indent(&mut out, &tame(&state.comment), 6);
    }
    if let Some(run) = &state.owed {
        indent(&mut out, &format!("owed since run {}", tame(run)), 6);
    }
    for warning in &state.warnings {
        indent(&mut out, &format!("warning: {}", tame(warning)), 6);
    }
    out.push_str(&changes(screen, &state.changes));
    for note in &state.undo_notes {
        indent(&mut out, &screen.paint(Tone::Change, tame(note)), 6);
    }
    out
}

/// What is left of states that are no longer in the tree, and how many changes are whose.
fn orphans(screen: &Screen, mode: Mode, host: &HostResult) -> String {
    let mut out = String::new();
    for orphan in &host.orphans {
        let word = match (orphan.fate.as_str(), mode) {
            ("restored", Mode::Plan) => "orphan, would be taken back",
            ("restored", _) => "orphan, taken back",
            ("conflict", _) => "orphan, left alone: somebody changed it since",
            ("kept", _) => "orphan, left alone",
            _ => "orphan",
        };
        let head = format!(
            "? {} {} ({})",
            orphan.state,
            tame(&orphan.id),
            tame(&orphan.address)
        );
        let rest = screen.paint(Tone::Faint, format!("[{}] {word}", tame(&orphan.sls)));
        out.push_str(&format!("  {} {rest}\n", screen.paint(Tone::Change, head)));
        if !orphan.note.is_empty() && orphan.fate != "conflict" {
            indent(&mut out, &tame(&orphan.note), 6);
        }
    }
    let count = |cause| {
        host.states
            .iter()
            .filter(|state| state.cause == Some(cause))
            .count()
    };
    let (yours, drift) = (count(Cause::Yours), count(Cause::Drift));
    if drift > 0 || !host.orphans.is_empty() {
        let loose = host.orphans.iter().any(|orphan| orphan.fate.is_empty());
        let hint = if loose { " (--prune takes them back)" } else { "" };
        let told = format!(
            "yours {yours}, drift {drift}, orphans {}{hint}",
            host.orphans.len()
        );
        out.push_str(&format!("  {}\n", screen.paint(Tone::Strong, told)));
    }
    out
}

/// Salt's `changes` as indented lines, diffs coloured.
pub fn changes(screen: &Screen, changes: &serde_json::Map<String, Json>) -> String {
    let mut out = String::new();
    for (key, value) in changes {
        match value {
            Json::String(text) if key == "diff" && text.contains('\n') => diff(screen, &mut out, text),
            Json::String(text) if text.contains('\n') => {
                indent(&mut out, &format!("{}:", tame(key)), 6);
                indent(&mut out, &tame(text), 8);
            }
            Json::String(text) => indent(&mut out, &format!("{}: {}", tame(key), tame(text)), 6),
            Json::Object(map) if map.contains_key("old") && map.contains_key("new") && map.len() == 2 => {
                let side = |name: &str| map.get(name).map(scalar).unwrap_or_else(|| "nothing".to_owned());
                indent(
                    &mut out,
                    &format!("{}: {} → {}", tame(key), side("old"), side("new")),
                    6,
                );
            }
            Json::Array(members) if members.len() > MEMBERS && screen.volume < Volume::Verbose => {
                let first: Vec<String> = members.iter().take(MEMBERS - 2).map(scalar).collect();
                let left = members.len() - first.len();
                let text = format!("{}: {}, … and {left} more", tame(key), first.join(", "));
                indent(&mut out, &text, 6);
            }
            other => indent(
                &mut out,
                &format!("{}: {}", tame(key), tame(&other.to_string())),
                6,
            ),
        }
    }
    out
}

fn scalar(value: &Json) -> String {
    match value {
        Json::String(text) if text.is_empty() => "nothing".to_owned(),
        Json::String(text) => tame(text),
        other => tame(&other.to_string()),
    }
}

/// A unified diff with its added and removed lines coloured.
pub fn diff(screen: &Screen, out: &mut String, text: &str) {
    for line in tame(text).lines() {
        let painted = match line.as_bytes().first() {
            Some(b'+') => screen.paint(Tone::Added, line),
            Some(b'-') => screen.paint(Tone::Removed, line),
            Some(b'@') => screen.paint(Tone::Faint, line),
            _ => line.to_owned(),
        };
        indent(out, &painted, 6);
    }
}

fn indent(out: &mut String, text: &str, by: usize) {
    for line in text.lines() {
        out.push_str(&" ".repeat(by));
        out.push_str(line);
        out.push('\n');
    }
}

/// `web1 ok=41 changed=3 failed=0 skipped=0 1.8s`.
fn host_line(screen: &Screen, host: &HostResult) -> String {
    let totals = host.totals();
    let (tone, word) = match host.outcome {
        Outcome::Ok => (Tone::Good, ""),
        Outcome::Changed => (Tone::Change, ""),
        Outcome::Failed => (Tone::Bad, ""),
        Outcome::Unreachable => (Tone::Bad, " unreachable"),
        Outcome::Unknown => (Tone::Bad, " unknown"),
        Outcome::Refused => (Tone::Bad, " refused"),
        Outcome::RolledBack => (Tone::Change, " rolled back"),
    };
    let seconds = host.duration_ms as f64 / 1000.0;
    format!(
        "{} ok={} changed={} failed={} skipped={} {seconds:.1}s{word}",
        screen.paint(tone, &host.host),
        totals.ok,
        totals.changed,
        totals.failed,
        totals.skipped,
    )
}

fn fleet_line(screen: &Screen, run: &RunResult) -> String {
    let many = if run.hosts.len() == 1 { "host" } else { "hosts" };
    let mut parts = vec![format!("{} {many}", run.hosts.len())];
    for (outcome, word) in [
        (Outcome::Ok, "ok"),
        (
            Outcome::Changed,
            if run.mode == Mode::Plan {
                "would change"
            } else {
                "changed"
            },
        ),
        (Outcome::RolledBack, "rolled back"),
        (Outcome::Failed, "failed"),
        (Outcome::Refused, "refused"),
        (Outcome::Unreachable, "unreachable"),
        (Outcome::Unknown, "unknown"),
    ] {
        let count = run.count(outcome);
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let commit = if run.commit.is_empty() {
        String::new()
    } else {
        format!(" at {}", short(&run.commit))
    };
    screen.paint(
        Tone::Strong,
        format!("{} {}{commit}: {}", run.mode.word(), run.run, parts.join(", ")),
    )
}

/// In a plan how well its changes could be undone, where not all of them exactly (J5).
fn undo_line(run: &RunResult) -> Option<String> {
    let grades: Vec<Undone> = run
        .hosts
        .iter()
        .flat_map(|host| &host.states)
        .filter_map(|state| state.undo)
        .collect();
    if run.mode != Mode::Plan || grades.iter().all(|grade| *grade == Undone::Exact) {
        return None;
    }
    let parts = [
        (Undone::Exact, "exactly"),
        (Undone::Kept, "as long as the package files are kept"),
        (Undone::Compensated, "with a difference"),
        (Undone::Lost, "not at all"),
    ];
    let told: Vec<String> = parts
        .iter()
        .map(|(grade, words)| (grades.iter().filter(|one| *one == grade).count(), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    Some(format!("could be undone: {}", told.join(", ")))
}

fn short(commit: &str) -> &str {
    if commit.len() == 40 {
        commit.get(..12).unwrap_or(commit)
    } else {
        commit
    }
}

/// What failed where, one line each, with the way out.
fn failures(screen: &Screen, run: &RunResult) -> Vec<String> {
    let mut lines = Vec::new();
    for host in &run.hosts {
        if let Some((cause, help)) = &host.error {
            let cause = screen.paint(Tone::Bad, format!("{}: {}", host.host, tame(cause)));
            lines.push(match help {
                Some(help) => format!("{cause}\n  help: {}", tame(help)),
                None => cause,
            });
        }
        for state in host
            .states
            .iter()
            .filter(|state| state.result == Some(false) && state.state_ran)
        {
            let first = state.comment.lines().next().unwrap_or_default();
            let place = format!(
                "{}: {}.{} {} [{}]",
                host.host,
                state.state,
                state.fun,
                tame(&state.id),
                tame(&state.sls)
            );
            lines.push(format!("{}: {}", screen.paint(Tone::Bad, place), tame(first)));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Traffic;
    use serde_json::json;

    fn screen() -> Screen {
        Screen {
            json: false,
            color: false,
            volume: Volume::Normal,
            live: false,
        }
    }

    fn state(id: &str, result: Option<bool>, changes: Json) -> StateResult {
        let chunk = proto::ChunkId {
            state: "file".into(),
            id: id.into(),
            name: id.into(),
            fun: "managed".into(),
        };
        let mut state = StateResult::met(&chunk, "web");
        state.result = result;
        state.changes = changes.as_object().cloned().unwrap_or_default();
        state.comment = "Source file salt://x not found".to_owned();
        state
    }

    #[test]
    fn a_host_reads_top_down() {
        let host = HostResult {
            host: "web1".into(),
            outcome: Outcome::Failed,
            generation: Some(2),
            previous_generation: Some(1),
            duration_ms: 1840,
            states: vec![
                state("/etc/ok", Some(true), json!({})),
                state(
                    "/etc/motd",
                    Some(true),
                    json!({"diff": "--- \n+++ \n@@ -1 +1 @@\n-a\n+b\n", "mode": "0644"}),
                ),
                state("/etc/bad", Some(false), json!({})),
            ],
            error: None,
            notes: Vec::new(),
            compiled: false,
            traffic: Traffic::default(),
            peak_rss_kib: 0,
            cpu_ms: 0,
            orphans: Vec::new(),
            conflicts: Vec::new(),
        };
        let block = host_block(&screen(), Mode::Apply, &host);
        assert_eq!(
            block,
            "web1\n  * file.managed /etc/motd [web] changed\n      --- \n      +++ \n      @@ -1 +1 @@\n      -a\n      +b\n      mode: 0644\n  ✗ file.managed /etc/bad [web] failed\n      Source file salt://x not found\n"
        );
        let many = HostResult {
            states: (0..150)
                .map(|n| state("/d", Some(true), json!({ "list": (0..n).collect::<Vec<_>>() })))
                .collect(),
            ..host.clone()
        };
        let block = host_block(&screen(), Mode::Apply, &many);
        assert!(block.ends_with("  … and 50 more; `-v` shows them\n"), "{block}");
        assert!(block.contains("      list: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, … and 3 more\n"));
        assert_eq!(
            host_line(&screen(), &host),
            "web1 ok=1 changed=1 failed=1 skipped=0 1.8s"
        );
        let run = RunResult {
            run: "01J".into(),
            commit: "a".repeat(40),
            mode: Mode::Apply,
            hosts: vec![host],
            target: "*".into(),
        };
        assert_eq!(
            fleet_line(&screen(), &run),
            "apply 01J at aaaaaaaaaaaa: 1 host, 1 failed"
        );
        assert_eq!(undo_line(&run), None);
        let undone = |grade, notes: &[&str]| {
            let mut state = state("/a", None, json!({"x": "y"}));
            state.undo = Some(grade);
            state.undo_notes = notes.iter().map(|&note| note.to_owned()).collect();
            state
        };
        let planned = RunResult {
            mode: Mode::Plan,
            hosts: vec![HostResult {
                states: vec![
                    undone(Undone::Exact, &[]),
                    undone(Undone::Exact, &[]),
                    undone(Undone::Lost, &["cannot be undone: data"]),
                ],
                ..run.hosts[0].clone()
            }],
            ..run.clone()
        };
        assert_eq!(
            undo_line(&planned).as_deref(),
            Some("could be undone: 2 exactly, 1 not at all")
        );
        assert!(
            host_block(&screen(), Mode::Plan, &planned.hosts[0])
                .ends_with("      x: y\n      cannot be undone: data\n")
        );
        assert_eq!(
            failures(&screen(), &run),
            ["web1: file.managed /etc/bad [web]: Source file salt://x not found"]
        );
        assert_eq!(run.undo_command().as_deref(), Some("salt-rs rollback --run 01J"));
    }
}
