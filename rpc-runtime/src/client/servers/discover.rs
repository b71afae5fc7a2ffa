//! Where the servers of a channel are, when that changes.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use crate::client::endpoint::{Connector, Destination};
use crate::client::target::parse_url;
use crate::service::BoxFuture;
use crate::status::Status;
use crate::transport::Io;

/// Tells where the servers of a channel are, and when that changes: see
/// [`Target::discovered`](crate::client::Target::discovered).
///
/// # Examples
///
/// ```
/// use rpc_runtime::client::{Discover, Instance, Target};
/// use rpc_runtime::{Channel, Status};
/// use tokio::sync::watch;
///
/// /// Servers that another part of the program knows.
/// struct Known(watch::Receiver<Vec<String>>, bool);
///
/// impl Discover for Known {
///     type Error = watch::error::RecvError;
///
///     async fn next(&mut self) -> Result<Vec<Instance>, Self::Error> {
///         if std::mem::replace(&mut self.1, true) {
///             self.0.changed().await?;
///         }
///         Ok(self.0.borrow().iter().map(Instance::new).collect())
///     }
/// }
///
/// # async fn connect(servers: watch::Receiver<Vec<String>>) -> Result<Channel, Status> {
/// Channel::connect(Target::discovered(Known(servers, false))).await
/// # }
/// ```
pub trait Discover: Send + 'static {
    /// Why the servers are not known.
    type Error: Into<Box<dyn Error + Send + Sync>>;

    /// Waits for the next list of all servers; the first time it gives the one there is.
    ///
    /// After an error the channel keeps the servers that it knows, and asks again after a pause that
    /// grows to 10 seconds.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped only with the channel, after which nothing is asked again.
    fn next(&mut self) -> impl Future<Output = Result<Vec<Instance>, Self::Error>> + Send;
}

/// One server, as [`Discover`] finds it. Two with the same name at the same place are equal, whatever
/// their weights and priorities.
#[derive(Clone)]
pub struct Instance {
    pub(in crate::client) url: String,
    pub(in crate::client) ip: Option<IpAddr>,
    pub(super) rank: Rank,
    connector: Option<Connector>,
}

/// Which calls a server gets beside others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rank {
    /// Those of the lowest number go first.
    pub(super) priority: u16,
    pub(super) weight: u32,
}

impl Default for Rank {
    fn default() -> Self {
        Self {
            priority: 0,
            weight: 1,
        }
    }
}

impl Instance {
    /// Names a server by its URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ip: None,
            rank: Rank::default(),
            connector: None,
        }
    }

    /// Names a server that is reached over byte streams of your own, as by
    /// [`Channel::connect_with`](crate::Channel::connect_with); the native wire is spoken there.
    pub fn over<F, Fut>(name: impl Into<String>, connector: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = std::io::Result<Io>> + Send + 'static,
    {
        Self {
            url: name.into(),
            ip: None,
            rank: Rank::default(),
            connector: Some(Arc::new(move || Box::pin(connector()))),
        }
    }

    /// Returns the URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Says where the host of the URL is, so that it is not looked up again. It is still what the
    /// server has to prove to be over TLS, and what it is called in gRPC.
    #[must_use]
    pub fn at(mut self, ip: IpAddr) -> Self {
        self.ip = Some(ip);
        self
    }

    /// Sets how large its share of the calls is, beside the weights of the others; 1 by default. One of
    /// weight 0 gets calls only where no other can take them.
    ///
    /// [`Balance`](crate::client::Balance) says what that means for each way to spread calls.
    #[must_use]
    pub fn weight(mut self, weight: u32) -> Self {
        self.rank.weight = weight;
        self
    }

    /// Sets its priority; 0 by default. Calls go to servers of the lowest number while one of them can be
    /// reached: it is connected, or connecting for the first time since it was lost or found. Only when
    /// none can, they go to those of the next number, and back when that has changed.
    ///
    /// All are connected to, so that the next ones are ready when they are needed. A server that is [left
    /// out because its calls fail](crate::client::Connect::eject_after) can be reached; one of which a
    /// health check says that it cannot be called cannot. A [`subset`](crate::client::Connect::subset) is
    /// taken of the lowest numbers.
    #[must_use]
    pub fn priority(mut self, priority: u16) -> Self {
        self.rank.priority = priority;
        self
    }

    /// Returns how it is connected to.
    pub(in crate::client) fn destination(&self) -> Result<Destination, Status> {
        match &self.connector {
            None => parse_url(&self.url),
            Some(connector) => Ok(Destination::Connector {
                name: Arc::from(&*self.url),
                connector: Arc::clone(connector),
            }),
        }
    }
}

impl PartialEq for Instance {
    fn eq(&self, other: &Self) -> bool {
        (&self.url, self.ip) == (&other.url, other.ip)
    }
}

impl Eq for Instance {}

impl Hash for Instance {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.url, self.ip).hash(state);
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("url", &self.url)
            .field("ip", &self.ip)
            .field("rank", &self.rank)
            .finish_non_exhaustive()
    }
}

/// What asks for the next list.
pub(in crate::client) type BoxDiscover = Box<dyn ErasedDiscover>;

type Found = Result<Vec<Instance>, Box<dyn Error + Send + Sync>>;

/// A [`Discover`], its type forgotten.
pub(in crate::client) trait ErasedDiscover: Send {
    fn next_boxed(&mut self) -> BoxFuture<'_, Found>;
}

impl<D: Discover> ErasedDiscover for D {
    fn next_boxed(&mut self) -> BoxFuture<'_, Found> {
        Box::pin(async move { self.next().await.map_err(Into::into) })
    }
}
