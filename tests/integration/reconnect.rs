//! Connections that come late, go away and come again.

use std::future::IntoFuture;
use std::time::Duration;

use rpc_runtime::{Channel, Code, Phase, Server};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{Serving, address, serve};
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_secs(20);

async fn serve_at(url: &str) -> Serving {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let bound = server.listen(url).bind().await.unwrap();
    Serving {
        url: bound.url().to_owned(),
        stop: bound.shutdown_handle(),
        task: tokio::spawn(bound.serve()),
    }
}

/// Calls until it works; the pause between attempts to connect is the channel's own.
async fn until_it_works(math: &MathClient) {
    let works = async {
        while let Err(status) = math.add(1, 1).await {
            assert_eq!(status.code(), Code::Unavailable, "{status}");
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LONG, works)
        .await
        .expect("the channel connects again");
}

#[tokio::test]
async fn a_lazy_channel_connects_at_its_first_call_and_again_after_a_restart() {
    let url = address("unix");
    let math = MathClient::connect(&url).lazy().unwrap();
    let status = math.add(1, 1).await.unwrap_err();
    assert_eq!(
        (status.code(), status.phase()),
        (Code::Unavailable, Some(Phase::Connect))
    );
    assert!(std::error::Error::source(&status).is_some());

    for _ in 0..2 {
        let serving = serve_at(&url).await;
        until_it_works(&math).await;
        serving.stop.shutdown();
        let mut serving = serving;
        timeout(LONG, &mut serving.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_refused_at_once() {
    for url in ["localhost:80", "smtp://host", "tcp://", ""] {
        let status = Channel::connect(url).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{url}: {status}");
        assert!(std::error::Error::source(&status).is_some(), "{url}");
    }
    let none: [&str; 0] = [];
    assert_eq!(
        Channel::connect(none).await.unwrap_err().code(),
        Code::InvalidArgument
    );
}

#[tokio::test]
async fn calls_are_spread_and_pass_a_dead_address() {
    let server =
        |name: &'static str| Server::new().function("name", move || async move { name.to_owned() });
    let first = serve("tcp", server("first")).await;
    let second = serve("tcp", server("second")).await;
    let dead = address("unix");
    let channel = Channel::connect([&first.url, &dead, &second.url])
        .await
        .unwrap();
    let mut seen = std::collections::BTreeMap::new();
    for _ in 0..20 {
        let name: String = channel.call("name", ()).await.unwrap();
        *seen.entry(name).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.values().all(|count| *count >= 5), "{seen:?}");
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_made_again() {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let serving = serve("tcp", server.idle_timeout(Duration::from_millis(30))).await;
    let math = MathClient::connect(&serving.url).await.unwrap();
    math.add(1, 1).await.unwrap();
    let closed = async {
        while serving.stop.connections() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LONG, closed).await.expect("the server closes it");
    until_it_works(&math).await;
}

#[tokio::test]
async fn a_silent_server_is_noticed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let silent = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let (mut stream, _) = listener.accept().await.unwrap();
        // A preface and empty SETTINGS, and then nothing ever again.
        let mut hello = vec![0xD3, b'R', b'P', b'C', 0x0D, 0x0A, 0x1A, 0x01];
        hello.extend([0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        stream.write_all(&hello).await.unwrap();
        std::future::pending::<()>().await;
    });
    let interval = Duration::from_millis(50);
    let math = MathClient::connect(&url)
        .keepalive(interval, interval)
        .await
        .unwrap();
    let status = timeout(LONG, math.add(1, 1)).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("`keepalive_timeout`"), "{status}");
    assert_eq!(status.phase(), Some(Phase::Reply));
    assert_eq!(status.peer(), Some(&*url));
    silent.abort();
}

#[tokio::test]
async fn an_attempt_to_connect_is_bounded() {
    let connect = Channel::connect_with("nowhere", std::future::pending);
    let connect = connect.connect_timeout(Duration::from_millis(30));
    let status = timeout(LONG, connect.into_future())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (status.code(), status.phase()),
        (Code::Unavailable, Some(Phase::Connect))
    );
    assert!(
        status.message().contains("`connect_timeout` of 30ms"),
        "{status}"
    );
}
