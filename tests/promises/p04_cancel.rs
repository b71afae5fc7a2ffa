//! Dropping a call cancels it at the peer, and nothing is left running, waiting or buffered.

use std::time::{Duration, Instant};

use futures_util::poll;
use rpc_runtime::{Channel, Limits};
use rpc_tests::json_peer::{self, JsonPeer, JsonServer};
use rpc_tests::raw::{RawPeer, RawServer, block, field, field_of, flag, kind, raw_server, varint};
use serde_bytes::ByteBuf;

use crate::probe::{Event, ProbeClient, Probing, Then, bounded};
use rpc_tests::eventually;

on_every_transport! {
    a_dropped_call_sends_a_cancel
    a_dropped_call_ends_its_handler
    a_dropped_stream_ends_its_handler
    a_lost_connection_ends_its_handlers
    shielded_work_ends_and_spawned_tasks_are_dropped
    a_blocking_thread_counts_until_it_returns
    cancellation_goes_through_a_chain
    replies_that_nobody_takes_are_not_kept
    a_waiting_call_that_is_dropped_is_never_sent
    a_cancelled_call_sends_nothing_more
}

// Neither has a word for it, so a call that was given up runs on, and only its connection's end ends
// it; what is left of it here is nothing at once.
over_json! {
    a_lost_connection_ends_its_handlers_of_json
    a_call_in_json_that_is_given_up_leaves_its_place
}

/// Subscriptions can be ended.
mod over_json_and_websocket {
    over! { "jsonrpc+ws":
        a_subscription_that_is_ended_ends_its_handler
        a_lost_connection_ends_its_handlers_of_json
    }
}

over_http_and_tls! {
    a_dropped_call_ends_its_handler
    a_dropped_stream_ends_its_handler
    shielded_work_ends_and_spawned_tasks_are_dropped
    a_blocking_thread_counts_until_it_returns
    cancellation_goes_through_a_chain
    replies_that_nobody_takes_are_not_kept
}

const GRACE: Duration = Duration::from_secs(1);

async fn a_dropped_call_sends_a_cancel(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let client = ProbeClient::new(channel);
    let mut call = Box::pin(client.add(1, 2).into_future());
    assert!(poll!(call.as_mut()).is_pending());
    let request = server.next_of(kind::REQUEST).await;
    drop(call);
    let cancel = server.next_for(request.call).await;
    assert_eq!(
        (cancel.kind, cancel.number(field::CODE)),
        (kind::CANCEL, Some(1))
    );

    let mut items = client.give(5, Then::Wait).start();
    let request = server.next_of(kind::REQUEST).await;
    server
        .send(kind::RESPONSE, flag::BODY, request.call, &block(&[], &[0]))
        .await;
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 0);
    drop(items);
    assert_eq!(server.next_for(request.call).await.kind, kind::CANCEL);

    let started = client.add(1, 2).start();
    let request = server.next_of(kind::REQUEST).await;
    drop(started);
    assert_eq!(server.next_for(request.call).await.kind, kind::CANCEL);
}

async fn a_dropped_call_ends_its_handler(transport: &str) {
    let mut probing = Probing::with(transport, |it| it.cancel_grace(GRACE), None).await;
    let call = probing.client.wait().start();
    probing.expect(&[Event::Started]).await;
    assert_eq!(probing.serving.stop.running_calls(), 1);
    let dropped = Instant::now();
    drop(call);
    // The token fires at once; the future goes when the grace period is over.
    assert_eq!(probing.event().await, Event::Cancelled);
    let cancelled_after = dropped.elapsed();
    assert_eq!(probing.event().await, Event::Dropped);
    assert!(
        cancelled_after < GRACE,
        "the token fired after {cancelled_after:?}"
    );
    assert!(
        dropped.elapsed() >= GRACE.mul_f64(0.9),
        "there was no grace period"
    );
    assert!(
        dropped.elapsed() < 10 * GRACE,
        "the grace period had no end"
    );
    probing.quiet().await;
    probing.works().await;
}

async fn a_dropped_stream_ends_its_handler(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let mut items = probing.client.give(2, Then::Wait);
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 0);
    probing.expect(&[Event::Started]).await;
    drop(items);
    probing.expect(&[Event::Dropped]).await;
    probing.quiet().await;

    let mut flow = probing.client.flow(1_000);
    bounded(flow.next()).await.unwrap().unwrap();
    drop(flow);
    probing.quiet().await;
    probing.works().await;
}

async fn a_lost_connection_ends_its_handlers(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    client.request(1, "test.v1.Probe/wait", &[]).await;
    let give = b"\x92\x00\xa4Wait";
    client.request(3, "test.v1.Probe/give", give).await;
    probing.expect(&[Event::Started, Event::Started]).await;
    drop(client);
    probing.expect(&[Event::Dropped, Event::Dropped]).await;
    probing.quiet().await;
}

async fn shielded_work_ends_and_spawned_tasks_are_dropped(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let call = probing.client.work().start();
    probing.expect(&[Event::Started]).await;
    drop(call);
    probing
        .expect(&[Event::SpawnedDropped, Event::Dropped])
        .await;
    probing.quiet().await;
    probing.shared.gate.add_permits(1);
    probing.expect(&[Event::Shielded]).await;
}

async fn a_blocking_thread_counts_until_it_returns(transport: &str) {
    let mut probing = Probing::with(transport, |it| it.blocking_threads(1), None).await;
    let first = probing.client.block().start();
    probing.expect(&[Event::Started]).await;
    let threads = probing
        .shared
        .threads
        .lock()
        .unwrap()
        .clone()
        .expect("the handler saw them");
    assert_eq!(threads.free(), 0);
    drop(first);
    probing.quiet().await;
    assert_eq!(threads.free(), 0, "the thread is at work still");
    let second = probing.client.block().start();
    probing.works().await;
    assert_eq!(
        probing.shared.count(),
        1,
        "the second call has no thread yet"
    );
    probing.shared.open_blocking_gate();
    probing.expect(&[Event::Blocked, Event::Started]).await;
    probing.shared.open_blocking_gate();
    assert_eq!(bounded(second).await.unwrap(), 8);
    eventually("the thread is free", || threads.free() == 1).await;
}

async fn cancellation_goes_through_a_chain(transport: &str) {
    let mut last = Probing::on(transport).await;
    let first = Probing::with(transport, |it| it, Some(&last)).await;
    let call = first.client.wait_onward().start();
    last.expect(&[Event::Started]).await;
    drop(call);
    last.expect(&[Event::Cancelled, Event::Dropped]).await;
    first.quiet().await;
    last.quiet().await;
}

async fn replies_that_nobody_takes_are_not_kept(transport: &str) {
    const SIZE: usize = 50_000;
    let client = Limits::new().max_buffered(8 * SIZE);
    let probing = Probing::limited(transport, Limits::new(), client).await;
    for round in 0..20 {
        let mut call = Box::pin(
            probing
                .client
                .echo(ByteBuf::from(vec![1; SIZE]))
                .into_future(),
        );
        assert!(poll!(call.as_mut()).is_pending());
        // The answer to this one comes behind the other.
        probing.works().await;
        drop(call);
        let whole = probing.client.echo(ByteBuf::from(vec![2; SIZE]));
        let whole = bounded(whole.into_future()).await;
        assert!(whole.is_ok(), "round {round}: {}", whole.unwrap_err());
    }
    // The same for a stream of which nothing is read.
    for round in 0..20 {
        let mut items = probing.client.flow(SIZE as u64);
        bounded(items.accepted()).await.unwrap();
        probing.works().await;
        drop(items);
        let whole = probing.client.echo(ByteBuf::from(vec![2; 4 * SIZE]));
        let whole = bounded(whole.into_future()).await;
        assert!(whole.is_ok(), "round {round}: {}", whole.unwrap_err());
    }
}

async fn a_waiting_call_that_is_dropped_is_never_sent(transport: &str) {
    let one = field_of(field::MAX_CALLS, &varint(1));
    let (channel, mut server) = RawServer::listen(transport).await.channel(&one).await;
    let client = ProbeClient::new(channel);
    let first = client.add(1, 1).start();
    let request = server.next_of(kind::REQUEST).await;
    let mut second = Box::pin(client.add(2, 2).into_future());
    assert!(poll!(second.as_mut()).is_pending());
    drop(second);
    let third = client.add(3, 3).start();
    server.reply(request.call, &[2]).await;
    assert_eq!(bounded(first).await.unwrap(), 2);
    // The place of the second call is not lost, and its request never comes.
    let request = server.next_of(kind::REQUEST).await;
    assert!(request.message().ends_with(b"\xa1b\x03"), "{request:?}");
    server.reply(request.call, &[6]).await;
    assert_eq!(bounded(third).await.unwrap(), 6);
}

async fn a_cancelled_call_sends_nothing_more(transport: &str) {
    let probing = Probing::with(transport, |it| it.cancel_grace(5 * GRACE), None).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    let arguments = b"\x81\xa5bytes\x19";
    client.request(1, "test.v1.Probe/flow", arguments).await;
    assert_eq!(client.next_for(1).await.kind, kind::RESPONSE);
    client.send(kind::CANCEL, 0, 1, &[]).await;
    client.settle().await;
    client
        .request(3, "test.v1.Probe/add", b"\x92\x02\x03")
        .await;
    let next = client.next().await;
    assert_eq!((next.kind, next.call), (kind::RESPONSE, 3));
    // A handler that answers within the grace period of its cancelled call, with little or with much.
    let large = b"\x81\xa5bytes\xce\x00\x01\x86\xa0";
    for (index, (name, arguments)) in [("hold", &[][..]), ("hold_bytes", large)]
        .into_iter()
        .enumerate()
    {
        let call = 5 + 4 * index as u64;
        let path = format!("test.v1.Probe/{name}");
        client.request(call, &path, arguments).await;
        let runs = || probing.shared.count() == index + 1;
        eventually("the handler runs", runs).await;
        client.send(kind::CANCEL, 0, call, &[]).await;
        client.settle().await;
        probing.shared.gate.add_permits(1);
        probing.quiet().await;
        client
            .request(call + 2, "test.v1.Probe/add", b"\x92\x02\x03")
            .await;
        let next = client.next().await;
        assert_eq!((next.kind, next.call), (kind::RESPONSE, call + 2), "{name}");
    }
}

async fn a_lost_connection_ends_its_handlers_of_json(wire: &str) {
    let mut probing = Probing::on(wire).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    for id in 0..10 {
        let wait = json_peer::call(id, "test.v1.Probe.wait", [(); 0]);
        client.send(&wait).await;
        probing.expect(&[Event::Started]).await;
    }
    drop(client);
    probing.expect(&[const { Event::Cancelled }; 10]).await;
    probing.expect(&[const { Event::Dropped }; 10]).await;
    probing.quiet().await;
}

async fn a_call_in_json_that_is_given_up_leaves_its_place(wire: &'static str) {
    let server = JsonServer::listen(wire).await;
    let connect = Channel::connect(server.url()).limits(Limits::new().max_calls(1));
    let (channel, mut peer) = server.connected(connect).await;
    let client = ProbeClient::new(channel);
    let mut first = Box::pin(client.add(1, 1).into_future());
    assert!(poll!(first.as_mut()).is_pending());
    let late = peer.next().await["id"].clone();
    let mut second = Box::pin(client.add(2, 2).into_future());
    assert!(poll!(second.as_mut()).is_pending());
    drop((first, second));
    // The second call was never sent, and its place is not lost.
    let third = client.add(3, 3).start();
    let request = peer.next().await;
    assert_eq!(request["params"]["a"], 3);
    peer.send(&json_peer::answer(&late, 2)).await;
    peer.send(&json_peer::answer(&request["id"], 6)).await;
    assert_eq!(bounded(third).await.unwrap(), 6);
}

async fn a_subscription_that_is_ended_ends_its_handler(wire: &str) {
    let mut probing = Probing::on(wire).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    let opened = client.call(1, "test.v1.Probe.give", (0, Then::Wait)).await;
    probing.expect(&[Event::Started]).await;
    let ended = client.call(2, "rpc.unsubscribe", [&opened["result"]]).await;
    assert_eq!(ended["result"], true);
    probing.expect(&[Event::Dropped]).await;
    probing.quiet().await;
    let sum = client.call(3, "test.v1.Probe.add", (2, 3)).await;
    assert_eq!(sum["result"], 5);
}
