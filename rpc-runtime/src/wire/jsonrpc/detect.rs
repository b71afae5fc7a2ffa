//! How connections begin that speak JSON.

use crate::wire::detect::Detect;

/// The highest first byte of a length, below every byte that JSON can begin with: of 144 MiB.
const HIGHEST_LENGTH: u8 = 0x08;

/// Returns whether a connection that begins with these bytes speaks JSON on lines: the first byte
/// that is no white space opens an object or an array.
pub(crate) fn detect_lines(bytes: &[u8]) -> Detect {
    match bytes.trim_ascii_start().first() {
        None => Detect::NeedMore,
        Some(b'{' | b'[') => Detect::Yes,
        Some(_) => Detect::No,
    }
}

/// Returns whether a connection begins with the length of an object, and with that object.
pub(crate) fn detect_lengths(bytes: &[u8]) -> Detect {
    match bytes {
        [] | [..=HIGHEST_LENGTH] | [..=HIGHEST_LENGTH, _] | [..=HIGHEST_LENGTH, _, _] => {
            Detect::NeedMore
        }
        [..=HIGHEST_LENGTH, _, _, _] => Detect::NeedMore,
        [..=HIGHEST_LENGTH, _, _, _, b'{', ..] => Detect::Yes,
        _ => Detect::No,
    }
}
