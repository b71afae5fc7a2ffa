//! Byte streams that are late, slow, cut up, and break off: whatever a network does to one.
//!
//! Both directions of a link share a lock, so that a reset hits both. Bytes within a direction
//! never change and never change places; anything else may happen to them.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use fastrand::Rng;
use rpc_runtime::transport::Io;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::trace::Trace;

/// How one direction of a link treats its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Direction {
    /// Each chunk arrives so many milliseconds later, drawn anew.
    pub(crate) delay: (u64, u64),
    /// The most bytes of one chunk.
    pub(crate) chunk: usize,
    /// How many bytes are on their way at most; a writer waits then.
    pub(crate) capacity: usize,
    /// The pause of a slow reader after each read, in milliseconds.
    pub(crate) pause: u64,
}

/// What goes wrong on a link.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Both directions end, as if the peer had closed.
    Cut,
    /// Both directions fail at once; what was on its way is lost.
    Reset,
    /// This direction ends, the other goes on.
    HalfClose,
    /// This direction carries nothing any more, and nobody is told.
    Silence,
    /// Both directions carry nothing any more, and nobody is told.
    Blackout,
    /// This direction stands still for so many milliseconds, and goes on.
    Stall(u64),
}

/// When something goes wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// Behind so many bytes from the client (0) or from the server (1).
    Bytes(usize, u64),
    /// So many milliseconds after the link was made.
    Time(u64),
}

/// How one link behaves.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) directions: [Direction; 2],
    pub(crate) fault: Option<(When, Fault)>,
}

struct Pipe {
    settings: Direction,
    chunks: VecDeque<(Instant, VecDeque<u8>)>,
    on_the_way: usize,
    last_arrival: Instant,
    written: u64,
    ended: bool,
    silent: bool,
    reader_gone: bool,
    read_again: Instant,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Link {
    name: String,
    pipes: [Pipe; 2],
    fault: Option<(When, Fault)>,
    reset: bool,
    rng: Rng,
    trace: Trace,
}

type Shared = Arc<Mutex<Link>>;

fn lock(link: &Shared) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes a link: the client's end and the server's.
pub(crate) fn link(name: &str, plan: Plan, rng: Rng, trace: Trace) -> (Io, Io) {
    let now = Instant::now();
    let pipes = plan.directions.map(|settings| Pipe {
        settings,
        chunks: VecDeque::new(),
        on_the_way: 0,
        last_arrival: now,
        written: 0,
        ended: false,
        silent: false,
        reader_gone: false,
        read_again: now,
        reader: None,
        writer: None,
    });
    let link = Arc::new(Mutex::new(Link {
        name: name.to_owned(),
        pipes,
        fault: plan.fault,
        reset: false,
        rng,
        trace,
    }));
    if let Some((When::Time(milliseconds), fault)) = plan.fault {
        let link = Arc::downgrade(&link);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            if let Some(link) = link.upgrade() {
                lock(&link).strike(0, fault);
            }
        });
    }
    let end = |side: usize| {
        let reader = Reader {
            link: Arc::clone(&link),
            direction: 1 - side,
            timer: Box::pin(sleep_until(now)),
        };
        let writer = Writer {
            link: Arc::clone(&link),
            direction: side,
        };
        Io::from_halves(reader, writer).with_peer(name)
    };
    (end(0), end(1))
}

impl Link {
    fn strike(&mut self, direction: usize, fault: Fault) {
        let name = &self.name;
        let bytes = [self.pipes[0].written, self.pipes[1].written];
        self.trace.note(format_args!(
            "{name}: {fault:?} {direction} after {bytes:?}"
        ));
        match fault {
            Fault::Cut => self.pipes.iter_mut().for_each(|it| it.ended = true),
            Fault::HalfClose => self.pipes[direction].ended = true,
            Fault::Silence => self.pipes[direction].silent = true,
            Fault::Blackout => self.pipes.iter_mut().for_each(|it| it.silent = true),
            Fault::Stall(milliseconds) => {
                let until = Instant::now() + Duration::from_millis(milliseconds);
                let pipe = &mut self.pipes[direction];
                pipe.last_arrival = pipe.last_arrival.max(until);
            }
            Fault::Reset => {
                self.reset = true;
                self.pipes.iter_mut().for_each(|it| it.chunks.clear());
            }
        }
        for pipe in &mut self.pipes {
            pipe.wake();
        }
    }

    /// Takes what it can of `bytes`; `None` if there is no room.
    fn write(&mut self, direction: usize, bytes: &[u8]) -> Option<usize> {
        let pipe = &mut self.pipes[direction];
        let Direction {
            chunk, capacity, ..
        } = pipe.settings;
        // The rest of large messages would take the test too long in the smallest steps, and so
        // much time that nothing else happens.
        let (chunk, capacity) = if pipe.written > 4000 {
            (chunk.max(1000), capacity.max(16 << 10))
        } else {
            (chunk, capacity)
        };
        let room = capacity.saturating_sub(pipe.on_the_way);
        let most = bytes.len().min(room).min(chunk);
        if most == 0 {
            return None;
        }
        let mut length = self.rng.usize(1..=most).max(self.rng.usize(1..=most));
        let strikes = match self.fault {
            Some((When::Bytes(from, at), fault)) if from == direction => {
                let left = usize::try_from(at - pipe.written).unwrap_or(usize::MAX);
                if length >= left {
                    length = left;
                    Some(fault)
                } else {
                    None
                }
            }
            _ => None,
        };
        pipe.written += length as u64;
        pipe.on_the_way += length;
        if !pipe.silent {
            let (least, most) = pipe.settings.delay;
            let delay = Duration::from_millis(self.rng.u64(least..=most));
            pipe.last_arrival = pipe.last_arrival.max(Instant::now() + delay);
            let chunk = bytes[..length].iter().copied().collect();
            pipe.chunks.push_back((pipe.last_arrival, chunk));
            if let Some(reader) = pipe.reader.take() {
                reader.wake();
            }
        }
        if let Some(fault) = strikes {
            self.fault = None;
            self.strike(direction, fault);
        }
        Some(length)
    }
}

impl Pipe {
    fn wake(&mut self) {
        for waker in self.reader.take().into_iter().chain(self.writer.take()) {
            waker.wake();
        }
    }
}

struct Reader {
    link: Shared,
    direction: usize,
    timer: Pin<Box<Sleep>>,
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let mut link = lock(&this.link);
            if link.reset {
                return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
            }
            let direction = this.direction;
            let pipe = &mut link.pipes[direction];
            // Kept also while a chunk is on its way: a reset does not wait for it.
            pipe.reader = Some(cx.waker().clone());
            let now = Instant::now();
            let Some((arrival, chunk)) = pipe.chunks.front_mut() else {
                if pipe.ended && !pipe.silent {
                    return Poll::Ready(Ok(()));
                }
                return Poll::Pending;
            };
            let ready_at = (*arrival).max(pipe.read_again);
            if ready_at > now {
                drop(link);
                this.timer.as_mut().reset(ready_at);
                ready!(this.timer.as_mut().poll(cx));
                continue;
            }
            let length = chunk.len().min(buffer.remaining());
            let bytes: Vec<u8> = chunk.drain(..length).collect();
            buffer.put_slice(&bytes);
            if chunk.is_empty() {
                pipe.chunks.pop_front();
            }
            pipe.on_the_way -= length;
            pipe.read_again = now + Duration::from_millis(pipe.settings.pause);
            if let Some(writer) = pipe.writer.take() {
                writer.wake();
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut link = lock(&self.link);
        let pipe = &mut link.pipes[self.direction];
        pipe.reader_gone = true;
        pipe.chunks.clear();
        pipe.wake();
    }
}

struct Writer {
    link: Shared,
    direction: usize,
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut link = lock(&self.link);
        if link.reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let pipe = &mut link.pipes[self.direction];
        if !pipe.silent && (pipe.ended || pipe.reader_gone) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if let Some(length) = link.write(self.direction, bytes) {
            return Poll::Ready(Ok(length));
        }
        link.pipes[self.direction].writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Waits for room, as a stream must that says goodbye in bytes of its own.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut link = lock(&self.link);
        let reset = link.reset;
        let pipe = &mut link.pipes[self.direction];
        let full = pipe.on_the_way >= pipe.settings.capacity;
        if full && !reset && !pipe.ended && !pipe.reader_gone {
            pipe.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        drop(link);
        self.end();
        Poll::Ready(Ok(()))
    }
}

impl Writer {
    fn end(&self) {
        let mut link = lock(&self.link);
        let pipe = &mut link.pipes[self.direction];
        pipe.ended = true;
        pipe.wake();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end();
    }
}
