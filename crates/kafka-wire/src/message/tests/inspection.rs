//! DescribeLogDirs, DescribeTransactions, ListTransactions.

use bytes::BytesMut;
use kafka_protocol::messages::{self, ProducerId, TransactionalId};
use kafka_protocol::messages::{
    describe_log_dirs_request, describe_log_dirs_response, describe_transactions_response,
    list_transactions_response,
};

use super::compare::{answers_are_equal, requests_are_equal, text, topic};
use crate::error_code::{ErrorClass, ErrorCode};
use crate::message::describe_log_dirs::{
    DescribeLogDirsRequest, DescribeLogDirsResponse, LogDirectory, PartitionSize,
};
use crate::message::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, DescribedTransaction,
};
use crate::message::list_transactions::{
    ListTransactionsRequest, ListTransactionsResponse, ListedTransaction,
};
use crate::message::{EncodeProblem, Request, VersionRange};
use crate::types::{ProducerIdentity, TopicName};

fn id(name: &'static str) -> TransactionalId {
    TransactionalId(text(name))
}

#[test]
fn describe_log_dirs_is_that_of_another_implementation() {
    let all = DescribeLogDirsRequest { topics: None };
    requests_are_equal(&all, |_| {
        messages::DescribeLogDirsRequest::default().with_topics(None)
    });
    let some = DescribeLogDirsRequest {
        topics: Some(vec![(TopicName::from("orders"), vec![0, 4])]),
    };
    requests_are_equal(&some, |_| {
        let topic = describe_log_dirs_request::DescribableLogDirTopic::default()
            .with_topic(topic("orders"))
            .with_partitions(vec![0, 4]);
        messages::DescribeLogDirsRequest::default().with_topics(Some(vec![topic]))
    });
    answers_are_equal::<DescribeLogDirsRequest, _>(directories_of_another, directories);
}

fn directories_of_another(version: i16) -> messages::DescribeLogDirsResponse {
    let partition = describe_log_dirs_response::DescribeLogDirsPartition::default()
        .with_partition_index(4)
        .with_partition_size(1 << 40)
        .with_offset_lag(9)
        .with_is_future_key(true);
    let topic = describe_log_dirs_response::DescribeLogDirsTopic::default()
        .with_name(topic("orders"))
        .with_partitions(vec![partition]);
    let mut good = describe_log_dirs_response::DescribeLogDirsResult::default()
        .with_log_dir(text("/data/1"))
        .with_topics(vec![topic]);
    if version >= 4 {
        good = good.with_total_bytes(1 << 50).with_usable_bytes(1 << 49);
    }
    let failed = describe_log_dirs_response::DescribeLogDirsResult::default()
        .with_error_code(56)
        .with_log_dir(text("/data/2"));
    messages::DescribeLogDirsResponse::default()
        .with_throttle_time_ms(12)
        .with_error_code(if version >= 3 { 31 } else { 0 })
        .with_results(vec![good, failed])
}

fn directories(version: i16) -> DescribeLogDirsResponse {
    let good = LogDirectory {
        error: ErrorCode::NONE,
        path: "/data/1".to_owned(),
        topics: vec![(
            TopicName::from("orders"),
            vec![PartitionSize {
                partition: 4,
                bytes: 1 << 40,
                offset_lag: 9,
                future: true,
            }],
        )],
        total_bytes: (version >= 4).then_some(1 << 50),
        usable_bytes: (version >= 4).then_some(1 << 49),
    };
    let failed = LogDirectory {
        error: ErrorCode::KAFKA_STORAGE_ERROR,
        path: "/data/2".to_owned(),
        topics: vec![],
        total_bytes: None,
        usable_bytes: None,
    };
    DescribeLogDirsResponse {
        throttle_time_ms: 12,
        error: if version >= 3 {
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        } else {
            ErrorCode::NONE
        },
        directories: vec![good, failed],
    }
}

#[test]
fn describe_transactions_is_that_of_another_implementation() {
    let request = DescribeTransactionsRequest {
        transactional_ids: vec!["link-1".to_owned(), "nowhere".to_owned()],
    };
    requests_are_equal(&request, |_| {
        messages::DescribeTransactionsRequest::default()
            .with_transactional_ids(vec![id("link-1"), id("nowhere")])
    });
    answers_are_equal::<DescribeTransactionsRequest, _>(
        |_| {
            let topic = describe_transactions_response::TopicData::default()
                .with_topic(topic("orders"))
                .with_partitions(vec![0, 4]);
            let open = describe_transactions_response::TransactionState::default()
                .with_transactional_id(id("link-1"))
                .with_transaction_state(text("Ongoing"))
                .with_transaction_timeout_ms(60_000)
                .with_transaction_start_time_ms(1_700_000_000_000)
                .with_producer_id(ProducerId(4001))
                .with_producer_epoch(3)
                .with_topics(vec![topic]);
            let idle = describe_transactions_response::TransactionState::default()
                .with_transactional_id(id("link-2"))
                .with_transaction_state(text("Empty"))
                .with_transaction_start_time_ms(-1)
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1);
            let unknown = describe_transactions_response::TransactionState::default()
                .with_error_code(105)
                .with_transactional_id(id("nowhere"));
            messages::DescribeTransactionsResponse::default()
                .with_throttle_time_ms(12)
                .with_transaction_states(vec![open, idle, unknown])
        },
        |_| {
            let idle = DescribedTransaction {
                error: ErrorCode::NONE,
                transactional_id: "link-2".to_owned(),
                state: "Empty".to_owned(),
                timeout_ms: 0,
                start_time_ms: None,
                producer: None,
                topics: vec![],
            };
            let open = DescribedTransaction {
                transactional_id: "link-1".to_owned(),
                state: "Ongoing".to_owned(),
                timeout_ms: 60_000,
                start_time_ms: Some(1_700_000_000_000),
                producer: Some(ProducerIdentity { id: 4001, epoch: 3 }),
                topics: vec![(TopicName::from("orders"), vec![0, 4])],
                ..idle.clone()
            };
            let unknown = DescribedTransaction {
                error: ErrorCode::TRANSACTIONAL_ID_NOT_FOUND,
                transactional_id: "nowhere".to_owned(),
                state: String::new(),
                ..idle.clone()
            };
            DescribeTransactionsResponse {
                throttle_time_ms: 12,
                transactions: vec![open, idle, unknown],
            }
        },
    );
}

#[test]
fn list_transactions_is_that_of_another_implementation() {
    requests_are_equal(&ListTransactionsRequest::default(), |_| {
        messages::ListTransactionsRequest::default()
    });
    let some = ListTransactionsRequest {
        states: vec!["Ongoing".to_owned()],
        producer_ids: vec![4001, 1 << 40],
        open_for_ms: Some(60_000),
        pattern: Some("link-.*".to_owned()),
    };
    requests_are_equal(&some, |_| {
        messages::ListTransactionsRequest::default()
            .with_state_filters(vec![text("Ongoing")])
            .with_producer_id_filters(vec![ProducerId(4001), ProducerId(1 << 40)])
            .with_duration_filter(60_000)
            .with_transactional_id_pattern(Some(text("link-.*")))
    });
    let long = ListTransactionsRequest {
        pattern: None,
        ..some.clone()
    };
    for (request, since) in [(long, 1), (some, 2)] {
        assert_eq!(request.versions(), VersionRange::new(since, 2));
        let error = request
            .encode(since - 1, &mut BytesMut::new())
            .expect_err("more would be listed than was asked for");
        assert_eq!(error.problem, EncodeProblem::NeedsVersion { since });
    }
    answers_are_equal::<ListTransactionsRequest, _>(
        |_| {
            let listed = list_transactions_response::TransactionState::default()
                .with_transactional_id(id("link-1"))
                .with_producer_id(ProducerId(4001))
                .with_transaction_state(text("Ongoing"));
            messages::ListTransactionsResponse::default()
                .with_throttle_time_ms(12)
                .with_error_code(14)
                .with_unknown_state_filters(vec![text("Nonsense")])
                .with_transaction_states(vec![listed])
        },
        |_| ListTransactionsResponse {
            throttle_time_ms: 12,
            error: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            unknown_states: vec!["Nonsense".to_owned()],
            transactions: vec![ListedTransaction {
                transactional_id: "link-1".to_owned(),
                producer_id: 4001,
                state: "Ongoing".to_owned(),
            }],
        },
    );
}

#[test]
fn what_an_answer_to_an_inspection_can_bring_is_classified() {
    for (code, class) in [
        (ErrorCode::KAFKA_STORAGE_ERROR, ErrorClass::RefreshMetadata),
        (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, ErrorClass::Denied),
        (ErrorCode::TRANSACTIONAL_ID_NOT_FOUND, ErrorClass::Fatal),
        (ErrorCode::INVALID_REGULAR_EXPRESSION, ErrorClass::Fatal),
        (ErrorCode::MISMATCHED_ENDPOINT_TYPE, ErrorClass::Fatal),
    ] {
        assert_eq!(code.class(), class, "{code}");
    }
}
