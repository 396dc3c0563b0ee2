//! `locale.present`: a locale is made.

use proto::{Act, Args, Command, Meta, Question, Value};

use crate::cmd::failure;
use crate::file::whole::Whole;
use crate::plan::one;
use crate::{Call, Done, Host, Plan, Report, Spec, State, Stop, Undo};

/// `locale.present`.
#[derive(Debug)]
pub struct Present;

/// Locales that Debian's `locale-gen` makes.
const WANTED: &str = "/etc/locale.gen";
/// Locales and their character sets that it can make.
const SUPPORTED: &str = "/usr/share/i18n/SUPPORTED";
/// Where all of them lie.
const MADE: &str = "/usr/lib/locale";

static SPEC: Spec = Spec {
    state: "locale",
    fun: "present",
    doc: "Make sure that a locale can be used, such as `de_DE.UTF-8`.",
    params: &[],
    free: false,
    watch: false,
    undo: Undo::Compensated,
};

impl State for Present {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name().trim();
        let list = Command::program(&["locale", "-a"]);
        host.expect([
            Question::Command(list.clone()),
            Question::Bytes(SUPPORTED.to_owned()),
        ]);
        host.expect(Whole::questions(WANTED));
        let there = host.command(list)?;
        if there.stdout.lines().any(|line| normal(line) == normal(name)) {
            return Ok(Plan::met(format!("Locale {name} is already present")));
        }
        let wanted = Whole::read(host, WANTED)?;
        let debian = matches!(wanted.value, Value::File { .. });
        let (locale, codeset) = parts(name);
        let (mut acts, argv) = if debian {
            let line = match name.contains(' ') {
                true => name.to_owned(),
                false => format!("{name} {codeset}"),
            };
            // In a plan an earlier state may bring the list.
            let known = host.bytes(SUPPORTED)?.map(String::from_utf8_lossy);
            let fits = |known: &str| known.lines().any(|other| other.trim() == line);
            if !known.map_or(call.test, |known| fits(&known)) {
                return Err(Stop::Failed(format!(
                    "Failed to generate locale {name}: {line:?} is not in {SUPPORTED}"
                )));
            }
            let text = uncommented(&wanted.text, &line);
            let acts = match text == wanted.text {
                true => Vec::new(),
                false => vec![wanted.write(host, &text, Meta::default())],
            };
            (acts, vec!["locale-gen".to_owned()])
        } else {
            let base = name.split_whitespace().next().unwrap_or_default();
            let words = ["localedef", "-i", locale, "-f", &codeset, base];
            (Vec::new(), words.map(str::to_owned).to_vec())
        };
        acts.push(Act::Run {
            command: Command {
                argv,
                timeout: Some(600),
                ..Command::default()
            },
            undo: None,
            verify: None,
            touches: vec![MADE.to_owned()],
        });
        let did = format!("Generated locale {name}");
        let would = format!("Locale {name} needs to be generated");
        Ok(Plan::change(acts, one("locale", name), did).or_would(would, Some(Args::new())))
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        match failure(done) {
            Some(why) => Report {
                result: Some(false),
                comment: format!("Failed to generate locale {}: {}", call.name(), why.trim()),
                ..Report::default()
            },
            None => Report::of(plan, done),
        }
    }
}

/// Language and territory, with a modifier, and the character set.
fn parts(name: &str) -> (&str, String) {
    let (name, charmap) = name.split_once(' ').unwrap_or((name, ""));
    let (locale, codeset) = name.split_once('.').unwrap_or((name, "ISO-8859-1"));
    let codeset = codeset.split('@').next().unwrap_or_default();
    let codeset = if charmap.is_empty() {
        codeset
    } else {
        charmap.trim()
    };
    (locale, codeset.to_owned())
}

/// A locale as `locale -a` tells it.
fn normal(name: &str) -> String {
    let name = name.split_whitespace().next().unwrap_or_default();
    match name.split_once('.') {
        Some((locale, codeset)) => format!("{locale}.{}", codeset.to_lowercase().replace('-', "")),
        None => name.to_owned(),
    }
}

/// The text with a line that is no comment any more, or added at the end.
fn uncommented(text: &str, line: &str) -> String {
    let bare = |other: &str| other.trim_start_matches(['#', ' ', '\t']).trim_end() == line;
    if text.lines().any(|other| other.trim() == line) {
        return text.to_owned();
    }
    let mut found = false;
    let mut new: String = text
        .lines()
        .map(|other| match bare(other) && !found {
            true => {
                found = true;
                format!("{line}\n")
            }
            false => format!("{other}\n"),
        })
        .collect();
    if !found {
        new.push_str(&format!("{line}\n"));
    }
    new
}
