//! From a URL to a channel.

use std::error::Error;
use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use super::blocking;
use super::channel::Channel;
use super::endpoint::{Destination, Endpoint, Endpoints};
use super::stub::RpcClient;
use crate::call::{FAR_AHEAD, Limits};
use crate::server::Router;
use crate::service::{BoxFuture, BoxService, Layer, Service};
use crate::status::{Phase, Status};
#[cfg(feature = "tls")]
use crate::transport::tls::{ClientTls, Connector};
use crate::transport::{self, Address, Io};
use crate::wire::ClientWire;
#[cfg(feature = "http")]
use crate::wire::GrpcServer;
use crate::wire::config::{Config, RunningCalls, Served};
#[cfg(feature = "websocket")]
use crate::wire::websocket;

/// How long one attempt to connect may take where nobody says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects a [`Channel`], or a client with one. Await it.
///
/// The URL says how: `tcp://host:port`, `tls://host:port`, `unix:///path`, `mem:name` (a server in this process), or
/// `stdio:program arguments` (a child process that serves over its standard input and output), and with the feature
/// `http` also `grpc://host:port` and, with `tls`, `grpcs://host:port`, for gRPC servers of any language; with the
/// feature `websocket` also `ws://host:port/path` and, with `tls`, `wss://host:port/path`, where the port may be left
/// out if it is 80 or 443. A list of URLs makes one channel that spreads its calls over all of them.
///
/// Awaiting it opens the byte stream and waits for the server to introduce itself, so a port where
/// something else listens fails here and not at the first call, and a server must run already. With
/// a list of URLs one server that answers is enough.
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
    target: Result<Vec<Destination>, Status>,
    config: Config,
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
    fn finish(self, endpoints: Endpoints) -> T {
        let channel = Channel::over_endpoints(endpoints);
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
        let addresses = target.into_target().0;
        let destination = |(wire, address)| Destination::Address { wire, address };
        let target = addresses.map(|it| it.into_iter().map(destination).collect());
        Self::to(target, make)
    }

    pub(super) fn to(target: Result<Vec<Destination>, Status>, make: fn(Channel) -> T) -> Self {
        Self {
            target,
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
        self.config.keepalive_interval = interval;
        self.config.keepalive_timeout = timeout;
        #[cfg(feature = "http")]
        {
            self.config.grpc_keepalive_interval = interval;
        }
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
        let (endpoints, rest) = self.into_endpoints()?;
        Ok(rest.finish(endpoints))
    }

    /// Connects and blocks the thread until that is done, for programs without a runtime.
    ///
    /// # Errors
    ///
    /// As for awaiting, and [`Code::FailedPrecondition`](crate::Code::FailedPrecondition) inside
    /// asynchronous code.
    pub fn wait(self) -> Result<T, Status> {
        let (endpoints, rest) = self.into_endpoints()?;
        let connected = blocking::block_on(async move {
            let connected = endpoints.connect().await;
            connected.map(|()| endpoints)
        });
        Ok(rest.finish(connected??))
    }

    fn into_endpoints(mut self) -> Result<(Endpoints, Finish<T>), Status> {
        // The attempt ends first, with an error that names the client's own setting.
        self.config.handshake_timeout =
            self.connect_timeout.min(FAR_AHEAD) + Duration::from_secs(1);
        let config = Arc::new(self.config);
        let served = self.router.map(|router| Served {
            running: RunningCalls::new(usize::MAX),
            service: BoxService::new(router.clone()),
            methods: Arc::new(router),
            extensions: http::Extensions::new(),
        });
        let endpoint = |destination| {
            Endpoint::new(
                destination,
                Arc::clone(&config),
                self.connect_timeout,
                served.clone(),
            )
        };
        let destinations = self.target?;
        #[cfg(feature = "tls")]
        let destinations = secured(destinations, self.tls)?;
        let endpoints = destinations.into_iter().map(endpoint).collect();
        let (layers, make) = (self.layers, self.make);
        Ok((Endpoints::new(endpoints), Finish { layers, make }))
    }
}

/// Gives every URL of TLS what is needed to speak it.
#[cfg(feature = "tls")]
fn secured(
    destinations: Vec<Destination>,
    tls: Option<ClientTls>,
) -> Result<Vec<Destination>, Status> {
    let refuse = |text: String| Status::invalid_argument(text).in_phase(Phase::Connect);
    let is_tls = |it: &Destination| {
        matches!(
            it,
            Destination::Address {
                address: Address::Tls { .. },
                ..
            }
        )
    };
    let wants_tls = destinations.iter().any(is_tls);
    if tls.is_some() {
        let is_plain = |it: &&Destination| {
            matches!(
                it,
                Destination::Address {
                    address: Address::Tcp { .. },
                    ..
                }
            )
        };
        if let Some(plain) = destinations.iter().find(is_plain) {
            let text = "`tls` is set, but this URL is plaintext (write `tls://`, `grpcs://` or `wss://`): ";
            return Err(refuse(format!("{text}{plain}")));
        }
        if !wants_tls {
            let text = "`tls` is set, but there is no `tls://` URL to connect to";
            return Err(refuse(text.to_owned()));
        }
    }
    let tls = tls.unwrap_or_default();
    let secured = destinations.into_iter().map(|it| match it {
        Destination::Address {
            wire,
            address: Address::Tls { host, port },
        } => {
            let connector = Connector::new(
                tls.clone(),
                wire.alpn().map(<[u8]>::to_vec).into_iter().collect(),
            );
            let connector = connector.map_err(|error| {
                refuse("TLS cannot be spoken like this".to_owned()).with_source(error)
            })?;
            Ok(Destination::Tls {
                wire,
                host,
                port,
                connector: Arc::new(connector),
            })
        }
        other => Ok(other),
    });
    secured.collect()
}

impl<T: 'static> IntoFuture for Connect<T> {
    type Output = Result<T, Status>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let endpoints = self.into_endpoints();
        Box::pin(async move {
            let (endpoints, rest) = endpoints?;
            endpoints.connect().await?;
            Ok(rest.finish(endpoints))
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

/// Opens the byte stream that a channel to this URL would use, for programs that pass bytes on
/// or look at them.
///
/// # Errors
///
/// A URL that cannot be read, or a peer that cannot be reached.
///
/// # Cancel safety
///
/// Dropping the future closes whatever it had opened.
pub async fn open(url: &str) -> Result<Io, crate::Error> {
    let failed = |error: Box<dyn Error + Send + Sync>| {
        crate::Error::new(format!("cannot connect to {url}"), error)
    };
    #[cfg(feature = "websocket")]
    if let Some(parsed) = parse_websocket(url.trim()) {
        let (target, address) = parsed.map_err(failed)?;
        let io = transport::connect(&address).await;
        let io = io.map_err(|it| failed(it.into()))?;
        let opened = websocket::open(io, &target).await;
        return Ok(opened.map_err(|it| failed(it.into()))?.with_peer(url));
    }
    let parsed = url.parse::<Address>();
    let address = parsed.map_err(|error| failed(error.into()))?;
    let io = transport::connect(&address).await;
    Ok(io.map_err(|it| failed(it.into()))?.with_peer(url))
}

/// Where to connect to: a URL, or a list of URLs.
pub trait IntoTarget {
    /// Reads the URLs.
    fn into_target(self) -> Target;
}

/// Addresses to connect to.
#[derive(Debug)]
pub struct Target(Result<Vec<(ClientWire, Address)>, Status>);

impl Target {
    fn parse<'a>(urls: impl Iterator<Item = &'a str>) -> Self {
        let refuse = |error| {
            let status = Status::invalid_argument("the URL cannot be used");
            status.with_source(error).in_phase(Phase::Connect)
        };
        let addresses: Result<Vec<_>, Status> =
            urls.map(|url| parse_url(url).map_err(refuse)).collect();
        Self(addresses.and_then(|addresses| {
            if addresses.is_empty() {
                let text = "there is no URL to connect to";
                return Err(Status::invalid_argument(text).in_phase(Phase::Connect));
            }
            Ok(addresses)
        }))
    }
}

/// Reads a URL: what is spoken, and where.
fn parse_url(url: &str) -> Result<(ClientWire, Address), Box<dyn Error + Send + Sync>> {
    #[cfg(feature = "websocket")]
    if let Some(parsed) = parse_websocket(url.trim()) {
        return parsed.map(|(target, address)| (ClientWire::WebSocket(target), address));
    }
    #[cfg(feature = "http")]
    if let Some((scheme, authority)) = url.trim().split_once("://") {
        let below = match scheme.to_ascii_lowercase().as_str() {
            "grpc" => Some(("tcp", http::uri::Scheme::HTTP)),
            "grpcs" => Some(("tls", http::uri::Scheme::HTTPS)),
            _ => None,
        };
        if let Some((below, scheme)) = below {
            let address = format!("{below}://{authority}").parse()?;
            let authority = authority.parse()?;
            return Ok((ClientWire::Grpc(GrpcServer { scheme, authority }), address));
        }
    }
    #[cfg(feature = "jsonrpc")]
    if let Some((server, address)) = crate::wire::jsonrpc::Server::of(url.trim()) {
        return Ok((ClientWire::Json(server), address.parse()?));
    }
    Ok((ClientWire::Native, url.parse()?))
}

/// Reads a URL of WebSocket: RFC 6455, section 3.
#[cfg(feature = "websocket")]
fn parse_websocket(
    url: &str,
) -> Option<Result<(websocket::Target, Address), Box<dyn Error + Send + Sync>>> {
    let (scheme, rest) = url.split_once("://")?;
    let (below, usual_port) = match scheme.to_ascii_lowercase().as_str() {
        "ws" => ("tcp", 80),
        "wss" => ("tls", 443),
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    Some((|| {
        if path.contains('#') {
            return Err(format!("address `{url}`: a fragment cannot be sent").into());
        }
        let target = websocket::Target {
            is_secure: below == "tls",
            authority: authority.parse()?,
            path: path.parse()?,
            subprotocol: websocket::Subprotocol::Native,
        };
        let port = match target.authority.port() {
            Some(_) => String::new(),
            None => format!(":{usual_port}"),
        };
        let address = format!("{below}://{authority}{port}").parse()?;
        Ok((target, address))
    })())
}

impl IntoTarget for &str {
    fn into_target(self) -> Target {
        Target::parse(std::iter::once(self))
    }
}

impl IntoTarget for String {
    fn into_target(self) -> Target {
        self.as_str().into_target()
    }
}

impl IntoTarget for &String {
    fn into_target(self) -> Target {
        self.as_str().into_target()
    }
}

impl<S: AsRef<str>> IntoTarget for Vec<S> {
    fn into_target(self) -> Target {
        Target::parse(self.iter().map(AsRef::as_ref))
    }
}

impl<S: AsRef<str>> IntoTarget for &Vec<S> {
    fn into_target(self) -> Target {
        self.as_slice().into_target()
    }
}

impl<S: AsRef<str>> IntoTarget for &[S] {
    fn into_target(self) -> Target {
        Target::parse(self.iter().map(AsRef::as_ref))
    }
}

impl<S: AsRef<str>, const N: usize> IntoTarget for [S; N] {
    fn into_target(self) -> Target {
        Target::parse(self.iter().map(AsRef::as_ref))
    }
}
