//! `grains.*`: what the host says of itself. What the roster asserts is the master's to lay over.

use serde_json::{Map, Value as Json, json};
use states::args::truth;

use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "grains.get",
        params: "key, default=, delimiter=:",
        run: |live, args| {
            let key = args.need("key")?;
            let delimiter = args.text("delimiter").unwrap_or_else(|| ":".to_owned());
            let found = live.grain(&key.replace(&delimiter, ":"));
            Ok(found.unwrap_or_else(|| args.any("default").cloned().unwrap_or(json!(""))))
        },
    },
    Function {
        name: "grains.items",
        params: "",
        run: |live, _| Ok(Json::Object(live.all_grains())),
    },
    Function {
        name: "grains.item",
        params: "*args",
        run: |live, args| {
            let mut found = Map::new();
            for key in args.texts() {
                let value = live.grain(&key).unwrap_or(json!(""));
                found.insert(key, value);
            }
            Ok(Json::Object(found))
        },
    },
    Function {
        name: "grains.ls",
        params: "",
        run: |live, _| {
            let mut keys: Vec<String> = live.all_grains().keys().cloned().collect();
            keys.sort();
            Ok(json!(keys))
        },
    },
    Function {
        name: "grains.has_value",
        params: "key",
        run: |live, args| {
            Ok(json!(
                live.grain(&args.need("key")?).is_some_and(|value| truth(&value))
            ))
        },
    },
    Function {
        name: "grains.equals",
        params: "key, value",
        run: |live, args| {
            let found = live.grain(&args.need("key")?).unwrap_or(json!(""));
            Ok(json!(states::args::plain(&found) == args.need("value")?))
        },
    },
];
