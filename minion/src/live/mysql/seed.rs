//! Filling a server that never replicated: accounts and a consistent dump of all databases of its source, from the source's
//! program straight into ours. Never over data: a database that holds something here refuses all of it.

use std::collections::BTreeMap;

use proto::{Address, Change, Digest, MysqlAt, MysqlKind, Problem, Source, Value};
use states::mysql::{literal, quoted};

use super::super::{Live, failed, refused};
use super::client::OnError;

/// Schemas of the server's own.
const OWN: &str = "'information_schema', 'mysql', 'performance_schema', 'sys', 'ndbinfo'";
/// Accounts of the server's and the distribution's own.
const OURS: &str = "'', 'root', 'mysql', 'mariadb.sys', 'mysql.sys', 'mysql.session', 'mysql.infoschema', 'debian-sys-maint', 'PUBLIC'";

impl Live {
    /// Fills the server, unless it replicated before; gives it the accounts of its source that it lacks.
    pub(super) fn fill(
        &mut self,
        at: &MysqlAt,
        source: &Source,
        brought: &mut Vec<Change>,
    ) -> Result<(), Problem> {
        let remote = self.introduced(at, source)?;
        let accounts = self.column(
            &remote,
            &format!(
                "SELECT CONCAT(User, '@', Host) FROM mysql.user WHERE Host <> '' AND User NOT IN ({OURS})"
            ),
        )?;
        let users = self.things(&remote, MysqlKind::User, &accounts)?;
        let grants = self.things(&remote, MysqlKind::Grants, &accounts)?;
        let databases = self.column(
            &remote,
            &format!("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ({OWN})"),
        )?;
        let mariadb = self
            .column(&at.server, "SELECT VERSION()")?
            .concat()
            .contains("MariaDB");
        if !databases.is_empty() && self.never_replicated(at, mariadb)? {
            self.fill_databases(at, &remote, &databases, mariadb, brought)?;
        }
        let mut statements = Vec::new();
        let here = self.things(&at.server, MysqlKind::User, &accounts)?;
        for name in accounts
            .iter()
            .filter(|name| here.get(*name).is_none_or(Value::is_absent))
        {
            let nothing = Value::Absent;
            for (kind, values) in [(MysqlKind::User, &users), (MysqlKind::Grants, &grants)] {
                let to = values.get(name).unwrap_or(&nothing);
                if !to.is_absent() {
                    statements.extend(self.changing(
                        &thing(&at.server, kind, name),
                        &nothing,
                        &nothing,
                        to,
                    )?);
                }
            }
        }
        let done = if statements.is_empty() {
            Ok(())
        } else {
            self.change(&at.server, &statements)
        };
        for kind in [MysqlKind::User, MysqlKind::Grants] {
            let now = self.things(&at.server, kind, &accounts)?;
            for (name, after) in now {
                let known = here.get(&name).is_some_and(|value| !value.is_absent());
                if !known && !after.is_absent() {
                    brought.push(Change {
                        at: Address::Mysql(thing(&at.server, kind, &name)),
                        before: Value::Absent,
                        after,
                    });
                }
            }
        }
        done
    }

    /// The source as a server one can log in to, and its name.
    fn introduced(&mut self, at: &MysqlAt, source: &Source) -> Result<String, Problem> {
        let digest = source.seed.unwrap_or_else(|| Digest::of(""));
        let text = self
            .statement_of(&digest)
            .ok_or_else(|| refused(format!("who fills {at} is not in the store")))?;
        let (user, password) = text.split_once('\n').unwrap_or((&text, ""));
        let name = format!("host={} port={} user={user}", source.host, source.port);
        self.databases.logins.insert(name.clone(), password.to_owned());
        Ok(name)
    }

    fn never_replicated(&self, at: &MysqlAt, mariadb: bool) -> Result<bool, Problem> {
        let ask = if mariadb {
            "SELECT @@GLOBAL.gtid_slave_pos"
        } else {
            "SELECT REGEXP_REPLACE(@@GLOBAL.gtid_executed, CONCAT('(,|\\\\n|^)', @@server_uuid, '(:[0-9-]+)+'), '')"
        };
        Ok(self.column(&at.server, ask)?.concat().is_empty())
    }

    fn fill_databases(
        &mut self,
        at: &MysqlAt,
        remote: &str,
        databases: &[String],
        mariadb: bool,
        brought: &mut Vec<Change>,
    ) -> Result<(), Problem> {
        let before = self.things(&at.server, MysqlKind::Database, databases)?;
        let full: Vec<&str> = before
            .iter()
            .filter(|(_, value)| matches!(value, Value::MysqlDatabase(schema) if schema.holds > 0))
            .map(|(name, _)| name.as_str())
            .collect();
        if !full.is_empty() {
            return Err(refused(format!(
                "the server never replicated and holds data of its own in {}, which its source has too: it is not filled over \
                 them. Drop them here if they are not needed, or bring both to the same state yourself and leave out `seed`",
                full.join(", ")
            )));
        }
        if !mariadb {
            // Only what this server did by itself; a dump's position needs a clean page.
            let fresh = ["RESET BINARY LOGS AND GTIDS", "RESET MASTER"].map(str::to_owned);
            let answers = self.sql(&at.server, &fresh[..1], OnError::GoOn)?;
            if answers.first().is_some_and(Result::is_err) {
                self.sql_must(&at.server, &fresh[1..])?;
            }
        }
        let dump: &[&str] = if mariadb {
            &["--gtid", "--master-data=1"]
        } else {
            &["--set-gtid-purged=ON", "--source-data=2"]
        };
        let poured = self.pour(remote, &at.server, dump, databases, mariadb);
        if poured.is_err() {
            self.empty_again(at, &before, mariadb)?;
        }
        poured?;
        for (name, after) in self.things(&at.server, MysqlKind::Database, databases)? {
            brought.push(Change {
                at: Address::Mysql(thing(&at.server, MysqlKind::Database, &name)),
                before: before.get(&name).cloned().unwrap_or(Value::Absent),
                after,
            });
        }
        Ok(())
    }

    /// After half a dump: what was not there before goes, so that another try may begin.
    fn empty_again(
        &mut self,
        at: &MysqlAt,
        before: &BTreeMap<String, Value>,
        mariadb: bool,
    ) -> Result<(), Problem> {
        let mut statements = vec!["SET SESSION sql_log_bin=0".to_owned()];
        for (name, was) in before {
            let place = thing(&at.server, MysqlKind::Database, name);
            statements.push(format!("DROP DATABASE IF EXISTS {}", quoted(name)));
            if !was.is_absent() {
                statements.extend(self.changing(&place, &Value::Absent, &Value::Absent, was)?);
            }
        }
        if mariadb {
            statements.push(format!("SET GLOBAL gtid_slave_pos={}", literal("")));
        }
        self.sql_must(&at.server, &statements).map(drop)
    }

    /// The first column of a query's rows.
    pub(super) fn column(&self, server: &str, query: &str) -> Result<Vec<String>, Problem> {
        let answers = self.sql_must(server, &[query.to_owned()])?;
        let rows = answers.into_iter().flatten().skip(1);
        Ok(rows.filter_map(|row| row.into_iter().next()).collect())
    }

    /// Several things of one server, by name.
    fn things(
        &mut self,
        server: &str,
        kind: MysqlKind,
        names: &[String],
    ) -> Result<BTreeMap<String, Value>, Problem> {
        self.databases.forget();
        let ask: Vec<proto::Question> = names
            .iter()
            .map(|name| proto::Question::Read(Address::Mysql(thing(server, kind, name))))
            .collect();
        self.learn_mysql(&ask);
        let mut found = BTreeMap::new();
        for name in names {
            let value = self.read_mysql(&thing(server, kind, name))?;
            found.insert(name.clone(), value);
        }
        self.databases.forget();
        Ok(found)
    }

    fn statement_of(&self, digest: &Digest) -> Option<String> {
        let bytes = self.objects.get(digest).ok()?;
        String::from_utf8(bytes).ok()
    }

    /// Dumps databases of one server straight into another.
    fn pour(
        &self,
        from: &str,
        to: &str,
        options: &[&str],
        databases: &[String],
        mariadb: bool,
    ) -> Result<(), Problem> {
        let names = ["mariadb-dump", "mysqldump"];
        let program = names.into_iter().find(|name| self.has_program(name));
        let program =
            program.ok_or_else(|| refused("the host has neither `mariadb-dump` nor `mysqldump`"))?;
        let (mut dump, dump_folder) = self.client_argv(program, from, "from")?;
        dump.extend(
            [
                "--single-transaction",
                "--quick",
                "--routines",
                "--events",
                "--triggers",
                "--hex-blob",
                "--no-tablespaces",
            ]
            .iter()
            .chain(options)
            .map(|&word| word.to_owned()),
        );
        dump.push("--databases".to_owned());
        dump.extend(databases.iter().cloned());
        let (mut load, load_folder) = self.client_argv(self.client_program()?, to, "to")?;
        load.push("--binary-mode".to_owned());
        if mariadb {
            load.push("--init-command=SET SESSION sql_log_bin=0".to_owned());
        }
        let done = self.pipe(&dump, &load);
        for folder in [dump_folder, load_folder].into_iter().flatten() {
            self.unstage(&folder);
        }
        let (dumped, loaded) = done?;
        for output in [&loaded, &dumped] {
            let broken = || failed(format!("the server could not be filled: {}", said(output)));
            if output.code != 0 {
                return Err(broken());
            }
        }
        Ok(())
    }
}

/// What a program of the server's said in the end; statements it repeats stay out.
fn said(output: &proto::Output) -> String {
    let mut lines = output.stderr.lines();
    let telling = |line: &&str| line.starts_with("ERROR ") || line.contains("dump: ");
    let last = lines.rfind(telling).unwrap_or("its program ended with an error");
    last.to_owned()
}

fn thing(server: &str, kind: MysqlKind, name: &str) -> MysqlAt {
    MysqlAt {
        kind,
        name: name.to_owned(),
        server: server.to_owned(),
    }
}
