//! Trees that nobody would write, compiled: whatever a template or a document says, there is an answer with a place.
//!
//! `grow` makes texts from a grammar, `mutate` spoils texts that people wrote, `case` puts them together to a tree, all
//! from one number, so that a case is its seed and its index. `trial` compiles it and says what is wrong with the answer;
//! `hunt` runs trials in a process of their own, as a crash, a hang or a flood of memory ends that, and makes small what
//! it finds. `make fuzz` runs it for as long as one likes; `tests/it/fuzz.rs` a short while.

mod case;
mod grow;
mod hunt;
mod mutate;
mod random;
mod trial;
mod words;

pub use case::Case;
pub use hunt::{Found, Hunt, hunt, once, work};
pub use trial::trial;
