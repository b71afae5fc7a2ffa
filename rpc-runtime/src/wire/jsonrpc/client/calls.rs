//! The calls that wait for their answer, and what is to be written.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, oneshot};

use crate::status::Status;
use crate::wire::jsonrpc::dialect::Dialect;

/// How a call ends: with the text of its result, or why it has none.
pub(super) type Outcome = Result<Bytes, Status>;

/// What the calls of a connection share with its driver.
pub(super) struct Calls {
    dialect: &'static Dialect,
    state: Mutex<State>,
    /// There is something to write, or nobody left to write for.
    pub(super) changed: Notify,
    /// There is room for more.
    pub(super) room: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    /// In the order in which they went out. One that was given up stays where answers have no id,
    /// so that its answer is not taken for another's.
    open: BTreeMap<u64, Option<oneshot::Sender<Outcome>>>,
    out: BytesMut,
    /// Nobody begins a call any more.
    is_left: bool,
    closed: Option<Status>,
}

impl Calls {
    pub(super) fn new(dialect: &'static Dialect) -> Self {
        Self {
            dialect,
            state: Mutex::default(),
            changed: Notify::new(),
            room: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_id(&self) -> u64 {
        let mut state = self.state();
        state.next += 1;
        state.next
    }

    /// Queues a call, and returns what its answer is looked for by.
    ///
    /// # Errors
    ///
    /// Why the connection is closed.
    pub(super) fn begin(
        &self,
        id: u64,
        text: &[u8],
    ) -> Result<(u64, oneshot::Receiver<Outcome>), Status> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(reason.clone().into_not_started());
        }
        // Without ids, what counts is the order here.
        let key = if self.dialect.is_ordered {
            state.next += 1;
            state.next
        } else {
            id
        };
        state.open.insert(key, Some(sender));
        self.dialect.framing.put(&mut state.out, text);
        drop(state);
        self.changed.notify_one();
        Ok((key, receiver))
    }

    /// Forgets a call.
    pub(super) fn give_up(&self, key: u64) {
        let mut state = self.state();
        if self.dialect.is_ordered {
            if let Some(open) = state.open.get_mut(&key) {
                *open = None;
            }
        } else {
            state.open.remove(&key);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Ends the call that an answer belongs to; false if there is none.
    pub(super) fn end(&self, id: Option<u64>, outcome: Outcome) -> bool {
        let mut state = self.state();
        let found = match id {
            _ if self.dialect.is_ordered => state.open.pop_first().map(|(_, sender)| sender),
            Some(id) => state.open.remove(&id),
            // What could not be read is the only one there is, or nobody knows which.
            None if state.open.len() == 1 => state.open.pop_first().map(|(_, sender)| sender),
            None => None,
        };
        drop(state);
        let is_known = found.is_some();
        if let Some(sender) = found.flatten() {
            let _ = sender.send(outcome);
        }
        is_known
    }

    pub(super) fn close(&self, reason: &Status) {
        let mut state = self.state();
        state.closed.get_or_insert_with(|| reason.clone());
        let open = std::mem::take(&mut state.open);
        drop(state);
        for sender in open.into_values().flatten() {
            let _ = sender.send(Err(reason.clone()));
        }
        self.room.notify_waiters();
    }

    pub(super) fn closed(&self) -> Option<Status> {
        self.state().closed.clone()
    }

    pub(super) fn open(&self) -> usize {
        self.state().open.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.state().out.len()
    }

    /// Takes what is to be written.
    pub(super) fn take_out(&self) -> BytesMut {
        let out = std::mem::take(&mut self.state().out);
        self.room.notify_waiters();
        out
    }

    /// Says that nobody begins a call any more.
    pub(super) fn leave(&self) {
        self.state().is_left = true;
        self.changed.notify_one();
    }

    /// Says whether there is nothing left to do.
    pub(super) fn is_over(&self) -> bool {
        let state = self.state();
        let awaited = state.open.values().flatten().count();
        state.is_left && awaited == 0 && state.out.is_empty()
    }
}
