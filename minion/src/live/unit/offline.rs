//! Units as their files tell, on a host that systemd does not run (a container, an image being made).

use proto::Unit;

use crate::live::Live;

/// Where unit files lie, first match wins.
static FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// What the files say of a unit; it is never active.
pub(super) fn unit(live: &Live, name: &str) -> Unit {
    let file = FOLDERS.iter().find_map(|folder| {
        [Some(name.to_owned()), template(name)]
            .into_iter()
            .flatten()
            .map(|name| format!("{folder}/{name}"))
            .find(|path| live.real(path).symlink_metadata().is_ok())
    });
    let Some(file) = file else { return Unit::default() };
    let enablement =
        if std::fs::read_link(live.real(&file)).is_ok_and(|to| to == std::path::Path::new("/dev/null")) {
            "masked"
        } else if linked(live, name) {
            "enabled"
        } else if installable(&live.text(&file).unwrap_or_default()) {
            "disabled"
        } else {
            "static"
        };
    Unit {
        known: true,
        active: false,
        enablement: enablement.to_owned(),
    }
}

/// The unit's drop-ins that an administrator or a state has written.
pub(super) fn drop_ins(live: &Live, name: &str) -> impl Iterator<Item = String> + use<> {
    let folder = format!("/etc/systemd/system/{name}.d");
    let entries = std::fs::read_dir(live.real(&folder))
        .into_iter()
        .flatten()
        .flatten();
    entries.filter_map(move |entry| {
        let file = entry.file_name().into_string().ok()?;
        file.ends_with(".conf").then(|| format!("{folder}/{file}"))
    })
}

/// `getty@.service` of `getty@tty1.service`.
fn template(name: &str) -> Option<String> {
    let (stem, rest) = name.split_once('@')?;
    let (_, kind) = rest.rsplit_once('.')?;
    Some(format!("{stem}@.{kind}"))
}

/// Whether something wants or requires it by a link.
fn linked(live: &Live, name: &str) -> bool {
    std::fs::read_dir(live.real("/etc/systemd/system"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let folder = entry.file_name();
            let folder = folder.to_string_lossy();
            folder.ends_with(".wants") || folder.ends_with(".requires")
        })
        .any(|entry| entry.path().join(name).symlink_metadata().is_ok())
}

/// Whether its `[Install]` section says anything.
fn installable(text: &str) -> bool {
    text.lines()
        .map(str::trim)
        .skip_while(|line| *line != "[Install]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .any(|line| {
            ["WantedBy", "RequiredBy", "Alias", "Also"]
                .iter()
                .any(|key| line.starts_with(key))
        })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing;
    use super::*;

    #[test]
    fn files_tell_enablement() {
        let host = testing::host();
        host.write(
            "/lib/systemd/system/a.service",
            "[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n",
        );
        host.write("/lib/systemd/system/s.service", "[Service]\nExecStart=/x\n");
        host.write("/lib/systemd/system/t@.service", "[Install]\nWantedBy=x.target\n");
        host.dir("/etc/systemd/system/multi-user.target.wants");
        host.link("/dev/null", "/etc/systemd/system/m.service");
        let of = |name| unit(&host.live, name).enablement;
        assert_eq!(of("a.service"), "disabled");
        assert_eq!(of("s.service"), "static");
        assert_eq!(of("m.service"), "masked");
        assert_eq!(of("t@1.service"), "disabled");
        assert!(!unit(&host.live, "none.service").known);
        assert_eq!(drop_ins(&host.live, "a.service").count(), 0);
        host.dir("/etc/systemd/system/a.service.d");
        host.write("/etc/systemd/system/a.service.d/more.conf", "[Unit]\n");
        host.write("/etc/systemd/system/a.service.d/more.conf~", "");
        assert_eq!(
            drop_ins(&host.live, "a.service").collect::<Vec<_>>(),
            ["/etc/systemd/system/a.service.d/more.conf"]
        );
        host.link(
            "/lib/systemd/system/a.service",
            "/etc/systemd/system/multi-user.target.wants/a.service",
        );
        assert_eq!(of("a.service"), "enabled");
    }
}
