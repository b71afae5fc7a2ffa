//! Unsigned LEB128: seven bits a byte, lowest first, the high bit set on all bytes but the last.

use std::ops::Deref;

use bytes::{BufMut, BytesMut};

use super::field::{FieldError, FieldProblem};

/// The most bytes that a 64-bit number takes.
pub(crate) const MAX_VARINT_LENGTH: usize = 10;

/// A number with up to a byte before it, encoded: written with one append, and kept without an
/// allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Encoded {
    bytes: [u8; MAX_VARINT_LENGTH + 2],
    length: usize,
}

impl Encoded {
    /// Encodes a number behind `before`, of at most two bytes.
    #[inline]
    pub(crate) fn behind<const N: usize>(before: [u8; N], mut value: u64) -> Self {
        let mut bytes = [0; MAX_VARINT_LENGTH + 2];
        let mut length = 0;
        for (place, byte) in bytes.iter_mut().zip(before) {
            *place = byte;
            length += 1;
        }
        for place in bytes.iter_mut().skip(N) {
            length += 1;
            // The mask leaves seven bits, so nothing is cut off.
            *place = (value & 0x7F) as u8;
            value >>= 7;
            if value == 0 {
                break;
            }
            *place |= 0x80;
        }
        Self { bytes, length }
    }
}

impl Deref for Encoded {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// Encodes a number.
#[inline]
pub(crate) fn varint(value: u64) -> Encoded {
    Encoded::behind([], value)
}

#[inline]
pub(crate) fn put_varint(out: &mut BytesMut, value: u64) {
    // One byte is by far the most frequent.
    match u8::try_from(value) {
        Ok(byte @ 0..0x80) => out.put_u8(byte),
        _ => out.put_slice(&varint(value)),
    }
}

/// Returns how many bytes [`put_varint`] writes.
pub(crate) fn varint_length(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    bits.div_ceil(7) as usize
}

/// Takes a number off the front of `bytes`. Padded forms are read too.
///
/// # Errors
///
/// The bytes end within the number, or it does not fit 64 bits. `bytes` then stays as it was.
#[inline]
pub(crate) fn get_varint(bytes: &mut &[u8]) -> Result<u64, FieldError> {
    match *bytes {
        [byte @ 0..0x80, rest @ ..] => {
            *bytes = rest;
            Ok(u64::from(*byte))
        }
        _ => get_long_varint(bytes),
    }
}

fn get_long_varint(bytes: &mut &[u8]) -> Result<u64, FieldError> {
    let mut value = 0_u64;
    for (position, byte) in bytes.iter().take(MAX_VARINT_LENGTH).enumerate() {
        let group = u64::from(byte & 0x7F);
        let shift = position * 7;
        // The tenth byte has room for one bit.
        if shift == 63 && group > 1 {
            return Err(FieldError::block(FieldProblem::NumberTooLarge));
        }
        value |= group << shift;
        if byte & 0x80 == 0 {
            *bytes = bytes.get(position + 1..).unwrap_or_default();
            return Ok(value);
        }
    }
    let problem = match bytes.len() < MAX_VARINT_LENGTH {
        true => FieldProblem::Truncated,
        false => FieldProblem::NumberTooLarge,
    };
    Err(FieldError::block(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(value: u64) -> BytesMut {
        let mut out = BytesMut::new();
        put_varint(&mut out, value);
        out
    }

    #[test]
    fn numbers_survive_and_every_truncation_is_an_error() {
        let mut values = vec![0, 1, 127, 128, 300, 16_383, 16_384, u64::MAX - 1, u64::MAX];
        values.extend((0..64).flat_map(|bit| [1_u64 << bit, (1_u64 << bit) - 1]));
        for value in values {
            let bytes = encoded(value);
            assert_eq!(bytes.len(), varint_length(value), "{value}");
            let mut rest = bytes.as_ref();
            assert_eq!(get_varint(&mut rest), Ok(value));
            assert!(rest.is_empty());
            for length in 0..bytes.len() {
                let mut rest = &bytes[..length];
                let error = get_varint(&mut rest).unwrap_err();
                assert_eq!(error.problem(), &FieldProblem::Truncated);
                assert_eq!(rest.len(), length);
            }
        }
        assert_eq!(encoded(300), [0xAC, 0x02].as_slice());
    }

    #[test]
    fn padded_numbers_are_read_and_oversized_ones_refused() {
        let mut padded: &[u8] = &[0x85, 0x80, 0x80, 0x00, 0xFF];
        assert_eq!(get_varint(&mut padded), Ok(5));
        assert_eq!(padded, [0xFF]);
        let oversized: [&[u8]; 3] = [
            &[0xFF; 10],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],
            &[0x80; 11],
        ];
        for bytes in oversized {
            let error = get_varint(&mut &*bytes).unwrap_err();
            assert_eq!(error.problem(), &FieldProblem::NumberTooLarge);
        }
    }
}
