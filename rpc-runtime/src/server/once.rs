//! Methods that a call runs once, however often it is made: a call that is made again gets the first
//! answer.

#[cfg(test)]
mod tests;

use bytes::Bytes;

use super::answer::Answer;
use super::answers::{Answers, Found, Leaving, Target};
use super::dispatch::HandlerFuture;
use crate::call::{Body, BodyFrame, CALL_ID, Request};
use crate::codec::Encoding;
use crate::status::Status;

/// The longest name of a call.
const MAX_CALL_ID: usize = 64;

/// Serves a call of a method that is marked `once`: the first time by running it, to its end also when
/// its caller leaves, as it may come back; later with the answer that there is.
pub(super) fn dispatch(
    mut request: Request,
    encoding: Encoding,
    target: Target,
    run: impl FnOnce(Request) -> HandlerFuture + Send + 'static,
) -> HandlerFuture {
    let Some(id) = request.metadata().get(CALL_ID) else {
        // Nobody will make it again.
        return run(request);
    };
    let id = Bytes::copy_from_slice(id.as_bytes());
    Box::pin(async move {
        if id.len() > MAX_CALL_ID {
            return Err(Status::invalid_argument(format!(
                "`{CALL_ID}` is longer than {MAX_CALL_ID} bytes"
            )));
        }
        let answers = Answers::of(&request);
        let encoding = request.encoding().unwrap_or(encoding);
        let body = whole_body(&mut request, encoding).await?;
        let key = answers.key(&request, target, id, &body);
        drop(body);
        let found = answers.find_or_begin(key, request.deadline_instant())?;
        // A handler sees the call, or has seen it. Its own signal is not the wire's, which has to know.
        if let Some(wire) = request.cancellation() {
            wire.start();
        }
        match found {
            Found::Ended(answer) => answer.give(),
            Found::Lost(status) => Err(status),
            Found::Running(waiting) => waiting.answer().await,
            Found::First(leaving, waiting) => {
                request.forget_cancellation();
                spawn(run(request), encoding, leaving);
                waiting.answer().await
            }
        }
    })
}

/// Runs a call in a task of its own, which goes on when its caller leaves, until its deadline and as
/// long as its answer would be kept.
fn spawn(handler: HandlerFuture, encoding: Encoding, leaving: Leaving) {
    tokio::spawn(finish(handler, encoding, leaving));
}

async fn finish(handler: HandlerFuture, encoding: Encoding, leaving: Leaving) {
    let result = tokio::select! {
        biased;
        result = handler => result,
        () = leaving.over() => Err(Status::cancelled("nobody waited for the call any more")),
    };
    leaving.leave(Answer::of(result, encoding));
}

/// Returns the request's message as bytes, and leaves it in the request.
async fn whole_body(request: &mut Request, encoding: Encoding) -> Result<Bytes, Status> {
    if request.body().is_stream() {
        let mut body = request.take_body();
        while let Some(frame) = body.frame().await.transpose()? {
            let BodyFrame::Message(message) = frame else {
                continue;
            };
            if request.body_mut().single_mut().is_some() {
                let path = request.method().path();
                return Err(Status::invalid_argument(format!(
                    "`{path}` takes one message, not a stream"
                )));
            }
            request.set_body(Body::message(message));
        }
    }
    match request.body_mut().single_mut() {
        Some(message) => message.bytes(encoding),
        None => Ok(Bytes::new()),
    }
}
