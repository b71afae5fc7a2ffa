//! WebSocket on the port of a server: who may connect, and how it ends.

use std::time::Duration;

use rpc_runtime::{Channel, Code, Server, Wire};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{Serving, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn math() -> Server {
    Server::new().add(MathServer::new(Calculator::new()))
}

/// Sends a request with these headers beside those that every one has, and returns the connection.
async fn ask(serving: &Serving, headers: &str) -> TcpStream {
    let address = serving.url.split("//").nth(1).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /any/path HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: rpc-native.1\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Returns the first line of the answer.
async fn status(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    head.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn only_pages_that_may_connect_do() {
    let default = serve("ws", math()).await;
    let listed = serve("ws", math().websocket_origin("https://app.example")).await;
    let any = serve("ws", math().websocket_any_origin()).await;
    for (headers, expected) in [
        ("Host: localhost:1\r\n", [101, 101, 101]),
        (
            "Host: localhost:1\r\nOrigin: http://localhost:1\r\n",
            [101, 101, 101],
        ),
        (
            "Host: localhost:1\r\nOrigin: https://app.example\r\n",
            [403, 101, 101],
        ),
        (
            "Host: localhost:1\r\nOrigin: https://evil.example\r\n",
            [403, 403, 101],
        ),
        // A name that an attacker made to point here.
        (
            "Host: evil.example\r\nOrigin: http://evil.example\r\n",
            [403, 403, 403],
        ),
    ] {
        for (serving, expected) in [&default, &listed, &any].into_iter().zip(expected) {
            let line = status(&mut ask(serving, headers).await).await;
            assert!(
                line.starts_with(&format!("HTTP/1.1 {expected} ")),
                "{headers}: {line}"
            );
        }
    }
}

#[tokio::test]
async fn what_was_not_named_is_not_accepted() {
    let websocket_only = serve("ws", math()).await;
    let address = websocket_only.url.split("//").nth(1).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let call = b"POST /test/add HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(call).await.unwrap();
    assert_eq!(status(&mut stream).await, "HTTP/1.1 426 Upgrade Required");
    let http_only = serve("grpc", math()).await;
    let address = http_only.url.replacen("grpc", "ws", 1);
    let error = Channel::connect(&address).await.err().unwrap();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.to_string().contains("405"), "{error}");
    let both = serve("grpc", math().accept([Wire::WebSocket])).await;
    for scheme in ["ws", "grpc", "tcp"] {
        let client = MathClient::connect(both.url.replacen("grpc", scheme, 1))
            .await
            .unwrap();
        assert_eq!(client.add(1, 2).await.unwrap(), 3, "{scheme}");
    }
}

#[tokio::test]
async fn the_errors_of_a_client_name_its_whole_url() {
    let serving = serve("ws", math().websocket_any_origin()).await;
    let url = format!("{}/rpc?token=1", serving.url);
    let channel = Channel::connect(&url).await.unwrap();
    serving.stop.shutdown();
    let error = MathClient::new(channel).panic().await.unwrap_err();
    assert!(error.to_string().contains(&url), "{error}");
    let error = Channel::connect("ws://localhost:1/a#b")
        .await
        .err()
        .unwrap();
    assert_eq!(error.code(), Code::InvalidArgument, "{error}");
}

#[tokio::test]
async fn a_slow_handshake_is_cut_off() {
    let server = math().handshake_timeout(Duration::from_secs(1));
    let serving = serve("ws", server.frame_timeout(Duration::from_millis(200))).await;
    let address = serving.url.split("//").nth(1).unwrap();
    for begun in ["", "GE", "GET / HTTP/1.1\r\nHost: localhost\r\nUpgr"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
        let _ = ended.await.expect("the server closes the connection");
    }
    // A whole one whose client then does not introduce itself.
    let mut stream = ask(&serving, "Host: localhost\r\n").await;
    assert!(status(&mut stream).await.contains("101"));
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
    let _ = ended.await.expect("the server closes the connection");
}

#[tokio::test]
async fn a_server_that_drains_closes_with_1001() {
    let serving = serve("ws", math()).await;
    let mut stream = ask(&serving, "Host: localhost\r\n").await;
    assert!(status(&mut stream).await.contains("101"));
    // The preface and empty settings, so that there is somebody to say good-bye to.
    let hello = [
        &[0x82, 0x80 | 24, 0, 0, 0, 0, 0xD3][..],
        b"RPC\r\n\x1A\x01",
        &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ];
    stream.write_all(&hello.concat()).await.unwrap();
    let first = stream.read_u8().await.unwrap();
    assert_eq!(
        first, 0x82,
        "the server introduces itself in binary messages"
    );
    serving.stop.shutdown();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(&[0x88, 2, 3, 0xE9]), "{rest:x?}");
}
