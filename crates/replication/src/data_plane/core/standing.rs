//! Partitions that stand: stopped because of their topic, looked at again, and resumed one by one.
//!
//! A partition that is resumed begins as it does at a start: both logs are read and compared before anything is written. What an
//! operator answers changes one decision of that beginning, once.

use std::fmt;

use kafka_wire::types::{TopicName, TopicPartition};

use super::super::partition::{Partition, Phase, Stop};
use super::super::route::{Blocked, Cause};
use super::{Core, Index};
use crate::position::Placement;
use crate::side::Source;

/// What an operator says to a partition that stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// Try again as it is.
    Again,
    /// Leave out what the destination does not take, or what cannot be read.
    SkipRecord,
    /// Go on behind what is missing at the source.
    Continue,
    /// Copy the new source topic from its first record, behind what was copied.
    Append,
    /// Copy everything that the source still has.
    Recopy,
}

impl Answer {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Self); 5] = [
        ("resume", Self::Again),
        ("skip-record", Self::SkipRecord),
        ("continue", Self::Continue),
        ("append", Self::Append),
        ("recopy", Self::Recopy),
    ];

    /// As it is called in requests and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, answer)| *answer == self);
        found.map_or("resume", |(name, _)| name)
    }

    /// The answer of this name.
    ///
    /// # Errors
    /// There is none; which there are.
    pub fn of(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, answer)| *answer).ok_or_else(|| {
            let known = Self::ALL.map(|(known, _)| known).join(", ");
            format!("there is no action {name}; there are: {known}")
        })
    }

    /// The answers that help against a state.
    #[must_use]
    pub fn possible(state: &str) -> &'static [Self] {
        match state {
            "source-gap" | "source-truncated" => &[Self::Again, Self::Continue, Self::Recopy],
            "source-recreated" => &[Self::Again, Self::Append, Self::Recopy],
            "destination-behind" | "destination-recreated" | "destination-renamed" => {
                &[Self::Again, Self::Recopy]
            }
            "refused" | "damaged" | "cannot-pass" => &[Self::Again, Self::SkipRecord],
            _ => &[Self::Again],
        }
    }
}

/// Why a partition was not resumed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotResumed {
    /// The link does not copy it.
    Unknown,
    /// It does not stand.
    Runs,
    /// It stands because of its topic, and goes on by itself when that is mended.
    Topic(Stop),
    /// It stands at another offset than expected.
    Moved(Option<i64>),
    /// The answer does not help against the state it is in.
    NotPossible(&'static str, Answer),
    /// Nothing is copied any more.
    Stopping,
}

impl fmt::Display for NotResumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the link does not copy this partition"),
            Self::Runs => f.write_str("the partition does not stand"),
            Self::Topic(stop) => write!(
                f,
                "the partition stands because of its topic ({}), and goes on by itself when that is mended: {}",
                stop.state, stop.reason
            ),
            Self::Moved(Some(offset)) => write!(f, "the partition stands at offset {offset}"),
            Self::Moved(None) => f.write_str("the partition stands at no offset"),
            Self::NotPossible(state, answer) => {
                let possible: Vec<&str> =
                    Answer::possible(state).iter().map(|a| a.name()).collect();
                write!(
                    f,
                    "{} does not help against {state}; possible: {}",
                    answer.name(),
                    possible.join(", ")
                )
            }
            Self::Stopping => f.write_str("the link is stopping"),
        }
    }
}

impl Core {
    /// Stops a topic's partitions; what was read of them is written first.
    pub(crate) fn halt(&mut self, topic: &TopicName, stop: &Stop) {
        for index in self.of_topic(topic) {
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            if partition.halted.is_some() || matches!(partition.phase, Phase::Stopped(_)) {
                continue;
            }
            let stop = Stop {
                offset: partition.position.as_ref().map(|p| p.offset.0),
                ..stop.clone()
            };
            partition.halted = Some(stop.clone());
            let writes = partition.send.as_ref().is_some_and(|send| !send.is_empty());
            if writes && matches!(partition.phase, Phase::Running) {
                let next = partition.next_fetch;
                let blocked = Blocked::new(next, Cause::CannotPass, stop.reason);
                partition.blocked.get_or_insert(blocked);
                self.touch_reader(index);
            } else {
                self.stop(index, stop);
            }
        }
    }

    /// Looks at a topic's partitions again: those that were halted begin anew, those that run compare
    /// the topics' ids with what they were.
    pub(crate) fn look_again(&mut self, topic: &TopicName) {
        for index in self.of_topic(topic) {
            let Some(partition) = self.partitions.get_mut(&index) else {
                continue;
            };
            if partition.halted.take().is_some() {
                partition.restart();
            }
            self.to_locate.insert(index);
        }
    }

    fn of_topic(&self, topic: &TopicName) -> Vec<Index> {
        let all = self.partitions.iter();
        all.filter(|(_, partition)| partition.source.topic == *topic)
            .map(|(index, _)| *index)
            .collect()
    }

    /// Lets a partition go on that stands; nothing else is touched.
    pub(crate) fn resume(
        &mut self,
        source: &TopicPartition,
        answer: Answer,
        expected: Option<i64>,
    ) -> Result<(), NotResumed> {
        let all = self.partitions.iter();
        let found: Vec<Index> = all
            .filter(|(_, partition)| partition.source == *source)
            .map(|(index, _)| *index)
            .collect();
        if found.is_empty() {
            return Err(NotResumed::Unknown);
        }
        let mut stand: Vec<(Index, Stop)> = Vec::new();
        for index in found {
            let Some(partition) = self.partitions.get(&index) else {
                continue;
            };
            let Phase::Stopped(stop) = &partition.phase else {
                continue;
            };
            if partition.halted.is_some() {
                return Err(NotResumed::Topic(stop.clone()));
            }
            if !Answer::possible(stop.state).contains(&answer) {
                return Err(NotResumed::NotPossible(stop.state, answer));
            }
            if expected.is_some() && stop.offset != expected {
                return Err(NotResumed::Moved(stop.offset));
            }
            stand.push((index, stop.clone()));
        }
        if stand.is_empty() {
            return Err(NotResumed::Runs);
        }
        for (index, stop) in stand {
            if let Some(partition) = self.partitions.get_mut(&index) {
                tracing::info!(
                    partition = %partition.source, state = stop.state, offset = stop.offset,
                    answer = answer.name(), "partition is resumed"
                );
                partition.answer(answer, &stop);
            }
            self.mark_changed(index);
            self.to_locate.insert(index);
        }
        Ok(())
    }
}

impl Partition {
    /// Takes what an operator said to what it stands for.
    pub(super) fn answer(&mut self, answer: Answer, stop: &Stop) {
        // What was said of another state does not hold for this one.
        self.accepts_gap = matches!(answer, Answer::Continue);
        match answer {
            Answer::Again | Answer::Continue => {}
            Answer::SkipRecord => self.skip(stop),
            Answer::Append | Answer::Recopy => self.begin_anew(stop),
        }
        self.refused = None;
        self.readings = 0;
        self.backoff.reset();
        self.restart();
    }

    /// Leaves out what it stands for. Everything in front of it is acknowledged.
    fn skip(&mut self, stop: &Stop) {
        let Some(offset) = stop.offset else { return };
        let blocked = self.blocked.as_ref();
        let next = blocked.map_or(offset + 1, |blocked| blocked.behind.max(offset + 1));
        tracing::error!(
            partition = %self.source, from = offset, to = next,
            "left out, as an operator says: {}", stop.reason
        );
        self.totals.skipped += u64::try_from(next - offset).unwrap_or(0);
        if next == offset + 1 {
            let refused = std::sync::Arc::make_mut(&mut self.refused_records);
            refused.insert(offset);
        }
        match &mut self.position {
            // The end of the destination's log is the position; the hole is filled when the next record comes.
            Some(position) if position.placement != Placement::Mapped => self.skip_to = Some(next),
            Some(position) => {
                position.offset = Source(position.offset.0.max(next));
                self.position_changed = true;
                self.store_first = true;
            }
            None => {}
        }
    }
}
