//! The comparison with `kafka-protocol`.

use std::fmt::Debug;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages;
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};

use crate::message::{Request, VersionRange, response_header_version};
use crate::types::TopicId;

/// Every version of `R`.
pub(in crate::message) fn versions<R: Request>() -> std::ops::RangeInclusive<i16> {
    R::VERSIONS.min..=R::VERSIONS.max
}

/// In every version that can express `request` it is written byte for byte as kafka-protocol writes
/// `other`; in the other versions it is refused.
pub(in crate::message) fn requests_are_equal<R, K>(request: &R, other: impl Fn(i16) -> K)
where
    R: Request,
    K: Encodable + HeaderVersion,
{
    requests_are_equal_within(request.versions(), request, other);
    for version in R::VERSIONS.min - 1..=R::VERSIONS.max + 1 {
        let written = request.encode(version, &mut BytesMut::new());
        assert_eq!(
            written.is_ok(),
            request.versions().contains(version),
            "{} {version}: {written:?}",
            R::API
        );
    }
}

/// The same for the versions that kafka-protocol has, where it does not have all.
pub(in crate::message) fn requests_are_equal_within<R, K>(
    range: VersionRange,
    request: &R,
    other: impl Fn(i16) -> K,
) where
    R: Request,
    K: Encodable + HeaderVersion,
{
    assert!(range.min <= range.max, "{}: no versions", R::API);
    for version in range.min..=range.max {
        let mut ours = BytesMut::new();
        request
            .encode(version, &mut ours)
            .expect("the request fits the version");
        assert_eq!(
            ours,
            encode(&other(version), version),
            "{} {version}",
            R::API
        );

        let flexible = R::API.is_flexible(version);
        let header = K::header_version(version);
        assert_eq!(header == 2, flexible, "{} {version}", R::API);
    }
}

/// In every version what kafka-protocol writes for `answer` is read as `expected`; cut off or with
/// something left over it is refused, and with any number in it replaced by a huge one it neither
/// panics nor asks for the memory.
pub(in crate::message) fn answers_are_equal<R, K>(
    answer: impl Fn(i16) -> K,
    expected: impl Fn(i16) -> R::Response,
) where
    R: Request,
    R::Response: PartialEq + Debug,
    K: Encodable + HeaderVersion,
{
    answers_are_equal_within::<R, K>(R::VERSIONS, answer, expected);
}

/// The same for the versions that kafka-protocol has, where it does not have all.
pub(in crate::message) fn answers_are_equal_within<R, K>(
    range: VersionRange,
    answer: impl Fn(i16) -> K,
    expected: impl Fn(i16) -> R::Response,
) where
    R: Request,
    R::Response: PartialEq + Debug,
    K: Encodable + HeaderVersion,
{
    for version in range.min..=range.max {
        answer_is_read::<R>(
            version,
            &encode(&answer(version), version),
            &expected(version),
        );
        assert_eq!(
            K::header_version(version),
            response_header_version(R::API, version),
            "{} {version}",
            R::API
        );
    }
}

/// `body` is read as `expected`; cut off, with something left over, or with any number in it
/// replaced by a huge one it is refused or read without harm.
pub(in crate::message) fn answer_is_read<R>(version: i16, body: &Bytes, expected: &R::Response)
where
    R: Request,
    R::Response: PartialEq + Debug,
{
    let read = R::decode(version, body.clone());
    assert_eq!(read.as_ref(), Ok(expected), "{} {version}", R::API);
    for length in 0..body.len() {
        let cut = R::decode(version, body.slice(..length));
        assert!(cut.is_err(), "{} {version}, cut at {length}", R::API);
    }
    let longer = Bytes::from([body.as_ref(), &[0]].concat());
    assert!(
        R::decode(version, longer).is_err(),
        "{} {version}, one more byte",
        R::API
    );
    survives_huge_numbers::<R>(version, body);
}

/// Huge counts and lengths in each encoding.
const HUGE: [&[u8]; 5] = [
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0x7f, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
];

fn survives_huge_numbers<R: Request>(version: i16, body: &Bytes) {
    for at in 0..body.len() {
        for huge in HUGE {
            let end = (at + huge.len()).min(body.len());
            let mut bytes = BytesMut::from(body.as_ref());
            bytes[at..end].copy_from_slice(&huge[..end - at]);
            // Either outcome is right: the place may have held an offset.
            let _ = R::decode(version, bytes.freeze());

            // In flexible versions a count has one byte; put the five in its place.
            let inserted = [&body[..at], huge, &body[at + 1..]].concat();
            let _ = R::decode(version, Bytes::from(inserted));
        }
    }
}

pub(in crate::message) fn encode(message: &impl Encodable, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    message
        .encode(&mut out, version)
        .expect("kafka-protocol can write it");
    out.freeze()
}

pub(in crate::message) fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

pub(in crate::message) fn topic(name: &'static str) -> messages::TopicName {
    messages::TopicName(text(name))
}

/// The topic id in these tests.
pub(in crate::message) const ID: TopicId = TopicId(*b"0123456789abcdef");

/// [`ID`] in kafka-protocol's type.
pub(in crate::message) fn id<T: FromStr<Err: Debug>>() -> T {
    "30313233-3435-3637-3839-616263646566"
        .parse()
        .expect("a valid id")
}
