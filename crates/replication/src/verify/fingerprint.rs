//! What is kept of a record: enough to tell whether, and in what, two records differ.

use kafka_wire::batch::BatchInfo;
use kafka_wire::record::Record;
use twox_hash::XxHash3_64;

/// A record in 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Fingerprint {
    pub(super) offset: i64,
    pub(super) timestamp: i64,
    /// Hash of the key, 0 where there is none.
    pub(super) key: u64,
    value: u64,
    headers: u64,
    /// The same for every order of the same headers.
    headers_in_any_order: u64,
    /// Who wrote the batch; negative for nobody in particular.
    pub(super) producer: i64,
    pub(super) has_key: bool,
    pub(super) is_tombstone: bool,
    /// Whether the time is that of a broker.
    append_time: bool,
}

/// In what two records differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
    /// The headers.
    Headers,
    /// Only the order of the headers.
    HeaderOrder,
    /// The time.
    Timestamp,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Value => "value",
            Self::Headers => "headers",
            Self::HeaderOrder => "header order",
            Self::Timestamp => "timestamp",
        })
    }
}

/// Null and empty are different; so is everything from null.
fn hash(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(0, XxHash3_64::oneshot)
}

/// Mixes a word into a hash, so that order counts.
pub(super) fn mix(hash: u64, word: u64) -> u64 {
    // Multiplication by an odd constant is a bijection; the shift brings high bits down.
    let mixed = (hash.rotate_left(27) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 29)
}

impl Fingerprint {
    pub(super) fn of(record: &Record<'_>, batch: Option<&BatchInfo>) -> Self {
        let (mut headers, mut any) = (0, 0_u64);
        for header in record.headers() {
            let one = mix(hash(Some(header.key)), hash(header.value));
            headers = mix(headers, one);
            any = any.wrapping_add(one | 1);
        }
        Self {
            offset: record.offset(),
            timestamp: record.timestamp(),
            key: hash(record.key()),
            value: hash(record.value()),
            headers,
            headers_in_any_order: any,
            producer: batch.map_or(-1, |batch| batch.producer_id),
            has_key: record.key().is_some(),
            is_tombstone: record.key().is_some() && record.value().is_none(),
            append_time: batch.is_some_and(|batch| batch.attributes.has_log_append_time()),
        }
    }

    /// A record of which only the place is known.
    pub(super) fn place(offset: i64, producer: i64) -> Self {
        Self {
            offset,
            producer,
            ..Self::default()
        }
    }

    /// A hash of everything a reader sees but the time.
    pub(super) fn content(&self) -> u64 {
        let flags = u64::from(self.has_key) | u64::from(self.is_tombstone) << 1;
        [self.value, self.headers, flags]
            .into_iter()
            .fold(self.key, mix)
    }

    /// Whether the times of two records may be compared. A broker's time replaces the producer's.
    fn is_time_excused(&self, other: &Self) -> bool {
        self.append_time || other.append_time
    }

    /// Whether a reader sees the same. Times of brokers are excused.
    pub(super) fn is_copy_of(&self, other: &Self) -> bool {
        let same = self.content() == other.content();
        same && (self.timestamp == other.timestamp || self.is_time_excused(other))
    }

    /// Whether it is a copy only because a broker's time was excused.
    pub(super) fn has_other_time_than(&self, other: &Self) -> bool {
        self.timestamp != other.timestamp
    }

    /// In what a record differs from another.
    pub(super) fn differs_in(&self, other: &Self) -> Vec<Part> {
        let mut parts = Vec::new();
        if (self.key, self.has_key) != (other.key, other.has_key) {
            parts.push(Part::Key);
        }
        let null = |f: &Self| f.has_key && f.is_tombstone;
        if self.value != other.value || null(self) != null(other) {
            parts.push(Part::Value);
        }
        if self.headers != other.headers {
            let only_order = self.headers_in_any_order == other.headers_in_any_order;
            parts.push(if only_order {
                Part::HeaderOrder
            } else {
                Part::Headers
            });
        }
        if self.timestamp != other.timestamp && !self.is_time_excused(other) {
            parts.push(Part::Timestamp);
        }
        parts
    }

    /// Whether one may have been made from the other: something of weight is equal.
    pub(super) fn resembles(&self, other: &Self) -> bool {
        let key = self.has_key && self.key == other.key && self.has_key == other.has_key;
        let value = self.value != 0 && self.value == other.value;
        let time = self.timestamp > 0 && self.timestamp == other.timestamp;
        key || value || time
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_wire::record::{Header, HeaderBuffer};

    fn of(
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, &str)],
        time: i64,
    ) -> Fingerprint {
        let mut buffer = HeaderBuffer::new();
        for (key, value) in headers {
            buffer.push(Header {
                key: key.as_bytes(),
                value: Some(value.as_bytes()),
            });
        }
        Fingerprint::of(&Record::new(0, time, key, value, buffer.headers()), None)
    }

    #[test]
    fn every_part_of_a_record_counts_and_is_named() {
        let record = of(Some(b"k"), Some(b"v"), &[("a", "1"), ("b", "2")], 5);
        assert!(record.is_copy_of(&record));
        for (other, part) in [
            (
                of(Some(b"x"), Some(b"v"), &[("a", "1"), ("b", "2")], 5),
                Part::Key,
            ),
            (
                of(None, Some(b"v"), &[("a", "1"), ("b", "2")], 5),
                Part::Key,
            ),
            (
                of(Some(b""), Some(b"v"), &[("a", "1"), ("b", "2")], 5),
                Part::Key,
            ),
            (
                of(Some(b"k"), Some(b"w"), &[("a", "1"), ("b", "2")], 5),
                Part::Value,
            ),
            (
                of(Some(b"k"), None, &[("a", "1"), ("b", "2")], 5),
                Part::Value,
            ),
            (
                of(Some(b"k"), Some(b""), &[("a", "1"), ("b", "2")], 5),
                Part::Value,
            ),
            (
                of(Some(b"k"), Some(b"v"), &[("b", "2"), ("a", "1")], 5),
                Part::HeaderOrder,
            ),
            (of(Some(b"k"), Some(b"v"), &[("a", "1")], 5), Part::Headers),
            (
                of(Some(b"k"), Some(b"v"), &[("a", "1"), ("b", "2")], 6),
                Part::Timestamp,
            ),
        ] {
            assert!(!record.is_copy_of(&other), "{part}");
            assert_eq!(record.differs_in(&other), [part]);
        }
    }

    #[test]
    fn null_is_not_empty() {
        assert!(!of(None, Some(b""), &[], 0).is_copy_of(&of(Some(b""), Some(b""), &[], 0)));
        assert!(!of(None, None, &[], 0).is_copy_of(&of(None, Some(b""), &[], 0)));
    }
}
