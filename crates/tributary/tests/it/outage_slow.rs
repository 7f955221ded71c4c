//! A destination that is away while much is written, and comes back with a broker that is slow: nobody waits for that broker but
//! its own partitions, small topics are current at once, and nobody storms. The long form is `cargo xtask soak --mode outage`.

use std::time::Duration;

use test_support::eventually::eventually_true;
use test_support::fault_proxy::{Direction, Pace, Second, seconds_of};
use test_support::judge;
use test_support::kafka_cluster::{ClusterBuilder, KafkaCluster};
use test_support::limits::{
    CONNECTIONS_AT_ONCE, LANES, MEMORY_BEYOND_BUFFER, REQUESTS_FOR_EACH, SMALL_CURRENT,
};
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Generator, Load, RunningLoad, Shape, create_topic_on};
use tokio::time::{Instant, sleep_until};

use crate::support::{COPIED, NEW, Replicate, committed, new_topic, stored, unique};

const SEED: u64 = 1_313;
/// Partitions of the large topic; the last of them are led by the slow broker.
const PARTITIONS: i32 = 32;
const SLOW: i32 = 16;
const VALUE: usize = 16 * 1024;
/// Records written while the destination is away: 240 MB, more than seven times the memory.
const BACKLOG: usize = 15_000;
const MEMORY: u64 = 32 * 1024 * 1024;
/// Bytes per second of the slow broker. What it has to take lasts for two minutes.
const RATE: u64 = 1_000_000;
const AWAY: Duration = Duration::from_secs(6);
/// Numbers of the destination's brokers: of nearly everything, and of what is slow.
const USUAL: i32 = 1;
const ILL: i32 = 2;
/// Kafka's number of the Produce API.
const PRODUCE: i16 = 0;

struct Scene {
    source: KafkaCluster,
    destination: KafkaCluster,
    large: String,
    small: [String; 2],
    program: TributaryProcess,
}

/// What an outage came to.
struct Figures {
    small: Duration,
    others: Duration,
    attempts: u64,
    seconds: Vec<Second>,
    connections: u64,
}

impl Scene {
    async fn start() -> Self {
        let builder = |name: &str| {
            let builder = KafkaCluster::builder().name(name).version(NEW);
            builder
                .heap_mib(320)
                .property("default.replication.factor", "1")
        };
        let builders = [
            builder("slow-source"),
            builder("slow-destination").nodes(2).through_proxy(true),
        ];
        let clusters = ClusterBuilder::start_all(builders).await;
        let [source, destination] = clusters.expect("two clusters");
        let large = unique("large");
        let small = [unique("small"), unique("small")];
        let made_on = async |topic: &str, nodes: &[i32], configs: &[(&str, &str)]| {
            let made = create_topic_on(&destination.bootstrap(), topic, nodes, configs).await;
            made.expect("a new topic");
        };
        let led = (0..PARTITIONS).map(|number| match number < PARTITIONS - SLOW {
            true => USUAL,
            false => ILL,
        });
        new_topic(&source, &large, PARTITIONS, &[]).await;
        made_on(&large, &led.collect::<Vec<_>>(), &[]).await;
        for topic in &small {
            new_topic(&source, topic, 1, &[]).await;
            made_on(topic, &[USUAL], &[]).await;
        }
        // What the link remembers is not to be where it is slow.
        let positions = unique("positions");
        for topic in [&positions, "tributary.origins.internal"] {
            made_on(topic, &[USUAL], &[("cleanup.policy", "compact")]).await;
        }
        let topics = format!("{large}|{}|{}", small[0], small[1]);
        let program = Replicate::new(&source, &destination, &topics).with(&[
            "--override",
            &format!("tributary.buffer.memory={MEMORY}"),
            "--override",
            &format!("offset.storage.topic={positions}"),
        ]);
        let program = program.start();
        Self {
            source,
            destination,
            large,
            small,
            program,
        }
    }

    /// Writes so many records to the large topic.
    async fn write(&self, producer: u32, count: usize) {
        let shape = Shape::uniform(SEED, PARTITIONS, VALUE).producer(producer);
        let load = Load::new(self.source.bootstrap(), &self.large).setting("linger.ms", "20");
        let sent = load.send(Generator::new(shape).take(count)).await;
        sent.expect("acknowledged");
    }

    /// A record now and then for each of the small topics.
    fn trickle(&self) -> Vec<RunningLoad> {
        let topics = self.small.iter().zip(100..);
        let start = |(topic, producer)| {
            let shape = Shape::uniform(SEED, 1, 200).producer(producer);
            Load::new(self.source.bootstrap(), topic).start(Generator::new(shape), 20)
        };
        topics.map(start).collect()
    }

    /// Waits until copies of the first partitions of a topic end where their sources end now.
    async fn current(&self, topic: &str, partitions: i32) -> Duration {
        let begin = Instant::now();
        let wanted = judge::watermarks(&committed(&self.source, topic)).await;
        let wanted = wanted.expect("the source answers");
        let place = stored(&self.destination, topic);
        let there = async || {
            let found = judge::watermarks(&place).await.unwrap_or_default();
            let mut first = wanted.iter().filter(|(number, _)| **number < partitions);
            first.all(|(number, marks)| found.get(number).is_some_and(|copy| copy.end >= marks.end))
        };
        if let Err(error) = eventually_true("the end of the source", COPIED, there).await {
            panic!("{error}\n{}", self.program.lines().tail(60));
        }
        begin.elapsed()
    }

    fn open(&self) -> u64 {
        let proxies = self.destination.proxies().iter();
        proxies.map(|proxy| proxy.traffic().open).sum()
    }

    async fn outage(&self, producer: u32, slow: bool) -> Figures {
        let proxies = self.destination.proxies();
        let connections = self.open();
        let back = Instant::now() + AWAY;
        for proxy in proxies {
            proxy.begin_seconds();
            proxy.turn_away().await;
        }
        self.write(producer, BACKLOG).await;
        // sleeps because the outage is the test.
        sleep_until(back).await;
        let attempts = seconds_of(proxies).iter().map(|one| one.connections).sum();
        for proxy in proxies {
            proxy.begin_seconds();
            proxy.heal().await;
        }
        if slow {
            proxies[1].slow(Direction::Requests, Pace::bytes_per_second(RATE));
        }
        let (others, one, two) = tokio::join!(
            self.current(&self.large, PARTITIONS - SLOW),
            self.current(&self.small[0], 1),
            self.current(&self.small[1], 1),
        );
        Figures {
            small: one.max(two),
            others,
            attempts,
            seconds: seconds_of(proxies),
            connections,
        }
    }
}

impl Figures {
    fn hold(&self, what: &str) {
        let first = &self.seconds[..self.seconds.len().min(10)];
        let made: u64 = first.iter().map(|second| second.connections).sum();
        let beside = first.iter().map(|second| second.requests_beside(PRODUCE));
        let beside = beside.max().unwrap_or_default();
        println!(
            "{what}: small topics current after {:.1?}, the others of the large one after {:.1?}; {} attempts in {AWAY:?}, {made} \
             connections afterwards, {} before; at most {beside} requests a second beside Produce",
            self.small, self.others, self.attempts, self.connections
        );
        println!("{what}: {first:?}");
        assert!(self.small <= SMALL_CURRENT, "{what}: {:?}", self.small);
        let brokers = 2;
        let allowed = CONNECTIONS_AT_ONCE * LANES * brokers;
        assert!(made <= allowed, "{what}: {made} connections of {allowed}");
        // Attempts come closer together at first; the long form looks at what follows.
        let allowed = 2 * LANES * brokers * AWAY.as_secs();
        assert!(
            self.attempts <= allowed,
            "{what}: {} of {allowed}",
            self.attempts
        );
        let allowed = REQUESTS_FOR_EACH * PARTITIONS.unsigned_abs() as u64;
        assert!(beside <= allowed, "{what}: {beside} requests of {allowed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_outage_nobody_waits_for_a_slow_broker_and_nobody_storms() {
    println!("seed {SEED}");
    let scene = Scene::start().await;
    let loads = scene.trickle();
    scene.write(0, 480).await;
    scene.current(&scene.large, PARTITIONS).await;
    for topic in &scene.small {
        scene.current(topic, 1).await;
    }
    let alone = scene.outage(1, false).await;
    alone.hold("nothing is slow");
    scene.current(&scene.large, PARTITIONS).await;
    let beside = scene.outage(2, true).await;
    beside.hold("a broker is slow");
    let slow = judge::watermarks(&stored(&scene.destination, &scene.large)).await;
    println!("{slow:?}");
    let limit = 2 * alone.others + Duration::from_secs(5);
    assert!(
        beside.others <= limit,
        "{:?}, {:?} where nothing is slow",
        beside.others,
        alone.others
    );
    scene.destination.proxy(1).heal().await;
    for load in loads {
        load.stop().await.expect("acknowledged");
    }
    for topic in scene.small.iter().chain([&scene.large]) {
        let (from, to) = (
            committed(&scene.source, topic),
            stored(&scene.destination, topic),
        );
        let equal = judge::wait_until_digests_equal(&from, &to, COPIED).await;
        equal.expect("equal, record by record");
    }
    let peak = scene.program.usage().expect("it runs").peak_resident;
    println!("memory: {} MiB at most", peak >> 20);
    assert!(peak <= MEMORY + MEMORY_BEYOND_BUFFER, "{peak}");
    scene.program.terminate().expect("it runs");
    scene.program.wait(COPIED).await.expect("it ends");
}
