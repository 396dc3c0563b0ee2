//! Who the agent runs as, where it looks for programs, and which Salt it speaks like.

use serde_json::json;

use super::{Grains, of};
use crate::live::Live;
use crate::live::command::PATH;

pub(super) const KEYS: &[&str] = &[
    "path",
    "systempath",
    "shell",
    "uid",
    "gid",
    "username",
    "groupname",
    "cwd",
    "saltversion",
    "saltversioninfo",
    "pythonversion",
    "master",
];

pub(super) fn read(live: &Live) -> Grains {
    let uid = rustix::process::geteuid().as_raw();
    let gid = rustix::process::getegid().as_raw();
    let user = live.passwd_by_uid(uid);
    let shell = std::env::var("SHELL").ok().filter(|shell| shell.starts_with('/'));
    of([
        ("cwd", json!("/")),
        ("path", json!(PATH)),
        ("systempath", json!(PATH.split(':').collect::<Vec<_>>())),
        ("shell", json!(shell.unwrap_or_else(|| "/bin/sh".to_owned()))),
        ("uid", json!(uid)),
        ("gid", json!(gid)),
        (
            "username",
            json!(user.map_or_else(|| "root".to_owned(), |user| user.name)),
        ),
        ("groupname", json!(live.group_name(gid).unwrap_or_default())),
        // The Salt whose semantics are followed; trees ask for it.
        ("saltversion", json!("3008.5")),
        ("saltversioninfo", json!([3008, 5])),
        ("pythonversion", json!([3, 11, 0, "final", 0])),
        ("master", json!("salt")),
    ])
}
