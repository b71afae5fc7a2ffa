//! What a call has received and its reader has not taken yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::frame::{RUN_MESSAGE, Run};
use crate::status::Status;
use crate::wire::budget::{Budget, Exceeded};

/// What each message costs of a stream's window besides its length, so that empty ones count.
pub(super) const MESSAGE_OVERHEAD: i64 = 16;

/// What a queued message costs of the budget besides its length: its place in the queue and in the
/// allocator. Otherwise empty ones would be free.
const PLACE: usize = 96;

/// Messages up to this size are copied before they wait, because each would keep the whole memory
/// that it was read into: 64 KiB and more.
const COPIED: usize = 16 << 10;

/// One direction of one call, from the task that reads the connection to the task that reads the
/// call. It has a lock of its own, so readers of different calls do not meet.
#[derive(Default)]
pub(super) struct Inbox(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// The metadata of the acceptance, which a reply begins with.
    accepted: Option<HeaderMap>,
    is_accepted: bool,
    messages: VecDeque<Received>,
    assembly: Option<Assembly>,
    end: Option<Result<HeaderMap, Status>>,
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
}

impl Received {
    /// What it holds of the budget.
    pub(super) fn charge(&self) -> usize {
        PLACE
            + match self {
                Self::Message { bytes, .. } => bytes.len(),
                Self::Run(run) => run.len(),
            }
    }
}

/// A message of which fragments have come.
struct Assembly {
    bytes: BytesMut,
    counted: bool,
}

/// A fragment of a message, or all of it.
pub(super) struct Fragment {
    pub(super) bytes: Bytes,
    /// Whether more of this message follows.
    pub(super) more: bool,
    /// Whether the message came outside a REQUEST or RESPONSE and so costs credit.
    pub(super) counted: bool,
}

/// What bounds an inbox.
pub(super) struct Bounds<'a> {
    pub(super) max_message: usize,
    pub(super) budget: &'a Budget,
}

impl Inbox {
    pub(super) fn new(window: u32) -> Self {
        let inbox = Self::default();
        inbox.lock().credit = i64::from(window);
        inbox
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here can panic half-way, so a poisoned lock is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the acceptance of a call of ours.
    pub(super) fn accept(&self, metadata: HeaderMap) -> Option<Waker> {
        let mut inner = self.lock();
        if !inner.is_accepted {
            inner.is_accepted = true;
            inner.accepted = Some(metadata);
        }
        inner.waker.take()
    }

    /// Says whether the acceptance has come.
    pub(super) fn is_accepted(&self) -> bool {
        self.lock().is_accepted
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

    /// Adds the end. Only the first one counts.
    pub(super) fn end(&self, end: Result<HeaderMap, Status>) -> Option<Waker> {
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

    /// Waits for the acceptance or a failure.
    pub(super) fn poll_accepted(
        &self,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<HeaderMap, Status>> {
        let mut inner = self.lock();
        if let Some(metadata) = inner.accepted.take() {
            return Poll::Ready(Ok(metadata));
        }
        match &inner.end {
            Some(Err(status)) => Poll::Ready(Err(status.clone())),
            // An end without a RESPONSE before it is an empty stream.
            Some(Ok(_)) => Poll::Ready(Ok(HeaderMap::new())),
            None => {
                inner.waker = Some(cx.waker().clone());
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
    ) -> Poll<Option<Result<HeaderMap, Status>>> {
        let mut inner = self.lock();
        inner.uncharge(spent, budget);
        if !inner.messages.is_empty() {
            std::mem::swap(&mut inner.messages, messages);
            return Poll::Ready(None);
        }
        match &inner.end {
            Some(end) => Poll::Ready(Some(end.clone())),
            None => {
                inner.waker = Some(cx.waker().clone());
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

    /// Takes a reply that is here whole: one message and a good end.
    pub(super) fn take_whole(&self, budget: &Budget) -> Option<(Bytes, HeaderMap)> {
        let mut inner = self.lock();
        if inner.messages.len() != 1 || !matches!(inner.end, Some(Ok(_))) {
            return None;
        }
        let Some(Received::Message { bytes, .. }) = inner.messages.front() else {
            return None;
        };
        let bytes = bytes.clone();
        inner.messages.clear();
        inner.uncharge(bytes.len() + PLACE, budget);
        let trailers = match &mut inner.end {
            Some(Ok(trailers)) => std::mem::take(trailers),
            _ => HeaderMap::new(),
        };
        Some((bytes, trailers))
    }

    /// Drops what is here and what still comes: nobody will read it.
    pub(super) fn abandon(&self, budget: &Budget) {
        let mut inner = self.lock();
        inner.abandoned = true;
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
        let so_far = self.assembly.as_ref().map_or(0, |it| it.bytes.len());
        let length = so_far.saturating_add(fragment.bytes.len());
        if length > bounds.max_message {
            return Err(too_large(length, bounds.max_message));
        }
        let place = if fragment.more { 0 } else { PLACE };
        let charge = fragment.bytes.len() + place;
        bounds.budget.try_charge(charge).map_err(over_budget)?;
        self.charged += charge;
        if fragment.more {
            let assembly = self.assembly.get_or_insert_with(|| Assembly {
                bytes: BytesMut::new(),
                counted,
            });
            assembly.bytes.extend_from_slice(&fragment.bytes);
            return Ok(None);
        }
        let bytes = match self.assembly.take() {
            // A single reply is taken at once; what belongs to a stream may wait.
            None if counted => compact(fragment.bytes),
            None => fragment.bytes,
            Some(mut assembly) => {
                assembly.bytes.extend_from_slice(&fragment.bytes);
                assembly.bytes.freeze()
            }
        };
        if counted {
            self.credit -= cost(&bytes);
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
                    bytes,
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
        bounds.budget.try_charge(charge).map_err(over_budget)?;
        self.charged += charge;
        self.credit -= cost;
        self.messages.push_back(received);
        Ok(self.waker.take())
    }

    /// Releases what is still charged of `bytes`; whoever abandons an inbox releases all of it.
    fn uncharge(&mut self, bytes: usize, budget: &Budget) {
        let bytes = bytes.min(self.charged);
        self.charged -= bytes;
        budget.release(bytes);
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
pub(super) fn cost(message: &Bytes) -> i64 {
    i64::try_from(message.len()).unwrap_or(i64::MAX - MESSAGE_OVERHEAD) + MESSAGE_OVERHEAD
}

pub(super) fn too_large(length: usize, limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "a message of {length} bytes or more is over the limit `max_message` of {limit} bytes"
    ))
}

pub(super) fn over_budget(exceeded: Exceeded) -> Status {
    Status::resource_exhausted(match exceeded {
        Exceeded::Connection { limit } => {
            format!("the connection holds the limit `max_buffered` of {limit} bytes already")
        }
        Exceeded::All { limit } => format!(
            "all connections together hold the limit `max_buffered_total` of {limit} bytes already"
        ),
    })
}
