//! `debconf.set`: answers to the questions a package asks.

use proto::{Act, Address, Args, Command, Meta, Value};
use serde_json::Value as Json;

use crate::args::{plain, truth};
use crate::cmd::failure;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo};

/// `debconf.set`.
#[derive(Debug)]
pub struct Set;

static SPEC: Spec = Spec {
    state: "debconf",
    fun: "set",
    doc: "Answer the questions a package asks when it is configured, before it is installed or anew.",
    params: &[Param::required(
        "data",
        Kind::Map,
        "Questions, each with `type` (such as `boolean` or `password`) and `value`.",
    )],
    free: true,
    watch: false,
    undo: Undo::Compensated,
};

/// debconf's databases: questions, secret answers, and what kind each question is.
const FILES: [&str; 3] = [
    "/var/cache/debconf/config.dat",
    "/var/cache/debconf/passwords.dat",
    "/var/cache/debconf/templates.dat",
];
/// Where answers lie while debconf reads them: they may be secrets, which stand in no command.
const STAGE: &str = "/var/cache/debconf/salt-rs.answers";

/// One answer a state wants.
struct Answer {
    question: String,
    kind: String,
    value: String,
}

impl State for Set {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        let name = call.name();
        let wanted = wanted(call.args())?;
        host.expect(FILES.map(|file| proto::Question::Bytes(file.to_owned())));
        let mut texts = Vec::new();
        for file in FILES {
            texts.push(String::from_utf8_lossy(host.bytes(file)?.unwrap_or_default()).into_owned());
        }
        let (mut changes, mut would) = (Args::new(), Args::new());
        let (mut unchanged, mut lines) = (String::new(), String::new());
        for answer in &wanted {
            let key = &answer.question;
            if answered(&texts, name, answer) {
                unchanged.push_str(&format!("{key} "));
                continue;
            }
            let shown = match answer.kind.as_str() {
                "password" => "(password hidden)".to_owned(),
                _ => answer.value.clone(),
            };
            would.insert(key.clone(), format!("New value: {shown}").into());
            changes.insert(key.clone(), shown.into());
            lines.push_str(&format!("{name} {key} {} {}\n", answer.kind, answer.value));
        }
        if changes.is_empty() {
            return Ok(Plan::met("All specified answers are already set"));
        }
        let mut comment = String::new();
        if !unchanged.is_empty() {
            comment = format!("Unchanged answers: {unchanged}");
        }
        let stage = Value::File {
            content: host.keep(lines.as_str()),
            size: lines.len() as u64,
            meta: Meta {
                mode: 0o600,
                ..Meta::default()
            },
        };
        let there = host.path(STAGE)?.clone();
        let text = format!("debconf-set-selections {STAGE}; code=$?; rm -f {STAGE}; exit $code");
        let mut touches: Vec<String> = FILES.map(str::to_owned).into();
        touches.push(STAGE.to_owned());
        let acts = vec![
            Act::assign(Address::Path(STAGE.to_owned()), there, stage),
            Act::Run {
                command: Command {
                    timeout: Some(120),
                    ..Command::sh(&text)
                },
                undo: None,
                verify: None,
                touches,
            },
        ];
        Ok(Plan::change(acts, changes, comment.clone()).or_would(comment, Some(would)))
    }

    fn report(&self, _call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        match failure(done) {
            Some(why) if !plan.acts.is_empty() => Report {
                result: Some(false),
                comment: format!("Some settings failed to be applied.\n{}", why.trim()),
                warnings: plan.warnings.clone(),
                ..Report::default()
            },
            _ => Report::of(plan, done),
        }
    }
}

/// The answers, checked: they are lines of a file.
fn wanted(args: &Args) -> Result<Vec<Answer>, Stop> {
    let maps: Vec<&Args> = match args.any("data") {
        Some(Json::Object(map)) => vec![map],
        Some(Json::Array(items)) => items.iter().filter_map(Json::as_object).collect(),
        _ => Vec::new(),
    };
    let mut wanted = Vec::new();
    for (question, what) in maps.into_iter().flatten() {
        let what = what.as_object();
        let (Some(kind), Some(value)) = (
            what.and_then(|what| what.text("type")),
            what.and_then(|what| what.get("value")),
        ) else {
            return Err(Stop::Failed(format!("data: {question} needs `type` and `value`")));
        };
        let value = match kind.as_str() {
            "boolean" => truth(value).to_string(),
            _ => plain(value),
        };
        let word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        if !word(question) || !word(&kind) || value.contains('\n') {
            return Err(Stop::Failed(format!(
                "data: {question} cannot be written as one line"
            )));
        }
        wanted.push(Answer {
            question: question.clone(),
            kind,
            value,
        });
    }
    Ok(wanted)
}

/// Whether a package's question has that answer, of that kind.
fn answered(texts: &[String], package: &str, answer: &Answer) -> bool {
    let find = |text: &str, name: &str| -> Option<String> {
        let head = format!("Name: {name}");
        text.split("\n\n")
            .find(|stanza| stanza.lines().any(|line| line == head))
            .map(str::to_owned)
    };
    let field = |stanza: &str, name: &str| -> Option<String> {
        let start = format!("{name}:");
        let line = stanza.lines().find_map(|line| line.strip_prefix(&start));
        line.map(|rest| rest.trim().to_owned())
    };
    let stanza = texts[..2].iter().find_map(|text| find(text, &answer.question));
    let Some(stanza) = stanza else { return false };
    let owners = field(&stanza, "Owners").unwrap_or_default();
    let template = field(&stanza, "Template").unwrap_or_default();
    let kind = find(&texts[2], &template).and_then(|stanza| field(&stanza, "Type"));
    owners.split(", ").any(|owner| owner == package)
        && kind.as_ref() == Some(&answer.kind)
        && field(&stanza, "Value").unwrap_or_default() == answer.value.trim()
}
