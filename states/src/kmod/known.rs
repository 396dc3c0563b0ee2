//! Which modules are loaded, and which are at every boot.

use std::collections::BTreeSet;

use proto::{Act, Command, Meta, Question, Value};

use crate::file::whole::Whole;
use crate::{ArgsExt, Call, Done, Host, Plan, Report, Stop, cmd};

/// Modules that are loaded at boot, as Salt keeps them on a host with systemd.
const BOOT: &str = "/etc/modules-load.d/salt_managed.conf";
/// Modules that are loaded.
const LOADED: &str = "/proc/modules";

/// What a host knows of its modules.
#[derive(Debug)]
pub(super) struct Known {
    loaded: BTreeSet<String>,
    boot: Whole,
}

impl Known {
    /// Looks.
    ///
    /// # Errors
    /// [`Stop::Ask`] while it is not known.
    pub(super) fn read(host: &Host<'_>) -> Result<Self, Stop> {
        host.expect([Question::Bytes(LOADED.to_owned())]);
        host.expect(Whole::questions(BOOT));
        let loaded = host.bytes(LOADED)?.unwrap_or_default();
        let loaded = String::from_utf8_lossy(loaded);
        let names = loaded.lines().filter_map(|line| line.split_whitespace().next());
        Ok(Self {
            loaded: names.map(str::to_owned).collect(),
            boot: Whole::read(host, BOOT)?,
        })
    }

    pub(super) fn loaded(&self, name: &str) -> bool {
        self.loaded.contains(&bare(name))
    }

    pub(super) fn at_boot(&self, name: &str) -> bool {
        self.boot.text.lines().any(|line| names(line, name))
    }

    /// The act that has modules loaded at every boot.
    pub(super) fn keep(&self, host: &Host<'_>, mods: &[&str]) -> Act {
        let mut text = self.boot.text.clone();
        for name in mods {
            let commented = |line: &str| line.strip_prefix('#').is_some_and(|line| line.trim() == *name);
            let mut found = false;
            let mut new = String::new();
            for line in text.lines() {
                let back = !found && commented(line);
                found |= back;
                new.push_str(if back { name } else { line });
                new.push('\n');
            }
            if !found {
                new.push_str(&format!("{name}\n"));
            }
            text = new;
        }
        self.write(host, &text)
    }

    /// The act that has modules loaded at boot no more: their lines become comments, or go.
    pub(super) fn drop(&self, host: &Host<'_>, mods: &[&str], comment: bool) -> Act {
        let mut text = String::new();
        for line in self.boot.text.lines() {
            match (mods.iter().any(|name| names(line, name)), comment) {
                (false, _) => text.push_str(&format!("{line}\n")),
                (true, true) => text.push_str(&format!("#{line}\n")),
                (true, false) => {}
            }
        }
        self.write(host, &text)
    }

    fn write(&self, host: &Host<'_>, text: &str) -> Act {
        let fresh = Meta {
            mode: 0o644,
            ..Meta::default()
        };
        self.boot.write(host, text, fresh)
    }
}

/// Whether the kernel has a module in it, loaded or not.
///
/// # Errors
/// [`Stop::Ask`] while it is not known.
pub(super) fn built_in(host: &Host<'_>, name: &str) -> Result<bool, Stop> {
    let dir = format!("/sys/module/{}", bare(name).replace('/', "_"));
    Ok(matches!(host.follow(&dir)?, Value::Dir { .. }))
}

/// The modules a state names.
///
/// # Errors
/// [`Stop::Failed`] for what cannot be the name of one.
pub(super) fn wanted(call: &Call<'_>) -> Result<Vec<String>, Stop> {
    let mut mods = call.args().texts("mods");
    if mods.is_empty() {
        mods.push(call.name().to_owned());
    }
    for name in &mods {
        if bare(name).is_empty() || name.starts_with('-') || name.contains(['\n', '\0']) {
            return Err(Stop::Failed(format!("Kernel module {name:?} has no name")));
        }
    }
    Ok(mods)
}

/// The act that loads or removes a module, and how it is taken back.
pub(super) fn modprobe(name: &str, load: bool) -> Act {
    let command = |load: bool| {
        let words = name.split_whitespace();
        let argv: Vec<&str> = match load {
            true => ["modprobe"].into_iter().chain(words).collect(),
            false => ["modprobe", "-r"].into_iter().chain(words.take(1)).collect(),
        };
        Command {
            timeout: Some(120),
            ..Command::program(&argv)
        }
    };
    Act::Run {
        command: command(load),
        undo: Some(command(!load)),
        verify: None,
        touches: Vec::new(),
    }
}

/// `module a` or `modules a, b`, and the verb that goes with it.
pub(super) fn subject(mods: &[&str]) -> (String, &'static str) {
    match mods {
        [one] => (format!("Kernel module {one}"), "is"),
        all => (format!("Kernel modules {}", all.join(", ")), "are"),
    }
}

/// Salt's result, or what modprobe said of its failure.
pub(super) fn report(plan: &Plan, done: &Done<'_>, what: &str) -> Report {
    match cmd::failure(done) {
        Some(why) => Report {
            result: Some(false),
            comment: format!("Failed to {what} kernel module: {}", why.trim()),
            ..Report::default()
        },
        None => Report::of(plan, done),
    }
}

/// The name without options, as the kernel tells it.
fn bare(name: &str) -> String {
    name.split_whitespace()
        .next()
        .unwrap_or_default()
        .replace('-', "_")
}

/// Whether a line loads a module.
fn names(line: &str, name: &str) -> bool {
    !line.trim_start().starts_with(['#', ';']) && !line.trim().is_empty() && bare(line) == bare(name)
}
