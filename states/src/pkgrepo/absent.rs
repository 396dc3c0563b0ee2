//! `pkgrepo.absent`: packages do not come from a repository.

use super::{Family, apt, family, yum};
use crate::{Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `pkgrepo.absent`.
#[derive(Debug)]
pub struct Absent;

static SPEC: Spec = Spec {
    state: "pkgrepo",
    fun: "absent",
    doc: "Make sure that a repository is not configured: with apt the line `name` (only its components, where there are \
          more), with yum and dnf the section `name`. A file in which nothing is left goes, too; packages stay.",
    params: &[
        Param::new(
            "keyid",
            Kind::Text,
            "Not supported: remove the key's file with file.absent.",
        ),
        Param::new(
            "refresh",
            Kind::Flag,
            "Read the package lists anew after a change (default true).",
        ),
        Param::new(
            "basedir",
            Kind::Text,
            "The directory of the `*.repo` files (yum; default `/etc/yum.repos.d`).",
        ),
        Param::new("copr", Kind::Text, "Not supported."),
        Param::new("ppa", Kind::Text, "Not supported."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Absent {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        match family(host)? {
            Family::Apt => apt::absent(call, host),
            Family::Yum => yum::absent(call, host),
        }
    }
}
