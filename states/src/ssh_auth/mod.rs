//! Salt's `ssh_auth` state module: keys that may log in as a user.

mod absent;
mod file;
mod key;
mod manage;
mod present;

pub use absent::Absent;
pub use manage::Manage;
pub use present::Present;

use crate::source::{self, Trouble};
use crate::{ArgsExt, Call, Host, Kind, Param, Stop};
use key::Key;

/// The user.
const USER: Param = Param::required("user", Kind::Text, "Who logs in with it.");
/// The type of a bare key.
const ENC: Param = Param::new(
    "enc",
    Kind::Text,
    "Type of a key that is given without one (default `ssh-rsa`).",
);
/// The remark.
const COMMENT: Param = Param::new(
    "comment",
    Kind::Text,
    "Remark of a key that is given without one.",
);
/// A file with keys.
const SOURCE: Param = Param::new(
    "source",
    Kind::Text,
    "Take all keys of this file, in the form of authorized_keys, instead of the name.",
);
/// Options before the key.
const OPTIONS: Param = Param::new(
    "options",
    Kind::List,
    "Options in front of the key, such as `no-pty` or `command=\"…\"`.",
);
/// Where keys are kept.
const CONFIG: Param = Param::new(
    "config",
    Kind::Text,
    "The file, absolute or from the home directory; `%u` and `%h` are user and home (default `.ssh/authorized_keys`).",
);
/// An argument that says nothing here.
const FINGERPRINT: Param = Param::new("fingerprint_hash_type", Kind::Text, "Accepted.");

fn user(call: &Call<'_>) -> String {
    call.args().text("user").unwrap_or_default()
}

/// The file of `source`, if one is named.
fn sourced(call: &Call<'_>) -> Option<String> {
    call.args().text("source").filter(|source| !source.is_empty())
}

/// The keys of a source; `None` when there is no such file.
///
/// # Errors
/// [`Stop::Failed`] with Salt's comment when it holds no key.
fn keys(call: &Call<'_>, host: &Host<'_>, source: &str) -> Result<Option<Vec<Key>>, Stop> {
    let text = match source::text(call, host, source) {
        Ok(text) => text,
        Err(Trouble::Stop(stop)) => return Err(stop),
        Err(Trouble::Said(_) | Trouble::None) => return Ok(None),
    };
    let mut keys: Vec<Key> = text.lines().filter_map(Key::of_line).collect();
    if keys.is_empty() {
        return Err(Stop::Failed(format!(
            "No keys detected in {source}. Is file properly formatted?"
        )));
    }
    let options = call.args().texts("options").join(",");
    if !options.is_empty() {
        for key in &mut keys {
            key.options.clone_from(&options);
        }
    }
    Ok(Some(keys))
}
