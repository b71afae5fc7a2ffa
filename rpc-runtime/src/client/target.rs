//! Where to connect to.

use std::error::Error;
use std::fmt;

use super::endpoint::Destination;
#[cfg(feature = "testing")]
use super::servers::Instance;
use super::servers::{BoxDiscover, Discover, Dns, ServerFile};
use crate::status::{Phase, Status};
use crate::transport::{self, Address, Io};
use crate::wire::ClientWire;
#[cfg(feature = "http")]
use crate::wire::HttpServer;
#[cfg(feature = "websocket")]
use crate::wire::{http::WebUrl, websocket};

/// Where to connect to: a URL, a list of URLs, or what finds servers ([`Dns`], [`ServerFile`], or a
/// [`Discover`] of your own in a [`Target`]).
pub trait IntoTarget {
    /// Reads the URLs.
    fn into_target(self) -> Target;
}

/// Servers to connect to, or what finds them.
#[derive(Debug)]
pub struct Target(pub(super) Result<Wanted, Status>);

/// What there is to connect to.
pub(super) enum Wanted {
    Listed(Vec<Destination>),
    Discovered(BoxDiscover),
}

impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listed(addresses) => addresses.fmt(f),
            Self::Discovered(_) => f.write_str("Discovered"),
        }
    }
}

impl Target {
    pub(super) fn one(destination: Destination) -> Self {
        Self(Ok(Wanted::Listed(vec![destination])))
    }

    /// Connects to the servers that `discover` finds, and follows it when they change.
    ///
    /// It is first asked when the channel connects, or by the first call. A server that is not
    /// listed any more gets no new calls; those on their way end there. At most 10,000 servers are
    /// used.
    pub fn discovered(discover: impl Discover) -> Self {
        Self(Ok(Wanted::Discovered(Box::new(discover))))
    }

    /// Connects to the same servers for ever.
    #[cfg(feature = "testing")]
    pub(crate) fn listed(servers: &[Instance]) -> Self {
        let destinations: Result<_, _> = servers.iter().map(Instance::destination).collect();
        Self(destinations.map(Wanted::Listed))
    }

    fn parse<'a>(urls: impl Iterator<Item = &'a str>) -> Self {
        let addresses: Result<Vec<_>, Status> = urls.map(parse_url).collect();
        Self(addresses.and_then(|addresses| {
            if addresses.is_empty() {
                let text = "there is no URL to connect to";
                return Err(Status::invalid_argument(text).in_phase(Phase::Connect));
            }
            Ok(Wanted::Listed(addresses))
        }))
    }
}

/// Reads a URL: what is spoken, and where.
pub(super) fn parse_url(url: &str) -> Result<Destination, Status> {
    try_parse(url).map_err(|error| {
        let status = Status::invalid_argument("the URL cannot be used");
        status.with_source(error).in_phase(Phase::Connect)
    })
}

fn try_parse(url: &str) -> Result<Destination, Box<dyn Error + Send + Sync>> {
    #[cfg(feature = "websocket")]
    if let Some(parsed) = parse_websocket(url.trim()) {
        return parsed.map(|(target, address)| Destination::Address {
            wire: ClientWire::WebSocket(target),
            address,
        });
    }
    #[cfg(feature = "jsonrpc")]
    if let Some(parsed) = crate::wire::jsonrpc::Server::of(url.trim()) {
        let (server, address) = parsed?;
        let wire = ClientWire::Json(server);
        return Ok(Destination::Address { wire, address });
    }
    #[cfg(feature = "http")]
    if let Some(parsed) = HttpServer::parse(url) {
        let (server, address) = parsed?;
        let wire = ClientWire::Http(server);
        return Ok(Destination::Address { wire, address });
    }
    Ok(Destination::Address {
        wire: ClientWire::Native,
        address: url.parse()?,
    })
}

/// Reads a URL of WebSocket: RFC 6455, section 3.
#[cfg(feature = "websocket")]
fn parse_websocket(
    url: &str,
) -> Option<Result<(websocket::Target, Address), Box<dyn Error + Send + Sync>>> {
    let (scheme, rest) = url.split_once("://")?;
    let is_secure = match scheme.to_ascii_lowercase().as_str() {
        "ws" => false,
        "wss" => true,
        _ => return None,
    };
    let read = WebUrl::read(rest, is_secure);
    Some(read.map(|(url, address)| {
        let target = websocket::Target {
            url,
            subprotocol: Some(websocket::Subprotocol::Native),
            offers_compression: false,
        };
        (target, address)
    }))
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

impl IntoTarget for Target {
    fn into_target(self) -> Target {
        self
    }
}

impl IntoTarget for Dns {
    fn into_target(self) -> Target {
        Target::discovered(self)
    }
}

impl IntoTarget for ServerFile {
    fn into_target(self) -> Target {
        Target::discovered(self)
    }
}
