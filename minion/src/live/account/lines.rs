//! The account files as lines, edited together under the lock of the shadow tools and written one after the other.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use proto::{Account, Address, Digest, Problem, Value};
use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::live::path::walk::{Walk, find};
use crate::live::path::{read, write};
use crate::live::{Live, failed, locked, refused};

/// Files by name, with the mode of one that has to be made, in the order in which they are written.
static NAMES: [(&str, u32); 6] = [
    ("group", 0o644),
    ("gshadow", 0o640),
    ("passwd", 0o644),
    ("shadow", 0o640),
    ("subuid", 0o644),
    ("subgid", 0o644),
];
const GROUP: usize = 0;
const GSHADOW: usize = 1;
const PASSWD: usize = 2;
const SHADOW: usize = 3;
const SUBUID: usize = 4;
const SUBGID: usize = 5;

/// All account files, locked.
pub(super) struct Files {
    dir: OwnedFd,
    /// Lines as they are now, and whether they changed; `None` for a file that does not exist.
    texts: [(Option<Vec<String>>, bool); 6],
    /// Closing it lets go of the lock.
    _lock: OwnedFd,
}

/// Which of the two kinds of account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    User,
    Group,
}

impl Files {
    /// Locks and reads the files.
    ///
    /// # Errors
    /// `Locked` when another program keeps the lock for 15 seconds, as the shadow tools wait.
    pub(super) fn open(root: &Path) -> Result<Self, Problem> {
        let broken = |error: io::Error| failed(format!("cannot edit the account files: {error}"));
        let place = find(root, "/etc/passwd", Walk::Write)?
            .ok_or_else(|| refused("cannot edit the account files: there is no /etc"))?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let lock = fs::openat(&place.dir, c".pwd.lock", flags, Mode::from_raw_mode(0o600))
            .map_err(|error| broken(error.into()))?;
        let until = Instant::now() + Duration::from_secs(15);
        while let Err(error) = fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
            if !matches!(error, Errno::AGAIN | Errno::ACCESS) {
                return Err(broken(error.into()));
            }
            if Instant::now() >= until {
                return Err(locked(
                    "another program edits the account files (/etc/.pwd.lock); run again when it is done",
                ));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let mut texts = [const { (None, false) }; 6];
        for (slot, (name, _)) in texts.iter_mut().zip(NAMES) {
            slot.0 = lines(&place.dir, name).map_err(broken)?;
        }
        Ok(Self {
            dir: place.dir,
            texts,
            _lock: lock,
        })
    }

    /// Writes the files that changed, each atomically. The one that says whether the account is there comes last, and first
    /// the one that shows in its value: where this is cut off, a user that was to go is still to be seen, and of one that was to come [`Files::clear`] takes the rest.
    pub(super) fn save(self) -> Result<(), Problem> {
        for file in [SHADOW, SUBGID, SUBUID, GSHADOW, GROUP, PASSWD] {
            let (Some(lines), true) = &self.texts[file] else {
                continue;
            };
            let (name, mode) = NAMES[file];
            let mut text = lines.join("\n");
            if !text.is_empty() {
                text.push('\n');
            }
            write::replace(self.dir.as_fd(), OsStr::new(name), text.as_bytes(), mode)
                .map_err(|error| failed(format!("cannot write /etc/{name}: {error}")))?;
        }
        Ok(())
    }

    fn fields(&self, file: usize, name: &str) -> Option<Vec<String>> {
        let lines = self.texts[file].0.as_ref()?;
        let line = lines.iter().find(|line| first(line) == name)?;
        Some(line.split(':').map(str::to_owned).collect())
    }

    /// Replaces the line of `name`, or adds one; a file that does not exist stays so.
    fn put(&mut self, file: usize, name: &str, line: String) {
        let (Some(lines), changed) = (&mut self.texts[file].0, &mut self.texts[file].1) else {
            return;
        };
        match lines.iter_mut().find(|line| first(line) == name) {
            Some(old) if *old == line => return,
            Some(old) => *old = line,
            None => lines.push(line),
        }
        *changed = true;
    }

    fn remove(&mut self, file: usize, name: &str) {
        let (Some(lines), changed) = (&mut self.texts[file].0, &mut self.texts[file].1) else {
            return;
        };
        let count = lines.len();
        lines.retain(|line| first(line) != name);
        *changed |= lines.len() != count;
    }

    /// Removes the lines of accounts that are not there: what is left of a change that was cut off.
    pub(super) fn clear(&mut self, name: &str, what: Which) {
        let (main, beside): (usize, &[usize]) = match what {
            Which::User => (PASSWD, &[SHADOW, SUBUID, SUBGID]),
            Which::Group => (GROUP, &[GSHADOW]),
        };
        if self.fields(main, name).is_none() {
            beside.iter().for_each(|file| self.remove(*file, name));
            if what == Which::User {
                self.set_groups(name, &[]);
            }
        }
    }

    pub(super) fn set_shadow(&mut self, name: &str, line: &str) {
        self.put(SHADOW, name, line.to_owned());
    }

    /// Puts a user back: its own lines, its memberships, and the lines kept when it went.
    pub(super) fn add_user(
        &mut self,
        name: &str,
        uid: u32,
        gid: u32,
        account: &Account,
        shadow: &str,
        kept: &[(String, String)],
    ) {
        let line = format!(
            "{name}:x:{uid}:{gid}:{}:{}:{}",
            account.fullname, account.home, account.shell
        );
        self.put(PASSWD, name, line);
        self.put(SHADOW, name, shadow.to_owned());
        self.set_groups(name, &account.groups);
        self.put_kept(kept, &[SUBUID, SUBGID]);
    }

    /// Changes the fields of a user.
    pub(super) fn change_user(
        &mut self,
        name: &str,
        wanted: &Account,
        shadow: Option<&str>,
        kept: &[(String, String)],
    ) -> Result<(), Problem> {
        let mut fields = self
            .fields(PASSWD, name)
            .filter(|fields| fields.len() == 7)
            .ok_or_else(|| {
                refused(format!(
                    "user {name} is not in /etc/passwd; another name service has it"
                ))
            })?;
        if let Some(gid) = wanted.gid {
            fields[3] = gid.to_string();
        }
        fields[4].clone_from(&wanted.fullname);
        for (place, value) in [(5, &wanted.home), (6, &wanted.shell)] {
            if !value.is_empty() {
                fields[place].clone_from(value);
            }
        }
        if fields.iter().any(|field| field.contains([':', '\n'])) {
            return Err(refused(format!(
                "a field of user {name} holds a colon or a line end"
            )));
        }
        self.put(PASSWD, name, fields.join(":"));
        if let Some(shadow) = shadow {
            self.set_shadow(name, shadow);
        }
        self.set_groups(name, &wanted.groups);
        self.put_kept(kept, &[SUBUID, SUBGID]);
        Ok(())
    }

    /// Removes a user, its memberships, and its own empty group.
    pub(super) fn remove_user(&mut self, name: &str) -> Result<(), Problem> {
        let fields = self.fields(PASSWD, name).ok_or_else(|| {
            refused(format!(
                "user {name} is not in /etc/passwd; another name service has it"
            ))
        })?;
        let gid = fields.get(3).cloned().unwrap_or_default();
        for file in [PASSWD, SHADOW, SUBUID, SUBGID] {
            self.remove(file, name);
        }
        self.set_groups(name, &[]);
        let shared = self.texts[PASSWD]
            .0
            .iter()
            .flatten()
            .any(|line| line.split(':').nth(3) == Some(gid.as_str()));
        let own = self
            .fields(GROUP, name)
            .is_some_and(|group| group.get(2) == Some(&gid) && group.get(3).is_none_or(String::is_empty));
        if own && !shared {
            self.remove_group(name);
        }
        Ok(())
    }

    /// Makes `groups` the groups that name the user as a member.
    fn set_groups(&mut self, name: &str, groups: &[String]) {
        let all: Vec<String> = self.texts[GROUP]
            .0
            .iter()
            .flatten()
            .map(|line| first(line).to_owned())
            .collect();
        for group in all {
            let wanted = groups.contains(&group);
            for file in [GROUP, GSHADOW] {
                let Some(mut fields) = self.fields(file, &group).filter(|fields| fields.len() == 4) else {
                    continue;
                };
                let mut members: Vec<&str> =
                    fields[3].split(',').filter(|member| !member.is_empty()).collect();
                if members.contains(&name) == wanted {
                    continue;
                }
                if wanted {
                    members.push(name);
                } else {
                    members.retain(|member| *member != name);
                }
                fields[3] = members.join(",");
                self.put(file, &group, fields.join(":"));
            }
        }
    }

    /// Adds a group without members.
    pub(super) fn add_group(&mut self, name: &str, gid: u32) {
        self.put(GROUP, name, format!("{name}:x:{gid}:"));
        self.put(GSHADOW, name, format!("{name}:!::"));
    }

    /// Sets a group's members; lines kept of exactly this value are put back as they were.
    pub(super) fn set_members(
        &mut self,
        name: &str,
        members: &[String],
        kept: &[(String, String)],
    ) -> Result<(), Problem> {
        if self.fields(GROUP, name).is_none() {
            return Err(refused(format!(
                "group {name} is not in /etc/group; another name service has it"
            )));
        }
        if !kept.is_empty() {
            self.put_kept(kept, &[GROUP, GSHADOW]);
            return Ok(());
        }
        for file in [GROUP, GSHADOW] {
            let Some(mut fields) = self.fields(file, name).filter(|fields| fields.len() == 4) else {
                continue;
            };
            let mut now: Vec<String> = fields[3]
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect();
            now.retain(|member| members.contains(member));
            for member in members {
                if !now.contains(member) {
                    now.push(member.clone());
                }
            }
            fields[3] = now.join(",");
            self.put(file, name, fields.join(":"));
        }
        Ok(())
    }

    pub(super) fn remove_group(&mut self, name: &str) {
        self.remove(GROUP, name);
        self.remove(GSHADOW, name);
    }

    /// Puts all lines kept of an account back.
    pub(super) fn put_back(&mut self, kept: &[(String, String)]) {
        self.put_kept(kept, &[GROUP, GSHADOW, PASSWD, SHADOW, SUBUID, SUBGID]);
    }

    fn put_kept(&mut self, kept: &[(String, String)], files: &[usize]) {
        for (file, line) in kept {
            let Some(number) = files.iter().copied().find(|number| NAMES[*number].0 == file) else {
                continue;
            };
            self.put(number, first(line), line.clone());
        }
    }
}

fn first(line: &str) -> &str {
    line.split(':').next().unwrap_or_default()
}

fn lines(dir: &OwnedFd, name: &str) -> io::Result<Option<Vec<String>>> {
    let mut file = match read::open(dir.as_fd(), OsStr::new(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut text = String::new();
    io::Read::read_to_string(&mut file, &mut text)?;
    Ok(Some(text.lines().map(str::to_owned).collect()))
}

impl Live {
    /// Keeps the lines of an account that its value does not name (subordinate ids, group passwords, the order of members)
    /// beside the object store, for the day that value is put back.
    pub(super) fn keep_lines(&mut self, at: &Address, was: &Value) -> Result<(), Problem> {
        let (Address::User(name) | Address::Group(name)) = at else {
            return Ok(());
        };
        if was.is_absent() {
            return Ok(());
        }
        let mut kept = String::new();
        for (file, _) in NAMES {
            let text = self.text(&format!("/etc/{file}")).unwrap_or_default();
            if let Some(line) = crate::live::database::entry(&text, name) {
                kept.push_str(&format!("{file} {line}\n"));
            }
        }
        self.keep_beside("accounts", &index(at, was), kept.as_bytes())
            .map_err(|error| refused(format!("cannot keep the lines of {at}: {error}")))
    }

    /// Lines kept by [`Live::keep_lines`] of exactly this value: file and line.
    pub(super) fn kept_lines(&self, at: &Address, value: &Value) -> Vec<(String, String)> {
        let text = self
            .kept_beside("accounts", &index(at, value))
            .unwrap_or_default();
        String::from_utf8_lossy(&text)
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(file, line)| (file.to_owned(), line.to_owned()))
            .collect()
    }
}

/// The name of an account's file: one per value it had.
fn index(at: &Address, value: &Value) -> String {
    let text = match value {
        Value::User(account) => format!("{:?} {:?} {:?}", account.uid, account.gid, account.shadow),
        other => format!("{other:?}"),
    };
    format!(
        "{}-{}",
        at.to_string().replace(' ', "-"),
        Digest::of(text).short()
    )
}
