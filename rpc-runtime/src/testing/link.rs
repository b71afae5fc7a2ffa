//! One link: two directions that share a lock, so that a reset hits both.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use super::halves::{Reader, Writer};
use super::plan::{Direction, Fault, Plan, When};
use crate::call::deadline_after;
use crate::transport::Io;

/// From here on a direction is no worse than this, so that large messages take no eternity.
const PATIENCE: u64 = 4000;
const LEAST_CHUNK: usize = 1000;
const LEAST_CAPACITY: usize = 16 << 10;

/// What is told of each thing that happens.
pub(super) type Observer = Arc<dyn Fn(&str) + Send + Sync>;

pub(super) type Shared = Arc<Mutex<Link>>;

/// One direction.
pub(super) struct Pipe {
    pub(super) settings: Direction,
    pub(super) chunks: VecDeque<(Instant, VecDeque<u8>)>,
    pub(super) on_the_way: usize,
    pub(super) read_again: Instant,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    pub(super) ended: bool,
    pub(super) silent: bool,
    pub(super) reader_gone: bool,
    last_arrival: Instant,
    written: u64,
    /// Bytes to be lost.
    losing: usize,
    doubling: bool,
}

/// Both directions: of the client's bytes and of the server's.
pub(super) struct Link {
    name: String,
    pub(super) pipes: [Pipe; 2],
    /// What is still to go wrong behind some byte.
    faults: Vec<(When, Fault)>,
    pub(super) reset: bool,
    rng: Rng,
    observer: Option<Observer>,
    /// What the observer is still to be told.
    events: Vec<String>,
}

pub(super) fn lock(link: &Shared) -> MutexGuard<'_, Link> {
    link.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells the observer what happened, outside of the lock, as they may look at the network.
pub(super) fn tell(link: &Shared) {
    let (observer, events) = {
        let mut link = lock(link);
        (link.observer.clone(), std::mem::take(&mut link.events))
    };
    if let Some(observer) = observer {
        events.iter().for_each(|it| observer(it));
    }
}

/// Lets something go wrong now, and tells of it.
pub(super) fn strike(link: &Shared, fault: Fault) {
    lock(link).strike(fault);
    tell(link);
}

/// Makes a link: the link itself, the client's end and the server's. What happens with it at once is left to
/// be [told](tell).
pub(super) fn make(
    name: &str,
    plan: &Plan,
    rng: Rng,
    observer: Option<Observer>,
) -> (Shared, Io, Io) {
    let now = Instant::now();
    let (timed, counted) = plan
        .faults
        .iter()
        .partition::<Vec<_>, _>(|(when, _)| matches!(when, When::After(_)));
    let mut link = Link {
        name: name.to_owned(),
        pipes: plan.directions().map(|settings| Pipe::new(settings, now)),
        faults: counted,
        reset: false,
        rng,
        observer,
        events: Vec::new(),
    };
    link.note("is made");
    link.strike_what_is_due();
    let link = Arc::new(Mutex::new(link));
    for (when, fault) in timed {
        if let When::After(time) = when {
            strike_later(&link, time, fault);
        }
    }
    let end = |side: usize| {
        let reader = Reader::new(Arc::clone(&link), 1 - side, now);
        let writer = Writer::new(Arc::clone(&link), side);
        Io::from_halves(reader, writer).with_peer(name)
    };
    let ends = (end(0), end(1));
    (link, ends.0, ends.1)
}

/// The task ends with its time, and does not keep the link.
fn strike_later(link: &Shared, time: Duration, fault: Fault) {
    let link = Arc::downgrade(link);
    tokio::spawn(async move {
        sleep(time).await;
        if let Some(link) = link.upgrade() {
            strike(&link, fault);
        }
    });
}

impl Link {
    fn note(&mut self, event: &str) {
        if self.observer.is_some() {
            self.events.push(format!("{}: {event}", self.name));
        }
    }

    fn strike(&mut self, fault: Fault) {
        let bytes = [self.pipes[0].written, self.pipes[1].written];
        self.note(&format!("{fault:?} after {bytes:?}"));
        match fault {
            Fault::Cut => self.pipes.iter_mut().for_each(|it| it.ended = true),
            Fault::HalfClose(side) => self.pipes[side.index()].ended = true,
            Fault::Silence(side) => self.pipes[side.index()].silent = true,
            Fault::Blackout => self.pipes.iter_mut().for_each(|it| it.silent = true),
            Fault::Stall(side, time) => {
                let pipe = &mut self.pipes[side.index()];
                let end = deadline_after(Instant::now(), time);
                pipe.last_arrival = pipe.last_arrival.max(end);
            }
            Fault::Drop(side, bytes) => {
                let pipe = &mut self.pipes[side.index()];
                pipe.losing = pipe.losing.saturating_add(bytes);
            }
            Fault::Duplicate(side) => self.pipes[side.index()].doubling = true,
            Fault::Reset => {
                self.reset = true;
                self.pipes.iter_mut().for_each(|it| it.chunks.clear());
            }
        }
        self.pipes.iter_mut().for_each(Pipe::wake);
    }

    /// Lets go wrong what is to behind the bytes that were sent, in the order of the plan.
    fn strike_what_is_due(&mut self) {
        let written = [self.pipes[0].written, self.pipes[1].written];
        let is_due = |(when, _): &(When, Fault)| match *when {
            When::Sent(side, at) => at <= written[side.index()],
            When::After(_) => false,
        };
        let faults = std::mem::take(&mut self.faults).into_iter();
        let (due, later): (Vec<_>, _) = faults.partition(is_due);
        self.faults = later;
        for (_, fault) in due {
            self.strike(fault);
        }
    }

    /// Takes what it can of `bytes`; `None` if there is no room.
    pub(super) fn write(&mut self, direction: usize, bytes: &[u8]) -> Option<usize> {
        let pipe = &self.pipes[direction];
        let most = bytes.len().min(pipe.room());
        if most == 0 {
            return None;
        }
        let drawn = self.rng.usize(1..=most).max(self.rng.usize(1..=most));
        let length = drawn.min(self.until_fault(direction));
        let pipe = &mut self.pipes[direction];
        pipe.send(&bytes[..length], &mut self.rng);
        self.strike_what_is_due();
        Some(length)
    }

    /// Returns how many bytes pass before something goes wrong.
    fn until_fault(&self, direction: usize) -> usize {
        let written = self.pipes[direction].written;
        let left = |when: &When| match *when {
            When::Sent(side, at) if side.index() == direction => {
                usize::try_from(at.saturating_sub(written)).ok()
            }
            _ => None,
        };
        let lefts = self.faults.iter().filter_map(|(when, _)| left(when));
        lefts.min().unwrap_or(usize::MAX)
    }
}

impl Pipe {
    fn new(settings: Direction, now: Instant) -> Self {
        Self {
            settings,
            chunks: VecDeque::new(),
            on_the_way: 0,
            last_arrival: now,
            written: 0,
            ended: false,
            silent: false,
            losing: 0,
            doubling: false,
            reader_gone: false,
            read_again: now,
            reader: None,
            writer: None,
        }
    }

    /// Returns how many bytes the next chunk may have.
    fn room(&self) -> usize {
        let Direction {
            chunk, capacity, ..
        } = self.settings;
        let (chunk, capacity) = if self.written > PATIENCE {
            (chunk.max(LEAST_CHUNK), capacity.max(LEAST_CAPACITY))
        } else {
            (chunk.max(1), capacity.max(1))
        };
        chunk.min(capacity.saturating_sub(self.on_the_way))
    }

    fn send(&mut self, bytes: &[u8], rng: &mut Rng) {
        self.written += bytes.len() as u64;
        let lost = self.losing.min(bytes.len());
        self.losing -= lost;
        let bytes = &bytes[lost..];
        if self.silent {
            // It fills up, as nothing is ever acknowledged.
            self.on_the_way += bytes.len();
            return;
        }
        if bytes.is_empty() {
            return;
        }
        let copies = if std::mem::take(&mut self.doubling) {
            2
        } else {
            1
        };
        let delay = drawn(&self.settings.delay, rng);
        let arrival = deadline_after(Instant::now(), delay);
        self.last_arrival = self.last_arrival.max(arrival);
        for _ in 0..copies {
            self.on_the_way += bytes.len();
            let chunk = bytes.iter().copied().collect();
            self.chunks.push_back((self.last_arrival, chunk));
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    pub(super) fn wake(&mut self) {
        for waker in self.reader.take().into_iter().chain(self.writer.take()) {
            waker.wake();
        }
    }
}

/// Draws a time, to the millisecond.
fn drawn(delay: &std::ops::RangeInclusive<Duration>, rng: &mut Rng) -> Duration {
    let milliseconds = |it: &Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
    let (least, most) = (milliseconds(delay.start()), milliseconds(delay.end()));
    Duration::from_millis(rng.u64(least..=most.max(least)))
}
