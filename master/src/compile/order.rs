//! From high data to chunks in the order in which they run (salt-semantics section 6).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde_json::{Number, Value as Json};

use proto::RequisiteKind as Kind;

use super::diagnostic::Diagnostic;
use super::graph::{Graph, Need};
use super::high::High;
use super::low::{self, Low};
use super::place::Sources;

/// What Salt adds to the cap for `last`.
const LAST: f64 = 1_000_000.0;

/// Chunks in order. A chunk that is the target of a `prereq` stands twice: for its dry run and for itself.
#[derive(Debug, Default)]
pub struct Ordered {
    /// All chunks, in the order of the high data.
    pub lows: Vec<Low>,
    /// Steps in the order in which they run.
    pub(crate) steps: Vec<Step>,
    /// Something was excluded: no chunks may be what was asked for.
    pub(crate) excluded: bool,
}

/// One step: a node of the graph.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// The chunk.
    pub(crate) low: usize,
    /// This is its dry run.
    pub(crate) check: bool,
    /// Requisites; `on` holds places of steps.
    pub(crate) needs: Vec<Need>,
}

/// Options that change what is compiled.
pub(crate) struct Rules<'a> {
    /// `disabled_requisites`.
    pub(crate) disabled: &'a [String],
    /// Whether a state module has a `mod_watch`.
    pub(crate) has_watch: &'a dyn Fn(&str) -> bool,
}

/// Compiles and orders; every chunk whose requisites cannot be resolved is reported.
pub(crate) fn order(high: High, rules: &Rules<'_>, sources: &Sources) -> Result<Ordered, Vec<Diagnostic>> {
    let excluded = high.excluded;
    let mut lows = low::chunks(high);
    let mut graph = Graph::of(&lows);
    let mut problems = Vec::new();
    let mut cap: i64 = 1;
    for index in 0..lows.len() {
        reconcile_watch(&mut lows[index], rules);
        let loose = graph.require(&lows, index, rules.disabled);
        if !loose.is_empty() {
            problems.extend(
                loose
                    .iter()
                    .map(|loose| loose.problem(&lows, &lows[index], sources)),
            );
        } else if let Some(order) = lows[index].args.get("order").and_then(whole)
            && order > cap - 1
            && order > 0
        {
            cap = order + 100;
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "order numbers are small")]
    let cap = cap as f64;
    let Some(nodes) = sort(&mut lows, &graph, cap) else {
        problems.extend(graph.cycle(&lows, sources));
        return Err(problems);
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut places = vec![0; nodes.len()];
    for (place, &node) in nodes.iter().enumerate() {
        places[node] = place;
    }
    let steps = nodes
        .into_iter()
        .map(|node| {
            let mut needs = std::mem::take(&mut graph.needs[node]);
            for on in needs.iter_mut().flat_map(|need| &mut need.on) {
                *on = places[*on];
            }
            Step {
                low: graph.nodes[node].low,
                check: graph.nodes[node].check,
                needs,
            }
        })
        .collect();
    Ok(Ordered {
        lows,
        steps,
        excluded,
    })
}

impl Ordered {
    /// The chunks as Salt's `state.show_lowstate` prints them.
    pub fn into_json(self) -> Json {
        let mut lows: Vec<Option<Low>> = self.lows.into_iter().map(Some).collect();
        // A chunk that has a dry run stands twice; the later place takes it.
        let mut last = vec![0; lows.len()];
        for (place, step) in self.steps.iter().enumerate() {
            last[step.low] = place;
        }
        let chunk = |(place, step): (usize, &Step)| {
            let low = &mut lows[step.low];
            let low = if last[step.low] == place {
                low.take()
            } else {
                low.clone()
            };
            low.map(Low::into_json)
        };
        Json::Array(self.steps.iter().enumerate().filter_map(chunk).collect())
    }
}

/// A `watch` of a module that cannot react is a `require`.
fn reconcile_watch(low: &mut Low, rules: &Rules<'_>) {
    for (watch, require) in [("watch", "require"), ("watch_any", "require_any")] {
        if !low.args.contains_key(watch) || (rules.has_watch)(&low.state) {
            continue;
        }
        let Some(Json::Array(watched)) = low.args.shift_remove(watch) else {
            continue;
        };
        let mut places = low.references.remove(watch).unwrap_or_default();
        places.resize(watched.len(), low.place(watch));
        if let Json::Array(list) = low.args.entry(require).or_insert_with(|| Json::Array(Vec::new())) {
            let place = low.places.get(require).or(low.places.get(watch)).copied();
            let all = low.references.entry(require.to_owned()).or_default();
            all.resize(list.len(), place.unwrap_or(low.at));
            all.append(&mut places);
            list.extend(watched);
        }
    }
}

/// A whole number as Python sees it: a truth value is one too.
fn whole(order: &Json) -> Option<i64> {
    order.as_i64().or_else(|| order.as_bool().map(i64::from))
}

/// The order of a chunk as a number, fixing words and missing ones in place.
fn own(low: &mut Low, cap: f64) -> f64 {
    let value = match low.args.get("order") {
        Some(Json::Number(number)) => return number.as_f64().unwrap_or(cap),
        Some(Json::Bool(yes)) => f64::from(u8::from(*yes)),
        Some(Json::String(word)) if word == "last" => cap + LAST,
        Some(Json::String(word)) if word == "first" => 0.0,
        _ => cap,
    };
    set(low, value);
    value
}

fn set(low: &mut Low, order: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "whole and far within the range")]
    let number = if order.fract() == 0.0 && order.abs() < 1e15 {
        Some(Number::from(order as i64))
    } else {
        Number::from_f64(order)
    };
    if let Some(number) = number {
        low.args.insert("order".to_owned(), Json::Number(number));
    }
}

struct Ready {
    effective: f64,
    own: f64,
    label: String,
    node: usize,
}

impl PartialEq for Ready {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ready {}

impl PartialOrd for Ready {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ready {
    /// The smallest is the greatest, as the heap gives out the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other
            .effective
            .total_cmp(&self.effective)
            .then_with(|| other.own.total_cmp(&self.own))
            .then_with(|| other.label.cmp(&self.label))
            .then_with(|| other.node.cmp(&self.node))
    }
}

/// Topological order; `None` when there is a cycle.
fn sort(lows: &mut [Low], graph: &Graph, cap: f64) -> Option<Vec<usize>> {
    let mut waiting: Vec<usize> = (0..graph.nodes.len()).map(|node| graph.incoming(node)).collect();
    let mut heap = BinaryHeap::new();
    for node in (0..waiting.len()).filter(|&node| waiting[node] == 0) {
        heap.push(ready(lows, graph, node, cap));
    }
    let mut sorted = Vec::with_capacity(waiting.len());
    while let Some(Ready { node, .. }) = heap.pop() {
        sorted.push(node);
        for (&to, kinds) in &graph.dependents[node] {
            waiting[to] -= kinds.len();
            if waiting[to] == 0 {
                heap.push(ready(lows, graph, to, cap));
            }
        }
    }
    (sorted.len() == graph.nodes.len()).then_some(sorted)
}

/// The key of a node. Dependents count with the order as it was written: their fraction for `names` and the turn of
/// negative numbers come later, when they get ready themselves.
fn ready(lows: &mut [Low], graph: &Graph, node: usize, cap: f64) -> Ready {
    let index = graph.nodes[node].low;
    let mut order = own(&mut lows[index], cap);
    if let Some(place) = lows[index].name_order.take() {
        order += f64::from(place) / 10_000.0;
        set(&mut lows[index], order);
    }
    if order < 0.0 {
        order += cap + LAST;
        set(&mut lows[index], order);
    }
    let mut least = f64::INFINITY;
    let mut heaviest = None;
    for (&dependent, kinds) in &graph.dependents[node] {
        for &kind in kinds {
            let weight = weight(kind);
            if heaviest.is_none_or(|heaviest| heaviest <= weight) {
                heaviest = Some(weight);
                let dependent = &mut lows[graph.nodes[dependent].low];
                // One that says nothing of its order pulls nothing forward until it is ready itself.
                if dependent.args.contains_key("order") {
                    least = least.min(own(dependent, cap));
                }
            }
        }
    }
    let low = &lows[index];
    let label = format!("{}{}{}", low.state, low.name_text(), low.fun);
    Ready {
        effective: order.min(least),
        own: order,
        label,
        node,
    }
}

fn weight(kind: Kind) -> u8 {
    match kind {
        Kind::Onfail => 0,
        Kind::OnfailAny => 1,
        Kind::OnfailAll => 2,
        Kind::Require => 3,
        Kind::RequireAny => 4,
        Kind::Onchanges => 5,
        Kind::OnchangesAny => 6,
        Kind::Watch => 7,
        Kind::WatchAny => 8,
        Kind::Prereq => 9,
    }
}
