//! A generic name as the system's record of it tells: its link, its choices, and what follows it.

use proto::{Act, Address, Command, Question, Value};

use crate::{Call, Done, Host, Plan, Report, Stop, paths};

/// Where records lie: Debian, Red Hat, SUSE.
const RECORDS: [&str; 3] = [
    "/var/lib/dpkg/alternatives",
    "/var/lib/alternatives",
    "/var/lib/rpm/alternatives",
];
/// Where the links between lie.
const LINKS: &str = "/etc/alternatives";

/// A generic name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group {
    name: String,
    /// The file that records it.
    record: String,
    /// The choice follows the priorities.
    pub(super) auto: bool,
    /// Paths that can be chosen; none when nobody knows the name.
    pub(super) choices: Vec<String>,
    /// What is chosen.
    pub(super) current: Option<String>,
    /// The generic link, and those that follow it: names and links.
    links: Vec<(String, String)>,
}

impl Group {
    /// What is known of the name a state is about.
    ///
    /// # Errors
    /// [`Stop::Ask`] while something is not known; [`Stop::Failed`] when it cannot be such a name.
    pub(super) fn read(call: &Call<'_>, host: &Host<'_>) -> Result<Self, Stop> {
        let name = call.name();
        if name.is_empty() || name.contains(['/', ' ', '\t', '\n', '\0']) {
            return Err(Stop::Failed(format!("Alternative name {name:?} is not one word")));
        }
        let files = RECORDS.map(|dir| paths::join(dir, name));
        host.expect(files.iter().map(|file| Question::Bytes(file.clone())));
        host.expect(RECORDS.map(|dir| Question::Follow(dir.to_owned())));
        host.expect([Question::Read(Address::Path(paths::join(LINKS, name)))]);
        let current = match host.path(&paths::join(LINKS, name))? {
            Value::Link { to, .. } => Some(to.clone()),
            _ => None,
        };
        let mut group = Self {
            name: name.to_owned(),
            current,
            ..Self::default()
        };
        for file in &files {
            if let Some(bytes) = host.bytes(file)? {
                group.record.clone_from(file);
                group.learn(&String::from_utf8_lossy(bytes));
                return Ok(group);
            }
        }
        for (dir, file) in RECORDS.iter().zip(files) {
            if matches!(host.follow(dir)?, Value::Dir { .. }) {
                group.record = file;
                break;
            }
        }
        Ok(group)
    }

    /// `auto` or `manual`, the link, pairs of followers; an empty line; then for each choice its path, its priority and
    /// one line for each follower.
    fn learn(&mut self, text: &str) {
        let mut lines = text.lines();
        self.auto = lines.next() == Some("auto");
        let link = lines.next().unwrap_or_default().to_owned();
        self.links.push((self.name.clone(), link));
        while let Some(name) = lines.next().filter(|name| !name.is_empty()) {
            let link = lines.next().unwrap_or_default();
            self.links.push((name.to_owned(), link.to_owned()));
        }
        while let Some(path) = lines.next().filter(|path| !path.is_empty()) {
            self.choices.push(path.to_owned());
            // Priority and followers of this choice.
            for _ in 0..self.links.len() {
                lines.next();
            }
        }
    }

    /// Whether a path can be chosen.
    pub(super) fn has(&self, path: &str) -> bool {
        self.choices.iter().any(|choice| choice == path)
    }

    /// The act that lets the system change it; `link` is that of a name nobody knows yet.
    ///
    /// # Errors
    /// [`Stop::Failed`] on a host without alternatives.
    pub(super) fn act(&self, words: &[&str], link: Option<&str>) -> Result<Act, Stop> {
        if self.record.is_empty() {
            return Err(Stop::failed("This host has no update-alternatives"));
        }
        let mut touches = vec![self.record.clone(), paths::join(LINKS, &self.name)];
        touches.extend(link.map(str::to_owned));
        for (name, link) in &self.links {
            touches.extend([paths::join(LINKS, name), link.clone()]);
        }
        touches.retain(|path| path.starts_with('/'));
        let mut seen = std::collections::BTreeSet::new();
        touches.retain(|path| seen.insert(path.clone()));
        let argv = [&["update-alternatives"], words].concat();
        Ok(Act::Run {
            command: Command {
                timeout: Some(60),
                ..Command::program(&argv)
            },
            undo: None,
            verify: None,
            touches,
        })
    }
}

/// What is chosen after an act, where the act changed that.
pub(super) fn chosen(call: &Call<'_>, done: &Done<'_>) -> Option<Value> {
    let link = Address::Path(paths::join(LINKS, call.name()));
    let changes = done.performed.iter().flat_map(|performed| &performed.changes);
    let mut of_link = changes.filter(|change| change.at == link);
    of_link.next_back().map(|change| change.after.clone())
}

/// Salt's result of a failed act: `what` failed.
pub(super) fn failed(plan: &Plan, what: &str, why: &str) -> Report {
    Report {
        result: Some(false),
        comment: format!("{what}: {}", why.trim()),
        warnings: plan.warnings.clone(),
        ..Report::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_followers() {
        let mut group = Group {
            name: "editor".into(),
            ..Group::default()
        };
        group.learn("manual\n/usr/bin/editor\neditor.1.gz\n/usr/share/man/man1/editor.1.gz\n\n/bin/ed\n-100\n/usr/share/man/man1/ed.1.gz\n/bin/nano\n40\n\n\n");
        assert!(!group.auto && group.has("/bin/ed") && group.has("/bin/nano"));
        assert_eq!(group.choices.len(), 2);
        assert_eq!(group.links.len(), 2);
    }
}
