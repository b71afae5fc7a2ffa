//! Nobody gets a stream that is not his, and peers that mean no good get nothing else either.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use rpc_runtime::layer::auth::BearerAuth;
use rpc_runtime::server::ReplayLimits;
use rpc_runtime::testing::simulate;

use rpc_runtime::{Code, Identity, Request, from_fn};
use rpc_tests::raw::{RawPeer, RawServer, block, field, field_of, flag, kind, method, varint};
use rpc_tests::serving::{TRANSPORTS, serve};

use super::{FeedClient, Place, Source, read};
use rpc_tests::eventually;

const RESUME: u8 = 0x0D;
const RESUMABLE: u8 = 0xA1;

/// Shows the tokens one after the other, one with each request, and then the last one.
fn showing(place: &Place, tokens: &'static [&'static str]) -> FeedClient {
    let next = Arc::new(AtomicUsize::new(0));
    let showing = from_fn(move |mut request: Request, service| {
        let turn = next.fetch_add(1, Ordering::SeqCst).min(tokens.len() - 1);
        let value = HeaderValue::from_str(&format!("Bearer {}", tokens[turn]));
        let value = value.expect("a token is text");
        request.metadata_mut().insert("authorization", value);
        async move { service.call(request).await }
    });
    FeedClient::new(place.channel().layer(showing))
}

#[test]
fn who_goes_on_is_who_began_it_and_shows_that_again() {
    simulate(1, async {
        let source = Source::gated();
        let people = [
            ("a1", Identity::new("ann")),
            ("a2", Identity::new("ann")),
            ("b", Identity::new("bob")),
        ];
        let auth = BearerAuth::tokens(people);
        let place = Place::calm(source.server().layer(auth));
        for (tokens, expected) in [
            (&["a1", "a2"][..], None),
            (&["a1", "b"], Some(Code::Aborted)),
            (&["a1", "nobody's"], Some(Code::Unauthenticated)),
        ] {
            let mut stream = showing(&place, tokens).numbers(10, 0);
            source.made.add_permits(4);
            read(&mut stream, 0..4).await;
            place.reset();
            source.made.add_permits(6);
            match expected {
                None => read(&mut stream, 4..10).await,
                Some(code) => {
                    let failure = stream.next().await.expect("it fails");
                    let failure = failure.expect_err("it is not his");
                    assert_eq!(failure.code(), code, "{failure}");
                }
            }
        }
    });
}

fn resuming(path: &str, received: u64, token: &[u8]) -> Vec<u8> {
    let value = [&varint(received)[..], token].concat();
    block(&[method(path), field_of(RESUME, &value)].concat(), &[])
}

/// Begins a stream by hand, and returns its token.
async fn begin(peer: &mut RawPeer, call: u64) -> Vec<u8> {
    let fields = [method("test.v1.Feed/numbers"), field_of(RESUMABLE, &[])].concat();
    // {"count": 100, "size": 0}
    let payload = block(&fields, b"\x82\xA5count\x64\xA4size\x00");
    peer.send(kind::REQUEST, flag::BODY | flag::END, call, &payload)
        .await;
    let response = peer.next_of(kind::RESPONSE).await;
    let value = response.field(RESUME).expect("a token");
    // 30,000 milliseconds, as a varint of three bytes.
    assert_eq!(value[..3], varint(30_000)[..]);
    value[3..].to_vec()
}

#[tokio::test]
async fn a_stream_may_go_on_with_an_answer_that_is_whole() {
    let server = RawServer::listen("tcp").await;
    let (channel, mut peer) = server.channel(&[]).await;
    let mut stream = FeedClient::new(channel).numbers(2, 0).start();
    let request = peer.next_of(kind::REQUEST).await;
    let token = field_of(RESUME, &[&varint(30_000)[..], &[7; 24]].concat());
    let item = |number: u8| {
        let mut item = b"\x83\xA6number\0\xA6server\0\xA7filling\xA0".to_vec();
        item[8] = number;
        item
    };
    let whole = block(&token, &item(0));
    peer.send(kind::RESPONSE, flag::BODY, request.call, &whole)
        .await;
    read(&mut stream, 0..1).await;
    drop(peer);
    // Whoever asks notices that the connection is gone.
    let mut peer = tokio::select! {
        peer = server.accept() => peer,
        next = stream.next() => panic!("{next:?}"),
    };
    peer.introduce(&[]).await;
    let (request, item) = tokio::join!(
        async {
            let request = peer.next_of(kind::REQUEST).await;
            assert!(request.field(RESUME).is_some());
            let whole = block(&token, &item(1));
            peer.send(kind::RESPONSE, flag::BODY | flag::END, request.call, &whole)
                .await;
            request
        },
        stream.next()
    );
    let item = item.expect("an item").unwrap_or_else(|it| panic!("{it}"));
    assert_eq!((item.number, request.kind), (1, kind::REQUEST));
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn a_token_that_is_not_known_says_nothing() {
    for transport in TRANSPORTS {
        let source = Source::gated();
        let serving = serve(transport, source.server()).await;
        let mut peer = RawPeer::introduced(&serving.url).await;
        let token = begin(&mut peer, 1).await;
        assert_eq!(token.len(), 24, "192 bits");
        let (mut next, whole) = (3, flag::BODY | flag::END);
        let mut guesses = Vec::new();
        for place in 0..token.len() {
            let mut guess = token.clone();
            guess[place] ^= 1;
            guesses.push(guess);
        }
        guesses.push(token[..16].to_vec());
        guesses.push([&token[..], &[0; 40]].concat());
        for guess in guesses {
            let payload = resuming("test.v1.Feed/numbers", 0, &guess);
            peer.send(kind::REQUEST, whole, next, &payload).await;
            let error = peer.next_for(next).await;
            assert_eq!(
                (error.kind, error.number(field::CODE)),
                (kind::ERROR, Some(10))
            );
            next += 2;
        }
        // The token is that of another method, or the method has none, or nothing is right.
        for (path, received, token, code) in [
            ("test.v1.Feed/again", 0, &token[..], 10),
            ("test.v1.Feed/plain", 0, &token, 12),
            ("test.v1.Feed/numbers", 1, &token, 3),
            ("test.v1.Feed/numbers", u64::MAX, &token, 3),
            ("test.v1.Feed/numbers", 0, &token[..15], 3),
            ("test.v1.Feed/numbers", 0, &[7; 65], 3),
        ] {
            let payload = resuming(path, received, token);
            peer.send(kind::REQUEST, whole, next, &payload).await;
            let error = peer.next_for(next).await;
            let found = (error.kind, error.number(field::CODE));
            assert_eq!(found, (kind::ERROR, Some(code)), "{path}: {}", error.text());
            next += 2;
        }
        // The stream goes on all the same.
        source.made.add_permits(1);
        assert_eq!(peer.next_for(1).await.kind, kind::MESSAGE);
    }
}

/// Of two that go on with one stream, the later one has it.
#[tokio::test]
async fn a_stream_has_one_reader() {
    let source = Source::gated();
    let serving = serve("tcp", source.server()).await;
    let mut first = RawPeer::introduced(&serving.url).await;
    let token = begin(&mut first, 1).await;
    source.made.add_permits(2);
    for _ in 0..2 {
        assert_eq!(first.next_of(kind::MESSAGE).await.call, 1);
    }
    let mut second = RawPeer::introduced(&serving.url).await;
    let resume = resuming("test.v1.Feed/numbers", 1, &token);
    second
        .send(kind::REQUEST, flag::BODY | flag::END, 1, &resume)
        .await;
    assert_eq!(second.next_for(1).await.kind, kind::RESPONSE);
    // The second item comes again.
    assert_eq!(second.next_for(1).await.kind, kind::MESSAGE);
    let lost = first.next_for(1).await;
    assert_eq!(
        (lost.kind, lost.number(field::CODE)),
        (kind::ERROR, Some(10))
    );
    assert!(
        lost.text().contains("another connection"),
        "{}",
        lost.text()
    );

    second
        .send(kind::REQUEST, flag::BODY | flag::END, 3, &resume)
        .await;
    let mut frames = Vec::new();
    for _ in 0..3 {
        let frame = second.next().await;
        frames.push((frame.call, frame.kind));
    }
    frames.sort_unstable();
    let expected = [(1, kind::ERROR), (3, kind::RESPONSE), (3, kind::MESSAGE)];
    assert_eq!(frames, expected, "the first of the two has lost it as well");
    source.made.add_permits(1);
    let item = second.next().await;
    assert_eq!((item.kind, item.call), (kind::MESSAGE, 3));
    assert_eq!(source.began(), 1);
}

/// Peers that begin streams and go take the places that there are, and no more; others are served.
#[tokio::test]
async fn who_begins_streams_and_leaves_takes_no_more_than_the_places() {
    let source = Source::gated();
    let limits = ReplayLimits::new().streams(20).wait(Duration::from_secs(1));
    let serving = serve("tcp", source.server().replay_limits(limits)).await;
    for _ in 0..10 {
        let mut peer = RawPeer::introduced(&serving.url).await;
        for call in (1..21).step_by(2) {
            let fields = [method("test.v1.Feed/numbers"), field_of(RESUMABLE, &[])].concat();
            let payload = block(&fields, b"\x82\xA5count\x64\xA4size\x00");
            peer.send(kind::REQUEST, flag::BODY | flag::END, call, &payload)
                .await;
        }
        peer.settle().await;
    }
    eventually("the others are gone", || {
        source.began() == 100 && source.ended() >= 80
    })
    .await;
    assert!(serving.stop.waiting_streams() <= 20);
    eventually("all are gone", || source.ended() == 100).await;
    assert_eq!(serving.stop.waiting_streams(), 0);
}

/// Credit that was never given lets items go that nobody has: their caller is told that they are lost.
#[tokio::test]
async fn credit_that_is_a_lie_harms_its_own_stream_only() {
    let source = Source::gated();
    let serving = serve("tcp", source.server()).await;
    let mut peer = RawPeer::introduced(&serving.url).await;
    let token = begin(&mut peer, 1).await;
    peer.send(kind::CREDIT, 0, 1, &varint(u64::MAX)).await;
    peer.settle().await;
    source.made.add_permits(5);
    for _ in 0..5 {
        assert_eq!(peer.next_of(kind::MESSAGE).await.call, 1);
    }
    let payload = resuming("test.v1.Feed/numbers", 0, &token);
    peer.send(kind::REQUEST, flag::BODY | flag::END, 3, &payload)
        .await;
    let response = peer.next_of(kind::RESPONSE).await;
    assert!(
        response
            .number(0x0F)
            .is_some_and(|gap| (1..=5).contains(&gap))
    );
}
