//! Batches that can pass untouched pass untouched: the destination holds the source's bytes behind each header.

use test_support::raw;
use test_support::workload::{Codec, Generator, Load, Mode, Shape};

use crate::support::{MAPPED, NEW, OLD, Replicate, new_topic, pair, transactions, unique};

const SEED: u64 = 61;
/// The header's length: the records, compressed or not, begin behind it.
const HEADER: usize = 61;

/// The fields of a batch's header, by their places in format 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    base_offset: i64,
    length: i32,
    attributes: i16,
    last_offset_delta: i32,
    first_timestamp: i64,
    largest_timestamp: i64,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    count: i32,
}

fn header(batch: &[u8]) -> Header {
    let long = |at: usize| i64::from_be_bytes(batch[at..at + 8].try_into().expect("8 bytes"));
    let int = |at: usize| i32::from_be_bytes(batch[at..at + 4].try_into().expect("4 bytes"));
    let short = |at: usize| i16::from_be_bytes(batch[at..at + 2].try_into().expect("2 bytes"));
    Header {
        base_offset: long(0),
        length: int(8),
        attributes: short(21),
        last_offset_delta: int(23),
        first_timestamp: long(27),
        largest_timestamp: long(35),
        producer_id: long(43),
        producer_epoch: short(51),
        base_sequence: int(53),
        count: int(57),
    }
}

const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;

/// The batches that a committed reader sees, found by reading the control batches by hand: key = version, type.
fn visible(batches: Vec<&[u8]>) -> Vec<&[u8]> {
    let mut visible = Vec::new();
    let mut open = Vec::new();
    for batch in batches {
        let attributes = header(batch).attributes;
        if attributes & CONTROL != 0 {
            // length, attributes, two deltas, key length (one byte each), version (2), then the type: 0 abort, 1 commit.
            let commits = batch[HEADER + 7..HEADER + 9] == [0, 1];
            let ended = std::mem::take(&mut open);
            if commits {
                visible.extend(ended);
            }
        } else if attributes & TRANSACTIONAL != 0 {
            open.push(batch);
        } else {
            visible.push(batch);
        }
    }
    visible
}

async fn passes_untouched(codec: Codec, mode: Mode, from_old: bool) {
    let (new, old) = pair(NEW, OLD).await;
    let (source, destination) = if from_old { (old, new) } else { (new, old) };
    let topic = unique("untouched");
    let what = format!(
        "{codec}, {mode:?}, {} → {}, seed {SEED}",
        source.version(),
        destination.version()
    );
    new_topic(source, &topic, 1, &[]).await;
    Load::new(source.bootstrap(), &topic)
        .codec(codec)
        .mode(mode.clone())
        .setting("linger.ms", "2")
        .setting("batch.num.messages", "60")
        .send(Generator::new(Shape::mixed(SEED, 1)).take(1_200))
        .await
        .expect("acknowledged");
    // Small batches between the markers are merged where more than one answer is needed.
    let run = Replicate::new(source, destination, &topic)
        .with(&["--set", "tributary.batch.merge.below=0"])
        .with(&MAPPED);
    run.until_caught_up().await.ended_with(0).quiet();

    let fetch = async |cluster: &test_support::KafkaCluster| {
        raw::raw_fetch_all(&cluster.bootstrap(), &topic, 0)
            .await
            .expect("a fetch")
    };
    let (there, here) = (fetch(source).await, fetch(destination).await);
    let there = visible(raw::whole_batches(&there));
    let here = raw::whole_batches(&here);
    assert_eq!(there.len(), here.len(), "number of batches: {what}");
    assert!(there.len() > 15, "{} batches: {what}", there.len());
    let writer = header(here[0]);
    let mut offset = 0;
    let mut payload = 0;
    for (number, (there, here)) in there.iter().zip(&here).enumerate() {
        assert!(
            there[HEADER..] == here[HEADER..],
            "payload of batch {number}: {what}"
        );
        payload += here.len() - HEADER;
        assert_eq!(here[16], 2, "format: {what}");
        let (there, here) = (header(there), header(here));
        let expected = Header {
            // Behind each other, without the holes that markers leave, from one writer in one sequence.
            base_offset: offset,
            attributes: there.attributes & !TRANSACTIONAL,
            producer_id: writer.producer_id,
            producer_epoch: writer.producer_epoch,
            base_sequence: i32::try_from(offset).expect("few"),
            ..there
        };
        assert_eq!(here, expected, "batch {number}: {what}");
        assert!(here.producer_id >= 0, "idempotent: {what}");
        offset += i64::from(here.last_offset_delta) + 1;
    }
    println!(
        "{codec:7} {} batches, {payload} payload bytes equal ({what})",
        here.len()
    );
}

#[tokio::test]
async fn payload_bytes_and_batch_borders_of_every_codec_are_the_sources() {
    for codec in Codec::ALL {
        passes_untouched(codec, Mode::Plain, false).await;
    }
}

#[tokio::test]
async fn payload_bytes_of_committed_transactions_are_the_sources() {
    for codec in Codec::ALL {
        passes_untouched(codec, transactions(SEED), true).await;
    }
}
