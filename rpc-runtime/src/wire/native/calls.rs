//! The calls of a connection, as its state keeps them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::connection::Shared;
use super::inbox::Inbox;
use super::settings::WireSettings;
use crate::call::{Cancellation, Metadata, MethodHandle};
use crate::codec::Encoding;
use crate::status::Status;
use crate::wire::budget::{Exceeded, LIGHT};
use crate::wire::config::RunningCall;

/// A call of ours.
pub(super) struct OurCall {
    pub(super) inbox: Arc<Inbox>,
    /// The RESPONSE has come.
    pub(super) accepted: bool,
    pub(super) sending: Sending,
    pub(super) upload: Option<AbortHandle>,
    /// When the call fails; before the acceptance of a stream, when that fails.
    pub(super) expires: Option<Instant>,
    /// What `expires` becomes at the acceptance.
    pub(super) deadline: Option<Instant>,
    pub(super) encoding: Encoding,
    /// The method, which is numbered if the peer tells a number.
    pub(super) method: Option<MethodHandle>,
}

/// A call of the peer that is being served.
pub(super) struct PeersCall {
    pub(super) cancellation: Cancellation,
    pub(super) task: Option<AbortHandle>,
    pub(super) upload: Option<Arc<Inbox>>,
    pub(super) sending: Sending,
    /// When the call is cancelled, or, once it is, when it is dropped.
    pub(super) expires: Option<Instant>,
    /// The call has ended for the peer, and nothing more is sent for it.
    pub(super) silenced: bool,
    pub(super) _running: RunningCall,
    pub(super) _held: Option<Held>,
}

impl PeersCall {
    /// Ends a call that is answered and was taken out; not under the state's lock.
    pub(super) fn end(self) {
        if let Some(upload) = &self.upload {
            upload.answered();
        }
    }
}

/// What a call of the peer brought and may keep until it ends, counted in the budget.
pub(super) struct Held {
    shared: Weak<Shared>,
    bytes: usize,
}

impl Held {
    /// Counts what is not light.
    pub(super) fn try_new(shared: &Arc<Shared>, bytes: usize) -> Result<Option<Self>, Exceeded> {
        if bytes <= LIGHT {
            return Ok(None);
        }
        shared.budget.try_charge(bytes)?;
        let shared = Arc::downgrade(shared);
        Ok(Some(Self { shared, bytes }))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.upgrade() {
            shared.budget.release(self.bytes);
        }
    }
}

/// The credit of a stream that is being sent.
#[derive(Default)]
pub(super) struct Sending {
    pub(super) credit: i64,
    pub(super) waker: Option<Waker>,
    /// Where what the reader gives back is counted, if somebody wants to know.
    pub(super) delivered: Option<Arc<AtomicU64>>,
}

impl Sending {
    /// Begins with the window of the peer, or with nothing until the peer has told it.
    pub(super) fn new(settings: Option<&WireSettings>) -> Self {
        Self {
            credit: settings.map_or(0, |it| i64::from(it.stream_window)),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, credit: i64) -> Option<Waker> {
        if let Some(delivered) = &self.delivered {
            delivered.fetch_add(credit.unsigned_abs(), Ordering::Relaxed);
        }
        self.credit = self.credit.saturating_add(credit);
        if self.credit > 0 {
            self.waker.take()
        } else {
            None
        }
    }
}

impl PeersCall {
    /// Tells the handler that its call is over for the peer; it is dropped at `moment`.
    pub(super) fn silence(&mut self, moment: Instant) {
        self.cancellation.cancel();
        if !self.silenced {
            self.silenced = true;
            self.expires = Some(moment);
        }
        if let Some(waker) = self.sending.waker.take() {
            waker.wake();
        }
    }
}

impl OurCall {
    /// Ends the call for its reader.
    pub(super) fn finish(self, end: Result<Metadata, Status>) {
        if let Some(waker) = self.inbox.end(end) {
            waker.wake();
        }
        self.stop_upload();
    }

    pub(super) fn stop_upload(&self) {
        if let Some(upload) = &self.upload {
            upload.abort();
        }
    }
}
