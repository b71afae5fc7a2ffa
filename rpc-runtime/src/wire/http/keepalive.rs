//! Whether the other side of an HTTP/2 connection is still there.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep_until};

use super::prefixed::LastRead;
use crate::call::deadline_after;
use crate::status::Status;

/// Pings a peer that has been silent, and says when it does not answer.
pub(super) struct Keepalive {
    pings: Option<PingPong>,
    last_read: LastRead,
    interval: Duration,
    timeout: Duration,
    /// How long an answer may take while bytes do come: a frame that trickles holds it up.
    frame_timeout: Duration,
    timer: Pin<Box<Sleep>>,
    sent: Option<Instant>,
    /// When a frame of the peer's was whole for sure: bytes alone may be those of one that trickles.
    answered: Instant,
}

impl Keepalive {
    pub(super) fn new(
        pings: Option<PingPong>,
        last_read: LastRead,
        interval: Duration,
        timeout: Duration,
        frame_timeout: Duration,
    ) -> Self {
        let first = deadline_after(Instant::now(), interval);
        Self {
            pings,
            last_read,
            interval,
            timeout,
            frame_timeout,
            timer: Box::pin(sleep_until(first)),
            sent: None,
            answered: Instant::now(),
        }
    }

    /// Waits for the answer to a ping that is sent now: before it, the peer's SETTINGS have come
    /// (RFC 9113, section 3.4).
    pub(super) fn ping_now(&mut self) {
        if let Some(pings) = &mut self.pings
            && pings.send_ping(Ping::opaque()).is_ok()
        {
            self.sent = Some(Instant::now());
            let due = deadline_after(Instant::now(), self.timeout);
            self.timer.as_mut().reset(due);
        }
    }

    /// Says whether every ping was answered.
    pub(super) fn is_answered(&self) -> bool {
        self.sent.is_none()
    }

    /// Ready when the peer has fallen silent; it leaves the waker for what happens before that.
    /// `may_ping` says whether a peer that is silent is pinged now.
    pub(super) fn poll_silent(&mut self, cx: &mut TaskContext<'_>, may_ping: bool) -> Poll<Status> {
        loop {
            self.poll_answer(cx);
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            let since_read = now - self.last_read.get();
            match self.sent {
                None => match self.until_ping(since_read, now) {
                    Some(left) => self.sleep(left, now),
                    None if may_ping => self.ping_now(),
                    None => self.sleep(self.interval, now),
                },
                Some(sent) if since_read >= self.timeout || now - sent >= self.longest() => {
                    return Poll::Ready(Status::unavailable(
                        "the peer has fallen silent: it did not answer within `keepalive_timeout`",
                    ));
                }
                Some(sent) => {
                    let left = (self.timeout - since_read).min(self.longest() - (now - sent));
                    self.sleep(left, now);
                }
            }
            if self.pings.is_none() {
                return Poll::Pending;
            }
        }
    }

    /// Returns how long a ping is not needed yet.
    fn until_ping(&self, since_read: Duration, now: Instant) -> Option<Duration> {
        let silence = self.interval.checked_sub(since_read)?;
        let unanswered = self.interval.saturating_add(self.frame_timeout);
        let trickle = unanswered.checked_sub(now - self.answered)?;
        Some(silence.min(trickle)).filter(|left| !left.is_zero())
    }

    fn longest(&self) -> Duration {
        self.timeout.saturating_add(self.frame_timeout)
    }

    fn sleep(&mut self, time: Duration, now: Instant) {
        self.timer.as_mut().reset(deadline_after(now, time));
    }

    fn poll_answer(&mut self, cx: &mut TaskContext<'_>) {
        if let Some(pings) = &mut self.pings
            && self.sent.is_some()
            && pings.poll_pong(cx).is_ready()
        {
            self.sent = None;
            self.answered = Instant::now();
            self.sleep(self.interval, self.answered);
        }
    }
}
