//! `group.present`: a group with given members.

use std::collections::BTreeSet;

use proto::{Act, Address, Args, Gather, Group, Value};
use serde_json::Value as Json;

use crate::args::python;
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, Verdict};

/// `group.present`.
#[derive(Debug)]
pub struct Present;

static SPEC: Spec = Spec {
    state: "group",
    fun: "present",
    doc: "Make sure that a group exists.\n\nMembers are left as they are unless one of the lists says otherwise.",
    params: &[
        Param::new("gid", Kind::Number, "Numeric id."),
        Param::new("system", Kind::Flag, "Make a new group a system group."),
        Param::new("members", Kind::List, "All members, and no others."),
        Param::new("addusers", Kind::List, "Users to be members."),
        Param::new("delusers", Kind::List, "Users not to be members."),
        Param::new(
            "non_unique",
            Kind::Flag,
            "Not supported: an id that another group has.",
        ),
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
        let set = |key: &str| -> BTreeSet<String> { args.texts(key).into_iter().gather() };
        let (add, del) = (set("addusers"), set("delusers"));
        let members = args.any("members").map(|_| set("members"));
        let conflicting =
            members.is_some() && (args.any("addusers").is_some() || args.any("delusers").is_some());
        if conflicting {
            return Ok(undecided(
                "Error: Conflicting options \"members\" with \"addusers\" and/or \"delusers\" can not be used together. ",
            ));
        }
        if !add.is_disjoint(&del) {
            return Ok(undecided(
                "Error. Same user(s) can not be added and deleted simultaneously",
            ));
        }
        let gid = args
            .number("gid")?
            .map(|gid| u32::try_from(gid).map_err(|_| Stop::failed("Invalid gid")))
            .transpose()?;
        let at = Address::Group(name.to_owned());
        let value = host.read(at.clone())?;
        let Value::Group(group) = value else {
            let to = Group {
                gid,
                members: members.unwrap_or(add).into_iter().collect(),
                system: args.flag("system", false),
            };
            let act = Act::assign(at, Value::Absent, Value::Group(to));
            return Ok(
                Plan::change(vec![act], Args::new(), format!("New group {name} created"))
                    .or_would(format!("Group {name} set to be added"), Some(Args::new())),
            );
        };
        let now: BTreeSet<String> = group.members.iter().cloned().gather();
        let list = |names: Vec<&String>| {
            let list: Vec<Json> = names.into_iter().map(|name| name.as_str().into()).collect();
            python(&list.into())
        };
        let mut listed = Vec::new();
        let mut wanted = now.clone();
        if let Some(gid) = gid.filter(|gid| *gid != 0 && Some(*gid) != group.gid) {
            listed.push(format!("gid: {gid}\n"));
        }
        if let Some(members) = members.filter(|members| *members != now) {
            if members.is_empty() {
                listed.push(format!("delusers: {{{}}}\n", quoted(&now)));
            } else {
                // In the order they are written.
                let written = args.texts("members");
                listed.push(format!("members: {}\n", list(written.iter().collect())));
            }
            wanted = members;
        }
        let adding: Vec<&String> = add.iter().filter(|user| !now.contains(*user)).collect();
        if !adding.is_empty() {
            listed.push(format!("addusers: {}\n", list(adding)));
        }
        let removing: Vec<&String> = del.iter().filter(|user| now.contains(*user)).collect();
        if !removing.is_empty() {
            listed.push(format!("delusers: {}\n", list(removing)));
        }
        wanted.extend(add);
        wanted.retain(|user| !del.contains(user));
        if listed.is_empty() {
            return Ok(Plan::met(format!("Group {name} is present and up to date")));
        }
        let to = Group {
            gid: gid.filter(|gid| *gid != 0).or(group.gid),
            members: wanted.into_iter().collect(),
            system: group.system,
        };
        let act = Act::assign(at, value.clone(), Value::Group(to));
        let comment = format!(
            "The following group attributes are set to be changed:\n{}",
            listed.concat()
        );
        Ok(Plan::change(
            vec![act],
            one("Final", "All changes applied successfully"),
            comment.clone(),
        )
        .or_would(comment, Some(Args::new())))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let mut report = Report::of(plan, done);
        if done.failed.is_some() || !plan.changes.is_empty() {
            return report;
        }
        let mine = Address::Group(call.name().to_owned());
        let made = done.performed.iter().flat_map(|performed| &performed.changes);
        for change in made.filter(|change| change.at == mine) {
            if let Value::Group(group) = &change.after {
                report.changes.insert("name".to_owned(), call.name().into());
                report.changes.insert("passwd".to_owned(), "x".into());
                report.changes.insert("gid".to_owned(), group.gid.into());
                report
                    .changes
                    .insert("members".to_owned(), group.members.clone().into());
            }
        }
        report
    }
}

/// A mistake in the arguments; Salt leaves the result open, which in a real run is no success.
fn undecided(comment: &str) -> Plan {
    Plan {
        verdict: Verdict::Failed,
        ..Plan::met(comment)
    }
}

fn quoted(names: &BTreeSet<String>) -> String {
    let quoted: Vec<String> = names.iter().map(|name| python(&name.as_str().into())).collect();
    quoted.join(", ")
}
