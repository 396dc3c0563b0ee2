//! Functions every template sees: Jinja's, and Salt's `raise`, `ifelse`, `odict`, `show_full_context`.

use std::cell::Cell;
use std::rc::Rc;

use super::basic::{Builtin, Cycler, Joiner, Namespace, Range, no_items};
use super::salt;
use crate::compile::jinja::args::CallArgs;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::eval::Interp;
use crate::compile::jinja::methods::dicts::update;
use crate::compile::jinja::values::text::str;
use crate::compile::jinja::values::{Dict, Value};

/// Longest range the sandbox makes.
const MAX_RANGE: usize = 100_000;

type Function = fn(&mut Interp<'_>, CallArgs) -> Res<Value>;

static FUNCTIONS: &[(&str, Function)] = &[
    ("range", range),
    ("dict", dict),
    ("odict", odict),
    ("namespace", namespace),
    ("cycler", cycler),
    ("joiner", joiner),
    ("lipsum", lipsum),
    ("raise", raise),
    ("ifelse", ifelse),
    ("show_full_context", |it, _| it.full_context()),
];

/// The names of all of them.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// The function of this name.
pub(crate) fn get(name: &str) -> Option<Value> {
    FUNCTIONS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(name, function)| {
            Value::object(Builtin {
                name,
                function: *function,
            })
        })
}

fn range(_it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    let mut numbers = Vec::new();
    for value in &args.positional {
        numbers.push(
            CallArgs::of(vec![value.clone()])
                .bind("range", ["n"], 1)?
                .int(0, 0)?,
        );
    }
    let (start, stop, step) = match numbers[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] => (start, stop, step),
        [] => return Err(fault::other("range expected at least 1 argument, got 0")),
        _ => return Err(fault::other("range expected at most 3 arguments")),
    };
    if step == 0 {
        return Err(fault::other("range() arg 3 must not be zero"));
    }
    let small = |n: i128| n.abs() < 1 << 100;
    let range = Range { start, stop, step };
    let fits = small(start) && small(stop) && small(step);
    if !fits || super::Object::len(&range)?.unwrap_or(0) > MAX_RANGE {
        return Err(fault::other(format!(
            "Range too big. The sandbox blocks ranges larger than MAX_RANGE ({MAX_RANGE})."
        )));
    }
    Ok(Value::object(range))
}

fn dict(_it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    let dict = Rc::new(Dict::default());
    update(&dict, &args)?;
    Ok(Value::Dict(dict))
}

fn odict(_it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    let dict = Rc::new(Dict {
        entries: Default::default(),
        ordered: true,
        outside: false,
    });
    update(&dict, &args)?;
    Ok(Value::Dict(dict))
}

fn namespace(_it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    let values = Rc::new(Dict::default());
    update(&values, &args)?;
    Ok(Value::object(Namespace { values }))
}

fn cycler(_it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    if args.positional.is_empty() {
        return Err(no_items());
    }
    Ok(Value::object(Cycler {
        items: args.positional,
        at: Cell::new(0),
    }))
}

fn joiner(_it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    let bound = args.bind("joiner", ["sep"], 0)?;
    Ok(Value::object(Joiner {
        separator: bound.get(0).cloned().unwrap_or_else(|| Value::str(", ")),
        used: Cell::new(false),
    }))
}

/// Filler text. The same every time: a catalog must not change by itself.
fn lipsum(_it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    let bound = args.bind("lipsum", ["n", "html", "min", "max"], 0)?;
    let count = usize::try_from(bound.int(0, 5)?).unwrap_or(0).min(1000);
    let html = bound.truth(1, true)?;
    let paragraph = "Lorem ipsum dolor sit amet consectetuer adipiscing elit.";
    let paragraphs: Vec<String> = (0..count)
        .map(|_| {
            if html {
                format!("<p>{paragraph}</p>")
            } else {
                paragraph.to_owned()
            }
        })
        .collect();
    Ok(Value::from(paragraphs.join(if html { "\n" } else { "\n\n" })))
}

fn raise(_it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    Err(fault::other(str(&args
        .bind("jinja_raise", ["msg"], 1)?
        .value(0))?))
}

/// `match.ifelse`, which Salt also gives templates as a function.
fn ifelse(it: &mut Interp<'_>, args: CallArgs) -> Res<Value> {
    let world = it.world.clone();
    salt::call(&world, "match.ifelse", &args)
}
