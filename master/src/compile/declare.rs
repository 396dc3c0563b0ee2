//! Declarations of one rendered sls: from YAML to high data.
//!
//! Forms and error texts are Salt's (salt-semantics section 5). Whether functions and arguments exist is not
//! asked here.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::diagnostic::Diagnostic;
use super::high::{Arg, ArgKind, Body, Declared, Entry, Extension, High, Module, REQUISITES};
use super::place::{Place, Sources};
use super::yaml::{Mark, Node, Value};

/// The sls being read.
pub(crate) struct Reading<'a> {
    pub(crate) sls: &'a str,
    pub(crate) env: &'a str,
    pub(crate) source: u32,
    pub(crate) sources: &'a Sources,
    pub(crate) problems: &'a mut Vec<Diagnostic>,
}

/// What one sls says.
pub(crate) struct Own {
    pub(crate) high: High,
    /// Entries of `include`, with their places.
    pub(crate) include: Vec<(Json, Place)>,
}

impl Reading<'_> {
    fn place(&self, mark: Mark) -> Place {
        Place {
            source: self.source,
            mark,
        }
    }

    fn error(&mut self, mark: Mark, message: String, help: &str) {
        let problem = self.sources.error(self.place(mark), message);
        self.problems.push(problem.with_help(help));
    }

    /// Reads a whole document; nothing, and anything Python takes for false, is no states.
    pub(crate) fn document(&mut self, node: Node) -> Own {
        let mut own = Own {
            high: High::default(),
            include: Vec::new(),
        };
        let entries = match node.value {
            Value::Map(entries) => entries,
            other if is_empty(&other) => return own,
            _ => {
                self.error(
                    node.at,
                    format!("SLS {} does not render to a dictionary", self.sls),
                    "an sls is a mapping of ids, such as `nginx:` with `pkg.installed: []` below it",
                );
                return own;
            }
        };
        for (key, body) in entries {
            match key.as_text() {
                Some("include") => self.include(body, &mut own.include),
                Some("extend") => self.extend(body, &mut own.high.extend),
                Some("exclude") => self.exclude(body, &mut own.high.exclude),
                Some(id) if id.starts_with("__") => {}
                _ => {
                    if let Some(declared) = self.declaration(&key, body) {
                        own.high.ids.insert(key.value.python_text(), declared);
                    }
                }
            }
        }
        own
    }

    fn include(&mut self, body: Node, into: &mut Vec<(Json, Place)>) {
        match body.value {
            Value::List(items) => {
                into.extend(items.into_iter().map(|item| {
                    let at = self.place(item.at);
                    (item.into_json(), at)
                }));
            }
            _ => self.error(
                body.at,
                format!("Include Declaration in SLS {} is not formed as a list", self.sls),
                "write `include:` and below it `  - ` before each name",
            ),
        }
    }

    fn exclude(&mut self, body: Node, into: &mut Vec<Json>) {
        match body.value {
            Value::List(items) => into.extend(items.into_iter().map(Node::into_json)),
            _ => self.error(
                body.at,
                format!("Exclude Declaration in SLS {} is not formed as a list", self.sls),
                "write `exclude:` and below it `  - id: name` or `  - sls: name`",
            ),
        }
    }

    fn extend(&mut self, body: Node, into: &mut Vec<Extension>) {
        let Value::Map(entries) = body.value else {
            return self.error(
                body.at,
                format!("Extension value in SLS '{}' is not a dictionary", self.sls),
                "write `extend:` and below it the ids with what is to be added",
            );
        };
        for (key, body) in entries {
            let id = key.value.python_text();
            let Value::Map(modules) = body.value else {
                self.error(
                    key.at,
                    format!("Extension name '{id}' in SLS '{}' is not a dictionary", self.sls),
                    "below the id stand state modules, such as `file:` with a list of arguments",
                );
                continue;
            };
            let modules = self.modules(modules, None);
            into.push(Extension {
                id,
                sls: self.sls.to_owned(),
                env: self.env.to_owned(),
                at: self.place(key.at),
                modules,
            });
        }
    }

    fn declaration(&mut self, key: &Node, body: Node) -> Option<Declared> {
        let at = self.place(key.at);
        let id = key.value.python_text();
        let odd_id = (!matches!(key.value, Value::Text(_))).then(|| key.value.type_name());
        let modules = match body.value {
            Value::Map(entries) => self.modules(entries, Some(&id)),
            Value::Text(short) if short.contains('.') => {
                let mut parts = short.split('.');
                let module = parts.next().unwrap_or_default().to_owned();
                let fun = parts.next().unwrap_or_default();
                let place = self.place(body.at);
                IndexMap::from([(module, Module::list(place, vec![Arg::fun(place, fun)]))])
            }
            _ => {
                self.error(
                    key.at,
                    format!("ID {id} in SLS {} is not a dictionary", self.sls),
                    "below an id stands a function, such as `pkg.installed: []`, or behind it, as in `nginx: pkg.installed`",
                );
                return None;
            }
        };
        Some(Declared {
            sls: self.sls.to_owned(),
            env: self.env.to_owned(),
            included_from: Vec::new(),
            at,
            modules,
            odd_id,
        })
    }

    /// Bodies by module; `mod.fun: [args]` becomes `mod: [args, fun]` and goes behind the others, as in Salt. `id`
    /// is given for declarations, where a module must not come twice.
    fn modules(&mut self, entries: Vec<(Node, Node)>, id: Option<&str>) -> IndexMap<String, Module> {
        let mut plain = IndexMap::new();
        let mut dotted: IndexMap<String, Module> = IndexMap::new();
        let mut seen: Vec<String> = Vec::new();
        for (key, body) in entries {
            let name = key.value.python_text();
            if name.starts_with('_') {
                continue;
            }
            let at = self.place(key.at);
            let module = Module {
                at,
                body: self.body(body),
            };
            let list = matches!(module.body, Body::List(_));
            match name.split_once('.') {
                Some((short, rest)) if list => {
                    let fun = rest.split('.').next().unwrap_or_default();
                    if let Some(id) = id
                        && seen.iter().any(|one| one == short)
                    {
                        self.error(
                            key.at,
                            format!(
                                "ID '{id}' in SLS '{}' contains multiple state declarations of the same type",
                                self.sls
                            ),
                            "give the second one an id of its own",
                        );
                        continue;
                    }
                    let mut module = module;
                    if let Some(args) = module.args_mut() {
                        args.push(Arg::fun(at, fun));
                    }
                    seen.push(short.to_owned());
                    plain.shift_remove(short);
                    dotted.insert(short.to_owned(), module);
                }
                _ => {
                    if list {
                        seen.push(name.clone());
                    }
                    plain.insert(name, module);
                }
            }
        }
        plain.extend(dotted);
        plain
    }

    fn body(&self, body: Node) -> Body {
        match body.value {
            Value::List(items) => Body::List(items.into_iter().map(|item| self.arg(item)).collect()),
            Value::Null => Body::Nothing,
            _ => Body::Odd,
        }
    }

    fn arg(&self, item: Node) -> Arg {
        let at = self.place(item.at);
        let what = match item.value {
            Value::Text(name) => ArgKind::Fun(name),
            Value::Map(entries) => ArgKind::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| self.entry(&key, value))
                    .collect(),
            ),
            _ => ArgKind::Odd,
        };
        Arg { at, what }
    }

    fn entry(&self, key: &Node, value: Node) -> Entry {
        let name = key.value.key_text();
        let items = match &value.value {
            Value::List(items) if refers(&name) => items.iter().map(|item| self.place(item.at)).collect(),
            _ => Vec::new(),
        };
        Entry {
            key: name,
            at: self.place(key.at),
            value: value.into_json(),
            items,
        }
    }
}

/// Whether an argument holds references to other states, or names.
fn refers(name: &str) -> bool {
    let kind = name.strip_suffix("_in").unwrap_or(name);
    matches!(kind, "use" | "names") || REQUISITES.contains(&kind)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) => true,
        Value::Text(text) => text.is_empty(),
        Value::List(items) => items.is_empty(),
        _ => false,
    }
}
