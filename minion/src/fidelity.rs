//! How well acts can be undone, decided from their pre-images: the same words in a plan and in a run (J5).

use proto::{Act, Command, Fidelity, Options, PreImage, Undone};

/// How well the acts of a state can be undone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undoing {
    /// The worst of them; nothing where nothing is done.
    pub grade: Option<Undone>,
    /// What to say about those that are not exact.
    pub notes: Vec<String>,
}

impl Undoing {
    /// Of one transaction.
    pub fn of(acts: &[Act], before: &[PreImage]) -> Self {
        let mut all = Self::default();
        for act in acts {
            match act {
                Act::Run { .. } => all.add(&command(act)),
                Act::Assign { .. } | Act::Poke { .. } => all.add(&Fidelity::Exact),
                Act::Refresh => {}
            }
        }
        for image in before {
            all.add(&image.fidelity);
        }
        all
    }

    /// Goes on with another transaction's.
    pub fn extend(&mut self, other: Self) {
        self.grade = self.grade.max(other.grade);
        for note in other.notes {
            self.note(note);
        }
    }

    fn add(&mut self, fidelity: &Fidelity) {
        self.grade = self.grade.max(Some(fidelity.grade()));
        match fidelity {
            Fidelity::Exact => {}
            Fidelity::Kept => self.note("undone as long as the package file is kept".to_owned()),
            Fidelity::Compensated(text) => self.note(format!("undone with a difference: {text}")),
            Fidelity::Lost(text) => self.note(format!("cannot be undone: {text}")),
        }
    }

    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// How well a command can be undone: by what its state declares, and by nothing else.
fn command(act: &Act) -> Fidelity {
    let Act::Run {
        command,
        undo,
        verify,
        touches,
    } = act
    else {
        return Fidelity::Exact;
    };
    let text = |command: &Command| command.argv.join(" ");
    match (undo, verify) {
        (Some(undo), Some(verify)) => Fidelity::Compensated(format!(
            "the command {:?} takes it back, and {:?} says whether it did",
            text(undo),
            text(verify)
        )),
        (Some(undo), None) => Fidelity::Compensated(format!("the command {:?} takes it back", text(undo))),
        (None, _) if !touches.is_empty() => Fidelity::Compensated(format!(
            "what it changes in {} comes back, nothing else",
            touches.join(", ")
        )),
        (None, _) => Fidelity::Lost(format!(
            "what the command {:?} did: it declares no undo",
            text(command)
        )),
    }
}

/// Gives the first command of a state what the state declares about taking it back.
pub fn declare(acts: &mut [Act], options: &Options) {
    let found = acts.iter_mut().find_map(|act| match act {
        Act::Run {
            command,
            undo,
            verify,
            ..
        } => Some((command, undo, verify)),
        _ => None,
    });
    let Some((command, undo, verify)) = found else {
        return;
    };
    let like = |text: &String| Command {
        argv: vec![text.clone()],
        shell: command.shell.clone().or_else(|| Some("/bin/sh".to_owned())),
        stdin: None,
        success_retcodes: Vec::new(),
        ..command.clone()
    };
    if undo.is_none() {
        *undo = options.undo.as_ref().map(like);
    }
    if undo.is_some() {
        *verify = options.verify_undone.as_ref().map(like);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::{Address, Value};

    fn run(options: &Options, touches: &[&str]) -> Undoing {
        let mut acts = [Act::Run {
            command: Command::program(&["make", "it"]),
            undo: None,
            verify: None,
            touches: touches.iter().map(|&path| path.to_owned()).collect(),
        }];
        declare(&mut acts, options);
        Undoing::of(&acts, &[])
    }

    #[test]
    fn the_worst_counts_and_each_is_told_once() {
        let image = |fidelity| PreImage {
            at: Address::Path("/a".into()),
            was: Value::Absent,
            fidelity,
        };
        let act = [Act::assign(
            Address::Path("/a".into()),
            Value::Absent,
            Value::Absent,
        )];
        assert_eq!(Undoing::of(&act, &[]).grade, Some(Undone::Exact));
        let before = [
            image(Fidelity::Kept),
            image(Fidelity::Lost("data".into())),
            image(Fidelity::Lost("data".into())),
        ];
        let all = Undoing::of(&act, &before);
        assert_eq!(all.grade, Some(Undone::Lost));
        assert_eq!(
            all.notes,
            [
                "undone as long as the package file is kept",
                "cannot be undone: data"
            ]
        );
        assert_eq!(Undoing::of(&[Act::Refresh], &[]), Undoing::default());
    }

    #[test]
    fn commands_are_undone_as_they_declare() {
        let mut options = Options::default();
        assert_eq!(run(&options, &[]).grade, Some(Undone::Lost));
        assert_eq!(run(&options, &["/srv"]).grade, Some(Undone::Compensated));
        options.verify_undone = Some("test ! -e /x".into());
        assert_eq!(run(&options, &[]).grade, Some(Undone::Lost), "nothing to verify");
        options.undo = Some("rm /x".into());
        let all = run(&options, &[]);
        assert_eq!(all.grade, Some(Undone::Compensated));
        assert_eq!(
            all.notes,
            [
                "undone with a difference: the command \"rm /x\" takes it back, and \"test ! -e /x\" says whether it did"
            ]
        );
    }
}
