//! What Python's built-in methods say when the number or the names of their arguments are wrong.
//!
//! Their sentences depend on how each is written in C, so the shapes are listed by name.

use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::Value;
use crate::compile::jinja::values::text::{quote, refuse};

/// How a built-in method takes its arguments.
enum Shape {
    Nothing,
    One,
    /// By place only: at least, at most.
    Places(usize, usize),
    /// By place or by these names.
    Named(&'static [&'static str]),
    /// By name only.
    Keywords,
    /// Checked by the method itself.
    Own,
}

fn shape(of: &str, name: &str) -> Shape {
    match (of, name) {
        ("str", "split" | "rsplit") => Shape::Named(&["sep", "maxsplit"]),
        ("str", "splitlines") => Shape::Named(&["keepends"]),
        ("str", "expandtabs") => Shape::Named(&["tabsize"]),
        ("str", "encode") | ("bytes", "decode") => Shape::Named(&["encoding", "errors"]),
        ("str", "strip" | "lstrip" | "rstrip") | ("list", "pop") => Shape::Places(0, 1),
        ("str", "replace") => Shape::Places(2, 3),
        ("str", "center" | "ljust" | "rjust") => Shape::Places(1, 2),
        ("dict", "get" | "setdefault" | "pop" | "fromkeys") => Shape::Places(1, 2),
        ("list", "insert") => Shape::Places(2, 2),
        ("str", "find" | "rfind" | "index" | "rindex" | "count" | "startswith" | "endswith")
        | ("list" | "tuple", "index") => Shape::Places(1, 3),
        ("list", "sort") => Shape::Keywords,
        (
            "str",
            "partition" | "rpartition" | "join" | "zfill" | "removeprefix" | "removesuffix" | "translate"
            | "format_map",
        )
        | ("list" | "tuple", "append" | "extend" | "remove" | "count") => Shape::One,
        ("str", "format" | "maketrans") | ("dict", "update") | ("bytes" | "int" | "bool" | "float", _) => {
            Shape::Own
        }
        _ => Shape::Nothing,
    }
}

/// Checks the arguments of the method `name` of a value of the type `of`.
pub(super) fn check(of: &str, name: &str, args: &CallArgs) -> Res<()> {
    let given = args.positional.len();
    let all = given + args.keywords.len();
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let shape = shape(of, name);
    let by_name = matches!(shape, Shape::Named(_) | Shape::Keywords | Shape::Own);
    if !by_name && !args.keywords.is_empty() {
        // Methods that search are older than the convention to name the type.
        let bare = matches!(
            name,
            "format_map" | "find" | "rfind" | "rindex" | "startswith" | "endswith"
        ) || (of == "str" && matches!(name, "index" | "count"));
        let prefix = if bare { String::new() } else { format!("{of}.") };
        return Err(fault::other(format!(
            "{prefix}{name}() takes no keyword arguments"
        )));
    }
    let wrong = match shape {
        Shape::Nothing if given > 0 => format!("{of}.{name}() takes no arguments ({given} given)"),
        Shape::One if given != 1 => {
            let prefix = if name == "format_map" {
                String::new()
            } else {
                format!("{of}.")
            };
            format!("{prefix}{name}() takes exactly one argument ({given} given)")
        }
        Shape::Places(least, most) if given < least || given > most => {
            let (bound, wanted) = if least == most {
                ("", least)
            } else if given < least {
                ("at least ", least)
            } else {
                ("at most ", most)
            };
            if of == "str" && most == 3 && name != "replace" {
                format!(
                    "{name}() takes {bound}{wanted} argument{} ({given} given)",
                    plural(wanted)
                )
            } else {
                format!(
                    "{name} expected {bound}{wanted} argument{}, got {given}",
                    plural(wanted)
                )
            }
        }
        Shape::Named(names) => {
            let unknown = args.keywords.iter().find(|(key, _)| !names.contains(&&**key));
            if all > names.len() {
                let most = names.len();
                format!(
                    "{name}() takes at most {most} argument{} ({all} given)",
                    plural(most)
                )
            } else if let Some((key, _)) = unknown {
                format!("{} is an invalid keyword argument for {name}()", quote(key))
            } else {
                return Ok(());
            }
        }
        Shape::Keywords if given > 0 => format!("{name}() takes no positional arguments"),
        _ => return Ok(()),
    };
    Err(fault::other(wrong))
}

/// The text of an argument; `wanted` is how the method says that it is none.
pub(super) fn text(value: &Value, wanted: impl FnOnce(&str) -> String) -> Res<String> {
    match value {
        Value::Str(text) => Ok(text.to_string()),
        Value::Undefined(undefined) if !undefined.lenient => Err(refuse(undefined)),
        Value::None => Err(fault::other(wanted("None"))),
        other => Err(fault::other(wanted(other.type_name()))),
    }
}
