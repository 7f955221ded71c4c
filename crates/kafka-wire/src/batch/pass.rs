//! Whether a batch can be written to the destination as it is, judged by its header alone.
//!
//! A broker assigns consecutive offsets to the records of a batch, so it refuses one whose record
//! count does not fill its offsets, and also one that is too large or in a codec it does not know.
//! Such a batch must be decoded and encoded again, or its partition stops; the [`Obstacle`] says
//! why, in a sentence for whoever operates the link.
//!
//! Deliberately absent: what only the broker can find (records without a key for a compacted
//! topic, times outside its window, inner deltas with holes). Those come back as an answer.

use super::header::{BatchInfo, Codec};
use super::split::LegacyEntry;
use crate::types::Offset;

/// What the destination, and the link, demand of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PassLimits {
    /// The destination topic's `max.message.bytes`, in bytes; `None` where it is not known.
    pub max_message_bytes: Option<u32>,
    /// Where the copy begins: records before this offset must not be written. `None` where a batch
    /// that begins earlier may pass whole.
    pub first_offset: Option<Offset>,
    /// Whether append times of the source must be exact. An untouched batch shows the times of its
    /// producers instead.
    pub keep_append_time: bool,
}

/// What can be done with a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Passage {
    /// It passes with a new header.
    Untouched,
    /// There is nothing to write; reading goes on behind it.
    Drop(Dropped),
    /// It cannot pass as it is.
    Blocked(Obstacle),
}

/// Why there is nothing to write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dropped {
    /// A broker's own bookkeeping, which no client may write.
    Control,
    /// Compaction has removed all of its records.
    Empty,
    /// All of it lies before the first wanted offset.
    BeforeStart,
}

/// Why a batch cannot pass as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Obstacle {
    /// Compaction has removed some of its records.
    #[error(
        "compaction left {records} of {offsets} records in the batch; \
         brokers accept only batches without holes, so it has to be decoded"
    )]
    Thinned {
        /// Records that are left.
        records: u32,
        /// Offsets the batch covers.
        offsets: u32,
    },
    /// More records than offsets: no broker writes this.
    #[error(
        "the batch claims {records} records on {offsets} offsets, which no broker writes; \
         the source is damaged here"
    )]
    Overfull {
        /// Records by the header.
        records: u32,
        /// Offsets by the header.
        offsets: u32,
    },
    /// Larger than the destination takes.
    #[error(
        "the batch has {size} bytes, the destination topic's max.message.bytes is {limit}; \
         raise it to at least {size}"
    )]
    TooLarge {
        /// Bytes of the batch, header included.
        size: u32,
        /// What the destination takes, in bytes.
        limit: u32,
    },
    /// No broker accepts it.
    #[error("the batch is compressed with codec number {codec}, which Kafka does not know")]
    UnknownCodec {
        /// Attribute bits 0–2.
        codec: u8,
    },
    /// The copy begins inside the batch.
    #[error(
        "the batch begins at offset {base_offset}, before the first wanted offset {first_offset}; \
         it has to be decoded and trimmed"
    )]
    BeginsBefore {
        /// Where the batch begins.
        base_offset: Offset,
        /// Where the copy begins.
        first_offset: Offset,
    },
    /// Append times were asked for.
    #[error("the batch has broker append times, which only a decoded copy keeps")]
    AppendTime,
    /// Kafka before 0.11, or a topic with an old `message.format.version`.
    #[error("the records are in the old message format {magic}; brokers accept only format 2")]
    LegacyFormat {
        /// 0 or 1.
        magic: u8,
    },
}

impl LegacyEntry {
    /// Why the entry cannot pass as it is.
    #[must_use]
    pub fn obstacle(&self) -> Obstacle {
        Obstacle::LegacyFormat { magic: self.magic }
    }
}

/// Judges a batch. Data of aborted transactions must have been dropped before.
#[must_use]
pub fn passage(info: &BatchInfo, limits: &PassLimits) -> Passage {
    if info.attributes.is_control() {
        return Passage::Drop(Dropped::Control);
    }
    if info.records == 0 {
        return Passage::Drop(Dropped::Empty);
    }
    if limits
        .first_offset
        .is_some_and(|first| info.last_offset < first)
    {
        return Passage::Drop(Dropped::BeforeStart);
    }
    obstacle(info, limits).map_or(Passage::Untouched, Passage::Blocked)
}

/// The first obstacle; those that raising a limit cannot remove come first.
fn obstacle(info: &BatchInfo, limits: &PassLimits) -> Option<Obstacle> {
    let (records, offsets, size) = (info.records, info.offsets(), info.size);
    if let Codec::Unknown(codec) = info.attributes.codec() {
        return Some(Obstacle::UnknownCodec { codec });
    }
    if records > offsets {
        return Some(Obstacle::Overfull { records, offsets });
    }
    if records < offsets {
        return Some(Obstacle::Thinned { records, offsets });
    }
    if let Some(first_offset) = limits
        .first_offset
        .filter(|&first| info.base_offset < first)
    {
        return Some(Obstacle::BeginsBefore {
            base_offset: info.base_offset,
            first_offset,
        });
    }
    if limits.keep_append_time && info.attributes.has_log_append_time() {
        return Some(Obstacle::AppendTime);
    }
    let limit = limits.max_message_bytes.filter(|&limit| size > limit)?;
    Some(Obstacle::TooLarge { size, limit })
}
