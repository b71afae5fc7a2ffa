//! A call of a peer while it runs: its place among all calls, its time, and its end.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

#[cfg(feature = "http")]
use crate::call::{Batch, Filled};
use crate::call::{Body, BodyFrame, Cancellation, Message, Request, Response};
use crate::service::BoxService;
use crate::status::Status;
use crate::wire::budget::{Budget, LIGHT};
use crate::wire::catch_panic::{CatchPanic, panicked};
use crate::wire::config::RunningCall;
use crate::wire::first_poll::poll_handler_may_run;
use crate::wire::incomplete::Held;

/// What a call holds until it has ended.
pub(crate) struct Running {
    cancellation: Cancellation,
    deadline: Option<Instant>,
    /// Made when the call has to wait, which most do not.
    timer: Option<Pin<Box<Sleep>>>,
    grace: Duration,
    _counted: RunningCall,
    _kept: Option<Kept>,
}

/// The request that a call may keep until it has ended, counted in the budget once it has come.
#[derive(Clone)]
pub(crate) struct Kept {
    budget: Arc<Budget>,
    held: Arc<OnceLock<Held>>,
}

impl Kept {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            budget: Arc::clone(budget),
            held: Arc::default(),
        }
    }

    /// Counts the request.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    pub(crate) fn count(&self, bytes: usize) -> Result<(), Status> {
        if bytes > LIGHT {
            let mut held = Held::new(Arc::clone(&self.budget));
            held.set(bytes)?;
            let _ = self.held.set(held);
        }
        Ok(())
    }

    /// Counts a request that has come, or takes no memory if that is not counted.
    ///
    /// # Errors
    ///
    /// There is no room for it.
    #[cfg(feature = "jsonrpc")]
    pub(crate) fn come(budget: &Arc<Budget>, bytes: usize) -> Result<Option<Self>, Status> {
        if bytes <= LIGHT {
            return Ok(None);
        }
        let kept = Self::new(budget);
        kept.count(bytes)?;
        Ok(Some(kept))
    }
}

impl Running {
    pub(crate) fn new(deadline: Option<Instant>, grace: Duration, counted: RunningCall) -> Self {
        Self {
            cancellation: Cancellation::new(),
            deadline,
            timer: None,
            grace,
            _counted: counted,
            _kept: None,
        }
    }

    /// Holds the request until the call has ended.
    pub(crate) fn keeping(self, kept: Option<Kept>) -> Self {
        Self {
            _kept: kept,
            ..self
        }
    }

    fn poll_expired(&mut self, cx: &mut TaskContext<'_>) -> Poll<Status> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(expired())
    }

    /// Says whether the deadline has passed, by the clock: a stream that always has an item at hand
    /// lets no timer run out.
    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|it| it <= Instant::now())
    }

    /// Gives the signal that nobody waits any more, and what is left of the call the time to hear
    /// it.
    fn give_up(self, rest: impl Future + Send + 'static) {
        self.cancellation.cancel();
        // Without a runtime nothing can run on, as when it is shut down.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = timeout(self.grace, rest).await;
                drop(self);
            });
        }
    }
}

fn expired() -> Status {
    Status::deadline_exceeded("the deadline passed before the call ended")
}

/// A call until its response. Dropping it gives the call up.
pub(crate) struct Handling {
    call: Option<(CatchPanic, Running)>,
    was_polled: bool,
}

impl Handling {
    /// Begins a call.
    pub(crate) fn start(
        service: &BoxService,
        mut request: Request,
        running: Running,
    ) -> Result<Self, Status> {
        if running.deadline.is_some_and(|it| it <= Instant::now()) {
            let text = "the deadline passed before the call began";
            return Err(Status::deadline_exceeded(text));
        }
        request.set_cancellation(running.cancellation.clone());
        let started = catch_unwind(AssertUnwindSafe(|| service.start(request)));
        let future = started.map_err(|_| panicked("the service"))?;
        Ok(Self {
            call: Some((CatchPanic(future), running)),
            was_polled: false,
        })
    }
}

impl Future for Handling {
    type Output = Result<(Response, Running), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let is_first = !std::mem::replace(&mut self.was_polled, true);
        let Some((future, running)) = &mut self.call else {
            return Poll::Ready(Err(Status::internal("a call was polled after its end")));
        };
        if is_first {
            ready!(poll_handler_may_run(running.cancellation.turn(), cx));
        }
        match Pin::new(future).poll(cx) {
            Poll::Ready(result) => {
                let ended = self.call.take();
                let running = drop_guarded(ended);
                let running = running.ok_or_else(|| panicked("the service"))?;
                Poll::Ready(result.map(|response| (response, running)))
            }
            Poll::Pending => {
                let status = ready!(running.poll_expired(cx));
                self.give_up();
                Poll::Ready(Err(status))
            }
        }
    }
}

/// Drops a future, in which destructors of the user's run, and keeps the rest.
fn drop_guarded(ended: Option<(CatchPanic, Running)>) -> Option<Running> {
    let (future, running) = ended?;
    catch_unwind(AssertUnwindSafe(|| drop(future))).ok()?;
    Some(running)
}

impl Handling {
    fn give_up(&mut self) {
        if let Some((future, running)) = self.call.take() {
            running.give_up(future);
        }
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// An answer of one message, with the metadata around it.
#[cfg(feature = "http")]
pub(crate) struct Single {
    pub(crate) message: Message,
    pub(crate) metadata: HeaderMap,
    pub(crate) trailers: HeaderMap,
    /// Whether it goes out compressed, if the service has said so.
    pub(crate) compressed: Option<bool>,
}

#[cfg(feature = "http")]
impl Single {
    /// Reads a response to its end.
    ///
    /// # Errors
    ///
    /// The call's failure, and an answer of more than one message or of none.
    pub(crate) async fn read(mut response: Response, running: Running) -> Result<Self, Status> {
        let compressed = response.is_compressed();
        let metadata = response.take_metadata().into_map();
        let mut trailers = response.take_trailers().into_map();
        let replying = Replying::new(response.take_body(), running);
        let (message, behind) = replying.read().await?;
        trailers.extend(behind);
        Ok(Self {
            message,
            metadata,
            trailers,
            compressed,
        })
    }
}

/// The body of a response. Dropping it before its end gives the call up.
pub(crate) struct Replying(Option<(Body, Running)>);

impl Replying {
    pub(crate) fn new(body: Body, running: Running) -> Self {
        Self(Some((body, running)))
    }

    /// Reads a body of one message to its end.
    ///
    /// # Errors
    ///
    /// The call's failure, and an answer of more than one message or of none.
    #[cfg(feature = "jsonrpc")]
    pub(crate) async fn only(self) -> Result<Message, Status> {
        Ok(self.read().await?.0)
    }

    /// The same with the trailers.
    async fn read(mut self) -> Result<(Message, HeaderMap), Status> {
        let (mut only, mut trailers) = (None, HeaderMap::new());
        while let Some(frame) = poll_fn(|cx| self.poll_frame(cx)).await {
            match frame? {
                BodyFrame::Message(message) => {
                    if only.replace(message).is_some() {
                        return Err(Status::internal("the service answered with a stream"));
                    }
                }
                BodyFrame::Trailers(it) => trailers.extend(it),
            }
        }
        let message = only.ok_or_else(|| Status::internal("the service answered with nothing"))?;
        Ok((message, trailers))
    }

    /// Takes the one message of a body that does not stream.
    pub(crate) fn take_single(&mut self) -> Option<Message> {
        self.0.as_mut()?.0.take_single()
    }

    /// Polls for the next frame; `None` is the good end.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<BodyFrame, Status>>> {
        let Some((body, running)) = &mut self.0 else {
            return Poll::Ready(None);
        };
        if running.is_over() {
            self.give_up();
            return Poll::Ready(Some(Err(expired())));
        }
        let polled = catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx)));
        match polled {
            Ok(Poll::Pending) => self.poll_expired(cx).map(|status| Some(Err(status))),
            Ok(Poll::Ready(Some(Ok(frame)))) => Poll::Ready(Some(Ok(frame))),
            Ok(Poll::Ready(last)) => {
                let ended = self.end();
                Poll::Ready(last.or_else(|| ended.err().map(Err)))
            }
            Err(_) => {
                let status = panicked("the stream");
                let _ = self.end();
                Poll::Ready(Some(Err(status)))
            }
        }
    }

    /// Adds messages to a batch as long as it takes more and there are any.
    #[cfg(feature = "http")]
    pub(crate) fn poll_batch(&mut self, cx: &mut TaskContext<'_>, batch: &mut Batch) -> Filled {
        let Some((body, running)) = &mut self.0 else {
            return Filled::Ended(HeaderMap::new());
        };
        if running.is_over() {
            self.give_up();
            return Filled::Failed(expired());
        }
        let filled = catch_unwind(AssertUnwindSafe(|| body.poll_batch(cx, batch)));
        match filled.unwrap_or_else(|_| Filled::Failed(panicked("the stream"))) {
            Filled::Full => Filled::Full,
            Filled::Waiting => match self.poll_expired(cx) {
                Poll::Ready(status) => Filled::Failed(status),
                Poll::Pending => Filled::Waiting,
            },
            Filled::Ended(trailers) => {
                let ended = self.end();
                ended.map_or_else(Filled::Failed, |()| Filled::Ended(trailers))
            }
            Filled::Failed(status) => {
                let _ = self.end();
                Filled::Failed(status)
            }
        }
    }

    /// Ready when the deadline has passed; the call is over then.
    pub(crate) fn poll_expired(&mut self, cx: &mut TaskContext<'_>) -> Poll<Status> {
        let Some((_, running)) = &mut self.0 else {
            return Poll::Pending;
        };
        let status = ready!(running.poll_expired(cx));
        self.give_up();
        Poll::Ready(status)
    }

    /// Ends a call that came to its end by itself.
    ///
    /// # Errors
    ///
    /// When what a layer left to be dropped now panics.
    pub(crate) fn end(&mut self) -> Result<(), Status> {
        let Some((body, _running)) = self.0.take() else {
            return Ok(());
        };
        catch_unwind(AssertUnwindSafe(|| drop(body))).map_err(|_| panicked("the end of the call"))
    }

    /// Ends a call that nobody waits for any more. A stream that hears of it goes on up to its
    /// next item.
    pub(crate) fn give_up(&mut self) {
        if let Some((mut body, running)) = self.0.take() {
            if body.is_stream() {
                running.give_up(async move { drop(body.frame().await) });
            } else {
                running.give_up(std::future::ready(()));
            }
        }
    }
}

impl Drop for Replying {
    fn drop(&mut self) {
        self.give_up();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;
    use crate::codec::Encoding;
    use crate::status::Code;
    use crate::wire::config::RunningCalls;

    #[tokio::test]
    async fn a_stream_that_never_waits_ends_at_its_deadline() {
        let calls = RunningCalls::new(1);
        let message = || Message::encoded(vec![7].into(), Encoding::MESSAGE_PACK);
        let body = Body::stream(stream::repeat_with(move || {
            Ok(BodyFrame::Message(message()))
        }));
        let deadline = Instant::now() + Duration::from_millis(20);
        let running = Running::new(Some(deadline), Duration::ZERO, calls.begin().unwrap());
        let mut replying = Replying::new(body, running);
        let failed = loop {
            match poll_fn(|cx| replying.poll_frame(cx)).await {
                Some(Ok(_)) => assert!(deadline.elapsed() < Duration::from_secs(10)),
                Some(Err(status)) => break status,
                None => panic!("it has no end of its own"),
            }
        };
        assert_eq!(failed.code(), Code::DeadlineExceeded);
        assert!(poll_fn(|cx| replying.poll_frame(cx)).await.is_none());
    }
}
