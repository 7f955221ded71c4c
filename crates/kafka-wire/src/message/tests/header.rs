//! Headers and the choice of versions.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::RequestHeader;

use super::compare::{encode, text};
use crate::message::{
    ApiKey, DecodeProblem, VersionRange, choose_version, encode_request_header,
    response_header_version, split_response_header,
};

fn header(api: ApiKey, version: i16, client_id: &str) -> BytesMut {
    let mut out = BytesMut::new();
    encode_request_header(api, version, 7, client_id, &mut out);
    out
}

#[test]
fn request_headers_are_those_of_another_implementation() {
    for (api, version, header_version) in [
        (ApiKey::METADATA, 8, 1),
        (ApiKey::METADATA, 9, 2),
        (ApiKey::API_VERSIONS, 2, 1),
        (ApiKey::API_VERSIONS, 3, 2),
        (ApiKey::DESCRIBE_CLUSTER, 0, 2),
    ] {
        let other = RequestHeader::default()
            .with_request_api_key(api.0)
            .with_request_api_version(version)
            .with_correlation_id(7)
            .with_client_id(Some(text("tributary-1")));
        assert_eq!(
            header(api, version, "tributary-1"),
            encode(&other, header_version)
        );
    }
}

#[test]
fn a_client_id_that_is_too_long_is_cut_between_characters() {
    let long = "ü".repeat(20_000);
    let header = header(ApiKey::METADATA, 8, &long);
    assert_eq!(header.len(), 8 + 2 + 32_766);
    assert_eq!(header[8..10], 32_766_i16.to_be_bytes());
    assert!(std::str::from_utf8(&header[10..]).is_ok());
}

#[test]
fn an_answer_to_api_versions_has_no_tagged_fields_in_its_header() {
    for version in 0..=3 {
        assert_eq!(response_header_version(ApiKey::API_VERSIONS, version), 0);
    }
    assert_eq!(response_header_version(ApiKey::FETCH, 11), 0);
    assert_eq!(response_header_version(ApiKey::FETCH, 12), 1);
}

#[test]
fn the_header_of_an_answer_is_taken_off_with_its_tagged_fields() {
    let mut classic = Bytes::from_static(&[0, 0, 0, 9, b'x']);
    assert_eq!(
        split_response_header(ApiKey::FETCH, 11, &mut classic),
        Ok(9)
    );
    assert_eq!(classic, "x");

    let mut flexible = Bytes::from_static(&[0, 0, 0, 9, 1, 5, 2, 1, 2, b'x']);
    assert_eq!(
        split_response_header(ApiKey::FETCH, 12, &mut flexible),
        Ok(9)
    );
    assert_eq!(flexible, "x");

    for length in 0..9 {
        let mut cut = Bytes::from_static(&[0, 0, 0, 9, 1, 5, 2, 1, 2, b'x']).slice(..length);
        let error = split_response_header(ApiKey::FETCH, 12, &mut cut).expect_err("cut off");
        assert!(matches!(
            error.problem,
            DecodeProblem::EndOfBytes { .. } | DecodeProblem::Length { .. }
        ));
    }
}

#[test]
fn the_highest_common_version_is_chosen_and_never_one_below_the_own_floor() {
    let own = VersionRange::new(8, 13);
    let check = |min, max, chosen| {
        assert_eq!(
            choose_version(own, VersionRange::new(min, max)),
            chosen,
            "{min}–{max}"
        );
    };
    check(0, 8, Some(8));
    check(0, 11, Some(11));
    check(3, 14, Some(13));
    check(13, 20, Some(13));
    // A broker that advertises more than it serves, below our floor.
    check(0, 2, None);
    check(0, 7, None);
    check(14, 20, None);
    // A broker whose range is upside down offers nothing.
    check(12, 9, None);
}

#[test]
fn an_api_is_shown_by_its_name() {
    assert_eq!(
        ApiKey::OFFSET_FOR_LEADER_EPOCH.to_string(),
        "OffsetForLeaderEpoch"
    );
    assert_eq!(ApiKey(99).to_string(), "API 99");
}
