//! R6: a hand edit of an attribute we changed conflicts, whatever else was edited stays.

use super::proof::{count, law, prove};
use super::world::{Dice, host, told};
use super::*;

/// One run's change of a file and what somebody made of the file since.
#[derive(Debug, Clone)]
struct Case {
    before: Value,
    ours: Value,
    theirs: Value,
}

const AT: &str = "/etc/file";

fn value(dice: &mut Dice) -> Value {
    let Value::File { content, size, .. } = file(dice.one(&["one", "two"])) else {
        panic!("a file");
    };
    Value::File {
        content,
        size,
        meta: Meta {
            mode: dice.one(&[0o600, 0o644]),
            uid: dice.one(&[0, 33]),
            gid: dice.one(&[0, 33]),
            mtime: None,
            xattrs: (dice.roll(2) == 0)
                .then(|| ("user.label".to_owned(), "00".to_owned()))
                .into_iter()
                .collect(),
        },
    }
}

/// Each attribute by name.
fn attributes(value: &Value) -> [(&'static str, String); 5] {
    let Value::File { content, meta, .. } = value else {
        panic!("a file");
    };
    [
        ("content", content.hex()),
        ("mode", meta.mode.to_string()),
        ("uid", meta.uid.to_string()),
        ("gid", meta.gid.to_string()),
        ("xattrs", format!("{:?}", meta.xattrs)),
    ]
}

fn holds(case: &Case) -> Result<(), String> {
    let mut fake = host();
    fake.world.insert(path(AT), case.before.clone());
    let mut host = Host::new(fake);
    host.apply(&catalog(vec![set("a", &[(path(AT), case.ours.clone())])]));
    if host.generation() == 0 {
        return Ok(());
    }
    host.fake.world.insert(path(AT), case.theirs.clone());
    let edited = host.world();
    let report = host.back(BackTo::Previous);
    let all = |of: &Value| attributes(of).map(|(_, value)| value);
    let three = all(&case.before)
        .into_iter()
        .zip(all(&case.ours))
        .zip(all(&case.theirs));
    let mut conflict = false;
    let mut wanted = Vec::new();
    for ((before, ours), theirs) in three {
        conflict |= before != ours && theirs != ours && theirs != before;
        wanted.push(if before == ours { theirs } else { before });
    }
    law!(
        conflict == (report.outcome == Outcome::Refused),
        "R6: conflict {conflict}: {report:#?}"
    );
    if conflict {
        let is = host.world();
        law!(is == edited, "R6: refused, and changed\n{}", told(&is, &edited));
        let mut want = host.want(BackTo::Previous);
        want.force = true;
        host.roll(&want);
        law!(
            host.fake.path(AT) == case.before,
            "force puts back all: {:?}",
            host.fake.path(AT)
        );
        host.back(BackTo::Generation(1));
        law!(host.fake.path(AT) == case.theirs, "R7: {:?}", host.fake.path(AT));
    } else {
        let is = host.fake.path(AT);
        law!(all(&is).to_vec() == wanted, "R6: {is:?} is not {wanted:?}");
    }
    Ok(())
}

#[test]
fn an_edited_attribute_of_ours_conflicts_and_any_other_stays() {
    let make = |dice: &mut Dice| Case {
        before: value(dice),
        ours: value(dice),
        theirs: value(dice),
    };
    prove("R6 R7", count(4000, 10), make, |_| Vec::new(), holds);
}
