//! `sources` of `pkg.installed`: package files instead of repositories.

use proto::question::Call as Function;
use proto::{Answer, Args, Question};
use serde_json::Value as Json;

use super::Seen;
use super::installed::Target;
use crate::args::plain;
use crate::source::{self, Trouble};
use crate::{ArgsExt, Call, Host, Stop};

/// Packages and where their files are, as the state names them.
///
/// # Errors
/// [`Stop::Failed`] when they have no form they may have.
pub(super) fn given(args: &Args) -> Result<Vec<(String, String)>, Stop> {
    let malformed = || Stop::failed("Invalidly formatted 'sources' parameter. See minion log.");
    let maps: Vec<&Args> = match args.any("sources") {
        Some(Json::Object(map)) => vec![map],
        Some(Json::Array(items)) => {
            let maps: Option<_> = items.iter().map(Json::as_object).collect();
            maps.ok_or_else(malformed)?
        }
        _ => return Err(malformed()),
    };
    let pairs = maps.into_iter().flatten();
    Ok(pairs.map(|(name, file)| (name.clone(), plain(file))).collect())
}

/// Those that are not installed, or not in the file's version.
///
/// # Errors
/// [`Stop::Ask`] while something is not known; [`Stop::Failed`] when a file is none, or that of another package.
pub(super) fn targets<'s, 'a>(
    call: &Call<'_>,
    host: &Host<'_>,
    all: &'s [Seen<'a>],
) -> Result<Vec<Target<'s, 'a>>, Stop> {
    let mut targets = Vec::new();
    for (name, file) in given(call.args())? {
        let Some(seen) = all.iter().find(|seen| seen.named.name == name) else {
            continue;
        };
        let found = source::of(call, host, &file).map_err(|trouble| match trouble {
            Trouble::Stop(stop) => stop,
            Trouble::Said(why) => Stop::Failed(format!("Unable to cache {file}: {why}")),
            Trouble::None => Stop::Failed(format!("Unable to cache {file}: file not found")),
        })?;
        let path = crate::host::object_path(&found.content);
        let ask = Function {
            fun: "lowpkg.bin_pkg_info".to_owned(),
            args: vec![Json::from(path).to_string()],
            kwargs: Default::default(),
        };
        let Answer::Json(info) = host.ask(Question::Call(ask))? else {
            return Err(Stop::Failed(format!("Failed to parse metadata for {file}")));
        };
        let text = |key: &str| info.get(key).and_then(Json::as_str).unwrap_or_default();
        let (is, version) = (text("name"), text("version"));
        if is != name.split(':').next().unwrap_or(&name) {
            return Err(Stop::Failed(format!("{file} is package {is}, not {name}")));
        }
        if seen.version() != Some(version) {
            targets.push(Target {
                seen,
                version: version.to_owned(),
                known: Some(version.to_owned()),
            });
        }
    }
    Ok(targets)
}
