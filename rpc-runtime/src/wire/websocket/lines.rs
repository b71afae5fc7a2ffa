//! The connection as lines: each message is one.
//!
//! JSON has no line ends but between its parts, where they mean nothing. So a wire of JSON texts that
//! can be spoken in lines is spoken in messages without knowing it, under the same limits.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use memchr::{memchr_iter, memchr2};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Side;
use super::extension::Agreed;
use super::messages::{Messages, Piece};
use crate::call::deadline_after;
use crate::transport::Io;
use crate::wire::config::Config;
use crate::wire::progress::Progress;

/// How much is taken of a writer at once.
const MOST_AT_ONCE: usize = 64 << 10;

/// Lines that travel as text messages.
pub(super) struct Lines {
    messages: Messages,
    /// What came for the reader, and it has not taken.
    line: BytesMut,
    /// The line ends behind that.
    ends_line: bool,
    /// What is to be told once the reader has taken what came before it.
    failed: Option<io::Error>,
    /// A line of the writer's that has not ended.
    begun: Vec<u8>,
    /// How much was queued when the peer took no more.
    stuck_at: Option<usize>,
    progress: Progress,
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
        let progress = Progress::default();
        let lines = Self {
            messages: Messages::new(io, side, agreed, limit, received),
            line: BytesMut::new(),
            ends_line: false,
            failed: None,
            begun: Vec::new(),
            stuck_at: None,
            progress: progress.clone(),
            keepalive: Keepalive::new(config),
        };
        let io = Io::new(lines).with_peer(&*peer);
        io.with_extension(progress)
    }

    /// Takes note of a peer that takes something of what was stuck: it is there, also while it has not
    /// read so far as to answer a ping.
    fn note(&mut self, written: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        let waiting = self.messages.socket.waiting();
        if self.stuck_at.is_some_and(|it| waiting < it) {
            self.progress.made();
            self.keepalive.came();
        }
        self.stuck_at = written.is_pending().then_some(waiting);
        written
    }

    /// Queues the lines that end in `bytes`, and keeps what is behind them.
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut start = 0;
        for end in memchr_iter(b'\n', bytes) {
            let line = bytes.get(start..end).unwrap_or_default();
            start = end + 1;
            if !self.begun.is_empty() {
                let mut begun = std::mem::take(&mut self.begun);
                begun.extend_from_slice(line);
                self.messages.push(true, &begun)?;
            } else if !line.is_empty() {
                self.messages.push(true, line)?;
            }
        }
        let rest = bytes.get(start..).unwrap_or_default();
        self.begun.extend_from_slice(rest);
        Ok(())
    }

    /// Hands on what came, as far as it fits.
    fn put(&mut self, buffer: &mut ReadBuf<'_>) {
        let length = self.line.len().min(buffer.remaining());
        if let Some(part) = self.line.get(..length) {
            buffer.put_slice(part);
            self.line.advance(length);
        }
        if self.line.is_empty() && self.ends_line && buffer.remaining() > 0 {
            buffer.put_slice(b"\n");
            self.ends_line = false;
        }
    }

    /// Says whether the reader has taken all that came.
    fn is_taken(&self) -> bool {
        self.line.is_empty() && !self.ends_line
    }

    fn take(&mut self, piece: Piece) {
        self.ends_line = piece.is_last;
        self.line = on_one_line(piece.bytes);
    }
}

/// Takes the line ends out of a piece of a message.
fn on_one_line(mut bytes: BytesMut) -> BytesMut {
    let mut searched = 0;
    while let Some(rest) = bytes.get_mut(searched..)
        && let Some(at) = memchr2(b'\n', b'\r', rest)
        && let Some(end) = rest.get_mut(at)
    {
        *end = b' ';
        searched += at + 1;
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
        let before = buffer.filled().len();
        this.put(buffer);
        // All that was read at once is handed on at once, so that it can be answered so.
        while this.is_taken() && buffer.remaining() > 0 {
            let has_some = buffer.filled().len() > before;
            if let Some(error) = this.failed.take_if(|_| !has_some) {
                return Poll::Ready(Err(error));
            }
            if has_some && (!this.messages.has_read() || this.failed.is_some()) {
                break;
            }
            let Poll::Ready(piece) = this.messages.poll_piece(cx) else {
                if has_some {
                    break;
                }
                return this.keepalive.poll_silent(&mut this.messages, cx);
            };
            this.keepalive.came();
            match piece {
                Ok(Some(piece)) => this.take(piece),
                Ok(None) => break,
                Err(error) => this.failed = Some(error),
            }
            this.put(buffer);
        }
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
        let written = self.messages.socket.poll_write_out(cx);
        ready!(self.note(written))?;
        let taken = bytes.get(..MOST_AT_ONCE).unwrap_or(bytes);
        self.push(taken)?;
        // What cannot go now goes with the next write or flush.
        let written = self.messages.socket.poll_write_out(cx);
        match self.note(written) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let flushed = self.messages.socket.poll_flush(cx);
        self.note(flushed)
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::wire::progress::Watch;

    /// Writes a line of 32 KiB, and reads; returns how that ends, what looks at it, and the peer.
    fn write_long() -> (tokio::task::JoinHandle<io::Error>, Watch, DuplexStream) {
        let (ours, peer) = duplex(1 << 10);
        let received = BytesMut::new();
        let config = Config::default();
        let io = Lines::open(Io::new(ours), Side::Client, None, &config, received);
        let watch = Watch::new(&io);
        let (mut reader, mut writer) = split(io);
        let both = tokio::spawn(async move {
            let line = [vec![b'x'; 32 << 10], vec![b'\n']].concat();
            let writing = async {
                writer.write_all(&line).await.unwrap();
                writer.flush().await.unwrap();
                std::future::pending().await
            };
            tokio::select! {
                read = reader.read_u8() => read.expect_err("nothing comes"),
                never = writing => never,
            }
        });
        (both, watch, peer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_a_long_message_slowly_is_there() {
        let (both, mut watch, mut peer) = write_long();
        for taken in 0..32 {
            // All of it takes longer than a peer may be silent.
            sleep(Duration::from_secs(5)).await;
            assert!(watch.has_moved() || taken < 2, "after {taken} KiB");
            let read = peer.read_exact(&mut [0; 1 << 10]).await;
            assert!(read.is_ok(), "cut off after {taken} KiB");
        }
        assert!(!both.is_finished());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_of_a_long_message_is_not() {
        let (both, mut watch, _peer) = write_long();
        let ended = timeout(Duration::from_secs(60), both).await;
        let error = ended.expect("it ends").unwrap();
        assert!(error.to_string().contains("fallen silent"), "{error}");
        assert!(!watch.has_moved());
    }
}
