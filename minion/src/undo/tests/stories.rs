//! Single cases of going back, each a short story.

use super::world::host;
use super::*;

#[test]
fn plain_rollbacks_walk_back_until_nothing_is_left() {
    let mut host = Host::new(host());
    let mut snapshots = vec![host.world()];
    for text in ["one", "two", "three"] {
        host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file(text))])]));
        snapshots.push(host.world());
    }
    for to in [2, 1, 0] {
        let report = host.back(BackTo::Previous);
        assert_eq!((report.outcome, report.to), (Outcome::RolledBack, to));
        assert_eq!(host.world(), snapshots[to as usize]);
    }
    let report = host.back(BackTo::Previous);
    assert_eq!(
        (report.outcome, report.generation, report.restored.len()),
        (Outcome::Ok, 6, 0)
    );
    let report = host.back(BackTo::BeforeRun("run-3".into()));
    assert_eq!((report.outcome, report.to), (Outcome::RolledBack, 2));
    assert_eq!(host.world(), snapshots[2], "a rollback can be rolled back");
    assert_eq!(host.back(BackTo::BeforeRun("run-3".into())).outcome, Outcome::Ok);
    let want = host.want(BackTo::Generation(99));
    assert!(preview(&host.journal, &mut host.fake, &want).is_err());
}

#[test]
fn a_hand_edit_conflicts_and_force_can_be_undone() {
    let mut host = Host::new(host());
    let tree = catalog(vec![
        set("a", &[(path("/etc/old"), file("two"))]),
        set("b", &[(path("/etc/new"), file("one"))]),
    ]);
    host.apply(&tree);
    host.fake.write("/etc/new", "by hand");
    host.fake.write("/etc/untouched", "by hand");
    let edited = host.world();
    let refused = host.back(BackTo::Previous);
    assert_eq!((refused.outcome, refused.conflicts.len()), (Outcome::Refused, 1));
    assert_eq!(host.world(), edited, "refused means nothing changed");
    let conflict = &refused.conflicts[0];
    assert_eq!(
        (&conflict.ours.before, &conflict.ours.after, &conflict.theirs),
        (&Value::Absent, &file("one"), &file("by hand"))
    );

    let mut want = host.want(BackTo::Previous);
    want.skip_conflicts = true;
    let skipped = host.roll(&want);
    assert_eq!(
        (skipped.outcome, skipped.restored.len()),
        (Outcome::RolledBack, 1)
    );
    assert_eq!(host.fake.path("/etc/new"), file("by hand"));
    let mut want = host.want(BackTo::Generation(0));
    want.skip_conflicts = true;
    assert_eq!(
        host.roll(&want).restored.len(),
        0,
        "a second time changes nothing"
    );

    let mut want = host.want(BackTo::Generation(0));
    want.force = true;
    assert_eq!(host.roll(&want).outcome, Outcome::RolledBack);
    assert_eq!(host.fake.path("/etc/new"), Value::Absent);
    assert_eq!(host.fake.path("/etc/untouched"), file("by hand"));
    let head = host.journal.generation().expect("readable");
    assert_eq!(
        host.back(BackTo::Generation(head - 1)).outcome,
        Outcome::RolledBack
    );
    assert_eq!(host.fake.path("/etc/new"), file("by hand"), "R7");
}

#[test]
fn commands_are_taken_back_in_their_place_or_told_as_lost() {
    let mut fake = host();
    fake.commands
        .insert("up".into(), vec![(path("/etc/old"), file("two"))]);
    fake.commands.insert("down".into(), vec![]);
    let mut host = Host::new(fake);
    let old = host.world();
    host.apply(&catalog(vec![
        set("a", &[(path("/etc/old"), file("three"))]),
        chunk("run", "up", json!({"undo": "down"})),
        set("b", &[(path("/etc/new"), file("one"))]),
        chunk("run", "false", json!({})),
    ]));
    host.fake.log.clear();
    let report = host.back(BackTo::Previous);
    assert_eq!(
        report.outcome,
        Outcome::RolledBack,
        "what a command did to a file of ours is no conflict: {report:?}"
    );
    assert_eq!(
        report.lost,
        ["what the command \"false\" did: it declares no undo"]
    );
    assert_eq!(host.fake.log, ["down"]);
    assert_eq!(host.world(), old);
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::Ok);
    host.fake.log.clear();
    host.back(BackTo::Generation(1));
    assert_eq!(host.fake.log, ["up"], "a rollback of a rollback runs it again");
}

#[test]
fn a_command_counts_as_undone_only_when_its_verifier_says_so() {
    let mut fake = host();
    for command in ["up", "down"] {
        fake.commands.insert(command.into(), vec![]);
    }
    let mut host = Host::new(fake);
    let with = |verify: &str| {
        let mut up = chunk("run", "up", json!({}));
        up.options.undo = Some("down".into());
        up.options.verify_undone = Some(verify.into());
        catalog(vec![up])
    };
    let (planned, _) = plan(&host, &with("true"));
    assert_eq!(planned.states[0].undo, Some(proto::Undone::Compensated));
    assert_eq!(
        planned.states[0].undo_notes,
        ["undone with a difference: the command \"down\" takes it back, and \"true\" says whether it did"]
    );
    host.apply(&with("true"));
    let report = host.back(BackTo::Previous);
    assert_eq!((report.outcome, report.failed.len()), (Outcome::RolledBack, 0));
    host.apply(&with("false"));
    let report = host.back(BackTo::Previous);
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        report.failed[0].starts_with("the command \"down\" ran, but \"false\" (verify_undone) says"),
        "{report:?}"
    );
    assert_eq!(host.fake.log, ["up", "down", "up", "down"]);
}

#[test]
fn a_service_is_restarted_when_its_cause_is_undone() {
    let mut host = Host::new(host());
    let service = |text: &str| {
        let mut service = set(
            "service",
            &[(Address::Unit("web.service".into()), unit(true, "enabled"))],
        );
        service.args.insert("unit".into(), json!("web.service"));
        catalog(vec![
            set("web", &[(Address::Package("web".into()), package())]),
            set("conf", &[(path("/etc/web.conf"), file(text))]),
            needs(service, RequisiteKind::Watch, &[1]),
        ])
    };
    host.apply(&service("one"));
    let one = host.world();
    host.apply(&service("two"));
    assert_eq!(host.fake.log, ["Restart web.service"]);
    // The new configuration is bad: the service fell over.
    host.fake
        .world
        .insert(Address::Unit("web.service".into()), unit(false, "enabled"));
    host.fake.log.clear();
    let report = host.back(BackTo::Previous);
    assert_eq!((report.outcome, report.conflicts.len()), (Outcome::RolledBack, 0));
    assert_eq!(host.fake.path("/etc/web.conf"), one[&path("/etc/web.conf")]);
    assert_eq!(host.fake.log, ["Restart web.service"]);
    host.fake.log.clear();
    host.back(BackTo::Generation(0));
    assert_eq!(
        host.fake.log,
        Vec::<String>::new(),
        "what is gone is not restarted"
    );
    assert!(host.fake.at(&Address::Unit("web.service".into())) == Value::Unit(Unit::default()));
}

#[test]
fn what_a_crash_kept_from_a_service_is_paid_by_the_next_run() {
    let mut host = Host::new(host());
    let mut service = set("service", &[]);
    service.args.insert("unit".into(), json!("web.service"));
    let tree = catalog(vec![
        set("conf", &[(path("/etc/new"), file("one"))]),
        needs(service, RequisiteKind::Watch, &[0]),
    ]);
    host.crash(&tree, 3);
    assert_eq!(host.fake.path("/etc/new"), file("one"));
    host.fake.log.clear();
    let report = host.apply(&tree);
    assert_eq!(host.fake.log, ["Restart web.service"]);
    assert!(
        report.notes.iter().any(|note| note.contains("cut off")),
        "{:?}",
        report.notes
    );
    host.fake.log.clear();
    host.apply(&tree);
    assert_eq!(host.fake.log, Vec::<String>::new(), "paid once");
}

#[test]
fn a_directory_with_somebody_elses_files_stays_and_is_told() {
    let mut host = Host::new(host());
    host.apply(&catalog(vec![set("d", &[(path("/srv/new"), dir())])]));
    host.fake.write("/srv/new/theirs", "x");
    let report = host.back(BackTo::Previous);
    assert_eq!(report.outcome, Outcome::RolledBack);
    assert!(
        report.lost[0].starts_with("/srv/new stays: it holds theirs"),
        "{:?}",
        report.lost
    );
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::Ok);
}

#[test]
fn a_damaged_run_refuses_and_the_others_are_still_read() {
    let mut host = Host::new(host());
    host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file("one"))])]));
    host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file("two"))])]));
    let file = host.journal.entries_path(1);
    let text =
        std::fs::read_to_string(&file)
            .expect("readable")
            .replacen("\"act_num\":0", "\"act_num\":1", 1);
    #[expect(clippy::disallowed_methods, reason = "the test damages the journal")]
    std::fs::write(&file, text).expect("room");
    let want = host.want(BackTo::Generation(0));
    let error = preview(&host.journal, &mut host.fake, &want)
        .expect_err("damaged")
        .to_string();
    assert!(error.contains("damaged"), "{error}");
    assert_eq!(host.back(BackTo::Generation(1)).outcome, Outcome::RolledBack);
}

#[test]
fn a_crontab_keeps_the_lines_of_others() {
    let table = "/var/spool/cron/crontabs/root";
    let mut fake = Fake::new();
    for folder in [
        "/var",
        "/var/spool",
        "/var/spool/cron",
        "/var/spool/cron/crontabs",
    ] {
        fake.world.insert(path(folder), dir());
    }
    fake.write(table, "0 1 * * * mine\n");
    let mut host = Host::new(fake);
    host.fake.file("0 1 * * * mine\n0 2 * * * ours\n");
    let tree = catalog(vec![set(
        "job",
        &[(path(table), file("0 1 * * * mine\n0 2 * * * ours\n"))],
    )]);
    host.apply(&tree);
    let text = |host: &Host| match host.fake.path(table) {
        Value::File { content, .. } => String::from_utf8(host.fake.objects[&content].clone()).expect("text"),
        other => panic!("{other:?}"),
    };
    host.fake
        .write(table, "0 1 * * * mine\n0 2 * * * ours\n0 3 * * * later\n");
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::RolledBack);
    assert_eq!(text(&host), "0 1 * * * mine\n0 3 * * * later\n");

    host.fake.write(table, "0 1 * * * mine\n");
    host.apply(&tree);
    host.fake.write(table, "0 1 * * * mine\n0 9 * * * ours\n");
    let refused = host.back(BackTo::Previous);
    assert_eq!((refused.outcome, refused.conflicts.len()), (Outcome::Refused, 1));
}

#[test]
fn a_database_server_that_is_silent_holds_up_nothing() {
    let at = Address::Mysql(proto::MysqlAt {
        kind: proto::MysqlKind::Database,
        name: "sample".into(),
        server: String::new(),
    });
    let schema = |holds| {
        Value::MysqlDatabase(proto::Schema {
            holds,
            ..proto::Schema::default()
        })
    };
    let change = catalog(vec![
        set("a", &[(path("/etc/new"), file("one"))]),
        set("b", &[(at.clone(), schema(0))]),
    ]);
    let mut host = Host::new(host());
    let before = host.world();
    host.apply(&change);
    host.fake.silent = true;
    let report = host.back(BackTo::Previous);
    assert_eq!(report.outcome, Outcome::Failed);
    assert!(
        report.failed[0].contains("mysql database sample was not taken back: no answer"),
        "{report:?}"
    );
    assert!(host.fake.path("/etc/new").is_absent(), "the rest went back");
    // It answers again: the rollback goes on where it was.
    host.fake.silent = false;
    assert_eq!(host.back(BackTo::Previous).outcome, Outcome::RolledBack);
    assert_eq!(differ(&before, &host.world()), Vec::<Address>::new());

    // Left out when told so, or when its package goes; data is never dropped.
    host.apply(&change);
    host.fake.silent = true;
    let mut want = host.want(BackTo::Previous);
    want.skip_conflicts = true;
    let report = host.roll(&want);
    assert_eq!(
        (report.outcome, report.lost.len()),
        (Outcome::RolledBack, 1),
        "{report:?}"
    );
    host.fake.silent = false;
    host.fake.world.remove(&at);
    host.apply(&change);
    host.fake.world.insert(at.clone(), schema(3));
    let report = host.back(BackTo::Previous);
    assert!(
        report
            .lost
            .iter()
            .any(|line| line.contains("sample stays: it holds 3")),
        "{report:?}"
    );
    assert_eq!(host.fake.at(&at), schema(3));
}
