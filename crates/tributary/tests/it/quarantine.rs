//! Records that the destination refuses are set aside whole, and can be copied from there when it takes them.

use test_support::judge::{self, ReadRecord, Topic};
use test_support::kafka_cluster::KafkaCluster;
use test_support::tools::{CONFIG_COMMAND, KafkaTools};
use test_support::workload::{Codec, GeneratedRecord, Load};

use crate::support::{
    COPIED, MAPPED, NEW, OLD, Replicate, committed, new_topic, pair, stored, unique,
    wait_for_offsets,
};

const TIME: i64 = 1_735_689_600_000;

/// What is refused is set aside, and the destination keeps the settings that refuse it.
const SET_ASIDE: [&str; 4] = [
    "--set",
    "topic.config.sync=false",
    "--set",
    "tributary.on.refused=quarantine",
];

fn record(key: Option<&str>, value: Vec<u8>, timestamp: i64) -> GeneratedRecord {
    GeneratedRecord {
        partition: 1,
        timestamp,
        key: key.map(|key| key.as_bytes().to_vec()),
        value: Some(value),
        headers: vec![("own".to_owned(), None)],
    }
}

async fn read(cluster: &KafkaCluster, topic: &str) -> Topic {
    judge::read_all(&stored(cluster, topic), COPIED)
        .await
        .expect("readable")
}

/// A record without its place, and without headers of the quarantine.
fn content(record: &ReadRecord) -> ReadRecord {
    let mut record = record.clone();
    record.offset = 0;
    record
        .headers
        .retain(|(key, _)| !key.starts_with("tributary-quarantine"));
    record
}

fn header(record: &ReadRecord, name: &str) -> String {
    let name = format!("tributary-quarantine.{name}");
    let (_, value) = record
        .headers
        .iter()
        .find(|(key, _)| *key == name)
        .unwrap_or_else(|| panic!("{name} in {:?}", record.headers));
    String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned()
}

async fn set(cluster: &KafkaCluster, topic: &str, settings: &str) {
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let bootstrap = cluster.bootstrap();
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--alter",
        "--entity-type",
        "topics",
    ];
    let more = ["--entity-name", topic, "--add-config", settings];
    kafka
        .run(CONFIG_COMMAND, &[&arguments[..], &more[..]].concat())
        .await
        .expect("it is set");
}

/// Three batches with a record that has no key and one of another time, and three records that are too large.
async fn load(source: &KafkaCluster, topic: &str) {
    let in_2100 = 4_102_444_800_000;
    for round in 0..3 {
        let text = |name: &str| format!("{name} {round}").into_bytes();
        let late = record(
            Some(&format!("late{round}")),
            text("another time"),
            in_2100 + round,
        );
        let batch = vec![
            record(Some("a"), text("first"), TIME + round),
            record(None, text("no key"), TIME + round),
            record(Some(&format!("b{round}")), text("between"), TIME + round),
            late,
            record(Some(&format!("c{round}")), text("last"), TIME + round),
        ];
        let large = record(
            Some(&format!("large{round}")),
            vec![b'x'; 9_000],
            TIME + round,
        );
        for (records, codec) in [(batch, Codec::Zstd), (vec![large], Codec::None)] {
            Load::new(source.bootstrap(), topic)
                .codec(codec)
                .send(records)
                .await
                .expect("acknowledged");
        }
    }
}

fn is_refused(record: &&ReadRecord) -> bool {
    let key = record.key.as_deref().map(String::from_utf8_lossy);
    key.is_none_or(|key| key.starts_with("late") || key.starts_with("large"))
}

/// The settings of a link that copies what is in a quarantine for a topic, as the documentation has them.
fn replaying(topic: &str) -> Vec<String> {
    let to = format!("tributary-quarantine.to.{topic}");
    let ours = ["link", "source", "destination", "reason"];
    let ours = ours.map(|name| format!("tributary-quarantine.{name}"));
    vec![
        "topic.auto.create=false".to_owned(),
        "topic.config.sync=false".to_owned(),
        "transforms=others,clean".to_owned(),
        "transforms.others.type=Filter".to_owned(),
        "transforms.others.predicate=mine".to_owned(),
        "transforms.others.negate=true".to_owned(),
        "transforms.clean.type=DropHeaders".to_owned(),
        format!("transforms.clean.headers={to},{}", ours.join(",")),
        "predicates=mine".to_owned(),
        "predicates.mine.type=HasHeaderKey".to_owned(),
        format!("predicates.mine.name={to}"),
    ]
}

/// Checks what is in the quarantine, and returns how many records that are.
fn quarantined(aside: &[ReadRecord], refused: &[ReadRecord], (link, topic): (&str, &str)) -> usize {
    let mut contents: Vec<ReadRecord> = aside.iter().map(content).collect();
    contents.dedup();
    assert_eq!(contents.len(), refused.len());
    for record in refused {
        assert!(contents.contains(record), "{record:?}");
    }
    for record in aside {
        assert_eq!(header(record, "link"), link);
        assert_eq!(header(record, "destination"), format!("{topic}-1"));
        let source = header(record, "source");
        assert!(source.starts_with(&format!("{topic}-1@")), "{source}");
        assert!(!header(record, "reason").is_empty());
    }
    aside.len()
}

async fn refused_records_are_set_aside(source: &KafkaCluster, destination: &KafkaCluster) {
    let topic = unique("refusing");
    let any_time = ("message.timestamp.after.max.ms", "9223372036854775807");
    new_topic(source, &topic, 2, &[any_time]).await;
    let settings = [
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "4000"),
        ("message.timestamp.after.max.ms", "3600000"),
    ];
    new_topic(destination, &topic, 2, &settings).await;
    load(source, &topic).await;

    let link = unique("link");
    // Where offsets are preserved, copies of the next record take the place of those that are left out.
    let copies = Replicate::new(source, destination, &topic)
        .with(&SET_ASIDE)
        .with(&MAPPED)
        .named(&link);
    let run = copies.until_caught_up().await.ended_with(0);
    let there = judge::read_all(&committed(source, &topic), COPIED)
        .await
        .expect("readable");
    let taken: Vec<ReadRecord> = there[&1]
        .iter()
        .filter(|r| !is_refused(r))
        .map(content)
        .collect();
    let refused: Vec<ReadRecord> = there[&1].iter().filter(is_refused).map(content).collect();
    assert_eq!((taken.len(), refused.len()), (9, 9));
    let here = read(destination, &topic).await;
    assert_eq!(
        here[&1].iter().map(content).collect::<Vec<_>>(),
        taken,
        "{run}"
    );
    let quarantine = format!("{link}.quarantine");
    let aside = read(destination, &quarantine).await;
    assert!(aside[&0].is_empty(), "{run}");
    let count = quarantined(&aside[&1], &refused, (&link, &topic));
    assert!(run.output.contains("9 records were set aside"), "{run}");
    // A second run finds nothing to do.
    copies.until_caught_up().await.ended_with(0);
    assert_eq!(read(destination, &quarantine).await[&1].len(), count);

    // What made the destination refuse them is repaired, and they are copied from the quarantine.
    let bounds = "message.timestamp.after.max.ms=9223372036854775807";
    let repaired = format!("cleanup.policy=delete,max.message.bytes=1048576,{bounds}");
    set(destination, &topic, &repaired).await;
    replayed(destination, (&quarantine, &topic), &refused, count).await;
}

/// Copies what is in the quarantine, and finds it where it belongs.
async fn replayed(
    cluster: &KafkaCluster,
    (quarantine, topic): (&str, &str),
    refused: &[ReadRecord],
    count: usize,
) {
    let settings = replaying(topic);
    let set: Vec<&str> = settings
        .iter()
        .flat_map(|text| ["--set", text.as_str()])
        .collect();
    let replay = Replicate::new(cluster, cluster, quarantine);
    let replay = replay.with(&["--rename", topic]).with(&set);
    let run = replay.until_caught_up().await.ended_with(0);
    let here = read(cluster, topic).await;
    assert_eq!(here[&1].len(), 9 + count, "{run}");
    let back: Vec<ReadRecord> = here[&1][9..].iter().map(content).collect();
    for record in refused {
        assert!(back.contains(record), "{record:?}\n{run}");
    }
    let mut left = here[&1].iter().flat_map(|record| &record.headers);
    assert!(
        left.all(|(key, _)| key == "own"),
        "nothing of ours is left: {run}"
    );
}

#[tokio::test]
async fn refused_records_are_set_aside_and_can_be_copied_from_there() {
    let (source, destination) = pair(NEW, NEW).await;
    refused_records_are_set_aside(source, destination).await;
}

#[tokio::test]
async fn refused_records_are_set_aside_also_at_an_older_cluster() {
    let (source, destination) = pair(NEW, OLD).await;
    refused_records_are_set_aside(source, destination).await;
}

#[tokio::test]
async fn after_kills_every_record_is_at_the_destination_or_in_the_quarantine() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("refusing-kills");
    new_topic(source, &topic, 2, &[]).await;
    new_topic(destination, &topic, 2, &[("cleanup.policy", "compact")]).await;
    for round in 0..15 {
        let batch = (0..10).map(|n| {
            let text = format!("{round} {n}");
            let key = (n != round % 10).then_some(text.as_str());
            record(key, text.clone().into_bytes(), TIME + round)
        });
        Load::new(source.bootstrap(), &topic)
            .codec(Codec::Lz4)
            .send(batch.collect::<Vec<_>>())
            .await
            .expect("acknowledged");
    }
    let link = unique("link");
    let copies = Replicate::new(source, destination, &topic)
        .with(&SET_ASIDE)
        .named(&link);
    for stage in 1..3 {
        let process = copies.start();
        wait_for_offsets(&stored(destination, &topic), stage * 40).await;
        process.kill9();
    }
    let run = copies.until_caught_up().await.ended_with(0);
    let there = judge::read_all(&committed(source, &topic), COPIED)
        .await
        .expect("readable");
    let here = read(destination, &topic).await;
    let aside = read(destination, &format!("{link}.quarantine")).await;
    let found: Vec<ReadRecord> = here[&1].iter().chain(&aside[&1]).map(content).collect();
    for record in &there[&1] {
        let keyed = record.key.is_some();
        assert!(found.contains(&content(record)), "{record:?}\n{run}");
        assert_eq!(
            here[&1].iter().any(|copy| copy.value == record.value),
            keyed,
            "{run}"
        );
    }
    let text = format!(
        "{} at the destination, {} set aside",
        here[&1].len(),
        aside[&1].len()
    );
    println!("{text}");
}
