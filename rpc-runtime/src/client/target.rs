//! Where to connect to.

use std::error::Error;
use std::fmt;

use super::endpoint::Destination;
#[cfg(feature = "testing")]
use super::servers::Instance;
use super::servers::{BoxDiscover, Discover, Dns, ServerFile};
use crate::status::{Phase, Status};
use crate::transport::{self, Io};
use crate::wire::ClientWire;

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
    let parsed = ClientWire::parse(url.trim());
    let (wire, address) = parsed.map_err(|error| {
        let status = Status::invalid_argument("the URL cannot be used");
        status.with_source(error).in_phase(Phase::Connect)
    })?;
    Ok(Destination::Address { wire, address })
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
    let (wire, address) = ClientWire::parse(url.trim()).map_err(failed)?;
    let io = transport::connect(&address).await;
    let io = io.map_err(|it| failed(it.into()))?;
    let io = wire.open(io).await.map_err(|it| failed(it.into()))?;
    Ok(io.with_peer(url))
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

#[cfg(feature = "dns-srv")]
impl IntoTarget for super::servers::DnsSrv {
    fn into_target(self) -> Target {
        Target::discovered(self)
    }
}

impl IntoTarget for ServerFile {
    fn into_target(self) -> Target {
        Target::discovered(self)
    }
}
