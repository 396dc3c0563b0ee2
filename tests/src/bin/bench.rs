//! `make bench`: measures salt-rs on this machine and prints each figure beside its goal.
//!
//! Arguments name sections; none means all. `PEERS=DIR` compares with the tools installed there by `make peers`,
//! `BENCH_JSON=FILE` keeps the figures.

use std::path::Path;
use std::process::ExitCode;

use harness::bench::{SECTIONS, Sheet};
use harness::os;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let mut sheet = Sheet::new(Box::new(std::io::stdout()));
    if let Some(unknown) = wanted
        .iter()
        .find(|name| !SECTIONS.iter().any(|(section, _)| section == name))
    {
        let known: Vec<_> = SECTIONS.iter().map(|(name, _)| *name).collect();
        sheet.remark(&format!("no section `{unknown}`; there are {}", known.join(", ")));
        return ExitCode::from(64);
    }
    for (name, measure) in SECTIONS {
        if wanted.is_empty() || wanted.iter().any(|one| one == name) {
            measure(&mut sheet);
        }
    }
    sheet.remark(&sheet.verdict());
    match std::env::var_os("BENCH_JSON") {
        None => ExitCode::SUCCESS,
        Some(path) => match os::write(Path::new(&path), format!("{:#}\n", sheet.json())) {
            Ok(()) => ExitCode::SUCCESS,
            Err(err) => {
                sheet.remark(&err.to_string());
                ExitCode::FAILURE
            }
        },
    }
}
