//! Faults between a client and a real broker, and brokers that are killed under load.

use std::time::Duration;

use test_support::fault_proxy::{Direction, FrameAction, FrameRule, Pace};
use test_support::judge::{self, Place, Topic, compare};
use test_support::kafka_cluster::KafkaCluster;
use test_support::workload::{self, GeneratedRecord, Generator, Load, LoadError, Mode, Shape};
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(60);
const SEED: u64 = 77;
/// Kafka's number of the Produce API.
const PRODUCE: i16 = 0;

/// A cluster behind a proxy with one topic, and what is sent to it.
struct Proxied {
    cluster: KafkaCluster,
    records: Vec<GeneratedRecord>,
}

impl Proxied {
    async fn start() -> Self {
        let builder = KafkaCluster::builder().name("proxied").through_proxy(true);
        let cluster = builder.start().await.expect("it starts");
        workload::create_topic(&cluster.bootstrap(), "t", 1, &[])
            .await
            .expect("a new topic");
        let records = Generator::new(Shape::mixed(SEED, 1)).take(200).collect();
        Self { cluster, records }
    }

    fn load(&self) -> Load {
        Load::new(self.cluster.proxied_bootstrap(), "t")
    }

    async fn send(&self) -> Result<(), LoadError> {
        self.load().send(self.records.clone()).await.map(drop)
    }

    async fn stored(&self) -> i64 {
        let place = Place::new(self.cluster.bootstrap(), "t");
        judge::watermarks(&place)
            .await
            .expect("the direct listener is open")[&0]
            .end
    }
}

#[tokio::test]
async fn a_client_of_the_second_listener_feels_the_proxy_and_one_of_the_direct_listener_does_not() {
    let proxied = Proxied::start().await;
    let proxy = proxied.cluster.proxy(0);
    proxied.send().await.expect("it passes");
    let traffic = proxy.traffic();
    assert!(
        traffic.frames[&(Direction::Requests, PRODUCE)] > 0,
        "{traffic:?}"
    );

    proxy.cut().await;
    let failed = proxied
        .load()
        .setting("message.timeout.ms", "500")
        .send(proxied.records.clone())
        .await;
    assert!(failed.is_err(), "nothing passes a cut");
    let direct = Load::new(proxied.cluster.bootstrap(), "t")
        .send(proxied.records.clone())
        .await;
    direct.expect("the direct listener is open");
    proxy.heal().await;

    proxy.slow(
        Direction::Answers,
        Pace::latency(Duration::from_millis(150)),
    );
    let begin = Instant::now();
    proxied.send().await.expect("it passes slowly");
    assert!(
        begin.elapsed() >= Duration::from_millis(300),
        "at least two answers in a row: {:?}",
        begin.elapsed()
    );
    proxy.heal().await;

    // The broker stores the batch, the producer never hears of it and, being idempotent, sends it again.
    let lost_answer = proxy.on_frame(FrameRule::new(
        Direction::Answers,
        PRODUCE,
        FrameAction::Reset,
    ));
    proxied.send().await.expect("sent again");
    assert_eq!(lost_answer.hits(), 1);
    assert_eq!(proxied.stored().await, 800, "four times, and nothing twice");

    let dead_first = Place::new(proxied.cluster.bootstrap_with_dead_host(), "t");
    assert_eq!(
        judge::watermarks(&dead_first)
            .await
            .expect("the second host answers")[&0]
            .end,
        800
    );
}

#[tokio::test]
async fn a_bit_flipped_on_the_way_is_refused_by_the_broker_and_not_stored() {
    let proxied = Proxied::start().await;
    let rule = FrameRule::new(Direction::Requests, PRODUCE, FrameAction::FlipBit);
    let flipped = proxied.cluster.proxy(0).on_frame(rule);
    // By itself librdkafka would send the batch again, undamaged.
    let once = proxied.load().mode(Mode::Plain).setting("retries", "0");
    let refused = once.send(proxied.records[..1].to_vec()).await;
    assert!(
        matches!(refused, Err(LoadError::NotAcknowledged { .. })),
        "{refused:?}"
    );
    assert_eq!((flipped.hits(), proxied.stored().await), (1, 0));
}

#[tokio::test]
async fn a_load_goes_on_through_freeze_kill_and_restart_and_loses_nothing() {
    let cluster = KafkaCluster::builder()
        .name("shaken")
        .start()
        .await
        .expect("it starts");
    let place = Place::new(cluster.bootstrap(), "t");
    workload::create_topic(&cluster.bootstrap(), "t", 3, &[])
        .await
        .expect("a new topic");
    let records: Vec<_> = Generator::new(Shape::mixed(SEED, 3)).take(4_000).collect();
    let load = Load::new(cluster.bootstrap(), "t").start(records.clone(), 500);
    let grown = async |count: i64| {
        test_support::eventually::eventually_true("more records", LIMIT, async || {
            let marks = judge::watermarks(&place).await;
            marks.is_ok_and(|marks| marks.values().map(|marks| marks.end).sum::<i64>() > count)
        })
        .await
        .expect("the load runs");
    };
    grown(100).await;
    cluster.node(0).suspend().expect("it runs");
    // sleeps because this is the length of the freeze, not a wait for something.
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.node(0).resume().expect("it runs");
    cluster.node(0).kill();
    cluster.node(0).start().await.expect("it starts again");
    grown(500).await;
    load.finish()
        .await
        .expect("all are acknowledged in the end");
    let mut expected = Topic::new();
    for record in &records {
        expected
            .entry(record.partition)
            .or_default()
            .push(record.as_read(0));
    }
    let verdict = compare(
        &expected,
        &judge::read_all(&place, LIMIT).await.expect("readable"),
    );
    eprintln!("seed {SEED}: {verdict}");
    // A broker that was killed may take a repeated request for a new one; that is between producer and broker.
    assert!(verdict.is_complete(), "seed {SEED}: {verdict}");
}
