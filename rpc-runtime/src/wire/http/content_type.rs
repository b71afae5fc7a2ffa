//! What the content type of a request says: which protocol, and how messages are encoded.

use http::HeaderValue;

use super::dialect::{Dialect, SUBTYPES};
use crate::codec::Encoding;
use crate::status::Status;

/// The protocol of a request, by its content type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protocol<'a> {
    /// `application/grpc`, `application/grpc+json`, `application/connect+json`: the name of the
    /// encoding, if there is one.
    Enveloped(Dialect, Option<&'a str>),
    /// `application/json` and the like: a unary call of Connect, with the name of the encoding.
    ConnectUnary(&'a str),
}

/// The subtype that means Protobuf, which `application/grpc` alone means as well.
pub(super) const PROTO: &str = "proto";

/// The names that the encoding of Protobuf can have, first that of content types.
const PROTOBUF_NAMES: [&str; 2] = [PROTO, "protobuf"];

impl<'a> Protocol<'a> {
    /// Reads a content type; `None` for one that no protocol here has.
    ///
    /// Names are compared without case (RFC 9110, section 8.3.1), parameters are passed over.
    pub(super) fn of(content_type: &'a HeaderValue) -> Option<Self> {
        let text = content_type.to_str().ok()?;
        let essence = text.split(';').next().unwrap_or_default().trim();
        let (kind, subtype) = essence.split_once('/')?;
        if !kind.eq_ignore_ascii_case("application") {
            return None;
        }
        for (prefix, dialect) in SUBTYPES {
            match strip_prefix_without_case(subtype, prefix) {
                Some("") if dialect != Dialect::Connect => {
                    return Some(Self::Enveloped(dialect, None));
                }
                Some(rest) if rest.len() > 1 && rest.starts_with('+') => {
                    return Some(Self::Enveloped(dialect, rest.get(1..)));
                }
                _ => {}
            }
        }
        encoding(subtype).map(|_| Self::ConnectUnary(subtype))
    }
}

fn strip_prefix_without_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Returns the encoding that a subtype names, if this build has it.
pub(super) fn encoding(subtype: &str) -> Option<Encoding> {
    let name = subtype.to_ascii_lowercase();
    if PROTOBUF_NAMES.contains(&&*name) {
        return PROTOBUF_NAMES.into_iter().find_map(Encoding::from_name);
    }
    Encoding::from_name(&name)
}

/// Returns the content type of one message by itself.
///
/// # Errors
///
/// An encoding that was registered under a name that no header can have.
pub(super) fn of(encoding: Encoding) -> Result<HeaderValue, Status> {
    named("application/", encoding)
}

/// Returns the content type of messages in envelopes.
///
/// # Errors
///
/// An encoding that was registered under a name that no header can have.
pub(super) fn of_envelopes(dialect: Dialect, encoding: Encoding) -> Result<HeaderValue, Status> {
    named(&format!("application/{}+", dialect.subtype()), encoding)
}

fn named(prefix: &str, encoding: Encoding) -> Result<HeaderValue, Status> {
    HeaderValue::try_from(format!("{prefix}{}", subtype(encoding)))
        .map_err(|error| Status::internal("the encoding has no name").with_source(error))
}

/// Returns the subtype that names an encoding.
pub(super) fn subtype(encoding: Encoding) -> &'static str {
    let name = encoding.name();
    if PROTOBUF_NAMES.contains(&name) {
        PROTO
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_name_protocol_and_encoding() {
        for (text, expected) in [
            (
                "application/grpc",
                Some(Protocol::Enveloped(Dialect::Grpc, None)),
            ),
            (
                "application/grpc+json",
                Some(Protocol::Enveloped(Dialect::Grpc, Some("json"))),
            ),
            (
                "Application/GRPC+json; charset=utf-8",
                Some(Protocol::Enveloped(Dialect::Grpc, Some("json"))),
            ),
            (
                "application/grpc;x=y",
                Some(Protocol::Enveloped(Dialect::Grpc, None)),
            ),
            (
                "application/json; charset=utf-8",
                Some(Protocol::ConnectUnary("json")),
            ),
            (
                "application/msgpack",
                Some(Protocol::ConnectUnary("msgpack")),
            ),
            (
                "application/grpc-web",
                Some(Protocol::Enveloped(Dialect::GrpcWeb, None)),
            ),
            (
                "application/grpc-web-text+proto",
                Some(Protocol::Enveloped(Dialect::GrpcWebText, Some("proto"))),
            ),
            (
                "application/connect+json",
                Some(Protocol::Enveloped(Dialect::Connect, Some("json"))),
            ),
            ("application/connect", None),
            ("application/grpc-web-", None),
            ("application/grpc+", None),
            ("application/grpcjson", None),
            ("text/plain", None),
            ("application/xml", None),
            ("", None),
        ] {
            let value = HeaderValue::from_static(text);
            assert_eq!(Protocol::of(&value), expected, "{text}");
        }
    }

    #[test]
    fn encodings_are_found_by_their_subtype() {
        assert_eq!(encoding("JSON"), Some(Encoding::JSON));
        assert_eq!(encoding("msgpack"), Some(Encoding::MESSAGE_PACK));
        assert_eq!(encoding("nothing"), None);
        assert_eq!(subtype(Encoding::JSON), "json");
    }
}
