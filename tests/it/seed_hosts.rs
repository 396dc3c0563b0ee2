//! The first tree salt-rs was meant for, unmodified, on hosts of its own world: dnf, rpm, and the places on the net that it
//! downloads from, which the lab's file server stands in for.
//!
//! The tree lies beside the repository; where it is not, there is nothing to apply and the test passes.

use harness::conformance;
use harness::foreign::Foreign;
use harness::lab::Repo;
use harness::lab::serve::Offer;
use harness::{Host, Lab, Project, os};
use std::path::Path;
use std::time::Duration;

use crate::rpm::{self, NOISE, packages, touched};

/// His machines: name, the address his pillar knows, roles.
const HOSTS: &[(&str, &str, &str)] = &[
    ("haproxy", "192.168.56.11", "haproxy, exporter"),
    ("web1", "192.168.56.12", "web"),
    ("was1", "192.168.56.14", "was"),
    ("monitoring", "192.168.56.19", "monitoring"),
];
/// His commands, as his readme has them.
const COMMANDS: &[&[&str]] = &[
    &["-G", "roles:haproxy", "haproxy.deploy"],
    &["-G", "roles:web", "web.deploy"],
    &["-G", "roles:exporter", "exporter"],
    &["-G", "roles:was", "was.deploy.nodejs_setup"],
    &["-G", "roles:was", "was.deploy"],
    &["-G", "roles:monitoring", "prometheus.deploy,grafana"],
];
/// What his tree does every time: commands without a condition.
const ALWAYS: &[&str] = &[
    "haproxy cmd run systemctl --system daemon-reload",
    "monitoring cmd run systemctl --system daemon-reload",
];

/// What daemons write at work; rpm leaves it where it is, and so does going back.
const DATA: &[&str] = &["/var/lib/nginx", "/var/lib/prometheus"];

/// A project with his tree, byte for byte, and his machines.
fn project(lab: &Lab, tree: &Path) -> Project {
    let project = Project::on(lab, &[]);
    for part in ["salt", "pillar"] {
        let mut copy = os::command("cp");
        copy.arg("-rT").arg(tree.join(part)).arg(project.dir().join(part));
        os::checked(&mut copy).unwrap();
    }
    let roster: String = HOSTS
        .iter()
        .map(|(name, _, roles)| {
            let ip = lab.host(name).ip();
            format!("{name}: {{ host: {ip}, grains: {{ roles: [{roles}] }} }}\n")
        })
        .collect();
    project.write("roster.yaml", &roster);
    project.commit("his tree");
    project
}

/// What he downloads, under the names he downloads it from.
fn foreign(lab: &Lab, repo: &Repo) -> Foreign {
    let files = |dir: &str| Offer::files("", repo.path().join(dir));
    // His application, as a git repository that is only files, and the script that makes Node.js known to yum.
    let dir = lab.dir().join("his");
    os::write(&dir.join("app/app.js"), "require('express');\n").unwrap();
    os::write(&dir.join("setup_10.x"), "echo done\n").unwrap();
    let make = "cd app && git init -q -b master && git add -A &&
        git -c user.name=he -c user.email=he@example.org commit -q -m app &&
        git clone -q --bare . ../LeekeunJe/lee_sample_node_app.git &&
        git -C ../LeekeunJe/lee_sample_node_app.git update-server-info";
    let mut shell = os::command("sh");
    os::checked(shell.current_dir(&dir).args(["-euc", make])).unwrap();
    Foreign::of(
        lab,
        vec![
            Offer::files("", &dir).at("github.com"),
            Offer::files("", &dir).at("rpm.nodesource.com"),
            Offer {
                prefix: String::new(),
                ..Offer::npm(repo.path().join("npm"))
            }
            .at("registry.npmjs.org"),
            files("files").at("github.com"),
            Offer::files("/packages/centos/9/x86_64", repo.path().join("nginx")).at("nginx.org"),
            Offer::files("/oss/rpm", repo.path().join("grafana")).at("packages.grafana.com"),
            files("grafana").at("packages.grafana.com"),
        ],
    )
}

/// Files, packages, accounts, units and the setting his tree makes.
fn picture(host: &Host) -> (harness::lab::Tree, String, String) {
    let live = "sysctl -n net.ipv4.ip_nonlocal_bind; getent passwd; getent group
        systemctl list-unit-files --no-legend --state=enabled,masked; systemctl list-units --no-legend --plain --type=service | cut -d' ' -f1 | grep -v '^user'";
    (
        host.tree(NOISE).unwrap(),
        packages(host),
        host.exec(live).unwrap().stdout,
    )
}

/// Asks until the answer has this in it.
#[track_caller]
fn answers(host: &Host, url: &str, text: &str) {
    let ask = || host.exec(&format!("curl -s -m 5 '{url}'")).unwrap().stdout;
    let found = os::wait_for(Duration::from_secs(20), || ask().contains(text).then_some(()));
    assert!(found.is_some(), "{url} has no {text:?}:\n{}", ask());
}

#[test]
fn it_converges_and_goes_back_unmodified() {
    let Some(tree) = conformance::shared().map(|dir| dir.join("seed-tree")) else {
        return;
    };
    let names: Vec<_> = HOSTS.iter().map(|(name, ..)| *name).collect();
    let (lab, repo) = rpm::up(&names);
    let foreign = foreign(&lab, &repo);
    for (name, ip, _) in HOSTS {
        let host = lab.host(name);
        foreign.known_to(host);
        // The lab is somewhere else: the addresses of his pillar are further ones.
        host.check(&format!("ip address add {ip}/24 dev eth0")).unwrap();
        // What the rpm database, dnf and systemd write at their first use is not his tree's doing.
        host.check("dnf -q makecache && systemctl daemon-reload").unwrap();
    }
    let project = project(&lab, &tree);
    let before: Vec<_> = lab.hosts().iter().map(picture).collect();

    // One plan of everything, then his commands one by one: they do what the plan says.
    let mut planned = touched(&project.salt_rs(&["plan", "--json"]).expect(2));
    let mut done = Vec::new();
    for command in COMMANDS {
        let ran = project
            .salt_rs(&[&["apply", "--json"], *command].concat())
            .expect(0);
        done.extend(touched(&ran));
    }
    done.retain(|state| !state.contains("rpm.nodesource.com"));
    planned.sort();
    done.sort();
    assert_eq!(planned, done, "the plan named other states");
    // Everything really runs, and they find each other.
    let (balancer, web) = (lab.host("haproxy"), lab.host("web1"));
    answers(
        balancer,
        "http://127.0.0.1:9000/haproxy_stats",
        "Statistics Report",
    );
    answers(
        balancer,
        "http://127.0.0.1:9100/metrics",
        "node_boot_time_seconds",
    );
    // The application is not his tree's to start; a page on its port shows the way through all tiers.
    let app = "mkdir /run/app && echo hello from the application > /run/app/index.html
        systemd-run --quiet --unit=app python3 -m http.server --directory /run/app 3000";
    lab.host("was1").check(app).unwrap();
    answers(web, "http://127.0.0.1:8080/", "hello from the application");
    answers(balancer, "http://127.0.0.1/", "hello from the application");
    let logged = || {
        balancer
            .exec("grep -q 'GET / HTTP' /var/log/haproxy-traffic.log")
            .unwrap()
            .ok()
            .then_some(())
    };
    os::wait_for(Duration::from_secs(10), logged).expect("no request in haproxy's log");
    let monitoring = lab.host("monitoring");
    answers(
        monitoring,
        "http://127.0.0.1:9090/api/v1/targets",
        "\"instance\":\"192.168.56.11:9100\"",
    );
    answers(monitoring, "http://127.0.0.1:3000/", "6.4.4");
    lab.host("was1").check("systemctl stop app").unwrap();

    // Nothing is left to do, but for what he does every time.
    let again = project.salt_rs(&["apply", "--json"]).expect(0);
    assert_eq!(touched(&again), ALWAYS);

    // And back to before the first of it.
    project
        .salt_rs(&["rollback", "--to", "0", "--past-irreversible", "--json"])
        .expect(0);
    let mut left = Vec::new();
    for (host, before) in lab.hosts().iter().zip(&before) {
        let after = picture(host);
        assert_eq!(before.1, after.1, "packages of {}", host.name());
        assert_eq!(before.2, after.2, "accounts and units of {}", host.name());
        let lines = before.0.diff(&after.0).into_iter();
        let theirs = |line: &String| DATA.iter().any(|data| line.starts_with(&format!("+ {data}")));
        left.extend(
            lines
                .filter(|line| !theirs(line))
                .map(|line| format!("{} {line}", host.name())),
        );
    }
    assert_eq!(left, Vec::<String>::new());
}
