//! How much is read of a partition at a time while others of its group are compared too: little at first. One of which more has to
//! be read waits until there is room for that, and keeps it until it is compared: what was read is in memory for so long.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes of one answer about one partition.
pub(super) const MOST: i32 = 1024 * 1024;
/// Room that there is for all of a group.
const ALL: u32 = 8;
/// Bytes of an answer, and the room that takes. The last takes all: what has to be read may be many answers.
const STEPS: [(i32, u32); 4] = [(4 * 1024, 0), (32 * 1024, 0), (256 * 1024, 1), (MOST, ALL)];

/// Room for partitions of a group.
#[derive(Debug)]
pub(super) struct Rooms(Semaphore);

impl Rooms {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(ALL as usize))
    }

    /// Room for one that begins to be compared.
    pub(super) fn one(&self) -> Room<'_> {
        Room {
            of: Some(&self.0),
            step: 0,
            held: None,
        }
    }
}

/// What one of them has.
#[derive(Debug)]
pub(in super::super) struct Room<'a> {
    of: Option<&'a Semaphore>,
    step: usize,
    held: Option<SemaphorePermit<'a>>,
}

impl Room<'_> {
    /// Room for one that is read while no others are.
    pub(in super::super) fn alone() -> Self {
        Self {
            of: None,
            step: STEPS.len() - 1,
            held: None,
        }
    }

    /// Bytes that an answer may have.
    pub(super) fn bytes(&self) -> i32 {
        STEPS[self.step].0
    }

    /// Takes more room, if there is more to be had.
    pub(super) async fn grow(&mut self) {
        let Some((_, room)) = STEPS.get(self.step + 1) else {
            return;
        };
        self.step += 1;
        // Nobody waits for room that it keeps from itself.
        self.held = None;
        if let Some(of) = self.of {
            // It is never closed.
            self.held = of.acquire_many(*room).await.ok();
        }
    }

    /// Takes as much as an answer of this size needs.
    pub(super) async fn at_least(&mut self, bytes: i32) {
        while self.bytes() < bytes.min(MOST) {
            self.grow().await;
        }
    }

    /// Bytes to ask for where something larger than this was left out.
    pub(super) async fn more_than(&mut self, bytes: i32) -> i32 {
        if self.bytes() <= bytes {
            self.grow().await;
        }
        self.bytes().max(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::together::all;
    use super::*;

    #[tokio::test]
    async fn many_read_little_a_few_read_more_and_one_reads_much() {
        let most_of_them = [
            (1, 100),
            (30_000, 100),
            (200_000, 8),
            (1_000_000, 1),
            (i32::MAX, 1),
        ];
        for (bytes, at_once) in most_of_them {
            let rooms = Rooms::new();
            let (now, at_most) = (Cell::new(0), Cell::new(0));
            let (rooms, reading, most) = (&rooms, &now, &at_most);
            let each = (0..100).map(|_| async move {
                let mut room = rooms.one();
                room.at_least(bytes).await;
                assert!(room.bytes() >= bytes.min(MOST));
                reading.set(reading.get() + 1);
                most.set(most.get().max(reading.get()));
                tokio::task::yield_now().await;
                reading.set(reading.get() - 1);
            });
            all(each).await;
            assert_eq!(most.get(), at_once, "{bytes}");
        }
    }

    #[tokio::test]
    async fn what_was_left_out_is_asked_for_with_more_until_there_is_no_more() {
        let rooms = Rooms::new();
        let mut room = rooms.one();
        let mut asked = vec![2048];
        for _ in 0..5 {
            let before = asked[asked.len() - 1];
            asked.push(room.more_than(before).await);
        }
        assert_eq!(asked, [2048, 4096, 32_768, 262_144, MOST, MOST]);
        assert_eq!(Room::alone().more_than(1).await, MOST);
    }
}
