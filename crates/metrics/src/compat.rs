//! Names of other tools: what their boards and alerts ask for, once each.
//!
//! Which of our quantities stands behind which name is decided where pages are gathered. Labels that Prometheus adds itself
//! (`namespace`, `strimzi_io_cluster`, …) are not here.

use crate::catalogue::{Metric, counter, gauge};

const MIRROR: &[&str] = &["source", "target", "topic", "partition"];
const TASK: &[&str] = &["connector", "task"];

macro_rules! names {
    ($all:ident: $($constant:ident = $kind:ident($name:literal, $labels:expr, $help:literal);)*) => {
        $(#[doc = $help] pub static $constant: Metric = $kind($name, $labels, $help);)*

        /// All of them.
        pub static $all: &[&Metric] = &[$(&$constant),*];
    };
}

// What both of Strimzi's exporters call the same.
names! { MIRRORS:
    RECORD_COUNT = gauge("kafka_connect_mirror_mirrorsourceconnector_record_count", MIRROR, "Records acknowledged.");
    RECORD_RATE = gauge("kafka_connect_mirror_mirrorsourceconnector_record_rate", MIRROR, "Records acknowledged in a second.");
    BYTE_COUNT = gauge("kafka_connect_mirror_mirrorsourceconnector_byte_count", MIRROR, "Bytes acknowledged.");
    BYTE_RATE = gauge("kafka_connect_mirror_mirrorsourceconnector_byte_rate", MIRROR, "Bytes acknowledged in a second.");
    AGE = gauge("kafka_connect_mirror_mirrorsourceconnector_record_age_ms", MIRROR, "How old the newest record was when it was read.");
    AGE_AVG = gauge("kafka_connect_mirror_mirrorsourceconnector_record_age_ms_avg", MIRROR, "How old records were when they were read, in the mean.");
    AGE_MIN = gauge("kafka_connect_mirror_mirrorsourceconnector_record_age_ms_min", MIRROR, "How old records were when they were read, at least.");
    AGE_MAX = gauge("kafka_connect_mirror_mirrorsourceconnector_record_age_ms_max", MIRROR, "How old records were when they were read, at most.");
    LATENCY = gauge("kafka_connect_mirror_mirrorsourceconnector_replication_latency_ms", MIRROR, "How old the newest record was when it was acknowledged.");
    LATENCY_AVG = gauge("kafka_connect_mirror_mirrorsourceconnector_replication_latency_ms_avg", MIRROR, "How old records were when they were acknowledged, in the mean.");
    LATENCY_MIN = gauge("kafka_connect_mirror_mirrorsourceconnector_replication_latency_ms_min", MIRROR, "How old records were when they were acknowledged, at least.");
    LATENCY_MAX = gauge("kafka_connect_mirror_mirrorsourceconnector_replication_latency_ms_max", MIRROR, "How old records were when they were acknowledged, at most.");
}

names! { STRIMZI_JMX:
    CONNECTORS = gauge("kafka_connect_worker_connector_count", &[], "Connectors of this worker.");
    TASKS = gauge("kafka_connect_worker_task_count", &[], "Tasks of this worker.");
    REBALANCING = gauge("kafka_connect_worker_rebalance_rebalancing", &[], "1 while assignments are being made.");
    ASSIGNED_CONNECTORS = gauge("kafka_connect_coordinator_assigned_connectors", &["clientid"], "Connectors given to this worker.");
    ASSIGNED_TASKS = gauge("kafka_connect_coordinator_assigned_tasks", &["clientid"], "Tasks given to this worker.");
    ACTIVE_RECORDS = gauge("kafka_connect_source_task_source_record_active_count", TASK, "Records read and not acknowledged.");
    COMMIT_TIME = gauge("kafka_connect_connector_task_offset_commit_avg_time_ms", TASK, "How long storing positions took, in the mean.");
    STATUS = gauge("kafka_connect_connector_status", &["connector", "task", "status"], "1 for the state of the task.");
    FAILURES = gauge("kafka_connect_task_error_total_record_failures", TASK, "Records that the destination refused.");
    STATE_TASKS = gauge("kafka_connect_worker_connector_total_task_count", &["connector"], "Tasks of the connector in this worker.");
    RUNNING_TASKS = gauge("kafka_connect_worker_connector_running_task_count", &["connector"], "Of them, those that run.");
    PAUSED_TASKS = gauge("kafka_connect_worker_connector_paused_task_count", &["connector"], "Of them, those that are paused.");
    FAILED_TASKS = gauge("kafka_connect_worker_connector_failed_task_count", &["connector"], "Of them, those that have failed.");
    UNASSIGNED_TASKS = gauge("kafka_connect_worker_connector_unassigned_task_count", &["connector"], "Of them, those that nobody has.");
    RESTARTING_TASKS = gauge("kafka_connect_worker_connector_restarting_task_count", &["connector"], "Of them, those that are begun anew.");
    RECORDS_LAG = gauge("kafka_consumer_fetch_manager_records_lag", &["clientid", "topic", "partition"], "Source offsets that are not at the destination yet.");
    INCOMING = counter("kafka_consumer_incoming_byte", &["clientid"], "Bytes of record batches read.");
    OUTGOING = counter("kafka_producer_outgoing_byte", &["clientid"], "Bytes of record batches sent.");
    BUFFER = gauge("kafka_producer_buffer_available_bytes", &["clientid"], "Memory for record batches that is free.");
}

names! { STRIMZI_REPORTER:
    REPORTED_CONNECTORS = gauge("kafka_connect_connect_worker_metrics_connector_count", &[], "Connectors of this worker.");
    REPORTED_TASKS = gauge("kafka_connect_connect_worker_metrics_task_count", &[], "Tasks of this worker.");
    REPORTED_REBALANCING = gauge("kafka_connect_connect_worker_rebalance_metrics_rebalancing", &[], "1 while assignments are being made.");
    REPORTED_ASSIGNED_CONNECTORS = gauge("kafka_connect_connect_coordinator_metrics_assigned_connectors", &["client_id"], "Connectors given to this worker.");
    REPORTED_ASSIGNED_TASKS = gauge("kafka_connect_connect_coordinator_metrics_assigned_tasks", &["client_id"], "Tasks given to this worker.");
    REPORTED_ACTIVE_RECORDS = gauge("kafka_connect_source_task_metrics_source_record_active_count", TASK, "Records read and not acknowledged.");
    REPORTED_COMMIT_TIME = gauge("kafka_connect_connector_task_metrics_offset_commit_avg_time_ms", TASK, "How long storing positions took, in the mean.");
    REPORTED_FAILURES = gauge("kafka_connect_task_error_metrics_total_record_failures", TASK, "Records that the destination refused.");
    REPORTED_STATE_TASKS = gauge("kafka_connect_connect_worker_metrics_connector_total_task_count", &["connector"], "Tasks of the connector in this worker.");
    REPORTED_RUNNING_TASKS = gauge("kafka_connect_connect_worker_metrics_connector_running_task_count", &["connector"], "Of them, those that run.");
    REPORTED_PAUSED_TASKS = gauge("kafka_connect_connect_worker_metrics_connector_paused_task_count", &["connector"], "Of them, those that are paused.");
    REPORTED_FAILED_TASKS = gauge("kafka_connect_connect_worker_metrics_connector_failed_task_count", &["connector"], "Of them, those that have failed.");
    REPORTED_UNASSIGNED_TASKS = gauge("kafka_connect_connect_worker_metrics_connector_unassigned_task_count", &["connector"], "Of them, those that nobody has.");
    REPORTED_RESTARTING_TASKS = gauge("kafka_connect_connect_worker_metrics_connector_restarting_task_count", &["connector"], "Of them, those that are begun anew.");
    REPORTED_RECORDS_LAG = gauge("kafka_consumer_consumer_fetch_manager_metrics_records_lag", &["client_id", "topic", "partition"], "Source offsets that are not at the destination yet.");
    REPORTED_INCOMING = gauge("kafka_consumer_consumer_metrics_incoming_byte", &["client_id"], "Bytes of record batches read.");
    REPORTED_OUTGOING = gauge("kafka_producer_producer_metrics_outgoing_byte", &["client_id"], "Bytes of record batches sent.");
    REPORTED_BUFFER = gauge("kafka_producer_producer_metrics_buffer_available_bytes", &["client_id"], "Memory for record batches that is free.");
}

// What the JMX exporter calls them where nobody has given it rules: names of management beans as they are.
names! { GENERIC_MIRRORS:
    GENERIC_RECORD_COUNT = gauge("kafka_connect_mirror_source_connector_record_count", MIRROR, "Records acknowledged.");
    GENERIC_RECORD_RATE = gauge("kafka_connect_mirror_source_connector_record_rate", MIRROR, "Records acknowledged in a second.");
    GENERIC_BYTE_COUNT = gauge("kafka_connect_mirror_source_connector_byte_count", MIRROR, "Bytes acknowledged.");
    GENERIC_BYTE_RATE = gauge("kafka_connect_mirror_source_connector_byte_rate", MIRROR, "Bytes acknowledged in a second.");
    GENERIC_AGE = gauge("kafka_connect_mirror_source_connector_record_age_ms", MIRROR, "How old the newest record was when it was read.");
    GENERIC_AGE_AVG = gauge("kafka_connect_mirror_source_connector_record_age_ms_avg", MIRROR, "How old records were when they were read, in the mean.");
    GENERIC_AGE_MIN = gauge("kafka_connect_mirror_source_connector_record_age_ms_min", MIRROR, "How old records were when they were read, at least.");
    GENERIC_AGE_MAX = gauge("kafka_connect_mirror_source_connector_record_age_ms_max", MIRROR, "How old records were when they were read, at most.");
    GENERIC_LATENCY = gauge("kafka_connect_mirror_source_connector_replication_latency_ms", MIRROR, "How old the newest record was when it was acknowledged.");
    GENERIC_LATENCY_AVG = gauge("kafka_connect_mirror_source_connector_replication_latency_ms_avg", MIRROR, "How old records were when they were acknowledged, in the mean.");
    GENERIC_LATENCY_MIN = gauge("kafka_connect_mirror_source_connector_replication_latency_ms_min", MIRROR, "How old records were when they were acknowledged, at least.");
    GENERIC_LATENCY_MAX = gauge("kafka_connect_mirror_source_connector_replication_latency_ms_max", MIRROR, "How old records were when they were acknowledged, at most.");
}

names! { GENERIC:
    GENERIC_CONNECTORS = gauge("kafka_connect_worker_metrics_connector_count", &[], "Connectors of this worker.");
    GENERIC_TASKS = gauge("kafka_connect_worker_metrics_task_count", &[], "Tasks of this worker.");
    GENERIC_REBALANCING = gauge("kafka_connect_worker_rebalance_metrics_rebalancing", &[], "1 while assignments are being made.");
    GENERIC_STATE_TASKS = gauge("kafka_connect_worker_metrics_connector_total_task_count", &["connector"], "Tasks of the connector in this worker.");
    GENERIC_RUNNING_TASKS = gauge("kafka_connect_worker_metrics_connector_running_task_count", &["connector"], "Of them, those that run.");
    GENERIC_PAUSED_TASKS = gauge("kafka_connect_worker_metrics_connector_paused_task_count", &["connector"], "Of them, those that are paused.");
    GENERIC_FAILED_TASKS = gauge("kafka_connect_worker_metrics_connector_failed_task_count", &["connector"], "Of them, those that have failed.");
    GENERIC_UNASSIGNED_TASKS = gauge("kafka_connect_worker_metrics_connector_unassigned_task_count", &["connector"], "Of them, those that nobody has.");
    GENERIC_RESTARTING_TASKS = gauge("kafka_connect_worker_metrics_connector_restarting_task_count", &["connector"], "Of them, those that are begun anew.");
}

/// What the reporter's metrics are called by the JMX exporter without rules; three have the same name.
static WITHOUT_RULES: &[(&Metric, &Metric)] = &[
    (&REPORTED_CONNECTORS, &GENERIC_CONNECTORS),
    (&REPORTED_TASKS, &GENERIC_TASKS),
    (&REPORTED_REBALANCING, &GENERIC_REBALANCING),
    (&REPORTED_STATE_TASKS, &GENERIC_STATE_TASKS),
    (&REPORTED_RUNNING_TASKS, &GENERIC_RUNNING_TASKS),
    (&REPORTED_PAUSED_TASKS, &GENERIC_PAUSED_TASKS),
    (&REPORTED_FAILED_TASKS, &GENERIC_FAILED_TASKS),
    (&REPORTED_UNASSIGNED_TASKS, &GENERIC_UNASSIGNED_TASKS),
    (&REPORTED_RESTARTING_TASKS, &GENERIC_RESTARTING_TASKS),
    (&REPORTED_ACTIVE_RECORDS, &REPORTED_ACTIVE_RECORDS),
    (&REPORTED_COMMIT_TIME, &REPORTED_COMMIT_TIME),
    (&REPORTED_FAILURES, &REPORTED_FAILURES),
];

/// The name without rules of what the reporter tells, where there is one.
#[must_use]
pub fn without_rules(reported: &Metric) -> Option<&'static Metric> {
    let mut all = WITHOUT_RULES.iter();
    all.find(|(known, _)| known.name == reported.name)
        .map(|(_, name)| *name)
}

const REPLICATED: &[&str] = &["name", "task", "topic_name", "partition"];

names! { REPLICATOR:
    MESSAGE_LAG = gauge("confluent_replicator_task_metrics_message_lag", REPLICATED, "Source offsets that are not at the destination yet; -1 where that is not known.");
    THROUGHPUT = gauge("confluent_replicator_task_metrics_throughput", REPLICATED, "Records acknowledged in a second.");
    BYTE_THROUGHPUT = gauge("confluent_replicator_task_metrics_byte_throughput", REPLICATED, "Bytes acknowledged in a second.");
    MESSAGE_LATENCY = gauge("confluent_replicator_task_metrics_latency", REPLICATED, "How old records were when they were acknowledged, in milliseconds and in the mean; -1 where none were.");
    DESTINATION_TOPIC = gauge("confluent_replicator_task_metrics_info", &["name", "task", "topic_name", "partition", "confluent_replicator_source_cluster", "confluent_replicator_destination_cluster", "confluent_replicator_destination_topic_name"], "1, with what the partition is copied from and to.");
}

/// The section of the documentation.
pub(crate) fn describe(text: &mut String) {
    text.push_str(
        "\n## Names of other tools\n\n\
         `tributary.metrics.compat=strimzi-jmx,strimzi-reporter,generic,replicator` tells the same besides under the names that boards and\n\
         alerts of Strimzi's MirrorMaker 2 (by its JMX exporter, or by its metrics reporter), of the JMX exporter without rules, and of\n\
         Confluent Replicator ask for. What is not measured is absent: offsets of consumer groups (`checkpoint_latency_ms`), and what\n\
         Java's machine says of itself.\n\
         In `strimzi-jmx` values of `connector` and `clientid` begin and end with a double quote, as they do there: its board selects\n\
         by it. A link whose name does not end in `SourceConnector` is called `NAME.MirrorSourceConnector`. `topic` is the copy's, for\n\
         consumers the source's with `_` for `.`. Minima, maxima and means are those of the last half minute, and absent where nothing came.\n\n\
         What Strimzi's boards select by besides comes from the scrape:\n\n\
         ```yaml\n\
         static_configs:\n  - targets: [\"worker-1:8083\"]\n    labels: {namespace: kafka, strimzi_io_kind: KafkaMirrorMaker2, strimzi_io_cluster: my-mm2, kubernetes_pod_name: worker-1}\n\
         ```\n",
    );
    for (title, names) in [
        ("Both of Strimzi's", MIRRORS),
        ("`strimzi-jmx`", STRIMZI_JMX),
        ("`strimzi-reporter`", STRIMZI_REPORTER),
        (
            "`generic`, besides three names of `strimzi-reporter`",
            GENERIC,
        ),
        ("`generic`, by partition", GENERIC_MIRRORS),
        ("`replicator`", REPLICATOR),
    ] {
        text.push_str(&format!("\n{title}: "));
        let series: Vec<String> = names
            .iter()
            .map(|metric| format!("`{}`", metric.series()))
            .collect();
        text.push_str(&series.join(", "));
        text.push_str(".\n");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_name_is_in_two_sets_or_one_of_our_own() {
        let mut seen: BTreeSet<String> = crate::catalogue::all().map(Metric::series).collect();
        for metric in [
            MIRRORS,
            STRIMZI_JMX,
            STRIMZI_REPORTER,
            GENERIC,
            GENERIC_MIRRORS,
            REPLICATOR,
        ]
        .concat()
        {
            assert!(
                seen.insert(metric.series()),
                "{} is there twice",
                metric.name
            );
        }
    }
}
