//! Markers, and log starts: what is asked of a destination broker beside Produce, where offsets are preserved.
//!
//! Markers are not idempotent, so nothing is ever asked twice here: an outcome that is not known is told, and
//! the partition reads its log before it goes on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use kafka_client::cluster::Use;
use kafka_client::offsets::{appended_ends, list_offsets_within};
use kafka_client::{ClientError, Cluster};
use kafka_wire::error_code::ErrorCode;
use kafka_wire::message::IsolationLevel;
use kafka_wire::message::delete_records::DeleteRecordsRequest;
use kafka_wire::message::list_offsets::{EARLIEST, LATEST};
use kafka_wire::message::write_txn_markers::{TxnMarker, WriteTxnMarkersRequest};
use kafka_wire::types::{NodeId, TopicName, TopicPartition};

use super::core::{FillGap, FillOrder, Filled, Index, TrimOrder, Watched};

/// How long a broker may take to write markers; its leadership may have moved.
const ANSWER: Duration = Duration::from_secs(10);
/// How long it may take to tell offsets.
const READING: Duration = Duration::from_secs(3);

/// Fills gaps of partitions with the same leader in one request, and reads where their logs end then.
pub(super) async fn fill(destination: &Cluster, order: FillOrder) -> Vec<(FillGap, Filled)> {
    let FillOrder { node, latest, gaps } = order;
    let (gaps, mut outcomes) = still_there(destination, node, gaps).await;
    if gaps.is_empty() {
        return outcomes;
    }
    let request = WriteTxnMarkersRequest {
        markers: gaps.iter().flat_map(markers).collect(),
    };
    let limit = ANSWER.min(destination.config().request_timeout);
    let marked = destination.call_until(node, Use::Admin, &request, limit, latest);
    let answer = match marked.await {
        Ok(answer) => answer,
        Err(error) => {
            let outcome = match &error {
                ClientError::TooLate { .. } => Filled::Late,
                error => Filled::Unknown(format!("destination: {error}")),
            };
            outcomes.extend(gaps.into_iter().map(|gap| (gap, outcome.clone())));
            return outcomes;
        }
    };
    let mut refused: HashMap<TopicPartition, ErrorCode> = HashMap::new();
    let mut answered: HashMap<(i64, TopicPartition), ErrorCode> = HashMap::new();
    for producer in answer.producers {
        for (topic, partitions) in producer.topics {
            for outcome in partitions {
                let partition = TopicPartition::new(topic.clone(), outcome.partition);
                answered.insert((producer.producer_id, partition), outcome.error);
            }
        }
    }
    for gap in &gaps {
        let code = answered.get(&(gap.marker.id, gap.partition.clone()));
        let code = code.copied().unwrap_or(ErrorCode::UNKNOWN_SERVER_ERROR);
        if code != ErrorCode::NONE {
            refused.insert(gap.partition.clone(), code);
        }
    }
    let partitions: Vec<_> = gaps.iter().map(|gap| gap.partition.clone()).collect();
    let all = IsolationLevel::ReadUncommitted;
    let asked = (LATEST, all);
    let ends = list_offsets_within(destination, node, Use::Admin, &partitions, asked, limit).await;
    let outcome = |gap: &FillGap| match refused.get(&gap.partition) {
        Some(code) if is_definite(*code) => Filled::Refused(*code),
        Some(code) => Filled::Unknown(format!("destination: WriteTxnMarkers answered {code}")),
        None => match ends.as_ref().map(|ends| ends.get(&gap.partition)) {
            Ok(Some(Ok(end))) => Filled::End(*end),
            Ok(Some(Err(code))) => {
                Filled::Unknown(format!("destination: ListOffsets answered {code}"))
            }
            Ok(None) => Filled::Unknown("destination: an end was not answered".to_owned()),
            Err(error) => Filled::Unknown(format!("destination: {error}")),
        },
    };
    outcomes.extend(gaps.into_iter().map(|gap| {
        let outcome = outcome(&gap);
        (gap, outcome)
    }));
    outcomes
}

/// Gaps that still stand where they were found. Before the first marker of an owner stands, one of the owner before may have
/// filled a gap after the log was read; another one behind it would take the offset of a record.
async fn still_there(
    destination: &Cluster,
    node: NodeId,
    gaps: Vec<FillGap>,
) -> (Vec<FillGap>, Vec<(FillGap, Filled)>) {
    let unfenced = gaps.iter().filter(|gap| gap.unfenced);
    let asked: Vec<_> = unfenced.map(|gap| gap.partition.clone()).collect();
    if asked.is_empty() {
        return (gaps, Vec::new());
    }
    // With what is not replicated yet, which no consumer is told of.
    let limit = READING.min(destination.config().request_timeout);
    let ends = appended_ends(destination, node, Use::Admin, &asked, limit).await;
    let (mut stand, mut elsewhere) = (Vec::new(), Vec::new());
    for gap in gaps {
        let begins = gap.end - gap.count;
        let trouble = match &ends {
            _ if !gap.unfenced => None,
            Err(error) => Some(error.to_string()),
            Ok(ends) => match ends.get(&gap.partition) {
                Some(Ok(end)) if *end == begins => None,
                Some(Ok(end)) => Some(format!(
                    "the log was to end at {begins}, and ends at {end}: the process before this one wrote there"
                )),
                Some(Err(code)) => Some(format!("ListOffsets answered {code}")),
                None => Some("an end was not answered".to_owned()),
            },
        };
        match trouble {
            None => stand.push(gap),
            Some(trouble) => {
                let trouble = format!("destination: {}: {trouble}", gap.partition);
                elsewhere.push((gap, Filled::Elsewhere(trouble)));
            }
        }
    }
    (stand, elsewhere)
}

/// Refusals after which it is certain that nothing was written.
fn is_definite(code: ErrorCode) -> bool {
    [
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        ErrorCode::TRANSACTION_COORDINATOR_FENCED,
        ErrorCode::INVALID_PRODUCER_EPOCH,
    ]
    .contains(&code)
}

/// Each entry names the partition once: a request that names it twice in one is never answered.
fn markers(gap: &FillGap) -> impl Iterator<Item = TxnMarker> {
    let count = usize::try_from(gap.count).unwrap_or(0);
    let topic = gap.partition.topic.clone();
    let marker = TxnMarker {
        producer: gap.marker,
        commit: true,
        topics: vec![(topic, vec![gap.partition.partition])],
        coordinator_epoch: gap.coordinator_epoch,
        transaction_version: 0,
    };
    std::iter::repeat_n(marker, count)
}

/// Moves log starts. Doing it again is harmless.
pub(super) async fn trim(
    destination: &Cluster,
    order: TrimOrder,
) -> Vec<(Index, Result<i64, String>)> {
    let mut topics: BTreeMap<TopicName, Vec<(i32, i64)>> = BTreeMap::new();
    for (_, partition, start) in &order.starts {
        let starts = topics.entry(partition.topic.clone()).or_default();
        starts.push((partition.partition, *start));
    }
    let timeout = destination.config().request_timeout.as_millis();
    let request = DeleteRecordsRequest {
        topics: topics.into_iter().collect(),
        timeout_ms: i32::try_from(timeout).unwrap_or(i32::MAX),
    };
    let answer = destination.call(order.node, Use::Admin, &request).await;
    let answer = answer.map_err(|error| format!("destination: DeleteRecords failed: {error}"));
    let outcome = |partition: &TopicPartition, start: i64| {
        let answer = answer.as_ref().map_err(Clone::clone)?;
        let found = answer.topics.iter().find_map(|(topic, partitions)| {
            let named = |p: &&_| is(p, partition);
            (*topic == partition.topic).then(|| partitions.iter().find(named))?
        });
        match found.map(|found| found.error) {
            Some(ErrorCode::NONE) => Ok(start),
            Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED) => Err(format!(
                "destination: DELETE on {} is missing",
                partition.topic
            )),
            Some(code) => Err(format!(
                "destination: DeleteRecords of {partition} answered {code}"
            )),
            None => Err(format!(
                "destination: DeleteRecords of {partition} was not answered"
            )),
        }
    };
    order
        .starts
        .iter()
        .map(|(index, partition, start)| (*index, outcome(partition, *start)))
        .collect()
}

fn is(
    trimmed: &kafka_wire::message::delete_records::TrimmedPartition,
    partition: &TopicPartition,
) -> bool {
    trimmed.partition == partition.partition
}

/// Starts on both sides, and ends at the destination.
pub(super) async fn watch(
    source: &Cluster,
    destination: &Cluster,
    sources: BTreeMap<NodeId, Vec<TopicPartition>>,
    destinations: BTreeMap<NodeId, Vec<TopicPartition>>,
) -> Watched {
    let (source_starts, destination_starts, destination_ends) = tokio::join!(
        offsets(source, &sources, EARLIEST),
        offsets(destination, &destinations, EARLIEST),
        offsets(destination, &destinations, LATEST)
    );
    let mut untold: BTreeSet<_> = destinations.into_values().flatten().collect();
    for (partition, _) in &destination_ends {
        untold.remove(partition);
    }
    Watched {
        source_starts,
        destination_starts,
        destination_ends,
        untold,
    }
}

/// Offsets of partitions, by leader; those that cannot be read are left out until the next time.
async fn offsets(
    cluster: &Cluster,
    by_leader: &BTreeMap<NodeId, Vec<TopicPartition>>,
    at: i64,
) -> Vec<(TopicPartition, i64)> {
    let mut offsets = Vec::new();
    let all = IsolationLevel::ReadUncommitted;
    for (node, partitions) in by_leader {
        let asked = (at, all);
        match list_offsets_within(cluster, *node, Use::Watch, partitions, asked, READING).await {
            Ok(answers) => {
                offsets.extend(
                    answers
                        .into_iter()
                        .filter_map(|(p, at)| Some((p, at.ok()?))),
                );
            }
            Err(error) => tracing::debug!(broker = node.0, "logs cannot be watched: {error}"),
        }
    }
    offsets
}
