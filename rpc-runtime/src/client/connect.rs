//! From a URL to a channel.

use std::fmt;
use std::future::IntoFuture;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::blocking;
use super::channel::Channel;
use super::endpoint::{Destination, Endpoint};
#[cfg(feature = "tls")]
use super::secured::Securing;
use super::servers::{Balance, Ejection, Instance, Servers, Source, Spread};
use super::stub::RpcClient;
use super::target::{IntoTarget, Target, Wanted};
use crate::call::{FAR_AHEAD, Limits};
use crate::server::Router;
use crate::service::{BoxFuture, BoxService, Layer, Service};
use crate::status::Status;
#[cfg(feature = "tls")]
use crate::transport::tls::ClientTls;
use crate::wire::config::{Config, LONGEST_BUSY_POLL, RunningCalls, Served};

/// How long one attempt to connect may take where nobody says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects a [`Channel`], or a client with one. Await it.
///
/// The URL says how: `tcp://host:port`, `tls://host:port`, `unix:///path`, `mem:name` (a server in this process), or
/// `stdio:program arguments` (a child process that serves over its standard input and output), and with the feature
/// `http` also `grpc://host:port`, `grpc-web+http://host:port` and `connect+http://host:port`, with `tls` also
/// `grpcs://host:port`, `grpc-web+https://host:port` and `connect+https://host:port`, for servers of any language. These
/// speak HTTP/2, but for the two with `https` where the server agrees to HTTP/1.1 only; without TLS such a server
/// is asked for with `grpc-web+http1://host:port` and `connect+http1://host:port`. Over HTTP/1.1 a method cannot stream
/// both ways. With the feature `websocket` also `ws://host:port/path` and, with `tls`, `wss://host:port/path`, where
/// the port may be left out if it is 80 or 443; with the feature
/// `jsonrpc` also `jsonrpc+tcp://host:port`, and, with the features that these need, `jsonrpc+http://`,
/// `jsonrpc+https://`, `jsonrpc+ws://` and `jsonrpc+wss://`. A list of URLs, or what
/// [finds servers](super::Target), makes one channel that spreads its calls over all of them.
///
/// Awaiting it opens the byte stream and waits for the server to introduce itself, so a port where
/// something else listens fails here and not at the first call, and a server must run already. With
/// a list of URLs one server that answers is enough; the others are waited for a second more.
///
/// A connection that is lost is made again by the next call, after a pause that grows and is
/// spread at random while attempts fail; a call in between fails at once with the reason.
///
/// # Examples
///
/// ```no_run
/// # use std::time::Duration;
/// # use rpc_runtime::{Channel, Status};
/// # async fn connect() -> Result<(), Status> {
/// let channel = Channel::connect("tcp://127.0.0.1:8080")
///     .connect_timeout(Duration::from_secs(3))
///     .await?;
/// let workers = Channel::connect(["stdio:./worker", "stdio:./worker"]).await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is connected unless this is awaited"]
pub struct Connect<T> {
    target: Result<Wanted, Status>,
    spread: Spread,
    pub(super) config: Config,
    connect_timeout: Duration,
    router: Option<Router>,
    make: fn(Channel) -> T,
    /// In the order in which they go around the channel.
    layers: Vec<PutLayer>,
    #[cfg(feature = "tls")]
    tls: Option<ClientTls>,
}

/// Puts a layer around a channel.
type PutLayer = Box<dyn FnOnce(Channel) -> Channel + Send>;

/// What is left to do when a connection is there.
struct Finish<T> {
    layers: Vec<PutLayer>,
    make: fn(Channel) -> T,
}

impl<T> Finish<T> {
    fn finish(self, servers: Servers) -> T {
        let channel = Channel::over_servers(servers);
        let layers = self.layers.into_iter();
        (self.make)(layers.fold(channel, |channel, put| put(channel)))
    }
}

impl<C: RpcClient> Connect<C> {
    /// Begins to connect a generated client.
    #[doc(hidden)]
    pub fn new(target: impl IntoTarget) -> Self {
        Self::making(target, C::from_channel)
    }
}

impl<T> Connect<T> {
    pub(super) fn making(target: impl IntoTarget, make: fn(Channel) -> T) -> Self {
        Self::to(target.into_target(), make)
    }

    pub(super) fn to(target: Target, make: fn(Channel) -> T) -> Self {
        Self {
            target: target.0,
            spread: Spread::default(),
            config: Config::default(),
            connect_timeout: CONNECT_TIMEOUT,
            router: None,
            make,
            layers: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Bounds one attempt to connect, until the server has introduced itself; 10 seconds by
    /// default.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the bounds on what the server may send.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    /// Sets how long the server may be silent before it is pinged, and how long it then has to
    /// answer before every call on the connection fails; 20 seconds each by default.
    ///
    /// A gRPC server is only pinged while calls are open, by default after 5 minutes: many close
    /// connections that ping them more often.
    pub fn keepalive(mut self, interval: Duration, timeout: Duration) -> Self {
        self.config.keepalive_interval = interval.min(FAR_AHEAD);
        self.config.keepalive_timeout = timeout.min(FAR_AHEAD);
        #[cfg(feature = "http")]
        {
            self.config.http.keepalive_interval = interval.min(FAR_AHEAD);
        }
        self
    }

    /// Sets how long a thread stays awake for the next messages of a connection on which several came
    /// at once; 50 microseconds by default, at most a millisecond, and with [`Duration::ZERO`] never. See
    /// [`Server::busy_poll`](crate::Server::busy_poll).
    pub fn busy_poll(mut self, limit: Duration) -> Self {
        self.config.busy_poll = limit.min(LONGEST_BUSY_POLL);
        self
    }

    /// Sets how TLS is spoken to `tls://` URLs; by default the system's roots say which servers to
    /// trust.
    ///
    /// Connecting fails with [`Code::InvalidArgument`](crate::Code::InvalidArgument) if a URL would
    /// still be spoken to in plaintext over a network, or if none is a `tls://` URL.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets the server call back: it reaches these services with
    /// [`Channel::to_caller`]. Without this a client serves nothing.
    pub fn serve(mut self, router: Router) -> Self {
        self.router = Some(router);
        self
    }

    /// Sets how calls are spread over several servers; by default each goes to the one with the
    /// fewest calls on their way.
    pub fn balance(mut self, balance: Balance) -> Self {
        self.spread.balance = balance;
        self
    }

    /// Leaves a server out of several for a while after so many calls in a row failed there with
    /// [`Code::Unavailable`](crate::Code::Unavailable) or
    /// [`Code::DeadlineExceeded`](crate::Code::DeadlineExceeded): 5 by default, and about 5 seconds.
    ///
    /// The pause doubles each time, up to 5 minutes, until a call goes well there. No more than half
    /// of the servers are left out at once. With `u32::MAX` none ever is. Calls that did not get there, as
    /// when a connection ends in good order, do not count.
    pub fn eject_after(mut self, failures: u32, pause: Duration) -> Self {
        self.spread.ejection = Ejection {
            failures: failures.max(1),
            pause,
        };
        self
    }

    /// Asks each server again and again whether it can be called, and makes no calls to one that cannot; not
    /// by default. See [`HealthCheck`](super::HealthCheck). These questions go past the channel's layers.
    #[cfg(feature = "health")]
    pub fn health_check(mut self, check: super::HealthCheck) -> Self {
        self.spread.health = Some(check);
        self
    }

    /// Uses at most so many of the servers, drawn at random for this client, so that not each of
    /// many clients connects to each of many servers. When the servers change, as few as possible of
    /// those that are used do.
    pub fn subset(mut self, servers: usize) -> Self {
        self.spread.subset = servers.max(1);
        self
    }

    /// Puts a layer around the channel, as [`Channel::layer`] does; the one that is put on last is
    /// the outermost.
    ///
    /// ```no_run
    /// # use rpc_runtime::layer::Retry;
    /// # async fn connect() -> Result<(), rpc_runtime::Status> {
    /// let channel = rpc_runtime::Channel::connect("tcp://127.0.0.1:8080")
    ///     .layer(Retry::new())
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<BoxService> + Send + 'static,
        L::Service: Service,
    {
        self.layers
            .push(Box::new(move |channel| channel.layer(layer)));
        self
    }

    /// Makes the channel without connecting; the first call connects.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidArgument`](crate::Code::InvalidArgument) for a URL that cannot be read.
    pub fn lazy(self) -> Result<T, Status> {
        let (servers, rest) = self.into_servers()?;
        Ok(rest.finish(servers))
    }

    /// Connects and blocks the thread until that is done, for programs without a runtime.
    ///
    /// # Errors
    ///
    /// As for awaiting, and [`Code::FailedPrecondition`](crate::Code::FailedPrecondition) inside
    /// asynchronous code.
    pub fn wait(self) -> Result<T, Status> {
        let patience = self.connect_timeout;
        let (servers, rest) = self.into_servers()?;
        let connected = blocking::block_on(async move {
            let connected = servers.connect(patience).await;
            connected.map(|()| servers)
        });
        Ok(rest.finish(connected??))
    }

    fn into_servers(mut self) -> Result<(Servers, Finish<T>), Status> {
        // The attempt ends first, with an error that names the client's own setting.
        self.config.handshake_timeout =
            self.connect_timeout.min(FAR_AHEAD) + Duration::from_secs(1);
        let served = self.router.map(|router| Served {
            running: RunningCalls::new(usize::MAX),
            service: BoxService::new(router.clone()),
            methods: Arc::new(router),
            extensions: http::Extensions::new(),
        });
        let making = Making {
            config: Arc::new(self.config),
            connect_timeout: self.connect_timeout,
            served,
            #[cfg(feature = "tls")]
            securing: Securing::new(self.tls),
        };
        let servers = match self.target? {
            Wanted::Listed(destinations) => {
                Servers::listed(making.endpoints(destinations)?, self.spread)
            }
            Wanted::Discovered(discover) => {
                let make = Box::new(move |found: &Instance| making.endpoint(found));
                Servers::discovered(Source { discover, make }, self.spread)
            }
        };
        let (layers, make) = (self.layers, self.make);
        Ok((servers, Finish { layers, make }))
    }
}

/// How endpoints are made.
struct Making {
    config: Arc<Config>,
    connect_timeout: Duration,
    served: Option<Served>,
    #[cfg(feature = "tls")]
    securing: Securing,
}

impl Making {
    fn endpoints(&self, destinations: Vec<Destination>) -> Result<Vec<Arc<Endpoint>>, Status> {
        #[cfg(feature = "tls")]
        let destinations = self.securing.secured(destinations)?;
        let endpoints = destinations.into_iter().map(|it| self.make(it, None));
        Ok(endpoints.collect())
    }

    /// Makes the endpoint of a server that was found.
    fn endpoint(&self, found: &Instance) -> Result<Arc<Endpoint>, Status> {
        let destination = found.destination()?;
        #[cfg(feature = "tls")]
        let destination = self
            .securing
            .secured(vec![destination])?
            .pop()
            .ok_or_else(|| Status::internal("the server has no address"))?;
        Ok(self.make(destination, found.ip))
    }

    fn make(&self, destination: Destination, ip: Option<IpAddr>) -> Arc<Endpoint> {
        Endpoint::new(
            destination,
            ip,
            Arc::clone(&self.config),
            self.connect_timeout,
            self.served.clone(),
        )
    }
}

impl<T: 'static> IntoFuture for Connect<T> {
    type Output = Result<T, Status>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let patience = self.connect_timeout;
        let servers = self.into_servers();
        Box::pin(async move {
            let (servers, rest) = servers?;
            servers.connect(patience).await?;
            Ok(rest.finish(servers))
        })
    }
}

impl<T> fmt::Debug for Connect<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}
