//! A request goes to its protocol.

#[cfg(feature = "websocket")]
use std::ops::ControlFlow;
use std::sync::Arc;

use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use super::chunks::Chunks;
use super::content_type::Protocol;
use super::reply_body::ReplyBody;
use super::server::Connection;
#[cfg(feature = "websocket")]
use super::upgrade;
use super::{connect, grpc, host};

/// Says what a request may be, to one that is not (<https://www.w3.org/TR/ldp/#header-accept-post>).
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// The content types of calls.
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/grpc, application/json");

/// Answers a request.
pub(super) async fn respond(
    connection: Arc<Connection>,
    request: Request<Chunks>,
) -> Response<ReplyBody> {
    let _open = connection.open_request();
    let (peer, hosts) = (connection.info.peer(), &connection.config.http_hosts);
    if !host::is_allowed(peer, request.uri(), request.headers(), hosts) {
        let text = "this host name is not served here (see `Server::http_host`)";
        return plain(StatusCode::FORBIDDEN, text);
    }
    #[cfg(feature = "websocket")]
    let request = match upgrade::begin(&connection, request) {
        ControlFlow::Continue(request) => request,
        ControlFlow::Break(response) => return response,
    };
    if request.method() != Method::POST {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "calls are POST requests");
        let allowed = HeaderValue::from_static("POST");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    let content_type = request.headers().get(CONTENT_TYPE).cloned();
    match content_type.as_ref().and_then(Protocol::of) {
        Some(Protocol::Grpc(_)) if request.version() != Version::HTTP_2 => {
            plain(StatusCode::HTTP_VERSION_NOT_SUPPORTED, "gRPC needs HTTP/2")
        }
        Some(Protocol::Grpc(subtype)) => grpc::answer(connection, request, subtype).await,
        Some(Protocol::ConnectUnary(subtype)) => {
            match connect::answer(connection, request, subtype).await {
                Some(response) => response,
                None => unsupported("a method that streams is called over gRPC"),
            }
        }
        None => unsupported("the content type is not that of a call"),
    }
}

/// Refuses a content type, and says which there are.
fn unsupported(text: &'static str) -> Response<ReplyBody> {
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
