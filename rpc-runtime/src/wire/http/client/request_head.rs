//! The head of a request: what is called, and how.

#[cfg(feature = "jsonrpc")]
use http::header::ACCEPT;
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
#[cfg(feature = "jsonrpc")]
use crate::wire::http::json_rpc;
use crate::wire::http::peer_url::{HttpServer, Spoken};
use crate::wire::http::{connect, content_type, metadata};

/// Who calls.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("grpc-rust-rpc-runtime/", env!("CARGO_PKG_VERSION")));
const CONNECT_AGENT: HeaderValue = HeaderValue::from_static(concat!(
    "connect-rust-rpc-runtime/",
    env!("CARGO_PKG_VERSION")
));

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

#[cfg(feature = "jsonrpc")]
const JSON: HeaderValue = HeaderValue::from_static(json_rpc::JSON);

/// What requests of Connect have.
const OF_CONNECT: [(HeaderName, HeaderValue); 2] =
    [connect::VERSION_ONE, (USER_AGENT, CONNECT_AGENT)];

/// How the messages of a call are sent, both ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// Each in an envelope of this protocol.
    Envelopes(Dialect),
    /// The one message of each direction is the body: what does not stream, in Connect.
    Whole,
    /// The body is a text of JSON-RPC.
    #[cfg(feature = "jsonrpc")]
    JsonRpc,
}

impl Form {
    pub(super) fn of(server: &HttpServer, request: &Request) -> Self {
        let dialect = match server.spoken {
            Spoken::In(Dialect::Connect) if is_unary(request) => return Self::Whole,
            Spoken::In(dialect) => dialect,
            #[cfg(feature = "jsonrpc")]
            Spoken::JsonRpc => return Self::JsonRpc,
        };
        Self::Envelopes(dialect)
    }

    /// Returns the protocol whose headers a request has.
    fn dialect(self) -> Dialect {
        match self {
            Self::Envelopes(dialect) => dialect,
            Self::Whole => Dialect::Connect,
            // As its headers are our own, they are those that have a use.
            #[cfg(feature = "jsonrpc")]
            Self::JsonRpc => Dialect::Connect,
        }
    }
}

fn is_unary(request: &Request) -> bool {
    match kind_of(request) {
        Some(kind) => kind == MethodKind::Unary,
        None => !request.body().is_stream(),
    }
}

/// Returns the kind of the method that is called; of a call by name the caller says what it expects.
pub(super) fn kind_of(request: &Request) -> Option<MethodKind> {
    if let Some(descriptor) = request.method().descriptor() {
        return Some(descriptor.kind());
    }
    let expected = request.metadata().get(EXPECTED_KIND)?;
    MethodKind::ALL
        .into_iter()
        .find(|it| *expected == *it.name())
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
        let mut head = http::Request::new(());
        *head.method_mut() = http::Method::POST;
        *head.uri_mut() = self.uri(&link.server, request)?;
        *head.version_mut() = http::Version::HTTP_2;
        let headers = head.headers_mut();
        self.put_protocol(headers)?;
        if let Some(remaining) = request.remaining() {
            self.form.dialect().put_timeout(headers, remaining);
        }
        status::put_attempt(headers, request.attempt());
        if self.has_args {
            headers.insert(HEAD, HeaderValue::from_static("1"));
        }
        metadata::put_headers(headers, request.metadata(), link.config.limits.max_metadata)?;
        Ok(head)
    }

    fn uri(self, server: &HttpServer, request: &Request) -> Result<Uri, Status> {
        let unsendable = |error| {
            let text = "the method's path cannot be sent over HTTP";
            Status::invalid_argument(text).with_source(error)
        };
        let path = match self.form {
            Form::Envelopes(_) | Form::Whole => {
                let path = format!("/{}", request.method().path());
                PathAndQuery::try_from(path).map_err(|error| unsendable(error.into()))?
            }
            #[cfg(feature = "jsonrpc")]
            Form::JsonRpc => server.path.clone(),
        };
        let uri = Uri::builder().scheme(server.scheme());
        let uri = uri.authority(server.authority.clone()).path_and_query(path);
        uri.build().map_err(unsendable)
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
        let limit = link.config.http.connect_get;
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

    fn put_protocol(self, headers: &mut HeaderMap) -> Result<(), Status> {
        match self.form {
            Form::Envelopes(dialect) => {
                let names = dialect.compression_headers();
                let content_type = content_type::of_envelopes(dialect, self.encoding)?;
                headers.insert(CONTENT_TYPE, content_type);
                self.compression.put(headers, &names);
                Compression::put_accepted(headers, &names);
                match dialect {
                    Dialect::Grpc => put(headers, &[(TE, TRAILERS), (USER_AGENT, AGENT)]),
                    Dialect::GrpcWeb | Dialect::GrpcWebText => put(headers, &[(USER_AGENT, AGENT)]),
                    Dialect::Connect => put(headers, &OF_CONNECT),
                }
            }
            Form::Whole => {
                headers.insert(CONTENT_TYPE, content_type::of(self.encoding)?);
                Compression::put_accepted(headers, &CompressionHeaders::OF_HTTP);
                put(headers, &OF_CONNECT);
            }
            #[cfg(feature = "jsonrpc")]
            Form::JsonRpc => {
                put(headers, &[(CONTENT_TYPE, JSON), (ACCEPT, JSON)]);
                Compression::put_accepted(headers, &CompressionHeaders::OF_HTTP);
            }
        }
        Ok(())
    }
}

fn put(headers: &mut HeaderMap, entries: &[(HeaderName, HeaderValue)]) {
    for (name, value) in entries {
        headers.insert(name, value.clone());
    }
}
