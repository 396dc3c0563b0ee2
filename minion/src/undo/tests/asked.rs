//! What a rollback can be asked for besides its target: merging, going past what cannot come back, redo, two phases.

use super::world::Dice;
use super::*;
use crate::log::Private;
use crate::undo::shown;

/// A host that has what the texts below need.
fn ready() -> Fake {
    let mut fake = Fake::new();
    for text in ["one", "two", "three"] {
        fake.file(text);
    }
    fake
}

fn text(fake: &Fake, at: &str) -> String {
    let Value::File { content, .. } = fake.path(at) else {
        return String::new();
    };
    String::from_utf8(fake.objects[&content].clone()).expect("text")
}

/// A host on which we changed `/etc/conf` from one text to another, and somebody then to a third.
fn edited(before: &str, ours: &str, theirs: &str) -> Host {
    let mut host = Host::new(ready());
    host.fake.write("/etc/conf", before);
    let ours = host.fake.file(ours);
    host.apply(&catalog(vec![set("a", &[(path("/etc/conf"), ours)])]));
    host.fake.write("/etc/conf", theirs);
    host
}

const BEFORE: &str = "a\nold\nb\nc\nd\n";
const OURS: &str = "a\nnew\nb\nc\nd\n";

#[test]
fn text_that_merges_cleanly_goes_back_with_the_edit_in_it_and_that_can_be_taken_back() {
    let mut host = edited(BEFORE, OURS, "a\nnew\nb\nc\nhand\n");
    let refused = host.back(BackTo::Previous);
    assert_eq!((refused.outcome, refused.conflicts.len()), (Outcome::Refused, 1));
    let want = Rollback {
        merge: true,
        plan: true,
        ..host.want(BackTo::Previous)
    };
    let mut plan = preview(&host.journal, &mut host.fake, &want).expect("sound");
    shown::explain(&host.journal, &mut host.fake, &mut plan, Private::Shown).expect("sound");
    assert_eq!(plan.conflicts.len(), 0);
    let [(at, diff)] = &plan.merged[..] else {
        panic!("{plan:?}");
    };
    assert_eq!(at, &path("/etc/conf").to_string());
    assert!(diff.contains("-new\n+old\n") && !diff.contains("-hand"), "{diff}");
    assert_eq!(
        text(&host.fake, "/etc/conf"),
        "a\nnew\nb\nc\nhand\n",
        "a plan changes nothing"
    );

    let done = host.roll(&Rollback { plan: false, ..want });
    assert_eq!(done.outcome, Outcome::RolledBack);
    assert_eq!(text(&host.fake, "/etc/conf"), "a\nold\nb\nc\nhand\n");
    let back = host.back(BackTo::BeforeRun(done.run));
    assert_eq!(back.outcome, Outcome::RolledBack);
    assert_eq!(
        text(&host.fake, "/etc/conf"),
        "a\nnew\nb\nc\nhand\n",
        "merging is undone"
    );
}

#[test]
fn edits_that_meet_stay_a_conflict_and_are_shown_three_ways() {
    let mut host = edited(BEFORE, OURS, "a\nhand\nb\nc\nd\n");
    for merge in [false, true] {
        let want = Rollback {
            merge,
            ..host.want(BackTo::Previous)
        };
        let mut report = host.roll(&want);
        shown::explain(&host.journal, &mut host.fake, &mut report, Private::Hidden).expect("sound");
        assert_eq!(report.outcome, Outcome::Refused);
        let [conflict] = &report.conflicts[..] else {
            panic!("{report:?}");
        };
        let (ours, theirs) = (conflict.ours_diff.clone(), conflict.theirs_diff.clone());
        assert!(ours.is_some_and(|diff| diff.contains("-old\n+new\n")));
        assert!(theirs.is_some_and(|diff| diff.contains("-new\n+hand\n")));
    }
    assert_eq!(text(&host.fake, "/etc/conf"), "a\nhand\nb\nc\nd\n");
}

#[test]
fn texts_of_private_files_are_shown_to_root_alone() {
    let mut host = edited(BEFORE, OURS, "a\nhand\nb\nc\nd\n");
    if let Some(Value::File { meta, .. }) = host.fake.world.get_mut(&path("/etc/conf")) {
        meta.mode = 0o600;
    }
    let mut report = host.back(BackTo::Previous);
    shown::explain(&host.journal, &mut host.fake, &mut report, Private::Hidden).expect("sound");
    let shown = report.conflicts[0].theirs_diff.clone().expect("told");
    assert!(shown.contains("not shown") && !shown.contains("hand"), "{shown}");
    shown::explain(&host.journal, &mut host.fake, &mut report, Private::Shown).expect("sound");
    assert!(
        report.conflicts[0]
            .theirs_diff
            .as_ref()
            .expect("told")
            .contains("+hand")
    );
}

#[test]
fn attributes_merge_one_by_one_beside_the_text() {
    let mut host = edited(BEFORE, OURS, "a\nnew\nb\nc\nhand\n");
    if let Some(Value::File { meta, .. }) = host.fake.world.get_mut(&path("/etc/conf")) {
        meta.mode = 0o640;
    }
    let want = Rollback {
        merge: true,
        ..host.want(BackTo::Previous)
    };
    assert_eq!(host.roll(&want).outcome, Outcome::RolledBack);
    assert_eq!(text(&host.fake, "/etc/conf"), "a\nold\nb\nc\nhand\n");
    let mode = host.fake.path("/etc/conf").meta().map(|meta| meta.mode);
    assert_eq!(mode, Some(0o640), "what we never changed stays");
}

#[test]
fn what_cannot_come_back_is_a_barrier_until_it_is_said() {
    let mut host = Host::new(ready());
    let run = chunk("run", "x", json!({ "name": "true" }));
    host.apply(&catalog(vec![run, set("b", &[(path("/etc/new"), file("one"))])]));
    let world = host.world();
    let want = Rollback {
        past_irreversible: false,
        ..host.want(BackTo::Previous)
    };
    let refused = host.roll(&want);
    assert_eq!(refused.outcome, Outcome::Refused);
    assert!(
        refused.refused[0].contains("declares no undo"),
        "{:?}",
        refused.refused
    );
    assert_eq!(host.world(), world, "nothing was touched");
    let done = host.back(BackTo::Previous);
    assert_eq!((done.outcome, done.lost.len()), (Outcome::RolledBack, 1));
    assert_eq!(host.fake.path("/etc/new"), Value::Absent);
}

#[test]
fn what_is_not_kept_any_more_is_found_before_anything_is_touched() {
    let mut host = edited(BEFORE, OURS, OURS);
    host.apply(&catalog(vec![set("b", &[(path("/etc/new"), file("one"))])]));
    let world = host.world();
    host.fake.damaged.insert(proto::Digest::of(BEFORE));
    let refused = host.back(BackTo::Generation(0));
    assert_eq!(refused.outcome, Outcome::Refused);
    assert!(refused.refused[0].contains("/etc/conf"), "{:?}", refused.refused);
    assert_eq!(host.world(), world);
    let want = Rollback {
        skip_conflicts: true,
        ..host.want(BackTo::Generation(0))
    };
    let rest = host.roll(&want);
    assert_eq!(rest.outcome, Outcome::RolledBack);
    assert_eq!(host.fake.path("/etc/new"), Value::Absent, "the rest goes back");
    assert_eq!(text(&host.fake, "/etc/conf"), OURS);
}

#[test]
fn redo_walks_forth_as_far_as_going_back_walked_and_not_past_a_new_run() {
    let mut host = Host::new(ready());
    let mut snapshots = vec![host.world()];
    for text in ["one", "two", "three"] {
        host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file(text))])]));
        snapshots.push(host.world());
    }
    let nothing = host.want(BackTo::Redo);
    assert!(preview(&host.journal, &mut host.fake, &nothing).is_err());
    let mut at = 3_usize;
    // Back and forth in every order that does not leave the path.
    for step in [-1, -1, 1, -1, -1, 1, 1, 1, -1, 1, -1, -1, -1, 1, 1, 1] {
        let to = if step < 0 { BackTo::Previous } else { BackTo::Redo };
        let report = host.back(to);
        at = at.checked_add_signed(step).expect("on the path");
        assert_eq!(report.outcome, Outcome::RolledBack, "to {at}: {report:?}");
        assert_eq!(host.world(), snapshots[at], "to {at}");
    }
    host.back(BackTo::Previous);
    host.apply(&catalog(vec![set("b", &[(path("/etc/other"), file("one"))])]));
    let nothing = host.want(BackTo::Redo);
    assert!(
        preview(&host.journal, &mut host.fake, &nothing).is_err(),
        "something was applied since"
    );
}

#[test]
fn what_was_decided_at_one_generation_is_not_done_at_another() {
    let mut host = Host::new(ready());
    host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file("one"))])]));
    let want = Rollback {
        at: Some(1),
        ..host.want(BackTo::Previous)
    };
    host.apply(&catalog(vec![set("a", &[(path("/etc/new"), file("two"))])]));
    let refused = host.roll(&want);
    assert_eq!(refused.outcome, Outcome::Refused);
    assert!(
        refused.refused[0].contains("generation 2 now"),
        "{:?}",
        refused.refused
    );
    let fits = Rollback { at: Some(2), ..want };
    assert_eq!(host.roll(&fits).outcome, Outcome::RolledBack);
}

/// Whatever two sides edit: what merges holds both edits, is undone by going back once more, and goes forth again.
#[test]
fn merging_is_itself_undone_whatever_was_edited() {
    for seed in 1..200_u64 {
        let mut dice = Dice::of(seed * 7919);
        let base: Vec<String> = (0..12).map(|n| format!("line {n}\n")).collect();
        let (mut ours, mut theirs, mut both) = (base.clone(), base.clone(), base.clone());
        let (a, b) = (dice.roll(12), dice.roll(12));
        ours[a] = "ours\n".into();
        theirs[a] = "ours\n".into();
        theirs[b] = "theirs\n".into();
        both[b] = "theirs\n".into();
        let [base, ours, theirs, both] = [base, ours, theirs, both].map(|lines| lines.concat());
        let mut host = edited(&base, &ours, &theirs);
        let there = host.world();
        let want = Rollback {
            merge: true,
            ..host.want(BackTo::Previous)
        };
        let report = host.roll(&want);
        if a.abs_diff(b) < 2 {
            assert_eq!(report.outcome, Outcome::Refused, "{a} {b}");
            assert_eq!(host.world(), there);
            continue;
        }
        assert_eq!(report.outcome, Outcome::RolledBack, "{a} {b}");
        assert_eq!(text(&host.fake, "/etc/conf"), both);
        let merged = host.world();
        let undone = host.back(BackTo::BeforeRun(report.run));
        assert_eq!(undone.outcome, Outcome::RolledBack);
        assert_eq!(host.world(), there);
        let redone = host.back(BackTo::BeforeRun(undone.run));
        assert_eq!(redone.outcome, Outcome::RolledBack);
        assert_eq!(host.world(), merged, "{a} {b}");
    }
}
