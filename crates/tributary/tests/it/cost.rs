//! What a copy costs beside what moving its bytes costs, measured in the same moments. No figure to publish: the program
//! here is built without optimisation and the machine does other work. A margin that wide is passed only by who
//! touches records on the way, and that is tens of times dearer.

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
/// Times of what moving the bytes takes. Seen with this build: 10 to 13 untouched, 67 decoded.
const AT_MOST: f64 = 25.0;

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

#[tokio::test]
async fn a_copy_costs_a_small_multiple_of_moving_its_bytes() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("cost");
    new_topic(source, &topic, PARTITIONS, &[]).await;
    let process = Replicate::new(source, destination, &topic).start();
    let record = move |number: i32| GeneratedRecord {
        partition: number / 60 % PARTITIONS,
        timestamp: 1_735_689_600_000,
        key: Some(number.to_string().into_bytes()),
        value: Some(value(number)),
        headers: Vec::new(),
    };
    // One record of each, so that everything that happens once has happened.
    let load = || {
        Load::new(source.bootstrap(), &topic)
            .codec(Codec::Lz4)
            .setting("batch.size", "700000")
    };
    load()
        .send((0..PARTITIONS).map(move |partition| record(60 * partition)))
        .await
        .expect("acknowledged");
    let copy = stored(destination, &topic);
    wait_for_offsets(&copy, i64::from(PARTITIONS)).await;
    // A backlog: what comes one by one costs requests, which is not what is looked at here.
    process.suspend().expect("it runs");
    load()
        .send((0..RECORDS).map(record))
        .await
        .expect("acknowledged");
    let before = used_by(&process);
    process.resume().expect("it runs");
    wait_for_offsets(&copy, i64::from(PARTITIONS + RECORDS)).await;
    let used = used_by(&process) - before;
    let bytes = on_disk(source, &topic);
    // Several times, because the clock of the floor is coarse.
    let floor = tokio::task::spawn_blocking(move || floor(4 * bytes) / 4)
        .await
        .expect("it ends");
    let times = used.as_secs_f64() / floor.as_secs_f64();
    println!("{used:?} for {bytes} bytes, moving them {floor:?}: {times:.1} times");
    assert!(
        times <= AT_MOST,
        "{used:?} for {bytes} bytes, moving them {floor:?}: {times:.1} times"
    );
    process.terminate().expect("it runs");
    process
        .wait(Duration::from_secs(20))
        .await
        .expect("it ends");
}
