//! The older dialects, byte for byte.

use std::time::Duration;

use rpc_runtime::{Server, Status, Wire, rpc_service};
use rpc_tests::serving::{Serving, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::example::server;

async fn connect(wires: &[Wire]) -> (Serving, TcpStream) {
    let (server, _) = server();
    let serving = serve("tcp", server.accept(wires.iter().copied())).await;
    let address = serving.url.strip_prefix("tcp://").expect("a TCP address");
    let stream = TcpStream::connect(address).await.unwrap();
    (serving, stream)
}

/// Sends everything, and returns everything that comes until the server closes.
async fn exchange(mut stream: TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answers = String::new();
    let read = stream.read_to_string(&mut answers);
    let read = timeout(Duration::from_secs(10), read).await;
    read.expect("it ends").unwrap();
    answers
}

const KN_SOCK: &str = r#"{"method": "subtract", "params": [30, 10], "kwargs": {}}
{"method": "subtract", "params": [30], "kwargs": {"subtrahend": 10}}
{"method": "subtract", "params": [], "kwargs": {"subtrahend": 10, "minuend": 30}}
{"method": "subtract", "params": [30, 10]}
{"method": "subtract", "params": [30, 10], "kwargs": {"minuend": 1}}
{"method": "x", "params": [], "kwargs": {}}
{"method": "take", "params": [11], "kwargs": {}}
not JSON
{"method": "get_data"}
{"method": "echo", "params": [{"a": [1, 2.5], "b": "\u00e9\ud83d\ude00:,"}], "kwargs": {}}
{"method": "wait", "params": [50], "kwargs": {}}
{"method": "sum", "params": [1, 2, 3], "kwargs": {}}
"#;

const KN_SOCK_ANSWERS: &str = r#"{"result": 20}
{"result": 20}
{"result": 20}
{"result": 20}
{"error": "cannot decode json: argument `minuend` is there twice at line 1 column 39"}
{"error": "Method 'x' not found"}
{"error": "10 is left"}
{"result": ["hello", 5]}
{"result": {"a": [1, 2.5], "b": "\u00e9\ud83d\ude00:,"}}
{"result": 50}
{"result": 6}
"#;

#[tokio::test]
async fn the_lines_of_kn_sock_are_answered_in_order() {
    for wires in [&[Wire::KnSock][..], &[Wire::JsonRpc, Wire::KnSock]] {
        let (_serving, stream) = connect(wires).await;
        let answers = exchange(stream, KN_SOCK.as_bytes()).await;
        let answers = answers.split_inclusive('\n').filter(|it| it.len() > 1);
        assert_eq!(answers.collect::<String>(), KN_SOCK_ANSWERS, "{wires:?}");
    }
}

#[tokio::test]
async fn a_line_of_kn_sock_is_no_call_where_it_was_not_asked_for() {
    let (_serving, stream) = connect(&[Wire::JsonRpc]).await;
    let line = b"{\"method\": \"sum\", \"params\": [1, 2, 3], \"kwargs\": {}}\n";
    let answer: Value = serde_json::from_str(&exchange(stream, line).await).unwrap();
    assert_eq!(answer["error"]["message"], "Invalid Request");
    let (_serving, stream) = connect(&[Wire::JsonRpc, Wire::KnSock]).await;
    let line = b"{\"jsonrpc\": \"2.0\", \"method\": \"sum\", \"params\": [1, 2, 3], \"id\": 1}\n";
    let answer: Value = serde_json::from_str(&exchange(stream, line).await).unwrap();
    assert_eq!(answer, json!({"jsonrpc": "2.0", "result": 6, "id": 1}));
}

async fn send(stream: &mut TcpStream, text: &str) {
    let length = u32::try_from(text.len()).unwrap().to_be_bytes();
    stream.write_all(&length).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
}

async fn receive(stream: &mut TcpStream) -> Value {
    let length = timeout(Duration::from_secs(10), stream.read_u32()).await;
    let length = length.expect("it comes in time").unwrap();
    let mut text = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut text).await.unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[tokio::test]
async fn json_with_its_length_is_answered_as_it_finishes() {
    let wires = [Wire::JsonRpc, Wire::LengthPrefixedJson, Wire::Http];
    let (_serving, mut stream) = connect(&wires).await;
    let wait = r#"{"id":"a","method":"wait","params":{"milliseconds":100}}"#;
    send(&mut stream, wait).await;
    let sum = r#"{"id":2,"method":"test.v1.Example.sum","params":[1,2,3],"meta":{"timeout_ms":1000,"idempotent":true}}"#;
    send(&mut stream, sum).await;
    let expected = json!({"id": 2, "ok": true, "result": 6, "error": null});
    assert_eq!(receive(&mut stream).await, expected);
    let expected = json!({"id": "a", "ok": true, "result": 100, "error": null});
    assert_eq!(receive(&mut stream).await, expected);
    for (text, code) in [
        (r#"{"id":1,"method":"nothing"}"#, "METHOD_NOT_FOUND"),
        (r#"{"id":1,"method":"sum","params":[1]}"#, "BAD_REQUEST"),
        (r#"{"id":1,"method":"sum","params":6}"#, "BAD_REQUEST"),
        (
            r#"{"id":1,"method":"sum","meta":{"timeout_ms":"x"}}"#,
            "BAD_REQUEST",
        ),
        (
            r#"{"id":1,"method":"wait","params":[60000],"meta":{"timeout_ms":20}}"#,
            "TIMEOUT",
        ),
        (r#"{"id":1}"#, "BAD_REQUEST"),
        ("not JSON", "BAD_REQUEST"),
        ("", "BAD_REQUEST"),
    ] {
        send(&mut stream, text).await;
        let answer = receive(&mut stream).await;
        assert_eq!(answer["ok"], false, "{text}");
        assert_eq!(answer["error"]["code"], code, "{text}: {answer}");
    }
    send(&mut stream, r#"{"id":3,"method":"take","params":[11]}"#).await;
    let error = json!({
        "code": "BAD_REQUEST",
        "message": "10 is left",
        "details": {"code": "out_of_range", "error": {"TooMuch": {"left": 10}}},
    });
    assert_eq!(receive(&mut stream).await["error"], error);
    // A text over the limit is passed over.
    stream.write_u32(20 << 20).await.unwrap();
    stream.write_all(&vec![b' '; 20 << 20]).await.unwrap();
    assert_eq!(receive(&mut stream).await["error"]["code"], "SERVER_BUSY");
    send(&mut stream, sum).await;
    assert_eq!(receive(&mut stream).await["result"], 6);
}

/// What kn-sock's own server has, as `tests/python/record_kn_sock.py` gives it.
#[rpc_service]
trait Recorded {
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn divide(&self, a: f64, b: f64) -> Result<f64, Status>;
    async fn echo(&self, value: Value) -> Value;
}

struct Functions;

impl Recorded for Functions {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    async fn divide(&self, a: f64, b: f64) -> Result<f64, Status> {
        if b == 0.0 {
            let text = "Division by zero is not allowed";
            return Err(Status::invalid_argument(text));
        }
        Ok(a / b)
    }

    async fn echo(&self, value: Value) -> Value {
        value
    }
}

#[tokio::test]
async fn what_kn_socks_own_server_answered_is_answered_here() {
    let server = Server::new().add(RecordedServer::new(Functions));
    let serving = serve("tcp", server.accept([Wire::KnSock])).await;
    let address = serving.url.strip_prefix("tcp://").expect("a TCP address");
    let recorded = include_str!("../../golden/kn_sock.txt");
    let mut exchanges = 0;
    for one in recorded.split("> ").skip(1) {
        let (call, answer) = one.split_once('\n').expect("a line");
        let stream = TcpStream::connect(address).await.unwrap();
        let ours = exchange(stream, format!("{call}\n").as_bytes()).await;
        assert_eq!(ours, answer, "{call}");
        exchanges += 1;
    }
    assert!(exchanges >= 25, "{exchanges}");
}
