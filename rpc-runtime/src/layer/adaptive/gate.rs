//! Who runs, who waits, and who is refused.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Settings;
use super::estimate::{Ended, Estimate};
use crate::call::{Method, Priority, Request};
use crate::layer::concurrency::{at, cancelled};
use crate::pushback::Pushback;
use crate::status::{Code, Phase, Status};

/// For so long a crowd is a burst, which a queue is for. One that stays only makes everybody wait, so
/// that the queue is kept short then.
const LONGEST_BURST: Duration = Duration::from_millis(100);

/// How many calls may wait in a burst, however few may run.
const BURST: usize = 8;

const CLASSES: usize = 3;

pub(super) struct Gate {
    settings: Settings,
    state: Mutex<State>,
}

struct State {
    estimate: Estimate,
    running: usize,
    /// By priority, the lowest first.
    waiting: [VecDeque<Waiting>; CLASSES],
    last_id: u64,
    crowd: Crowd,
    random: Rng,
}

struct Waiting {
    id: u64,
    deadline: Option<Instant>,
    method: Method,
    verdict: oneshot::Sender<Result<Permit, Status>>,
}

/// Tells a crowd that stays from a burst: three of four calls of a while found no place, and since then half of them.
struct Crowd {
    began: Instant,
    came: u32,
    found_none: u32,
    stays: bool,
}

impl Crowd {
    fn new(began: Instant, stays: bool) -> Self {
        Self {
            began,
            came: 0,
            found_none: 0,
            stays,
        }
    }

    fn comes(&mut self, finds_place: bool, now: Instant) {
        if now - self.began >= LONGEST_BURST {
            let most = if self.stays { 2 } else { 3 };
            let stays = u64::from(self.found_none) * 4 > u64::from(self.came) * most;
            *self = Self::new(now, stays);
        }
        self.came = self.came.saturating_add(1);
        self.found_none = self.found_none.saturating_add(u32::from(!finds_place));
    }
}

impl State {
    fn waiting(&self) -> usize {
        self.waiting.iter().map(VecDeque::len).sum()
    }

    fn next(&mut self) -> Option<Waiting> {
        self.waiting.iter_mut().rev().find_map(VecDeque::pop_front)
    }
}

impl Gate {
    pub(super) fn new(settings: Settings) -> Arc<Self> {
        let now = Instant::now();
        let state = State {
            estimate: Estimate::new(&settings, now),
            running: 0,
            waiting: Default::default(),
            last_id: 0,
            crowd: Crowd::new(now, false),
            random: Rng::new(),
        };
        Arc::new(Self {
            settings,
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many may run, do run, and wait.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let state = self.state();
        (state.estimate.limit(), state.running, state.waiting())
    }

    #[cfg(test)]
    pub(super) fn methods(&self) -> usize {
        self.state().estimate.methods()
    }

    /// Takes a place if there is one, else one in the queue if there is room.
    ///
    /// # Errors
    ///
    /// The refusal of a call that is too many.
    pub(super) fn enter(self: &Arc<Self>, request: &Request) -> Result<Entered, Status> {
        let mut queued = match self.knock(request) {
            Ok(permit) => return Ok(Entered::Runs(permit)),
            Err(queued) => queued,
        };
        match queued.verdict.try_recv() {
            Ok(verdict) => verdict.map(Entered::Runs),
            Err(_) => Ok(Entered::Waits(queued)),
        }
    }

    fn knock(self: &Arc<Self>, request: &Request) -> Result<Permit, Queued> {
        let now = Instant::now();
        let method = request.method().clone();
        let mut state = self.state();
        let finds_place = state.running < state.estimate.limit() && state.waiting() == 0;
        state.crowd.comes(finds_place, now);
        if finds_place {
            return Ok(self.permit(&mut state, method, now));
        }
        state.estimate.crowded();
        state.last_id += 1;
        let (sender, verdict) = oneshot::channel();
        let place = Place {
            gate: Arc::clone(self),
            class: Priority::of(request) as usize,
            id: state.last_id,
        };
        state.waiting[place.class].push_back(Waiting {
            id: place.id,
            deadline: request.first_deadline(),
            method,
            verdict: sender,
        });
        self.shorten(&mut state);
        Err(Queued { place, verdict })
    }

    fn permit(self: &Arc<Self>, state: &mut State, method: Method, now: Instant) -> Permit {
        state.running += 1;
        let running = state.running;
        state.estimate.running(running);
        Permit {
            gate: Some(Arc::clone(self)),
            method,
            began: now,
            fate: Fate::CutOff,
        }
    }

    /// Refuses those that are too many, of the least priority and the latest first.
    fn shorten(&self, state: &mut State) {
        let limit = state.estimate.limit();
        let room = if state.crowd.stays {
            (limit / 8).max(1)
        } else {
            limit.max(BURST)
        };
        let room = room.min(self.settings.max_waiting);
        while state.waiting() > room {
            let Some(last) = state.waiting.iter_mut().find_map(VecDeque::pop_back) else {
                return;
            };
            let refusal = self.refusal(state);
            let _ = last.verdict.send(Err(refusal));
        }
    }

    /// Lets in as many as may run, without those that are too late.
    fn admit(self: &Arc<Self>, state: &mut State, now: Instant) {
        while state.running < state.estimate.limit() {
            let Some(next) = state.next() else {
                break;
            };
            if next.deadline.is_some_and(|it| it <= now) {
                let _ = next.verdict.send(Err(expired()));
                continue;
            }
            let permit = self.permit(state, next.method, now);
            if let Err(Ok(mut unwanted)) = next.verdict.send(Ok(permit)) {
                // Its end must not take the lock, which is held here.
                unwanted.gate = None;
                state.running -= 1;
            }
        }
        self.shorten(state);
    }

    fn leave(self: &Arc<Self>, permit: &Permit) {
        let now = Instant::now();
        let mut state = self.state();
        state.running -= 1;
        if permit.fate != Fate::Unknown {
            let ended = Ended {
                method: permit.method.path(),
                began: permit.began,
                failure: match permit.fate {
                    Fate::Failed(code) => Some(code),
                    _ => None,
                },
                cut_off: permit.fate == Fate::CutOff,
            };
            state.estimate.ended(&ended, now);
        }
        self.admit(&mut state, now);
    }

    fn refusal(&self, state: &mut State) -> Status {
        let (running, waiting) = (state.running, state.waiting());
        let pause = self.settings.pushback.mul_f64(1.0 + state.random.f64());
        Status::resource_exhausted(format!(
            "overloaded: {running} calls run, as many as `AdaptiveLimit` found to be good, and \
             {waiting} wait"
        ))
        .in_phase(Phase::Send)
        .with_pushback(Pushback::After(pause))
        .into_not_started()
    }
}

fn given_up() -> Status {
    Status::cancelled("the call was cancelled while it waited for its turn").into_not_started()
}

fn expired() -> Status {
    Status::deadline_exceeded("the deadline passed while the call waited for its turn")
        .in_phase(Phase::Send)
        .into_not_started()
}

/// A call that was let in.
pub(super) enum Entered {
    Runs(Permit),
    Waits(Queued),
}

/// A call in the queue; it leaves when this is dropped.
pub(super) struct Queued {
    place: Place,
    verdict: oneshot::Receiver<Result<Permit, Status>>,
}

impl Queued {
    /// Waits for a place; by its deadline or its caller's signal a call waits no longer.
    pub(super) async fn turn(self, request: &Request) -> Result<Permit, Status> {
        let Self { place, verdict } = self;
        tokio::select! {
            // In this order, so that a call that can go on does.
            biased;
            verdict = verdict => {
                verdict.unwrap_or_else(|_| Err(place.gate.refusal(&mut place.gate.state())))
            }
            () = cancelled(request.cancellation()) => Err(given_up()),
            () = at(request.first_deadline()) => Err(expired()),
        }
    }
}

/// A place in the queue, given back when it is dropped.
struct Place {
    gate: Arc<Gate>,
    class: usize,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        if let Some(queue) = state.waiting.get_mut(self.class)
            && let Some(at) = queue.iter().position(|it| it.id == self.id)
        {
            queue.remove(at);
        }
    }
}

/// What became of a call, and so what the time says that it took.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// How long calls take, or more than that.
    Ended,
    /// How long calls take that fail so.
    Failed(Code),
    /// Nothing.
    Unknown,
    /// That it would have taken longer still, as nobody waited for its end.
    CutOff,
}

/// A call that runs, until this is dropped.
pub(super) struct Permit {
    gate: Option<Arc<Gate>>,
    method: Method,
    began: Instant,
    fate: Fate,
}

impl Permit {
    /// Ends the call.
    pub(super) fn end(mut self, fate: Fate) {
        self.fate = fate;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave(self);
        }
    }
}
