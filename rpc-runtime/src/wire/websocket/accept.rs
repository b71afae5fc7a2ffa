//! The opening handshake, as a server answers it: RFC 6455, section 4.2.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version};

use super::handshake::{Subprotocol, VERSION, answer_to, list, lists};
use super::{Settings, origin};

/// What was agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Accepted {
    pub(crate) subprotocol: Subprotocol,
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

/// Answers a request for which [`is_upgrade`] holds, with the headers of the answer.
///
/// # Errors
///
/// Why it is refused.
pub(crate) fn accept(
    headers: &HeaderMap,
    settings: &Settings,
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
    let subprotocol = list(headers, &SEC_WEBSOCKET_PROTOCOL).find_map(Subprotocol::of);
    let subprotocol = subprotocol.ok_or_else(|| {
        bad_request("no name in `Sec-WebSocket-Protocol` is one of what is spoken here")
    })?;
    let mut answer = HeaderMap::new();
    let mut insert = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            answer.insert(name, value);
        }
    };
    insert(UPGRADE, "websocket");
    insert(CONNECTION, "upgrade");
    insert(SEC_WEBSOCKET_ACCEPT, &answer_to(key.as_bytes()));
    insert(SEC_WEBSOCKET_PROTOCOL, subprotocol.name());
    Ok((Accepted { subprotocol }, answer))
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
        accept(request(changed).headers(), &Settings::default())
    }

    #[test]
    fn a_whole_request_is_accepted() {
        let subprotocol = Subprotocol::Native;
        let (accepted, headers) = answer(&[]).unwrap();
        assert_eq!(accepted, Accepted { subprotocol });
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
                "one of what is spoken",
            ),
            ("origin", "https://evil.example", 403, "websocket_origin"),
        ] {
            let refused = answer(&[(name, value)]).unwrap_err();
            assert_eq!(refused.status, status, "{name}: {value}");
            assert!(refused.text.contains(part), "{}", refused.text);
        }
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
