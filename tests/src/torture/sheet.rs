//! What the sweeps found, as a table.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::os;

/// Figures of one sweep over one kind of change.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The sweep.
    pub sweep: String,
    /// What was swept.
    pub kind: String,
    /// Points that were tried.
    pub points: usize,
    /// How the points came out, by a word for it.
    pub outcomes: BTreeMap<&'static str, usize>,
    /// How long it took.
    pub took: Duration,
    /// What must not be, with the command that shows it again.
    pub breaches: Vec<String>,
}

impl Tally {
    /// Nothing was tried yet.
    pub fn new(sweep: &str, kind: &str) -> Self {
        Self {
            sweep: sweep.to_owned(),
            kind: kind.to_owned(),
            ..Self::default()
        }
    }

    /// Counts a point.
    pub fn count(&mut self, outcome: &'static str) {
        self.points += 1;
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    /// One line of the table.
    pub fn line(&self) -> String {
        let outcomes: Vec<String> = self
            .outcomes
            .iter()
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        format!(
            "{:<7} {:<22} {:>6} {:>8} {:>7.1} s  {}",
            self.sweep,
            self.kind,
            self.points,
            self.breaches.len(),
            self.took.as_secs_f64(),
            outcomes.join(", ")
        )
    }
}

/// The head of the table.
pub fn head() -> String {
    format!(
        "{:<7} {:<22} {:>6} {:>8} {:>9}  {}",
        "sweep", "kind", "points", "breaches", "time", "outcomes"
    )
}

/// Prints the sums by sweep and every breach; whether there is none.
pub fn sums(all: &[Tally]) -> bool {
    let mut sums: Vec<Tally> = Vec::new();
    for tally in all {
        if !sums.iter().any(|sum| sum.sweep == tally.sweep) {
            sums.push(Tally::new(&tally.sweep, "all"));
        }
        for sum in sums.iter_mut().filter(|sum| sum.sweep == tally.sweep) {
            sum.points += tally.points;
            sum.took += tally.took;
            sum.breaches.extend(tally.breaches.iter().cloned());
            for (word, count) in &tally.outcomes {
                *sum.outcomes.entry(word).or_default() += count;
            }
        }
    }
    os::say("");
    for sum in &sums {
        os::say(&sum.line());
    }
    for breach in sums.iter().flat_map(|sum| &sum.breaches) {
        os::say(&format!("\nBREACH {breach}"));
    }
    sums.iter().all(|sum| sum.breaches.is_empty())
}
