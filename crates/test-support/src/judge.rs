//! Every record there, once, in order, unchanged: read with librdkafka, which shares no code with the program under test.
//!
//! ```text
//! Place (cluster, topic, isolation) ──► read_all ──► compare ──► Verdict
//!                                   └─► digest   (without holding records)
//! ```
//!
//! Invariants:
//! * A read ends at the end of every partition as the broker states it, never because nothing came for a while.
//! * Null and empty differ; header order, equal header keys and null header values count; so do timestamps.
//! * No wait is longer than its limit or than [`NOTHING_MOVES`] without progress.
//!
//! Deliberately absent: offsets. Where a link keeps them, a test compares them itself.

mod compare;
mod digest;
pub mod follow;
mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::KafkaError;
use tokio::time::Instant;

pub use compare::{Verdict, compare};
pub use digest::{PartitionDigest, digest_of};
pub use read::{ReadRecord, Topic};

use crate::limits::NOTHING_MOVES;

/// Pause between two looks at both sides.
const PAUSE: Duration = Duration::from_millis(200);

/// Reading failed, or the two sides did not become equal.
#[derive(Debug, thiserror::Error)]
pub enum JudgeError {
    /// The topic is not there.
    #[error("there is no topic {topic} at {bootstrap}")]
    NoTopic {
        /// Which topic.
        topic: String,
        /// Where.
        bootstrap: String,
    },
    /// librdkafka refused.
    #[error("cannot {what} topic {topic} at {bootstrap}: {source}")]
    Kafka {
        /// What was tried.
        what: &'static str,
        /// Which topic.
        topic: String,
        /// Where.
        bootstrap: String,
        /// What librdkafka said.
        source: Box<KafkaError>,
    },
    /// The end was not reached.
    #[error(
        "topic {topic} at {bootstrap} was not read to its end within {limit:?}: {read} records read, partitions {open:?} not ended; last error: {last}"
    )]
    NotInTime {
        /// Which topic.
        topic: String,
        /// Where.
        bootstrap: String,
        /// How long was waited.
        limit: Duration,
        /// How far it came.
        read: u64,
        /// Partitions whose end was not seen.
        open: Vec<i32>,
        /// What librdkafka said last.
        last: String,
    },
    /// The destination is not what the source is.
    #[error(
        "the destination did not become equal to the source within {waited:?} ({why}): {verdict}"
    )]
    NotEqual {
        /// How long was waited.
        waited: Duration,
        /// Limit reached, or nothing moved.
        why: &'static str,
        /// The last comparison.
        verdict: Box<Verdict>,
    },
    /// The digests differ.
    #[error(
        "the destination's digest did not become the source's within {waited:?} ({why}): source {source_side:?}, destination {destination:?}"
    )]
    DigestsDiffer {
        /// How long was waited.
        waited: Duration,
        /// Limit reached, or nothing moved.
        why: &'static str,
        /// The source's last digest.
        source_side: Digest,
        /// The destination's last digest.
        destination: Digest,
    },
}

/// Which records a reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Only committed ones (`read_committed`).
    Committed,
    /// All, aborted ones too.
    Uncommitted,
}

/// A topic of a cluster, and how to look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub(crate) bootstrap: String,
    pub(crate) topic: String,
    pub(crate) isolation: Isolation,
}

impl Place {
    /// A topic, seen with `read_committed`.
    #[must_use]
    pub fn new(bootstrap: impl Into<String>, topic: impl Into<String>) -> Self {
        Self {
            bootstrap: bootstrap.into(),
            topic: topic.into(),
            isolation: Isolation::Committed,
        }
    }

    /// The topic's name.
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Where its cluster is.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Which records are seen.
    #[must_use]
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// The same topic with aborted records too.
    #[must_use]
    pub fn uncommitted(mut self) -> Self {
        self.isolation = Isolation::Uncommitted;
        self
    }
}

/// First offset and end offset (the next to be written; with `read_committed`, the last stable one) of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watermarks {
    /// The first offset that can be read.
    pub start: i64,
    /// The offset after the last that can be read.
    pub end: i64,
}

/// How long after a short read the next one follows when nothing moves.
const PATIENCE: Duration = Duration::from_secs(3);

/// Digests by partition.
pub type Digest = BTreeMap<i32, PartitionDigest>;

/// Reads every partition of a topic from its start to its present end.
///
/// # Errors
/// When the topic does not exist or its end is not reached within `limit`.
pub async fn read_all(place: &Place, limit: Duration) -> Result<Topic, JudgeError> {
    let place = place.clone();
    blocking(move || read::read_all(&place, limit)).await
}

/// What a group that has committed these offsets, by partition, has still to read. It commits them, and begins there as
/// every consumer of that group would.
///
/// # Errors
/// As [`read_all`].
pub async fn read_the_rest(
    place: &Place,
    group: &str,
    offsets: BTreeMap<i32, i64>,
    limit: Duration,
) -> Result<Topic, JudgeError> {
    let (place, group) = (place.clone(), group.to_owned());
    blocking(move || read::read_the_rest(&place, &group, &offsets, limit)).await
}

/// Reads a topic to its present end and keeps count, size and an order-sensitive hash per partition, no records.
///
/// # Errors
/// As [`read_all`].
pub async fn digest(place: &Place, limit: Duration) -> Result<Digest, JudgeError> {
    let place = place.clone();
    blocking(move || digest::digest(&place, limit)).await
}

/// As [`digest()`], of the last record of each key, which is what compaction leaves sooner or later: where offsets are kept, copies of
/// later records stand where a cleaner has taken some.
///
/// # Errors
/// As [`digest()`].
pub async fn digest_of_last(place: &Place, limit: Duration) -> Result<Digest, JudgeError> {
    let place = place.clone();
    blocking(move || digest::digest_of_last(&place, limit)).await
}

/// Asks for start and end of every partition.
///
/// # Errors
/// When the topic does not exist or the brokers do not answer.
pub async fn watermarks(place: &Place) -> Result<BTreeMap<i32, Watermarks>, JudgeError> {
    let place = place.clone();
    blocking(move || read::watermarks(&place)).await
}

/// Waits until the destination holds exactly what the source holds, and returns the last comparison.
///
/// # Errors
/// When that does not happen within `limit`, or nothing has moved for [`NOTHING_MOVES`]; the error says what differs.
pub async fn wait_until_equal(
    source: &Place,
    destination: &Place,
    limit: Duration,
) -> Result<Verdict, JudgeError> {
    wait_until(source, destination, limit, Verdict::is_equal).await
}

/// Waits until the comparison is `enough` for the test (duplicates allowed after a kill, for example).
///
/// # Errors
/// As [`wait_until_equal`].
pub async fn wait_until(
    source: &Place,
    destination: &Place,
    limit: Duration,
    enough: impl Fn(&Verdict) -> bool,
) -> Result<Verdict, JudgeError> {
    let mut watch = MovementWatch::new(limit);
    loop {
        // Before reading: what arrives in between makes the next look necessary, and the marks will tell.
        watch.look(source, destination).await?;
        let reading = Instant::now();
        let there = read_all(source, limit).await?;
        let here = or_empty(read_all(destination, limit).await)?;
        watch.has_read(reading.elapsed());
        let verdict = compare(&there, &here);
        if enough(&verdict) {
            return Ok(verdict);
        }
        if let Some((waited, why)) = watch.wait_for_movement(source, destination).await? {
            return Err(JudgeError::NotEqual {
                waited,
                why,
                verdict: Box::new(verdict),
            });
        }
    }
}

/// As [`wait_until_equal`] by digests, for topics that are too large to hold in memory twice.
///
/// # Errors
/// When the digests do not become equal.
pub async fn wait_until_digests_equal(
    source: &Place,
    destination: &Place,
    limit: Duration,
) -> Result<Digest, JudgeError> {
    let mut watch = MovementWatch::new(limit);
    loop {
        watch.look(source, destination).await?;
        let reading = Instant::now();
        let there = digest(source, limit).await?;
        let here = or_empty(digest(destination, limit).await)?;
        watch.has_read(reading.elapsed());
        if there == here {
            return Ok(here);
        }
        if let Some((waited, why)) = watch.wait_for_movement(source, destination).await? {
            return Err(JudgeError::DigestsDiffer {
                waited,
                why,
                source_side: there,
                destination: here,
            });
        }
    }
}

/// A destination that does not exist yet holds nothing. A source that does not exist is an error: nothing would be equal
/// to nothing.
fn or_empty<T: Default>(read: Result<T, JudgeError>) -> Result<T, JudgeError> {
    match read {
        Err(JudgeError::NoTopic { .. }) => Ok(T::default()),
        other => other,
    }
}

type Marks = (BTreeMap<i32, Watermarks>, BTreeMap<i32, Watermarks>);

/// Decides when it is worth reading again, and when to give up.
struct MovementWatch {
    begin: Instant,
    limit: Duration,
    moved: Instant,
    last: Option<Box<Marks>>,
    /// After this it is read again even if nothing moved: marks tell of records, not of everything.
    patience: Duration,
}

impl MovementWatch {
    fn new(limit: Duration) -> Self {
        let now = Instant::now();
        Self {
            begin: now,
            limit,
            moved: now,
            last: None,
            patience: PATIENCE,
        }
    }

    /// Long reads are repeated less often.
    fn has_read(&mut self, took: Duration) {
        self.patience = PATIENCE.max(took * 3);
    }

    /// Remembers where both sides stand; whether they moved since the last look.
    async fn look(&mut self, source: &Place, destination: &Place) -> Result<bool, JudgeError> {
        let marks = Box::new((
            watermarks(source).await?,
            or_empty(watermarks(destination).await)?,
        ));
        let moved = self.last.as_ref() != Some(&marks);
        if moved {
            self.last = Some(marks);
            self.moved = Instant::now();
        }
        Ok(moved)
    }

    /// Returns when something moved; with how long and why, when it is time to give up.
    async fn wait_for_movement(
        &mut self,
        source: &Place,
        destination: &Place,
    ) -> Result<Option<(Duration, &'static str)>, JudgeError> {
        let begin = Instant::now();
        loop {
            let waited = self.begin.elapsed();
            if waited >= self.limit {
                return Ok(Some((waited, "limit reached")));
            }
            if self.moved.elapsed() >= NOTHING_MOVES {
                return Ok(Some((waited, "nothing moves any more")));
            }
            tokio::time::sleep(PAUSE).await;
            if self.look(source, destination).await? || begin.elapsed() >= self.patience {
                return Ok(None);
            }
        }
    }
}

/// librdkafka's reader waits on the thread that calls it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("the judge does not panic and is not cancelled")
}
