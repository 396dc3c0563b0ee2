//! External pillar: what `ext_pillar` of the settings adds, in its order.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::compile::Tree;
use crate::compile::data::{self, Lists};
use crate::compile::diagnostic::Diagnostic;
use crate::compile::files::{Files, Which};
use crate::compile::lookup::Lookup;
use crate::compile::oracle::Oracle;
use crate::compile::python::fnmatch;
use crate::compile::render::{Renderer, Subject};
use crate::compile::stages::{Stage, stages};
use crate::compile::yaml;
use crate::tree::location::Location;

/// One entry of `ext_pillar`, checked when the settings were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// Salt's name for its kind.
    pub name: &'static str,
    /// The settings file, line and column.
    pub at: (String, u32, u32),
    /// What it does.
    pub source: Source,
}

/// Kinds of external pillar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A program whose output is YAML or JSON (which is YAML); `%s` in its words is the minion's id.
    Program(Vec<String>),
    /// `hosts/ID` and `nodegroups/GROUP` below a directory.
    Folder {
        /// The directory.
        root: String,
        /// Follow links to directories.
        follow: bool,
        /// Files that keep the newline at their end.
        keep_newline: Keep,
        /// Whether and how the files are rendered.
        template: Option<Render>,
    },
    /// Branches of git repositories; the trees themselves are opened with the compiler.
    Git(Vec<Branch>),
}

/// How the files of a directory are rendered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Render {
    /// The pipeline of files that name none (`render_default`). Without it they are empty mappings, as in Salt.
    pub default: Option<String>,
    /// Renderers that are passed over (`renderer_blacklist`).
    pub refused: Vec<String>,
    /// The only ones that are not (`renderer_whitelist`); empty for all.
    pub allowed: Vec<String>,
}

/// Which files keep the newline at their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// All or none.
    All(bool),
    /// Those whose path fits one of these.
    Globs(Vec<String>),
}

/// A branch that is a pillar of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The repository.
    pub url: Location,
    /// Branch, tag or commit.
    pub rev: String,
    /// The pillar root inside it.
    pub root: String,
    /// The environment it is.
    pub env: String,
}

/// A branch whose commit was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The tree at that commit.
    pub tree: Tree,
    /// The environment it is.
    pub env: String,
}

impl Opened {
    pub(super) fn files(&self) -> Files {
        Files::new(&self.tree, Which::Pillar)
    }
}

impl External {
    /// What went wrong with it, at its place in the settings.
    pub(crate) fn problem(&self, why: &str) -> Diagnostic {
        let (file, line, column) = &self.at;
        Diagnostic::error(format!("Failed to load ext_pillar {}: {why}", self.name))
            .in_file(file)
            .at(*line, *column)
    }

    /// What a program or a directory has for the oracle's host; `None` while that is not known yet.
    ///
    /// # Errors
    /// Why there is nothing.
    pub(super) fn data(&self, oracle: &Arc<Oracle>) -> Result<Option<Map<String, Json>>, String> {
        match &self.source {
            Source::Program(words) => program(oracle, words, self.name == "cmd_json"),
            Source::Folder {
                root,
                follow,
                keep_newline,
                template,
            } => {
                let mut found = folder(oracle, root, *follow, keep_newline)?;
                if let Some(render) = template {
                    render.all(oracle, &mut found, &format!("{root}/…"))?;
                }
                Ok(Some(found))
            }
            Source::Git(_) => Ok(Some(Map::new())),
        }
    }
}

fn program(oracle: &Oracle, words: &[String], json: bool) -> Result<Option<Map<String, Json>>, String> {
    let words = words.iter().map(|word| word.replace("%s", &oracle.minion));
    let output = match oracle.look(Lookup::Program(words.collect())) {
        None => return Ok(None),
        Some(output) => output?,
    };
    let text = output.as_str().unwrap_or_default();
    let data = if json {
        serde_json::from_str(text).map_err(|error| format!("its output is not JSON: {error}"))?
    } else {
        yaml::load_plain(text).map_err(|error| format!("its output is not YAML: {error}"))?
    };
    match data {
        Json::Object(map) => Ok(Some(map)),
        Json::Null => Ok(Some(Map::new())),
        _ => Err("its output is not a mapping".to_owned()),
    }
}

fn folder(oracle: &Oracle, root: &str, follow: bool, keep: &Keep) -> Result<Map<String, Json>, String> {
    let mut all = Map::new();
    let mut lay = |below: String| {
        let lookup = Lookup::Folder {
            path: format!("{root}/{below}"),
            follow,
        };
        if let Some(found) = oracle.look(lookup)
            && let Json::Object(mut found) = found?
        {
            trim(&mut found, ".", keep);
            data::update(&mut all, &found, Lists::Replace);
        }
        Ok::<_, String>(())
    };
    for group in oracle.options.nodegroups.keys() {
        let meant = oracle.selects("nodegroup", &Json::String(group.clone()));
        let claimed = || {
            format!("nodegroup {group} depends on a grain that only the host claims: assert it in the roster")
        };
        if meant.map_err(|error| error.unwrap_or_else(claimed))? {
            lay(format!("nodegroups/{group}"))?;
        }
    }
    lay(format!("hosts/{}", oracle.minion))?;
    Ok(all)
}

impl Render {
    /// Renders every text below a node; `path` leads to it.
    fn all(&self, oracle: &Arc<Oracle>, node: &mut Map<String, Json>, path: &str) -> Result<(), String> {
        for (name, value) in node {
            let path = format!("{path}/{name}");
            match value {
                Json::Object(below) => self.all(oracle, below, &path)?,
                Json::String(text) => *value = self.one(oracle, text, &path)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn one(&self, oracle: &Arc<Oracle>, text: &str, path: &str) -> Result<Json, String> {
        let first = text.lines().next().unwrap_or_default();
        let asked = first.strip_prefix("#!").filter(|rest| !rest.starts_with('/'));
        let Some(asked) = asked
            .or(self.default.as_deref())
            .filter(|_| !text.trim().is_empty())
        else {
            return Ok(Json::Object(Map::new()));
        };
        let may = |name: &&str| {
            let name = name.split_whitespace().next().unwrap_or_default();
            let named = |list: &[String]| list.iter().any(|one| one == name);
            !named(&self.refused) && (self.allowed.is_empty() || named(&self.allowed))
        };
        let pipe: Vec<&str> = asked.split('|').filter(may).collect();
        if pipe.is_empty() {
            return Ok(Json::Object(Map::new()));
        }
        let stages =
            stages("", &pipe.join("|")).map_err(|none| format!("{path}: {}; {}", none.message, none.help))?;
        let mut renderer = Renderer::new(oracle.clone());
        let subject = Subject {
            env: "base",
            path,
            full: path,
            sls: "",
            failed: format!("Rendering {path} failed"),
            vars: Map::new(),
        };
        let plain = stages
            .iter()
            .all(|stage| !matches!(stage, Stage::Yaml | Stage::Json));
        match renderer.staged(text.into(), stages, &subject) {
            // What was not made data is text, also when it is blank.
            Ok((node, _)) => match node.into_json() {
                Json::Null if plain => Ok(Json::String(String::new())),
                value => Ok(value),
            },
            Err(problem) => Err(match problem.line {
                Some(line) => format!("{}; line {line}", problem.message),
                None => problem.message,
            }),
        }
    }
}

/// Takes the last newline off the files that do not keep it.
fn trim(node: &mut Map<String, Json>, prefix: &str, keep: &Keep) {
    for (name, value) in node {
        match value {
            Json::Object(below) => {
                let prefix = if prefix == "." {
                    name.clone()
                } else {
                    format!("{prefix}/{name}")
                };
                trim(below, &prefix, keep);
            }
            Json::String(text) => {
                let path = format!("{prefix}/{name}");
                let kept = match keep {
                    Keep::All(all) => *all,
                    Keep::Globs(globs) => globs.iter().any(|glob| fnmatch(&path, glob)),
                };
                if !kept && text.ends_with('\n') {
                    text.pop();
                }
            }
            _ => {}
        }
    }
}
