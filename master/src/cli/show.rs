//! `salt-rs show`: what the compiler sees, per host, as JSON.

use clap::{Args, ValueEnum};
use serde_json::Map;

use super::context::{Context, merged};
use super::options::{Selection, Targets};
use crate::compile::diagnostic::Diagnostic;
use crate::compiler::View;
use crate::failure::{Failure, Kind};

/// Show what the compiler sees
///
/// With --id NAME --grains FILE no host is needed: the grains in the file are all there are. Otherwise grains are those a
/// host told last; a host never seen is asked.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Which stage
    stage: Stage,
    #[command(flatten)]
    pub(super) targets: Targets,
    #[command(flatten)]
    selection: Selection,
    /// Show decrypted values as they are
    #[arg(long)]
    secrets: bool,
}

/// A stage of the compiler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// The SLS names of each environment
    Top,
    /// Declarations, after include, extend and exclude
    High,
    /// Chunks in the order in which they run
    Low,
    /// The pillar
    Pillar,
    /// The grains
    Grains,
}

pub(super) fn run(command: &Show, context: &Context) -> Result<u8, Failure> {
    let pillar = command.selection.pillar()?;
    let compiler = context.compiler(command.selection.sls(), pillar)?;
    let view = match command.stage {
        Stage::Top => View::Top,
        Stage::High => View::High,
        Stage::Low => View::Low,
        Stage::Pillar => View::Pillar,
        Stage::Grains => View::Grains,
    };
    let mut document = Map::new();
    let mut problems: Vec<Diagnostic> = Vec::new();
    for mut host in context.hosts()? {
        match context.seen(&compiler, &mut host, view) {
            Ok(mut value) => {
                if !command.secrets {
                    compiler.secrets().mask_all(&mut value);
                }
                document.insert(host.id, value);
            }
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(Failure::of(Kind::Tree, merged(problems)));
    }
    let document = document.into();
    context.screen.document(&document);
    // The program ends here: giving back millions of values one by one would only take time.
    std::mem::forget(document);
    Ok(0)
}
