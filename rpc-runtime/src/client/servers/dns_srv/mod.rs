//! Servers that a name stands for, each with a port of its own: SRV records (RFC 2782).

mod records;
mod resolve;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use self::records::{instances, service_name};
use self::resolve::Names;
use super::discover::{Discover, Instance};

/// How long what was found is taken to hold, whatever DNS says.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(3600);

/// After how long at most is asked again while some of the hosts cannot be found.
const AGAIN: Duration = Duration::from_secs(10);

/// How long one look-up may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Finds servers by the SRV records of a name (RFC 2782): every address of every host that they name is
/// a server, at the port that they give.
///
/// The records are asked for anew when the shortest time to live among them and their hosts' addresses
/// is over: after a second at least and an hour at most, and after 10 seconds at most while one of the
/// hosts cannot be found. Such a host keeps the addresses that it had, unless DNS says that it has none.
/// If the records cannot be found, or none of the hosts, all servers stay as they were.
///
/// The records' **priorities** are those of [`Instance::priority`]: servers of the lowest number get all
/// calls while one of them can be reached. Their **weights** are shares of the calls as
/// [`Instance::weight`] says, which the addresses of one host divide among them evenly; beside others
/// weight 0 counts as a hundredth of 1. A single record whose target is `.` says that there is no such service: no
/// server is left, and calls fail with [`Code::Unavailable`](crate::Code::Unavailable).
///
/// Of the records the first 1,000 by priority are used, and 32 addresses of each host.
///
/// With TLS each server must have a certificate for the name of its host, which must be in the domain of
/// the records: for `_math._tcp.example.org` in `example.org`. So who can forge the records alone cannot
/// send callers to a host of their own. One that is elsewhere fails the look-up.
///
/// # Examples
///
/// ```no_run
/// use rpc_runtime::Channel;
/// use rpc_runtime::client::DnsSrv;
///
/// # async fn connect() -> Result<(), rpc_runtime::Status> {
/// let channel = Channel::connect(DnsSrv::new("tcp://_math._tcp.internal")).await?;
/// # Ok(()) }
/// ```
pub struct DnsSrv {
    url: String,
    interval: Option<Duration>,
    timeout: Duration,
    names: Names,
    /// How long what was found holds; nothing after a failure, which is not waited for once more.
    holds: Option<Duration>,
    found: Option<Vec<Instance>>,
}

impl DnsSrv {
    /// Looks up the host of this URL, which has no port. A URL without a host fails when it is connected
    /// to.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            interval: None,
            timeout: TIMEOUT,
            names: Names::default(),
            holds: None,
            found: None,
        }
    }

    /// Sets how long to wait between two look-ups, whatever time to live the records have.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Bounds how long one look-up takes, of the records and of all their hosts; 10 seconds by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks this name server, over UDP and, for long answers, TCP, instead of those that the system is
    /// set to.
    #[must_use]
    pub fn name_server(mut self, address: SocketAddr) -> Self {
        self.names.server = Some(address);
        self
    }

    /// Asks for all servers, and notes how long the answer holds.
    async fn look_up(&mut self) -> io::Result<Vec<Instance>> {
        let name = service_name(&self.url)?;
        let places = self.names.places(name).await?;
        let hosts = self.names.addresses(&places.found).await?;
        let found = instances(&self.url, name, &places.found, &hosts.addresses)?;
        let longest = if hosts.is_whole { LONGEST } else { AGAIN };
        let holds = places.holds.min(hosts.holds);
        self.holds = Some(holds.clamp(SHORTEST, longest));
        Ok(found)
    }
}

impl Discover for DnsSrv {
    type Error = io::Error;

    async fn next(&mut self) -> io::Result<Vec<Instance>> {
        loop {
            if let Some(holds) = self.holds.take() {
                sleep(self.interval.unwrap_or(holds)).await;
            }
            let limit = self.timeout;
            let found = timeout(limit, self.look_up()).await.map_err(|_| {
                let text = format!("looking up `{}` took longer than {limit:?}", self.url);
                io::Error::new(io::ErrorKind::TimedOut, text)
            })??;
            let ranked = |list: &[Instance]| -> Vec<_> {
                list.iter().map(|it| (it.clone(), it.rank)).collect()
            };
            let is_same = |before: &Vec<Instance>| ranked(before) == ranked(&found);
            if !self.found.as_ref().is_some_and(is_same) {
                self.found = Some(found.clone());
                return Ok(found);
            }
        }
    }
}

impl fmt::Debug for DnsSrv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsSrv")
            .field("url", &self.url)
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .field("name_server", &self.names.server)
            .finish_non_exhaustive()
    }
}
