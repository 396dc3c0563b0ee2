//! Which wanted options are not in effect. The kernel shows some of them in other words, and some not at all.

use proto::Mount;

use super::listed;
use crate::args::plain;
use crate::{ArgsExt, Call, Host, Stop, perms};

/// Options that only programs understand, Salt's list and the ones mount(8) keeps for itself.
const INVISIBLE: &[&str] = &[
    "_netdev",
    "actimeo",
    "bg",
    "comment",
    "defaults",
    "delay_connect",
    "direct-io-mode",
    "intr",
    "loop",
    "nointr",
    "nobootwait",
    "nofail",
    "password",
    "reconnect",
    "retry",
    "soft",
    "auto",
    "users",
    "bind",
    "nonempty",
    "transform_symlinks",
    "port",
    "backup-volfile-servers",
    "noauto",
    "user",
    "nouser",
    "owner",
    "group",
    "",
];
/// Options with a value that the kernel does not show.
const INVISIBLE_KEYS: &[&str] = &[
    "actimeo",
    "comment",
    "credentials",
    "direct-io-mode",
    "password",
    "port",
    "retry",
    "secretfile",
];
/// Options that are on unless their opposite is; the kernel shows only the opposite.
const USUAL: &[&str] = &["async", "atime", "dev", "diratime", "exec", "suid"];
/// Options whose coming or going needs no other mount.
const BOOT: &[&str] = &[
    "_netdev",
    "auto",
    "bg",
    "comment",
    "defaults",
    "noauto",
    "nobootwait",
    "nofail",
    "",
];

/// Wanted options that are not in effect, and options that are in effect but no longer wanted.
///
/// # Errors
/// [`Stop::Ask`] while an account is not known.
pub(super) fn wrong(
    call: &Call<'_>,
    host: &Host<'_>,
    live: &Mount,
    wanted: &[String],
) -> Result<(Vec<String>, Vec<String>), Stop> {
    let args = call.args();
    let fstype = args.text("fstype").unwrap_or_default();
    let told: Vec<&str> = live
        .asked
        .as_ref()
        .map(|asked| asked.opts.split(',').collect())
        .unwrap_or_default();
    let shown: Vec<String> = live.options.split(',').map(normal).collect();
    let hidden = listed(args, "hidden_opts");
    let extra = args.texts("extra_mount_invisible_options");
    let extra_keys = args.texts("extra_mount_invisible_keys");
    let translated = |opt: &str| match opt {
        "tcp" => Some("proto=tcp".to_owned()),
        "udp" => Some("proto=udp".to_owned()),
        other => args.any("extra_mount_translate_options")?.get(other).map(plain),
    };
    let ignored = |key: &str| {
        let own = args
            .any("extra_mount_ignore_fs_keys")
            .and_then(|map| map.get(&fstype)?.as_array());
        (fstype == "ramfs" && key == "size")
            || own.is_some_and(|keys| keys.iter().any(|other| plain(other) == key))
    };
    let mut missing = Vec::new();
    for opt in wanted {
        let key = opt.split('=').next().unwrap_or_default();
        let unseen = INVISIBLE.contains(&opt.as_str())
            || opt.starts_with("x-")
            || hidden.contains(opt)
            || extra.contains(opt)
            || opt.contains('=') && INVISIBLE_KEYS.contains(&key)
            || extra_keys.iter().any(|other| other == key)
            || ignored(key)
            || told.contains(&opt.as_str());
        let usual = USUAL.contains(&opt.as_str()) && !contradicted(&shown, opt);
        if unseen && !contradicted(&shown, opt) || usual {
            continue;
        }
        let shape = shape(host, &fstype, &translated(opt).unwrap_or_else(|| opt.clone()))?;
        if !shown.contains(&shape) {
            missing.push(shape);
        }
    }
    let gone = |opt: &&&str| {
        !BOOT.contains(*opt) && !opt.starts_with("x-") && !wanted.iter().any(|other| other == **opt)
    };
    let mut gone: Vec<String> = told.iter().filter(gone).map(|opt| (*opt).to_owned()).collect();
    missing.sort();
    gone.sort();
    Ok((missing, gone))
}

/// Whether the opposite of a flag is in effect.
fn contradicted(shown: &[String], opt: &str) -> bool {
    let opposite = match opt {
        "async" => "sync".to_owned(),
        "sync" => "async".to_owned(),
        "rw" => "ro".to_owned(),
        "ro" => "rw".to_owned(),
        other => match other.strip_prefix("no") {
            Some(positive) if USUAL.contains(&positive) => positive.to_owned(),
            _ => format!("no{other}"),
        },
    };
    shown.contains(&opposite)
}

/// An option as the kernel would show it.
fn shape(host: &Host<'_>, fstype: &str, opt: &str) -> Result<String, Stop> {
    let Some((key, value)) = opt.split_once('=') else {
        return Ok(opt.to_owned());
    };
    let id = match key {
        "uid" => perms::uid(host, value)?,
        "gid" => perms::gid(host, value)?,
        "user" if fstype == "cifs" => return Ok(format!("username={value}")),
        _ => return Ok(normal(opt)),
    };
    Ok(id.map_or_else(|| opt.to_owned(), |id| format!("{key}={id}")))
}

/// One way to write sizes and modes.
fn normal(opt: &str) -> String {
    let Some((key, value)) = opt.split_once('=') else {
        return opt.to_owned();
    };
    match key {
        "size" => match kib(value) {
            Some(size) => format!("size={size}k"),
            None => opt.to_owned(),
        },
        "mode" => format!("mode={}", value.trim_start_matches('0')),
        _ => opt.to_owned(),
    }
}

fn kib(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let (digits, shift) = match text.strip_suffix(['k', 'm', 'g']) {
        Some(digits) if text.ends_with('k') => (digits, 0),
        Some(digits) if text.ends_with('m') => (digits, 10),
        Some(digits) => (digits, 20),
        None => {
            return text
                .parse::<u64>()
                .ok()
                .filter(|bytes| bytes % 1024 == 0)
                .map(|bytes| bytes >> 10);
        }
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}
