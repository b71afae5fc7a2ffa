//! Peers of which one speaks TLS and the other does not.

use std::future::IntoFuture;
use std::time::Duration;

use rpc_runtime::{Channel, Code, Phase, Server};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::serve;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::authority::Authority;
use super::logged::Logged;
use super::{PATIENCE, address, math, plain, serve_math};

#[tokio::test]
async fn plaintext_is_refused_and_both_sides_say_why() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    let logged = Logged::begin();
    let url = format!("tcp://{}", address(&serving.url));
    let status = Channel::connect(&url).await.unwrap_err();
    assert_eq!(
        (status.code(), status.phase(), status.peer()),
        (Code::Unavailable, Some(Phase::Connect), Some(&*url)),
    );
    let text = "the peer speaks TLS, and this side does not: is it a `tls://` URL?";
    assert!(status.to_string().contains(text), "{status}");
    let line = logged.line_with("the client does not speak TLS").await;
    assert!(
        line.starts_with("WARN") && line.contains("peer=\"tcp://127.0.0.1:"),
        "{line}"
    );
    assert!(
        line.contains(r"\\xd3RPC") && line.contains("allow_plaintext"),
        "{line}"
    );
}

#[tokio::test]
async fn a_browser_is_told_to_use_https() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    let mut stream = plain(&serving.url).await;
    // Longer than what is looked at: an answer must not be lost because of what was not read.
    let request = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n",
        "x".repeat(8_000)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.unwrap().unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.contains("This port speaks TLS"), "{answer}");
}

#[tokio::test]
async fn what_nobody_knows_is_answered_with_an_alert() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    for bytes in [
        &b"\0"[..],
        b"EHLO example.org\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = plain(&serving.url).await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        read.unwrap().unwrap();
        if bytes.starts_with(b"EHLO") {
            // A capital word and a space: it may be HTTP.
            assert!(answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
        } else {
            assert_eq!(answer, [21, 3, 3, 0, 2, 2, 10], "{bytes:?}");
        }
    }
}

#[tokio::test]
async fn both_are_served_on_one_port_where_that_is_allowed() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls().allow_plaintext()).await;
    assert!(serving.url.starts_with("tcp://"), "{}", serving.url);
    let in_clear = MathClient::connect(&serving.url).await.unwrap();
    assert_eq!(in_clear.add(1, 2).await.unwrap(), 3);
    let url = format!("tls://{}", address(&serving.url));
    let secured = math(&url, authority.client_tls()).await;
    assert_eq!(secured.add(1, 2).await.unwrap(), 3);
    assert_eq!(
        in_clear
            .sum(futures_util::stream::iter(0..1_000))
            .await
            .unwrap(),
        499_500
    );
    assert_eq!(serving.stop.connections(), 2);
}

#[tokio::test]
async fn a_server_without_tls_is_named_as_that_by_both_sides() {
    let authority = Authority::new();
    let serving = serve("tcp", Server::new().add(MathServer::new(Calculator::new()))).await;
    let logged = Logged::begin();
    let url = format!("tls://{}", address(&serving.url));
    let connect = Channel::connect(&url).tls(authority.client_tls());
    let status = timeout(PATIENCE, connect.into_future())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (status.code(), status.phase(), status.peer()),
        (Code::Unavailable, Some(Phase::Connect), Some(&*url)),
    );
    assert!(
        status.to_string().contains("the server does not speak TLS"),
        "{status}"
    );
    let line = logged
        .line_with("the client speaks TLS, and this server does not")
        .await;
    assert!(
        line.starts_with("WARN") && line.contains("peer=\"tcp://127.0.0.1:"),
        "{line}"
    );
}

/// Connects to a port where somebody answers like this after the first bytes, or closes.
async fn connecting_to(answer: Option<&'static [u8]>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tls://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut hello = vec![0; 4_096];
        assert!(stream.read(&mut hello).await.unwrap() > 0);
        match answer {
            Some(answer) => stream.write_all(answer).await.unwrap(),
            None => std::future::pending().await,
        }
    });
    let connect = Channel::connect(&url)
        .tls(Authority::new().client_tls())
        .connect_timeout(Duration::from_millis(if answer.is_some() {
            20_000
        } else {
            50
        }));
    let status = timeout(PATIENCE, connect.into_future())
        .await
        .unwrap()
        .unwrap_err();
    server.abort();
    assert_eq!(
        (status.code(), status.phase(), status.peer()),
        (Code::Unavailable, Some(Phase::Connect), Some(&*url)),
        "{status}"
    );
    status.to_string()
}

#[tokio::test]
async fn servers_that_do_not_speak_it_are_not_waited_for() {
    let status = connecting_to(Some(b"HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    assert!(status.contains("the server does not speak TLS"), "{status}");
    let status = connecting_to(Some(b"")).await;
    assert!(
        status.contains("closed the connection during the TLS handshake"),
        "{status}"
    );
    let status = connecting_to(None).await;
    let text = "the TLS handshake did not end within `connect_timeout` of 50ms";
    assert!(status.contains(text), "{status}");
}
