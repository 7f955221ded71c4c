//! Partitions whose destination takes them slowly: what is read of them is taken out of the answers that it came in.
//!
//! A batch keeps the whole answer alive that it is a slice of, and an answer holds batches of many partitions. While a broker
//! of the destination is slow, each of its partitions would keep another answer of some megabytes for some kilobytes; with a
//! few of them that is all the memory there is, and nothing is read for anybody but at the pace of that broker.
//! Where everything is equally slow nobody waits for somebody else, and nothing is copied.

use std::time::Duration;

use super::super::pace::Pace;
use super::super::send_state::SendState;
use super::{Core, Index};

/// What is acknowledged within this time is not worth a copy.
const SLOW: Duration = Duration::from_millis(250);
/// How many times longer than all records together those of a slow partition stay in memory.
const TIMES: usize = 4;

/// What is in memory, and how fast it leaves.
#[derive(Clone, Copy, Debug)]
struct Held {
    bytes: usize,
    /// Bytes in [`SLOW`].
    leaving: usize,
}

impl Held {
    fn new(bytes: usize, pace: &Pace) -> Self {
        Self {
            bytes,
            leaving: pace.bytes_within(SLOW),
        }
    }

    /// Whether this stays much longer than everything does on average.
    fn stays_longer_than(self, all: Self) -> bool {
        // Before a pace is known nothing can be said; and what has not been taken yet at all is what all had when it began.
        let known = self.leaving > 0 && all.leaving > 0;
        let times = self.bytes as u128 * all.leaving as u128;
        let others = all.bytes as u128 * self.leaving as u128;
        known && self.bytes > self.leaving && times > others * TIMES as u128
    }
}

impl Core {
    /// Whether what is read of a partition would be kept from others, with the answers that it comes in.
    pub(super) fn is_sluggish(&self, index: Index) -> bool {
        let partition = self.partitions.get(&index);
        partition.is_some_and(|partition| {
            let bytes = partition.send.as_ref().map_or(0, SendState::bytes);
            let all = self.held.values().sum();
            let own = Held::new(bytes, &partition.pace);
            own.stays_longer_than(Held::new(all, &self.meter.pace))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_is_what_stays_much_longer_than_everything_does() {
        let check = |own: (usize, usize), all: (usize, usize), expected: bool| {
            let held = |(bytes, leaving)| Held { bytes, leaving };
            assert_eq!(
                held(own).stays_longer_than(held(all)),
                expected,
                "{own:?} of {all:?}"
            );
        };
        let (kib, mib) = (1024, 1024 * 1024);
        // A slow broker beside a fast one.
        check((256 * kib, 20 * kib), (10 * mib, 100 * mib), true);
        // A narrow line for all alike.
        check((256 * kib, 100 * kib), (100 * mib, 40 * mib), false);
        // Taken in no time, however fast the others are.
        check((256 * kib, 300 * kib), (mib, 1000 * mib), false);
        // Nothing is known yet.
        check((256 * kib, 0), (10 * mib, 100 * mib), false);
        check((256 * kib, 20 * kib), (10 * mib, 0), false);
    }
}
