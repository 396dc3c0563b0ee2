//! `locale.system`: the locale that logins begin with.

use proto::{Args, Meta, Question};

use crate::args::plain;
use crate::file::whole::Whole;
use crate::plan::one;
use crate::{Call, Host, Plan, Spec, State, Stop, Undo};

/// `locale.system`.
#[derive(Debug)]
pub struct System;

/// Where it is kept: on Debian, and everywhere else.
const FILES: [&str; 2] = ["/etc/default/locale", "/etc/locale.conf"];

static SPEC: Spec = Spec {
    state: "locale",
    fun: "system",
    doc: "Set the locale of the host (`LANG`), such as `en_US.UTF-8`.\n\nIt counts for logins and services that start \
          afterwards. `locale.present` makes it.",
    params: &[],
    free: false,
    watch: false,
    undo: Undo::Exact,
};

impl State for System {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "\"'\\$`".contains(c)) {
            return Err(Stop::Failed(format!(
                "Failed to set system locale: {name:?} is no locale"
            )));
        }
        host.expect(FILES.iter().flat_map(|file| Whole::questions(file)));
        host.expect([Question::Grain("os_family".to_owned())]);
        let debian = host.grain("os_family")?.map(plain).as_deref() == Some("Debian");
        let whole = Whole::read(host, if debian { FILES[0] } else { FILES[1] })?;
        let is_lang = |line: &str| line.trim_start().starts_with("LANG=");
        let now = whole.text.lines().find(|line| is_lang(line));
        let now = now.and_then(|line| line.split_once('='));
        if now.is_some_and(|(_, value)| value.trim().trim_matches(['"', '\'']) == name) {
            return Ok(Plan::met(format!("System locale {name} already set")));
        }
        let lines = whole.text.lines().filter(|line| !is_lang(line));
        let mut text: String = lines.map(|line| format!("{line}\n")).collect();
        text.push_str(&format!("LANG={name}\n"));
        let fresh = Meta {
            mode: 0o644,
            ..Meta::default()
        };
        let act = whole.write(host, &text, fresh);
        let did = format!("Set system locale {name}");
        let would = format!("System locale {name} needs to be set");
        Ok(Plan::change(vec![act], one("locale", name), did).or_would(would, Some(Args::new())))
    }
}
