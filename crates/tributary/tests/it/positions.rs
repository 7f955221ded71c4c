//! Positions: stored in Connect's form, exact, and enough to go on without reading anything twice.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use test_support::judge::{self, ReadRecord};
use test_support::kafka_cluster::KafkaCluster;
use test_support::tools::{self, KafkaTools};
use test_support::workload::{Codec, Generator, Load, Mode, Shape};
use tokio::time::Instant;

use crate::support::{
    COPIED, MAPPED, NEW, OLD, Replicate, Run, committed, compared, new_topic, pair, program,
    stored, transactions, unique, wait_for_offsets,
};

const SEED: u64 = 875;
/// A stop that was asked for ends within this.
const STOP: Duration = Duration::from_secs(5);

/// Everything stored about the partitions of one topic of a link.
#[derive(Debug, Default)]
struct Stored {
    positions: BTreeMap<i32, Value>,
    /// By partition and segment number.
    runs: BTreeMap<(i32, u64), Vec<[i64; 3]>>,
}

impl Stored {
    /// Adds a record of the offsets topic, or a member of the file, if it is about the link's topic.
    fn add(&mut self, link: &str, topic: &str, key: &str, value: &Value) {
        let parts: Value = serde_json::from_str(key).expect("a key is JSON");
        if parts[0] != link || parts[1]["topic"] != topic {
            return;
        }
        let partition =
            i32::try_from(parts[1]["partition"].as_i64().expect("a number")).expect("small");
        // Connect finds a position by the bytes of its key.
        let plain = format!("[\"{link}\",{{\"topic\":\"{topic}\",\"partition\":{partition}}}]");
        match parts[1].get("runs") {
            None => {
                assert_eq!(key, plain);
                self.positions.insert(partition, value.clone());
            }
            Some(number) => {
                let runs: Vec<[i64; 3]> =
                    serde_json::from_value(value["runs"].clone()).expect("triples");
                let number = number.as_u64().expect("a number");
                self.runs.insert((partition, number), runs);
            }
        }
    }

    /// From the offsets topic, where the last record of a key counts.
    async fn in_topic(cluster: &KafkaCluster, link: &str, topic: &str) -> Self {
        let place = committed(cluster, &format!("tributary.{link}.offsets.internal"));
        let mut stored = Self::default();
        let records = judge::read_all(&place, COPIED).await.expect("readable");
        for record in records.values().flatten() {
            let key = std::str::from_utf8(record.key.as_ref().expect("a key")).expect("text");
            let value = record.value.as_ref().expect("a value");
            let value = serde_json::from_slice(value).expect("a value is JSON");
            stored.add(link, topic, key, &value);
        }
        stored
    }

    fn in_file(path: &Path, link: &str, topic: &str) -> Self {
        let text = std::fs::read(path).expect("the file");
        let file: Value = serde_json::from_slice(&text).expect("JSON");
        let mut stored = Self::default();
        for (key, value) in file["offsets"].as_object().expect("an object") {
            stored.add(link, topic, key, value);
        }
        stored
    }

    /// Positions are at the ends of both sides.
    async fn are_at_the_ends(&self, source: &judge::Place, copy: &judge::Place) {
        let there = judge::watermarks(source).await.expect("an answer");
        let here = judge::watermarks(copy).await.expect("an answer");
        assert_eq!(
            self.positions.len(),
            there.len(),
            "every partition has a position: {self:?}"
        );
        for (partition, position) in &self.positions {
            assert_eq!(
                position["offset"], there[partition].end,
                "source, partition {partition}"
            );
            assert_eq!(
                position["destination.offset"], here[partition].end,
                "destination, partition {partition}"
            );
        }
    }

    /// Every record of the copy is in exactly one run, and each run leads from a record to the same record.
    async fn map_is_exact(&self, source: &judge::Place, copy: &judge::Place) -> usize {
        let there = judge::read_all(source, COPIED).await.expect("readable");
        let here = judge::read_all(copy, COPIED).await.expect("readable");
        let mut mapped = 0;
        for partition in here.keys() {
            let from = by_offset(&there[partition]);
            let to = by_offset(&here[partition]);
            let mut count = 0;
            let mut behind = (0, 0);
            for ((_, _), runs) in self.runs.range((*partition, 0)..=(*partition, u64::MAX)) {
                for [source, destination, length] in runs {
                    assert!(
                        *source >= behind.0 && *destination >= behind.1,
                        "runs rise: {runs:?}"
                    );
                    for step in 0..*length {
                        let (left, right) =
                            (from.get(&(source + step)), to.get(&(destination + step)));
                        assert!(
                            left.is_some(),
                            "source offset {} is a record",
                            source + step
                        );
                        assert_eq!(
                            left, right,
                            "partition {partition}, run {source}→{destination}, step {step}"
                        );
                        count += 1;
                    }
                    behind = (source + length, destination + length);
                    mapped += 1;
                }
            }
            assert_eq!(
                count,
                to.len(),
                "every record of partition {partition} is mapped"
            );
        }
        mapped
    }
}

/// Records by their offsets; the copies then compare as if they had none.
fn by_offset(records: &[ReadRecord]) -> BTreeMap<i64, ReadRecord> {
    records
        .iter()
        .map(|record| {
            let content = ReadRecord {
                offset: 0,
                ..record.clone()
            };
            (record.offset, content)
        })
        .collect()
}

/// The RECORDS column of the summary's line for a link with one topic, all of which is copied.
fn records_in_summary(run: &Run, link: &str) -> u64 {
    let line = run
        .output
        .lines()
        .find(|line| line.starts_with(link) && line.ends_with(" CURRENT"));
    let line = line.unwrap_or_else(|| panic!("{link} in the summary: {run}"));
    // From the end: STATE, LAG(REC), BYTES, RECORDS.
    let column = line.split_whitespace().rev().nth(3);
    let number = column.and_then(|column| column.parse().ok());
    number.unwrap_or_else(|| panic!("a number in: {line}"))
}

#[tokio::test]
async fn a_stop_under_load_is_quick_and_a_restart_reads_nothing_twice() {
    let (source, destination) = pair(NEW, NEW).await;
    let (topic, link) = (unique("stopped"), unique("stops"));
    new_topic(source, &topic, 6, &[]).await;
    let records = Generator::new(Shape::mixed(SEED, 6).largest_value(8 * 1024));
    let load = Load::new(source.bootstrap(), &topic)
        .codec(Codec::Lz4)
        .start(records, 800);
    let (from, to) = (committed(source, &topic), stored(destination, &topic));
    let command = Replicate::new(source, destination, &topic).named(&link);
    let mut before = 0;
    for stop in 1..=3 {
        let program = command.start();
        wait_for_offsets(&to, before + 500).await;
        let begin = Instant::now();
        program.terminate().expect("it runs");
        let run = Run::to_end(&program).await;
        let took = begin.elapsed();
        let run = run.ended_with(0).quiet();
        assert!(took <= STOP, "stop {stop} took {took:?}: {run}");
        before = crate::support::offsets(&to).await;
        let stored = Stored::in_topic(destination, &link, &topic).await;
        let here = judge::watermarks(&to).await.expect("an answer");
        for (partition, position) in &stored.positions {
            let end = here[partition].end;
            assert_eq!(
                position["destination.offset"], end,
                "stop {stop}: all of partition {partition} is stored"
            );
            // Nothing but data here, so both sides count alike.
            assert_eq!(
                position["offset"], end,
                "stop {stop}, partition {partition}"
            );
        }
        println!("stop {stop}: {took:?}, {before} records copied");
    }
    let produced = load.stop().await.expect("all are acknowledged");
    let run = command.until_caught_up().await.ended_with(0).quiet();
    let rest = records_in_summary(&run, &link);
    assert_eq!(
        i64::try_from(rest).expect("few") + before,
        i64::try_from(produced.records()).expect("few"),
        "{run}"
    );
    let verdict = compared(&from, &to).await;
    assert!(verdict.is_equal(), "seed {SEED}: {verdict}");
}

#[tokio::test]
async fn the_offset_map_leads_from_every_record_to_its_copy() {
    let (source, destination) = pair(NEW, NEW).await;
    let (topic, link) = (unique("mapped"), unique("maps"));
    new_topic(source, &topic, 2, &[]).await;
    // The copy does not begin at offset 0, so that equal offsets do not hide mistakes.
    new_topic(destination, &topic, 2, &[]).await;
    let send = async |cluster: &KafkaCluster, mode: Mode, seed: u64, count: usize| {
        let records = Generator::new(Shape::mixed(seed, 2).largest_value(2048)).take(count);
        let load = Load::new(cluster.bootstrap(), &topic)
            .codec(Codec::Gzip)
            .mode(mode);
        load.send(records).await.expect("acknowledged")
    };
    let short = Mode::Transactional {
        id: unique("short"),
        largest: 4,
        abort_percent: 30,
        seed: SEED,
    };
    // Enough transactions that a segment of the map (128 runs) is full.
    let first = send(source, short, SEED, 700).await;
    let command = Replicate::new(source, destination, &topic)
        .named(&link)
        .with(&MAPPED);
    command.until_caught_up().await.ended_with(0).quiet();
    let second = send(source, transactions(SEED), SEED + 1, 500).await;
    let third = send(source, Mode::Idempotent, SEED + 2, 100).await;
    command.until_caught_up().await.ended_with(0).quiet();

    let (from, to) = (committed(source, &topic), stored(destination, &topic));
    let verdict = compared(&from, &to).await;
    assert!(verdict.is_equal(), "seed {SEED}: {verdict}");
    assert_eq!(
        verdict.source,
        first.records() + second.records() + third.records()
    );
    let stored = Stored::in_topic(destination, &link, &topic).await;
    stored.are_at_the_ends(&from, &to).await;
    let runs = stored.map_is_exact(&from, &to).await;
    println!(
        "{} records, {runs} runs in {} segments",
        verdict.source,
        stored.runs.len()
    );
    assert!(
        stored.runs.len() > 2,
        "more than one segment in a partition: {runs} runs"
    );

    let kafka = KafkaTools::for_version(NEW).expect("jars");
    let bootstrap = destination.bootstrap();
    let offsets = format!("tributary.{link}.offsets.internal");
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--describe",
        "--topic",
        &offsets,
    ];
    let described = kafka
        .run(tools::TOPIC_COMMAND, &arguments)
        .await
        .expect("described")
        .output;
    assert!(described.contains("cleanup.policy=compact"), "{described}");
    assert!(described.contains("PartitionCount: 25"), "{described}");
}

#[tokio::test]
async fn one_process_merges_two_clusters_and_keeps_positions_in_a_file() {
    let (west, central) = pair(NEW, NEW).await;
    let (east, _) = pair(OLD, NEW).await;
    let topic = unique("merged");
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let file = folder.path().join("positions.json");
    let worker = format!(
        "bootstrap.servers={}\noffset.storage.file.filename={}\noffset.flush.interval.ms=1000\n",
        crate::support::bootstrap(central),
        file.display()
    );
    let mut arguments = vec!["standalone".to_owned(), write("worker.properties", &worker)];
    let regions = [("west", west), ("east", east)];
    for (name, cluster) in regions {
        new_topic(cluster, &topic, 2, &[]).await;
        let link = format!(
            "name={name}\nsrc.kafka.bootstrap.servers={}\ndest.kafka.bootstrap.servers={}\n\
             topic.regex={topic}\ntopic.rename.format={name}.${{topic}}\ntributary.offsets=map\n",
            crate::support::bootstrap(cluster),
            crate::support::bootstrap(central)
        );
        arguments.push(write(&format!("{name}.properties"), &link));
    }
    arguments.extend(["--until-caught-up", "--hold", "1s", "--progress", "off"].map(str::to_owned));

    let mut produced = BTreeMap::new();
    for round in 0..2_u64 {
        for (name, cluster) in regions {
            let producer = u32::try_from(name.len() + name.as_bytes()[0] as usize).expect("small");
            let shape = Shape::mixed(SEED + round, 2).producer(producer);
            let load = Load::new(cluster.bootstrap(), &topic)
                .codec(Codec::Zstd)
                .mode(transactions(SEED));
            let sent = load
                .send(Generator::new(shape).take(700))
                .await
                .expect("acknowledged");
            produced.insert((round, name), sent.records());
        }
        let run = Run::to_end(&program(&arguments))
            .await
            .ended_with(0)
            .quiet();
        for (name, cluster) in regions {
            let copy = format!("{name}.{topic}");
            assert_eq!(
                records_in_summary(&run, name),
                produced[&(round, name)],
                "{run}"
            );
            let (from, to) = (committed(cluster, &topic), stored(central, &copy));
            let verdict = compared(&from, &to).await;
            assert!(verdict.is_equal(), "{name}, seed {SEED}: {verdict}");
            let stored = Stored::in_file(&file, name, &topic);
            stored.are_at_the_ends(&from, &to).await;
            let runs = if round == 0 {
                stored.map_is_exact(&from, &to).await
            } else {
                0
            };
            println!(
                "round {round}, {name}: {} records there, {runs} runs",
                verdict.destination
            );
        }
    }
}

#[tokio::test]
async fn a_link_begins_at_the_time_or_the_offset_it_is_told_to() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("starts");
    new_topic(source, &topic, 2, &[]).await;
    // Batches of many records, so that both places lie inside of one.
    Load::new(source.bootstrap(), &topic)
        .codec(Codec::Lz4)
        .setting("linger.ms", "100")
        .send(Generator::new(Shape::uniform(SEED, 2, 100)).take(2_000))
        .await
        .expect("acknowledged");
    let there = judge::read_all(&committed(source, &topic), COPIED)
        .await
        .expect("readable");
    let time = there[&0][400].timestamp.expect("every record has one");
    let text = {
        let (seconds, millis) = (time / 1000, time % 1000);
        let output = std::process::Command::new("date")
            .args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%S"])
            .output()
            .expect("date formats it");
        let text = String::from_utf8(output.stdout).expect("text");
        format!("{}.{millis:03}Z", text.trim())
    };
    let at_time = |partition: i32| {
        let records = &there[&partition];
        let first = records
            .iter()
            .position(|record| record.timestamp >= Some(time))
            .expect("some are later");
        records[first..].to_vec()
    };
    let offset = 123;
    let starts = [
        (text.clone(), at_time(0), at_time(1)),
        (
            format!("{topic}:1={offset}"),
            there[&0].clone(),
            there[&1][offset..].to_vec(),
        ),
        (
            format!("latest,{topic}:0={offset}"),
            there[&0][offset..].to_vec(),
            Vec::new(),
        ),
    ];
    for (number, (start, first, second)) in starts.into_iter().enumerate() {
        let copy = format!("{topic}.copy-{number}");
        let run = Replicate::new(source, destination, &topic)
            .with(&["--start", &start, "--rename", &copy])
            .until_caught_up()
            .await
            .ended_with(0);
        let here = judge::read_all(&stored(destination, &copy), COPIED)
            .await
            .expect("readable");
        let expected = judge::Topic::from([(0, first), (1, second)]);
        let verdict = judge::compare(&expected, &here);
        assert!(verdict.is_equal(), "{start}, seed {SEED}: {verdict}\n{run}");
    }
    let beyond = Replicate::new(source, destination, &topic)
        .with(&["--start", &format!("{topic}:0=99999"), "--rename", "beyond"])
        .until_caught_up()
        .await
        .ended_with(3);
    let words = format!("{topic}-0 is to begin at offset 99999, but its log ends at");
    assert!(beyond.output.contains(&words), "{beyond}");
}
