//! Where a host is and how to get in: the roster entry, resolved against the settings.
//!
//! Names are checked here (T3), before any of them reaches a connection, a script or a command line.

use std::net::Ipv6Addr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::error::ConnectError;
use crate::roster::Password;

/// Which transport reaches the host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Via {
    /// Our own client.
    #[default]
    Ssh,
    /// The system's `ssh` program (`transport: openssh`).
    OpenSsh,
    /// A child process on this machine (`--local`).
    Local,
}

/// One host, as the transport needs it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The roster id; used in messages only.
    pub id: String,
    /// Name or address to connect to, and the name its host key is looked up by.
    pub host: String,
    /// TCP port of sshd.
    pub port: u16,
    /// Login name.
    pub user: String,
    /// Private key files, tried in this order. A certificate `KEY-cert.pub` beside a key is used with it.
    pub key_files: Vec<PathBuf>,
    /// A user certificate elsewhere than beside its key.
    pub certificate: Option<PathBuf>,
    /// Password, tried last.
    pub password: Option<Password>,
    /// Passphrase of encrypted key files.
    pub passphrase: Option<Password>,
    /// Ask the ssh-agent. It is asked as well when a key file cannot be used, or there is none.
    pub use_agent: bool,
    /// Socket of the ssh-agent.
    pub agent_socket: Option<PathBuf>,
    /// Become root through `sudo -n`.
    pub sudo: bool,
    /// Host to go through.
    pub jump: Option<Box<Endpoint>>,
    /// known_hosts files, all of them read.
    pub known_hosts: Vec<PathBuf>,
    /// Limit for each step: connection, key exchange, authentication, channel, login shell.
    pub connect_timeout: Duration,
    /// Which transport.
    pub via: Via,
    /// State directory on the host; the agent is kept below it.
    pub host_dir: PathBuf,
}

impl Endpoint {
    /// A host with the defaults of the contract: root, port 22, 10 s, `/var/lib/salt-rs`, the agent of `$SSH_AUTH_SOCK`
    /// when no key file is added.
    pub fn new(id: impl Into<String>, host: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            host: host.into(),
            port: 22,
            user: "root".to_owned(),
            key_files: Vec::new(),
            certificate: None,
            password: None,
            passphrase: None,
            use_agent: false,
            agent_socket: std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from),
            sudo: false,
            jump: None,
            known_hosts: Vec::new(),
            connect_timeout: Duration::from_secs(10),
            via: Via::Ssh,
            host_dir: PathBuf::from("/var/lib/salt-rs"),
        }
    }

    /// Host and port for messages.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Checks every name that will reach the network or a command line, jump hosts included (T3).
    ///
    /// # Errors
    /// [`ConnectError::BadName`].
    pub fn check(&self) -> Result<(), ConnectError> {
        let bad = |what, name: &str, text| ConnectError::BadName {
            host: self.id.clone(),
            what,
            name: name.to_owned(),
            text,
        };
        if self.via != Via::Local {
            check_host_name(&self.host).map_err(|text| bad("host name", &self.host, text))?;
            check_user(&self.user).map_err(|text| bad("user", &self.user, text))?;
            if self.port == 0 {
                return Err(bad("port", "0", "a port is 1 to 65535"));
            }
        }
        let dir = self.host_dir.to_string_lossy();
        check_host_dir(&self.host_dir).map_err(|text| bad("state directory", &dir, text))?;
        let mut depth = 0;
        let mut next = self.jump.as_deref();
        while let Some(jump) = next {
            depth += 1;
            if depth > MAX_JUMPS {
                return Err(bad("jump", &jump.id, "at most 4 jump hosts in a row"));
            }
            jump.check()?;
            next = jump.jump.as_deref();
        }
        Ok(())
    }
}

const MAX_JUMPS: usize = 4;

/// Checks a host name: letters, digits, `.`, `-` and `_`, beginning and ending with a letter or digit, at most 253
/// characters, or an IPv6 address (T3, with the capitals and underscores that rosters in use hold).
///
/// # Errors
/// The rule, as text.
pub fn check_host_name(name: &str) -> Result<(), &'static str> {
    if name.contains(':') {
        return name
            .parse::<Ipv6Addr>()
            .map(drop)
            .map_err(|_| "not an IPv6 address");
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if name.is_empty() || name.len() > 253 {
        return Err("a host name has 1 to 253 characters");
    }
    if !edge(name.chars().next()) || !edge(name.chars().last()) {
        return Err("a host name begins and ends with a letter or digit");
    }
    if name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    {
        Ok(())
    } else {
        Err("a host name holds letters, digits, '.', '-' and '_' only")
    }
}

/// Checks a login name: `[a-z_][a-z0-9_-]*`, at most 32 characters (T3).
///
/// # Errors
/// The rule, as text.
pub fn check_user(name: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.len() > 32 {
        return Err("a user name has 1 to 32 characters");
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_') {
        return Err("a user name begins with a-z or '_'");
    }
    if name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
    {
        Ok(())
    } else {
        Err("a user name holds a-z, 0-9, '_' and '-' only")
    }
}

/// The state directory stands unquoted in a script, so it is held to characters no shell reads.
fn check_host_dir(dir: &Path) -> Result<(), &'static str> {
    let rule = "an absolute path of a-z, A-Z, 0-9, '.', '_', '-' and '/', without '..'";
    let text = dir.to_str().ok_or(rule)?;
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
    let parts = dir
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let deep = dir.components().count() > 2;
    if plain && parts && deep && dir.is_absolute() {
        Ok(())
    } else {
        Err(rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for good in [
            "a",
            "web1",
            "192.168.56.12",
            "db-1.example.org",
            "Web_1.Example",
            "::1",
            "fe80::1",
        ] {
            assert_eq!(check_host_name(good), Ok(()), "{good}");
        }
        let long = "a".repeat(254);
        let bad = [
            "",
            "-oProxyCommand=x",
            "_a",
            "a b",
            "a;b",
            "$(x)",
            ".a",
            "a.",
            "a-",
            "::1%eth0",
            ":",
            &long,
        ];
        for bad in bad {
            assert!(check_host_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn user_names() {
        for good in ["root", "_apt", "deploy-1", "a"] {
            assert_eq!(check_user(good), Ok(()), "{good}");
        }
        for bad in ["", "-l", "1a", "Root", "a b", "a;b", "a@b", "é"] {
            assert!(check_user(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn state_directories() {
        for good in ["/var/lib/salt-rs", "/tmp/x-1/y.z_"] {
            assert_eq!(check_host_dir(Path::new(good)), Ok(()), "{good}");
        }
        for bad in [
            "/",
            "/var",
            "var/lib",
            "/var/../etc",
            "/var/lib/a b",
            "/var/lib/$x",
            "/var/lib/a'b",
            "/var/lib/é",
        ] {
            assert!(check_host_dir(Path::new(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn jump_hosts_are_checked_too() {
        let mut endpoint = Endpoint::new("web1", "web1");
        endpoint.jump = Some(Box::new(Endpoint::new("b", "-J")));
        assert!(matches!(endpoint.check(), Err(ConnectError::BadName { host, .. }) if host == "b"));
        let mut chain = Endpoint::new("x", "x");
        for _ in 0..5 {
            let mut outer = Endpoint::new("x", "x");
            outer.jump = Some(Box::new(chain));
            chain = outer;
        }
        assert!(matches!(
            chain.check(),
            Err(ConnectError::BadName { what: "jump", .. })
        ));
    }
}
