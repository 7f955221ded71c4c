//! What is said of lag and health, compared with what another client counts: under load, at rest, and when a cluster is cut off.

use std::collections::BTreeMap;
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
/// Records per second of the steady load.
const STEADY: u32 = 2_000;
/// How often the truth is looked at under load.
const LOOKS: usize = 2;
/// In which what another client sees has to be said: `tributary.health.evidence.max.age.ms`.
const EVIDENCE: Duration = Duration::from_secs(20);

/// In which new records show on both sides: health looks every two seconds, and all ends are read every thirty.
const AGREED: Duration = Duration::from_secs(10);

/// Ends of the partitions, as librdkafka reads them.
type Ends = BTreeMap<i32, i64>;

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

    /// Ends of source and destination, read by another client.
    async fn ends(&self) -> [Ends; 2] {
        let places = [
            committed(self.source, &self.topic),
            stored(self.destination, &self.topic),
        ];
        let mut both = Vec::new();
        for place in &places {
            let marks = judge::watermarks(place).await.expect("readable");
            both.push(
                marks
                    .iter()
                    .map(|(number, one)| (*number, one.end))
                    .collect(),
            );
        }
        both.try_into().expect("two sides")
    }

    /// What is said of each partition.
    async fn partitions(&self) -> BTreeMap<i32, Value> {
        let path = format!("/api/v1/links/true/topics/{}/partitions", self.topic);
        let list = self.worker.client.get(&path).await.json();
        let rows = list["items"].as_array().into_iter().flatten();
        rows.map(|row| {
            let number = row["partition"]
                .as_i64()
                .and_then(|one| one.try_into().ok());
            (number.expect("a number"), row.clone())
        })
        .collect()
    }

    /// What is said while records come and are copied lies between what another client counts before and after, and what
    /// that client sees is said within the evidence limit.
    async fn is_true_under_load(&self) {
        let shape = Shape::uniform(SEED, 2, 200).producer(9);
        let load = Load::new(self.source.bootstrap(), &self.topic);
        let load = load.start(Generator::new(shape), STEADY);
        // What was said to be copied the time before: whoever says less later has forgotten.
        let mut acknowledged = Ends::new();
        for number in 0..LOOKS {
            let [source, destination] = self.ends().await;
            let begin = Instant::now();
            let look = async || {
                let said = self.partitions().await;
                let reaches = |field: &str, seen: &Ends| {
                    let mut seen = seen.iter();
                    seen.all(|(number, end)| {
                        said.get(number).and_then(|row| row[field].as_i64()) >= Some(*end)
                    })
                };
                let caught_up =
                    reaches("source_end_offset", &source) && reaches("acked_offset", &destination);
                match caught_up {
                    true => Ok(said),
                    false => Err(format!("{source:?} → {destination:?}: {said:?}")),
                }
            };
            let said = eventually("what another client has seen is said", EVIDENCE, look)
                .await
                .unwrap_or_else(|error| panic!("{error}\n{}", self.worker.log()));
            let took = begin.elapsed();
            let later = self.ends().await;
            for (number, row) in &said {
                let known = acknowledged.get(number).copied().unwrap_or(0);
                let least = (source[number] - later[1][number]).max(0);
                let most = later[0][number] - known;
                let lag = row["lag"]["records"].as_i64().expect("measured");
                assert!(
                    (least..=most).contains(&lag),
                    "{least} ≤ {lag} ≤ {most}: {row}"
                );
                assert_eq!(row["lag"]["known"], true, "{row}");
                for (field, side) in [("source_end_offset", 0), ("acked_offset", 1)] {
                    let value = row[field].as_i64().expect("measured");
                    // Nothing is said to be there before it is.
                    assert!(value <= later[side][number], "{later:?}: {row}");
                }
                acknowledged.insert(*number, row["acked_offset"].as_i64().expect("measured"));
            }
            let lags: Vec<&Value> = said.values().map(|row| &row["lag"]["records"]).collect();
            println!(
                "  look {number}: what librdkafka saw ({source:?} → {destination:?}) is said after {:.1} s; lag {lags:?}",
                took.as_secs_f64()
            );
        }
        let produced = load.stop().await.expect("acknowledged").records();
        println!("  {produced} records at {STEADY}/s");
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

    /// New records show in every column soon, wherever health stands in its rounds.
    async fn agrees_soon(&self) {
        for round in [4, 5] {
            self.fill(round).await;
            let begin = Instant::now();
            let look = async || {
                let ([source, destination], said) = (self.ends().await, self.partitions().await);
                let says = |field: &str, ends: &Ends| {
                    let mut ends = ends.iter();
                    ends.all(|(number, end)| said.get(number).is_some_and(|row| row[field] == *end))
                };
                let all = says("source_end_offset", &source)
                    && says("acked_offset", &source)
                    && says("destination_end_offset", &destination);
                match all {
                    true => Ok(()),
                    false => Err(format!("{source:?} → {destination:?}: {said:?}")),
                }
            };
            eventually("all columns to agree", AGREED, look)
                .await
                .unwrap_or_else(|error| panic!("{error}\n{}", self.worker.log()));
            let took = begin.elapsed();
            println!(
                "  new records show on both sides after {:.1} s",
                took.as_secs_f64()
            );
        }
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
    scene.is_true_under_load().await;
    scene.is_true("the truth after a load").await;
    scene.agrees_soon().await;
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
    // What comes now cannot be seen through the proxy: what is said is a lower bound, and not known.
    scene.fill(3).await;
    let (link, counted) = (scene.link().await, scene.counted().await);
    assert_eq!(link["lag"]["known"], false, "{link:#}");
    let said = link["lag"]["records"].as_i64().unwrap_or(0);
    assert!(
        counted > 0 && said <= counted,
        "{counted} counted: {link:#}"
    );
    println!("  at least {said} of {counted} records are said to wait behind a hanging source");
    freeze(scene.source, false);
    scene.is_true("the truth after the source hung").await;
}
