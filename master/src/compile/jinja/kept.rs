//! Parsed templates, kept from one render to the next: a map file is imported by every sls of its formula, for every
//! host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::JinjaEnv;
use super::error::Res;
use super::parse::ast::Tree;
use super::parse::parse;

/// Longest text whose tree is kept. Templates are short; what is longer is data, and read once.
const LONGEST: usize = 256 << 10;

/// One tree for each file. What a file said before is replaced, so they are no more than there are files.
#[derive(Debug, Default)]
pub struct Kept {
    trees: Mutex<HashMap<Arc<str>, Known>>,
}

#[derive(Debug)]
struct Known {
    text: Arc<str>,
    env: JinjaEnv,
    tree: Arc<Tree>,
}

impl Kept {
    /// The tree of a text, parsed now unless it is known.
    pub(super) fn tree(&self, text: &str, file: &Arc<str>, env: &JinjaEnv, depth: usize) -> Res<Arc<Tree>> {
        let mut trees = self.trees.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = trees
            .get(file)
            .filter(|known| *known.text == *text && known.env == *env)
        {
            return Ok(known.tree.clone());
        }
        let tree = Arc::new(parse(text, file, env, None, depth)?);
        if text.len() <= LONGEST {
            let known = Known {
                text: Arc::from(text),
                env: env.clone(),
                tree: tree.clone(),
            };
            trees.insert(file.clone(), known);
        }
        Ok(tree)
    }
}
