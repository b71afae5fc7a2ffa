//! Limits are one set, in both directions; the error names the limit and its value.

use rpc_runtime::{Code, Limits, Status};
use rpc_tests::json_peer::{self, JsonPeer};
use rpc_tests::raw::{
    RawPeer, RawServer, block, field, field_of, flag, kind, method, raw_server, varint,
};
use serde_bytes::ByteBuf;

use crate::probe::{ProbeClient, Probing, bounded, nested};

on_every_transport! {
    a_request_over_the_clients_limit_is_not_sent
    a_request_over_the_servers_limit_is_not_sent
    a_request_over_the_servers_limit_is_refused
    an_answer_over_the_servers_limit_is_not_sent
    an_answer_over_the_clients_limit_is_refused
    items_have_the_same_limit
    metadata_is_bounded_both_ways
    depth_is_bounded_both_ways
    a_frame_that_is_too_long_names_its_limit
}

over_json! {
    limits_hold_for_json_both_ways
    depth_is_bounded_both_ways
}

mod over_json_and_websocket {
    over! { "jsonrpc+ws": an_item_of_a_subscription_has_the_same_limit }
}

over_http_and_tls! {
    a_request_over_the_clients_limit_is_not_sent
    an_answer_over_the_servers_limit_is_not_sent
    depth_is_bounded_both_ways
}

const LIMIT: usize = 5_000;

fn small() -> Limits {
    Limits::new().max_message(LIMIT)
}

fn names(status: &Status, code: Code, limit: &str, value: usize) {
    assert_eq!(status.code(), code, "{status}");
    let text = status.to_string();
    assert!(
        text.contains(&format!("`{limit}`")),
        "{text} does not name `{limit}`"
    );
    assert!(
        text.contains(&value.to_string()),
        "{text} does not say {value}"
    );
}

/// Checks that a status says whose limit it was, which the users of both sides can understand.
fn names_message(status: &Status, side: &str) {
    names(status, Code::ResourceExhausted, "max_message", LIMIT);
    let whose = format!("over the {side}'s limit `max_message` of {LIMIT} bytes");
    assert!(status.message().contains(&whose), "{status}");
}

async fn echo(client: &ProbeClient, bytes: usize) -> Result<usize, Status> {
    let call = client.echo(ByteBuf::from(vec![1; bytes]));
    bounded(call.into_future()).await.map(|it| it.len())
}

/// Goes up to the limit, past it by little and by much, and back.
async fn past_the_limit(probing: &Probing, side: &str) {
    for bytes in [LIMIT + 1, LIMIT * 10, LIMIT * 100] {
        names_message(&echo(&probing.client, bytes).await.unwrap_err(), side);
        assert_eq!(echo(&probing.client, LIMIT - 50).await.unwrap(), LIMIT - 50);
    }
}

async fn a_request_over_the_clients_limit_is_not_sent(transport: &str) {
    let probing = Probing::limited(transport, Limits::new(), small()).await;
    past_the_limit(&probing, "client").await;
}

async fn a_request_over_the_servers_limit_is_not_sent(transport: &str) {
    let probing = Probing::limited(transport, small(), Limits::new()).await;
    past_the_limit(&probing, "server").await;
    let status = echo(&probing.client, LIMIT * 2).await.unwrap_err();
    assert!(!status.is_remote(), "{status}");
}

async fn a_request_over_the_servers_limit_is_refused(transport: &str) {
    let probing = Probing::limited(transport, small(), Limits::new()).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    let argument = [&b"\x91\xc5\x20\x00"[..], &[1; 0x2000]].concat();
    client.request(1, "test.v1.Probe/echo", &argument).await;
    let whole = client.next_for(1).await;
    let fields = method("test.v1.Probe/echo");
    let first = block(&fields, &argument[..4_000]);
    client
        .send(kind::REQUEST, flag::BODY | flag::MORE, 3, &first)
        .await;
    client
        .send(kind::MESSAGE, flag::END, 3, &argument[4_000..])
        .await;
    let fragmented = client.next_for(3).await;
    client
        .send(kind::REQUEST, flag::BODY, 5, &block(&fields, &argument))
        .await;
    let open = client.next_for(5).await;
    client
        .send(
            kind::REQUEST,
            0,
            7,
            &block(&method("test.v1.Probe/collect"), &[]),
        )
        .await;
    client.send(kind::MESSAGE, 0, 7, &argument).await;
    let item = client.next_for(7).await;
    for error in [whole, fragmented, open, item] {
        assert_eq!(
            (error.kind, error.number(field::CODE)),
            (kind::ERROR, Some(8))
        );
        let whose = format!("the server's limit `max_message` of {LIMIT} bytes");
        assert!(error.text().contains(&whose), "{}", error.text());
    }
    probing.quiet().await;
    probing.works().await;
}

async fn an_answer_over_the_servers_limit_is_not_sent(transport: &str) {
    let probing = Probing::limited(transport, small(), Limits::new()).await;
    let mut items = probing.client.flow(LIMIT as u64 * 2);
    names_message(&bounded(items.next()).await.unwrap().unwrap_err(), "server");
    assert!(bounded(items.next()).await.is_none());
    probing.quiet().await;
    past_the_limit(&probing, "server").await;
}

async fn an_answer_over_the_clients_limit_is_refused(transport: &str) {
    // A server that knows the limit does not send more; this one does.
    let server = RawServer::listen(transport).await;
    if let Some(url) = server.url() {
        let connect = rpc_runtime::Channel::connect(url).limits(small());
        let (channel, mut peer) = server.connected(connect, &[]).await;
        let client = ProbeClient::new(channel);
        for _ in 0..2 {
            let call = client.add(1, 2).start();
            let request = peer.next_of(kind::REQUEST).await.call;
            peer.reply(request, &[0; LIMIT + 1]).await;
            names_message(&bounded(call).await.unwrap_err(), "client");
        }
        let call = client.add(1, 2).start();
        let request = peer.next_of(kind::REQUEST).await.call;
        peer.reply(request, &[3]).await;
        assert_eq!(bounded(call).await.unwrap(), 3);
    }
    // One that knows says it instead.
    let probing = Probing::limited(transport, Limits::new(), small()).await;
    let mut items = probing.client.flow(LIMIT as u64 * 2);
    let status = bounded(items.next()).await.unwrap().unwrap_err();
    names_message(&status, "client");
    assert!(status.is_remote());
    probing.works().await;
}

async fn items_have_the_same_limit(transport: &str) {
    let limit = field_of(field::MAX_MESSAGE, &varint(LIMIT as u64));
    let (channel, mut server) = RawServer::listen(transport).await.channel(&limit).await;
    let items = futures_util::stream::iter([ByteBuf::from(vec![1; LIMIT * 2])]);
    let upload = ByteClient::new(channel).bytes(items).start();
    let call = server.next_of(kind::REQUEST).await.call;
    names_message(&bounded(upload).await.unwrap_err(), "server");
    assert_eq!(server.next_for(call).await.kind, kind::CANCEL);
}

#[rpc_runtime::rpc_service(name = "test.v1.Byte")]
trait Byte {
    async fn bytes(&self, items: rpc_runtime::Streaming<ByteBuf>) -> Result<u64, Status>;
}

async fn metadata_is_bounded_both_ways(transport: &str) {
    let limits = || Limits::new().max_metadata(2_000);
    let probing = Probing::limited(transport, limits(), Limits::new()).await;
    let status = bounded(probing.client.metadata(1_990).into_future()).await;
    assert!(status.is_ok(), "{}", status.unwrap_err());
    let long = "v".repeat(3_000);
    let call = probing.client.add(1, 2).metadata("long", &long);
    let status = bounded(call.into_future()).await.unwrap_err();
    names(&status, Code::ResourceExhausted, "max_metadata", 2_000);
    assert_eq!(
        bounded(probing.client.metadata(10).into_future())
            .await
            .unwrap(),
        10
    );

    let probing = Probing::limited(transport, Limits::new(), limits()).await;
    let status = bounded(probing.client.metadata(3_000).into_future())
        .await
        .unwrap_err();
    names(&status, Code::ResourceExhausted, "max_metadata", 2_000);
    let call = probing.client.add(1, 2).metadata("long", &long);
    let status = bounded(call.into_future()).await.unwrap_err();
    names(&status, Code::ResourceExhausted, "max_metadata", 2_000);
    probing.works().await;

    let (channel, mut server) = raw_server(transport).await;
    let call = ProbeClient::new(channel).add(1, 2).start();
    let request = server.next_of(kind::REQUEST).await.call;
    let long = field_of(field::METADATA, &[&b"\x01a"[..], &[b'v'; 20_000]].concat());
    server
        .send(
            kind::RESPONSE,
            flag::BODY | flag::END,
            request,
            &block(&long, &[3]),
        )
        .await;
    let status = bounded(call).await.unwrap_err();
    names(&status, Code::ResourceExhausted, "max_metadata", 16_384);
}

async fn depth_is_bounded_both_ways(transport: &str) {
    let limits = || Limits::new().max_depth(20);
    let probing = Probing::limited(transport, limits(), Limits::new()).await;
    let status = bounded(probing.client.take(nested(40)).into_future())
        .await
        .unwrap_err();
    names(&status, Code::InvalidArgument, "max_depth", 20);
    assert_eq!(
        bounded(probing.client.take(nested(10)).into_future())
            .await
            .unwrap(),
        1
    );
    let deep = bounded(probing.client.nest(40).into_future())
        .await
        .unwrap();
    assert_eq!(deep, nested(40));

    let probing = Probing::limited(transport, Limits::new(), limits()).await;
    let status = bounded(probing.client.nest(40).into_future())
        .await
        .unwrap_err();
    names(&status, Code::Internal, "max_depth", 20);
    assert_eq!(
        bounded(probing.client.nest(10).into_future())
            .await
            .unwrap(),
        nested(10)
    );
    probing.works().await;
}

async fn a_frame_that_is_too_long_names_its_limit(transport: &str) {
    let probing = Probing::on(transport).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    let header = [
        &u32::MAX.to_le_bytes()[..],
        &[kind::REQUEST, 0, 0, 0],
        &[1; 8],
    ]
    .concat();
    client.bytes(&header).await;
    let goodbye = client.next_of(kind::GO_AWAY).await;
    assert!(goodbye.text().contains("`max_frame`"), "{}", goodbye.text());
    assert_eq!(goodbye.number(field::CODE), Some(8), "{}", goodbye.text());
    assert!(client.rest().await.is_empty());
    probing.works().await;
}

async fn limits_hold_for_json_both_ways(wire: &str) {
    // A text of so many bytes, which is answered with one of four times as many: a number for each.
    let echo = async |probing: &Probing, bytes: usize| {
        let call = probing
            .channel
            .call::<_, ByteBuf>("test.v1.Probe/echo", ("x".repeat(bytes),));
        bounded(call.into_future()).await.map(|it| it.len())
    };
    for (server, client, bytes, side) in [
        (Limits::new(), small(), LIMIT, "client"),
        (small(), Limits::new(), LIMIT, "server"),
        (small(), Limits::new(), LIMIT / 2, "server"),
        (Limits::new(), small(), LIMIT / 2, "client"),
    ] {
        let probing = Probing::limited(wire, server, client).await;
        for _ in 0..2 {
            names_message(&echo(&probing, bytes).await.unwrap_err(), side);
            assert_eq!(echo(&probing, LIMIT / 5).await.unwrap(), LIMIT / 5);
        }
        probing.quiet().await;
    }
}

async fn an_item_of_a_subscription_has_the_same_limit(wire: &str) {
    let probing = Probing::with(wire, |it| it.limits(small()), None).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    client.call(1, "test.v1.Probe.flow", [LIMIT]).await;
    let end = client.next().await["params"].clone();
    assert_eq!(json_peer::code(&end), Code::ResourceExhausted);
    assert!(
        json_peer::message(&end).contains("`max_message` of 5000"),
        "{end}"
    );
    let sum = client.call(2, "test.v1.Probe.add", (2, 3)).await;
    assert_eq!(sum["result"], 5);
    probing.quiet().await;
}
