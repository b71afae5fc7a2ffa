//! The head of a frame: RFC 6455, section 5.2.

use bytes::{BufMut, BytesMut};

use super::close::{MOST_CONTROL, Violation};
use super::mask::mask;

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn number(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The head of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Head {
    /// It ends its message.
    pub(super) is_last: bool,
    /// The first reserved bit: the message is compressed (RFC 7692, section 6).
    pub(super) is_compressed: bool,
    pub(super) opcode: Opcode,
    pub(super) key: Option<[u8; 4]>,
    pub(super) length: u64,
}

impl Head {
    /// Reads a head, and says how many bytes it takes; `None` if there are not enough.
    ///
    /// # Errors
    ///
    /// What no frame may be.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some(&[first, second]) = bytes.first_chunk() else {
            return Ok(None);
        };
        if first & 0x30 != 0 {
            return Err(Violation::protocol("a reserved bit of a frame is set"));
        }
        let opcode = Opcode::from_number(first & 0x0F)
            .ok_or_else(|| Violation::protocol("a frame is of a kind that does not exist"))?;
        let is_last = first & 0x80 != 0;
        let is_compressed = first & 0x40 != 0;
        let short = second & 0x7F;
        let is_small = is_last && !is_compressed && usize::from(short) <= MOST_CONTROL;
        if opcode.is_control() && !is_small {
            let text = "a control frame is larger than it may be, in parts or compressed";
            return Err(Violation::protocol(text));
        }
        let rest = bytes.get(2..).unwrap_or_default();
        let Some((length, rest)) = read_length(short, rest)? else {
            return Ok(None);
        };
        let (key, rest) = match (second & 0x80 != 0, rest.split_first_chunk()) {
            (false, _) => (None, rest),
            (true, Some((key, rest))) => (Some(*key), rest),
            (true, None) => return Ok(None),
        };
        let head = Self {
            is_last,
            is_compressed,
            opcode,
            key,
            length,
        };
        Ok(Some((head, bytes.len() - rest.len())))
    }

    fn write(&self, out: &mut BytesMut) {
        let last = if self.is_last { 0x80 } else { 0 };
        let compressed = if self.is_compressed { 0x40 } else { 0 };
        out.put_u8(last | compressed | self.opcode.number());
        let masked = if self.key.is_some() { 0x80 } else { 0 };
        match self.length {
            short @ ..=125 => out.put_u8(masked | short as u8),
            medium @ ..=0xFFFF => {
                out.put_u8(masked | 126);
                out.put_u16(medium as u16);
            }
            long => {
                out.put_u8(masked | 127);
                out.put_u64(long);
            }
        }
        if let Some(key) = self.key {
            out.put_slice(&key);
        }
    }
}

/// Reads a length that does not fit into seven bits.
fn read_length(short: u8, bytes: &[u8]) -> Result<Option<(u64, &[u8])>, Violation> {
    Ok(match short {
        126 => bytes
            .split_first_chunk()
            .map(|(length, rest)| (u64::from(u16::from_be_bytes(*length)), rest)),
        127 => match bytes.split_first_chunk() {
            Some((length, rest)) => {
                let length = u64::from_be_bytes(*length);
                if length > i64::MAX as u64 {
                    return Err(Violation::protocol("a length has its highest bit set"));
                }
                Some((length, rest))
            }
            None => None,
        },
        short => Some((u64::from(short), bytes)),
    })
}

/// A frame to write: everything but its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outgoing {
    pub(super) opcode: Opcode,
    pub(super) is_compressed: bool,
    pub(super) key: Option<[u8; 4]>,
}

impl Outgoing {
    /// Writes a whole frame whose payload comes in parts.
    pub(super) fn write<'a>(
        self,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
        out: &mut BytesMut,
    ) {
        let length = parts.clone().map(<[u8]>::len).sum::<usize>();
        out.reserve(length + 14);
        let head = Head {
            is_last: true,
            is_compressed: self.is_compressed,
            opcode: self.opcode,
            key: self.key,
            length: length as u64,
        };
        head.write(out);
        let begin = out.len();
        parts.for_each(|part| out.put_slice(part));
        if let (Some(key), Some(payload)) = (self.key, out.get_mut(begin..)) {
            mask(payload, key, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_every_length_are_read_back_and_need_all_of_their_bytes() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 1 << 40] {
            for key in [None, Some([1, 2, 3, 4])] {
                let head = Head {
                    is_last: length != 1,
                    is_compressed: length == 126,
                    opcode: Opcode::Binary,
                    key,
                    length,
                };
                let mut bytes = BytesMut::new();
                head.write(&mut bytes);
                let size = bytes.len();
                bytes.put_slice(b"payload");
                assert_eq!(Head::read(&bytes).unwrap(), Some((head, size)));
                for short in 0..size {
                    assert_eq!(Head::read(&bytes[..short]).unwrap(), None, "{short}");
                }
            }
        }
    }

    #[test]
    fn what_no_frame_may_be_is_refused_at_once() {
        for bytes in [
            &[0x92, 0][..],                          // a reserved bit
            &[0x83, 0],                              // no such kind
            &[0x8B, 0],                              // no such kind
            &[0x09, 0],                              // a ping in parts
            &[0xC9, 0],                              // a compressed ping
            &[0x89, 126],                            // a large ping
            &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], // a length of 2^63
        ] {
            assert!(Head::read(bytes).is_err(), "{bytes:x?}");
        }
    }
}
