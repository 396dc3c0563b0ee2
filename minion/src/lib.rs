//! The agent's hands: answers, acts, journal, undo. Plain threads, no runtime, no templates, no network.

pub mod blame;
pub mod cli;
pub(crate) mod clock;
pub mod converge;
pub mod dry;
pub mod fake;
pub mod fidelity;
pub mod functions;
pub mod guard;
pub mod guards;
pub mod journal;
pub mod live;
pub mod log;
pub mod meets;
pub(crate) mod meter;
#[cfg(test)]
pub(crate) mod probe;
pub mod readers;
pub mod room;
pub mod runs;
pub mod schedule;
#[cfg(test)]
pub(crate) mod scratch;
pub mod serve;
#[cfg(test)]
mod suite;
pub mod system;
pub mod transact;
pub mod undo;
pub mod verify;
