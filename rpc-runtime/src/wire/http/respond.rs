//! A request goes to its protocol.

use std::future::ready;
#[cfg(feature = "websocket")]
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::header::{ALLOW, CONTENT_TYPE};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method as Verb, Request, Response, StatusCode, Uri, Version,
};

use super::chunks::Chunks;
use super::content_type::{self, Protocol};
use super::cors::Cors;
use super::dialect::Dialect;
use super::reply_body::ReplyBody;
use super::server::{Connection, OpenRequest};
#[cfg(feature = "websocket")]
use super::upgrade;
use super::{connect, envelopes, host};
use crate::call::{Method, MethodKind};
use crate::service::BoxFuture;

/// Says what a request may be, to one that is not (<https://www.w3.org/TR/ldp/#header-accept-post>).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// The content types of calls.
const ACCEPTED: HeaderValue = HeaderValue::from_static(
    "application/grpc, application/grpc-web, application/grpc-web-text, application/connect+json, \
     application/json",
);

/// An answer on its way. What most requests need of it is small: the head of the request is gone by then.
pub(super) struct Responding {
    answering: Answering,
    open: OpenRequest,
}

impl Responding {
    /// Returns what is held until all of the answer has left.
    pub(super) fn into_open(self) -> OpenRequest {
        self.open
    }
}

type Answering = BoxFuture<'static, Response<ReplyBody>>;

impl Future for Responding {
    type Output = Response<ReplyBody>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        self.answering.as_mut().poll(cx)
    }
}

/// Answers a request.
pub(super) fn respond(connection: &Arc<Connection>, request: Request<Chunks>) -> Responding {
    let is_head = *request.method() == Verb::HEAD && request.version() == Version::HTTP_2;
    let open = connection.open_request();
    let mut answering = begin(connection, request);
    if is_head {
        // RFC 9110, section 9.3.2; over HTTP/1.1 hyper sees to it.
        answering = Box::pin(async { answering.await.map(|_| ReplyBody::Empty) });
    }
    Responding { open, answering }
}

fn begin(connection: &Arc<Connection>, request: Request<Chunks>) -> Answering {
    let hosts = &connection.config.http.hosts;
    if connection.is_local && !host::is_allowed(request.uri(), request.headers(), hosts) {
        let text = "this host name is not served here (see `Server::http_host`)";
        return at_once(plain(StatusCode::FORBIDDEN, text));
    }
    #[cfg(feature = "websocket")]
    let request = match upgrade::begin(connection, request) {
        ControlFlow::Continue(request) => request,
        ControlFlow::Break(response) => return at_once(response),
    };
    match &connection.config.http.cors {
        None => answer(connection, request),
        Some(_) => Box::pin(answer_page(Arc::clone(connection), request)),
    }
}

fn at_once(response: Response<ReplyBody>) -> Answering {
    Box::pin(ready(response))
}

/// Answers a request that may be of a page of another origin.
async fn answer_page(connection: Arc<Connection>, request: Request<Chunks>) -> Response<ReplyBody> {
    let Some(cors) = &connection.config.http.cors else {
        return answer(&connection, request).await;
    };
    if Cors::is_preflight(request.method(), request.headers()) {
        return preflight(cors, request.headers());
    }
    let reader = cors.reader(request.headers());
    let mut response = answer(&connection, request).await;
    reader.put(response.headers_mut());
    response
}

/// Answers the question of a browser whether a page may call.
fn preflight(cors: &Cors, request: &HeaderMap) -> Response<ReplyBody> {
    let Some(headers) = cors.preflight(request) else {
        let text = "pages of this origin may not call here (see `Server::cors`)";
        return plain(StatusCode::FORBIDDEN, text);
    };
    let mut response = Response::new(ReplyBody::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    response
}

/// Answers a request that may be asked here.
fn answer(connection: &Arc<Connection>, request: Request<Chunks>) -> Answering {
    #[cfg(feature = "jsonrpc")]
    if let Some(session) = super::json_rpc::session_for(connection, &request) {
        let connection = Arc::clone(connection);
        return Box::pin(super::json_rpc::answer(session, connection, request));
    }
    let path = path_of_method(request.uri());
    let method = connection.served.methods.resolve(path);
    let method = method.unwrap_or_else(|| Method::named(path));
    match *request.method() {
        Verb::POST => post(connection, request, method),
        Verb::GET if connect::is_call(request.uri().query()) => get(connection, request, method),
        Verb::GET if may_get(&method) => {
            let text = "a call by GET has `encoding` and `message` in its query";
            at_once(not_allowed(text, &method))
        }
        _ => at_once(not_allowed("calls are POST requests", &method)),
    }
}

/// Returns what names the method. What has more slashes before it is another path, for whoever let it through.
pub(super) fn path_of_method(uri: &Uri) -> &str {
    uri.path().strip_prefix('/').unwrap_or_default()
}

/// Answers a call whose message is in the body.
fn post(connection: &Arc<Connection>, request: Request<Chunks>, method: Method) -> Answering {
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    let kind = method.descriptor().map(|it| it.kind());
    let is_unary = kind.is_none_or(|it| it == MethodKind::Unary);
    let streams = kind.is_none_or(|it| it != MethodKind::Unary);
    match content_type.as_ref().and_then(Protocol::of) {
        Some(Protocol::Enveloped(Dialect::Grpc, _)) if request.version() != Version::HTTP_2 => {
            let text = "gRPC needs HTTP/2";
            at_once(plain(StatusCode::HTTP_VERSION_NOT_SUPPORTED, text))
        }
        Some(Protocol::Enveloped(Dialect::Connect, _)) if !streams => {
            unsupported("a method that does not stream is called with `application/json`")
        }
        Some(Protocol::Enveloped(dialect, subtype)) => {
            envelopes::answer(connection, request, dialect, subtype)
        }
        Some(Protocol::ConnectUnary(subtype)) if is_unary => {
            match content_type::encoding(subtype) {
                Some(encoding) => {
                    let connection = Arc::clone(connection);
                    Box::pin(connect::post(connection, request, method, encoding))
                }
                None => unsupported("the encoding is not known here"),
            }
        }
        Some(Protocol::ConnectUnary(_)) => {
            unsupported("a method that streams is called with `application/connect+json`")
        }
        None => unsupported(
            "the content type is not that of a call: that of JSON is `application/json`",
        ),
    }
}

/// Answers a call whose message is in the URL, which browsers and caches may repeat.
fn get(connection: &Arc<Connection>, request: Request<Chunks>, method: Method) -> Answering {
    if !may_get(&method) {
        let text = "only methods that are `read_only` and do not stream are called by GET";
        return at_once(not_allowed(text, &method));
    }
    let answered = connect::get(Arc::clone(connection), request.into_parts().0, method);
    Box::pin(async move {
        let answered = answered.await;
        answered.unwrap_or_else(|| not_supported("the query's `encoding` is not known here"))
    })
}

fn may_get(method: &Method) -> bool {
    let descriptor = method.descriptor();
    descriptor.is_some_and(|it| it.is_read_only() && it.kind() == MethodKind::Unary)
}

/// Refuses an HTTP method, and says which there are.
fn not_allowed(text: &'static str, method: &Method) -> Response<ReplyBody> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
    let allowed = if may_get(method) { "GET, POST" } else { "POST" };
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(ALLOW, allowed);
    response
}

/// Refuses a content type, and says which there are.
fn unsupported(text: &'static str) -> Answering {
    at_once(not_supported(text))
}

fn not_supported(text: &'static str) -> Response<ReplyBody> {
    let mut response = plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    response.headers_mut().insert(ACCEPT_POST, ACCEPTED);
    response
}

/// Makes an answer for people, to what is no call.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Bytes(text.as_bytes().into()));
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
