//! Connections whose server is played by hand.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::Connection;
use crate::Limits;
use crate::call::{Body, EXPECTED_KIND, Message, Method, MethodKind, Request, Response};
use crate::codec::Encoding;
use crate::status::{Code, Status};
use crate::transport::Io;
use crate::wire::config::Config;
use crate::wire::jsonrpc::Dialect;

/// Longer than anything here takes, in time that only passes while everybody waits.
const PATIENCE: Duration = Duration::from_secs(600);

/// The other side of a connection.
struct Server(BufReader<DuplexStream>);

impl Server {
    /// Reads a call.
    async fn call(&mut self) -> Value {
        let mut line = String::new();
        let read = timeout(PATIENCE, self.0.read_line(&mut line)).await;
        read.expect("a call comes").unwrap();
        serde_json::from_str(&line).expect("a call is JSON")
    }

    /// Sends texts, all at once.
    async fn say(&mut self, texts: &[Value]) {
        let lines: String = texts.iter().map(|it| format!("{it}\n")).collect();
        self.0.write_all(lines.as_bytes()).await.unwrap();
    }
}

/// Connects to a server, with room for so many bytes on their way.
fn connect(dialect: &'static Dialect, config: Config, room: usize) -> (Connection, Server) {
    let (ours, server) = tokio::io::duplex(room);
    let (connection, driving) = Connection::open(Io::new(ours), dialect, Arc::new(config));
    tokio::spawn(driving);
    (connection, Server(BufReader::new(server)))
}

fn limited(limits: Limits) -> Config {
    Config {
        limits,
        ..Config::default()
    }
}

fn request(method: &str, arguments: impl Into<Bytes>) -> Request {
    let message = Message::encoded(arguments.into(), Encoding::JSON);
    Request::new(Method::named(method), Body::message(message))
}

fn start(connection: &Connection, request: Request) -> JoinHandle<Result<Response, Status>> {
    let call = timeout(PATIENCE, connection.start(request));
    tokio::spawn(async { call.await.expect("the call ends") })
}

/// Calls a method that opens a stream.
fn subscribe(connection: &Connection) -> JoinHandle<Result<Response, Status>> {
    let mut request = request("subscribe", "[]");
    let kind = MethodKind::ServerStreaming.name().parse().unwrap();
    request.metadata_mut().insert(EXPECTED_KIND, kind);
    start(connection, request)
}

fn answer(call: &Value, result: impl Into<Value>) -> Value {
    json!({"jsonrpc": "2.0", "id": call["id"], "result": result.into()})
}

/// What a server tells of the stream `0x1`.
fn notice(what: &str, value: impl Into<Value>) -> Value {
    json!({"method": "news", "params": {"subscription": "0x1", what: value.into()}})
}

/// A text of more than the thousand bytes that the client takes.
fn large() -> String {
    "x".repeat(2_000)
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_may_have_lost_an_item_does_not_end_well() {
    let config = limited(Limits::new().max_message(1_000));
    let (connection, mut server) = connect(Dialect::JSON_RPC, config, 1 << 16);
    let opening = subscribe(&connection);
    let call = server.call().await;
    server.say(&[answer(&call, "0x1")]).await;
    let mut stream = opening.await.unwrap().unwrap();
    let sum = start(&connection, request("sum", "[1]"));
    let call = server.call().await;
    server
        .say(&[
            notice("result", large()),
            notice("error", Value::Null),
            answer(&call, 1),
        ])
        .await;
    let end = timeout(PATIENCE, stream.body_mut().frame()).await.unwrap();
    let status = end.expect("an item is missing").unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    let status = sum.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(!connection.is_open(), "nobody knows what was lost");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_is_too_large_fails_the_only_call_and_no_other() {
    let config = limited(Limits::new().max_message(1_000));
    let (connection, mut server) = connect(Dialect::JSON_RPC, config, 1 << 16);
    let sum = start(&connection, request("sum", "[1]"));
    let call = server.call().await;
    server.say(&[answer(&call, large())]).await;
    let status = sum.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(connection.is_open());
    // The id of a stream is short: this is something else, and the stream is still to begin.
    let opening = subscribe(&connection);
    let call = server.call().await;
    server.say(&[json!(large()), answer(&call, "0x1")]).await;
    let status = opening.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(!connection.is_open(), "nobody would end the stream");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_come_counts_where_nothing_can_be_sent_any_more() {
    for _ in 0..50 {
        let (connection, mut server) = connect(Dialect::JSON_RPC, Config::default(), 1 << 16);
        let opening = subscribe(&connection);
        let call = server.call().await;
        server.say(&[answer(&call, "0x1")]).await;
        let stream = opening.await.unwrap().unwrap();
        let sum = start(&connection, request("sum", "[1]"));
        let call = server.call().await;
        server.say(&[answer(&call, 5)]).await;
        drop(server);
        // The end of the stream is to be sent: the task of the connection finds both when it runs next.
        drop(stream);
        sum.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_taken_by_its_id_alone() {
    let (connection, mut server) = connect(Dialect::JSON_RPC, Config::default(), 1 << 16);
    for is_quoted in [false, true] {
        let sum = start(&connection, request("sum", "[1]"));
        let mut call = server.call().await;
        let strays = [Value::Null, "of another".into(), 1.5.into()];
        for id in strays {
            server
                .say(&[json!({"jsonrpc": "2.0", "id": id, "result": 6})])
                .await;
        }
        server.say(&[json!({"jsonrpc": "2.0", "result": 6})]).await;
        if is_quoted {
            call["id"] = call["id"].to_string().into();
        }
        server.say(&[answer(&call, 5)]).await;
        let mut response = sum.await.unwrap().unwrap();
        let message = response.body_mut().take_single();
        assert_eq!(message.unwrap().bytes(Encoding::JSON).unwrap(), "5");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_behind_one_that_was_given_up_half_sent_is_written() {
    let config = Config {
        keepalive_timeout: 2 * PATIENCE,
        ..Config::default()
    };
    let (connection, mut server) = connect(Dialect::JSON_RPC, config, 1 << 10);
    let mut late = request("late", format!("[\"{}\"]", "x".repeat(10_000)));
    late.shorten_timeout(Duration::from_secs(1));
    let status = start(&connection, late).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    let sum = start(&connection, request("sum", "[1]"));
    // It begins while the one before it is stuck.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(server.call().await["method"], "late");
    let call = server.call().await;
    assert_eq!(call["method"], "sum");
    server.say(&[answer(&call, 5)]).await;
    sum.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_is_waited_for_as_long_as_it_takes_something() {
    let (connection, mut server) = connect(Dialect::JSON_RPC, Config::default(), 1 << 10);
    let began = Instant::now();
    let long = format!("[\"{}\"]", "x".repeat(32 << 10));
    let sum = start(&connection, request("sum", long));
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        // Less than `keepalive_timeout`, and together a lot more.
        sleep(Duration::from_secs(5)).await;
        let mut part = [0; 1 << 10];
        let read = server.0.read(&mut part).await.unwrap();
        assert_ne!(read, 0, "it gave up after {} bytes", line.len());
        line.extend_from_slice(&part[..read]);
    }
    assert!(began.elapsed() > Duration::from_secs(100));
    let call = serde_json::from_slice(&line).unwrap();
    server.say(&[answer(&call, 5)]).await;
    sum.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_more_is_given_up() {
    let (connection, mut server) = connect(Dialect::JSON_RPC, Config::default(), 1 << 10);
    let began = Instant::now();
    let long = format!("[\"{}\"]", "x".repeat(32 << 10));
    let sum = start(&connection, request("sum", long));
    sleep(Duration::from_secs(15)).await;
    assert!(server.0.read(&mut [0; 1 << 10]).await.unwrap() > 0);
    let status = sum.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("took nothing"), "{status}");
    assert_eq!(began.elapsed().as_secs(), 35, "20 s after the last byte");
}

#[tokio::test(start_paused = true)]
async fn where_answers_have_no_ids_a_call_keeps_its_place_until_its_own() {
    let config = limited(Limits::new().max_calls(2));
    let (connection, mut server) = connect(Dialect::KN_SOCK, config, 1 << 16);
    let late = || {
        let mut late = request("late", "[]");
        late.shorten_timeout(Duration::from_secs(1));
        start(&connection, late)
    };
    for _ in 0..2 {
        let status = late().await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert_eq!(server.call().await["method"], "late");
    }
    let status = late().await.unwrap().unwrap_err();
    assert!(status.message().contains("`max_calls`"), "{status}");
    let sum = start(&connection, request("sum", "[1]"));
    server.say(&[json!({"result": "late"})]).await;
    assert_eq!(server.call().await["method"], "sum");
    let answers = [json!({"result": "late"}), json!({"result": 5})];
    server.say(&answers).await;
    let mut response = sum.await.unwrap().unwrap();
    let message = response.body_mut().take_single();
    assert_eq!(message.unwrap().bytes(Encoding::JSON).unwrap(), "5");
}
