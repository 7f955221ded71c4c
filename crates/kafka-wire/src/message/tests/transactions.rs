//! WriteTxnMarkers.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{self, ProducerId};
use kafka_protocol::messages::{write_txn_markers_request, write_txn_markers_response};

use super::compare::{answer_is_read, answers_are_equal_within, requests_are_equal_within, topic};
use crate::error_code::ErrorCode;
use crate::message::write_txn_markers::{
    TxnMarker, WriteTxnMarkersRequest, WriteTxnMarkersResponse, WrittenMarkers,
};
use crate::message::{EncodeProblem, PartitionOutcome, Request, VersionRange};
use crate::types::{ProducerIdentity, TopicName};

const PRODUCER: ProducerIdentity = ProducerIdentity { id: 4001, epoch: 3 };

/// kafka-protocol knows this one only.
const MARKERS_1: VersionRange = VersionRange::new(1, 1);

fn markers() -> WriteTxnMarkersRequest {
    let commit = TxnMarker {
        producer: PRODUCER,
        commit: true,
        topics: vec![
            (TopicName::from("orders"), vec![0, 4]),
            (TopicName::from("eu"), vec![]),
        ],
        coordinator_epoch: 17,
        transaction_version: 0,
    };
    let abort = TxnMarker {
        commit: false,
        topics: vec![],
        ..commit.clone()
    };
    WriteTxnMarkersRequest {
        markers: vec![commit, abort],
    }
}

fn written() -> WriteTxnMarkersResponse {
    let outcome = |partition, error| PartitionOutcome {
        partition,
        error: ErrorCode(error),
    };
    WriteTxnMarkersResponse {
        producers: vec![WrittenMarkers {
            producer_id: 4001,
            topics: vec![(
                TopicName::from("orders"),
                vec![outcome(0, 0), outcome(4, 52)],
            )],
        }],
    }
}

#[test]
fn write_txn_markers_is_that_of_another_implementation() {
    requests_are_equal_within(MARKERS_1, &markers(), |_| {
        let topic = |name, partitions| {
            write_txn_markers_request::WritableTxnMarkerTopic::default()
                .with_name(topic(name))
                .with_partition_indexes(partitions)
        };
        let marker = |result, topics| {
            write_txn_markers_request::WritableTxnMarker::default()
                .with_producer_id(ProducerId(4001))
                .with_producer_epoch(3)
                .with_transaction_result(result)
                .with_topics(topics)
                .with_coordinator_epoch(17)
        };
        messages::WriteTxnMarkersRequest::default().with_markers(vec![
            marker(true, vec![topic("orders", vec![0, 4]), topic("eu", vec![])]),
            marker(false, vec![]),
        ])
    });
    answers_are_equal_within::<WriteTxnMarkersRequest, _>(
        MARKERS_1,
        |_| {
            let outcome = |partition, error| {
                write_txn_markers_response::WritableTxnMarkerPartitionResult::default()
                    .with_partition_index(partition)
                    .with_error_code(error)
            };
            let topic = write_txn_markers_response::WritableTxnMarkerTopicResult::default()
                .with_name(topic("orders"))
                .with_partitions(vec![outcome(0, 0), outcome(4, 52)]);
            let marker = write_txn_markers_response::WritableTxnMarkerResult::default()
                .with_producer_id(ProducerId(4001))
                .with_topics(vec![topic]);
            messages::WriteTxnMarkersResponse::default().with_markers(vec![marker])
        },
        |_| written(),
    );
}

/// Version 0 is that of Kafka 2.4's message definitions, 2 that of 4.3's; written down by hand.
#[test]
fn markers_are_written_before_and_after_the_versions_of_another_implementation() {
    let mut old = vec![0, 0, 0, 2];
    old.extend([0, 0, 0, 0, 0, 0, 0x0f, 0xa1, 0, 3, 1]);
    old.extend([0, 0, 0, 2]);
    old.extend(*b"\0\x06orders\0\0\0\x02\0\0\0\0\0\0\0\x04");
    old.extend(*b"\0\x02eu\0\0\0\0");
    old.extend([0, 0, 0, 17]);
    old.extend([0, 0, 0, 0, 0, 0, 0x0f, 0xa1, 0, 3, 0]);
    old.extend([0, 0, 0, 0]);
    old.extend([0, 0, 0, 17]);

    let mut new = vec![3];
    new.extend([0, 0, 0, 0, 0, 0, 0x0f, 0xa1, 0, 3, 1]);
    new.extend(*b"\x03\x07orders\x03\0\0\0\0\0\0\0\x04\0");
    new.extend(*b"\x03eu\x01\0");
    new.extend([0, 0, 0, 17, 2, 0]);
    new.extend([0, 0, 0, 0, 0, 0, 0x0f, 0xa1, 0, 3, 0]);
    new.extend([1, 0, 0, 0, 17, 0, 0]);
    new.push(0);

    let mut strict = markers();
    strict.markers[0].transaction_version = 2;
    for (version, request, expected) in [(0, &markers(), old), (2, &strict, new)] {
        let mut ours = BytesMut::new();
        request.encode(version, &mut ours).expect("written");
        assert_eq!(ours, expected, "{version}");
    }

    let mut old = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x0f, 0xa1];
    old.extend(*b"\0\0\0\x01\0\x06orders");
    old.extend([0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 52]);
    let mut new = vec![2, 0, 0, 0, 0, 0, 0, 0x0f, 0xa1];
    new.extend(*b"\x02\x07orders");
    new.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 52, 0, 0, 0, 0]);
    for (version, bytes) in [(0, old), (2, new)] {
        answer_is_read::<WriteTxnMarkersRequest>(version, &Bytes::from(bytes), &written());
    }
}

#[test]
fn a_strict_marker_needs_a_version_that_can_say_so() {
    let mut strict = markers();
    strict.markers[1].transaction_version = 2;
    assert_eq!(strict.versions(), VersionRange::new(2, 2));
    assert_eq!(markers().versions(), WriteTxnMarkersRequest::VERSIONS);
    for version in 0..=1 {
        let error = strict
            .encode(version, &mut BytesMut::new())
            .expect_err("cannot say it");
        assert_eq!(error.problem, EncodeProblem::NeedsVersion { since: 2 });
    }
}

/// A broker never answers such a request.
#[test]
fn a_marker_that_names_something_twice_is_not_sent() {
    for topics in [
        vec![(TopicName::from("orders"), vec![0, 4, 0])],
        vec![
            (TopicName::from("orders"), vec![0]),
            (TopicName::from("orders"), vec![1]),
        ],
    ] {
        let mut request = markers();
        request.markers[1].topics = topics;
        for version in 0..=2 {
            let error = request
                .encode(version, &mut BytesMut::new())
                .expect_err("refused");
            assert_eq!(error.problem, EncodeProblem::Twice);
        }
    }
}
