//! ListOffsets, OffsetForLeaderEpoch, DeleteRecords, DescribeProducers,
//! InitProducerId.

use bytes::BytesMut;
use kafka_protocol::messages::{self, BrokerId, ProducerId, TransactionalId};
use kafka_protocol::messages::{
    delete_records_request, delete_records_response, describe_producers_request,
    describe_producers_response, list_offsets_request, list_offsets_response,
    offset_for_leader_epoch_request, offset_for_leader_epoch_response,
};

use super::compare::{answers_are_equal, requests_are_equal, text, topic};
use crate::error_code::ErrorCode;
use crate::message::delete_records::{
    DeleteRecordsRequest, DeleteRecordsResponse, TrimmedPartition,
};
use crate::message::describe_producers::{
    ActiveProducer, DescribeProducersRequest, DescribeProducersResponse, PartitionProducers,
};
use crate::message::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::message::list_offsets::{
    DEBUGGER, EARLIEST, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse, ListedOffset,
};
use crate::message::offset_for_leader_epoch::{
    EpochEnd, EpochQuery, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
};
use crate::message::{EncodeProblem, IsolationLevel, Request};
use crate::types::{ProducerIdentity, TopicName};

#[test]
fn list_offsets_is_that_of_another_implementation() {
    for (isolation_level, code) in [
        (IsolationLevel::ReadUncommitted, 0),
        (IsolationLevel::ReadCommitted, 1),
    ] {
        let partition = ListOffsetsPartition {
            partition: 4,
            current_leader_epoch: 17,
            timestamp: EARLIEST,
        };
        let request = ListOffsetsRequest {
            replica: DEBUGGER,
            isolation_level,
            topics: vec![(TopicName::from("orders"), vec![partition])],
            timeout_ms: 30_000,
        };
        requests_are_equal(&request, |version| {
            let partition = list_offsets_request::ListOffsetsPartition::default()
                .with_partition_index(4)
                .with_current_leader_epoch(17)
                .with_timestamp(-2);
            let other = messages::ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-2))
                .with_isolation_level(code)
                .with_topics(vec![
                    list_offsets_request::ListOffsetsTopic::default()
                        .with_name(topic("orders"))
                        .with_partitions(vec![partition]),
                ]);
            if version >= 10 {
                other.with_timeout_ms(30_000)
            } else {
                other
            }
        });
    }

    answers_are_equal::<ListOffsetsRequest, _>(
        |_| {
            let partition = list_offsets_response::ListOffsetsPartitionResponse::default()
                .with_partition_index(4)
                .with_error_code(6)
                .with_timestamp(1_700_000_000_000)
                .with_offset(1 << 40)
                .with_leader_epoch(16);
            messages::ListOffsetsResponse::default()
                .with_throttle_time_ms(12)
                .with_topics(vec![
                    list_offsets_response::ListOffsetsTopicResponse::default()
                        .with_name(topic("orders"))
                        .with_partitions(vec![partition]),
                ])
        },
        |_| ListOffsetsResponse {
            throttle_time_ms: 12,
            topics: vec![(
                TopicName::from("orders"),
                vec![ListedOffset {
                    partition: 4,
                    error: ErrorCode(6),
                    timestamp: 1_700_000_000_000,
                    offset: 1 << 40,
                    leader_epoch: 16,
                }],
            )],
        },
    );
}

#[test]
fn offset_for_leader_epoch_is_that_of_another_implementation() {
    let query = EpochQuery {
        partition: 4,
        current_leader_epoch: 17,
        leader_epoch: 15,
    };
    let request = OffsetForLeaderEpochRequest {
        topics: vec![(TopicName::from("orders"), vec![query])],
    };
    requests_are_equal(&request, |_| {
        let partition = offset_for_leader_epoch_request::OffsetForLeaderPartition::default()
            .with_partition(4)
            .with_current_leader_epoch(17)
            .with_leader_epoch(15);
        messages::OffsetForLeaderEpochRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_topics(vec![
                offset_for_leader_epoch_request::OffsetForLeaderTopic::default()
                    .with_topic(topic("orders"))
                    .with_partitions(vec![partition]),
            ])
    });
    answers_are_equal::<OffsetForLeaderEpochRequest, _>(
        |_| {
            let partition = offset_for_leader_epoch_response::EpochEndOffset::default()
                .with_error_code(74)
                .with_partition(4)
                .with_leader_epoch(14)
                .with_end_offset(3333);
            messages::OffsetForLeaderEpochResponse::default()
                .with_throttle_time_ms(12)
                .with_topics(vec![
                    offset_for_leader_epoch_response::OffsetForLeaderTopicResult::default()
                        .with_topic(topic("orders"))
                        .with_partitions(vec![partition]),
                ])
        },
        |_| {
            let end = EpochEnd {
                error: ErrorCode(74),
                partition: 4,
                leader_epoch: 14,
                end_offset: 3333,
            };
            OffsetForLeaderEpochResponse {
                throttle_time_ms: 12,
                topics: vec![(TopicName::from("orders"), vec![end])],
            }
        },
    );
}

#[test]
fn delete_records_is_that_of_another_implementation() {
    let request = DeleteRecordsRequest {
        topics: vec![(TopicName::from("orders"), vec![(4, 3333), (5, -1)])],
        timeout_ms: 9_000,
    };
    requests_are_equal(&request, |_| {
        let partition = |partition, offset| {
            delete_records_request::DeleteRecordsPartition::default()
                .with_partition_index(partition)
                .with_offset(offset)
        };
        messages::DeleteRecordsRequest::default()
            .with_timeout_ms(9_000)
            .with_topics(vec![
                delete_records_request::DeleteRecordsTopic::default()
                    .with_name(topic("orders"))
                    .with_partitions(vec![partition(4, 3333), partition(5, -1)]),
            ])
    });
    answers_are_equal::<DeleteRecordsRequest, _>(
        |_| {
            let partition = delete_records_response::DeleteRecordsPartitionResult::default()
                .with_partition_index(4)
                .with_low_watermark(3333)
                .with_error_code(44);
            messages::DeleteRecordsResponse::default()
                .with_throttle_time_ms(12)
                .with_topics(vec![
                    delete_records_response::DeleteRecordsTopicResult::default()
                        .with_name(topic("orders"))
                        .with_partitions(vec![partition]),
                ])
        },
        |_| {
            let trimmed = TrimmedPartition {
                partition: 4,
                low_watermark: 3333,
                error: ErrorCode(44),
            };
            DeleteRecordsResponse {
                throttle_time_ms: 12,
                topics: vec![(TopicName::from("orders"), vec![trimmed])],
            }
        },
    );
}

#[test]
fn describe_producers_is_that_of_another_implementation() {
    let request = DescribeProducersRequest {
        topics: vec![(TopicName::from("orders"), vec![4, 5])],
    };
    requests_are_equal(&request, |_| {
        messages::DescribeProducersRequest::default().with_topics(vec![
            describe_producers_request::TopicRequest::default()
                .with_name(topic("orders"))
                .with_partition_indexes(vec![4, 5]),
        ])
    });

    let state = |start| {
        describe_producers_response::ProducerState::default()
            .with_producer_id(ProducerId(4001))
            .with_producer_epoch(3)
            .with_last_sequence(99)
            .with_last_timestamp(1_700_000_000_000)
            .with_coordinator_epoch(7)
            .with_current_txn_start_offset(start)
    };
    let producer = |transaction_start| ActiveProducer {
        producer_id: 4001,
        producer_epoch: 3,
        last_sequence: 99,
        last_timestamp: 1_700_000_000_000,
        coordinator_epoch: 7,
        transaction_start,
    };
    answers_are_equal::<DescribeProducersRequest, _>(
        |_| {
            let partition = describe_producers_response::PartitionResponse::default()
                .with_partition_index(4)
                .with_error_code(0)
                .with_error_message(None)
                .with_active_producers(vec![state(-1), state(50)]);
            messages::DescribeProducersResponse::default()
                .with_throttle_time_ms(12)
                .with_topics(vec![
                    describe_producers_response::TopicResponse::default()
                        .with_name(topic("orders"))
                        .with_partitions(vec![partition]),
                ])
        },
        |_| {
            let partition = PartitionProducers {
                partition: 4,
                error: ErrorCode::NONE,
                error_message: None,
                producers: vec![producer(None), producer(Some(50))],
            };
            DescribeProducersResponse {
                throttle_time_ms: 12,
                topics: vec![(TopicName::from("orders"), vec![partition])],
            }
        },
    );
}

#[test]
fn init_producer_id_is_that_of_another_implementation() {
    let idempotent = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: 60_000,
        current: None,
    };
    requests_are_equal(&idempotent, |_| {
        messages::InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000)
    });
    let transactional = InitProducerIdRequest {
        transactional_id: Some("link-1".to_owned()),
        ..idempotent
    };
    requests_are_equal(&transactional, |_| {
        messages::InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text("link-1"))))
            .with_transaction_timeout_ms(60_000)
    });

    let check = |error, (id, epoch), producer| {
        answers_are_equal::<InitProducerIdRequest, _>(
            |_| {
                messages::InitProducerIdResponse::default()
                    .with_throttle_time_ms(12)
                    .with_error_code(error)
                    .with_producer_id(ProducerId(id))
                    .with_producer_epoch(epoch)
            },
            |_| InitProducerIdResponse {
                throttle_time_ms: 12,
                error: ErrorCode(error),
                producer,
            },
        );
    };
    check(0, (4001, 3), Some(ProducerIdentity { id: 4001, epoch: 3 }));
    check(51, (-1, -1), None);
}

#[test]
fn raising_an_epoch_needs_a_version_that_can_say_which() {
    let request = InitProducerIdRequest {
        transactional_id: Some("link-1".to_owned()),
        transaction_timeout_ms: 60_000,
        current: Some(ProducerIdentity { id: 4001, epoch: 3 }),
    };
    let error = request
        .encode(2, &mut BytesMut::new())
        .expect_err("version 2 cannot say it");
    assert_eq!(error.problem, EncodeProblem::NeedsVersion { since: 3 });

    let other = messages::InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text("link-1"))))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(4001))
        .with_producer_epoch(3);
    for version in 3..=5 {
        let mut ours = BytesMut::new();
        request.encode(version, &mut ours).expect("can say it");
        assert_eq!(ours, super::compare::encode(&other, version));
    }
}
