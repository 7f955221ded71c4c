//! The task that owns all links of a worker.
//!
//! ```text
//!   requests ─▶ ┌────── Engine ──────┐ ─ start, stop ─▶ Host::run, one future per link
//!   events  ─▶ │ Core: one owner     │ ◀─ started, ended, offsets changed
//!   a tick  ─▶ └────────────────────┘
//! ```
//!
//! Requests are functions over [`Core`], run one after the other; none of them waits. What takes time (a link that
//! starts or ends, positions that are written) is a task that reports an event.

mod again;
mod core;
mod handle;
mod link_state;
pub(crate) mod reconcile;
mod running;
mod show;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ::config::variables::Variables;
use ::config::worker::WorkerConfig;
use lifecycle::{Scope, StopSignal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::host::Host;
use crate::loggers::Loggers;

use self::core::{Core, Event};
pub(crate) use handle::LIMIT;
pub use handle::{Handle, Health, WriteOutcome, is_link};

/// Requests that may wait for the engine. Each caller has at most one.
const QUEUE: usize = 256;
/// How often running links are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What an engine needs.
pub struct EngineOptions {
    /// `host:port` under which this worker is known.
    pub worker_id: String,
    /// Runs the links.
    pub host: Arc<dyn Host>,
    /// The settings of the process.
    pub worker: WorkerConfig,
    /// What variables in configurations are replaced with.
    pub variables: Option<Variables>,
    /// Levels of logging.
    pub loggers: Loggers,
    /// The version of the program.
    pub version: &'static str,
    /// Whether failed tasks are begun again by themselves, where the configuration does not say otherwise.
    pub retries_tasks: bool,
}

impl fmt::Debug for EngineOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineOptions")
            .field("worker_id", &self.worker_id)
            .finish_non_exhaustive()
    }
}

/// Why a task that runs has failed all the same; nothing where no partition stands.
pub(crate) fn standing_trace(standing: &[crate::host::Standing]) -> Option<String> {
    let all: Vec<_> = standing.iter().collect();
    (!all.is_empty()).then(|| link_state::trace_of(&all))
}

/// A request, with where its answer goes.
type Command = Box<dyn FnOnce(&mut Core) + Send>;

/// What the engine is doing; said where a request runs into its time limit.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    text: String,
    began: SystemTime,
    ended: Option<SystemTime>,
}

impl Stage {
    /// Something that is being done since now.
    pub(crate) fn begun(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            began: SystemTime::now(),
            ended: None,
        }
    }

    /// Something that was done at once.
    pub(crate) fn done(text: String) -> Self {
        let now = SystemTime::now();
        Self {
            text,
            began: now,
            ended: Some(now),
        }
    }

    /// The sentence that Connect says about it.
    pub(crate) fn summary(&self) -> String {
        let Self { text, began, ended } = self;
        let began = instant(*began);
        match ended {
            None => format!("The worker is currently {text}, which began at {began}."),
            Some(ended) => format!(
                "The last operation the worker completed was {text}, which began at {began} and completed at {}.",
                instant(*ended)
            ),
        }
    }
}

/// A moment as Java's `Instant` prints it.
pub(crate) fn instant(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, rest) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Howard Hinnant's algorithm from days to a date, for days from 1970 on.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60,
        since.subsec_millis()
    )
}

/// See the module.
pub struct Engine {
    core: Core,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Receiver<Event>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine without links. Links run in scopes below `scope`.
    #[must_use]
    pub fn new(options: EngineOptions, scope: &Scope) -> (Self, Handle) {
        let (commands, received) = mpsc::channel(QUEUE);
        let (events, reported) = mpsc::channel(QUEUE);
        let stage = watch::Sender::new(Stage {
            text: "awaiting startup".to_owned(),
            began: SystemTime::now(),
            ended: None,
        });
        let handle = Handle::new(commands, stage.subscribe(), &options);
        let core = Core::new(options, stage, events, scope.child("links"));
        let engine = Self {
            core,
            commands: received,
            events: reported,
        };
        (engine, handle)
    }

    /// Serves until `stop` is requested; all links have ended then, each in order.
    pub async fn run(mut self, stop: StopSignal) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.core.begin();
        let mut asked = true;
        loop {
            // All branches are cancel-safe: receiving takes nothing unless it returns it.
            tokio::select! {
                () = stop.requested() => break,
                event = self.events.recv() => match event {
                    Some(event) => self.core.on(event, Instant::now()),
                    None => break,
                },
                command = self.commands.recv(), if asked => match command {
                    Some(command) => command(&mut self.core),
                    // Nobody will ask any more; links run on.
                    None => asked = false,
                },
                _ = look.tick() => self.core.tick(Instant::now()),
            }
        }
        // Whoever asks from now on hears that the worker is going away.
        self.commands.close();
        self.core.shut_down().await;
    }
}
