//! The compiler against Salt's own answers: every case of the conformance corpus and of the seed tree that can be
//! answered without a host.
//!
//! The corpus lies beside the repository; where it is not there, there is nothing to compare with and the tests pass.

#![expect(
    clippy::expect_used,
    reason = "a test stops where its files are not as expected"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indexmap::IndexMap;
use master::compile::diagnostic::Diagnostic;
use master::compile::{self, Grains, Input, Layout, Options, Roots, Stop, Tree, What};
use master::tree::Memory;
use master::tree::Source;
use regex::Regex;
use serde_json::{Map, Value as Json, json};

/// Chunk keys that are not compared.
const IGNORED: [&str; 6] = [
    "__sls_included_from__",
    "__prereq__",
    "__prerequiring__",
    "name_order",
    "__agg__",
    "tplpath",
];

/// Groups of messages, first match wins; the corpus' own table.
const CLASSES: &[(&str, &str)] = &[
    ("duplicate_id", r"Detected conflicting IDs"),
    ("duplicate_yaml_key", r"found conflicting ID|Conflicting ID"),
    (
        "multiple_same_type",
        r"contains multiple state declarations of the same type",
    ),
    ("recursive_requisite", r"Recursive requisites were found"),
    ("requisite_not_found", r"Referenced state does not exist"),
    ("requisite_value_not_string", r"must have a string as the value"),
    ("extend_missing", r"Cannot extend ID"),
    ("extend_malformed", r"Extension (value|name)"),
    ("sls_not_found", r"No matching sls found"),
    (
        "include_not_found",
        r"Unknown include|is not available on the salt master or through",
    ),
    (
        "include_malformed",
        r"Include Declaration in SLS|goes beyond top level package",
    ),
    ("include_bad_env", r"Nonexistent saltenv"),
    ("exclude_malformed", r"Exclude Declaration"),
    ("jinja_undefined", r"Jinja variable"),
    ("jinja_syntax", r"Jinja syntax error"),
    ("jinja_error", r"Jinja error|Problem running salt function"),
    (
        "pillar_failed",
        r"Pillar failed to render|Specified SLS '.*' in environment|Rendering SLS '[^:']*' failed\. Please see master log",
    ),
    (
        "short_dec_colon",
        r"short declaration \(.*\) with a trailing colon",
    ),
    (
        "not_a_list",
        r"is not formed as a list|needs to be formed as a list",
    ),
    ("id_not_string", r"is not formed as a string"),
    (
        "not_a_dict",
        r"does not render to a dictionary|is not a dictionary|is not formatted as a dictionary",
    ),
    ("no_function", r"No function declared"),
    ("too_many_functions", r"Too many functions declared"),
    (
        "function_whitespace",
        r"a function with whitespace is not supported",
    ),
    ("bad_requisite_type", r"Invalid requisite (type|in)"),
    (
        "bad_requisite_form",
        r"is not formed as a single key dictionary|Illegal requisite",
    ),
    ("multiple_dicts", r"Multiple dictionaries defined"),
    ("top_malformed", r"top file|Malformed topfile|Top data"),
    ("render_failed", r"Rendering SLS"),
    (
        "invalid_arguments",
        r"Passed invalid arguments|invalid keyword argument",
    ),
];

fn shared() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    path.is_dir().then_some(path)
}

fn classes(problems: &[Diagnostic]) -> BTreeSet<String> {
    problems
        .iter()
        .map(|problem| {
            let fits = |(_, pattern): &&(&str, &str)| {
                Regex::new(pattern).expect("a pattern").is_match(&problem.message)
            };
            CLASSES
                .iter()
                .find(fits)
                .map_or("other", |(name, _)| name)
                .to_owned()
        })
        .collect()
}

/// Everything below a directory, tokens replaced.
fn files(dir: &Path, prefix: &str, into: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.expect("an entry").path();
        let name = format!("{prefix}/{}", path.file_name().expect("a name").to_string_lossy());
        if path.is_dir() {
            files(&path, &name, into);
        } else if let Ok(text) = fs::read_to_string(&path) {
            into.push((name, tokens(&text)));
        }
    }
}

fn tokens(text: &str) -> String {
    text.replace("@SANDBOX@", "/scratch/sandbox")
        .replace("@ROOT@", "/scratch")
}

fn read(path: &Path) -> Json {
    serde_json::from_str(&tokens(&fs::read_to_string(path).expect("a readable file"))).expect("JSON")
}

/// Equal as Python compares: `1` and `1.0` are the same.
fn same(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn chunks(value: &Json) -> Json {
    let chunk = |chunk: &Json| {
        let map = chunk.as_object().expect("a chunk").clone();
        Json::Object(
            map.into_iter()
                .filter(|(key, _)| !IGNORED.contains(&key.as_str()))
                .collect(),
        )
    };
    value.as_array().expect("a list").iter().map(chunk).collect()
}

struct Case {
    tree: Arc<dyn Source>,
    layout: Arc<Layout>,
    minion: String,
    grains: Map<String, Json>,
    options: Options,
}

enum Got {
    Value(Json),
    Errors(Vec<Diagnostic>),
    Asks(String),
}

impl Case {
    fn run(&self, step: &Json) -> Got {
        let names = |key: &str| -> Vec<String> {
            let text = step.get(key).and_then(Json::as_str).unwrap_or_default();
            text.split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let (sls, exclude) = (names("sls"), names("exclude"));
        let what = if sls.is_empty() {
            What::Highstate
        } else {
            What::Sls(sls)
        };
        let answers = proto::Answers::new();
        let input = Input {
            minion: &self.minion,
            grains: Grains::Complete(Arc::new(self.grains.clone())),
            answers: Arc::new(answers),
            pillar: step.get("pillar").and_then(Json::as_object),
            options: Arc::new(self.options.clone()),
            what: &what,
            exclude: &exclude,
        };
        let tree = Tree {
            source: self.tree.clone(),
            layout: self.layout.clone(),
        };
        let made = match step["do"].as_str().expect("a step") {
            "low" | "apply" => compile::low(&tree, &input).map(|made| made.value.into_json()),
            "low_sls" => compile::low_sls(&tree, &input).map(|made| made.value.into_json()),
            "top" => compile::top(&tree, &input).map(|made| json!(made.value)),
            "pillar" => compile::pillar(&tree, &input).map(|made| made.value.data),
            other => panic!("step {other}"),
        };
        match made {
            Ok(value) => Got::Value(value),
            Err(Stop::Broken(problems)) => Got::Errors(problems),
            Err(Stop::Ask(questions)) => Got::Asks(format!("{questions:?}")),
        }
    }

    /// The text of a file that a state of the highstate takes from the tree.
    fn rendered(&self, name: &str) -> Option<String> {
        let input = Input {
            minion: &self.minion,
            grains: Grains::Complete(Arc::new(self.grains.clone())),
            answers: Arc::default(),
            pillar: None,
            options: Arc::new(self.options.clone()),
            what: &What::Highstate,
            exclude: &[],
        };
        let tree = Tree {
            source: self.tree.clone(),
            layout: self.layout.clone(),
        };
        let compile::Compiled::Ready(ready) = compile::compile(&tree, &input) else {
            return None;
        };
        let from_tree = |chunk: &&proto::Chunk| chunk.id.name == name && !chunk.sources.is_empty();
        let chunk = ready.catalog.chunks.iter().find(from_tree)?;
        match chunk.sources.values().next()? {
            proto::Sourced::File { content, .. } => {
                Some(String::from_utf8_lossy(ready.blobs.get(content)?).into_owned())
            }
            other => Some(format!("{other:?}")),
        }
    }

    /// What is wrong with the answer to one step; empty when nothing is.
    fn check(&self, step: &Json, want: &Json) -> String {
        let mut why = String::new();
        let run = step["do"] == "apply";
        match (
            self.run(step),
            want.get("errors"),
            want.get("chunks"),
            want.get("return"),
        ) {
            (Got::Asks(questions), ..) => write!(why, "asks {questions}").expect("a text"),
            (Got::Errors(problems), Some(_), ..) => {
                let got = classes(&problems);
                let wanted: Vec<&str> = want["error_classes"]
                    .as_array()
                    .expect("classes")
                    .iter()
                    .filter_map(Json::as_str)
                    .collect();
                if !wanted.iter().all(|class| got.contains(*class)) {
                    write!(why, "classes {got:?}, want {wanted:?}: {}", problems[0]).expect("a text");
                }
            }
            (Got::Errors(problems), ..) => {
                for problem in problems {
                    write!(why, "refused: {problem}\n            ").expect("a text");
                }
            }
            (Got::Value(_), Some(errors), ..) => write!(why, "not refused: {errors}").expect("a text"),
            (Got::Value(_), None, ..) if run => {}
            (Got::Value(got), None, Some(want), _) => {
                let (got, want) = (chunks(&got), chunks(want));
                let ids = |list: &Json| -> Vec<String> {
                    list.as_array()
                        .expect("a list")
                        .iter()
                        .map(|chunk| format!("{} {}", chunk["__id__"], chunk["name"]))
                        .collect()
                };
                if ids(&got) != ids(&want) {
                    write!(why, "order {:?}\n            want {:?}", ids(&got), ids(&want)).expect("a text");
                } else {
                    for (got, want) in got
                        .as_array()
                        .expect("a list")
                        .iter()
                        .zip(want.as_array().expect("a list"))
                    {
                        if !same(got, want) {
                            write!(why, "chunk {got}\n            want  {want}").expect("a text");
                        }
                    }
                }
            }
            (Got::Value(got), None, None, Some(want)) => {
                if !same(&got, want) {
                    write!(why, "got {got}\n            want {want}").expect("a text");
                }
            }
            (Got::Value(_), None, None, None) => {}
        }
        why
    }
}

fn roots(tree: &dyn Source, dirs: &[(&str, &str)]) -> IndexMap<String, Vec<String>> {
    dirs.iter()
        .filter(|(_, dir)| tree.list(dir).expect("a listing").is_some())
        .map(|(env, dir)| ((*env).to_owned(), vec![(*dir).to_owned()]))
        .collect()
}

fn case(dir: &Path) -> (Case, Json) {
    let about = read(&dir.join("case.json"));
    let mut found = Vec::new();
    for name in ["salt", "salt_dev", "pillar", "pillar_dev"] {
        files(&dir.join(name), name, &mut found);
    }
    let tree: Arc<dyn Source> = Arc::new(Memory::tree(
        found.iter().map(|(path, text)| (path.as_str(), text.as_str())),
    ));
    let roots = Roots {
        states: roots(&*tree, &[("base", "salt"), ("dev", "salt_dev")]),
        pillar: roots(&*tree, &[("base", "pillar"), ("dev", "pillar_dev")]),
    };
    let layout = Layout::of(&*tree, &roots).map(Arc::new).expect("a layout");
    let mut salt = about
        .get("config")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    let nodegroups = salt.shift_remove("nodegroups").unwrap_or(Json::Null);
    let words = |value: &Json| match value {
        Json::Array(items) => items.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        other => other
            .as_str()
            .unwrap_or_default()
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
    };
    let nodegroups = nodegroups
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), words(value)));
    let options = Options {
        salt,
        nodegroups: nodegroups.collect(),
        ..Options::default()
    };
    let minion = about
        .get("minion")
        .and_then(Json::as_str)
        .unwrap_or("minion1")
        .to_owned();
    let grains = about
        .get("grains")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    (
        Case {
            tree,
            layout,
            minion,
            grains,
            options,
        },
        about,
    )
}

#[test]
fn corpus() {
    let Some(shared) = shared() else { return };
    let only = std::env::var("CASE").unwrap_or_default();
    let cases = shared.join("conformance/cases");
    let mut names = Vec::new();
    for category in fs::read_dir(&cases).expect("the corpus") {
        for case in fs::read_dir(category.expect("a category").path()).expect("a category") {
            names.push(case.expect("a case").path());
        }
    }
    names.sort();
    let (mut held, mut failed) = (0, Vec::new());
    for dir in names {
        let name = dir.strip_prefix(&cases).expect("below").display().to_string();
        if !only.is_empty() && !name.contains(&only) {
            continue;
        }
        let (case, about) = case(&dir);
        let expected = read(&dir.join("expected.json"));
        let wants = expected["steps"]
            .as_array()
            .expect("steps")
            .iter()
            .filter(|step| step["do"] != "start");
        let mut why = String::new();
        for (step, want) in about["steps"].as_array().expect("steps").iter().zip(wants) {
            if matches!(
                step["do"].as_str(),
                Some("low" | "low_sls" | "top" | "pillar" | "apply")
            ) && why.is_empty()
            {
                why = case.check(step, want);
            }
        }
        if why.is_empty() {
            held += 1;
        } else {
            failed.push(format!("{name}\n            {why}"));
        }
    }
    report("corpus", held, &failed);
}

#[test]
fn seed_tree() {
    let Some(shared) = shared() else { return };
    let base = shared.join("seed-tree");
    let mut found = Vec::new();
    for name in ["salt", "pillar"] {
        files(&base.join(name), name, &mut found);
    }
    let (mut held, mut failed) = (0, Vec::new());
    let mut names: Vec<PathBuf> = fs::read_dir(base.join("minions"))
        .expect("minions")
        .map(|entry| entry.expect("a file").path())
        .collect();
    names.sort();
    for path in names {
        let about = read(&path);
        let expected = read(&base.join("expected").join(path.file_name().expect("a name")));
        let tree: Arc<dyn Source> = Arc::new(Memory::tree(
            found.iter().map(|(path, text)| (path.as_str(), text.as_str())),
        ));
        let roots = Roots {
            states: roots(&*tree, &[("base", "salt")]),
            pillar: roots(&*tree, &[("base", "pillar")]),
        };
        let layout = Layout::of(&*tree, &roots).map(Arc::new).expect("a layout");
        let case = Case {
            tree,
            layout,
            minion: about["id"].as_str().expect("an id").to_owned(),
            grains: about["grains"].as_object().expect("grains").clone(),
            options: Options::default(),
        };
        for (name, want) in expected["rendered"].as_object().expect("rendered") {
            let got = case.rendered(name);
            if got.as_deref() == want.as_str() {
                held += 1;
            } else {
                failed.push(format!(
                    "{} {name}\n            {got:?}\n            want {want}",
                    path.display()
                ));
            }
        }
        let mut steps = vec![
            (json!({"do": "top"}), json!({"return": expected["top"]})),
            (json!({"do": "pillar"}), json!({"return": expected["pillar"]})),
            (json!({"do": "low"}), expected["low"].clone()),
        ];
        for (sls, want) in expected["low_sls"].as_object().expect("low_sls") {
            steps.push((json!({"do": "low_sls", "sls": sls}), want.clone()));
        }
        for (step, want) in steps {
            let why = case.check(&step, &want);
            if why.is_empty() {
                held += 1;
            } else {
                failed.push(format!("{} {step}\n            {why}", path.display()));
            }
        }
    }
    report("seed tree", held, &failed);
}

fn report(what: &str, held: usize, failed: &[String]) {
    let mut text = format!("{what}: {held} of {} hold\n", held + failed.len());
    for one in failed {
        writeln!(text, "  {one}").expect("a text");
    }
    assert!(failed.is_empty(), "{text}");
}
