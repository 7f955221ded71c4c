//! Batches of this link that a broker carries out late, after it has forgotten their first copies: it does that with writers
//! of old records, and then no refusal and no stop shows it. What shows it is that the log goes on further than what was written
//! (pure).
//!
//! ```text
//!   known end          answered
//!      │ ── stretch ── │ [the batch that was sent]
//!        whose is that?
//! ```
//!
//! Others may write to a partition whose offsets are mapped, so such a stretch is nothing out of the ordinary. Who wrote it is
//! looked up beside the copying, and second copies are reported with their exact range. Where offsets are preserved every
//! stretch stops the partition at once, and transactions let nothing come late.

use std::time::Duration;

use kafka_wire::types::{NodeId, TopicId, TopicPartition};
use tokio::time::Instant;

use super::super::partition::Partition;
use super::super::send_state::Acknowledged;
use super::{Core, Index};

/// Where others of the link write to the same partition every batch leaves a stretch, and looking at all of them would read
/// everything once more. There only those count that follow a doubt within this time, longer than a request lives.
const AFTER_DOUBT: Duration = Duration::from_secs(600);
/// Stretches of a partition that are remembered one by one.
const REMEMBERED: usize = 256;
/// How often they are tried to be looked at.
const TRIES: u32 = 10;

/// Destination offsets that were not written by what was sent, as far as that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stretch {
    /// The first.
    pub(crate) from: i64,
    /// Behind the last.
    pub(crate) to: i64,
    /// Newest time of the records behind it.
    pub(crate) record_time: i64,
}

/// What is to be looked at of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LookOrder {
    pub(crate) index: Index,
    /// Who leads it.
    pub(crate) node: NodeId,
    pub(crate) partition: TopicPartition,
    pub(crate) topic_id: TopicId,
    /// Whose batches are looked for.
    pub(crate) producer: i64,
    pub(crate) stretches: Vec<Stretch>,
}

/// Offsets of second copies, first and behind the last; or why nothing is known.
pub(crate) type Looked = Result<Vec<(i64, i64)>, String>;

/// What a partition knows of it.
#[derive(Debug, Default)]
pub(crate) struct Late {
    stretches: Vec<Stretch>,
    /// When something was in doubt last.
    doubted: Option<Instant>,
    looking: bool,
    /// Looks in a row that came to nothing.
    failed: u32,
}

impl Late {
    pub(super) fn doubt(&mut self, now: Instant) {
        self.doubted = Some(now);
    }

    fn note(&mut self, stretch: Stretch) {
        let full = self.stretches.len() >= REMEMBERED;
        match self.stretches.last_mut().filter(|_| full) {
            Some(last) => {
                last.to = stretch.to;
                last.record_time = last.record_time.min(stretch.record_time);
            }
            None => self.stretches.push(stretch),
        }
    }
}

impl Core {
    /// Notes where the log has gone on further than what was written.
    pub(super) fn note_stretch(&mut self, index: Index, done: &Acknowledged, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let (from, to) = (done.expected.0, done.base.0);
        let late = &mut partition.late;
        let followed = |doubt: Instant| now.saturating_duration_since(doubt) < AFTER_DOUBT;
        let counts = !self.settings.shared || late.doubted.is_some_and(followed);
        if from < to && counts && self.transaction.is_none() {
            late.note(Stretch {
                from,
                to,
                record_time: done.batch.batch.header().max_timestamp(),
            });
        }
    }

    /// Stretches to be looked at.
    pub(crate) fn take_looks(&mut self) -> Vec<LookOrder> {
        let partitions = self.partitions.iter_mut();
        let order = |(index, partition): (&Index, &mut Box<Partition>)| {
            let waits = !partition.late.looking && !partition.late.stretches.is_empty();
            let (node, position) = (partition.destination_leader?, partition.position.as_ref()?);
            waits.then(|| {
                partition.late.looking = true;
                LookOrder {
                    index: *index,
                    node,
                    partition: partition.destination.clone(),
                    topic_id: position.destination_topic_id.0,
                    producer: position.producer.id,
                    stretches: std::mem::take(&mut partition.late.stretches),
                }
            })
        };
        partitions.filter_map(order).collect()
    }

    /// Takes what was seen.
    pub(crate) fn on_looked(&mut self, outcomes: Vec<(LookOrder, Looked)>) {
        for (order, looked) in outcomes {
            let Some(partition) = self.partitions.get_mut(&order.index) else {
                continue;
            };
            partition.late.looking = false;
            match looked {
                Ok(copies) => {
                    partition.late.failed = 0;
                    for (from, to) in copies {
                        partition.report_copies(from, to);
                    }
                }
                Err(trouble) => partition.not_looked(order.stretches, &trouble),
            }
        }
    }
}

impl Partition {
    /// Keeps what could not be looked at, for some time.
    fn not_looked(&mut self, stretches: Vec<Stretch>, trouble: &str) {
        self.late.failed += 1;
        if self.late.failed < TRIES {
            stretches.into_iter().for_each(|s| self.late.note(s));
            return;
        }
        self.late.failed = 0;
        let range = stretches.first().zip(stretches.last());
        let (from, to) = range.map_or((0, 0), |(first, last)| (first.from, last.to));
        tracing::warn!(
            partition = %self.source,
            destination = %self.destination,
            "whether destination offsets {from}–{} hold records of this link a second time cannot be found out: {trouble}",
            to - 1
        );
    }

    /// Says that destination offsets hold records a second time.
    fn report_copies(&mut self, from: i64, to: i64) {
        tracing::warn!(
            partition = %self.source,
            destination = %self.destination,
            "destination offsets {from}–{} hold records of this link a second time: a late request was carried out after the \
             broker had forgotten its first copy",
            to - 1
        );
        self.totals.repeated += u64::try_from(to - from).unwrap_or(0);
    }
}
