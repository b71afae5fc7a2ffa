//! Our clients of Connect and gRPC-Web against servers that misbehave: they never hang, and never
//! take a broken stream for a good one.

use std::future::IntoFuture;
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use flate2::write::GzEncoder;
use h2::Reason;
use h2::server::{self, SendResponse};
use http::Response;
use rpc_runtime::{Channel, Code, Encoding, Limits, Status};
use rpc_tests::http1::envelope;
use rpc_tests::math::MathClient;
use tokio::net::TcpListener;

/// No call takes longer than this, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

/// How an answer goes on behind its data.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    End,
    Reset(Reason),
}

/// An answer.
#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    data: Vec<u8>,
    then: Then,
}

fn answer(status: u16, content_type: &'static str, data: &[u8]) -> Answer {
    Answer {
        status,
        headers: vec![("content-type", content_type)],
        data: data.to_vec(),
        then: Then::End,
    }
}

impl Answer {
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn reset(mut self, reason: Reason) -> Self {
        self.then = Then::Reset(reason);
        self
    }

    fn send(self, mut reply: SendResponse<Bytes>) {
        let mut head = Response::builder().status(self.status);
        for (name, value) in self.headers {
            head = head.header(name, value);
        }
        let mut stream = reply.send_response(head.body(()).unwrap(), false).unwrap();
        let is_end = self.then == Then::End;
        stream.send_data(self.data.into(), is_end).unwrap();
        if let Then::Reset(reason) = self.then {
            stream.send_reset(reason);
        }
    }
}

/// Answers every call in this way.
async fn answering(scheme: &str, answer: Answer) -> MathClient {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut http2 = server::handshake(stream).await.unwrap();
                while let Some(Ok((_, reply))) = http2.accept().await {
                    answer.clone().send(reply);
                }
            });
        }
    });
    let limits = Limits::new().max_message(4_000);
    let channel = Channel::connect(&url).limits(limits).await.unwrap();
    MathClient::new(channel.with_encoding(Encoding::JSON))
}

/// Calls a method that does not stream.
async fn unary(scheme: &str, answer: Answer) -> Result<i64, Status> {
    let client = answering(scheme, answer).await;
    let call = tokio::time::timeout(PATIENCE, client.add(2, 3).into_future()).await;
    call.expect("the call ends")
}

/// Calls a method that streams, up to its end.
async fn stream(scheme: &str, answer: Answer) -> Result<Vec<u64>, Status> {
    let client = answering(scheme, answer).await;
    let mut items = client.count(3);
    let all = async {
        let mut all = Vec::new();
        while let Some(item) = items.next().await {
            all.push(item?);
        }
        Ok(all)
    };
    let all = tokio::time::timeout(PATIENCE, all).await;
    all.expect("the stream ends")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn replies_of_connect_that_are_wrong_are_failures() {
    const JSON: &str = "application/json";
    let packed = |bytes: &[u8]| answer(200, JSON, &gzip(bytes)).with("content-encoding", "gzip");
    assert_eq!(
        unary("connect+http", answer(200, JSON, b"5"))
            .await
            .unwrap(),
        5
    );
    assert_eq!(unary("connect+http", packed(b"5")).await.unwrap(), 5);
    let not_found = br#"{"code":"not_found","message":"m"}"#;
    for (name, answer, code, text) in [
        (
            "a page",
            answer(200, "text/html", b"<html>"),
            Code::Unknown,
            "`text/html`",
        ),
        (
            "its error",
            answer(404, "text/html", b"<html>"),
            Code::Unimplemented,
            "404",
        ),
        ("no type", answer(502, "", b""), Code::Unavailable, "502"),
        (
            "envelopes",
            answer(200, "application/connect+json", b""),
            Code::Unknown,
            "Connect",
        ),
        (
            "a failure",
            answer(404, JSON, not_found),
            Code::NotFound,
            "m",
        ),
        (
            "a bare failure",
            answer(503, JSON, b"{}"),
            Code::Unavailable,
            "",
        ),
        (
            "no failure",
            answer(503, JSON, b"<html>"),
            Code::Unavailable,
            "503",
        ),
        ("nothing", answer(200, JSON, b""), Code::Internal, ""),
        ("no JSON", answer(200, JSON, b"{"), Code::Internal, ""),
        (
            "large",
            answer(200, JSON, &[b' '; 4_001]),
            Code::ResourceExhausted,
            "client's limit `max_message`",
        ),
        (
            "large failure",
            answer(500, JSON, &[b' '; 4_001]),
            Code::ResourceExhausted,
            "`max_message`",
        ),
        (
            "a bomb",
            packed(&[b' '; 1 << 20]),
            Code::ResourceExhausted,
            "`max_message`",
        ),
        (
            "no gzip",
            answer(200, JSON, b"5").with("content-encoding", "gzip"),
            Code::Internal,
            "decompressed",
        ),
        (
            "br",
            answer(200, JSON, b"5").with("content-encoding", "br"),
            Code::Internal,
            "not offered",
        ),
        (
            "cut",
            answer(200, JSON, b"5").with("content-length", "9"),
            Code::Internal,
            "",
        ),
        (
            "reset",
            answer(200, JSON, b"5").reset(Reason::CANCEL),
            Code::Cancelled,
            "",
        ),
        (
            "refused",
            answer(200, JSON, b"5").reset(Reason::REFUSED_STREAM),
            Code::Unavailable,
            "",
        ),
    ] {
        let failure = unary("connect+http", answer).await.expect_err(name);
        assert_eq!(failure.code(), code, "{name}: {failure}");
        assert!(failure.to_string().contains(text), "{name}: {failure}");
    }
}

#[tokio::test]
async fn streams_of_connect_that_are_wrong_are_failures() {
    const STREAM: &str = "application/connect+json";
    let items = [envelope(0, b"0"), envelope(0, b"1")].concat();
    let after = |rest: &[u8]| answer(200, STREAM, &[&items[..], rest].concat());
    let bomb = envelope(1, &gzip(&[b' '; 1 << 20]));
    let gzipped = ("connect-content-encoding", "gzip");
    let good = after(&envelope(2, b"{}"));
    assert_eq!(stream("connect+http", good).await.unwrap(), [0, 1]);
    let packed = after(&envelope(3, &gzip(b"{}"))).with(gzipped.0, gzipped.1);
    assert_eq!(stream("connect+http", packed).await.unwrap(), [0, 1]);
    let failed = br#"{"error":{"code":"aborted","message":"m"}}"#;
    let behind = [envelope(2, b"{}"), envelope(0, b"2")].concat();
    for (name, answer, code, text) in [
        ("no end", after(b""), Code::Internal, "without an end"),
        ("a failure", after(&envelope(2, failed)), Code::Aborted, "m"),
        (
            "no JSON",
            after(&envelope(2, b"<")),
            Code::Internal,
            "cannot be read",
        ),
        (
            "null",
            after(&envelope(2, b"null")),
            Code::Internal,
            "cannot be read",
        ),
        (
            "behind the end",
            after(&behind),
            Code::Internal,
            "follows the end",
        ),
        (
            "cut",
            after(&[0, 0, 0, 0, 9, b'2']),
            Code::Internal,
            "inside a message",
        ),
        (
            "a flag",
            after(&envelope(4, b"2")),
            Code::Internal,
            "the flag 4",
        ),
        (
            "not said how",
            after(&envelope(1, b"2")),
            Code::Internal,
            "no header",
        ),
        (
            "a bomb",
            after(&bomb).with(gzipped.0, gzipped.1),
            Code::ResourceExhausted,
            "`max_message`",
        ),
        (
            "large",
            after(&[0, 0, 0, 0x0F, 0xA1]),
            Code::ResourceExhausted,
            "client's limit",
        ),
        (
            "a reset",
            after(b"").reset(Reason::INTERNAL_ERROR),
            Code::Internal,
            "",
        ),
        (
            "cancelled",
            after(&envelope(2, b"{}")).reset(Reason::CANCEL),
            Code::Cancelled,
            "",
        ),
        (
            "a page",
            answer(200, "text/html", b"<html>"),
            Code::Unknown,
            "`text/html`",
        ),
        (
            "its error",
            answer(503, STREAM, b""),
            Code::Unavailable,
            "503",
        ),
        (
            "one message",
            answer(200, "application/json", b"5"),
            Code::Unknown,
            "Connect",
        ),
        (
            "br",
            after(b"").with("connect-content-encoding", "br"),
            Code::Internal,
            "not offered",
        ),
        (
            "an encoding",
            answer(200, "application/connect+xml", b""),
            Code::Internal,
            "`xml`",
        ),
    ] {
        let failure = stream("connect+http", answer).await.expect_err(name);
        assert_eq!(failure.code(), code, "{name}: {failure}");
        assert!(failure.to_string().contains(text), "{name}: {failure}");
    }
}

#[tokio::test]
async fn answers_of_grpc_web_that_are_wrong_are_failures() {
    const WEB: &str = "application/grpc-web+json";
    let after = |rest: &[u8]| answer(200, WEB, &[&envelope(0, b"5")[..], rest].concat());
    let ended = |trailers: &str| after(&envelope(0x80, trailers.as_bytes()));
    let good = ended("grpc-status: 0\r\n");
    assert_eq!(unary("grpc-web+http", good).await.unwrap(), 5);
    let failed = "Grpc-Status:9\r\ngrpc-message:100%25\r\nmore: 1";
    for (name, answer, code, text) in [
        ("no trailers", after(b""), Code::Unknown, "without a status"),
        ("empty", ended(""), Code::Unknown, "without a status"),
        (
            "no lines",
            ended("grpc-status"),
            Code::Unknown,
            "without a status",
        ),
        ("a number", ended("grpc-status: x\r\n"), Code::Unknown, ""),
        ("a failure", ended(failed), Code::FailedPrecondition, "100%"),
        (
            "in the head",
            answer(200, WEB, b"").with("grpc-status", "5"),
            Code::NotFound,
            "",
        ),
        (
            "cut",
            after(&[0x80, 0, 0, 0, 9]),
            Code::Internal,
            "inside a message",
        ),
        (
            "behind",
            after(&[envelope(0x80, b"grpc-status: 0"), vec![0]].concat()),
            Code::Internal,
            "follows",
        ),
        (
            "gRPC",
            answer(200, "application/grpc+json", b""),
            Code::Unknown,
            "gRPC-Web",
        ),
        (
            "a page",
            answer(404, "text/html", b""),
            Code::Unimplemented,
            "404",
        ),
        (
            "reset",
            after(b"").reset(Reason::CANCEL),
            Code::Cancelled,
            "",
        ),
    ] {
        let failure = unary("grpc-web+http", answer.clone())
            .await
            .expect_err(name);
        assert_eq!(failure.code(), code, "{name}: {failure}");
        assert!(failure.to_string().contains(text), "{name}: {failure}");
        assert!(stream("grpc-web+http", answer).await.is_err(), "{name}");
    }
}

/// What changes nothing, and what does.
#[rpc_runtime::rpc_service(name = "get.v1.Get")]
trait Get {
    #[rpc(read_only)]
    async fn read(&self, text: String) -> String;

    async fn write(&self, text: String) -> String;
}

/// Answers each call with the HTTP method and the target that came.
async fn tells_the_target() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("connect+http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut http2 = server::handshake(stream).await.unwrap();
        while let Some(Ok((request, reply))) = http2.accept().await {
            let target = request.uri().path_and_query().unwrap();
            let text = format!("{} {target}", request.method());
            let of_body = ["content-type", "connect-protocol-version"];
            let has_body = of_body.map(|name| request.headers().contains_key(name));
            assert_eq!(has_body, [request.method() == "POST"; 2], "{text}");
            assert!(request.headers().contains_key("connect-timeout-ms"));
            let json = serde_json::to_vec(&text).unwrap();
            answer(200, "application/json", &json).send(reply);
        }
    });
    url
}

#[tokio::test]
async fn what_only_reads_is_called_by_get_where_that_is_set() {
    let target =
        "/get.v1.Get/read?connect=v1&encoding=json&message=%7B%22text%22%3A%22%C3%A9%22%7D";
    let length = target.len();
    for (max_url, is_get) in [
        (0, false),
        (length - 1, false),
        (length, true),
        (8_000, true),
    ] {
        let channel = Channel::connect(tells_the_target().await).connect_get(max_url);
        let channel = channel.await.unwrap().with_encoding(Encoding::JSON);
        let client = GetClient::new(channel);
        let read = client.read("é".into()).await.unwrap();
        let expected = if is_get {
            format!("GET {target}")
        } else {
            "POST /get.v1.Get/read".to_owned()
        };
        assert_eq!(read, expected, "{max_url}");
        assert_eq!(
            client.write("a".into()).await.unwrap(),
            "POST /get.v1.Get/write"
        );
    }
}
