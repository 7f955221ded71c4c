//! `tributary verify` proves copies that are right, and finds and names everything that is planted in others.

use serde_json::Value;
use test_support::eventually::eventually;
use test_support::judge;
use test_support::kafka_cluster::KafkaCluster;
use test_support::tools::{DELETE_RECORDS, KafkaTools};
use test_support::workload::{Codec, GeneratedRecord, Generator, Load, Mode, Shape};

use crate::support::{
    COPIED, NEW, OLD, Replicate, Run, bootstrap, committed, new_topic, pair, program, shaken,
    stored, transactions, unique,
};

const SEED: u64 = 14_001;

/// Runs the command and reads its document.
async fn verify(
    source: &KafkaCluster,
    destination: &KafkaCluster,
    topics: &str,
    more: &[&str],
) -> (Run, Value) {
    let (from, to) = (bootstrap(source), bootstrap(destination));
    let mut arguments = ["verify", "--from", &from, "--to", &to, "--topics", topics]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(["-o", "json", "--progress", "off"].map(str::to_owned));
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    let run = Run::to_end(&program(&arguments)).await;
    let document = serde_json::from_str(&run.output).unwrap_or_else(|_| panic!("{run}"));
    (run, document)
}

/// Whether the command proves a link's copy, record by record and at equal offsets.
pub(crate) async fn is_proved(
    (source, destination): (&KafkaCluster, &KafkaCluster),
    topic: &str,
    link: &Replicate,
) {
    let more = ["--name", &link.name(), "--level", "checksum"];
    let (run, document) = verify(source, destination, topic, &more).await;
    let run = run.ended_with(0).quiet();
    assert_eq!(document["result"], "equal", "{run}");
    assert_eq!(document["coverage_percent"], 100.0, "{run}");
}

/// What is said about a topic's partition 0.
fn of<'a>(document: &'a Value, topic: &str) -> &'a Value {
    let partitions = document["partitions"].as_array().expect("a list");
    let found = partitions
        .iter()
        .find(|p| p["topic"] == topic && p["partition"] == 0);
    found.unwrap_or_else(|| panic!("{topic} in {document}"))
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Records for partition 0.
fn records(seed: u64, count: usize) -> Vec<GeneratedRecord> {
    Generator::new(Shape::mixed(seed, 1).largest_value(500))
        .take(count)
        .collect()
}

async fn load(cluster: &KafkaCluster, topic: &str, codec: Codec, records: Vec<GeneratedRecord>) {
    let load = Load::new(cluster.bootstrap(), topic)
        .codec(codec)
        .mode(Mode::Idempotent);
    load.send(records).await.expect("all are acknowledged");
}

#[tokio::test]
async fn equal_copies_of_every_codec_plain_and_in_transactions_are_proved_at_every_level() {
    for (from, to) in [(OLD, NEW), (NEW, OLD)] {
        let (source, destination) = pair(from, to).await;
        let prefix = unique("verify-equal");
        for codec in Codec::ALL {
            for (kind, mode) in [
                ("plain", Mode::Plain),
                ("transactional", transactions(SEED)),
            ] {
                let topic = format!("{prefix}.{codec}.{kind}");
                new_topic(source, &topic, 2, &[]).await;
                let records = Generator::new(Shape::mixed(SEED, 2).largest_value(5_000)).take(600);
                let load = Load::new(source.bootstrap(), &topic)
                    .codec(codec)
                    .mode(mode);
                load.send(records).await.expect("acknowledged");
            }
        }
        let topics = format!("{prefix}\\..*");
        let name = unique("verified");
        let link = Replicate::new(source, destination, &topics).named(&name);
        link.until_caught_up().await.ended_with(0);
        let levels = if from == OLD {
            &["checksum"][..]
        } else {
            &["counts", "offsets", "checksum"]
        };
        for level in levels {
            let (run, document) = verify(
                source,
                destination,
                &topics,
                &["--name", &name, "--level", level],
            )
            .await;
            let run = run.ended_with(0).quiet();
            assert_eq!(document["result"], "equal", "{run}");
            assert_eq!(document["coverage_percent"], 100.0, "{run}");
            assert!(
                number(&document["explained"]["aborted-at-source"]) > 50,
                "{run}"
            );
            assert!(
                number(&document["explained"]["control-at-source"]) > 50,
                "{run}"
            );
            let partitions = document["partitions"].as_array().expect("a list");
            assert_eq!(partitions.len(), 20);
            let equal: u64 = partitions.iter().map(|p| number(&p["equal"])).sum();
            let mut there = 0;
            for codec in Codec::ALL {
                for kind in ["plain", "transactional"] {
                    let topic = format!("{prefix}.{codec}.{kind}");
                    let read = judge::read_all(&committed(source, &topic), COPIED).await;
                    there += read
                        .expect("readable")
                        .values()
                        .map(Vec::len)
                        .sum::<usize>() as u64;
                }
            }
            assert_eq!(equal, there, "librdkafka counts the same: {run}");
            for partition in partitions {
                assert_eq!(
                    partition["source_hash"], partition["destination_hash"],
                    "{run}"
                );
                assert_eq!(partition["by"], "offset", "{run}");
            }
        }
        // Nothing is stored under another name: contents have to do.
        let other = ["--name", "nobody", "--level", "checksum"];
        let (run, document) = verify(source, destination, &topics, &other).await;
        let run = run.ended_with(0);
        assert_eq!(document["result"], "equal", "{run}");
    }
}

/// What is done to the copy of 400 records, and what has to be found.
const PLANTS: [(&str, &str); 7] = [
    ("missing", "missing"),
    ("last", "missing"),
    ("doubled", "duplicate"),
    ("value", "altered"),
    ("headers", "altered"),
    ("timestamp", "altered"),
    ("swapped", "order"),
];
/// Where.
const AT: usize = 217;

fn plant(plant: &str, mut records: Vec<GeneratedRecord>) -> Vec<GeneratedRecord> {
    match plant {
        "missing" => drop(records.remove(AT)),
        "last" => drop(records.pop()),
        "doubled" => records.insert(AT, records[AT].clone()),
        "value" => records[AT].value = Some(b"something else".to_vec()),
        "headers" => records[AT].headers.reverse(),
        "timestamp" => records[AT].timestamp += 1,
        "swapped" => records.swap(AT, AT + 1),
        other => panic!("{other}"),
    }
    records
}

#[tokio::test]
async fn each_planted_difference_is_found_and_rightly_named() {
    let (source, destination) = pair(NEW, OLD).await;
    for codec in [Codec::None, Codec::Zstd] {
        let prefix = unique("verify-planted");
        for (kind, _) in PLANTS {
            let topic = format!("{prefix}.{kind}");
            let mut original = records(SEED, 400);
            original[AT].headers = vec![
                ("first".to_owned(), Some(b"1".to_vec())),
                ("second".to_owned(), None),
            ];
            new_topic(source, &topic, 1, &[]).await;
            new_topic(destination, &topic, 1, &[]).await;
            load(source, &topic, codec, original.clone()).await;
            load(destination, &topic, codec, plant(kind, original)).await;
        }
        let topics = format!("{prefix}\\..*");
        let (run, document) = verify(source, destination, &topics, &["--name", "nobody"]).await;
        let run = run.ended_with(3);
        assert_eq!(document["result"], "different", "{run}");
        for (kind, name) in PLANTS {
            let found = of(&document, &format!("{prefix}.{kind}"));
            let differences = found["differences"].as_object().expect("an object");
            let count = if kind == "swapped" { 2 } else { 1 };
            assert_eq!(differences.len(), 1, "{kind}: {differences:?}");
            assert_eq!(differences[name], count, "{kind}: {differences:?}");
            let first = &found["listed"][0];
            let place = match kind {
                "last" => 399,
                "doubled" => AT as u64 + 1,
                _ => AT as u64,
            };
            let side = if kind == "doubled" {
                "destination_offset"
            } else {
                "source_offset"
            };
            assert_eq!(first[side], place, "{kind}: {first}");
            let part = match kind {
                "value" => "value",
                "headers" => "header order",
                "timestamp" => "timestamp",
                _ => "",
            };
            assert!(
                part.is_empty() || first["parts"][0] == part,
                "{kind}: {first}"
            );
            let shown = first["records"].as_array().expect("records around it");
            assert!(shown.len() >= 2, "{kind}: {first}");
        }
        let options = ["--name", "nobody", "--fail-on", "order"];
        let swapped = format!("{prefix}\\.(value|headers)");
        verify(source, destination, &swapped, &options)
            .await
            .0
            .ended_with(0);
        println!("  {codec}: all of {} found, seed {SEED}", PLANTS.len());
    }
}

#[tokio::test]
async fn what_somebody_else_writes_into_a_copy_is_foreign() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("verify-foreign");
    new_topic(source, &topic, 1, &[]).await;
    load(source, &topic, Codec::Lz4, records(SEED, 300)).await;
    let name = unique("verified");
    let link = Replicate::new(source, destination, &topic).named(&name);
    link.until_caught_up().await.ended_with(0);
    load(destination, &topic, Codec::Lz4, records(SEED + 1, 3)).await;
    load(source, &topic, Codec::Lz4, records(SEED + 2, 300)).await;
    link.until_caught_up().await.ended_with(0);
    let (run, document) = verify(source, destination, &topic, &["--name", &name]).await;
    let run = run.ended_with(3);
    let found = of(&document, &topic);
    assert_eq!(
        found["differences"],
        serde_json::json!({"foreign": 3}),
        "{run}"
    );
    assert_eq!(number(&found["equal"]), 600, "{run}");
    let places: Vec<u64> = found["listed"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| number(&one["destination_offset"]))
        .collect();
    assert_eq!(places, [300, 301, 302], "{run}");
}

#[tokio::test]
async fn a_lost_beginning_of_either_side_is_explained_and_shows_in_the_coverage() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("verify-retention");
    let topics = format!("{prefix}\\..*");
    for topic in ["source", "destination"] {
        let topic = format!("{prefix}.{topic}");
        new_topic(source, &topic, 1, &[]).await;
        let load = Load::new(source.bootstrap(), &topic).mode(transactions(SEED));
        load.send(records(SEED, 600)).await.expect("acknowledged");
    }
    let name = unique("verified");
    let link = Replicate::new(source, destination, &topics).named(&name);
    link.until_caught_up().await.ended_with(0);
    delete_records(source, &format!("{prefix}.source"), 222).await;
    delete_records(destination, &format!("{prefix}.destination"), 111).await;
    let (run, document) = verify(source, destination, &topics, &["--name", &name]).await;
    let run = run.ended_with(0);
    let found = of(&document, &format!("{prefix}.source"));
    assert!(
        number(&found["explained"]["retention-at-source"]) > 50,
        "{run}"
    );
    assert_eq!(found["coverage_percent"], 100.0, "{run}");
    let found = of(&document, &format!("{prefix}.destination"));
    assert!(
        number(&found["explained"]["retention-at-destination"]) > 50,
        "{run}"
    );
    assert!(found["coverage_percent"].as_f64() < Some(90.0), "{run}");
    let demanding = ["--name", &name, "--min-coverage", "95"];
    verify(source, destination, &topics, &demanding)
        .await
        .0
        .ended_with(3);
    // Without a map the times of the first records tell where to begin.
    let (run, document) = verify(source, destination, &topics, &["--name", "nobody"]).await;
    let run = run.ended_with(0);
    assert_eq!(document["result"], "equal", "{run}");
}

/// Deletes records of the first partition in front of an offset.
pub(crate) async fn delete_records(cluster: &KafkaCluster, topic: &str, before: i64) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("offsets.json");
    let partition = serde_json::json!({"topic": topic, "partition": 0, "offset": before});
    let text = serde_json::json!({"partitions": [partition], "version": 1}).to_string();
    std::fs::write(&file, text).expect("written");
    let tools = KafkaTools::for_version(cluster.version()).expect("fetched");
    let (bootstrap, file) = (cluster.bootstrap(), file.display().to_string());
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--offset-json-file",
        &file,
    ];
    tools
        .run(DELETE_RECORDS, &arguments)
        .await
        .expect("deleted");
}

/// Records of a few keys, one of which occurs once.
fn keyed(count: i64) -> Vec<GeneratedRecord> {
    let key = |n: i64| {
        if n == 150 {
            "once".to_owned()
        } else {
            format!("key {}", n * n % 37)
        }
    };
    let record = |n: i64| GeneratedRecord {
        partition: 0,
        timestamp: 1_735_689_600_000 + n,
        key: Some(key(n).into_bytes()),
        value: Some(format!("{n:08} {}", "some text ".repeat(10)).into_bytes()),
        headers: Vec::new(),
    };
    (0..count).map(record).collect()
}

#[tokio::test]
async fn what_the_cleaner_of_either_side_removed_is_explained_and_nothing_else() {
    let guard = shaken().await;
    let clusters = guard.as_ref().expect("started");
    let (source, destination) = (&clusters.source, &clusters.destination);
    let prefix = unique("verify-compacted");
    let topics = format!("{prefix}\\..*");
    let cleaned = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "1000"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    let kept = [
        ("cleanup.policy", "compact"),
        ("min.cleanable.dirty.ratio", "0.99"),
    ];
    for (topic, here, there) in [
        ("source", &cleaned[..], &kept[..]),
        ("destination", &kept[..], &cleaned[..]),
    ] {
        let topic = format!("{prefix}.{topic}");
        new_topic(source, &topic, 1, here).await;
        new_topic(destination, &topic, 1, there).await;
        load(source, &topic, Codec::Zstd, keyed(600)).await;
    }
    let name = unique("verified");
    let link = Replicate::new(source, destination, &topics)
        .named(&name)
        .with(&["--set", "topic.config.sync=false"]);
    link.until_caught_up().await.ended_with(0);
    for (place, topic) in [
        (committed(source, &format!("{prefix}.source")), "source"),
        (
            stored(destination, &format!("{prefix}.destination")),
            "destination",
        ),
    ] {
        let topic = format!("{prefix}.{topic}");
        let mut later = keyed(1);
        eventually("the cleaner has worked", COPIED, async || {
            // A segment is closed by the first record behind its time, by the records' own times.
            later[0].timestamp += 3_600_000;
            load(source, &topic, Codec::None, later.clone()).await;
            link.until_caught_up().await.ended_with(0);
            let read = judge::read_all(&place, COPIED)
                .await
                .map_err(|error| error.to_string())?;
            let left = read[&0].len();
            if left < 400 {
                Ok(left)
            } else {
                Err(left.to_string())
            }
        })
        .await
        .expect("it does");
    }
    let (run, document) = verify(source, destination, &topics, &["--name", &name]).await;
    let run = run.ended_with(0);
    for side in ["source", "destination"] {
        let found = of(&document, &format!("{prefix}.{side}"));
        let explained = number(&found["explained"][format!("compacted-at-{side}")]);
        println!(
            "  {side}: {explained} records compacted, {} equal",
            found["equal"]
        );
        assert!(explained > 200, "{run}");
    }
    // Two copies by hand: one lacks what a cleaner may remove, the other what it may not.
    for (kind, gone) in [("allowed", 10), ("wrong", 150)] {
        let topic = format!("{prefix}-{kind}");
        new_topic(source, &topic, 1, &kept).await;
        new_topic(destination, &topic, 1, &kept).await;
        load(source, &topic, Codec::Zstd, keyed(300)).await;
        let mut copy = keyed(300);
        copy.remove(gone);
        load(destination, &topic, Codec::Zstd, copy).await;
        let (run, document) = verify(source, destination, &topic, &["--name", "nobody"]).await;
        let run = run.ended_with(if kind == "allowed" { 0 } else { 3 });
        let missing = number(&of(&document, &topic)["differences"]["missing"]);
        assert_eq!(missing, u64::from(kind == "wrong"), "{run}");
    }
}

#[tokio::test]
async fn topics_merged_into_one_are_told_apart() {
    let (source, destination) = pair(NEW, NEW).await;
    let prefix = unique("verify-merged");
    let topics = format!("{prefix}\\..*");
    for (number, topic) in ["one", "two"].into_iter().enumerate() {
        let topic = format!("{prefix}.{topic}");
        new_topic(source, &topic, 1, &[]).await;
        load(
            source,
            &topic,
            Codec::None,
            records(SEED + number as u64, 500),
        )
        .await;
    }
    let merged = format!("{prefix}-all");
    let name = unique("verified");
    let link = Replicate::new(source, destination, &topics)
        .named(&name)
        .with(&["--rename", &merged]);
    link.until_caught_up().await.ended_with(0);
    let options = ["--name", &name, "--rename", &merged];
    let (run, document) = verify(source, destination, &topics, &options).await;
    let run = run.ended_with(0);
    for topic in ["one", "two"] {
        let found = of(&document, &format!("{prefix}.{topic}"));
        assert_eq!(number(&found["equal"]), 500, "{run}");
    }
    // A part of it, and the last hour: nothing of this is from then.
    let ranged = [
        "--name",
        &name,
        "--rename",
        &merged,
        "--from-offset",
        "100",
        "--to-offset",
        "200",
    ];
    let (run, document) = verify(source, destination, &topics, &ranged).await;
    assert_eq!(
        number(&of(&document, &format!("{prefix}.one"))["equal"]),
        100,
        "{run}"
    );
    run.ended_with(0);
    let sampled = ["--name", &name, "--rename", &merged, "--sample", "10"];
    verify(source, destination, &topics, &sampled)
        .await
        .0
        .ended_with(0);
    let last = ["--name", &name, "--rename", &merged, "--last", "1h"];
    let (run, document) = verify(source, destination, &topics, &last).await;
    assert_eq!(
        number(&of(&document, &format!("{prefix}.one"))["equal"]),
        0,
        "{run}"
    );
    run.ended_with(0);
}

#[tokio::test]
async fn a_topic_without_a_copy_is_missing_and_an_unreachable_side_is_an_error() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("verify-alone");
    new_topic(source, &topic, 1, &[]).await;
    load(source, &topic, Codec::None, records(SEED, 10)).await;
    // Without records nothing is missing, and still there is no copy.
    let empty = format!("{topic}-empty");
    new_topic(source, &empty, 1, &[]).await;
    let both = format!("{topic}.*");
    let (run, document) = verify(source, destination, &both, &["--name", "nobody"]).await;
    let run = run.ended_with(3);
    for (name, missing) in [(&topic, 10), (&empty, 0)] {
        let found = of(&document, name);
        assert_eq!(found["result"], "different", "{run}");
        assert_eq!(number(&found["differences"]["missing"]), missing, "{run}");
        assert_eq!(number(&found["differences"]["no-copy"]), 1, "{run}");
    }
    let (from, to) = (bootstrap(source), "127.0.0.1:1");
    let nobody = [
        "verify", "--from", &from, "--to", to, "--topics", &topic, "--name", "x",
    ];
    let nobody = Run::to_end(&program(&nobody.map(str::to_owned)))
        .await
        .ended_with(1);
    assert!(nobody.error.contains("error: destination"), "{nobody}");
    let no_topics = ["verify", "--from", &from, "--to", to];
    Run::to_end(&program(&no_topics.map(str::to_owned)))
        .await
        .ended_with(2);
    let table = [
        "verify",
        "--from",
        &from,
        "--to",
        &bootstrap(destination),
        "--topics",
        &topic,
    ];
    let table = Run::to_end(&program(&table.map(str::to_owned)))
        .await
        .ended_with(3);
    assert!(table.output.contains("DIFFERENT"), "{table}");
    assert!(
        table
            .output
            .lines()
            .take_while(|l| !l.contains("EXPLAINED"))
            .all(|l| l.chars().count() <= 130),
        "{table}"
    );
}
