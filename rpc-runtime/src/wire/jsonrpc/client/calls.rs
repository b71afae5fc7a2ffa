//! The calls that wait for their answer, the streams they opened, and what is to be written.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout};

use super::feeds::{Ending, Feeds};
use crate::status::Status;
use crate::wire::budget::Budget;
use crate::wire::jsonrpc::dialect::{Dialect, Notice, Outgoing};

/// How a call ends: with the text of its result, or why it has none.
pub(super) type Outcome = Result<Bytes, Status>;

/// What the calls of a connection share with its driver.
pub(super) struct Calls {
    dialect: &'static Dialect,
    state: Mutex<State>,
    /// The last id that a request got.
    last_id: AtomicU64,
    /// Set behind the reason, which is in `state`.
    is_closed: AtomicBool,
    /// There is something to write, or nobody left to write for.
    pub(super) changed: Notify,
    /// There is room for more.
    pub(super) room: Notify,
    /// Somebody waits for something, or a stream was read, while one is behind.
    wanted: Notify,
    /// A deadline comes before all others that there were.
    pub(super) sooner: Notify,
}

struct State {
    /// The calls that have gone out where answers have no id, but come in order.
    sent: u64,
    /// In the order in which they went out.
    open: BTreeMap<u64, Waiting>,
    feeds: Feeds,
    out: BytesMut,
    /// No call has a deadline before this.
    next_deadline: Option<Instant>,
    /// Nobody begins a call any more.
    is_left: bool,
    closed: Option<Status>,
}

/// A call without its answer.
struct Waiting {
    /// `None` for one that was given up, and stays.
    caller: Option<oneshot::Sender<Outcome>>,
    kept: Kept,
    /// When nobody waits for the answer any more.
    deadline: Option<Instant>,
}

/// What of a call stays until its answer, also where it was given up.
pub(super) enum Kept {
    Nothing,
    /// Its place, where answers have no id: it stays, so that its answer is not taken for another's, and
    /// no more of them may than calls.
    Place {
        _place: OwnedSemaphorePermit,
    },
    /// The stream that it opens, so that this is ended.
    Stream(Opening),
}

/// A call to be queued.
pub(super) struct Call<'a> {
    pub(super) id: u64,
    pub(super) text: &'a [u8],
    pub(super) kept: Kept,
    /// When its answer must have come.
    pub(super) deadline: Option<Instant>,
}

/// A call that was queued.
pub(super) struct Queued {
    /// What its answer is looked for by.
    pub(super) key: u64,
    pub(super) answer: oneshot::Receiver<Outcome>,
    /// No other waits for its answer.
    pub(super) is_alone: bool,
}

/// A stream that a call opens.
pub(super) struct Opening {
    /// The method that ends it.
    pub(super) ending: Box<str>,
    /// The place of the call, until the stream is over.
    pub(super) place: OwnedSemaphorePermit,
}

impl Calls {
    pub(super) fn new(dialect: &'static Dialect, window: usize, budget: Arc<Budget>) -> Self {
        Self {
            dialect,
            state: Mutex::new(State {
                sent: 0,
                open: BTreeMap::new(),
                feeds: Feeds::new(window, budget),
                out: BytesMut::new(),
                next_deadline: None,
                is_left: false,
                closed: None,
            }),
            last_id: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            changed: Notify::new(),
            room: Notify::new(),
            wanted: Notify::new(),
            sooner: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Queues a call, which whoever queues it has written.
    ///
    /// # Errors
    ///
    /// Why the connection is closed.
    pub(super) fn begin(&self, call: Call<'_>) -> Result<Queued, Status> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Err(reason.clone().into_not_started());
        }
        // Without ids, what counts is the order here.
        let key = if self.dialect.is_ordered {
            state.sent += 1;
            state.sent
        } else {
            call.id
        };
        let waiting = Waiting {
            caller: Some(sender),
            kept: call.kept,
            deadline: call.deadline,
        };
        state.open.insert(key, waiting);
        self.dialect.framing.put(&mut state.out, call.text);
        let is_behind = state.feeds.is_behind();
        let is_alone = state.open.len() == 1;
        let is_soonest = state.expects(call.deadline);
        drop(state);
        if is_behind {
            self.wanted.notify_one();
        }
        if is_soonest {
            self.sooner.notify_one();
        }
        Ok(Queued {
            key,
            answer: receiver,
            is_alone,
        })
    }

    /// Forgets a call.
    pub(super) fn give_up(&self, key: u64) {
        let mut state = self.state();
        match state.open.get_mut(&key) {
            Some(open) if open.kept.stays() => open.caller = None,
            Some(_) => drop(state.open.remove(&key)),
            // It was answered, and nobody has looked.
            None => return self.leave_feed(state, key),
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Ends the calls whose deadline has passed, as [`give_up`](Self::give_up) does, and returns when
    /// to look again.
    pub(super) fn expire(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        if state.next_deadline.is_none_or(|it| it > now) {
            return state.next_deadline;
        }
        let (mut next, mut late) = (None, Vec::new());
        state.open.retain(|_, call| match call.deadline {
            Some(deadline) if deadline <= now => {
                call.deadline = None;
                late.extend(call.caller.take());
                call.kept.stays()
            }
            deadline => {
                next = deadline.into_iter().chain(next).min();
                true
            }
        });
        state.next_deadline = next;
        drop(state);
        for caller in late {
            let text = "the deadline passed before the call ended";
            let _ = caller.send(Err(Status::deadline_exceeded(text)));
        }
        self.changed.notify_one();
        next
    }

    /// Ends the call that an answer belongs to; false if there is none.
    pub(super) fn end(&self, id: Option<u64>, outcome: Outcome) -> bool {
        let mut state = self.state();
        let found = match id {
            _ if self.dialect.is_ordered => state.open.pop_first(),
            Some(id) => state.open.remove_entry(&id),
            // What could not be read is the only one there is, or nobody knows which.
            None if state.open.len() == 1 => state.open.pop_first(),
            None => None,
        };
        let Some((key, Waiting { caller, kept, .. })) = found else {
            return false;
        };
        if let (Ok(id), Kept::Stream(stream)) = (&outcome, kept) {
            let id = String::from_utf8_lossy(id);
            state.feeds.begin(key, &id, stream.ending, stream.place);
            // Its items may come before its caller looks.
            let is_awaited = caller.is_some_and(|it| it.send(outcome.clone()).is_ok());
            if !is_awaited {
                self.leave_feed(state, key);
            }
            return true;
        }
        let is_left = state.is_left;
        drop(state);
        if let Some(caller) = caller {
            let _ = caller.send(outcome);
        }
        if is_left {
            self.changed.notify_one();
        }
        true
    }

    /// Fails the call whose answer was passed over unread; false if nobody knows which that is, or
    /// whether it was an item: a stream without one of its items must not end well.
    pub(super) fn fail_only(&self, reason: &Status) -> bool {
        let state = self.state();
        let mut open = state.open.values();
        let has_streams = state.feeds.is_told() || open.any(|it| it.kept.is_stream());
        drop(state);
        !has_streams && self.end(None, Err(reason.clone()))
    }

    /// Takes what the server tells of a stream; false if there is none of this id.
    pub(super) fn take_notice(&self, id: &str, notice: Notice<Bytes>) -> bool {
        let mut state = self.state();
        match notice {
            Notice::Item(item) => match state.feeds.push(id, item) {
                Ok(is_known) => is_known,
                Err(ending) => {
                    self.unsubscribe(state, vec![ending]);
                    true
                }
            },
            Notice::End(end) => state.feeds.end(id, end),
        }
    }

    /// Polls for the next item of a stream; `None` is the good end.
    pub(super) fn poll_item(
        &self,
        key: u64,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Bytes, Status>>> {
        let mut state = self.state();
        let is_behind = state.feeds.is_behind();
        let polled = state.feeds.poll_item(key, cx);
        drop(state);
        if is_behind {
            self.wanted.notify_one();
        }
        polled
    }

    /// Gives a stream up, or forgets one that is over.
    pub(super) fn leave_stream(&self, key: u64) {
        self.leave_feed(self.state(), key);
    }

    fn leave_feed(&self, mut state: MutexGuard<'_, State>, key: u64) {
        let ending = state.feeds.leave(key);
        self.unsubscribe(state, ending.into_iter().collect());
    }

    /// Has the server end subscriptions. Nobody waits for the answers.
    fn unsubscribe(&self, mut state: MutexGuard<'_, State>, endings: Vec<Ending>) {
        for Ending { method, id } in endings {
            let arguments = format!("[{id}]");
            let call = Outgoing {
                id: self.next_id(),
                name: method.as_ref().into(),
                arguments: arguments.as_bytes(),
                timeout: None,
                is_idempotent: true,
            };
            let mut text = BytesMut::new();
            (self.dialect.write_call)(&mut text, &call);
            self.dialect.framing.put(&mut state.out, &text);
        }
        drop(state);
        self.changed.notify_one();
        self.wanted.notify_one();
    }

    /// Waits while a stream is behind and nobody waits for anything else, so that its server waits
    /// too. A stream of which nothing is read for the whole of `patience` is given up.
    ///
    /// Whoever waits for an answer, or for an item of another stream, is not held up by a reader
    /// that is slow; then items are kept, as far as `max_buffered` goes.
    pub(super) async fn until_wanted(&self, patience: Duration) {
        loop {
            let wanted = self.wanted.notified();
            if !self.state().is_held_up() {
                return;
            }
            if timeout(patience, wanted).await.is_err() {
                let reason = Status::resource_exhausted(
                    "the stream was not read for so long that its connection was held up: \
                     more than `stream_window` of it wait",
                );
                let mut state = self.state();
                let endings = state.feeds.fail_behind(&reason);
                self.unsubscribe(state, endings);
            }
        }
    }

    pub(super) fn close(&self, reason: &Status) {
        let mut state = self.state();
        state.closed.get_or_insert_with(|| reason.clone());
        self.is_closed.store(true, Ordering::Relaxed);
        state.feeds.close(reason);
        let open = std::mem::take(&mut state.open);
        drop(state);
        for caller in open.into_values().filter_map(|it| it.caller) {
            let _ = caller.send(Err(reason.clone()));
        }
        self.room.notify_waiters();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
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
        state.is_left && !state.has_callers() && state.feeds.is_empty() && state.out.is_empty()
    }
}

impl Kept {
    fn stays(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }
}

impl State {
    /// Says whether a deadline comes before all others.
    fn expects(&mut self, deadline: Option<Instant>) -> bool {
        let next = self.next_deadline;
        let is_soonest = deadline.is_some_and(|it| next.is_none_or(|next| it < next));
        if is_soonest {
            self.next_deadline = deadline;
        }
        is_soonest
    }

    fn has_callers(&self) -> bool {
        self.open.values().any(|it| it.caller.is_some())
    }

    fn is_held_up(&self) -> bool {
        self.feeds.is_behind() && !self.has_callers() && !self.feeds.is_awaited()
    }
}
