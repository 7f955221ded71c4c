//! Produce against another implementation, and its segments.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    self, BrokerId, RequestHeader, TransactionalId, produce_request, produce_response,
};
use proptest::prelude::*;

use super::{
    ProducePartition, ProduceRequest, ProduceResponse, ProduceTopic, ProducedPartition,
    ProducedTopic, RecordError,
};
use crate::batch::HEADER_SIZE;
use crate::error_code::ErrorCode;
use crate::message::tests::compare::{
    ID, answers_are_equal, encode, id, requests_are_equal, text, topic, versions,
};
use crate::message::{
    Broker, CurrentLeader, EncodeError, EncodeProblem, Request, TopicRef, TransactionVersion,
    VersionRange,
};
use crate::types::{NodeId, TopicId, TopicName};

fn partition(partition: i32, payload_bytes: usize) -> ProducePartition {
    ProducePartition {
        partition,
        header: [u8::try_from(partition).expect("small"); HEADER_SIZE],
        payload: Bytes::from(vec![0x5a; payload_bytes]),
    }
}

/// A topic's name, and its partitions with the sizes of their payloads.
type Topic<'a> = (&'a str, &'a [(i32, usize)]);

fn request(topics: &[Topic<'_>]) -> ProduceRequest {
    let topic = |(number, (name, partitions)): (u8, &Topic<'_>)| ProduceTopic {
        name: TopicName::from(*name),
        id: TopicId([number; 16]),
        partitions: partitions
            .iter()
            .map(|(number, bytes)| partition(*number, *bytes))
            .collect(),
    };
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        transactional_id: None,
        topics: (1..).zip(topics).map(topic).collect(),
    }
}

fn other(request: &ProduceRequest, version: i16) -> messages::ProduceRequest {
    let batch = |partition: &ProducePartition| {
        let records = [&partition.header[..], &partition.payload].concat();
        produce_request::PartitionProduceData::default()
            .with_index(partition.partition)
            .with_records(Some(Bytes::from(records)))
    };
    let topic = |topic: &ProduceTopic| {
        let other = produce_request::TopicProduceData::default()
            .with_partition_data(topic.partitions.iter().map(batch).collect());
        if version >= 13 {
            let hex = topic.id.0.map(|byte| format!("{byte:02x}")).concat();
            other.with_topic_id(hex.parse().expect("an id"))
        } else {
            other.with_name(messages::TopicName(topic.name.as_str().to_owned().into()))
        }
    };
    messages::ProduceRequest::default()
        .with_transactional_id(
            request
                .transactional_id
                .clone()
                .map(|(id, _)| TransactionalId(id.into())),
        )
        .with_acks(request.acks)
        .with_timeout_ms(request.timeout_ms)
        .with_topic_data(request.topics.iter().map(topic).collect())
}

fn segments(request: &ProduceRequest, version: i16) -> Result<Vec<Bytes>, EncodeError> {
    let mut segments = Vec::new();
    request.encode_segments(version, 7, "tributary-1", &mut segments)?;
    Ok(segments)
}

fn check_frame(request: &ProduceRequest) {
    for version in versions::<ProduceRequest>() {
        let frame = segments(request, version).expect("fits").concat();
        let (length, rest) = frame.split_first_chunk::<4>().expect("a length");
        assert_eq!(
            usize::try_from(i32::from_be_bytes(*length)),
            Ok(rest.len()),
            "{version}"
        );

        let header = RequestHeader::default()
            .with_request_api_key(0)
            .with_request_api_version(version)
            .with_correlation_id(7)
            .with_client_id(Some(text("tributary-1")));
        let header = encode(&header, if version >= 9 { 2 } else { 1 });
        let body = encode(&other(request, version), version);
        assert_eq!(rest, [header, body].concat(), "{version}");
    }
}

#[test]
fn produce_requests_are_those_of_another_implementation() {
    let mut request = request(&[
        ("orders", &[(0, 100), (7, 20_000)]),
        ("payments", &[(1, 1)]),
    ]);
    requests_are_equal(&request, |version| other(&request, version));
    check_frame(&request);
    let id = "link-1".to_owned();
    request.transactional_id = Some((id.clone(), TransactionVersion::Announced));
    requests_are_equal(&request, |version| other(&request, version));
    assert_eq!(request.versions(), VersionRange::new(8, 11));
    request.transactional_id = Some((id, TransactionVersion::EpochPerTransaction));
    requests_are_equal(&request, |version| other(&request, version));
    assert_eq!(request.versions(), VersionRange::new(12, 13));
}

proptest! {
    /// Sizes around every change of the length's own length.
    #[test]
    fn segments_join_to_the_frame_of_another_implementation(
        first in prop::collection::vec(0_usize..300, 0..5),
        second in prop::collection::vec(16_000_usize..16_500, 0..3),
    ) {
        let first: Vec<_> = (0..).zip(first).collect();
        let second: Vec<_> = (0..).zip(second).collect();
        check_frame(&request(&[("orders", &first), ("payments", &second)]));
    }
}

#[test]
fn payloads_are_shared_and_not_copied() {
    let request = request(&[("orders", &[(0, 100), (7, 200)]), ("payments", &[(1, 300)])]);
    for version in versions::<ProduceRequest>() {
        let segments = segments(&request, version).expect("fits");
        let payloads = request.topics.iter().flat_map(|topic| &topic.partitions);
        let pointers: Vec<_> = payloads
            .map(|partition| partition.payload.as_ptr())
            .collect();
        let odd: Vec<_> = segments
            .iter()
            .skip(1)
            .step_by(2)
            .map(|each| each.as_ptr())
            .collect();
        assert_eq!(odd, pointers, "{version}");
        // Flexible versions end with tagged fields, so something follows the last payload.
        assert_eq!(segments.len(), if version >= 9 { 7 } else { 6 });
    }
}

#[test]
fn a_topic_or_partition_named_twice_is_refused() {
    let check = |request: &ProduceRequest| {
        for version in versions::<ProduceRequest>() {
            let error = segments(request, version).expect_err("twice");
            assert_eq!(error.problem, EncodeProblem::Twice);
        }
    };
    check(&request(&[("orders", &[(0, 100), (1, 100), (0, 100)])]));

    let mut twice = request(&[
        ("orders", &[(0, 100)]),
        ("payments", &[]),
        ("orders", &[(1, 100)]),
    ]);
    twice.topics[2].id = twice.topics[0].id;
    check(&twice);
}

#[test]
fn a_request_that_cannot_be_written_leaves_no_segments() {
    let mut request = request(&[("orders", &[(0, 100)])]);
    assert_eq!(request.versions(), VersionRange::new(8, 13));
    request.topics[0].id = TopicId::ZERO;
    assert_eq!(request.versions(), VersionRange::new(8, 12));
    let mut out = vec![];
    let error = request
        .encode_segments(13, 7, "x", &mut out)
        .expect_err("no id");
    assert_eq!(error.problem, EncodeProblem::NoTopicId);
    request
        .encode_segments(7, 7, "x", &mut out)
        .expect_err("below the floor");
    assert_eq!(out, Vec::<Bytes>::new());
    request.encode(12, &mut BytesMut::new()).expect("by name");
}

fn answer(version: i16) -> messages::ProduceResponse {
    let appended = produce_response::PartitionProduceResponse::default()
        .with_index(4)
        .with_base_offset(1 << 40)
        .with_log_append_time_ms(1_700_000_000_000)
        .with_log_start_offset(3333);
    let record = |index, message: Option<_>| {
        produce_response::BatchIndexAndErrorMessage::default()
            .with_batch_index(index)
            .with_batch_index_error_message(message.map(text))
    };
    let mut refused = produce_response::PartitionProduceResponse::default()
        .with_index(5)
        .with_error_code(87)
        .with_base_offset(-1)
        .with_log_append_time_ms(-1)
        .with_record_errors(vec![record(2, Some("no key")), record(9, None)])
        .with_error_message(Some(text("one or more records have been rejected")));
    let mut answer = messages::ProduceResponse::default().with_throttle_time_ms(12);
    if version >= 10 {
        refused = refused.with_current_leader(
            produce_response::LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(3))
                .with_leader_epoch(18),
        );
        answer = answer.with_node_endpoints(vec![
            produce_response::NodeEndpoint::default()
                .with_node_id(BrokerId(3))
                .with_host(text("broker-3.example"))
                .with_port(49092)
                .with_rack(Some(text("west-1a"))),
        ]);
    }
    let produced = produce_response::TopicProduceResponse::default()
        .with_partition_responses(vec![appended, refused]);
    answer.with_responses(vec![if version >= 13 {
        produced.with_topic_id(id())
    } else {
        produced.with_name(topic("orders"))
    }])
}

fn expected(version: i16) -> ProduceResponse {
    let named = version >= 10;
    let appended = ProducedPartition {
        partition: 4,
        error: ErrorCode::NONE,
        base_offset: 1 << 40,
        log_append_time_ms: 1_700_000_000_000,
        log_start_offset: 3333,
        record_errors: vec![],
        error_message: None,
        current_leader: None,
    };
    let refused = ProducedPartition {
        partition: 5,
        error: ErrorCode::INVALID_RECORD,
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        record_errors: vec![
            RecordError {
                batch_index: 2,
                message: Some("no key".to_owned()),
            },
            RecordError {
                batch_index: 9,
                message: None,
            },
        ],
        error_message: Some("one or more records have been rejected".to_owned()),
        current_leader: named.then_some(CurrentLeader {
            leader: NodeId(3),
            epoch: 18,
        }),
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
        rack: Some("west-1a".to_owned()),
    };
    ProduceResponse {
        topics: vec![ProducedTopic {
            topic,
            partitions: vec![appended, refused],
        }],
        throttle_time_ms: 12,
        node_endpoints: if named { vec![endpoint] } else { vec![] },
    }
}

#[test]
fn produce_answers_are_those_of_another_implementation() {
    answers_are_equal::<ProduceRequest, _>(answer, expected);
}

#[test]
fn payloads_are_not_printed() {
    let printed = format!("{:?}", request(&[("orders", &[(0, 100)])]));
    assert!(printed.contains("payload_bytes: 100"), "{printed}");
    assert!(!printed.contains("90, 90"), "{printed}");
}
