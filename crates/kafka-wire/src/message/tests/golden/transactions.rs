//! Answers about transactions and their markers.

use super::read;
use crate::error_code::ErrorCode;
use crate::message::PartitionOutcome;
use crate::message::write_txn_markers::WriteTxnMarkersRequest;
use crate::types::TopicName;

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
