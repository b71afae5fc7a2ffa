//! The one task of a connection: it reads, hands out what came, keeps the time, and writes.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, Sleep, sleep_until};

use super::busy_poll::BusyPoll;
use super::connection::{Role, Shared};
use super::control::Broken;
use super::frame::FrameReader;
use super::give_way::GiveWay;
use super::look::Look;
use super::receive::Receiver;
use crate::status::{Code, Status};
use crate::transport::{BoxReader, Guard};

/// How often calls are looked at for deadlines that have passed.
const SWEEP: Duration = Duration::from_millis(5);

/// How long a side that has said its last word waits for the other to close as well.
const LINGER: Duration = Duration::from_secs(1);

/// How many reads one poll makes before it writes.
const READS: u32 = 4;

/// How many bytes of answers leave before all of a read was handed out, if as much of it is left:
/// two dozen small calls, which take several times as long as a write.
const EARLY: usize = 2 << 10;

/// How many bytes one poll reads before it lets other tasks run.
const TURN: usize = 32 << 10;

/// Reads, writes and keeps the time of one connection; it ends when the connection does.
///
/// Dropping it fails every call of the connection.
pub(crate) struct Driver {
    pub(super) shared: Arc<Shared>,
    reader: BoxReader,
    pub(super) frames: FrameReader,
    pub(super) receiver: Receiver,
    pub(super) greeted: bool,
    timer: Pin<Box<Sleep>>,
    pub(super) began: Instant,
    pub(super) last_read: Instant,
    pub(super) ping_sent: Option<Instant>,
    /// When the frame began that is not whole yet.
    pub(super) frame_began: Option<Instant>,
    /// Since when the peer has taken no byte of what waits for it.
    pub(super) stalled: Option<Instant>,
    pub(super) idle_since: Option<Instant>,
    /// An idle connection is being closed.
    pub(super) idle_closing: bool,
    /// Since when our writing direction is being ended.
    pub(super) shutting: Option<Instant>,
    /// It has ended; until then the peer may end its own.
    lingers: Option<Instant>,
    busy_poll: BusyPoll,
    give_way: GiveWay,
    /// How many bytes this poll has read.
    turn: usize,
    /// How many frames.
    frames_read: usize,
    /// Something was read since `last_read`.
    has_read: bool,
    _guard: Option<Guard>,
}

/// How a connection ended.
pub(super) enum End {
    /// The peer ended it, or we did when there was nothing left to do.
    Done(Status),
    Failed(Status),
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        reader: BoxReader,
        received: BytesMut,
        guard: Option<Guard>,
    ) -> Self {
        let now = Instant::now();
        let settings = shared.config.settings(shared.served.is_some());
        let driver = Self {
            receiver: Receiver::new(Arc::clone(&shared)),
            frames: FrameReader::with_bytes(settings.max_frame, received),
            reader,
            greeted: false,
            timer: Box::pin(sleep_until(now)),
            began: now,
            last_read: now,
            ping_sent: None,
            frame_began: None,
            stalled: None,
            idle_since: Some(now),
            idle_closing: false,
            shutting: None,
            lingers: None,
            busy_poll: BusyPoll::new(shared.config.busy_poll, now),
            give_way: GiveWay::default(),
            turn: 0,
            frames_read: 0,
            has_read: false,
            _guard: guard,
            shared,
        };
        if driver.shared.role == Role::Connected {
            driver.introduce();
        }
        driver
    }

    fn drive(&mut self, cx: &mut TaskContext<'_>) -> Poll<End> {
        if let Some(until) = self.lingers {
            return self.linger(cx, until);
        }
        self.give_way.is_back();
        self.turn = 0;
        self.frames_read = 0;
        loop {
            let drained = match self.read(cx) {
                Ok(drained) => drained,
                Err(end) => return Poll::Ready(end),
            };
            let now = Instant::now();
            if std::mem::take(&mut self.has_read) {
                self.last_read = now;
                self.ping_sent = None;
                self.busy_poll.found(self.frames_read);
            }
            let mut look = Look::at(&self.shared);
            if let Some(end) = self.keep_time(now, &mut look) {
                return Poll::Ready(end);
            }
            if self.give_way.before_write(&look) {
                return self.give_way.until_others_ran(cx, now);
            }
            let written = match self.write(cx, now) {
                Ok(written) => written,
                Err(end) => return Poll::Ready(end),
            };
            if self.is_finished()
                && let Some(ended) = self.shut_down(cx, now)
            {
                return ended;
            }
            if drained && written && self.give_way.has_its_thread() && self.busy_poll.goes_on(now) {
                return self.give_way.until_others_ran(cx, now);
            }
            if drained && self.sleep(cx, now) {
                return Poll::Pending;
            }
            if !written || self.turn >= TURN {
                return self.give_way.until_others_ran(cx, now);
            }
        }
    }

    /// Reads what there is and hands it out. True if that is all, and the reader has our waker.
    fn read(&mut self, cx: &mut TaskContext<'_>) -> Result<bool, End> {
        self.hand_out()?;
        for _ in 0..READS {
            let reader = self.reader.as_mut();
            let read = match self.frames.in_place_mut() {
                Some(mut fragment) => poll_read(reader, cx, &mut fragment),
                None => poll_read(reader, cx, self.frames.buffer_mut()),
            };
            match read {
                Poll::Pending => return Ok(true),
                Poll::Ready(Ok(0)) => return Err(self.end_of_file()),
                Poll::Ready(Ok(count)) => {
                    self.turn += count;
                    self.has_read = true;
                    self.hand_out()?;
                    if self.turn >= TURN {
                        break;
                    }
                }
                Poll::Ready(Err(error)) => {
                    let status = Status::unavailable("the connection broke").with_source(error);
                    return Err(End::Failed(status));
                }
            }
        }
        Ok(false)
    }

    fn hand_out(&mut self) -> Result<(), End> {
        if !self.greeted && !self.greet()? {
            return Ok(());
        }
        let result = loop {
            if let Some((header, bytes)) = self.frames.take_in_place() {
                self.frame_began = None;
                if let Err(broken) = self.receiver.fragment(header, bytes) {
                    break Err(broken);
                }
            }
            if self.receiver.is_settled()
                && let Some(run) = self.frames.next_run()
            {
                self.frame_began = None;
                self.receiver.run(run);
                // It has at least so many.
                self.frames_read += 2;
                continue;
            }
            match self.frames.next() {
                Ok(None) => break Ok(()),
                Ok(Some(frame)) => {
                    self.frame_began = None;
                    self.frames_read += 1;
                    if let Err(broken) = self.receiver.frame(frame) {
                        break Err(broken);
                    }
                    self.answer_early();
                }
                Err(too_large) => {
                    let broken = Broken::new(too_large.to_string());
                    break Err(broken.with_code(Code::ResourceExhausted));
                }
            }
        };
        self.receiver.end_batch();
        if let Some(header) = self.frames.pending_fragment()
            && let Some(room) = self.receiver.lend(header)
        {
            self.frames.read_in_place(header, room);
        }
        if self.frames.is_mid_frame() {
            self.frame_began.get_or_insert_with(Instant::now);
        }
        result.map_err(|broken| self.broken(&broken))
    }

    /// Sends the answers that there are, when there is more to hand out: the peer goes on with them
    /// on another core meanwhile, and else both sides would wait for each other in turn.
    fn answer_early(&mut self) {
        let answers = self.receiver.responder.frames.len();
        if answers.min(self.frames.buffered()) >= EARLY {
            self.receiver.responder.answer_early();
        }
    }

    /// Tells the peer, as far as that goes, why the connection ends.
    pub(super) fn broken(&mut self, broken: &Broken) -> End {
        let reason = &broken.text;
        let shared = &self.shared;
        shared.push_go_away(&mut shared.state(), Some(broken.code), reason);
        let mut cx = TaskContext::from_waker(Waker::noop());
        // The first write may be full of what was on its way; the next one begins with small frames.
        if let Poll::Ready(Ok(false)) = self.shared.poll_write(&mut cx) {
            let _ = self.shared.poll_write(&mut cx);
        }
        let _ = self.shared.poll_shutdown(&mut cx);
        End::Failed(Status::unavailable(format!(
            "the connection was closed because the peer broke the protocol: {reason}"
        )))
    }

    /// Writes what there is. False if there is more, though the peer takes it.
    fn write(&mut self, cx: &mut TaskContext<'_>, now: Instant) -> Result<bool, End> {
        match self.shared.poll_write(cx) {
            Poll::Ready(Ok(all)) => {
                self.stalled = None;
                Ok(all)
            }
            Poll::Ready(Err(error)) => {
                let status = Status::unavailable("the connection broke").with_source(error);
                Err(End::Failed(status))
            }
            Poll::Pending => {
                let progress = self.shared.take_write_progress();
                if progress {
                    self.stalled = None;
                }
                self.stalled.get_or_insert(now);
                Ok(true)
            }
        }
    }

    /// Says whether nothing is left to do and nothing more may come.
    fn is_finished(&self) -> bool {
        // Without the lock, as this is asked of every connection that goes on.
        if !self.shared.may_be_ending() {
            return false;
        }
        let state = self.shared.state();
        self.shared.is_ending(&state)
            && state.calls.is_empty()
            && state.peers_calls.is_empty()
            && state.outgoing.is_empty()
            && self.stalled.is_none()
    }

    /// Ends our direction; `None` while that is not possible yet.
    fn shut_down(&mut self, cx: &mut TaskContext<'_>, now: Instant) -> Option<Poll<End>> {
        let Poll::Ready(shut) = self.shared.poll_shutdown(cx) else {
            self.shutting.get_or_insert(now);
            return None;
        };
        if shut.is_err() || !self.greeted || self.shared.role == Role::Connected {
            return Some(Poll::Ready(closed()));
        }
        let until = now + LINGER;
        self.lingers = Some(until);
        self.timer.as_mut().reset(until);
        Some(self.linger(cx, until))
    }

    /// Reads on, and drops what comes, until the peer has closed too. Closing a socket with bytes
    /// unread resets the connection, and takes along answers that the peer has not read yet.
    fn linger(&mut self, cx: &mut TaskContext<'_>, until: Instant) -> Poll<End> {
        while Instant::now() < until {
            let buffer = self.frames.buffer_mut();
            buffer.clear();
            match poll_read(self.reader.as_mut(), cx, buffer) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return Poll::Ready(closed()),
                Poll::Pending => break,
            }
        }
        std::task::ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(closed())
    }

    /// Arms the timer and leaves the waker. False if there is something to do after all.
    fn sleep(&mut self, cx: &mut TaskContext<'_>, now: Instant) -> bool {
        let mut state = self.shared.state();
        let can_write = self.stalled.is_none() && !state.is_corked();
        let looks_again = std::mem::take(&mut state.looks_again);
        if looks_again || can_write && !state.outgoing.is_empty() {
            return false;
        }
        state.driver = Some(cx.waker().clone());
        let sweep = state.next_sweep.map(|it| it.max(now + SWEEP));
        drop(state);
        let next = self.next_moment(sweep);
        if self.timer.deadline() > next || self.timer.is_elapsed() {
            self.timer.as_mut().reset(next);
        }
        // Ready means that a moment has come meanwhile.
        self.timer.as_mut().poll(cx).is_pending()
    }
}

/// Reads once into the room behind what the buffer holds; `Ok(0)` is the end of the stream.
fn poll_read(
    mut reader: Pin<&mut (dyn AsyncRead + Send)>,
    cx: &mut TaskContext<'_>,
    buffer: &mut impl BufMut,
) -> Poll<io::Result<usize>> {
    pin!(reader.read_buf(buffer)).poll(cx)
}

fn closed() -> End {
    End::Done(Status::unavailable("the connection was closed"))
}

impl Future for Driver {
    /// Why the connection ended, if not in peace.
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match std::task::ready!(self.drive(cx)) {
            End::Done(status) => {
                self.shared.close(status);
                Poll::Ready(Ok(()))
            }
            End::Failed(status) => {
                self.shared.close(status.clone());
                Poll::Ready(Err(status))
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.close(Status::unavailable(
            "the task of the connection was stopped",
        ));
        self.shared.release();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::io::{AsyncWriteExt, duplex};

    use super::super::frame::{Flags, FrameHeader, FrameType};
    use super::super::open;
    use super::*;
    use crate::transport::Io;
    use crate::wire::config::Config;

    /// Says whether the driver is awake still when so many answers to pings were read.
    async fn is_awake_after(answers: usize, busy_poll: Duration) -> bool {
        let (near, mut far) = duplex(1024);
        let config = Config {
            busy_poll,
            ..Config::default()
        };
        let role = Role::Connected;
        let (connection, mut driver) =
            open(Io::new(near), role, Arc::new(config), None, BytesMut::new());
        driver.greeted = true;
        let mut cx = TaskContext::from_waker(Waker::noop());
        let settings = FrameHeader::new(FrameType::SETTINGS, Flags::NONE, 0).to_bytes();
        far.write_all(&settings).await.unwrap();
        while !driver.receiver.is_settled() {
            assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
        }
        let answer = FrameHeader {
            length: 8,
            ..FrameHeader::new(FrameType::PING, Flags::ACK, 0)
        };
        let answer = [&answer.to_bytes()[..], &[0; 8]].concat();
        far.write_all(&answer.repeat(answers)).await.unwrap();
        assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
        connection.shared().state().driver.is_none()
    }

    #[tokio::test(start_paused = true)]
    async fn it_stays_awake_where_several_frames_came_at_once() {
        let limit = Config::default().busy_poll;
        assert!(is_awake_after(2, limit).await);
        assert!(!is_awake_after(1, limit).await, "one came alone");
        assert!(!is_awake_after(2, Duration::ZERO).await, "it is turned off");
    }

    /// The caller's write leaves nothing in the queue, and nobody who hears when the stream has room.
    #[tokio::test(start_paused = true)]
    async fn what_a_caller_could_not_write_whole_is_not_slept_over() {
        let (near, mut far) = duplex(64);
        let config = Arc::new(Config::default());
        let io = Io::new(near);
        let (connection, mut driver) = open(io, Role::Connected, config, None, BytesMut::new());
        let shared = Arc::clone(connection.shared());
        let mut cx = TaskContext::from_waker(Waker::noop());
        let mut introduction = [0; 64];
        loop {
            assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
            if far.read(&mut introduction).now_or_never().is_none() {
                break;
            }
        }
        // Somebody has woken it just now, so it is at work, and has written what there was.
        assert!(shared.state().driver.take().is_some());
        for _ in 0..20 {
            shared
                .state()
                .push(FrameType::PING, Flags::NONE, 0, &[0; 8]);
        }
        shared.write_alone();
        assert!(shared.state().outgoing.is_empty());
        let now = Instant::now();
        assert!(!driver.sleep(&mut cx, now), "it has something to do");
        assert!(driver.write(&mut cx, now).is_ok() && driver.stalled.is_some());
        assert!(driver.sleep(&mut cx, now), "it hears when there is room");
    }
}
