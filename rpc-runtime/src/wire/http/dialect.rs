//! The protocols whose messages have envelopes, and the tables of what differs between them.

use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::connect;
use super::grpc::timeout;
use crate::status::Status;

/// A protocol whose messages have envelopes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    Grpc,
    /// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>
    GrpcWeb,
    /// The same in Base64, for browsers that read nothing else of a stream.
    GrpcWebText,
    /// What streams in Connect (<https://connectrpc.com/docs/protocol#streaming-rpcs>).
    Connect,
}

/// What the subtype of their content types begins with, longer names first.
pub(super) const SUBTYPES: [(&str, Dialect); 4] = [
    ("grpc-web-text", Dialect::GrpcWebText),
    ("grpc-web", Dialect::GrpcWeb),
    ("grpc", Dialect::Grpc),
    ("connect", Dialect::Connect),
];

/// The headers that say how messages are compressed.
pub(super) struct CompressionHeaders {
    /// Those of this direction.
    pub(super) used: HeaderName,
    /// Those that the other direction may have.
    pub(super) accepted: HeaderName,
}

const OF_GRPC: CompressionHeaders = CompressionHeaders {
    used: HeaderName::from_static("grpc-encoding"),
    accepted: HeaderName::from_static("grpc-accept-encoding"),
};

const OF_CONNECT: CompressionHeaders = CompressionHeaders {
    used: HeaderName::from_static("connect-content-encoding"),
    accepted: HeaderName::from_static("connect-accept-encoding"),
};

impl CompressionHeaders {
    /// Those of HTTP itself, for a body that is one message.
    pub(super) const OF_HTTP: Self = Self {
        used: CONTENT_ENCODING,
        accepted: ACCEPT_ENCODING,
    };
}

impl Dialect {
    /// Returns what the subtype of its content types begins with.
    pub(super) fn subtype(self) -> &'static str {
        let found = SUBTYPES.iter().find(|(_, it)| *it == self);
        found.map_or("", |(subtype, _)| subtype)
    }

    /// Returns its name, as errors have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "gRPC",
            Self::GrpcWeb | Self::GrpcWebText => "gRPC-Web",
            Self::Connect => "Connect",
        }
    }

    /// Returns the headers that say how messages are compressed.
    pub(super) fn compression_headers(self) -> CompressionHeaders {
        match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => OF_GRPC,
            Self::Connect => OF_CONNECT,
        }
    }

    /// Returns the flag of the envelope that is the end of an answer; `None` where HTTP trailers
    /// are the end.
    pub(super) fn end_flag(self) -> Option<u8> {
        match self {
            Self::Grpc => None,
            Self::GrpcWeb | Self::GrpcWebText => Some(0x80),
            Self::Connect => Some(0x02),
        }
    }

    /// Says whether a reader may find bytes behind the last message of an answer that is cut off:
    /// then only breaking the stream tells them.
    pub(super) fn ends_in_body(self) -> bool {
        self.end_flag().is_some()
    }

    /// Reads how long a call may take.
    ///
    /// # Errors
    ///
    /// A header that is no time.
    pub(super) fn timeout(self, headers: &HeaderMap) -> Result<Option<Duration>, Status> {
        match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => timeout::of(headers),
            Self::Connect => connect::timeout(headers),
        }
    }

    /// Says how long a call may take.
    pub(super) fn put_timeout(self, headers: &mut HeaderMap, timeout: Duration) {
        let (name, value) = match self {
            Self::Grpc | Self::GrpcWeb | Self::GrpcWebText => {
                (timeout::NAME, timeout::format(timeout))
            }
            Self::Connect => (connect::TIMEOUT, connect::format_timeout(timeout)),
        };
        headers.extend(HeaderValue::try_from(value).map(|it| (name, it)));
    }
}
