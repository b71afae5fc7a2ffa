//! The connection as messages, which come in pieces.

use std::io;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::BytesMut;

use super::Side;
use super::close::{CloseCode, Violation};
use super::decoder::{Kind, Part};
use super::deflate::{Deflater, Inflater};
use super::extension::Agreed;
use super::socket::Socket;
use super::utf8::Utf8;
use crate::transport::Io;

/// Messages below this are not packed: there is nothing to win.
const LEAST_PACKED: usize = 256;

/// Messages in both directions.
pub(super) struct Messages {
    pub(super) socket: Socket,
    deflater: Option<Deflater>,
    inflater: Option<Inflater>,
    /// What the message is that comes now.
    kind: Option<Kind>,
    utf8: Utf8,
    /// How long it is so far, and may be.
    length: usize,
    limit: usize,
}

/// A piece of a message.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Piece {
    pub(super) is_text: bool,
    pub(super) bytes: BytesMut,
    pub(super) is_last: bool,
}

impl Messages {
    /// Makes messages of a connection after its handshake, of which `received` was read already.
    /// One that is longer than `limit`, unpacked, ends the connection.
    pub(super) fn new(
        io: Io,
        side: Side,
        agreed: Option<Agreed>,
        limit: usize,
        received: BytesMut,
    ) -> Self {
        let directions = agreed.map(|it| match side {
            Side::Server => (it.server, it.client),
            Side::Client => (it.client, it.server),
        });
        Self {
            socket: Socket::new(io, side, agreed.is_some(), received),
            deflater: directions.map(|(ours, _)| Deflater::new(ours)),
            inflater: directions.map(|(_, theirs)| Inflater::new(theirs)),
            kind: None,
            utf8: Utf8::default(),
            length: 0,
            limit,
        }
    }

    /// Says whether something was read that may be a piece.
    pub(super) fn has_read(&self) -> bool {
        self.socket.has_read() || self.inflater.as_ref().is_some_and(Inflater::has_more)
    }

    /// Reads up to the next piece; `None` is the end.
    ///
    /// # Errors
    ///
    /// A peer that breaks a rule, which it is told, and a connection that breaks.
    pub(super) fn poll_piece(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<Option<Piece>>> {
        loop {
            match self.unpack() {
                Ok(Some(piece)) => return Poll::Ready(Ok(Some(piece))),
                Ok(None) => {}
                Err(violation) => self.refuse(violation),
            }
            let Some(part) = ready!(self.socket.poll_part(cx))? else {
                return Poll::Ready(Ok(None));
            };
            if let Some(kind) = part.begins {
                self.kind = Some(kind);
                self.length = 0;
            }
            if self.kind.is_some_and(|it| it.is_compressed)
                && let Some(inflater) = &mut self.inflater
            {
                inflater.push(part.bytes, part.is_last);
                continue;
            }
            match self.plain(part) {
                Ok(piece) => return Poll::Ready(Ok(Some(piece))),
                Err(violation) => self.refuse(violation),
            }
        }
    }

    fn unpack(&mut self) -> Result<Option<Piece>, Violation> {
        let Some(inflater) = &mut self.inflater else {
            return Ok(None);
        };
        let unpacked = inflater.next().map_err(|_| {
            let text = "a message cannot be unpacked";
            Violation::new(CloseCode::INVALID, text)
        })?;
        let Some((bytes, is_last)) = unpacked else {
            return Ok(None);
        };
        self.checked(bytes, is_last).map(Some)
    }

    fn plain(&mut self, part: Part) -> Result<Piece, Violation> {
        let missing = usize::try_from(part.missing).unwrap_or(usize::MAX);
        let announced = self.length.saturating_add(part.bytes.len());
        // What is announced is refused before it comes.
        if announced.saturating_add(missing) > self.limit {
            return Err(self.too_large());
        }
        self.checked(part.bytes, part.is_last)
    }

    fn checked(&mut self, bytes: BytesMut, is_last: bool) -> Result<Piece, Violation> {
        self.length = self.length.saturating_add(bytes.len());
        if self.length > self.limit {
            return Err(self.too_large());
        }
        let is_text = self.kind.is_none_or(|it| it.is_text);
        if is_text && self.utf8.check(&bytes, is_last).is_err() {
            let text = "a text message is not UTF-8";
            return Err(Violation::new(CloseCode::INVALID, text));
        }
        Ok(Piece {
            is_text,
            bytes,
            is_last,
        })
    }

    fn too_large(&self) -> Violation {
        let limit = self.limit;
        let text = format!("a message is over the limit `max_message` of {limit} bytes");
        Violation::new(CloseCode::TOO_LARGE, text)
    }

    /// Nothing is unpacked any more, and the socket tells the reader.
    fn refuse(&mut self, violation: Violation) {
        self.inflater = None;
        self.socket.refuse(violation);
    }

    /// Queues a message; nothing may be queued before it.
    ///
    /// # Errors
    ///
    /// When the connection is closing.
    pub(super) fn push(&mut self, is_text: bool, message: &[u8]) -> io::Result<()> {
        let deflater = self.deflater.filter(|_| message.len() >= LEAST_PACKED);
        match deflater.and_then(|it| it.pack(message)) {
            Some(packed) => self
                .socket
                .push_message(is_text, true, std::iter::once(&packed[..])),
            None => self
                .socket
                .push_message(is_text, false, std::iter::once(message)),
        }
    }
}
