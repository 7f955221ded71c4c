//! How long records take through the data plane, counted (pure).
//!
//! ```text
//!   record's time ─────────────── age when read ──┐
//!                    fetch ──▶ queue ──▶ produce ─┴─ latency: from the record's time to the acknowledgement
//! ```
//!
//! Ages are told by the time of day, because times of records are; how long a stage took, by the clock that never jumps.
//! A batch counts as old as its first record, and as often as it has records: no record is looked at for it.

use std::time::Duration;

use kafka_wire::batch::RawBatch;
use metrics::Histogram;
use metrics::histogram::{AGES, DURATIONS};
use tokio::time::Instant;

use super::piped::PipedBatch;

/// For how long an age counts as one of late; half of it, or all.
const WINDOW: Duration = Duration::from_secs(30);

/// A part of a record's way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// A request for records, to its answer with some.
    Fetch,
    /// A batch, from the answer until it was sent.
    Queue,
    /// A request with records, to its answer.
    Produce,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Fetch, Self::Queue, Self::Produce];

    /// The word for it in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Queue => "queue",
            Self::Produce => "produce",
        }
    }
}

/// What a data plane has counted; several can be added.
#[derive(Clone, PartialEq, Debug)]
pub struct Flow {
    /// From the records' times to their acknowledgements.
    pub latency: Histogram,
    /// In the order of [`Stage::ALL`].
    pub stages: [Histogram; Stage::ALL.len()],
    /// How long storing positions took.
    pub stored: Histogram,
    /// How often positions could not be stored.
    pub not_stored: u64,
    /// Bytes of records read, as often as they were.
    pub fetched_bytes: u64,
    /// How many of them were copied out of their answers.
    pub apart_bytes: u64,
    /// Bytes of records sent, as often as they were.
    pub produced_bytes: u64,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            latency: Histogram::new(AGES),
            stages: Stage::ALL.map(|_| Histogram::new(DURATIONS)),
            stored: Histogram::new(DURATIONS),
            not_stored: 0,
            fetched_bytes: 0,
            apart_bytes: 0,
            produced_bytes: 0,
        }
    }
}

impl Flow {
    /// Counts a part of the way.
    pub(crate) fn took(&mut self, stage: Stage, time: Duration) {
        self.stages[stage as usize].observe(time.as_secs_f64());
    }

    /// Takes in what another one has counted.
    pub fn add(&mut self, other: &Self) {
        let Self {
            latency,
            stages,
            stored,
            not_stored,
            fetched_bytes,
            apart_bytes,
            produced_bytes,
        } = other;
        self.latency.add(latency);
        for (stage, more) in self.stages.iter_mut().zip(stages) {
            stage.add(more);
        }
        self.stored.add(stored);
        self.not_stored += not_stored;
        self.fetched_bytes += fetched_bytes;
        self.apart_bytes += apart_bytes;
        self.produced_bytes += produced_bytes;
    }

    /// What was counted since it was as `before`; all of it where it has begun anew since.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let since = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        let mut stages = self.stages.clone();
        for (stage, before) in stages.iter_mut().zip(&before.stages) {
            *stage = stage.since(before);
        }
        Self {
            latency: self.latency.since(&before.latency),
            stages,
            stored: self.stored.since(&before.stored),
            not_stored: since(self.not_stored, before.not_stored),
            fetched_bytes: since(self.fetched_bytes, before.fetched_bytes),
            apart_bytes: since(self.apart_bytes, before.apart_bytes),
            produced_bytes: since(self.produced_bytes, before.produced_bytes),
        }
    }
}

/// The time of day, as of a reading of both clocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimeOfDay(Option<(Instant, i64)>);

impl TimeOfDay {
    /// It is so many milliseconds since 1970 now.
    pub(crate) fn new(now: Instant, milliseconds: i64) -> Self {
        Self(Some((now, milliseconds)))
    }

    /// How old the first record of a batch is; nothing where no time is known. What claims to be from the future is new.
    pub(crate) fn age(&self, batch: &RawBatch, now: Instant) -> Option<Duration> {
        let (read, milliseconds) = self.0?;
        let header = batch.header();
        let written = match header.has_log_append_time() {
            true => header.max_timestamp(),
            false => header.base_timestamp(),
        };
        if written < 0 {
            return None;
        }
        let since = i64::try_from(now.saturating_duration_since(read).as_millis()).ok()?;
        let age = milliseconds.saturating_add(since).saturating_sub(written);
        Some(Duration::from_millis(u64::try_from(age).unwrap_or(0)))
    }
}

/// Counts, by the time of day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    pub(super) flow: Flow,
    pub(super) day: TimeOfDay,
}

impl Meter {
    /// A batch was read.
    pub(super) fn read(&self, ages: &mut Ages, batch: &mut PipedBatch, now: Instant) {
        batch.read_at = Some(now);
        if let Some(age) = self.day.age(&batch.batch, now) {
            ages.add(age, batch, now);
        }
    }

    /// A batch was sent.
    pub(super) fn sent(&mut self, batch: &PipedBatch, now: Instant) {
        self.flow.produced_bytes += batch.size() as u64;
        if let Some(read) = batch.read_at {
            let waited = now.saturating_duration_since(read);
            self.flow.took(Stage::Queue, waited);
        }
    }

    /// A batch was acknowledged.
    pub(super) fn acknowledged(&mut self, ages: &mut Ages, batch: &PipedBatch, now: Instant) {
        let age = self.day.age(&batch.batch, now);
        if let Some(age) = age.filter(|_| !batch.is_filler()) {
            let records = batch.batch.info().records;
            self.flow.latency.observe_many(age.as_secs_f64(), records);
            ages.add(age, batch, now);
        }
    }
}

/// Ages of the last half minute, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recent {
    /// The newest.
    pub last: u64,
    /// The lowest.
    pub least: u64,
    /// The highest.
    pub most: u64,
    /// The sum over all records.
    pub sum: u64,
    /// Records.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The time in which all of that happened.
    pub within: Duration,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for display: means and rates of half a minute"
)]
impl Recent {
    /// The mean age.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.records.max(1) as f64
    }

    /// Records and bytes in a second.
    #[must_use]
    pub fn rates(&self) -> (f64, f64) {
        let seconds = self.within.as_secs_f64().max(1.0);
        (self.records as f64 / seconds, self.bytes as f64 / seconds)
    }

    /// Those of two parts together.
    #[must_use]
    pub fn both(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        let (Some(one), Some(other)) = (one, other) else {
            return one.or(other);
        };
        Some(Self {
            last: one.last.max(other.last),
            least: one.least.min(other.least),
            most: one.most.max(other.most),
            sum: one.sum.saturating_add(other.sum),
            records: one.records + other.records,
            bytes: one.bytes + other.bytes,
            within: one.within.max(other.within),
        })
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    least: u64,
    most: u64,
    sum: u64,
    records: u64,
    bytes: u64,
}

impl Sums {
    fn with(self, other: Self) -> Self {
        if self.records == 0 {
            return other;
        }
        if other.records == 0 {
            return self;
        }
        Self {
            least: self.least.min(other.least),
            most: self.most.max(other.most),
            sum: self.sum.saturating_add(other.sum),
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Ages of a partition's records of late.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ages {
    last: u64,
    /// Of the half window that has ended last, and of the one that goes on since then.
    before: Sums,
    current: Sums,
    since: Option<Instant>,
}

impl Ages {
    /// Counts a batch of that age.
    pub(crate) fn add(&mut self, age: Duration, batch: &PipedBatch, now: Instant) {
        let half = WINDOW / 2;
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed >= half {
            let ended = std::mem::take(&mut self.current);
            self.before = if passed < WINDOW {
                ended
            } else {
                Sums::default()
            };
            self.since = Some(now);
        }
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let records = u64::from(batch.batch.info().records);
        self.last = age;
        self.current = self.current.with(Sums {
            least: age,
            most: age,
            sum: age.saturating_mul(records),
            records,
            bytes: batch.size() as u64,
        });
    }

    /// What there is of late; nothing where that is nothing.
    pub(crate) fn recent(&self, now: Instant) -> Option<Recent> {
        let passed = now.saturating_duration_since(self.since?);
        let half = WINDOW / 2;
        let (sums, within) = if passed < half {
            (self.before.with(self.current), half + passed)
        } else if passed < WINDOW {
            (self.current, passed)
        } else {
            return None;
        };
        (sums.records > 0).then_some(Recent {
            last: self.last,
            least: sums.least,
            most: sums.most,
            sum: sums.sum,
            records: sums.records,
            bytes: sums.bytes,
            within,
        })
    }
}

#[cfg(test)]
mod tests {
    use kafka_wire::batch::BatchBuilder;

    use super::*;

    fn batch(written: i64, records: usize) -> PipedBatch {
        let mut builder = BatchBuilder::new(0).base_timestamp(written);
        for _ in 0..records {
            builder = builder.record(None, Some(b"v"));
        }
        PipedBatch::untouched(RawBatch::parse(builder.build()).expect("well formed"))
    }

    #[test]
    fn an_age_is_told_by_the_time_of_day_and_never_below_zero() {
        let start = Instant::now();
        let day = TimeOfDay::new(start, 10_000);
        let later = start + Duration::from_secs(2);
        let age = |written| day.age(&batch(written, 1).batch, later);
        assert_eq!(age(9_000), Some(Duration::from_secs(3)));
        assert_eq!(age(99_000), Some(Duration::ZERO));
        assert_eq!(age(-1), None);
        assert_eq!(TimeOfDay::default().age(&batch(1, 1).batch, later), None);
    }

    #[test]
    fn what_is_older_than_half_a_minute_does_not_count() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut ages = Ages::default();
        assert_eq!(ages.recent(start), None);
        ages.add(Duration::from_millis(10), &batch(0, 1), at(0));
        ages.add(Duration::from_millis(40), &batch(0, 2), at(16));
        let both = ages.recent(at(20)).expect("some");
        assert_eq!((both.least, both.most, both.last), (10, 40, 40));
        assert_eq!((both.sum, both.records), (90, 3));
        let one = ages.recent(at(40)).expect("some");
        assert_eq!((one.least, one.records), (40, 2));
        assert_eq!(ages.recent(at(46)), None);
        ages.add(Duration::from_millis(7), &batch(0, 1), at(60));
        assert_eq!(ages.recent(at(61)).expect("some").records, 1);
    }
}
