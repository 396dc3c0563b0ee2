//! Arguments of a call, found by place or by name, read as loosely as Salt reads them.

use proto::question::Call;
use serde_json::{Map, Value as Json};
use states::args::{plain, truth};

use super::Function;

/// Arguments by name; those beyond the function's parameters stay in [`Args::rest`].
#[derive(Debug, Default)]
pub struct Args {
    named: Map<String, Json>,
    /// All positional arguments, for functions that take any number.
    pub rest: Vec<Json>,
}

impl Args {
    /// Reads the JSON texts of a call; a text that is no JSON is itself.
    pub fn read(function: &Function, call: &Call) -> Self {
        let value = |text: &String| {
            serde_json::from_slice(text.as_bytes()).unwrap_or_else(|_| Json::String(text.clone()))
        };
        let rest: Vec<Json> = call.args.iter().map(value).collect();
        let mut named: Map<String, Json> = function
            .params
            .split(", ")
            .filter(|name| !name.is_empty() && !name.starts_with('*'))
            .map(|name| name.split('=').next().unwrap_or(name).to_owned())
            .zip(rest.iter().cloned())
            .collect();
        named.extend(call.kwargs.iter().map(|(key, text)| (key.clone(), value(text))));
        Self { named, rest }
    }

    /// An argument that is there and not null.
    pub fn any(&self, name: &str) -> Option<&Json> {
        self.named.get(name).filter(|value| !value.is_null())
    }

    /// All named arguments.
    pub fn named(&self) -> &Map<String, Json> {
        &self.named
    }

    /// An argument as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.any(name).map(plain)
    }

    /// An argument that must be there, as text.
    ///
    /// # Errors
    /// It is missing, said as Python says it.
    pub fn need(&self, name: &str) -> Result<String, String> {
        self.text(name)
            .ok_or_else(|| format!("missing 1 required positional argument: '{name}'"))
    }

    /// Whether an argument is true as Python sees it.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.any(name).map_or(default, truth)
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.any(name)? {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// All positional arguments as texts.
    pub fn texts(&self) -> Vec<String> {
        self.rest.iter().map(plain).collect()
    }
}
