//! Requisites written at the other end (`require_in`, …) and borrowed arguments (`use`, `use_in`).
//!
//! They become extensions of the states they name. Plain requisites are resolved in `graph`.

use indexmap::IndexMap;
use serde_json::{Value as Json, json};

use super::diagnostic::Diagnostic;
use super::extend::{self, Lookup};
use super::high::{Arg, Entry, Extension, High, Module};
use super::place::{Place, Sources};

const FORMS: [&str; 7] = [
    "require_in",
    "watch_in",
    "onfail_in",
    "onchanges_in",
    "use",
    "use_in",
    "prereq_in",
];
/// What `use` never copies, besides [`FORMS`], `name` and `names`.
const NEVER_USED: [&str; 6] = ["require", "watch", "prereq", "onfail", "onfail_stop", "onchanges"];

/// Applies all `_in` forms and `use`.
pub(crate) fn requisite_in(high: &mut High, disabled: &[String], sources: &Sources) -> Vec<Diagnostic> {
    let mut collect = Collect {
        high,
        disabled,
        sources,
        extend: IndexMap::new(),
        problems: Vec::new(),
    };
    collect.all();
    let Collect {
        extend, mut problems, ..
    } = collect;
    high.extend = extend.into_iter().map(|(id, draft)| draft.finish(id)).collect();
    problems.extend(extend::apply(high, Lookup::IdAndModule, sources));
    problems
}

struct Collect<'a> {
    high: &'a High,
    disabled: &'a [String],
    sources: &'a Sources,
    extend: IndexMap<String, Draft>,
    problems: Vec<Diagnostic>,
}

/// An extension in the making.
struct Draft {
    sls: String,
    env: String,
    at: Place,
    modules: IndexMap<String, Vec<Arg>>,
}

impl Draft {
    fn finish(self, id: String) -> Extension {
        let Self {
            sls,
            env,
            at,
            modules,
        } = self;
        let modules = modules
            .into_iter()
            .map(|(name, args)| (name, Module::list(at, args)))
            .collect();
        Extension {
            id,
            sls,
            env,
            at,
            modules,
        }
    }
}

/// The state that declares the form.
#[derive(Clone, Copy)]
struct Here<'a> {
    id: &'a str,
    module: &'a str,
    sls: &'a str,
    env: &'a str,
    /// The reference being read.
    at: Place,
}

impl<'a> Collect<'a> {
    fn all(&mut self) {
        let high = self.high;
        for (id, declared) in &high.ids {
            for (module, body) in &declared.modules {
                let here = Here {
                    id,
                    module,
                    sls: &declared.sls,
                    env: &declared.env,
                    at: body.at,
                };
                for arg in body.args() {
                    let Some(entry) = arg.first() else { continue };
                    let form = entry.key.as_str();
                    if FORMS.contains(&form) && !self.disabled.iter().any(|one| one == form) {
                        self.form(&Here { at: entry.at, ..here }, entry);
                    }
                }
            }
        }
    }

    fn form(&mut self, here: &Here<'_>, entry: &'a Entry) {
        match &entry.value {
            Json::Object(map) => {
                for (module, name) in map {
                    let module = self.undotted(here, entry, module, name);
                    self.require(here, entry, name, &module);
                }
            }
            Json::Array(items) => {
                // Salt keeps earlier targets of the list while it walks on, so they are named several times.
                let mut targets: Vec<(Json, String)> = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let Some((module, name)) = self.reference(item) else {
                        continue;
                    };
                    let here = &Here {
                        at: entry.item(index),
                        ..*here
                    };
                    if module == "sls" {
                        targets = self.of_sls(&name);
                    } else {
                        targets.push((name.clone(), module.clone()));
                    }
                    self.undotted(here, entry, &module, &name);
                    for (name, module) in targets.clone() {
                        match entry.key.as_str() {
                            "use" => self.use_from(here, &name, &module),
                            "use_in" => self.use_in(here, &name, &module),
                            _ => self.require(here, entry, &name, &module),
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// Module and id of a reference; a bare text is an id or a `name`.
    fn reference(&self, item: &Json) -> Option<(String, Json)> {
        match item {
            Json::Object(map) => map
                .iter()
                .next()
                .map(|(module, name)| (module.clone(), name.clone())),
            Json::String(text) => {
                if let Some(declared) = self.high.ids.get(text) {
                    return declared
                        .modules
                        .first()
                        .map(|(module, _)| (module.clone(), item.clone()));
                }
                self.high.ids.iter().find_map(|(id, declared)| {
                    let named = |module: &Module| {
                        module.args().iter().any(|arg| match &arg.what {
                            super::high::ArgKind::Map(entries) => entries
                                .iter()
                                .any(|entry| entry.key == "name" && entry.value == *item),
                            _ => false,
                        })
                    };
                    let (module, _) = declared.modules.iter().find(|(_, module)| named(module))?;
                    Some((module.clone(), Json::String(id.clone())))
                })
            }
            _ => None,
        }
    }

    fn of_sls(&self, sls: &Json) -> Vec<(Json, String)> {
        let mut found = Vec::new();
        for (id, declared) in &self.high.ids {
            if sls.as_str() == Some(declared.sls.as_str()) {
                found.extend(
                    declared
                        .modules
                        .keys()
                        .map(|module| (Json::String(id.clone()), module.clone())),
                );
            }
        }
        found
    }

    fn undotted(&mut self, here: &Here<'_>, entry: &Entry, module: &str, name: &Json) -> String {
        let Some((short, _)) = module.split_once('.') else {
            return module.to_owned();
        };
        let kind = entry.key.split('_').next().unwrap_or_default();
        let message = format!(
            "Invalid requisite in {kind}: {module} for {}, in SLS '{}'. Requisites must not contain dots, did you mean '{short}'?",
            super::python::text(name),
            here.sls
        );
        self.problems.push(self.sources.error(here.at, message));
        short.to_owned()
    }

    /// The extension being collected for an id, and the arguments it gives one module.
    fn extension(&mut self, id: &str, module: &str, here: &Here<'_>) -> &mut Vec<Arg> {
        let draft = self.extend.entry(id.to_owned()).or_insert_with(|| Draft {
            sls: here.sls.to_owned(),
            env: here.env.to_owned(),
            at: here.at,
            modules: IndexMap::new(),
        });
        draft.modules.entry(module.to_owned()).or_default()
    }

    fn require(&mut self, here: &Here<'_>, entry: &Entry, name: &Json, module: &str) {
        let Some(id) = name.as_str() else {
            let message = format!(
                "Illegal requisite \"{}\" in SLS \"{}\", please check your syntax.\n",
                super::python::text(name),
                here.sls
            );
            self.problems.push(self.sources.error(here.at, message));
            return;
        };
        let kind = entry.key.split('_').next().unwrap_or_default().to_owned();
        let to = json!({ here.module: here.id });
        let args = self.extension(id, module, here);
        let mut found = false;
        for arg in args.iter_mut() {
            if let Some(present) = arg.first_mut()
                && present.key == kind
                && let Json::Array(list) = &mut present.value
            {
                list.push(to.clone());
                present.items.push(here.at);
                found = true;
            }
        }
        if !found {
            args.push(Arg::made(here.at, &kind, json!([to])));
        }
        if let Some(extension) = self.extend.get_mut(id) {
            extension.sls = here.sls.to_owned();
            extension.env = here.env.to_owned();
        }
    }

    fn use_from(&mut self, here: &Here<'_>, name: &Json, module: &str) {
        let Some(name) = name.as_str() else { return };
        for other in extend::find(name, module, self.high, Lookup::IdAndModule) {
            let taken = self.borrowed((&other, module), (here.id, here.module));
            self.extension(here.id, here.module, here).extend(taken);
        }
    }

    fn use_in(&mut self, here: &Here<'_>, name: &Json, module: &str) {
        let Some(name) = name.as_str() else { return };
        for other in extend::find(name, module, self.high, Lookup::IdAndModule) {
            let taken = self.borrowed((here.id, here.module), (&other, module));
            self.extension(&other, module, here).extend(taken);
        }
    }

    /// Arguments of one state that another lacks.
    fn borrowed(&self, from: (&str, &str), to: (&str, &str)) -> Vec<Arg> {
        let args = |(id, module): (&str, &str)| {
            self.high
                .ids
                .get(id)
                .and_then(|declared| declared.modules.get(module))
                .map(Module::args)
        };
        let has: Vec<&str> = args(to)
            .unwrap_or_default()
            .iter()
            .filter_map(|arg| Some(arg.only()?.key.as_str()))
            .collect();
        let wanted = |arg: &&Arg| {
            arg.only().is_some_and(|entry| {
                let key = entry.key.as_str();
                !has.contains(&key)
                    && !FORMS.contains(&key)
                    && !NEVER_USED.contains(&key)
                    && key != "name"
                    && key != "names"
            })
        };
        args(from)
            .unwrap_or_default()
            .iter()
            .filter(wanted)
            .cloned()
            .collect()
    }
}
