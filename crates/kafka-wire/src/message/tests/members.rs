//! JoinGroup, SyncGroup, Heartbeat, LeaveGroup.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{self, GroupId};
use kafka_protocol::messages::{
    join_group_request, join_group_response, leave_group_request, leave_group_response,
    sync_group_request,
};

use super::compare::{answers_are_equal, requests_are_equal, text};
use crate::error_code::{ErrorClass, ErrorCode};
use crate::message::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use crate::message::join_group::{JoinGroupRequest, JoinGroupResponse, JoinedMember};
use crate::message::leave_group::{
    LeaveGroupRequest, LeaveGroupResponse, LeavingMember, LeftMember,
};
use crate::message::sync_group::{SyncGroupRequest, SyncGroupResponse};
use crate::message::{EncodeProblem, Membership, Request, VersionRange};

const SHELF: Option<&str> = Some("shelf-1");

fn group() -> GroupId {
    GroupId(text("readers"))
}

fn member(instance_id: Option<&str>) -> Membership {
    Membership {
        generation: 5,
        member_id: "reader-1".to_owned(),
        instance_id: instance_id.map(str::to_owned),
    }
}

/// Milliseconds of throttling in versions that say them.
fn throttle(version: i16, since: i16) -> i32 {
    if version >= since { 12 } else { 0 }
}

#[test]
fn join_group_is_that_of_another_implementation() {
    for instance in [None, SHELF] {
        let request = JoinGroupRequest {
            group: "readers".to_owned(),
            session_timeout_ms: 10_000,
            rebalance_timeout_ms: 60_000,
            member_id: "reader-1".to_owned(),
            instance_id: instance.map(str::to_owned),
            protocol_type: "connect".to_owned(),
            protocols: vec![
                ("sessioned".to_owned(), Bytes::from_static(b"\0\x02any")),
                ("default".to_owned(), Bytes::new()),
            ],
            reason: Some("new here".to_owned()),
        };
        requests_are_equal(&request, |version| {
            let protocol = |name, metadata| {
                join_group_request::JoinGroupRequestProtocol::default()
                    .with_name(text(name))
                    .with_metadata(Bytes::from_static(metadata))
            };
            messages::JoinGroupRequest::default()
                .with_group_id(group())
                .with_session_timeout_ms(10_000)
                .with_rebalance_timeout_ms(if version >= 1 { 60_000 } else { -1 })
                .with_member_id(text("reader-1"))
                .with_group_instance_id(instance.map(text))
                .with_protocol_type(text("connect"))
                .with_protocols(vec![
                    protocol("sessioned", b"\0\x02any"),
                    protocol("default", b""),
                ])
                .with_reason((version >= 8).then(|| text("new here")))
        });
    }
    answers_are_equal::<JoinGroupRequest, _>(
        |version| {
            let joined = |id, instance: Option<_>, metadata| {
                join_group_response::JoinGroupResponseMember::default()
                    .with_member_id(text(id))
                    .with_group_instance_id(instance.filter(|_| version >= 5).map(text))
                    .with_metadata(Bytes::from_static(metadata))
            };
            let members = vec![
                joined("reader-1", SHELF, b"any"),
                joined("reader-2", None, b""),
            ];
            messages::JoinGroupResponse::default()
                .with_throttle_time_ms(throttle(version, 2))
                .with_error_code(27)
                .with_generation_id(5)
                .with_protocol_type((version >= 7).then(|| text("connect")))
                .with_protocol_name(Some(text("sessioned")))
                .with_leader(text("reader-2"))
                .with_skip_assignment(version >= 9)
                .with_member_id(text("reader-1"))
                .with_members(members)
        },
        |version| {
            let joined = |id: &str, instance: Option<&str>, metadata| JoinedMember {
                member_id: id.to_owned(),
                instance_id: instance.filter(|_| version >= 5).map(str::to_owned),
                metadata: Bytes::from_static(metadata),
            };
            JoinGroupResponse {
                throttle_time_ms: throttle(version, 2),
                error: ErrorCode::REBALANCE_IN_PROGRESS,
                generation: 5,
                protocol_type: (version >= 7).then(|| "connect".to_owned()),
                protocol: Some("sessioned".to_owned()),
                leader: "reader-2".to_owned(),
                skip_assignment: version >= 9,
                member_id: "reader-1".to_owned(),
                members: vec![
                    joined("reader-1", SHELF, b"any"),
                    joined("reader-2", None, b""),
                ],
            }
        },
    );
}

#[test]
fn sync_group_is_that_of_another_implementation() {
    for instance in [None, SHELF] {
        let request = SyncGroupRequest {
            group: "readers".to_owned(),
            member: member(instance),
            protocol_type: Some("connect".to_owned()),
            protocol: Some("sessioned".to_owned()),
            assignments: vec![
                ("reader-1".to_owned(), Bytes::from_static(b"all")),
                ("reader-2".to_owned(), Bytes::new()),
            ],
        };
        requests_are_equal(&request, |version| {
            let assignment = |id, bytes| {
                sync_group_request::SyncGroupRequestAssignment::default()
                    .with_member_id(text(id))
                    .with_assignment(Bytes::from_static(bytes))
            };
            let compared = |name| (version >= 5).then(|| text(name));
            messages::SyncGroupRequest::default()
                .with_group_id(group())
                .with_generation_id(5)
                .with_member_id(text("reader-1"))
                .with_group_instance_id(instance.map(text))
                .with_protocol_type(compared("connect"))
                .with_protocol_name(compared("sessioned"))
                .with_assignments(vec![
                    assignment("reader-1", b"all"),
                    assignment("reader-2", b""),
                ])
        });
    }
    answers_are_equal::<SyncGroupRequest, _>(
        |version| {
            let named = |name| (version >= 5).then(|| text(name));
            messages::SyncGroupResponse::default()
                .with_throttle_time_ms(throttle(version, 1))
                .with_error_code(22)
                .with_protocol_type(named("connect"))
                .with_protocol_name(named("sessioned"))
                .with_assignment(Bytes::from_static(b"all"))
        },
        |version| {
            let named = |name: &str| (version >= 5).then(|| name.to_owned());
            SyncGroupResponse {
                throttle_time_ms: throttle(version, 1),
                error: ErrorCode::ILLEGAL_GENERATION,
                protocol_type: named("connect"),
                protocol: named("sessioned"),
                assignment: Bytes::from_static(b"all"),
            }
        },
    );
}

#[test]
fn heartbeat_is_that_of_another_implementation() {
    for instance in [None, SHELF] {
        let request = HeartbeatRequest {
            group: "readers".to_owned(),
            member: member(instance),
        };
        requests_are_equal(&request, |_| {
            messages::HeartbeatRequest::default()
                .with_group_id(group())
                .with_generation_id(5)
                .with_member_id(text("reader-1"))
                .with_group_instance_id(instance.map(text))
        });
    }
    answers_are_equal::<HeartbeatRequest, _>(
        |version| {
            messages::HeartbeatResponse::default()
                .with_throttle_time_ms(throttle(version, 1))
                .with_error_code(27)
        },
        |version| HeartbeatResponse {
            throttle_time_ms: throttle(version, 1),
            error: ErrorCode::REBALANCE_IN_PROGRESS,
        },
    );
}

fn leaving(member_id: &str, instance_id: Option<&str>) -> LeavingMember {
    LeavingMember {
        member_id: member_id.to_owned(),
        instance_id: instance_id.map(str::to_owned),
        reason: Some("shutdown".to_owned()),
    }
}

#[test]
fn leave_group_is_that_of_another_implementation() {
    let identity = |version, id, instance: Option<_>| {
        leave_group_request::MemberIdentity::default()
            .with_member_id(text(id))
            .with_group_instance_id(instance.map(text))
            .with_reason((version >= 5).then(|| text("shutdown")))
    };
    let one = LeaveGroupRequest {
        group: "readers".to_owned(),
        members: vec![leaving("reader-1", None)],
    };
    requests_are_equal(&one, |version| {
        let other = messages::LeaveGroupRequest::default().with_group_id(group());
        if version < 3 {
            return other.with_member_id(text("reader-1"));
        }
        other.with_members(vec![identity(version, "reader-1", None)])
    });
    let several = LeaveGroupRequest {
        members: vec![leaving("reader-1", None), leaving("", SHELF)],
        ..one
    };
    requests_are_equal(&several, |version| {
        messages::LeaveGroupRequest::default()
            .with_group_id(group())
            .with_members(vec![
                identity(version, "reader-1", None),
                identity(version, "", SHELF),
            ])
    });
    answers_are_equal::<LeaveGroupRequest, _>(
        |version| {
            let left = leave_group_response::MemberResponse::default()
                .with_member_id(text("reader-1"))
                .with_group_instance_id(Some(text("shelf-1")))
                .with_error_code(82);
            messages::LeaveGroupResponse::default()
                .with_throttle_time_ms(throttle(version, 1))
                .with_error_code(16)
                .with_members(if version >= 3 { vec![left] } else { vec![] })
        },
        |version| {
            let left = LeftMember {
                member_id: "reader-1".to_owned(),
                instance_id: Some("shelf-1".to_owned()),
                error: ErrorCode::FENCED_INSTANCE_ID,
            };
            LeaveGroupResponse {
                throttle_time_ms: throttle(version, 1),
                error: ErrorCode::NOT_COORDINATOR,
                members: if version >= 3 { vec![left] } else { vec![] },
            }
        },
    );
}

#[test]
fn a_static_member_needs_a_version_that_knows_them() {
    let check = |versions: VersionRange, error: crate::message::EncodeError, since| {
        assert_eq!(versions.min, since);
        assert_eq!(error.problem, EncodeProblem::NeedsVersion { since });
    };
    let heartbeat = HeartbeatRequest {
        group: "readers".to_owned(),
        member: member(SHELF),
    };
    let refused = heartbeat.encode(2, &mut BytesMut::new());
    check(heartbeat.versions(), refused.expect_err("too old"), 3);
    let leave = LeaveGroupRequest {
        group: "readers".to_owned(),
        members: vec![leaving("", SHELF)],
    };
    let refused = leave.encode(2, &mut BytesMut::new());
    check(leave.versions(), refused.expect_err("too old"), 3);
}

#[test]
fn what_an_answer_to_a_member_can_bring_is_classified() {
    for (code, class) in [
        (
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            ErrorClass::Retriable,
        ),
        (
            ErrorCode::COORDINATOR_NOT_AVAILABLE,
            ErrorClass::RefreshCoordinator,
        ),
        (ErrorCode::NOT_COORDINATOR, ErrorClass::RefreshCoordinator),
        (ErrorCode::ILLEGAL_GENERATION, ErrorClass::Rejoin),
        (ErrorCode::UNKNOWN_MEMBER_ID, ErrorClass::Rejoin),
        (ErrorCode::REBALANCE_IN_PROGRESS, ErrorClass::Rejoin),
        (ErrorCode::MEMBER_ID_REQUIRED, ErrorClass::Rejoin),
        (ErrorCode::FENCED_INSTANCE_ID, ErrorClass::Fatal),
        (ErrorCode::GROUP_MAX_SIZE_REACHED, ErrorClass::Fatal),
        (ErrorCode::INCONSISTENT_GROUP_PROTOCOL, ErrorClass::Fatal),
        (ErrorCode::INVALID_SESSION_TIMEOUT, ErrorClass::Fatal),
        (ErrorCode::INVALID_GROUP_ID, ErrorClass::Fatal),
        (ErrorCode::GROUP_AUTHORIZATION_FAILED, ErrorClass::Denied),
    ] {
        assert_eq!(code.class(), class, "{code}");
    }
}
