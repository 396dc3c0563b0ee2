//! Salt's `mysql_user`, `mysql_database`, `mysql_grants` and `mysql_query` state modules, and `mysql_replication`, which is
//! ours. One file per function; what they share lies in [`account`], [`grant`] and [`source`], which the minion's writer uses too.
//!
//! No secret is ever part of an address: how a server is reached is, the password is told by its own question.

pub mod account;
mod database_absent;
mod database_present;
pub mod grant;
mod grants_absent;
mod grants_present;
pub mod query;
mod query_run;
mod query_run_file;
mod replica;
mod replica_absent;
pub mod source;
mod user_absent;
mod user_present;

pub use database_absent::DatabaseAbsent;
pub use database_present::DatabasePresent;
pub use grants_absent::GrantsAbsent;
pub use grants_present::GrantsPresent;
pub use query_run::QueryRun;
pub use query_run_file::QueryRunFile;
pub use replica::Replica;
pub use replica_absent::ReplicaAbsent;
pub use user_absent::UserAbsent;
pub use user_present::UserPresent;

use proto::{Address, Args, Login, MysqlAt, MysqlKind, Question, Value};

use crate::{ArgsExt, Host, Kind, Param, Stop};

/// Salt's arguments that say how the server is reached, by the word in [`MysqlAt::server`].
pub const WORDS: &[(&str, &str)] = &[
    ("connection_host", "host"),
    ("connection_port", "port"),
    ("connection_user", "user"),
    ("connection_unix_socket", "socket"),
    ("connection_default_file", "defaults"),
    ("connection_charset", "charset"),
];

/// The parameters every one of these functions takes, after its own.
pub(crate) const fn connection<const OWN: usize, const ALL: usize>(own: [Param; OWN]) -> [Param; ALL] {
    let shared = [
        Param::new(
            "connection_host",
            Kind::Text,
            "Host of the server; the local socket when not given.",
        ),
        Param::new("connection_port", Kind::Number, "Its port."),
        Param::new(
            "connection_user",
            Kind::Text,
            "Account to log in as; `root` when not given.",
        ),
        Param::new(
            "connection_pass",
            Kind::Text,
            "Its password. It reaches the client by a file that only root reads.",
        ),
        Param::new(
            "connection_unix_socket",
            Kind::Text,
            "Path of the server's socket.",
        ),
        Param::new(
            "connection_default_file",
            Kind::Text,
            "Option file of the client to take all of this from.",
        ),
        Param::new(
            "connection_charset",
            Kind::Text,
            "Character set of the connection; `utf8mb4` when not given.",
        ),
        Param::new(
            "connection_db",
            Kind::Text,
            "Accepted; names are always told whole.",
        ),
    ];
    assert!(ALL == OWN + 8, "the length of a list of parameters");
    let mut all = [const { Param::new("", Kind::Any, "") }; ALL];
    let mut place = 0;
    while place < ALL {
        let from = if place < OWN {
            &own[place]
        } else {
            &shared[place - OWN]
        };
        all[place] = Param {
            name: from.name,
            kind: from.kind,
            required: from.required,
            doc: from.doc,
        };
        place += 1;
    }
    all
}

/// A database server as a state sees it.
#[derive(Debug)]
pub(crate) struct Server<'h, 'a> {
    host: &'h Host<'a>,
    name: String,
}

/// What a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facts {
    /// MariaDB, not MySQL.
    pub(crate) mariadb: bool,
    /// Major and minor version.
    pub(crate) version: (u32, u32),
    /// What tells this server from every other, where it says so.
    pub(crate) uuid: String,
}

impl<'h, 'a> Server<'h, 'a> {
    /// The server that the arguments name; its password is told before anything is asked.
    pub(crate) fn of(args: &Args, host: &'h Host<'a>) -> Result<Self, Stop> {
        let mut words = Vec::new();
        for (argument, word) in WORDS {
            let Some(value) = args.text(argument).filter(|value| !value.is_empty()) else {
                continue;
            };
            if value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '=') {
                return Err(Stop::failed(format!("{argument} cannot be {value:?}")));
            }
            words.push(format!("{word}={value}"));
        }
        let name = words.join(" ");
        if let Some(password) = args.text("connection_pass").filter(|text| !text.is_empty()) {
            let server = name.clone();
            host.ask(Question::Login(Login { server, password }))?;
        }
        Ok(Self { host, name })
    }

    /// The address of a thing of this server.
    pub(crate) fn at(&self, kind: MysqlKind, name: &str) -> MysqlAt {
        MysqlAt {
            kind,
            name: name.to_owned(),
            server: self.name.clone(),
        }
    }

    /// What is at an address of this server, and what the server is.
    pub(crate) fn read(&self, kind: MysqlKind, name: &str) -> Result<(Address, &'a Value, Facts), Stop> {
        let at = Address::Mysql(self.at(kind, name));
        let server = Address::Mysql(self.at(MysqlKind::Server, ""));
        self.host
            .expect([Question::Read(at.clone()), Question::Read(server.clone())]);
        let facts = Facts::of(self.host.read(server)?);
        Ok((at.clone(), self.host.read(at)?, facts))
    }

    /// Asks for several things at once, so that the client is started once.
    pub(crate) fn expect(&self, things: &[(MysqlKind, &str)]) {
        let all = things
            .iter()
            .map(|(kind, name)| Question::Read(Address::Mysql(self.at(*kind, name))));
        self.host.expect(all);
    }
}

impl Facts {
    /// From the value of [`MysqlKind::Server`]; a server that is still to come is taken for MariaDB.
    pub(crate) fn of(value: &Value) -> Self {
        let Value::Text(text) = value else {
            return Self {
                mariadb: true,
                version: (10, 11),
                uuid: String::new(),
            };
        };
        let (version, uuid) = text.split_once(' ').unwrap_or((text, ""));
        let mut numbers = version
            .split(|c: char| !c.is_ascii_digit())
            .map(|number| number.parse().unwrap_or(0));
        Self {
            mariadb: version.contains("MariaDB"),
            version: (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)),
            uuid: uuid.to_owned(),
        }
    }
}

/// A text as a literal of SQL, under an empty `sql_mode`.
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A name as SQL quotes it.
pub fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// `user@host` as SQL names the account.
pub fn account_name(name: &str) -> String {
    let (user, host) = name.rsplit_once('@').unwrap_or((name, "%"));
    format!("{}@{}", literal(user), literal(host))
}

/// The name of an account from the arguments of a state; line ends and the like cannot stand in one.
pub(crate) fn account_of(user: &str, args: &Args) -> Result<String, Stop> {
    let host = args.text("host").unwrap_or_else(|| "localhost".to_owned());
    let name = format!("{user}@{host}");
    if host.contains('@') || name.contains(char::is_control) {
        return Err(Stop::failed(format!(
            "{name:?} cannot be an account of a database"
        )));
    }
    Ok(name)
}

/// The name of a schema; line ends and the like cannot stand in one.
pub(crate) fn schema(name: &str) -> Result<&str, Stop> {
    if name.is_empty() || name.contains(char::is_control) {
        return Err(Stop::failed(format!("{name:?} cannot be the name of a database")));
    }
    Ok(name)
}
