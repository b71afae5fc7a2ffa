//! The one shape of everything that takes calls: a function from [`Request`] to [`Response`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use tower_layer::Layer;

use crate::call::{Request, Response};
use crate::status::Status;

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The boxed future of a call.
pub(crate) type ResponseFuture = BoxFuture<'static, Result<Response, Status>>;

/// A function from [`Request`] to [`Response`].
///
/// A server is one and so is a client ([`Channel`](crate::Channel)); a layer makes one out of
/// another. There is no readiness to ask for first: a service that cannot take a call now waits or
/// fails inside `call`.
///
/// Dropping the future, or the body of the response, cancels the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not serve calls",
    label = "not a service",
    note = "wrap what implements the trait of a service: `GreeterServer::new(..)` for a trait \
            `Greeter`; or pass a `Channel`"
)]
pub trait Service: Send + Sync + 'static {
    /// Takes one call.
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send;

    /// The same as a boxed future that holds nothing of the service, where there is one; else the
    /// request comes back. It saves a second box, and counting who holds the service.
    #[doc(hidden)]
    #[allow(
        clippy::result_large_err,
        reason = "nothing failed: the request comes back"
    )]
    fn call_detached(
        &self,
        request: Request,
    ) -> Result<BoxFuture<'static, Result<Response, Status>>, Request> {
        Err(request)
    }

    /// Whether calls end by their deadline without anyone else looking after that.
    #[doc(hidden)]
    fn keeps_deadlines(&self) -> bool {
        false
    }
}

/// Any [`Service`], its type forgotten; cloning is cheap and gives the same service.
#[derive(Clone)]
pub struct BoxService(Arc<dyn ErasedService>);

trait ErasedService: Send + Sync {
    // Names of their own: on an `Arc` they would hide those of the service.
    #[allow(
        clippy::result_large_err,
        reason = "nothing failed: the request comes back"
    )]
    fn start_detached(&self, request: Request) -> Result<ResponseFuture, Request>;
    fn start_owned(self: Arc<Self>, request: Request) -> ResponseFuture;
    fn keeps_deadlines(&self) -> bool;
}

impl<S: Service> ErasedService for S {
    fn start_detached(&self, request: Request) -> Result<ResponseFuture, Request> {
        self.call_detached(request)
    }

    fn start_owned(self: Arc<Self>, request: Request) -> ResponseFuture {
        Box::pin(async move { Self::call(&self, request).await })
    }

    fn keeps_deadlines(&self) -> bool {
        Service::keeps_deadlines(self)
    }
}

impl BoxService {
    /// Forgets the type of a service.
    pub fn new(service: impl Service) -> Self {
        Self(Arc::new(service))
    }

    /// Puts a layer around the service.
    #[must_use]
    pub fn layer<L>(self, layer: L) -> Self
    where
        L: Layer<Self>,
        L::Service: Service,
    {
        Self::new(layer.layer(self))
    }

    pub(crate) fn start(&self, request: Request) -> ResponseFuture {
        match self.0.start_detached(request) {
            Ok(future) => future,
            Err(request) => Arc::clone(&self.0).start_owned(request),
        }
    }
}

impl Service for BoxService {
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send {
        self.start(request)
    }

    fn call_detached(&self, request: Request) -> Result<ResponseFuture, Request> {
        Ok(self.start(request))
    }

    fn keeps_deadlines(&self) -> bool {
        self.0.keeps_deadlines()
    }
}

impl fmt::Debug for BoxService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxService")
    }
}

/// Makes a layer of an async closure that gets the request and the rest of the way.
///
/// # Examples
///
/// ```
/// use rpc_runtime::{BoxService, Body, Layer, Request, Response, Service, from_fn, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rpc_runtime::Status> {
/// let service = service_fn(|_: Request| async { Ok(Response::new(Body::empty())) });
/// let logged = BoxService::new(service).layer(from_fn(|request, next| async move {
///     println!("{} begins", request.method().path());
///     let response = next.call(request).await;
///     println!("it ended: {}", response.is_ok());
///     response
/// }));
/// logged.call(Request::new(rpc_runtime::Method::named("hello"), Body::empty())).await?;
/// # Ok(()) }
/// ```
pub fn from_fn<F, Fut>(function: F) -> FromFn<F>
where
    F: Fn(Request, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Status>> + Send + 'static,
{
    FromFn(Arc::new(function))
}

/// The layer that [`from_fn`] makes.
pub struct FromFn<F>(Arc<F>);

impl<F> Clone for FromFn<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFn")
    }
}

impl<S: Service, F> Layer<S> for FromFn<F> {
    type Service = FromFnService<F>;

    fn layer(&self, inner: S) -> Self::Service {
        FromFnService {
            function: Arc::clone(&self.0),
            next: Next(BoxService::new(inner)),
        }
    }
}

/// The service that [`from_fn`]'s layer makes.
pub struct FromFnService<F> {
    function: Arc<F>,
    next: Next,
}

impl<F> fmt::Debug for FromFnService<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FromFnService")
    }
}

impl<F, Fut> Service for FromFnService<F>
where
    F: Fn(Request, Next) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Status>> + Send + 'static,
{
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send {
        (self.function)(request, self.next.clone())
    }
}

/// What comes behind a [`from_fn`] layer.
#[derive(Clone, Debug)]
pub struct Next(BoxService);

impl Next {
    /// Passes the request on.
    ///
    /// # Errors
    ///
    /// Whatever the rest of the way fails with.
    pub async fn call(&self, request: Request) -> Result<Response, Status> {
        self.0.start(request).await
    }
}

/// Makes a [`Service`] of an async closure: mocks, gateways and tests need no type.
pub fn service_fn<F, Fut>(function: F) -> ServiceFn<F>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Status>> + Send + 'static,
{
    ServiceFn(function)
}

/// The service that [`service_fn`] makes.
pub struct ServiceFn<F>(F);

impl<F, Fut> Service for ServiceFn<F>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response, Status>> + Send + 'static,
{
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send {
        (self.0)(request)
    }
}

impl<F> fmt::Debug for ServiceFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceFn")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Body, Method};

    #[tokio::test]
    async fn a_boxed_service_can_be_boxed_again() {
        let service = service_fn(|_| async { Ok(Response::new(Body::empty())) });
        let service = BoxService::new(BoxService::new(service));
        let request = Request::new(Method::named("m.M/x"), Body::empty());
        assert!(service.call(request).await.is_ok());
    }
}
