//! Filters: Jinja's and Salt's, grouped by theme.

mod dicts;
mod hashes;
mod host;
mod html;
mod json;
mod network;
mod numbers;
mod pretty;
pub(crate) mod random;
pub(crate) mod regex;
mod select;
mod sequences;
mod serial;
mod sets;
mod text;
mod time;
mod wrap;
mod xml;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::args::CallArgs;
use super::error::{Res, fault};
use super::eval::Interp;
use super::values::Value;
use super::values::text::quote;
use super::wanted::Among;

pub(crate) use hashes::hex;

/// A filter: the value and the other arguments.
type Filter = fn(&mut Interp<'_>, Value, CallArgs) -> Res<Value>;
/// Filters by name.
type Table = &'static [(&'static str, Filter)];

/// Later tables win, as Salt's filters replace Jinja's.
static TABLES: &[Table] = &[
    text::FILTERS,
    wrap::FILTERS,
    html::FILTERS,
    numbers::FILTERS,
    sequences::FILTERS,
    select::FILTERS,
    sets::FILTERS,
    dicts::FILTERS,
    serial::FILTERS,
    regex::FILTERS,
    hashes::FILTERS,
    random::FILTERS,
    network::FILTERS,
    time::FILTERS,
    host::FILTERS,
];

static BY_NAME: LazyLock<HashMap<&'static str, Filter>> =
    LazyLock::new(|| TABLES.iter().flat_map(|table| table.iter().copied()).collect());

/// Whether there is a filter of this name.
pub(crate) fn known(name: &str) -> bool {
    BY_NAME.contains_key(name)
}

/// `value | name(args)`.
pub(crate) fn apply(it: &mut Interp<'_>, name: &str, value: Value, args: CallArgs) -> Res<Value> {
    let Some(filter) = BY_NAME.get(name) else {
        let known = Among::names(
            TABLES
                .iter()
                .flat_map(|table| table.iter().map(|(name, _)| *name)),
        );
        return Err(fault::syntax(format!("No filter named {}.", quote(name))).wanting(name, known));
    };
    if value.is_pending()
        || args.positional.iter().any(Value::is_pending)
        || args.keywords.iter().any(|(_, value)| value.is_pending())
    {
        return Ok(Value::pending());
    }
    // These read only what they need of `grains`; to all others it is a whole mapping.
    if matches!(name, "default" | "d" | "attr" | "traverse") {
        return filter(it, value, args);
    }
    let value = it.plain(&value)?;
    let mut args = args;
    for arg in &mut args.positional {
        *arg = it.plain(arg)?;
    }
    for (_, arg) in &mut args.keywords {
        *arg = it.plain(arg)?;
    }
    if value.is_pending() {
        return Ok(Value::pending());
    }
    filter(it, value, args)
}
