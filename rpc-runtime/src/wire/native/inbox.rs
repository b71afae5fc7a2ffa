//! What a call has received and its reader has not taken yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::assembly::{Assembly, Payload, lend_first};
use super::connection::Role;
use super::frame::{RUN_MESSAGE, Run};
use crate::call::{Granted, Metadata};
use crate::status::Status;
use crate::wire::budget::Budget;

/// What each message costs of a stream's window besides its length, so that empty ones count.
pub(super) const MESSAGE_OVERHEAD: i64 = 16;

/// What a queued message costs of the budget besides its length: its place in the queue and in the
/// allocator. Otherwise empty ones would be free.
const PLACE: usize = 96;

/// Messages up to this size are copied before they wait, because each would keep the whole memory
/// that it was read into: 64 KiB and more.
const COPIED: usize = 16 << 10;

/// Whole replies up to this size are not counted in the budget.
pub(super) const SHORT_REPLY: usize = 4 << 10;

/// One direction of one call, from the task that reads the connection to the task that reads the
/// call. It has a lock of its own, so readers of different calls do not meet.
#[derive(Default)]
pub(super) struct Inbox(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The metadata of the acceptance, which a reply begins with.
    accepted: Option<Metadata>,
    /// With which the stream can be gone on with elsewhere.
    granted: Option<Box<Granted>>,
    /// A reply that came whole in one frame, with what the budget holds for it.
    reply: Option<(Bytes, usize)>,
    messages: VecDeque<Received>,
    /// In a box, because few calls have it.
    assembly: Option<Box<Assembly>>,
    end: Option<Result<Metadata, Status>>,
    waker: Option<Waker>,
    /// What the sender may still send, as it was told.
    credit: i64,
    /// Bytes that the budget holds for this call.
    charged: usize,
    abandoned: bool,
}

/// What waits for the reader.
pub(super) enum Received {
    Message {
        bytes: Bytes,
        counted: bool,
    },
    /// Several that cost credit, in the frames that they came in.
    Run(Run),
    /// So many were left out before the next one.
    Skipped(u32),
}

impl Received {
    /// What it holds of the budget.
    pub(super) fn charge(&self) -> usize {
        PLACE
            + match self {
                Self::Message { bytes, .. } => bytes.len(),
                Self::Run(run) => run.len(),
                // There is none without a message beside it, so that one's place is enough.
                Self::Skipped(_) => return 0,
            }
    }
}

/// A fragment of a message, or all of it.
pub(super) struct Fragment {
    pub(super) payload: Payload,
    /// Whether more of this message follows.
    pub(super) more: bool,
    /// Whether the message came outside a REQUEST or RESPONSE and so costs credit.
    pub(super) counted: bool,
}

/// What bounds an inbox.
pub(super) struct Bounds<'a> {
    /// Which side this is, whose bounds these are.
    pub(super) role: Role,
    pub(super) max_message: usize,
    pub(super) message_timeout: Duration,
    pub(super) budget: &'a Budget,
}

impl Bounds<'_> {
    /// Counts what is held for the peer.
    fn charge(&self, bytes: usize) -> Result<(), Status> {
        Ok(self.budget.try_charge(bytes)?)
    }

    /// Takes a whole reply in, with what is counted for it. Short ones are not counted: the limit
    /// on calls bounds them well enough.
    fn charge_reply(&self, bytes: Bytes) -> Result<(Bytes, usize), Status> {
        if bytes.len() > self.max_message {
            return Err(too_large(bytes.len(), self.max_message, self.role));
        }
        if bytes.len() <= SHORT_REPLY {
            return Ok((bytes, 0));
        }
        let charge = bytes.len();
        self.charge(charge)?;
        Ok((bytes, charge))
    }
}

/// What a reply begins with, and all of it if it is here.
#[derive(Default)]
pub(super) struct Accepted {
    pub(super) metadata: Metadata,
    /// The one message of the reply and its trailers.
    pub(super) whole: Option<(Bytes, Metadata)>,
}

impl Inbox {
    pub(super) fn new(window: u32) -> Self {
        Self(Mutex::new(Inner {
            credit: i64::from(window),
            ..Inner::default()
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way, so a poisoned lock is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the acceptance of a call of ours.
    pub(super) fn accept(
        &self,
        metadata: Metadata,
        granted: Option<Box<Granted>>,
    ) -> Option<Waker> {
        let mut inner = self.lock();
        inner.accepted = Some(metadata);
        inner.granted = granted;
        inner.waker.take()
    }

    /// Takes that with which the stream can be gone on with elsewhere, if it can.
    pub(super) fn take_granted(&self) -> Option<Box<Granted>> {
        self.lock().granted.take()
    }

    /// Adds what came of a message.
    pub(super) fn push(
        &self,
        fragment: Fragment,
        bounds: &Bounds<'_>,
    ) -> Result<Option<Waker>, Status> {
        let mut inner = self.lock();
        if inner.abandoned || inner.end.is_some() {
            return Ok(None);
        }
        inner.push(fragment, bounds)
    }

    /// Adds several whole messages that cost credit.
    pub(super) fn push_run(&self, run: Run, bounds: &Bounds<'_>) -> Result<Option<Waker>, Status> {
        let mut inner = self.lock();
        if inner.abandoned || inner.end.is_some() {
            return Ok(None);
        }
        inner.push_run(run, bounds)
    }

    /// Notes that so many messages were left out. Who reads is not woken before a message or the end.
    pub(super) fn push_skipped(&self, skipped: u32) {
        let mut inner = self.lock();
        if inner.abandoned || inner.end.is_some() {
            return;
        }
        match inner.messages.back_mut() {
            Some(Received::Skipped(before)) => *before = before.saturating_add(skipped),
            _ => inner.messages.push_back(Received::Skipped(skipped)),
        }
    }

    /// Lends memory for the next fragment of `length` bytes and the header behind it, so that the
    /// fragment is read where the message is put together. It comes back as [`Payload::InPlace`].
    ///
    /// There is none for what is not a fragment, or is longer than what came before lets one trust.
    pub(super) fn lend(&self, length: usize, more: bool, bounds: &Bounds<'_>) -> Option<BytesMut> {
        let mut inner = self.lock();
        if inner.abandoned || inner.end.is_some() {
            return None;
        }
        let so_far = inner.assembly.as_ref().map_or(0, |it| it.len());
        if so_far.saturating_add(length) > bounds.max_message {
            return None;
        }
        match &mut inner.assembly {
            Some(assembly) => assembly.lend(length),
            None if more => lend_first(length),
            None => None,
        }
    }

    /// Returns when the call fails if a message of which fragments have come does not come on.
    pub(super) fn message_expires(&self) -> Option<Instant> {
        let inner = self.lock();
        let waits = inner.end.is_none();
        inner
            .assembly
            .as_ref()
            .filter(|_| waits)
            .map(|it| it.expires)
    }

    /// Drops what has come of a message that will never be whole.
    pub(super) fn drop_incomplete(&self, budget: &Budget) {
        let mut inner = self.lock();
        if let Some(assembly) = inner.assembly.take() {
            inner.uncharge(assembly.len() + assembly.paid(), budget);
        }
    }

    /// Adds the end. Only the first one counts.
    pub(super) fn end(&self, end: Result<Metadata, Status>) -> Option<Waker> {
        let mut inner = self.lock();
        if inner.end.is_none() {
            inner.end = Some(match end {
                Ok(_) if inner.assembly.is_some() => {
                    Err(Status::internal("the peer ended a stream inside a message"))
                }
                end => end,
            });
        }
        inner.waker.take()
    }

    /// Ends a stream whose call is answered: who reads on, as a task of the handler's may, hears of that.
    pub(super) fn answered(&self) {
        let text = "the call of the stream was answered before its end";
        let waker = self.end(Err(Status::cancelled(text)));
        waker.into_iter().for_each(Waker::wake);
    }

    /// Adds a reply that came whole in one frame: acceptance, message and good end.
    pub(super) fn reply(
        &self,
        metadata: Metadata,
        message: Option<Bytes>,
        bounds: &Bounds<'_>,
    ) -> Result<Option<Waker>, Status> {
        let mut inner = self.lock();
        if inner.abandoned || inner.end.is_some() {
            return Ok(None);
        }
        if let Some(bytes) = message {
            inner.reply = Some(bounds.charge_reply(bytes)?);
        }
        inner.accepted = Some(metadata);
        inner.end = Some(Ok(Metadata::default()));
        Ok(inner.waker.take())
    }

    /// Waits for the acceptance or a failure.
    pub(super) fn poll_accepted(
        &self,
        cx: &mut TaskContext<'_>,
        budget: &Budget,
    ) -> Poll<Result<Accepted, Status>> {
        let mut inner = self.lock();
        if let Some(metadata) = inner.accepted.take() {
            let whole = inner.take_whole(budget);
            return Poll::Ready(Ok(Accepted { metadata, whole }));
        }
        match &inner.end {
            Some(Err(status)) => Poll::Ready(Err(status.clone())),
            // An end without a RESPONSE before it is an empty stream.
            Some(Ok(_)) => Poll::Ready(Ok(Accepted::default())),
            None => {
                set_waker(&mut inner.waker, cx);
                Poll::Pending
            }
        }
    }

    /// Releases what the reader has handed out, and gives it, which has nothing left, all messages
    /// that are here; else the end.
    pub(super) fn poll_refill(
        &self,
        cx: &mut TaskContext<'_>,
        messages: &mut VecDeque<Received>,
        spent: usize,
        budget: &Budget,
    ) -> Poll<Option<Result<Metadata, Status>>> {
        let mut inner = self.lock();
        inner.uncharge(spent, budget);
        if !inner.messages.is_empty() {
            std::mem::swap(&mut inner.messages, messages);
            return Poll::Ready(None);
        }
        match &inner.end {
            Some(end) => Poll::Ready(Some(end.clone())),
            None => {
                set_waker(&mut inner.waker, cx);
                Poll::Pending
            }
        }
    }

    /// Releases what the reader has handed out; says whether its sender gets `credit` for it.
    pub(super) fn settle(&self, spent: usize, credit: Option<u64>, budget: &Budget) -> bool {
        let mut inner = self.lock();
        inner.uncharge(spent, budget);
        let gives = credit.filter(|_| inner.end.is_none());
        inner.credit += gives.map_or(0, |it| i64::try_from(it).unwrap_or(i64::MAX));
        gives.is_some()
    }

    /// Drops what is here and what still comes: nobody will read it.
    pub(super) fn abandon(&self, budget: &Budget) {
        let mut inner = self.lock();
        inner.abandoned = true;
        if let Some((_, charged)) = inner.reply.take() {
            budget.release(charged);
        }
        inner.messages.clear();
        inner.assembly = None;
        let charged = std::mem::take(&mut inner.charged);
        budget.release(charged);
        inner.waker = None;
    }
}

impl Inner {
    fn push(&mut self, fragment: Fragment, bounds: &Bounds<'_>) -> Result<Option<Waker>, Status> {
        let counted = self
            .assembly
            .as_ref()
            .map_or(fragment.counted, |it| it.counted);
        if self.assembly.is_none() && counted && self.credit <= 0 {
            return Err(Status::resource_exhausted(
                "the peer sent more of a stream than the limit `stream_window` lets it",
            ));
        }
        let so_far = self.assembly.as_ref().map_or(0, |it| it.len());
        let added = fragment.payload.len();
        let length = so_far.saturating_add(added);
        if length > bounds.max_message {
            return Err(too_large(length, bounds.max_message, bounds.role));
        }
        let paid = self.assembly.as_ref().map_or(0, |it| it.paid());
        let place = if fragment.more { 0 } else { PLACE };
        let charge = added - paid.min(added) + place;
        bounds.charge(charge)?;
        self.charged += charge;
        let bytes = match (self.assembly.take(), fragment.more) {
            (None, true) => {
                let (assembly, reused) = Assembly::begin(fragment.payload, counted, bounds);
                self.assembly = Some(Box::new(assembly));
                self.charged += reused;
                self.uncharge(added.min(reused), bounds.budget);
                return Ok(None);
            }
            (Some(mut assembly), true) => {
                assembly.add(fragment.payload);
                assembly.postpone(added, bounds);
                self.assembly = Some(assembly);
                return Ok(None);
            }
            // A single reply is taken at once; what belongs to a stream may wait.
            (None, false) if counted => compact(fragment.payload.into_bytes()),
            (None, false) => fragment.payload.into_bytes(),
            (Some(mut assembly), false) => {
                assembly.add(fragment.payload);
                self.uncharge(assembly.paid(), bounds.budget);
                assembly.finish(bounds)
            }
        };
        if counted {
            self.credit -= cost(bytes.len());
        }
        self.messages
            .push_back(Received::Message { bytes, counted });
        Ok(self.waker.take())
    }

    fn push_run(&mut self, mut run: Run, bounds: &Bounds<'_>) -> Result<Option<Waker>, Status> {
        // The frames cost as much credit as they have bytes. If some of them may be too much, or
        // the first one ends a message, each is looked at.
        let cost = i64::try_from(run.len()).unwrap_or(i64::MAX);
        let simple = self.assembly.is_none() && bounds.max_message >= RUN_MESSAGE as usize;
        if !simple || cost > self.credit {
            while let Some(bytes) = run.next() {
                let fragment = Fragment {
                    payload: Payload::Shared(bytes),
                    more: false,
                    counted: true,
                };
                // The waker stays for the last of them, or for the end.
                let waker = self.push(fragment, bounds)?;
                self.waker = waker;
            }
            return Ok(self.waker.take());
        }
        let received = Received::Run(run);
        let charge = received.charge();
        bounds.charge(charge)?;
        self.charged += charge;
        self.credit -= cost;
        self.messages.push_back(received);
        Ok(self.waker.take())
    }

    /// Takes a reply that is here whole: one message and a good end.
    fn take_whole(&mut self, budget: &Budget) -> Option<(Bytes, Metadata)> {
        if let Some((bytes, charged)) = self.reply.take() {
            budget.release(charged);
            return Some((bytes, Metadata::default()));
        }
        // With what a stream was granted it stays one, however short it is.
        let is_whole = self.messages.len() == 1 && matches!(self.end, Some(Ok(_)));
        if !is_whole || self.granted.is_some() {
            return None;
        }
        let Some(Received::Message { bytes, .. }) = self.messages.front_mut() else {
            return None;
        };
        let bytes = std::mem::take(bytes);
        self.messages.clear();
        self.uncharge(bytes.len() + PLACE, budget);
        let trailers = match &mut self.end {
            Some(Ok(trailers)) => trailers.take(),
            _ => Metadata::default(),
        };
        Some((bytes, trailers))
    }

    /// Releases what is still charged of `bytes`; whoever abandons an inbox releases all of it.
    fn uncharge(&mut self, bytes: usize, budget: &Budget) {
        let bytes = bytes.min(self.charged);
        self.charged -= bytes;
        budget.release(bytes);
    }
}

/// Leaves the waker of a task; that of the same task stays.
fn set_waker(waker: &mut Option<Waker>, cx: &TaskContext<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}

/// Returns the bytes in memory of their own, if they are few.
pub(super) fn compact(bytes: Bytes) -> Bytes {
    match bytes.len() {
        1..=COPIED => Bytes::copy_from_slice(&bytes),
        _ => bytes,
    }
}

/// What a message takes from its stream's window.
pub(super) fn cost(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX - MESSAGE_OVERHEAD) + MESSAGE_OVERHEAD
}

/// What it means that a message is over the limit of that side. Both sides read it.
pub(super) fn too_large(length: usize, limit: usize, side: Role) -> Status {
    let side = side.name();
    Status::resource_exhausted(format!(
        "a message of {length} bytes or more is over the {side}'s limit `max_message` of {limit} \
         bytes"
    ))
}
