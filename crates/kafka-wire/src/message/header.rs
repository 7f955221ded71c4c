//! Headers of requests and answers.

use bytes::{BufMut, Bytes, BytesMut};

use super::reader::Reader;
use super::{ApiKey, DecodeError};

/// Appends the request header of a frame: version 2 where the API's version is flexible, else 1.
///
/// `client_id` is cut to the 32,767 bytes the field can hold.
pub fn encode_request_header(
    api: ApiKey,
    version: i16,
    correlation_id: i32,
    client_id: &str,
    out: &mut BytesMut,
) {
    out.put_i16(api.0);
    out.put_i16(version);
    out.put_i32(correlation_id);
    let client_id = cut_to_i16(client_id);
    // The client id keeps its classic length in header version 2, so that a broker can read it
    // whatever the version (KIP-482, "request header").
    out.put_i16(i16::try_from(client_id.len()).expect("cut to 32,767 bytes"));
    out.put_slice(client_id.as_bytes());
    if api.is_flexible(version) {
        out.put_u8(0);
    }
}

fn cut_to_i16(text: &str) -> &str {
    &text[..text.floor_char_boundary(i16::MAX as usize)]
}

/// Version of the answer's header: 1 (with tagged fields) where the API's version is flexible,
/// else 0. An ApiVersions answer always has 0, because a client that does not know the broker yet
/// must be able to read it (KIP-511).
#[must_use]
pub fn response_header_version(api: ApiKey, version: i16) -> i16 {
    i16::from(api != ApiKey::API_VERSIONS && api.is_flexible(version))
}

/// Takes the header off the front of an answer's frame and returns the correlation id.
///
/// # Errors
/// [`DecodeError`] if the frame ends inside the header or its tagged fields are malformed; `frame`
/// is then empty or unchanged, and of no further use.
pub fn split_response_header(
    api: ApiKey,
    version: i16,
    frame: &mut Bytes,
) -> Result<i32, DecodeError> {
    let tagged = response_header_version(api, version) == 1;
    let mut reader = Reader::with_encoding(api, version, tagged, std::mem::take(frame));
    let correlation_id = reader.i32("correlation id")?;
    reader.skip_tags("answer header")?;
    *frame = reader.into_rest();
    Ok(correlation_id)
}
