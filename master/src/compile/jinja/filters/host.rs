//! Salt's filters that read files, users, programs or the network. Templates are rendered on the master, where such
//! answers would be about the wrong machine; functions of `salt` ask the minion instead.

use super::Table;
use crate::compile::jinja::error::{Res, fault};
use crate::compile::jinja::values::Value;

macro_rules! unavailable {
    ($($name:literal),* $(,)?) => {
        &[$(($name, |_, _, _| refuse($name))),*]
    };
}

pub(super) static FILTERS: Table = unavailable![
    "dns_check",
    "file_hashsum",
    "get_uid",
    "http_query",
    "is_bin_file",
    "is_empty",
    "is_text_file",
    "json_query",
    "list_files",
    "which",
];

fn refuse(name: &str) -> Res<Value> {
    let hint = match name {
        "json_query" => "use `traverse`, `map` or `selectattr`",
        "which" => "use salt['cmd.which']",
        "file_hashsum" => "use salt['file.get_hash']",
        "get_uid" => "use salt['user.info']",
        "http_query" | "dns_check" => "templates cannot use the network",
        _ => "use a function of salt['file']",
    };
    Err(fault::other(format!(
        "the filter '{name}' is not available on the master; {hint}"
    )))
}
