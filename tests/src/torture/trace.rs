//! Calls of the agent that change something, one after the other, and what is to happen at one of them.

use std::collections::BTreeMap;

/// Calls that change a file system, wait for a program, or make what was written durable. Between two of them nothing changes.
pub const CALLS: &[&str] = &[
    "openat",
    "write",
    "writev",
    "pwrite64",
    "ftruncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
    "fsync",
    "fdatasync",
    "syncfs",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utimensat",
    "setxattr",
    "fsetxattr",
    "lsetxattr",
    "removexattr",
    "fremovexattr",
    "lremovexattr",
    "mount",
    "umount2",
    "sethostname",
    "wait4",
    "pipe2",
    "flock",
];

/// Where a list of calls ends up that changes nothing on the disk: standard output, reads.
fn idle(name: &str, rest: &str) -> bool {
    match name {
        "openat" => !rest.contains("O_CREAT") && !rest.contains("O_TRUNC") && !rest.contains("O_WRONLY"),
        "write" | "writev" => rest.starts_with("1,") || rest.starts_with("2,"),
        // Pipes and locks leave nothing behind: they only can fail.
        "pipe2" | "flock" => true,
        _ => false,
    }
}

/// One call of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its name.
    pub name: String,
    /// The how manieth of that name it is, from 1: what strace counts.
    pub nth: usize,
    /// How it reads, shortened.
    pub text: String,
    /// Whether it changes something.
    pub changes: bool,
}

/// The calls of a trace in order.
pub fn calls(trace: &str) -> Vec<Call> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for line in trace.lines() {
        let Some((name, rest)) = line.split_once('(') else {
            continue;
        };
        if !CALLS.contains(&name) {
            continue;
        }
        let nth = counts.entry(name.to_owned()).or_default();
        *nth += 1;
        found.push(Call {
            name: name.to_owned(),
            nth: *nth,
            text: line.chars().take(110).collect(),
            changes: !idle(name, rest),
        });
    }
    found
}

/// What is to happen at a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inject {
    /// Which.
    pub call: Call,
    /// strace's words for it: `signal=KILL`, `error=ENOSPC`.
    pub what: String,
    /// `+` where it goes on happening at every later call of that name.
    pub again: &'static str,
}

impl Inject {
    /// Arguments for strace.
    pub fn arguments(&self) -> String {
        let Call { name, nth, .. } = &self.call;
        format!(
            "-e trace={name} -e inject={name}:{}:when={nth}{}",
            self.what, self.again
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_by_name() {
        let trace = "openat(AT_FDCWD, \"/a\", O_RDONLY) = 3\nopenat(AT_FDCWD, \"/b\", O_WRONLY|O_CREAT, 0600) = 4\n\
            write(1, \"x\", 1) = 1\nwrite(4, \"x\", 1) = 1\nfsync(4) = 0\n+++ exited with 0 +++\n";
        let found = calls(trace);
        let short: Vec<_> = found
            .iter()
            .map(|call| (call.name.as_str(), call.nth, call.changes))
            .collect();
        assert_eq!(
            short,
            [
                ("openat", 1, false),
                ("openat", 2, true),
                ("write", 1, false),
                ("write", 2, true),
                ("fsync", 1, true)
            ]
        );
    }
}
