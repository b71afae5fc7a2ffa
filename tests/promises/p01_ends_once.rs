//! A call ends exactly once, whatever the peer does; and always in time.

use std::time::{Duration, Instant};

use futures_util::stream;
use rpc_runtime::{
    Body, BoxService, Code, Encoding, Message, Method, Request, ResponseStream, Service, layer,
};
use rpc_tests::json_peer::{self, JsonPeer, JsonServer};
use rpc_tests::raw::{
    RawPeer, RawServer, block, field, field_of, flag, kind, method, raw_server, varint,
};

use crate::probe::{
    Event, PATIENCE, ProbeClient, ProbeServer, Prober, Probing, Then, Trap, bounded,
};

on_every_transport! {
    a_unary_call_sends_thirty_seconds
    a_silent_server_cannot_keep_a_call
    a_silent_client_cannot_keep_a_handler
    a_handler_hands_its_deadline_down
    only_the_acceptance_of_a_stream_is_bounded
    a_timeout_bounds_the_whole_stream_and_is_sent
    a_timeout_bounds_a_stream_that_never_waits
    the_first_item_has_a_bound_of_its_own
    waiting_for_a_place_counts_towards_the_acceptance
    answers_after_the_end_change_nothing
    a_second_acceptance_ends_a_call_once
    every_call_ends_when_the_connection_does
}

over_http_and_tls! {
    a_handler_hands_its_deadline_down
    a_timeout_bounds_a_stream_that_never_waits
}

over_json! {
    a_server_that_is_silent_in_json_cannot_keep_a_call
    answers_in_json_after_the_end_change_nothing
    every_call_in_json_ends_when_the_connection_does
}

/// JSON-RPC has no place for the time that a call may take.
mod over_json_that_says_the_time {
    over! { "lpjson":
        a_handler_hands_its_deadline_down
        a_call_in_json_sends_thirty_seconds
        a_client_that_is_silent_in_json_cannot_keep_a_handler
    }
}

/// For what runs out.
const SHORT: Duration = Duration::from_millis(100);
/// For what must not run out before something else has happened, and then does, or is outlived.
const ENOUGH: Duration = Duration::from_secs(1);

async fn a_unary_call_sends_thirty_seconds(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let call = channel.call::<_, i64>("f", (1,)).start();
    let request = server.next_of(kind::REQUEST).await;
    let timeout = Duration::from_micros(request.number(field::TIMEOUT).expect("a timeout"));
    assert!(timeout <= Duration::from_secs(30) && timeout > Duration::from_secs(25));
    server.reply(request.call, &[5]).await;
    assert_eq!(call.await.unwrap(), 5);
}

async fn a_silent_server_cannot_keep_a_call(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel);
    let status = bounded(client.add(1, 2).timeout(SHORT).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    let request = server.next_of(kind::REQUEST).await;
    let sent = Duration::from_micros(request.number(field::TIMEOUT).expect("a timeout"));
    assert!(sent <= SHORT, "{sent:?} were sent");
    let cancel = server.next_for(request.call).await;
    assert_eq!(cancel.kind, kind::CANCEL);
    assert_eq!(cancel.number(field::CODE), Some(4));
    // The same for an upload, which nobody reads.
    let upload = stream::pending::<Trap>();
    let status = bounded(client.collect(upload).timeout(SHORT).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
}

async fn a_silent_client_cannot_keep_a_handler(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    let timeout = field_of(field::TIMEOUT, &varint(50_000));
    let fields = [method("test.v1.Probe/wait"), timeout].concat();
    client
        .send(
            kind::REQUEST,
            flag::BODY | flag::END,
            1,
            &block(&fields, &[]),
        )
        .await;
    let error = client.next_for(1).await;
    assert_eq!(
        (error.kind, error.number(field::CODE)),
        (kind::ERROR, Some(4))
    );
    probing
        .expect(&[Event::Started, Event::Cancelled, Event::Dropped])
        .await;
    client.settle().await;
    probing.quiet().await;
}

async fn a_handler_hands_its_deadline_down(transport: &str) {
    let last = Probing::on(transport).await;
    let first = Probing::with(transport, |it| it, Some(&last)).await;
    let asked = Duration::from_secs(5);
    let left = bounded(first.client.time_left_onward().timeout(asked).into_future())
        .await
        .unwrap();
    assert!(left <= 5_000 && left > 0, "{left} ms left");
}

async fn only_the_acceptance_of_a_stream_is_bounded(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel.clone().with_timeout(SHORT));
    let mut refused = client.give(1, Then::End);
    let status = bounded(refused.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("accepted"), "{status}");
    assert!(bounded(refused.next()).await.is_none());
    let request = server.next_of(kind::REQUEST).await;
    assert_eq!(
        request.number(field::TIMEOUT),
        None,
        "a stream has no total deadline"
    );

    let client = ProbeClient::new(channel.with_timeout(ENOUGH));
    let mut accepted = client.give(1, Then::End).start();
    let request = server.next_of(kind::REQUEST).await;
    server
        .send(kind::RESPONSE, 0, request.call, &block(&[], &[]))
        .await;
    bounded(accepted.accepted()).await.unwrap();
    // Time passes here on purpose: more than the bound on the acceptance.
    tokio::time::sleep(ENOUGH.mul_f64(1.5)).await;
    server
        .send(kind::MESSAGE, flag::END, request.call, &[9])
        .await;
    assert_eq!(bounded(accepted.next()).await.unwrap().unwrap(), 9);
    assert!(bounded(accepted.next()).await.is_none());
}

async fn a_timeout_bounds_the_whole_stream_and_is_sent(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel);
    let mut items = client.give(1, Then::End).timeout(ENOUGH).start();
    let request = server.next_of(kind::REQUEST).await;
    let sent = Duration::from_micros(request.number(field::TIMEOUT).expect("a timeout"));
    assert!(sent <= ENOUGH, "{sent:?} were sent");
    server
        .send(kind::RESPONSE, flag::BODY, request.call, &block(&[], &[9]))
        .await;
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 9);
    let status = bounded(items.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(server.next_for(request.call).await.kind, kind::CANCEL);
}

async fn a_timeout_bounds_a_stream_that_never_waits(transport: &str) {
    let probing = Probing::on(transport).await;
    expires(probing.client.flow(10).timeout(SHORT)).await;
}

/// No wire ends it, and no task that waits lets a timer run out.
#[tokio::test]
async fn a_timeout_bounds_a_stream_in_process_that_never_waits() {
    let probing = Probing::on("mem").await;
    let local = || ProbeServer::new(Prober(probing.shared.clone()));
    expires(ProbeClient::new(local()).flow(10).timeout(SHORT)).await;
    let layered = BoxService::new(local()).layer(layer::Timeout::new(SHORT));
    expires(ProbeClient::new(layered).flow(10)).await;
    let mut request = Request::new(Method::named("test.v1.Probe/flow"), Body::empty());
    request.set_body(Body::message(Message::encoded(
        vec![0x91, 10].into(),
        Encoding::MESSAGE_PACK,
    )));
    request.shorten_timeout(SHORT);
    let mut body = local().call(request).await.unwrap().take_body();
    let failed = loop {
        match body.frame().await.expect("an end by the deadline") {
            Ok(_) => {}
            Err(status) => break status,
        }
    };
    assert_eq!(failed.code(), Code::DeadlineExceeded);
}

/// Reads a stream that always has an item at hand until its deadline ends it.
async fn expires<T>(mut items: ResponseStream<T>) {
    let began = Instant::now();
    let failed = loop {
        match items.next().await.expect("an end by the deadline") {
            Ok(_) => assert!(began.elapsed() < PATIENCE, "it goes on for ever"),
            Err(status) => break status,
        }
    };
    assert_eq!(failed.code(), Code::DeadlineExceeded, "{failed}");
    assert!(items.next().await.is_none());
}

async fn the_first_item_has_a_bound_of_its_own(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let mut none = probing
        .client
        .give(0, Then::Wait)
        .first_item_timeout(ENOUGH / 2);
    let status = bounded(none.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("first item"), "{status}");
    probing.expect(&[Event::Started, Event::Dropped]).await;
    let (channel, mut server) = raw_server(transport).await;
    let mut some = ProbeClient::new(channel)
        .give(2, Then::End)
        .first_item_timeout(ENOUGH);
    let asked = async {
        let request = server.next_of(kind::REQUEST).await;
        assert_eq!(request.number(field::TIMEOUT), None, "it is not sent");
        server
            .send(kind::RESPONSE, flag::BODY, request.call, &block(&[], &[1]))
            .await;
        request.call
    };
    let (first, call) = tokio::join!(bounded(some.next()), asked);
    assert_eq!(first.unwrap().unwrap(), 1);
    tokio::time::sleep(ENOUGH.mul_f64(1.5)).await;
    server.send(kind::MESSAGE, flag::END, call, &[2]).await;
    assert_eq!(bounded(some.next()).await.unwrap().unwrap(), 2);
}

async fn waiting_for_a_place_counts_towards_the_acceptance(transport: &str) {
    let one = field_of(field::MAX_CALLS, &varint(1));
    let (channel, mut server) = RawServer::listen(transport).await.channel(&one).await;
    let client = ProbeClient::new(channel.with_timeout(ENOUGH));
    let mut first = client.give(0, Then::Wait).start();
    let request = server.next_of(kind::REQUEST).await;
    server
        .send(kind::RESPONSE, 0, request.call, &block(&[], &[]))
        .await;
    bounded(first.accepted()).await.unwrap();
    let began = Instant::now();
    let status = bounded(client.give(1, Then::End).next())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(began.elapsed() < Duration::from_secs(5));
    let status = bounded(client.add(1, 1).into_future()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("max_calls"), "{status}");
}

async fn answers_after_the_end_change_nothing(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel);
    let sum = client.add(1, 2).start();
    let call = server.next_of(kind::REQUEST).await.call;
    server.reply(call, &[3]).await;
    server.reply(call, &[4]).await;
    server.send(kind::MESSAGE, flag::END, call, &[5]).await;
    server
        .send(kind::ERROR, flag::END, call, &field_of(field::CODE, &[13]))
        .await;
    server.send(kind::CREDIT, 0, call, &[1]).await;
    server.settle().await;
    assert_eq!(bounded(sum).await.unwrap(), 3);

    let mut items = client.give(1, Then::End).start();
    let call = server.next_of(kind::REQUEST).await.call;
    server
        .send(
            kind::RESPONSE,
            flag::BODY | flag::END,
            call,
            &block(&[], &[1]),
        )
        .await;
    server
        .send(kind::ERROR, flag::END, call, &field_of(field::CODE, &[13]))
        .await;
    server.send(kind::MESSAGE, 0, call, &[2]).await;
    server.settle().await;
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 1);
    for _ in 0..3 {
        assert!(bounded(items.next()).await.is_none());
    }

    let mut failed = client.give(1, Then::End).start();
    let call = server.next_of(kind::REQUEST).await.call;
    server
        .send(kind::ERROR, flag::END, call, &field_of(field::CODE, &[5]))
        .await;
    server
        .send(
            kind::RESPONSE,
            flag::BODY | flag::END,
            call,
            &block(&[], &[1]),
        )
        .await;
    server.settle().await;
    let status = bounded(failed.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    for _ in 0..3 {
        assert!(bounded(failed.next()).await.is_none());
    }
}

async fn a_second_acceptance_ends_a_call_once(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel.with_encoding(Encoding::JSON));
    let mut items = client.give(2, Then::End).start();
    let call = server.next_of(kind::REQUEST).await.call;
    server
        .send(kind::RESPONSE, flag::BODY, call, &block(&[], b"1"))
        .await;
    server
        .send(
            kind::RESPONSE,
            flag::BODY | flag::END,
            call,
            &block(&[], b"2"),
        )
        .await;
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 1);
    let status = bounded(items.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(bounded(items.next()).await.is_none());
    assert_eq!(server.next_for(call).await.kind, kind::CANCEL);
}

async fn every_call_ends_when_the_connection_does(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel);
    let calls: Vec<_> = (0..50).map(|it| client.add(it, it).start()).collect();
    let mut items = client.flow(1).start();
    let upload = client.collect(stream::pending::<Trap>()).start();
    for _ in 0..52 {
        server.next_of(kind::REQUEST).await;
    }
    drop(server);
    for call in calls {
        assert_eq!(bounded(call).await.unwrap_err().code(), Code::Unavailable);
    }
    let status = bounded(items.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(bounded(items.next()).await.is_none());
    assert_eq!(bounded(upload).await.unwrap_err().code(), Code::Unavailable);
}

async fn a_server_that_is_silent_in_json_cannot_keep_a_call(wire: &'static str) {
    let (channel, mut server) = JsonServer::listen(wire).await.channel().await;
    let client = ProbeClient::new(channel);
    let call = client.add(1, 2).timeout(SHORT).start();
    let late = server.next().await["id"].clone();
    let status = bounded(call).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    // Its answer is nobody else's.
    let next = client.add(3, 4).start();
    let id = server.next().await["id"].clone();
    server.send(&json_peer::answer(&late, 3)).await;
    server.send(&json_peer::answer(&id, 7)).await;
    assert_eq!(bounded(next).await.unwrap(), 7);
}

async fn answers_in_json_after_the_end_change_nothing(wire: &'static str) {
    let (channel, mut server) = JsonServer::listen(wire).await.channel().await;
    let client = ProbeClient::new(channel);
    for sum in 0..20 {
        let call = client.add(sum, 0).start();
        let id = server.next().await["id"].clone();
        server.send(&json_peer::answer(&id, sum)).await;
        server.send(&json_peer::answer(&id, 1_000)).await;
        server.send(&json_peer::answer(&7_777.into(), 2_000)).await;
        assert_eq!(bounded(call).await.unwrap(), sum);
    }
}

async fn every_call_in_json_ends_when_the_connection_does(wire: &'static str) {
    let (channel, mut server) = JsonServer::listen(wire).await.channel().await;
    let client = ProbeClient::new(channel);
    let calls: Vec<_> = (0..50).map(|it| client.add(it, it).start()).collect();
    for _ in 0..50 {
        server.next().await;
    }
    // An answer that is cut in half is none.
    let half = json_peer::answer(&1.into(), 0).to_string();
    server
        .bytes(&server.framing().frame(half.as_bytes())[..40])
        .await;
    drop(server);
    for call in calls {
        assert_eq!(bounded(call).await.unwrap_err().code(), Code::Unavailable);
    }
}

async fn a_call_in_json_sends_thirty_seconds(wire: &'static str) {
    let (channel, mut server) = JsonServer::listen(wire).await.channel().await;
    let call = channel.call::<_, i64>("f", (1,)).start();
    let request = server.next().await;
    let timeout = request["meta"]["timeout_ms"].as_u64().expect("a timeout");
    assert!((25_001..=30_000).contains(&timeout), "{timeout}");
    server.send(&json_peer::answer(&request["id"], 5)).await;
    assert_eq!(bounded(call).await.unwrap(), 5);
}

async fn a_client_that_is_silent_in_json_cannot_keep_a_handler(wire: &'static str) {
    let mut probing = Probing::on(wire).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    let mut call = json_peer::call(1, "test.v1.Probe.wait", [(); 0]);
    call["meta"] = serde_json::json!({"timeout_ms": 50});
    client.send(&call).await;
    let answer = client.next().await;
    assert_eq!(json_peer::code(&answer), Code::DeadlineExceeded, "{answer}");
    probing
        .expect(&[Event::Started, Event::Cancelled, Event::Dropped])
        .await;
    probing.quiet().await;
}
