//! How connections begin that speak JSON.

use crate::wire::detect::Detect;

/// Returns whether a connection that begins with these bytes speaks JSON: the first byte that is no
/// white space opens an object or an array.
pub(crate) fn detect(bytes: &[u8]) -> Detect {
    match bytes.trim_ascii_start().first() {
        None => Detect::NeedMore,
        Some(b'{' | b'[') => Detect::Yes,
        Some(_) => Detect::No,
    }
}
