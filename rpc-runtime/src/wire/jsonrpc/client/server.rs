//! The servers of JSON, and their URLs.

use std::error::Error;

use crate::transport::Address;
use crate::wire::jsonrpc::Dialect;
#[cfg(feature = "websocket")]
use crate::wire::websocket;

/// A server as its URL names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Server {
    pub(crate) dialect: &'static Dialect,
    pub(crate) carrier: Carrier,
    pub(crate) url: String,
}

/// What carries the texts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Carrier {
    /// A byte stream, as its dialect has it.
    Bytes,
    /// The bodies of POST requests.
    #[cfg(feature = "http")]
    Http(crate::wire::http::WebUrl),
    /// The messages of a WebSocket.
    #[cfg(feature = "websocket")]
    WebSocket(websocket::Target),
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
    pub(crate) fn of(url: &str) -> Option<Result<(Self, Address), Box<dyn Error + Send + Sync>>> {
        let (scheme, rest) = url.split_once(':')?;
        let scheme = scheme.to_ascii_lowercase();
        let (dialect, below) = match scheme.as_str() {
            "knsock" => (Dialect::KN_SOCK, "tcp"),
            "lpjson" => (Dialect::LENGTH_PREFIXED, "tcp"),
            scheme => (Dialect::JSON_RPC, scheme.strip_prefix("jsonrpc+")?),
        };
        Some(carrier(below, rest).map(|(carrier, address)| {
            let url = url.to_owned();
            let server = Self {
                dialect,
                carrier,
                url,
            };
            (server, address)
        }))
    }

    /// What is spoken below the texts, if it has a name in ALPN.
    #[cfg(feature = "tls")]
    pub(crate) fn alpn(&self) -> Option<&'static [u8]> {
        match self.carrier {
            Carrier::Bytes => None,
            #[cfg(feature = "http")]
            Carrier::Http(_) => Some(crate::wire::http::ALPN_HTTP1),
            #[cfg(feature = "websocket")]
            Carrier::WebSocket(_) => Some(crate::wire::http::ALPN_HTTP1),
        }
    }
}

fn carrier(below: &str, rest: &str) -> Result<(Carrier, Address), Box<dyn Error + Send + Sync>> {
    #[cfg(feature = "http")]
    let web = rest.strip_prefix("//").unwrap_or(rest);
    match below {
        #[cfg(feature = "http")]
        "http" | "https" => {
            let (url, address) = crate::wire::http::WebUrl::read(web, below == "https")?;
            Ok((Carrier::Http(url), address))
        }
        #[cfg(feature = "websocket")]
        "ws" | "wss" => {
            let (url, address) = crate::wire::http::WebUrl::read(web, below == "wss")?;
            // Most servers of JSON-RPC know no name for it.
            let target = websocket::Target {
                url,
                subprotocol: None,
                offers_compression: false,
            };
            Ok((Carrier::WebSocket(target), address))
        }
        below => Ok((Carrier::Bytes, format!("{below}:{rest}").parse()?)),
    }
}
