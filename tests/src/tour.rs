//! The README's tour: its `console` blocks as a script, and what they print as a reader would see it everywhere.

use std::path::Path;
use std::process::Command;

use crate::lab::Lab;
use crate::os;

/// One command of a `console` block and what the page says it prints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The command line.
    pub command: String,
    /// The lines below it.
    pub output: String,
}

const OPEN: &str = "```console";
const CLOSE: &str = "```";

/// The commands of a page, in order.
pub fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line {
            OPEN => inside = true,
            CLOSE => inside = false,
            _ if !inside => {}
            _ => match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step {
                        command: command.to_owned(),
                        output: String::new(),
                    });
                }
                (None, Some(step)) => {
                    step.output.push_str(line);
                    step.output.push('\n');
                }
                (None, None) => {}
            },
        }
    }
    steps
}

/// The page with the outputs replaced.
pub fn rewritten(page: &str, outputs: &[String]) -> String {
    let mut outputs = outputs.iter();
    let mut out = String::new();
    let mut inside = false;
    for line in page.lines() {
        let command = inside && line.starts_with("$ ");
        match line {
            OPEN => inside = true,
            CLOSE => inside = false,
            _ if inside && !command => continue,
            _ => {}
        }
        out.push_str(line);
        out.push('\n');
        if command {
            out.push_str(outputs.next().map_or("", String::as_str));
        }
    }
    out
}

/// A directory for the tour, with a home that holds the lab's key; the `shop` project finds its roster there.
///
/// # Panics
/// When it cannot be made.
pub fn prepare(lab: &Lab, dir: &Path) {
    let good = |result: Result<(), os::OsError>| result.unwrap_or_else(|err| panic!("{err}"));
    let ssh = dir.join("home/.ssh");
    good(os::make_dir(&ssh));
    let key = os::read(&lab.private_key()).unwrap_or_else(|err| panic!("{err}"));
    good(os::write(&ssh.join("id_ed25519"), key));
    good(os::chmod(&ssh.join("id_ed25519"), 0o600));
    let roster: String = lab
        .hosts()
        .iter()
        .map(|host| format!("{}: {}\n", host.name(), host.ip()))
        .collect();
    good(os::write(&dir.join("roster.yaml"), roster));
    let git = "[user]\n\tname = You\n\temail = you@example.org\n[init]\n\tdefaultBranch = main\n";
    good(os::write(&dir.join("home/.gitconfig"), git));
}

/// A shell that runs the steps one after another, each output between two lines of the marker.
pub fn shell(dir: &Path, program: &Path, script: &str) -> Command {
    let mut command = os::command("bash");
    let path = program
        .parent()
        .unwrap_or(Path::new("/usr/bin"))
        .display()
        .to_string();
    command.current_dir(dir).args(["-c", script]).env_clear();
    command
        .env(
            "PATH",
            format!("{path}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        )
        .env("HOME", dir.join("home"))
        .env("USER", "you")
        .env("LC_ALL", "C.UTF-8");
    command
}

/// The steps as one script; before each line of its own `announce` prints. The roster is put in place once the project
/// is there.
pub fn script(steps: &[Step], announce: impl Fn(&Step) -> String) -> String {
    let mut script = String::new();
    for step in steps {
        script.push_str(&format!("{}\n{}\n", announce(step), step.command));
        if step.command.starts_with("salt-rs init") {
            script.push_str("cp ../roster.yaml .\n");
        }
    }
    script
}

/// Runs the steps and returns what each printed. Progress goes to stderr and comes as it comes; it is left out.
///
/// # Panics
/// When the shell cannot be run.
pub fn outputs(dir: &Path, program: &Path, steps: &[Step]) -> Vec<String> {
    const MARK: &str = "=== step ===";
    let script = script(steps, |_| format!("echo '{MARK}'"));
    let output = os::output(&mut shell(dir, program, &script), b"").unwrap_or_else(|err| panic!("{err}"));
    let line = format!("{MARK}\n");
    output
        .stdout
        .split(line.as_str())
        .skip(1)
        .map(str::to_owned)
        .collect()
}

/// An output without what differs from run to run: ids, commits, fingerprints, digests, addresses, times.
pub fn plain(text: &str, lab: &Lab) -> String {
    let mut text = text.to_owned();
    for (number, host) in lab.hosts().iter().enumerate() {
        text = text.replace(&host.ip(), &format!("192.0.2.{}", 10 + number));
    }
    let rules = [
        (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "01JD2M5Q8TVW3X6Y9Z0A1B2C3D"),
        (
            r"SHA256:[A-Za-z0-9+/]{43}",
            "SHA256:0000000000000000000000000000000000000000000",
        ),
        (r"\b[0-9a-f]{40}\b", "0123456789abcdef0123456789abcdef01234567"),
        (r"\b(at|root@\S+|you@\S+) [0-9a-f]{12}\b", "$1 0123456789ab"),
        (r"you@[A-Za-z0-9.-]+", "you@desk"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-11-20T09:00:00Z"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "2026-11-20 09:00:00 UTC"),
        (r"(by \S+  )[0-9a-f]{20}\b", "${1}0123456789abcdef0123"),
        (r"\b\d+\.\d+s\b", "0.1s"),
        (r"\b\d+ ms\b", "90 ms"),
        (r"\d+ round trips", "9 round trips"),
        (r"pid \d+", "pid 4242"),
        (r"/run/salt-rs-lab\d+/tour/home", "/home/you"),
    ];
    for (pattern, with) in rules {
        let rule = regex::Regex::new(pattern).unwrap_or_else(|err| panic!("{err}"));
        text = rule.replace_all(&text, with).into_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read_and_written_back() {
        let page = "a\n```console\n$ one\n1\n2\n$ two\n```\nb\n```sh\n$ not\n```\n";
        let steps = steps(page);
        assert_eq!(steps.len(), 2);
        assert_eq!(
            (steps[0].command.as_str(), steps[0].output.as_str()),
            ("one", "1\n2\n")
        );
        let outputs: Vec<String> = steps.iter().map(|step| step.output.clone()).collect();
        assert_eq!(rewritten(page, &outputs), page);
    }
}
