//! Privileges in a normal form: `WHAT ON LEVEL [WITH GRANT OPTION]`, what is granted sorted, one line for each level; roles
//! and other grants without a level as they are.

use std::collections::{BTreeMap, BTreeSet};

use super::quoted;
use proto::Gather;

/// All that an account was granted, by level; what has no level has an empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(pub BTreeMap<String, Level>);

/// What was granted on one level.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Level {
    /// Privileges in capitals, columns behind them; or roles.
    pub what: BTreeSet<String>,
    /// May grant them on.
    pub option: bool,
}

/// `ALL`, as servers tell it.
pub const ALL: &str = "ALL PRIVILEGES";

/// What MySQL lists instead of `ALL PRIVILEGES` on `*.*`.
const STATIC: &str = "SELECT,INSERT,UPDATE,DELETE,CREATE,DROP,RELOAD,SHUTDOWN,PROCESS,FILE,REFERENCES,INDEX,ALTER,SHOW DATABASES,SUPER,CREATE TEMPORARY TABLES,LOCK TABLES,EXECUTE,REPLICATION SLAVE,REPLICATION CLIENT,CREATE VIEW,SHOW VIEW,CREATE ROUTINE,ALTER ROUTINE,CREATE USER,EVENT,TRIGGER,CREATE TABLESPACE,CREATE ROLE,DROP ROLE";

impl Grants {
    /// From lines of `SHOW GRANTS`, or lines in normal form.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let mut grants = Self::default();
        for line in lines {
            grants.add(line);
        }
        grants
    }

    fn add(&mut self, line: &str) {
        let line = line.strip_prefix("GRANT ").unwrap_or(line);
        let (what, rest) = split(line, " ON ").map_or((None, line), |(what, rest)| (Some(what), rest));
        let (level, tail) = split(rest, " TO ").unwrap_or_else(|| {
            rest.rsplit_once(" WITH ")
                .map_or((rest, ""), |(level, _)| (level, &rest[level.len()..]))
        });
        let option = tail.ends_with(" OPTION");
        let (level, what): (&str, Vec<String>) = match what {
            Some(what) => (level, parts(what).map(normal).collect()),
            None => ("", vec![role(level, option)]),
        };
        let found = self.0.entry(level.to_owned()).or_default();
        found.what.extend(what.into_iter().filter(|what| what != "USAGE"));
        found.option |= option && !level.is_empty();
        if found.what.is_empty() && !found.option {
            self.0.remove(level);
        }
    }

    /// In normal form.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, level) in &self.0 {
            if name.is_empty() {
                lines.extend(level.what.iter().cloned());
                continue;
            }
            let what: Vec<&str> = level.what.iter().map(String::as_str).collect();
            let what = if what.is_empty() {
                "USAGE".to_owned()
            } else {
                what.join(", ")
            };
            let option = if level.option { " WITH GRANT OPTION" } else { "" };
            lines.push(format!("{what} ON {name}{option}"));
        }
        lines.sort();
        lines
    }

    /// The level of that name, however it is quoted.
    pub fn level(&self, name: &str) -> Option<(&String, &Level)> {
        let name = bare(name);
        self.0.iter().find(|(other, _)| bare(other) == name)
    }

    /// The statements that turn these grants of `account` into `to`.
    pub fn statements(&self, to: &Self, account: &str) -> Vec<String> {
        let nothing = Level::default();
        let names: BTreeSet<&String> = self.0.keys().chain(to.0.keys()).gather();
        let mut all = Vec::new();
        for name in names {
            let was = self.0.get(name).unwrap_or(&nothing);
            let will = to.0.get(name).unwrap_or(&nothing);
            let on = if name.is_empty() {
                String::new()
            } else {
                format!(" ON {name}")
            };
            let list = |one: &Level, other: &Level| -> Vec<String> {
                one.what.difference(&other.what).cloned().collect()
            };
            let (fresh, stale) = (list(will, was), list(was, will));
            let mut give = Vec::new();
            if name.is_empty() {
                give.extend(fresh.iter().map(|role| {
                    let (role, option) = role.split_once(" WITH ").unwrap_or((role, ""));
                    let option = if option.is_empty() {
                        String::new()
                    } else {
                        format!(" WITH {option}")
                    };
                    format!("GRANT {role} TO {account}{option}")
                }));
            } else if !fresh.is_empty() || (will.option && !was.option) {
                let what = if fresh.is_empty() {
                    "USAGE".to_owned()
                } else {
                    fresh.join(", ")
                };
                let option = if will.option { " WITH GRANT OPTION" } else { "" };
                give.push(format!("GRANT {what}{on} TO {account}{option}"));
            }
            let mut take = Vec::new();
            let whole = stale.iter().any(|what| what == ALL);
            if name.is_empty() {
                take.extend(stale.iter().map(|role| {
                    let role = role.split(" WITH ").next().unwrap_or(role);
                    format!("REVOKE {role} FROM {account}")
                }));
            } else if !stale.is_empty() {
                take.push(format!("REVOKE {}{on} FROM {account}", stale.join(", ")));
            }
            if was.option && !will.option {
                take.push(format!("REVOKE GRANT OPTION{on} FROM {account}"));
            }
            // What stays is given before the rest goes, but for "all", which would take it along.
            let (first, second) = if whole { (take, give) } else { (give, take) };
            all.extend(first);
            all.extend(second);
        }
        all
    }
}

impl Level {
    /// Whether all of `what` is granted here.
    pub fn holds(&self, what: &BTreeSet<String>, option: bool) -> bool {
        let all = self.what.contains(ALL) || STATIC.split(',').all(|one| self.what.contains(one));
        let fine = |one: &String| self.what.contains(one) || (all && (one == ALL || self.what.contains(ALL)));
        what.iter().all(fine) && (self.option || !option)
    }
}

/// The privileges of a `grant` argument, by the server's own names.
///
/// # Errors
/// Salt's text, when there is something in it that no privilege can be.
pub fn wanted(text: &str, mariadb: bool) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    for part in parts(text).filter(|part| !part.trim().is_empty()) {
        let name = normal(part);
        let word = name.split('(').next().unwrap_or_default();
        if word.is_empty() || word.contains(|c: char| !(c.is_ascii_alphabetic() || c == ' ' || c == '_')) {
            return Err(format!("Invalid grant : '{}'", part.trim()));
        }
        let name = match (name.as_str(), mariadb) {
            ("ALL", _) => ALL.to_owned(),
            ("REPLICATION REPLICA", true) => "REPLICATION SLAVE".to_owned(),
            ("REPLICATION CLIENT", true) => "BINLOG MONITOR".to_owned(),
            ("REPLICA MONITOR", true) => "SLAVE MONITOR".to_owned(),
            _ => name,
        };
        found.insert(name);
    }
    found.remove("USAGE");
    Ok(found)
}

/// The level of a `database` argument (`db.*`, `db.table`, `*.*`), quoted unless `raw`.
///
/// # Errors
/// It is no level.
pub fn level(database: &str, raw: bool) -> Result<String, String> {
    let fine = database
        .rsplit_once('.')
        .filter(|(schema, table)| !schema.is_empty() && !table.is_empty());
    let Some((schema, table)) = fine.filter(|_| !database.contains(char::is_control)) else {
        return Err(format!(
            "{database:?} is no database: write db.*, db.table or *.*"
        ));
    };
    if raw {
        return Ok(database.to_owned());
    }
    let first = match (schema, table) {
        ("*", _) => "*".to_owned(),
        // Wildcards count where a whole schema is meant.
        (schema, "*") => quoted(schema).replace('_', "\\_").replace('%', "\\%"),
        (schema, _) => quoted(schema),
    };
    let second = if table == "*" {
        "*".to_owned()
    } else {
        quoted(table)
    };
    Ok(format!("{first}.{second}"))
}

/// A level without quotes, as Salt compares them.
fn bare(level: &str) -> String {
    level.replace(['`', '\\', '"'], "")
}

fn role(text: &str, option: bool) -> String {
    let text = text.split(" WITH ").next().unwrap_or(text).trim();
    format!("{text}{}", if option { " WITH ADMIN OPTION" } else { "" })
}

/// A privilege in capitals, its columns as they are, single spaces.
fn normal(text: &str) -> String {
    let (word, columns) = match text.find('(') {
        Some(place) => text.split_at(place),
        None => (text, ""),
    };
    let word: Vec<&str> = word.split_whitespace().collect();
    let word = word.join(" ").to_uppercase();
    if columns.is_empty() {
        return word;
    }
    let inside = columns.trim().trim_start_matches('(').trim_end_matches(')');
    let mut columns: Vec<String> = inside
        .split(',')
        .map(|name| quoted(name.trim().trim_matches('`')))
        .collect();
    columns.sort();
    format!("{word} ({})", columns.join(", "))
}

/// The parts between commas that stand in no brackets and no quotes.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let now = rest?;
        match split(now, ",") {
            Some((part, more)) => {
                rest = Some(more);
                Some(part)
            }
            None => {
                rest = None;
                Some(now)
            }
        }
    })
}

/// Splits at the first `at` that stands in no quotes and no brackets.
fn split<'a>(text: &'a str, at: &str) -> Option<(&'a str, &'a str)> {
    let mut quote = None;
    let mut depth = 0;
    for (place, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '`' | '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if quote.is_none() && depth == 0 && text[place..].starts_with(at) {
            return Some((&text[..place], &text[place + at.len()..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &[&str] = &[
        "GRANT `r1` TO `a`@`localhost`",
        "GRANT `r2` TO `a`@`localhost` WITH ADMIN OPTION",
        "GRANT USAGE ON *.* TO `a`@`localhost` IDENTIFIED BY PASSWORD '*B6' REQUIRE SSL",
        "GRANT SELECT (`b`, `a`), INSERT ON `t TO x`.`y` TO `a`@`localhost`",
        "GRANT SELECT, INSERT ON `sa\\_mple`.* TO `a`@`localhost` WITH GRANT OPTION",
        "GRANT EXECUTE ON PROCEDURE `t`.`p` TO `a`@`localhost`",
    ];

    fn of(lines: &[&str]) -> Grants {
        Grants::parse(lines.iter().copied())
    }

    #[test]
    fn the_normal_form_reads_itself() {
        let lines = of(SHOWN).lines();
        assert_eq!(
            lines,
            [
                "EXECUTE ON PROCEDURE `t`.`p`",
                "INSERT, SELECT (`a`, `b`) ON `t TO x`.`y`",
                "INSERT, SELECT ON `sa\\_mple`.* WITH GRANT OPTION",
                "`r1`",
                "`r2` WITH ADMIN OPTION",
            ]
        );
        assert_eq!(Grants::parse(lines.iter().map(String::as_str)), of(SHOWN));
        assert!(of(&["GRANT USAGE ON *.* TO `a`@`%`"]).lines().is_empty());
        let only = of(&["GRANT USAGE ON *.* TO `a`@`%` WITH GRANT OPTION"]).lines();
        assert_eq!(only, ["USAGE ON *.* WITH GRANT OPTION"]);
    }

    #[test]
    fn differences_become_statements() {
        let say = |was: &[&str], to: &[&str]| of(was).statements(&of(to), "A");
        assert_eq!(say(&[], &["SELECT ON `t`.*"]), ["GRANT SELECT ON `t`.* TO A"]);
        assert_eq!(
            say(
                &["INSERT, SELECT ON `t`.* WITH GRANT OPTION"],
                &["DELETE, SELECT ON `t`.*"]
            ),
            [
                "GRANT DELETE ON `t`.* TO A",
                "REVOKE INSERT ON `t`.* FROM A",
                "REVOKE GRANT OPTION ON `t`.* FROM A"
            ]
        );
        assert_eq!(
            say(&["ALL PRIVILEGES ON `t`.*"], &["SELECT ON `t`.*"]),
            [
                "REVOKE ALL PRIVILEGES ON `t`.* FROM A",
                "GRANT SELECT ON `t`.* TO A"
            ]
        );
        assert_eq!(say(&["`r` WITH ADMIN OPTION"], &[]), ["REVOKE `r` FROM A"]);
        assert_eq!(say(SHOWN, SHOWN), Vec::<String>::new());
    }

    #[test]
    fn what_is_wanted_is_found() {
        let wanted = |text: &str| wanted(text, true).expect("privileges");
        assert_eq!(level("sa_mple.*", false).as_deref(), Ok("`sa\\_mple`.*"));
        assert_eq!(level("sa_mple.t_x", false).as_deref(), Ok("`sa_mple`.`t_x`"));
        assert_eq!(level("*.*", false).as_deref(), Ok("*.*"));
        assert!(level("sample", false).is_err());
        let grants = of(SHOWN);
        let (_, found) = grants.level("sa_mple.*").expect("a level");
        assert!(found.holds(&wanted("insert,select"), true));
        assert!(!found.holds(&wanted("insert , delete"), false));
        let (_, columns) = grants.level("t TO x.y").expect("a level");
        assert!(columns.holds(&wanted("select(a,b)"), false) && !columns.holds(&wanted("select"), false));
        assert!(wanted("replication client").contains("BINLOG MONITOR"));
        assert!(super::wanted("select; drop", true).is_err());
        let all = of(&["GRANT ALL PRIVILEGES ON *.* TO `a`@`%`"]);
        assert!(all.0["*.*"].holds(&wanted("all"), false) && all.0["*.*"].holds(&wanted("select"), false));
    }
}
