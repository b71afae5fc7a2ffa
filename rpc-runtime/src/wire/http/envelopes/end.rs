//! What ends an answer: one set of trailers, and the ways to carry it.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::encoder::envelope;
use super::text;
use crate::codec::Encoding;
use crate::status::Status;
use crate::wire::http::connect;
use crate::wire::http::dialect::Dialect;
use crate::wire::http::grpc::status;
use crate::wire::http::metadata;
use crate::wire::http::reply_body::Part;

/// How ends are written for one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) dialect: Dialect,
    pub(super) encoding: Encoding,
    /// The most bytes of metadata.
    pub(super) limit: usize,
}

impl End {
    /// Makes the last part of an answer.
    pub(super) fn part(self, end: Result<HeaderMap, Status>) -> Part {
        let end = self.written(end);
        let bytes = match self.dialect {
            Dialect::Grpc => return Part::Trailers(self.trailers(end)),
            Dialect::GrpcWeb | Dialect::GrpcWebText => as_text(&self.trailers(end)),
            Dialect::Connect => connect::end_of_stream(end, self.encoding, self.limit),
        };
        let bytes = envelope(self.dialect.end_flag().unwrap_or_default(), &bytes);
        Part::Data(self.encoded(bytes))
    }

    /// Makes the trailers of gRPC.
    pub(super) fn trailers_behind(self, end: Result<HeaderMap, Status>) -> HeaderMap {
        self.trailers(self.written(end))
    }

    /// Makes metadata what is sent of it.
    fn written(self, end: Result<HeaderMap, Status>) -> Result<HeaderMap, Status> {
        let metadata = end?;
        let mut trailers = HeaderMap::new();
        metadata::put_headers(&mut trailers, &metadata, self.limit)?;
        Ok(trailers)
    }

    /// Makes bytes of the body what is sent of them.
    pub(super) fn encoded(self, bytes: Bytes) -> Bytes {
        match self.dialect {
            Dialect::GrpcWebText => text::encode(&bytes),
            _ => bytes,
        }
    }

    fn trailers(self, end: Result<HeaderMap, Status>) -> HeaderMap {
        match end {
            Ok(mut trailers) => {
                status::put_ok(&mut trailers);
                trailers
            }
            Err(failure) => {
                let mut trailers = HeaderMap::new();
                self.put_failure(&mut trailers, &failure);
                trailers
            }
        }
    }

    /// Adds a failure with its metadata, as far as that fits.
    pub(super) fn put_failure(self, trailers: &mut HeaderMap, failure: &Status) {
        let mut metadata = HeaderMap::new();
        match metadata::put_headers(&mut metadata, failure.metadata(), self.limit) {
            Ok(()) => trailers.extend(metadata),
            Err(error) => tracing::warn!(%error, "the metadata of a failure cannot be sent"),
        }
        status::put(trailers, failure, self.encoding, self.limit);
    }
}

/// Writes trailers as gRPC-Web has them: the lines of an HTTP/1.1 head, without the empty one
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>, "Message framing").
fn as_text(trailers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in trailers {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}

/// Reads such lines; `None` for what is none.
pub(in crate::wire::http) fn trailers_of_text(text: &[u8]) -> Option<HeaderMap> {
    let mut trailers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        let name = http::HeaderName::from_bytes(name).ok()?;
        let value = HeaderValue::from_bytes(value.get(1..)?.trim_ascii()).ok()?;
        trailers.try_append(name, value).ok()?;
    }
    Some(trailers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailers_survive_as_text() {
        let mut trailers = HeaderMap::new();
        trailers.append("grpc-status", HeaderValue::from_static("5"));
        trailers.append("a", HeaderValue::from_static("1: 2"));
        trailers.append("a", HeaderValue::from_static("3"));
        let text = as_text(&trailers);
        assert_eq!(text, b"grpc-status: 5\r\na: 1: 2\r\na: 3\r\n");
        assert_eq!(trailers_of_text(&text).unwrap(), trailers);
        assert_eq!(
            trailers_of_text(b"Grpc-Status:0").unwrap()["grpc-status"],
            "0"
        );
        for wrong in [b"no colon".as_slice(), b"a b: c", b"a: \0"] {
            assert!(trailers_of_text(wrong).is_none());
        }
    }
}
