//! Mounted file systems and swap. What is there is what `/proc/self/mountinfo` and `/proc/swaps` say; mount(8), umount(8),
//! swapon(8) and swapoff(8) change it.
//!
//! The kernel does not show everything mount(8) was told (a key file for sshfs, `_netdev`), so what we told it is kept
//! beside the object store, and for other people's mounts the line of /etc/fstab stands for it. Nothing is ever unmounted
//! lazily: a mount that is in use stays, and whoever uses it is named.

mod table;

use std::path::Path;

use proto::{
    Address, Asked, Change, Command, Digest, Fidelity, Mount, Performed, PreImage, Problem, ProblemKind,
    Value,
};

use super::command::{ending, shown};
use super::{Live, as_expected, botched, failed, refused};
use crate::meets::meets;
use crate::system::Botched;

/// Where what mount(8) was told is kept.
const KEPT: &str = "mounts";
/// Time limit of one mount or unmount, in seconds: a server that does not answer must not hold a run for ever.
const LIMIT: u64 = 120;

impl Live {
    /// What is mounted at a path.
    pub(crate) fn read_mount(&self, path: &str) -> Result<Value, Problem> {
        let text = self
            .text("/proc/self/mountinfo")
            .ok_or_else(|| refused("cannot read /proc/self/mountinfo"))?;
        let Some(mut mount) = table::at(&text, path) else {
            return Ok(Value::Absent);
        };
        mount.asked = self.told_for(path, &mount).or_else(|| {
            let fstab = self.text("/etc/fstab").unwrap_or_default();
            table::line(&fstab, path)
        });
        Ok(Value::Mount(mount))
    }

    /// What we told mount(8), where what is mounted there is what we mounted.
    fn told_for(&self, path: &str, live: &Mount) -> Option<Asked> {
        let kept = self.kept_beside(KEPT, &kept_name(path))?;
        let (seen, asked): (Mount, Asked) = serde_json::from_slice(&kept).ok()?;
        // Before the first mount nobody knows what the kernel will say.
        let same = seen.device.is_empty() || (&seen.device, &seen.fstype) == (&live.device, &live.fstype);
        same.then_some(asked)
    }

    fn keep_told(&self, path: &str, seen: &Mount, asked: &Asked) -> Result<(), Problem> {
        let text = serde_json::to_vec(&(seen, asked)).unwrap_or_default();
        self.keep_beside(KEPT, &kept_name(path), &text)
            .map_err(|error| refused(format!("cannot keep how {path} is mounted: {error}")))
    }

    /// A swap area: its type, size in KiB and priority.
    pub(crate) fn read_swap(&self, path: &str) -> Result<Value, Problem> {
        let text = self.text("/proc/swaps").unwrap_or_default();
        let found = text.lines().skip(1).find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [at, kind, size, _, priority] if table::plain(at) == path => {
                    Some(format!("{kind} {size} {priority}"))
                }
                _ => None,
            }
        });
        Ok(found.map_or(Value::Absent, Value::Text))
    }

    fn mounted(&self, at: &Address) -> Result<Value, Problem> {
        match at {
            Address::Swap(path) => self.read_swap(path),
            Address::Mount(path) => self.read_mount(path),
            other => Err(refused(format!("{other} is no mount"))),
        }
    }

    pub(crate) fn observe_mounted(
        &self,
        at: &Address,
        expect: &Value,
        to: &Value,
    ) -> Result<Vec<PreImage>, Problem> {
        let was = self.mounted(at)?;
        as_expected(&at.to_string(), &was, expect, to)?;
        let fidelity = match &was {
            Value::Mount(mount) if mount.asked.is_none() && mount.bind.is_empty() => {
                Fidelity::Compensated(format!(
                    "{at} is mounted again with the options the kernel shows, {}",
                    mount.options
                ))
            }
            _ => Fidelity::Exact,
        };
        let fidelity = match &was {
            Value::Mount(mount) if volatile(mount) && to.is_absent() => Fidelity::Compensated(format!(
                "what lies in the {} of {at} does not come back",
                mount.fstype
            )),
            _ => fidelity,
        };
        Ok(vec![PreImage {
            at: at.clone(),
            was,
            fidelity,
        }])
    }

    pub(crate) fn assign_mounted(
        &self,
        at: &Address,
        expect: &Value,
        to: &Value,
    ) -> Result<Performed, Box<Botched>> {
        let was = self.mounted(at)?;
        as_expected(&at.to_string(), &was, expect, to)?;
        let done = match (at, &was, to) {
            _ if meets(to, &was) => Ok(()),
            (Address::Swap(path), _, to) => {
                let program = if to.is_absent() { "swapoff" } else { "swapon" };
                self.told_to(&[program, path], "").map(drop)
            }
            (Address::Mount(path), Value::Absent, Value::Mount(new)) => self.mount(path, new),
            (Address::Mount(path), Value::Mount(old), Value::Absent) => self.unmount(path, old),
            (Address::Mount(path), Value::Mount(old), Value::Mount(new)) => self.mount_anew(path, old, new),
            _ => Err(refused(format!("{at} cannot become {}", super::path::told(to)))),
        };
        let after = self.mounted(at)?;
        let mut changes = Vec::new();
        if after != was {
            changes.push(Change {
                at: at.clone(),
                before: was,
                after,
            });
        }
        match done {
            Ok(()) => Ok(Performed {
                changes,
                output: None,
            }),
            Err(why) => Err(botched(why, changes, None)),
        }
    }

    fn mount(&self, path: &str, new: &Mount) -> Result<(), Problem> {
        let asked = to_ask(new);
        self.keep_told(path, &Mount::default(), &asked)?;
        self.mount_with(path, &asked, &asked.opts)?;
        let Value::Mount(now) = self.read_mount(path)? else {
            return Err(failed(format!(
                "mount(8) had no complaint, but nothing is mounted at {path}"
            )));
        };
        self.keep_told(path, &now, &asked)
    }

    fn unmount(&self, path: &str, old: &Mount) -> Result<(), Problem> {
        let user = old
            .asked
            .as_ref()
            .map(|asked| asked.user.as_str())
            .unwrap_or_default();
        let told = self.told_to(&["umount", "--", path], user);
        if let Err(problem) = told {
            let users = self.users_of(path);
            return Err(if users.is_empty() {
                problem
            } else {
                let way = "end them, then run this again";
                failed(format!("{problem}\nin use by {}: {way}", users.join(", ")))
            });
        }
        // What was told about the old mount must not be taken for the next one's.
        self.keep_beside(KEPT, &kept_name(path), b"")
            .map_err(|error| failed(format!("cannot forget how {path} was mounted: {error}")))
    }

    /// Other options, or something else in the same place.
    fn mount_anew(&self, path: &str, old: &Mount, new: &Mount) -> Result<(), Problem> {
        let asked = to_ask(new);
        let source = old.asked.as_ref().map(|asked| &asked.device);
        let same = new.device == old.device || source == Some(&asked.device);
        let again = old.fstype.starts_with("fuse") || old.fstype.starts_with("nfs") || old.fstype == "cvfs";
        if same && !again {
            self.mount_with(path, &asked, &format!("remount,{}", asked.opts))?;
            let Value::Mount(now) = self.read_mount(path)? else {
                return Err(failed(format!("{path} is no longer mounted")));
            };
            return self.keep_told(path, &now, &asked);
        }
        self.unmount(path, old)?;
        let done = self.mount(path, new);
        if done.is_err() {
            // The old one is better than none; if that fails, too, the change that is told says so.
            self.mount(path, old).ok();
        }
        done
    }

    /// Runs mount(8) with these options.
    fn mount_with(&self, path: &str, asked: &Asked, opts: &str) -> Result<(), Problem> {
        let (kind, device) = (&asked.fstype, &asked.device);
        self.told_to(
            &["mount", "-o", opts, "-t", kind, "--", device, path],
            &asked.user,
        )
    }

    fn told_to(&self, argv: &[&str], user: &str) -> Result<(), Problem> {
        let command = Command {
            timeout: Some(LIMIT),
            runas: Some(user.to_owned()).filter(|user| !user.is_empty()),
            ..Command::program(argv)
        };
        let output = self.run(&command)?;
        if output.success(&command) {
            return Ok(());
        }
        Err(Problem::new(
            ProblemKind::Failed,
            format!("{} ended with {}", shown(&command), ending(&output)),
        ))
    }

    /// Processes with something open below a path, a few of them, for people.
    fn users_of(&self, path: &str) -> Vec<String> {
        let below = |link: std::path::PathBuf| std::fs::read_link(link).is_ok_and(|to| to.starts_with(path));
        let links = |process: &Path| {
            let open = std::fs::read_dir(process.join("fd"))
                .into_iter()
                .flatten()
                .flatten();
            let open: Vec<_> = open.map(|entry| entry.path()).collect();
            ["cwd", "root", "exe"]
                .map(|name| process.join(name))
                .into_iter()
                .chain(open)
        };
        let all = std::fs::read_dir(self.real("/proc"))
            .into_iter()
            .flatten()
            .flatten();
        all.filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .bytes()
                .all(|c| c.is_ascii_digit())
        })
        .filter(|entry| links(&entry.path()).any(below))
        .map(|entry| {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            format!(
                "{} (pid {})",
                name.trim_end(),
                entry.file_name().to_string_lossy()
            )
        })
        .take(5)
        .collect()
    }
}

fn kept_name(path: &str) -> String {
    Digest::of(path.as_bytes()).short()
}

/// Whether the contents go with the mount.
fn volatile(mount: &Mount) -> bool {
    matches!(mount.fstype.as_str(), "tmpfs" | "ramfs")
}

/// What mount(8) is told to have this again: what it was told, or what can be made of the kernel's words.
fn to_ask(mount: &Mount) -> Asked {
    if let Some(asked) = &mount.asked {
        return asked.clone();
    }
    let (device, fstype) = if mount.bind.is_empty() {
        (mount.device.clone(), mount.fstype.clone())
    } else {
        (mount.bind.clone(), "none".to_owned())
    };
    let own = ["user_id=", "group_id=", "fd=", "rootmode="];
    let mut opts: Vec<&str> = mount.options.split(',').collect();
    opts.retain(|opt| !(mount.fstype.starts_with("fuse") && own.iter().any(|key| opt.starts_with(key))));
    if !mount.bind.is_empty() {
        opts.insert(0, "bind");
    }
    Asked {
        device,
        fstype,
        opts: opts.join(","),
        user: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    const TABLE: &str = "\
        20 1 0:20 / / rw,relatime - overlay overlay rw,lowerdir=/base,upperdir=/up\n\
        30 20 8:1 / /srv rw,noatime - ext4 /dev/sda1 rw,errors=remount-ro\n\
        31 20 8:1 /data /mnt/my\\040data ro,relatime - ext4 /dev/sda1 rw,errors=remount-ro\n\
        32 20 0:40 / /mnt/far rw,nosuid shared:3 - fuse.sshfs nfs:/srv rw,user_id=0,group_id=0\n\
        33 20 0:41 / /mnt/far rw - tmpfs tmpfs rw,size=64k\n";

    fn read(host: &testing::Host, path: &str) -> Mount {
        match host.live.read_mount(path) {
            Ok(Value::Mount(mount)) => mount,
            other => panic!("{path}: {other:?}"),
        }
    }

    #[test]
    fn the_kernels_table_is_read() {
        let host = testing::host();
        host.write("/proc/self/mountinfo", TABLE);
        host.write("/etc/fstab", "# x\nUUID=1 /srv ext4 noatime,nofail 0 2\n");
        let srv = read(&host, "/srv");
        assert_eq!(
            (srv.device.as_str(), srv.options.as_str(), srv.bind.as_str()),
            ("/dev/sda1", "rw,noatime,errors=remount-ro", "")
        );
        assert_eq!(to_ask(&srv).opts, "noatime,nofail", "the line of fstab");
        let part = read(&host, "/mnt/my data");
        assert_eq!(
            (part.bind.as_str(), part.options.as_str()),
            ("/srv/data", "ro,relatime,errors=remount-ro")
        );
        assert_eq!(to_ask(&part).device, "/srv/data");
        assert_eq!(read(&host, "/mnt/far").fstype, "tmpfs", "the topmost");
        assert_eq!(host.live.read_mount("/mnt"), Ok(Value::Absent));
    }

    #[test]
    fn what_was_told_is_kept_for_the_same_mount_only() {
        let host = testing::host();
        host.write("/proc/self/mountinfo", TABLE);
        let asked = Asked {
            device: "nfs:/srv".to_owned(),
            fstype: "fuse.sshfs".to_owned(),
            opts: "IdentityFile=/root/key".to_owned(),
            user: String::new(),
        };
        let seen = read(&host, "/mnt/far");
        host.live.keep_told("/mnt/far", &seen, &asked).expect("kept");
        assert_eq!(read(&host, "/mnt/far").asked, Some(asked));
        host.write(
            "/proc/self/mountinfo",
            &TABLE.replace("tmpfs tmpfs", "ext4 /dev/sdb"),
        );
        assert_eq!(read(&host, "/mnt/far").asked, None);
    }

    #[test]
    fn swap_is_read() {
        let host = testing::host();
        host.write(
            "/proc/swaps",
            "Filename\t\tType\t\tSize\t\tUsed\t\tPriority\n/swap\\040file  file\t1048572\t12\t-2\n",
        );
        assert_eq!(
            host.live.read_swap("/swap file"),
            Ok(Value::Text("file 1048572 -2".into()))
        );
        assert_eq!(host.live.read_swap("/dev/sdb"), Ok(Value::Absent));
    }
}
