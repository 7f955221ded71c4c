//! Answers about groups, and to a member of one.

use bytes::Bytes;

use super::read;
use crate::error_code::ErrorCode;
use crate::message::acl::AclOperation;
use crate::message::delete_groups::DeleteGroupsRequest;
use crate::message::describe_groups::DescribeGroupsRequest;
use crate::message::heartbeat::HeartbeatRequest;
use crate::message::join_group::JoinGroupRequest;
use crate::message::leave_group::LeaveGroupRequest;
use crate::message::list_groups::ListGroupsRequest;
use crate::message::offset_commit::OffsetCommitRequest;
use crate::message::offset_delete::OffsetDeleteRequest;
use crate::message::offset_fetch::OffsetFetchRequest;
use crate::message::sync_group::SyncGroupRequest;
use crate::message::{ByTopic, PartitionOutcome};
use crate::types::TopicName;

const NONE: ErrorCode = ErrorCode::NONE;

#[test]
fn what_a_real_broker_says_to_a_member_is_read() {
    let first = captured!(JoinGroupRequest, "JoinGroup_first", 9);
    assert_eq!(
        (first.error, first.generation),
        (ErrorCode::MEMBER_ID_REQUIRED, -1)
    );
    let old = captured!(JoinGroupRequest, "JoinGroup", 0);
    let new = captured!(JoinGroupRequest, "JoinGroup", 9);
    assert_eq!(new.member_id, first.member_id);
    for joined in [&old, &new] {
        assert_eq!((joined.error, joined.generation), (NONE, 1));
        assert_eq!(joined.protocol.as_deref(), Some("compatible"));
        assert_eq!(joined.leader, joined.member_id);
        let [member] = &joined.members[..] else {
            panic!("one member: {joined:?}")
        };
        assert_eq!(member.member_id, joined.member_id);
        assert_eq!(member.metadata, "metadata");
    }
    assert_eq!(
        (old.protocol_type, new.protocol_type.as_deref()),
        (None, Some("connect"))
    );

    let old = captured!(SyncGroupRequest, "SyncGroup", 0);
    let new = captured!(SyncGroupRequest, "SyncGroup", 5);
    for synced in [&old, &new] {
        assert_eq!(
            (synced.error, &synced.assignment),
            (NONE, &Bytes::from_static(b"assignment"))
        );
    }
    assert_eq!(new.protocol.as_deref(), Some("compatible"));

    let old = captured!(HeartbeatRequest, "Heartbeat", 0);
    let new = captured!(HeartbeatRequest, "Heartbeat", 4);
    assert_eq!((old.error, new.error), (NONE, NONE));

    let old = captured!(LeaveGroupRequest, "LeaveGroup", 0);
    let new = captured!(LeaveGroupRequest, "LeaveGroup", 5);
    assert_eq!((old.error, old.members), (NONE, vec![]));
    let errors: Vec<_> = new.members.iter().map(|member| member.error).collect();
    assert_eq!(errors, [NONE, ErrorCode::UNKNOWN_MEMBER_ID]);
}

fn outcomes() -> ByTopic<PartitionOutcome> {
    let outcome = |partition, error| PartitionOutcome { partition, error };
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    vec![(
        TopicName::from("orders"),
        vec![outcome(9, unknown), outcome(0, NONE)],
    )]
}

#[test]
fn what_a_real_broker_says_of_committed_offsets_is_read() {
    let old = captured!(OffsetCommitRequest, "OffsetCommit", 2);
    let new = captured!(OffsetCommitRequest, "OffsetCommit", 9);
    assert_eq!(old, new);
    assert_eq!(new.topics, outcomes());

    let old = captured!(OffsetFetchRequest, "OffsetFetch", 1);
    let new = captured!(OffsetFetchRequest, "OffsetFetch", 9);
    let offsets = |group: &crate::message::offset_fetch::GroupOffsets| {
        let [(name, partitions)] = &group.topics[..] else {
            panic!("one topic: {group:?}")
        };
        assert_eq!((name.as_str(), group.error), ("orders", NONE));
        partitions
            .iter()
            .map(|p| (p.partition, p.offset, p.leader_epoch, p.metadata.clone()))
            .collect::<Vec<_>>()
    };
    let [workers] = &old.groups[..] else {
        panic!("one group: {old:?}")
    };
    let half = || Some("half".to_owned());
    let empty = || Some(String::new());
    assert_eq!(offsets(workers), [(0, 7, -1, half()), (1, -1, -1, empty())]);
    let [workers, readers] = &new.groups[..] else {
        panic!("two groups: {new:?}")
    };
    assert_eq!(offsets(workers), [(0, 7, 0, half()), (1, -1, -1, empty())]);
    assert_eq!(offsets(readers), [(0, 5, 0, half())]);
    assert_eq!(
        (workers.group.as_deref(), readers.group.as_deref()),
        (Some("workers-new"), Some("readers"))
    );

    let deleted = captured!(OffsetDeleteRequest, "OffsetDelete", 0);
    assert_eq!((deleted.error, deleted.topics), (NONE, outcomes()));
}

#[test]
fn what_a_real_broker_says_of_groups_is_read() {
    let old = captured!(ListGroupsRequest, "ListGroups", 0);
    let new = captured!(ListGroupsRequest, "ListGroups", 5);
    let names: Vec<_> = old
        .groups
        .iter()
        .map(|group| (group.group.as_str(), group.protocol_type.as_str()))
        .collect();
    assert_eq!(names, [("workers-old", "connect"), ("readers", "")]);
    let [group] = &new.groups[..] else {
        panic!("one stable group: {new:?}")
    };
    assert_eq!(
        (group.state.as_deref(), group.kind.as_deref()),
        (Some("Stable"), Some("classic"))
    );

    let old = captured!(DescribeGroupsRequest, "DescribeGroups", 0);
    let new = captured!(DescribeGroupsRequest, "DescribeGroups", 6);
    for answer in [&old, &new] {
        let [workers, nowhere] = &answer.groups[..] else {
            panic!("two groups: {answer:?}")
        };
        assert_eq!(
            (workers.state.as_str(), workers.protocol.as_str()),
            ("Stable", "compatible")
        );
        let [member] = &workers.members[..] else {
            panic!("one member: {workers:?}")
        };
        assert_eq!(
            (member.client_id.as_str(), member.client_host.as_str()),
            ("golden", "/127.0.0.1")
        );
        assert_eq!(member.metadata, "metadata");
        assert_eq!(member.assignment, "assignment");
        assert_eq!((nowhere.state.as_str(), nowhere.members.len()), ("Dead", 0));
    }
    let allowed = new.groups[0].authorized_operations.expect("asked for");
    assert!(allowed.allows(AclOperation::Read) && !allowed.allows(AclOperation::Alter));
    assert_eq!(old.groups[1].error, NONE);
    assert_eq!(new.groups[1].error, ErrorCode::GROUP_ID_NOT_FOUND);
    assert_eq!(
        new.groups[1].error_message.as_deref(),
        Some("Group nowhere not found.")
    );

    for (answer, workers) in [
        (
            captured!(DeleteGroupsRequest, "DeleteGroups", 0),
            "workers-old",
        ),
        (
            captured!(DeleteGroupsRequest, "DeleteGroups", 2),
            "workers-new",
        ),
    ] {
        let expected = [
            (workers.to_owned(), ErrorCode::NON_EMPTY_GROUP),
            ("nowhere".to_owned(), ErrorCode::GROUP_ID_NOT_FOUND),
        ];
        assert_eq!(answer.groups, expected);
    }
}
