//! Builds batches with uncompressed records: for tests and benchmarks, of this crate and of those
//! above it, and for the few records of our own state that are kept in topics. No batch of copied
//! data is made this way.
//!
//! The builder follows orders: it makes thinned, empty, oversized and contradictory batches as well,
//! because those are what tests need. Only length and CRC are always right.

use bytes::Bytes;

use super::control::ControlType;
use super::header::Attributes;
use super::{HEADER_SIZE, LENGTH_END, MAGIC, recompute_crc, varint};
use crate::types::{Offset, ProducerIdentity};

/// A record to be built. Null and empty are different, for the value of a header as well.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BuiltRecord {
    /// Offset minus the batch's base offset; `None` for one more than the record before.
    pub offset_delta: Option<i32>,
    /// Milliseconds after the batch's base timestamp.
    pub timestamp_delta: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers, in their order; keys may repeat.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Builds one batch. Starts without records, attributes, times (0) and producer (−1).
#[derive(Clone, Debug)]
#[must_use]
pub struct BatchBuilder {
    base_offset: Offset,
    leader_epoch: i32,
    attributes: i16,
    base_timestamp: i64,
    producer: ProducerIdentity,
    base_sequence: i32,
    last_offset_delta: Option<i32>,
    records_count: Option<i32>,
    records: Vec<BuiltRecord>,
    raw_payload: Option<Vec<u8>>,
}

impl BatchBuilder {
    /// A batch whose first record has `base_offset`.
    pub fn new(base_offset: Offset) -> Self {
        Self {
            base_offset,
            leader_epoch: 0,
            attributes: 0,
            base_timestamp: 0,
            producer: ProducerIdentity { id: -1, epoch: -1 },
            base_sequence: -1,
            last_offset_delta: None,
            records_count: None,
            records: Vec::new(),
            raw_payload: None,
        }
    }

    /// Sets all attribute bits. Codec bits compress nothing; see [`Self::raw_payload`].
    pub fn attributes(mut self, bits: i16) -> Self {
        self.attributes = bits;
        self
    }

    /// Sets the leader epoch.
    pub fn leader_epoch(mut self, epoch: i32) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// Sets the time, in milliseconds since 1970, that record times are added to.
    pub fn base_timestamp(mut self, milliseconds: i64) -> Self {
        self.base_timestamp = milliseconds;
        self
    }

    /// Sets the producer and the first sequence number.
    pub fn producer(mut self, producer: ProducerIdentity, base_sequence: i32) -> Self {
        self.producer = producer;
        self.base_sequence = base_sequence;
        self
    }

    /// Sets the transactional bit.
    pub fn transactional(mut self) -> Self {
        self.attributes |= Attributes::TRANSACTIONAL;
        self
    }

    /// Adds a record without headers, at the base timestamp.
    pub fn record(self, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        self.full_record(BuiltRecord {
            key: key.map(<[u8]>::to_vec),
            value: value.map(<[u8]>::to_vec),
            ..BuiltRecord::default()
        })
    }

    /// Adds a record.
    pub fn full_record(mut self, record: BuiltRecord) -> Self {
        self.records.push(record);
        self
    }

    /// Adds records without headers and times.
    pub fn records<'a>(
        self,
        records: impl IntoIterator<Item = (Option<&'a [u8]>, Option<&'a [u8]>)>,
    ) -> Self {
        records
            .into_iter()
            .fold(self, |builder, (key, value)| builder.record(key, value))
    }

    /// Claims another lastOffsetDelta than the records give: a batch whose end compaction removed.
    pub fn last_offset_delta(mut self, delta: i32) -> Self {
        self.last_offset_delta = Some(delta);
        self
    }

    /// Claims another number of records than there are.
    pub fn records_count(mut self, count: i32) -> Self {
        self.records_count = Some(count);
        self
    }

    /// Puts these bytes where the records would be: what a codec made, or nonsense.
    pub fn raw_payload(mut self, payload: Vec<u8>) -> Self {
        self.raw_payload = Some(payload);
        self
    }

    /// The batch.
    ///
    /// # Panics
    /// Where the batch would be larger than 2 GiB, which the caller's own records never are.
    #[must_use]
    pub fn build(&self) -> Bytes {
        let mut payload = Vec::new();
        let mut next_delta = 0;
        for record in &self.records {
            let delta = record.offset_delta.unwrap_or(next_delta);
            next_delta = delta.saturating_add(1);
            write_record(&mut payload, record, delta);
        }
        let payload = self.raw_payload.clone().unwrap_or(payload);
        let length = i32::try_from(payload.len() + HEADER_SIZE - LENGTH_END)
            .expect("our own records stay far below 2 GiB");
        let last_delta = self.last_offset_delta.unwrap_or((next_delta - 1).max(0));
        let count = self
            .records_count
            .or_else(|| i32::try_from(self.records.len()).ok())
            .expect("our own batches hold fewer than 2 billion records");
        let latest = self
            .records
            .iter()
            .map(|record| record.timestamp_delta)
            .max()
            .unwrap_or(0);

        let mut header = [0; HEADER_SIZE];
        header[..8].copy_from_slice(&self.base_offset.to_be_bytes());
        header[8..12].copy_from_slice(&length.to_be_bytes());
        header[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        header[16..17].copy_from_slice(&MAGIC.to_be_bytes());
        header[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        header[23..27].copy_from_slice(&last_delta.to_be_bytes());
        header[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        let max_timestamp = self.base_timestamp.saturating_add(latest);
        header[35..43].copy_from_slice(&max_timestamp.to_be_bytes());
        header[43..51].copy_from_slice(&self.producer.id.to_be_bytes());
        header[51..53].copy_from_slice(&self.producer.epoch.to_be_bytes());
        header[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        header[57..61].copy_from_slice(&count.to_be_bytes());
        recompute_crc(&mut header, &payload);
        [&header[..], &payload].concat().into()
    }
}

/// A record: length, attributes, time delta, offset delta, key, value, headers.
fn write_record(output: &mut Vec<u8>, record: &BuiltRecord, offset_delta: i32) {
    let mut body = vec![0];
    varint::write(&mut body, record.timestamp_delta);
    varint::write(&mut body, i64::from(offset_delta));
    write_bytes(&mut body, record.key.as_deref());
    write_bytes(&mut body, record.value.as_deref());
    varint::write(&mut body, record.headers.len() as i64);
    for (key, value) in &record.headers {
        write_bytes(&mut body, Some(key));
        write_bytes(&mut body, value.as_deref());
    }
    varint::write(output, body.len() as i64);
    output.extend(body);
}

fn write_bytes(output: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            varint::write(output, bytes.len() as i64);
            output.extend(bytes);
        }
        None => varint::write(output, -1),
    }
}

/// The batch with which a broker ends a transaction of `producer`, for tests: 78 bytes.
#[must_use]
pub fn control_batch(offset: Offset, producer: ProducerIdentity, kind: ControlType) -> Bytes {
    let number: i16 = match kind {
        ControlType::Abort => 0,
        ControlType::Commit => 1,
        ControlType::Other(number) => number,
    };
    let key = [0_i16.to_be_bytes(), number.to_be_bytes()].concat();
    // Version and coordinator epoch.
    let value = [0; 6];
    BatchBuilder::new(offset)
        .attributes(Attributes::TRANSACTIONAL | Attributes::CONTROL)
        .producer(producer, -1)
        .record(Some(&key), Some(&value))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    #[test]
    fn the_published_batch_of_three_empty_records_is_built_byte_for_byte() {
        let built = BatchBuilder::new(0)
            .leader_epoch(-1)
            .base_timestamp(1)
            .records([(None, None), (None, None), (None, None)])
            .build();
        let published = hex(
            "0000000000000000 00000046 ffffffff 02 48f66aba 0000 00000002 0000000000000001 \
             0000000000000001 ffffffffffffffff ffff ffffffff 00000003 \
             0c000000010100 0c000002010100 0c000004010100",
        );
        assert_eq!(built, published);
    }
}
