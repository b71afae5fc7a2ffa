//! Methods that a call runs once, however often it is made: a call that is made again gets the first
//! answer.

use bytes::Bytes;

use super::answers::{Answer, Answers, Found, Leaving, Waiting, Whole};
use super::dispatch::HandlerFuture;
use crate::call::{Body, BodyFrame, CALL_ID, Request, Response};
use crate::codec::Encoding;
use crate::status::Status;

/// The longest name of a call.
const MAX_CALL_ID: usize = 64;

/// Serves a call of a method that is marked `once`: the first time by running it, to its end also when
/// its caller leaves, as he may come back; later with the answer that there is.
pub(super) fn dispatch(
    mut request: Request,
    encoding: Encoding,
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
        let key = answers.key(&request, id, &body);
        match answers.find_or_begin(key, request.deadline_instant())? {
            Found::Before(waiting) => given(waiting).await,
            Found::First(leaving, waiting) => {
                request.forget_cancellation();
                let handler = run(request);
                tokio::spawn(finish(handler, encoding, leaving));
                given(waiting).await
            }
        }
    })
}

/// Runs a call in a task of its own, which nobody but its deadline ends.
async fn finish(handler: HandlerFuture, encoding: Encoding, leaving: Leaving) {
    let answer = match handler.await {
        Ok(response) => whole(response, encoding),
        Err(status) => Err(status),
    };
    leaving.leave(answer);
}

async fn given(mut waiting: Waiting) -> Result<Response, Status> {
    let answer = match waiting.wait_for(Option::is_some).await {
        Ok(answer) => answer.clone(),
        Err(_) => None,
    };
    match answer.as_deref() {
        Some(Ok(whole)) => Ok(whole.response()),
        Some(Err(status)) => Err(status.clone()),
        None => Err(Status::internal("the call ended without an answer")),
    }
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

fn whole(mut response: Response, encoding: Encoding) -> Answer {
    let mut body = response.take_body();
    let message = match body.single_mut() {
        // A copy, and not a part of something larger that would be kept with it.
        Some(message) => Some((Bytes::copy_from_slice(&message.bytes(encoding)?), encoding)),
        None => None,
    };
    Ok(Whole {
        message,
        metadata: response.take_metadata().into_map(),
        trailers: response.take_trailers().into_map(),
    })
}
