//! `pkg.*`: installed packages and what the archives offer.

use proto::{Address, Package, Value};
use serde_json::{Map, Value as Json, json};

use super::{Args, Function};
use crate::live::Live;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "pkg.version",
        params: "*names",
        run: version,
    },
    Function {
        name: "pkg.latest_version",
        params: "*names",
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
        params: "versions_as_list=False",
        run: |live, args| {
            let list = args.flag("versions_as_list", false);
            let status = live.packages().map_err(|problem| problem.text)?;
            let found: Map<String, Json> = status
                .packages
                .iter()
                .filter(|(_, stanza)| stanza.installed())
                .map(|(name, stanza)| {
                    let version = json!(stanza.version);
                    (name.clone(), if list { json!([version]) } else { version })
                })
                .collect();
            Ok(Json::Object(found))
        },
    },
    Function {
        name: "pkg.list_upgrades",
        params: "refresh, dist_upgrade",
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

/// A pattern stands for the installed packages it fits.
fn version(live: &mut Live, args: &Args) -> Result<Json, String> {
    let names = args.texts();
    if !names.iter().any(|name| name.contains(['*', '?', '['])) {
        return each(live, args, |live, name| {
            Ok(installed(live, name)?.unwrap_or_default())
        });
    }
    let status = live.packages().map_err(|problem| problem.text)?;
    let packages = status.packages.iter().filter(|(_, stanza)| stanza.installed());
    let mut found: Map<String, Json> = packages
        .filter(|(name, _)| names.iter().any(|one| states::fnmatch(one, name)))
        .map(|(name, stanza)| (name.clone(), json!(stanza.version)))
        .collect();
    for name in names.iter().filter(|name| !name.contains(['*', '?', '['])) {
        found.entry(name.clone()).or_insert_with(|| json!(""));
    }
    Ok(Json::Object(found))
}

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
        [] => Ok(json!({})),
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
