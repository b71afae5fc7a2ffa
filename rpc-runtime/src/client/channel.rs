//! What clients call through.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::decode::Decode;
use super::outgoing::OutgoingCall;
use super::response_stream::ResponseStream;
use bytes::BytesMut;
use http::HeaderValue;
use serde::Serialize;

use super::connect::Connect;
use super::endpoint::Destination;
use super::servers::Servers;
use super::target::{IntoTarget, Target};
use crate::call::{
    Body, Context, DynamicArgs, EXPECTED_KIND, Method, MethodKind, Request, Response, ValueMessage,
};
use crate::codec::{Encodes, Encoding, Serde};
use crate::service::{BoxService, Layer, ResponseFuture, Service};
use crate::status::Status;
use crate::transport::Io;
use crate::wire::config::Config;
use crate::wire::native::{PeerService, Role, open};

/// What clients call through: a server at some address, or any [`Service`] in this process.
///
/// A channel is cheap to clone, and its clones share what is behind it. It is a [`Service`]
/// itself: a server that serves a channel is a gateway.
#[derive(Clone)]
pub struct Channel {
    service: BoxService,
    encoding: Option<Encoding>,
    timeout: Option<Duration>,
    forwards: bool,
    /// It connects again when a connection is lost.
    reconnects: bool,
}

impl Channel {
    /// Makes a channel to a service in this process. Values are passed on without encoding.
    ///
    /// A channel that is passed in stays as it is, with its settings.
    pub fn new(service: impl Service) -> Self {
        // Generated clients are made of any service, so this is where a channel shows up again.
        if let Some(channel) = (&service as &dyn Any).downcast_ref::<Self>() {
            return channel.clone();
        }
        Self {
            service: BoxService::new(service),
            encoding: None,
            timeout: None,
            forwards: false,
            reconnects: false,
        }
    }

    /// Connects to a server: see [`Connect`] for URLs and settings.
    pub fn connect(target: impl IntoTarget) -> Connect<Self> {
        Connect::making(target, |channel| channel)
    }

    /// Connects by making byte streams in a way of your own, such as through a proxy: see
    /// [`Connect`] for settings. `name` is what errors and log lines call the peer.
    ///
    /// `connector` is called for the first connection and again after each that was lost.
    ///
    /// # Examples
    ///
    /// ```
    /// use rpc_runtime::transport::Io;
    /// use rpc_runtime::{Channel, Server};
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), rpc_runtime::Status> {
    /// let server = Server::new()
    ///     .function("hello", |name: String| async move { format!("Hello, {name}!") })
    ///     .connections();
    /// let channel = Channel::connect_with("duplex", move || {
    ///     let (here, there) = tokio::io::duplex(4096);
    ///     tokio::spawn(server.serve(Io::new(there)));
    ///     async move { Ok(Io::new(here)) }
    /// })
    /// .await?;
    /// assert_eq!(channel.call::<_, String>("hello", ("Alice",)).await?, "Hello, Alice!");
    /// # Ok(()) }
    /// ```
    pub fn connect_with<F, Fut>(name: impl Into<String>, connector: F) -> Connect<Self>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::io::Result<Io>> + Send + 'static,
    {
        let destination = Destination::Connector {
            name: Arc::from(name.into()),
            connector: Arc::new(move || Box::pin(connector())),
        };
        Connect::to(Target::one(destination), |channel| channel)
    }

    /// Makes a channel over one byte stream, such as a pipe. When it ends, so does the channel:
    /// nothing is connected again.
    ///
    /// # Panics
    ///
    /// Panics outside a tokio runtime, where the task of the connection cannot run.
    pub fn over(io: Io) -> Self {
        let config = Arc::new(Config::default());
        let (connection, driver) = open(io, Role::Connected, config, None, BytesMut::new());
        tokio::spawn(driver);
        Self::new(connection)
    }

    pub(super) fn over_servers(servers: Servers) -> Self {
        Self {
            reconnects: true,
            ..Self::new(servers)
        }
    }

    /// Returns a channel to whoever made the call that `context` belongs to, over the same
    /// connection; `None` for a call in process.
    ///
    /// It reaches what the caller serves: see [`Connect::serve`]. It ends with the connection.
    pub fn to_caller(context: &Context) -> Option<Self> {
        let caller = context.extension::<PeerService>()?;
        Some(Self::new(caller.clone()))
    }

    /// Puts a layer around every call through the channel that is returned.
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<BoxService>,
        L::Service: Service,
    {
        self.service = self.service.layer(layer);
        self
    }

    /// Chooses the encoding of calls that do not choose one themselves.
    #[must_use]
    pub fn with_encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = Some(encoding);
        self
    }

    /// Sets the timeout of calls that have none of their own, instead of 30 seconds. For a call
    /// that is answered by a stream it bounds the acceptance only.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Lets a handler pass the statuses of its calls through this channel on to its own caller, as
    /// if it had [forwarded](Status::forward) each of them, also those in the middle of a stream.
    ///
    /// It is for proxies, whose callers are meant to see what the server behind says, such as a
    /// client that is [served](crate::rpc_service#proxies) as the implementation of its own trait.
    #[must_use]
    pub fn with_forwarding(mut self) -> Self {
        self.forwards = true;
        self
    }

    /// Calls a method or a function by name, for scripts and tests.
    ///
    /// `args` is a tuple, matched by position, or anything that serde writes as a map, matched by
    /// name.
    ///
    /// # Errors
    ///
    /// As for every call, and [`Code::Unimplemented`](crate::Code::Unimplemented) for a method that
    /// streams in either direction.
    ///
    /// # Examples
    ///
    /// ```
    /// # use rpc_runtime::{Channel, Router, Status};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Status> {
    /// # let channel = Channel::new(
    /// #     Router::new().function("hello", |name: String| async move { format!("Hello, {name}!") }));
    /// let greeting = channel.call::<_, String>("hello", ("Alice",)).await?;
    /// assert_eq!(greeting, "Hello, Alice!");
    /// # Ok(()) }
    /// ```
    pub fn call<A, T>(&self, method: &str, args: A) -> Call<T>
    where
        A: Serialize + Send + 'static,
        T: Send + 'static,
        Serde: Encodes<T>,
    {
        Call::new(
            self.begin(method, MethodKind::Unary, args),
            ValueMessage::<Serde, T>::unwrap,
            |it| it,
        )
    }

    /// Calls a method by name that answers with a stream, for scripts and tests: see
    /// [`call`](Self::call). A method that answers with one value is a stream of that.
    ///
    /// Over JSON-RPC an answer does not say whether it is a value or the id of a subscription. There a
    /// method whose name contains `subscribe`, such as `eth_subscribe`, is one that streams, and no
    /// other; the typed client of a service knows which of its methods do.
    pub fn call_stream<A, T>(&self, method: &str, args: A) -> ResponseStream<T>
    where
        A: Serialize + Send + 'static,
        T: Send + 'static,
        Serde: Encodes<T>,
    {
        ResponseStream::new(
            self.begin(method, MethodKind::ServerStreaming, args),
            Decode::of::<Serde>(),
            |it| it,
        )
    }

    fn begin<A>(&self, method: &str, kind: MethodKind, args: A) -> Box<OutgoingCall>
    where
        A: Serialize + Send + 'static,
    {
        let mut call = OutgoingCall::new::<Serde>(self.clone(), Method::named(method));
        let request = call.request_mut();
        // The server has the description, so it is the one to notice a mistake.
        let expected = HeaderValue::from_static(kind.name());
        request.metadata_mut().insert(EXPECTED_KIND, expected);
        request.set_body(Body::message(DynamicArgs::wrap(args)));
        call
    }

    pub(super) fn service(&self) -> &BoxService {
        &self.service
    }

    pub(super) fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    pub(super) fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Returns whether it connects again, to the same server, when a connection is lost.
    pub(super) fn reconnects(&self) -> bool {
        self.reconnects
    }

    pub(super) fn forwards(&self) -> bool {
        self.forwards
    }
}

impl Service for Channel {
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send {
        self.service.start(request)
    }

    fn call_detached(&self, request: Request) -> Result<ResponseFuture, Request> {
        Ok(self.service.start(request))
    }

    fn keeps_deadlines(&self) -> bool {
        self.service.keeps_deadlines()
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("encoding", &self.encoding)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
