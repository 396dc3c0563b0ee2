//! The mine: what every host of the roster told at its last contact, as the store remembers it.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json, json};

use crate::compile::lookup::Answer;
use crate::fleet::known_grains;
use crate::roster::Roster;
use crate::store::Index;

/// How long another process may keep the index.
const WAIT: Duration = Duration::from_secs(5);

/// Where the mine is.
#[derive(Debug)]
pub(super) struct Mine {
    pub(super) roster: PathBuf,
    pub(super) state_dir: PathBuf,
}

impl Mine {
    /// `{host: {told, grains, age}}` of hosts that told anything; the age is in seconds.
    pub(super) fn read(&self) -> Answer {
        if !self.roster.exists() {
            return Ok(Json::Object(Map::new()));
        }
        let roster = Roster::load(&self.roster, None).map_err(|error| error.to_string())?;
        let names: Vec<&str> = roster.entries.keys().map(String::as_str).collect();
        let recalled = Index::new(&self.state_dir, WAIT)
            .recall(&names)
            .map_err(|error| error.to_string())?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_millis());
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        let mut mine = Map::new();
        for (host, known) in recalled.hosts {
            if known.mine.is_empty() {
                continue;
            }
            let grains = known_grains(&host, &known, &roster.entries[&host].grains);
            let heard = known.run.as_ref().map_or(now, crate::store::RunId::millis);
            let age = now.saturating_sub(heard) / 1000;
            mine.insert(host, json!({ "told": known.mine, "grains": grains, "age": age }));
        }
        Ok(mine.into())
    }
}
