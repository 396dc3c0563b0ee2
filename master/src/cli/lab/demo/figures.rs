//! The speed figures of the demo, each beside its limit.

use serde_json::{Value as Json, json};

use crate::cli::lab::check::rounded;
use crate::report::screen::{Screen, Tone};

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figure {
    /// What it is.
    pub(super) name: &'static str,
    /// How much.
    pub(super) value: f64,
    /// How much it may be.
    pub(super) limit: f64,
    /// Of what.
    pub(super) unit: &'static str,
}

impl Figure {
    /// Whether it is within its limit.
    pub(super) fn holds(&self) -> bool {
        self.value <= self.limit
    }

    /// The line of the table.
    pub(super) fn line(&self, screen: &Screen) -> String {
        let (word, tone) = if self.holds() {
            ("ok", Tone::Good)
        } else {
            ("OVER", Tone::Bad)
        };
        let Self {
            name,
            value,
            limit,
            unit,
        } = self;
        format!(
            "  {name:<44} {value:>7.1} {unit:<3} of {limit:>6.1} {unit:<3} {}",
            screen.paint(tone, word)
        )
    }

    /// For scripts.
    pub(super) fn document(&self) -> Json {
        json!({
            "name": self.name, "value": rounded(self.value), "limit": self.limit, "unit": self.unit, "ok": self.holds(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::screen::Volume;

    #[test]
    fn a_figure_stands_beside_its_limit() {
        let screen = Screen {
            json: false,
            color: false,
            volume: Volume::Normal,
            live: false,
        };
        let figure = Figure {
            name: "failover",
            value: 2.94,
            limit: 4.0,
            unit: "s",
        };
        assert_eq!(
            figure.line(&screen),
            "  failover                                         2.9 s   of    4.0 s   ok"
        );
        assert!(
            !Figure {
                value: 4.01,
                ..figure
            }
            .holds()
        );
    }
}
