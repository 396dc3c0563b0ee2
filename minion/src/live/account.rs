//! Users and groups: read from the account files, made by the host's own tools, put back line by line.
//!
//! `useradd` and `groupadd` choose free ids as the host is set up to; everything else edits the lines themselves, under the lock
//! those tools take, because only that brings back exactly what was there. Password hashes never leave the host: a value
//! names the account's shadow line by digest.

mod lines;

use std::collections::{BTreeMap, BTreeSet};

use proto::{
    Account, Address, Change, Command, Fidelity, Gather, Group, Performed, PreImage, Problem, Value,
};

use super::database::{GroupLine, Passwd, entry};
use super::{Live, as_expected, botched, refused};
use crate::meets::meets;
use crate::system::Botched;
use lines::{Files, Which};

/// The files accounts are in, each written anew beside itself.
const FILES: [&str; 6] = [
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/gshadow",
    "/etc/subuid",
    "/etc/subgid",
];

impl Live {
    /// A user's value; its shadow line is kept as an object.
    pub(crate) fn read_user(&mut self, name: &str) -> Result<Value, Problem> {
        let Some(user) = self.passwd_by_exact_name(name) else {
            return Ok(Value::Absent);
        };
        if let Some(line) = self
            .text("/etc/shadow")
            .as_deref()
            .and_then(|text| entry(text, name))
        {
            self.objects
                .put(line.as_bytes())
                .map_err(|error| refused(format!("cannot keep the account of {name}: {error}")))?;
        }
        let shadow = self.text("/etc/shadow").unwrap_or_default();
        Ok(account(&user, &self.groups(), &shadow))
    }

    /// A group's value.
    pub(crate) fn read_group(&mut self, name: &str) -> Result<Value, Problem> {
        Ok(self
            .group_by_name(name)
            .map_or(Value::Absent, |line| group(&line)))
    }

    fn passwd_by_exact_name(&self, name: &str) -> Option<Passwd> {
        self.passwd_by_name(name).filter(|user| user.name == name)
    }

    /// All users and groups of the files, by address.
    pub(crate) fn people(&self) -> BTreeMap<Address, Value> {
        let shadow = self.text("/etc/shadow").unwrap_or_default();
        let groups = self.groups();
        let users = self.passwd().into_iter().map(|user| {
            let value = account(&user, &groups, &shadow);
            (Address::User(user.name), value)
        });
        let groups = groups
            .iter()
            .map(|line| (Address::Group(line.name.clone()), group(line)));
        users.chain(groups).gather()
    }

    /// Pre-images of a user and of what goes or comes with it.
    pub(crate) fn observe_person(
        &mut self,
        at: &Address,
        expect: &Value,
        to: &Value,
    ) -> Result<Vec<PreImage>, Problem> {
        let (Address::User(name) | Address::Group(name)) = at else {
            return Err(refused(format!("{at} is no account")));
        };
        valid(name)?;
        let was = self.read(at)?;
        expected(at, &was, expect, to)?;
        self.keep_lines(at, &was)?;
        let mut before = vec![PreImage {
            at: at.clone(),
            was: was.clone(),
            fidelity: Fidelity::Exact,
        }];
        if let Address::User(name) = at {
            // A group of the same name comes and goes with a user, and memberships are the groups'.
            let mut beside: BTreeSet<String> = [name.clone()].into();
            for value in [&was, to] {
                if let Value::User(account) = value {
                    beside.extend(account.groups.iter().cloned());
                }
            }
            for group in beside {
                let at = Address::Group(group);
                let was = self.read(&at)?;
                self.keep_lines(&at, &was)?;
                before.push(PreImage {
                    was,
                    at,
                    fidelity: Fidelity::Exact,
                });
            }
            if let (Value::Absent, Value::User(wanted)) = (&was, to) {
                let home = self.home_of(name, wanted);
                let paths = [
                    home,
                    format!("/var/mail/{name}"),
                    format!("/var/spool/mail/{name}"),
                ];
                before.extend(self.observe_entries(&paths)?);
            }
        }
        Ok(before)
    }

    /// Where the home of a new user will be.
    fn home_of(&self, name: &str, wanted: &Account) -> String {
        if !wanted.home.is_empty() {
            return wanted.home.clone();
        }
        let defaults = self.text("/etc/default/useradd").unwrap_or_default();
        let base = defaults
            .lines()
            .find_map(|line| line.trim().strip_prefix("HOME="));
        format!("{}/{name}", base.unwrap_or("/home").trim_end_matches('/'))
    }

    /// Makes an account as wanted.
    pub(crate) fn assign_person(
        &mut self,
        at: &Address,
        expect: &Value,
        to: &Value,
        before: &[PreImage],
    ) -> Result<Performed, Box<Botched>> {
        let was = self.read(at)?;
        expected(at, &was, expect, to)?;
        let people = self.readable(|live| Ok(live.people()))?;
        let done = match (at, to) {
            _ if meets(to, &was) => Ok(()),
            (Address::User(name), Value::User(wanted)) => self.put_user(name, &was, wanted),
            (Address::Group(name), Value::Group(wanted)) => self.put_group(name, &was, wanted),
            (Address::User(name), Value::Absent) => self.edit(|files| files.remove_user(name)),
            (Address::Group(name), Value::Absent) => self.drop_group(name),
            _ => Err(refused(format!("{at} cannot become {}", super::path::told(to)))),
        };
        if done.is_err() {
            before
                .iter()
                .for_each(|image| self.mend_person(&image.at, &image.was));
        }
        let changes = self.readable(|live| live.people_since(&people, before));
        match (done, changes) {
            (Ok(()), Ok(changes)) => Ok(Performed {
                changes,
                output: None,
            }),
            (Err(why), changes) => Err(botched(why, changes.unwrap_or_default(), None)),
            (Ok(()), Err(why)) => Err(why.into()),
        }
    }

    fn put_user(&mut self, name: &str, was: &Value, wanted: &Account) -> Result<(), Problem> {
        for group in &wanted.groups {
            if self.group_by_name(group).is_none() {
                return Err(refused(format!(
                    "the group {group} of user {name} does not exist"
                )));
            }
        }
        let shadow = match &wanted.shadow {
            Some(digest) => {
                let bytes = self
                    .objects
                    .get(digest)
                    .map_err(|error| refused(format!("the shadow line of {name}: {error}")))?;
                Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
            }
            None => None,
        };
        if shadow
            .as_ref()
            .is_some_and(|line| line.contains('\n') || !line.starts_with(&format!("{name}:")))
        {
            return Err(refused(format!(
                "the new shadow entry is not one line of user {name}"
            )));
        }
        let Value::User(was) = was else {
            let exact = wanted
                .uid
                .zip(wanted.gid)
                .filter(|_| !wanted.create_home && !wanted.system);
            if let (Some((uid, gid)), Some(shadow)) = (exact, &shadow) {
                let at = Address::User(name.to_owned());
                let kept = self.kept_lines(&at, &Value::User(wanted.clone()));
                return self.edit(|files| {
                    files.add_user(name, uid, gid, wanted, shadow, &kept);
                    Ok(())
                });
            }
            self.add_user(name, wanted)?;
            return self.edit(|files| {
                if let Some(shadow) = &shadow {
                    files.set_shadow(name, shadow);
                }
                Ok(())
            });
        };
        if let Some(uid) = wanted.uid.filter(|uid| Some(*uid) != was.uid) {
            // The home's files follow the number.
            self.must(&["usermod", "-u", &uid.to_string(), "--", name])?;
        }
        let at = Address::User(name.to_owned());
        let kept = self.kept_lines(&at, &Value::User(wanted.clone()));
        self.edit(|files| files.change_user(name, wanted, shadow.as_deref(), &kept))
    }

    fn add_user(&mut self, name: &str, wanted: &Account) -> Result<(), Problem> {
        let mut argv = vec!["useradd".to_owned()];
        let mut add = |option: &str, value: &str| argv.extend([option.to_owned(), value.to_owned()]);
        if let Some(uid) = wanted.uid {
            add("-u", &uid.to_string());
        }
        if let Some(gid) = wanted.gid {
            add("-g", &gid.to_string());
        }
        if !wanted.home.is_empty() {
            add("-d", &wanted.home);
        }
        if !wanted.shell.is_empty() {
            add("-s", &wanted.shell);
        }
        if !wanted.fullname.is_empty() {
            add("-c", &wanted.fullname);
        }
        if !wanted.groups.is_empty() {
            add("-G", &wanted.groups.join(","));
        }
        if wanted.system {
            argv.push("-r".to_owned());
        }
        argv.push(if wanted.create_home { "-m" } else { "-M" }.to_owned());
        argv.extend(["--".to_owned(), name.to_owned()]);
        self.must_run(&tool(argv)).map(drop)
    }

    fn put_group(&mut self, name: &str, was: &Value, wanted: &Group) -> Result<(), Problem> {
        let at = Address::Group(name.to_owned());
        let kept = self.kept_lines(&at, &Value::Group(wanted.clone()));
        match (was, wanted.gid) {
            (Value::Group(was), Some(gid)) if was.gid != Some(gid) => {
                self.must(&["groupmod", "-g", &gid.to_string(), "--", name])?;
            }
            (Value::Group(_), _) => {}
            (_, Some(gid)) if !wanted.system => {
                if let Some(taken) = self.group_name(gid) {
                    return Err(refused(format!(
                        "the gid {gid} of group {name} belongs to group {taken}"
                    )));
                }
                self.edit(|files| {
                    files.add_group(name, gid);
                    Ok(())
                })?;
            }
            _ => {
                let mut argv = vec!["groupadd".to_owned()];
                if let Some(gid) = wanted.gid {
                    argv.extend(["-g".to_owned(), gid.to_string()]);
                }
                if wanted.system {
                    argv.push("-r".to_owned());
                }
                argv.extend(["--".to_owned(), name.to_owned()]);
                self.must_run(&tool(argv))?;
            }
        }
        self.edit(|files| files.set_members(name, &wanted.members, &kept))
    }

    fn drop_group(&mut self, name: &str) -> Result<(), Problem> {
        let gid = self.group_by_name(name).map(|line| line.gid);
        if let Some(user) = self.passwd().into_iter().find(|user| Some(user.gid) == gid) {
            return Err(refused(format!(
                "group {name} is the primary group of user {}; it cannot be removed",
                user.name
            )));
        }
        self.edit(|files| {
            files.remove_group(name);
            Ok(())
        })
    }

    /// What changed of all accounts, and which paths came with them. Groups are told before the users in them where they were
    /// made, after them where they went.
    fn people_since(
        &mut self,
        was: &BTreeMap<Address, Value>,
        before: &[PreImage],
    ) -> Result<Vec<Change>, Problem> {
        let now = self.people();
        let nothing = Value::Absent;
        let all: BTreeSet<&Address> = was.keys().chain(now.keys()).gather();
        let (mut made, mut rest) = (Vec::new(), Vec::new());
        for at in all {
            let (then, today) = (was.get(at).unwrap_or(&nothing), now.get(at).unwrap_or(&nothing));
            if then == today {
                continue;
            }
            if let Address::User(name) = at {
                // Keeps the new shadow line, so that a later pre-image has it.
                self.read_user(name)?;
            }
            let change = Change {
                at: at.clone(),
                before: then.clone(),
                after: today.clone(),
            };
            if then.is_absent() {
                made.push(change)
            } else {
                rest.push(change)
            }
        }
        // Users sort before groups.
        made.reverse();
        made.extend(rest);
        for change in self.entries_since(before)? {
            let Address::Path(path) = &change.at else { continue };
            let path = path.clone();
            let is_dir = matches!(change.after, Value::Dir { .. });
            made.push(change);
            if is_dir {
                for (below, after) in self.list_path(&path)?.unwrap_or_default() {
                    made.push(Change {
                        at: Address::Path(format!("{path}/{below}")),
                        before: Value::Absent,
                        after,
                    });
                }
            }
        }
        Ok(made)
    }

    /// Edits the account files under their lock.
    /// Removes what a change of an account that was cut off left: files being written, lines of an account that is not there.
    pub(crate) fn sweep_person(&mut self, at: &Address) {
        FILES.iter().for_each(|path| self.sweep_path(path));
        let (name, what) = match at {
            Address::User(name) => (name, Which::User),
            Address::Group(name) => (name, Which::Group),
            _ => return,
        };
        // What cannot be removed now is put right by the next change of the account.
        self.edit(|files| {
            files.clear(name, what);
            Ok(())
        })
        .ok();
    }

    /// Puts the lines back that were kept with a value which is there again: those of subordinate ids and of shadowed groups do
    /// not show in it.
    pub(crate) fn mend_person(&mut self, at: &Address, was: &Value) {
        if !matches!(was, Value::User(_) | Value::Group(_)) || !self.read(at).is_ok_and(|live| live.same(was))
        {
            return;
        }
        let kept = self.kept_lines(at, was);
        // What cannot be put back now is put back with the account by a rollback.
        self.edit(|files| {
            files.put_back(&kept);
            Ok(())
        })
        .ok();
    }

    fn edit(&mut self, change: impl FnOnce(&mut Files) -> Result<(), Problem>) -> Result<(), Problem> {
        let mut files = Files::open(&self.root)?;
        change(&mut files)?;
        files.save()
    }
}

/// As [`as_expected`], but for memberships: users and groups both tell them, so that taking back the one changes the other.
fn expected(at: &Address, live: &Value, expect: &Value, to: &Value) -> Result<(), Problem> {
    let bare = |value: &Value| {
        let mut value = value.clone();
        match &mut value {
            Value::User(account) => account.groups.clear(),
            Value::Group(group) => group.members.clear(),
            _ => {}
        }
        value
    };
    as_expected(&at.to_string(), &bare(live), &bare(expect), &bare(to))
}

fn tool(argv: Vec<String>) -> Command {
    Command {
        argv,
        timeout: Some(120),
        ..Command::default()
    }
}

/// Names that can stand in the account files (and on the command line of their tools).
fn valid(name: &str) -> Result<(), Problem> {
    let fine = !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(['-', '+', '~'])
        && name != "."
        && name != ".."
        && !name.contains(|c: char| c.is_whitespace() || c.is_control() || ":,/\"'\\!#".contains(c));
    if fine {
        Ok(())
    } else {
        Err(refused(format!("{name:?} cannot be the name of an account")))
    }
}

fn account(user: &Passwd, groups: &[GroupLine], shadow: &str) -> Value {
    let mut member: Vec<String> = groups
        .iter()
        .filter(|group| group.members.contains(&user.name))
        .map(|group| group.name.clone())
        .collect();
    member.sort();
    Value::User(Account {
        uid: Some(user.uid),
        gid: Some(user.gid),
        home: user.home.clone(),
        shell: user.shell.clone(),
        fullname: user.gecos.clone(),
        groups: member,
        shadow: entry(shadow, &user.name).map(proto::Digest::of),
        create_home: false,
        system: false,
    })
}

fn group(line: &GroupLine) -> Value {
    let mut members = line.members.clone();
    members.sort();
    members.dedup();
    Value::Group(Group {
        gid: Some(line.gid),
        members,
        system: false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{self, Host};
    use super::*;
    use crate::system::System;
    use proto::Act;

    const FILES: &[&str] = &[
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/gshadow",
        "/etc/subuid",
        "/etc/subgid",
    ];

    fn host() -> Host {
        let host = testing::host();
        host.write(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n",
        );
        host.write(
            "/etc/shadow",
            "root:*:19000:0:99999:7:::\nann:$6$salt$hash:19001:0:99999:7:::\n",
        );
        host.write("/etc/group", "root:x:0:\nann:x:1000:\nstaff:x:50:ann,root\n");
        host.write("/etc/gshadow", "root:*::\nann:!::\nstaff:*:root:ann,root\n");
        host.write("/etc/subuid", "ann:100000:65536\n");
        host.write("/etc/subgid", "ann:100000:65536\n");
        host
    }

    fn texts(host: &Host) -> Vec<BTreeSet<String>> {
        FILES
            .iter()
            .map(|path| {
                let text = std::fs::read_to_string(host.path(path)).expect("there");
                text.lines().map(str::to_owned).collect()
            })
            .collect()
    }

    fn done(host: &mut Host, act: Act) -> Vec<Change> {
        let acts = [act];
        let before = host.live.observe(&acts).expect("can be kept");
        host.live.perform(&acts, &before).expect("can be done").changes
    }

    fn take_back(host: &mut Host, changes: &[Change]) {
        for change in changes.iter().rev() {
            done(
                host,
                Act::assign(change.at.clone(), change.after.clone(), change.before.clone()),
            );
        }
    }

    #[test]
    fn a_removed_user_comes_back_line_by_line() {
        let mut host = host();
        let before = texts(&host);
        let at = Address::User("ann".to_owned());
        let was = host.live.read(&at).expect("readable");
        let Value::User(account) = &was else {
            panic!("a user")
        };
        assert_eq!(
            (account.uid, account.groups.as_slice()),
            (Some(1000), ["staff".to_owned()].as_slice())
        );
        let changes = done(&mut host, Act::assign(at.clone(), was, Value::Absent));
        for file in &texts(&host) {
            assert!(file.iter().all(|line| !line.contains("ann")), "{file:?}");
        }
        let gone: Vec<String> = changes.iter().map(|change| change.at.to_string()).collect();
        assert_eq!(gone, ["user ann", "group ann", "group staff"]);
        take_back(&mut host, &changes);
        assert_eq!(texts(&host), before);
    }

    #[test]
    fn changed_fields_and_members_come_back() {
        let mut host = host();
        let before = texts(&host);
        let at = Address::User("ann".to_owned());
        let was = host.live.read(&at).expect("readable");
        let Value::User(account) = was.clone() else {
            panic!("a user")
        };
        let line = host.live.keep(b"ann:!:19001:0:99999:7:::").expect("room");
        let to = Value::User(Account {
            shell: "/bin/false".to_owned(),
            fullname: "Ann B".to_owned(),
            groups: vec!["root".to_owned()],
            shadow: Some(line),
            ..account
        });
        let changes = done(&mut host, Act::assign(at, was, to));
        let passwd = host.live.text("/etc/passwd").expect("there");
        assert!(
            passwd.contains("ann:x:1000:1000:Ann B:/home/ann:/bin/false"),
            "{passwd}"
        );
        assert!(
            host.live
                .text("/etc/gshadow")
                .expect("there")
                .contains("staff:*:root:root")
        );
        take_back(&mut host, &changes);
        assert_eq!(texts(&host), before);
        let at = Address::Group("staff".to_owned());
        let was = host.live.read(&at).expect("readable");
        let changes = done(&mut host, Act::assign(at, was, Value::Absent));
        take_back(&mut host, &changes);
        assert_eq!(texts(&host), before);
    }

    #[test]
    fn a_primary_group_and_odd_names_are_refused() {
        let mut host = host();
        let at = Address::Group("ann".to_owned());
        let was = host.live.read(&at).expect("readable");
        let acts = [Act::assign(at, was, Value::Absent)];
        let before = host.live.observe(&acts).expect("can be kept");
        let why = host.live.perform(&acts, &before).expect_err("primary");
        assert!(why.why.text.contains("primary group"));
        for name in ["a:b", "-x", "a b", "", "x\ny"] {
            let act = Act::assign(
                Address::User(name.to_owned()),
                Value::Absent,
                Value::User(Account::default()),
            );
            assert!(host.live.observe(&[act]).is_err(), "{name:?}");
        }
    }
}
