//! Whether a target means this host: the matchers of `target`, fed with just the grains they look at.

use serde_json::{Map, Value as Json};

use super::oracle::{Grains, Oracle};
use super::python;
use crate::target::{self, Kind, Matcher, Needs, Subject};

impl Oracle {
    /// Whether a target of that kind means this host.
    ///
    /// # Errors
    /// A target that is malformed, or of an unknown kind.
    pub(crate) fn matches(&self, kind: &str, target: &Json) -> Result<bool, String> {
        self.matches_as(kind, target, None)
    }

    /// Whether a target would mean this host if it had another name.
    ///
    /// # Errors
    /// As [`Oracle::matches`].
    pub(crate) fn matches_as(&self, kind: &str, target: &Json, name: Option<&str>) -> Result<bool, String> {
        let matcher = matcher(kind, target)?;
        let grains = self.grains_for(&self.needs(&matcher)?);
        self.matches_with(&matcher, &grains, name)
    }

    /// Whether a target may select pillar. `Err(None)` says that it depends on a grain which only the host claims
    /// (requirement C3).
    ///
    /// # Errors
    /// As [`Oracle::matches`].
    pub(crate) fn selects(&self, kind: &str, target: &Json) -> Result<bool, Option<String>> {
        let matcher = matcher(kind, target)?;
        let needs = self.needs(&matcher)?;
        let claimed = self.matches_with(&matcher, &self.grains_for(&needs), None)?;
        let asserted = self.grains.asserted();
        let vouched = matches!(self.grains, Grains::Complete(_))
            || needs
                .grains
                .iter()
                .all(|key| key != "*" && asserted.contains_key(key));
        if vouched
            || self.options.pillar_from_host_grains
            || self.matches_with(&matcher, asserted, None)? == claimed
        {
            return Ok(claimed);
        }
        Err(None)
    }

    fn needs(&self, matcher: &Matcher) -> Result<Needs, String> {
        matcher
            .needs(&self.options.nodegroups)
            .map_err(|error| error.to_string())
    }

    fn matches_with(
        &self,
        matcher: &Matcher,
        grains: &Map<String, Json>,
        name: Option<&str>,
    ) -> Result<bool, String> {
        let none = Map::new();
        let subject = Subject {
            id: name.unwrap_or(&self.minion),
            grains,
            pillar: self.pillar.as_object().unwrap_or(&none),
            nodegroups: &self.options.nodegroups,
        };
        target::matches(matcher, &subject).map_err(|error| error.to_string())
    }

    fn grains_for(&self, needs: &Needs) -> Map<String, Json> {
        if needs.grains.contains("*") {
            return self.grains();
        }
        let known = needs
            .grains
            .iter()
            .filter_map(|key| Some((key.clone(), self.grain(key)?)));
        known.collect()
    }
}

fn matcher(kind: &str, target: &Json) -> Result<Matcher, String> {
    let kind = Kind::named(kind).map_err(|error| error.to_string())?;
    match target {
        Json::Array(ids) => Ok(Matcher::list(ids.iter().map(python::text))),
        one => Matcher::parse(kind, &python::text(one)).map_err(|error| error.to_string()),
    }
}
