//! The opening handshake, as a server answers it: RFC 6455, section 4.2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};

use super::extension::Agreed;
use super::handshake::{Subprotocol, VERSION, answer_to, list, lists};
use super::{Settings, origin};

/// What is spoken inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Accepted {
    Native,
    /// JSON-RPC, and how it is compressed.
    JsonRpc(Option<Agreed>),
}

/// Why a request does not become a WebSocket.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) text: &'static str,
    pub(crate) headers: HeaderMap,
}

impl Refused {
    fn new(status: StatusCode, text: &'static str) -> Self {
        let headers = HeaderMap::new();
        Self {
            status,
            text,
            headers,
        }
    }

    /// What a request is told that is none for a WebSocket, where nothing else is served.
    pub(crate) fn upgrade_required() -> Self {
        let text = "only WebSocket is served here";
        let mut refused = Self::new(StatusCode::UPGRADE_REQUIRED, text);
        let websocket = HeaderValue::from_static("websocket");
        refused.headers.insert(UPGRADE, websocket);
        refused
            .headers
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        refused
    }
}

/// Says whether a request asks for a WebSocket.
pub(crate) fn is_upgrade<B>(request: &Request<B>) -> bool {
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && lists(request.headers(), &UPGRADE, "websocket")
        && lists(request.headers(), &CONNECTION, "upgrade")
}

/// Answers a request for which [`is_upgrade`] holds, with the headers of the answer. One that names
/// no subprotocol is for JSON-RPC, as its clients have no name for it.
///
/// # Errors
///
/// Why it is refused.
pub(crate) fn accept(
    headers: &HeaderMap,
    settings: &Settings,
    has_json_rpc: bool,
) -> Result<(Accepted, HeaderMap), Refused> {
    let bad_request = |text| Refused::new(StatusCode::BAD_REQUEST, text);
    if !headers.contains_key(HOST) {
        return Err(bad_request("the header `Host` is missing"));
    }
    if !lists(headers, &SEC_WEBSOCKET_VERSION, VERSION) {
        let text = "this version of WebSocket is not spoken here";
        let mut refused = Refused::new(StatusCode::UPGRADE_REQUIRED, text);
        let version = HeaderValue::from_static(VERSION);
        refused.headers.insert(SEC_WEBSOCKET_VERSION, version);
        return Err(refused);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|it| is_key(it));
    let key = key.ok_or_else(|| bad_request("`Sec-WebSocket-Key` is not 16 bytes in Base64"))?;
    if !origin::is_allowed(headers, settings) {
        let text = "pages of this origin may not connect (see `Server::websocket_origin`)";
        return Err(Refused::new(StatusCode::FORBIDDEN, text));
    }
    let mut names = list(headers, &SEC_WEBSOCKET_PROTOCOL).peekable();
    let is_named = names.peek().is_some();
    let subprotocol = names
        .filter_map(Subprotocol::of)
        .find(|it| *it == Subprotocol::Native || has_json_rpc);
    let accepted = match subprotocol {
        Some(Subprotocol::Native) => Accepted::Native,
        Some(Subprotocol::JsonRpc) => json_rpc(headers, settings),
        None if has_json_rpc && !is_named => json_rpc(headers, settings),
        _ => {
            let text = "`Sec-WebSocket-Protocol` names nothing that is spoken here";
            return Err(bad_request(text));
        }
    };
    Ok((accepted, answer(key, subprotocol, accepted)))
}

/// Makes the headers of an answer.
fn answer(key: &HeaderValue, subprotocol: Option<Subprotocol>, accepted: Accepted) -> HeaderMap {
    let mut answer = HeaderMap::new();
    let mut insert = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.insert(name, value);
        }
    };
    insert(UPGRADE, "websocket");
    insert(CONNECTION, "upgrade");
    insert(SEC_WEBSOCKET_ACCEPT, &answer_to(key.as_bytes()));
    if let Some(subprotocol) = subprotocol {
        insert(SEC_WEBSOCKET_PROTOCOL, subprotocol.name());
    }
    if let Accepted::JsonRpc(Some(agreed)) = accepted {
        insert(SEC_WEBSOCKET_EXTENSIONS, &agreed.answer());
    }
    answer
}

fn json_rpc(headers: &HeaderMap, settings: &Settings) -> Accepted {
    let agreed = settings.compresses.then(|| Agreed::choose(headers));
    Accepted::JsonRpc(agreed.flatten())
}

fn is_key(value: &HeaderValue) -> bool {
    let decoded = STANDARD.decode(value.as_bytes());
    decoded.is_ok_and(|it| it.len() == 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(changed: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::new(());
        for (name, value) in [
            ("host", "localhost:1"),
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", "other, rpc-native.1"),
        ]
        .iter()
        .chain(changed)
        {
            request.headers_mut().remove(*name);
            if !value.is_empty() {
                let value = HeaderValue::from_static(value);
                request.headers_mut().insert(*name, value);
            }
        }
        request
    }

    fn answer(changed: &[(&'static str, &'static str)]) -> Result<(Accepted, HeaderMap), Refused> {
        accept(request(changed).headers(), &Settings::default(), false)
    }

    #[test]
    fn a_whole_request_is_accepted() {
        let (accepted, headers) = answer(&[]).unwrap();
        assert_eq!(accepted, Accepted::Native);
        assert_eq!(
            headers["sec-websocket-accept"],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(headers["sec-websocket-protocol"], "rpc-native.1");
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (name, value, status, part) in [
            ("host", "", 400, "`Host`"),
            ("sec-websocket-version", "8", 426, "version"),
            ("sec-websocket-version", "", 426, "version"),
            ("sec-websocket-key", "", 400, "`Sec-WebSocket-Key`"),
            ("sec-websocket-key", "c2hvcnQ=", 400, "16 bytes"),
            (
                "sec-websocket-protocol",
                "",
                400,
                "`Sec-WebSocket-Protocol`",
            ),
            (
                "sec-websocket-protocol",
                "RPC-NATIVE.1",
                400,
                "nothing that is spoken",
            ),
            ("origin", "https://evil.example", 403, "websocket_origin"),
        ] {
            let refused = answer(&[(name, value)]).unwrap_err();
            assert_eq!(refused.status, status, "{name}: {value}");
            assert!(refused.text.contains(part), "{}", refused.text);
        }
    }

    #[test]
    fn json_rpc_needs_no_name_and_is_compressed_where_that_is_asked_for() {
        let settings = Settings {
            compresses: true,
            ..Settings::default()
        };
        let without = Settings::default();
        let answer = |name, settings| {
            let extension = ("sec-websocket-extensions", "permessage-deflate");
            let request = request(&[("sec-websocket-protocol", name), extension]);
            accept(request.headers(), settings, true)
        };
        for name in ["", "jsonrpc"] {
            let (accepted, headers) = answer(name, &settings).unwrap();
            assert!(
                matches!(accepted, Accepted::JsonRpc(Some(_))),
                "{accepted:?}"
            );
            let named = headers
                .get("sec-websocket-protocol")
                .map(HeaderValue::as_bytes);
            assert_eq!(named.unwrap_or_default(), name.as_bytes());
            assert!(headers.contains_key("sec-websocket-extensions"));
            let (accepted, headers) = answer(name, &without).unwrap();
            assert_eq!(accepted, Accepted::JsonRpc(None));
            assert!(!headers.contains_key("sec-websocket-extensions"));
        }
        let (accepted, headers) = answer("rpc-native.1", &settings).unwrap();
        assert_eq!(accepted, Accepted::Native);
        assert!(!headers.contains_key("sec-websocket-extensions"));
        assert!(answer("soap", &settings).is_err());
    }

    #[test]
    fn only_an_upgrade_is_one() {
        assert!(is_upgrade(&request(&[])));
        assert!(!is_upgrade(&request(&[("upgrade", "h2c")])));
        assert!(!is_upgrade(&request(&[("connection", "keep-alive")])));
        let mut post = request(&[]);
        *post.method_mut() = Method::POST;
        assert!(!is_upgrade(&post));
        let mut old = request(&[]);
        *old.version_mut() = Version::HTTP_10;
        assert!(!is_upgrade(&old));
    }
}
