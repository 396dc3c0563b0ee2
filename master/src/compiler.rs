//! The tree's compiler as the fleet and the command line use it: one tree, one selection, any host.
//!
//! A catalog whose inputs are the same as last time is taken from the cache: nothing is rendered (`cache`).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use proto::{Digest, Question};
use serde_json::{Map, Value as Json, json};

use crate::compile::diagnostic::Diagnostic;
use crate::compile::explain::Explained;
use crate::compile::lint::Lint;
use crate::compile::lookup::Secrets;
use crate::compile::{self, Grains, Input, Layout, Options, Own, Roots, Stop, Tree, What};
use crate::fleet::{Compiled, Compiler, Host, known_grains};
use crate::own::{Run, Sources};
use crate::pillar::external::{External, Opened, Source as Origin};
use crate::session::Cargo;
use crate::settings::{Settings, TreeSettings};
use crate::tree::{self, Source};

/// A stage to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// SLS names per environment.
    Top,
    /// Declarations.
    High,
    /// Ordered chunks.
    Low,
    /// The pillar.
    Pillar,
    /// The grains.
    Grains,
}

/// What looking at a host's compilation gave.
#[derive(Debug)]
pub enum Seen<T = Json> {
    /// What was looked for.
    Value(T),
    /// Answers are missing.
    Ask(BTreeSet<Question>),
    /// The tree does not compile.
    Broken(Vec<Diagnostic>),
}

/// Which grains a compilation sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Those asserted are all there are (`show --id … --grains …`).
    All,
    /// Those asserted, and the host's own.
    Some,
}

/// Compiles one tree for any host.
#[derive(Debug)]
pub struct TreeCompiler {
    tree: Tree,
    roots: Roots,
    options: Arc<Options>,
    what: What,
    pillar: Map<String, Json>,
    exclude: Vec<String>,
    known: Known,
    run: Run,
    /// Hosts whose catalogs stand on answers of the master.
    looked: Mutex<BTreeSet<String>>,
}

impl TreeCompiler {
    /// A compiler of a tree at one commit, for the named sls or, where there are none, the highstate. `pillar` is laid
    /// over every host's own.
    ///
    /// # Errors
    /// A root of the tree that cannot be listed, a branch of `ext_pillar` that cannot be opened.
    pub fn new(
        source: Arc<dyn Source>,
        settings: &Settings,
        sls: Vec<String>,
        pillar: Map<String, Json>,
        known: Known,
    ) -> Result<Self, Box<Diagnostic>> {
        let roots = roots(settings);
        let layout = Arc::new(Layout::of(source.as_ref(), &roots)?);
        Ok(Self {
            tree: Tree { source, layout },
            roots,
            options: Arc::new(Options {
                salt: settings.salt.clone(),
                nodegroups: settings.nodegroups.clone(),
                pillar_from_host_grains: settings.pillar_from_host_grains,
                own: Own {
                    external: settings.external.clone(),
                    branches: branches(settings)?,
                    ..Own::default()
                },
            }),
            what: if sls.is_empty() {
                What::Highstate
            } else {
                What::Sls(sls)
            },
            pillar,
            exclude: Vec::new(),
            known,
            run: Run::new(Sources::of(settings)),
            looked: Mutex::default(),
        })
    }

    /// The secrets met so far, not to be shown.
    pub fn secrets(&self) -> &Secrets {
        self.run.secrets()
    }

    /// Compiles with whatever the master itself has to say, and tells whether it had.
    fn answered<T>(&self, compile: impl Fn(Arc<Options>) -> T) -> (T, bool) {
        self.run.answered(|known| {
            let mut options = self.options.as_ref().clone();
            options.own.known = known;
            compile(Arc::new(options))
        })
    }

    fn looked(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Problems may quote what was rendered.
    fn masked(&self, mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
        if !self.secrets().is_empty() {
            for problem in &mut problems {
                self.secrets().mask(&mut problem.message);
                if let Some(help) = &mut problem.help {
                    self.secrets().mask(help);
                }
            }
        }
        problems
    }

    fn seen<T>(&self, found: Result<T, Stop>) -> Seen<T> {
        match found {
            Ok(value) => Seen::Value(value),
            Err(Stop::Ask(questions)) => Seen::Ask(questions),
            Err(Stop::Broken(problems)) => Seen::Broken(self.masked(problems)),
        }
    }

    /// Leaves out what these sls names declare.
    #[must_use]
    pub fn excluding(mut self, exclude: Vec<String>) -> Self {
        self.exclude = exclude;
        self
    }

    /// The commit, or `worktree+digest`.
    pub fn rev(&self) -> &str {
        self.tree.source.rev()
    }

    fn input<'a>(&'a self, host: &'a Host, options: Arc<Options>) -> Input<'a> {
        Input {
            minion: &host.id,
            grains: match self.known {
                Known::All => Grains::Complete(Arc::new(host.asserted.clone())),
                Known::Some => Grains::Asserted(Arc::new(host.asserted.clone())),
            },
            answers: Arc::new(host.memory.answers.clone()),
            pillar: (!self.pillar.is_empty()).then_some(&self.pillar),
            options,
            what: &self.what,
            exclude: &self.exclude,
        }
    }

    /// All problems of the tree, and of what these hosts would get, as far as it is known.
    pub fn lint(&self, hosts: &[Host]) -> Lint {
        let (mut lint, _) = self.answered(|options| {
            let inputs: Vec<Input<'_>> = hosts
                .iter()
                .map(|host| self.input(host, options.clone()))
                .collect();
            compile::lint::lint(&self.tree, &options, &inputs)
        });
        lint.problems = self.masked(lint.problems);
        lint
    }

    /// Shows a stage for one host.
    pub fn show(&self, host: &Host, view: View) -> Seen {
        let (shown, _) = self.answered(|options| {
            let input = self.input(host, options);
            match view {
                View::Top => compile::top(&self.tree, &input).map(|made| json!(made.value)),
                View::High => compile::high(&self.tree, &input).map(|made| made.value.to_json()),
                View::Low => compile::low(&self.tree, &input).map(|made| made.value.into_json()),
                View::Pillar => compile::pillar(&self.tree, &input).map(|made| made.value.data),
                View::Grains => self.grains(host),
            }
        });
        self.seen(shown)
    }

    /// Says why a host gets what it gets, see [`compile::explain()`].
    pub fn explain(&self, host: &Host, key: Option<&str>) -> Seen<Explained> {
        let (told, _) =
            self.answered(|options| compile::explain(&self.tree, &self.input(host, options), key));
        self.seen(told)
    }

    /// What an execution function gives for one host, or why it does not.
    pub fn call(
        &self,
        host: &Host,
        function: &str,
        args: &[Json],
        kwargs: &Map<String, Json>,
    ) -> Result<Result<Json, String>, Stop> {
        let (given, ..) = self.answered(|options| {
            compile::call(&self.tree, &self.input(host, options), function, args, kwargs)
        });
        given.map(|made| made.value)
    }

    fn grains(&self, host: &Host) -> Result<Json, Stop> {
        let told = host.memory.answers.contains_key(&Question::Grains);
        if self.known == Known::Some && !told {
            return Err(Stop::Ask(BTreeSet::from([Question::Grains])));
        }
        Ok(known_grains(&host.id, &host.memory, &host.asserted).into())
    }
}

impl Compiler for TreeCompiler {
    fn compile(&self, host: &Host) -> Compiled {
        let (made, looked) =
            self.answered(|options| compile::compile(&self.tree, &self.input(host, options)));
        if looked {
            self.looked().insert(host.id.clone());
        }
        match made {
            compile::Compiled::Ready(ready) if ready.nothing.is_some() => {
                Compiled::Nothing(ready.nothing.unwrap_or_default())
            }
            compile::Compiled::Ready(ready) => match Cargo::pack(&ready.catalog, ready.blobs) {
                Ok(cargo) => Compiled::Ready(cargo, self.masked(ready.warnings), ready.mine),
                Err(error) => Compiled::Broken(vec![Diagnostic::error(error.to_string())]),
            },
            compile::Compiled::Ask(questions) => Compiled::Ask(questions),
            compile::Compiled::Broken(problems) => Compiled::Broken(self.masked(problems)),
        }
    }

    fn inputs(&self, host: &Host) -> String {
        let what = match &self.what {
            What::Highstate => None,
            What::Sls(names) => Some(names),
        };
        // A host whose catalog stands on answers of the master is compiled on every run. That it does is known only once
        // it was compiled, so that what is remembered of it is never what a run begins with.
        let looked = self.looked().contains(&host.id);
        let branches: Vec<_> = self
            .options
            .own
            .branches
            .iter()
            .map(|branch| branch.tree.source.rev())
            .collect();
        // The agent's digest stands for this program's version: both are built together.
        let all = json!([
            env!("SALT_MINION_SHA256"),
            env!("CARGO_PKG_VERSION"),
            self.rev(),
            self.roots.states,
            self.roots.pillar,
            self.options.salt,
            self.options.nodegroups,
            self.options.pillar_from_host_grains,
            host.id,
            host.asserted,
            self.pillar,
            what,
            self.exclude,
            branches,
            looked,
        ]);
        Digest::of(all.to_string()).hex()
    }
}

/// The branches of `ext_pillar`, each at its commit, in the order of the settings.
fn branches(settings: &Settings) -> Result<Vec<Opened>, Box<Diagnostic>> {
    let mut opened = Vec::new();
    for external in &settings.external {
        let External {
            source: Origin::Git(branches),
            ..
        } = external
        else {
            continue;
        };
        for branch in branches {
            let place = TreeSettings {
                url: branch.url.clone(),
                rev: branch.rev.clone(),
                salt: Vec::new(),
                pillar: vec![branch.root.clone()],
                signers: settings.tree.signers.clone(),
            };
            let source = tree::open(&place, &settings.state_dir)
                .map_err(|error| Box::new(external.problem(&with_causes(&error))))?;
            let roots = Roots {
                states: IndexMap::new(),
                pillar: IndexMap::from([(branch.env.clone(), vec![branch.root.clone()])]),
            };
            let layout = Arc::new(Layout::of(source.as_ref(), &roots)?);
            opened.push(Opened {
                tree: Tree { source, layout },
                env: branch.env.clone(),
            });
        }
    }
    Ok(opened)
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text
}

/// Directories by environment: Salt's own `file_roots` and `pillar_roots` where the settings have them, else the tree's.
fn roots(settings: &Settings) -> Roots {
    let of = |name: &str, base: &[String]| {
        let mut all = IndexMap::from([("base".to_owned(), base.to_vec())]);
        all.extend(environments(settings, name));
        all
    };
    let mut pillar = of("pillar_roots", &settings.tree.pillar);
    // Salt's stand-in for whichever environment is asked for.
    if let Some(dirs) = pillar.shift_remove("__env__") {
        let option = |name: &str| settings.salt.get(name).and_then(Json::as_str);
        let env = option("pillarenv")
            .or_else(|| option("saltenv"))
            .unwrap_or("base");
        pillar
            .entry(env.to_owned())
            .or_insert_with(|| dirs.iter().map(|dir| dir.replace("__env__", env)).collect());
    }
    Roots {
        states: of("file_roots", &settings.tree.salt),
        pillar,
    }
}

/// Directories by environment as one of Salt's options has them.
fn environments(settings: &Settings, name: &str) -> IndexMap<String, Vec<String>> {
    let Some(Json::Object(envs)) = settings.salt.get(name) else {
        return IndexMap::new();
    };
    let dirs = |dirs: &Json| match dirs {
        Json::Array(dirs) => dirs.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
        Json::String(dir) => vec![dir.clone()],
        _ => Vec::new(),
    };
    envs.iter()
        .map(|(env, value)| (env.clone(), dirs(value)))
        .collect()
}

/// Roots the settings name besides the tree's own.
pub(crate) fn further_roots(settings: &Settings) -> Vec<String> {
    let Roots { states, pillar } = roots(settings);
    states
        .into_values()
        .chain(pillar.into_values())
        .flatten()
        .collect()
}
