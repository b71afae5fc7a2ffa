//! The attempts of one call.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::time::{sleep, timeout};

use super::Retry;
use super::stream::Unread;
use crate::call::{
    Body, CALL_ID, Cancellation, EXPECTED_KIND, Granted, MethodDescriptor, MethodKind, Request,
    Response, deadline_in,
};
use crate::pushback::Pushback;
use crate::service::{BoxService, Service};
use crate::status::{Code, Phase, Status};

/// Marks a request whose attempts are counted further out.
#[derive(Clone, Copy)]
pub(super) struct Governed;

/// A call that may be made again.
pub(super) struct Attempts {
    policy: Arc<Retry>,
    service: BoxService,
    /// What every attempt is a copy of.
    request: Request,
    idempotent: bool,
    /// Whoever comes again gets the answer of the first time, which goes on meanwhile.
    once: bool,
    made: u32,
    /// It was made again at once already.
    hurried: bool,
}

impl Attempts {
    pub(super) fn new(policy: Arc<Retry>, service: BoxService, mut request: Request) -> Box<Self> {
        let descriptor = request.method().descriptor();
        let declared = descriptor.is_some_and(MethodDescriptor::is_idempotent);
        let once = descriptor.is_some_and(MethodDescriptor::is_once);
        if once {
            name_call(&mut request);
        }
        Box::new(Self {
            once,
            idempotent: declared || once || policy.any_method,
            policy,
            service,
            request,
            made: 0,
            hurried: false,
        })
    }

    /// Makes the call until it is answered, or fails for good.
    pub(super) async fn run(mut self: Box<Self>) -> Result<Response, Status> {
        let mut response = self.answered().await?;
        // One that its caller can go on with is not made again, as then it would be another one.
        let is_kept = response.extensions().get::<Granted>().is_some();
        if response.body().is_stream() && !is_kept {
            let body = response.take_body();
            response.set_body(Body::stream(Unread::new(body, self)));
        }
        Ok(response)
    }

    pub(super) async fn answered(&mut self) -> Result<Response, Status> {
        loop {
            match self.attempt().await {
                Ok(response) => return Ok(response),
                Err(status) => self.recover(status).await?,
            }
        }
    }

    /// Waits until it is time for another attempt, or gives the failure back.
    pub(super) async fn recover(&mut self, status: Status) -> Result<(), Status> {
        let Some(pause) = self.pause_behind(&status) else {
            return Err(status.after_attempts(self.made));
        };
        tracing::debug!(attempt = self.made, ?pause, %status, "the call is made again");
        if !pause.is_zero() {
            sleep(pause).await;
        }
        Ok(())
    }

    async fn attempt(&mut self) -> Result<Response, Status> {
        let first = self.request.attempt();
        let copy = self.request.try_clone();
        let mut copy = copy.ok_or_else(|| Status::internal("a stream cannot be sent again"))?;
        copy.set_attempt(first.saturating_add(self.made));
        self.made += 1;
        let Some(limit) = self.policy.attempt_timeout else {
            return self.service.call(copy).await;
        };
        if !self.once && has_one_answer(&copy) {
            copy.shorten_timeout(limit);
        }
        let answered = timeout(limit, self.service.call(copy)).await;
        answered.unwrap_or_else(|_| {
            let text = format!("the attempt took longer than its `attempt_timeout` of {limit:?}");
            Err(Status::deadline_exceeded(text).in_phase(Phase::Reply))
        })
    }

    /// Decides whether there is another attempt, and how long to wait for it.
    fn pause_behind(&mut self, status: &Status) -> Option<Duration> {
        let cancelled = self
            .request
            .cancellation()
            .is_some_and(Cancellation::is_cancelled);
        if cancelled || self.made >= self.policy.max_attempts {
            return None;
        }
        let refused = is_refused(status);
        let may_repeat = self.idempotent && self.policy.may_help(status);
        if !refused && !may_repeat {
            return None;
        }
        // Overloaded servers are not hurried.
        let hurries = refused && status.code() == Code::Unavailable && !self.hurried;
        let pause = match status.pushback() {
            Some(Pushback::Never) => return None,
            Some(Pushback::After(pause)) => pause,
            None if hurries => {
                self.hurried = true;
                return self.fits(Duration::ZERO);
            }
            None => self.policy.pause(self.made),
        };
        let pause = self.fits(pause)?;
        self.policy.budget.spend().then_some(pause)
    }

    /// Returns the pause, if the call still has time behind it.
    fn fits(&self, pause: Duration) -> Option<Duration> {
        let end = self.request.first_deadline();
        end.is_none_or(|end| deadline_in(pause) < end)
            .then_some(pause)
    }
}

/// Returns whether the answer is surely no stream: of that an attempt's time bounds only the beginning, which nobody else
/// could know.
fn has_one_answer(request: &Request) -> bool {
    if let Some(descriptor) = request.method().descriptor() {
        return !descriptor.kind().is_download();
    }
    let expected = request.metadata().get(EXPECTED_KIND);
    expected.is_some_and(|kind| kind.as_bytes() == MethodKind::Unary.name().as_bytes())
}

/// Gives the call a name that no other call of this client has, unless its caller gave it one.
fn name_call(request: &mut Request) {
    let name = format!("{:032x}", fastrand::u128(..));
    if let Ok(name) = HeaderValue::try_from(name) {
        request.metadata_mut().entry(CALL_ID).or_insert(name);
    }
}

/// Returns whether no handler saw the call, for a reason that may pass.
fn is_refused(status: &Status) -> bool {
    let may_pass = matches!(status.code(), Code::Unavailable | Code::ResourceExhausted);
    may_pass && status.is_not_started()
}
