//! What a copy costs beside moving its bytes and looking at each of them once. Both are measured in the same moments, and looking with
//! code that is built as the program is: a machine that copies memory fast and computes slowly, or is shared with others, changes
//! both sides. No figure to publish: nothing here is optimised, and the machine does other work, which makes a copy dearer and never
//! cheaper: the best of a few attempts counts. What costs twice the usual fails, and so does who touches records on the way.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use test_support::KafkaCluster;
use test_support::raw;
use test_support::tributary_process::TributaryProcess;
use test_support::workload::{Codec, GeneratedRecord, Load};

use crate::support::{NEW, Replicate, new_topic, pair, stored, unique, wait_for_offsets};

const PARTITIONS: i32 = 12;
/// A doubling of what is usual is more than this.
const MARGIN: f64 = 1.6;
/// One is enough where nothing else runs.
const ATTEMPTS: i32 = 3;
/// The clock of the floor is coarse: so much is moved for it, and looking at so much is repeated for so long.
const MOVED: usize = 480_000_000;
const LOOKED_AT: usize = 16 << 20;
const LOOKED: Duration = Duration::from_millis(400);

/// What is copied, and what is expected of it.
struct Case {
    name: &'static str,
    codec: Codec,
    records: i32,
    /// Bytes of a record.
    value: usize,
    /// Records of a batch, about.
    batched: i32,
    /// What the producer is set to for that.
    setting: (&'static str, &'static str),
    /// Times of what moving the bytes and looking at them takes, with this build.
    usual: f64,
    /// Why batches are taken apart, if they are.
    decoded: Option<&'static str>,
}

const CASES: [Case; 3] = [
    // Seen: 0.7 to 0.8 untouched.
    Case {
        name: "lz4",
        codec: Codec::Lz4,
        records: 24_000,
        value: 10_000,
        batched: 60,
        setting: ("batch.size", "700000"),
        usual: 0.8,
        decoded: None,
    },
    Case {
        name: "uncompressed in batches of 60 kB",
        codec: Codec::None,
        records: 12_000,
        value: 10_000,
        batched: 6,
        setting: ("batch.size", "64000"),
        usual: 0.45,
        decoded: None,
    },
    // The worst case: a request would hold twelve of them.
    Case {
        name: "a record in each batch",
        codec: Codec::None,
        records: 40_000,
        value: 1_000,
        batched: 1,
        setting: ("batch.num.messages", "1"),
        usual: 2.1,
        decoded: Some("merged"),
    },
];

/// Half of it becomes smaller with a codec, and half does not: who takes records apart has work with it.
fn value(number: i32, size: usize) -> Vec<u8> {
    let mut state = u64::from(number.unsigned_abs()) + 1;
    let noise = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        state.to_be_bytes()[0]
    });
    let mut value: Vec<u8> = noise.take(size / 2).collect();
    value.resize(size, b'.');
    value
}

/// Where a topic's batches are kept.
fn logs(cluster: &KafkaCluster, topic: &str) -> Vec<PathBuf> {
    (0..PARTITIONS)
        .flat_map(|partition| raw::segment_files(cluster, topic, partition).expect("readable"))
        .collect()
}

/// Bytes of a topic's batches, as its broker keeps them.
fn on_disk(cluster: &KafkaCluster, topic: &str) -> usize {
    let bytes: u64 = logs(cluster, topic)
        .iter()
        .map(|log| std::fs::metadata(log).expect("it is there").len())
        .sum();
    usize::try_from(bytes).expect("small")
}

/// Processor time of looking at each byte of these logs once, eight at a time, by byte in seconds. Nothing of the program does it: what
/// becomes slower there is not to hide here.
fn looking(logs: &[PathBuf]) -> f64 {
    let mut bytes = Vec::new();
    for log in logs {
        let mut log = std::fs::File::open(log).expect("readable");
        log.read_to_end(&mut bytes).expect("readable");
        if bytes.len() >= LOOKED_AT {
            break;
        }
    }
    let (before, mut times, mut sum) = (used_here(), 0, 0_u64);
    while used_here() - before < LOOKED {
        for eight in bytes.chunks_exact(8) {
            let eight = eight.try_into().expect("eight of them");
            sum = sum.rotate_left(1) ^ u64::from_be_bytes(eight);
        }
        times += 1;
    }
    std::hint::black_box(sum);
    let used = used_here() - before;
    used.as_secs_f64() / (f64::from(times) * bytes.len() as f64)
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
fn moving(bytes: usize) -> Duration {
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
    case: &'a Case,
    source: &'a KafkaCluster,
    destination: &'a KafkaCluster,
    topic: String,
    process: TributaryProcess,
}

impl Scene<'_> {
    async fn send(&self, numbers: impl Iterator<Item = i32> + Send + 'static) {
        let &Case {
            value: size,
            batched,
            ..
        } = self.case;
        let record = move |number: i32| GeneratedRecord {
            partition: number / batched % PARTITIONS,
            timestamp: 1_735_689_600_000,
            key: Some(number.to_string().into_bytes()),
            value: Some(value(number, size)),
            headers: Vec::new(),
        };
        let (key, setting) = self.case.setting;
        Load::new(self.source.bootstrap(), &self.topic)
            .codec(self.case.codec)
            .setting(key, setting)
            .send(numbers.map(record))
            .await
            .expect("acknowledged");
    }

    async fn copied(&self, records: i32) {
        wait_for_offsets(&stored(self.destination, &self.topic), i64::from(records)).await;
    }

    /// Copies a backlog behind so many records: what come one by one cost requests, which is not what is looked at here. Times of
    /// moving its bytes and looking at them.
    async fn attempt(&self, before: i32) -> f64 {
        let there = on_disk(self.source, &self.topic);
        self.process.suspend().expect("it runs");
        self.send(0..self.case.records).await;
        let began = used_by(&self.process);
        self.process.resume().expect("it runs");
        self.copied(before + self.case.records).await;
        let used = used_by(&self.process) - began;
        let bytes = on_disk(self.source, &self.topic) - there;
        let logs = logs(self.source, &self.topic);
        let floor = tokio::task::spawn_blocking(move || {
            let times = MOVED.div_ceil(bytes);
            let moving = moving(times * bytes).as_secs_f64() / times as f64;
            (moving, looking(&logs) * bytes as f64)
        });
        let (moving, looking) = floor.await.expect("it ends");
        let times = used.as_secs_f64() / (moving + looking);
        let name = self.case.name;
        println!(
            "{name}: {used:?} for {bytes} bytes; moving them {:.1} ms, looking at them {:.1} ms: {times:.2} times",
            1e3 * moving,
            1e3 * looking,
        );
        times
    }

    /// Copies all of it once more, and looks at what is said of batches at the end.
    async fn says_what_was_decoded(&self) {
        let again = Replicate::new(self.source, self.destination, &self.topic);
        let run = again
            .with(&["--rename", "again.${topic}"])
            .until_caught_up()
            .await;
        assert!(run.status.success(), "{}", run.error);
        let mut lines = run.output.lines().chain(run.error.lines());
        let decoded = lines.find_map(|line| Some(line.split_once("; decoded: ")?.1));
        match (self.case.decoded, decoded) {
            (None, None) => {}
            (Some(why), Some(decoded)) if decoded.starts_with(why) && !decoded.contains(',') => {}
            (why, decoded) => panic!("{}: {decoded:?}, not {why:?}", self.case.name),
        }
    }
}

#[tokio::test]
async fn a_copy_costs_a_small_multiple_of_moving_its_bytes() {
    for case in &CASES {
        costs_little(case).await;
    }
}

async fn costs_little(case: &'static Case) {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("cost");
    new_topic(source, &topic, PARTITIONS, &[]).await;
    let process = Replicate::new(source, destination, &topic).start();
    let scene = Scene {
        case,
        source,
        destination,
        topic,
        process,
    };
    // One record of each, so that everything that happens once has happened.
    scene
        .send((0..PARTITIONS).map(move |partition| case.batched * partition))
        .await;
    scene.copied(PARTITIONS).await;
    let mut best = f64::INFINITY;
    let at_most = MARGIN * case.usual;
    for attempt in 0..ATTEMPTS {
        best = best.min(scene.attempt(PARTITIONS + attempt * case.records).await);
        if best <= at_most {
            break;
        }
    }
    assert!(
        best <= at_most,
        "{}: the best of {ATTEMPTS} copies costs {best:.2} times moving its bytes and looking at them, at most {at_most:.2} were to be",
        case.name
    );
    scene.process.terminate().expect("it runs");
    scene
        .process
        .wait(Duration::from_secs(20))
        .await
        .expect("it ends");
    scene.says_what_was_decoded().await;
}
