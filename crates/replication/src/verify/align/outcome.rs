//! What becomes of records that have a counterpart, and of those that have none.

use super::{Aligner, Place};
use crate::verify::block::{self, Named};
use crate::verify::findings::{Difference, Findings, Kind};
use crate::verify::fingerprint::{Fingerprint, mix};
use crate::verify::memory::Removed;

impl Aligner {
    /// What was found, once nothing is needed any more.
    pub(in crate::verify) fn finish(mut self) -> Findings {
        self.flush();
        for record in self.waiting.drain() {
            self.stranger(record);
        }
        for removed in self.keys.drain() {
            match removed {
                Removed::AtDestination(_) if self.rules.open_end => {
                    self.found.explained.compacted_at_destination += 1;
                    self.found.explained.unproved += 1;
                }
                Removed::AtSource(_) if self.rules.open_end => {
                    self.found.explained.compacted_at_source += 1;
                    self.found.explained.unproved += 1;
                }
                Removed::AtDestination(offset) => self.missing(
                    offset,
                    Some("its key does not occur again, so no cleaner has removed it"),
                ),
                Removed::AtSource(record) => self.stranger(record),
            }
        }
        self.found
            .kept
            .sort_by_key(|d| (d.source.or(d.destination), d.destination));
        self.found
    }

    pub(super) fn matched(&mut self, s: &Fingerprint, d: &Fingerprint) {
        self.has_matched = true;
        self.found.equal += 1;
        self.found.compared += 1;
        if self.rules.places_only {
            return;
        }
        if s.has_other_time_than(d) {
            self.found.explained.append_time += 1;
        }
        let content = s.content();
        let whole = mix(content, s.timestamp as u64);
        self.found.source_hash = mix(self.found.source_hash, whole);
        self.found.destination_hash = mix(self.found.destination_hash, whole);
        self.producers.add(d.producer);
        if let Some(place) = self.place_of(s).filter(|place| *place != d.offset) {
            self.displaced(s, d, place);
        } else {
            self.displaced_by = None;
        }
        self.recent.add(content);
        for earlier in self.waiting.take(content) {
            self.duplicate(&earlier);
        }
        self.occurs(s);
    }

    fn displaced(&mut self, s: &Fingerprint, d: &Fingerprint, place: i64) {
        let by = d.offset - place;
        if self.displaced_by == Some(by) {
            *self.found.counts.entry(Kind::Displaced).or_default() += 1;
            return;
        }
        self.displaced_by = Some(by);
        self.found.add(Difference {
            kind: Kind::Displaced,
            source: Some(s.offset),
            destination: Some(d.offset),
            parts: Vec::new(),
            note: Some(format!(
                "it should be at {place}; from here on offsets are {by:+}"
            )),
        });
    }

    /// A record with this key stands here: what cleaners removed before is explained.
    fn occurs(&mut self, record: &Fingerprint) {
        if !record.has_key {
            return;
        }
        for removed in self.keys.seen(record.key) {
            match removed {
                Removed::AtDestination(_) => self.found.explained.compacted_at_destination += 1,
                Removed::AtSource(d) if self.producers.is_foreign(d.producer) => self.stranger(d),
                Removed::AtSource(_) => self.found.explained.compacted_at_source += 1,
            }
        }
    }

    pub(super) fn flush(&mut self) {
        if self.block.0.is_empty() && self.block.1.is_empty() {
            return;
        }
        let (source, destination) = std::mem::take(&mut self.block);
        if self.rules.places_only {
            source.iter().for_each(|record| self.absent(record));
            destination.iter().for_each(|record| self.extra(record));
            return;
        }
        let named = block::name(&source, &destination, |record| self.place_of(record));
        self.settle(&named, &source, &destination);
    }

    /// Takes the records of a block in their order: whether a key occurs *later* explains what cleaners removed.
    fn settle(&mut self, named: &Named, source: &[Fingerprint], destination: &[Fingerprint]) {
        let pairs = [
            (None, &named.paired),
            (Some(Kind::Order), &named.moved),
            (Some(Kind::Altered), &named.altered),
        ];
        let pairs = pairs
            .into_iter()
            .flat_map(|(kind, pairs)| pairs.iter().map(move |&(s, d)| (s, Some((d, kind)))));
        let absent = named.absent.iter().map(|&s| (s, None));
        let mut in_order: Vec<_> = pairs.chain(absent).collect();
        in_order.sort_unstable_by_key(|(s, _)| *s);
        let mut extra = named.extra.iter().copied().peekable();
        for (s, counterpart) in in_order {
            let s = &source[s];
            let Some((d, kind)) = counterpart else {
                self.absent(s);
                continue;
            };
            while let Some(before) = extra.next_if(|before| *before < d) {
                self.extra(&destination[before]);
            }
            match kind {
                None => self.matched(s, &destination[d]),
                Some(kind) => self.unlike(kind, s, &destination[d]),
            }
        }
        extra.for_each(|d| self.extra(&destination[d]));
    }

    /// There is a counterpart, and it is another record or at another place.
    fn unlike(&mut self, kind: Kind, s: &Fingerprint, d: &Fingerprint) {
        self.found.compared += 1;
        self.hash_apart(Some(s), Some(d));
        self.occurs(s);
        self.found.add(Difference {
            kind,
            source: Some(s.offset),
            destination: Some(d.offset),
            parts: s.differs_in(d),
            note: None,
        });
    }

    fn hash_apart(&mut self, s: Option<&Fingerprint>, d: Option<&Fingerprint>) {
        let whole = |record: &Fingerprint| mix(record.content(), record.timestamp as u64);
        if let Some(s) = s {
            self.found.source_hash = mix(self.found.source_hash, whole(s));
        }
        if let Some(d) = d {
            self.found.destination_hash = mix(self.found.destination_hash, whole(d));
        }
    }

    /// The destination has no such record.
    fn absent(&mut self, record: &Fingerprint) {
        let explained = &mut self.found.explained;
        if self.rules.copied_to.is_some_and(|end| record.offset >= end) {
            explained.not_copied_yet += 1;
            return;
        }
        let place = self
            .expected
            .as_ref()
            .map(|expected| expected.place(record.offset));
        if place == Some(Place::Before) {
            explained.before_the_copy += 1;
            return;
        }
        let at_front = self.by_content && !self.has_matched && place.is_none();
        if at_front && self.rules.open_front {
            return;
        }
        let start = self.rules.starts.1;
        let is_gone = matches!(place, Some(Place::At(place)) if place < start);
        // Each of them took an offset, so more cannot be gone.
        let may_be_gone = explained.retention_at_destination < u64::try_from(start).unwrap_or(0);
        if is_gone || (at_front && may_be_gone) {
            explained.retention_at_destination += 1;
            return;
        }
        self.found.compared += 1;
        if !self.rules.compacted.1 {
            let note = (place == Some(Place::Hole)).then_some("the offset map has no place for it");
            self.missing(record.offset, note);
            self.hash_apart(Some(record), None);
        } else if self.rules.places_only {
            self.found.explained.compacted_at_destination += 1;
            self.found.explained.unproved += 1;
        } else if !record.has_key {
            self.missing(record.offset, None);
        } else {
            self.occurs(record);
            if record.is_tombstone {
                self.found.explained.compacted_at_destination += 1;
            } else if !self
                .keys
                .wait(record.key, Removed::AtDestination(record.offset))
            {
                self.found.explained.compacted_at_destination += 1;
                self.found.explained.unproved += 1;
            }
        }
    }

    fn missing(&mut self, source: i64, note: Option<&str>) {
        let place = self
            .expected
            .as_ref()
            .map(|expected| expected.place(source));
        self.found.add(Difference {
            kind: Kind::Missing,
            source: Some(source),
            destination: match place {
                Some(Place::At(place)) => Some(place),
                _ => None,
            },
            parts: Vec::new(),
            note: note.map(str::to_owned),
        });
    }

    /// The source has no such record.
    fn extra(&mut self, record: &Fingerprint) {
        let front = self
            .expected
            .as_ref()
            .map(|expected| expected.destination_from(self.rules.starts.0.max(0)));
        let explained = &mut self.found.explained;
        let at_front = self.by_content && !self.has_matched && front.is_none();
        if at_front && self.rules.open_front {
            return;
        }
        let has_expired = front.map_or(at_front, |front| record.offset < front);
        let start = u64::try_from(self.rules.starts.0).unwrap_or(0);
        let may_have = front.is_some() || explained.retention_at_source < start;
        if has_expired && start > 0 && may_have {
            explained.retention_at_source += 1;
            return;
        }
        if self.rules.merged && self.rules.producer != Some(record.producer) {
            explained.merged += 1;
            return;
        }
        if self.rules.places_only {
            if self.rules.compacted.0 {
                explained.compacted_at_source += 1;
                explained.unproved += 1;
            } else {
                self.stranger(*record);
            }
            return;
        }
        let content = record.content();
        if self.recent.holds(content) && !self.rules.compacted.0 {
            self.duplicate(record);
        } else if self.rules.compacted.0 && record.has_key {
            self.occurs(record);
            if record.is_tombstone {
                self.found.explained.compacted_at_source += 1;
            } else if !self.keys.wait(record.key, Removed::AtSource(*record)) {
                self.found.explained.compacted_at_source += 1;
                self.found.explained.unproved += 1;
            }
        } else if let Some(oldest) = self.waiting.add(content, *record) {
            self.stranger(oldest);
        }
    }

    fn duplicate(&mut self, record: &Fingerprint) {
        self.hash_apart(None, Some(record));
        self.found.add(Difference {
            kind: Kind::Duplicate,
            source: None,
            destination: Some(record.offset),
            parts: Vec::new(),
            note: None,
        });
    }

    /// A record of the destination that nothing explains.
    fn stranger(&mut self, record: Fingerprint) {
        if !self.rules.places_only && self.recent.holds(record.content()) {
            self.duplicate(&record);
            return;
        }
        let is_foreign = self.producers.is_foreign(record.producer);
        if self.rules.open_end && self.by_content && !is_foreign {
            // It may be the copy of a record behind the range.
            return;
        }
        self.hash_apart(None, Some(&record));
        self.found.add(Difference {
            kind: if is_foreign {
                Kind::Foreign
            } else {
                Kind::Extra
            },
            source: None,
            destination: Some(record.offset),
            parts: Vec::new(),
            note: is_foreign.then(|| match record.producer {
                ..0 => "written without a producer id".to_owned(),
                id => format!("written by producer {id}, which writes no copies"),
            }),
        });
    }
}
