//! One kind of change on a host: what it is before, what it becomes, which calls lead there and back, and how a state that is
//! found compares with those two.

use std::path::{Path, PathBuf};

use lab::{HostSpec, Image, Lab, matches};
use proto::frame::BackTo;
use proto::{Digest, Outcome};

use super::Torn;
use super::agent::{self, Bundle, Heard, Order, STATE, Watch};
use super::ground::{Ground, Soil};
use super::kill::Phase;
use super::kinds::Kind;
use super::layers::{self, Written};
use super::stand::{Stand, Whole};
use super::trace::Call;
use crate::os;

/// What is on a host: its disk, and what is not on its disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// What differs from the bare image.
    pub written: Written,
    /// What the kind's own question was answered.
    pub live: String,
}

/// Files that other entries than ours are in: when they were written and the order of their lines are no difference.
const SHARED: &[&str] = &["passwd", "group", "shadow", "gshadow", "subuid", "subgid"];

/// A kind of change, tried once without any fault.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The kind.
    pub kind: &'a Kind,
    /// What is applied.
    pub bundle: Bundle,
    /// The host before.
    pub before: State,
    /// The host after.
    pub wanted: State,
    /// Calls of the run that applies.
    pub there: Vec<Call>,
    /// Calls of the run that goes back.
    pub back: Vec<Call>,
    place: Place<'a>,
}

#[derive(Debug)]
enum Place<'a> {
    Cheap(&'a Soil, PathBuf),
    Whole(&'a Soil, Box<Lab>, PathBuf),
}

/// A host as it is before, to be tried.
#[derive(Debug)]
pub enum Fresh<'a> {
    /// A cheap one.
    Cheap(Ground),
    /// The one of the lab.
    Whole(Whole<'a>),
}

impl Fresh<'_> {
    /// The host itself.
    pub fn stand(&self) -> &dyn Stand {
        match self {
            Self::Cheap(ground) => ground,
            Self::Whole(whole) => whole,
        }
    }
}

/// The name of the host in the lab.
const HOST: &str = "one";

impl<'a> Trial<'a> {
    /// Prepares hosts of this kind, applies to one, and goes back.
    ///
    /// # Errors
    /// Where already this fails, nothing can be swept.
    pub fn new(soil: &'a Soil, kind: &'a Kind) -> Result<Self, Torn> {
        let bundle = kind.bundle()?;
        let place = if kind.whole {
            let image = Image::base()?;
            let lab = Lab::up_on(&image, &[HostSpec::systemd(HOST)])?;
            let whole = Place::Whole(soil, Box::new(lab), image.path().to_owned());
            whole.host(soil, kind)?.stand().must(kind.before)?;
            whole
        } else {
            let host = soil.host(None)?;
            host.check(kind.before)?;
            let kept = soil.place();
            let (from, to) = (host.upper().display().to_string(), kept.display().to_string());
            os::run("cp", &["-a", &from, &to])?;
            Place::Cheap(soil, kept)
        };
        let mut trial = Self {
            kind,
            bundle,
            before: State {
                written: Written::new(),
                live: String::new(),
            },
            wanted: State {
                written: Written::new(),
                live: String::new(),
            },
            there: Vec::new(),
            back: Vec::new(),
            place,
        };
        let fresh = trial.place.host(soil, kind)?;
        let stand = fresh.stand();
        trial.before = trial.look(stand)?;
        let there = agent::run(stand, &Order::Apply(&trial.bundle), 1, &Watch::List)?;
        if there.outcome() != Some(Outcome::Changed) {
            return Err(Torn(format!("{} cannot be applied: {}", kind.name, there.why())));
        }
        trial.wanted = trial.look(stand)?;
        let back = agent::run(stand, &Order::Back(BackTo::Previous), 2, &Watch::List)?;
        let wrong = differences(&trial.before, &trial.look(stand)?);
        if back.outcome() != Some(Outcome::RolledBack) || !wrong.is_empty() {
            let wrong = wrong.join("\n  ");
            return Err(Torn(format!(
                "{} does not go back: {}\n  {wrong}",
                kind.name,
                back.why()
            )));
        }
        (trial.there, trial.back) = (there.calls, back.calls);
        drop(fresh);
        Ok(trial)
    }

    /// The disk of a cheap host as it is before.
    ///
    /// # Errors
    /// The kind needs a whole one.
    pub fn prepared(&self) -> Result<&Path, Torn> {
        match &self.place {
            Place::Cheap(_, kept) => Ok(kept),
            Place::Whole(..) => Err(Torn(format!("{} needs a whole host", self.kind.name))),
        }
    }

    /// A host as it is before.
    ///
    /// # Errors
    /// It does not come up, or what was tried on it before cannot be undone.
    pub fn fresh(&self) -> Result<Fresh<'_>, Torn> {
        match &self.place {
            Place::Cheap(soil, _) => self.place.host(soil, self.kind),
            Place::Whole(soil, lab, _) => {
                let fresh = self.place.host(soil, self.kind)?;
                fresh.stand().must(&format!("rm -rf {STATE}"))?;
                if self.off_before(fresh.stand())?.is_empty() {
                    return Ok(fresh);
                }
                lab.host(HOST).reset()?;
                let fresh = self.place.host(soil, self.kind)?;
                fresh.stand().must(self.kind.before)?;
                Ok(fresh)
            }
        }
    }

    /// What is on a host.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn look(&self, stand: &dyn Stand) -> Result<State, Torn> {
        let live = match self.kind.live {
            "" => String::new(),
            line => stand.shell(line)?.1,
        };
        let mut written = stand.written(self.kind.noise())?;
        for name in SHARED {
            let path = format!("/etc/{name}");
            if let Some(Some(entry)) = written.get_mut(&path) {
                entry.mtime = 0;
                let text = os::read_text(&stand.root().join(path.trim_start_matches('/')))?;
                let mut lines: Vec<&str> = text.lines().collect();
                lines.sort_unstable();
                entry.sha256 = Digest::of(lines.join("\n")).hex();
            }
            // What the tools keep as the version before is nobody's.
            written.remove(&format!("/etc/{name}-"));
        }
        written.remove("/etc/.pwd.lock");
        Ok(State { written, live })
    }

    /// In what a host differs from what was there before.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn off_before(&self, stand: &dyn Stand) -> Result<Vec<String>, Torn> {
        Ok(differences(&self.before, &self.look(stand)?))
    }

    /// In what a host differs from what was wanted.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn off_wanted(&self, stand: &dyn Stand) -> Result<Vec<String>, Torn> {
        let timeless = |state: &State| State {
            written: layers::timeless(&state.written),
            live: state.live.clone(),
        };
        Ok(differences(
            &timeless(&self.wanted),
            &timeless(&self.look(stand)?),
        ))
    }

    /// As [`Trial::off_wanted`], after a run that follows one that was broken off: while it went back, what is made only together
    /// with something else may have gone.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn off_wanted_again(&self, stand: &dyn Stand, phase: Phase) -> Result<Vec<String>, Torn> {
        let mut off = self.off_wanted(stand)?;
        if phase == Phase::Back {
            off.retain(|line| {
                let path = line.split(": ").next().unwrap_or_default();
                !self.kind.once.iter().any(|pattern| matches(pattern, path))
            });
        }
        Ok(off)
    }

    /// Files that are neither as before nor as wanted, right after the agent was killed.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn halves(&self, stand: &dyn Stand) -> Result<Vec<String>, Torn> {
        if !self.kind.files {
            return Ok(Vec::new());
        }
        let now = layers::timeless(&self.look(stand)?.written);
        let (before, wanted) = (
            layers::timeless(&self.before.written),
            layers::timeless(&self.wanted.written),
        );
        let paths: std::collections::BTreeSet<_> = now.keys().chain(before.keys()).collect();
        let odd = paths.into_iter().filter(|path| {
            let ours = path
                .rsplit('/')
                .next()
                .is_some_and(|name| name.starts_with(".salt-rs-"));
            let found = now.get(*path);
            // Not there in any of the three is as in the image.
            let file = matches!(found, Some(Some(entry)) if entry.kind != "dir");
            !ours && file && found != before.get(*path) && found != wanted.get(*path)
        });
        Ok(odd.map(|path| format!("{path} is half done")).collect())
    }

    /// What nobody should leave behind: staged files, half-written objects, programs that still run.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn leftovers(&self, stand: &dyn Stand) -> Result<Vec<String>, Torn> {
        let state = stand.root().join(STATE.trim_start_matches('/'));
        let mut found = Vec::new();
        let names = |path: &PathBuf| os::names(path).unwrap_or_default();
        for folder in ["", "objects", "packages", "accounts", "mounts"] {
            let here = state.join(folder);
            let temporary = names(&here)
                .into_iter()
                .filter(|name| name.starts_with("tmp-") || name.contains(".tmp-") || name.starts_with('.'));
            found.extend(temporary.map(|name| format!("{STATE}/{folder}/{name}")));
        }
        let staged = names(&state.join("staging"));
        found.extend(staged.into_iter().map(|name| format!("{STATE}/staging/{name}")));
        let written = stand.written(self.kind.noise())?;
        let ours = written
            .into_iter()
            .filter(|(path, what)| what.is_some() && path.contains("/.salt-rs-"));
        found.extend(ours.map(|(path, _)| path));
        Ok(found)
    }

    /// Goes back to the state before all runs.
    ///
    /// # Errors
    /// The host cannot be reached.
    pub fn go_back(&self, stand: &dyn Stand, number: u64) -> Result<Heard, Torn> {
        agent::run(stand, &Order::Back(BackTo::Generation(0)), number, &Watch::Not)
    }
}

impl Place<'_> {
    fn host<'s>(&'s self, soil: &Soil, kind: &Kind) -> Result<Fresh<'s>, Torn> {
        match self {
            Place::Cheap(_, kept) => {
                let ground = soil.host(Some(kept))?;
                if !kind.start.is_empty() {
                    ground.check(kind.start)?;
                }
                Ok(Fresh::Cheap(ground))
            }
            Place::Whole(_, lab, base) => {
                let host = lab.host(HOST);
                let whole = Whole {
                    host,
                    base: base.clone(),
                };
                let tools = whole.root().join("run/torture");
                os::make_dir(&tools)?;
                let from = format!("{}/.", soil.tools().display());
                os::run("cp", &["-a", &from, &tools.display().to_string()])?;
                Ok(Fresh::Whole(whole))
            }
        }
    }
}

/// In what two states differ, a line each.
pub fn differences(before: &State, now: &State) -> Vec<String> {
    let mut lines = layers::difference(&before.written, &now.written);
    if before.live != now.live {
        lines.push(format!("live: {:?} -> {:?}", before.live, now.live));
    }
    lines
}
