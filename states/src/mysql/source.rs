//! What a replica is told of its source, as one statement that says all of it. The same text is made from what is wanted and
//! from what a server says of itself.

use super::literal;

/// Settings by their names without the dialect's prefix, values as SQL writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(pub Vec<(String, String)>);

/// Columns of `SHOW REPLICA STATUS` about TLS, without what differs between the dialects, and the settings they tell.
const TLS: &[(&str, &str)] = &[
    ("SSL_CA_File", "SSL_CA"),
    ("SSL_CA_Path", "SSL_CAPATH"),
    ("SSL_Cert", "SSL_CERT"),
    ("SSL_Cipher", "SSL_CIPHER"),
    ("SSL_Key", "SSL_KEY"),
];

impl Settings {
    /// The settings everybody has.
    pub fn new(host: &str, port: u16, user: &str, password: &str, retry: i64) -> Self {
        let mut settings = Self::default();
        settings.set("HOST", literal(host));
        settings.set("PORT", port.to_string());
        settings.set("USER", literal(user));
        settings.set("PASSWORD", literal(password));
        settings.set("CONNECT_RETRY", retry.to_string());
        settings
    }

    /// Adds a setting.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Positions are found by transaction ids.
    pub fn by_gtid(&mut self, mariadb: bool) {
        if mariadb {
            self.set("USE_GTID", "slave_pos");
        } else {
            self.set("AUTO_POSITION", "1");
            self.set("GET_SOURCE_PUBLIC_KEY", "1");
        }
    }

    /// From what a server says, column by column; its password is not among it.
    pub fn seen(mariadb: bool, password: &str, column: &dyn Fn(&str) -> String) -> Self {
        let of = |name: &str| column(&format!("{}_{name}", if mariadb { "Master" } else { "Source" }));
        let port = of("Port").parse().unwrap_or(3306);
        let retry = column("Connect_Retry").parse().unwrap_or(60);
        let mut settings = Self::new(&of("Host"), port, &of("User"), password, retry);
        match (
            mariadb,
            column("Using_Gtid").to_lowercase(),
            column("Auto_Position"),
        ) {
            (true, gtid, _) if gtid != "no" && !gtid.is_empty() => settings.set("USE_GTID", gtid),
            (false, _, position) if position == "1" => settings.set("AUTO_POSITION", "1"),
            _ => {}
        }
        if column("Get_Source_public_key") == "1" {
            settings.set("GET_SOURCE_PUBLIC_KEY", "1");
        }
        if of("SSL_Allowed") == "Yes" {
            settings.set("SSL", "1");
            for (name, setting) in TLS {
                let value = of(name);
                if !value.is_empty() {
                    settings.set(setting, literal(&value));
                }
            }
            if of("SSL_Verify_Server_Cert") == "Yes" {
                settings.set("SSL_VERIFY_SERVER_CERT", "1");
            }
        }
        settings
    }

    /// The statement.
    pub fn statement(&self, mariadb: bool) -> String {
        let verb = if mariadb {
            "CHANGE MASTER TO"
        } else {
            "CHANGE REPLICATION SOURCE TO"
        };
        format!("{verb} {}", self.pairs(mariadb).join(", "))
    }

    fn pairs(&self, mariadb: bool) -> Vec<String> {
        let prefix = if mariadb { "MASTER_" } else { "SOURCE_" };
        let pair = |(name, value): &(String, String)| {
            let prefix = if name.starts_with("GET_") { "" } else { prefix };
            format!("{prefix}{name}={value}")
        };
        self.0.iter().map(pair).collect()
    }

    /// Whether a statement says all of this.
    pub fn within(&self, statement: &str, mariadb: bool) -> bool {
        self.pairs(mariadb).iter().all(|pair| {
            statement
                .match_indices(pair.as_str())
                .any(|(place, _)| matches!(statement.as_bytes().get(place + pair.len()), None | Some(b',')))
        })
    }
}

/// Whether all transactions of `earlier` are among those of `now`: positions of MariaDB, `domain-server-number` with commas.
pub fn includes(now: &str, earlier: &str) -> bool {
    let read = |text: &str| -> Vec<(u64, u64)> {
        let ids = text.split(',').filter_map(|id| {
            let mut parts = id.trim().split('-').map(str::parse::<u64>);
            Some((parts.next()?.ok()?, parts.nth(1)?.ok()?))
        });
        ids.collect()
    };
    let now = read(now);
    read(earlier)
        .iter()
        .all(|(domain, number)| now.iter().any(|(other, last)| other == domain && last >= number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_found_in_what_is_said() {
        let mut wanted = Settings::new("db1", 3306, "repl", "it's", 10);
        wanted.by_gtid(true);
        assert_eq!(
            wanted.statement(true),
            "CHANGE MASTER TO MASTER_HOST='db1', MASTER_PORT=3306, MASTER_USER='repl', MASTER_PASSWORD='it''s', \
             MASTER_CONNECT_RETRY=10, MASTER_USE_GTID=slave_pos"
        );
        let said = |name: &str| {
            match name {
                "Master_Host" => "db1",
                "Master_Port" => "3306",
                "Master_User" => "repl",
                "Connect_Retry" => "10",
                "Using_Gtid" => "Slave_Pos",
                "Master_SSL_Allowed" => "Yes",
                "Master_SSL_CA_File" => "/ca",
                _ => "",
            }
            .to_owned()
        };
        let seen = Settings::seen(true, "it's", &said).statement(true);
        assert!(
            seen.ends_with("MASTER_USE_GTID=slave_pos, MASTER_SSL=1, MASTER_SSL_CA='/ca'"),
            "{seen}"
        );
        assert!(wanted.within(&seen, true));
        assert!(!Settings::new("db1", 330, "repl", "it's", 10).within(&seen, true));
        assert!(!Settings::new("db1", 3306, "repl", "other", 10).within(&seen, true));
    }

    #[test]
    fn positions() {
        assert!(includes("0-1-10,1-1-3", "0-1-9"));
        assert!(includes("0-1-10", ""));
        assert!(!includes("0-1-8", "0-1-9") && !includes("", "0-1-9"));
    }
}
