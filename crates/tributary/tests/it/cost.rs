//! What a copy costs beside what moving its bytes costs, measured in the same moments. No figure to publish: the program
//! here is built without optimisation and the machine does other work, which makes a copy dearer and never cheaper: the best
//! of a few attempts counts. What costs twice as much fails, and so does who touches records on the way.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use test_support::KafkaCluster;
use test_support::raw;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Codec, GeneratedRecord, Load};

use crate::support::{NEW, Replicate, new_topic, pair, stored, unique, wait_for_offsets};

const PARTITIONS: i32 = 12;
/// Of 10 kB each, in batches of about 60.
const RECORDS: i32 = 24_000;
const VALUE: usize = 10_000;
/// Times of what moving the bytes takes. Seen with this build: 10 to 13 untouched, 6 on a quiet machine; 67 decoded.
const USUAL: f64 = 12.0;
/// A doubling of what is usual is more than this; on a quiet machine half of that is seen, so there it takes more than three times.
const AT_MOST: f64 = 1.6 * USUAL;
/// One is enough where nothing else runs.
const ATTEMPTS: i32 = 3;

/// Half of it becomes smaller with a codec, and half does not: who takes records apart has work with it.
fn value(number: i32) -> Vec<u8> {
    let mut state = u64::from(number.unsigned_abs()) + 1;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let mut value: Vec<u8> = noise.take(VALUE / 2).collect();
    value.resize(VALUE, b'.');
    value
}

/// Bytes of a topic's batches, as its broker keeps them.
fn on_disk(cluster: &KafkaCluster, topic: &str) -> usize {
    let bytes: u64 = (0..PARTITIONS)
        .flat_map(|partition| raw::segment_files(cluster, topic, partition).expect("readable"))
        .map(|log| std::fs::metadata(log).expect("it is there").len())
        .sum();
    usize::try_from(bytes).expect("small")
}

/// Processor time of this thread, from the system: in hundredths of a second, and first what was used as a user.
fn used_here() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("this thread lives");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().expect("ticks"))
        .sum();
    Duration::from_millis(10 * ticks)
}

/// Processor time of receiving and sending so many bytes over loopback, a mebibyte per call, and nothing else.
fn floor(bytes: usize) -> Duration {
    let (entry, exit) = (listener(), listener());
    let (into, out_of) = (address(&entry), address(&exit));
    let source = thread::spawn(move || {
        let mut to = TcpStream::connect(into).expect("it listens");
        let chunk = vec![7; 1 << 20];
        for _ in 0..bytes >> 20 {
            to.write_all(&chunk).expect("it reads");
        }
    });
    let sink = thread::spawn(move || {
        let (mut from, _) = exit.accept().expect("somebody connects");
        let mut chunk = vec![0; 1 << 20];
        while from.read(&mut chunk).expect("it writes") > 0 {}
    });
    let relay = thread::spawn(move || {
        let (mut from, _) = entry.accept().expect("somebody connects");
        let mut to = TcpStream::connect(out_of).expect("it listens");
        let mut chunk = vec![0; 1 << 20];
        let before = used_here();
        loop {
            match from.read(&mut chunk).expect("it writes") {
                0 => return used_here() - before,
                read => to.write_all(&chunk[..read]).expect("it reads"),
            }
        }
    });
    let used = relay.join().expect("the relay ends");
    source.join().expect("the source ends");
    sink.join().expect("the sink ends");
    used
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn address(listener: &TcpListener) -> std::net::SocketAddr {
    listener.local_addr().expect("it is bound")
}

fn used_by(process: &TributaryProcess) -> Duration {
    process.usage().expect("it runs").processor()
}

/// A copy that goes on, and both of its sides.
struct Scene<'a> {
    source: &'a KafkaCluster,
    destination: &'a KafkaCluster,
    topic: String,
    process: TributaryProcess,
}

impl Scene<'_> {
    async fn send(&self, numbers: impl Iterator<Item = i32> + Send + 'static) {
        let record = |number: i32| GeneratedRecord {
            partition: number / 60 % PARTITIONS,
            timestamp: 1_735_689_600_000,
            key: Some(number.to_string().into_bytes()),
            value: Some(value(number)),
            headers: Vec::new(),
        };
        Load::new(self.source.bootstrap(), &self.topic)
            .codec(Codec::Lz4)
            .setting("batch.size", "700000")
            .send(numbers.map(record))
            .await
            .expect("acknowledged");
    }

    async fn copied(&self, records: i32) {
        wait_for_offsets(&stored(self.destination, &self.topic), i64::from(records)).await;
    }

    /// Copies a backlog behind so many records: what come one by one cost requests, which is not what is looked at here. Times of
    /// moving its bytes.
    async fn attempt(&self, before: i32) -> f64 {
        let there = on_disk(self.source, &self.topic);
        self.process.suspend().expect("it runs");
        self.send(0..RECORDS).await;
        let began = used_by(&self.process);
        self.process.resume().expect("it runs");
        self.copied(before + RECORDS).await;
        let used = used_by(&self.process) - began;
        let bytes = on_disk(self.source, &self.topic) - there;
        // Several times, because the clock of the floor is coarse.
        let floor = tokio::task::spawn_blocking(move || floor(4 * bytes) / 4)
            .await
            .expect("it ends");
        let times = used.as_secs_f64() / floor.as_secs_f64();
        println!("{used:?} for {bytes} bytes, moving them {floor:?}: {times:.1} times");
        times
    }
}

#[tokio::test]
async fn a_copy_costs_a_small_multiple_of_moving_its_bytes() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("cost");
    new_topic(source, &topic, PARTITIONS, &[]).await;
    let process = Replicate::new(source, destination, &topic).start();
    let scene = Scene {
        source,
        destination,
        topic,
        process,
    };
    // One record of each, so that everything that happens once has happened.
    scene
        .send((0..PARTITIONS).map(|partition| 60 * partition))
        .await;
    scene.copied(PARTITIONS).await;
    let mut best = f64::INFINITY;
    for attempt in 0..ATTEMPTS {
        best = best.min(scene.attempt(PARTITIONS + attempt * RECORDS).await);
        if best <= AT_MOST {
            break;
        }
    }
    assert!(
        best <= AT_MOST,
        "the best of {ATTEMPTS} copies costs {best:.1} times what moving its bytes does, at most {AT_MOST} were to be"
    );
    scene.process.terminate().expect("it runs");
    scene
        .process
        .wait(Duration::from_secs(20))
        .await
        .expect("it ends");
}
