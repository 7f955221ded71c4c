//! Records have the same offsets on both sides: start, end, and every record, judged by librdkafka.

use std::collections::BTreeMap;
use std::iter;

use test_support::eventually::eventually;
use test_support::judge::{self, Place, ReadRecord};
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::limits::long_run;
use test_support::raw;
use test_support::tools::KafkaTools;
use test_support::workload::{self, Codec, GeneratedRecord, Generator, Load, Mode, Shape};

use crate::kill::Moments;
use crate::support::{
    COPIED, NEW, OLD, Replicate, Run, both_directions, committed, new_topic, pair, shaken,
    transactions, unique,
};
use crate::verify::is_proved;

const SEED: u64 = 66;

async fn load(cluster: &KafkaCluster, topic: &str, partitions: i32, records: usize, mode: Mode) {
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::Zstd)
        .mode(mode)
        .setting("linger.ms", "5")
        .setting("batch.num.messages", "100")
        .send(Generator::new(Shape::mixed(SEED, partitions).largest_value(2_000)).take(records))
        .await
        .expect("acknowledged");
}

/// Deletes what lies before an offset, with Kafka's own tool.
pub(crate) async fn delete_before(
    cluster: &KafkaCluster,
    topic: &str,
    partition: i32,
    offset: i64,
) {
    let json = format!(
        "{{\"partitions\":[{{\"topic\":\"{topic}\",\"partition\":{partition},\"offset\":{offset}}}],\"version\":1}}"
    );
    let file = std::env::temp_dir().join(format!("{topic}-{partition}-{offset}.json"));
    std::fs::write(&file, json).expect("a small file");
    let tools = KafkaTools::for_version(cluster.version()).expect("tools");
    let tool = "org.apache.kafka.tools.DeleteRecordsCommand";
    let path = file.display().to_string();
    let arguments = [
        "--bootstrap-server",
        &cluster.bootstrap(),
        "--offset-json-file",
        &path,
    ];
    let done = tools.run(tool, &arguments).await;
    std::fs::remove_file(&file).expect("it was there");
    done.expect("records are deleted");
}

/// Start, end, and every record with its offset are the same.
pub(crate) async fn equal_with_offsets(source: &Place, copy: &Place, about: &str) -> usize {
    let there = judge::watermarks(source).await.expect("readable");
    let here = judge::watermarks(copy).await.expect("readable");
    assert_eq!(there, here, "starts and ends: {about}");
    let there = judge::read_all(source, COPIED).await.expect("readable");
    let here = judge::read_all(copy, COPIED).await.expect("readable");
    let mut records = 0;
    for (partition, there) in &there {
        let here = &here[partition];
        for (a, b) in there.iter().zip(here) {
            assert_eq!(a, b, "partition {partition}: {about}");
        }
        assert_eq!(there.len(), here.len(), "partition {partition}: {about}");
        records += there.len();
    }
    records
}

fn preserving(source: &KafkaCluster, destination: &KafkaCluster, topic: &str) -> Replicate {
    Replicate::new(source, destination, topic).with(&["--set", "tributary.offsets=preserve"])
}

async fn copied(link: &Replicate) -> Run {
    link.until_caught_up().await.ended_with(0).quiet()
}

async fn plain_from_the_middle(source: &KafkaCluster, destination: &KafkaCluster) {
    let topic = unique("plain");
    new_topic(source, &topic, 3, &[]).await;
    load(source, &topic, 3, 6_000, Mode::Plain).await;
    let from = committed(source, &topic);
    let marks = judge::watermarks(&from).await.expect("readable");
    // Partition 2 keeps its beginning.
    for partition in 0..2 {
        let offset = marks[&partition].end / 2 + 33;
        delete_before(source, &topic, partition, offset).await;
    }
    let mut inside = 0;
    for partition in 0..2 {
        inside += usize::from(begins_inside_a_batch(source, &topic, partition).await);
    }
    assert!(inside > 0, "a log starts inside a batch");
    let link = preserving(source, destination, &topic);
    let to = committed(destination, &topic);
    let run = copied(&link).await;
    let records = equal_with_offsets(&from, &to, &run.to_string()).await;
    println!(
        "{} → {}: {records} records, log starts {:?}, seed {SEED}",
        source.version(),
        destination.version(),
        judge::watermarks(&from).await.expect("readable")
    );
    assert!(records > 1_000);
    is_proved((source, destination), &topic, &link).await;
    // The log goes on, and the process anew.
    load(source, &topic, 3, 2_000, Mode::Idempotent).await;
    let run = copied(&link).await;
    let more = equal_with_offsets(&from, &to, &run.to_string()).await;
    assert_eq!(more, records + 2_000);
}

#[tokio::test]
async fn a_plain_topic_whose_log_starts_inside_a_batch_keeps_its_offsets() {
    let (source, destination) = pair(NEW, NEW).await;
    plain_from_the_middle(source, destination).await;
}

#[tokio::test]
async fn a_plain_topic_keeps_its_offsets_between_versions_in_both_directions() {
    let (new, old) = pair(NEW, OLD).await;
    plain_from_the_middle(old, new).await;
    plain_from_the_middle(new, old).await;
}

#[tokio::test]
async fn a_topic_with_transactions_keeps_its_offsets_when_a_third_of_them_abort() {
    for (from, to) in [(NEW, NEW), (OLD, NEW), (NEW, OLD)] {
        let (source, destination) = pair(from, to).await;
        with_transactions(source, destination).await;
    }
}

async fn with_transactions(source: &KafkaCluster, destination: &KafkaCluster) {
    let topic = unique("transactions");
    new_topic(source, &topic, 2, &[]).await;
    load(source, &topic, 2, 3_000, transactions(SEED)).await;
    let link = preserving(source, destination, &topic);
    let run = copied(&link).await;
    let (from, to) = (committed(source, &topic), committed(destination, &topic));
    let records = equal_with_offsets(&from, &to, &run.to_string()).await;
    println!("{records} records, seed {SEED}");
    load(source, &topic, 2, 1_000, transactions(SEED + 1)).await;
    let run = copied(&link).await;
    let more = equal_with_offsets(&from, &to, &run.to_string()).await;
    assert!(more > records);
    let uncommitted = judge::read_all(&to.clone().uncommitted(), COPIED)
        .await
        .expect("readable");
    let seen: usize = uncommitted.values().map(Vec::len).sum();
    assert_eq!(seen, more, "nobody sees markers or aborted records");
    is_proved((source, destination), &topic, &link).await;
}

#[tokio::test]
async fn the_sources_log_start_is_followed() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("followed");
    new_topic(source, &topic, 1, &[]).await;
    load(source, &topic, 1, 2_000, Mode::Plain).await;
    let link = preserving(source, destination, &topic);
    let program = link.start();
    let (from, to) = (committed(source, &topic), committed(destination, &topic));
    crate::support::wait_for_offsets(&to, 2_000).await;
    delete_before(source, &topic, 0, 777).await;
    eventually("the destination's start", COPIED, async || {
        let start = judge::watermarks(&to).await.map_err(|e| e.to_string())?[&0].start;
        if start == 777 {
            Ok(())
        } else {
            Err(start.to_string())
        }
    })
    .await
    .expect("it follows");
    program.kill9();
    equal_with_offsets(&from, &to, "log start").await;
}

/// What is in front of the gap is kept, and a consumer that stands there reads on with the next record.
#[tokio::test]
async fn what_the_source_lost_before_it_was_copied_leaves_offsets_that_nobody_reads() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("lost");
    new_topic(source, &topic, 1, &[]).await;
    load(source, &topic, 1, 200, Mode::Plain).await;
    let link = preserving(source, destination, &topic).with(&[
        "--set",
        "tributary.on.gap=continue",
        "--set",
        "tributary.offsets.follow.start=false",
    ]);
    copied(&link).await;
    load(source, &topic, 1, 300, Mode::Plain).await;
    delete_before(source, &topic, 0, 350).await;
    let run = link.until_caught_up().await.ended_with(0);
    assert!(run.error.contains("[200, 350)"), "{run}");
    let to = committed(destination, &topic).uncommitted();
    let read = judge::read_all(&to, COPIED).await.expect("readable");
    let offsets: Vec<i64> = read[&0].iter().map(|record| record.offset).collect();
    let expected: Vec<i64> = (0..200).chain(350..500).collect();
    assert_eq!(offsets, expected, "{run}");
}

/// A topic with keys, small segments, and records that come again.
async fn compacted(source: &KafkaCluster, topic: &str, codec: Codec) {
    let settings = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "100"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "0"),
    ];
    new_topic(source, topic, 1, &settings).await;
    let mut time = 1_735_689_600_000;
    for round in 0..6 {
        let records = (0..60).map(|n| {
            // Brokers go by the records' time when they close segments.
            time += 1_000;
            let key = (n * 7 + round * 3) % 25 + if n % 10 == 0 { round * 100 } else { 0 };
            GeneratedRecord {
                partition: 0,
                timestamp: time,
                key: Some(format!("key {key}").into_bytes()),
                value: (n % 13 != 12).then(|| format!("value {n} of {round}").into_bytes()),
                headers: Vec::new(),
            }
        });
        Load::new(source.bootstrap(), topic)
            .codec(codec)
            .setting("batch.num.messages", "20")
            .send(records.collect::<Vec<_>>())
            .await
            .expect("acknowledged");
    }
}

/// Whether the first batch that a partition serves begins before its log does.
async fn begins_inside_a_batch(cluster: &KafkaCluster, topic: &str, partition: i32) -> bool {
    let marks = judge::watermarks(&committed(cluster, topic)).await;
    let start = marks.expect("readable")[&partition].start;
    let bytes = raw::raw_fetch(&cluster.bootstrap(), topic, partition, start).await;
    let bytes = bytes.expect("a fetch");
    let base = i64::from_be_bytes(bytes[..8].try_into().expect("a batch"));
    base < start
}

/// Groups that stopped at the source at random committed offsets of its one partition and go on at the destination read there
/// what they would have read, as `rest` sees it. A long run takes a hundred offsets.
async fn groups_change_sides<T: PartialEq + std::fmt::Debug>(
    name: &str,
    (from, to): (&Place, &Place),
    rest: impl Fn(&[ReadRecord]) -> T,
) {
    let marks = judge::watermarks(from).await.expect("readable")[&0];
    let span = u64::try_from(marks.end - marks.start).expect("in order") + 1;
    let mut random = Moments(SEED);
    let offsets = if long_run().is_some() { 100 } else { 10 };
    for number in 0..offsets {
        let ahead = random.next(0, span).as_millis();
        let offset = marks.start + i64::try_from(ahead).expect("few");
        let group = format!("{name}-{number}");
        let at = BTreeMap::from([(0, offset)]);
        let (there, here) = tokio::join!(
            judge::read_the_rest(from, &group, at.clone(), COPIED),
            judge::read_the_rest(to, &group, at.clone(), COPIED)
        );
        let [there, here] = [there, here].map(|read| rest(&read.expect("readable")[&0]));
        assert_eq!(there, here, "from {offset}, seed {SEED}");
    }
    println!(
        "  {offsets} offsets in [{}, {}], seed {SEED}",
        marks.start, marks.end
    );
}

/// Waits until the cleaner has taken records from a log, and takes no more.
async fn cleaned(place: &Place) {
    let mut before = usize::MAX;
    eventually("the cleaner's work", COPIED, async || {
        let records = judge::read_all(place, COPIED)
            .await
            .map_err(|e| e.to_string())?;
        let left = records.values().map(Vec::len).sum();
        let end = crate::support::offsets(place).await;
        let done = left == before && i64::try_from(left).expect("few") < end / 2;
        before = left;
        if done {
            Ok(())
        } else {
            Err(format!("{left} of {end}"))
        }
    })
    .await
    .expect("it cleans");
}

/// The last value of every key, and its offset.
fn last_values(records: &[ReadRecord]) -> BTreeMap<Vec<u8>, (i64, Option<Vec<u8>>)> {
    let key = |record: &ReadRecord| record.key.clone().expect("every record has a key");
    let last = records
        .iter()
        .map(|r| (key(r), (r.offset, r.value.clone())));
    // What was deleted may be there no more.
    last.collect::<BTreeMap<_, _>>()
        .into_iter()
        .filter(|(_, (_, value))| value.is_some())
        .collect()
}

#[tokio::test]
async fn a_compacted_topic_keeps_its_offsets_and_the_copies_that_fill_its_holes_are_cleaned() {
    let guard = shaken().await;
    let clusters = guard.as_ref().expect("started");
    for codec in [Codec::Zstd, Codec::None] {
        thinned_and_cleaned(&clusters.source, &clusters.destination, codec).await;
    }
}

#[tokio::test]
async fn a_compacted_topic_keeps_its_offsets_between_versions_in_both_directions() {
    let test = async |source, destination| {
        thinned_and_cleaned(source, destination, Codec::Lz4).await;
    };
    both_directions(test).await;
}

/// Copies what the source's cleaner has left, and has the destination's cleaner do its work too.
async fn thinned_and_cleaned(source: &KafkaCluster, destination: &KafkaCluster, codec: Codec) {
    let topic = unique("compacted");
    compacted(source, &topic, codec).await;
    let (from, to) = (committed(source, &topic), committed(destination, &topic));
    cleaned(&from).await;
    let link = preserving(source, destination, &topic);
    let run = copied(&link).await;
    assert!(run.output.contains("decoded: thinned"), "{run}");
    is_proved((source, destination), &topic, &link).await;
    let (there, here) = (judge::watermarks(&from).await, judge::watermarks(&to).await);
    assert_eq!(there.expect("readable"), here.expect("readable"), "{run}");
    let there = judge::read_all(&from, COPIED).await.expect("readable");
    let here = judge::read_all(&to, COPIED).await.expect("readable");
    let at_their_offsets = |here: &[ReadRecord]| {
        let by_offset: BTreeMap<_, _> = here.iter().map(|r| (r.offset, r)).collect();
        there[&0]
            .iter()
            .all(|r| by_offset.get(&r.offset) == Some(&r))
    };
    println!(
        "{} → {}, {}: {} records at the source, {} at the destination before it is cleaned",
        source.version(),
        destination.version(),
        codec.name(),
        there[&0].len(),
        here[&0].len()
    );
    assert!(at_their_offsets(&here[&0]), "every record at its offset");
    cleaned(&to).await;
    let here = judge::read_all(&to, COPIED).await.expect("readable");
    println!("{} after it was cleaned", here[&0].len());
    assert_eq!(last_values(&there[&0]), last_values(&here[&0]), "{run}");
    let marks = judge::watermarks(&to).await.expect("readable");
    assert_eq!(marks, judge::watermarks(&from).await.expect("readable"));
    is_proved((source, destination), &topic, &link).await;
    // The two cleaners do not remove the same records: what is left of each key in the end is the same.
    groups_change_sides(&topic, (&from, &to), last_values).await;
}

#[tokio::test]
async fn a_topic_that_is_only_compacted_keeps_its_offsets_where_its_log_begins_later() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("only-compacted");
    let settings = [
        ("cleanup.policy", "compact,delete"),
        ("retention.ms", "-1"),
        ("segment.ms", "604800000"),
    ];
    new_topic(source, &topic, 2, &settings).await;
    let keyed = |(n, record): (usize, GeneratedRecord)| GeneratedRecord {
        key: Some(format!("key {n}").into_bytes()),
        ..record
    };
    let records = |from: usize| {
        let shape = Shape::mixed(SEED, 2).largest_value(500);
        (from..).zip(Generator::new(shape)).map(keyed).take(600)
    };
    let load = || Load::new(source.bootstrap(), &topic).codec(Codec::Lz4);
    load().send(records(0)).await.expect("acknowledged");
    for partition in 0..2 {
        delete_before(source, &topic, partition, 77).await;
    }
    let only = [("cleanup.policy", "compact"), ("retention.ms", "86400000")];
    let set = workload::set_topic_settings(&source.bootstrap(), &topic, &only).await;
    set.expect("a policy is changed");
    let link = preserving(source, destination, &topic);
    let run = copied(&link).await;
    assert!(run.error.contains("compact,delete for a moment"), "{run}");
    let (from, to) = (committed(source, &topic), committed(destination, &topic));
    let count = equal_with_offsets(&from, &to, &run.to_string()).await;
    assert!(count > 400, "{count}");
    let settings = workload::topic_settings(&destination.bootstrap(), &topic).await;
    let settings = settings.expect("readable");
    assert_eq!(settings["cleanup.policy"], "compact", "{run}");
    assert_eq!(settings["retention.ms"], "86400000", "{run}");
    is_proved((source, destination), &topic, &link).await;
    load().send(records(1_000)).await.expect("acknowledged");
    let run = copied(&link).await;
    equal_with_offsets(&from, &to, &run.to_string()).await;
}

/// Partitions of topics whose groups change sides, and how often they do: so many offsets at a time.
const GROUPED: i32 = 50;
const ROUNDS: u64 = 2;

#[tokio::test]
async fn a_group_that_changes_sides_at_any_committed_offset_reads_exactly_the_rest() {
    for (from, to) in usual_or_all_pairs() {
        let (source, destination) = pair(from, to).await;
        changes_sides(source, destination).await;
    }
}

/// The pair of versions that every run takes; a long one takes all.
fn usual_or_all_pairs() -> impl Iterator<Item = (KafkaVersion, KafkaVersion)> {
    let others = [(OLD, NEW), (NEW, OLD)].into_iter();
    iter::once((NEW, NEW)).chain(others.filter(|_| long_run().is_some()))
}

async fn changes_sides(source: &KafkaCluster, destination: &KafkaCluster) {
    for mode in [Mode::Idempotent, transactions(SEED)] {
        let topic = unique("handed-over");
        new_topic(source, &topic, GROUPED, &[]).await;
        load(source, &topic, GROUPED, 5_000, mode).await;
        for partition in 0..5 {
            delete_before(source, &topic, partition, 17).await;
        }
        let link = preserving(source, destination, &topic);
        let run = copied(&link).await;
        let (from, to) = (committed(source, &topic), committed(destination, &topic));
        equal_with_offsets(&from, &to, &run.to_string()).await;
        let marks = judge::watermarks(&from).await.expect("readable");
        let mut random = Moments(SEED);
        let mut read = 0;
        for round in 0..ROUNDS {
            let offset = |marks: &judge::Watermarks, random: &mut Moments| {
                let span = u64::try_from(marks.end - marks.start).expect("in order") + 1;
                let ahead = random.next(0, span).as_millis();
                marks.start + i64::try_from(ahead).expect("few")
            };
            let offsets: BTreeMap<i32, i64> = marks
                .iter()
                .map(|(partition, marks)| (*partition, offset(marks, &mut random)))
                .collect();
            let group = format!("{topic}-{round}");
            let (there, here) = tokio::join!(
                judge::read_the_rest(&from, &group, offsets.clone(), COPIED),
                judge::read_the_rest(&to, &group, offsets.clone(), COPIED)
            );
            let (there, here) = (there.expect("readable"), here.expect("readable"));
            assert_eq!(there, here, "from {offsets:?}, seed {SEED}");
            read += here.values().map(Vec::len).sum::<usize>();
        }
        println!(
            "{} → {}: {} offsets, {read} records, seed {SEED}",
            source.version(),
            destination.version(),
            ROUNDS * u64::from(GROUPED.unsigned_abs())
        );
        assert!(read > 1_000, "{read}");
    }
}

/// Writes the same large batch again and again.
async fn fill_up_to(cluster: &KafkaCluster, topic: &str, offset: i64) -> i64 {
    let tiny = |_| GeneratedRecord {
        partition: 0,
        timestamp: 1_735_689_600_000,
        key: None,
        value: None,
        headers: Vec::new(),
    };
    Load::new(cluster.bootstrap(), topic)
        .codec(Codec::Zstd)
        .mode(Mode::Plain)
        .setting("linger.ms", "3000")
        .setting("batch.num.messages", "50000")
        .setting("batch.size", "10000000")
        .send((0..50_000).map(tiny).collect::<Vec<_>>())
        .await
        .expect("acknowledged");
    let bytes = raw::raw_fetch_all(&cluster.bootstrap(), topic, 0)
        .await
        .expect("a fetch");
    let largest = raw::whole_batches(&bytes)
        .into_iter()
        .max_by_key(|batch| count(batch));
    let mut batch = largest.expect("there is one").to_vec();
    batch[..8].copy_from_slice(&0_i64.to_be_bytes());
    let mut end = 0;
    while end < offset {
        let base = raw::raw_produce(&cluster.bootstrap(), topic, 0, &batch).await;
        end = base.expect("taken") + i64::from(count(&batch));
    }
    end
}

/// The number of records in a batch.
fn count(batch: &[u8]) -> i32 {
    i32::from_be_bytes(batch[57..61].try_into().expect("inside the header"))
}

#[tokio::test]
async fn a_topic_at_offset_one_hundred_million_keeps_its_offsets() {
    for (from, to) in usual_or_all_pairs() {
        let (source, destination) = pair(from, to).await;
        far(source, destination).await;
    }
}

async fn far(source: &KafkaCluster, destination: &KafkaCluster) {
    let topic = unique("far");
    new_topic(source, &topic, 1, &[]).await;
    let far = fill_up_to(source, &topic, 100_000_000).await;
    delete_before(source, &topic, 0, far).await;
    load(source, &topic, 1, 500, Mode::Idempotent).await;
    let link = preserving(source, destination, &topic);
    let run = copied(&link).await;
    let (from, to) = (committed(source, &topic), committed(destination, &topic));
    let records = equal_with_offsets(&from, &to, &run.to_string()).await;
    println!("{records} records behind offset {far}\n{run}");
    assert_eq!(records, 500);
    is_proved((source, destination), &topic, &link).await;
    groups_change_sides(&topic, (&from, &to), <[ReadRecord]>::to_vec).await;
}
