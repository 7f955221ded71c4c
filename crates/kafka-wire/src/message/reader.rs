//! Reads the fields of an answer from shared bytes.
//!
//! Invariants:
//! - *Bounded*: no length or count from the wire reserves memory before it is known to fit the
//!   bytes left. A count may reserve at most as much memory as there are bytes left to read;
//!   beyond that a list grows only by elements that were really there.
//! - *No copies of byte fields*: [`Reader::bytes`] hands out slices of the answer.
//! - Nothing here panics, whatever the bytes.

use bytes::{Buf, Bytes};

use crate::error_code::ErrorCode;
use crate::types::{NodeId, TopicId, TopicName};

use super::{ApiKey, DecodeError, DecodeProblem, Request, TopicRef};

pub(super) struct Reader {
    api: ApiKey,
    version: i16,
    flexible: bool,
    bytes: Bytes,
}

type Result<T> = std::result::Result<T, DecodeError>;

impl Reader {
    /// Opens the body of an answer to `R`, if `version` is one that is spoken.
    pub(super) fn open<R: Request>(version: i16, body: Bytes) -> Result<Self> {
        let reader = Self::with_encoding(R::API, version, R::API.is_flexible(version), body);
        if !R::VERSIONS.contains(version) {
            return Err(reader.error("version", DecodeProblem::Version { range: R::VERSIONS }));
        }
        Ok(reader)
    }

    /// Opens bytes whose encoding is known apart from the version's: headers, and the ApiVersions
    /// answer that falls back to version 0.
    pub(super) fn with_encoding(api: ApiKey, version: i16, flexible: bool, bytes: Bytes) -> Self {
        Self {
            api,
            version,
            flexible,
            bytes,
        }
    }

    /// Opens bytes within an answer that have a version of their own, in classic encoding.
    pub(super) fn classic(api: ApiKey, bytes: Bytes) -> Self {
        Self::with_encoding(api, 0, false, bytes)
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether this is `version` or a later one.
    pub(super) fn since(&self, version: i16) -> bool {
        self.version >= version
    }

    pub(super) fn error(&self, what: &'static str, problem: DecodeProblem) -> DecodeError {
        DecodeError {
            api: self.api,
            version: self.version,
            what,
            problem,
        }
    }

    pub(super) fn out_of_range(&self, what: &'static str, value: impl Into<i64>) -> DecodeError {
        self.error(
            what,
            DecodeProblem::OutOfRange {
                value: value.into(),
            },
        )
    }

    fn need(&self, needed: usize, what: &'static str) -> Result<()> {
        let left = self.bytes.len();
        if needed > left {
            return Err(self.error(what, DecodeProblem::EndOfBytes { needed, left }));
        }
        Ok(())
    }

    pub(super) fn i8(&mut self, what: &'static str) -> Result<i8> {
        self.need(1, what)?;
        Ok(self.bytes.get_i8())
    }

    pub(super) fn i16(&mut self, what: &'static str) -> Result<i16> {
        self.need(2, what)?;
        Ok(self.bytes.get_i16())
    }

    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32> {
        self.need(4, what)?;
        Ok(self.bytes.get_i32())
    }

    pub(super) fn i64(&mut self, what: &'static str) -> Result<i64> {
        self.need(8, what)?;
        Ok(self.bytes.get_i64())
    }

    /// Any non-zero byte is true, as in Kafka's own reader.
    pub(super) fn bool(&mut self, what: &'static str) -> Result<bool> {
        Ok(self.i8(what)? != 0)
    }

    pub(super) fn error_code(&mut self) -> Result<ErrorCode> {
        self.i16("error code").map(ErrorCode)
    }

    /// Milliseconds that a quota cost; 0 in versions before `since`, which do not say.
    pub(super) fn throttle_time(&mut self, since: i16) -> Result<i32> {
        if self.since(since) {
            self.i32("throttle time")
        } else {
            Ok(0)
        }
    }

    pub(super) fn node_id(&mut self, what: &'static str) -> Result<NodeId> {
        self.i32(what).map(NodeId)
    }

    pub(super) fn topic_id(&mut self) -> Result<TopicId> {
        self.need(16, "topic id")?;
        let mut id = [0; 16];
        self.bytes.copy_to_slice(&mut id);
        Ok(TopicId(id))
    }

    fn varint(&mut self, what: &'static str) -> Result<u32> {
        let mut value: u32 = 0;
        for place in 0..5 {
            self.need(1, what)?;
            let byte = self.bytes.get_u8();
            if place == 4 && byte > 0x0f {
                return Err(self.error(what, DecodeProblem::VarintTooLong));
            }
            value |= u32::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(value)
    }

    /// A length or count in the encoding of this version; `None` is null. The result is at most the
    /// number of bytes left: every byte of a field and every element of a list takes one at least.
    fn length(&mut self, what: &'static str, classic: Classic) -> Result<Option<usize>> {
        let length = match (self.flexible, classic) {
            // Compact: length + 1, 0 is null (KIP-482).
            (true, _) => i64::from(self.varint(what)?) - 1,
            (false, Classic::Short) => i64::from(self.i16(what)?),
            (false, Classic::Int) => i64::from(self.i32(what)?),
        };
        if length == -1 {
            return Ok(None);
        }
        let left = self.bytes.len();
        match usize::try_from(length) {
            Ok(length) if length <= left => Ok(Some(length)),
            _ => Err(self.error(what, DecodeProblem::Length { length, left })),
        }
    }

    fn text<T>(&mut self, what: &'static str, make: impl Fn(&str) -> T) -> Result<Option<T>> {
        let Some(length) = self.length(what, Classic::Short)? else {
            return Ok(None);
        };
        let text = std::str::from_utf8(&self.bytes[..length]).map(make);
        let text = text.map_err(|_| self.error(what, DecodeProblem::NotUtf8))?;
        self.bytes.advance(length);
        Ok(Some(text))
    }

    fn not_null<T>(&self, what: &'static str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| self.error(what, DecodeProblem::Null))
    }

    pub(super) fn string(&mut self, what: &'static str) -> Result<String> {
        let value = self.text(what, str::to_owned)?;
        self.not_null(what, value)
    }

    pub(super) fn nullable_string(&mut self, what: &'static str) -> Result<Option<String>> {
        self.text(what, str::to_owned)
    }

    pub(super) fn topic_name(&mut self) -> Result<TopicName> {
        let name = self.nullable_topic_name()?;
        self.not_null("topic name", name)
    }

    pub(super) fn nullable_topic_name(&mut self) -> Result<Option<TopicName>> {
        self.text("topic name", |name| TopicName::from(name))
    }

    /// A topic by name, or by id from version `by_id_since` on.
    pub(super) fn topic(&mut self, by_id_since: i16) -> Result<TopicRef> {
        if self.since(by_id_since) {
            self.topic_id().map(TopicRef::Id)
        } else {
            self.topic_name().map(TopicRef::Name)
        }
    }

    /// A byte field as a slice of the answer; null is empty.
    pub(super) fn bytes(&mut self, what: &'static str) -> Result<Bytes> {
        Ok(self.nullable_bytes(what)?.unwrap_or_default())
    }

    /// A byte field as a slice of the answer.
    pub(super) fn nullable_bytes(&mut self, what: &'static str) -> Result<Option<Bytes>> {
        let length = self.length(what, Classic::Int)?;
        Ok(length.map(|length| self.bytes.split_to(length)))
    }

    /// A list; null is an error.
    pub(super) fn array<T>(
        &mut self,
        what: &'static str,
        element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let elements = self.nullable_array(what, element)?;
        self.not_null(what, elements)
    }

    /// A list that may be null.
    pub(super) fn nullable_array<T>(
        &mut self,
        what: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(count) = self.length(what, Classic::Int)? else {
            return Ok(None);
        };
        let mut elements = Vec::with_capacity(reserve(count, size_of::<T>(), self.bytes.len()));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// The tagged fields that end a structure in flexible versions; nothing in others. `known` is
    /// called with each tag and a reader over exactly its bytes, and says whether it read them.
    pub(super) fn tags(
        &mut self,
        what: &'static str,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool>,
    ) -> Result<()> {
        if !self.flexible {
            return Ok(());
        }
        let count = self.varint(what)?;
        let mut previous = None;
        for _ in 0..count {
            let tag = self.varint(what)?;
            if previous.is_some_and(|previous| tag <= previous) {
                return Err(self.error(what, DecodeProblem::TagOrder { tag }));
            }
            previous = Some(tag);
            let size = self.varint(what)?;
            let left = self.bytes.len();
            let length = match usize::try_from(size) {
                Ok(length) if length <= left => length,
                _ => {
                    let length = i64::from(size);
                    return Err(self.error(what, DecodeProblem::Length { length, left }));
                }
            };
            let bytes = self.bytes.split_to(length);
            let mut field = Self { bytes, ..*self };
            if known(tag, &mut field)? {
                field.finish(what)?;
            }
        }
        Ok(())
    }

    pub(super) fn skip_tags(&mut self, what: &'static str) -> Result<()> {
        self.tags(what, |_, _| Ok(false))
    }

    /// Nothing may follow the last field.
    pub(super) fn finish(self, what: &'static str) -> Result<()> {
        match self.bytes.len() {
            0 => Ok(()),
            left => Err(self.error(what, DecodeProblem::LeftOver { left })),
        }
    }

    pub(super) fn into_rest(self) -> Bytes {
        self.bytes
    }
}

/// Elements to reserve room for. `count` of them may fit the `left` bytes and still be far larger in
/// memory, so no more memory is taken in advance than there are bytes left.
pub(super) fn reserve(count: usize, element_size: usize, left: usize) -> usize {
    count.min(left / element_size.max(1))
}

/// Width of a length in versions that are not flexible.
#[derive(Clone, Copy)]
enum Classic {
    /// Two bytes: strings.
    Short,
    /// Four bytes: byte fields and lists.
    Int,
}
