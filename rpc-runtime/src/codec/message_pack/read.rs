//! The bytes of MessagePack: [`Reader`], which keeps every limit, whatever serde asks it for.

use super::error::Error;
use crate::codec::limits::DecodeLimits;
use crate::codec::malformed::{Malformed, Problem};
use crate::codec::memory::Memory;
use crate::codec::stack::Stack;

/// What stands in a message, with its data; of a container only how long it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token<'de> {
    Nil,
    Bool(bool),
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    I8(i8),
    I16(i16),
    I32(i32),
    I64(i64),
    F32(f32),
    F64(f64),
    /// Not yet known to be UTF-8.
    Str(&'de [u8]),
    Bin(&'de [u8]),
    Ext(i8, &'de [u8]),
    /// So many values.
    Array(u32),
    /// So many keys, and as many values.
    Map(u32),
}

/// Reads the values of a message, and keeps count of what is promised and how deep it is.
///
/// Whoever goes into a container goes through [`enter`](Self::enter): that is what keeps serde's
/// recursion within the limit, and what serde reserves within what the message can hold.
#[derive(Debug)]
pub(super) struct Reader<'de> {
    rest: &'de [u8],
    length: usize,
    /// How many levels may still be entered.
    pub(super) levels_left: usize,
    pub(super) limit: usize,
    /// How many values are still to come in the containers that were entered.
    owed: usize,
    /// Where the last `Some` was, as bytes left, and how many were there one inside the other.
    somes: (usize, usize),
    stack: Stack,
    memory: Memory,
    malformed: Option<Malformed>,
}

/// What [`Reader::leave`] goes back to.
#[derive(Clone, Copy)]
pub(super) struct Outside {
    levels_left: usize,
    owed: usize,
}

impl<'de> Reader<'de> {
    #[inline]
    pub(super) fn new(bytes: &'de [u8], limits: DecodeLimits) -> Self {
        let limit = limits.depth();
        Self {
            rest: bytes,
            length: bytes.len(),
            levels_left: limit,
            limit,
            owed: 0,
            somes: (usize::MAX, 0),
            stack: Stack::new(limits),
            memory: Memory::new(limits, bytes.len()),
            malformed: None,
        }
    }

    /// Returns how many bytes have been read.
    pub(super) fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Returns what is wrong with the message, as far as it was read.
    pub(super) fn malformed(&self) -> Option<Malformed> {
        self.malformed
    }

    /// Checks that the message was read to its end, all of it well.
    #[inline]
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        // A visitor may have gone on after an error.
        if let Some(malformed) = self.malformed {
            return Err(malformed);
        }
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(Malformed {
            problem: Problem::Trailing {
                count: self.rest.len(),
            },
            offset: self.position(),
        })
    }

    /// Returns the first byte of the next value.
    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Takes the next byte if it is this one.
    #[inline]
    pub(super) fn take_if(&mut self, marker: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == marker => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Takes an unsigned integer of 8 bits, if one comes next.
    #[inline]
    pub(super) fn take_u8(&mut self) -> Option<u8> {
        let (value, rest) = match self.rest {
            [small @ 0x00..=0x7f, rest @ ..] => (small, rest),
            [0xcc, value, rest @ ..] => (value, rest),
            _ => return None,
        };
        self.rest = rest;
        Some(*value)
    }

    /// Takes a string whose length is in its marker, if one comes next.
    #[inline]
    pub(super) fn take_short_string(&mut self) -> Option<&'de [u8]> {
        let (marker @ 0xa0..=0xbf, rest) = self.rest.split_first()? else {
            return None;
        };
        let (string, rest) = rest.split_at_checked(usize::from(marker & 0x1f))?;
        self.rest = rest;
        Some(string)
    }

    /// Takes the next value; of a container, only the head, which must then be
    /// [entered](Self::enter).
    #[inline]
    pub(super) fn token(&mut self) -> Result<Token<'de>, Error> {
        let start = self.rest;
        read_token(&mut self.rest).map_err(|problem| self.fail(problem, start))
    }

    /// Like [`token`](Self::token), for where a short container is most likely.
    #[inline]
    pub(super) fn container_token(&mut self) -> Result<Token<'de>, Error> {
        match self.rest {
            [marker @ 0x80..=0x8f, rest @ ..] => {
                self.rest = rest;
                Ok(Token::Map(u32::from(marker & 0x0f)))
            }
            [marker @ 0x90..=0x9f, rest @ ..] => {
                self.rest = rest;
                Ok(Token::Array(u32::from(marker & 0x0f)))
            }
            _ => self.token(),
        }
    }

    /// Takes an unsigned integer of any size, if one comes next.
    #[inline]
    pub(super) fn take_unsigned(&mut self) -> Option<u64> {
        let (value, rest) = match self.rest {
            [small @ 0x00..=0x7f, rest @ ..] => (u64::from(*small), rest),
            [0xcc, value, rest @ ..] => (u64::from(*value), rest),
            [0xcd, a, b, rest @ ..] => (u64::from(u16::from_be_bytes([*a, *b])), rest),
            [0xce, a, b, c, d, rest @ ..] => {
                (u64::from(u32::from_be_bytes([*a, *b, *c, *d])), rest)
            }
            [0xcf, a, b, c, d, e, f, g, h, rest @ ..] => {
                let bytes = [*a, *b, *c, *d, *e, *f, *g, *h];
                (u64::from_be_bytes(bytes), rest)
            }
            _ => return None,
        };
        self.rest = rest;
        Some(value)
    }

    /// Goes into a container of so many values, whose head has just been taken.
    #[inline]
    pub(super) fn enter(&mut self, values: u64, start: &'de [u8]) -> Result<Outside, Error> {
        let outside = Outside {
            levels_left: self.levels_left,
            owed: self.owed,
        };
        // Each value takes a byte or more, so a higher count is a lie.
        let owed = usize::try_from(values).map_or(usize::MAX, |it| self.owed.saturating_add(it));
        if owed > self.rest.len() {
            return Err(self.fail(Problem::Truncated, start));
        }
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => self.levels_left = levels_left,
            None => return Err(self.fail(Problem::TooDeep { limit: self.limit }, start)),
        }
        if self.stack.ends_here() {
            let limit = self.stack.limit();
            return Err(self.fail(Problem::NoStack { limit }, start));
        }
        self.owed = owed;
        Ok(outside)
    }

    /// Counts values of the container that are read now.
    #[inline]
    pub(super) fn take_owed(&mut self, values: usize) {
        self.owed = self.owed.saturating_sub(values);
    }

    /// Counts the memory of an element that is read next.
    #[inline]
    pub(super) fn add<T>(&mut self) -> Result<(), Error> {
        match self.memory.add::<T>() {
            true => Ok(()),
            false => Err(self.too_large()),
        }
    }

    /// Notes that a part of a value is read next, which was counted with it.
    #[inline]
    pub(super) fn put<T>(&mut self) {
        self.memory.put::<T>();
    }

    /// Counts the memory that a value takes beyond its place.
    #[inline]
    pub(super) fn fill<T>(&mut self) -> Result<(), Error> {
        match self.memory.fill::<T>() {
            true => Ok(()),
            false => Err(self.too_large()),
        }
    }

    #[cold]
    #[inline(never)]
    fn too_large(&mut self) -> Error {
        let limit = self.memory.limit();
        self.fail(Problem::TooLarge { limit }, self.rest)
    }

    #[inline]
    pub(super) fn leave(&mut self, outside: Outside) {
        self.levels_left = outside.levels_left;
        self.owed = outside.owed;
    }

    /// Returns the bytes that are left, for [`enter`](Self::enter) to say where a value starts.
    #[inline]
    pub(super) fn rest(&self) -> &'de [u8] {
        self.rest
    }

    /// Counts a `Some`, which takes no byte: a type that is only that again and again, such as
    /// `struct Endless(Option<Box<Endless>>)`, recurses without ever reading.
    #[inline]
    pub(super) fn enter_some(&mut self) -> Result<(), Error> {
        let (at, count) = &mut self.somes;
        if *at != self.rest.len() {
            self.somes = (self.rest.len(), 0);
            return Ok(());
        }
        *count += 1;
        if *count > self.limit {
            return Err(self.fail(Problem::TooDeep { limit: self.limit }, self.rest));
        }
        Ok(())
    }

    /// Notes what is wrong with the message; the first time counts.
    #[cold]
    #[inline(never)]
    pub(super) fn fail(&mut self, problem: Problem, start: &[u8]) -> Error {
        let offset = self.length - start.len();
        let malformed = *self.malformed.get_or_insert(Malformed { problem, offset });
        Error::new(malformed)
    }
}

/// Takes a value off `rest`; of a container, only the head
/// (<https://github.com/msgpack/msgpack/blob/master/spec.md#formats>).
fn read_token<'de>(rest: &mut &'de [u8]) -> Result<Token<'de>, Problem> {
    let [marker] = take(rest)?;
    Ok(match marker {
        0x00..=0x7f => Token::U8(marker),
        0x80..=0x8f => Token::Map(u32::from(marker & 0x0f)),
        0x90..=0x9f => Token::Array(u32::from(marker & 0x0f)),
        0xa0..=0xbf => Token::Str(take_slice(rest, u32::from(marker & 0x1f))?),
        0xc0 => Token::Nil,
        0xc1 => return Err(Problem::Reserved),
        0xc2 => Token::Bool(false),
        0xc3 => Token::Bool(true),
        0xc4 => Token::Bin(take_slice_8(rest)?),
        0xc5 => Token::Bin(take_slice_16(rest)?),
        0xc6 => Token::Bin(take_slice_32(rest)?),
        0xc7..=0xc9 | 0xd4..=0xd8 => read_extension(marker, rest)?,
        0xca => Token::F32(f32::from_be_bytes(take(rest)?)),
        0xcb => Token::F64(f64::from_be_bytes(take(rest)?)),
        0xcc => Token::U8(u8::from_be_bytes(take(rest)?)),
        0xcd => Token::U16(u16::from_be_bytes(take(rest)?)),
        0xce => Token::U32(u32::from_be_bytes(take(rest)?)),
        0xcf => Token::U64(u64::from_be_bytes(take(rest)?)),
        0xd0 => Token::I8(i8::from_be_bytes(take(rest)?)),
        0xd1 => Token::I16(i16::from_be_bytes(take(rest)?)),
        0xd2 => Token::I32(i32::from_be_bytes(take(rest)?)),
        0xd3 => Token::I64(i64::from_be_bytes(take(rest)?)),
        0xd9 => Token::Str(take_slice_8(rest)?),
        0xda => Token::Str(take_slice_16(rest)?),
        0xdb => Token::Str(take_slice_32(rest)?),
        0xdc => Token::Array(u32::from(u16::from_be_bytes(take(rest)?))),
        0xdd => Token::Array(u32::from_be_bytes(take(rest)?)),
        0xde => Token::Map(u32::from(u16::from_be_bytes(take(rest)?))),
        0xdf => Token::Map(u32::from_be_bytes(take(rest)?)),
        0xe0..=0xff => Token::I8(marker.cast_signed()),
    })
}

/// Takes an extension, whose length does not count the byte for its type.
#[cold]
fn read_extension<'de>(marker: u8, rest: &mut &'de [u8]) -> Result<Token<'de>, Problem> {
    let length = match marker {
        0xc7 => u32::from(u8::from_be_bytes(take(rest)?)),
        0xc8 => u32::from(u16::from_be_bytes(take(rest)?)),
        0xc9 => u32::from_be_bytes(take(rest)?),
        // 0xd4 to 0xd8 have 1, 2, 4, 8 and 16 bytes.
        _ => 1 << (marker & 0x0f).saturating_sub(4),
    };
    let kind = i8::from_be_bytes(take(rest)?);
    Ok(Token::Ext(kind, take_slice(rest, length)?))
}

#[inline]
fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Problem> {
    let (head, tail) = rest.split_first_chunk().ok_or(Problem::Truncated)?;
    *rest = tail;
    Ok(*head)
}

#[inline]
fn take_slice<'de>(rest: &mut &'de [u8], length: u32) -> Result<&'de [u8], Problem> {
    let length = usize::try_from(length).map_err(|_| Problem::Truncated)?;
    let (slice, tail) = rest.split_at_checked(length).ok_or(Problem::Truncated)?;
    *rest = tail;
    Ok(slice)
}

fn take_slice_8<'de>(rest: &mut &'de [u8]) -> Result<&'de [u8], Problem> {
    let length = u8::from_be_bytes(take(rest)?);
    take_slice(rest, u32::from(length))
}

fn take_slice_16<'de>(rest: &mut &'de [u8]) -> Result<&'de [u8], Problem> {
    let length = u16::from_be_bytes(take(rest)?);
    take_slice(rest, u32::from(length))
}

fn take_slice_32<'de>(rest: &mut &'de [u8]) -> Result<&'de [u8], Problem> {
    let length = u32::from_be_bytes(take(rest)?);
    take_slice(rest, length)
}
