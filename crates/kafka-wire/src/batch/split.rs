//! Cuts the record set of one partition of a fetch answer into batches, without copying.
//!
//! The last batch of an answer may be cut off anywhere, also inside its first 12 bytes: brokers
//! fill an answer up to a number of bytes. That ends the iteration normally and shows in
//! [`Batches::cut_off`]. Entries of the formats before magic 2 are recognised and passed by, so that
//! the caller can say what it met. Anything else that makes no sense is a [`SplitError`] with its
//! place, and ends the iteration: behind a length that cannot be believed nothing can be found.
//!
//! Memory is never reserved by a claimed length: a batch is a slice of the bytes that are there.

use bytes::Bytes;

use super::header::{BatchHeader, BatchInfo, HeaderProblem};
use super::{HEADER_SIZE, LENGTH_END, MAGIC_POSITION};
use crate::types::Offset;

/// A message of magic 0 without key and value: crc, magic, attributes and two lengths. Shorter
/// entries exist in no format.
const SMALLEST_LEGACY_LENGTH: i32 = 14;

/// One whole batch with magic 2, and the checked content of its header. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RawBatch {
    bytes: Bytes,
    info: BatchInfo,
}

impl RawBatch {
    /// Takes bytes that are exactly one batch.
    ///
    /// # Errors
    /// [`SplitError`] where they are not: also where bytes are missing or left over.
    pub fn parse(bytes: Bytes) -> Result<Self, SplitError> {
        let at_start = |problem| SplitError {
            position: 0,
            problem,
        };
        let length = bytes.len();
        let Some(header) = BatchHeader::of(&bytes) else {
            return Err(at_start(SplitProblem::NotOneBatch {
                available: length,
                claimed: None,
            }));
        };
        let info = header.check().map_err(|problem| at_start(problem.into()))?;
        if info.size as usize != length {
            let claimed = Some(info.size);
            return Err(at_start(SplitProblem::NotOneBatch {
                available: length,
                claimed,
            }));
        }
        Ok(Self { bytes, info })
    }

    /// The whole batch.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The checked content of the header.
    #[inline]
    #[must_use]
    pub fn info(&self) -> &BatchInfo {
        &self.info
    }

    /// The header's bytes.
    #[inline]
    #[must_use]
    pub fn header_bytes(&self) -> &[u8; HEADER_SIZE] {
        self.bytes
            .first_chunk()
            .expect("a batch has at least its header")
    }

    /// The header as a view.
    #[inline]
    #[must_use]
    pub fn header(&self) -> BatchHeader<'_> {
        BatchHeader::new(self.header_bytes())
    }

    /// What follows the header, sharing the memory of the whole.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(HEADER_SIZE..)
    }
}

/// An entry in one of the formats before magic 2 (a message, or a compressed wrapper of several).
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LegacyEntry {
    /// 0 or 1.
    pub magic: u8,
    /// Its offset; of a compressed wrapper that of its *last* message.
    pub offset: Offset,
    /// Bytes of the entry, its 12 leading ones included.
    pub size: u32,
    /// The whole entry, sharing the memory of the record set.
    pub bytes: Bytes,
}

/// What stands in a record set.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A batch that can be looked at and passed on.
    Batch(RawBatch),
    /// An entry in an old format.
    Legacy(LegacyEntry),
}

/// A place in a record set that cannot be read. Nothing behind it can be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("record set not readable at byte {position}: {problem}")]
pub struct SplitError {
    /// Where the entry begins, in bytes from the record set's start.
    pub position: usize,
    /// What is wrong there.
    pub problem: SplitProblem,
}

/// What can be wrong with an entry of a record set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SplitProblem {
    /// The header contradicts itself.
    #[error(transparent)]
    Header(#[from] HeaderProblem),
    /// Bytes that should be one batch are fewer or more.
    #[error("{available} bytes where one whole batch was expected{}", claim(*.claimed))]
    NotOneBatch {
        /// Bytes given.
        available: usize,
        /// Size by the header, if there is one.
        claimed: Option<u32>,
    },
}

fn claim(claimed: Option<u32>) -> String {
    claimed.map_or_else(String::new, |size| format!("; its header says {size}"))
}

/// The last entry of a record set whose end is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CutOff {
    /// Where it begins, in bytes from the record set's start.
    pub position: usize,
    /// Bytes of it that are there.
    pub available: usize,
    /// Bytes the whole has by its own claim; `None` where even that was cut off.
    ///
    /// A caller that met *no* whole batch can learn from this what to ask for. It is a peer's
    /// claim: hold it against a limit before reserving memory.
    pub claimed: Option<u32>,
}

/// Iterates over the entries of one partition's record set. Ends at the first error, and at a
/// cut-off entry.
#[derive(Clone, Debug)]
pub struct Batches {
    rest: Bytes,
    position: usize,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug)]
enum End {
    CutOff { claimed: Option<u32> },
    Unreadable,
}

impl Batches {
    /// Begins at the front of `record_set`, which may be empty.
    #[must_use]
    pub fn new(record_set: Bytes) -> Self {
        Self {
            rest: record_set,
            position: 0,
            end: None,
        }
    }

    /// Bytes not yet handed out: after the iteration, what belongs to a cut-off or unreadable entry.
    #[must_use]
    pub fn remainder(&self) -> &Bytes {
        &self.rest
    }

    /// The entry whose end is missing, once the iteration has met it.
    #[must_use]
    pub fn cut_off(&self) -> Option<CutOff> {
        match self.end {
            Some(End::CutOff { claimed }) => Some(CutOff {
                position: self.position,
                available: self.rest.len(),
                claimed,
            }),
            Some(End::Unreadable) | None => None,
        }
    }

    /// Whether the iteration has ended at an entry whose end is missing.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.cut_off().is_some()
    }

    fn cut(&mut self, claimed: Option<u32>) -> Option<Result<Entry, SplitError>> {
        self.end = Some(End::CutOff { claimed });
        None
    }

    fn unreadable(&mut self, problem: HeaderProblem) -> Option<Result<Entry, SplitError>> {
        self.end = Some(End::Unreadable);
        Some(Err(SplitError {
            position: self.position,
            problem: problem.into(),
        }))
    }

    fn take(&mut self, size: u32) -> Bytes {
        self.position += size as usize;
        self.rest.split_to(size as usize)
    }
}

impl Iterator for Batches {
    type Item = Result<Entry, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end.is_some() || self.rest.is_empty() {
            return None;
        }
        // The order of the questions matters: each uses only bytes that were found to be there.
        let Some(start) = self.rest.first_chunk::<LENGTH_END>() else {
            return self.cut(None);
        };
        let [o0, o1, o2, o3, o4, o5, o6, o7, l0, l1, l2, l3] = *start;
        let offset = i64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
        let length = i32::from_be_bytes([l0, l1, l2, l3]);
        if length < SMALLEST_LEGACY_LENGTH {
            return self.unreadable(HeaderProblem::TooShort {
                length,
                smallest: SMALLEST_LEGACY_LENGTH,
            });
        }
        let size = length.unsigned_abs() + LENGTH_END as u32;
        let is_whole = self.rest.len() >= size as usize;
        match self.rest.get(MAGIC_POSITION).map(|&byte| byte as i8) {
            None => self.cut(Some(size)),
            Some(magic @ (0 | 1)) => {
                if !is_whole {
                    return self.cut(Some(size));
                }
                Some(Ok(Entry::Legacy(LegacyEntry {
                    magic: magic.unsigned_abs(),
                    offset,
                    size,
                    bytes: self.take(size),
                })))
            }
            Some(super::MAGIC) => {
                // A cut-off header is as normal as a cut-off payload; but a length that no batch
                // can have is not a cut.
                if length < super::SMALLEST_BATCH_LENGTH {
                    let smallest = super::SMALLEST_BATCH_LENGTH;
                    return self.unreadable(HeaderProblem::TooShort { length, smallest });
                }
                if !is_whole {
                    return self.cut(Some(size));
                }
                let Some(header) = BatchHeader::of(&self.rest) else {
                    return self.cut(Some(size));
                };
                match header.check() {
                    Ok(info) => {
                        let bytes = self.take(size);
                        Some(Ok(Entry::Batch(RawBatch { bytes, info })))
                    }
                    Err(problem) => self.unreadable(problem),
                }
            }
            Some(magic) => self.unreadable(HeaderProblem::UnknownMagic { magic }),
        }
    }
}

impl std::iter::FusedIterator for Batches {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuilder;

    /// A whole batch, then one whose bytes `change` has damaged.
    fn second(change: impl FnOnce(&mut Vec<u8>)) -> (Batches, usize) {
        let whole = BatchBuilder::new(7).record(None, Some(b"value")).build();
        let mut damaged = whole.to_vec();
        change(&mut damaged);
        let mut batches = Batches::new([&whole[..], &damaged].concat().into());
        assert!(matches!(batches.next(), Some(Ok(Entry::Batch(_)))));
        (batches, whole.len())
    }

    fn check_unreadable(change: impl FnOnce(&mut Vec<u8>), expected: HeaderProblem) {
        let (mut batches, position) = second(change);
        let problem = SplitProblem::Header(expected);
        assert_eq!(
            batches.next().unwrap().unwrap_err(),
            SplitError { position, problem }
        );
        assert!(batches.next().is_none(), "nothing can be found behind it");
        assert!(!batches.is_cut_off());
        assert!(!batches.remainder().is_empty());
    }

    fn set_length(batch: &mut [u8], length: i32) {
        batch[8..12].copy_from_slice(&length.to_be_bytes());
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        check_unreadable(|b| b[16] = 3, HeaderProblem::UnknownMagic { magic: 3 });
        check_unreadable(
            |b| b[16] = 0x80,
            HeaderProblem::UnknownMagic { magic: -128 },
        );
        for (length, smallest) in [
            (i32::MIN, 14),
            (-1, 14),
            (0, 14),
            (13, 14),
            (14, 49),
            (48, 49),
        ] {
            let expected = HeaderProblem::TooShort { length, smallest };
            check_unreadable(|b| set_length(b, length), expected);
        }
        let delta = HeaderProblem::NegativeDelta {
            last_offset_delta: -256,
        };
        check_unreadable(|b| b[23..26].fill(0xff), delta);
        let (error, _) = second(|b| set_length(b, -5));
        assert_eq!(
            error.last().unwrap().unwrap_err().to_string(),
            "record set not readable at byte 73: \
             a length of -5 bytes is claimed; the format needs at least 14"
        );
    }

    #[test]
    fn a_length_that_no_batch_can_have_is_not_taken_for_a_cut() {
        // The entry ends before its claimed length does, and before its header does.
        let (mut batches, position) = second(|b| {
            set_length(b, 48);
            b.truncate(30);
        });
        let expected = HeaderProblem::TooShort {
            length: 48,
            smallest: 49,
        };
        let problem = SplitProblem::Header(expected);
        assert_eq!(
            batches.next().unwrap().unwrap_err(),
            SplitError { position, problem }
        );
    }

    #[test]
    fn a_claim_of_two_gigabytes_is_only_a_cut() {
        let (mut batches, position) = second(|b| set_length(b, i32::MAX));
        assert!(batches.next().is_none());
        let expected = CutOff {
            position,
            available: position,
            claimed: Some(0x8000_000b),
        };
        assert_eq!(batches.cut_off(), Some(expected));
    }

    #[test]
    fn a_cut_within_the_first_bytes_claims_nothing() {
        for (length, claimed) in [(1, None), (11, None), (12, Some(73)), (60, Some(73))] {
            let (mut batches, position) = second(|b| b.truncate(length));
            assert!(batches.next().is_none());
            let expected = CutOff {
                position,
                available: length,
                claimed,
            };
            assert_eq!(batches.cut_off(), Some(expected));
        }
    }

    #[test]
    fn an_empty_set_has_no_batch_and_no_cut() {
        let mut batches = Batches::new(Bytes::new());
        assert!(batches.next().is_none());
        assert!(!batches.is_cut_off());
    }

    #[test]
    fn one_batch_is_exactly_one_batch() {
        let whole = BatchBuilder::new(7).record(None, Some(b"value")).build();
        assert_eq!(
            RawBatch::parse(whole.clone()).unwrap().payload(),
            whole[HEADER_SIZE..]
        );
        let cases = [
            (
                whole.slice(..60),
                "60 bytes where one whole batch was expected",
            ),
            (
                whole.slice(..72),
                "72 bytes where one whole batch was expected; its header says 73",
            ),
            (
                [&whole[..], &[0]].concat().into(),
                "74 bytes where one whole batch was expected; its header says 73",
            ),
        ];
        for (bytes, expected) in cases {
            let error = RawBatch::parse(bytes).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("record set not readable at byte 0: {expected}")
            );
        }
    }
}
