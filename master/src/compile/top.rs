//! Top files: which sls names are meant for a host (salt-semantics section 2).

use std::collections::{HashSet, VecDeque};

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::diagnostic::Diagnostic;
use super::place::Place;
use super::python::{self, fnmatch};
use super::render::{Renderer, Subject};
use super::yaml::{Node, Value};

/// One target of a top file.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) expression: String,
    pub(crate) at: Place,
    pub(crate) entries: Vec<Json>,
}

/// Targets by environment, as merged from all top files.
pub(crate) type Top = IndexMap<String, IndexMap<String, Target>>;

/// How top files of several environments are merged, by Salt's option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Base decides; another environment's file counts for its own section if base has none.
    Merge,
    /// Every environment's file counts for its own section only.
    Same,
    /// All sections of all files, lists joined.
    All,
    /// All sections of all files, a later target replacing an earlier one: how pillar does it.
    Every,
}

/// What top files are about; the two are read by different code in Salt, which shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// States.
    States,
    /// Pillar, of these environments.
    Pillar(Vec<String>),
}

/// The top files of one kind of roots.
pub(crate) struct Tops<'r> {
    pub(crate) renderer: &'r mut Renderer,
    /// Name of the file below the roots.
    pub(crate) file: String,
    /// Only this environment counts, if one is given.
    pub(crate) only: Option<String>,
    /// Whose top files these are.
    pub(crate) role: Role,
    pub(crate) problems: Vec<Diagnostic>,
}

/// Sections of one top file.
type Sections = Vec<(String, Vec<Target>)>;

impl Tops<'_> {
    /// Reads and merges all top files.
    pub(crate) fn read(&mut self, strategy: Strategy) -> Top {
        let options = self.renderer.oracle.options.clone();
        let envs: Vec<String> = match (&self.role, &self.only, options.text("state_top_saltenv")) {
            (Role::Pillar(envs), ..) => envs.clone(),
            (Role::States, Some(only), _) => vec![only.clone()],
            (Role::States, None, Some(one)) => vec![one.to_owned()],
            (Role::States, None, None) => self.envs(),
        };
        let mut tops: IndexMap<String, Vec<Sections>> = IndexMap::new();
        for env in envs {
            let sections = self.one(&env);
            tops.insert(env, sections);
            if self.is_pillar() && !self.problems.is_empty() {
                break;
            }
        }
        merge(tops, strategy, options.text("default_top"))
    }

    fn is_pillar(&self) -> bool {
        matches!(self.role, Role::Pillar(_))
    }

    /// Environments: base first, or as `env_order` says.
    fn envs(&self) -> Vec<String> {
        let have: Vec<String> = self.renderer.oracle.files.envs().map(str::to_owned).collect();
        let order = self.renderer.oracle.options.texts("env_order");
        if !order.is_empty() {
            return order.into_iter().filter(|env| have.contains(env)).collect();
        }
        let mut envs = vec!["base".to_owned()];
        envs.extend(have.into_iter().filter(|env| env != "base"));
        envs
    }

    /// The top file of an environment and those it includes.
    fn one(&mut self, env: &str) -> Vec<Sections> {
        let mut all = Vec::new();
        let mut wanted: VecDeque<String> = VecDeque::new();
        let mut done: HashSet<String> = HashSet::new();
        let file = self.file.clone();
        let Some(full) = self
            .renderer
            .oracle
            .files
            .entry(env, &file)
            .map(|entry| entry.full.clone())
        else {
            return all;
        };
        let failed = match self.role {
            Role::States => "Unable to render top file",
            Role::Pillar(_) => "Rendering Primary Top file failed",
        };
        all.push(self.file(env, (&file, &full), failed, &mut wanted));
        while let Some(pattern) = wanted.pop_front() {
            let names: Vec<String> = self.renderer.oracle.files.names(env).to_vec();
            for name in names.iter().filter(|name| fnmatch(name, &pattern)) {
                if !done.insert(name.clone()) {
                    continue;
                }
                if let Some(file) = self.renderer.oracle.files.sls(env, name) {
                    let mut ignored = VecDeque::new();
                    let failed = match self.role {
                        Role::States => "Unable to render top file".to_owned(),
                        Role::Pillar(_) => format!("Rendering Top file {name} failed"),
                    };
                    all.push(self.file(env, (&file.path, &file.full), &failed, &mut ignored));
                }
            }
        }
        all
    }

    /// The sections of one file, `path` below the root and `full` in the tree.
    fn file(
        &mut self,
        env: &str,
        (path, full): (&str, &str),
        failed: &str,
        include: &mut VecDeque<String>,
    ) -> Sections {
        let subject = Subject {
            env,
            path,
            full,
            sls: "",
            failed: failed.to_owned(),
            vars: Map::new(),
        };
        let (node, source) = match self.renderer.document(&subject) {
            Ok(found) => found,
            Err(problem) => {
                self.problems.push(*problem);
                return Vec::new();
            }
        };
        let place = |node: &Node| Place {
            source,
            mark: node.at,
        };
        let entries = match node.value {
            Value::Map(entries) => entries,
            Value::Null => return Vec::new(),
            _ => {
                let message = format!("Top data was not formed as a dict: {full}");
                self.problems
                    .push(self.renderer.sources.error(place(&node), message));
                return Vec::new();
            }
        };
        let mut sections = Vec::new();
        for (key, value) in entries {
            let name = key.value.key_text();
            match value.value {
                Value::List(items) if name == "include" => {
                    include.extend(items.iter().filter_map(|item| item.as_text().map(str::to_owned)));
                }
                Value::Map(targets) => {
                    let mut section = Vec::new();
                    for (target, body) in targets {
                        let at = place(&target);
                        let expression = target.value.key_text();
                        if let Value::List(items) = &body.value {
                            for item in items {
                                if let Some(name) = item.as_text() {
                                    self.renderer.named.entry(name.to_owned()).or_insert(place(item));
                                }
                            }
                        }
                        match self.as_list(body.into_json()) {
                            Json::Array(entries) => section.push(Target {
                                expression,
                                at,
                                entries,
                            }),
                            _ if self.is_pillar() => self.malformed(at),
                            other => {
                                let message = format!(
                                    "Malformed topfile: state declarations for matcher '{expression}' in saltenv '{name}' are not formed as a list (got {})",
                                    python::type_name(&other)
                                );
                                self.problems.push(self.renderer.sources.error(at, message));
                            }
                        }
                    }
                    sections.push((name, section));
                }
                _ if self.is_pillar() => self.malformed(place(&key)),
                _ => {
                    let message =
                        format!("The top file matches for saltenv {name} are not formatted as a dict");
                    self.problems
                        .push(self.renderer.sources.error(place(&key), message));
                }
            }
        }
        sections
    }

    /// What stands below a target of pillar is walked as Python does: a mapping is its keys, text its letters.
    fn as_list(&self, body: Json) -> Json {
        match body {
            Json::Object(map) if self.is_pillar() => {
                map.into_iter().map(|(key, _)| Json::String(key)).collect()
            }
            Json::String(text) if self.is_pillar() => {
                text.chars().map(|letter| Json::String(letter.into())).collect()
            }
            other => other,
        }
    }

    fn malformed(&mut self, at: Place) {
        let problem = self.renderer.sources.error(at, crate::pillar::MALFORMED);
        let help = "a target needs a list of sls names: `'*': [name]`";
        self.problems.push(problem.with_help(help));
    }

    /// Names by environment for this host, in file order.
    pub(crate) fn matches(&mut self, top: &Top) -> IndexMap<String, Vec<String>> {
        let mut found: IndexMap<String, Vec<String>> = IndexMap::new();
        for (env, targets) in top {
            if self.only.as_ref().is_some_and(|only| only != env) {
                continue;
            }
            for target in targets.values() {
                if !self.is_meant(target) {
                    continue;
                }
                found.entry(env.clone()).or_default();
                for entry in &target.entries {
                    match entry {
                        Json::String(name) => found.entry(env.clone()).or_default().push(name.clone()),
                        Json::Object(map) => {
                            if let Some((other, Json::String(name))) = map.iter().next_back()
                                && self.renderer.oracle.files.has_env(other)
                            {
                                found.entry(other.clone()).or_default().push(name.clone());
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        found
    }

    /// Whether a target selects pillar for this host. A grain that only the host claims does not, unless the
    /// settings allow it (requirement C3).
    pub(crate) fn may_select(&mut self, target: &Target) -> bool {
        let kind = match_kind(&target.entries);
        let expression = Json::String(target.expression.clone());
        let problem = match self.renderer.oracle.selects(&kind, &expression) {
            Ok(meant) => return meant,
            Err(Some(message)) => self.renderer.sources.error(target.at, message),
            Err(None) => {
                let message = format!(
                    "pillar target '{}' depends on a grain that only the host claims",
                    target.expression
                );
                let help = "assert the grain in the roster, or set pillar_from_host_grains: true";
                self.renderer.sources.error(target.at, message).with_help(help)
            }
        };
        self.problems.push(problem);
        false
    }

    fn is_meant(&mut self, target: &Target) -> bool {
        let kind = match_kind(&target.entries);
        match self
            .renderer
            .oracle
            .matches(&kind, &Json::String(target.expression.clone()))
        {
            Ok(yes) => yes,
            Err(message) => {
                self.problems
                    .push(self.renderer.sources.error(target.at, message));
                false
            }
        }
    }
}

/// The `match` option of a target; compound when there is none.
pub(crate) fn match_kind(entries: &[Json]) -> String {
    let given = entries
        .iter()
        .rev()
        .find_map(|entry| entry.as_object()?.get("match")?.as_str());
    given.unwrap_or("compound").to_owned()
}

fn merge(mut tops: IndexMap<String, Vec<Sections>>, strategy: Strategy, default: Option<&str>) -> Top {
    let mut top = Top::new();
    if strategy == Strategy::Merge {
        for (env, targets) in tops.shift_remove("base").into_iter().flatten().flatten() {
            add(&mut top, env, targets);
        }
        for (own, files) in tops {
            for (env, targets) in files.into_iter().flatten() {
                if env == own && !top.contains_key(&env) {
                    add(&mut top, env, targets);
                }
            }
        }
        return top;
    }
    let fallback = default.and_then(|env| tops.get(env)).cloned().unwrap_or_default();
    for (own, files) in tops {
        let empty = files.iter().all(Vec::is_empty);
        let files = if strategy == Strategy::Same && empty {
            fallback.clone()
        } else {
            files
        };
        for (env, targets) in files.into_iter().flatten() {
            match strategy {
                Strategy::All => join(&mut top, env, targets),
                Strategy::Every => add(&mut top, env, targets),
                _ if env == own => add(&mut top, env, targets),
                _ => {}
            }
        }
    }
    top
}

fn add(top: &mut Top, env: String, targets: Vec<Target>) {
    let section = top.entry(env).or_default();
    for target in targets {
        section.insert(target.expression.clone(), target);
    }
}

fn join(top: &mut Top, env: String, targets: Vec<Target>) {
    let section = top.entry(env).or_default();
    for target in targets {
        match section.get_mut(&target.expression) {
            None => {
                section.insert(target.expression.clone(), target);
            }
            Some(present) => {
                let options =
                    |entries: &[Json]| entries.iter().rev().find(|entry| entry.is_object()).cloned();
                let kind = options(&target.entries).or_else(|| options(&present.entries));
                let mut merged: Vec<Json> = kind.into_iter().collect();
                for entry in present
                    .entries
                    .iter()
                    .chain(&target.entries)
                    .filter(|entry| entry.is_string())
                {
                    if !merged.contains(entry) {
                        merged.push(entry.clone());
                    }
                }
                present.entries = merged;
            }
        }
    }
}
