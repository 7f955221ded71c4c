//! WriteTxnMarkers, AddPartitionsToTxn, AddOffsetsToTxn, TxnOffsetCommit, EndTxn.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{self, GroupId, ProducerId, TransactionalId};
use kafka_protocol::messages::{
    add_partitions_to_txn_request, add_partitions_to_txn_response, txn_offset_commit_request,
    txn_offset_commit_response, write_txn_markers_request, write_txn_markers_response,
};

use super::compare::{
    answer_is_read, answers_are_equal, answers_are_equal_within, requests_are_equal,
    requests_are_equal_within, text, topic,
};
use crate::error_code::{ErrorClass, ErrorCode};
use crate::message::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::message::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
};
use crate::message::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::message::txn_offset_commit::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};
use crate::message::write_txn_markers::{
    TxnMarker, WriteTxnMarkersRequest, WriteTxnMarkersResponse, WrittenMarkers,
};
use crate::message::{
    ByTopic, CommittedOffset, EncodeProblem, Membership, PartitionOutcome, Request, Transaction,
    TransactionVersion, VersionRange,
};
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

/// One good partition, one that failed.
fn outcomes() -> ByTopic<PartitionOutcome> {
    let outcome = |partition, error| PartitionOutcome {
        partition,
        error: ErrorCode(error),
    };
    vec![(
        TopicName::from("orders"),
        vec![outcome(0, 0), outcome(4, 52)],
    )]
}

fn written() -> WriteTxnMarkersResponse {
    WriteTxnMarkersResponse {
        producers: vec![WrittenMarkers {
            producer_id: 4001,
            topics: outcomes(),
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

fn transaction() -> Transaction {
    Transaction {
        transactional_id: "link-1".to_owned(),
        producer: PRODUCER,
    }
}

fn transactional_id() -> TransactionalId {
    TransactionalId(text("link-1"))
}

#[test]
fn add_partitions_to_txn_is_that_of_another_implementation() {
    let request = AddPartitionsToTxnRequest {
        transaction: transaction(),
        topics: vec![(TopicName::from("orders"), vec![0, 4])],
    };
    requests_are_equal(&request, |_| {
        let topic = add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
            .with_name(topic("orders"))
            .with_partitions(vec![0, 4]);
        messages::AddPartitionsToTxnRequest::default()
            .with_v3_and_below_transactional_id(transactional_id())
            .with_v3_and_below_producer_id(ProducerId(4001))
            .with_v3_and_below_producer_epoch(3)
            .with_v3_and_below_topics(vec![topic])
    });
    answers_are_equal::<AddPartitionsToTxnRequest, _>(
        |_| {
            let outcome = |partition, error| {
                add_partitions_to_txn_response::AddPartitionsToTxnPartitionResult::default()
                    .with_partition_index(partition)
                    .with_partition_error_code(error)
            };
            let topic = add_partitions_to_txn_response::AddPartitionsToTxnTopicResult::default()
                .with_name(topic("orders"))
                .with_results_by_partition(vec![outcome(0, 0), outcome(4, 52)]);
            messages::AddPartitionsToTxnResponse::default()
                .with_throttle_time_ms(12)
                .with_results_by_topic_v3_and_below(vec![topic])
        },
        |_| AddPartitionsToTxnResponse {
            throttle_time_ms: 12,
            topics: outcomes(),
        },
    );
}

#[test]
fn add_offsets_to_txn_is_that_of_another_implementation() {
    let request = AddOffsetsToTxnRequest {
        transaction: transaction(),
        group: "readers".to_owned(),
    };
    requests_are_equal(&request, |_| {
        messages::AddOffsetsToTxnRequest::default()
            .with_transactional_id(transactional_id())
            .with_producer_id(ProducerId(4001))
            .with_producer_epoch(3)
            .with_group_id(GroupId(text("readers")))
    });
    answers_are_equal::<AddOffsetsToTxnRequest, _>(
        |_| {
            messages::AddOffsetsToTxnResponse::default()
                .with_throttle_time_ms(12)
                .with_error_code(90)
        },
        |_| AddOffsetsToTxnResponse {
            throttle_time_ms: 12,
            error: ErrorCode::PRODUCER_FENCED,
        },
    );
}

fn offsets(member: Membership, transaction_version: TransactionVersion) -> TxnOffsetCommitRequest {
    let committed = |partition, leader_epoch, metadata: Option<&str>| CommittedOffset {
        partition,
        offset: 1 << 40,
        leader_epoch,
        metadata: metadata.map(str::to_owned),
    };
    TxnOffsetCommitRequest {
        transaction: transaction(),
        transaction_version,
        group: "readers".to_owned(),
        member,
        topics: vec![(
            TopicName::from("orders"),
            vec![committed(0, 17, Some("done")), committed(4, -1, None)],
        )],
    }
}

fn other_offsets(version: i16) -> messages::TxnOffsetCommitRequest {
    let committed = |partition, epoch, metadata: Option<_>| {
        txn_offset_commit_request::TxnOffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(1 << 40)
            .with_committed_leader_epoch(if version >= 2 { epoch } else { -1 })
            .with_committed_metadata(metadata.map(text))
    };
    let topic = txn_offset_commit_request::TxnOffsetCommitRequestTopic::default()
        .with_name(topic("orders"))
        .with_partitions(vec![committed(0, 17, Some("done")), committed(4, -1, None)]);
    messages::TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional_id())
        .with_group_id(GroupId(text("readers")))
        .with_producer_id(ProducerId(4001))
        .with_producer_epoch(3)
        .with_topics(vec![topic])
}

#[test]
fn txn_offset_commit_is_that_of_another_implementation() {
    let member = Membership {
        generation: 5,
        member_id: "reader-1".to_owned(),
        instance_id: Some("shelf-1".to_owned()),
    };
    for way in [
        TransactionVersion::Announced,
        TransactionVersion::EpochPerTransaction,
    ] {
        requests_are_equal(&offsets(Membership::NONE, way), other_offsets);
        requests_are_equal(&offsets(member.clone(), way), |version| {
            other_offsets(version)
                .with_generation_id(5)
                .with_member_id(text("reader-1"))
                .with_group_instance_id(Some(text("shelf-1")))
        });
    }
    let error = offsets(member, TransactionVersion::Announced)
        .encode(2, &mut BytesMut::new())
        .expect_err("cannot say who");
    assert_eq!(error.problem, EncodeProblem::NeedsVersion { since: 3 });

    answers_are_equal::<TxnOffsetCommitRequest, _>(
        |_| {
            let outcome = |partition, error| {
                txn_offset_commit_response::TxnOffsetCommitResponsePartition::default()
                    .with_partition_index(partition)
                    .with_error_code(error)
            };
            let topic = txn_offset_commit_response::TxnOffsetCommitResponseTopic::default()
                .with_name(topic("orders"))
                .with_partitions(vec![outcome(0, 0), outcome(4, 52)]);
            messages::TxnOffsetCommitResponse::default()
                .with_throttle_time_ms(12)
                .with_topics(vec![topic])
        },
        |_| TxnOffsetCommitResponse {
            throttle_time_ms: 12,
            topics: outcomes(),
        },
    );
}

#[test]
fn end_txn_is_that_of_another_implementation() {
    let check = |transaction_version, commit| {
        let request = EndTxnRequest {
            transaction: transaction(),
            transaction_version,
            commit,
        };
        requests_are_equal(&request, |_| {
            messages::EndTxnRequest::default()
                .with_transactional_id(transactional_id())
                .with_producer_id(ProducerId(4001))
                .with_producer_epoch(3)
                .with_committed(commit)
        });
    };
    check(TransactionVersion::Announced, true);
    check(TransactionVersion::EpochPerTransaction, false);

    let check = |error, (id, epoch), next: Option<ProducerIdentity>| {
        answers_are_equal::<EndTxnRequest, _>(
            |version| {
                let other = messages::EndTxnResponse::default()
                    .with_throttle_time_ms(12)
                    .with_error_code(error);
                if version < 5 {
                    return other;
                }
                other
                    .with_producer_id(ProducerId(id))
                    .with_producer_epoch(epoch)
            },
            |version| EndTxnResponse {
                throttle_time_ms: 12,
                error: ErrorCode(error),
                next: next.filter(|_| version >= 5),
            },
        );
    };
    check(0, (4001, 4), Some(ProducerIdentity { id: 4001, epoch: 4 }));
    check(120, (-1, -1), None);
}

/// A broker takes from the version which way the producer goes.
#[test]
fn the_way_of_a_transaction_decides_the_version() {
    for (way, from, to) in [
        (TransactionVersion::Announced, 0, 4),
        (TransactionVersion::EpochPerTransaction, 5, 5),
    ] {
        let request = EndTxnRequest {
            transaction: transaction(),
            transaction_version: way,
            commit: true,
        };
        let range = VersionRange::new(from, to);
        assert_eq!(request.versions(), range);
        assert_eq!(offsets(Membership::NONE, way).versions(), range);
        for version in (0..=5).filter(|version| !range.contains(*version)) {
            let error = request
                .encode(version, &mut BytesMut::new())
                .expect_err("means the other");
            assert_eq!(error.problem, EncodeProblem::Version { range });
        }
    }
}

#[test]
fn what_an_answer_about_a_transaction_can_bring_is_classified() {
    for (code, class) in [
        (
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            ErrorClass::Retriable,
        ),
        (ErrorCode::NOT_COORDINATOR, ErrorClass::RefreshCoordinator),
        (ErrorCode::CONCURRENT_TRANSACTIONS, ErrorClass::Retriable),
        (ErrorCode::OPERATION_NOT_ATTEMPTED, ErrorClass::Retriable),
        (ErrorCode::PRODUCER_FENCED, ErrorClass::ProducerState),
        (ErrorCode::INVALID_PRODUCER_EPOCH, ErrorClass::ProducerState),
        (
            ErrorCode::INVALID_PRODUCER_ID_MAPPING,
            ErrorClass::ProducerState,
        ),
        (ErrorCode::INVALID_TXN_STATE, ErrorClass::ProducerState),
        (ErrorCode::TRANSACTION_ABORTABLE, ErrorClass::ProducerState),
        (
            ErrorCode::TRANSACTION_COORDINATOR_FENCED,
            ErrorClass::ProducerState,
        ),
        (ErrorCode::INVALID_TRANSACTION_TIMEOUT, ErrorClass::Fatal),
        (
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            ErrorClass::Denied,
        ),
    ] {
        assert_eq!(code.class(), class, "{code}");
    }
}
