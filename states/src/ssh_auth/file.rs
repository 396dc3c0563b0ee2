//! A user's file of keys: where it is, what is in it, and its directory.

use proto::{Account, Act, Address, Meta, Question, Value};

use super::key::Key;
use crate::file::place::{self, Above};
use crate::file::whole::Whole;
use crate::perms::Perms;
use crate::{ArgsExt, Call, Host, Stop, paths, perms};

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    Exists,
    Update,
    Add,
}

/// The keys that may log in as a user.
#[derive(Debug)]
pub(super) struct File {
    whole: Whole,
    uid: u32,
    gid: u32,
    text: String,
    home: String,
}

impl File {
    /// The file of a user; `None` when there is no such user.
    ///
    /// # Errors
    /// [`Stop::Ask`] while something is not known; [`Stop::Failed`] when it cannot be such a file.
    pub(super) fn read(call: &Call<'_>, host: &Host<'_>, user: &str) -> Result<Option<Self>, Stop> {
        let Some(account) = host.user(user)? else {
            return Ok(None);
        };
        let config = call.args().text("config");
        let config = config.unwrap_or_else(|| ".ssh/authorized_keys".to_owned());
        let path = place(&config, user, account)?;
        host.expect([Question::Follow(account.home.clone())]);
        host.expect([Question::Follow(paths::parent(&path).to_owned())]);
        let whole = Whole::unlinked(host, &path)?;
        Ok(Some(Self {
            uid: perms::uid(host, user)?.unwrap_or(0),
            gid: account.gid.unwrap_or(0),
            text: whole.text.clone(),
            home: account.home.clone(),
            whole,
        }))
    }

    /// All keys in it.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.text.lines().filter_map(Key::of_line)
    }

    /// Puts a key in.
    pub(super) fn put(&mut self, key: &Key) -> Put {
        let mut what = Put::Add;
        let mut text = String::new();
        for line in self.text.split_inclusive('\n') {
            match Key::of_line(line).filter(|there| there.key == key.key) {
                Some(there) if there == *key => {
                    what = Put::Exists;
                    text.push_str(line);
                }
                Some(_) => {
                    what = Put::Update;
                    text.push_str(&key.line());
                    text.push('\n');
                }
                None => text.push_str(line),
            }
        }
        if what == Put::Add {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&key.line());
            text.push('\n');
        }
        self.text = text;
        what
    }

    /// Takes a key out; whether it was in.
    pub(super) fn take(&mut self, key: &str) -> bool {
        let lines = self.text.split_inclusive('\n');
        let left: String = lines
            .filter(|line| Key::of_line(line).is_none_or(|there| there.key != key))
            .collect();
        let there = left != self.text;
        self.text = left;
        there
    }

    /// The acts that write it back, its directory made if need be.
    ///
    /// # Errors
    /// [`Stop::Failed`] with Salt's comment when the home directory is missing.
    pub(super) fn write(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Vec<Act>, Stop> {
        if self.text == self.whole.text {
            return Ok(Vec::new());
        }
        let own = |mode| Meta {
            mode,
            uid: self.uid,
            gid: self.gid,
            ..Meta::default()
        };
        let path = &self.whole.path;
        let mut acts = match place::above(host, path)? {
            Above::Dir(_) => Vec::new(),
            Above::Missing(dirs, _) if dirs.contains(&self.home) && !call.test => {
                return Err(no_home());
            }
            Above::Missing(dirs, parent) => {
                let (last, first) = dirs.split_last().ok_or_else(no_home)?;
                let mut acts = place::make_dirs(first, &Perms::default(), &parent, 0o755);
                // A directory elsewhere is for the keys of several users.
                let meta = match paths::below(path, &self.home) {
                    Some(_) => own(0o700),
                    None => Perms::default().fresh(Some(&parent), 0o755),
                };
                let to = Value::Dir { meta };
                acts.push(Act::assign(Address::Path(last.clone()), Value::Absent, to));
                acts
            }
            Above::Blocked(dir) => {
                return Err(Stop::Failed(format!(
                    "The path '{dir}' already exists and is not a directory"
                )));
            }
        };
        acts.push(self.whole.write(host, &self.text, own(0o600)));
        Ok(acts)
    }
}

/// Salt's words for a user or a home that is missing.
pub(super) fn no_home() -> Stop {
    Stop::failed(
        "Failed to add the ssh key. Is the home directory available, and/or does the key file exist?",
    )
}

/// The file's path, as sshd_config(5) expands it.
fn place(config: &str, user: &str, account: &Account) -> Result<String, Stop> {
    let mut path = String::new();
    let mut letters = config.chars();
    while let Some(c) = letters.next() {
        match (c, (c == '%').then(|| letters.next()).flatten()) {
            ('%', Some('%')) => path.push('%'),
            ('%', Some('u')) => path.push_str(user),
            ('%', Some('h')) => path.push_str(&account.home),
            ('%', Some(other)) => {
                return Err(Stop::Failed(format!(
                    "AuthorizedKeysFile path: unknown token character \"%{other}\""
                )));
            }
            ('%', None) => {
                return Err(Stop::failed(
                    "AuthorizedKeysFile path: Last character can't be escape character",
                ));
            }
            _ => path.push(c),
        }
    }
    let path = paths::join(&account.home, &path);
    paths::clean(&path).ok_or_else(no_home)
}
