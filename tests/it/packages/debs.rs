//! What the scenes' repository offers.

use harness::debs::Deb;

const STARTED: &str =
    "#!/bin/sh\nset -e\nsystemctl daemon-reload\nsystemctl enable --quiet pk-svc\nsystemctl restart pk-svc\n";
const STOPPED: &str = "#!/bin/sh\nsystemctl stop pk-svc || true\n";
const UNLINKED: &str = "#!/bin/sh\nif [ \"$1\" = purge ]; then\n  rm -f /etc/systemd/system/multi-user.target.wants/pk-svc.service\nfi\nsystemctl daemon-reload\n";
const UNIT: &str = "[Unit]\nDescription=made by a test\n\n[Service]\nExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n";
const CONF: &[(&str, &str)] = &[("conffiles", "/etc/pk-conf.conf\n")];
/// Fails as long as a file is there.
const UNLESS: &str = "#!/bin/sh\nif [ -e /run/pk-fail ]; then\n  echo 'no, not now' >&2\n  exit 1\nfi\n";
/// Waits until a file is there.
const WAITS: &str = "#!/bin/sh\n: > /run/pk-begun\ni=0\nwhile [ ! -e /run/pk-go ] && [ $i -lt 600 ]; do\n  sleep 0.05\n  i=$((i + 1))\ndone\n";

/// All packages of the scenes.
pub(super) const DEBS: &[Deb] = &[
    Deb::new("pk-plain", "1.0"),
    Deb::new("pk-other", "1.0"),
    Deb::new("pk-tool", "1.0"),
    Deb::new("pk-tool", "2.0"),
    Deb::new("pk-lib", "1.0"),
    Deb::new("pk-lib", "2.0"),
    Deb::new("pk-app", "1.0").control("Depends: pk-lib\n"),
    Deb::new("pk-also", "1.0").control("Depends: pk-lib\n"),
    Deb::new("pk-needy", "1.0").control("Depends: pk-tool (>= 2.0)\n"),
    Deb::new("pk-grow", "1.0"),
    Deb::new("pk-grow", "2.0").control("Depends: pk-lib\n"),
    Deb::new("pk-shrink", "1.0").control("Depends: pk-lib\n"),
    Deb::new("pk-shrink", "2.0").control("Conflicts: pk-lib\n"),
    Deb::new("pk-conf", "1.0")
        .files(&[("etc/pk-conf.conf", "level = 1\n")])
        .scripts(CONF),
    Deb::new("pk-conf", "2.0")
        .files(&[("etc/pk-conf.conf", "level = 2\n")])
        .scripts(CONF),
    Deb::new("pk-gain", "1.0"),
    Deb::new("pk-gain", "2.0")
        .files(&[("etc/pk-gain.conf", "new\n")])
        .scripts(&[("conffiles", "/etc/pk-gain.conf\n")]),
    Deb::new("pk-drop", "1.0")
        .files(&[("etc/pk-drop.conf", "old\n")])
        .scripts(&[("conffiles", "/etc/pk-drop.conf\n")]),
    Deb::new("pk-drop", "2.0"),
    Deb::new("pk-broken", "1.0").scripts(&[("postinst", "#!/bin/sh\necho 'pk-broken: no' >&2\nexit 1\n")]),
    Deb::new("pk-half", "1.0").scripts(&[("postinst", UNLESS)]),
    Deb::new("pk-cut", "1.0").scripts(&[(
        "preinst",
        "#!/bin/sh\nif [ -e /run/pk-fail ]; then kill -9 $PPID; sleep 1; fi\n",
    )]),
    Deb::new("pk-stuck", "1.0").scripts(&[("prerm", UNLESS)]),
    Deb::new("pk-slow", "1.0").scripts(&[("postinst", WAITS)]),
    Deb::new("pk-mail-a", "1.0").control("Provides: pk-mail\nConflicts: pk-mail\nReplaces: pk-mail\n"),
    Deb::new("pk-mail-b", "1.0").control("Provides: pk-mail\nConflicts: pk-mail\nReplaces: pk-mail\n"),
    Deb::new("pk-reader", "1.0").control("Depends: pk-mail\n"),
    Deb::new("pk-rival", "1.0").control("Conflicts: pk-tool\nReplaces: pk-tool\n"),
    Deb::new("pk-vital", "1.0").control("Essential: yes\n"),
    Deb::new("pk-guarded", "1.0").control("Protected: yes\n"),
    Deb::new("pk-svc", "1.0")
        .files(&[("lib/systemd/system/pk-svc.service", UNIT)])
        .scripts(&[("postinst", STARTED), ("prerm", STOPPED), ("postrm", UNLINKED)]),
    Deb::new("pk-user", "1.0").scripts(&[(
        "postinst",
        "#!/bin/sh\nset -e\nif ! getent passwd pk-user > /dev/null; then\n  useradd --system --user-group --home-dir /var/lib/pk-user --create-home pk-user\nfi\n",
    )]),
    Deb::new("pk-foreign", "1.0").arch("i386"),
    Deb::new("pk-divert", "1.0")
        .files(&[("usr/bin/pk-pager", "#!/bin/sh\necho diverted\n")])
        .scripts(&[
            (
                "preinst",
                "#!/bin/sh\nset -e\ndpkg-divert --package pk-divert --rename --divert /usr/bin/pk-pager.orig --add /usr/bin/pk-pager > /dev/null\n",
            ),
            (
                "postrm",
                "#!/bin/sh\nset -e\nif [ \"$1\" = remove ]; then\n  dpkg-divert --package pk-divert --rename --remove /usr/bin/pk-pager > /dev/null\nfi\n",
            ),
        ]),
    Deb::new("pk-pager", "1.0").files(&[("usr/bin/pk-pager", "#!/bin/sh\necho plain\n")]),
    Deb::new("pk-choice", "1.0")
        .files(&[("usr/bin/pk-choice-one", "#!/bin/sh\necho one\n")])
        .scripts(&[
            (
                "postinst",
                "#!/bin/sh\nset -e\nupdate-alternatives --quiet --install /usr/bin/pk-choice pk-choice /usr/bin/pk-choice-one 50\n",
            ),
            (
                "prerm",
                "#!/bin/sh\nset -e\nif [ \"$1\" = remove ]; then\n  update-alternatives --quiet --remove pk-choice /usr/bin/pk-choice-one\nfi\n",
            ),
        ]),
    Deb::new("pk-kernel", "1.0"),
    Deb::new("pk-meta", "1.0").control("Depends: pk-app, pk-conf (>= 2.0)\n"),
];
