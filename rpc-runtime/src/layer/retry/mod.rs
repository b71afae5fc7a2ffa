//! Making calls again.

mod attempts;
mod budget;
mod counted;
mod stream;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tower_layer::Layer;

use self::attempts::{Attempts, Governed};
pub use self::budget::RetryBudget;
use crate::call::{Request, Response};
use crate::service::{BoxService, Service};
use crate::status::{Code, Status};

/// Makes a call again that failed, where that is safe and may help.
///
/// **Safe** it is in two cases. The method is declared `#[rpc(idempotent)]` or `#[rpc(read_only)]`
/// (in a `.proto` file, by `idempotency_level`), and the failure has one of the [`codes`](Self::codes).
/// Or no handler saw the call, whatever its method does: [`Status::is_not_started`] with
/// [`Code::Unavailable`] or [`Code::ResourceExhausted`]. Nothing else is made again, as a method
/// runs at most once unless it says that it may run twice.
///
/// A method declared `#[rpc(once)]` is as good as idempotent: each call gets a name, the metadata
/// `rpc-call-id`, by which the server knows it again and gives the answer of the first time. That is
/// the promise of one server. Of several, [`Balance::ConsistentHash`](crate::client::Balance) of that metadata asks
/// the same one again while it is there; another one runs the call anew.
///
/// Between attempts it waits for a random time between nothing and a bound that doubles; a server
/// that [asks for a time](Status::with_pushback) gets that instead, and one that asks not to be
/// asked again is not. The first time that a call did not even start because a server is out of
/// reach or shuts down, it is made again at once, as another server may be there.
///
/// **The deadline** is that of the call, not of an attempt, and a pause that would not end before it
/// is not begun. Dropping the call ends whatever goes on. A [budget](RetryBudget) bounds what all
/// calls together add to the load. The failure of a call that was made again says how often:
/// [`Status::attempts`]; a handler sees which attempt it serves in
/// [`Context::attempt`](crate::Context::attempt).
///
/// A call that is answered by a stream is made again until its first item has come; metadata that
/// came before it is that of the attempt which was accepted first. A stream that [goes on by
/// itself](crate::rpc_service#resumable-streams) is not made again once it was accepted. A call that *sends* a stream is
/// not made again: what was read of it is gone.
///
/// Put it on a channel, or on one call with [`Call::retry`](crate::Call::retry), where it counts
/// instead of the channel's. Of several around one call only the outermost does anything.
///
/// # Examples
///
/// ```
/// use rpc_runtime::layer::Retry;
/// use rpc_runtime::{Channel, Code};
/// use std::time::Duration;
///
/// # async fn connect() -> Result<Channel, rpc_runtime::Status> {
/// let retry = Retry::new()
///     .max_attempts(5)
///     .backoff(Duration::from_millis(20), Duration::from_secs(1))
///     .codes([Code::Unavailable, Code::Aborted]);
/// let channel = Channel::connect("tcp://127.0.0.1:8080").layer(retry).await?;
/// # Ok(channel) }
/// ```
#[derive(Clone)]
pub struct Retry {
    max_attempts: u32,
    first_pause: Duration,
    longest_pause: Duration,
    /// A bit a code, by its number.
    codes: u32,
    attempt_timeout: Option<Duration>,
    any_method: bool,
    budget: RetryBudget,
    random: Arc<Mutex<Rng>>,
}

impl Retry {
    /// Makes a layer that makes a call at most 4 times, waits up to 100 ms before the second attempt
    /// and up to 5 s before a later one, and repeats idempotent methods after
    /// [`Code::Unavailable`].
    pub fn new() -> Self {
        Self {
            max_attempts: 4,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            codes: bit(Code::Unavailable),
            attempt_timeout: None,
            any_method: false,
            budget: RetryBudget::default(),
            random: Arc::new(Mutex::new(Rng::new())),
        }
    }

    /// Sets how often a call is made at most, the first time included; 1 is never again.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets the longest pause before the second attempt, which doubles with each, and the longest
    /// of all.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first;
        self.longest_pause = longest;
        self
    }

    /// Sets with which codes an idempotent method is called again.
    #[must_use]
    pub fn codes(mut self, codes: impl IntoIterator<Item = Code>) -> Self {
        self.codes = codes.into_iter().fold(0, |set, code| set | bit(code));
        self
    }

    /// Bounds each attempt until its answer begins; without it, one that hangs takes all the time
    /// that the call has. An attempt of an idempotent method that ran out of it is made again.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = Some(timeout);
        self
    }

    /// Takes every method for idempotent. For calls by name, and for services whose authors did not
    /// say so; a method that is not will at times run twice for one call.
    #[must_use]
    pub fn assume_idempotent(mut self) -> Self {
        self.any_method = true;
        self
    }

    /// Shares a budget with other layers, instead of one of its own with the default size.
    #[must_use]
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Draws pauses from a seed, so that a test is the same every time.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Arc::new(Mutex::new(Rng::with_seed(seed)));
        self
    }

    /// Returns whether a failure of an idempotent method is worth another attempt.
    fn may_help(&self, status: &Status) -> bool {
        let timed_out = self.attempt_timeout.is_some() && status.code() == Code::DeadlineExceeded;
        timed_out || self.codes & bit(status.code()) != 0
    }

    /// Draws the pause behind so many attempts: anything up to the bound, so that clients which
    /// failed together do not come back together
    /// (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>, "full jitter").
    fn pause(&self, attempts: u32) -> Duration {
        let doubled = 1_u32.checked_shl(attempts.saturating_sub(1));
        let bound = self.first_pause.saturating_mul(doubled.unwrap_or(u32::MAX));
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        bound.min(self.longest_pause).mul_f64(random.f64())
    }
}

const fn bit(code: Code) -> u32 {
    1 << code.number()
}

impl Default for Retry {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("max_attempts", &self.max_attempts)
            .field("first_pause", &self.first_pause)
            .field("longest_pause", &self.longest_pause)
            .field("attempt_timeout", &self.attempt_timeout)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

impl<S: Service> Layer<S> for Retry {
    type Service = RetryService;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService {
            inner: BoxService::new(inner),
            policy: Arc::new(self.clone()),
        }
    }
}

/// The service that [`Retry`] makes.
#[derive(Clone, Debug)]
pub struct RetryService {
    inner: BoxService,
    policy: Arc<Retry>,
}

impl Service for RetryService {
    async fn call(&self, mut request: Request) -> Result<Response, Status> {
        let is_governed = request.extensions_mut().insert(Governed).is_some();
        let is_single = request.body().is_stream() || request.goes_on();
        if is_governed || self.policy.max_attempts <= 1 || is_single {
            return self.inner.call(request).await;
        }
        self.policy.budget.count(&mut request);
        Attempts::new(Arc::clone(&self.policy), self.inner.clone(), request)
            .run()
            .await
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }
}
