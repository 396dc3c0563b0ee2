//! Packages go back exactly, or nothing does: what the package manager would change is compared with what goes back before
//! anything is touched (J12).

use proto::frame::Rollback;
use proto::{Act, Address, Fidelity, Value};

use super::{Step, Undo};
use crate::live::package::order::cut_off;
use crate::system::System;

/// Why a package does not become what it was: its installation had been cut off then, and was finished.
pub(super) fn stays(at: &Address, to: &Value) -> Option<String> {
    cut_off(to).then(|| {
        format!("the installation of {at} had been cut off before us; it was finished, and stays so")
    })
}

/// Packages that go back.
pub(super) fn ours(undo: &Undo) -> Vec<Address> {
    let puts = undo.steps.iter().filter_map(|step| match step {
        Step::Put { at, .. } if step.is_package() => Some(at.clone()),
        _ => None,
    });
    puts.collect()
}

/// Why packages cannot go back exactly: the package manager would change others as well, or has not what it takes. Where
/// conflicts are skipped the packages stay, and are told; where they are forced others may go along.
pub(super) fn unfit<S: System>(system: &mut S, undo: &mut Undo, want: &Rollback) -> Vec<String> {
    let acts = undo.steps.iter().filter_map(|step| match step {
        Step::Put { at, expect, to } if step.is_package() => {
            Some(Act::assign(at.clone(), expect.clone(), to.clone()))
        }
        _ => None,
    });
    let acts: Vec<Act> = acts.collect();
    if acts.is_empty() {
        return Vec::new();
    }
    let ours = ours(undo);
    let problem = match system.foresee_packages(&acts) {
        Err(problem) => problem.text,
        Ok(foreseen) => {
            let more = foreseen.iter().filter(|one| {
                let repaired = matches!(one.fidelity, Fidelity::Compensated(_));
                !ours.contains(&one.change.at) && !repaired && !want.force
            });
            let more: Vec<String> = more.map(|one| one.change.at.to_string()).collect();
            if more.is_empty() {
                return Vec::new();
            }
            format!("others would change with them: {}", more.join(", "))
        }
    };
    let names: Vec<String> = ours.iter().map(ToString::to_string).collect();
    let text = format!("{} cannot go back: {problem}", names.join(", "));
    if want.skip_conflicts {
        undo.steps.retain(|step| !step.is_package());
        undo.lost.push(text);
        return Vec::new();
    }
    vec![format!(
        "{text}; --skip-conflicts leaves the packages as they are and takes back the rest"
    )]
}
