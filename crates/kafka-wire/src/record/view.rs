//! One record and its headers, borrowed from wherever they lie.

use std::fmt;

use crate::batch::varint;
use crate::types::Offset;

/// One record. Cheap to copy; everything in it is borrowed.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub(super) offset: Offset,
    pub(super) timestamp: i64,
    pub(super) attributes: u8,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: Headers<'a>,
    /// Key, value and headers with their lengths, as they are encoded in a batch with magic 2; `None`
    /// where they come from elsewhere. It always says the same as the fields above.
    pub(super) encoded: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// A record of our own.
    #[must_use]
    pub fn new(
        offset: Offset,
        timestamp: i64,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: Headers<'a>,
    ) -> Self {
        Self {
            offset,
            timestamp,
            attributes: 0,
            key,
            value,
            headers,
            encoded: None,
        }
    }

    /// Its offset in the log it was read from.
    #[must_use]
    pub fn offset(&self) -> Offset {
        self.offset
    }

    /// Milliseconds since 1970; −1 for none. Of a batch with append times it is the append time.
    #[must_use]
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// The key. Null and empty differ.
    #[must_use]
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// The value. Null (a tombstone, in a compacted topic) and empty differ.
    #[must_use]
    pub fn value(&self) -> Option<&'a [u8]> {
        self.value
    }

    /// The headers, in their order.
    #[must_use]
    pub fn headers(&self) -> Headers<'a> {
        self.headers
    }

    /// The same record at another time.
    #[must_use]
    pub fn with_timestamp(self, timestamp: i64) -> Self {
        Self { timestamp, ..self }
    }

    /// The same record with other headers.
    #[must_use]
    pub fn with_headers(self, headers: Headers<'a>) -> Self {
        Self {
            headers,
            encoded: None,
            ..self
        }
    }
}

/// Contents of records do not belong into logs: only sizes are shown.
impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("offset", &self.offset)
            .field("timestamp", &self.timestamp)
            .field("key_bytes", &self.key.map(<[u8]>::len))
            .field("value_bytes", &self.value.map(<[u8]>::len))
            .field("headers", &self.headers.count)
            .finish_non_exhaustive()
    }
}

/// One header. Keys are bytes: nothing but convention makes them UTF-8.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// The key; it may be empty, and stand there more than once.
    pub key: &'a [u8],
    /// The value. Null and empty differ.
    pub value: Option<&'a [u8]>,
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:?} bytes",
            self.key.escape_ascii(),
            self.value.map(<[u8]>::len)
        )
    }
}

/// The headers of a record, in their encoded form, which was checked when it was made.
#[derive(Clone, Copy, Default)]
pub struct Headers<'a> {
    count: u32,
    /// The headers without their count.
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    /// No headers.
    pub const NONE: Headers<'static> = Headers {
        count: 0,
        bytes: &[],
    };

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them, in order.
    #[must_use]
    pub fn iter(&self) -> HeadersIter<'a> {
        HeadersIter {
            left: self.count,
            rest: self.bytes,
        }
    }

    /// The last header with this key, which is the one that counts where only one is expected.
    #[must_use]
    pub fn last(&self, key: &[u8]) -> Option<Header<'a>> {
        self.iter().filter(|header| header.key == key).last()
    }

    /// Reads count and headers, to the end of `input`; what cannot be read is named.
    pub(super) fn read(mut input: &'a [u8]) -> Result<Self, &'static str> {
        let count = varint::read_i32(&mut input).ok_or("the number of its headers")?;
        let count = u32::try_from(count).map_err(|_| "the number of its headers")?;
        let bytes = input;
        for _ in 0..count {
            // A header has at least two bytes, so the claimed number ends where the bytes end.
            read_header(&mut input)?;
        }
        if !input.is_empty() {
            return Err("the end, which lies behind its last header");
        }
        Ok(Self { count, bytes })
    }

    /// Bytes of the encoded form, with the count.
    pub(super) fn encoded_size(&self) -> usize {
        varint::size(i64::from(self.count)) + self.bytes.len()
    }

    /// Appends the encoded form, with the count.
    pub(super) fn write(&self, output: &mut Vec<u8>) {
        varint::write(output, i64::from(self.count));
        output.extend_from_slice(self.bytes);
    }
}

impl<'a> IntoIterator for Headers<'a> {
    type Item = Header<'a>;
    type IntoIter = HeadersIter<'a>;

    fn into_iter(self) -> HeadersIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// Equal where keys and values are, however their lengths were encoded.
impl PartialEq for Headers<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl Eq for Headers<'_> {}

/// Iterates over [`Headers`].
#[derive(Clone, Debug)]
pub struct HeadersIter<'a> {
    left: u32,
    rest: &'a [u8],
}

impl<'a> Iterator for HeadersIter<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.left = self.left.checked_sub(1)?;
        // They were read once when the view was made.
        read_header(&mut self.rest).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

fn read_header<'a>(input: &mut &'a [u8]) -> Result<Header<'a>, &'static str> {
    let key = nullable(input)
        .flatten()
        .ok_or("the length of a header's key")?;
    let value = nullable(input).ok_or("the length of a header's value")?;
    Ok(Header { key, value })
}

/// Reads a length and as many bytes; the outer value is `None` where that cannot be.
#[expect(
    clippy::option_option,
    reason = "the outer one is the failure, the inner one Kafka's null"
)]
#[inline]
pub(super) fn nullable<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = varint::read_i32(input)?;
    if length == -1 {
        return Some(None);
    }
    let (bytes, rest) = input.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    Some(Some(bytes))
}

/// Appends a length and as many bytes.
pub(super) fn write_nullable(output: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            varint::write(output, bytes.len() as i64);
            output.extend_from_slice(bytes);
        }
        None => varint::write(output, -1),
    }
}

/// Bytes that [`write_nullable`] appends.
pub(super) fn nullable_size(bytes: Option<&[u8]>) -> usize {
    match bytes {
        Some(bytes) => varint::size(bytes.len() as i64) + bytes.len(),
        None => 1,
    }
}

/// Makes [`Headers`] that no record has yet. Used again from record to record.
#[derive(Clone, Default)]
pub struct HeaderBuffer {
    count: u32,
    bytes: Vec<u8>,
}

impl HeaderBuffer {
    /// Without headers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all headers, and keeps the memory.
    pub fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
    }

    /// Adds a header behind those that are there.
    pub fn push(&mut self, header: Header<'_>) {
        self.count += 1;
        write_nullable(&mut self.bytes, Some(header.key));
        write_nullable(&mut self.bytes, header.value);
    }

    /// Adds all headers of a record, as one piece.
    pub fn extend(&mut self, headers: Headers<'_>) {
        self.count += headers.count;
        self.bytes.extend_from_slice(headers.bytes);
    }

    /// The headers, for [`Record::with_headers`].
    #[must_use]
    pub fn headers(&self) -> Headers<'_> {
        Headers {
            count: self.count,
            bytes: &self.bytes,
        }
    }
}

impl fmt::Debug for HeaderBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headers().fmt(f)
    }
}
