//! One running task: its future, caught panics, and the news of its end.
//!
//! Invariant: however the future ends — value, error, panic, abort before or after its first poll — what it
//! held is dropped first, and the scope is told after that. So a stopped scope has let go of everything.

use std::any::Any;
use std::fmt::Display;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::{Cause, Failure, OnFailure, Shared};

/// What a task may return: nothing, or a result whose error can be shown.
pub trait TaskOutput {
    /// The error as text, if it is one.
    fn into_failure(self) -> Option<String>;
}

impl TaskOutput for () {
    fn into_failure(self) -> Option<String> {
        None
    }
}

impl<E: Display> TaskOutput for Result<(), E> {
    fn into_failure(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}

/// A future with everything needed to account for its end. Fields are dropped in this order.
pub(crate) struct Supervised<F> {
    /// On the heap from the beginning: moved there from inside a running task, its place in that task would stay, as large
    /// as it is itself. So it can be dropped before the failure is recorded, too.
    future: Pin<Box<F>>,
    ended: Ended,
    name: String,
    on_failure: OnFailure,
}

/// Tells the scope, when dropped, that the task has ended.
struct Ended {
    shared: Arc<Shared>,
    id: u64,
}

impl<F> Supervised<F>
where
    F: Future,
    F::Output: TaskOutput,
{
    pub(crate) fn new(
        future: F,
        shared: Arc<Shared>,
        id: u64,
        name: String,
        on_failure: OnFailure,
    ) -> Self {
        Self {
            future: Box::pin(future),
            ended: Ended { shared, id },
            name,
            on_failure,
        }
    }

    pub(crate) async fn run(self) {
        // Locals are dropped in reverse order: also when aborted, `future` goes before `ended`.
        let Self {
            ended,
            name,
            on_failure,
            future,
        } = self;
        let cause = {
            let mut future = future;
            match poll_fn(|context| poll_caught(future.as_mut(), context)).await {
                Ok(output) => output.into_failure().map(Cause::Error),
                Err(panic) => Some(Cause::Panic(panic_message(&*panic))),
            }
        };
        if let Some(cause) = cause {
            let scope = ended.shared.name.clone();
            ended.shared.record(Failure {
                scope,
                task: name,
                cause,
                on_failure,
            });
        }
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        self.shared.ended(self.id);
    }
}

type Panic = Box<dyn Any + Send>;

/// Unwind safety: a future that has panicked is never polled again, only dropped.
fn poll_caught<F: Future>(
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<Result<F::Output, Panic>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without text".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_task_runs_is_held_once_and_not_in_the_task_itself_as_well() {
        let large = async {
            let held = [0_u8; 64 * 1024];
            std::future::pending::<()>().await;
            std::hint::black_box(held);
        };
        assert!(size_of_val(&large) >= 64 * 1024);
        let shared = Shared::new("scope".to_owned());
        let task = Supervised::new(large, shared, 0, "task".to_owned(), OnFailure::Report);
        assert!(size_of_val(&task.run()) < 1024);
    }
}
