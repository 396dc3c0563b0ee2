//! `user.*`: accounts.

use serde_json::{Value as Json, json};

use super::Function;
use crate::live::Live;
use crate::live::database::Passwd;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "user.info",
        params: "name",
        doc: "Give a user's account; empty where there is none",
        run: |live, args| {
            let name = args.need("name")?;
            let found = live.passwd_by_name(&name).filter(|user| user.name == name);
            Ok(found.map_or(json!({}), |user| info(live, &user)))
        },
    },
    Function {
        name: "user.list_users",
        params: "",
        doc: "List the names of all users, sorted",
        run: |live, _| {
            let mut names: Vec<String> = live.passwd().into_iter().map(|user| user.name).collect();
            names.sort();
            Ok(json!(names))
        },
    },
    Function {
        name: "user.list_groups",
        params: "name",
        doc: "List the groups a user is in, sorted",
        run: |live, args| {
            let name = args.need("name")?;
            let found = live.passwd_by_name(&name);
            Ok(found.map_or(json!([]), |user| json!(groups(live, &user))))
        },
    },
    Function {
        name: "user.getent",
        params: "",
        doc: "Give all accounts",
        run: |live, _| Ok(live.passwd().iter().map(|user| info(live, user)).collect()),
    },
    Function {
        name: "user.primary_group",
        params: "name",
        doc: "Give the name of a user's primary group",
        run: |live, args| {
            let name = args.need("name")?;
            let user = live
                .passwd_by_name(&name)
                .ok_or_else(|| format!("User {name} does not exist"))?;
            Ok(json!(live.group_name(user.gid).unwrap_or_default()))
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
