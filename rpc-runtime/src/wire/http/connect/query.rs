//! A request without a body: its message is in the URL
//! (<https://connectrpc.com/docs/protocol#unary-get-request>).

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use percent_encoding::{
    AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode,
};

use crate::status::Status;

/// Padding may be there or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What is escaped of text in a query: everything but what RFC 3986, section 2.3, leaves unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What a URL says of a call.
#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    /// The name of the encoding.
    pub(super) encoding: Cow<'a, str>,
    pub(super) compression: Cow<'a, str>,
    message: Option<Cow<'a, [u8]>>,
    is_base64: bool,
    version: Option<Cow<'a, str>>,
}

/// Says whether a URL may be that of a call.
pub(in crate::wire::http) fn is_call(query: Option<&str>) -> bool {
    let query = Query::of(query.unwrap_or_default());
    query.message.is_some() || query.version.is_some() || !query.encoding.is_empty()
}

/// Writes the query of a call whose encoding has this name. The same call is always the same text, as
/// caches compare nothing else.
pub(in crate::wire::http) fn format_query(
    encoding: &str,
    message: &[u8],
    is_compressed: bool,
) -> String {
    let encoding = percent_encode(encoding.as_bytes(), NON_ALPHANUMERIC);
    let mut query = format!("connect=v1&encoding={encoding}");
    if is_compressed {
        query.push_str("&compression=gzip");
    }
    match str::from_utf8(message) {
        Ok(text) if !text.contains(|it: char| it.is_ascii_control()) => {
            query.push_str("&message=");
            query.extend(utf8_percent_encode(text, ESCAPED));
        }
        _ => {
            query.push_str("&base64=1&message=");
            query.push_str(&BASE64.encode(message));
        }
    }
    query
}

impl<'a> Query<'a> {
    /// Reads the query of a URL; what is not Connect's is passed over.
    pub(super) fn of(text: &'a str) -> Self {
        let mut query = Self::default();
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let text = || percent_decode_str(value).decode_utf8_lossy();
            match name {
                "encoding" => query.encoding = text(),
                "compression" => query.compression = text(),
                "connect" => query.version = Some(text()),
                "base64" => query.is_base64 = value == "1",
                "message" => query.message = Some(decoded(value)),
                _ => {}
            }
        }
        query
    }

    /// Returns the message.
    ///
    /// # Errors
    ///
    /// A query that has none, or not of this version of the protocol.
    pub(super) fn message(&self) -> Result<Bytes, Status> {
        let refuse = |text| Err(Status::invalid_argument(text));
        if self.version.as_ref().is_some_and(|it| it != "v1") {
            return refuse("the query's `connect` is not v1");
        }
        let Some(message) = &self.message else {
            return refuse("the query has no `message`");
        };
        if !self.is_base64 {
            return Ok(Bytes::copy_from_slice(message));
        }
        match BASE64.decode(message) {
            Ok(bytes) => Ok(bytes.into()),
            Err(_) => refuse("the query's `message` is not Base64 in the alphabet of URLs"),
        }
    }
}

/// Decodes a value as forms have it, where a plus sign is a space.
fn decoded(value: &str) -> Cow<'_, [u8]> {
    if value.contains('+') {
        let spaced = value.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).collect());
    }
    percent_decode_str(value).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (message, is_compressed, text) in [
            (
                &b"{\"a\": \"\xC3\xA9+&=%\"}"[..],
                false,
                "connect=v1&encoding=json&message=%7B%22a%22%3A%20%22%C3%A9%2B%26%3D%25%22%7D",
            ),
            (b"", false, "connect=v1&encoding=json&message="),
            (
                b"\x08\x01",
                false,
                "connect=v1&encoding=json&base64=1&message=CAE",
            ),
            (
                b"\xFF\xEF",
                true,
                "connect=v1&encoding=json&compression=gzip&base64=1&message=_-8",
            ),
        ] {
            assert_eq!(format_query("json", message, is_compressed), text);
            let query = Query::of(text);
            assert_eq!(query.message().unwrap(), message);
            assert_eq!(
                (&*query.encoding, query.compression == "gzip"),
                ("json", is_compressed)
            );
        }
    }

    #[test]
    fn queries_have_messages() {
        for (text, message) in [
            ("message=%7B%22a%22:+1%7D&encoding=json", &b"{\"a\": 1}"[..]),
            ("connect=v1&base64=1&message=_-8", b"\xFF\xEF"),
            ("base64=1&message=_-8%3D&x=y&&z", b"\xFF\xEF"),
            ("message=", b""),
        ] {
            assert!(is_call(Some(text)));
            assert_eq!(Query::of(text).message().unwrap(), message, "{text}");
        }
        for text in ["encoding=json", "connect=v2&message=", "message=*&base64=1"] {
            assert!(is_call(Some(text)));
            assert!(Query::of(text).message().is_err(), "{text}");
        }
        for text in [None, Some(""), Some("page=2")] {
            assert!(!is_call(text));
        }
    }
}
