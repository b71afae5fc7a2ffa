//! Our calls on a byte stream of texts.

mod calls;
mod connection;
mod request;

pub(crate) use connection::Connection;

use super::Dialect;

/// A server as its URL names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    pub(crate) dialect: &'static Dialect,
    pub(crate) url: String,
}

impl Server {
    /// Reads a URL, if it is one of JSON, and returns the address below it too.
    pub(crate) fn of(url: &str) -> Option<(Self, String)> {
        let (scheme, rest) = url.split_once(':')?;
        let scheme = scheme.to_ascii_lowercase();
        let (dialect, below) = match scheme.as_str() {
            "knsock" => (Dialect::KN_SOCK, "tcp"),
            "lpjson" => (Dialect::LENGTH_PREFIXED, "tcp"),
            scheme => (Dialect::JSON_RPC, scheme.strip_prefix("jsonrpc+")?),
        };
        let address = format!("{below}:{rest}");
        let url = url.to_owned();
        Some((Self { dialect, url }, address))
    }
}
