//! Accounts as `SHOW CREATE USER` tells them: how one logs in, and everything else, which is left as it is.

use proto::digest::{from_hex, to_hex};

use super::{Facts, literal};
use crate::hash;

/// What follows `CREATE USER name`, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Ways to log in; none is a login without a password.
    pub(crate) ways: Vec<Way>,
    /// The rest: `REQUIRE …`, limits, locks, ages.
    pub(crate) rest: String,
}

/// One way to log in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Way {
    /// The server's plugin.
    pub(crate) plugin: String,
    /// What it keeps, such as a hash.
    pub(crate) kept: Vec<u8>,
}

/// What a state wants of an account's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// This password, by the plugin when one is named.
    Password(String),
    /// This hash, likewise.
    Hash(String),
    /// No password at all.
    Nothing,
    /// The name of the user of the operating system.
    Socket,
}

/// How an account compares with what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    /// As wanted.
    Same,
    /// Otherwise.
    Other,
    /// Its plugin's hash cannot be compared with a password.
    Unknown,
}

const NATIVE: &str = "mysql_native_password";
const CACHING: &str = "caching_sha2_password";

/// The plugin that knows users of the operating system.
const fn socket(facts: &Facts) -> &'static str {
    if facts.mariadb {
        "unix_socket"
    } else {
        "auth_socket"
    }
}

impl Account {
    /// Reads what follows `CREATE USER name`.
    pub(crate) fn parse(tail: &str) -> Self {
        let mut words = Words(tail.trim());
        let mut ways = Vec::new();
        if words.take("IDENTIFIED BY PASSWORD") {
            ways.push(Way {
                plugin: NATIVE.to_owned(),
                kept: words.value(),
            });
        } else if words.take("IDENTIFIED VIA") || words.take("IDENTIFIED WITH") {
            loop {
                let plugin = String::from_utf8_lossy(&words.value()).into_owned();
                let kept = if words.take("USING") || words.take("AS") {
                    words.value()
                } else {
                    Vec::new()
                };
                ways.push(Way { plugin, kept });
                if !words.take("OR") {
                    break;
                }
            }
        }
        Self {
            ways,
            rest: words.0.to_owned(),
        }
    }

    /// What follows `CREATE USER name` or `ALTER USER name` to make it so.
    pub(crate) fn tail(&self, facts: &Facts) -> String {
        let ways = self.ways.iter().map(|way| {
            let plain = String::from_utf8(way.kept.clone()).ok();
            match (facts.mariadb, way.kept.is_empty()) {
                (true, true) => way.plugin.clone(),
                (true, false) => format!("{} USING {}", way.plugin, literal(&plain.unwrap_or_default())),
                (false, true) => literal(&way.plugin),
                (false, false) => format!(
                    "{} AS 0x{}",
                    literal(&way.plugin),
                    to_hex(&way.kept).to_uppercase()
                ),
            }
        });
        let ways: Vec<String> = ways.collect();
        let mut text = match (self.ways.as_slice(), facts.mariadb) {
            ([], _) => String::new(),
            ([way], true) if way.plugin == NATIVE && !way.kept.is_empty() => {
                format!(
                    "IDENTIFIED BY PASSWORD {}",
                    literal(&String::from_utf8_lossy(&way.kept))
                )
            }
            (_, true) => format!("IDENTIFIED VIA {}", ways.join(" OR ")),
            (_, false) => format!("IDENTIFIED WITH {}", ways.join("")),
        };
        if !text.is_empty() && !self.rest.is_empty() {
            text.push(' ');
        }
        text.push_str(&self.rest);
        text
    }

    /// Whether one logs in as wanted.
    pub(crate) fn compare(&self, wanted: &Wanted) -> Compared {
        let any = |fits: &dyn Fn(&Way) -> bool| {
            if self.ways.iter().any(fits) {
                Compared::Same
            } else {
                Compared::Other
            }
        };
        match wanted {
            Wanted::Nothing if self.ways.is_empty() => Compared::Same,
            Wanted::Nothing => any(&|way| way.kept.is_empty() && !way.plugin.ends_with("_socket")),
            Wanted::Socket => any(&|way| way.plugin.ends_with("_socket")),
            Wanted::Hash(hash) => {
                let raw = raw(hash);
                any(&|way| way.kept == raw)
            }
            Wanted::Password(password) => {
                let native = hash::native(password);
                let found = any(&|way| match way.plugin.as_str() {
                    NATIVE | "mysql_old_password" => way.kept == native.as_bytes(),
                    CACHING => hash::is_caching(password, &way.kept),
                    _ => false,
                });
                let unknown = self.ways.iter().any(|way| {
                    !matches!(way.plugin.as_str(), NATIVE | CACHING) && !way.plugin.ends_with("_socket")
                });
                match found {
                    Compared::Other if unknown => Compared::Unknown,
                    found => found,
                }
            }
        }
    }

    /// The same account with the wanted login.
    ///
    /// # Errors
    /// The plugin's hash of a password is not known here; the text says what to give instead.
    pub(crate) fn with(
        &self,
        wanted: &Wanted,
        plugin: Option<&str>,
        name: &str,
        facts: &Facts,
    ) -> Result<Self, String> {
        let usual = if facts.mariadb || facts.version < (8, 4) {
            NATIVE
        } else {
            CACHING
        };
        let plugin = plugin.unwrap_or(usual);
        let way = |plugin: &str, kept: Vec<u8>| Way {
            plugin: plugin.to_owned(),
            kept,
        };
        let ways = match wanted {
            Wanted::Nothing if facts.mariadb && self.ways.is_empty() => Vec::new(),
            Wanted::Nothing => vec![way(plugin, Vec::new())],
            Wanted::Socket => vec![way(socket(facts), Vec::new())],
            Wanted::Hash(hash) => vec![way(plugin, raw(hash))],
            Wanted::Password(password) => match plugin {
                NATIVE => vec![way(NATIVE, hash::native(password).into_bytes())],
                CACHING => {
                    let salt = hash::salt(&format!("{} {name}", facts.uuid));
                    vec![way(CACHING, hash::caching(password, &salt))]
                }
                other => {
                    return Err(format!(
                        "the hash that {other} makes of a password is not known here; give password_hash instead"
                    ));
                }
            },
        };
        Ok(Self {
            ways,
            rest: self.rest.clone(),
        })
    }
}

/// A hash as it is written: its text, or the bytes behind `0x`.
fn raw(hash: &str) -> Vec<u8> {
    hash.strip_prefix("0x")
        .and_then(|digits| from_hex(&digits.to_lowercase()))
        .unwrap_or_else(|| hash.as_bytes().to_vec())
}

/// The words of a statement, read from the left.
struct Words<'a>(&'a str);

impl Words<'_> {
    /// Takes these words if they come next.
    fn take(&mut self, words: &str) -> bool {
        let Some(rest) = self.0.strip_prefix(words) else {
            return false;
        };
        let ends = rest.is_empty() || rest.starts_with(' ');
        if ends {
            self.0 = rest.trim_start();
        }
        ends
    }

    /// Takes a literal, a hex number or a bare word.
    fn value(&mut self) -> Vec<u8> {
        let (value, length) = match self.0.strip_prefix('\'') {
            Some(inside) => {
                let (text, length) = unquoted(inside, '\'');
                (text.into_bytes(), length + 1)
            }
            None => {
                let length = self.0.find(' ').unwrap_or(self.0.len());
                (raw(&self.0[..length]), length)
            }
        };
        self.0 = self.0.get(length..).unwrap_or_default().trim_start();
        value
    }
}

/// A quoted text from behind its opening quote, and how long it is with the closing one.
pub(super) fn unquoted(text: &str, quote: char) -> (String, usize) {
    let mut out = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((place, c)) = letters.next() {
        if c == '\\' && quote == '\'' {
            out.extend(letters.next().map(|(_, next)| match next {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '0' => '\0',
                other => other,
            }));
        } else if c == quote {
            if letters.next_if(|(_, next)| *next == quote).is_none() {
                return (out, place + c.len_utf8());
            }
            out.push(quote);
        } else {
            out.push(c);
        }
    }
    (out, text.len())
}

/// What follows the account's name in `CREATE USER name …`; `None` for any other text.
pub fn tail(statement: &str) -> Option<&str> {
    let mut rest = statement.strip_prefix("CREATE USER ")?;
    for part in 0..2 {
        let quote = rest.chars().next().filter(|c| matches!(c, '`' | '\''))?;
        let (_, length) = unquoted(rest.get(1..)?, quote);
        rest = rest.get(1 + length..)?;
        if part == 0 {
            rest = rest.strip_prefix('@')?;
        }
    }
    Some(rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Facts {
        Facts::of(&proto::Value::Text(text.to_owned()))
    }

    #[test]
    fn statements_are_taken_apart_and_put_together_again() {
        let mariadb = facts("10.11.6-MariaDB-0+deb12u1");
        let mysql = facts("9.1.0 a-b");
        for (facts, text) in [
            (&mariadb, ""),
            (&mariadb, "REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 3 ACCOUNT LOCK"),
            (
                &mariadb,
                "IDENTIFIED BY PASSWORD '*B69027D44F6E5EDC07F1AEAD1477967B16F28227'",
            ),
            (&mariadb, "IDENTIFIED BY PASSWORD '*B6' REQUIRE SSL"),
            (
                &mariadb,
                "IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket",
            ),
            (&mariadb, "IDENTIFIED VIA unix_socket PASSWORD EXPIRE NEVER"),
            (&mysql, "IDENTIFIED WITH 'auth_socket' REQUIRE NONE"),
            (
                &mysql,
                "IDENTIFIED WITH 'caching_sha2_password' AS 0x244124FF REQUIRE NONE PASSWORD EXPIRE DEFAULT",
            ),
        ] {
            assert_eq!(Account::parse(text).tail(facts), text);
        }
        let account = Account::parse("IDENTIFIED WITH 'caching_sha2_password' AS 0x2441 REQUIRE NONE");
        assert_eq!(account.ways[0].kept, b"$A");
        assert_eq!(account.rest, "REQUIRE NONE");
    }

    #[test]
    fn the_name_is_cut_off() {
        assert_eq!(
            tail("CREATE USER `a``@b`@`10.%` REQUIRE SSL"),
            Some("REQUIRE SSL")
        );
        assert_eq!(tail("CREATE USER 'it''s'@'%'"), Some(""));
        assert_eq!(tail("CREATE ROLE x"), None);
    }

    #[test]
    fn logins_are_compared_without_logging_in() {
        let mysql = facts("9.1.0 a-b");
        let wanted = Wanted::Password("mypass".to_owned());
        let account = Account::parse("IDENTIFIED BY PASSWORD '*6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4'");
        assert_eq!(account.compare(&wanted), Compared::Same);
        assert_eq!(account.compare(&Wanted::Nothing), Compared::Other);
        assert_eq!(Account::default().compare(&wanted), Compared::Other);
        assert_eq!(Account::default().compare(&Wanted::Nothing), Compared::Same);
        let new = Account::parse("REQUIRE NONE")
            .with(&wanted, None, "a@b", &mysql)
            .expect("a known plugin");
        assert_eq!(new.compare(&wanted), Compared::Same);
        assert_eq!(Account::parse(&new.tail(&mysql)), new);
        let either = Account::parse("IDENTIFIED VIA mysql_native_password USING 'invalid' OR unix_socket");
        assert_eq!(either.compare(&Wanted::Socket), Compared::Same);
        assert_eq!(either.compare(&wanted), Compared::Other);
        let other = Account::parse("IDENTIFIED VIA ed25519 USING 'abc'");
        assert_eq!(other.compare(&wanted), Compared::Unknown);
        assert_eq!(other.compare(&Wanted::Hash("abc".to_owned())), Compared::Same);
    }
}
