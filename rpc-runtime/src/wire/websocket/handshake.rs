//! What both sides of the opening handshake know: RFC 6455, section 1.3 and 4.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::HeaderName;
use sha1::{Digest, Sha1};

/// The version that this is, and the only one there ever was (section 4.1).
pub(super) const VERSION: &str = "13";

/// What is spoken inside, as `Sec-WebSocket-Protocol` names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subprotocol {
    /// The bytes of the native wire, in binary messages whose bounds mean nothing.
    Native,
    /// A text of JSON-RPC in each message.
    JsonRpc,
}

impl Subprotocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native => "rpc-native.1",
            Self::JsonRpc => "jsonrpc",
        }
    }

    pub(super) fn of(name: &str) -> Option<Self> {
        let all = [Self::Native, Self::JsonRpc];
        all.into_iter().find(|it| it.name() == name)
    }
}

/// Answers the key of a client, which shows that the server knows WebSocket (section 4.2.2).
pub(super) fn answer_to(key: &[u8]) -> String {
    const SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    STANDARD.encode(
        Sha1::new()
            .chain_update(key)
            .chain_update(SUFFIX)
            .finalize(),
    )
}

/// The parts of a header that is a list, whether it came in one line or in several.
pub(super) fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter();
    let texts = lines.filter_map(|it| it.to_str().ok());
    texts.flat_map(|it| it.split(',')).map(str::trim)
}

/// Says whether a list names something, in either case.
pub(super) fn lists(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    list(headers, name).any(|it| it.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_specification_has_its_answer() {
        assert_eq!(
            answer_to(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }
}
