//! When each record could be read: a consumer that follows a topic and notes the moments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::read::{GROUP, POLL, consumer, partitions};
use super::{JudgeError, Place};

/// Moments at which the records of each partition could be read, in their order.
pub type Arrivals = BTreeMap<i32, Vec<Instant>>;

/// Follows a topic from its beginning until it is told to stop.
#[derive(Debug)]
pub struct Follower {
    stop: Arc<AtomicBool>,
    reading: JoinHandle<Result<Arrivals, JudgeError>>,
}

impl Follower {
    /// Begins to follow a topic, which has to be there.
    #[must_use]
    pub fn of(place: &Place) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (place, stopped) = (place.clone(), Arc::clone(&stop));
        let reading = tokio::task::spawn_blocking(move || follow(&place, &stopped));
        Self { stop, reading }
    }

    /// What it has seen.
    ///
    /// # Errors
    /// The topic could not be read.
    pub async fn stop(self) -> Result<Arrivals, JudgeError> {
        self.stop.store(true, Ordering::Relaxed);
        self.reading
            .await
            .expect("the judge does not panic and is not cancelled")
    }
}

fn follow(place: &Place, stop: &AtomicBool) -> Result<Arrivals, JudgeError> {
    let consumer = consumer(place, GROUP)?;
    let mut assignment = TopicPartitionList::new();
    let mut arrivals = Arrivals::new();
    for partition in partitions(&consumer, place)? {
        arrivals.insert(partition, Vec::new());
        assignment
            .add_partition_offset(&place.topic, partition, Offset::Beginning)
            .map_err(|source| place.failed("assign", source))?;
    }
    consumer
        .assign(&assignment)
        .map_err(|source| place.failed("assign", source))?;
    while !stop.load(Ordering::Relaxed) {
        // librdkafka reconnects and retries by itself.
        if let Some(Ok(message)) = consumer.poll(POLL) {
            let seen = arrivals.entry(message.partition()).or_default();
            seen.push(Instant::now());
        }
    }
    Ok(arrivals)
}

/// The longest that a record of each partition was behind, of those that could be read at the source in this time. Both
/// sides have the same records in the same order.
#[must_use]
pub fn longest_behind(
    source: &Arrivals,
    copy: &Arrivals,
    (from, to): (Instant, Instant),
) -> BTreeMap<i32, Duration> {
    let none = Vec::new();
    let of_partition = |partition: &i32, there: &[Instant]| {
        let here = copy.get(partition).unwrap_or(&none);
        let both = there.iter().zip(here);
        let within = both.filter(|(there, _)| (from..=to).contains(*there));
        within
            .map(|(there, here)| here.saturating_duration_since(*there))
            .max()
            .unwrap_or_default()
    };
    source
        .iter()
        .map(|(partition, there)| (*partition, of_partition(partition, there)))
        .collect()
}
