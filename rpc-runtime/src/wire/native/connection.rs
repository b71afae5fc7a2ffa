//! A connection as its users share it: calls both ways, and what waits to be written.
//!
//! One task, the [driver](super::driver), reads and writes. Everyone else meets it in [`Shared`]:
//! a caller appends its frames under a short lock and either writes them at once, when it is
//! alone, or leaves that to the driver; the driver puts what comes into the inbox of its call.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::BytesMut;
use tokio::sync::Semaphore;

use super::calls::{OurCall, PeersCall};
use super::chunks::Chunks;
use super::field::{FieldType, put_field, put_varint_field};
use super::frame::{Flags, FrameType};
use super::outgoing::Outgoing;
use super::own_ids::OwnIds;
use super::settings::WireSettings;
use super::state::{Flush, State};
use super::writer::Writer;
use crate::call::{ConnectionInfo, Peer};
use crate::status::{Code, Status};
use crate::transport::BoxWriter;
use crate::wire::budget::Budget;
use crate::wire::config::{Config, Served};
use crate::wire::cork::Corkable;

/// Which side opened the connection; it decides the numbers of calls.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// Calls 1, 3, 5, …
    Connected,
    /// Calls 2, 4, 6, …
    Accepted,
}

impl Role {
    pub(super) fn first_call(self) -> u64 {
        match self {
            Self::Connected => 1,
            Self::Accepted => 2,
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Connected => Self::Accepted,
            Self::Accepted => Self::Connected,
        }
    }

    /// What people call this side.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Connected => "client",
            Self::Accepted => "server",
        }
    }

    /// Says whether the other side numbers its calls like this.
    pub(super) fn is_peers(self, call: u64) -> bool {
        call != 0 && call % 2 != self.first_call() % 2
    }
}

/// What the driver and all users of a connection share.
pub(super) struct Shared {
    pub(super) role: Role,
    pub(super) config: Arc<Config>,
    pub(super) info: Arc<ConnectionInfo>,
    pub(super) peer: Arc<str>,
    pub(super) served: Option<Arc<Served>>,
    pub(super) budget: Arc<Budget>,
    /// The places for calls of ours that the peer gives: none before its settings.
    pub(super) places: Semaphore,
    /// Handles that can still begin calls; at zero the connection closes when it is idle.
    pub(super) handles: AtomicUsize,
    /// New calls are refused; [`refusal`](Self::refusal) says why.
    pub(super) refuses: AtomicBool,
    /// The last call of the peer that may have been run. Only the driver changes it, before it looks
    /// at `refuses`; who sets `refuses` reads it after that. So no call runs that a GO_AWAY excludes.
    pub(super) last_peers_call: AtomicU64,
    /// What the peer said of itself, once it has.
    pub(super) peer_settings: OnceLock<WireSettings>,
    state: Mutex<State>,
    /// Locked before `state` where both are needed, never the other way round.
    writer: Mutex<Writer>,
}

impl Shared {
    pub(super) fn new(
        role: Role,
        config: Arc<Config>,
        budget: Arc<Budget>,
        info: Arc<ConnectionInfo>,
        peer: Arc<str>,
        served: Option<Arc<Served>>,
        io: BoxWriter,
    ) -> Self {
        Self {
            role,
            budget,
            config,
            info,
            peer,
            served,
            places: Semaphore::new(0),
            handles: AtomicUsize::new(0),
            refuses: AtomicBool::new(false),
            last_peers_call: AtomicU64::new(0),
            peer_settings: OnceLock::new(),
            state: Mutex::new(State::new(role)),
            writer: Mutex::new(Writer::new(io)),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No user code runs under this lock, so a poisoned state is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the driver look again. Called after the state's lock is free.
    pub(super) fn wake_driver(&self) {
        let driver = self.state().call_driver();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    /// Sends what was just queued: at once if the caller is the only one with anything to send or
    /// to wait for, else by the driver, which takes the frames of other calls along.
    pub(super) fn flush_or_wake(&self) {
        self.flush_or_wake_from(self.state());
    }

    /// As [`flush_or_wake`](Self::flush_or_wake), by whoever holds the lock already.
    pub(super) fn flush_or_wake_from(&self, mut state: MutexGuard<'_, State>) {
        let flush = state.flush(self);
        drop(state);
        self.finish_flush(flush);
    }

    /// Does what [`State::flush`] found to be done, once the state's lock is free.
    pub(super) fn finish_flush(&self, flush: Flush) {
        match flush {
            Flush::Leave => {}
            Flush::Wake(driver) => driver.wake(),
            Flush::Write => self.write_alone(),
        }
    }

    /// Says whether the connection closes once its calls have ended, which the driver must notice.
    pub(super) fn is_ending(&self, state: &State) -> bool {
        state.draining || state.peer_draining || self.is_forsaken()
    }

    /// Says whether [`is_ending`](Self::is_ending) can be true: whoever makes it so sets
    /// `refuses` too, before the driver is woken.
    pub(super) fn may_be_ending(&self) -> bool {
        self.refuses.load(Ordering::Acquire) || self.is_forsaken()
    }

    fn is_forsaken(&self) -> bool {
        self.role == Role::Connected && self.handles.load(Ordering::Acquire) == 0
    }

    /// Writes at once, without waiting for the peer to take more: that is left to the driver's turn.
    pub(super) fn write_alone(&self) {
        let Ok(mut writer) = self.writer.try_lock() else {
            return self.wake_driver();
        };
        // The driver registers its own waker when it continues the write.
        let mut cx = TaskContext::from_waker(Waker::noop());
        let done = matches!(writer.poll_write(self, &mut cx), Poll::Ready(Ok(true)));
        drop(writer);
        if !done {
            self.wake_driver();
        }
    }

    /// Writes what is queued; ready with whether that was all.
    pub(super) fn poll_write(&self, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<bool>> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.poll_write(self, cx)
    }

    /// Says whether anything was written since this was last asked.
    pub(super) fn take_write_progress(&self) -> bool {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut writer.progress)
    }

    /// Ends the writing direction.
    pub(super) fn poll_shutdown(&self, cx: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.shut {
            return Poll::Ready(Ok(()));
        }
        let polled = writer.io.as_mut().poll_shutdown(cx);
        writer.shut = polled.is_ready();
        polled
    }

    /// Fails everything on this connection. Only the first reason counts.
    pub(super) fn close(&self, reason: Status) {
        let mut state = self.state();
        if state.closed.is_some() {
            return;
        }
        let reason = reason.at_peer(&self.peer);
        state.closed = Some(reason.clone());
        self.refuses.store(true, Ordering::Release);
        let calls = std::mem::take(&mut state.calls);
        let peers_calls = std::mem::take(&mut state.peers_calls);
        state.silenced.clear();
        let room = state.room.take_all();
        let driver = state.call_driver();
        drop(state);
        self.places.close();
        for call in in_order(calls) {
            call.finish(Err(reason.clone()));
        }
        for call in in_order(peers_calls) {
            call.cancellation.lose();
            self.drop_peers_call(call, &reason);
        }
        room.into_iter().chain(driver).for_each(Waker::wake);
    }

    /// Lets go of the byte stream, of what was not written and of what was learnt. Handles to a
    /// connection may outlive it, and must not keep its socket open, or much memory.
    pub(super) fn release(&self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.io = Box::pin(tokio::io::sink());
        writer.batch = Chunks::default();
        self.budget.spares().clear(&self.budget);
        let mut state = self.state();
        state.outgoing = Outgoing::default();
        state.method_numbers = OwnIds::default();
    }

    /// Takes out a call of the peer that is answered.
    pub(super) fn end_peers_call(&self, call: u64) {
        let removed = self.state().remove_peers_call(call);
        removed.into_iter().for_each(PeersCall::end);
    }

    /// Cancels a call of the peer and drops its handler.
    pub(super) fn drop_peers_call(&self, call: PeersCall, reason: &Status) {
        call.cancellation.cancel();
        if let Some(inbox) = &call.upload {
            let waker = inbox.end(Err(reason.clone()));
            inbox.abandon(&self.budget);
            waker.into_iter().for_each(Waker::wake);
        }
        if let Some(task) = call.task {
            task.abort();
        }
    }

    /// Takes a call of ours out and frees its place.
    pub(super) fn remove_call(&self, state: &mut State, call: u64) -> Option<OurCall> {
        let removed = state.calls.remove(&call);
        if removed.is_some() {
            self.places.add_permits(1);
        }
        removed
    }

    /// Gives up a call of ours: nobody waits for it any more, and the peer is told.
    pub(super) fn cancel(&self, call: u64, code: Code) {
        let mut state = self.state();
        let Some(removed) = self.remove_call(&mut state, call) else {
            return;
        };
        state.push_cancel(call, code);
        drop(state);
        removed.stop_upload();
        self.flush_or_wake();
    }

    /// Says why no call can begin here, if that is so.
    pub(super) fn refusal(&self, state: &State) -> Option<Status> {
        let reason = if let Some(reason) = &state.closed {
            reason.clone()
        } else if state.draining {
            let text = "this side of the connection is shutting down and makes no new calls";
            Status::unavailable(text).at_peer(&self.peer)
        } else if state.peer_draining {
            Status::unavailable("the server is shutting down and takes no new calls")
                .at_peer(&self.peer)
        } else {
            return None;
        };
        Some(reason.into_not_started())
    }

    /// Begins to end the connection: open calls finish, new ones are refused.
    pub(super) fn drain(&self) {
        let mut state = self.state();
        if state.draining || state.closed.is_some() {
            return;
        }
        state.draining = true;
        self.refuses.store(true, Ordering::SeqCst);
        if state.introduced {
            self.push_go_away(&mut state, None, "");
        }
        let driver = state.call_driver();
        drop(state);
        driver.into_iter().for_each(Waker::wake);
    }

    /// Tells the peer that no new calls are taken, and why if that is its fault.
    pub(super) fn push_go_away(&self, state: &mut State, code: Option<Code>, text: &str) {
        let mut payload = BytesMut::new();
        if let Some(code) = code {
            put_varint_field(&mut payload, FieldType::CODE, code.number().into());
            put_field(&mut payload, FieldType::TEXT, text.as_bytes());
        }
        let last = self.last_peers_call.load(Ordering::SeqCst);
        put_varint_field(&mut payload, FieldType::LAST_CALL, last);
        state.push(FrameType::GO_AWAY, Flags::NONE, 0, &payload);
    }

    pub(super) fn handle_dropped(&self) {
        if self.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.wake_driver();
        }
    }
}

impl Peer for Shared {
    fn name(&self) -> &Arc<str> {
        &self.peer
    }
}

impl Corkable for Shared {
    fn cork(&self) {
        self.state().corked += 1;
    }

    fn uncork(&self) {
        let mut state = self.state();
        state.corked -= 1;
        let send = state.corked == 0 && !state.outgoing.is_empty();
        drop(state);
        if send {
            self.write_alone();
        }
    }
}

/// Takes calls out in the order in which they began, so that the same events always lead to the
/// same order of wake-ups.
fn in_order<T>(calls: impl IntoIterator<Item = (u64, T)>) -> impl Iterator<Item = T> {
    let mut calls: Vec<_> = calls.into_iter().collect();
    calls.sort_unstable_by_key(|(call, _)| *call);
    calls.into_iter().map(|(_, call)| call)
}
