//! Three brokers on each side: one that hangs, one that is killed while a group of workers has it for its coordinator, all
//! that are restarted in turn, and an unclean election at the source; and a follower that lags at the destination.

use std::time::Duration;

use serde_json::json;
use test_support::eventually::{eventually, eventually_true};
use test_support::judge::{self, Place};
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::limits::{self, DETECT, PAUSE, RECOVER};
use test_support::tools::{KafkaTools, TOPIC_COMMAND};
use test_support::workload::{Codec, Generator, Load, Mode, Shape, leaders};
use tokio::time::Instant;

use crate::connect_worker::{Worker, expect};
use crate::group::{self, Group, Member};
use crate::support::{
    COPIED, MAPPED, NEW, Replicate, bootstrap, committed, new_topic, offsets, pair, stored, unique,
    wait_for_offsets,
};
use crate::topics_load::Pauses;

const SEED: u64 = 320;

async fn both() -> [KafkaCluster; 2] {
    let builder = |name: &str| {
        KafkaCluster::builder()
            .name(name)
            .version(limits::version())
            .nodes(3)
            .heap_mib(256)
            .property("offsets.topic.replication.factor", "3")
            .property("min.insync.replicas", "1")
            .property("unclean.leader.election.enable", "true")
    };
    let builders = [builder("three-source"), builder("three-destination")];
    ClusterBuilder::start_all(builders)
        .await
        .expect("six brokers")
}

/// A topic whose partitions have these replicas, the leader first.
async fn placed(cluster: &KafkaCluster, topic: &str, replicas: &str, settings: &[&str]) {
    let tools = KafkaTools::for_version(cluster.version()).expect("jars");
    let bootstrap = cluster.bootstrap();
    let mut arguments = vec![
        "--bootstrap-server",
        &bootstrap,
        "--create",
        "--topic",
        topic,
    ];
    arguments.extend(["--replica-assignment", replicas]);
    arguments.extend(settings.iter().flat_map(|setting| ["--config", *setting]));
    tools.run(TOPIC_COMMAND, &arguments).await.expect("created");
}

async fn fill(cluster: &KafkaCluster, topic: &str, partitions: i32, seed: u64, count: usize) {
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::Lz4)
        .send(Generator::new(Shape::uniform(seed, partitions, 200)).take(count))
        .await
        .expect("acknowledged");
}

/// Leaders are others than `node`, or every replica is in step again.
async fn settled(cluster: &KafkaCluster, topic: &str, without: Option<i32>) -> Instant {
    let looked = eventually("leaders", COPIED, async || {
        let led = leaders(&cluster.bootstrap(), topic)
            .await
            .map_err(|error| error.to_string())?;
        let fine = led.values().all(|led| match without {
            Some(node) => led.leader >= 0 && led.leader != node,
            None => led.leader >= 0 && led.in_sync.len() == 3,
        });
        match fine && !led.is_empty() {
            true => Ok(()),
            false => Err(format!("{led:?}")),
        }
    });
    looked.await.expect("they settle");
    Instant::now()
}

/// More is copied than now.
async fn goes_on(copy: &Place, worker: &Worker) {
    let now = offsets(copy).await;
    let more = async || offsets(copy).await > now + 30;
    let waited = eventually_true("progress", 2 * RECOVER, more).await;
    waited.unwrap_or_else(|error| panic!("{error}\n{}", worker.log()));
}

/// Every broker of a cluster is stopped and started, one after the other.
async fn restarted_in_turn(cluster: &KafkaCluster, topic: &str, copy: &Place, worker: &Worker) {
    for node in cluster.nodes() {
        let id = node.id();
        node.stop().await.expect("it stops");
        let led = settled(cluster, topic, Some(id)).await;
        goes_on(copy, worker).await;
        let stopped = led.elapsed();
        node.start().await.expect("it starts again");
        let back = settled(cluster, topic, None).await;
        goes_on(copy, worker).await;
        println!(
            "{} {id}: progress {stopped:?} after others led, {:?} after it was back, limit {RECOVER:?}",
            cluster.name(),
            back.elapsed()
        );
    }
}

/// Two workers that share a link, and what they copy to.
struct Shared {
    link: String,
    workers: [Member; 2],
    copy: Place,
}

impl Shared {
    /// By a group whose coordinator is the destination's broker 2.
    async fn begun(source: &KafkaCluster, destination: &KafkaCluster, topic: &str) -> Self {
        let group = Group::coordinated_by(destination, 2).await;
        let (one, other) = tokio::join!(group.member(), group.member());
        let link = unique("shared");
        let mut config = group::link(source, topic, 2);
        config["topic.rename.format"] = json!(format!("{link}.${{topic}}"));
        let body = json!({"name": link, "config": config}).to_string();
        expect(one.settled("POST", "/connectors", Some(&body)).await, 201);
        one.shared_by(&link, 2, &[one.id(), other.id()]).await;
        Self {
            copy: stored(destination, &format!("{link}.{topic}")),
            workers: [one, other],
            link,
        }
    }

    /// The coordinator is gone: they find the next one, and both copy.
    async fn formed_again(&self) {
        let begun = Instant::now();
        let [one, other] = &self.workers;
        let together = async || match one.group().await {
            group if group["rebalancing"] == false => Ok(()),
            group => Err(group),
        };
        eventually("the group", COPIED, together)
            .await
            .expect("it forms again");
        one.shared_by(&self.link, 2, &[one.id(), other.id()]).await;
        let before = offsets(&self.copy).await;
        let more = async || offsets(&self.copy).await > before + 30;
        eventually_true("progress", COPIED, more)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        println!(
            "the group's coordinator killed: both workers copy {:?} later than the others",
            begun.elapsed()
        );
    }

    fn log(&self) -> String {
        let lines = |member: &Member| member.process.lines().tail(60).to_string();
        self.workers.iter().map(lines).collect()
    }
}

/// One broker of the destination is killed, which is the coordinator of a group of workers too; in a long run all of both sides are then restarted in turn.
async fn killed_and_restarted(source: &KafkaCluster, destination: &KafkaCluster) {
    let (hit, near) = (unique("hit"), unique("near"));
    let two = ["min.insync.replicas=2"];
    for topic in [&hit, &near] {
        placed(source, topic, "1:2:3,2:3:1,3:1:2", &two).await;
    }
    placed(destination, &hit, "1:2:3,2:3:1,1:3:2", &two).await;
    // No replica on the broker that is killed, and a leader that waits for none: a broker answers the requests of a connection
    // in their order, so one that waits for its in-sync set to shrink holds up those behind it.
    placed(destination, &near, "3:1,3:1,3:1", &two).await;
    let link = unique("restarted");
    let file = format!(
        "name={link}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={hit},{near}\ntasks.max=2\n",
        bootstrap(source)
    );
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[&file]).await;
    let load = |topic: &str| {
        let records = Generator::new(Shape::uniform(SEED, 3, 200));
        let load = Load::new(source.bootstrap(), topic).codec(Codec::Zstd);
        load.setting("linger.ms", "20").start(records, 300)
    };
    let loads = [load(&hit), load(&near)];
    let (copy, other) = (stored(destination, &hit), stored(destination, &near));
    let shared = Shared::begun(source, destination, &hit).await;
    for copy in [&copy, &other, &shared.copy] {
        wait_for_offsets(copy, 500).await;
    }
    let usual = Pauses::watch(&other, Duration::from_secs(3), async || true).await;

    destination.node(1).kill();
    let leads_none = settled(destination, &hit, Some(2));
    let watched = Pauses::watch(&other, Duration::from_secs(3), async || true);
    let (settled_at, during) = tokio::join!(leads_none, watched);
    goes_on(&copy, &worker).await;
    let longest = |pauses: &Pauses| pauses.longest.values().max().copied().unwrap_or_default();
    let (usual, during) = (longest(&usual), longest(&during));
    println!(
        "a broker killed: progress {:?} after leaders settled, limit {RECOVER:?}; others paused {during:?}, before \
         {usual:?}, limit {PAUSE:?} more",
        settled_at.elapsed()
    );
    assert!(during <= usual + PAUSE, "{during:?}\n{}", worker.log());
    shared.formed_again().await;
    destination.node(1).start().await.expect("it starts again");
    settled(destination, &hit, None).await;

    if limits::long_run().is_some() {
        for cluster in [destination, source] {
            restarted_in_turn(cluster, &hit, &copy, &worker).await;
        }
    }
    for load in loads {
        load.stop().await.expect("all are acknowledged");
    }
    for topic in [&hit, &near] {
        let (from, to) = (committed(source, topic), stored(destination, topic));
        judge::wait_until_equal(&from, &to, COPIED)
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", worker.log()));
    }
    judge::wait_until_equal(&committed(source, &hit), &shared.copy, COPIED)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", shared.log()));
    let status = worker.becomes(&link, "RUNNING").await;
    let tasks = status["tasks"].as_array().expect("tasks");
    assert!(
        tasks.iter().all(|task| task["state"] == "RUNNING"),
        "{status}"
    );
    assert!(
        !worker.log().contains("begun again"),
        "no task was: {}",
        worker.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_holds_up_its_own_partitions_until_others_lead_and_an_unclean_election_is_named()
 {
    let [source, destination] = both().await;
    killed_and_restarted(&source, &destination).await;
    let topic = unique("hung");
    placed(&source, &topic, "1:2:3,2:3:1,3:1:2", &[]).await;
    placed(&destination, &topic, "1:2:3,2:3:1,3:1:2", &[]).await;
    let torn = unique("torn");
    placed(
        &source,
        &torn,
        "3:2",
        &["unclean.leader.election.enable=true"],
    )
    .await;
    placed(&destination, &torn, "1:2:3", &[]).await;
    let link = Replicate::new(&source, &destination, &format!("{topic}|{torn}"));
    let program = link.start();
    let copy = stored(&destination, &topic);
    fill(&source, &topic, 3, SEED, 300).await;
    fill(&source, &torn, 1, SEED, 100).await;
    wait_for_offsets(&copy, 300).await;
    wait_for_offsets(&stored(&destination, &torn), 100).await;

    // A destination broker that hangs, with its connections open.
    destination.node(2).suspend().expect("it runs");
    let began = Instant::now();
    fill(&source, &topic, 3, SEED + 1, 300).await;
    wait_for_offsets(&copy, 600).await;
    let took = began.elapsed();
    // Others lead when the controller has missed nine seconds of heartbeats.
    let limit = Duration::from_secs(9) + 2 * RECOVER;
    println!("one of three brokers hung: all is copied after {took:?}, limit {limit:?}");
    destination.node(2).resume().expect("it is there");
    assert!(took < limit, "{took:?}\n{}", program.lines().tail(60));
    let (from, to) = (committed(&source, &topic), copy);
    judge::wait_until_equal(&from, &to, COPIED)
        .await
        .expect("equal");

    // The follower misses what is written now; then it leads.
    source.node(1).kill();
    fill(&source, &torn, 1, SEED + 2, 50).await;
    let torn_copy = stored(&destination, &torn);
    wait_for_offsets(&torn_copy, 150).await;
    // sleeps because the position has to be stored behind what is about to be taken back.
    tokio::time::sleep(Duration::from_secs(2)).await;
    source.node(2).kill();
    source.node(1).start().await.expect("it starts again");
    let began = Instant::now();
    let written = eventually("the new leader", COPIED, async || {
        let load = Load::new(source.bootstrap(), &torn).setting("message.timeout.ms", "3000");
        let records = Generator::new(Shape::uniform(SEED + 3, 1, 200)).take(80);
        load.send(records).await.map(drop)
    });
    written.await.expect("an unclean election");
    let led = began.elapsed();
    let line = program.expect_line_where("source-truncated", 2 * DETECT, |line| {
        line.text.contains("state=\"source-truncated\"") && line.text.contains(&torn)
    });
    let line = line
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(80)));
    println!(
        "source-truncated {:?} after the election, limit {DETECT:?}: {}",
        began.elapsed().saturating_sub(led),
        line.text
    );
    assert!(line.text.contains("50 offsets [100, 150)"), "{}", line.text);
    assert_eq!(offsets(&torn_copy).await, 150, "nothing is mixed in");
    program.terminate().expect("it runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_destinations_leader_has_appended_is_waited_for_until_it_is_replicated() {
    let (source, _) = pair(NEW, NEW).await;
    // Nobody is taken for gone while this lasts.
    let longer = "300000";
    let destination = KafkaCluster::builder()
        .name("replicating")
        .nodes(3)
        .heap_mib(256)
        .property("min.insync.replicas", "1")
        .property("broker.session.timeout.ms", longer)
        .property("replica.lag.time.max.ms", longer)
        .start()
        .await
        .expect("three brokers");
    let topic = unique("appended");
    let link = Replicate::new(source, &destination, &topic)
        .with(&MAPPED)
        .with(&["--set", "tributary.loop.prevention=off"]);
    let positions = format!("tributary.{}.offsets.internal", link.name());
    placed(&destination, &positions, "1", &["cleanup.policy=compact"]).await;
    placed(&destination, &topic, "1:3", &[]).await;
    new_topic(source, &topic, 1, &[]).await;
    fill(source, &topic, 1, SEED, 40).await;
    link.until_caught_up().await.ended_with(0);
    destination.node(2).suspend().expect("it runs");
    // Acknowledged by the leader alone: no reader is shown it.
    let record = Generator::new(Shape::uniform(SEED + 1, 1, 200)).take(1);
    let load = Load::new(destination.bootstrap(), &topic).mode(Mode::Plain);
    let load = load.setting("acks", "1").send(record);
    load.await.expect("the leader takes it");
    fill(source, &topic, 1, SEED + 2, 40).await;
    let program = link.start();
    let line = program.expect_line("wait for replicas that are in sync", COPIED);
    let line = line
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", program.lines().tail(60)));
    println!("{}", line.text);
    assert!(line.text.contains("offsets [40, 41)"), "{}", line.text);
    let copy = stored(&destination, &topic);
    assert_eq!(offsets(&copy).await, 40, "consumers do not see it");
    destination.node(2).resume().expect("it is there");
    wait_for_offsets(&copy, 81).await;
    program.kill9();
    let there = judge::read_all(&committed(source, &topic), COPIED).await;
    let mut here = judge::read_all(&copy, COPIED).await.expect("readable");
    here.get_mut(&0).expect("a partition").remove(40);
    let verdict = judge::compare(&there.expect("readable"), &here);
    assert!(verdict.is_equal(), "{verdict}");
}
