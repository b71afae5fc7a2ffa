//! Messages with five bytes before each: a flag and a length
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, "Length-Prefixed-Message").

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::text::Text;
use crate::call::Run;
use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::http::compression::{Compression, Unpacked};
use crate::wire::http::gzip;
use crate::wire::http::kept_memory::KeptMemory;

/// The flag and the length.
pub(in crate::wire::http) const HEADER_LENGTH: usize = 5;

/// The flag of a message that is compressed.
pub(in crate::wire::http) const COMPRESSED: u8 = 1;

/// How many times the memory of what has come a message takes while it grows, so that it moves less often. Memory that
/// nothing was written to is none that the system has given away.
const GROWTH: usize = 4;

/// Takes messages out of bytes that come in pieces of any size.
///
/// It holds what has come of one message, and nothing for what was only announced.
#[derive(Debug)]
pub(in crate::wire::http) struct Decoder {
    max_message: usize,
    /// Whose limit that is.
    owner: &'static str,
    compression: Compression,
    /// The flag of what ends the messages, and that when it has come.
    end_flag: Option<u8>,
    end: Option<Bytes>,
    /// What comes is Base64.
    text: Option<Text>,
    current: Bytes,
    partial: BytesMut,
    header: Option<Header>,
    memory: Option<KeptMemory>,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    compressed: bool,
    is_end: bool,
    length: usize,
}

impl Decoder {
    /// Messages are refused that have more than `max_message` bytes, compressed or not; `owner` is
    /// the side whose limit that is.
    pub(in crate::wire::http) fn new(
        max_message: usize,
        owner: &'static str,
        compression: Compression,
    ) -> Self {
        Self {
            max_message,
            owner,
            compression,
            end_flag: None,
            end: None,
            text: None,
            current: Bytes::new(),
            partial: BytesMut::new(),
            header: None,
            memory: None,
        }
    }

    /// Uses memory of large messages again, which the connection keeps.
    pub(in crate::wire::http) fn with_memory(mut self, budget: Arc<Budget>) -> Self {
        self.memory = Some(KeptMemory::new(budget));
        self
    }

    /// Reads Base64.
    pub(in crate::wire::http) fn in_text(mut self) -> Self {
        self.text = Some(Text::default());
        self
    }

    /// Expects an envelope with this flag behind the messages.
    pub(in crate::wire::http) fn with_end(mut self, flag: Option<u8>) -> Self {
        self.end_flag = flag;
        self
    }

    /// Takes out what came in the envelope behind the messages.
    pub(in crate::wire::http) fn take_end(&mut self) -> Option<Bytes> {
        self.end.take()
    }

    /// Adds bytes. What came before them was taken out as far as it could be.
    ///
    /// # Errors
    ///
    /// When the bytes should be Base64 and are not.
    pub(in crate::wire::http) fn push(&mut self, bytes: Bytes) -> Result<(), Status> {
        let bytes = match &mut self.text {
            Some(text) => text.decode(&bytes)?,
            None => bytes,
        };
        if self.current.is_empty() {
            self.current = bytes;
        } else {
            let mut joined = BytesMut::from(&*self.current);
            joined.extend_from_slice(&bytes);
            self.current = joined.freeze();
        }
        Ok(())
    }

    /// Returns the bytes of a message that is not whole, which this holds. Memory that is used again counts as a whole.
    pub(in crate::wire::http) fn held(&self) -> usize {
        let reused = self.memory.as_ref().map_or(0, KeptMemory::reused);
        self.partial.len().max(reused)
    }

    /// Says whether a message has begun and is not whole.
    pub(in crate::wire::http) fn is_mid_message(&self) -> bool {
        let is_mid_group = self.text.as_ref().is_some_and(Text::is_mid_group);
        self.header.is_some()
            || !self.partial.is_empty()
            || !self.current.is_empty()
            || is_mid_group
    }

    /// Takes out the next message, if it is whole.
    ///
    /// # Errors
    ///
    /// When the bytes are no messages, or one is too large; then no further one can be found.
    pub(in crate::wire::http) fn next(&mut self) -> Result<Option<Unpacked>, Status> {
        if self.end.is_some() {
            return if self.is_mid_message() {
                Err(Status::internal(
                    "something follows the end of the messages",
                ))
            } else {
                Ok(None)
            };
        }
        let header = match self.header {
            Some(header) => header,
            None => {
                let Some(bytes) = self.take_header() else {
                    return Ok(None);
                };
                let header = self.read_header(bytes)?;
                *self.header.insert(header)
            }
        };
        let Some(bytes) = self.take(header.length) else {
            return Ok(None);
        };
        self.header = None;
        let bytes = if header.compressed {
            self.unpack(&bytes)?
        } else {
            bytes
        };
        if header.is_end {
            self.end = Some(bytes);
            return self.next();
        }
        Ok(Some(Unpacked {
            bytes,
            was_compressed: header.compressed,
        }))
    }

    /// Takes out messages that are whole and need nothing but to be decoded, for a [`Run`].
    pub(in crate::wire::http) fn take_run(&mut self) -> Bytes {
        if self.header.is_some() || !self.partial.is_empty() || self.end.is_some() {
            return Bytes::new();
        }
        self.current
            .split_to(Run::whole(&self.current, self.max_message))
    }

    fn unpack(&self, bytes: &[u8]) -> Result<Bytes, Status> {
        gzip::unpack(bytes, self.max_message).map_err(|error| match error {
            gzip::Error::TooLarge => self.too_large("a message that is decompressed"),
            gzip::Error::Malformed(source) => {
                Status::internal("a message cannot be decompressed").with_source(source)
            }
        })
    }

    fn read_header(&self, bytes: [u8; HEADER_LENGTH]) -> Result<Header, Status> {
        let [flag, a, b, c, d] = bytes;
        let compressed = flag & COMPRESSED != 0;
        let kind = flag & !COMPRESSED;
        let is_end = self.end_flag == Some(kind);
        if kind != 0 && !is_end {
            return Err(Status::internal(format!(
                "the peer does not send messages in envelopes: one begins with the flag {flag}"
            )));
        }
        // <https://github.com/grpc/grpc/blob/master/doc/compression.md>
        if compressed && self.compression != Compression::Gzip {
            return Err(Status::internal(
                "a message is compressed, and no header says how",
            ));
        }
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if length > self.max_message {
            return Err(self.too_large(&format!("a message of {length} bytes")));
        }
        Ok(Header {
            compressed,
            is_end,
            length,
        })
    }

    fn too_large(&self, what: &str) -> Status {
        let (limit, owner) = (self.max_message, self.owner);
        Status::resource_exhausted(format!(
            "{what} is over the {owner}'s limit `max_message` of {limit} bytes"
        ))
    }

    fn take_header(&mut self) -> Option<[u8; HEADER_LENGTH]> {
        if self.partial.is_empty()
            && let Some(header) = self.current.first_chunk().copied()
        {
            self.current.advance(HEADER_LENGTH);
            return Some(header);
        }
        self.take(HEADER_LENGTH)?.first_chunk().copied()
    }

    /// Takes out so many bytes, without a copy if they came in one piece.
    fn take(&mut self, length: usize) -> Option<Bytes> {
        if self.partial.is_empty() && self.current.len() >= length {
            return Some(self.current.split_to(length));
        }
        let missing = length.saturating_sub(self.partial.len());
        let piece = self.current.split_to(missing.min(self.current.len()));
        let came = self.partial.len() + piece.len();
        if came > self.partial.capacity() {
            self.grow(came, length);
        }
        self.partial.extend_from_slice(&piece);
        if self.partial.len() < length {
            return None;
        }
        let whole = std::mem::take(&mut self.partial);
        Some(match &mut self.memory {
            Some(memory) => memory.finish(whole),
            None => whole.freeze(),
        })
    }

    /// Makes room for what came of a message of this length, and more.
    fn grow(&mut self, came: usize, length: usize) {
        if let Some(memory) = &mut self.memory
            && let Some(mut larger) = memory.take(length)
        {
            larger.extend_from_slice(&self.partial);
            self.partial = larger;
        }
        // A little is left over when all has come: without that the memory could not be kept.
        let room = (length + HEADER_LENGTH).min(came.saturating_mul(GROWTH));
        self.partial
            .reserve(room.saturating_sub(self.partial.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::encoder::{Encoder, envelope};
    use super::*;
    use crate::call::Message;
    use crate::codec::Encoding;

    fn message(bytes: &[u8]) -> Message {
        Message::encoded(Bytes::copy_from_slice(bytes), Encoding::JSON)
    }

    fn encoder(compression: Compression) -> Encoder {
        Encoder {
            encoding: Encoding::JSON,
            compression,
            compresses: true,
            max_message: 100_000,
            owner: "server",
        }
    }

    fn encoded(compression: Compression, messages: &[&[u8]]) -> Vec<u8> {
        let mut all = Vec::new();
        for bytes in messages {
            let mut out = BytesMut::new();
            let rope = encoder(compression).put(message(bytes), &mut out).unwrap();
            all.extend_from_slice(&out);
            rope.into_iter()
                .flatten()
                .for_each(|it| all.extend_from_slice(&it));
        }
        all
    }

    fn decoded(decoder: &mut Decoder, bytes: &[u8], piece: usize) -> Result<Vec<Bytes>, Status> {
        let mut messages = Vec::new();
        for piece in bytes.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(piece))?;
            while let Some(message) = decoder.next()? {
                messages.push(message.bytes);
            }
        }
        Ok(messages)
    }

    fn decoder(max_message: usize, compression: Compression) -> Decoder {
        Decoder::new(max_message, "server", compression)
    }

    #[test]
    fn messages_are_found_however_their_bytes_are_cut() {
        let large = vec![7; 20_000];
        let messages: [&[u8]; 4] = [b"one", b"", &large, b"three"];
        for compression in [Compression::Identity, Compression::Gzip] {
            let bytes = encoded(compression, &messages);
            for piece in [1, 2, 3, 5, 7, 4096, bytes.len()] {
                let mut decoder = decoder(100_000, compression);
                assert_eq!(decoded(&mut decoder, &bytes, piece).unwrap(), messages);
                assert!(!decoder.is_mid_message());
            }
        }
    }

    #[test]
    fn what_is_whole_and_plain_is_taken_out_at_once() {
        let plain = encoded(Compression::Identity, &[b"one", b"", b"three"]);
        let long = encoded(Compression::Identity, &[&[7; 11]]);
        let mut marked = plain.clone();
        marked[0] = COMPRESSED;
        for behind in [&b""[..], &[0; 3], &plain[..6], &long, &marked] {
            let mut decoder = decoder(10, Compression::Gzip);
            let all = [&plain, behind].concat();
            decoder.push(Bytes::from(all)).unwrap();
            assert_eq!(decoder.take_run(), plain);
            // What is behind is found where it was.
            assert_eq!(decoder.current, behind);
        }
        // Nothing is taken out of the middle of a message.
        let mut decoder = decoder(10, Compression::Identity);
        let (begun, rest) = plain.split_at(6);
        assert!(decoded(&mut decoder, begun, 6).unwrap().is_empty());
        decoder.push(Bytes::copy_from_slice(rest)).unwrap();
        assert!(decoder.take_run().is_empty());
        assert_eq!(decoder.next().unwrap().unwrap().bytes, "one");
        assert_eq!(decoder.take_run(), plain[8..]);
    }

    #[test]
    fn every_cut_end_is_noticed() {
        let bytes = encoded(Compression::Identity, &[b"message"]);
        for length in 1..bytes.len() {
            let mut decoder = decoder(1024, Compression::Identity);
            assert!(
                decoded(&mut decoder, &bytes[..length], 4)
                    .unwrap()
                    .is_empty()
            );
            assert!(decoder.is_mid_message(), "{length}");
        }
    }

    #[test]
    fn too_large_messages_are_refused_when_they_are_announced() {
        let mut decoder = decoder(10, Compression::Identity);
        let error = decoded(&mut decoder, &[0, 0xFF, 0xFF, 0xFF, 0xFF], 5).unwrap_err();
        assert!(
            error
                .message()
                .contains("the server's limit `max_message` of 10"),
            "{error}"
        );
        let error =
            encoder(Compression::Identity).put(message(&[0; 100_001]), &mut BytesMut::new());
        assert!(
            error
                .unwrap_err()
                .message()
                .contains("message of 100001 bytes")
        );
    }

    #[test]
    fn bombs_are_refused_without_being_unpacked() {
        let bytes = encoded(Compression::Gzip, &[&[0; 50_000]]);
        assert!(bytes.len() < 1_000);
        let error = decoded(&mut decoder(49_999, Compression::Gzip), &bytes, 50).unwrap_err();
        assert!(
            error
                .message()
                .contains("decompressed is over the server's"),
            "{error}"
        );
        assert_eq!(error.code(), crate::Code::ResourceExhausted);
        assert!(decoded(&mut decoder(50_000, Compression::Gzip), &bytes, 50).is_ok());
    }

    #[test]
    fn flags_and_compressed_bytes_that_are_wrong_are_refused() {
        for (bytes, compression, part) in [
            (b"\x02\0\0\0\0".as_slice(), Compression::Gzip, "flag 2"),
            (b"<html", Compression::Gzip, "flag 60"),
            (
                b"\x01\0\0\0\x01x",
                Compression::Identity,
                "no header says how",
            ),
            (b"\x01\0\0\0\x01x", Compression::Gzip, "decompressed"),
            (b"\x01\0\0\0\0", Compression::Gzip, "decompressed"),
        ] {
            let error = decoded(&mut decoder(1024, compression), bytes, 64).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[test]
    fn the_end_is_told_from_messages_and_nothing_follows_it() {
        let bytes = [b"\0\0\0\0\x01m".as_slice(), &envelope(0x80, b"bye")].concat();
        for piece in 1..bytes.len() {
            let mut decoder = decoder(1024, Compression::Identity).with_end(Some(0x80));
            assert_eq!(decoded(&mut decoder, &bytes, piece).unwrap(), [&b"m"[..]]);
            assert!(!decoder.is_mid_message());
            assert_eq!(decoder.take_end().unwrap(), &b"bye"[..]);
        }
        let mut decoder = decoder(1024, Compression::Identity).with_end(Some(2));
        let bytes = [&envelope(2, b"{}")[..], b"\0\0\0\0\0"].concat();
        let error = decoded(&mut decoder, &bytes, 99).unwrap_err();
        assert!(error.message().contains("follows the end"), "{error}");
    }

    #[test]
    fn nothing_is_kept_for_what_was_only_announced() {
        let mut decoder = decoder(1 << 30, Compression::Identity);
        decoded(&mut decoder, b"\0\x3F\xFF\xFF\xFFsome", 9).unwrap();
        assert_eq!(decoder.held(), 4);
        assert!(decoder.partial.capacity() < 1024);
    }
}
