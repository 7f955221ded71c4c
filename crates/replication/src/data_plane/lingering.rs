//! Records that stay in memory for long, and the answers that they came in.
//!
//! A batch keeps the whole answer alive that it is a slice of. Partitions that a slow broker of the destination leads would each
//! keep others, some megabytes for some kilobytes: a few of them all the memory there is, and then nothing is read for anybody
//! but at that broker's pace. So while memory is short, what will stay for long is copied out of its answer, which leaves with
//! the rest of it.
//!
//! Where at least half of an answer is such records it is kept as it is, for little would be won: what is kept is at most twice what is
//! needed of it. So a link whose whole destination is far away or slow copies nothing.

use std::time::Duration;

use kafka_client::Buffers;
use tokio::time::Instant;

/// What stays so long is worth a copy: as many answers are read meanwhile as there is memory for.
const LONG: Duration = Duration::from_millis(250);

/// For how long the records of a partition stay in memory: those that were acknowledged last did for so long.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stay(Duration);

impl Stay {
    /// What was read at `read_at` is acknowledged.
    pub(crate) fn ends(&mut self, read_at: Option<Instant>, now: Instant) {
        if let Some(read_at) = read_at {
            self.0 = now.saturating_duration_since(read_at);
        }
    }

    /// Whether what is read next will stay for long, by what is known of those before: `oldest` was read first of what is still
    /// there.
    pub(crate) fn is_long(self, oldest: Option<Instant>, now: Instant) -> bool {
        let so_far = oldest.map(|read_at| now.saturating_duration_since(read_at));
        self.0.max(so_far.unwrap_or_default()) >= LONG
    }
}

/// Whether what lingers is to be copied out of an answer, of whose partitions these are the bytes and whether they linger.
pub(crate) fn is_worth_copies(
    partitions: impl Iterator<Item = (usize, bool)>,
    buffers: &Buffers,
) -> bool {
    // Looked at first: mostly it is not, and then nothing is looked up for any partition.
    if buffers.used() <= buffers.limit() / 2 {
        return false;
    }
    let (mut others, mut lingering) = (0, 0);
    for (bytes, lingers) in partitions {
        *(if lingers { &mut lingering } else { &mut others }) += bytes;
    }
    lingering > 0 && lingering < others
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const ANSWER: usize = 64 * 1024;
    const LIMIT: usize = 16 * ANSWER;

    /// Reads 40 answers, if there is memory for so many, each with so many bytes for a broker that takes nothing. How many that
    /// were, how many bytes were copied, and how many are used then.
    fn read(slow: usize, lingers: bool) -> (usize, usize, usize) {
        let buffers = Buffers::new(LIMIT);
        let (mut kept, mut copied) = (Vec::new(), 0);
        while kept.len() < 40 && buffers.reserve(ANSWER).is_some() {
            let answer = buffers.adopt(Bytes::from(vec![7; ANSWER]));
            let mut records = answer.slice(..slow);
            let partitions = [(slow, lingers), (ANSWER - slow, false)];
            if is_worth_copies(partitions.into_iter(), &buffers) {
                records = buffers.copied(&records);
                copied += slow;
            }
            assert_eq!(records, vec![7; slow]);
            kept.push(records);
            // What is for others is acknowledged at once.
            drop(answer);
        }
        (kept.len(), copied, buffers.used())
    }

    #[test]
    fn what_a_slow_broker_has_yet_to_take_does_not_hold_the_memory_that_others_need() {
        // Without copies: a kibibyte each, and no memory is left.
        assert_eq!(read(1024, false), (16, 0, LIMIT));
        // Half of the memory is short; what comes then is only what is needed of it.
        assert_eq!(read(1024, true), (40, 32 * 1024, LIMIT / 2 + 32 * 1024));
    }

    #[test]
    fn what_is_needed_at_least_half_of_is_kept_as_it_is() {
        let half = ANSWER / 2;
        assert_eq!(read(half, true), (16, 0, LIMIT));
        let (_, copied, _) = read(half - 1, true);
        assert!(copied > 0);
    }

    #[test]
    fn long_is_what_stayed_long_last_or_is_there_for_long() {
        let begin = Instant::now();
        let after = |ms| begin + Duration::from_millis(ms);
        let mut stay = Stay::default();
        assert!(!stay.is_long(None, after(9000)));
        assert!(!stay.is_long(Some(begin), after(249)));
        assert!(stay.is_long(Some(begin), after(250)));
        stay.ends(Some(begin), after(3000));
        assert!(stay.is_long(None, after(3000)));
        stay.ends(None, after(3001));
        assert!(stay.is_long(Some(after(3001)), after(3001)));
        stay.ends(Some(after(3000)), after(3010));
        assert!(!stay.is_long(None, after(9000)));
    }
}
