//! Which hosts are meant: Salt's matchers, for the command line's target and for top files alike.
//!
//! A target is parsed once and then asked about subjects. Nothing here does I/O: whoever asks brings grains and
//! pillar, and `needs` says beforehand which of them a target looks at. What Salt logs and lets match nothing (a
//! broken expression, an unknown node group) is an error here.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::compile::diagnostic::nearest;

mod compound;
mod matchers;

use compound::Expr;
pub use matchers::glob;
use matchers::{Network, Path};

/// Node groups as the settings hold them: name to the words of a compound target.
pub type Nodegroups = IndexMap<String, Vec<String>>;

/// Kinds of matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A shell glob over the id (`*`, `?`, `[ab]`, `[!ab]`).
    Glob,
    /// Ids with commas between them.
    List,
    /// A regular expression over the id, anchored at its start.
    Pcre,
    /// A grain's path and a glob over its value, `os:Deb*`.
    Grain,
    /// A grain's path and a regular expression over its value.
    GrainPcre,
    /// A pillar's path and a glob over its value.
    Pillar,
    /// A pillar's path and a regular expression over its value.
    PillarPcre,
    /// An address or network over the grains `ipv4` and `ipv6`.
    Ipcidr,
    /// A node group's name.
    Nodegroup,
    /// All of them, with `and`, `or`, `not` and parentheses.
    Compound,
}

impl Kind {
    /// The kinds by Salt's names.
    pub const NAMES: [(&'static str, Self); 10] = [
        ("glob", Self::Glob),
        ("list", Self::List),
        ("pcre", Self::Pcre),
        ("grain", Self::Grain),
        ("grain_pcre", Self::GrainPcre),
        ("pillar", Self::Pillar),
        ("pillar_pcre", Self::PillarPcre),
        ("ipcidr", Self::Ipcidr),
        ("nodegroup", Self::Nodegroup),
        ("compound", Self::Compound),
    ];

    /// The kind that `match:` in a top file names.
    ///
    /// # Errors
    /// No kind has that name.
    pub fn named(name: &str) -> Result<Self, TargetError> {
        let known = Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| *kind);
        known.ok_or_else(|| TargetError::Kind {
            name: name.to_owned(),
            near: nearest(name, Self::NAMES.iter().map(|(known, _)| *known)).map(str::to_owned),
        })
    }
}

/// A target, parsed.
#[derive(Debug, Clone)]
pub struct Matcher(Expr);

/// One simple match.
#[derive(Debug, Clone)]
enum Simple {
    Glob(String),
    List(Vec<String>),
    Pcre(Box<fancy_regex::Regex>),
    Grain(Path),
    Pillar(Path),
    Ipcidr(Network),
    Nodegroup(String),
}

/// What a target is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The minion's id.
    pub id: &'a str,
    /// Its grains.
    pub grains: &'a Map<String, Json>,
    /// Its pillar.
    pub pillar: &'a Map<String, Json>,
    /// The node groups there are.
    pub nodegroups: &'a Nodegroups,
}

/// What a target looks at besides the id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// First names of the grains; `*` is any of them. Requirement C3 compares them with those the roster asserts.
    pub grains: BTreeSet<String>,
    /// Whether it looks at pillar.
    pub pillar: bool,
}

/// Why a target cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetError {
    /// No such kind of match.
    #[error("`{name}` is no kind of match{}", .near.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    Kind {
        /// What was written.
        name: String,
        /// The nearest kind.
        near: Option<String>,
    },
    /// A word like `X@…` with a letter that means nothing.
    #[error("`{0}` begins with no known kind: there are G@ P@ I@ J@ L@ E@ S@ N@")]
    Engine(String),
    /// An expression that does not come out.
    #[error("the target `{target}` is not understood: {reason}")]
    Syntax {
        /// The whole target.
        target: String,
        /// Where it breaks.
        reason: String,
    },
    /// A regular expression that is none.
    #[error("`{pattern}` is not a regular expression: {reason}")]
    Regex {
        /// The expression.
        pattern: String,
        /// Why not.
        reason: String,
    },
    /// A grain or pillar match without a value.
    #[error("`{0}` names no value: write `key{1}value`, such as `os{1}Debian`")]
    NoValue(String, char),
    /// Neither an address nor a network.
    #[error("`{0}` is neither an IP address nor a network without host bits, such as `10.0.0.0/24`")]
    Network(String),
    /// No such node group.
    #[error("there is no node group `{name}`{}", .near.as_ref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    Nodegroup {
        /// What was written.
        name: String,
        /// The nearest group.
        near: Option<String>,
    },
    /// A node group that contains itself.
    #[error("the node group `{0}` contains itself")]
    Circle(String),
}

impl Matcher {
    /// Parses a target.
    ///
    /// # Errors
    /// It is not one of that kind. Node groups are looked up when matching.
    pub fn parse(kind: Kind, text: &str) -> Result<Self, TargetError> {
        Ok(Self(match kind {
            Kind::Compound => compound::parse(text)?,
            _ => Expr::Simple(Simple::parse(kind, text, ':')?),
        }))
    }

    /// A list of ids as a top file may write it.
    pub fn list(ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(Expr::Simple(Simple::List(
            ids.into_iter().map(Into::into).collect(),
        )))
    }

    /// What the target looks at.
    ///
    /// # Errors
    /// A node group that is not there, contains itself or is not understood.
    pub fn needs(&self, nodegroups: &Nodegroups) -> Result<Needs, TargetError> {
        let mut needs = Needs::default();
        let mut way = Vec::new();
        gather(&self.0, nodegroups, &mut way, &mut needs)?;
        Ok(needs)
    }
}

/// Whether a target means a subject.
///
/// # Errors
/// A node group that is not there, contains itself or is not understood; a regular expression that takes too long.
pub fn matches(matcher: &Matcher, subject: &Subject<'_>) -> Result<bool, TargetError> {
    evaluate(&matcher.0, subject, &mut Vec::new())
}

impl Simple {
    fn parse(kind: Kind, text: &str, delimiter: char) -> Result<Self, TargetError> {
        Ok(match kind {
            // A compound inside a compound is a glob, as a word without an engine is.
            Kind::Glob | Kind::Compound => Self::Glob(text.to_owned()),
            Kind::List => Self::List(text.split(',').map(|id| id.trim().to_owned()).collect()),
            Kind::Pcre => Self::Pcre(Box::new(matchers::regex(text, "")?)),
            Kind::Grain => Self::Grain(Path::glob(text, delimiter)?),
            Kind::GrainPcre => Self::Grain(Path::regex(text, delimiter)?),
            Kind::Pillar => Self::Pillar(Path::glob(text, delimiter)?),
            Kind::PillarPcre => Self::Pillar(Path::regex(text, delimiter)?),
            Kind::Ipcidr => Self::Ipcidr(Network::parse(text)?),
            Kind::Nodegroup => Self::Nodegroup(text.to_owned()),
        })
    }
}

fn evaluate<'a>(expr: &Expr, subject: &Subject<'a>, way: &mut Vec<String>) -> Result<bool, TargetError> {
    match expr {
        Expr::Not(inner) => Ok(!evaluate(inner, subject, way)?),
        // Both sides are looked at, so that what is wrong shows on every host.
        Expr::And(left, right) => Ok(evaluate(left, subject, way)? & evaluate(right, subject, way)?),
        Expr::Or(left, right) => Ok(evaluate(left, subject, way)? | evaluate(right, subject, way)?),
        Expr::Simple(simple) => match simple {
            Simple::Glob(pattern) => Ok(glob(pattern, subject.id)),
            Simple::List(ids) => Ok(ids.iter().any(|id| id == subject.id)),
            Simple::Pcre(pattern) => matchers::is_match(pattern, subject.id),
            Simple::Grain(path) => path.matches(subject.grains),
            Simple::Pillar(path) => path.matches(subject.pillar),
            Simple::Ipcidr(network) => Ok(network.matches(subject.grains)),
            Simple::Nodegroup(name) => inside(name, subject.nodegroups, way, |group, way| {
                evaluate(group, subject, way)
            }),
        },
    }
}

fn gather(
    expr: &Expr,
    nodegroups: &Nodegroups,
    way: &mut Vec<String>,
    needs: &mut Needs,
) -> Result<(), TargetError> {
    match expr {
        Expr::Not(inner) => gather(inner, nodegroups, way, needs)?,
        Expr::And(left, right) | Expr::Or(left, right) => {
            gather(left, nodegroups, way, needs)?;
            gather(right, nodegroups, way, needs)?;
        }
        Expr::Simple(Simple::Grain(path)) => drop(needs.grains.insert(path.first().to_owned())),
        Expr::Simple(Simple::Pillar(_)) => needs.pillar = true,
        Expr::Simple(Simple::Ipcidr(network)) => drop(needs.grains.insert(network.grain().to_owned())),
        Expr::Simple(Simple::Nodegroup(name)) => {
            inside(name, nodegroups, way, |group, way| {
                gather(group, nodegroups, way, needs)
            })?;
        }
        Expr::Simple(Simple::Glob(_) | Simple::List(_) | Simple::Pcre(_)) => {}
    }
    Ok(())
}

/// Does something with a node group's expression; `way` holds the groups around it.
fn inside<T>(
    name: &str,
    nodegroups: &Nodegroups,
    way: &mut Vec<String>,
    job: impl FnOnce(&Expr, &mut Vec<String>) -> Result<T, TargetError>,
) -> Result<T, TargetError> {
    if way.iter().any(|outer| outer == name) {
        return Err(TargetError::Circle(name.to_owned()));
    }
    let words = nodegroups.get(name).ok_or_else(|| TargetError::Nodegroup {
        name: name.to_owned(),
        near: nearest(name, nodegroups.keys().map(String::as_str)).map(str::to_owned),
    })?;
    let group = compound::group(words)?;
    way.push(name.to_owned());
    let done = job(&group, way);
    way.pop();
    done
}

#[cfg(test)]
mod tests;
