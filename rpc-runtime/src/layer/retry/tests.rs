//! Attempts on a clock that stands still, with seeds.

use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::{FutureExt, stream};
use http::HeaderMap;
use tokio::time::{Instant, sleep};

use super::*;
use crate::call::{
    Body, BodyFrame, Cancellation, EXPECTED_KIND, Message, Method, MethodDescriptor, MethodKind,
    ServiceDescriptor,
};
use crate::codec::Encoding;
use crate::pushback::Pushback;
use crate::service::service_fn;

const METHODS: &[MethodDescriptor] = &[
    MethodDescriptor::new("m.M/read", MethodKind::Unary, &[]).read_only(),
    MethodDescriptor::new("m.M/write", MethodKind::Unary, &[]),
    MethodDescriptor::new("m.M/watch", MethodKind::ServerStreaming, &[]).idempotent(),
];
static SERVICE: ServiceDescriptor = ServiceDescriptor::new("m.M", METHODS);

fn request(method: &str) -> Request {
    let method = SERVICE.find(method).expect("it is in the list");
    let message = Message::encoded((&b"7"[..]).into(), Encoding::JSON);
    Request::new(method, Body::message(message))
}

/// Answers as `answer` says to each attempt, from 1 on, and counts them.
struct Server(Arc<AtomicU32>, BoxService);

impl Server {
    fn new<F, Fut>(answer: F) -> Self
    where
        F: Fn(u32) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response, Status>> + Send + 'static,
    {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let service = service_fn(move |mut request: Request| {
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            assert_eq!(request.attempt(), number, "it is told which attempt it is");
            let answer = answer(number);
            async move {
                let message = request
                    .body_mut()
                    .take_single()
                    .expect("every attempt has it");
                assert_eq!(message.as_bytes().map(|it| &it[..]), Some(&b"7"[..]));
                answer.await
            }
        });
        Self(asked, BoxService::new(service))
    }

    /// Fails so many times.
    fn failing(times: u32, failure: Status) -> Self {
        Self::new(move |number| {
            let failure = failure.clone();
            async move {
                if number <= times {
                    Err(failure)
                } else {
                    Ok(done())
                }
            }
        })
    }

    async fn call(&self, retry: &Retry, request: Request) -> Result<Response, Status> {
        self.1.clone().layer(retry.clone()).call(request).await
    }

    fn asked(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

fn done() -> Response {
    Response::new(Body::empty())
}

fn unavailable() -> Status {
    Status::unavailable("down").into_remote()
}

#[tokio::test(start_paused = true)]
async fn only_a_method_that_may_run_twice_is_called_again() {
    let retry = Retry::new();
    let server = Server::failing(2, unavailable());
    server.call(&retry, request("read")).await.unwrap();
    assert_eq!(server.asked(), 3);

    let server = Server::failing(1, unavailable());
    let status = server.call(&retry, request("write")).await.unwrap_err();
    assert_eq!((server.asked(), status.attempts()), (1, 1));

    let server = Server::failing(1, unavailable());
    let retry = retry.assume_idempotent();
    server.call(&retry, request("write")).await.unwrap();
    assert_eq!(server.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_no_handler_saw_is_made_again_whatever_its_method_does() {
    let start = Instant::now();
    let server = Server::failing(1, unavailable().into_not_started());
    server.call(&Retry::new(), request("write")).await.unwrap();
    assert_eq!((server.asked(), start.elapsed()), (2, Duration::ZERO));

    // An overloaded server is left alone for a while, and so is one that is still not there.
    let full = Status::resource_exhausted("full").into_remote();
    for (failures, status) in [(1, full), (2, unavailable())] {
        let start = Instant::now();
        let server = Server::failing(failures, status.into_not_started());
        server.call(&Retry::new(), request("write")).await.unwrap();
        assert!(server.asked() == failures + 1 && !start.elapsed().is_zero());
    }

    // Nobody serves it: that does not pass.
    let server = Server::failing(1, Status::unimplemented("what?").into_not_started());
    let status = server
        .call(&Retry::new(), request("read"))
        .await
        .unwrap_err();
    assert_eq!((server.asked(), status.code()), (1, Code::Unimplemented));
}

#[tokio::test(start_paused = true)]
async fn the_codes_and_the_number_of_attempts_are_kept() {
    for number in 1..=16 {
        let code = Code::from_number(number);
        let retry = Retry::new()
            .max_attempts(3)
            .codes([Code::Aborted, Code::DataLoss]);
        let server = Server::failing(u32::MAX, Status::new(code, "no"));
        let status = server.call(&retry, request("read")).await.unwrap_err();
        let expected = if matches!(code, Code::Aborted | Code::DataLoss) {
            3
        } else {
            1
        };
        assert_eq!((server.asked(), status.attempts()), (expected, expected));
        assert_eq!(status.code(), code);
    }
    let server = Server::failing(1, unavailable().into_not_started());
    let never = Retry::new().max_attempts(1);
    assert!(server.call(&never, request("read")).await.is_err());
    assert_eq!(server.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn pauses_are_random_up_to_a_bound_that_doubles() {
    let retry = Retry::new().backoff(Duration::from_millis(100), Duration::from_millis(350));
    let bounds = [100, 200, 350, 350].map(Duration::from_millis);
    let mut seen = [[Duration::MAX, Duration::ZERO]; 4];
    for seed in 0..500 {
        let retry = retry.clone().seed(seed);
        for (attempts, ([least, most], bound)) in (1..).zip(seen.iter_mut().zip(bounds)) {
            let pause = retry.pause(attempts);
            assert!(pause <= bound, "{pause:?} behind {attempts} attempts");
            (*least, *most) = ((*least).min(pause), (*most).max(pause));
        }
    }
    for ([least, most], bound) in seen.iter().zip(bounds) {
        assert!(
            *least < bound / 20 && *most > bound * 19 / 20,
            "{least:?} to {most:?}"
        );
    }
    assert!(retry.pause(u32::MAX) <= Duration::from_millis(350));

    // The same seed is the same run, to the nanosecond.
    let mut times = Vec::new();
    for _ in 0..2 {
        let start = Instant::now();
        let server = Server::failing(3, unavailable());
        server
            .call(&retry.clone().seed(7), request("read"))
            .await
            .unwrap();
        times.push(start.elapsed());
    }
    assert!(times[0] == times[1] && !times[0].is_zero(), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn all_calls_failing_adds_a_fifth_to_the_load_and_ten_attempts() {
    let server = Server::failing(u32::MAX, unavailable());
    let retry = Retry::new();
    let service = server.1.clone().layer(retry);
    // The assertion on numbers of attempts is for one call; these are many.
    let counting = Arc::clone(&server.0);
    for _ in 0..1_000 {
        let before = counting.swap(0, Ordering::SeqCst);
        let status = service.call(request("read")).await.unwrap_err();
        assert_eq!(status.attempts(), counting.load(Ordering::SeqCst));
        counting.fetch_add(before, Ordering::SeqCst);
    }
    let made = server.asked();
    assert!(
        (1_205..=1_210).contains(&made),
        "{made} attempts of 1,000 calls"
    );
}

#[tokio::test(start_paused = true)]
async fn a_servers_pushback_is_obeyed() {
    let start = Instant::now();
    let later = Pushback::After(Duration::from_millis(2_345));
    let server = Server::failing(1, unavailable().with_pushback(later));
    server.call(&Retry::new(), request("read")).await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_millis(2_345));

    for status in [unavailable(), unavailable().into_not_started()] {
        let server = Server::failing(1, status.with_pushback(Pushback::Never));
        let status = server
            .call(&Retry::new(), request("read"))
            .await
            .unwrap_err();
        assert_eq!(
            (server.asked(), status.pushback()),
            (1, Some(Pushback::Never))
        );
    }
    // A peer that asks for as long as there is does not overflow anything.
    let server = Server::failing(
        1,
        unavailable().with_pushback(Pushback::After(Duration::MAX)),
    );
    let mut request = request("read");
    request.shorten_timeout(Duration::from_secs(5));
    assert!(server.call(&Retry::new(), request).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn no_pause_outlives_the_deadline() {
    let pushback = Pushback::After(Duration::from_secs(10));
    for (left, attempts) in [(9_999, 1), (10_000, 1), (10_001, 2)] {
        let server = Server::failing(1, unavailable().with_pushback(pushback));
        let mut request = request("read");
        request.shorten_timeout(Duration::from_millis(left));
        let start = Instant::now();
        let result = server.call(&Retry::new(), request).await;
        assert_eq!((server.asked(), result.is_ok()), (attempts, attempts == 2));
        assert!(result.is_ok() || start.elapsed().is_zero());
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_hangs_is_given_up_and_made_again() {
    let retry = Retry::new().attempt_timeout(Duration::from_secs(1));
    let hangs = |number| async move {
        if number == 1 {
            pending().await
        } else {
            Ok(done())
        }
    };
    let server = Server::new(hangs);
    let start = Instant::now();
    server.call(&retry, request("read")).await.unwrap();
    assert!(server.asked() == 2 && start.elapsed() < Duration::from_millis(1_100));

    let server = Server::new(hangs);
    let status = server.call(&retry, request("write")).await.unwrap_err();
    assert_eq!((server.asked(), status.code()), (1, Code::DeadlineExceeded));
    assert!(
        status.message().contains("`attempt_timeout` of 1s"),
        "{status}"
    );
}

/// A server that is told of the time of an attempt ends a stream with it, however many of its items are still to come.
#[tokio::test(start_paused = true)]
async fn a_server_hears_of_the_time_of_an_attempt_only_if_it_answers_once() {
    let service = service_fn(|request: Request| async move {
        let is_told = request.first_deadline().is_some();
        Err::<Response, _>(Status::not_found(is_told.to_string()))
    });
    let retry = Retry::new().attempt_timeout(Duration::from_secs(1));
    let service = BoxService::new(service).layer(retry);
    let named = |kind: Option<MethodKind>| {
        let mut request = Request::new(Method::named("m.M/anything"), Body::empty());
        if let Some(kind) = kind {
            let kind = http::HeaderValue::from_static(kind.name());
            request.metadata_mut().insert(EXPECTED_KIND, kind);
        }
        request
    };
    for (request, is_told) in [
        (request("read"), "true"),
        (request("watch"), "false"),
        (named(Some(MethodKind::Unary)), "true"),
        (named(Some(MethodKind::ServerStreaming)), "false"),
        // As gateways pass calls on.
        (named(None), "false"),
    ] {
        let method = request.method().clone();
        let status = service.call(request).await.unwrap_err();
        assert_eq!(status.message(), is_told, "{method:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_or_cancelled_makes_no_further_attempt() {
    let retry = Retry::new();
    let waits = unavailable().with_pushback(Pushback::After(Duration::from_secs(1)));
    let server = Server::failing(u32::MAX, waits.clone());
    let mut call = Box::pin(server.call(&retry, request("read")));
    assert!((&mut call).now_or_never().is_none());
    drop(call);
    sleep(Duration::from_secs(60)).await;
    assert_eq!(server.asked(), 1);

    let server = Server::failing(u32::MAX, waits);
    let cancellation = Cancellation::new();
    cancellation.cancel();
    let mut request = request("read");
    request.set_cancellation(cancellation);
    assert!(server.call(&retry, request).await.is_err());
    assert_eq!(server.asked(), 1);
}

fn items(items: Vec<Result<BodyFrame, Status>>) -> Response {
    Response::new(Body::stream(stream::iter(items)))
}

fn item(text: &'static str) -> Result<BodyFrame, Status> {
    let message = Message::encoded(text.as_bytes().into(), Encoding::JSON);
    Ok(BodyFrame::Message(message))
}

/// Reads a body: its items, and how it ended.
async fn read(mut response: Response) -> (Vec<String>, Result<HeaderMap, Status>) {
    let mut texts = Vec::new();
    let mut end = HeaderMap::new();
    while let Some(frame) = response.body_mut().frame().await {
        match frame {
            Ok(BodyFrame::Message(it)) => {
                let bytes = it.as_bytes().expect("it came as bytes");
                texts.push(String::from_utf8_lossy(bytes).into_owned());
            }
            Ok(BodyFrame::Trailers(trailers)) => end = trailers,
            Err(status) => return (texts, Err(status)),
        }
    }
    (texts, Ok(end))
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_asked_for_again_until_its_first_item_has_come() {
    let retry = Retry::new();
    let server = Server::new(|number| async move {
        Ok(match number {
            1 => items(vec![Err(unavailable())]),
            2 => return Err(unavailable()),
            _ => items(vec![item("1"), item("2")]),
        })
    });
    let response = server.call(&retry, request("watch")).await.unwrap();
    let (texts, end) = read(response).await;
    assert_eq!(
        (texts, end.is_ok(), server.asked()),
        (vec!["1".to_owned(), "2".to_owned()], true, 3)
    );

    let server = Server::new(|_| async { Ok(items(vec![item("1"), Err(unavailable())])) });
    let response = server.call(&retry, request("watch")).await.unwrap();
    let (texts, end) = read(response).await;
    assert_eq!((texts.len(), server.asked()), (1, 1));
    assert_eq!(end.unwrap_err().code(), Code::Unavailable);

    let server = Server::new(|_| async { Ok(items(vec![Err(unavailable())])) });
    let response = server.call(&retry, request("watch")).await.unwrap();
    let (_, end) = read(response).await;
    assert_eq!((server.asked(), end.unwrap_err().attempts()), (4, 4));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_made_whole_by_another_attempt_keeps_its_trailers() {
    let server = Server::new(|number| async move {
        if number == 1 {
            return Ok(items(vec![Err(unavailable())]));
        }
        let message = Message::encoded((&b"1"[..]).into(), Encoding::JSON);
        let mut response = Response::new(Body::message(message));
        response
            .trailers_mut()
            .insert("seen", http::HeaderValue::from_static("yes"));
        Ok(response)
    });
    let response = server.call(&Retry::new(), request("read")).await.unwrap();
    let (texts, end) = read(response).await;
    assert_eq!(
        (texts, &end.unwrap()["seen"]),
        (vec!["1".to_owned()], &http::HeaderValue::from_static("yes"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_streams_is_sent_once() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let service = service_fn(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Err(unavailable().into_not_started()) }
    });
    let service = BoxService::new(service).layer(Retry::new().assume_idempotent());
    let body = Body::stream(stream::iter([item("1")]));
    let request = Request::new(Method::named("m.M/sum"), body);
    assert!(service.call(request).await.is_err());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_around_a_call_only_the_outer_one_counts() {
    let server = Server::failing(u32::MAX, unavailable());
    let twice = server
        .1
        .clone()
        .layer(Retry::new().max_attempts(4))
        .layer(Retry::new().max_attempts(2));
    assert_eq!(twice.call(request("read")).await.unwrap_err().attempts(), 2);
    assert_eq!(server.asked(), 2);
    let never = server
        .1
        .clone()
        .layer(Retry::new())
        .layer(Retry::new().max_attempts(1));
    server.0.store(0, Ordering::SeqCst);
    assert!(never.call(request("read")).await.is_err());
    assert_eq!(server.asked(), 1);
}
