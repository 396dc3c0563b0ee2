//! Reading and taking up what the master remembers of a host between commands: enough to make a converge with nothing
//! to do one round trip. All of it can be lost without harm; it is learnt again at the next contact.

use proto::frame::Chain;
use proto::{Answer, Question};
use serde_json::{Map, Value as Json};

use crate::store::Remembered;

/// Takes up where a host's journal ends; why that cannot be, where it does not go on from the end that was known (J4).
/// Then what was known stays, until somebody accepts the journal as it is.
pub fn hear(id: &str, memory: &mut Remembered, chain: &Chain) -> Option<String> {
    match &memory.head {
        Some(head) if chain.continues == Some(false) => Some(format!(
            "its journal does not go on from the end that was known (generation {}; now it says {}): it was cut, swapped, \
             or put back from a copy. Look with `salt-rs log verify {id}`; `salt-rs log accept {id}` takes it as it is",
            head.generation, chain.generation
        )),
        _ => {
            memory.head = Some(chain.into());
            None
        }
    }
}

/// What is known of a host's grains: those it told, those the roster asserts, which win, and its id.
pub fn known_grains(id: &str, memory: &Remembered, asserted: &Map<String, Json>) -> Map<String, Json> {
    let mut grains = told_grains(memory);
    grains.extend(asserted.clone());
    grains.insert("id".to_owned(), id.into());
    grains
}

/// The grains a host told, as far as it was asked: all of them, or single ones.
fn told_grains(memory: &Remembered) -> Map<String, Json> {
    let mut grains = Map::new();
    for (question, answer) in &memory.answers {
        match (question, answer) {
            (Question::Grains, Answer::Json(Json::Object(all))) => grains.extend(all.clone()),
            (Question::Grain(key), Answer::Json(value)) if !key.contains(':') => {
                grains.insert(key.clone(), value.clone());
            }
            _ => {}
        }
    }
    grains
}
