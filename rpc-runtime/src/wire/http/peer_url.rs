//! The servers that are called over HTTP, and their URLs.

use std::error::Error;
use std::fmt;

use http::uri::{Authority, Scheme};

#[cfg(feature = "tls")]
use super::ALPN_HTTP1;
use super::ALPN_HTTP2;
use super::dialect::Dialect;
use crate::transport::Address;

/// What the URLs of servers begin with, what is spoken there, and below that.
const SCHEMES: [(&str, Dialect, Below); 8] = [
    ("grpc", Dialect::Grpc, Below::Tcp),
    ("grpcs", Dialect::Grpc, Below::Tls),
    ("grpc-web+http", Dialect::GrpcWeb, Below::Tcp),
    ("grpc-web+http1", Dialect::GrpcWeb, Below::TcpInHttp1),
    ("grpc-web+https", Dialect::GrpcWeb, Below::Tls),
    ("connect+http", Dialect::Connect, Below::Tcp),
    ("connect+http1", Dialect::Connect, Below::TcpInHttp1),
    ("connect+https", Dialect::Connect, Below::Tls),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Below {
    Tcp,
    /// Nothing tells before the first request whether a server knows HTTP/2.
    TcpInHttp1,
    /// The handshake tells it.
    Tls,
}

/// A server as requests name it, in `:scheme` and `:authority`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HttpServer {
    pub(super) dialect: Dialect,
    below: Below,
    /// Host and port.
    pub(super) authority: Authority,
}

impl HttpServer {
    /// Reads a URL; `None` for one that is not of HTTP.
    ///
    /// # Errors
    ///
    /// What is wrong with host or port.
    #[allow(
        clippy::type_complexity,
        reason = "a server, where it is, or what is wrong"
    )]
    pub(crate) fn parse(
        url: &str,
    ) -> Option<Result<(Self, Address), Box<dyn Error + Send + Sync>>> {
        let (scheme, authority) = url.trim().split_once("://")?;
        let mut schemes = SCHEMES.iter();
        let (_, dialect, below) = schemes.find(|(it, ..)| it.eq_ignore_ascii_case(scheme))?;
        Some(Self::at(authority, *dialect, *below))
    }

    fn at(
        authority: &str,
        dialect: Dialect,
        below: Below,
    ) -> Result<(Self, Address), Box<dyn Error + Send + Sync>> {
        let below_http = match below {
            Below::Tcp | Below::TcpInHttp1 => "tcp",
            Below::Tls => "tls",
        };
        let address = format!("{below_http}://{authority}").parse()?;
        let authority = authority.parse()?;
        let server = Self {
            dialect,
            below,
            authority,
        };
        Ok((server, address))
    }

    /// Returns the scheme that requests have.
    pub(super) fn scheme(&self) -> Scheme {
        match self.below {
            Below::Tcp | Below::TcpInHttp1 => Scheme::HTTP,
            Below::Tls => Scheme::HTTPS,
        }
    }

    /// Returns what is offered in ALPN, the preferred first. gRPC needs HTTP/2.
    #[cfg(feature = "tls")]
    pub(crate) fn alpn(&self) -> &'static [&'static [u8]] {
        match self.dialect {
            Dialect::Grpc => &[ALPN_HTTP2],
            _ => &[ALPN_HTTP2, ALPN_HTTP1],
        }
    }

    /// Says whether HTTP/2 is spoken, where TLS has agreed to this or to nothing.
    pub(super) fn speaks_http2(&self, agreed: Option<&[u8]>) -> bool {
        match self.below {
            Below::Tcp => true,
            Below::TcpInHttp1 => false,
            Below::Tls => self.dialect == Dialect::Grpc || agreed == Some(ALPN_HTTP2),
        }
    }

    /// Returns the URL that asks for HTTP/1.1, where another one does not.
    pub(super) fn over_http1(&self) -> Option<String> {
        let could = self.dialect != Dialect::Grpc && self.below == Below::Tcp;
        let below = Below::TcpInHttp1;
        could.then(|| {
            Self {
                below,
                ..self.clone()
            }
            .to_string()
        })
    }
}

impl fmt::Display for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut schemes = SCHEMES.iter();
        let found =
            schemes.find(|(_, dialect, below)| (*dialect, *below) == (self.dialect, self.below));
        let scheme = found.map_or("http", |(scheme, ..)| scheme);
        write!(f, "{scheme}://{}", self.authority)
    }
}
