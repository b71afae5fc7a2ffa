//! Asking more than one server for the same answer.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tower_layer::Layer;

use super::retry::RetryBudget;
use crate::call::{MethodDescriptor, Request, Response, deadline_in};
use crate::pushback::Pushback;
use crate::service::{BoxFuture, BoxService, Service};
use crate::status::{Code, Status};

/// Makes a call of a read-only method a second time when its answer takes long, and takes the
/// answer that comes first.
///
/// One slow server among several then costs a caller little more than the delay. Put the delay
/// where nine of ten calls, or more, have been answered. Only methods declared `#[rpc(read_only)]`
/// are hedged, and only if their request is one message; every other call passes as it is.
///
/// The attempts that lose are cancelled at their servers. An attempt that fails with
/// [`Code::Unavailable`] or [`Code::ResourceExhausted`] leaves the call to the others, and lets the
/// next begin at once; every other failure is an answer. A [budget](RetryBudget) bounds what hedges
/// add to the load. A server that [asks for a time](Status::with_pushback) gets that before the next
/// attempt, if the call has as much left, and one that asks not to be asked again ends hedging for the call.
///
/// Inside a [`Retry`](super::Retry) each of its attempts is hedged; give both the same budget, in which
/// a call counts once.
///
/// # Examples
///
/// ```
/// use rpc_runtime::layer::{Hedge, Retry, RetryBudget};
/// use rpc_runtime::{Channel, Status};
/// use std::time::Duration;
///
/// # async fn connect() -> Result<Channel, Status> {
/// let budget = RetryBudget::new(10, 100);
/// Channel::connect(["tcp://10.0.0.1:80", "tcp://10.0.0.2:80"])
///     .layer(Hedge::behind(Duration::from_millis(30)).budget(budget.clone()))
///     .layer(Retry::new().budget(budget))
///     .await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Hedge {
    delay: Duration,
    max_attempts: u32,
    budget: RetryBudget,
}

impl Hedge {
    /// Makes a layer that asks once more when an answer takes longer than `delay`.
    pub fn behind(delay: Duration) -> Self {
        Self {
            delay,
            max_attempts: 2,
            budget: RetryBudget::default(),
        }
    }

    /// Sets how many attempts there may be at once, the first included; 2 by default. Each begins
    /// a delay behind the one before.
    #[must_use]
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Shares a budget with other layers, instead of one of its own with the default size.
    #[must_use]
    pub fn budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }
}

impl<S: Service> Layer<S> for Hedge {
    type Service = HedgeService;

    fn layer(&self, inner: S) -> Self::Service {
        HedgeService {
            inner: BoxService::new(inner),
            policy: self.clone(),
        }
    }
}

/// The service that [`Hedge`] makes.
#[derive(Clone, Debug)]
pub struct HedgeService {
    inner: BoxService,
    policy: Hedge,
}

impl Service for HedgeService {
    async fn call(&self, mut request: Request) -> Result<Response, Status> {
        let descriptor = request.method().descriptor();
        let is_read_only = descriptor.is_some_and(MethodDescriptor::is_read_only);
        if !is_read_only || request.body().is_stream() || request.goes_on() {
            return self.inner.call(request).await;
        }
        self.policy.budget.count(&mut request);
        let mut race = Race {
            service: self,
            request,
            begun: 0,
            most: self.policy.max_attempts.max(1),
            running: Vec::new(),
            next: Box::pin(sleep(self.policy.delay)),
            failure: None,
        };
        race.begin()?;
        poll_fn(|cx| race.poll(cx)).await
    }

    fn keeps_deadlines(&self) -> bool {
        self.inner.keeps_deadlines()
    }
}

/// The attempts of one call that run side by side. Dropping it cancels them.
struct Race<'a> {
    service: &'a HedgeService,
    /// What every attempt is a copy of.
    request: Request,
    begun: u32,
    /// How many attempts may begin.
    most: u32,
    running: Vec<BoxFuture<'static, Result<Response, Status>>>,
    next: Pin<Box<Sleep>>,
    /// How the last one failed that did.
    failure: Option<Status>,
}

impl Race<'_> {
    fn begin(&mut self) -> Result<(), Status> {
        let first = self.request.attempt();
        let copy = self.request.try_clone();
        let mut copy = copy.ok_or_else(|| Status::internal("a stream cannot be sent again"))?;
        copy.set_attempt(first.saturating_add(self.begun));
        self.begun += 1;
        self.running.push(self.service.inner.start(copy));
        let delay = self.service.policy.delay;
        self.next.as_mut().set(sleep(delay));
        Ok(())
    }

    /// Begins another attempt, if there may be one.
    fn hedge(&mut self) -> Result<(), Status> {
        if self.begun >= self.most || !self.service.policy.budget.spend() {
            self.most = self.begun;
            return Ok(());
        }
        self.begin()
    }

    /// Begins another attempt behind one that failed, or puts it off as its server asks.
    fn hedge_behind(&mut self, failure: &Status) -> Result<(), Status> {
        match failure.pushback() {
            None => return self.hedge(),
            Some(Pushback::After(pause)) if self.has_time_for(pause) => {
                self.next.as_mut().set(sleep(pause));
            }
            Some(_) => self.most = self.begun,
        }
        Ok(())
    }

    fn has_time_for(&self, pause: Duration) -> bool {
        let end = self.request.first_deadline();
        end.is_none_or(|end| deadline_in(pause) < end)
    }

    fn poll(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<Response, Status>> {
        loop {
            let begun = self.begun;
            let mut place = 0;
            while let Some(attempt) = self.running.get_mut(place) {
                let Poll::Ready(result) = attempt.as_mut().poll(cx) else {
                    place += 1;
                    continue;
                };
                drop(self.running.swap_remove(place));
                match result {
                    Err(failure) if is_of_one_server(&failure) => {
                        self.hedge_behind(&failure)?;
                        self.failure = Some(failure);
                    }
                    answer => return Poll::Ready(answer),
                }
            }
            if self.begun < self.most && self.next.as_mut().poll(cx).is_ready() {
                self.hedge()?;
            }
            if self.running.is_empty()
                && self.begun >= self.most
                && let Some(failure) = self.failure.take()
            {
                return Poll::Ready(Err(failure.after_attempts(self.begun)));
            }
            // Also the one that has just begun is polled.
            if self.begun == begun {
                return Poll::Pending;
            }
        }
    }
}

/// Returns whether another server may well answer.
fn is_of_one_server(failure: &Status) -> bool {
    matches!(failure.code(), Code::Unavailable | Code::ResourceExhausted)
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tokio::time::Instant;

    use super::super::Retry;
    use super::*;
    use crate::call::{Body, Message, MethodKind, ServiceDescriptor};
    use crate::codec::Encoding;
    use crate::service::service_fn;

    const METHODS: &[MethodDescriptor] = &[
        MethodDescriptor::new("m.M/read", MethodKind::Unary, &[]).read_only(),
        MethodDescriptor::new("m.M/set", MethodKind::Unary, &[]).idempotent(),
    ];
    static SERVICE: ServiceDescriptor = ServiceDescriptor::new("m.M", METHODS);
    const DELAY: Duration = Duration::from_millis(30);

    fn request(method: &str) -> Request {
        let method = SERVICE.find(method).expect("it is in the list");
        let message = Message::encoded((&b"7"[..]).into(), Encoding::JSON);
        Request::new(method, Body::message(message))
    }

    /// Counts what is on its way.
    struct Running(Arc<AtomicU32>);

    impl Drop for Running {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[derive(Clone, Default)]
    struct Counts {
        asked: Arc<AtomicU32>,
        running: Arc<AtomicU32>,
    }

    impl Counts {
        fn get(&self) -> (u32, u32) {
            let [asked, running] = [&self.asked, &self.running].map(|it| it.load(Ordering::SeqCst));
            (asked, running)
        }
    }

    /// A service in front of which attempts race; each is answered as its number says.
    fn racing<F, Fut>(hedge: &Hedge, answer: F) -> (BoxService, Counts)
    where
        F: Fn(u32) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let counts = Counts::default();
        let Counts { asked, running } = counts.clone();
        let service = service_fn(move |mut request: Request| {
            let number = asked.fetch_add(1, Ordering::SeqCst) + 1;
            assert_eq!(request.attempt(), number);
            assert!(request.body_mut().take_single().is_some());
            running.fetch_add(1, Ordering::SeqCst);
            let (running, answer) = (Running(Arc::clone(&running)), answer(number));
            async move {
                let _running = running;
                answer.await.map(|()| Response::new(Body::empty()))
            }
        });
        (BoxService::new(service).layer(hedge.clone()), counts)
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_answer_counts_and_the_loser_is_cancelled() {
        let hedge = Hedge::behind(DELAY);
        let (service, counts) = racing(&hedge, |number| async move {
            if number == 1 {
                pending::<()>().await;
            }
            sleep(Duration::from_millis(5)).await;
            Ok(())
        });
        let start = Instant::now();
        service.call(request("read")).await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_millis(35));
        assert_eq!(counts.get(), (2, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_quick_answer_is_not_hedged_and_neither_is_a_method_that_writes() {
        let hedge = Hedge::behind(DELAY);
        let (service, counts) = racing(&hedge, |_| async { Ok(()) });
        service.call(request("read")).await.unwrap();
        assert_eq!(counts.get(), (1, 0));
        let (service, counts) = racing(&hedge, |_| async {
            sleep(DELAY * 10).await;
            Ok(())
        });
        service.call(request("set")).await.unwrap();
        assert_eq!(counts.get(), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_begin_a_delay_apart_up_to_their_number() {
        let hedge = Hedge::behind(DELAY).max_attempts(4);
        let (service, counts) = racing(&hedge, |_| pending());
        let call = tokio::spawn(async move { service.call(request("read")).await.is_ok() });
        for expected in [1, 2, 3, 4, 4] {
            sleep(DELAY - Duration::from_millis(5)).await;
            assert_eq!(counts.get(), (expected, expected));
            sleep(Duration::from_millis(5)).await;
        }
        call.abort();
        assert!(call.await.is_err());
        assert_eq!(counts.get(), (4, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_not_well_is_passed_and_every_other_failure_is_an_answer() {
        let hedge = Hedge::behind(DELAY).max_attempts(3);
        let start = Instant::now();
        let (service, counts) = racing(&hedge, |number| async move {
            match number {
                3 => Ok(()),
                _ => Err(Status::unavailable("down")),
            }
        });
        service.call(request("read")).await.unwrap();
        assert_eq!((counts.get(), start.elapsed()), ((3, 0), Duration::ZERO));

        let (service, counts) = racing(&hedge, |_| async { Err(Status::unavailable("down")) });
        let status = service.call(request("read")).await.unwrap_err();
        assert_eq!((counts.get(), status.attempts()), ((3, 0), 3));

        let (service, counts) = racing(&hedge, |_| async { Err(Status::not_found("no")) });
        let status = service.call(request("read")).await.unwrap_err();
        assert_eq!((counts.get(), status.code()), ((1, 0), Code::NotFound));

        let never = Status::unavailable("full").with_pushback(Pushback::Never);
        let (service, counts) = racing(&hedge, move |_| std::future::ready(Err(never.clone())));
        assert!(service.call(request("read")).await.is_err());
        assert_eq!(counts.get(), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_asks_for_a_time_gets_it() {
        let pause = DELAY * 5;
        let full = Status::resource_exhausted("full").with_pushback(Pushback::After(pause));
        let failing = full.clone();
        let (service, counts) = racing(&Hedge::behind(DELAY), move |number| {
            let full = failing.clone();
            async move { if number == 1 { Err(full) } else { Ok(()) } }
        });
        let start = Instant::now();
        service.call(request("read")).await.unwrap();
        assert_eq!((counts.get(), start.elapsed()), ((2, 0), pause));

        // There is no time for it, or no budget behind it.
        let failing = full.clone();
        let (service, counts) = racing(&Hedge::behind(DELAY), move |_| {
            std::future::ready(Err(failing.clone()))
        });
        let mut short = request("read");
        short.shorten_timeout(pause);
        let status = service.call(short).await.unwrap_err();
        assert_eq!((counts.get(), status.attempts()), ((1, 0), 1));

        let hedge = Hedge::behind(DELAY).budget(RetryBudget::new(0, 0));
        let (service, counts) = racing(&hedge, move |_| std::future::ready(Err(full.clone())));
        let status = service.call(request("read")).await.unwrap_err();
        assert_eq!((counts.get(), status.attempts()), ((1, 0), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_counts_once_in_a_budget_that_is_shared() {
        let budget = RetryBudget::new(10, 100);
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let service = service_fn(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Err(Status::unavailable("down")) }
        });
        let service = BoxService::new(service)
            .layer(Hedge::behind(DELAY).budget(budget.clone()))
            .layer(Retry::new().budget(budget));
        for _ in 0..1_000 {
            assert!(service.call(request("read")).await.is_err());
        }
        let asked = asked.load(Ordering::SeqCst);
        // A tenth of the calls, and the ten that are there from the beginning.
        assert!((1_100..=1_110).contains(&asked), "{asked}");
    }

    #[tokio::test(start_paused = true)]
    async fn hedges_keep_to_their_budget() {
        let hedge = Hedge::behind(DELAY);
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let service = service_fn(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            async {
                sleep(DELAY * 2).await;
                Ok(Response::new(Body::empty()))
            }
        });
        let service = BoxService::new(service).layer(hedge);
        for _ in 0..1_000 {
            service.call(request("read")).await.unwrap();
        }
        let asked = asked.load(Ordering::SeqCst);
        assert!((1_205..=1_210).contains(&asked), "{asked}");
    }
}
