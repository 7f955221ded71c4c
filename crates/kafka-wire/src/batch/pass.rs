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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, RawBatch};

    fn judge(builder: &BatchBuilder, limits: &PassLimits) -> Passage {
        passage(RawBatch::parse(builder.build()).unwrap().info(), limits)
    }

    /// Ten records at offsets 100..=109.
    fn ten() -> BatchBuilder {
        BatchBuilder::new(100).records((0..10).map(|_| (None, Some(&b"value"[..]))))
    }

    fn blocked(builder: &BatchBuilder, limits: &PassLimits) -> String {
        match judge(builder, limits) {
            Passage::Blocked(obstacle) => obstacle.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_full_batch_passes_in_every_codec_and_with_every_unused_bit() {
        for bits in [0, 1, 2, 3, 4, 0x08, 0x10, 0x40, 0x7f80_u16 as i16] {
            let batch = ten().attributes(bits);
            assert_eq!(
                judge(&batch, &PassLimits::default()),
                Passage::Untouched,
                "{bits:#x}"
            );
        }
    }

    #[test]
    fn control_and_emptied_batches_are_dropped_and_no_obstacle() {
        let limits = PassLimits {
            max_message_bytes: Some(1),
            ..PassLimits::default()
        };
        let control = ten().attributes(0x20);
        assert_eq!(judge(&control, &limits), Passage::Drop(Dropped::Control));
        let emptied = BatchBuilder::new(0).last_offset_delta(9);
        assert_eq!(judge(&emptied, &limits), Passage::Drop(Dropped::Empty));
    }

    #[test]
    fn the_limit_of_size_counts_the_whole_batch() {
        let size = u32::try_from(ten().build().len()).unwrap();
        let limit = |bytes| PassLimits {
            max_message_bytes: Some(bytes),
            ..PassLimits::default()
        };
        assert_eq!(judge(&ten(), &limit(size)), Passage::Untouched);
        let expected = Obstacle::TooLarge {
            size,
            limit: size - 1,
        };
        assert_eq!(judge(&ten(), &limit(size - 1)), Passage::Blocked(expected));
    }

    #[test]
    fn a_start_inside_a_batch_is_an_obstacle_and_one_behind_it_drops_it() {
        let from = |offset| PassLimits {
            first_offset: Some(offset),
            ..PassLimits::default()
        };
        assert_eq!(judge(&ten(), &from(100)), Passage::Untouched);
        assert_eq!(
            judge(&ten(), &from(110)),
            Passage::Drop(Dropped::BeforeStart)
        );
        for first_offset in [101, 109] {
            let expected = Obstacle::BeginsBefore {
                base_offset: 100,
                first_offset,
            };
            assert_eq!(
                judge(&ten(), &from(first_offset)),
                Passage::Blocked(expected)
            );
        }
    }

    #[test]
    fn obstacles_name_numbers_and_say_what_would_help() {
        let limits = PassLimits {
            max_message_bytes: Some(100),
            ..PassLimits::default()
        };
        assert_eq!(
            blocked(&ten(), &limits),
            "the batch has 181 bytes, the destination topic's max.message.bytes is 100; \
             raise it to at least 181"
        );
        assert_eq!(
            blocked(&ten().last_offset_delta(11), &limits),
            "compaction left 10 of 12 records in the batch; \
             brokers accept only batches without holes, so it has to be decoded"
        );
        assert_eq!(
            blocked(&ten().last_offset_delta(8), &limits),
            "the batch claims 10 records on 9 offsets, which no broker writes; \
             the source is damaged here"
        );
        assert_eq!(
            blocked(&ten().attributes(5), &limits),
            "the batch is compressed with codec number 5, which Kafka does not know"
        );
        let old = LegacyEntry {
            magic: 1,
            offset: 0,
            size: 40,
            bytes: bytes::Bytes::new(),
        }
        .obstacle();
        assert_eq!(
            old.to_string(),
            "the records are in the old message format 1; brokers accept only format 2"
        );
    }
}
