//! What a comparison remembers of records that are behind it: everything here is bounded.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::fingerprint::Fingerprint;

/// Records behind the present place among which a duplicate is recognised.
const RECENT: usize = 65_536;
/// Records of the destination that wait to be recognised as duplicates of later ones.
const WAITING: usize = 8_192;
/// Keys that wait for a later record.
const KEYS: usize = 1_000_000;
/// Writers of equal records that are remembered.
const PRODUCERS: usize = 64;

/// Contents of the last records that were equal on both sides.
#[derive(Debug, Default)]
pub(super) struct Recent {
    order: VecDeque<u64>,
    counts: HashMap<u64, u32>,
}

impl Recent {
    pub(super) fn add(&mut self, content: u64) {
        if self.order.len() == RECENT
            && let Some(old) = self.order.pop_front()
            && let Some(count) = self.counts.get_mut(&old)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&old);
            }
        }
        self.order.push_back(content);
        *self.counts.entry(content).or_default() += 1;
    }

    pub(super) fn holds(&self, content: u64) -> bool {
        self.counts.contains_key(&content)
    }
}

/// Records that only the destination has, of which later ones may show what they are.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_content: HashMap<u64, Vec<Fingerprint>>,
    order: VecDeque<u64>,
}

impl Waiting {
    /// Takes one in; gives back the oldest when there is no more room.
    pub(super) fn add(&mut self, content: u64, record: Fingerprint) -> Option<Fingerprint> {
        self.by_content.entry(content).or_default().push(record);
        self.order.push_back(content);
        if self.order.len() <= WAITING {
            return None;
        }
        // An entry may have been taken out meanwhile; its place in the order stays behind.
        let oldest = self.order.pop_front()?;
        let records = self.by_content.get_mut(&oldest)?;
        let record = records.remove(0);
        if records.is_empty() {
            self.by_content.remove(&oldest);
        }
        Some(record)
    }

    /// Takes out the records with this content.
    pub(super) fn take(&mut self, content: u64) -> Vec<Fingerprint> {
        if self.by_content.is_empty() {
            return Vec::new();
        }
        self.by_content.remove(&content).unwrap_or_default()
    }

    /// Takes out all, in the order of their offsets.
    pub(super) fn drain(&mut self) -> Vec<Fingerprint> {
        self.order.clear();
        let mut all: Vec<_> = std::mem::take(&mut self.by_content)
            .into_values()
            .flatten()
            .collect();
        all.sort_unstable_by_key(|record| record.offset);
        all
    }
}

/// A record that may have been removed by a cleaner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Removed {
    /// Of the source's record with this offset the destination has none.
    AtDestination(i64),
    /// Of the destination's record the source has none.
    AtSource(Fingerprint),
}

/// Keys that have to occur again later for a missing record to be explained by compaction.
#[derive(Debug, Default)]
pub(super) struct Keys {
    waiting: HashMap<u64, Vec<Removed>>,
    held: usize,
}

impl Keys {
    /// Keeps a record until its key occurs again; `false` when there is no room.
    pub(super) fn wait(&mut self, key: u64, removed: Removed) -> bool {
        if self.held >= KEYS {
            return false;
        }
        self.held += 1;
        self.waiting.entry(key).or_default().push(removed);
        true
    }

    /// The key occurs: what waited for it is explained.
    pub(super) fn seen(&mut self, key: u64) -> Vec<Removed> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let explained = self.waiting.remove(&key).unwrap_or_default();
        self.held -= explained.len();
        explained
    }

    /// What is left unexplained.
    pub(super) fn drain(&mut self) -> Vec<Removed> {
        self.held = 0;
        std::mem::take(&mut self.waiting)
            .into_values()
            .flatten()
            .collect()
    }
}

/// Who writes the copies.
#[derive(Debug, Default)]
pub(super) struct Producers(HashSet<i64>);

impl Producers {
    pub(super) fn add(&mut self, producer: i64) {
        if self.0.len() < PRODUCERS {
            self.0.insert(producer);
        }
    }

    /// Whether somebody else is known to write the copies.
    pub(super) fn is_foreign(&self, producer: i64) -> bool {
        !self.0.is_empty() && !self.0.contains(&producer)
    }
}

/// Numbers of records by content.
#[derive(Debug, Default)]
pub(super) struct Multiset(BTreeMap<u64, Vec<usize>>);

impl Multiset {
    pub(super) fn of(contents: impl IntoIterator<Item = (usize, u64)>) -> Self {
        let mut set = BTreeMap::<u64, Vec<usize>>::new();
        for (index, content) in contents {
            set.entry(content).or_default().push(index);
        }
        // Taken from the end: the first one first.
        set.values_mut().for_each(|indices| indices.reverse());
        Self(set)
    }

    pub(super) fn take(&mut self, content: u64) -> Option<usize> {
        self.0.get_mut(&content)?.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_comes_back_when_there_is_no_room_or_by_its_content() {
        let mut waiting = Waiting::default();
        let record = |offset| Fingerprint::place(offset, -1);
        for offset in 0..WAITING as i64 {
            assert_eq!(waiting.add(offset as u64, record(offset)), None);
        }
        assert_eq!(waiting.take(0), [record(0)]);
        // Its place in the order is still there, and frees nothing.
        assert_eq!(waiting.add(77_777, record(77_777)), None);
        assert_eq!(waiting.add(77_778, record(77_778)), Some(record(1)));
        let left = waiting.drain();
        assert_eq!(left.len(), WAITING);
        assert_eq!(left[0], record(2));
    }

    #[test]
    fn recent_contents_are_forgotten_after_a_while() {
        let mut recent = Recent::default();
        recent.add(1);
        recent.add(1);
        (0..RECENT as u64 - 1).for_each(|i| recent.add(i + 10));
        assert!(recent.holds(1));
        recent.add(5);
        assert!(!recent.holds(1));
    }
}
