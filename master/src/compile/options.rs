//! Salt's own options, as far as they change what is compiled.

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};

use super::data::Lists;
use super::lookup::Known;
use super::python;
use crate::pillar::external::{External, Opened};

/// Options of a tree.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Salt's options by Salt's names, and any others a tree reads with `config.get`.
    pub salt: Map<String, Json>,
    /// Node groups: name to the words of a compound target.
    pub nodegroups: IndexMap<String, Vec<String>>,
    /// Whether a grain that only the host claims may select pillar (requirement C3).
    pub pillar_from_host_grains: bool,
    /// What the master adds of its own.
    pub own: Own,
}

/// Data from beside the tree.
#[derive(Debug, Clone, Default)]
pub struct Own {
    /// `ext_pillar` in its order.
    pub external: Vec<External>,
    /// The branches it names, opened, in the same order.
    pub branches: Vec<Opened>,
    /// What the master answered so far.
    pub known: Known,
}

impl Options {
    /// A truth value.
    pub(crate) fn flag(&self, name: &str, default: bool) -> bool {
        self.salt.get(name).map_or(default, python::truth)
    }

    /// A text; anything else counts as not given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.salt
            .get(name)
            .and_then(Json::as_str)
            .filter(|text| !text.is_empty())
    }

    /// A list of texts, or one text.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        match self.salt.get(name) {
            Some(Json::String(one)) => vec![one.clone()],
            Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }

    /// The configuration as `opts` shows it.
    pub(crate) fn opts(&self, minion: &str) -> Map<String, Json> {
        let mut all = Map::new();
        all.insert("id".to_owned(), minion.into());
        all.insert("saltenv".to_owned(), Json::Null);
        all.insert("pillarenv".to_owned(), Json::Null);
        all.insert("file_client".to_owned(), "local".into());
        all.insert("test".to_owned(), false.into());
        all.extend(self.salt.clone());
        all
    }

    /// What `pillar_merge_lists` does to lists.
    pub(crate) fn pillar_lists(&self) -> Lists {
        if self.flag("pillar_merge_lists", false) {
            Lists::Join
        } else {
            Lists::Replace
        }
    }
}
