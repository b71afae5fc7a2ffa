//! Our clients of Connect and gRPC-Web with servers that know HTTP/1.1 only, good ones and such as
//! misbehave: calls never hang, and a broken answer is never taken for a good one.

use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use rpc_runtime::{Channel, Code, Encoding, Limits, Status};
use rpc_tests::http1::envelope;
use rpc_tests::math::{Line, MathClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// No call takes longer than this, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that answers every request with the same bytes.
struct Answering {
    url: String,
    connections: Arc<AtomicUsize>,
}

/// What a server does behind its answer.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// It waits for the next request.
    GoOn,
    Close,
}

/// Reads a request up to the end of its body; `None` at the end of the connection.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|it| it.strip_prefix("content-length: "));
            let is_whole = match length {
                Some(length) => body.len() >= length.parse().unwrap(),
                None if head.contains("transfer-encoding: chunked") => body.ends_with("0\r\n\r\n"),
                None => true,
            };
            if is_whole {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

async fn answering(answer: Vec<u8>, then: Then) -> Answering {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = listener.local_addr().unwrap().to_string();
    let connections = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            let answer = answer.clone();
            tokio::spawn(async move {
                while read_request(&mut stream).await.is_some() {
                    stream.write_all(&answer).await.unwrap();
                    if then == Then::Close {
                        return;
                    }
                }
            });
        }
    });
    Answering { url, connections }
}

async fn client(scheme: &str, server: &Answering) -> MathClient {
    let channel = Channel::connect(format!("{scheme}://{}", server.url));
    let channel = channel.limits(Limits::new().max_message(4_000)).await;
    MathClient::new(channel.unwrap().with_encoding(Encoding::JSON))
}

async fn ends<T>(call: impl IntoFuture<Output = T>) -> T {
    let ended = tokio::time::timeout(PATIENCE, call.into_future()).await;
    ended.expect("the call ends")
}

fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\n{headers}\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

const JSON: &str = "content-type: application/json";

#[tokio::test]
async fn a_connection_is_used_again_and_again() {
    let server = answering(answer(JSON, b"5"), Then::GoOn).await;
    let math = client("connect+http1", &server).await;
    for _ in 0..5 {
        assert_eq!(ends(math.add(2, 3)).await.unwrap(), 5);
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
    // Calls at the same time have connections of their own.
    let (one, two) = tokio::join!(ends(math.add(2, 3)), ends(math.add(2, 3)));
    assert_eq!((one.unwrap(), two.unwrap()), (5, 5));
    assert_eq!(server.connections.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_server_that_closes_behind_its_answer_is_connected_to_again() {
    for headers in [JSON, "content-type: application/json\r\nconnection: close"] {
        let server = answering(answer(headers, b"5"), Then::Close).await;
        let math = client("connect+http1", &server).await;
        for _ in 0..3 {
            // Without being told, a call may meet a connection that is just being closed, and is made
            // again on another, as it is one that may run twice.
            assert_eq!(
                ends(math.divide(10.0, 2.0)).await.unwrap(),
                5.0,
                "{headers}"
            );
        }
        assert_eq!(server.connections.load(Ordering::Relaxed), 3, "{headers}");
    }
}

#[tokio::test]
async fn what_is_asked_is_http1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let first = read_request(&mut stream).await.unwrap();
        stream.write_all(&answer(JSON, b"5")).await.unwrap();
        let second = read_request(&mut stream).await.unwrap();
        let end = envelope(2, b"{}");
        let sum = [envelope(0, b"6"), end].concat();
        let answer = answer("content-type: application/connect+json", &sum);
        stream.write_all(&answer).await.unwrap();
        (first, second)
    });
    let channel = Channel::connect(format!("connect+http1://{address}")).await;
    let math = MathClient::new(channel.unwrap().with_encoding(Encoding::JSON));
    assert_eq!(ends(math.add(2, 3)).await.unwrap(), 5);
    assert_eq!(ends(math.sum(stream::iter([1, 2, 3]))).await.unwrap(), 6);
    let (unary, upload) = heard.await.unwrap();
    assert!(
        unary.starts_with("POST /test.v1.Math/add HTTP/1.1\r\n"),
        "{unary}"
    );
    assert!(
        unary.contains(&format!("\r\nhost: {address}\r\n")),
        "{unary}"
    );
    assert!(unary.ends_with("\r\n\r\n{\"a\":2,\"b\":3}"), "{unary}");
    assert!(
        upload.contains("\r\ntransfer-encoding: chunked\r\n"),
        "{upload}"
    );
}

#[tokio::test]
async fn answers_that_are_wrong_are_failures() {
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(100_000));
    let chunked =
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let cut = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n5";
    for (name, bytes, code, text) in [
        (
            "nothing",
            Vec::new(),
            Code::Unavailable,
            "the connection broke",
        ),
        (
            "no HTTP",
            b"\x16\x03\x01\x00\x00".to_vec(),
            Code::Unavailable,
            "does not speak HTTP/1.1",
        ),
        (
            "HTTP/2",
            b"\0\0\0\x04\0\0\0\0\0".to_vec(),
            Code::Unavailable,
            "does not speak HTTP/1.1",
        ),
        (
            "half a head",
            b"HTTP/1.1 200 OK\r\ncont".to_vec(),
            Code::Unavailable,
            "the connection broke",
        ),
        (
            "an endless head",
            endless.into_bytes(),
            Code::ResourceExhausted,
            "`max_metadata`",
        ),
        (
            "a cut body",
            cut.into(),
            Code::Unavailable,
            "the connection broke",
        ),
        (
            "a chunk without end",
            format!("{chunked}1\r\n5\r\n").into(),
            Code::Unavailable,
            "the connection broke",
        ),
        (
            "a bad chunk",
            format!("{chunked}x\r\n5\r\n").into(),
            Code::Unavailable,
            "the connection broke",
        ),
        (
            "a page",
            answer("content-type: text/html", b"<html>"),
            Code::Unknown,
            "`text/html`",
        ),
        (
            "a large answer",
            answer(JSON, &[b' '; 4_001]),
            Code::ResourceExhausted,
            "client's limit `max_message`",
        ),
        (
            "an upgrade",
            b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_vec(),
            Code::Unknown,
            "101",
        ),
    ] {
        let server = answering(bytes, Then::Close).await;
        let math = client("connect+http1", &server).await;
        let failure = ends(math.add(2, 3)).await.expect_err(name);
        assert_eq!(failure.code(), code, "{name}: {failure}");
        assert!(failure.to_string().contains(text), "{name}: {failure}");
    }
}

#[tokio::test]
async fn streams_that_are_wrong_are_failures() {
    let items = |end: &[u8]| [&envelope(0, b"0")[..], &envelope(0, b"1"), end].concat();
    let connect = "content-type: application/connect+json";
    let web = "content-type: application/grpc-web+json";
    let read = async |scheme: &str, bytes: Vec<u8>| {
        let server = answering(bytes, Then::Close).await;
        let mut count = client(scheme, &server).await.count(2);
        let mut all = Vec::new();
        while let Some(item) = ends(count.next()).await {
            all.push(item?);
        }
        Ok::<_, Status>(all)
    };
    let good = answer(connect, &items(&envelope(2, b"{}")));
    assert_eq!(read("connect+http1", good).await.unwrap(), [0, 1]);
    let good = answer(web, &items(&envelope(0x80, b"grpc-status: 0\r\n")));
    assert_eq!(read("grpc-web+http1", good.clone()).await.unwrap(), [0, 1]);
    // Cut behind any byte it is no good end.
    for length in (0..good.len()).rev().take(40) {
        let cut = good[..length].to_vec();
        assert!(read("grpc-web+http1", cut).await.is_err(), "{length}");
    }
    for (scheme, headers) in [("connect+http1", connect), ("grpc-web+http1", web)] {
        let endless = format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n");
        let until_closed = [endless.as_bytes(), &items(b"")].concat();
        let failure = read(scheme, until_closed).await.unwrap_err();
        assert!(failure.to_string().contains("without"), "{failure}");
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_closes_its_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("connect+http1://{}", listener.local_addr().unwrap());
    let channel = Channel::connect(&url).await.unwrap();
    let math = MathClient::new(channel.with_encoding(Encoding::JSON));
    let (mut stream, _) = listener.accept().await.unwrap();
    let late = ends(math.add(2, 3).timeout(Duration::from_millis(100))).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    assert!(read_request(&mut stream).await.is_some());
    let closed = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await;
    assert!(matches!(closed.expect("it is closed"), Ok(0) | Err(_)));

    // The same for a stream within which its caller leaves.
    let mut count = math.count(2);
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/connect+json\r\n\r\n";
        let begin = [head.as_bytes(), &envelope(0, b"0")].concat();
        stream.write_all(&begin).await.unwrap();
        stream
    };
    let (first, mut stream) = tokio::join!(ends(count.next()), serving);
    assert_eq!(first.unwrap().unwrap(), 0);
    drop(count);
    let closed = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 1])).await;
    assert!(matches!(closed.expect("it is closed"), Ok(0) | Err(_)));
}

#[tokio::test]
async fn an_upload_that_fails_is_no_end_for_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("connect+http1://{}", listener.local_addr().unwrap());
    let channel = Channel::connect(&url).await.unwrap();
    let math = MathClient::new(channel.with_encoding(Encoding::JSON));
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await
    });
    let items = stream::iter([1, 2]).map(|it| match it {
        1 => it,
        _ => panic!("the stream fails"),
    });
    let failure = ends(math.sum(items)).await.unwrap_err();
    assert_eq!(failure.code(), Code::Internal, "{failure}");
    assert_eq!(ends(heard).await.unwrap(), None);
}

#[tokio::test]
async fn streams_both_ways_are_refused_before_anything_is_sent() {
    let server = answering(answer(JSON, b"5"), Then::GoOn).await;
    for scheme in ["connect+http1", "grpc-web+http1"] {
        let math = client(scheme, &server).await;
        let mut chat = math.chat("room".to_owned(), stream::iter(Vec::<Line>::new()));
        let refused = ends(chat.next()).await.unwrap().unwrap_err().to_string();
        assert!(refused.contains("needs HTTP/2"), "{refused}");
        assert!(refused.contains("test.v1.Math/chat"), "{refused}");
        // The connection is as good as new.
        if scheme == "connect+http1" {
            assert_eq!(ends(math.add(2, 3)).await.unwrap(), 5);
        }
    }
}

#[tokio::test]
async fn a_server_without_http2_is_told_how_to_be_called() {
    let refused = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    let server = answering(refused.to_vec(), Then::Close).await;
    let channel = Channel::connect(format!("connect+http://{}", server.url)).await;
    let failure = channel.unwrap_err().to_string();
    let advice = format!("`connect+http1://{}`", server.url);
    assert!(failure.contains(&advice), "{failure}");
}

#[tokio::test]
async fn calls_that_wait_for_a_connection_that_closes_have_another_one() {
    let headers = "content-type: application/json\r\nconnection: close";
    let server = answering(answer(headers, b"5"), Then::Close).await;
    let url = format!("connect+http1://{}", server.url);
    let channel = Channel::connect(&url).max_connections(2).await.unwrap();
    let math = MathClient::new(channel.with_encoding(Encoding::JSON));
    let calls = (0..20).map(|_| ends(math.add(2, 3)));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.unwrap(), 5);
    }
    assert!(server.connections.load(Ordering::Relaxed) >= 20);
}
