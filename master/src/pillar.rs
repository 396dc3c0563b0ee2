//! Pillar: the same compile on another root, merged to one mapping (salt-semantics section 3).
//!
//! `select` reads the top file, `sls` renders one document with what it includes, `merge` lays one over another.
//! What is compiled here is data of one host. Whether a host may see it is decided by the top file alone, by what
//! the master knows of the host (requirement C3).

mod merge;
mod select;
mod sls;
mod trail;

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use crate::compile::diagnostic::Diagnostic;
use crate::compile::oracle::Oracle;
use crate::compile::render::Renderer;

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
    let merge = Merge::of(&options);
    let mut documents = Documents::new(Renderer::new(oracle.clone()), merge, trail);
    let Selected {
        names,
        optional,
        errors: lost,
    } = select::select(&mut documents);
    documents.optional = optional;
    let mut pillar = Map::new();
    let mut errors = Vec::new();
    for (env, names) in names {
        documents.environment(&env, &names, &mut pillar, &mut errors);
    }
    errors.extend(lost);
    if options.flag("pillar_opts", false) {
        let mut master = oracle.opts.clone();
        master.insert("saltversion".to_owned(), env!("CARGO_PKG_VERSION").into());
        pillar.insert("master".to_owned(), master.into());
    }
    if !errors.is_empty() {
        pillar.insert("_errors".to_owned(), errors.into());
    }
    if let Some(over) = over {
        merge.lay(&mut pillar, over.clone());
        if let Some(trail) = &mut documents.trail {
            trail.command_line(over);
        }
    }
    let pillar = Pillar {
        data: Json::Object(pillar),
        problems: documents.problems,
        warnings: documents.renderer.warnings,
    };
    (pillar, documents.trail)
}
