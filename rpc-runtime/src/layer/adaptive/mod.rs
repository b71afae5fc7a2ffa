//! A bound on how many calls run at once that finds itself.

mod estimate;
mod gate;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::ready;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tower_layer::Layer;

use self::gate::{Entered, Fate, Gate, Permit};
use crate::call::{FAR_AHEAD, Request, Response, Turn};
use crate::service::{BoxService, ResponseFuture, Service};
use crate::status::{Code, Status};

/// Lets as many calls run at once as can without becoming slow, and refuses the others early.
///
/// A service that is asked for more than it can do becomes slow for everybody, until callers give up
/// just before they are answered. This layer keeps what is asked of it near what it can do, whether
/// it is short of processors, connections to a database or another server: it measures how long calls
/// take against what calls of the same method usually take, lets fewer run when that is more than the
/// [tolerance](Self::tolerance), and more when it is not and more came. Now and then it lets half as
/// many run, for about the time of four calls, to see whether they are quicker alone.
///
/// **The others wait** in a queue: one for each call that may run, and one for eight while most calls
/// find no place, as a crowd that stays is not served sooner for waiting. A call waits no longer than
/// until its deadline, and is not begun once that has passed. Who does not fit is refused at once with
/// [`Code::ResourceExhausted`](crate::Code::ResourceExhausted), a [pushback](Status::pushback), and the
/// word that no handler saw the call ([`Status::is_not_started`]), so that a
/// [`Retry`](super::Retry) may make it again later or elsewhere, whatever its method does.
///
/// **By priority**: calls of a higher [`Priority`](crate::call::Priority) go first, and those of the
/// lowest are refused first.
///
/// A call counts from when it is made, polled or not, until its answer begins: a stream that is open
/// costs what its items cost, which is for [`ConcurrencyLimit`](super::ConcurrencyLimit) to bound.
/// Failures are compared with failures of the same code, and say nothing if they are much quicker than
/// those: then they are of another kind. Calls that nobody waited for count if they took long already.
///
/// **Where handlers compute** without awaiting anything they keep the threads of the runtime from
/// others. A server decides of each call as it is read, before a thread is free for its handler, so
/// the wait for one counts as time that the call takes, and what is too much is refused before it
/// waits. For that the layer is put around the server, or outside of its other layers: those that
/// await something ask it only when they have a thread themselves.
///
/// On a channel it bounds what this client asks of a server. Clones, and all services that the layer is
/// put around, share what it found.
///
/// # Examples
///
/// ```
/// use rpc_runtime::Server;
/// use rpc_runtime::layer::AdaptiveLimit;
///
/// let server = Server::new()
///     .function("double", |n: i64| async move { n * 2 })
///     .layer(AdaptiveLimit::new());
/// ```
#[derive(Clone)]
pub struct AdaptiveLimit {
    settings: Settings,
    gate: Arc<Gate>,
}

#[derive(Clone, Debug)]
struct Settings {
    bounds: RangeInclusive<usize>,
    first: f64,
    tolerance: f64,
    max_waiting: usize,
    pushback: Duration,
}

impl Settings {
    fn clamp(&self, limit: f64) -> f64 {
        limit
            .min(*self.bounds.end() as f64)
            .max((*self.bounds.start()).max(1) as f64)
    }
}

impl AdaptiveLimit {
    /// Makes a layer that begins with 16 calls at once and finds a number between that of the
    /// processors and 10,000.
    pub fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let settings = Settings {
            bounds: processors..=10_000,
            first: 16.0,
            tolerance: 1.5,
            max_waiting: 1_000,
            pushback: Duration::from_millis(100),
        };
        Self {
            gate: Gate::new(settings.clone()),
            settings,
        }
    }

    /// Settings belong to what is behind the gate, so that a changed one is a gate of its own.
    fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self.gate = Gate::new(self.settings.clone());
        self
    }

    /// Bounds the number: at least so many may run however slow they are, and no more than so many
    /// however quick. From as many as there are processors to 10,000 if it is not set; zero counts as
    /// one.
    #[must_use]
    pub fn between(self, calls: RangeInclusive<usize>) -> Self {
        self.set(|it| it.bounds = calls)
    }

    /// Sets how many may run at first, 16 if it is not set. The number doubles as long as calls do not
    /// become slower by it.
    #[must_use]
    pub fn starts_at(self, calls: usize) -> Self {
        self.set(|it| it.first = calls as f64)
    }

    /// Sets how many times its usual time a call may take, on average, before fewer may run; 1.5 if
    /// it is not set. It is at least 1.25, which is what holds while others wait.
    #[must_use]
    pub fn tolerance(self, times: f64) -> Self {
        self.set(|it| it.tolerance = times.max(1.25))
    }

    /// Bounds how many calls wait, 1,000 if it is not set; with 0 none does.
    #[must_use]
    pub fn max_waiting(self, calls: usize) -> Self {
        self.set(|it| it.max_waiting = calls)
    }

    /// Sets how long a refused client is asked to wait before it comes back: a random time from this
    /// to twice this, 100 ms if it is not set.
    #[must_use]
    pub fn pushback(self, pause: Duration) -> Self {
        self.set(|it| it.pushback = pause.min(FAR_AHEAD))
    }

    /// Returns how many calls may run now.
    pub fn limit(&self) -> usize {
        self.gate.counts().0
    }

    /// Returns how many calls run now.
    pub fn running(&self) -> usize {
        self.gate.counts().1
    }

    /// Returns how many calls wait now.
    pub fn waiting(&self) -> usize {
        self.gate.counts().2
    }
}

impl Default for AdaptiveLimit {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AdaptiveLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (limit, running, waiting) = self.gate.counts();
        f.debug_struct("AdaptiveLimit")
            .field("limit", &limit)
            .field("running", &running)
            .field("waiting", &waiting)
            .field("settings", &self.settings)
            .finish()
    }
}

impl<S: Service> Layer<S> for AdaptiveLimit {
    type Service = AdaptivelyLimited;

    fn layer(&self, inner: S) -> Self::Service {
        AdaptivelyLimited {
            inner: BoxService::new(inner),
            limit: self.clone(),
        }
    }
}

/// The service that [`AdaptiveLimit`] makes.
#[derive(Clone, Debug)]
pub struct AdaptivelyLimited {
    inner: BoxService,
    limit: AdaptiveLimit,
}

impl AdaptivelyLimited {
    /// Decides of a call before anybody polls it: it may wait long for a thread.
    fn start(&self, request: Request) -> ResponseFuture {
        let decide = |turn| {
            if let Some(cancellation) = request.cancellation() {
                cancellation.set_turn(turn);
            }
        };
        match self.limit.gate.enter(&request) {
            Ok(Entered::Runs(permit)) => {
                let running = self.inner.start(request);
                Box::pin(finish(permit, running))
            }
            Ok(Entered::Waits(queued)) => {
                decide(Turn::Waits);
                let inner = self.inner.clone();
                Box::pin(async move {
                    let permit = queued.turn(&request).await?;
                    finish(permit, inner.start(request)).await
                })
            }
            Err(status) => {
                decide(Turn::Refused);
                Box::pin(ready(Err(status)))
            }
        }
    }
}

async fn finish(permit: Permit, running: ResponseFuture) -> Result<Response, Status> {
    let result = running.await;
    permit.end(fate(&result));
    result
}

impl Service for AdaptivelyLimited {
    fn call(&self, request: Request) -> impl Future<Output = Result<Response, Status>> + Send {
        self.start(request)
    }

    fn call_detached(&self, request: Request) -> Result<ResponseFuture, Request> {
        Ok(self.start(request))
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }
}

/// Says what the time of a call means that had this result.
fn fate(result: &Result<Response, Status>) -> Fate {
    let Err(status) = result else {
        return Fate::Ended;
    };
    match status.code() {
        // It ran out of time, so that it takes more.
        Code::DeadlineExceeded if !status.is_not_started() => Fate::Ended,
        Code::Cancelled => Fate::CutOff,
        // No handler ran; and a peer may have invented the method's name.
        Code::Unimplemented => Fate::Unknown,
        _ if status.is_not_started() => Fate::Unknown,
        code => Fate::Failed(code),
    }
}
