//! `user.present`: a user with given attributes.

use std::collections::BTreeSet;

use proto::{Account, Act, Address, Args, Gather, Meta, Question, Value};
use serde_json::Value as Json;

use super::facts::{GECOS, facts, gecos, parts};
use super::named::{Groups, gid, groups, uid};
use super::shadow;
use crate::args::python;
use crate::file::place::{self, Above};
use crate::perms::{self, Perms};
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, paths};

/// `user.present`.
#[derive(Debug)]
pub struct Present;

static SPEC: Spec = Spec {
    state: "user",
    fun: "present",
    doc: "Make sure that a user exists and has given attributes.\n\nWhat is not given stays as it is, or as the system makes it \
          for a new user.",
    params: &[
        Param::new("uid", Kind::Number, "Numeric id."),
        Param::new("gid", Kind::Text, "Primary group, by name or number."),
        Param::new(
            "usergroup",
            Kind::Flag,
            "The primary group is that of the same name.",
        ),
        Param::new("gid_from_name", Kind::Flag, "The same as `usergroup`."),
        Param::new("groups", Kind::List, "Supplementary groups; they must exist."),
        Param::new(
            "optional_groups",
            Kind::List,
            "Supplementary groups where they exist.",
        ),
        Param::new(
            "remove_groups",
            Kind::Flag,
            "Take the user out of all other groups (default true).",
        ),
        Param::new("home", Kind::Text, "Home directory."),
        Param::new(
            "createhome",
            Kind::Flag,
            "Make the home directory (default true).",
        ),
        Param::new(
            "persist_home",
            Kind::Flag,
            "Accepted; a new `home` is a new directory.",
        ),
        Param::new(
            "password",
            Kind::Text,
            "Hash of the password, as it stands in /etc/shadow.",
        ),
        Param::new(
            "hash_password",
            Kind::Flag,
            "The password is given in clear and hashed on the host (SHA-512).",
        ),
        Param::new(
            "enforce_password",
            Kind::Flag,
            "Set the password of a user that has another one (default true).",
        ),
        Param::new("empty_password", Kind::Flag, "No password is needed."),
        Param::new(
            "password_lock",
            Kind::Flag,
            "Lock (true) or unlock (false) the password.",
        ),
        Param::new("shell", Kind::Text, "Login shell."),
        Param::new("fullname", Kind::Text, "Name of the person."),
        Param::new("roomnumber", Kind::Text, "Room."),
        Param::new("workphone", Kind::Text, "Telephone at work."),
        Param::new("homephone", Kind::Text, "Telephone at home."),
        Param::new("other", Kind::Text, "Last part of the comment field."),
        Param::new("system", Kind::Flag, "Make a new user a system account."),
        Param::new("unique", Kind::Flag, "Accepted; ids are unique."),
        Param::new(
            "date",
            Kind::Number,
            "Day of the last password change, since 1970.",
        ),
        Param::new(
            "mindays",
            Kind::Number,
            "Days before the password may be changed.",
        ),
        Param::new("maxdays", Kind::Number, "Days after which it must be changed."),
        Param::new(
            "warndays",
            Kind::Number,
            "Days before that on which there is a warning.",
        ),
        Param::new(
            "inactdays",
            Kind::Number,
            "Days after that until the account is locked.",
        ),
        Param::new("expire", Kind::Number, "Day the account ends, since 1970."),
        Param::new(
            "allow_uid_change",
            Kind::Flag,
            "Let the id of an existing user change.",
        ),
        Param::new(
            "allow_gid_change",
            Kind::Flag,
            "Let the primary group of an existing user change.",
        ),
        Param::new("nologinit", Kind::Flag, "Accepted."),
        Param::new("loginclass", Kind::Text, "Accepted; BSD only."),
        Param::new("local", Kind::Flag, "Accepted."),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        let comma = ["fullname", "roomnumber", "workphone"]
            .iter()
            .filter_map(|key| args.text(key));
        if let Some(bad) = comma.into_iter().find(|text| text.contains(',')) {
            return Err(Stop::Failed(format!("Unsupported char ',' in {bad}")));
        }
        host.expect([Question::Read(Address::User(name.to_owned()))]);
        let groups = groups(call, host)?;
        let gid = gid(call, host)?;
        match host.read(Address::User(name.to_owned()))? {
            Value::User(account) => update(call, host, account, &groups, gid),
            _ => create(call, host, &groups, gid),
        }
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let mut report = Report::of(plan, done);
        if done.failed.is_some() || plan.acts.is_empty() {
            return report;
        }
        let name = call.name();
        let mine = Address::User(name.to_owned());
        let changes = done.performed.iter().flat_map(|performed| &performed.changes);
        let Some(change) = changes.into_iter().find(|change| change.at == mine) else {
            return report;
        };
        let Value::User(after) = &change.after else {
            return report;
        };
        match &change.before {
            Value::User(before) => {
                let (was, is) = (facts(call, before), facts(call, after));
                let mut told: Args = is
                    .into_iter()
                    .filter(|(key, value)| was.get(key) != Some(value))
                    .collect();
                told.extend(std::mem::take(&mut report.changes));
                report.changes = told;
            }
            _ => {
                let mut told = facts(call, after);
                if !call.args().flag("createhome", true) {
                    told.insert("home".to_owned(), "".into());
                }
                told.extend(std::mem::take(&mut report.changes));
                report.changes = told;
            }
        }
        report
    }
}

/// A new user.
fn create(call: &Call<'_>, host: &Host<'_>, groups: &Groups, gid: Option<u32>) -> Result<Plan, Stop> {
    let args = call.args();
    let name = call.name();
    let shadow = shadow::wanted(name, args, password(call, host, "")?, None)?;
    let account = Account {
        uid: uid(args)?,
        gid,
        home: args.text("home").unwrap_or_default(),
        shell: args.text("shell").unwrap_or_default(),
        fullname: gecos(args, ""),
        groups: groups.wanted.iter().flatten().cloned().collect(),
        shadow: shadow.line.as_deref().map(|line| host.keep(line)),
        create_home: args.flag("createhome", true),
        system: args.flag("system", false),
    };
    let act = Act::assign(
        Address::User(name.to_owned()),
        Value::Absent,
        Value::User(account),
    );
    let mut told = Args::new();
    for (key, _, value) in &shadow.told {
        let key = if matches!(key.as_str(), "passwd" | "empty_password") {
            "password"
        } else {
            key
        };
        let value = if key == "password" && !value.is_empty() {
            "XXX-REDACTED-XXX".into()
        } else {
            value
                .parse::<i64>()
                .map_or_else(|_| value.clone().into(), Json::from)
        };
        told.insert(key.to_owned(), value);
    }
    let mut would = format!("User {name} set to be added");
    if !groups.missing.is_empty() {
        would.push_str(&format!(" (pending groups: {})", groups.missing.join(",")));
    }
    Ok(Plan::change(vec![act], told, format!("New user {name} created")).or_would(would, Some(Args::new())))
}

/// A user who is there.
fn update(
    call: &Call<'_>,
    host: &Host<'_>,
    account: &Account,
    groups: &Groups,
    gid: Option<u32>,
) -> Result<Plan, Stop> {
    let args = call.args();
    let name = call.name();
    let mut to = account.clone();
    // Argument and value of what is to change, as Salt's test mode lists them.
    let mut listed: Vec<(String, String)> = Vec::new();
    let mut errors = Vec::new();
    if let Some(uid) = uid(args)?.filter(|uid| Some(*uid) != account.uid) {
        listed.push(("uid".to_owned(), uid.to_string()));
        to.uid = Some(uid);
        if !args.flag("allow_uid_change", false) {
            errors.push(refused("uid", account.uid, &uid.to_string()));
        }
    }
    if let Some(gid) = gid.filter(|gid| Some(*gid) != account.gid) {
        let shown = args.text("gid").unwrap_or_else(|| name.to_owned());
        listed.push(("gid".to_owned(), shown.clone()));
        to.gid = Some(gid);
        if !args.flag("allow_gid_change", false) {
            errors.push(refused("gid", account.gid, &shown));
        }
    }
    if !errors.is_empty() {
        return Err(Stop::Failed(format!(
            "Encountered error checking for needed changes. Additional info follows:\n\n{}",
            errors.join("\n")
        )));
    }
    if let Some(wanted) = &groups.wanted {
        let mut wanted = wanted.clone();
        // The primary group is no supplementary one, though a state may name it.
        if let Some(primary) = to.gid
            && !wanted.is_empty()
        {
            wanted.remove(&perms::group_name(host, primary)?);
        }
        let now: BTreeSet<String> = account.groups.iter().cloned().gather();
        if !args.flag("remove_groups", true) {
            wanted.extend(now.iter().cloned());
        }
        if wanted != now {
            let list: Vec<Json> = wanted.iter().cloned().map(Json::from).collect();
            let key = if args.flag("remove_groups", true) {
                "groups"
            } else {
                "ensure groups"
            };
            listed.push((key.to_owned(), python(&list.into())));
            to.groups = wanted.into_iter().collect();
        }
    }
    if let Some(home) = args
        .text("home")
        .filter(|home| !home.is_empty() && *home != account.home)
    {
        listed.push(("home".to_owned(), home.clone()));
        to.home = home;
    }
    let mut acts = Vec::new();
    if args.flag("createhome", true) {
        acts = make_home(host, &to)?;
        if !acts.is_empty() {
            listed.push(("homeDoesNotExist".to_owned(), to.home.clone()));
        }
    }
    if let Some(shell) = args
        .text("shell")
        .filter(|shell| !shell.is_empty() && *shell != account.shell)
    {
        listed.push(("shell".to_owned(), shell.clone()));
        to.shell = shell;
    }
    let mut changes = Args::new();
    shadowed(call, host, account, &mut to, &mut listed, &mut changes)?;
    let comment_field = gecos(args, &account.fullname);
    if comment_field != account.fullname.trim_end_matches(',') {
        let (was, is) = (parts(&account.fullname), parts(&comment_field));
        for (place, key) in GECOS
            .iter()
            .enumerate()
            .filter(|(place, _)| was[*place] != is[*place])
        {
            listed.push(((*key).to_owned(), is[place].clone()));
        }
        to.fullname = comment_field;
    }
    if listed.is_empty() {
        return Ok(Plan::met(format!("User {name} is present and up to date")));
    }
    if to != *account {
        let at = Address::User(name.to_owned());
        let act = Act::assign(at, Value::User(account.clone()), Value::User(to.clone()));
        acts.insert(0, act);
    }
    let mut would = String::from("The following user attributes are set to be changed:\n");
    for (key, value) in &listed {
        would.push_str(&format!("{key}: {value}\n"));
    }
    if !groups.missing.is_empty() {
        would.push_str(&format!(
            "groups (pending creation): {}\n",
            groups.missing.join(",")
        ));
    }
    let comment = if to == *account {
        format!("User {name} is present and up to date")
    } else {
        format!("Updated user {name}")
    };
    Ok(Plan::change(acts, changes, comment).or_would(would, Some(Args::new())))
}

/// The hash of the password, made here where it is given in clear.
fn password(call: &Call<'_>, host: &Host<'_>, there: &str) -> Result<Option<String>, Stop> {
    let given = call
        .args()
        .text("password")
        .filter(|password| !password.is_empty());
    if !call.args().flag("hash_password", false) || given.is_none() {
        return Ok(given);
    }
    // No secret, and another one on each host: two users with one password do not look alike.
    let seed = host.bytes("/etc/machine-id")?.unwrap_or_default();
    let seed = format!("{} {}", String::from_utf8_lossy(seed).trim(), call.name());
    Ok(given.map(|password| crate::hash::shadow(&password, there, &seed)))
}

/// Password and ages.
fn shadowed(
    call: &Call<'_>,
    host: &Host<'_>,
    account: &Account,
    to: &mut Account,
    listed: &mut Vec<(String, String)>,
    changes: &mut Args,
) -> Result<(), Stop> {
    const KEYS: &[&str] = &[
        "password",
        "empty_password",
        "password_lock",
        "date",
        "mindays",
        "maxdays",
        "warndays",
        "inactdays",
        "expire",
    ];
    if !KEYS.iter().any(|key| call.args().any(key).is_some()) {
        return Ok(());
    }
    let line = match &account.shadow {
        Some(digest) => host
            .object(digest)?
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
        None => None,
    };
    let line = line.as_deref().map(str::trim_end);
    let there = line.and_then(|line| line.split(':').nth(1)).unwrap_or_default();
    let wanted = shadow::wanted(call.name(), call.args(), password(call, host, there)?, line)?;
    let Some(line) = wanted.line else {
        return Ok(());
    };
    to.shadow = Some(host.keep(line));
    for (key, shown, value) in wanted.told {
        let secret = key == "passwd";
        let value = if secret {
            "XXX-REDACTED-XXX".to_owned()
        } else {
            value
        };
        let json = match (shown.as_str(), value.parse::<i64>()) {
            ("passwd", _) => "XXX-REDACTED-XXX".into(),
            (_, Ok(number)) => number.into(),
            (_, Err(_)) => value.clone().into(),
        };
        changes.insert(shown, json);
        listed.push((key, value));
    }
    Ok(())
}

/// The home directory of a user who is there, where it is not.
fn make_home(host: &Host<'_>, account: &Account) -> Result<Vec<Act>, Stop> {
    let Some(home) = paths::clean(&account.home).filter(|home| home != "/") else {
        return Ok(Vec::new());
    };
    if !host.follow(&home)?.is_absent() {
        return Ok(Vec::new());
    }
    let (mut acts, parent) = match place::above(host, &home)? {
        Above::Dir(meta) => (Vec::new(), meta),
        Above::Missing(dirs, meta) => (place::make_dirs(&dirs, &Perms::default(), &meta, 0o755), meta),
        Above::Blocked(dir) => return Err(Stop::Failed(format!("{dir} is not a directory"))),
    };
    let meta = Meta {
        mode: 0o755,
        uid: account.uid.unwrap_or(0),
        gid: account.gid.unwrap_or(parent.gid),
        ..Meta::default()
    };
    acts.push(Act::assign(
        Address::Path(home),
        Value::Absent,
        Value::Dir { meta },
    ));
    Ok(acts)
}

fn refused(key: &str, now: Option<u32>, to: &str) -> String {
    let now = now.map_or_else(|| "None".to_owned(), |id| id.to_string());
    format!(
        "- Changing {key} ({now} -> {to}) not permitted, set allow_{key}_change to True to force this change. Note that this will not change file ownership."
    )
}
