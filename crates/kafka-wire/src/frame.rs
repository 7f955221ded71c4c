//! Frames: every request and every answer is preceded by its length, four bytes, signed, big-endian.
//!
//! The length is the first thing a peer says, so it is checked against the reader's limit before
//! any memory is reserved for it. Deliberately absent: reading and writing (`kafka-client`).

/// Bytes of the length in front of every frame.
pub const LENGTH_PREFIX: usize = 4;

/// Largest answer that is read where the request does not bound it itself: 64 MiB. Requests over
/// many topics are cut into pieces, so that honest answers stay far below. A fetch answer has a
/// limit of its own: what was asked for plus one oversized batch.
pub const ANSWER_LIMIT: usize = 64 << 20;

/// Largest request a broker reads by default, in bytes without the prefix
/// (`socket.request.max.bytes`, 100 MiB); above it the broker closes the connection.
pub const REQUEST_LIMIT: usize = 100 << 20;

/// A length that cannot be the start of a frame. Nothing after it can be trusted: the connection is
/// given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The length is below zero.
    #[error("a frame announces {length} bytes; is this a Kafka listener, and is TLS set right?")]
    Negative {
        /// The length as sent.
        length: i32,
    },
    /// The length is above what the reader allows.
    #[error(
        "a frame announces {length} bytes, at most {limit} are accepted here; is this a Kafka \
         listener, and is TLS set right?"
    )]
    TooLarge {
        /// The length as sent.
        length: usize,
        /// The largest length allowed.
        limit: usize,
    },
}

/// Bytes that follow `prefix`, the first four bytes of a frame.
///
/// # Errors
/// [`FrameError`] if the length is negative or above `limit`, in bytes.
pub fn frame_length(prefix: [u8; LENGTH_PREFIX], limit: usize) -> Result<usize, FrameError> {
    let signed = i32::from_be_bytes(prefix);
    let Ok(length) = usize::try_from(signed) else {
        return Err(FrameError::Negative { length: signed });
    };
    if length > limit {
        return Err(FrameError::TooLarge { length, limit });
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_up_to_the_limit_is_accepted_and_nothing_else() {
        assert_eq!(frame_length([0, 0, 0, 0], 0), Ok(0));
        assert_eq!(frame_length([0, 0, 1, 0], 256), Ok(256));
        assert_eq!(
            frame_length([0, 0, 1, 1], 256),
            Err(FrameError::TooLarge {
                length: 257,
                limit: 256
            })
        );
        assert_eq!(
            frame_length([0xff, 0xff, 0xff, 0xff], usize::MAX),
            Err(FrameError::Negative { length: -1 })
        );
    }

    #[test]
    fn a_tls_alert_in_place_of_a_frame_is_refused() {
        // 0x15 0x03 0x03 0x00: the start of an alert record from a listener that speaks TLS.
        assert_eq!(
            frame_length([0x15, 0x03, 0x03, 0x00], ANSWER_LIMIT),
            Err(FrameError::TooLarge {
                length: 0x1503_0300,
                limit: ANSWER_LIMIT
            })
        );
    }
}
