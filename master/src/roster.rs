//! The roster: which hosts there are and how each is reached.
//!
//! salt-ssh's format, so that an existing file works (contract section 4). Names are checked here once
//! (requirement T3); nothing in a roster becomes an option of a program. Templates in a roster are not rendered.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::compile::diagnostic::{Diagnostic, Severity, did_you_mean};
use crate::compile::yaml::{Mark, Node, Value};
use crate::document::Document;
use crate::transport::Via;
use crate::tree::location::{expand, normal};

mod password;

pub use password::Password;

/// All hosts, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roster {
    /// By name, which is also the minion's id.
    pub entries: IndexMap<String, Entry>,
    /// Warnings met while reading.
    pub warnings: Vec<Diagnostic>,
}

/// One host; what is `None` comes from the settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it is reached: a name or an address.
    pub host: String,
    /// The port of its sshd.
    pub port: Option<u16>,
    /// The login name.
    pub user: Option<String>,
    /// The private key (`priv`).
    pub key: Option<PathBuf>,
    /// The passphrase of the key (`priv_passwd`).
    pub key_password: Option<Password>,
    /// A user certificate that goes with the key.
    pub cert: Option<PathBuf>,
    /// Whether an ssh agent is asked for keys (`agent: true`, or `priv: agent-forwarding`; nothing is forwarded).
    pub agent: bool,
    /// The login password (`passwd`).
    pub password: Option<Password>,
    /// Whether the agent is started through `sudo -n`.
    pub sudo: bool,
    /// The roster entry to connect through.
    pub jump: Option<String>,
    /// The limit for connecting.
    pub timeout: Option<Duration>,
    /// Which client reaches it (`transport: ssh`, ours, or `transport: openssh`, the system's program).
    pub via: Via,
    /// Grains the master asserts; they may select pillar (requirement C3).
    pub grains: Map<String, Json>,
}

/// Why there is no roster.
#[derive(Debug, Error)]
pub enum RosterError {
    /// The file cannot be read.
    #[error("cannot read the roster {}", .0.display())]
    Unreadable(PathBuf, #[source] io::Error),
    /// The file is wrong; every problem is in the list.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<Diagnostic>),
}

/// Options of salt-ssh that mean nothing here: there is no Python to place and nothing to tune.
const WITHOUT_MEANING: [&str; 8] = [
    "thin_dir",
    "cmd_umask",
    "tty",
    "set_path",
    "identities_only",
    "mine_functions",
    "mods",
    "no_host_keys",
];

/// Options of salt-ssh that would change what is done, and are not followed.
const NOT_FOLLOWED: [&str; 7] = [
    "ssh_options",
    "sudo_user",
    "ssh_pre_flight",
    "ssh_pre_flight_args",
    "ssh_pre_hook",
    "ssh_post_hook",
    "remote_port_forwards",
];

impl Roster {
    /// Reads a roster file. A file that holds passwords and that others can read gives a warning.
    pub fn load(file: &Path, home: Option<&Path>) -> Result<Self, RosterError> {
        let unreadable = |error| RosterError::Unreadable(file.to_owned(), error);
        let text = fs::read_to_string(file).map_err(unreadable)?;
        let mode = fs::metadata(file).map_err(unreadable)?.permissions().mode();
        let mut roster = Self::parse(&text, file, home).map_err(RosterError::Invalid)?;
        let secret = |entry: &Entry| entry.password.is_some() || entry.key_password.is_some();
        if mode & 0o077 != 0 && roster.entries.values().any(secret) {
            roster.warnings.push(
                Diagnostic::warning("the roster holds passwords and others can read it")
                    .in_file(file.display().to_string())
                    .with_help("chmod 600, or better use keys"),
            );
        }
        Ok(roster)
    }

    /// Reads the text of a roster; all its problems at once. Relative paths are relative to the file, `~` is `home`.
    pub fn parse(text: &str, file: &Path, home: Option<&Path>) -> Result<Self, Vec<Diagnostic>> {
        let base = file.parent().unwrap_or(Path::new("/"));
        let (mut document, root) = Document::read(text, file);
        let mut entries = IndexMap::new();
        if let Some(root) = &root {
            let fields = document.entries(root, "the roster");
            for (key, value) in fields {
                let name = key.value.key_text();
                if let Some(entry) = entry(&mut document, &name, key.at, value, base, home) {
                    entries.insert(name, entry);
                }
            }
            jumps(&mut document, fields, &entries);
        }
        let problems = document.into_problems();
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return Err(problems);
        }
        Ok(Self {
            entries,
            warnings: problems,
        })
    }
}

impl Entry {
    /// A host that is reached by a name and nothing else said.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            user: None,
            key: None,
            key_password: None,
            cert: None,
            agent: false,
            password: None,
            sudo: false,
            jump: None,
            timeout: None,
            via: Via::Ssh,
            grains: Map::new(),
        }
    }
}

/// Whether a text can be a host's name in the roster: `[a-z0-9]([a-z0-9.-]*[a-z0-9])?`, at most 253 (T3).
pub fn name_is_plain(name: &str) -> bool {
    let edge = |ch: char| ch.is_ascii_lowercase() || ch.is_ascii_digit();
    name.len() <= 253
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|ch| edge(ch) || ch == '.' || ch == '-')
}

/// Whether a text can be a login name: `[a-z_][a-z0-9_-]*` (T3).
pub fn user_is_plain(user: &str) -> bool {
    let first = |ch: char| ch.is_ascii_lowercase() || ch == '_';
    user.starts_with(first)
        && user
            .chars()
            .all(|ch| first(ch) || ch.is_ascii_digit() || ch == '-')
}

/// Whether a text can be an address to connect to: an IP address or a host name in any case.
fn host_is_plain(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok() || name_is_plain(&host.to_ascii_lowercase().replace('_', "-"))
}

fn entry(
    document: &mut Document<'_>,
    name: &str,
    at: Mark,
    value: &Node,
    base: &Path,
    home: Option<&Path>,
) -> Option<Entry> {
    if !name_is_plain(name) {
        let help = "use small letters, digits, dots and dashes, such as `web-1.example.org`";
        document.report(at, format!("`{name}` is not a host name"), Some(help.to_owned()));
        return None;
    }
    match value.value {
        Value::Map(_) => Some(mapping(document, name, value, base, home)),
        Value::Null => Some(Entry::new(name)),
        _ => Some(Entry::new(host(document, value)?)),
    }
}

fn host(document: &mut Document<'_>, node: &Node) -> Option<String> {
    let host = document.text(node, "host")?;
    // An IPv6 address may stand in brackets, as in URLs.
    let bare = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(&host);
    if !host_is_plain(bare) {
        document.report(node.at, format!("`{host}` is not a host name or address"), None);
        return None;
    }
    Some(bare.to_owned())
}

fn mapping(document: &mut Document<'_>, name: &str, value: &Node, base: &Path, home: Option<&Path>) -> Entry {
    let mut entry = Entry::new(name);
    let mut fields = document.fields(value, "a roster entry");
    if let Some(host) = fields.take("host").and_then(|node| host(document, node)) {
        entry.host = host;
    }
    let port = fields
        .take("port")
        .and_then(|node| document.number(node, "port", 1, 65_535));
    entry.port = port.and_then(|port| u16::try_from(port).ok());
    if let Some(node) = fields.take("user") {
        match document.text(node, "user") {
            Some(user) if user_is_plain(&user) => entry.user = Some(user),
            Some(user) => document.report(node.at, format!("`{user}` is not a user name"), None),
            None => {}
        }
    }
    let path = |document: &mut Document<'_>, node: Option<&Node>, of: &str| {
        let text = node.and_then(|node| document.text(node, of))?;
        Some(normal(&base.join(expand(&text, home))))
    };
    entry.key = path(document, fields.take("priv"), "priv");
    entry.cert = path(document, fields.take("cert"), "cert");
    let truth = |document: &mut Document<'_>, node: Option<&Node>, of: &str| {
        node.and_then(|node| document.truth(node, of)).unwrap_or(false)
    };
    entry.sudo = truth(document, fields.take("sudo"), "sudo");
    entry.agent = truth(document, fields.take("agent"), "agent");
    if entry
        .key
        .as_ref()
        .is_some_and(|key| key.ends_with("agent-forwarding"))
    {
        entry.key = None;
        entry.agent = true;
    }
    let password = |document: &mut Document<'_>, node: Option<&Node>, of: &str| {
        node.and_then(|node| document.text(node, of)).map(Password::new)
    };
    entry.password = password(document, fields.take("passwd"), "passwd");
    entry.key_password = password(document, fields.take("priv_passwd"), "priv_passwd");
    entry.jump = fields.take("jump").and_then(|node| document.text(node, "jump"));
    let seconds = fields
        .take("timeout")
        .and_then(|node| document.number(node, "timeout", 1, 86_400));
    entry.timeout = seconds.map(Duration::from_secs);
    if let Some(node) = fields.take("transport") {
        match document.text(node, "transport").as_deref() {
            Some("ssh") => entry.via = Via::Ssh,
            Some("openssh") => entry.via = Via::OpenSsh,
            Some(other) => document.report(
                node.at,
                format!("`{other}` is not a transport"),
                Some("`ssh` is built in, `openssh` is the system's program".to_owned()),
            ),
            None => {}
        }
    }
    if let Some(node) = fields.take("minion_opts") {
        let mut options = document.fields(node, "minion_opts");
        if let Some(grains) = options
            .take("grains")
            .and_then(|node| document.object(node, "minion_opts.grains"))
        {
            entry.grains = grains;
        }
        for (key, _) in document.entries(node, "minion_opts") {
            let option = key.value.key_text();
            if option != "grains" {
                let message = format!("`{option}` of minion_opts is not followed");
                document.warn(key.at, message, "of minion_opts only `grains` is read");
            }
        }
    }
    if let Some(grains) = fields
        .take("grains")
        .and_then(|node| document.object(node, "grains"))
    {
        entry.grains.extend(grains);
    }
    for name in WITHOUT_MEANING {
        fields.take(name);
    }
    for name in NOT_FOLLOWED {
        if let Some(node) = fields.take(name) {
            document.warn(
                node.at,
                format!("`{name}` is not followed"),
                "remove it; see `salt-rs hosts --help`",
            );
        }
    }
    fields.finish(document);
    entry
}

/// Checks that every jump leads to another entry and none of them in a circle.
fn jumps(document: &mut Document<'_>, fields: &[(Node, Node)], entries: &IndexMap<String, Entry>) {
    let names: Vec<String> = fields.iter().map(|(key, _)| key.value.key_text()).collect();
    for (name, (key, value)) in names.iter().zip(fields) {
        let at = value.value.get("jump").map_or(key.at, |jump| jump.at);
        let mut way = vec![name.as_str()];
        while let Some(next) = way
            .last()
            .and_then(|name| entries.get(*name))
            .and_then(|entry| entry.jump.as_deref())
        {
            if way.contains(&next) {
                document.report(at, format!("the jump of `{name}` leads in a circle"), None);
                break;
            }
            if !names.iter().any(|known| known == next) {
                // Reported once, at the entry that names it.
                if way.len() == 1 {
                    let help = did_you_mean(next, names.iter().map(String::as_str))
                        .unwrap_or_else(|| "a jump is the name of another roster entry".to_owned());
                    document.report(
                        at,
                        format!("the jump host `{next}` is not in the roster"),
                        Some(help),
                    );
                }
                break;
            }
            way.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(text: &str) -> Result<Roster, Vec<Diagnostic>> {
        Roster::parse(text, Path::new("/proj/roster.yaml"), Some(Path::new("/home/me")))
    }

    #[test]
    fn reads_the_contracts_example() {
        let roster = parse(
            "web1:
  host: 192.168.56.12
  port: 22
  user: root
  priv: /root/.ssh/id_ed25519
  sudo: false
  jump: bastion
  timeout: 30
  grains: { roles: [web] }
bastion: 192.168.56.2
db1:
",
        )
        .unwrap();
        assert_eq!(roster.warnings, []);
        let web = &roster.entries["web1"];
        assert_eq!(
            (web.host.as_str(), web.port, web.sudo),
            ("192.168.56.12", Some(22), false)
        );
        assert_eq!(web.user.as_deref(), Some("root"));
        assert_eq!(web.key.as_deref(), Some(Path::new("/root/.ssh/id_ed25519")));
        assert_eq!(web.jump.as_deref(), Some("bastion"));
        assert_eq!(web.timeout, Some(Duration::from_secs(30)));
        assert_eq!(Json::Object(web.grains.clone()), json!({"roles": ["web"]}));
        assert_eq!(roster.entries["bastion"], Entry::new("192.168.56.2"));
        assert_eq!(roster.entries["db1"].host, "db1");
        assert_eq!(
            roster.entries.keys().collect::<Vec<_>>(),
            ["web1", "bastion", "db1"]
        );
    }

    #[test]
    fn reads_an_existing_salt_ssh_roster() {
        let roster = parse(
            "web1:
  host: web1.Example.org
  priv: agent-forwarding
  passwd: hunter2
  tty: True
  sudo: True
  set_path: '$PATH:/usr/local/bin/'
  ssh_options: [ 'ProxyCommand=x' ]
  minion_opts: { grains: { a: 1, b: 2 }, mine_interval: 5 }
  grains: { b: 3 }
",
        )
        .unwrap();
        let web = &roster.entries["web1"];
        assert!(web.agent && web.sudo && web.key.is_none());
        assert_eq!(web.password.as_ref().map(Password::reveal), Some("hunter2"));
        assert_eq!(Json::Object(web.grains.clone()), json!({"a": 1, "b": 3}));
        let warned: Vec<&str> = roster
            .warnings
            .iter()
            .map(|warning| warning.message.as_str())
            .collect();
        assert_eq!(
            warned,
            [
                "`ssh_options` is not followed",
                "`mine_interval` of minion_opts is not followed"
            ]
        );
        assert!(!format!("{roster:?}").contains("hunter2"));
    }

    #[test]
    fn refuses_what_is_wrong_with_its_place() {
        for (text, want) in [
            ("- web1\n", "1:1 the roster must be"),
            ("Web_1: 10.0.0.1\n", "1:1 `Web_1` is not a host name"),
            ("-oX: 10.0.0.1\n", "1:1 `-oX` is not a host name"),
            ("web1: -oProxyCommand=x\n", "1:7 `-oProxyCommand=x` is not a host"),
            ("web1: { host: 'a b' }\n", "1:15 `a b` is not a host"),
            ("web1: { user: '-l x' }\n", "1:15 `-l x` is not a user"),
            ("web1: { hots: a }\n", "1:9 unknown key `hots`"),
            ("web1: { jump: nobody }\n", "1:15 the jump host `nobody` is not"),
            ("web1: { jump: web1 }\n", "1:15 the jump of `web1` leads"),
            ("web1: { port: 0 }\n", "1:15 port must be"),
            ("web1: { grains: [a] }\n", "1:17 grains must be"),
            ("web1: a\nweb1: b\n", "2:1 found conflicting ID"),
        ] {
            let problems = parse(text).unwrap_err();
            let first = problems.first().unwrap();
            let shown = format!("{} {}", first.place().unwrap(), first.message);
            assert!(
                shown.starts_with(&format!("/proj/roster.yaml:{want}")),
                "{text}: {shown}"
            );
        }
    }

    #[test]
    fn an_error_beside_a_password_does_not_show_it() {
        let problems = parse("web1: { passwd: hunter2, hots: a }\n").unwrap_err();
        assert!(!problems[0].to_string().contains("hunter2"));
    }

    #[test]
    fn names_are_checked() {
        for good in ["a", "web1", "web-1.example.org", "10.0.0.1", "1"] {
            assert!(name_is_plain(good), "{good}");
        }
        for bad in [
            "",
            "-a",
            "a-",
            ".a",
            "a.",
            "A",
            "a_b",
            "a b",
            "a/b",
            "ü",
            &"a".repeat(254),
        ] {
            assert!(!name_is_plain(bad), "{bad}");
        }
        assert!(host_is_plain("fe80::1") && host_is_plain("Web_1") && !host_is_plain("a:b"));
    }

    #[test]
    fn warns_of_passwords_that_others_can_read() {
        let dir = crate::scratch::Scratch::new();
        let file = dir.write("roster.yaml", "web1: { passwd: x }\n");
        let warned = |mode| {
            dir.chmod("roster.yaml", mode);
            Roster::load(&file, None).unwrap().warnings.len()
        };
        assert_eq!((warned(0o644), warned(0o600)), (1, 0));
        assert!(matches!(
            Roster::load(&dir.path().join("none"), None),
            Err(RosterError::Unreadable(..))
        ));
    }
}
