//! The connection as lines: each message is one.
//!
//! JSON has no line ends but between its parts, where they mean nothing. So a wire of JSON texts that
//! can be spoken in lines is spoken in messages without knowing it, under the same limits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Side;
use super::extension::Agreed;
use super::messages::{Messages, Piece};
use crate::call::deadline_after;
use crate::transport::Io;
use crate::wire::config::Config;

/// How much is taken of a writer at once.
const MOST_AT_ONCE: usize = 64 << 10;

/// Lines that travel as text messages.
pub(super) struct Lines {
    messages: Messages,
    /// What came for the reader, and it has not taken.
    line: BytesMut,
    /// A line of the writer's that has not ended.
    begun: Vec<u8>,
    keepalive: Keepalive,
}

impl Lines {
    /// Makes lines of a connection after its handshake, of which `received` was read already.
    pub(super) fn open(
        io: Io,
        side: Side,
        agreed: Option<Agreed>,
        config: &Config,
        received: BytesMut,
    ) -> Io {
        let peer = Arc::clone(io.peer());
        let limit = config.limits.max_message;
        let lines = Self {
            messages: Messages::new(io, side, agreed, limit, received),
            line: BytesMut::new(),
            begun: Vec::new(),
            keepalive: Keepalive::new(config),
        };
        Io::new(lines).with_peer(&*peer)
    }

    /// Queues the lines that end in `bytes`, and keeps what is behind them.
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut lines = bytes.split(|it| *it == b'\n');
        // What is behind the last line end.
        let rest = lines.next_back().unwrap_or_default();
        for line in lines {
            let begun = std::mem::take(&mut self.begun);
            match (&begun[..], line) {
                ([], []) => {}
                ([], line) => self.messages.push(true, line)?,
                (begun, line) => self.messages.push(true, &[begun, line].concat())?,
            }
        }
        self.begun.extend_from_slice(rest);
        Ok(())
    }
}

/// Makes a part of a line of a piece of a message.
fn to_line(piece: Piece) -> BytesMut {
    let mut bytes = piece.bytes;
    for byte in bytes.iter_mut().filter(|it| matches!(it, b'\n' | b'\r')) {
        *byte = b' ';
    }
    if piece.is_last {
        bytes.extend_from_slice(b"\n");
    }
    bytes
}

impl AsyncRead for Lines {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.line.is_empty() {
            let Poll::Ready(piece) = this.messages.poll_piece(cx) else {
                return this.keepalive.poll_silent(&mut this.messages, cx);
            };
            this.keepalive.came();
            match piece? {
                Some(piece) => this.line = to_line(piece),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = this.line.len().min(buffer.remaining());
        buffer.put_slice(&this.line.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.messages.socket.has_ended() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        ready!(self.messages.socket.poll_write_out(cx))?;
        let taken = bytes.get(..MOST_AT_ONCE).unwrap_or(bytes);
        self.push(taken)?;
        // What cannot go now goes with the next write or flush.
        match self.messages.socket.poll_write_out(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.messages.socket.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.messages.socket.poll_shutdown(cx)
    }
}

/// Pings a peer that has been silent, and notices when it stays so.
struct Keepalive {
    interval: Duration,
    timeout: Duration,
    timer: Pin<Box<Sleep>>,
    /// When something came last.
    last: Instant,
    is_asked: bool,
}

impl Keepalive {
    fn new(config: &Config) -> Self {
        let now = Instant::now();
        Self {
            interval: config.keepalive_interval,
            timeout: config.keepalive_timeout,
            timer: Box::pin(sleep_until(deadline_after(now, config.keepalive_interval))),
            last: now,
            is_asked: false,
        }
    }

    fn came(&mut self) {
        self.last = Instant::now();
        self.is_asked = false;
    }

    /// Ready when the peer does not answer; it leaves the waker for what happens before that.
    fn poll_silent(
        &mut self,
        messages: &mut Messages,
        cx: &mut TaskContext<'_>,
    ) -> Poll<io::Result<()>> {
        // An answer to a ping is no message.
        if messages.socket.take_heard() {
            self.came();
        }
        loop {
            let limit = match self.is_asked {
                false => self.interval,
                true => self.interval.saturating_add(self.timeout),
            };
            let due = deadline_after(self.last, limit);
            if self.timer.deadline() < due && self.timer.is_elapsed() {
                self.timer.as_mut().reset(due);
            }
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() < due {
                self.timer.as_mut().reset(due);
            } else if self.is_asked {
                let text = "the peer has fallen silent: it did not answer within \
                            `keepalive_timeout`";
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
            } else {
                self.is_asked = true;
                messages.socket.ping();
                messages.socket.answer(cx);
            }
        }
    }
}
