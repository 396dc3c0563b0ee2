//! `group.*`: groups.

use serde_json::{Value as Json, json};

use super::Function;
use crate::live::database::GroupLine;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "group.info",
        params: "name",
        run: |live, args| {
            Ok(live
                .group_by_name(&args.need("name")?)
                .map_or(json!({}), |line| info(&line)))
        },
    },
    Function {
        name: "group.getent",
        params: "",
        run: |live, _| Ok(live.groups().iter().map(info).collect()),
    },
];

fn info(line: &GroupLine) -> Json {
    json!({"name": line.name, "passwd": "x", "gid": line.gid, "members": line.members})
}
