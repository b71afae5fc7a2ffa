//! Going on with a stream whose connection was lost.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::endpoint::{Endpoint, pause};
use super::outgoing::{Running, Watch};
use crate::call::{Granted, Request, Response, Resume, ResumeOut, deadline_in};
use crate::pushback::Pushback;
use crate::service::{BoxFuture, BoxService};
use crate::status::{Code, Phase, Status};

/// The shortest pause between two attempts, beyond which there is no time for another.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// The one of several servers that a call goes to, or that a response came from.
#[derive(Clone)]
pub(super) struct At(pub(super) Arc<Endpoint>);

/// What is needed to go on with a stream when its connection is lost.
pub(super) struct Resumption {
    service: BoxService,
    /// The request of the call, without its body: who goes on is known by a token.
    request: Request,
    /// What the server has given, if it keeps the stream.
    granted: Option<Granted>,
    received: u64,
    /// How often it was gone on with since an item came.
    attempts: u32,
}

/// A stream that is gone on with.
pub(super) struct Resumed {
    pub(super) response: Response,
    pub(super) watch: Watch,
    /// How many items are lost.
    pub(super) lost: u64,
    pub(super) resumption: Box<Resumption>,
}

pub(super) type Resuming = BoxFuture<'static, Result<Resumed, Status>>;

impl Resumption {
    /// Makes it of a request that is about to be sent, which says then that this is possible.
    pub(super) fn new(service: &BoxService, request: &mut Request) -> Box<Self> {
        let copy = request.clone_without_body();
        request.extensions_mut().insert(ResumeOut(Resume::Able));
        Box::new(Self {
            service: service.clone(),
            request: copy,
            granted: None,
            received: 0,
            attempts: 0,
        })
    }

    /// Takes what the server says of the stream at its acceptance.
    pub(super) fn accepted(&mut self, response: &mut Response) {
        let extensions = response.extensions_mut();
        self.granted = extensions.remove::<Granted>();
        if let Some(at) = extensions.remove::<At>() {
            self.request.extensions_mut().insert(at);
        }
    }

    pub(super) fn item_came(&mut self) {
        self.received = self.received.saturating_add(1);
        self.attempts = 0;
    }

    /// Returns whether the stream may be gone on with behind this failure: the connection was lost, and
    /// the server did not say anything itself.
    pub(super) fn may_go_on(&self, failure: &Status) -> bool {
        self.granted.is_some() && failure.code() == Code::Unavailable && !failure.is_remote()
    }

    /// Makes calls that go on with the stream until one is accepted, for as long as the server waits.
    pub(super) fn go_on(self: Box<Self>, failure: Status) -> Resuming {
        Box::pin(self.run(failure))
    }

    async fn run(mut self: Box<Self>, mut failure: Status) -> Result<Resumed, Status> {
        let Some(granted) = self.granted.clone() else {
            return Err(failure);
        };
        tracing::debug!(received = self.received, %failure, "a stream is gone on with");
        let until = deadline_in(granted.wait);
        // At once first: the network may be well, and only the connection be old.
        let mut wait = match self.attempts {
            0 => Duration::ZERO,
            attempts => pause(attempts - 1),
        };
        loop {
            self.attempts = self.attempts.saturating_add(1);
            self.rest(wait, until, &failure).await?;
            match self.attempt(&granted, until).await {
                Ok((mut response, watch)) => {
                    let lost = response.extensions().get::<Granted>().map(|it| it.lost);
                    self.accepted(&mut response);
                    let lost = lost.ok_or_else(no_stream)?;
                    self.received = self.received.saturating_add(lost);
                    return Ok(Resumed {
                        response,
                        watch,
                        lost,
                        resumption: self,
                    });
                }
                Err(status) => {
                    wait = self.pause_behind(&status, until).ok_or(status.clone())?;
                    failure = status;
                }
            }
        }
    }

    /// Waits before an attempt, if there is time for it.
    async fn rest(&self, wait: Duration, until: Instant, failure: &Status) -> Result<(), Status> {
        let next = deadline_in(wait);
        if let Some(deadline) = self.request.deadline_instant()
            && deadline <= until.min(next)
        {
            sleep_until(deadline).await;
            let text = "the deadline passed before the call ended";
            let status = Status::deadline_exceeded(text).with_source(failure.clone());
            return Err(status.in_phase(Phase::Reply));
        }
        if until <= next {
            return Err(self.unreachable(failure));
        }
        if !wait.is_zero() {
            sleep_until(next).await;
        }
        Ok(())
    }

    async fn attempt(
        &self,
        granted: &Granted,
        until: Instant,
    ) -> Result<(Response, Watch), Status> {
        let mut request = self.request.clone_without_body();
        request.set_acceptance_deadline(Some(until));
        request.extensions_mut().insert(ResumeOut(Resume::Behind {
            token: granted.token.clone(),
            received: self.received,
        }));
        let mut running = Running::new(&self.service, request);
        poll_fn(|cx| running.poll_response(cx)).await
    }

    /// Decides how long to wait behind an attempt that failed; nothing if it was the last.
    fn pause_behind(&self, status: &Status, until: Instant) -> Option<Duration> {
        let now = Instant::now();
        let (code, is_ours) = (status.code(), !status.is_remote());
        let is_lost = is_ours && code == Code::Unavailable;
        let may_pass = matches!(code, Code::Unavailable | Code::ResourceExhausted);
        let is_refused = status.is_not_started() && may_pass;
        // The time of an attempt was over, and not that of the call.
        let is_late = is_ours && code == Code::DeadlineExceeded;
        let deadline = self.request.deadline_instant();
        let is_late = is_late && deadline.is_none_or(|it| now < it);
        if !is_lost && !is_refused && !is_late {
            return None;
        }
        match status.pushback() {
            Some(Pushback::Never) => None,
            Some(Pushback::After(pause)) => Some(pause),
            // More often towards the end, so that the last one is not long before it.
            None => {
                let half = (until.saturating_duration_since(now) / 2).max(LEAST_PAUSE);
                Some(pause(self.attempts.saturating_sub(1)).min(half))
            }
        }
    }

    fn unreachable(&self, failure: &Status) -> Status {
        let (received, wait) = (self.received, self.granted.as_ref().map(|it| it.wait));
        let wait = wait.unwrap_or_default();
        Status::unavailable(format!(
            "the connection was lost behind {received} items, and the stream could not be gone on with in the \
             {wait:?} that its server waits"
        ))
        .with_source(failure.clone())
        .in_phase(Phase::Reply)
    }
}

/// What it means that items are lost for a caller who does not accept that.
pub(super) fn lost_items(lost: u64) -> Status {
    Status::data_loss(format!(
        "{lost} items of the stream are lost: the connection broke, and the server did not keep as many as were \
         on their way (its `Server::replay_limits`; `accept_gaps` goes on behind them)"
    ))
}

/// What it means that the answer says nothing of the stream, such as that of a layer that knows none.
fn no_stream() -> Status {
    Status::aborted("the stream cannot be gone on with: the server answered with another one")
}
