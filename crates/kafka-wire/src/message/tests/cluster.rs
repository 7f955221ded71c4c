//! ApiVersions, Metadata, DescribeCluster, FindCoordinator.

use bytes::Bytes;
use kafka_protocol::messages::{self, BrokerId};
use kafka_protocol::messages::{
    api_versions_response, describe_cluster_response, find_coordinator_response, metadata_request,
    metadata_response,
};

use super::compare::{ID, answers_are_equal, encode, id, requests_are_equal, text, topic};
use crate::error_code::ErrorCode;
use crate::message::api_versions::{
    AdvertisedApi, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeature,
};
use crate::message::describe_cluster::{DescribeClusterRequest, DescribeClusterResponse};
use crate::message::find_coordinator::{
    CoordinatorKind, FindCoordinatorRequest, FindCoordinatorResponse,
};
use crate::message::metadata::{
    MetadataRequest, MetadataResponse, MetadataTopics, PartitionMetadata, TopicMetadata,
};
use crate::message::{ApiKey, AuthorizedOperations, Broker, DecodeProblem, Request, VersionRange};
use crate::types::{NodeId, TopicId, TopicName};

fn broker(rack: bool) -> Broker {
    Broker {
        node: NodeId(3),
        host: "broker-3.example".to_owned(),
        port: 49092,
        rack: rack.then(|| "west-1a".to_owned()),
    }
}

#[test]
fn api_versions_is_that_of_another_implementation() {
    let request = ApiVersionsRequest {
        software_name: "tributary".to_owned(),
        software_version: "0.1.0".to_owned(),
    };
    requests_are_equal(&request, |version| {
        let other = messages::ApiVersionsRequest::default();
        if version < 3 {
            return other;
        }
        other
            .with_client_software_name(text("tributary"))
            .with_client_software_version(text("0.1.0"))
    });

    answers_are_equal::<ApiVersionsRequest, _>(api_versions_answer, |version| {
        ApiVersionsResponse {
            error: ErrorCode::NONE,
            apis: vec![
                AdvertisedApi {
                    key: ApiKey::PRODUCE,
                    versions: VersionRange::new(0, 13),
                },
                AdvertisedApi {
                    key: ApiKey(999),
                    versions: VersionRange::new(1, 1),
                },
            ],
            throttle_time_ms: if version >= 1 { 12 } else { 0 },
            finalized_features: if version >= 3 {
                vec![FinalizedFeature {
                    name: "transaction.version".to_owned(),
                    min_level: 1,
                    max_level: 2,
                }]
            } else {
                vec![]
            },
        }
    });
}

fn api_versions_answer(version: i16) -> messages::ApiVersionsResponse {
    let api = |key, min, max| {
        api_versions_response::ApiVersion::default()
            .with_api_key(key)
            .with_min_version(min)
            .with_max_version(max)
    };
    let mut answer =
        messages::ApiVersionsResponse::default().with_api_keys(vec![api(0, 0, 13), api(999, 1, 1)]);
    if version >= 1 {
        answer = answer.with_throttle_time_ms(12);
    }
    if version < 3 {
        return answer;
    }
    answer
        .with_supported_features(vec![
            api_versions_response::SupportedFeatureKey::default()
                .with_name(text("group.version"))
                .with_max_version(1),
        ])
        .with_finalized_features_epoch(77)
        .with_finalized_features(vec![
            api_versions_response::FinalizedFeatureKey::default()
                .with_name(text("transaction.version"))
                .with_max_version_level(2)
                .with_min_version_level(1),
        ])
        .with_zk_migration_ready(true)
        .with_unknown_tagged_field(9, Bytes::from_static(b"later"))
}

#[test]
fn an_unsupported_version_is_answered_in_version_0_and_read() {
    let api = api_versions_response::ApiVersion::default()
        .with_api_key(18)
        .with_min_version(0)
        .with_max_version(2);
    let answer = messages::ApiVersionsResponse::default()
        .with_error_code(35)
        .with_api_keys(vec![api]);
    let body = encode(&answer, 0);
    for version in 0..=3 {
        let read = ApiVersionsRequest::decode(version, body.clone()).expect("readable");
        assert_eq!(read.error, ErrorCode::UNSUPPORTED_VERSION);
        assert_eq!(
            read.range(ApiKey::API_VERSIONS),
            Some(VersionRange::new(0, 2))
        );
        assert_eq!(read.range(ApiKey::FETCH), None);
    }
}

#[test]
fn metadata_is_that_of_another_implementation() {
    let name = "orders.eu";
    let named = MetadataRequest {
        topics: MetadataTopics::Topics(vec![TopicName::from(name)]),
        authorized_operations: false,
    };
    let topics = |topics| {
        messages::MetadataRequest::default()
            .with_topics(topics)
            .with_allow_auto_topic_creation(false)
    };
    requests_are_equal(&named, |_| {
        topics(Some(vec![
            metadata_request::MetadataRequestTopic::default().with_name(Some(topic(name))),
        ]))
    });
    requests_are_equal(
        &MetadataRequest {
            topics: MetadataTopics::All,
            authorized_operations: true,
        },
        |version| {
            topics(None)
                .with_include_topic_authorized_operations(true)
                .with_include_cluster_authorized_operations(version <= 10)
        },
    );
    let none = MetadataRequest {
        topics: MetadataTopics::Topics(vec![]),
        authorized_operations: false,
    };
    requests_are_equal(&none, |_| topics(Some(vec![])));

    answers_are_equal::<MetadataRequest, _>(metadata_answer, metadata);
}

fn metadata_answer(version: i16) -> messages::MetadataResponse {
    let brokers = |nodes: &[i32]| nodes.iter().copied().map(BrokerId).collect::<Vec<_>>();
    let partition = metadata_response::MetadataResponsePartition::default()
        .with_error_code(9)
        .with_partition_index(1)
        .with_leader_id(BrokerId(3))
        .with_leader_epoch(17)
        .with_replica_nodes(brokers(&[3, 1, 2]))
        .with_isr_nodes(brokers(&[3, 1]))
        .with_offline_replicas(brokers(&[2]));
    let mut first = metadata_response::MetadataResponseTopic::default()
        .with_name(Some(topic("orders")))
        .with_is_internal(true)
        .with_topic_authorized_operations(5)
        .with_partitions(vec![partition]);
    let mut unknown = metadata_response::MetadataResponseTopic::default().with_error_code(3);
    if version >= 10 {
        first = first.with_topic_id(id());
    }
    if version < 12 {
        unknown = unknown.with_name(Some(topic("gone")));
    } else {
        unknown = unknown.with_name(None);
    }
    let mut broker = metadata_response::MetadataResponseBroker::default()
        .with_node_id(BrokerId(3))
        .with_host(text("broker-3.example"))
        .with_port(49092)
        .with_rack(Some(text("west-1a")));
    if version >= 9 {
        broker = broker.with_unknown_tagged_field(0, Bytes::from_static(b"later"));
        first = first.with_unknown_tagged_field(300, Bytes::from_static(&[0x5a; 200]));
    }
    let mut answer = messages::MetadataResponse::default()
        .with_throttle_time_ms(12)
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text("5L6g3nShT-eMCtK--X86sw")))
        .with_controller_id(BrokerId(1))
        .with_topics(vec![first, unknown]);
    if version >= 13 {
        answer = answer.with_error_code(129);
    }
    if version <= 10 {
        answer = answer.with_cluster_authorized_operations(6);
    }
    answer
}

fn metadata(version: i16) -> MetadataResponse {
    let nodes = |nodes: &[i32]| nodes.iter().copied().map(NodeId).collect();
    let orders = TopicMetadata {
        error: ErrorCode::NONE,
        name: Some(TopicName::from("orders")),
        id: if version >= 10 { ID } else { TopicId::ZERO },
        internal: true,
        partitions: vec![PartitionMetadata {
            error: ErrorCode(9),
            index: 1,
            leader: NodeId(3),
            leader_epoch: 17,
            replicas: nodes(&[3, 1, 2]),
            isr: nodes(&[3, 1]),
            offline: nodes(&[2]),
        }],
        authorized_operations: Some(AuthorizedOperations(5)),
    };
    let unknown = TopicMetadata {
        error: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        name: (version < 12).then(|| TopicName::from("gone")),
        id: TopicId::ZERO,
        internal: false,
        partitions: vec![],
        authorized_operations: None,
    };
    MetadataResponse {
        throttle_time_ms: 12,
        brokers: vec![broker(true)],
        cluster_id: Some("5L6g3nShT-eMCtK--X86sw".to_owned()),
        controller: NodeId(1),
        topics: vec![orders, unknown],
        authorized_operations: (version <= 10).then_some(AuthorizedOperations(6)),
        error: if version >= 13 {
            ErrorCode(129)
        } else {
            ErrorCode::NONE
        },
    }
}

#[test]
fn a_broker_with_an_impossible_port_is_refused() {
    let broker = metadata_response::MetadataResponseBroker::default().with_port(65_536);
    let answer = messages::MetadataResponse::default().with_brokers(vec![broker]);
    let error = MetadataRequest::decode(9, encode(&answer, 9)).expect_err("no such port");
    assert_eq!(error.problem, DecodeProblem::OutOfRange { value: 65_536 });
    assert_eq!(
        error.to_string(),
        "the Metadata answer (version 9) cannot be read at broker port: 65536 is out of range"
    );
}

#[test]
fn describe_cluster_is_that_of_another_implementation() {
    for authorized_operations in [false, true] {
        let request = DescribeClusterRequest {
            authorized_operations,
        };
        requests_are_equal(&request, |_| {
            messages::DescribeClusterRequest::default()
                .with_include_cluster_authorized_operations(authorized_operations)
        });
    }
    answers_are_equal::<DescribeClusterRequest, _>(
        |_| {
            let broker = describe_cluster_response::DescribeClusterBroker::default()
                .with_broker_id(BrokerId(3))
                .with_host(text("broker-3.example"))
                .with_port(49092)
                .with_rack(Some(text("west-1a")));
            messages::DescribeClusterResponse::default()
                .with_throttle_time_ms(12)
                .with_error_code(31)
                .with_error_message(Some(text("no")))
                .with_cluster_id(text("5L6g3nShT-eMCtK--X86sw"))
                .with_controller_id(BrokerId(2))
                .with_brokers(vec![broker])
                .with_cluster_authorized_operations(0x1ef8)
        },
        |_| DescribeClusterResponse {
            throttle_time_ms: 12,
            error: ErrorCode(31),
            error_message: Some("no".to_owned()),
            cluster_id: "5L6g3nShT-eMCtK--X86sw".to_owned(),
            controller: NodeId(2),
            brokers: vec![broker(true)],
            authorized_operations: Some(AuthorizedOperations(0x1ef8)),
        },
    );
}

#[test]
fn find_coordinator_is_that_of_another_implementation() {
    for (kind, code) in [
        (CoordinatorKind::Group, 0),
        (CoordinatorKind::Transaction, 1),
    ] {
        let request = FindCoordinatorRequest {
            kind,
            key: "link-1".to_owned(),
        };
        requests_are_equal(&request, |version| {
            let other = messages::FindCoordinatorRequest::default().with_key_type(code);
            if version >= 4 {
                other.with_coordinator_keys(vec![text("link-1")])
            } else {
                other.with_key(text("link-1"))
            }
        });
    }

    let check = |error, message: Option<&'static str>, found: Option<Broker>| {
        answers_are_equal::<FindCoordinatorRequest, _>(
            |version| {
                let (node, host, port) = match found {
                    Some(_) => (3, "broker-3.example", 49092),
                    None => (-1, "", -1),
                };
                coordinator_answer(version, (error, message), (BrokerId(node), host, port))
            },
            |_| FindCoordinatorResponse {
                throttle_time_ms: 12,
                error: ErrorCode(error),
                error_message: message.map(str::to_owned),
                coordinator: found.clone(),
            },
        );
    };
    check(0, None, Some(broker(false)));
    check(15, Some("not yet"), None);
}

fn coordinator_answer(
    version: i16,
    (error, message): (i16, Option<&'static str>),
    (node, host, port): (BrokerId, &'static str, i32),
) -> messages::FindCoordinatorResponse {
    let answer = messages::FindCoordinatorResponse::default().with_throttle_time_ms(12);
    if version >= 4 {
        let coordinator = find_coordinator_response::Coordinator::default()
            .with_key(text("link-1"))
            .with_node_id(node)
            .with_host(text(host))
            .with_port(port)
            .with_error_code(error)
            .with_error_message(message.map(text));
        return answer.with_coordinators(vec![coordinator]);
    }
    answer
        .with_error_code(error)
        .with_error_message(message.map(text))
        .with_node_id(node)
        .with_host(text(host))
        .with_port(port)
}

#[test]
fn a_coordinator_is_found_or_the_answer_is_refused() {
    for coordinators in [0, 2] {
        let answer = messages::FindCoordinatorResponse::default().with_coordinators(
            vec![find_coordinator_response::Coordinator::default(); coordinators],
        );
        FindCoordinatorRequest::decode(4, encode(&answer, 4)).expect_err("one was asked for");
    }
}
