//! Errors say which peer, which method and which phase, and keep their source.

use std::error::Error;
use std::io;
use std::time::Duration;

use rpc_runtime::{Code, Phase, Status};
use rpc_tests::json_peer::{self, JsonServer};
use rpc_tests::raw::{RawServer, block, field, field_of, flag, kind};
use rpc_tests::serving::{address, connect};

use crate::probe::{Panics, ProbeClient, Probing, Then, Trap, bounded};

on_every_transport! {
    connecting
    sending
    a_lost_connection
    decoding
    a_deadline
    a_status_of_the_server
    one_line_says_it_all
}

over_json! {
    connecting
    sending
    answers_in_json
}

over_http_and_tls! {
    connecting
    sending
}

const ADD: &str = "test.v1.Probe/add";

/// Checks where a status says that it happened, in its parts and in its one line.
fn says(status: &Status, phase: Phase, method: Option<&str>, peer: &str) {
    assert_eq!(status.phase(), Some(phase), "{status}");
    assert_eq!(status.method(), method, "{status}");
    assert_eq!(status.peer(), Some(peer), "{status}");
    let line = status.to_string();
    assert!(!line.contains('\n'), "{line}");
    assert!(line.contains(phase.name()) && line.contains(peer), "{line}");
    assert!(method.is_none_or(|it| line.contains(it)), "{line}");
}

fn root(status: &Status) -> &(dyn Error + 'static) {
    let mut root: &(dyn Error + 'static) = status;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// A URL of this transport where nobody listens.
async fn nobody(transport: &str) -> String {
    if ["unix", "mem"].contains(&transport) {
        return address(transport);
    }
    // The port was free a moment ago.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("{transport}://{}", listener.local_addr().unwrap())
}

/// A client of a server by hand, and the name of that server.
async fn by_hand(transport: &str) -> (ProbeClient, rpc_tests::raw::RawPeer, String) {
    let server = RawServer::listen(transport).await;
    let (channel, peer) = server.channel(&[]).await;
    let url = server.url().unwrap_or_else(|| "mem:raw".to_owned());
    (ProbeClient::new(channel), peer, url)
}

async fn connecting(transport: &str) {
    let url = nobody(transport).await;
    let status = connect(&url).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    says(&status, Phase::Connect, None, &url);
    let cause = root(&status).to_string();
    assert!(status.to_string().contains(&cause), "{status}");
    let source = status
        .source()
        .and_then(|it| it.downcast_ref::<io::Error>());
    let refused = [io::ErrorKind::ConnectionRefused, io::ErrorKind::NotFound];
    assert!(
        source.is_some_and(|it| refused.contains(&it.kind())),
        "{source:?}"
    );

    let lazy: ProbeClient = ProbeClient::new(connect(&url).lazy().unwrap());
    for _ in 0..2 {
        let status = bounded(lazy.add(1, 2).into_future()).await.unwrap_err();
        says(&status, Phase::Connect, Some(ADD), &url);
        assert!(status.source().is_some());
        let status = bounded(lazy.give(1, Then::End).next())
            .await
            .unwrap()
            .unwrap_err();
        says(&status, Phase::Connect, Some("test.v1.Probe/give"), &url);
    }
}

async fn sending(transport: &str) {
    let probing = Probing::on(transport).await;
    let call = probing.client.step_on(Trap(Panics::Serialize));
    let status = bounded(call.into_future()).await.unwrap_err();
    says(
        &status,
        Phase::Send,
        Some("test.v1.Probe/step_on"),
        &probing.serving.url,
    );
    assert!(status.source().is_some());

    let call = probing.client.add(1, 2).metadata("no name", "x");
    let status = bounded(call.into_future()).await.unwrap_err();
    assert_eq!(
        (status.phase(), status.method()),
        (Some(Phase::Send), Some(ADD))
    );
    assert!(status.source().is_some());

    let long = "v".repeat(30_000);
    let call = probing.client.add(1, 2).metadata("long", &long);
    let status = bounded(call.into_future()).await.unwrap_err();
    says(&status, Phase::Send, Some(ADD), &probing.serving.url);
}

async fn a_lost_connection(transport: &str) {
    let (client, mut server, url) = by_hand(transport).await;
    let call = client.add(1, 2).start();
    let mut items = client.give(1, Then::End).start();
    server.next_of(kind::REQUEST).await;
    server.next_of(kind::REQUEST).await;
    drop(server);
    let status = bounded(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    says(&status, Phase::Reply, Some(ADD), &url);
    let status = bounded(items.next()).await.unwrap().unwrap_err();
    says(&status, Phase::Reply, Some("test.v1.Probe/give"), &url);

    // In the middle of a stream.
    let (client, mut server, url) = by_hand(transport).await;
    let mut items = client.give(1, Then::End).start();
    let call = server.next_of(kind::REQUEST).await.call;
    server
        .send(kind::RESPONSE, flag::BODY, call, &block(&[], &[3]))
        .await;
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 3);
    drop(server);
    let status = bounded(items.next()).await.unwrap().unwrap_err();
    says(&status, Phase::Reply, Some("test.v1.Probe/give"), &url);
}

async fn decoding(transport: &str) {
    let (client, mut server, url) = by_hand(transport).await;
    let call = client.add(1, 2).start();
    let request = server.next_of(kind::REQUEST).await.call;
    server.reply(request, b"\xa3abc").await;
    let status = bounded(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    says(&status, Phase::Decode, Some(ADD), &url);
    assert!(
        status.to_string().contains(&root(&status).to_string()),
        "{status}"
    );
    assert!(status.source().is_some());

    let mut items = client.give(1, Then::End).start();
    let request = server.next_of(kind::REQUEST).await.call;
    server
        .send(kind::RESPONSE, flag::BODY, request, &block(&[], b"\xa3abc"))
        .await;
    let status = bounded(items.next()).await.unwrap().unwrap_err();
    says(&status, Phase::Decode, Some("test.v1.Probe/give"), &url);
    assert!(status.source().is_some());
}

async fn a_deadline(transport: &str) {
    let (client, mut server, url) = by_hand(transport).await;
    let short = Duration::from_millis(300);
    let status = bounded(client.add(1, 2).timeout(short).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    says(&status, Phase::Reply, Some(ADD), &url);
    server.next_of(kind::REQUEST).await;
    let status = bounded(client.add(1, 2).timeout(Duration::ZERO).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(
        (status.phase(), status.method()),
        (Some(Phase::Send), Some(ADD))
    );
}

async fn a_status_of_the_server(transport: &str) {
    let (client, mut server, url) = by_hand(transport).await;
    let call = client.add(1, 2).start();
    let request = server.next_of(kind::REQUEST).await.call;
    let fields = [
        field_of(field::CODE, &[5]),
        field_of(field::TEXT, b"no such number"),
    ]
    .concat();
    server.send(kind::ERROR, flag::END, request, &fields).await;
    let status = bounded(call).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::NotFound, "no such number")
    );
    assert!(status.is_remote());
    says(&status, Phase::Reply, Some(ADD), &url);
}

async fn one_line_says_it_all(transport: &str) {
    let (client, mut server, url) = by_hand(transport).await;
    let call = client.add(1, 2).start();
    let request = server.next_of(kind::REQUEST).await.call;
    server
        .send(
            kind::ERROR,
            flag::END,
            request,
            &field_of(field::CODE, &[14]),
        )
        .await;
    let status = bounded(call).await.unwrap_err();
    let line = format!("{ADD} at {url} failed: unavailable in phase reply");
    assert_eq!(status.to_string(), line);
}

async fn answers_in_json(wire: &'static str) {
    let server = JsonServer::listen(wire).await;
    let (channel, mut peer) = server.channel().await;
    let (client, url) = (ProbeClient::new(channel), server.url());

    let call = client.add(1, 2).start();
    let id = peer.next().await["id"].clone();
    peer.send(&json_peer::answer(&id, "abc")).await;
    let status = bounded(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    says(&status, Phase::Decode, Some(ADD), &url);
    assert!(status.source().is_some());

    let call = client.add(1, 2).start();
    let id = peer.next().await["id"].clone();
    let error = match wire {
        "lpjson" => serde_json::json!({"code": "SERVER_BUSY", "message": "later"}),
        _ => serde_json::json!({"code": -32008, "message": "later"}),
    };
    peer.send(&serde_json::json!({"jsonrpc": "2.0", "id": id, "ok": false, "error": error}))
        .await;
    let status = bounded(call).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::ResourceExhausted, "later")
    );
    assert!(status.is_remote());
    says(&status, Phase::Reply, Some(ADD), &url);

    let call = client.add(1, 2).timeout(Duration::from_millis(300));
    let status = bounded(call.into_future()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    says(&status, Phase::Reply, Some(ADD), &url);

    let call = client.add(1, 2).start();
    peer.next().await;
    peer.next().await;
    drop(peer);
    let status = bounded(call).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    says(&status, Phase::Reply, Some(ADD), &url);
}
