//! The names and numbers of Kafka that must not be mixed up, as types.
//!
//! Deliberately absent: source and destination (that distinction belongs to `replication::side`),
//! and anything that needs a clock.

use std::fmt;
use std::sync::Arc;

/// Name of a topic, cheap to clone. Whatever a broker sends is accepted; legality of *new* names is
/// checked where they are made (`config::rename`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(Arc<str>);

impl TopicName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TopicName {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for TopicName {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<str> for TopicName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Topic id (KIP-516), 16 bytes in network order; all zero where a broker has none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// The id of a topic that has none (brokers before 2.8).
    pub const ZERO: Self = Self([0; 16]);

    /// Whether the broker gave no id.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// Reads what [`fmt::Display`] prints: Kafka's unpadded URL-safe base64, 22 characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 22 {
            return None;
        }
        let mut bits: u128 = 0;
        let mut bytes = text.bytes();
        for byte in bytes.by_ref().take(21) {
            bits = bits << 6 | u128::from(base64_value(byte)?);
        }
        let last = base64_value(bytes.next()?)?;
        // 21 characters hold 126 bits; the last one adds two and pads with four zero bits.
        if last & 0x0f != 0 {
            return None;
        }
        Some(Self((bits << 2 | u128::from(last >> 4)).to_be_bytes()))
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64_value(byte: u8) -> Option<u8> {
    let index = BASE64.iter().position(|&known| known == byte)?;
    u8::try_from(index).ok()
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = u128::from_be_bytes(self.0);
        for place in 0..22 {
            let index = if place < 21 {
                (bits >> (122 - 6 * place)) & 0x3f
            } else {
                (bits & 0x03) << 4
            };
            write!(f, "{}", char::from(BASE64[index as usize]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Number of a partition within its topic, ≥ 0.
pub type PartitionId = i32;

/// An offset in a partition's log, ≥ 0 where it names a record; −1 stands for "unknown" on the wire.
pub type Offset = i64;

/// Leader epoch of a partition (KIP-101, KIP-320); −1 where unknown.
pub type LeaderEpoch = i32;

/// Broker id, ≥ 0; −1 for "no broker".
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct NodeId(pub i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A producer's identity: id from `InitProducerId` and the epoch that fences older writers (KIP-98).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ProducerIdentity {
    /// Producer id, ≥ 0.
    pub id: i64,
    /// Producer epoch, 0..=32767.
    pub epoch: i16,
}

/// One partition of one topic.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic.
    pub topic: TopicName,
    /// The partition's number.
    pub partition: PartitionId,
}

impl TopicPartition {
    /// Joins a topic and a partition number.
    #[must_use]
    pub fn new(topic: TopicName, partition: PartitionId) -> Self {
        Self { topic, partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_id_reads_back_what_it_prints() {
        for id in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            let text = TopicId(id).to_string();
            assert_eq!(text.len(), 22);
            assert_eq!(TopicId::parse(&text), Some(TopicId(id)));
        }
        assert_eq!(
            TopicId(*b"0123456789abcdef").to_string(),
            "MDEyMzQ1Njc4OWFiY2RlZg"
        );
        assert_eq!(TopicId::parse("short"), None);
        assert_eq!(TopicId::parse("MDEyMzQ1Njc4OWFiY2RlZh"), None);
    }
}
