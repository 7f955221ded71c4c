//! What is known of a running link in detail: partitions, topics, clusters; and what a link would do.
//!
//! Plain values, made by the program and shown by whoever serves them; workers of a group send them to each other. What is
//! not known is nothing, never 0.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::view::{Doing, LagDetail, add_health};

/// A word out of a few, as this program writes it or as another worker has sent it.
pub type Word = Cow<'static, str>;

/// An evaluation of health that is older says nothing.
const EVALUATED: Duration = Duration::from_secs(30);

/// Everything there is to know of a running link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LinkDetail {
    /// When it was made.
    pub at: SystemTime,
    /// When health was found out last.
    pub evaluated_at: SystemTime,
    /// How it fares, in one word.
    pub health: Word,
    /// The sentence that decided that.
    pub reason: String,
    /// Of its partitions, how many fail and how many go on, as they were counted last.
    #[serde(skip)]
    pub doing: Doing,
    /// What is not copied yet.
    pub lag: LagDetail,
    /// The cluster that is read.
    pub source: ClusterDetail,
    /// The cluster that is written.
    pub destination: ClusterDetail,
    /// Topics that are selected, by name.
    pub topics: BTreeMap<String, TopicDetail>,
    /// Topics of the source that are not selected; nothing before they were looked at.
    pub excluded: Option<usize>,
    /// What is wrong with the link and with no single topic.
    pub trouble: Vec<String>,
    /// When topics were looked at last.
    pub topics_at: Option<SystemTime>,
    /// Partitions, in the order in which they were assigned.
    pub partitions: Vec<PartitionDetail>,
    /// Checks that do not rest on partitions, each once.
    #[serde(default)]
    pub checks: Vec<CheckDetail>,
}

/// What a check found that does not rest on partitions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckDetail {
    /// Which.
    pub check: Word,
    /// `PASS`, `WARN`, `UNKNOWN` or `FAIL`.
    pub verdict: Word,
    /// What was seen.
    pub evidence: String,
}

impl CheckDetail {
    fn badness(&self) -> Option<usize> {
        let order = ["PASS", "UNKNOWN", "WARN", "FAIL"];
        order.iter().position(|word| *word == self.verdict)
    }
}

impl LinkDetail {
    /// Whether health was found out so long ago that it says nothing.
    #[must_use]
    pub fn is_too_old(&self, now: SystemTime) -> bool {
        let age = now.duration_since(self.evaluated_at);
        age.is_ok_and(|age| age > EVALUATED)
    }

    /// Counts what its partitions do.
    pub fn count(&mut self) {
        let (mut failing, mut moving) = (0, 0);
        for partition in &self.partitions {
            match &*partition.verdict {
                "FAIL" => failing += 1,
                "PASS" | "WARN" => moving += 1,
                _ => {}
            }
        }
        self.doing = Doing::of(&self.health, failing, moving);
    }

    /// Takes in another part of the same link.
    pub fn add(&mut self, part: Self) {
        let found = (part.health, part.reason);
        let empty = (self.partitions.is_empty(), part.partitions.is_empty());
        let doing = (&mut self.doing, part.doing);
        add_health((&mut self.health, &mut self.reason), empty, doing, found);
        self.evaluated_at = self.evaluated_at.min(part.evaluated_at);
        self.lag.add(&part.lag);
        for (name, topic) in part.topics {
            self.topics.entry(name).or_default().add(topic);
        }
        self.source.add(part.source);
        self.destination.add(part.destination);
        self.excluded = self.excluded.max(part.excluded);
        self.topics_at = self.topics_at.max(part.topics_at);
        self.trouble.extend(part.trouble);
        self.partitions.extend(part.partitions);
        for other in part.checks {
            match self.checks.iter_mut().find(|one| one.check == other.check) {
                // The worst counts.
                Some(one) if other.badness() > one.badness() => *one = other,
                Some(_) => {}
                None => self.checks.push(other),
            }
        }
    }

    /// Tells its times by the clock of whoever received it: `theirs` on the sender's clock was `ours`.
    pub fn move_times(&mut self, theirs: SystemTime, ours: SystemTime) {
        let moved = |time: &mut SystemTime| {
            let ago = theirs.duration_since(*time).unwrap_or(Duration::ZERO);
            *time = ours.checked_sub(ago).unwrap_or(ours);
        };
        moved(&mut self.at);
        moved(&mut self.evaluated_at);
        self.topics_at.iter_mut().for_each(moved);
        self.partitions
            .iter_mut()
            .for_each(|partition| moved(&mut partition.since));
    }
}

impl ClusterDetail {
    /// Takes in how another part of the link sees it: who has not asked it yet knows less.
    fn add(&mut self, other: Self) {
        self.id = self.id.take().or(other.id);
        self.brokers = self.brokers.max(other.brokers);
        self.release = self.release.take().or(other.release);
        let answers = |reach: &ReachDetail| matches!(&*reach.verdict, "PASS" | "WARN");
        let is_partly = answers(&self.reach) || answers(&other.reach);
        if other.reach.badness() > self.reach.badness() {
            self.reach = other.reach;
        }
        // Each needs other brokers: where nobody answers one, and somebody another, some do not answer.
        if is_partly && self.reach.verdict == "FAIL" {
            self.reach.verdict = Word::Borrowed("WARN");
        }
    }
}

/// A cluster as a link sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClusterDetail {
    /// Its id.
    pub id: Option<String>,
    /// Where it is asked first.
    pub bootstrap: String,
    /// Brokers that it named last.
    pub brokers: usize,
    /// The release of Kafka whose metadata it has agreed on.
    #[serde(default)]
    pub release: Option<Word>,
    /// Whether those that lead something of the link answer.
    pub reach: ReachDetail,
}

/// Whether the brokers that a link needs answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReachDetail {
    /// `PASS`, `WARN`, `UNKNOWN` or `FAIL`.
    pub verdict: Word,
    /// What was seen: who does not answer, since when, and the last error.
    pub evidence: String,
    /// How many of them do not answer; nothing before they were asked.
    #[serde(default)]
    pub silent: Option<usize>,
}

impl ReachDetail {
    /// How bad it is, to compare: what is not known says nothing against what is.
    #[must_use]
    pub fn badness(&self) -> Option<usize> {
        let order = ["UNKNOWN", "PASS", "WARN", "FAIL"];
        order.iter().position(|word| *word == self.verdict)
    }
}

/// A topic as its link sees it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct TopicDetail {
    /// The topic of its copy, where that is known.
    pub destination: Option<String>,
    /// Partitions at the source.
    pub partitions: Option<i32>,
    /// Its state where something is to be said of it, and why.
    pub problem: Option<TopicProblem>,
    /// For how many seconds the source keeps its records, where it deletes them by time and that is known.
    #[serde(default)]
    pub retention: Option<f64>,
}

impl TopicDetail {
    /// Takes in what another part of the link knows of it: what one part alone has to say counts for all.
    fn add(&mut self, other: Self) {
        let blocking = |problem: &Option<TopicProblem>| problem.as_ref().map(|one| one.blocking);
        if blocking(&other.problem) > blocking(&self.problem) {
            self.problem = other.problem;
        }
        // It was looked at by both, and grew between.
        self.partitions = self.partitions.max(other.partitions);
        self.destination = self.destination.take().or(other.destination);
        self.retention = self.retention.or(other.retention);
    }
}

/// What is to be said of a topic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TopicProblem {
    /// The name of the state.
    pub state: Word,
    /// Whether records are not copied because of it.
    pub blocking: bool,
    /// What is wrong, and what can be done.
    pub reason: String,
}

/// One partition.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PartitionDetail {
    /// Source topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Destination topic.
    pub destination: String,
    /// `active`, `starting`, `retrying`, `stalled`, or the named state in which it stands.
    pub state: Word,
    /// Since when.
    pub since: SystemTime,
    /// Why, with numbers and what can be done.
    pub reason: Option<String>,
    /// `PASS`, `WARN`, `UNKNOWN` or `FAIL`.
    pub verdict: Word,
    /// What is not copied yet.
    pub lag: LagDetail,
    /// For how many seconds there was something to copy and none of it was.
    pub no_progress: f64,
    /// Next source offset that is not acknowledged.
    pub acked: Option<i64>,
    /// Source offset at which it stands.
    pub stands_at: Option<i64>,
    /// How many seconds old the oldest record in memory is that is not acknowledged.
    #[serde(default)]
    pub oldest_age: Option<f64>,
    /// First offset of the source's log.
    pub source_start: Option<i64>,
    /// Last stable offset of the source.
    pub source_end: Option<i64>,
    /// End of the destination's log.
    pub destination_end: Option<i64>,
    /// Records acknowledged since the process started.
    pub records: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What was found missing at the source since the process started, newest range, in words.
    pub lost: Option<String>,
    /// Next source offset that is not read.
    #[serde(default)]
    pub read: Option<i64>,
    /// Brokers that lead it at the source and at the destination.
    #[serde(default)]
    pub leaders: [Option<i32>; 2],
    /// Records that may be at the destination twice, at most, since its task runs.
    #[serde(default)]
    pub repeated: u64,
    /// What can be said to it while it stands.
    pub answers: Vec<Word>,
    /// The page that explains its state, unless all is well.
    pub help: Option<String>,
}

/// How a preview is made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreviewOptions {
    /// Bytes per second that the copy is expected to reach.
    pub rate: u64,
}

/// A moment as `2026-01-31T12:00:00.000Z`.
#[must_use]
pub fn instant(time: SystemTime) -> String {
    crate::engine::instant(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(verdict: &'static str) -> ClusterDetail {
        ClusterDetail {
            id: None,
            bootstrap: String::new(),
            brokers: 3,
            release: None,
            reach: ReachDetail {
                verdict: verdict.into(),
                evidence: format!("it is {verdict}"),
                silent: Some(usize::from(verdict == "FAIL")),
            },
        }
    }

    #[test]
    fn a_cluster_of_which_some_brokers_answer_is_not_out_of_reach() {
        for (one, other, both) in [
            ("FAIL", "PASS", "WARN"),
            ("PASS", "FAIL", "WARN"),
            ("WARN", "FAIL", "WARN"),
            ("FAIL", "FAIL", "FAIL"),
            ("UNKNOWN", "FAIL", "FAIL"),
            ("UNKNOWN", "PASS", "PASS"),
        ] {
            let mut cluster = seen(one);
            cluster.add(seen(other));
            assert_eq!(cluster.reach.verdict, both, "{one} and {other}");
        }
    }
}
