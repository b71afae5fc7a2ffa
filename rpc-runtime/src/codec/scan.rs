//! What is checked of a message before serde sees it, without recursion.
//!
//! serde recurses where values nest, also through values that the target type has no place for. The
//! scans bound that. They and the decoders must agree on where each value begins and ends;
//! otherwise a peer could hide a deep value inside what the scan takes for a string.

use std::fmt;

use super::limits::DecodeLimits;

/// A message that must not reach serde, and the offset where that showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ScanError {
    pub(super) problem: Problem,
    pub(super) offset: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Problem {
    /// Values nest deeper than the limit.
    TooDeep { limit: usize },
    /// The message ends before the value does, or a length is higher than the bytes left.
    Truncated,
    /// There are bytes after the value.
    Trailing { count: usize },
    /// The byte 0xc1, which MessagePack never uses.
    Reserved,
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problem {
            Problem::TooDeep { limit } => {
                write!(f, "values nest deeper than {limit}, the limit `max_depth`")?;
            }
            Problem::Truncated => f.write_str("the message ends inside a value")?,
            Problem::Trailing { count } => write!(f, "{count} bytes follow the value")?,
            Problem::Reserved => f.write_str("the byte 0xc1 is not MessagePack")?,
        }
        write!(f, " at byte {}", self.offset)
    }
}

impl std::error::Error for ScanError {}

/// How the bytes of one MessagePack value go on after its head.
enum Body {
    /// So many bytes without structure.
    Bytes(u64),
    /// So many values.
    Values(u64),
}

/// Checks that `bytes` are exactly one MessagePack value that nests no deeper than `limits` allow.
pub(super) fn message_pack(bytes: &[u8], limits: DecodeLimits) -> Result<(), ScanError> {
    let limit = limits.depth();
    // How many values are still to come in each container around the innermost.
    let mut enclosing = [0_u32; DecodeLimits::HIGHEST_DEPTH];
    let mut depth = 0;
    let mut left = 1_u32;
    let mut rest = bytes;
    loop {
        while left == 0 {
            let Some(outer) = enclosing.get(..depth).and_then(<[u32]>::last) else {
                return check_end(rest, bytes);
            };
            left = *outer;
            depth -= 1;
        }
        left -= 1;
        let offset = bytes.len() - rest.len();
        let error = |problem| ScanError { problem, offset };
        match read_head(&mut rest).map_err(error)? {
            Body::Bytes(length) => {
                let length = usize::try_from(length).map_err(|_| error(Problem::Truncated))?;
                rest = rest.get(length..).ok_or(error(Problem::Truncated))?;
            }
            Body::Values(count) => {
                if depth >= limit {
                    return Err(error(Problem::TooDeep { limit }));
                }
                // Each value takes a byte or more, so a higher count is a lie.
                let count = u32::try_from(count).ok();
                let count = count.filter(|count| *count as usize <= rest.len());
                let slot = enclosing
                    .get_mut(depth)
                    .ok_or(error(Problem::TooDeep { limit }))?;
                *slot = left;
                depth += 1;
                left = count.ok_or(error(Problem::Truncated))?;
            }
        }
    }
}

fn check_end(rest: &[u8], bytes: &[u8]) -> Result<(), ScanError> {
    if rest.is_empty() {
        return Ok(());
    }
    let problem = Problem::Trailing { count: rest.len() };
    Err(ScanError {
        problem,
        offset: bytes.len() - rest.len(),
    })
}

/// Takes the marker and the length of a value off `rest`
/// (<https://github.com/msgpack/msgpack/blob/master/spec.md#formats>).
#[inline]
fn read_head(rest: &mut &[u8]) -> Result<Body, Problem> {
    let [marker] = take(rest)?;
    Ok(match marker {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => Body::Bytes(0),
        0x80..=0x8f => Body::Values(u64::from(marker & 0x0f) * 2),
        0x90..=0x9f => Body::Values(u64::from(marker & 0x0f)),
        0xa0..=0xbf => Body::Bytes(u64::from(marker & 0x1f)),
        0xc1 => return Err(Problem::Reserved),
        // Binary and strings.
        0xc4 | 0xd9 => Body::Bytes(length_8(rest)?),
        0xc5 | 0xda => Body::Bytes(length_16(rest)?),
        0xc6 | 0xdb => Body::Bytes(length_32(rest)?),
        // Extensions have a byte for their type, which the length does not count.
        0xc7 => Body::Bytes(length_8(rest)? + 1),
        0xc8 => Body::Bytes(length_16(rest)? + 1),
        0xc9 => Body::Bytes(length_32(rest)? + 1),
        0xd4..=0xd8 => Body::Bytes((1 << (marker - 0xd4)) + 1),
        // Floats and integers.
        0xcc | 0xd0 => Body::Bytes(1),
        0xcd | 0xd1 => Body::Bytes(2),
        0xca | 0xce | 0xd2 => Body::Bytes(4),
        0xcb | 0xcf | 0xd3 => Body::Bytes(8),
        0xdc => Body::Values(length_16(rest)?),
        0xdd => Body::Values(length_32(rest)?),
        0xde => Body::Values(length_16(rest)? * 2),
        0xdf => Body::Values(length_32(rest)? * 2),
    })
}

fn length_8(rest: &mut &[u8]) -> Result<u64, Problem> {
    take(rest).map(|bytes| u64::from(u8::from_be_bytes(bytes)))
}

fn length_16(rest: &mut &[u8]) -> Result<u64, Problem> {
    take(rest).map(|bytes| u64::from(u16::from_be_bytes(bytes)))
}

fn length_32(rest: &mut &[u8]) -> Result<u64, Problem> {
    take(rest).map(|bytes| u64::from(u32::from_be_bytes(bytes)))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Problem> {
    let (head, tail) = rest.split_first_chunk().ok_or(Problem::Truncated)?;
    *rest = tail;
    Ok(*head)
}

/// Checks that the brackets of a JSON text nest no deeper than `limits` allow.
///
/// Everything else is serde_json's to find. Up to the first mistake in the text both see the same
/// strings and brackets, and serde_json reads no further than that.
pub(super) fn json(bytes: &[u8], limits: DecodeLimits) -> Result<(), ScanError> {
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
                    return Err(ScanError {
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
