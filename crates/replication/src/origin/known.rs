//! What is known about producer ids, and which batches a stream takes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Ids of local producers that are remembered; with more, all are asked about anew.
const LOCAL: usize = 1_000_000;

/// The records that one data plane copies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stream {
    /// Those that were first written to the source.
    Local,
    /// Those of a third cluster, which other links copied to the source.
    Of(String),
}

/// Which batches are taken, by their producer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) enum Take {
    /// All of them.
    #[default]
    Everything,
    /// All but those of these producers.
    AllBut(Arc<HashSet<i64>>),
    /// Only those of these producers.
    Only(Arc<HashSet<i64>>),
}

impl Take {
    /// Whether the batches of a producer are taken; negative for a batch without one.
    pub(super) fn takes(&self, producer: i64) -> bool {
        match self {
            Self::Everything => true,
            Self::AllBut(producers) => producer < 0 || !producers.contains(&producer),
            Self::Only(producers) => producer >= 0 && producers.contains(&producer),
        }
    }
}

/// What becomes of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision<'a> {
    /// It is this stream's.
    Take,
    /// It is not.
    Leave,
    /// Nobody can say, and why.
    Lost(&'a str),
}

/// How the batches of an answer are told apart. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OriginRule {
    pub(super) take: Take,
    /// Producers of whom nothing is known any more, and why.
    pub(super) lost: Option<Arc<(HashSet<i64>, String)>>,
}

impl OriginRule {
    /// The rule of a stream where these producers are known to be copies.
    #[cfg(test)]
    pub(crate) fn of(copies: &[i64], local: bool) -> Self {
        let copies = Arc::new(copies.iter().copied().collect());
        let take = match local {
            true => Take::AllBut(copies),
            false => Take::Only(copies),
        };
        Self { take, lost: None }
    }

    /// What becomes of a batch with this producer; negative for none.
    #[must_use]
    pub fn decide(&self, producer: i64) -> Decision<'_> {
        match &self.lost {
            Some(lost) if lost.0.contains(&producer) => Decision::Lost(&lost.1),
            _ if self.take.takes(producer) => Decision::Take,
            _ => Decision::Leave,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Known {
    registered: HashMap<i64, String>,
    local: HashSet<i64>,
    copies: Arc<HashSet<i64>>,
    by_origin: BTreeMap<String, Arc<HashSet<i64>>>,
}

impl Known {
    /// Whether nothing is known of some of these producers.
    pub(super) fn is_new(&self, producer: i64) -> bool {
        producer >= 0 && !self.registered.contains_key(&producer) && !self.local.contains(&producer)
    }

    /// Takes in what a registry holds, read after the batches of `asked` were seen.
    pub(super) fn learn(&mut self, entries: Vec<(i64, String)>, asked: &[i64]) {
        self.registered.extend(entries);
        if self.local.len() + asked.len() > LOCAL {
            self.local.clear();
        }
        let local = asked.iter().filter(|id| !self.registered.contains_key(*id));
        self.local.extend(local);
        if self.copies.len() != self.registered.len() {
            self.copies = Arc::new(self.registered.keys().copied().collect());
            let mut by_origin: BTreeMap<String, HashSet<i64>> = BTreeMap::new();
            for (producer, origin) in &self.registered {
                by_origin
                    .entry(origin.clone())
                    .or_default()
                    .insert(*producer);
            }
            self.by_origin = by_origin
                .into_iter()
                .map(|(origin, producers)| (origin, Arc::new(producers)))
                .collect();
        }
    }

    /// Which batches a stream takes, as far as is known.
    pub(super) fn take(&self, stream: &Stream) -> Take {
        match stream {
            Stream::Local => Take::AllBut(Arc::clone(&self.copies)),
            Stream::Of(origin) => Take::Only(
                self.by_origin
                    .get(origin)
                    .map(Arc::clone)
                    .unwrap_or_default(),
            ),
        }
    }

    /// Clusters whose records are here, but for some.
    pub(super) fn origins(&self, without: [&str; 2]) -> BTreeSet<String> {
        let origins = self.by_origin.keys();
        origins
            .filter(|origin| !without.contains(&origin.as_str()))
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_told_from_local_records_and_by_their_origin() {
        let mut known = Known::default();
        assert!(known.is_new(1) && !known.is_new(-1));
        let entries = [(2, "b"), (3, "c")].map(|(id, origin)| (id, origin.to_owned()));
        known.learn(entries.to_vec(), &[1, 2]);
        assert!(![1, 2, 3].into_iter().any(|id| known.is_new(id)));
        let taken = |stream: &Stream| [-1, 1, 2, 3].map(|id| known.take(stream).takes(id));
        assert_eq!(taken(&Stream::Local), [true, true, false, false]);
        assert_eq!(
            taken(&Stream::Of("c".to_owned())),
            [false, false, false, true]
        );
        assert_eq!(taken(&Stream::Of("d".to_owned())), [false; 4]);
        assert_eq!(known.origins(["a", "b"]), BTreeSet::from(["c".to_owned()]));
    }

    #[test]
    fn an_id_that_was_local_stays_local_and_new_registrations_are_taken_in() {
        let mut known = Known::default();
        known.learn(Vec::new(), &[1]);
        known.learn(vec![(2, "b".to_owned())], &[2]);
        assert!(known.take(&Stream::Local).takes(1));
        assert!(!known.take(&Stream::Local).takes(2));
    }
}
