//! How much of a partition is asked for, so that an answer ends where a batch ends (pure).
//!
//! A broker cuts an answer at the bytes that were asked for, wherever that is, and what is there of the last batch is thrown away
//! and read again: half a batch on average, and up to half of everything where two do not quite fit. So as many whole batches are
//! asked for as fit, by the size that they had in the answer before, and a little more, because they differ.

/// The size of a partition's batches.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BatchSize {
    /// Mean of the newest answer with whole batches, in bytes; 0 before one.
    mean: usize,
}

impl BatchSize {
    /// An answer held so many whole batches, of so many bytes together.
    pub(crate) fn note(&mut self, (count, bytes): (usize, usize)) {
        if let Some(mean) = bytes.checked_div(count) {
            self.mean = mean;
        }
    }

    /// Bytes of a batch; 0 before one was read.
    pub(crate) fn mean(self) -> usize {
        self.mean
    }

    /// What to ask for where `most` bytes may be asked for: at least half of it.
    pub(crate) fn whole(self, most: i32) -> i32 {
        let limit = usize::try_from(most).unwrap_or_default();
        let Some(count) = limit.checked_div(self.mean).filter(|count| *count > 0) else {
            return most;
        };
        let bytes = count * self.mean + self.mean / 16;
        i32::try_from(bytes.min(limit)).unwrap_or(most)
    }
}

/// The most of an answer that holds whole shares of its partitions, by the largest of them; all of it where not one fits.
pub(crate) fn whole_shares(answer: i32, share: i32) -> i32 {
    let whole = answer.checked_div(share).map(|count| count * share);
    whole.filter(|whole| *whole > 0).unwrap_or(answer)
}

/// Largest answer asked for, and one that always may be.
const LARGEST: usize = framed(8 * 1024 * 1024);
const LEAST: usize = 64 * 1024;

/// What may be asked for where there is so much memory: an eighth of it leaves room for several answers, and for what is queued.
pub(crate) fn answer_within(memory: usize) -> usize {
    answer_of(memory / 8)
}

/// What is asked for at a time of partitions that are current: memory for so little is had without waiting for those who need much.
pub(crate) fn answer_of_tails(memory: usize) -> i32 {
    bytes_of(answer_of(memory / 64))
}

/// What each of so many readers may ask for: it has to leave memory to the others, and what is made anew of an answer comes on top
/// of it. Reserved are powers of two; a little more than one would take the next.
pub(crate) fn answer_of_each(memory: usize, readers: usize) -> i32 {
    let part = memory / 2 / readers.max(4);
    bytes_of(answer_of(1 << part.max(1).ilog2()))
}

fn bytes_of(answer: usize) -> i32 {
    i32::try_from(answer).unwrap_or(i32::MAX)
}

/// What an answer may hold for which a buffer of this size is meant.
fn answer_of(buffer: usize) -> usize {
    framed(buffer).clamp(LEAST, LARGEST)
}

/// What of a buffer records may take, so that it has room for what an answer says besides. Buffers have sizes of powers of two: a
/// little more would take one of twice the size.
const fn framed(buffer: usize) -> usize {
    buffer - buffer / 64
}

#[cfg(test)]
mod tests {
    use super::{BatchSize, LARGEST, LEAST, answer_of_each, answer_within, framed, whole_shares};

    #[test]
    fn an_answer_fits_a_buffer_with_what_it_says_besides() {
        let mib = 1024 * 1024;
        for (memory, buffer) in [(16, 2), (64, 8), (128, 8), (4096, 8)] {
            let bytes = answer_within(memory * mib);
            assert_eq!(
                (bytes, bytes.next_power_of_two()),
                (framed(buffer * mib), buffer * mib)
            );
        }
        assert_eq!(answer_within(0), 64 * 1024);
        // A power of two, of which the readers take no more than half together.
        for (memory, readers, bytes) in [
            (128, 1, LARGEST),
            (128, 7, LARGEST),
            (128, 8, LARGEST),
            (128, 9, framed(4 * mib)),
            (100, 4, framed(8 * mib)),
            (1, 1000, LEAST),
            (0, 1, LEAST),
        ] {
            let each = usize::try_from(answer_of_each(memory * mib, readers));
            assert_eq!(each, Ok(bytes), "{memory} MiB, {readers} readers");
        }
    }

    #[test]
    fn an_answer_ends_where_a_share_ends() {
        for (answer, share, expected) in [
            (300, 52, 260),
            (300, 300, 300),
            (300, 400, 300),
            (300, 0, 300),
        ] {
            assert_eq!(whole_shares(answer, share), expected, "{answer}, {share}");
        }
    }

    #[test]
    fn as_many_batches_are_asked_for_as_fit_and_at_least_half_of_what_may_be() {
        for (mean, most, expected) in [
            (0, 75_000, 75_000),
            (49_000, 75_000, 52_062),
            (64_000, 1_048_576, 1_028_000),
            // Nothing fits: the broker answers with a whole one if it is the first.
            (80_000, 75_000, 75_000),
            // No more than may be.
            (74_000, 75_000, 75_000),
            (100, 75_000, 75_000),
        ] {
            let mut size = BatchSize::default();
            size.note((3, mean * 3));
            size.note((0, 0));
            let asked = size.whole(most);
            assert_eq!(asked, expected, "{mean} of {most}");
            assert!(i64::from(asked) * 2 >= i64::from(most));
        }
    }
}
