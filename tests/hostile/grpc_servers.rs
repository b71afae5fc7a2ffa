//! Our gRPC client against servers that misbehave, a row each: every call ends in time, with the
//! code that the specification wants, and never well.

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use rpc_runtime::{Channel, Code, Limits, Status};
use rpc_tests::math::MathClient;
use tokio::net::TcpListener;

use crate::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE,
    PRIORITY, PUSH_PROMISE, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, block, frame, goaway, header,
    headers, message, prefixed, rst, settings, window_update,
};

/// What a call may take that is to end by itself, and one that is to end by its deadline.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(300);

const MAX_MESSAGE: usize = 4_000;

/// What the server does when it has sent its answer.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// It stays, and answers no more.
    Stay,
    /// It closes the connection.
    Close,
    /// It resets the connection.
    Reset,
}

struct Row {
    name: String,
    /// The server's first bytes.
    hello: Vec<u8>,
    /// What it says to a call.
    answer: Vec<u8>,
    then: Then,
    /// What becomes of the call.
    code: Code,
}

impl Row {
    fn then(mut self, then: Then) -> Self {
        self.then = then;
        self
    }

    fn hello(mut self, hello: Vec<u8>) -> Self {
        self.hello = hello;
        self
    }
}

/// A server that stays behind its answer.
fn row(name: impl Into<String>, code: Code, answer: &[Vec<u8>]) -> Row {
    Row {
        name: name.into(),
        hello: settings(&[]),
        answer: answer.concat(),
        then: Then::Stay,
        code,
    }
}

/// The number five in MessagePack, which is a reply of `add` and an item of `count`.
const FIVE: &[u8] = &[5];

const OK_HEAD: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];

/// The head of a good answer.
fn head() -> Vec<u8> {
    headers(0, 1, &OK_HEAD)
}

fn head_with(name: &str, value: &str) -> Vec<u8> {
    headers(0, 1, &[&OK_HEAD[..], &[(name, value)]].concat())
}

fn data(bytes: &[u8]) -> Vec<u8> {
    frame(DATA, 0, 1, bytes)
}

fn five() -> Vec<u8> {
    data(&message(FIVE))
}

fn trailers(fields: &[(&str, &str)]) -> Vec<u8> {
    headers(END_STREAM, 1, fields)
}

fn ok() -> Vec<u8> {
    trailers(&[("grpc-status", "0")])
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// How a call may end without a good status.
fn ends() -> Vec<Row> {
    let mut rows = vec![
        row(
            "no trailers",
            Code::Internal,
            &[head(), five(), frame(DATA, END_STREAM, 1, b"")],
        ),
        row(
            "empty trailers",
            Code::Unknown,
            &[head(), five(), trailers(&[])],
        ),
        row(
            "trailers without a status",
            Code::Unknown,
            &[head(), five(), trailers(&[("a", "b")])],
        ),
        row(
            "nothing but a head",
            Code::Internal,
            &[headers(END_STREAM, 1, &OK_HEAD)],
        ),
        row(
            "two statuses",
            Code::Unknown,
            &[
                head(),
                five(),
                trailers(&[("grpc-status", "0"), ("grpc-status", "13")]),
            ],
        ),
        row(
            "a status before the end",
            Code::Internal,
            &[
                head_with("grpc-status", "0"),
                five(),
                frame(DATA, END_STREAM, 1, b""),
            ],
        ),
        row(
            "a failure before the end",
            Code::NotFound,
            &[head_with("grpc-status", "5"), five()],
        ),
        row(
            "trailers that are no end",
            Code::Internal,
            &[
                head(),
                five(),
                headers(0, 1, &[("grpc-status", "0")]),
                five(),
            ],
        ),
        row(
            "a pseudo header in trailers",
            Code::Internal,
            &[
                head(),
                five(),
                trailers(&[("grpc-status", "0"), (":status", "200")]),
            ],
        ),
        row(
            "an upper case name in trailers",
            Code::Internal,
            &[head(), five(), trailers(&[("Grpc-Status", "0")])],
        ),
        row(
            "a connection's header in trailers",
            Code::Internal,
            &[
                head(),
                five(),
                trailers(&[("grpc-status", "0"), ("connection", "close")]),
            ],
        ),
        row(
            "metadata that is no Base64",
            Code::Internal,
            &[
                head(),
                five(),
                trailers(&[("grpc-status", "0"), ("x-bin", "*")]),
            ],
        ),
    ];
    for (status, code) in [
        ("", Code::Unknown),
        ("OK", Code::Unknown),
        ("-1", Code::Unknown),
        ("00", Code::Unknown),
        ("0x0", Code::Unknown),
        ("0, 0", Code::Unknown),
        ("17", Code::Unknown),
        ("256", Code::Unknown),
        ("99999999999999999999", Code::Unknown),
        ("5", Code::NotFound),
        ("16", Code::Unauthenticated),
    ] {
        let fields = [("grpc-status", status), ("grpc-message", "50 % %zz %")];
        rows.push(row(
            format!("status `{status}`"),
            code,
            &[head(), five(), trailers(&fields)],
        ));
        let only = [&OK_HEAD[..], &fields].concat();
        rows.push(row(
            format!("status `{status}` alone"),
            code,
            &[trailers(&only)],
        ));
    }
    for text in ["%FF%FE", "%", "%4", "100 %"] {
        let fields = [("grpc-status", "8"), ("grpc-message", text)];
        let answer = [head(), trailers(&fields)];
        rows.push(row(
            format!("message `{text}`"),
            Code::ResourceExhausted,
            &answer,
        ));
    }
    rows
}

/// Answers that are none of gRPC, or not of the kind that was asked for.
fn heads() -> Vec<Row> {
    let mut rows = Vec::new();
    for (status, code) in [
        ("200", Code::Unknown),
        ("204", Code::Unknown),
        ("301", Code::Unknown),
        ("302", Code::Unknown),
        ("400", Code::Internal),
        ("401", Code::Unauthenticated),
        ("403", Code::PermissionDenied),
        ("404", Code::Unimplemented),
        ("418", Code::Unknown),
        ("429", Code::Unavailable),
        ("500", Code::Unknown),
        ("502", Code::Unavailable),
        ("503", Code::Unavailable),
        ("504", Code::Unavailable),
        ("999", Code::Unknown),
    ] {
        let page = [
            (":status", status),
            ("content-type", "text/html"),
            ("location", "/"),
        ];
        let body = frame(DATA, END_STREAM, 1, b"<html>no</html>");
        rows.push(row(
            format!("an HTTP {status} page"),
            code,
            &[headers(0, 1, &page), body],
        ));
        if status != "200" {
            let grpc = [(":status", status), ("content-type", "application/grpc")];
            let answer = [headers(0, 1, &grpc), five(), ok()];
            rows.push(row(format!("gRPC with HTTP {status}"), code, &answer));
        }
    }
    for (content_type, code) in [
        ("", Code::Unknown),
        ("application/json", Code::Unknown),
        ("application/grpcx", Code::Unknown),
        ("application/grpc-web", Code::Unknown),
        ("application/grpc+thrift", Code::Internal),
    ] {
        let head = headers(0, 1, &[(":status", "200"), ("content-type", content_type)]);
        rows.push(row(
            format!("content type `{content_type}`"),
            code,
            &[head, five(), ok()],
        ));
    }
    let bad_heads: [(&str, &[(&str, &str)]); 6] = [
        ("no :status", &[("content-type", "application/grpc")]),
        ("a :status of letters", &[(":status", "abc")]),
        ("two :status", &[(":status", "200"), (":status", "200")]),
        (
            ":status behind others",
            &[("content-type", "application/grpc"), (":status", "200")],
        ),
        (
            "an unknown pseudo header",
            &[(":status", "200"), (":what", "x")],
        ),
        ("HTTP 101", &[(":status", "101"), ("upgrade", "x")]),
    ];
    for (name, fields) in bad_heads {
        rows.push(row(
            name,
            Code::Internal,
            &[headers(0, 1, fields), five(), ok()],
        ));
    }
    let long = "x".repeat(10_000);
    rows.extend([
        row(
            "HTTP 100 and the end",
            Code::Internal,
            &[headers(END_STREAM, 1, &[(":status", "100")])],
        ),
        row(
            "HTTP 100 and nothing",
            Code::DeadlineExceeded,
            &[headers(0, 1, &[(":status", "100")])],
        ),
        row(
            "no content type",
            Code::Unknown,
            &[headers(0, 1, &[(":status", "200")]), five(), ok()],
        ),
        row(
            "a foreign compression",
            Code::Internal,
            &[
                head_with("grpc-encoding", "br"),
                data(&prefixed(1, 1, FIVE)),
                ok(),
            ],
        ),
        row(
            "too much metadata",
            Code::ResourceExhausted,
            &[head_with("long", &long), five(), ok()],
        ),
        row(
            "too much metadata behind",
            Code::ResourceExhausted,
            &[
                head(),
                five(),
                trailers(&[("grpc-status", "0"), ("long", &long)]),
            ],
        ),
        row(
            "a length that is not kept",
            Code::Internal,
            &[head_with("content-length", "100"), five(), ok()],
        ),
    ]);
    rows
}

/// Messages that are none.
fn messages() -> Vec<Row> {
    let good = message(FIVE);
    let bomb = packed(&vec![0; 1 << 20]);
    let gzip = || head_with("grpc-encoding", "gzip");
    let mut cut = packed(&[5; 100]);
    cut.truncate(cut.len() - 9);
    let mut rows: Vec<Row> = (1..good.len())
        .map(|at| {
            let name = format!("a message cut at {at}");
            row(name, Code::Internal, &[head(), data(&good[..at]), ok()])
        })
        .collect();
    rows.extend([
        row(
            "a length beyond the body",
            Code::Internal,
            &[head(), data(&prefixed(0, 9, FIVE)), ok()],
        ),
        row(
            "a length below the body",
            Code::Internal,
            &[head(), data(&prefixed(0, 0, FIVE)), ok()],
        ),
        row(
            "a length over the limit",
            Code::ResourceExhausted,
            &[head(), data(&prefixed(0, MAX_MESSAGE + 1, FIVE)), ok()],
        ),
        row(
            "the longest length",
            Code::ResourceExhausted,
            &[head(), data(&prefixed(0, u32::MAX as usize, FIVE)), ok()],
        ),
        row(
            "flag 2",
            Code::Internal,
            &[head(), data(&prefixed(2, 1, FIVE)), ok()],
        ),
        row(
            "flag 255",
            Code::Internal,
            &[head(), data(&prefixed(255, 1, FIVE)), ok()],
        ),
        row(
            "compressed without a name",
            Code::Internal,
            &[head(), data(&prefixed(1, 1, FIVE)), ok()],
        ),
        row(
            "compressed as identity",
            Code::Internal,
            &[
                head_with("grpc-encoding", "identity"),
                data(&prefixed(1, 1, FIVE)),
                ok(),
            ],
        ),
        row(
            "gzip that is none",
            Code::Internal,
            &[gzip(), data(&prefixed(1, 1, FIVE)), ok()],
        ),
        row(
            "gzip that is cut",
            Code::Internal,
            &[gzip(), data(&prefixed(1, cut.len(), &cut)), ok()],
        ),
        row(
            "a bomb",
            Code::ResourceExhausted,
            &[gzip(), data(&prefixed(1, bomb.len(), &bomb)), ok()],
        ),
        row(
            "no MessagePack",
            Code::Internal,
            &[head(), data(&message(b"\xC1")), ok()],
        ),
        row(
            "another type",
            Code::Internal,
            &[head(), data(&message(b"\xA1x")), ok()],
        ),
        row(
            "nothing for a number",
            Code::Internal,
            &[head(), data(&message(b"")), ok()],
        ),
        row(
            "bytes behind a value",
            Code::Internal,
            &[head(), data(&message(b"\x05\x05")), ok()],
        ),
        row(
            "no message at all but a page",
            Code::Internal,
            &[head(), data(b"<html>"), ok()],
        ),
    ]);
    rows
}

/// What RST_STREAM and GOAWAY say, at each stage of a call.
fn resets() -> Vec<Row> {
    let mut rows = Vec::new();
    for (number, code) in [
        (0, Code::Internal),
        (1, Code::Internal),
        (2, Code::Internal),
        (3, Code::Internal),
        (4, Code::Internal),
        (5, Code::Internal),
        (6, Code::Internal),
        (7, Code::Unavailable),
        (8, Code::Cancelled),
        (9, Code::Internal),
        (10, Code::Internal),
        (11, Code::ResourceExhausted),
        (12, Code::PermissionDenied),
        (13, Code::Internal),
        (99, Code::Unknown),
    ] {
        for (when, before) in [
            ("at once", vec![]),
            ("behind the head", head()),
            ("behind a message", [head(), five()].concat()),
            ("inside a message", [head(), data(&[0, 0])].concat()),
        ] {
            let name = format!("RST_STREAM {number} {when}");
            rows.push(row(name, code, &[before, rst(1, number)]));
        }
    }
    for number in [0, 1, 2, 11] {
        let answer = [goaway(0, number)];
        rows.push(row(
            format!("GOAWAY {number} before the call"),
            Code::Unavailable,
            &answer,
        ));
        for then in [Then::Close, Then::Reset] {
            let answer = [head(), five(), goaway(1, number)];
            let name = format!("GOAWAY {number} and {then:?}");
            rows.push(row(name, Code::Unavailable, &answer).then(then));
        }
    }
    rows.push(row(
        "GOAWAY and silence",
        Code::DeadlineExceeded,
        &[head(), goaway(1, 0)],
    ));
    rows
}

/// Frames that HTTP/2 does not allow, between a good message and a good end.
fn frames() -> Vec<Row> {
    let bad: [(&str, Vec<u8>); 32] = [
        ("DATA of no stream", frame(DATA, 0, 0, b"x")),
        ("DATA of an idle stream", frame(DATA, 0, 5, b"x")),
        (
            "DATA with too much padding",
            frame(DATA, PADDED, 1, &[9, 0]),
        ),
        ("DATA that is too long", frame(DATA, 0, 1, &[0; 16_385])),
        ("HEADERS of no stream", headers(0, 0, &[("a", "b")])),
        (
            "HEADERS of a stream of the server's",
            headers(0, 2, &OK_HEAD),
        ),
        ("HEADERS of an idle stream", headers(0, 5, &OK_HEAD)),
        (
            "HEADERS with too much padding",
            frame(HEADERS, PADDED | END_HEADERS, 1, &[9, 0]),
        ),
        (
            "HEADERS that are no HPACK",
            frame(HEADERS, END_HEADERS, 1, &[0xFF; 20]),
        ),
        (
            "HEADERS of index 0",
            frame(HEADERS, END_HEADERS, 1, &[0x80]),
        ),
        (
            "HEADERS of a far index",
            frame(HEADERS, END_HEADERS, 1, &[0xFF, 0xFF, 0x03]),
        ),
        (
            "HEADERS with a table too large",
            frame(HEADERS, END_HEADERS, 1, &[0x3F, 0xFF, 0xFF, 0x03]),
        ),
        (
            "HEADERS cut inside a field",
            frame(HEADERS, END_HEADERS, 1, &[0, 5, b'a']),
        ),
        (
            "HEADERS without their end",
            frame(HEADERS, 0, 1, &block(&[("a", "b")])),
        ),
        (
            "CONTINUATION of nothing",
            frame(CONTINUATION, END_HEADERS, 1, &block(&[("a", "b")])),
        ),
        (
            "PUSH_PROMISE",
            frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2]),
        ),
        ("PRIORITY of no stream", frame(PRIORITY, 0, 0, &[0; 5])),
        ("RST_STREAM of no stream", rst(0, 0)),
        ("RST_STREAM of an idle stream", rst(5, 0)),
        (
            "RST_STREAM of three bytes",
            frame(RST_STREAM, 0, 1, &[0; 3]),
        ),
        ("SETTINGS of a stream", frame(SETTINGS, 0, 1, &[])),
        ("SETTINGS of five bytes", frame(SETTINGS, 0, 0, &[0; 5])),
        ("an ACK with SETTINGS", frame(SETTINGS, ACK, 0, &[0; 6])),
        ("SETTINGS of a window too large", settings(&[(4, 1 << 31)])),
        ("SETTINGS of frames too small", settings(&[(5, 1)])),
        ("PING of a stream", frame(PING, 0, 1, &[0; 8])),
        ("PING of seven bytes", frame(PING, 0, 0, &[0; 7])),
        ("GOAWAY of a stream", frame(GOAWAY, 0, 1, &[0; 8])),
        ("GOAWAY of seven bytes", frame(GOAWAY, 0, 0, &[0; 7])),
        ("WINDOW_UPDATE of nothing", window_update(0, 0)),
        (
            "WINDOW_UPDATE that overflows",
            window_update(0, (1 << 31) - 1),
        ),
        (
            "WINDOW_UPDATE of three bytes",
            frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
        ),
    ];
    let row = |(name, bad)| row(name, Code::Internal, &[head(), five(), bad, ok()]);
    bad.into_iter().map(row).collect()
}

/// Servers that stop, at each stage.
fn stops() -> Vec<Row> {
    let whole = [head(), five(), ok()].concat();
    let stages = [
        ("at once", 0),
        ("inside a frame's header", 5),
        ("inside the head", 15),
        ("behind the head", head().len()),
        ("inside a message", head().len() + 11),
        ("behind a message", head().len() + five().len()),
        ("inside the trailers", whole.len() - 3),
    ];
    let mut rows = Vec::new();
    for (when, length) in stages {
        for (then, code) in [
            (Then::Stay, Code::DeadlineExceeded),
            (Then::Close, Code::Unavailable),
            (Then::Reset, Code::Unavailable),
        ] {
            let answer = [whole[..length].to_vec()];
            rows.push(row(format!("{then:?} {when}"), code, &answer).then(then));
        }
    }
    let nowhere = [header(1_000, DATA, 0, 1)];
    rows.push(row(
        "a frame that never comes",
        Code::DeadlineExceeded,
        &nowhere,
    ));
    rows.push(
        row("no window for the call", Code::DeadlineExceeded, &[]).hello(settings(&[(4, 0)])),
    );
    rows.push(row("no place for the call", Code::DeadlineExceeded, &[]).hello(settings(&[(3, 0)])));
    rows
}

/// Plays one row on every connection.
async fn serve(listener: TcpListener, row: &Row) {
    let played = |stream| async move {
        let mut raw = Raw::over(stream);
        raw.send(&row.hello).await;
        if !raw.expect_preface().await {
            return;
        }
        while let Some(frame) = raw.next().await {
            match (frame.kind, frame.flags) {
                (SETTINGS, 0) => raw.send(&frame_of(SETTINGS, &[])).await,
                (PING, 0) => raw.send(&frame_of(PING, &frame.payload)).await,
                _ if frame.ends() => {
                    raw.send(&row.answer).await;
                    match row.then {
                        Then::Stay => continue,
                        Then::Close => return,
                        Then::Reset => {
                            // What was sent is read before it.
                            tokio::time::sleep(Duration::from_millis(50)).await;
                            raw.stream.set_zero_linger().unwrap();
                            return;
                        }
                    }
                }
                _ => continue,
            };
        }
    };
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        played(stream).await;
    }
}

/// The answer to SETTINGS or PING.
fn frame_of(kind: u8, payload: &[u8]) -> Vec<u8> {
    frame(kind, ACK, 0, payload)
}

/// Calls a server of this row, with one reply or with a stream of them.
async fn call(url: &str, streams: bool, timeout: Duration) -> Result<(), Status> {
    let limits = Limits::new().max_message(MAX_MESSAGE).max_metadata(2_000);
    let channel = Channel::connect(url).limits(limits).await?;
    let math = MathClient::new(channel);
    if !streams {
        return math.add(2, 3).timeout(timeout).await.map(drop);
    }
    let mut items = math.count(3).timeout(timeout);
    while let Some(item) = items.next().await {
        item?;
    }
    Ok(())
}

/// Returns what is wrong with how calls to a server of this row end.
async fn mistake(row: &Row, streams: bool) -> Option<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    let timeout = match row.code {
        Code::DeadlineExceeded => SHORT,
        _ => LONG,
    };
    let began = Instant::now();
    let ended = tokio::select! {
        ended = call(&url, streams, timeout) => ended,
        () = serve(listener, row) => unreachable!("it serves for ever"),
    };
    let (name, code) = (&row.name, row.code);
    match ended {
        Ok(()) => Some(format!("{name} (stream: {streams}) was taken for success")),
        Err(_) if began.elapsed() > LONG => Some(format!("{name} took {:?}", began.elapsed())),
        Err(status) if status.code() == code => None,
        Err(status) => Some(format!(
            "{name} (stream: {streams}): {code:?} expected, but: {status:?}"
        )),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_of_a_bad_server_is_taken_for_success() {
    let rows = [ends(), heads(), messages(), resets(), frames(), stops()];
    let rows: Vec<Row> = rows.into_iter().flatten().collect();
    assert!(rows.len() > 200, "{} rows", rows.len());
    let both = rows
        .iter()
        .flat_map(|row| [mistake(row, false), mistake(row, true)]);
    let mistakes = futures_util::stream::iter(both).buffer_unordered(40);
    let mistakes: Vec<String> = mistakes.filter_map(|it| async { it }).collect().await;
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

#[tokio::test]
async fn one_reply_is_one_message() {
    let rows = [
        row("no message", Code::Internal, &[head(), ok()]),
        row(
            "two messages",
            Code::Internal,
            &[head(), five(), five(), ok()],
        ),
        row(
            "nothing but a good end",
            Code::Internal,
            &[trailers(&[&OK_HEAD[..], &[("grpc-status", "0")]].concat())],
        ),
    ];
    let mistakes = join_all(rows.iter().map(|row| mistake(row, false))).await;
    assert_eq!(mistakes, [const { None }; 3]);
    // What comes behind a good end belongs to nobody.
    let good = row(
        "DATA behind the end",
        Code::Internal,
        &[head(), five(), ok(), five()],
    );
    assert!(
        mistake(&good, false)
            .await
            .expect("it is good")
            .contains("success")
    );
    let twice = [
        headers(0, 1, &[(":status", "103"), ("link", "x")]),
        head(),
        five(),
        ok(),
    ];
    let good = row("HTTP 103 before the head", Code::Internal, &twice);
    assert!(
        mistake(&good, false)
            .await
            .expect("it is good")
            .contains("success")
    );
}

#[tokio::test]
async fn a_server_that_is_none_is_found_when_connecting() {
    let hellos: [(&str, Vec<u8>, Then); 11] = [
        ("silence", vec![], Then::Stay),
        ("nothing", vec![], Then::Close),
        ("a reset", vec![], Then::Reset),
        (
            "HTTP/1.1",
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Then::Stay,
        ),
        (
            "a banner",
            b"220 mail.example ESMTP\r\n".to_vec(),
            Then::Stay,
        ),
        ("our own preface", PREFACE.to_vec(), Then::Stay),
        (
            "half of SETTINGS",
            settings(&[(3, 1)])[..12].to_vec(),
            Then::Close,
        ),
        ("no SETTINGS", frame(PING, 0, 0, &[0; 8]), Then::Stay),
        ("push switched on", settings(&[(2, 1)]), Then::Stay),
        ("push of 2", settings(&[(2, 2)]), Then::Stay),
        (
            "GOAWAY at once",
            [settings(&[]), goaway(0, 11)].concat(),
            Then::Close,
        ),
    ];
    for (name, hello, then) in hellos {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("grpc://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut raw = Raw::over(stream);
            raw.send(&hello).await;
            match then {
                Then::Stay => while raw.next().await.is_some() {},
                Then::Close => {}
                Then::Reset => raw.stream.set_zero_linger().unwrap(),
            }
        });
        let began = Instant::now();
        let connected = Channel::connect(&url).connect_timeout(SHORT).await;
        let status = connected.map(drop).expect_err(name);
        let expected = [Code::Unavailable, Code::DeadlineExceeded];
        assert!(expected.contains(&status.code()), "{name}: {status:?}");
        assert!(began.elapsed() < LONG, "{name}");
        server.abort();
    }
}
