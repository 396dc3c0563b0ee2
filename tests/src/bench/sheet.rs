//! The sheet of figures: printed line by line as they come, and kept as JSON for the next comparison.

use std::io::Write;

use serde_json::{Value, json};

/// Why a figure is missing.
pub(crate) type Missing = String;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Bytes,
    Count,
}

/// One figure, the most it should be, and what others need for the same.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) measured: Result<f64, Missing>,
    /// The most it should be, and where that comes from when it was measured itself.
    pub(crate) goal: Option<(f64, &'static str)>,
    /// Others, by name.
    pub(crate) others: Vec<(String, Result<f64, Missing>)>,
}

impl Row {
    pub(crate) fn new(what: impl Into<String>, unit: Unit, measured: Result<f64, Missing>) -> Self {
        Row {
            what: what.into(),
            unit,
            measured,
            goal: None,
            others: Vec::new(),
        }
    }

    /// Sets the most it should be.
    pub(crate) fn at_most(mut self, goal: f64) -> Self {
        self.goal = Some((goal, ""));
        self
    }

    /// Sets another measured figure as the most it should be.
    pub(crate) fn at_most_measured(mut self, goal: &Result<f64, Missing>, of: &'static str) -> Self {
        self.goal = goal.as_ref().ok().map(|goal| (*goal, of));
        self
    }

    fn met(&self) -> Option<bool> {
        Some(*self.measured.as_ref().ok()? <= self.goal?.0)
    }

    fn line(&self) -> String {
        let measured = match &self.measured {
            Ok(figure) => self.unit.show(*figure),
            Err(why) => format!("- ({why})"),
        };
        let mut line = format!("{:<52} {measured:>10}", self.what);
        if let Some((goal, of)) = self.goal {
            let of = if of.is_empty() {
                String::new()
            } else {
                format!(" ({of})")
            };
            let verdict = match self.met() {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "open",
            };
            line.push_str(&format!("   goal {}{of}: {verdict}", self.unit.show(goal)));
        }
        for (name, figure) in &self.others {
            match (figure, &self.measured) {
                (Ok(figure), Ok(own)) => {
                    line.push_str(&format!(
                        "   {name} {} = {:.1}x",
                        self.unit.show(*figure),
                        figure / own
                    ));
                }
                (Ok(figure), Err(_)) => line.push_str(&format!("   {name} {}", self.unit.show(*figure))),
                (Err(why), _) => line.push_str(&format!("   {name} - ({why})")),
            }
        }
        line
    }

    fn json(&self) -> Value {
        let figure =
            |figure: &Result<f64, Missing>| figure.as_ref().map_or(Value::Null, |figure| json!(figure));
        let others: serde_json::Map<_, _> = self
            .others
            .iter()
            .map(|(name, other)| (name.clone(), figure(other)))
            .collect();
        json!({
            "what": self.what, "unit": format!("{:?}", self.unit).to_lowercase(), "measured": figure(&self.measured),
            "goal": self.goal.map(|goal| goal.0), "met": self.met(), "others": others,
        })
    }
}

impl Unit {
    fn show(self, figure: f64) -> String {
        match self {
            Unit::Millis if figure >= 10_000.0 => format!("{:.1} s", figure / 1000.0),
            Unit::Millis if figure >= 10.0 => format!("{figure:.0} ms"),
            Unit::Millis => format!("{figure:.2} ms"),
            Unit::Bytes if figure >= 1_048_576.0 => format!("{:.2} MiB", figure / 1_048_576.0),
            Unit::Bytes if figure >= 10_240.0 => format!("{:.1} KiB", figure / 1024.0),
            Unit::Bytes => format!("{figure:.0} B"),
            Unit::Count => format!("{figure:.1}"),
        }
    }
}

/// All figures measured so far.
pub struct Sheet {
    out: Box<dyn Write>,
    rows: Vec<Row>,
}

impl Sheet {
    /// An empty sheet that is printed to `out`.
    pub fn new(out: Box<dyn Write>) -> Self {
        Sheet {
            out,
            rows: Vec::new(),
        }
    }

    pub(crate) fn title(&mut self, text: &str) {
        self.print(&format!("\n{text}"));
    }

    pub(crate) fn add(&mut self, row: Row) {
        self.print(&row.line());
        self.rows.push(row);
    }

    /// A line after the figures.
    pub fn remark(&mut self, text: &str) {
        self.print(text);
    }

    /// Remarks that belong to the figures.
    pub(crate) fn note(&mut self, text: &str) {
        self.print(&format!("  {text}"));
    }

    fn print(&mut self, line: &str) {
        // Nobody may be reading any more; the figures are kept either way.
        _ = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
    }

    /// All figures as one JSON array.
    pub fn json(&self) -> Value {
        Value::Array(self.rows.iter().map(Row::json).collect())
    }

    /// How many goals were met, missed, and could not be measured.
    pub fn verdict(&self) -> String {
        let goals = self.rows.iter().filter(|row| row.goal.is_some());
        let (mut met, mut missed, mut open) = (0, 0, 0);
        for row in goals {
            match row.met() {
                Some(true) => met += 1,
                Some(false) => missed += 1,
                None => open += 1,
            }
        }
        format!("goals: {met} met, {missed} missed, {open} not measured")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_figure_goal_and_ratios() {
        let mut row = Row::new("no-op", Unit::Millis, Ok(50.0)).at_most(40.0);
        row.others.push(("ansible".to_owned(), Ok(5000.0)));
        row.others
            .push(("pyinfra".to_owned(), Err("not installed".to_owned())));
        let line = row.line();
        let words: Vec<_> = line.split_whitespace().collect();
        let expected = "no-op 50 ms goal 40 ms: MISSED ansible 5000 ms = 100.0x pyinfra - (not installed)";
        assert_eq!(words.join(" "), expected);
    }

    #[test]
    fn what_was_not_measured_is_neither_met_nor_missed() {
        let mut sheet = Sheet::new(Box::new(Vec::new()));
        sheet.add(Row::new("a", Unit::Bytes, Err("not yet".to_owned())).at_most(1.0));
        sheet.add(Row::new("b", Unit::Bytes, Ok(1.0)).at_most(1.0));
        sheet.add(Row::new("c", Unit::Count, Ok(1.0)));
        assert_eq!(sheet.verdict(), "goals: 1 met, 0 missed, 1 not measured");
        assert_eq!(sheet.json()[0]["met"], Value::Null);
        assert_eq!(sheet.json()[1]["met"], true);
    }
}
