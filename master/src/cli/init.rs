//! `salt-rs init`: a small working project, ready to be committed.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::failure::Failure;
use crate::report::screen::Screen;

/// Write a small working project
///
/// Settings, a roster, a state tree with one role and a pillar. Existing files are never touched.
#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where; made if missing
    #[arg(default_value = ".")]
    dir: PathBuf,
}

/// The files, in the order a reader would open them.
static FILES: &[(&str, &str)] = &[
    ("salt-rs.yaml", include_str!("init/salt-rs.yaml")),
    ("roster.yaml", include_str!("init/roster.yaml")),
    ("salt/top.sls", include_str!("init/salt/top.sls")),
    ("salt/motd/init.sls", include_str!("init/salt/motd/init.sls")),
    ("salt/motd/motd.jinja", include_str!("init/salt/motd/motd.jinja")),
    ("pillar/top.sls", include_str!("init/pillar/top.sls")),
    ("pillar/motd.sls", include_str!("init/pillar/motd.sls")),
];

pub(super) fn run(command: &Init, screen: Screen) -> Result<u8, Failure> {
    let taken: Vec<&str> = FILES
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| command.dir.join(name).exists())
        .collect();
    if !taken.is_empty() {
        let text = format!("{} already has {}", command.dir.display(), taken.join(", "));
        return Err(Failure::usage(text).hint("name another directory; nothing was written"));
    }
    for (name, text) in FILES {
        write(&command.dir.join(name), text)?;
    }
    let dir = command.dir.display();
    if screen.json {
        screen.document(&serde_json::json!({ "dir": dir.to_string(), "files": FILES.iter().map(|file| file.0).collect::<Vec<_>>() }));
    } else {
        for (name, _) in FILES {
            screen.out(format!("{dir}/{name}"));
        }
        screen.out(format!(
            "\nNext: cd {dir}; git init && git add . && git commit -m 'First states'\n      salt-rs plan --local        what would change on this machine\n      edit roster.yaml, then      salt-rs hosts scan NAME && salt-rs plan NAME"
        ));
    }
    Ok(0)
}

#[expect(
    clippy::disallowed_methods,
    reason = "writes a new project where the user of the master asked, not on a host"
)]
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let fail = |error| Failure::usage(format!("cannot write {}: {error}", file.display()));
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).map_err(fail)?;
    }
    std::fs::write(file, text).map_err(fail)
}
