//! Salt's `file` state module. One file per function; `place` and `edit` hold what several of them share.

mod absent;
mod append;
mod directory;
mod edit;
mod managed;
mod place;
mod symlink;

pub use absent::Absent;
pub use append::Append;
pub use directory::Directory;
pub use managed::Managed;
pub use symlink::Symlink;
