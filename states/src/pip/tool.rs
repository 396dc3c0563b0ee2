//! pip itself: which one, what it lists, and the trees it writes to.

use proto::{Act, Command, Gather, Output, Question, Value};
use serde_json::Value as Json;

use super::requirement::{Installed, normal};
use crate::{ArgsExt, Call, Host, Stop, paths};

/// A pip, as a state's arguments choose it.
#[derive(Debug)]
pub(super) struct Tool {
    /// The program and its first words.
    argv: Vec<String>,
    /// The Python it belongs to.
    python: String,
    base: Command,
}

impl Tool {
    /// The pip of `bin_env` (or `pip_bin`); `None` when nothing is there, which an earlier state may bring.
    ///
    /// # Errors
    /// [`Stop::Ask`] while something is not known.
    pub(super) fn find(call: &Call<'_>, host: &Host<'_>) -> Result<Option<Self>, Stop> {
        let base = Self::base(call)?;
        let args = call.args();
        let bin_env = args.text("bin_env").or_else(|| args.text("pip_bin"));
        let Some(bin_env) = bin_env.filter(|bin_env| !bin_env.is_empty()) else {
            return Ok(Some(Self::of("python3".to_owned(), base)));
        };
        let bin_env = paths::clean(&bin_env)
            .ok_or_else(|| Stop::Failed(format!("bin_env '{bin_env}' is not an absolute path")))?;
        match host.follow(&bin_env)? {
            Value::Dir { .. } => {
                let all = ["bin/python", "bin/python3"].map(|name| paths::join(&bin_env, name));
                host.expect(all.iter().map(|path| Question::Follow(path.clone())));
                for python in all {
                    if matches!(host.follow(&python)?, Value::File { .. }) {
                        return Ok(Some(Self::of(python, base)));
                    }
                }
                Ok(None)
            }
            Value::File { .. } if paths::base(&bin_env).contains("python") => {
                Ok(Some(Self::of(bin_env, base)))
            }
            Value::File { .. } => Ok(Some(Self {
                python: paths::join(paths::parent(&bin_env), "python3"),
                argv: vec![bin_env],
                base,
            })),
            _ => Ok(None),
        }
    }

    /// The pip of a Python that an act of the same state brings.
    ///
    /// # Errors
    /// [`Stop::Failed`] when the arguments say nothing that can be run.
    pub(super) fn at(call: &Call<'_>, python: String) -> Result<Self, Stop> {
        Ok(Self::of(python, Self::base(call)?))
    }

    /// User, directory and environment of all commands.
    fn base(call: &Call<'_>) -> Result<Command, Stop> {
        let args = call.args();
        let guard = &call.chunk.options.guard;
        let mut env = match args.any("env_vars") {
            Some(given) => crate::cmd::environment(given)?,
            None => guard.env.clone(),
        };
        for (name, value) in [
            ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
            // Looking at an environment leaves no compiled modules in it.
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PIP_NO_INPUT", "1"),
            ("PIP_ROOT_USER_ACTION", "ignore"),
        ] {
            env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        // These may hold passwords, so they are not among the words that everybody on the host can read.
        for (name, key) in [
            ("PIP_INDEX_URL", "index_url"),
            ("PIP_EXTRA_INDEX_URL", "extra_index_url"),
            ("PIP_PROXY", "proxy"),
        ] {
            if let Some(value) = args.text(key) {
                env.insert(name.to_owned(), value);
            }
        }
        Ok(Command {
            env,
            cwd: args.text("cwd").or_else(|| guard.cwd.clone()),
            runas: args.text("user").or_else(|| guard.runas.clone()),
            timeout: Some(1800),
            ..Command::default()
        })
    }

    fn of(python: String, base: Command) -> Self {
        Self {
            argv: [python.as_str(), "-m", "pip"].map(str::to_owned).to_vec(),
            python,
            base,
        }
    }

    /// A command of this pip.
    pub(super) fn command(&self, words: &[String]) -> Command {
        Command {
            argv: [self.argv.as_slice(), words].concat(),
            ..self.base.clone()
        }
    }

    /// What is installed.
    ///
    /// # Errors
    /// [`Stop::Failed`] with what pip said of its failure.
    pub(super) fn list(&self, host: &Host<'_>) -> Result<Installed, Stop> {
        let words = ["list", "--format=json"].map(str::to_owned);
        let output = host.command(self.command(&words))?;
        let Ok(Json::Array(all)) = serde_json::from_slice(output.stdout.as_bytes()) else {
            return Err(Stop::Failed(told(output).to_owned()));
        };
        let one = |entry: &Json| {
            let text = |key| Some(entry.get(key)?.as_str()?.to_owned());
            Some((normal(&text("name")?), text("version")?))
        };
        Ok(all.iter().filter_map(one).gather())
    }

    /// The act that lets pip change things, with the trees it may change.
    ///
    /// # Errors
    /// [`Stop::Ask`] while the trees are not known.
    pub(super) fn act(&self, call: &Call<'_>, host: &Host<'_>, command: Command) -> Result<Act, Stop> {
        let touches = match call.args().text("target").and_then(|dir| paths::clean(&dir)) {
            Some(dir) => vec![dir],
            None => self.trees(host)?,
        };
        Ok(Act::Run {
            command,
            undo: None,
            verify: None,
            touches,
        })
    }

    /// A virtual environment whole; else where this Python's packages and their programs go. What somebody who is not
    /// root installs goes to his home.
    fn trees(&self, host: &Host<'_>) -> Result<Vec<String>, Stop> {
        const ASK: &str = "import json,sysconfig; print(json.dumps(sysconfig.get_paths()))";
        let command = Command {
            argv: vec![self.python.clone(), "-c".to_owned(), ASK.to_owned()],
            ..self.base.clone()
        };
        let told = match host.command(command) {
            Ok(output) => serde_json::from_slice(output.stdout.as_bytes()).unwrap_or(Json::Null),
            Err(Stop::Failed(_)) => Json::Null,
            Err(stop) => return Err(stop),
        };
        let of = |key: &str| told.get(key).and_then(Json::as_str).and_then(paths::clean);
        let data = of("data").unwrap_or_else(|| "/usr/local".to_owned());
        if !host.follow(&paths::join(&data, "pyvenv.cfg"))?.is_absent() {
            return Ok(vec![data]);
        }
        let user = self.base.runas.as_deref().filter(|user| *user != "root");
        if let Some(account) = user.map(|user| host.user(user)).transpose()?.flatten() {
            return Ok(vec![paths::join(&account.home, ".local")]);
        }
        let mut trees: Vec<String> = ["purelib", "platlib"].iter().filter_map(|key| of(key)).collect();
        trees.dedup();
        // A distribution's own directories of programs are too much to keep a copy of.
        if data == "/usr/local" {
            trees.extend(["bin", "share", "etc", "include"].map(|name| paths::join(&data, name)));
        }
        Ok(trees)
    }
}

/// What a program said, its complaints first.
fn told(output: &Output) -> &str {
    if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    }
}
