//! The task of a call whose handler was not ready at once.

use std::sync::Arc;

use bytes::BytesMut;

use super::connection::Shared;
use super::reply::{Reply, send_error, started};
use super::room::Wanted;
use super::sender::{Sender, Side, Stopped};
use super::turn::{has_room, room};
use crate::call::Body;
use crate::codec::Encoding;
use crate::wire::catch_panic::{CatchPanic, catch_panic};

/// Waits for a handler and sends its answer.
pub(super) async fn answer(shared: Arc<Shared>, reply: Reply, future: CatchPanic) {
    let answered = catch_panic("the service", send_answer(&shared, reply, future)).await;
    if let Err(status) = answered {
        send_error(&shared, reply.call, reply.encoding, status);
        shared.state().remove_peers_call(reply.call);
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
    let call = reply.call;
    let result = result.map_err(|status| match shared.state().peers_calls.get(&call) {
        Some(entry) => started(status, &entry.cancellation),
        None => status,
    });
    let encoding = reply.encoding;
    let mut frames = BytesMut::new();
    let streaming = match reply.write(shared, &mut frames, result) {
        None => None,
        Some(response) => {
            reply.write_head(&mut frames, &response);
            Some(response)
        }
    };
    {
        let mut state = shared.state();
        let Some(entry) = state.peers_calls.get(&call) else {
            return;
        };
        let silenced = entry.silenced;
        if streaming.is_none() || silenced {
            state.remove_peers_call(call);
        }
        if !silenced {
            state.outgoing.push_frames(&frames);
        }
        if silenced {
            return;
        }
    }
    shared.flush_or_wake();
    if let Some(mut response) = streaming {
        let mut body = response.take_body();
        stream(shared, call, encoding, &mut body).await;
    }
}

async fn stream(shared: &Arc<Shared>, call: u64, encoding: Encoding, body: &mut Body) {
    let mut sender = Sender {
        shared: Arc::clone(shared),
        call,
        side: Side::Peers,
        encoding,
        wants: Wanted::Any,
    };
    match sender.send_all(body).await {
        Ok(trailers) => sender.end(&trailers),
        Err(Stopped::Over) => {}
        Err(Stopped::Failed(status)) => send_error(shared, call, encoding, status),
    }
    shared.state().remove_peers_call(call);
    shared.wake_driver();
}
