//! What the record codec makes of a producer's batches is taken by real brokers as it is, and read equal by
//! librdkafka and by Kafka's own consumer.
//!
//! ```text
//! librdkafka ──▶ source topic ──raw fetch──▶ encoded again | merged | split | thinned ──raw produce──▶ copy ──▶ judges
//! ```
//! The source's records are told by librdkafka as well, so that nothing here believes our own decoder.

use bytes::Bytes;
use kafka_wire::batch::{Batches, Codec, Entry, RawBatch};
use kafka_wire::record::{BatchEncoder, BatchOptions, Compression, RecordDecoder, Splitter, merge};
use test_support::judge::{self, Place, ReadRecord, Topic};
use test_support::kafka_cluster::KafkaCluster;
use test_support::kafka_jars::KafkaVersion;
use test_support::tools::{CONSOLE_CONSUMER, KafkaTools};
use test_support::workload::{self, Generator, Load, Shape};
use test_support::{raw, shared};

use crate::support::{COPIED, NEW, OLD, new_topic, unique};

const SEED: u64 = 5;
/// Enough for every payload here, decompressed.
const LIMIT: usize = 64 * 1024 * 1024;
/// Every third record is left out where a batch is thinned.
const THINNED: i64 = 3;

/// What is done to batches before they are written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Again,
    Merged,
    Split,
    Thinned,
}

const FORMS: [Form; 4] = [Form::Again, Form::Merged, Form::Split, Form::Thinned];

fn reshape(form: Form, batches: &[RawBatch], codec: Codec) -> Vec<RawBatch> {
    let options = BatchOptions::new(Compression::new(codec).expect("a known codec"));
    let mut decoder = RecordDecoder::new();
    let mut encoder = BatchEncoder::new();
    let mut made = Vec::new();
    if matches!(form, Form::Merged) {
        for group in batches.chunks(4) {
            let merged = merge(&mut decoder, &mut encoder, group, &options, LIMIT);
            made.push(merged.expect("sound batches").batch);
        }
        return made;
    }
    for batch in batches {
        let records = decoder.batch(batch, LIMIT).expect("a sound batch");
        match form {
            Form::Split => {
                // Small enough for several parts, large enough for every record.
                let sizes = records
                    .clone()
                    .map(|record| 61 + encoder.size_of(&record.expect("a sound record")));
                let largest = sizes.max().unwrap_or(0);
                let limit = largest.max(batch.bytes().len() / 3);
                let parts = Splitter::new(records, &mut encoder, options, limit);
                made.extend(parts.map(|part| part.expect("every record fits").batch));
            }
            Form::Thinned => {
                let kept = records.filter(|record| {
                    record
                        .as_ref()
                        .is_ok_and(|record| record.offset() % THINNED != 0)
                });
                encoder.extend(kept).expect("sound records");
                if !encoder.is_empty() {
                    made.push(encoder.finish(&options).expect("records").batch);
                }
            }
            Form::Again | Form::Merged => {
                encoder.extend(records).expect("sound records");
                made.push(encoder.finish(&options).expect("records").batch);
            }
        }
    }
    made
}

fn whole(record_set: Vec<u8>) -> Vec<RawBatch> {
    Batches::new(Bytes::from(record_set))
        .map(|entry| match entry.expect("a broker's bytes") {
            Entry::Batch(batch) => batch,
            Entry::Legacy(entry) => panic!("a current broker wrote {entry:?}"),
        })
        .collect()
}

/// What a copy has to hold.
#[derive(Default)]
struct Copied {
    records: Vec<ReadRecord>,
    payloads: Vec<Bytes>,
}

/// Writes a copy in every form, of a source in one codec, to the end of `copy`.
async fn write_forms(
    cluster: &KafkaCluster,
    source: workload::Codec,
    codec: Codec,
    copy: &str,
    copied: &mut Copied,
) {
    let bootstrap = cluster.bootstrap();
    let topic = unique("encoded-source");
    new_topic(cluster, &topic, 1, &[]).await;
    Load::new(&bootstrap, &topic)
        .codec(source)
        .setting("linger.ms", "5")
        .setting("batch.num.messages", "20")
        .send(Generator::new(Shape::mixed(SEED, 1)).take(400))
        .await
        .expect("acknowledged");
    let place = Place::new(&bootstrap, &topic);
    let read: Topic = judge::read_all(&place, COPIED).await.expect("it is read");
    let read = &read[&0];
    let batches = whole(
        raw::raw_fetch_all(&bootstrap, &topic, 0)
            .await
            .expect("a fetch"),
    );
    assert!(batches.len() >= 8, "{} batches, seed {SEED}", batches.len());

    for (form, some) in FORMS
        .into_iter()
        .zip(batches.chunks(batches.len().div_ceil(4)))
    {
        let made = reshape(form, some, codec);
        for batch in &made {
            let taken = raw::raw_produce(&bootstrap, copy, 0, batch.bytes()).await;
            taken.unwrap_or_else(|error| panic!("{form:?}, {codec}, seed {SEED}: {error}"));
        }
        let offsets = some[0].info().base_offset..=some[some.len() - 1].info().last_offset;
        let of_form = read.iter().filter(|record| {
            let is_kept = !matches!(form, Form::Thinned) || record.offset % THINNED != 0;
            offsets.contains(&record.offset) && is_kept
        });
        let before = copied.records.len();
        copied.records.extend(of_form.cloned());
        copied.payloads.extend(made.iter().map(RawBatch::payload));
        println!(
            "{:5} {codec:7} {form:8?} {} batches became {}, {} records",
            cluster.version().to_string(),
            some.len(),
            made.len(),
            copied.records.len() - before,
        );
        let changed = match form {
            Form::Merged => made.len() < some.len(),
            Form::Split => made.len() > some.len(),
            Form::Again | Form::Thinned => made.len() == some.len(),
        };
        assert!(changed, "{form:?} of {} gave {}", some.len(), made.len());
    }
}

/// As Kafka's `Bytes.toString` shows bytes.
fn escaped(bytes: Option<&Vec<u8>>) -> String {
    let Some(bytes) = bytes else {
        return "NULL".to_owned();
    };
    let shown = bytes.iter().map(|&byte| match byte {
        b'\\' => "\\x5C".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02X}"),
    });
    shown.collect()
}

fn as_java_shows(record: &ReadRecord) -> String {
    let headers = record.headers.iter();
    let headers: Vec<_> = headers
        .map(|(key, value)| format!("{key}:{}", escaped(value.as_ref())))
        .collect();
    let headers = match headers.is_empty() {
        true => "NO_HEADERS".to_owned(),
        false => headers.join(","),
    };
    format!(
        "CreateTime:{}|{headers}|{}|{}",
        record.timestamp.expect("the workload sets times"),
        escaped(record.key.as_ref()),
        escaped(record.value.as_ref()),
    )
}

/// What the Java client of the broker's version reads, a line a record.
async fn java_reads(cluster: &KafkaCluster, topic: &str, count: usize) -> Vec<String> {
    const BYTES: &str = "org.apache.kafka.common.serialization.BytesDeserializer";
    let kafka = KafkaTools::for_version(cluster.version()).expect("jars");
    let (bootstrap, count) = (cluster.bootstrap(), count.to_string());
    let mut arguments = vec!["--bootstrap-server", &bootstrap, "--topic", topic];
    arguments.extend(["--from-beginning", "--max-messages", &count]);
    arguments.extend(["--timeout-ms", "30000"]);
    let deserializers =
        ["key", "value", "headers"].map(|part| format!("{part}.deserializer={BYTES}"));
    let mut properties = vec![
        "print.timestamp=true",
        "print.headers=true",
        "print.key=true",
    ];
    properties.extend(["null.literal=NULL", "key.separator=|"]);
    properties.extend(deserializers.iter().map(String::as_str));
    let option = match cluster.version() {
        KafkaVersion::V3_9_1 => "--property",
        _ => "--formatter-property",
    };
    arguments.extend(
        properties
            .into_iter()
            .flat_map(|property| [option, property]),
    );
    let seen = kafka.run(CONSOLE_CONSUMER, &arguments).await;
    let seen = seen.expect("all records are there").output;
    seen.lines().map(str::to_owned).collect()
}

async fn batches_are_taken_and_read_equal(version: KafkaVersion) {
    let cluster = shared::cluster(version, 0).await.expect("a shared cluster");
    let bootstrap = cluster.bootstrap();
    let copy = unique("encoded");
    new_topic(cluster, &copy, 1, &[]).await;
    let mut copied = Copied::default();
    for source in workload::Codec::ALL {
        let codec = match source {
            workload::Codec::None => Codec::None,
            workload::Codec::Gzip => Codec::Gzip,
            workload::Codec::Snappy => Codec::Snappy,
            workload::Codec::Lz4 => Codec::Lz4,
            workload::Codec::Zstd => Codec::Zstd,
        };
        write_forms(cluster, source, codec, &copy, &mut copied).await;
    }
    let mut expected = copied.records;
    for (record, offset) in expected.iter_mut().zip(0..) {
        record.offset = offset;
    }

    let read = judge::read_all(&Place::new(&bootstrap, &copy), COPIED).await;
    let read = read.expect("it is read to its end");
    assert!(
        read[&0] == expected,
        "librdkafka reads something else from {version}: {}",
        judge::compare(&Topic::from([(0, expected.clone())]), &read)
    );
    let shown: Vec<_> = expected.iter().map(as_java_shows).collect();
    let seen = java_reads(cluster, &copy, expected.len()).await;
    assert_eq!(seen.len(), shown.len(), "{version}");
    for (place, (seen, shown)) in seen.iter().zip(&shown).enumerate() {
        assert!(
            seen == shown,
            "record {place} in {version}:\n{seen}\n{shown}"
        );
    }
    // A broker that had found something to repair would have compressed anew.
    let stored = raw::raw_fetch_all(&bootstrap, &copy, 0).await;
    let stored = whole(stored.expect("a fetch"));
    let stored: Vec<_> = stored.iter().map(RawBatch::payload).collect();
    assert!(stored == copied.payloads, "{version} stored other bytes");
    println!(
        "{version}: {} records read equal by librdkafka and Java",
        expected.len()
    );
}

#[tokio::test]
async fn encoded_merged_split_and_thinned_batches_are_read_equal_from_the_default_version() {
    batches_are_taken_and_read_equal(NEW).await;
}

#[tokio::test]
async fn encoded_merged_split_and_thinned_batches_are_read_equal_from_the_oldest_version() {
    batches_are_taken_and_read_equal(OLD).await;
}
