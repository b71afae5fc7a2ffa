//! Calls with one message each way, which are the bodies of request and response.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response as HttpResponse, request};

use super::error;
use crate::call::{Body, Message, Method, MethodKind, Request, Response, deadline_in};
use crate::codec::Encoding;
use crate::status::Status;
use crate::wire::http::chunks::Chunks;
use crate::wire::http::reply_body::ReplyBody;
use crate::wire::http::server::Connection;
use crate::wire::http::{content_type, gzip, metadata};
use crate::wire::incomplete::{Held, Patience};
use crate::wire::running::{Handling, Running, Single};

const VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
const TIMEOUT: HeaderName = HeaderName::from_static("connect-timeout-ms");

/// The most digits of a timeout.
const MAX_DIGITS: usize = 10;

/// What the names of metadata behind a reply begin with.
const TRAILER: &str = "trailer-";

/// Below this many bytes a reply is not compressed: it would hardly get shorter.
const COMPRESS_FROM: usize = 1 << 10;

/// Answers a call; `None` if the method streams, which it does under another content type.
pub(in crate::wire::http) async fn answer(
    connection: Arc<Connection>,
    request: http::Request<Chunks>,
    subtype: &str,
) -> Option<HttpResponse<ReplyBody>> {
    let (head, chunks) = request.into_parts();
    let path = head.uri.path().trim_start_matches('/');
    let method = connection.served.methods.resolve(path);
    let method = method.unwrap_or_else(|| Method::named(path));
    let kind = method.descriptor().map(|it| it.kind());
    if kind.is_some_and(|it| it != MethodKind::Unary) {
        return None;
    }
    let encoding = content_type::encoding(subtype)?;
    let answered = call(&connection, &head, chunks, method, encoding).await;
    Some(answered.unwrap_or_else(|status| {
        let limit = connection.config.limits.max_metadata;
        failure(&status, encoding, limit)
    }))
}

async fn call(
    connection: &Arc<Connection>,
    head: &request::Parts,
    chunks: Chunks,
    method: Method,
    encoding: Encoding,
) -> Result<HttpResponse<ReplyBody>, Status> {
    let config = &connection.config;
    let limits = &config.limits;
    let counted = connection.served.running.begin()?;
    if head.headers.get(VERSION).is_some_and(|it| it != "1") {
        let text = "`connect-protocol-version` is not 1";
        return Err(Status::invalid_argument(text));
    }
    let deadline = timeout(&head.headers)?.map(deadline_in);
    let metadata = metadata::from_headers(&head.headers, limits.max_metadata)?;
    let bytes = Receiving::new(connection, chunks).whole().await?;
    let bytes = unpacked(&head.headers, bytes, limits.max_message)?;
    let message = Message::with_limits(bytes, encoding, limits.decode_limits());
    let mut request = Request::new(method, Body::message(message));
    request.set_metadata(metadata.into());
    request.set_encoding(encoding);
    request.set_deadline(deadline);
    request.set_connection(Arc::clone(&connection.info));
    let running = Running::new(deadline, config.cancel_grace, counted);
    let handling = Handling::start(&connection.served.service, request, running)?;
    let (response, running) = handling.await?;
    let content_type = head.headers.get(CONTENT_TYPE).cloned();
    let accepts_gzip = names_gzip(&head.headers, &ACCEPT_ENCODING);
    let reply = reply(response, running, encoding).await?;
    success(
        reply,
        limits.max_metadata,
        limits.max_message,
        content_type,
        accepts_gzip,
    )
}

fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(TIMEOUT) else {
        return Ok(None);
    };
    let digits = value.to_str().ok().filter(|text| {
        (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_digit())
    });
    let milliseconds = digits.and_then(|it| it.parse().ok()).ok_or_else(|| {
        Status::invalid_argument("`connect-timeout-ms` is not a number of up to ten digits")
    })?;
    Ok(Some(Duration::from_millis(milliseconds)))
}

/// Unpacks the body of a request, if it is packed.
fn unpacked(headers: &HeaderMap, bytes: Bytes, limit: usize) -> Result<Bytes, Status> {
    match headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(bytes),
        Some(b"gzip") => gzip::unpack(&bytes, limit).map_err(|error| match error {
            gzip::Error::TooLarge => too_large(limit),
            gzip::Error::Malformed(source) => {
                Status::invalid_argument("the request cannot be decompressed").with_source(source)
            }
        }),
        Some(other) => Err(Status::unimplemented(format!(
            "the compression `{}` is not supported, there is: gzip, identity",
            other.get(..32).unwrap_or(other).escape_ascii()
        ))),
    }
}

fn names_gzip(headers: &HeaderMap, name: &HeaderName) -> bool {
    let values = headers.get_all(name).iter();
    let mut names = values.flat_map(|it| it.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii() == b"gzip")
}

fn too_large(limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "a message is over the server's limit `max_message` of {limit} bytes"
    ))
}

/// The body of a request as it comes.
struct Receiving {
    chunks: Chunks,
    held: Held,
    patience: Patience,
    limit: usize,
    bytes: BytesMut,
}

impl Receiving {
    fn new(connection: &Connection, chunks: Chunks) -> Self {
        let limits = &connection.config.limits;
        let mut patience = Patience::new(limits.message_timeout);
        patience.begin();
        Self {
            chunks,
            held: Held::new(Arc::clone(&connection.budget)),
            patience,
            limit: limits.max_message,
            bytes: BytesMut::new(),
        }
    }

    /// Reads it to its end.
    async fn whole(mut self) -> Result<Bytes, Status> {
        poll_fn(|cx| {
            loop {
                let Poll::Ready(chunk) = self.chunks.poll_chunk(cx) else {
                    let status = ready!(self.patience.poll_over(cx));
                    return Poll::Ready(Err(status));
                };
                match chunk {
                    None => return Poll::Ready(Ok(())),
                    Some(Err(error)) => {
                        let text = "the caller broke off before the end of its request";
                        return Poll::Ready(Err(Status::cancelled(text).with_source(error)));
                    }
                    Some(Ok(chunk)) => {
                        if self.bytes.len() + chunk.len() > self.limit {
                            return Poll::Ready(Err(too_large(self.limit)));
                        }
                        self.held.set(self.bytes.len() + chunk.len())?;
                        self.patience.came(chunk.len());
                        self.bytes.extend_from_slice(&chunk);
                    }
                }
            }
        })
        .await?;
        Ok(self.bytes.freeze())
    }
}

/// The one message of a response, with what is around it.
struct Reply {
    bytes: Bytes,
    metadata: HeaderMap,
    trailers: HeaderMap,
}

async fn reply(response: Response, running: Running, encoding: Encoding) -> Result<Reply, Status> {
    let mut reply = Single::read(response, running).await?;
    Ok(Reply {
        bytes: reply.message.bytes(encoding)?,
        metadata: reply.metadata,
        trailers: reply.trailers,
    })
}

fn success(
    reply: Reply,
    max_metadata: usize,
    max_message: usize,
    content_type: Option<HeaderValue>,
    accepts_gzip: bool,
) -> Result<HttpResponse<ReplyBody>, Status> {
    if reply.bytes.len() > max_message {
        return Err(too_large(max_message));
    }
    let mut response = HttpResponse::new(ReplyBody::Empty);
    let headers = response.headers_mut();
    metadata::put_headers(headers, &reply.metadata, max_metadata)?;
    let mut trailers = HeaderMap::new();
    metadata::put_headers(&mut trailers, &reply.trailers, max_metadata)?;
    for (name, value) in &trailers {
        if let Ok(name) = HeaderName::try_from(format!("{TRAILER}{name}")) {
            headers.append(name, value.clone());
        }
    }
    headers.extend(content_type.map(|it| (CONTENT_TYPE, it)));
    let bytes = if accepts_gzip && reply.bytes.len() >= COMPRESS_FROM {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        gzip::pack(&reply.bytes)?.into()
    } else {
        reply.bytes
    };
    if !bytes.is_empty() {
        *response.body_mut() = ReplyBody::Bytes(bytes);
    }
    Ok(response)
}

fn failure(status: &Status, encoding: Encoding, limit: usize) -> HttpResponse<ReplyBody> {
    let body = error::body(status, encoding);
    let mut response = HttpResponse::new(ReplyBody::Bytes(body.into()));
    *response.status_mut() = error::http_status(status.code());
    let headers = response.headers_mut();
    if let Err(error) = metadata::put_headers(headers, status.metadata(), limit) {
        headers.clear();
        tracing::warn!(%error, "the metadata of a failure cannot be sent");
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
