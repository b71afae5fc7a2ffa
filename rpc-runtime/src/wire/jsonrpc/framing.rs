//! Where texts begin and end in a byte stream.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;

/// How texts follow each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// Each ends with a line feed. Lines of nothing but white space are passed over.
    Lines,
    /// Each has its length before it, as four bytes in network order.
    Lengths,
}

/// Texts of up to so many bytes are copied, so that a call does not hold all that was read with it.
const COPIED: usize = 4 << 10;

/// The bytes of a length.
const PREFIX: usize = 4;

/// What was received next.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Received {
    Text(BytesMut),
    /// A text over the limit, which is passed over as it comes.
    TooLarge,
    /// Not enough.
    Nothing,
}

/// Splits what comes into texts.
pub(super) struct Splitter {
    framing: Framing,
    limit: usize,
    /// What came and was not handed on.
    pub(super) bytes: BytesMut,
    /// So much of it has no line feed.
    searched: usize,
    passing_over: PassingOver,
}

/// What is left of a text over the limit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PassingOver {
    Nothing,
    Line,
    Bytes(usize),
    /// All that may still come, whatever was left.
    Everything,
}

impl Framing {
    /// Puts a text behind others.
    pub(super) fn put(self, out: &mut BytesMut, text: &[u8]) {
        match self {
            Self::Lines => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\n");
            }
            Self::Lengths => {
                // No text is longer than `max_message`, which fits.
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(text);
            }
        }
    }
}

impl Splitter {
    pub(super) fn new(framing: Framing, limit: usize, received: BytesMut) -> Self {
        Self {
            framing,
            limit,
            bytes: received,
            searched: 0,
            passing_over: PassingOver::Nothing,
        }
    }

    /// Says whether a text has begun to come and is not whole, once there is nothing to hand on.
    pub(super) fn is_incomplete(&self) -> bool {
        !self.bytes.is_empty() || self.passing_over != PassingOver::Nothing
    }

    /// Finds nothing more.
    pub(super) fn pass_over_all(&mut self) {
        self.passing_over = PassingOver::Everything;
    }

    pub(super) fn next(&mut self) -> Received {
        if self.passing_over == PassingOver::Everything {
            self.bytes = BytesMut::new();
            return Received::Nothing;
        }
        match self.framing {
            Framing::Lines => self.next_line(),
            Framing::Lengths => self.next_by_length(),
        }
    }

    /// Hands on a last line without its end, after the end of the stream.
    pub(super) fn last(&mut self) -> Received {
        if self.framing == Framing::Lines && self.passing_over == PassingOver::Nothing {
            self.bytes.extend_from_slice(b"\n");
            return self.next_line();
        }
        Received::Nothing
    }

    fn next_line(&mut self) -> Received {
        loop {
            let unsearched = self.bytes.get(self.searched..).unwrap_or_default();
            let Some(end) = memchr(b'\n', unsearched) else {
                self.searched = self.bytes.len();
                return self.without_end();
            };
            let line = self.bytes.split_to(self.searched + end);
            self.bytes.advance(1);
            self.searched = 0;
            if self.passing_over == PassingOver::Line {
                self.passing_over = PassingOver::Nothing;
            } else if line.len() > self.limit {
                return Received::TooLarge;
            } else if !line.trim_ascii().is_empty() {
                return Received::Text(line);
            }
        }
    }

    fn without_end(&mut self) -> Received {
        if self.passing_over == PassingOver::Line {
            self.bytes.clear();
            self.searched = 0;
        } else if self.bytes.len() > self.limit {
            self.passing_over = PassingOver::Line;
            self.bytes = BytesMut::new();
            self.searched = 0;
            return Received::TooLarge;
        }
        Received::Nothing
    }

    fn next_by_length(&mut self) -> Received {
        if let PassingOver::Bytes(left) = self.passing_over {
            let passed = left.min(self.bytes.len());
            self.bytes.advance(passed);
            if passed < left {
                self.passing_over = PassingOver::Bytes(left - passed);
                return Received::Nothing;
            }
            self.passing_over = PassingOver::Nothing;
        }
        let Some(prefix) = self.bytes.first_chunk::<PREFIX>() else {
            return Received::Nothing;
        };
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap_or(usize::MAX);
        if length > self.limit {
            self.bytes.advance(PREFIX);
            self.passing_over = PassingOver::Bytes(length);
            return Received::TooLarge;
        }
        if self.bytes.len() - PREFIX < length {
            return Received::Nothing;
        }
        self.bytes.advance(PREFIX);
        Received::Text(self.bytes.split_to(length))
    }
}

/// Keeps a text.
pub(super) fn kept(text: BytesMut) -> Bytes {
    if text.len() <= COPIED {
        Bytes::copy_from_slice(&text)
    } else {
        text.freeze()
    }
}

/// Keeps a part of a text.
pub(super) fn part_kept(text: &Bytes, part: &str) -> Bytes {
    if part.len() <= COPIED {
        Bytes::copy_from_slice(part.as_bytes())
    } else {
        text.slice_ref(part.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the bytes so many at a time, and collects what comes of them.
    fn split(framing: Framing, bytes: &[u8], at_once: usize) -> Vec<Option<Vec<u8>>> {
        let mut splitter = Splitter::new(framing, 8, BytesMut::new());
        let mut found = Vec::new();
        let mut take = |received: Received| match received {
            Received::Text(text) => found.push(Some(text.to_vec())),
            Received::TooLarge => found.push(None),
            Received::Nothing => panic!("something was received"),
        };
        for chunk in bytes.chunks(at_once) {
            splitter.bytes.extend_from_slice(chunk);
            loop {
                match splitter.next() {
                    Received::Nothing => break,
                    received => take(received),
                }
            }
            assert!(
                splitter.bytes.len() <= 8 + PREFIX,
                "no more is kept than a text"
            );
        }
        match splitter.last() {
            Received::Nothing => {}
            received => take(received),
        }
        found
    }

    #[test]
    fn lines_are_told_apart_however_they_come() {
        let bytes = b"{\"a\":1}\r\n\n  \t\n[2]\n123456789\n12345678\n1234567890123456789\n{}\nlast";
        for at_once in 1..=bytes.len() {
            let found = split(Framing::Lines, bytes, at_once);
            let texts: Vec<_> = found.iter().map(|it| it.as_deref()).collect();
            let expected = [
                Some(b"{\"a\":1}\r".as_slice()),
                Some(b"[2]"),
                None,
                Some(b"12345678"),
                None,
                Some(b"{}"),
                Some(b"last"),
            ];
            assert_eq!(texts, expected, "{at_once} bytes at once");
        }
    }

    #[test]
    fn texts_with_their_length_are_told_apart_however_they_come() {
        let mut bytes = BytesMut::new();
        for text in ["{}", "", "123456789", "12345678"] {
            Framing::Lengths.put(&mut bytes, text.as_bytes());
        }
        bytes.extend_from_slice(b"\0\0\0\x05left");
        for at_once in 1..=bytes.len() {
            let found = split(Framing::Lengths, &bytes, at_once);
            let texts: Vec<_> = found.iter().map(|it| it.as_deref()).collect();
            let expected = [Some(b"{}".as_slice()), Some(b""), None, Some(b"12345678")];
            assert_eq!(texts, expected, "{at_once} bytes at once");
        }
    }
}
