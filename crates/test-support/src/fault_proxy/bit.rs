//! Damage inside a record batch that only its checksum can show.
//!
//! A batch is found by its checksum, not by decoding the frame: bytes that look like a header (format 2) and whose
//! CRC-32C is right are a batch. That works for every API version and for requests and answers alike.

use std::ops::Range;

/// Base offset, length, leader epoch, magic, checksum, … up to the first record.
const HEADER: usize = 61;
const LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
/// The checksum covers everything from here.
const ATTRIBUTES_AT: usize = 21;
const CONTROL_BIT: u8 = 0x20;

/// Where the records of the first whole, valid batch that carries data are.
pub(super) fn payload(frame: &[u8]) -> Option<Range<usize>> {
    (0..frame.len().saturating_sub(HEADER)).find_map(|start| {
        let batch = &frame[start..];
        if batch[MAGIC_AT] != 2 {
            return None;
        }
        let length = i32::from_be_bytes(batch[LENGTH_AT..LENGTH_AT + 4].try_into().ok()?);
        let end = usize::try_from(length).ok()?.checked_add(LENGTH_AT + 4)?;
        let batch = batch.get(..end).filter(|batch| batch.len() > HEADER)?;
        let stored = u32::from_be_bytes(batch[CRC_AT..CRC_AT + 4].try_into().ok()?);
        let is_control = batch[ATTRIBUTES_AT + 1] & CONTROL_BIT != 0;
        let valid = !is_control && crc32c::crc32c(&batch[ATTRIBUTES_AT..]) == stored;
        valid.then_some(start + HEADER..start + end)
    })
}

/// Flips one bit in the middle of the records; false if there are none.
pub(super) fn flip(frame: &mut [u8]) -> bool {
    match payload(frame) {
        Some(records) => {
            frame[records.start + records.len() / 2] ^= 0x10;
            true
        }
        None => false,
    }
}
