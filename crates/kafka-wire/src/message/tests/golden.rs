//! Answers of a real broker; `golden/README.md` says how they were captured.

use bytes::Bytes;

use crate::batch::Batches;
use crate::error_code::ErrorCode;
use crate::message::describe_configs::ConfigSource;
use crate::message::fetch::{FetchRequest, FetchedPartition};
use crate::message::produce::{ProduceRequest, ProduceResponse};
use crate::message::{
    ApiKey, Broker, Request, TopicRef, VersionRange, acl, api_versions, create_acls,
    create_partitions, create_topics, delete_acls, delete_records, delete_topics, describe_acls,
    describe_cluster, describe_configs, describe_producers, find_coordinator,
    incremental_alter_configs, init_producer_id, list_offsets, metadata, offset_for_leader_epoch,
    split_response_header,
};
use crate::types::{NodeId, TopicName};

const CLUSTER: &str = "TRIBUTARYGOLDENAAAAAAw";

/// Reads a captured answer, and sees that no shorter one can be read.
fn read<R: Request>(version: i16, capture: &'static [u8]) -> R::Response {
    let mut body = Bytes::from_static(capture);
    split_response_header(R::API, version, &mut body).expect("a header");
    for length in 0..body.len() {
        assert!(
            R::decode(version, body.slice(..length)).is_err(),
            "cut at {length}"
        );
    }
    R::decode(version, body).unwrap_or_else(|error| panic!("{error}"))
}

macro_rules! captured {
    ($request:ty, $file:literal, $version:literal) => {
        read::<$request>(
            $version,
            include_bytes!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/src/message/tests/golden/",
                $file,
                "_",
                $version,
                ".bin"
            )),
        )
    };
}

mod groups;
mod inspection;
mod transactions;

fn check_broker(brokers: &[Broker]) {
    let [broker] = brokers else {
        panic!("one broker: {brokers:?}")
    };
    assert_eq!(broker.node, NodeId(1));
    assert_eq!(
        (broker.host.as_str(), broker.rack.as_deref()),
        ("127.0.0.1", Some("west-1a"))
    );
}

#[test]
fn what_a_real_broker_speaks_is_read() {
    let old = captured!(api_versions::ApiVersionsRequest, "ApiVersions", 0);
    let new = captured!(api_versions::ApiVersionsRequest, "ApiVersions", 3);
    assert_eq!(old.apis, new.apis);
    assert_eq!(new.apis.len(), 75);
    assert_eq!(new.range(ApiKey::PRODUCE), Some(VersionRange::new(0, 13)));
    assert_eq!(new.range(ApiKey::FETCH), Some(VersionRange::new(4, 18)));
    assert_eq!(old.finalized_features, vec![]);
    let level = |name| {
        new.finalized_features
            .iter()
            .find(|feature| feature.name == name)
            .map(|f| f.max_level)
    };
    assert_eq!(
        (level("metadata.version"), level("transaction.version")),
        (Some(30), Some(2))
    );
}

#[test]
fn what_a_real_broker_says_of_its_cluster_is_read() {
    let cluster = captured!(
        describe_cluster::DescribeClusterRequest,
        "DescribeCluster",
        2
    );
    assert_eq!(
        cluster,
        captured!(
            describe_cluster::DescribeClusterRequest,
            "DescribeCluster",
            0
        )
    );
    assert_eq!(
        (cluster.cluster_id.as_str(), cluster.controller),
        (CLUSTER, NodeId(1))
    );
    check_broker(&cluster.brokers);

    let old = captured!(metadata::MetadataRequest, "Metadata", 8);
    let new = captured!(metadata::MetadataRequest, "Metadata", 13);
    for metadata in [&old, &new] {
        assert_eq!(metadata.cluster_id.as_deref(), Some(CLUSTER));
        check_broker(&metadata.brokers);
        let mut names: Vec<_> = metadata
            .topics
            .iter()
            .filter_map(|t| t.name.clone())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["t4", "t5", "t6", "t7"].map(TopicName::from));
        for topic in &metadata.topics {
            assert_eq!((topic.error, topic.internal), (ErrorCode::NONE, false));
            assert_eq!(topic.partitions.len(), 2);
            for partition in &topic.partitions {
                assert_eq!(
                    (partition.error, partition.leader_epoch),
                    (ErrorCode::NONE, 0)
                );
                assert_eq!(
                    (partition.leader, partition.isr.as_slice()),
                    (NodeId(1), &[NodeId(1)][..])
                );
                assert_eq!(
                    (&partition.replicas, &partition.offline),
                    (&vec![NodeId(1)], &vec![])
                );
            }
        }
    }
    assert!(old.topics.iter().all(|topic| topic.id.is_zero()));
    assert!(new.topics.iter().all(|topic| !topic.id.is_zero()));
}

#[test]
fn what_a_real_broker_says_of_creating_topics_is_read() {
    let check = |name, topics: &[create_topics::CreatedTopic]| {
        let [topic] = topics else {
            panic!("one topic: {topics:?}")
        };
        assert_eq!(
            (topic.name.as_str(), topic.error),
            (name, ErrorCode::TOPIC_ALREADY_EXISTS)
        );
        let message = format!("Topic '{name}' already exists.");
        assert_eq!(topic.error_message.as_ref(), Some(&message));
        assert_eq!((topic.partitions, topic.replication_factor), (-1, -1));
    };
    check(
        "t4",
        &captured!(create_topics::CreateTopicsRequest, "CreateTopics", 4).topics,
    );
    check(
        "t7",
        &captured!(create_topics::CreateTopicsRequest, "CreateTopics", 7).topics,
    );

    let old = captured!(
        create_partitions::CreatePartitionsRequest,
        "CreatePartitions",
        1
    );
    let new = captured!(
        create_partitions::CreatePartitionsRequest,
        "CreatePartitions",
        3
    );
    assert_eq!(old, new);
    let errors = new
        .topics
        .iter()
        .map(|topic| (topic.name.as_str(), topic.error.0));
    assert_eq!(errors.collect::<Vec<_>>(), [("t7", 0), ("missing", 3)]);

    let old = captured!(delete_topics::DeleteTopicsRequest, "DeleteTopics", 3);
    let new = captured!(delete_topics::DeleteTopicsRequest, "DeleteTopics", 6);
    for (answer, name) in [(old, "t4"), (new, "t7")] {
        let error = |name| {
            let name = Some(TopicName::from(name));
            answer
                .topics
                .iter()
                .find(|topic| topic.name == name)
                .map(|topic| topic.error)
        };
        assert_eq!(error(name), Some(ErrorCode::NONE));
        assert_eq!(
            error("missing"),
            Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
        );
    }
}

#[test]
fn what_a_real_broker_says_of_configurations_is_read() {
    use incremental_alter_configs::IncrementalAlterConfigsRequest as Alter;
    let old = captured!(Alter, "IncrementalAlterConfigs", 0);
    let new = captured!(Alter, "IncrementalAlterConfigs", 1);
    assert_eq!(old, new);
    assert_eq!(
        (new.resources[0].name.as_str(), new.resources[0].error),
        ("t7", ErrorCode::NONE)
    );

    let mut old = captured!(
        describe_configs::DescribeConfigsRequest,
        "DescribeConfigs",
        2
    );
    let new = captured!(
        describe_configs::DescribeConfigsRequest,
        "DescribeConfigs",
        4
    );
    // Only the newer layout says what kind of value it is.
    for (old, new) in old.resources.iter_mut().zip(&new.resources) {
        for (old, new) in old.entries.iter_mut().zip(&new.entries) {
            assert!(!old.list);
            old.list = new.list;
        }
    }
    assert_eq!(old, new);
    let [topic, missing, broker] = &new.resources[..] else {
        panic!("three: {new:?}")
    };
    assert_eq!(missing.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(topic.entries.len(), 33);
    let lists = topic.entries.iter().filter(|entry| entry.list);
    let lists: std::collections::BTreeSet<_> = lists.map(|entry| entry.name.as_str()).collect();
    let replicas = [
        "follower.replication.throttled.replicas",
        "leader.replication.throttled.replicas",
    ];
    assert_eq!(lists, ["cleanup.policy", replicas[0], replicas[1]].into());
    let overrides = topic
        .entries
        .iter()
        .filter(|entry| entry.source == ConfigSource::Topic);
    let overrides: Vec<_> = overrides
        .map(|entry| (entry.name.as_str(), entry.value.as_deref()))
        .collect();
    let expected = [
        ("cleanup.policy", Some("delete,compact")),
        ("segment.bytes", Some("10000000")),
    ];
    assert_eq!(overrides, expected);
    let [largest] = &broker.entries[..] else {
        panic!("one key: {broker:?}")
    };
    assert_eq!(
        (largest.value.as_deref(), largest.source),
        (Some("1048588"), ConfigSource::Default)
    );
}

#[test]
fn what_a_real_broker_says_of_access_rights_is_read() {
    use describe_acls::DescribeAclsRequest as Describe;
    let old = captured!(create_acls::CreateAclsRequest, "CreateAcls", 1);
    let new = captured!(create_acls::CreateAclsRequest, "CreateAcls", 3);
    assert_eq!(old, new);
    let errors: Vec<_> = new.outcomes.iter().map(|outcome| outcome.error).collect();
    let (none, bad) = (ErrorCode::NONE, ErrorCode::INVALID_REQUEST);
    assert_eq!(errors, [none, none, none, bad]);
    let message = new.outcomes[3].error_message.as_deref();
    let begin = "Could not parse principal from `nobody`";
    assert!(message.is_some_and(|text| text.starts_with(begin)));

    let old = captured!(Describe, "DescribeAcls", 1);
    let new = captured!(Describe, "DescribeAcls", 3);
    assert_eq!(old, new);
    assert_eq!(new.error, ErrorCode::NONE);
    let mut sentences: Vec<_> = new.bindings.iter().map(ToString::to_string).collect();
    sentences.sort_unstable();
    let expected = [
        "ALLOW READ on TOPIC LITERAL orders for User:alice from *",
        "ALLOW WRITE on TOPIC PREFIXED pay for User:alice from *",
        "DENY ALL on TOPIC LITERAL orders for User:bob from *",
    ];
    assert_eq!(sentences, expected);

    let old = captured!(delete_acls::DeleteAclsRequest, "DeleteAcls", 1);
    let new = captured!(delete_acls::DeleteAclsRequest, "DeleteAcls", 3);
    assert_eq!(old, new);
    let [one, missing] = &new.filters[..] else {
        panic!("two filters: {new:?}")
    };
    let [(binding, outcome)] = &one.bindings[..] else {
        panic!("one binding: {one:?}")
    };
    assert_eq!(binding.to_string(), expected[1]);
    assert_eq!(binding.pattern, acl::AclPattern::Prefixed);
    assert_eq!(
        (one.outcome.error, outcome.error, missing.outcome.error),
        (none, none, none)
    );
    assert!(missing.bindings.is_empty());

    let disabled = captured!(Describe, "DescribeAcls_disabled", 3);
    assert_eq!(disabled.error, ErrorCode::SECURITY_DISABLED);
    let message = "No Authorizer is configured on the broker";
    assert_eq!(disabled.error_message.as_deref(), Some(message));
}

fn check_produced(answer: &ProduceResponse, base_offset: i64) {
    let [good, refused] = &answer.topics[..] else {
        panic!("two topics: {answer:?}")
    };
    let outcomes = good
        .partitions
        .iter()
        .map(|p| (p.partition, p.error.0, p.base_offset));
    let expected = [(0, 0, base_offset), (1, 0, base_offset), (9, 3, -1)];
    assert_eq!(outcomes.collect::<Vec<_>>(), expected);
    let refused = &refused.partitions[0];
    assert_eq!(
        (refused.error, refused.base_offset),
        (ErrorCode::INVALID_RECORD, -1)
    );
    assert_eq!(refused.record_errors[0].batch_index, 0);
    let message = refused.record_errors[0]
        .message
        .as_deref()
        .expect("a reason");
    assert!(
        message.starts_with("Compacted topic cannot accept message without key"),
        "{message}"
    );
}

#[test]
fn what_a_real_broker_says_of_produced_batches_is_read() {
    let old = captured!(ProduceRequest, "Produce", 8);
    let new = captured!(ProduceRequest, "Produce", 13);
    check_produced(&old, 0);
    check_produced(&new, 5);
    assert_eq!(old.topics[0].topic, TopicRef::Name(TopicName::from("t6")));
    assert!(matches!(new.topics[0].topic, TopicRef::Id(id) if !id.is_zero()));
}

#[test]
fn what_a_real_broker_fetches_is_read() {
    let old = captured!(FetchRequest, "Fetch", 11);
    let new = captured!(FetchRequest, "Fetch", 17);
    assert_eq!(old.topics[0].partitions, new.topics[0].partitions);
    assert_eq!(old.topics[0].topic, TopicRef::Name(TopicName::from("t6")));
    assert!(matches!(new.topics[0].topic, TopicRef::Id(id) if !id.is_zero()));
    assert!(old.session_id > 0 && new.session_id > 0);

    let [found, beyond, unknown] = &new.topics[0].partitions[..] else {
        panic!("three: {new:?}")
    };
    let ends = |p: &FetchedPartition| (p.high_watermark, p.last_stable_offset, p.log_start_offset);
    assert_eq!((found.error, ends(found)), (ErrorCode::NONE, (6, 6, 0)));
    let batches = Batches::new(found.records.clone()).collect::<Result<Vec<_>, _>>();
    assert_eq!(batches.map(|batches| batches.len()), Ok(6));
    assert_eq!(
        (beyond.error, ends(beyond)),
        (ErrorCode::OFFSET_OUT_OF_RANGE, (-1, -1, -1))
    );
    assert_eq!(
        (unknown.partition, unknown.error),
        (9, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
    );
    assert!(unknown.records.is_empty());
}

#[test]
fn what_a_real_broker_says_of_offsets_is_read() {
    let old = captured!(list_offsets::ListOffsetsRequest, "ListOffsets", 5);
    let new = captured!(list_offsets::ListOffsetsRequest, "ListOffsets", 10);
    for answer in [&old, &new] {
        let mut offsets: Vec<_> = answer.topics[0]
            .1
            .iter()
            .map(|listed| (listed.partition, listed.error.0, listed.offset))
            .collect();
        offsets.sort_unstable();
        assert_eq!(offsets, [(0, 0, 6), (1, 0, 0), (9, 3, -1)]);
    }

    use offset_for_leader_epoch::OffsetForLeaderEpochRequest as Epochs;
    let old = captured!(Epochs, "OffsetForLeaderEpoch", 3);
    assert_eq!(old, captured!(Epochs, "OffsetForLeaderEpoch", 4));
    let end = old.topics[0].1[0];
    assert_eq!(
        (end.error, end.leader_epoch, end.end_offset),
        (ErrorCode::NONE, 0, 6)
    );

    let old = captured!(delete_records::DeleteRecordsRequest, "DeleteRecords", 1);
    assert_eq!(
        old,
        captured!(delete_records::DeleteRecordsRequest, "DeleteRecords", 2)
    );
    let trimmed = old.topics[0]
        .1
        .iter()
        .map(|p| (p.partition, p.error.0, p.low_watermark));
    assert_eq!(trimmed.collect::<Vec<_>>(), [(0, 0, 1), (9, 3, -1)]);
}

#[test]
fn what_a_real_broker_says_of_producers_is_read() {
    let answer = captured!(
        describe_producers::DescribeProducersRequest,
        "DescribeProducers",
        0
    );
    let [partition, unknown] = &answer.topics[0].1[..] else {
        panic!("two: {answer:?}")
    };
    assert_eq!(unknown.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    let [producer] = partition.producers[..] else {
        panic!("one: {answer:?}")
    };
    assert_eq!(
        (producer.last_sequence, producer.last_timestamp),
        (5, 1_700_000_000_000)
    );
    assert_eq!(
        (producer.coordinator_epoch, producer.transaction_start),
        (-1, None)
    );

    use init_producer_id::InitProducerIdRequest as Init;
    let epoch = |answer: init_producer_id::InitProducerIdResponse| {
        answer.producer.expect("an identity").epoch
    };
    assert_eq!(epoch(captured!(Init, "InitProducerId", 1)), 0);
    assert_eq!(epoch(captured!(Init, "InitProducerId", 5)), 4);

    let old = captured!(
        find_coordinator::FindCoordinatorRequest,
        "FindCoordinator",
        2
    );
    let new = captured!(
        find_coordinator::FindCoordinatorRequest,
        "FindCoordinator",
        6
    );
    assert_eq!((old.error, new.error), (ErrorCode::NONE, ErrorCode::NONE));
    assert_eq!(old.coordinator, new.coordinator);
    assert_eq!(old.coordinator.expect("found").node, NodeId(1));
}
