//! Salt's `file` state module. One file per function; `place` and `edit` hold what several of them share,
//! `whole` what other modules that keep a text file do.

mod absent;
mod accumulated;
mod append;
mod blockreplace;
mod clean;
mod comment;
mod contents;
mod copy;
mod directory;
pub(crate) mod edit;
mod exists;
mod keyvalue;
mod line;
mod managed;
pub(crate) mod place;
mod prepend;
mod put;
mod recurse;
mod rename;
mod replace;
mod serialize;
mod symlink;
mod tidied;
mod touch;
pub(crate) mod whole;

pub use absent::Absent;
pub use accumulated::Accumulated;
pub use append::Append;
pub use blockreplace::Blockreplace;
pub use comment::{Comment, Uncomment};
pub use copy::Copy;
pub use directory::Directory;
pub use exists::{Exists, Missing};
pub use keyvalue::Keyvalue;
pub use line::Line;
pub use managed::Managed;
pub use prepend::Prepend;
pub use recurse::Recurse;
pub use rename::Rename;
pub use replace::Replace;
pub use serialize::Serialize;
pub use symlink::Symlink;
pub use tidied::Tidied;
pub use touch::Touch;
