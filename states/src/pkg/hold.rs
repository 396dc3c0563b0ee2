//! `hold` of `pkg.installed`: whether upgrades leave a package alone.

use proto::{Act, Args};

use super::{Seen, old_new};
use crate::{ArgsExt, Call};

/// What `hold` means for some packages.
pub(super) struct Holds {
    /// Sentences for those that change, then for those that do not.
    pub(super) changed: Vec<(String, String)>,
    /// Sentences for those that are as they should be.
    pub(super) unchanged: Vec<String>,
    /// Acts for packages that need nothing else.
    pub(super) acts: Vec<Act>,
    old: &'static str,
    new: &'static str,
}

/// What the state says about holding; `None` leaves it.
pub(super) fn wanted(call: &Call<'_>) -> Option<bool> {
    call.args().any("hold").map(crate::args::truth)
}

/// Looks at `all`; packages in `installing` get their hold with their installation.
pub(super) fn look(call: &Call<'_>, all: &[Seen<'_>], installing: &[&str]) -> Option<Holds> {
    let want = wanted(call)?;
    let mut holds = Holds {
        changed: Vec::new(),
        unchanged: Vec::new(),
        acts: Vec::new(),
        old: if want { "install" } else { "hold" },
        new: if want { "hold" } else { "install" },
    };
    for seen in all {
        let name = &seen.named.name;
        let installing = installing.contains(&name.as_str());
        if seen.held() == want {
            let state = if want { "being held" } else { "not to be held" };
            let sentence = if want {
                format!("Package {name} is already set to be held.")
            } else {
                format!("Package {name} is already set {state}.")
            };
            holds.unchanged.push(sentence);
            continue;
        }
        let sentence = if want {
            format!("Package {name} is now being held.")
        } else {
            format!("Package {name} is no longer being held.")
        };
        holds.changed.push((name.clone(), sentence));
        if !installing {
            holds
                .acts
                .push(seen.install(seen.version().unwrap_or_default(), want));
        }
    }
    Some(holds)
}

impl Holds {
    /// Adds what changed to Salt's `changes`: beside the versions where there are some.
    pub(super) fn tell(&self, changes: &mut Args) {
        for (name, _) in &self.changed {
            let text = |key: &str| {
                let map = changes.get(name)?.as_object()?;
                map.text(key).filter(|text| !text.is_empty())
            };
            let with = |before: Option<String>, word: &str| {
                before.map_or_else(|| word.to_owned(), |before| format!("{before}\n{word}"))
            };
            let entry = old_new(with(text("old"), self.old), with(text("new"), self.new));
            changes.insert(name.clone(), entry.into());
        }
    }
}
