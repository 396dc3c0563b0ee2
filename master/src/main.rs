//! `salt-rs`: the admin's one program. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(master::cli::main(std::env::args_os()))
}
