//! Things of a database server (MariaDB, MySQL): accounts, grants, schemas, a replica's source.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, Value};

/// A place in a database server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MysqlAt {
    /// Which sort of thing.
    pub kind: MysqlKind,
    /// Its name: `user@host` (the last `@` counts) of an account, a schema's name; empty for the server itself.
    pub name: String,
    /// How the server is reached, without any secret: words `key=value` with the keys `host`, `port`, `user`, `socket`,
    /// `defaults` and `charset`. Empty is the client's own default, root over the local socket.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
}

/// Sorts of things in a database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MysqlKind {
    /// The server; its value is its version as a text. Never assigned.
    Server,
    /// An account.
    User,
    /// An account's privileges and roles.
    Grants,
    /// A schema.
    Database,
    /// Where the server replicates from.
    Source,
}

impl fmt::Display for MysqlAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            MysqlKind::Server => "mysql server",
            MysqlKind::User => "mysql user",
            MysqlKind::Grants => "mysql grants of",
            MysqlKind::Database => "mysql database",
            MysqlKind::Source => "mysql replication",
        };
        f.write_str(kind)?;
        if !self.name.is_empty() {
            write!(f, " {}", self.name)?;
        }
        if !self.server.is_empty() {
            write!(f, " ({})", self.server)?;
        }
        Ok(())
    }
}

/// The secret that goes with a [`MysqlAt::server`]; asked before anything is asked of that server.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Login {
    /// As in [`MysqlAt::server`].
    pub server: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// A schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Default character set; in a wanted value an empty text means "the server's own".
    pub charset: String,
    /// Default collation; likewise.
    pub collation: String,
    /// How much lies in it: tables, views, routines and events. Data comes and goes; it is no part of what is compared.
    #[serde(default)]
    pub holds: u64,
}

/// Where a server replicates from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The source's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The account that reads there.
    pub user: String,
    /// The statement that sets the source up again, password and all, as an object. It never leaves the host, not even
    /// by name.
    pub statement: Option<Digest>,
    /// Both threads are to run, or run. They may fall over, so this is no part of what is compared.
    pub running: bool,
    /// In a wanted value: who dumps the source to fill this server, name and password as an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Digest>,
    /// Transactions this server had when it was looked at; a server without them is not the same any more.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub executed: String,
}

/// A value of a database server in a few words; empty for any other.
pub fn told(value: &Value) -> String {
    match value {
        Value::MysqlUser(_) => "an account".to_owned(),
        Value::MysqlGrants(grants) => grants.join("; "),
        Value::MysqlDatabase(schema) => {
            let mut text = format!("{} {}", schema.charset, schema.collation);
            if schema.holds > 0 {
                text.push_str(&format!(", holds {} tables and the like", schema.holds));
            }
            text
        }
        Value::MysqlSource(source) => {
            let up = if source.running { "running" } else { "stopped" };
            format!("{}@{}:{}, {up}", source.user, source.host, source.port)
        }
        _ => String::new(),
    }
}
