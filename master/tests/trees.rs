//! Small trees and what the compiler makes of them: every file below `tests/trees` is one.
//!
//! `files` is the tree, `low` the expected chunks in order (`id state.fun` and, where it is not the id, the name),
//! `problems` the expected refusal (`file:line:column message` by their beginning), `shown` arguments of the first
//! chunk, `chunk` parts of the catalog by place, `listens` who listens to what, `mine` what other hosts told and `told`
//! what this one tells the mine, `explain` what is told of each key, `ask` the questions of a first pass, `answers`
//! (grains), `calls` and `missing` (functions) what the host says in the second.

#![expect(
    clippy::expect_used,
    reason = "a test stops where its files are not as expected"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use master::compile::diagnostic::Diagnostic;
use master::compile::explain::Explained;
use master::compile::lookup::{Known, Lookup};
use master::compile::yaml;
use master::compile::{self, Compiled, Grains, Input, Layout, Options, Own, Ready, Roots, Tree, What};
use master::tree::{Memory, Source};
use proto::question::Call;
use proto::{Answer, Answers, Question};
use serde_json::{Map, Value as Json, json};

struct Given {
    tree: Tree,
    options: Arc<Options>,
    grains: Grains,
    minion: String,
    what: What,
    answers: Arc<Answers>,
    pillar: Map<String, Json>,
}

impl Given {
    fn of(case: &Json) -> Self {
        let files = case["files"].as_object().expect("files");
        let source: Arc<dyn Source> = Arc::new(Memory::tree(
            files
                .iter()
                .map(|(path, text)| (path.as_str(), text.as_str().expect("a text"))),
        ));
        let root = |env: &str, dir: &str| (env.to_owned(), vec![dir.to_owned()]);
        let roots = Roots {
            states: [root("base", "salt"), root("dev", "salt_dev")]
                .into_iter()
                .collect(),
            pillar: [root("base", "pillar"), root("dev", "pillar_dev")]
                .into_iter()
                .collect(),
        };
        let layout = Arc::new(Layout::of(&*source, &roots).expect("a layout"));
        let map = |key: &str| {
            case.get(key)
                .and_then(Json::as_object)
                .cloned()
                .unwrap_or_default()
        };
        let grains = Arc::new(map("grains"));
        let asks = case.get("ask").is_some() || case.get("answers").is_some();
        let grain = |(key, value)| (Question::Grain(key), Answer::Json(value));
        let call = |(fun, value): (String, Json)| {
            let args = value[0]
                .as_array()
                .expect("arguments")
                .iter()
                .map(Json::to_string)
                .collect();
            (
                Question::Call(Call {
                    fun,
                    args,
                    kwargs: BTreeMap::new(),
                }),
                Answer::Json(value[1].clone()),
            )
        };
        let missing = case
            .get("missing")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .map(|fun| {
                let call = Call {
                    fun: text(fun),
                    args: Vec::new(),
                    kwargs: BTreeMap::new(),
                };
                (Question::Call(call), Answer::Missing)
            });
        let answers = map("answers")
            .into_iter()
            .map(grain)
            .chain(map("calls").into_iter().map(call))
            .chain(missing);
        let names = |value: &Json| value.as_array().expect("names").iter().map(text).collect();
        let mine = (Lookup::Mine, Ok(map("mine").into()));
        let mine = BTreeMap::from([mine]);
        Self {
            tree: Tree { source, layout },
            options: Arc::new(Options {
                salt: map("options"),
                own: Own {
                    known: Known::new(mine, Arc::default()),
                    ..Own::default()
                },
                ..Options::default()
            }),
            grains: if asks {
                Grains::Asserted(grains)
            } else {
                Grains::Complete(grains)
            },
            minion: case.get("minion").map_or("web1".to_owned(), text),
            what: case
                .get("sls")
                .map_or(What::Highstate, |sls| What::Sls(names(sls))),
            answers: Arc::new(answers.collect()),
            pillar: map("pillar_over"),
        }
    }

    fn input(&self, answers: Arc<Answers>) -> Input<'_> {
        Input {
            minion: &self.minion,
            grains: self.grains.clone(),
            answers,
            pillar: (!self.pillar.is_empty()).then_some(&self.pillar),
            options: self.options.clone(),
            what: &self.what,
            exclude: &[],
        }
    }
}

fn text(value: &Json) -> String {
    value.as_str().expect("a text").to_owned()
}

fn low(ready: &Ready) -> Json {
    let line = |chunk: &proto::Chunk| {
        let mut line = format!("{} {}", chunk.id.id, chunk.id.function());
        if chunk.id.name != chunk.id.id {
            line += &format!(" {}", chunk.id.name);
        }
        if chunk.check_only {
            line += " (dry run)";
        }
        line
    };
    ready.catalog.chunks.iter().map(line).collect()
}

fn problems(problems: &[Diagnostic]) -> Vec<String> {
    problems
        .iter()
        .map(|problem| {
            format!(
                "{} {}",
                problem.place().unwrap_or_else(|| "-".to_owned()),
                problem.message
            )
        })
        .collect()
}

/// What is known of a key, a line each.
fn explained(found: &Explained) -> Vec<String> {
    let mut lines = Vec::new();
    for step in found.pillar.iter().flat_map(|pillar| &pillar.steps) {
        lines.push(format!("{} says {}", step.at.text(), step.value));
    }
    lines.extend(
        found
            .pillar
            .iter()
            .map(|pillar| format!("it is {}", json!(pillar.value))),
    );
    for state in &found.states {
        let through = state.included_from.join(", ");
        lines.push(format!("{} {} from [{through}]", state.at.text(), state.function));
        for (key, (_, at)) in &state.arguments {
            lines.push(format!("{} {key}", at.text()));
        }
        lines.extend(state.waits_for.iter().map(|(kind, on)| format!("{kind} {on}")));
    }
    lines.extend(
        found
            .answers
            .iter()
            .map(|(question, answer)| format!("{question}: {}", json!(answer))),
    );
    lines
}

/// Whether everything in `want` is in `got`.
fn covers(got: &Json, want: &Json) -> bool {
    match (got, want) {
        (Json::Object(got), Json::Object(want)) => want
            .iter()
            .all(|(key, want)| covers(got.get(key).unwrap_or(&Json::Null), want)),
        _ => got == want,
    }
}

fn check(name: &str, case: &Json) {
    let given = Given::of(case);
    if let Some(ask) = case.get("ask") {
        let Compiled::Ask(questions) = compile::compile(&given.tree, &given.input(Arc::default())) else {
            panic!("{name}: nothing was asked");
        };
        let wanted: Vec<Json> = questions.iter().map(|question| json!(question)).collect();
        assert_eq!(&Json::Array(wanted), ask, "{name}");
    }
    if let Some(want) = case.get("pillar") {
        let made = compile::pillar(&given.tree, &given.input(given.answers.clone())).expect("an answer");
        assert_eq!(&made.value.data, want, "{name}: pillar");
    }
    if let Some(want) = case.get("top") {
        let made = compile::top(&given.tree, &given.input(given.answers.clone())).expect("an answer");
        assert_eq!(&json!(made.value), want, "{name}: top");
    }
    if let Some(want) = case.get("shown") {
        let made = compile::low(&given.tree, &given.input(given.answers.clone())).expect("chunks");
        let got = &made.value.into_json()[0];
        for (key, want) in want.as_object().expect("arguments") {
            assert_eq!(&got[key], want, "{name}: {key}");
        }
    }
    for (key, want) in case
        .get("explain")
        .and_then(Json::as_object)
        .into_iter()
        .flatten()
    {
        let input = given.input(given.answers.clone());
        let found = compile::explain(&given.tree, &input, Some(key)).expect("an answer");
        assert_eq!(&json!(explained(&found)), want, "{name}: explain {key}");
    }
    let got = compile::compile(&given.tree, &given.input(given.answers.clone()));
    match (got, case.get("problems")) {
        (Compiled::Broken(found), Some(want)) => {
            let found = problems(&found);
            let want: Vec<String> = want.as_array().expect("problems").iter().map(text).collect();
            let same = found.len() == want.len()
                && found
                    .iter()
                    .zip(&want)
                    .all(|(found, want)| found.starts_with(want));
            assert!(
                same,
                "{name}:\n  {}\nwant\n  {}",
                found.join("\n  "),
                want.join("\n  ")
            );
        }
        (Compiled::Broken(found), None) => panic!("{name}: refused: {}", problems(&found).join("\n")),
        (Compiled::Ready(ready), None) => {
            if let Some(want) = case.get("low") {
                assert_eq!(&low(&ready), want, "{name}");
            }
            for (place, want) in case.get("chunk").and_then(Json::as_object).into_iter().flatten() {
                let got = json!(ready.catalog.chunks[place.parse::<usize>().expect("a place")]);
                assert!(covers(&got, want), "{name}: chunk {place}: {got}\nwant {want}");
            }
            if let Some(want) = case.get("listens") {
                assert_eq!(&json!(ready.catalog.listens), want, "{name}: listens");
            }
            if let Some(want) = case.get("told") {
                assert_eq!(&json!(ready.mine), want, "{name}: told");
            }
            if let Some(want) = case.get("assumes") {
                let assumed: Json = ready
                    .catalog
                    .assumes
                    .iter()
                    .map(|(question, _)| json!(question))
                    .collect();
                assert_eq!(&assumed, want, "{name}: assumes");
            }
            if let Some(want) = case.get("blobs") {
                let blobs: Vec<String> = ready
                    .blobs
                    .values()
                    .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
                    .collect();
                assert_eq!(&json!(blobs), want, "{name}: blobs");
            }
            if let Some(want) = case.get("warnings") {
                assert_eq!(&json!(problems(&ready.warnings)), want, "{name}: warnings");
            }
        }
        (Compiled::Ready(_), Some(_)) => panic!("{name}: not refused"),
        (Compiled::Ask(questions), _) => panic!("{name}: asks {questions:?}"),
    }
}

#[test]
fn every_tree() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees");
    let mut paths: Vec<_> = fs::read_dir(dir)
        .expect("trees")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "there are trees");
    for path in paths {
        let text = fs::read_to_string(&path).expect("a readable file");
        let case = yaml::load_plain(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        check(&path.file_stem().expect("a name").to_string_lossy(), &case);
    }
}
