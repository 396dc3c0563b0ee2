//! A line of `/etc/shadow`: the password's hash and the ages of it.

use proto::Args;

use crate::{ArgsExt, Stop};

/// Fields that the state manages, by argument: place in the line, and Salt's name in `changes`.
const AGES: &[(&str, usize, &str)] = &[
    ("date", 2, "lstchg"),
    ("mindays", 3, "min"),
    ("maxdays", 4, "max"),
    ("warndays", 5, "warn"),
    ("inactdays", 6, "inact"),
    ("expire", 7, "expire"),
];

/// What is to change of a line.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The new line; `None` when the old one is right.
    pub(super) line: Option<String>,
    /// Argument, Salt's name in `changes`, new value.
    pub(super) told: Vec<(String, String, String)>,
}

/// What the arguments make of a line; without one, of that of a new account.
///
/// # Errors
/// [`Stop::Failed`] when a value cannot stand in the file.
pub(super) fn wanted(
    name: &str,
    args: &Args,
    password: Option<String>,
    line: Option<&str>,
) -> Result<Wanted, Stop> {
    let fresh = format!("{name}:!:::::::");
    let mut fields: Vec<String> = line.unwrap_or(&fresh).split(':').map(str::to_owned).collect();
    fields.resize(9, String::new());
    let mut told = Vec::new();
    let password = match (password, args.flag("empty_password", false)) {
        (_, true) => Some(String::new()),
        (Some(hash), false) => Some(hash),
        (None, false) => None,
    };
    let enforce = args.flag("enforce_password", true) || matches!(fields[1].as_str(), "" | "!" | "*" | "!!");
    if let Some(hash) = password.filter(|hash| enforce && *hash != fields[1]) {
        if hash.contains([':', '\n']) {
            return Err(Stop::failed(
                "the password is no hash: it holds a colon or a line end",
            ));
        }
        let key = if hash.is_empty() {
            "empty_password"
        } else {
            "passwd"
        };
        told.push((key.to_owned(), "passwd".to_owned(), hash.clone()));
        fields[1] = hash;
    }
    if let Some(lock) = args.any("password_lock").map(crate::args::truth) {
        let locked = fields[1].starts_with('!');
        if lock != locked {
            fields[1] = if lock {
                format!("!{}", fields[1])
            } else {
                fields[1].trim_start_matches('!').to_owned()
            };
            let shown = if lock { "True" } else { "False" };
            told.push(("password_lock".to_owned(), "passwd".to_owned(), shown.to_owned()));
        }
    }
    for (key, place, shown) in AGES {
        let Some(days) = args.number(key)? else {
            continue;
        };
        // -1 is "never", which the file says by an empty field.
        let text = if days < 0 { String::new() } else { days.to_string() };
        let same = fields[*place] == text || (days < 0 && fields[*place] == "-1");
        if !same {
            told.push(((*key).to_owned(), (*shown).to_owned(), days.to_string()));
            fields[*place] = text;
        }
    }
    let line = (!told.is_empty()).then(|| fields.join(":"));
    Ok(Wanted { line, told })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines() {
        let args = json!({"password": "$6$s$h", "maxdays": 90, "expire": -1});
        let args = args.as_object().expect("a mapping");
        let hash = args.text("password");
        let new = wanted("app", args, hash.clone(), None).expect("fine");
        assert_eq!(new.line.as_deref(), Some("app:$6$s$h:::90::::"));
        let line = new.line.expect("a line");
        assert_eq!(wanted("app", args, hash, Some(&line)), Ok(Wanted::default()));
        let lock = json!({"password_lock": true});
        let locked = wanted("app", lock.as_object().expect("a mapping"), None, Some(&line)).expect("fine");
        assert_eq!(locked.line.as_deref(), Some("app:!$6$s$h:::90::::"));
        assert!(wanted("app", args, Some("a:b".to_owned()), None).is_err());
    }
}
