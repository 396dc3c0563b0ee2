//! The account files as text: `/etc/passwd`, `/etc/group` and their shadows, parsed here because a static program must
//! not load the host's name service. Names the files do not know are asked of `getent`.

use proto::Command;

use super::Live;

/// A line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passwd {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) gecos: String,
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// A line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupLine {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

/// Parses a passwd line; `None` for anything else.
pub(crate) fn passwd_line(line: &str) -> Option<Passwd> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, gecos, home, shell] = fields.as_slice() else {
        return None;
    };
    Some(Passwd {
        name: (*name).to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        gecos: (*gecos).to_owned(),
        home: (*home).to_owned(),
        shell: (*shell).to_owned(),
    })
}

/// Parses a group line; `None` for anything else.
pub(crate) fn group_line(line: &str) -> Option<GroupLine> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, gid, members] = fields.as_slice() else {
        return None;
    };
    Some(GroupLine {
        name: (*name).to_owned(),
        gid: gid.parse().ok()?,
        members: members
            .split(',')
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}

/// The line of a file in which the first field is `name`.
pub(crate) fn entry<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find(|line| line.split_once(':').is_some_and(|(first, _)| first == name))
}

impl Live {
    /// All users of the file.
    pub(crate) fn passwd(&self) -> Vec<Passwd> {
        self.text("/etc/passwd")
            .unwrap_or_default()
            .lines()
            .filter_map(passwd_line)
            .collect()
    }

    /// All groups of the file.
    pub(crate) fn groups(&self) -> Vec<GroupLine> {
        self.text("/etc/group")
            .unwrap_or_default()
            .lines()
            .filter_map(group_line)
            .collect()
    }

    /// A user by name, or by number as text.
    pub(crate) fn passwd_by_name(&self, name: &str) -> Option<Passwd> {
        let users = self.passwd();
        users
            .iter()
            .find(|user| user.name == name)
            .or_else(|| users.iter().find(|user| name.parse() == Ok(user.uid)))
            .cloned()
            .or_else(|| passwd_line(&self.getent("passwd", name)?))
    }

    /// A user by number.
    pub(crate) fn passwd_by_uid(&self, uid: u32) -> Option<Passwd> {
        self.passwd().into_iter().find(|user| user.uid == uid)
    }

    /// A group by name.
    pub(crate) fn group_by_name(&self, name: &str) -> Option<GroupLine> {
        self.groups()
            .into_iter()
            .find(|group| group.name == name)
            .or_else(|| group_line(&self.getent("group", name)?))
    }

    /// A group's number by its name, or by number as text.
    pub(crate) fn gid_of(&self, name: &str) -> Option<u32> {
        self.group_by_name(name)
            .map(|group| group.gid)
            .or_else(|| name.parse().ok())
    }

    /// A group's name by its number.
    pub(crate) fn group_name(&self, gid: u32) -> Option<String> {
        self.groups()
            .into_iter()
            .find(|group| group.gid == gid)
            .map(|group| group.name)
    }

    /// Asks the host's name service, where it may know more than the files.
    fn getent(&self, database: &str, name: &str) -> Option<String> {
        let more = self.text("/etc/nsswitch.conf").is_some_and(|text| {
            text.lines()
                .filter_map(|line| line.split_once(':'))
                .any(|(key, sources)| {
                    let sources = sources.split('#').next().unwrap_or_default();
                    key.trim() == database
                        && sources
                            .split_whitespace()
                            .any(|source| source != "files" && source != "systemd")
                })
        });
        if !more || name.starts_with('-') || name.is_empty() {
            return None;
        }
        let command = Command {
            timeout: Some(20),
            ..Command::program(&["getent", database, "--", name])
        };
        let output = self.run(&command).ok()?;
        (output.code == 0).then(|| output.stdout.lines().next().unwrap_or_default().to_owned())
    }
}
