//! Arguments of a call, bound to the function's parameters as Python binds them.

use std::collections::VecDeque;

use serde_json::{Map, Value as Json};

use super::reference::{Entry, Param};
use crate::compile::diagnostic::nearest;
use crate::compile::python;

/// Arguments by parameter; what goes beyond them is in [`Args::rest`] and [`Args::rest_named`].
pub(crate) struct Args {
    name: &'static str,
    bound: Map<String, Json>,
    rest: VecDeque<Json>,
    others: Map<String, Json>,
}

/// How an exception of Python's about arguments is known: such a one is not the function's own.
pub(crate) fn is_misuse(message: &str) -> bool {
    [
        "required positional argument",
        "unexpected keyword argument",
        "positional arguments but",
        "multiple values for argument",
    ]
    .iter()
    .any(|part| message.contains(part))
}

impl Args {
    /// Binds arguments.
    ///
    /// # Errors
    /// Python's sentence about an argument that is missing, unknown or too many.
    pub(crate) fn bind(
        entry: &'static Entry,
        positional: &[Json],
        named: &Map<String, Json>,
    ) -> Result<Self, String> {
        let name = entry.name;
        let mut given: VecDeque<Json> = positional.iter().cloned().collect();
        let mut named = named.clone();
        let (mut bound, mut rest, mut others) = (Map::new(), VecDeque::new(), None);
        let (mut known, mut missing): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
        let (mut needed, mut places, mut many) = (0, 0, false);
        for param in entry.params() {
            let key = match param {
                Param::Many => {
                    many = true;
                    rest = std::mem::take(&mut given);
                    continue;
                }
                Param::Others => {
                    others = Some(());
                    continue;
                }
                Param::Required(key) | Param::Optional(key) => key,
            };
            known.push(key);
            if !many {
                places += 1;
                needed += usize::from(matches!(param, Param::Required(_)));
            }
            match (given.pop_front(), named.shift_remove(key)) {
                (Some(_), Some(_)) => {
                    return Err(format!("{name}() got multiple values for argument '{key}'"));
                }
                (Some(value), None) | (None, Some(value)) => {
                    bound.insert(key.to_owned(), value);
                }
                (None, None) if matches!(param, Param::Required(_)) => missing.push(key),
                (None, None) => {}
            }
        }
        if others.is_none()
            && let Some(key) = named.keys().find(|key| !key.starts_with("__pub_"))
        {
            let near = nearest(key, known.iter().copied())
                .map(|near| format!("; did you mean '{near}'?"))
                .unwrap_or_default();
            return Err(format!(
                "{name}() got an unexpected keyword argument '{key}'{near}"
            ));
        }
        if !given.is_empty() {
            let from = if needed == places {
                format!("takes {places} positional arguments")
            } else {
                format!("takes from {needed} to {places} positional arguments")
            };
            return Err(format!("{name}() {from} but {} were given", positional.len()));
        }
        if !missing.is_empty() {
            let names: Vec<String> = missing.iter().map(|key| format!("'{key}'")).collect();
            let many = if names.len() == 1 { "" } else { "s" };
            return Err(format!(
                "{name}() missing {} required positional argument{many}: {}",
                names.len(),
                names.join(" and ")
            ));
        }
        Ok(Self {
            name,
            bound,
            rest,
            others: named,
        })
    }

    /// The function's name.
    pub(crate) const fn function(&self) -> &'static str {
        self.name
    }

    /// A parameter, if given.
    pub(crate) fn next(&mut self, name: &str) -> Option<Json> {
        self.bound.shift_remove(name)
    }

    /// A parameter, if given and not null.
    pub(crate) fn some(&mut self, name: &str) -> Option<Json> {
        self.next(name).filter(|value| !value.is_null())
    }

    /// A parameter, which must be given.
    pub(crate) fn required(&mut self, name: &str) -> Result<Json, String> {
        self.next(name)
            .ok_or_else(|| format!("{}() missing 1 required positional argument: '{name}'", self.name))
    }

    /// A parameter as text; numbers are their text.
    pub(crate) fn text(&mut self, name: &str) -> Result<String, String> {
        self.required(name).map(|value| python::text(&value))
    }

    /// A parameter as text, if given and not null.
    pub(crate) fn text_or(&mut self, name: &str, default: &str) -> String {
        self.some(name)
            .map_or_else(|| default.to_owned(), |value| python::text(&value))
    }

    /// A parameter as a truth value.
    pub(crate) fn flag(&mut self, name: &str, default: bool) -> bool {
        self.next(name).map_or(default, |value| python::truth(&value))
    }

    /// A parameter as a whole number.
    pub(crate) fn number(&mut self, name: &str, default: i64) -> Result<i64, String> {
        match self.some(name) {
            None => Ok(default),
            Some(Json::Number(number)) if number.is_i64() => Ok(number.as_i64().unwrap_or(default)),
            Some(Json::String(text)) if text.trim().parse::<i64>().is_ok() => {
                Ok(text.trim().parse().unwrap_or(default))
            }
            Some(other) => Err(format!(
                "{}: {name} must be a whole number, not {}",
                self.name,
                python::repr(&other)
            )),
        }
    }

    /// A parameter as texts: a list, or one text with commas.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        match self.some(name) {
            None => Vec::new(),
            Some(Json::Array(items)) => items.iter().map(python::text).collect(),
            Some(one) => python::text(&one)
                .split(',')
                .map(|word| word.trim().to_owned())
                .filter(|word| !word.is_empty())
                .collect(),
        }
    }

    /// All that is left, by place.
    pub(crate) fn rest(&mut self) -> Vec<Json> {
        self.rest.drain(..).collect()
    }

    /// All that is left, by place, as texts.
    pub(crate) fn rest_texts(&mut self) -> Vec<String> {
        self.rest().iter().map(python::text).collect()
    }

    /// All that is left, by name.
    pub(crate) fn rest_named(&mut self) -> Map<String, Json> {
        std::mem::take(&mut self.others)
    }
}

/// The parameter as a mapping.
pub(crate) fn mapping(value: Json, what: &str) -> Result<Map<String, Json>, String> {
    match value {
        Json::Object(map) => Ok(map),
        other => Err(format!(
            "{what} must be a dictionary, not {}",
            python::type_name(&other)
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn bind(name: &str, positional: &Json, named: &Json) -> Result<Args, String> {
        let entry = super::super::reference::find(name).expect("a function");
        Args::bind(
            entry,
            positional.as_array().expect("a list"),
            named.as_object().expect("a mapping"),
        )
    }

    #[test]
    fn arguments_are_bound_as_python_does() {
        let mut args =
            bind("pillar.get", &json!(["a"]), &json!({"default": 5})).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(
            (args.next("key"), args.next("default")),
            (Some(json!("a")), Some(json!(5)))
        );
        let mut args =
            bind("test.arg", &json!([1, 2]), &json!({"k": 3})).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!((args.rest().len(), args.rest_named().len()), (2, 1));
    }

    #[test]
    fn misuse_names_the_parameter() {
        for (positional, named, want) in [
            (
                json!([]),
                json!({}),
                "pillar.get() missing 1 required positional argument: 'key'",
            ),
            (
                json!(["a"]),
                json!({"defualt": 1}),
                "pillar.get() got an unexpected keyword argument 'defualt'; did you mean 'default'?",
            ),
            (
                json!(["a"]),
                json!({"key": 1}),
                "pillar.get() got multiple values for argument 'key'",
            ),
            (
                json!([1, 2, 3, 4, 5, 6, 7, 8, 9]),
                json!({}),
                "pillar.get() takes from 1 to 8 positional arguments but 9 were given",
            ),
        ] {
            let why = bind("pillar.get", &positional, &named).err();
            assert_eq!(why.as_deref(), Some(want));
            assert!(is_misuse(want), "{want}");
        }
    }
}
