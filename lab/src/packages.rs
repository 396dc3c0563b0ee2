//! Small packages of our own in the hosts' repository, each for one thing package states must get right.
//!
//! Kept as data: what is in them is part of the repository's recipe.

/// A package to be built.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// More lines of its control file.
    pub(crate) control: &'static str,
    /// Path, mode, content.
    pub(crate) files: &'static [(&'static str, u32, &'static str)],
    /// Files of its control archive: `conffiles` and maintainer scripts.
    pub(crate) scripts: &'static [(&'static str, &'static str)],
}

const UNIT: &str = "[Unit]\nDescription=A service to be watched\n\n[Service]\nExecStart=/usr/sbin/labd\n\
    ExecReload=/bin/kill -HUP $MAINPID\n\n[Install]\nWantedBy=multi-user.target\n";

// Writes what it was configured with, and how often it has read that, where a test can see it.
const DAEMON: &str = "#!/bin/sh\nreads=0\nload() {\n  reads=$((reads + 1))\n  \
    { echo \"version VERSION\"; echo \"reads $reads\"; cat /etc/labd.conf; } > /run/labd.state\n}\n\
    trap load HUP\nload\nwhile :; do\n  sleep infinity &\n  wait $!\n  kill $! 2> /dev/null\ndone\n";

const START: &str = "#!/bin/sh\nset -e\nif [ \"$1\" = configure ] && [ -d /run/systemd/system ]; then\n  \
    systemctl daemon-reload\n  systemctl enable --quiet labd\n  systemctl restart labd\nfi\n";
const STOP: &str =
    "#!/bin/sh\nset -e\nif [ -d /run/systemd/system ]; then\n  systemctl stop labd || true\nfi\n";
const PURGE: &str = "#!/bin/sh\nset -e\nif [ \"$1\" = purge ]; then\n  rm -f /etc/systemd/system/multi-user.target.wants/labd.service\nfi\n\
    if [ -d /run/systemd/system ]; then\n  systemctl daemon-reload\nfi\n";

/// What the repository offers besides Debian's own packages.
pub(crate) const PACKAGES: &[Package] = &[
    // Two versions and a configuration file that differs: upgrade, downgrade, hold, kept changes.
    Package {
        name: "lab-tool",
        version: "1.0-1",
        control: "",
        files: &[
            ("usr/bin/lab-tool", 0o755, "#!/bin/sh\necho 1.0\n"),
            ("etc/lab-tool.conf", 0o644, "level = 1\n"),
        ],
        scripts: &[("conffiles", "/etc/lab-tool.conf\n")],
    },
    Package {
        name: "lab-tool",
        version: "2.0-1",
        control: "",
        files: &[
            ("usr/bin/lab-tool", 0o755, "#!/bin/sh\necho 2.0\n"),
            ("etc/lab-tool.conf", 0o644, "level = 2\nnew = yes\n"),
        ],
        scripts: &[("conffiles", "/etc/lab-tool.conf\n")],
    },
    // Brings another package with it.
    Package {
        name: "lab-extra",
        version: "1.0-1",
        control: "Depends: lab-tool (>= 1.0)\n",
        files: &[("usr/share/lab-extra/one", 0o644, "one\n")],
        scripts: &[],
    },
    // Takes another package away.
    Package {
        name: "lab-rival",
        version: "1.0-1",
        control: "Conflicts: lab-tool\nReplaces: lab-tool\n",
        files: &[("usr/bin/lab-rival", 0o755, "#!/bin/sh\necho rival\n")],
        scripts: &[],
    },
    // A service, started by its package, that tells what it read.
    Package {
        name: "labd",
        version: "1.0-1",
        control: "",
        files: &[
            ("usr/sbin/labd", 0o755, DAEMON),
            ("etc/labd.conf", 0o644, "greeting = hello\n"),
            ("lib/systemd/system/labd.service", 0o644, UNIT),
        ],
        scripts: &[
            ("conffiles", "/etc/labd.conf\n"),
            ("postinst", START),
            ("prerm", STOP),
            ("postrm", PURGE),
        ],
    },
    Package {
        name: "labd",
        version: "1.1-1",
        control: "",
        files: &[
            ("usr/sbin/labd", 0o755, DAEMON),
            ("etc/labd.conf", 0o644, "greeting = hello\n"),
            ("lib/systemd/system/labd.service", 0o644, UNIT),
        ],
        scripts: &[
            ("conffiles", "/etc/labd.conf\n"),
            ("postinst", START),
            ("prerm", STOP),
            ("postrm", PURGE),
        ],
    },
    // Cannot be configured.
    Package {
        name: "lab-broken",
        version: "1.0-1",
        control: "",
        files: &[("usr/share/lab-broken/one", 0o644, "one\n")],
        scripts: &[("postinst", "#!/bin/sh\necho 'lab-broken: no' >&2\nexit 1\n")],
    },
    // Stays half configured until /run/lab-go exists: the moment to pull the plug.
    Package {
        name: "lab-slow",
        version: "1.0-1",
        control: "",
        files: &[("usr/share/lab-slow/one", 0o644, "one\n")],
        scripts: &[(
            "postinst",
            "#!/bin/sh\n: > /run/lab-slow\ni=0\nwhile [ ! -e /run/lab-go ] && [ $i -lt 600 ]; do\n  sleep 0.05\n  i=$((i + 1))\ndone\n",
        )],
    },
];

impl Package {
    /// File name in the repository.
    pub(crate) fn file(&self) -> String {
        format!("{}_{}_all.deb", self.name, self.version)
    }

    /// The control file.
    pub(crate) fn control_file(&self) -> String {
        format!(
            "Package: {}\nVersion: {}\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\n{}Description: a package to be managed\n",
            self.name, self.version, self.control
        )
    }

    /// A file's content for this version.
    pub(crate) fn content(&self, text: &str) -> String {
        text.replace("VERSION", self.version)
    }
}
