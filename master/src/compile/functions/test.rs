//! `test.*` and `log.*`: functions without any effect.

use serde_json::{Map, Value as Json, json};

use super::{Args, Function};
use crate::compile::oracle::Oracle;
use crate::compile::python;

pub(super) const FUNCTIONS: &[(&str, Function)] = &[
    ("ping", |_, _| Ok(true.into())),
    ("true", |_, _| Ok(true.into())),
    ("false", |_, _| Ok(false.into())),
    ("echo", |_, args| args.required("text")),
    ("arg", |_, args| {
        Ok(json!({ "args": args.rest(), "kwargs": args.rest_named() }))
    }),
    ("kwarg", |_, args| Ok(Json::Object(args.rest_named()))),
    ("arg_type", |_, args| {
        let kind = |value: &Json| Json::from(format!("<class '{}'>", python::type_name(value)));
        let named = args.rest_named();
        let kwargs: Map<String, Json> = named
            .iter()
            .map(|(key, value)| (key.clone(), kind(value)))
            .collect();
        Ok(json!({ "args": args.rest().iter().map(kind).collect::<Vec<_>>(), "kwargs": kwargs }))
    }),
    ("arg_repr", |_, args| {
        let words: Vec<String> = args.rest().iter().map(python::repr).collect();
        let comma = if words.len() == 1 { "," } else { "" };
        Ok(json!({
            "args": format!("({}{comma})", words.join(", ")),
            "kwargs": python::repr(&args.rest_named().into()),
        }))
    }),
    ("assertion", |_, args| {
        if python::truth(&args.required("assertion")?) {
            Ok(Json::Null)
        } else {
            Err(String::new())
        }
    }),
    ("collatz", |_, args| {
        let mut all = vec![args.number("start", 1)?];
        while let Some(last) = all.last().copied().filter(|last| *last != 1) {
            if all.len() > 10_000 || last < 1 {
                return Err("test.collatz: this one goes on for too long".to_owned());
            }
            all.push(if last % 2 == 0 {
                last / 2
            } else {
                last.saturating_mul(3).saturating_add(1)
            });
        }
        Ok(json!([all, 0.0]))
    }),
    ("fib", |_, args| {
        let number = args.number("num", 0)?;
        if number > 90 {
            return Err("test.fib: at most 90".to_owned());
        }
        let (mut one, mut two) = (0i64, 1i64);
        for _ in 0..number.saturating_sub(1).max(0) {
            (one, two) = (two, one + two);
        }
        Ok(json!([if number < 2 { number } else { two }, 0.0]))
    }),
    ("exception", |_, args| {
        Err(args.text_or("message", "Test Exception"))
    }),
    ("raise_exception", |_, args| {
        let name = args.text("name")?;
        let words = args.rest_texts();
        Err(if words.is_empty() { name } else { words.join(" ") })
    }),
    ("get_opts", |oracle, _| Ok(oracle.options_json())),
    ("rand_str", |oracle, args| {
        by_chance(oracle, args, "test.rand_str")
    }),
    ("random_hash", |oracle, args| {
        by_chance(oracle, args, "test.random_hash")
    }),
    ("version", |_, _| Ok(super::salt_version::VERSION.into())),
];

fn by_chance(oracle: &Oracle, args: &mut Args, function: &'static str) -> Result<Json, String> {
    let kind = args.text_or("hash_type", "md5");
    super::hashutil::hash(oracle.chance(function).to_string().as_bytes(), &kind).map(Json::String)
}

/// Functions of `log`; what they would write is nobody's business here.
pub(super) const LOG: &[(&str, Function)] = &[
    ("debug", logged),
    ("info", logged),
    ("warning", logged),
    ("error", logged),
    ("critical", logged),
    ("exception", logged),
];

fn logged(_: &Oracle, _: &mut Args) -> Result<Json, String> {
    Ok(true.into())
}
