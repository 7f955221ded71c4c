//! Rates and catch-up times, from counters that were looked at every few seconds. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::gather::LinkView;

/// Looks that a rate spans.
const KEPT: usize = 4;
/// Looks at the lag that a catch-up time spans, and the least time between two of them.
const LAGS: usize = 21;
const LAG_EVERY: Duration = Duration::from_secs(15);

/// Whether, and in how long, lag comes to nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct CatchUp {
    /// Nothing where it does not shrink.
    pub(crate) seconds: Option<f64>,
    /// How fast it shrinks; below zero where it grows.
    pub(crate) records_per_second: f64,
    /// Whether it shrinks, or there is none.
    pub(crate) converging: bool,
}

/// What is copied per second.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct TopicRates {
    pub(crate) records: f64,
    pub(crate) bytes: f64,
    pub(crate) catch_up: Option<CatchUp>,
}

/// Rates of a link; nothing before it was looked at twice.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct LinkRates {
    pub(crate) records: Option<f64>,
    pub(crate) bytes: Option<f64>,
    pub(crate) catch_up: Option<CatchUp>,
    pub(crate) topics: BTreeMap<String, TopicRates>,
}

impl CatchUp {
    /// That of two parts together: both have to be at nothing.
    fn add(&mut self, other: &Self) {
        self.seconds = match (self.seconds, other.seconds) {
            (Some(one), Some(two)) => Some(one.max(two)),
            _ => None,
        };
        self.records_per_second += other.records_per_second;
        self.converging &= other.converging;
    }
}

/// Of the parts that are known; none where none is.
fn sum(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one + other),
        (one, other) => one.or(other),
    }
}

fn together(one: &mut Option<CatchUp>, other: Option<&CatchUp>) {
    match (one.as_mut(), other) {
        (Some(one), Some(other)) => one.add(other),
        (Some(_), None) => {}
        (None, other) => *one = other.cloned(),
    }
}

/// Those of all links, by name. Shared, since they hold every topic and change only with a look.
pub(crate) type Rates = Arc<BTreeMap<String, LinkRates>>;

impl LinkRates {
    /// Takes in those of another worker's part of the same link.
    pub(crate) fn add(&mut self, part: &Self) {
        self.records = sum(self.records, part.records);
        self.bytes = sum(self.bytes, part.bytes);
        together(&mut self.catch_up, part.catch_up.as_ref());
        for (name, topic) in &part.topics {
            match self.topics.get_mut(name) {
                None => {
                    self.topics.insert(name.clone(), topic.clone());
                }
                Some(known) => {
                    known.records += topic.records;
                    known.bytes += topic.bytes;
                    together(&mut known.catch_up, topic.catch_up.as_ref());
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Sums {
    records: u64,
    bytes: u64,
    lag: Option<i64>,
}

/// Counters of one link, as they were looked at.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    looks: VecDeque<(Instant, BTreeMap<String, Sums>)>,
    lags: VecDeque<(Instant, i64)>,
}

impl Counters {
    /// Takes a look.
    pub(crate) fn look(&mut self, view: &LinkView, at: Instant) {
        let Some(detail) = &view.detail else {
            *self = Self::default();
            return;
        };
        let mut topics: BTreeMap<String, Sums> = BTreeMap::new();
        for partition in &detail.partitions {
            let known = partition.lag.records.filter(|_| partition.lag.known);
            match topics.get_mut(&partition.topic) {
                None => {
                    let sums = Sums {
                        records: partition.records,
                        bytes: partition.bytes,
                        lag: known,
                    };
                    topics.insert(partition.topic.clone(), sums);
                }
                Some(sums) => {
                    sums.records += partition.records;
                    sums.bytes += partition.bytes;
                    sums.lag = sums.lag.zip(known).map(|(one, two)| one + two);
                }
            }
        }
        let lag = detail.lag.records.filter(|_| detail.lag.known);
        self.add(at, topics, lag);
    }

    fn add(&mut self, at: Instant, topics: BTreeMap<String, Sums>, lag: Option<i64>) {
        let began_anew = self.looks.back().is_some_and(|(_, before)| {
            let sum = |topics: &BTreeMap<String, Sums>| -> u64 {
                topics.values().map(|sums| sums.records).sum()
            };
            sum(before) > sum(&topics)
        });
        if began_anew {
            self.looks.clear();
        }
        self.looks.push_back((at, topics));
        if self.looks.len() > KEPT {
            self.looks.pop_front();
        }
        let Some(lag) = lag else {
            self.lags.clear();
            return;
        };
        let is_due = self
            .lags
            .back()
            .is_none_or(|(last, _)| at.duration_since(*last) >= LAG_EVERY);
        if is_due {
            self.lags.push_back((at, lag));
            if self.lags.len() > LAGS {
                self.lags.pop_front();
            }
        }
    }

    /// The rates, as of the newest look.
    pub(crate) fn rates(&self) -> LinkRates {
        let (Some((begin, first)), Some((end, last))) = (self.looks.front(), self.looks.back())
        else {
            return LinkRates::default();
        };
        let seconds = end.duration_since(*begin).as_secs_f64();
        if seconds <= 0.0 {
            return LinkRates::default();
        }
        let mut topics = BTreeMap::new();
        let (mut records, mut bytes) = (0.0, 0.0);
        for (topic, now) in last {
            let before = first.get(topic).copied().unwrap_or_default();
            let rates = TopicRates {
                records: now.records.saturating_sub(before.records) as f64 / seconds,
                bytes: now.bytes.saturating_sub(before.bytes) as f64 / seconds,
                catch_up: before
                    .lag
                    .zip(now.lag)
                    .map(|(before, now)| towards_nothing(before, now, seconds)),
            };
            records += rates.records;
            bytes += rates.bytes;
            topics.insert(topic.clone(), rates);
        }
        let sum = |topics: &BTreeMap<String, Sums>| -> Option<i64> {
            topics.values().map(|sums| sums.lag).sum()
        };
        // The longer time where there is one: a single look says little about a trend.
        let trend = match (self.lags.front(), sum(last)) {
            (Some((since, before)), Some(now)) if *since < *begin => {
                let seconds = end.duration_since(*since).as_secs_f64();
                Some(towards_nothing(*before, now, seconds))
            }
            (_, Some(now)) => sum(first).map(|before| towards_nothing(before, now, seconds)),
            (_, None) => None,
        };
        LinkRates {
            records: Some(records),
            bytes: Some(bytes),
            catch_up: trend,
            topics,
        }
    }
}

fn towards_nothing(before: i64, now: i64, seconds: f64) -> CatchUp {
    let rate = (before - now) as f64 / seconds;
    CatchUp {
        seconds: match now {
            ..=0 => Some(0.0),
            _ if rate > 0.0 => Some(now as f64 / rate),
            _ => None,
        },
        records_per_second: rate,
        converging: now <= 0 || rate > 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looked(counters: &mut Counters, at: Instant, records: u64, lag: i64) {
        let sums = Sums {
            records,
            bytes: records * 10,
            lag: Some(lag),
        };
        counters.add(at, BTreeMap::from([("t".to_owned(), sums)]), Some(lag));
    }

    #[test]
    fn a_rate_spans_the_last_looks_and_is_not_known_before_the_second() {
        let begin = Instant::now();
        let mut counters = Counters::default();
        looked(&mut counters, begin, 100, 50);
        assert_eq!(counters.rates().records, None);
        for number in 1..=10_u64 {
            let at = begin + Duration::from_secs(5 * number);
            looked(&mut counters, at, 100 + 500 * number, 50);
        }
        let rates = counters.rates();
        assert_eq!((rates.records, rates.bytes), (Some(100.0), Some(1000.0)));
        let catch_up = rates.catch_up.expect("known");
        assert_eq!((catch_up.seconds, catch_up.converging), (None, false));
        // A process that began anew counts from zero.
        looked(&mut counters, begin + Duration::from_secs(60), 7, 50);
        assert_eq!(counters.rates().records, None);
    }

    #[test]
    fn lag_that_shrinks_has_an_end_and_lag_that_grows_has_none() {
        let shrinks = towards_nothing(100, 60, 4.0);
        assert_eq!(
            (shrinks.seconds, shrinks.records_per_second),
            (Some(6.0), 10.0)
        );
        let grows = towards_nothing(60, 100, 4.0);
        assert_eq!((grows.seconds, grows.records_per_second), (None, -10.0));
        assert!(towards_nothing(5, 0, 1.0).converging);
    }
}
