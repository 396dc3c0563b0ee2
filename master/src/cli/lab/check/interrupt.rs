//! Ctrl-C in a check: what was broken is put back before the program ends.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

use crate::failure::Failure;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static WATCHING: OnceLock<()> = OnceLock::new();

/// From now on Ctrl-C and a request to end do not end the program; [`interrupted`] tells of them.
///
/// # Errors
/// Signals cannot be listened to.
pub(in crate::cli::lab) fn watch() -> Result<(), Failure> {
    if WATCHING.set(()).is_err() {
        return Ok(());
    }
    let cannot = |error: std::io::Error| Failure::bug(format!("cannot listen to signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot)?;
    let both = runtime.block_on(async {
        let end = signal(SignalKind::terminate())?;
        Ok((signal(SignalKind::interrupt())?, end))
    });
    let (mut interrupt, mut end) = both.map_err(cannot)?;
    // It waits for the rest of the program's life.
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = end.recv() => {}
            }
        });
        INTERRUPTED.store(true, Ordering::Relaxed);
    });
    Ok(())
}

/// Whether somebody wants the program to end.
pub(in crate::cli::lab) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
