//! How a record looks that is set aside (pure): itself, and behind its headers what happened to it.
//!
//! The header with the destination's name in its key is for links that replay: their `Filter` asks for keys of headers.

use kafka_wire::batch::RawBatch;
use kafka_wire::record::{
    BatchEncoder, BatchOptions, Compression, Header, HeaderBuffer, RecordDecoder,
};
use kafka_wire::types::TopicPartition;

/// Largest payload, decompressed, as in the decode path.
const DECOMPRESSED: usize = 400 * 1024 * 1024;

/// What our headers' keys begin with.
const PREFIX: &str = "tributary-quarantine";

/// A record that is to be set aside.
#[derive(Clone, Debug)]
pub(crate) struct Aside {
    /// Its source offset.
    pub(crate) offset: i64,
    /// Why the destination does not take it.
    pub(crate) reason: String,
    /// The record as it is written to the quarantine.
    pub(crate) batch: RawBatch,
}

/// Between what a record was on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    pub(crate) link: &'a str,
    pub(crate) source: &'a TopicPartition,
    pub(crate) destination: &'a TopicPartition,
}

/// The records of a batch at these places, each with its source offset.
///
/// # Errors
/// Why the batch cannot be read.
pub(crate) fn set_aside(
    batch: &RawBatch,
    places: &[(usize, i64)],
    reason: &str,
    way: Way<'_>,
) -> Result<Vec<Aside>, String> {
    let mut decoder = RecordDecoder::new();
    let records = decoder
        .batch(batch, DECOMPRESSED)
        .map_err(|error| error.to_string())?
        .with_producer_times();
    let codec = Compression::new(batch.header().codec()).unwrap_or(Compression::NONE);
    let mut encoder = BatchEncoder::new();
    let mut headers = HeaderBuffer::new();
    let mut made = Vec::new();
    for (index, record) in records.enumerate() {
        let record = record.map_err(|error| error.to_string())?;
        let Some((_, offset)) = places.iter().find(|(place, _)| *place == index) else {
            continue;
        };
        headers.clear();
        headers.extend(record.headers());
        let mut add = |name: &str, value: &str| {
            headers.push(Header {
                key: format!("{PREFIX}.{name}").as_bytes(),
                value: Some(value.as_bytes()),
            });
        };
        add("link", way.link);
        add("source", &format!("{}@{offset}", way.source));
        add("destination", &way.destination.to_string());
        add("reason", reason);
        add(&format!("to.{}", way.destination.topic), "");
        let record = record.with_headers(headers.headers());
        encoder.push(&record).map_err(|error| error.to_string())?;
        let encoded = encoder.finish(&BatchOptions::new(codec));
        made.push(Aside {
            offset: *offset,
            reason: reason.to_owned(),
            batch: encoded.map_err(|error| error.to_string())?.batch,
        });
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use kafka_wire::batch::BatchBuilder;

    use super::*;

    #[test]
    fn a_record_is_set_aside_whole_and_says_what_happened() {
        let batch = BatchBuilder::new(40)
            .record(Some(b"a"), Some(b"1"))
            .record(None, Some(b"2"))
            .record(Some(b"c"), None)
            .build();
        let batch = RawBatch::parse(batch).expect("well formed");
        let (source, destination) = (
            TopicPartition::new("orders".into(), 3),
            TopicPartition::new("west.orders".into(), 3),
        );
        let way = Way {
            link: "l",
            source: &source,
            destination: &destination,
        };
        let made = set_aside(&batch, &[(1, 41)], "no key", way).expect("readable");
        assert_eq!((made.len(), made[0].offset), (1, 41));
        let mut decoder = RecordDecoder::new();
        let mut records = decoder.batch(&made[0].batch, 1_000).expect("ours");
        let record = records.next().expect("one").expect("ours");
        assert_eq!((record.key(), record.value()), (None, Some(&b"2"[..])));
        let headers: Vec<(String, String)> = record
            .headers()
            .iter()
            .map(|h| {
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                (text(h.key), text(h.value.unwrap_or_default()))
            })
            .collect();
        let expected = [
            ("link", "l"),
            ("source", "orders-3@41"),
            ("destination", "west.orders-3"),
            ("reason", "no key"),
            ("to.west.orders", ""),
        ];
        let expected = expected.map(|(key, value)| (format!("{PREFIX}.{key}"), value.to_owned()));
        assert_eq!(headers, expected);
        assert!(records.next().is_none());
    }
}
