//! The variable-length integers inside records: zigzag, seven bits a byte, lowest first.
//!
//! Reading is strict: a number that needs more bytes than its type allows, or whose last byte
//! carries bits beyond the type, is refused (Kafka's own reader drops those bits silently).

/// Reads an i32 (at most 5 bytes) and moves `input` behind it; `None` if it is cut off or too large.
pub(crate) fn read_i32(input: &mut &[u8]) -> Option<i32> {
    let raw = u32::try_from(read(input, 5)?).ok()?;
    Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Reads an i64 (at most 10 bytes) and moves `input` behind it; `None` if it is cut off or too large.
pub(crate) fn read_i64(input: &mut &[u8]) -> Option<i64> {
    let raw = read(input, 10)?;
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[inline]
fn read(input: &mut &[u8], longest: u32) -> Option<u64> {
    // Most numbers in records are small: deltas, counts, lengths of keys.
    match *input {
        [byte, rest @ ..] if *byte < 0x80 => {
            *input = rest;
            Some(u64::from(*byte))
        }
        _ => read_long(input, longest),
    }
}

fn read_long(input: &mut &[u8], longest: u32) -> Option<u64> {
    let mut value = 0_u64;
    for place in 0..longest {
        let (&byte, rest) = input.split_first()?;
        *input = rest;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * place);
        if shifted >> (7 * place) != bits {
            return None;
        }
        value |= shifted;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Bytes that [`write()`] appends for `value`: 1 to 10.
#[inline]
pub(crate) fn size(value: i64) -> usize {
    let raw = ((value << 1) ^ (value >> 63)) as u64;
    // Zero has one bit as well: it takes a byte.
    (64 - (raw | 1).leading_zeros()).div_ceil(7) as usize
}

/// Appends an integer; an i32 and an i64 of the same value have the same bytes.
pub(crate) fn write(output: &mut Vec<u8>, value: i64) {
    let mut raw = ((value << 1) ^ (value >> 63)) as u64;
    while raw >= 0x80 {
        output.push(raw as u8 | 0x80);
        raw >>= 7;
    }
    output.push(raw as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_have_the_bytes_that_kafka_gives_them() {
        let known: [(i64, &[u8]); 6] = [
            (0, &[0]),
            (-1, &[1]),
            (63, &[0x7e]),
            (64, &[0x80, 0x01]),
            (i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
            (
                i64::MIN,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
            ),
        ];
        for (value, bytes) in known {
            let mut written = Vec::new();
            write(&mut written, value);
            assert_eq!(written, bytes);
            assert_eq!(size(value), bytes.len());
            assert_eq!(read_i64(&mut &bytes[..]), Some(value));
        }
    }

    #[test]
    fn too_long_too_large_and_cut_off_numbers_are_refused() {
        assert_eq!(read_i32(&mut &[0xff, 0xff, 0xff, 0xff, 0x1f][..]), None);
        assert_eq!(
            read_i32(&mut &[0x80, 0x80, 0x80, 0x80, 0x80, 0x00][..]),
            None
        );
        assert_eq!(read_i64(&mut &[0xff; 10][..]), None);
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x03];
        assert_eq!(read_i64(&mut &too_large[..]), None);
        assert_eq!(read_i64(&mut &[0x80][..]), None);
        assert_eq!(read_i64(&mut &[][..]), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(long: i64, short: i32, behind: [u8; 3]) {
            let mut bytes = Vec::new();
            write(&mut bytes, long);
            write(&mut bytes, i64::from(short));
            bytes.extend(behind);
            prop_assert_eq!(bytes.len(), size(long) + size(i64::from(short)) + behind.len());
            let mut input = &bytes[..];
            prop_assert_eq!(read_i64(&mut input), Some(long));
            prop_assert_eq!(read_i32(&mut input), Some(short));
            prop_assert_eq!(input, &behind[..]);
        }
    }
}
