//! Each body is a text, and so is its answer.
//!
//! Whatever the calls of a text come to is in the answer, whose HTTP status is 200; one of 204 has
//! none, as notifications have not. Other statuses are for requests that are no text.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, Response, StatusCode, request};

use super::JSON;
use crate::call::{ConnectionInfo, deadline_in};
use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::config::{Config, Served};
use crate::wire::http::chunks::Chunks;
use crate::wire::http::compression::{COMPRESS_UNASKED_FROM, Compression};
use crate::wire::http::dialect::CompressionHeaders;
use crate::wire::http::reply_body::ReplyBody;
use crate::wire::http::server::Connection;
use crate::wire::http::whole_body::{OwnLimit, WholeBody};
use crate::wire::http::{connect, gzip, metadata};
use crate::wire::jsonrpc::{Beside, Dialect, Session, Text};

/// The side whose limits these are, as errors name it.
const OWNER: &str = "server";

/// Makes the session of all texts of one connection.
pub(in crate::wire::http) fn session(
    config: &Arc<Config>,
    served: &Served,
    info: &Arc<ConnectionInfo>,
    budget: &Arc<Budget>,
) -> Arc<Session> {
    Session::new(Dialect::JSON_RPC, config, served, info, budget)
}

/// Returns the session of a request that is a text of JSON-RPC.
pub(in crate::wire::http) fn session_for(
    connection: &Connection,
    request: &Request<Chunks>,
) -> Option<Arc<Session>> {
    let session = connection.json_rpc.as_ref()?;
    let is_text = request.method() == Verb::POST
        && request.uri().path() == connection.config.http.json_rpc_path
        && is_json(request.headers());
    is_text.then(|| Arc::clone(session))
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = value.and_then(|it| it.split(';').next());
    essence.is_some_and(|it| it.trim().eq_ignore_ascii_case(JSON))
}

/// Answers a text.
pub(in crate::wire::http) async fn answer(
    session: Arc<Session>,
    connection: Arc<Connection>,
    request: Request<Chunks>,
) -> Response<ReplyBody> {
    let (head, chunks) = request.into_parts();
    let answer = match read(&head, chunks, &connection).await {
        Ok((text, beside)) => session.with_beside(beside).answer(text).await,
        Err(status) => session.refuse(&status.into()),
    };
    match answer {
        Some(text) => with_text(text, &head.headers),
        None => {
            let mut response = Response::new(ReplyBody::Empty);
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
    }
}

async fn read(
    head: &request::Parts,
    chunks: Chunks,
    connection: &Connection,
) -> Result<(Bytes, Beside), Status> {
    let limits = &connection.config.limits;
    let compression = Compression::of(&head.headers, &CompressionHeaders::OF_HTTP)?;
    let beside = Beside {
        deadline: connect::timeout(&head.headers)?.map(deadline_in),
        metadata: metadata::from_headers(&head.headers, limits.max_metadata)?,
    };
    let body = WholeBody::new(chunks, &connection.budget, limits, OWNER);
    let limit = OwnLimit {
        bytes: limits.max_message,
        owner: OWNER,
    };
    let text = limit.unpack(body.read(beside.deadline).await?, compression, || {
        Status::invalid_argument("the request cannot be decompressed")
    })?;
    Ok((text, beside))
}

fn with_text(mut text: Text, request: &HeaderMap) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Empty);
    let names = &CompressionHeaders::OF_HTTP;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    let compress =
        text.bytes.len() >= COMPRESS_UNASKED_FROM && Compression::is_accepted(request, names);
    let packed = compress.then(|| gzip::pack(&text.bytes).ok()).flatten();
    let bytes = match packed {
        Some(packed) => {
            Compression::Gzip.put(headers, names);
            packed.into()
        }
        None => text.bytes.split().freeze(),
    };
    *response.body_mut() = ReplyBody::Bytes(bytes);
    response
}
