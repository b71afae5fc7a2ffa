//! Frames over a byte stream: what every use of a WebSocket has in common.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::time::{Sleep, sleep};

use super::Side;
use super::close::{self, CloseCode, Violation};
use super::decoder::{Decoder, Event, Part};
use super::frame::{Opcode, Outgoing};
use super::mask::MaskKeys;
use crate::transport::{BoxReader, BoxWriter, Guard, Io};

/// How many bytes one read asks for.
const READ: usize = 64 << 10;

/// How many bytes may wait to be written before a ping is answered together with the next.
const MOST_PONGS: usize = 4 << 10;

/// How long a peer has to hear what it did wrong.
const LINGER: Duration = Duration::from_secs(1);

/// A connection after its handshake. It answers pings and close frames by itself.
pub(super) struct Socket {
    side: Side,
    reader: BoxReader,
    writer: BoxWriter,
    decoder: Decoder,
    keys: MaskKeys,
    /// What was read and not looked at.
    input: BytesMut,
    /// What is to be written.
    output: BytesMut,
    /// The payload of the latest ping, to be answered: only that one has to be (RFC 6455, section
    /// 5.5.3).
    ping: Option<Bytes>,
    /// Something is in `output` that nobody flushes.
    answering: bool,
    /// A ping of ours is due.
    pinging: bool,
    /// The peer has ended its direction.
    ended: bool,
    /// A close frame is in `output`, or was.
    closing: bool,
    /// The rule that the peer broke, and how long it has to hear of it.
    refused: Option<(Violation, Pin<Box<Sleep>>)>,
    /// Something came since it was asked last.
    heard: bool,
    /// Dropped last.
    _guard: Option<Guard>,
}

impl Socket {
    /// Makes one of a byte stream of which `received` was read already.
    pub(super) fn new(io: Io, side: Side, may_compress: bool, received: BytesMut) -> Self {
        let (reader, writer, _, guard) = io.into_parts();
        Self {
            side,
            reader,
            writer,
            decoder: Decoder::new(side, may_compress),
            keys: MaskKeys::of(side),
            input: received,
            output: BytesMut::new(),
            ping: None,
            answering: false,
            pinging: false,
            ended: false,
            closing: false,
            refused: None,
            heard: false,
            _guard: guard,
        }
    }

    /// Reads up to the next part of a message; `None` is the end.
    ///
    /// # Errors
    ///
    /// A peer that breaks a rule, which it is told, and a connection that breaks.
    pub(super) fn poll_part(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<Option<Part>>> {
        loop {
            if self.refused.is_some() {
                return self.poll_refused(cx);
            }
            let decoded = self.decode();
            self.answer(cx);
            match decoded {
                Some(part) => return Poll::Ready(Ok(Some(part))),
                None if self.refused.is_some() => continue,
                None if self.ended => return Poll::Ready(Ok(None)),
                None => {}
            }
            self.input.reserve(READ);
            let reading = pin!(self.reader.read_buf(&mut self.input));
            let read = ready!(reading.poll(cx))?;
            self.heard = true;
            if read == 0 {
                self.ended = true;
                if !self.decoder.is_between_messages() || !self.input.is_empty() {
                    let text = "the connection was cut off inside of a WebSocket message";
                    let error = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                    return Poll::Ready(Err(error));
                }
            }
        }
    }

    fn decode(&mut self) -> Option<Part> {
        while !self.ended {
            match self.decoder.next(&mut self.input) {
                Ok(None) => break,
                Ok(Some(Event::Part(part))) => return Some(part),
                Ok(Some(Event::Ping(payload))) => self.pong(payload),
                Ok(Some(Event::Pong)) => {}
                Ok(Some(Event::Close(close))) => {
                    tracing::debug!(%close, "the peer closes the WebSocket");
                    self.close(close.code.unwrap_or(CloseCode::NORMAL), "");
                    self.ended = true;
                }
                Err(violation) => self.refuse(violation),
            }
        }
        None
    }

    /// Answers a ping: each, while they are read as quickly as they come, and else the latest.
    fn pong(&mut self, payload: Bytes) {
        if self.closing || self.output.len() >= MOST_PONGS {
            self.ping = Some(payload);
        } else {
            self.push(Opcode::Pong, false, [&payload[..]].into_iter());
            self.answering = true;
        }
    }

    /// Tells the peer which rule it broke. What is read next is the error, when the peer had the time
    /// to hear of it.
    pub(super) fn refuse(&mut self, violation: Violation) {
        self.close(violation.code, &violation.text);
        self.ended = true;
        let timer = Box::pin(sleep(LINGER));
        self.refused.get_or_insert((violation, timer));
    }

    /// Reads on, and drops what comes, until the peer has closed too. Closing a socket with bytes
    /// unread resets the connection, and takes along what the peer has not read yet.
    fn poll_refused(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<Option<Part>>> {
        self.answer(cx);
        let Some((violation, timer)) = &mut self.refused else {
            return Poll::Ready(Ok(None));
        };
        while timer.as_mut().poll(cx).is_pending() {
            self.input.clear();
            self.input.reserve(READ);
            let reading = pin!(self.reader.read_buf(&mut self.input));
            match ready!(reading.poll(cx)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => break,
            }
        }
        let error = io::Error::new(io::ErrorKind::InvalidData, violation.clone());
        Poll::Ready(Err(error))
    }

    /// Queues the close frame, unless there was one.
    fn close(&mut self, code: CloseCode, reason: &str) {
        if !self.closing {
            let payload = close::payload(code, reason);
            self.push(Opcode::Close, false, [&payload[..]].into_iter());
            self.closing = true;
        }
    }

    /// Queues a frame.
    fn push<'a>(
        &mut self,
        opcode: Opcode,
        is_compressed: bool,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
    ) {
        let frame = Outgoing {
            opcode,
            is_compressed,
            key: self.keys.next(),
        };
        frame.write(parts, &mut self.output);
    }

    /// Queues a message of one frame.
    ///
    /// # Errors
    ///
    /// When a close frame has been queued.
    pub(super) fn push_message<'a>(
        &mut self,
        is_text: bool,
        is_compressed: bool,
        parts: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> io::Result<()> {
        if self.closing {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let opcode = if is_text {
            Opcode::Text
        } else {
            Opcode::Binary
        };
        self.push(opcode, is_compressed, parts);
        Ok(())
    }

    /// Says whether the peer has ended its direction. No message may follow a close frame, and without
    /// one the peer is gone, so nothing more can be said to it either way.
    pub(super) fn has_ended(&self) -> bool {
        self.ended && self.refused.is_none()
    }

    /// Says whether something was read and not looked at.
    pub(super) fn has_read(&self) -> bool {
        !self.input.is_empty()
    }

    /// Says whether something came since this was asked last.
    pub(super) fn take_heard(&mut self) -> bool {
        std::mem::take(&mut self.heard)
    }

    /// Returns how much is queued.
    pub(super) fn waiting(&self) -> usize {
        self.output.len()
    }

    /// Asks the peer whether it is there, with the next that is written.
    pub(super) fn ping(&mut self) {
        self.pinging = true;
    }

    /// Writes what is queued, and behind it what the peer is answered.
    pub(super) fn poll_write_out(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.output.is_empty() {
                if self.closing {
                    return Poll::Ready(Ok(()));
                } else if let Some(payload) = self.ping.take() {
                    self.push(Opcode::Pong, false, [&payload[..]].into_iter());
                } else if std::mem::take(&mut self.pinging) {
                    self.push(Opcode::Ping, false, std::iter::empty());
                } else {
                    return Poll::Ready(Ok(()));
                }
            }
            let written = ready!(self.writer.as_mut().poll_write(cx, &self.output))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.output.advance(written);
        }
    }

    /// Sends answers to the peer, which nobody flushes.
    pub(super) fn answer(&mut self, cx: &mut TaskContext<'_>) {
        let is_answer = self.ping.is_some() || self.answering || self.pinging || self.closing;
        if is_answer && let Poll::Ready(Ok(())) = self.poll_write_out(cx) {
            self.answering = false;
            // A failure shows at the next read or write.
            let _ = self.writer.as_mut().poll_flush(cx);
        }
    }

    pub(super) fn poll_flush(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_out(cx))?;
        self.writer.as_mut().poll_flush(cx)
    }

    pub(super) fn poll_shutdown(&mut self, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        // A server ends connections when it drains, or for want of calls.
        let code = match self.side {
            Side::Server => CloseCode::GOING_AWAY,
            Side::Client => CloseCode::NORMAL,
        };
        self.close(code, "");
        ready!(self.poll_flush(cx))?;
        self.writer.as_mut().poll_shutdown(cx)
    }
}
