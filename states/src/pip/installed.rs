//! `pip.installed`: packages of Python.

use proto::{Args, Command, Gather};
use serde_json::Value as Json;

use super::requirement::{Installed as Have, Requirement, normal};
use super::tool::Tool;
use super::{BIN_ENV, CWD, USER};
use crate::args::plain;
use crate::cmd::failure;
use crate::source::{self, Trouble};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, Verdict};

/// `pip.installed`.
#[derive(Debug)]
pub struct Installed;

static SPEC: Spec = Spec {
    state: "pip",
    fun: "installed",
    doc: "Make sure that packages of Python are installed, in a virtual environment or for all.\n\nA package may carry \
          versions, as in `django>=4,<5`. Going back puts the environment back as it was, file by file.",
    params: &[
        Param::new("pkgs", Kind::List, "Several packages instead of the name."),
        BIN_ENV,
        Param::new("pip_bin", Kind::Text, "The same as `bin_env`."),
        Param::new(
            "requirements",
            Kind::Text,
            "A requirements file (`salt://…` or a path on the host) instead of the name.",
        ),
        Param::new("editable", Kind::Text, "A project to install in editable mode."),
        USER,
        CWD,
        Param::new(
            "upgrade",
            Kind::Flag,
            "Bring them to the newest version that fits.",
        ),
        Param::new("force_reinstall", Kind::Flag, "Install again what is installed."),
        Param::new(
            "ignore_installed",
            Kind::Flag,
            "Install whatever is installed already.",
        ),
        Param::new("index_url", Kind::Text, "URL of the index."),
        Param::new("extra_index_url", Kind::Text, "URL of another index to look in."),
        Param::new("no_index", Kind::Flag, "Look in `find_links` only."),
        Param::new("find_links", Kind::List, "Directories or pages with packages."),
        Param::new("target", Kind::Text, "Install into this directory."),
        Param::new("no_deps", Kind::Flag, "Without what they depend on."),
        Param::new("pre_releases", Kind::Flag, "Pre-releases will do."),
        Param::new(
            "no_binary",
            Kind::List,
            "Build these from source (`:all:` for all).",
        ),
        Param::new("no_cache_dir", Kind::Flag, "Without pip's cache."),
        Param::new(
            "trusted_host",
            Kind::List,
            "Hosts whose certificates do not matter.",
        ),
        Param::new("cert", Kind::Text, "File of certificate authorities."),
        Param::new("proxy", Kind::Text, "Proxy, as `[user:password@]host:port`."),
        Param::new("timeout", Kind::Number, "Seconds to wait for a connection."),
        Param::new(
            "exists_action",
            Kind::Text,
            "What to do when a path is there already: `s`, `i`, `w` or `b`.",
        ),
        Param::new(
            "extra_args",
            Kind::List,
            "More words for `pip install`, as texts or mappings.",
        ),
        Param::new("env_vars", Kind::Any, "Environment variables, as a mapping."),
        Param::new("cache_dir", Kind::Text, "Directory of pip's cache."),
        Param::new("log", Kind::Text, "File pip writes its log to."),
        Param::new(
            "source",
            Kind::Text,
            "Directory editable projects are checked out to.",
        ),
        Param::new(
            "global_options",
            Kind::List,
            "Options for the command that builds.",
        ),
        Param::new("use_wheel", Kind::Flag, "Accepted; of old pips only."),
        Param::new("no_use_wheel", Kind::Flag, "Accepted; of old pips only."),
        Param::new("download_cache", Kind::Text, "Accepted; of old pips only."),
        Param::new("use_vt", Kind::Flag, "Accepted."),
    ],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

/// What is to be installed.
enum Wanted {
    Packages(Vec<Requirement>),
    /// Words for pip, the text of its standard input, and the packages where the file names only such.
    File {
        words: Vec<String>,
        stdin: Option<String>,
        packages: Option<Vec<Requirement>>,
    },
}

impl State for Installed {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let wanted = wanted(call, host)?;
        let would = would(call, &wanted);
        let later = || {
            let plan = Plan::met(would.clone());
            let verdict = Verdict::WouldChange;
            Plan { verdict, ..plan }
        };
        if let Some(user) = args.text("user")
            && host.user(&user)?.is_none()
        {
            // An earlier state of the run may make the user, or the environment.
            return match call.test {
                true => Ok(later()),
                false => Err(Stop::Failed(format!("User {user} does not exist"))),
            };
        }
        let failed = |why: &str| Stop::Failed(format!("Error installing '{}': {why}", call.name()));
        let Some(tool) = Tool::find(call, host)? else {
            return match call.test {
                true => Ok(later()),
                false => Err(failed("Could not find a `pip` binary")),
            };
        };
        let have = match tool.list(host) {
            Ok(have) => have,
            Err(Stop::Failed(_)) if call.test => return Ok(later()),
            Err(Stop::Failed(why)) => return Err(failed(&why)),
            Err(stop) => return Err(stop),
        };
        let missing = missing(call, host, &tool, &wanted, &have)?;
        if missing.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Plan::met(already(call, &wanted, &[])));
        }
        let mut command = install(call, &tool, &wanted, &[])?;
        if let (Wanted::Packages(_), Some(missing)) = (&wanted, &missing) {
            command.argv.push("--".to_owned());
            command.argv.extend(missing.iter().cloned());
        }
        let act = tool.act(call, host, command)?;
        // Which versions came is told afterwards.
        let changes = missing
            .into_iter()
            .flatten()
            .map(|text| (text, "Installed".into()))
            .collect();
        Ok(Plan::change(vec![act], changes, "").or_would(would, Some(Args::new())))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let mut report = Report::of(plan, done);
        if plan.acts.is_empty() {
            return report;
        }
        let args = call.args();
        let (file, editable) = (args.text("requirements"), args.text("editable"));
        if let Some(why) = failure(done) {
            let what = match (&file, &editable) {
                (Some(file), _) => format!("Unable to process requirements file \"{file}\"."),
                (None, Some(url)) => format!("Unable to install from VCS checkout {url}."),
                (None, None) => {
                    let all: Vec<&str> = plan.changes.keys().map(String::as_str).collect();
                    format!("Failed to install packages: {}.", all.join(", "))
                }
            };
            return Report {
                result: Some(false),
                comment: format!("{what} Error: {}", why.trim()),
                ..Report::default()
            };
        }
        let mut outputs = done.performed.iter().rev();
        let out = outputs.find_map(|performed| performed.output.as_ref());
        let came = out.map(|out| came(&out.stdout)).unwrap_or_default();
        report.changes = Args::new();
        let mut comments = Vec::new();
        if let Some(file) = &file {
            if came.is_empty() {
                comments.push("Requirements were already installed.".to_owned());
            } else {
                report.changes.insert("requirements".to_owned(), true.into());
                comments.push(format!("Successfully processed requirements file {file}."));
            }
        }
        if let Some(url) = &editable {
            report.changes.insert("editable".to_owned(), true.into());
            comments.push(format!("Package successfully installed from VCS checkout {url}."));
        }
        report.comment = comments.join(" ");
        if file.is_none() && editable.is_none() {
            let targets = plan.changes.keys().cloned().collect::<Vec<_>>();
            for target in &targets {
                let name = Requirement::parse(target).ok().and_then(|one| one.name);
                let key = match &name {
                    Some(name) => came.get(name).map(|version| format!("{name}=={version}")),
                    None => Some(format!("{target}==???")),
                };
                if let Some(key) = key {
                    report.changes.insert(key, "Installed".into());
                }
            }
            let all = packages(call).unwrap_or_default();
            report.comment = already(call, &Wanted::Packages(all), &targets);
        }
        report
    }
}

fn packages(call: &Call<'_>) -> Result<Vec<Requirement>, Stop> {
    let mut texts = call.args().texts("pkgs");
    if texts.is_empty() {
        texts.push(call.name().to_owned());
    }
    let (mut all, mut bad) = (Vec::new(), Vec::new());
    for text in texts {
        match Requirement::parse(&text) {
            Ok(one) => all.push(one),
            Err(why) => bad.push(why),
        }
    }
    if bad.is_empty() {
        Ok(all)
    } else {
        Err(Stop::Failed(bad.join("\n")))
    }
}

fn wanted(call: &Call<'_>, host: &Host<'_>) -> Result<Wanted, Stop> {
    let args = call.args();
    let (file, editable) = (args.text("requirements"), args.text("editable"));
    if file.is_none() && editable.is_none() {
        return packages(call).map(Wanted::Packages);
    }
    let (mut words, mut stdin, mut packages) = (Vec::new(), None, None);
    if let Some(file) = file {
        words.push("--requirement".to_owned());
        if source::local(&file).is_some() && !file.starts_with("file://") {
            words.push(file.clone());
            let text = host
                .bytes(&file)?
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            packages = text.as_deref().and_then(Requirement::lines);
        } else {
            let text = match source::text(call, host, &file) {
                Ok(text) => text,
                Err(Trouble::Stop(stop)) => return Err(stop),
                Err(Trouble::Said(why)) => return Err(Stop::Failed(why)),
                Err(Trouble::None) => return Err(Stop::Failed(format!("Source file {file} not found"))),
            };
            // It need not lie on the host for pip to read it.
            words.push("/dev/stdin".to_owned());
            packages = Requirement::lines(&text);
            stdin = Some(text);
        }
    }
    if let Some(url) = editable {
        words.extend(["--editable".to_owned(), url]);
        packages = None;
    }
    Ok(Wanted::File {
        words,
        stdin,
        packages,
    })
}

/// What is to be installed of the wanted; `None` where only pip will know.
fn missing(
    call: &Call<'_>,
    host: &Host<'_>,
    tool: &Tool,
    wanted: &Wanted,
    have: &Have,
) -> Result<Option<Vec<String>>, Stop> {
    let args = call.args();
    let again = args.flag("force_reinstall", false) || args.flag("ignore_installed", false);
    let (packages, file) = match wanted {
        Wanted::Packages(packages) => (Some(packages.as_slice()), false),
        Wanted::File { packages, .. } => (packages.as_deref(), true),
    };
    let those = |fits: &dyn Fn(&Requirement) -> bool| {
        let packages = packages.unwrap_or_default().iter();
        packages
            .filter(|one| fits(one))
            .map(|one| one.text.clone())
            .collect::<Vec<_>>()
    };
    let all = (!file).then(|| those(&|_| true));
    if again || args.text("editable").is_some() {
        return Ok(all);
    }
    if packages.is_some() && !args.flag("upgrade", false) {
        return Ok(Some(those(&|one| !one.met(have))));
    }
    Ok(match would_come(call, host, tool, wanted)? {
        Some(coming) if coming.is_empty() => Some(Vec::new()),
        Some(coming) if !file => Some(those(&|one| {
            one.name.as_ref().is_none_or(|name| coming.contains(name))
        })),
        _ => all,
    })
}

/// The names pip would install; `None` when this pip cannot tell without doing it.
fn would_come(
    call: &Call<'_>,
    host: &Host<'_>,
    tool: &Tool,
    wanted: &Wanted,
) -> Result<Option<Vec<String>>, Stop> {
    let mut command = install(call, tool, wanted, &["--dry-run", "--quiet", "--report", "-"])?;
    if let Wanted::Packages(packages) = wanted {
        command.argv.push("--".to_owned());
        command.argv.extend(packages.iter().map(|one| one.text.clone()));
    }
    let output = match host.command(command) {
        Ok(output) => output,
        Err(Stop::Failed(_)) => return Ok(None),
        Err(stop) => return Err(stop),
    };
    let told: Json = serde_json::from_slice(output.stdout.as_bytes()).unwrap_or(Json::Null);
    let name = |one: &Json| Some(normal(one.get("metadata")?.get("name")?.as_str()?));
    let install = told.get("install").and_then(Json::as_array);
    Ok(install.map(|all| all.iter().filter_map(name).gather()))
}

/// The command that installs everything a state wants, whatever is there.
///
/// # Errors
/// [`Stop::Ask`] while a requirements file is not known.
pub(super) fn everything(call: &Call<'_>, host: &Host<'_>, tool: &Tool) -> Result<Command, Stop> {
    let wanted = wanted(call, host)?;
    let mut command = install(call, tool, &wanted, &[])?;
    // Beside a file there may be packages, too.
    let more = match &wanted {
        Wanted::Packages(all) => all.iter().map(|one| one.text.clone()).collect(),
        Wanted::File { .. } => call.args().texts("pkgs"),
    };
    if !more.is_empty() {
        command.argv.push("--".to_owned());
        command.argv.extend(more);
    }
    Ok(command)
}

/// `pip install` with everything a state's arguments say, but for the packages.
fn install(call: &Call<'_>, tool: &Tool, wanted: &Wanted, more: &[&str]) -> Result<Command, Stop> {
    const FLAGS: &[(&str, &str)] = &[
        ("upgrade", "--upgrade"),
        ("force_reinstall", "--force-reinstall"),
        ("ignore_installed", "--ignore-installed"),
        ("no_index", "--no-index"),
        ("no_deps", "--no-deps"),
        ("pre_releases", "--pre"),
        ("no_cache_dir", "--no-cache-dir"),
    ];
    const VALUES: &[(&str, &str)] = &[
        ("find_links", "--find-links"),
        ("target", "--target"),
        ("no_binary", "--no-binary"),
        ("trusted_host", "--trusted-host"),
        ("cert", "--cert"),
        ("timeout", "--timeout"),
        ("exists_action", "--exists-action"),
        ("cache_dir", "--cache-dir"),
        ("log", "--log"),
        ("source", "--src"),
        ("global_options", "--global-option"),
    ];
    let args = call.args();
    let mut words = vec!["install".to_owned()];
    words.extend(more.iter().map(|word| (*word).to_owned()));
    let flags = FLAGS.iter().filter(|(key, _)| args.flag(key, false));
    words.extend(flags.map(|(_, flag)| (*flag).to_owned()));
    for (key, flag) in VALUES {
        for value in args.texts(key) {
            words.extend([(*flag).to_owned(), value]);
        }
    }
    for extra in args
        .any("extra_args")
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
    {
        match extra {
            Json::Object(map) => {
                for (flag, value) in map {
                    words.extend([flag.clone(), plain(value)]);
                }
            }
            word => words.push(plain(word)),
        }
    }
    let mut stdin = None;
    if let Wanted::File {
        words: file,
        stdin: text,
        ..
    } = wanted
    {
        words.extend(file.iter().cloned());
        stdin.clone_from(text);
    }
    Ok(Command {
        stdin,
        ..tool.command(&words)
    })
}

/// The comment of a plan.
fn would(call: &Call<'_>, wanted: &Wanted) -> String {
    let args = call.args();
    match wanted {
        Wanted::Packages(packages) => match packages.as_slice() {
            [one] => format!("Python package {} is set to be installed", one.text),
            all => all.iter().fold(
                "Python package(s) set to be installed:".to_owned(),
                |text, one| format!("{text}\n{}", one.text),
            ),
        },
        Wanted::File { .. } => {
            let mut comments = Vec::new();
            if let Some(file) = args.text("requirements") {
                comments.push(format!("Requirements file '{file}' will be processed."));
            }
            if let Some(url) = args.text("editable") {
                comments.push(format!(
                    "Package will be installed in editable mode (i.e. setuptools \"develop mode\") from {url}."
                ));
            }
            comments.join(" ")
        }
    }
}

/// The comment when the targets were installed and the others were there.
fn already(call: &Call<'_>, wanted: &Wanted, targets: &[String]) -> String {
    let Wanted::Packages(packages) = wanted else {
        return "Requirements were already installed.".to_owned();
    };
    let there = packages.iter().filter(|one| !targets.contains(&one.text));
    let mut lines: Vec<String> = there
        .map(|one| format!("Python package {} was already installed", one.text))
        .collect();
    let upgrade = call.args().flag("upgrade", false);
    lines.push(match (targets.is_empty(), upgrade) {
        (false, _) => "All packages were successfully installed".to_owned(),
        (true, true) => "All specified packages are already installed and up-to-date".to_owned(),
        (true, false) => "All specified packages are already installed".to_owned(),
    });
    lines.join("\n")
}

/// What pip says came: versions by name.
pub(super) fn came(stdout: &str) -> Have {
    let lines = stdout
        .lines()
        .filter_map(|line| line.strip_prefix("Successfully installed "));
    let words = lines.flat_map(str::split_whitespace);
    let one = |word: &str| {
        let (name, version) = word.rsplit_once('-')?;
        Some((normal(name), version.to_owned()))
    };
    words.filter_map(one).gather()
}
