//! What a control batch says: the end of a transaction, or something a broker keeps for itself.
//!
//! A control batch holds one record, not compressed. Its key is a version (i16) and a type (i16):
//! 0 abort, 1 commit (KIP-98); other numbers belong to brokers and controllers. Later versions of
//! the key may be longer; the first four bytes keep their meaning. Nothing behind the key is read.

use super::header::Codec;
use super::split::RawBatch;
use super::varint;

/// What a control record announces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ControlType {
    /// 0: the data of this producer's open transaction must not be seen.
    Abort,
    /// 1: it may be seen.
    Commit,
    /// Anything else; of no meaning for the data.
    Other(i16),
}

/// A control batch that cannot be understood. Passing over it could show aborted data or hide
/// committed data, so the partition has to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ControlError {
    /// The control bit is not set.
    #[error("the batch at offset {base_offset} is not a control batch")]
    NotControl {
        /// Where the batch begins.
        base_offset: i64,
    },
    /// Brokers write control batches uncompressed.
    #[error("the control batch at offset {base_offset} is compressed (codec {codec})")]
    Compressed {
        /// Where the batch begins.
        base_offset: i64,
        /// By its attributes.
        codec: Codec,
    },
    /// Brokers write one control record a batch.
    #[error("the control batch at offset {base_offset} claims {records} records instead of one")]
    NotOneRecord {
        /// Where the batch begins.
        base_offset: i64,
        /// By its header.
        records: u32,
    },
    /// The record is cut off, has bytes left over, or its lengths contradict each other.
    #[error("the record of the control batch at offset {base_offset} is malformed: {place}")]
    Malformed {
        /// Where the batch begins.
        base_offset: i64,
        /// The field that could not be read.
        place: &'static str,
    },
}

/// What the control batch announces; `None` where compaction has removed its record, which means
/// that nothing of the transaction is left either.
///
/// # Errors
/// See [`ControlError`].
pub fn control_type(batch: &RawBatch) -> Result<Option<ControlType>, ControlError> {
    let info = batch.info();
    let base_offset = info.base_offset;
    if !info.attributes.is_control() {
        return Err(ControlError::NotControl { base_offset });
    }
    match info.records {
        0 => return Ok(None),
        1 => (),
        records => {
            return Err(ControlError::NotOneRecord {
                base_offset,
                records,
            });
        }
    }
    match info.attributes.codec() {
        Codec::None => (),
        codec => return Err(ControlError::Compressed { base_offset, codec }),
    }
    let payload = &batch.bytes()[super::HEADER_SIZE..];
    let kind = key_of_only_record(payload)
        .map_err(|place| ControlError::Malformed { base_offset, place })?;
    Ok(Some(match kind {
        0 => ControlType::Abort,
        1 => ControlType::Commit,
        other => ControlType::Other(other),
    }))
}

/// The type in the key of the one record that `payload` is, or the name of what is wrong.
fn key_of_only_record(payload: &[u8]) -> Result<i16, &'static str> {
    let mut input = payload;
    let length = varint::read_i32(&mut input).ok_or("record length")?;
    if usize::try_from(length) != Ok(input.len()) {
        return Err("record length");
    }
    let (_attributes, mut input) = input.split_first().ok_or("attributes")?;
    varint::read_i64(&mut input).ok_or("timestamp delta")?;
    varint::read_i32(&mut input).ok_or("offset delta")?;
    let key_length = varint::read_i32(&mut input).ok_or("key length")?;
    let key = usize::try_from(key_length)
        .ok()
        .and_then(|length| input.get(..length))
        .ok_or("key length")?;
    let &[version_high, version_low, type_high, type_low] =
        key.first_chunk::<4>().ok_or("key shorter than 4 bytes")?;
    if i16::from_be_bytes([version_high, version_low]) < 0 {
        return Err("negative key version");
    }
    Ok(i16::from_be_bytes([type_high, type_low]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{Attributes, BatchBuilder, control_batch};
    use crate::types::ProducerIdentity;

    const PRODUCER: ProducerIdentity = ProducerIdentity { id: 7, epoch: 1 };

    fn read(builder: &BatchBuilder) -> Result<Option<ControlType>, ControlError> {
        control_type(&RawBatch::parse(builder.build()).unwrap())
    }

    fn control() -> BatchBuilder {
        BatchBuilder::new(40)
            .attributes(Attributes::CONTROL)
            .producer(PRODUCER, -1)
    }

    fn with_key(key: Option<&[u8]>) -> Result<Option<ControlType>, ControlError> {
        read(&control().record(key, Some(b"value")))
    }

    fn malformed(place: &'static str) -> Result<Option<ControlType>, ControlError> {
        Err(ControlError::Malformed {
            base_offset: 40,
            place,
        })
    }

    #[test]
    fn the_end_of_a_transaction_is_read_from_the_key() {
        for kind in [
            ControlType::Abort,
            ControlType::Commit,
            ControlType::Other(5),
        ] {
            let batch = control_batch(3, PRODUCER, kind);
            assert_eq!(batch.len(), 78);
            assert_eq!(
                control_type(&RawBatch::parse(batch).unwrap()),
                Ok(Some(kind))
            );
        }
    }

    #[test]
    fn a_later_and_longer_key_keeps_its_first_four_bytes() {
        assert_eq!(
            with_key(Some(&[0, 1, 0, 1, 9, 9])),
            Ok(Some(ControlType::Commit))
        );
    }

    #[test]
    fn a_control_batch_that_compaction_emptied_announces_nothing() {
        assert_eq!(read(&control().last_offset_delta(0)), Ok(None));
    }

    #[test]
    fn keys_that_no_broker_writes_are_refused() {
        assert_eq!(with_key(None), malformed("key length"));
        assert_eq!(
            with_key(Some(&[0, 0, 0])),
            malformed("key shorter than 4 bytes")
        );
        assert_eq!(
            with_key(Some(&[0xff, 0xff, 0, 0])),
            malformed("negative key version")
        );
    }

    #[test]
    fn batches_that_cannot_be_control_batches_are_refused() {
        let base_offset = 40;
        let data = BatchBuilder::new(40).record(None, None);
        assert_eq!(read(&data), Err(ControlError::NotControl { base_offset }));
        let compressed = control()
            .attributes(Attributes::CONTROL | 4)
            .record(None, None);
        let codec = Codec::Zstd;
        assert_eq!(
            read(&compressed),
            Err(ControlError::Compressed { base_offset, codec })
        );
        let two = control().record(None, None).record(None, None);
        assert_eq!(
            read(&two),
            Err(ControlError::NotOneRecord {
                base_offset,
                records: 2
            })
        );
    }

    #[test]
    fn a_record_that_is_cut_off_or_followed_by_bytes_is_refused() {
        let whole = control_batch(40, PRODUCER, ControlType::Commit)
            .slice(61..)
            .to_vec();
        for length in 0..whole.len() {
            let cut = control()
                .raw_payload(whole[..length].to_vec())
                .records_count(1);
            assert_eq!(read(&cut), malformed("record length"), "{length} bytes");
        }
        let longer = control()
            .raw_payload([&whole[..], &[0]].concat())
            .records_count(1);
        assert_eq!(read(&longer), malformed("record length"));
    }

    #[test]
    fn a_record_that_ends_inside_its_own_fields_is_refused() {
        // Length, attributes, time delta, offset delta, key length, key.
        let inner: [(&[u8], &'static str); 6] = [
            (&[0x00], "attributes"),
            (&[0x02, 0], "timestamp delta"),
            (&[0x04, 0, 0], "offset delta"),
            (&[0x06, 0, 0, 0], "key length"),
            (&[0x08, 0, 0, 0, 0x08], "key length"),
            (&[0x08, 0, 0, 0, 0x7e], "key length"),
        ];
        for (payload, place) in inner {
            let batch = control().raw_payload(payload.to_vec()).records_count(1);
            assert_eq!(read(&batch), malformed(place), "{payload:?}");
        }
    }
}
