//! `pkgrepo.managed`: a repository that packages come from.

use super::{Family, apt, family, yum};
use crate::{ArgsExt, Call, Host, Kind, Param, Plan, Spec, State, Stop, Undo};

/// `pkgrepo.managed`.
#[derive(Debug)]
pub struct Managed;

static SPEC: Spec = Spec {
    state: "pkgrepo",
    fun: "managed",
    doc: "Configure a repository of packages.\n\nWith apt `name` is the whole line as it stands in a `*.list` file; with yum \
          and dnf it is the repository's id, and every argument that is not listed here is a key of its section \
          (`gpgcheck`, `gpgkey`, `sslverify`, …). The package lists are read anew when something changed, so packages that \
          `require` this state find what is in it. Rollback brings the old files back.",
    params: &[
        Param::new("humanname", Kind::Text, "Title of the repository (yum)."),
        Param::new("baseurl", Kind::Text, "Its URL (yum)."),
        Param::new(
            "mirrorlist",
            Kind::Text,
            "URL of a list of mirrors, instead of `baseurl` (yum).",
        ),
        Param::new("enabled", Kind::Flag, "Use it (default true)."),
        Param::new("disabled", Kind::Flag, "The opposite of `enabled`."),
        Param::new("comments", Kind::List, "Remarks that stand beside it."),
        Param::new(
            "file",
            Kind::Text,
            "The file it goes to (apt; default `/etc/apt/sources.list`).",
        ),
        Param::new(
            "dist",
            Kind::Text,
            "The distribution instead of the one in `name` (apt).",
        ),
        Param::new(
            "comps",
            Kind::List,
            "The components instead of those in `name`, commas between them (apt).",
        ),
        Param::new(
            "architectures",
            Kind::List,
            "Only these architectures, commas between them (apt).",
        ),
        Param::new(
            "signed_by",
            Kind::Text,
            "The file of its key, where `name` has no `[signed-by=…]` (apt).",
        ),
        Param::new(
            "key_url",
            Kind::Text,
            "Where its key comes from: `salt://…`, a path, or a URL. It goes to the file of `signed-by`, else to \
             `/etc/apt/trusted.gpg.d` (apt).",
        ),
        Param::new("key_text", Kind::Text, "The key itself (apt)."),
        Param::new(
            "keyid",
            Kind::List,
            "Not supported: keys of a key server; use `key_url`.",
        ),
        Param::new(
            "keyserver",
            Kind::Text,
            "Not supported: keys of a key server; use `key_url`.",
        ),
        Param::new(
            "aptkey",
            Kind::Flag,
            "False demands `signed-by`. The program apt-key itself is never used.",
        ),
        Param::new(
            "allow_insecure_key",
            Kind::Flag,
            "Accept a `key_url` that begins with `http:` (default true).",
        ),
        Param::new(
            "clean_file",
            Kind::Flag,
            "Leave nothing else in the file when it is written.",
        ),
        Param::new(
            "refresh",
            Kind::Flag,
            "Read the package lists anew after a change (default true).",
        ),
        Param::new("refresh_db", Kind::Flag, "The same, by its old name."),
        Param::new(
            "consolidate",
            Kind::Flag,
            "Not supported: rewriting all sources into one file.",
        ),
        Param::new(
            "ppa",
            Kind::Text,
            "Not supported: a PPA has to be asked of launchpad.net.",
        ),
        Param::new("ppa_auth", Kind::Text, "Not supported."),
        Param::new(
            "copr",
            Kind::Text,
            "Not supported: a copr has to be asked of its server.",
        ),
        Param::new(
            "basedir",
            Kind::Text,
            "The directory of the `*.repo` files (yum; default `/etc/yum.repos.d`).",
        ),
        Param::new("strict_config", Kind::Flag, "Accepted."),
    ],
    free: true,
    watch: false,
    undo: Undo::Exact,
};

impl State for Managed {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let args = call.args();
        if args.any("enabled").is_some() && args.any("disabled").is_some() {
            return Err(Stop::failed("Only one of enabled/disabled is allowed"));
        }
        if args.flag("consolidate", false) {
            return Err(Stop::failed(
                "consolidate is not supported: declare the files of /etc/apt one by one",
            ));
        }
        match family(host)? {
            Family::Apt => apt::managed(call, host),
            Family::Yum => yum::managed(call, host),
        }
    }
}
