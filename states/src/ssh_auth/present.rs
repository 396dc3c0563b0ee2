//! `ssh_auth.present`: a key may log in as a user.

use proto::Args;

use super::file::{File, Put, no_home};
use super::key::Key;
use super::{COMMENT, CONFIG, ENC, FINGERPRINT, OPTIONS, SOURCE, USER, keys, sourced, user};
use crate::plan::one;
use crate::{Call, Host, Plan, Spec, State, Stop, Undo, Verdict};

/// `ssh_auth.present`.
#[derive(Debug)]
pub struct Present;

static SPEC: Spec = Spec {
    state: "ssh_auth",
    fun: "present",
    doc: "Make sure that a key may log in as a user.\n\nThe name is the key: bare, or with its type and remark, or a whole \
          line of authorized_keys. The file and its directory are made with modes 0600 and 0700 and belong to the user; other \
          keys stay.",
    params: &[USER, ENC, COMMENT, SOURCE, OPTIONS, CONFIG, FINGERPRINT],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let user = user(call);
        match sourced(call) {
            None => {
                let key = Key::declared(call.name(), call.args())?;
                let (what, would) = (key.key.clone(), None);
                settle(call, host, &user, &[key], &what, would)
            }
            Some(source) => match keys(call, host, &source)? {
                Some(keys) => settle(call, host, &user, &keys, call.name(), Some(&source)),
                None => Err(Stop::Failed(format!(
                    "Failed to add the ssh key. Source file {source} is missing"
                ))),
            },
        }
    }
}

/// Puts keys in and tells it of `name`, in the words for a source where there is one.
fn settle(
    call: &Call<'_>,
    host: &Host<'_>,
    user: &str,
    keys: &[Key],
    name: &str,
    source: Option<&str>,
) -> Result<Plan, Stop> {
    let set = |put: Put| match put {
        Put::Update => "updated",
        _ => "added",
    };
    let Some(mut file) = File::read(call, host, user)? else {
        if !call.test {
            return Err(no_home());
        }
        // An earlier state of the run may make the user.
        let plan = Plan::met(format!("Key {name} for user {user} is set to be added"));
        let verdict = Verdict::WouldChange;
        return Ok(Plan { verdict, ..plan });
    };
    let puts: Vec<(&Key, Put)> = keys.iter().map(|key| (key, file.put(key))).collect();
    let most = |wanted| puts.iter().any(|(_, put)| *put == wanted).then_some(wanted);
    let Some(put) = most(Put::Update).or_else(|| most(Put::Add)) else {
        return Ok(Plan::met(match source {
            Some(source) if call.test => format!("All host keys in file {source} are already present"),
            _ => format!("The authorized host key {name} is already present for user {user}"),
        }));
    };
    let would = match source {
        None => format!("Key {name} for user {user} is set to be {}", set(put)),
        Some(_) => puts
            .iter()
            .filter_map(|(key, put)| match put {
                Put::Exists => None,
                Put::Update => Some(format!("Set to update: {}\n", key.key)),
                Put::Add => Some(format!("Set to add: {}\n", key.key)),
            })
            .collect(),
    };
    let acts = file.write(call, host)?;
    let told = if put == Put::Update { "Updated" } else { "New" };
    let done = format!("The authorized host key {name} for user {user} was {}", set(put));
    Ok(Plan::change(acts, one(name, told), done).or_would(would, Some(Args::new())))
}
