//! Classes of refusals: groups of Salt's messages that mean the same.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// Class and the pattern searched in a message; the first that fits wins. The corpus' own table.
const TABLE: &[(&str, &str)] = &[
    ("duplicate_id", r"Detected conflicting IDs"),
    ("duplicate_yaml_key", r"found conflicting ID|Conflicting ID"),
    (
        "multiple_same_type",
        r"contains multiple state declarations of the same type",
    ),
    ("recursive_requisite", r"Recursive requisites were found"),
    ("requisite_not_found", r"Referenced state does not exist"),
    ("requisite_value_not_string", r"must have a string as the value"),
    ("extend_missing", r"Cannot extend ID"),
    ("extend_malformed", r"Extension (value|name)"),
    ("sls_not_found", r"No matching sls found"),
    (
        "include_not_found",
        r"Unknown include|is not available on the salt master or through",
    ),
    (
        "include_malformed",
        r"Include Declaration in SLS|goes beyond top level package",
    ),
    ("include_bad_env", r"Nonexistent saltenv"),
    ("exclude_malformed", r"Exclude Declaration"),
    ("jinja_undefined", r"Jinja variable"),
    ("jinja_syntax", r"Jinja syntax error"),
    ("jinja_error", r"Jinja error|Problem running salt function"),
    (
        "pillar_failed",
        r"Pillar failed to render|Specified SLS '.*' in environment|Rendering SLS '[^:']*' failed\. Please see master log",
    ),
    (
        "short_dec_colon",
        r"short declaration \(.*\) with a trailing colon",
    ),
    (
        "not_a_list",
        r"is not formed as a list|needs to be formed as a list",
    ),
    ("id_not_string", r"is not formed as a string"),
    (
        "not_a_dict",
        r"does not render to a dictionary|is not a dictionary|is not formatted as a dictionary|Error when rendering state with contents",
    ),
    ("no_function", r"No function declared"),
    ("too_many_functions", r"Too many functions declared"),
    (
        "function_whitespace",
        r"a function with whitespace is not supported",
    ),
    ("bad_requisite_type", r"Invalid requisite (type|in)"),
    (
        "bad_requisite_form",
        r"is not formed as a single key dictionary|Illegal requisite",
    ),
    ("multiple_dicts", r"Multiple dictionaries defined"),
    ("top_malformed", r"top file|Malformed topfile|Top data"),
    ("render_failed", r"Rendering SLS"),
    (
        "invalid_arguments",
        r"Passed invalid arguments|invalid keyword argument",
    ),
    ("crash", r"Traceback"),
];

static COMPILED: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let compiled = TABLE
        .iter()
        .map(|(name, pattern)| Regex::new(pattern).map(|regex| (*name, regex)));
    compiled
        .collect::<Result<_, _>>()
        .unwrap_or_else(|err| panic!("{err}"))
});

/// The class of one message.
pub fn class(message: &str) -> &'static str {
    let found = COMPILED.iter().find(|(_, regex)| regex.is_match(message));
    found.map_or("other", |(name, _)| name)
}

/// The classes of several messages.
pub fn classes<'a>(messages: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'static str> {
    messages.into_iter().map(class).collect()
}
