//! Why a host gets what it gets: where a state is written, what it waits for, and which answers were used.
//!
//! This is the same pass as any other (`super::compile`); only the places are kept. Where a pillar value comes from is
//! told by `pillar::trail`.

use indexmap::IndexMap;
use proto::{Answer, Question};
use serde_json::{Value as Json, json};

use super::diagnostic::Diagnostic;
use super::graph::kind_name;
use super::low::Low;
use super::order::Ordered;
use super::place::{Place, Sources};
use super::python::fnmatch;
use crate::pillar::Step;

/// Everything that is known of one key.
#[derive(Debug, Clone, Default)]
pub struct Explained {
    /// The pillar value of that key.
    pub pillar: Option<Followed>,
    /// States whose id or name it is, in the order in which they run.
    pub states: Vec<Origin>,
    /// The answers of the host that the whole catalog depends on, by question.
    pub answers: Vec<(Question, Answer)>,
}

/// A pillar value and where it comes from.
#[derive(Debug, Clone)]
pub struct Followed {
    /// What it is in the end; `None` when a later document put something else in the place of its parent.
    pub value: Option<Json>,
    /// Every document's say, in the order in which they are merged.
    pub steps: Vec<Step>,
}

/// A line of a file of the tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Point {
    /// The file as the user knows it; `None` for what the compiler itself added.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// From 1, in characters.
    pub column: Option<u32>,
}

/// Where a state comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// State module and function, `file.managed`.
    pub function: String,
    /// The declared id.
    pub id: String,
    /// The `name` argument.
    pub name: String,
    /// The sls that declares it.
    pub sls: String,
    /// Its environment.
    pub env: String,
    /// Every sls through which that one was included, innermost first.
    pub included_from: Vec<String>,
    /// Where it is declared.
    pub at: Point,
    /// Arguments in the order written, each with the place that had the last word.
    pub arguments: IndexMap<String, (Json, Point)>,
    /// What it waits for: the requisite and the id of the other state with its sls.
    pub waits_for: Vec<(&'static str, String)>,
    /// Its place among the steps of the run, from 1.
    pub step: usize,
}

impl Point {
    /// A place as file, line and column.
    pub(crate) fn of(sources: &Sources, place: Place) -> Self {
        let Diagnostic {
            file, line, column, ..
        } = sources.error(place, "");
        Self { file, line, column }
    }

    /// `file:line:column` as far as known, for people.
    pub fn text(&self) -> String {
        let numbers = [self.line, self.column].into_iter().flatten();
        let file = self.file.clone().unwrap_or_else(|| "(no file)".to_owned());
        numbers.fold(file, |text, number| format!("{text}:{number}"))
    }

    /// The fields of a JSON object.
    pub fn to_json(&self) -> Json {
        json!({ "file": self.file, "line": self.line, "column": self.column })
    }
}

/// The states a key means: all whose id or name it is, or fits if it is a pattern.
pub(super) fn states(ordered: &Ordered, key: &str, sources: &Sources) -> Vec<Origin> {
    let mut found = Vec::new();
    for (index, step) in ordered.steps.iter().enumerate() {
        let low = &ordered.lows[step.low];
        if step.check || !(fnmatch(&low.id, key) || fnmatch(&low.name_text(), key)) {
            continue;
        }
        let mut waits_for: Vec<(&'static str, String)> = Vec::new();
        for need in &step.needs {
            for &on in &need.on {
                let other = &ordered.lows[ordered.steps[on].low];
                let one = (kind_name(need.kind), other_text(other));
                if !waits_for.contains(&one) {
                    waits_for.push(one);
                }
            }
        }
        found.push(origin(low, index, waits_for, sources));
    }
    found
}

fn other_text(low: &Low) -> String {
    format!("{}: {} [{}]", low.state, low.id, low.sls)
}

fn origin(low: &Low, step: usize, waits_for: Vec<(&'static str, String)>, sources: &Sources) -> Origin {
    let arguments = low.args.iter().map(|(key, value)| {
        let at = low.places.get(key).copied().unwrap_or_default();
        (key.clone(), (value.clone(), Point::of(sources, at)))
    });
    Origin {
        function: format!("{}.{}", low.state, low.fun),
        id: low.id.clone(),
        name: low.name_text(),
        sls: low.sls.clone(),
        env: low.env.clone(),
        included_from: low.included_from.clone(),
        at: Point::of(sources, low.at),
        arguments: arguments.collect(),
        waits_for,
        step: step + 1,
    }
}

impl Origin {
    /// The origin as `salt-rs explain --json` prints it.
    pub fn to_json(&self) -> Json {
        let arguments: serde_json::Map<String, Json> = self
            .arguments
            .iter()
            .map(|(key, (value, at))| (key.clone(), json!({ "value": value, "at": at.to_json() })))
            .collect();
        let waits_for: Vec<Json> = self
            .waits_for
            .iter()
            .map(|(kind, on)| json!({ "requisite": kind, "on": on }))
            .collect();
        json!({
            "state": self.function,
            "id": self.id,
            "name": self.name,
            "sls": self.sls,
            "env": self.env,
            "included_from": self.included_from,
            "at": self.at.to_json(),
            "arguments": arguments,
            "waits_for": waits_for,
            "step": self.step,
        })
    }
}
