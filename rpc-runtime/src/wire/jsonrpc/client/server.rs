//! The servers of JSON on byte streams, and their URLs.

use std::error::Error;

use crate::transport::Address;
use crate::wire::jsonrpc::Dialect;

/// What URLs begin with, what is spoken there, and below that; what follows `jsonrpc+` says that itself.
const SCHEMES: [(&str, &Dialect, &str); 2] = [
    ("knsock", Dialect::KN_SOCK, "tcp"),
    ("lpjson", Dialect::LENGTH_PREFIXED, "tcp"),
];

/// A server as its URL names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    pub(crate) dialect: &'static Dialect,
    pub(crate) url: String,
}

impl Server {
    /// Reads a URL, and where it connects to; `None` for one that is not of JSON.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    #[allow(
        clippy::type_complexity,
        reason = "a server, where it is, or what is wrong"
    )]
    pub(crate) fn parse(
        url: &str,
    ) -> Option<Result<(Self, Address), Box<dyn Error + Send + Sync>>> {
        let (scheme, rest) = url.split_once(':')?;
        let scheme = scheme.to_ascii_lowercase();
        let mut schemes = SCHEMES.iter();
        let (dialect, below) = match schemes.find(|(it, ..)| *it == scheme) {
            Some((_, dialect, below)) => (*dialect, *below),
            None => (Dialect::JSON_RPC, scheme.strip_prefix("jsonrpc+")?),
        };
        let address = format!("{below}:{rest}").parse::<Address>();
        let url = url.to_owned();
        Some(match address {
            Ok(address) => Ok((Self { dialect, url }, address)),
            Err(error) => Err(error.into()),
        })
    }
}
