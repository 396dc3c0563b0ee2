//! The words salt-rs' master and minion share. Pure data and its codec: no I/O, no time, no randomness.
//!
//! | module | words |
//! |---|---|
//! | [`digest`] | [`Digest`]: SHA-256 of bytes, never of values |
//! | [`name`] | [`MinionId`] and [`ChunkId`]: parsed once, then trusted |
//! | [`value`] | [`Address`] and [`Value`]: a place on a host and what is there |
//! | [`question`] | [`Question`], [`Answer`], [`Command`], [`Output`] |
//! | [`act`] | [`Act`], [`Change`], [`PreImage`], [`Fidelity`], [`Problem`] |
//! | [`chunk`] | [`Chunk`], [`Catalog`], requisites and the options every state has |
//! | [`result`] | [`StateResult`] and [`Report`]: what a run tells |
//! | [`journal`] | [`Entry`], [`Generation`]: what a host keeps |
//! | [`frame`] | every frame of the wire, one enum each way |
//! | [`gather`] | [`Gather`] and [`arrange`]: collecting and sorting, small |
//! | [`codec`] | bytes to frames and back, bounded |

pub mod act;
pub mod chunk;
pub mod codec;
pub mod digest;
pub mod frame;
pub mod gather;
pub mod journal;
pub mod mysql;
pub mod name;
pub mod question;
pub mod result;
pub mod value;

pub use act::{Act, Change, Fidelity, Performed, Poke, PreImage, Problem, ProblemKind, Undone};
pub use chunk::{
    Args, Catalog, Chunk, Creates, Guard, Listen, Options, Requisite, RequisiteKind, Retry, RunOptions, Slot,
    Sourced,
};
pub use codec::{CodecError, Decoder};
pub use digest::Digest;
pub use frame::{FromMaster, FromMinion};
pub use gather::{Gather, arrange};
pub use journal::{Entry, Generation, RunHeader};
pub use mysql::{Login, MysqlAt, MysqlKind, Schema, Source};
pub use name::{ChunkId, MinionId};
pub use question::{Answer, Answers, Command, Output, Question};
pub use result::{Cause, Orphan, Outcome, Report, StateResult, Totals};
pub use value::{Account, Address, Asked, Checkout, Group, Meta, Mount, Package, Unit, Value};
