//! What is produced is what the judge reads, for every codec, version and kind of producer.

use std::collections::BTreeMap;
use std::time::Duration;

use test_support::judge::{self, Isolation, Place, Topic, compare, digest_of};
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::tools::{self, KafkaTools};
use test_support::workload::{self, Codec, GeneratedRecord, Generator, Load, Mode, Shape};
use test_support::{raw, shared};

const LIMIT: Duration = Duration::from_secs(60);
const SEED: u64 = 20_251_122;

async fn cluster(version: KafkaVersion) -> &'static KafkaCluster {
    shared::cluster(version, 0).await.expect("a shared cluster")
}

async fn new_topic(cluster: &KafkaCluster, name: &str, partitions: i32) -> Place {
    let topic = shared::unique(name);
    workload::create_topic(&cluster.bootstrap(), &topic, partitions, &[])
        .await
        .expect("a new topic");
    Place::new(cluster.bootstrap(), topic)
}

/// The records as the judge has to read them.
fn expected(records: &[GeneratedRecord], partitions: i32) -> Topic {
    let mut topic: Topic = (0..partitions)
        .map(|partition| (partition, Vec::new()))
        .collect();
    for record in records {
        let partition = topic
            .get_mut(&record.partition)
            .expect("a partition of the shape");
        partition.push(record.as_read(i64::try_from(partition.len()).expect("few")));
    }
    topic
}

/// Every record comes back as it was produced, in batches of the codec, and digests agree without holding records.
async fn comes_back(version: KafkaVersion, codec: Codec, mode: Mode) {
    let cluster = cluster(version).await;
    let (bootstrap, place) = (
        cluster.bootstrap(),
        new_topic(cluster, codec.name(), 3).await,
    );
    let records: Vec<_> = Generator::new(Shape::mixed(SEED, 3)).take(1_500).collect();
    let load = Load::new(&bootstrap, place.topic()).codec(codec).mode(mode);
    let produced = load
        .send(records.clone())
        .await
        .expect("all are acknowledged");

    let read = judge::read_all(&place, LIMIT)
        .await
        .expect("it is read to its end");
    let verdict = compare(&expected(&records, 3), &read);
    assert!(
        verdict.is_equal(),
        "seed {SEED}, {version}, {codec}: {verdict}"
    );
    let digest = judge::digest(&place, LIMIT)
        .await
        .expect("it is read to its end");
    assert_eq!(digest, produced.digests);
    assert_eq!(digest[&1], digest_of(&read[&1]));

    let bytes = raw::raw_fetch_all(&bootstrap, place.topic(), 0)
        .await
        .expect("a fetch");
    let batches = raw::whole_batches(&bytes);
    // librdkafka leaves a batch uncompressed when compression does not make it smaller; most become smaller.
    let compressed = batches
        .iter()
        .filter(|batch| batch[22] & 7 == codec.number())
        .count();
    assert!(
        compressed * 2 > batches.len(),
        "{compressed} of {} batches are {codec}",
        batches.len()
    );
}

#[tokio::test]
async fn every_codec_comes_back_from_the_default_version() {
    for codec in Codec::ALL {
        comes_back(KafkaVersion::V4_3_1, codec, Mode::Idempotent).await;
    }
}

#[tokio::test]
async fn every_codec_comes_back_from_the_oldest_version() {
    for codec in Codec::ALL {
        comes_back(KafkaVersion::V3_9_1, codec, Mode::Plain).await;
    }
}

#[tokio::test]
async fn aborted_records_are_stored_but_a_committed_reader_does_not_see_them() {
    let cluster = cluster(KafkaVersion::V4_3_1).await;
    let place = new_topic(cluster, "transactions", 2).await;
    let mode = Mode::Transactional {
        id: shared::unique("id"),
        largest: 40,
        abort_percent: 30,
        seed: SEED,
    };
    let load = Load::new(cluster.bootstrap(), place.topic()).mode(mode);
    let records = Generator::new(Shape::mixed(SEED, 2)).take(1_000);
    let produced = load.send(records).await.expect("all transactions end");
    assert!(
        produced.aborted > 50 && produced.records() + produced.aborted == 1_000,
        "{produced:?}"
    );

    let digest = judge::digest(&place, LIMIT)
        .await
        .expect("it is read to its end");
    assert_eq!(digest, produced.digests);
    let all = judge::read_all(&place.clone().uncommitted(), LIMIT)
        .await
        .expect("it is read to its end");
    assert_eq!(all.values().map(Vec::len).sum::<usize>(), 1_000);
}

#[tokio::test]
async fn kafkas_own_consumer_sees_null_and_empty_as_they_were_produced() {
    let cluster = cluster(KafkaVersion::V4_3_1).await;
    let place = new_topic(cluster, "null-and-empty", 1).await;
    let record = |key: Option<&str>, value: Option<&str>| GeneratedRecord {
        partition: 0,
        timestamp: 1_735_689_600_000,
        key: key.map(|key| key.as_bytes().to_vec()),
        value: value.map(|value| value.as_bytes().to_vec()),
        headers: vec![("h".to_owned(), None), ("h".to_owned(), Some(Vec::new()))],
    };
    let records = [
        record(None, Some("")),
        record(Some(""), None),
        record(Some("k"), Some("v")),
    ];
    Load::new(cluster.bootstrap(), place.topic())
        .send(records)
        .await
        .expect("acknowledged");
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let properties = [
        "print.key=true",
        "print.headers=true",
        "null.literal=NULL",
        "key.separator=|",
    ];
    let bootstrap = cluster.bootstrap();
    let mut arguments = vec!["--bootstrap-server", &bootstrap, "--topic", place.topic()];
    arguments.extend([
        "--from-beginning",
        "--max-messages",
        "3",
        "--timeout-ms",
        "20000",
    ]);
    arguments.extend(
        properties
            .iter()
            .flat_map(|property| ["--formatter-property", property]),
    );
    let seen = kafka
        .run(tools::CONSOLE_CONSUMER, &arguments)
        .await
        .expect("three records")
        .output;
    let lines: Vec<_> = seen.lines().collect();
    assert_eq!(
        lines,
        ["h:NULL,h:|NULL|", "h:NULL,h:||NULL", "h:NULL,h:|k|v"]
    );
}

#[tokio::test]
async fn the_judge_waits_until_the_copy_is_complete_and_says_what_is_missing() {
    let cluster = cluster(KafkaVersion::V4_3_1).await;
    let source = new_topic(cluster, "source", 2).await;
    let copy = new_topic(cluster, "copy", 2).await;
    let records: Vec<_> = Generator::new(Shape::mixed(SEED, 2)).take(400).collect();
    let load = |place: &Place| Load::new(cluster.bootstrap(), place.topic());
    load(&source)
        .send(records.clone())
        .await
        .expect("acknowledged");
    load(&copy)
        .send(records[..390].to_vec())
        .await
        .expect("acknowledged");

    let short = Duration::from_millis(1_500);
    let error = judge::wait_until_equal(&source, &copy, short)
        .await
        .expect_err("ten are missing")
        .to_string();
    assert!(
        error.contains("10 lost, 0 duplicate") && error.contains("partition"),
        "{error}"
    );

    let (waited, sent) = tokio::join!(
        judge::wait_until_equal(&source, &copy, LIMIT),
        load(&copy).send(records[390..].to_vec())
    );
    sent.expect("acknowledged");
    assert_eq!(waited.expect("complete now").destination, 400);
    judge::wait_until_digests_equal(&source, &copy, LIMIT)
        .await
        .expect("digests agree too");

    load(&copy)
        .send(records[..3].to_vec())
        .await
        .expect("acknowledged");
    let verdict = judge::wait_until(&source, &copy, LIMIT, |verdict| verdict.duplicate > 0)
        .await
        .expect("doubled");
    assert!(verdict.is_complete() && verdict.duplicate == 3, "{verdict}");
}

#[tokio::test]
async fn a_topic_that_does_not_exist_is_an_error_that_names_it() {
    let cluster = cluster(KafkaVersion::V4_3_1).await;
    let error = judge::read_all(&Place::new(cluster.bootstrap(), "nowhere"), LIMIT)
        .await
        .expect_err("no topic");
    assert!(
        error.to_string().contains("there is no topic nowhere"),
        "{error}"
    );
}

#[tokio::test]
async fn raw_bytes_are_what_the_segment_files_hold() {
    let cluster = cluster(KafkaVersion::V4_3_1).await;
    let place = new_topic(cluster, "raw", 1).await;
    let records = Generator::new(Shape::mixed(SEED, 1)).take(300);
    Load::new(cluster.bootstrap(), place.topic())
        .codec(Codec::Zstd)
        .send(records)
        .await
        .expect("acknowledged");
    let fetched = raw::raw_fetch_all(&cluster.bootstrap(), place.topic(), 0)
        .await
        .expect("a fetch");
    let files = raw::segment_files(cluster, place.topic(), 0).expect("readable");
    assert_eq!(files.len(), 1);
    assert_eq!(fetched, std::fs::read(&files[0]).expect("readable"));

    let marks = judge::watermarks(&place).await.expect("an answer");
    assert_eq!(
        marks,
        BTreeMap::from([(0, judge::Watermarks { start: 0, end: 300 })])
    );
    let refused = raw::raw_fetch(&cluster.bootstrap(), place.topic(), 0, 301).await;
    assert!(
        matches!(refused, Err(raw::RawError::Refused { code: 1, .. })),
        "offset out of range: {refused:?}"
    );
}

#[tokio::test]
async fn topics_grow_and_go_and_kafkas_own_tool_agrees() {
    let cluster = cluster(KafkaVersion::V4_3_1).await;
    let bootstrap = cluster.bootstrap();
    let place = new_topic(cluster, "grows", 1).await;
    workload::create_partitions(&bootstrap, place.topic(), 3)
        .await
        .expect("two more");
    let kafka = KafkaTools::for_version(KafkaVersion::V4_4_0).expect("the tools of 4.3.1");
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--describe",
        "--topic",
        place.topic(),
    ];
    let output = kafka
        .run(tools::TOPIC_COMMAND, &arguments)
        .await
        .expect("described")
        .output;
    assert!(output.contains("PartitionCount: 3"), "{output}");
    workload::delete_topic(&bootstrap, place.topic())
        .await
        .expect("deleted");
    let error = kafka
        .run(tools::TOPIC_COMMAND, &arguments)
        .await
        .expect_err("gone")
        .to_string();
    assert!(
        error.contains("TopicCommand") && error.contains(place.topic()),
        "{error}"
    );
    assert_eq!(place.isolation(), Isolation::Committed);
}
