//! Database states on real servers: accounts, grants, schemas, a replica filled while rows are being written; going back, what
//! others changed since, a server that is down; and no secret anywhere it has no business.

use std::time::Duration;

use harness::lab::{Image, Repo, VARIANTS};
use harness::{Host, HostSpec, Lab, Project, Ran, os};
use serde_json::Value as Json;

/// Passwords. Each is made up so that it can be looked for everywhere.
const FIRST: &str = "Quokka-7-first";
const SECOND: &str = "Quokka-7-second'\"\\";
const REPL: &str = "Quokka-7-repl";
/// What all of them have in common.
const COMMON: &str = "Quokka-7";

const TREE: &[(&str, &str)] = &[
    (
        "salt/top.sls",
        "base:\n  '*': [server]\n  'roles:primary':\n    - match: grain\n    - primary\n  'roles:replica':\n    - match: grain\n    - replica\n",
    ),
    (
        "salt/server.sls",
        "
SERVER:
  pkg.installed: []

CONF:
  file.managed:
    - contents: |
        [mysqld]
        bind-address = 0.0.0.0
        server-id = {{ grains['number'] }}
        log-bin = binlog
        GTID
        read-only = {{ 1 if grains['roles'] == 'replica' else 0 }}
    - require:
      - pkg: SERVER

UNIT:
  service.running:
    - enable: True
    - watch:
      - file: CONF
",
    ),
    (
        "salt/primary.sls",
        "
sample:
  mysql_database.present:
    - character_set: utf8mb4
    - collate: utf8mb4_bin
    - require:
      - service: UNIT

table of notes:
  mysql_query.run_file:
    - database: sample
    - query_file: salt://notes.sql
    - unless: CLIENT -N -e 'select id from sample.notes limit 1'
    - undo: 'true'
    - require:
      - mysql_database: sample

app:
  mysql_user.present:
    - host: '%'
    - password: {{ pillar['password'] | yaml_dquote }}
    - require:
      - service: UNIT

app may work:
  mysql_grants.present:
    - grant: select, insert, update
    - database: sample.*
    - user: app
    - host: '%'
    - require:
      - mysql_user: app
      - mysql_database: sample

repl:
  mysql_user.present:
    - host: '%'
    - password: {{ pillar['repl'] }}
  mysql_grants.present:
    - grant: replication slave, replication client, select, reload, show view, event, trigger
    - database: '*.*'
    - user: repl
    - host: '%'
    - require:
      - mysql_user: repl
",
    ),
    (
        "salt/replica.sls",
        "
from the primary:
  mysql_replication.replica:
    - source_host: db1
    - source_user: repl
    - source_password: {{ pillar['repl'] }}
    - seed: True
    - require:
      - service: UNIT
",
    ),
    (
        "salt/notes.sql",
        "create table notes (\n  id int auto_increment primary key,\n  text varchar(40)\n);\n-- done\n",
    ),
    ("pillar/top.sls", "base:\n  '*': [common]\n"),
];

/// One of the two servers there are.
struct Dialect {
    server: &'static str,
    unit: &'static str,
    client: &'static str,
    conf: &'static str,
    /// Lines of its configuration that make transactions have ids.
    gtid: &'static str,
}

const MARIADB: Dialect = Dialect {
    server: "mariadb-server",
    unit: "mariadb",
    client: "mariadb",
    conf: "/etc/mysql/mariadb.conf.d/90-lab.cnf",
    gtid: "gtid-strict-mode = 1",
};

const MYSQL: Dialect = Dialect {
    server: "mysql-server",
    unit: "mysql",
    client: "mysql",
    conf: "/etc/mysql/mysql.conf.d/zz-lab.cnf",
    gtid: "gtid-mode = ON\n        enforce-gtid-consistency = ON",
};

impl Dialect {
    /// The tree for this server.
    fn tree(&self) -> Vec<(&'static str, String)> {
        let fill = |text: &str| {
            text.replace("SERVER", self.server)
                .replace("UNIT", self.unit)
                .replace("CLIENT", self.client)
                .replace("CONF", self.conf)
                .replace("GTID", self.gtid)
        };
        TREE.iter().map(|(path, text)| (*path, fill(text))).collect()
    }

    fn sql(&self, host: &Host, text: &str) -> String {
        let ran = host
            .exec_with(&format!("{} -N", self.client), text.as_bytes())
            .unwrap();
        assert!(ran.ok(), "{text}: {}", ran.stderr);
        ran.stdout
    }

    /// What a login over the network to `server` says to a statement.
    fn as_app(&self, from: &Host, server: &str, password: &str, statement: &str) -> String {
        let escaped = password.replace('\\', "\\\\").replace('"', "\\\"");
        from.write(
            "/root/login.cnf",
            format!("[client]\nuser=app\npassword=\"{escaped}\"\n"),
        )
        .unwrap();
        let line = format!(
            "{} --defaults-file=/root/login.cnf -h {server} -N -e '{statement}' 2>&1; rm /root/login.cnf",
            self.client
        );
        from.exec(&line).unwrap().stdout.trim().to_owned()
    }
}

fn pillar(project: &Project, password: &str) {
    let quoted = serde_json::to_string(password).unwrap();
    project.write(
        "pillar/common.sls",
        &format!("password: {quoted}\nrepl: {REPL}\n"),
    );
    project.commit("pillar");
}

/// What became of the states of a host: result and comment by function and id.
fn states(ran: &Ran, host: &str) -> Vec<(String, Json, String)> {
    let document = ran.json();
    let states = document["hosts"][host]["states"].as_array().unwrap().clone();
    let told = states.into_iter().map(|state| {
        let name = format!("{}.{} {}", state["state"], state["fun"], state["id"]).replace('"', "");
        let comment = state["comment"].as_str().unwrap().to_owned();
        (name, state["result"].clone(), comment)
    });
    told.collect()
}

fn outcome(ran: &Ran, host: &str) -> String {
    ran.json()["hosts"][host]["outcome"].as_str().unwrap().to_owned()
}

/// Notes every process whose arguments or environment hold a secret, until the host is asked for them.
fn watch_processes(host: &Host) {
    host.write("/run/secret", COMMON).unwrap();
    host.write(
        "/run/watch.sh",
        "while [ ! -e /run/enough ]; do grep -lsaF -f /run/secret /proc/[0-9]*/cmdline /proc/[0-9]*/environ; sleep 0.02; done > /run/seen\n",
    )
    .unwrap();
    host.check("systemd-run --quiet --unit watch sh /run/watch.sh")
        .unwrap();
}

fn secrets_on(host: &Host) -> String {
    let line = "touch /run/enough; journalctl > /run/journal.txt; cat /run/seen; \
                grep -rlsaF -f /run/secret /var/log /run/journal.txt /tmp /etc /var/lib/salt-rs --exclude-dir=objects; \
                find /var/lib/salt-rs -perm /077 -type f; true";
    host.exec(line).unwrap().stdout
}

fn project(lab: &Lab, dialect: &Dialect) -> Project {
    let tree = dialect.tree();
    let files: Vec<(&str, &str)> = tree.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let project = Project::on(lab, &files);
    let roles = lab.hosts().iter().zip([("primary", 1), ("replica", 2)]);
    let roster = roles.map(|(host, (role, number))| {
        let (name, ip) = (host.name(), host.ip());
        format!("{name}: {{ host: {ip}, grains: {{ roles: {role}, number: {number} }} }}\n")
    });
    project.write("roster.yaml", &roster.collect::<String>());
    pillar(&project, FIRST);
    for host in lab.hosts() {
        host.check("apt-get -q update").unwrap();
        watch_processes(host);
    }
    project
}

#[test]
fn a_primary_and_its_replica_there_and_back() {
    let lab = Lab::up(&[HostSpec::systemd("db1"), HostSpec::systemd("db2")]).unwrap();
    there_and_back(&lab, &MARIADB);
}

/// The same on MySQL, which Debian 12 does not have: on a system of its own, only when asked for (`make lab-mysql`).
#[test]
fn the_same_on_mysql_itself() {
    if std::env::var_os("SALT_RS_TEST_MYSQL").is_none() {
        return;
    }
    let variant = VARIANTS
        .iter()
        .find(|variant| variant.name == "debian-sid")
        .unwrap();
    let image = Image::of(*variant, &[]).unwrap();
    let repo = Repo::of(&image, &["mysql-server"]).unwrap();
    let lab = Lab::up_with(
        &image,
        &repo,
        &[HostSpec::systemd("db1"), HostSpec::systemd("db2")],
    )
    .unwrap();
    there_and_back(&lab, &MYSQL);
}

fn there_and_back(lab: &Lab, dialect: &Dialect) {
    let project = project(lab, dialect);
    let sql = |host: &Host, text: &str| dialect.sql(host, text);
    let as_app = |from: &Host, server: &str, password: &str, statement: &str| {
        dialect.as_app(from, server, password, statement)
    };
    let (db1, db2) = (lab.host("db1"), lab.host("db2"));

    // A plan on hosts without a server is green and names what will be done.
    let planned = project.salt_rs(&["plan", "--json"]).expect(2);
    for host in ["db1", "db2"] {
        for (name, result, comment) in states(&planned, host) {
            assert!(result.is_null(), "{host} {name}: {result} {comment}");
        }
    }

    project.salt_rs(&["apply", "db1", "--json"]).expect(0);
    assert!(sql(db1, "show grants for app@'%'").contains("GRANT SELECT, INSERT, UPDATE ON `sample`.*"));
    sql(
        db1,
        "create user other@localhost identified by 'x'; grant select on sample.* to other@localhost",
    );

    // The replica is filled while rows come in, and has every one of them.
    db1.write(
        "/run/load.sh",
        "while [ ! -e /run/loaded ]; do CLIENT sample -e \"insert into notes (text) values ('a'), ('b')\"; done\n"
            .replace("CLIENT", dialect.client),
    )
    .unwrap();
    db1.check("systemd-run --quiet --unit load sh /run/load.sh")
        .unwrap();
    project.salt_rs(&["apply", "db2", "--json"]).expect(0);
    db1.check("touch /run/loaded; while systemctl is-active -q load; do sleep 0.1; done")
        .unwrap();
    let rows = "select count(*), sum(id), sum(crc32(text)) from sample.notes";
    let want = sql(db1, rows);
    let same = os::wait_for(Duration::from_secs(20), || (sql(db2, rows) == want).then_some(()));
    assert!(same.is_some(), "{want} {}", sql(db2, rows));
    assert!(
        sql(db2, "show grants for other@localhost").contains("`sample`.*"),
        "accounts come along"
    );
    assert_eq!(
        as_app(db1, "db2", FIRST, "select max(id) > 2 from sample.notes"),
        "1"
    );
    let write = as_app(db1, "db2", FIRST, "insert into sample.notes (text) values (3)");
    assert!(write.contains("read-only"), "{write}");

    let again = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(
        [outcome(&again, "db1"), outcome(&again, "db2")],
        ["ok", "ok"],
        "{again}"
    );

    for (host, call, said) in [
        ("db1", vec!["mysql.db_exists", "sample"], "true"),
        ("db1", vec!["mysql.user_exists", "nobody"], "false"),
        (
            "db1",
            vec!["mysql.user_grants", "app", "host='%'"],
            "INSERT, SELECT, UPDATE ON `sample`.*",
        ),
        (
            "db1",
            vec!["mysql.query", "sample", "select 40 + 2 as answer"],
            "42",
        ),
        ("db2", vec!["mysql.get_slave_status"], "Running\": \"Yes\""),
    ] {
        let ran = project
            .salt_rs(&[&["call", host], call.as_slice(), &["--json"]].concat())
            .expect(0);
        assert!(ran.stdout.contains(said), "{call:?}: {ran}");
    }

    // Threads that somebody stopped are started; what a server complains of is told.
    sql(db2, "stop replica");
    let started = project.salt_rs(&["apply", "db2", "--json"]).expect(0);
    assert!(
        states(&started, "db2")
            .iter()
            .any(|(_, _, comment)| comment.contains("has been started")),
        "{started}"
    );
    sql(db1, "set sql_log_bin=0; alter user repl@'%' account lock");
    sql(db2, "stop replica; start replica");
    let refused = project.salt_rs(&["apply", "db2", "--json"]).expect(1);
    assert!(refused.stdout.contains("Access denied"), "{refused}");
    sql(db1, "set sql_log_bin=0; alter user repl@'%' account unlock");

    // Another password, and back: the old one lets in again, here and on the replica.
    pillar(&project, SECOND);
    project.salt_rs(&["apply", "db1", "--json"]).expect(0);
    assert_eq!(as_app(db2, "db1", SECOND, "select 1"), "1");
    assert!(as_app(db2, "db1", FIRST, "select 1").contains("Access denied"));
    project.salt_rs(&["rollback", "db1", "--json"]).expect(0);
    assert_eq!(as_app(db2, "db1", FIRST, "select 1"), "1");

    // What somebody granted by hand since is a conflict, and nothing is touched.
    sql(db1, "grant delete on sample.* to app@'%'");
    let conflict = project
        .salt_rs(&["rollback", "db1", "--to", "0", "--json"])
        .expect(5);
    assert!(conflict.stdout.contains("mysql grants of app@%"), "{conflict}");
    sql(db1, "revoke delete on sample.* from app@'%'");

    // A server that is down does not hold up a rollback that removes it; one that is up is taken back whole.
    let accounts = "select concat(user, '@', host) from mysql.user order by 1";
    assert!(sql(db2, accounts).contains("app@%"));
    db1.check(&format!("systemctl stop {}", dialect.unit)).unwrap();
    let back = project.salt_rs(&["rollback", "--to", "0", "--json"]).expect(0);
    for word in [
        "mysql user app@% was not taken back",
        "mysql database sample stays",
    ] {
        assert!(back.stdout.contains(word), "{word} is not in {back}");
    }

    for host in lab.hosts() {
        assert_eq!(secrets_on(host), "", "{}", host.name());
    }
    let found = os::output(
        os::command("grep")
            .args(["-rla", COMMON])
            .arg(project.dir().join(".state")),
        b"",
    );
    assert_eq!(found.unwrap().stdout, "");
}
