//! For how long a broker holds a client back, read from an answer without reading the rest of it.
//!
//! One table: from which version on an answer begins with its throttle time (KIP-219). Produce has it at its end, where only
//! reading all of it finds it.

use super::ApiKey;

/// The first version whose answers begin with the time.
fn since(api: ApiKey) -> Option<i16> {
    match api {
        ApiKey::FETCH
        | ApiKey::FIND_COORDINATOR
        | ApiKey::HEARTBEAT
        | ApiKey::LEAVE_GROUP
        | ApiKey::SYNC_GROUP
        | ApiKey::DESCRIBE_GROUPS
        | ApiKey::LIST_GROUPS
        | ApiKey::DELETE_TOPICS => Some(1),
        ApiKey::LIST_OFFSETS
        | ApiKey::JOIN_GROUP
        | ApiKey::CREATE_TOPICS
        | ApiKey::OFFSET_FOR_LEADER_EPOCH => Some(2),
        ApiKey::METADATA | ApiKey::OFFSET_COMMIT | ApiKey::OFFSET_FETCH => Some(3),
        ApiKey::DELETE_RECORDS
        | ApiKey::INIT_PRODUCER_ID
        | ApiKey::ADD_PARTITIONS_TO_TXN
        | ApiKey::ADD_OFFSETS_TO_TXN
        | ApiKey::END_TXN
        | ApiKey::TXN_OFFSET_COMMIT
        | ApiKey::DESCRIBE_ACLS
        | ApiKey::CREATE_ACLS
        | ApiKey::DELETE_ACLS
        | ApiKey::DESCRIBE_CONFIGS
        | ApiKey::DESCRIBE_LOG_DIRS
        | ApiKey::CREATE_PARTITIONS
        | ApiKey::DELETE_GROUPS
        | ApiKey::INCREMENTAL_ALTER_CONFIGS
        | ApiKey::DESCRIBE_CLUSTER
        | ApiKey::DESCRIBE_PRODUCERS
        | ApiKey::DESCRIBE_TRANSACTIONS
        | ApiKey::LIST_TRANSACTIONS => Some(0),
        _ => None,
    }
}

/// Milliseconds for which the broker holds the client back, in the body of an answer; 0 where it does not, or does not say so
/// at the beginning.
#[must_use]
pub fn throttle_time_ms(api: ApiKey, version: i16, body: &[u8]) -> u32 {
    let begins_with_it = since(api).is_some_and(|since| version >= since);
    let first = body.first_chunk::<4>().filter(|_| begins_with_it);
    first.map_or(0, |first| {
        u32::try_from(i32::from_be_bytes(*first)).unwrap_or(0)
    })
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::{
        CreateTopicsResponse, DescribeConfigsResponse, FetchResponse, ListOffsetsResponse,
        MetadataResponse, OffsetFetchResponse, OffsetForLeaderEpochResponse,
    };
    use kafka_protocol::protocol::Encodable;

    use super::*;

    #[test]
    fn another_implementation_writes_the_time_where_it_is_read() {
        fn check(api: ApiKey, versions: &[i16], answer: &impl Encodable) {
            for version in versions {
                let mut body = bytes::BytesMut::new();
                answer.encode(&mut body, *version).expect("encoded");
                assert_eq!(
                    throttle_time_ms(api, *version, &body),
                    1_234,
                    "{api:?} {version}"
                );
            }
        }
        let fetch = FetchResponse::default().with_throttle_time_ms(1_234);
        check(ApiKey::FETCH, &[4, 11, 12, 16], &fetch);
        let ends = ListOffsetsResponse::default().with_throttle_time_ms(1_234);
        check(ApiKey::LIST_OFFSETS, &[5, 7], &ends);
        let metadata = MetadataResponse::default().with_throttle_time_ms(1_234);
        check(ApiKey::METADATA, &[8, 12], &metadata);
        let made = CreateTopicsResponse::default().with_throttle_time_ms(1_234);
        check(ApiKey::CREATE_TOPICS, &[4, 7], &made);
        let settings = DescribeConfigsResponse::default().with_throttle_time_ms(1_234);
        check(ApiKey::DESCRIBE_CONFIGS, &[2, 4], &settings);
        let groups = OffsetFetchResponse::default().with_throttle_time_ms(1_234);
        check(ApiKey::OFFSET_FETCH, &[3, 7], &groups);
        let epochs = OffsetForLeaderEpochResponse::default().with_throttle_time_ms(1_234);
        check(ApiKey::OFFSET_FOR_LEADER_EPOCH, &[3, 4], &epochs);
    }

    #[test]
    fn what_is_not_there_is_no_time() {
        let check = |api, version, body: &[u8], expected| {
            assert_eq!(throttle_time_ms(api, version, body), expected);
        };
        check(ApiKey::FETCH, 0, &[0, 0, 0, 9], 0);
        check(ApiKey::FETCH, 12, &[0, 0, 0, 9], 9);
        check(ApiKey::FETCH, 12, &[0, 0, 9], 0);
        check(ApiKey::FETCH, 12, &[0xff; 4], 0);
        check(ApiKey::PRODUCE, 9, &[0, 0, 0, 9], 0);
        check(ApiKey::API_VERSIONS, 3, &[0, 0, 0, 9], 0);
    }
}
