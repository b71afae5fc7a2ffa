//! What the users of a connection meet at: calls both ways, and what waits to be written.

use std::collections::{BTreeSet, HashMap};
use std::task::Waker;

use bytes::{Buf, BytesMut};
use tokio::time::Instant;

use super::calls::{OurCall, PeersCall};
use super::chunks::Chunks;
use super::connection::{Role, Shared};
use super::field::{FieldType, put_varint_field};
use super::frame::{Flags, FrameType};
use super::outgoing::{Body, Outgoing, Parts};
use super::own_ids::OwnIds;
use super::room::Waiting;
use crate::call::Cancellation;
use crate::status::{Code, Status};

/// What [`Shared`] keeps under its lock.
pub(super) struct State {
    pub(super) outgoing: Outgoing,
    /// Set while the driver waits for something to do.
    pub(super) driver: Option<Waker>,
    /// The driver was to be woken while it was at work, and looks again before it waits.
    pub(super) looks_again: bool,
    pub(super) next_call: u64,
    pub(super) calls: OwnIds<u64, OurCall>,
    pub(super) peers_calls: HashMap<u64, PeersCall>,
    /// Those of them that have ended for the peer, by when they are dropped. A peer may make each
    /// request cost a look at this, so it is never counted through.
    pub(super) silenced: BTreeSet<(Instant, u64)>,
    /// Our numbers for the peer's methods, by service and index.
    pub(super) method_numbers: OwnIds<(usize, usize), u64>,
    /// Who waits for room in `outgoing`, or for the peer's settings.
    pub(super) room: Waiting,
    /// The earliest moment at which some call must be looked at.
    pub(super) next_sweep: Option<Instant>,
    pub(super) closed: Option<Status>,
    /// The peer takes no new calls.
    pub(super) peer_draining: bool,
    /// Our preface and settings are out.
    pub(super) introduced: bool,
    /// We take no new calls.
    pub(super) draining: bool,
    /// Answers that our calls got since anything was written.
    pub(super) answered: usize,
    /// Batches that hold writes back.
    pub(super) corked: usize,
}

impl State {
    pub(super) fn new(role: Role) -> Self {
        Self {
            outgoing: Outgoing::default(),
            driver: None,
            looks_again: false,
            next_call: role.first_call(),
            calls: OwnIds::default(),
            peers_calls: HashMap::new(),
            silenced: BTreeSet::new(),
            method_numbers: OwnIds::default(),
            room: Waiting::default(),
            next_sweep: None,
            closed: None,
            peer_draining: false,
            introduced: false,
            draining: false,
            answered: 0,
            corked: 0,
        }
    }

    /// Takes the waker of the driver, which must see what has changed. One that is at work may have looked
    /// already, and looks again.
    pub(super) fn call_driver(&mut self) -> Option<Waker> {
        let driver = self.driver.take();
        self.looks_again |= driver.is_none();
        driver
    }

    /// Decides how what was just queued is sent: see [`Shared::flush_or_wake`].
    pub(super) fn flush(&mut self, shared: &Shared) -> Flush {
        if self.corked > 0 {
            return Flush::Leave;
        }
        // The driver must see the last call of an ending connection go.
        if self.has_company() || self.driver.is_none() || shared.is_ending(self) {
            return self.driver.take().map_or(Flush::Leave, Flush::Wake);
        }
        Flush::Write
    }

    /// Says whether others have something to send or to wait for as well, or soon will: callers who
    /// were answered together call again together.
    pub(super) fn has_company(&self) -> bool {
        self.calls.len() + self.peers_calls.len() > 1 || self.answered > 1
    }

    /// Moves what the next write takes into `batch`, which is empty.
    pub(super) fn take_outgoing(&mut self, batch: &mut Chunks) {
        self.outgoing.take(batch);
        if batch.has_remaining() {
            self.answered = 0;
        }
    }

    pub(super) fn push(&mut self, frame_type: FrameType, flags: Flags, call: u64, payload: &[u8]) {
        self.outgoing.push(Parts {
            frame_type,
            flags,
            call,
            head: &[],
            body: Body::Slice(payload),
        });
    }

    pub(super) fn push_cancel(&mut self, call: u64, code: Code) {
        self.outgoing.forget(call);
        let mut payload = BytesMut::new();
        put_varint_field(&mut payload, FieldType::CODE, code.number().into());
        self.push(FrameType::CANCEL, Flags::NONE, call, &payload);
    }

    pub(super) fn is_corked(&self) -> bool {
        self.corked > 0
    }

    /// Returns the signal of a call of the peer that is still open for it.
    pub(super) fn signal_of(&self, id: u64) -> Option<Cancellation> {
        let call = self.peers_calls.get(&id).filter(|it| !it.silenced)?;
        Some(call.cancellation.clone())
    }

    /// Takes a call of the peer out.
    pub(super) fn remove_peers_call(&mut self, id: u64) -> Option<PeersCall> {
        let call = self.peers_calls.remove(&id)?;
        if let (true, Some(expires)) = (call.silenced, call.expires) {
            self.silenced.remove(&(expires, id));
        }
        Some(call)
    }

    /// Ends a call for the peer, and returns when its handler is dropped.
    pub(super) fn silence(&mut self, id: u64, grace_ends: Instant) -> Option<Instant> {
        let call = self.peers_calls.get_mut(&id)?;
        call.silence(grace_ends);
        let expires = call.expires?;
        self.silenced.insert((expires, id));
        Some(expires)
    }

    /// Counts the calls that are open for the peer. One that it gave up has freed its place there,
    /// so it must not take one here while its handler has its grace.
    pub(super) fn open_calls_of_peer(&self) -> usize {
        self.peers_calls.len().saturating_sub(self.silenced.len())
    }

    /// Takes out the call whose grace ends first: a peer that begins and gives up calls faster
    /// than their grace ends cannot pile up handlers.
    pub(super) fn take_oldest_silenced(&mut self) -> Option<PeersCall> {
        let (_, id) = *self.silenced.first()?;
        self.remove_peers_call(id)
    }

    /// Notes that something must be looked at by `moment`; true if the driver must hear of it.
    pub(super) fn sweep_by(&mut self, moment: Option<Instant>) -> bool {
        let Some(moment) = moment else {
            return false;
        };
        let earlier = self.next_sweep.is_none_or(|next| moment < next);
        if earlier {
            self.next_sweep = Some(moment);
        }
        earlier
    }
}

/// How what was queued gets on its way.
pub(super) enum Flush {
    /// The driver is at work, or a batch holds writes back.
    Leave,
    Wake(Waker),
    /// By the caller itself.
    Write,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_who_were_answered_together_are_company_until_something_is_written() {
        let mut state = State::new(Role::Connected);
        assert!(!state.has_company());
        state.answered = 2;
        let mut batch = Chunks::default();
        state.take_outgoing(&mut batch);
        assert!(state.has_company(), "there was nothing to write");
        state.push(FrameType::PING, Flags::NONE, 0, &[0; 8]);
        state.take_outgoing(&mut batch);
        assert!(!state.has_company());
    }
}
