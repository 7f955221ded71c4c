//! How long a fault may show, and how long recovery may take, as numbers.
//!
//! A change to one of these is a change to a promise made to operators. Tests name the limit they hold the program to;
//! no test has a limit of its own for these things.

use std::time::Duration;

use crate::kafka_jars::KafkaVersion;

/// Fault begins → every affected partition shows a degraded state with the reason.
pub const DETECT: Duration = Duration::from_secs(30);

/// Leaders and in-sync sets have settled, or a dependency answers again → affected partitions progress.
pub const RECOVER: Duration = Duration::from_secs(10);

/// Fault healed → throughput is at least [`CAUGHT_UP_SHARE`] of its mean over [`BEFORE_FAULT`].
pub const CATCH_UP: Duration = Duration::from_secs(30);

/// Share of the throughput before the fault that counts as caught up.
pub const CAUGHT_UP_SHARE: f64 = 0.9;

/// The time before a fault over which throughput is averaged.
pub const BEFORE_FAULT: Duration = Duration::from_secs(30);

/// Beyond the poll interval: topic or partition created → its first record is in the destination.
pub const NOTICE_BEYOND_POLL: Duration = Duration::from_secs(5);

/// A cluster is back → topics with less than a hundredth of the backlog are current.
pub const SMALL_CURRENT: Duration = Duration::from_secs(10);

/// And from then on no record of them is further behind than this.
pub const SMALL_BEHIND: Duration = Duration::from_secs(5);

/// Connections that a link has to one broker of its destination: metadata, changes, ends, what it remembers, records, and
/// health.
pub const LANES: u64 = 6;

/// Connections that may be made in the first second after a cluster is back, and in the first ten of them, for each broker and
/// lane.
pub const CONNECTIONS_AT_ONCE: u64 = 2;

/// Attempts at a broker that is away, for each lane and second, after the first [`RETRY_SETTLES`].
pub const ATTEMPTS: u64 = 1;

/// Requests beside data for each partition, in any second after a cluster is back: the end of its copy is compared with its
/// source, and a partition is asked for at a time.
pub const REQUESTS_FOR_EACH: u64 = 4;

/// Longest pause of a partition no fault touches, beyond its longest pause in the minute before.
pub const PAUSE: Duration = Duration::from_secs(2);

/// Group commits at the source → translated offset committed at the destination, in group sync intervals.
pub const SYNC_INTERVALS: u32 = 2;

/// Stop signal → process gone.
pub const STOP: Duration = Duration::from_secs(30);

/// Mean time between attempts per failing partition, over any minute after the first [`RETRY_SETTLES`].
pub const RETRY: Duration = Duration::from_secs(5);

/// The beginning of a fault, in which retries may be closer together than [`RETRY`].
pub const RETRY_SETTLES: Duration = Duration::from_secs(10);

/// Resident memory of one worker beyond its configured buffer memory, in bytes.
pub const MEMORY_BEYOND_BUFFER: u64 = 64 * 1024 * 1024;

/// The judge gives up when nothing has moved for this long and something is still unseen.
pub const NOTHING_MOVES: Duration = Duration::from_secs(60);

/// How many topics a test with many topics makes: `TRIBUTARY_TEST_TOPICS`, or `usual`, which is what every run can afford.
#[must_use]
pub fn topics(usual: usize) -> usize {
    crate::environment::topics().unwrap_or(usual)
}

/// How long tests of random kills go on, where `TRIBUTARY_TEST_MINUTES` asks for a long run; nothing for the short form. A
/// long run also takes the pairs of versions that the short one leaves out.
#[must_use]
pub fn long_run() -> Option<Duration> {
    crate::environment::minutes().map(|minutes| Duration::from_secs(60 * minutes))
}

/// How many partitions a test with many partitions makes, where `TRIBUTARY_TEST_PARTITIONS` asks for its long form.
#[must_use]
pub fn partitions() -> Option<usize> {
    crate::environment::partitions()
}

/// Which Kafka the clusters run that tests disturb: `TRIBUTARY_TEST_VERSION`, or the default.
#[must_use]
pub fn version() -> KafkaVersion {
    let asked = crate::environment::version();
    let mut all = KafkaVersion::ALL.into_iter();
    let found = all.find(|version| asked.as_ref() == Some(&version.to_string()));
    found.unwrap_or_default()
}

/// How many links a test with many links makes: `TRIBUTARY_TEST_LINKS`, or `usual`.
#[must_use]
pub fn links(usual: usize) -> usize {
    crate::environment::links().unwrap_or(usual)
}

/// How many mutated answers a client is given: `TRIBUTARY_TEST_ANSWERS`, or `usual`.
#[must_use]
pub fn answers(usual: usize) -> usize {
    crate::environment::answers().unwrap_or(usual)
}

/// For how many seconds a test goes on that has no end of its own: `TRIBUTARY_TEST_SECONDS`, or `usual`.
#[must_use]
pub fn seconds(usual: usize) -> usize {
    crate::environment::seconds().unwrap_or(usual)
}

/// The program that is tested: `TRIBUTARY_TEST_PROGRAM`, from the workspace's root, for figures of a release build, or the
/// one that was built with the tests.
#[must_use]
pub fn program(built: &std::path::Path) -> std::path::PathBuf {
    crate::environment::tested_program().unwrap_or_else(|| built.to_owned())
}
