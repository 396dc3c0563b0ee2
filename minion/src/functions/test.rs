//! `test.*`: is somebody there.

use serde_json::{Value as Json, json};

use super::Function;

pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        name: "test.ping",
        params: "",
        doc: "Answer true",
        run: |_, _| Ok(json!(true)),
    },
    Function {
        name: "test.echo",
        params: "text",
        doc: "Give back the text",
        run: |_, args| Ok(json!(args.need("text")?)),
    },
    Function {
        name: "test.version",
        params: "",
        doc: "Give the version of Salt whose semantics are followed",
        run: |_, _| Ok(json!("3008.5")),
    },
    Function {
        name: "test.arg",
        params: "*args, **kwargs",
        doc: "Give back all arguments",
        run: |_, args| Ok(json!({"args": args.rest, "kwargs": args.named()})),
    },
    Function {
        name: "test.true",
        params: "",
        doc: "Answer true",
        run: |_, _| Ok(Json::Bool(true)),
    },
    Function {
        name: "test.false",
        params: "",
        doc: "Answer false",
        run: |_, _| Ok(Json::Bool(false)),
    },
];
