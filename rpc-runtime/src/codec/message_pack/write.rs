//! The bytes of MessagePack: heads and integers, in their shortest form
//! (<https://github.com/msgpack/msgpack/blob/master/spec.md#formats>).

use bytes::BytesMut;

use super::error::Error;

/// Nothing, of which there is only one.
pub(super) const NIL: u8 = 0xc0;

/// The markers of what has a length.
pub(super) struct Markers {
    /// The one that has a short length in it.
    short: u8,
    /// Which lengths are short: those below.
    short_end: usize,
    /// The one before a length of 8 bits. Not all have one.
    bits_8: Option<u8>,
    bits_16: u8,
    bits_32: u8,
}

pub(super) const STRING: Markers = Markers {
    short: 0xa0,
    short_end: 32,
    bits_8: Some(0xd9),
    bits_16: 0xda,
    bits_32: 0xdb,
};
pub(super) const BINARY: Markers = Markers {
    short: 0xc4,
    short_end: 0,
    bits_8: Some(0xc4),
    bits_16: 0xc5,
    bits_32: 0xc6,
};
pub(super) const ARRAY: Markers = Markers {
    short: 0x90,
    short_end: 16,
    bits_8: None,
    bits_16: 0xdc,
    bits_32: 0xdd,
};
pub(super) const MAP: Markers = Markers {
    short: 0x80,
    short_end: 16,
    bits_8: None,
    bits_16: 0xde,
    bits_32: 0xdf,
};

impl Markers {
    /// Appends the head of something of this length.
    #[inline]
    pub(super) fn put(&self, length: usize, out: &mut BytesMut) -> Result<(), Error> {
        if length < self.short_end {
            put(out, [self.short | length as u8]);
            return Ok(());
        }
        self.put_long(length, out)
    }

    fn put_long(&self, length: usize, out: &mut BytesMut) -> Result<(), Error> {
        if let (Ok(length), Some(marker)) = (u8::try_from(length), self.bits_8) {
            put(out, [marker, length]);
        } else if let Ok(length) = u16::try_from(length) {
            let [a, b] = length.to_be_bytes();
            put(out, [self.bits_16, a, b]);
        } else if let Ok(length) = u32::try_from(length) {
            let [a, b, c, d] = length.to_be_bytes();
            put(out, [self.bits_32, a, b, c, d]);
        } else {
            return Err(Error::new("MessagePack has no lengths above 2³² - 1"));
        }
        Ok(())
    }

    /// Puts the head where one byte was left for it, before what has been written since.
    pub(super) fn put_before(
        &self,
        length: usize,
        at: usize,
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        let end = out.len();
        self.put(length, out)?;
        // The head, which is at the end now, goes over to the front of the data.
        if let Some(from_placeholder) = out.get_mut(at..) {
            let head_length = from_placeholder.len() - (end - at);
            from_placeholder.rotate_right(head_length);
            from_placeholder.copy_within(head_length + 1.., head_length);
        }
        out.truncate(out.len() - 1);
        Ok(())
    }
}

/// Appends bytes whose number is known when this is compiled.
#[inline]
pub(super) fn put<const N: usize>(out: &mut BytesMut, bytes: [u8; N]) {
    out.extend_from_slice(&bytes);
}

#[inline]
pub(super) fn put_unsigned(out: &mut BytesMut, value: u64) {
    if value < 128 {
        return put(out, [value as u8]);
    }
    put_large(out, value);
}

fn put_large(out: &mut BytesMut, value: u64) {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    match value {
        ..=0xff => put(out, [0xcc, h]),
        0x100..=0xffff => put(out, [0xcd, g, h]),
        0x1_0000..=0xffff_ffff => put(out, [0xce, e, f, g, h]),
        _ => put(out, [0xcf, a, b, c, d, e, f, g, h]),
    }
}

#[inline]
pub(super) fn put_signed(out: &mut BytesMut, value: i64) {
    match u64::try_from(value) {
        Ok(value) => put_unsigned(out, value),
        Err(_) => put_negative(out, value),
    }
}

fn put_negative(out: &mut BytesMut, value: i64) {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    match value {
        -0x20.. => put(out, [h]),
        -0x80..-0x20 => put(out, [0xd0, h]),
        -0x8000..-0x80 => put(out, [0xd1, g, h]),
        -0x8000_0000..-0x8000 => put(out, [0xd2, e, f, g, h]),
        _ => put(out, [0xd3, a, b, c, d, e, f, g, h]),
    }
}

/// Appends an extension.
pub(super) fn put_extension(out: &mut BytesMut, kind: i8, data: &[u8]) -> Result<(), Error> {
    let kind = kind.cast_unsigned();
    match data.len() {
        1 => put(out, [0xd4, kind]),
        2 => put(out, [0xd5, kind]),
        4 => put(out, [0xd6, kind]),
        8 => put(out, [0xd7, kind]),
        16 => put(out, [0xd8, kind]),
        length => {
            EXTENSION.put(length, out)?;
            put(out, [kind]);
        }
    }
    out.extend_from_slice(data);
    Ok(())
}

const EXTENSION: Markers = Markers {
    short: 0xc7,
    short_end: 0,
    bits_8: Some(0xc7),
    bits_16: 0xc8,
    bits_32: 0xc9,
};
