//! `module.run` and `module.wait`: calls an execution function.
//!
//! Functions that only read are asked of the host. Of those that change something, the ones that states commonly call are acts
//! here; there are no others.

use std::collections::BTreeMap;

use proto::question::Call as Question;
use proto::{Act, Answer, Args, Gather, Poke};
use serde_json::Value as Json;

use crate::args::plain;
use crate::plan::one;
use crate::{ArgsExt, Call, Done, Host, Kind, Param, Plan, Report, Spec, State, Stop, Undo, Verdict};

/// `module.run`.
#[derive(Debug)]
pub struct Run;

/// `module.wait`.
#[derive(Debug)]
pub struct Wait;

static PARAMS: &[Param] = &[
    Param::new(
        "args",
        Kind::List,
        "Positional arguments, in the older form where the name is the function.",
    ),
    Param::new("kwargs", Kind::Map, "Keyword arguments, likewise."),
    Param::new(
        "m_name",
        Kind::Text,
        "The function's own argument `name`, likewise.",
    ),
    Param::new("m_fun", Kind::Text, "Its argument `fun`."),
    Param::new("returner", Kind::Text, "Accepted."),
];

static RUN: Spec = Spec {
    state: "module",
    fun: "run",
    doc: "Call an execution function.\n\nEither `test.echo: [hello]`, the function as an argument, or the older form in which the \
          name is the function. Functions that read can be called, and of those that change something \
          `service.restart`, `service.reload`, `service.systemctl_reload`, `pkg.refresh_db`, `cmd.run` and `cmd.shell`.",
    params: PARAMS,
    free: true,
    watch: true,
    undo: Undo::None,
};

static WAIT: Spec = Spec {
    state: "module",
    fun: "wait",
    doc: "Call an execution function when a watched state changed, else do nothing.\n\nSee `module.run`.",
    params: PARAMS,
    free: true,
    watch: true,
    undo: Undo::None,
};

impl State for Run {
    fn spec(&self) -> &'static Spec {
        &RUN
    }

    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        plan(call, host)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(call, plan, done)
    }
}

impl State for Wait {
    fn spec(&self) -> &'static Spec {
        &WAIT
    }

    fn plan(&self, _call: &Call<'_>, _host: &Host<'_>) -> Result<Plan, Stop> {
        Ok(Plan::met(""))
    }

    fn on_watch(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        plan(call, host)
    }

    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        report(call, plan, done)
    }
}

/// A function with its arguments.
struct Wanted {
    fun: String,
    args: Vec<Json>,
    kwargs: Args,
}

impl Wanted {
    /// The newer form: functions as arguments.
    fn several(call: &Call<'_>) -> Vec<Self> {
        let functions = call.args().iter().filter(|(key, _)| key.contains('.'));
        functions
            .map(|(fun, given)| {
                let mut wanted = Self {
                    // `fun:2` calls the same function once more.
                    fun: fun.split(':').next().unwrap_or(fun).to_owned(),
                    args: Vec::new(),
                    kwargs: Args::new(),
                };
                match given {
                    Json::Null => {}
                    Json::Array(items) => items.iter().for_each(|item| wanted.take(item)),
                    other => wanted.take(other),
                }
                wanted
            })
            .collect()
    }

    fn take(&mut self, item: &Json) {
        match item {
            Json::Object(map) => self.kwargs.extend(map.clone()),
            other => self.args.push(other.clone()),
        }
    }

    /// The older form: the name is the function.
    fn legacy(call: &Call<'_>) -> Self {
        let mut kwargs = Args::new();
        for (key, value) in call.args() {
            match key.as_str() {
                "args" | "kwargs" | "returner" => {}
                key => _ = kwargs.insert(key.strip_prefix("m_").unwrap_or(key).to_owned(), value.clone()),
            }
        }
        if let Some(Json::Object(more)) = call.args().any("kwargs") {
            kwargs.extend(more.clone());
        }
        let args = match call.args().any("args") {
            Some(Json::Array(items)) => items.clone(),
            Some(one) => vec![one.clone()],
            None => Vec::new(),
        };
        Self {
            fun: call.name().to_owned(),
            args,
            kwargs,
        }
    }

    /// The first argument, by place or name.
    fn first(&self, name: &str) -> Option<String> {
        self.args.first().map(plain).or_else(|| self.kwargs.text(name))
    }

    /// What a function that changes something does here; `None` for all others.
    fn act(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Option<Act>, Stop> {
        let unit = || {
            let name = self
                .first("name")
                .ok_or_else(|| Stop::Failed("The following arguments are missing: m_name".to_owned()))?;
            Ok(crate::service::full_name(&name))
        };
        let poke = |unit, how| Some(Act::Poke { unit, how });
        Ok(match self.fun.as_str() {
            "service.systemctl_reload" | "service.daemon_reload" => poke(String::new(), Poke::DaemonReload),
            "service.restart" => poke(unit()?, Poke::Restart),
            "service.reload" | "service.force_reload" => poke(unit()?, Poke::Reload),
            "service.full_restart" => poke(unit()?, Poke::FullRestart),
            "pkg.refresh_db" => Some(Act::Refresh),
            fun if fun.starts_with("cmd.") && !matches!(fun, "cmd.has_exec" | "cmd.which") => {
                let text = self
                    .first("cmd")
                    .ok_or_else(|| Stop::Failed("The following arguments are missing: cmd".to_owned()))?;
                Some(Act::Run {
                    command: crate::cmd::command(call, host, &text)?,
                    undo: None,
                    verify: None,
                    touches: Vec::new(),
                })
            }
            _ => None,
        })
    }

    /// Asks the host.
    fn ask(&self, host: &Host<'_>) -> Result<Option<Json>, Stop> {
        // Caches of modules, which there are none of.
        if self.fun.starts_with("saltutil.") {
            return Ok(Some(true.into()));
        }
        let kwargs: BTreeMap<String, String> = self
            .kwargs
            .iter()
            .map(|(key, value)| (key.clone(), value.to_string()))
            .gather();
        let question = proto::Question::Call(Question {
            fun: self.fun.clone(),
            args: self.args.iter().map(Json::to_string).collect(),
            kwargs,
        });
        Ok(match host.ask(question)? {
            Answer::Json(value) => Some(value.clone()),
            Answer::Text(text) => Some(text.clone().into()),
            _ => None,
        })
    }
}

fn plan(call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
    let several = Wanted::several(call);
    if several.is_empty() {
        return legacy(call, host);
    }
    let (mut acts, mut changes, mut told) = (Vec::new(), Args::new(), Vec::new());
    let (mut missing, mut failed) = (Vec::new(), Vec::new());
    for wanted in &several {
        if let Some(act) = wanted.act(call, host)? {
            acts.push(act);
            changes.insert(wanted.fun.clone(), true.into());
            told.push(format!("{}: True", wanted.fun));
            continue;
        }
        match wanted.ask(host) {
            Ok(Some(value)) if good(&value) => {
                let shown = match &value {
                    Json::Object(map) => map.get("comment").map_or("Success".to_owned(), plain),
                    other => plain(other),
                };
                told.push(format!("{}: {shown}", wanted.fun));
                changes.insert(wanted.fun.clone(), value);
            }
            Ok(Some(value)) => failed.push(format!("'{}': {}", wanted.fun, plain(&value))),
            Ok(None) => missing.push(wanted.fun.clone()),
            Err(Stop::Failed(why)) => failed.push(format!("'{}' failed: {why}", wanted.fun)),
            Err(stop) => return Err(stop),
        }
    }
    let names: Vec<&str> = several.iter().map(|wanted| wanted.fun.as_str()).collect();
    if !missing.is_empty() {
        return Err(Stop::Failed(format!(
            "Unavailable function: {}.",
            missing.join(", ")
        )));
    }
    if call.test {
        return Ok(Plan {
            acts,
            verdict: Verdict::WouldChange,
            comment: format!("Function {} to be executed.", names.join(", ")),
            ..Plan::default()
        });
    }
    let verdict = if failed.is_empty() {
        Verdict::ByActs
    } else {
        Verdict::Failed
    };
    failed.extend(told);
    Ok(Plan {
        acts,
        changes,
        comment: failed.join(", "),
        verdict,
        ..Plan::default()
    })
}

fn legacy(call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
    let wanted = Wanted::legacy(call);
    let fun = &wanted.fun;
    let act = wanted.act(call, host)?;
    let value = match &act {
        Some(_) => Json::Bool(true),
        None => match wanted.ask(host) {
            Ok(Some(value)) => value,
            Ok(None) => return Err(Stop::Failed(format!("Module function {fun} is not available"))),
            Err(Stop::Failed(why)) if !call.test => {
                return Err(Stop::Failed(format!(
                    "Module function {fun} threw an exception. Exception: {why}"
                )));
            }
            Err(Stop::Failed(_)) => Json::Null,
            Err(stop) => return Err(stop),
        },
    };
    if call.test {
        return Ok(Plan {
            acts: act.into_iter().collect(),
            verdict: Verdict::WouldChange,
            comment: format!("Module function {fun} is set to execute"),
            ..Plan::default()
        });
    }
    let verdict = if good(&value) {
        Verdict::ByActs
    } else {
        Verdict::Failed
    };
    Ok(Plan {
        acts: act.into_iter().collect(),
        changes: one("ret", value),
        comment: format!("Module function {fun} executed"),
        verdict,
        ..Plan::default()
    })
}

/// What a command printed is what it gives.
fn report(_call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
    let mut report = Report::of(plan, done);
    let mut outputs = done
        .performed
        .iter()
        .filter_map(|performed| performed.output.as_ref());
    let ran = plan.acts.iter().any(|act| matches!(act, Act::Run { .. }));
    if let Some(output) = outputs.next_back().filter(|_| ran && done.failed.is_none()) {
        for (_, value) in report
            .changes
            .iter_mut()
            .filter(|(_, value)| **value == Json::Bool(true))
        {
            *value = output.stdout.clone().into();
        }
    }
    report
}

/// Whether a returned value is a success, as Salt judges it.
fn good(value: &Json) -> bool {
    match value {
        Json::Bool(value) => *value,
        Json::Object(map) => map.iter().all(|(key, value)| match (key.as_str(), value) {
            ("result", Json::Bool(false)) => false,
            ("retcode", value) => value.as_i64() == Some(0),
            (_, nested @ Json::Object(_)) => good(nested),
            _ => true,
        }),
        _ => true,
    }
}
