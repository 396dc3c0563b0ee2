//! `cp.*` as far as it reads the file roots.

use serde_json::Value as Json;

use super::{Args, Function, hashutil};
use crate::compile::oracle::Oracle;
use crate::compile::sources::{SaltUri, parse};
use crate::tree::Kind;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("get_file_str", get_file_str),
    ("hash_file", hash_file),
    ("list_states", list_states),
    ("list_master", list_master),
    ("list_master_dirs", list_master_dirs),
    ("envs", envs),
];

fn env(args: &mut Args) -> String {
    args.text_or("saltenv", "base")
}

fn uri(path: &str, env: &str) -> Option<SaltUri> {
    parse(path, env)
}

fn get_file_str(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let Some(SaltUri { env, path }) = uri(&path, &env(args)) else {
        return Ok(false.into());
    };
    Ok(oracle
        .files
        .text(&env, &path)?
        .map_or(Json::Bool(false), |text| text.to_string().into()))
}

fn hash_file(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let Some(SaltUri { env, path }) = uri(&path, &env(args)) else {
        return Ok(Json::Object(serde_json::Map::new()));
    };
    match oracle.files.read(&env, &path)? {
        Some(bytes) => {
            Ok(serde_json::json!({ "hsum": hashutil::hash(&bytes, "sha256")?, "hash_type": "sha256" }))
        }
        None => Ok(Json::Object(serde_json::Map::new())),
    }
}

fn list_states(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    Ok(oracle.files.names(&env(args)).to_vec().into())
}

fn list_master(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    list(oracle, args, |kind| matches!(kind, Kind::File { .. }))
}

fn list_master_dirs(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    list(oracle, args, |kind| matches!(kind, Kind::Dir))
}

fn list(oracle: &Oracle, args: &mut Args, wanted: fn(&Kind) -> bool) -> Result<Json, String> {
    let env = env(args);
    let prefix = args.text_or("prefix", "");
    Ok(oracle
        .files
        .all(&env)
        .filter(|(path, entry)| wanted(&entry.kind) && path.starts_with(&prefix))
        .map(|(path, _)| Json::String(path.to_owned()))
        .collect())
}

fn envs(oracle: &Oracle, _: &mut Args) -> Result<Json, String> {
    Ok(oracle
        .files
        .envs()
        .map(|env| Json::String(env.to_owned()))
        .collect())
}
