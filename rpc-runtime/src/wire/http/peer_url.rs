//! The servers that are called over HTTP, and their URLs.

use std::error::Error;
use std::fmt;

#[cfg(feature = "jsonrpc")]
use http::uri::PathAndQuery;
use http::uri::{Authority, Scheme};

#[cfg(feature = "tls")]
use super::ALPN_HTTP1;
use super::ALPN_HTTP2;
use super::dialect::Dialect;
#[cfg(feature = "jsonrpc")]
use super::web_url::WebUrl;
use crate::transport::Address;

/// What is spoken to a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spoken {
    In(Dialect),
    /// JSON-RPC, at one path for all methods.
    #[cfg(feature = "jsonrpc")]
    JsonRpc,
}

const GRPC: Spoken = Spoken::In(Dialect::Grpc);
const GRPC_WEB: Spoken = Spoken::In(Dialect::GrpcWeb);
const CONNECT: Spoken = Spoken::In(Dialect::Connect);

/// What the URLs of servers begin with, what is spoken there, and below that.
const SCHEMES: &[(&str, Spoken, Below)] = &[
    ("grpc", GRPC, Below::Tcp),
    ("grpcs", GRPC, Below::Tls),
    ("grpc-web+http", GRPC_WEB, Below::Tcp),
    ("grpc-web+http1", GRPC_WEB, Below::TcpInHttp1),
    ("grpc-web+https", GRPC_WEB, Below::Tls),
    ("connect+http", CONNECT, Below::Tcp),
    ("connect+http1", CONNECT, Below::TcpInHttp1),
    ("connect+https", CONNECT, Below::Tls),
    #[cfg(feature = "jsonrpc")]
    ("jsonrpc+http", Spoken::JsonRpc, Below::TcpInHttp1),
    #[cfg(feature = "jsonrpc")]
    ("jsonrpc+https", Spoken::JsonRpc, Below::Tls),
];

impl Spoken {
    /// Returns its name, as errors have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::In(dialect) => dialect.name(),
            #[cfg(feature = "jsonrpc")]
            Self::JsonRpc => "JSON-RPC",
        }
    }
}

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
    pub(super) spoken: Spoken,
    below: Below,
    /// Host, and port if there is one.
    pub(super) authority: Authority,
    /// Where requests go whose path does not name the method.
    #[cfg(feature = "jsonrpc")]
    pub(super) path: PathAndQuery,
}

type Parsed = Result<(HttpServer, Address), Box<dyn Error + Send + Sync>>;

impl HttpServer {
    /// Reads a URL; `None` for one that is not of HTTP.
    ///
    /// # Errors
    ///
    /// What is wrong with host or port.
    pub(crate) fn parse(url: &str) -> Option<Parsed> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let mut schemes = SCHEMES.iter();
        let (_, spoken, below) = schemes.find(|(it, ..)| it.eq_ignore_ascii_case(scheme))?;
        Some(match spoken {
            Spoken::In(_) => Self::at(rest, *spoken, *below),
            #[cfg(feature = "jsonrpc")]
            Spoken::JsonRpc => Self::at_path(rest, *spoken, *below),
        })
    }

    fn at(authority: &str, spoken: Spoken, below: Below) -> Parsed {
        let below_http = match below {
            Below::Tcp | Below::TcpInHttp1 => "tcp",
            Below::Tls => "tls",
        };
        let address = format!("{below_http}://{authority}").parse()?;
        let server = Self {
            spoken,
            below,
            authority: authority.parse()?,
            #[cfg(feature = "jsonrpc")]
            path: PathAndQuery::from_static("/"),
        };
        Ok((server, address))
    }

    #[cfg(feature = "jsonrpc")]
    fn at_path(rest: &str, spoken: Spoken, below: Below) -> Parsed {
        let (url, address) = WebUrl::read(rest, below == Below::Tls)?;
        let server = Self {
            spoken,
            below,
            authority: url.authority,
            path: url.path,
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
        match self.spoken {
            GRPC => &[ALPN_HTTP2],
            _ => &[ALPN_HTTP2, ALPN_HTTP1],
        }
    }

    /// Says whether HTTP/2 is spoken, where TLS has agreed to this or to nothing.
    pub(super) fn speaks_http2(&self, agreed: Option<&[u8]>) -> bool {
        match self.below {
            Below::Tcp => true,
            Below::TcpInHttp1 => false,
            Below::Tls => self.spoken == GRPC || agreed == Some(ALPN_HTTP2),
        }
    }

    /// Returns the URL that asks for HTTP/1.1, where another one does not.
    pub(super) fn over_http1(&self) -> Option<String> {
        let could = self.spoken != GRPC && self.below == Below::Tcp;
        let mut other = self.clone();
        other.below = Below::TcpInHttp1;
        could.then(|| other.to_string())
    }
}

impl fmt::Display for HttpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut schemes = SCHEMES.iter();
        let found =
            schemes.find(|(_, spoken, below)| (*spoken, *below) == (self.spoken, self.below));
        let scheme = found.map_or("http", |(scheme, ..)| scheme);
        write!(f, "{scheme}://{}", self.authority)?;
        #[cfg(feature = "jsonrpc")]
        if self.path != "/" {
            write!(f, "{}", self.path)?;
        }
        Ok(())
    }
}
