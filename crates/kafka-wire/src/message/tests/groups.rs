//! OffsetFetch, OffsetCommit, OffsetDelete, ListGroups, DescribeGroups, DeleteGroups.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{self, GroupId};
use kafka_protocol::messages::{
    delete_groups_response, describe_groups_response, list_groups_response, offset_commit_request,
    offset_commit_response, offset_delete_request, offset_delete_response, offset_fetch_request,
    offset_fetch_response,
};

use super::compare::{answers_are_equal, requests_are_equal, text, topic};
use crate::error_code::{ErrorClass, ErrorCode};
use crate::message::acl::AclOperation;
use crate::message::delete_groups::{DeleteGroupsRequest, DeleteGroupsResponse};
use crate::message::describe_groups::{
    DescribeGroupsRequest, DescribeGroupsResponse, DescribedGroup, DescribedMember,
};
use crate::message::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup};
use crate::message::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use crate::message::offset_delete::{OffsetDeleteRequest, OffsetDeleteResponse};
use crate::message::offset_fetch::{
    FetchedOffset, GroupOffsets, GroupOffsetsQuery, OffsetFetchRequest, OffsetFetchResponse,
};
use crate::message::{
    AuthorizedOperations, ByTopic, CommittedOffset, EncodeProblem, Membership, PartitionOutcome,
    Request, VersionRange,
};
use crate::types::TopicName;

fn group(name: &'static str) -> GroupId {
    GroupId(text(name))
}

/// Milliseconds of throttling in versions that say them.
fn throttle(version: i16, since: i16) -> i32 {
    if version >= since { 12 } else { 0 }
}

fn query(name: &str, topics: Option<ByTopic<i32>>) -> GroupOffsetsQuery {
    GroupOffsetsQuery {
        group: name.to_owned(),
        topics,
    }
}

fn orders() -> ByTopic<i32> {
    vec![(TopicName::from("orders"), vec![0, 4])]
}

/// The request of kafka-protocol about `groups`, in the form of the version.
fn other_query(
    version: i16,
    groups: &[(&'static str, bool)],
    require_stable: bool,
) -> messages::OffsetFetchRequest {
    let other = messages::OffsetFetchRequest::default().with_require_stable(require_stable);
    if version >= 8 {
        let groups = groups.iter().map(|(name, some)| {
            let topic = offset_fetch_request::OffsetFetchRequestTopics::default()
                .with_name(topic("orders"))
                .with_partition_indexes(vec![0, 4]);
            offset_fetch_request::OffsetFetchRequestGroup::default()
                .with_group_id(group(name))
                .with_member_id(None)
                .with_topics(some.then(|| vec![topic]))
        });
        return other.with_groups(groups.collect());
    }
    let [(name, some)] = groups else {
        panic!("one group below version 8")
    };
    let topic = offset_fetch_request::OffsetFetchRequestTopic::default()
        .with_name(topic("orders"))
        .with_partition_indexes(vec![0, 4]);
    other
        .with_group_id(group(name))
        .with_topics(some.then(|| vec![topic]))
}

#[test]
fn offset_fetch_is_that_of_another_implementation() {
    let one = OffsetFetchRequest {
        groups: vec![query("readers", Some(orders()))],
        require_stable: false,
    };
    requests_are_equal(&one, |version| {
        other_query(version, &[("readers", true)], false)
    });
    let all = OffsetFetchRequest {
        groups: vec![query("readers", None)],
        require_stable: false,
    };
    requests_are_equal(&all, |version| {
        other_query(version, &[("readers", false)], false)
    });
    let stable = OffsetFetchRequest {
        require_stable: true,
        ..one
    };
    requests_are_equal(&stable, |version| {
        other_query(version, &[("readers", true)], true)
    });
    let several = OffsetFetchRequest {
        groups: vec![query("readers", Some(orders())), query("writers", None)],
        require_stable: true,
    };
    requests_are_equal(&several, |version| {
        other_query(version, &[("readers", true), ("writers", false)], true)
    });
    answers_are_equal::<OffsetFetchRequest, _>(fetched_by_another, fetched);
}

fn fetched_by_another(version: i16) -> messages::OffsetFetchResponse {
    let answer =
        messages::OffsetFetchResponse::default().with_throttle_time_ms(throttle(version, 3));
    if version < 8 {
        let offset = |partition, offset, metadata: Option<_>, error| {
            offset_fetch_response::OffsetFetchResponsePartition::default()
                .with_partition_index(partition)
                .with_committed_offset(offset)
                .with_committed_leader_epoch(if version >= 5 { 17 } else { -1 })
                .with_metadata(metadata.map(text))
                .with_error_code(error)
        };
        let topic = offset_fetch_response::OffsetFetchResponseTopic::default()
            .with_name(topic("orders"))
            .with_partitions(vec![
                offset(0, 99, Some("half"), 0),
                offset(4, -1, None, 88),
            ]);
        return answer
            .with_topics(vec![topic])
            .with_error_code(if version >= 2 { 16 } else { 0 });
    }
    let offset = |partition, offset, metadata: Option<_>, error| {
        offset_fetch_response::OffsetFetchResponsePartitions::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_leader_epoch(17)
            .with_metadata(metadata.map(text))
            .with_error_code(error)
    };
    let topic = offset_fetch_response::OffsetFetchResponseTopics::default()
        .with_name(topic("orders"))
        .with_partitions(vec![
            offset(0, 99, Some("half"), 0),
            offset(4, -1, None, 88),
        ]);
    let readers = offset_fetch_response::OffsetFetchResponseGroup::default()
        .with_group_id(group("readers"))
        .with_topics(vec![topic])
        .with_error_code(16);
    let writers =
        offset_fetch_response::OffsetFetchResponseGroup::default().with_group_id(group("writers"));
    answer.with_groups(vec![readers, writers])
}

fn fetched(version: i16) -> OffsetFetchResponse {
    let offset = |partition, offset, metadata: Option<&str>, error| FetchedOffset {
        partition,
        offset,
        leader_epoch: if version >= 5 { 17 } else { -1 },
        metadata: metadata.map(str::to_owned),
        error: ErrorCode(error),
    };
    let readers = GroupOffsets {
        group: (version >= 8).then(|| "readers".to_owned()),
        error: if version >= 2 {
            ErrorCode::NOT_COORDINATOR
        } else {
            ErrorCode::NONE
        },
        topics: vec![(
            TopicName::from("orders"),
            vec![offset(0, 99, Some("half"), 0), offset(4, -1, None, 88)],
        )],
    };
    let writers = GroupOffsets {
        group: Some("writers".to_owned()),
        error: ErrorCode::NONE,
        topics: vec![],
    };
    OffsetFetchResponse {
        throttle_time_ms: throttle(version, 3),
        groups: if version >= 8 {
            vec![readers, writers]
        } else {
            vec![readers]
        },
    }
}

#[test]
fn what_a_version_cannot_ask_of_groups_is_not_left_out() {
    let check = |groups, require_stable, since| {
        let request = OffsetFetchRequest {
            groups,
            require_stable,
        };
        assert_eq!(request.versions(), VersionRange::new(since, 9));
        let error = request
            .encode(since - 1, &mut BytesMut::new())
            .expect_err("cannot ask it");
        assert_eq!(error.problem, EncodeProblem::NeedsVersion { since });
    };
    let some = || query("readers", Some(orders()));
    check(vec![query("readers", None)], false, 2);
    check(vec![some()], true, 7);
    check(vec![some(), some()], false, 8);
    check(vec![], false, 8);

    for (states, kinds, since) in [(vec!["Stable"], vec![], 4), (vec![], vec!["classic"], 5)] {
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let request = ListGroupsRequest {
            states: owned(states),
            kinds: owned(kinds),
        };
        assert_eq!(request.versions(), VersionRange::new(since, 5));
        let error = request
            .encode(since - 1, &mut BytesMut::new())
            .expect_err("cannot filter");
        assert_eq!(error.problem, EncodeProblem::NeedsVersion { since });
    }
}

#[test]
fn offset_commit_is_that_of_another_implementation() {
    let committed = |partition, leader_epoch, metadata: Option<&str>| CommittedOffset {
        partition,
        offset: 1 << 40,
        leader_epoch,
        metadata: metadata.map(str::to_owned),
    };
    let outside = OffsetCommitRequest {
        group: "readers".to_owned(),
        member: Membership::NONE,
        topics: vec![(
            TopicName::from("orders"),
            vec![committed(0, 17, Some("half")), committed(4, -1, None)],
        )],
    };
    let other = |version| {
        let committed = |partition, epoch, metadata: Option<_>| {
            offset_commit_request::OffsetCommitRequestPartition::default()
                .with_partition_index(partition)
                .with_committed_offset(1 << 40)
                .with_committed_leader_epoch(if version >= 6 { epoch } else { -1 })
                .with_committed_metadata(metadata.map(text))
        };
        let topic = offset_commit_request::OffsetCommitRequestTopic::default()
            .with_name(topic("orders"))
            .with_partitions(vec![committed(0, 17, Some("half")), committed(4, -1, None)]);
        messages::OffsetCommitRequest::default()
            .with_group_id(group("readers"))
            .with_topics(vec![topic])
    };
    requests_are_equal(&outside, other);
    let inside = OffsetCommitRequest {
        member: Membership {
            generation: 5,
            member_id: "reader-1".to_owned(),
            instance_id: Some("shelf-1".to_owned()),
        },
        ..outside
    };
    requests_are_equal(&inside, |version| {
        other(version)
            .with_generation_id_or_member_epoch(5)
            .with_member_id(text("reader-1"))
            .with_group_instance_id(Some(text("shelf-1")))
    });
    answers_are_equal::<OffsetCommitRequest, _>(
        |version| {
            let outcome = offset_commit_response::OffsetCommitResponsePartition::default()
                .with_partition_index(4)
                .with_error_code(25);
            let topic = offset_commit_response::OffsetCommitResponseTopic::default()
                .with_name(topic("orders"))
                .with_partitions(vec![outcome]);
            messages::OffsetCommitResponse::default()
                .with_throttle_time_ms(throttle(version, 3))
                .with_topics(vec![topic])
        },
        |version| OffsetCommitResponse {
            throttle_time_ms: throttle(version, 3),
            topics: vec![(
                TopicName::from("orders"),
                vec![PartitionOutcome {
                    partition: 4,
                    error: ErrorCode::UNKNOWN_MEMBER_ID,
                }],
            )],
        },
    );
}

#[test]
fn offset_delete_is_that_of_another_implementation() {
    let request = OffsetDeleteRequest {
        group: "readers".to_owned(),
        topics: orders(),
    };
    requests_are_equal(&request, |_| {
        let partition = |index| {
            offset_delete_request::OffsetDeleteRequestPartition::default()
                .with_partition_index(index)
        };
        let topic = offset_delete_request::OffsetDeleteRequestTopic::default()
            .with_name(topic("orders"))
            .with_partitions(vec![partition(0), partition(4)]);
        messages::OffsetDeleteRequest::default()
            .with_group_id(group("readers"))
            .with_topics(vec![topic])
    });
    answers_are_equal::<OffsetDeleteRequest, _>(
        |_| {
            let outcome = offset_delete_response::OffsetDeleteResponsePartition::default()
                .with_partition_index(4)
                .with_error_code(86);
            let topic = offset_delete_response::OffsetDeleteResponseTopic::default()
                .with_name(topic("orders"))
                .with_partitions(vec![outcome]);
            messages::OffsetDeleteResponse::default()
                .with_error_code(68)
                .with_throttle_time_ms(12)
                .with_topics(vec![topic])
        },
        |_| OffsetDeleteResponse {
            error: ErrorCode::NON_EMPTY_GROUP,
            throttle_time_ms: 12,
            topics: vec![(
                TopicName::from("orders"),
                vec![PartitionOutcome {
                    partition: 4,
                    error: ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
                }],
            )],
        },
    );
}

#[test]
fn list_groups_is_that_of_another_implementation() {
    requests_are_equal(&ListGroupsRequest::default(), |_| {
        messages::ListGroupsRequest::default()
    });
    let some = ListGroupsRequest {
        states: vec!["Empty".to_owned(), "Stable".to_owned()],
        kinds: vec!["classic".to_owned()],
    };
    requests_are_equal(&some, |_| {
        messages::ListGroupsRequest::default()
            .with_states_filter(vec![text("Empty"), text("Stable")])
            .with_types_filter(vec![text("classic")])
    });
    answers_are_equal::<ListGroupsRequest, _>(
        |version| {
            let mut listed = list_groups_response::ListedGroup::default()
                .with_group_id(group("readers"))
                .with_protocol_type(text("consumer"));
            if version >= 4 {
                listed = listed.with_group_state(text("Stable"));
            }
            if version >= 5 {
                listed = listed.with_group_type(text("classic"));
            }
            messages::ListGroupsResponse::default()
                .with_throttle_time_ms(throttle(version, 1))
                .with_error_code(14)
                .with_groups(vec![listed])
        },
        |version| ListGroupsResponse {
            throttle_time_ms: throttle(version, 1),
            error: ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            groups: vec![ListedGroup {
                group: "readers".to_owned(),
                protocol_type: "consumer".to_owned(),
                state: (version >= 4).then(|| "Stable".to_owned()),
                kind: (version >= 5).then(|| "classic".to_owned()),
            }],
        },
    );
}

#[test]
fn describe_groups_is_that_of_another_implementation() {
    for authorized_operations in [false, true] {
        let request = DescribeGroupsRequest {
            groups: vec!["readers".to_owned(), "writers".to_owned()],
            authorized_operations,
        };
        requests_are_equal(&request, |_| {
            messages::DescribeGroupsRequest::default()
                .with_groups(vec![group("readers"), group("writers")])
                .with_include_authorized_operations(authorized_operations)
        });
    }
    answers_are_equal::<DescribeGroupsRequest, _>(described_by_another, described);
}

fn described_by_another(version: i16) -> messages::DescribeGroupsResponse {
    let member = describe_groups_response::DescribedGroupMember::default()
        .with_member_id(text("reader-1"))
        .with_group_instance_id((version >= 4).then(|| text("shelf-1")))
        .with_client_id(text("app"))
        .with_client_host(text("/10.0.0.1"))
        .with_member_metadata(Bytes::from_static(b"\0\x01any"))
        .with_member_assignment(Bytes::from_static(b"all"));
    let mut readers = describe_groups_response::DescribedGroup::default()
        .with_group_id(group("readers"))
        .with_group_state(text("Stable"))
        .with_protocol_type(text("consumer"))
        .with_protocol_data(text("range"))
        .with_members(vec![member]);
    if version >= 3 {
        readers = readers.with_authorized_operations(0b1000_1000);
    }
    let mut unknown = describe_groups_response::DescribedGroup::default()
        .with_group_id(group("writers"))
        .with_error_code(69)
        .with_group_state(text("Dead"));
    if version >= 6 {
        unknown = unknown.with_error_message(Some(text("no such group")));
    }
    messages::DescribeGroupsResponse::default()
        .with_throttle_time_ms(throttle(version, 1))
        .with_groups(vec![readers, unknown])
}

fn described(version: i16) -> DescribeGroupsResponse {
    let member = DescribedMember {
        member_id: "reader-1".to_owned(),
        instance_id: (version >= 4).then(|| "shelf-1".to_owned()),
        client_id: "app".to_owned(),
        client_host: "/10.0.0.1".to_owned(),
        metadata: Bytes::from_static(b"\0\x01any"),
        assignment: Bytes::from_static(b"all"),
    };
    let readers = DescribedGroup {
        error: ErrorCode::NONE,
        error_message: None,
        group: "readers".to_owned(),
        state: "Stable".to_owned(),
        protocol_type: "consumer".to_owned(),
        protocol: "range".to_owned(),
        members: vec![member],
        authorized_operations: (version >= 3).then_some(AuthorizedOperations(0b1000_1000)),
    };
    let unknown = DescribedGroup {
        error: ErrorCode::GROUP_ID_NOT_FOUND,
        error_message: (version >= 6).then(|| "no such group".to_owned()),
        group: "writers".to_owned(),
        state: "Dead".to_owned(),
        protocol_type: String::new(),
        protocol: String::new(),
        members: vec![],
        authorized_operations: None,
    };
    DescribeGroupsResponse {
        throttle_time_ms: throttle(version, 1),
        groups: vec![readers, unknown],
    }
}

#[test]
fn delete_groups_is_that_of_another_implementation() {
    let request = DeleteGroupsRequest {
        groups: vec!["readers".to_owned()],
    };
    requests_are_equal(&request, |_| {
        messages::DeleteGroupsRequest::default().with_groups_names(vec![group("readers")])
    });
    answers_are_equal::<DeleteGroupsRequest, _>(
        |_| {
            let result = delete_groups_response::DeletableGroupResult::default()
                .with_group_id(group("readers"))
                .with_error_code(68);
            messages::DeleteGroupsResponse::default()
                .with_throttle_time_ms(12)
                .with_results(vec![result])
        },
        |_| DeleteGroupsResponse {
            throttle_time_ms: 12,
            groups: vec![("readers".to_owned(), ErrorCode::NON_EMPTY_GROUP)],
        },
    );
}

#[test]
fn an_operation_is_allowed_where_its_bit_is_set() {
    let operations = AuthorizedOperations(1 << 3 | 1 << 8);
    for operation in AclOperation::KNOWN {
        let expected = matches!(operation, AclOperation::Read | AclOperation::Describe);
        assert_eq!(operations.allows(*operation), expected, "{operation}");
    }
    for code in [-128, -1, 0, 31, 32, 77, 127] {
        assert!(!operations.allows(AclOperation::Other(code)), "{code}");
    }
    assert_eq!(format!("{operations:?}"), r#"{"READ", "DESCRIBE"}"#);
}

#[test]
fn what_an_answer_about_groups_can_bring_is_classified() {
    for (code, class) in [
        (ErrorCode::UNSTABLE_OFFSET_COMMIT, ErrorClass::Retriable),
        (ErrorCode::OFFSET_METADATA_TOO_LARGE, ErrorClass::Fatal),
        (ErrorCode::INVALID_COMMIT_OFFSET_SIZE, ErrorClass::Fatal),
        (ErrorCode::NON_EMPTY_GROUP, ErrorClass::Fatal),
        (ErrorCode::GROUP_ID_NOT_FOUND, ErrorClass::Fatal),
        (ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC, ErrorClass::Fatal),
        (ErrorCode::STALE_MEMBER_EPOCH, ErrorClass::Rejoin),
        (ErrorCode::FENCED_MEMBER_EPOCH, ErrorClass::Rejoin),
    ] {
        assert_eq!(code.class(), class, "{code}");
    }
}
