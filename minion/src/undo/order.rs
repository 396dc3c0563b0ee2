//! The order of going back: what is in database servers, units down, everything else in reverse of what was done, units up, then restarts.

use proto::{Address, Poke, Value, arrange};

use super::database::is_mysql;
use super::{Moment, Ran, Step, below};

/// One address that goes back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Put {
    /// When it was first touched.
    pub(super) moment: Moment,
    /// Its place among the changes of that act: a writer tells them so that they can be taken back in reverse.
    pub(super) place: usize,
    pub(super) at: Address,
    pub(super) expect: Value,
    pub(super) to: Value,
}

impl Put {
    fn removes(&self) -> bool {
        self.to.is_absent()
    }

    /// Units that go down (or are no longer enabled) do so while everything they need is still there.
    fn comes_down(&self) -> bool {
        match (&self.expect, &self.to) {
            (Value::Unit(there), Value::Unit(to)) => {
                there.known && !to.active && (there.active || to.enablement != "enabled")
            }
            _ => false,
        }
    }
}

/// Steps in reverse of what was done: databases while their server runs, units down, everything else, units up, then restarts.
pub(super) fn order(mut puts: Vec<Put>, commands: &[Ran], pokes: Vec<Step>) -> Vec<Step> {
    arrange(&mut puts, &|a, b| (a.moment, a.place) > (b.moment, b.place));
    // The firewall, too, before its service goes: stopped, that takes all rules away.
    let served = |put: &Put| is_mysql(&put.at) || put.at == Address::Firewall;
    let (databases, puts): (Vec<Put>, Vec<Put>) = puts.into_iter().partition(served);
    let (down, rest): (Vec<Put>, Vec<Put>) = puts.into_iter().partition(Put::comes_down);
    let (up, rest): (Vec<Put>, Vec<Put>) = rest
        .into_iter()
        .partition(|put| matches!(put.at, Address::Unit(_)));
    let (reload, pokes): (Vec<Step>, Vec<Step>) = pokes.into_iter().partition(|step| {
        matches!(
            step,
            Step::Poke {
                how: Poke::DaemonReload,
                ..
            }
        )
    });
    let mut steps: Vec<Step> = databases.into_iter().chain(down).map(step).collect();
    let mut commands: Vec<&Ran> = commands.iter().collect();
    arrange(&mut commands, &|a, b| a.at > b.at);
    let mut commands = commands.into_iter().peekable();
    for put in hoist(rest) {
        while let Some(ran) = commands.next_if(|ran| ran.at > put.moment) {
            steps.push(command(ran));
        }
        steps.push(step(put));
    }
    steps.extend(commands.map(command));
    steps.extend(reload);
    steps.extend(up.into_iter().map(step));
    steps.extend(pokes);
    steps
}

fn step(put: Put) -> Step {
    Step::Put {
        at: put.at,
        expect: put.expect,
        to: put.to,
    }
}

fn command(ran: &Ran) -> Step {
    Step::Run {
        undo: ran.undo.clone(),
        command: ran.command.clone(),
        verify: ran.verify.clone().map(Box::new),
    }
}

/// Directories come back before what lies in them, and go after it.
fn hoist(puts: Vec<Put>) -> Vec<Put> {
    let mut left: Vec<Option<Put>> = puts.into_iter().map(Some).collect();
    let mut sorted = Vec::with_capacity(left.len());
    for place in 0..left.len() {
        take(place, &mut left, &mut sorted);
    }
    sorted
}

fn take(place: usize, left: &mut [Option<Put>], sorted: &mut Vec<Put>) {
    let Some(put) = left.get_mut(place).and_then(Option::take) else {
        return;
    };
    if matches!(put.at, Address::Path(_)) {
        let folder_goes = !matches!(put.to, Value::Dir { .. });
        for other in 0..left.len() {
            let first = left[other].as_ref().is_some_and(|other| {
                let inside = below(&other.at, &put.at) && folder_goes && other.removes();
                let around =
                    below(&put.at, &other.at) && !put.removes() && matches!(other.to, Value::Dir { .. });
                inside || around
            });
            if first {
                take(other, left, sorted);
            }
        }
    }
    sorted.push(put);
}

/// Of two ways to make a service notice the one that does more.
pub(super) const fn stronger(a: Poke, b: Poke) -> Poke {
    match (a, b) {
        (Poke::FullRestart, _) | (_, Poke::FullRestart) => Poke::FullRestart,
        (Poke::Restart, _) | (_, Poke::Restart) => Poke::Restart,
        (other, _) => other,
    }
}
