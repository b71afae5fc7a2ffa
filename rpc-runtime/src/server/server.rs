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
use super::answers::Answers;
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
use crate::service::{BoxService, Service};
#[cfg(feature = "tls")]
use crate::transport::tls::ServerTls;
use crate::transport::{Address, Listener};
#[cfg(feature = "http")]
use crate::wire::Cors;
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
    answers: (Duration, usize),
    pub(super) replay: ReplayLimits,
    shutdown_timeout: Duration,
    drain_delay: Duration,
    age: Option<Age>,
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
            answers: (Answers::MAX_AGE, Answers::MAX_BYTES),
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

    /// Lets HTTP requests that come from this machine name another host than `localhost` or an IP
    /// address, such as those of a reverse proxy that passes the name on.
    ///
    /// Without it they are refused with 403, because a page in a browser could reach the server
    /// under a name of its own (DNS rebinding). Requests from elsewhere are not asked. Ports are
    /// not compared.
    #[cfg(feature = "http")]
    pub fn http_host(mut self, host: impl Into<String>) -> Self {
        self.config.http_hosts.push(host.into());
        self
    }

    /// Lets pages of other sites call from a browser: Connect, gRPC-Web and JSON-RPC. None may by
    /// default.
    ///
    /// # Panics
    ///
    /// Panics if any origin may send credentials.
    #[cfg(feature = "http")]
    pub fn cors(mut self, cors: Cors) -> Self {
        cors.check();
        self.config.cors = Some(cors);
        self
    }

    /// Lets pages of another origin, such as `https://app.example`, connect by
    /// [WebSocket](Wire::WebSocket); call it once for each.
    ///
    /// Without it only pages may that come from the very host and port that they connect to, and
    /// others are refused with 403: a browser lets every page of every site try. Programs that are
    /// no browsers name no origin, and are not asked.
    #[cfg(feature = "websocket")]
    pub fn websocket_origin(mut self, origin: impl Into<String>) -> Self {
        self.config.websocket.origins.push(origin.into());
        self
    }

    /// Lets pages of every origin connect by [WebSocket](Wire::WebSocket): for a server that knows its
    /// callers by something that a browser does not send by itself, or that everybody may call.
    #[cfg(feature = "websocket")]
    pub fn websocket_any_origin(mut self) -> Self {
        self.config.websocket.any_origin = true;
        self
    }

    /// Compresses messages of JSON-RPC over [WebSocket](Wire::WebSocket) from 256 bytes on, for clients that can
    /// (RFC 7692): less bytes on a slow line for more work. It is off by default.
    ///
    /// Do not turn it on where one message holds a secret beside text of an attacker's choice: the
    /// length of it then tells of the secret. The native wire is never compressed.
    #[cfg(feature = "websocket")]
    pub fn websocket_compression(mut self, is_on: bool) -> Self {
        self.config.websocket.compresses = is_on;
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
    /// [`Code::ResourceExhausted`](crate::Code::ResourceExhausted): no answer goes before its time.
    pub fn keep_answers(mut self, max_age: Duration, max_bytes: usize) -> Self {
        self.answers = (max_age, max_bytes);
        self
    }

    /// Sets how long a client may be silent before it is pinged, and how long it then has to
    /// answer before its connection is closed; 20 seconds each by default. The second time also
    /// bounds how long a client may take no byte of what waits for it.
    pub fn keepalive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.config.keepalive_interval = interval;
        self.config.keepalive_timeout = timeout;
        self
    }

    /// Closes a connection that has had no call for so long; never by default.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.config.idle_timeout = Some(timeout);
        self
    }

    /// Ends each connection in good order once it is so old, give or take a tenth, so that not all of
    /// them end together; never by default. Its client is told, makes new calls on another connection,
    /// and may find another server there: without this, servers that are added behind a balancer of
    /// connections get nothing to do. Calls that are open have `grace` to finish before they are dropped
    /// with the connection; one that was on its way meanwhile was not started, and
    /// [`Retry`](crate::layer::Retry) makes it again, whatever its method does.
    pub fn max_connection_age(mut self, age: Duration, grace: Duration) -> Self {
        self.age = Some(Age { age, grace });
        self
    }

    /// Bounds the time in which a client must introduce itself; 10 seconds by default. The handshake
    /// of TLS comes before that and has as long for itself.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.config.handshake_timeout = timeout;
        self
    }

    /// Bounds the time that one frame may take from its first byte to its last; 60 seconds by
    /// default.
    pub fn frame_timeout(mut self, timeout: Duration) -> Self {
        self.config.frame_timeout = timeout;
        self
    }

    /// Sets how long the future of a cancelled handler goes on before it is dropped; 100
    /// milliseconds by default.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.config.cancel_grace = grace;
        self
    }

    /// Bounds the time that open calls have to finish at a shutdown; 10 seconds by default.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// Sets how long the server serves on after [`shutdown`](super::ShutdownHandle::shutdown) while
    /// health checks say that it is not ready; by default not at all.
    ///
    /// For load balancers and orchestrators, which need a moment to hear of it and send no more: as
    /// long as they take between two looks, and a little more. New connections and calls are accepted
    /// meanwhile. Clients that watch the health are told at once.
    pub fn drain_delay(mut self, delay: Duration) -> Self {
        self.drain_delay = delay;
        self
    }

    /// Opens every address, without accepting anything yet: a client that connects waits until the
    /// server is served.
    ///
    /// # Errors
    ///
    /// An address that cannot be read or opened; none is open then.
    pub async fn bind(self) -> Result<Bound, Error> {
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
        let (max_age, max_bytes) = self.answers;
        self.extensions.insert(Answers::new(max_age, max_bytes));
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
