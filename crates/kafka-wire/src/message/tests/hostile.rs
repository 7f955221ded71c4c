//! Bytes that no broker sends.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use crate::message::metadata::MetadataRequest;
use crate::message::reader::{Reader, reserve};
use crate::message::{
    ApiKey, DecodeError, DecodeProblem, Request, add_offsets_to_txn, add_partitions_to_txn,
    api_versions, create_acls, create_partitions, create_topics, delete_acls, delete_groups,
    delete_records, delete_topics, describe_acls, describe_cluster, describe_configs,
    describe_groups, describe_log_dirs, describe_producers, describe_transactions, end_txn, fetch,
    find_coordinator, heartbeat, incremental_alter_configs, init_producer_id, join_group,
    leave_group, list_groups, list_offsets, list_transactions, metadata, offset_commit,
    offset_delete, offset_fetch, offset_for_leader_epoch, produce, sasl_authenticate,
    sasl_handshake, sync_group, txn_offset_commit, write_txn_markers,
};

/// Decodes `body` as an answer to `R` in every version.
fn decode<R: Request>(body: &Bytes) {
    for version in super::compare::versions::<R>() {
        let _ = R::decode(version, body.clone());
    }
}

fn decode_as_everything(body: &Bytes) {
    decode::<api_versions::ApiVersionsRequest>(body);
    decode::<create_acls::CreateAclsRequest>(body);
    decode::<create_partitions::CreatePartitionsRequest>(body);
    decode::<create_topics::CreateTopicsRequest>(body);
    decode::<delete_acls::DeleteAclsRequest>(body);
    decode::<delete_records::DeleteRecordsRequest>(body);
    decode::<delete_topics::DeleteTopicsRequest>(body);
    decode::<describe_acls::DescribeAclsRequest>(body);
    decode::<describe_cluster::DescribeClusterRequest>(body);
    decode::<describe_configs::DescribeConfigsRequest>(body);
    decode::<describe_producers::DescribeProducersRequest>(body);
    decode::<fetch::FetchRequest>(body);
    decode::<find_coordinator::FindCoordinatorRequest>(body);
    decode::<incremental_alter_configs::IncrementalAlterConfigsRequest>(body);
    decode::<init_producer_id::InitProducerIdRequest>(body);
    decode::<sasl_authenticate::SaslAuthenticateRequest>(body);
    decode::<sasl_handshake::SaslHandshakeRequest>(body);
    decode::<list_offsets::ListOffsetsRequest>(body);
    decode::<metadata::MetadataRequest>(body);
    decode::<offset_for_leader_epoch::OffsetForLeaderEpochRequest>(body);
    decode::<produce::ProduceRequest>(body);
    decode::<add_offsets_to_txn::AddOffsetsToTxnRequest>(body);
    decode::<add_partitions_to_txn::AddPartitionsToTxnRequest>(body);
    decode::<end_txn::EndTxnRequest>(body);
    decode::<txn_offset_commit::TxnOffsetCommitRequest>(body);
    decode::<offset_fetch::OffsetFetchRequest>(body);
    decode::<offset_commit::OffsetCommitRequest>(body);
    decode::<offset_delete::OffsetDeleteRequest>(body);
    decode::<list_groups::ListGroupsRequest>(body);
    decode::<describe_groups::DescribeGroupsRequest>(body);
    decode::<delete_groups::DeleteGroupsRequest>(body);
    decode::<join_group::JoinGroupRequest>(body);
    decode::<sync_group::SyncGroupRequest>(body);
    decode::<heartbeat::HeartbeatRequest>(body);
    decode::<leave_group::LeaveGroupRequest>(body);
    decode::<describe_log_dirs::DescribeLogDirsRequest>(body);
    decode::<describe_transactions::DescribeTransactionsRequest>(body);
    decode::<list_transactions::ListTransactionsRequest>(body);
    decode::<write_txn_markers::WriteTxnMarkersRequest>(body);
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_as_everything(&Bytes::from(bytes));
    }

    /// Mostly zeros and ones get deeper: empty lists, one element, absent tagged fields.
    #[test]
    fn no_small_numbers_make_a_decoder_panic(
        bytes in prop::collection::vec(prop_oneof![4 => 0_u8..3, 1 => any::<u8>()], 0..200),
    ) {
        decode_as_everything(&Bytes::from(bytes));
    }
}

fn flexible(bytes: &'static [u8]) -> Reader {
    Reader::with_encoding(ApiKey::METADATA, 9, true, Bytes::from_static(bytes))
}

fn classic(bytes: &'static [u8]) -> Reader {
    Reader::with_encoding(ApiKey::METADATA, 8, false, Bytes::from_static(bytes))
}

fn problem<T>(result: Result<T, DecodeError>) -> DecodeProblem {
    result.err().expect("refused").problem
}

#[test]
fn a_count_reserves_no_more_memory_than_there_are_bytes_left() {
    let left = 64 << 20;
    for element_size in [0, 1, 24, 168, 1_000_000_000] {
        let reserved = reserve(left, element_size, left);
        assert!(reserved * element_size <= left, "{element_size}");
    }
    assert_eq!(reserve(3, 168, 600), 3);

    let mut reader = flexible(&[201, 1, 1, 2, 3]);
    assert!(matches!(
        problem(reader.array("list", |reader| reader.i8("number"))),
        DecodeProblem::Length {
            length: 200,
            left: 3
        }
    ));
    let mut reader = classic(&[0, 0, 0, 3, 1, 2, 3]);
    let read = reader.array("list", |reader| {
        reader.i8("number")?;
        Ok([0_u64; 16])
    });
    assert!(read.is_ok_and(|list| list.len() == 3));
}

#[test]
fn a_count_or_length_above_the_bytes_left_is_refused() {
    let byte = |reader: &mut Reader| reader.i8("element");
    let too_long = |length, left| DecodeProblem::Length { length, left };

    let mut reader = classic(&[0x7f, 0xff, 0xff, 0xff, 0]);
    assert_eq!(
        problem(reader.array("list", byte)),
        too_long(0x7fff_ffff, 1)
    );
    let mut reader = classic(&[0xff, 0xff, 0xff, 0xfe, 0]);
    assert_eq!(problem(reader.array("list", byte)), too_long(-2, 1));
    let mut reader = classic(&[0, 2, b'x']);
    assert_eq!(problem(reader.string("text")), too_long(2, 1));
    let mut reader = classic(&[0x80, 0, b'x']);
    assert_eq!(problem(reader.string("text")), too_long(-32_768, 1));

    let mut reader = flexible(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
    assert_eq!(
        problem(reader.array("list", byte)),
        too_long(0xffff_fffe, 1)
    );
    let mut reader = flexible(&[4, b'x', b'y']);
    assert_eq!(problem(reader.bytes("bytes")), too_long(3, 2));
}

#[test]
fn null_is_not_the_same_as_empty() {
    assert_eq!(flexible(&[0]).nullable_string("text"), Ok(None));
    assert_eq!(
        flexible(&[1]).nullable_string("text"),
        Ok(Some(String::new()))
    );
    assert_eq!(classic(&[0xff, 0xff]).nullable_string("text"), Ok(None));
    assert_eq!(
        classic(&[0, 0]).nullable_string("text"),
        Ok(Some(String::new()))
    );
    assert_eq!(problem(flexible(&[0]).string("text")), DecodeProblem::Null);
    assert_eq!(
        problem(classic(&[0xff; 4]).array("list", |_| Ok(()))),
        DecodeProblem::Null
    );
}

#[test]
fn text_is_utf8_or_refused() {
    assert_eq!(
        problem(flexible(&[3, 0xc3, 0x28]).string("text")),
        DecodeProblem::NotUtf8
    );
    assert_eq!(
        flexible(&[3, 0xc3, 0xbc]).string("text"),
        Ok("ü".to_owned())
    );
}

#[test]
fn a_variable_length_number_ends_within_32_bits() {
    let mut reader = flexible(&[0xff, 0xff, 0xff, 0xff, 0x1f]);
    assert_eq!(problem(reader.string("text")), DecodeProblem::VarintTooLong);
    let mut reader = flexible(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x01]);
    assert_eq!(problem(reader.string("text")), DecodeProblem::VarintTooLong);
}

#[test]
fn tagged_fields_come_in_order_each_within_its_bytes() {
    let check = |bytes, expected| {
        let result = flexible(bytes).tags("tags", |tag, reader| {
            if tag == 1 {
                reader.i16("known")?;
            }
            Ok(tag == 1)
        });
        assert_eq!(result.map_err(|error| error.problem), expected, "{bytes:?}");
    };
    check(&[0], Ok(()));
    check(&[2, 0, 1, 9, 1, 2, 0, 5], Ok(()));
    check(
        &[2, 1, 2, 0, 5, 1, 2, 0, 5],
        Err(DecodeProblem::TagOrder { tag: 1 }),
    );
    check(
        &[2, 3, 0, 1, 2, 0, 5],
        Err(DecodeProblem::TagOrder { tag: 1 }),
    );
    // The known field does not fill its bytes, or needs more than it has.
    check(
        &[1, 1, 3, 0, 5, 0],
        Err(DecodeProblem::LeftOver { left: 1 }),
    );
    check(
        &[1, 1, 1, 0],
        Err(DecodeProblem::EndOfBytes { needed: 2, left: 1 }),
    );
    check(
        &[1, 7, 2, 0],
        Err(DecodeProblem::Length { length: 2, left: 1 }),
    );
    check(
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        Err(DecodeProblem::EndOfBytes { needed: 1, left: 0 }),
    );
}

#[test]
fn a_version_that_is_not_spoken_is_refused_on_both_sides() {
    let range = MetadataRequest::VERSIONS;
    let request = MetadataRequest {
        topics: metadata::MetadataTopics::All,
        authorized_operations: false,
    };
    for version in [range.min - 1, range.max + 1, -1, i16::MAX, i16::MIN] {
        assert_eq!(
            problem(MetadataRequest::decode(version, Bytes::new())),
            DecodeProblem::Version { range }
        );
        request
            .encode(version, &mut BytesMut::new())
            .expect_err("not spoken");
    }
}
