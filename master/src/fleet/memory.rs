//! Reading and taking up what the master remembers of a host between commands: enough to make a converge with nothing
//! to do one round trip. All of it can be lost without harm; it is learnt again at the next contact.

use proto::{Answer, Question};
use serde_json::{Map, Value as Json};

use crate::store::Remembered;

/// The grains a host told, as far as it was asked: all of them, or single ones.
pub fn told_grains(memory: &Remembered) -> Map<String, Json> {
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
