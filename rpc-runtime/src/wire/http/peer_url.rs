//! The servers that are called over HTTP, and their URLs.

use std::error::Error;
use std::fmt;

use http::uri::{Authority, Scheme};

use super::dialect::Dialect;
use crate::transport::Address;

/// What the URLs of servers begin with, what is spoken there, and below that.
const SCHEMES: [(&str, Dialect, Below); 6] = [
    ("grpc", Dialect::Grpc, Below::Tcp),
    ("grpcs", Dialect::Grpc, Below::Tls),
    ("grpc-web+http", Dialect::GrpcWeb, Below::Tcp),
    ("grpc-web+https", Dialect::GrpcWeb, Below::Tls),
    ("connect+http", Dialect::Connect, Below::Tcp),
    ("connect+https", Dialect::Connect, Below::Tls),
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Below {
    Tcp,
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
            Below::Tcp => "tcp",
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
            Below::Tcp => Scheme::HTTP,
            Below::Tls => Scheme::HTTPS,
        }
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
