//! `pkg.*`: installed packages and what the archives offer.

use proto::{Address, Package, Value};
use serde_json::{Map, Value as Json, json};

use super::{Args, Function};
use crate::live::Live;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "pkg.version",
        params: "*names",
        doc: "Give the installed version of packages\n\nOne name gives a text, several a mapping; empty means not installed.",
        run: |live, args| {
            each(live, args, |live, name| {
                Ok(installed(live, name)?.unwrap_or_default())
            })
        },
    },
    Function {
        name: "pkg.latest_version",
        params: "*names",
        doc: "Give the version an installation or upgrade would bring\n\nEmpty where the newest is installed already.",
        run: |live, args| {
            learn(live, args)?;
            each(live, args, |live, name| {
                let candidate = live.offer(name).map_err(|problem| problem.text)?.candidate;
                let now = installed(live, name)?;
                Ok(candidate
                    .filter(|version| Some(version) != now.as_ref())
                    .unwrap_or_default())
            })
        },
    },
    Function {
        name: "pkg.available_version",
        params: "*names",
        doc: "Give the version an installation or upgrade would bring",
        run: |live, args| {
            learn(live, args)?;
            each(live, args, |live, name| {
                Ok(live
                    .offer(name)
                    .map_err(|problem| problem.text)?
                    .candidate
                    .unwrap_or_default())
            })
        },
    },
    Function {
        name: "pkg.upgrade_available",
        params: "name",
        doc: "Tell whether another version than the installed one is offered",
        run: |live, args| {
            let name = args.need("name")?;
            let offer = live.offer(&name).map_err(|problem| problem.text)?;
            let now = installed(live, &name)?;
            Ok(json!(
                now.is_some() && offer.candidate.is_some() && offer.candidate != now
            ))
        },
    },
    Function {
        name: "pkg.list_pkgs",
        params: "",
        doc: "Give all installed packages with their versions",
        run: |live, _| {
            let status = live.packages().map_err(|problem| problem.text)?;
            let found: Map<String, Json> = status
                .packages
                .iter()
                .filter(|(_, stanza)| stanza.installed())
                .map(|(name, stanza)| (name.clone(), json!(stanza.version)))
                .collect();
            Ok(Json::Object(found))
        },
    },
    Function {
        name: "pkg.list_upgrades",
        params: "refresh, dist_upgrade",
        doc: "Give the packages an upgrade would change, with their new versions\n\n`refresh` reads the package lists anew first.",
        run: |live, args| {
            if args.flag("refresh", false) {
                live.refresh().map_err(|problem| problem.text)?;
            }
            let verb = if args.flag("dist_upgrade", true) {
                "dist-upgrade"
            } else {
                "upgrade"
            };
            Ok(json!(live.upgrades(verb).map_err(|problem| problem.text)?))
        },
    },
    Function {
        name: "lowpkg.bin_pkg_info",
        params: "path",
        doc: "Tell name, version and architecture of a package file",
        run: |live, args| {
            let path = args.need("path")?;
            let hex = path.strip_prefix("object:").unwrap_or_default();
            let digest = hex
                .parse()
                .map_err(|_| format!("{path} is no object of the store"))?;
            let (name, package) = live.package_file(&digest).map_err(|problem| problem.text)?;
            Ok(json!({ "name": name, "version": package.version, "arch": package.arch }))
        },
    },
    Function {
        name: "pkg.list_repo_pkgs",
        params: "*names",
        doc: "Give all versions the archives offer of packages",
        run: |live, args| {
            learn(live, args)?;
            let mut found = Map::new();
            for name in args.texts() {
                let offer = live.offer(&name).map_err(|problem| problem.text)?;
                found.insert(name, json!(offer.versions));
            }
            Ok(Json::Object(found))
        },
    },
];

fn learn(live: &mut Live, args: &Args) -> Result<(), String> {
    let names = args.texts();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    live.learn_offers(&names).map_err(|problem| problem.text)
}

/// Salt's shape: a text for one name, a mapping for several.
fn each(
    live: &mut Live,
    args: &Args,
    mut one: impl FnMut(&mut Live, &str) -> Result<String, String>,
) -> Result<Json, String> {
    let mut names = args.texts();
    names.extend(args.text("name"));
    match names.as_slice() {
        [] => Ok(json!("")),
        [name] => Ok(json!(one(live, name)?)),
        names => {
            let mut found = Map::new();
            for name in names {
                found.insert(name.clone(), json!(one(live, name)?));
            }
            Ok(Json::Object(found))
        }
    }
}

fn installed(live: &mut Live, name: &str) -> Result<Option<String>, String> {
    match live
        .read(&Address::Package(name.to_owned()))
        .map_err(|problem| problem.text)?
    {
        Value::Package(Package {
            version,
            config_only: false,
            ..
        }) => Ok(Some(version)),
        _ => Ok(None),
    }
}
