//! Deals a link's partitions to its tasks: by expected load, and so that as little as possible moves. Pure.
//!
//! A partition stays where it is as long as its task is not far above its share. What is new goes to the task with the
//! least load. A share is written as ranges, because one record per task has to hold it.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::Config;

/// A partition of a source topic.
pub type Partition = (String, i32);

/// The configuration of a task that says which partitions it has.
pub(crate) const PARTITIONS: &str = "tributary.task.partitions";

/// Partitions of each task, by task number.
pub type Shares = Vec<BTreeMap<String, Vec<i32>>>;

/// How far above its share a task may be before something is taken from it.
const TOLERATED: f64 = 1.25;

/// More than any topic has: what others write is not trusted with memory.
const MOST_PARTITIONS: i64 = 1_000_000;

/// Deals `partitions`, each with its expected load, to at most `most` tasks. There is always one task, and never more
/// than partitions.
#[must_use]
pub fn deal(partitions: &BTreeMap<Partition, f64>, most: u32, before: &Shares) -> Shares {
    let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
    let count = most.min(partitions.len()).max(1);
    let mut shares: Vec<Vec<(&Partition, f64)>> = vec![Vec::new(); count];
    let owners = owners(before);
    let fair = partitions.values().sum::<f64>() / count as f64;
    let mut homeless: Vec<(&Partition, f64)> = Vec::new();
    for (partition, load) in partitions {
        match owners.get(partition) {
            Some(owner) if *owner < count => shares[*owner].push((partition, *load)),
            _ => homeless.push((partition, *load)),
        }
    }
    for share in &mut shares {
        shed(share, fair, &mut homeless);
    }
    // The heaviest first, so that the light ones fill what is left.
    homeless.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let tasks = shares.iter().enumerate();
    let mut by_load: BTreeSet<(Load, usize, usize)> = tasks
        .map(|(task, share)| {
            let load = share.iter().map(|(_, load)| load).sum();
            (Load(load), share.len(), task)
        })
        .collect();
    for (partition, load) in homeless {
        let (Load(sum), partitions, task) = by_load.pop_first().expect("there is a task");
        by_load.insert((Load(sum + load), partitions + 1, task));
        shares[task].push((partition, load));
    }
    fill_empty(&mut shares);
    shares.into_iter().map(by_topic).collect()
}

/// What a task has to do, in an order.
#[derive(Clone, Copy, Debug)]
struct Load(f64);

impl PartialEq for Load {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Load {}

impl Ord for Load {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Load {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Takes the lightest partitions from a task that is far above its share, as long as it stays above it.
fn shed<'a>(
    share: &mut Vec<(&'a Partition, f64)>,
    fair: f64,
    homeless: &mut Vec<(&'a Partition, f64)>,
) {
    let mut load: f64 = share.iter().map(|(_, load)| load).sum();
    if load <= fair * TOLERATED {
        return;
    }
    share.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    while share.len() > 1 && load > fair {
        let (_, lightest) = share.last().expect("more than one");
        if load - lightest < fair * 0.99 {
            break;
        }
        load -= lightest;
        homeless.extend(share.pop());
    }
}

/// A task without partitions would be shown as running and do nothing; there are enough partitions for each.
fn fill_empty(shares: &mut [Vec<(&Partition, f64)>]) {
    while let Some(empty) = shares.iter().position(Vec::is_empty) {
        let fullest = (0..shares.len())
            .max_by_key(|index| shares[*index].len())
            .expect("there is a task");
        if shares[fullest].len() < 2 {
            return;
        }
        let moved = shares[fullest].pop();
        shares[empty].extend(moved);
    }
}

fn owners(before: &Shares) -> BTreeMap<Partition, usize> {
    let mut owners = BTreeMap::new();
    for (task, share) in before.iter().enumerate() {
        for (topic, numbers) in share {
            for number in numbers {
                owners.insert((topic.clone(), *number), task);
            }
        }
    }
    owners
}

fn by_topic(share: Vec<(&Partition, f64)>) -> BTreeMap<String, Vec<i32>> {
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for ((topic, number), _) in share {
        topics.entry(topic.clone()).or_default().push(*number);
    }
    for numbers in topics.values_mut() {
        numbers.sort_unstable();
    }
    topics
}

/// A share as ranges: `orders:0-7,9;payments:3`.
#[must_use]
pub fn ranges(share: &BTreeMap<String, Vec<i32>>) -> String {
    let mut text = String::new();
    for (topic, numbers) in share {
        if !text.is_empty() {
            text.push(';');
        }
        text.push_str(topic);
        let mut sign = ':';
        let mut rest = numbers.as_slice();
        while let [first, ..] = rest {
            let mut last = *first;
            let mut length = 1;
            while rest.get(length).is_some_and(|next| *next == last + 1) {
                last += 1;
                length += 1;
            }
            // Writing to a text cannot fail.
            let _ = if *first == last {
                write!(text, "{sign}{first}")
            } else {
                write!(text, "{sign}{first}-{last}")
            };
            sign = ',';
            rest = &rest[length..];
        }
    }
    text
}

/// A share from its ranges; nothing where it is not written so.
#[must_use]
pub fn parse_ranges(text: &str) -> Option<BTreeMap<String, Vec<i32>>> {
    let mut share = BTreeMap::new();
    for part in text.split(';').filter(|part| !part.is_empty()) {
        let (topic, ranges) = part.rsplit_once(':')?;
        let mut numbers = Vec::new();
        for range in ranges.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last): (i32, i32) = (first.parse().ok()?, last.parse().ok()?);
            if first < 0 || last < first || i64::from(last) - i64::from(first) > MOST_PARTITIONS {
                return None;
            }
            numbers.extend(first..=last);
        }
        share.insert(topic.to_owned(), numbers);
    }
    Some(share)
}

/// The partitions of a task, by source topic; none where its configuration does not say.
#[must_use]
pub fn partitions_of(task: &Config) -> BTreeMap<String, Vec<i32>> {
    let text = task.get(PARTITIONS).map_or("", String::as_str);
    parse_ranges(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn even(topics: &[(&str, i32)]) -> BTreeMap<Partition, f64> {
        let mut partitions = BTreeMap::new();
        for (topic, count) in topics {
            for number in 0..*count {
                partitions.insert(((*topic).to_owned(), number), 1.0);
            }
        }
        partitions
    }

    fn counts(shares: &Shares) -> Vec<usize> {
        let count = |share: &BTreeMap<String, Vec<i32>>| share.values().map(Vec::len).sum();
        shares.iter().map(count).collect()
    }

    #[test]
    fn there_is_always_a_task_and_never_more_than_partitions() {
        assert_eq!(counts(&deal(&BTreeMap::new(), 8, &Vec::new())), [0]);
        assert_eq!(counts(&deal(&even(&[("t", 3)]), 8, &Vec::new())), [1, 1, 1]);
        assert_eq!(counts(&deal(&even(&[("t", 9)]), 2, &Vec::new())), [5, 4]);
    }

    #[test]
    fn what_is_new_is_added_and_nothing_else_moves() {
        let first = deal(&even(&[("a", 6)]), 3, &Vec::new());
        let second = deal(&even(&[("a", 6), ("b", 3)]), 3, &first);
        for (old, new) in first.iter().zip(&second) {
            assert_eq!(old.get("a"), new.get("a"));
        }
        assert_eq!(counts(&second), [3, 3, 3]);
    }

    #[test]
    fn a_heavy_partition_gets_a_task_for_itself() {
        let mut partitions = even(&[("t", 5)]);
        partitions.insert(("big".into(), 0), 100.0);
        let shares = deal(&partitions, 2, &Vec::new());
        assert_eq!(ranges(&shares[0]), "big:0");
        assert_eq!(ranges(&shares[1]), "t:0-4");
    }

    #[test]
    fn shares_are_written_as_ranges() {
        let share = BTreeMap::from([
            ("orders".to_owned(), vec![0, 1, 2, 3, 5, 7, 8]),
            ("p".to_owned(), vec![4]),
        ]);
        assert_eq!(ranges(&share), "orders:0-3,5,7-8;p:4");
        assert_eq!(parse_ranges(&ranges(&share)), Some(share));
        assert_eq!(ranges(&BTreeMap::new()), "");
        assert_eq!(parse_ranges(""), Some(BTreeMap::new()));
        for wrong in ["t", "t:", "t:a", "t:3-1", "t:-1", "t:0-2000000000"] {
            assert_eq!(parse_ranges(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn every_partition_has_one_task_whatever_was_before(
            before in prop::collection::btree_map(("[ab]", 0..20_i32), 0.1..50.0_f64, 0..30),
            now in prop::collection::btree_map(("[ab]", 0..20_i32), 0.1..50.0_f64, 0..30),
            tasks in 1..6_u32,
            tasks_then in 1..6_u32,
        ) {
            let first = deal(&before, tasks, &Vec::new());
            let shares = deal(&now, tasks_then, &first);
            let dealt: Vec<Partition> = shares
                .iter()
                .flat_map(|share| share.iter())
                .flat_map(|(topic, numbers)| numbers.iter().map(|n| (topic.clone(), *n)))
                .collect();
            let mut unique = dealt.clone();
            unique.sort();
            unique.dedup();
            prop_assert_eq!(unique.len(), dealt.len());
            prop_assert_eq!(unique, now.keys().cloned().collect::<Vec<_>>());
            prop_assert!(now.is_empty() || shares.iter().all(|share| !share.is_empty()));
            // Dealt again, nothing moves.
            prop_assert_eq!(&deal(&now, tasks_then, &shares), &deal(&now, tasks_then, &deal(&now, tasks_then, &shares)));
        }
    }
}
