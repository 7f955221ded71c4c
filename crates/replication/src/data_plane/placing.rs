//! What a partition needs to know, beside its position, to give records the offsets they have at the
//! source (pure).

use bytes::Bytes;
use kafka_wire::batch::{BatchInfo, Codec, RawBatch};
use kafka_wire::record::{BatchEncoder, BatchOptions, Compression, Record};
use tokio::time::Instant;

use super::piped::PipedBatch;

/// Records of a filler batch: about 59 KB compressed, whatever has to be padded.
const FILLER_RECORDS: i64 = 100_000;
/// Where the destination takes only small batches.
const FILLER_RECORDS_SMALL: i64 = 1_000;
/// The most bytes that a filler batch of the larger number has.
const FILLER_BYTES: u32 = 64 * 1024;
/// Old enough that the first real batch begins a new segment, and the filler's goes at the next look of
/// the destination's retention.
const FILLER_TIME: i64 = 1;
/// Filler batches that wait at a time.
pub(crate) const FILLERS_WAITING: usize = 5;

/// How batches are judged where offsets are preserved; the same until something is pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PlaceRules {
    /// A batch that begins here or behind it passes whole, also where reading began inside it.
    pub(crate) whole_from: i64,
    /// Holes of compaction are filled with copies of the next record.
    pub(crate) copies: bool,
    /// Control records and aborted data leave gaps for markers.
    pub(crate) markers: bool,
    /// Batches with holes are divided into runs of records.
    pub(crate) runs: bool,
    /// From where on nothing stands yet, where that is before the offset that is read next.
    pub(crate) pending: Option<i64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Placing {
    /// Whether the destination's cleaner removes copies.
    pub(crate) compacted: bool,
    /// Whether records may be deleted in front.
    pub(crate) deletes: bool,
    /// Whether markers were refused: copies have to do.
    pub(crate) no_markers: bool,
    /// Whether a marker of this owner stands, so that those of earlier ones are refused.
    pub(crate) fenced: bool,
    /// From where on nothing stands yet although it was read: a hole that waits for the next record.
    pub(crate) pending: Option<i64>,
    /// Log starts, as of the newest readings.
    pub(crate) source_start: i64,
    pub(crate) destination_start: i64,
    /// What was acknowledged when the logs were looked at last.
    pub(crate) asked_behind: i64,
    /// Whether the destination's start is being moved.
    pub(crate) trimming: bool,
    /// Whether it was said that it cannot be moved.
    pub(crate) trim_refused: bool,
    /// Why offsets are mapped, or how they came to be preserved.
    pub(crate) reason: String,
    /// Why they are mapped after all, of a partition in which nothing but padding was known to be.
    pub(crate) given_up: Option<String>,
    /// Up to where the destination's log is padding that nothing follows, and that has to be deleted all the same.
    pub(crate) left_over: Option<i64>,
}

/// Something was sent whose outcome is not known, and which a broker may still carry out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Doubt {
    /// Oldest of the newest times of its batches; the smallest number for markers, which are not
    /// recognised when they come again.
    pub(crate) record_time: i64,
    /// The second reading is not before this.
    pub(crate) until: Instant,
    /// The end that the first reading found.
    pub(crate) seen: Option<i64>,
}

/// Makes batches that only use up offsets.
#[derive(Debug, Default)]
pub(crate) struct Filler {
    /// Of the larger number of records, without and with keys.
    full: [Option<RawBatch>; 2],
}

impl Filler {
    /// A batch for the offsets from `from` on, not beyond `to`. With keys where the topic is compacted:
    /// brokers take no others there.
    pub(crate) fn batch(
        &mut self,
        from: i64,
        to: i64,
        keyed: bool,
        limit: Option<u32>,
    ) -> PipedBatch {
        let most = match limit {
            Some(limit) if limit < FILLER_BYTES => FILLER_RECORDS_SMALL,
            _ => FILLER_RECORDS,
        };
        let count = most.min(to - from);
        let batch = if count == FILLER_RECORDS {
            self.full[usize::from(keyed)]
                .get_or_insert_with(|| encode(count, keyed))
                .clone()
        } else {
            encode(count, keyed)
        };
        PipedBatch::filler(batch, from)
    }
}

/// Whether a stored batch only uses up offsets, where it is of the link's own.
pub(crate) fn is_filler(info: &BatchInfo) -> bool {
    info.max_timestamp == FILLER_TIME && info.attributes.codec() == Codec::Zstd
}

fn encode(count: i64, keyed: bool) -> RawBatch {
    let mut encoder = BatchEncoder::new();
    let key: Option<&[u8]> = keyed.then_some(b"");
    for offset in 0..count {
        let record = Record::new(offset, FILLER_TIME, key, None, Default::default());
        encoder
            .push(&record)
            .expect("a few bytes each, far below the format's bounds");
    }
    let compression = Compression::new(Codec::Zstd).unwrap_or(Compression::NONE);
    let made = encoder.finish(&BatchOptions::new(compression));
    let batch = made.expect("there is at least one record").batch;
    // Whoever keeps it counts its bytes.
    RawBatch::parse(Bytes::copy_from_slice(batch.bytes())).expect("the same bytes were made here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filler_uses_up_exactly_the_offsets_it_is_asked_for_and_is_small() {
        let mut filler = Filler::default();
        let (mut from, to) = (7, 250_007);
        let mut sizes = Vec::new();
        while from < to {
            let batch = filler.batch(from, to, false, None);
            assert_eq!(batch.first_offset(), from);
            assert_eq!(batch.offsets(), i64::from(batch.batch.info().records));
            assert_eq!(batch.batch.header().max_timestamp(), FILLER_TIME);
            assert!(batch.is_filler());
            from = batch.next;
            sizes.push(batch.size());
        }
        assert_eq!(from, to);
        assert_eq!(sizes.len(), 3);
        assert!(
            sizes.iter().all(|size| *size < FILLER_BYTES as usize),
            "{sizes:?}"
        );
        let small = filler.batch(0, 250_000, true, Some(10_000));
        assert!(small.size() < 10_000, "{}", small.size());
    }
}
