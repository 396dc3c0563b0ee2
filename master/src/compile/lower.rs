//! From ordered chunks to the catalog that is sent to a host.
//!
//! Requisites become places in the list, arguments every state has become options, sources become digests. Whether
//! functions and arguments exist is checked here, before any host is touched (requirement C4): an unknown argument
//! refuses the tree, an unknown function fails when it runs, as in Salt.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto::{Args, Catalog, Chunk, ChunkId, Digest, Question, Requisite, RunOptions};
use serde_json::{Map, Value as Json};
use states::Spec;
use states::spec::GLOBAL;

use super::data;
use super::diagnostic::{Diagnostic, Severity, did_you_mean};
use super::high::REQUISITES;
use super::low::Low;
use super::oracle::Oracle;
use super::order::Ordered;
use super::place::Sources;
use super::python;
use super::sources::{Blobs, Sourcing};

mod aggregate;
mod guard;
mod listen;
mod option;
mod slot;

/// What a problem says about a function that does not exist.
pub(crate) const NOT_FOUND: &str = "was not found in SLS";

/// The function of a registry by state module and name.
pub(crate) type Registry<'a> = &'a dyn Fn(&str, &str) -> Option<&'static Spec>;

/// What lowering needs.
pub(crate) struct Lowering<'o> {
    pub(crate) oracle: &'o Arc<Oracle>,
    pub(crate) sources: &'o Sources,
    pub(crate) spec: Registry<'o>,
    pub(crate) problems: Vec<Diagnostic>,
    pub(crate) blobs: Blobs,
}

impl Lowering<'_> {
    /// The catalog without its assumptions.
    pub(crate) fn catalog(&mut self, ordered: &Ordered) -> Catalog {
        let accumulators = accumulators(ordered);
        let mut made: Vec<Option<Chunk>> = ordered.lows.iter().map(|_| None).collect();
        let mut chunks = Vec::with_capacity(ordered.steps.len());
        let mut environ = BTreeMap::new();
        for step in &ordered.steps {
            let base = match &made[step.low] {
                Some(chunk) => chunk.clone(),
                None => {
                    let chunk = self.chunk(&ordered.lows[step.low], &accumulators);
                    made[step.low] = Some(chunk.clone());
                    chunk
                }
            };
            let needs = step
                .needs
                .iter()
                .map(|need| Requisite {
                    kind: need.kind,
                    on: need.on.clone(),
                })
                .collect();
            let mut chunk = Chunk {
                needs,
                check_only: step.check,
                ..base
            };
            surround(&mut chunk, &mut environ);
            chunks.push(chunk);
        }
        let oracle = &self.oracle;
        let allowed: Vec<bool> = ordered
            .steps
            .iter()
            .map(|step| &ordered.lows[step.low])
            .map(|low| aggregate::allowed(&oracle.options, &low.state, &low.args))
            .collect();
        aggregate::join(&mut chunks, &allowed);
        let options = RunOptions {
            failhard: self.oracle.options.flag("failhard", false),
        };
        Catalog {
            chunks,
            assumes: Vec::new(),
            options,
            listens: listen::listens(ordered),
        }
    }

    fn chunk(&mut self, low: &Low, accumulators: &BTreeMap<String, Args>) -> Chunk {
        let spec = (self.spec)(&low.state, &low.fun);
        self.problems.extend(check(low, spec, self.sources));
        let mut args = Args::new();
        let mut free = Map::new();
        for (key, value) in &low.args {
            let own = spec.is_some_and(|spec| spec.param(key).is_some());
            if own || !GLOBAL.contains(&key.as_str()) {
                args.insert(key.clone(), value.clone());
                if !own {
                    free.insert(key.clone(), value.clone());
                }
            }
        }
        if low.state == "host"
            && let Some(file) = self.oracle.options.text("hosts.file")
        {
            // The host itself has no configuration that could say so.
            args.entry("config").or_insert_with(|| file.into());
        }
        let mut sourcing = Sourcing {
            oracle: self.oracle,
            blobs: &mut self.blobs,
            accumulator: accumulators.get(&low.name_text()),
        };
        let sources = sourcing.of(low, &free);
        if let Err(problem) = fill(&sourcing, low, &mut args) {
            let at = low.place("contents");
            self.problems.push(self.sources.error(at, problem));
        }
        let own_check = spec.is_some_and(|spec| spec.param("check_cmd").is_some());
        let (mut options, wrong) = option::options(&low.args);
        options.disabled = disabled(self.oracle, low);
        if own_check {
            options.check_cmd.clear();
        }
        for (key, guards) in [("onlyif", &mut options.onlyif), ("unless", &mut options.unless)] {
            for guard in guards {
                match guard::settled(self.oracle, guard.clone()) {
                    Ok(settled) => *guard = settled,
                    Err((message, help)) => {
                        let problem = self.sources.error(low.place(key), message);
                        self.problems.push(problem.with_help_if(help));
                    }
                }
            }
        }
        for (key, message) in wrong {
            let at = low.place(key);
            self.problems.push(self.sources.error(at, message));
        }
        if !low.name.is_string() {
            args.insert("name".to_owned(), low.name.clone());
        }
        let slots = slot::slots(&args, &low.name);
        Chunk {
            id: ChunkId {
                state: low.state.clone(),
                id: low.id.clone(),
                name: low.name_text(),
                fun: low.fun.clone(),
            },
            sls: low.sls.clone(),
            args,
            needs: Vec::new(),
            options,
            sources,
            check_only: false,
            slots,
        }
    }
}

/// Why a state is not run: a pattern of the option `disabled_states`, or of the grain `state_runs_disabled` where the master
/// asserts it (Salt's `state.disable` writes that grain; Salt leaves such states out of the run).
fn disabled(oracle: &Oracle, low: &Low) -> Option<String> {
    let function = format!("{}.{}", low.state, low.fun);
    let grain = oracle.grains.asserted().get("state_runs_disabled");
    let grain = grain.and_then(Json::as_array).into_iter().flatten();
    let patterns = oracle.options.texts("disabled_states").into_iter();
    let pattern = patterns
        .chain(grain.map(python::text))
        .find(|pattern| python::fnmatch(&function, pattern))?;
    Some(format!(
        "The state function \"{function}\" is disabled by \"{pattern}\""
    ))
}

/// Arguments every state has, with values they cannot have.
pub(crate) fn wrong_options(low: &Low, sources: &Sources) -> Vec<Diagnostic> {
    let (_, wrong) = option::options(&low.args);
    wrong
        .into_iter()
        .map(|(key, message)| sources.error(low.place(key), message))
        .collect()
}

/// Whether the function and its arguments exist: a warning and errors, each with the nearest name.
pub(crate) fn check(low: &Low, spec: Option<&'static Spec>, sources: &Sources) -> Vec<Diagnostic> {
    let function = format!("{}.{}", low.state, low.fun);
    let Some(spec) = spec else {
        let known: Vec<String> = states::STATES.iter().map(|state| state.spec().name()).collect();
        let message = format!("State '{function}' {NOT_FOUND} '{}'", low.sls);
        let mut problem = sources.error(low.at, message);
        problem.severity = Severity::Warning;
        let near = || did_you_mean(&function, known.iter().map(String::as_str));
        let help = states::salt::missing(&low.state, &low.fun)
            .map(|instead| format!("salt-rs has no `{function}`: {instead}"))
            .or_else(near)
            .unwrap_or_else(|| "it will fail when it runs; see `salt-rs doc`".to_owned());
        return vec![problem.with_help(help)];
    };
    let mut problems = Vec::new();
    let known = |key: &str| {
        spec.free
            || key.starts_with("__")
            || GLOBAL.contains(&key)
            || REQUISITES.contains(&key)
            || spec.param(key).is_some()
    };
    for key in low.args.keys().filter(|key| !known(key)) {
        let at = low.place(key);
        let message =
            format!("Passed invalid arguments: '{key}' is an invalid keyword argument for '{function}'.");
        let help = did_you_mean(key, spec.params.iter().map(|param| param.name));
        let help = help.unwrap_or_else(|| format!("see `salt-rs doc {function}`"));
        problems.push(sources.error(at, message).with_help(help));
    }
    problems
}

/// Puts values of the pillar, and rendered contents, where the state expects them.
fn fill(sourcing: &Sourcing<'_>, low: &Low, args: &mut Args) -> Result<(), String> {
    let pillar = &sourcing.oracle.pillar;
    let delimiter = args
        .get("contents_delimiter")
        .and_then(Json::as_str)
        .unwrap_or(":")
        .to_owned();
    let from_pillar = |key: &str| data::traverse(pillar, key, &delimiter);
    let from_grains = |key: &str| sourcing.oracle.grain_path(key, &delimiter);
    contents_of(args, "contents_pillar", &from_pillar);
    contents_of(args, "contents_grains", &from_grains);
    if let Some(key) = args
        .get("dataset_pillar")
        .filter(|key| python::truth(key) && !args.get("dataset").is_some_and(python::truth))
        .map(python::text)
        && let Some(value) = data::traverse(pillar, &key, ":")
    {
        args.shift_remove("dataset_pillar");
        args.insert("dataset".to_owned(), value);
    }
    if args.get("template").and_then(Json::as_str) == Some("jinja")
        && let Some(contents) = args.get("contents").filter(|contents| python::truth(contents))
        && !contents.is_object()
    {
        let rendered = sourcing.contents(low, contents)?;
        args.insert("contents".to_owned(), rendered.into());
    }
    if (low.state.as_str(), low.fun.as_str()) == ("test", "check_pillar") {
        let found = pillar_types(pillar, args);
        args.insert("found".to_owned(), found.into());
    }
    Ok(())
}

/// The commands of a chunk see what `environ.setenv` set before it; such a chunk sets more.
fn surround(chunk: &mut Chunk, environ: &mut BTreeMap<String, String>) {
    for (name, value) in &*environ {
        let own = &mut chunk.options.guard.env;
        own.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let sets = chunk.id.state == "environ" && chunk.id.fun == "setenv" && !chunk.check_only;
    let set = sets.then(|| states::environ::variables(&chunk.id.name, &chunk.args));
    for (name, value) in set.flatten().into_iter().flatten() {
        match value {
            Some(value) => _ = environ.insert(name, value),
            None => _ = environ.remove(&name),
        }
    }
}

/// Puts what `from` (of a pillar or of grains) names into `contents`. What is not there is left for the state to tell.
fn contents_of(args: &mut Args, from: &str, read: &dyn Fn(&str) -> Option<Json>) {
    let given = |args: &Args, key: &str| args.get(key).is_some_and(|value| !value.is_null());
    let Some(keys) = args.get(from).filter(|keys| python::truth(keys)) else {
        return;
    };
    if given(args, "contents") || given(args, "source") {
        return;
    }
    let shown = python::text(keys);
    let value = match keys {
        Json::Array(keys) => {
            let keys: Vec<String> = keys.iter().map(python::text).collect();
            let values: Result<Vec<Json>, &String> = keys.iter().map(|key| read(key).ok_or(key)).collect();
            values.map(Json::Array).map_err(Clone::clone)
        }
        _ => read(&shown).ok_or_else(|| shown.clone()),
    };
    match value {
        Ok(value) => {
            args.shift_remove(from);
            if !python::truth(&value) {
                args.insert("__contents_from__".to_owned(), format!("{from} {shown}").into());
            }
            args.insert("contents".to_owned(), value);
        }
        Err(missing) => {
            args.insert(from.to_owned(), missing.into());
        }
    }
}

/// What the `file.accumulated` states gather, by file and by name of the accumulator. One that no file state requires fails,
/// and gathers nothing.
fn accumulators(ordered: &Ordered) -> BTreeMap<String, Args> {
    let mut found = BTreeMap::<String, Args>::new();
    let is_file = |low: usize| ordered.lows[low].state == "file";
    for (place, step) in ordered.steps.iter().enumerate() {
        let low = &ordered.lows[step.low];
        if step.check || low.state != "file" || low.fun != "accumulated" {
            continue;
        }
        let feeds = |other: &super::order::Step| {
            is_file(other.low) && other.needs.iter().any(|need| need.on.contains(&place))
        };
        if !ordered.steps.iter().any(feeds) {
            continue;
        }
        let (Some(file), Some(text)) = (low.args.get("filename"), low.args.get("text")) else {
            continue;
        };
        let of_file = found.entry(python::text(file)).or_default();
        let gathered = of_file
            .entry(low.name_text())
            .or_insert_with(|| Json::Array(Vec::new()));
        let Json::Array(gathered) = gathered else { continue };
        let one = std::slice::from_ref(text);
        for item in text.as_array().map_or(one, Vec::as_slice) {
            if !gathered.contains(item) {
                gathered.push(item.clone());
            }
        }
    }
    found
}

/// The Python type of every pillar value that `test.check_pillar` asks about; null where there is none.
fn pillar_types(pillar: &Json, args: &Args) -> Args {
    let keys = args.values().flat_map(|value| match value {
        Json::String(key) => vec![key.clone()],
        Json::Array(keys) => keys.iter().map(python::text).collect(),
        _ => Vec::new(),
    });
    let kind = |key: &str| match data::traverse(pillar, key, ":") {
        None | Some(Json::Null) => Json::Null,
        Some(Json::Bool(_)) => "bool".into(),
        Some(Json::Number(number)) => if number.is_f64() { "float" } else { "int" }.into(),
        Some(Json::String(_)) => "str".into(),
        Some(Json::Array(_)) => "list".into(),
        Some(Json::Object(_)) => "dict".into(),
    };
    keys.map(|key| {
        let kind = kind(&key);
        (key, kind)
    })
    .collect()
}

/// The assumptions of a catalog, in the order of the questions.
pub(crate) fn assumes(reads: BTreeMap<Question, Digest>) -> Vec<(Question, Digest)> {
    reads.into_iter().collect()
}
