//! The first answers of calls that may be made again.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::call::{Body, Identity, Message, Request, Response, deadline_after};
use crate::codec::Encoding;
use crate::status::Status;

/// What an answer weighs beside its bytes.
const OVERHEAD: usize = 512;

/// An attempt that left before its call's deadline may arrive so much later.
const LATE: Duration = Duration::from_secs(5);

/// The answers of calls of methods that are marked `once`, and the calls that still run.
///
/// One is kept until the deadline of its call has passed, as the call can be made again until then.
/// None goes before its time to make room for others: these are refused instead.
#[derive(Clone)]
pub(super) struct Answers(Arc<Inner>);

struct Inner {
    max_age: Duration,
    max_bytes: usize,
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: HashMap<Key, Kept>,
    /// What is kept, by the time at which it is not any more.
    ends: BTreeMap<(Instant, u64), Key>,
    last: u64,
    bytes: usize,
}

/// Which call it is: who makes it, under which name of his, and what it asks for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    identity: Option<Identity>,
    id: Bytes,
    method: Arc<str>,
    body: (u64, usize),
}

struct Kept {
    answer: Waiting,
    weight: usize,
}

pub(super) type Answer = Result<Whole, Status>;

/// Where the answer of a call will be.
pub(super) type Waiting = watch::Receiver<Option<Arc<Answer>>>;

/// Where a call leaves its answer.
pub(super) struct Leaving {
    answers: Answers,
    key: Key,
    sender: watch::Sender<Option<Arc<Answer>>>,
}

/// A response that can be given again.
pub(super) struct Whole {
    pub(super) message: Option<(Bytes, Encoding)>,
    pub(super) metadata: HeaderMap,
    pub(super) trailers: HeaderMap,
}

/// Whether a call was made before.
pub(super) enum Found {
    Before(Waiting),
    First(Leaving, Waiting),
}

impl Answers {
    pub(super) const MAX_AGE: Duration = Duration::from_secs(600);
    pub(super) const MAX_BYTES: usize = 64 << 20;

    pub(super) fn new(max_age: Duration, max_bytes: usize) -> Self {
        Self(Arc::new(Inner {
            max_age,
            max_bytes,
            hasher: RandomState::new(),
            state: Mutex::default(),
        }))
    }

    /// Returns those of the server that the request came to; calls in process have their own.
    pub(super) fn of(request: &Request) -> Self {
        static SHARED: OnceLock<Answers> = OnceLock::new();
        let connection = request.connection();
        let own = connection.and_then(|it| it.extensions().get::<Self>());
        let shared = || SHARED.get_or_init(|| Self::new(Self::MAX_AGE, Self::MAX_BYTES));
        own.unwrap_or_else(shared).clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what tells this call from others.
    pub(super) fn key(&self, request: &Request, id: Bytes, body: &Bytes) -> Key {
        Key {
            identity: request.identity().cloned(),
            id,
            method: Arc::from(request.method().path()),
            body: (self.0.hasher.hash_one(body), body.len()),
        }
    }

    /// Looks for the call, and notes that it runs if it is made for the first time.
    ///
    /// # Errors
    ///
    /// When no more can be kept.
    pub(super) fn find_or_begin(
        &self,
        key: Key,
        deadline: Option<Instant>,
    ) -> Result<Found, Status> {
        let now = Instant::now();
        let state = &mut *self.state();
        state.forget(now);
        if let Some(kept) = state.kept.get(&key) {
            return Ok(Found::Before(kept.answer.clone()));
        }
        let weight = OVERHEAD + key.id.len() + key.method.len();
        if state.bytes + weight > self.0.max_bytes {
            return Err(self.full().into_not_started());
        }
        let longest = deadline_after(now, self.0.max_age);
        let end = deadline.map_or(longest, |it| longest.min(it + LATE));
        let (sender, answer) = watch::channel(None);
        let waiting = answer.clone();
        state.bytes += weight;
        state.last += 1;
        state.ends.insert((end, state.last), key.clone());
        state.kept.insert(key.clone(), Kept { answer, weight });
        let leaving = Leaving {
            answers: self.clone(),
            key,
            sender,
        };
        Ok(Found::First(leaving, waiting))
    }

    /// Notes what the answer of a call weighs, if there is room for it.
    fn make_room(&self, key: &Key, weight: usize) -> Result<(), Status> {
        let state = &mut *self.state();
        if state.bytes + weight > self.0.max_bytes {
            return Err(self.full());
        }
        if let Some(kept) = state.kept.get_mut(key) {
            kept.weight += weight;
            state.bytes += weight;
        }
        Ok(())
    }

    fn full(&self) -> Status {
        Status::resource_exhausted(format!(
            "the answers of calls that may be made again are over the {} bytes of \
             `Server::keep_answers`",
            self.0.max_bytes
        ))
    }
}

impl Leaving {
    /// Leaves the answer; one that there is no room for is replaced by saying so.
    pub(super) fn leave(self, answer: Answer) {
        let room = self.answers.make_room(&self.key, weight(&answer));
        let answer = room.and(answer);
        self.sender.send_replace(Some(Arc::new(answer)));
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

impl Whole {
    pub(super) fn response(&self) -> Response {
        let message = self.message.clone();
        let body = message.map_or_else(Body::empty, |(bytes, encoding)| {
            Body::message(Message::encoded(bytes, encoding))
        });
        let mut response = Response::new(body);
        if !self.metadata.is_empty() {
            response.metadata_mut().extend(self.metadata.clone());
        }
        if !self.trailers.is_empty() {
            response.trailers_mut().extend(self.trailers.clone());
        }
        response
    }
}

fn weight(answer: &Answer) -> usize {
    match answer {
        Ok(whole) => {
            let message = whole.message.as_ref().map_or(0, |(bytes, _)| bytes.len());
            message + of_metadata(&whole.metadata) + of_metadata(&whole.trailers)
        }
        Err(status) => status.message().len() + of_metadata(status.metadata()),
    }
}

fn of_metadata(map: &HeaderMap) -> usize {
    let entries = map.iter();
    entries
        .map(|(name, value)| name.as_str().len() + value.len() + 64)
        .sum()
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers")
            .field("bytes", &self.state().bytes)
            .finish_non_exhaustive()
    }
}
