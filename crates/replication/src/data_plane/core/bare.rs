//! Source logs that end in offsets without a record: a cleaner has taken the last ones, and nothing follows yet, or nothing
//! that is committed. A reader of such a log never comes to its end, and no answer says so.
//!
//! Brokers send the first batch that there is whatever the limits of a request are (KIP-74). An answer without any record, of
//! a broker that holds nothing back, therefore says that none of the partitions it was asked for has any. Several in a row
//! count, asked one after the other: the end that was read may be younger than the first question.
//!
//! What is concluded is shown, and ends a comparison that waits for more; nothing is passed over for it. Reading goes on
//! where it was.

use tokio::time::Instant;

use super::super::partition::{Partition, Phase};
use super::{Channel, Core, Index};

/// Answers in a row that have to hold nothing.
const ANSWERS: u32 = 3;

/// Offsets at the end of a source's log at which nothing can be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bare {
    /// Where reading stands.
    from: i64,
    /// The log's end, once it is known that nothing lies before it.
    to: Option<i64>,
    /// Answers in a row that held nothing.
    answers: u32,
}

impl Bare {
    /// An offset as it is to be shown: where nothing can be read behind it, the log's end.
    pub(crate) fn shown(&self, offset: i64) -> i64 {
        let covers = |to: &i64| (self.from..=*to).contains(&offset);
        self.to.filter(covers).unwrap_or(offset)
    }
}

impl Core {
    /// A broker had nothing to send for any partition that it was asked for.
    pub(super) fn nothing_was_read(&mut self, channel: Channel, now: Instant) {
        let behind: Vec<Index> = self.behind.iter().copied().collect();
        for index in behind {
            let Some(partition) = self.partitions.get_mut(&index) else {
                self.behind.remove(&index);
                continue;
            };
            let Some(end) = partition.end_ahead() else {
                self.behind.remove(&index);
                continue;
            };
            let asked = self.readers.get(&channel).and_then(|r| r.asked_of(index));
            if asked != Some((partition.next_fetch, partition.life)) || !partition.is_readable() {
                continue;
            }
            if partition.sees_nothing_before(end) {
                partition.read_to_the_end();
                self.restart_if_written_off(index, now);
            }
        }
    }

    /// Whether more is at the source than was read may have changed.
    pub(super) fn note_end(&mut self, index: Index) {
        let partition = self.partitions.get(&index);
        match partition.and_then(|partition| partition.end_ahead()) {
            Some(_) => self.behind.insert(index),
            None => self.behind.remove(&index),
        };
    }
}

impl Partition {
    /// The source's end, where that lies behind what was read.
    fn end_ahead(&self) -> Option<i64> {
        let (end, _) = self.end?;
        (matches!(self.phase, Phase::Running) && end > self.next_fetch).then_some(end)
    }

    /// One more answer held nothing; whether that is certain by now.
    fn sees_nothing_before(&mut self, end: i64) -> bool {
        if self.bare.from != self.next_fetch {
            self.bare = Bare {
                from: self.next_fetch,
                ..Bare::default()
            };
        }
        self.bare.answers = self.bare.answers.saturating_add(1);
        let certain = self.bare.answers >= ANSWERS;
        // Only cleaners leave such ends. Elsewhere a broker may have reasons of its own to send nothing: its older segments
        // may lie in a slow store.
        if certain && self.placing.compacted {
            self.bare.to = Some(end);
        }
        certain
    }
}
