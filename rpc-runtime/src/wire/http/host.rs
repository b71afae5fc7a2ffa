//! Which host a request names, and whether that can be this server.
//!
//! A page of another site can make a browser send requests to a server on the same machine, under
//! a name that is made to point there (DNS rebinding). For the browser they belong to that name, so
//! nothing of its own rules stops them. The name is in the request, and cannot be forged by a page.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderMap, Request, Uri, Version, header};

/// Says whether a request may name this host, whose caller is on the same machine; others are not asked.
///
/// It may name `localhost`, what ends in `.localhost`, and every IP address, which cannot be rebound.
pub(super) fn is_allowed(uri: &Uri, headers: &HeaderMap, hosts: &[String]) -> bool {
    match (uri.authority(), headers.get(header::HOST)) {
        (Some(named), _) => is_ours(named, hosts),
        (None, None) => true,
        (None, Some(host)) => {
            Authority::try_from(host.as_bytes()).is_ok_and(|it| is_ours(&it, hosts))
        }
    }
}

/// Says whether a request names its host in one header, as HTTP/1.1 demands: two would let each of those who read
/// it believe another (RFC 9112, section 3.2).
pub(super) fn is_named_once<B>(request: &Request<B>) -> bool {
    let mut named = request.headers().get_all(header::HOST).iter();
    let needs_one = request.version() == Version::HTTP_11;
    (named.next().is_some() || !needs_one) && named.next().is_none()
}

fn is_ours(named: &Authority, hosts: &[String]) -> bool {
    let host = named.host().trim_start_matches('[').trim_end_matches(']');
    let host = host.strip_suffix('.').unwrap_or(host);
    let below = host.as_bytes().last_chunk::<10>();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok()
        || below.is_some_and(|it| it.eq_ignore_ascii_case(b".localhost"))
        || hosts.iter().any(|it| it.eq_ignore_ascii_case(host))
}

/// Says whether the peer's URL is that of a TCP connection from the same machine.
pub(super) fn is_loopback(peer: &str) -> bool {
    let address = peer.strip_prefix("tcp://");
    let address = address.and_then(|it| it.parse::<std::net::SocketAddr>().ok());
    address.is_some_and(|it| it.ip().to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn allowed(peer: &str, host: &'static str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        let hosts = ["api.example".to_owned()];
        !is_loopback(peer) || is_allowed(&Uri::from_static("/a"), &headers, &hosts)
    }

    #[test]
    fn a_rebound_name_is_refused_on_the_same_machine() {
        for peer in [
            "tcp://127.0.0.1:5000",
            "tcp://[::1]:5000",
            "tcp://[::ffff:127.0.0.1]:1",
        ] {
            for host in [
                "localhost:80",
                "LOCALHOST",
                "a.localhost.",
                "127.0.0.1:8080",
                "[::1]:1",
                "192.0.2.1",
                "api.EXAMPLE:443",
            ] {
                assert!(allowed(peer, host), "{peer} {host}");
            }
            for host in [
                "evil.example:80",
                "localhost.evil.example",
                "127.0.0.1.evil.example",
                "",
            ] {
                assert!(!allowed(peer, host), "{peer} {host}");
            }
        }
        for peer in ["tcp://192.0.2.7:5000", "unix:///run/a", "unnamed peer"] {
            assert!(allowed(peer, "evil.example"), "{peer}");
        }
    }

    #[test]
    fn the_target_of_the_request_counts_before_the_header() {
        let uri = Uri::from_static("http://evil.example/a");
        assert!(!is_allowed(&uri, &HeaderMap::new(), &[]));
    }
}
