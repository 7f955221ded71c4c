//! What links, topics and the worst partitions were like: bounded rings in memory, lost at a restart.
//!
//! Every 15 seconds for an hour, and every minute for a day. Where memory is short, all become coarser before anything is
//! left out. Points stand at whole multiples of their step, so that those of several workers can be added. Pure.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use worker_group::detail::{PartitionDetail, instant};
use worker_group::view::LagDetail;

use super::gather::LinkView;
use super::rates::LinkRates;

/// Seconds between points, and for how long they are kept: the fine ones, and the coarse ones.
const FINE: (u64, u64) = (15, 3600);
const COARSE: (u64, u64) = (60, 24 * 3600);
/// Partitions of a link that are kept: those with the most lag.
const WORST: usize = 100;
/// What a series takes besides its points, roughly.
const SERIES: usize = 200;

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Metric {
    LagSeconds,
    LagRecords,
    RecordsPerSecond,
    BytesPerSecond,
}

impl Metric {
    /// All, with their names.
    pub(crate) const ALL: [(&'static str, Self); 4] = [
        ("lag_seconds", Self::LagSeconds),
        ("lag_records", Self::LagRecords),
        ("records_per_second", Self::RecordsPerSecond),
        ("bytes_per_second", Self::BytesPerSecond),
    ];

    /// By its name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(own, _)| *own == name);
        found.map(|(_, metric)| *metric)
    }

    /// Of two workers' parts.
    pub(crate) fn joined(self, one: f64, other: f64) -> f64 {
        match self {
            Self::LagSeconds => one.max(other),
            Self::LagRecords | Self::RecordsPerSecond | Self::BytesPerSecond => one + other,
        }
    }
}

/// What is asked for.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Wanted {
    pub(crate) link: String,
    pub(crate) topic: Option<String>,
    pub(crate) partition: Option<i32>,
    pub(crate) metric: Metric,
    /// Seconds since 1970.
    pub(crate) from: u64,
    pub(crate) to: u64,
}

/// Values by the second since 1970; nothing where it was not known.
pub(crate) type Points = BTreeMap<u64, Option<f64>>;

/// What was found.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Found {
    pub(crate) step: u64,
    pub(crate) points: Points,
}

/// A link, one of its topics, or one of a topic's partitions.
type Key = (String, Option<String>, Option<i32>);

/// One moment; NaN is what was not known.
#[derive(Clone, Copy, Debug)]
struct Point {
    /// In units of the fine step.
    slot: u32,
    values: [f32; 4],
}

#[derive(Debug, Default)]
struct Series {
    fine: VecDeque<Point>,
    coarse: VecDeque<Point>,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct History {
    budget: usize,
    /// Each doubles the steps.
    doublings: u32,
    last: Option<u32>,
    series: BTreeMap<Key, Series>,
}

impl History {
    /// Nothing yet, and never more than `budget` bytes of points.
    pub(crate) fn new(budget: usize) -> Self {
        Self {
            budget,
            doublings: 0,
            last: None,
            series: BTreeMap::new(),
        }
    }

    /// Takes what is known `now`, in seconds since 1970; nothing before the next point is due.
    pub(crate) fn look<'a>(
        &mut self,
        views: impl Iterator<Item = (&'a LinkView, Option<&'a LinkRates>)>,
        now: u64,
    ) {
        let slot = u32::try_from(now / FINE.0).unwrap_or(u32::MAX);
        if self.last.is_some_and(|last| last >= slot) {
            return;
        }
        self.last = Some(slot);
        for (view, rates) in views {
            self.add_link(view, rates, slot);
        }
        self.trim(slot);
    }

    fn add_link(&mut self, view: &LinkView, rates: Option<&LinkRates>, slot: u32) {
        let Some(detail) = &view.detail else { return };
        let copied = |of: fn(&LinkRates) -> Option<f64>| rates.and_then(of);
        let (records, bytes) = (copied(|all| all.records), copied(|all| all.bytes));
        let values = measured(Some(&detail.lag), records, bytes);
        self.add((view.name.clone(), None, None), slot, values, true);
        let mut topics: BTreeMap<&str, LagDetail> = BTreeMap::new();
        for partition in &detail.partitions {
            match topics.get_mut(partition.topic.as_str()) {
                Some(sum) => sum.add(&partition.lag),
                None => {
                    topics.insert(&partition.topic, partition.lag.clone());
                }
            }
        }
        for (topic, lag) in topics {
            let copied = rates.and_then(|all| all.topics.get(topic));
            let copied = copied.map(|rates| (rates.records, rates.bytes));
            let values = measured(Some(&lag), copied.map(|one| one.0), copied.map(|one| one.1));
            let key = (view.name.clone(), Some(topic.to_owned()), None);
            self.add(key, slot, values, true);
        }
        let mut worst: Vec<&PartitionDetail> = detail.partitions.iter().collect();
        worst.sort_by(|one, other| other.lag.seconds.total_cmp(&one.lag.seconds));
        for partition in worst.into_iter().take(WORST) {
            let topic = Some(partition.topic.clone());
            let key = (view.name.clone(), topic, Some(partition.partition));
            self.add(key, slot, values_of(&partition.lag), false);
        }
    }

    fn add(&mut self, key: Key, slot: u32, values: [f32; 4], has_coarse: bool) {
        let point = Point { slot, values };
        let (fine, coarse) = self.steps();
        let series = self.series.entry(key).or_default();
        if slot.is_multiple_of(fine) {
            series.fine.push_back(point);
        }
        if has_coarse && slot.is_multiple_of(coarse) {
            series.coarse.push_back(point);
        }
    }

    /// Slots between points.
    fn steps(&self) -> (u32, u32) {
        let fine = 1_u32 << self.doublings;
        let coarse = u32::try_from(COARSE.0 / FINE.0).unwrap_or(1) << self.doublings;
        (fine, coarse)
    }

    /// Forgets what is too old, and makes everything coarser while it is too much.
    fn trim(&mut self, slot: u32) {
        let reach = |span: u64| u32::try_from(span / FINE.0).unwrap_or(u32::MAX);
        for series in self.series.values_mut() {
            for (points, span) in [(&mut series.fine, FINE.1), (&mut series.coarse, COARSE.1)] {
                let first = slot.saturating_sub(reach(span));
                while points.front().is_some_and(|point| point.slot < first) {
                    points.pop_front();
                }
            }
        }
        self.series
            .retain(|_, series| !(series.fine.is_empty() && series.coarse.is_empty()));
        while self.bytes() > self.budget && self.doublings < 8 {
            self.doublings += 1;
            let (fine, coarse) = self.steps();
            for series in self.series.values_mut() {
                for (points, step) in [(&mut series.fine, fine), (&mut series.coarse, coarse)] {
                    points.retain(|point| point.slot.is_multiple_of(step));
                    points.shrink_to_fit();
                }
            }
        }
        // There are more series than even that leaves room for: the oldest names give way.
        while self.bytes() > self.budget && self.series.pop_last().is_some() {}
    }

    fn bytes(&self) -> usize {
        let points: usize = self
            .series
            .values()
            .map(|series| series.fine.len() + series.coarse.len())
            .sum();
        points * size_of::<Point>() + self.series.len() * SERIES
    }

    /// What is kept of something.
    pub(crate) fn find(&self, wanted: &Wanted, now: u64) -> Found {
        let (fine, coarse) = self.steps();
        let is_recent = wanted.from >= now.saturating_sub(FINE.1 + FINE.0);
        let is_fine = is_recent || wanted.partition.is_some();
        let step = u64::from(if is_fine { fine } else { coarse }) * FINE.0;
        let key = (wanted.link.clone(), wanted.topic.clone(), wanted.partition);
        let series = self.series.get(&key);
        let points = series.map(|series| {
            if is_fine {
                &series.fine
            } else {
                &series.coarse
            }
        });
        let points = points.into_iter().flatten().map(|point| {
            let value = f64::from(point.values[wanted.metric as usize]);
            let at = u64::from(point.slot) * FINE.0;
            (at, Some(value).filter(|value| !value.is_nan()))
        });
        Found {
            step,
            points: points
                .filter(|(at, _)| (wanted.from..=wanted.to).contains(at))
                .collect(),
        }
    }
}

fn measured(lag: Option<&LagDetail>, records: Option<f64>, bytes: Option<f64>) -> [f32; 4] {
    let known = lag.filter(|lag| lag.known);
    let kept = |value: Option<f64>| value.map_or(f32::NAN, |value| value as f32);
    [
        kept(known.map(|lag| lag.seconds)),
        kept(known.and_then(|lag| lag.records).map(|count| count as f64)),
        kept(records),
        kept(bytes),
    ]
}

fn values_of(lag: &LagDetail) -> [f32; 4] {
    measured(Some(lag), None, None)
}

/// Adds what another worker has kept of its part. Where one of them does not know, nobody does.
pub(crate) fn join(all: &mut Found, part: Found, metric: Metric) {
    all.step = all.step.max(part.step);
    for (at, value) in part.points {
        let joined = match all.points.get(&at) {
            Some(known) => known
                .zip(value)
                .map(|(one, other)| metric.joined(one, other)),
            None => value,
        };
        all.points.insert(at, joined);
    }
    let step = all.step;
    all.points.retain(|at, _| at.is_multiple_of(step));
}

/// Leaves a gap wherever a worker that has a part of the link has no point.
pub(crate) fn leave_gaps(all: &mut Found, parts: &[Points]) {
    for (at, value) in &mut all.points {
        if parts.iter().any(|part| !part.contains_key(at)) {
            *value = None;
        }
    }
}

/// As it is shown.
pub(crate) fn document(wanted: &Wanted, found: &Found, now: std::time::SystemTime) -> Value {
    let at =
        |seconds: u64| instant(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds));
    let points = found.points.iter();
    let points: Vec<Value> = points
        .map(|(second, value)| json!({"at": at(*second), "second": second, "value": value}))
        .collect();
    let name = Metric::ALL.iter().find(|(_, own)| *own == wanted.metric);
    json!({
        "schema": "tributary/v1/History",
        "link": wanted.link,
        "topic": wanted.topic,
        "partition": wanted.partition,
        "metric": name.map(|(name, _)| name),
        "step_seconds": found.step,
        "points": points,
        "incomplete": [],
        "as_of": instant(now),
    })
}

/// Reads what another worker answered.
pub(crate) fn parsed(document: &Value) -> Option<Found> {
    let mut points = Points::new();
    for point in document["points"].as_array()? {
        let at = point["second"].as_u64()?;
        points.insert(at, point["value"].as_f64());
    }
    Some(Found {
        step: document["step_seconds"].as_u64()?,
        points,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn key(name: &str) -> Key {
        (name.to_owned(), None, None)
    }

    fn wanted(from: u64, to: u64) -> Wanted {
        Wanted {
            link: "a".to_owned(),
            topic: None,
            partition: None,
            metric: Metric::LagRecords,
            from,
            to,
        }
    }

    fn run(history: &mut History, names: &[&str], slots: std::ops::Range<u32>) {
        for slot in slots {
            for name in names {
                let value = slot as f32;
                history.add(key(name), slot, [value, value, 1.0, f32::NAN], true);
            }
            history.trim(slot);
        }
    }

    #[test]
    fn an_hour_is_kept_in_fine_steps_and_a_day_in_coarse_ones() {
        let mut history = History::new(8 << 20);
        let day = 24 * 240;
        run(&mut history, &["a"], 0..2 * day);
        let now = u64::from(2 * day - 1) * 15;
        let fine = history.find(&wanted(now - HOUR, now), now);
        assert_eq!((fine.step, fine.points.len()), (15, 241));
        assert_eq!(
            fine.points.values().next_back(),
            Some(&Some(f64::from(2 * day - 1)))
        );
        let coarse = history.find(&wanted(now - 24 * HOUR, now), now);
        assert_eq!((coarse.step, coarse.points.len()), (60, 1440));
    }

    #[test]
    fn where_memory_is_short_steps_become_longer_and_nothing_is_left_out() {
        let budget = 64 * 1024;
        let mut history = History::new(budget);
        let names: Vec<String> = (0..100).map(|number| format!("l{number}")).collect();
        let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
        names.push("a");
        run(&mut history, &names, 0..240);
        assert!(history.bytes() <= budget, "{}", history.bytes());
        assert_eq!(history.series.len(), 101);
        let now = 239 * 15;
        let found = history.find(&wanted(0, now), now);
        assert!(found.step > 15 && !found.points.is_empty(), "{found:?}");
        assert!(found.points.keys().all(|at| at.is_multiple_of(found.step)));
    }

    #[test]
    fn parts_of_several_workers_are_added_and_what_one_does_not_know_is_a_gap() {
        let found = |points: &[(u64, Option<f64>)]| Found {
            step: 15,
            points: points.iter().copied().collect(),
        };
        let parts = [
            found(&[(15, Some(1.0)), (30, Some(2.0)), (45, Some(3.0))]),
            found(&[(30, Some(5.0)), (45, None)]),
        ];
        let mut all = parts[0].clone();
        join(&mut all, parts[1].clone(), Metric::LagRecords);
        leave_gaps(&mut all, &parts.map(|part| part.points));
        assert_eq!(all, found(&[(15, None), (30, Some(7.0)), (45, None)]));
    }
}
