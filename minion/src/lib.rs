//! The agent's hands: answers, acts, journal, undo. Plain threads, no runtime, no templates, no network.

pub mod journal;
pub mod live;
pub mod system;
