//! Options that commands share.

use std::path::PathBuf;

use crate::settings::{self, Settings};
use clap::Args;
use serde_json::{Map, Value as Json};

use super::context::mapping;
use crate::failure::Failure;
use crate::report::screen::ColorChoice;

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Common {
    /// Settings file; else $SALT_RS_CONFIG, ./salt-rs.yaml (searching upwards), /etc/salt-rs/salt-rs.yaml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON document on stdout and everything else on stderr
    #[arg(long, global = true)]
    pub json: bool,
    /// When to use colours (NO_COLOR is honoured)
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// Say only results
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more: every state, every step
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Seconds a host may be silent before it counts as unknown
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 300)]
    pub timeout: u64,
    /// Hosts at once, as a number or a percentage
    #[arg(long, global = true, value_name = "N|N%")]
    pub batch: Option<String>,
    /// This machine is the only host
    #[arg(long, global = true)]
    pub local: bool,
    /// With --local or show: the host's name
    #[arg(long, global = true, value_name = "NAME")]
    pub id: Option<String>,
    /// With --local or show: a JSON or YAML file of grains laid over the host's own
    #[arg(long, global = true, value_name = "FILE")]
    pub grains: Option<PathBuf>,
    /// Take states from this directory or repository instead of the settings' tree
    #[arg(long, global = true, value_name = "PATH")]
    pub tree: Option<PathBuf>,
    /// Directory of the pillar inside the tree
    #[arg(long, global = true, value_name = "PATH")]
    pub pillar_root: Option<String>,
    /// Branch, tag or commit to take states from
    #[arg(long, global = true, value_name = "REV")]
    pub rev: Option<String>,
    /// Apply the files as they lie instead of a commit
    #[arg(long, global = true, conflicts_with = "rev")]
    pub worktree: bool,
}

/// Which hosts.
#[derive(Debug, Clone, Default, Args)]
pub struct Targets {
    /// Hosts, as a glob unless one of the switches says otherwise
    #[arg(value_name = "TARGET")]
    pub target: Option<String>,
    /// How to read it
    #[command(flatten)]
    pub kind: TargetKind,
}

/// Whether what is changed goes back unless the host is reached again.
#[derive(Debug, Clone, Default, Args)]
pub struct Probation {
    /// A host takes the run back by itself unless it is reached over a new connection within this time after it, such as
    /// 90s or 2m [default: `confirm` of the settings, 120s]
    #[arg(long, value_name = "TIME", value_parser = settings::window, conflicts_with = "no_confirm")]
    confirm: Option<u64>,
    /// What is changed stays, whether or not the host can be reached afterwards
    #[arg(long)]
    no_confirm: bool,
}

impl Probation {
    /// Seconds, by the options or else the settings; `None` is for good.
    pub fn window(&self, settings: &Settings) -> Option<u64> {
        self.confirm.or(settings.confirm).filter(|_| !self.no_confirm)
    }
}

/// How to read the target; Salt's switches.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line; at most one is set"
)]
pub struct TargetKind {
    /// TARGET is a comma-separated list
    #[arg(short = 'L', long)]
    pub list: bool,
    /// TARGET is a regular expression
    #[arg(short = 'E', long)]
    pub pcre: bool,
    /// TARGET is a grain, key:glob
    #[arg(short = 'G', long)]
    pub grain: bool,
    /// TARGET is a pillar value, key:glob
    #[arg(short = 'I', long)]
    pub pillar: bool,
    /// TARGET is a nodegroup of the settings
    #[arg(short = 'N', long)]
    pub nodegroup: bool,
    /// TARGET is a compound expression
    #[arg(short = 'C', long)]
    pub compound: bool,
}

impl TargetKind {
    /// The switch as typed; empty for a glob.
    pub const fn switch(&self) -> &'static str {
        match self {
            Self { list: true, .. } => "-L ",
            Self { pcre: true, .. } => "-E ",
            Self { grain: true, .. } => "-G ",
            Self { pillar: true, .. } => "-I ",
            Self { nodegroup: true, .. } => "-N ",
            Self { compound: true, .. } => "-C ",
            _ => "",
        }
    }
}

impl Targets {
    /// The target as typed, `*` where none was.
    pub fn text(&self) -> String {
        format!("{}{}", self.kind.switch(), self.target.as_deref().unwrap_or("*"))
    }
}

/// What to converge besides the target.
#[derive(Debug, Clone, Default, Args)]
pub struct Selection {
    /// SLS names (commas allowed) instead of the highstate; `test=True` plans, `pillar='{…}'` adds pillar
    #[arg(value_name = "SLS")]
    pub words: Vec<String>,
    /// Pillar laid over the host's own, as JSON or YAML
    #[arg(long, value_name = "MAPPING")]
    pub pillar_data: Option<String>,
}

impl Selection {
    /// The SLS names.
    pub fn sls(&self) -> Vec<String> {
        let names = self.words.iter().filter(|word| !word.contains('='));
        names
            .flat_map(|word| word.split(','))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// What a catalog made for this stands for: `*` the whole highstate, names of sls, empty where pillar on the command
    /// line makes it one of a kind. What left the tree is judged by runs of the same scope only.
    pub fn scope(&self) -> String {
        if self.pillar_data.is_some() || self.keyword("pillar").is_some() {
            return String::new();
        }
        let names = self.sls().join(",");
        let mut scope = if names.is_empty() { "*".to_owned() } else { names };
        for (key, mark) in [("saltenv", '@'), ("exclude", '-')] {
            if let Some(value) = self.keyword(key) {
                scope.push(mark);
                scope.push_str(value);
            }
        }
        scope
    }

    /// The value of `key=value` among the words.
    pub fn keyword(&self, key: &str) -> Option<&str> {
        self.words
            .iter()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    /// The pillar to lay over everybody's own.
    ///
    /// # Errors
    /// A text that is no mapping.
    pub fn pillar(&self) -> Result<Map<String, Json>, Failure> {
        match self.pillar_data.as_deref().or_else(|| self.keyword("pillar")) {
            Some(text) => mapping(text)
                .map_err(|error| Failure::usage(format!("the pillar on the command line: {error}"))),
            None => Ok(Map::new()),
        }
    }

    /// Whether `test=True` is among the words.
    pub fn test(&self) -> bool {
        self.keyword("test")
            .is_some_and(|value| matches!(value, "True" | "true" | "1" | "yes"))
    }

    /// Words of the form `key=value` that mean nothing here.
    pub fn unknown_keywords(&self) -> Vec<&str> {
        let known = ["test", "pillar", "saltenv", "exclude"];
        let words = self.words.iter().filter_map(|word| word.split_once('='));
        words
            .map(|(key, _)| key)
            .filter(|key| !known.contains(key))
            .collect()
    }
}
