//! Every state function there is, in documentation order. Registration is by this list alone.

use crate::{State, test};

/// All state functions.
pub static STATES: &[&dyn State] = &[&test::Nop];

/// The state function `state.fun`.
pub fn find(state: &str, fun: &str) -> Option<&'static dyn State> {
    STATES
        .iter()
        .copied()
        .find(|candidate| candidate.spec().state == state && candidate.spec().fun == fun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_documented() {
        let mut seen = std::collections::BTreeSet::new();
        for state in STATES {
            let spec = state.spec();
            assert!(seen.insert(spec.name()), "{} stands twice", spec.name());
            assert!(spec.doc.len() > 20, "{} has no reference text", spec.name());
            for param in spec.params {
                assert!(
                    !param.doc.is_empty(),
                    "{}.{} is not documented",
                    spec.name(),
                    param.name
                );
            }
        }
    }
}
