//! Accounts as a plan leaves them. Ids that only the real tools can give are provisional: later reads see one and the same
//! number, which is shown to nobody.

use proto::{Account, Address, Answer, Group, Meta, Question, Value};

use super::Dry;
use crate::system::System;

/// Where provisional ids begin: far above any that a tool gives, below the two that mean "none".
const PROVISIONAL: u32 = 4_200_000_000;

impl<S: System> Dry<S> {
    fn next_id(&mut self) -> u32 {
        self.given += 1;
        PROVISIONAL + self.given
    }

    /// A group after its assignment.
    pub(super) fn group(&mut self, name: &str, wanted: &Group) -> Value {
        let live = match self.read(&Address::Group(name.to_owned())) {
            Value::Group(group) => group.gid,
            _ => None,
        };
        let gid = wanted.gid.or(live);
        let gid = Some(gid.unwrap_or_else(|| self.next_id()));
        Value::Group(Group {
            gid,
            ..wanted.clone()
        })
    }

    /// A user after its assignment; a new one brings a group of its name and perhaps a home.
    pub(super) fn user(&mut self, name: &str, wanted: &Account) -> Value {
        let live = match self.read(&Address::User(name.to_owned())) {
            Value::User(account) => Some(account),
            _ => None,
        };
        let known = live.as_ref();
        let uid = wanted.uid.or(known.and_then(|live| live.uid));
        let uid = uid.unwrap_or_else(|| self.next_id());
        let mut gid = wanted.gid.or(known.and_then(|live| live.gid));
        if live.is_none() {
            gid = gid.or_else(|| Some(self.own_group(name, uid)));
        }
        let account = Account {
            uid: Some(uid),
            gid,
            create_home: false,
            system: false,
            shadow: wanted.shadow.or(known.and_then(|live| live.shadow)),
            ..wanted.clone()
        };
        if live.is_none() && wanted.create_home && self.read(&Address::Path(wanted.home.clone())).is_absent()
        {
            let meta = Meta {
                mode: self.home_mode(),
                uid,
                gid: gid.unwrap_or(uid),
                ..Meta::default()
            };
            self.put(&wanted.home, Value::Dir { meta });
        }
        Value::User(account)
    }

    fn own_group(&mut self, name: &str, id: u32) -> u32 {
        let at = Address::Group(name.to_owned());
        if let Value::Group(Group { gid: Some(gid), .. }) = self.read(&at) {
            return gid;
        }
        let group = Group {
            gid: Some(id),
            ..Group::default()
        };
        self.over.insert(at, Value::Group(group));
        id
    }

    /// The mode that `useradd` gives a home: `HOME_MODE`, else what `UMASK` leaves, in /etc/login.defs.
    fn home_mode(&mut self) -> u32 {
        let text = match self
            .inner
            .answer(&[Question::Bytes("/etc/login.defs".to_owned())])
            .pop()
        {
            Some(Answer::Bytes(Some(bytes))) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => return 0o755,
        };
        let setting = |key: &str| {
            text.lines().find_map(|line| {
                let mut words = line.split_whitespace();
                (words.next() == Some(key))
                    .then(|| words.next())
                    .flatten()
                    .and_then(|word| u32::from_str_radix(word, 8).ok())
            })
        };
        setting("HOME_MODE")
            .or_else(|| setting("UMASK").map(|mask| 0o777 & !mask))
            .unwrap_or(0o755)
    }
}
