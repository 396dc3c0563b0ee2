//! What a host tells the mine (Salt's mine): the functions that `mine_functions` names, in the settings or the pillar.
//!
//! They are called like any function of a template: the host is asked with everything else, and its catalog depends on
//! the answers, so that they are fresh after every contact and cost no trip of their own. Who asks for them is
//! `functions::mine`.

use serde_json::{Map, Value as Json, json};

use super::diagnostic::Diagnostic;
use super::oracle::Oracle;
use super::python;

/// What is told, by function or alias: `{"value": …}` with `allow_tgt` and `allow_tgt_type` where they are given.
/// A function that fails is left out, with a warning, as under Salt.
pub(super) fn told(oracle: &Oracle, warnings: &mut Vec<Diagnostic>) -> Map<String, Json> {
    let mut told = Map::new();
    let merged = oracle.call("config.merge", &["mine_functions".into(), json!({})], &Map::new());
    let wanted = match merged {
        Ok(Json::Object(wanted)) => wanted,
        Ok(Json::Array(names)) => names
            .iter()
            .map(|name| (python::text(name), Json::Null))
            .collect(),
        _ => return told,
    };
    for (name, definition) in wanted {
        let call = Definition::of(&name, definition);
        match oracle.call(&call.function, &call.args, &call.kwargs) {
            Ok(value) => {
                let mut one = call.allowed;
                one.insert("value".to_owned(), value);
                told.insert(name, one.into());
            }
            Err(reason) => warnings.push(
                Diagnostic::warning(format!("nothing of `{name}` goes into the mine: {reason}"))
                    .with_help("see `mine_functions` in the pillar or the settings"),
            ),
        }
    }
    told
}

/// An entry of `mine_functions`: a list of arguments, or a mapping of them; `mine_function` names the function of an
/// alias.
struct Definition {
    function: String,
    args: Vec<Json>,
    kwargs: Map<String, Json>,
    allowed: Map<String, Json>,
}

impl Definition {
    fn of(name: &str, definition: Json) -> Self {
        let (mut args, mut kwargs) = (Vec::new(), Map::new());
        match definition {
            Json::Object(named) => kwargs = named,
            Json::Array(items) => {
                for item in items {
                    match item {
                        Json::Object(named) => kwargs.extend(named),
                        other => args.push(other),
                    }
                }
            }
            _ => {}
        }
        let function = kwargs.shift_remove("mine_function");
        let allowed = ["allow_tgt", "allow_tgt_type"]
            .into_iter()
            .filter_map(|key| Some((key.to_owned(), kwargs.shift_remove(key)?)))
            .collect();
        Self {
            function: function.map_or_else(|| name.to_owned(), |function| python::text(&function)),
            args,
            kwargs,
            allowed,
        }
    }
}
