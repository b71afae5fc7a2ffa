//! The first answers of calls that may be made again.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::ptr::addr_eq;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::answer::Answer;
use crate::call::{Identity, Request, Response, deadline_after};
use crate::status::Status;

/// What an answer weighs beside its bytes.
const OVERHEAD: usize = 512;

/// An attempt that left before its call's deadline may arrive so much later.
const LATE: Duration = Duration::from_secs(5);

/// How much is kept of calls of methods that are marked `once`.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerLimits {
    pub(super) max_age: Duration,
    pub(super) max_bytes: usize,
    /// How many calls may go on whose callers have left.
    pub(super) max_alone: usize,
}

impl Default for AnswerLimits {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(600),
            max_bytes: 64 << 20,
            max_alone: 1_024,
        }
    }
}

/// The answers of calls of methods that are marked `once`, and the calls that still run.
///
/// One is kept until the deadline of its call has passed, as the call can be made again until then.
/// None goes before its time to make room for others: these are refused instead.
#[derive(Clone)]
pub(super) struct Answers(Arc<Inner>);

struct Inner {
    limits: AnswerLimits,
    hasher: RandomState,
    state: Mutex<State>,
    /// How many calls go on whose callers have left; changed under the lock of the state.
    alone: watch::Sender<usize>,
    /// When those end at the latest, once the server has begun to end.
    closes: watch::Sender<Option<Instant>>,
}

#[derive(Default)]
struct State {
    kept: HashMap<Arc<Key>, Kept>,
    /// The answers, by the time at which they are not kept any more.
    ends: BTreeMap<(Instant, u64), Arc<Key>>,
    last: u64,
    bytes: usize,
}

/// Which call it is: who makes it, under which name of theirs, of whom, and what it asks for.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct Key {
    identity: Option<Identity>,
    id: Bytes,
    target: Target,
    method: Arc<str>,
    body: (u64, usize),
}

/// The implementation that is called. It is not kept alive, only its address its own.
pub(super) struct Target(Weak<dyn Any + Send + Sync>);

impl Target {
    pub(super) fn of<T: Send + Sync + 'static>(target: &Arc<T>) -> Self {
        let target: Weak<T> = Arc::downgrade(target);
        Self(target)
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        addr_eq(self.0.as_ptr(), other.0.as_ptr())
    }
}

impl Eq for Target {}

impl Hash for Target {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ptr().cast::<()>().hash(state);
    }
}

/// A call that runs, or has run.
struct Kept {
    number: u64,
    weight: usize,
    place: Place,
}

enum Place {
    Running(Running),
    Ended(Arc<Answer>),
    /// There was no room for its answer.
    NoRoom,
}

struct Running {
    answer: Arc<watch::Sender<Sent>>,
    /// Who waits for it.
    callers: usize,
    /// How many bytes it was called with.
    said: usize,
}

type Sent = Option<Arc<Answer>>;

/// Whether a call was made before.
pub(super) enum Found {
    First(Leaving, Waiting),
    Running(Waiting),
    Ended(Arc<Answer>),
    /// It has run, and there was no room for its answer.
    Lost(Status),
}

impl Answers {
    pub(super) fn new(limits: AnswerLimits) -> Self {
        Self(Arc::new(Inner {
            limits,
            hasher: RandomState::new(),
            state: Mutex::default(),
            alone: watch::Sender::new(0),
            closes: watch::Sender::new(None),
        }))
    }

    /// Returns those of the server that the request came to; calls in process have their own.
    pub(super) fn of(request: &Request) -> Self {
        static SHARED: OnceLock<Answers> = OnceLock::new();
        let connection = request.connection();
        let own = connection.and_then(|it| it.extensions().get::<Self>());
        let shared = || SHARED.get_or_init(|| Self::new(AnswerLimits::default()));
        own.unwrap_or_else(shared).clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what tells this call from others.
    pub(super) fn key(&self, request: &Request, target: Target, id: Bytes, body: &Bytes) -> Key {
        Key {
            identity: request.identity().cloned(),
            id,
            target,
            method: Arc::from(request.method().path()),
            body: (self.0.hasher.hash_one(body), body.len()),
        }
    }

    /// Looks for the call, and notes that it runs if it is made for the first time.
    ///
    /// # Errors
    ///
    /// When no more can be kept, or go on without callers; the call is not begun then.
    pub(super) fn find_or_begin(
        &self,
        key: Key,
        deadline: Option<Instant>,
    ) -> Result<Found, Status> {
        let now = Instant::now();
        let state = &mut *self.state();
        state.forget(now);
        let key = Arc::new(key);
        if let Some(kept) = state.kept.get_mut(&key) {
            return Ok(match &mut kept.place {
                Place::Ended(answer) => Found::Ended(Arc::clone(answer)),
                Place::NoRoom => Found::Lost(self.full()),
                Place::Running(running) => {
                    if running.callers == 0 {
                        self.0.alone.send_modify(|it| *it -= 1);
                        state.bytes -= running.said;
                    }
                    running.callers += 1;
                    Found::Running(self.waiting(&key, kept.number, &running.answer))
                }
            });
        }
        let weight = OVERHEAD + key.id.len() + key.method.len();
        if state.bytes + weight > self.0.limits.max_bytes {
            return Err(self.full().into_not_started());
        }
        if self.alone() >= self.0.limits.max_alone {
            return Err(self.too_many_alone().into_not_started());
        }
        let longest = deadline_after(now, self.0.limits.max_age);
        let end = deadline.map_or(longest, |it| longest.min(it + LATE));
        let (leaving, waiting) = self.begin(state, key, weight, end);
        Ok(Found::First(leaving, waiting))
    }

    fn begin(
        &self,
        state: &mut State,
        key: Arc<Key>,
        weight: usize,
        end: Instant,
    ) -> (Leaving, Waiting) {
        let answer = Arc::new(watch::Sender::new(None));
        state.bytes += weight;
        state.last += 1;
        let number = state.last;
        let waiting = self.waiting(&key, number, &answer);
        let running = Running {
            answer: Arc::clone(&answer),
            callers: 1,
            said: key.body.1,
        };
        let kept = Kept {
            number,
            weight,
            place: Place::Running(running),
        };
        state.kept.insert(Arc::clone(&key), kept);
        let leaving = Leaving {
            answers: self.clone(),
            key,
            number,
            answer,
            end,
            has_left: false,
        };
        (leaving, waiting)
    }

    fn waiting(&self, key: &Arc<Key>, number: u64, answer: &watch::Sender<Sent>) -> Waiting {
        Waiting {
            answers: self.clone(),
            key: Arc::clone(key),
            number,
            answer: answer.subscribe(),
        }
    }

    /// Returns how many calls go on whose callers have left.
    pub(super) fn alone(&self) -> usize {
        *self.0.alone.borrow()
    }

    /// Waits until no call goes on whose caller has left.
    pub(super) async fn idle(&self) {
        // It fails only without a sender, which this has.
        let _ = self.0.alone.subscribe().wait_for(|it| *it == 0).await;
    }

    /// Ends those whose callers have left when `time` is over.
    pub(super) fn close(&self, time: Duration) {
        let end = deadline_after(Instant::now(), time);
        let closes = &self.0.closes;
        closes.send_modify(|it| *it = Some(it.map_or(end, |it| it.min(end))));
    }

    fn full(&self) -> Status {
        Status::resource_exhausted(format!(
            "the answers of calls that may be made again are over the {} bytes of \
             `Server::keep_answers`",
            self.0.limits.max_bytes
        ))
    }

    fn too_many_alone(&self) -> Status {
        Status::resource_exhausted(format!(
            "as many calls go on without their callers as the {} of `Server::max_calls_alone`",
            self.0.limits.max_alone
        ))
    }
}

/// Where a call leaves its answer. A call that is dropped leaves a failure, as it is not run again.
pub(super) struct Leaving {
    answers: Answers,
    key: Arc<Key>,
    number: u64,
    answer: Arc<watch::Sender<Sent>>,
    /// Until when its answer is kept.
    end: Instant,
    has_left: bool,
}

impl Leaving {
    /// Leaves the answer to those who wait for it, and to those who come again if there is room for it.
    pub(super) fn leave(mut self, answer: Answer) {
        self.put(answer);
    }

    fn put(&mut self, answer: Answer) {
        self.has_left = true;
        let answer = Arc::new(answer);
        let kept = answer.to_keep();
        self.answers.keep(self, kept);
        self.answer.send_replace(Some(answer));
    }

    /// Waits until the call goes on for nobody: its callers have left, and its answer would not be kept,
    /// or the server has ended.
    pub(super) async fn over(&self) {
        let mut closes = self.answers.0.closes.subscribe();
        loop {
            self.answer.closed().await;
            let end = closes.borrow_and_update().unwrap_or(self.end);
            tokio::select! {
                // Unless somebody came again meanwhile.
                () = sleep_until(end.min(self.end)) => if self.answer.receiver_count() == 0 {
                    return;
                },
                _ = closes.changed() => {}
            }
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        if !self.has_left {
            let status = Status::internal("the call ended without an answer");
            self.put(Answer::failed(status));
        }
    }
}

impl Answers {
    /// Keeps the answer of a call that has run.
    fn keep(&self, of: &Leaving, answer: Arc<Answer>) {
        let weight = answer.weight();
        let state = &mut *self.state();
        let Some(kept) = state.kept.get_mut(&of.key) else {
            return;
        };
        if let Place::Running(running) = &kept.place
            && running.callers == 0
        {
            self.0.alone.send_modify(|it| *it -= 1);
            state.bytes -= running.said;
        }
        kept.place = Place::NoRoom;
        if state.bytes + weight <= self.0.limits.max_bytes {
            kept.place = Place::Ended(answer);
            kept.weight += weight;
            state.bytes += weight;
        }
        state.ends.insert((of.end, of.number), Arc::clone(&of.key));
    }
}

/// Somebody who waits for the answer of a call.
pub(super) struct Waiting {
    answers: Answers,
    key: Arc<Key>,
    number: u64,
    answer: watch::Receiver<Sent>,
}

impl Waiting {
    /// Waits for the answer.
    pub(super) async fn answer(mut self) -> Result<Response, Status> {
        let answer = match self.answer.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone(),
            Err(_) => None,
        };
        let none = || Err(Status::internal("the call ended without an answer"));
        answer.map_or_else(none, |it| it.give())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let state = &mut *self.answers.state();
        let kept = state.kept.get_mut(&self.key);
        if let Some(kept) = kept.filter(|it| it.number == self.number)
            && let Place::Running(running) = &mut kept.place
        {
            running.callers -= 1;
            if running.callers == 0 {
                self.answers.0.alone.send_modify(|it| *it += 1);
                state.bytes += running.said;
            }
        }
    }
}

impl State {
    fn forget(&mut self, now: Instant) {
        while let Some(first) = self.ends.first_entry()
            && first.key().0 <= now
        {
            if let Some(kept) = self.kept.remove(&first.remove()) {
                self.bytes -= kept.weight;
            }
        }
    }
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("bytes", &self.state().bytes)
            .field("alone", &self.alone())
            .finish_non_exhaustive()
    }
}
