//! CreateTopics, CreatePartitions, DeleteTopics, DescribeConfigs, IncrementalAlterConfigs.

use bytes::BytesMut;
use kafka_protocol::messages;
use kafka_protocol::messages::{
    create_partitions_request, create_partitions_response, create_topics_request,
    create_topics_response, delete_topics_request, delete_topics_response,
    describe_configs_request, describe_configs_response, incremental_alter_configs_request,
    incremental_alter_configs_response,
};

use super::compare::{ID, answers_are_equal, id, requests_are_equal, text, topic};
use crate::error_code::ErrorCode;
use crate::message::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, GrownTopic,
};
use crate::message::create_topics::{
    CreateTopicsRequest, CreateTopicsResponse, CreatedTopic, NewTopic,
};
use crate::message::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse, DeletedTopic};
use crate::message::describe_configs::{
    ConfigEntry, ConfigQuery, ConfigSource, DescribeConfigsRequest, DescribeConfigsResponse,
    DescribedResource, ResourceKind,
};
use crate::message::incremental_alter_configs::{
    AlteredResource, ConfigChange, ConfigOperation, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, ResourceChange,
};
use crate::message::{EncodeProblem, Request};
use crate::types::{TopicId, TopicName};

#[test]
fn create_topics_is_that_of_another_implementation() {
    let request = CreateTopicsRequest {
        topics: vec![NewTopic {
            name: TopicName::from("west.orders"),
            partitions: 12,
            replication_factor: -1,
            configs: vec![
                (
                    "cleanup.policy".to_owned(),
                    Some("compact,delete".to_owned()),
                ),
                ("retention.ms".to_owned(), None),
            ],
        }],
        timeout_ms: 9_000,
        validate_only: true,
    };
    requests_are_equal(&request, |_| {
        let config = |name, value: Option<_>| {
            create_topics_request::CreatableTopicConfig::default()
                .with_name(text(name))
                .with_value(value.map(text))
        };
        let created = create_topics_request::CreatableTopic::default()
            .with_name(topic("west.orders"))
            .with_num_partitions(12)
            .with_replication_factor(-1)
            .with_configs(vec![
                config("cleanup.policy", Some("compact,delete")),
                config("retention.ms", None),
            ]);
        messages::CreateTopicsRequest::default()
            .with_topics(vec![created])
            .with_timeout_ms(9_000)
            .with_validate_only(true)
    });

    answers_are_equal::<CreateTopicsRequest, _>(created_answer, |version| {
        let created = CreatedTopic {
            name: TopicName::from("west.orders"),
            id: if version >= 7 { ID } else { TopicId::ZERO },
            error: ErrorCode(40),
            error_message: Some("no such key".to_owned()),
            partitions: if version >= 5 { 12 } else { -1 },
            replication_factor: if version >= 5 { 3 } else { -1 },
        };
        CreateTopicsResponse {
            throttle_time_ms: 12,
            topics: vec![created],
        }
    });
}

fn created_answer(version: i16) -> messages::CreateTopicsResponse {
    let mut created = create_topics_response::CreatableTopicResult::default()
        .with_name(topic("west.orders"))
        .with_error_code(40)
        .with_error_message(Some(text("no such key")));
    if version >= 7 {
        created = created.with_topic_id(id());
    }
    if version >= 5 {
        let config = create_topics_response::CreatableTopicConfigs::default()
            .with_name(text("cleanup.policy"))
            .with_value(None)
            .with_config_source(1);
        created = created
            .with_num_partitions(12)
            .with_replication_factor(3)
            .with_topic_config_error_code(29)
            .with_configs(Some(vec![config]));
    }
    messages::CreateTopicsResponse::default()
        .with_throttle_time_ms(12)
        .with_topics(vec![created])
}

#[test]
fn create_partitions_is_that_of_another_implementation() {
    let request = CreatePartitionsRequest {
        topics: vec![(TopicName::from("orders"), 24)],
        timeout_ms: 9_000,
        validate_only: false,
    };
    requests_are_equal(&request, |_| {
        messages::CreatePartitionsRequest::default()
            .with_timeout_ms(9_000)
            .with_topics(vec![
                create_partitions_request::CreatePartitionsTopic::default()
                    .with_name(topic("orders"))
                    .with_count(24)
                    .with_assignments(None),
            ])
    });
    answers_are_equal::<CreatePartitionsRequest, _>(
        |_| {
            messages::CreatePartitionsResponse::default()
                .with_throttle_time_ms(12)
                .with_results(vec![
                    create_partitions_response::CreatePartitionsTopicResult::default()
                        .with_name(topic("orders"))
                        .with_error_code(37)
                        .with_error_message(Some(text("it has more"))),
                ])
        },
        |_| CreatePartitionsResponse {
            throttle_time_ms: 12,
            topics: vec![GrownTopic {
                name: TopicName::from("orders"),
                error: ErrorCode(37),
                error_message: Some("it has more".to_owned()),
            }],
        },
    );
}

#[test]
fn delete_topics_is_that_of_another_implementation() {
    let request = DeleteTopicsRequest {
        topics: vec![TopicName::from("orders"), TopicName::from("payments")],
        timeout_ms: 9_000,
    };
    requests_are_equal(&request, |version| {
        let other = messages::DeleteTopicsRequest::default().with_timeout_ms(9_000);
        let names = ["orders", "payments"];
        if version < 6 {
            return other.with_topic_names(names.map(topic).to_vec());
        }
        let state =
            |name| delete_topics_request::DeleteTopicState::default().with_name(Some(topic(name)));
        other.with_topics(names.map(state).to_vec())
    });
    answers_are_equal::<DeleteTopicsRequest, _>(
        |version| {
            let mut deleted = delete_topics_response::DeletableTopicResult::default()
                .with_name(Some(topic("orders")))
                .with_error_code(73);
            if version >= 5 {
                deleted = deleted.with_error_message(Some(text("switched off")));
            }
            if version >= 6 {
                deleted = deleted.with_topic_id(id());
            }
            messages::DeleteTopicsResponse::default()
                .with_throttle_time_ms(12)
                .with_responses(vec![deleted])
        },
        |version| DeleteTopicsResponse {
            throttle_time_ms: 12,
            topics: vec![DeletedTopic {
                name: Some(TopicName::from("orders")),
                id: if version >= 6 { ID } else { TopicId::ZERO },
                error: ErrorCode(73),
                error_message: (version >= 5).then(|| "switched off".to_owned()),
            }],
        },
    );
}

#[test]
fn describe_configs_is_that_of_another_implementation() {
    let query = |kind, name: &str, keys| ConfigQuery {
        kind,
        name: name.to_owned(),
        keys,
    };
    let request = DescribeConfigsRequest {
        resources: vec![
            query(ResourceKind::Topic, "orders", None),
            query(
                ResourceKind::Broker,
                "3",
                Some(vec!["message.max.bytes".to_owned()]),
            ),
        ],
    };
    requests_are_equal(&request, |_| {
        let resource = |kind, name, keys| {
            describe_configs_request::DescribeConfigsResource::default()
                .with_resource_type(kind)
                .with_resource_name(text(name))
                .with_configuration_keys(keys)
        };
        messages::DescribeConfigsRequest::default().with_resources(vec![
            resource(2, "orders", None),
            resource(4, "3", Some(vec![text("message.max.bytes")])),
        ])
    });

    answers_are_equal::<DescribeConfigsRequest, _>(described_answer, |version| {
        let entry = |name: &str, value: Option<&str>, source, sensitive| ConfigEntry {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            source,
            read_only: sensitive,
            sensitive,
            list: version >= 3 && name == "cleanup.policy",
        };
        DescribeConfigsResponse {
            throttle_time_ms: 12,
            resources: vec![DescribedResource {
                error: ErrorCode(29),
                error_message: Some("no".to_owned()),
                kind: ResourceKind::Topic,
                name: "orders".to_owned(),
                entries: vec![
                    entry(
                        "cleanup.policy",
                        Some("compact"),
                        ConfigSource::Topic,
                        false,
                    ),
                    entry("ssl.key", None, ConfigSource::BrokerFile, true),
                    entry("new.key", Some(""), ConfigSource::Other(9), false),
                ],
            }],
        }
    });
}

fn described_answer(version: i16) -> messages::DescribeConfigsResponse {
    let entry = |name, value: Option<_>, source, sensitive| {
        let synonym = describe_configs_response::DescribeConfigsSynonym::default()
            .with_name(text("log.cleanup.policy"))
            .with_value(Some(text("delete")))
            .with_source(5);
        let entry = describe_configs_response::DescribeConfigsResourceResult::default()
            .with_name(text(name))
            .with_value(value.map(text))
            .with_config_source(source)
            .with_read_only(sensitive)
            .with_is_sensitive(sensitive)
            .with_synonyms(vec![synonym]);
        if version >= 3 {
            entry
                .with_config_type(if name == "cleanup.policy" { 7 } else { 2 })
                .with_documentation(Some(text("what it does")))
        } else {
            entry
        }
    };
    let resource = describe_configs_response::DescribeConfigsResult::default()
        .with_error_code(29)
        .with_error_message(Some(text("no")))
        .with_resource_type(2)
        .with_resource_name(text("orders"))
        .with_configs(vec![
            entry("cleanup.policy", Some("compact"), 1, false),
            entry("ssl.key", None, 4, true),
            entry("new.key", Some(""), 9, false),
        ]);
    messages::DescribeConfigsResponse::default()
        .with_throttle_time_ms(12)
        .with_results(vec![resource])
}

#[test]
fn incremental_alter_configs_is_that_of_another_implementation() {
    let operations = [
        (ConfigOperation::Set("1000".to_owned()), 0, Some("1000")),
        (ConfigOperation::Delete, 1, None),
        (
            ConfigOperation::Append("compact".to_owned()),
            2,
            Some("compact"),
        ),
        (
            ConfigOperation::Subtract("delete".to_owned()),
            3,
            Some("delete"),
        ),
    ];
    for (operation, code, value) in operations {
        let request = IncrementalAlterConfigsRequest {
            resources: vec![ResourceChange {
                kind: ResourceKind::Topic,
                name: "orders".to_owned(),
                changes: vec![ConfigChange {
                    name: "key".to_owned(),
                    operation,
                }],
            }],
            validate_only: true,
        };
        requests_are_equal(&request, |_| {
            let config = incremental_alter_configs_request::AlterableConfig::default()
                .with_name(text("key"))
                .with_config_operation(code)
                .with_value(value.map(text));
            let resource = incremental_alter_configs_request::AlterConfigsResource::default()
                .with_resource_type(2)
                .with_resource_name(text("orders"))
                .with_configs(vec![config]);
            messages::IncrementalAlterConfigsRequest::default()
                .with_resources(vec![resource])
                .with_validate_only(true)
        });
    }
    answers_are_equal::<IncrementalAlterConfigsRequest, _>(
        |_| {
            let resource =
                incremental_alter_configs_response::AlterConfigsResourceResponse::default()
                    .with_error_code(40)
                    .with_error_message(Some(text("no such key")))
                    .with_resource_type(4)
                    .with_resource_name(text("3"));
            messages::IncrementalAlterConfigsResponse::default()
                .with_throttle_time_ms(12)
                .with_responses(vec![resource])
        },
        |_| IncrementalAlterConfigsResponse {
            throttle_time_ms: 12,
            resources: vec![AlteredResource {
                error: ErrorCode(40),
                error_message: Some("no such key".to_owned()),
                kind: ResourceKind::Broker,
                name: "3".to_owned(),
            }],
        },
    );
}

#[test]
fn a_name_that_is_too_long_is_refused_in_every_version() {
    let request = DeleteTopicsRequest {
        topics: vec![TopicName::from("x".repeat(32_768))],
        timeout_ms: 9_000,
    };
    for version in 3..=6 {
        let error = request
            .encode(version, &mut BytesMut::new())
            .expect_err("too long");
        assert_eq!(error.problem, EncodeProblem::TooLong { length: 32_768 });
        assert_eq!(error.what, "topic name");
    }
}
