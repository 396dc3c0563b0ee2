//! Salt's `pip` state module: packages of Python.

mod installed;
mod removed;
mod requirement;
mod tool;
mod version;
mod virtualenv;

pub use installed::Installed;
pub use removed::Removed;
pub use virtualenv::Managed;

use crate::{Kind, Param};

/// Whose packages.
const BIN_ENV: Param = Param::new(
    "bin_env",
    Kind::Text,
    "Whose packages: the directory of a virtual environment, a Python, or a pip (default `python3`).",
);
/// Who runs pip.
const USER: Param = Param::new("user", Kind::Text, "Run pip as this user.");
/// Where pip runs.
const CWD: Param = Param::new("cwd", Kind::Text, "Run pip in this directory.");
