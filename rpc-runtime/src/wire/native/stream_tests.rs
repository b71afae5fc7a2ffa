//! Streams over a whole connection in memory: what many messages at once must not change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::{FutureExt, Stream, StreamExt, stream};
use http::HeaderMap;
use tokio::sync::mpsc;

use super::connection::Shared;
use super::reply::send_error;
use super::room::Wanted;
use super::sender::{Sender, Side};
use super::{Connection, Role, open};
use crate::call::{Body, BodyFrame, Limits, Message, Method, Request, Response, ValueMessage};
use crate::codec::{Encoding, Serde};
use crate::server::Router;
use crate::service::{BoxService, Service, service_fn};
use crate::status::{Code, Status};
use crate::transport::Io;
use crate::wire::config::{Config, RunningCalls, Served};

struct Pair {
    client: Connection,
    server: Arc<Shared>,
}

/// Connects to a service that answers everything with `answer`.
fn pair<S>(limits: Limits, answer: impl Fn(Body) -> S + Send + Sync + 'static) -> Pair
where
    S: Stream<Item = Result<BodyFrame, Status>> + Send + 'static,
{
    pair_over(64 << 10, limits, answer)
}

/// The same over a pipe that holds so many bytes.
fn pair_over<S>(
    pipe: usize,
    limits: Limits,
    answer: impl Fn(Body) -> S + Send + Sync + 'static,
) -> Pair
where
    S: Stream<Item = Result<BodyFrame, Status>> + Send + 'static,
{
    let answer = Arc::new(answer);
    let service = service_fn(move |mut request: Request| {
        let answer = Arc::clone(&answer);
        async move { Ok(Response::new(Body::stream(answer(request.take_body())))) }
    });
    pair_serving(pipe, limits, BoxService::new(service))
}

fn pair_serving(pipe: usize, limits: Limits, service: BoxService) -> Pair {
    let served = Served {
        service,
        methods: Arc::new(Router::new()),
        running: RunningCalls::new(64),
        extensions: http::Extensions::new(),
    };
    let config = Arc::new(Config {
        limits,
        ..Config::default()
    });
    let (near, far) = tokio::io::duplex(pipe);
    let (near, far) = (Io::new(near), Io::new(far));
    let (client, driver) = open(
        near,
        Role::Connected,
        Arc::clone(&config),
        None,
        BytesMut::new(),
    );
    tokio::spawn(driver);
    let (server, driver) = open(far, Role::Accepted, config, Some(served), BytesMut::new());
    let shared = Arc::clone(server.shared());
    tokio::spawn(driver);
    Pair {
        client,
        server: shared,
    }
}

impl Pair {
    async fn call(&self, body: Body) -> Body {
        let mut request = Request::new(Method::named("x/y"), body);
        request.set_encoding(Encoding::MESSAGE_PACK);
        let mut response = self.client.call(request).await.expect("an answer");
        response.take_body()
    }

    /// Waits until no call is open, and then nothing may be held for any.
    async fn settles(&self) {
        let client = self.client.shared();
        for shared in [client, &self.server] {
            let quiet = || {
                let state = shared.state();
                state.calls.is_empty() && state.peers_calls.is_empty()
            };
            for _ in 0..10_000 {
                if quiet() && shared.budget.used() == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(quiet(), "a call is still open");
            assert_eq!(shared.budget.used(), 0);
        }
    }
}

fn number(number: u64) -> Result<BodyFrame, Status> {
    Ok(BodyFrame::Message(ValueMessage::<Serde, u64>::wrap(number)))
}

async fn next(body: &mut Body) -> Option<Result<u64, Status>> {
    match body.frame().await? {
        Ok(BodyFrame::Message(message)) => Some(ValueMessage::<Serde, u64>::unwrap(message)),
        Ok(other) => panic!("{other:?}"),
        Err(status) => Some(Err(status)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_stream_comes_whole_and_in_order() {
    // Windows and rooms that end in the middle of batches, again and again.
    for (window, outgoing) in [
        (256 << 10, 4 << 20),
        (1_024, 4 << 20),
        (256 << 10, 1),
        (3_000, 2_000),
    ] {
        let limits = Limits::new().stream_window(window).max_outgoing(outgoing);
        let pair = pair(limits, |_| stream::iter((0..10_000).map(number)));
        let mut body = pair.call(Body::empty()).await;
        for expected in 0..10_000 {
            assert_eq!(next(&mut body).await.unwrap().unwrap(), expected);
        }
        assert!(next(&mut body).await.is_none());
        drop(body);
        pair.settles().await;
    }
}

/// How a handler answers whose stream somebody reads on.
#[derive(Clone, Copy, Debug)]
enum Answered {
    InPlace,
    Later,
    AsStream,
}

#[tokio::test(start_paused = true)]
async fn who_reads_a_stream_on_when_its_call_is_answered_hears_of_that() {
    for answered in [Answered::InPlace, Answered::Later, Answered::AsStream] {
        let (sender, mut heard) = mpsc::unbounded_channel();
        let service = service_fn(move |mut request: Request| {
            let (mut body, sender) = (request.take_body(), sender.clone());
            tokio::spawn(async move {
                let end = loop {
                    match body.frame().await {
                        Some(Ok(_)) => {}
                        end => break end,
                    }
                };
                let _ = sender.send(end);
            });
            async move {
                let message = match number(1)? {
                    BodyFrame::Message(message) => message,
                    other => panic!("{other:?}"),
                };
                if let Answered::Later = answered {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Ok(Response::new(match answered {
                    Answered::AsStream => Body::stream(stream::iter([number(1)])),
                    _ => Body::message(message),
                }))
            }
        });
        let pair = pair_serving(64 << 10, Limits::new(), BoxService::new(service));
        let upload = stream::iter([number(1)]).chain(stream::pending());
        let mut body = pair.call(Body::stream(upload)).await;
        assert_eq!(next(&mut body).await.unwrap().unwrap(), 1, "{answered:?}");
        let end = tokio::time::timeout(Duration::from_secs(10), heard.recv()).await;
        let end = end.unwrap_or_else(|_| panic!("{answered:?}: it waits for ever"));
        let failure = end.flatten().expect("no good end").unwrap_err();
        assert_eq!(failure.code(), Code::Cancelled, "{failure}");
        drop(body);
        pair.settles().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_large_request_is_not_sent_when_its_call_has_ended() {
    let service = service_fn(|_| async { Err(Status::unavailable("too much to do")) });
    let pair = pair_serving(64 << 10, Limits::new(), BoxService::new(service));
    let large = Message::encoded(Bytes::from(vec![0xC0; 8 << 20]), Encoding::MESSAGE_PACK);
    let mut request = Request::new(Method::named("x/y"), Body::message(large));
    request.set_encoding(Encoding::MESSAGE_PACK);
    let failure = pair.client.call(request).await.unwrap_err();
    assert_eq!(failure.code(), Code::Unavailable, "{failure}");
    assert!(pair.client.shared().state().outgoing.is_empty());
    pair.settles().await;
}

/// Whoever reads the end may call again at once, and must not find the place taken.
#[tokio::test]
async fn a_call_is_over_before_its_end_can_be_read() {
    for end in [Ok(()), Err(Status::aborted("it fails"))] {
        // What ends it here is what its task would do.
        let pair = pair(Limits::new(), |_| stream::pending());
        let mut body = pair.call(Body::empty()).await;
        let call = *pair
            .server
            .state()
            .peers_calls
            .keys()
            .next()
            .expect("it is open");
        match end.clone() {
            Ok(()) => Sender {
                shared: Arc::clone(&pair.server),
                call,
                side: Side::Peers,
                encoding: Encoding::MESSAGE_PACK,
                wants: Wanted::Any,
            }
            .end(&HeaderMap::new()),
            Err(status) => send_error(&pair.server, call, Encoding::MESSAGE_PACK, status),
        }
        assert_eq!(pair.server.state().peers_calls.len(), 0, "{end:?}");
        pair.server.wake_driver();
        let read = next(&mut body).await.transpose();
        assert_eq!(
            read.map(|_| ()).map_err(|it| it.code()),
            end.map_err(|it| it.code())
        );
    }
}

#[tokio::test(start_paused = true)]
async fn large_items_keep_their_place_among_small_ones() {
    let length = |index: usize| [0, 10, 20_000, 5, 200_000, 1_030, 70_000][index % 7];
    let item = move |index: usize| {
        let bytes = Bytes::from(vec![u8::try_from(index % 251).unwrap(); length(index)]);
        Ok(BodyFrame::Message(Message::encoded(
            bytes,
            Encoding::MESSAGE_PACK,
        )))
    };
    let pair = pair(Limits::new(), move |_| stream::iter((0..100).map(item)));
    let mut body = pair.call(Body::empty()).await;
    for index in 0..100 {
        let Some(Ok(BodyFrame::Message(mut message))) = body.frame().await else {
            panic!("item {index} is missing");
        };
        let bytes = message.bytes(Encoding::MESSAGE_PACK).unwrap();
        assert_eq!(bytes.len(), length(index));
        assert!(bytes.iter().all(|it| usize::from(*it) == index % 251));
    }
    assert!(body.frame().await.is_none());
    drop(body);
    pair.settles().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_message_holds_up_no_small_call() {
    const LARGE: usize = 15 << 20;
    // Through a pipe that is always full, and through one that takes everything at once.
    for pipe in [64 << 10, 64 << 20] {
        let calls = AtomicU64::new(0);
        let pair = pair_over(pipe, Limits::new(), move |_| {
            let large = calls.fetch_add(1, Ordering::Relaxed) == 0;
            stream::iter([if large {
                let bytes = Bytes::from(vec![0xC0; LARGE]);
                let message = Message::encoded(bytes, Encoding::MESSAGE_PACK);
                Ok(BodyFrame::Message(message))
            } else {
                number(7)
            }])
        });
        let mut large = pair.call(Body::empty()).await;
        // As a task among the others: the test itself gets its turn only now and then.
        let pair = Arc::new(pair);
        let caller = Arc::clone(&pair);
        let small = tokio::spawn(async move {
            for _ in 0..10 {
                let mut small = caller.call(Body::empty()).await;
                assert_eq!(next(&mut small).await.unwrap().unwrap(), 7);
            }
        });
        small.await.unwrap();
        assert!(large.frame().now_or_never().is_none(), "it has overtaken");
        let Some(Ok(BodyFrame::Message(mut message))) = large.frame().await else {
            panic!("the large message is missing");
        };
        assert_eq!(message.bytes(Encoding::MESSAGE_PACK).unwrap().len(), LARGE);
        drop((large, message));
        pair.client
            .shared()
            .budget
            .spares()
            .clear(&pair.client.shared().budget);
        pair.settles().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_in_the_middle_comes_behind_what_came_before_it() {
    let too_large = || {
        let bytes = Bytes::from(vec![0; 2_000]);
        Ok(BodyFrame::Message(Message::encoded(
            bytes,
            Encoding::MESSAGE_PACK,
        )))
    };
    type Failure = fn() -> Result<BodyFrame, Status>;
    let failures: [(Code, Failure); 3] = [
        (Code::ResourceExhausted, too_large),
        (Code::DataLoss, || {
            Err(Status::new(Code::DataLoss, "broken"))
        }),
        (Code::Internal, || panic!("on purpose")),
    ];
    for (code, failure) in failures {
        let pair = pair(Limits::new().max_message(1_500), move |_| {
            let bad = stream::iter([failure]).map(|it| it());
            stream::iter((0..300).map(number))
                .chain(bad)
                .chain(stream::iter([number(0)]))
        });
        let mut body = pair.call(Body::empty()).await;
        for expected in 0..300 {
            assert_eq!(next(&mut body).await.unwrap().unwrap(), expected);
        }
        assert_eq!(next(&mut body).await.unwrap().unwrap_err().code(), code);
        assert!(next(&mut body).await.is_none());
        drop(body);
        pair.settles().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_stops_the_stream_and_holds_nothing() {
    let made = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&made);
    let pair = pair(Limits::new(), move |_| {
        let counter = Arc::clone(&counter);
        stream::iter(0..).map(move |it| {
            counter.fetch_add(1, Ordering::Relaxed);
            number(it)
        })
    });
    for read in [0, 1, 700, 20_000] {
        let mut body = pair.call(Body::empty()).await;
        for expected in 0..read {
            assert_eq!(next(&mut body).await.unwrap().unwrap(), expected);
        }
        drop(body);
        pair.settles().await;
        // A window ahead of the reader, and no more.
        let ahead = made.swap(0, Ordering::Relaxed) - read;
        assert!(
            ahead < (256 << 10) / 17 + 2_000,
            "{ahead} items were made for nobody"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_goes_out_and_back_in_order() {
    // What comes first is the place of the arguments, of which there are none.
    let echo = |body| {
        let next = |mut body: Body| async { Some((body.frame().await?, body)) };
        stream::unfold(body, next).skip(1)
    };
    let pair = pair(Limits::new().stream_window(2_000), echo);
    let upload = Body::stream(stream::iter((0..20_000).map(number)));
    let mut body = pair.call(upload).await;
    for expected in 0..20_000 {
        assert_eq!(next(&mut body).await.unwrap().unwrap(), expected);
    }
    assert!(next(&mut body).await.is_none());
    drop(body);
    pair.settles().await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_stream_holds_no_item_back() {
    let (sender, receiver) = mpsc::channel(16);
    let receiver = std::sync::Mutex::new(Some(receiver));
    let pair = pair(Limits::new(), move |_| {
        let receiver = receiver.lock().unwrap().take().unwrap();
        stream::unfold(receiver, |mut it| async {
            Some((number(it.recv().await?), it))
        })
    });
    let mut body = pair.call(Body::empty()).await;
    for round in 0..100 {
        for item in 0..=round % 3 {
            sender.send(item).await.unwrap();
        }
        for item in 0..=round % 3 {
            assert_eq!(next(&mut body).await.unwrap().unwrap(), item);
        }
    }
    drop(sender);
    assert!(next(&mut body).await.is_none());
}
