//! Pillar: the same compile on another root, merged to one mapping (salt-semantics section 3).
//!
//! `select` reads the top file, `sls` renders one document with what it includes, `merge` lays one over another,
//! `external` adds what the settings name beside the tree, `decrypt` opens what `decrypt_pillar` names.
//! What is compiled here is data of one host. Whether a host may see it is decided by the top file alone, by what
//! the master knows of the host (requirement C3).

mod decrypt;
pub mod external;
mod merge;
mod select;
mod sls;
mod trail;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::compile::diagnostic::Diagnostic;
use crate::compile::oracle::Oracle;
use crate::compile::render::Renderer;

use external::{External, Source};
use merge::Merge;
pub(crate) use select::MALFORMED;
use select::Selected;
use sls::Documents;
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
    let mut build = Build {
        merge: Merge::of(&options),
        problems: Vec::new(),
        warnings: Vec::new(),
        errors: Vec::new(),
        trail,
    };
    let mut pillar = Map::new();
    let first = options.flag("ext_pillar_first", false);
    if first {
        build.external(oracle, &mut pillar, over);
    }
    let (own, documents, lost) = if first {
        // Documents and targets see the external pillar.
        let seeing = Arc::new(oracle.on(oracle.files.clone(), Json::Object(pillar.clone())));
        let made = build.documents(&seeing);
        oracle.absorb(&seeing);
        made
    } else {
        build.documents(oracle)
    };
    build.merge.lay(&mut pillar, own);
    if !first {
        build.external(oracle, &mut pillar, over);
    }
    build.errors.extend(lost);
    if options.flag("pillar_opts", false) {
        let mut master = oracle.opts.as_ref().clone();
        master.insert("saltversion".to_owned(), env!("CARGO_PKG_VERSION").into());
        pillar.insert("master".to_owned(), master.into());
    }
    if !build.errors.is_empty() {
        pillar.insert("_errors".to_owned(), build.errors.clone().into());
    }
    if let Some(over) = over {
        build.merge.lay(&mut pillar, over.clone());
        if let Some(trail) = &mut build.trail {
            trail.command_line(over);
        }
    }
    for failed in decrypt::decrypt(oracle, &mut pillar) {
        build
            .problems
            .push(documents.problem_at(&failed.path, &failed.message));
        if let Json::Array(errors) = pillar.entry("_errors").or_insert_with(|| Json::Array(Vec::new())) {
            errors.push(failed.message.into());
        }
    }
    let made = Pillar {
        data: Json::Object(pillar),
        problems: build.problems,
        warnings: build.warnings,
    };
    (made, build.trail)
}

/// One pillar being made.
struct Build {
    merge: Merge,
    problems: Vec<Diagnostic>,
    warnings: Vec<Diagnostic>,
    /// Salt's texts for `_errors`.
    errors: Vec<String>,
    trail: Option<Trail>,
}

impl Build {
    /// The documents that the top file of the oracle's files means; what they were written in; what Salt says of the
    /// top file, which it tells last.
    fn documents(&mut self, oracle: &Arc<Oracle>) -> (Map<String, Json>, Documents, Vec<String>) {
        let mut documents = Documents::new(Renderer::new(oracle.clone()), self.merge, self.trail.take());
        let Selected {
            names,
            optional,
            errors: lost,
        } = select::select(&mut documents);
        documents.optional = optional;
        let mut pillar = Map::new();
        for (env, names) in names {
            documents.environment(&env, &names, &mut pillar, &mut self.errors);
        }
        self.problems.append(&mut documents.problems);
        self.warnings.append(&mut documents.renderer.warnings);
        self.trail = documents.trail.take();
        (pillar, documents, lost)
    }

    /// Lays what `ext_pillar` names over the pillar, the command line's below it.
    fn external(
        &mut self,
        oracle: &Arc<Oracle>,
        pillar: &mut Map<String, Json>,
        over: Option<&Map<String, Json>>,
    ) {
        let options = oracle.options.clone();
        if options.own.external.is_empty() {
            return;
        }
        if let Some(over) = over {
            self.merge.lay(pillar, over.clone());
        }
        let mut opened = options.own.branches.iter();
        for one in &options.own.external {
            let found = match &one.source {
                Source::Git(branches) => self.branches(oracle, opened.by_ref().take(branches.len())),
                _ => self.source(oracle, one),
            };
            if !found.is_empty() {
                self.merge.lay(pillar, found);
            }
        }
    }

    fn source(&mut self, oracle: &Arc<Oracle>, one: &External) -> Map<String, Json> {
        match one.data(oracle) {
            Ok(found) => found.unwrap_or_default(),
            Err(why) => {
                let problem = one.problem(&why);
                self.errors.push(problem.message.clone());
                self.problems.push(problem);
                Map::new()
            }
        }
    }

    /// Pillars of git branches, each compiled by its own top file.
    fn branches<'a>(
        &mut self,
        oracle: &Arc<Oracle>,
        branches: impl Iterator<Item = &'a external::Opened>,
    ) -> Map<String, Json> {
        let mut all = Map::new();
        let only = oracle.options.text("pillarenv").map(str::to_owned);
        for branch in branches.filter(|branch| only.as_ref().is_none_or(|only| *only == branch.env)) {
            let within = Arc::new(oracle.on(branch.files(), Json::Object(Map::new())));
            let (found, _, lost) = self.documents(&within);
            self.errors.extend(lost);
            oracle.absorb(&within);
            self.merge.lay(&mut all, found);
        }
        all
    }
}
