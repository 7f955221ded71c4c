//! What a worker's share of a link's topics and partitions amounts to (pure).

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use metrics::Value;
use metrics::catalogue::{self, Measured};
use replication::health::{Basis, Lag, PartitionHealth};
use replication::link::LinkStatus;

use super::super::counted::{Named, are_of_one_topic, named};

/// The state of a partition that no worker has.
pub(in crate::metrics) const UNASSIGNED: &str = "unassigned";

/// A partition that no worker has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::metrics) struct Unassigned {
    pub(in crate::metrics) topic: String,
    /// What its copy is called, as far as that is known.
    pub(in crate::metrics) copy: String,
    pub(in crate::metrics) partition: i32,
    /// For how long nobody has had it.
    pub(in crate::metrics) age: Duration,
}

/// What is shown of a partition, or of several together.
#[derive(Clone, Debug, Default)]
pub(super) struct Quantities {
    pub(super) copied: (u64, u64),
    lag: Option<Lag>,
    no_progress: Duration,
    start: Option<i64>,
    end: Option<i64>,
    progress: Option<i64>,
    destination_end: Option<i64>,
    pub(super) state: Option<&'static str>,
    /// For how long the source keeps records.
    pub(super) retention: Option<Duration>,
    /// Age of the oldest record that waits; only to be compared.
    oldest: Option<Duration>,
}

impl Quantities {
    /// What is known of a partition that nobody has: how long nobody has read how far it is.
    fn unassigned(age: Duration) -> Self {
        let lag = Lag {
            known: false,
            records: None,
            seconds: age.as_secs_f64(),
            bytes: 0,
            basis: Basis::Stale,
            age: Some(age),
        };
        Self {
            lag: Some(lag),
            state: Some(UNASSIGNED),
            ..Self::default()
        }
    }

    /// Whether nobody has it.
    pub(super) fn is_unassigned(&self) -> bool {
        self.state == Some(UNASSIGNED)
    }

    /// Seconds until the source may delete what waits.
    pub(super) fn headroom(&self) -> Option<f64> {
        let lag = self.lag.filter(|lag| lag.records > Some(0))?;
        let oldest = self.oldest.unwrap_or_default().as_secs_f64();
        Some((self.retention?.as_secs_f64() - oldest.max(lag.seconds)).max(0.0))
    }

    pub(super) fn values(&self) -> Vec<(&'static Measured, Value)> {
        let mut values: Vec<(&'static Measured, Value)> = Vec::new();
        if let Some(lag) = &self.lag {
            if let Some(records) = lag.records {
                values.push((&catalogue::LAG_RECORDS, records.into()));
            }
            values.push((&catalogue::LAG_SECONDS, lag.seconds.into()));
            values.push((&catalogue::LAG_KNOWN, lag.known.into()));
            // Nothing is known of what nobody has but that, and for how long.
            if !self.is_unassigned() {
                values.push((&catalogue::LAG_BYTES, lag.bytes.into()));
                let seconds = self.no_progress.as_secs_f64();
                values.push((&catalogue::NO_PROGRESS, seconds.into()));
            }
        }
        for (measured, offset) in [
            (&catalogue::SOURCE_START, self.start),
            (&catalogue::SOURCE_END, self.end),
            (&catalogue::REPLICATED, self.progress),
            (&catalogue::DESTINATION_END, self.destination_end),
        ] {
            values.extend(offset.map(|offset| (measured, offset.into())));
        }
        values
    }

    /// The same partition once more: another stream of it, or another destination partition.
    fn again(&mut self, other: &PartitionHealth) {
        self.lag = match self.lag {
            Some(lag) => Some(lag.with(&other.lag)),
            None => Some(other.lag),
        };
        self.no_progress = self.no_progress.max(other.no_progress);
        self.start = self.start.max(other.source_start);
        self.end = self.end.max(other.source_end);
        self.progress = match (self.progress, other.progress) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        self.destination_end = self.destination_end.max(other.destination_end);
        if self.state.is_none_or(|state| state == "active") {
            self.state = Some(other.state);
        }
    }
}

/// The worker's share of a topic, with what it speaks for because nobody has it.
#[derive(Debug, Default)]
pub(super) struct Share {
    pub(super) partitions: BTreeMap<i32, Quantities>,
}

impl Share {
    /// Sums and the worst. A sum that misses a part would be a wrong one, and is none; what nobody has is no part of it.
    pub(super) fn of_topic(&self) -> Quantities {
        let all = || self.partitions.values();
        let is_unassigned = all().all(Quantities::is_unassigned);
        let sum = |of: fn(&Quantities) -> Option<i64>| -> Option<i64> {
            let own = all().filter(|one| !one.is_unassigned());
            own.map(of).sum::<Option<i64>>().filter(|_| !is_unassigned)
        };
        Quantities {
            copied: (0, 0),
            lag: all()
                .filter_map(|one| one.lag)
                .reduce(|one, two| one.with(&two)),
            no_progress: all().map(|one| one.no_progress).max().unwrap_or_default(),
            start: sum(|one| one.start),
            end: sum(|one| one.end),
            progress: sum(|one| one.progress),
            destination_end: sum(|one| one.destination_end),
            state: is_unassigned.then_some(UNASSIGNED),
            retention: all().find_map(|one| one.retention),
            oldest: all().filter_map(|one| one.oldest).max(),
        }
    }
}

/// The worker's share of a link, by topic.
#[derive(Debug, Default)]
pub(in crate::metrics) struct Shares(BTreeMap<Named, Share>);

impl Shares {
    /// What this worker runs of it.
    pub(in crate::metrics) fn of(status: &LinkStatus) -> Self {
        Self(shares(status))
    }

    /// Takes in what nobody has, unless it runs here by now.
    pub(in crate::metrics) fn add(&mut self, unassigned: &[Unassigned]) {
        for one in unassigned {
            let share = self.0.entry((one.topic.clone(), one.copy.clone()));
            let partitions = &mut share.or_default().partitions;
            let nobodys = || Quantities::unassigned(one.age);
            partitions.entry(one.partition).or_insert_with(nobodys);
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&Named, &Share)> {
        self.0.iter()
    }
}

fn shares(status: &LinkStatus) -> BTreeMap<Named, Share> {
    let mut shares: BTreeMap<Named, Share> = BTreeMap::new();
    let now = SystemTime::now();
    for of_topic in status.data.partitions.chunk_by(are_of_one_topic) {
        let share = shares.entry(named(&of_topic[0])).or_default();
        let retention = status.round.retention.get(&of_topic[0].source.topic);
        for partition in of_topic {
            let number = partition.source.partition;
            let one = share.partitions.entry(number).or_default();
            one.copied.0 += partition.totals.records;
            one.copied.1 += partition.totals.bytes;
            one.retention = retention.copied();
            let written = partition.oldest_ms.and_then(|ms| u64::try_from(ms).ok());
            let written = written.map(|ms| UNIX_EPOCH + Duration::from_millis(ms));
            let age = written.and_then(|at| now.duration_since(at).ok());
            one.oldest = one.oldest.max(age);
        }
    }
    let same = |one: &PartitionHealth, next: &PartitionHealth| {
        one.source.topic == next.source.topic && one.destination.topic == next.destination.topic
    };
    for of_topic in status.health.partitions.chunk_by(same) {
        let (from, to) = (&of_topic[0].source, &of_topic[0].destination);
        let name = (from.topic.to_string(), to.topic.to_string());
        let share = shares.entry(name).or_default();
        for partition in of_topic {
            let number = partition.source.partition;
            share.partitions.entry(number).or_default().again(partition);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_makes_a_topic_unknown_and_hides_nothing_of_what_somebody_has() {
        let own = Quantities {
            lag: Some(Lag {
                records: Some(7),
                ..Lag::NONE
            }),
            end: Some(10),
            state: Some("active"),
            ..Quantities::default()
        };
        let mut shares = Shares::default();
        let name = ("t".to_owned(), "copy".to_owned());
        shares.0.entry(name).or_default().partitions.insert(0, own);
        let nobodys = |partition| Unassigned {
            topic: "t".to_owned(),
            copy: "copy".to_owned(),
            partition,
            age: Duration::from_secs(30),
        };
        // What runs here by now is not nobody's.
        shares.add(&[nobodys(0), nobodys(1)]);
        let (_, share) = shares.all().next().expect("one topic");
        let all = share.of_topic();
        let lag = all.lag.expect("of one of them");
        assert_eq!((lag.known, lag.records), (false, Some(7)));
        assert_eq!((lag.seconds, all.end), (30.0, Some(10)));
        assert!(share.partitions[&1].is_unassigned() && !all.is_unassigned());
        // Where there is nothing else, no sum is made of it.
        let mut shares = Shares::default();
        shares.add(&[nobodys(1)]);
        let (_, share) = shares.all().next().expect("one topic");
        let names: Vec<&str> = share
            .of_topic()
            .values()
            .iter()
            .map(|(measured, _)| measured.topic.name)
            .collect();
        assert_eq!(names, ["tributary_lag_seconds", "tributary_lag_known"]);
    }
}
