//! `salt-rs lab up` and `lab prepare`: from a lab file to hosts that answer.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use clap::Args;
use lab::{Image, LabError, Repo, machine, npm, os};
use serde_json::{Value, json};

use super::Ground;
use crate::failure::{Failure, Kind};
use crate::lab::file::LabFile;
use crate::lab::keeper::{self, News, STAY};
use crate::lab::{failure, wire};
use crate::report::screen::{Tone, Volume};

/// Memory that what is written on one host takes, in MiB; the whole stack was measured with 2.2 GiB on 11.
const DISK_OF_A_HOST: u64 = 220;

/// Which hosts.
#[derive(Debug, Clone, Args)]
pub(super) struct Chosen {
    /// The lab file [default: vagrant/lab.yaml, here or above]
    #[arg(long, value_name = "LAB.yaml")]
    file: Option<PathBuf>,
    /// Hosts of the file; all of them unless some are named
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
}

/// Boot the hosts; returns when all of them answer
///
/// Each step is printed with its time. The first time, the image is built and the packages are fetched; both are kept. A
/// process in the background keeps the hosts; whatever ends it takes them down.
#[derive(Debug, Args)]
pub(super) struct Up {
    #[command(flatten)]
    chosen: Chosen,
}

/// Build the image and fetch the packages, and boot nothing
#[derive(Debug, Args)]
pub(super) struct Prepare {
    /// The lab file [default: vagrant/lab.yaml, here or above]
    #[arg(long, value_name = "LAB.yaml")]
    file: Option<PathBuf>,
}

pub(super) fn up(command: &Up, ground: &Ground) -> Result<u8, Failure> {
    let file = find(&command.chosen, ground)?;
    if ground.folder.is_up() {
        return Err(failure(&LabError::AlreadyUp(ground.folder.dir().to_owned())));
    }
    let mut steps = Steps::new(ground);
    make(&file, &command.chosen, ground, &mut steps)?;
    tell(&file, ground, &steps)
}

/// The same for whoever tells of it in other words.
pub(super) fn make_all(file: Option<&Path>, ground: &Ground) -> Result<(), Failure> {
    let chosen = Chosen {
        file: file.map(Path::to_owned),
        hosts: Vec::new(),
    };
    make(&find(&chosen, ground)?, &chosen, ground, &mut Steps::new(ground))
}

fn make(file: &LabFile, chosen: &Chosen, ground: &Ground, steps: &mut Steps<'_>) -> Result<(), Failure> {
    ready(file, ground, steps)?;
    ground.folder.make().map_err(|error| failure(&error))?;
    let begun = cached(file, steps).and_then(|()| boot(file, chosen, ground, steps));
    if let Err(problem) = begun {
        // What is half made goes; why it failed is what matters more than why it cannot be removed.
        ground.folder.clear().ok();
        return Err(problem);
    }
    steps.end();
    Ok(())
}

/// As `prepare`, for whoever tells of it in other words.
pub(super) fn prepare_all(file: Option<&Path>, ground: &Ground) -> Result<(), Failure> {
    let file = file.map(Path::to_owned);
    prepare(&Prepare { file }, ground).map(drop)
}

pub(super) fn prepare(command: &Prepare, ground: &Ground) -> Result<u8, Failure> {
    let chosen = Chosen {
        file: command.file.clone(),
        hosts: Vec::new(),
    };
    let file = find(&chosen, ground)?;
    let mut steps = Steps::new(ground);
    programs(&mut steps)?;
    cached(&file, &mut steps)?;
    steps.end();
    if ground.screen.json {
        ground.screen.document(&json!({ "steps": steps.done }));
    }
    Ok(0)
}

/// The background process.
pub(super) fn keep(command: &Chosen, ground: &Ground) -> Result<u8, Failure> {
    let file = find(command, ground)?;
    keeper::keep(&ground.folder, file, &ground.around).map(|()| 0)
}

fn find(chosen: &Chosen, ground: &Ground) -> Result<LabFile, Failure> {
    LabFile::find(chosen.file.as_deref(), &ground.around.directory)?.only(&chosen.hosts)
}

/// Everything that can be known to be wrong before anything is made.
fn ready(file: &LabFile, ground: &Ground, steps: &mut Steps<'_>) -> Result<(), Failure> {
    programs(steps)?;
    steps.begin("this machine");
    let all = || -> Result<(), LabError> {
        machine::features()?;
        ground.folder.place(file.network).vacant()?;
        let hosts = file.hosts.len();
        machine::memory(hosts, DISK_OF_A_HOST * u64::try_from(hosts).unwrap_or(u64::MAX))?;
        machine::disk(ground.folder.dir(), 64)
    };
    all().map_err(|error| failure(&error))
}

fn programs(steps: &mut Steps<'_>) -> Result<(), Failure> {
    if !machine::is_root() {
        return Err(failure(&LabError::NotRoot));
    }
    let missing = machine::missing();
    if !missing.is_empty() {
        steps.begin("programs, with apt-get");
        machine::install(&missing).map_err(|error| failure(&error))?;
    }
    Ok(())
}

/// The image and the packages, which `lab prepare` makes, too.
fn cached(file: &LabFile, steps: &mut Steps<'_>) -> Result<(), Failure> {
    steps.begin("image");
    let image = Image::of(file.image, &[]).map_err(|error| failure(&error))?;
    steps.begin("packages");
    Repo::of(&image, &file.packages).map_err(|error| failure(&error))?;
    if !file.npm.is_empty() {
        steps.begin("npm packages");
        npm::packages(&file.npm).map_err(|error| failure(&error))?;
    }
    Ok(())
}

/// Starts the process that keeps the hosts and waits until they are up.
fn boot(file: &LabFile, chosen: &Chosen, ground: &Ground, steps: &mut Steps<'_>) -> Result<(), Failure> {
    let mut keeper = start(file, chosen, ground)?;
    let gone = || {
        let log = os::read(&ground.folder.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log[log.len().saturating_sub(2000)..]).into_owned();
        Failure::new(
            Kind::Host,
            format!("the process that keeps the hosts ended: {}", log.trim()),
        )
        .hint("nothing is left of the lab; try again")
    };
    let out = keeper.stdout.take().ok_or_else(gone)?;
    let mut end = gone();
    for line in BufReader::new(out).lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(News::Step(step)) => steps.begin(&step),
            Ok(News::Ready) => {
                let mut stdin = keeper.stdin.take().ok_or_else(gone)?;
                return writeln!(stdin, "{STAY}").map_err(|_| gone());
            }
            Ok(News::Failed { message, help, code }) => {
                let kind = if code == Kind::Refused.exit_code() {
                    Kind::Refused
                } else {
                    Kind::Host
                };
                end = Failure::new(kind, message);
                end = match help {
                    Some(help) => end.hint(help),
                    None => end,
                };
                break;
            }
            Err(_) => end = gone(),
        }
    }
    drop(keeper.stdin.take());
    // Its last act is to take down what it made.
    keeper.wait().ok();
    if end.diagnostics.iter().all(|one| one.message.ends_with("ended: ")) {
        end = gone();
    }
    Err(end)
}

fn start(file: &LabFile, chosen: &Chosen, ground: &Ground) -> Result<Child, Failure> {
    let cannot =
        |error: &dyn std::fmt::Display| Failure::bug(format!("cannot start the lab's keeper: {error}"));
    let program = std::env::current_exe().map_err(|error| cannot(&error))?;
    // Its own session: the end of this terminal is not the end of the lab.
    let mut command = os::command("setsid");
    command
        .arg(program)
        .args(["lab", "keep", "--dir"])
        .arg(ground.folder.dir());
    command.arg("--file").arg(&file.file).args(&chosen.hosts);
    // It stands in nobody's way.
    command.current_dir("/");
    let log = os::append(&ground.folder.log()).map_err(|error| failure(&error.into()))?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    command.spawn().map_err(|error| cannot(&error))
}

/// The last words: which hosts there are and how to go on.
fn tell(file: &LabFile, ground: &Ground, steps: &Steps<'_>) -> Result<u8, Failure> {
    let (screen, folder) = (ground.screen, &ground.folder);
    if screen.json {
        let mut document = serde_json::to_value(wire::status(folder)?).map_err(Failure::bug)?;
        document["steps"] = json!(steps.done);
        document["duration_ms"] = json!(steps.since.elapsed().as_millis());
        screen.document(&document);
        return Ok(0);
    }
    let seconds = steps.since.elapsed().as_secs_f64();
    screen.out(screen.paint(
        Tone::Good,
        format!("{} hosts are up after {seconds:.1} s", file.hosts.len()),
    ));
    let config = folder.file("salt-rs.yaml");
    let first = file
        .hosts
        .first()
        .map(|host| host.name.as_str())
        .unwrap_or_default();
    screen.out(format!(
        "\nNext: salt-rs --config {} plan\n      salt-rs lab ssh {first}\n      salt-rs lab down",
        config.display()
    ));
    Ok(0)
}

/// The steps of a command, each told with its time once it is over.
struct Steps<'g> {
    ground: &'g Ground,
    since: Instant,
    step: Option<(String, Instant)>,
    done: Vec<Value>,
}

impl<'g> Steps<'g> {
    fn new(ground: &'g Ground) -> Self {
        Self {
            ground,
            since: Instant::now(),
            step: None,
            done: Vec::new(),
        }
    }

    fn begin(&mut self, step: &str) {
        self.end();
        self.step = Some((step.to_owned(), Instant::now()));
    }

    fn end(&mut self) {
        if let Some((step, since)) = self.step.take() {
            let seconds = since.elapsed().as_secs_f64();
            if self.ground.screen.volume != Volume::Quiet {
                self.ground.screen.err(format!("{step:24} {seconds:6.1} s"));
            }
            self.done
                .push(json!({ "step": step, "duration_ms": (seconds * 1000.0) as u64 }));
        }
    }
}
