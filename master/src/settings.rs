//! The settings file `salt-rs.yaml`: finding it, reading it, every key of it.
//!
//! Contract section 3 lists the keys. The roster it names is read in `roster`; what Salt's own options mean is
//! decided where they are used.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use proto::frame::Limits;
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::compile::diagnostic::{Diagnostic, Severity, nearest};
use crate::compile::yaml::{Node, Value};
use crate::document::Document;
use crate::pillar::external::External;
use crate::tree::location::{Location, expand, normal};
use crate::tree::signature;

mod external;
mod limits;
mod surroundings;

pub use surroundings::Surroundings;

/// The file's name, as it is searched for.
pub const FILE: &str = "salt-rs.yaml";

/// Seconds in which a changed host must be reached again, unless said otherwise.
pub const WINDOW: u64 = 120;

/// Everything the settings say, with defaults filled in and paths made absolute.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The file they came from; `None` when nothing but defaults is in use.
    pub file: Option<PathBuf>,
    /// Where states come from.
    pub tree: TreeSettings,
    /// The roster file.
    pub roster: PathBuf,
    /// The master's store.
    pub state_dir: PathBuf,
    /// How hosts are reached unless the roster says otherwise.
    pub ssh: SshSettings,
    /// Salt's node groups: name to the words of a compound target.
    pub nodegroups: IndexMap<String, Vec<String>>,
    /// Whether a grain that only the host claims may select pillar (requirement C3).
    pub pillar_from_host_grains: bool,
    /// What hosts may keep, and how long they may wait.
    pub limits: Limits,
    /// Seconds within which a changed host must be reached again, or it goes back; `None` is off (`confirm`, J11).
    pub confirm: Option<u64>,
    /// Salt's own options by Salt's names, and any further ones a tree reads with `config.get`.
    pub salt: Map<String, Json>,
    /// Salt's `ext_pillar`.
    pub external: Vec<External>,
    /// Warnings met while reading.
    pub warnings: Vec<Diagnostic>,
}

/// Where states come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeSettings {
    /// The repository.
    pub url: Location,
    /// Branch, tag or commit (`ref` in the file).
    pub rev: String,
    /// File roots inside the repository, first match wins; empty text is the repository's root.
    pub salt: Vec<String>,
    /// Pillar roots inside the repository.
    pub pillar: Vec<String>,
    /// Public keys that may sign a head; empty means signatures are not asked for.
    pub signers: Vec<String>,
}

/// How hosts are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSettings {
    /// The login name.
    pub user: String,
    /// The private key, `None` when nobody named one and there is no home directory.
    pub key: Option<PathBuf>,
    /// The file of pinned host keys.
    pub known_hosts: Option<PathBuf>,
    /// The port.
    pub port: u16,
    /// The limit for connecting, handshake included.
    pub connect_timeout: Duration,
}

/// Why there are no settings.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// No file anywhere; the places are those looked at.
    #[error("no {FILE} here or above, nor {}: make one with `salt-rs init`, or name one with --config", .0.display())]
    NotFound(PathBuf),
    /// A file that searching found belongs to somebody else, who could choose what is run.
    #[error("{} belongs to user {}: name it with --config if it is to be trusted", .0.display(), .1)]
    Foreign(PathBuf, u32),
    /// The file cannot be read.
    #[error("cannot read the settings {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file is wrong; every problem is in the list.
    #[error("{}", shown(.0))]
    Invalid(Vec<Diagnostic>),
}

fn shown(problems: &[Diagnostic]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

/// Salt's options with a meaning here, for finding misspelt ones. Others are kept, as a tree may read them.
const SALT_OPTIONS: &[&str] = &[
    "failhard",
    "pillar_source_merging_strategy",
    "pillar_merge_lists",
    "top_file_merging_strategy",
    "state_top",
    "state_top_saltenv",
    "state_auto_order",
    "state_aggregate",
    "disabled_requisites",
    "disabled_states",
    "jinja_env",
    "jinja_sls_env",
    "jinja_trim_blocks",
    "jinja_lstrip_blocks",
    "allow_undefined",
    "renderer",
    "renderer_whitelist",
    "renderer_blacklist",
    "file_roots",
    "pillar_roots",
    "saltenv",
    "pillarenv",
    "pillarenv_from_saltenv",
    "pillar_includes_override_sls",
    "pillar_safe_render_error",
    "pillar_raise_on_missing",
    "pillar_opts",
    "ext_pillar",
    "ext_pillar_first",
    "ext_pillar_timeout",
    "git_pillar_base",
    "decrypt_pillar",
    "decrypt_pillar_default",
    "decrypt_pillar_delimiter",
    "decrypt_pillar_renderers",
    "gpg_keydir",
    "age_identity",
    "env_order",
    "default_top",
    "test",
    "grains",
];

impl Settings {
    /// Finds and reads the settings: `given` (`--config`), `$SALT_RS_CONFIG`, `salt-rs.yaml` here or above, the
    /// machine's own.
    pub fn locate(given: Option<&Path>, around: &Surroundings) -> Result<Self, SettingsError> {
        Self::load(&find(given, around)?, around)
    }

    /// Reads one file.
    pub fn load(file: &Path, around: &Surroundings) -> Result<Self, SettingsError> {
        let file = normal(&around.directory.join(file));
        let text =
            fs::read_to_string(&file).map_err(|error| SettingsError::Unreadable(file.clone(), error))?;
        Self::parse(&text, &file, around).map_err(SettingsError::Invalid)
    }

    /// What holds for a tree without a settings file.
    pub fn defaults(base: &Path, around: &Surroundings) -> Self {
        let home = |path: &str| around.home.as_ref().map(|home| home.join(path));
        Self {
            file: None,
            tree: TreeSettings {
                url: Location::Local(normal(base)),
                rev: "main".to_owned(),
                salt: vec!["salt".to_owned()],
                pillar: vec!["pillar".to_owned()],
                signers: Vec::new(),
            },
            roster: base.join("roster.yaml"),
            state_dir: around.state_dir(),
            ssh: SshSettings {
                user: "root".to_owned(),
                key: home(".ssh/id_ed25519"),
                known_hosts: home(".ssh/known_hosts"),
                port: 22,
                connect_timeout: Duration::from_secs(10),
            },
            nodegroups: IndexMap::new(),
            pillar_from_host_grains: false,
            limits: Limits::default(),
            confirm: Some(WINDOW),
            salt: Map::new(),
            external: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Reads the text of a settings file; all its problems at once.
    pub fn parse(text: &str, file: &Path, around: &Surroundings) -> Result<Self, Vec<Diagnostic>> {
        let base = file.parent().unwrap_or(Path::new("/"));
        let mut settings = Self {
            file: Some(file.to_owned()),
            ..Self::defaults(base, around)
        };
        let (mut document, root) = Document::read(text, file);
        if let Some(root) = root {
            settings.fill(&root, &mut document, base, around);
        }
        let problems = document.into_problems();
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(problems);
        }
        settings.warnings = problems;
        Ok(settings)
    }

    fn fill(&mut self, root: &Node, document: &mut Document<'_>, base: &Path, around: &Surroundings) {
        let home = around.home.as_deref();
        let mut fields = document.fields(root, "the settings");
        if let Some(node) = fields.take("tree") {
            self.tree.fill(node, document, base, home);
        }
        if let Some(path) = fields
            .take("roster")
            .and_then(|node| path(document, node, "roster", base, home))
        {
            self.roster = path;
        }
        if let Some(path) = fields
            .take("state_dir")
            .and_then(|node| path(document, node, "state_dir", base, home))
        {
            self.state_dir = path;
        }
        if let Some(node) = fields.take("ssh") {
            self.ssh.fill(node, document, base, home);
        }
        if let Some(node) = fields.take("nodegroups") {
            self.nodegroups = nodegroups(document, node);
        }
        if let Some(truth) = fields
            .take("pillar_from_host_grains")
            .and_then(|node| document.truth(node, "pillar_from_host_grains"))
        {
            self.pillar_from_host_grains = truth;
        }
        if let Some(node) = fields.take("confirm") {
            self.confirm = limits::confirm(document, node, self.confirm);
        }
        if let Some(node) = fields.take("journal") {
            limits::journal(&mut self.limits, node, document);
        }
        if let Some(node) = fields.take("packages") {
            limits::packages(&mut self.limits, node, document);
        }
        if let Some(node) = fields.take("salt") {
            self.salt = salt(document, node);
            if let Some(entries) = node.value.get("ext_pillar") {
                let git_base = self.salt.get("git_pillar_base").and_then(Json::as_str);
                let around = external::Around {
                    file: self.file.as_deref().unwrap_or(base),
                    base,
                    home,
                    git_base: git_base.unwrap_or("master").to_owned(),
                };
                self.external = around.read(document, entries);
            }
        }
        fields.finish(document);
    }
}

impl TreeSettings {
    fn fill(&mut self, node: &Node, document: &mut Document<'_>, base: &Path, home: Option<&Path>) {
        let mut fields = document.fields(node, "tree");
        if let Some(node) = fields.take("url")
            && let Some(text) = document.text(node, "tree.url")
        {
            match Location::parse(&text, base, home) {
                Ok(url) => self.url = url,
                Err(error) => document.report_hidden(node.at, format!("tree.url: {error}")),
            }
        }
        if let Some(node) = fields.take("ref") {
            match document.text(node, "tree.ref") {
                Some(text) if rev_is_plain(&text) => self.rev = text,
                Some(_) => document.report(node.at, "tree.ref is not a branch, tag or commit", None),
                None => {}
            }
        }
        if let Some(roots) = fields
            .take("salt")
            .and_then(|node| roots(document, node, "tree.salt"))
        {
            self.salt = roots;
        }
        if let Some(roots) = fields
            .take("pillar")
            .and_then(|node| roots(document, node, "tree.pillar"))
        {
            self.pillar = roots;
        }
        if let Some(node) = fields.take("signers") {
            self.signers = document.texts(node, "tree.signers").unwrap_or_default();
            for key in &self.signers {
                if let Err(reason) = signature::signer(key) {
                    document.report(node.at, format!("tree.signers: `{key}` is {reason}"), None);
                }
            }
        }
        fields.finish(document);
    }
}

impl SshSettings {
    fn fill(&mut self, node: &Node, document: &mut Document<'_>, base: &Path, home: Option<&Path>) {
        let mut fields = document.fields(node, "ssh");
        if let Some(node) = fields.take("user") {
            match document.text(node, "ssh.user") {
                Some(user) if crate::roster::user_is_plain(&user) => self.user = user,
                Some(_) => document.report(node.at, "ssh.user is not a user name", None),
                None => {}
            }
        }
        if let Some(key) = fields
            .take("key")
            .and_then(|node| path(document, node, "ssh.key", base, home))
        {
            self.key = Some(key);
        }
        if let Some(file) = fields
            .take("known_hosts")
            .and_then(|node| path(document, node, "ssh.known_hosts", base, home))
        {
            self.known_hosts = Some(file);
        }
        let port = fields
            .take("port")
            .and_then(|node| document.number(node, "ssh.port", 1, 65_535));
        if let Some(port) = port.and_then(|port| u16::try_from(port).ok()) {
            self.port = port;
        }
        let seconds = fields
            .take("connect_timeout")
            .and_then(|node| document.number(node, "ssh.connect_timeout", 1, 3_600));
        if let Some(seconds) = seconds {
            self.connect_timeout = Duration::from_secs(seconds);
        }
        fields.finish(document);
    }
}

/// Seconds of `90`, `90s`, `2m`, `1h`: at least one, at most a day.
///
/// # Errors
/// What is wrong with the text.
pub fn window(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(digits) if text.ends_with('m') => (digits, 60),
        Some(digits) if text.ends_with('h') => (digits, 3600),
        Some(digits) => (digits, 1),
        None => (text, 1),
    };
    let seconds = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    seconds
        .filter(|seconds| (1..=86_400).contains(seconds))
        .ok_or_else(|| format!("`{text}` is no time such as 90s, 2m or 1h, between a second and a day"))
}

/// The settings file to use.
fn find(given: Option<&Path>, around: &Surroundings) -> Result<PathBuf, SettingsError> {
    if let Some(named) = given.or(around.config.as_deref()) {
        return Ok(named.to_owned());
    }
    let above = around.directory.ancestors().map(|directory| directory.join(FILE));
    for file in above.chain([around.system.clone()]) {
        match fs::metadata(&file) {
            Ok(found) if found.is_file() && around.trusts(found.uid()) => return Ok(file),
            Ok(found) if found.is_file() => return Err(SettingsError::Foreign(file, found.uid())),
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) => {}
            Err(error) => return Err(SettingsError::Unreadable(file, error)),
        }
    }
    Err(SettingsError::NotFound(around.system.clone()))
}

/// A path, relative to the file's directory.
fn path(
    document: &mut Document<'_>,
    node: &Node,
    of: &str,
    base: &Path,
    home: Option<&Path>,
) -> Option<PathBuf> {
    let text = document.text(node, of)?;
    if text.is_empty() || (text.starts_with('~') && text != "~" && !text.starts_with("~/")) {
        document.report(
            node.at,
            format!("{of} is not a path"),
            Some("write the path in full".to_owned()),
        );
        return None;
    }
    Some(normal(&base.join(expand(&text, home))))
}

/// Directories inside the repository.
fn roots(document: &mut Document<'_>, node: &Node, of: &str) -> Option<Vec<String>> {
    let mut roots = Vec::new();
    for text in document.texts(node, of)? {
        let parts: Vec<&str> = text
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        if text.starts_with('/') || parts.contains(&"..") {
            document.report(
                node.at,
                format!("{of} must be a directory inside the repository, not `{text}`"),
                None,
            );
            return None;
        }
        roots.push(parts.join("/"));
    }
    Some(roots)
}

/// Whether a text can name a revision: nothing that reads as an option, a range or a path.
pub(crate) fn rev_is_plain(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.contains("..")
        && text
            .chars()
            .all(|ch| !ch.is_whitespace() && !ch.is_control() && !":?*[\\".contains(ch))
}

/// Groups as words: a text is split at blanks, a list is taken as it is (Salt accepts both).
fn nodegroups(document: &mut Document<'_>, node: &Node) -> IndexMap<String, Vec<String>> {
    let mut groups = IndexMap::new();
    for (name, target) in document.entries(node, "nodegroups") {
        let words = match target.value {
            Value::List(_) => document.texts(target, "a node group"),
            _ => document
                .text(target, "a node group")
                .map(|text| text.split_whitespace().map(str::to_owned).collect()),
        };
        groups.insert(name.value.key_text(), words.unwrap_or_default());
    }
    groups
}

/// Salt's options: a name that is nearly a known one is an error, any other unknown one belongs to the tree.
fn salt(document: &mut Document<'_>, node: &Node) -> Map<String, Json> {
    for (key, _) in document.entries(node, "salt") {
        let name = key.value.key_text();
        if SALT_OPTIONS.contains(&name.as_str()) {
            continue;
        }
        if let Some(near) = nearest(&name, SALT_OPTIONS.iter().copied()) {
            let help = format!("did you mean `{near}`?");
            document.report(key.at, format!("unknown key `{name}` in salt"), Some(help));
        }
    }
    match node.to_json() {
        Json::Object(options) => options,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
