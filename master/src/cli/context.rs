//! What every command that looks at hosts needs: settings, roster, the hosts that match, the store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proto::Question;
use serde_json::{Map, Value as Json};
use tokio::runtime::Runtime;

use super::options::{Common, TargetKind, Targets};
use crate::agent;
use crate::compile::diagnostic::{Diagnostic, did_you_mean};
use crate::compile::yaml;
use crate::compiler::{self, Known, Seen, TreeCompiler, View};
use crate::failure::{Failure, Kind};
use crate::fleet::{Fleet, Host, Told, ask, known_grains};
use crate::ledger::{Ledger, by};
use crate::report::screen::Screen;
use crate::report::{Mode, progress};
use crate::roster::{Entry, Roster};
use crate::settings::{Settings, SettingsError, Surroundings};
use crate::store::{self, RUN_FORMAT, RunHeader, RunId};
use crate::target::{self, Matcher, Subject, matches};
use crate::transport::{Endpoint, Transports, Via};
use crate::tree::location::Location;
use crate::tree::{self, Source};
use crate::when::rfc3339;

/// Hosts at once unless `--batch` says otherwise: enough to fill two cores, few enough for any sshd and firewall.
const WIDTH: usize = 50;

/// Settings, roster and options of one command.
pub(super) struct Context {
    pub(super) common: Common,
    pub(super) screen: Screen,
    pub(super) settings: Settings,
    pub(super) roster: Roster,
    pub(super) targets: Option<Targets>,
    pub(super) ledger: Ledger,
}

impl Context {
    /// Reads settings and roster as the options say.
    pub(super) fn load(common: Common, targets: Option<&Targets>, screen: Screen) -> Result<Self, Failure> {
        let settings = settings(&common)?;
        for warning in &settings.warnings {
            screen.err(warning);
        }
        let roster = roster(&common, &settings)?;
        for warning in &roster.warnings {
            screen.err(warning);
        }
        let ledger = Ledger::new(&settings.state_dir);
        Ok(Self {
            common,
            screen,
            settings,
            roster,
            targets: targets.cloned(),
            ledger,
        })
    }

    /// Grains of `--grains`, or none.
    pub(super) fn grains(&self) -> Result<Map<String, Json>, Failure> {
        match &self.common.grains {
            Some(file) => mapping_file(file),
            None => Ok(Map::new()),
        }
    }

    /// The hosts the target names, with what the ledger remembers of them.
    ///
    /// A target by grain or pillar sees the grains the roster asserts and those a host told last.
    pub(super) fn hosts(&self) -> Result<Vec<Host>, Failure> {
        match &self.targets {
            Some(targets) => self.targeting(targets),
            None => self.every(),
        }
    }

    /// The roster's hosts as far as a compiler looks at them: what is asserted of them and what they told last.
    pub(super) fn compiled_for(&self) -> Result<Vec<Host>, Failure> {
        self.reached_by(|id| Ok(self.local(id)))
    }

    /// Hosts of these names; a name the roster no longer has is left out.
    pub(super) fn named<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<Vec<Host>, Failure> {
        let names: Vec<&str> = names.collect();
        Ok(self
            .every()?
            .into_iter()
            .filter(|host| names.contains(&host.id.as_str()))
            .collect())
    }

    fn every(&self) -> Result<Vec<Host>, Failure> {
        self.reached_by(|id| {
            if self.common.local || self.common.id.is_some() {
                return Ok(self.local(id));
            }
            Endpoint::resolve(id, &self.roster, &self.settings.ssh)
                .map_err(|error| Failure::usage(format!("cannot {error}")).hint(error.hint()))
        })
    }

    /// The roster's hosts with what is asserted and remembered of them; `endpoint` says how each is reached.
    fn reached_by(&self, endpoint: impl Fn(&str) -> Result<Endpoint, Failure>) -> Result<Vec<Host>, Failure> {
        let names: Vec<&str> = self.roster.entries.keys().map(String::as_str).collect();
        let mut known = self.ledger.recall(&names, &self.screen)?;
        let given = self.grains()?;
        let hosts = self.roster.entries.iter().map(|(id, entry)| {
            let mut asserted = entry.grains.clone();
            asserted.extend(given.clone());
            Ok(Host {
                id: id.clone(),
                endpoint: endpoint(id)?,
                asserted,
                memory: known.remove(id).unwrap_or_default(),
            })
        });
        hosts.collect()
    }

    /// The hosts a target names.
    pub(super) fn targeting(&self, targets: &Targets) -> Result<Vec<Host>, Failure> {
        let matcher = matcher(targets)?;
        let needs = matcher.needs(&self.settings.nodegroups).map_err(Failure::usage)?;
        let mut hosts = self.every()?;
        if !needs.grains.is_empty() {
            self.learn_grains(&mut hosts, &needs.grains)?;
        }
        let compiler = if needs.pillar {
            Some(self.compiler(Vec::new(), Map::new())?)
        } else {
            None
        };
        let mut chosen = Vec::new();
        for mut host in hosts {
            let pillar = match &compiler {
                Some(compiler) => self.pillar(compiler, &mut host)?,
                None => Map::new(),
            };
            if self.matches(&matcher, &host, &pillar)? {
                chosen.push(host);
            }
        }
        if chosen.is_empty() {
            return Err(self.nobody(targets));
        }
        Ok(chosen)
    }

    /// Asks hosts for their grains where the target looks at one that neither the roster asserts nor the host told
    /// before. A host that cannot be asked is said so, and matches only by what is known of it.
    fn learn_grains(&self, hosts: &mut [Host], wanted: &BTreeSet<String>) -> Result<(), Failure> {
        let lacks = |host: &Host| {
            let told = host.memory.answers.contains_key(&Question::Grains);
            !told && wanted.iter().any(|grain| !host.asserted.contains_key(grain))
        };
        for host in hosts.iter_mut().filter(|host| lacks(host)) {
            if let Err(failure) = self.ask(host, BTreeSet::from([Question::Grains])) {
                for problem in failure.diagnostics {
                    self.screen.err(format!("warning: {problem}"));
                }
            }
        }
        Ok(())
    }

    /// A compiler of the tree, for the named sls or the highstate.
    pub(super) fn compiler(
        &self,
        sls: Vec<String>,
        pillar: Map<String, Json>,
    ) -> Result<TreeCompiler, Failure> {
        TreeCompiler::new(self.open_tree()?, &self.settings, sls, pillar, self.known())
            .map_err(|problem| Failure::of(Kind::Tree, vec![*problem]))
    }

    /// A compiler of no tree at all, for functions that look at none.
    pub(super) fn treeless(&self) -> Result<TreeCompiler, Failure> {
        let nothing = Arc::new(tree::Memory::tree::<str>([]));
        TreeCompiler::new(nothing, &self.settings, Vec::new(), Map::new(), self.known())
            .map_err(|problem| Failure::of(Kind::Tree, vec![*problem]))
    }

    /// Which grains compilers see.
    fn known(&self) -> Known {
        if self.common.id.is_some() && !self.common.local {
            Known::All
        } else {
            Known::Some
        }
    }

    /// What the compiler sees at a stage; the host is asked where that is not known yet.
    pub(super) fn seen(
        &self,
        compiler: &TreeCompiler,
        host: &mut Host,
        view: View,
    ) -> Result<Json, Vec<Diagnostic>> {
        self.looked(host, |host| compiler.show(host, view))
    }

    /// What `look` finds for a host, which is asked until nothing is missing.
    pub(super) fn looked<T>(
        &self,
        host: &mut Host,
        look: impl Fn(&Host) -> Seen<T>,
    ) -> Result<T, Vec<Diagnostic>> {
        loop {
            match look(host) {
                Seen::Value(value) => return Ok(value),
                Seen::Broken(problems) => return Err(problems),
                Seen::Ask(questions) => self.ask(host, questions).map_err(|failure| failure.diagnostics)?,
            }
        }
    }

    fn pillar(&self, compiler: &TreeCompiler, host: &mut Host) -> Result<Map<String, Json>, Failure> {
        match self.seen(compiler, host, View::Pillar) {
            Ok(Json::Object(map)) => Ok(map),
            Ok(_) => Ok(Map::new()),
            Err(problems) => Err(Failure::of(Kind::Tree, problems)),
        }
    }

    fn matches(&self, matcher: &Matcher, host: &Host, pillar: &Map<String, Json>) -> Result<bool, Failure> {
        let grains = known_grains(&host.id, &host.memory, &host.asserted);
        let subject = Subject {
            id: &host.id,
            grains: &grains,
            pillar,
            nodegroups: &self.settings.nodegroups,
        };
        matches(matcher, &subject).map_err(Failure::usage)
    }

    fn nobody(&self, targets: &Targets) -> Failure {
        let names: Vec<&str> = self.roster.entries.keys().map(String::as_str).collect();
        let near = targets
            .target
            .as_deref()
            .and_then(|target| did_you_mean(target, names.iter().copied()));
        let help = near.unwrap_or_else(|| match names.len() {
            0 => format!("the roster {} is empty", self.settings.roster.display()),
            1..=12 => format!("the roster has {}", names.join(", ")),
            count => format!("the roster has {count} hosts; see `salt-rs hosts list`"),
        });
        Failure::usage(format!("no host matches {}", targets.text())).hint(help)
    }

    /// Remembers what hosts told, and records results of earlier runs that came along.
    pub(super) fn take_up(&self, told: &BTreeMap<String, Told>) -> Result<(), Failure> {
        self.ledger
            .remember(told.values().map(|told| &told.host), &self.screen);
        for (id, told) in told {
            if let Some(report) = &told.settled {
                self.ledger.settle(id, report, &self.screen)?;
            }
        }
        Ok(())
    }

    /// Who asked for what, for the run file.
    pub(super) fn header(&self, run: RunId, mode: Mode, commit: &str, sls: Vec<String>) -> RunHeader {
        let tree_url = match &self.settings.tree.url {
            Location::Local(path) => path.display().to_string(),
            Location::Remote(url) => url.as_str().to_owned(),
        };
        let mode = match mode {
            Mode::Apply => store::Mode::Apply,
            Mode::Plan => store::Mode::Plan,
            Mode::Rollback => store::Mode::Rollback,
        };
        // Pillar on the command line may be secret: of the command line only its words that select are kept (P3).
        let command = vec!["salt-rs".to_owned(), self.target_text()];
        RunHeader {
            run,
            started: rfc3339(),
            mode,
            commit: commit.to_owned(),
            tree_url,
            target: self.target_text(),
            sls,
            by: by(),
            command,
            format: RUN_FORMAT.to_owned(),
        }
    }

    /// The target as typed.
    pub(super) fn target_text(&self) -> String {
        self.targets
            .as_ref()
            .map_or_else(|| "*".to_owned(), Targets::text)
    }

    /// The tree as the options say: a commit, or the files as they lie.
    pub(super) fn open_tree(&self) -> Result<Arc<dyn Source>, Failure> {
        let settings = &self.settings;
        let opened = if self.common.worktree {
            tree::open_worktree(&settings.tree, &compiler::further_roots(settings))
        } else {
            tree::open(&settings.tree, &settings.state_dir)
        };
        opened.map_err(|error| Failure::new(Kind::Refused, with_cause(&error)))
    }

    /// Asks one host, outside of any run.
    pub(super) fn ask(&self, host: &mut Host, questions: BTreeSet<Question>) -> Result<(), Failure> {
        let (runtime, fleet, _display) = self.fleet(1)?;
        let asked = runtime.block_on(ask(&fleet, host, &mut None, questions.into_iter().collect()));
        asked.map_err(|trouble| {
            let failure = Failure::new(Kind::Host, format!("{}: {trouble}", host.id));
            match trouble.hint() {
                Some(help) => failure.hint(help),
                None => failure,
            }
        })?;
        self.ledger.remember([&*host], &self.screen);
        Ok(())
    }

    /// This machine as a host. Where the settings name a state directory of their own, the host's records lie below
    /// it, so that trials and tests leave the machine's own records alone.
    fn local(&self, id: &str) -> Endpoint {
        let mut endpoint = Endpoint::new(id, "localhost");
        endpoint.via = Via::Local;
        if self.settings.state_dir != Path::new("/var/lib/salt-rs") {
            endpoint.host_dir = self.settings.state_dir.join("host");
        }
        endpoint
    }

    /// The runtime, the fleet and the progress display of a command that talks to hosts.
    pub(super) fn fleet(
        &self,
        hosts: usize,
    ) -> Result<(Runtime, Fleet, impl Future<Output = ()> + Send + use<>), Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Failure::bug(format!("cannot start the runtime: {error}")))?;
        let (events, receiver) = tokio::sync::mpsc::channel(256);
        let fleet = Fleet {
            transports: Arc::new(Transports::default()),
            agent: agent::embedded(),
            master: self.ledger.master()?,
            patience: Duration::from_secs(self.common.timeout.max(1)),
            width: self.width(hosts)?,
            take_over: false,
            limits: self.settings.limits.clone(),
            events,
        };
        Ok((runtime, fleet, progress::follow(self.screen, receiver)))
    }

    fn width(&self, hosts: usize) -> Result<usize, Failure> {
        let Some(text) = &self.common.batch else {
            return Ok(WIDTH);
        };
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
        let width = match text.strip_suffix('%') {
            Some(percent) => number(percent).map(|percent| (hosts * percent).div_ceil(100).max(1)),
            None => number(text),
        };
        width.ok_or_else(|| Failure::usage(format!("--batch takes a number or a percentage, not {text}")))
    }
}

/// The settings as the options say.
pub(super) fn settings(common: &Common) -> Result<Settings, Failure> {
    let around = Surroundings::of_process()
        .map_err(|error| Failure::bug(format!("cannot read /proc/self: {error}")))?;
    let base = common.tree.clone().unwrap_or_else(|| around.directory.clone());
    let mut settings = match Settings::locate(common.config.as_deref(), &around) {
        Ok(settings) => settings,
        // A tree named on the command line needs no settings file.
        Err(SettingsError::NotFound(_)) if common.tree.is_some() || common.local => {
            Settings::defaults(&around.directory.join(&base), &around)
        }
        Err(SettingsError::Invalid(problems)) => return Err(Failure::of(Kind::Usage, problems)),
        Err(error) => return Err(Failure::usage(with_cause(&error))),
    };
    if let Some(tree) = &common.tree {
        settings.tree.url =
            Location::parse(&tree.to_string_lossy(), &around.directory, around.home.as_deref())
                .map_err(Failure::usage)?;
    }
    if let Some(root) = &common.pillar_root {
        settings.tree.pillar = vec![root.clone()];
    }
    if let Some(rev) = &common.rev {
        settings.tree.rev = rev.clone();
    }
    Ok(settings)
}

fn roster(common: &Common, settings: &Settings) -> Result<Roster, Failure> {
    if common.local || common.id.is_some() {
        let id = common.id.clone().unwrap_or_else(own_name);
        let mut roster = Roster::default();
        roster.entries.insert(id, Entry::new("localhost"));
        return Ok(roster);
    }
    let home = std::env::var_os("HOME").map(PathBuf::from);
    Roster::load(&settings.roster, home.as_deref()).map_err(|error| match error {
        crate::roster::RosterError::Invalid(problems) => Failure::of(Kind::Usage, problems),
        unreadable => Failure::usage(with_cause(&unreadable))
            .hint("write one (see `salt-rs init`), or use --local for this machine alone"),
    })
}

/// This machine's name, for `--local`.
fn own_name() -> String {
    let name =
        std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_else(|_| "localhost".to_owned());
    name.trim().to_ascii_lowercase()
}

fn matcher(targets: &Targets) -> Result<Matcher, Failure> {
    let text = targets.target.as_deref().unwrap_or("*");
    let kind = match &targets.kind {
        TargetKind { list: true, .. } => target::Kind::List,
        TargetKind { pcre: true, .. } => target::Kind::Pcre,
        TargetKind { grain: true, .. } => target::Kind::Grain,
        TargetKind { pillar: true, .. } => target::Kind::Pillar,
        TargetKind { nodegroup: true, .. } => target::Kind::Nodegroup,
        TargetKind { compound: true, .. } => target::Kind::Compound,
        _ => target::Kind::Glob,
    };
    Matcher::parse(kind, text).map_err(Failure::usage)
}

/// A JSON or YAML file that holds a mapping.
fn mapping_file(file: &Path) -> Result<Map<String, Json>, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
    mapping(&text).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

/// JSON or YAML text that holds a mapping.
pub(super) fn mapping(text: &str) -> Result<Map<String, Json>, String> {
    match yaml::load_plain(text)? {
        Json::Object(map) => Ok(map),
        Json::Null => Ok(Map::new()),
        _ => Err("not a mapping".to_owned()),
    }
}

/// An error and what caused it, in one line.
pub(super) fn with_cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// Diagnostics of several hosts, each once.
pub(super) fn merged(problems: impl IntoIterator<Item = Diagnostic>) -> Vec<Diagnostic> {
    let mut seen: Vec<Diagnostic> = Vec::new();
    for problem in problems {
        if !seen.contains(&problem) {
            seen.push(problem);
        }
    }
    seen
}
