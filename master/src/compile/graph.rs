//! The requisite graph: which chunk waits for which, and why.
//!
//! References are resolved here as Salt does (salt-semantics section 6); the order that follows from the graph is
//! made in `order`.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde_json::Value as Json;

use proto::RequisiteKind as Kind;

use super::diagnostic::{Diagnostic, did_you_mean, nearest};
use super::low::Low;
use super::place::{Place, Sources};
use super::python::{self, fnmatch, is_pattern, quoted};

/// Kinds in the order in which Salt resolves them, by their name as an argument.
pub(crate) const KINDS: [(&str, Kind); 10] = [
    ("require", Kind::Require),
    ("require_any", Kind::RequireAny),
    ("watch", Kind::Watch),
    ("watch_any", Kind::WatchAny),
    ("prereq", Kind::Prereq),
    ("onfail", Kind::Onfail),
    ("onfail_any", Kind::OnfailAny),
    ("onfail_all", Kind::OnfailAll),
    ("onchanges", Kind::Onchanges),
    ("onchanges_any", Kind::OnchangesAny),
];

/// Whether an argument is a list of references to other states, at either end.
pub(crate) fn is_requisite(name: &str) -> bool {
    let kind = name.strip_suffix("_in").unwrap_or(name);
    KINDS.iter().any(|(one, _)| *one == kind)
}

/// Module and value of one reference; a bare text is an id.
pub(crate) fn reference(reference: &Json) -> Option<(&str, &Json)> {
    match reference {
        Json::String(_) => Some(("id", reference)),
        Json::Object(map) => {
            let (key, value) = map.iter().next()?;
            Some((key.split('.').next().unwrap_or_default(), value))
        }
        _ => None,
    }
}

/// A reference that names nothing, or is no name.
pub(crate) struct Loose<'a> {
    /// The argument that holds it.
    pub(crate) requisite: &'a str,
    pub(crate) key: &'a str,
    pub(crate) wanted: &'a Json,
    pub(crate) at: Place,
}

impl Loose<'_> {
    /// The problem in Salt's words, with what may have been meant among all chunks there are.
    pub(crate) fn problem(&self, all: &[Low], low: &Low, sources: &Sources) -> Diagnostic {
        let Self { requisite, key, .. } = self;
        let at = format!("in state [{}] in SLS [{}]", low.name_text(), low.sls);
        let Some(wanted) = self.wanted.as_str() else {
            let message = format!("Requisite [{requisite}: {key}] {at} must have a string as the value");
            return sources.error(self.at, message);
        };
        let problem = sources.error(
            self.at,
            format!("Referenced state does not exist for requisite [{requisite}: ({key}: {wanted})] {at}"),
        );
        if *key == "sls" {
            let near = did_you_mean(wanted, all.iter().map(|one| one.sls.as_str()));
            let help = near.unwrap_or_else(|| format!("no state of the sls `{wanted}` is there: include it"));
            return problem.with_help(help);
        }
        let said = |problem: Diagnostic, one: &Low, help: String| {
            let note = sources.note(one.at, format!("`{}` is declared here", one.id));
            problem.with_help(help).with_note(note)
        };
        let named = |one: &&Low| one.id == wanted || one.name.as_str() == Some(wanted);
        if let Some(one) = all.iter().find(named) {
            let help = format!("`{wanted}` is declared as {0}: write `{0}: {wanted}`", one.state);
            return said(problem, one, help);
        }
        let same = |one: &&Low| (*key == "id" || one.state == *key) && one.id != low.id;
        let ids = all.iter().filter(same).map(|one| one.id.as_str());
        let near = nearest(wanted, ids).or_else(|| nearest(wanted, all.iter().map(|one| one.id.as_str())));
        match near.and_then(|near| all.iter().find(|one| one.id == near)) {
            Some(one) if one.state == *key || *key == "id" => {
                said(problem, one, format!("did you mean `{}`?", one.id))
            }
            Some(one) => said(problem, one, format!("did you mean `{}: {}`?", one.state, one.id)),
            None => problem.with_help("declare it, or include the sls that does"),
        }
    }
}

/// Name of a kind as an argument.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    KINDS
        .iter()
        .find(|(_, one)| *one == kind)
        .map_or("require", |(name, _)| name)
}

/// A chunk's place in the graph. A chunk that is the target of a `prereq` has two: one for its dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node {
    /// Index of the chunk.
    pub(crate) low: usize,
    /// This is the dry run.
    pub(crate) check: bool,
}

/// One requisite of a node, as the user wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    pub(crate) kind: Kind,
    /// Indices of nodes.
    pub(crate) on: Vec<usize>,
}

/// Nodes and edges.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    /// Per node: its dependents in the order first met, with the kinds of the edges.
    pub(crate) dependents: Vec<IndexMap<usize, Vec<Kind>>>,
    /// Per node: its dependencies likewise.
    dependencies: Vec<IndexMap<usize, Vec<Kind>>>,
    /// Per node: its requisites.
    pub(crate) needs: Vec<Vec<Need>>,
    /// Per chunk: the node of its dry run.
    checks: HashMap<usize, usize>,
    by_tag: HashMap<String, usize>,
    by_name: IndexMap<(String, String), Vec<usize>>,
    by_sls: IndexMap<String, Vec<usize>>,
}

impl Graph {
    /// Adds every chunk; of two with the same tag the later one counts.
    pub(crate) fn of(lows: &[Low]) -> Self {
        let mut graph = Self::default();
        for (index, low) in lows.iter().enumerate() {
            let tag = low.tag();
            let node = match graph.by_tag.get(&tag) {
                Some(&node) => {
                    graph.nodes[node].low = index;
                    node
                }
                None => graph.add(Node {
                    low: index,
                    check: false,
                }),
            };
            graph.by_tag.insert(tag, node);
            let name = low.name_text();
            for (module, text) in [
                (low.state.as_str(), name.as_str()),
                (low.state.as_str(), low.id.as_str()),
                ("id", low.id.as_str()),
                ("id", name.as_str()),
            ] {
                push(
                    graph
                        .by_name
                        .entry((module.to_owned(), text.to_owned()))
                        .or_default(),
                    node,
                );
            }
            for sls in std::iter::once(&low.sls).chain(&low.included_from) {
                push(graph.by_sls.entry(sls.clone()).or_default(), node);
            }
        }
        graph
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.dependents.push(IndexMap::new());
        self.dependencies.push(IndexMap::new());
        self.needs.push(Vec::new());
        self.nodes.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, kind: Kind) {
        push(self.dependents[from].entry(to).or_default(), kind);
        push(self.dependencies[to].entry(from).or_default(), kind);
    }

    /// Number of edges that end at a node.
    pub(crate) fn incoming(&self, node: usize) -> usize {
        self.dependencies[node].values().map(Vec::len).sum()
    }

    /// Resolves the requisites of one chunk; returns those that cannot be.
    pub(crate) fn require<'l>(
        &mut self,
        lows: &'l [Low],
        index: usize,
        disabled: &[String],
    ) -> Vec<Loose<'l>> {
        let low = &lows[index];
        let mut loose = Vec::new();
        let Some(&node) = self.by_tag.get(&low.tag()) else {
            return loose;
        };
        for (name, kind) in KINDS {
            if disabled.iter().any(|one| one == name) {
                continue;
            }
            let references = low.args.get(name).and_then(Json::as_array);
            for (place, reference) in references.into_iter().flatten().enumerate() {
                let Some((key, wanted)) = self::reference(reference) else {
                    continue;
                };
                let found = match wanted {
                    Json::Null => continue,
                    Json::String(wanted) => self.find(key, wanted),
                    _ => None,
                };
                match found {
                    Some(on) => self.depend(node, kind, on),
                    None => loose.push(Loose {
                        requisite: name,
                        key,
                        wanted,
                        at: low.reference(name, place),
                    }),
                }
            }
        }
        loose
    }

    /// Nodes a reference stands for; `None` when it must name something and does not.
    pub(crate) fn find(&self, key: &str, value: &str) -> Option<Vec<usize>> {
        let mut found = Vec::new();
        if key == "sls" {
            if !is_pattern(value) {
                return self.by_sls.get(value).cloned();
            }
            for (_, nodes) in self.by_sls.iter().filter(|(sls, _)| fnmatch(sls, value)) {
                nodes.iter().for_each(|&node| push(&mut found, node));
            }
            return Some(found);
        }
        if !is_pattern(value) {
            return self.by_name.get(&(key.to_owned(), value.to_owned())).cloned();
        }
        for ((module, name), nodes) in &self.by_name {
            if module == key && fnmatch(name, value) {
                nodes.iter().for_each(|&node| push(&mut found, node));
            }
        }
        if found.is_empty() { None } else { Some(found) }
    }

    fn depend(&mut self, node: usize, kind: Kind, on: Vec<usize>) {
        if kind == Kind::Prereq {
            for target in on {
                self.prereq(node, target);
            }
            return;
        }
        let check = self.checks.get(&self.nodes[node].low).copied();
        for &from in &on {
            if let Some(check) = check {
                self.edge(from, check, kind);
            }
            self.edge(from, node, kind);
        }
        if let Some(check) = check {
            self.needs[check].push(Need { kind, on: on.clone() });
        }
        self.needs[node].push(Need { kind, on });
    }

    /// `node` runs before `target`, if the dry run of `target` says it would change something.
    fn prereq(&mut self, node: usize, target: usize) {
        let low = self.nodes[target].low;
        let check = match self.checks.get(&low) {
            Some(&check) => check,
            None => {
                let check = self.add(Node { low, check: true });
                self.checks.insert(low, check);
                for (from, kinds) in self.dependencies[target].clone() {
                    for kind in kinds.into_iter().filter(|kind| *kind != Kind::Prereq) {
                        self.edge(from, check, kind);
                    }
                }
                let copied = self.needs[target]
                    .iter()
                    .filter(|need| need.kind != Kind::Prereq)
                    .cloned()
                    .collect();
                self.needs[check] = copied;
                check
            }
        };
        if let Some(&own) = self.checks.get(&self.nodes[node].low) {
            self.edge(check, own, Kind::Prereq);
            self.needs[own].push(Need {
                kind: Kind::Prereq,
                on: vec![check],
            });
        }
        self.edge(check, node, Kind::Prereq);
        self.edge(node, target, Kind::Require);
        self.needs[node].push(Need {
            kind: Kind::Prereq,
            on: vec![check],
        });
        self.needs[target].push(Need {
            kind: Kind::Require,
            on: vec![node],
        });
    }

    /// A problem that shows one cycle, if there is one.
    pub(crate) fn cycle(&self, lows: &[Low], sources: &Sources) -> Option<Diagnostic> {
        let edges = self.cycle_edges()?;
        let mut shown = Vec::with_capacity(edges.len());
        let mut notes = Vec::with_capacity(edges.len());
        for &(from, to, kind) in &edges {
            let (dependency, dependent) = (&lows[self.nodes[from].low], &lows[self.nodes[to].low]);
            let made = kind == Kind::Require && !dependent.args.contains_key("require");
            let kind = if made { "prereq" } else { kind_name(kind) };
            shown.push(format!("({}, '{kind}', {})", named(dependent), named(dependency)));
            let (at, kind, one, other) = match self.written(dependent, kind, from) {
                // A prereq stands at the state that runs first.
                None if made => match self.prereq_of(lows, from, to) {
                    Some(at) => (at, kind, dependency, dependent),
                    None => (dependent.at, kind, dependent, dependency),
                },
                at => (at.unwrap_or(dependent.at), kind, dependent, dependency),
            };
            notes.push(sources.note(at, format!("`{}` has `{kind}` on `{}`", one.id, other.id)));
        }
        let message = format!("Recursive requisites were found: {}", shown.join(", "));
        let at = edges
            .first()
            .map(|&(_, to, _)| lows[self.nodes[to].low].at)
            .unwrap_or_default();
        let problem = sources
            .error(at, message)
            .with_help("take one of these requisites out");
        Some(notes.into_iter().fold(problem, Diagnostic::with_note))
    }

    /// The place of the reference by which a chunk came to wait for a node.
    fn written(&self, low: &Low, kind: &str, on: usize) -> Option<Place> {
        let references = low.args.get(kind)?.as_array()?;
        let names = |one: &Json| {
            let found = reference(one).and_then(|(key, wanted)| self.find(key, wanted.as_str()?));
            found.is_some_and(|nodes| {
                nodes
                    .iter()
                    .any(|&node| self.nodes[node].low == self.nodes[on].low)
            })
        };
        let index = references.iter().position(names)?;
        Some(low.reference(kind, index))
    }

    /// The place of the `prereq` of the chunk at `first` on that at `then`.
    fn prereq_of(&self, lows: &[Low], first: usize, then: usize) -> Option<Place> {
        self.written(&lows[self.nodes[first].low], "prereq", then)
    }

    /// Edges (from, to, kind) of the first cycle a depth-first walk meets.
    fn cycle_edges(&self) -> Option<Vec<(usize, usize, Kind)>> {
        let mut done = vec![false; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if done[start] {
                continue;
            }
            let mut path: Vec<(usize, usize)> = vec![(start, 0)];
            let mut on_path = vec![false; self.nodes.len()];
            on_path[start] = true;
            while let Some(&mut (node, ref mut next)) = path.last_mut() {
                let Some((&to, _)) = self.dependents[node].get_index(*next) else {
                    done[node] = true;
                    on_path[node] = false;
                    path.pop();
                    continue;
                };
                *next += 1;
                if on_path[to] {
                    let from = path.iter().position(|&(node, _)| node == to)?;
                    let mut nodes: Vec<usize> = path[from..].iter().map(|&(node, _)| node).collect();
                    nodes.push(to);
                    return Some(
                        nodes
                            .windows(2)
                            .map(|pair| {
                                let kinds = self.dependents[pair[0]].get(&pair[1]);
                                let kind = kinds
                                    .and_then(|kinds| kinds.first())
                                    .copied()
                                    .unwrap_or(Kind::Require);
                                (pair[0], pair[1], kind)
                            })
                            .collect(),
                    );
                }
                if !done[to] {
                    on_path[to] = true;
                    path.push((to, 0));
                }
            }
        }
        None
    }
}

fn push<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}

/// A chunk as Salt names it in a cycle.
fn named(low: &Low) -> String {
    let mut out = format!("{{'SLS': {}, 'ID': {}", quoted(&low.sls), quoted(&low.id));
    if low.name.as_str() != Some(low.id.as_str()) {
        out.push_str(&format!(", 'NAME': {}", python::repr(&low.name)));
    }
    out.push('}');
    out
}
