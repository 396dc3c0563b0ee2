//! One pillar document with everything it includes.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::merge::Merge;
use super::trail::{Step, Trail};
use crate::compile::diagnostic::{Diagnostic, nearest};
use crate::compile::explain::Point;
use crate::compile::place::Place;
use crate::compile::python::{self, fnmatch};
use crate::compile::render::{Renderer, Subject};
use crate::compile::yaml::{Node, Value};

/// Deepest chain of includes.
const DEPTH: usize = 32;

/// Documents of one environment that were rendered already, without what they include.
type Done = IndexMap<String, Json>;

/// A document, and Salt's words for what went wrong while it was made.
type Made = (Option<Map<String, Json>>, Vec<String>);

/// Renders the documents of one host.
pub(super) struct Documents {
    pub(super) renderer: Renderer,
    pub(super) merge: Merge,
    /// Environment and name of those that may be missing.
    pub(super) optional: Vec<(String, String)>,
    pub(super) problems: Vec<Diagnostic>,
    /// What is followed, if anything is.
    pub(super) trail: Option<Trail>,
    /// The entry of an include that is being read.
    entry: Place,
    /// Documents as they were written, kept only where `decrypt_pillar` may have to name a place.
    kept: Option<Vec<(u32, Node)>>,
}

/// One entry of `include`.
struct Include {
    wanted: String,
    key: Option<String>,
    /// Variables for this one and those after it.
    defaults: Option<Map<String, Json>>,
}

impl Documents {
    pub(super) fn new(renderer: Renderer, merge: Merge, trail: Option<Trail>) -> Self {
        let kept = super::decrypt::is_asked(&renderer.oracle).then(Vec::new);
        Self {
            renderer,
            merge,
            optional: Vec::new(),
            problems: Vec::new(),
            trail,
            entry: Place::default(),
            kept,
        }
    }

    /// A problem where the last document that has this path has it.
    pub(super) fn problem_at(&self, path: &[String], message: &str) -> Diagnostic {
        let found = self.kept.iter().flatten().rev().find_map(|(source, node)| {
            let mut at = node;
            let mut mark = node.at;
            for part in path {
                let Value::Map(entries) = &at.value else {
                    return None;
                };
                let (key, value) = entries.iter().find(|(key, _)| key.value.key_text() == *part)?;
                (mark, at) = (key.at, value);
            }
            Some(Place {
                source: *source,
                mark,
            })
        });
        self.renderer.sources.error(found.unwrap_or_default(), message)
    }

    /// Lays the named documents of an environment over the pillar; Salt's words for what went wrong are added to
    /// `errors`.
    pub(super) fn environment(
        &mut self,
        env: &str,
        names: &[String],
        pillar: &mut Map<String, Json>,
        errors: &mut Vec<String>,
    ) {
        if !self.renderer.oracle.files.has_env(env) {
            for _ in names {
                let message = format!("No matching pillar environment for environment '{env}' found");
                self.problems.push(Diagnostic::error(message.clone()));
                errors.push(message);
            }
            return;
        }
        let mut done = Done::new();
        for wanted in names {
            let mut found = self.matching(env, wanted);
            if found.is_empty() {
                found.push(wanted.clone());
            }
            for name in found {
                let (document, wrong) = self.sls(env, &name, &Map::new(), &mut done, 0);
                errors.extend(wrong);
                if let Some(document) = document {
                    self.merge.lay(pillar, document);
                }
            }
        }
    }

    /// Names of an environment that fit a pattern.
    fn matching(&self, env: &str, pattern: &str) -> Vec<String> {
        let names = self.renderer.oracle.files.names(env);
        names
            .iter()
            .filter(|name| fnmatch(name, pattern))
            .cloned()
            .collect()
    }

    fn fail_at(&mut self, place: Place, message: String) -> Made {
        self.problems
            .push(self.renderer.sources.error(place, message.clone()));
        (None, vec![message])
    }

    /// A name there is no file for.
    fn missing(&mut self, env: &str, name: &str) -> Made {
        if self
            .optional
            .iter()
            .any(|(one, other)| one == env && other == name)
        {
            return (None, Vec::new());
        }
        let message =
            format!("Specified SLS '{name}' in environment '{env}' is not available on the salt master");
        let names = self.renderer.oracle.files.names(env);
        let near = nearest(name, names.iter().map(String::as_str));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let at = self.renderer.named.get(name).copied().unwrap_or(self.entry);
        let made = self.fail_at(at, message);
        if let Some(problem) = self.problems.pop() {
            self.problems.push(problem.with_help_if(help));
        }
        made
    }

    /// One document with everything it includes; `None` when there is nothing to merge.
    fn sls(
        &mut self,
        env: &str,
        name: &str,
        defaults: &Map<String, Json>,
        done: &mut Done,
        depth: usize,
    ) -> Made {
        let Some(file) = self.renderer.oracle.files.sls(env, name) else {
            return self.missing(env, name);
        };
        if depth > DEPTH {
            return self.fail_at(self.entry, format!("SLS '{name}' includes itself"));
        }
        let subject = Subject {
            env,
            path: &file.path,
            full: &file.full,
            sls: name,
            failed: format!("Rendering SLS '{env}:{name}' failed"),
            vars: defaults.clone(),
        };
        let (node, source) = match self.renderer.document(&subject) {
            Ok(found) => found,
            Err(problem) => {
                done.insert(name.to_owned(), Json::Null);
                let safe = self
                    .renderer
                    .oracle
                    .options
                    .flag("pillar_safe_render_error", true);
                let words = if safe {
                    format!("Rendering SLS '{name}' failed. Please see master log for details.")
                } else {
                    let words = salts_words(&self.renderer, &problem);
                    let prefix = format!("Rendering SLS '{env}:{name}' failed, ");
                    let rest = words.strip_prefix(&prefix).unwrap_or(&words);
                    format!("Rendering SLS '{name}' failed, {rest}")
                };
                self.problems.push(*problem);
                return (None, vec![words]);
            }
        };
        let at = Place {
            source,
            mark: node.at,
        };
        if let Some(kept) = &mut self.kept {
            kept.push((source, node.clone()));
        }
        let said = self.said(env, name, source, &node);
        let place = |node: &Node| Place {
            source,
            mark: node.at,
        };
        let include = node.value.get("include");
        let include_at = include.map_or(at, place);
        let places = match include.map(|node| &node.value) {
            Some(Value::List(items)) => items.iter().map(place).collect(),
            _ => Vec::new(),
        };
        let mut document = match node.into_json() {
            Json::Object(document) => document,
            other if python::truth(&other) => {
                done.insert(name.to_owned(), Json::Null);
                return self.fail_at(at, format!("SLS '{name}' does not render to a dictionary"));
            }
            _ => {
                done.insert(name.to_owned(), Json::Null);
                return (None, Vec::new());
            }
        };
        let include = match document.get("include") {
            None => None,
            Some(Json::Array(_)) => document.shift_remove("include"),
            Some(_) => {
                self.note(said);
                done.insert(name.to_owned(), Json::Object(document.clone()));
                let message = format!("Include Declaration in SLS '{name}' is not formed as a list");
                let (_, wrong) = self.fail_at(include_at, message);
                return (Some(document), wrong);
            }
        };
        done.insert(name.to_owned(), Json::Object(document.clone()));
        let Some(Json::Array(entries)) = include else {
            self.note(said);
            return (Some(document), Vec::new());
        };
        let overrides = self
            .renderer
            .oracle
            .options
            .flag("pillar_includes_override_sls", false);
        if overrides {
            self.note(said.clone());
        }
        let (included, wrong) =
            self.included(env, name, &file.init, entries, (defaults, done, depth), &places);
        if overrides {
            for one in included {
                self.merge.lay(&mut document, one);
            }
            return (Some(document), wrong);
        }
        self.note(said);
        let merged = included.into_iter().chain([document]).reduce(|mut below, above| {
            self.merge.lay(&mut below, above);
            below
        });
        (merged, wrong)
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

    /// The documents an `include` stands for, each below the key it is to be put under.
    fn included(
        &mut self,
        env: &str,
        from: &str,
        init: &bool,
        entries: Vec<Json>,
        (defaults, done, depth): (&Map<String, Json>, &mut Done, usize),
        places: &[Place],
    ) -> (Vec<Map<String, Json>>, Vec<String>) {
        let mut found = Vec::new();
        let mut errors = Vec::new();
        let mut defaults = defaults.clone();
        // Salt tells the errors of the document rendered last again for each further one it need not render.
        let mut last: Vec<String> = Vec::new();
        for (index, entry) in entries.into_iter().enumerate() {
            let at = places.get(index).copied().unwrap_or_default();
            let include = match Include::of(entry) {
                Ok(include) => include,
                Err(other) => {
                    let message = format!(
                        "Include Declaration in SLS '{from}' is not formed as a list: {}",
                        python::repr(&other)
                    );
                    errors.extend(self.fail_at(at, message).1);
                    continue;
                }
            };
            self.entry = at;
            if let Some(given) = include.defaults {
                defaults = given;
            }
            let names = self.meant(env, from, *init, &include.wanted);
            let before = self
                .trail
                .as_mut()
                .map_or(0, |trail| trail.enter(include.key.as_deref()));
            for (index, name) in names.iter().enumerate() {
                let known = done.get(name).cloned();
                let first = !names.iter().take(index).any(|one| one == name);
                if let Some(trail) = self.trail.as_mut().filter(|_| known.is_some() && first) {
                    trail.again(name);
                }
                let document = match known {
                    Some(Json::Object(document)) => Some(document),
                    Some(_) => None,
                    None => {
                        let (document, wrong) = self.sls(env, name, &defaults, done, depth + 1);
                        last = wrong;
                        document
                    }
                };
                errors.extend(last.iter().cloned());
                if let Some(mut document) = document.filter(|document| !document.is_empty()) {
                    for part in include.key.iter().flat_map(|key| key.rsplit(':')) {
                        document = Map::from_iter([(part.to_owned(), Json::Object(document))]);
                    }
                    found.push(document);
                }
            }
            if let Some(trail) = &mut self.trail {
                trail.leave(before);
            }
        }
        (found, errors)
    }

    /// The names an entry of `include` stands for. Salt looks a relative name up from the root as well.
    fn meant(&self, env: &str, from: &str, init: bool, wanted: &str) -> Vec<String> {
        let mut found = self.matching(env, &wanted.trim_start_matches('.').replace('/', "."));
        let full = match wanted.strip_prefix('.') {
            Some(rest) => {
                let package = if init {
                    from
                } else {
                    from.rsplit_once('.').map_or("", |(package, _)| package)
                };
                if package.is_empty() {
                    rest.to_owned()
                } else {
                    format!("{package}.{rest}")
                }
            }
            None => wanted.to_owned(),
        };
        found.extend(self.matching(env, &full));
        if found.is_empty() {
            found.push(full);
        }
        found
    }
}

impl Include {
    /// Reads an entry; one of another shape is given back.
    fn of(entry: Json) -> Result<Self, Json> {
        match entry {
            Json::String(wanted) => Ok(Self {
                wanted,
                key: None,
                defaults: None,
            }),
            Json::Object(map) if !map.is_empty() => {
                let (wanted, with) = map.into_iter().next().unwrap_or_default();
                let defaults = with.get("defaults").and_then(Json::as_object);
                Ok(Self {
                    wanted,
                    key: with.get("key").and_then(Json::as_str).map(str::to_owned),
                    defaults: Some(defaults.cloned().unwrap_or_default()),
                })
            }
            other => Err(other),
        }
    }
}

/// Lines Salt shows before and after the one where rendering failed.
const AROUND: usize = 5;

/// What Salt says of a document that does not render: the cause, for a template with the lines around it.
pub(super) fn salts_words(renderer: &Renderer, problem: &Diagnostic) -> String {
    let (head, cause) = problem
        .message
        .split_once(" failed: ")
        .unwrap_or(("Rendering", &problem.message));
    let begin = format!("{head} failed, render error:\n{cause}");
    let text = problem
        .file
        .as_ref()
        .and_then(|file| renderer.oracle.files.text_at(file));
    let (Some(line), Some(text), true) = (problem.line, text, cause.starts_with("Jinja ")) else {
        return begin;
    };
    let lines: Vec<&str> = text.lines().collect();
    let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let from = index.saturating_sub(AROUND);
    let to = lines.len().min(index.saturating_add(AROUND + 1));
    let mut shown: Vec<String> = Vec::new();
    if from > 0 {
        shown.push("[...]".to_owned());
    }
    for (number, text) in lines.iter().enumerate().take(to).skip(from) {
        let mark = if number == index {
            "    <======================"
        } else {
            ""
        };
        shown.push(format!("{text}{mark}"));
    }
    if to < lines.len() {
        shown.push("[...]".to_owned());
    }
    format!("{begin}; line {line}\n\n---\n{}\n---", shown.join("\n"))
}
