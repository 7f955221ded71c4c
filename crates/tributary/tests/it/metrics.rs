//! `/metrics` of a live worker: read by Prometheus' own tool, and compared with what the judge counts. The board and the
//! rules of `ops/` are asked in a real Prometheus.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use metrics::{Kind, catalogue};
use serde_json::Value;
use test_support::client_libraries::{self, Libraries};
use test_support::eventually::eventually;
use test_support::kafka_cluster::KafkaCluster;
use test_support::managed_process::{ManagedProcess, ProcessSpec};
use test_support::workload::{Generator, Load, Shape};

use crate::connect_clients::{file, installed, succeeds};
use crate::connect_http::{Answer, Client};
use crate::connect_worker::{SOON, Worker, expect, free_port};
use crate::support::{NEW, OLD, new_topic, pair, stored, unique, wait_for_offsets};

const PARTITIONS: i32 = 3;
const EACH: u64 = 500;
const OPENMETRICS: &str =
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2,*/*;q=0.1";

/// Series by name and labels, as they stand.
struct Scrape {
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
    fn sum(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let mine = self.series.iter().filter(|(series, _)| {
            let (own, rest) = series.split_once('{').unwrap_or((series, ""));
            own == name && labels.iter().all(|label| rest.contains(label))
        });
        mine.map(|(_, value)| *value)
            .reduce(|one, other| one + other)
    }
}

async fn scraped(worker: &Worker) -> Scrape {
    Scrape::of(worker.client.get("/metrics").await)
}

/// Prometheus' tool finds nothing to complain about.
fn is_approved(scrape: &Scrape) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("metrics");
    std::fs::write(&path, &scrape.text).expect("written");
    let checked = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(File::open(&path).expect("readable"))
        .output()
        .expect("promtool is there: cargo xtask test installs it");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        checked.status.success() && said.is_empty(),
        "{said}\n{}",
        scrape.text
    );
}

async fn fill(cluster: &KafkaCluster, topic: &str, round: u32) {
    let shape = Shape::mixed(u64::from(round), PARTITIONS).producer(round);
    let records = Generator::new(shape).take(usize::try_from(EACH).expect("few"));
    let load = Load::new(cluster.bootstrap(), topic);
    load.send(records).await.expect("acknowledged");
}

/// Waits until a sum is so; gives the scrape in which it is.
async fn becomes(worker: &Worker, name: &str, labels: &[&str], expected: Option<f64>) -> Scrape {
    let look = async || {
        let scrape = scraped(worker).await;
        match scrape.sum(name, labels) {
            found if found == expected => Ok(scrape),
            found => Err(format!("{found:?}: {}", scrape.text)),
        }
    };
    let what = format!("{name} {labels:?} to be {expected:?}");
    eventually(&what, SOON, look)
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
    let resident = scrape.sum("process_resident_memory_bytes", &[]);
    assert!(resident > Some(1e6), "{resident:?}");
}

async fn is_openmetrics_where_that_is_accepted(worker: &Worker) {
    let answer = worker
        .client
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
            .contains("# UNIT tributary_lag_seconds seconds\n")
    );
    let path = worker.folder.path().join("openmetrics");
    std::fs::write(&path, &answer.body).expect("written");
    let libraries = installed(Libraries::Python).await;
    let arguments = [
        file("openmetrics.py").display().to_string(),
        path.display().to_string(),
    ];
    let python = client_libraries::python(&libraries);
    println!(
        "{}",
        succeeds("strict parser", python, &arguments, worker).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_measured_is_what_is_there_and_goes_with_what_it_is_about() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("measured");
    new_topic(source, &topic, PARTITIONS, &[]).await;
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
    let healthy = ["link=\"measured\"", "health=\"healthy\""];
    let scrape = becomes(&worker, "tributary_link_health", &healthy, Some(1.0)).await;
    is_approved(&scrape);
    is_as_counted(&scrape, &names);
    is_openmetrics_where_that_is_accepted(&worker).await;

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

    // Requests are counted by the path's pattern.
    let scrape = scraped(&worker).await;
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

fn ops(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../ops")
        .join(file)
}

/// All expressions of the board, for every link.
fn queries() -> Vec<String> {
    let text = std::fs::read_to_string(ops("grafana/replication.json")).expect("the board");
    let board: Value = serde_json::from_str(&text).expect("JSON");
    let panels = board["panels"].as_array().expect("panels").iter();
    let targets = panels
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let expressions = targets.map(|target| target["expr"].as_str().expect("a query").to_owned());
    let mut all: Vec<String> = expressions.collect();
    for query in &mut all {
        for variable in ["$link", "$source", "$destination", "$topic", "$job"] {
            *query = query.replace(variable, ".*");
        }
    }
    all
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

/// Asks Prometheus; gives the number of series.
async fn answered(prometheus: &Client, query: &str) -> usize {
    let encoded: String = query
        .bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect();
    let answer = prometheus
        .get(&format!("/api/v1/query?query={encoded}"))
        .await;
    let json = expect(answer, 200).json();
    assert_eq!(json["status"], "success", "{query}: {json}");
    json["data"]["result"].as_array().expect("a vector").len()
}

/// What Strimzi's boards for MirrorMaker 2 select, without what Prometheus adds at the scrape: with its JMX exporter, and with
/// its metrics reporter. Not there: what Java's machine says of itself, and offsets of consumer groups.
const STRIMZI: &[&str] = &[
    "sum(kafka_connect_worker_connector_count)",
    "sum(kafka_connect_worker_task_count)",
    "sum(kafka_connect_worker_rebalance_rebalancing)",
    "sum by (kubernetes_pod_name) (kafka_connect_coordinator_assigned_connectors)",
    "sum by (kubernetes_pod_name) (kafka_connect_coordinator_assigned_tasks)",
    r#"sum by (topic, partition) (kafka_consumer_fetch_manager_records_lag{clientid=~".*replication-consumer\""})"#,
    "sum(rate(kafka_consumer_incoming_byte_total[5m]))",
    "sum(rate(kafka_producer_outgoing_byte_total[5m]))",
    r#"sum(kafka_producer_buffer_available_bytes{clientid=~"\".*SourceConnector-[0-9]+\""})"#,
    r#"sum(kafka_connect_connector_task_offset_commit_avg_time_ms{connector=~"\".*SourceConnector\"", task=~"[0-9]+"})"#,
    r#"sum(kafka_connect_source_task_source_record_active_count{connector=~"\".*SourceConnector\""})"#,
    r#"kafka_connect_connector_status{status="running"}"#,
    "kafka_connect_worker_connector_failed_task_count",
    "sum(kafka_connect_connect_worker_metrics_connector_count)",
    "sum(kafka_connect_connect_worker_metrics_task_count)",
    "sum(kafka_connect_connect_worker_rebalance_metrics_rebalancing)",
    "sum(kafka_connect_connect_coordinator_metrics_assigned_connectors)",
    "sum(kafka_connect_connect_coordinator_metrics_assigned_tasks)",
    r#"kafka_consumer_consumer_fetch_manager_metrics_records_lag{client_id=~".*replication-consumer"}"#,
    "sum(rate(kafka_consumer_consumer_metrics_incoming_byte[5m]))",
    "sum(rate(kafka_producer_producer_metrics_outgoing_byte[5m]))",
    "sum by (client_id) (kafka_producer_producer_metrics_buffer_available_bytes)",
    r#"kafka_connect_connector_task_metrics_offset_commit_avg_time_ms{connector=~".*SourceConnector", task=~"[0-9]+"}"#,
    r#"confluent_replicator_task_metrics_message_lag{name="scraped"} >= 0"#,
    r#"confluent_replicator_task_metrics_info{confluent_replicator_destination_topic_name!=""}"#,
];

/// The same of both, by partition.
fn mirrored() -> Vec<String> {
    let ages = ["record_age", "replication_latency"]
        .map(|of| ["ms", "ms_avg", "ms_min", "ms_max"].map(|one| format!("{of}_{one}")));
    let counts = ["record_count", "record_rate", "byte_count", "byte_rate"].map(str::to_owned);
    let names = ages.into_iter().flatten().chain(counts);
    names
        .map(|name| {
            format!("sum by (partition, topic) (kafka_connect_mirror_mirrorsourceconnector_{name})")
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_query_of_our_board_and_of_strimzis_has_an_answer_in_a_real_prometheus() {
    let (source, destination) = pair(OLD, NEW).await;
    let topic = unique("scraped");
    new_topic(source, &topic, PARTITIONS, &[]).await;
    fill(source, &topic, 1).await;
    let link = format!(
        "name=scraped\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\n",
        source.bootstrap()
    );
    let lines = format!(
        "bootstrap.servers={}\ntributary.metrics.compat=strimzi-jmx,strimzi-reporter,replicator",
        destination.bootstrap()
    );
    let worker = Worker::tributary(&lines, &[&link]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("prometheus.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [\"{}\"]\nscrape_configs:\n\
         - {{job_name: tributary, static_configs: [{{targets: [\"{}\"]}}]}}\n",
        ops("prometheus/tributary.rules.yml").display(),
        worker.client.address
    );
    std::fs::write(&settings, text).expect("written");
    let address = format!("127.0.0.1:{}", free_port());
    let arguments = [
        format!("--config.file={}", settings.display()),
        format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ),
        format!("--web.listen-address={address}"),
    ];
    let spec = ProcessSpec::new("prometheus", "prometheus").arguments(arguments);
    let _process = ManagedProcess::start(spec).expect("it is there: cargo xtask test installs it");
    let prometheus = Client::new(address);
    let scraping = async || match prometheus.raw(b"GET /-/ready HTTP/1.0\r\n\r\n").await {
        Ok(bytes) if bytes.starts_with(b"HTTP/1.0 200") => Ok(()),
        other => Err(format!("{other:?}")),
    };
    eventually("Prometheus", SOON, scraping)
        .await
        .expect("it starts");
    let foreign = mirrored();
    let foreign = foreign
        .iter()
        .map(String::as_str)
        .chain(STRIMZI.iter().copied());
    let all: Vec<String> = foreign.map(str::to_owned).chain(queries()).collect();
    for query in &all {
        // Only while there is lag.
        if query.contains("catch_up_seconds") {
            answered(&prometheus, query).await;
            continue;
        }
        let look = async || match answered(&prometheus, query).await {
            0 => Err("nothing"),
            some => Ok(some),
        };
        eventually(query, SOON, look)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"));
    }
    println!("{} queries have answers", all.len());
    // All sets at once are still what a strict parser takes.
    Box::pin(is_openmetrics_where_that_is_accepted(&worker)).await;
    for alert in [
        "TributaryNoWorkers",
        "TributaryTaskFailed",
        "TributaryPartitionStopped",
    ] {
        let query = format!("ALERTS{{alertname=\"{alert}\"}}");
        assert_eq!(answered(&prometheus, &query).await, 0, "{alert}");
    }
}
