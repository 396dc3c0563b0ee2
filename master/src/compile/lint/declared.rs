//! Chunks: functions, arguments, requisites and sources that do not exist, each with the nearest name.

use serde_json::Value as Json;
use states::spec::Spec;

use super::traps;
use crate::compile::diagnostic::{Diagnostic, Severity, did_you_mean};
use crate::compile::files::Files;
use crate::compile::graph::{self, Graph, Loose};
use crate::compile::low::Low;
use crate::compile::lower;
use crate::compile::place::Sources;
use crate::compile::sources::{self, SaltUri};

/// What is needed to judge chunks.
pub(super) struct Judge<'j> {
    pub(super) files: &'j Files,
    pub(super) sources: &'j Sources,
}

impl Judge<'_> {
    /// Problems of one chunk by itself.
    pub(super) fn chunk(&self, low: &Low) -> Vec<Diagnostic> {
        let spec = states::find(&low.state, &low.fun).map(|state| state.spec());
        let mut problems = lower::check(low, spec, self.sources);
        problems.extend(lower::wrong_options(low, self.sources));
        for problem in &mut problems {
            // It would fail when it runs.
            problem.severity = Severity::Error;
        }
        if let Some(spec) = spec {
            problems.extend(self.lacking(low, spec));
            problems.extend(traps::traps(low, spec, self.sources));
        }
        problems.extend(self.missing_sources(low));
        problems
    }

    /// Parameters a function cannot do without.
    fn lacking(&self, low: &Low, spec: &Spec) -> Vec<Diagnostic> {
        let lacks = |name: &str| name != "name" && !low.args.contains_key(name);
        let required = spec
            .params
            .iter()
            .filter(|param| param.required && lacks(param.name));
        required
            .map(|param| {
                let message = format!("Missing parameter {} for state {}", param.name, spec.name());
                let help = format!("see `salt-rs doc {}`", spec.name());
                self.sources.error(low.at, message).with_help(help)
            })
            .collect()
    }

    /// Files of the tree that are not there. Of a list of sources one is enough.
    fn missing_sources(&self, low: &Low) -> Vec<Diagnostic> {
        let env = low.args.get("saltenv").and_then(Json::as_str).unwrap_or(&low.env);
        let mut problems = Vec::new();
        for (key, value) in &low.args {
            if sources::DATA.contains(&key.as_str()) {
                continue;
            }
            let mut texts = Vec::new();
            sources::named(value, 0, &mut texts);
            let alternatives = key == "source" && value.as_array().is_some_and(|list| list.len() > 1);
            let missing: Vec<SaltUri> = texts
                .iter()
                .filter_map(|text| sources::parse(text, env))
                .filter(|uri| !uri.path.is_empty() && self.files.entry(&uri.env, &uri.path).is_none())
                .collect();
            let all = value.as_array().map_or(1, Vec::len);
            if alternatives && missing.len() < all {
                continue;
            }
            for uri in missing {
                let at = low.place(key);
                let message = format!(
                    "Source file salt://{} not found in saltenv '{}'",
                    uri.path, uri.env
                );
                let paths = self.files.all(&uri.env).map(|(path, _)| path);
                let help = did_you_mean(&uri.path, paths);
                problems.push(self.sources.error(at, message).with_help_if(help));
            }
        }
        problems
    }

    /// Requisites of a chunk that name nothing among all chunks of the tree.
    pub(super) fn references(&self, low: &Low, all: &[Low], graph: &Graph) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        for (name, value) in low.args.iter().filter(|(name, _)| graph::is_requisite(name)) {
            let references = value.as_array().into_iter().flatten();
            for (index, reference) in references.enumerate() {
                let Some((key, wanted)) = graph::reference(reference) else {
                    continue;
                };
                let Some(text) = wanted.as_str() else { continue };
                if graph.find(key, text).is_some() {
                    continue;
                }
                let loose = Loose {
                    requisite: name,
                    key,
                    wanted,
                    at: low.reference(name, index),
                };
                problems.push(loose.problem(all, low, self.sources));
            }
        }
        problems
    }
}
