//! The process that keeps a lab: it boots the hosts, writes the project, answers other commands, and takes everything
//! down when it ends. Killed, it is the crate's reaper that does.
//!
//! Whoever started it hears of its progress on its standard output, a line of JSON each, until the hosts are up. Until
//! then the starter's end takes the lab with it: a command that was interrupted leaves nothing half made.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use lab::serve::{self, FileServer, Offer};
use lab::{Host, Image, Lab, LabError, Repo, npm, os};
use serde::{Deserialize, Serialize};

use super::file::{LabFile, MASTER, unknown};
use super::folder::Folder;
use super::tree;
use super::wire::{Answer, Fault, HostStatus, Request, Status};
use crate::failure::Failure;
use crate::settings::Surroundings;

/// What the keeper tells its starter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// A step begins.
    Step(String),
    /// The hosts are up; the keeper goes on by itself.
    Ready,
    /// They are not; nothing is left of them.
    Failed {
        /// Why.
        message: String,
        /// The way out.
        help: Option<String>,
        /// The contract's exit status.
        code: u8,
    },
}

/// What the starter answers when it has heard that the hosts are up.
pub const STAY: &str = "stay";

/// A lab that is kept.
#[derive(Debug)]
struct Keeper {
    folder: Folder,
    file: LabFile,
    lab: Lab,
    /// What hosts fetch from elsewhere; without it, from nowhere.
    _server: Option<FileServer>,
    /// One change of the hosts at a time.
    changing: Mutex<()>,
}

/// Boots the hosts, says so, and keeps them until it is told to take them down.
///
/// # Errors
/// When they do not come up. Its starter has been told, too.
pub fn keep(folder: &Folder, file: LabFile, around: &Surroundings) -> Result<(), Failure> {
    let (tell_end, end) = mpsc::channel::<UnixStream>();
    let starter = thread::spawn(starter);
    lab::machine::leave_session();
    let keeper = match up(folder, file, around) {
        Ok(keeper) => Arc::new(keeper),
        Err(error) => {
            let failure = super::failure(&error);
            let first = failure.diagnostics.first();
            tell(&News::Failed {
                message: first.map(|one| one.message.clone()).unwrap_or_default(),
                help: first.and_then(|one| one.help.clone()),
                code: failure.kind.exit_code(),
            });
            return Err(failure);
        }
    };
    let listener = listen(folder).map_err(|error| super::failure(&error))?;
    {
        let keeper = keeper.clone();
        thread::spawn(move || attend(&keeper, &listener, &tell_end));
    }
    tell(&News::Ready);
    // A starter that did not hear it is gone, and wanted none of this.
    if !starter.join().unwrap_or(false) {
        return Ok(());
    }
    let asked = end.recv();
    keeper.lab.down();
    keeper.folder.clear().map_err(|error| super::failure(&error))?;
    if let Ok(stream) = asked {
        // Its end is the answer. Whoever asked may be gone.
        stream.shutdown(Shutdown::Both).ok();
    }
    std::process::exit(0)
}

/// Waits for the starter's word; true when it is that the lab shall stay. Before the hosts are up its end is ours.
fn starter() -> bool {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    if read.is_ok() && line.trim() == STAY {
        return true;
    }
    // The reaper sees our end and takes down what there is by now.
    std::process::exit(130)
}

fn tell(news: &News) {
    let line = serde_json::to_string(news).unwrap_or_default();
    // A starter that is gone is noticed by its silence.
    writeln!(std::io::stdout(), "{line}").ok();
}

fn up(folder: &Folder, file: LabFile, around: &Surroundings) -> Result<Keeper, LabError> {
    let image = Image::of(file.image, &[])?;
    let repo = Repo::of(&image, &file.packages)?;
    let specs: Vec<_> = file.hosts.iter().map(super::file::LabHost::spec).collect();
    let step = |step: &str| tell(&News::Step(step.to_owned()));
    let lab = Lab::up_at(folder.place(file.network), &image, &repo, &specs, &step)?;
    let server = server(&file)?;
    step("project");
    tree::write(folder, &file, &lab, around)?;
    Ok(Keeper {
        folder: folder.clone(),
        file,
        lab,
        _server: server,
        changing: Mutex::default(),
    })
}

/// Starts the file server, on this machine's address in the lab, where there is something to serve.
fn server(file: &LabFile) -> Result<Option<FileServer>, LabError> {
    let mut offers = Vec::new();
    if !file.npm.is_empty() {
        offers.push(Offer::npm(npm::packages(&file.npm)?));
    }
    offers.extend(file.files.iter().map(|dir| Offer::files("/files", dir)));
    if offers.is_empty() {
        return Ok(None);
    }
    let address = SocketAddr::new(file.network.outside().into(), serve::PORT);
    let server = FileServer::http(address, offers);
    let server = server.map_err(|source| os::OsError::File {
        verb: "serve files on",
        path: address.to_string().into(),
        source,
    })?;
    Ok(Some(server))
}

fn listen(folder: &Folder) -> Result<UnixListener, LabError> {
    let path = folder.socket();
    // The directory is root's alone, so there is no moment at which others could connect.
    let listener = UnixListener::bind(&path).map_err(|source| os::OsError::File {
        verb: "listen on",
        path: path.clone(),
        source,
    })?;
    os::chmod(&path, 0o600)?;
    Ok(listener)
}

fn attend(keeper: &Arc<Keeper>, listener: &UnixListener, end: &Sender<UnixStream>) {
    for stream in listener.incoming().flatten() {
        let (keeper, end) = (keeper.clone(), end.clone());
        thread::spawn(move || keeper.answer(stream, &end));
    }
}

impl Keeper {
    fn answer(&self, mut stream: UnixStream, end: &Sender<UnixStream>) {
        let mut line = String::new();
        let limit = 1 << 20;
        if BufReader::new(Read::by_ref(&mut stream).take(limit))
            .read_line(&mut line)
            .is_err()
        {
            return;
        }
        let answer = match serde_json::from_str(&line) {
            Ok(Request::Down) => {
                // The receiver lives as long as the process.
                end.send(stream).ok();
                return;
            }
            Ok(request) => self.obey(request),
            Err(error) => Err(Failure::usage(format!("not a request: {error}"))),
        };
        let answer = answer.unwrap_or_else(|failure| {
            let first = failure.diagnostics.first();
            Answer::Failed {
                message: first.map(|one| one.message.clone()).unwrap_or_default(),
                help: first.and_then(|one| one.help.clone()),
                usage: failure.kind == crate::failure::Kind::Usage,
            }
        });
        if let Ok(text) = serde_json::to_string(&answer) {
            // Whoever asked may be gone.
            stream.write_all(format!("{text}\n").as_bytes()).ok();
        }
    }

    fn obey(&self, request: Request) -> Result<Answer, Failure> {
        match request {
            Request::Status => Ok(Answer::Status(self.status())),
            Request::Address { host } => Ok(Answer::Address(self.host(&host)?.ip())),
            Request::Exec { host, line } => {
                let out = self
                    .host(&host)?
                    .exec(&line)
                    .map_err(|error| super::failure(&error))?;
                Ok(Answer::Ended {
                    code: out.code,
                    stdout: out.stdout,
                    stderr: out.stderr,
                })
            }
            Request::Fault { host, fault } => {
                let _changing = self
                    .changing
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                self.fault(&host, &fault)?;
                Ok(Answer::Done)
            }
            Request::Down => Ok(Answer::Done),
        }
    }

    fn host(&self, name: &str) -> Result<&Host, Failure> {
        let names = self.lab.hosts().iter().map(Host::name);
        self.lab.find(name).ok_or_else(|| unknown(name, names))
    }

    fn fault(&self, host: &str, fault: &Fault) -> Result<(), Failure> {
        let fail = |error| super::failure(&error);
        let cable = if host == MASTER {
            self.lab.cable()
        } else {
            self.host(host)?.cable()
        };
        match fault {
            Fault::Cut => return cable.cut().map_err(fail),
            Fault::Heal => return cable.heal().map_err(fail),
            Fault::Delay(ms) => return cable.delay(Duration::from_millis((*ms).into())).map_err(fail),
            Fault::Loss(percent) => return cable.lose(*percent).map_err(fail),
            _ if host == MASTER => {
                return Err(Failure::usage("of this machine only the cable is broken")
                    .hint("cut, heal, delay or loss"));
            }
            _ => (),
        }
        let host = self.host(host)?;
        let done = match fault {
            Fault::Fill(path) => host.fill(path),
            Fault::Unfill(path) => host.unfill(path),
            Fault::Reboot if host.is_up() => host.reboot(),
            Fault::Reboot => host.start(),
            Fault::Crash => host.crash(),
            Fault::Freeze => host.freeze(),
            _ => host.thaw(),
        };
        done.map_err(fail)
    }

    fn status(&self) -> Status {
        let mut hosts = indexmap::IndexMap::new();
        for host in self.lab.hosts() {
            let usage = host.usage();
            let state = match (host.is_up(), host.is_frozen()) {
                (false, _) => "down",
                (true, true) => "frozen",
                (true, false) => "up",
            };
            let status = HostStatus {
                ip: host.ip(),
                state: state.to_owned(),
                boots: host.boots(),
                processes: usage.processes,
                memory_mib: usage.memory_kib / 1024,
                disk_mib: usage.written >> 20,
                faults: host.faults(),
            };
            hosts.insert(host.name().to_owned(), status);
        }
        Status {
            dir: self.folder.dir().display().to_string(),
            file: self.file.file.display().to_string(),
            network: self.file.network.to_string(),
            vip: self.file.vip.map(|vip| vip.to_string()),
            keeper: std::process::id(),
            memory_mib: hosts.values().map(|host| host.memory_mib).sum(),
            disk_mib: hosts.values().map(|host| host.disk_mib).sum(),
            faults: self.lab.cable().faults(),
            hosts,
        }
    }
}
