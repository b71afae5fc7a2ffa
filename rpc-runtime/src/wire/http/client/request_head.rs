//! The head of a request: what is called, and how.

use http::header::{CONTENT_ENCODING, CONTENT_TYPE, TE, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::connection::Link;
use crate::call::{EXPECTED_KIND, MethodKind, Request};
use crate::codec::Encoding;
use crate::status::Status;
use crate::wire::http::compression::Compression;
use crate::wire::http::dialect::{CompressionHeaders, Dialect};
use crate::wire::http::envelopes::HEAD;
use crate::wire::http::grpc::status;
use crate::wire::http::{connect, content_type, metadata};

/// Who calls.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("grpc-rust-rpc-runtime/", env!("CARGO_PKG_VERSION")));
const CONNECT_AGENT: HeaderValue = HeaderValue::from_static(concat!(
    "connect-rust-rpc-runtime/",
    env!("CARGO_PKG_VERSION")
));

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// How the messages of a call are sent, both ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    Envelopes,
    /// The one message of each direction is the body: what does not stream, in Connect.
    Whole,
}

impl Form {
    pub(super) fn of(dialect: Dialect, request: &Request) -> Self {
        if dialect != Dialect::Connect {
            return Self::Envelopes;
        }
        let is_unary = match request.method().descriptor() {
            Some(descriptor) => descriptor.kind() == MethodKind::Unary,
            // Of a call by name the caller says what it expects.
            None => match request.metadata().get(EXPECTED_KIND) {
                Some(kind) => *kind == *MethodKind::Unary.name(),
                None => !request.body().is_stream(),
            },
        };
        if is_unary {
            Self::Whole
        } else {
            Self::Envelopes
        }
    }
}

/// What is said in a head beside what the request has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) form: Form,
    pub(super) encoding: Encoding,
    /// That of envelopes; a message that is the whole body says for itself.
    pub(super) compression: Compression,
    /// The first message is the arguments beside a stream.
    pub(super) has_args: bool,
}

impl Head {
    /// Writes the head of a request.
    ///
    /// # Errors
    ///
    /// A method or metadata that cannot be sent.
    pub(super) fn write(self, link: &Link, request: &Request) -> Result<http::Request<()>, Status> {
        let path = format!("/{}", request.method().path());
        let uri = Uri::builder()
            .scheme(link.server.scheme())
            .authority(link.server.authority.clone())
            .path_and_query(path)
            .build();
        let uri = uri.map_err(|error| {
            Status::invalid_argument("the method's path cannot be sent over HTTP")
                .with_source(error)
        })?;
        let mut head = http::Request::new(());
        *head.method_mut() = http::Method::POST;
        *head.uri_mut() = uri;
        *head.version_mut() = http::Version::HTTP_2;
        let headers = head.headers_mut();
        self.put_protocol(link.server.dialect, headers)?;
        if let Some(remaining) = request.remaining() {
            link.server.dialect.put_timeout(headers, remaining);
        }
        status::put_attempt(headers, request.attempt());
        if self.has_args {
            headers.insert(HEAD, HeaderValue::from_static("1"));
        }
        metadata::put_headers(headers, request.metadata(), link.config.limits.max_metadata)?;
        Ok(head)
    }

    /// Puts the message of a call that changes nothing into its URL, where the connection is set to
    /// that and it is short enough; nothing is left for the body then, and this returns true.
    pub(super) fn put_in_url(
        self,
        link: &Link,
        request: &Request,
        head: &mut http::Request<()>,
        message: &[u8],
    ) -> bool {
        let limit = link.config.connect_get;
        let descriptor = request.method().descriptor();
        let may_get = descriptor.is_some_and(|it| it.is_read_only());
        if self.form != Form::Whole || !may_get || message.len() > limit {
            return false;
        }
        let is_compressed = head.headers().contains_key(CONTENT_ENCODING);
        let encoding = content_type::subtype(self.encoding);
        let query = connect::format_query(encoding, message, is_compressed);
        let target = format!("{}?{query}", head.uri().path());
        if target.len() > limit {
            return false;
        }
        let mut parts = head.uri().clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(target).ok();
        let Ok(uri) = Uri::from_parts(parts) else {
            return false;
        };
        *head.uri_mut() = uri;
        *head.method_mut() = http::Method::GET;
        for of_body in [CONTENT_TYPE, CONTENT_ENCODING, connect::VERSION] {
            head.headers_mut().remove(of_body);
        }
        true
    }

    fn put_protocol(self, dialect: Dialect, headers: &mut HeaderMap) -> Result<(), Status> {
        let (content_type, names) = match self.form {
            Form::Whole => (
                content_type::of(self.encoding)?,
                CompressionHeaders::OF_HTTP,
            ),
            Form::Envelopes => (
                content_type::of_envelopes(dialect, self.encoding)?,
                dialect.compression_headers(),
            ),
        };
        headers.insert(CONTENT_TYPE, content_type);
        if self.form == Form::Envelopes {
            self.compression.put(headers, &names);
        }
        Compression::put_accepted(headers, &names);
        match dialect {
            Dialect::Grpc => put(headers, &[(TE, TRAILERS), (USER_AGENT, AGENT)]),
            Dialect::GrpcWeb | Dialect::GrpcWebText => put(headers, &[(USER_AGENT, AGENT)]),
            Dialect::Connect => put(
                headers,
                &[connect::VERSION_ONE, (USER_AGENT, CONNECT_AGENT)],
            ),
        }
        Ok(())
    }
}

fn put(headers: &mut HeaderMap, entries: &[(HeaderName, HeaderValue)]) {
    for (name, value) in entries {
        headers.insert(name, value.clone());
    }
}
