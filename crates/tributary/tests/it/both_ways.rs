//! Links in both directions between the same topic names, and in a ring: each record is once in each cluster, whatever is killed,
//! and comes back nowhere.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use test_support::eventually::eventually;
use test_support::judge::{self, ReadRecord};
use test_support::kafka_cluster::KafkaCluster;
use test_support::limits::long_run;
use test_support::shared;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{self, Codec, GeneratedRecord, Load, Mode, RunningLoad};

use crate::kill::Moments;
use crate::support::{
    COPIED, NEW, OLD, Replicate, Run, bootstrap, committed, new_topic, offsets, pair, program,
    stored, transactions, unique,
};

const SEED: u64 = 15_001;
const PARTITIONS: i32 = 2;
const REGISTRY: &str = "tributary.origins.internal";

/// Numbered records of one producer, which tells its name in each.
fn numbered(producer: &str) -> impl Iterator<Item = GeneratedRecord> + Send + use<> {
    let producer = producer.to_owned();
    (0_i32..).map(move |n| GeneratedRecord {
        partition: n % PARTITIONS,
        timestamp: 1_735_689_600_000 + i64::from(n),
        key: Some(format!("key {}", n % 11).into_bytes()),
        value: Some(format!("{producer} {n:08}").into_bytes()),
        headers: Vec::new(),
    })
}

/// A topic of some clusters, with local producers in each.
struct Scene<'a> {
    clusters: Vec<&'a KafkaCluster>,
    topic: String,
    loads: Vec<RunningLoad>,
}

impl<'a> Scene<'a> {
    async fn new(name: &str, clusters: Vec<&'a KafkaCluster>) -> Self {
        let topic = unique(name);
        for cluster in &clusters {
            new_topic(cluster, &topic, PARTITIONS, &[]).await;
        }
        Self {
            clusters,
            topic,
            loads: Vec::new(),
        }
    }

    /// An idempotent, a transactional and a plain producer in each cluster.
    fn produce(&mut self) {
        for (number, cluster) in self.clusters.iter().enumerate() {
            for (kind, mode) in [
                ("idempotent", Mode::Idempotent),
                ("transactional", transactions(SEED + number as u64)),
                ("plain", Mode::Plain),
            ] {
                let load = Load::new(cluster.bootstrap(), &self.topic)
                    .codec(Codec::Lz4)
                    .mode(mode);
                let records = numbered(&format!("{number}-{kind}"));
                self.loads.push(load.start(records, 150));
            }
        }
    }

    /// A link from each cluster to the next, and for two clusters back.
    fn links(&self) -> Vec<Replicate> {
        self.links_with("tributary.offsets=map")
    }

    fn links_with(&self, setting: &str) -> Vec<Replicate> {
        let next = |number: usize| self.clusters[(number + 1) % self.clusters.len()];
        let links = self.clusters.iter().enumerate();
        links
            .map(|(number, cluster)| {
                Replicate::new(cluster, next(number), &self.topic).with(&[
                    "--set",
                    "tributary.loop.prevention=required",
                    "--set",
                    setting,
                ])
            })
            .collect()
    }

    /// Ends the producers; how many records they have committed.
    async fn end(&mut self) -> u64 {
        let mut records = 0;
        for load in std::mem::take(&mut self.loads) {
            records += load.stop().await.expect("all are acknowledged").records();
        }
        records
    }

    /// Fails unless each cluster has each record once, and in the order of its producer.
    async fn all_is_everywhere_once(&self, records: u64) {
        for cluster in &self.clusters {
            let place = committed(cluster, &self.topic);
            let read = judge::read_all(&place, COPIED).await.expect("readable");
            let all: Vec<&ReadRecord> = read.values().flatten().collect();
            let values: HashSet<&[u8]> = all.iter().filter_map(|r| r.value.as_deref()).collect();
            println!(
                "  {}: {} records, {} different, {records} produced, seed {SEED}",
                cluster.name(),
                all.len(),
                values.len()
            );
            assert_eq!(
                values.len() as u64,
                records,
                "{}: none is missing",
                cluster.name()
            );
            assert_eq!(
                all.len() as u64,
                records,
                "{}: none is there twice",
                cluster.name()
            );
            for partition in read.values() {
                let mut last: BTreeMap<&str, &str> = BTreeMap::new();
                for record in partition {
                    let value = record.value.as_deref().expect("a value");
                    let text = std::str::from_utf8(value).expect("text");
                    let (producer, number) = text.split_once(' ').expect("two words");
                    let before = last.insert(producer, number);
                    assert!(
                        before.is_none_or(|before| before < number),
                        "{text} after {before:?}"
                    );
                }
            }
        }
    }
}

/// Whether `tributary verify` agrees, for each link's own records.
async fn is_proved(scene: &Scene<'_>, links: &[Replicate]) {
    for (number, link) in links.iter().enumerate() {
        let next = scene.clusters[(number + 1) % scene.clusters.len()];
        let (from, to) = (bootstrap(scene.clusters[number]), bootstrap(next));
        let arguments = [
            "verify",
            "--from",
            &from,
            "--to",
            &to,
            "--topics",
            &scene.topic,
        ];
        let mut arguments = arguments.map(str::to_owned).to_vec();
        arguments.extend(["--progress", "off", "--name", &link.name()].map(str::to_owned));
        arguments.extend(["--set", "tributary.loop.prevention=required"].map(str::to_owned));
        let run = Run::to_end(&program(&arguments)).await.ended_with(0);
        assert!(run.output.contains("of-other-origins"), "{run}");
        assert!(run.output.contains("local-at-destination"), "{run}");
    }
}

/// Starts all links, and kills one or another at random moments; each is started again at once. So many times, or for as long
/// as was asked for.
async fn killed_at_random(links: &[Replicate], kills: u64, moments: &mut Moments) {
    let mut running: Vec<_> = links.iter().map(Replicate::start).collect();
    let begun = tokio::time::Instant::now();
    let goes_on = |kill| long_run().map_or(kill < kills, |longest| begun.elapsed() < longest);
    for kill in (0_u64..).take_while(|kill| goes_on(*kill)) {
        let after = moments.next(500, 3_000);
        // sleeps because the moment is the test: nothing is waited for.
        tokio::time::sleep(after).await;
        let which = (moments.next(0, 1_000).as_millis() as usize + kill as usize) % links.len();
        assert!(
            running[which].runs().expect("known"),
            "it was there to be killed"
        );
        running[which].kill9();
        running[which] = links[which].start();
    }
    running.iter().for_each(TributaryProcess::kill9);
}

/// Runs the links one after the other until nothing is left to copy.
async fn caught_up(links: &[Replicate]) {
    // In a ring the last records have one link less than clusters to pass.
    for _ in 1..links.len().max(2) {
        for link in links {
            link.until_caught_up().await.ended_with(0);
        }
    }
}

#[tokio::test]
async fn links_in_both_directions_copy_each_record_once_however_often_they_are_killed() {
    let (one, two) = pair(NEW, OLD).await;
    let mut scene = Scene::new("both-ways", vec![one, two]).await;
    let links = scene.links();
    scene.produce();
    killed_at_random(&links, 10, &mut Moments(SEED)).await;
    let records = scene.end().await;
    caught_up(&links).await;
    scene.all_is_everywhere_once(records).await;
    is_proved(&scene, &links).await;
    // Nothing comes back later either.
    caught_up(&links).await;
    scene.all_is_everywhere_once(records).await;
}

#[tokio::test]
async fn links_in_both_directions_that_begin_at_equal_offsets_copy_each_record_once() {
    let (one, two) = pair(NEW, OLD).await;
    for setting in ["tributary.offsets=auto", "exactly.once.support=required"] {
        let mut scene = Scene::new("both-auto", vec![one, two]).await;
        let links = scene.links_with(setting);
        scene.produce();
        killed_at_random(&links, 4, &mut Moments(SEED + 2)).await;
        let records = scene.end().await;
        caught_up(&links).await;
        caught_up(&links).await;
        println!("{setting}");
        scene.all_is_everywhere_once(records).await;
    }
}

#[tokio::test]
async fn without_loop_prevention_records_would_go_in_circles() {
    let (one, two) = pair(NEW, OLD).await;
    let scene = Scene::new("circles", vec![one, two]).await;
    let records: Vec<_> = numbered("0-plain").take(50).collect();
    let load = Load::new(one.bootstrap(), &scene.topic);
    load.send(records).await.expect("acknowledged");
    let off = [
        "--set",
        "tributary.loop.prevention=off",
        "--set",
        "tributary.offsets=map",
    ];
    let running = [(one, two), (two, one)]
        .map(|(from, to)| Replicate::new(from, to, &scene.topic).with(&off).start());
    // What these tests promise is worth something only if the judge would see it broken.
    let place = stored(one, &scene.topic);
    let circles = eventually("records have come back", COPIED, async || {
        let there = offsets(&place).await;
        if there > 150 { Ok(there) } else { Err(there) }
    });
    circles.await.expect("they do");
    running.iter().for_each(TributaryProcess::kill9);
    for cluster in [one, two] {
        let deleted = workload::delete_topic(&cluster.bootstrap(), &scene.topic).await;
        deleted.expect("deleted");
    }
}

#[tokio::test]
async fn a_ring_of_three_clusters_copies_each_record_once_to_each() {
    let (one, two) = pair(NEW, NEW).await;
    let three = shared::cluster(OLD, 0).await.expect("a third cluster");
    let mut scene = Scene::new("ring", vec![one, two, three]).await;
    let links = scene.links();
    scene.produce();
    killed_at_random(&links, 8, &mut Moments(SEED + 1)).await;
    let records = scene.end().await;
    caught_up(&links).await;
    scene.all_is_everywhere_once(records).await;
}

#[tokio::test]
async fn without_its_registry_a_link_stops_and_says_so_and_copies_nothing_back() {
    let builder = |name| KafkaCluster::builder().name(name).version(NEW);
    let clusters = [builder("origins-one"), builder("origins-two")];
    let [one, two] = test_support::kafka_cluster::ClusterBuilder::start_all(clusters)
        .await
        .expect("two clusters");
    let mut scene = Scene::new("lost", vec![&one, &two]).await;
    let links = scene.links();
    scene.produce();
    // sleeps because some records are to be there, however many.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut records = scene.end().await;
    caught_up(&links).await;
    scene.all_is_everywhere_once(records).await;
    workload::delete_topic(&two.bootstrap(), REGISTRY)
        .await
        .expect("deleted");
    // The link that writes there makes it again, with nothing of what was in it but its own.
    links[0].until_caught_up().await.ended_with(0);
    let before = judge::read_all(&committed(&one, &scene.topic), COPIED)
        .await
        .expect("readable");
    let load = |cluster: &KafkaCluster, name: &str| {
        let load = Load::new(cluster.bootstrap(), &scene.topic).mode(Mode::Idempotent);
        let later = numbered(name).take(10);
        load.send(later.collect::<Vec<_>>())
    };
    records += load(&two, "1-later").await.expect("acknowledged").records();
    let run = links[1].until_caught_up().await.ended_with(3);
    assert!(run.error.contains("origins-lost"), "{run}");
    assert!(run.error.contains(REGISTRY), "{run}");
    let after = judge::read_all(&committed(&one, &scene.topic), COPIED)
        .await
        .expect("readable");
    assert_eq!(after, before, "nothing was copied");
    // The operator looks, and takes the registry that there is.
    let accepting = scene.links().remove(1).named(&links[1].name());
    let accepting = accepting.with(&["--set", "tributary.on.origins.lost=continue"]);
    accepting.until_caught_up().await.ended_with(0);
    scene.all_is_everywhere_once(records).await;
}
