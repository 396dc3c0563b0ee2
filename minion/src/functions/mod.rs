//! Execution functions: Salt's `module.function` calls, for templates, guards and `salt-rs call`. They read; only `cmd.*` runs what it
//! is told. One module per file, each with a table of its functions. What each does stands in the master's reference.

mod args;
mod cmd;
mod disk;
mod file;
mod grains;
mod group;
mod mysql;
mod network;
mod pkg;
mod service;
mod status;
mod sys;
mod test;
mod user;

use proto::question::Call;
use serde_json::Value as Json;

use crate::live::Live;
pub use args::Args;

/// One execution function.
#[derive(Debug)]
pub struct Function {
    /// `module.function`.
    pub name: &'static str,
    /// Its parameters as Salt writes them.
    pub params: &'static str,
    /// Does it.
    pub run: fn(&mut Live, &Args) -> Result<Json, String>,
}

/// All functions, by module, in the order of the reference.
pub static MODULES: &[&[Function]] = &[
    cmd::FUNCTIONS,
    disk::FUNCTIONS,
    file::FUNCTIONS,
    grains::FUNCTIONS,
    group::FUNCTIONS,
    mysql::FUNCTIONS,
    network::FUNCTIONS,
    pkg::FUNCTIONS,
    service::FUNCTIONS,
    status::FUNCTIONS,
    sys::FUNCTIONS,
    test::FUNCTIONS,
    user::FUNCTIONS,
];

/// All functions.
pub fn all() -> impl Iterator<Item = &'static Function> {
    MODULES.iter().flat_map(|functions| functions.iter())
}

/// Calls a function; `None` when there is none of that name.
///
/// # Errors
/// What Salt would have raised, for people.
pub fn call(live: &mut Live, call: &Call) -> Option<Result<Json, String>> {
    let function = all().find(|function| function.name == call.fun)?;
    let args = Args::read(function, call);
    Some((function.run)(live, &args))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::testing::{self, Host};
    use std::collections::{BTreeMap, BTreeSet};

    /// Calls with JSON arguments, mappings last as keywords.
    pub(super) fn run(host: &mut Host, fun: &str, args: Json, kwargs: Json) -> Result<Json, String> {
        let texts = |values: &Json| -> Vec<String> {
            values
                .as_array()
                .into_iter()
                .flatten()
                .map(Json::to_string)
                .collect()
        };
        let kwargs: BTreeMap<String, String> = kwargs
            .as_object()
            .into_iter()
            .flatten()
            .map(|(key, value)| (key.clone(), value.to_string()))
            .collect();
        let ask = Call {
            fun: fun.to_owned(),
            args: texts(&args),
            kwargs,
        };
        call(&mut host.live, &ask).expect("a known function")
    }

    #[test]
    fn the_table_is_sound() {
        let names: Vec<&str> = all().map(|function| function.name).collect();
        let unique: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(unique.len(), names.len());
        for function in all() {
            let (module, name) = function.name.split_once('.').expect("module.function");
            assert!(!module.is_empty() && !name.is_empty(), "{}", function.name);
        }
        let mut host = testing::host();
        let unknown = Call {
            fun: "no.such".to_owned(),
            args: Vec::new(),
            kwargs: BTreeMap::new(),
        };
        assert!(call(&mut host.live, &unknown).is_none());
    }
}
