//! Broken trees: what is said of each, exactly and at which place. Every file below `tests/broken` is one tree.
//!
//! A file is a heading, then sections `-- PATH --`: the files of the tree, `grains.json`, `salt-rs.yaml` and
//! `roster.yaml` if wanted, and at the end what is expected: `-- compile --`, what a host called web1 is refused with,
//! and `-- lint --`, what `lint` says beyond that (it must say all of that too). Behind a path may stand `| crlf`,
//! `| bom`, `| hex`, `| latin1` and `| times N`: how the text below becomes the file. Where there is no top file, web1
//! gets `a`. `UPDATE_EXPECT=1` rewrites the last two sections.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "the test stops where its files are not as expected, writes them when asked to, and tells how many there are"
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use master::compile::codes::{CODES, Example};
use master::compile::diagnostic::Diagnostic;
use master::compile::{self, Compiled, Grains, Input, Layout, Options, Roots, Tree, What, lint};
use master::roster::Roster;
use master::settings::{Settings, Surroundings};
use master::tree::{Memory, Source};
use proto::Answers;
use serde_json::{Map, Value as Json};

/// A file of sections.
struct Case {
    heading: String,
    sections: Vec<(String, String)>,
}

impl Case {
    fn read(text: &str) -> Self {
        let mut case = Self {
            heading: String::new(),
            sections: Vec::new(),
        };
        for line in text.split_inclusive('\n') {
            let name = line
                .trim_end()
                .strip_prefix("-- ")
                .and_then(|rest| rest.strip_suffix(" --"));
            match (name, case.sections.last_mut()) {
                (Some(name), _) => case.sections.push((name.to_owned(), String::new())),
                (None, Some((_, body))) => body.push_str(line),
                (None, None) => case.heading.push_str(line),
            }
        }
        case
    }

    fn section(&self, name: &str) -> Option<&str> {
        let found = self.sections.iter().find(|(one, _)| one == name);
        found.map(|(_, body)| body.as_str())
    }

    /// The files of the tree.
    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<(String, Vec<u8>)> = self
            .sections
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "compile" | "lint"))
            .map(|(name, body)| made(name, body))
            .collect();
        if !files.iter().any(|(path, _)| path == "salt/top.sls") {
            files.push(("salt/top.sls".to_owned(), b"base:\n  '*': [a]\n".to_vec()));
        }
        files
    }

    fn with(&self, compile: &str, lint: &str) -> String {
        let mut text = self.heading.clone();
        let kept = self
            .sections
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), "compile" | "lint"));
        for (name, body) in kept {
            write!(text, "-- {name} --\n{body}").expect("text");
        }
        write!(text, "-- compile --\n{compile}-- lint --\n{lint}").expect("text");
        text
    }
}

/// The path and content that a section stands for.
fn made(name: &str, body: &str) -> (String, Vec<u8>) {
    let mut parts = name.split('|').map(str::trim);
    let path = parts.next().expect("a path").to_owned();
    let mut bytes = body.as_bytes().to_vec();
    for part in parts {
        bytes = match part.split_once(' ').unwrap_or((part, "")) {
            ("crlf", _) => String::from_utf8(bytes)
                .expect("text")
                .replace('\n', "\r\n")
                .into_bytes(),
            ("bom", _) => [b"\xef\xbb\xbf".as_slice(), &bytes].concat(),
            ("latin1", _) => String::from_utf8(bytes)
                .expect("text")
                .chars()
                .map(|ch| u8::try_from(u32::from(ch)).expect("a letter of Latin 1"))
                .collect(),
            ("hex", _) => {
                let digits: String = body.split_whitespace().collect();
                let pairs = (0..digits.len() / 2).map(|at| &digits[2 * at..2 * at + 2]);
                pairs
                    .map(|pair| u8::from_str_radix(pair, 16).expect("hex"))
                    .collect()
            }
            ("times", count) => bytes.repeat(count.parse().expect("a number")),
            (other, _) => panic!("{other}?"),
        };
    }
    (path, bytes)
}

fn told(problem: &Diagnostic) -> String {
    let place = problem.place().unwrap_or_else(|| "-".to_owned());
    let message = problem.message.lines().next().unwrap_or_default();
    let code = problem.code().unwrap_or("no code");
    let mut text = format!("{place} {}[{code}]: {message}\n", problem.severity);
    for note in &problem.notes {
        let place = note.place().unwrap_or_else(|| "-".to_owned());
        writeln!(text, "  {place} {}", note.message).expect("text");
    }
    if let Some(help) = &problem.help {
        writeln!(text, "  help: {help}").expect("text");
    }
    text
}

/// What compiling for web1 says, and what `lint` says beyond that.
fn said(case: &Case) -> (String, String) {
    let around = Surroundings {
        directory: "/".into(),
        home: None,
        uid: 0,
        sudo_uid: None,
        config: None,
        system: "/etc/salt-rs/salt-rs.yaml".into(),
    };
    let settings = case
        .section("salt-rs.yaml")
        .map(|text| Settings::parse(text, Path::new("salt-rs.yaml"), &around));
    let roster = case
        .section("roster.yaml")
        .map(|text| Roster::parse(text, Path::new("roster.yaml"), None));
    let settings = match (settings, roster) {
        (Some(Err(problems)), _) | (_, Some(Err(problems))) => {
            return (problems.iter().map(told).collect(), String::new());
        }
        (settings, _) => settings.and_then(Result::ok),
    };
    let files = case.files();
    let files = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
    let source: Arc<dyn Source> = Arc::new(Memory::tree(files));
    let root = |env: &str, dir: &str| (env.to_owned(), vec![dir.to_owned()]);
    let roots = Roots {
        states: [root("base", "salt")].into_iter().collect(),
        pillar: [root("base", "pillar")].into_iter().collect(),
    };
    let layout = Arc::new(Layout::of(&*source, &roots).expect("a layout"));
    let tree = Tree { source, layout };
    let grains: Map<String, Json> = case
        .section("grains.json")
        .map_or_else(Map::new, |text| serde_json::from_str(text).expect("grains"));
    let options = Arc::new(Options {
        salt: settings.map(|settings| settings.salt).unwrap_or_default(),
        ..Options::default()
    });
    let input = Input {
        minion: "web1",
        grains: Grains::Complete(Arc::new(grains)),
        answers: Arc::new(Answers::default()),
        pillar: None,
        options: options.clone(),
        what: &What::Highstate,
        exclude: &[],
    };
    let refused = match compile::compile(&tree, &input) {
        Compiled::Broken(problems) => problems,
        Compiled::Ready(ready) => ready.warnings,
        Compiled::Ask(questions) => panic!("asks {questions:?}"),
    };
    let linted = lint::lint(&tree, &options, &[input]).problems;
    let same = |a: &Diagnostic, b: &Diagnostic| a.place() == b.place() && a.message == b.message;
    let mut told_compile = String::new();
    for problem in &refused {
        told_compile += &told(problem);
        if !linted.iter().any(|one| same(one, problem)) {
            told_compile += "  lint does not say so\n";
        }
    }
    let more = linted
        .iter()
        .filter(|one| !refused.iter().any(|other| same(one, other)));
    (told_compile, more.map(told).collect())
}

/// The examples of the codes are what they say.
#[test]
fn every_code_is_shown_by_its_example() {
    for code in CODES.iter() {
        let lint = |example: &Example| {
            let mut sections = vec![(example.path.to_owned(), example.text.clone())];
            if example.path != "salt/a.sls" {
                sections.push(("salt/a.sls".to_owned(), "a:\n  test.nop: []\n".to_owned()));
            }
            let case = Case {
                heading: String::new(),
                sections,
            };
            said(&case)
        };
        let known = format!("[{}]", code.name);
        if let Some(bad) = &code.bad {
            let (compile, more) = lint(bad);
            assert!(
                format!("{compile}{more}").contains(&known),
                "{}:\n{compile}{more}",
                code.name
            );
        }
        if let Some(good) = &code.good {
            let (compile, more) = lint(good);
            assert_eq!(format!("{compile}{more}"), "", "{}", code.name);
        }
    }
}

#[test]
fn every_broken_tree_is_told_its_place() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut paths: Vec<_> = fs::read_dir(dir)
        .expect("trees")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    let began = Instant::now();
    let mut wrong = Vec::new();
    for path in &paths {
        let name = path.file_name().expect("a name").to_string_lossy();
        let text = fs::read_to_string(path).expect("a readable file");
        let case = Case::read(&text);
        let (compile, lint) = said(&case);
        if compile.is_empty() && lint.is_empty() {
            wrong.push(format!("{name}: nothing is said"));
            continue;
        }
        let got = case.with(&compile, &lint);
        if got == text {
            continue;
        }
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            fs::write(path, got).expect("a writable file");
        } else {
            wrong.push(format!("{name}:\n-- compile --\n{compile}-- lint --\n{lint}"));
        }
    }
    println!("{} broken trees in {:?}", paths.len(), began.elapsed());
    assert!(wrong.is_empty(), "not as the file says:\n{}", wrong.join("\n"));
    assert!(paths.len() >= 60, "{} trees", paths.len());
}
