//! The task of a call whose handler was not ready at once.

use std::sync::Arc;

use super::calls::PeersCall;
use super::connection::Shared;
use super::reply::{Reply, send_error, started};
use super::room::Wanted;
use super::sender::{Sender, Side, Stopped, with_scratch};
use super::turn::{has_room, room};
use crate::call::{Cancellation, Kept, Response};
use crate::status::Status;
use crate::wire::catch_panic::{CatchPanic, catch_panic};

/// Waits for a handler and sends its answer.
pub(super) async fn answer(shared: Arc<Shared>, reply: Reply, future: CatchPanic) {
    let answered = catch_panic("the service", send_answer(&shared, reply, future)).await;
    if let Err(status) = answered {
        send_error(&shared, reply.call, reply.encoding, status);
        shared.wake_driver();
    }
}

async fn send_answer(shared: &Arc<Shared>, reply: Reply, future: CatchPanic) {
    // Before the handler goes on, or the replies to a peer that does not read would pile up here.
    if !has_room(shared, Wanted::Any) {
        room(shared, Wanted::Any).await;
    }
    let result = future.await;
    if !has_room(shared, Wanted::Any) {
        room(shared, Wanted::Any).await;
    }
    if let Some(response) = begin_answer(shared, reply, result) {
        // In memory of its own: every call that waits would keep room for it.
        Box::pin(stream(shared, reply, response)).await;
    }
}

/// Queues the answer, or the head of a stream, which comes back.
fn begin_answer(
    shared: &Shared,
    reply: Reply,
    result: Result<Response, Status>,
) -> Option<Response> {
    let call = reply.call;
    let Some(cancellation) = shared.state().signal_of(call) else {
        // Nobody waits for it any more.
        shared.end_peers_call(call);
        return None;
    };
    let result = result.map_err(|status| started(status, &cancellation));
    with_scratch(|frames| {
        let streaming = reply.write(shared, frames, result);
        if let Some(response) = &streaming {
            reply.write_head(frames, response);
        }
        let mut state = shared.state();
        let open = state.peers_calls.get_mut(&call);
        let Some(entry) = open.filter(|it| !it.silenced) else {
            // It was given up meanwhile, and what is large waits already.
            state.outgoing.forget(call);
            drop(state);
            shared.end_peers_call(call);
            return None;
        };
        let ended = match &streaming {
            Some(response) => {
                let kept = response.extensions().get::<Kept>();
                entry.sending.delivered = kept.map(|it| Arc::clone(&it.delivered));
                None
            }
            None => state.remove_peers_call(call),
        };
        state.outgoing.push_frames(frames);
        shared.flush_or_wake_from(state);
        ended.into_iter().for_each(PeersCall::end);
        streaming
    })
}

async fn stream(shared: &Arc<Shared>, reply: Reply, mut response: Response) {
    let Reply { call, encoding, .. } = reply;
    let mut sender = Sender {
        shared: Arc::clone(shared),
        call,
        side: Side::Peers,
        encoding,
        wants: Wanted::Any,
    };
    let mut body = response.take_body();
    match sender.send_all(&mut body).await {
        Ok(trailers) => sender.end(&trailers),
        Err(Stopped::Over) => shared.end_peers_call(call),
        Err(Stopped::Failed(status)) => send_error(shared, call, encoding, status),
        Err(Stopped::Unsendable(status)) => {
            // Or a stream that could be gone on with waited for its caller, who does not come back.
            let signal = shared.state().signal_of(call);
            signal.iter().for_each(Cancellation::cancel);
            send_error(shared, call, encoding, status);
        }
    }
    shared.wake_driver();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_waits_for_its_handler_takes_little_memory() {
        fn size_of_future<F>(_: fn(Arc<Shared>, Reply, CatchPanic) -> F) -> usize {
            size_of::<F>()
        }
        let size = size_of_future(answer);
        assert!(
            size <= 768,
            "{size} bytes, which are also moved a few times"
        );
    }
}
