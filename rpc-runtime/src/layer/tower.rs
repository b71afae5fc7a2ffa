//! The edge to the tower ecosystem: its services and layers in our places, and ours in its.

use std::error::Error as StdError;
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use tower_layer::Layer;

use crate::call::{Request, Response};
use crate::service::{BoxFuture, Service};
use crate::status::Status;

/// Any error; `Status`, every error type and tower's boxed errors turn into one.
type BoxError = Box<dyn StdError + Send + Sync>;

/// Puts a layer of the tower ecosystem around a [`Service`].
///
/// The layer gets our service as an [`IntoTower`], and what it makes is called as [`FromTower`]
/// describes. Layers that work on HTTP requests do not fit; those that are generic in the request
/// do.
///
/// # Examples
///
/// ```
/// use rpc_runtime::layer::TowerLayer;
/// use rpc_runtime::Router;
///
/// // `tower_layer::Identity` stands for a layer such as tower's `LoadShedLayer`.
/// let router = Router::new()
///     .function("double", |n: i64| async move { n * 2 })
///     .layer(TowerLayer::new(tower_layer::Identity::new()));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TowerLayer<L>(L);

impl<L> TowerLayer<L> {
    /// Makes a layer of a tower layer.
    pub fn new(layer: L) -> Self {
        Self(layer)
    }
}

impl<S, L> Layer<S> for TowerLayer<L>
where
    L: Layer<IntoTower<S>>,
{
    type Service = FromTower<L::Service>;

    fn layer(&self, inner: S) -> Self::Service {
        FromTower::new(self.0.layer(IntoTower::new(inner)))
    }
}

/// A tower service as a [`Service`].
///
/// Tower asks a service for readiness first, and what it was told holds only for the very value
/// that was asked. So each call
///
/// - clones the service, which must therefore be cheap to clone,
/// - waits until that clone is ready, then calls that clone, once,
/// - drops the clone when the tower service has answered or the call is dropped, also while it
///   waits, which gives back whatever the readiness reserved.
///
/// Calls run at the same time, each on a clone of its own. What bounds them must be shared between
/// clones, as in tower's own `ConcurrencyLimit`. The wait
/// for readiness ends by the deadline of the call, as all that is behind a channel or a server.
///
/// Tower knows only the future of a call. What a tower layer counts or times ends with the
/// response's first part, so for calls that stream use [`ConcurrencyLimit`](super::ConcurrencyLimit)
/// and [`Timeout`](super::Timeout), which follow the body.
///
/// An error that is a [`Status`] is the status of the call. Any other is
/// [`Code::Internal`](crate::Code::Internal), with the error as its source, which stays on this
/// side; tower's `map_err` gives it another code.
#[derive(Clone, Copy, Debug)]
pub struct FromTower<S>(S);

impl<S> FromTower<S> {
    /// Makes a service of a tower service.
    pub fn new(service: S) -> Self {
        Self(service)
    }
}

impl<S> Service for FromTower<S>
where
    S: tower_service::Service<Request, Response = Response> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
{
    async fn call(&self, request: Request) -> Result<Response, Status> {
        let mut service = self.0.clone();
        let ready = poll_fn(|cx| service.poll_ready(cx)).await;
        ready.map_err(into_status)?;
        service.call(request).await.map_err(into_status)
    }
}

/// Finds the status in an error, which may have passed through layers that box.
fn into_status<E: Into<BoxError>>(error: E) -> Status {
    match error.into().downcast::<Status>() {
        Ok(status) => *status,
        Err(error) => Status::internal("a tower layer failed").with_source(error),
    }
}

/// A [`Service`] as a tower service, which is always ready.
///
/// Cloning is cheap and gives the same service. Dropping the future cancels the call.
pub struct IntoTower<S>(Arc<S>);

impl<S> IntoTower<S> {
    /// Makes a tower service of a service.
    pub fn new(service: S) -> Self {
        Self(Arc::new(service))
    }
}

impl<S> Clone for IntoTower<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for IntoTower<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntoTower")
    }
}

impl<S: Service> tower_service::Service<Request> for IntoTower<S> {
    type Response = Response;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response, Status>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.0.call_detached(request).unwrap_or_else(|request| {
            let service = Arc::clone(&self.0);
            Box::pin(async move { service.call(request).await })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, Ready, ready};
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use tokio::sync::{OwnedSemaphorePermit, Semaphore};

    use super::*;
    use crate::call::{Body, Method};
    use crate::service::{BoxService, service_fn};
    use crate::status::Code;

    fn request() -> Request {
        Request::new(Method::named("m.M/x"), Body::empty())
    }

    /// Panics when it is called without having been ready, as tower's contract allows.
    struct Strict<S> {
        inner: S,
        ready: bool,
    }

    impl<S: Clone> Clone for Strict<S> {
        fn clone(&self) -> Self {
            Self {
                inner: self.inner.clone(),
                ready: false,
            }
        }
    }

    impl<S: tower_service::Service<Request>> tower_service::Service<Request> for Strict<S> {
        type Response = S::Response;
        type Error = S::Error;
        type Future = S::Future;

        fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
            std::task::ready!(self.inner.poll_ready(cx))?;
            self.ready = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request) -> S::Future {
            assert!(
                std::mem::take(&mut self.ready),
                "called without being ready"
            );
            self.inner.call(request)
        }
    }

    type Acquire = Pin<Box<dyn Future<Output = OwnedSemaphorePermit> + Send + Sync>>;

    /// Is ready while fewer than so many calls run; the permit is taken by `poll_ready`.
    struct Limited<S> {
        inner: S,
        permits: Arc<Semaphore>,
        acquire: Option<Acquire>,
        permit: Option<OwnedSemaphorePermit>,
    }

    impl<S> Limited<S> {
        fn new(inner: S, permits: &Arc<Semaphore>) -> Self {
            Self {
                inner,
                permits: Arc::clone(permits),
                acquire: None,
                permit: None,
            }
        }
    }

    impl<S: Clone> Clone for Limited<S> {
        fn clone(&self) -> Self {
            Self::new(self.inner.clone(), &self.permits)
        }
    }

    impl<S> tower_service::Service<Request> for Limited<S>
    where
        S: tower_service::Service<Request, Response = Response, Error = Status>,
        S::Future: Send + 'static,
    {
        type Response = Response;
        type Error = BoxError;
        type Future = BoxFuture<'static, Result<Response, BoxError>>;

        fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
            let permits = &self.permits;
            let acquire = self.acquire.get_or_insert_with(|| {
                let permits = Arc::clone(permits);
                Box::pin(async move { permits.acquire_owned().await.unwrap() })
            });
            self.permit = Some(std::task::ready!(acquire.as_mut().poll(cx)));
            self.acquire = None;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request) -> Self::Future {
            let permit = self.permit.take().expect("called without being ready");
            let call = self.inner.call(request);
            Box::pin(async move {
                let _permit = permit;
                call.await.map_err(Into::into)
            })
        }
    }

    struct LimitLayer(Arc<Semaphore>);

    impl<S> Layer<S> for LimitLayer {
        type Service = Strict<Limited<S>>;

        fn layer(&self, inner: S) -> Self::Service {
            Strict {
                inner: Limited::new(inner, &self.0),
                ready: false,
            }
        }
    }

    #[tokio::test]
    async fn the_clone_that_is_called_is_the_one_that_was_ready() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let service = service_fn(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            ready(Ok(Response::new(Body::empty())))
        });
        let strict = Strict {
            inner: IntoTower::new(service),
            ready: false,
        };
        let service = FromTower::new(strict);
        for _ in 0..3 {
            service.call(request()).await.unwrap();
        }
        assert_eq!(calls.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn calls_run_at_once_up_to_the_readiness_and_a_dropped_one_releases_it() {
        let permits = Arc::new(Semaphore::new(2));
        let stuck = service_fn(|_| std::future::pending());
        let service =
            BoxService::new(stuck).layer(TowerLayer::new(LimitLayer(Arc::clone(&permits))));
        let mut calls: Vec<_> = (0..4).map(|_| Box::pin(service.call(request()))).collect();
        for call in &mut calls {
            assert!(call.now_or_never().is_none());
        }
        assert_eq!(permits.available_permits(), 0);
        // The last two wait to be ready. One goes, and takes its place in the queue along.
        drop(calls.pop());
        drop(calls.remove(0));
        assert!((&mut calls[1]).now_or_never().is_none());
        assert_eq!(permits.available_permits(), 0, "the third call runs");
        drop(calls);
        assert_eq!(permits.available_permits(), 2);
    }

    /// Fails where it is told to.
    #[derive(Clone)]
    struct Failing {
        when_ready: bool,
        status: bool,
    }

    impl Failing {
        fn error(&self) -> BoxError {
            if self.status {
                Status::not_found("no user 7").into()
            } else {
                "row 7 is locked".into()
            }
        }
    }

    impl tower_service::Service<Request> for Failing {
        type Response = Response;
        type Error = BoxError;
        type Future = Ready<Result<Response, BoxError>>;

        fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(if self.when_ready {
                Err(self.error())
            } else {
                Ok(())
            })
        }

        fn call(&mut self, _: Request) -> Self::Future {
            ready(Err(self.error()))
        }
    }

    #[tokio::test]
    async fn a_status_comes_through_boxes_and_other_errors_stay_inside() {
        for when_ready in [true, false] {
            let status = true;
            let service = FromTower::new(Failing { when_ready, status });
            let status = service.call(request()).await.unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
            assert_eq!(status.message(), "no user 7");

            let status = false;
            let service = FromTower::new(Failing { when_ready, status });
            let status = service.call(request()).await.unwrap_err();
            assert_eq!(status.code(), Code::Internal);
            assert!(!status.message().contains("row 7"));
            assert!(status.source().unwrap().to_string().contains("row 7"));
        }
    }
}
