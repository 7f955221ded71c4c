#![forbid(unsafe_code)]
//! Owned tasks: every piece of concurrent work has a name, an owner that waits for it, a signal that asks
//! it to end, and a stated consequence of its failure.
//!
//! ```text
//!   Scope "worker"  ── spawn("positions", StopScope, …)        ask ──▶ StopSignal of its tasks …
//!     └ Scope "worker/link-a" ── spawn("fetch 1", Report, …)          … and of every scope below
//! ```
//!
//! Invariants:
//! * Nothing else in the program starts a task, so nothing runs that nobody waits for.
//! * [`Scope::stop`] returns only when the scope's own tasks have ended or were aborted and named. It does
//!   not wait for child scopes: whoever makes a child scope stops it. (A child's work often has to end before
//!   or after something of its parent; only its maker knows the order.)
//! * A child's stop signal fires when its parent's does, never the other way round.
//! * A failure is recorded before its consequence is visible: whoever sees a scope asked to stop because
//!   of a failure finds that failure in [`Scope::first_failure`].
//!
//! Deliberately absent: return values of tasks (they talk through channels), restarting of tasks (the owner
//! decides, with a [`Backoff`]), signals of the operating system, global state.

pub mod backoff;
pub mod failure;
pub mod signal;
mod task;

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

pub use backoff::Backoff;
pub use failure::{Cause, Failure, OnFailure};
pub use signal::StopSignal;
pub use task::TaskOutput;

/// How long [`Scope::stop`] waits for aborted tasks to let go of what they hold. An aborted task ends at its
/// next `.await`; one that never awaits again is left behind rather than waited for.
const ABORT_SETTLE: Duration = Duration::from_secs(1);

/// How many failures a scope keeps. The first is what matters; a scope that lives for months must not grow.
const KEPT_FAILURES: usize = 32;

/// A group of tasks with one owner. Dropping it asks its tasks to stop and aborts them at once; to end in
/// order, call [`Scope::stop`].
pub struct Scope {
    shared: Arc<Shared>,
}

/// What [`Scope::stop`] did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct StopReport {
    /// Full name of the scope.
    pub scope: String,
    /// Names of the tasks that had not ended within the grace and were aborted, in alphabetical order.
    pub aborted: Vec<String>,
    /// Failures of the scope's whole life, oldest first, at most 32.
    pub failures: Vec<Failure>,
}

/// State that the scope shares with its running tasks.
struct Shared {
    name: String,
    stop: watch::Sender<bool>,
    running: watch::Sender<usize>,
    first_failure: watch::Sender<Option<Failure>>,
    /// Held for a few instructions at a time, never across an `.await`, and never while code of a task runs.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next_task: u64,
    tasks: HashMap<u64, Running>,
    children: Vec<Weak<Shared>>,
    failures: Vec<Failure>,
    /// Set when what still runs has been aborted: a task being started at this moment is aborted too.
    aborted: bool,
}

struct Running {
    name: String,
    /// `None` for the short time between being registered and being started.
    abort: Option<AbortHandle>,
}

// === impl Scope ===

impl Scope {
    /// A scope without parent. `name` appears in failures, reports and log lines.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            shared: Shared::new(name.into()),
        }
    }

    /// A scope below this one, named `parent/name`. Its stop signal fires when this one's does; the caller
    /// stops it, and waits for it.
    #[must_use]
    pub fn child(&self, name: impl fmt::Display) -> Self {
        let shared = Shared::new(format!("{}/{name}", self.shared.name));
        let mut state = self.shared.state();
        state.children.retain(|child| child.strong_count() > 0);
        state.children.push(Arc::downgrade(&shared));
        drop(state);
        // Looked at after registering: a stop either finds the child in the list or is seen here.
        if self.shared.is_stop_requested() {
            shared.request_stop();
        }
        Self { shared }
    }

    /// Full name, from the outermost scope down.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Starts a task. It should end soon after the scope's [`StopSignal`] fires, which is handed to it by the
    /// caller ([`Scope::stop_signal`]). An error it returns and a panic are recorded as [`Failure`] under
    /// `name`, with the consequence that `on_failure` states.
    ///
    /// Once the scope has been asked to stop, nothing new starts: the future is dropped unpolled.
    pub fn spawn<F>(&self, name: impl Into<String>, on_failure: OnFailure, future: F)
    where
        F: Future + Send + 'static,
        F::Output: TaskOutput,
    {
        let name = name.into();
        if self.shared.is_stop_requested() {
            tracing::debug!(scope = %self.shared.name, task = %name, "not started: the scope is stopping");
            return;
        }
        let id = self.shared.register(name.clone());
        let supervised =
            task::Supervised::new(future, Arc::clone(&self.shared), id, name, on_failure);
        #[expect(clippy::disallowed_methods, reason = "the one place that starts tasks")]
        let handle = tokio::spawn(supervised.run());
        self.shared.started(id, handle.abort_handle());
    }

    /// The signal of this scope, for a task to await. Cheap to clone.
    #[must_use]
    pub fn stop_signal(&self) -> StopSignal {
        StopSignal::new(self.shared.stop.subscribe())
    }

    /// Asks this scope's tasks and those of all scopes below to end, and returns at once.
    pub fn request_stop(&self) {
        self.shared.request_stop();
    }

    /// Asks (see [`Scope::request_stop`]), waits up to `grace` for this scope's own tasks, aborts what has not
    /// ended and names it. Calling it again is harmless. A task must not call it on its own scope: it would
    /// wait for itself.
    pub async fn stop(&self, grace: Duration) -> StopReport {
        self.shared.request_stop();
        let mut running = self.shared.running.subscribe();
        let mut aborted = Vec::new();
        // `Shared` is alive, so the sender is, and `wait_for` can only end by its condition.
        if timeout(grace, running.wait_for(|count| *count == 0))
            .await
            .is_err()
        {
            aborted = self.shared.abort_all();
            let _ = timeout(ABORT_SETTLE, running.wait_for(|count| *count == 0)).await;
        }
        let failures = self.shared.state().failures.clone();
        StopReport {
            scope: self.shared.name.clone(),
            aborted,
            failures,
        }
    }

    /// Waits for the first failure of a task of this scope, whatever its policy; returns at once if there
    /// was one, and never if there is none. Cancel-safe.
    pub async fn failed(&self) -> Failure {
        let mut first = self.shared.first_failure.subscribe();
        match first.wait_for(Option::is_some).await {
            Ok(failure) => failure
                .clone()
                .expect("the condition waited for is that it is set"),
            Err(_) => unreachable!("the sender lives in the scope that is borrowed here"),
        }
    }

    /// The first failure so far.
    #[must_use]
    pub fn first_failure(&self) -> Option<Failure> {
        self.shared.first_failure.borrow().clone()
    }

    /// Number of tasks that have not ended.
    #[must_use]
    pub fn running(&self) -> usize {
        *self.shared.running.borrow()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.shared.request_stop();
        self.shared.abort_all();
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("name", &self.shared.name)
            .field("running", &self.running())
            .field("stop_requested", &self.shared.is_stop_requested())
            .finish()
    }
}

// === impl StopReport ===

impl StopReport {
    /// Whether every task ended by itself and none failed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.aborted.is_empty() && self.failures.is_empty()
    }
}

impl fmt::Display for StopReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} stopped", self.scope)?;
        if !self.aborted.is_empty() {
            write!(
                f,
                "; did not end in time and aborted: {}",
                self.aborted.join(", ")
            )?;
        }
        for failure in &self.failures {
            write!(f, "; {failure}")?;
        }
        Ok(())
    }
}

// === impl Shared ===

impl Shared {
    fn new(name: String) -> Arc<Self> {
        Arc::new(Self {
            name,
            stop: watch::Sender::new(false),
            running: watch::Sender::new(0),
            first_failure: watch::Sender::new(None),
            state: Mutex::default(),
        })
    }

    /// A panic cannot happen while the lock is held; if it did, the state would still be usable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stop_requested(&self) -> bool {
        *self.stop.borrow()
    }

    fn request_stop(&self) {
        self.stop.send_replace(true);
        let children: Vec<_> = self
            .state()
            .children
            .iter()
            .filter_map(Weak::upgrade)
            .collect();
        for child in children {
            child.request_stop();
        }
    }

    fn register(&self, name: String) -> u64 {
        let mut state = self.state();
        let id = state.next_task;
        state.next_task += 1;
        state.tasks.insert(id, Running { name, abort: None });
        self.running.send_replace(state.tasks.len());
        id
    }

    /// The task may already have ended, and the scope may have been aborted since it was registered. Not done
    /// under one lock with starting it: a runtime that is shutting down drops the future inside `spawn`, and
    /// that takes the lock (see [`Shared::ended`]).
    fn started(&self, id: u64, abort: AbortHandle) {
        let mut state = self.state();
        let too_late = state.aborted;
        if let Some(task) = state.tasks.get_mut(&id) {
            task.abort = Some(abort.clone());
        }
        drop(state);
        if too_late {
            abort.abort();
        }
    }

    fn ended(&self, id: u64) {
        let mut state = self.state();
        state.tasks.remove(&id);
        self.running.send_replace(state.tasks.len());
    }

    fn abort_all(&self) -> Vec<String> {
        let mut state = self.state();
        state.aborted = true;
        let mut names: Vec<_> = state.tasks.values().map(|task| task.name.clone()).collect();
        let handles: Vec<_> = state
            .tasks
            .values()
            .filter_map(|task| task.abort.clone())
            .collect();
        drop(state);
        for handle in handles {
            handle.abort();
        }
        names.sort_unstable();
        names
    }

    fn record(&self, failure: Failure) {
        match failure.on_failure {
            // Whoever owns the scope sees it end and says why; here it would be said twice.
            OnFailure::StopScope => tracing::debug!(%failure, "the scope stops"),
            OnFailure::Report => {
                tracing::error!(scope = %self.name, task = %failure.task, "{failure}");
            }
        }
        let mut state = self.state();
        if state.failures.len() < KEPT_FAILURES {
            state.failures.push(failure.clone());
        }
        drop(state);
        let stop = failure.on_failure == OnFailure::StopScope;
        self.first_failure.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(failure);
            is_first
        });
        if stop {
            self.request_stop();
        }
    }
}
