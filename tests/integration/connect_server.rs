//! Connect as its specification says it, byte by byte: GET, streams, and what is refused.

use std::io::{Read, Write};
use std::time::Duration;

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rpc_runtime::{Limits, Server, Wire};
use rpc_tests::http1::{Answer, envelope, send};
use rpc_tests::math::{Calculator, MathServer};
use rpc_tests::serving::{Serving, serve};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

/// No server takes longer than this to give up a reader, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

/// The flag of the envelope that ends an answer.
const END: u8 = 2;

const STREAM: (&str, &str) = ("content-type", "application/connect+json");

async fn serving() -> Serving {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let limits = Limits::new().max_message(4_000);
    serve("tcp", server.limits(limits).accept([Wire::Http])).await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}

/// Calls a method that streams, with these bytes as its body.
async fn stream(serving: &Serving, method: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let headers = [&[STREAM][..], headers].concat();
    let path = format!("/test.v1.Math/{method}");
    send(&serving.url, "POST", &path, &headers, body).await
}

/// Returns the messages of an answer and its end.
fn messages(answer: &Answer) -> (Vec<Value>, Value) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), STREAM.1);
    let mut envelopes = answer.envelopes();
    let (flag, end) = envelopes.pop().expect("an end");
    assert_eq!(flag, END, "{answer:?}");
    let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let messages = envelopes.iter().map(|(flag, bytes)| match flag {
        0 => read(bytes),
        1 => read(&gunzip(bytes)),
        other => panic!("the flag {other}"),
    });
    (messages.collect(), read(&end))
}

fn json_envelopes(values: &[Value]) -> Vec<u8> {
    let all = values.iter();
    all.flat_map(|it| envelope(0, it.to_string().as_bytes()))
        .collect()
}

#[tokio::test]
async fn read_only_methods_are_called_by_get() {
    let serving = serving().await;
    let get = async |method: &str, query: &str, headers: &[(&str, &str)]| {
        let path = format!("/test.v1.Math/{method}?{query}");
        send(&serving.url, "GET", &path, headers, b"").await
    };
    for query in [
        "encoding=json&message=%7B%22a%22%3A6%2C%22b%22%3A4%7D",
        "message={%22a%22:6,%22b%22:+4}&connect=v1&encoding=json",
        "encoding=json&base64=1&message=eyJhIjo2LCJiIjo0fQ",
        "encoding=json&base64=1&message=eyJhIjo2LCJiIjo0fQ%3D%3D&compression=identity",
    ] {
        let answer = get("divide", query, &[]).await;
        assert_eq!((answer.status, answer.json()), (200, json!(1.5)), "{query}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    // What a caller says of a body that he does not send is nothing that the next reader of a cache is told.
    let query = "encoding=json&message={%22a%22:6,%22b%22:4}";
    let answer = get("divide", query, &[("content-type", "text/html")]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/json");
    let packed = gzip(br#"{"a":6,"b":4}"#);
    let percent: String = packed.iter().map(|it| format!("%{it:02x}")).collect();
    let query = format!("encoding=json&compression=gzip&message={percent}");
    assert_eq!(get("divide", &query, &[]).await.json(), json!(1.5));
    let failed = get("divide", "encoding=json&message={%22a%22:1,%22b%22:0}", &[]).await;
    assert_eq!(
        (failed.status, &failed.json()["code"]),
        (400, &json!("invalid_argument"))
    );
    for (method, query, headers, status) in [
        ("divide", "encoding=json", &[][..], 400),
        ("divide", "encoding=json&message={}&connect=v2", &[], 400),
        ("divide", "encoding=json&message=*&base64=1", &[], 400),
        (
            "divide",
            "encoding=json&message={}&compression=br",
            &[],
            501,
        ),
        (
            "divide",
            "encoding=json&message={}&compression=gzip",
            &[],
            400,
        ),
        (
            "divide",
            "encoding=json&message={}",
            &[("connect-timeout-ms", "x")],
            400,
        ),
        ("divide", "encoding=xml&message={}", &[], 415),
        ("divide", "message={}", &[], 415),
        (
            "add",
            "encoding=json&message={%22a%22:1,%22b%22:0}",
            &[],
            405,
        ),
        ("count", "encoding=json&message={}", &[], 405),
        ("missing", "encoding=json&message={}", &[], 405),
        ("divide", "", &[], 405),
    ] {
        let answer = get(method, query, headers).await;
        assert_eq!(answer.status, status, "{method} {query}: {}", answer.text());
        if status == 405 {
            let allowed = if method == "divide" {
                "GET, POST"
            } else {
                "POST"
            };
            assert_eq!(answer.header("allow"), allowed);
            let is_told_how = answer.text().contains("in its query");
            assert_eq!(is_told_how, method == "divide", "{}", answer.text());
        }
    }
    let long = format!("encoding=json&message={}", "x".repeat(4_001));
    let answer = get("divide", &long, &[]).await;
    assert_eq!(answer.status, 429);
    assert!(
        answer.text().contains("`max_message` of 4000"),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn bodies_are_compressed_as_http_has_it() {
    let serving = serving().await;
    let path = "/test.v1.Math/echo";
    let body = serde_json::to_vec(&vec![7; 1_000]).unwrap();
    let json = ("content-type", "application/json");
    let headers = [
        json,
        ("content-encoding", "gzip"),
        ("accept-encoding", "br, gzip"),
    ];
    let answer = send(&serving.url, "POST", path, &headers, &gzip(&body)).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(gunzip(&answer.body), body);
    let answer = send(&serving.url, "POST", path, &[json], &body).await;
    assert_eq!(
        (answer.header("content-encoding"), &answer.body),
        ("", &body)
    );
    let answer = send(
        &serving.url,
        "POST",
        path,
        &headers,
        &gzip(&[b' '; 1 << 20]),
    )
    .await;
    assert_eq!(answer.status, 429, "a bomb");
    let headers = [json, ("content-encoding", "zstd")];
    let answer = send(&serving.url, "POST", path, &headers, b"[]").await;
    assert_eq!(answer.json()["code"], "unimplemented");
    assert!(
        answer.text().contains("there is: gzip, identity"),
        "{}",
        answer.text()
    );
    assert_eq!(answer.header("accept-encoding"), "gzip,identity");
}

#[tokio::test]
async fn streams_of_every_kind_are_envelopes() {
    let serving = serving().await;
    let (up_to, line) = (json!({"up_to": 3}), json!({"author": "a", "text": "b"}));
    for (method, sent, received, end) in [
        (
            "count",
            vec![up_to],
            vec![json!(0), json!(1), json!(2)],
            json!({}),
        ),
        ("count", vec![json!({"up_to": 0})], vec![], json!({})),
        (
            "sum",
            vec![json!(1), json!(2), json!(39)],
            vec![json!(42)],
            json!({}),
        ),
        ("sum", vec![], vec![json!(0)], json!({})),
        (
            "scaled_sum",
            vec![json!({"factor": 2}), json!(4), json!(5)],
            vec![json!(18)],
            json!({}),
        ),
        (
            "chat",
            vec![json!({"room": "r"}), line.clone(), line],
            vec![json!({"author": "r", "text": "a: b"}); 2],
            json!({}),
        ),
        (
            "count_then_fail",
            vec![json!({"items": 2})],
            vec![json!(0), json!(1)],
            json!({"error": {
                "code": "out_of_range",
                "message": "the result does not fit",
                "details": [{
                    "type": "rpc.runtime.Error+json",
                    "value": "Ik92ZXJmbG93Ig",
                    "debug": "Overflow",
                }],
            }}),
        ),
    ] {
        let answer = stream(&serving, method, &[], &json_envelopes(&sent)).await;
        assert_eq!(messages(&answer), (received, end), "{method}");
    }
}

#[tokio::test]
async fn envelopes_are_compressed_one_by_one() {
    let serving = serving().await;
    let headers = [
        ("connect-content-encoding", "gzip"),
        ("connect-accept-encoding", "gzip"),
    ];
    let line = json!({"author": "a", "text": "x".repeat(1_000)});
    let body = [
        envelope(0, br#"{"room":"r"}"#),
        envelope(1, &gzip(line.to_string().as_bytes())),
        envelope(0, br#"{"author":"a","text":"b"}"#),
    ];
    let answer = stream(&serving, "chat", &headers, &body.concat()).await;
    assert_eq!(answer.header("connect-content-encoding"), "gzip");
    let flags: Vec<u8> = answer.envelopes().iter().map(|(flag, _)| *flag).collect();
    assert_eq!(flags, [1, 0, END], "the short one is not compressed");
    let (messages, _) = messages(&answer);
    assert_eq!(messages[0]["text"], format!("a: {}", "x".repeat(1_000)));
}

#[tokio::test]
async fn what_is_wrong_with_a_stream_is_said_in_its_end() {
    let serving = serving().await;
    let good = json_envelopes(&[json!({"up_to": 3})]);
    let bomb = envelope(1, &gzip(&[b' '; 1 << 20]));
    let gzipped = ("connect-content-encoding", "gzip");
    for (name, headers, body, code, text) in [
        (
            "version",
            &[("connect-protocol-version", "2")][..],
            &good[..],
            "invalid_argument",
            "not 1",
        ),
        (
            "timeout",
            &[("connect-timeout-ms", "soon")],
            &good,
            "invalid_argument",
            "ten digits",
        ),
        (
            "compression",
            &[("connect-content-encoding", "br")],
            &good,
            "unimplemented",
            "gzip, identity",
        ),
        (
            "metadata",
            &[("x-bin", "*")],
            &good,
            "invalid_argument",
            "Base64",
        ),
        ("nothing", &[], b"", "internal", "has no message"),
        (
            "two",
            &[],
            &[&good[..], &good].concat(),
            "invalid_argument",
            "takes one message",
        ),
        ("flag", &[], &envelope(4, b"{}"), "internal", "the flag 4"),
        (
            "an end",
            &[],
            &envelope(END, b"{}"),
            "internal",
            "the flag 2",
        ),
        (
            "no header",
            &[],
            &envelope(1, b"{}"),
            "internal",
            "no header says how",
        ),
        (
            "no gzip",
            &[gzipped],
            &envelope(1, b"{}"),
            "internal",
            "decompressed",
        ),
        (
            "a bomb",
            &[gzipped],
            &bomb,
            "resource_exhausted",
            "`max_message` of 4000",
        ),
        (
            "large",
            &[],
            &[0, 0, 0, 0x0F, 0xA1],
            "resource_exhausted",
            "`max_message` of 4000",
        ),
        (
            "cut",
            &[],
            &[0, 0, 0, 0, 9, b'{'],
            "internal",
            "inside a message",
        ),
        ("cut head", &[], &[0, 0], "internal", "inside a message"),
        ("no JSON", &[], &envelope(0, b"{"), "invalid_argument", ""),
    ] {
        let answer = stream(&serving, "count", headers, body).await;
        let (messages, end) = messages(&answer);
        assert_eq!(
            (messages.len(), &end["error"]["code"]),
            (0, &json!(code)),
            "{name}: {end}"
        );
        assert!(
            end["error"]["message"].as_str().unwrap().contains(text),
            "{name}: {end}"
        );
    }
    let answer = stream(&serving, "missing", &[], b"").await;
    assert_eq!(messages(&answer).1["error"]["code"], "unimplemented");
}

#[tokio::test]
async fn methods_are_called_with_the_content_type_of_their_kind() {
    let serving = serving().await;
    for (method, content_type, status) in [
        ("add", "application/connect+json", 415),
        ("count", "application/json", 415),
        ("count", "application/connect", 415),
        ("count", "application/connect+", 415),
        ("count", "text/json", 415),
        ("add", "application/xml", 415),
    ] {
        let path = format!("/test.v1.Math/{method}");
        let headers = [("content-type", content_type)];
        let answer = send(&serving.url, "POST", &path, &headers, b"{}").await;
        assert_eq!(answer.status, status, "{method} {content_type}");
        assert!(
            answer
                .header("accept-post")
                .contains("application/connect+json")
        );
        if content_type == "application/xml" {
            assert!(
                answer.text().contains("`application/json`"),
                "{}",
                answer.text()
            );
        }
    }
    let headers = [("content-type", "application/connect+xml")];
    let answer = send(&serving.url, "POST", "/test.v1.Math/count", &headers, b"").await;
    let (flag, end) = answer.envelopes().remove(0);
    let end: Value = serde_json::from_slice(&end).unwrap();
    assert_eq!(
        (flag, &end["error"]["code"]),
        (END, &json!("unimplemented"))
    );
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_given_up() {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let quick = Duration::from_millis(100);
    let server = server.accept([Wire::Http]).keepalive(quick, quick);
    let serving = serve("tcp", server).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let address = serving.url.strip_prefix("tcp://").unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let body = json_envelopes(&vec![
        json!({"author": "a", "text": "x".repeat(1 << 20)});
        8
    ]);
    let body = [envelope(0, br#"{"room":"r"}"#), body].concat();
    let head = format!(
        "POST /test.v1.Math/chat HTTP/1.1\r\nhost: localhost\r\ncontent-type: {}\r\n\
         content-length: {}\r\n\r\n",
        STREAM.1,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // It stops to read when nobody takes the answers.
    let written = tokio::time::timeout(PATIENCE, stream.write_all(&body)).await;
    assert!(written.is_err() || written.unwrap().is_err());
    let given_up = async {
        while serving.stop.connections() > 0 || serving.stop.running_calls() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let given_up = tokio::time::timeout(PATIENCE, given_up).await;
    given_up.expect("the connection ends with its call");
}
