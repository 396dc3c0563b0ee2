//! What may be asked of a host, and what it answers. Asking never changes anything a user can see.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{Address, Digest, Login, Value};

/// One thing to know about a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// What is at an address → [`Answer::Value`].
    Read(Address),
    /// The bytes of a regular file, links followed → [`Answer::Bytes`].
    Bytes(String),
    /// What a path is once links are followed → [`Answer::Value`].
    Follow(String),
    /// All entries below a directory, recursively, by path relative to it, sorted → [`Answer::Tree`].
    List(String),
    /// Runs a command that changes nothing (a guard, a check) → [`Answer::Output`].
    Command(Command),
    /// One grain by key, `a:b` walks in → [`Answer::Json`]; undefined is [`Answer::Missing`].
    Grain(String),
    /// All grains → [`Answer::Json`].
    Grains,
    /// An execution function → [`Answer::Json`]; an unknown one is [`Answer::Missing`].
    Call(Call),
    /// The version the package manager would install now → [`Answer::Text`]; none is [`Answer::Missing`].
    Candidate(String),
    /// All versions the package manager could install, newest first, as a JSON list → [`Answer::Json`].
    Versions(String),
    /// A download (http, https, ftp) or local file brought into the object store → [`Answer::Blob`].
    Fetch {
        /// URL or absolute path.
        url: String,
        /// Expected digest as `algorithm=hex`; checked before the answer is given.
        hash: Option<String>,
    },
    /// An archive of the object store, unpacked into it → [`Answer::Tree`].
    Unpack(Unpack),
    /// Tells how to log in to a database server, before anything is asked of it → [`Answer::Missing`].
    Login(Login),
}

/// The question as a person would ask it, on one line.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(at) => write!(f, "{at}"),
            Self::Bytes(path) => write!(f, "contents of {path}"),
            Self::Follow(path) => write!(f, "{path}, links followed"),
            Self::List(path) => write!(f, "all below {path}"),
            Self::Command(command) => write!(f, "command {}", command.argv.join(" ")),
            Self::Grain(key) => write!(f, "grain {key}"),
            Self::Grains => f.write_str("all grains"),
            Self::Call(call) => write!(f, "{call}"),
            Self::Candidate(name) => write!(f, "newest version of package {name}"),
            Self::Versions(name) => write!(f, "versions of package {name}"),
            Self::Fetch { url, .. } => write!(f, "download of {url}"),
            Self::Unpack(unpack) => write!(f, "members of archive {}", unpack.archive),
            Self::Login(login) => write!(f, "login at {}", login.server),
        }
    }
}

/// The call as a template writes it: `pkg.version("nginx")`.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.kwargs.iter().map(|(key, value)| format!("{key}={value}"));
        let all: Vec<String> = self.args.iter().cloned().chain(named).collect();
        write!(f, "{}({})", self.fun, all.join(", "))
    }
}

/// A call of an execution function such as `pkg.version`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Call {
    /// `module.function`.
    pub fun: String,
    /// Positional arguments as JSON texts.
    pub args: Vec<String>,
    /// Keyword arguments as JSON texts.
    pub kwargs: BTreeMap<String, String>,
}

/// How to read an archive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Unpack {
    /// The archive's bytes.
    pub archive: Digest,
    /// `tar` or `zip`; compression is found out by reading.
    pub format: String,
    /// Leading path components to drop.
    pub strip: u32,
    /// Members to take (all when empty).
    pub members: Vec<String>,
}

/// What a host said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Nothing of that kind: an undefined grain, an unknown function, no candidate.
    Missing,
    /// The value at an address.
    Value(Value),
    /// A file's bytes in hex; `None` when there is no such file.
    Bytes(#[serde(with = "hex_bytes")] Option<Vec<u8>>),
    /// Entries below a directory: relative path and value. `None` when there is no such directory.
    Tree(Option<Vec<(String, Value)>>),
    /// What a command did.
    Output(Output),
    /// A JSON value.
    Json(Json),
    /// A text.
    Text(String),
    /// Bytes now in the object store.
    Blob {
        /// Their digest.
        digest: Digest,
        /// Their length.
        size: u64,
    },
    /// The question could not be answered, with the reason.
    Failed(String),
}

/// Answers by question.
pub type Answers = BTreeMap<Question, Answer>;

/// A program to run: never through a shell unless `shell` says so (A6).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments; or, with a shell, one text.
    pub argv: Vec<String>,
    /// Run `argv[0]` as `SHELL -c TEXT` with this shell.
    #[serde(default)]
    pub shell: Option<String>,
    /// Working directory; the user's home, or `/`, when absent.
    #[serde(default)]
    pub cwd: Option<String>,
    /// Variables laid over the clean environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Run as this user.
    #[serde(default)]
    pub runas: Option<String>,
    /// Group to run as.
    #[serde(default)]
    pub group: Option<String>,
    /// File mode mask.
    #[serde(default)]
    pub umask: Option<u32>,
    /// Seconds after which the whole process tree is ended (A5).
    #[serde(default)]
    pub timeout: Option<u64>,
    /// Text for standard input; the place for secrets (P4).
    #[serde(default)]
    pub stdin: Option<String>,
    /// Exit codes that count as success besides 0.
    #[serde(default)]
    pub success_retcodes: Vec<i32>,
}

impl Command {
    /// A program with arguments.
    pub fn program(argv: &[&str]) -> Self {
        Self {
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            ..Self::default()
        }
    }

    /// A text for `/bin/sh -c`.
    pub fn sh(text: &str) -> Self {
        Self {
            argv: vec![text.to_owned()],
            shell: Some("/bin/sh".to_owned()),
            ..Self::default()
        }
    }
}

/// What a command did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Process id.
    pub pid: u32,
    /// Exit code; a signal `n` is `-n`, as Python's subprocess tells it.
    pub code: i32,
    /// Standard output, final line ends stripped, at most 1 MiB (head and tail).
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
    /// Ended because its time was over.
    #[serde(default)]
    pub timed_out: bool,
}

impl Output {
    /// Whether `command` counts this as success.
    pub fn success(&self, command: &Command) -> bool {
        !self.timed_out && (self.code == 0 || command.success_retcodes.contains(&self.code))
    }
}

mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(crate::digest::to_hex).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Option::<String>::deserialize(deserializer)?
            .map(|text| crate::digest::from_hex(&text).ok_or_else(|| serde::de::Error::custom("not hex")))
            .transpose()
    }
}
