//! Checks on high data before it becomes chunks. The texts are Salt's (salt-semantics section 5).

use serde_json::{Value as Json, json};

use super::diagnostic::Diagnostic;
use super::high::{ArgKind, Body, Declared, Entry, High, Module, REQUISITES};
use super::place::{Place, Sources};
use super::python;

/// Everything that is wrong with the form of declarations.
pub(crate) fn verify(high: &High, sources: &Sources) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (id, declared) in &high.ids {
        if let Some(kind) = declared.odd_id {
            let message = format!(
                "ID '{id}' in SLS '{}' is not formed as a string, but is type {kind}. It may need to be quoted.",
                declared.sls
            );
            problems.push(
                sources
                    .error(declared.at, message)
                    .with_help(format!("write '{id}' in quotes")),
            );
        }
        for (name, module) in &declared.modules {
            let mut check = Check {
                id,
                sls: &declared.sls,
                sources,
                problems: &mut problems,
            };
            check.module(name, module, declared);
        }
    }
    problems
}

struct Check<'a> {
    id: &'a str,
    sls: &'a str,
    sources: &'a Sources,
    problems: &'a mut Vec<Diagnostic>,
}

impl Check<'_> {
    fn module(&mut self, name: &str, module: &Module, declared: &Declared) {
        let Self { id, sls, .. } = *self;
        let args = match &module.body {
            Body::List(args) => args,
            Body::Nothing => {
                let message = format!(
                    "ID '{id}' in SLS '{sls}' contains a short declaration ({name}) with a trailing colon. When not passing any arguments to a state, the colon must be omitted."
                );
                return self.problems.push(self.sources.error(module.at, message));
            }
            Body::Odd => {
                let message = format!("State '{id}' in SLS '{sls}' is not formed as a list");
                return self.problems.push(self.sources.error(module.at, message));
            }
        };
        let mut funs: Vec<&str> = name.split_once('.').map(|(_, fun)| fun).into_iter().collect();
        for arg in args {
            match &arg.what {
                ArgKind::Fun(fun) => {
                    funs.push(fun);
                    if fun.trim().contains(' ') {
                        let message = format!(
                            "The function \"{fun}\" in state \"{id}\" in SLS \"{sls}\" has whitespace, a function with whitespace is not supported, perhaps this is an argument that is missing a \":\""
                        );
                        self.problems.push(self.sources.error(arg.at, message));
                    }
                }
                ArgKind::Map(entries) => self.argument(entries),
                ArgKind::Odd => {}
            }
        }
        if funs.is_empty() {
            let message = format!("No function declared in state '{id}' in SLS '{sls}'");
            self.problems.push(self.sources.error(declared.at, message));
        } else if funs.len() > 1 {
            let message = format!(
                "Too many functions declared in state '{id}' in SLS '{sls}'. Please choose one of the following: {}",
                funs.join(", ")
            );
            self.problems.push(self.sources.error(module.at, message));
        }
    }

    fn argument(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let Self { id, sls, .. } = *self;
        if first.key == "names" && !first.value.is_array() {
            let message =
                format!("The 'names' argument in state '{id}' in SLS '{sls}' needs to be formed as a list");
            self.problems.push(self.sources.error(first.at, message));
        }
        if !REQUISITES.contains(&first.key.as_str()) {
            return;
        }
        match &first.value {
            Json::Array(references) => {
                for (index, reference) in references.iter().enumerate() {
                    self.reference(first.item(index), reference);
                }
            }
            _ => {
                let message = format!(
                    "The {} statement in state '{id}' in SLS '{sls}' needs to be formed as a list",
                    first.key
                );
                self.problems.push(self.sources.error(first.at, message));
            }
        }
        if entries.len() != 1 {
            let message = format!("Multiple dictionaries defined in argument of state '{id}' in SLS '{sls}'");
            self.problems.push(self.sources.error(first.at, message));
        }
    }

    fn reference(&mut self, at: Place, reference: &Json) {
        let Self { id, sls, .. } = *self;
        let reference = match reference {
            Json::String(text) => &json!({ "id": text }),
            other => other,
        };
        let only = reference
            .as_object()
            .filter(|map| map.len() == 1)
            .and_then(|map| map.iter().next());
        let Some((key, value)) = only else {
            let message = format!(
                "Requisite declaration {} in state {id} in SLS {sls} is not formed as a single key dictionary",
                python::text(reference)
            );
            return self.problems.push(self.sources.error(at, message));
        };
        if let Some((short, _)) = key.split_once('.') {
            let message = format!(
                "Invalid requisite type '{key}' in state '{id}', in SLS '{sls}'. Requisite types must not contain dots, did you mean '{short}'?"
            );
            self.problems.push(self.sources.error(at, message));
        }
        if value.is_array() || value.is_object() {
            let message = format!(
                "Illegal requisite \"{}\" in SLS \"{sls}\", please check your syntax.\n",
                python::text(value)
            );
            self.problems.push(self.sources.error(at, message));
        }
    }
}
