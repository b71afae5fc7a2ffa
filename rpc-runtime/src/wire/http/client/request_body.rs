//! The body of a request over HTTP/1.1.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::{mpsc, oneshot};

use crate::call::{Body, Filled};
use crate::status::Status;
use crate::wire::catch_panic::catch_panic;
use crate::wire::http::envelopes::{BATCH, Batches};

/// What goes out behind the head of a request.
pub(super) enum RequestBody {
    /// One message, in pieces.
    Whole(VecDeque<Bytes>),
    /// What streams. It has ended well only if its end came.
    Streamed {
        pieces: mpsc::Receiver<Piece>,
        ended: bool,
    },
}

/// A part of what streams.
pub(super) enum Piece {
    Data(Bytes),
    End,
}

/// What streams was given up before its end, which the server must not take for one.
#[derive(Debug)]
pub(super) struct GivenUp;

impl fmt::Display for GivenUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request was given up before its end")
    }
}

impl std::error::Error for GivenUp {}

impl http_body::Body for RequestBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        match &mut *self {
            Self::Whole(pieces) => Poll::Ready(pieces.pop_front().map(|it| Ok(Frame::data(it)))),
            Self::Streamed { ended: true, .. } => Poll::Ready(None),
            Self::Streamed { pieces, ended } => Poll::Ready(match ready!(pieces.poll_recv(cx)) {
                Some(Piece::Data(bytes)) => Some(Ok(Frame::data(bytes))),
                Some(Piece::End) => {
                    *ended = true;
                    None
                }
                None => Some(Err(GivenUp)),
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(pieces) => pieces.is_empty(),
            Self::Streamed { ended, .. } => *ended,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(pieces) => {
                SizeHint::with_exact(pieces.iter().map(|it| it.len() as u64).sum())
            }
            Self::Streamed { .. } => SizeHint::default(),
        }
    }
}

/// A stream on its way out.
pub(super) struct ChunkedUpload {
    /// Encoded, and next to go out.
    pub(super) ready: VecDeque<Bytes>,
    pub(super) body: Body,
    pub(super) batches: Batches,
    pub(super) pieces: mpsc::Sender<Piece>,
    /// Hears why the stream failed.
    pub(super) failed: oneshot::Sender<Status>,
}

/// Sends a stream to its end. One that fails is never an end for the peer: the connection breaks.
pub(super) async fn upload(mut upload: ChunkedUpload) {
    let sent = catch_panic("the stream of the call", upload.send_all()).await;
    if let Err(status) = sent.unwrap_or_else(Err) {
        let _ = upload.failed.send(status);
    }
}

impl ChunkedUpload {
    async fn send_all(&mut self) -> Result<(), Status> {
        loop {
            // Nothing is made ahead of what there is room for.
            let Ok(mut room) = self.pieces.reserve().await else {
                // The call is over; nobody is left to tell.
                return Ok(());
            };
            while let Some(piece) = self.ready.pop_front() {
                room.send(Piece::Data(piece));
                room = match self.pieces.reserve().await {
                    Ok(room) => room,
                    Err(_) => return Ok(()),
                };
            }
            let (batches, ready, body) = (&mut self.batches, &mut self.ready, &mut self.body);
            let filled = poll_fn(|cx| match batches.fill(cx, BATCH, ready, body) {
                Filled::Waiting if ready.is_empty() => Poll::Pending,
                filled => Poll::Ready(filled),
            });
            match filled.await {
                Filled::Failed(status) => return Err(status),
                Filled::Ended(_) if self.ready.is_empty() => {
                    room.send(Piece::End);
                    return Ok(());
                }
                // Asked again, a body that has ended says so again.
                _ => {}
            }
        }
    }
}
