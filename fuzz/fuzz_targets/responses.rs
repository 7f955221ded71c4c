//! Any bytes as the answer to any request, and as what Connect workers put into some: the header
//! and the body are read or refused.
//!
//! The first byte chooses the request, the second its version; a frame without its length follows.
//! Promises tried: no panic and no memory beyond the answer's size; an answer that is read cannot
//! be read any more when bytes are missing or left over.
#![no_main]

use bytes::Bytes;
use kafka_wire::message::{
    Request, add_offsets_to_txn, add_partitions_to_txn, api_versions, connect_protocol,
    create_acls, create_partitions, create_topics, delete_acls, delete_groups, delete_records,
    delete_topics, describe_acls, describe_cluster, describe_configs, describe_groups,
    describe_log_dirs, describe_producers, describe_transactions, end_txn, fetch, find_coordinator,
    heartbeat, incremental_alter_configs, init_producer_id, join_group, leave_group, list_groups,
    list_offsets, list_transactions, metadata, offset_commit, offset_delete, offset_fetch,
    offset_for_leader_epoch, produce, sasl_authenticate, sasl_handshake, split_response_header,
    sync_group, txn_offset_commit, write_txn_markers,
};
use libfuzzer_sys::fuzz_target;

fn read<R: Request>(choice: u8, frame: &[u8]) {
    let version = R::VERSIONS.min + i16::from(choice) % (R::VERSIONS.max - R::VERSIONS.min + 1);
    let mut body = Bytes::copy_from_slice(frame);
    if split_response_header(R::API, version, &mut body).is_err() {
        return;
    }
    if R::decode(version, body.clone()).is_ok() {
        assert!(R::decode(version, body.slice(..body.len() - 1)).is_err());
        assert!(R::decode(version, body.slice(..body.len() / 2)).is_err());
        assert!(R::decode(version, Bytes::from([&body[..], &[0]].concat())).is_err());
    }
}

/// What another worker of a Connect group put into JoinGroup, and its leader into SyncGroup.
fn read_connect(_: u8, bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    if let Ok((protocol, state)) = connect_protocol::WorkerState::decode(bytes.clone()) {
        let again = state.encode(protocol).expect("it was read");
        assert_eq!(
            connect_protocol::WorkerState::decode(again),
            Ok((protocol, state))
        );
    }
    if let Ok((protocol, assignment)) = connect_protocol::Assignment::decode(bytes) {
        let again = assignment.encode(protocol).expect("it was read");
        assert_eq!(
            connect_protocol::Assignment::decode(again),
            Ok((protocol, assignment))
        );
    }
}

const READERS: [fn(u8, &[u8]); 40] = [
    read::<api_versions::ApiVersionsRequest>,
    read::<create_partitions::CreatePartitionsRequest>,
    read::<create_topics::CreateTopicsRequest>,
    read::<delete_records::DeleteRecordsRequest>,
    read::<delete_topics::DeleteTopicsRequest>,
    read::<describe_cluster::DescribeClusterRequest>,
    read::<describe_configs::DescribeConfigsRequest>,
    read::<describe_producers::DescribeProducersRequest>,
    read::<fetch::FetchRequest>,
    read::<find_coordinator::FindCoordinatorRequest>,
    read::<incremental_alter_configs::IncrementalAlterConfigsRequest>,
    read::<init_producer_id::InitProducerIdRequest>,
    read::<sasl_authenticate::SaslAuthenticateRequest>,
    read::<sasl_handshake::SaslHandshakeRequest>,
    read::<list_offsets::ListOffsetsRequest>,
    read::<metadata::MetadataRequest>,
    read::<offset_for_leader_epoch::OffsetForLeaderEpochRequest>,
    read::<produce::ProduceRequest>,
    read::<create_acls::CreateAclsRequest>,
    read::<delete_acls::DeleteAclsRequest>,
    read::<describe_acls::DescribeAclsRequest>,
    read::<add_offsets_to_txn::AddOffsetsToTxnRequest>,
    read::<add_partitions_to_txn::AddPartitionsToTxnRequest>,
    read::<end_txn::EndTxnRequest>,
    read::<txn_offset_commit::TxnOffsetCommitRequest>,
    read::<offset_fetch::OffsetFetchRequest>,
    read::<offset_commit::OffsetCommitRequest>,
    read::<offset_delete::OffsetDeleteRequest>,
    read::<list_groups::ListGroupsRequest>,
    read::<describe_groups::DescribeGroupsRequest>,
    read::<delete_groups::DeleteGroupsRequest>,
    read::<join_group::JoinGroupRequest>,
    read::<sync_group::SyncGroupRequest>,
    read::<heartbeat::HeartbeatRequest>,
    read::<leave_group::LeaveGroupRequest>,
    read::<describe_log_dirs::DescribeLogDirsRequest>,
    read::<describe_transactions::DescribeTransactionsRequest>,
    read::<list_transactions::ListTransactionsRequest>,
    read::<write_txn_markers::WriteTxnMarkersRequest>,
    read_connect,
];

fuzz_target!(|input: &[u8]| {
    let [reader, version, frame @ ..] = input else {
        return;
    };
    READERS[usize::from(*reader) % READERS.len()](*version, frame);
});
