//! One text a line.

use std::time::Duration;

use rpc_runtime::{Limits, Server, Wire};
use rpc_tests::serving::{Serving, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::example::{Served, examples, server, until};

const PATIENCE: Duration = Duration::from_secs(10);

struct Peer(BufReader<TcpStream>);

impl Peer {
    async fn connect(serving: &Serving) -> Self {
        let address = serving.url.strip_prefix("tcp://").expect("a TCP address");
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.0.write_all(text.as_ref()).await.unwrap();
        self.0.write_all(b"\n").await.unwrap();
    }

    /// Returns the next line, or nothing at the end.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await;
        read.expect("it comes in time").unwrap_or(0);
        (!line.is_empty()).then_some(line)
    }

    async fn answer(&mut self) -> Value {
        let line = self.line().await.expect("there is an answer");
        serde_json::from_str(&line).expect("it is JSON")
    }

    async fn call(&mut self, text: impl AsRef<[u8]>) -> Value {
        self.send(text).await;
        self.answer().await
    }
}

async fn serving(configure: impl FnOnce(Server) -> Server) -> (Serving, Served) {
    let (server, served) = server();
    let serving = serve("tcp", configure(server).accept([Wire::JsonRpc])).await;
    (serving, served)
}

fn call(method: &str, params: &Value, id: impl Into<Value>) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params, "id": id.into()}).to_string()
}

#[tokio::test]
async fn the_examples_of_the_specification_are_answered_to_the_letter() {
    let (serving, _) = serving(|it| it).await;
    let mut peer = Peer::connect(&serving).await;
    let mut count = 0;
    for (text, expected) in examples() {
        peer.send(text).await;
        if let Some(expected) = expected {
            assert_eq!(peer.answer().await, expected, "{text}");
        }
        count += 1;
    }
    assert_eq!(count, 15);
    // Nothing else was answered.
    assert_eq!(
        peer.call(call("sum", &json!([1, 2, 3]), 1)).await["result"],
        6
    );
}

#[tokio::test]
async fn names_and_arguments_have_every_form() {
    let (serving, _) = serving(|it| it).await;
    let mut peer = Peer::connect(&serving).await;
    for (method, params, result) in [
        ("test.v1.Example.subtract", json!([5, 3]), json!(2)),
        ("test.v1.Example/subtract", json!([5, 3]), json!(2)),
        (
            "subtract",
            json!({"subtrahend": 3, "minuend": 5, "more": 1}),
            json!(2),
        ),
        ("maybe", json!([]), json!(null)),
        ("maybe", json!({}), json!(null)),
        ("maybe", json!(null), json!(null)),
        ("maybe", json!([1]), json!(2)),
        ("whole", json!([{"a": 1}]), json!({"a": 1})),
        ("whole", json!({"a": 1}), json!({"a": 1})),
        ("whole", json!([[1, 2]]), json!([1, 2])),
        (
            "echo",
            json!(["\u{e9}\u{1F600}\n\u{0}\""]),
            json!("\u{e9}\u{1F600}\n\u{0}\""),
        ),
    ] {
        let answer = peer.call(call(method, &params, 1)).await;
        assert_eq!(answer["result"], result, "{method} {params}: {answer}");
    }
    for (method, params, text) in [
        ("subtract", json!([5]), "missing argument `subtrahend`"),
        ("subtract", json!([5, 3, 1]), "too many arguments"),
        (
            "subtract",
            json!({"minuend": 5}),
            "missing argument `subtrahend`",
        ),
        ("subtract", json!(["5", 3]), "argument `minuend`"),
        ("whole", json!([1, 2]), "the method takes one argument"),
        ("get_data", json!([1]), "the method takes no arguments"),
    ] {
        let answer = peer.call(call(method, &params, 1)).await;
        assert_eq!(
            answer["error"]["code"], -32602,
            "{method} {params}: {answer}"
        );
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(text), "{message}");
    }
}

#[tokio::test]
async fn a_methods_own_error_is_in_data() {
    let (serving, _) = serving(|it| it).await;
    let mut peer = Peer::connect(&serving).await;
    let answer = peer.call(call("take", &json!([11]), "x")).await;
    let expected = json!({
        "jsonrpc": "2.0",
        "error": {"code": -32011, "message": "10 is left", "data": {"TooMuch": {"left": 10}}},
        "id": "x",
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn calls_are_answered_as_they_finish() {
    let (serving, _) = serving(|it| it).await;
    let mut peer = Peer::connect(&serving).await;
    peer.send(call("wait", &json!([200]), 1)).await;
    peer.send(call("wait", &json!([1]), 2)).await;
    peer.send(call("sum", &json!([1, 2, 3]), 3)).await;
    let ids = [
        peer.answer().await,
        peer.answer().await,
        peer.answer().await,
    ];
    assert_eq!(ids.map(|it| it["id"].as_i64().unwrap()), [3, 2, 1]);
    let answer = peer.call(call("hurry", &json!([]), 4)).await;
    assert_eq!(
        answer["error"]["code"], -32004,
        "a declared timeout holds: {answer}"
    );
}

#[tokio::test]
async fn handlers_end_with_their_connection() {
    let (serving, served) = serving(|it| it).await;
    let mut peer = Peer::connect(&serving).await;
    peer.send(call("wait", &json!([60_000]), 1)).await;
    peer.send(format!("[{0},{0}]", call("wait", &json!([60_000]), 2)))
        .await;
    until(&served.waiting, 3).await;
    drop(peer);
    until(&served.waiting, 0).await;
}

#[tokio::test]
async fn who_has_sent_everything_still_gets_the_answers() {
    let (serving, _) = serving(|it| it).await;
    let mut peer = Peer::connect(&serving).await;
    peer.send(call("wait", &json!([300]), 1)).await;
    // The last line has no end.
    let last = call("sum", &json!([1, 2, 3]), 2);
    peer.0.write_all(last.as_bytes()).await.unwrap();
    peer.0.get_mut().shutdown().await.unwrap();
    let mut answers = String::new();
    let read = peer.0.read_to_string(&mut answers);
    timeout(PATIENCE, read).await.expect("it ends").unwrap();
    let answers: Vec<&str> = answers.split('\n').filter(|it| !it.is_empty()).collect();
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert!(answers[1].contains("300"), "{answers:?}");
}

#[tokio::test]
async fn a_line_over_the_limit_fails_alone() {
    let limits = Limits::new().max_message(1 << 10);
    let (serving, _) = serving(|it| it.limits(limits)).await;
    let mut peer = Peer::connect(&serving).await;
    for length in [1 << 10, 1 << 20] {
        let answer = peer.call("[".repeat(length + 1)).await;
        assert_eq!(answer["error"]["code"], -32008, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains("`max_message` of 1024"), "{message}");
        assert_eq!(
            peer.call(call("sum", &json!([1, 2, 3]), 1)).await["result"],
            6
        );
    }
}

#[tokio::test]
async fn a_line_that_does_not_end_is_answered_and_given_up() {
    let limits = Limits::new().message_timeout(Duration::from_millis(50));
    let (serving, _) = serving(|it| it.limits(limits)).await;
    let mut peer = Peer::connect(&serving).await;
    peer.0.write_all(b"{\"jsonrpc\":").await.unwrap();
    let answer = peer.answer().await;
    assert_eq!(answer["error"]["code"], -32004, "{answer}");
    assert_eq!(peer.line().await, None);
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_held_up_and_then_cut_off() {
    let limits = Limits::new().max_outgoing(64 << 10);
    let short = Duration::from_millis(200);
    let (serving, _) = serving(|it| it.limits(limits).keepalive(short, short)).await;
    let mut peer = Peer::connect(&serving).await;
    let line = call("echo", &json!(["x".repeat(100 << 10)]), 1) + "\n";
    let mut sent = 0;
    let failed = loop {
        match timeout(PATIENCE, peer.0.write_all(line.as_bytes())).await {
            Ok(Ok(())) => sent += line.len(),
            Ok(Err(_)) => break true,
            Err(_) => break false,
        }
    };
    assert!(failed, "it is cut off, not only held up");
    assert!(sent < 64 << 20, "and not read for ever: {sent}");
}

#[tokio::test]
async fn a_drain_finishes_what_runs_and_refuses_the_rest() {
    let (serving, served) = serving(|it| it).await;
    let mut peer = Peer::connect(&serving).await;
    peer.send(call("wait", &json!([2_000]), 1)).await;
    until(&served.waiting, 1).await;
    serving.stop.shutdown();
    tokio::time::sleep(Duration::from_millis(20)).await;
    peer.send(call("sum", &json!([1, 2, 3]), 2)).await;
    let refused = peer.answer().await;
    assert_eq!(
        (&refused["error"]["code"], &refused["id"]),
        (&json!(-32014), &json!(2))
    );
    assert_eq!(peer.answer().await["result"], 2_000);
    assert_eq!(peer.line().await, None);
}

#[tokio::test]
async fn a_quiet_connection_is_closed_if_that_is_asked_for() {
    let (serving, _) = serving(|it| it.idle_timeout(Duration::from_millis(100))).await;
    let mut peer = Peer::connect(&serving).await;
    assert_eq!(
        peer.call(call("wait", &json!([200]), 1)).await["result"],
        200
    );
    assert_eq!(peer.line().await, None);
}

#[tokio::test]
async fn json_is_refused_where_it_was_not_asked_for() {
    let (server, _) = server();
    let serving = serve("tcp", server.accept([Wire::Http])).await;
    let mut peer = Peer::connect(&serving).await;
    peer.send(call("sum", &json!([1, 2, 3]), 1)).await;
    assert_eq!(peer.line().await, None);
}
