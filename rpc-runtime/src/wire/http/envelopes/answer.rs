//! Calls whose messages have envelopes: an HTTP request becomes a request, a response becomes an
//! HTTP response.

use std::future::ready;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready as ready_or_pending};

use bytes::BytesMut;
use futures_core::Stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response as HttpResponse, request};

use super::HEAD;
use super::encoder::Encoder;
use super::end::End;
use super::frame::Decoder;
use super::messages::Messages;
use super::reply_stream::ReplyStream;
use super::whole_reply::WholeReply;
use crate::call::{Body, BodyFrame, Frames, Method, MethodKind, Request, Response, deadline_in};
use crate::codec::{DecodeLimits, Encoding};
use crate::service::BoxFuture;
use crate::status::Status;
use crate::wire::http::chunks::{Chunks, Stopped};
use crate::wire::http::compression::Compression;
use crate::wire::http::connect;
use crate::wire::http::content_type::{self, PROTO};
use crate::wire::http::dialect::Dialect;
use crate::wire::http::grpc::status;
use crate::wire::http::metadata;
use crate::wire::http::reply_body::{Part, ReplyBody};
use crate::wire::http::respond::path_of_method;
use crate::wire::http::server::Connection;
use crate::wire::running::{Handling, Kept, Replying, Running};

/// The side whose limits these are, as errors name it.
const OWNER: &str = "server";

/// Answers a call. `subtype` is what its content type says of the messages.
pub(in crate::wire::http) fn answer(
    connection: &Arc<Connection>,
    request: http::Request<Chunks>,
    dialect: Dialect,
    subtype: Option<&str>,
) -> BoxFuture<'static, HttpResponse<ReplyBody>> {
    let (head, chunks) = request.into_parts();
    let mut answer = Answer {
        limit: connection.config.limits.max_metadata,
        dialect,
        content_type: head.headers.get(CONTENT_TYPE).cloned(),
        encoder: Encoder {
            encoding: Encoding::MESSAGE_PACK,
            compression: Compression::Identity,
            compresses: true,
            max_message: connection.config.limits.max_message,
            owner: OWNER,
        },
    };
    let asked = Asked {
        head: &head,
        dialect,
        subtype,
    };
    let handling = match begin(connection, &asked, chunks, &mut answer.encoder) {
        Ok(handling) => handling,
        Err(status) => return Box::pin(ready(answer.failure(&status))),
    };
    let headers = head.headers;
    Box::pin(async move {
        match handling.await {
            Ok((response, running)) => {
                answer.choose_compression(&response, &headers);
                answer.response(response, running)
            }
            Err(status) => answer.failure(&status),
        }
    })
}

/// The head of a request.
struct Asked<'a> {
    head: &'a request::Parts,
    dialect: Dialect,
    subtype: Option<&'a str>,
}

/// Reads the head of a request and starts the call.
fn begin(
    connection: &Arc<Connection>,
    asked: &Asked<'_>,
    chunks: Chunks,
    encoder: &mut Encoder,
) -> Result<Handling, Status> {
    let config = &connection.config;
    let head = asked.head;
    let names = &asked.dialect.compression_headers();
    if asked.dialect == Dialect::Connect {
        connect::check_version(&head.headers)?;
    }
    let counted = connection.served.running.begin()?;
    let path = path_of_method(&head.uri);
    let known = connection.served.methods.resolve(path);
    let encoding = encoding(asked.dialect, asked.subtype, known.is_some())?;
    let method = known.unwrap_or_else(|| Method::named(path));
    encoder.encoding = encoding.unwrap_or(Encoding::MESSAGE_PACK);
    let compression = Compression::of(&head.headers, names)?;
    encoder.compression = compression.for_reply(&head.headers, names);
    let deadline = asked.dialect.timeout(&head.headers)?.map(deadline_in);
    let metadata = metadata::from_headers(&head.headers, config.limits.max_metadata)?;
    let decoder = Decoder::new(config.limits.max_message, OWNER, compression);
    let decoder = match asked.dialect {
        Dialect::GrpcWebText => decoder.in_text(),
        _ => decoder,
    };
    let has_head = head.headers.contains_key(HEAD);
    let kept = Kept::new(&connection.budget);
    let messages = (chunks, decoder, encoder.encoding);
    let body = body(connection, messages, &method, kept.clone());
    let body = if has_head { body.with_head() } else { body };
    let mut request = Request::new(method, body);
    request.set_metadata(metadata.into());
    if let Some(encoding) = encoding {
        request.set_encoding(encoding);
    }
    request.set_deadline(deadline);
    request.set_connection(Arc::clone(&connection.info));
    request.set_attempt(status::attempt(&head.headers));
    let running = Running::new(deadline, config.cancel_grace, counted).keeping(Some(kept));
    Handling::start(&connection.served.service, request, running)
}

/// Makes the body of a request, whose messages come as they are asked for.
fn body(
    connection: &Connection,
    (chunks, decoder, encoding): (Chunks, Decoder, Encoding),
    method: &Method,
    kept: Kept,
) -> Body {
    let limits = &connection.config.limits;
    let descriptor = method.descriptor();
    let kind = descriptor.map(|it| it.kind());
    let is_upload = kind.is_some_and(MethodKind::is_upload);
    let takes_one = kind.is_some() && !is_upload;
    let (budget, patience) = (&connection.budget, limits.message_timeout);
    let body = Body::frames(Upload {
        messages: Some(Messages::new(chunks, decoder, budget, patience, takes_one)),
        encoding,
        limits: limits.decode_limits(),
        awaits: takes_one.then(|| method.clone()),
        request: (!is_upload).then_some(kept),
    });
    // Arguments beside a stream are its first message, which only its description tells.
    let has_args = descriptor.is_some_and(|it| !it.args().is_empty());
    if is_upload && has_args {
        body.with_head()
    } else {
        body
    }
}

/// Returns how messages are encoded; `None` for Protobuf that only goes through, undecoded.
fn encoding(
    dialect: Dialect,
    subtype: Option<&str>,
    is_served: bool,
) -> Result<Option<Encoding>, Status> {
    let name = subtype.unwrap_or(PROTO);
    match content_type::encoding(name) {
        Some(encoding) => Ok(Some(encoding)),
        None if name.eq_ignore_ascii_case(PROTO) && !is_served => Ok(None),
        None => Err(Status::unimplemented(format!(
            "this server does not speak `{}`: call with the content type `application/{prefix}+json` \
             or `application/{prefix}+msgpack`",
            name.get(..32).unwrap_or(name).escape_debug(),
            prefix = dialect.subtype(),
        ))),
    }
}

/// The messages of a request.
struct Upload {
    messages: Option<Messages>,
    encoding: Encoding,
    limits: DecodeLimits,
    /// The method that needs one message, until it has come.
    awaits: Option<Method>,
    /// Where the first message is counted, if it is the request.
    request: Option<Kept>,
}

impl Stream for Upload {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(messages) = &mut this.messages else {
            return Poll::Ready(None);
        };
        let ended = match ready_or_pending!(messages.poll_message(cx)) {
            Ok(Some(unpacked)) => {
                this.awaits = None;
                if let Some(kept) = this.request.take()
                    && let Err(status) = kept.count(unpacked.bytes.len())
                {
                    this.messages = None;
                    return Poll::Ready(Some(Err(status)));
                }
                let message = unpacked.into_message(this.encoding, this.limits);
                return Poll::Ready(Some(Ok(BodyFrame::Message(message))));
            }
            Ok(None) => match this.awaits.take() {
                None => Ok(()),
                Some(method) => Err(Status::internal(format!(
                    "the request of `{}` has no message",
                    method.path()
                ))),
            },
            Err(Stopped::Failed(status)) => Err(status),
            Err(Stopped::Broken(error)) => {
                let text = "the caller broke off before the end of its request";
                Err(Status::cancelled(text).with_source(error))
            }
        };
        this.messages = None;
        Poll::Ready(ended.err().map(Err))
    }
}

// A message that came as bytes gains nothing from a batch.
impl Frames for Upload {}

/// How a call is answered.
struct Answer {
    limit: usize,
    dialect: Dialect,
    content_type: Option<HeaderValue>,
    encoder: Encoder,
}

impl Answer {
    fn head(&self, body: ReplyBody) -> HttpResponse<ReplyBody> {
        let mut response = HttpResponse::new(body);
        if let Some(content_type) = &self.content_type {
            let content_type = content_type.clone();
            response.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        response
    }

    /// Follows a service that says whether its answer is compressed, as far as the caller accepts it.
    fn choose_compression(&mut self, response: &Response, asked: &HeaderMap) {
        let Some(is_compressed) = response.is_compressed() else {
            return;
        };
        self.encoder.compresses = is_compressed;
        // A stream may say otherwise later, when its head is gone.
        self.encoder.compression = if is_compressed || response.body().is_stream() {
            let names = &self.dialect.compression_headers();
            Compression::Gzip.for_reply(asked, names)
        } else {
            Compression::Identity
        };
    }

    fn response(self, mut response: Response, running: Running) -> HttpResponse<ReplyBody> {
        match self.try_response(&mut response, running) {
            Ok(answered) => answered,
            Err((answer, status)) => answer.failure(&status),
        }
    }

    fn try_response(
        self,
        response: &mut Response,
        running: Running,
    ) -> Result<HttpResponse<ReplyBody>, (Self, Status)> {
        let mut head = self.head(ReplyBody::Empty);
        let put = metadata::put_headers(head.headers_mut(), response.metadata(), self.limit);
        if let Err(status) = put {
            return Err((self, status));
        }
        let names = &self.dialect.compression_headers();
        self.encoder.compression.put(head.headers_mut(), names);
        let trailers = response.take_trailers().into_map();
        let mut replying = Replying::new(response.take_body(), running);
        let mut out = BytesMut::new();
        let mut large = None;
        // What is whole can still fail with nothing but trailers.
        let whole = replying.take_single();
        let is_whole = whole.is_some();
        if let Some(message) = whole {
            match self.encoder.put(message, &mut out) {
                Ok(rope) => large = rope,
                Err(status) => return Err((self, status)),
            }
            if let Err(status) = replying.end() {
                return Err((self, status));
            }
        }
        let end = self.end();
        *head.body_mut() = if is_whole && large.is_none() && self.dialect == Dialect::Grpc {
            ReplyBody::Whole(WholeReply::new(out.freeze(), trailers, end))
        } else {
            let mut stream = ReplyStream::new(replying, self.encoder, trailers, end);
            if is_whole {
                stream.end_behind(out.freeze(), large);
            }
            ReplyBody::Stream(Box::new(stream))
        };
        Ok(head)
    }

    fn end(&self) -> End {
        End {
            dialect: self.dialect,
            encoding: self.encoder.encoding,
            limit: self.limit,
        }
    }

    /// Answers with nothing but the end, which in gRPC then is the head.
    fn failure(&self, status: &Status) -> HttpResponse<ReplyBody> {
        let mut response = self.head(ReplyBody::Empty);
        let names = &self.dialect.compression_headers();
        Compression::put_accepted(response.headers_mut(), names);
        if self.dialect != Dialect::Connect {
            self.end().put_failure(response.headers_mut(), status);
        } else if let Part::Data(end) = self.end().part(Err(status.clone())) {
            *response.body_mut() = ReplyBody::Bytes(end);
        }
        response
    }
}
