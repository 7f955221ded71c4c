//! Answers about transactions and their markers.

use super::read;
use crate::error_code::ErrorCode;
use crate::message::PartitionOutcome;
use crate::message::add_offsets_to_txn::AddOffsetsToTxnRequest;
use crate::message::add_partitions_to_txn::AddPartitionsToTxnRequest;
use crate::message::end_txn::EndTxnRequest;
use crate::message::txn_offset_commit::TxnOffsetCommitRequest;
use crate::message::write_txn_markers::WriteTxnMarkersRequest;
use crate::types::{ProducerIdentity, TopicName};

#[test]
fn what_a_real_broker_says_of_markers_is_read() {
    let old = captured!(WriteTxnMarkersRequest, "WriteTxnMarkers", 0);
    let new = captured!(WriteTxnMarkersRequest, "WriteTxnMarkers", 2);
    assert_eq!(old, new);
    // Two markers of one producer, and one entry: that of the second, which came from an older
    // coordinator.
    let [written] = &new.producers[..] else {
        panic!("one entry: {new:?}")
    };
    assert_eq!(written.producer_id, 4001);
    let outcome = |partition, error| PartitionOutcome { partition, error };
    let expected = vec![
        outcome(9, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        outcome(0, ErrorCode::TRANSACTION_COORDINATOR_FENCED),
        outcome(1, ErrorCode::TRANSACTION_COORDINATOR_FENCED),
    ];
    assert_eq!(written.topics, [(TopicName::from("orders"), expected)]);
}

#[test]
fn what_a_real_broker_says_of_a_transaction_is_read() {
    let orders = |first, second| {
        let outcome = |partition, error| PartitionOutcome { partition, error };
        vec![(
            TopicName::from("orders"),
            vec![outcome(9, first), outcome(0, second)],
        )]
    };
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;

    // All or nothing.
    let old = captured!(AddPartitionsToTxnRequest, "AddPartitionsToTxn", 0);
    let new = captured!(AddPartitionsToTxnRequest, "AddPartitionsToTxn", 3);
    assert_eq!(old, new);
    assert_eq!(
        new.topics,
        orders(unknown, ErrorCode::OPERATION_NOT_ATTEMPTED)
    );

    let old = captured!(AddOffsetsToTxnRequest, "AddOffsetsToTxn", 0);
    let new = captured!(AddOffsetsToTxnRequest, "AddOffsetsToTxn", 4);
    assert_eq!((old.error, new.error), (ErrorCode::NONE, ErrorCode::NONE));

    let old = captured!(TxnOffsetCommitRequest, "TxnOffsetCommit", 0);
    let new = captured!(TxnOffsetCommitRequest, "TxnOffsetCommit", 5);
    assert_eq!(old, new);
    assert_eq!(new.topics, orders(unknown, ErrorCode::NONE));

    // The second transaction had epoch 1.
    let old = captured!(EndTxnRequest, "EndTxn", 0);
    let new = captured!(EndTxnRequest, "EndTxn", 5);
    assert_eq!((old.error, old.next), (ErrorCode::NONE, None));
    let next = ProducerIdentity { id: 0, epoch: 2 };
    assert_eq!((new.error, new.next), (ErrorCode::NONE, Some(next)));
}
