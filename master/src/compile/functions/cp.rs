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
    ("list_master_symlinks", |oracle, args| {
        let (env, prefix) = (env(args), args.text_or("prefix", ""));
        let links = oracle
            .files
            .all(&env)
            .filter(|(path, _)| path.starts_with(&prefix));
        let links = links.filter_map(|(path, entry)| Some((path.to_owned(), entry.link.clone()?.into())));
        Ok(Json::Object(links.collect()))
    }),
    ("stat_file", stat_file),
    ("is_cached", |_, _| Ok("".into())),
];

/// `state.*`: what only looks at the tree.
pub(super) const STATE: &[(&str, Function)] = &[("sls_exists", |oracle, args| {
    let names = match args.required("mods")? {
        Json::Array(names) => names.iter().map(crate::compile::python::text).collect(),
        one => crate::compile::python::text(&one)
            .split(',')
            .map(str::to_owned)
            .collect::<Vec<String>>(),
    };
    let env = env(args);
    Ok(names
        .iter()
        .all(|name| oracle.files.sls(&env, name).is_some())
        .into())
})];

/// The mode a tree knows: executable or not.
fn stat_file(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let path = args.text("path")?;
    let octal = args.flag("octal", true);
    let found = uri(&path, &env(args)).and_then(|at| oracle.files.entry(&at.env, &at.path).cloned());
    let mode = match found.map(|entry| entry.kind) {
        Some(Kind::File { executable: true }) => 0o755,
        Some(Kind::File { .. }) => 0o644,
        _ => return Ok(Json::Null),
    };
    Ok(if octal {
        format!("{mode:04o}").into()
    } else {
        Json::from(0o100_000 | mode)
    })
}

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
        None => Ok("".into()),
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
