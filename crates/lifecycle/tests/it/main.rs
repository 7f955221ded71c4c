//! What a scope promises to its owner, with a paused clock: no test waits for real time.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lifecycle::{Cause, OnFailure, Scope, StopSignal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

const GRACE: Duration = Duration::from_secs(5);

/// Sets its flag when dropped: what a task holds until its end.
struct Held(Arc<AtomicBool>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn a_bad_offset() -> i64 {
    3
}

fn held() -> (Held, Arc<AtomicBool>) {
    let released = Arc::new(AtomicBool::new(false));
    (Held(Arc::clone(&released)), released)
}

/// A well-behaved task: takes `work` to end once it is asked to.
async fn ends_after(signal: StopSignal, work: Duration) {
    signal.requested().await;
    sleep(work).await;
}

#[tokio::test(start_paused = true)]
async fn stop_waits_for_tasks_that_end_within_the_grace() {
    let scope = Scope::new("worker");
    scope.spawn(
        "quick",
        OnFailure::Report,
        ends_after(scope.stop_signal(), Duration::ZERO),
    );
    let three = Duration::from_secs(3);
    scope.spawn(
        "slow",
        OnFailure::Report,
        ends_after(scope.stop_signal(), three),
    );
    assert_eq!(scope.running(), 2);

    let begun = Instant::now();
    let report = scope.stop(GRACE).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(begun.elapsed().as_secs(), 3);
    assert_eq!(scope.running(), 0);
    assert_eq!(report.to_string(), "worker stopped");
}

#[tokio::test(start_paused = true)]
async fn what_does_not_end_in_time_is_aborted_and_named() {
    let scope = Scope::new("worker");
    let (holds, released) = held();
    scope.spawn("stuck b", OnFailure::Report, async move {
        let _holds = holds;
        pending::<()>().await;
    });
    scope.spawn("stuck a", OnFailure::Report, pending::<()>());
    scope.spawn(
        "fine",
        OnFailure::Report,
        ends_after(scope.stop_signal(), Duration::ZERO),
    );

    let begun = Instant::now();
    let report = scope.stop(GRACE).await;
    assert_eq!(report.aborted, ["stuck a", "stuck b"]);
    assert!(report.failures.is_empty());
    assert_eq!(begun.elapsed().as_secs(), GRACE.as_secs());
    assert!(
        released.load(Ordering::SeqCst),
        "what it held is free when stop returns"
    );
    assert!(
        report.to_string().contains("aborted: stuck a, stuck b"),
        "{report}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_stops_the_scope_where_the_policy_says_so() {
    let scope = Scope::new("link");
    let signal = scope.stop_signal();
    let (go, gone) = oneshot::channel::<()>();
    scope.spawn("sender", OnFailure::StopScope, async move {
        gone.await.map_err(|_| "the test ended early")?;
        Err("disk full")
    });
    scope.spawn(
        "fetcher",
        OnFailure::StopScope,
        ends_after(signal.clone(), Duration::ZERO),
    );
    assert!(!signal.is_requested());

    go.send(()).expect("the task waits for it");
    signal.requested().await;
    let failure = scope
        .first_failure()
        .expect("recorded before the scope is asked to stop");
    assert_eq!(failure.to_string(), "link/sender failed: disk full");
    let report = scope.stop(GRACE).await;
    assert_eq!(report.failures, [failure]);
    assert!(report.aborted.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reported_failure_leaves_the_others_running() {
    let scope = Scope::new("link");
    let running = ends_after(scope.stop_signal(), Duration::ZERO);
    scope.spawn("other", OnFailure::Report, running);
    scope.spawn("probe", OnFailure::Report, async { Err("no answer") });

    let failure = scope.failed().await;
    assert_eq!(failure.cause, Cause::Error("no answer".to_owned()));
    assert_eq!(failure.on_failure, OnFailure::Report);
    assert!(!scope.stop_signal().is_requested());
    // The failed task's end is told after its failure; the other one goes on.
    while scope.running() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scope.stop(GRACE).await.failures, [failure]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_its_message_and_does_not_spread() {
    let scope = Scope::new("link");
    let (holds, released) = held();
    scope.spawn("planner", OnFailure::StopScope, async move {
        let _holds = holds;
        tokio::task::yield_now().await;
        let offset = a_bad_offset();
        assert!(offset >= 4, "offset {offset} below 4");
    });
    let failure = scope.failed().await;
    assert_eq!(failure.cause, Cause::Panic("offset 3 below 4".to_owned()));
    assert_eq!(
        failure.to_string(),
        "link/planner panicked: offset 3 below 4"
    );
    assert!(released.load(Ordering::SeqCst));
    scope.stop_signal().requested().await;
    let _ = scope.stop(GRACE).await;
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_stays_the_first() {
    let scope = Scope::new("link");
    for second in 1..=50 {
        scope.spawn(format!("task {second}"), OnFailure::Report, async move {
            sleep(Duration::from_secs(second)).await;
            Err(format!("failure {second}"))
        });
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(scope.failed().await.task, "task 1");
    let report = scope.stop(GRACE).await;
    assert_eq!(report.failures.len(), 32, "the list is bounded");
    assert_eq!(report.failures[31].task, "task 32");
}

#[tokio::test(start_paused = true)]
async fn a_childs_signal_fires_with_its_parents_and_not_the_other_way_round() {
    let worker = Scope::new("worker");
    let link = worker.child("link");
    let copy = link.child("copy");
    let sibling = worker.child("sibling");
    assert_eq!(copy.name(), "worker/link/copy");

    link.request_stop();
    assert!(copy.stop_signal().is_requested());
    assert!(!worker.stop_signal().is_requested());
    assert!(!sibling.stop_signal().is_requested());

    worker.request_stop();
    assert!(sibling.stop_signal().is_requested());
    let late = worker.child("late");
    assert!(
        late.stop_signal().is_requested(),
        "a child of a stopping scope is stopping"
    );
}

#[tokio::test(start_paused = true)]
async fn stop_does_not_wait_for_children_or_abort_them() {
    let worker = Scope::new("worker");
    let link = worker.child("link");
    let four = Duration::from_secs(4);
    link.spawn(
        "copy",
        OnFailure::Report,
        ends_after(link.stop_signal(), four),
    );

    let begun = Instant::now();
    assert!(worker.stop(GRACE).await.is_clean());
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(link.running(), 1);
    assert!(link.stop(GRACE).await.is_clean());
    assert_eq!(begun.elapsed().as_secs(), 4);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_scope_aborts_its_tasks() {
    let (holds, released) = held();
    let scope = Scope::new("link");
    let signal = scope.stop_signal();
    scope.spawn("stuck", OnFailure::Report, async move {
        let _holds = holds;
        pending::<()>().await;
    });
    drop(scope);
    assert!(signal.is_requested());
    signal.requested().await;
    while !released.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_in_a_scope_that_is_stopping() {
    let scope = Scope::new("link");
    scope.request_stop();
    let (holds, released) = held();
    scope.spawn("late", OnFailure::Report, async move { drop(holds) });
    assert!(released.load(Ordering::SeqCst), "dropped, not kept");
    assert_eq!(scope.running(), 0);
    assert!(scope.stop(GRACE).await.is_clean());
    assert!(
        scope.stop(GRACE).await.is_clean(),
        "stopping twice is harmless"
    );
}

#[tokio::test(start_paused = true)]
async fn an_awaited_signal_can_be_dropped_and_awaited_again() {
    let scope = Scope::new("link");
    let signal = scope.stop_signal();
    for _ in 0..3 {
        let slept = signal.unless_requested(sleep(Duration::from_secs(1))).await;
        assert_eq!(slept, Some(()));
    }
    scope.request_stop();
    assert_eq!(signal.unless_requested(pending::<()>()).await, None);
    assert_eq!(
        signal.unless_requested(async {}).await,
        None,
        "a fired signal wins"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ended_tasks_are_forgotten_under_load() {
    let scope = Scope::new("load");
    let (holds, released) = held();
    let holds = Arc::new(holds);
    for number in 0..2_000 {
        let holds = Arc::clone(&holds);
        scope.spawn(format!("task {number}"), OnFailure::Report, async move {
            if number % 3 == 0 {
                tokio::task::yield_now().await;
            }
            drop(holds);
        });
    }
    drop(holds);
    let report = scope.stop(Duration::from_secs(30)).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(scope.running(), 0);
    assert!(released.load(Ordering::SeqCst));
}

#[test]
fn a_runtime_that_ends_first_leaves_no_task_behind_and_blocks_nobody() {
    let scope = Scope::new("link");
    let (holds, released) = held();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        scope.spawn("stuck", OnFailure::Report, async move {
            let _holds = holds;
            pending::<()>().await;
        });
    });
    drop(runtime);
    assert!(released.load(Ordering::SeqCst));
    assert_eq!(scope.running(), 0);
}
