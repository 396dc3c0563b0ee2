//! The tree in the lab: a repository of its own with one commit, so that what a demonstration commits never touches the
//! user's; and the settings and the roster for it.

use std::path::Path;

use lab::{Lab, LabError, os};
use serde_json::{Map, json};

use super::file::LabFile;
use super::folder::Folder;
use crate::settings::{self, Settings, Surroundings};

/// Writes everything that makes the running lab a project: key, known hosts, roster, settings, and the tree.
///
/// # Errors
/// When something cannot be written, or git cannot make the commit.
pub fn write(folder: &Folder, file: &LabFile, lab: &Lab, around: &Surroundings) -> Result<(), LabError> {
    for (from, name) in [
        (lab.private_key(), "id_ed25519"),
        (lab.private_key().with_extension("pub"), "id_ed25519.pub"),
        (lab.known_hosts(), "known_hosts"),
    ] {
        os::write(&folder.file(name), os::read(&from)?)?;
        os::chmod(&folder.file(name), 0o600)?;
    }
    os::write(&folder.file("roster.yaml"), roster(folder, file))?;
    os::make_dir(&folder.file("state"))?;
    if let Some(tree) = &file.tree {
        copy(tree, &folder.file("tree"))?;
    } else {
        os::make_dir(&folder.file("tree/salt"))?;
        commit(&folder.file("tree"))?;
    }
    let own = file.tree.as_ref().map(|tree| tree.join(settings::FILE));
    let own = own.filter(|own| own.is_file());
    // What is wrong with the tree's own settings is told by whoever applies it; the lab stands without them.
    let own = own.and_then(|own| Settings::load(&own, around).ok());
    os::write(&folder.file(settings::FILE), project(own.as_ref()))?;
    Ok(())
}

/// The roster, in salt-ssh's format.
fn roster(folder: &Folder, file: &LabFile) -> String {
    let mut hosts = Map::new();
    for host in &file.hosts {
        let mut entry = json!({
            "host": host.ip.to_string(), "user": "root", "priv": folder.file("id_ed25519"), "timeout": 30,
        });
        if !host.grains.is_empty() {
            entry["grains"] = json!(host.grains);
        }
        hosts.insert(host.name.clone(), entry);
    }
    yaml("The lab's hosts. Written by `salt-rs lab up`.", hosts)
}

/// The settings: the tree's own where they say something about the tree, the lab's about everything else.
fn project(own: Option<&Settings>) -> String {
    let mut tree = json!({ "url": "tree", "ref": "main" });
    let mut all = Map::new();
    if let Some(own) = own {
        tree["salt"] = json!(own.tree.salt);
        tree["pillar"] = json!(own.tree.pillar);
        all.insert("nodegroups".to_owned(), json!(own.nodegroups));
        all.insert(
            "pillar_from_host_grains".to_owned(),
            json!(own.pillar_from_host_grains),
        );
        all.insert("salt".to_owned(), json!(own.salt));
    }
    all.insert("tree".to_owned(), tree);
    all.insert("roster".to_owned(), json!("roster.yaml"));
    all.insert("state_dir".to_owned(), json!("state"));
    all.insert(
        "ssh".to_owned(),
        json!({ "user": "root", "key": "id_ed25519", "known_hosts": "known_hosts" }),
    );
    yaml("The lab's project. Written by `salt-rs lab up`.", all)
}

/// A mapping as YAML, one line per key: JSON is YAML.
fn yaml(title: &str, entries: Map<String, serde_json::Value>) -> String {
    let lines = entries
        .iter()
        .map(|(key, value)| format!("{}: {value}\n", json!(key)));
    format!("# {title}\n{}", lines.collect::<String>())
}

/// Copies a directory, without a repository it may be in, and makes it a repository with one commit on `main`.
fn copy(from: &Path, to: &Path) -> Result<(), LabError> {
    os::make_dir(to)?;
    let (from, to_text) = (from.display().to_string() + "/.", to.display().to_string());
    os::run("cp", &["-R", "--preserve=mode,timestamps,links", &from, &to_text])?;
    os::remove_tree(&to.join(".git"))?;
    commit(to)
}

fn commit(tree: &Path) -> Result<(), LabError> {
    git(tree, &["init", "-q", "-b", "main"])?;
    git(tree, &["config", "user.name", "The lab"])?;
    git(tree, &["config", "user.email", "lab@localhost"])?;
    git(tree, &["config", "commit.gpgsign", "false"])?;
    git(tree, &["add", "-A"])?;
    git(
        tree,
        &[
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "The tree as the lab got it",
        ],
    )?;
    Ok(())
}

/// Runs git in the lab's tree, free of what its user has set up elsewhere.
///
/// # Errors
/// When it ends badly.
pub fn git(tree: &Path, args: &[&str]) -> Result<String, LabError> {
    let mut git = os::command("git");
    for (name, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
    ] {
        git.env(name, value);
    }
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        git.env_remove(name);
    }
    Ok(os::checked(git.arg("-C").arg(tree).args(args))?)
}
