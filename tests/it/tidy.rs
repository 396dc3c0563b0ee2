//! The walls between the rooms and the habits of the house, read from manifests and sources.
//!
//! A rule that fails names the file and says what to do. A line that does not fit its room is in the wrong room: it is
//! moved, and no exception is added here.

mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use harness::os;
use serde_json::Value;
use source::{Source, files, names_path, names_std, root, sources};

const MAX_LINES: usize = 500;

/// Fails with all complaints at once.
#[track_caller]
fn none(rule: &str, complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<_> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "{rule}:\n  {}", complaints.join("\n  "));
}

fn below<'a>(sources: &'a [Source], dir: &'a str) -> impl Iterator<Item = &'a Source> {
    sources.iter().filter(move |source| source.path.starts_with(dir))
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = os::command(&cargo);
    command
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    serde_json::from_str(&os::checked(&mut command).unwrap()).unwrap()
}

/// Direct dependencies of a member that are part of what it builds.
fn direct(metadata: &Value, member: &str) -> BTreeSet<String> {
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == member).unwrap();
    let dependencies = package["dependencies"].as_array().unwrap();
    let built = dependencies.iter().filter(|one| one["kind"] != "dev");
    built
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

/// Everything a member is linked with.
fn reached(metadata: &Value, member: &str) -> BTreeSet<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap();
    let names: BTreeMap<_, _> = packages
        .iter()
        .map(|one| (text(&one["id"]), text(&one["name"])))
        .collect();
    let mut edges = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let links = node["deps"].as_array().unwrap().iter().filter(|dep| {
            dep["dep_kinds"]
                .as_array()
                .unwrap()
                .iter()
                .any(|kind| kind["kind"].is_null())
        });
        edges.insert(
            text(&node["id"]),
            links.map(|dep| text(&dep["pkg"])).collect::<Vec<_>>(),
        );
    }
    let start = names.iter().find(|(_, name)| *name == member).unwrap().0.clone();
    let (mut seen, mut todo) = (BTreeSet::new(), vec![start]);
    while let Some(id) = todo.pop() {
        if seen.insert(names[&id].clone()) {
            todo.extend(edges[&id].iter().cloned());
        }
    }
    seen
}

#[test]
fn each_room_depends_on_what_it_may() {
    let metadata = metadata();
    let proto = ["serde", "serde_json", "sha2", "thiserror"];
    let states = [
        "salt-rs-proto",
        "serde",
        "serde_json",
        "thiserror",
        "fancy-regex",
        "regex-automata",
        "difflib",
    ];
    let lab = ["serde_json", "sha2", "thiserror", "rustix", "tun-tap"];
    for (member, allowed) in [
        ("salt-rs-proto", &proto[..]),
        ("salt-rs-states", &states[..]),
        ("salt-rs-lab", &lab[..]),
    ] {
        let more = direct(&metadata, member)
            .into_iter()
            .filter(|name| !allowed.contains(&name.as_str()));
        none(&format!("{member} has few dependencies"), more);
    }
    let never = [
        "salt-rs",
        "tokio",
        "russh",
        "git2",
        "sled",
        "libyaml-safer",
        "clap",
        "regex",
        "openssl",
        "serde_yaml",
        "uzers",
        "nix",
        "zbus",
    ];
    let minion = reached(&metadata, "salt-rs-minion");
    none(
        "the minion is small and blocking",
        never
            .iter()
            .filter(|name| minion.contains(**name))
            .map(|name| (*name).to_owned()),
    );
    let master = reached(&metadata, "salt-rs");
    assert!(
        master.contains("russh"),
        "the walk along the dependencies finds nothing: {master:?}"
    );
    assert!(
        !master.contains("salt-rs-minion"),
        "the master embeds the built minion and never links it"
    );
}

#[test]
fn proto_and_states_do_nothing_but_think() {
    let sources = sources();
    let rooms = below(&sources, "proto/src/").chain(below(&sources, "states/src/"));
    let mut found = Vec::new();
    for source in rooms {
        for module in ["fs", "process", "net", "env", "thread"] {
            if names_std(source.product(), module) {
                found.push(format!("{} names std::{module}", source.path));
            }
        }
        for clock in ["Instant", "SystemTime"] {
            if source.product().contains(clock) {
                found.push(format!("{} names {clock}", source.path));
            }
        }
    }
    none("no I/O and no clock in proto and states: ask the host", found);
}

#[test]
fn compile_is_pure() {
    let sources = sources();
    let mut found = Vec::new();
    for source in below(&sources, "master/src/compile") {
        for module in ["fs", "process", "net"] {
            if names_std(source.product(), module) {
                found.push(format!("{} names std::{module}", source.path));
            }
        }
        if names_path(source.product(), "tokio") {
            found.push(format!("{} names tokio", source.path));
        }
    }
    none(
        "compile works on a tree, a pillar and answers: read in `tree`, ask by the oracle",
        found,
    );
}

#[test]
fn each_library_has_one_room() {
    // A crate, and where it may be named.
    let homes = [
        ("sled", &["master/src/store"][..]),
        // Signatures of commits are ssh keys, too, and russh has the types of those.
        ("russh", &["master/src/transport", "master/src/tree/signature.rs"]),
        ("git2", &["master/src/tree"]),
        ("libyaml_safer", &["master/src/compile"]),
        (
            "clap",
            // When to use colours is a word of the command line, and of the screen.
            &[
                "master/src/cli",
                "master/src/main.rs",
                "master/src/failure.rs",
                "master/src/report/screen.rs",
            ],
        ),
        ("indicatif", &["master/src/report", "master/src/cli"]),
        ("rustix", &["minion/src", "lab/src"]),
        ("tun_tap", &["lab/src/delay.rs"]),
        ("tokio", &["master/src"]),
    ];
    let sources = sources();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| !source.is_tests()) {
        for (library, rooms) in homes {
            let at_home = rooms.iter().any(|room| source.path.starts_with(room));
            if !at_home && names_path(source.product(), library) {
                found.push(format!(
                    "{} names {library}, whose room is {}",
                    source.path,
                    rooms.join(" or ")
                ));
            }
        }
    }
    none(
        "a library is named in its room only, so that it can be replaced there",
        found,
    );
    let index = below(&sources, "master/src/store/").filter(|source| names_path(source.product(), "sled"));
    let others = index.filter(|source| {
        !["sled.rs", "mod.rs"]
            .iter()
            .any(|name| source.path.ends_with(name))
    });
    none(
        "only master/src/store/sled.rs names sled",
        others.map(|source| source.path.clone()),
    );
}

#[test]
fn files_are_short_and_say_first_what_they_are() {
    let sources = sources();
    let long = sources.iter().filter(|source| source.length() > MAX_LINES);
    none(
        &format!("no file above {MAX_LINES} lines without its tests: one thing, one file"),
        long.map(|source| format!("{} has {}", source.path, source.length())),
    );
    let mute = sources.iter().filter(|source| !source.text.starts_with("//!"));
    none(
        "every file begins with `//!` and what lives in it",
        mute.map(|source| source.path.clone()),
    );
}

#[test]
fn nothing_is_silenced_or_left_open() {
    let mut found = Vec::new();
    for source in &sources() {
        for word in [
            "#[allow",
            "#![allow",
            "todo!",
            "unimplemented!",
            "#[ignore",
            "should_panic",
        ] {
            if source.code.contains(word) {
                found.push(format!("{} has {word}", source.path));
            }
        }
    }
    none(
        "lints are answered with #[expect(…, reason)], tests are run, work is finished",
        found,
    );
}

#[test]
fn tests_wait_for_conditions() {
    let sources = sources();
    // The one place that waits; all others ask it with a condition.
    let harness = below(&sources, "tests/src/")
        .chain(below(&sources, "lab/src/"))
        .filter(|source| source.path != "lab/src/os.rs");
    let mut found = Vec::new();
    for source in &sources {
        if source.tests().contains("thread::sleep") {
            found.push(source.path.clone());
        }
    }
    found.extend(
        harness
            .filter(|source| source.code.contains("thread::sleep"))
            .map(|source| source.path.clone()),
    );
    none("no sleeps in tests: `harness::os::wait_for` a condition", found);
}

#[test]
fn every_file_of_tests_is_run() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    let mut found = Vec::new();
    for name in os::names(&root().join("tests/it")).unwrap() {
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else {
            continue;
        };
        if !main.contains(&format!("mod {module};")) {
            found.push(name);
        }
    }
    none("every file in tests/it is listed in main.rs", found);
}

#[test]
fn the_repository_speaks_of_the_project_alone() {
    // Built from halves, as this file is read, too.
    let mut words: Vec<_> = ["main", "wt", "shared", "."]
        .iter()
        .map(|dir| ["/wo", "rk/", dir].concat())
        .collect();
    words.push(["bash_", "jobs"].concat());
    let mut found = Vec::new();
    for path in files() {
        let bytes = fs::read(root().join(&path)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for (number, line) in text.lines().enumerate() {
            for word in &words {
                // In the middle of a longer path or address it is somebody else's word.
                let own =
                    |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "./-_".contains(c));
                if line.match_indices(word.as_str()).any(|(at, _)| own(at)) {
                    found.push(format!("{path}:{}: {word}", number + 1));
                }
            }
        }
    }
    none("no path or word of the place it was written at", found);
}

#[test]
fn scripts_can_be_run_and_stop_at_errors() {
    use std::os::unix::fs::PermissionsExt;
    let mut found = Vec::new();
    for path in files() {
        let full = root().join(&path);
        let text = fs::read(&full).unwrap();
        if !text.starts_with(b"#!") || !(path.starts_with(".ci/") || is_in(&path, "tests")) {
            continue;
        }
        if fs::metadata(&full).unwrap().permissions().mode() & 0o111 == 0 {
            found.push(format!("{path} is not executable"));
        }
        if !String::from_utf8_lossy(&text).contains("\nset -e") {
            found.push(format!("{path} has no `set -e`"));
        }
    }
    none("scripts that people start", found);
}

fn is_in(path: &str, dir: &str) -> bool {
    Path::new(path).parent() == Some(Path::new(dir))
}

/// Functions of the agent that its own states ask for, and nobody else.
const INWARD: [&str; 1] = ["lowpkg.bin_pkg_info"];

#[test]
fn functions_of_the_agent_stand_in_the_reference() {
    let reference = fs::read_to_string(root().join("master/src/compile/functions/reference.txt")).unwrap();
    let lines = reference.lines().filter(|line| !line.starts_with("no "));
    let known: BTreeMap<&str, &str> = lines
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?))
        })
        .collect();
    let mut agents = BTreeSet::new();
    for source in below(&sources(), "minion/src/functions/") {
        let text = fs::read_to_string(root().join(&source.path)).unwrap();
        let names = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("name: \""));
        agents.extend(names.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
    }
    assert!(agents.len() > 50, "only {agents:?}");
    none(
        "a function of the agent has a line in the reference",
        agents
            .iter()
            .filter(|name| !known.contains_key(name.as_str()) && !INWARD.contains(&name.as_str()))
            .cloned(),
    );
    none(
        "a function that the reference leaves to the host is the agent's",
        known
            .iter()
            .filter(|(name, place)| **place == "host" && !agents.contains(**name))
            .map(|(name, _)| (*name).to_owned()),
    );
}
