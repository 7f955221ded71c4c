//! What a comparison found, in numbers and, as far as there is room, one by one.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use super::fingerprint::Part;

/// Differences of a partition that are kept one by one; all are counted.
pub(super) const KEPT: usize = 100;

/// What kind of difference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A record of the source that the destination lacks.
    Missing,
    /// A record that the destination has a second time.
    Duplicate,
    /// The record at this place is another one than at the source.
    Altered,
    /// A record that stands before one that it should follow.
    Order,
    /// The record is there, at another offset than it should have.
    Displaced,
    /// A record that somebody else wrote.
    Foreign,
    /// A record of unknown origin that the source does not have.
    Extra,
    /// A whole partition that the destination lacks, whether the source's has records or not.
    NoCopy,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Missing,
        Self::Duplicate,
        Self::Altered,
        Self::Order,
        Self::Displaced,
        Self::Foreign,
        Self::Extra,
        Self::NoCopy,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Altered => "altered",
            Self::Order => "order",
            Self::Displaced => "displaced",
            Self::Foreign => "foreign",
            Self::Extra => "extra",
            Self::NoCopy => "no-copy",
        }
    }
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// Its kind.
    pub kind: Kind,
    /// The record at the source, where there is one.
    pub source: Option<i64>,
    /// The record at the destination, or where one should be.
    pub destination: Option<i64>,
    /// In what an altered record differs.
    pub parts: Vec<Part>,
    /// What else there is to say.
    pub note: Option<String>,
}

/// Records and offsets that differ for a reason. They are no differences.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Explained {
    /// Control records (transaction markers) of the source.
    pub source_control: u64,
    /// Control records of the destination.
    pub destination_control: u64,
    /// Records of aborted transactions at the source.
    pub aborted: u64,
    /// Records of aborted transactions at the destination.
    pub destination_aborted: u64,
    /// Records that the source's cleaner has removed.
    pub compacted_at_source: u64,
    /// Records that the destination's cleaner has removed.
    pub compacted_at_destination: u64,
    /// Of these two, how many could not be proved: the memory for their keys was full, or the range ends before.
    pub unproved: u64,
    /// Offsets that the source no longer has.
    pub retention_at_source: u64,
    /// Offsets that the destination no longer has.
    pub retention_at_destination: u64,
    /// Records that keep a place at the destination until the cleaner removes them.
    pub filler: u64,
    /// Records of others in a destination topic that several write to.
    pub merged: u64,
    /// Records of the source that have not been copied yet.
    pub not_copied_yet: u64,
    /// Records of the source from before the copy began.
    pub before_the_copy: u64,
    /// Records with a broker's time instead of the producer's.
    pub append_time: u64,
    /// Records of the source that other links copied there: this link does not copy them.
    pub of_other_origins: u64,
    /// Records that were first written to the destination, where links go both ways.
    pub local_at_destination: u64,
    /// Offsets that were not part of the sample.
    pub not_sampled: u64,
}

impl Explained {
    /// Everything that is not zero, with its name.
    #[must_use]
    pub fn entries(&self) -> Vec<(&'static str, u64)> {
        let all = [
            ("control-at-source", self.source_control),
            ("control-at-destination", self.destination_control),
            ("aborted-at-source", self.aborted),
            ("aborted-at-destination", self.destination_aborted),
            ("compacted-at-source", self.compacted_at_source),
            ("compacted-at-destination", self.compacted_at_destination),
            ("compaction-unproved", self.unproved),
            ("retention-at-source", self.retention_at_source),
            ("retention-at-destination", self.retention_at_destination),
            ("filler", self.filler),
            ("merged", self.merged),
            ("not-copied-yet", self.not_copied_yet),
            ("before-the-copy", self.before_the_copy),
            ("append-time", self.append_time),
            ("of-other-origins", self.of_other_origins),
            ("local-at-destination", self.local_at_destination),
            ("not-sampled", self.not_sampled),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

impl AddAssign for Explained {
    fn add_assign(&mut self, other: Self) {
        self.source_control += other.source_control;
        self.destination_control += other.destination_control;
        self.aborted += other.aborted;
        self.destination_aborted += other.destination_aborted;
        self.compacted_at_source += other.compacted_at_source;
        self.compacted_at_destination += other.compacted_at_destination;
        self.unproved += other.unproved;
        self.retention_at_source += other.retention_at_source;
        self.retention_at_destination += other.retention_at_destination;
        self.filler += other.filler;
        self.merged += other.merged;
        self.not_copied_yet += other.not_copied_yet;
        self.before_the_copy += other.before_the_copy;
        self.append_time += other.append_time;
        self.of_other_origins += other.of_other_origins;
        self.local_at_destination += other.local_at_destination;
        self.not_sampled += other.not_sampled;
    }
}

/// All that one comparison found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Findings {
    /// Records of the source that were looked at.
    pub(super) source_records: u64,
    /// Records of the destination that were looked at.
    pub(super) destination_records: u64,
    /// Records that are equal on both sides.
    pub(super) equal: u64,
    /// Records of the source that have a counterpart, equal or not, or should have one.
    pub(super) compared: u64,
    pub(super) explained: Explained,
    pub(super) counts: BTreeMap<Kind, u64>,
    pub(super) kept: Vec<Difference>,
    /// Over all records compared, in their order.
    pub(super) source_hash: u64,
    pub(super) destination_hash: u64,
}

impl Findings {
    pub(super) fn add(&mut self, difference: Difference) {
        *self.counts.entry(difference.kind).or_default() += 1;
        if self.kept.len() < KEPT {
            self.kept.push(difference);
        }
    }

    /// Counts differences that are known by their number only, and keeps one of them.
    pub(super) fn add_many(&mut self, kind: Kind, count: u64, note: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        self.add(Difference {
            kind,
            source: None,
            destination: None,
            parts: Vec::new(),
            note: Some(note()),
        });
        *self.counts.entry(kind).or_default() += count - 1;
    }

    /// Adds what was found in a range behind.
    pub(super) fn append(&mut self, other: Self) {
        self.source_records += other.source_records;
        self.destination_records += other.destination_records;
        self.equal += other.equal;
        self.compared += other.compared;
        self.explained += other.explained;
        for (kind, count) in other.counts {
            *self.counts.entry(kind).or_default() += count;
        }
        self.kept.extend(other.kept);
        self.kept.truncate(KEPT);
        self.source_hash = super::fingerprint::mix(self.source_hash, other.source_hash);
        self.destination_hash =
            super::fingerprint::mix(self.destination_hash, other.destination_hash);
    }

    pub(super) fn differences(&self) -> u64 {
        self.counts.values().sum()
    }
}
