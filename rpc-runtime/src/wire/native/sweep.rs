//! Deadlines: the calls of a connection are looked at when the earliest one has come, and so are
//! messages of which the rest does not come.

use bytes::BytesMut;
use tokio::time::Instant;

use super::calls::PeersCall;
use super::connection::Shared;
use super::field::{FieldType, put_field, put_varint_field};
use super::frame::{Flags, FrameType};
use super::receive::Receiver;
use super::state::State;
use crate::status::{Code, Status};

/// What a call is told whose deadline has passed.
const EXPIRED: &str = "the deadline passed before the call ended";

/// The calls of which something has not come in time, and when the next look is due.
#[derive(Default)]
struct Due {
    ours: Vec<u64>,
    peers: Vec<u64>,
    /// Calls of either side whose message does not come on.
    stalled: Vec<u64>,
    next: Option<Instant>,
}

impl Due {
    fn of(state: &State, now: Instant) -> Self {
        let mut due = Self::default();
        for (call, it) in &state.calls {
            if due.has_come(it.expires, now) {
                due.ours.push(*call);
            } else if due.has_come(it.inbox.message_expires(), now) {
                due.stalled.push(*call);
            }
        }
        for (call, it) in &state.peers_calls {
            let message = || it.upload.as_ref()?.message_expires();
            if due.has_come(it.expires, now) {
                due.peers.push(*call);
            } else if due.has_come(message(), now) {
                due.stalled.push(*call);
            }
        }
        // The same events always lead to the same order of wake-ups.
        due.ours.sort_unstable();
        due.peers.sort_unstable();
        due.stalled.sort_unstable();
        due
    }

    /// Says whether a moment has come; if it is still to come, the next look is not later.
    fn has_come(&mut self, moment: Option<Instant>, now: Instant) -> bool {
        let Some(moment) = moment else {
            return false;
        };
        if moment > now {
            self.next = Some(self.next.map_or(moment, |next| next.min(moment)));
        }
        moment <= now
    }
}

impl Receiver {
    /// Looks at the deadlines of all calls, and at their messages that are not whole.
    pub(super) fn sweep(&mut self, now: Instant) {
        let mut state = self.shared.state();
        let Due {
            ours,
            peers,
            stalled,
            next,
        } = Due::of(&state, now);
        state.next_sweep = next;
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
        for call in stalled {
            self.fail_any(call, stalled_message(&self.shared));
        }
    }
}

/// What it means for a call that the peer does not go on with a message. Also the peer reads it.
fn stalled_message(shared: &Shared) -> Status {
    let (side, limit) = (shared.role.name(), shared.config.limits.message_timeout);
    Status::deadline_exceeded(format!(
        "a message came in part, and the rest not within the {side}'s limit `message_timeout` of \
         {limit:?}"
    ))
}

/// Ends a call of the peer whose deadline has passed; one whose grace period has passed comes
/// back, to be dropped.
fn expire_peers(state: &mut State, call: u64, grace_ends: Instant) -> Option<PeersCall> {
    if state.peers_calls.get(&call)?.silenced {
        return state.remove_peers_call(call);
    }
    let expires = state.silence(call, grace_ends);
    state.sweep_by(expires);
    state.outgoing.forget(call);
    let mut payload = BytesMut::new();
    let code = Code::DeadlineExceeded.number();
    put_varint_field(&mut payload, FieldType::CODE, code.into());
    put_field(&mut payload, FieldType::TEXT, EXPIRED.as_bytes());
    state.push(FrameType::ERROR, Flags::END, call, &payload);
    None
}
