//! One stream that is kept.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::buffer::{Buffer, Item};
use super::streams::Streams;
use crate::call::{Body, BodyFrame, Cancellation, Identity, Message, Request, deadline_after};
use crate::codec::Encoding;
use crate::status::Status;

/// How many items the task takes before others get their turn.
const TURN: usize = 64;

/// How many items wait for a reader that is there, at most, before the method is not asked for more.
const AHEAD: usize = 16;

/// Items up to this size are copied, as memory that grew with what was written holds more than that.
const COPIED: usize = 4 << 10;

/// Whose stream it is: nobody else gets it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Caller {
    identity: Option<Identity>,
    method: Arc<str>,
    encoding: Encoding,
}

impl Caller {
    pub(super) fn of(request: &Request, default: Encoding) -> Self {
        Self {
            identity: request.identity().cloned(),
            method: Arc::from(request.method().path()),
            encoding: request.encoding().unwrap_or(default),
        }
    }
}

/// What a token is answered that is not known, or is somebody else's.
pub(super) fn unknown() -> Status {
    Status::aborted(
        "the stream cannot be gone on with: this server does not keep it, or not any more, or not for \
         this caller",
    )
}

/// A stream of a handler that its caller can come back to. Its task fills it and ends it.
pub(super) struct KeptStream {
    /// Its number, in the order in which streams began.
    pub(super) number: u64,
    pub(super) token: Bytes,
    streams: Streams,
    caller: Caller,
    deadline: Option<Instant>,
    state: Mutex<State>,
    /// The task hears that there may be room for an item.
    room: Notify,
    /// The task hears that another one reads, or none.
    turn: Notify,
}

struct State {
    buffer: Buffer,
    end: Option<Result<HeaderMap, Status>>,
    /// The end was handed to some reader.
    end_read: bool,
    /// How many readers there have been.
    readers: u64,
    hold: Hold,
    /// When the server ends it, if that shuts down.
    closes: Option<Instant>,
    waker: Option<Waker>,
}

/// Who has the stream.
enum Hold {
    /// Nobody yet.
    New,
    Reader(Reading),
    /// Nobody until then, when it is given up.
    Nobody(Instant),
    /// It is over, for a reason that a reader may be told.
    Over(Status),
}

/// What is known of the connection that reads.
struct Reading {
    /// The signal that its call is over.
    wire: Cancellation,
    /// The credit that it gave back, and how much of that is settled.
    delivered: Arc<AtomicU64>,
    settled: u64,
}

impl KeptStream {
    pub(super) fn new(
        (number, token): (u64, Bytes),
        streams: Streams,
        caller: Caller,
        deadline: Option<Instant>,
    ) -> Self {
        let buffer = Buffer::new(streams.bytes());
        Self {
            number,
            token,
            streams,
            caller,
            deadline,
            state: Mutex::new(State {
                buffer,
                end: None,
                end_read: false,
                readers: 0,
                hold: Hold::New,
                closes: None,
                waker: None,
            }),
            room: Notify::new(),
            turn: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of a user runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_of(&self, caller: &Caller) -> bool {
        self.caller == *caller
    }

    /// Returns whether its caller is gone and may come back.
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.lock().hold, Hold::Nobody(_))
    }

    /// Gives it to a reader behind so many items, taking it from the one that it has. Returns the
    /// reader's number, how many items are lost, and where credit is counted.
    pub(super) fn attach(
        &self,
        wire: Cancellation,
        received: u64,
    ) -> Result<(u64, u64, Arc<AtomicU64>), Status> {
        let delivered = Arc::new(AtomicU64::new(0));
        let mut state = self.lock();
        if let Hold::Over(_) = state.hold {
            return Err(unknown());
        }
        let handed = state.buffer.handed();
        let Some(lost) = state.buffer.go_back(received) else {
            return Err(Status::invalid_argument(format!(
                "the stream cannot be gone on with behind {received} items: {handed} were sent"
            )));
        };
        state.readers += 1;
        state.hold = Hold::Reader(Reading {
            wire,
            delivered: Arc::clone(&delivered),
            settled: 0,
        });
        let (number, before) = (state.readers, state.waker.take());
        drop(state);
        self.changed(before);
        Ok((number, lost, delivered))
    }

    /// Lets the task and a reader look again.
    fn changed(&self, reader: Option<Waker>) {
        self.turn.notify_one();
        self.room.notify_one();
        reader.into_iter().for_each(Waker::wake);
    }

    /// Polls for what comes next, for one of the readers.
    pub(super) fn poll_read(
        &self,
        number: u64,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<BodyFrame, Status>>> {
        let mut state = self.lock();
        if let Hold::Over(reason) = &state.hold {
            return Poll::Ready(Some(Err(reason.clone())));
        }
        if state.readers != number || !matches!(state.hold, Hold::Reader(_)) {
            let text = "the caller goes on with the stream over another connection";
            return Poll::Ready(Some(Err(Status::aborted(text))));
        }
        state.settle();
        if let Some(item) = state.buffer.read() {
            state.buffer.shrink(self.streams.limits());
            let has_room = state.wants_more(&self.streams);
            drop(state);
            if has_room {
                self.room.notify_one();
            }
            let message = Message::encoded(item.bytes, self.caller.encoding);
            let message = message.behind_skipped(item.skipped);
            return Poll::Ready(Some(Ok(BodyFrame::Message(message))));
        }
        let Some(end) = state.end.clone() else {
            match &mut state.waker {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            drop(state);
            self.room.notify_one();
            return Poll::Pending;
        };
        state.end_read = true;
        Poll::Ready(match end {
            Ok(trailers) if trailers.is_empty() => None,
            Ok(trailers) => Some(Ok(BodyFrame::Trailers(trailers))),
            Err(status) => Some(Err(status)),
        })
    }

    /// Notes that a reader is gone, or that its call is over. The stream waits for its caller if the
    /// connection was lost, and also if nobody knows why.
    pub(super) fn left(self: &Arc<Self>, number: u64) {
        let mut state = self.lock();
        let Hold::Reader(reading) = &state.hold else {
            return;
        };
        if state.readers != number {
            return;
        }
        let given_up = reading.wire.is_cancelled() && !reading.wire.is_lost();
        state.settle();
        if given_up || self.streams.is_closed() {
            state.finish(Status::cancelled("the caller gave the stream up"));
        } else {
            let limits = self.streams.limits();
            let until = deadline_after(Instant::now(), limits.wait);
            let until = self.deadline.map_or(until, |it| it.min(until));
            state.hold = Hold::Nobody(until);
            tracing::debug!(
                method = &*self.caller.method,
                "a stream waits for its caller"
            );
        }
        let has_ended = state.end_read;
        drop(state);
        self.changed(None);
        if has_ended {
            self.streams.note_ended(self);
        }
    }

    /// Ends it for a reason that its reader is told.
    pub(super) fn finish(&self, reason: Status) {
        let mut state = self.lock();
        state.finish(reason);
        let reader = state.waker.take();
        drop(state);
        self.changed(reader);
    }

    /// Ends it if its caller is gone and has everything, but perhaps for the end.
    pub(super) fn finish_if_ended(&self) -> bool {
        let mut state = self.lock();
        let ends = state.end_read && matches!(state.hold, Hold::Nobody(_));
        if ends {
            state.finish(unknown());
        }
        drop(state);
        if ends {
            self.changed(None);
        }
        ends
    }

    /// Lets it go on until `closes` if its caller is there, and no longer than now if not.
    pub(super) fn close(&self, closes: Instant) {
        let mut state = self.lock();
        state.closes = Some(closes);
        if let Hold::Nobody(_) = state.hold {
            state.finish(unknown());
        }
        drop(state);
        self.changed(None);
    }

    /// Asks for items until there are no more.
    pub(super) async fn fill(&self, body: &mut Body) {
        loop {
            for _ in 0..TURN {
                while !self.lock().wants_more(&self.streams) {
                    self.room.notified().await;
                }
                match body.frame().await {
                    Some(Ok(BodyFrame::Message(message))) => {
                        if let Err(status) = self.put(message) {
                            return self.end(Err(status));
                        }
                    }
                    Some(Ok(BodyFrame::Trailers(trailers))) => return self.end(Ok(trailers)),
                    Some(Err(status)) => return self.end(Err(status)),
                    None => return self.end(Ok(HeaderMap::new())),
                }
            }
            tokio::task::yield_now().await;
        }
    }

    fn put(&self, mut message: Message) -> Result<(), Status> {
        let mut bytes = message.bytes(self.caller.encoding)?;
        if bytes.len() <= COPIED {
            bytes = Bytes::copy_from_slice(&bytes);
        }
        let skipped = message.skipped();
        let mut state = self.lock();
        if let Hold::Over(_) = state.hold {
            return Ok(());
        }
        state.buffer.push(Item { bytes, skipped });
        if let Hold::Reader(_) = state.hold {
            state.settle();
            state.buffer.shrink(self.streams.limits());
        }
        let reader = state.waker.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        self.streams.make_room();
        Ok(())
    }

    /// Adds the end. Only the first one counts.
    pub(super) fn end(&self, end: Result<HeaderMap, Status>) {
        let mut state = self.lock();
        state.end.get_or_insert(end);
        let reader = state.waker.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// Waits until nobody can want it any more.
    pub(super) async fn over(self: &Arc<Self>) {
        while let Some(watch) = self.watch() {
            let given_up = async {
                match &watch.wire {
                    Some((_, wire)) => wire.cancelled().await,
                    None => pending().await,
                }
            };
            let late = async {
                match watch.until {
                    Some(until) => sleep_until(until).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                biased;
                () = self.turn.notified() => {}
                () = given_up => self.left(watch.wire.map_or(0, |(number, _)| number)),
                () = late => self.expire(),
            }
        }
    }

    /// Returns what may end it; nothing if it is over.
    fn watch(&self) -> Option<Watch> {
        let state = self.lock();
        let first =
            |one: Option<Instant>, other: Option<Instant>| one.into_iter().chain(other).min();
        match &state.hold {
            Hold::New => Some(Watch {
                wire: None,
                until: self.deadline,
            }),
            Hold::Reader(reading) => Some(Watch {
                wire: Some((state.readers, reading.wire.clone())),
                until: first(self.deadline, state.closes),
            }),
            Hold::Nobody(until) => Some(Watch {
                wire: None,
                until: Some(*until),
            }),
            Hold::Over(_) => None,
        }
    }

    /// Ends it if it is time for that.
    fn expire(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        let has_passed = |it: Option<Instant>| it.is_some_and(|it| it <= now);
        let reason = match &state.hold {
            _ if has_passed(self.deadline) => {
                Status::deadline_exceeded("the deadline passed before the call ended")
            }
            Hold::Nobody(until) if *until <= now => {
                let method = &*self.caller.method;
                tracing::debug!(method, "the caller of a stream did not come back");
                unknown()
            }
            Hold::Reader(_) if has_passed(state.closes) => {
                Status::unavailable("the server shuts down and does not keep the stream")
            }
            _ => return,
        };
        state.finish(reason);
        let reader = state.waker.take();
        drop(state);
        self.changed(reader);
    }
}

/// What may end a stream.
struct Watch {
    /// The signal of the call that reads, and the number of its reader.
    wire: Option<(u64, Cancellation)>,
    until: Option<Instant>,
}

impl State {
    /// Lets the items go of which the reader's connection says that they have arrived.
    fn settle(&mut self) {
        let Hold::Reader(reading) = &mut self.hold else {
            return;
        };
        let delivered = reading.delivered.load(Ordering::Relaxed);
        let credit = delivered.saturating_sub(reading.settled);
        let rest = self.buffer.arrived(credit);
        reading.settled = delivered - rest.min(delivered);
    }

    /// Says whether the method is asked for another item. A reader that is there gets some ahead, and
    /// what it asks for; who is not there gets as many as fit.
    fn wants_more(&self, streams: &Streams) -> bool {
        let waiting = self.buffer.waiting();
        match &self.hold {
            Hold::Reader(_) if self.buffer.has_ample_room(streams.limits()) => waiting < AHEAD,
            Hold::Reader(_) => waiting == 0 && self.waker.is_some(),
            Hold::New | Hold::Nobody(_) => self.buffer.has_room(streams.limits()),
            Hold::Over(_) => false,
        }
    }

    /// Ends it; only the first reason counts.
    fn finish(&mut self, reason: Status) {
        if !matches!(self.hold, Hold::Over(_)) {
            self.hold = Hold::Over(reason);
            self.buffer.clear();
        }
    }
}

impl std::fmt::Debug for KeptStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeptStream").field(&self.caller).finish()
    }
}
