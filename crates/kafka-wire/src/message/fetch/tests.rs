//! Fetch against another implementation, and its slices.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{self, BrokerId, ProducerId, fetch_request, fetch_response};

use super::{
    FetchPartition, FetchRequest, FetchResponse, FetchTopic, FetchedPartition, FetchedTopic,
};
use crate::batch::AbortedTransaction;
use crate::error_code::ErrorCode;
use crate::message::tests::compare::{
    ID, answers_are_equal, encode, id, requests_are_equal, text, topic,
};
use crate::message::{
    Broker, CurrentLeader, EncodeProblem, IsolationLevel, Request, TopicRef, VersionRange,
};
use crate::types::{NodeId, TopicId, TopicName};

fn request(rack_id: &str) -> FetchRequest {
    FetchRequest {
        max_wait_ms: 500,
        min_bytes: 1,
        max_bytes: 52_428_800,
        isolation_level: IsolationLevel::ReadCommitted,
        session_id: 1234,
        session_epoch: 7,
        rack_id: rack_id.to_owned(),
        topics: vec![FetchTopic {
            name: TopicName::from("orders"),
            id: ID,
            partitions: vec![FetchPartition {
                partition: 4,
                current_leader_epoch: 17,
                fetch_offset: 1 << 40,
                last_fetched_epoch: -1,
                log_start_offset: -1,
                max_bytes: 1_048_576,
            }],
        }],
        forgotten: vec![(TopicName::from("payments"), ID, vec![0, 200])],
    }
}

#[test]
fn fetch_requests_are_those_of_another_implementation() {
    let mut request = request("west-1a");
    for last_fetched_epoch in [-1, 16] {
        request.topics[0].partitions[0].last_fetched_epoch = last_fetched_epoch;
        requests_are_equal(&request, |version| {
            let mut partition = fetch_request::FetchPartition::default()
                .with_partition(4)
                .with_current_leader_epoch(17)
                .with_fetch_offset(1 << 40)
                .with_log_start_offset(-1)
                .with_partition_max_bytes(1_048_576);
            let mut wanted = fetch_request::FetchTopic::default();
            let mut forgotten =
                fetch_request::ForgottenTopic::default().with_partitions(vec![0, 200]);
            if version >= 12 {
                partition = partition.with_last_fetched_epoch(last_fetched_epoch);
            }
            if version >= 13 {
                wanted = wanted.with_topic_id(id());
                forgotten = forgotten.with_topic_id(id());
            } else {
                wanted = wanted.with_topic(topic("orders"));
                forgotten = forgotten.with_topic(topic("payments"));
            }
            messages::FetchRequest::default()
                .with_max_wait_ms(500)
                .with_min_bytes(1)
                .with_max_bytes(52_428_800)
                .with_isolation_level(1)
                .with_session_id(1234)
                .with_session_epoch(7)
                .with_topics(vec![wanted.with_partitions(vec![partition])])
                .with_forgotten_topics_data(vec![forgotten])
                .with_rack_id(text("west-1a"))
        });
    }
}

#[test]
fn a_topic_without_id_is_not_fetched_by_id() {
    let mut request = request("");
    assert_eq!(request.versions(), VersionRange::new(11, 17));
    request.forgotten[0].1 = TopicId::ZERO;
    assert_eq!(request.versions(), VersionRange::new(11, 12));
    request.forgotten.clear();
    assert_eq!(request.versions(), VersionRange::new(11, 17));
    request.topics[0].id = TopicId::ZERO;
    assert_eq!(request.versions(), VersionRange::new(11, 12));
    request.encode(12, &mut BytesMut::new()).expect("by name");
    let error = request.encode(13, &mut BytesMut::new()).expect_err("by id");
    assert_eq!(error.problem, EncodeProblem::NoTopicId);
}

const RECORDS: &[u8] = b"anything: batches are cut elsewhere";

fn answer(version: i16) -> messages::FetchResponse {
    let aborted = |producer, offset| {
        fetch_response::AbortedTransaction::default()
            .with_producer_id(ProducerId(producer))
            .with_first_offset(offset)
    };
    let mut full = fetch_response::PartitionData::default()
        .with_partition_index(4)
        .with_error_code(0)
        .with_high_watermark(1 << 40)
        .with_last_stable_offset((1 << 40) - 5)
        .with_log_start_offset(3333)
        .with_aborted_transactions(Some(vec![aborted(4001, 5000), aborted(4002, 6000)]))
        .with_records(Some(Bytes::from_static(RECORDS)));
    let mut moved = fetch_response::PartitionData::default()
        .with_partition_index(5)
        .with_error_code(6)
        .with_high_watermark(-1)
        .with_aborted_transactions(None)
        .with_preferred_read_replica(BrokerId(2))
        .with_records(None);
    if version >= 12 {
        moved = moved
            .with_diverging_epoch(
                fetch_response::EpochEndOffset::default()
                    .with_epoch(15)
                    .with_end_offset(900),
            )
            .with_current_leader(
                fetch_response::LeaderIdAndEpoch::default()
                    .with_leader_id(BrokerId(3))
                    .with_leader_epoch(18),
            )
            .with_snapshot_id(
                fetch_response::SnapshotId::default()
                    .with_end_offset(1)
                    .with_epoch(1),
            );
        full = full.with_unknown_tagged_field(40, Bytes::from_static(b"later"));
    }
    let mut topics = fetch_response::FetchableTopicResponse::default();
    topics = if version >= 13 {
        topics.with_topic_id(id())
    } else {
        topics.with_topic(topic("orders"))
    };
    let mut answer = messages::FetchResponse::default()
        .with_throttle_time_ms(12)
        .with_error_code(71)
        .with_session_id(1234)
        .with_responses(vec![topics.with_partitions(vec![full, moved])]);
    if version >= 16 {
        answer = answer.with_node_endpoints(vec![
            fetch_response::NodeEndpoint::default()
                .with_node_id(BrokerId(3))
                .with_host(text("broker-3.example"))
                .with_port(49092)
                .with_rack(None),
        ]);
    }
    answer
}

fn expected(version: i16) -> FetchResponse {
    let tagged = version >= 12;
    let full = FetchedPartition {
        partition: 4,
        error: ErrorCode::NONE,
        high_watermark: 1 << 40,
        last_stable_offset: (1 << 40) - 5,
        log_start_offset: 3333,
        aborted: vec![
            AbortedTransaction {
                producer_id: 4001,
                first_offset: 5000,
            },
            AbortedTransaction {
                producer_id: 4002,
                first_offset: 6000,
            },
        ],
        preferred_read_replica: None,
        diverging_epoch: None,
        current_leader: None,
        records: Bytes::from_static(RECORDS),
    };
    let moved = FetchedPartition {
        partition: 5,
        error: ErrorCode::NOT_LEADER_OR_FOLLOWER,
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        aborted: vec![],
        preferred_read_replica: Some(NodeId(2)),
        diverging_epoch: tagged.then_some((15, 900)),
        current_leader: tagged.then_some(CurrentLeader {
            leader: NodeId(3),
            epoch: 18,
        }),
        records: Bytes::new(),
    };
    let topic = if version >= 13 {
        TopicRef::Id(ID)
    } else {
        TopicRef::Name(TopicName::from("orders"))
    };
    let endpoint = Broker {
        node: NodeId(3),
        host: "broker-3.example".to_owned(),
        port: 49092,
        rack: None,
    };
    FetchResponse {
        throttle_time_ms: 12,
        error: ErrorCode(71),
        session_id: 1234,
        topics: vec![FetchedTopic {
            topic,
            partitions: vec![full, moved],
        }],
        node_endpoints: if version >= 16 {
            vec![endpoint]
        } else {
            vec![]
        },
    }
}

#[test]
fn fetch_answers_are_those_of_another_implementation() {
    answers_are_equal::<FetchRequest, _>(answer, expected);
}

#[test]
fn records_are_a_slice_of_the_answer_and_not_a_copy() {
    for version in 11..=17 {
        let body = encode(&answer(version), version);
        let read = FetchRequest::decode(version, body.clone()).expect("readable");
        let records = &read.topics[0].partitions[0].records;
        let inside = body.as_ptr_range();
        let slice = records.as_ptr_range();
        assert!(inside.start <= slice.start && slice.end <= inside.end);
    }
}

#[test]
fn records_are_not_printed() {
    let printed = format!("{:?}", expected(11));
    assert!(printed.contains("records_bytes: 35"), "{printed}");
    assert!(!printed.contains("anything"), "{printed}");
}
