//! The engine with links that are played.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use config::client::ClientConfig;
use config::worker::{OffsetStorage, WorkerConfig};
use lifecycle::{OnFailure, Scope, StopSignal};

use super::*;
use crate::host::{
    LinkFailure, LinkReport, LinkStart, OffsetChange, Pending, Probe, Standing, Started, TopicLoad,
};
use crate::restart::RestartRequest;
use crate::state::{State, TargetState};
use crate::view::SourceOffset;
use crate::{Config, GivenConfig};

/// What the played links do, and what was asked of them.
#[derive(Default)]
struct Script {
    log: Vec<String>,
    running: BTreeMap<String, usize>,
    failures: usize,
    report: LinkReport,
}

#[derive(Clone, Default)]
struct Stage(Arc<Mutex<Script>>);

impl Stage {
    fn with<T>(&self, act: impl FnOnce(&mut Script) -> T) -> T {
        act(&mut self.0.lock().expect("nobody panics here"))
    }
}

impl Probe for Stage {
    fn look(&self) -> LinkReport {
        self.with(|script| script.report.clone())
    }

    fn adjust(&self, config: &Config, tasks: u32) -> bool {
        let limit = config.get("tributary.bandwidth.limit").cloned();
        self.with(|script| script.log.push(format!("limit {limit:?} of {tasks}")));
        limit.is_none_or(|limit| !limit.starts_with('$'))
    }

    fn begin_again(&self, partitions: BTreeMap<String, Vec<i32>>) -> Pending<()> {
        let stage = self.clone();
        Box::pin(async move {
            stage.with(|script| script.log.push(format!("again {partitions:?}")));
        })
    }
}

impl Host for Stage {
    fn run(
        &self,
        link: LinkStart,
        started: Started,
        stop: StopSignal,
    ) -> Pending<Result<(), LinkFailure>> {
        let stage = self.clone();
        Box::pin(async move {
            let fails = stage.with(|script| {
                script.log.push(format!("start {}", link.name));
                let count = script.running.entry(link.name.clone()).or_default();
                *count += 1;
                assert_eq!(*count, 1, "one future of a link at a time");
                script.failures > 0
            });
            let result = if fails {
                stage.with(|script| script.failures -= 1);
                Err(LinkFailure::new("x.Unreachable", "nobody answers"))
            } else {
                started.with(Box::new(stage.clone()));
                stop.requested().await;
                // sleeps because a link stores what it has done before it ends; the clock is paused
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok(())
            };
            stage.with(|script| {
                script.log.push(format!("end {}", link.name));
                script.running.insert(link.name.clone(), 0);
            });
            result
        })
    }

    fn offsets(&self, _: String, _: Config) -> Pending<Result<Vec<SourceOffset>, String>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn change_offsets(
        &self,
        name: String,
        _: Config,
        change: OffsetChange,
    ) -> Pending<Result<(), String>> {
        let stage = self.clone();
        Box::pin(async move {
            // sleeps because positions take a moment to be written; the clock is paused
            tokio::time::sleep(Duration::from_millis(100)).await;
            stage.with(|script| {
                assert_eq!(
                    script.running.get(&name),
                    Some(&0),
                    "nothing runs meanwhile"
                );
                script.log.push(format!("{change:?}"));
            });
            Ok(())
        })
    }

    fn cluster_id(&self) -> Option<String> {
        None
    }
}

struct Worker {
    stage: Stage,
    handle: Handle,
    scope: Scope,
}

fn worker() -> Worker {
    let stage = Stage::default();
    stage.with(|script| {
        let load = TopicLoad {
            partitions: 3,
            bytes: 0,
        };
        script.report.topics.insert("t".into(), load);
    });
    let mut worker = WorkerConfig::new(OffsetStorage::File("x".into()));
    worker.bootstrap = Some(ClientConfig::new(Vec::new()));
    let options = EngineOptions {
        worker_id: "here:8083".into(),
        host: Arc::new(stage.clone()),
        worker,
        variables: None,
        loggers: Loggers::new("info", Box::new(|_| Ok(()))),
        version: "1.2.3",
        retries_tasks: true,
    };
    let scope = Scope::new("worker");
    let (engine, handle) = Engine::new(options, &scope);
    let stop = scope.stop_signal();
    scope.spawn("engine", OnFailure::StopScope, engine.run(stop));
    Worker {
        stage,
        handle,
        scope,
    }
}

fn link(entries: &[(&str, &str)]) -> GivenConfig {
    let base = [
        ("connector.class", "ReplicatorSourceConnector"),
        ("src.kafka.bootstrap.servers", "a:1"),
        ("dest.kafka.bootstrap.servers", "b:1"),
        ("topic.whitelist", "t"),
        ("tasks.max", "2"),
    ];
    let entries = base.iter().chain(entries);
    entries
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect()
}

impl Worker {
    async fn state(&self, name: &str) -> State {
        let state = self.handle.state(name.to_owned()).await;
        state.expect("it is there").connector.state
    }

    /// Makes the connector `c` and waits for its state.
    async fn made(&self, entries: &[(&str, &str)], expected: State) {
        let created = self.handle.create("c".into(), link(entries), None).await;
        created.expect("new");
        self.becomes("c", expected).await;
    }

    async fn becomes(&self, name: &str, expected: State) {
        for _ in 0..200 {
            if self.state(name).await == expected {
                return;
            }
            tokio::time::advance(Duration::from_millis(50)).await;
        }
        panic!("{name} is {:?}, not {expected:?}", self.state(name).await);
    }

    fn log(&self) -> Vec<String> {
        self.stage.with(|script| std::mem::take(&mut script.log))
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_runs_rests_and_goes_and_its_tasks_with_it() {
    let worker = worker();
    let handle = &worker.handle;
    let created = handle
        .create("c".into(), link(&[]), None)
        .await
        .expect("new");
    assert_eq!(created.tasks.len(), 1, "a running link has a task");
    assert_eq!(created.config["name"], "c");
    worker.becomes("c", State::Running).await;
    let state = handle.state("c".into()).await.expect("there");
    assert_eq!(state.tasks.len(), 2, "three partitions, at most two tasks");
    let tasks = handle.tasks("c".into()).await.expect("there");
    assert_eq!(tasks[0].config["tributary.task.partitions"], "t:0,2");
    let target = |target| handle.set_target("c".into(), target);
    target(TargetState::Paused).await.expect("there");
    worker.becomes("c", State::Paused).await;
    let state = handle.state("c".into()).await.expect("there");
    assert!(state.tasks.iter().all(|task| task.state == State::Paused));
    target(TargetState::Started).await.expect("there");
    worker.becomes("c", State::Running).await;
    target(TargetState::Stopped).await.expect("there");
    worker.becomes("c", State::Stopped).await;
    assert!(
        handle
            .info("c".into())
            .await
            .expect("there")
            .tasks
            .is_empty()
    );
    handle.delete("c".into()).await.expect("there");
    handle.state("c".into()).await.expect_err("gone");
    assert_eq!(worker.log(), ["start c", "end c", "start c", "end c"]);
    let report = worker.scope.stop(Duration::from_secs(5)).await;
    assert!(report.is_clean(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_connector_made_anew_under_the_same_name_waits_for_the_old_one() {
    let worker = worker();
    let handle = &worker.handle;
    worker.made(&[], State::Running).await;
    handle.delete("c".into()).await.expect("there");
    handle
        .create("c".into(), link(&[]), None)
        .await
        .expect("new");
    let taken = handle.create("c".into(), link(&[]), None).await;
    assert_eq!(
        taken.expect_err("taken").to_string(),
        "Connector c already exists"
    );
    assert_eq!(worker.state("c").await, State::Unassigned);
    worker.becomes("c", State::Running).await;
    assert_eq!(worker.log(), ["start c", "end c", "start c"]);
}

#[tokio::test(start_paused = true)]
async fn a_running_link_takes_another_limit_over_and_a_failed_or_resting_one_begins_with_it() {
    let worker = worker();
    let handle = &worker.handle;
    worker.made(&[], State::Running).await;
    worker.log();
    let put = async |limit: &str, more: &[(&str, &str)]| {
        let mut entries = vec![("tributary.bandwidth.limit", limit)];
        entries.extend(more);
        let written = handle.write("c".into(), link(&entries)).await;
        written.expect("valid");
        worker.becomes("c", State::Running).await;
        worker.log()
    };
    assert_eq!(put("1MB", &[]).await, ["limit Some(\"1MB\") of 1"]);
    let tasks = handle.tasks("c".into()).await.expect("there");
    assert_eq!(tasks[1].config["tributary.bandwidth.limit"], "1MB");
    // As it is: nothing is asked of it.
    assert!(put("1MB", &[]).await.is_empty());
    assert_eq!(
        put("2MB", &[("fetch.max.wait.ms", "400")]).await,
        ["end c", "start c"]
    );
    // One that rests begins with it.
    let target = |target| handle.set_target("c".into(), target);
    target(TargetState::Paused).await.expect("there");
    worker.becomes("c", State::Paused).await;
    worker.log();
    let entries = [
        ("fetch.max.wait.ms", "400"),
        ("tributary.bandwidth.limit", "3MB"),
    ];
    let written = handle.write("c".into(), link(&entries)).await;
    written.expect("valid");
    target(TargetState::Started).await.expect("there");
    worker.becomes("c", State::Running).await;
    assert_eq!(worker.log(), ["start c"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_link_is_begun_again_with_backoff_unless_that_is_switched_off() {
    let worker = worker();
    worker.stage.with(|script| script.failures = 3);
    let handle = &worker.handle;
    worker.made(&[], State::Failed).await;
    let state = handle.state("c".into()).await.expect("there");
    let trace = state.connector.trace.expect("every failure has one");
    assert_eq!(trace, "x.Unreachable: nobody answers.");
    assert!(state.tasks.iter().all(|task| task.trace.is_some()));
    worker.becomes("c", State::Running).await;
    assert!(
        handle
            .state("c".into())
            .await
            .expect("there")
            .connector
            .trace
            .is_none()
    );
    worker.stage.with(|script| script.failures = 1);
    let patch = BTreeMap::from([("tributary.task.auto.restart".into(), Some("false".into()))]);
    handle.patch("c".into(), patch).await.expect("there");
    worker.becomes("c", State::Failed).await;
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(worker.state("c").await, State::Failed);
    let request = RestartRequest {
        include_tasks: true,
        only_failed: true,
    };
    let state = handle.restart("c".into(), request).await.expect("there");
    assert_eq!(state.connector.state, State::Restarting);
    assert!(state.connector.trace.is_none());
    worker.becomes("c", State::Running).await;
}

#[tokio::test(start_paused = true)]
async fn a_standing_partition_fails_its_task_while_the_link_runs() {
    let worker = worker();
    let handle = &worker.handle;
    worker.made(&[], State::Running).await;
    worker.stage.with(|script| {
        script.report.standing.push(Standing {
            topic: "t".into(),
            partition: 1,
            reason: "too large".into(),
        });
    });
    let state = handle.state("c".into()).await.expect("there");
    assert_eq!(state.connector.state, State::Running);
    let failed: Vec<_> = state
        .tasks
        .iter()
        .filter(|task| task.state == State::Failed)
        .collect();
    assert_eq!(failed.len(), 1);
    assert!(
        failed[0]
            .trace
            .as_ref()
            .is_some_and(|trace| trace.contains("t-1 stands: too large"))
    );
    assert_eq!(worker.log(), ["start c"]);
    // Its restart is one of its partitions, and nothing else is disturbed.
    let task = failed[0].id;
    handle.restart_task("c".into(), task).await.expect("there");
    let state = handle.state("c".into()).await.expect("there");
    assert_eq!(state.tasks[task as usize].state, State::Restarting);
    worker.stage.with(|script| script.report.standing.clear());
    tokio::time::advance(Duration::from_secs(3)).await;
    let state = handle.state("c".into()).await.expect("there");
    assert!(state.tasks.iter().all(|task| task.state == State::Running));
    assert_eq!(worker.log(), ["again {\"t\": [1]}"]);
    let unknown = handle
        .restart_task("c".into(), 7)
        .await
        .expect_err("no such task");
    assert_eq!(unknown.to_string(), "Unknown task: c-7");
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_connector_alone_leaves_its_tasks_alone_and_one_with_all_tasks_begins_anew()
 {
    let worker = worker();
    let handle = &worker.handle;
    worker.made(&[], State::Running).await;
    let restart = |include_tasks| {
        let only_failed = false;
        let request = RestartRequest {
            include_tasks,
            only_failed,
        };
        handle.restart("c".into(), request)
    };
    restart(false).await.expect("there");
    worker.becomes("c", State::Running).await;
    assert_eq!(worker.log(), ["start c", "again {}"]);
    restart(true).await.expect("there");
    worker.becomes("c", State::Running).await;
    assert_eq!(worker.log(), ["end c", "start c"]);
}

#[tokio::test(start_paused = true)]
async fn what_stands_is_tried_again_more_and_more_seldom_unless_that_is_switched_off() {
    let worker = worker();
    worker.made(&[], State::Running).await;
    worker.stage.with(|script| {
        script.report.standing.push(Standing {
            topic: "t".into(),
            partition: 2,
            reason: "too large".into(),
        });
    });
    let tried = async |minutes: u32| {
        for _ in 0..minutes * 120 {
            tokio::time::advance(Duration::from_millis(500)).await;
            tokio::task::yield_now().await;
        }
        let log = worker.log();
        log.iter()
            .filter(|line| **line == "again {\"t\": [2]}")
            .count()
    };
    let first = tried(60).await;
    assert!((4..12).contains(&first), "{first} times in the first hour");
    let later = tried(60).await;
    assert!((3..8).contains(&later), "{later} times in the second hour");
    let patch = BTreeMap::from([("tributary.task.auto.restart".into(), Some("false".into()))]);
    worker.handle.patch("c".into(), patch).await.expect("there");
    assert_eq!(tried(60).await, 0);
}

#[tokio::test(start_paused = true)]
async fn positions_are_changed_when_nothing_runs_and_only_of_a_stopped_link() {
    let worker = worker();
    let handle = &worker.handle;
    worker.made(&[], State::Running).await;
    let refused = handle.reset_offsets("c".into()).await.expect_err("it runs");
    assert!(
        refused
            .to_string()
            .starts_with("Connectors must be in the STOPPED state")
    );
    handle
        .set_target("c".into(), TargetState::Stopped)
        .await
        .expect("there");
    // At once, while the link still ends.
    let (reset, resumed) = tokio::join!(
        handle.reset_offsets("c".into()),
        handle.set_target("c".into(), TargetState::Started)
    );
    resumed.expect("there");
    reset.expect("reset");
    worker.becomes("c", State::Running).await;
    assert_eq!(worker.log(), ["start c", "end c", "Reset", "start c"]);
    let empty = handle
        .alter_offsets("c".into(), Vec::new())
        .await
        .expect_err("nothing");
    assert!(
        empty
            .to_string()
            .starts_with("Partitions / offsets need to be provided")
    );
}

#[tokio::test(start_paused = true)]
async fn a_configuration_written_again_as_it_is_disturbs_nothing() {
    let worker = worker();
    let handle = &worker.handle;
    assert!(
        handle
            .write("c".into(), link(&[]))
            .await
            .expect("new")
            .created
    );
    worker.becomes("c", State::Running).await;
    assert!(
        !handle
            .write("c".into(), link(&[]))
            .await
            .expect("same")
            .created
    );
    assert_eq!(worker.state("c").await, State::Running);
    assert_eq!(worker.log(), ["start c"]);
    handle
        .write("c".into(), link(&[("tasks.max", "3")]))
        .await
        .expect("other");
    worker.becomes("c", State::Running).await;
    assert_eq!(handle.info("c".into()).await.expect("there").tasks.len(), 3);
    assert_eq!(worker.log(), ["end c", "start c"]);
    let stopped = link(&[("name", "other")]);
    let refused = handle
        .write("c".into(), stopped)
        .await
        .expect_err("another name");
    assert_eq!(
        refused.to_string(),
        "Connector name configuration (other) doesn't match connector name in the URL (c)"
    );
}

#[tokio::test(start_paused = true)]
async fn links_run_on_when_nobody_asks_any_more() {
    let Worker {
        stage,
        handle,
        scope,
    } = worker();
    handle
        .create("c".into(), link(&[]), None)
        .await
        .expect("new");
    drop(handle);
    tokio::time::advance(Duration::from_secs(60)).await;
    stage.with(|script| assert_eq!(script.log, ["start c"]));
    assert!(scope.stop(Duration::from_secs(5)).await.is_clean());
    stage.with(|script| assert_eq!(script.log, ["start c", "end c"]));
}

#[test]
fn moments_read_as_java_prints_them() {
    let at = UNIX_EPOCH + Duration::from_millis(1_709_210_096_007);
    assert_eq!(instant(at), "2024-02-29T12:34:56.007Z");
    assert_eq!(instant(UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
}
