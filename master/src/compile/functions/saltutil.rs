//! `saltutil.*` that trees call out of habit: there is nothing to sync and nothing to refresh.

use serde_json::{Map, Value as Json};

use super::Function;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("clear_cache", |_, _| Ok(true.into())),
    ("refresh_grains", |_, _| Ok(true.into())),
    ("refresh_modules", |_, _| Ok(true.into())),
    ("refresh_pillar", |_, _| Ok(true.into())),
    ("sync_all", |_, _| {
        const KINDS: [&str; 21] = [
            "tops",
            "clouds",
            "beacons",
            "modules",
            "states",
            "sdb",
            "grains",
            "renderers",
            "returners",
            "output",
            "utils",
            "log_handlers",
            "executors",
            "proxymodules",
            "engines",
            "thorium",
            "serializers",
            "matchers",
            "resources",
            "pillar",
            "wrapper",
        ];
        let none = KINDS.map(|kind| (kind.to_owned(), Json::Array(Vec::new())));
        Ok(Json::Object(Map::from_iter(none)))
    }),
    ("sync_grains", |_, _| Ok(Json::Array(Vec::new()))),
    ("sync_modules", |_, _| Ok(Json::Array(Vec::new()))),
    ("sync_pillar", |_, _| Ok(Json::Array(Vec::new()))),
    ("sync_states", |_, _| Ok(Json::Array(Vec::new()))),
    ("sync_utils", |_, _| Ok(Json::Array(Vec::new()))),
];
