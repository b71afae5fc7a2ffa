//! A byte stream of texts: calls come in, run side by side, and are answered as they finish.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::dialect::{Dialect, is_kn_sock};
use super::envelope::{Envelope, Unreadable};
use super::framing::{Framing, Received, Splitter, kept};
use super::session::{Session, too_large};
use super::text::Text;
use crate::call::{Cancellation, Cancelled, ConnectionInfo, deadline_after};
use crate::status::Status;
use crate::transport::Io;
use crate::wire::Draining;
use crate::wire::budget::Budget;
use crate::wire::config::{Config, Served};
use crate::wire::first_poll::{poll_through, poll_to_handler};
use crate::wire::incomplete::{Held, Patience};
use crate::wire::pace::{InPlace, Pace};
use crate::wire::progress::Watch;

/// How much is read at once.
const READ: usize = 16 << 10;

/// How many bytes of answers leave before all of a read was worked off, if as much of it is left: half a
/// dozen small calls, which take several times as long as a write.
const EARLY: usize = 1 << 10;

/// How long it takes until it is asked again whether a peer that has sent its last is still there.
const FIRST_PROBE: Duration = Duration::from_millis(5);
const LONGEST_PROBE: Duration = Duration::from_secs(5);

/// Which dialects a connection may speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialects {
    JsonRpc,
    /// JSON-RPC over a carrier that ends both ways at once.
    #[cfg_attr(
        not(feature = "websocket"),
        expect(dead_code, reason = "only WebSocket is such a carrier")
    )]
    JsonRpcInMessages,
    KnSock,
    /// The first call says which.
    JsonRpcOrKnSock,
    LengthPrefixed,
}

impl Dialects {
    /// Returns the one that is spoken, at first.
    fn first(self) -> &'static Dialect {
        match self {
            Self::JsonRpc | Self::JsonRpcInMessages | Self::JsonRpcOrKnSock => Dialect::JSON_RPC,
            Self::KnSock => Dialect::KN_SOCK,
            Self::LengthPrefixed => Dialect::LENGTH_PREFIXED,
        }
    }
}

/// Serves a byte stream of which `received` was read already.
///
/// # Errors
///
/// Why the connection ended, if not in peace.
///
/// # Cancel safety
///
/// Dropping the future ends the connection at once, with every call on it.
pub(crate) async fn serve(
    io: Io,
    received: BytesMut,
    dialects: Dialects,
    config: Arc<Config>,
    served: Served,
    draining: Draining,
) -> Result<(), Status> {
    let dialect = dialects.first();
    let budget = Budget::new(config.limits.max_buffered, config.shared_budget.clone());
    let budget = Arc::new(budget);
    let mut extensions = served.extensions.clone();
    extensions.insert(Arc::clone(&budget));
    let info = Arc::new(ConnectionInfo::new(Arc::clone(io.peer()), extensions));
    let drained = Cancellation::new();
    let hook = drained.clone();
    draining.on_begin(move || hook.cancel());
    let limits = &config.limits;
    let (session, items) = Session::subscribing(dialect, &config, &served, &info, &budget);
    let stream = Stream {
        watch: Watch::new(&io),
        io,
        session,
        items,
        splitter: Splitter::new(dialect.framing, limits.max_message, received),
        held: Held::new(budget),
        patience: Patience::new(limits.message_timeout),
        calls: JoinSet::new(),
        pace: Pace::default(),
        turns: InPlace::default(),
        out: BytesMut::new(),
        is_flushed: true,
        drained: Some(drained.cancelled()),
        is_ended: false,
        has_given_up: false,
        alarm: None,
        quiet_since: Instant::now(),
        stuck_since: Instant::now(),
        probe: FIRST_PROBE,
        may_be_kn_sock: dialects == Dialects::JsonRpcOrKnSock,
        // Without ids and white space nobody can ask whether the peer only sends no more.
        may_only_listen: !matches!(
            dialects,
            Dialects::JsonRpcInMessages | Dialects::LengthPrefixed
        ),
        dialect,
        config,
    };
    stream.run().await
}

struct Stream {
    io: Io,
    watch: Watch,
    dialect: &'static Dialect,
    /// Until the first call.
    may_be_kn_sock: bool,
    /// A peer that has sent its last may wait for its answers.
    may_only_listen: bool,
    config: Arc<Config>,
    session: Arc<Session>,
    /// What streams have to tell.
    items: mpsc::Receiver<Text>,
    splitter: Splitter,
    /// What an incomplete text takes of the budget, and of time.
    held: Held,
    patience: Patience,
    calls: JoinSet<Option<Text>>,
    pace: Pace,
    turns: InPlace,
    out: BytesMut,
    is_flushed: bool,
    /// `None` once the drain has begun.
    drained: Option<Cancelled>,
    /// The peer sends nothing more.
    is_ended: bool,
    /// What it sends is passed over, and what runs is finished.
    has_given_up: bool,
    alarm: Option<Pin<Box<Sleep>>>,
    /// When there was a call last, and when the peer took a byte last.
    quiet_since: Instant,
    stuck_since: Instant,
    probe: Duration,
}

/// What happened next.
enum Event {
    Read,
    Answered(Option<Text>),
    Drained,
    /// A text does not become whole.
    Stalled(Status),
    Alarm,
    /// Everything that was waiting has been written.
    Written,
}

impl Stream {
    async fn run(mut self) -> Result<(), Status> {
        loop {
            self.begin_calls()?;
            if self.is_over() {
                // A peer that has left may take nothing more for ever.
                let _ = timeout(self.config.keepalive_timeout, self.io.shutdown()).await;
                return Ok(());
            }
            match poll_fn(|cx| self.poll_event(cx)).await? {
                Event::Read => {}
                Event::Written => self.quiet_since = Instant::now(),
                Event::Answered(answer) => {
                    self.put(answer);
                    self.quiet_since = Instant::now();
                }
                Event::Drained => {
                    self.drained = None;
                    self.session.close();
                }
                Event::Stalled(status) => self.give_up_reading(status),
                Event::Alarm if self.look_at_the_time()? => return Ok(()),
                Event::Alarm => {}
            }
        }
    }

    /// Begins what was received whole.
    fn begin_calls(&mut self) -> Result<(), Status> {
        self.turns = InPlace::default();
        let mut peer_takes_more = true;
        while self.takes_more() {
            let received = match self.splitter.next() {
                Received::Nothing if self.is_ended => self.splitter.last(),
                received => received,
            };
            match received {
                Received::Nothing => break,
                Received::Text(text) => self.begin(kept(text)),
                Received::TooLarge => {
                    let failure = too_large(self.config.limits.max_message).into();
                    let refusal = self.session.refuse(&failure);
                    self.put(refusal);
                }
            }
            self.patience.end();
            if peer_takes_more {
                peer_takes_more = self.answer_early()?;
            }
        }
        if self.splitter.is_incomplete() && self.takes_more() && !self.has_given_up {
            self.patience.begin();
        }
        self.held.set(self.splitter.bytes.len())
    }

    /// Sends the answers that there are, when there is more to work off: the peer goes on with them on
    /// another core meanwhile, and else both sides would wait for each other in turn. False if it takes
    /// no more now.
    fn answer_early(&mut self) -> Result<bool, Status> {
        if self.out.len().min(self.splitter.bytes.len()) < EARLY {
            return Ok(true);
        }
        self.turns.interrupted();
        // What has to wait is polled again, with a waker.
        match self.poll_write(&mut TaskContext::from_waker(Waker::noop())) {
            Poll::Ready(written) => written.map(|()| true),
            Poll::Pending => Ok(false),
        }
    }

    /// Begins a call. Most have their answer at once; one that has not becomes a task, and so does
    /// one that comes behind slow ones.
    fn begin(&mut self, text: Bytes) {
        if self.may_be_kn_sock {
            let envelope = Envelope::read(&text);
            self.may_be_kn_sock = matches!(envelope, Err(Unreadable::Syntax));
            if envelope.is_ok_and(|it| is_kn_sock(&it)) {
                self.dialect = Dialect::KN_SOCK;
                self.session = self.session.in_dialect(self.dialect);
            }
        }
        let mut call = Box::pin(Arc::clone(&self.session).answer(text));
        // What is not ready is polled by its task next.
        let mut cx = TaskContext::from_waker(Waker::noop());
        let polled = if !self.pace.is_quick() {
            poll_to_handler(call.as_mut(), &mut cx, &mut self.turns)
        } else if self.turns.begin() {
            poll_through(call.as_mut(), &mut cx, &mut self.pace, &mut self.turns)
        } else {
            Poll::Pending
        };
        match polled {
            Poll::Ready(answer) => self.put(answer),
            Poll::Pending => {
                self.calls.spawn(call);
            }
        }
        self.quiet_since = self.turns.now();
    }

    fn put(&mut self, answer: Option<Text>) {
        if let Some(text) = answer {
            self.write(|framing, out| framing.put(out, &text.bytes));
        }
    }

    fn write(&mut self, write: impl FnOnce(Framing, &mut BytesMut)) {
        if self.out.is_empty() {
            self.stuck_since = Instant::now();
        }
        write(self.dialect.framing, &mut self.out);
        self.is_flushed = false;
    }

    fn has_room(&self) -> bool {
        self.out.len() < self.config.limits.max_outgoing
    }

    /// Says whether another call may begin.
    fn takes_more(&self) -> bool {
        self.has_room() && (!self.dialect.is_ordered || self.calls.is_empty())
    }

    /// Says whether nothing is on its way that the peer asked for.
    fn is_quiet(&self) -> bool {
        self.calls.is_empty() && !self.session.has_subscriptions(&self.items)
    }

    fn is_over(&self) -> bool {
        let is_done = self.is_quiet() && self.is_flushed;
        let is_last = self.is_ended || self.has_given_up || self.drained.is_none();
        let is_gone = self.is_ended && !self.may_only_listen;
        (is_done && is_last) || is_gone
    }

    fn poll_event(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Event, Status>> {
        if let Some(drained) = &mut self.drained
            && Pin::new(drained).poll(cx).is_ready()
        {
            return Poll::Ready(Ok(Event::Drained));
        }
        if self.has_room()
            && let Poll::Ready(Some(joined)) = self.calls.poll_join_next(cx)
        {
            // A task that broke off has nothing to say.
            return Poll::Ready(Ok(Event::Answered(joined.unwrap_or_default())));
        }
        if self.has_room()
            && let Poll::Ready(Some(item)) = self.items.poll_recv(cx)
        {
            return Poll::Ready(Ok(Event::Answered(Some(item))));
        }
        if !self.is_flushed
            && let Poll::Ready(written) = self.poll_write(cx)
        {
            return Poll::Ready(written.map(|()| Event::Written));
        }
        // Where one call runs at a time, what comes after it is read, and with that its end.
        let reads = self.takes_more() || (self.has_room() && self.splitter.bytes.len() < READ);
        if !self.is_ended
            && reads
            && let Poll::Ready(read) = self.poll_read(cx)
        {
            return Poll::Ready(read.map(|()| Event::Read));
        }
        if let Poll::Ready(status) = self.patience.poll_over(cx) {
            return Poll::Ready(Ok(Event::Stalled(status)));
        }
        self.poll_alarm(cx).map(|()| Ok(Event::Alarm))
    }

    fn poll_read(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        self.splitter.bytes.reserve(READ);
        let reading = pin!(self.io.read_buf(&mut self.splitter.bytes));
        let read = ready!(reading.poll(cx)).map_err(broken)?;
        self.patience.came(read);
        self.is_ended = read == 0;
        Poll::Ready(Ok(()))
    }

    fn poll_write(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        let written = self.poll_out(cx);
        if self.watch.has_moved() {
            self.stuck_since = Instant::now();
        }
        written
    }

    fn poll_out(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Status>> {
        while !self.out.is_empty() {
            let io = Pin::new(&mut self.io);
            let written = ready!(io.poll_write(cx, &self.out)).map_err(broken)?;
            if written == 0 {
                return Poll::Ready(Err(broken(std::io::ErrorKind::WriteZero.into())));
            }
            self.out.advance(written);
            self.stuck_since = Instant::now();
        }
        ready!(Pin::new(&mut self.io).poll_flush(cx)).map_err(broken)?;
        self.is_flushed = true;
        Poll::Ready(Ok(()))
    }

    /// Returns when something is due: that the peer took a byte, that there is a call, or a look
    /// whether it is still there.
    fn due(&self) -> Option<Instant> {
        let stuck = (!self.is_flushed).then_some((self.stuck_since, self.config.keepalive_timeout));
        // A text on its way has a time of its own, in either direction.
        let is_idle = self.is_quiet() && self.is_flushed && !self.splitter.is_incomplete();
        let idle = self.config.idle_timeout.filter(|_| is_idle);
        let idle = idle.map(|limit| (self.quiet_since, limit));
        let probe = (self.is_ended && self.is_flushed).then_some((self.stuck_since, self.probe));
        let all = [stuck, idle, probe].into_iter().flatten();
        all.map(|(since, limit)| deadline_after(since, limit)).min()
    }

    fn poll_alarm(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(due) = self.due() else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if due < alarm.deadline() || alarm.is_elapsed() {
            alarm.as_mut().reset(due);
        }
        // One that is set for too early only looks once more.
        alarm.as_mut().poll(cx)
    }

    /// Answers to what is not whole, and nothing that comes after it. It is read all the same, as only that
    /// shows whether the peer is still there.
    fn give_up_reading(&mut self, status: Status) {
        self.splitter.pass_over_all();
        self.patience.end();
        self.has_given_up = true;
        let refusal = self.session.refuse(&status.into());
        self.put(refusal);
    }

    /// Does what is due; true if that is the end of the connection.
    fn look_at_the_time(&mut self) -> Result<bool, Status> {
        if self.due().is_none_or(|due| Instant::now() < due) {
            return Ok(false);
        }
        if !self.is_flushed {
            return Err(Status::unavailable(
                "the peer took no byte for `keepalive_timeout` of what it asked for",
            ));
        }
        if !self.is_ended {
            return Ok(true);
        }
        // A peer may send no more and wait for its answers, or be gone, with calls left to cancel.
        // White space is nothing to the one, and fails at the other.
        self.probe = (self.probe * 2).min(LONGEST_PROBE);
        self.write(|_, out| out.extend_from_slice(b"\n"));
        Ok(false)
    }
}

fn broken(error: std::io::Error) -> Status {
    Status::unavailable("the connection broke").with_source(error)
}
