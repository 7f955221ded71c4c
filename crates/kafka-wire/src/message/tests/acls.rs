//! DescribeAcls, CreateAcls, DeleteAcls.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages;
use kafka_protocol::messages::{
    create_acls_request, create_acls_response, delete_acls_request, delete_acls_response,
    describe_acls_response,
};
use kafka_protocol::protocol::{Decodable, StrBytes};
use proptest::prelude::*;

use super::compare::{answers_are_equal, encode, requests_are_equal, text, versions};
use crate::error_code::{ErrorClass, ErrorCode};
use crate::message::acl::{
    AclBinding, AclFilter, AclOperation, AclPattern, AclPermission, AclResource,
};
use crate::message::create_acls::{AclOutcome, CreateAclsRequest, CreateAclsResponse};
use crate::message::delete_acls::{DeleteAclsRequest, DeleteAclsResponse, DeletedAcls};
use crate::message::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};
use crate::message::{DecodeProblem, EncodeProblem, Request};

fn reading() -> AclBinding {
    AclBinding {
        resource: AclResource::Topic,
        name: "west.orders".into(),
        pattern: AclPattern::Prefixed,
        principal: "User:alice".to_owned(),
        host: "*".to_owned(),
        operation: AclOperation::Read,
        permission: AclPermission::Allow,
    }
}

fn newer() -> AclBinding {
    AclBinding {
        resource: AclResource::Other(9),
        name: "".into(),
        pattern: AclPattern::Other(5),
        principal: "Group:bücher".to_owned(),
        host: "10.0.0.1".to_owned(),
        operation: AclOperation::Other(77),
        permission: AclPermission::Deny,
    }
}

fn outcome(error: i16, message: Option<&str>) -> AclOutcome {
    AclOutcome {
        error: ErrorCode(error),
        error_message: message.map(str::to_owned),
    }
}

#[test]
fn describe_acls_is_that_of_another_implementation() {
    let all = DescribeAclsRequest {
        filter: AclFilter::Resource(AclResource::TransactionalId),
    };
    requests_are_equal(&all, |_| {
        messages::DescribeAclsRequest::default()
            .with_resource_type_filter(5)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(1)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1)
    });
    let one = DescribeAclsRequest {
        filter: AclFilter::Exactly(reading()),
    };
    requests_are_equal(&one, |_| {
        messages::DescribeAclsRequest::default()
            .with_resource_type_filter(2)
            .with_resource_name_filter(Some(text("west.orders")))
            .with_pattern_type_filter(4)
            .with_principal_filter(Some(text("User:alice")))
            .with_host_filter(Some(text("*")))
            .with_operation(3)
            .with_permission_type(3)
    });
    answers_are_equal::<DescribeAclsRequest, _>(described, |_| DescribeAclsResponse {
        throttle_time_ms: 12,
        error: ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        error_message: Some("no".to_owned()),
        bindings: vec![
            reading(),
            AclBinding {
                operation: AclOperation::Describe,
                permission: AclPermission::Deny,
                ..reading()
            },
            newer(),
        ],
    });
}

fn described(_: i16) -> messages::DescribeAclsResponse {
    let acl = |principal, host, operation, permission| {
        describe_acls_response::AclDescription::default()
            .with_principal(text(principal))
            .with_host(text(host))
            .with_operation(operation)
            .with_permission_type(permission)
    };
    let resource = |kind, name, pattern, acls| {
        describe_acls_response::DescribeAclsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_pattern_type(pattern)
            .with_acls(acls)
    };
    messages::DescribeAclsResponse::default()
        .with_throttle_time_ms(12)
        .with_error_code(31)
        .with_error_message(Some(text("no")))
        .with_resources(vec![
            resource(
                2,
                "west.orders",
                4,
                vec![acl("User:alice", "*", 3, 3), acl("User:alice", "*", 8, 2)],
            ),
            resource(3, "a group without bindings", 3, vec![]),
            resource(9, "", 5, vec![acl("Group:bücher", "10.0.0.1", 77, 2)]),
        ])
}

#[test]
fn create_acls_is_that_of_another_implementation() {
    let request = CreateAclsRequest {
        bindings: vec![reading(), newer()],
    };
    requests_are_equal(&request, |_| {
        let creation = |kind, name, pattern, principal, host, operation, permission| {
            create_acls_request::AclCreation::default()
                .with_resource_type(kind)
                .with_resource_name(text(name))
                .with_resource_pattern_type(pattern)
                .with_principal(text(principal))
                .with_host(text(host))
                .with_operation(operation)
                .with_permission_type(permission)
        };
        messages::CreateAclsRequest::default().with_creations(vec![
            creation(2, "west.orders", 4, "User:alice", "*", 3, 3),
            creation(9, "", 5, "Group:bücher", "10.0.0.1", 77, 2),
        ])
    });
    answers_are_equal::<CreateAclsRequest, _>(
        |_| {
            let result = |error, message: Option<_>| {
                create_acls_response::AclCreationResult::default()
                    .with_error_code(error)
                    .with_error_message(message.map(text))
            };
            messages::CreateAclsResponse::default()
                .with_throttle_time_ms(12)
                .with_results(vec![result(0, None), result(42, Some("no such operation"))])
        },
        |_| CreateAclsResponse {
            throttle_time_ms: 12,
            outcomes: vec![outcome(0, None), outcome(42, Some("no such operation"))],
        },
    );
}

#[test]
fn delete_acls_is_that_of_another_implementation() {
    let request = DeleteAclsRequest {
        filters: vec![
            AclFilter::Exactly(reading()),
            AclFilter::Resource(AclResource::Group),
        ],
    };
    requests_are_equal(&request, |_| {
        let exactly = delete_acls_request::DeleteAclsFilter::default()
            .with_resource_type_filter(2)
            .with_resource_name_filter(Some(text("west.orders")))
            .with_pattern_type_filter(4)
            .with_principal_filter(Some(text("User:alice")))
            .with_host_filter(Some(text("*")))
            .with_operation(3)
            .with_permission_type(3);
        let groups = delete_acls_request::DeleteAclsFilter::default()
            .with_resource_type_filter(3)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(1)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1);
        messages::DeleteAclsRequest::default().with_filters(vec![exactly, groups])
    });
    answers_are_equal::<DeleteAclsRequest, _>(
        |_| {
            let matching = delete_acls_response::DeleteAclsMatchingAcl::default()
                .with_error_code(-1)
                .with_error_message(Some(text("broken")))
                .with_resource_type(2)
                .with_resource_name(text("west.orders"))
                .with_pattern_type(4)
                .with_principal(text("User:alice"))
                .with_host(text("*"))
                .with_operation(3)
                .with_permission_type(3);
            let result = |error, message: Option<_>, matching| {
                delete_acls_response::DeleteAclsFilterResult::default()
                    .with_error_code(error)
                    .with_error_message(message.map(text))
                    .with_matching_acls(matching)
            };
            messages::DeleteAclsResponse::default()
                .with_throttle_time_ms(12)
                .with_filter_results(vec![
                    result(0, None, vec![matching]),
                    result(54, Some("no authorizer"), vec![]),
                ])
        },
        |_| DeleteAclsResponse {
            throttle_time_ms: 12,
            filters: vec![
                DeletedAcls {
                    outcome: outcome(0, None),
                    bindings: vec![(reading(), outcome(-1, Some("broken")))],
                },
                DeletedAcls {
                    outcome: outcome(54, Some("no authorizer")),
                    bindings: vec![],
                },
            ],
        },
    );
}

#[test]
fn a_binding_reads_like_a_sentence() {
    assert_eq!(
        reading().to_string(),
        "ALLOW READ on TOPIC PREFIXED west.orders for User:alice from *"
    );
    assert_eq!(
        newer().to_string(),
        "DENY 77 on 9 5  for Group:bücher from 10.0.0.1"
    );
}

#[test]
fn every_number_of_an_enumeration_is_kept() {
    for code in i8::MIN..=i8::MAX {
        assert_eq!(AclResource::from_wire(code).wire(), code);
        assert_eq!(AclPattern::from_wire(code).wire(), code);
        assert_eq!(AclOperation::from_wire(code).wire(), code);
        assert_eq!(AclPermission::from_wire(code).wire(), code);
    }
    for operation in AclOperation::KNOWN {
        assert!(!matches!(operation, AclOperation::Other(_)));
        assert!(operation.wire() >= 2, "0 and 1 are unknown and any");
    }
}

#[test]
fn a_text_that_is_too_long_is_refused_in_every_version() {
    let long = AclBinding {
        principal: "x".repeat(32_768),
        ..reading()
    };
    let create = CreateAclsRequest {
        bindings: vec![long.clone()],
    };
    let delete = DeleteAclsRequest {
        filters: vec![AclFilter::Exactly(long)],
    };
    for version in 1..=3 {
        let errors = [
            create.encode(version, &mut BytesMut::new()),
            delete.encode(version, &mut BytesMut::new()),
        ];
        for error in errors {
            let error = error.expect_err("too long");
            assert_eq!(error.problem, EncodeProblem::TooLong { length: 32_768 });
            assert_eq!(error.what, "principal");
        }
    }
}

#[test]
fn what_an_answer_about_rights_can_bring_is_classified() {
    for (code, class) in [
        (ErrorCode::SECURITY_DISABLED, ErrorClass::Fatal),
        (ErrorCode::CLUSTER_AUTHORIZATION_FAILED, ErrorClass::Denied),
        (ErrorCode::INVALID_REQUEST, ErrorClass::Fatal),
        (ErrorCode::UNSUPPORTED_VERSION, ErrorClass::Fatal),
        (ErrorCode::NOT_CONTROLLER, ErrorClass::RefreshMetadata),
        (ErrorCode::REQUEST_TIMED_OUT, ErrorClass::Retriable),
        (ErrorCode::UNKNOWN_SERVER_ERROR, ErrorClass::Retriable),
    ] {
        assert_eq!(code.class(), class, "{code}");
    }
}

#[test]
fn a_count_of_bindings_beyond_the_bytes_is_refused_before_memory_is_taken() {
    // throttle 0, error 0, message null, one resource: topic "t" literal, then 2³¹ − 1 bindings.
    let mut classic = vec![0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 1, 2, 0, 1, b't', 3];
    classic.extend([0x7f, 0xff, 0xff, 0xff]);
    let mut flexible = vec![0, 0, 0, 0, 0, 0, 0, 2, 2, 2, b't', 3];
    flexible.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
    for (version, bytes) in [(1, classic), (2, flexible.clone()), (3, flexible)] {
        let error = DescribeAclsRequest::decode(version, Bytes::from(bytes)).expect_err("refused");
        assert_eq!(error.what, "bindings");
        assert!(
            matches!(error.problem, DecodeProblem::Length { left: 0, .. }),
            "{error}"
        );
    }
}

#[test]
fn a_name_is_kept_once_for_all_bindings_of_an_answer() {
    let acl = describe_acls_response::AclDescription::default();
    let resource = describe_acls_response::DescribeAclsResource::default()
        .with_resource_name(owned(&"x".repeat(30_000)))
        .with_acls(vec![acl; 100_000]);
    let answer = messages::DescribeAclsResponse::default().with_resources(vec![resource]);
    let read = DescribeAclsRequest::decode(3, encode(&answer, 3)).expect("read");
    // Copies would take 3 GB.
    assert_eq!(read.bindings.len(), 100_000);
    let first = &read.bindings[0].name;
    assert!(
        read.bindings
            .iter()
            .all(|binding| Arc::ptr_eq(&binding.name, first))
    );
}

/// Fields that a later broker may add (KIP-482), at every level.
#[test]
fn tagged_fields_of_later_brokers_are_passed_over_at_every_level() {
    let tags = || {
        BTreeMap::from([
            (0, Bytes::from_static(b"")),
            (9, Bytes::from_static(b"later")),
        ])
    };
    let acl = describe_acls_response::AclDescription::default()
        .with_principal(text("User:alice"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3)
        .with_unknown_tagged_fields(tags());
    let resource = describe_acls_response::DescribeAclsResource::default()
        .with_resource_type(2)
        .with_resource_name(text("west.orders"))
        .with_pattern_type(4)
        .with_acls(vec![acl.clone(), acl])
        .with_unknown_tagged_fields(tags());
    let described = messages::DescribeAclsResponse::default()
        .with_resources(vec![resource.clone(), resource])
        .with_unknown_tagged_fields(tags());
    let result = create_acls_response::AclCreationResult::default()
        .with_error_code(42)
        .with_unknown_tagged_fields(tags());
    let created = messages::CreateAclsResponse::default()
        .with_results(vec![result.clone(), result])
        .with_unknown_tagged_fields(tags());
    let matching = delete_acls_response::DeleteAclsMatchingAcl::default()
        .with_resource_type(2)
        .with_resource_name(text("west.orders"))
        .with_pattern_type(4)
        .with_principal(text("User:alice"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3)
        .with_unknown_tagged_fields(tags());
    let filter = delete_acls_response::DeleteAclsFilterResult::default()
        .with_matching_acls(vec![matching.clone(), matching])
        .with_unknown_tagged_fields(tags());
    let deleted = messages::DeleteAclsResponse::default()
        .with_filter_results(vec![filter.clone(), filter])
        .with_unknown_tagged_fields(tags());
    for version in 2..=3 {
        let read = DescribeAclsRequest::decode(version, encode(&described, version));
        assert_eq!(read.expect("read").bindings, vec![reading(); 4]);
        let read = CreateAclsRequest::decode(version, encode(&created, version));
        let errors = read.expect("read").outcomes.into_iter().map(|o| o.error);
        assert!(errors.eq([ErrorCode::INVALID_REQUEST; 2]));
        let read = DeleteAclsRequest::decode(version, encode(&deleted, version));
        let filters = read.expect("read").filters.into_iter();
        let bindings = filters.flat_map(|filter| filter.bindings);
        assert!(bindings.map(|(binding, _)| binding).eq(vec![reading(); 4]));
    }
}

prop_compose! {
    fn any_binding()(
        codes in any::<[i8; 4]>(),
        name in ".{0,40}".prop_map(Arc::<str>::from),
        principal in "(User|Group|[a-z]{0,5}):.{0,40}",
        host in prop_oneof![Just("*".to_owned()), "[0-9.]{1,15}", ".{0,20}"],
    ) -> AclBinding {
        AclBinding {
            resource: AclResource::from_wire(codes[0]),
            name,
            pattern: AclPattern::from_wire(codes[1]),
            principal,
            host,
            operation: AclOperation::from_wire(codes[2]),
            permission: AclPermission::from_wire(codes[3]),
        }
    }
}

fn owned(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

proptest! {
    /// Whatever is written, another implementation reads the same.
    #[test]
    fn any_bindings_are_read_alike_by_another_implementation(
        bindings in prop::collection::vec(any_binding(), 0..20),
    ) {
        let create = CreateAclsRequest { bindings: bindings.clone() };
        let filters = bindings.iter().cloned().map(AclFilter::Exactly).collect();
        let delete = DeleteAclsRequest { filters };
        for version in versions::<CreateAclsRequest>() {
            let mut out = BytesMut::new();
            create.encode(version, &mut out).expect("it fits");
            let mut bytes = out.freeze();
            let read = messages::CreateAclsRequest::decode(&mut bytes, version).expect("read");
            prop_assert!(bytes.is_empty());
            let read: Vec<_> = read.creations.iter().map(|c| AclBinding {
                resource: AclResource::from_wire(c.resource_type),
                name: c.resource_name.as_str().into(),
                pattern: AclPattern::from_wire(c.resource_pattern_type),
                principal: c.principal.to_string(),
                host: c.host.to_string(),
                operation: AclOperation::from_wire(c.operation),
                permission: AclPermission::from_wire(c.permission_type),
            }).collect();
            prop_assert_eq!(&read, &bindings);

            let mut out = BytesMut::new();
            delete.encode(version, &mut out).expect("it fits");
            let mut bytes = out.freeze();
            let read = messages::DeleteAclsRequest::decode(&mut bytes, version).expect("read");
            prop_assert!(bytes.is_empty());
            let read: Vec<_> = read.filters.iter().map(|f| AclBinding {
                resource: AclResource::from_wire(f.resource_type_filter),
                name: f.resource_name_filter.as_ref().expect("given").as_str().into(),
                pattern: AclPattern::from_wire(f.pattern_type_filter),
                principal: f.principal_filter.as_ref().expect("given").to_string(),
                host: f.host_filter.as_ref().expect("given").to_string(),
                operation: AclOperation::from_wire(f.operation),
                permission: AclPermission::from_wire(f.permission_type),
            }).collect();
            prop_assert_eq!(&read, &bindings);
        }
    }

    /// Whatever another implementation answers is read the same, and no flipped byte is a panic.
    #[test]
    fn any_answers_of_another_implementation_are_read_alike(
        bindings in prop::collection::vec((any_binding(), any::<i16>(), prop::option::of(".{0,20}")), 0..12),
        flip in any::<(prop::sample::Index, u8)>(),
    ) {
        let described = messages::DescribeAclsResponse::default()
            .with_error_message(None)
            .with_resources(bindings.iter().map(|(b, ..)| {
                let acl = describe_acls_response::AclDescription::default()
                    .with_principal(owned(&b.principal))
                    .with_host(owned(&b.host))
                    .with_operation(b.operation.wire())
                    .with_permission_type(b.permission.wire());
                describe_acls_response::DescribeAclsResource::default()
                    .with_resource_type(b.resource.wire())
                    .with_resource_name(owned(&b.name))
                    .with_pattern_type(b.pattern.wire())
                    .with_acls(vec![acl])
            }).collect());
        let matching = bindings.iter().map(|(b, error, message)| {
            delete_acls_response::DeleteAclsMatchingAcl::default()
                .with_error_code(*error)
                .with_error_message(message.as_deref().map(owned))
                .with_resource_type(b.resource.wire())
                .with_resource_name(owned(&b.name))
                .with_pattern_type(b.pattern.wire())
                .with_principal(owned(&b.principal))
                .with_host(owned(&b.host))
                .with_operation(b.operation.wire())
                .with_permission_type(b.permission.wire())
        }).collect();
        let deleted = messages::DeleteAclsResponse::default().with_filter_results(vec![
            delete_acls_response::DeleteAclsFilterResult::default()
                .with_error_message(None)
                .with_matching_acls(matching),
        ]);
        let flipped = |bytes: &Bytes| {
            let mut bytes = BytesMut::from(bytes.as_ref());
            let at = flip.0.index(bytes.len());
            bytes[at] ^= flip.1;
            bytes.freeze()
        };
        for version in versions::<DescribeAclsRequest>() {
            let bytes = encode(&described, version);
            let read = DescribeAclsRequest::decode(version, bytes.clone()).expect("read");
            prop_assert!(read.bindings.iter().eq(bindings.iter().map(|(b, ..)| b)));
            let _ = DescribeAclsRequest::decode(version, flipped(&bytes));

            let bytes = encode(&deleted, version);
            let read = DeleteAclsRequest::decode(version, bytes.clone()).expect("read");
            let expected = bindings.iter().map(|(binding, error, message)| {
                (binding.clone(), outcome(*error, message.as_deref()))
            });
            prop_assert!(read.filters[0].bindings.iter().cloned().eq(expected));
            let _ = DeleteAclsRequest::decode(version, flipped(&bytes));
        }
    }
}
