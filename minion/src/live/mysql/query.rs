//! Statements of a state's own (`mysql_query`), run as the agent's own program: no client of a server's is told a password
//! in any other way than by a file.

use proto::{Command, Output, Problem};

use super::super::{Live, failed};
use super::client::complaints;

impl Live {
    /// Runs the statements on a command's input; the rows are its output, with the names of the columns first.
    pub(crate) fn query(&self, command: &Command) -> Result<Output, Problem> {
        let word = |place: usize| command.argv.get(place).map(String::as_str).unwrap_or_default();
        let database = format!("--database={}", word(2));
        let script = command.stdin.as_deref().unwrap_or_default();
        let mut output = self.reach(word(1), &[&database], script, command.timeout)?;
        let said: Vec<String> = complaints(&output.stderr)
            .map(|(_, complaint)| complaint.told())
            .collect();
        output.stderr = said.join("\n");
        if let (Some(path), 0) = (command.argv.get(3), output.code) {
            self.write_rows(path, &output.stdout)?;
        }
        Ok(output)
    }

    /// Rows as Salt writes them: `column:value`, one a line.
    #[expect(
        clippy::disallowed_methods,
        reason = "the file stands in the act's `touches`: it was kept before, and its change is told"
    )]
    fn write_rows(&self, path: &str, rows: &str) -> Result<(), Problem> {
        let mut lines = rows.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let columns = lines.next().unwrap_or_default();
        let mut text = String::new();
        for row in lines {
            for (column, value) in columns.iter().zip(row) {
                text.push_str(&format!("{column}:{value}\n"));
            }
        }
        std::fs::write(self.real(path), text).map_err(|error| failed(format!("cannot write {path}: {error}")))
    }
}
