//! Our gRPC server as it looks on the wire, to a client that can break every rule.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::{self, SendRequest};
use http::{HeaderMap, Method, Request, StatusCode};
use rpc_runtime::{Limits, Server, Wire};
use rpc_tests::eventually;
use rpc_tests::math::{Calculator, MathServer};
use rpc_tests::serving::{Serving, serve};
use tokio::net::TcpStream;

/// No answer takes longer than this, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

struct Raw {
    http2: SendRequest<Bytes>,
    _serving: Serving,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
}

impl Answer {
    fn field(&self, name: &str) -> &str {
        let trailers = self.trailers.as_ref().unwrap_or(&self.headers);
        trailers.get(name).map_or("", |it| it.to_str().unwrap())
    }
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

async fn raw(limits: Limits) -> Raw {
    let server = Server::new()
        .add(MathServer::new(Calculator::new()))
        .limits(limits);
    let serving = serve("tcp", server.accept([Wire::Http])).await;
    let address = serving.url.strip_prefix("tcp://").unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let (http2, connection) = client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    Raw {
        http2: http2.ready().await.unwrap(),
        _serving: serving,
    }
}

fn head(path: &str, headers: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://localhost{path}"));
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/grpc+json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

impl Raw {
    async fn call(&mut self, path: &str, headers: &[(&str, &str)], pieces: &[&[u8]]) -> Answer {
        self.send(head(path, headers), pieces)
            .await
            .expect("an answer")
    }

    async fn send(&mut self, head: Request<()>, pieces: &[&[u8]]) -> Result<Answer, h2::Error> {
        let (response, mut stream) = self.http2.send_request(head, false)?;
        for piece in pieces {
            let _ = stream.send_data(Bytes::copy_from_slice(piece), false);
            tokio::task::yield_now().await;
        }
        let _ = stream.send_data(Bytes::new(), true);
        let answered = tokio::time::timeout(PATIENCE, async {
            let (head, mut body) = response.await?.into_parts();
            let mut data = BytesMut::new();
            while let Some(chunk) = body.data().await {
                data.extend_from_slice(&chunk?);
            }
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                data: data.to_vec(),
                trailers: body.trailers().await?,
            })
        });
        answered.await.expect("the answer comes in time")
    }
}

const ADD: &str = "/test.v1.Math/add";
const ARGS: &[u8] = br#"{"a":2,"b":3}"#;

#[tokio::test]
async fn a_call_has_headers_a_message_and_trailers() {
    let mut raw = raw(Limits::new()).await;
    let answer = raw.call(ADD, &[("te", "trailers")], &[&frame(ARGS)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["content-type"], "application/grpc+json");
    assert_eq!(answer.data, frame(b"5"));
    assert_eq!(answer.trailers.as_ref().unwrap()["grpc-status"], "0");
    assert!(!answer.headers.contains_key("grpc-status"));
}

#[tokio::test]
async fn messages_may_be_cut_anywhere() {
    let mut raw = raw(Limits::new()).await;
    let framed = frame(ARGS);
    let bytes: Vec<&[u8]> = framed.chunks(1).collect();
    assert_eq!(raw.call(ADD, &[], &bytes).await.data, frame(b"5"));
    let numbers: Vec<u8> = (1..=100)
        .flat_map(|n| frame(n.to_string().as_bytes()))
        .collect();
    for size in [1, 3, 7, 1000] {
        let pieces: Vec<&[u8]> = numbers.chunks(size).collect();
        let answer = raw.call("/test.v1.Math/sum", &[], &pieces).await;
        assert_eq!(
            (answer.field("grpc-status"), &answer.data[..]),
            ("0", &frame(b"5050")[..])
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_call_fails_it_alone() {
    let limits = Limits::new().max_message(4_000).max_metadata(2_000);
    let mut raw = raw(limits).await;
    let whole = frame(ARGS);
    let large = frame(&[b' '; 4_001]);
    let long = "x".repeat(2_001);
    let two = [frame(ARGS), frame(ARGS)].concat();
    type Case<'a> = (
        &'a str,
        &'a [(&'a str, &'a str)],
        &'a [u8],
        &'a str,
        &'a str,
    );
    let cases: [Case<'_>; 17] = [
        ("/test.v1.Math/ad", &[], &whole, "12", "`test.v1.Math/add`"),
        ("/no.Service/add", &[], &whole, "12", "no service"),
        ("/", &[], &whole, "12", "no function"),
        (
            ADD,
            &[("content-type", "application/grpc")],
            &whole,
            "12",
            "it has: msgpack, json",
        ),
        (
            ADD,
            &[("content-type", "application/grpc+thrift")],
            &whole,
            "12",
            "`thrift`",
        ),
        (
            ADD,
            &[("grpc-timeout", "1 S")],
            &whole,
            "3",
            "`grpc-timeout`",
        ),
        (ADD, &[("grpc-timeout", "0n")], &whole, "4", "deadline"),
        (
            "/test.v1.Math/sleep",
            &[("grpc-timeout", "20m")],
            &frame(br#"{"milliseconds":60000}"#),
            "4",
            "deadline",
        ),
        (ADD, &[("grpc-encoding", "br")], &whole, "12", "`br`"),
        (ADD, &[("x-bin", "*")], &whole, "3", "`x-bin`"),
        (ADD, &[("long", &long)], &whole, "8", "`max_metadata`"),
        (
            ADD,
            &[],
            &large,
            "8",
            "the server's limit `max_message` of 4000",
        ),
        (ADD, &[], &two, "3", "one message"),
        (ADD, &[], b"", "13", "no message"),
        (ADD, &[], &whole[..7], "13", "inside a message"),
        (ADD, &[], b"\x07\0\0\0\0", "13", "flag 7"),
        (ADD, &[], b"\x01\0\0\0\x01x", "13", "no header says how"),
    ];
    for (path, headers, body, status, text) in cases {
        let answer = raw.call(path, headers, &[body]).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            answer.field("grpc-status"),
            status,
            "{path} {headers:?} {answer:?}"
        );
        let message = answer.field("grpc-message").replace("%60", "`");
        assert!(message.contains(text), "{path} {headers:?}: {message}");
        assert!(
            answer.trailers.is_none() && answer.data.is_empty(),
            "nothing but trailers"
        );
    }
    assert_eq!(raw.call(ADD, &[], &[&whole]).await.data, frame(b"5"));
}

#[tokio::test]
async fn every_unit_of_time_is_read_and_nothing_else() {
    let mut raw = raw(Limits::new()).await;
    let whole = frame(ARGS);
    let enough = [
        "1H",
        "1M",
        "9S",
        "9000m",
        "9000000u",
        "99999999H",
        "00000009S",
    ];
    let none = [
        "",
        "1",
        "S",
        "1s",
        "1d",
        "-1S",
        "+1S",
        "1.5S",
        "123456789S",
        "1S ",
        "1 S",
    ];
    let over = ["0H", "0S", "1n"];
    let cases = [(&enough[..], "0"), (&none, "3"), (&over, "4")];
    for (timeouts, status) in cases {
        for timeout in timeouts {
            let headers = [("grpc-timeout", *timeout)];
            let answer = raw.call(ADD, &headers, &[&whole]).await;
            assert_eq!(answer.field("grpc-status"), status, "{timeout}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_call_gets_an_http_status() {
    let mut raw = raw(Limits::new()).await;
    let get = Request::get(format!("http://localhost{ADD}"))
        .body(())
        .unwrap();
    let answer = raw.send(get, &[]).await.unwrap();
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    for content_type in ["application/grpc-web-x", "text/html"] {
        let answer = raw.call(ADD, &[("content-type", content_type)], &[]).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(!answer.headers.contains_key("grpc-status"));
    }
    let mut rebound = head(ADD, &[]);
    *rebound.uri_mut() = format!("http://evil.example{ADD}").parse().unwrap();
    assert_eq!(
        raw.send(rebound, &[]).await.unwrap().status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn connect_is_spoken_over_http2_too() {
    let mut raw = raw(Limits::new()).await;
    let headers = [("content-type", "application/json")];
    let answer = raw.call(ADD, &headers, &[ARGS]).await;
    assert_eq!(
        (answer.status, &answer.data[..]),
        (StatusCode::OK, &b"5"[..])
    );
}

#[tokio::test]
async fn a_failure_behind_a_stream_is_in_its_trailers() {
    let mut raw = raw(Limits::new()).await;
    let body = frame(br#"{"items":2}"#);
    let answer = raw
        .call("/test.v1.Math/count_then_fail", &[], &[&body])
        .await;
    assert_eq!(answer.data, [frame(b"0"), frame(b"1")].concat());
    assert_eq!(answer.field("grpc-status"), "11");
    assert_eq!(answer.field("grpc-message"), "the result does not fit");
    assert!(
        answer
            .trailers
            .unwrap()
            .contains_key("grpc-status-details-bin")
    );
}

#[tokio::test]
async fn a_message_that_stops_is_given_up() {
    let limits = Limits::new().message_timeout(Duration::from_millis(100));
    let mut raw = raw(limits).await;
    for piece in [&b""[..], b"\0\0\0", b"\0\0\0\0\x05ab"] {
        let (response, mut stream) = raw.http2.send_request(head(ADD, &[]), false).unwrap();
        stream
            .send_data(Bytes::copy_from_slice(piece), false)
            .unwrap();
        let answered = tokio::time::timeout(PATIENCE, response).await;
        let answer = answered.expect("it is given up in time").unwrap();
        assert_eq!(answer.headers()["grpc-status"], "4", "{piece:?}");
    }
    eventually("they have ended", || raw._serving.stop.running_calls() == 0).await;
}

#[tokio::test]
async fn calls_at_once_are_bounded() {
    let mut raw = raw(Limits::new().max_calls(3)).await;
    // The peer hears of the limit before it may rely on it.
    raw.call(ADD, &[], &[&frame(ARGS)]).await;
    assert_eq!(raw.http2.current_max_send_streams(), 3);
}

#[tokio::test]
async fn resets_without_end_do_no_harm() {
    let raw = raw(Limits::new()).await;
    let body = frame(br#"{"milliseconds":60000}"#);
    for _ in 0..500 {
        let head = head("/test.v1.Math/sleep", &[]);
        // A server may have enough of it, and says so by a GOAWAY.
        let Ok(mut ready) = raw.http2.clone().ready().await else {
            break;
        };
        let Ok((response, mut stream)) = ready.send_request(head, false) else {
            break;
        };
        let _ = stream.send_data(Bytes::copy_from_slice(&body), true);
        tokio::task::yield_now().await;
        drop((response, stream));
        tokio::task::yield_now().await;
    }
    let calm = async {
        while raw._serving.stop.running_calls() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, calm)
        .await
        .expect("every handler is dropped");
}

#[tokio::test]
async fn a_caller_that_reads_nothing_cannot_keep_a_call_beyond_its_deadline() {
    let mut raw = raw(Limits::new()).await;
    let head = head("/test.v1.Math/count", &[("grpc-timeout", "5S")]);
    let (response, mut stream) = raw.http2.send_request(head, false).unwrap();
    let body = frame(br#"{"up_to":100000}"#);
    stream.send_data(body.into(), true).unwrap();
    let answer = response.await.unwrap();
    assert_eq!(
        raw._serving.stop.running_calls(),
        1,
        "more than its window is to come"
    );
    let over = async {
        while raw._serving.stop.running_calls() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, over)
        .await
        .expect("the call is over");
    let mut body = answer.into_body();
    while let Some(data) = body.data().await {
        let data = data.unwrap();
        body.flow_control().release_capacity(data.len()).unwrap();
    }
    let trailers = body.trailers().await.unwrap().expect("trailers");
    assert_eq!(trailers["grpc-status"], "4");
}

#[tokio::test]
async fn a_client_that_has_fallen_silent_is_closed() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let short = Duration::from_millis(50);
    let server = Server::new().keepalive(short, short).accept([Wire::Http]);
    let serving = serve("tcp", server).await;
    let address = serving.url.strip_prefix("tcp://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(hello).await.unwrap();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("it is closed in time");
    let pinged = bytes.windows(4).any(|it| it == b"\0\x08\x06\0");
    assert!(pinged, "it was asked first: {bytes:?}");
}
