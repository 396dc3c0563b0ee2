//! `test.*`: is somebody there.

use serde_json::{Value as Json, json};

use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "test.ping",
        params: "",
        run: |_, _| Ok(json!(true)),
    },
    Function {
        name: "test.echo",
        params: "text",
        run: |_, args| Ok(json!(args.need("text")?)),
    },
    Function {
        name: "test.version",
        params: "",
        run: |_, _| Ok(json!("3008.5")),
    },
    Function {
        name: "test.arg",
        params: "*args, **kwargs",
        run: |_, args| Ok(json!({"args": args.rest, "kwargs": args.named()})),
    },
    Function {
        name: "test.true",
        params: "",
        run: |_, _| Ok(Json::Bool(true)),
    },
    Function {
        name: "test.false",
        params: "",
        run: |_, _| Ok(Json::Bool(false)),
    },
];
