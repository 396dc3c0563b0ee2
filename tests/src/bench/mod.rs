//! What salt-rs costs on this machine, each figure beside its goal and beside other tools that do the same job.
//!
//! `make bench` runs all sections, `bench NAME…` some. A figure that cannot be had yet says why and does not stop the
//! others. Figures are medians; the machine should be quiet. Nothing is judged here but the goal: whoever reads
//! compares.

mod agent;
mod apply;
mod compile;
mod delay;
mod fleet;
mod job;
mod measure;
mod open;
mod peers;
mod sheet;
mod tree;

pub use sheet::Sheet;

/// A part of the sheet, by the name it is asked for.
pub type Section = (&'static str, fn(&mut Sheet));

/// All parts, in the order they are measured.
pub static SECTIONS: &[Section] = &[
    ("agent", agent::measure),
    ("compile", compile::measure),
    ("apply", apply::measure),
    ("delay", delay::measure),
    ("fleet", fleet::measure),
];
