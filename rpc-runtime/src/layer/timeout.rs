//! A bound on the time that a whole call takes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tower_layer::Layer;

use crate::call::{Body, BodyFrame, Cancellation, Request, Response, deadline_in};
use crate::service::Service;
use crate::status::{Phase, Status};

/// Ends each call after some time, from its start until its body has ended.
///
/// The time is a deadline: it goes to the peer, and to the calls that a handler makes in turn. A
/// call whose own deadline is nearer keeps that one. Where the service behind the layer does not
/// look after deadlines, the layer does, so nothing that is behind it can run for longer.
///
/// A stream counts as one call: unlike a client's default timeout, which bounds only how long a
/// stream takes to begin, this one bounds its whole life.
///
/// # Examples
///
/// ```
/// use rpc_runtime::layer::Timeout;
/// use rpc_runtime::{Channel, Code, Router};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let router = Router::new().function("stuck", || std::future::pending::<i64>());
/// let channel = Channel::new(router).layer(Timeout::new(Duration::from_millis(5)));
/// let status = channel.call::<_, i64>("stuck", ()).await.unwrap_err();
/// assert_eq!(status.code(), Code::DeadlineExceeded);
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Timeout(Duration);

impl Timeout {
    /// Makes the layer.
    pub fn new(timeout: Duration) -> Self {
        Self(timeout)
    }
}

impl<S> Layer<S> for Timeout {
    type Service = TimeoutService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeoutService {
            inner,
            timeout: self.0,
        }
    }
}

/// The service that [`Timeout`] makes.
#[derive(Clone, Debug)]
pub struct TimeoutService<S> {
    inner: S,
    timeout: Duration,
}

impl<S: Service> Service for TimeoutService<S> {
    async fn call(&self, mut request: Request) -> Result<Response, Status> {
        let of_caller = request.deadline_instant();
        request.shorten_timeout(self.timeout);
        if self.inner.keeps_deadlines() {
            return self.inner.call(request).await;
        }
        let at = request.deadline_instant();
        let at = at.unwrap_or_else(|| deadline_in(self.timeout));
        let deadline = Deadline {
            at,
            timeout: (of_caller != Some(at)).then_some(self.timeout),
            cancellation: request.cancellation().cloned(),
        };
        match timeout_at(deadline.at, self.inner.call(request)).await {
            Ok(Ok(response)) => Ok(deadline.follow(response)),
            Ok(Err(status)) => Err(status),
            Err(_) => Err(deadline.expire()),
        }
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }
}

/// When a call must have ended, and what happens if it has not.
struct Deadline {
    at: Instant,
    /// The layer's timeout, if it is that and not the caller's own deadline which ends the call.
    timeout: Option<Duration>,
    /// The signal that the handler watches, where a wire made one.
    cancellation: Option<Cancellation>,
}

impl Deadline {
    /// Watches a response that streams; any other is complete already.
    fn follow(self, mut response: Response) -> Response {
        if response.body().is_stream() {
            let body = response.take_body();
            response.set_body(Body::stream(Timed {
                body,
                expiry: Some((Box::pin(sleep_until(self.at)), self)),
            }));
        }
        response
    }

    fn expire(&self) -> Status {
        if let Some(cancellation) = &self.cancellation {
            cancellation.cancel();
        }
        let status = match self.timeout {
            Some(timeout) => Status::deadline_exceeded(format!(
                "the call did not end within {timeout:?}, the time that the layer `Timeout` gives it"
            )),
            None => Status::deadline_exceeded("the deadline passed before the call ended"),
        };
        status.in_phase(Phase::Reply)
    }
}

/// A response stream that fails when its time is over.
struct Timed {
    body: Body,
    /// Nothing once it has expired.
    expiry: Option<(Pin<Box<Sleep>>, Deadline)>,
}

impl Stream for Timed {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some((sleep, deadline)) = &mut this.expiry else {
            return Poll::Ready(None);
        };
        // By the clock: a stream that always has an item at hand lets no timer run out.
        if Instant::now() < deadline.at {
            if let Poll::Ready(frame) = this.body.poll_frame(cx) {
                return Poll::Ready(frame);
            }
            ready!(sleep.as_mut().poll(cx));
        }
        let status = deadline.expire();
        this.expiry = None;
        this.body = Body::empty();
        Poll::Ready(Some(Err(status)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use bytes::Bytes;
    use futures_util::stream;

    use super::*;
    use crate::call::{Message, Method};
    use crate::codec::Encoding;
    use crate::service::{BoxService, service_fn};
    use crate::status::Code;

    const SECOND: Duration = Duration::from_secs(1);

    fn request() -> Request {
        Request::new(Method::named("m.M/x"), Body::empty())
    }

    fn message() -> Result<BodyFrame, Status> {
        Ok(BodyFrame::Message(Message::encoded(
            Bytes::new(),
            Encoding::JSON,
        )))
    }

    /// Makes a test fail, and not hang, where the layer does not end a call.
    async fn bounded<F: Future>(future: F) -> F::Output {
        let bounded = tokio::time::timeout(SECOND * 60, future).await;
        bounded.expect("the layer ends the call")
    }

    struct SetOnDrop(Arc<AtomicBool>);

    impl Drop for SetOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_never_answers_is_dropped_in_time() {
        let dropped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&dropped);
        let stuck = service_fn(move |_| {
            let guard = SetOnDrop(Arc::clone(&seen));
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        });
        let service = BoxService::new(stuck).layer(Timeout::new(SECOND));
        let mut request = request();
        let cancellation = Cancellation::new();
        request.set_cancellation(cancellation.clone());
        let start = Instant::now();
        let status = bounded(service.call(request)).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains("within 1s"), "{status}");
        assert_eq!(start.elapsed().as_secs(), 1);
        assert!(dropped.load(Ordering::SeqCst));
        assert!(cancellation.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn the_status_says_whose_time_was_over() {
        let stuck = service_fn(|_| std::future::pending());
        let service = BoxService::new(stuck).layer(Timeout::new(SECOND));
        let mut hasty = request();
        hasty.shorten_timeout(SECOND / 2);
        let status = bounded(service.call(hasty)).await.unwrap_err();
        assert!(!status.message().contains("Timeout"), "{status}");
        let mut patient = request();
        patient.shorten_timeout(SECOND * 2);
        let status = bounded(service.call(patient)).await.unwrap_err();
        assert!(status.message().contains("`Timeout`"), "{status}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_cut_off_also_when_it_is_never_pending() {
        let endless = service_fn(|_| async {
            let items = stream::repeat_with(message);
            Ok(Response::new(Body::stream(items)))
        });
        let service = BoxService::new(endless).layer(Timeout::new(SECOND));
        let mut response = service.call(request()).await.unwrap();
        let body = response.body_mut();
        assert!(body.frame().await.is_some_and(|it| it.is_ok()));
        tokio::time::advance(SECOND * 2).await;
        let status = body.frame().await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(body.frame().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_ends_in_time_and_drops_what_follows_the_call() {
        let silent = service_fn(|_| async {
            let items = stream::pending::<Result<BodyFrame, Status>>();
            Ok(Response::new(Body::stream(items)))
        });
        let service = BoxService::new(silent).layer(Timeout::new(SECOND));
        let mut response = service.call(request()).await.unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        response.on_end(SetOnDrop(Arc::clone(&ended)));
        let start = Instant::now();
        let frame = bounded(response.body_mut().frame()).await;
        let status = frame.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(start.elapsed().as_secs(), 1);
        assert!(ended.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn the_nearer_deadline_counts_and_is_passed_on() {
        let echo = service_fn(|request: Request| async move {
            let mut response = Response::new(Body::empty());
            response.extensions_mut().insert(request.remaining());
            Ok(response)
        });
        let service = BoxService::new(echo).layer(Timeout::new(SECOND));
        for (own, expected) in [(None, SECOND), (Some(SECOND / 2), SECOND / 2)] {
            let mut request = request();
            if let Some(own) = own {
                request.shorten_timeout(own);
            }
            let response = service.call(request).await.unwrap();
            let remaining = response.extensions().get::<Option<Duration>>();
            assert_eq!(remaining, Some(&Some(expected)));
        }
    }
}
