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

use std::collections::BTreeSet;
use std::time::Duration;

use kafka_wire::types::{NodeId, TopicId, TopicPartition};
use tokio::time::Instant;

use super::super::memory::BrokerMemory;
use super::super::partition::Partition;
use super::super::send_state::Acknowledged;
use super::{Core, Index};

/// Where others of the link write to the same partition every batch leaves a stretch, and looking at all of them would read
/// everything once more. There only those count that follow a doubt within this time, longer than a request lives.
const AFTER_DOUBT: Duration = Duration::from_secs(600);
/// What a process before this one has sent comes within this time, if it comes.
const AFTER_START: Duration = Duration::from_secs(60);
/// Stretches of a partition that are remembered one by one, and copies that were told.
const REMEMBERED: usize = 256;
/// How often they are tried to be looked at.
const TRIES: u32 = 10;
/// Looks in a row for which a position is held back: where others write all the time there is always something to be looked at.
const HELD: u32 = 3;

/// Destination offsets that were not written by what was sent, as far as that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stretch {
    /// The first.
    pub(crate) from: i64,
    /// Behind the last.
    pub(crate) to: i64,
    /// The oldest of the newest times of what may stand there, and of the records behind it.
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
    /// How long the destination's brokers remember writers.
    pub(crate) memory: BrokerMemory,
}

/// Offsets of second copies, first and behind the last; or why nothing is known.
pub(crate) type Looked = Result<Vec<(i64, i64)>, String>;

/// What a partition knows of it.
#[derive(Debug, Default)]
pub(crate) struct Late {
    stretches: Vec<Stretch>,
    /// Up to when something may come late, and the oldest of the newest times of its batches.
    doubt: Option<(Instant, i64)>,
    /// Up to where stretches were noted.
    noted: i64,
    /// Where second copies begin that were told. Looks and starts find them in any order.
    told: BTreeSet<i64>,
    looking: bool,
    /// Whether a stretch was noted in which something is awaited, and the looks since.
    awaited: Option<u32>,
    /// Looks in a row that came to nothing.
    failed: u32,
}

impl Late {
    /// Something was sent, of this time, whose outcome is not known.
    pub(super) fn doubt(&mut self, now: Instant, record_time: i64) {
        self.expect(now, AFTER_DOUBT, record_time);
    }

    /// What a process before this one had on its way is not known.
    pub(super) fn begin_behind_another(&mut self, now: Instant) {
        self.expect(now, AFTER_START, i64::MIN);
    }

    fn expect(&mut self, now: Instant, within: Duration, record_time: i64) {
        let until = now + within;
        let before = self.doubted(now).map_or(i64::MAX, |(_, before)| before);
        let longest = self.doubt.map_or(until, |(before, _)| before.max(until));
        self.doubt = Some((longest, record_time.min(before)));
    }

    /// What may still come late, if anything may.
    fn doubted(&self, now: Instant) -> Option<(Instant, i64)> {
        self.doubt.filter(|(until, _)| now < *until)
    }

    /// Notes the part of a stretch that was not noted before.
    fn note(&mut self, stretch: Stretch, awaited: bool) {
        let from = stretch.from.max(self.noted);
        if from < stretch.to {
            self.noted = stretch.to;
            self.awaited = self.awaited.or(awaited.then_some(0));
            self.keep(Stretch { from, ..stretch });
        }
    }

    /// Whether a position behind what was not looked at is to be held back. After a crash the next process looks at what stands
    /// behind the stored one, and nobody at what stands before it.
    pub(super) fn holds_position(&mut self) -> bool {
        let holds = self.awaited.is_some_and(|looks| looks < HELD);
        if !holds {
            self.awaited = self.awaited.map(|_| 0);
        }
        holds
    }

    /// A look has ended.
    fn looked(&mut self) {
        self.looking = false;
        let waits = self.awaited.filter(|_| !self.stretches.is_empty());
        self.awaited = waits.map(|looks| looks + 1);
    }

    fn keep(&mut self, stretch: Stretch) {
        let full = self.stretches.len() >= REMEMBERED;
        match self.stretches.last_mut().filter(|_| full) {
            Some(last) => {
                last.from = last.from.min(stretch.from);
                last.to = last.to.max(stretch.to);
                last.record_time = last.record_time.min(stretch.record_time);
            }
            None => self.stretches.push(stretch),
        }
    }
}

impl Core {
    /// It will be told how long the destination's brokers remember writers.
    pub(crate) fn await_memory(&mut self) {
        self.waits_for_memory = true;
    }

    /// Takes how long they do.
    pub(crate) fn on_memory(&mut self, memory: BrokerMemory) {
        self.waits_for_memory = false;
        self.settings.memory_of_writers = memory;
        let orders = self.to_establish.values_mut().flatten();
        orders.for_each(|order| order.memory = memory);
    }

    /// Notes where the log has gone on further than what was written.
    pub(super) fn note_stretch(&mut self, index: Index, done: &Acknowledged, now: Instant) {
        let Some(partition) = self.partitions.get_mut(&index) else {
            return;
        };
        let (from, to) = (done.expected.0, done.base.0);
        let late = &mut partition.late;
        let doubted = late.doubted(now);
        let counts = !self.settings.shared || doubted.is_some();
        if from < to && counts && self.transaction.is_none() {
            // What stands there was sent before what stands behind it, and may be older.
            let behind = done.batch.batch.header().max_timestamp();
            let record_time = doubted.map_or(behind, |(_, before)| before.min(behind));
            let stretch = Stretch {
                from,
                to,
                record_time,
            };
            late.note(stretch, doubted.is_some());
        }
    }

    /// Stretches to be looked at.
    pub(crate) fn take_looks(&mut self) -> Vec<LookOrder> {
        let partitions = self.partitions.iter_mut();
        let memory = self.settings.memory_of_writers;
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
                    memory,
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
            let now = partition.position.as_ref();
            // Otherwise it was another topic that was looked at.
            let same = now.is_some_and(|p| p.destination_topic_id.0 == order.topic_id);
            match looked {
                Ok(copies) if same => {
                    partition.late.failed = 0;
                    partition.report_all_copies(&copies);
                }
                Err(trouble) if same => partition.not_looked(order.stretches, &trouble),
                Ok(_) | Err(_) => {}
            }
            partition.late.looked();
        }
    }
}

impl Partition {
    /// Whether it is to be watched when nothing is written to it: something of it may come late, and only its log would show
    /// that. Where offsets are preserved it always is.
    pub(super) fn awaits_copies(&self, now: Instant) -> bool {
        self.preserved().is_none() && self.late.doubted(now).is_some()
    }

    /// The log goes on behind what was written to it.
    pub(super) fn note_growth(&mut self, end: i64, now: Instant) {
        // Behind what has landed too, which the position does not count before it was compared.
        let from = self.send.as_ref().map(|send| send.acknowledged_up_to().0.0);
        if let Some((from, (_, record_time))) = from.zip(self.late.doubted(now)) {
            let stretch = Stretch {
                from,
                to: end,
                record_time,
            };
            self.late.note(stretch, true);
        }
    }

    /// Keeps what could not be looked at, for some time.
    fn not_looked(&mut self, stretches: Vec<Stretch>, trouble: &str) {
        self.late.failed += 1;
        if self.late.failed < TRIES {
            stretches.into_iter().for_each(|s| self.late.keep(s));
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

    /// Says it of all of these.
    pub(super) fn report_all_copies(&mut self, copies: &[(i64, i64)]) {
        for (from, to) in copies {
            self.report_copies(*from, *to);
        }
    }

    /// Says that destination offsets hold records a second time, once.
    fn report_copies(&mut self, from: i64, to: i64) {
        let told = &mut self.late.told;
        if !told.insert(from) {
            return;
        }
        if told.len() > REMEMBERED {
            told.pop_first();
        }
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
