//! Growth, changes of settings and new topics while others are written: no partition that they do not concern pauses.

use std::collections::BTreeMap;
use std::time::Duration;

use test_support::judge::{self, Place};
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits;
use test_support::workload::{
    Codec, Generator, Load, Shape, create_partitions, set_topic_settings, topic_settings,
};
use tokio::time::Instant;

use crate::support::{COPIED, Replicate, both_directions, committed, new_topic, stored, unique};
use crate::topics::send;

const SEED: u64 = 4_604;
const PARTITIONS: i32 = 4;
/// Records per second, over all partitions.
const RATE: u32 = 800;

/// The longest time in which a partition's end did not move.
#[derive(Default)]
pub(crate) struct Pauses {
    moved: BTreeMap<i32, (i64, Instant)>,
    pub(crate) longest: BTreeMap<i32, Duration>,
}

impl Pauses {
    async fn look(&mut self, place: &Place) {
        // Who does not answer at once says nothing of the copy; the next look counts the time between.
        let Ok(ends) = judge::watermarks(place).await else {
            return;
        };
        let now = Instant::now();
        for (partition, marks) in ends {
            let (end, since) = self.moved.entry(partition).or_insert((marks.end, now));
            let longest = self.longest.entry(partition).or_default();
            *longest = (*longest).max(now - *since);
            if *end != marks.end {
                (*end, *since) = (marks.end, now);
            }
        }
    }

    /// Looks until `until` is there, at least for `least`.
    pub(crate) async fn watch(
        place: &Place,
        least: Duration,
        mut until: impl AsyncFnMut() -> bool,
    ) -> Self {
        let begin = Instant::now();
        let mut pauses = Self::default();
        loop {
            pauses.look(place).await;
            if begin.elapsed() >= least && until().await {
                return pauses;
            }
            assert!(begin.elapsed() < COPIED, "what was changed does not show");
        }
    }
}

#[tokio::test]
async fn changes_of_topics_under_load_pause_no_other_partition() {
    both_directions(under_load).await;
}

async fn under_load(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let prefix = unique("load");
    let name = |end: &str| format!("{prefix}.{end}");
    let (steady, grown) = (name("steady"), name("grown"));
    new_topic(source, &steady, PARTITIONS, &[]).await;
    new_topic(source, &grown, 1, &[]).await;
    send(source, &grown, 1, 20).await;
    let load = Load::new(source.bootstrap(), &steady)
        .codec(Codec::Zstd)
        .setting("linger.ms", "20")
        .start(Generator::new(Shape::uniform(SEED, PARTITIONS, 200)), RATE);
    let program = Replicate::new(source, destination, &format!("{prefix}\\..*")).start();
    crate::support::wait_for_offsets(&stored(destination, &steady), 1_000).await;
    let place = stored(destination, &steady);
    let before = Pauses::watch(&place, Duration::from_secs(8), async || true).await;

    create_partitions(&source.bootstrap(), &grown, 5)
        .await
        .expect("grown");
    let changed = [("retention.bytes", "55555555")];
    for topic in [&steady, &grown] {
        set_topic_settings(&source.bootstrap(), topic, &changed)
            .await
            .expect("changed");
    }
    let new: Vec<String> = (0..10)
        .map(|number| name(&format!("new-{number}")))
        .collect();
    for topic in &new {
        new_topic(source, topic, 3, &[]).await;
    }
    send(source, &grown, 5, 100).await;
    send(source, &new[9], 3, 100).await;
    let bootstrap = destination.bootstrap();
    let done = async || {
        let copied = crate::support::offsets(&stored(destination, &grown)).await == 120
            && crate::support::offsets(&stored(destination, &new[9])).await == 100;
        let settings = topic_settings(&bootstrap, &steady).await;
        let configured = settings
            .is_ok_and(|all| all.get("retention.bytes").map(String::as_str) == Some("55555555"));
        copied && configured
    };
    let during = Pauses::watch(&place, Duration::from_secs(8), done).await;
    println!("longest pauses before: {:?}", before.longest);
    println!(
        "longest pauses while topics grow, appear and are configured: {:?}",
        during.longest
    );
    let produced = load.stop().await.expect("acknowledged");
    assert_eq!(during.longest.len(), 4, "each partition was seen");
    let usual = before.longest.values().max().copied().unwrap_or_default();
    for (partition, pause) in &during.longest {
        assert!(
            *pause <= usual + limits::PAUSE,
            "partition {partition}: {pause:?}, before {usual:?}"
        );
    }
    judge::wait_until_equal(&committed(source, &steady), &place, COPIED)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    println!("{} records under load", produced.records());
    program.terminate().expect("it runs");
}
