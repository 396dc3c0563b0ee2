//! `make fuzz`: compiles trees that nobody would write, for as long as one likes.
//!
//! `fuzz [SECONDS] [--seed N] [--runs N] [--from INDEX] [--out DIR]` hunts; `fuzz --repro DIR` compiles what lies in a
//! directory. Findings are made small and left in DIR (target/fuzz); a case is its seed and its index.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use harness::fuzz::{Case, Hunt, hunt, once, work};
use harness::os;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            os::say(&format!("fuzz: {error}"));
            ExitCode::from(64)
        }
    }
}

fn run(arguments: &[String]) -> Result<ExitCode, Box<dyn std::error::Error>> {
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--repro", dir] => {
            once(&Case::read(dir.as_ref())?)?;
            return Ok(ExitCode::SUCCESS);
        }
        ["--work", seed, from, runs, progress, limit] => {
            let limit = limit.parse().ok().map(Duration::from_secs);
            work(
                seed.parse()?,
                from.parse()?,
                runs.parse()?,
                progress.as_ref(),
                limit,
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        _ => {}
    }
    let mut plan = Hunt {
        seed: 1,
        from: 0,
        runs: u64::MAX,
        until: None,
        out: PathBuf::from("target/fuzz"),
    };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || rest.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--seed" => plan.seed = value()?.parse()?,
            "--runs" => plan.runs = value()?.parse()?,
            "--from" => plan.from = value()?.parse()?,
            "--out" => plan.out = PathBuf::from(value()?),
            seconds => plan.until = Some(Instant::now() + Duration::from_secs(seconds.parse()?)),
        }
    }
    let (ran, found) = hunt(&std::env::current_exe()?, &plan)?;
    for one in &found {
        os::say(&format!(
            "case {} of seed {}: {}\n  {}",
            one.index,
            plan.seed,
            one.what,
            one.dir.display()
        ));
    }
    os::say(&format!(
        "fuzz: seed {}, {ran} cases, {} went wrong",
        plan.seed,
        found.len()
    ));
    Ok(if found.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
