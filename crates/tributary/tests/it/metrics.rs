//! `/metrics` of a live worker: read by Prometheus' own tool, and compared with what the judge counts. What the board and the
//! rules of `ops/` get from a real Prometheus is in `watched`.

use std::collections::BTreeMap;
use std::fs::File;
use std::process::Command;

use metrics::{Kind, catalogue};
use test_support::client_libraries::{self, Libraries};
use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{Generator, Load, Shape};

use crate::connect_clients::{file, installed};
use crate::connect_http::{Answer, Client};
use crate::connect_worker::{Worker, expect};
use crate::prometheus::{ops, queries};
use crate::support::{COPIED, NEW, OLD, new_topic, pair, stored, unique, wait_for_offsets};

const PARTITIONS: i32 = 3;
const EACH: u64 = 500;
/// For how long the source keeps records, in milliseconds: those of tests may be years old.
pub(crate) const KEPT: &str = "315360000000";
const OPENMETRICS: &str =
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2,*/*;q=0.1";

/// Series by name and labels, as they stand.
pub(crate) struct Scrape {
    text: String,
    series: BTreeMap<String, f64>,
}

impl Scrape {
    fn of(answer: Answer) -> Self {
        let answer = expect(answer, 200);
        let lines = answer.body.lines().filter(|line| !line.starts_with('#'));
        let mut series = BTreeMap::new();
        for line in lines {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            let value = match value {
                "+Inf" => f64::INFINITY,
                value => value
                    .parse()
                    .unwrap_or_else(|error| panic!("{error}: {line}")),
            };
            assert!(!value.is_nan(), "{line}");
            let before = series.insert(name.to_owned(), value);
            assert_eq!(before, None, "{name} is there twice");
        }
        Self {
            text: answer.body,
            series,
        }
    }

    /// The sum of all series of that name that have these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mine = self.series.iter().filter(|(series, _)| {
            let (own, rest) = series.split_once('{').unwrap_or((series, ""));
            own == name && labels.iter().all(|label| rest.contains(label))
        });
        mine.map(|(_, value)| *value)
            .reduce(|one, other| one + other)
    }
}

pub(crate) async fn scraped(client: &Client) -> Scrape {
    Scrape::of(client.get("/metrics").await)
}

/// Prometheus' tool finds nothing to complain about.
pub(crate) fn is_approved(scrape: &Scrape) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("metrics");
    std::fs::write(&path, &scrape.text).expect("written");
    let checked = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(File::open(&path).expect("readable"))
        .output()
        .expect("promtool is there: cargo xtask test installs it");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    // Names of other tools are theirs: it dislikes units of theirs, and endings.
    let foreign = ["kafka_", "confluent_"];
    let ours = said.lines();
    let mut ours = ours.filter(|line| !foreign.iter().any(|start| line.starts_with(start)));
    let wrong = ours.next();
    let ends_well = checked.status.success() || !said.is_empty();
    assert!(
        wrong.is_none() && ends_well,
        "{wrong:?}: {said}\n{}",
        scrape.text
    );
}

pub(crate) async fn fill(cluster: &KafkaCluster, topic: &str, round: u32) {
    let shape = Shape::mixed(u64::from(round), PARTITIONS).producer(round);
    let records = Generator::new(shape).take(usize::try_from(EACH).expect("few"));
    let load = Load::new(cluster.bootstrap(), topic);
    load.send(records).await.expect("acknowledged");
}

/// Waits until a sum is so; gives the scrape in which it is.
async fn becomes(worker: &Worker, name: &str, labels: &[&str], expected: Option<f64>) -> Scrape {
    let look = async || {
        let scrape = scraped(&worker.client).await;
        match scrape.sum(name, labels) {
            found if found == expected => Ok(scrape),
            found => Err(format!("{found:?}: {}", scrape.text)),
        }
    };
    let what = format!("{name} {labels:?} to be {expected:?}");
    eventually(&what, COPIED, look)
        .await
        .unwrap_or_else(|error| panic!("{error}"))
}

/// What a link shows that has copied everything.
fn is_as_counted(scrape: &Scrape, names: &[&str]) {
    let each = EACH as f64;
    let partitions = f64::from(PARTITIONS);
    for (name, labels, expected) in [
        ("tributary_lag_seconds", names, 0.0),
        ("tributary_lag_known", names, 1.0),
        ("tributary_source_end_offset", names, each),
        ("tributary_replicated_offset", names, each),
        ("tributary_destination_end_offset", names, each),
        ("tributary_partition_records_total", names, each),
        ("tributary_partition_lag_known", names, partitions),
        (
            "tributary_partition_state",
            &["state=\"active\""],
            partitions,
        ),
        ("tributary_partition_state", &["state=\"stalled\""], 0.0),
        ("tributary_partitions", &["state=\"active\""], partitions),
        ("tributary_topics", &["state=\"replicating\""], 1.0),
        ("tributary_tasks", &["state=\"running\""], 2.0),
        ("tributary_tasks", &["state=\"failed\""], 0.0),
        (
            "tributary_task_state",
            &["task=\"1\"", "state=\"running\""],
            1.0,
        ),
        ("tributary_link_health", &["link=\"measured\""], 1.0),
        ("tributary_worker_info", &["version="], 1.0),
        ("tributary_partition_series_limited", &[], 0.0),
        ("tributary_replication_latency_seconds_count", &[], each),
        ("tributary_cluster_up", &["side=\"source\""], 1.0),
        ("tributary_cluster_up", &["side=\"destination\""], 1.0),
        ("tributary_in_flight_records", &[], 0.0),
        ("tributary_task_restarts_total", &["task=\"1\""], 0.0),
        (
            "tributary_offset_commits_total",
            &["result=\"failed\""],
            0.0,
        ),
        ("tributary_config_drift", &[], 0.0),
        ("tributary_unexplained_errors_total", &[], 0.0),
        (
            "tributary_sync_operations_total",
            &["kind=\"topic\"", "result=\"done\""],
            1.0,
        ),
        (
            "tributary_sync_operations_total",
            &["kind=\"topic\"", "result=\"refused\""],
            0.0,
        ),
        // Nothing waits.
        ("tributary_source_retention_seconds", &[], 315_360_000.0),
        (
            "tributary_source_retention_headroom_seconds",
            names,
            f64::INFINITY,
        ),
        ("tributary_client_throttle_seconds_total", &[], 0.0),
    ] {
        assert_eq!(
            scrape.sum(name, labels),
            Some(expected),
            "{name} {labels:?}"
        );
    }
    let bytes = scrape.sum("tributary_bytes_total", names);
    assert!(bytes > Some(0.0), "{bytes:?}");
    for name in [
        "tributary_fetched_bytes_total",
        "tributary_produced_bytes_total",
    ] {
        let moved = scrape.sum(name, &[]);
        assert!(moved >= bytes, "{name}: {moved:?} of {bytes:?}");
    }
    for stage in ["fetch", "queue", "produce"] {
        let stage = format!("stage=\"{stage}\"");
        let count = scrape.sum("tributary_stage_latency_seconds_count", &[&stage]);
        assert!(count > Some(0.0), "{stage}: {count:?}");
    }
    requests_are_counted(scrape);
    process_is_told(scrape);
}

/// Positions were stored, no task has failed, and there is a process.
fn process_is_told(scrape: &Scrape) {
    let stored = scrape.sum("tributary_offset_commits_total", &["result=\"done\""]);
    assert!(stored > Some(0.0), "{stored:?}");
    let failed = scrape.sum("tributary_task_last_error_timestamp_seconds", &[]);
    assert_eq!(failed, None, "nothing has failed");
    let resident = scrape.sum("process_resident_memory_bytes", &[]);
    assert!(resident > Some(1e6), "{resident:?}");
}

/// Requests by kind, and connections to brokers.
fn requests_are_counted(scrape: &Scrape) {
    for (side, api) in [
        ("source", "fetch"),
        ("source", "metadata"),
        ("destination", "produce"),
        ("destination", "create-topics"),
    ] {
        let labels = [&*format!("side=\"{side}\""), &format!("api=\"{api}\"")];
        let count = scrape.sum("tributary_client_request_duration_seconds_count", &labels);
        assert!(count > Some(0.0), "{labels:?}: {count:?}");
        let retries = scrape.sum("tributary_retries_total", &labels);
        assert!(retries.is_some(), "{labels:?}");
        let open = scrape.sum("tributary_client_connections", &labels[..1]);
        assert!(open > Some(0.0), "{side}: {open:?}");
    }
}

/// A strict parser takes what is answered to those who accept `OpenMetrics`.
pub(crate) async fn is_openmetrics_where_that_is_accepted(client: &Client) {
    let answer = client
        .with("GET", "/metrics", &[("Accept", OPENMETRICS)], None)
        .await;
    let kind = answer.header("content-type").map(str::to_owned);
    assert!(
        kind.is_some_and(|kind| kind.starts_with("application/openmetrics-text; version=1.0.0"))
    );
    assert!(answer.body.ends_with("\n# EOF\n"), "{}", answer.body);
    assert!(
        answer
            .body
            .contains("# UNIT tributary_buffer_limit_bytes bytes\n")
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("openmetrics");
    std::fs::write(&path, &answer.body).expect("written");
    let libraries = installed(Libraries::Python).await;
    let arguments = [
        file("openmetrics.py").display().to_string(),
        path.display().to_string(),
    ];
    let python = client_libraries::python(&libraries);
    let parsed = Command::new(python).args(&arguments).output();
    let parsed = parsed.expect("Python starts");
    let said = String::from_utf8_lossy(&parsed.stderr).into_owned();
    assert!(parsed.status.success(), "{said}\n{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_is_what_is_there_and_goes_with_what_it_is_about() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("measured");
    new_topic(source, &topic, PARTITIONS, &[("retention.ms", KEPT)]).await;
    fill(source, &topic, 1).await;
    let link = format!(
        "name=measured\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\ntopic.rename.format=copy.${{topic}}\ntasks.max=2\n",
        source.bootstrap()
    );
    let lines = format!("bootstrap.servers={}", destination.bootstrap());
    let worker = Worker::tributary(&lines, &[&link]).await;
    let own = format!("topic=\"{topic}\"");
    let names = [
        "link=\"measured\"",
        "source=\"source\"",
        "destination=\"destination\"",
        &own,
        &format!("destination_topic=\"copy.{topic}\""),
    ];
    let each = EACH as f64;
    becomes(&worker, "tributary_records_total", &names, Some(each)).await;
    becomes(&worker, "tributary_lag_records", &names, Some(0.0)).await;
    // The destination is read seldom.
    let end = "tributary_destination_end_offset";
    becomes(&worker, end, &names, Some(each)).await;
    let healthy = ["link=\"measured\"", "health=\"healthy\""];
    let scrape = becomes(&worker, "tributary_link_health", &healthy, Some(1.0)).await;
    is_approved(&scrape);
    is_as_counted(&scrape, &names);
    is_openmetrics_where_that_is_accepted(&worker.client).await;

    // A paused link has no readings, and its counts do not fall when it goes on.
    expect(
        worker.client.put("/connectors/measured/pause", None).await,
        202,
    );
    let paused = ["link=\"measured\"", "state=\"paused\""];
    becomes(&worker, "tributary_link_state", &paused, Some(1.0)).await;
    let scrape = becomes(&worker, "tributary_lag_records", &names, None).await;
    assert_eq!(
        scrape.sum("tributary_link_health", &["health=\"paused\""]),
        Some(1.0)
    );
    is_approved(&scrape);
    fill(source, &topic, 2).await;
    expect(
        worker.client.put("/connectors/measured/resume", None).await,
        202,
    );
    let copy = stored(destination, &format!("copy.{topic}"));
    wait_for_offsets(&copy, i64::try_from(EACH * 2).expect("few")).await;
    becomes(&worker, "tributary_records_total", &names, Some(each * 2.0)).await;
    // Both tasks were begun again.
    let begun = ["link=\"measured\""];
    becomes(&worker, "tributary_task_restarts_total", &begun, Some(2.0)).await;

    // Requests are counted by the path's pattern.
    let scrape = scraped(&worker.client).await;
    let asked = [
        "method=\"PUT\"",
        "route=\"/connectors/{connector}/pause\"",
        "code=\"202\"",
    ];
    assert_eq!(
        scrape.sum("tributary_http_requests_total", &asked),
        Some(1.0)
    );
    is_approved(&scrape);
    expect(worker.client.delete("/connectors/measured").await, 204);
    let scrape = becomes(&worker, "tributary_tasks", &[], None).await;
    assert!(
        !scrape.text.contains("link=\"measured\""),
        "{}",
        scrape.text
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_show_and_too_many_partitions_are_folded_into_their_topics() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("folded");
    new_topic(source, &topic, PARTITIONS, &[]).await;
    fill(source, &topic, 1).await;
    let link = |name: &str, from: &str| {
        format!(
            "name={name}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={from}\n\
             topic.whitelist={topic}\n"
        )
    };
    let lines = format!(
        "bootstrap.servers={}\ntributary.metrics.partition.limit=2",
        destination.bootstrap()
    );
    let (good, bad) = (
        link("good", &source.bootstrap()),
        link("bad", "127.0.0.1:1"),
    );
    let worker = Worker::tributary(&lines, &[&good, &bad]).await;
    let names = ["link=\"good\"", &format!("topic=\"{topic}\"")];
    becomes(
        &worker,
        "tributary_records_total",
        &names,
        Some(EACH as f64),
    )
    .await;
    let failed = ["link=\"bad\"", "state=\"failed\""];
    let scrape = becomes(&worker, "tributary_link_state", &failed, Some(1.0)).await;
    is_approved(&scrape);
    assert_eq!(scrape.sum("tributary_tasks", &failed), Some(1.0));
    assert_eq!(
        scrape.sum("tributary_partition_series_limited", &[]),
        Some(1.0)
    );
    assert!(
        !scrape.text.contains("tributary_partition_records"),
        "{}",
        scrape.text
    );
}

/// Names of labels in `a="b",c=~"d"`.
fn matched(matchers: &str) -> Vec<&str> {
    // Values that are patterns have no commas here.
    let matchers = matchers.split(',').filter(|matcher| !matcher.is_empty());
    matchers
        .map(|one| one.split(['=', '!']).next().expect("a first part").trim())
        .collect()
}

#[test]
fn rules_and_board_ask_for_nothing_that_is_not_measured() {
    let rules = std::fs::read_to_string(ops("prometheus/tributary.rules.yml")).expect("rules");
    let mut series: BTreeMap<String, &[&str]> = BTreeMap::new();
    for metric in catalogue::all() {
        let name = metric.series();
        if metric.kind == Kind::Histogram {
            let parts = ["bucket", "count", "sum"].map(|part| format!("{name}_{part}"));
            series.extend(parts.map(|part| (part, metric.labels)));
        }
        series.insert(name, metric.labels);
    }
    let mut asked = 0;
    for text in queries().iter().chain([&rules]) {
        for begin in ["tributary_", "process_"] {
            for (at, _) in text.match_indices(begin) {
                let before = text[..at].chars().next_back();
                if before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':') {
                    continue;
                }
                let rest = &text[at..];
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
                let (name, rest) = rest.split_at(end.unwrap_or(rest.len()));
                let labels = series
                    .get(name)
                    .unwrap_or_else(|| panic!("{name} in {text}"));
                asked += 1;
                let Some(matchers) = rest.strip_prefix('{') else {
                    continue;
                };
                let (matchers, _) = matchers.split_once('}').expect("an end");
                for label in matched(matchers) {
                    let known =
                        labels.contains(&label) || ["job", "instance", "le"].contains(&label);
                    assert!(known, "{label} of {name} in {text}");
                }
            }
        }
    }
    assert!(asked > 40, "{asked} metrics are asked for");
}
