//! What comes, by the rules of who may send what when: RFC 6455, section 5.4 and 5.5.

use bytes::{Buf, Bytes, BytesMut};

use super::Side;
use super::close::{Close, Violation};
use super::frame::{Head, Opcode};
use super::mask::mask;

/// Reads frames. It holds no bytes of its own: what is not whole stays with the caller.
#[derive(Debug)]
pub(super) struct Decoder {
    side: Side,
    /// Messages may be compressed.
    may_compress: bool,
    /// The data frame whose payload comes now.
    frame: Option<Frame>,
    /// A message has begun and not ended.
    in_message: bool,
}

#[derive(Debug)]
struct Frame {
    /// How the message began that this frame begins.
    begins: Option<Kind>,
    is_last: bool,
    key: Option<[u8; 4]>,
    read: u64,
    length: u64,
}

/// What a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind {
    pub(super) is_text: bool,
    pub(super) is_compressed: bool,
}

/// What came.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// A part of a message.
    Part(Part),
    Ping(Bytes),
    Pong,
    Close(Close),
}

/// A part of a message, as much as is there.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) bytes: BytesMut,
    /// Set on the first part of a message.
    pub(super) begins: Option<Kind>,
    pub(super) is_last: bool,
    /// How many bytes of this frame are still to come.
    pub(super) missing: u64,
}

impl Decoder {
    pub(super) fn new(side: Side, may_compress: bool) -> Self {
        Self {
            side,
            may_compress,
            frame: None,
            in_message: false,
        }
    }

    /// Says whether nothing has begun that has not ended.
    pub(super) fn is_between_messages(&self) -> bool {
        self.frame.is_none() && !self.in_message
    }

    /// Takes what comes next out of `input`; `None` if there is not enough of it.
    ///
    /// # Errors
    ///
    /// What the peer may not send; nothing more can be read then.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> Result<Option<Event>, Violation> {
        if self.frame.is_none() {
            let Some((head, size)) = Head::read(input)? else {
                return Ok(None);
            };
            self.check_mask(&head)?;
            if head.opcode.is_control() {
                return Self::control(&head, size, input);
            }
            self.frame = Some(self.begin(&head)?);
            input.advance(size);
            if input.is_empty() && head.length > 0 {
                return Ok(None);
            }
        }
        Ok(self.part(input).map(Event::Part))
    }

    fn check_mask(&self, head: &Head) -> Result<(), Violation> {
        match (self.side, head.key) {
            (Side::Server, None) => Err(Violation::protocol("a frame of a client is not masked")),
            (Side::Client, Some(_)) => Err(Violation::protocol("a frame of a server is masked")),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, head: &Head) -> Result<Frame, Violation> {
        let continues = head.opcode == Opcode::Continuation;
        match (self.in_message, continues) {
            (true, false) => {
                let text = "a message begins before the one before has ended";
                return Err(Violation::protocol(text));
            }
            (false, true) => {
                let text = "a frame continues a message that has not begun";
                return Err(Violation::protocol(text));
            }
            _ => {}
        }
        if head.is_compressed && (continues || !self.may_compress) {
            let text = "a frame is compressed, which was not agreed on";
            return Err(Violation::protocol(text));
        }
        self.in_message = !head.is_last;
        let kind = Kind {
            is_text: head.opcode == Opcode::Text,
            is_compressed: head.is_compressed,
        };
        Ok(Frame {
            begins: (!continues).then_some(kind),
            is_last: head.is_last,
            key: head.key,
            read: 0,
            length: head.length,
        })
    }

    fn control(head: &Head, size: usize, input: &mut BytesMut) -> Result<Option<Event>, Violation> {
        // No more than 125, which reading the head made sure of.
        let length = head.length as usize;
        if input.len() < size + length {
            return Ok(None);
        }
        input.advance(size);
        let mut payload = input.split_to(length);
        if let Some(key) = head.key {
            mask(&mut payload, key, 0);
        }
        let payload = payload.freeze();
        Ok(Some(match head.opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Close => Event::Close(Close::read(&payload)?),
            _ => Event::Pong,
        }))
    }

    /// Takes what is there of the payload.
    fn part(&mut self, input: &mut BytesMut) -> Option<Part> {
        let frame = self.frame.as_mut()?;
        let left = frame.length - frame.read;
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        if length == 0 && left > 0 {
            return None;
        }
        let mut bytes = input.split_to(length);
        if let Some(key) = frame.key {
            mask(&mut bytes, key, frame.read);
        }
        frame.read += length as u64;
        let missing = frame.length - frame.read;
        let begins = frame.begins.take();
        let is_last = frame.is_last && missing == 0;
        if missing == 0 {
            self.frame = None;
        }
        Some(Part {
            bytes,
            begins,
            is_last,
            missing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello in two frames with a ping between them, as a client sends it.
    const HELLO: [u8; 31] = [
        0x01,
        0x83,
        1,
        2,
        3,
        4,
        b'H' ^ 1,
        b'e' ^ 2,
        b'l' ^ 3, //
        0x89,
        0x84,
        0,
        0,
        0,
        0,
        b'p',
        b'i',
        b'n',
        b'g', //
        0x80,
        0x82,
        0,
        0,
        0,
        0,
        b'l',
        b'o', //
        0x8A,
        0x80,
        9,
        9, //
    ];

    fn all(decoder: &mut Decoder, input: &mut BytesMut) -> Result<Vec<Event>, Violation> {
        let mut events = Vec::new();
        while let Some(event) = decoder.next(input)? {
            events.push(event);
        }
        Ok(events)
    }

    #[test]
    fn a_message_in_parts_is_read_however_it_comes() {
        for split in 0..HELLO.len() {
            let mut decoder = Decoder::new(Side::Server, false);
            let mut input = BytesMut::from(&HELLO[..split]);
            let mut events = all(&mut decoder, &mut input).unwrap();
            input.extend_from_slice(&HELLO[split..]);
            events.extend(all(&mut decoder, &mut input).unwrap());
            let mut text = Vec::new();
            let (mut begun, mut ended, mut pings) = (0, 0, 0);
            for event in events {
                match event {
                    Event::Part(part) => {
                        text.extend_from_slice(&part.bytes);
                        begun += usize::from(part.begins.is_some_and(|it| it.is_text));
                        ended += usize::from(part.is_last);
                    }
                    Event::Ping(payload) => {
                        assert_eq!(payload, "ping");
                        pings += 1;
                    }
                    other => panic!("{other:?} at {split}"),
                }
            }
            assert_eq!(text, b"Hello", "{split}");
            assert_eq!((begun, ended, pings), (1, 1, 1), "{split}");
            assert_eq!(input.len(), 4, "the head of the pong is not whole");
        }
    }

    #[test]
    fn what_may_not_come_is_refused() {
        for (bytes, side) in [
            (&[0x81, 0x01, b'a'][..], Side::Server),
            (&[0x81, 0x81, 0, 0, 0, 0, b'a'], Side::Client),
            (&[0x80, 0x01, b'a'], Side::Client),
            (&[0x01, 0x01, b'a', 0x01, 0x01, b'b'], Side::Client),
            (&[0xC1, 0x01, b'a'], Side::Client),
            (&[0x88, 0x01, b'a'], Side::Client),
        ] {
            let mut decoder = Decoder::new(side, false);
            assert!(
                all(&mut decoder, &mut BytesMut::from(bytes)).is_err(),
                "{bytes:x?}"
            );
        }
        let mut decoder = Decoder::new(Side::Client, true);
        let continued = [0x41, 0x01, b'a', 0xC0, 0x01, b'b'];
        assert!(all(&mut decoder, &mut BytesMut::from(&continued[..])).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic_or_grow() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let mut bytes = HELLO.to_vec();
            for _ in 0..random.usize(1..4) {
                let at = random.usize(..bytes.len());
                bytes[at] = random.u8(..);
            }
            let mut input = BytesMut::from(&bytes[..]);
            let taken: usize = match all(&mut Decoder::new(Side::Server, true), &mut input) {
                Ok(events) => events
                    .iter()
                    .map(|event| match event {
                        Event::Part(part) => part.bytes.len(),
                        _ => 0,
                    })
                    .sum(),
                Err(_) => 0,
            };
            assert!(taken + input.len() <= bytes.len());
        }
    }
}
