//! Salt's `file` state module. One file per function; `place` and `edit` hold what several of them share.

mod absent;
mod append;
mod clean;
mod copy;
mod directory;
mod edit;
mod managed;
pub(crate) mod place;
mod prepend;
mod recurse;
mod replace;
mod symlink;

pub use absent::Absent;
pub use append::Append;
pub use copy::Copy;
pub use directory::Directory;
pub use managed::Managed;
pub use prepend::Prepend;
pub use recurse::Recurse;
pub use replace::Replace;
pub use symlink::Symlink;
