//! `make torture`: kills the agent, fails its calls, cuts its power, flips its bits, and looks what is left.
//!
//! `torture [SWEEP] [--kind KIND] [--phase apply|rollback] [--point N] [--sample N]`. Without a sweep it is all of them; a
//! breach names the arguments that show it again. Exit status 1 when there is one.

use std::path::PathBuf;
use std::process::ExitCode;

use harness::torture::{Choice, Plan, run, sheet};
use harness::{os, static_agent};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let plan = match parse(&arguments) {
        Ok(plan) => plan,
        Err(error) => {
            os::say(&format!("torture: {error}"));
            return ExitCode::from(64);
        }
    };
    let agent =
        std::env::var_os("SALT_RS_STATIC_AGENT").map_or_else(|| static_agent().to_owned(), PathBuf::from);
    os::say(&sheet::head());
    match run(&agent, &plan, &|tally| os::say(&tally.line())) {
        Ok(all) if sheet::sums(&all) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            os::say(&format!("torture: {error}"));
            ExitCode::from(70)
        }
    }
}

fn parse(arguments: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        sweep: None,
        phase: None,
        choice: Choice {
            kind: None,
            point: None,
            sample: 0,
        },
        seed: 1,
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} wants a value"));
        let number = |text: &String| text.parse().map_err(|_| format!("{text:?} is no number"));
        match argument.as_str() {
            "--kind" => plan.choice.kind = Some(value()?.clone()),
            "--phase" => plan.phase = Some(value()?.clone()),
            "--point" => plan.choice.point = Some(number(value()?)?),
            "--sample" => plan.choice.sample = number(value()?)?,
            "--seed" => plan.seed = number(value()?)? as u64,
            sweep if !sweep.starts_with('-') => plan.sweep = Some(sweep.to_owned()),
            other => return Err(format!("unknown argument {other:?}")),
        }
    }
    Ok(plan)
}
