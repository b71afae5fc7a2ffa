//! What a server serves, and how it is set.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use http::Extensions;
use tokio::sync::Semaphore;
use tower_layer::Layer;

use super::accept::{Accepting, Bound};
use super::age::Age;
use super::answers::{AnswerLimits, Answers};
use super::blocking::BlockingThreads;
use super::connections::Connections;
use super::dispatch::Handler;
use super::function::Function;
use super::resume::{ReplayLimits, Streams};
use super::router::Router;
use super::standard::Standard;
use crate::call::{Limits, MethodError};
use crate::codec::{Encodes, EncodesArgs, Serde};
use crate::error::Error;
use crate::service::{BoxFuture, BoxService, Service};
#[cfg(feature = "tls")]
use crate::transport::tls::ServerTls;
use crate::transport::{Address, Listener};
use crate::wire::budget::SharedBudget;
use crate::wire::config::{Config, RunningCalls, Served};
use crate::wire::{Wire, Wires};

type Wrap = Box<dyn FnOnce(BoxService) -> BoxService + Send>;

/// Serves services and functions at one or more addresses.
///
/// # Examples
///
/// ```
/// use rpc_runtime::{Channel, Server};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::new()
///     .function("hello", |name: String| async move { format!("Hello, {name}!") })
///     .listen("tcp://127.0.0.1:0")
///     .bind()
///     .await?;
/// let url = server.url().to_owned();
/// let stop = server.shutdown_handle();
/// let serving = tokio::spawn(server.serve());
/// let channel = Channel::connect(&url).await?;
/// assert_eq!(channel.call::<_, String>("hello", ("Alice",)).await?, "Hello, Alice!");
/// stop.shutdown();
/// serving.await??;
/// # Ok(()) }
/// ```
#[must_use = "a server does nothing until it is served"]
pub struct Server {
    router: Router,
    pub(super) standard: Standard,
    layers: Vec<Wrap>,
    addresses: Vec<String>,
    wires: Wires,
    pub(super) config: Config,
    max_connections: usize,
    max_calls_total: usize,
    max_buffered_total: usize,
    blocking_threads: usize,
    answers: AnswerLimits,
    pub(super) replay: ReplayLimits,
    pub(super) shutdown_timeout: Duration,
    pub(super) drain_delay: Duration,
    pub(super) age: Option<Age>,
    extensions: Extensions,
    #[cfg(feature = "tls")]
    tls: Option<ServerTls>,
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Makes a server that serves nothing and listens nowhere.
    pub fn new() -> Self {
        Self {
            router: Router::new(),
            standard: Standard::default(),
            layers: Vec::new(),
            addresses: Vec::new(),
            wires: Wires::default(),
            config: Config::default(),
            max_connections: 16_384,
            max_calls_total: 262_144,
            max_buffered_total: 1 << 30,
            blocking_threads: BlockingThreads::DEFAULT,
            answers: AnswerLimits::default(),
            replay: ReplayLimits::new(),
            shutdown_timeout: Duration::from_secs(10),
            drain_delay: Duration::ZERO,
            age: None,
            extensions: Extensions::new(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Serves every method of a service: `server.add(MathServer::new(Calculator))`.
    ///
    /// # Panics
    ///
    /// Panics if a method of the same path is served already.
    #[allow(
        clippy::should_implement_trait,
        reason = "nobody adds servers with a plus sign"
    )]
    pub fn add<H: Handler>(mut self, service: H) -> Self {
        self.router = self.router.add(service);
        self
    }

    /// Serves an async function or closure by name: see [`Router::function`].
    ///
    /// # Panics
    ///
    /// Panics if the name is served already.
    pub fn function<F, A, T>(mut self, name: &str, function: F) -> Self
    where
        F: Function<A, T>,
        A: Send + 'static,
        T: Send + 'static,
        Serde: EncodesArgs<A> + Encodes<T>,
    {
        self.router = self.router.function(name, function);
        self
    }

    /// Serves an async function or closure that returns a `Result`: see [`Router::try_function`].
    ///
    /// # Panics
    ///
    /// Panics if the name is served already.
    pub fn try_function<F, A, T, E>(mut self, name: &str, function: F) -> Self
    where
        F: Function<A, Result<T, E>>,
        A: Send + 'static,
        T: Send + 'static,
        E: MethodError<Serde> + Send + 'static,
        Serde: EncodesArgs<A> + Encodes<T>,
    {
        self.router = self.router.try_function(name, function);
        self
    }

    /// Sends what nothing else serves to another service: with a
    /// [`Channel`](crate::Channel) the server is a gateway.
    pub fn fallback(mut self, service: impl Service) -> Self {
        self.router = self.router.fallback(service);
        self
    }

    /// Serves what a router serves as well: see [`Router::merge`].
    ///
    /// # Panics
    ///
    /// Panics if a path is served already.
    pub fn router(mut self, router: Router) -> Self {
        self.router = self.router.merge(router);
        self
    }

    /// Puts a layer around every call. The layer that is added last sees a request first.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<BoxService> + Send + 'static,
        L::Service: Service,
    {
        self.layers
            .push(Box::new(move |service| service.layer(layer)));
        self
    }

    /// Listens at a URL: `tcp://host:port` (port 0 takes a free one), `tls://host:port` (with the
    /// feature `tls`), `unix:///path`, `mem:name`, or `stdio:` (this process's standard input and
    /// output). More than one is fine.
    pub fn listen(mut self, url: impl Into<String>) -> Self {
        self.addresses.push(url.into());
        self
    }

    /// Speaks TLS at every TCP address, and on what is [given to it](Self::connections); plaintext is
    /// refused there unless [`ServerTls::allow_plaintext`] lets it in. Other addresses stay as they are.
    ///
    /// An address may then be written `tcp://` or `tls://`; [`Bound::url`] says what clients connect to.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), rpc_runtime::Error> {
    /// use rpc_runtime::Server;
    /// use rpc_runtime::tls::{Certificate, ServerTls};
    ///
    /// let tls = ServerTls::new(Certificate::from_pem_files("server.pem", "server.key"));
    /// Server::new().tls(tls).listen("tls://0.0.0.0:4443").serve().await
    /// # }
    /// ```
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ServerTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Accepts other wires beside the native one, on every address: the first bytes of a connection
    /// say which one it speaks. Only the native wire is accepted by default.
    ///
    /// # Examples
    ///
    /// ```
    /// use rpc_runtime::{Server, Wire};
    ///
    /// let server = Server::new().listen("tcp://127.0.0.1:0").accept([Wire::Native]);
    /// ```
    pub fn accept(mut self, wires: impl IntoIterator<Item = Wire>) -> Self {
        self.wires.extend(wires);
        self
    }

    /// Gives every call a value that its context has as an
    /// [extension](crate::Context::extension).
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, value: T) -> Self {
        self.extensions.insert(value);
        self
    }

    /// Sets the bounds on what one connection may send and have buffered.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Bounds the connections; 16,384 by default. One more is closed at once.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.min(Semaphore::MAX_PERMITS);
        self
    }

    /// Bounds the calls that run at once on all connections together; 262,144 by default. One more
    /// is refused with [`Code::ResourceExhausted`](crate::Code::ResourceExhausted).
    pub fn max_calls_total(mut self, calls: usize) -> Self {
        self.max_calls_total = calls;
        self
    }

    /// Bounds what all connections together have received and not handed on, in bytes; 1 GiB by
    /// default. Over HTTP/1.1, and in `HttpService`, also what waits of whole
    /// answers for clients to read it.
    ///
    /// Over HTTP/2 also what waits for peers to read it, beside 64 KiB of each connection: that never takes
    /// more than half of this.
    ///
    /// Over HTTP/2 what no handler has read yet is not in it: windows bound that, which are
    /// [`Limits::stream_window`] for a call and [`Limits::max_buffered`] for a connection, so together
    /// that times the [`max_connections`](Self::max_connections).
    pub fn max_buffered_total(mut self, bytes: usize) -> Self {
        self.max_buffered_total = bytes;
        self
    }

    /// Bounds the threads that blocking methods hold at once; 128 by default.
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.blocking_threads = threads;
        self
    }

    /// Bounds for how long, and in how many bytes, the answers of methods that are marked
    /// `#[rpc(once)]` are kept for calls that are made again; 10 minutes and 64 MiB by default. An
    /// answer is kept until the deadline of its call has passed, when the call can not be made again.
    /// When the bytes are full, further calls are refused with
    /// [`Code::ResourceExhausted`](crate::Code::ResourceExhausted): no answer goes before its time. One
    /// that there is no room for goes to those who wait for it, and who comes again is told so.
    pub fn keep_answers(mut self, max_age: Duration, max_bytes: usize) -> Self {
        (self.answers.max_age, self.answers.max_bytes) = (max_age, max_bytes);
        self
    }

    /// Bounds how many calls of methods that are marked `#[rpc(once)]` go on at once whose callers have
    /// left; 1,024 by default. With so many, further calls of such methods are refused with
    /// [`Code::ResourceExhausted`](crate::Code::ResourceExhausted), but for those that are made again.
    ///
    /// Such a call goes on until its deadline, and no longer than [answers are
    /// kept](Self::keep_answers); meanwhile what it was called with counts among their bytes. A server that
    /// shuts down waits for it, within its [`shutdown_timeout`](Self::shutdown_timeout).
    pub fn max_calls_alone(mut self, calls: usize) -> Self {
        self.answers.max_alone = calls;
        self
    }

    /// Opens every address, without accepting anything yet: a client that connects waits until the
    /// server is served.
    ///
    /// # Errors
    ///
    /// An address that cannot be read or opened; none is open then.
    pub async fn bind(self) -> Result<Bound, Error> {
        self.boxed_bind().await
    }

    /// Has it compiled here, as [`Bound::serve`] does.
    fn boxed_bind(self) -> BoxFuture<'static, Result<Bound, Error>> {
        Box::pin(self.open_addresses())
    }

    async fn open_addresses(self) -> Result<Bound, Error> {
        if self.addresses.is_empty() {
            return Err(Error::message(
                "the server has no address to listen at (call `listen`)",
            ));
        }
        let mut listeners = Vec::new();
        for url in &self.addresses {
            let address: Address = url
                .parse()
                .map_err(|error| Error::new("cannot listen", error))?;
            #[cfg(feature = "tls")]
            let address = self.with_tls(address)?;
            let listener = Listener::bind(&address).await;
            listeners.push(
                listener.map_err(|error| Error::new(format!("cannot listen at {url}"), error))?,
            );
        }
        let accepting = self.into_accepting();
        #[cfg(feature = "tls")]
        accepting.load_tls().await?;
        Ok(Bound::new(listeners, accepting))
    }

    /// Returns the address that clients see once TLS is spoken there.
    #[cfg(feature = "tls")]
    fn with_tls(&self, address: Address) -> Result<Address, Error> {
        match (address, &self.tls) {
            (address @ Address::Tls { .. }, None) => Err(Error::message(format!(
                "cannot listen at {address}: TLS needs a certificate (call `Server::tls`)"
            ))),
            (Address::Tcp { host, port }, Some(tls)) if !tls.allow_plaintext => {
                Ok(Address::Tls { host, port })
            }
            (address, _) => Ok(address),
        }
    }

    /// Serves byte streams that you accept yourself, instead of listening: see [`Connections`].
    pub fn connections(self) -> Connections {
        Connections::new(Arc::new(self.into_accepting()))
    }

    pub(super) fn into_accepting(mut self) -> Accepting {
        self.extensions
            .insert(BlockingThreads::new(self.blocking_threads));
        self.extensions.insert(Answers::new(self.answers));
        let streams = Streams::new(self.replay, self.config.cancel_grace);
        self.extensions.insert(streams);
        self.config.shared_budget = Some(SharedBudget::new(self.max_buffered_total));
        let router = self.standard.add_to(self.router);
        #[cfg(feature = "jsonrpc")]
        super::json_rpc::check_service(&self.config, &router);
        let mut service = BoxService::new(router.clone());
        for layer in self.layers {
            service = layer(service);
        }
        let served = Served {
            service,
            methods: Arc::new(router),
            running: RunningCalls::new(self.max_calls_total),
            extensions: self.extensions,
        };
        let config = Arc::new(self.config);
        let accepting = Accepting::new(
            self.wires,
            config,
            served,
            self.max_connections,
            self.shutdown_timeout,
        );
        let accepting = accepting
            .with_standard(self.standard)
            .with_drain_delay(self.drain_delay)
            .with_age(self.age);
        #[cfg(feature = "tls")]
        let accepting = accepting.with_tls(self.tls);
        accepting
    }

    /// Opens every address and serves until a listener fails: see [`Bound::serve`].
    ///
    /// # Errors
    ///
    /// An address that cannot be read or opened, or a listener that broke.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the server at once, with every call on it.
    pub async fn serve(self) -> Result<(), Error> {
        self.bind().await?.serve().await
    }

    /// Opens every address and serves until `signal` is ready, then ends in good order: see
    /// [`ShutdownHandle::shutdown`](super::ShutdownHandle::shutdown).
    ///
    /// # Errors
    ///
    /// An address that cannot be read or opened, or a listener that broke.
    pub async fn serve_until(self, signal: impl Future<Output = ()>) -> Result<(), Error> {
        let bound = self.bind().await?;
        let stop = bound.shutdown_handle();
        let mut serving = std::pin::pin!(bound.serve());
        tokio::select! {
            ended = &mut serving => return ended,
            () = signal => stop.shutdown(),
        }
        serving.await
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("router", &self.router)
            .field("addresses", &self.addresses)
            .finish_non_exhaustive()
    }
}
