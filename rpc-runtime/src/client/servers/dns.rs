//! Servers that a name stands for.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::sleep;

use super::discover::{Discover, Instance};
use crate::service::BoxFuture;

/// How often a name is looked up where nobody says otherwise.
const INTERVAL: Duration = Duration::from_secs(30);

/// Finds servers by looking the host of a URL up in DNS, again and again: every address of it is a
/// server.
///
/// The system's resolver is asked, for addresses (A and AAAA). It does not say how long they hold,
/// so they are looked up every 30 seconds, and while it finds none, more often; the servers stay as they were then. With `tls://` and `grpcs://` each server must have a
/// certificate for the name. `DnsSrv` (feature `dns-srv`) asks for SRV records, which say ports too.
///
/// # Examples
///
/// ```no_run
/// use rpc_runtime::Channel;
/// use rpc_runtime::client::Dns;
///
/// # async fn connect() -> Result<(), rpc_runtime::Status> {
/// let channel = Channel::connect(Dns::new("tcp://math.internal:8080")).await?;
/// # Ok(()) }
/// ```
pub struct Dns {
    url: String,
    interval: Duration,
    resolve: Resolve,
    found: Option<Vec<Instance>>,
    /// The last look-up went well; behind a failure the next one does not wait as long.
    waits: bool,
}

type Resolve = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

impl Dns {
    /// Looks up the host of this URL. A URL without one fails when it is connected to.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            interval: INTERVAL,
            resolve: Arc::new(|host| {
                Box::pin(async move {
                    // The port is that of the URL.
                    let addresses = lookup_host((host, 0)).await?;
                    Ok(addresses.map(|it| it.ip()).collect())
                })
            }),
            found: None,
            waits: false,
        }
    }

    /// Sets how long to wait between two look-ups, 30 seconds by default.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Asks this instead of the system's resolver.
    #[must_use]
    pub fn resolver<F, Fut>(mut self, resolve: F) -> Self
    where
        F: Fn(String) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static,
    {
        self.resolve = Arc::new(move |host| Box::pin(resolve(host)));
        self
    }
}

impl Discover for Dns {
    type Error = io::Error;

    async fn next(&mut self) -> io::Result<Vec<Instance>> {
        loop {
            if std::mem::take(&mut self.waits) {
                sleep(self.interval).await;
            }
            let host = host(&self.url)?;
            let mut addresses = (self.resolve)(host.to_owned()).await.map_err(|error| {
                io::Error::new(error.kind(), format!("cannot resolve `{host}`: {error}"))
            })?;
            if addresses.is_empty() {
                let text = format!("cannot resolve `{host}`: it has no address");
                return Err(io::Error::new(io::ErrorKind::NotFound, text));
            }
            self.waits = true;
            addresses.sort_unstable();
            addresses.dedup();
            let instance = |ip| Instance::new(&self.url).at(ip);
            let found: Vec<_> = addresses.into_iter().map(instance).collect();
            if self.found.as_ref() != Some(&found) {
                self.found = Some(found.clone());
                return Ok(found);
            }
        }
    }
}

/// Returns the host of a URL, without the brackets of an IPv6 address.
pub(super) fn host(url: &str) -> io::Result<&str> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        let text = format!("`{url}` has no host to look up, as `tcp://host:port` has");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(host)
}

impl fmt::Debug for Dns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dns")
            .field("url", &self.url)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_answer_without_addresses_is_none() {
        let answers = vec![vec![], vec![], vec![IpAddr::from([192, 0, 2, 1])]];
        let answers = std::sync::Mutex::new(answers);
        let mut dns = Dns::new("tcp://a.test:80").resolver(move |_| {
            let answer = answers.lock().unwrap().pop().unwrap();
            std::future::ready(Ok(answer))
        });
        assert_eq!(dns.next().await.unwrap().len(), 1);
        let start = Instant::now();
        for _ in 0..2 {
            let error = dns.next().await.unwrap_err();
            assert!(error.to_string().contains("no address"), "{error}");
            // Who asks waits himself behind a failure.
            assert_eq!(start.elapsed(), INTERVAL);
        }
    }

    #[test]
    fn the_host_of_a_url_is_found() {
        assert_eq!(host("tcp://a.b:80").unwrap(), "a.b");
        assert_eq!(host("grpcs://[::1]:80").unwrap(), "::1");
        assert_eq!(host("wss://[::1]/path").unwrap(), "::1");
        assert_eq!(host("ws://a.b/path:1?x").unwrap(), "a.b");
        for bad in ["mem:a", "unix:///a:b", "tcp://:80", "a:80"] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }
}
