//! Laws of single plans: what a plan says is what comes, and going back is its inverse.

use super::proof::{count, law, prove, without};
use super::world::{Dice, assignment, host, told};
use super::*;
use crate::meets::meets;
use proto::MysqlKind;

/// A random plan, the host it meets, and where the agent is killed.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// What somebody did to the host before.
    start: Vec<(Address, Value)>,
    chunks: Vec<Do>,
    kill: u64,
}

/// One chunk.
#[derive(Debug, Clone)]
pub(super) enum Do {
    /// Assigns, and restarts a unit when the chunk before it changed something.
    Set(Vec<(Address, Value)>, bool),
    /// Counts up; its undo counts down.
    Count,
    /// A command that assigns below what it says it touches.
    Touch(String, Value),
    /// A command that fails.
    Fail,
}

impl Case {
    pub(super) fn random(dice: &mut Dice) -> Self {
        Self {
            start: (0..dice.roll(4)).map(|_| assignment(dice)).collect(),
            chunks: chunks(dice, 6),
            kill: dice.roll(1 << 16) as u64,
        }
    }

    fn smaller(&self) -> Vec<Self> {
        let mut all: Vec<Self> = without(&self.start)
            .map(|start| Self {
                start,
                ..self.clone()
            })
            .collect();
        all.extend(fewer(&self.chunks).into_iter().map(|chunks| Self {
            chunks,
            ..self.clone()
        }));
        all
    }

    fn host(&self) -> Host {
        let mut fake = host();
        for (at, to) in &self.start {
            fake.by_hand(at, to);
        }
        for act in &self.chunks {
            act.teach(&mut fake);
        }
        Host::new(fake)
    }
}

/// The same chunks with one, or one assignment, less.
pub(super) fn fewer(chunks: &[Do]) -> Vec<Vec<Do>> {
    let mut all: Vec<Vec<Do>> = without(chunks).collect();
    for (place, act) in chunks.iter().enumerate() {
        let Do::Set(sets, watch) = act else { continue };
        let mut with = |act: Do| {
            let mut next = chunks.to_vec();
            next[place] = act;
            all.push(next);
        };
        if sets.len() > 1 {
            without(sets).for_each(|sets| with(Do::Set(sets, *watch)));
        }
        if *watch {
            with(Do::Set(sets.clone(), false));
        }
    }
    all
}

pub(super) fn chunks(dice: &mut Dice, most: usize) -> Vec<Do> {
    (0..1 + dice.roll(most))
        .map(|_| match dice.roll(16) {
            0 => Do::Count,
            1 => {
                let touched = dice.one(&["/srv/tree", "/etc/new", "/etc/old"]);
                let inside = dice.roll(2) == 0 && touched == "/srv/tree";
                let touched = format!("{touched}{}", if inside { "/leaf" } else { "" });
                let value = match dice.roll(3) {
                    0 => Value::Absent,
                    1 => file("three"),
                    _ => file("two"),
                };
                Do::Touch(touched, value)
            }
            2 if dice.roll(2) == 0 => Do::Fail,
            _ => {
                let mut sets: Vec<(Address, Value)> =
                    (0..1 + dice.roll(3)).map(|_| assignment(dice)).collect();
                let mut seen = BTreeSet::new();
                sets.retain(|(at, _)| seen.insert(at.clone()));
                Do::Set(sets, dice.roll(5) == 0)
            }
        })
        .collect()
}

impl Do {
    /// The command's text and what it touches.
    fn touch(touched: &str, value: &Value) -> (String, Vec<(Address, Value)>) {
        (
            format!("touch {touched} {value:?}"),
            vec![(path(touched), value.clone())],
        )
    }

    pub(super) fn teach(&self, fake: &mut Fake) {
        if let Self::Touch(touched, value) = self {
            let (text, effect) = Self::touch(touched, value);
            fake.commands.insert(text, effect);
        }
    }

    fn chunk(&self, number: usize) -> proto::Chunk {
        match self {
            Self::Set(all, watch) => {
                let mut chunk = set(&format!("s{number}"), all);
                if *watch && number > 0 {
                    chunk.args.insert("unit".into(), json!("ssh.service"));
                    chunk = needs(chunk, RequisiteKind::Watch, &[number - 1]);
                }
                chunk
            }
            Self::Count => chunk("run", "more", json!({"undo": "less"})),
            Self::Touch(touched, value) => {
                let (text, _) = Self::touch(touched, value);
                chunk("run", &text, json!({"touches": [touched]}))
            }
            Self::Fail => chunk("run", "false", json!({})),
        }
    }

    /// Whether the chunk may change what is at an address.
    fn may_change(&self, at: &Address) -> bool {
        let below = |top: &Address| at == top || super::super::below(at, top);
        match self {
            Self::Count => *at == Address::Sysctl("count".into()),
            Self::Fail => false,
            Self::Touch(touched, _) => below(&path(touched)),
            Self::Set(all, _) => all.iter().any(|(target, _)| {
                let along: Vec<Address> = match target {
                    Address::Package(_) => vec![
                        Address::Package("lib".into()),
                        Address::Package("web".into()),
                        path("/etc/web.conf"),
                        path("/etc/lib.conf"),
                        Address::Unit("web.service".into()),
                    ],
                    Address::User(name) => vec![Address::Group(name.clone()), path("/home/app")],
                    Address::Mysql(place) if place.kind == MysqlKind::User => {
                        vec![Address::Mysql(proto::MysqlAt {
                            kind: MysqlKind::Grants,
                            ..place.clone()
                        })]
                    }
                    _ => Vec::new(),
                };
                let moved = match (target, at) {
                    (Address::Mount(point), Address::Path(other)) => {
                        below(&path(point)) || other.starts_with("volume ") || other.starts_with("hidden ")
                    }
                    // What lies on a file system that somebody mounted.
                    (Address::Path(_), Address::Path(other)) => {
                        other.starts_with("hidden ") || other.starts_with("volume ")
                    }
                    _ => false,
                };
                below(target) || along.contains(at) || moved
            }),
        }
    }
}

pub(super) fn tree(chunks: &[Do]) -> Catalog {
    let chunks = chunks.iter().enumerate().map(|(number, act)| act.chunk(number));
    catalog(chunks.collect())
}

/// Every assignment of the plan holds: no later one took an earlier one back.
fn consistent(chunks: &[Do], host: &Host) -> bool {
    chunks.iter().all(|act| match act {
        Do::Set(all, _) => all.iter().all(|(at, to)| meets(to, &host.fake.at(at))),
        _ => false,
    })
}

fn same(law: &str, is: &World, wanted: &World) -> Result<(), String> {
    law!(is == wanted, "{law}\n{}", told(is, wanted));
    Ok(())
}

fn clean(law: &str, report: &RollbackReport) -> Result<(), String> {
    law!(
        report.failed.is_empty() && report.conflicts.is_empty(),
        "{law}: {report:#?}"
    );
    Ok(())
}

/// R1, R4, R5, R9, R10, R11.
fn inverse(case: &Case) -> Result<(), String> {
    let mut host = case.host();
    let before = host.world();
    let tree = tree(&case.chunks);
    let (planned, mut dry) = plan(&host, &tree);
    let report = host.apply(&tree);
    let after = host.world();
    predicted(case, &planned, &mut dry, &report, &host)?;
    for at in super::world::differ(&before, &after) {
        law!(
            case.chunks.iter().any(|act| act.may_change(&at)),
            "R11: {at} changed and is not of the plan"
        );
    }
    let acted = host.generation();
    law!(
        acted == 1 || before == after,
        "nothing changes without a generation"
    );
    let good = report.states.iter().all(|state| state.result == Some(true));
    if good && consistent(&case.chunks, &host) {
        let acts = host.fake.performed;
        let again = host.apply(&tree);
        law!(
            host.fake.performed == acts,
            "R9: a second apply acted: {:#?}",
            again.states
        );
        law!(again.outcome == Outcome::Ok, "R9: {:#?}", again.states);
        same("R9", &host.world(), &after)?;
    }
    let post = host.generation();
    clean("R1", &host.back(BackTo::Generation(0)))?;
    same("R1: going back is the inverse", &host.world(), &before)?;
    let again = host.back(BackTo::Generation(0));
    law!(
        again.outcome == Outcome::Ok && again.restored.is_empty(),
        "R5: {again:#?}"
    );
    same("R5", &host.world(), &before)?;
    clean("R4", &host.back(BackTo::Generation(post)))?;
    same("R4: a rollback of a rollback", &host.world(), &after)
}

/// R10: what a plan said came, as far as anybody could know.
fn predicted(
    case: &Case,
    planned: &crate::converge::Ended,
    dry: &mut Dry<Fake>,
    report: &Report,
    host: &Host,
) -> Result<(), String> {
    let gloomy = planned
        .states
        .iter()
        .zip(&report.states)
        // What follows a failure that nobody foresaw is another story.
        .take_while(|(told, came)| came.result == Some(true) || told.result == Some(false))
        .any(|(told, came)| told.result == Some(false) && came.result == Some(true));
    // A restart stands in for a failed assignment in the result, as in Salt.
    let watched = case.chunks.iter().any(|act| matches!(act, Do::Set(_, true)));
    law!(
        watched || !gloomy,
        "R10: a plan was too gloomy: {:#?}\n{:#?}",
        planned.states,
        report.states
    );
    // What packages bring and commands do is not known beforehand; a failure keeps what follows from happening.
    let hazy = case.chunks.iter().any(|act| match act {
        Do::Set(all, false) => all
            .iter()
            .any(|(at, _)| matches!(at, Address::Package(_) | Address::Mount(_))),
        _ => true,
    });
    let failed = |states: &[proto::StateResult]| states.iter().any(|state| state.result == Some(false));
    if hazy || failed(&planned.states) || failed(&report.states) {
        return Ok(());
    }
    let told = planned.states.iter().map(|state| !state.changes.is_empty());
    let came = report.states.iter().map(|state| !state.changes.is_empty());
    law!(told.eq(came), "R10: {:#?}\n{:#?}", planned.states, report.states);
    for act in &case.chunks {
        let Do::Set(all, _) = act else { continue };
        for (at, _) in all {
            let said = crate::system::System::answer(dry, &[proto::Question::Read(at.clone())]).pop();
            let Some(proto::Answer::Value(said)) = said else {
                return Err(format!("R10: a plan does not know {at}"));
            };
            // Ids that only the tools give are not foreseen.
            let open = matches!(at, Address::User(_) | Address::Group(_) | Address::Swap(_));
            let live = host.fake.at(at);
            law!(
                if open {
                    said.is_absent() == live.is_absent()
                } else {
                    meets(&said, &live)
                },
                "R10: {at} was planned as {said:?} and is {live:?}"
            );
        }
    }
    Ok(())
}

/// A point within the case at which the agent is killed.
pub(super) fn point(kill: u64, entries: u64) -> Point {
    let number = kill / 4 % entries.max(1);
    match kill % 4 {
        0 => Point::Act(number / 3 + 1, crate::fake::When::Before),
        1 => Point::Act(number / 3 + 1, crate::fake::When::Half),
        2 => Point::Act(number / 3 + 1, crate::fake::When::After),
        _ => Point::Entry(number),
    }
}

/// How many entries a run has.
pub(super) fn entries(host: &Host) -> u64 {
    let run = host.journal.newest().expect("readable");
    run.map_or(0, |run| run.entries.len() as u64)
}

/// R2: killed anywhere, going back ends in the old state, and applying again in the new one.
fn cut(case: &Case) -> Result<(), String> {
    let tree = tree(&case.chunks);
    let mut whole = case.host();
    let before = whole.world();
    whole.apply(&tree);
    let after = whole.world();
    let point = point(case.kill, entries(&whole));

    let mut host = case.host();
    let killed = host.killed(point, |host| host.apply(&tree)).is_none();
    let report = host.back(BackTo::Generation(0));
    clean(&format!("R2 at {point:?}"), &report)?;
    let unsure = |report: &RollbackReport| report.lost.iter().any(|line| line.contains("may or may not"));
    same(
        &format!("R2: back at {point:?}"),
        &counted(&host, &before, unsure(&report)),
        &before,
    )?;
    if !killed {
        return Ok(());
    }

    let mut host = case.host();
    host.killed(point, |host| host.apply(&tree));
    host.apply(&tree);
    let runs = host.journal.newest().expect("readable");
    law!(runs.is_none_or(|run| run.close.is_some()), "R2: a run stays open");
    if consistent(&case.chunks, &whole) {
        same(&format!("R2: on at {point:?}"), &host.world(), &after)?;
    }
    let report = host.back(BackTo::Generation(0));
    clean(&format!("R2 on and back at {point:?}"), &report)?;
    same(
        &format!("R2: on and back at {point:?}"),
        &counted(&host, &before, unsure(&report)),
        &before,
    )
}

/// The world; a count nobody can be sure of is taken for right.
fn counted(host: &Host, wanted: &World, unsure: bool) -> World {
    let mut world = host.world();
    let count = Address::Sysctl("count".into());
    if unsure && let Some(value) = wanted.get(&count) {
        world.insert(count, value.clone());
    }
    world
}

/// R8: killed anywhere inside a rollback, the next one ends where it would have.
fn cut_back(case: &Case) -> Result<(), String> {
    let tree = tree(&case.chunks);
    let mut host = case.host();
    let before = host.world();
    host.apply(&tree);
    if host.generation() == 0 {
        return Ok(());
    }
    let point = point(case.kill, entries(&host));
    host.killed(point, |host| host.back(BackTo::Previous));
    let report = host.back(BackTo::Previous);
    clean(&format!("R8 at {point:?}"), &report)?;
    let unsure = report.lost.iter().any(|line| line.contains("may or may not"));
    same(
        &format!("R8: at {point:?}"),
        &counted(&host, &before, unsure),
        &before,
    )?;
    let again = host.back(BackTo::Generation(0));
    law!(
        again.outcome == Outcome::Ok && again.restored.is_empty(),
        "R5 after R8: {again:#?}"
    );
    Ok(())
}

#[test]
fn going_back_is_the_inverse_of_any_plan() {
    prove(
        "R1 R4 R5 R9 R10 R11",
        count(10_000, 20),
        Case::random,
        Case::smaller,
        inverse,
    );
}

#[test]
fn a_kill_at_any_point_of_a_plan_ends_in_the_old_or_the_new_state() {
    prove("R2", count(10_000, 40), Case::random, Case::smaller, cut);
}

#[test]
fn a_kill_at_any_point_of_a_rollback_is_finished_by_the_next() {
    prove("R8", count(10_000, 40), Case::random, Case::smaller, cut_back);
}
