//! One suite for every [`System`]: for each address family from any state to any other, what is observed, what is told as
//! changed, what is refused, and that assigning what was there brings it back.
//!
//! `Fake` and `Dry` pass it for all families in memory. `Live` passes it in a scratch directory, and on this machine in
//! mount and network namespaces of its own with real tools. Units, packages and databases of a real host are in the lab.

use proto::{
    Account, Act, Address, Answer, Asked, Checkout, Digest, Group, Meta, Mount, MysqlAt, MysqlKind, Package,
    ProblemKind, Question, Schema, Source, Unit, Value,
};

use crate::dry::Dry;
use crate::fake::Fake;
use crate::live::testing;
use crate::meets::meets;
use crate::system::System;

/// An address, and states it can be in.
type Family = (Address, Vec<Value>);

fn read<S: System>(system: &mut S, at: &Address) -> Value {
    match system.answer(&[Question::Read(at.clone())]).pop() {
        Some(Answer::Value(value)) => value,
        other => panic!("{at} cannot be read: {other:?}"),
    }
}

/// Assigns; gives what it told as changed.
fn assign<S: System>(system: &mut S, at: &Address, expect: &Value, to: &Value) -> Vec<proto::Change> {
    let acts = [Act::assign(at.clone(), expect.clone(), to.clone())];
    let before = system
        .observe(&acts)
        .unwrap_or_else(|problem| panic!("{at} := {to:?}: {problem}"));
    let image = before.iter().find(|image| image.at == *at);
    let image = image.unwrap_or_else(|| panic!("{at} has no pre-image"));
    assert!(image.was.same(expect), "{at}: the pre-image is what is there");
    assert!(read(system, at).same(expect), "{at}: observing changes nothing");
    let performed = system
        .perform(&acts, &before)
        .unwrap_or_else(|botched| panic!("{at} := {to:?}: {}", botched.why));
    system.forget();
    performed.changes
}

fn holds<S: System>(system: &mut S, family: &Family) {
    let (at, states) = family;
    for from in states {
        for to in states {
            let live = read(system, at);
            if !meets(from, &live) {
                assign(system, at, &live, from);
            }
            let was = read(system, at);
            assert!(meets(from, &was), "{at}: {was:?} is not {from:?}");

            let stale = states
                .iter()
                .find(|other| !other.same(&was) && !meets(other, &was));
            if let Some(stale) = stale.filter(|_| !meets(&bare(to), &bare(&was))) {
                let act = [Act::assign(at.clone(), stale.clone(), to.clone())];
                let refused = system
                    .observe(&act)
                    .expect_err("what is there is not what was expected");
                assert_eq!(refused.kind, ProblemKind::Moved, "{at}: {refused}");
                assert_eq!(read(system, at), was, "{at}: a refusal changes nothing");
            }

            let changes = assign(system, at, &was, to);
            let now = read(system, at);
            assert!(meets(to, &now), "{at}: {now:?} is not {to:?}");
            let told = changes.iter().rev().find(|change| change.at == *at);
            match told {
                Some(change) => assert!(
                    change.before.same(&was) && change.after.same(&now),
                    "{at}: {change:?} is not from {was:?} to {now:?}"
                ),
                None => assert!(was.same(&now), "{at}: a change was not told: {was:?} to {now:?}"),
            }
            for change in changes.iter().rev() {
                let live = read(system, &change.at);
                if !live.same(&change.before) {
                    assign(system, &change.at, &live, &change.before);
                }
            }
            assert_eq!(read(system, at), was, "{at}: from {to:?} back to {from:?}");
        }
    }
    let live = read(system, at);
    if !meets(&states[0], &live) {
        assign(system, at, &live, &states[0]);
    }
}

/// Memberships are told by users and by groups, so neither is refused for them.
fn bare(value: &Value) -> Value {
    match value {
        Value::Group(group) => Value::Group(Group {
            members: Vec::new(),
            ..group.clone()
        }),
        other => other.clone(),
    }
}

fn meta(mode: u32) -> Meta {
    Meta {
        mode,
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        ..Meta::default()
    }
}

fn file<S: System>(system: &mut S, text: &str, mode: u32) -> Value {
    Value::File {
        content: system.keep(text.as_bytes()).expect("room"),
        size: text.len() as u64,
        meta: meta(mode),
    }
}

/// What any host has, a scratch directory included.
fn common<S: System>(system: &mut S, root: &str) -> Vec<Family> {
    let shadow = |hash: &str| format!("app:{hash}:19000:0:99999:7:::");
    let mut user = |shell: &str, fullname: &str, hash: &str| {
        Value::User(Account {
            uid: Some(99),
            gid: Some(98),
            home: "/home/app".into(),
            shell: shell.into(),
            fullname: fullname.into(),
            shadow: Some(system.keep(shadow(hash).as_bytes()).expect("room")),
            ..Account::default()
        })
    };
    let users = vec![
        Value::Absent,
        user("/bin/sh", "", "!"),
        user("/bin/false", "An app", "$6$x"),
    ];
    let group = |members: &[&str]| {
        Value::Group(Group {
            gid: Some(4343),
            members: members.iter().map(|&name| name.to_owned()).collect(),
            system: false,
        })
    };
    vec![
        (
            Address::Path(format!("{root}/entry")),
            vec![
                Value::Absent,
                file(system, "one", 0o644),
                file(system, "one", 0o4711),
                file(system, "two", 0o600),
                Value::Dir { meta: meta(0o755) },
                Value::Dir { meta: meta(0o1770) },
                Value::Link {
                    to: "/nowhere".into(),
                    meta: meta(0o777),
                },
            ],
        ),
        (
            Address::Group("suite".into()),
            vec![Value::Absent, group(&[]), group(&["root"])],
        ),
        (Address::User("app".into()), users),
        (
            Address::Sysctl("net.ipv4.ip_forward".into()),
            ["0", "1"].map(|text| Value::Text(text.into())).to_vec(),
        ),
    ]
}

fn mount(device: &str, path: &str, opts: &str) -> Family {
    let mounted = |opts: &str| {
        Value::Mount(Mount {
            device: device.into(),
            fstype: "tmpfs".into(),
            asked: Some(Asked {
                device: device.into(),
                fstype: "tmpfs".into(),
                opts: opts.into(),
                user: String::new(),
            }),
            ..Mount::default()
        })
    };
    (
        Address::Mount(path.into()),
        vec![Value::Absent, mounted(opts), mounted(&format!("{opts},ro"))],
    )
}

fn checkout(path: &str, url: &str, commits: [&str; 2]) -> Family {
    let at = |commit: &str, branch: Option<&str>| {
        Value::Checkout(Checkout {
            url: url.into(),
            remote: "origin".into(),
            commit: commit.into(),
            branch: branch.map(str::to_owned),
            ..Checkout::default()
        })
    };
    let states = vec![
        Value::Absent,
        at(commits[0], None),
        at(commits[0], Some("main")),
        at(commits[1], Some("main")),
    ];
    (Address::Checkout(path.into()), states)
}

/// What needs a real host, or one in memory.
fn more(fake: &mut Fake) -> Vec<Family> {
    let unit = |active, enablement: &str| {
        Value::Unit(Unit {
            known: true,
            active,
            enablement: enablement.into(),
        })
    };
    let package = |version: &str, hold| {
        Value::Package(Package {
            version: version.into(),
            hold,
            ..Package::default()
        })
    };
    let mysql = |kind, name: &str| {
        Address::Mysql(MysqlAt {
            kind,
            name: name.into(),
            server: String::new(),
        })
    };
    let rules = |fake: &mut Fake, text: &str| match file(fake, text, 0) {
        Value::File { content, size, .. } => Value::File {
            content,
            size,
            meta: Meta::default(),
        },
        other => other,
    };
    let schema = |charset: &str| {
        Value::MysqlDatabase(Schema {
            charset: charset.into(),
            ..Schema::default()
        })
    };
    let source = |host: &str| {
        Value::MysqlSource(Source {
            host: host.into(),
            port: 3306,
            ..Source::default()
        })
    };
    let secret = |text: &str| Value::MysqlUser(Some(Digest::of(text)));
    vec![
        (
            Address::Unit("ssh.service".into()),
            vec![
                unit(true, "enabled"),
                unit(false, "disabled"),
                unit(false, "masked"),
            ],
        ),
        (
            Address::Package("web".into()),
            vec![
                Value::Absent,
                package("1", false),
                package("2", false),
                package("2", true),
            ],
        ),
        mount("tmpfs", "/srv", "noatime"),
        (
            Address::Swap("/swapfile".into()),
            vec![Value::Absent, Value::Text("file 1024 -2".into())],
        ),
        checkout("/srv/app", "ssh://git/app", ["aaaa", "bbbb"]),
        (
            Address::Firewall,
            vec![rules(fake, "table a"), rules(fake, "table b")],
        ),
        (
            mysql(MysqlKind::User, "a@%"),
            vec![Value::Absent, secret("x"), secret("y")],
        ),
        (
            mysql(MysqlKind::Database, "a"),
            vec![Value::Absent, schema("utf8mb4"), schema("latin1")],
        ),
        (
            mysql(MysqlKind::Source, ""),
            vec![Value::Absent, source("db1"), source("db2")],
        ),
    ]
}

fn fake() -> (Fake, Vec<Family>) {
    let mut fake = Fake::new();
    let forward = Address::Sysctl("net.ipv4.ip_forward".into());
    fake.world.insert(forward, Value::Text("0".into()));
    let ssh = Unit {
        known: true,
        active: true,
        enablement: "enabled".into(),
    };
    fake.world
        .insert(Address::Unit("ssh.service".into()), Value::Unit(ssh));
    let offer = crate::fake::Offer {
        version: "1".into(),
        ..crate::fake::Offer::default()
    };
    fake.repo.insert("web".into(), offer);
    let mut all = common(&mut fake, "/etc");
    let more = more(&mut fake);
    if let Some((at, states)) = more.iter().find(|(at, _)| *at == Address::Firewall) {
        fake.world.insert(at.clone(), states[0].clone());
    }
    all.extend(more);
    (fake, all)
}

#[test]
fn the_host_in_memory_holds() {
    let (mut fake, all) = fake();
    for family in &all {
        holds(&mut fake, family);
    }
}

#[test]
fn a_plan_of_it_holds() {
    let (fake, all) = fake();
    let mut dry = Dry::new(fake.clone());
    for family in &all {
        holds(&mut dry, family);
    }
    assert_eq!(dry.into_inner().world, fake.world, "a plan changes nothing");
}

#[test]
fn the_real_writers_hold_in_a_scratch_directory() {
    let mut host = testing::host();
    host.write("/etc/shadow", "root:*:19000:0:99999:7:::\n");
    host.write("/etc/gshadow", "root:*::\n");
    host.write("/etc/subuid", "");
    host.write("/proc/sys/net/ipv4/ip_forward", "0\n");
    host.dir("/srv/suite");
    let all = common(&mut host.live, "/srv/suite");
    for family in &all {
        holds(&mut host.live, family);
    }
    let mut dry = Dry::new(&mut host.live);
    for family in &all {
        holds(&mut dry, family);
    }
}

/// Set in the process that has namespaces of its own.
const INSIDE: &str = "SALT_RS_SUITE_INSIDE";

#[expect(clippy::disallowed_methods, reason = "tests make their own hosts")]
fn program(argv: &[&str]) -> String {
    let done = std::process::Command::new(argv[0])
        .args(&argv[1..])
        .output()
        .unwrap_or_else(|error| panic!("{argv:?}: {error}"));
    assert!(
        done.status.success(),
        "{argv:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test starts itself in namespaces")]
fn the_real_writers_hold_on_this_machine_with_its_own_tools() {
    if !rustix::process::geteuid().is_root() {
        return; // Namespaces and accounts are root's; the suite runs as root.
    }
    if std::env::var_os(INSIDE).is_none() {
        let test = std::env::current_exe().expect("this test");
        let name = "suite::the_real_writers_hold_on_this_machine_with_its_own_tools";
        let done = std::process::Command::new("unshare")
            .args(["--mount", "--net", "--propagation", "private", "--"])
            .arg(test)
            .args(["--exact", name, "--nocapture"])
            .env(INSIDE, "1")
            .output()
            .expect("unshare");
        let said =
            String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let mut host = testing::here();
    let scratch = crate::scratch::Scratch::new();
    let place = |name: &str| scratch.path(name).to_string_lossy().into_owned();
    // Accounts are made in a copy of /etc, homes in a directory of their own; both go with the namespace.
    program(&["cp", "-a", "/etc", &place("etc")]);
    program(&["mount", "--bind", &place("etc"), "/etc"]);
    program(&["mount", "-t", "tmpfs", "tmpfs", "/home"]);
    program(&["mkdir", &place("paths"), &place("point"), &place("git")]);
    let mut all = common(&mut host.live, &place("paths"));
    let made = |shell: &str| {
        Value::User(Account {
            home: "/home/suite-made".into(),
            shell: shell.into(),
            create_home: true,
            ..Account::default()
        })
    };
    all.push((
        Address::User("suite-made".into()),
        vec![Value::Absent, made("/bin/sh"), made("/bin/false")],
    ));
    all.push((
        Address::Group("suite-made-group".into()),
        vec![Value::Absent, Value::Group(Group::default())],
    ));
    all.push(mount("suite", &place("point"), "size=64k"));
    let git = |words: &[&str]| {
        let place = place("git");
        let base = ["git", "-C", &place, "-c", "user.name=a", "-c", "user.email=a@b"];
        program(&[&base, words].concat())
    };
    git(&["init", "-q", "-b", "main"]);
    let commit = |text: &str| {
        git(&["commit", "-q", "--allow-empty", "-m", text]);
        git(&["rev-parse", "HEAD"])
    };
    let commits = [commit("one"), commit("two")];
    all.push(checkout(
        &place("work"),
        &place("git"),
        [&commits[0], &commits[1]],
    ));
    if host.live.has_program("nft") {
        let mut rules = |text: &str| match file(&mut host.live, text, 0) {
            Value::File { content, size, .. } => Value::File {
                content,
                size,
                meta: Meta::default(),
            },
            other => other,
        };
        let table = |name: &str| format!("table inet {name} {{\n\tchain a {{\n\t}}\n}}\n");
        all.push((
            Address::Firewall,
            vec![rules(""), rules(&table("one")), rules(&table("two"))],
        ));
    }
    for family in &all {
        holds(&mut host.live, family);
    }
}
