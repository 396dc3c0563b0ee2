//! `pkg.*`: what the host's package manager is asked beyond the agent's own functions.

use std::cmp::Ordering;

use serde_json::{Map, Value as Json, json};
use states::pkg::version::{compare, compare_rpm};

use super::{Args, Function, asked};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("version_cmp", version_cmp),
    ("normalize_name", |oracle, args| {
        let name = args.text("name")?;
        let own = architecture(oracle);
        let bare = name
            .rsplit_once([':', '.'])
            .filter(|(_, arch)| *arch == own || matches!(*arch, "noarch" | "all" | "any"));
        Ok(bare.map_or(name.as_str(), |(bare, _)| bare).into())
    }),
    ("parse_arch", |_, args| {
        let name = args.text("name")?;
        Ok(match name.rsplit_once(':') {
            Some((name, arch)) => json!({"name": name, "arch": arch}),
            None => json!({"name": name, "arch": null}),
        })
    }),
    ("owner", |oracle, args| {
        let paths = args.rest_texts();
        let mut found = Map::new();
        for path in &paths {
            found.insert(path.clone(), owner(oracle, path)?.unwrap_or_default().into());
        }
        Ok(match paths.as_slice() {
            [] => "".into(),
            [path] => found.shift_remove(path).unwrap_or_default(),
            _ => Json::Object(found),
        })
    }),
    ("which", |oracle, args| {
        let found = owner(oracle, &args.text("path")?)?;
        Ok(found.map_or(Json::Bool(false), Json::from))
    }),
    ("file_list", |oracle, args| {
        let mut files = Vec::new();
        for (_, list) in files_of(oracle, args)? {
            files.extend(list);
        }
        files.sort();
        Ok(json!({"errors": [], "files": files}))
    }),
    ("file_dict", |oracle, args| {
        let packages = files_of(oracle, args)?.into_iter();
        let packages: Map<String, Json> = packages.map(|(name, list)| (name, list.into())).collect();
        Ok(json!({"errors": [], "packages": packages}))
    }),
    ("info_installed", info_installed),
];

pub(super) const RESOURCE: &[(&str, Function)] = &[("version", |oracle, args| {
    let names: Vec<Json> = args.rest();
    asked::call(oracle, "pkg.version", &names)
})];

fn is_rpm(oracle: &Oracle) -> bool {
    let family = oracle.grain("os_family");
    matches!(family.as_ref().and_then(Json::as_str), Some("RedHat" | "Suse"))
}

fn architecture(oracle: &Oracle) -> String {
    oracle
        .grain("osarch")
        .as_ref()
        .map(python::text)
        .unwrap_or_default()
}

fn version_cmp(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let bare = args.flag("ignore_epoch", false);
    let mut version = |name: &str| -> Result<String, String> {
        let text = args.text(name)?;
        Ok(match text.split_once(':') {
            Some((_, rest)) if bare => rest.to_owned(),
            _ => text,
        })
    };
    let (one, other) = (version("pkg1")?, version("pkg2")?);
    let order = if is_rpm(oracle) {
        compare_rpm(&one, &other)
    } else {
        compare(&one, &other)
    };
    Ok(match order {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
    .into())
}

fn owner(oracle: &Oracle, path: &str) -> Result<Option<String>, String> {
    if is_rpm(oracle) {
        let output = asked::output(oracle, &["rpm", "-qf", "--queryformat", "%{name}\\n", path])?;
        let name = output.stdout.lines().next().unwrap_or_default();
        return Ok((output.code == 0 && !name.is_empty()).then(|| name.to_owned()));
    }
    let output = asked::output(oracle, &["dpkg-query", "-S", path])?;
    if output.code != 0 {
        return Ok(None);
    }
    let name = output.stdout.lines().find_map(|line| {
        let (names, _) = line
            .rsplit_once(": ")
            .filter(|_| !line.starts_with("diversion "))?;
        names
            .split(',')
            .next()?
            .split(':')
            .next()
            .map(|name| name.trim().to_owned())
    });
    Ok(name)
}

fn files_of(oracle: &Oracle, args: &mut Args) -> Result<Vec<(String, Vec<String>)>, String> {
    let names = args.rest_texts();
    if names.is_empty() {
        return Err(format!("{} needs the name of a package here", args.function()));
    }
    let mut all = Vec::new();
    for name in names {
        let argv = if is_rpm(oracle) {
            ["rpm", "-ql", &name]
        } else {
            ["dpkg-query", "-L", &name]
        };
        let output = asked::output(oracle, &argv)?;
        if output.code != 0 {
            return Err(format!("Error:  {}{}", output.stdout, output.stderr));
        }
        let files = output.stdout.lines().filter(|line| line.starts_with('/'));
        all.push((name, files.map(str::to_owned).collect()));
    }
    Ok(all)
}

fn info_installed(oracle: &Oracle, args: &mut Args) -> Result<Json, String> {
    let names = args.rest_texts();
    let options = args.rest_named();
    if let Some((key, value)) = options.iter().find(|(key, _)| *key != "failhard") {
        return Err(format!(
            "The following keyword arguments are not valid: {key}={}",
            python::text(value)
        ));
    }
    let strict = options.get("failhard").is_none_or(python::truth);
    const DEB: &str = "${Package}\\t${Architecture}\\t${Maintainer}\\t${source:Package}\\t${Version}\\t${Section}\\t${Description}\\0";
    const RPM: &str =
        "%{NAME}\\t%{ARCH}\\t%{PACKAGER}\\t%{SOURCERPM}\\t%{EVR}\\t%{GROUP}\\t%{DESCRIPTION}\\0";
    let mut argv = if is_rpm(oracle) {
        vec!["rpm", "-q", "--queryformat", RPM]
    } else {
        vec!["dpkg-query", "-W", "-f", DEB]
    };
    argv.extend(names.iter().map(String::as_str));
    let output = asked::output(oracle, &argv)?;
    if output.code != 0 && strict {
        return Err(format!("Error getting packages information: {}", output.stderr));
    }
    let mut found = Map::new();
    for record in output.stdout.split('\0') {
        let fields: Vec<&str> = record.trim_start_matches('\n').splitn(7, '\t').collect();
        if let [name, arch, packager, source, version, group, description] = fields.as_slice() {
            found.insert(
                (*name).to_owned(),
                json!({
                    "name": name, "architecture": arch, "packager": packager, "source": source,
                    "version": version, "group": group, "description": format!("{description}\n"),
                }),
            );
        }
    }
    Ok(Json::Object(found))
}
