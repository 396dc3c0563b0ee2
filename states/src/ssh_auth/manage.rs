//! `ssh_auth.manage`: these keys, and no others, may log in as a user.

use proto::Args;

use super::file::{File, Put, no_home};
use super::key::Key;
use super::{COMMENT, CONFIG, ENC, FINGERPRINT, OPTIONS, USER, user};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict};

/// `ssh_auth.manage`.
#[derive(Debug)]
pub struct Manage;

static SPEC: Spec = Spec {
    state: "ssh_auth",
    fun: "manage",
    doc: "Make sure that these keys, and no others, may log in as a user.",
    params: &[
        Param::required("ssh_keys", Kind::List, "The keys, each as in `ssh_auth.present`."),
        USER,
        ENC,
        COMMENT,
        OPTIONS,
        CONFIG,
        FINGERPRINT,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Manage {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let user = user(call);
        let texts = call.args().texts("ssh_keys");
        let keys = texts
            .iter()
            .map(|text| Key::declared(text, call.args()))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(mut file) = File::read(call, host, &user)? else {
            if !call.test {
                return Err(no_home());
            }
            // An earlier state of the run may make the user.
            let set = |key: &Key| format!("Key {} for user {user} is set to be added", key.key);
            let plan = Plan::met(keys.iter().map(set).collect::<Vec<_>>().join("\n"));
            let verdict = Verdict::WouldChange;
            return Ok(Plan { verdict, ..plan });
        };
        let mut changes = Args::new();
        let (mut same, mut would) = (Vec::new(), Vec::new());
        let foreign: Vec<Key> = file
            .keys()
            .filter(|there| keys.iter().all(|key| key.key != there.key))
            .collect();
        for Key { key, .. } in foreign {
            file.take(&key);
            would.push(format!("{key} Key set for removal"));
            changes.insert(key, "Key removed".into());
        }
        for key in &keys {
            let (told, set) = match file.put(key) {
                Put::Add => ("New", "added"),
                Put::Update => ("Updated", "updated"),
                Put::Exists => {
                    let already = format!(
                        "The authorized host key {} is already present for user {user}",
                        key.key
                    );
                    same.push(already.clone());
                    would.push(already);
                    continue;
                }
            };
            changes.insert(key.key.clone(), told.into());
            would.push(format!("Key {} for user {user} is set to be {set}", key.key));
        }
        let acts = file.write(call, host)?;
        if acts.is_empty() {
            return Ok(Plan::met(same.join("\n")));
        }
        Ok(Plan::change(acts, changes, same.join("\n")).or_would(would.join("\n"), Some(Args::new())))
    }
}
