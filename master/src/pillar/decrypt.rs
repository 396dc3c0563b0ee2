//! `decrypt_pillar`: values that are decrypted once the pillar is whole.

use serde_json::{Map, Value as Json};

use crate::compile::lookup::Cipher;
use crate::compile::oracle::Oracle;

/// What is to be decrypted: a path, and what with.
fn wanted(oracle: &Oracle) -> Vec<(String, String)> {
    let default = oracle.options.text("decrypt_pillar_default").unwrap_or("gpg");
    let renderer = |value: &Json| match value {
        Json::String(name) if !name.is_empty() => name.clone(),
        _ => default.to_owned(),
    };
    let all = |map: &Map<String, Json>| -> Vec<(String, String)> {
        map.iter()
            .map(|(key, value)| (key.clone(), renderer(value)))
            .collect()
    };
    match oracle.options.salt.get("decrypt_pillar") {
        Some(Json::Object(map)) => all(map),
        Some(Json::Array(items)) => items
            .iter()
            .flat_map(|item| match item {
                Json::String(key) => vec![(key.clone(), default.to_owned())],
                Json::Object(map) => all(map),
                _ => Vec::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// A path that could not be decrypted, and why.
pub(super) struct Failed {
    pub(super) path: Vec<String>,
    pub(super) message: String,
}

/// Whether anything is to be decrypted.
pub(super) fn is_asked(oracle: &Oracle) -> bool {
    oracle.options.salt.contains_key("decrypt_pillar")
}

/// Decrypts what the options name.
pub(super) fn decrypt(oracle: &Oracle, pillar: &mut Map<String, Json>) -> Vec<Failed> {
    let delimiter = oracle.options.text("decrypt_pillar_delimiter").unwrap_or(":");
    let valid = match oracle.options.texts("decrypt_pillar_renderers") {
        none if none.is_empty() => vec!["gpg".to_owned(), "age".to_owned()],
        some => some,
    };
    let mut failed = Vec::new();
    for (key, renderer) in wanted(oracle) {
        let path: Vec<String> = key.split(delimiter).map(str::to_owned).collect();
        let Some((first, rest)) = path.split_first() else {
            continue;
        };
        let found = rest.iter().try_fold(pillar.get_mut(first), |at, part| match at {
            Some(Json::Object(map)) => Some(map.get_mut(part)),
            _ => None,
        });
        let Some(Some(value)) = found else { continue };
        let done = match Cipher::named(&renderer).filter(|_| valid.contains(&renderer)) {
            Some(cipher) => within(oracle, cipher, value),
            None => Err(format!(
                "'{renderer}' is not a valid decryption renderer. Valid choices are: {}",
                valid.join(", ")
            )),
        };
        if let Err(why) = done {
            let message = format!("Failed to decrypt pillar key '{key}': {why}");
            failed.push(Failed { path, message });
        }
    }
    failed
}

/// Every text below a value.
fn within(oracle: &Oracle, cipher: Cipher, value: &mut Json) -> Result<(), String> {
    match value {
        Json::String(text) => {
            if let Some(plain) = oracle.decrypt(cipher, text)? {
                *text = plain;
            }
            Ok(())
        }
        Json::Array(items) => items.iter_mut().try_for_each(|item| within(oracle, cipher, item)),
        Json::Object(map) => map.values_mut().try_for_each(|item| within(oracle, cipher, item)),
        _ => Ok(()),
    }
}
