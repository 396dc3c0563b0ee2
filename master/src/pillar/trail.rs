//! Where a pillar value comes from: every document that has a say in it, in the order in which they are merged.

use serde_json::{Map, Value as Json, json};

use crate::compile::explain::Point;
use crate::compile::yaml::{Mark, Node, Value};

/// What one document says about a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where it says so.
    pub at: Point,
    /// The sls; `None` for the command line.
    pub sls: Option<String>,
    /// Its environment.
    pub env: String,
    /// What it says: the value below the key, or one that stands in the place of the key's own parent.
    pub value: Json,
}

/// What is being followed.
#[derive(Debug)]
pub(super) struct Trail {
    path: Vec<String>,
    /// Keys that the documents being read are to be put under.
    under: Vec<String>,
    pub(super) steps: Vec<Step>,
}

impl Trail {
    /// Follows a key, `a:b:c`.
    pub(super) fn new(key: &str) -> Self {
        Self {
            path: key.split(':').map(str::to_owned).collect(),
            under: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Documents read from now on go below this key too; returns what [`Trail::leave`] needs.
    pub(super) fn enter(&mut self, key: Option<&str>) -> usize {
        let before = self.under.len();
        let parts = key.into_iter().flat_map(|key| key.split(':'));
        self.under.extend(parts.map(str::to_owned));
        before
    }

    pub(super) fn leave(&mut self, before: usize) {
        self.under.truncate(before);
    }

    /// What a document says about the key, and where.
    pub(super) fn seek(&self, document: &Node) -> Option<(Mark, Json)> {
        if !self.path.iter().zip(&self.under).all(|(one, other)| one == other) {
            return None;
        }
        let mut found = (document.at, document);
        for part in self.path.iter().skip(self.under.len()) {
            found = match &found.1.value {
                Value::Map(entries) => {
                    let (key, value) = entries.iter().find(|(key, _)| key.value.key_text() == *part)?;
                    (key.at, value)
                }
                Value::List(items) => {
                    let item = items.get(part.parse::<usize>().ok()?)?;
                    (item.at, item)
                }
                _ => break,
            };
        }
        Some((found.0, found.1.to_json()))
    }

    /// What the command line says about it.
    pub(super) fn command_line(&mut self, over: &Map<String, Json>) {
        let mut parts = self.path.iter();
        let mut found = parts.next().and_then(|first| over.get(first));
        for part in parts {
            found = match found {
                Some(Json::Object(map)) => map.get(part),
                other => other,
            };
        }
        if let Some(value) = found {
            self.steps.push(Step {
                at: Point::default(),
                sls: None,
                env: String::new(),
                value: value.clone(),
            });
        }
    }

    /// A document that was read before is laid in once more.
    pub(super) fn again(&mut self, sls: &str) {
        let known = self.steps.iter().rfind(|step| step.sls.as_deref() == Some(sls));
        self.steps.extend(known.cloned());
    }
}

impl Step {
    /// The step as `salt-rs explain --json` prints it.
    pub fn to_json(&self) -> Json {
        json!({ "at": self.at.to_json(), "sls": self.sls, "env": self.env, "value": self.value })
    }
}
