//! Every queue is bounded, and a slow reader slows its own stream only.

use std::sync::atomic::Ordering;

use futures_util::stream;
use rpc_runtime::{Code, Limits};
use rpc_tests::json_peer::{self, Framing, JsonPeer};
use rpc_tests::raw::{
    RawPeer, RawServer, block, field, field_of, flag, frame, kind, method, varint,
};
use serde_bytes::ByteBuf;

use crate::probe::{Panics, ProbeClient, Probing, Trap, bounded};
use rpc_tests::eventually;

on_every_transport! {
    a_slow_reader_slows_its_own_stream_only
    credit_holds_an_upload_back
    a_peer_without_credit_is_refused
    half_sent_messages_are_bounded
    all_connections_together_are_bounded
    a_peer_that_pings_and_does_not_read_is_cut_off
    a_peer_that_asks_and_does_not_read_is_cut_off
    calls_at_once_are_bounded
    a_large_message_lets_others_pass
}

over_json! {
    calls_in_json_at_once_are_bounded
    a_text_that_does_not_end_is_bounded
    a_peer_that_asks_in_json_and_does_not_read_waits
    a_peer_that_asks_in_json_and_does_not_read_is_cut_off
}

/// The subscriptions of JSON-RPC.
mod over_json_and_websocket {
    over! { "jsonrpc+ws":
        calls_in_json_at_once_are_bounded
        a_peer_that_asks_in_json_and_does_not_read_waits
        a_peer_that_asks_in_json_and_does_not_read_is_cut_off
        subscriptions_that_nobody_reads_wait
    }
}

over_http2_and_tls! {
    a_slow_reader_slows_its_own_stream_only
}

/// A stream has a connection for itself there.
mod over_http1 {
    over! { "connect+http1":
        a_slow_reader_over_http1_slows_its_own_stream_only
    }
}

async fn a_slow_reader_slows_its_own_stream_only(transport: &str) {
    const ITEM: u64 = 1_000;
    const WINDOW: u32 = 16_000;
    let client = Limits::new().stream_window(WINDOW);
    let probing = Probing::limited(transport, Limits::new(), client).await;
    let mut slow = probing.client.flow(ITEM);
    bounded(slow.accepted()).await.unwrap();
    let produced = || probing.shared.produced.load(Ordering::SeqCst);
    // What fits the window, the item that goes past it, and one that waits in the sender's hand.
    let fits = usize::try_from(u64::from(WINDOW) / ITEM).unwrap() + 2;
    for _ in 0..50 {
        probing.works().await;
        let echoed = probing.client.echo(ByteBuf::from(vec![1; 10_000]));
        assert_eq!(bounded(echoed.into_future()).await.unwrap().len(), 10_000);
    }
    let mut other = probing.client.flow(ITEM);
    let before = produced();
    assert!(
        before <= fits,
        "{before} items were made, and nobody read one"
    );
    for _ in 0..200 {
        assert_eq!(bounded(other.next()).await.unwrap().unwrap().len(), 1_000);
    }
    drop(other);
    let before = produced();
    for _ in 0..100 {
        assert_eq!(bounded(slow.next()).await.unwrap().unwrap().len(), 1_000);
    }
    let made = produced() - before;
    assert!(
        (100 - fits..=100 + fits).contains(&made),
        "{made} items for 100 that were read"
    );
}

/// What is not read is held by the connection of the stream: the server makes no more than the kernel takes.
async fn a_slow_reader_over_http1_slows_its_own_stream_only(transport: &str) {
    const ITEM: usize = 100_000;
    let probing = Probing::on(transport).await;
    let mut slow = probing.client.flow(ITEM as u64);
    bounded(slow.accepted()).await.unwrap();
    let produced = || probing.shared.produced.load(Ordering::SeqCst);
    let mut before = 0;
    // Other calls pass, and at some time nothing more of the stream is made.
    while produced() > before {
        before = produced();
        for _ in 0..50 {
            probing.works().await;
        }
        let held = before * ITEM;
        assert!(
            held < 64 << 20,
            "{held} bytes were made, and nobody read one"
        );
    }
    for _ in 0..before + 10 {
        assert_eq!(bounded(slow.next()).await.unwrap().unwrap().len(), ITEM);
    }
    assert!(produced() > before, "the stream goes on when it is read");
}

async fn credit_holds_an_upload_back(transport: &str) {
    let window = field_of(field::STREAM_WINDOW, &varint(100));
    let (channel, mut server) = RawServer::listen(transport).await.channel(&window).await;
    let (sender, mut taken) = tokio::sync::mpsc::unbounded_channel();
    let items = stream::repeat_with(move || {
        let _ = sender.send(());
        Trap(Panics::Never)
    });
    let upload = ProbeClient::new(channel).collect(items).start();
    let call = server.next_of(kind::REQUEST).await.call;
    // Each item costs 6 bytes and 16 more: five may begin while the credit is above zero.
    for _ in 0..5 {
        assert_eq!(server.next_for(call).await.kind, kind::MESSAGE);
    }
    server.send(kind::PING, 0, 0, &[7; 8]).await;
    assert_eq!(
        server.next().await.kind,
        kind::PING,
        "an item was sent without credit"
    );
    server.send(kind::CREDIT, 0, call, &varint(33)).await;
    for _ in 0..2 {
        assert_eq!(server.next_for(call).await.kind, kind::MESSAGE);
    }
    server.send(kind::PING, 0, 0, &[7; 8]).await;
    assert_eq!(
        server.next().await.kind,
        kind::PING,
        "an item was sent without credit"
    );
    let mut count = 0;
    while taken.try_recv().is_ok() {
        count += 1;
    }
    assert!(
        count <= 8,
        "{count} items were taken from the stream, seven were sent"
    );
    drop(upload);
    assert_eq!(server.next_for(call).await.kind, kind::CANCEL);
}

async fn a_peer_without_credit_is_refused(transport: &str) {
    let limits = Limits::new().stream_window(1_024);
    let probing = Probing::limited(transport, limits, Limits::new()).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    // `hold` reads no message, so nothing is given back.
    let request = block(&method("test.v1.Probe/hold"), &[]);
    client.send(kind::REQUEST, 0, 1, &request).await;
    let item = frame(kind::MESSAGE, 0, 1, &[0; 500]);
    client.bytes(&item.repeat(20)).await;
    let error = client.next_for(1).await;
    assert_eq!(
        (error.kind, error.number(field::CODE)),
        (kind::ERROR, Some(8))
    );
    assert!(error.text().contains("stream_window"), "{}", error.text());
    client.settle().await;
    probing.quiet().await;
    probing.works().await;
}

async fn half_sent_messages_are_bounded(transport: &str) {
    let limits = Limits::new().max_buffered(300_000).max_message(100_000);
    let probing = Probing::limited(transport, limits, Limits::new()).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    let request = block(&method("test.v1.Probe/echo"), &[0; 60_000]);
    for call in [1, 3, 5, 7] {
        client
            .send(kind::REQUEST, flag::BODY | flag::MORE, call, &request)
            .await;
    }
    client.settle().await;
    client
        .send(kind::REQUEST, flag::BODY | flag::MORE, 9, &request)
        .await;
    client
        .send(kind::REQUEST, flag::BODY | flag::MORE, 11, &request)
        .await;
    let error = client.next_for(11).await;
    assert_eq!(
        (error.kind, error.number(field::CODE)),
        (kind::ERROR, Some(8))
    );
    assert!(error.text().contains("max_buffered"), "{}", error.text());
    // What is given up is free again, and one message has a bound of its own.
    for call in [1, 3, 5, 7, 9] {
        client.send(kind::CANCEL, 0, call, &[]).await;
    }
    probing.quiet().await;
    client
        .send(kind::REQUEST, flag::BODY | flag::MORE, 13, &request)
        .await;
    client
        .send(kind::MESSAGE, flag::MORE, 13, &[0; 60_000])
        .await;
    let error = client.next_for(13).await;
    assert_eq!(
        (error.kind, error.number(field::CODE)),
        (kind::ERROR, Some(8))
    );
    assert!(error.text().contains("max_message"), "{}", error.text());
    probing.works().await;
}

async fn all_connections_together_are_bounded(transport: &str) {
    let probing = Probing::with(transport, |it| it.max_buffered_total(1 << 20), None).await;
    let request = block(&method("test.v1.Probe/echo"), &[0; 100_000]);
    let mut clients = Vec::new();
    let mut refused = 0;
    for _ in 0..8 {
        let mut client = RawPeer::introduced(&probing.serving.url).await;
        for call in [1, 3] {
            client
                .send(kind::REQUEST, flag::BODY | flag::MORE, call, &request)
                .await;
        }
        client.send(kind::PING, 0, 0, &[7; 8]).await;
        let frame = client.next().await;
        if frame.kind == kind::ERROR {
            assert!(
                frame.text().contains("max_buffered_total"),
                "{}",
                frame.text()
            );
            refused += 1;
        }
        clients.push(client);
    }
    assert!(
        (3..8).contains(&refused),
        "{refused} of 8 clients were refused"
    );
    drop(clients);
    probing.quiet().await;
    probing.works().await;
}

async fn a_peer_that_pings_and_does_not_read_is_cut_off(transport: &str) {
    is_cut_off(transport, |_| frame(kind::PING, 0, 0, &[7; 8])).await;
}

async fn a_peer_that_asks_and_does_not_read_is_cut_off(transport: &str) {
    // A method that does not exist, which is answered by an error that tells the beginning of its name.
    let request = block(&method(&"nothing".repeat(50)), &[]);
    is_cut_off(transport, |call| {
        frame(kind::REQUEST, flag::END, call, &request)
    })
    .await;
}

/// Asks, with one call after the other, until the server has had enough.
async fn is_cut_off(transport: &str, ask: impl Fn(u64) -> Vec<u8>) {
    let limits = Limits::new().max_outgoing(64 << 10);
    let probing = Probing::limited(transport, limits, Limits::new()).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    let mut sent = 0;
    for first in (1..).step_by(2_000) {
        let calls = (first..first + 2_000).step_by(2);
        let burst: Vec<u8> = calls.flat_map(&ask).collect();
        if client.try_bytes(&burst).await.is_err() {
            break;
        }
        sent += burst.len();
        assert!(sent < 64 << 20, "the server takes everything and keeps it");
    }
    probing.works().await;
    eventually("the connection is gone", || {
        probing.serving.stop.connections() <= 1
    })
    .await;
}

async fn calls_at_once_are_bounded(transport: &str) {
    let limits = Limits::new().max_calls(3);
    let probing = Probing::limited(transport, limits, Limits::new()).await;
    // From here on the client knows the settings, and waits for a place.
    probing.works().await;
    let calls: Vec<_> = (0..10).map(|_| probing.client.hold().start()).collect();
    eventually("three calls run", || probing.shared.count() == 3).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    for call in [1, 3, 5, 7] {
        client.request(call, "test.v1.Probe/hold", &[]).await;
    }
    let error = client.next_for(7).await;
    assert_eq!(error.number(field::CODE), Some(8));
    assert_eq!(error.flags & flag::NOT_STARTED, flag::NOT_STARTED);
    assert!(error.text().contains("max_calls"), "{}", error.text());
    assert_eq!(probing.shared.count(), 6);
    probing.shared.gate.add_permits(13);
    for call in calls {
        assert_eq!(bounded(call).await.unwrap(), 7);
    }

    let total = Probing::with(transport, |it| it.max_calls_total(2), None).await;
    let held: Vec<_> = (0..2).map(|_| total.client.hold().start()).collect();
    eventually("two calls run", || total.shared.count() == 2).await;
    let status = bounded(total.client.hold().into_future())
        .await
        .unwrap_err();
    assert!(status.message().contains("max_calls_total"), "{status}");
    total.shared.gate.add_permits(2);
    for call in held {
        assert_eq!(bounded(call).await.unwrap(), 7);
    }
    total.works().await;
}

async fn a_large_message_lets_others_pass(transport: &str) {
    let probing = Probing::on(transport).await;
    let mut client = RawPeer::connect(&probing.serving.url).await;
    let takes = field_of(field::MAX_MESSAGE, &varint(16 << 20));
    client.introduce(&takes).await;
    let large = vec![3; 3 << 20];
    let length = u32::try_from(large.len()).unwrap();
    let argument = [b"\x91\xc6", &length.to_be_bytes()[..], &large].concat();
    let mut pieces = argument.chunks(60_000);
    let first = block(&method("test.v1.Probe/echo"), pieces.next().unwrap());
    let mut frames = frame(kind::REQUEST, flag::BODY | flag::MORE, 1, &first);
    while let Some(piece) = pieces.next() {
        let last = if pieces.len() == 0 {
            flag::END
        } else {
            flag::MORE
        };
        frames.extend(frame(kind::MESSAGE, last, 1, piece));
    }
    client.bytes(&frames).await;
    // The large answer has begun, and is far from over.
    assert_eq!(client.next().await.kind, kind::RESPONSE);
    client
        .request(9, "test.v1.Probe/add", b"\x92\x02\x03")
        .await;
    let mut ended = false;
    loop {
        let frame = client.next().await;
        if frame.call == 9 {
            break;
        }
        ended |= frame.flags & flag::END != 0;
    }
    // The buffers of TCP sockets may take in all of it, and then it is out of the server's hands.
    assert!(
        !ended || ["tcp", "ws"].contains(&transport),
        "the small answer waited for all of the large one"
    );
}

const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

async fn calls_in_json_at_once_are_bounded(wire: &str) {
    let limits = Limits::new().max_calls(3);
    let probing = Probing::with(wire, |it| it.limits(limits), None).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    for id in 0..4 {
        let hold = json_peer::call(id, "test.v1.Probe.hold", [(); 0]);
        client.send(&hold).await;
    }
    let refused = client.next().await;
    assert_eq!(json_peer::code(&refused), Code::ResourceExhausted);
    assert!(
        json_peer::message(&refused).contains("max_calls"),
        "{refused}"
    );
    assert_eq!(probing.shared.count(), 3);
    probing.shared.gate.add_permits(3);
    for _ in 0..3 {
        assert_eq!(client.next().await["result"], 7);
    }
    probing.quiet().await;
    let sum = client.call(9, "test.v1.Probe.add", (2, 3)).await;
    assert_eq!(sum["result"], 5);
}

async fn a_text_that_does_not_end_is_bounded(wire: &str) {
    let limits = Limits::new().max_message(100_000).max_buffered(300_000);
    let probing = Probing::with(wire, |it| it.limits(limits), None).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    let sum = client.call(1, "test.v1.Probe.add", (2, 3)).await;
    assert_eq!(sum["result"], 5);
    if client.framing() == Framing::Lengths {
        client.bytes(&(64_u32 << 20).to_be_bytes()).await;
    }
    let part = vec![b'1'; 1 << 20];
    client.bytes(&part).await;
    // It is refused before it has ended, and passed over from then on.
    let refused = client.next().await;
    assert!(
        json_peer::message(&refused).contains("max_message"),
        "{refused}"
    );
    for _ in 1..64 {
        client.bytes(&part).await;
    }
    if client.framing() == Framing::Lines {
        client.bytes(b"\n").await;
    }
    let sum = client.call(9, "test.v1.Probe.add", (2, 3)).await;
    assert_eq!(sum["result"], 5);
}

async fn a_peer_that_asks_in_json_and_does_not_read_waits(wire: &str) {
    let limits = Limits::new().max_outgoing(64 << 10);
    let probing = Probing::with(wire, |it| it.limits(limits), None).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    // The answer is four times as long: a number for each letter.
    let call = json_peer::call(1, "test.v1.Probe.echo", ["x".repeat(2_000)]).to_string();
    let burst = client.framing().frame(call.as_bytes()).repeat(50);
    let mut sent = 0;
    while let Ok(Ok(())) = tokio::time::timeout(3 * SECOND, client.try_bytes(&burst)).await {
        sent += burst.len();
        assert!(sent < 32 << 20, "the server takes everything and keeps it");
    }
}

async fn a_peer_that_asks_in_json_and_does_not_read_is_cut_off(wire: &str) {
    let limits = Limits::new().max_outgoing(64 << 10);
    let configure = |it: rpc_runtime::Server| it.limits(limits).keepalive(20 * SECOND, SECOND / 2);
    let probing = Probing::with(wire, configure, None).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    let call = json_peer::call(1, "test.v1.Probe.echo", ["x".repeat(2_000)]).to_string();
    let burst = client.framing().frame(call.as_bytes()).repeat(50);
    while let Ok(Ok(())) = tokio::time::timeout(5 * SECOND, client.try_bytes(&burst)).await {}
    while probing.serving.stop.connections() > 1 {
        tokio::time::sleep(SECOND / 50).await;
    }
}

async fn subscriptions_that_nobody_reads_wait(wire: &str) {
    let limits = Limits::new().max_outgoing(64 << 10);
    let probing = Probing::with(wire, |it| it.limits(limits), None).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    let flow = json_peer::call(1, "test.v1.Probe.flow", [1_000]);
    client.send(&flow).await;
    let produced = || probing.shared.produced.load(Ordering::SeqCst);
    let mut before = 0;
    // The socket takes some of it in, and then it stands still.
    while before == 0 || produced() > before {
        before = produced();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(
        before < 20_000,
        "{before} items were made, and nobody read one"
    );
    let id = client.next().await["result"].clone();
    // It goes on as it is read, and loses nothing.
    while produced() < before + 100 {
        let params = client.next().await["params"].clone();
        assert_eq!(params["subscription"], id);
        assert_eq!(params["result"].as_array().map(Vec::len), Some(1_000));
    }
}
