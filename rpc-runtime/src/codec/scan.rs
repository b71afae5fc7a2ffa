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

/// Checks that `bytes` are exactly one MessagePack value that nests no deeper than `limits` allow.
pub(super) fn message_pack(bytes: &[u8], limits: DecodeLimits) -> Result<(), ScanError> {
    let mut containers = Containers::new(limits.depth());
    let mut rest = bytes;
    while containers.take_value() {
        let value = rest;
        check_value(&mut rest, &mut containers).map_err(|problem| ScanError {
            problem,
            offset: bytes.len() - value.len(),
        })?;
    }
    if rest.is_empty() {
        return Ok(());
    }
    let count = rest.len();
    Err(ScanError {
        problem: Problem::Trailing { count },
        offset: bytes.len() - count,
    })
}

/// Takes one value off `rest`; of a container, only the head.
#[inline]
fn check_value(rest: &mut &[u8], containers: &mut Containers) -> Result<(), Problem> {
    let marker = rest.first().ok_or(Problem::Truncated)?;
    let size = FIXED_SIZES.get(usize::from(*marker)).copied().unwrap_or(0);
    if size != 0 {
        *rest = rest.get(usize::from(size)..).ok_or(Problem::Truncated)?;
        return Ok(());
    }
    match read_head(rest)? {
        Body::Bytes(length) => {
            let length = usize::try_from(length).map_err(|_| Problem::Truncated)?;
            *rest = rest.get(length..).ok_or(Problem::Truncated)?;
            Ok(())
        }
        Body::Values(count) => {
            // Each value takes a byte or more, so a higher count is a lie.
            let count = u32::try_from(count).map_err(|_| Problem::Truncated)?;
            if count as usize > rest.len() {
                return Err(Problem::Truncated);
            }
            containers.enter(count)
        }
    }
}

/// The containers that the scan is inside of.
struct Containers {
    limit: usize,
    depth: usize,
    /// How many values are still to come in the innermost one; at first, the message itself.
    left: u32,
    /// The same of those around it, from the outside in.
    enclosing: [u32; DecodeLimits::HIGHEST_DEPTH],
}

impl Containers {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            depth: 0,
            left: 1,
            enclosing: [0; DecodeLimits::HIGHEST_DEPTH],
        }
    }

    /// Counts one value, and returns whether there is one to come.
    #[inline]
    fn take_value(&mut self) -> bool {
        while self.left == 0 {
            let Some(outer) = self.enclosing.get(..self.depth).and_then(<[u32]>::last) else {
                return false;
            };
            self.left = *outer;
            self.depth -= 1;
        }
        self.left -= 1;
        true
    }

    #[inline]
    fn enter(&mut self, count: u32) -> Result<(), Problem> {
        let limit = self.limit;
        let slot = self
            .enclosing
            .get_mut(..limit)
            .and_then(|slots| slots.get_mut(self.depth));
        *slot.ok_or(Problem::TooDeep { limit })? = self.left;
        self.depth += 1;
        self.left = count;
        Ok(())
    }
}

/// How many bytes a value takes, by its marker, where that is all there is to know of it; else 0
/// (<https://github.com/msgpack/msgpack/blob/master/spec.md#formats>).
///
/// Most values are of this kind, and a table spares the branches that a processor mispredicts.
const FIXED_SIZES: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut marker = 0_u8;
    loop {
        sizes[marker as usize] = match marker {
            // Small integers, nil and booleans; then short strings.
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => 1,
            0xa0..=0xbf => 1 + (marker & 0x1f),
            // Integers and floats.
            0xcc | 0xd0 => 1 + 1,
            0xcd | 0xd1 => 1 + 2,
            0xca | 0xce | 0xd2 => 1 + 4,
            0xcb | 0xcf | 0xd3 => 1 + 8,
            // Extensions have a byte for their type.
            0xd4..=0xd8 => 1 + 1 + (1 << (marker - 0xd4)),
            _ => 0,
        };
        if marker == u8::MAX {
            break sizes;
        }
        marker += 1;
    }
};

/// How a MessagePack value that has no fixed size goes on after its head.
enum Body {
    /// So many bytes without structure.
    Bytes(u64),
    /// So many values.
    Values(u64),
}

/// Takes the marker and the length of a value that has no fixed size off `rest`.
#[inline]
fn read_head(rest: &mut &[u8]) -> Result<Body, Problem> {
    let [marker] = take(rest)?;
    Ok(match marker {
        0x80..=0x8f => Body::Values(u64::from(marker & 0x0f) * 2),
        0x90..=0x9f => Body::Values(u64::from(marker & 0x0f)),
        0xdc => Body::Values(length_16(rest)?),
        0xdd => Body::Values(length_32(rest)?),
        0xde => Body::Values(length_16(rest)? * 2),
        0xdf => Body::Values(length_32(rest)? * 2),
        // Binary and strings.
        0xc4 | 0xd9 => Body::Bytes(length_8(rest)?),
        0xc5 | 0xda => Body::Bytes(length_16(rest)?),
        0xc6 | 0xdb => Body::Bytes(length_32(rest)?),
        // Extensions have a byte for their type, which the length does not count.
        0xc7 => Body::Bytes(length_8(rest)? + 1),
        0xc8 => Body::Bytes(length_16(rest)? + 1),
        0xc9 => Body::Bytes(length_32(rest)? + 1),
        // All others have a fixed size.
        _ => return Err(Problem::Reserved),
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
