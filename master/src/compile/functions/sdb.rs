//! `sdb.*`: values from stores of the master, by `sdb://PROFILE/KEY`.
//!
//! Profiles stand in the settings, below `salt`, and nowhere else: under Salt a pillar may hold them too, which would
//! let a tree name programs and files of the master.

use serde_json::{Map, Value as Json};

use super::{Args, Function};
use crate::compile::data::{self, Lists};
use crate::compile::diagnostic::did_you_mean;
use crate::compile::lookup::{Cipher, Lookup};
use crate::compile::oracle::Oracle;
use crate::compile::{python, yaml};

pub(super) const FUNCTIONS: &[(&str, Function)] = &[("get", get)];

/// Drivers: `env` and `yaml` are Salt's, the others ours.
const DRIVERS: [&str; 5] = ["env", "yaml", "json", "file", "exec"];

fn get(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let uri = args.required("uri")?;
    let strict = args.flag("strict", false);
    match &uri {
        Json::String(text) if text.starts_with("sdb://") => value(oracle, text),
        _ if strict => Err("SDB uri must start with \"sdb://\"".to_owned()),
        _ => Ok(uri),
    }
}

/// The value itself where it is no `sdb://` URI.
pub(super) fn resolved(oracle: &Oracle, value_or_uri: Json) -> Result<Json, String> {
    match &value_or_uri {
        Json::String(text) if text.starts_with("sdb://") => value(oracle, text),
        _ => Ok(value_or_uri),
    }
}

fn value(oracle: &Oracle, uri: &str) -> Result<Json, String> {
    let path = uri.trim_start_matches("sdb://");
    let (name, key) = path
        .split_once('/')
        .filter(|(_, key)| !key.is_empty())
        .ok_or("SDB uri must have a profile name as a first part of the uri before the /")?;
    let profiles = &oracle.options.salt;
    let profile = profiles.get(name).and_then(Json::as_object);
    let Some((profile, driver)) = profile.and_then(|profile| Some((profile, profile.get("driver")?))) else {
        let known = profiles
            .iter()
            .filter(|(_, value)| value.get("driver").is_some())
            .map(|(name, _)| name.as_str());
        let near = did_you_mean(name, known).unwrap_or_else(|| "profiles stand below `salt`".to_owned());
        return Err(format!("SDB profile \"{name}\" is not in the settings: {near}"));
    };
    match driver.as_str().unwrap_or_default() {
        // What is in the environment is rarely a secret, and often a short word.
        "env" => Ok(oracle
            .look(Lookup::Variable(key.to_owned()))
            .transpose()?
            .unwrap_or(Json::Null)),
        "yaml" | "json" | "file" => secret(oracle, files(oracle, profile, key)),
        "exec" => secret(oracle, exec(oracle, profile, key)),
        other => {
            let near =
                did_you_mean(other, DRIVERS).unwrap_or_else(|| format!("there are {}", DRIVERS.join(", ")));
            Err(format!("SDB profile \"{name}\" has the driver `{other}`: {near}"))
        }
    }
}

fn secret(oracle: &Oracle, found: Result<Json, String>) -> Result<Json, String> {
    let found = found?;
    oracle.options.own.known.secrets.note(&found);
    Ok(found)
}

/// One file or several, laid over each other; `gpg: true` decrypts what is found.
fn files(oracle: &Oracle, profile: &Map<String, Json>, key: &str) -> Result<Json, String> {
    let named = profile.get("files").or_else(|| profile.get("file"));
    let names: Vec<&str> = match named {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(many)) => many.iter().filter_map(Json::as_str).collect(),
        _ => return Err("the SDB profile names no `files`".to_owned()),
    };
    let mut all = Map::new();
    for name in names {
        let Some(text) = oracle.look(Lookup::File(name.to_owned())).transpose()? else {
            return Ok(Json::Null);
        };
        let Json::String(text) = text else {
            return Err(format!("the SDB file {name} is not there"));
        };
        // The file may hold secrets, so that its text is not in the message. JSON is YAML.
        match yaml::load_plain(&text) {
            Ok(Json::Object(map)) => data::update(&mut all, &map, Lists::Replace),
            Ok(_) => return Err(format!("the SDB file {name} is not a mapping")),
            Err(_) => return Err(format!("the SDB file {name} is not YAML or JSON")),
        }
    }
    let found = data::traverse(&Json::Object(all), key, ":").unwrap_or(Json::Null);
    match (&found, profile.get("gpg").is_some_and(python::truth)) {
        (Json::String(text), true) => Ok(oracle.decrypt(Cipher::Gpg, text)?.map_or(found, Json::String)),
        _ => Ok(found),
    }
}

/// The program of the profile with the key in place of `%s`, or behind its words; its output without the last newline.
fn exec(oracle: &Oracle, profile: &Map<String, Json>, key: &str) -> Result<Json, String> {
    let mut words = match profile.get("command") {
        Some(Json::String(line)) => states::cmd::words(line).unwrap_or_default(),
        Some(Json::Array(words)) => words.iter().map(python::text).collect(),
        _ => return Err("the SDB profile names no `command`".to_owned()),
    };
    if words.iter().any(|word| word.contains("%s")) {
        for word in &mut words {
            *word = word.replace("%s", key);
        }
    } else {
        words.push(key.to_owned());
    }
    Ok(match oracle.look(Lookup::Program(words)).transpose()? {
        Some(Json::String(text)) => text.strip_suffix('\n').unwrap_or(&text).into(),
        _ => Json::Null,
    })
}
