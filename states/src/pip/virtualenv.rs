//! `virtualenv.managed`: a virtual environment of Python, with packages in it.

use proto::{Act, Args, Command, Value};
use serde_json::Value as Json;

use super::installed::{self, came};
use super::tool::Tool;
use crate::cmd::failure;
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, paths};

/// `virtualenv.managed`.
#[derive(Debug)]
pub struct Managed;

static SPEC: Spec = Spec {
    state: "virtualenv",
    fun: "managed",
    doc: "Make sure that there is a virtual environment of Python, with packages in it where some are given.\n\nGoing back puts \
          it back as it was, file by file.",
    params: &[
        Param::new(
            "venv_bin",
            Kind::Text,
            "The program that makes it; `venv` (the default) is that of `python`.",
        ),
        Param::new("python", Kind::Text, "Its Python (default `python3`)."),
        Param::new(
            "system_site_packages",
            Kind::Flag,
            "Packages of the system count, too.",
        ),
        Param::new("clear", Kind::Flag, "Make it anew each time."),
        Param::new("prompt", Kind::Text, "What its shell prompt says."),
        Param::new(
            "requirements",
            Kind::Text,
            "A requirements file (`salt://…` or a path on the host).",
        ),
        Param::new("pip_pkgs", Kind::List, "Packages to install."),
        Param::new(
            "pip_upgrade",
            Kind::Flag,
            "Bring them to the newest version that fits.",
        ),
        Param::new(
            "pip_ignore_installed",
            Kind::Flag,
            "Install whatever is installed already.",
        ),
        Param::new("pip_no_cache_dir", Kind::Flag, "Without pip's cache."),
        Param::new(
            "pip_exists_action",
            Kind::Text,
            "What to do when a path is there already.",
        ),
        Param::new("user", Kind::Text, "Run as this user."),
        Param::new("cwd", Kind::Text, "Working directory of pip."),
        Param::new("index_url", Kind::Text, "URL of the index."),
        Param::new("extra_index_url", Kind::Text, "URL of another index to look in."),
        Param::new("pre_releases", Kind::Flag, "Pre-releases will do."),
        Param::new("no_deps", Kind::Flag, "Without what they depend on."),
        Param::new(
            "no_binary",
            Kind::List,
            "Build these from source (`:all:` for all).",
        ),
        Param::new("proxy", Kind::Text, "Proxy, as `[user:password@]host:port`."),
        Param::new(
            "env_vars",
            Kind::Any,
            "Environment variables of pip, as a mapping.",
        ),
        Param::new("use_vt", Kind::Flag, "Accepted."),
        Param::new("distribute", Kind::Flag, "Accepted; of old programs only."),
        Param::new("never_download", Kind::Flag, "Accepted; of `virtualenv` only."),
    ],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

/// Arguments that are pip's, by the names it has for them.
const PIPS: [(&str, &str); 14] = [
    ("requirements", "requirements"),
    ("pip_pkgs", "pkgs"),
    ("pip_upgrade", "upgrade"),
    ("pip_ignore_installed", "ignore_installed"),
    ("pip_no_cache_dir", "no_cache_dir"),
    ("pip_exists_action", "exists_action"),
    ("user", "user"),
    ("cwd", "cwd"),
    ("index_url", "index_url"),
    ("extra_index_url", "extra_index_url"),
    ("pre_releases", "pre_releases"),
    ("no_deps", "no_deps"),
    ("no_binary", "no_binary"),
    ("proxy", "proxy"),
];

impl State for Managed {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        let path =
            paths::clean(name).ok_or_else(|| Stop::Failed(format!("{name} is not an absolute path")))?;
        let there = matches!(
            host.follow(&paths::join(&path, "bin/python"))?,
            Value::File { .. }
        );
        let clear = args.flag("clear", false);
        let packages = args.any("requirements").is_some() || args.any("pip_pkgs").is_some();
        let mut pip = call.chunk.clone();
        pip.args = PIPS
            .iter()
            .filter_map(|(key, own)| Some(((*own).to_owned(), args.any(key)?.clone())))
            .collect();
        pip.args.insert("bin_env".to_owned(), path.clone().into());
        if let Some(env) = args.any("env_vars") {
            pip.args.insert("env_vars".to_owned(), env.clone());
        }
        let inner = Call { chunk: &pip, ..*call };
        if there && !clear {
            let met = if call.test {
                format!("Virtualenv {name} is already created")
            } else {
                "virtualenv exists".to_owned()
            };
            if !packages {
                return Ok(Plan::met(met));
            }
            let plan = installed::Installed.plan(&inner, host)?;
            return Ok(Plan {
                comment: met.clone(),
                would_comment: Some(met),
                ..plan
            });
        }
        let mut acts = vec![Act::Run {
            command: create(call, &path)?,
            undo: None,
            verify: None,
            touches: vec![path.clone()],
        }];
        if packages {
            let tool = Tool::at(&inner, paths::join(&path, "bin/python"))?;
            acts.push(Act::Run {
                command: installed::everything(&inner, host, &tool)?,
                undo: None,
                verify: None,
                touches: vec![path],
            });
        }
        let (did, will) = if there {
            ("Cleared existing virtualenv", "cleared")
        } else {
            ("Created new virtualenv", "created")
        };
        let plan = Plan::change(acts, one("new", ""), did);
        Ok(plan.or_would(
            format!("Virtualenv {name} is set to be {will}"),
            Some(Args::new()),
        ))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        if plan.acts.is_empty() {
            return Report::of(plan, done);
        }
        let mut report = Report::of(plan, done);
        if let Some(why) = failure(done) {
            report.result = Some(false);
            report.changes = Args::new();
            report.comment = why.trim().to_owned();
            return report;
        }
        report.changes.retain(|key, _| key == "new");
        let outputs = done
            .performed
            .iter()
            .filter_map(|performed| performed.output.as_ref());
        let new: Vec<Json> = outputs
            .flat_map(|output| came(&output.stdout))
            .map(|(name, version)| format!("{name}=={version}").into())
            .collect();
        if !new.is_empty() {
            let mut packages = one("new", new);
            packages.insert("old".to_owned(), "".into());
            report.changes.insert("packages".to_owned(), packages.into());
        }
        report
    }
}

/// The command that makes the environment.
fn create(call: &Call<'_>, path: &str) -> Result<Command, Stop> {
    let args = call.args();
    let text = |key: &str| args.text(key).filter(|text| !text.trim().is_empty());
    let python = text("python");
    let mut argv = match text("venv_bin").as_deref() {
        None | Some("venv") => {
            let python = python.unwrap_or_else(|| "python3".to_owned());
            vec![python, "-m".to_owned(), "venv".to_owned()]
        }
        Some(program) if paths::base(program).starts_with("python") => {
            vec![program.to_owned(), "-m".to_owned(), "venv".to_owned()]
        }
        Some(program) => {
            let python = python.map(|python| format!("--python={python}"));
            [program.to_owned()].into_iter().chain(python).collect()
        }
    };
    if let Some(prompt) = text("prompt") {
        argv.extend(["--prompt".to_owned(), prompt]);
    }
    for (key, option) in [
        ("clear", "--clear"),
        ("system_site_packages", "--system-site-packages"),
    ] {
        argv.extend(args.flag(key, false).then(|| option.to_owned()));
    }
    argv.push(path.to_owned());
    Ok(Command {
        argv,
        runas: args
            .text("user")
            .or_else(|| call.chunk.options.guard.runas.clone()),
        timeout: Some(600),
        ..Command::default()
    })
}
