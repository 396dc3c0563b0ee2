//! What each state function wants: (arguments, answers) to acts. Pure: no file system, no processes, no clock.
//!
//! A state is asked to [`State::plan`]; it reads the host through [`Host`], which either knows the answer or records the
//! question and stops the pass. Plan and apply call the same function, so a plan cannot say something else than an
//! apply does. What a state never has is an `apply` or a `revert`: acts are performed, journaled and undone by the
//! minion's writers, one per address family.

pub mod args;
pub mod doc;
mod hash;
pub mod host;
pub mod paths;
mod perms;
pub mod plan;
mod regex;
pub use regex::glob as fnmatch;
pub mod registry;
pub mod salt;
mod source;
pub mod spec;
pub mod text;
mod yaml;

pub mod alias;
pub mod alternatives;
pub mod apache;
pub mod archive;
pub mod cmd;
pub mod cron;
pub mod debconf;
pub mod environ;
pub mod file;
pub mod gem;
pub mod git;
pub mod group;
pub mod hosts;
pub mod ini;
pub mod iptables;
pub mod kmod;
pub mod locale;
pub mod module;
pub mod mount;
pub mod mysql;
pub mod network;
pub mod nftables;
pub mod npm;
pub mod pip;
pub mod pkg;
pub mod pkgrepo;
pub mod service;
pub mod ssh_auth;
pub mod ssh_known_hosts;
pub mod sysctl;
pub mod test;
pub mod timezone;
pub mod user;

pub use args::ArgsExt;
pub use host::{Host, Stop};
pub use plan::{Done, Plan, Report, Verdict};
pub use registry::{STATES, find};
pub use spec::{Kind, Param, Spec, Undo};

use proto::Chunk;

/// One state function, such as `file.managed`.
pub trait State: Sync {
    /// Its name, parameters and reference text.
    fn spec(&self) -> &'static Spec;

    /// What must be done so that the host is as `call` declares; no acts means it already is.
    ///
    /// # Errors
    /// [`Stop::Ask`] when an answer is missing (the caller answers and calls again), [`Stop::Failed`] when the state
    /// cannot be made true, with Salt's comment.
    fn plan(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop>;

    /// What Salt's `mod_watch` does when a watched state changed and this one's own plan was empty.
    /// Called only where the [`Spec`] says `watch`.
    ///
    /// # Errors
    /// As [`State::plan`].
    fn on_watch(&self, call: &Call<'_>, host: &Host<'_>) -> Result<Plan, Stop> {
        self.plan(call, host)
    }

    /// Salt's result after the acts of `plan` were performed (all, or up to the one that failed).
    fn report(&self, call: &Call<'_>, plan: &Plan, done: &Done<'_>) -> Report {
        let _ = call;
        Report::of(plan, done)
    }
}

/// One call of a state function.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The chunk: id, arguments, sources.
    pub chunk: &'a Chunk,
    /// Chunks this one requires and chunks that require it (`file.directory`'s `clean` keeps what they manage).
    pub related: &'a [&'a Chunk],
    /// What Salt calls `test`: the result will not be applied.
    pub test: bool,
    /// `changes` of the chunks this one watches or has `onchanges` on, for the few functions that look at them.
    pub watched: &'a [proto::ChunkId],
}

impl<'a> Call<'a> {
    /// The `name` argument.
    pub fn name(&self) -> &'a str {
        &self.chunk.id.name
    }

    /// The arguments.
    pub fn args(&self) -> &'a proto::Args {
        &self.chunk.args
    }
}
