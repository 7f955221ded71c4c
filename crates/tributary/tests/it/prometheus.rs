//! A real Prometheus that scrapes workers: what boards ask it, and which alerts fire.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use test_support::eventually::eventually;
use test_support::managed_process::{ManagedProcess, ProcessSpec};

use crate::connect_http::Client;
use crate::connect_worker::{SOON, expect, free_port};

/// How long an alert may take to fire or to resolve: limits are seconds here.
const TOLD: Duration = Duration::from_secs(60);

/// A file of `ops/`.
pub(crate) fn ops(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../ops")
        .join(file)
}

/// All expressions of the board, for every link.
pub(crate) fn queries() -> Vec<String> {
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

/// The rules of `ops/` with limits of seconds, and with the one whose number of workers is the reader's.
fn hasty(workers: usize) -> String {
    let rules = std::fs::read_to_string(ops("prometheus/tributary.rules.yml")).expect("rules");
    let lines = rules.lines().map(|line| {
        let line = match line.trim_start() {
            rule if rule.starts_with("# - alert:") || rule.starts_with("#   ") => {
                line.replacen("# ", "", 1)
            }
            _ => line.to_owned(),
        };
        match line.trim_start().starts_with("for:") {
            true => "        for: 1s\n".to_owned(),
            false => line + "\n",
        }
    });
    let text: String = lines.collect();
    let limits = format!("count(tributary_worker_info) < {workers}");
    let mut text = text.replace("count(tributary_worker_info) < 3", &limits);
    for (slow, fast) in [
        ("> 120", "> 6"),
        ("> 300", "> 6"),
        ("tributary_lag_seconds) > 60", "tributary_lag_seconds) > 4"),
        ("> bool 60", "> bool 4"),
        ("[10m]", "[15s]"),
        ("offset 10m", "offset 15s"),
        ("[5m:30s]", "[5s:1s]"),
        ("[1h:30s]", "[10s:1s]"),
        ("[5m]", "[10s]"),
        ("[15m]", "[15s]"),
        ("> 10000", "> 100"),
        ("> 3600", "> 12"),
    ] {
        assert!(text.contains(slow), "no rule has {slow} any more");
        text = text.replace(slow, fast);
    }
    text
}

/// See the module.
pub(crate) struct Prometheus {
    client: Client,
    _process: ManagedProcess,
    folder: tempfile::TempDir,
}

impl Prometheus {
    /// Scrapes these addresses every second, and evaluates the rules as often.
    pub(crate) async fn scraping(targets: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let rules = folder.path().join("rules.yml");
        std::fs::write(&rules, hasty(targets.len())).expect("written");
        let settings = folder.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [\"{}\"]\nscrape_configs:\n\
             - {{job_name: tributary, file_sd_configs: [{{files: [\"{}\"], refresh_interval: 1s}}]}}\n",
            rules.display(),
            folder.path().join("targets.json").display()
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
        let process =
            ManagedProcess::start(spec).expect("it is there: cargo xtask test installs it");
        let prometheus = Self {
            client: Client::new(address),
            _process: process,
            folder,
        };
        prometheus.scrape(targets);
        let ready = async || match prometheus
            .client
            .raw(b"GET /-/ready HTTP/1.0\r\n\r\n")
            .await
        {
            Ok(bytes) if bytes.starts_with(b"HTTP/1.0 200") => Ok(()),
            other => Err(format!("{other:?}")),
        };
        eventually("Prometheus", SOON, ready)
            .await
            .expect("it starts");
        prometheus
    }

    /// Scrapes these from now on.
    pub(crate) fn scrape(&self, targets: &[&str]) {
        let text = serde_json::json!([{"targets": targets}]).to_string();
        // Read by somebody else meanwhile, half of it would be no JSON.
        let (file, new) = ("targets.json", "targets.new");
        let [file, new] = [file, new].map(|name| self.folder.path().join(name));
        std::fs::write(&new, text).expect("written");
        std::fs::rename(&new, &file).expect("moved");
    }

    /// The number of series that a query finds.
    pub(crate) async fn finds(&self, query: &str) -> usize {
        let encoded: String = query
            .bytes()
            .map(|byte| match byte.is_ascii_alphanumeric() {
                true => char::from(byte).to_string(),
                false => format!("%{byte:02X}"),
            })
            .collect();
        let path = format!("/api/v1/query?query={encoded}");
        let json = expect(self.client.get(&path).await, 200).json();
        assert_eq!(json["status"], "success", "{query}: {json}");
        json["data"]["result"].as_array().expect("a vector").len()
    }

    /// Waits until a query finds something.
    pub(crate) async fn answers(&self, query: &str) {
        let look = async || match self.finds(query).await {
            0 => Err("nothing"),
            _ => Ok(()),
        };
        let found = eventually(query, SOON, look).await;
        found.unwrap_or_else(|error| panic!("{query}: {error}"));
    }

    /// Whether an alert fires now.
    pub(crate) async fn fires(&self, alert: &str) -> bool {
        let query = format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}");
        self.finds(&query).await > 0
    }

    /// Waits until these alerts fire, or until none of them does.
    pub(crate) async fn told(&self, alerts: &[&str], fire: bool) {
        for alert in alerts {
            let look = async || match self.fires(alert).await == fire {
                true => Ok(()),
                false => Err(()),
            };
            let told = eventually(alert, TOLD, look).await;
            told.unwrap_or_else(|error| panic!("{alert}, to fire: {fire}: {error}"));
        }
        println!("  {} {alerts:?}", if fire { "fired:" } else { "resolved:" });
    }
}

/// What Strimzi's boards for MirrorMaker 2 select, without what Prometheus adds at the scrape: with its JMX exporter, and with
/// its metrics reporter. Not there: what Java's machine says of itself, and offsets of consumer groups.
pub(crate) const STRIMZI: &[&str] = &[
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
    r#"confluent_replicator_task_metrics_message_lag{name="watched"} >= 0"#,
    r#"confluent_replicator_task_metrics_info{confluent_replicator_destination_topic_name!=""}"#,
];

/// The same of both, by partition.
pub(crate) fn mirrored() -> Vec<String> {
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
