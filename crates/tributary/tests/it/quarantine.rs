//! Records that the destination refuses are set aside whole, and can be copied from there when it takes them.

use test_support::judge::{self, ReadRecord, Topic};
use test_support::kafka_cluster::KafkaCluster;
use test_support::tools::{CONFIG_COMMAND, KafkaTools};
use test_support::workload::{Codec, GeneratedRecord, Load};

use crate::support::{COPIED, NEW, OLD, Replicate, committed, new_topic, pair, stored, unique};

const TIME: i64 = 1_735_689_600_000;

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

async fn refused_records_are_set_aside(source: &KafkaCluster, destination: &KafkaCluster) {
    let topic = unique("refusing");
    new_topic(
        source,
        &topic,
        2,
        &[("message.timestamp.after.max.ms", "9223372036854775807")],
    )
    .await;
    let settings = [
        ("cleanup.policy", "compact"),
        ("max.message.bytes", "4000"),
        ("message.timestamp.after.max.ms", "3600000"),
    ];
    new_topic(destination, &topic, 2, &settings).await;
    let in_2100 = 4_102_444_800_000;
    let mut sent = Vec::new();
    for round in 0..3 {
        let text = |name: &str| format!("{name} {round}").into_bytes();
        let batch = vec![
            record(Some("a"), text("first"), TIME + round),
            record(None, text("no key"), TIME + round),
            record(Some(&format!("b{round}")), text("between"), TIME + round),
            record(
                Some(&format!("late{round}")),
                text("of another time"),
                in_2100 + round,
            ),
            record(Some(&format!("c{round}")), text("last"), TIME + round),
        ];
        let large = vec![record(
            Some(&format!("large{round}")),
            vec![b'x'; 9_000],
            TIME + round,
        )];
        for (records, codec) in [(batch, Codec::Zstd), (large, Codec::None)] {
            Load::new(source.bootstrap(), &topic)
                .codec(codec)
                .send(records.clone())
                .await
                .expect("acknowledged");
            sent.extend(records);
        }
    }
    let link = unique("link");
    let own = [
        "--set",
        "topic.config.sync=false",
        "--set",
        "tributary.on.refused=quarantine",
    ];
    let copies = Replicate::new(source, destination, &topic)
        .with(&own)
        .named(&link);
    let run = copies.until_caught_up().await.ended_with(0);
    let there = judge::read_all(&committed(source, &topic), COPIED)
        .await
        .expect("readable");
    let is_refused = |record: &&ReadRecord| {
        let key = record.key.as_deref().map(String::from_utf8_lossy);
        key.is_none_or(|key| key.starts_with("late") || key.starts_with("large"))
    };
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
    let mut set_aside: Vec<ReadRecord> = aside[&1].iter().map(content).collect();
    set_aside.dedup();
    for record in &refused {
        assert!(set_aside.contains(record), "{record:?}\n{run}");
    }
    assert_eq!(set_aside.len(), refused.len(), "{run}");
    for record in &aside[&1] {
        assert_eq!(header(record, "link"), link);
        assert_eq!(header(record, "destination"), format!("{topic}-1"));
        let source = header(record, "source");
        assert!(source.starts_with(&format!("{topic}-1@")), "{source}");
        assert!(!header(record, "reason").is_empty());
    }
    assert!(run.output.contains("9 records were set aside"), "{run}");
    // A second run finds nothing to do.
    copies.until_caught_up().await.ended_with(0);
    assert_eq!(
        read(destination, &quarantine).await[&1].len(),
        aside[&1].len()
    );

    // What made the destination refuse them is repaired, and they are copied from the quarantine.
    let bounds = "message.timestamp.after.max.ms=9223372036854775807";
    let repaired = format!("cleanup.policy=delete,max.message.bytes=1048576,{bounds}");
    set(destination, &topic, &repaired).await;
    let to = format!("tributary-quarantine.to.{topic}");
    let ours = ["link", "source", "destination", "reason"]
        .map(|name| format!("tributary-quarantine.{name}"));
    let settings = [
        "topic.auto.create=false".to_owned(),
        "transforms=others,clean".to_owned(),
        "transforms.others.type=org.apache.kafka.connect.transforms.Filter".to_owned(),
        "transforms.others.predicate=mine".to_owned(),
        "transforms.others.negate=true".to_owned(),
        "transforms.clean.type=org.apache.kafka.connect.transforms.DropHeaders".to_owned(),
        format!("transforms.clean.headers={to},{}", ours.join(",")),
        "predicates=mine".to_owned(),
        "predicates.mine.type=org.apache.kafka.connect.transforms.predicates.HasHeaderKey"
            .to_owned(),
        format!("predicates.mine.name={to}"),
    ];
    let set: Vec<&str> = settings
        .iter()
        .flat_map(|text| ["--set", text.as_str()])
        .collect();
    let replay = Replicate::new(destination, destination, &quarantine)
        .with(&["--rename", &topic])
        .with(&set);
    let replayed = replay.until_caught_up().await.ended_with(0);
    let here = read(destination, &topic).await;
    assert_eq!(here[&1].len(), 9 + aside[&1].len(), "{replayed}");
    let back: Vec<ReadRecord> = here[&1][9..].iter().map(content).collect();
    for record in &refused {
        assert!(back.contains(record), "{record:?}\n{replayed}");
    }
    let left = here[&1].iter().flat_map(|record| &record.headers);
    assert!(
        left.clone().all(|(key, _)| key == "own"),
        "nothing of ours is left: {replayed}"
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
