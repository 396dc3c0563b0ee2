//! The product's promise on real hosts: apply changes, apply again changes nothing, plan says what apply does, rollback
//! brings every byte, mode, owner, package and service back.

use std::collections::BTreeMap;

use harness::{HostSpec, Lab, Project, Ran};
use serde_json::Value as Json;

/// A tree that touches every address family there is.
const TREE: &[(&str, &str)] = &[
    (
        "salt/top.sls",
        "base:\n  '*':\n    - base\n  'web*':\n    - web\n  'G@roles:db':\n    - db\n",
    ),
    (
        "salt/base/init.sls",
        "
/etc/motd:
  file.managed:
    - source: salt://base/motd.jinja
    - template: jinja
    - mode: '0640'

/opt/app/conf.d:
  file.directory:
    - makedirs: True
    - mode: '0750'
    - user: app
    - require:
      - user: app

app:
  group.present:
    - system: True
  user.present:
    - gid: app
    - shell: /usr/sbin/nologin
    - home: /opt/app
    - createhome: False
    - require:
      - group: app

/opt/app/current:
  file.symlink:
    - target: /opt/app/conf.d
    - require:
      - file: /opt/app/conf.d

/etc/issue:
  file.append:
    - text: |
        managed by salt-rs
        second line

/etc/debian_version:
  file.replace:
    - pattern: '^(\\d+)'
    - repl: 'was \\1'

/etc/issue.net:
  file.absent: []

/opt/app/tree:
  file.recurse:
    - source: salt://base/tree
    - file_mode: '0600'
    - dir_mode: '0700'
    - require:
      - file: /opt/app/conf.d

/opt/app/copy:
  file.copy:
    - source: /etc/hostname
    - require:
      - file: /opt/app/conf.d

net.ipv4.conf.all.log_martians:
  sysctl.present:
    - value: 1

echo once > /opt/app/once:
  cmd.run:
    - creates: /opt/app/once
    - undo: rm /opt/app/once
    - require:
      - file: /opt/app/conf.d
",
    ),
    (
        "salt/base/motd.jinja",
        "host {{ grains['id'] }} says {{ pillar['greeting'] }}\n",
    ),
    ("salt/base/tree/a", "a\n"),
    ("salt/base/tree/sub/b", "b\n"),
    (
        "salt/web/init.sls",
        "
labd:
  pkg.installed:
    - version: 1.0-1
  service.running:
    - enable: True
    - watch:
      - file: /etc/labd.conf

/etc/labd.conf:
  file.managed:
    - contents: 'greeting = {{ pillar['greeting'] }}'
    - require:
      - pkg: labd

/etc/systemd/system/ours.service:
  file.managed:
    - contents: |
        [Service]
        ExecStart=/bin/sleep infinity
        [Install]
        WantedBy=multi-user.target

ours:
  service.running:
    - enable: True
    - require:
      - file: /etc/systemd/system/ours.service
",
    ),
    (
        "salt/db/init.sls",
        "lab-tool:\n  pkg.installed:\n    - version: {{ pillar['tool'] }}\n",
    ),
    ("pillar/top.sls", "base:\n  '*':\n    - common\n"),
    ("pillar/common.sls", "greeting: hi\ntool: 1.0-1\n"),
];

/// What apply, apt and systemd write on the way and nobody calls configuration: logs, caches, indexes, our own records.
pub(crate) const NOISE: &[&str] = &[
    "/var/log/**",
    "/var/cache/**",
    "/var/lib/apt/**",
    "/var/lib/dpkg/status-old",
    "/var/lib/dpkg/available*",
    "/var/lib/dpkg/diversions-old",
    "/var/lib/dpkg/statoverride-old",
    "/var/lib/dpkg/lock*",
    "/var/lib/dpkg/triggers/Lock",
    "/var/lib/salt-rs",
    "/var/lib/salt-rs/**",
    "/var/lib/systemd/**",
    "/var/lib/private",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/shadow-",
    "/etc/gshadow-",
    "/etc/subuid-",
    "/etc/subgid-",
    "/etc/.pwd.lock",
    "/etc/ld.so.cache",
    "/root/**",
    "/run/**",
    "/tmp/**",
    "/var/tmp/**",
    "/proc/**",
    "/sys/**",
    "/dev/**",
];

/// Files that hold other programs' entries besides ours: an entry comes and goes, the time of writing stays.
const SHARED: &[&str] = &[
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/subuid",
    "/etc/subgid",
    "/var/lib/dpkg/status",
];

fn lab() -> Lab {
    Lab::up(&[
        HostSpec::systemd("web1"),
        HostSpec::systemd("web2"),
        HostSpec::systemd("db1"),
    ])
    .unwrap()
}

/// A project on the lab whose hosts have roles.
fn project(lab: &Lab) -> Project {
    let project = Project::on(lab, TREE);
    let roster: String = lab
        .hosts()
        .iter()
        .map(|host| {
            let role = host.name().trim_end_matches(|c: char| c.is_ascii_digit());
            format!(
                "{}: {{ host: {}, grains: {{ roles: [{role}] }} }}\n",
                host.name(),
                host.ip()
            )
        })
        .collect();
    project.write("roster.yaml", &roster);
    project.commit("roles");
    project
}

/// Per host and state: what changed (or would), without what only a run can know.
pub(crate) fn changes(ran: &Ran) -> BTreeMap<(String, String), Json> {
    let document = ran.json();
    let mut all = BTreeMap::new();
    for (host, result) in document["hosts"].as_object().unwrap() {
        for state in result["states"].as_array().unwrap() {
            let touched = !state["changes"].as_object().unwrap().is_empty() || state["result"].is_null();
            if touched {
                let tag = format!("{}.{} {}", state["state"], state["fun"], state["id"]).replace('"', "");
                all.insert((host.clone(), tag), state["changes"].clone());
            }
        }
    }
    all
}

fn outcomes(ran: &Ran) -> BTreeMap<String, String> {
    let document = ran.json();
    let hosts = document["hosts"].as_object().unwrap();
    hosts
        .iter()
        .map(|(host, result)| (host.clone(), result["outcome"].as_str().unwrap().to_owned()))
        .collect()
}

fn all(lab: &Lab, outcome: &str) -> BTreeMap<String, String> {
    lab.hosts()
        .iter()
        .map(|host| (host.name().to_owned(), outcome.to_owned()))
        .collect()
}

#[test]
fn apply_plan_and_rollback_on_three_hosts() {
    let lab = lab();
    for host in lab.hosts() {
        // dpkg writes its whole database anew, in its own form, at the first change of anything: let that be before us.
        host.check("apt-get -q update && apt-get -qy install tree && apt-get -qy purge tree")
            .unwrap();
    }
    let project = project(&lab);
    let before: Vec<_> = lab
        .hosts()
        .iter()
        .map(|host| host.tree_with_mtimes(NOISE).unwrap())
        .collect();
    let live = |lab: &Lab| -> Vec<String> {
        let ask = "sysctl -n net.ipv4.conf.all.log_martians; systemctl is-active labd; dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n'; true";
        lab.hosts()
            .iter()
            .map(|host| host.exec(ask).unwrap().stdout)
            .collect()
    };
    let live_before = live(&lab);

    let planned = project.salt_rs(&["plan", "--json"]).expect(2);
    let untouched: Vec<_> = lab
        .hosts()
        .iter()
        .map(|host| host.tree_with_mtimes(NOISE).unwrap())
        .collect();
    for (before, after) in before.iter().zip(&untouched) {
        assert_eq!(
            before.diff(after),
            Vec::<String>::new(),
            "a plan changed something"
        );
    }

    let applied = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(outcomes(&applied), all(&lab, "changed"));
    let (said, done) = (changes(&planned), changes(&applied));
    assert_eq!(
        said.keys().collect::<Vec<_>>(),
        done.keys().collect::<Vec<_>>(),
        "the plan named other states"
    );
    assert_eq!(lab.host("web1").read("/etc/motd").unwrap(), "host web1 says hi\n");
    assert!(
        lab.host("web1")
            .read("/run/labd.state")
            .unwrap()
            .contains("greeting = hi")
    );
    assert_eq!(lab.host("db1").check("lab-tool").unwrap(), "1.0");

    // Nothing is left to do, and the plan knows it.
    assert_eq!(
        changes(&project.salt_rs(&["plan", "--json"]).expect(0)),
        BTreeMap::new()
    );
    let again = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(outcomes(&again), all(&lab, "ok"));
    assert_eq!(changes(&again), BTreeMap::new());

    // A second commit: an upgrade on one, a new greeting (and so a restart) on the others.
    let first: Vec<_> = lab.hosts().iter().map(|host| host.tree(NOISE).unwrap()).collect();
    project.write("pillar/common.sls", "greeting: bye\ntool: 2.0-1\n");
    project.commit("second");
    let planned = project.salt_rs(&["plan", "--json"]).expect(2);
    let applied = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(
        changes(&planned).keys().collect::<Vec<_>>(),
        changes(&applied).keys().collect::<Vec<_>>(),
        "the plan named other states"
    );
    assert_eq!(lab.host("db1").check("lab-tool").unwrap(), "2.0");
    assert!(
        lab.host("web2")
            .read("/run/labd.state")
            .unwrap()
            .contains("greeting = bye")
    );

    // Back by one: as after the first run, the service on its old configuration.
    project.salt_rs(&["rollback", "--json"]).expect(0);
    for (host, first) in lab.hosts().iter().zip(&first) {
        assert_eq!(
            first.diff(&host.tree(NOISE).unwrap()),
            Vec::<String>::new(),
            "{}",
            host.name()
        );
    }
    assert_eq!(lab.host("db1").check("lab-tool").unwrap(), "1.0");
    assert!(
        lab.host("web2")
            .read("/run/labd.state")
            .unwrap()
            .contains("greeting = hi")
    );

    // Back by another: as it was before us, byte for byte. Only the files that are shared with other programs' own
    // entries are written again, with the same bytes.
    project.salt_rs(&["rollback", "--json"]).expect(0);
    for (host, before) in lab.hosts().iter().zip(&before) {
        let mut left = before.diff(&host.tree_with_mtimes(NOISE).unwrap());
        left.retain(|line| {
            !SHARED
                .iter()
                .any(|path| line.starts_with(&format!("~ {path}: mtime ")))
        });
        assert_eq!(left, Vec::<String>::new(), "{}", host.name());
    }
    assert_eq!(live(&lab), live_before);

    // And nothing is left to take back.
    let nothing = project.salt_rs(&["rollback", "--json"]).expect(0);
    assert_eq!(changes(&nothing), BTreeMap::new());
}
