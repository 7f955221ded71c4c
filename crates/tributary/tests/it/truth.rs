//! What is said of lag and health, compared with what another client counts; and what is said when a cluster is cut off.

use std::time::Duration;

use serde_json::Value;
use test_support::eventually::eventually;
use test_support::fault_proxy::Direction;
use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{Generator, Load, Shape};
use tokio::time::Instant;

use crate::connect_worker::Worker;
use crate::support::{COPIED, bootstrap, committed, new_topic, offsets, shaken, stored, unique};

const SEED: u64 = 11_002;
const EACH: usize = 300;
/// In which a cluster that is cut off has to show.
const SHOWN: Duration = Duration::from_secs(15);

struct Scene<'a> {
    worker: Worker,
    source: &'a KafkaCluster,
    destination: &'a KafkaCluster,
    topic: String,
}

impl Scene<'_> {
    async fn link(&self) -> Value {
        let answer = self.worker.client.get("/api/v1/links/true").await;
        answer.json()
    }

    async fn fill(&self, round: u32) {
        let shape = Shape::mixed(SEED + u64::from(round), 2).producer(round);
        Load::new(self.source.bootstrap(), &self.topic)
            .send(Generator::new(shape).take(EACH))
            .await
            .expect("acknowledged");
    }

    /// Records that another client finds at the source and not at the destination.
    async fn counted(&self) -> i64 {
        let there = judge::watermarks(&committed(self.source, &self.topic)).await;
        let there: i64 = there.expect("readable").values().map(|one| one.end).sum();
        there - offsets(&stored(self.destination, &self.topic)).await
    }

    /// Waits until the link is well, and what it says of its lag is what is counted.
    async fn is_true(&self, what: &str) {
        let look = async || {
            let (link, counted) = (self.link().await, self.counted().await);
            let is_true = link["lag"]["known"] == true && link["lag"]["records"] == counted;
            match is_true && counted == 0 && link["health"] == "HEALTHY" {
                true => Ok(()),
                false => Err(format!("{counted} counted: {link}")),
            }
        };
        eventually(what, COPIED, look)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.worker.log()));
    }

    /// Waits until the link is no longer green; how long that took. It is never green again while `cut` lasts.
    async fn is_noticed(&self, what: &str) -> Duration {
        let begin = Instant::now();
        let look = async || {
            let link = self.link().await;
            match link["health"].as_str() {
                Some("UNKNOWN" | "FAILED") => Ok(()),
                _ => Err(link.to_string()),
            }
        };
        eventually(what, COPIED, look)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.worker.log()));
        let took = begin.elapsed();
        println!("  {what} shows after {:.1} s", took.as_secs_f64());
        assert!(took < SHOWN, "{what}: {took:?}");
        took
    }
}

fn freeze(cluster: &KafkaCluster, frozen: bool) {
    for direction in [Direction::Requests, Direction::Answers] {
        match frozen {
            true => cluster.proxy(0).stall(direction),
            false => cluster.proxy(0).unstall(direction),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lag_is_what_another_client_counts_and_a_cluster_that_is_cut_off_is_never_green() {
    let pair = shaken().await;
    let pair = pair.as_ref().expect("started");
    let topic = unique("true");
    new_topic(&pair.source, &topic, 2, &[]).await;
    let link = format!(
        "name=true\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic}\ntopic.poll.interval.ms=1000\n",
        bootstrap(&pair.source)
    );
    let lines = format!("bootstrap.servers={}", bootstrap(&pair.destination));
    let worker = Worker::tributary(&lines, &[&link]).await;
    let scene = Scene {
        worker,
        source: &pair.source,
        destination: &pair.destination,
        topic,
    };
    scene.fill(1).await;
    scene.is_true("the truth at rest").await;
    // Nothing is to be copied, and the destination hangs.
    freeze(scene.destination, true);
    scene.is_noticed("an idle destination that hangs").await;
    // What comes now waits, and is counted.
    scene.fill(2).await;
    let look = async || {
        let (link, counted) = (scene.link().await, scene.counted().await);
        let said = link["lag"]["records"].as_i64();
        match said == Some(counted) && counted > 0 {
            true => Ok(counted),
            false => Err(format!("{counted} counted: {link}")),
        }
    };
    let waiting = eventually("the lag behind a hanging destination", SHOWN, look)
        .await
        .expect("what is said is what is counted");
    println!("  {waiting} records wait, as counted");
    freeze(scene.destination, false);
    scene.is_true("the truth after the destination hung").await;
    freeze(scene.source, true);
    scene.is_noticed("a source that hangs").await;
    let link = scene.link().await;
    assert_eq!(link["lag"]["known"], false, "{link:#}");
    freeze(scene.source, false);
    scene.is_true("the truth after the source hung").await;
}
