//! `__slot__:salt:mod.fun(args)` in an argument: asked of the host just before the call, in a plan as it is now.

use proto::{Answer, Chunk, Question, Slot};
use serde_json::Value as Json;

use super::Pass;
use crate::guards::{one, walk};
use crate::system::System;

impl<S: System> Pass<'_, S> {
    /// Fills the slots of a chunk that is about to be called.
    ///
    /// # Errors
    /// A function that is not there or fails, for people.
    pub(super) fn fill(&mut self, place: usize) -> Result<(), String> {
        let chunk = &self.catalog.chunks[place];
        if chunk.slots.is_empty() {
            return Ok(());
        }
        let mut filled = chunk.clone();
        let mut args = Json::Object(std::mem::take(&mut filled.args));
        for slot in &chunk.slots {
            let value = value(self.hands.system, slot)?;
            if slot.at == "/name"
                && let Some(name) = value.as_str()
            {
                name.clone_into(&mut filled.id.name);
            }
            if let Some(argument) = args.pointer_mut(&slot.at) {
                *argument = value;
            }
        }
        if let Json::Object(args) = args {
            filled.args = args;
        }
        self.slotted = Some(filled);
        Ok(())
    }

    /// The chunk as its function sees it.
    pub(super) fn called(&self, place: usize) -> &Chunk {
        self.slotted.as_ref().unwrap_or(&self.catalog.chunks[place])
    }
}

fn value<S: System>(system: &mut S, slot: &Slot) -> Result<Json, String> {
    let fun = &slot.call.fun;
    let mut value = match one(system, Question::Call(slot.call.clone())) {
        Answer::Json(value) => value,
        Answer::Failed(why) => return Err(format!("The slot {fun} has no value: {why}")),
        _ => return Err(format!("The slot {fun} has no value: no host has that function")),
    };
    if let Some(path) = &slot.path {
        value = walk(&value, path, '.').cloned().unwrap_or_default();
    }
    if let (Json::String(text), Some(more)) = (&mut value, &slot.append) {
        text.push_str(more);
    }
    Ok(value)
}
