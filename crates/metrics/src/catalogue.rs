//! Every metric there is, once: name, labels, what it means. `docs/metrics.md` is made from it.

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A number that goes up and down.
    Gauge,
    /// A number that goes up; its series end in `_total`.
    Counter,
    /// Counts of values by size.
    Histogram,
    /// Labels, with the value 1; its series end in `_info`.
    Info,
}

/// A metric. Its name is without the ending that its kind gives to its series.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Names of its labels, in the order in which values are given.
    pub labels: &'static [&'static str],
    /// What it means, in one sentence.
    pub help: &'static str,
}

impl Metric {
    /// The unit that its name ends with.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        let units = ["seconds", "bytes", "ratio"];
        let last = self.name.rsplit('_').next()?;
        units.into_iter().find(|unit| *unit == last)
    }

    /// The name of its series, as queries have it.
    #[must_use]
    pub fn series(&self) -> String {
        let ending = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        format!("{}{ending}", self.name)
    }
}

const fn metric(
    kind: Kind,
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

pub(crate) const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    metric(Kind::Gauge, name, labels, help)
}

pub(crate) const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    metric(Kind::Counter, name, labels, help)
}

pub(crate) const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    metric(Kind::Histogram, name, labels, help)
}

pub(crate) const fn info(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> Metric {
    metric(Kind::Info, name, labels, help)
}

/// A quantity of a topic, and the same of each partition.
#[derive(Debug)]
pub struct Measured {
    /// Of the worker's share of a topic.
    pub topic: Metric,
    /// Of a partition.
    pub partition: Metric,
}

const TOPIC: &[&str] = &[
    "link",
    "source",
    "destination",
    "topic",
    "destination_topic",
];
const PARTITION: &[&str] = &[
    "link",
    "source",
    "destination",
    "topic",
    "destination_topic",
    "partition",
];

macro_rules! measured {
    ($kind:ident, $name:literal, $help:literal) => {
        Measured {
            topic: $kind(concat!("tributary_", $name), TOPIC, $help),
            partition: $kind(concat!("tributary_partition_", $name), PARTITION, $help),
        }
    };
}

macro_rules! catalogue {
    ($($constant:ident = $kind:ident($name:literal, [$($label:literal),*], $help:literal);)*) => {
        $(#[doc = $help] pub static $constant: Metric = $kind($name, &[$($label),*], $help);)*

        /// All metrics that are no [`MEASURED`] ones.
        pub static OTHERS: &[&Metric] = &[$(&$constant),*];
    };
}

/// Records acknowledged.
pub static RECORDS: Measured = measured!(
    counter,
    "records",
    "Records acknowledged by the destination."
);
/// Bytes acknowledged.
pub static BYTES: Measured = measured!(
    counter,
    "bytes",
    "Bytes of record batches acknowledged by the destination."
);
/// Lag in records.
pub static LAG_RECORDS: Measured = measured!(
    gauge,
    "lag_records",
    "Source offsets that are not at the destination yet; a lower bound while tributary_lag_known is 0."
);
/// Lag in seconds.
pub static LAG_SECONDS: Measured = measured!(
    gauge,
    "lag_seconds",
    "For how long the oldest record that is not at the destination has been readable at the source; 0 when there is none."
);
/// Whether lag is known.
pub static LAG_KNOWN: Measured = measured!(
    gauge,
    "lag_known",
    "1, or 0 while the end of the source cannot be read."
);
/// Lag in bytes.
pub static LAG_BYTES: Measured = measured!(
    gauge,
    "lag_bytes",
    "Estimated size of what is not at the destination yet."
);
/// No progress.
pub static NO_PROGRESS: Measured = measured!(
    gauge,
    "no_progress_seconds",
    "For how long there has been something to copy and nothing of it was; 0 while it goes on or there is nothing."
);
/// Where the source begins.
pub static SOURCE_START: Measured = measured!(
    gauge,
    "source_start_offset",
    "First offset of the source, summed over partitions."
);
/// Where the source ends.
pub static SOURCE_END: Measured = measured!(
    gauge,
    "source_end_offset",
    "Last stable offset of the source, summed over partitions."
);
/// How far copying has come.
pub static REPLICATED: Measured = measured!(
    gauge,
    "replicated_offset",
    "Next source offset that is not acknowledged, summed over partitions."
);
/// Where the destination ends.
pub static DESTINATION_END: Measured = measured!(
    gauge,
    "destination_end_offset",
    "End of the destination, summed over partitions."
);
/// How long the source still keeps what is not copied.
pub static HEADROOM: Measured = measured!(
    gauge,
    "source_retention_headroom_seconds",
    "Until the source may delete, by its time, a record that is not at the destination; +Inf where nothing waits. Absent where the source keeps everything, in a worker that does not look after the link's topics, and of a partition where nothing waits."
);

/// What is measured of topics and of partitions.
pub static MEASURED: [&Measured; 12] = [
    &RECORDS,
    &BYTES,
    &LAG_RECORDS,
    &LAG_SECONDS,
    &LAG_KNOWN,
    &LAG_BYTES,
    &NO_PROGRESS,
    &SOURCE_START,
    &SOURCE_END,
    &REPLICATED,
    &DESTINATION_END,
    &HEADROOM,
];

catalogue! {
    PARTITION_STATE = gauge("tributary_partition_state", ["link", "source", "destination", "topic", "destination_topic", "partition", "state"], "1 for the state of the partition, 0 for all others.");
    BATCHES = counter("tributary_batches", ["link", "source", "destination", "path"], "Record batches acknowledged, untouched or decoded.");
    DECODED = counter("tributary_batches_decoded", ["link", "source", "destination", "reason"], "Record batches that were decoded, by the reason why they could not pass as they were.");
    FETCHED_BYTES = counter("tributary_fetched_bytes", ["link", "source", "destination"], "Bytes of record batches read from the source, as often as they were.");
    APART_BYTES = counter("tributary_apart_bytes", ["link", "source", "destination"], "Bytes of record batches that were copied out of the answers they came in, because they stay in memory for long and memory is short.");
    PRODUCED_BYTES = counter("tributary_produced_bytes", ["link", "source", "destination"], "Bytes of record batches sent to the destination, as often as they were.");
    LATENCY = histogram("tributary_replication_latency_seconds", ["link", "source", "destination"], "From the times of records to their acknowledgement by the destination; meaningless while old records are copied.");
    STAGE_LATENCY = histogram("tributary_stage_latency_seconds", ["link", "source", "destination", "stage"], "How long parts of the way took: requests to the source that brought records (fetch), batches that waited (queue), requests to the destination (produce).");
    OFFSET_COMMIT = histogram("tributary_offset_commit_duration_seconds", ["link", "source", "destination"], "How long storing positions took, where that is not part of transactions.");
    OFFSET_COMMITS = counter("tributary_offset_commits", ["link", "source", "destination", "result"], "How often positions were stored (done) or could not be (failed), where that is not part of transactions.");
    IN_FLIGHT_RECORDS = gauge("tributary_in_flight_records", ["link", "source", "destination"], "Records that were read and are not acknowledged.");
    IN_FLIGHT_BYTES = gauge("tributary_in_flight_bytes", ["link", "source", "destination"], "Bytes of record batches that were read and are not acknowledged.");
    SKIPPED = counter("tributary_records_skipped", ["link", "source", "destination", "reason"], "Records left out on purpose: refused by the destination (skipped), or its own records coming back (loop).");
    QUARANTINED = counter("tributary_dlq_records", ["link", "source", "destination"], "Records that the destination refused and that were set aside in the quarantine topic.");
    DUPLICATED = counter("tributary_records_possibly_duplicated", ["link", "source", "destination", "topic", "reason"], "Records that may be at the destination twice, at most.");
    LOST = counter("tributary_records_lost", ["link", "source", "destination", "topic", "reason"], "Source offsets that could no longer be read: deleted by retention or DeleteRecords before they were copied, or truncated by an election after that.");
    LINK_HEALTH = gauge("tributary_link_health", ["link", "source", "destination", "health"], "1 for the health of the link, 0 for all others; of the worker's share, so a link has failed only where no share of it is copied, or its connector has failed.");
    LINK_STATE = gauge("tributary_link_state", ["link", "source", "destination", "state"], "1 for the state of the connector in Connect's sense, 0 for all others; running does not mean healthy.");
    TASK_STATE = gauge("tributary_task_state", ["link", "source", "destination", "task", "state"], "1 for the state of the task in Connect's sense, 0 for all others.");
    TASKS = gauge("tributary_tasks", ["link", "source", "destination", "state"], "Tasks of the link in this state.");
    PARTITIONS = gauge("tributary_partitions", ["link", "source", "destination", "state"], "Partitions of the link in this state.");
    TOPICS = gauge("tributary_topics", ["link", "source", "destination", "state"], "Selected topics of the link in this state.");
    TOPICS_EXCLUDED = gauge("tributary_topics_excluded", ["link", "source", "destination", "reason"], "Topics of the source that the link does not select (not-selected); absent where only exact names select, because others are not looked at.");
    LINK_CHECK = gauge("tributary_link_check", ["link", "source", "destination", "check"], "1 where the check passes, 0.5 for a warning, 0 where it fails, -1 where it is not known; of the worker's share, so the least of all workers counts.");
    RECORD_ERRORS = counter("tributary_record_errors", ["link", "source", "destination", "kind", "side"], "Records that the destination refused and that were left out or set aside; one at which a partition stands is not counted.");
    CLUSTER_UP = gauge("tributary_cluster_up", ["link", "cluster", "side"], "1 while brokers of the cluster answer this worker that lead something of the link, 0 while none of them does.");
    EVIDENCE = gauge("tributary_evidence_timestamp_seconds", ["link", "source", "destination", "kind"], "When the oldest reading was taken that lag and health rest on, in seconds since 1970.");
    LOOP_SUSPECTED = gauge("tributary_loop_suspected", ["link", "source", "destination"], "1 when records came back that had been in the topic before.");
    SYNC_SUCCESS = gauge("tributary_sync_last_success_timestamp_seconds", ["link", "source", "destination", "kind"], "When both clusters were compared last without trouble, their topics (topic) and their access rights (acl), in seconds since 1970.");
    SYNC_INTERVAL = gauge("tributary_sync_interval_seconds", ["link", "source", "destination", "kind"], "How often both clusters are compared, their topics (topic) and their access rights (acl), as the link is configured.");
    RETENTION = gauge("tributary_source_retention_seconds", ["link", "source", "destination", "topic"], "For how long the source keeps the topic's records, where it deletes them by time; told by the worker that looks after the link's topics.");
    SYNC_OPERATIONS = counter("tributary_sync_operations", ["link", "source", "destination", "kind", "result"], "Changes to topics of the destination (topic, partitions, config) and to its access rights (acl, counted by bindings): done, to be tried again (quota, no answer), or refused, also in part.");
    TASK_RESTARTS = counter("tributary_task_restarts", ["link", "source", "destination", "task"], "How often this worker began the task again, after a failure or because somebody asked.");
    TASK_LAST_ERROR = gauge("tributary_task_last_error_timestamp_seconds", ["link", "source", "destination", "task"], "When the task failed last, or a partition of it came to stand, on the worker that has it, in seconds since 1970; absent where that has not happened.");
    CONFIG_DRIFT = gauge("tributary_config_drift", ["link", "source", "destination", "kind"], "Topics whose copies are not as they are to be, and stay so: settings that were refused, left out or not followed (config), other numbers of partitions (partitions), fewer replicas (rf); told by the worker that looks after the link's topics.");
    RETRIES = counter("tributary_retries", ["link", "source", "destination", "side", "api"], "Requests to which no answer came; what they were for is done again.");
    CLIENT_DURATION = histogram("tributary_client_request_duration_seconds", ["link", "cluster", "side", "api"], "How long answers of brokers took; readings for health are not in it.");
    CLIENT_THROTTLE = counter("tributary_client_throttle_seconds", ["link", "cluster", "side", "api"], "For how long brokers held this client back because of a quota, as they say.");
    CLIENT_CONNECTIONS = gauge("tributary_client_connections", ["link", "cluster", "side", "broker"], "Connections that are open to the broker; those over which health is read are not in it.");
    CERTIFICATE = gauge("tributary_cluster_certificate_not_after_timestamp_seconds", ["link", "cluster", "side", "subject"], "When the certificate ends that brokers show (broker; the first of them) or that is shown to them (client), in seconds since 1970.");
    TOKEN = gauge("tributary_cluster_token_not_after_timestamp_seconds", ["link", "cluster", "side"], "When the token ends that is shown to brokers, in seconds since 1970.");
    WORKER = info("tributary_worker", ["worker_id", "version", "commit"], "The worker and its build.");
    ASSIGNED_CONNECTORS = gauge("tributary_worker_assigned_connectors", [], "Connectors that this worker runs.");
    ASSIGNED_TASKS = gauge("tributary_worker_assigned_tasks", [], "Tasks that this worker runs.");
    LEADER = gauge("tributary_worker_leader", [], "1 when this worker leads its group.");
    GENERATION = gauge("tributary_worker_group_generation", [], "Generation of the group that this worker is in; -1 before the first.");
    REBALANCING = gauge("tributary_rebalance_in_progress", [], "1 while assignments of the group are being made.");
    REBALANCE_DELAY = gauge("tributary_rebalance_delay_remaining_seconds", [], "Until the work of a worker that was lost is given to others; 0 when there is none. Told by the leader.");
    REBALANCES = counter("tributary_rebalances", ["reason"], "Assignments that this worker asked for and got, by why it first asked.");
    REBALANCE_DURATION = histogram("tributary_rebalance_duration_seconds", [], "From the wish for an assignment until it was there.");
    CONFIG_OFFSET = gauge("tributary_config_topic_offset", [], "How far this worker has read the group's config topic; workers that differ for long do not agree on what is to run.");
    BUFFER_LIMIT = gauge("tributary_buffer_limit_bytes", [], "Memory that record batches may take in this worker.");
    BUFFER_USED = gauge("tributary_buffer_used_bytes", [], "Memory that record batches take now.");
    SERIES_LIMITED = gauge("tributary_partition_series_limited", [], "1 when series of single partitions are left out because there are too many.");
    UNEXPLAINED = counter("tributary_unexplained_errors", ["kind"], "Failures of links (link) and troubles of partitions (partition) that no rule explains.");
    HTTP_REQUESTS = counter("tributary_http_requests", ["method", "route", "code"], "Requests answered over HTTP.");
    HTTP_DURATION = histogram("tributary_http_request_duration_seconds", ["route"], "How long answers over HTTP took.");
    PROCESS_CPU = counter("process_cpu_seconds", [], "Processor time that this process has used.");
    PROCESS_RESIDENT = gauge("process_resident_memory_bytes", [], "Memory of this process that is in RAM.");
    PROCESS_VIRTUAL = gauge("process_virtual_memory_bytes", [], "Address space of this process.");
    PROCESS_OPEN_FILES = gauge("process_open_fds", [], "Open file descriptors.");
    PROCESS_MAX_FILES = gauge("process_max_fds", [], "File descriptors that may be open.");
    PROCESS_START = gauge("process_start_time_seconds", [], "When this process was started, in seconds since 1970.");
}

/// All metrics.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    let measured = MEASURED
        .iter()
        .flat_map(|both| [&both.topic, &both.partition]);
    measured.chain(OTHERS.iter().copied())
}

/// The page of the documentation.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(
        "# Metrics\n\n\
         Made from the program by `cargo xtask docs`. `GET /metrics` of a worker, also of `tributary replicate --listen`,\n\
         answers in OpenMetrics 1.0 where that is accepted, and else in Prometheus' text format 0.0.4. No value is ever NaN:\n\
         what is not known is absent, and marked by `tributary_lag_known`.\n\n\
         Series of links have the labels `link`, `source` and `destination`; the latter two are the clusters' aliases where the\n\
         configuration has some (`source.cluster.alias`, `target.cluster.alias`). `topic` is the topic at the source,\n\
         `destination_topic` its copy. Of a link that is paused or stopped there are states only. Series of single partitions\n\
         are left out in a worker with more than `tributary.metrics.partition.limit` of them.\n\n\
         ## Topics and partitions\n\n\
         The same of each partition as `tributary_partition_…`, with the label `partition`.\n\n\
         | metric | kind | meaning |\n|---|---|---|\n",
    );
    for both in MEASURED {
        row(&mut text, &both.topic, "");
    }
    text.push_str(
        "\n## Everything else\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in OTHERS {
        let of_link = metric
            .labels
            .starts_with(&["link", "source", "destination"]);
        let own = if of_link {
            &metric.labels[3..]
        } else {
            metric.labels
        };
        let own: Vec<String> = own.iter().map(|label| format!("`{label}`")).collect();
        let mut labels = if of_link {
            vec!["those of a link".to_owned()]
        } else {
            Vec::new()
        };
        labels.extend(own);
        row(&mut text, metric, &format!(" {} |", labels.join(", ")));
    }
    crate::compat::describe(&mut text);
    text
}

fn row(text: &mut String, metric: &Metric, labels: &str) {
    let kind = format!("{:?}", metric.kind).to_lowercase();
    text.push_str(&format!(
        "| `{}` | {kind} |{labels} {} |\n",
        metric.series(),
        metric.help
    ));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_help_is_a_sentence() {
        let mut seen = BTreeSet::new();
        for metric in all() {
            assert!(seen.insert(metric.name), "{} is there twice", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            assert!(!metric.name.ends_with("_total") && !metric.name.ends_with("_info"));
            let unique: BTreeSet<_> = metric.labels.iter().collect();
            assert_eq!(unique.len(), metric.labels.len(), "{}", metric.name);
        }
        assert_eq!(seen.len(), MEASURED.len() * 2 + OTHERS.len());
    }
}
