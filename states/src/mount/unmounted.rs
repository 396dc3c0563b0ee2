//! `mount.unmounted`: nothing is mounted at a path.

use proto::{Act, Args, Value};

use super::fstab::{Fstab, path};
use super::{CONFIG, live, trimmed};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mount.unmounted`.
#[derive(Debug)]
pub struct Unmounted;

static SPEC: Spec = Spec {
    state: "mount",
    fun: "unmounted",
    doc: "Make sure that nothing is mounted at the path `name`.\n\nA mount that is in use stays, and the state names who \
          uses it. Rollback mounts it again as it was; what lay in a tmpfs does not come back.",
    params: &[
        Param::new("device", Kind::Text, "Only what is mounted from this device."),
        CONFIG,
        Param::new("persist", Kind::Flag, "Remove the line of the fstab, too."),
        Param::new(
            "user",
            Kind::Text,
            "Accepted; it is unmounted by whoever mounted it.",
        ),
    ],
    free: false,
    watch: true,
    undo: Undo::Compensated,
};

impl State for Unmounted {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        if call.name().is_empty() {
            return Err(Stop::failed("Must provide name to mount.unmounted"));
        }
        let name = trimmed(call.name());
        let device = args.text("device").filter(|device| !device.is_empty());
        let (at, there) = live(host, &name)?;
        let mut acts = Vec::new();
        let mut changes = Args::new();
        let mut comment = "Target was already unmounted".to_owned();
        let mut would = String::new();
        if let Value::Mount(mount) = there
            && device.as_ref().is_none_or(|device| {
                let asked = mount.asked.as_ref().map(|asked| &asked.device);
                *device == mount.device || *device == mount.bind || asked == Some(device)
            })
        {
            acts.push(Act::assign(at, there.clone(), Value::Absent));
            changes.insert("umount".to_owned(), true.into());
            "Target was successfully unmounted".clone_into(&mut comment);
            would = format!("Mount point {name} is mounted but should not be");
        }
        if args.flag("persist", false) {
            let config = path(call);
            let fstab = Fstab::read(call, host)?;
            let field = name.replace(' ', "\\040");
            let found: Vec<_> = fstab.entries().filter(|line| line[1] == field).collect();
            let ours = device
                .as_ref()
                .is_none_or(|device| found.iter().any(|line| line[0] == device));
            if found.is_empty() {
                comment.push_str(". fstab entry not found");
            } else if !ours {
                let device = device.unwrap_or_default();
                comment.push_str(&format!(". fstab entry for device {device} not found"));
            } else {
                acts.push(fstab.write(host, &fstab.without(&field, device.as_deref())));
                changes.insert("persist".to_owned(), "purged".into());
                comment.push_str(". Removed target from fstab");
                if would.is_empty() {
                    would = format!(
                        "Mount point {name} is unmounted but needs to be purged from {config} to be made persistent"
                    );
                }
            }
        }
        if acts.is_empty() {
            return Ok(Plan::met(comment));
        }
        Ok(Plan::change(acts, changes, comment).or_would(would, Some(Args::new())))
    }

    fn on_watch(&self, _call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(Plan::met("Watch not supported in unmounted at this time"))
    }
}
