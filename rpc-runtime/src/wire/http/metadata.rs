//! Metadata and HTTP headers.
//!
//! Entries are headers of the same name, but for those that HTTP and the protocols keep for
//! themselves. A name that ends in `-bin` has any bytes as its value
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>, "Custom-Metadata"): in
//! metadata, as on the wire, these are Base64 in the standard alphabet. What comes is read with
//! padding or without and several values may be joined by commas; what is handed on, and sent, is
//! one value an entry, without padding.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::COOKIE;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::call::METADATA_ENTRIES;
use crate::status::Status;

/// What the names of binary entries end in.
const BINARY: &str = "-bin";

/// What the names of gRPC's own headers begin with; those of binary ones are for everybody.
const RESERVED_PREFIX: &str = "grpc-";

/// Headers that belong to HTTP, to one connection or to a protocol, and are no metadata (RFC 9113,
/// section 8.2.2, and RFC 9110). Sorted.
const RESERVED: [&str; 21] = [
    "accept-encoding",
    "connect-accept-encoding",
    "connect-content-encoding",
    "connect-protocol-version",
    "connect-timeout-ms",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "rpc-head",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Writes without padding, and reads with and without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn encode_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Writes it as what must be able to stand before more of it.
pub(super) fn encode_padded_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub(super) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    let is_grpcs = name.starts_with(RESERVED_PREFIX) && !name.ends_with(BINARY);
    is_grpcs || RESERVED.binary_search(&name).is_ok()
}

/// Takes metadata out of headers that came.
///
/// # Errors
///
/// More than `limit` bytes of names and values, more than [`METADATA_ENTRIES`], and binary entries that are
/// not Base64.
pub(super) fn from_headers(headers: &HeaderMap, limit: usize) -> Result<HeaderMap, Status> {
    let mut metadata = HeaderMap::new();
    let mut length = 0;
    for (name, value) in headers {
        if is_reserved(name) {
            continue;
        }
        add_length(&mut length, name, value, limit)?;
        if name == COOKIE {
            if !metadata.contains_key(COOKIE) {
                check_count(&metadata)?;
                append(&mut metadata, name, cookies(headers, value)?)?;
            }
        } else if name.as_str().ends_with(BINARY) {
            for part in value.as_bytes().split(|byte| *byte == b',') {
                check_count(&metadata)?;
                append(&mut metadata, name, normalized(name, part)?)?;
            }
        } else {
            check_count(&metadata)?;
            append(&mut metadata, name, value.clone())?;
        }
    }
    Ok(metadata)
}

/// Joins what HTTP/2 lets a browser cut into several entries (RFC 9113, section 8.2.3); `first` is that of them.
fn cookies(headers: &HeaderMap, first: &HeaderValue) -> Result<HeaderValue, Status> {
    let all: Vec<_> = headers.get_all(COOKIE).iter().collect();
    if all.len() == 1 {
        return Ok(first.clone());
    }
    let joined = all.into_iter().map(HeaderValue::as_bytes);
    let joined = joined.collect::<Vec<_>>().join(&b"; "[..]);
    HeaderValue::from_bytes(&joined)
        .map_err(|error| Status::internal("the cookies cannot be joined").with_source(error))
}

/// Adds metadata to headers that go out.
///
/// # Errors
///
/// More than `limit` bytes of names and values, and binary entries that are not Base64.
pub(super) fn put_headers(
    headers: &mut HeaderMap,
    metadata: &HeaderMap,
    limit: usize,
) -> Result<(), Status> {
    let mut length = 0;
    for (name, value) in metadata {
        if is_reserved(name) {
            continue;
        }
        add_length(&mut length, name, value, limit)?;
        if name.as_str().ends_with(BINARY) {
            append(headers, name, normalized(name, value.as_bytes())?)?;
        } else {
            append(headers, name, value.clone())?;
        }
    }
    Ok(())
}

fn add_length(
    length: &mut usize,
    name: &HeaderName,
    value: &HeaderValue,
    limit: usize,
) -> Result<(), Status> {
    *length += name.as_str().len() + value.len();
    if *length <= limit {
        return Ok(());
    }
    Err(Status::resource_exhausted(format!(
        "the metadata is over the limit `max_metadata` of {limit} bytes"
    )))
}

/// Fails if there is no place for one more: commas in one binary value would make thousands.
fn check_count(metadata: &HeaderMap) -> Result<(), Status> {
    if metadata.len() < METADATA_ENTRIES {
        return Ok(());
    }
    Err(Status::resource_exhausted(format!(
        "the metadata is over the limit `max_metadata` of {METADATA_ENTRIES} entries"
    )))
}

fn append(map: &mut HeaderMap, name: &HeaderName, value: HeaderValue) -> Result<(), Status> {
    let added = map.try_append(name, value);
    added.map_err(|_| Status::resource_exhausted("there is too much metadata"))?;
    Ok(())
}

/// Returns a binary value as it is written here.
fn normalized(name: &HeaderName, value: &[u8]) -> Result<HeaderValue, Status> {
    let bytes = decode_base64(value.trim_ascii());
    let text = bytes.map(|it| BASE64.encode(it));
    let value = text.and_then(|it| HeaderValue::from_str(&it).ok());
    value.ok_or_else(|| {
        Status::invalid_argument(format!(
            "the value of metadata `{name}` is not Base64, as that of every name ending in `-bin`"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(entries: &[(&'static str, &'static str)]) -> HeaderMap {
        entries
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_static(value);
                (HeaderName::from_static(name), value)
            })
            .collect()
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn only_metadata_is_handed_on() {
        let came = headers(&[
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", "1S"),
            ("grpc-encoding", "gzip"),
            ("grpc-trace-bin", "AAA="),
            ("authorization", "Bearer x"),
            ("tenant", "7"),
        ]);
        let metadata = from_headers(&came, 1024).unwrap();
        let mut names: Vec<_> = metadata.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization", "grpc-trace-bin", "tenant"]);
    }

    #[test]
    fn cookies_that_came_in_parts_are_one_entry() {
        let mut came = headers(&[("cookie", "a=1"), ("name", "x")]);
        assert_eq!(from_headers(&came, 1024).unwrap()["cookie"], "a=1");
        came.append("cookie", HeaderValue::from_static("b=2; c=3"));
        came.append("cookie", HeaderValue::from_static("d=4"));
        let metadata = from_headers(&came, 1024).unwrap();
        let cookies: Vec<_> = metadata.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3; d=4"]);
        assert_eq!(metadata["name"], "x");
        // All of them count.
        assert!(from_headers(&came, 30).is_err());
    }

    #[test]
    fn binary_values_are_read_in_every_form() {
        let mut came = headers(&[("x-bin", "AAECAw==,AAECAw, /+8= ,")]);
        came.append("x-bin", HeaderValue::from_static("AA"));
        let metadata = from_headers(&came, 1024).unwrap();
        let values: Vec<_> = metadata.get_all("x-bin").iter().collect();
        assert_eq!(values, ["AAECAw", "AAECAw", "/+8", "", "AA"]);
        let mut out = HeaderMap::new();
        put_headers(&mut out, &metadata, 1024).unwrap();
        assert_eq!(out, metadata);
    }

    #[test]
    fn too_many_entries_are_refused_however_they_are_written() {
        let refused = |came: &HeaderMap| {
            let error = from_headers(came, usize::MAX).unwrap_err();
            assert!(error.message().contains("of 128 entries"), "{error}");
        };
        let commas = |count| {
            let value = HeaderValue::from_str(&",".repeat(count)).unwrap();
            [(HeaderName::from_static("x-bin"), value)]
        };
        let mut came = HeaderMap::from_iter(commas(127));
        assert_eq!(from_headers(&came, 1024).unwrap().len(), 128);
        came.append("name", HeaderValue::from_static(""));
        refused(&came);
        refused(&HeaderMap::from_iter(commas(128)));
        refused(&HeaderMap::from_iter(commas(16_000)));
    }

    #[test]
    fn binary_values_that_are_none_are_refused_by_name() {
        for value in ["*", "A", "AA=A", "A-_A"] {
            let error = from_headers(&headers(&[("x-bin", value)]), 1024).unwrap_err();
            assert!(error.message().contains("`x-bin` is not Base64"), "{error}");
        }
    }

    #[test]
    fn too_much_metadata_is_refused_by_the_name_of_the_limit() {
        let came = headers(&[("name", "0123456789")]);
        assert!(from_headers(&came, 14).is_ok());
        let error = from_headers(&came, 13).unwrap_err();
        assert!(error.message().contains("`max_metadata` of 13"), "{error}");
        assert!(put_headers(&mut HeaderMap::new(), &came, 13).is_err());
    }
}
