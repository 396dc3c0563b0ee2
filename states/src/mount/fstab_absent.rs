//! `mount.fstab_absent`: a line does not stand in /etc/fstab.

use proto::Args;

use super::fstab::{Fstab, path};
use super::fstab_present::{MOUNT_BY, converted};
use super::{CONFIG, trimmed};
use crate::plan::one;
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `mount.fstab_absent`.
#[derive(Debug)]
pub struct FstabAbsent;

static SPEC: Spec = Spec {
    state: "mount",
    fun: "fstab_absent",
    doc: "Make sure that the device `name` has no line in /etc/fstab for a mount point. What is mounted stays mounted.",
    params: &[
        Param::required("fs_file", Kind::Text, "Where it would be mounted."),
        MOUNT_BY,
        CONFIG,
    ],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for FstabAbsent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let config = path(call);
        let file = trimmed(&call.args().text("fs_file").unwrap_or_default());
        let device = converted(call, host)?;
        let fstab = Fstab::read(call, host)?;
        let field = file.replace(' ', "\\040");
        if !fstab
            .entries()
            .any(|line| line[..2] == [device.as_str(), field.as_str()])
        {
            return Ok(Plan::met(format!("{file} entry is already missing in {config}.")));
        }
        let act = fstab.write(host, &fstab.without(&field, Some(&device)));
        let did = format!("{file} entry removed from {config}.");
        let would = format!("{file} entry will be removed from {config}.");
        Ok(Plan::change(vec![act], one("persist", "removed"), did).or_would(would, Some(Args::new())))
    }
}
