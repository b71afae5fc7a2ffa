//! HTTP/2: one task for the connection, and one for each request.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::chunks::Chunks;
use super::grpc;
use super::keepalive::Keepalive;
use super::prefixed::Prefixed;
use super::reply_body::{Part, ReplyBody};
use super::respond::respond;
use super::server::Connection;
use crate::call::{Cancellation, Limits};
use crate::status::Status;
use crate::wire::config::Config;

/// What is kept of a list of headers for those that are not metadata.
const OTHER_HEADERS: usize = 8 << 10;

/// The most bytes of a window (RFC 9113, section 6.9.1).
const MAX_WINDOW: usize = (1 << 31) - 1;

/// About what waits to be written for one stream.
const SEND_BUFFER: usize = 256 << 10;

/// How many calls a peer may give up before they were looked at, all at once; a flood of them
/// (CVE-2023-44487) ends the connection.
const MAX_RESETS: usize = 1_000;

/// How much a peer may send before it hears of more.
pub(super) fn connection_window(limits: &Limits) -> u32 {
    let bytes = limits.max_buffered.clamp(1 << 16, MAX_WINDOW);
    u32::try_from(bytes).unwrap_or(u32::MAX >> 1)
}

/// How long a list of headers may be for HTTP/2 itself, which counts 32 bytes an entry. More than
/// metadata may have, so that the limit is named by whoever knows its name.
pub(super) fn max_header_list(limits: &Limits) -> u32 {
    let bytes = OTHER_HEADERS + 4 * limits.max_metadata;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// How much of one stream waits to be written.
pub(super) fn send_buffer(limits: &Limits) -> usize {
    SEND_BUFFER.min(limits.max_outgoing)
}

type Http2 = server::Connection<Prefixed, Bytes>;

/// Serves one connection to its end.
pub(super) async fn serve(
    connection: Arc<Connection>,
    io: Prefixed,
    drained: Cancellation,
) -> Result<(), Status> {
    let (mut http2, mut keepalive) = open(&connection.config, io).await?;
    // Dropped with the connection, and the calls with it.
    let mut calls = JoinSet::new();
    let mut idle = pin!(connection.idle());
    let mut drained = pin!(drained.cancelled());
    let mut ending = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = drained.as_mut(), if !ending => None,
            () = idle.as_mut(), if !ending => None,
            silent = poll_fn(|cx| keepalive.poll_silent(cx, true)) => return Err(silent),
            Some(_) = calls.join_next() => continue,
            accepted = http2.accept() => match accepted {
                Some(request) => Some(request.map_err(broken)?),
                None => return Ok(()),
            },
        };
        match accepted {
            Some((request, reply)) => {
                calls.spawn(answer(Arc::clone(&connection), request, reply));
            }
            None => {
                ending = true;
                http2.graceful_shutdown();
            }
        }
    }
}

/// Exchanges prefaces and settings.
async fn open(config: &Config, io: Prefixed) -> Result<(Http2, Keepalive), Status> {
    let limits = &config.limits;
    let last_read = io.last_read();
    let mut builder = server::Builder::new();
    builder
        .initial_window_size(limits.stream_window)
        .initial_connection_window_size(connection_window(limits))
        .max_concurrent_streams(limits.max_calls)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_header_list_size(max_header_list(limits))
        .max_send_buffer_size(send_buffer(limits));
    let handshake = timeout(config.handshake_timeout, builder.handshake(io)).await;
    let mut http2 = handshake
        .map_err(|_| Status::unavailable("the HTTP/2 handshake took over `handshake_timeout`"))?
        .map_err(broken)?;
    let keepalive = Keepalive::new(
        http2.ping_pong(),
        last_read,
        config.keepalive_interval,
        config.keepalive_timeout,
        config.frame_timeout,
    );
    Ok((http2, keepalive))
}

fn broken(error: h2::Error) -> Status {
    Status::unavailable("the HTTP/2 connection broke").with_source(error)
}

/// Answers one request; ends early when the peer does not want the answer any more.
async fn answer(
    connection: Arc<Connection>,
    request: Request<RecvStream>,
    mut reply: SendResponse<Bytes>,
) {
    let mut responding = pin!(respond(connection, request.map(Chunks::Http2)));
    let response = poll_fn(|cx| {
        if let Poll::Ready(response) = responding.as_mut().poll(cx) {
            return Poll::Ready(Some(response));
        }
        reply.poll_reset(cx).map(|_| None)
    });
    let Some(response) = response.await else {
        return;
    };
    let (head, body) = response.into_parts();
    let head = Response::from_parts(head, ());
    // An error means that the stream is over, and nobody is left to tell.
    if let Ok(stream) = reply.send_response(head, body.is_end()) {
        let mut sending = Sending {
            stream,
            body,
            chunk: Bytes::new(),
        };
        if !sending.body.is_end() {
            poll_fn(|cx| sending.poll(cx)).await;
        }
    }
}

/// A body on its way out, as fast as its peer takes it.
struct Sending {
    stream: SendStream<Bytes>,
    body: ReplyBody,
    /// What the peer has given no room for yet.
    chunk: Bytes,
}

impl Sending {
    /// Ready when the body was handed over, or the peer does not want it any more.
    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        loop {
            if self.stream.poll_reset(cx).is_ready() {
                return Poll::Ready(());
            }
            if !self.chunk.is_empty() {
                let last = self.body.is_end();
                match poll_send(&mut self.stream, &mut self.chunk, last, cx) {
                    Poll::Ready(Ok(false)) => {}
                    Poll::Ready(Ok(true) | Err(_)) => return Poll::Ready(()),
                    Poll::Pending => {
                        // A peer that takes nothing does not keep a call from its deadline.
                        if !ready!(self.body.poll_expired(cx)) {
                            self.stream.send_reset(Reason::CANCEL);
                            return Poll::Ready(());
                        }
                        self.chunk.clear();
                    }
                }
                continue;
            }
            // Asked for only as long as the body is: room that is held back is missed by others.
            self.stream.reserve_capacity(grpc::BATCH);
            let part = self.body.poll_part(cx, self.stream.capacity());
            if part.is_pending() {
                self.stream.reserve_capacity(0);
            }
            match ready!(part) {
                Some(Part::Data(bytes)) => self.chunk = bytes,
                Some(Part::Trailers(trailers)) => {
                    let _ = self.stream.send_trailers(trailers);
                    return Poll::Ready(());
                }
                None => {
                    let _ = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(());
                }
            }
        }
    }
}

/// Hands over what there is room for of a chunk, which is the `last` one or not. True if the
/// stream has ended.
pub(super) fn poll_send(
    stream: &mut SendStream<Bytes>,
    chunk: &mut Bytes,
    last: bool,
    cx: &mut TaskContext<'_>,
) -> Poll<Result<bool, h2::Error>> {
    while stream.capacity() == 0 {
        stream.reserve_capacity(chunk.len());
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => return Poll::Ready(Err(error)),
            None => return Poll::Ready(Ok(true)),
        }
    }
    let length = stream.capacity().min(chunk.len());
    let piece = chunk.split_to(length);
    let end = chunk.is_empty() && last;
    stream.send_data(piece, end)?;
    Poll::Ready(Ok(end))
}
