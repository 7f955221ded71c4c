//! Writes the fields of a request.
//!
//! Deliberately absent: tagged fields with content; no request here has one.

use bytes::{BufMut, BytesMut};

use crate::types::{TopicId, TopicName};

use super::{ApiKey, EncodeError, EncodeProblem, Request};

pub(super) struct Writer<'a> {
    api: ApiKey,
    version: i16,
    flexible: bool,
    out: &'a mut BytesMut,
}

type Result<T> = std::result::Result<T, EncodeError>;

impl<'a> Writer<'a> {
    /// Opens `out` for the body of an `R`, if `version` is one that is spoken.
    pub(super) fn open<R: Request>(version: i16, out: &'a mut BytesMut) -> Result<Self> {
        let writer = Self {
            api: R::API,
            version,
            flexible: R::API.is_flexible(version),
            out,
        };
        if !R::VERSIONS.contains(version) {
            return Err(writer.error("version", EncodeProblem::Version { range: R::VERSIONS }));
        }
        Ok(writer)
    }

    /// Opens `out` for bytes within a request that have a version of their own, in classic encoding.
    pub(super) fn classic(api: ApiKey, version: i16, out: &'a mut BytesMut) -> Self {
        Self {
            api,
            version,
            flexible: false,
            out,
        }
    }

    /// Whether this is `version` or a later one.
    pub(super) fn since(&self, version: i16) -> bool {
        self.version >= version
    }

    /// Refuses what only `since` and later versions can say.
    pub(super) fn needs(&self, what: &'static str, since: i16) -> Result<()> {
        if self.since(since) {
            return Ok(());
        }
        Err(self.error(what, EncodeProblem::NeedsVersion { since }))
    }

    /// Bytes written to the output so far.
    pub(super) fn position(&self) -> usize {
        self.out.len()
    }

    pub(super) fn error(&self, what: &'static str, problem: EncodeProblem) -> EncodeError {
        EncodeError {
            api: self.api,
            version: self.version,
            what,
            problem,
        }
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.out.put_i8(value);
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.out.put_i16(value);
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.out.put_i64(value);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.out.put_u8(u8::from(value));
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// A topic by id, which has to be known.
    pub(super) fn topic_id(&mut self, id: TopicId) -> Result<()> {
        if id.is_zero() {
            return Err(self.error("topic id", EncodeProblem::NoTopicId));
        }
        self.raw(&id.0);
        Ok(())
    }

    /// A topic by name, or by id from version `by_id_since` on.
    pub(super) fn topic(&mut self, by_id_since: i16, name: &TopicName, id: TopicId) -> Result<()> {
        if self.since(by_id_since) {
            self.topic_id(id)
        } else {
            self.string("topic name", name.as_str())
        }
    }

    fn varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.put_u8((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8);
    }

    fn compact_length(&mut self, what: &'static str, length: usize) -> Result<()> {
        // Lengths are signed 32-bit numbers in Kafka's memory, whatever the encoding.
        match i32::try_from(length) {
            Ok(value) if value < i32::MAX => {
                self.varint(value.unsigned_abs() + 1);
                Ok(())
            }
            _ => Err(self.error(what, EncodeProblem::TooLong { length })),
        }
    }

    /// The length of a byte field or the count of a list.
    pub(super) fn length(&mut self, what: &'static str, length: usize) -> Result<()> {
        if self.flexible {
            return self.compact_length(what, length);
        }
        let value = i32::try_from(length)
            .map_err(|_| self.error(what, EncodeProblem::TooLong { length }))?;
        self.i32(value);
        Ok(())
    }

    pub(super) fn string(&mut self, what: &'static str, text: &str) -> Result<()> {
        // 32,767 bytes hold in both encodings: brokers read compact strings into the same type.
        let length = i16::try_from(text.len())
            .map_err(|_| self.error(what, EncodeProblem::TooLong { length: text.len() }))?;
        if self.flexible {
            self.compact_length(what, text.len())?;
        } else {
            self.i16(length);
        }
        self.raw(text.as_bytes());
        Ok(())
    }

    pub(super) fn nullable_string(&mut self, what: &'static str, text: Option<&str>) -> Result<()> {
        match text {
            Some(text) => return self.string(what, text),
            None if self.flexible => self.varint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    pub(super) fn bytes(&mut self, what: &'static str, bytes: &[u8]) -> Result<()> {
        self.length(what, bytes.len())?;
        self.raw(bytes);
        Ok(())
    }

    pub(super) fn null_bytes(&mut self) {
        self.null_array();
    }

    pub(super) fn null_array(&mut self) {
        if self.flexible {
            self.varint(0);
        } else {
            self.i32(-1);
        }
    }

    pub(super) fn array<T>(
        &mut self,
        what: &'static str,
        elements: &[T],
        mut element: impl FnMut(&mut Self, &T) -> Result<()>,
    ) -> Result<()> {
        self.length(what, elements.len())?;
        for each in elements {
            element(self, each)?;
        }
        Ok(())
    }

    pub(super) fn strings(&mut self, what: &'static str, texts: &[String]) -> Result<()> {
        self.array(what, texts, |writer, text| writer.string(what, text))
    }

    /// Partition numbers.
    pub(super) fn numbers(&mut self, what: &'static str, numbers: &[i32]) -> Result<()> {
        self.array(what, numbers, |writer, number| {
            writer.i32(*number);
            Ok(())
        })
    }

    /// Ends a structure: no tagged fields, where the version has them at all.
    pub(super) fn end(&mut self) {
        if self.flexible {
            self.varint(0);
        }
    }
}
