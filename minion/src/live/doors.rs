//! The real host behind the doors of [`System`].

use std::collections::BTreeSet;

use proto::{Act, Address, Answer, Command, Digest, Output, Performed, PreImage, Problem, Question, Value};

use super::{Live, botched, command, path, refused, transaction};
use crate::system::{Aside, Beside, Botched, Foreseen, System, Verified};

impl System for Live {
    fn answer(&mut self, ask: &[Question]) -> Vec<Answer> {
        self.learn(ask);
        let answers = ask.iter().map(|question| self.one(question)).collect();
        self.units.clear();
        self.databases.forget();
        answers
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<Digest, Problem> {
        path::room_for(&self.objects, bytes.len() as u64)?;
        self.objects.put(bytes).map_err(|error| {
            refused(format!(
                "cannot keep {} bytes in the object store: {error}",
                bytes.len()
            ))
        })
    }

    fn observe(&mut self, acts: &[Act]) -> Result<Vec<PreImage>, Problem> {
        if let Some(wanted) = transaction(acts) {
            return self.observe_packages(&wanted);
        }
        let mut before = Vec::new();
        for (place, act) in acts.iter().enumerate() {
            before.extend(match crate::readers::assigned(act) {
                // Its directory comes with it.
                Some((path, Value::Absent, _)) if crate::dry::made(&acts[..place], path) => {
                    vec![path::absent(path)]
                }
                _ => self.observe_one(act)?,
            });
        }
        Ok(before)
    }

    fn foresee(&mut self, act: &Act) -> Result<Vec<PreImage>, Problem> {
        // Those of packages follow from what comes along with them.
        if matches!(
            act,
            Act::Assign {
                at: Address::Package(_),
                ..
            }
        ) {
            return Ok(Vec::new());
        }
        self.foreseeing = true;
        let seen = self.observe_one(act);
        self.foreseeing = false;
        seen
    }

    fn verify(&mut self, acts: &[Act], aside: &Aside) -> Result<Verified, Problem> {
        self.verify_paths(acts, aside)
    }

    fn perform(&mut self, acts: &[Act], before: &[PreImage]) -> Result<Performed, Box<Botched>> {
        if let Some(wanted) = transaction(acts) {
            return self.assign_packages(&wanted, before);
        }
        let mut all = Performed::default();
        for act in acts {
            match self.perform_one(act, before) {
                Ok(performed) => {
                    all.changes.extend(performed.changes);
                    all.output = performed.output.or(all.output);
                }
                Err(botched) => {
                    all.changes.extend(botched.changes);
                    all.output = botched.performed.output.or(all.output);
                    let left = self.all_back(acts, all.changes);
                    return Err(self::botched(botched.why, left, all.output));
                }
            }
        }
        Ok(all)
    }

    fn beside(&self, command: &Command) -> Option<Beside> {
        // The database's own program needs what this thread knows of its servers.
        if command.argv.first()? == states::mysql::query::PROGRAM {
            return None;
        }
        let here = Self::at(self.objects.clone(), &self.root);
        let command = command.clone();
        Some(Box::new(move || here.run(&command)))
    }

    fn came_to(&mut self, output: Result<Output, Problem>) {
        self.came_to = Some(output);
    }

    fn sweep(&mut self, acts: &[Act]) {
        for act in acts {
            match act {
                Act::Assign {
                    at: Address::Path(path),
                    ..
                } => self.sweep_path(path),
                Act::Assign {
                    at: at @ (Address::User(_) | Address::Group(_)),
                    ..
                } => self.sweep_person(at),
                Act::Assign {
                    at: Address::Checkout(path),
                    expect,
                    to,
                    ..
                } if expect.is_absent() || to.is_absent() => self.sweep_checkout(path),
                _ => {}
            }
        }
        self.clear_stage();
    }

    fn harden(&mut self, acts: &[Act]) {
        let others = |act: &Act| match act {
            Act::Assign { at, to, .. } => {
                matches!(at, Address::User(_) | Address::Checkout(_)) && !to.is_absent()
            }
            Act::Run { touches, .. } => !touches.is_empty(),
            _ => false,
        };
        if acts.iter().any(others) {
            rustix::fs::sync();
        }
    }

    fn mend(&mut self, before: &[PreImage]) {
        for image in before {
            self.mend_person(&image.at, &image.was);
        }
    }

    fn outwait(&mut self, process: u32) -> bool {
        command::outwait(process)
    }

    fn cleared(&self) -> BTreeSet<String> {
        self.cleared.clone()
    }

    fn sound(&mut self, kept: &Digest) -> Result<(), String> {
        let checked = self.objects.check(kept).map(drop);
        checked.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("object {kept}, which it needs, is not kept any more"),
            _ => error.to_string(),
        })
    }

    fn foresee_packages(&mut self, acts: &[Act]) -> Result<Vec<Foreseen>, Problem> {
        match transaction(acts) {
            Some(wanted) => self.foresee_transaction(&wanted),
            None => Ok(Vec::new()),
        }
    }

    fn forget(&mut self) {
        self.unlock_packages();
        self.grains.clear();
        self.units.clear();
        self.databases.forget();
    }
}
