//! How connections begin that speak HTTP.

use crate::wire::detect::Detect;

/// What every HTTP/2 connection begins with (RFC 9113, section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The methods that an HTTP/1.1 request can begin with (RFC 9110, section 9, and RFC 5789).
const METHODS: [&[u8]; 9] = [
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
];

/// Returns whether a connection that begins with these bytes speaks HTTP.
pub(crate) fn detect(bytes: &[u8]) -> Detect {
    let mut found = Detect::No;
    for beginning in std::iter::once(HTTP2).chain(METHODS) {
        match Detect::prefix(bytes, beginning) {
            Detect::Yes => return Detect::Yes,
            Detect::NeedMore => found = Detect::NeedMore,
            Detect::No => {}
        }
    }
    found
}

/// Returns which version a connection speaks whose beginning [`detect`] accepted.
pub(super) fn is_http2(bytes: &[u8]) -> bool {
    bytes.starts_with(HTTP2)
}
