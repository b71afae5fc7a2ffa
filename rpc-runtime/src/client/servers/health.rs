//! Asking servers whether they can be called.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::call::{FAR_AHEAD, Request, Response};
use crate::client::endpoint::Endpoint;
use crate::server::health::v1::health_check_response::ServingStatus;
use crate::server::health::v1::{HealthCheckRequest, HealthClient};
use crate::service::Service;
use crate::status::{Code, Phase, Status};

/// The shortest time between two questions: each is work for the server.
const SHORTEST: Duration = Duration::from_millis(10);

/// How a channel asks each of its servers whether it can be called: see
/// [`Connect::health_check`](crate::client::Connect::health_check).
///
/// The standard `grpc.health.v1.Health` is asked, which [`Server::health`](crate::Server::health) serves on
/// every wire, and gRPC servers of other languages have. A server gets no calls before it has said that it
/// serves, and from the moment on at which it says that it does not, or has not answered several times; it
/// is asked on, and gets calls again when it serves. One without that service counts as healthy.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    service: String,
    interval: Duration,
    timeout: Duration,
    unhealthy_after: u32,
    healthy_after: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self::new()
    }
}

impl HealthCheck {
    /// Asks for the server as a whole, every 10 seconds and for up to 2; leaves it out after 2 failures, and
    /// takes it back after 1 good answer.
    pub fn new() -> Self {
        Self {
            service: String::new(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            unhealthy_after: 2,
            healthy_after: 1,
        }
    }

    /// Asks for one service, such as `math.v1.Math`, instead of the server as a whole. A server that does
    /// not know it fails to answer.
    #[must_use]
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = name.into();
        self
    }

    /// Sets the time between an answer and the next question, 10 seconds by default and at least 10 ms; each
    /// is up to a quarter longer or shorter.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.clamp(SHORTEST, FAR_AHEAD);
        self
    }

    /// Sets how long an answer may take, 2 seconds by default, connecting included.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.clamp(SHORTEST, FAR_AHEAD);
        self
    }

    /// Sets after how many questions in a row without an answer a server is left out, 2 by default. One that
    /// says that it does not serve is believed at once.
    #[must_use]
    pub fn unhealthy_after(mut self, failures: u32) -> Self {
        self.unhealthy_after = failures.max(1);
        self
    }

    /// Sets after how many good answers in a row a server that was left out gets calls again, 1 by default.
    #[must_use]
    pub fn healthy_after(mut self, answers: u32) -> Self {
        self.healthy_after = answers.max(1);
        self
    }

    /// Asks once.
    async fn ask(&self, endpoint: &Arc<Endpoint>) -> Answer {
        let client = HealthClient::new(Asked(Arc::clone(endpoint)));
        let request = HealthCheckRequest {
            service: self.service.clone(),
            ..HealthCheckRequest::default()
        };
        match client.check(request).timeout(self.timeout).await {
            Ok(answer) if answer.status == ServingStatus::SERVING => Answer::Serving,
            Ok(_) => {
                let text = "the server says in its health check that it does not serve";
                Answer::NotServing(Status::unavailable(text))
            }
            // It says nothing about how it is.
            Err(status) if status.code() == Code::Unimplemented => Answer::Serving,
            Err(status) => Answer::Failed(status),
        }
    }
}

/// The server that is asked. Layers of the channel are not around it: they are for calls of users.
struct Asked(Arc<Endpoint>);

impl Service for Asked {
    async fn call(&self, request: Request) -> Result<Response, Status> {
        self.0.call(request).await
    }

    fn keeps_deadlines(&self) -> bool {
        true
    }
}

/// What came of a question.
enum Answer {
    Serving,
    NotServing(Status),
    Failed(Status),
}

/// How a server is.
#[derive(Clone, Debug, Default)]
enum Health {
    /// It has not been heard of yet.
    #[default]
    Unknown,
    Healthy,
    Unhealthy(Status),
}

/// What answers make of it.
#[derive(Clone, Debug, Default)]
struct Verdict {
    health: Health,
    /// Answers in a row that speak against that.
    against: u32,
}

impl Verdict {
    fn note(&mut self, answer: Answer, check: &HealthCheck) {
        let (health, needed) = match (answer, &self.health) {
            (Answer::Serving, Health::Healthy) | (Answer::Failed(_), Health::Unhealthy(_)) => {
                self.against = 0;
                return;
            }
            (Answer::Serving, Health::Unknown) => (Health::Healthy, 1),
            (Answer::Serving, Health::Unhealthy(_)) => (Health::Healthy, check.healthy_after),
            (Answer::NotServing(status), _) => (Health::Unhealthy(status), 1),
            (Answer::Failed(status), Health::Unknown) => (Health::Unhealthy(status), 1),
            (Answer::Failed(status), Health::Healthy) => {
                (Health::Unhealthy(status), check.unhealthy_after)
            }
        };
        self.against = self.against.saturating_add(1);
        if self.against >= needed {
            *self = Self { health, against: 0 };
        }
    }
}

/// A server that is asked, from its first use on until this is dropped.
pub(super) struct Checked {
    check: HealthCheck,
    verdict: Arc<watch::Sender<Verdict>>,
    asking: OnceLock<AbortHandle>,
}

impl Checked {
    pub(super) fn new(check: HealthCheck) -> Self {
        Self {
            check,
            verdict: Arc::new(watch::Sender::default()),
            asking: OnceLock::new(),
        }
    }

    /// Begins to ask, if nobody has.
    fn ask(&self, endpoint: &Arc<Endpoint>) {
        self.asking.get_or_init(|| {
            let asking = follow(
                self.check.clone(),
                Arc::clone(endpoint),
                Arc::clone(&self.verdict),
            );
            tokio::spawn(asking).abort_handle()
        });
    }

    /// Returns whether calls may go there; `None` while that is not known.
    pub(super) fn is_healthy(&self, endpoint: &Arc<Endpoint>) -> Option<bool> {
        self.ask(endpoint);
        match self.verdict.borrow().health {
            Health::Unknown => None,
            Health::Healthy => Some(true),
            Health::Unhealthy(_) => Some(false),
        }
    }

    /// Returns why calls may not go there, if that is known.
    pub(super) fn refusal(&self, endpoint: &Endpoint) -> Option<Status> {
        match &self.verdict.borrow().health {
            Health::Unhealthy(status) => Some(blame(status.clone(), endpoint)),
            Health::Unknown | Health::Healthy => None,
        }
    }

    /// Waits until it is known how the server is; fails with why it cannot be called.
    pub(super) async fn healthy(
        &self,
        endpoint: &Arc<Endpoint>,
        deadline: Option<Instant>,
    ) -> Result<(), Status> {
        self.ask(endpoint);
        let mut verdict = self.verdict.subscribe();
        let known = verdict.wait_for(|it| !matches!(it.health, Health::Unknown));
        let known = match deadline {
            None => known.await,
            Some(deadline) => timeout_at(deadline, known).await.map_err(|_| {
                let text = "the deadline passed before the server had said how it is";
                blame(Status::deadline_exceeded(text), endpoint)
            })?,
        };
        match known.map(|it| it.health.clone()) {
            Ok(Health::Unhealthy(status)) => Err(blame(status, endpoint)),
            // The sender is in `self`.
            _ => Ok(()),
        }
    }
}

/// Says that the call did not begin there.
fn blame(status: Status, endpoint: &Endpoint) -> Status {
    let text = format!("the server is not healthy: {}", status.message());
    let code = match status.code() {
        Code::DeadlineExceeded => Code::DeadlineExceeded,
        _ => Code::Unavailable,
    };
    Status::new(code, text)
        .with_source(status)
        .into_not_started()
        .in_phase(Phase::Connect)
        .at_peer(endpoint.url())
}

impl Drop for Checked {
    fn drop(&mut self) {
        if let Some(asking) = self.asking.get() {
            asking.abort();
        }
    }
}

async fn follow(check: HealthCheck, endpoint: Arc<Endpoint>, verdict: Arc<watch::Sender<Verdict>>) {
    loop {
        let answer = check.ask(&endpoint).await;
        let mut changed = false;
        verdict.send_modify(|it| {
            let before = std::mem::discriminant(&it.health);
            it.note(answer, &check);
            changed = std::mem::discriminant(&it.health) != before;
        });
        if changed {
            let health = &verdict.borrow().health;
            tracing::info!(server = %endpoint.url(), ?health, "a server's health has changed");
        }
        // Clients that began together do not ask together for ever.
        sleep(check.interval.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Answer {
        Answer::Failed(Status::unavailable("gone"))
    }

    /// Says whether it is healthy after these answers.
    fn after(answers: impl IntoIterator<Item = Answer>, check: &HealthCheck) -> bool {
        let mut verdict = Verdict::default();
        for answer in answers {
            verdict.note(answer, check);
        }
        matches!(verdict.health, Health::Healthy)
    }

    #[test]
    fn answers_in_a_row_change_the_verdict() {
        use Answer::{NotServing, Serving};
        let no = || NotServing(Status::unavailable("no"));
        let check = HealthCheck::new().unhealthy_after(3).healthy_after(2);
        assert!(after([Serving], &check), "the first good answer is enough");
        assert!(!after([failed()], &check), "it is not called before one");
        assert!(
            !after([Serving, no()], &check),
            "what it says counts at once"
        );
        assert!(after([Serving, failed(), failed()], &check));
        assert!(after(
            [Serving, failed(), failed(), Serving, failed(), failed()],
            &check
        ));
        assert!(!after([Serving, failed(), failed(), failed()], &check));
        assert!(!after([no(), Serving], &check));
        assert!(!after([no(), Serving, failed(), Serving], &check));
        assert!(after([no(), Serving, Serving], &check));
    }
}
