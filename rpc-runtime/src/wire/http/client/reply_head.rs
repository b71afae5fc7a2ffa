//! The head of an answer: what follows it, or that it is none of the protocol.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, response};

use super::download::Download;
use super::open_call::OpenCall;
use super::request_head::Form;
use super::whole_download::{Outcome, WholeDownload};
use crate::call::{Body, Response};
use crate::codec::Encoding;
use crate::status::Status;
use crate::wire::http::chunks::Chunks;
use crate::wire::http::compression::Compression;
use crate::wire::http::content_type::{self, Protocol};
use crate::wire::http::dialect::{CompressionHeaders, Dialect};
use crate::wire::http::grpc::status;
use crate::wire::http::metadata;

/// What the names of metadata behind a reply begin with, where it cannot be behind it.
const TRAILER: &str = "trailer-";

/// Reads the head of an answer, which is all of it when the call failed at once.
pub(super) fn read_head(
    response: http::Response<Chunks>,
    call: OpenCall,
) -> Result<Response, Status> {
    let link = Arc::clone(&call.link);
    let (head, stream) = response.into_parts();
    let mut response = match call.form {
        Form::Envelopes(dialect) => envelopes(dialect, head, stream, call),
        Form::Whole => whole(head.status, &head.headers, stream, call),
        #[cfg(feature = "jsonrpc")]
        Form::JsonRpc => text(head.status, &head.headers, stream, call),
    }?;
    response.set_peer(link);
    Ok(response)
}

fn envelopes(
    dialect: Dialect,
    head: response::Parts,
    stream: Chunks,
    mut call: OpenCall,
) -> Result<Response, Status> {
    let (http_status, mut headers) = (head.status, head.headers);
    let limits = &call.link.config.limits;
    let subtype = match headers.get(CONTENT_TYPE).and_then(Protocol::of) {
        Some(Protocol::Enveloped(answered, subtype)) if answered == dialect => subtype,
        _ => return Err(foreign(dialect, http_status, &headers)),
    };
    call.encoding = subtype.map(known).transpose()?.unwrap_or(call.encoding);
    // A good status that is not the end is none.
    let end = headers
        .get(status::STATUS)
        .filter(|_| dialect != Dialect::Connect);
    if end.is_some_and(|it| *it != status::OK || stream.is_end()) {
        let end = status::end(&mut headers, limits);
        if stream.is_end() {
            call.answered();
        }
        let end = end?;
        let mut response = Response::new(Body::empty());
        response.set_trailers(end.into());
        return Ok(response);
    }
    if http_status != StatusCode::OK {
        return Err(foreign(dialect, http_status, &headers));
    }
    let compression = offered(Compression::of(&headers, &dialect.compression_headers()))?;
    let metadata = status::metadata_of_reply(&headers, limits)?;
    let body = Download::new(stream, compression, call, dialect);
    let mut response = Response::new(Body::frames(body));
    response.set_metadata(metadata.into());
    Ok(response)
}

fn whole(
    http_status: StatusCode,
    headers: &HeaderMap,
    stream: Chunks,
    mut call: OpenCall,
) -> Result<Response, Status> {
    let limit = call.link.config.limits.max_metadata;
    let subtype = match headers.get(CONTENT_TYPE).and_then(Protocol::of) {
        Some(Protocol::ConnectUnary(subtype)) => subtype,
        _ => return Err(foreign(Dialect::Connect, http_status, headers)),
    };
    let encoding = known(subtype)?;
    let (leading, trailing) = split(headers);
    let compression = offered(Compression::of(headers, &CompressionHeaders::OF_HTTP))?;
    if http_status != StatusCode::OK {
        if encoding != Encoding::JSON {
            return Err(foreign(Dialect::Connect, http_status, headers));
        }
        let mut all = leading;
        all.extend(trailing);
        let outcome = Outcome::Failure(http_status, all);
        let body = WholeDownload::new(stream, compression, call, outcome);
        return Ok(Response::new(Body::frames(body)));
    }
    call.encoding = encoding;
    let metadata = metadata::from_headers(&leading, limit)?;
    let outcome = Outcome::Message(metadata::from_headers(&trailing, limit)?);
    let body = WholeDownload::new(stream, compression, call, outcome);
    let mut response = Response::new(Body::frames(body));
    response.set_metadata(metadata.into());
    Ok(response)
}

/// The body is what counts: many servers say in the HTTP status as well that there is no result.
#[cfg(feature = "jsonrpc")]
fn text(
    http_status: StatusCode,
    headers: &HeaderMap,
    stream: Chunks,
    mut call: OpenCall,
) -> Result<Response, Status> {
    let compression = offered(Compression::of(headers, &CompressionHeaders::OF_HTTP))?;
    call.encoding = Encoding::JSON;
    let body = WholeDownload::new(stream, compression, call, Outcome::JsonRpc(http_status));
    Ok(Response::new(Body::frames(body)))
}

/// Takes apart what is metadata before a reply, and behind it.
fn split(all: &HeaderMap) -> (HeaderMap, HeaderMap) {
    let (mut metadata, mut trailers) = (HeaderMap::new(), HeaderMap::new());
    for (name, value) in all {
        let behind = name.as_str().strip_prefix(TRAILER);
        match behind.map(HeaderName::try_from) {
            Some(Ok(name)) => trailers.append(name, value.clone()),
            _ => metadata.append(name, value.clone()),
        };
    }
    (metadata, trailers)
}

fn offered(compression: Result<Compression, Status>) -> Result<Compression, Status> {
    compression.map_err(|status| {
        Status::internal("the server compresses as it was not offered").with_source(status)
    })
}

fn known(subtype: &str) -> Result<Encoding, Status> {
    content_type::encoding(subtype).ok_or_else(|| {
        let shown = subtype.get(..32).unwrap_or(subtype).escape_debug();
        Status::internal(format!(
            "the server answers in the unknown encoding `{shown}`"
        ))
    })
}

/// What an answer means that is none of the protocol: an error page of a proxy, say.
fn foreign(dialect: Dialect, http_status: StatusCode, headers: &HeaderMap) -> Status {
    let content_type = headers.get(CONTENT_TYPE);
    let shown = content_type.map_or(&b"nothing"[..], HeaderValue::as_bytes);
    let shown = shown.get(..64).unwrap_or(shown).escape_ascii();
    let name = dialect.name();
    let text = format!(
        "the server did not answer with {name}: HTTP status {http_status}, content type `{shown}`"
    );
    Status::new(status::code_of_http(http_status), text).into_remote()
}
