//! The master's sources against real programs, files and keys.

#![expect(
    clippy::disallowed_methods,
    reason = "tests write below their own scratch directory, and make their own keys"
)]

use std::fs;
use std::process::Command;

use serde_json::json;

use super::*;
use crate::scratch::Scratch;
use crate::store::{Index, Remembered};

fn sources(base: &Path) -> Sources {
    Sources {
        base: base.to_owned(),
        limit: Duration::from_secs(20),
        gpg_home: None,
        identities: Vec::new(),
        mine: Mine {
            roster: base.join("roster.yaml"),
            state_dir: base.join("state"),
        },
    }
}

#[test]
fn the_mine_is_what_hosts_of_the_roster_told() {
    let dir = Scratch::new();
    let sources = sources(dir.path());
    assert_eq!(sources.answer(&Lookup::Mine), Ok(json!({})), "without a roster");
    let roster = "web1: {host: 192.0.2.1, grains: {roles: [web]}}\nweb2: 192.0.2.2\n";
    fs::write(dir.path().join("roster.yaml"), roster).unwrap();
    fs::create_dir(dir.path().join("state")).unwrap();
    let told = |ip: &str| Remembered {
        mine: json!({"ip": {"value": ip}})
            .as_object()
            .cloned()
            .unwrap_or_default(),
        ..Remembered::default()
    };
    let new = [
        ("web1", told("192.0.2.1")),
        ("gone", told("192.0.2.9")),
        ("web2", Remembered::default()),
    ];
    let new = new.map(|(name, known)| (name.to_owned(), known)).into();
    let notes = Index::new(&dir.path().join("state"), Duration::from_secs(60)).remember(&new);
    assert_eq!(notes, Vec::<String>::new());
    let mine = sources.answer(&Lookup::Mine).unwrap();
    let want = json!({"web1": {
        "told": {"ip": {"value": "192.0.2.1"}}, "grains": {"roles": ["web"], "id": "web1"}, "age": 0,
    }});
    assert_eq!(mine, want);
}

fn program(sources: &Sources, words: &[&str]) -> Answer {
    sources.answer(&Lookup::Program(
        words.iter().map(|word| (*word).to_owned()).collect(),
    ))
}

#[test]
fn a_program_gets_its_words_as_they_are() {
    let dir = Scratch::new();
    let sources = sources(dir.path());
    assert_eq!(
        program(&sources, &["printf", "%s|", "a b", "$HOME; id"]),
        Ok("a b|$HOME; id|".into())
    );
    let failed = program(&sources, &["sh", "-c", "echo first >&2; echo why >&2; exit 3"]);
    assert_eq!(failed, Err("`sh` ended with exit status: 3: why".to_owned()));
    let missing = program(&sources, &["./nosuch"]).unwrap_err();
    assert!(missing.starts_with("`./nosuch` does not start"), "{missing}");
    assert!(
        program(&sources, &["printf", r"\377"])
            .unwrap_err()
            .contains("UTF-8")
    );
}

#[test]
fn a_program_that_goes_on_is_ended() {
    let dir = Scratch::new();
    let mut sources = sources(dir.path());
    sources.limit = Duration::from_millis(50);
    let error = program(&sources, &["sleep", "600"]).unwrap_err();
    assert_eq!(error, "`sleep` takes longer than 0 seconds");
}

#[test]
fn a_folder_is_a_mapping() {
    let dir = Scratch::new();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("sub/deep")).unwrap();
    fs::write(root.join("b"), "text\n").unwrap();
    fs::write(root.join("sub/a"), "").unwrap();
    std::os::unix::fs::symlink("sub", root.join("link")).unwrap();
    std::os::unix::fs::symlink("..", root.join("sub/up")).unwrap();
    let sources = sources(dir.path());
    let folder = |path: &str, follow| {
        let path = path.to_owned();
        sources.answer(&Lookup::Folder { path, follow })
    };
    let want = json!({"link": {}, "sub": {"deep": {}, "up": {}, "a": ""}, "b": "text\n"});
    assert_eq!(folder("root", false), Ok(want));
    assert_eq!(folder("nosuch", false), Ok(Json::Null));
    assert!(folder("root", true).unwrap_err().contains("nested deeper"));
    assert_eq!(
        sources.answer(&Lookup::File("root/b".to_owned())),
        Ok("text\n".into())
    );
    assert_eq!(sources.answer(&Lookup::File("nosuch".to_owned())), Ok(Json::Null));
}

#[test]
fn gpg_decrypts_with_the_keys_it_has() {
    let dir = Scratch::new();
    let home = dir.path().join("keys");
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700)
        .create(&home)
        .unwrap();
    let gpg = |args: &[&str]| {
        let output = Command::new("gpg")
            .arg("--homedir")
            .arg(&home)
            .args(["--batch", "--quiet", "--no-tty"])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let id = "pillar@example.org";
    gpg(&[
        "--passphrase",
        "",
        "--quick-gen-key",
        id,
        "default",
        "default",
        "never",
    ]);
    fs::write(dir.path().join("plain"), "hunter2\n").unwrap();
    let plain = dir.path().join("plain");
    let message = gpg(&[
        "--armor",
        "--trust-model",
        "always",
        "--recipient",
        id,
        "--output",
        "-",
        "--encrypt",
        plain.to_str().unwrap(),
    ]);
    let mut sources = sources(dir.path());
    sources.gpg_home = Some(home.clone());
    let decrypted = sources.answer(&Lookup::Decrypt(Cipher::Gpg, message.clone()));
    assert_eq!(decrypted, Ok("hunter2\n".into()));

    let other = dir.path().join("other");
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700)
        .create(&other)
        .unwrap();
    sources.gpg_home = Some(other.clone());
    let refused = sources
        .answer(&Lookup::Decrypt(Cipher::Gpg, message))
        .unwrap_err();
    assert!(
        refused.starts_with("`gpg` ended with exit status: 2"),
        "{refused}"
    );
    for home in [home, other] {
        // Its agent goes with the directory, and need not outlive the test.
        Command::new("gpgconf")
            .arg("--homedir")
            .arg(home)
            .args(["--kill", "all"])
            .status()
            .unwrap();
    }
}
