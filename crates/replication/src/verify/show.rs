//! The records around a difference, read again to be shown.

use bytes::Bytes;
use kafka_client::Connection;
use kafka_wire::batch::{Batches, Entry};
use kafka_wire::message::fetch::FetchRequest;
use kafka_wire::record::{RecordDecoder, Records};

use super::read::{DECOMPRESSED, Log};

/// Bytes of a key, a value or a header that are kept.
const SHOWN: usize = 256;
/// Headers of a record that are kept.
const HEADERS: usize = 16;
/// Bytes of an answer. A first batch comes whole.
const FETCH_BYTES: i32 = 256 * 1024;
/// How long a broker may take.
const ANSWER: std::time::Duration = std::time::Duration::from_secs(30);

/// Of which side a record is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShownSide {
    /// The source.
    Source,
    /// The destination.
    Destination,
}

/// The beginning of some bytes, and how many they are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Excerpt {
    /// The first of them.
    pub bytes: Bytes,
    /// How many there are.
    pub length: usize,
}

/// A record, as far as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ShownRecord {
    /// Where it is from.
    pub side: ShownSide,
    /// Its offset.
    pub offset: i64,
    /// Its time in milliseconds since 1970.
    pub timestamp: i64,
    /// Its key.
    pub key: Option<Excerpt>,
    /// Its value.
    pub value: Option<Excerpt>,
    /// Its first headers.
    pub headers: Vec<(String, Option<Excerpt>)>,
    /// How many headers it has.
    pub header_count: usize,
    /// Who wrote it; negative for nobody in particular.
    pub producer: i64,
}

/// Reads the records at some offset and next to it. What cannot be read is not shown.
pub(super) async fn around(log: &Log, side: ShownSide, offset: i64) -> Vec<ShownRecord> {
    let wanted = offset.saturating_sub(1).max(0)..=offset.saturating_add(1);
    let Ok(leader) = log.leader().await else {
        return Vec::new();
    };
    let Ok(mut connection) = Box::pin(log.cluster.connect(leader.node)).await else {
        return Vec::new();
    };
    connection.set_frame_limit(104 * 1024 * 1024);
    let mut shown: Vec<ShownRecord> = Vec::new();
    let mut next = *wanted.start();
    // Each in a batch of its own, at worst, and the first below the log's start.
    for _ in 0..4 {
        let request = FetchRequest::of_one(
            log.partition.topic.clone(),
            leader.topic,
            log.partition.partition,
            next,
            FETCH_BYTES,
        );
        match fetch(&mut connection, &request).await {
            Some(records) => {
                let before = next;
                take(records, side, &wanted, &mut next, &mut shown);
                if next == before || next > *wanted.end() {
                    break;
                }
            }
            None => next += 1,
        }
    }
    shown.sort_by_key(|record| record.offset);
    shown.dedup_by_key(|record| record.offset);
    shown
}

async fn fetch(connection: &mut Connection, request: &FetchRequest) -> Option<Bytes> {
    let answer = connection.call(request, ANSWER).await.ok()?;
    let fetched = answer.into_one().ok()?.without_error().ok()?;
    Some(fetched.records)
}

fn take(
    records: Bytes,
    side: ShownSide,
    wanted: &std::ops::RangeInclusive<i64>,
    next: &mut i64,
    shown: &mut Vec<ShownRecord>,
) {
    let mut decoder = RecordDecoder::new();
    for entry in Batches::new(records).flatten() {
        match &entry {
            Entry::Batch(batch) => {
                let info = batch.info();
                *next = (*next).max(info.next_offset());
                if info.attributes.is_control() || info.base_offset > *wanted.end() {
                    continue;
                }
                if let Ok(records) = decoder.batch(batch, DECOMPRESSED) {
                    keep(records, side, info.producer_id, wanted, shown);
                }
            }
            Entry::Legacy(entry) => {
                *next = (*next).max(entry.offset + 1);
                if let Ok(records) = decoder.legacy(entry, DECOMPRESSED) {
                    keep(records, side, -1, wanted, shown);
                }
            }
        }
    }
}

fn keep(
    records: Records<'_>,
    side: ShownSide,
    producer: i64,
    wanted: &std::ops::RangeInclusive<i64>,
    shown: &mut Vec<ShownRecord>,
) {
    let excerpt = |bytes: &[u8]| Excerpt {
        bytes: Bytes::copy_from_slice(&bytes[..bytes.len().min(SHOWN)]),
        length: bytes.len(),
    };
    for record in records
        .flatten()
        .filter(|record| wanted.contains(&record.offset()))
    {
        let headers = record.headers().iter().take(HEADERS);
        shown.push(ShownRecord {
            side,
            offset: record.offset(),
            timestamp: record.timestamp(),
            key: record.key().map(excerpt),
            value: record.value().map(excerpt),
            headers: headers
                .map(|header| {
                    let key = String::from_utf8_lossy(header.key).into_owned();
                    (key, header.value.map(excerpt))
                })
                .collect(),
            header_count: record.headers().len(),
            producer,
        });
    }
}
