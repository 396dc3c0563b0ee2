//! What a plan sees of what it planned.

use super::*;
use crate::fake::{Fake, dir, file};
use crate::probe::path;
use proto::{Account, Meta};

fn set(dry: &mut Dry<Fake>, at: Address, to: Value) {
    let expect = dry.read(&at);
    let act = [Act::assign(at, expect, to)];
    let before = dry.observe(&act).expect("as expected");
    dry.perform(&act, &before).expect("only planned");
}

fn link(to: &str) -> Value {
    Value::Link {
        to: to.into(),
        meta: Meta::default(),
    }
}

fn one(dry: &mut Dry<Fake>, question: Question) -> Answer {
    dry.answer(&[question]).remove(0)
}

#[test]
fn paths_are_seen_as_planned() {
    let mut fake = Fake::new();
    fake.write("/etc/old", "old");
    fake.world.insert(path("/etc/d"), dir());
    fake.write("/etc/d/x", "x");
    fake.world.insert(path("/etc/link"), link("/etc/d"));
    let mut dry = Dry::new(fake);
    dry.keep(b"new").expect("in memory");
    set(&mut dry, path("/srv/www"), dir());
    set(&mut dry, path("/srv/www/a"), file("new"));
    set(&mut dry, path("/srv/l"), link("www/a"));
    assert_eq!(
        one(&mut dry, Question::Bytes("/srv/l".into())),
        Answer::Bytes(Some(b"new".to_vec()))
    );
    assert_eq!(
        one(&mut dry, Question::Bytes("/etc/link/x".into())),
        Answer::Bytes(Some(b"x".to_vec()))
    );
    set(&mut dry, path("/etc/d"), Value::Absent);
    assert_eq!(
        one(&mut dry, Question::Read(path("/etc/d/x"))),
        Answer::Value(Value::Absent)
    );
    assert_eq!(
        one(&mut dry, Question::Follow("/etc/link/x".into())),
        Answer::Value(Value::Absent)
    );
    set(&mut dry, path("/etc/d"), dir());
    assert_eq!(
        one(&mut dry, Question::List("/etc/d".into())),
        Answer::Tree(Some(vec![]))
    );
    set(&mut dry, path("/etc/old"), Value::Absent);
    let names = |answer| match answer {
        Answer::Tree(Some(tree)) => tree
            .into_iter()
            .map(|(name, _): (String, Value)| name)
            .collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(names(one(&mut dry, Question::List("/etc".into()))), ["d", "link"]);
    assert_eq!(
        names(one(&mut dry, Question::List("/srv".into()))),
        ["l", "www", "www/a"]
    );
    let orphan = [Act::assign(path("/none/a"), Value::Absent, file("new"))];
    assert!(
        dry.observe(&orphan).is_err(),
        "a parent is missing, as the writer would find"
    );
    let stale = [Act::assign(path("/srv/www/a"), Value::Absent, file("new"))];
    assert_eq!(dry.observe(&stale).expect_err("moved").kind, ProblemKind::Moved);
}

#[test]
fn a_new_user_has_an_id_a_group_and_a_home() {
    let mut dry = Dry::new(Fake::new());
    let wanted = Account {
        home: "/home/a".into(),
        create_home: true,
        ..Account::default()
    };
    set(&mut dry, Address::User("a".into()), Value::User(wanted));
    let Value::User(account) = dry.read(&Address::User("a".into())) else {
        panic!("a user");
    };
    let Value::Group(group) = dry.read(&Address::Group("a".into())) else {
        panic!("a group");
    };
    assert!(account.uid.is_some() && account.gid == group.gid);
    let Value::Dir { meta } = dry.read(&path("/home/a")) else {
        panic!("a home");
    };
    assert_eq!((Some(meta.uid), Some(meta.gid)), (account.uid, account.gid));
}

#[test]
fn a_unit_is_known_once_its_file_is_planned() {
    let mut fake = Fake::new();
    for path in ["/etc/systemd", "/etc/systemd/system"] {
        fake.world.insert(crate::probe::path(path), dir());
    }
    let mut dry = Dry::new(fake);
    let text = "[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n";
    dry.keep(text.as_bytes()).expect("in memory");
    set(&mut dry, path("/etc/systemd/system/a.service"), file(text));
    let Value::Unit(unit) = dry.read(&Address::Unit("a.service".into())) else {
        panic!("a unit");
    };
    assert_eq!(
        (unit.known, unit.active, unit.enablement.as_str()),
        (true, false, "disabled")
    );
}
