//! A method's own error inside a status, as a `google.rpc.Status` in `grpc-status-details-bin`
//! (<https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto>).
//!
//! ```text
//! message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
//! message Any    { string type_url = 1; bytes value = 2; }
//! ```
//!
//! The error is one of the details; its type URL is [`TYPE`] and the name of its encoding. Peers
//! that do not know it see the code and the text. Details of others stay in the status's metadata.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderName, HeaderValue};

use crate::call::{ErrorBody, Message};
use crate::codec::{DecodeLimits, Encoding};
use crate::status::Status;
use crate::wire::http::content_type;
use crate::wire::http::metadata::{decode_base64, encode_base64};

/// The trailer.
pub(in crate::wire::http) const NAME: HeaderName =
    HeaderName::from_static("grpc-status-details-bin");

/// What the type URL of an error begins with.
pub(in crate::wire::http) const TYPE: &str = "type.rpc-runtime/rpc.runtime.Error+";

/// Fields of `google.rpc.Status`.
const CODE: u64 = 1;
const MESSAGE: u64 = 2;
const DETAILS: u64 = 3;

/// Fields of `google.protobuf.Any`.
const TYPE_URL: u64 = 1;
const VALUE: u64 = 2;

/// Wire types of Protobuf (<https://protobuf.dev/programming-guides/encoding/#structure>).
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH: u64 = 2;
const FIXED32: u64 = 5;

/// One detail.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::wire::http) struct Detail {
    /// The URL of its type; what is behind the last slash is its name.
    pub(in crate::wire::http) type_url: String,
    pub(in crate::wire::http) value: Bytes,
}

/// Returns the details of a status: those of another server that are in its metadata, else the
/// method's own error.
pub(in crate::wire::http) fn of(status: &Status, encoding: Encoding) -> Vec<Detail> {
    match status.metadata().get(NAME) {
        Some(value) => parse(value),
        None => of_error(status, encoding).into_iter().collect(),
    }
}

/// Returns a method's own error, if a status holds one.
fn of_error(status: &Status, encoding: Encoding) -> Option<Detail> {
    let error = status.attachment()?.downcast_ref::<ErrorBody>()?;
    match error.bytes(encoding)? {
        Ok(value) => Some(Detail {
            type_url: format!("{TYPE}{}", content_type::subtype(encoding)),
            value,
        }),
        Err(error) => {
            tracing::warn!(%error, "a method's own error cannot be encoded");
            None
        }
    }
}

/// Writes the details of a status that holds a method's own error.
pub(super) fn encode(status: &Status, encoding: Encoding) -> Option<HeaderValue> {
    format(status, &[of_error(status, encoding)?])
}

/// Writes details.
pub(in crate::wire::http) fn format(status: &Status, details: &[Detail]) -> Option<HeaderValue> {
    let mut out = BytesMut::new();
    put_varint(&mut out, CODE << 3 | VARINT);
    put_varint(&mut out, status.code().number().into());
    put_bytes(&mut out, MESSAGE, status.message().as_bytes());
    for detail in details {
        let mut any = BytesMut::new();
        put_bytes(&mut any, TYPE_URL, detail.type_url.as_bytes());
        put_bytes(&mut any, VALUE, &detail.value);
        put_bytes(&mut out, DETAILS, &any);
    }
    HeaderValue::from_str(&encode_base64(&out)).ok()
}

/// Reads details, as far as they can be read.
fn parse(value: &HeaderValue) -> Vec<Detail> {
    let status = decode_base64(value.as_bytes()).unwrap_or_default();
    let details = fields(status.into()).filter(|(field, _)| *field == DETAILS);
    details
        .map(|(_, any)| {
            let mut detail = Detail {
                type_url: String::new(),
                value: Bytes::new(),
            };
            for (field, value) in fields(any) {
                match field {
                    TYPE_URL => detail.type_url = String::from_utf8_lossy(&value).into_owned(),
                    VALUE => detail.value = value,
                    _ => {}
                }
            }
            detail
        })
        .collect()
}

/// Returns the method's own error, if the details have one that can be read here.
pub(super) fn decode(value: &HeaderValue, limits: DecodeLimits) -> Option<Arc<ErrorBody>> {
    error_in(&parse(value), limits)
}

/// Returns the method's own error, if it is one of the details and can be read here.
pub(in crate::wire::http) fn error_in(
    details: &[Detail],
    limits: DecodeLimits,
) -> Option<Arc<ErrorBody>> {
    details.iter().find_map(|detail| {
        let name = detail.type_url.strip_prefix(TYPE)?;
        let encoding = content_type::encoding(name)?;
        let message = Message::with_limits(detail.value.clone(), encoding, limits);
        Some(Arc::new(ErrorBody::new(message)))
    })
}

fn put_varint(out: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        out.extend_from_slice(&[number.to_le_bytes()[0] | 0x80]);
        number >>= 7;
    }
    out.extend_from_slice(&[number.to_le_bytes()[0]]);
}

fn put_bytes(out: &mut BytesMut, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | LENGTH);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn take_varint(bytes: &mut Bytes) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().ok()?;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Returns the fields that are bytes, up to the end or the first mistake.
fn fields(mut message: Bytes) -> impl Iterator<Item = (u64, Bytes)> {
    let mut next = move || {
        let tag = take_varint(&mut message)?;
        let length = match tag & 7 {
            VARINT => {
                take_varint(&mut message)?;
                0
            }
            FIXED64 => 8,
            FIXED32 => 4,
            LENGTH => usize::try_from(take_varint(&mut message)?).ok()?,
            _ => return None,
        };
        let value = (length <= message.len()).then(|| message.split_to(length))?;
        Some((tag & 7 == LENGTH).then_some((tag >> 3, value)))
    };
    std::iter::from_fn(move || {
        loop {
            if let Some(field) = next()? {
                return Some(field);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::ValueMessage;
    use crate::codec::Serde;

    fn details() -> HeaderValue {
        let error = ValueMessage::<Serde, String>::wrap("no such book".to_owned());
        let status = Status::not_found("text").with_attachment(Arc::new(ErrorBody::new(error)));
        encode(&status, Encoding::JSON).expect("it has an error")
    }

    #[test]
    fn an_error_survives() {
        let error = decode(&details(), DecodeLimits::default()).expect("it is there");
        let message = error.take().expect("it was not taken yet");
        assert_eq!(
            ValueMessage::<Serde, String>::unwrap(message).unwrap(),
            "no such book"
        );
    }

    #[test]
    fn the_bytes_are_those_of_a_google_rpc_status() {
        let bytes = decode_base64(details().as_bytes()).unwrap();
        assert!(bytes.starts_with(b"\x08\x05\x12\x04text\x1A"));
        let found: Vec<_> = fields(Bytes::from(bytes)).map(|(field, _)| field).collect();
        assert_eq!(found, [MESSAGE, DETAILS]);
    }

    #[test]
    fn broken_details_are_no_error_and_no_panic() {
        let whole = decode_base64(details().as_bytes()).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        for length in 0..=whole.len() {
            let value = HeaderValue::from_str(&encode_base64(&whole[..length])).unwrap();
            assert_eq!(
                decode(&value, DecodeLimits::default()).is_some(),
                length == whole.len()
            );
            let mut changed = whole.clone();
            changed[length.min(whole.len() - 1)] ^= 1 << random.u8(..8);
            let value = HeaderValue::from_str(&encode_base64(&changed)).unwrap();
            let _ = decode(&value, DecodeLimits::default());
        }
        assert!(decode(&HeaderValue::from_static("*"), DecodeLimits::default()).is_none());
    }
}
