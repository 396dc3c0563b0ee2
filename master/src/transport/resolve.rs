//! From a roster entry and the settings to an endpoint.

use std::path::PathBuf;

use super::endpoint::Endpoint;
use super::error::ConnectError;
use crate::roster::Roster;
use crate::settings::SshSettings;

/// The machine's own list of host keys, read besides the user's as OpenSSH does.
const SYSTEM_KNOWN_HOSTS: &str = "/etc/ssh/ssh_known_hosts";

impl Endpoint {
    /// The endpoint of a roster entry; what it leaves open comes from the settings, its jump hosts from the roster.
    ///
    /// # Errors
    /// [`ConnectError::BadName`] when the name is not in the roster or more than four hosts stand in a row.
    pub fn resolve(id: &str, roster: &Roster, ssh: &SshSettings) -> Result<Self, ConnectError> {
        Self::resolve_behind(id, roster, ssh, 0)
    }

    fn resolve_behind(
        id: &str,
        roster: &Roster,
        ssh: &SshSettings,
        depth: usize,
    ) -> Result<Self, ConnectError> {
        let unknown = |text| ConnectError::BadName {
            host: id.to_owned(),
            what: "roster entry",
            name: id.to_owned(),
            text,
        };
        let entry = roster
            .entries
            .get(id)
            .ok_or_else(|| unknown("it is not in the roster"))?;
        if depth > 4 {
            return Err(unknown("at most 4 jump hosts in a row"));
        }
        let mut endpoint = Self::new(id, &entry.host);
        endpoint.port = entry.port.unwrap_or(ssh.port);
        endpoint.user = entry.user.clone().unwrap_or_else(|| ssh.user.clone());
        endpoint.key_files = entry
            .key
            .clone()
            .or_else(|| ssh.key.clone())
            .into_iter()
            .collect();
        endpoint.certificate = entry.cert.clone();
        endpoint.password = entry.password.clone();
        endpoint.passphrase = entry.key_password.clone();
        endpoint.use_agent = entry.agent;
        endpoint.sudo = entry.sudo;
        endpoint.via = entry.via;
        endpoint.connect_timeout = entry.timeout.unwrap_or(ssh.connect_timeout);
        endpoint.known_hosts = ssh
            .known_hosts
            .iter()
            .cloned()
            .chain([PathBuf::from(SYSTEM_KNOWN_HOSTS)])
            .collect();
        if let Some(jump) = &entry.jump {
            endpoint.jump = Some(Box::new(Self::resolve_behind(jump, roster, ssh, depth + 1)?));
        }
        Ok(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use crate::transport::Via;

    fn resolve(id: &str, text: &str) -> Result<Endpoint, ConnectError> {
        let roster = Roster::parse(text, Path::new("/p/roster.yaml"), None).unwrap();
        let ssh = SshSettings {
            user: "admin".into(),
            key: Some("/k/default".into()),
            known_hosts: Some("/k/known_hosts".into()),
            port: 2222,
            connect_timeout: Duration::from_secs(7),
        };
        Endpoint::resolve(id, &roster, &ssh)
    }

    #[test]
    fn the_entry_wins_over_the_settings() {
        let text = "a: 192.0.2.1\nb: { host: Db.example.org, port: 22, user: deploy, priv: /k/own, sudo: true, jump: a, \
                    timeout: 3, agent: true, transport: openssh }\n";
        let a = resolve("a", text).unwrap();
        assert_eq!(
            (a.address().as_str(), a.user.as_str(), a.sudo),
            ("192.0.2.1:2222", "admin", false)
        );
        assert_eq!(a.key_files, [PathBuf::from("/k/default")]);
        assert_eq!(
            a.known_hosts,
            [PathBuf::from("/k/known_hosts"), PathBuf::from(SYSTEM_KNOWN_HOSTS)]
        );
        assert_eq!((a.connect_timeout, a.via), (Duration::from_secs(7), Via::Ssh));
        let b = resolve("b", text).unwrap();
        assert_eq!(
            (b.address().as_str(), b.user.as_str()),
            ("Db.example.org:22", "deploy")
        );
        assert_eq!((b.sudo, b.use_agent, b.via), (true, true, Via::OpenSsh));
        assert_eq!(
            (b.key_files, b.connect_timeout),
            (vec![PathBuf::from("/k/own")], Duration::from_secs(3))
        );
        assert_eq!(b.jump.unwrap().id, "a");
    }

    #[test]
    fn unknown_names_and_long_ways_are_refused() {
        assert!(matches!(
            resolve("x", "a: b\n"),
            Err(ConnectError::BadName { .. })
        ));
        let text = "a: { jump: b }\nb: { jump: c }\nc: { jump: d }\nd: { jump: e }\ne: { jump: f }\nf:\n";
        assert!(matches!(resolve("a", text), Err(ConnectError::BadName { .. })));
        assert!(resolve("b", text).unwrap().check().is_ok());
    }
}
