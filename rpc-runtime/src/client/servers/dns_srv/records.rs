//! What SRV records say, and which servers that makes.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;

use super::super::discover::Instance;
use super::super::dns::host;
use crate::client::endpoint::Destination;
use crate::transport::Address;

/// How many records of one name are used.
const MAX_RECORDS: usize = 1_000;

/// How many addresses of one host are used.
pub(super) const MAX_ADDRESSES: usize = 32;

/// What a weight of 1 is to our own, so that addresses can divide it, and the hundredth of it.
const UNIT: u32 = 100 * MAX_ADDRESSES as u32;

/// Where a record says that a server is. The host's name is as in URLs: without the dot at its end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub(super) priority: u16,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) weight: u16,
}

/// The addresses of hosts.
pub(super) type Addresses = HashMap<String, Vec<IpAddr>>;

/// Returns the name whose records a URL asks for.
pub(super) fn service_name(url: &str) -> io::Result<&str> {
    let name = host(url)?;
    let (_, authority) = url.split_once("://").unwrap_or_default();
    let behind = authority.strip_prefix(name).unwrap_or_default();
    if behind.starts_with(':') {
        let text = format!("`{url}` has a port, which SRV records tell");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(name)
}

/// Returns the places that are used, the lowest priority first and each once; none if the service is
/// expressly not there. The targets are names with the dot at their end.
///
/// # Errors
///
/// Records that name nothing that can be connected to.
pub(super) fn places(records: Vec<Place>) -> io::Result<Vec<Place>> {
    if let [only] = &*records
        && only.host == "."
    {
        return Ok(Vec::new());
    }
    let mut places: Vec<_> = records.into_iter().filter_map(named).collect();
    places.sort_unstable();
    let mut seen = HashSet::new();
    places.retain(|it| seen.insert((it.host.clone(), it.port)));
    if places.len() > MAX_RECORDS {
        let all = places.len();
        tracing::warn!(all, used = MAX_RECORDS, "there are too many SRV records");
        places.truncate(MAX_RECORDS);
    }
    if places.is_empty() {
        return Err(io::Error::other("no record names a host that can be one"));
    }
    Ok(places)
}

/// Returns a record with its host as URLs have it, if it can be part of one.
fn named(record: Place) -> Option<Place> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let host = record.host.trim_end_matches('.').to_ascii_lowercase();
    let is_named = !host.is_empty() && host.bytes().all(is_plain);
    is_named.then_some(Place { host, ..record })
}

/// Names the servers at places, in an order of their own, so that the same servers are the same list.
///
/// # Errors
///
/// One that would have to prove to be somebody whom the name does not vouch for.
pub(super) fn instances(
    url: &str,
    name: &str,
    places: &[Place],
    addresses: &Addresses,
) -> io::Result<Vec<Instance>> {
    let mut found = Vec::new();
    for place in places {
        let ips = addresses.get(&place.host).map_or(&[][..], Vec::as_slice);
        let weight = match place.weight {
            0 => UNIT / 100,
            weight => u32::from(weight) * UNIT,
        };
        let weight = weight / u32::try_from(ips.len().max(1)).unwrap_or(u32::MAX);
        for ip in ips {
            let instance = instance(url, name, place)?.at(*ip);
            found.push(instance.priority(place.priority).weight(weight));
        }
    }
    Ok(found)
}

fn instance(url: &str, name: &str, Place { host, port, .. }: &Place) -> io::Result<Instance> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let path = rest.strip_prefix(name).unwrap_or_default();
    let instance = Instance::new(format!("{scheme}://{host}:{port}{path}"));
    let destination = instance.destination().map_err(io::Error::other)?;
    let is_secure = matches!(
        destination,
        Destination::Address {
            address: Address::Tls { .. },
            ..
        }
    );
    if is_secure && !is_within(host, domain(name)) {
        return Err(io::Error::other(format!(
            "`{name}` names the host `{host}`, which is in another domain"
        )));
    }
    Ok(instance)
}

/// Returns the domain of a service: what is behind the labels that begin with an underscore.
fn domain(name: &str) -> &str {
    let mut rest = name;
    while rest.starts_with('_')
        && let Some((_, behind)) = rest.split_once('.')
    {
        rest = behind;
    }
    rest.trim_end_matches('.')
}

fn is_within(host: &str, domain: &str) -> bool {
    let domain = domain.to_ascii_lowercase();
    let before = host.strip_suffix(domain.as_str());
    !domain.is_empty() && before.is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, port: u16, host: &str) -> Place {
        Place {
            priority,
            host: host.to_owned(),
            port,
            weight,
        }
    }

    fn found(records: Vec<Place>) -> Vec<String> {
        let places = places(records).unwrap();
        let text = |it: &Place| format!("{} {}:{} {}", it.priority, it.host, it.port, it.weight);
        places.iter().map(text).collect()
    }

    #[test]
    fn records_are_in_order_and_each_place_is_there_once() {
        let records = vec![
            record(20, 9, 1, "later.test."),
            record(10, 5, 3, "B.test."),
            record(10, 0, 2, "idle.test."),
            record(20, 5, 3, "b.test."),
            record(0, 5, 3, "a/b.test."),
            record(0, 5, 3, "."),
        ];
        assert_eq!(
            found(records),
            ["10 b.test:3 5", "10 idle.test:2 0", "20 later.test:1 9"]
        );
        let many = (0..2_000).map(|it| record(2_000 - it, 1, it + 1, "a.test."));
        let many = found(many.collect());
        assert_eq!((many.len(), &*many[0]), (1_000, "1 a.test:2000 1"));
    }

    #[test]
    fn a_service_that_is_expressly_not_there_is_told_from_records_without_sense() {
        assert!(found(vec![record(0, 0, 0, ".")]).is_empty());
        for records in [
            vec![],
            vec![record(0, 0, 0, "."), record(1, 0, 0, ".")],
            vec![record(0, 1, 1, "a/b.test.")],
        ] {
            assert!(places(records).is_err());
        }
    }

    #[test]
    fn addresses_of_a_host_divide_its_weight() {
        let ips = |count: u8| (0..count).map(|it| IpAddr::from([192, 0, 2, it])).collect();
        let addresses = Addresses::from([
            ("one.test".to_owned(), ips(1)),
            ("many.test".to_owned(), ips(32)),
        ]);
        let weights = |weight| {
            let places = [
                record(3, weight, 7, "one.test"),
                record(3, weight, 7, "many.test"),
            ];
            let found = instances("tcp://_a._tcp.test", "_a._tcp.test", &places, &addresses);
            let found = found.unwrap();
            assert_eq!(found.len(), 33);
            assert!(found.iter().all(|it| it.rank.priority == 3));
            assert_eq!(
                found[1],
                Instance::new("tcp://many.test:7").at([192, 0, 2, 0].into())
            );
            [found[0].rank.weight, found[1].rank.weight]
        };
        assert_eq!(weights(0), [32, 1]);
        assert_eq!(weights(1), [3_200, 100]);
        assert_eq!(weights(u16::MAX), [209_712_000, 6_553_500]);
    }

    #[test]
    fn a_server_has_the_scheme_of_the_url_and_with_tls_the_domain() {
        let named = |url: &str, host: &str| {
            let name = service_name(url).unwrap();
            instance(url, name, &record(1, 1, 7, host))
        };
        let plain = named("ws://_math._tcp.example.org/path", "one.test").unwrap();
        assert_eq!(plain.url(), "ws://one.test:7/path");
        for (host, domain, expected) in [
            ("one.example.org", "example.org", true),
            ("example.org", "Example.org", true),
            ("badexample.org", "example.org", false),
            ("example.org.evil", "example.org", false),
            ("example.org", "", false),
        ] {
            assert_eq!(is_within(host, domain), expected, "{host}");
        }
        assert_eq!(domain("_math._tcp.example.org."), "example.org");
        if cfg!(all(
            feature = "tls",
            feature = "http",
            feature = "websocket"
        )) {
            for scheme in ["tls", "grpcs", "wss", "connect+https"] {
                let url = format!("{scheme}://_math._tcp.example.org");
                assert!(named(&url, "one.example.org").is_ok(), "{scheme}");
                let error = named(&url, "one.evil.org").unwrap_err();
                assert!(error.to_string().contains("another domain"), "{error}");
            }
        }
    }

    #[test]
    fn a_url_with_a_port_is_refused() {
        assert_eq!(service_name("tcp://_a._tcp.b").unwrap(), "_a._tcp.b");
        assert_eq!(service_name("ws://_a._tcp.b/path").unwrap(), "_a._tcp.b");
        assert!(service_name("tcp://_a._tcp.b:80").is_err());
    }
}
