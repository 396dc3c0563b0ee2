//! `user.*`: accounts.

use serde_json::{Value as Json, json};

use super::Function;
use crate::live::Live;
use crate::live::database::Passwd;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "user.info",
        params: "name",
        run: |live, args| {
            let name = args.need("name")?;
            let found = live.passwd_by_name(&name).filter(|user| user.name == name);
            Ok(found.map_or(json!({}), |user| info(live, &user)))
        },
    },
    Function {
        name: "user.list_users",
        params: "",
        run: |live, _| {
            let mut names: Vec<String> = live.passwd().into_iter().map(|user| user.name).collect();
            names.sort();
            Ok(json!(names))
        },
    },
    Function {
        name: "user.list_groups",
        params: "name",
        run: |live, args| {
            let name = args.need("name")?;
            let found = live.passwd_by_name(&name);
            Ok(found.map_or(json!([]), |user| json!(groups(live, &user))))
        },
    },
    Function {
        name: "user.getent",
        params: "",
        run: |live, _| Ok(live.passwd().iter().map(|user| info(live, user)).collect()),
    },
    Function {
        name: "user.primary_group",
        params: "name",
        run: |live, args| {
            let name = args.need("name")?;
            let user = live
                .passwd_by_name(&name)
                .ok_or_else(|| format!("User {name} does not exist"))?;
            Ok(json!(live.group_name(user.gid).unwrap_or_default()))
        },
    },
    Function {
        name: "shadow.info",
        params: "name",
        run: |live, args| {
            let name = args.need("name")?;
            let text = live.text("/etc/shadow").unwrap_or_default();
            let line = text.lines().find(|line| line.split(':').next() == Some(&name));
            let Some(line) = line else {
                let none = [
                    "name", "passwd", "lstchg", "min", "max", "warn", "inact", "expire",
                ];
                return Ok(none.iter().map(|key| ((*key).to_owned(), json!(""))).collect());
            };
            let fields: Vec<&str> = line.split(':').collect();
            let at = |place: usize| fields.get(place).copied().unwrap_or_default();
            let number = |place: usize| at(place).parse::<i64>().unwrap_or(-1);
            // What locks an account is told, a hash never.
            let hash = if at(1).len() > 2 { "********" } else { at(1) };
            Ok(json!({
                "name": name, "passwd": hash, "lstchg": number(2), "min": number(3), "max": number(4),
                "warn": number(5), "inact": number(6), "expire": number(7),
            }))
        },
    },
];

fn groups(live: &Live, user: &Passwd) -> Vec<String> {
    let mut names: Vec<String> = live
        .groups()
        .into_iter()
        .filter(|group| group.gid == user.gid || group.members.contains(&user.name))
        .map(|group| group.name)
        .collect();
    names.sort();
    names
}

fn info(live: &Live, user: &Passwd) -> Json {
    let gecos: Vec<&str> = user.gecos.splitn(5, ',').collect();
    let part = |place: usize| gecos.get(place).copied().unwrap_or_default();
    json!({
        "gid": user.gid,
        "groups": groups(live, user),
        "home": user.home,
        "name": user.name,
        "passwd": "x",
        "shell": user.shell,
        "uid": user.uid,
        "fullname": part(0),
        "roomnumber": part(1),
        "workphone": part(2),
        "homephone": part(3),
        "other": part(4),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::live::testing;

    #[test]
    fn accounts_have_salts_shape() {
        let mut host = testing::host();
        host.write(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nann:x:7:8:Ann B,1,2:/home/ann:/bin/sh\n",
        );
        host.write("/etc/group", "root:x:0:\nann:x:8:\nstaff:x:50:ann\n");
        let info = run(&mut host, "user.info", json!(["ann"]), json!({})).expect("there");
        assert_eq!(
            (&info["fullname"], &info["roomnumber"], &info["workphone"]),
            (&json!("Ann B"), &json!("1"), &json!("2"))
        );
        assert_eq!(info["groups"], json!(["ann", "staff"]));
        assert_eq!(
            run(&mut host, "user.info", json!(["bob"]), json!({})),
            Ok(json!({}))
        );
        let group = run(&mut host, "group.info", json!(["staff"]), json!({})).expect("there");
        assert_eq!(
            group,
            json!({"name": "staff", "passwd": "x", "gid": 50, "members": ["ann"]})
        );
    }
}
