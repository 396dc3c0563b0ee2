//! Configuration is seen by the program that reads it, at its real path, before it goes live; files that belong together go
//! together; and a service that does not come up with them gets back what it had. On a real host with the real programs.

use std::collections::BTreeMap;

use harness::{Host, HostSpec, Lab, Project, Ran};
use serde_json::Value as Json;

use crate::converge::{NOISE, changes};

const TREE: &[(&str, &str)] = &[
    ("salt/top.sls", "base:\n  '*':\n    - lb\n"),
    (
        "salt/lb.sls",
        "
{% for name, package, reload in [
  ('haproxy', 'haproxy', pillar['reload']), ('keepalived', 'keepalived', False),
  ('nginx', 'nginx-light', pillar['reload'])
] %}
{{ name }}:
  pkg.installed:
    - name: {{ package }}
  service.running:
    - reload: {{ reload }}
    - watch:
      - file: /etc/{{ name }}/*
{% endfor %}

{% for path, source in [
  ('/etc/haproxy/haproxy.cfg', 'haproxy'),
  ('/etc/keepalived/keepalived.conf', 'keepalived'),
  ('/etc/nginx/sites-available/app', 'site'),
  ('/etc/ssh/sshd_config.d/lab.conf', 'sshd'),
  ('/etc/sudoers.d/lab', 'sudo'),
  ('/etc/systemd/system/lab.service', 'unit'),
] %}
{{ path }}:
  file.managed:
    - source: salt://{{ source }}
    - mode: '{{ '0440' if source == 'sudo' else '0644' }}'
{% endfor %}

/etc/nginx/sites-enabled/app:
  file.symlink:
    - target: ../sites-available/app

/etc/nginx/conf.d/backend.conf:
  file.managed:
    - source: salt://backend
",
    ),
    (
        "salt/haproxy",
        "global\n  log /dev/log local0\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 5s\n  timeout server 5s\nfrontend f\n  bind :8081\n  default_backend b\nbackend b\n  server one 127.0.0.1:80\n",
    ),
    (
        "salt/keepalived",
        "vrrp_instance one {\n  interface eth0\n  virtual_router_id 7\n  priority 100\n  virtual_ipaddress {\n    192.0.2.7\n  }\n}\n",
    ),
    (
        "salt/site",
        "server { listen 8082; location / { proxy_pass http://backend; } }\n",
    ),
    ("salt/backend", "upstream backend { server 127.0.0.1:80; }\n"),
    ("salt/sshd", "MaxAuthTries 5\n"),
    ("salt/sudo", "daemon ALL=(ALL) NOPASSWD: /usr/bin/id\n"),
    ("salt/unit", "[Service]\nExecStart=/usr/local/bin/not-yet\n"),
    ("pillar/top.sls", "base:\n  '*':\n    - common\n"),
    ("pillar/common.sls", "reload: False\n"),
];

/// A file of the tree, where it goes, a text its reader refuses, and what it says of it.
const BAD: &[(&str, &str, &str, &str, &str)] = &[
    (
        "haproxy",
        "/etc/haproxy/haproxy.cfg",
        "frontend f\n  bnid :8081\n",
        "haproxy -c",
        "[/etc/haproxy/haproxy.cfg:2]",
    ),
    (
        "keepalived",
        "/etc/keepalived/keepalived.conf",
        "vrrp_instance one {\n  nonsense 1\n}\n",
        "keepalived -t",
        "(/etc/keepalived/keepalived.conf: Line 2) Unknown keyword 'nonsense'",
    ),
    (
        "backend",
        "/etc/nginx/conf.d/backend.conf",
        "upstream backend { sever 127.0.0.1:80; }\n",
        "nginx -t",
        "unknown directive \"sever\" in /etc/nginx/conf.d/backend.conf:1",
    ),
    (
        "sshd",
        "/etc/ssh/sshd_config.d/lab.conf",
        "MaxAuthTreis 5\n",
        "sshd -t",
        "/etc/ssh/sshd_config.d/lab.conf: line 1: Bad configuration option: MaxAuthTreis",
    ),
    (
        "sudo",
        "/etc/sudoers.d/lab",
        "daemon ALL=(ALL NOPASSWD: /usr/bin/id\n",
        "visudo -c",
        "/etc/sudoers.d/lab:1:",
    ),
    (
        "unit",
        "/etc/systemd/system/lab.service",
        "[Service]\nType=nonsense\n",
        "systemd-analyze verify",
        "lab.service",
    ),
];

fn results(ran: &Ran) -> BTreeMap<String, (Json, String)> {
    let document = ran.json();
    let states = document["hosts"]["lb1"]["states"].as_array().unwrap();
    let told = states.iter().map(|state| {
        let id = format!(
            "{} {}",
            state["state"].as_str().unwrap(),
            state["id"].as_str().unwrap()
        );
        let comment = state["comment"].as_str().unwrap();
        (id, (state["result"].clone(), comment.to_owned()))
    });
    told.collect()
}

fn running(host: &Host) -> String {
    host.check(
        "systemctl show -p MainPID,ActiveState,ActiveEnterTimestampMonotonic haproxy nginx keepalived ssh",
    )
    .unwrap()
}

#[test]
fn what_its_reader_refuses_never_goes_live() {
    let lab = Lab::up(&[HostSpec::systemd("lb1")]).unwrap();
    let lb1 = lab.host("lb1");
    lb1.check("apt-get -q update && apt-get -qy install haproxy keepalived nginx-light")
        .unwrap();
    let project = Project::on(&lab, TREE);
    let files = || lb1.tree(NOISE).unwrap();
    let before = files();

    // A site whose other half comes two states later, behind a link: valid only together.
    let planned = project.salt_rs(&["plan", "--json"]).expect(2);
    assert_eq!(before.diff(&files()), Vec::<String>::new());
    let applied = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(
        changes(&planned).keys().collect::<Vec<_>>(),
        changes(&applied).keys().collect::<Vec<_>>()
    );
    lb1.check("nginx -t && nginx -T 2> /dev/null | grep -q 'proxy_pass http://backend'")
        .unwrap();
    assert!(changes(&project.salt_rs(&["apply", "--json"]).expect(0)).is_empty());
    project.salt_rs(&["rollback"]).expect(0);
    let theirs = |line: &String| !line.contains(" /run/") && !line.contains(" /var/lib/ucf/");
    let mut left = before.diff(&files());
    left.retain(theirs);
    assert_eq!(left, Vec::<String>::new());
    project.salt_rs(&["apply", "--json"]).expect(0);

    // Everything at once: each reader refuses its own, in its own words and by the path people know; plan and apply alike.
    let (tree, up) = (files(), running(lb1));
    for (name, _, text, ..) in BAD {
        project.write(&format!("salt/{name}"), text);
    }
    project.commit("bad");
    for command in ["plan", "apply"] {
        let refused = results(&project.salt_rs(&[command, "--json"]).expect(1));
        for (_, path, _, words, said) in BAD {
            let (result, told) = &refused[&format!("file {path}")];
            assert_eq!(*result, Json::Bool(false), "{command} {path}: {told}");
            assert!(
                told.starts_with(words) && told.contains(said),
                "{command} {path}: {told}"
            );
        }
        assert_eq!(tree.diff(&files()), Vec::<String>::new(), "{command}");
        assert_eq!(running(lb1), up, "{command}");
    }
    assert_eq!(lb1.check("grep -c /staging/ /proc/mounts || true").unwrap(), "0");

    // Half of a pair does not go live either, and the other states of its group say so, too.
    for (path, text) in TREE {
        project.write(path, text);
    }
    project.write(
        "salt/site",
        "server { listen 8082; location / { proxy_pass http://back; } }\n",
    );
    project.write("salt/backend", "upstream back { server 127.0.0.1:81; }\n");
    project.commit("both");
    project.salt_rs(&["apply", "--json"]).expect(0);
    let pair = lb1
        .check("cat /etc/nginx/sites-enabled/app /etc/nginx/conf.d/backend.conf")
        .unwrap();
    project.write("salt/backend", "upstream backend { server 127.0.0.1:82; }\n");
    project.write(
        "salt/site",
        "server { listen 8089; location / { proxy_pass http://back; } }\n",
    );
    project.commit("half");
    let refused = results(&project.salt_rs(&["apply", "--json"]).expect(1));
    for path in ["/etc/nginx/conf.d/backend.conf", "/etc/nginx/sites-available/app"] {
        let told = &refused[&format!("file {path}")].1;
        assert!(told.contains("host not found in upstream \"back\""), "{told}");
    }
    let now = lb1
        .check("cat /etc/nginx/sites-enabled/app /etc/nginx/conf.d/backend.conf")
        .unwrap();
    assert_eq!(now, pair);

    // Who wants it all the same says so.
    let sls = TREE[1].1.replace(
        "- source: salt://backend",
        "- source: salt://backend\n    - validate: False",
    );
    project.write("salt/lb.sls", &sls);
    project.write("salt/site", TREE[4].1);
    project.write("salt/backend", "upstream backend { sever 127.0.0.1:80; }\n");
    project.commit("as it is");
    let told = results(&project.salt_rs(&["apply", "--json"]).expect(1));
    assert_eq!(told["file /etc/nginx/conf.d/backend.conf"].0, Json::Bool(true));
}

#[test]
fn a_service_that_does_not_come_up_gets_back_what_it_had() {
    let lab = Lab::up(&[HostSpec::systemd("lb1")]).unwrap();
    let lb1 = lab.host("lb1");
    let project = Project::on(&lab, TREE);
    lb1.check("apt-get -q update && apt-get -qy install haproxy keepalived nginx-light")
        .unwrap();
    project.salt_rs(&["apply", "--json"]).expect(0);
    lb1.check("systemd-run -q --unit taken systemd-socket-activate -l 8090 /bin/cat")
        .unwrap();
    lb1.check(
        "for i in $(seq 100); do ss -Hltn 'sport = 8090' | grep -q . && exit 0; sleep 0.1; done; exit 1",
    )
    .unwrap();
    let tree = lb1.tree(NOISE).unwrap();
    for reload in ["False", "True"] {
        project.write("pillar/common.sls", &format!("reload: {reload}\n"));
        for (name, from) in [("haproxy", ":8081"), ("site", "8082")] {
            let (_, text) = TREE
                .iter()
                .find(|(path, _)| *path == format!("salt/{name}"))
                .unwrap();
            project.write(
                &format!("salt/{name}"),
                &text.replace(from, &from.replace("8081", "8090").replace("8082", "8090")),
            );
        }
        project.commit("taken");
        let failed = results(&project.salt_rs(&["apply", "--json"]).expect(1));
        for (name, words) in [
            ("haproxy", "8090"),
            (
                "nginx",
                if reload == "True" {
                    "goes on with the old one"
                } else {
                    "Address already in use"
                },
            ),
        ] {
            let (result, told) = &failed[&format!("service {name}")];
            let seen = || {
                let ask = format!(
                    "systemctl show -p StatusText,NRestarts {name}; journalctl -o cat -n 20 -u {name}"
                );
                lb1.check(&ask).unwrap()
            };
            assert_eq!(
                *result,
                Json::Bool(false),
                "reload {reload}, {name}: {told}\n{}",
                seen()
            );
            assert!(
                told.contains("The old configuration is back (/etc/") && told.contains(words),
                "reload {reload}, {name}: {told}"
            );
            assert_eq!(
                lb1.check(&format!("systemctl is-active {name}")).unwrap(),
                "active"
            );
        }
        lb1.check(
            "curl -s -o /dev/null http://127.0.0.1:8081/ && curl -s -o /dev/null http://127.0.0.1:8082/",
        )
        .unwrap();
        assert_eq!(
            tree.diff(&lb1.tree(NOISE).unwrap()),
            Vec::<String>::new(),
            "reload {reload}"
        );
    }
    // Where the port is free it goes live.
    lb1.check("systemctl stop taken").unwrap();
    let (_, site) = TREE[4];
    project.write("salt/site", site);
    project.commit("free");
    project.salt_rs(&["apply", "--json"]).expect(0);
    lb1.check("curl -s -o /dev/null http://127.0.0.1:8090/").unwrap();
}
