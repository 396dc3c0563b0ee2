//! The lab as a product: hosts described by a file, kept by a background process, written down as a project.
//!
//! How hosts are made is the business of the crate `lab`. Here are the lab file (`file`), the directory with what a user
//! needs to work with the hosts (`folder`), the process that keeps them (`keeper`) and how other commands speak with it
//! (`wire`). The commands themselves are in `cli/lab`.

pub mod file;
pub mod folder;
pub mod keeper;
pub mod tree;
pub mod wire;

use lab::LabError;
use lab::os::OsError;

use crate::failure::{Failure, Kind};

/// What the lab's troubles mean for a command: nothing was begun, or a host did not do what it should; and the way out.
pub fn failure(error: &LabError) -> Failure {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    let (kind, help) = match error {
        LabError::NotRoot => (Kind::Refused, "run it as root, for example with sudo"),
        LabError::Missing(_) => (Kind::Refused, "install them, then run the command again"),
        LabError::NoFeature { .. } => (
            Kind::Refused,
            "the lab needs a kernel with namespaces, overlay, cgroup2, veth and bridges, and in a container all privileges",
        ),
        LabError::NoSpace { .. } => (
            Kind::Refused,
            "free some, or name fewer hosts: salt-rs lab up HOST…; $SALT_RS_LAB_CACHE moves the cache",
        ),
        LabError::NetworkTaken { .. } => (
            Kind::Refused,
            "take down what has that interface (another lab? see its --dir), or change `network:` in the lab file",
        ),
        LabError::AlreadyUp(_) => (
            Kind::Refused,
            "see `salt-rs lab status`; take it down with `salt-rs lab down`, or use another --dir and network",
        ),
        LabError::NotOurs(_) => (Kind::Refused, "name another directory with --dir"),
        LabError::Os(OsError::Failed { program, .. })
            if ["apt-get", "debootstrap", "npm", "curl"]
                .iter()
                .any(|name| program.starts_with(name)) =>
        {
            (
                Kind::Host,
                "the first time, the lab needs the network: `salt-rs lab prepare` where there is one; \
                 $SALT_RS_LAB_MIRROR names another Debian mirror",
            )
        }
        LabError::Down(_) => (Kind::Host, "boot it with `salt-rs lab fault HOST reboot`"),
        LabError::TooLarge { .. } => (
            Kind::Refused,
            "name a directory on the host's own disk, or one with a limit of its own",
        ),
        LabError::Frozen(_) => (Kind::Host, "let it go on with `salt-rs lab fault HOST thaw`"),
        _ => return Failure::new(Kind::Host, text),
    };
    Failure::new(kind, text).hint(help)
}
