//! Running a transaction: the programs it takes, in order, and whether it came to where it should.

use std::collections::BTreeMap;

use proto::{Output, Package, PreImage, Problem, Value};

use super::foresee::unfinished;
use super::status::{Status, World};
use super::{Wanted, apt, reached};
use crate::live::path::told;
use crate::live::{Live, failed};

impl Live {
    /// Runs the transaction and looks whether everything is as wanted.
    pub(super) fn transact(
        &mut self,
        was: &Status,
        wanted: &[Wanted<'_>],
        before: &[PreImage],
        said: &mut Option<Output>,
    ) -> Result<(), Problem> {
        match was.world {
            World::Dpkg => self.transact_apt(was, wanted, said)?,
            World::Rpm => self.transact_dnf(was, wanted, before, said)?,
        }
        let now = self.packages()?;
        for one in wanted {
            if !reached(&now.value(one.name), one.to) {
                return Err(failed(format!(
                    "package {} is {} after the transaction, not {}",
                    one.name,
                    told(&now.value(one.name)),
                    told(one.to)
                )));
            }
        }
        Ok(())
    }

    fn transact_apt(
        &mut self,
        was: &Status,
        wanted: &[Wanted<'_>],
        said: &mut Option<Output>,
    ) -> Result<(), Problem> {
        self.finish_interrupted(was, wanted, said)?;
        let order = self.order(was, wanted)?;
        if !order.words.is_empty() {
            let mut argv = vec![
                "apt-get",
                "-y",
                "-q",
                "-o",
                "Dpkg::Options::=--force-confdef",
                "-o",
                "Dpkg::Options::=--force-confold",
                "-o",
                // The locks are held already.
                "Debug::NoLocking=1",
                "-o",
                "Dpkg::Use-Pty=0",
            ];
            argv.extend(order.options.iter().map(String::as_str));
            argv.extend(["install", "--"]);
            argv.extend(order.words.iter().map(String::as_str));
            self.step(&argv, said)?;
        }
        let now = self.packages()?;
        let purge: Vec<&str> = order
            .purge
            .iter()
            .filter(|name| !now.value(name).is_absent())
            .map(String::as_str)
            .collect();
        if !purge.is_empty() {
            self.step(&[&["dpkg", "--purge", "--"], purge.as_slice()].concat(), said)?;
        }
        for (name, package) in &order.leave {
            self.leave_configured(name, package, said)?;
        }
        self.mark(wanted, said)
    }

    /// Finishes installations that were cut off, all but those of packages that are to go.
    fn finish_interrupted(
        &self,
        was: &Status,
        wanted: &[Wanted<'_>],
        said: &mut Option<Output>,
    ) -> Result<(), Problem> {
        let configure = ["dpkg", "--force-confdef", "--force-confold", "--configure"];
        let unfinished = unfinished(was, wanted);
        let cut = was
            .packages
            .values()
            .filter(|stanza| stanza.interrupted())
            .count();
        let names: Vec<&str> = unfinished.iter().map(String::as_str).collect();
        let rest = match (cut, names.as_slice()) {
            (0, _) | (_, []) if !self.updates().is_empty() => {
                // Nothing is left to configure: its last steps are taken into its records.
                return self.step(&["dpkg", "--set-selections"], said);
            }
            (_, []) => return Ok(()),
            (cut, names) if cut == names.len() => &["-a"],
            (_, names) => names,
        };
        // What was not even unpacked whole cannot be configured; apt unpacks it again, or says that it cannot.
        let whole = unfinished
            .iter()
            .any(|name| was.packages[name].state != "half-installed");
        match self.step(&[&configure, rest].concat(), said) {
            Err(problem) if whole => Err(failed(format!(
                "the installation of {} was cut off before and cannot be finished: {}",
                names.join(", "),
                problem.text
            ))),
            _ => Ok(()),
        }
    }

    /// Brings a purged package to "removed, but configured": in and out again, without what it depends on.
    fn leave_configured(
        &mut self,
        name: &str,
        package: &Package,
        said: &mut Option<Output>,
    ) -> Result<(), Problem> {
        let digest = self.kept_deb(name, package).ok_or_else(|| {
            failed(format!(
                "the file of {name} {} was not kept; its configured state cannot come back",
                package.version
            ))
        })?;
        let file = self.stage_deb(name, package, &digest)?;
        let options = ["--force-depends", "--force-confdef", "--force-confold"];
        self.step(
            &[&["dpkg"], options.as_slice(), &["--install", "--", &file]].concat(),
            said,
        )?;
        self.step(&["dpkg", "--remove", "--", name], said)
    }

    /// Sets hold and auto marks where they differ.
    fn mark(&mut self, wanted: &[Wanted<'_>], said: &mut Option<Output>) -> Result<(), Problem> {
        for (mark, names) in marks(&*self.packages()?, wanted) {
            self.step(
                &[&["apt-mark", "-q", mark, "--"], names.as_slice()].concat(),
                said,
            )?;
        }
        Ok(())
    }

    /// One program of a transaction; the output of the longest is the one to tell.
    pub(super) fn step(&self, argv: &[&str], said: &mut Option<Output>) -> Result<(), Problem> {
        let output = self.patiently(argv)?;
        let problem = (output.code != 0 || output.timed_out)
            .then(|| failed(format!("{} failed: {}", argv[0], apt::said(&output))));
        let longer = said
            .as_ref()
            .is_none_or(|known| known.stdout.len() < output.stdout.len());
        if longer || problem.is_some() {
            *said = Some(output);
        }
        problem.map_or(Ok(()), Err)
    }
}

/// Marks that differ, in apt's words: `auto`, `manual`, `hold`, `unhold`.
pub(super) fn marks<'a>(now: &Status, wanted: &[Wanted<'a>]) -> BTreeMap<&'static str, Vec<&'a str>> {
    let mut marks: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in wanted {
        let (Value::Package(is), Value::Package(to)) = (now.value(one.name), one.to) else {
            continue;
        };
        if to.config_only || is.config_only {
            continue;
        }
        if is.auto != to.auto {
            marks
                .entry(if to.auto { "auto" } else { "manual" })
                .or_default()
                .push(one.name);
        }
        if is.hold != to.hold {
            marks
                .entry(if to.hold { "hold" } else { "unhold" })
                .or_default()
                .push(one.name);
        }
    }
    marks
}
