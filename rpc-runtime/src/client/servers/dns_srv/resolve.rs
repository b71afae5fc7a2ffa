//! Asking for SRV records, and for the addresses of their hosts.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant as SystemInstant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::lookup_ip::LookupIp;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use tokio::task::JoinSet;

use super::records::{Addresses, MAX_ADDRESSES, Place, places};

/// How many hosts are looked up at once.
const AT_ONCE: usize = 32;

/// Who is asked, and what they said of hosts the last time.
#[derive(Default)]
pub(super) struct Names {
    pub(super) server: Option<SocketAddr>,
    resolver: Option<TokioResolver>,
    known: Addresses,
}

/// What the records say, and how long that holds.
pub(super) struct Places {
    pub(super) found: Vec<Place>,
    pub(super) holds: Duration,
}

/// Where hosts are, and how long that holds.
pub(super) struct Hosts {
    pub(super) addresses: Addresses,
    pub(super) holds: Duration,
    /// All of them were found.
    pub(super) is_whole: bool,
}

impl Names {
    /// Asks for the records of a name.
    pub(super) async fn places(&mut self, name: &str) -> io::Result<Places> {
        let failed = |error: &dyn std::fmt::Display| {
            io::Error::other(format!(
                "cannot resolve the SRV records of `{name}`: {error}"
            ))
        };
        let resolver = self.resolver()?;
        let looked_up = resolver.lookup(name, RecordType::SRV).await;
        let looked_up = looked_up.map_err(|error| failed(&error))?;
        let records = looked_up.answers().iter().filter_map(|it| match &it.data {
            RData::SRV(srv) => Some(Place {
                priority: srv.priority,
                host: srv.target.to_ascii(),
                port: srv.port,
                weight: srv.weight,
            }),
            _ => None,
        });
        Ok(Places {
            found: places(records.collect()).map_err(|error| failed(&error))?,
            holds: from_now(looked_up.valid_until()),
        })
    }

    /// Asks for the addresses of the hosts of all places.
    ///
    /// # Errors
    ///
    /// The failure of one, where none is known.
    pub(super) async fn addresses(&mut self, places: &[Place]) -> io::Result<Hosts> {
        let resolver = self.resolver()?;
        let hosts: BTreeSet<_> = places.iter().map(|it| it.host.clone()).collect();
        let (mut hosts, mut looking) = (hosts.into_iter(), JoinSet::new());
        let mut found = Hosts {
            addresses: Addresses::new(),
            holds: Duration::MAX,
            is_whole: true,
        };
        let mut failure = None;
        loop {
            while looking.len() < AT_ONCE
                && let Some(host) = hosts.next()
            {
                let resolver = resolver.clone();
                looking.spawn(async move {
                    let looked_up = resolver.lookup_ip(format!("{host}.")).await;
                    (host, looked_up)
                });
            }
            let Some(joined) = looking.join_next().await else {
                break;
            };
            let (host, looked_up) = joined.map_err(io::Error::other)?;
            if let Err(error) = &looked_up {
                tracing::warn!(host, %error, "a host of SRV records cannot be resolved");
                failure = Some(format!("cannot resolve `{host}`: {error}"));
            }
            found.add(host, looked_up, &mut self.known);
        }
        self.known = found.addresses.clone();
        match failure {
            Some(failure) if found.addresses.is_empty() => Err(io::Error::other(failure)),
            _ => Ok(found),
        }
    }

    fn resolver(&mut self) -> io::Result<TokioResolver> {
        if let Some(resolver) = &self.resolver {
            return Ok(resolver.clone());
        }
        let mut builder = match self.server {
            None => TokioResolver::builder_tokio().map_err(io::Error::other)?,
            Some(address) => {
                let [mut udp, mut tcp] = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
                (udp.port, tcp.port) = (address.port(), address.port());
                let server = NameServerConfig::new(address.ip(), true, vec![udp, tcp]);
                let config = ResolverConfig::from_name_servers(vec![server]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        // It is asked again when the answer holds no longer, or when the user says.
        builder.options_mut().cache_size = 0;
        let resolver = builder.build().map_err(io::Error::other)?;
        Ok(self.resolver.insert(resolver).clone())
    }
}

impl Hosts {
    /// Adds what was found of a host, or what is `known` of it if nothing could be found.
    fn add(&mut self, host: String, looked_up: Result<LookupIp, NetError>, known: &mut Addresses) {
        let found = match looked_up {
            Ok(looked_up) => {
                self.holds = self.holds.min(from_now(looked_up.valid_until()));
                // In an order of their own, so that the same addresses are the same list.
                let ips: BTreeSet<IpAddr> = looked_up.iter().collect();
                Some(ips.into_iter().take(MAX_ADDRESSES).collect())
            }
            Err(error) => {
                self.is_whole = false;
                let before = known.remove(&host);
                before.filter(|_| !error.is_no_records_found())
            }
        };
        if let Some(addresses) = found {
            self.addresses.insert(host, addresses);
        }
    }
}

fn from_now(until: SystemInstant) -> Duration {
    until.saturating_duration_since(SystemInstant::now())
}
