//! A bound on how many calls run at once.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::{Instant, sleep_until};
use tower_layer::Layer;

use crate::call::{Cancellation, Request, Response};
use crate::service::Service;
use crate::status::{Phase, Status};

/// How many calls may wait where nobody says otherwise: a queue without a bound is a leak.
const DEFAULT_WAITING: usize = 1_000;

/// Lets only so many calls run at once.
///
/// A call counts from its start until its body has ended, so an open stream counts. The others
/// wait in the order in which they came, no longer than until their deadline; when too many wait
/// already, a call is refused with [`Code::ResourceExhausted`](crate::Code::ResourceExhausted).
///
/// The limit belongs to the layer: its clones, and all services that it is put around, share it.
///
/// # Examples
///
/// ```
/// use rpc_runtime::Router;
/// use rpc_runtime::layer::ConcurrencyLimit;
///
/// let router = Router::new()
///     .function("double", |n: i64| async move { n * 2 })
///     .layer(ConcurrencyLimit::new(8).or_refuse());
/// ```
#[derive(Clone)]
pub struct ConcurrencyLimit {
    limit: usize,
    max_waiting: usize,
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl ConcurrencyLimit {
    /// Makes a layer that lets `limit` calls run at once; zero lets none.
    pub fn new(limit: usize) -> Self {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Self {
            limit,
            max_waiting: DEFAULT_WAITING,
            permits: Arc::new(Semaphore::new(limit)),
            waiting: Arc::default(),
        }
    }

    /// Sets how many calls may wait, 1,000 if it is not set. Further ones are refused.
    #[must_use]
    pub fn max_waiting(mut self, calls: usize) -> Self {
        self.max_waiting = calls;
        self
    }

    /// Refuses at once, with [`Code::ResourceExhausted`](crate::Code::ResourceExhausted), instead
    /// of letting calls wait.
    #[must_use]
    pub fn or_refuse(self) -> Self {
        self.max_waiting(0)
    }

    /// Returns a permit; a call that has to wait is ended by its deadline or its caller.
    async fn acquire(&self, request: &Request) -> Result<OwnedSemaphorePermit, Status> {
        match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => return Ok(permit),
            Err(TryAcquireError::NoPermits) => {}
            Err(TryAcquireError::Closed) => return Err(closed()),
        }
        let _place = self.take_place()?;
        let end = request.first_deadline();
        let permit = tokio::select! {
            // In this order, so that a call that can go on does.
            biased;
            permit = Arc::clone(&self.permits).acquire_owned() => permit.map_err(|_| closed())?,
            () = cancelled(request.cancellation()) => {
                return Err(Status::cancelled("the call was cancelled while it waited for its turn"));
            }
            () = at(end) => return Err(self.waited_too_long()),
        };
        Ok(permit)
    }

    fn take_place(&self) -> Result<Place, Status> {
        let place = Place(Arc::clone(&self.waiting));
        if self.waiting.fetch_add(1, Ordering::Relaxed) < self.max_waiting {
            return Ok(place);
        }
        let mut message = format!(
            "{} calls are running, which is the limit of `ConcurrencyLimit::new`",
            self.limit
        );
        if self.max_waiting > 0 {
            message.push_str(&format!(
                ", and {} are waiting, which is its `max_waiting`",
                self.max_waiting
            ));
        }
        Err(Status::resource_exhausted(message)
            .in_phase(Phase::Send)
            .into_not_started())
    }

    fn waited_too_long(&self) -> Status {
        Status::deadline_exceeded(format!(
            "the deadline passed while the call waited for one of the {} running to end (the limit \
             of `ConcurrencyLimit::new`)",
            self.limit
        ))
        .in_phase(Phase::Send)
        .into_not_started()
    }
}

impl fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimit")
            .field("limit", &self.limit)
            .field("free", &self.permits.available_permits())
            .field("max_waiting", &self.max_waiting)
            .field("waiting", &self.waiting.load(Ordering::Relaxed))
            .finish()
    }
}

/// A place in the queue, given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Nobody closes the semaphore; if somebody did, calls would fail and not panic.
fn closed() -> Status {
    Status::unavailable("the concurrency limit takes no more calls")
}

pub(super) async fn cancelled(cancellation: Option<&Cancellation>) {
    match cancellation {
        Some(cancellation) => cancellation.cancelled().await,
        None => pending().await,
    }
}

pub(super) async fn at(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => pending().await,
    }
}

impl<S> Layer<S> for ConcurrencyLimit {
    type Service = ConcurrencyLimited<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ConcurrencyLimited {
            inner,
            limit: self.clone(),
        }
    }
}

/// The service that [`ConcurrencyLimit`] makes.
#[derive(Clone, Debug)]
pub struct ConcurrencyLimited<S> {
    inner: S,
    limit: ConcurrencyLimit,
}

impl<S: Service> Service for ConcurrencyLimited<S> {
    async fn call(&self, request: Request) -> Result<Response, Status> {
        let permit = self.limit.acquire(&request).await?;
        let mut response = self.inner.call(request).await?;
        response.on_end(permit);
        Ok(response)
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }
}

#[cfg(test)]
mod tests {
    use crate::call::deadline_in;
    use std::time::Duration;

    use futures_util::{FutureExt, stream};

    use super::*;
    use crate::call::{Body, BodyFrame, Method};
    use crate::service::{BoxService, service_fn};
    use crate::status::Code;

    fn request() -> Request {
        Request::new(Method::named("m.M/x"), Body::empty())
    }

    fn streaming(limit: ConcurrencyLimit) -> BoxService {
        let service = service_fn(|_| async {
            let items = stream::iter(Vec::<Result<BodyFrame, Status>>::new());
            Ok(Response::new(Body::stream(items)))
        });
        BoxService::new(service).layer(limit)
    }

    #[tokio::test(start_paused = true)]
    async fn an_open_stream_counts_until_it_has_ended() {
        let service = streaming(ConcurrencyLimit::new(1));
        let mut first = service.call(request()).await.unwrap();
        let mut second = Box::pin(service.call(request()));
        assert!((&mut second).now_or_never().is_none());
        assert!(first.body_mut().frame().await.is_none());
        let third = second.await.unwrap();
        drop(third);
        assert!(service.call(request()).now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn refusing_names_the_limit_and_frees_what_it_counted() {
        let limit = ConcurrencyLimit::new(1).or_refuse();
        let service = streaming(limit.clone());
        let held = service.call(request()).await.unwrap();
        for _ in 0..3 {
            let status = service.call(request()).await.unwrap_err();
            assert_eq!(status.code(), Code::ResourceExhausted);
            assert!(
                status
                    .message()
                    .contains("1 calls are running, which is the limit"),
                "{status}"
            );
        }
        assert_eq!(limit.waiting.load(Ordering::Relaxed), 0);
        drop(held);
        assert!(service.call(request()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn the_queue_is_bounded_and_a_caller_that_leaves_gives_its_place_back() {
        let service = streaming(ConcurrencyLimit::new(1).max_waiting(1));
        let _held = service.call(request()).await.unwrap();
        let mut waiting = Box::pin(service.call(request()));
        assert!((&mut waiting).now_or_never().is_none());
        let status = service.call(request()).await.unwrap_err();
        assert!(status.message().contains("`max_waiting`"), "{status}");
        drop(waiting);
        assert!(service.call(request()).now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_by_the_deadline_or_the_callers_signal() {
        let service = streaming(ConcurrencyLimit::new(1));
        let _held = service.call(request()).await.unwrap();

        let mut late = request();
        late.shorten_timeout(Duration::from_secs(3));
        let start = Instant::now();
        let status = service.call(late).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(start.elapsed().as_secs(), 3);

        let mut slow = request();
        slow.set_acceptance_deadline(Some(deadline_in(Duration::from_secs(2))));
        let status = service.call(slow).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(start.elapsed().as_secs(), 5);

        let mut given_up = request();
        let cancellation = Cancellation::new();
        given_up.set_cancellation(cancellation.clone());
        let mut call = Box::pin(service.call(given_up));
        assert!((&mut call).now_or_never().is_none());
        cancellation.cancel();
        assert_eq!(call.await.unwrap_err().code(), Code::Cancelled);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_call_gives_its_permit_back() {
        let failing = service_fn(|_| async { Err(Status::not_found("nothing")) });
        let service = BoxService::new(failing).layer(ConcurrencyLimit::new(1).or_refuse());
        for _ in 0..2 {
            let status = service.call(request()).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
        }
    }
}
