use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use futures_util::FutureExt;
use futures_util::future::join_all;
use http::HeaderValue;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::*;
use crate::call::{Body, Cancellation, Method, Priority};
use crate::layer::Retry;
use crate::pushback::Pushback;
use crate::service::{BoxService, ResponseFuture, service_fn};

fn request(method: &str) -> Request {
    Request::new(Method::named(method), Body::empty())
}

fn with(priority: Priority) -> Request {
    let mut request = request("x");
    request.extensions_mut().insert(priority);
    request
}

fn done() -> Result<Response, Status> {
    Ok(Response::new(Body::empty()))
}

const WORK: Duration = Duration::from_millis(10);

/// Serves so many at once, each for 10 ms; the others wait inside.
fn backend(places: usize, limit: &AdaptiveLimit) -> BoxService {
    let places = Arc::new(Semaphore::new(places));
    let service = service_fn(move |_| {
        let places = Arc::clone(&places);
        async move {
            let _place = places.acquire().await;
            sleep(WORK).await;
            done()
        }
    });
    BoxService::new(service).layer(limit.clone())
}

/// What came of the calls of some time.
#[derive(Default)]
struct Outcome {
    answered: Vec<Duration>,
    refused: Vec<Duration>,
}

impl Outcome {
    fn p99(&mut self) -> Duration {
        self.answered.sort();
        self.answered[self.answered.len() * 99 / 100]
    }
}

/// Makes `rate` calls a second for so long, at random times, whatever became of the others.
async fn offer(service: &BoxService, rate: f64, time: Duration, seed: u64) -> Outcome {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut calls = Vec::new();
    let mut at = Duration::ZERO;
    let start = Instant::now();
    while at < time {
        at += Duration::from_secs_f64(-(1.0 - random.f64()).ln() / rate);
        let service = service.clone();
        calls.push(tokio::spawn(async move {
            tokio::time::sleep_until(start + at).await;
            let result = service.call(request("x")).await;
            let code = result.map_err(|status| status.code());
            let is_answered = code.err() != Some(Code::ResourceExhausted);
            (is_answered, Instant::now() - (start + at))
        }));
    }
    let mut outcome = Outcome::default();
    for call in join_all(calls).await {
        match call.unwrap() {
            (true, took) => outcome.answered.push(took),
            (false, took) => outcome.refused.push(took),
        }
    }
    outcome
}

#[tokio::test(start_paused = true)]
async fn at_ten_times_its_capacity_a_server_does_what_it_can_and_recovers() {
    // 20 places for 10 ms each: 2,000 calls a second.
    let (capacity, second) = (2_000.0, Duration::from_secs(1));
    let limit = AdaptiveLimit::new().between(2..=10_000);
    let service = backend(20, &limit);
    offer(&service, capacity * 0.8, second, 1).await;
    let mut normal = offer(&service, capacity * 0.8, second * 2, 2).await;
    assert!(normal.refused.len() * 100 <= normal.answered.len());

    offer(&service, capacity * 10.0, second, 3).await;
    let mut over = offer(&service, capacity * 10.0, second * 2, 4).await;
    let goodput = over.answered.len() as f64 / 2.0 / capacity;
    assert!(goodput >= 0.9, "{goodput}");
    assert!(over.p99() <= normal.p99() * 2, "{:?}", over.p99());
    over.refused.sort();
    assert!(over.refused[over.refused.len() * 99 / 100] <= Duration::from_millis(5));

    offer(&service, capacity * 0.8, second, 5).await;
    let mut after = offer(&service, capacity * 0.8, second * 2, 6).await;
    assert!(after.refused.len() * 100 <= after.answered.len());
    assert!(after.p99() <= normal.p99() * 3 / 2, "{:?}", after.p99());
}

/// The queue is as short when a little too much comes for long as when it is ten times too much.
#[tokio::test(start_paused = true)]
async fn calls_do_not_wait_long_however_far_beyond_its_capacity_a_server_is() {
    let (capacity, second) = (2_000.0, Duration::from_secs(1));
    for times in [1.5, 2.0, 3.0, 5.0] {
        let limit = AdaptiveLimit::new().between(2..=10_000);
        let service = backend(20, &limit);
        offer(&service, capacity * 0.8, second * 3, 1).await;
        offer(&service, capacity * times, second * 2, 2).await;
        let mut over = offer(&service, capacity * times, second * 2, 3).await;
        let goodput = over.answered.len() as f64 / 2.0 / capacity;
        assert!(goodput >= 0.95, "at {times}: {goodput}");
        assert!(over.p99() <= WORK * 2, "at {times}: {:?}", over.p99());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_overloaded_from_its_first_call_finds_its_limit() {
    let limit = AdaptiveLimit::new().between(1..=10_000);
    let service = backend(4, &limit);
    offer(&service, 4_000.0, Duration::from_secs(3), 1).await;
    let mut over = offer(&service, 4_000.0, Duration::from_secs(2), 2).await;
    assert!(over.answered.len() >= 720, "{}", over.answered.len());
    assert!(over.p99() <= WORK * 4, "{:?}", over.p99());
}

#[tokio::test(start_paused = true)]
async fn calls_that_only_wait_are_let_in_by_the_hundred() {
    let limit = AdaptiveLimit::new();
    let service = backend(100_000, &limit);
    offer(&service, 20_000.0, Duration::from_secs(1), 1).await;
    let outcome = offer(&service, 20_000.0, Duration::from_secs(1) / 2, 2).await;
    assert!(outcome.refused.is_empty(), "{}", outcome.refused.len());
    assert!(limit.limit() >= 200, "{limit:?}");
}

/// Serves as [`backend`] does, but nothing is found.
fn failing_backend(places: usize, limit: &AdaptiveLimit) -> BoxService {
    let inner = backend(places, &AdaptiveLimit::new().starts_at(10_000));
    let service = service_fn(move |request| {
        let inner = inner.clone();
        async move {
            inner.call(request).await?;
            Err::<Response, _>(Status::not_found("nothing"))
        }
    });
    BoxService::new(service).layer(limit.clone())
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_find_a_limit_as_others_do() {
    let limit = AdaptiveLimit::new();
    let service = failing_backend(100_000, &limit);
    offer(&service, 20_000.0, Duration::from_secs(1), 1).await;
    assert!(limit.limit() >= 200, "{limit:?}");

    let (capacity, second) = (2_000.0, Duration::from_secs(1));
    let limit = AdaptiveLimit::new().between(2..=10_000);
    let service = failing_backend(20, &limit);
    offer(&service, capacity * 0.8, second * 2, 1).await;
    offer(&service, capacity * 10.0, second, 2).await;
    let over = offer(&service, capacity * 10.0, second * 2, 3).await;
    let goodput = over.answered.len() as f64 / 2.0 / capacity;
    assert!((0.9..1.5).contains(&goodput), "{goodput}");
    offer(&service, capacity * 0.8, second, 4).await;
    let after = offer(&service, capacity * 0.8, second * 2, 5).await;
    assert!(after.refused.len() * 100 <= after.answered.len());
}

/// What fails at once, as where nothing listens, makes nothing else look slow, nor hides that it is.
#[tokio::test(start_paused = true)]
async fn quick_failures_are_not_what_others_are_compared_with() {
    let limit = AdaptiveLimit::new().between(1..=64).starts_at(64);
    let pause = Arc::new(AtomicU32::new(10));
    let millis = Arc::clone(&pause);
    let service = service_fn(move |_| {
        let pause = Duration::from_millis(millis.load(Ordering::Relaxed).into());
        async move {
            sleep(pause).await;
            Err(Status::unavailable("nothing there"))
        }
    });
    let service = BoxService::new(service).layer(limit.clone());
    let rounds = async |rounds: usize| {
        for _ in 0..rounds {
            join_all((0..32).map(|_| service.call(request("x")))).await;
            sleep(Duration::from_millis(10)).await;
        }
    };
    rounds(100).await;
    pause.store(0, Ordering::Relaxed);
    rounds(500).await;
    pause.store(10, Ordering::Relaxed);
    rounds(100).await;
    assert_eq!(limit.limit(), 64);
    pause.store(100, Ordering::Relaxed);
    rounds(20).await;
    assert!(limit.limit() < 64);
}

/// A crowd that runs when a service becomes slow is not waited for until all of it has ended.
#[tokio::test(start_paused = true)]
async fn a_slow_service_is_seen_within_seconds_however_many_calls_run() {
    let limit = AdaptiveLimit::new().between(1..=10_000);
    let is_slow = Arc::new(AtomicBool::new(false));
    let slow = Arc::clone(&is_slow);
    let place = Arc::new(Semaphore::new(1));
    let service = service_fn(move |_| {
        let (slow, place) = (Arc::clone(&slow), Arc::clone(&place));
        async move {
            if slow.load(Ordering::Relaxed) {
                let _place = place.acquire().await;
                sleep(WORK).await;
            } else {
                sleep(WORK * 20).await;
            }
            done()
        }
    });
    let service = BoxService::new(service).layer(limit.clone());
    for _ in 0..1_000 {
        let service = service.clone();
        tokio::spawn(async move {
            loop {
                if service.call(request("x")).await.is_err() {
                    sleep(WORK * 15).await;
                }
            }
        });
    }
    sleep(Duration::from_secs(20)).await;
    assert!(limit.limit() >= 900, "{limit:?}");
    is_slow.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(4)).await;
    assert!(limit.limit() <= 512, "{limit:?}");
    sleep(Duration::from_secs(36)).await;
    assert!(limit.limit() <= 32, "{limit:?}");
    is_slow.store(false, Ordering::Relaxed);
    sleep(Duration::from_secs(20)).await;
    assert!(limit.limit() >= 400, "{limit:?}");
}

#[tokio::test(start_paused = true)]
async fn methods_are_compared_with_themselves_only() {
    let limit = AdaptiveLimit::new().between(1..=10_000).starts_at(1_000);
    let service = service_fn(|request: Request| async move {
        let slow = request.method().path() == "slow";
        sleep(if slow { WORK * 200 } else { WORK }).await;
        done()
    });
    let service = BoxService::new(service).layer(limit.clone());
    for method in ["quick", "slow", "quick", "slow"] {
        join_all((0..500).map(|_| service.call(request(method)))).await;
    }
    assert_eq!(limit.limit(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_becomes_slow_for_good_is_taken_as_it_is() {
    let limit = AdaptiveLimit::new().between(2..=10_000);
    let factor = Arc::new(AtomicU32::new(1));
    let slowness = Arc::clone(&factor);
    let service = service_fn(move |_| {
        let time = WORK * slowness.load(Ordering::Relaxed);
        async move {
            sleep(time).await;
            done()
        }
    });
    let service = BoxService::new(service).layer(limit.clone());
    offer(&service, 2_000.0, Duration::from_secs(2), 1).await;
    factor.store(3, Ordering::Relaxed);
    offer(&service, 2_000.0, Duration::from_secs(4), 2).await;
    let outcome = offer(&service, 2_000.0, Duration::from_secs(1), 3).await;
    assert!(
        outcome.refused.len() * 50 <= outcome.answered.len(),
        "{limit:?}"
    );
}

/// A service with one place, which is taken until the call that comes with it is dropped.
fn full(max_waiting: usize) -> (BoxService, AdaptiveLimit, ResponseFuture) {
    let limit = AdaptiveLimit::new().between(1..=1).max_waiting(max_waiting);
    let service = service_fn(|request: Request| async move {
        if request.method().path() == "holds" {
            pending::<()>().await;
        }
        done()
    });
    let service = BoxService::new(service).layer(limit.clone());
    let mut holding = service.start(request("holds"));
    assert!((&mut holding).now_or_never().is_none());
    (service, limit, holding)
}

fn waits(call: &mut ResponseFuture) -> bool {
    call.now_or_never().is_none()
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_is_told_so_at_once_and_may_come_back() {
    let (service, limit, holding) = full(0);
    let pause = Duration::from_millis(100);
    for _ in 0..20 {
        let refused = service.start(request("x")).now_or_never().unwrap();
        let status = refused.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.is_not_started(), "{status:?}");
        assert!(status.message().contains("`AdaptiveLimit`"), "{status}");
        let Some(Pushback::After(asked)) = status.pushback() else {
            panic!("no pushback: {status:?}");
        };
        assert!((pause..=pause * 2).contains(&asked), "{asked:?}");
    }
    // A method that may run once only is made again, as nobody saw it.
    let again = service.clone().layer(Retry::new());
    let mut call = again.start(request("write"));
    assert!(waits(&mut call));
    drop(holding);
    assert!(call.await.is_ok());
    assert_eq!((limit.running(), limit.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_least_priority_is_refused_first_and_the_highest_goes_first() {
    let (service, limit, holding) = full(3);
    let mut low = service.start(with(Priority::Low));
    let mut normal = service.start(with(Priority::Normal));
    let mut later = service.start(with(Priority::Low));
    assert!(waits(&mut low) && waits(&mut normal) && waits(&mut later));
    let mut high = service.start(with(Priority::High));
    assert!(waits(&mut high));
    let status = later.now_or_never().unwrap().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    // A caller lowers what it asks for, and that is refused at once.
    let mut polite = with(Priority::High);
    let low_in_words = HeaderValue::from_static("low");
    polite
        .metadata_mut()
        .insert(Priority::METADATA, low_in_words);
    assert!(service.start(polite).now_or_never().unwrap().is_err());

    assert_eq!(limit.waiting(), 3);
    drop(holding);
    assert!(
        waits(&mut low) && waits(&mut normal),
        "their turn comes later"
    );
    assert!(high.await.is_ok());
    assert!(waits(&mut low));
    assert!(normal.await.is_ok());
    assert!(low.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_too_late_is_not_begun() {
    let (service, limit, holding) = full(10);
    let mut late = request("x");
    late.shorten_timeout(Duration::from_secs(3));
    let start = Instant::now();
    let status = service.call(late).await.unwrap_err();
    assert_eq!(
        (status.code(), start.elapsed().as_secs()),
        (Code::DeadlineExceeded, 3)
    );
    assert!(status.is_not_started());

    // One whose deadline has passed when its turn comes, before it could leave by itself.
    let mut late = request("holds");
    late.shorten_timeout(Duration::from_secs(1));
    let mut call = service.start(late);
    assert!(waits(&mut call));
    tokio::time::advance(Duration::from_secs(1)).await;
    drop(holding);
    assert_eq!(limit.running(), 0);
    assert_eq!(call.await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_gives_its_place_back() {
    let (service, limit, holding) = full(1);
    let mut waiting = service.start(request("x"));
    assert!(waits(&mut waiting));
    drop(waiting);
    let cancellation = Cancellation::new();
    let mut cancelled = request("x");
    cancelled.set_cancellation(cancellation.clone());
    let mut waiting = service.start(cancelled);
    assert!(waits(&mut waiting));
    cancellation.cancel();
    assert_eq!(waiting.await.unwrap_err().code(), Code::Cancelled);
    assert_eq!(limit.waiting(), 0);

    // One that leaves with its turn already given.
    let mut waiting = service.start(request("holds"));
    assert!(waits(&mut waiting));
    drop(holding);
    assert_eq!(limit.running(), 1);
    drop(waiting);
    assert_eq!(limit.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_open_stream_does_not_count_and_failures_teach_nothing() {
    let limit = AdaptiveLimit::new().between(1..=4).starts_at(4);
    let service = service_fn(|_| async { Err(Status::not_found("nothing")) });
    let service = BoxService::new(service).layer(limit.clone());
    for _ in 0..1_000 {
        assert!(service.call(request("x")).await.is_err());
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((limit.limit(), limit.running()), (4, 0));

    let service =
        service_fn(|_| async { Ok(Response::new(Body::stream(futures_util::stream::pending()))) });
    let service = BoxService::new(service).layer(limit.clone());
    let mut open = Vec::new();
    for _ in 0..100 {
        open.push(service.call(request("watch")).await);
    }
    assert!(open.iter().all(Result::is_ok) && limit.running() == 0);
}

#[test]
fn methods_beyond_those_told_apart_are_taken_for_one() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let limit = AdaptiveLimit::new();
        let service = BoxService::new(service_fn(|_| async { done() })).layer(limit.clone());
        for number in 0..3_000 {
            service.call(request(&format!("m{number}"))).await.unwrap();
        }
        assert_eq!(limit.gate.methods(), 1_025);
    });
}

#[tokio::test(start_paused = true)]
async fn names_of_calls_that_were_given_up_are_not_kept() {
    let limit = AdaptiveLimit::new();
    let service = BoxService::new(service_fn(|_| pending()));
    let service = service.layer(limit.clone());
    for number in 0..10 {
        let call = service.start(request(&format!("m{number}")));
        assert_eq!(limit.running(), 1);
        drop(call);
    }
    assert_eq!((limit.running(), limit.gate.methods()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn calls_are_decided_of_as_they_come_and_not_as_they_are_polled() {
    let limit = AdaptiveLimit::new().between(2..=2).max_waiting(1);
    let service = backend(2, &limit);
    let cancellation = Cancellation::new();
    let mut calls: Vec<_> = (0..6).map(|_| service.start(request("x"))).collect();
    assert_eq!((limit.running(), limit.waiting()), (2, 1));
    for refused in calls.split_off(3) {
        let status = refused.now_or_never().unwrap().unwrap_err();
        assert!(status.is_not_started(), "{status:?}");
    }
    let mut told = request("x");
    told.set_cancellation(cancellation.clone());
    assert!(service.start(told).now_or_never().unwrap().is_err());
    assert_eq!(cancellation.turn(), Turn::Refused);
    // One that nobody ever polls leaves its place to the one that waits.
    drop(calls.remove(0));
    assert_eq!((limit.running(), limit.waiting()), (2, 0));
    drop(calls);
    assert_eq!((limit.running(), limit.waiting()), (0, 0));
}

/// Makes so many calls in the time in which one thread, for which they all wait, computes for one.
/// Returns how long those took that were answered.
async fn offer_to_one_thread(service: &BoxService, each: usize, rounds: usize) -> Vec<Duration> {
    let (mut queue, mut took) = (VecDeque::new(), Vec::new());
    for _ in 0..rounds {
        let came = Instant::now();
        queue.extend((0..each).map(|_| (came, service.start(request("x")))));
        while let Some((came, call)) = queue.pop_front() {
            if call.await.is_ok() {
                took.push(came.elapsed());
                break;
            }
        }
    }
    took
}

#[tokio::test(start_paused = true)]
async fn calls_that_wait_for_a_thread_are_bounded_too() {
    let limit = AdaptiveLimit::new().between(1..=10_000);
    let computes = service_fn(|_| async {
        tokio::time::advance(WORK).await;
        done()
    });
    let service = BoxService::new(computes).layer(limit.clone());
    let normal = offer_to_one_thread(&service, 1, 200).await;
    assert_eq!(normal, [WORK; 200]);
    offer_to_one_thread(&service, 10, 300).await;
    let over = offer_to_one_thread(&service, 10, 300).await;
    assert_eq!(over.len(), 300, "the thread always had something to do");
    let most = over.iter().max().unwrap();
    assert!(*most <= WORK * 3, "{most:?}");
}
