//! Count, size and an order-sensitive hash per partition: equal digests mean equal records in equal order.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use rdkafka::message::{BorrowedMessage, Headers, Message};

use super::read::{self, ReadRecord};
use super::{Digest, JudgeError, Place};

/// What one partition held, without the records.
///
/// Comparable within one build of the program: the hash is the standard library's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartitionDigest {
    /// Records.
    pub records: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Over key, value, headers and timestamp of every record, in order.
    pub hash: u64,
}

impl PartitionDigest {
    /// Adds the next record of the partition.
    pub fn add(
        &mut self,
        timestamp: Option<i64>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: impl Iterator<Item = (impl AsRef<str>, Option<impl AsRef<[u8]>>)>,
    ) {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.hash);
        hasher.write_i64(timestamp.unwrap_or(-1));
        for part in [key, value] {
            add_bytes(&mut hasher, part);
            self.bytes += part.map_or(0, |bytes| bytes.len() as u64);
        }
        for (name, value) in headers {
            add_bytes(&mut hasher, Some(name.as_ref().as_bytes()));
            add_bytes(&mut hasher, value.as_ref().map(AsRef::as_ref));
        }
        self.records += 1;
        self.hash = hasher.finish();
    }

    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let headers = message.headers().into_iter().flat_map(Headers::iter);
        self.add(
            read::millis(message),
            message.key(),
            message.payload(),
            headers.map(|header| (header.key, header.value)),
        );
    }
}

/// Lengths make null, empty and shifted borders differ.
fn add_bytes(hasher: &mut DefaultHasher, bytes: Option<&[u8]>) {
    match bytes {
        None => hasher.write_u64(u64::MAX),
        Some(bytes) => {
            hasher.write_u64(bytes.len() as u64);
            hasher.write(bytes);
        }
    }
}

/// The digest of records that are in memory.
#[must_use]
pub fn digest_of(records: &[ReadRecord]) -> PartitionDigest {
    let mut digest = PartitionDigest::default();
    for record in records {
        let headers = record
            .headers
            .iter()
            .map(|(name, value)| (name, value.as_ref()));
        digest.add(
            record.timestamp,
            record.key.as_deref(),
            record.value.as_deref(),
            headers,
        );
    }
    digest
}

/// The digest of the last record of each key, in their order. What is compacted has no records without keys.
pub(super) fn digest_of_last(place: &Place, limit: Duration) -> Result<Digest, JudgeError> {
    type Last = HashMap<Vec<u8>, (i64, PartitionDigest)>;
    let mut last: BTreeMap<i32, Last> = BTreeMap::new();
    let partitions = read::for_each(place, limit, |message| {
        let mut alone = PartitionDigest::default();
        alone.take(message);
        let key = message.key().unwrap_or_default().to_vec();
        let keys = last.entry(message.partition()).or_default();
        keys.insert(key, (message.offset(), alone));
    })?;
    let whole = |partition: i32| {
        let keys = last.get(&partition).into_iter().flat_map(Last::values);
        let mut records: Vec<&(i64, PartitionDigest)> = keys.collect();
        records.sort_unstable_by_key(|(offset, _)| *offset);
        let mut whole = PartitionDigest::default();
        for (_, alone) in records {
            let mut hasher = DefaultHasher::new();
            hasher.write_u64(whole.hash);
            hasher.write_u64(alone.hash);
            whole.hash = hasher.finish();
            whole.records += 1;
            whole.bytes += alone.bytes;
        }
        (partition, whole)
    };
    Ok(partitions.into_iter().map(whole).collect())
}

pub(super) fn digest(place: &Place, limit: Duration) -> Result<Digest, JudgeError> {
    let mut digests = Digest::new();
    let partitions = read::for_each(place, limit, |message| {
        digests
            .entry(message.partition())
            .or_default()
            .take(message);
    })?;
    for partition in partitions {
        digests.entry(partition).or_default();
    }
    Ok(digests)
}
