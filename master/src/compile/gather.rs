//! From matched sls names to high data: each sls once, includes depth first, order numbers as they are met.
//!
//! The texts come from a [`Sls`] reader; nothing here knows templates or files. Semantics and messages are Salt's
//! (salt-semantics sections 1 and 5).

use std::collections::HashSet;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::declare::{Own, Reading};
use super::diagnostic::{Diagnostic, nearest};
use super::high::{Arg, Body, High};
use super::place::{Place, Sources};
use super::python::{self, fnmatch};
use super::yaml::Node;

/// A rendered sls.
pub(crate) struct Page {
    /// The document.
    pub(crate) node: Node,
    /// Its text's number in [`Sources`].
    pub(crate) source: u32,
    /// Whether the file is an `init.sls`, which makes relative includes start inside the package.
    pub(crate) init: bool,
}

/// Where sls files come from.
pub(crate) trait Sls {
    /// Environments there are.
    fn has_env(&self, env: &str) -> bool;
    /// All sls names of an environment, sorted.
    fn names(&self, env: &str) -> &[String];
    /// Renders one; `Ok(None)` when there is no such file, `Err` when it does not render.
    fn page(&mut self, env: &str, sls: &str) -> Result<Option<Page>, Vec<Diagnostic>>;
    /// The texts read so far.
    fn sources(&self) -> &Sources;
    /// Where a top file names an sls; nowhere if none does.
    fn named(&self, _sls: &str) -> Place {
        Place::default()
    }
}

/// Order numbers given to declarations without one.
const FIRST_ORDER: i64 = 10_000;

/// Collects all sls a host is matched to.
pub(crate) struct Gather<'a> {
    pub(crate) reader: &'a mut dyn Sls,
    /// `state_auto_order`.
    pub(crate) auto_order: bool,
    matched: Vec<String>,
    seen: HashSet<(String, String)>,
    order: i64,
    problems: Vec<Diagnostic>,
}

impl<'a> Gather<'a> {
    /// A collector that has read nothing.
    pub(crate) fn new(reader: &'a mut dyn Sls, auto_order: bool) -> Self {
        Self {
            reader,
            auto_order,
            matched: Vec::new(),
            seen: HashSet::new(),
            order: FIRST_ORDER,
            problems: Vec::new(),
        }
    }

    /// High data of all matched sls, and what is wrong with them.
    pub(crate) fn all(mut self, matches: &IndexMap<String, Vec<String>>) -> (High, Vec<Diagnostic>) {
        self.matched = matches.keys().cloned().collect();
        let mut high = High::default();
        for (env, names) in matches {
            for wanted in names {
                for sls in self.expand(env, wanted) {
                    if self.seen.contains(&(env.clone(), sls.clone())) {
                        continue;
                    }
                    match self.sls(env, &sls, None) {
                        Some(found) => self.merge(&mut high, found),
                        None => self.missing(env, &sls),
                    }
                }
            }
        }
        (high, self.problems)
    }

    fn missing(&mut self, env: &str, sls: &str) {
        let near = nearest(sls, self.reader.names(env).iter().map(String::as_str));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        let message = format!("No matching sls found for '{sls}' in env '{env}'");
        let problem = self.reader.sources().error(self.reader.named(sls), message);
        self.problems.push(problem.with_help_if(help));
    }

    fn expand(&self, env: &str, wanted: &str) -> Vec<String> {
        let names = self.reader.names(env);
        let found: Vec<String> = names
            .iter()
            .filter(|name| fnmatch(name, wanted))
            .cloned()
            .collect();
        if found.is_empty() {
            vec![wanted.to_owned()]
        } else {
            found
        }
    }

    /// One sls with everything it includes; `None` when there is no such file.
    fn sls(&mut self, env: &str, sls: &str, from: Option<&str>) -> Option<High> {
        let page = match self.reader.page(env, sls) {
            Ok(None) => return None,
            Ok(Some(page)) => page,
            Err(mut problems) => {
                self.seen.insert((env.to_owned(), sls.to_owned()));
                self.problems.append(&mut problems);
                return Some(High::default());
            }
        };
        self.seen.insert((env.to_owned(), sls.to_owned()));
        let mut reading = Reading {
            sls,
            env,
            source: page.source,
            sources: self.reader.sources(),
            problems: &mut self.problems,
        };
        let Own { mut high, include } = reading.document(page.node);
        for (entry, at) in include {
            self.include(&mut high, env, sls, page.init, &entry, at);
        }
        if self.auto_order {
            self.number(&mut high);
        }
        if let Some(from) = from {
            for declared in high.ids.values_mut() {
                declared.included_from.push(from.to_owned());
            }
        }
        Some(high)
    }

    fn include(&mut self, high: &mut High, env: &str, sls: &str, init: bool, entry: &Json, at: Place) {
        let (in_env, name) = match entry {
            Json::String(name) => (env, name.as_str()),
            Json::Object(map) => match map.iter().next_back() {
                Some((key, Json::String(name))) => (key.as_str(), name.as_str()),
                _ => return self.bad_include(entry, sls, at),
            },
            _ => return self.bad_include(entry, sls, at),
        };
        let any_env = in_env == "_xenv";
        if !any_env && !self.reader.has_env(in_env) {
            let message = format!(
                "Nonexistent saltenv '{in_env}' found in include of '{name}' within SLS '{env}:{sls}'"
            );
            return self.error(at, message);
        }
        let Some(name) = absolute(name, sls, init) else {
            let message = format!(
                "Attempted relative include of '{name}' within SLS '{env}:{sls}' goes beyond top level package "
            );
            return self.error(at, message);
        };
        let has = |reader: &dyn Sls, env: &str| reader.names(env).iter().any(|one| fnmatch(one, &name));
        let envs: Vec<String> = if any_env {
            self.matched
                .iter()
                .filter(|env| has(self.reader, env))
                .cloned()
                .collect()
        } else if self.matched.iter().any(|one| one == in_env) || has(self.reader, in_env) {
            vec![in_env.to_owned()]
        } else {
            Vec::new()
        };
        let target = match envs.as_slice() {
            [one] => one.clone(),
            many if many.iter().any(|one| one == env) => env.to_owned(),
            [] => {
                let looked = if any_env {
                    self.matched.join(", ")
                } else {
                    in_env.to_owned()
                };
                let message = format!(
                    "Unknown include: Specified SLS {in_env}: {name} is not available on the salt master in saltenv(s): {looked} "
                );
                return self.error(at, message);
            }
            many => {
                let message = format!(
                    "Ambiguous include: Specified SLS {in_env}: {name} is available on the salt master in multiple available saltenvs: {}",
                    many.join(", ")
                );
                return self.error(at, message);
            }
        };
        for one in self.expand(env, &name) {
            if self.seen.contains(&(target.clone(), one.clone())) {
                continue;
            }
            match self.sls(&target, &one, Some(sls)) {
                Some(found) => self.merge(high, found),
                None => {
                    let message = format!(
                        "Specified SLS {one} in saltenv {target} is not available on the salt master or through a configured fileserver"
                    );
                    let near = nearest(&one, self.reader.names(&target).iter().map(String::as_str));
                    let help = match (one.strip_suffix(".sls"), near) {
                        (Some(bare), _) => Some(format!("did you mean `{bare}`? names are without `.sls`")),
                        (None, near) => near.map(|near| format!("did you mean `{near}`?")),
                    };
                    let problem = self.reader.sources().error(at, message).with_help_if(help);
                    self.problems.push(problem);
                }
            }
        }
    }

    fn bad_include(&mut self, entry: &Json, sls: &str, at: Place) {
        self.error(
            at,
            format!(
                "Include Declaration in SLS {sls} is not formed as a list: {}",
                python::repr(entry)
            ),
        );
    }

    fn error(&mut self, at: Place, message: String) {
        let problem = self.reader.sources().error(at, message);
        self.problems.push(problem);
    }

    /// Adds what was found; ids are unique over all sls.
    fn merge(&mut self, into: &mut High, from: High) {
        into.extend.extend(from.extend);
        into.exclude.extend(from.exclude);
        for (id, declared) in from.ids {
            if let Some(before) = into.ids.get(&id) {
                let message = format!(
                    "Detected conflicting IDs, SLS IDs need to be globally unique.\n    The conflicting ID is '{id}' and is found in SLS '{}:{}' and SLS '{}:{}'",
                    before.env, before.sls, declared.env, declared.sls
                );
                let sources = self.reader.sources();
                let first = sources.note(before.at, format!("`{id}` is declared here first"));
                let help = first
                    .place()
                    .map(|place| format!("it is already declared at {place}"));
                let problem = sources.error(declared.at, message);
                let problem = problem.with_note(first).with_help_if(help);
                self.problems.push(problem);
            }
            into.ids.insert(id, declared);
        }
    }

    /// Gives every (id, module) without an order the next number.
    fn number(&mut self, high: &mut High) {
        for declared in high.ids.values_mut() {
            for module in declared.modules.values_mut() {
                let at = module.at;
                let Body::List(args) = &mut module.body else {
                    continue;
                };
                if args
                    .iter()
                    .any(|arg| arg.first().is_some_and(|entry| entry.key == "order"))
                {
                    continue;
                }
                args.push(Arg::made(at, "order", self.order.into()));
                self.order += 1;
            }
        }
    }
}

/// The full name of an include; `None` when it goes up too far.
pub(crate) fn absolute(name: &str, sls: &str, init: bool) -> Option<String> {
    let rest = name.trim_start_matches('.');
    let levels = name.len() - rest.len();
    if levels == 0 {
        return Some(name.to_owned());
    }
    let mut parts: Vec<&str> = sls.split('.').collect();
    if init {
        parts.push("init");
    }
    if levels > parts.len() {
        return None;
    }
    parts.truncate(parts.len() - levels);
    parts.push(rest);
    Some(parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::absolute;

    #[test]
    fn relative_names_start_at_the_package() {
        let cases = [
            (".x", "a.b", false, Some("a.x")),
            (".x", "a.b", true, Some("a.b.x")),
            ("..x", "a.b.c", false, Some("a.x")),
            ("..x", "a", false, None),
            (".x", "a", false, Some("x")),
            ("x.y", "a", false, Some("x.y")),
        ];
        for (name, sls, init, want) in cases {
            assert_eq!(absolute(name, sls, init).as_deref(), want, "{name} in {sls}");
        }
    }
}
