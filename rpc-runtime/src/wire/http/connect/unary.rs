//! Calls with one message each way, which are the bodies of request and response.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Method as Verb, Response as HttpResponse, request};
use tokio::time::Instant;

use super::query::Query;
use super::{check_version, error, timeout};
use crate::call::{Body, Method, Request, deadline_in};
use crate::codec::Encoding;
use crate::status::Status;
use crate::wire::http::chunks::Chunks;
use crate::wire::http::compression::{COMPRESS_FROM, COMPRESS_UNASKED_FROM, Compression, Unpacked};
use crate::wire::http::dialect::CompressionHeaders;
use crate::wire::http::grpc::status::attempt;
use crate::wire::http::reply_body::ReplyBody;
use crate::wire::http::server::Connection;
use crate::wire::http::whole_body::{OwnLimit, WholeBody};
use crate::wire::http::{content_type, gzip, metadata};
use crate::wire::running::{Handling, Kept, Running, Single};

/// The side whose limits these are, as errors name it.
const OWNER: &str = "server";

/// What the names of metadata behind a reply begin with.
const TRAILER: &str = "trailer-";

/// One call, as it was asked for.
struct Call<'a> {
    connection: &'a Arc<Connection>,
    head: &'a request::Parts,
    method: Method,
    encoding: Encoding,
}

/// Where the message of a request is.
enum Asked<'a> {
    Body(Chunks),
    Query(Query<'a>),
}

/// Answers a call whose message is the body.
pub(in crate::wire::http) async fn post(
    connection: Arc<Connection>,
    request: http::Request<Chunks>,
    method: Method,
    encoding: Encoding,
) -> HttpResponse<ReplyBody> {
    let (head, chunks) = request.into_parts();
    let call = Call {
        connection: &connection,
        head: &head,
        method,
        encoding,
    };
    call.answer(Asked::Body(chunks)).await
}

/// Answers a call whose message is in the URL; `None` for an encoding that is not known here.
pub(in crate::wire::http) async fn get(
    connection: Arc<Connection>,
    head: request::Parts,
    method: Method,
) -> Option<HttpResponse<ReplyBody>> {
    let query = Query::of(head.uri.query().unwrap_or_default());
    let call = Call {
        connection: &connection,
        head: &head,
        method,
        encoding: content_type::encoding(&query.encoding)?,
    };
    let mut response = call.answer(Asked::Query(query)).await;
    // It may be cached, by URL.
    let vary = HeaderValue::from_static("accept-encoding");
    let headers = response.headers_mut();
    headers.append(VARY, vary);
    // Nor is it anything else for a browser that opens the URL.
    let as_said = HeaderValue::from_static("nosniff");
    headers.insert(X_CONTENT_TYPE_OPTIONS, as_said);
    Some(response)
}

impl Call<'_> {
    async fn answer(self, asked: Asked<'_>) -> HttpResponse<ReplyBody> {
        let encoding = self.encoding;
        let limit = self.connection.config.limits.max_metadata;
        let answered = self.call(asked).await;
        answered.unwrap_or_else(|status| failure(&status, encoding, limit))
    }

    async fn call(self, asked: Asked<'_>) -> Result<HttpResponse<ReplyBody>, Status> {
        let Self {
            connection,
            head,
            encoding,
            ..
        } = self;
        let config = &connection.config;
        let limits = &config.limits;
        let limit = self.limit();
        let counted = connection.served.running.begin()?;
        check_version(&head.headers)?;
        let deadline = timeout(&head.headers)?.map(deadline_in);
        let metadata = metadata::from_headers(&head.headers, limits.max_metadata)?;
        let message = self.message(asked, deadline).await?;
        let kept = Kept::new(&connection.budget);
        kept.count(message.bytes.len())?;
        let message = message.into_message(encoding, limits.decode_limits());
        let mut request = Request::new(self.method, Body::message(message));
        request.set_metadata(metadata.into());
        request.set_encoding(encoding);
        request.set_deadline(deadline);
        request.set_connection(Arc::clone(&connection.info));
        request.set_attempt(attempt(&head.headers));
        let running = Running::new(deadline, config.cancel_grace, counted).keeping(Some(kept));
        let handling = Handling::start(&connection.served.service, request, running)?;
        let (response, running) = handling.await?;
        let reply = Single::read(response, running).await?;
        success(reply, limit, connection, head, encoding)
    }

    /// Reads the message of the request.
    async fn message(
        &self,
        asked: Asked<'_>,
        deadline: Option<Instant>,
    ) -> Result<Unpacked, Status> {
        let limit = self.limit();
        let (bytes, compression) = match asked {
            Asked::Body(chunks) => {
                let names = &CompressionHeaders::OF_HTTP;
                let compression = Compression::of(&self.head.headers, names);
                let connection = &**self.connection;
                let (budget, limits) = (&connection.budget, &connection.config.limits);
                let body = WholeBody::new(chunks, budget, limits, OWNER);
                (body.read(deadline).await?, compression?)
            }
            Asked::Query(query) => {
                let compression = Compression::from_name(query.compression.as_bytes())?;
                (query.message()?, compression)
            }
        };
        limit.check(bytes.len())?;
        let malformed = || Status::invalid_argument("the request cannot be decompressed");
        Ok(Unpacked {
            bytes: limit.unpack(bytes, compression, malformed)?,
            was_compressed: compression == Compression::Gzip,
        })
    }

    fn limit(&self) -> OwnLimit {
        OwnLimit {
            bytes: self.connection.config.limits.max_message,
            owner: OWNER,
        }
    }
}

fn success(
    mut reply: Single,
    limit: OwnLimit,
    connection: &Connection,
    head: &request::Parts,
    encoding: Encoding,
) -> Result<HttpResponse<ReplyBody>, Status> {
    let limits = &connection.config.limits;
    let bytes = reply.message.bytes(encoding)?;
    limit.check(bytes.len())?;
    let mut response = HttpResponse::new(ReplyBody::Empty);
    let headers = response.headers_mut();
    metadata::put_headers(headers, &reply.metadata, limits.max_metadata)?;
    put_trailers(headers, &reply.trailers, limits.max_metadata)?;
    // As the caller writes it, who called by it. By URL it means nothing, and whoever is given the answer
    // out of a cache has not written it.
    let written = head.headers.get(CONTENT_TYPE);
    let content_type = written.filter(|_| head.method == Verb::POST).cloned();
    let content_type = content_type.map_or_else(|| content_type::of(encoding), Ok)?;
    headers.insert(CONTENT_TYPE, content_type);
    let names = &CompressionHeaders::OF_HTTP;
    let shortest = match reply.compressed {
        Some(true) => COMPRESS_FROM,
        Some(false) => usize::MAX,
        None => COMPRESS_UNASKED_FROM,
    };
    let bytes = if bytes.len() >= shortest && Compression::is_accepted(&head.headers, names) {
        Compression::Gzip.put(headers, names);
        gzip::pack(&bytes)?.into()
    } else {
        bytes
    };
    if !bytes.is_empty() {
        *response.body_mut() = ReplyBody::Bytes(bytes);
    }
    Ok(response)
}

/// Adds metadata that goes behind a reply, which here it cannot.
fn put_trailers(headers: &mut HeaderMap, trailers: &HeaderMap, limit: usize) -> Result<(), Status> {
    let mut allowed = HeaderMap::new();
    metadata::put_headers(&mut allowed, trailers, limit)?;
    for (name, value) in &allowed {
        if let Ok(name) = HeaderName::try_from(format!("{TRAILER}{name}")) {
            headers.append(name, value.clone());
        }
    }
    Ok(())
}

fn failure(status: &Status, encoding: Encoding, limit: usize) -> HttpResponse<ReplyBody> {
    let body = error::body(status, encoding);
    let mut response = HttpResponse::new(ReplyBody::Bytes(body.into()));
    *response.status_mut() = error::http_status(status.code());
    let headers = response.headers_mut();
    error::put_metadata(headers, status, limit);
    Compression::put_accepted(headers, &CompressionHeaders::OF_HTTP);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
