//! Salt's `apache_module`, `apache_conf` and `apache_site` state modules: what Debian's Apache has enabled.
//!
//! Enabled is what has a link; Debian's own programs make and remove it, with what goes along.

use proto::{Act, Args, Command, Value};

use crate::cmd::failure;
use crate::{Call, Done, Host, Plan, Report, Spec, State, Stop, Undo};

/// One of the six functions: what it is about, and whether that shall be enabled.
#[derive(Debug)]
pub struct Apache {
    spec: &'static Spec,
    /// `mod`, `conf`, `site`: the ending of Debian's programs and the beginning of its directories.
    word: &'static str,
    /// In Salt's comments.
    shown: &'static str,
    /// The ending of what must be linked.
    ending: &'static str,
    enable: bool,
}

const fn spec(state: &'static str, fun: &'static str, doc: &'static str) -> Spec {
    Spec {
        state,
        fun,
        doc,
        params: &[],
        free: false,
        watch: false,
        undo: Undo::Compensated,
    }
}

static MODULE_ENABLED_SPEC: Spec = spec(
    "apache_module",
    "enabled",
    "Make sure that a module of Debian's Apache is enabled.",
);
static MODULE_DISABLED_SPEC: Spec = spec(
    "apache_module",
    "disabled",
    "Make sure that a module of Debian's Apache is disabled.",
);
static CONF_ENABLED_SPEC: Spec = spec(
    "apache_conf",
    "enabled",
    "Make sure that a configuration of Debian's Apache is enabled.",
);
static CONF_DISABLED_SPEC: Spec = spec(
    "apache_conf",
    "disabled",
    "Make sure that a configuration of Debian's Apache is disabled.",
);
static SITE_ENABLED_SPEC: Spec = spec(
    "apache_site",
    "enabled",
    "Make sure that a site of Debian's Apache is enabled.",
);
static SITE_DISABLED_SPEC: Spec = spec(
    "apache_site",
    "disabled",
    "Make sure that a site of Debian's Apache is disabled.",
);

const fn apache(spec: &'static Spec, word: &'static str, shown: &'static str, enable: bool) -> Apache {
    let ending = if matches!(word.as_bytes(), b"mod") {
        ".load"
    } else {
        ".conf"
    };
    Apache {
        spec,
        word,
        shown,
        ending,
        enable,
    }
}

/// `apache_module.enabled`.
pub static MODULE_ENABLED: Apache = apache(&MODULE_ENABLED_SPEC, "mod", "module", true);
/// `apache_module.disabled`.
pub static MODULE_DISABLED: Apache = apache(&MODULE_DISABLED_SPEC, "mod", "module", false);
/// `apache_conf.enabled`.
pub static CONF_ENABLED: Apache = apache(&CONF_ENABLED_SPEC, "conf", "conf", true);
/// `apache_conf.disabled`.
pub static CONF_DISABLED: Apache = apache(&CONF_DISABLED_SPEC, "conf", "conf", false);
/// `apache_site.enabled`.
pub static SITE_ENABLED: Apache = apache(&SITE_ENABLED_SPEC, "site", "site", true);
/// `apache_site.disabled`.
pub static SITE_DISABLED: Apache = apache(&SITE_DISABLED_SPEC, "site", "site", false);

impl Apache {
    const fn done(&self) -> &'static str {
        if self.enable { "enabled" } else { "disabled" }
    }
}

impl State for Apache {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let (name, done) = (call.name(), self.done());
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.starts_with(['-', '.']) || name.is_empty() || !name.chars().all(fine) {
            return Err(Stop::Failed(format!(
                "{name:?} is no name of an Apache {}",
                self.shown
            )));
        }
        let bare = name.trim_end_matches(self.ending);
        let bare = match bare {
            "default" if self.word == "site" => "000-default",
            bare => bare,
        };
        let s = if self.word == "conf" { "" } else { "s" };
        let dir = format!("/etc/apache2/{}{s}-enabled", self.word);
        let link = host.path(&format!("{dir}/{bare}{}", self.ending))?;
        if matches!(link, Value::Link { .. }) == self.enable {
            return Ok(Plan::met(format!("{name} already {done}.")));
        }
        let verb = if self.enable { "en" } else { "dis" };
        let program = format!("a2{verb}{}", self.word);
        let act = Act::Run {
            command: Command {
                timeout: Some(60),
                ..Command::program(&[&program, "-q", bare])
            },
            undo: None,
            verify: None,
            touches: vec![dir, "/var/lib/apache2".to_owned()],
        };
        let mut changes = Args::new();
        let name_if = |there: bool| {
            if there {
                name.into()
            } else {
                serde_json::Value::Null
            }
        };
        changes.insert("old".to_owned(), name_if(!self.enable));
        changes.insert("new".to_owned(), name_if(self.enable));
        let would = format!("Apache {} {name} is set to be {done}.", self.shown);
        Ok(Plan::change(vec![act], changes, "").or_would(would, None))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        match failure(done) {
            Some(why) if !plan.acts.is_empty() => Report {
                result: Some(false),
                comment: format!(
                    "Failed to {} {} Apache {} ({})",
                    self.done().trim_end_matches('d'),
                    call.name(),
                    self.shown,
                    why.trim()
                ),
                warnings: plan.warnings.clone(),
                ..Report::default()
            },
            _ => Report::of(plan, done),
        }
    }
}
