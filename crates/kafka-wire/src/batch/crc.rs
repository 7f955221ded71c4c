//! CRC-32C of a batch: verified over all bytes, or patched from the header's bytes alone.
//!
//! A CRC register is affine over GF(2) in its start value and in the message. For two messages of
//! equal length the start value and the final XOR cancel, so `crc(M) ^ crc(M')` is the register that
//! starts at 0 and reads `M ^ M'`. The old and the new batch differ in the 40 header bytes H that
//! the CRC covers; the t bytes behind them are equal, `M ^ M'` ends in t zero bytes, and each zero
//! byte multiplies the register by x⁸ modulo the polynomial P:
//!
//! ```text
//! crc_new = crc_old ^ mul( x^(8t) mod P , crc32c(H_old) ^ crc32c(H_new) )
//! ```
//!
//! x^(8t) is the product of one table entry per non-zero byte of t: `K[i][j] = x^(8·j·256^i)`.
//! The cost does not depend on the size of the batch.
//!
//! Invariant: a value is *patched* for bytes that came from elsewhere, so that a bit flipped on the
//! way still disagrees with it. [`recompute_crc`] is for bytes that were made here.

use super::{CRC_COVERS_FROM, CRC_POSITION, HEADER_SIZE, LENGTH_END};

/// Header bytes that the CRC covers.
pub(super) const COVERED_SIZE: usize = HEADER_SIZE - CRC_COVERS_FROM;

/// The Castagnoli polynomial, reflected: bit 31 is x⁰.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// x⁰ in this notation.
const ONE: u32 = 0x8000_0000;

/// x⁸ in this notation: what one zero byte multiplies by.
const ONE_BYTE: u32 = 0x0080_0000;

/// `K[i][j]` = x^(8·j·256^i) mod P.
static ZERO_BYTES: [[u32; 256]; 4] = zero_bytes();

const fn zero_bytes() -> [[u32; 256]; 4] {
    let mut table = [[ONE; 256]; 4];
    let mut unit = ONE_BYTE;
    let mut place = 0;
    while place < 4 {
        let mut count = 1;
        while count < 256 {
            table[place][count] = multiply(table[place][count - 1], unit);
            count += 1;
        }
        unit = multiply(table[place][255], unit);
        place += 1;
    }
    table
}

/// Product of two polynomials modulo P. Without branches: the bits are unpredictable.
const fn multiply(a: u32, b: u32) -> u32 {
    let mut product = 0;
    let mut shifted = b;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        product ^= shifted & 0_u32.wrapping_sub((a >> bit) & 1);
        shifted = (shifted >> 1) ^ (POLYNOMIAL & 0_u32.wrapping_sub(shifted & 1));
    }
    product
}

/// `register` after `count` more zero bytes: `register`·x^(8·count) mod P.
#[inline]
fn after_zero_bytes(register: u32, count: u32) -> u32 {
    let mut result = register;
    for (table, byte) in ZERO_BYTES.iter().zip(count.to_le_bytes()) {
        if byte != 0 {
            result = multiply(table[usize::from(byte)], result);
        }
    }
    result
}

/// The CRC of a batch whose covered header bytes change from `old` to `new`, and whose `tail` bytes
/// behind the header stay. `crc` is the stored one, right or wrong: if it was wrong before, the
/// result is wrong after.
#[inline]
pub(super) fn patch(
    crc: u32,
    old: &[u8; COVERED_SIZE],
    new: &[u8; COVERED_SIZE],
    tail: u32,
) -> u32 {
    crc ^ after_zero_bytes(crc32c::crc32c(old) ^ crc32c::crc32c(new), tail)
}

/// Whether `batch`, one whole batch, agrees with the CRC in its header. One pass over all bytes.
///
/// `false` also where the bytes are not exactly one batch by its own length.
#[must_use]
pub fn verify_crc(batch: &[u8]) -> bool {
    let Some(header) = super::BatchHeader::of(batch) else {
        return false;
    };
    // The batch is at least 61 bytes long here; a length over i64 does not exist.
    let length = i64::try_from(batch.len()).unwrap_or(i64::MAX);
    header.size() == length && header.crc() == crc32c::crc32c(&batch[CRC_COVERS_FROM..])
}

/// Computes the CRC of a batch **made here** (built, filled or encoded after its origin was
/// verified) and stores it in the header.
///
/// Never for bytes as they came from a broker: a new CRC over unverified bytes makes damage look
/// sound. Those go through [`rewrite_header`](super::rewrite_header).
pub fn recompute_crc(header: &mut [u8; HEADER_SIZE], payload: &[u8]) {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&header[CRC_COVERS_FROM..]), payload);
    header[CRC_POSITION..CRC_COVERS_FROM].copy_from_slice(&crc.to_be_bytes());
}

const _: () =
    assert!(COVERED_SIZE == 40 && CRC_POSITION + 4 == CRC_COVERS_FROM && LENGTH_END == 12);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_library_computes_the_castagnoli_crc() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn zero_bytes_multiply_as_the_published_vectors_say() {
        let vectors = [
            (0, 0x8000_0000),
            (1, 0x0080_0000),
            (2, 0x0000_8000),
            (255, 0x37ef_50ea),
            (256, 0x88e5_6f72),
            (1_000, 0x443d_3eb3),
            (65_536, 0xfe77_40e6),
            (1_048_527, 0x482d_7752),
            (16_777_215, 0x5fc7_6321),
            (104_857_600, 0x8973_a6d6),
        ];
        for (count, expected) in vectors {
            assert_eq!(after_zero_bytes(ONE, count), expected, "{count} zero bytes");
        }
    }

    #[test]
    fn only_exactly_one_batch_verifies() {
        let batch = crate::batch::BatchBuilder::new(0)
            .record(None, Some(b"value"))
            .build();
        assert!(verify_crc(&batch));
        for length in [0, 20, 60, 61, batch.len() - 1] {
            assert!(!verify_crc(&batch[..length]), "{length} bytes");
        }
        // The CRC does not cover the length, so the length is compared for itself.
        let mut longer = batch.to_vec();
        longer[11] += 1;
        assert!(!verify_crc(&longer));
    }

    proptest! {
        #[test]
        fn zero_bytes_multiply_as_the_library_combines(register: u32, count: u32) {
            let combined = crc32c::crc32c_combine(register, 0, count as usize);
            prop_assert_eq!(after_zero_bytes(register, count), combined);
        }

        #[test]
        fn a_patched_crc_equals_a_computed_one(
            old in prop::array::uniform32(any::<u8>()),
            new in prop::array::uniform32(any::<u8>()),
            ends: [u64; 2],
            tail in prop::collection::vec(any::<u8>(), 0..2_000),
        ) {
            let covered = |start: [u8; 32], end: u64| {
                let mut bytes = [0; COVERED_SIZE];
                bytes[..32].copy_from_slice(&start);
                bytes[32..].copy_from_slice(&end.to_be_bytes());
                bytes
            };
            let (old, new) = (covered(old, ends[0]), covered(new, ends[1]));
            let whole = |header: &[u8]| crc32c::crc32c_append(crc32c::crc32c(header), &tail);
            prop_assert_eq!(patch(whole(&old), &old, &new, tail.len() as u32), whole(&new));
        }
    }
}
