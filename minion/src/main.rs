//! The agent's program: arguments in, exit status out; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Arguments that are no text are none of ours.
    let arguments = std::env::args_os()
        .skip(1)
        .map(|word| word.to_string_lossy().into_owned());
    ExitCode::from(minion::cli::main(arguments))
}
