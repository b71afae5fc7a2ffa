//! The streams that a server keeps.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use super::limits::ReplayLimits;
use super::reader::Reader;
use super::stream::{Caller, KeptStream, unknown};
use crate::call::{Body, Cancellation, Kept, Request, Response, deadline_after};
use crate::codec::Encoding;
use crate::random;
use crate::status::Status;

/// How long a token is, in bytes from the system's source of random ones.
const TOKEN: usize = 24;

/// How many streams that have ended are looked at for one that can go.
const LOOKS: usize = 4;

/// How much earlier than its connections a server that shuts down ends streams, at most, so that their
/// callers hear of it.
const HEARD: Duration = Duration::from_secs(1);

/// The streams that a server keeps, by their tokens.
#[derive(Clone)]
pub(in crate::server) struct Streams(Arc<Inner>);

struct Inner {
    limits: ReplayLimits,
    /// How long the future of a cancelled handler goes on.
    grace: Duration,
    /// What the items of all of them weigh.
    bytes: Arc<AtomicUsize>,
    closed: AtomicBool,
    /// From when on nobody has time for anything any more, if the server ends.
    over: Mutex<Option<Instant>>,
    over_changed: Notify,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// How many streams have begun.
    begun: u64,
    kept: HashMap<Bytes, Arc<KeptStream>>,
    /// Those whose end was read, oldest first; some of them may be gone.
    ended: VecDeque<Weak<KeptStream>>,
}

impl Streams {
    pub(in crate::server) fn new(limits: ReplayLimits, grace: Duration) -> Self {
        Self(Arc::new(Inner {
            limits,
            grace,
            bytes: Arc::default(),
            closed: AtomicBool::new(false),
            over: Mutex::default(),
            over_changed: Notify::new(),
            table: Mutex::default(),
        }))
    }

    /// Returns those of the server that the request came to; who serves no connections has none.
    pub(super) fn of(request: &Request) -> Option<Self> {
        request.connection()?.extensions().get::<Self>().cloned()
    }

    /// Returns where the items of all streams are counted.
    pub(super) fn bytes(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.0.bytes)
    }

    pub(super) fn limits(&self) -> &ReplayLimits {
        &self.0.limits
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a place for a stream that begins, if there is one.
    pub(super) fn begin(
        &self,
        caller: Caller,
        deadline: Option<Instant>,
        cancellation: Cancellation,
    ) -> Option<Place> {
        let mut token = [0; TOKEN];
        if let Err(error) = random::fill(&mut token) {
            tracing::warn!(%error, "a stream is not kept: the system gives no random bytes");
            return None;
        }
        let token = Bytes::copy_from_slice(&token);
        let mut table = self.table();
        let is_full = table.kept.len() >= self.0.limits.streams && !table.make_place();
        if is_full || self.is_closed() {
            drop(table);
            tracing::debug!(?caller, "no place: a stream is served without being kept");
            return None;
        }
        table.begun += 1;
        let name = (table.begun, token.clone());
        let stream = Arc::new(KeptStream::new(name, self.clone(), caller, deadline));
        table.kept.insert(token, Arc::clone(&stream));
        drop(table);
        Some(Place {
            streams: self.clone(),
            stream,
            cancellation,
            ended: false,
        })
    }

    /// Gives a stream to its caller, who comes back.
    pub(super) fn resume(
        &self,
        request: &Request,
        encoding: Encoding,
        token: &Bytes,
        received: u64,
    ) -> Result<Response, Status> {
        let caller = Caller::of(request, encoding);
        let found = self.table().kept.get(token).cloned();
        let stream = found.filter(|it| it.is_of(&caller)).ok_or_else(unknown)?;
        let wire = request.cancellation().cloned().unwrap_or_default();
        wire.start();
        let (number, lost, delivered) = stream.attach(wire, received)?;
        tracing::debug!(?stream, received, lost, "a caller goes on with its stream");
        let mut response = Response::new(Body::stream(Reader::new(stream, number)));
        response.extensions_mut().insert(Kept {
            token: token.clone(),
            wait: self.0.limits.wait,
            lost,
            delivered,
        });
        Ok(response)
    }

    /// Notes that the end of a stream was read, which is then kept only in case that did not arrive.
    pub(super) fn note_ended(&self, stream: &Arc<KeptStream>) {
        let mut table = self.table();
        while table.ended.front().is_some_and(|it| it.strong_count() == 0) {
            table.ended.pop_front();
        }
        // A caller that comes back for the end again and again adds to it each time.
        if table.ended.len() < self.0.limits.streams.saturating_mul(2) {
            table.ended.push_back(Arc::downgrade(stream));
        }
    }

    /// Lets streams go that have ended while the items of all streams are too many.
    pub(super) fn make_room(&self) {
        let is_over = || self.0.bytes.load(Ordering::Relaxed) > self.0.limits.bytes_total;
        while is_over() && self.table().make_place() {}
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::SeqCst)
    }

    /// Returns how many wait for their callers to come back.
    pub(in crate::server) fn waiting(&self) -> usize {
        let table = self.table();
        table.kept.values().filter(|it| it.is_waiting()).count()
    }

    /// Keeps nothing any more for who is not there, and the others until shortly before `time` is over.
    pub(in crate::server) fn close(&self, time: Duration) {
        self.over_at(deadline_after(Instant::now(), time));
        let time = time.saturating_sub(HEARD.min(time / 10));
        let closes = deadline_after(Instant::now(), time);
        self.0.closed.store(true, Ordering::SeqCst);
        self.in_order().iter().for_each(|it| it.close(closes));
    }

    /// Ends all of them. Their handlers are dropped without a grace, also those that have begun theirs.
    pub(in crate::server) fn end(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        self.over_at(Instant::now());
        let reason = || Status::unavailable("the server has ended");
        self.in_order().iter().for_each(|it| it.finish(reason()));
    }

    fn over(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets from when on nobody has time any more; the earliest counts.
    fn over_at(&self, at: Instant) {
        let mut over = self.over();
        *over = Some(over.map_or(at, |it| it.min(at)));
        drop(over);
        self.0.over_changed.notify_waiters();
    }

    /// Waits until nobody has time any more.
    async fn until_over(&self) {
        loop {
            let mut changed = pin!(self.0.over_changed.notified());
            // Before the look, so that no change is missed between the two.
            changed.as_mut().enable();
            let over = *self.over();
            match over {
                Some(at) if at <= Instant::now() => return,
                Some(at) => {
                    let _ = timeout_at(at, changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Returns all of them in the order in which they began, so that the same events always lead to the
    /// same order of wake-ups.
    fn in_order(&self) -> Vec<Arc<KeptStream>> {
        let mut kept: Vec<_> = self.table().kept.values().cloned().collect();
        kept.sort_unstable_by_key(|it| it.number);
        kept
    }
}

impl Table {
    /// Lets a stream go that has ended, if there is one.
    fn make_place(&mut self) -> bool {
        for _ in 0..LOOKS.min(self.ended.len()) {
            let Some(ended) = self.ended.pop_front() else {
                return false;
            };
            match ended.upgrade() {
                Some(stream) if stream.finish_if_ended() => {
                    self.kept.remove(&stream.token);
                    return true;
                }
                Some(_) => self.ended.push_back(ended),
                None => {}
            }
        }
        false
    }
}

impl fmt::Debug for Streams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streams")
            .field("limits", &self.0.limits)
            .field("bytes", &self.0.bytes)
            .finish_non_exhaustive()
    }
}

/// The place of a stream among those that are kept. It goes with the stream's task.
pub(super) struct Place {
    streams: Streams,
    stream: Arc<KeptStream>,
    /// The handler's signal.
    cancellation: Cancellation,
    /// The handler has ended.
    ended: bool,
}

impl Place {
    /// Keeps a stream, and returns what its first reader reads.
    pub(super) fn keep(self, body: Body, wire: Cancellation) -> (Body, Kept) {
        let stream = Arc::clone(&self.stream);
        let (number, delivered) = match stream.attach(wire, 0) {
            Ok((number, _, delivered)) => (number, delivered),
            // It was ended meanwhile, which its reader is told.
            Err(_) => (0, Arc::default()),
        };
        let kept = Kept {
            token: stream.token.clone(),
            wait: self.streams.0.limits.wait,
            lost: 0,
            delivered,
        };
        tokio::spawn(self.run(body));
        (Body::stream(Reader::new(stream, number)), kept)
    }

    /// Fills the stream until nobody can want it any more.
    async fn run(mut self, mut body: Body) {
        let stream = Arc::clone(&self.stream);
        let ended = &mut self.ended;
        let filled = async {
            stream.fill(&mut body).await;
            *ended = true;
            pending().await
        };
        tokio::select! {
            biased;
            () = stream.over() => {}
            () = filled => {}
        }
        if !self.ended {
            self.cancellation.cancel();
            let streams = self.streams.clone();
            drop(self);
            // What the handler does when it is cancelled, up to its next item.
            tokio::select! {
                biased;
                () = streams.until_over() => {}
                _ = timeout(streams.0.grace, body.frame()) => {}
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let gone = self.streams.table().kept.remove(&self.stream.token);
        drop(gone);
        if !self.ended {
            self.cancellation.cancel();
            self.stream
                .end(Err(Status::internal("the task of a stream was stopped")));
        }
    }
}
