//! Paths on a scratch host: read, write, take back; and all that is refused.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use proto::{Act, Address, Command, Digest, Fidelity, Meta, PreImage, ProblemKind, Value};

use crate::live::testing::{self, Host};
use crate::system::System;

fn at(path: &str) -> Address {
    Address::Path(path.to_owned())
}

fn file(host: &mut Host, text: &str, mode: u32) -> Value {
    let content = host.live.keep(text.as_bytes()).expect("room");
    Value::File {
        content,
        size: text.len() as u64,
        meta: meta(mode),
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

fn act(host: &mut Host, path: &str, to: Value) -> Act {
    let expect = host.live.read(&at(path)).expect("readable");
    Act::assign(at(path), expect, to)
}

/// Observes and performs; gives the changes.
fn done(host: &mut Host, act: Act) -> Vec<proto::Change> {
    let acts = [act];
    let before = host.live.observe(&acts).expect("can be kept");
    host.live.perform(&acts, &before).expect("can be done").changes
}

/// Takes changes back as the journal does: in reverse order, each address to what was there before.
fn take_back(host: &mut Host, changes: &[proto::Change]) {
    for change in changes.iter().rev() {
        let act = Act::assign(change.at.clone(), change.after.clone(), change.before.clone());
        done(host, act);
    }
}

fn snapshot(host: &mut Host, path: &str) -> Vec<(String, Value)> {
    let mut all = host.live.list_path(path).expect("readable").unwrap_or_default();
    all.push((String::new(), host.live.read(&at(path)).expect("readable")));
    all
}

#[test]
fn a_file_is_made_changed_and_taken_back_exactly() {
    let mut host = testing::host();
    host.write("/etc/app/motd", "old\n");
    let real = host.path("/etc/app/motd");
    let attribute = std::process::id().to_string();
    rustix::fs::setxattr(
        &real,
        "user.note",
        attribute.as_bytes(),
        rustix::fs::XattrFlags::empty(),
    )
    .ok();
    let before = snapshot(&mut host, "/etc/app/motd");
    let to = file(&mut host, "new\n", 0o640);
    let change = act(&mut host, "/etc/app/motd", to.clone());
    let changes = done(&mut host, change);
    assert_eq!(std::fs::read_to_string(&real).expect("text"), "new\n");
    assert_eq!(
        real.metadata().expect("there").permissions().mode() & 0o7777,
        0o640
    );
    assert!(changes[0].after.same(&to));
    take_back(&mut host, &changes);
    assert_eq!(snapshot(&mut host, "/etc/app/motd"), before);
    assert_eq!(
        std::fs::read_dir(host.path("/etc/app")).expect("there").count(),
        1,
        "nothing staged is left"
    );
}

#[test]
fn new_files_directories_and_links_go_again() {
    let mut host = testing::host();
    host.dir("/srv");
    let before = snapshot(&mut host, "/srv");
    let mut changes = Vec::new();
    let dir = act(&mut host, "/srv/a", Value::Dir { meta: meta(0o750) });
    changes.extend(done(&mut host, dir));
    let text = file(&mut host, "x", 0o600);
    let inner = act(&mut host, "/srv/a/x", text);
    changes.extend(done(&mut host, inner));
    let link = act(
        &mut host,
        "/srv/l",
        Value::Link {
            to: "a/x".to_owned(),
            meta: meta(0o777),
        },
    );
    changes.extend(done(&mut host, link));
    assert_eq!(
        std::fs::read_to_string(host.path("/srv/l")).expect("through the link"),
        "x"
    );
    assert_eq!(
        host.live
            .read(&at("/srv/l"))
            .map(|value| matches!(value, Value::Link { .. })),
        Ok(true)
    );
    assert!(matches!(
        host.live.follow_path("/srv/l"),
        Ok(Value::File { size: 1, .. })
    ));
    take_back(&mut host, &changes);
    let after = snapshot(&mut host, "/srv");
    assert_eq!(after.len(), before.len());
    assert!(after[0].1.same(&before[0].1));
}

#[test]
fn a_removed_tree_comes_back_with_every_attribute() {
    let mut host = testing::host();
    host.write("/opt/t/a/deep/file", "one");
    host.write("/opt/t/b", "two");
    host.dir("/opt/t/empty");
    host.link("nowhere", "/opt/t/l");
    host.mode("/opt/t/a", 0o2751);
    let before = snapshot(&mut host, "/opt/t");
    let gone = act(&mut host, "/opt/t", Value::Absent);
    let changes = done(&mut host, gone);
    assert!(!host.path("/opt/t").exists());
    assert_eq!(changes.len(), 7);
    take_back(&mut host, &changes);
    assert_eq!(snapshot(&mut host, "/opt/t"), before);
    // The same by a file that takes the tree's place.
    let text = file(&mut host, "a file now", 0o644);
    let replaced = act(&mut host, "/opt/t", text);
    let changes = done(&mut host, replaced);
    assert!(host.path("/opt/t").is_file());
    take_back(&mut host, &changes);
    assert_eq!(snapshot(&mut host, "/opt/t"), before);
}

#[test]
fn attributes_alone_change_in_place() {
    let mut host = testing::host();
    host.write("/etc/x", "text");
    let inode = host.path("/etc/x").metadata().expect("there").ino();
    let before = snapshot(&mut host, "/etc/x");
    let Value::File {
        content,
        size,
        meta: old,
    } = before[0].1.clone()
    else {
        panic!("a file")
    };
    let to = Value::File {
        content,
        size,
        meta: Meta { mode: 0o4711, ..old },
    };
    let change = act(&mut host, "/etc/x", to);
    let changes = done(&mut host, change);
    assert_eq!(host.path("/etc/x").metadata().expect("there").ino(), inode);
    assert_eq!(changes.len(), 1);
    take_back(&mut host, &changes);
    assert_eq!(snapshot(&mut host, "/etc/x"), before);
}

#[test]
fn what_is_not_as_expected_is_left_alone() {
    let mut host = testing::host();
    host.write("/etc/x", "mine");
    let to = file(&mut host, "ours", 0o644);
    let change = act(&mut host, "/etc/x", to);
    host.write("/etc/x", "theirs, meanwhile");
    let why = host
        .live
        .observe(std::slice::from_ref(&change))
        .expect_err("moved");
    assert_eq!(why.kind, ProblemKind::Moved);
    // Between the two as well.
    let before = [PreImage {
        at: at("/etc/x"),
        was: Value::Absent,
        fidelity: Fidelity::Exact,
    }];
    let why = host.live.perform(&[change], &before).expect_err("moved");
    assert_eq!(why.why.kind, ProblemKind::Moved);
    assert_eq!(
        std::fs::read_to_string(host.path("/etc/x")).expect("text"),
        "theirs, meanwhile"
    );
}

#[test]
fn a_foreign_entry_stops_the_removal_of_a_tree() {
    let mut host = testing::host();
    host.write("/opt/t/b", "kept");
    let gone = [act(&mut host, "/opt/t", Value::Absent)];
    let before = host.live.observe(&gone).expect("can be kept");
    host.write("/opt/t/a", "appeared");
    let why = host.live.perform(&gone, &before).expect_err("foreign");
    assert_eq!(why.why.kind, ProblemKind::Moved, "{}", why.why);
    assert!(host.path("/opt/t/a").exists() && host.path("/opt/t/b").exists());
}

#[test]
fn a_check_sees_the_staged_file_and_its_failure_refuses() {
    let mut host = testing::here();
    let path = host.root.join("conf").display().to_string();
    host.write("/conf", "good\n");
    let to = file(&mut host, "bad\n", 0o644);
    for (check, fine) in [("grep -q good", false), ("grep -q bad", true)] {
        let expect = host.live.read(&at(&path)).expect("readable");
        let acts = [Act::Assign {
            at: at(&path),
            expect,
            to: to.clone(),
            check: Some(Command::sh(check)),
        }];
        let before = host.live.observe(&acts).expect("can be kept");
        let done = host.live.perform(&acts, &before);
        assert_eq!(done.is_ok(), fine);
        if let Err(botched) = done {
            assert_eq!(botched.why.kind, ProblemKind::Refused);
            assert!(botched.why.text.starts_with("check_cmd execution failed"));
            assert_eq!(std::fs::read_to_string(&path).expect("text"), "good\n");
        }
    }
    assert_eq!(std::fs::read_dir(&host.root).expect("there").count(), 1);
}

#[test]
fn links_a_user_may_have_placed_are_not_followed() {
    let mut host = testing::host();
    host.dir("/etc/real");
    host.dir("/home/eve");
    host.link("real", "/etc/alias");
    host.link("/etc", "/home/eve/trap");
    host.mode("/home/eve", 0o777);
    let to = file(&mut host, "x", 0o644);
    let fine = act(&mut host, "/etc/alias/x", to.clone());
    done(&mut host, fine);
    assert!(host.path("/etc/real/x").exists());
    let trap = Act::assign(at("/home/eve/trap/shadow"), Value::Absent, to);
    let why = host.live.observe(&[trap]).expect_err("a trap");
    assert_eq!(why.kind, ProblemKind::Refused);
    assert!(why.text.contains("symbolic link"), "{why}");
}

#[test]
fn what_is_roots_in_a_sticky_directory_is_roots() {
    let mut host = testing::host();
    host.dir("/tmp/own/real");
    host.link("real", "/tmp/own/alias");
    host.link("own", "/tmp/trap");
    host.mode("/tmp", 0o1777);
    let to = file(&mut host, "x", 0o644);
    let fine = act(&mut host, "/tmp/own/alias/x", to.clone());
    done(&mut host, fine);
    assert!(host.path("/tmp/own/real/x").exists());
    let trap = Act::assign(at("/tmp/trap/y"), Value::Absent, to.clone());
    assert!(
        host.live.observe(&[trap]).is_err(),
        "anybody may have placed the link"
    );
    host.mode("/tmp", 0o777);
    let moved = Act::assign(at("/tmp/own/alias/y"), Value::Absent, to);
    assert!(
        host.live.observe(&[moved]).is_err(),
        "anybody may have moved the directory"
    );
}

#[test]
fn devices_pipes_and_sockets_are_refused() {
    let mut host = testing::host();
    host.dir("/run");
    let socket = std::os::unix::net::UnixListener::bind(host.path("/run/s")).expect("a socket");
    let gone = act(&mut host, "/run/s", Value::Absent);
    assert_eq!(
        host.live.observe(&[gone]).expect_err("special").kind,
        ProblemKind::Refused
    );
    drop(socket);
}

#[test]
fn hard_links_are_told_to_come_back_apart() {
    let mut host = testing::host();
    host.write("/etc/a", "shared");
    rustix::fs::link(host.path("/etc/a"), host.path("/etc/b")).expect("a hard link");
    let to = file(&mut host, "own", 0o644);
    let change = [act(&mut host, "/etc/a", to)];
    let before = host.live.observe(&change).expect("can be kept");
    assert!(matches!(before[0].fidelity, Fidelity::Compensated(_)));
    host.live.perform(&change, &before).expect("done");
    assert_eq!(
        std::fs::read_to_string(host.path("/etc/b")).expect("text"),
        "shared"
    );
}

#[test]
fn content_that_is_not_kept_or_has_no_room_is_refused() {
    let mut host = testing::host();
    let missing = Value::File {
        content: Digest::of("never kept"),
        size: 10,
        meta: meta(0o644),
    };
    let why = host
        .live
        .observe(&[Act::assign(at("/etc/x"), Value::Absent, missing)])
        .expect_err("no object");
    assert_eq!(why.kind, ProblemKind::Refused);
    let huge = Value::File {
        content: host.live.keep(b"x").expect("room"),
        size: u64::MAX / 4,
        meta: meta(0o644),
    };
    let why = host
        .live
        .observe(&[Act::assign(at("/etc/x"), Value::Absent, huge)])
        .expect_err("no room");
    assert!(why.text.contains("bytes are needed"), "{why}");
    let why = host
        .live
        .observe(&[Act::assign(
            at("/none/x"),
            Value::Absent,
            Value::Dir { meta: meta(0o755) },
        )])
        .expect_err("no parent");
    assert_eq!(why.kind, ProblemKind::Refused);
}

#[test]
fn a_commands_changes_are_told_and_taken_back() {
    let mut host = testing::here();
    let top = host.root.join("t").display().to_string();
    host.write("/t/keep", "same");
    host.write("/t/edit", "before");
    host.write("/t/gone/inner", "x");
    let before = snapshot(&mut host, &top);
    let run = Act::Run {
        command: Command::sh(&format!(
            "cd {top} && echo after > edit && rm -r gone && mkdir -p new/deep && echo y > new/deep/f"
        )),
        undo: None,
        verify: None,
        touches: vec![top.clone()],
    };
    let changes = done(&mut host, run);
    assert_eq!(changes.len(), 6, "{changes:#?}");
    take_back(&mut host, &changes);
    let after = snapshot(&mut host, &top);
    assert_eq!(after.len(), before.len());
    for (was, now) in before.iter().zip(&after) {
        assert!(was.0 == now.0 && was.1.same(&now.1), "{was:?} {now:?}");
    }
}

#[test]
fn a_damaged_object_never_reaches_the_host() {
    let mut host = testing::host();
    host.write("/etc/x", "fine");
    let to = file(&mut host, "new", 0o644);
    let change = [act(&mut host, "/etc/x", to)];
    let before = host.live.observe(&change).expect("can be kept");
    let object = host.live.objects().path(&Digest::of("new"));
    testing::overwrite(&object, "new!");
    let why = host.live.perform(&change, &before).expect_err("damaged");
    assert!(why.why.text.contains("damaged"), "{}", why.why);
    assert_eq!(
        std::fs::read_to_string(host.path("/etc/x")).expect("text"),
        "fine"
    );
}

#[test]
fn relative_paths_and_missing_ways_are_told() {
    let mut host = testing::host();
    assert!(host.live.read(&at("etc/x")).is_err());
    assert_eq!(host.live.read(&at("/no/such/way")), Ok(Value::Absent));
    assert_eq!(host.live.read(&at("/etc/passwd/x")), Ok(Value::Absent));
    host.link("loop", "/etc/loop");
    assert!(host.live.follow_path("/etc/loop").is_err());
    assert_eq!(host.live.list_path("/none"), Ok(None));
    assert!(matches!(host.live.read(&at("/")), Ok(Value::Dir { .. })));
}

#[test]
fn leftovers_of_a_cut_are_swept_and_never_in_the_way() {
    let mut host = testing::host();
    let staged = format!("/etc/.salt-rs-{}", Digest::of("x").short());
    for kind in ["file", "dir"] {
        match kind {
            "file" => host.write(&staged, "half"),
            _ => host.dir(&staged),
        }
        let to = file(&mut host, kind, 0o644);
        let change = act(&mut host, "/etc/x", to);
        host.live.sweep(std::slice::from_ref(&change));
        assert!(!host.path(&staged).exists(), "{kind}");
        host.write(&staged, "half again");
        done(&mut host, change);
        assert!(!host.path(&staged).exists(), "{kind}");
    }
}

#[test]
fn of_files_that_go_together_all_go_live_or_none() {
    let mut host = testing::host();
    host.write("/etc/app/a", "old\n");
    let old = snapshot(&mut host, "/etc");
    let folder = Value::Dir { meta: meta(0o755) };
    let new = file(&mut host, "new\n", 0o644);
    let mut acts = vec![
        act(&mut host, "/etc/app/a", new.clone()),
        act(&mut host, "/etc/app/d", folder),
        act(&mut host, "/etc/app/d/b", new),
    ];
    let together = |host: &mut Host, acts: &[Act]| {
        let before = host.live.observe(acts).expect("can be kept");
        host.live.perform(acts, &before)
    };
    if let Some(Act::Assign { check, .. }) = acts.last_mut() {
        *check = Some(Command::program(&["false"]));
    }
    let botched = together(&mut host, &acts).expect_err("its check fails");
    let same = |now: &[(String, Value)]| {
        now.len() == old.len()
            && now
                .iter()
                .zip(&old)
                .all(|(now, old)| now.0 == old.0 && now.1.same(&old.1))
    };
    assert!(botched.changes.is_empty() && same(&snapshot(&mut host, "/etc")));
    if let Some(Act::Assign { check, .. }) = acts.last_mut() {
        *check = None;
    }
    let changes = together(&mut host, &acts).expect("can be done").changes;
    assert_eq!(changes.len(), 3);
    take_back(&mut host, &changes);
    assert!(same(&snapshot(&mut host, "/etc")));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test sets flags as a user does")]
fn flags_come_back_and_frozen_files_are_refused() {
    let mut host = testing::host();
    host.write("/etc/flagged", "old");
    let real = host.path("/etc/flagged");
    let chattr = |how: &str| {
        let done = std::process::Command::new("chattr").arg(how).arg(&real).status();
        done.is_ok_and(|status| status.success())
    };
    if !chattr("+dA") {
        return; // This file system has no flags.
    }
    let before = host.live.read(&at("/etc/flagged")).expect("readable");
    assert!(
        before
            .meta()
            .is_some_and(|meta| meta.xattrs.contains_key(super::read::FLAGS))
    );
    let new = file(&mut host, "new", 0o644);
    let change = act(&mut host, "/etc/flagged", new);
    let changes = done(&mut host, change);
    take_back(&mut host, &changes);
    assert_eq!(
        host.live.read(&at("/etc/flagged")).expect("readable"),
        before,
        "after a change"
    );
    let gone = act(&mut host, "/etc/flagged", Value::Absent);
    let changes = done(&mut host, gone);
    take_back(&mut host, &changes);
    assert_eq!(
        host.live.read(&at("/etc/flagged")).expect("readable"),
        before,
        "after a removal"
    );
    if chattr("+i") {
        let gone = act(&mut host, "/etc/flagged", Value::Absent);
        let refused = host
            .live
            .observe(std::slice::from_ref(&gone))
            .expect_err("immutable");
        let planned = host.live.foresee(&gone).expect_err("immutable");
        assert!(chattr("-i"));
        assert!(refused.text.contains("chattr -i -a"), "{refused}");
        assert_eq!(planned, refused, "a plan says it, too");
    }
}
