//! The files of one kind of roots, read without any host.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Map;

use super::declared::Judge;
use super::habits;
use crate::compile::diagnostic::{Diagnostic, did_you_mean};
use crate::compile::extend;
use crate::compile::files::{Files, Which};
use crate::compile::gather::{Gather, Page, Sls};
use crate::compile::graph::Graph;
use crate::compile::high::High;
use crate::compile::low::{self, Low};
use crate::compile::oracle::Oracle;
use crate::compile::order;
use crate::compile::place::{Place, Sources};
use crate::compile::render::{Renderer, Subject};
use crate::compile::template::{self, Template};
use crate::compile::verify;
use crate::compile::yaml::{Mark, Node, Value};
use crate::tree::Kind;

/// Words that make a template depend on something outside of its own file.
const OUTSIDE: [&str; 8] = [
    "pillar", "grains", "salt", "opts", "import", "include", "context", "id",
];

/// How the names of sls files and templates end.
const ENDINGS: [&str; 4] = [".sls", ".jinja", ".jinja2", ".j2"];

/// Beginning of the message of a template that cannot be parsed.
const SYNTAX: &str = "Jinja syntax error";

/// The files that authors write: sls files and templates, by their path in the tree.
pub(super) fn written(files: &Files) -> Vec<String> {
    let envs: Vec<&str> = files.envs().collect();
    let named = |path: &str| ENDINGS.iter().any(|end| path.ends_with(end));
    envs.iter()
        .flat_map(|env| files.all(env))
        .filter(|(path, entry)| named(path) && matches!(entry.kind, Kind::File { .. }))
        .map(|(_, entry)| entry.full.clone())
        .collect()
}

/// Problems of all files below the roots.
pub(super) fn all(oracle: Arc<Oracle>, which: Which) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let envs: Vec<String> = oracle.files.envs().map(str::to_owned).collect();
    for env in &envs {
        let mut reading = Reading {
            renderer: Renderer::new(oracle.clone()),
            env,
            which,
            open: HashSet::new(),
            problems: Vec::new(),
        };
        reading.templates();
        reading.top();
        match which {
            Which::States => reading.states(),
            Which::Pillar => reading.pillar(),
        }
        problems.append(&mut reading.problems);
        problems.append(&mut reading.renderer.warnings);
    }
    problems
}

struct Reading<'e> {
    renderer: Renderer,
    env: &'e str,
    which: Which,
    /// Names of sls files of which only a host decides what they say.
    open: HashSet<String>,
    problems: Vec<Diagnostic>,
}

impl Reading<'_> {
    /// Whether a text says the same for every host.
    fn is_settled(text: &str) -> bool {
        let jinja = text.contains("{{") || text.contains("{%");
        let word = |c: char| !(c.is_alphanumeric() || c == '_');
        !jinja || !text.split(word).any(|part| OUTSIDE.contains(&part))
    }

    fn error(&self, place: Place, message: String) -> Diagnostic {
        self.renderer.sources.error(place, message)
    }

    /// Every template that can be told by its name is parsed.
    fn templates(&mut self) {
        let oracle = self.renderer.oracle.clone();
        for (path, entry) in oracle.files.all(self.env) {
            let named = ENDINGS.iter().any(|end| path.ends_with(end));
            if !named || !matches!(entry.kind, Kind::File { .. }) {
                continue;
            }
            let Ok(Some(text)) = oracle.files.text(self.env, path) else {
                continue;
            };
            if path.ends_with(".sls")
                && text
                    .lines()
                    .next()
                    .is_some_and(|line| line.starts_with("#!") && !line.contains("jinja"))
            {
                continue;
            }
            let template = Template {
                name: path,
                full: &entry.full,
                text: &text,
                env: self.env,
                vars: Map::new(),
                sls: false,
            };
            if let Err(failed) = template::render(&oracle, &template)
                && failed.message.starts_with(SYNTAX)
            {
                let message = failed.message.clone();
                self.problems.push(failed.diagnostic(message));
            }
            oracle.finish();
        }
    }

    /// The document of a file; `None` when it does not render or depends on a host.
    fn document(&mut self, path: &str, full: &str, sls: &str, failed: String) -> Option<(Node, u32)> {
        let settled = match self.renderer.oracle.files.text(self.env, path) {
            Ok(text) => Self::is_settled(&text?),
            Err(_) => true,
        };
        let subject = Subject {
            env: self.env,
            path,
            full,
            sls,
            failed,
            vars: Map::new(),
        };
        let made = self.renderer.document(&subject);
        let (asked, _) = self.renderer.oracle.finish();
        let settled = settled && asked.is_empty();
        match made {
            Ok(found) if settled => Some(found),
            Err(problem) if settled => {
                // Syntax was said already, with the same place.
                if !problem.message.contains(SYNTAX) {
                    self.problems.push(*problem);
                }
                None
            }
            _ => {
                self.open.insert(sls.to_owned());
                None
            }
        }
    }

    /// Names in the top file that there is no sls for.
    fn top(&mut self) {
        let Some(full) = self
            .renderer
            .oracle
            .files
            .entry(self.env, "top.sls")
            .map(|entry| entry.full.clone())
        else {
            return;
        };
        let Some((node, source)) =
            self.document("top.sls", &full, "", "Unable to render top file".to_owned())
        else {
            return;
        };
        let at = |node: &Node| Place {
            source,
            mark: node.at,
        };
        let Value::Map(envs) = &node.value else {
            if !matches!(node.value, Value::Null) {
                let problem = self.error(at(&node), format!("Top data was not formed as a dict: {full}"));
                self.problems.push(problem);
            }
            return;
        };
        for (key, targets) in envs {
            let env = key.value.key_text();
            if env == "include" {
                continue;
            }
            let Value::Map(targets) = &targets.value else {
                let message = format!("The top file matches for saltenv {env} are not formatted as a dict");
                let problem = self.error(at(key), message);
                self.problems.push(problem);
                continue;
            };
            for (target, names) in targets {
                let names = match &names.value {
                    Value::List(names) => names.as_slice(),
                    // Pillar takes one name for a list of one.
                    Value::Text(_) if self.which == Which::Pillar => std::slice::from_ref(names),
                    _ => {
                        let message = format!(
                            "Malformed topfile: state declarations for matcher '{}' in saltenv '{env}' are not formed as a list (got {})",
                            target.value.key_text(),
                            names.value.type_name()
                        );
                        let problem = self.error(at(target), message);
                        self.problems.push(problem);
                        continue;
                    }
                };
                for name in names {
                    if let Some(text) = name.as_text() {
                        self.named(&env, text, at(name));
                    }
                }
            }
        }
    }

    /// An sls that must be there.
    fn named(&mut self, env: &str, name: &str, place: Place) {
        let files = &self.renderer.oracle.files;
        if name.contains(['*', '?', '['])
            || !files.has_env(env)
            || files.sls(env, &name.replace('/', ".")).is_some()
        {
            return;
        }
        let help = did_you_mean(name, files.names(env).iter().map(String::as_str));
        let message = format!("No matching sls found for '{name}' in env '{env}'");
        let problem = self.error(place, message).with_help_if(help);
        self.problems.push(problem);
    }

    fn names(&self) -> Vec<String> {
        let names = self.renderer.oracle.files.names(self.env);
        names.iter().filter(|name| *name != "top").cloned().collect()
    }

    /// Pillar files: mappings, and what they include.
    fn pillar(&mut self) {
        for name in self.names() {
            let Some(file) = self.renderer.oracle.files.sls(self.env, &name) else {
                continue;
            };
            let failed = format!("Rendering SLS '{}:{name}' failed", self.env);
            let Some((node, source)) = self.document(&file.path, &file.full, &name, failed) else {
                continue;
            };
            let at = |node: &Node| Place {
                source,
                mark: node.at,
            };
            match &node.value {
                Value::Map(entries) => {
                    let include = entries.iter().find(|(key, _)| key.as_text() == Some("include"));
                    let names = match include {
                        None => continue,
                        Some((
                            _,
                            Node {
                                value: Value::List(names),
                                ..
                            },
                        )) => names,
                        Some((_, value)) => {
                            let message =
                                format!("Include Declaration in SLS '{name}' is not formed as a list");
                            let problem = self.error(at(value), message);
                            self.problems.push(problem);
                            continue;
                        }
                    };
                    for included in names {
                        let text = match &included.value {
                            Value::Text(text) => text.as_str(),
                            Value::Map(entries) => entries
                                .first()
                                .and_then(|(key, _)| key.as_text())
                                .unwrap_or_default(),
                            _ => "",
                        };
                        if !text.is_empty() && !text.starts_with('.') {
                            self.named(self.env, text, at(included));
                        }
                    }
                }
                Value::Null => {}
                _ => {
                    let problem =
                        self.error(at(&node), format!("SLS '{name}' does not render to a dictionary"));
                    self.problems.push(problem);
                }
            }
        }
    }

    /// State files: each with what it includes, then what they say of each other.
    fn states(&mut self) {
        let names = self.names();
        for name in &names {
            // Finds out which are open before any of them is included.
            if let Some(file) = self.renderer.oracle.files.sls(self.env, name) {
                let failed = format!("Rendering SLS '{}:{name}' failed", self.env);
                self.document(&file.path, &file.full, name, failed);
            }
        }
        let mut everything: Vec<Low> = Vec::new();
        let mut seen = HashSet::new();
        let mut ids: BTreeSet<String> = BTreeSet::new();
        let mut highs = Vec::new();
        for name in &names {
            let wanted = IndexMap::from([(self.env.to_owned(), vec![name.clone()])]);
            let mut settled = Settled {
                renderer: &mut self.renderer,
                open: &self.open,
                met: false,
            };
            let (high, found) = Gather::new(&mut settled, true).all(&wanted);
            let closed = !settled.met;
            self.problems.extend(
                found
                    .into_iter()
                    .filter(|problem| !problem.message.contains(SYNTAX)),
            );
            self.problems
                .extend(verify::verify(&high, &self.renderer.sources));
            // What several include is looked at once.
            everything.extend(low::chunks(high.clone()).into_iter().filter(|low| {
                let mark = low.at.mark;
                seen.insert((low.sls.clone(), low.tag(), mark.line, mark.column))
            }));
            ids.extend(high.ids.keys().cloned());
            highs.push((high, closed));
        }
        let judge = Judge {
            files: &self.renderer.oracle.files,
            sources: &self.renderer.sources,
        };
        self.problems
            .extend(everything.iter().flat_map(|low| judge.chunk(low)));
        let held = habits::held(&everything);
        let sources = &self.renderer.sources;
        self.problems.extend(
            everything
                .iter()
                .flat_map(|low| habits::chunk(low, &held, sources)),
        );
        self.problems.extend(habits::clashes(&everything, sources));
        let graph = Graph::of(&everything);
        if self.open.is_empty() {
            self.problems.extend(habits::together(&everything, sources));
            for low in &everything {
                self.problems.extend(judge.references(low, &everything, &graph));
            }
        }
        for (mut high, closed) in highs {
            if !closed {
                continue;
            }
            high.extend
                .retain(|extension| self.open.is_empty() || ids.contains(&extension.id));
            let elsewhere = |extension: &crate::compile::high::Extension| {
                !high.ids.contains_key(&extension.id) && ids.contains(&extension.id)
            };
            let kept: Vec<_> = high
                .extend
                .iter()
                .filter(|one| !elsewhere(one))
                .cloned()
                .collect();
            high.extend = kept;
            self.problems.extend(extend::apply(
                &mut high,
                extend::Lookup::Id,
                &self.renderer.sources,
            ));
            self.problems.extend(cycle(high, &self.renderer.sources));
        }
    }
}

/// A cycle among requisites of one sls and what it includes.
fn cycle(high: High, sources: &Sources) -> Option<Diagnostic> {
    let rules = order::Rules {
        disabled: &[],
        has_watch: &crate::compile::has_watch,
    };
    let problems = order::order(high, &rules, sources).err()?;
    problems
        .into_iter()
        .find(|problem| problem.message.starts_with("Recursive requisites"))
}

/// Sls files as they are for every host; those that are not are empty.
struct Settled<'r> {
    renderer: &'r mut Renderer,
    open: &'r HashSet<String>,
    /// One of the open ones was wanted.
    met: bool,
}

impl Sls for Settled<'_> {
    fn has_env(&self, env: &str) -> bool {
        self.renderer.has_env(env)
    }

    fn names(&self, env: &str) -> &[String] {
        self.renderer.names(env)
    }

    fn page(&mut self, env: &str, sls: &str) -> Result<Option<Page>, Vec<Diagnostic>> {
        if !self.open.contains(sls) {
            return self.renderer.page(env, sls);
        }
        self.met = true;
        let value = Value::Map(Vec::new());
        let at = Mark::default();
        Ok(Some(Page {
            node: Node { value, at },
            source: 0,
            init: false,
        }))
    }

    fn sources(&self) -> &Sources {
        &self.renderer.sources
    }
}
