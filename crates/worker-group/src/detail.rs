//! What is known of a running link in detail: partitions, topics, clusters; and what a link would do.
//!
//! Plain values, made by the program and shown by whoever serves them. What is not known is nothing, never 0.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::view::LagDetail;

/// Everything there is to know of a running link.
#[derive(Clone, Debug)]
pub struct LinkDetail {
    /// When it was made.
    pub at: SystemTime,
    /// When health was found out last.
    pub evaluated_at: SystemTime,
    /// How it fares, in one word.
    pub health: &'static str,
    /// The sentence that decided that.
    pub reason: String,
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
}

/// A cluster as a link sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterDetail {
    /// Its id.
    pub id: Option<String>,
    /// Where it is asked first.
    pub bootstrap: String,
    /// Brokers that it named last.
    pub brokers: usize,
    /// Whether those that lead something of the link answer.
    pub reach: ReachDetail,
}

/// Whether the brokers that a link needs answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReachDetail {
    /// `PASS`, `WARN`, `UNKNOWN` or `FAIL`.
    pub verdict: &'static str,
    /// What was seen: who does not answer, since when, and the last error.
    pub evidence: String,
}

/// A topic as its link sees it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TopicDetail {
    /// The topic of its copy, where that is known.
    pub destination: Option<String>,
    /// Partitions at the source.
    pub partitions: Option<i32>,
    /// Its state where something is to be said of it, and why.
    pub problem: Option<TopicProblem>,
}

/// What is to be said of a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicProblem {
    /// The name of the state.
    pub state: &'static str,
    /// Whether records are not copied because of it.
    pub blocking: bool,
    /// What is wrong, and what can be done.
    pub reason: String,
}

/// One partition.
#[derive(Clone, PartialEq, Debug)]
pub struct PartitionDetail {
    /// Source topic.
    pub topic: String,
    /// Its number.
    pub partition: i32,
    /// Destination topic.
    pub destination: String,
    /// `active`, `starting`, `retrying`, `stalled`, or the named state in which it stands.
    pub state: &'static str,
    /// Since when.
    pub since: SystemTime,
    /// Why, with numbers and what can be done.
    pub reason: Option<String>,
    /// `PASS`, `WARN`, `UNKNOWN` or `FAIL`.
    pub verdict: &'static str,
    /// What is not copied yet.
    pub lag: LagDetail,
    /// For how many seconds there was something to copy and none of it was.
    pub no_progress: f64,
    /// Next source offset that is not acknowledged.
    pub acked: Option<i64>,
    /// Source offset at which it stands.
    pub stands_at: Option<i64>,
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
    /// What can be said to it while it stands.
    pub answers: Vec<&'static str>,
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
