//! Answers about transactional ids, disks and rights.

use super::read;
use crate::error_code::ErrorCode;
use crate::message::acl::AclOperation;
use crate::message::describe_cluster::DescribeClusterRequest;
use crate::message::describe_log_dirs::DescribeLogDirsRequest;
use crate::message::describe_transactions::DescribeTransactionsRequest;
use crate::message::list_transactions::ListTransactionsRequest;
use crate::message::metadata::MetadataRequest;
use crate::types::{ProducerIdentity, TopicName};

#[test]
fn what_a_real_broker_says_of_transactional_ids_is_read() {
    let answer = captured!(DescribeTransactionsRequest, "DescribeTransactions", 0);
    let [open, nowhere] = &answer.transactions[..] else {
        panic!("two: {answer:?}")
    };
    assert_eq!((open.state.as_str(), open.timeout_ms), ("Ongoing", 60_000));
    assert!(open.start_time_ms.is_some());
    assert_eq!(open.producer, Some(ProducerIdentity { id: 1, epoch: 0 }));
    assert_eq!(open.topics, [(TopicName::from("orders"), vec![0, 1])]);
    assert_eq!(nowhere.error, ErrorCode::TRANSACTIONAL_ID_NOT_FOUND);
    assert_eq!((nowhere.start_time_ms, nowhere.producer), (None, None));

    let all = captured!(ListTransactionsRequest, "ListTransactions", 0);
    let some = captured!(ListTransactionsRequest, "ListTransactions", 2);
    assert_eq!((all.error, some.error), (ErrorCode::NONE, ErrorCode::NONE));
    let states: Vec<_> = all
        .transactions
        .iter()
        .map(|t| (t.transactional_id.as_str(), t.state.as_str()))
        .collect();
    assert_eq!(
        states,
        [("link-2", "Ongoing"), ("link-1", "CompleteCommit")]
    );
    assert_eq!(some.transactions, all.transactions[..1]);
    assert_eq!(some.unknown_states, ["Nonsense"]);
}

#[test]
fn what_a_real_broker_says_of_its_disks_is_read() {
    let old = captured!(DescribeLogDirsRequest, "DescribeLogDirs", 1);
    let new = captured!(DescribeLogDirsRequest, "DescribeLogDirs", 4);
    for answer in [&old, &new] {
        let [directory] = &answer.directories[..] else {
            panic!("one directory: {answer:?}")
        };
        assert_eq!(directory.path, "/tmp/golden/data-4.3.1");
        let [(name, partitions)] = &directory.topics[..] else {
            panic!("one topic: {directory:?}")
        };
        assert_eq!(name.as_str(), "orders");
        // A partition that is not there is left out.
        let [size] = partitions[..] else {
            panic!("one partition: {directory:?}")
        };
        // Four transaction markers of 78 bytes.
        assert_eq!((size.partition, size.bytes, size.future), (0, 312, false));
    }
    let room = |answer: &crate::message::describe_log_dirs::DescribeLogDirsResponse| {
        let directory = &answer.directories[0];
        directory.total_bytes.zip(directory.usable_bytes)
    };
    assert_eq!(room(&old), None);
    assert!(room(&new).is_some_and(|(total, usable)| 0 < usable && usable < total));
}

#[test]
fn what_a_real_broker_says_of_rights_is_read() {
    let old = captured!(DescribeClusterRequest, "DescribeCluster_operations", 0);
    let new = captured!(DescribeClusterRequest, "DescribeCluster_operations", 2);
    assert_eq!(old, new);
    let cluster = new.authorized_operations.expect("asked for");
    for (operation, allowed) in [
        (AclOperation::Alter, true),
        (AclOperation::ClusterAction, true),
        (AclOperation::IdempotentWrite, true),
        (AclOperation::Read, false),
    ] {
        assert_eq!(cluster.allows(operation), allowed, "{operation}");
    }

    let old = captured!(MetadataRequest, "Metadata_operations", 8);
    let new = captured!(MetadataRequest, "Metadata_operations", 13);
    assert_eq!(old.authorized_operations, Some(cluster));
    assert_eq!(new.authorized_operations, None);
    for topic in old.topics.iter().chain(&new.topics) {
        let topic = topic.authorized_operations.expect("asked for");
        assert!(topic.allows(AclOperation::Write) && topic.allows(AclOperation::Read));
        assert!(!topic.allows(AclOperation::IdempotentWrite));
    }
}
