//! Our calls on a connection.

use std::collections::VecDeque;
use std::future::ready;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use h2::SendStream;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri, Version};
use tokio::sync::{mpsc, oneshot};

use super::connection::{Connection, Link, Place, Requests};
use super::handle::Handle;
use super::http1::Http1;
use super::open_call::{Answer, OpenCall, Responding};
use super::request_body::{self, ChunkedUpload, RequestBody};
use super::request_head::{Form, Head, kind_of};
use super::upload::{Upload, upload};
#[cfg(feature = "jsonrpc")]
use crate::call::EXPECTED_KIND;
use crate::call::{Body, BodyFrame, Compressed, Message, MethodKind, Request, Response, Rope};
use crate::codec::Encoding;
use crate::service::BoxFuture;
use crate::status::{Phase, Status};
use crate::wire::http::compression::Compression;
use crate::wire::http::dialect::CompressionHeaders;
use crate::wire::http::envelopes::Batches;
use crate::wire::http::envelopes::encoder::Encoder;
use crate::wire::http::envelopes::frame::{COMPRESSED, HEADER_LENGTH};
#[cfg(feature = "jsonrpc")]
use crate::wire::http::json_rpc;

/// The side whose limits these are, as errors name it.
pub(super) const OWNER: &str = "client";

/// A message up to here goes out with its request; a larger one as fast as the peer takes it.
const AT_ONCE: usize = 64 << 10;

impl Connection {
    /// Begins a call: at once, if its request is one message.
    pub(crate) fn start(
        &self,
        mut request: Request,
        place: Place,
    ) -> BoxFuture<'static, Result<Response, Status>> {
        let link = Arc::clone(&self.link);
        if !request.body().is_stream() {
            return match begin(&link, &self.requests, &mut request, None, place) {
                Ok(responding) => Box::pin(responding),
                Err(status) => {
                    let status = status.in_phase(Phase::Send).at_peer(&link.peer);
                    Box::pin(ready(Err(status)))
                }
            };
        }
        let requests = self.requests.own();
        Box::pin(async move {
            let called = begin_stream(&link, &requests, request, place).await;
            let responding =
                called.map_err(|status| status.in_phase(Phase::Send).at_peer(&link.peer));
            // The handle would keep the connection open.
            drop((requests, link));
            responding?.await
        })
    }
}

/// Sends a request that streams, whose arguments may be the first of its messages.
async fn begin_stream(
    link: &Arc<Link>,
    requests: &Requests,
    mut request: Request,
    place: Place,
) -> Result<Responding, Status> {
    let form = Form::of(&link.server, &request);
    #[cfg(feature = "jsonrpc")]
    if form == Form::JsonRpc {
        json_rpc::check_kind(&request)?;
    }
    let is_both_ways = kind_of(&request) == Some(MethodKind::Bidirectional);
    if is_both_ways && matches!(requests, Requests::Http1(_)) {
        let text = "a method that streams both ways needs HTTP/2, and HTTP/1.1 is spoken here";
        return Err(Status::unimplemented(text));
    }
    let awaits_first = request.body().has_head() || form == Form::Whole;
    let first = if awaits_first {
        match request.body_mut().frame().await.transpose()? {
            Some(BodyFrame::Message(message)) => Some(message),
            _ => None,
        }
    } else {
        None
    };
    begin(link, requests, &mut request, first, place)
}

/// Sends a request; its stream goes on by itself.
fn begin(
    link: &Arc<Link>,
    requests: &Requests,
    request: &mut Request,
    first: Option<Message>,
    place: Place,
) -> Result<Responding, Status> {
    let encoding = request.encoding().unwrap_or(Encoding::MESSAGE_PACK);
    let form = Form::of(&link.server, request);
    let outgoing = match form {
        #[cfg(feature = "jsonrpc")]
        Form::JsonRpc => Outgoing::json_rpc(link, request)?,
        _ => Outgoing::new(link, request, first, (encoding, form))?,
    };
    let mut call = OpenCall::new(link, request, (encoding, form), place);
    let answer = match requests {
        Requests::Http2(http2) => outgoing.send_in_http2(http2, &mut call)?,
        Requests::Http1(http1) => outgoing.send_in_http1(http1, &mut call)?,
    };
    Ok(Responding::new(answer, call))
}

/// A request that is ready to be sent.
struct Outgoing {
    head: http::Request<()>,
    /// The head is all of it.
    is_get: bool,
    /// The first message, encoded, and what of it is handed over as it is.
    first: Bytes,
    large: Option<Rope>,
    /// What streams behind that.
    body: Body,
    encoder: Encoder,
}

impl Outgoing {
    fn new(
        link: &Link,
        request: &mut Request,
        first: Option<Message>,
        (encoding, form): (Encoding, Form),
    ) -> Result<Self, Status> {
        let encoder = encoder(link, request, encoding);
        let says = Head {
            form,
            encoding,
            compression: encoder.compression,
            has_args: first.is_some() && form != Form::Whole,
        };
        let mut head = says.write(link, request)?;
        let mut body = request.take_body();
        let single = body.take_single();
        let mut out = BytesMut::new();
        let large = match first.or(single) {
            Some(message) => encoder.put(message, &mut out)?,
            None => None,
        };
        if form == Form::Whole {
            // What else a caller streams has no place in it.
            body = Body::empty();
            if out.first() == Some(&COMPRESSED) {
                Compression::Gzip.put(head.headers_mut(), &CompressionHeaders::OF_HTTP);
            }
            out.advance(HEADER_LENGTH.min(out.len()));
        }
        Ok(Self {
            is_get: large.is_none() && says.put_in_url(link, request, &mut head, &out),
            head,
            first: out.freeze(),
            large,
            body,
            encoder,
        })
    }

    #[cfg(feature = "jsonrpc")]
    fn json_rpc(link: &Link, request: &mut Request) -> Result<Self, Status> {
        json_rpc::check_kind(request)?;
        request.metadata_mut().remove(EXPECTED_KIND);
        let says = Head {
            form: Form::JsonRpc,
            encoding: Encoding::JSON,
            compression: Compression::Identity,
            has_args: false,
        };
        let head = says.write(link, request)?;
        Ok(Self {
            head,
            is_get: false,
            first: json_rpc::text(request, link.config.limits.max_message)?,
            large: None,
            body: Body::empty(),
            encoder: encoder(link, request, Encoding::JSON),
        })
    }

    fn send_in_http2(self, http2: &Handle, call: &mut OpenCall) -> Result<Answer, Status> {
        let sent = http2.send(self.head, self.is_get);
        let (response, mut stream) = sent.map_err(|error| {
            let text = "the connection takes no new calls";
            let status = Status::unavailable(text).with_source(error);
            status.into_not_started()
        })?;
        if self.is_get {
            drop(stream);
        } else if !self.body.is_stream() && self.large.is_none() && self.first.len() <= AT_ONCE {
            // A server may have answered the head alone, and have closed the stream already: its answer tells then.
            let _ = stream.send_data(self.first, true);
        } else {
            let first = pieces(self.first, self.large);
            upload_in_http2(call, stream, first, self.body, self.encoder);
        }
        Ok(Answer::Http2(response))
    }

    fn send_in_http1(self, http1: &Arc<Http1>, call: &mut OpenCall) -> Result<Answer, Status> {
        let head = in_http1(self.head)?;
        let first = match self.is_get {
            true => VecDeque::new(),
            false => pieces(self.first, self.large),
        };
        let body = if self.body.is_stream() {
            upload_in_http1(call, first, self.body, self.encoder)
        } else {
            RequestBody::Whole(first)
        };
        let (answering, exchange) = http1.send(head.map(|()| body));
        call.exchange = Some(exchange);
        Ok(Answer::Http1(answering))
    }
}

/// Makes the head of HTTP/2 one of HTTP/1.1, which names the server in a header.
fn in_http1(mut head: http::Request<()>) -> Result<http::Request<()>, Status> {
    let target = head.uri().path_and_query().cloned();
    let host = head.uri().authority().map_or("", |it| it.as_str());
    let host = HeaderValue::try_from(host).map_err(|error| {
        Status::invalid_argument("the host cannot be sent over HTTP").with_source(error)
    })?;
    head.headers_mut().insert(HOST, host);
    *head.uri_mut() = Uri::from(target.unwrap_or(PathAndQuery::from_static("/")));
    *head.version_mut() = Version::HTTP_11;
    Ok(head)
}

fn pieces(first: Bytes, large: Option<Rope>) -> VecDeque<Bytes> {
    let first = std::iter::once(first).chain(large.into_iter().flatten());
    first.filter(|it| !it.is_empty()).collect()
}

fn upload_in_http2(
    call: &mut OpenCall,
    stream: SendStream<Bytes>,
    ready: VecDeque<Bytes>,
    body: Body,
    encoder: Encoder,
) {
    let (failed, receiver) = oneshot::channel();
    let sending = Upload {
        stream,
        ready,
        body,
        batches: Batches::new(encoder),
        failed,
    };
    call.upload(upload(sending), receiver);
}

fn upload_in_http1(
    call: &mut OpenCall,
    ready: VecDeque<Bytes>,
    body: Body,
    encoder: Encoder,
) -> RequestBody {
    let (failed, receiver) = oneshot::channel();
    let (pieces, of_body) = mpsc::channel(1);
    let sending = ChunkedUpload {
        ready,
        body,
        batches: Batches::new(encoder),
        pieces,
        failed,
    };
    call.upload(request_body::upload(sending), receiver);
    RequestBody::Streamed {
        pieces: of_body,
        ended: false,
    }
}

fn encoder(link: &Link, request: &Request, encoding: Encoding) -> Encoder {
    let asked = request.extensions().get::<Compressed>();
    let single = || request.body().single()?.is_compressed();
    let asked = asked.map(|it| it.0).or_else(single);
    let is_compressed = asked.unwrap_or(link.config.http.compress_requests);
    Encoder {
        encoding,
        compression: if is_compressed {
            Compression::Gzip
        } else {
            Compression::Identity
        },
        compresses: is_compressed,
        max_message: link.config.limits.max_message,
        owner: OWNER,
    }
}
