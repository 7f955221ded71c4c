//! Three brokers on each side: one that hangs, and an unclean election at the source; and a follower that lags at the destination.

use std::time::Duration;

use test_support::eventually::eventually;
use test_support::judge;
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::limits::{DETECT, RECOVER};
use test_support::tools::{KafkaTools, TOPIC_COMMAND};
use test_support::workload::{Codec, Generator, Load, Mode, Shape};
use tokio::time::Instant;

use crate::support::{
    COPIED, MAPPED, NEW, Replicate, committed, new_topic, offsets, pair, stored, unique,
    wait_for_offsets,
};

const SEED: u64 = 320;

async fn both() -> [KafkaCluster; 2] {
    let builder = |name: &str| {
        KafkaCluster::builder()
            .name(name)
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

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_hangs_holds_up_its_own_partitions_until_others_lead_and_an_unclean_election_is_named()
 {
    let [source, destination] = both().await;
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
