//! The opening handshake, as a client makes it: RFC 6455, section 4.1.

use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf, BytesMut};
use http::header::{
    CONNECTION, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::extension::{Agreed, OFFER};
use super::handshake::{Subprotocol, VERSION, answer_to, list, lists};
#[cfg(feature = "jsonrpc")]
use super::lines::Lines;
use super::{ByteStream, Side};
use crate::status::Status;
use crate::transport::{Address, Io};
#[cfg(feature = "jsonrpc")]
use crate::wire::config::Config;
use crate::wire::http::WebUrl;

/// How long the head of an answer may be.
const MOST_HEAD: usize = 16 << 10;

/// How many headers it may have.
const MOST_HEADERS: usize = 64;

/// How much of the text of a refusal is shown.
const MOST_SHOWN: usize = 200;

/// What the URLs of servers begin with, what is spoken inside, and whether that is over TLS.
const SCHEMES: &[(&str, Subprotocol, bool)] = &[
    ("ws", Subprotocol::Native, false),
    ("wss", Subprotocol::Native, true),
    #[cfg(feature = "jsonrpc")]
    ("jsonrpc+ws", Subprotocol::JsonRpc, false),
    #[cfg(feature = "jsonrpc")]
    ("jsonrpc+wss", Subprotocol::JsonRpc, true),
];

/// What a client asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) url: WebUrl,
    pub(crate) spoken: Subprotocol,
    /// What is spoken is asked for by its name: some servers know none, and speak but one thing.
    pub(super) is_named: bool,
    pub(super) offers_compression: bool,
}

impl Target {
    /// Reads a URL (RFC 6455, section 3), and where it connects to; `None` for one that is not of
    /// WebSocket.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    #[allow(
        clippy::type_complexity,
        reason = "a target, where it is, or what is wrong"
    )]
    pub(crate) fn parse(
        url: &str,
    ) -> Option<Result<(Self, Address), Box<dyn Error + Send + Sync>>> {
        let (scheme, rest) = url.trim().split_once("://")?;
        let mut schemes = SCHEMES.iter();
        let (_, spoken, is_secure) = schemes.find(|(it, ..)| it.eq_ignore_ascii_case(scheme))?;
        Some(WebUrl::read(rest, *is_secure).map(|(url, address)| {
            let target = Self {
                url,
                spoken: *spoken,
                is_named: *spoken == Subprotocol::Native,
                offers_compression: false,
            };
            (target, address)
        }))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut schemes = SCHEMES.iter();
        let found = schemes.find(|(_, spoken, is_secure)| {
            (*spoken, *is_secure) == (self.spoken, self.url.is_secure)
        });
        let scheme = found.map_or("ws", |(scheme, ..)| scheme);
        write!(f, "{scheme}://{}", self.url)
    }
}

/// Makes a byte stream of a WebSocket that it asks a server for.
///
/// # Errors
///
/// A server that refuses, or does not know how.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub(crate) async fn open(mut io: Io, target: &Target) -> Result<Io, Status> {
    let (received, _) = connect(&mut io, target).await?;
    Ok(ByteStream::open(io, Side::Client, received))
}

/// Makes lines of a WebSocket that it asks a server for.
///
/// # Errors
///
/// A server that refuses, or does not know how.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
#[cfg(feature = "jsonrpc")]
pub(crate) async fn open_lines(mut io: Io, target: &Target, config: &Config) -> Result<Io, Status> {
    let (received, agreed) = connect(&mut io, target).await?;
    Ok(Lines::open(io, Side::Client, agreed, config, received))
}

/// Asks a server to speak WebSocket, and returns what it sent behind its answer, and how messages are
/// compressed.
///
/// # Errors
///
/// A server that refuses, or does not know how.
///
/// # Cancel safety
///
/// Dropping the future closes the connection.
pub(super) async fn connect(
    io: &mut Io,
    target: &Target,
) -> Result<(BytesMut, Option<Agreed>), Status> {
    let broken = |error| Status::unavailable("the connection broke").with_source(error);
    let key = STANDARD.encode(random());
    io.write_all(request(target, &key).as_bytes())
        .await
        .map_err(broken)?;
    io.flush().await.map_err(broken)?;
    let mut received = BytesMut::with_capacity(1 << 10);
    loop {
        let read = io.read_buf(&mut received).await.map_err(broken)?;
        if read == 0 {
            let text = "the peer closed the connection before it answered the request \
                        for a WebSocket: is it a server that speaks HTTP?";
            return Err(Status::unavailable(text));
        }
        if let Some((answer, size)) = Answer::read(&received)? {
            received.advance(size);
            let agreed = answer.check(target, &key, &received)?;
            return Ok((received, agreed));
        }
        if received.len() >= MOST_HEAD {
            let text = format!("the head of the answer is longer than {MOST_HEAD} bytes");
            return Err(Status::unavailable(text));
        }
    }
}

/// 16 bytes that nobody can foretell: see [`MaskKeys`](super::mask::MaskKeys).
fn random() -> [u8; 16] {
    let state = RandomState::new();
    let number = u128::from(state.hash_one(1)) << 64 | u128::from(state.hash_one(2));
    number.to_ne_bytes()
}

fn request(target: &Target, key: &str) -> String {
    let WebUrl {
        authority, path, ..
    } = &target.url;
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: {VERSION}\r\n"
    );
    if target.is_named {
        let name = target.spoken.name();
        request.push_str(&format!("Sec-WebSocket-Protocol: {name}\r\n"));
    }
    if target.offers_compression {
        request.push_str(&format!("Sec-WebSocket-Extensions: {OFFER}\r\n"));
    }
    request.push_str("\r\n");
    request
}

/// The head of what a server answered.
struct Answer {
    status: u16,
    reason: String,
    headers: HeaderMap,
}

impl Answer {
    /// Reads the head, and says how long it is; `None` while it is not whole.
    fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, Status> {
        let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let foreign = |error| {
            let shown = bytes.get(..24).unwrap_or(bytes).escape_ascii();
            let text = format!("the peer does not speak HTTP: it began with `{shown}`");
            Status::unavailable(text).with_source(error)
        };
        let httparse::Status::Complete(size) = response.parse(bytes).map_err(foreign)? else {
            return Ok(None);
        };
        let mut answer = Self {
            status: response.code.unwrap_or_default(),
            reason: response.reason.unwrap_or_default().to_owned(),
            headers: HeaderMap::new(),
        };
        for header in response.headers {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(header.value)) {
                answer.headers.append(name, value);
            }
        }
        Ok(Some((answer, size)))
    }

    fn check(&self, target: &Target, key: &str, behind: &[u8]) -> Result<Option<Agreed>, Status> {
        if self.status != 101 {
            return Err(self.refusal(behind));
        }
        let headers = &self.headers;
        let is_upgrade = lists(headers, &UPGRADE, "websocket")
            && lists(headers, &CONNECTION, "upgrade")
            && headers
                .get(SEC_WEBSOCKET_ACCEPT)
                .is_some_and(|it| it.as_bytes() == answer_to(key.as_bytes()).as_bytes());
        if !is_upgrade {
            let text = "the answer of the server is not that of one that speaks WebSocket";
            return Err(Status::unavailable(text));
        }
        let wanted = target.is_named.then(|| target.spoken.name());
        let spoken: Vec<_> = list(headers, &SEC_WEBSOCKET_PROTOCOL).collect();
        if spoken != Vec::from_iter(wanted) {
            let wanted = wanted.unwrap_or("what has no name");
            return Err(Status::unavailable(format!(
                "the server does not speak `{wanted}` over WebSocket"
            )));
        }
        let mut extensions = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
        let Some(extension) = extensions.next() else {
            return Ok(None);
        };
        let agreed = extension.to_str().ok().and_then(Agreed::read);
        let is_offered = target.offers_compression && extensions.next().is_none();
        match agreed.filter(|_| is_offered) {
            Some(agreed) => Ok(Some(agreed)),
            None => Err(Status::unavailable(
                "the server uses an extension of WebSocket that it was not offered",
            )),
        }
    }

    fn refusal(&self, behind: &[u8]) -> Status {
        let mut text = format!("the server refused a WebSocket: {}", self.status);
        let shown = String::from_utf8_lossy(behind.get(..MOST_SHOWN).unwrap_or(behind));
        for part in [self.reason.trim(), shown.trim()] {
            if !part.is_empty() {
                text.push_str(": ");
                text.extend(part.chars().filter(|it| !it.is_control()));
            }
        }
        match self.status {
            401 => Status::unauthenticated(text),
            403 => Status::permission_denied(text),
            _ => Status::unavailable(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Code;

    fn target() -> Target {
        Target {
            url: WebUrl::read("localhost:1/a?b", false).unwrap().0,
            spoken: Subprotocol::Native,
            is_named: true,
            offers_compression: false,
        }
    }

    async fn answered(answer: &'static str) -> Result<BytesMut, Status> {
        let (ours, mut theirs) = tokio::io::duplex(64 << 10);
        let server = async move {
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                request.push(char::from(theirs.read_u8().await.unwrap()));
            }
            assert!(request.starts_with("GET /a?b HTTP/1.1\r\nHost: localhost:1\r\n"));
            let key = request.split("Sec-WebSocket-Key: ").nth(1).unwrap();
            let key = key.split("\r\n").next().unwrap();
            let answer = answer.replace("KEY", &answer_to(key.as_bytes()));
            theirs.write_all(answer.as_bytes()).await.unwrap();
        };
        let mut io = Io::new(ours);
        let target = target();
        let (received, _) = tokio::join!(connect(&mut io, &target), server).0?;
        Ok(received)
    }

    #[tokio::test]
    async fn a_server_that_agrees_is_heard_out() {
        let received = answered(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
             Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: rpc-native.1\r\n\r\nbytes",
        );
        assert_eq!(received.await.unwrap(), "bytes");
    }

    #[tokio::test]
    async fn a_server_that_does_not_is_told_of() {
        const HEAD: &str = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n";
        for (answer, code, part) in [
            (
                "HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno\u{7}!".to_owned(),
                Code::PermissionDenied,
                "refused a WebSocket: 403: Forbidden: no!",
            ),
            (
                "HTTP/1.1 401 \r\n\r\n".to_owned(),
                Code::Unauthenticated,
                "refused a WebSocket: 401",
            ),
            (
                "SSH-2.0-x\r\n".to_owned(),
                Code::Unavailable,
                "began with `SSH-2.0-x",
            ),
            (format!("{HEAD}\r\n"), Code::Unavailable, "not that of one"),
            (
                format!("{HEAD}Sec-WebSocket-Accept: AKEY\r\n\r\n"),
                Code::Unavailable,
                "not that of one",
            ),
            (
                format!("{HEAD}Sec-WebSocket-Accept: KEY\r\n\r\n"),
                Code::Unavailable,
                "does not speak `rpc-native.1`",
            ),
            (
                format!(
                    "{HEAD}Sec-WebSocket-Accept: KEY\r\nSec-WebSocket-Protocol: rpc-native.1\r\n\
                     Sec-WebSocket-Extensions: x\r\n\r\n"
                ),
                Code::Unavailable,
                "an extension",
            ),
            (
                "HTTP/1.1 101 x\r\n".to_owned(),
                Code::Unavailable,
                "closed the connection",
            ),
            (
                format!("HTTP/1.1 200 {}", "x".repeat(17 << 10)),
                Code::Unavailable,
                "longer than",
            ),
        ] {
            let status = answered(answer.clone().leak()).await.unwrap_err();
            assert_eq!(status.code(), code, "{answer}: {status}");
            assert!(status.to_string().contains(part), "{answer}: {status}");
        }
    }
}
