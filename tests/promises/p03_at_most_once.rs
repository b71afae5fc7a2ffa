//! A method runs at most once for each call: nothing is sent again once it may have been seen.

use rpc_runtime::layer::Retry;
use rpc_runtime::{Channel, Code, Router};
use rpc_tests::json_peer::{self, JsonServer};
use rpc_tests::raw::{RawServer, field, field_of, flag, kind, raw_server, varint};

use crate::probe::{Event, ProbeClient, Probing, bounded};

on_every_transport! {
    a_request_that_was_sent_is_not_sent_again
    calls_that_a_server_says_it_lost_are_not_sent_again
    handlers_run_once_when_their_server_dies
    requests_on_a_dying_connection_run_once
    a_server_that_failed_is_not_asked_again
    retries_repeat_no_method_that_may_not_run_twice
    retries_repeat_no_request_that_may_have_been_seen
    retries_send_what_a_server_has_not_seen_to_its_successor
}

over_json! {
    handlers_run_once_when_their_server_dies
    requests_on_a_dying_connection_run_once
    retries_run_each_handler_once_when_their_server_dies
    a_request_in_json_that_was_sent_is_not_sent_again
}

over_http_and_tls! {
    handlers_run_once_when_their_server_dies
    requests_on_a_dying_connection_run_once
    retries_run_each_handler_once_when_their_server_dies
}

/// Repeats as much as anyone could ask for.
fn eager() -> Retry {
    Retry::new().codes((1..=16).map(Code::from_number))
}

/// What follows a lost connection is exactly the calls that are made after it.
async fn only_this_call(server: &RawServer, client: &ProbeClient) {
    if server.url().is_none() {
        let status = bounded(client.add(9, 9).into_future()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
        return;
    }
    let call = client.add(9, 9).start();
    let mut peer = server.accept().await;
    peer.introduce(&[]).await;
    let request = peer.next().await;
    assert_eq!((request.kind, request.call), (kind::REQUEST, 1));
    assert_eq!(request.message(), b"\x82\xa1a\x09\xa1b\x09");
    peer.settle().await;
    peer.reply(1, &[18]).await;
    assert_eq!(bounded(call).await.unwrap(), 18);
}

async fn a_request_that_was_sent_is_not_sent_again(transport: &str) {
    let server = RawServer::listen(transport).await;
    let (channel, mut peer) = server.channel(&[]).await;
    let client = ProbeClient::new(channel);
    let calls: Vec<_> = (0..20).map(|it| client.add(it, it).start()).collect();
    for _ in 0..20 {
        peer.next_of(kind::REQUEST).await;
    }
    drop(peer);
    for call in calls {
        assert_eq!(bounded(call).await.unwrap_err().code(), Code::Unavailable);
    }
    only_this_call(&server, &client).await;
}

async fn calls_that_a_server_says_it_lost_are_not_sent_again(transport: &str) {
    let server = RawServer::listen(transport).await;
    let (channel, mut peer) = server.channel(&[]).await;
    let client = ProbeClient::new(channel);
    let first = client.add(1, 1).start();
    assert_eq!(peer.next_of(kind::REQUEST).await.call, 1);
    let second = client.add(2, 2).start();
    assert_eq!(peer.next_of(kind::REQUEST).await.call, 3);
    peer.send(kind::GO_AWAY, 0, 0, &field_of(field::LAST_CALL, &varint(1)))
        .await;
    assert_eq!(bounded(second).await.unwrap_err().code(), Code::Unavailable);
    peer.reply(1, &[2]).await;
    assert_eq!(bounded(first).await.unwrap(), 2);
    assert!(peer.rest().await.iter().all(|it| it.kind != kind::REQUEST));
    only_this_call(&server, &client).await;
}

async fn handlers_run_once_when_their_server_dies(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let calls: Vec<_> = (0..20).map(|_| probing.client.wait().start()).collect();
    for _ in 0..20 {
        probing.expect(&[Event::Started]).await;
    }
    probing.serving.task.abort();
    for call in calls {
        assert_eq!(bounded(call).await.unwrap_err().code(), Code::Unavailable);
    }
    assert_eq!(probing.shared.count(), 20);
}

async fn requests_on_a_dying_connection_run_once(transport: &str) {
    // Some of these are read, some are not; none is made up for.
    let mut probing = Probing::on(transport).await;
    let calls: Vec<_> = (0..200).map(|_| probing.client.hold().start()).collect();
    assert_eq!(probing.event().await, Event::Started);
    probing.serving.task.abort();
    for call in calls {
        assert_eq!(bounded(call).await.unwrap_err().code(), Code::Unavailable);
    }
    assert!(probing.shared.count() <= 200);
    assert_eq!(probing.shared.gate.available_permits(), 0);
}

async fn a_server_that_failed_is_not_asked_again(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel);
    // Every code that sounds like another attempt might help.
    for code in [1, 4, 8, 10, 13, 14] {
        let call = client.add(1, 2).start();
        let request = server.next_of(kind::REQUEST).await.call;
        server
            .send(
                kind::ERROR,
                flag::END,
                request,
                &field_of(field::CODE, &[code]),
            )
            .await;
        let status = bounded(call).await.unwrap_err();
        assert_eq!(status.code(), Code::from_number(code));
        server.send(kind::PING, 0, 0, &[7; 8]).await;
        assert_eq!(
            server.next().await.kind,
            kind::PING,
            "the call was sent again"
        );
    }
}

async fn retries_repeat_no_method_that_may_not_run_twice(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel.layer(eager()));
    for code in 1..=16 {
        let call = client.add(1, 2).start();
        let request = server.next_of(kind::REQUEST).await.call;
        let failure = field_of(field::CODE, &[code]);
        server.send(kind::ERROR, flag::END, request, &failure).await;
        let status = bounded(call).await.unwrap_err();
        assert_eq!(
            (status.code(), status.attempts()),
            (Code::from_number(code), 1)
        );
        server.send(kind::PING, 0, 0, &[7; 8]).await;
        assert_eq!(
            server.next().await.kind,
            kind::PING,
            "the call was sent again"
        );
    }
}

async fn retries_repeat_no_request_that_may_have_been_seen(transport: &str) {
    let server = RawServer::listen(transport).await;
    let (channel, mut peer) = server.channel(&[]).await;
    let client = ProbeClient::new(channel.clone().layer(eager()));
    let calls: Vec<_> = (0..20).map(|it| client.add(it, it).start()).collect();
    for _ in 0..20 {
        peer.next_of(kind::REQUEST).await;
    }
    drop(peer);
    for call in calls {
        let status = bounded(call).await.unwrap_err();
        assert_eq!((status.code(), status.attempts()), (Code::Unavailable, 1));
    }
    only_this_call(&server, &ProbeClient::new(channel)).await;
}

async fn retries_send_what_a_server_has_not_seen_to_its_successor(transport: &str) {
    let server = RawServer::listen(transport).await;
    if server.url().is_none() {
        // A channel over one stream has no successor.
        return;
    }
    let (channel, mut peer) = server.channel(&[]).await;
    let client = ProbeClient::new(channel.layer(eager()));
    let call = client.add(9, 9).start();
    assert_eq!(peer.next_of(kind::REQUEST).await.call, 1);
    let last = field_of(field::LAST_CALL, &varint(0));
    peer.send(kind::GO_AWAY, 0, 0, &last).await;
    let mut successor = server.accept().await;
    successor.introduce(&[]).await;
    let request = successor.next_of(kind::REQUEST).await;
    assert_eq!(request.message(), b"\x82\xa1a\x09\xa1b\x09");
    assert_eq!(request.number(field::ATTEMPT), Some(2));
    successor.reply(1, &[18]).await;
    assert_eq!(bounded(call).await.unwrap(), 18);
}

async fn retries_run_each_handler_once_when_their_server_dies(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let client = ProbeClient::new(probing.channel.clone().layer(eager()));
    let calls: Vec<_> = (0..20).map(|_| client.wait().start()).collect();
    for _ in 0..20 {
        probing.expect(&[Event::Started]).await;
    }
    probing.serving.task.abort();
    for call in calls {
        let status = bounded(call).await.unwrap_err();
        assert_eq!((status.code(), status.attempts()), (Code::Unavailable, 1));
    }
    assert_eq!(probing.shared.count(), 20);
}

/// A call that no handler saw fails its caller's handler, which has run: that call is not repeated.
#[tokio::test]
async fn retries_repeat_no_handler_whose_own_call_did_not_start() {
    let nobody = Channel::connect("mem:nobody-is-here").lazy().unwrap();
    let ran = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&ran);
    let router = Router::new().try_function("relay", move || {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let nobody = nobody.clone();
        async move { nobody.call::<_, i64>("add", (1, 2)).await }
    });
    let channel = Channel::new(router).layer(eager());
    let status = channel.call::<_, i64>("relay", ()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(ran.load(std::sync::atomic::Ordering::SeqCst), 1);
}

async fn a_request_in_json_that_was_sent_is_not_sent_again(wire: &'static str) {
    let server = JsonServer::listen(wire).await;
    let (channel, mut peer) = server.channel().await;
    let client = ProbeClient::new(channel.layer(eager()));
    let calls: Vec<_> = (0..20).map(|it| client.add(it, it).start()).collect();
    for _ in 0..20 {
        peer.next().await;
    }
    drop(peer);
    for call in calls {
        let status = bounded(call).await.unwrap_err();
        assert_eq!((status.code(), status.attempts()), (Code::Unavailable, 1));
    }
    // What follows is exactly the call that is made after it.
    let call = client.add(9, 9).start();
    let mut peer = server.accept().await;
    let request = peer.next().await;
    assert_eq!(request["params"], serde_json::json!({"a": 9, "b": 9}));
    peer.send(&json_peer::answer(&request["id"], 18)).await;
    assert_eq!(bounded(call).await.unwrap(), 18);
    drop(client);
    assert_eq!(peer.rest().await, Vec::<serde_json::Value>::new());
}
