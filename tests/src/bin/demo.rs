//! `make demo`: the README's tour on two real hosts of this machine, each command with what it prints, live.

use std::process::ExitCode;

use harness::{HostSpec, Lab, os, salt_rs_path, tour};

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            os::say(&format!("demo: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), Box<dyn std::error::Error>> {
    os::say("Making two hosts with systemd and sshd of their own …");
    let lab = Lab::up(&[HostSpec::systemd("web1"), HostSpec::systemd("web2")])?;
    let dir = lab.dir().join("tour");
    tour::prepare(&lab, &dir);
    let steps = tour::steps(include_str!("../../../README.md"));
    let announce =
        |step: &tour::Step| format!("printf '\\n\\033[1m$ %s\\033[0m\\n' {}", quoted(&step.command));
    let script = tour::script(&steps, announce);
    let status = tour::shell(&dir, &salt_rs_path(), &script)
        .env("TERM", "xterm")
        .status()?;
    os::say("\nThe hosts are taken down; nothing of them stays.");
    drop(lab);
    if status.success() {
        Ok(())
    } else {
        Err("the tour's last command failed".into())
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
