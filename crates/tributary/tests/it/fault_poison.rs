//! Records that the destination does not take, each in a partition of its own: only that partition stands, nothing is sent
//! again and again, and it goes on by itself when the destination takes the record, or by command.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use test_support::eventually::eventually_true;
use test_support::judge;
use test_support::limits::{self, DETECT, PAUSE, RECOVER, RETRY, RETRY_SETTLES};
use test_support::workload::{GeneratedRecord, Generator, Load, Shape, set_topic_settings};
use tokio::time::Instant;

use crate::connect_worker::{Worker, expect};
use crate::fault_states::becomes;
use crate::support::{
    COPIED, Shaken, bootstrap, committed, compared, new_topic, offsets, shaken, stored, unique,
    wait_for_offsets,
};
use crate::topics_load::Pauses;

const SEED: u64 = 11_037;
/// Kafka's number of the Produce API.
const PRODUCE: i16 = 0;
const HOUR: i64 = 3_600_000;

fn record(partition: i32, age_ms: i64, size: usize) -> GeneratedRecord {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_millis()).expect("soon");
    GeneratedRecord {
        partition,
        timestamp: now - age_ms,
        key: Some(b"key".to_vec()),
        value: Some(vec![b'v'; size]),
        headers: Vec::new(),
    }
}

/// Small records to every partition, with one in the middle of partition 0 that is too large and one in partition 1 that is
/// too old.
async fn poison(pair: &Shaken, topic: &str) {
    let send = async |records: Vec<GeneratedRecord>| {
        let load = Load::new(pair.source.bootstrap(), topic);
        load.send(records).await.expect("acknowledged");
    };
    for round in 0..10 {
        if round == 5 {
            send(vec![record(0, 0, 9_000)]).await;
            send(vec![record(1, 5 * HOUR, 100)]).await;
        }
        send((0..3).map(|partition| record(partition, 0, 100)).collect()).await;
    }
}

/// How many Produce requests the destination gets while nothing is produced.
async fn attempts(pair: &Shaken, lasts: Duration) -> u64 {
    let count = || pair.destination.proxy(0).traffic().requests(PRODUCE);
    // sleeps because what is not sent for a while is the test.
    tokio::time::sleep(RETRY_SETTLES).await;
    let before = count();
    // sleeps because what is not sent for a while is the test.
    tokio::time::sleep(lasts).await;
    count() - before
}

/// The record that was too large goes by itself when the limit is raised, the one that is too old is skipped by command.
async fn go_on(pair: &Shaken, worker: &Worker, link: &str, topic: &str) {
    let (destination, copy) = (&pair.destination, stored(&pair.destination, topic));
    let hour = HOUR.to_string();
    let before = ("message.timestamp.before.max.ms", hour.as_str());
    // By itself, when the limit is raised.
    let large = [("max.message.bytes", "100000"), before];
    set_topic_settings(&destination.bootstrap(), topic, &large)
        .await
        .expect("changed");
    let raised = Instant::now();
    let more = async || offsets(&copy).await >= 5 + 6 + 10 + 5;
    if let Err(error) = eventually_true("the large record", DETECT, more).await {
        panic!("{error}\n{}", worker.log());
    }
    println!(
        "goes on {:?} after the limit was raised, limit {RECOVER:?}",
        raised.elapsed()
    );

    // By command, without the record.
    becomes(worker, (link, topic, 1), "refused", DETECT).await;
    let path = format!("/api/v1/links/{link}/topics/{topic}/partitions/1:resume");
    let body = json!({"action": "skip-record", "expected_offset": 5}).to_string();
    let resumed = Instant::now();
    let answer = worker.client.post(&path, Some(&body)).await;
    assert!(answer.status < 300, "{answer:?}");
    becomes(worker, (link, topic, 1), "active", DETECT).await;
    let taken = async || {
        let end = judge::watermarks(&copy)
            .await
            .is_ok_and(|marks| marks[&1].end >= 10);
        end && offsets(&copy).await >= 11 + 10
    };
    if let Err(error) = eventually_true("the rest", DETECT, taken).await {
        panic!("{error}\n{}", worker.log());
    }
    println!(
        "goes on {:?} after the record was skipped, limit {RECOVER:?}",
        resumed.elapsed()
    );
    assert!(worker.log().contains("left out, as an operator says"));
    let page = expect(worker.client.get("/metrics").await, 200).body;
    let skipped = page.lines().find(|line| {
        line.starts_with("tributary_records_skipped_total{") && line.contains("reason=\"refused\"")
    });
    assert!(
        skipped.is_some_and(|line| line.ends_with(" 1")),
        "{skipped:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_refused_stands_alone_is_not_sent_again_and_goes_on_when_it_is_taken() {
    let guard = shaken().await;
    let pair = guard.as_ref().expect("started");
    let (source, destination) = (&pair.source, &pair.destination);
    let (topic, steady) = (unique("poison"), unique("steady"));
    new_topic(source, &topic, 3, &[]).await;
    new_topic(source, &steady, 2, &[]).await;
    let hour = HOUR.to_string();
    let before = ("message.timestamp.before.max.ms", hour.as_str());
    let small = [("max.message.bytes", "4000"), before];
    new_topic(destination, &topic, 3, &small).await;
    let link = unique("poisoned");
    // The destination keeps its own limits, which the source does not have.
    let file = format!(
        "name={link}\nconnector.class=ReplicatorSourceConnector\nsrc.kafka.bootstrap.servers={}\n\
         topic.whitelist={topic},{steady}\ntopic.config.sync=false\n",
        bootstrap(source)
    );
    let lines = format!("bootstrap.servers={}", bootstrap(destination));
    let worker = Worker::tributary(&lines, &[&file]).await;
    let load = Load::new(source.bootstrap(), &steady).setting("linger.ms", "20");
    let load = load.start(Generator::new(Shape::uniform(SEED, 2, 200)), 400);
    let place = stored(destination, &steady);
    wait_for_offsets(&place, 500).await;
    let usual = Pauses::watch(&place, Duration::from_secs(3), async || true).await;

    let began = Instant::now();
    poison(pair, &topic).await;
    let copy = stored(destination, &topic);
    // Five records in front of each, and all of the third partition.
    let during = Pauses::watch(&place, Duration::from_secs(3), async || {
        offsets(&copy).await == 5 + 5 + 10
    })
    .await;
    let mut shown = Vec::new();
    for (number, part) in [(0, "max.message.bytes"), (1, "INVALID_TIMESTAMP")] {
        let found = becomes(&worker, (&link, &topic, number), "refused", DETECT).await;
        let reason = found["reason"].as_str().expect("a reason");
        assert!(reason.contains(part), "{reason}");
        assert_eq!(found["error"]["offset"], json!(5), "{found}");
        assert_eq!(found["answers"], json!(["resume", "skip-record"]));
        assert_eq!(found["help"], "docs/errors/refused.md");
        shown.push(began.elapsed());
        println!("partition {number}: {reason}");
    }
    let longest = |pauses: &Pauses| pauses.longest.values().max().copied().unwrap_or_default();
    let (usual, during) = (longest(&usual), longest(&during));
    println!(
        "refused after {shown:?}, limit {DETECT:?}; others paused {during:?}, before {usual:?}, limit {PAUSE:?} more"
    );
    assert!(during <= usual + PAUSE);
    load.stop().await.expect("all are acknowledged");

    let lasts = match limits::long_run() {
        Some(_) => Duration::from_secs(60),
        None => Duration::from_secs(6),
    };
    let sent = attempts(pair, lasts).await;
    println!("{sent} attempts in {lasts:?} for two partitions, limit one per {RETRY:?} each");
    // What stands is tried again once a minute and then more seldom; what is known to be too large is not sent even then.
    let log = worker.log();
    let tried = log.matches("what stands is tried again").count();
    assert!(
        sent <= tried as u64,
        "nothing else is sent that is known to be refused: {sent} {tried}\n{log}"
    );
    assert!(
        !log.contains("no progress for"),
        "what stands is not called stalled when it is tried again\n{log}"
    );
    assert_eq!(offsets(&copy).await, 20, "nothing was added");

    go_on(pair, &worker, &link, &topic).await;
    let there = judge::read_all(&committed(source, &topic), COPIED).await;
    let here = judge::read_all(&copy, COPIED).await.expect("readable");
    let mut expected = there.expect("readable");
    let left_out = expected.get_mut(&1).expect("three partitions").remove(5);
    assert_eq!(left_out.offset, 5);
    for (partition, records) in &expected {
        let count = here[partition].len();
        assert_eq!(count, records.len(), "partition {partition}");
    }
    let verdict = compared(&committed(source, &steady), &place).await;
    assert!(verdict.is_equal(), "{verdict}");
}
