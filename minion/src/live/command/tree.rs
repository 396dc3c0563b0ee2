//! Ending a whole tree of processes: the group, the descendants, and whoever carries the command's mark.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Sends TERM to all, waits for them at most `grace`, sends KILL to what is left.
pub(super) fn end(child: &mut Child, mark: &str, grace: Duration) {
    signal(child.id(), mark, Signal::TERM);
    let until = Instant::now() + grace;
    loop {
        let main_ended = matches!(child.try_wait(), Ok(Some(_)) | Err(_));
        if (main_ended && members(child.id(), mark).is_empty()) || Instant::now() >= until {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    // Until none is left: something may be forked between looking and killing, and dying takes a moment.
    let until = Instant::now() + grace;
    while !members(child.id(), mark).is_empty() && Instant::now() < until {
        signal(child.id(), mark, Signal::KILL);
        // Reaped here or by the caller, it is the same child.
        child.try_wait().ok();
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn signal(leader: u32, mark: &str, signal: Signal) {
    let all = members(leader, mark);
    if let Some(group) = pid(leader) {
        // Gone already is as good.
        kill_process_group(group, signal).ok();
    }
    for member in all {
        if let Some(member) = pid(member) {
            kill_process(member, signal).ok();
        }
    }
}

fn pid(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}

/// Living processes of the tree.
fn members(leader: u32, mark: &str) -> BTreeSet<u32> {
    let mut parents = BTreeMap::new();
    let mut members = BTreeSet::new();
    let needle = format!("{}={mark}", super::MARK);
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Some((parent, group)) = stat(id) else { continue };
        parents.insert(id, parent);
        let marked = || {
            std::fs::read(format!("/proc/{id}/environ")).is_ok_and(|bytes| {
                bytes
                    .split(|&byte| byte == 0)
                    .any(|entry| entry == needle.as_bytes())
            })
        };
        if id == leader || group == leader || marked() {
            members.insert(id);
        }
    }
    // Children of members, to any depth.
    loop {
        let more: Vec<u32> = parents
            .iter()
            .filter(|(id, parent)| !members.contains(id) && members.contains(parent))
            .map(|(id, _)| *id)
            .collect();
        if more.is_empty() {
            return members;
        }
        members.extend(more);
    }
}

/// Whether anything still runs that an agent process had started.
pub(super) fn of_process(process: u32) -> bool {
    let needle = format!("{}={process}-", super::MARK);
    let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let marked = |id: u32| {
        std::fs::read(format!("/proc/{id}/environ")).is_ok_and(|bytes| {
            bytes
                .split(|&byte| byte == 0)
                .any(|entry| entry.starts_with(needle.as_bytes()))
        })
    };
    numbers.into_iter().any(|id| stat(id).is_some() && marked(id))
}

/// Parent and group of a process that is not a zombie.
fn stat(id: u32) -> Option<(u32, u32)> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name is in parentheses and may hold anything.
    let mut words = text.rsplit_once(')')?.1.split_whitespace();
    let state = words.next()?;
    let parent = words.next()?.parse().ok()?;
    let group = words.next()?.parse().ok()?;
    (state != "Z" && state != "X").then_some((parent, group))
}
