//! HTTP on the port of the native wire: what tells them apart, and Connect as `curl` speaks it.

use std::time::Duration;

use rpc_runtime::transport::Io;
use rpc_runtime::{Channel, Limits, Server, Wire};
use rpc_tests::eventually;
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{Serving, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// No answer takes longer than this, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

async fn serving(configure: impl FnOnce(Server) -> Server) -> Serving {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    serve("tcp", configure(server)).await
}

async fn http() -> Serving {
    serving(|it| it.accept([Wire::Http])).await
}

async fn connect(serving: &Serving) -> TcpStream {
    let address = serving.url.strip_prefix("tcp://").unwrap();
    TcpStream::connect(address).await.unwrap()
}

/// Reads up to the end of the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the server closes in time");
    String::from_utf8(bytes).unwrap()
}

/// Sends one request, and returns the head of the answer and its body.
async fn send(
    serving: &Serving,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> (String, String) {
    let mut stream = connect(serving).await;
    let length = body.len();
    let host = if headers.contains("host:") {
        ""
    } else {
        "host: localhost\r\n"
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{host}connection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    stream
        .write_all(&[head.as_bytes(), body].concat())
        .await
        .unwrap();
    let answer = rest(&mut stream).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    (head.to_ascii_lowercase(), body.to_owned())
}

const JSON: &str = "content-type: application/json\r\n";

async fn post(serving: &Serving, method: &str, headers: &str, body: &str) -> (String, Value) {
    let path = format!("/test.v1.Math/{method}");
    let headers = format!("{JSON}{headers}");
    let (head, body) = send(serving, "POST", &path, &headers, body.as_bytes()).await;
    (head, serde_json::from_str(&body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn curl_calls_a_method_with_json() {
    let serving = http().await;
    let (head, body) = post(&serving, "add", "", r#"{"a":10,"b":20}"#).await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/json"), "{head}");
    assert_eq!(body, json!(30));
    let (_, body) = post(&serving, "nothing", "", "").await;
    assert_eq!(body, Value::Null);
    let headers = "name: ann\r\nconnect-protocol-version: 1\r\n";
    let (head, body) = post(&serving, "who", headers, "{}").await;
    assert_eq!(body, json!("ann"));
    assert!(
        head.contains("served-by: calculator") && head.contains("trailer-seen: yes"),
        "{head}"
    );
}

#[tokio::test]
async fn failures_are_json_with_the_status_of_their_code() {
    let serving = http().await;
    for (method, headers, body, status, code) in [
        ("who", "", "{}", 401, "unauthenticated"),
        ("add", "", r#"{"a":1}"#, 400, "invalid_argument"),
        ("add", "", "{", 400, "invalid_argument"),
        ("missing", "", "{}", 501, "unimplemented"),
        ("panic", "", "{}", 500, "internal"),
        (
            "sleep",
            "connect-timeout-ms: 20\r\n",
            r#"{"milliseconds":60000}"#,
            504,
            "deadline_exceeded",
        ),
        (
            "add",
            "connect-timeout-ms: -1\r\n",
            "{}",
            400,
            "invalid_argument",
        ),
        (
            "add",
            "connect-timeout-ms: 12345678901\r\n",
            "{}",
            400,
            "invalid_argument",
        ),
        (
            "add",
            "connect-protocol-version: 2\r\n",
            "{}",
            400,
            "invalid_argument",
        ),
        (
            "add",
            "content-encoding: br\r\n",
            "{}",
            501,
            "unimplemented",
        ),
        (
            "add",
            "content-encoding: gzip\r\n",
            "{}",
            400,
            "invalid_argument",
        ),
        ("add", "x-bin: *\r\n", "{}", 400, "invalid_argument"),
    ] {
        let (head, answer) = post(&serving, method, headers, body).await;
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{method} {headers}: {head}"
        );
        assert_eq!(answer["code"], code, "{method} {headers}");
    }
    let (_, answer) = post(&serving, "divide", "", r#"{"a":1.5,"b":0}"#).await;
    assert_eq!(answer["message"], "cannot divide 1.5 by zero");
    assert_eq!(
        answer["details"][0]["debug"],
        json!({ "DivisionByZero": { "dividend": 1.5 } })
    );
}

#[tokio::test]
async fn what_is_no_call_is_told_so() {
    let serving = http().await;
    let (head, _) = send(&serving, "GET", "/", "", b"").await;
    assert!(
        head.starts_with("http/1.1 405 ") && head.contains("allow: post"),
        "{head}"
    );
    for headers in ["", "content-type: text/plain\r\n"] {
        let (head, _) = send(&serving, "POST", "/test.v1.Math/add", headers, b"{}").await;
        assert!(
            head.starts_with("http/1.1 415 ") && head.contains("accept-post: "),
            "{head}"
        );
    }
    let (head, _) = post(&serving, "count", "", r#"{"up_to":3}"#).await;
    assert!(head.starts_with("http/1.1 415 "), "a stream: {head}");
    let grpc = "content-type: application/grpc\r\n";
    let (head, _) = send(&serving, "POST", "/test.v1.Math/add", grpc, b"").await;
    assert!(head.starts_with("http/1.1 505 "), "{head}");
}

#[tokio::test]
async fn a_path_with_more_slashes_is_another_one() {
    let serving = http().await;
    for (path, status) in [
        ("/test.v1.Math/nothing", 200),
        ("//test.v1.Math/nothing", 501),
    ] {
        let (head, _) = send(&serving, "POST", path, JSON, b"").await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{head}");
    }
}

#[tokio::test]
async fn a_request_over_http1_names_its_host_once() {
    let serving = http().await;
    for (version, hosts, status) in [
        ("1.1", "host: localhost\r\n", 200),
        ("1.1", "", 400),
        ("1.1", "host: localhost\r\nhost: localhost\r\n", 400),
        ("1.0", "", 200),
    ] {
        let mut stream = connect(&serving).await;
        let head = format!(
            "POST /test.v1.Math/nothing HTTP/{version}\r\n{hosts}{JSON}connection: close\r\n\
             content-length: 0\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        let status = format!("HTTP/{version} {status} ");
        assert!(answer.starts_with(&status), "{hosts}: {answer}");
    }
}

#[tokio::test]
async fn an_answer_to_head_has_no_body_over_http2_either() {
    let serving = http().await;
    let (http2, connection) = h2::client::handshake(connect(&serving).await)
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = ::http::Request::head("http://localhost/test.v1.Math/add");
    let mut http2 = http2.ready().await.unwrap();
    let (answer, _) = http2.send_request(request.body(()).unwrap(), true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 405);
    let body = answer.into_body().data().await;
    assert!(body.is_none(), "{body:?}");
}

#[tokio::test]
async fn another_name_for_this_machine_is_refused_unless_it_is_served() {
    let serving = serving(|it| it.accept([Wire::Http]).http_host("api.example")).await;
    for (host, status) in [
        ("evil.example", 403),
        ("api.example:80", 200),
        ("127.0.0.1", 200),
    ] {
        let (head, _) = post(&serving, "nothing", &format!("host: {host}\r\n"), "").await;
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{host}: {head}"
        );
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_by_its_name() {
    let limits = Limits::new().max_message(2_000);
    let serving = serving(|it| it.accept([Wire::Http]).limits(limits)).await;
    let body = format!(r#"{{"bytes":"{}"}}"#, "x".repeat(3_000));
    let (head, answer) = post(&serving, "echo", "", &body).await;
    assert!(head.starts_with("http/1.1 429 "), "{head}");
    assert!(
        answer["message"]
            .as_str()
            .unwrap()
            .contains("`max_message` of 2000"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let limits = Limits::new().message_timeout(Duration::from_millis(100));
    let serving = serving(|it| it.accept([Wire::Http]).limits(limits)).await;
    let mut stream = connect(&serving).await;
    let head = format!(
        "POST /test.v1.Math/add HTTP/1.1\r\nhost: localhost\r\n{JSON}content-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await;
    let length = read.expect("it is given up in time").unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
    assert!(
        answer.starts_with("HTTP/1.1 504 ") && answer.contains("`message_timeout`"),
        "{answer}"
    );
    eventually("it has ended", || serving.stop.running_calls() == 0).await;
}

#[tokio::test]
async fn a_deadline_holds_while_the_request_comes() {
    let serving = serving(|it| it.accept([Wire::Http, Wire::JsonRpc])).await;
    for (path, part) in [
        ("/test.v1.Math/add", "deadline_exceeded"),
        ("/", "\"code\":-32004"),
    ] {
        let mut stream = connect(&serving).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\n{JSON}connect-timeout-ms: 50\r\n\
             content-length: 100\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await;
        let length = read.expect("it is answered in time").unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        assert!(
            answer.contains(part) && answer.contains("deadline passed"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn one_port_serves_all_wires() {
    let serving = http().await;
    let native = MathClient::connect(&serving.url).await.unwrap();
    let grpc = MathClient::connect(serving.url.replacen("tcp", "grpc", 1))
        .await
        .unwrap();
    assert_eq!(native.add(1, 2).await.unwrap(), 3);
    assert_eq!(grpc.add(1, 2).await.unwrap(), 3);
    assert_eq!(
        post(&serving, "add", "", r#"{"a":1,"b":2}"#).await.1,
        json!(3)
    );
}

#[tokio::test]
async fn a_listener_accepts_what_it_was_told_to() {
    let serving = serving(|it| it).await;
    let mut stream = connect(&serving).await;
    stream.write_all(b"POST / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    let grpc = serving.url.replacen("tcp", "grpc", 1);
    let error = Channel::connect(&grpc).await.unwrap_err().to_string();
    assert!(error.contains("is it a gRPC server?"), "{error}");
}

#[tokio::test]
async fn what_speaks_no_wire_is_closed() {
    let serving = http().await;
    for bytes in [b"HELO me\r\n".as_slice(), b"PRI * HTTP/3.0\r\n"] {
        let mut stream = connect(&serving).await;
        stream.write_all(bytes).await.unwrap();
        assert_eq!(rest(&mut stream).await, "", "{bytes:?}");
    }
    // A client that speaks TLS is shown what it has met, as it could not tell otherwise.
    let mut stream = connect(&serving).await;
    stream.write_all(b"\x16\x03\x01\x02").await.unwrap();
    let mut preface = [0; 4];
    stream.read_exact(&mut preface).await.unwrap();
    assert_eq!(&preface, b"\xD3RPC");
}

#[tokio::test]
async fn peers_that_say_nothing_are_closed_and_hold_nothing_up() {
    let timeout = Duration::from_millis(50);
    let short = serving(|it| it.accept([Wire::Http]).handshake_timeout(timeout)).await;
    let mut silent = connect(&short).await;
    assert_eq!(rest(&mut silent).await, "");
    let serving = http().await;
    let mut silent = connect(&serving).await;
    let mut half = connect(&serving).await;
    half.write_all(b"PO").await.unwrap();
    let mut idle = connect(&serving).await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(idle.read(&mut [0; 1024]).await.unwrap() > 0);
    serving.stop.shutdown();
    for stream in [&mut silent, &mut half, &mut idle] {
        rest(stream).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let timeout = Duration::from_millis(50);
    let serving = serving(|it| it.accept([Wire::Http]).idle_timeout(timeout)).await;
    let mut stream = connect(&serving).await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 405 "));
}

/// Connects to a server that lives in this test's own time.
fn in_own_time(configure: impl FnOnce(Server) -> Server) -> DuplexStream {
    let (here, there) = tokio::io::duplex(64 << 10);
    let server = configure(Server::new().accept([Wire::Http]));
    tokio::spawn(server.connections().serve(Io::new(there)));
    here
}

/// Sends a request, and reads what is answered.
async fn ask(stream: &mut DuplexStream) {
    let request = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"calls are POST requests") {
        let read = stream.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "it was closed");
    }
}

/// Returns how long it takes until the connection is closed.
async fn until_closed(stream: &mut DuplexStream) -> Duration {
    let began = Instant::now();
    assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 0);
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn silence_over_http1_may_last_a_minute_or_as_long_as_is_said() {
    const SECOND: Duration = Duration::from_secs(1);
    for (set, idle) in [(None, 60 * SECOND), (Some(3_600 * SECOND), 3_600 * SECOND)] {
        // Nothing of a head has come, so that this does not count.
        let configure = |it: Server| it.frame_timeout(2 * SECOND);
        let mut stream = in_own_time(|it| match set {
            Some(time) => configure(it).idle_timeout(time),
            None => configure(it),
        });
        for _ in 0..3 {
            ask(&mut stream).await;
            sleep(idle / 2).await;
        }
        ask(&mut stream).await;
        let took = until_closed(&mut stream).await;
        assert!(
            (idle..=idle * 3 / 2).contains(&took),
            "{took:?}, not {idle:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_over_http1_must_be_whole_in_time_behind_others_too() {
    let limit = Duration::from_secs(2);
    for before in 0..3 {
        let mut stream = in_own_time(|it| {
            it.frame_timeout(limit)
                .idle_timeout(Duration::from_secs(3_600))
        });
        for _ in 0..before {
            ask(&mut stream).await;
            sleep(limit * 5).await;
        }
        stream.write_all(b"GET / HTTP/1.1\r\nho").await.unwrap();
        sleep(limit / 2).await;
        stream.write_all(b"st: local").await.unwrap();
        let took = limit / 2 + until_closed(&mut stream).await;
        assert!(
            (limit..=limit * 3 / 2).contains(&took),
            "{took:?} after {before}"
        );
    }
}
