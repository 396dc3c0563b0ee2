//! What the master sends for a host to make true: ordered low chunks.
//!
//! A catalog holds no commit and no line numbers, so that a cosmetic edit keeps its digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::{ChunkId, Command, Digest, Question, question::Call};

/// Arguments of a state by name, in the order written.
pub type Args = Map<String, Json>;

/// Everything one host is to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// Chunks in the order in which they run.
    pub chunks: Vec<Chunk>,
    /// What the compiler was told when it made this, as questions and the SHA-256 of each answer's JSON text.
    pub assumes: Vec<(Question, Digest)>,
    /// Salt's options that act on the whole run.
    pub options: RunOptions,
    /// `listen` and `listen_in`, one for every reference, in the order in which Salt looks at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub listens: Vec<Listen>,
}

/// One reference of a `listen` or `listen_in`: what changed, and whose watch actions then run at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listen {
    /// Places in [`Catalog::chunks`] of what is listened to.
    pub on: Vec<usize>,
    /// Places of those that act.
    pub call: Vec<usize>,
    /// Module and reference, where `on` or `call` is empty because nothing has that name: Salt's `Listen_Error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<(String, String)>,
}

/// Options of the whole run, by Salt's names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunOptions {
    /// The first failure ends the run.
    #[serde(default)]
    pub failhard: bool,
}

/// One state to make true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Salt's tag.
    pub id: ChunkId,
    /// The sls that declared it.
    pub sls: String,
    /// The function's own arguments; requisites and global options are taken out.
    pub args: Args,
    /// What must have happened before, resolved to places in [`Catalog::chunks`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Requisite>,
    /// Arguments every state has.
    #[serde(default)]
    pub options: Options,
    /// Sources on the master by the text the state names them with: contents by digest.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, Sourced>,
    /// This is the dry run of a later chunk, made for a `prereq`.
    #[serde(default)]
    pub check_only: bool,
    /// Arguments whose values are asked for just before the call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slots: Vec<Slot>,
}

/// A `__slot__:salt:mod.fun(args).path ~ text` in an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The argument as a JSON pointer into all arguments.
    pub at: String,
    /// What is called.
    pub call: Call,
    /// Path into the returned value, with dots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What is put behind a returned text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append: Option<String>,
}

/// An edge of the requisite graph; one per kind and entry as the user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requisite {
    /// Which.
    pub kind: RequisiteKind,
    /// Indices into [`Catalog::chunks`] of all chunks that entry stands for.
    pub on: Vec<usize>,
}

/// Salt's requisite kinds (salt-semantics section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "Salt's own names")]
pub enum RequisiteKind {
    Onfail,
    OnfailAny,
    OnfailAll,
    Require,
    RequireAny,
    Onchanges,
    OnchangesAny,
    Watch,
    WatchAny,
    Prereq,
}

/// Arguments every state has (salt-semantics section 7).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Working directory, user, environment, shell, umask and timeout for guards; its `argv` is empty.
    pub guard: Command,
    /// Skip unless every entry succeeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub onlyif: Vec<Guard>,
    /// Skip if every entry succeeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Guard>,
    /// Skip if what it names exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creates: Option<Creates>,
    /// Commands that judge the state afterwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub check_cmd: Vec<String>,
    /// Try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Whether a failure of this state ends the run; where it is not said, [`RunOptions::failhard`] decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failhard: Option<bool>,
    /// May run beside others.
    pub parallel: bool,
    /// Comment and changes are masked in every output.
    pub no_log: bool,
    /// Re-read the package and user databases afterwards (accepted; we always do).
    pub reload_modules: bool,
    /// A command that takes the state back (`cmd.run`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// A command that must succeed after `undo` ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_undone: Option<String>,
    /// Whether the program that reads what this state writes is asked first, and what a service does not come up with goes
    /// back (J10); yes where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate: Option<bool>,
    /// Skip, with this comment: the state is disabled (`disabled_states`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
}

/// One entry of `unless` or `onlyif`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// A shell command, run with the state's cwd, env, runas, umask, timeout and shell.
    Command(String),
    /// Neither a text nor a mapping.
    Odd,
    /// A mapping without `fun`, as Python prints it.
    Nameless(String),
    /// A function whose value is known already.
    Known(bool),
    /// `{fun: mod.f, args: […], key: value, get_return: a:b}`.
    Function {
        /// `module.function`.
        fun: String,
        /// Positional arguments.
        args: Vec<Json>,
        /// Keyword arguments.
        kwargs: Args,
        /// Path into the returned value whose truth counts.
        get_return: Option<String>,
    },
}

/// What `creates` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Creates {
    /// One path.
    One(String),
    /// All of a list.
    All(Vec<String>),
}

/// `retry` with Salt's defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Times at most (2); 0, which `retry: False` means, is told in a plan but tries once.
    pub attempts: u32,
    /// Seconds between them (30).
    pub interval: u64,
    /// The result that ends it (true).
    pub until: bool,
    /// Random seconds on top, at most.
    pub splay: u64,
}

/// What a `salt://` source is at the commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sourced {
    /// A file, rendered where the state asked for it.
    File {
        /// Contents.
        content: Digest,
        /// Bytes.
        size: u64,
        /// Mode in the tree: 0644 or 0755.
        mode: u32,
    },
    /// A directory for `file.recurse`.
    Dir(Vec<SourcedEntry>),
    /// Not in the tree.
    Missing,
    /// In the tree, but it did not render; the text is the state's comment.
    Broken(String),
}

/// One entry below a source directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourcedEntry {
    /// Path relative to the directory.
    pub path: String,
    /// What it is.
    pub what: SourcedKind,
}

/// Kinds of entries below a source directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourcedKind {
    /// A directory (git keeps none that are empty; a work tree may).
    Dir,
    /// A file.
    File {
        /// Contents.
        content: Digest,
        /// Bytes.
        size: u64,
        /// Mode in the tree.
        mode: u32,
    },
    /// A symbolic link, for `keep_symlinks`.
    Link {
        /// Where it points.
        to: String,
    },
    /// Did not render.
    Broken(String),
}
