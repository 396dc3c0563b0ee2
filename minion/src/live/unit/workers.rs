//! Programs whose master process goes on with its old workers when it cannot do what its new configuration says: their
//! reload succeeds all the same, and only the missing of new workers shows that it did not.

use super::super::Live;
use super::Shown;

/// Names of such programs.
const PROGRAMS: &[&str] = &["nginx", "haproxy"];

impl Live {
    /// The processes that a unit's main process has started, where they tell whether a reload was one.
    pub(super) fn workers(&self, shown: &Shown) -> Option<Vec<String>> {
        let main = shown.get("MainPID");
        let read = |file: &str| std::fs::read_to_string(self.real(&format!("/proc/{main}/{file}"))).ok();
        PROGRAMS.contains(&read("comm")?.trim_end()).then_some(())?;
        let children = read(&format!("task/{main}/children"))?;
        Some(children.split_whitespace().map(str::to_owned).collect())
    }
}
