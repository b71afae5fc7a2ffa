//! The messages of an answer as they come, and the status behind them.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};

use futures_core::Stream;
use http::HeaderMap;

use super::caller::OWNER;
use super::open_call::OpenCall;
use crate::call::{BodyFrame, Frames, Message, Run};
use crate::status::{Phase, Status};
use crate::wire::http::chunks::{ChunkError, Chunks, Stopped};
use crate::wire::http::compression::Compression;
use crate::wire::http::connect;
use crate::wire::http::dialect::Dialect;
use crate::wire::http::envelopes::end::trailers_of_text;
use crate::wire::http::envelopes::frame::Decoder;
use crate::wire::http::envelopes::messages::Messages;
use crate::wire::http::grpc::status;

/// The body of an answer. Dropping it before its end gives the call up.
pub(super) struct Download(Option<Open>);

struct Open {
    messages: Messages,
    call: OpenCall,
    dialect: Dialect,
    /// All messages have come, and the trailers are next.
    read: bool,
}

impl Download {
    pub(super) fn new(
        chunks: Chunks,
        compression: Compression,
        call: OpenCall,
        dialect: Dialect,
    ) -> Self {
        let limits = &call.link.config.limits;
        let decoder = Decoder::new(limits.max_message, OWNER, compression);
        let decoder = decoder.with_end(dialect.end_flag());
        let (budget, patience) = (&call.link.budget, limits.message_timeout);
        Self(Some(Open {
            messages: Messages::new(chunks, decoder, budget, patience, false),
            call,
            dialect,
            read: false,
        }))
    }
}

impl Open {
    fn poll_next(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Next, Status>> {
        if let Poll::Ready(status) = self.call.poll_over(cx) {
            return Poll::Ready(Err(status));
        }
        if !self.read {
            match ready!(self.messages.poll_message(cx)) {
                Ok(Some(unpacked)) => {
                    let limits = self.call.link.config.limits.decode_limits();
                    let message = unpacked.into_message(self.call.encoding, limits);
                    return Poll::Ready(Ok(Next::Message(message)));
                }
                Ok(None) => {
                    self.read = true;
                    self.call.answered();
                }
                Err(Stopped::Failed(status)) => return Poll::Ready(Err(status)),
                Err(Stopped::Broken(error)) => {
                    return Poll::Ready(Err(self.call.in_time(of_broken(error))));
                }
            }
        }
        self.poll_end(cx)
    }

    /// Reads what is behind the messages.
    fn poll_end(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Next, Status>> {
        let link = &self.call.link;
        let trailers = match self.dialect {
            Dialect::Grpc => {
                let trailers = ready!(self.messages.chunks.poll_trailers(cx)).map_err(of_broken)?;
                Some(trailers.ok_or_else(|| {
                    Status::internal("the server ended the call without trailers").into_remote()
                })?)
            }
            Dialect::GrpcWeb | Dialect::GrpcWebText => {
                let text = self.messages.take_end();
                text.and_then(|it| trailers_of_text(&it))
            }
            Dialect::Connect => {
                let end = connect::of_end(self.messages.take_end(), &link.config.limits);
                return Poll::Ready(end.map(Next::End));
            }
        };
        let mut trailers = trailers.unwrap_or_default();
        let end = status::end(&mut trailers, &link.config.limits);
        Poll::Ready(end.map(Next::End))
    }
}

enum Next {
    Message(Message),
    End(HeaderMap),
}

pub(super) fn of_broken(error: ChunkError) -> Status {
    match error.downcast::<h2::Error>() {
        Ok(error) => status::of_broken_stream(*error),
        Err(error) => {
            let text = "the connection broke before the call had ended";
            Status::unavailable(text).with_source(error)
        }
    }
}

impl Stream for Download {
    type Item = Result<BodyFrame, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        let Some(open) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let ended = match ready!(open.poll_next(cx)) {
            Ok(Next::Message(message)) => {
                return Poll::Ready(Some(Ok(BodyFrame::Message(message))));
            }
            Ok(Next::End(trailers)) => Ok(trailers),
            Err(status) => Err(status.in_phase(Phase::Reply).at_peer(&open.call.link.peer)),
        };
        self.0 = None;
        Poll::Ready(match ended {
            Ok(trailers) if trailers.is_empty() => None,
            Ok(trailers) => Some(Ok(BodyFrame::Trailers(trailers))),
            Err(status) => Some(Err(status)),
        })
    }
}

// A message that came as bytes gains nothing from a batch.
impl Frames for Download {
    fn take_run(mut self: Pin<&mut Self>, run: &mut Run) {
        // What ends a call early ends it between two messages that are here already, too.
        if let Some(open) = &mut self.0
            && !open.call.may_end_early()
        {
            let limits = open.call.link.config.limits.decode_limits();
            *run = Run::new(open.messages.take_run(), open.call.encoding, limits);
        }
    }
}
