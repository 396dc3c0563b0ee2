//! `ssh_known_hosts.present`: a host is known by its key.

use proto::{Args, Command, Question};
use serde_json::Value as Json;

use super::file::{Entry, Known, Print, hashed};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `ssh_known_hosts.present`.
#[derive(Debug)]
pub struct Present;

static SPEC: Spec = Spec {
    state: "ssh_known_hosts",
    fun: "present",
    doc: "Make sure that a host is known by its key.\n\nWithout `key` the host itself is asked (`ssh-keyscan`); give a \
          `fingerprint` so that nobody else can answer.",
    params: &[
        Param::new("user", Kind::Text, "Whose; without it those of all users."),
        Param::new(
            "fingerprint",
            Kind::Text,
            "Hexadecimal digits of the key's fingerprint, with colons.",
        ),
        Param::new(
            "key",
            Kind::Text,
            "The key itself, in base64; `enc` goes with it.",
        ),
        Param::new(
            "port",
            Kind::Number,
            "Port of its ssh server; needs `hash_known_hosts: False`.",
        ),
        Param::new("enc", Kind::Text, "Type of the key, such as `ssh-ed25519`."),
        Param::new(
            "config",
            Kind::Text,
            "The file; with `user` from the home directory on.",
        ),
        Param::new(
            "hash_known_hosts",
            Kind::Flag,
            "Do not let the name be read (default true).",
        ),
        Param::new("timeout", Kind::Number, "Seconds to wait for the host's answer."),
        Param::new(
            "fingerprint_hash_type",
            Kind::Text,
            "`sha256` (the default) or `sha1`.",
        ),
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let name = call.name();
        let text = |key: &str| args.text(key).filter(|text| !text.is_empty());
        let (key, fingerprint, enc) = (text("key"), text("fingerprint"), text("enc"));
        let known = Known::read(call, host)?;
        if key.is_some() && fingerprint.is_some() {
            return Err(Stop::failed(
                "Specify either \"key\" or \"fingerprint\", not both.",
            ));
        }
        if key.is_some() && enc.is_none() {
            return Err(Stop::failed(
                "Required argument \"enc\" if using \"key\" argument.",
            ));
        }
        let hash = args.flag("hash_known_hosts", true);
        let port = args.number("port")?.filter(|port| *port != 22);
        if port.is_some() && hash {
            return Err(Stop::failed(
                "argument port can not be used in conjunction with argument hash_known_hosts",
            ));
        }
        let print = Print::wanted(args)?;
        let address = port.map_or_else(|| name.to_owned(), |port| format!("[{name}]:{port}"));
        let stored: Vec<(usize, &Entry)> = known.of(&address).collect();
        let config = &known.config;
        let met = || {
            Plan::met(if call.test {
                format!("Host {name} is already in {config}")
            } else {
                format!("{name} already exists in {config}")
            })
        };
        let of_type = |entry: &Entry| enc.as_ref().is_none_or(|enc| *enc == entry.enc);
        let prints = |entry: &Entry| fingerprint.as_ref() == Some(&entry.fingerprint(print));
        let there = match (&key, &fingerprint) {
            (Some(key), _) => stored
                .iter()
                .any(|(_, entry)| of_type(entry) && entry.key == *key),
            (None, Some(_)) => stored.iter().any(|(_, entry)| prints(entry)),
            (None, None) => false,
        };
        if there {
            return Ok(met());
        }
        let mut new = match &key {
            Some(key) => vec![Entry {
                names: address.clone(),
                enc: enc.clone().unwrap_or_default(),
                key: key.clone(),
            }],
            None => scan(call, host, port, enc.as_deref())?,
        };
        if fingerprint.is_some() && !new.iter().any(prints) {
            return Err(Stop::failed(
                "Remote host public keys found but none of their fingerprints match the one you have provided",
            ));
        }
        if key.is_none() && fingerprint.is_none() {
            let keys = |entries: &mut dyn Iterator<Item = &Entry>| {
                let mut keys: Vec<String> = entries.map(|entry| entry.key.clone()).collect();
                keys.sort();
                keys
            };
            let now = keys(
                &mut stored
                    .iter()
                    .map(|(_, entry)| *entry)
                    .filter(|entry| of_type(entry)),
            );
            if !now.is_empty() && now == keys(&mut new.iter()) {
                return Ok(met());
            }
        }
        // Anyone may know the seed: it is there so that two hosts do not hash a name to the same.
        let seed = if hash {
            host.bytes("/etc/machine-id")?
        } else {
            None
        };
        for entry in &mut new {
            entry.names = match seed {
                _ if !hash => address.clone(),
                seed => hashed(&address, &String::from_utf8_lossy(seed.unwrap_or_default())),
            };
        }
        let out: Vec<usize> = stored
            .iter()
            .filter(|(_, entry)| of_type(entry))
            .map(|(at, _)| *at)
            .collect();
        let acts = known.write(host, &out, &new)?;
        let told = |entry: &Entry, print| Json::Object(entry.told(print));
        let old: Vec<Json> = stored.iter().map(|(_, entry)| told(entry, Some(print))).collect();
        let now = new.iter().map(|entry| {
            let shown = Entry {
                names: name.to_owned(),
                ..entry.clone()
            };
            if key.is_some() {
                told(&shown, None)
            } else {
                told(entry, Some(print))
            }
        });
        let now: Vec<Json> = now.collect();
        let mut changes = one("old", if old.is_empty() { Json::Null } else { old.into() });
        changes.insert("new".to_owned(), now.into());
        let first = &new[0];
        let comment = match (&key, &fingerprint, &enc) {
            (Some(key), ..) => format!("{name}'s key saved to {config} (key: {key})"),
            (None, Some(_), _) => {
                let print = first.fingerprint(print);
                format!("{name}'s key saved to {config} (fingerprint: {print})")
            }
            (None, None, Some(enc)) => format!("{name}'s {enc} key saved to {config} (key: {})", first.key),
            (None, None, None) => format!("{name}'s key(s) saved to {config}"),
        };
        let would = if stored.is_empty() {
            format!("Key for {name} is set to be added to {config}")
        } else {
            format!("Key for {name} is set to be updated in {config}")
        };
        Ok(Plan::change(acts, changes, comment).or_would(would, Some(Args::new())))
    }
}

/// The keys a host tells, at least one.
fn scan(call: &Call<'_>, host: &Host<'_>, port: Option<i64>, enc: Option<&str>) -> Result<Vec<Entry>, Stop> {
    let timeout = call.args().number("timeout")?.unwrap_or(5).to_string();
    let mut argv = vec!["ssh-keyscan".to_owned()];
    if let Some(port) = port {
        argv.extend(["-p".to_owned(), port.to_string()]);
    }
    if let Some(enc) = enc {
        argv.extend(["-t".to_owned(), enc.to_owned()]);
    }
    argv.extend(["-T".to_owned(), timeout, "--".to_owned(), call.name().to_owned()]);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let command = Command {
        timeout: Some(300),
        ..Command::program(&argv)
    };
    host.expect([Question::Bytes("/etc/machine-id".to_owned())]);
    let output = host.command(command)?;
    let found: Vec<Entry> = output.stdout.lines().filter_map(Entry::of_line).collect();
    if found.is_empty() {
        return Err(Stop::failed("Unable to receive remote host keys"));
    }
    Ok(found)
}
