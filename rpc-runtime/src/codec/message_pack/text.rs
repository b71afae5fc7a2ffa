//! Strings, most of which are short.

use ascii::AsciiStr;
use serde::de::Visitor;

use super::error::Error;

/// Strings of fewer bytes are tried as ASCII first.
const SHORT: usize = 64;

/// Visits a string, or its bytes if it is not UTF-8 and they are welcome too.
#[inline]
pub(super) fn visit_string<'de, V: Visitor<'de>>(
    bytes: &'de [u8],
    visitor: V,
) -> Result<V::Value, Error> {
    // Most short strings are ASCII, which is quicker to find out than that they are UTF-8.
    if bytes.len() < SHORT
        && let Ok(text) = AsciiStr::from_ascii(bytes)
    {
        return visitor.visit_borrowed_str(text.as_str());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => visitor.visit_borrowed_str(text),
        Err(reason) => visitor
            .visit_borrowed_bytes(bytes)
            .map_err(|_: Error| Error::new(format_args!("a string is not UTF-8: {reason}"))),
    }
}

/// Compares what is short without a call.
#[inline]
pub(super) fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && match a.len() {
            0..4 => a.iter().zip(b).all(|(a, b)| a == b),
            // Two words that overlap are all of it.
            4..8 => have_same_ends::<4>(a, b),
            8..=16 => have_same_ends::<8>(a, b),
            _ => a == b,
        }
}

#[inline]
fn have_same_ends<const N: usize>(a: &[u8], b: &[u8]) -> bool {
    let starts = (a.first_chunk::<N>(), b.first_chunk());
    let ends = (a.last_chunk::<N>(), b.last_chunk());
    let ((Some(start_a), Some(start_b)), (Some(end_a), Some(end_b))) = (starts, ends) else {
        return false;
    };
    start_a == start_b && end_a == end_b
}
