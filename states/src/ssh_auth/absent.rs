//! `ssh_auth.absent`: a key may not log in as a user.

use proto::Args;

use super::file::File;
use super::key::Key;
use super::{COMMENT, CONFIG, ENC, FINGERPRINT, OPTIONS, SOURCE, USER, keys, sourced, user};
use crate::plan::one;
use crate::{Call, Host, Plan, Spec, State, Stop, Undo};

/// `ssh_auth.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "ssh_auth",
    fun: "absent",
    doc: "Make sure that a key may not log in as a user.\n\nThe name is the key, as in `ssh_auth.present`; type, remark and \
          options do not matter.",
    params: &[USER, ENC, COMMENT, SOURCE, OPTIONS, CONFIG, FINGERPRINT],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Absent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let user = user(call);
        let source = sourced(call);
        let keys = match &source {
            None => vec![Key::declared(call.name(), call.args())?],
            Some(source) => keys(call, host, source)?.ok_or_else(|| {
                Stop::Failed(format!(
                    "Failed to remove the ssh key. Source file {source} is missing"
                ))
            })?,
        };
        let gone = || {
            Plan::met(match &source {
                _ if !call.test => "Key not present".to_owned(),
                None => "Key is already absent".to_owned(),
                Some(source) => format!("All host keys in file {source} are already absent"),
            })
        };
        let Some(mut file) = File::read(call, host, &user)? else {
            return Ok(gone());
        };
        let taken: Vec<&str> = keys
            .iter()
            .map(|key| key.key.as_str())
            .filter(|key| file.take(key))
            .collect();
        let (Some(first), acts) = (taken.first(), file.write(call, host)?) else {
            return Ok(gone());
        };
        let (name, would) = match source {
            None => (*first, format!("Key {first} for user {user} is set for removal")),
            Some(_) => (
                call.name(),
                taken
                    .iter()
                    .map(|key| format!("Set to remove: {key}\n"))
                    .collect(),
            ),
        };
        Ok(Plan::change(acts, one(name, "Removed"), "Key removed").or_would(would, Some(Args::new())))
    }
}
