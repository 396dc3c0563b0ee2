//! `mount.mounted`: a file system is mounted, now and after the next boot.

use proto::{Act, Address, Args, Asked, Command, Mount, Value};

use super::fstab::{Entry, Fstab, Line};
use super::{CONFIG, fuse_device, listed, live, make_point, options, resolved, trimmed, wanted};
use crate::perms::Perms;
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo, Verdict, paths, regex};

/// `mount.mounted`.
#[derive(Debug)]
pub struct Mounted;

static SPEC: Spec = Spec {
    state: "mount",
    fun: "mounted",
    doc: "Mount a file system at the path `name`, now and (by a line in /etc/fstab) at every boot.\n\nOptions that differ \
          are brought in by a remount; where the type cannot do that (nfs, FUSE), and where another device is mounted \
          there, by an unmount and a mount. A mount that is in use is never taken away: the state fails and names who uses \
          it. Rollback unmounts what was mounted and gives a mount its old options; data stays where it is, but what lies \
          in a tmpfs goes with it. Passwords belong in a file (`credentials=/etc/…`), not in `opts`: those can be read by \
          everybody on the host.",
    params: &[
        Param::required(
            "device",
            Kind::Text,
            "What to mount: a device, `UUID=…`, `LABEL=…`, `server:/path`, a type's own word.",
        ),
        Param::required(
            "fstype",
            Kind::Text,
            "Its type: `ext4`, `nfs`, `tmpfs`, `fuse.sshfs`, `none` for a bind mount, …",
        ),
        Param::new("mkmnt", Kind::Flag, "Make the directory when it is not there."),
        Param::new(
            "opts",
            Kind::List,
            "Options, as a list or with commas between them (default `defaults`).",
        ),
        Param::new("dump", Kind::Number, "Fifth field of the fstab line (default 0)."),
        Param::new(
            "pass_num",
            Kind::Number,
            "Sixth field of the fstab line, the order of checks at boot (default 0).",
        ),
        CONFIG,
        Param::new(
            "persist",
            Kind::Flag,
            "Write the line of the fstab (default true).",
        ),
        Param::new("mount", Kind::Flag, "Mount it now (default true)."),
        Param::new(
            "user",
            Kind::Text,
            "Mount as this user; new directories belong to it.",
        ),
        Param::new(
            "match_on",
            Kind::List,
            "Fields by which the fstab line is found, of device, name, fstype, opts, dump, pass_num (default `auto`: the \
             device, or the mount point for types whose device is not unique).",
        ),
        Param::new(
            "device_name_regex",
            Kind::List,
            "Devices that may be mounted there instead.",
        ),
        Param::new(
            "extra_mount_invisible_options",
            Kind::List,
            "More options that the kernel does not show.",
        ),
        Param::new(
            "extra_mount_invisible_keys",
            Kind::List,
            "More options with a value that the kernel does not show.",
        ),
        Param::new(
            "extra_mount_ignore_fs_keys",
            Kind::Map,
            "Options by type that need no remount.",
        ),
        Param::new(
            "extra_mount_translate_options",
            Kind::Map,
            "Options and the words the kernel shows for them.",
        ),
        Param::new(
            "hidden_opts",
            Kind::List,
            "Options that do not count when it is mounted already.",
        ),
        Param::new(
            "bind_mount_copy_active_opts",
            Kind::Flag,
            "Accepted; options of the source are never copied.",
        ),
    ],
    free: false,
    watch: true,
    undo: Undo::Compensated,
};

/// What was said and found out so far.
#[derive(Default)]
struct Told {
    acts: Vec<Act>,
    changes: Args,
    comment: String,
    /// Test mode says only this.
    would: Option<String>,
}

impl State for Mounted {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        for key in ["name", "device", "fstype"] {
            let given = if key == "name" {
                call.name().to_owned()
            } else {
                args.text(key).unwrap_or_default()
            };
            if given.is_empty() {
                return Err(Stop::Failed(format!("Must provide {key} to mount.mounted")));
            }
        }
        let name = trimmed(call.name());
        let mount = args.flag("mount", true);
        let (at, there) = live(host, &name)?;
        let mut told = match there {
            Value::Mount(live) if mount => compare(call, host, &at, live)?,
            Value::Mount(_) => Told::default(),
            _ => fresh(call, host, &name, at, mount)?,
        };
        if let Some(would) = told.would.take_if(|_| told.acts.is_empty()) {
            return Ok(Plan {
                comment: would,
                verdict: Verdict::WouldChange,
                ..Plan::default()
            });
        }
        let would_mount = told.would.take();
        if args.flag("persist", true) {
            persist(call, host, &name, &mut told)?;
        }
        let would = would_mount.or(told.would);
        if told.acts.is_empty() {
            return Ok(Plan::met(told.comment));
        }
        let would = would.unwrap_or_else(|| told.comment.clone());
        Ok(Plan::change(told.acts, told.changes, told.comment).or_would(would, Some(Args::new())))
    }

    fn on_watch(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = trimmed(call.name());
        let asked = asked(call);
        let (at, there) = live(host, &name)?;
        let argv = [
            "mount",
            "-o",
            &format!("remount,{}", asked.opts),
            "-t",
            &asked.fstype,
            "--",
            &asked.device,
            &name,
        ];
        let acts = match there {
            Value::Mount(live) if again(&live.fstype) => vec![
                Act::assign(at.clone(), there.clone(), Value::Absent),
                Act::assign(at, Value::Absent, wanted(asked)),
            ],
            Value::Mount(_) => {
                let command = Command {
                    runas: Some(asked.user.clone()).filter(|user| !user.is_empty()),
                    ..Command::program(&argv)
                };
                vec![Act::Run {
                    // A remount takes itself back: it is done again when its cause is undone.
                    undo: Some(command.clone()),
                    command,
                    verify: None,
                    touches: Vec::new(),
                }]
            }
            _ => vec![Act::assign(at, Value::Absent, wanted(asked))],
        };
        Ok(Plan::change(acts, Args::new(), format!("{name} remounted")))
    }
}

/// Types that take new options only when they are mounted anew.
fn again(fstype: &str) -> bool {
    fstype.starts_with("nfs") || fstype == "cvfs" || fstype.starts_with("fuse")
}

fn opts(call: &Call<'_>) -> Vec<String> {
    let opts = listed(call.args(), "opts");
    if opts.is_empty() {
        vec!["defaults".to_owned()]
    } else {
        opts
    }
}

fn asked(call: &Call<'_>) -> Asked {
    let text = |key: &str| call.args().text(key).unwrap_or_default();
    Asked {
        device: text("device"),
        fstype: text("fstype"),
        opts: opts(call).join(","),
        user: text("user"),
    }
}

/// Nothing is mounted there.
fn fresh(call: &Call<'_>, host: &Host<'_>, name: &str, at: Address, mount: bool) -> Result<Told, Stop> {
    let path = paths::clean(name).unwrap_or_default();
    let exists = !host.follow(&path)?.is_absent();
    let mkmnt = call.args().flag("mkmnt", false);
    let mut told = Told::default();
    let would = match (mount, exists, mkmnt) {
        (true, true, _) => format!("{name} would be mounted"),
        (true, false, true) => format!("{name} would be created and mounted"),
        (true, false, false) => format!("{name} does not exist and would not be created"),
        (false, true, _) => format!("{name} would not be mounted"),
        (false, false, true) => format!("{name} would be created, but not mounted"),
        (false, false, false) => format!("{name} does not exist and would neither be created nor mounted"),
    };
    if !exists && mkmnt {
        let perms = Perms::owner(call, host)?;
        told.acts = make_point(host, &path, &perms)?;
    }
    if !mount {
        told.comment = match (exists, mkmnt) {
            (true, _) => format!("{name} not mounted"),
            (false, true) => format!("{name} was created, not mounted"),
            (false, false) => format!("{name} not present and not mounted"),
        };
        told.would = Some(would).filter(|_| !told.acts.is_empty());
        return Ok(told);
    }
    told.would = Some(would);
    if !exists && !mkmnt {
        if call.test {
            return Ok(told);
        }
        return Err(Stop::failed("Mount directory is not present"));
    }
    told.acts
        .push(Act::assign(at, Value::Absent, wanted(asked(call))));
    told.changes.insert("mount".to_owned(), true.into());
    "Target was successfully mounted".clone_into(&mut told.comment);
    Ok(told)
}

/// Something is mounted there: is it the wanted thing, with the wanted options?
fn compare(call: &Call<'_>, host: &Host<'_>, at: &Address, live: &Mount) -> Result<Told, Stop> {
    let args = call.args();
    let asked = asked(call);
    let assign = || Act::assign(at.clone(), Value::Mount(live.clone()), wanted(asked.clone()));
    let mut told = Told::default();
    let device = fuse_device(&asked.device);
    let real = resolved(host, device)?;
    let mut devices = vec![live.device.clone()];
    if live.device.starts_with('/') {
        devices.push(paths::real(host, &live.device)?);
    }
    devices.extend(Some(live.bind.clone()).filter(|bind| !bind.is_empty()));
    if let Some(asked) = live
        .asked
        .as_ref()
        .filter(|_| !live.device.starts_with('/') || real.contains('='))
    {
        devices.push(asked.device.clone());
    }
    devices.dedup();
    if !devices.contains(&real)
        && !devices
            .iter()
            .any(|known| known == device || *known == asked.device)
    {
        for pattern in args.texts("device_name_regex") {
            let pattern = regex::compile(&format!("^(?:{pattern})"), regex::Flags::default())?;
            for device in &devices {
                if regex::found(&pattern, device)? {
                    told.comment = format!(
                        "An umount will not be forced because device matched device_name_regex: {device}"
                    );
                    return Ok(told);
                }
            }
        }
        let resolved = if real == device {
            String::new()
        } else {
            format!(" ({real})")
        };
        let why = format!(
            "Forced unmount because devices don't match. Wanted: {device}{resolved}, current: {}",
            devices.join(", ")
        );
        told.changes = one("umount", why);
        told.changes.insert("mount".to_owned(), true.into());
        told.acts.push(assign());
        "Target was successfully mounted".clone_into(&mut told.comment);
        told.would = Some(format!(
            "An umount would have been forced because devices do not match.  Watched: {device}"
        ));
        return Ok(told);
    }
    "Target was already mounted".clone_into(&mut told.comment);
    let (missing, gone) = options::wrong(call, host, live, &opts(call))?;
    let wrong = if missing.is_empty() { gone } else { missing }.join(",");
    if !wrong.is_empty() {
        let how = if again(&live.fstype) {
            "unmount and mount"
        } else {
            "remount"
        };
        told.changes = one(
            "umount",
            format!("Forced {how} because options ({wrong}) changed"),
        );
        told.acts.push(assign());
        told.would = Some(format!(
            "Remount would be forced because options ({wrong}) changed"
        ));
    }
    Ok(told)
}

/// The line of the fstab.
fn persist(call: &Call<'_>, host: &Host<'_>, name: &str, told: &mut Told) -> Result<(), Stop> {
    let args = call.args();
    let number = |key: &str| Ok::<_, Stop>(args.number(key)?.unwrap_or(0).to_string());
    let asked = asked(call);
    let (dump, pass) = (number("dump")?, number("pass_num")?);
    let entry = Entry::new(&asked.device, name, &asked.fstype, &asked.opts, &dump, &pass);
    let fstab = Fstab::read(call, host)?;
    let (line, text) = fstab.with(call, &entry, false)?;
    let mounted = args.flag("mount", true);
    let sentence = match (line, mounted) {
        (Line::Present, _) => String::new(),
        (Line::New, true) => {
            format!("{name} is mounted, but needs to be written to the fstab in order to be made persistent.")
        }
        (Line::New, false) => {
            format!("{name} needs to be written to the fstab in order to be made persistent.")
        }
        (Line::Change, true) => format!("{name} is mounted, but its fstab entry must be updated."),
        (Line::Change, false) => format!("The {name} fstab entry must be updated."),
    };
    if !sentence.is_empty() {
        told.would = Some(format!("{}. {sentence}", told.comment));
        told.acts.push(fstab.write(host, &text));
    }
    let (did, change) = match line {
        Line::Present => ("Entry already exists in the fstab.", None),
        Line::New => ("Added new entry to the fstab.", Some("new")),
        Line::Change => ("Updated the entry in the fstab.", Some("update")),
    };
    told.comment = format!("{}. {did}", told.comment);
    if let Some(change) = change {
        told.changes.insert("persist".to_owned(), change.into());
    }
    Ok(())
}
