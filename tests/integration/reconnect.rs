//! Connections that come late, go away and come again.

use std::future::IntoFuture;
use std::time::Duration;

use rpc_runtime::{Channel, Code, Limits, Phase, Server, Status};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{Serving, TRANSPORTS, address, serve};
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
    let serving = serve("tcp", server.idle_timeout(Duration::from_millis(300))).await;
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
    let interval = Duration::from_millis(500);
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

/// Connects to a server that reads one line and then sends `answer`, or nothing and stays.
async fn connecting_to(answer: Option<&'static [u8]>) -> Status {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.split();
        let mut line = Vec::new();
        let mut reader = BufReader::new(reader);
        reader.read_until(b'\n', &mut line).await.unwrap();
        match answer {
            Some(answer) => writer.write_all(answer).await.unwrap(),
            None => std::future::pending().await,
        }
    });
    let connect = Channel::connect(&url).connect_timeout(match answer {
        Some(_) => Duration::from_secs(3_600),
        None => Duration::from_millis(50),
    });
    let connecting = timeout(LONG, connect.into_future()).await;
    let status = connecting.expect("it fails at once").unwrap_err();
    server.abort();
    assert_eq!(
        (status.code(), status.phase(), status.peer()),
        (Code::Unavailable, Some(Phase::Connect), Some(&*url)),
        "{status}"
    );
    status
}

#[tokio::test]
async fn a_port_where_http_is_served_is_not_connected_to() {
    let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    let status = connecting_to(Some(answer)).await;
    let text = "does not speak this wire: it began with `HTTP/1.1 400 Bad Request`";
    assert!(status.message().contains(text), "{status}");
    let status = connecting_to(Some(b"")).await;
    let text = "closed the connection before it introduced itself";
    assert!(status.message().contains(text), "{status}");
}

#[tokio::test]
async fn a_port_that_says_nothing_is_given_up_after_the_time_to_connect() {
    let status = connecting_to(None).await;
    let text = "did not introduce itself within `connect_timeout` of 50ms";
    assert!(status.message().contains(text), "{status}");
}

#[tokio::test]
async fn one_silent_server_does_not_keep_a_channel_from_the_others() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = format!("tcp://{}", silent.local_addr().unwrap());
    let serving = serve("tcp", Server::new().add(MathServer::new(Calculator::new()))).await;
    let math = MathClient::connect([&silent, &silent, &serving.url])
        .connect_timeout(Duration::from_millis(300))
        .await
        .unwrap();
    assert_eq!(math.add(1, 1).await.unwrap(), 2);
}

#[tokio::test]
async fn more_callers_than_places_wait_from_the_first_call_on() {
    for transport in TRANSPORTS {
        let server = Server::new().add(MathServer::new(Calculator::new()));
        let serving = serve(transport, server.limits(Limits::new().max_calls(2))).await;
        let eager = MathClient::connect(&serving.url).await.unwrap();
        let lazy = MathClient::connect(&serving.url).lazy().unwrap();
        let io = rpc_runtime::transport::open(&serving.url).await.unwrap();
        let over = MathClient::new(Channel::over(io));
        for math in [eager, lazy, over] {
            let calls: Vec<_> = (0..64).map(|_| math.sleep(1).start()).collect();
            for call in calls {
                let slept = timeout(LONG, call).await.expect("every call gets its turn");
                assert_eq!(slept.expect("no call is refused"), 1);
            }
        }
    }
}
