//! `salt-rs`: the admin's one program. Everything is in the library.

use std::process::ExitCode;

/// Compiling makes and gives back many small values, on which the system's allocator spends a third of the time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(master::cli::main(std::env::args_os()))
}
