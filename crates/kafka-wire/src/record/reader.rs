//! The records of a decompressed payload with magic 2, one after the other.
//!
//! Every length is held against the bytes that are left before it is used. A payload that is not filled
//! exactly by the records its header counts ends with an error.

use super::decode::DecodeProblem;
use super::view::{Headers, Record, nullable};
use crate::batch::{BatchHeader, varint};
use crate::types::Offset;

/// Iterates over records. Ends at the first error.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    left: u32,
    index: u32,
    base_offset: Offset,
    base_timestamp: i64,
    /// Where the broker set the time, all records have it.
    append_time: Option<i64>,
    ended: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(header: BatchHeader<'_>, records: u32, payload: &'a [u8]) -> Self {
        Self {
            rest: payload,
            left: records,
            index: 0,
            base_offset: header.base_offset(),
            base_timestamp: header.base_timestamp(),
            append_time: header.has_log_append_time().then(|| header.max_timestamp()),
            ended: false,
        }
    }

    /// Every record has the time of its own.
    pub(super) fn forget_append_time(&mut self) {
        self.append_time = None;
    }

    fn read(&mut self) -> Result<Record<'a>, &'static str> {
        let length = varint::read_i32(&mut self.rest).ok_or("its length")?;
        let length = usize::try_from(length).map_err(|_| "its length")?;
        let (mut body, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or("its length, which exceeds the batch")?;
        self.rest = rest;
        let (&attributes, after_attributes) = body.split_first().ok_or("its attributes")?;
        body = after_attributes;
        let timestamp = varint::read_i64(&mut body).ok_or("its timestamp")?;
        let delta = varint::read_i32(&mut body).ok_or("its offset")?;
        let encoded = body;
        let key = nullable(&mut body).ok_or("the length of its key")?;
        let value = nullable(&mut body).ok_or("the length of its value")?;
        let headers = Headers::read(body)?;
        let offset = self.base_offset.checked_add(i64::from(delta));
        Ok(Record {
            offset: offset.filter(|&offset| offset >= 0).ok_or("its offset")?,
            // Java adds without a check. Times that far apart mean nothing, but a batch may hold them.
            timestamp: self
                .append_time
                .unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp)),
            attributes,
            key,
            value,
            headers,
            encoded: Some(encoded),
        })
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, DecodeProblem>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        if self.left == 0 {
            self.ended = true;
            let bytes = self.rest.len();
            return (bytes > 0).then_some(Err(DecodeProblem::LeftOver { bytes }));
        }
        let index = self.index;
        match self.read() {
            Ok(record) => {
                self.left -= 1;
                self.index += 1;
                Some(Ok(record))
            }
            Err(place) => {
                self.ended = true;
                Some(Err(DecodeProblem::Record { index, place }))
            }
        }
    }
}
