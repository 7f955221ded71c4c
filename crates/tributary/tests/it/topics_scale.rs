//! Many topics: what the first look costs, what looking costs when nothing happens, and that one more topic concerns
//! nobody else. Counted by proxies in front of the brokers.

use std::time::Duration;

use test_support::eventually::eventually;
use test_support::fault_proxy::{Direction, FrameAction, FrameRule, RuleHandle};
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::limits::topics as topics_to_make;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{create_topics, topics};
use tokio::time::Instant;

use crate::support::{NEW, OLD, Replicate, new_topic, offsets, stored, unique};
use crate::topics::send;

/// A thousand (`TRIBUTARY_TEST_TOPICS=1000`) is a matter of minutes with one broker; the figures grow in proportion.
const TOPICS: usize = 200;
/// The other way round, in the same clusters.
const BACK: usize = 100;
const PARTITIONS: i32 = 4;
/// How long nothing happens; the other way round.
const QUIET: Duration = Duration::from_secs(20);
const QUIET_BACK: Duration = Duration::from_secs(6);
/// A request that names every partition is larger than this (30 KB here), and one that names a few is not.
const WHOLE: usize = 8_000;
/// Longest wait for all topics to be there.
const LIMIT: Duration = Duration::from_secs(240);

/// API keys with their names; the first is a fetch that names every partition.
const COUNTED: [(&str, i16); 11] = [
    ("whole Fetch", 1),
    ("Fetch", 1),
    ("Produce", 0),
    ("ListOffsets", 2),
    ("Metadata", 3),
    ("CreateTopics", 19),
    ("InitProducerId", 22),
    ("OffsetForLeaderEpoch", 23),
    ("DescribeConfigs", 32),
    ("CreatePartitions", 37),
    ("IncrementalAlterConfigs", 44),
];

/// Requests that passed a cluster's proxy.
struct Counter(Vec<(&'static str, RuleHandle)>);

impl Counter {
    fn new(cluster: &KafkaCluster) -> Self {
        let rules = COUNTED.iter().enumerate().map(|(number, (name, key))| {
            let rule = FrameRule::new(Direction::Requests, *key, FrameAction::Pass).times(u32::MAX);
            let rule = if number == 0 {
                rule.larger_than(WHOLE)
            } else {
                rule
            };
            (*name, cluster.proxy(0).on_frame(rule))
        });
        Self(rules.collect())
    }

    fn now(&self) -> Vec<u32> {
        self.0.iter().map(|(_, rule)| rule.hits()).collect()
    }

    /// What came since `before`, as text, with names.
    fn since(&self, before: &[u32]) -> Vec<(&'static str, u32)> {
        let counts = self.0.iter().zip(before);
        counts
            .map(|((name, rule), before)| (*name, rule.hits() - before))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

fn of(counts: &[(&'static str, u32)], name: &str) -> u32 {
    let found = counts.iter().find(|(known, _)| *known == name);
    found.map_or(0, |(_, count)| *count)
}

/// How many of the link's topics the destination has, with all partitions.
async fn wait_for_copies(
    cluster: &KafkaCluster,
    prefix: &str,
    wanted: usize,
    program: &TributaryProcess,
) {
    let bootstrap = cluster.bootstrap();
    let there = eventually("all topics", LIMIT, async || {
        let all = topics(&bootstrap)
            .await
            .map_err(|error| error.to_string())?;
        let count = all
            .iter()
            .filter(|(name, partitions)| name.starts_with(prefix) && **partitions == 4)
            .count();
        if count == wanted {
            Ok(())
        } else {
            Err(format!("{count}"))
        }
    });
    there
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
}

/// What a link sends when nothing happens: requests that look, and long polls.
fn only_looks(quiet: &[Vec<(&'static str, u32)>; 2], topics: usize) {
    for side in quiet {
        for name in [
            "Produce",
            "CreateTopics",
            "CreatePartitions",
            "IncrementalAlterConfigs",
        ] {
            assert_eq!(of(side, name), 0, "{name} changes something: {side:?}");
        }
        for name in ["whole Fetch", "InitProducerId", "OffsetForLeaderEpoch"] {
            assert_eq!(of(side, name), 0, "{name} begins something anew: {side:?}");
        }
        // Every two seconds for topics, every five for settings, a hundred topics per request.
        assert!(of(side, "Metadata") <= 16, "{side:?}");
        let describes = u32::try_from(topics.div_ceil(100)).expect("few") * 5;
        assert!(of(side, "DescribeConfigs") <= describes, "{side:?}");
    }
}

#[tokio::test]
async fn many_topics_cost_little_when_nothing_happens_and_one_more_concerns_nobody_else() {
    let builder = |name: &str, version| {
        let builder = KafkaCluster::builder().name(name).version(version);
        builder.through_proxy(true)
    };
    let builders = [
        builder("many-source", OLD),
        builder("many-destination", NEW),
    ];
    let [old, new] = ClusterBuilder::start_all(builders).await.expect("clusters");
    cost_little(&old, &new, topics_to_make(TOPICS), QUIET).await;
    cost_little(&new, &old, BACK, QUIET_BACK).await;
}

async fn cost_little(
    source: &KafkaCluster,
    destination: &KafkaCluster,
    count: usize,
    nothing_for: Duration,
) {
    let prefix = unique("many");
    let names: Vec<String> = (0..count).map(|n| format!("{prefix}.{n:04}")).collect();
    let settings = [("retention.bytes", "123456789"), ("segment.ms", "90000000")];
    create_topics(&source.bootstrap(), &names, PARTITIONS, &settings)
        .await
        .expect("topics");

    // A frame counts for the first rule that it matches.
    for cluster in [source, destination] {
        cluster.proxy(0).heal().await;
    }
    let counters = [Counter::new(source), Counter::new(destination)];
    let begin = Instant::now();
    let program = Replicate::new(source, destination, &format!("{prefix}\\..*")).start();
    wait_for_copies(destination, &prefix, count, &program).await;
    let made = begin.elapsed();
    // The last topic's copy proves that its partitions run.
    send(source, &names[count - 1], PARTITIONS, 400).await;
    crate::support::wait_for_offsets(&stored(destination, &names[count - 1]), 400).await;
    let first = program.usage().expect("it runs");
    println!(
        "{count} topics with {PARTITIONS} partitions: all made within {made:?}, copied within {:?}, {:?} of processor time, {} MiB",
        begin.elapsed(),
        first.processor(),
        first.resident >> 20
    );
    let zero = vec![0; COUNTED.len()];
    println!("requests so far: source {:?}", counters[0].since(&zero));
    println!(
        "requests so far: destination {:?}",
        counters[1].since(&zero)
    );

    // sleeps because what it costs when nothing happens takes time to be seen.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = counters.each_ref().map(Counter::now);
    let usage = program.usage().expect("it runs").processor();
    // sleeps because of the same.
    tokio::time::sleep(nothing_for).await;
    let used = program.usage().expect("it runs").processor() - usage;
    let quiet = [counters[0].since(&before[0]), counters[1].since(&before[1])];
    println!("{nothing_for:?} in which nothing happens: {used:?} of processor time");
    println!("source {:?}", quiet[0]);
    println!("destination {:?}", quiet[1]);
    only_looks(&quiet, count);

    let before = counters.each_ref().map(Counter::now);
    let late = format!("{prefix}.late");
    new_topic(source, &late, PARTITIONS, &[]).await;
    send(source, &late, PARTITIONS, 400).await;
    let begin = Instant::now();
    eventually("the late topic", LIMIT, async || {
        match offsets(&stored(destination, &late)).await {
            400 => Ok(()),
            other => Err(other),
        }
    })
    .await
    .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    let late = [counters[0].since(&before[0]), counters[1].since(&before[1])];
    println!(
        "one more topic within {:?}: source {:?}",
        begin.elapsed(),
        late[0]
    );
    println!("destination {:?}", late[1]);
    assert_eq!(of(&late[0], "whole Fetch"), 0, "sessions go on: {late:?}");
    assert_eq!(of(&late[1], "CreateTopics"), 1, "{late:?}");
    let producers = of(&late[1], "InitProducerId");
    assert!(
        producers <= 4,
        "only the new partitions have new producers: {late:?}"
    );
    program.terminate().expect("it runs");
    program.wait(LIMIT).await.expect("it ends");
}
