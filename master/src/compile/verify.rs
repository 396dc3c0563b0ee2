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
                    .with_help("write the id in quotes"),
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
                let help = format!("write `{id}: {name}`, or `{name}: []`");
                return self
                    .problems
                    .push(self.sources.error(module.at, message).with_help(help));
            }
            Body::Odd => {
                let message = format!("State '{id}' in SLS '{sls}' is not formed as a list");
                let help = format!("arguments are a list: put `- ` before each below `{name}:`");
                return self
                    .problems
                    .push(self.sources.error(module.at, message).with_help(help));
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
                        let (first, rest) = fun.trim().split_once(' ').unwrap_or((fun, ""));
                        let help = format!("write `- {first}: {}`", rest.trim());
                        self.problems
                            .push(self.sources.error(arg.at, message).with_help(help));
                    }
                }
                ArgKind::Map(entries) => self.argument(entries),
                ArgKind::Odd => {}
            }
        }
        if funs.is_empty() {
            let message = format!("No function declared in state '{id}' in SLS '{sls}'");
            let known = states::STATES.iter().map(|state| state.spec());
            let mut of: Vec<&str> = known
                .filter(|spec| spec.state == name)
                .map(|spec| spec.fun)
                .collect();
            of.truncate(3);
            let help = match of.as_slice() {
                [] => format!("there is no state module `{name}`; see `salt-rs doc`"),
                some => format!(
                    "write `{name}.{}:`; see `salt-rs doc {name}`",
                    some.join(&format!(":`, `{name}."))
                ),
            };
            self.problems
                .push(self.sources.error(declared.at, message).with_help(help));
        } else if funs.len() > 1 {
            let message = format!(
                "Too many functions declared in state '{id}' in SLS '{sls}'. Please choose one of the following: {}",
                funs.join(", ")
            );
            let help = "one state has one function; an argument needs its `:`";
            self.problems
                .push(self.sources.error(module.at, message).with_help(help));
        }
    }

    fn argument(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        let Self { id, sls, .. } = *self;
        if first.key == "names" && !first.value.is_array() {
            let message =
                format!("The 'names' argument in state '{id}' in SLS '{sls}' needs to be formed as a list");
            self.problems.push(
                self.sources
                    .error(first.at, message)
                    .with_help("put `- ` before each name"),
            );
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
                let help = format!("write `- {}:` and below it `  - module: id`", first.key);
                self.problems
                    .push(self.sources.error(first.at, message).with_help(help));
            }
        }
        if entries.len() != 1 {
            let message = format!("Multiple dictionaries defined in argument of state '{id}' in SLS '{sls}'");
            let second = entries.get(1).map_or("", |entry| entry.key.as_str());
            let help = format!("put `- ` before `{second}`, in the column of `- {}`", first.key);
            self.problems
                .push(self.sources.error(first.at, message).with_help(help));
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
            let help = "write one `- module: id` for each";
            return self
                .problems
                .push(self.sources.error(at, message).with_help(help));
        };
        if let Some((short, _)) = key.split_once('.') {
            let message = format!(
                "Invalid requisite type '{key}' in state '{id}', in SLS '{sls}'. Requisite types must not contain dots, did you mean '{short}'?"
            );
            let help = format!("write `- {short}: {}`", python::text(value));
            self.problems
                .push(self.sources.error(at, message).with_help(help));
        }
        if value.is_array() || value.is_object() {
            let message = format!(
                "Illegal requisite \"{}\" in SLS \"{sls}\", please check your syntax.\n",
                python::text(value)
            );
            let help = "behind the module stands one id or name";
            self.problems
                .push(self.sources.error(at, message).with_help(help));
        }
    }
}
