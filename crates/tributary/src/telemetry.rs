//! Logging: one line per event on stderr, as text or as JSON. Levels can be changed while it runs.

use std::io::IsTerminal;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

/// Makes other directives hold.
type Reload = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

/// There is one logger in a process, and so one way to change it.
static RELOAD: OnceLock<Reload> = OnceLock::new();

/// Starts logging at `level`, which may name modules too (`info,kafka_client=debug`).
pub(crate) fn start(level: &str, json: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|error| error.to_string())?;
    let builder = tracing_subscriber::fmt()
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let (started, reload): (_, Reload) = if json {
        let builder = builder.json().with_env_filter(filter);
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        let reload = move |filter| handle.reload(filter).map_err(|error| error.to_string());
        (builder.try_init(), Box::new(reload))
    } else {
        // The filter comes last: its type names those of all before it.
        let builder = builder.with_env_filter(filter);
        let builder = builder.with_filter_reloading();
        let handle = builder.reload_handle();
        let reload = move |filter| handle.reload(filter).map_err(|error| error.to_string());
        (builder.try_init(), Box::new(reload))
    };
    // Logging is started once.
    drop(RELOAD.set(reload));
    started.map_err(|error| error.to_string())
}

/// Logs at other levels from now on.
pub(crate) fn set_levels(directives: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(directives).map_err(|error| error.to_string())?;
    RELOAD.get().map_or(Ok(()), |reload| reload(filter))
}
