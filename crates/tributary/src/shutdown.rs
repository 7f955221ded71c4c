//! Signals: SIGTERM and SIGINT ask for a graceful stop, a second one ends the process at once.

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

fn end() {
    std::process::exit(INTERRUPTED);
}
