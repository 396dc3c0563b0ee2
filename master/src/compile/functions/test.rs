//! `test.*` and `log.*`: functions without any effect.

use serde_json::{Value as Json, json};

use super::{Args, Function};
use crate::compile::oracle::Oracle;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("ping", |_, _| Ok(true.into())),
    ("true", |_, _| Ok(true.into())),
    ("true_", |_, _| Ok(true.into())),
    ("false", |_, _| Ok(false.into())),
    ("false_", |_, _| Ok(false.into())),
    ("echo", |_, args| args.required("text")),
    ("arg", arg),
    ("kwarg", |_, args| Ok(Json::Object(args.rest_named()))),
    ("arg_type", |_, args| {
        Ok(json!({ "args": args.rest(), "kwargs": args.rest_named() }))
    }),
    ("exception", |_, args| {
        Err(args.text_or("message", "Test Exception"))
    }),
    ("version", |_, _| Ok(env!("CARGO_PKG_VERSION").into())),
];

/// Functions of `log`; what they would write is nobody's business here.
pub(super) const LOG: &[(&str, Function)] = &[
    ("debug", logged),
    ("info", logged),
    ("warning", logged),
    ("error", logged),
    ("critical", logged),
    ("exception", logged),
];

fn arg(_: &Oracle, args: &mut Args) -> Result<Json, String> {
    Ok(json!({ "args": args.rest(), "kwargs": args.rest_named() }))
}

fn logged(_: &Oracle, _: &mut Args) -> Result<Json, String> {
    Ok(true.into())
}
