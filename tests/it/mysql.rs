//! Database states on real servers: accounts, grants, schemas, a replica filled while rows are being written; going back, what
//! others changed since, a server that is down; and no secret anywhere it has no business.

use std::time::Duration;

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
mariadb-server:
  pkg.installed: []

/etc/mysql/mariadb.conf.d/90-lab.cnf:
  file.managed:
    - contents: |
        [mysqld]
        bind-address = 0.0.0.0
        server-id = {{ grains['number'] }}
        log-bin = binlog
        gtid-strict-mode = 1
        read-only = {{ 1 if grains['roles'] == 'replica' else 0 }}
    - require:
      - pkg: mariadb-server

mariadb:
  service.running:
    - enable: True
    - watch:
      - file: /etc/mysql/mariadb.conf.d/90-lab.cnf
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
      - service: mariadb

app:
  mysql_user.present:
    - host: '%'
    - password: {{ pillar['password'] | yaml_dquote }}
    - require:
      - service: mariadb

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
      - service: mariadb
",
    ),
    ("pillar/top.sls", "base:\n  '*': [common]\n"),
];

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

fn sql(host: &Host, text: &str) -> String {
    let ran = host.exec_with("mariadb -N", text.as_bytes()).unwrap();
    assert!(ran.ok(), "{text}: {}", ran.stderr);
    ran.stdout
}

/// What a login over the network to `server` says to a statement; empty when it is not let in or refused.
fn as_app(from: &Host, server: &str, password: &str, statement: &str) -> String {
    let escaped = password.replace('\\', "\\\\").replace('"', "\\\"");
    from.write(
        "/root/login.cnf",
        format!("[client]\nuser=app\npassword=\"{escaped}\"\n"),
    )
    .unwrap();
    let line = format!(
        "mariadb --defaults-file=/root/login.cnf -h {server} -N -e '{statement}' 2>&1; rm /root/login.cnf"
    );
    from.exec(&line).unwrap().stdout.trim().to_owned()
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
                grep -rlsaF -f /run/secret /var/log /run/journal.txt /tmp /etc /var/lib/salt-rs --exclude-dir=objects --exclude-dir=runs; \
                find /var/lib/salt-rs -perm /077 -type f; true";
    host.exec(line).unwrap().stdout
}

fn lab() -> (Lab, Project) {
    let lab = Lab::up(&[HostSpec::systemd("db1"), HostSpec::systemd("db2")]).unwrap();
    let project = Project::on(&lab, TREE);
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
    (lab, project)
}

#[test]
fn a_primary_and_its_replica_there_and_back() {
    let (lab, project) = lab();
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
        "create table sample.notes (id int auto_increment primary key, text varchar(40))",
    );
    sql(
        db1,
        "create user other@localhost identified by 'x'; grant select on sample.* to other@localhost",
    );

    // The replica is filled while rows come in, and has every one of them.
    db1.write(
        "/run/load.sh",
        "while [ ! -e /run/loaded ]; do mariadb sample -e \"insert into notes (text) values ('a'), ('b')\"; done\n",
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

    // Threads that somebody stopped are started; what a server complains of is told.
    sql(db2, "stop slave");
    let started = project.salt_rs(&["apply", "db2", "--json"]).expect(0);
    assert!(
        states(&started, "db2")
            .iter()
            .any(|(_, _, comment)| comment.contains("has been started")),
        "{started}"
    );
    sql(
        db1,
        "set sql_log_bin=0; alter user repl@'%' identified by 'changed'",
    );
    sql(db2, "stop slave; start slave");
    let refused = project.salt_rs(&["apply", "db2", "--json"]).expect(1);
    assert!(
        refused.stdout.contains("Access denied for user 'repl'@"),
        "{refused}"
    );
    sql(
        db1,
        &format!("set sql_log_bin=0; alter user repl@'%' identified by '{REPL}'"),
    );

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
    db1.check("systemctl stop mariadb").unwrap();
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
