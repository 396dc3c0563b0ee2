//! Salt's `pkg` state module, on packages of dpkg's and of rpm's world.

mod files;
mod group;
mod held;
mod hold;
mod installed;
mod latest;
mod removed;
mod uptodate;
pub mod version;

use proto::{Act, Address, Args, Package, Question, Value};
use serde_json::Value as Json;

use crate::args::plain;
use crate::{ArgsExt, Call, Done, Host, Stop};
use version::Wanted;

pub use group::GroupInstalled;
pub use held::{Held, Unheld};
pub use installed::Installed;
pub use latest::Latest;
pub use removed::{Purged, Removed};
pub use uptodate::Uptodate;

/// A package that a state names.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Named {
    name: String,
    wanted: Wanted,
    /// The version as written; empty when none is.
    text: String,
}

impl Named {
    fn new(name: &str, version: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            wanted: Wanted::parse(version.as_deref()),
            text: version.unwrap_or_default(),
        }
    }

    /// `name`, or `name=version` as Salt's comments show it.
    fn shown(&self) -> String {
        let operator = if self.text.is_empty() || self.text.starts_with(['<', '>', '=']) {
            ""
        } else {
            "="
        };
        format!("{}{operator}{}", self.name, self.text)
    }
}

/// A package as it is.
#[derive(Debug, Clone)]
struct Seen<'a> {
    named: Named,
    value: &'a Value,
}

impl Seen<'_> {
    /// The installed version; `None` when it is not installed, or only its configuration is left.
    fn version(&self) -> Option<&str> {
        match self.value {
            Value::Package(package) if !package.config_only => Some(&package.version),
            _ => None,
        }
    }

    /// Whether a version is newer than the installed one. The word for the architecture tells whose versions they are.
    fn older_than(&self, newest: &str) -> bool {
        let Value::Package(package) = self.value else {
            return true;
        };
        let rpm = ["noarch", "x86_64", "i686", "aarch64", "ppc64le", "armv7hl"];
        let order = if rpm.contains(&package.arch.as_str()) {
            version::compare_rpm(newest, &package.version)
        } else {
            version::compare(newest, &package.version)
        };
        order.is_gt()
    }

    fn held(&self) -> bool {
        matches!(self.value, Value::Package(package) if package.hold)
    }

    /// The act that installs a version; the candidate when it is empty.
    fn install(&self, version: &str, hold: bool) -> Act {
        self.install_from(version, hold, "")
    }

    /// The same from one repository; from any when that is empty.
    fn install_from(&self, version: &str, hold: bool, from: &str) -> Act {
        let mut package = match self.value {
            Value::Package(package) if !package.config_only => package.clone(),
            _ => Package::default(),
        };
        version.clone_into(&mut package.version);
        package.hold = hold;
        from.clone_into(&mut package.from);
        Act::assign(self.address(), self.value.clone(), Value::Package(package))
    }

    fn address(&self) -> Address {
        Address::Package(self.named.name.clone())
    }
}

/// The packages a state names: `pkgs`, else `name` with `version`.
fn named(call: &Call<'_>) -> Result<Vec<Named>, Stop> {
    let args = call.args();
    let version = |value: &Json| (!value.is_null()).then(|| plain(value));
    let malformed = || Stop::failed("Invalidly formatted pkgs parameter. See minion log.");
    let mut all = Vec::new();
    match args.any("pkgs") {
        None if args.any("sources").is_some() => {
            all.extend(files::given(args)?.iter().map(|(name, _)| Named::new(name, None)));
        }
        None => all.push(Named::new(call.name(), args.text("version"))),
        Some(Json::Array(items)) => {
            for item in items {
                match item {
                    Json::Object(map) => {
                        all.extend(map.iter().map(|(name, value)| Named::new(name, version(value))));
                    }
                    Json::Array(_) | Json::Null => return Err(malformed()),
                    other => all.push(Named::new(&plain(other), None)),
                }
            }
        }
        Some(Json::Object(map)) => {
            all.extend(map.iter().map(|(name, value)| Named::new(name, version(value))));
        }
        Some(Json::String(name)) => all.push(Named::new(name, None)),
        Some(_) => return Err(malformed()),
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|one| seen.insert(one.name.clone()));
    Ok(all)
}

/// What is installed of them, asked for in one go.
fn read<'a>(host: &Host<'a>, all: Vec<Named>) -> Result<Vec<Seen<'a>>, Stop> {
    let address = |named: &Named| Address::Package(named.name.clone());
    host.expect(all.iter().map(|named| Question::Read(address(named))));
    all.into_iter()
        .map(|named| {
            let value = host.read(address(&named))?;
            Ok(Seen { named, value })
        })
        .collect()
}

/// The version the package manager would install; `None` when it knows none.
fn candidate(host: &Host<'_>, name: &str) -> Result<Option<String>, Stop> {
    Ok(match host.ask(Question::Candidate(name.to_owned()))? {
        proto::Answer::Text(version) if !version.is_empty() => Some(version.clone()),
        _ => None,
    })
}

/// All versions the package manager could install, newest first.
fn versions(host: &Host<'_>, name: &str) -> Result<Vec<String>, Stop> {
    Ok(match host.ask(Question::Versions(name.to_owned()))? {
        proto::Answer::Json(Json::Array(items)) => items.iter().map(plain).collect(),
        _ => Vec::new(),
    })
}

/// Salt's `changes` of package transactions: old and new version of every package that has another one now.
fn changed(done: &Done<'_>) -> Args {
    let version = |value: &Value| match value {
        Value::Package(package) if !package.config_only => package.version.clone(),
        _ => String::new(),
    };
    let mut first: Vec<(&String, String, String)> = Vec::new();
    for change in done.performed.iter().flat_map(|performed| &performed.changes) {
        let Address::Package(name) = &change.at else {
            continue;
        };
        match first.iter_mut().find(|(seen, ..)| *seen == name) {
            Some((_, _, new)) => *new = version(&change.after),
            None => first.push((name, version(&change.before), version(&change.after))),
        }
    }
    first
        .into_iter()
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| (name.clone(), old_new(old, new).into()))
        .collect()
}

/// `{old: …, new: …}`.
fn old_new(old: impl Into<Json>, new: impl Into<Json>) -> Args {
    let mut map = crate::plan::one("new", new);
    map.insert("old".to_owned(), old.into());
    map
}
