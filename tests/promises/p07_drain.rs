//! A drain takes nothing new, finishes what was accepted, and ends in time whatever the peers do.

use std::time::{Duration, Instant};

use futures_util::stream;
use rpc_runtime::Code;
use rpc_tests::json_peer::{self, JsonPeer};
use rpc_tests::raw::{RawPeer, block, field, flag, frame, kind, method};
use rpc_tests::serving::connect;

use crate::probe::{Event, Panics, ProbeClient, Probing, Then, Trap, bounded};
use rpc_tests::eventually;

on_every_transport! {
    accepted_calls_finish_and_new_ones_are_refused
    accepted_streams_finish
    clients_hear_which_calls_were_accepted
    answers_arrive_although_the_client_goes_on_asking
    idle_and_silent_peers_hold_nothing_up
    nobody_holds_a_drain_up_beyond_its_bound
    a_drain_can_begin_before_anyone_has_come
}

over_json! {
    accepted_calls_in_json_finish_and_new_ones_are_refused
    peers_of_json_hold_no_drain_up
    a_drain_can_begin_before_anyone_has_come
}

mod over_json_and_websocket {
    over! { "jsonrpc+ws":
        accepted_calls_in_json_finish_and_new_ones_are_refused
        peers_of_json_hold_no_drain_up
    }
}

over_http_and_tls! {
    accepted_streams_finish
    a_drain_can_begin_before_anyone_has_come
}

/// Waits for the server to end, and says how long that took.
async fn ended(probing: &mut Probing) -> Duration {
    let began = Instant::now();
    bounded(&mut probing.serving.task)
        .await
        .expect("no panic")
        .expect("no failure");
    began.elapsed()
}

async fn accepted_calls_finish_and_new_ones_are_refused(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let calls: Vec<_> = (0..10).map(|_| probing.client.hold().start()).collect();
    eventually("the calls run", || probing.shared.count() == 10).await;
    let mut raw = RawPeer::introduced(&probing.serving.url).await;
    raw.request(1, "test.v1.Probe/hold", &[]).await;
    eventually("one call more", || probing.shared.count() == 11).await;
    probing.serving.stop.shutdown();
    assert_eq!(raw.next().await.kind, kind::GO_AWAY);
    raw.request(3, "test.v1.Probe/hold", &[]).await;
    let refused = raw.next_for(3).await;
    assert_eq!(
        (refused.kind, refused.number(field::CODE)),
        (kind::ERROR, Some(14))
    );
    assert_eq!(refused.flags & flag::NOT_STARTED, flag::NOT_STARTED);
    let status = bounded(probing.client.add(1, 2).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(!probing.serving.task.is_finished());
    probing.shared.gate.add_permits(11);
    for call in calls {
        assert_eq!(bounded(call).await.unwrap(), 7);
    }
    assert_eq!(raw.next_for(1).await.message(), [7]);
    drop(raw);
    ended(&mut probing).await;
    assert_eq!(probing.shared.count(), 11);
    let late = connect(&probing.serving.url).await;
    assert_eq!(late.unwrap_err().code(), Code::Unavailable);
}

async fn accepted_streams_finish(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let mut items = probing.client.give(10_000, Then::End);
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 0);
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<()>();
    let numbers = stream::unfold(receiver, |mut it| async {
        it.recv().await.map(|()| (Trap(Panics::Never), it))
    });
    let upload = probing.client.collect(numbers).start();
    eventually("both run", || probing.shared.count() == 2).await;
    probing.serving.stop.shutdown();
    for item in 1..10_000 {
        assert_eq!(bounded(items.next()).await.unwrap().unwrap(), item);
    }
    assert!(bounded(items.next()).await.is_none());
    for _ in 0..5 {
        sender.send(()).unwrap();
    }
    drop(sender);
    assert_eq!(bounded(upload).await.unwrap(), 5);
    ended(&mut probing).await;
}

async fn clients_hear_which_calls_were_accepted(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let mut raw = RawPeer::introduced(&probing.serving.url).await;
    raw.request(5, "test.v1.Probe/hold", &[]).await;
    probing.expect(&[Event::Started]).await;
    probing.serving.stop.shutdown();
    let goodbye = raw.next().await;
    assert_eq!(
        (goodbye.kind, goodbye.number(field::LAST_CALL)),
        (kind::GO_AWAY, Some(5))
    );
    probing.shared.gate.add_permits(1);
    let rest = raw.rest().await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    assert_eq!((rest[0].call, rest[0].message()), (5, &[7][..]));
    drop(raw);
    ended(&mut probing).await;
}

async fn answers_arrive_although_the_client_goes_on_asking(transport: &str) {
    // A socket that is closed with bytes unread is reset, and a reset takes along what its peer
    // has not read yet.
    let mut probing = Probing::on(transport).await;
    let mut raw = RawPeer::introduced(&probing.serving.url).await;
    raw.request(1, "test.v1.Probe/hold", &[]).await;
    probing.expect(&[Event::Started]).await;
    probing.serving.stop.shutdown();
    assert_eq!(raw.next().await.kind, kind::GO_AWAY);
    probing.shared.gate.add_permits(1);
    let more = frame(kind::PING, flag::ACK, 0, &[0; 8]);
    let mut asked = 0;
    while probing.serving.stop.running_calls() > 0 || asked < 50 {
        let _ = raw.try_bytes(&more).await;
        tokio::task::yield_now().await;
        asked += 1;
    }
    assert_eq!(raw.next_for(1).await.message(), [7]);
    drop(raw);
    ended(&mut probing).await;
}

async fn idle_and_silent_peers_hold_nothing_up(transport: &str) {
    let mut probing = Probing::with(
        transport,
        |it| it.shutdown_timeout(Duration::from_secs(8)),
        None,
    )
    .await;
    probing.works().await;
    let idle = connect(&probing.serving.url).await.unwrap();
    let silent = RawPeer::introduced(&probing.serving.url).await;
    let never_spoke = RawPeer::connect(&probing.serving.url).await;
    let mut half_spoke = RawPeer::connect(&probing.serving.url).await;
    half_spoke.bytes(&[0xD3, b'R']).await;
    let mut half_frame = RawPeer::introduced(&probing.serving.url).await;
    half_frame
        .bytes(&frame(kind::PING, 0, 0, &[0; 8])[..20])
        .await;
    eventually("all are connected", || {
        probing.serving.stop.connections() == 6
    })
    .await;
    probing.serving.stop.shutdown();
    let took = ended(&mut probing).await;
    assert!(took < Duration::from_secs(4), "the drain took {took:?}");
    assert_eq!(probing.serving.stop.connections(), 0);
    let status = bounded(ProbeClient::new(idle).add(1, 1).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    drop((silent, never_spoke, half_spoke, half_frame));
}

async fn nobody_holds_a_drain_up_beyond_its_bound(transport: &str) {
    let bound = Duration::from_millis(400);
    let mut probing = Probing::with(transport, |it| it.shutdown_timeout(bound), None).await;
    let stuck = probing.client.wait().start();
    let mut stuck_stream = probing.client.give(1, Then::Wait);
    assert_eq!(bounded(stuck_stream.next()).await.unwrap().unwrap(), 0);
    let mut half = RawPeer::introduced(&probing.serving.url).await;
    let request = block(&method("test.v1.Probe/collect"), &[]);
    half.send(kind::REQUEST, 0, 1, &request).await;
    let mut does_not_read = RawPeer::introduced(&probing.serving.url).await;
    for call in [1, 3, 5, 7] {
        let echo = [&b"\x91\xc6\x00\x0c\x00\x00"[..], &vec![3; 0xc_0000]].concat();
        does_not_read
            .request(call, "test.v1.Probe/echo", &echo)
            .await;
    }
    probing
        .expect(&[Event::Started, Event::Started, Event::Started])
        .await;
    probing.serving.stop.shutdown();
    let took = ended(&mut probing).await;
    assert!(took >= bound.mul_f64(0.9), "open calls had {took:?}");
    assert!(
        took < bound + Duration::from_secs(3),
        "the drain took {took:?}"
    );
    assert_eq!(bounded(stuck).await.unwrap_err().code(), Code::Unavailable);
    let status = bounded(stuck_stream.next()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    eventually("nothing runs", || probing.serving.stop.running_calls() == 0).await;
}

async fn a_drain_can_begin_before_anyone_has_come(transport: &str) {
    let mut probing = Probing::on(transport).await;
    probing.serving.stop.shutdown();
    probing.serving.stop.shutdown();
    assert!(ended(&mut probing).await < Duration::from_secs(4));
}

async fn accepted_calls_in_json_finish_and_new_ones_are_refused(wire: &str) {
    let mut probing = Probing::on(wire).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    for id in 0..10 {
        let hold = json_peer::call(id, "test.v1.Probe.hold", [(); 0]);
        client.send(&hold).await;
    }
    eventually("the calls run", || probing.shared.count() == 10).await;
    let never_spoke = JsonPeer::connect(&probing.serving.url).await;
    probing.serving.stop.shutdown();
    drop(never_spoke);
    eventually("the others are gone", || {
        probing.serving.stop.connections() == 1
    })
    .await;
    let refused = client.call(99, "test.v1.Probe.hold", [(); 0]).await;
    assert_eq!(
        (&refused["id"], json_peer::code(&refused)),
        (&99.into(), Code::Unavailable)
    );
    assert!(!probing.serving.task.is_finished());
    probing.shared.gate.add_permits(11);
    let answers = client.rest().await;
    assert_eq!(answers.len(), 10, "{answers:?}");
    assert!(answers.iter().all(|it| it["result"] == 7), "{answers:?}");
    drop(client);
    ended(&mut probing).await;
    assert_eq!(probing.shared.count(), 10);
}

async fn peers_of_json_hold_no_drain_up(wire: &str) {
    let bound = Duration::from_millis(400);
    let mut probing = Probing::with(wire, |it| it.shutdown_timeout(bound), None).await;
    let idle = JsonPeer::connect(&probing.serving.url).await;
    let mut half = JsonPeer::connect(&probing.serving.url).await;
    let text = json_peer::call(1, "test.v1.Probe.add", (1, 2)).to_string();
    let framed = half.framing().frame(text.as_bytes());
    half.bytes(&framed[..20]).await;
    let mut stuck = JsonPeer::connect(&probing.serving.url).await;
    let wait = json_peer::call(1, "test.v1.Probe.wait", [(); 0]);
    stuck.send(&wait).await;
    probing.expect(&[Event::Started]).await;
    probing.serving.stop.shutdown();
    let took = ended(&mut probing).await;
    assert!(took >= bound.mul_f64(0.9), "open calls had {took:?}");
    assert!(
        took < bound + Duration::from_secs(3),
        "the drain took {took:?}"
    );
    eventually("nothing runs", || probing.serving.stop.running_calls() == 0).await;
    drop((idle, half, stuck));
}
