//! `mount.fstab_present`: a line stands in /etc/fstab.

use proto::{Act, Args, Asked, Command, Value};

use super::fstab::{Entry, Fstab, Line, path};
use super::{CONFIG, listed, live, trimmed, wanted};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mount.fstab_present`.
#[derive(Debug)]
pub struct FstabPresent;

/// The argument that names the device in another way.
pub(super) const MOUNT_BY: Param = Param::new(
    "mount_by",
    Kind::Text,
    "Name the device in the fstab by its device, uuid, label, partuuid or partlabel.",
);

static SPEC: Spec = Spec {
    state: "mount",
    fun: "fstab_present",
    doc: "Make sure that the device `name` has a line in /etc/fstab.\n\nA line that is new is mounted, too. Other lines \
          stay as they are, also when this one is taken back.",
    params: &[
        Param::required("fs_file", Kind::Text, "Where it is mounted."),
        Param::required("fs_vfstype", Kind::Text, "Its type."),
        Param::new("fs_mntops", Kind::List, "Options (default `defaults`)."),
        Param::new("fs_freq", Kind::Number, "Fifth field, for dump (default 0)."),
        Param::new(
            "fs_passno",
            Kind::Number,
            "Sixth field, the order of checks at boot (default 0).",
        ),
        MOUNT_BY,
        CONFIG,
        Param::new(
            "mount",
            Kind::Flag,
            "Mount it when the line is new (default true).",
        ),
        Param::new(
            "match_on",
            Kind::List,
            "Fields by which the line is found (default `auto`).",
        ),
        Param::new("not_change", Kind::Flag, "Leave a line that is there as it is."),
        Param::new("fs_mount", Kind::Flag, "Accepted; for other systems."),
    ],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for FstabPresent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        let (config, name) = (path(call), call.name());
        let file = trimmed(&args.text("fs_file").unwrap_or_default());
        let fstype = args.text("fs_vfstype").unwrap_or_default();
        let opts = match listed(args, "fs_mntops").join(",") {
            none if none.is_empty() => "defaults".to_owned(),
            opts => opts,
        };
        let spec = converted(call, host)?;
        let number = |key: &str| Ok::<_, Stop>(args.number(key)?.unwrap_or(0).to_string());
        let entry = Entry::new(
            &spec,
            &file,
            &fstype,
            &opts,
            &number("fs_freq")?,
            &number("fs_passno")?,
        );
        let fstab = Fstab::read(call, host)?;
        let (line, text) = fstab.with(call, &entry, args.flag("not_change", false))?;
        let (did, would) = match line {
            Line::Present if call.test => {
                return Ok(Plan::met(format!("{file} entry is already in {config}.")));
            }
            Line::Present => return Ok(Plan::met(format!("{file} entry was already in {config}."))),
            Line::New => ("added", "written"),
            Line::Change => ("updated", "updated"),
        };
        let mut comment = format!("{file} entry {did} in {config}.");
        let mut would = format!("{file} entry will be {would} in {config}.");
        let mut acts = vec![fstab.write(host, &text)];
        if line == Line::New && args.flag("mount", true) && file.starts_with('/') {
            let (at, there) = live(host, &file)?;
            if there.is_absent() {
                let asked = Asked {
                    device: spec,
                    fstype,
                    opts,
                    user: String::new(),
                };
                acts.push(Act::assign(at, Value::Absent, wanted(asked)));
                would.push_str(&format!("\nWill mount {name} on {file}"));
                comment.push_str(&format!("\nMounted {name} on {file}"));
            }
        }
        Ok(Plan::change(acts, one("persist", line.word()), comment).or_would(would, Some(Args::new())))
    }
}

/// The device in the words that `mount_by` asks for.
pub(super) fn converted(call: &Call<'_>, host: &Host<'_>) -> Result<String, Stop> {
    let name = call.name();
    let by = call
        .args()
        .text("mount_by")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let already =
        by == "device" && name.starts_with('/') || name.starts_with(&format!("{}=", by.to_ascii_uppercase()));
    if by.is_empty() || already {
        return Ok(name.to_owned());
    }
    let ask = |argv: &[&str]| {
        let said = host.command(Command::program(argv))?;
        Ok::<_, Stop>(said.stdout.lines().next().unwrap_or_default().trim().to_owned())
    };
    let device = if name.starts_with('/') {
        name.to_owned()
    } else {
        ask(&["blkid", "-l", "-o", "device", "-t", name])?
    };
    if by == "device" && !device.is_empty() {
        return Ok(device);
    }
    let key = by.to_ascii_uppercase();
    match ask(&["blkid", "-o", "value", "-s", &key, "--", &device])? {
        none if none.is_empty() => Err(Stop::Failed(format!("Device {name} cannot be converted to {by}"))),
        value => Ok(format!("{key}={value}")),
    }
}
