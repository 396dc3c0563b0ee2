//! Salt's `cron` state module: users' crontabs.
//!
//! A table is edited where cron keeps it, and only in the lines a state is about: everything else stays letter by letter.
//! Salt's own marks are kept, so a table that Salt wrote is understood, and Salt understands ours.

mod absent;
mod env;
mod file;
mod present;
mod table;
mod when;

pub use absent::Absent;
pub use env::{EnvAbsent, EnvPresent};
pub use file::File;
pub use present::Present;

use crate::{ArgsExt, Call, Kind, Param};

/// The argument that says whose table it is.
const USER: Param = Param::new("user", Kind::Text, "Whose crontab it is (default root).");

/// The argument that tells jobs apart.
const IDENTIFIER: Param = Param::new(
    "identifier",
    Kind::Text,
    "Name that finds the job again when its command changes (default the command).",
);

/// Whose table it is.
fn user(call: &Call<'_>) -> String {
    call.args().text("user").unwrap_or_else(|| "root".to_owned())
}

/// What finds the job again; `None` when it was asked for by null.
fn identifier(call: &Call<'_>, command: &str) -> Option<String> {
    match call.args().get("identifier") {
        None | Some(serde_json::Value::Bool(false)) => Some(command.to_owned()),
        Some(_) => call.args().text("identifier").map(|text| text.trim().to_owned()),
    }
}
