//! Our clients, of our servers: what the wires can carry arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rpc_runtime::{CallError, Channel, Code, Limits, Server, Status, Wire, from_fn, rpc_service};
use rpc_tests::serving::{Serving, connect, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::example::{ExampleClient, ExampleError, Served, server, until};

/// The URLs of the dialects and of what carries them.
const SCHEMES: [&str; 5] = [
    "jsonrpc+tcp",
    "jsonrpc+ws",
    "jsonrpc+http",
    "lpjson",
    "knsock",
];

async fn serving(configure: impl FnOnce(Server) -> Server) -> (Serving, Served) {
    let (server, served) = server();
    let wires = [
        Wire::JsonRpc,
        Wire::KnSock,
        Wire::LengthPrefixedJson,
        Wire::Http,
        Wire::WebSocket,
    ];
    let serving = serve("tcp", configure(server).accept(wires)).await;
    (serving, served)
}

fn url(serving: &Serving, scheme: &str) -> String {
    serving.url.replacen("tcp", scheme, 1)
}

async fn client(serving: &Serving, scheme: &str) -> ExampleClient {
    let client = ExampleClient::connect(url(serving, scheme)).await;
    client.expect("the server listens")
}

#[tokio::test]
async fn values_and_errors_arrive() {
    let (serving, _) = serving(|it| it).await;
    for scheme in SCHEMES {
        let client = client(&serving, scheme).await;
        assert_eq!(client.subtract(5, 3).await.unwrap(), 2, "{scheme}");
        assert_eq!(client.big(u64::MAX).await.unwrap(), u64::MAX, "{scheme}");
        assert_eq!(client.maybe(None).await.unwrap(), None, "{scheme}");
        assert_eq!(client.get_data().await.unwrap(), json!(["hello", 5]));
        assert_eq!(
            client.whole(json!([1, 2])).await.unwrap(),
            json!([1, 2]),
            "{scheme}"
        );
        let text = json!("\u{e9}\u{1F600}\n\"\\ \u{0}:,");
        assert_eq!(client.echo(text.clone()).await.unwrap(), text, "{scheme}");
        client.notify_hello(1).await.unwrap();
        match client.take(11).await.unwrap_err() {
            CallError::App(ExampleError::TooMuch { left: 10 }) => assert_ne!(scheme, "knsock"),
            CallError::Status(status) => {
                assert_eq!((scheme, status.message()), ("knsock", "10 is left"));
                assert_eq!(status.code(), Code::Unknown);
            }
            other => panic!("{scheme}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_method_that_is_not_there_is_told_by_every_dialect() {
    let (serving, _) = serving(|it| it).await;
    for scheme in SCHEMES {
        let channel = Channel::connect(url(&serving, scheme)).await.unwrap();
        assert_eq!(channel.call::<_, i64>("sum", (1, 2, 3)).await.unwrap(), 6);
        let status = channel.call::<_, i64>("nothing", ()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{scheme}: {status}");
        let text = status.to_string();
        assert!(
            text.contains(&url(&serving, scheme)) && text.contains("nothing"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn many_calls_are_on_their_way_at_once() {
    let (serving, served) = serving(|it| it).await;
    for scheme in ["jsonrpc+tcp", "jsonrpc+ws", "lpjson"] {
        let client = client(&serving, scheme).await;
        let calls = (0..50).map(|it| client.wait(3_000 + it));
        let together = tokio::spawn(join_all(calls.map(IntoFuture::into_future)));
        until(&served.waiting, 50).await;
        assert_eq!(
            client.sum(1, 2, 3).await.unwrap(),
            6,
            "it passes those that wait"
        );
        let results = together.await.unwrap();
        let expected: Vec<_> = (0..50).map(|it| 3_000 + it).collect();
        let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(results, expected, "{scheme}");
    }
    // One at a time on each connection.
    for scheme in ["knsock", "jsonrpc+http"] {
        let client = client(&serving, scheme).await;
        let results = join_all((0..50).map(|it| client.sum(it, 0, 0).into_future())).await;
        let results: Vec<_> = results.into_iter().map(Result::unwrap).collect();
        assert_eq!(results, (0..50).collect::<Vec<_>>(), "{scheme}");
    }
    let client = client(&serving, "jsonrpc+http").await;
    let calls = (0..8).map(|it| client.wait(3_000 + it));
    let together = tokio::spawn(join_all(calls.map(IntoFuture::into_future)));
    until(&served.waiting, 8).await;
    assert!(together.await.unwrap().iter().all(Result::is_ok));
}

#[tokio::test]
async fn http_carries_metadata_and_no_streams() {
    let (server, served) = server();
    let server = server.layer(from_fn(|request, next| async move {
        let token = request.metadata().get("authorization");
        if token.is_none_or(|it| it != "Bearer secret") {
            return Err(Status::unauthenticated("who are you"));
        }
        next.call(request).await
    }));
    let wires = [Wire::JsonRpc, Wire::Http];
    let serving = serve("tcp", server.accept(wires).json_rpc_path("/rpc")).await;
    let url = format!("{}/rpc?x=1", url(&serving, "jsonrpc+http"));
    let client = ExampleClient::connect(&url).await.unwrap();
    let refused = client.sum(1, 2, 3).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let sum = client.sum(1, 2, 3);
    let sum = sum.metadata("authorization", "Bearer secret").await;
    assert_eq!(sum.unwrap(), 6);
    // The server hears of the deadline.
    let wait = client.wait(60_000).timeout(Duration::from_millis(200));
    let late = wait.metadata("authorization", "Bearer secret").await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    until(&served.waiting, 0).await;
    let channel = Channel::connect(&url).await.unwrap();
    let mut stream = channel.call_stream::<_, Value>("eth_subscribe", ("newHeads",));
    let refused = stream.next().await.unwrap().unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(refused.message().contains("jsonrpc+ws://"), "{refused}");
}

#[tokio::test]
async fn the_web_is_spoken_over_tls_too() {
    let (server, _) = server();
    let wires = [Wire::JsonRpc, Wire::Http, Wire::WebSocket];
    let serving = serve("tls", server.accept(wires)).await;
    for scheme in ["jsonrpc+https", "jsonrpc+wss"] {
        let url = serving.url.replacen("tls", scheme, 1);
        let channel = connect(&url).await.unwrap();
        let client = ExampleClient::new(channel);
        for number in 0..20 {
            assert_eq!(
                client.sum(number, 2, 3).await.unwrap(),
                number + 5,
                "{scheme}"
            );
        }
        let large = json!("x".repeat(1 << 20));
        assert_eq!(client.echo(large.clone()).await.unwrap(), large, "{scheme}");
    }
}

#[rpc_service(name = "test.v1.Closed")]
trait Closed {
    #[rpc(idempotent)]
    async fn same(&self) -> i64;
    async fn once(&self) -> i64;
}

/// Answers every request with these bytes, on connections that it closes where they say so.
async fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("jsonrpc+http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = Vec::new();
                while peer.read_buf(&mut request).await.unwrap_or(0) > 0 {
                    if !request.ends_with(b"}") {
                        continue;
                    }
                    request.clear();
                    let _ = peer.write_all(answer.as_bytes()).await;
                    if answer.contains("close") {
                        break;
                    }
                }
            });
        }
    });
    url
}

/// Answers one request on each connection, and closes it when the next comes; returns how many came.
async fn closing_idle() -> (String, Arc<AtomicUsize>) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-length: 35\r\n\r\n{\"jsonrpc\":\"2.0\",\"result\":6,\"id\":1}";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("jsonrpc+http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}") && peer.read_buf(&mut request).await.unwrap_or(0) > 0 {}
            count.fetch_add(1, Ordering::SeqCst);
            peer.write_all(ANSWER).await.unwrap();
            // It is the next call that finds the connection closed.
            count.fetch_add(
                peer.read_buf(&mut request).await.unwrap_or(0).min(1),
                Ordering::SeqCst,
            );
        }
    });
    (url, requests)
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_fails_no_call_that_may_run_twice() {
    let (url, requests) = closing_idle().await;
    let client = ClosedClient::connect(&url).await.unwrap();
    for calls in 0..5 {
        assert_eq!(client.same().await.unwrap(), 6, "after {calls} calls");
    }
    assert_eq!(
        requests.load(Ordering::SeqCst),
        9,
        "each but the first was sent twice"
    );

    let (url, requests) = closing_idle().await;
    let client = ClosedClient::connect(&url).await.unwrap();
    assert_eq!(client.once().await.unwrap(), 6);
    let status = client.once().await.unwrap_err();
    assert_eq!(
        status.code(),
        Code::Unavailable,
        "the server may have seen it"
    );
    assert!(!status.is_not_started());
    assert_eq!(requests.load(Ordering::SeqCst), 2, "sent once each");
    assert_eq!(client.once().await.unwrap(), 6, "on a new connection");
}

#[tokio::test]
async fn answers_of_http_have_every_form() {
    const SUM: &str = r#"{"jsonrpc":"2.0","result":6,"id":1}"#;
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 35\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        "HTTP/1.0 200 OK\r\nx: close\r\n\r\n",
    ] {
        let url = answering(format!("{head}{SUM}").leak()).await;
        let channel = Channel::connect(url).await.unwrap();
        let calls = join_all((0..20).map(|_| channel.call::<_, i64>("sum", ()).into_future()));
        for sum in calls.await {
            assert_eq!(sum.unwrap(), 6, "{head}");
        }
        for _ in 0..20 {
            assert_eq!(
                channel.call::<_, i64>("sum", ()).await.unwrap(),
                6,
                "{head}"
            );
        }
    }
    for (answer, code, part) in [
        (
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno",
            Code::Unimplemented,
            "HTTP status 404",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n",
            Code::Internal,
            "did not answer with what JSON-RPC has",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 35\r\n\r\n{\"jsonrpc\":\"2.0\",\"result\":6,\"id\":2}",
            Code::Internal,
            "did not answer with what JSON-RPC has",
        ),
        (
            "HTTP/1.1 500 x\r\nconnection: close\r\n\r\n{\"error\":{\"code\":-32603,\"message\":\"boo\"},\"id\":null}",
            Code::Internal,
            "boo",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9999\r\nconnection: close\r\n\r\n{",
            Code::Unavailable,
            "the connection broke",
        ),
        (
            "SSH-2.0-x close\r\n",
            Code::Unavailable,
            "does not speak HTTP/1.1: is it a JSON-RPC server?",
        ),
    ] {
        let url = answering(answer).await;
        let channel = Channel::connect(url).await.unwrap();
        let status = channel.call::<_, i64>("sum", ()).await.unwrap_err();
        assert_eq!(status.code(), code, "{answer}: {status}");
        assert!(status.to_string().contains(part), "{answer}: {status}");
    }
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_its_answer_is_nobody_elses() {
    let (serving, _) = serving(|it| it).await;
    for scheme in SCHEMES {
        let client = client(&serving, scheme).await;
        // The first has a later deadline than the others, which are noticed nevertheless.
        assert_eq!(client.sum(1, 2, 3).await.unwrap(), 6, "{scheme}");
        for milliseconds in [60, 30] {
            let timeout = Duration::from_millis(milliseconds);
            let late = client.wait(200).timeout(timeout).await;
            assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded, "{scheme}");
        }
        assert_eq!(client.sum(1, 2, 3).await.unwrap(), 6, "{scheme}");
    }
}

#[tokio::test]
async fn handlers_end_when_a_client_is_gone_or_out_of_time() {
    let (serving, served) = serving(|it| it).await;
    for scheme in SCHEMES {
        let gone = client(&serving, scheme).await;
        let call = tokio::spawn(gone.wait(60_000).into_future());
        until(&served.waiting, 1).await;
        drop(gone);
        call.abort();
        until(&served.waiting, 0).await;
    }
    let client = client(&serving, "lpjson").await;
    let late = client.wait(60_000).timeout(Duration::from_millis(50)).await;
    assert_eq!(late.unwrap_err().code(), Code::DeadlineExceeded);
    until(&served.waiting, 0).await;
}

#[tokio::test]
async fn what_the_wire_cannot_carry_is_said_before_it_is_sent() {
    let (serving, _) = serving(|it| it).await;
    let limits = Limits::new().max_message(1 << 10);
    for scheme in SCHEMES {
        let connect = Channel::connect(url(&serving, scheme)).limits(limits.clone());
        let channel = connect.await.unwrap();
        let client = ExampleClient::new(channel.clone());
        let with_metadata = client.sum(1, 2, 3).metadata("tenant", "7").await;
        if scheme == "jsonrpc+http" {
            assert_eq!(with_metadata.unwrap(), 6);
        } else {
            let status = with_metadata.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{scheme}");
            assert!(
                status.to_string().contains("no metadata, such as `tenant`"),
                "{status}"
            );
        }
        let status = client.echo(json!("x".repeat(2_000))).await.unwrap_err();
        assert!(
            status.to_string().contains("client's limit `max_message`"),
            "{status}"
        );
        let long: Result<Value, Status> = client.echo(json!("x".repeat(900))).await;
        assert!(long.is_ok(), "{long:?}");
    }
}

#[tokio::test]
async fn calls_fail_with_their_connection_and_the_next_makes_another() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("jsonrpc+tcp://{}", listener.local_addr().unwrap());
    let channel = Channel::connect(url).await.unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    let call = tokio::spawn(channel.call::<_, i64>("sum", (1,)).into_future());
    assert!(peer.read(&mut [0; 100]).await.unwrap() > 0);
    drop(peer);
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let call = tokio::spawn(channel.call::<_, i64>("sum", (1,)).into_future());
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut line = vec![0; 200];
    let read = peer.read(&mut line).await.unwrap();
    let id = serde_json::from_slice::<Value>(&line[..read]).unwrap()["id"].clone();
    // White space, notifications, answers to nobody and batches are all fine.
    let answers = format!(
        "\n  \n{{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}}\n\
         {{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":1}}\n\
         [{{\"id\":{id},\"result\":5,\"error\":null}}]\n"
    );
    peer.write_all(answers.as_bytes()).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap(), 5);
    let call = tokio::spawn(channel.call::<_, i64>("sum", (1,)).into_future());
    assert!(peer.read(&mut [0; 100]).await.unwrap() > 0);
    let error = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-1,\"message\":\"no\"}}\n";
    peer.write_all(error.as_bytes()).await.unwrap();
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unknown, "no (error -1)")
    );
}
