//! An answer whose body is one message.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;
use http::{HeaderMap, StatusCode};

use super::caller::OWNER;
use super::download::of_broken;
use super::open_call::OpenCall;
use crate::call::{BodyFrame, Frames, Message};
use crate::status::{Phase, Status};
use crate::wire::http::chunks::{Chunks, Stopped};
use crate::wire::http::compression::{Compression, Unpacked};
use crate::wire::http::connect;
#[cfg(feature = "jsonrpc")]
use crate::wire::http::json_rpc;
use crate::wire::http::whole_body::{OwnLimit, WholeBody};

/// The body of an answer. Dropping it before its end gives the call up.
pub(super) struct WholeDownload {
    open: Option<Open>,
    /// What follows the message.
    trailers: Option<HeaderMap>,
}

struct Open {
    body: WholeBody,
    compression: Compression,
    call: OpenCall,
    outcome: Outcome,
}

/// What a body is.
pub(super) enum Outcome {
    /// A message, before this metadata.
    Message(HeaderMap),
    /// A failure, behind these headers.
    Failure(StatusCode, HeaderMap),
    /// A text of JSON-RPC, behind this status.
    #[cfg(feature = "jsonrpc")]
    JsonRpc(StatusCode),
}

impl WholeDownload {
    pub(super) fn new(
        chunks: Chunks,
        compression: Compression,
        call: OpenCall,
        outcome: Outcome,
    ) -> Self {
        let link = &call.link;
        let body = WholeBody::new(chunks, &link.budget, &link.config.limits, OWNER);
        let open = Some(Open {
            body,
            compression,
            call,
            outcome,
        });
        Self {
            open,
            trailers: None,
        }
    }
}

impl Open {
    fn poll_bytes(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Unpacked, Status>> {
        if let Poll::Ready(status) = self.call.poll_over(cx) {
            return Poll::Ready(Err(status));
        }
        let read = ready!(self.body.poll_read(cx)).map_err(|stopped| match stopped {
            Stopped::Failed(status) => status,
            Stopped::Broken(error) => self.call.in_time(of_broken(error)),
        });
        if read.is_ok() {
            self.call.answered();
        }
        let limit = OwnLimit {
            bytes: self.call.link.config.limits.max_message,
            owner: OWNER,
        };
        Poll::Ready(read.and_then(|bytes| {
            let malformed = || Status::internal("the reply cannot be decompressed");
            Ok(Unpacked {
                bytes: limit.unpack(bytes, self.compression, malformed)?,
                was_compressed: self.compression == Compression::Gzip,
            })
        }))
    }

    /// Makes what was asked for of the whole body.
    fn finish(self, body: Unpacked) -> Result<(Message, HeaderMap), Status> {
        let limits = &self.call.link.config.limits;
        match self.outcome {
            Outcome::Message(trailers) => {
                let limits = limits.decode_limits();
                let message = body.into_message(self.call.encoding, limits);
                Ok((message, trailers))
            }
            Outcome::Failure(http, headers) => {
                let failure = connect::of_answer(http, &body.bytes, limits);
                Err(connect::with_metadata(failure, headers, limits))
            }
            #[cfg(feature = "jsonrpc")]
            Outcome::JsonRpc(http) => {
                let result = json_rpc::result(http, &body.bytes)?;
                let message =
                    Message::with_limits(result, self.call.encoding, limits.decode_limits());
                Ok((message, HeaderMap::new()))
            }
        }
    }
}

impl Stream for WholeDownload {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let Some(open) = &mut self.open else {
            let trailers = self.trailers.take();
            return Poll::Ready(trailers.map(|it| Ok(BodyFrame::Trailers(it))));
        };
        let read = ready!(open.poll_bytes(cx));
        let Some(open) = self.open.take() else {
            return Poll::Ready(None);
        };
        let peer = Arc::clone(&open.call.link.peer);
        let finished = read.and_then(|body| open.finish(body));
        Poll::Ready(Some(match finished {
            Ok((message, trailers)) => {
                self.trailers = Some(trailers).filter(|it| !it.is_empty());
                Ok(BodyFrame::Message(message))
            }
            Err(status) => Err(status.in_phase(Phase::Reply).at_peer(&peer)),
        }))
    }
}

// There is only one.
impl Frames for WholeDownload {}
