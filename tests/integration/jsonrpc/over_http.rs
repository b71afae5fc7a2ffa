//! One text a POST request.

use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::atomic::Ordering;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use http::Request;
use rpc_runtime::{Cors, Limits, Server, Status, Wire, from_fn};
use rpc_tests::http1::{Answer, send};
use rpc_tests::serving::{Serving, serve};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use super::example::{Served, examples, server, until};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn serving(configure: impl FnOnce(Server) -> Server) -> (Serving, Served) {
    let (server, served) = server();
    let wires = [Wire::Http, Wire::JsonRpc];
    let serving = serve("tcp", configure(server).accept(wires)).await;
    (serving, served)
}

async fn post(url: &str, headers: &[(&str, &str)], text: impl AsRef<[u8]>) -> Answer {
    let headers = [&[JSON], headers].concat();
    send(url, "POST", "/", &headers, text.as_ref()).await
}

fn call(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "method": method, "params": params, "id": 1}).to_string()
}

/// Has curl post a text, and returns the status and the body.
async fn curl(arguments: &[&str], url: &str, text: &str) -> (String, String) {
    let mut command = Command::new("curl");
    command
        .args([
            "-sS",
            "--max-time",
            "20",
            "-w",
            "\n%{http_code} %{http_version}",
        ])
        .args(["-H", "content-type: application/json", "-d", text])
        .args(arguments)
        .arg(url);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = output.await.expect("curl is there (bash tests/setup.sh)");
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = output.rsplit_once('\n').expect("a status behind the body");
    (status.to_owned(), body.to_owned())
}

#[tokio::test]
async fn the_examples_are_answered_over_every_version_of_http_and_tls() {
    let (serving, _) = serving(|it| it).await;
    let (server, _) = server();
    let secure = serve("tls", server.accept([Wire::Http, Wire::JsonRpc])).await;
    let plain = serving.url.replacen("tcp", "http", 1);
    let secure = secure.url.replacen("tls", "https", 1);
    for (arguments, url, version) in [
        (&["--http1.1"][..], &plain, "1.1"),
        (&["--http2-prior-knowledge"], &plain, "2"),
        (&["-k"], &secure, "2"),
    ] {
        for (text, expected) in examples() {
            let (status, body) = curl(arguments, url, text).await;
            let Some(expected) = expected else {
                assert_eq!(
                    (status, body),
                    (format!("204 {version}"), String::new()),
                    "{text}"
                );
                continue;
            };
            assert_eq!(status, format!("200 {version}"), "{text}");
            assert_eq!(
                serde_json::from_str::<Value>(&body).unwrap(),
                expected,
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn a_failure_is_in_the_answer() {
    let (serving, served) = serving(|it| it.limits(Limits::new().max_message(4_000))).await;
    let gzip = ("content-encoding", "gzip");
    let bomb = packed(&b" ".repeat(1 << 20));
    for (headers, text, code) in [
        (&[][..], call("take", &json!([11])).into_bytes(), -32011),
        (&[], b"{".to_vec(), -32700),
        (&[], b"".to_vec(), -32700),
        (&[], b" ".repeat(4_001), -32008),
        (&[gzip], bomb, -32008),
        (&[gzip], b"{}".to_vec(), -32602),
        (&[("content-encoding", "br")], b"{}".to_vec(), -32601),
        (&[], call("hurry", &json!([])).into_bytes(), -32004),
        (
            &[("connect-timeout-ms", "20")],
            call("wait", &json!([60_000])).into_bytes(),
            -32004,
        ),
        (&[("connect-timeout-ms", "x")], b"{}".to_vec(), -32602),
    ] {
        let answer = post(&serving.url, headers, text).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), JSON.1);
        assert_eq!(answer.json()["error"]["code"], code, "{answer:?}");
    }
    until(&served.waiting, 0).await;
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn texts_are_compressed_for_those_that_can() {
    let (serving, _) = serving(|it| it).await;
    let text = packed(call("echo", &json!(["x".repeat(5_000)])).as_bytes());
    let headers = [
        ("content-encoding", "gzip"),
        ("accept-encoding", "br, gzip"),
    ];
    let answer = post(&serving.url, &headers, text).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    let mut unpacked = String::new();
    let mut decoder = GzDecoder::new(&*answer.body);
    decoder.read_to_string(&mut unpacked).unwrap();
    let answer: Value = serde_json::from_str(&unpacked).unwrap();
    assert_eq!(answer["result"], "x".repeat(5_000));
    let small = post(&serving.url, &headers[1..], call("sum", &json!([1, 2, 3]))).await;
    assert_eq!(small.header("content-encoding"), "");
    assert_eq!(small.json()["result"], 6);
}

#[tokio::test]
async fn what_is_no_text_is_refused_by_http() {
    let (serving, _) = serving(|it| it).await;
    let text = call("sum", &json!([1, 2, 3]));
    for (verb, path, headers, status) in [
        ("GET", "/", &[JSON][..], 405),
        ("POST", "/", &[], 415),
        // A browser sends these of every page, without asking.
        ("POST", "/", &[("content-type", "text/plain")], 415),
        ("POST", "/", &[JSON, ("host", "evil.example")], 403),
        ("POST", "/other", &[JSON], 501),
    ] {
        let answer = send(&serving.url, verb, path, headers, text.as_bytes()).await;
        assert_eq!(answer.status, status, "{verb} {path}: {answer:?}");
    }
    let parameters = [("content-type", "Application/JSON; charset=utf-8")];
    let answer = send(&serving.url, "POST", "/?x=1", &parameters, text.as_bytes()).await;
    assert_eq!(answer.json()["result"], 6);
    let connect = "/test.v1.Example/sum";
    let body = br#"{"a":1,"b":2,"c":3}"#;
    let answer = send(&serving.url, "POST", connect, &[JSON], body).await;
    assert_eq!(answer.text(), "6", "Connect has its paths");
}

#[tokio::test]
async fn it_is_spoken_where_it_was_asked_for() {
    let (server, _) = server();
    let serving = serve("tcp", server.accept([Wire::Http])).await;
    let text = call("sum", &json!([1, 2, 3]));
    assert_eq!(post(&serving.url, &[], &text).await.status, 501);
    let (serving, _) = self::serving(|it| it.json_rpc_path("/rpc")).await;
    assert_eq!(post(&serving.url, &[], &text).await.status, 501);
    let answer = send(&serving.url, "POST", "/rpc", &[JSON], text.as_bytes()).await;
    assert_eq!(answer.json()["result"], 6);
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may_call() {
    let cors = Cors::new().allow_origin("https://app.example");
    let (serving, _) = serving(|it| it.cors(cors)).await;
    let origin = ("origin", "https://app.example");
    let question = [origin, ("access-control-request-method", "POST")];
    let allowed = send(&serving.url, "OPTIONS", "/", &question, b"").await;
    assert_eq!(allowed.status, 204);
    let answer = post(&serving.url, &[origin], call("sum", &json!([1, 2, 3]))).await;
    assert_eq!(answer.header("access-control-allow-origin"), origin.1);
    assert_eq!(answer.json()["result"], 6);
}

#[tokio::test]
async fn layers_see_the_headers_of_every_call_of_a_batch() {
    let (server, served) = server();
    let server = server.layer(from_fn(|request, next| async move {
        let token = request.metadata().get("authorization");
        if token.is_none_or(|it| it != "Bearer secret") {
            return Err(Status::unauthenticated("who are you"));
        }
        next.call(request).await
    }));
    let serving = serve("tcp", server.accept([Wire::Http, Wire::JsonRpc])).await;
    let sum = call("sum", &json!([1, 2, 3]));
    let notification = r#"{"jsonrpc":"2.0","method":"notify_hello","params":[1]}"#;
    let batch = format!("[{sum},{notification},{sum}]");
    let refused = post(&serving.url, &[], &batch).await.json();
    let codes = refused.as_array().unwrap().iter();
    assert!(
        codes.clone().all(|it| it["error"]["code"] == -32016),
        "{refused}"
    );
    assert_eq!(
        (codes.len(), served.notified.load(Ordering::SeqCst)),
        (2, 0)
    );
    let token = [("authorization", "Bearer secret")];
    let answered = post(&serving.url, &token, &batch).await.json();
    assert_eq!(answered[1]["result"], 6, "{answered}");
    assert_eq!(served.notified.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn handlers_end_with_the_request() {
    let (serving, served) = serving(|it| it).await;
    let address = serving.url.strip_prefix("tcp://").expect("a TCP address");
    let mut peer = TcpStream::connect(address).await.unwrap();
    let wait = call("wait", &json!([60_000]));
    let text = format!("[{wait},{wait}]");
    let length = text.len();
    let head = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n"
    );
    peer.write_all((head + &text).as_bytes()).await.unwrap();
    until(&served.waiting, 2).await;
    drop(peer);
    until(&served.waiting, 0).await;
}

#[tokio::test]
async fn the_calls_of_one_connection_are_bounded_together() {
    let limits = Limits::new().max_calls(3);
    let (serving, served) = serving(|it| it.limits(limits)).await;
    let address = serving.url.strip_prefix("tcp://").expect("a TCP address");
    let stream = TcpStream::connect(address).await.unwrap();
    let (http2, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut http2 = http2.ready().await.unwrap();
    let wait = call("wait", &json!([3_000]));
    let text = format!("[{wait},{wait}]");
    let mut refused = 0;
    let mut answers = Vec::new();
    for waiting in [2, 3] {
        let request = Request::post("http://localhost/").header(JSON.0, JSON.1);
        let (answer, mut body) = http2
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        body.send_data(text.clone().into(), true).unwrap();
        until(&served.waiting, waiting).await;
        answers.push(answer);
    }
    for answer in answers {
        let mut body = answer.await.unwrap().into_body();
        let text = body.data().await.expect("an answer").unwrap();
        let calls: Vec<Value> = serde_json::from_slice(&text).unwrap();
        refused += calls
            .iter()
            .filter(|it| it["error"]["code"] == -32008)
            .count();
    }
    assert_eq!(refused, 1);
}

#[tokio::test]
async fn it_is_spoken_within_an_application_of_axum() {
    let (server, _) = server();
    let server = server.accept([Wire::JsonRpc]).json_rpc_path("/api/rpc");
    let app = axum::Router::new().route_service("/api/rpc", server.into_http_service());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let text = call("sum", &json!([1, 2, 3]));
    let answer = send(&url, "POST", "/api/rpc", &[JSON], text.as_bytes()).await;
    assert_eq!(answer.json()["result"], 6);
}
