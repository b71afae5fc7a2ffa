//! HTTP/2: one task for the connection, and one for each request that is not answered at once.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use h2::server::{self, SendResponse};
use h2::{RecvStream, SendStream};
use http::{Request, Response};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::backlog::{Backlog, Counted};
use super::chunks::Chunks;
use super::envelopes::WholeReply;
use super::keepalive::Keepalive;
use super::prefixed::Prefixed;
use super::reply_body::ReplyBody;
use super::respond::{Responding, respond};
use super::sending::Sending;
use super::server::Connection;
use crate::call::{Cancellation, Limits};
use crate::status::Status;
use crate::wire::config::Config;
use crate::wire::first_poll::{poll_through, poll_to_handler};
use crate::wire::incomplete::Held;
use crate::wire::pace::{InPlace, Pace};

/// What is kept of a list of headers for those that are not metadata.
const OTHER_HEADERS: usize = 8 << 10;

/// The most bytes of a window (RFC 9113, section 6.9.1).
const MAX_WINDOW: usize = (1 << 31) - 1;

/// About what waits to be written for one stream.
const SEND_BUFFER: usize = 256 << 10;

/// How many calls a peer may give up before they were looked at, all at once; a flood of them
/// (CVE-2023-44487) ends the connection.
const MAX_RESETS: usize = 1_000;

/// How many streams that were reset here are remembered, and for how long: of a call that is refused before all of
/// it has come, the rest comes then. What comes of one that is forgotten counts as a mistake of the peer's, and a
/// thousand of these end the connection.
const RESETS_REMEMBERED: usize = 4_096;
const REMEMBERED_FOR: Duration = Duration::from_secs(2);

/// How many requests are taken before they are answered, and the answers written: few enough that the peer goes on with
/// the first on another core while the rest is worked off, and enough for a write.
const AT_ONCE: usize = 16;

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

type Http2 = server::Connection<Prefixed, Counted>;

/// Serves one connection to its end.
pub(super) async fn serve(
    connection: Arc<Connection>,
    io: Prefixed,
    drained: Cancellation,
) -> Result<(), Status> {
    let (http2, mut keepalive) = open(&connection.config, io).await?;
    let mut requests = Requests {
        backlog: Backlog::new(
            connection.config.limits.max_outgoing,
            connection.config.shared_budget.clone(),
        ),
        connection: Arc::clone(&connection),
        http2,
        came: Vec::new(),
        pace: Pace::default(),
        tasks: JoinSet::new(),
    };
    let mut idle = pin!(connection.idle(None));
    let mut drained = pin!(drained.cancelled());
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            () = drained.as_mut(), if !ending => {}
            () = idle.as_mut(), if !ending => {}
            silent = poll_fn(|cx| keepalive.poll_silent(cx, true)) => return Err(silent),
            ended = poll_fn(|cx| requests.poll_answer(cx)) => return ended,
        }
        ending = true;
        requests.http2.graceful_shutdown();
    }
}

/// The requests of a connection, and what answers them.
struct Requests {
    connection: Arc<Connection>,
    http2: Http2,
    /// What the connection is still to write. While that is too much, no more is taken on.
    backlog: Arc<Backlog>,
    /// Came together, and are to be answered now.
    came: Vec<(Request<RecvStream>, SendResponse<Counted>)>,
    pace: Pace,
    /// Those that are not answered at once. Dropped with the connection, and the calls with it.
    tasks: JoinSet<()>,
}

impl Requests {
    /// Ready when the connection has ended.
    fn poll_answer(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        while let Poll::Ready(Some(_)) = self.tasks.poll_join_next(cx) {}
        loop {
            let taken = self.poll_take(cx);
            if self.came.is_empty() || taken.is_ready() {
                return taken;
            }
            self.answer();
        }
    }

    /// Takes what comes together, so that the answers leave together. Ready at the end.
    fn poll_take(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        while self.came.len() < AT_ONCE {
            if self.backlog.is_full() {
                // Others are read and written meanwhile.
                if let Poll::Ready(ended) = self.http2.poll_closed(cx) {
                    return Poll::Ready(ended.map_err(broken));
                }
                if self.backlog.is_full() {
                    return Poll::Pending;
                }
            }
            match ready!(self.http2.poll_accept(cx)) {
                Some(asked) => self.came.push(asked.map_err(broken)?),
                None => return Poll::Ready(Ok(())),
            }
        }
        Poll::Pending
    }

    /// Answers each request in place, if it can be at once, and else in a task.
    fn answer(&mut self) {
        let mut turns = InPlace::default();
        // What is not ready is polled by its task next.
        let mut cx = TaskContext::from_waker(Waker::noop());
        for (request, reply) in self.came.drain(..) {
            let responding = respond(&self.connection, request.map(Chunks::Http2));
            let held = Held::new(Arc::clone(&self.connection.budget));
            let backlog = Arc::clone(&self.backlog);
            let mut answering = Box::pin(answer(responding, reply, held, backlog));
            let call = answering.as_mut();
            let polled = if !self.pace.is_quick() {
                poll_to_handler(call, &mut cx, &mut turns)
            } else if turns.begin() {
                poll_through(call, &mut cx, &mut self.pace, &mut turns)
            } else {
                Poll::Pending
            };
            if polled.is_pending() {
                self.tasks.spawn(answering);
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
        .max_concurrent_reset_streams(RESETS_REMEMBERED)
        .reset_stream_duration(REMEMBERED_FOR)
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
    mut responding: Responding,
    mut reply: SendResponse<Counted>,
    held: Held,
    backlog: Arc<Backlog>,
) {
    let response = poll_fn(|cx| {
        if let Poll::Ready(response) = Pin::new(&mut responding).poll(cx) {
            return Poll::Ready(Some(response));
        }
        reply.poll_reset(cx).map(|_| None)
    });
    let Some(response) = response.await else {
        return;
    };
    let _open = responding.into_open();
    let (head, body) = response.into_parts();
    let head = Response::from_parts(head, ());
    let Ok(mut stream) = reply.send_response(head, body.is_end()) else {
        // The stream is over, and nobody is left to tell.
        return;
    };
    let body = match body {
        ReplyBody::Whole(reply) if has_room(&mut stream, reply.waiting(), &backlog) => {
            return send_at_once(stream, reply, backlog);
        }
        body => body,
    };
    if !body.is_end() {
        let mut sending = Sending::new(stream, body, held, backlog);
        poll_fn(|cx| sending.poll(cx)).await;
    }
}

/// Says whether there is room for so many bytes with the peer, and here.
fn has_room(stream: &mut SendStream<Counted>, bytes: usize, backlog: &Backlog) -> bool {
    if backlog.is_full() {
        return false;
    }
    stream.reserve_capacity(bytes);
    stream.capacity() >= bytes
}

/// Sends an answer that is one message.
fn send_at_once(mut stream: SendStream<Counted>, reply: WholeReply, backlog: Arc<Backlog>) {
    let (message, trailers) = reply.into_parts();
    let sent = stream.send_data(backlog.count(message), false);
    let _ = sent.and_then(|()| stream.send_trailers(trailers));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each request has a future of its own, in memory that is taken and given back.
    #[test]
    fn what_a_request_needs_until_it_is_answered_is_small() {
        type Answer<F> = fn(Responding, SendResponse<Counted>, Held, Arc<Backlog>) -> F;
        fn size_of_future<F>(_: Answer<F>) -> usize {
            size_of::<F>()
        }
        let size = size_of_future(answer);
        assert!(size <= 768, "{size} bytes");
    }
}
