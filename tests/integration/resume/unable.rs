//! Where a stream cannot be gone on with, that is what its caller hears.

use rpc_runtime::testing::simulate;
use rpc_runtime::{Channel, Code};
use rpc_tests::serving::{connect, serve};
use std::time::Duration;
use tokio::time::{Instant, sleep};

use super::{FeedClient, FeedServer, Place, Source, read};

#[test]
fn a_server_that_was_started_anew_does_not_know_the_stream() {
    simulate(1, async {
        let source = Source::gated();
        let place = Place::calm(source.server());
        let mut stream = place.client().again(10);
        source.made_again.add_permits(3);
        read(&mut stream, 0..3).await;
        place.network.crash("a");
        let other = Source::new();
        place.network.serve("a", other.server().connections());
        let failure = stream
            .next()
            .await
            .expect("it fails")
            .expect_err("nobody knows it");
        assert_eq!(failure.code(), Code::Aborted, "{failure}");
        assert!(
            failure.message().contains("cannot be gone on with"),
            "{failure}"
        );
        assert_eq!(
            other.began(),
            0,
            "it is not begun anew behind the caller's back"
        );
    });
}

/// As any stream it fails at once, and nobody is waited for.
async fn fails_at_once(client: FeedClient, source: &Source, cut: impl FnOnce()) {
    let mut stream = client.numbers(10, 0);
    source.made.add_permits(3);
    read(&mut stream, 0..3).await;
    cut();
    let began = Instant::now();
    let failure = stream
        .next()
        .await
        .expect("it fails")
        .expect_err("it is over");
    assert_eq!(failure.code(), Code::Unavailable, "{failure}");
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_channel_that_does_not_connect_again_is_told_at_once() {
    simulate(1, async {
        let source = Source::gated();
        let place = Place::calm(source.server());
        let io = place.network.connect("a").expect("it is there");
        let client = FeedClient::new(Channel::over(io));
        fails_at_once(client, &source, || place.reset()).await;
        sleep(Duration::from_secs(1)).await;
        assert_eq!((source.ended(), place.stop.waiting_streams()), (1, 0));
    });
}

#[tokio::test]
async fn other_wires_serve_the_method_as_any_other() {
    for wire in ["grpc", "grpc-web+http", "connect+http", "jsonrpc+ws"] {
        let source = Source::new();
        let serving = serve(wire, source.server()).await;
        let channel = connect(&serving.url).await.expect("it serves");
        let mut stream = FeedClient::new(channel).numbers(300, 10);
        read(&mut stream, 0..300).await;
        assert!(stream.next().await.is_none(), "{wire}");
        assert_eq!(serving.stop.waiting_streams(), 0, "{wire}");
    }
}

#[tokio::test]
async fn in_process_there_is_no_connection_to_lose() {
    let source = Source::new();
    let mut stream = FeedClient::new(FeedServer::new(source.clone())).numbers(300, 10);
    read(&mut stream, 0..300).await;
    assert!(stream.next().await.is_none());
    assert_eq!(source.ended(), 1);
}

/// A gateway passes the stream on and promises nothing: its client is not told of a token that only the
/// server behind would know.
#[test]
fn behind_a_gateway_a_stream_is_as_any_other() {
    simulate(1, async {
        let source = Source::gated();
        let behind = Place::calm(source.server());
        let gateway = rpc_runtime::Server::new()
            .fallback(behind.channel())
            .connections();
        let place = rpc_runtime::testing::Network::new(1);
        place.serve("gateway", gateway);
        let channel = Channel::connect(place.target(["gateway"])).await;
        let client = FeedClient::new(channel.expect("it is there"));
        let reset = || place.strike("gateway", rpc_runtime::testing::Fault::Reset);
        fails_at_once(client, &source, reset).await;
    });
}
