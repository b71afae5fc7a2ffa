//! Streams that outlive their connection: a caller that lost it comes back over another one, and goes
//! on behind the last item that it has.
//!
//! A stream that is kept has a task of its own, which asks the handler for items and leaves them in a
//! buffer; whoever reads the response takes them there, and what was taken stays until it is known to
//! have arrived. So nothing of a handler belongs to a connection.

mod buffer;
mod limits;
mod reader;
mod stream;
mod streams;

pub use self::limits::ReplayLimits;
use self::stream::Caller;
pub(super) use self::streams::Streams;
use super::dispatch::HandlerFuture;
use crate::call::{Cancellation, Request, Resume, ResumeIn};
use crate::codec::Encoding;

/// Serves a call of a method that is marked `resumable`, whose caller may be able to come back, or
/// comes back with it.
pub(super) fn dispatch(
    mut request: Request,
    encoding: Encoding,
    run: impl FnOnce(Request) -> HandlerFuture,
) -> HandlerFuture {
    let asked = request.extensions_mut().remove::<ResumeIn>();
    let streams = Streams::of(&request);
    match (asked, streams) {
        (Some(ResumeIn(Resume::Behind { token, received })), Some(streams)) => {
            let resumed = streams.resume(&request, encoding, &token, received);
            Box::pin(std::future::ready(resumed))
        }
        (Some(ResumeIn(Resume::Behind { .. })), None) => {
            Box::pin(std::future::ready(Err(stream::unknown())))
        }
        (Some(ResumeIn(Resume::Able)), Some(streams)) => begin(&streams, request, encoding, run),
        _ => run(request),
    }
}

/// Begins a stream that is kept, as long as there is a place for it.
fn begin(
    streams: &Streams,
    mut request: Request,
    encoding: Encoding,
    run: impl FnOnce(Request) -> HandlerFuture,
) -> HandlerFuture {
    let caller = Caller::of(&request, encoding);
    let deadline = request.deadline_instant();
    // The handler's own signal: that the connection is lost does not concern it.
    let own = Cancellation::new();
    let Some(place) = streams.begin(caller, deadline, own.clone()) else {
        return run(request);
    };
    let wire = request.cancellation().cloned().unwrap_or_default();
    wire.start();
    request.set_cancellation(own);
    let handler = run(request);
    Box::pin(async move {
        let mut response = handler.await?;
        if response.body().is_stream() {
            let body = response.take_body();
            let (body, kept) = place.keep(body, wire);
            response.set_body(body);
            response.extensions_mut().insert(kept);
        }
        Ok(response)
    })
}
