//! A call that is answered by a stream.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use http::HeaderMap;
use tokio::time::{Sleep, sleep_until};

use super::blocking;
use super::decode::Decode;
use super::outgoing::{Origin, OutgoingCall, Running, Watch, name_peer};
use super::resume::{Resumed, Resuming, Resumption, lost_items};
use super::spawned::Spawned;
use crate::call::{
    Body, BodyFrame, IntoMetadataValue, Message, MethodError, Peer, Response, Returns, Run,
    SKIPPED, deadline_in,
};
use crate::codec::Encoding;
use crate::layer::Retry;
use crate::status::{Phase, Status};

/// A call that is answered by a stream; it is the stream.
///
/// Nothing happens before the first poll (or [`start`](Self::start)). Dropping it after that
/// cancels the call at the server. It yields `Result<T, X>` and, after the end or an `Err`, `None`.
/// `None` without an `Err` before it means that the server ended the stream; a stream that broke
/// off never ends that way.
///
/// A stream of a method that is marked [`#[rpc(resumable)]`](crate::rpc_service#resumable-streams) goes on
/// by itself when its connection is lost, where its wire and its server can do that.
///
/// There is no bound on the whole unless [`timeout`](Self::timeout) or the method sets one. The
/// server must accept the stream within the channel's timeout, 30 seconds by default.
///
/// Settings come before the first poll and before [`start`](Self::start). One that comes later is
/// a mistake: it cancels the call, which fails with
/// [`Code::FailedPrecondition`](crate::Code::FailedPrecondition).
#[must_use = "a stream does nothing unless it is polled or started"]
pub struct ResponseStream<T, X = Status> {
    download: Download,
    decode: Decode<T>,
    fail: fn(Status) -> X,
}

/// The stream of a method whose items are `R`, a `Result` or an alias of one.
pub type FallibleStream<R, C = crate::codec::Serde> =
    ResponseStream<<R as Returns>::Ok, <<R as Returns>::Err as MethodError<C>>::CallError>;

// Everything inside is boxed or plain data; nothing is pinned in place.
impl<T, X> Unpin for ResponseStream<T, X> {}

impl<T, X> ResponseStream<T, X> {
    pub(super) fn new(
        outgoing: Box<OutgoingCall>,
        decode: Decode<T>,
        fail: fn(Status) -> X,
    ) -> Self {
        Self {
            download: Download {
                origin: outgoing.origin(),
                peer: None,
                first_item_timeout: None,
                first_item: None,
                metadata: HeaderMap::new(),
                trailers: HeaderMap::new(),
                skipped: 0,
                resumption: None,
                accepts_gaps: false,
                lost: 0,
                run: Run::default(),
                state: State::Ready(outgoing),
            },
            decode,
            fail,
        }
    }

    /// Bounds the whole life of the stream, from its first poll; the server is told.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.configure(|outgoing| outgoing.set_timeout(timeout));
        self
    }

    /// Bounds the time until the first item, and so until the acceptance, from the first poll. The server is
    /// not told.
    pub fn first_item_timeout(mut self, timeout: Duration) -> Self {
        self.configure(|_| {});
        self.download.first_item_timeout = Some(timeout);
        self
    }

    /// Adds metadata to the request: a name, such as a `&str` or a [`HeaderName`], and a value, such
    /// as a text, a number or a [`HeaderValue`]. What HTTP would not allow fails the call with
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument).
    ///
    /// [`HeaderName`]: http::HeaderName
    /// [`HeaderValue`]: http::HeaderValue
    pub fn metadata(mut self, name: impl AsRef<str>, value: impl IntoMetadataValue) -> Self {
        let (name, value) = (name.as_ref(), value.into_value());
        self.configure(|outgoing| outgoing.add_metadata(name, value));
        self
    }

    /// Chooses the encoding of the messages, both ways.
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.configure(|outgoing| outgoing.set_encoding(encoding));
        self
    }

    /// Says whether the messages that are sent are compressed, instead of what
    /// [`Connect::compress_requests`](crate::client::Connect::compress_requests) says.
    #[cfg(feature = "http")]
    pub fn compressed(mut self, is_compressed: bool) -> Self {
        self.configure(|outgoing| outgoing.set_compressed(is_compressed));
        self
    }

    /// Makes the call again until its first item has come, as `retry` says and not as that of the
    /// channel does, if it has one: see [`Call::retry`](crate::Call::retry).
    pub fn retry(mut self, retry: Retry) -> Self {
        self.configure(|outgoing| outgoing.set_retry(retry));
        self
    }

    /// Goes on with a stream of a method that is marked `#[rpc(resumable)]` also if some of its items are
    /// lost: see [`lost`](Self::lost). Without it such a stream fails with
    /// [`Code::DataLoss`](crate::Code::DataLoss), and nobody misses items without knowing it.
    pub fn accept_gaps(mut self) -> Self {
        self.configure(|_| {});
        self.download.accepts_gaps = true;
        self
    }

    fn configure(&mut self, change: impl FnOnce(&mut OutgoingCall)) {
        match &mut self.download.state {
            State::Ready(outgoing) => change(outgoing),
            // What has ended stays ended.
            State::Ended => {}
            // Unnoticed, a setting that has no effect could be a deadline that does not come.
            begun => {
                *begun = State::Misused;
                self.download.run = Run::default();
            }
        }
    }

    /// Begins the call now, in a task of its own; an upload goes on whether or not anyone reads
    /// the answer.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime.
    pub fn start(mut self) -> Self {
        self.download.spawn();
        self
    }

    /// Returns the next item; `None` at the end.
    ///
    /// # Errors
    ///
    /// The method's own error or the reason why the stream broke off, as its last item.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Result<T, X>> {
        poll_fn(|cx| self.poll_item(cx)).await
    }

    /// Waits until the server has accepted the stream, and returns the metadata that came then.
    ///
    /// # Errors
    ///
    /// The reason why the call was refused; the stream has ended then.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn accepted(&mut self) -> Result<&HeaderMap, X> {
        let accepted = poll_fn(|cx| match self.download.poll_accepted(cx) {
            Poll::Pending => self.download.poll_first_item_late(cx).map(Err),
            accepted => accepted,
        })
        .await;
        accepted
            .map_err(|status| self.download.fail(status))
            .map_err(self.fail)?;
        Ok(&self.download.metadata)
    }

    /// Returns the metadata behind the last item; empty before the end of the stream.
    pub fn trailers(&self) -> &HeaderMap {
        &self.download.trailers
    }

    /// Returns how many items the server has left out so far because this side read too slowly: see
    /// [`SlowReader`](crate::SlowReader). It counts those before the item that came last, and at the end
    /// all of them; over gRPC, Connect and gRPC-Web it is 0 before the end, and over JSON-RPC, which has
    /// no word for it, always.
    pub fn skipped(&self) -> u64 {
        self.download.skipped
    }

    /// Returns how many items of a stream that [accepts gaps](Self::accept_gaps) are lost so far: the
    /// connection broke, and the server had kept fewer than were on their way. It counts those before the
    /// item that came last.
    pub fn lost(&self) -> u64 {
        self.download.lost
    }

    /// Makes the call and blocks the thread for each item, for programs without a runtime.
    pub fn wait(self) -> Blocking<T, X> {
        Blocking {
            download: Some(self.download),
            decode: self.decode,
            fail: self.fail,
        }
    }

    fn poll_item(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<T, X>>> {
        let item = match self.download.next_of_run(&self.decode) {
            Some(item) => Some(item),
            None => ready!(self.download.poll_message(cx))
                .map(|message| message.and_then(|it| self.download.decode(it, &self.decode))),
        };
        Poll::Ready(item.map(|item| item.map_err(self.fail)))
    }
}

impl<T, X> Stream for ResponseStream<T, X> {
    type Item = Result<T, X>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.poll_item(cx)
    }
}

impl<T, X> fmt::Debug for ResponseStream<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseStream")
            .field(&self.download.origin.method)
            .finish()
    }
}

/// A stream that blocks its thread for each item. Dropping it cancels the call.
///
/// Inside asynchronous code, where that would stall the runtime, its one item is
/// [`Code::FailedPrecondition`](crate::Code::FailedPrecondition).
pub struct Blocking<T, X = Status> {
    download: Option<Download>,
    decode: Decode<T>,
    fail: fn(Status) -> X,
}

impl<T, X> Iterator for Blocking<T, X> {
    type Item = Result<T, X>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(item) = self.download.as_mut()?.next_of_run(&self.decode) {
            return Some(item.map_err(self.fail));
        }
        let mut download = self.download.take()?;
        let polled = blocking::block_on(async move {
            let message = poll_fn(|cx| download.poll_message(cx)).await;
            (download, message)
        });
        let item = match polled {
            Ok((mut download, message)) => {
                let item = message?.and_then(|it| download.decode(it, &self.decode));
                self.download = Some(download);
                item
            }
            Err(status) => Err(status),
        };
        Some(item.map_err(self.fail))
    }
}

impl<T, X> fmt::Debug for Blocking<T, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocking")
    }
}

/// One request and a stream back, whatever their types.
struct Download {
    origin: Origin,
    /// Who accepted the stream.
    peer: Option<Arc<dyn Peer>>,
    first_item_timeout: Option<Duration>,
    first_item: Option<Pin<Box<Sleep>>>,
    metadata: HeaderMap,
    trailers: HeaderMap,
    /// How many items were left out so far.
    skipped: u64,
    /// How to go on when the connection is lost, where that can be done.
    resumption: Option<Box<Resumption>>,
    accepts_gaps: bool,
    /// How many items are lost so far because a connection was.
    lost: u64,
    /// Messages that are here already.
    run: Run,
    state: State,
}

enum State {
    Ready(Box<OutgoingCall>),
    Calling(Running),
    Spawned(Spawned<Result<Begun, Status>>),
    Streaming(Box<(Body, Watch)>),
    /// The connection was lost, and the stream is gone on with.
    Resuming(Resuming),
    /// It was set up after it had begun, and has yet to say so.
    Misused,
    Ended,
}

/// A stream that was accepted.
type Begun = (Response, Watch, Option<Box<Resumption>>);

impl Download {
    fn spawn(&mut self) {
        self.arm_first_item();
        if let State::Ready(outgoing) = std::mem::replace(&mut self.state, State::Ended) {
            self.state = State::Spawned(Spawned::new(async move {
                let (mut running, resumption) = outgoing.begin_stream()?;
                let (response, watch) = poll_fn(|cx| running.poll_response(cx)).await?;
                Ok((response, watch, resumption))
            }));
        }
    }

    fn arm_first_item(&mut self) {
        let timeout = self.first_item_timeout.take();
        self.first_item = timeout.map(|it| Box::pin(sleep_until(deadline_in(it))));
    }

    /// Ends the stream with a failure.
    fn fail(&mut self, status: Status) -> Status {
        self.state = State::Ended;
        self.run = Run::default();
        self.resumption = None;
        self.first_item = None;
        self.origin.name(name_peer(status, self.peer.as_ref()))
    }

    /// Decodes the next of the messages that are here already.
    #[inline]
    fn next_of_run<T>(&mut self, decode: &Decode<T>) -> Option<Result<T, Status>> {
        if self.run.is_empty() {
            return None;
        }
        let item = (decode.next)(&mut self.run)?;
        Some(item.map_err(|cause| self.unreadable(cause)))
    }

    fn decode<T>(&mut self, message: Message, decode: &Decode<T>) -> Result<T, Status> {
        (decode.message)(message).map_err(|cause| self.unreadable(cause))
    }

    #[cold]
    fn unreadable(&mut self, cause: Status) -> Status {
        let status = Status::internal("an item of the stream cannot be read");
        self.fail(status.with_source(cause).in_phase(Phase::Decode))
    }

    fn poll_accepted(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        loop {
            let (mut response, watch) = match &mut self.state {
                State::Streaming(_) | State::Resuming(_) | State::Ended => {
                    return Poll::Ready(Ok(()));
                }
                State::Misused => return Poll::Ready(Err(misused())),
                State::Calling(running) => ready!(running.poll_response(cx))?,
                State::Spawned(task) => match ready!(Pin::new(task).poll(cx)) {
                    Ok(result) => {
                        let (response, watch, resumption) = result?;
                        self.resumption = resumption;
                        (response, watch)
                    }
                    Err(error) => {
                        let status = Status::internal("the task of the call failed");
                        return Poll::Ready(Err(status.with_source(error)));
                    }
                },
                State::Ready(_) => {
                    self.arm_first_item();
                    if let State::Ready(outgoing) = std::mem::replace(&mut self.state, State::Ended)
                    {
                        let (running, resumption) = outgoing.begin_stream()?;
                        self.state = State::Calling(running);
                        self.resumption = resumption;
                    }
                    continue;
                }
            };
            if let Some(resumption) = &mut self.resumption {
                resumption.accepted(&mut response);
            }
            self.peer = response.take_peer();
            self.metadata = std::mem::take(response.metadata_mut());
            self.trailers = std::mem::take(response.trailers_mut());
            self.state = State::Streaming(Box::new((response.take_body(), watch)));
        }
    }

    fn poll_message(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Message, Status>>> {
        let polled = self.poll_body(cx);
        if polled.is_ready() {
            self.first_item = None;
            return polled;
        }
        let status = ready!(self.poll_first_item_late(cx));
        Poll::Ready(Some(Err(self.fail(status))))
    }

    /// Ready when the first item has had time enough.
    fn poll_first_item_late(&mut self, cx: &mut TaskContext<'_>) -> Poll<Status> {
        let Some(timer) = &mut self.first_item else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(cx));
        let status = Status::deadline_exceeded("the stream's first item did not come in time");
        Poll::Ready(status.in_phase(Phase::Reply))
    }

    fn poll_body(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Result<Message, Status>>> {
        if !matches!(self.state, State::Streaming(_))
            && let Err(status) = ready!(self.poll_accepted(cx))
        {
            return Poll::Ready(Some(Err(self.fail(status))));
        }
        loop {
            let streaming = match &mut self.state {
                State::Streaming(streaming) => streaming,
                State::Resuming(resuming) => {
                    let resumed = ready!(resuming.as_mut().poll(cx));
                    match resumed.and_then(|it| self.gone_on(it)) {
                        Ok(()) => continue,
                        Err(status) => return Poll::Ready(Some(Err(self.fail(status)))),
                    }
                }
                _ => return Poll::Ready(None),
            };
            let (body, watch) = &mut **streaming;
            if let Some(status) = watch.passed() {
                return Poll::Ready(Some(Err(self.fail(status))));
            }
            let Poll::Ready(frame) = body.poll_frame(cx) else {
                let status = ready!(watch.poll_expired(cx));
                return Poll::Ready(Some(Err(self.fail(status))));
            };
            match frame {
                Some(Ok(BodyFrame::Message(message))) => {
                    body.take_run(&mut self.run);
                    self.skipped = self.skipped.saturating_add(message.skipped().into());
                    if let Some(resumption) = &mut self.resumption {
                        resumption.item_came();
                    }
                    return Poll::Ready(Some(Ok(message)));
                }
                Some(Ok(BodyFrame::Trailers(trailers))) => {
                    self.skipped = all_skipped(&trailers).unwrap_or(self.skipped);
                    self.trailers = trailers;
                }
                Some(Err(status)) => {
                    if let Some(status) = self.broken(status) {
                        return Poll::Ready(Some(Err(self.fail(status))));
                    }
                }
                None => {
                    self.state = State::Ended;
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl Download {
    /// Goes on with the stream behind a failure, or gives that back.
    fn broken(&mut self, status: Status) -> Option<Status> {
        match self.resumption.take_if(|it| it.may_go_on(&status)) {
            Some(resumption) => {
                self.state = State::Resuming(resumption.go_on(status));
                None
            }
            None => {
                self.skipped = all_skipped(status.metadata()).unwrap_or(self.skipped);
                Some(status)
            }
        }
    }

    /// Reads on where a stream goes on.
    fn gone_on(&mut self, resumed: Resumed) -> Result<(), Status> {
        let Resumed {
            mut response,
            watch,
            lost,
            resumption,
        } = resumed;
        self.peer = response.take_peer();
        if lost > 0 && !self.accepts_gaps {
            return Err(lost_items(lost));
        }
        self.lost = self.lost.saturating_add(lost);
        self.resumption = Some(resumption);
        self.state = State::Streaming(Box::new((response.take_body(), watch)));
        Ok(())
    }
}

/// Reads how many items the server has left out in all, if it says so.
fn all_skipped(metadata: &HeaderMap) -> Option<u64> {
    metadata.get(SKIPPED)?.to_str().ok()?.parse().ok()
}

fn misused() -> Status {
    Status::failed_precondition(
        "the stream was set up after it had begun: settings come before `start` and the first poll",
    )
}
