//! Records that are changed on their way, because that is asked for: transforms, provenance, other partitions.

use std::collections::BTreeMap;

use test_support::judge::{self, ReadRecord, Topic};
use test_support::kafka_cluster::KafkaCluster;
use test_support::tools::{CONSOLE_PRODUCER, KafkaTools};
use test_support::workload::{Codec, GeneratedRecord, Load};

use crate::support::{
    COPIED, NEW, OLD, Replicate, Run, both_directions, new_topic, pair, stored, unique,
    wait_for_offsets,
};

const PROVENANCE: &str = "tributary-provenance";

fn record(partition: i32, key: Option<&str>, value: Option<&str>, n: i64) -> GeneratedRecord {
    GeneratedRecord {
        partition,
        timestamp: 1_735_689_600_000 + n,
        key: key.map(|key| key.as_bytes().to_vec()),
        value: value.map(|value| value.as_bytes().to_vec()),
        headers: vec![
            ("trace".to_owned(), Some(n.to_string().into_bytes())),
            ("kept".to_owned(), None),
        ],
    }
}

async fn send(cluster: &KafkaCluster, topic: &str, codec: Codec, records: Vec<GeneratedRecord>) {
    Load::new(cluster.bootstrap(), topic)
        .codec(codec)
        .send(records)
        .await
        .expect("acknowledged");
}

async fn read(cluster: &KafkaCluster, topic: &str) -> Topic {
    judge::read_all(&stored(cluster, topic), COPIED)
        .await
        .expect("readable")
}

/// Settings of a chain: topics get other names, one of them is left out, and so are tombstones; headers come and go.
fn chain(prefix: &str) -> Vec<String> {
    let transforms = "org.apache.kafka.connect.transforms";
    vec![
        "transforms=route,secret,tombstones,clean,mark".to_owned(),
        format!("transforms.route.type={transforms}.RegexRouter"),
        format!("transforms.route.regex={prefix}-(.*)"),
        format!("transforms.route.replacement={prefix}.$1.copy"),
        format!("transforms.secret.type={transforms}.Filter"),
        "transforms.secret.predicate=isSecret".to_owned(),
        format!("transforms.tombstones.type={transforms}.Filter"),
        "transforms.tombstones.predicate=isTombstone".to_owned(),
        format!("transforms.clean.type={transforms}.DropHeaders"),
        "transforms.clean.headers=trace".to_owned(),
        format!("transforms.mark.type={transforms}.InsertHeader"),
        "transforms.mark.header=from".to_owned(),
        "transforms.mark.value.literal=west".to_owned(),
        "transforms.mark.predicate=isGzip".to_owned(),
        "transforms.mark.negate=true".to_owned(),
        "predicates=isSecret,isTombstone,isGzip".to_owned(),
        format!("predicates.isSecret.type={transforms}.predicates.TopicNameMatches"),
        "predicates.isSecret.pattern=.*secret.*".to_owned(),
        format!("predicates.isTombstone.type={transforms}.predicates.RecordIsTombstone"),
        format!("predicates.isGzip.type={transforms}.predicates.TopicNameMatches"),
        "predicates.isGzip.pattern=.*gzip.*".to_owned(),
    ]
}

#[tokio::test]
async fn a_chain_of_transforms_does_what_connect_would_do_in_every_codec() {
    let (source, destination) = pair(OLD, NEW).await;
    let prefix = unique("transformed");
    for codec in Codec::ALL {
        let topic = format!("{prefix}-{}", codec.name());
        new_topic(source, &topic, 1, &[]).await;
        let records = (0..300).map(|n| {
            let value = format!("value {n}");
            record(
                0,
                Some(&format!("k{}", n % 7)),
                (n % 5 != 0).then_some(&*value),
                n,
            )
        });
        send(source, &topic, codec, records.collect()).await;
    }
    let excluded = format!("{prefix}-secret");
    new_topic(source, &excluded, 1, &[]).await;
    send(
        source,
        &excluded,
        Codec::None,
        vec![record(0, None, Some("x"), 0)],
    )
    .await;
    let settings = chain(&prefix);
    let set: Vec<&str> = settings
        .iter()
        .flat_map(|text| ["--set", text.as_str()])
        .collect();
    let shown = Replicate::new(source, destination, &format!("{prefix}-.*")).with(&set);
    let shown = Run::to_end(&shown.with(&["--dry-run"]).start())
        .await
        .ended_with(0);
    for words in ["RegexRouter", "unless TopicNameMatches"] {
        assert!(shown.output.contains(words), "{words}: {shown}");
    }
    let link = Replicate::new(source, destination, &format!("{prefix}-.*")).with(&set);
    let run = link.until_caught_up().await.ended_with(0);
    assert!(run.output.contains("transform "), "it is counted: {run}");
    for codec in Codec::ALL {
        let name = codec.name();
        let there = read(source, &format!("{prefix}-{name}")).await;
        let here = read(destination, &format!("{prefix}.{name}.copy")).await;
        let expected: Vec<ReadRecord> = there[&0]
            .iter()
            .filter(|record| record.value.is_some())
            .zip(0..)
            .map(|(record, offset)| {
                let mut record = record.clone();
                record.offset = offset;
                record.headers.retain(|(key, _)| key != "trace");
                if name != "gzip" {
                    record
                        .headers
                        .push(("from".to_owned(), Some(b"west".to_vec())));
                }
                record
            })
            .collect();
        assert_eq!(expected.len(), 240);
        assert!(here[&0] == expected, "{name}: {run}");
    }
    let gone = judge::read_all(
        &stored(destination, &format!("{prefix}.secret.copy")),
        COPIED,
    )
    .await;
    gone.expect_err("nothing of it is copied");
    // The same once more, after a stop: nothing is there twice.
    link.until_caught_up().await.ended_with(0);
    let again = read(destination, &format!("{prefix}.zstd.copy")).await;
    assert_eq!(again[&0].len(), 240);
}

#[tokio::test]
async fn both_directions_between_the_same_names_end_with_every_record_once() {
    let (west, east) = pair(OLD, NEW).await;
    let topic = unique("both");
    for (cluster, name) in [(west, "west"), (east, "east")] {
        new_topic(cluster, &topic, 2, &[]).await;
        let records =
            (0..10).map(|n| record(n % 2, Some(name), Some(&n.to_string()), i64::from(n)));
        send(cluster, &topic, Codec::Lz4, records.collect()).await;
    }
    // Where nothing tells the links' producers, the header alone has to.
    let marks = [
        "--set",
        "provenance.header.enable=true",
        "--set",
        "tributary.loop.prevention=off",
    ];
    let there = Replicate::new(west, east, &topic).with(&marks);
    let back = Replicate::new(east, west, &topic).with(&marks);
    there.until_caught_up().await.ended_with(0);
    let run = back.until_caught_up().await.ended_with(0);
    assert!(
        run.output.contains("records came from"),
        "it is said: {run}"
    );
    there.until_caught_up().await.ended_with(0);
    back.until_caught_up().await.ended_with(0);
    for (cluster, other) in [(west, "east"), (east, "west")] {
        let topic = read(cluster, &topic).await;
        let all: Vec<&ReadRecord> = topic.values().flatten().collect();
        assert_eq!(all.len(), 20, "at the side of {}", cluster.version());
        let marked = all
            .iter()
            .filter(|record| record.headers.iter().any(|(key, _)| key == PROVENANCE));
        let marked: Vec<_> = marked.map(|record| record.key.clone()).collect();
        assert_eq!(marked, vec![Some(other.as_bytes().to_vec()); 10]);
    }
}

#[tokio::test]
async fn a_record_says_where_it_came_from_in_the_documented_bytes() {
    let (source, destination) = pair(NEW, NEW).await;
    let topic = unique("origin");
    new_topic(source, &topic, 2, &[]).await;
    let records = (0..3).map(|n| record(1, Some("k"), Some("v"), n));
    send(source, &topic, Codec::Zstd, records.collect()).await;
    let run = Replicate::new(source, destination, &topic)
        .with(&["--set", "provenance.header.enable=true"])
        .until_caught_up()
        .await
        .ended_with(0);
    let view = test_support::raw::cluster_view(&source.bootstrap())
        .await
        .expect("an answer");
    let copies = read(destination, &topic).await;
    for (record, offset) in copies[&1].iter().zip(0_i64..) {
        let (key, value) = record.headers.last().expect("ours comes last");
        assert_eq!(
            (key.as_str(), record.headers.len()),
            (PROVENANCE, 3),
            "{run}"
        );
        let value = value.as_deref().expect("a value");
        let mut expected = vec![1];
        for text in [&view.cluster_id, &topic] {
            expected.extend(i16::try_from(text.len()).expect("short").to_be_bytes());
            expected.extend(text.as_bytes());
        }
        expected.extend(1_i32.to_be_bytes());
        expected.extend(offset.to_be_bytes());
        assert_eq!(&value[..value.len() - 8], expected, "{run}");
        let first_copy = value
            .last_chunk::<8>()
            .map(|bytes| i64::from_be_bytes(*bytes));
        assert!(
            first_copy.is_some_and(|time| time > 1_735_689_600_000),
            "{first_copy:?}"
        );
    }
}

/// Which partition of `count` the default partitioner of Kafka's Java client gives to each key.
async fn java_partitions(
    cluster: &KafkaCluster,
    keys: &[String],
    count: i32,
) -> BTreeMap<Vec<u8>, i32> {
    let topic = unique("reference");
    new_topic(cluster, &topic, count, &[]).await;
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let lines: String = keys.iter().map(|key| format!("{key}\tx\n")).collect();
    let bootstrap = cluster.bootstrap();
    let option = "--reader-property";
    let arguments = [
        "--bootstrap-server",
        &bootstrap,
        "--topic",
        &topic,
        option,
        "parse.key=true",
    ];
    kafka
        .run_with_input(CONSOLE_PRODUCER, &arguments, Some(lines.into_bytes()))
        .await
        .expect("acknowledged");
    let read = read(cluster, &topic).await;
    let all = read.iter().flat_map(|(partition, records)| {
        records
            .iter()
            .map(|record| (record.key.clone().expect("keyed"), *partition))
    });
    all.collect()
}

#[tokio::test]
async fn records_are_spread_by_their_keys_as_javas_partitioner_says_and_once_after_kills() {
    both_directions(spread).await;
}

async fn spread(source: &'static KafkaCluster, destination: &'static KafkaCluster) {
    let topic = unique("spread");
    new_topic(source, &topic, 3, &[]).await;
    new_topic(destination, &topic, 5, &[]).await;
    let keys: Vec<String> = (0..40).map(|n| format!("key {n}")).collect();
    let load = async |from: i64, codec: Codec| {
        let records = (from..from + 6_000).map(|n| {
            let partition = i32::try_from(n % 3).expect("small");
            let key = keys.get(usize::try_from(n % 50).expect("small"));
            record(partition, key.map(String::as_str), Some(&n.to_string()), n)
        });
        send(source, &topic, codec, records.collect()).await;
    };
    load(0, Codec::Lz4).await;
    let link = Replicate::new(source, destination, &topic)
        .with(&["--set", "topic.preserve.partitions=false"]);
    for stage in 1..4 {
        let process = link.start();
        wait_for_offsets(&stored(destination, &topic), stage * 500).await;
        process.kill9();
    }
    load(6_000, Codec::None).await;
    let run = link.until_caught_up().await.ended_with(0);
    // The destination grows; keys stay where they are.
    let kafka = KafkaTools::for_version(destination.version()).expect("jars");
    let bootstrap = destination.bootstrap();
    let alter = [
        "--bootstrap-server",
        &bootstrap,
        "--alter",
        "--topic",
        &topic,
        "--partitions",
        "7",
    ];
    kafka
        .run(test_support::tools::TOPIC_COMMAND, &alter)
        .await
        .expect("it grows");
    load(12_000, Codec::Zstd).await;
    let grown = link.until_caught_up().await.ended_with(0);
    assert!(
        grown.error.contains("stay on the partitions"),
        "it is said: {grown}"
    );

    let java = match destination.version() {
        NEW => destination,
        _ => source,
    };
    let expected = java_partitions(java, &keys, 5).await;
    let here = read(destination, &topic).await;
    spread_as_expected(&here, &expected);
    println!("{run}");
}

/// Every record once, each key where Java puts it and in the order of its partition, those without a key dealt out.
fn spread_as_expected(here: &Topic, expected: &BTreeMap<Vec<u8>, i32>) {
    let mut seen: BTreeMap<Vec<u8>, Vec<i64>> = BTreeMap::new();
    let mut keyless = Vec::new();
    for (partition, records) in here {
        for record in records {
            let n: i64 = String::from_utf8_lossy(record.value.as_deref().expect("a value"))
                .parse()
                .expect("a number");
            assert_eq!(record.timestamp, Some(1_735_689_600_000 + n));
            match &record.key {
                Some(key) => {
                    assert_eq!(expected.get(key), Some(partition));
                    seen.entry(key.clone()).or_default().push(n);
                }
                None => keyless.push((*partition, n)),
            }
        }
    }
    assert!(here[&5].is_empty() && here[&6].is_empty());
    let total: usize = seen.values().map(Vec::len).sum::<usize>() + keyless.len();
    assert_eq!(total, 18_000, "none lost, none twice");
    for numbers in seen.values() {
        // Each key comes from all three partitions: in order within each.
        for partition in 0..3 {
            let own: Vec<i64> = numbers
                .iter()
                .copied()
                .filter(|n| n % 3 == partition)
                .collect();
            assert!(own.is_sorted() && own.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
    let used: std::collections::BTreeSet<i32> =
        keyless.iter().map(|(partition, _)| *partition).collect();
    assert!(
        used.len() >= 4,
        "records without a key are dealt out: {used:?}"
    );
}

#[tokio::test]
async fn changed_records_are_there_once_after_kills_also_where_they_tell_the_time_of_their_copy() {
    let (source, destination) = pair(NEW, OLD).await;
    let topic = unique("changed-kills");
    new_topic(source, &topic, 2, &[]).await;
    let records = (0..12_000).map(|n| {
        let value = format!("value {n}");
        let partition = i32::from(n % 2 == 1);
        record(
            partition,
            Some(&format!("k{}", n % 7)),
            (n % 5 != 0).then_some(&*value),
            n,
        )
    });
    send(source, &topic, Codec::Snappy, records.collect()).await;
    let settings = [
        "provenance.header.enable=true",
        "transforms=tombstones,clean",
        "transforms.tombstones.type=Filter",
        "transforms.tombstones.predicate=tombstone",
        "transforms.clean.type=DropHeaders",
        "transforms.clean.headers=trace",
        "predicates=tombstone",
        "predicates.tombstone.type=RecordIsTombstone",
    ];
    let set: Vec<&str> = settings.iter().flat_map(|text| ["--set", *text]).collect();
    let link = Replicate::new(source, destination, &topic).with(&set);
    for stage in 1..5 {
        let process = link.start();
        wait_for_offsets(&stored(destination, &topic), stage * 800).await;
        process.kill9();
    }
    let run = link.until_caught_up().await.ended_with(0);
    let (there, here) = (read(source, &topic).await, read(destination, &topic).await);
    for partition in 0..2 {
        let values = |records: &[ReadRecord]| -> Vec<Vec<u8>> {
            records
                .iter()
                .filter_map(|record| record.value.clone())
                .collect()
        };
        let expected = values(&there[&partition]);
        assert_eq!(
            (expected.len(), here[&partition].len()),
            (4_800, 4_800),
            "{run}"
        );
        assert_eq!(values(&here[&partition]), expected, "{run}");
        let mut headers = here[&partition].iter().map(|record| &record.headers);
        assert!(headers.all(|all| all.len() == 2 && all[0].0 == "kept" && all[1].0 == PROVENANCE));
    }
}

/// What the header of a gzip stream says about how hard its writer has worked.
async fn gzip_effort(cluster: &KafkaCluster, topic: &str) -> u8 {
    /// Behind the header of the batch: two bytes of magic, method, flags, time, and then this.
    const EFFORT: usize = 61 + 8;
    let bytes = test_support::raw::raw_fetch_all(&cluster.bootstrap(), topic, 0).await;
    let bytes = bytes.expect("a batch");
    assert_eq!(bytes[61..63], [0x1f, 0x8b], "gzip");
    bytes[EFFORT]
}

#[tokio::test]
async fn what_is_encoded_anew_is_compressed_at_the_level_of_the_destination_topic_or_of_the_link() {
    let (fastest, usual, best) = (4, 0, 2);
    both_directions(async |source, destination| {
        let prefix = unique("levels");
        let name = |end: &str| format!("{prefix}.{end}");
        let level = ("compression.gzip.level", "1");
        for (end, settings) in [("fast", &[level][..]), ("usual", &[])] {
            new_topic(source, &name(end), 1, settings).await;
            let records = (0..200).map(|n| record(0, Some("k"), Some("a value of some words"), n));
            send(source, &name(end), Codec::Gzip, records.collect()).await;
        }
        let mark = [
            "transforms=mark",
            "transforms.mark.type=InsertHeader",
            "transforms.mark.header=from",
            "transforms.mark.value.literal=west",
        ];
        let mark: Vec<&str> = mark.iter().flat_map(|text| ["--set", *text]).collect();
        let link = || Replicate::new(source, destination, &format!("{prefix}\\..*")).with(&mark);
        let run = link().until_caught_up().await;
        run.ended_with(0).quiet();
        for (end, effort) in [("fast", fastest), ("usual", usual)] {
            assert_eq!(gzip_effort(destination, &name(end)).await, effort, "{end}");
        }
        let harder = "producer.override.compression.gzip.level=9";
        let link = link().with(&["--rename", "harder.${topic}", "--set", harder]);
        let run = link.until_caught_up().await;
        run.ended_with(0).quiet();
        let copy = format!("harder.{}", name("fast"));
        assert_eq!(gzip_effort(destination, &copy).await, best);
    })
    .await;
}
