//! Processes that are not our children, named so that a number used again is never mistaken for them.

use std::fmt;
use std::path::Path;

use crate::LabError;
use crate::os;

/// A process id together with the process's start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pid {
    id: u32,
    start: u64,
}

impl Pid {
    /// This process.
    pub(crate) fn own() -> Result<Self, LabError> {
        Pid::of(std::process::id())
    }

    /// The process that has this id now.
    pub(crate) fn of(id: u32) -> Result<Self, LabError> {
        let stat = os::read_text(Path::new(&format!("/proc/{id}/stat")))?;
        Ok(Pid {
            id,
            start: started(&stat),
        })
    }

    /// The only child of a process.
    pub(crate) fn child_of(id: u32) -> Result<Self, LabError> {
        let path = format!("/proc/{id}/task/{id}/children");
        let text = os::read_text(Path::new(&path))?;
        let child = text.split_whitespace().next().and_then(|word| word.parse().ok());
        Pid::of(child.unwrap_or(0))
    }

    pub(crate) fn alive(self) -> bool {
        Pid::of(self.id).is_ok_and(|now| now == self)
    }

    pub(crate) fn text(self) -> String {
        format!("{} {}\n", self.id, self.start)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, start) = text.trim().split_once(' ')?;
        Some(Pid {
            id: id.parse().ok()?,
            start: start.parse().ok()?,
        })
    }
}

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)
    }
}

/// Field 22 of `stat`; the name in field 2 may hold anything, a closing parenthesis included.
fn started(stat: &str) -> u64 {
    let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
    after
        .split(' ')
        .nth(19)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_its_id_and_its_start() {
        let own = Pid::own().unwrap();
        assert!(own.alive());
        assert_eq!(Pid::parse(&own.text()), Some(own));
        assert!(
            !Pid {
                start: own.start + 1,
                ..own
            }
            .alive()
        );
    }

    #[test]
    fn the_name_of_a_program_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(started(stat), 4242);
    }
}
