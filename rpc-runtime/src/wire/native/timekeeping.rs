//! What a connection does because of the time: it pings, gives up, and closes when it is idle.

use tokio::time::Instant;

use super::control::Broken;
use super::driver::{Driver, End};
use super::frame::{Flags, FrameType};
use super::look::Look;
use crate::status::{Code, Status};

impl Driver {
    /// Looks at everything that has a time.
    pub(super) fn keep_time(&mut self, now: Instant, look: &mut Look) -> Option<End> {
        if look.next_sweep.is_some_and(|it| it <= now) {
            self.receiver.sweep(now);
            self.receiver.end_batch();
            *look = Look::at(&self.shared);
        }
        let spares = self.shared.budget.spares();
        if spares.expires().is_some_and(|it| it <= now) {
            spares.clear(&self.shared.budget);
        }
        if let Some(end) = self.time_is_up(now) {
            return Some(end);
        }
        if look.calls == 0 {
            self.idle_since.get_or_insert(now);
        } else {
            self.idle_since = None;
        }
        let config = &self.shared.config;
        let idle = self.idle_since.zip(config.idle_timeout);
        let idle = idle.is_some_and(|(since, limit)| now - since >= limit);
        if idle && !self.idle_closing {
            self.idle_closing = true;
            self.shared.drain();
        }
        let silent = now - self.last_read >= self.shared.config.keepalive_interval;
        if silent && self.greeted && self.ping_sent.is_none() {
            self.ping_sent = Some(now);
            self.shared
                .state()
                .push(FrameType::PING, Flags::NONE, 0, &[0; 8]);
        }
        None
    }

    /// Says why the peer has had time enough.
    fn time_is_up(&mut self, now: Instant) -> Option<End> {
        let config = &self.shared.config;
        let over = |since: Option<Instant>, limit| since.is_some_and(|it| now - it >= limit);
        if !self.receiver.is_settled() && now - self.began >= config.handshake_timeout {
            let text = "the peer did not introduce itself within `handshake_timeout`";
            return Some(End::Failed(Status::unavailable(text)));
        }
        if over(self.ping_sent, config.keepalive_timeout) {
            let text = "the peer has fallen silent: it did not answer within `keepalive_timeout`";
            return Some(End::Failed(Status::unavailable(text)));
        }
        if over(self.frame_began, config.frame_timeout) {
            let broken = Broken::new("a frame was not whole within `frame_timeout`");
            return Some(self.broken(&broken.with_code(Code::DeadlineExceeded)));
        }
        if over(self.stalled.or(self.shutting), config.keepalive_timeout) {
            let text = "the peer does not read: it took no byte within `keepalive_timeout`";
            return Some(End::Failed(Status::unavailable(text)));
        }
        None
    }

    /// Returns when [`keep_time`](Self::keep_time) has something to do next.
    pub(super) fn next_moment(&self, sweep: Option<Instant>) -> Instant {
        let config = &self.shared.config;
        // Only what `keep_time` acts on, or the task would spin on a moment that has passed: before
        // its preface a peer is not pinged, and `handshake_timeout` bounds that time.
        let keepalive = match self.ping_sent {
            Some(sent) => Some(sent + config.keepalive_timeout),
            None => self
                .greeted
                .then(|| self.last_read + config.keepalive_interval),
        };
        let handshake =
            (!self.receiver.is_settled()).then(|| self.began + config.handshake_timeout);
        let frame = self.frame_began.map(|it| it + config.frame_timeout);
        let stalled = self.stalled.or(self.shutting);
        let stalled = stalled.map(|it| it + config.keepalive_timeout);
        let idle_timeout = config.idle_timeout.filter(|_| !self.idle_closing);
        let idle = self
            .idle_since
            .zip(idle_timeout)
            .map(|(since, limit)| since + limit);
        let spares = self.shared.budget.spares().expires();
        let moments = [sweep, keepalive, handshake, frame, stalled, idle, spares];
        let next = moments.into_iter().flatten().min();
        next.unwrap_or_else(|| Instant::now() + config.keepalive_interval)
    }
}
