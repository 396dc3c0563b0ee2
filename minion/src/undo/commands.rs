//! Commands that take others back, and those that say whether they did (J5).

use proto::{Act, Answer, Command, Question};

use super::rollback::Back;
use crate::system::System;

impl<S: System> Back<'_, S> {
    /// Runs what takes `command` back; an error is the end of the rollback.
    pub(super) fn run(
        &mut self,
        undo: Command,
        command: Command,
        verify: Option<&Command>,
    ) -> Result<(), ()> {
        let text = undo.argv.join(" ");
        self.reached = true;
        let act = Act::Run {
            command: undo.clone(),
            undo: Some(command),
            verify: None,
            touches: Vec::new(),
        };
        let done = self.hands.transact(None, &[act]);
        let Some(done) = self.settle(&text, done)? else {
            return Ok(());
        };
        if done.performed.output.is_some_and(|output| !output.success(&undo)) {
            self.report
                .failed
                .push(format!("the command {text:?} did not succeed"));
        } else if let Some(verify) = verify {
            self.verify(&text, verify);
        }
        Ok(())
    }

    fn verify(&mut self, undo: &str, verify: &Command) {
        let text = verify.argv.join(" ");
        let said = match self
            .hands
            .system
            .answer(&[Question::Command(verify.clone())])
            .pop()
        {
            Some(Answer::Output(output)) if output.success(verify) => return,
            Some(Answer::Output(output)) => {
                let all = [output.stdout.trim(), output.stderr.trim()].join("\n");
                format!("it ended with {}\n{}", output.code, all.trim())
            }
            Some(Answer::Failed(why)) => why,
            _ => "it could not be run".to_owned(),
        };
        self.report.failed.push(format!(
            "the command {undo:?} ran, but {text:?} (verify_undone) says that nothing is undone: {}",
            said.trim_end()
        ));
    }
}
