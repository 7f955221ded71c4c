//! The records of an uncompressed batch: key and value, for topics that hold our own state.
//!
//! Strict and bounded: nothing is reserved for what a length claims, and a batch whose records do not
//! fill it exactly is refused. Headers are passed over.
//!
//! Deliberately absent: compressed batches; those are read in [`record`](crate::record).

use bytes::Bytes;
use thiserror::Error;

use super::{Codec, RawBatch, varint};

/// One record. Null and empty are different.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its offset.
    pub offset: i64,
    /// Its time in milliseconds since 1970, as its producer set it.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
}

/// Why records cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum RecordsError {
    /// The batch is compressed.
    #[error("the batch at offset {0} is compressed, which cannot be read here")]
    Compressed(i64),
    /// The records contradict the batch or themselves.
    #[error("the batch at offset {offset} is malformed: {place}")]
    Malformed {
        /// First offset of the batch.
        offset: i64,
        /// Where.
        place: &'static str,
    },
}

/// Reads all records of a batch.
///
/// # Errors
/// See [`RecordsError`].
pub fn records(batch: &RawBatch) -> Result<Vec<Record>, RecordsError> {
    let header = batch.header();
    let offset = header.base_offset();
    if header.codec() != Codec::None {
        return Err(RecordsError::Compressed(offset));
    }
    let payload = batch.payload();
    let mut input = &payload[..];
    let mut records = Vec::new();
    for _ in 0..header.records_count() {
        let record = read(&mut input, &payload, offset, header.base_timestamp()).ok_or(
            RecordsError::Malformed {
                offset,
                place: "a record is cut off",
            },
        )?;
        records.push(record);
    }
    if !input.is_empty() {
        return Err(RecordsError::Malformed {
            offset,
            place: "bytes are left over",
        });
    }
    Ok(records)
}

fn read(input: &mut &[u8], whole: &Bytes, base: i64, base_time: i64) -> Option<Record> {
    let length = usize::try_from(varint::read_i32(input)?).ok()?;
    let mut body = input.get(..length)?;
    *input = input.get(length..)?;
    let (_attributes, rest) = body.split_first()?;
    body = rest;
    let time = varint::read_i64(&mut body)?;
    let delta = varint::read_i32(&mut body)?;
    let key = nullable(&mut body, whole)?;
    let value = nullable(&mut body, whole)?;
    Some(Record {
        offset: base.checked_add(i64::from(delta))?,
        timestamp: base_time.checked_add(time)?,
        key,
        value,
    })
}

#[expect(
    clippy::option_option,
    reason = "the outer one is the failure, the inner one Kafka's null"
)]
fn nullable(body: &mut &[u8], whole: &Bytes) -> Option<Option<Bytes>> {
    let length = varint::read_i32(body)?;
    if length == -1 {
        return Some(None);
    }
    let length = usize::try_from(length).ok()?;
    let bytes = body.get(..length)?;
    *body = body.get(length..)?;
    Some(Some(whole.slice_ref(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuilder;

    #[test]
    fn records_come_out_as_they_went_in_and_null_is_not_empty() {
        let built = BatchBuilder::new(40)
            .base_timestamp(1000)
            .record(Some(b"k"), Some(b"v"))
            .record(None, Some(b""))
            .record(Some(b""), None)
            .build();
        let batch = RawBatch::parse(built).expect("well formed");
        let records = records(&batch).expect("readable");
        let found: Vec<_> = records
            .iter()
            .map(|r| (r.offset, r.timestamp, r.key.as_deref(), r.value.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                (40, 1000, Some(&b"k"[..]), Some(&b"v"[..])),
                (41, 1000, None, Some(&b""[..])),
                (42, 1000, Some(&b""[..]), None),
            ]
        );
    }

    #[test]
    fn every_wrong_length_is_refused() {
        let built = BatchBuilder::new(0)
            .record(Some(b"key"), Some(b"value"))
            .build();
        for place in 61..built.len() {
            let mut bytes = built.to_vec();
            bytes[place] = 0xff;
            let batch = RawBatch::parse(bytes.into()).expect("the header is untouched");
            // Bytes of key and value may be anything; lengths may not.
            let _ = records(&batch);
        }
        let short = BatchBuilder::new(0)
            .record(None, None)
            .records_count(2)
            .build();
        let batch = RawBatch::parse(short).expect("the header is possible");
        assert!(records(&batch).is_err());
        let nonsense = BatchBuilder::new(0)
            .record(None, None)
            .raw_payload(vec![0xff; 40])
            .build();
        let batch = RawBatch::parse(nonsense).expect("the header is possible");
        assert!(records(&batch).is_err());
    }
}
