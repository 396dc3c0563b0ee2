//! Pillar: the same compile on another root, merged to one mapping (salt-semantics section 3).
//!
//! What is compiled here is data of one host. Whether a host may see it is decided by the top file alone, by what
//! the master knows of the host (requirement C3).

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use crate::compile::data::{self, Lists};
use crate::compile::diagnostic::{Diagnostic, nearest};
use crate::compile::explain::Point;
use crate::compile::oracle::Oracle;
use crate::compile::place::Place;
use crate::compile::python::{self, fnmatch};
use crate::compile::render::{Renderer, Subject};
use crate::compile::top::{Strategy, Tops};
use crate::compile::yaml::Node;

mod trail;

pub use trail::Step;
use trail::Trail;

/// A compiled pillar.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pillar {
    /// The mapping; Salt's `_errors` is in it when something went wrong.
    pub data: Json,
    /// What went wrong, with its places.
    pub problems: Vec<Diagnostic>,
    /// Things worth knowing.
    pub warnings: Vec<Diagnostic>,
}

/// Deepest chain of includes.
const DEPTH: usize = 32;

/// How documents are merged, by Salt's `pillar_source_merging_strategy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Merge {
    Recurse,
    Overwrite,
    List,
    /// Only base counts.
    None,
}

/// Compiles the pillar of the oracle's host. `over` is the command line's, laid over everything.
pub(crate) fn compile(oracle: &Arc<Oracle>, over: Option<&Map<String, Json>>) -> Pillar {
    compiled(oracle, over, None).0
}

/// The same, with every document's say about a key, in the order in which they are merged.
pub(crate) fn trail(
    oracle: &Arc<Oracle>,
    over: Option<&Map<String, Json>>,
    key: &str,
) -> (Pillar, Vec<Step>) {
    let (pillar, trail) = compiled(oracle, over, Some(Trail::new(key)));
    (pillar, trail.map_or_else(Vec::new, |trail| trail.steps))
}

fn compiled(
    oracle: &Arc<Oracle>,
    over: Option<&Map<String, Json>>,
    trail: Option<Trail>,
) -> (Pillar, Option<Trail>) {
    let options = oracle.options.clone();
    let merge = match options.text("pillar_source_merging_strategy") {
        Some("overwrite") => Merge::Overwrite,
        Some("list") => Merge::List,
        Some("none") => Merge::None,
        _ => Merge::Recurse,
    };
    let mut renderer = Renderer::new(oracle.clone());
    let only = options.text("pillarenv").map(str::to_owned);
    let mut tops = Tops {
        renderer: &mut renderer,
        file: "top.sls".to_owned(),
        only,
        shorthand: true,
        problems: Vec::new(),
    };
    let top = tops.read(Strategy::Every);
    let (matches, ignored) = selected(&mut tops, top);
    let problems = tops.problems;
    let mut compiling = Compiling {
        renderer,
        merge,
        lists: options.pillar_lists(),
        ignored,
        problems,
        errors: Vec::new(),
        trail,
    };
    compiling
        .errors
        .extend(compiling.problems.iter().map(|problem| problem.message.clone()));
    let mut pillar = Map::new();
    for (env, names) in matches {
        compiling.environment(&env, &names, &mut pillar);
    }
    let Compiling {
        renderer,
        errors,
        problems,
        mut trail,
        ..
    } = compiling;
    if !errors.is_empty() {
        pillar.insert("_errors".to_owned(), errors.into());
    }
    if let Some(over) = over {
        data::update(&mut pillar, over, options.pillar_lists());
        if let Some(trail) = &mut trail {
            trail.command_line(over);
        }
    }
    let pillar = Pillar {
        data: Json::Object(pillar),
        problems,
        warnings: renderer.warnings,
    };
    (pillar, trail)
}

/// Names per environment for this host, and those that may be missing.
#[expect(clippy::type_complexity, reason = "two maps of lists, named by the caller")]
fn selected(
    tops: &mut Tops<'_>,
    top: crate::compile::top::Top,
) -> (IndexMap<String, Vec<String>>, Vec<(String, String)>) {
    let mut matches: IndexMap<String, Vec<String>> = IndexMap::new();
    let mut ignored = Vec::new();
    for (env, targets) in top {
        if tops.only.as_ref().is_some_and(|only| *only != env) {
            continue;
        }
        let mut targets: Vec<_> = targets.into_values().collect();
        targets.sort_by_key(|target| {
            let order = target
                .entries
                .iter()
                .rev()
                .find_map(|entry| entry.as_object()?.get("order").cloned());
            match order {
                Some(Json::Number(number)) => number.as_i64().unwrap_or(0),
                Some(Json::String(text)) => text.parse().unwrap_or(0),
                _ => 0,
            }
        });
        for target in targets {
            if !tops.may_select(&target) {
                continue;
            }
            let missing_ok = target.entries.iter().any(|entry| {
                entry
                    .as_object()
                    .and_then(|map| map.get("ignore_missing"))
                    .is_some_and(python::truth)
            });
            let names = matches.entry(env.clone()).or_default();
            for name in target.entries.iter().filter_map(Json::as_str) {
                if missing_ok {
                    ignored.push((env.clone(), name.to_owned()));
                }
                if !names.iter().any(|one| one == name) {
                    names.push(name.to_owned());
                }
            }
        }
    }
    (matches, ignored)
}

struct Compiling {
    renderer: Renderer,
    merge: Merge,
    lists: Lists,
    ignored: Vec<(String, String)>,
    problems: Vec<Diagnostic>,
    /// Salt's texts for `_errors`.
    errors: Vec<String>,
    /// What is followed, if anything is.
    trail: Option<Trail>,
}

impl Compiling {
    fn environment(&mut self, env: &str, names: &[String], pillar: &mut Map<String, Json>) {
        if self.merge == Merge::None && env != "base" {
            return;
        }
        let mut done: IndexMap<String, Json> = IndexMap::new();
        for wanted in names {
            for name in self.expand(env, wanted) {
                match self.sls(env, &name, &Map::new(), &mut done, 0) {
                    Some(Json::Object(document)) => self.lay(pillar, document),
                    Some(Json::Null) | None => {}
                    Some(_) => self.fail(format!("SLS '{name}' does not render to a dictionary")),
                }
            }
        }
    }

    fn expand(&self, env: &str, wanted: &str) -> Vec<String> {
        let names = self.renderer.oracle.files.names(env);
        let found: Vec<String> = names
            .iter()
            .filter(|name| fnmatch(name, wanted))
            .cloned()
            .collect();
        if found.is_empty() {
            vec![wanted.to_owned()]
        } else {
            found
        }
    }

    fn lay(&self, lower: &mut Map<String, Json>, upper: Map<String, Json>) {
        match self.merge {
            Merge::Overwrite => lower.extend(upper),
            Merge::Recurse | Merge::None => data::update(lower, &upper, self.lists),
            Merge::List => {
                let below = Json::Object(std::mem::take(lower));
                if let Ok(Json::Object(both)) = data::listed(&below, &Json::Object(upper)) {
                    *lower = both;
                }
            }
        }
    }

    fn fail(&mut self, message: String) {
        self.problems.push(Diagnostic::error(message.clone()));
        self.errors.push(message);
    }

    fn fail_at(&mut self, place: Place, message: String) {
        self.problems
            .push(self.renderer.sources.error(place, message.clone()));
        self.errors.push(message);
    }

    /// One document with everything it includes; `None` when there is none.
    fn sls(
        &mut self,
        env: &str,
        name: &str,
        defaults: &Map<String, Json>,
        done: &mut IndexMap<String, Json>,
        depth: usize,
    ) -> Option<Json> {
        let Some(file) = self.renderer.oracle.files.sls(env, name) else {
            if !self
                .ignored
                .iter()
                .any(|(one, other)| one == env && other == name)
            {
                let message = format!(
                    "Specified SLS '{name}' in environment '{env}' is not available on the salt master"
                );
                let near = nearest(
                    name,
                    self.renderer.oracle.files.names(env).iter().map(String::as_str),
                );
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let at = self.renderer.named.get(name).copied().unwrap_or_default();
                let problem = self.renderer.sources.error(at, message.clone());
                self.problems.push(problem.with_help_if(help));
                self.errors.push(message);
            }
            return None;
        };
        if depth > DEPTH {
            self.fail(format!("SLS '{name}' includes itself"));
            return None;
        }
        let failed = format!("Rendering SLS '{env}:{name}' failed");
        let subject = Subject {
            env,
            path: &file.path,
            full: &file.full,
            sls: name,
            failed,
            vars: defaults.clone(),
        };
        let (node, source) = match self.renderer.document(&subject) {
            Ok(found) => found,
            Err(problem) => {
                self.problems.push(*problem);
                self.errors.push(format!(
                    "Rendering SLS '{name}' failed. Please see master log for details."
                ));
                done.insert(name.to_owned(), Json::Null);
                return None;
            }
        };
        let at = Place {
            source,
            mark: node.at,
        };
        let said = self.said(env, name, source, &node);
        let mut document = match node.into_json() {
            Json::Object(document) => document,
            other => {
                if python::truth(&other) {
                    self.fail_at(at, format!("SLS '{name}' does not render to a dictionary"));
                }
                return None;
            }
        };
        done.insert(name.to_owned(), Json::Object(document.clone()));
        let Some(include) = document.shift_remove("include") else {
            self.note(said);
            return Some(Json::Object(document));
        };
        let Json::Array(include) = include else {
            self.fail_at(
                at,
                format!("Include Declaration in SLS '{name}' is not formed as a list"),
            );
            self.note(said);
            return Some(Json::Object(document));
        };
        let wins = self
            .renderer
            .oracle
            .options
            .flag("pillar_includes_override_sls", false);
        if wins {
            self.note(said.clone());
        }
        let mut merged = Map::new();
        let mut defaults = defaults.clone();
        for entry in include {
            for (included, key) in self.included(env, name, file.init, &entry, &mut defaults, done, depth) {
                let mut included = included;
                for part in key.iter().flat_map(|key| key.rsplit(':')) {
                    included = Map::from_iter([(part.to_owned(), Json::Object(included))]);
                }
                self.lay(&mut merged, included);
            }
        }
        if wins {
            self.lay(&mut document, merged);
            return Some(Json::Object(document));
        }
        self.note(said);
        self.lay(&mut merged, document);
        Some(Json::Object(merged))
    }

    /// What a document says about the key that is followed.
    fn said(&self, env: &str, name: &str, source: u32, document: &Node) -> Option<Step> {
        let (mark, value) = self.trail.as_ref()?.seek(document)?;
        Some(Step {
            at: Point::of(&self.renderer.sources, Place { source, mark }),
            sls: Some(name.to_owned()),
            env: env.to_owned(),
            value,
        })
    }

    fn note(&mut self, said: Option<Step>) {
        if let Some(trail) = &mut self.trail {
            trail.steps.extend(said);
        }
    }

    /// The documents one entry of `include` stands for, each with the key it is to be put under.
    #[expect(clippy::too_many_arguments, reason = "the state of one recursion")]
    fn included(
        &mut self,
        env: &str,
        from: &str,
        init: bool,
        entry: &Json,
        defaults: &mut Map<String, Json>,
        done: &mut IndexMap<String, Json>,
        depth: usize,
    ) -> Vec<(Map<String, Json>, Option<String>)> {
        let (wanted, key) = match entry {
            Json::String(name) => (name.clone(), None),
            Json::Object(map) => match map.iter().next() {
                Some((name, with)) => {
                    *defaults = with
                        .get("defaults")
                        .and_then(Json::as_object)
                        .cloned()
                        .unwrap_or_default();
                    (
                        name.clone(),
                        with.get("key").and_then(Json::as_str).map(str::to_owned),
                    )
                }
                None => return Vec::new(),
            },
            other => {
                self.fail(format!(
                    "Include Declaration in SLS '{from}' is not formed as a list: {}",
                    python::repr(other)
                ));
                return Vec::new();
            }
        };
        let wanted = match wanted.strip_prefix('.') {
            Some(_) => {
                let mut parts: Vec<&str> = from.split('.').collect();
                if !init {
                    parts.pop();
                }
                parts.push(wanted.trim_start_matches('.'));
                parts.join(".")
            }
            None => wanted,
        };
        let mut found = Vec::new();
        let before = self.trail.as_mut().map_or(0, |trail| trail.enter(key.as_deref()));
        for name in self.expand(env, &wanted) {
            let document = match done.get(&name) {
                Some(known) => {
                    if let Some(trail) = &mut self.trail {
                        trail.again(&name);
                    }
                    Some(known.clone())
                }
                None => self.sls(env, &name, defaults, done, depth + 1),
            };
            if let Some(Json::Object(document)) = document {
                found.push((document, key.clone()));
            }
        }
        if let Some(trail) = &mut self.trail {
            trail.leave(before);
        }
        found
    }
}
