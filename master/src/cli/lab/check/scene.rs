//! A running lab with the stack on it, as the checks look at it and break it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use lab::http::{self, Request, Response};
use lab::load::{Load, Running};
use lab::os;
use serde_json::Value as Json;

use super::Trouble;
use super::guard::Broken;
use super::interrupt::interrupted;
use super::notes::traffic;
use super::stats::{self, Servers, is_up};
use super::tree::Tree;
use crate::cli::apply::{self, Wish};
use crate::cli::context::Context;
use crate::cli::options::{Common, Selection, Targets};
use crate::cli::rollback::{self, Rollback};
use crate::failure::Failure;
use crate::lab::folder::Folder;
use crate::lab::wire::{self, Answer, Fault};
use crate::report::RunResult;
use crate::report::screen::{Screen, Volume};
use crate::settings;

/// How long the lab may take to be whole again after something was put back: a reboot, health checks, replication.
const WHOLE: Duration = Duration::from_secs(90);
/// How long one request of a check may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Where the balancers tell of their servers.
const STATISTICS: u16 = 9000;

/// A host of the lab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli::lab) struct Member {
    pub(in crate::cli::lab) name: String,
    pub(in crate::cli::lab) ip: IpAddr,
    pub(in crate::cli::lab) roles: Vec<String>,
}

/// The lab, the commands that reach it, and where it is broken.
pub(in crate::cli::lab) struct Scene {
    common: Common,
    screen: Screen,
    vip: IpAddr,
    hosts: Vec<Member>,
    tree: Tree,
    folder: Folder,
}

impl Scene {
    /// The lab that is up in a directory.
    ///
    /// # Errors
    /// None is, or it has no floating address: then the stack is not on it.
    pub(in crate::cli::lab) fn open(
        folder: &Folder,
        common: &Common,
        screen: Screen,
    ) -> Result<Self, Failure> {
        let status = wire::status(folder)?;
        let vip = status.vip.as_deref().and_then(|vip| vip.parse().ok());
        let vip = vip.ok_or_else(|| {
            Failure::usage(format!("{} names no `vip`", status.file))
                .hint("the checks are those of the stack in vagrant/lab.yaml")
        })?;
        let mut scene = Self {
            common: Common {
                config: Some(folder.file(settings::FILE)),
                ..common.clone()
            },
            screen,
            vip,
            hosts: Vec::new(),
            tree: Tree::new(&folder.file("tree")),
            folder: folder.clone(),
        };
        let roster = scene.context("*")?.roster;
        for (name, host) in &status.hosts {
            let grains = roster.entries.get(name).map(|entry| &entry.grains);
            let roles = grains
                .and_then(|grains| grains.get("roles"))
                .and_then(Json::as_array);
            let roles = roles.into_iter().flatten().filter_map(Json::as_str);
            scene.hosts.push(Member {
                name: name.clone(),
                ip: host.ip.parse().map_err(Failure::bug)?,
                roles: roles.map(str::to_owned).collect(),
            });
        }
        Ok(scene)
    }

    /// The hosts, in the lab file's order.
    pub(in crate::cli::lab) fn hosts(&self) -> &[Member] {
        &self.hosts
    }

    /// The hosts of a role, in the lab file's order: the first is the one that is preferred (the active balancer, the
    /// primary database).
    pub(in crate::cli::lab) fn role(&self, role: &str) -> Vec<&Member> {
        let has = |host: &&Member| host.roles.iter().any(|one| one == role);
        self.hosts.iter().filter(has).collect()
    }

    /// The first host of a role.
    pub(in crate::cli::lab) fn first(&self, role: &str) -> Result<&Member, Trouble> {
        let first = self.role(role).into_iter().next();
        first.ok_or_else(|| Trouble::from(format!("the lab has no host with the role {role}")))
    }

    /// Where clients find the site.
    pub(in crate::cli::lab) fn site(&self) -> SocketAddr {
        (self.vip, 80).into()
    }

    /// The tree the lab is converged from.
    pub(in crate::cli::lab) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Asks the site.
    pub(in crate::cli::lab) fn ask(&self, request: &Request) -> Result<Response, Trouble> {
        self.ask_at(self.site(), request)
    }

    /// Asks a host of the lab.
    pub(in crate::cli::lab) fn ask_at(
        &self,
        address: SocketAddr,
        request: &Request,
    ) -> Result<Response, Trouble> {
        Ok(http::fetch(address, request, ANSWER)?)
    }

    /// The full load: 100 requests a second, reads and writes mixed as clients of the site send them.
    pub(in crate::cli::lab) fn full_load(&self) -> Running {
        let load = Load {
            address: self.site(),
            rate: 100.0,
            connections: 64,
            limit: Duration::from_secs(10),
        };
        load.start(traffic)
    }

    /// Waits until `ask` has an answer. Where asking fails it is asked again; the last failure is told when time is up.
    ///
    /// # Errors
    /// No answer within `limit`, or interrupted.
    pub(in crate::cli::lab) fn until<T>(
        &self,
        what: &str,
        limit: Duration,
        mut ask: impl FnMut() -> Result<Option<T>, Trouble>,
    ) -> Result<T, Trouble> {
        let mut last = None;
        let answer = os::wait_for(limit, || {
            if interrupted() {
                return Some(Err(Trouble::Interrupted));
            }
            match ask() {
                Ok(answer) => answer.map(Ok),
                Err(Trouble::Interrupted) => Some(Err(Trouble::Interrupted)),
                Err(Trouble::Said(cause)) => {
                    last = Some(cause);
                    None
                }
            }
        });
        answer.unwrap_or_else(|| {
            let last = last.map(|cause| format!("; last: {cause}")).unwrap_or_default();
            Err(format!("waited {} s for {what}{last}", limit.as_secs()).into())
        })
    }

    /// The balancer that answers at the floating address.
    pub(in crate::cli::lab) fn active(&self) -> Result<&str, Trouble> {
        // A client that is being failed over does not wait for its first try.
        let response = http::fetch(self.site(), &Request::get("/"), Duration::from_millis(500))?;
        let name = response.header("X-LB").unwrap_or_default();
        let balancers = self.role("haproxy");
        let known = balancers.into_iter().find(|host| host.name == name);
        known
            .map(|host| host.name.as_str())
            .ok_or_else(|| format!("X-LB says {name:?}, which is no balancer").into())
    }

    /// The servers behind a balancer by backend, as it sees them.
    pub(in crate::cli::lab) fn servers(
        &self,
        balancer: &Member,
    ) -> Result<BTreeMap<String, Servers>, Trouble> {
        let request = Request::get("/haproxy_stats;csv");
        let response = http::fetch((balancer.ip, STATISTICS).into(), &request, Duration::from_secs(2))?;
        Ok(stats::parse(&response.body)?)
    }

    /// Waits until nothing is missing: the first balancer holds the floating address, every balancer has all of its
    /// servers, and what is written can be read from the replica.
    ///
    /// # Errors
    /// What was still missing when time was up.
    pub(in crate::cli::lab) fn whole(&self) -> Result<(), Trouble> {
        let preferred = self.first("haproxy")?.name.as_str();
        let (start, mut written) = (Instant::now(), None);
        self.until("the lab to be whole", WHOLE, || {
            for balancer in self.role("haproxy") {
                for (backend, servers) in self.servers(balancer)? {
                    let waits = servers.iter().find(|(_, status)| !is_up(status));
                    if let Some((server, status)) = waits {
                        let name = &balancer.name;
                        return Err(format!("{name}: server {server} of {backend} is {status}").into());
                    }
                }
            }
            let active = self.active()?;
            if active != preferred {
                return Err(format!("{active} holds the floating address, {preferred} does not").into());
            }
            let id = match written {
                Some(id) => id,
                None => *written.insert(self.write_note("whole")?.id),
            };
            let read = self.read_note(id)?;
            read.map(|_| Some(())).ok_or_else(|| {
                format!("note {id} is not on the replica after {:.0?}", start.elapsed()).into()
            })
        })
    }

    /// Runs a shell command line on a host, also on one that is cut off; its output.
    ///
    /// # Errors
    /// The host is down, or the command failed.
    pub(in crate::cli::lab) fn on(&self, host: &str, line: &str) -> Result<String, Trouble> {
        let request = wire::Request::Exec {
            host: host.to_owned(),
            line: line.to_owned(),
        };
        match wire::ask(&self.folder, &request)? {
            Answer::Ended { code: 0, stdout, .. } => Ok(stdout),
            Answer::Ended { code, stdout, stderr } => {
                let said = format!("{stdout}{stderr}");
                Err(format!("`{line}` on {host} ended with {code}: {}", said.trim()).into())
            }
            other => Err(format!("the lab answered {other:?}").into()),
        }
    }

    /// `salt-rs apply` (or `plan`) of a target, in this process.
    ///
    /// # Errors
    /// As the command ends; a host that failed is part of the result.
    pub(in crate::cli::lab) fn apply(
        &self,
        target: &str,
        batch: Option<usize>,
        wish: Wish,
    ) -> Result<RunResult, Failure> {
        let mut context = self.context(target)?;
        context.common.batch = batch.map(|number| number.to_string());
        apply::perform(&Selection::default(), wish, &context)
    }

    /// `salt-rs rollback --run`, in this process, one host after the other.
    ///
    /// # Errors
    /// As the command ends; a host that refused is part of the result.
    pub(in crate::cli::lab) fn rollback(
        &self,
        run: &str,
        batch: Option<usize>,
    ) -> Result<RunResult, Failure> {
        let mut context = self.context("*")?;
        context.common.batch = batch.map(|number| number.to_string());
        rollback::perform(&Rollback::before(run), &context)
    }

    fn context(&self, target: &str) -> Result<Context, Failure> {
        let targets = Targets {
            target: Some(target.to_owned()),
            ..Targets::default()
        };
        // What commands print on the way is not what was asked for.
        let quiet = Screen {
            volume: Volume::Quiet,
            live: false,
            ..self.screen
        };
        Context::load(self.common.clone(), Some(&targets), quiet)
    }

    /// Something that is broken from now on, until it is mended.
    pub(in crate::cli::lab) fn broken<'a>(
        &'a self,
        what: String,
        mend: impl FnOnce() -> Result<(), Trouble> + 'a,
    ) -> Broken<'a> {
        Broken::new(self.screen, what, mend)
    }

    /// Pulls a host's cable.
    pub(in crate::cli::lab) fn cut<'a>(&'a self, host: &'a str) -> Result<Broken<'a>, Trouble> {
        let broken = self.broken(format!("the cable of {host}"), move || {
            self.fault(host, Fault::Heal)
        });
        self.fault(host, Fault::Cut)?;
        Ok(broken)
    }

    /// Has a host reboot; mended it is up again.
    pub(in crate::cli::lab) fn reboot<'a>(&'a self, host: &'a str) -> Broken<'a> {
        let (folder, name) = (self.folder.clone(), host.to_owned());
        let rebooting = thread::spawn(move || wire::fault(&folder, &name, Fault::Reboot));
        self.broken(host.to_owned(), move || match rebooting.join() {
            Ok(booted) => Ok(booted?),
            Err(_) => Err(format!("asking {host} to reboot panicked").into()),
        })
    }

    fn fault(&self, host: &str, fault: Fault) -> Result<(), Trouble> {
        Ok(wire::fault(&self.folder, host, fault)?)
    }
}
