//! The end of the process. SIGTERM and SIGINT ask for a graceful stop, a second one ends it at once.

use std::io::Write as _;

use lifecycle::{OnFailure, Scope};
use tokio::signal::unix::{SignalKind, signal};

/// Exit code of a process that was interrupted twice.
const INTERRUPTED: i32 = 130;

/// Asks `scope` to stop at the first signal. `watcher` owns the task that waits for signals.
pub(crate) fn on_signal(watcher: &Scope, scope: &std::sync::Arc<Scope>) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let scope = std::sync::Arc::clone(scope);
    watcher.spawn("signals", OnFailure::Report, async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; a second signal ends at once");
        scope.request_stop();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        end();
    });
    Ok(())
}

/// Whoever asks twice does not wait for a reader of the output either.
fn end() {
    signal_hook::low_level::exit(INTERRUPTED);
}

/// Ends the process with this code, and without the destructors of C libraries: threads that nobody waits for may still be
/// inside one (a login to Kerberos, the look-up of a name), and would find it taken down around them.
pub(crate) fn leave(code: u8) -> ! {
    // A closed stream is no reason for another code. Standard error keeps nothing back.
    drop(std::io::stdout().flush());
    signal_hook::low_level::exit(code.into())
}
