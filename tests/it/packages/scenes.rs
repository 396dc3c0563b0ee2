//! The scenes: what a host is like, what a run does to its packages, and how it is taken back.

use super::Step::{self, Apply, Back, BackFails, BackRefused, BackWith, Begin, Fails, Plan, Refused, Run};

/// Name and steps.
pub(super) type Scene = (&'static str, &'static [Step]);

const TOOL_LATEST: &str = "pk-tool:\n  pkg.latest: []\n";

/// All scenes; each begins and ends on a host without any of the packages.
pub(super) const SCENES: &[Scene] = &[
    (
        "install",
        &[Begin("true"), Apply("pk-plain:\n  pkg.installed: []\n"), Back],
    ),
    (
        "install with a new dependency",
        &[
            Begin("true"),
            Plan("pk-app:\n  pkg.installed: []\n", &["pk-lib"]),
            Apply("pk-app:\n  pkg.installed: []\n"),
            Run("apt-mark showauto | grep -x pk-lib"),
            Back,
        ],
    ),
    (
        "the dependency is there, as an automatic one",
        &[
            Begin("apt-get -qy install pk-lib && apt-mark auto pk-lib"),
            Apply("pk-app:\n  pkg.installed: []\n"),
            Back,
        ],
    ),
    (
        "upgrade",
        &[
            Begin("apt-get -qy install pk-tool=1.0"),
            Plan(TOOL_LATEST, &["1.0", "2.0"]),
            Apply(TOOL_LATEST),
            Run("grep 2.0 /usr/share/pk-tool/version"),
            Back,
        ],
    ),
    (
        "upgrade that brings a dependency",
        &[
            Begin("apt-get -qy install pk-grow=1.0"),
            Plan("pk-grow:\n  pkg.latest: []\n", &["pk-lib"]),
            Apply("pk-grow:\n  pkg.latest: []\n"),
            Back,
        ],
    ),
    (
        "upgrade that drives a dependency out",
        &[
            Begin("apt-get -qy install pk-shrink=1.0"),
            Plan("pk-shrink:\n  pkg.latest: []\n", &["pk-lib"]),
            Apply("pk-shrink:\n  pkg.latest: []\n"),
            Run("! test -e /usr/share/pk-lib"),
            Back,
        ],
    ),
    (
        "downgrade",
        &[
            Begin("apt-get -qy install pk-tool=2.0"),
            Apply("pk-tool:\n  pkg.installed:\n    - version: '1.0'\n"),
            Back,
        ],
    ),
    (
        "removal",
        &[
            Begin("apt-get -qy install pk-conf"),
            Apply("pk-conf:\n  pkg.removed: []\n"),
            Run("dpkg-query -W -f '${db:Status-Abbrev}' pk-conf | grep rc"),
            Back,
        ],
    ),
    (
        "removal that takes a dependent along",
        &[
            Begin("apt-get -qy install pk-app"),
            Plan("pk-lib:\n  pkg.removed: []\n", &["pk-app"]),
            Apply("pk-lib:\n  pkg.removed: []\n"),
            Run("! test -e /usr/share/pk-app"),
            Back,
        ],
    ),
    (
        "purge",
        &[
            Begin("apt-get -qy install pk-conf"),
            Apply("pk-conf:\n  pkg.purged: []\n"),
            Back,
        ],
    ),
    (
        "purge of an edited conffile",
        &[
            Begin(
                "apt-get -qy install pk-conf && echo mine >> /etc/pk-conf.conf && chmod 600 /etc/pk-conf.conf",
            ),
            Apply("pk-conf:\n  pkg.purged: []\n"),
            Run("! test -e /etc/pk-conf.conf"),
            Back,
        ],
    ),
    (
        "removed but configured, installed again",
        &[
            Begin("apt-get -qy install pk-conf=1.0 && apt-get -qy remove pk-conf"),
            Apply("pk-conf:\n  pkg.installed: []\n"),
            Back,
        ],
    ),
    (
        "removed but configured with an edit, installed again",
        &[
            Begin(
                "apt-get -qy install pk-conf=1.0 && echo mine >> /etc/pk-conf.conf && apt-get -qy remove pk-conf",
            ),
            Apply("pk-conf:\n  pkg.installed: []\n"),
            Run("grep mine /etc/pk-conf.conf"),
            Back,
        ],
    ),
    (
        "removed but configured, purged",
        &[
            Begin("apt-get -qy install pk-conf=1.0 && apt-get -qy remove pk-conf"),
            Apply("pk-conf:\n  pkg.purged: []\n"),
            Back,
        ],
    ),
    (
        "conffile edited before the upgrade",
        &[
            Begin("apt-get -qy install pk-conf=1.0 && echo mine >> /etc/pk-conf.conf"),
            Apply("pk-conf:\n  pkg.latest: []\n"),
            Run("grep mine /etc/pk-conf.conf && grep 2 /etc/pk-conf.conf.dpkg-dist"),
            Back,
        ],
    ),
    (
        "conffile removed before the upgrade",
        &[
            Begin("apt-get -qy install pk-conf=1.0 && rm /etc/pk-conf.conf"),
            Apply("pk-conf:\n  pkg.latest: []\n"),
            Back,
        ],
    ),
    (
        "a leftover of dpkg's from before stays what it was",
        &[
            Begin(
                "apt-get -qy install pk-conf=1.0 && echo mine >> /etc/pk-conf.conf && echo old > /etc/pk-conf.conf.dpkg-dist && echo older > /etc/pk-conf.conf.dpkg-old",
            ),
            Apply("pk-conf:\n  pkg.latest: []\n"),
            Back,
        ],
    ),
    (
        "conffile managed by us after the installation",
        &[
            Begin("true"),
            Apply(
                "pk-conf:\n  pkg.installed: []\n/etc/pk-conf.conf:\n  file.managed:\n    - contents: ours\n    - require:\n      - pkg: pk-conf\n",
            ),
            Back,
        ],
    ),
    (
        "conffile changed by us and by the new version",
        &[
            Begin("apt-get -qy install pk-conf=1.0"),
            Apply(
                "/etc/pk-conf.conf:\n  file.managed:\n    - contents: ours\npk-conf:\n  pkg.latest:\n    - require:\n      - file: /etc/pk-conf.conf\n",
            ),
            Run("grep ours /etc/pk-conf.conf"),
            Back,
        ],
    ),
    (
        "a conffile that the new version drops",
        &[
            Begin("apt-get -qy install pk-drop=1.0 && echo mine >> /etc/pk-drop.conf"),
            Apply("pk-drop:\n  pkg.latest: []\n"),
            Back,
        ],
    ),
    (
        "a conffile that the new version brings",
        &[
            Begin("apt-get -qy install pk-gain=1.0"),
            Apply("pk-gain:\n  pkg.latest: []\n"),
            Run("test -e /etc/pk-gain.conf"),
            Back,
        ],
    ),
    (
        "a service that was switched off before goes with its package",
        &[
            Begin("apt-get -qy install pk-svc && systemctl disable --quiet --now pk-svc"),
            Apply("pk-svc:\n  pkg.purged: []\n"),
            Back,
        ],
    ),
    (
        "another one holds the lock beyond the limit",
        &[
            Begin(
                "systemd-run --quiet --unit=pk-slow apt-get -qy install pk-slow && until test -e /run/pk-begun; do sleep 0.05; done",
            ),
            Refused(
                "pk-plain:\n  pkg.installed: []\n",
                &["lock-frontend", "apt-get -qy install"],
            ),
            Run("touch /run/pk-go; until ! systemctl is-active -q pk-slow; do sleep 0.05; done"),
        ],
    ),
    (
        "hold",
        &[
            Begin("apt-get -qy install pk-tool=1.0"),
            Apply("pk-tool:\n  pkg.held: []\n"),
            Run("apt-mark showhold | grep -x pk-tool"),
            Back,
        ],
    ),
    (
        "a held package keeps an installation out",
        &[
            Begin("apt-get -qy install pk-tool=1.0 && apt-mark hold pk-tool"),
            Refused("pk-needy:\n  pkg.installed: []\n", &["pk-tool"]),
        ],
    ),
    (
        "unhold",
        &[
            Begin("apt-get -qy install pk-tool=1.0 && apt-mark hold pk-tool"),
            Apply("pk-tool:\n  pkg.unheld: []\n"),
            Run("! apt-mark showhold | grep -x pk-tool"),
            Back,
        ],
    ),
    (
        "an automatic package is upgraded",
        &[
            Begin("apt-get -qy install pk-lib=1.0 pk-app && apt-mark auto pk-lib"),
            Apply("pk-lib:\n  pkg.latest: []\n"),
            Back,
        ],
    ),
    (
        "somebody marks a package meanwhile",
        &[
            Begin("apt-get -qy install pk-lib=1.0 pk-app && apt-mark auto pk-lib"),
            Apply("pk-lib:\n  pkg.latest: []\n"),
            Run("apt-mark manual pk-lib"),
            BackWith(&[], "auto pk-lib"),
        ],
    ),
    (
        "half-configured before us",
        &[
            Begin(
                "touch /run/pk-fail; apt-get -qy install pk-half; rm /run/pk-fail; dpkg-query -W -f '${db:Status-Status}' pk-half | grep -x half-configured",
            ),
            Plan("pk-plain:\n  pkg.installed: []\n", &["pk-half", "finished first"]),
            Apply("pk-plain:\n  pkg.installed: []\n"),
            Run("dpkg-query -W -f '${db:Status-Status}' pk-half | grep -x installed"),
            // What was finished stays finished.
            BackWith(&[], "pk-half"),
        ],
    ),
    (
        "half-installed before us",
        &[
            Begin(
                "touch /run/pk-fail; apt-get -qy install pk-cut; rm /run/pk-fail; dpkg-query -W -f '${db:Status-Status}' pk-cut | grep -x half-installed",
            ),
            Apply("pk-plain:\n  pkg.installed: []\n"),
            Run("dpkg-query -W -f '${db:Status-Status}' pk-cut | grep -x installed"),
            BackWith(&[], "pk-cut"),
        ],
    ),
    (
        "a script fails",
        &[
            Begin("true"),
            Fails("pk-broken:\n  pkg.installed: []\n", &["pk-broken"]),
            Run("dpkg-query -W -f '${db:Status-Status}' pk-broken | grep -x half-configured"),
            Back,
        ],
    ),
    (
        "a script fails on the way back, and is mended",
        &[
            Begin("true"),
            Apply("pk-stuck:\n  pkg.installed: []\n"),
            Run("touch /run/pk-fail"),
            BackFails(&["pk-stuck"]),
            Run("rm /run/pk-fail"),
            Back,
        ],
    ),
    (
        "two packages, one of them fails",
        &[
            Begin("true"),
            Fails(
                "both:\n  pkg.installed:\n    - pkgs: [pk-plain, pk-broken]\n",
                &["pk-broken"],
            ),
            Back,
        ],
    ),
    (
        "another one holds the lock for some seconds",
        &[
            Begin(
                "systemd-run --quiet --unit=pk-slow apt-get -qy install pk-slow && until test -e /run/pk-begun; do sleep 0.05; done",
            ),
            Run("systemd-run --quiet --on-active=3 --timer-property=AccuracySec=100ms touch /run/pk-go"),
            Apply("pk-plain:\n  pkg.installed: []\n"),
            Run("until ! systemctl is-active -q pk-slow; do sleep 0.05; done"),
            BackWith(&[], "pk-slow"),
        ],
    ),
    (
        "the old version has left the index and is in apt's cache",
        &[
            Begin(
                "cp /srv/debs/pk-tool_1.0_all.deb /var/cache/apt/archives/ && apt-get -qy install pk-tool=1.0 && GONE pk-tool_1.0_all",
            ),
            Apply(TOOL_LATEST),
            Run("rm /var/cache/apt/archives/pk-tool_1.0_all.deb"),
            Back,
        ],
    ),
    (
        "the old version is nowhere any more",
        &[
            Begin("apt-get -qy install pk-tool=1.0 && GONE pk-tool_1.0_all"),
            Plan(TOOL_LATEST, &["cannot be undone: the file of pk-tool 1.0"]),
            Apply("pk-tool:\n  pkg.latest: []\n/etc/pk-beside:\n  file.managed:\n    - contents: x\n"),
            BackRefused(&[], &["pk-tool 1.0"]),
            Run("grep 2.0 /usr/share/pk-tool/version && test -e /etc/pk-beside"),
            BackWith(&["--past-irreversible", "--skip-conflicts"], "pk-tool"),
        ],
    ),
    (
        "one provider takes another one's place",
        &[
            Begin("apt-get -qy install pk-mail-a pk-reader"),
            Apply("pk-mail-b:\n  pkg.installed: []\n"),
            Run("! test -e /usr/share/pk-mail-a && test -e /usr/share/pk-reader"),
            Back,
        ],
    ),
    (
        "a package drives another one out",
        &[
            Begin("apt-get -qy install pk-tool=1.0"),
            Plan("pk-rival:\n  pkg.installed: []\n", &["pk-tool"]),
            Apply("pk-rival:\n  pkg.installed: []\n"),
            Run("! test -e /usr/share/pk-tool"),
            Back,
        ],
    ),
    (
        "an essential package stays",
        &[
            Begin("apt-get -qy install pk-vital"),
            Refused("pk-vital:\n  pkg.removed: []\n", &["pk-vital"]),
        ],
    ),
    (
        "a protected package stays",
        &[
            Begin("apt-get -qy install pk-guarded"),
            Refused("pk-guarded:\n  pkg.purged: []\n", &["pk-guarded"]),
        ],
    ),
    (
        "a service that its package starts",
        &[
            Begin("true"),
            Apply("pk-svc:\n  pkg.installed: []\n"),
            Run("systemctl is-active pk-svc && systemctl is-enabled pk-svc"),
            Back,
        ],
    ),
    (
        "a service goes with its package and comes back running",
        &[
            Begin("apt-get -qy install pk-svc"),
            Apply("pk-svc:\n  pkg.purged: []\n"),
            Run("! systemctl is-active pk-svc"),
            Back,
        ],
    ),
    (
        "a user that its package makes",
        &[
            Begin("true"),
            Apply("pk-user:\n  pkg.installed: []\n"),
            Run("getent passwd pk-user"),
            Back,
        ],
    ),
    (
        "a package of another architecture",
        &[
            Begin("dpkg --add-architecture i386 && apt-get -q update"),
            Apply("pk-foreign:i386:\n  pkg.installed: []\n"),
            Run("dpkg-query -W pk-foreign:i386"),
            Back,
        ],
    ),
    (
        "a diversion",
        &[
            Begin("apt-get -qy install pk-pager"),
            Apply("pk-divert:\n  pkg.installed: []\n"),
            Run("pk-pager | grep diverted"),
            Back,
        ],
    ),
    (
        "an alternative",
        &[
            Begin(
                "ln -s /bin/true /usr/local/bin/pk-two && update-alternatives --install /usr/bin/pk-choice pk-choice /usr/local/bin/pk-two 60",
            ),
            Apply("pk-choice:\n  pkg.installed: []\n"),
            Run("update-alternatives --list pk-choice | grep pk-choice-one"),
            Back,
        ],
    ),
    (
        "an alternative that becomes the one in use",
        &[
            Begin("true"),
            Apply("pk-choice:\n  pkg.installed: []\n"),
            Run("pk-choice | grep one"),
            Back,
        ],
    ),
    (
        "somebody upgraded it meanwhile",
        &[
            Begin("true"),
            Apply("pk-tool:\n  pkg.installed:\n    - version: '1.0'\n"),
            Run("apt-get -qy install pk-tool=2.0"),
            BackRefused(&[], &["pk-tool"]),
            BackWith(&["--force"], ""),
        ],
    ),
    (
        "somebody else needs the dependency meanwhile",
        &[
            Begin("true"),
            Apply("pk-app:\n  pkg.installed: []\n"),
            Run("apt-get -qy install pk-also"),
            BackRefused(&[], &["pk-also"]),
        ],
    ),
    (
        "a package that nothing needs is left alone",
        &[
            Begin("apt-get -qy install pk-kernel && apt-mark auto pk-kernel"),
            Apply("pk-app:\n  pkg.installed: []\n"),
            Back,
        ],
    ),
    (
        "many at once: versions up and down, new ones, a dependency, a conffile",
        &[
            Begin(
                "apt-get -qy install pk-conf=1.0 pk-tool=2.0 pk-lib=1.0 && apt-mark auto pk-lib && apt-mark hold pk-tool && echo mine >> /etc/pk-conf.conf",
            ),
            Apply(
                "many:\n  pkg.installed:\n    - pkgs:\n      - pk-meta\n      - pk-lib: '2.0'\n      - pk-also\n",
            ),
            Back,
        ],
    ),
];
