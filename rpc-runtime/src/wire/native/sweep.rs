//! Deadlines: the calls of a connection are looked at when the earliest one has come.

use bytes::BytesMut;
use tokio::time::Instant;

use super::calls::PeersCall;
use super::connection::State;
use super::field::{FieldType, put_field, put_varint_field};
use super::frame::{Flags, FrameType};
use super::receive::Receiver;
use crate::status::{Code, Status};

/// What a call is told whose deadline has passed.
const EXPIRED: &str = "the deadline passed before the call ended";

impl Receiver {
    /// Looks at the deadlines of all calls.
    pub(super) fn sweep(&mut self, now: Instant) {
        let mut state = self.shared.state();
        let due = |expires: Option<Instant>| expires.is_some_and(|it| it <= now);
        let mut ours: Vec<u64> = state
            .calls
            .iter()
            .filter(|(_, it)| due(it.expires))
            .map(|(call, _)| *call)
            .collect();
        let mut peers: Vec<u64> = state
            .peers_calls
            .iter()
            .filter(|(_, it)| due(it.expires))
            .map(|(call, _)| *call)
            .collect();
        // The same events always lead to the same order of wake-ups.
        ours.sort_unstable();
        peers.sort_unstable();
        let mut expired = Vec::new();
        for call in ours {
            if let Some(removed) = self.shared.remove_call(&mut state, call) {
                state.push_cancel(call, Code::DeadlineExceeded);
                expired.push(removed);
            }
        }
        let mut dropped = Vec::new();
        let grace = self.shared.config.cancel_grace;
        for call in peers {
            dropped.extend(expire_peers(&mut state, call, now + grace));
        }
        let ours = state.calls.values().filter_map(|it| it.expires);
        let peers = state.peers_calls.values().filter_map(|it| it.expires);
        state.next_sweep = ours.chain(peers).min();
        drop(state);
        for call in expired {
            let text = if call.deadline.is_some_and(|it| it <= now) {
                EXPIRED
            } else {
                "the stream was not accepted in time"
            };
            let status = Status::deadline_exceeded(text).at_peer(&self.shared.peer);
            self.finish(call, Err(status));
        }
        let reason = Status::cancelled("the call was cancelled");
        for call in dropped {
            self.shared.drop_peers_call(call, &reason);
        }
    }
}

/// Ends a call of the peer whose deadline has passed; one whose grace period has passed comes
/// back, to be dropped.
fn expire_peers(state: &mut State, call: u64, grace_ends: Instant) -> Option<PeersCall> {
    if state.peers_calls.get(&call)?.silenced {
        return state.remove_peers_call(call);
    }
    state.silence(call, grace_ends);
    state.outgoing.forget(call);
    let mut payload = BytesMut::new();
    let code = Code::DeadlineExceeded.number();
    put_varint_field(&mut payload, FieldType::CODE, code.into());
    put_field(&mut payload, FieldType::TEXT, EXPIRED.as_bytes());
    state.push(FrameType::ERROR, Flags::END, call, &payload);
    None
}
