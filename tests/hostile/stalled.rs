//! Messages that come in part: their senders cannot hold the memory of the others.

use std::time::Duration;

use rpc_runtime::transport::Io;
use rpc_runtime::{Code, Limits};
use rpc_tests::math::MathClient;
use rpc_tests::raw::{Frame, RawPeer, block, field, flag, kind, method, raw_server};
use serde_bytes::ByteBuf;
use tokio::time::{Instant, sleep};

use super::healthy::{alone, server, start};

const LIMIT: Duration = Duration::from_secs(5);

/// What this much of a message is worth in time, as `Limits::message_timeout` says.
const SECOND: usize = 16 << 10;

/// A peer of a server in this task's own time.
async fn against_server() -> RawPeer {
    let server = server().limits(Limits::new().message_timeout(LIMIT));
    let (here, there) = tokio::io::duplex(1 << 20);
    tokio::spawn(server.connections().serve(Io::new(there)));
    let mut peer = RawPeer::over(here);
    peer.introduce(&[]).await;
    peer
}

/// Begins a call whose message is to go on.
async fn begin(peer: &mut RawPeer, call: u64, path: &str, message: &[u8]) {
    let payload = block(&method(path), message);
    peer.send(kind::REQUEST, flag::BODY | flag::MORE, call, &payload)
        .await;
}

fn is_stalled(error: &Frame) {
    assert_eq!(
        (error.kind, error.number(field::CODE)),
        (kind::ERROR, Some(4))
    );
    let text = error.text();
    assert!(
        text.contains("the server's limit `message_timeout` of "),
        "{text}"
    );
}

fn is_about(took: Duration, expected: Duration) {
    let difference = took.abs_diff(expected);
    assert!(
        difference < Duration::from_millis(100),
        "{took:?}, not {expected:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_that_stops_fails_its_call_alone() {
    let mut peer = against_server().await;
    let began = Instant::now();
    begin(&mut peer, 1, "test.v1.Math/add", b"\x92\x01").await;
    // And an item of a stream, later.
    sleep(Duration::from_secs(2)).await;
    let stream = block(&method("test.v1.Math/sum"), &[]);
    peer.send(kind::REQUEST, 0, 3, &stream).await;
    peer.send(kind::MESSAGE, 0, 3, b"\x01").await;
    peer.send(kind::MESSAGE, flag::MORE, 3, b"\xCD").await;
    is_stalled(&peer.next_for(1).await);
    is_about(began.elapsed(), LIMIT);
    is_stalled(&peer.next_for(3).await);
    is_about(began.elapsed(), LIMIT + Duration::from_secs(2));
    // What comes of them now is nothing to anyone.
    peer.send(kind::MESSAGE, 0, 1, b"\x02").await;
    peer.request(5, "test.v1.Math/add", b"\x92\x02\x03").await;
    assert_eq!(peer.next_for(5).await.message(), b"\x05");
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_does_not_keep_a_message_alive() {
    let mut peer = against_server().await;
    let began = Instant::now();
    begin(&mut peer, 1, "test.v1.Math/echo", &[0xC4]).await;
    for _ in 0..9 {
        peer.send(kind::MESSAGE, flag::MORE, 1, &[0]).await;
        sleep(Duration::from_millis(500)).await;
    }
    is_stalled(&peer.next_for(1).await);
    is_about(began.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn what_came_fast_does_not_count_for_ever() {
    let mut peer = against_server().await;
    let began = Instant::now();
    begin(&mut peer, 1, "test.v1.Math/echo", &[0xC6]).await;
    for _ in 0..60 {
        peer.send(kind::MESSAGE, flag::MORE, 1, &[1; SECOND]).await;
    }
    is_stalled(&peer.next_for(1).await);
    is_about(began.elapsed(), LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_slow_message_that_comes_on_arrives() {
    let mut peer = against_server().await;
    let pieces = 40_u8;
    let length = u32::from(pieces) * u32::try_from(SECOND).unwrap();
    let head = [&[0xC6][..], &length.to_be_bytes()].concat();
    begin(&mut peer, 1, "test.v1.Math/echo", &head).await;
    for piece in 1..=pieces {
        sleep(Duration::from_millis(900)).await;
        let more = if piece < pieces {
            flag::MORE
        } else {
            flag::END
        };
        peer.send(kind::MESSAGE, more, 1, &[piece; SECOND]).await;
    }
    let reply = peer.next_for(1).await;
    assert_eq!(reply.kind, kind::RESPONSE);
    let mut message = reply.message().to_vec();
    message.extend(peer.next_for(1).await.payload);
    assert_eq!(message[..5], head);

    // At half that pace it loses half a second a second.
    let began = Instant::now();
    begin(&mut peer, 3, "test.v1.Math/echo", &head).await;
    for piece in 1..=9 {
        sleep(Duration::from_secs(1)).await;
        peer.send(kind::MESSAGE, flag::MORE, 3, &[piece; SECOND / 2])
            .await;
    }
    is_stalled(&peer.next_for(3).await);
    is_about(began.elapsed(), LIMIT * 2 - Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_fails_its_call_alone() {
    let (channel, mut peer) = raw_server("mem").await;
    let math = MathClient::new(channel);
    let patient = Duration::from_secs(300);
    let began = Instant::now();
    let call = math.add(1, 2).timeout(patient).start();
    let request = peer.next_of(kind::REQUEST).await.call;
    let half = block(&[], b"\xCD\x01");
    peer.send(kind::RESPONSE, flag::BODY | flag::MORE, request, &half)
        .await;
    let status = call.await.unwrap_err();
    is_about(began.elapsed(), Duration::from_secs(30));
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let text = "the client's limit `message_timeout` of 30s";
    assert!(status.message().contains(text), "{status}");
    let cancel = peer.next_of(kind::CANCEL).await;
    assert_eq!(
        (cancel.call, cancel.number(field::CODE)),
        (request, Some(4))
    );

    let call = math.add(1, 2).start();
    let request = peer.next_of(kind::REQUEST).await.call;
    peer.reply(request, &[3]).await;
    assert_eq!(call.await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_sent_messages_hold_the_memory_of_all_for_a_time_only() {
    let _alone = alone().await;
    let limits = Limits::new().message_timeout(Duration::from_secs(5));
    let serving = start(server().limits(limits).max_buffered_total(4 << 20)).await;
    let math = MathClient::connect(&serving.url).await.unwrap();
    let upload = async || {
        let echoed = math.echo(ByteBuf::from(vec![1; 500_000])).await;
        echoed.map(|it| it.len())
    };
    let mut peers = Vec::new();
    for _ in 0..4 {
        let mut peer = RawPeer::introduced(&serving.url).await;
        begin(&mut peer, 1, "test.v1.Math/echo", &[0; 1_000_000]).await;
        peer.settle().await;
        peers.push(peer);
    }
    let refused = upload().await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(
        refused.message().contains("`max_buffered_total`"),
        "{refused}"
    );
    for peer in &mut peers {
        is_stalled(&peer.next_for(1).await);
    }
    assert_eq!(upload().await.expect("there is room again"), 500_000);
}
