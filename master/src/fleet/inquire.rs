//! Thinking about one host, asking it as often as needed.

use std::sync::Arc;

use super::prepare::{ROUNDS, ask};
use super::{Fleet, Host, Unready};
use crate::compile::Stop;
use crate::compile::diagnostic::Diagnostic;

/// Something that is found out by thinking, or needs answers of the host first.
pub type Thought<T> = Arc<dyn Fn(&Host) -> Result<T, Stop> + Send + Sync>;

/// Thinks until nothing is left to ask. What the host told before is not used: who calls wants to know how it is now.
///
/// # Errors
/// [`Unready`].
pub async fn inquire<T: Send + 'static>(
    fleet: Fleet,
    mut host: Host,
    thought: Thought<T>,
) -> Result<T, Unready> {
    host.memory.answers.clear();
    let mut contact = None;
    for _ in 0..ROUNDS {
        let (think, of) = (thought.clone(), host.clone());
        let thinking = tokio::task::spawn_blocking(move || think(&of));
        let thought = thinking.await.map_err(|error| {
            Unready::Broken(vec![Diagnostic::error(format!("the compiler panicked: {error}"))])
        })?;
        match thought {
            Ok(found) => return Ok(found),
            Err(Stop::Broken(problems)) => return Err(Unready::Broken(problems)),
            Err(Stop::Ask(questions)) => {
                ask(&fleet, &mut host, &mut contact, questions.into_iter().collect())
                    .await
                    .map_err(Unready::Trouble)?
            }
        }
    }
    let text = format!(
        "{} was asked {ROUNDS} times and there are still questions",
        host.id
    );
    Err(Unready::Broken(vec![Diagnostic::error(text)]))
}
