//! Peers that take long for a text, over a byte stream that holds it back until it is whole.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{Connection, Dialect, Dialects, serve};
use crate::call::{Body, Message, Method, Request};
use crate::codec::Encoding;
use crate::server::Router;
use crate::service::BoxService;
use crate::status::Status;
use crate::wire::Draining;
use crate::wire::config::{Config, RunningCalls, Served};
use crate::wire::progress::holding;

/// What a side says when it ends.
type Ended = JoinHandle<Result<(), Status>>;

fn long() -> String {
    "x".repeat(32 << 10)
}

/// A client that makes a call of a long text, and its server.
fn client() -> (Connection, DuplexStream, Ended) {
    let (ours, peer) = duplex(1 << 10);
    let config = Arc::new(Config::default());
    let io = holding::open(ours);
    let (connection, driving) = Connection::open(io, Dialect::JSON_RPC, config);
    let arguments = format!("[\"{}\"]", long());
    let arguments = Message::encoded(arguments.into(), Encoding::JSON);
    let request = Request::new(Method::named("echo"), Body::message(arguments));
    tokio::spawn(connection.start(request));
    (connection, peer, tokio::spawn(driving))
}

/// A server that answers with a long text, and its client.
async fn server(config: Config) -> (DuplexStream, Ended) {
    let (ours, mut peer) = duplex(1 << 10);
    let router = || Router::new().function("long", || async { long() });
    let served = Served {
        service: BoxService::new(router()),
        methods: Arc::new(router()),
        running: RunningCalls::new(10),
        extensions: http::Extensions::new(),
    };
    let serving = serve(
        holding::open(ours),
        BytesMut::new(),
        Dialects::JsonRpc,
        Arc::new(config),
        served,
        Draining::default(),
    );
    let call = b"{\"jsonrpc\":\"2.0\",\"method\":\"long\",\"id\":1}\n";
    peer.write_all(call).await.unwrap();
    (peer, tokio::spawn(serving))
}

/// Takes something more often than a peer must, and all of it in more time than it has for something.
async fn take_slowly(peer: &mut DuplexStream) {
    for taken in 0..32 {
        sleep(Duration::from_secs(5)).await;
        let read = peer.read_exact(&mut [0; 1 << 10]).await;
        assert!(read.is_ok(), "cut off after {taken} KiB");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_a_long_text_slowly_is_not_cut_off() {
    let (_connection, mut peer, driving) = client();
    take_slowly(&mut peer).await;
    assert!(!driving.is_finished());
    let (mut peer, serving) = server(Config::default()).await;
    take_slowly(&mut peer).await;
    assert!(!serving.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_text_on_its_way_is_not_idle() {
    let idle = Duration::from_secs(2);
    let config = Config {
        idle_timeout: Some(idle),
        ..Config::default()
    };
    let (mut peer, serving) = server(config).await;
    take_slowly(&mut peer).await;
    // The last byte of the answer, and a request that comes as slowly.
    let mut rest = [0; 1 << 10];
    let rest = peer.read(&mut rest).await.unwrap();
    assert!(rest > 0);
    for part in [
        &b"{\"jsonrpc\":\"2.0\","[..],
        b"\"method\":\"long\",",
        b"\"id\":2}\n",
    ] {
        peer.write_all(part).await.unwrap();
        sleep(2 * idle).await;
    }
    take_slowly(&mut peer).await;
    let mut all = Vec::new();
    let closed = timeout(4 * idle, peer.read_to_end(&mut all)).await;
    assert!(closed.is_ok(), "then nothing is on its way any more");
    assert!(serving.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_of_a_long_text_is_cut_off() {
    let patience = Duration::from_secs(30);
    let (_connection, _peer, driving) = client();
    let ended = timeout(patience, driving).await.expect("it ends").unwrap();
    assert!(ended.is_err_and(|it| it.message().contains("took nothing")));
    let (_peer, serving) = server(Config::default()).await;
    let ended = timeout(patience, serving).await.expect("it ends").unwrap();
    assert!(ended.is_err_and(|it| it.message().contains("took no byte")));
}
