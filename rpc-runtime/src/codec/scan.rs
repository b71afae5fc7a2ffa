//! What is checked of a JSON text before serde sees it, without recursion.

use super::limits::DecodeLimits;
use super::malformed::{Malformed, Problem};

/// Checks that the brackets of a JSON text nest no deeper than `limits` allow.
///
/// Everything else is serde_json's to find. Up to the first mistake in the text both see the same
/// strings and brackets, and serde_json reads no further than that.
pub(super) fn json(bytes: &[u8], limits: DecodeLimits) -> Result<(), Malformed> {
    let limit = limits.depth();
    // Most messages have fewer brackets than the limit, and counting them is much faster.
    if count_opening_brackets(bytes) <= limit {
        return Ok(());
    }
    let mut depth = 0_usize;
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => skip_json_string(&mut rest),
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    let offset = bytes.len() - rest.len() - 1;
                    return Err(Malformed {
                        problem: Problem::TooDeep { limit },
                        offset,
                    });
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Counts the brackets that open something, in strings too.
fn count_opening_brackets(bytes: &[u8]) -> usize {
    // `[` and `{` differ in one bit only. Sums of bytes in short chunks are what vectorizes best.
    let count_in = |chunk: &[u8]| {
        chunk
            .iter()
            .map(|byte| u8::from(byte | 0x20 == b'{'))
            .sum::<u8>()
    };
    bytes
        .chunks(128)
        .map(|chunk| usize::from(count_in(chunk)))
        .sum()
}

fn skip_json_string(rest: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = rest.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                rest.next();
            }
            _ => {}
        }
    }
}
