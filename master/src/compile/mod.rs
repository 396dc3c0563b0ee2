//! The compiler: from a tree, a pillar and answers to ordered chunks.
//!
//! Everything here is pure: no files, processes, network or clocks; the one use of threads (`ahead`) does not show in
//! what comes out. What has to be known of a host is a question; a pass that had to ask is thrown away and run again
//! with the answers.
//!
//! `gather` (with `render`, `declare`) makes high data, `extend` and `requisite` change it, `verify` checks it,
//! `order` (with `low`, `graph`) makes chunks in order, `lower` the catalog.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use indexmap::IndexMap;
use proto::{Answer, Answers, Catalog, Digest, Question};
use serde_json::{Map, Value as Json};

mod ahead;
pub mod codes;
pub(crate) mod data;
mod declare;
pub mod diagnostic;
pub mod explain;
mod extend;
pub(crate) mod files;
pub mod functions;
mod gather;
mod graph;
mod high;
mod inject;
pub mod jinja;
pub mod lint;
pub mod lookup;
mod low;
mod lower;
mod matching;
mod mine;
mod options;
pub(crate) mod oracle;
mod order;
pub(crate) mod place;
pub(crate) mod python;
pub(crate) mod render;
mod requisite;
pub(crate) mod sources;
pub(crate) mod stages;
mod template;
pub(crate) mod top;
mod verify;
pub mod yaml;

pub use files::{Layout, Roots};
pub use high::High;
pub use low::Low;
pub use options::{Options, Own};
pub use oracle::{Grains, Oracle};
pub use order::Ordered;
pub use sources::Blobs;

use crate::pillar::{self, Pillar};
use crate::tree::Source;
use diagnostic::Diagnostic;
use explain::{Explained, Followed};
use files::{Files, Which};
use lower::Lowering;
use render::Renderer;
use top::{Role, Strategy, Tops};

/// What is to be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// What the top file says.
    Highstate,
    /// These sls names.
    Sls(Vec<String>),
}

/// Everything a compilation depends on besides the tree.
#[derive(Debug, Clone)]
pub struct Input<'a> {
    /// The host's name.
    pub minion: &'a str,
    /// Its grains.
    pub grains: Grains,
    /// What the host has answered so far.
    pub answers: Arc<Answers>,
    /// Pillar given on the command line.
    pub pillar: Option<&'a Map<String, Json>>,
    /// Salt's options.
    pub options: Arc<Options>,
    /// What to compile.
    pub what: &'a What,
    /// Further exclusions, as `exclude` takes them.
    pub exclude: &'a [String],
}

/// Why there is no result.
#[derive(Debug)]
pub enum Stop {
    /// The host has to be asked first.
    Ask(BTreeSet<Question>),
    /// The tree is refused; all its problems.
    Broken(Vec<Diagnostic>),
}

/// A result with what it depended on.
#[derive(Debug)]
pub struct Made<T> {
    /// The result.
    pub value: T,
    /// The questions whose answers were used.
    pub reads: BTreeMap<Question, Digest>,
    /// Things worth knowing.
    pub warnings: Vec<Diagnostic>,
}

/// The tree as one host sees it.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The files.
    pub source: Arc<dyn Source>,
    /// Their names.
    pub layout: Arc<Layout>,
}

/// Compiles the pillar of a host; problems are in it, not in the way.
///
/// # Errors
/// [`Stop::Ask`] alone.
pub fn pillar(tree: &Tree, input: &Input<'_>) -> Result<Made<Pillar>, Stop> {
    let files = Files::new(tree, Which::Pillar);
    let oracle = Arc::new(Oracle::new(input, files, Json::Object(Map::new())));
    let mut value = pillar::compile(&oracle, input.pillar);
    let warnings = std::mem::take(&mut value.warnings);
    finish(&oracle, value, warnings)
}

/// Sls names by environment that the top file means for a host, as Salt's `state.show_top`.
///
/// # Errors
/// [`Stop`]
pub fn top(tree: &Tree, input: &Input<'_>) -> Result<Made<IndexMap<String, Vec<String>>>, Stop> {
    with_pillar(tree, input, |renderer| {
        let (matches, problems) = matched(renderer, &What::Highstate);
        if problems.is_empty() {
            Ok(matches)
        } else {
            Err(problems)
        }
    })
}

/// High data after `extend`, `_in` requisites and `exclude`, as Salt's `state.show_highstate`.
///
/// # Errors
/// [`Stop`]
pub fn high(tree: &Tree, input: &Input<'_>) -> Result<Made<High>, Stop> {
    with_pillar(tree, input, |renderer| {
        let (high, problems) = high_data(renderer, input);
        if problems.is_empty() {
            Ok(high)
        } else {
            Err(problems)
        }
    })
}

/// Chunks in the order in which they run, as Salt's `state.show_lowstate`.
///
/// # Errors
/// [`Stop`]
pub fn low(tree: &Tree, input: &Input<'_>) -> Result<Made<Ordered>, Stop> {
    with_pillar(tree, input, |renderer| ordered(renderer, input))
}

/// Chunks of the named sls files as Salt's `state.show_low_sls` prints them: without `extend`, `_in` requisites and
/// `exclude`.
///
/// # Errors
/// [`Stop`]
pub fn low_sls(tree: &Tree, input: &Input<'_>) -> Result<Made<Ordered>, Stop> {
    with_pillar(tree, input, |renderer| {
        let (matches, mut problems) = matched(renderer, input.what);
        let auto = input.options.flag("state_auto_order", true);
        let (high, found) = ahead::gathered(renderer, auto, &matches);
        problems.extend(found);
        problems.extend(verify::verify(&high, &renderer.sources));
        if !problems.is_empty() {
            return Err(problems);
        }
        order_of(high, input, renderer)
    })
}

/// What an execution function gives, as a template would see it, or the text of its exception.
///
/// # Errors
/// [`Stop`]
pub fn call(
    tree: &Tree,
    input: &Input<'_>,
    function: &str,
    args: &[Json],
    kwargs: &Map<String, Json>,
) -> Result<Made<Result<Json, String>>, Stop> {
    with_pillar(tree, input, |renderer| {
        renderer.oracle.share();
        Ok(renderer.oracle.call(function, args, kwargs))
    })
}

/// What is wanted of a host.
#[derive(Debug)]
pub enum Compiled {
    /// A catalog and what it holds.
    Ready(Box<Ready>),
    /// The host has to be asked first.
    Ask(BTreeSet<Question>),
    /// The tree is refused; all its problems.
    Broken(Vec<Diagnostic>),
}

/// A compiled host.
#[derive(Debug)]
pub struct Ready {
    /// What is sent.
    pub catalog: Catalog,
    /// The contents it names.
    pub blobs: Blobs,
    /// Things worth knowing, such as state functions there are none of.
    pub warnings: Vec<Diagnostic>,
    /// Salt's sentence when there is nothing to do at all.
    pub nothing: Option<&'static str>,
    /// What the host tells the mine, by function or alias.
    pub mine: Map<String, Json>,
}

/// Compiles a host: pillar, states, sources.
pub fn compile(tree: &Tree, input: &Input<'_>) -> Compiled {
    let made = with_pillar(tree, input, |renderer| {
        let (matches, problems) = matched(renderer, input.what);
        if !problems.is_empty() {
            return Err(problems);
        }
        let ordered = ordered(renderer, input)?;
        let nothing = match (matches.is_empty(), ordered.lows.is_empty() && !ordered.excluded) {
            (true, _) => {
                Some("No Top file or master_tops data matches found. Please see master log for details.")
            }
            (false, true) => Some("No states found for this minion"),
            (false, false) => None,
        };
        let (catalog, blobs, mut warnings) = lowered(renderer, &ordered)?;
        let mine = mine::told(&renderer.oracle, &mut warnings);
        Ok(Ready {
            catalog,
            blobs,
            warnings,
            nothing,
            mine,
        })
    });
    match made {
        Ok(Made {
            value: mut ready,
            reads,
            mut warnings,
        }) => {
            ready.catalog.assumes = lower::assumes(reads);
            warnings.append(&mut ready.warnings);
            ready.warnings = warnings;
            Compiled::Ready(Box::new(ready))
        }
        Err(Stop::Ask(questions)) => Compiled::Ask(questions),
        Err(Stop::Broken(problems)) => Compiled::Broken(problems),
    }
}

/// The catalog with the contents it names, and warnings.
fn lowered(
    renderer: &Renderer,
    ordered: &Ordered,
) -> Result<(Catalog, Blobs, Vec<Diagnostic>), Vec<Diagnostic>> {
    let spec = |state: &str, fun: &str| states::find(state, fun).map(|state| state.spec());
    let mut lowering = Lowering {
        oracle: &renderer.oracle,
        sources: &renderer.sources,
        spec: &spec,
        problems: Vec::new(),
        blobs: Blobs::new(),
    };
    let catalog = lowering.catalog(ordered);
    let (problems, blobs) = (lowering.problems, lowering.blobs);
    let error = |problem: &Diagnostic| problem.severity == diagnostic::Severity::Error;
    if problems.iter().any(error) {
        return Err(problems);
    }
    Ok((catalog, blobs, problems))
}

/// Says why a host gets what it gets: the pillar value and the states that `key` means (none without a key), and every
/// answer of the host that its catalog depends on.
///
/// # Errors
/// [`Stop`]
pub fn explain(tree: &Tree, input: &Input<'_>, key: Option<&str>) -> Result<Explained, Stop> {
    let trail = key.map(|key| followed(tree, input, key)).transpose()?;
    let made = with_pillar(tree, input, |renderer| {
        let ordered = ordered(renderer, input)?;
        lowered(renderer, &ordered)?;
        Ok(key.map_or_else(Vec::new, |key| explain::states(&ordered, key, &renderer.sources)))
    });
    let made = match (made, &trail) {
        // States that do not compile are no reason to keep quiet about the pillar.
        (Err(Stop::Broken(_)), Some(trail)) if !trail.steps.is_empty() => Made {
            value: Vec::new(),
            reads: BTreeMap::new(),
            warnings: Vec::new(),
        },
        (made, _) => made?,
    };
    let answers = made.reads.into_keys().map(|question| {
        let answer = input.answers.get(&question).cloned();
        // A single grain may have been answered by all of them.
        let answer = answer.unwrap_or_else(|| match (&question, input.answers.get(&Question::Grains)) {
            (Question::Grain(key), Some(Answer::Json(all))) => {
                all.get(key).cloned().map_or(Answer::Missing, Answer::Json)
            }
            _ => Answer::Missing,
        });
        (question, answer)
    });
    Ok(Explained {
        pillar: trail.filter(|trail| !trail.steps.is_empty()),
        states: made.value,
        answers: answers.collect(),
    })
}

/// What each document of the pillar says about a key, and what became of it.
fn followed(tree: &Tree, input: &Input<'_>, key: &str) -> Result<Followed, Stop> {
    let files = Files::new(tree, Which::Pillar);
    let oracle = Arc::new(Oracle::new(input, files, Json::Object(Map::new())));
    let (pillar, steps) = pillar::trail(&oracle, input.pillar, key);
    let value = data::traverse(&pillar.data, key, ":");
    Ok(finish(&oracle, Followed { value, steps }, Vec::new())?.value)
}

/// Runs a pass over the state tree with the compiled pillar.
fn with_pillar<T>(
    tree: &Tree,
    input: &Input<'_>,
    pass: impl FnOnce(&mut Renderer) -> Result<T, Vec<Diagnostic>>,
) -> Result<Made<T>, Stop> {
    let Made {
        value: pillar,
        reads: first,
        mut warnings,
    } = pillar(tree, input)?;
    if !pillar.problems.is_empty() {
        let mut headline = Diagnostic::error("Pillar failed to render with the following messages:");
        if let Some(first) = pillar.problems.first() {
            headline.file.clone_from(&first.file);
            (headline.line, headline.column) = (first.line, first.column);
        }
        return Err(Stop::Broken(
            std::iter::once(headline).chain(pillar.problems).collect(),
        ));
    }
    let files = Files::new(tree, Which::States);
    let oracle = Arc::new(Oracle::new(input, files, pillar.data));
    let mut renderer = Renderer::new(oracle.clone());
    let result = pass(&mut renderer);
    warnings.append(&mut renderer.warnings);
    for note in oracle.notes().into_iter().map(Diagnostic::warning) {
        if !warnings.contains(&note) {
            warnings.push(note);
        }
    }
    drop(renderer);
    let (asked, mut reads) = oracle.finish();
    if !asked.is_empty() {
        return Err(Stop::Ask(asked));
    }
    reads.extend(first);
    match result {
        Ok(value) => Ok(Made {
            value,
            reads,
            warnings,
        }),
        Err(problems) => Err(Stop::Broken(problems)),
    }
}

fn finish<T>(oracle: &Oracle, value: T, mut warnings: Vec<Diagnostic>) -> Result<Made<T>, Stop> {
    warnings.extend(oracle.notes().into_iter().map(Diagnostic::warning));
    let (asked, reads) = oracle.finish();
    if asked.is_empty() {
        Ok(Made {
            value,
            reads,
            warnings,
        })
    } else {
        Err(Stop::Ask(asked))
    }
}

/// Names by environment that are wanted.
fn matched(renderer: &mut Renderer, what: &What) -> (IndexMap<String, Vec<String>>, Vec<Diagnostic>) {
    let options = renderer.oracle.options.clone();
    let env = options.text("saltenv");
    if let What::Sls(names) = what {
        let env = env.unwrap_or("base").to_owned();
        return (IndexMap::from([(env, names.clone())]), Vec::new());
    }
    let strategy = match options.text("top_file_merging_strategy") {
        Some("same") => Strategy::Same,
        Some("merge_all") => Strategy::All,
        _ => Strategy::Merge,
    };
    let file = options
        .text("state_top")
        .unwrap_or("top.sls")
        .trim_start_matches("salt://")
        .to_owned();
    let only = env.map(str::to_owned);
    let mut tops = Tops {
        renderer,
        file,
        only,
        role: Role::States,
        problems: Vec::new(),
    };
    let top = tops.read(strategy);
    let matches = tops.matches(&top);
    (matches, tops.problems)
}

fn high_data(renderer: &mut Renderer, input: &Input<'_>) -> (High, Vec<Diagnostic>) {
    let (matches, mut problems) = matched(renderer, input.what);
    let auto = input.options.flag("state_auto_order", true);
    let (mut high, found) = ahead::gathered(renderer, auto, &matches);
    problems.extend(found);
    high.exclude
        .extend(input.exclude.iter().map(|sls| Json::String(sls.clone())));
    problems.extend(extend::apply(&mut high, extend::Lookup::Id, &renderer.sources));
    problems.extend(verify::verify(&high, &renderer.sources));
    let disabled = input.options.texts("disabled_requisites");
    problems.extend(requisite::requisite_in(&mut high, &disabled, &renderer.sources));
    extend::exclude(&mut high);
    (high, problems)
}

fn ordered(renderer: &mut Renderer, input: &Input<'_>) -> Result<Ordered, Vec<Diagnostic>> {
    let (high, problems) = high_data(renderer, input);
    if !problems.is_empty() {
        return Err(problems);
    }
    order_of(high, input, renderer)
}

fn order_of(high: High, input: &Input<'_>, renderer: &Renderer) -> Result<Ordered, Vec<Diagnostic>> {
    let disabled = input.options.texts("disabled_requisites");
    let rules = order::Rules {
        disabled: &disabled,
        has_watch: &has_watch,
    };
    order::order(high, &rules, &renderer.sources)
}

/// State modules with a `mod_watch`: those of the registry that say so, and Salt's others.
pub(crate) fn has_watch(module: &str) -> bool {
    const SALTS: [&str; 10] = [
        "cmd",
        "docker_container",
        "etcd",
        "module",
        "mount",
        "pkg",
        "service",
        "supervisord",
        "test",
        "tomcat",
    ];
    SALTS.contains(&module)
        || states::STATES
            .iter()
            .any(|state| state.spec().state == module && state.spec().watch)
}
