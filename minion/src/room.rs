//! No room for the pre-images means no change (J3): looked at before a run's first act, bytes named.
//!
//! Each act is looked at again when its pre-image is taken (`live`); what is here keeps a run from being begun that would
//! have to stop in the middle.

use proto::{Catalog, Entry, Problem, ProblemKind, Value};

use crate::converge::{Goal, Run, converge};
use crate::dry::Dry;
use crate::journal::objects::Objects;
use crate::journal::{Journal, Record};
use crate::system::System;

/// Free bytes from which on nothing is counted.
const PLENTY: u64 = 256 << 20;
/// Bytes that stay free beside what the journal needs: the end of the run must always find room.
pub const RESERVE: u64 = 1 << 20;

/// Refuses a run whose pre-images and entries would not find room. Only where little is free, all of it is planned once
/// more to be counted. Trees that go and package files are counted when their turn comes.
///
/// # Errors
/// What is needed, and what is free.
pub fn before_run<S: System>(
    journal: &Journal,
    system: &mut S,
    catalog: &Catalog,
    how: Run<'_>,
) -> Result<(), Problem> {
    let place = journal.dir().display();
    let free = rustix::fs::statvfs(journal.dir())
        .map(|found| found.f_bavail * found.f_frsize)
        .map_err(|error| {
            Problem::new(
                ProblemKind::Refused,
                format!("cannot tell the free space of {place}: {error}"),
            )
        })?;
    if free >= PLENTY {
        return Ok(());
    }
    let mut count = Count {
        objects: journal.objects(),
        bytes: 0,
    };
    let how = Run {
        goal: Goal::Plan,
        ..how
    };
    let ended = converge(&mut Dry::new(system), catalog, how, &mut count);
    // Where one act alone has no room its own words say so.
    let one = ended
        .states
        .iter()
        .find(|state| state.result == Some(false) && state.comment.starts_with("no room at "));
    if let Some(state) = one {
        let text = format!("{}; nothing was changed", state.comment);
        return Err(Problem::new(ProblemKind::Refused, text));
    }
    if count.bytes == 0 || free >= count.bytes.saturating_add(RESERVE) {
        return Ok(());
    }
    let needed = count.bytes;
    Err(Problem::new(
        ProblemKind::Refused,
        format!(
            "no room at {place}: {needed} bytes are needed to keep what would be changed (and {RESERVE} kept free), {free} are \
             free; nothing was changed"
        ),
    ))
}

/// Counts what a run would write to the journal.
struct Count<'a> {
    objects: &'a Objects,
    bytes: u64,
}

impl Record for Count<'_> {
    fn append(&mut self, entry: &Entry) -> Result<(), Problem> {
        let Entry::Intent { before, .. } = entry else {
            return Ok(());
        };
        // An act is written before and after it.
        self.bytes += 2 * serde_json::to_vec(entry).map_or(0, |text| text.len() as u64);
        for image in before {
            if let Value::File { content, size, .. } = &image.was
                && !self.objects.has(content)
            {
                self.bytes += size;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "the test makes and fills its own file system"
)]
mod tests {
    use super::*;
    use crate::journal::lock::Lock;
    use crate::journal::recover;
    use crate::live::Live;
    use crate::probe::{self, catalog, path, set};
    use crate::runs::{self, Job};
    use crate::scratch::Scratch;
    use crate::undo::rollback::{Request, rollback};
    use proto::frame::{BackTo, Rollback};
    use proto::{Meta, Outcome, Report, RunHeader};
    use std::fs;
    use std::path::Path;

    /// A file system of a few megabytes, unmounted when dropped.
    struct Small(Scratch);

    impl Small {
        fn new() -> Self {
            let scratch = Scratch::new();
            let point = scratch.path("small");
            fs::create_dir(&point).expect("room");
            let small = Self(scratch);
            let mut mount = std::process::Command::new("mount");
            let done = mount
                .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
                .arg(&point)
                .status();
            assert!(done.expect("mount").success());
            small
        }

        fn path(&self) -> std::path::PathBuf {
            self.0.path("small")
        }
    }

    impl Drop for Small {
        fn drop(&mut self) {
            std::process::Command::new("umount")
                .arg(self.path())
                .status()
                .ok();
        }
    }

    fn value(live: &mut Live, bytes: &[u8]) -> Value {
        Value::File {
            content: live.objects().put(bytes).expect("room"),
            size: bytes.len() as u64,
            meta: Meta {
                mode: 0o644,
                uid: 0,
                gid: 0,
                ..Meta::default()
            },
        }
    }

    fn apply(journal: &Journal, live: &mut Live, tree: &Catalog, run: &str) -> Result<Report, String> {
        let header = RunHeader {
            run: run.into(),
            scope: "*".into(),
            ..RunHeader::default()
        };
        let job = Job {
            header,
            catalog: tree,
            find: probe::find,
            cancelled: &|| false,
            prune: false,
        };
        let lock = Lock::take(journal.dir(), run).map_err(|error| error.to_string())?;
        runs::apply(journal, live, job, lock, &mut |_| {}).map_err(|error| error.to_string())
    }

    /// The file system is filled to the brim, and then a little less so, from no room at all to room enough.
    #[test]
    fn without_room_nothing_is_changed_and_with_room_it_goes_on() {
        if !rustix::process::geteuid().is_root() {
            return; // Mounting is root's; the suite runs as root.
        }
        let small = Small::new();
        let host = Scratch::new();
        fs::create_dir(host.path("etc")).expect("room");
        let old: Vec<Vec<u8>> = (0_u8..3).map(|n| vec![b'a' + n; 300_000]).collect();
        let files: Vec<_> = (0..3).map(|n| host.path(&format!("etc/{n}"))).collect();
        let (mut refused, mut done) = (0, 0);
        for left in (0..52).map(|step| (step * 64) << 10) {
            let dir = small.path().join("state");
            fs::remove_dir_all(&dir).ok();
            for (file, bytes) in files.iter().zip(&old) {
                fs::write(file, bytes).expect("room");
            }
            let journal = Journal::open(&dir).expect("room");
            let mut live = Live::at(journal.objects().clone(), host.root());
            let new = value(&mut live, b"new");
            let chunks = (0..3).map(|n| set(&format!("{n}"), &[(path(&format!("/etc/{n}")), new.clone())]));
            let tree = catalog(chunks.collect());
            fill(&small.path().join("fill"), left);
            let told = apply(&journal, &mut live, &tree, "one");
            let now: Vec<Vec<u8>> = files
                .iter()
                .map(|file| fs::read(file).expect("readable"))
                .collect();
            match told {
                Ok(report) if report.outcome == Outcome::Changed => {
                    assert!(now.iter().all(|bytes| bytes == b"new"), "{left}");
                    done += 1;
                }
                told => {
                    // Not one of them, and it says how many bytes were needed and were there.
                    assert!(now == old, "{left}: {told:?}");
                    if let Ok(report) = &told {
                        assert_eq!(report.outcome, Outcome::Refused, "{left}: {report:?}");
                        let text = &report.notes[0];
                        let numbers = text
                            .split(|c: char| !c.is_ascii_digit())
                            .filter(|word| word.len() > 5);
                        assert!(numbers.count() >= 2 && text.contains("no room"), "{text}");
                    }
                    assert!(journal.runs().expect("readable").is_empty(), "{left}");
                    refused += 1;
                }
            }
            // With room again it goes on, and back.
            fs::remove_file(small.path().join("fill")).expect("there");
            recover::recover(&journal, &mut live).expect("a sound journal");
            let report = apply(&journal, &mut live, &tree, "two").expect("room");
            assert!(
                matches!(report.outcome, Outcome::Changed | Outcome::Ok),
                "{left}: {report:?}"
            );
            let want = Rollback {
                run: "back".into(),
                to: BackTo::Generation(0),
                ..Rollback::default()
            };
            let request = Request {
                want: &want,
                master: "",
                cancelled: &|| false,
            };
            let lock = Lock::take(journal.dir(), "back").expect("nobody else");
            let back = rollback(&journal, &mut live, &request, lock, &mut |_| {}).expect("room");
            assert_eq!(back.outcome, Outcome::RolledBack, "{left}: {back:?}");
            let now: Vec<Vec<u8>> = files
                .iter()
                .map(|file| fs::read(file).expect("readable"))
                .collect();
            assert!(now == old, "{left}");
        }
        assert!(refused > 5 && done > 5, "{refused} refused, {done} done");
    }

    /// Leaves so many bytes free.
    fn fill(path: &Path, left: u64) {
        let about = rustix::fs::statvfs(path.parent().expect("a folder")).expect("mounted");
        let free = about.f_bavail * about.f_frsize;
        let bytes = vec![0; usize::try_from(free.saturating_sub(left)).expect("small")];
        fs::write(path, bytes).expect("as much as is free");
    }
}
