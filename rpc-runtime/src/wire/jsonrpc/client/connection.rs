//! A connection to a server of JSON.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, timeout, timeout_at};

use super::calls::{Call, Calls, Kept, Opening};
use super::request;
use super::stream::Items;
use super::writer::Writer;
use crate::call::{Body, Message, Peer, Request, Response};
use crate::codec::Encoding;
use crate::service::BoxFuture;
use crate::status::{Phase, Status};
use crate::transport::Io;
use crate::wire::budget::{Budget, LIGHT};
use crate::wire::config::Config;
use crate::wire::incomplete::{Held, Patience};
use crate::wire::jsonrpc::dialect::{Dialect, Notice};
use crate::wire::jsonrpc::envelope::{Envelope, is_batch, items};
use crate::wire::jsonrpc::framing::{Received, Splitter, part_kept};
use crate::wire::progress::Watch;

/// How often calls are looked at for deadlines that have passed, at most.
const SWEEP: Duration = Duration::from_millis(5);

/// A handle to begin calls with. The connection closes when it is gone and its calls have ended.
pub(crate) struct Connection(Arc<Link>);

pub(super) struct Link {
    dialect: &'static Dialect,
    pub(super) config: Arc<Config>,
    pub(super) peer: Arc<str>,
    pub(super) calls: Calls,
    /// As many as calls may be open at once.
    places: Arc<Semaphore>,
    budget: Arc<Budget>,
    writer: Writer,
}

impl Peer for Link {
    fn name(&self) -> &Arc<str> {
        &self.peer
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.calls.leave();
    }
}

/// Forgets a call when nobody waits for it any more.
struct Open {
    link: Arc<Link>,
    /// `None` for one that was answered.
    key: Option<u64>,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            self.link.calls.give_up(key);
        }
    }
}

impl Connection {
    /// Makes a connection of a byte stream; the future that comes with it drives it.
    pub(crate) fn open(
        io: Io,
        dialect: &'static Dialect,
        config: Arc<Config>,
    ) -> (Self, impl Future<Output = Result<(), Status>> + Send) {
        let limits = &config.limits;
        let max_calls = usize::try_from(limits.max_calls).unwrap_or(usize::MAX);
        let window = usize::try_from(limits.stream_window).unwrap_or(usize::MAX);
        let budget = Budget::new(limits.max_buffered, config.shared_budget.clone());
        let budget = Arc::new(budget);
        let link = Arc::new(Link {
            dialect,
            peer: Arc::clone(io.peer()),
            calls: Calls::new(dialect, window, Arc::clone(&budget)),
            places: Arc::new(Semaphore::new(max_calls.min(Semaphore::MAX_PERMITS))),
            budget,
            config,
            writer: Writer::default(),
        });
        (Self(Arc::clone(&link)), drive(io, link))
    }

    /// Returns whether new calls can begin here.
    pub(crate) fn is_open(&self) -> bool {
        !self.0.calls.is_closed()
    }

    /// Returns the calls that are on their way.
    pub(crate) fn calls(&self) -> usize {
        self.0.calls.open()
    }

    /// Begins a call.
    pub(crate) fn start(&self, request: Request) -> BoxFuture<'static, Result<Response, Status>> {
        let link = Arc::clone(&self.0);
        Box::pin(async move {
            let called = call(&link, request).await;
            called.map_err(|status| status.in_phase(Phase::Reply).at_peer(&link.peer))
        })
    }
}

async fn call(link: &Arc<Link>, request: Request) -> Result<Response, Status> {
    let deadline = request.first_deadline();
    let place = match Arc::clone(&link.places).try_acquire_owned() {
        Ok(place) => place,
        // Most calls wait for nothing, and need no memory for how that would be done.
        Err(_) => Box::pin(link.place(deadline)).await?,
    };
    if !link.has_room() {
        Box::pin(within(deadline, link.room(), "room in `max_outgoing`")).await?;
    }
    let stream_deadline = request.deadline_instant();
    let begun = begin(link, request, deadline, place);
    let begun = begun.map_err(|status| status.in_phase(Phase::Send))?;
    let Begun { mut open, key, .. } = begun;
    let answer = begun.answer.await;
    // Whoever answered has forgotten the call.
    open.key = None;
    let gone = |_| Err(Status::unavailable("the connection was closed"));
    let bytes = answer.unwrap_or_else(gone)?;
    if begun.is_stream {
        let items = Items::new(Arc::clone(link), key, stream_deadline);
        let mut response = Response::new(Body::stream(items));
        response.set_peer(Arc::clone(link) as _);
        return Ok(response);
    }
    link.whole(bytes)
}

/// A call whose text is queued.
struct Begun {
    open: Open,
    key: u64,
    answer: oneshot::Receiver<Result<Bytes, Status>>,
    is_stream: bool,
    /// That of the call, where it is not kept until the answer.
    _place: Option<OwnedSemaphorePermit>,
}

fn begin(
    link: &Arc<Link>,
    mut request: Request,
    deadline: Option<Instant>,
    place: OwnedSemaphorePermit,
) -> Result<Begun, Status> {
    let id = link.calls.next_id();
    let ending = request::ending(link.dialect, &request)?;
    let limit = link.config.limits.max_message;
    let text = request::text(link.dialect, &mut request, id, limit)?;
    let (kept, place) = match ending.map(Into::into) {
        Some(ending) => (Kept::Stream(Opening { ending, place }), None),
        None if link.dialect.is_ordered => (Kept::Place { _place: place }, None),
        None => (Kept::Nothing, Some(place)),
    };
    let is_stream = kept.is_stream();
    let queued = link.calls.begin(Call {
        id,
        text: &text,
        kept,
        deadline,
    })?;
    link.write(queued.is_alone);
    Ok(Begun {
        open: Open {
            link: Arc::clone(link),
            key: Some(queued.key),
        },
        key: queued.key,
        answer: queued.answer,
        is_stream,
        _place: place,
    })
}

/// Waits for what a call needs before it begins, no longer than it may take.
async fn within<F: Future>(
    deadline: Option<Instant>,
    what: F,
    name: &'static str,
) -> Result<F::Output, Status> {
    let Some(deadline) = deadline else {
        return Ok(what.await);
    };
    timeout_at(deadline, what).await.map_err(|_| {
        let text = format!("the deadline passed while the call waited for {name}");
        Status::deadline_exceeded(text).in_phase(Phase::Send)
    })
}

impl Link {
    /// Makes the response of an answer that is one value.
    fn whole(self: &Arc<Self>, bytes: Bytes) -> Result<Response, Status> {
        let length = bytes.len();
        let limits = self.config.limits.decode_limits();
        let message = Message::with_limits(bytes, Encoding::JSON, limits);
        let mut response = Response::new(Body::message(message));
        if length > LIGHT {
            let mut held = Held::new(Arc::clone(&self.budget));
            held.set(length)?;
            response.on_end(held);
        }
        response.set_peer(Arc::clone(self) as _);
        Ok(response)
    }

    /// Waits for a place, no longer than the call may take.
    async fn place(&self, deadline: Option<Instant>) -> Result<OwnedSemaphorePermit, Status> {
        let place = Arc::clone(&self.places).acquire_owned();
        let place = within(deadline, place, "one of the `max_calls` places").await?;
        place.map_err(|_| Status::unavailable("the connection is closed"))
    }

    /// Has what is queued written. One call alone is at once; others, which were woken together, are
    /// together as well.
    fn write(&self, is_alone: bool) {
        if !is_alone || !self.writer.write_at_once(&self.calls) {
            self.calls.changed.notify_one();
        }
    }

    fn has_room(&self) -> bool {
        self.calls.waiting() < self.config.limits.max_outgoing
    }

    async fn room(&self) {
        loop {
            let freed = self.calls.room.notified();
            if self.has_room() || self.calls.is_closed() {
                return;
            }
            freed.await;
        }
    }

    /// Takes an answer, or several in a batch.
    fn take(&self, text: &Bytes) -> Result<(), Status> {
        if !self.dialect.has_batches || !is_batch(text) {
            return self.take_one(text, text);
        }
        let limit = usize::try_from(self.config.limits.max_calls).unwrap_or(usize::MAX);
        let found = items(text, limit).map_err(|_| no_answer())?;
        let mut found = found.into_iter();
        found.try_for_each(|item| self.take_one(text, item.as_bytes()))
    }

    fn take_one(&self, text: &Bytes, item: &[u8]) -> Result<(), Status> {
        let envelope = Envelope::read(item).map_err(|_| no_answer())?;
        if let Some((id, notice)) = (self.dialect.read_notice)(&envelope) {
            let notice = match notice {
                Notice::Item(item) => Notice::Item(part_kept(text, item.get())),
                Notice::End(end) => Notice::End(end),
            };
            if !self.calls.take_notice(id.get(), notice) {
                tracing::debug!(peer = &*self.peer, "passed over: of no open stream");
            }
            return Ok(());
        }
        let Some(answer) = (self.dialect.read_answer)(&envelope) else {
            tracing::debug!(peer = &*self.peer, "passed over: not an answer");
            return Ok(());
        };
        let is_unreadable = answer.id.is_none() && !self.dialect.is_ordered;
        if is_unreadable && answer.result.is_ok() {
            tracing::debug!(peer = &*self.peer, "passed over: a result of no call");
            return Ok(());
        }
        let outcome = answer.result.map(|result| part_kept(text, result.get()));
        let reason = outcome.as_ref().err().cloned();
        let is_known = self.calls.end(answer.id, outcome);
        match reason {
            // Nobody can tell which of the calls the server could not read.
            Some(reason) if is_unreadable && !is_known => Err(reason),
            _ => Ok(()),
        }
    }

    /// Fails the call whose answer is too large, which is known where there is only one and no stream.
    fn fail(&self, status: Status) -> Result<(), Status> {
        if self.calls.fail_only(&status) {
            return Ok(());
        }
        Err(status)
    }
}

fn no_answer() -> Status {
    Status::internal("the server did not answer with what this wire has")
}

/// Reads and writes a connection; ends when it does.
async fn drive(io: Io, link: Arc<Link>) -> Result<(), Status> {
    /// Ends the calls that are open, however this ends.
    struct Closing(Arc<Link>);
    impl Drop for Closing {
        fn drop(&mut self) {
            let reason = Status::unavailable("the connection was closed");
            self.0.calls.close(&reason);
            self.0.writer.close();
        }
    }
    let closing = Closing(link);
    let link = &closing.0;
    let watch = Watch::new(&io);
    let (reader, writer) = tokio::io::split(io);
    link.writer.open(writer, watch);
    let ended = tokio::select! {
        // What has come counts, also where nothing can be sent or the time is over.
        biased;
        ended = read(reader, link) => ended,
        ended = write(link) => ended,
        never = keep_time(link) => match never {},
    };
    if let Err(reason) = &ended {
        link.calls.close(reason);
    }
    ended
}

/// Ends calls at their deadlines, with one timer for all of them.
async fn keep_time(link: &Link) -> Infallible {
    loop {
        let now = Instant::now();
        let sooner = link.calls.sooner.notified();
        match link.calls.expire(now) {
            None => sooner.await,
            Some(next) => {
                let _ = timeout_at(next.max(now + SWEEP), sooner).await;
            }
        }
    }
}

async fn write(link: &Link) -> Result<(), Status> {
    loop {
        let changed = link.calls.changed.notified();
        let writing = link.writer.write(&link.calls);
        let written = timeout(link.config.keepalive_timeout, writing).await;
        let stuck = "the server took nothing for `keepalive_timeout` of what was sent";
        let written = written.map_err(|_| Status::unavailable(stuck))?;
        if written.map_err(broken)? {
            continue;
        }
        if link.calls.is_over() {
            link.writer.shutdown().await;
            return Ok(());
        }
        changed.await;
        if link.calls.open() > 1 {
            // Those who were woken with whoever woke this task have calls to make as well.
            yield_now().await;
        }
    }
}

async fn read(mut io: tokio::io::ReadHalf<Io>, link: &Link) -> Result<(), Status> {
    let limits = &link.config.limits;
    let received = BytesMut::new();
    let mut splitter = Splitter::new(link.dialect.framing, limits.max_message, received);
    let mut patience = Patience::new(limits.message_timeout);
    let mut held = Held::new(Arc::clone(&link.budget));
    loop {
        // Below what the server waits for one that takes nothing.
        let patience_with_streams = link.config.keepalive_timeout / 2;
        link.calls.until_wanted(patience_with_streams).await;
        splitter.bytes.reserve(16 << 10);
        let read = tokio::select! {
            biased;
            read = io.read_buf(&mut splitter.bytes) => read.map_err(broken)?,
            stalled = poll_fn(|cx| patience.poll_over(cx)) => return Err(stalled),
        };
        if read == 0 {
            return Err(Status::unavailable("the server closed the connection"));
        }
        patience.came(read);
        loop {
            match splitter.next() {
                Received::Nothing => break,
                Received::Text(text) => link.take(&text.freeze())?,
                Received::TooLarge => {
                    let limit = limits.max_message;
                    link.fail(Status::resource_exhausted(format!(
                        "a message is over the client's limit `max_message` of {limit} bytes"
                    )))?;
                }
            }
            patience.end();
        }
        if splitter.is_incomplete() {
            patience.begin();
        }
        held.set(splitter.bytes.len())?;
    }
}

fn broken(error: std::io::Error) -> Status {
    Status::unavailable("the connection broke").with_source(error)
}
