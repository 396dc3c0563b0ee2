//! Where a server replicates from: read with its password, set, started and waited for.

use std::time::{Duration, Instant};

use proto::{Change, MysqlAt, Problem, Source, Value};
use states::mysql::literal;
use states::mysql::source::{Settings, includes};

use super::super::{Live, failed, refused};
use super::client::{Answered, OnError};

/// How long both threads may take to run once they were started.
const PATIENCE: Duration = Duration::from_secs(60);

/// Errors of the thread that reads from the source which go away only when somebody changes something: not let in, what is
/// needed is no longer there.
const HOPELESS: &[&str] = &["1045", "1130", "1236", "1698", "2061", "3118", "4151"];

/// The statements that tell where a server replicates from.
pub(super) const ASKING: &[&str] = &[
    "SELECT VERSION()",
    "SHOW REPLICA STATUS",
    "SELECT @@datadir",
    "SELECT @@GLOBAL.gtid_current_pos",
    "SELECT @@GLOBAL.gtid_executed",
    "SELECT User_password FROM mysql.slave_master_info WHERE Channel_name = ''",
];

/// `SHOW REPLICA STATUS`, by column.
pub(super) struct Status<'a> {
    head: &'a [String],
    row: &'a [String],
}

impl<'a> Status<'a> {
    /// The status; none when the server has no source.
    pub(super) fn of(answered: &'a Answered) -> Result<Option<Self>, Problem> {
        match answered {
            Ok(rows) => Ok(match rows.as_slice() {
                [head, row, ..] => Some(Self { head, row }),
                _ => None,
            }),
            Err(complaint) => Err(failed(format!(
                "cannot ask for replication: {}",
                complaint.told()
            ))),
        }
    }

    /// A column, whichever of the two dialects' names it has.
    fn column(&self, name: &str) -> String {
        let place = self.head.iter().position(|other| other == name);
        place
            .and_then(|place| self.row.get(place))
            .cloned()
            .unwrap_or_default()
    }

    fn either(&self, old: &str, new: &str) -> String {
        let found = self.column(new);
        if found.is_empty() { self.column(old) } else { found }
    }

    fn threads(&self) -> [String; 2] {
        [
            self.either("Slave_IO_Running", "Replica_IO_Running"),
            self.either("Slave_SQL_Running", "Replica_SQL_Running"),
        ]
    }

    fn running(&self) -> bool {
        self.threads().iter().all(|state| state == "Yes")
    }

    /// What the server complains of.
    fn complaint(&self) -> String {
        let mut said: Vec<String> = ["Last_IO_Error", "Last_SQL_Error"]
            .iter()
            .map(|name| self.column(name))
            .collect();
        said.retain(|text| !text.is_empty());
        said.dedup();
        said.join("\n")
    }
}

impl Live {
    /// Makes the value of [`ASKING`]'s answers.
    pub(super) fn understood_source(&self, answers: &[Answered]) -> Result<Value, Problem> {
        let cell = |place: usize| match answers.get(place) {
            Some(Ok(rows)) => rows
                .get(1)
                .and_then(|row| row.first())
                .cloned()
                .unwrap_or_default(),
            _ => String::new(),
        };
        let Some(status) = answers.get(1).map(Status::of).transpose()?.flatten() else {
            return Ok(Value::Absent);
        };
        let host = status.either("Master_Host", "Source_Host");
        if host.is_empty() {
            return Ok(Value::Absent);
        }
        let mariadb = cell(0).contains("MariaDB");
        let password = if mariadb {
            self.kept_password(&cell(2))
        } else {
            cell(5)
        };
        let settings = Settings::seen(mariadb, &password, &|name| status.column(name));
        let statement = self
            .objects
            .put(settings.statement(mariadb).as_bytes())
            .map_err(|error| refused(format!("cannot keep where the server replicates from: {error}")))?;
        Ok(Value::MysqlSource(Source {
            host,
            port: status
                .either("Master_Port", "Source_Port")
                .parse()
                .unwrap_or(3306),
            user: status.either("Master_User", "Source_User"),
            statement: Some(statement),
            running: status.running(),
            seed: None,
            executed: cell(if mariadb { 3 } else { 4 }),
        }))
    }

    /// MariaDB keeps the password of its source in a file: the sixth line.
    fn kept_password(&self, datadir: &str) -> String {
        let text = self.text(&format!("{}/master.info", datadir.trim_end_matches('/')));
        text.unwrap_or_default()
            .lines()
            .nth(5)
            .unwrap_or_default()
            .to_owned()
    }

    /// Makes the source as wanted. What filling the server brought is told even where the rest failed.
    pub(super) fn assign_source(
        &mut self,
        at: &MysqlAt,
        was: &Value,
        to: &Value,
        brought: &mut Vec<Change>,
    ) -> Result<(), Problem> {
        let server = at.server.as_str();
        let say = |text: &str| text.to_owned();
        let Value::MysqlSource(wanted) = to else {
            return self.change(server, &[say("STOP REPLICA"), say("RESET REPLICA ALL")]);
        };
        let same = was.same(to);
        if same && !wanted.running {
            return self.change(server, &[say("STOP REPLICA")]);
        }
        if !same {
            self.not_diverged(server, wanted)?;
            let mut statements = Vec::new();
            if !was.is_absent() {
                self.change(server, &[say("STOP REPLICA")])?;
            } else if wanted.seed.is_some() {
                self.fill(at, wanted, brought)?;
            }
            if let Some(digest) = &wanted.statement {
                statements.push(self.statement(at, digest)?);
            }
            self.change(server, &statements)?;
        }
        if !wanted.running {
            return Ok(());
        }
        self.change(server, &[say("START REPLICA")])?;
        self.runs(server)
    }

    /// Refuses to follow a source again that this server has left behind.
    fn not_diverged(&self, server: &str, wanted: &Source) -> Result<(), Problem> {
        if wanted.executed.is_empty() {
            return Ok(());
        }
        let ask = [
            say_subset(&wanted.executed),
            "SELECT @@GLOBAL.gtid_current_pos".to_owned(),
        ];
        let answers = self.sql(server, &ask, OnError::GoOn)?;
        let cell = |place: usize| match answers.get(place) {
            Some(Ok(rows)) => rows.get(1).and_then(|row| row.first()).cloned(),
            _ => None,
        };
        let fine = match (cell(0), cell(1)) {
            (Some(subset), _) => subset == "1",
            (None, Some(now)) => includes(&now, &wanted.executed),
            (None, None) => false,
        };
        if fine {
            return Ok(());
        }
        Err(refused(format!(
            "the server lacks transactions it had when it followed {}:{} (then {}): it was filled anew or promoted since, and is \
             not set to follow that source again",
            wanted.host, wanted.port, wanted.executed
        )))
    }

    /// Waits until both threads run; the server's own error when they do not.
    fn runs(&self, server: &str) -> Result<(), Problem> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answers = self.sql(server, &["SHOW REPLICA STATUS".to_owned()], OnError::GoOn)?;
            let status = answers.first().map(Status::of).transpose()?.flatten();
            let status = status.ok_or_else(|| failed("the server forgot its source while it was started"))?;
            if status.running() {
                return Ok(());
            }
            let said = status.complaint();
            let hopeless = HOPELESS.contains(&status.column("Last_IO_Errno").as_str());
            let stopped = !said.is_empty() && status.threads().iter().any(|state| state == "No");
            if hopeless || stopped || Instant::now() >= deadline {
                let [io, sql] = status.threads();
                let said = if said.is_empty() {
                    "the server names no error"
                } else {
                    &said
                };
                return Err(failed(format!(
                    "replication does not run (IO thread: {io}, SQL thread: {sql}): {said}"
                )));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn say_subset(earlier: &str) -> String {
    format!("SELECT GTID_SUBSET({}, @@GLOBAL.gtid_executed)", literal(earlier))
}
