//! Our server against clients that break a rule of HTTP/2, a row each, after h2spec
//! (<https://github.com/summerwind/h2spec>): the error is the one of RFC 9113, of the stream where
//! that is enough, and others are served all the while.

use rpc_runtime::{Limits, Wire};

use crate::healthy::{Bystander, server, start};
use crate::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PREFACE,
    PRIORITY, PUSH_PROMISE, RST_STREAM, Raw, SETTINGS, WINDOW_UPDATE, WITH_PRIORITY, block, frame,
    goaway, headers, message, rst, settings, window_update,
};

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const FLOW_CONTROL_ERROR: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE_ERROR: u32 = 6;
const REFUSED_STREAM: u32 = 7;
const COMPRESSION_ERROR: u32 = 9;

/// What becomes of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Becomes {
    /// Its stream fails, with one of these codes, and its connection goes on.
    Stream(&'static [u32]),
    /// Its connection ends, with one of these codes. `h2` has PROTOCOL_ERROR for most of what it
    /// cannot read.
    Connection(&'static [u32]),
    /// Nothing.
    Fine,
}
use Becomes::{Connection, Fine, Stream};

type Row = (&'static str, Vec<u8>, Becomes);

/// The head of a call of `test.v1.Math/add`.
const HEAD: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/test.v1.Math/add"),
    (":authority", "localhost"),
    ("content-type", "application/grpc+json"),
    ("te", "trailers"),
];

/// A head that waits for its message.
fn open() -> Vec<u8> {
    headers(0, 1, &HEAD)
}

/// A head with one entry left out, and others behind it.
fn head(without: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let kept = HEAD.iter().filter(|(name, _)| *name != without);
    let fields: Vec<_> = kept.chain(more).copied().collect();
    headers(0, 1, &fields)
}

fn body(flags: u8) -> Vec<u8> {
    frame(DATA, flags, 1, &message(br#"{"a":2,"b":3}"#))
}

/// A call that has said all, on a stream that is half closed, or closed when it is answered.
fn whole() -> Vec<u8> {
    [open(), body(END_STREAM)].concat()
}

fn rules_of_frames() -> Vec<Row> {
    let cut = frame(HEADERS, 0, 1, &block(&HEAD));
    vec![
        ("an unknown frame", frame(0xFA, 0xFF, 0, b"what"), Fine),
        (
            "an unknown frame in a block",
            [cut.clone(), frame(0xFA, 0, 1, b"")].concat(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        ("unknown flags", frame(PING, 0xFE, 0, &[0; 8]), Fine),
        ("the reserved bit", frame(PING, 0, 1 << 31, &[0; 8]), Fine),
        (
            "DATA that is too long",
            [open(), frame(DATA, 0, 1, &[0; 16_385])].concat(),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "HEADERS that are too long",
            frame(HEADERS, END_HEADERS, 1, &[0; 16_385]),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "a block that is no HPACK",
            frame(HEADERS, END_HEADERS, 1, &[0xFF; 20]),
            Connection(&[COMPRESSION_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "index 0",
            frame(HEADERS, END_HEADERS, 1, &[0x80]),
            Connection(&[COMPRESSION_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "a far index",
            frame(HEADERS, END_HEADERS, 1, &[0xFF, 0xFF, 0x03]),
            Connection(&[COMPRESSION_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "a table that is too large",
            frame(HEADERS, END_HEADERS, 1, &[0x3F, 0xFF, 0xFF, 0x03]),
            Connection(&[COMPRESSION_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "a table's size behind fields",
            frame(
                HEADERS,
                END_HEADERS,
                1,
                &[block(&HEAD), vec![0x20]].concat(),
            ),
            Connection(&[COMPRESSION_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "Huffman with a whole byte of padding",
            frame(HEADERS, END_HEADERS, 1, &[0, 0x82, 0x1F, 0xFF, 0x01, b'x']),
            Connection(&[COMPRESSION_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "a field that is cut",
            frame(HEADERS, END_HEADERS, 1, &[0, 5, b'a']),
            Connection(&[COMPRESSION_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "PRIORITY in a block",
            [cut.clone(), frame(PRIORITY, 0, 1, &[0; 5])].concat(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "HEADERS of another stream in a block",
            [cut.clone(), headers(0, 3, &HEAD)].concat(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "DATA in a block",
            [cut.clone(), body(0)].concat(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "CONTINUATION of another stream",
            [cut.clone(), frame(CONTINUATION, END_HEADERS, 3, &[])].concat(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "CONTINUATION in three",
            [
                cut,
                frame(CONTINUATION, 0, 1, &[]),
                frame(CONTINUATION, 0, 1, &[]),
                frame(CONTINUATION, END_HEADERS, 1, &[]),
                body(END_STREAM),
            ]
            .concat(),
            Fine,
        ),
        (
            "CONTINUATION of nothing",
            frame(CONTINUATION, END_HEADERS, 1, &[]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "CONTINUATION behind a whole block",
            [open(), frame(CONTINUATION, END_HEADERS, 1, &[])].concat(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "CONTINUATION of no stream",
            frame(CONTINUATION, END_HEADERS, 0, &[]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "DATA of no stream",
            frame(DATA, 0, 0, b"x"),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "DATA with too much padding",
            [open(), frame(DATA, PADDED, 1, &[9, 0])].concat(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "DATA with padding",
            [
                open(),
                frame(
                    DATA,
                    PADDED | END_STREAM,
                    1,
                    &[&[4], &message(br#"{"a":2,"b":3}"#)[..], &[0; 4]].concat(),
                ),
            ]
            .concat(),
            Fine,
        ),
        (
            "HEADERS of no stream",
            headers(0, 0, &HEAD),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "HEADERS with too much padding",
            frame(HEADERS, PADDED | END_HEADERS, 1, &[9, 0]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "HEADERS with a priority",
            [
                frame(
                    HEADERS,
                    END_HEADERS | WITH_PRIORITY,
                    1,
                    &[&[0, 0, 0, 0, 9][..], &block(&HEAD)].concat(),
                ),
                body(END_STREAM),
            ]
            .concat(),
            Fine,
        ),
        (
            "PRIORITY of no stream",
            frame(PRIORITY, 0, 0, &[0; 5]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "PRIORITY of an idle stream",
            frame(PRIORITY, 0, 9, &[0, 0, 0, 1, 9]),
            Fine,
        ),
        (
            "RST_STREAM of no stream",
            rst(0, 0),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "RST_STREAM of three bytes",
            [open(), frame(RST_STREAM, 0, 1, &[0; 3])].concat(),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "an ACK with SETTINGS",
            frame(SETTINGS, ACK, 0, &[0; 6]),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "SETTINGS of a stream",
            frame(SETTINGS, 0, 1, &[]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "SETTINGS of five bytes",
            frame(SETTINGS, 0, 0, &[0; 5]),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "push of 2",
            settings(&[(2, 2)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "SETTINGS of a window too large",
            settings(&[(4, 1 << 31)]),
            Connection(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "SETTINGS of frames too small",
            settings(&[(5, 16_383)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "SETTINGS of frames too large",
            settings(&[(5, 1 << 24)]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        ("unknown SETTINGS", settings(&[(0xFF, 7)]), Fine),
        (
            "PUSH_PROMISE",
            [open(), frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])].concat(),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "PING of a stream",
            frame(PING, 0, 1, &[0; 8]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "PING of seven bytes",
            frame(PING, 0, 0, &[0; 7]),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        ("an ACK to no PING", frame(PING, ACK, 0, &[7; 8]), Fine),
        (
            "GOAWAY of a stream",
            frame(GOAWAY, 0, 1, &[0; 8]),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "GOAWAY of seven bytes",
            frame(GOAWAY, 0, 0, &[0; 7]),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE of nothing",
            window_update(0, 0),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE of nothing for a stream",
            [open(), window_update(1, 0)].concat(),
            Stream(&[PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE of three bytes",
            frame(WINDOW_UPDATE, 0, 0, &[0; 3]),
            Connection(&[FRAME_SIZE_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE that overflows",
            window_update(0, (1 << 31) - 1),
            Connection(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE that overflows a stream",
            [open(), window_update(1, (1 << 31) - 1)].concat(),
            Stream(&[FLOW_CONTROL_ERROR]),
        ),
        (
            "SETTINGS that overflow a stream",
            [
                open(),
                window_update(1, 1 << 30),
                settings(&[(4, (1 << 31) - 1)]),
            ]
            .concat(),
            Connection(&[FLOW_CONTROL_ERROR, PROTOCOL_ERROR]),
        ),
    ]
}

fn rules_of_streams() -> Vec<Row> {
    vec![
        (
            "DATA of an idle stream",
            frame(DATA, 0, 1, b"x"),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "RST_STREAM of an idle stream",
            rst(1, 0),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE of an idle stream",
            window_update(1, 1),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "a stream of the server's",
            headers(0, 2, &HEAD),
            Connection(&[PROTOCOL_ERROR]),
        ),
        (
            "a stream below the last",
            [headers(0, 5, &HEAD), headers(0, 3, &HEAD)].concat(),
            Connection(&[PROTOCOL_ERROR, STREAM_CLOSED]),
        ),
        (
            "DATA behind the end",
            [whole(), body(0)].concat(),
            Stream(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
        (
            "HEADERS behind the end",
            [whole(), headers(END_STREAM, 1, &HEAD)].concat(),
            Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
        (
            "DATA behind a reset",
            [open(), rst(1, 8), body(0)].concat(),
            Stream(&[STREAM_CLOSED]),
        ),
        (
            "HEADERS behind a reset",
            [open(), rst(1, 8), headers(0, 1, &HEAD)].concat(),
            Connection(&[STREAM_CLOSED, PROTOCOL_ERROR]),
        ),
        (
            "WINDOW_UPDATE behind a reset",
            [open(), rst(1, 8), window_update(1, 1)].concat(),
            Fine,
        ),
        (
            "a reset behind a reset",
            [open(), rst(1, 8), rst(1, 8)].concat(),
            Fine,
        ),
        (
            "more calls than there are places",
            (0..5).flat_map(|n| headers(0, 2 * n + 1, &HEAD)).collect(),
            Stream(&[REFUSED_STREAM]),
        ),
        (
            "trailers that are no end",
            [open(), headers(0, 1, &[("a", "b")])].concat(),
            Stream(&[PROTOCOL_ERROR]),
        ),
        (
            // Section 8.1 wants an error; `h2` drops the pseudo header.
            "a pseudo header in trailers",
            [open(), headers(END_STREAM, 1, &[(":method", "POST")])].concat(),
            Fine,
        ),
        (
            "trailers",
            [open(), body(0), headers(END_STREAM, 1, &[("a", "b")])].concat(),
            Fine,
        ),
        ("GOAWAY of a client", goaway(0, 0), Connection(&[NO_ERROR])),
    ]
}

fn rules_of_requests() -> Vec<Row> {
    let malformed = Stream(&[PROTOCOL_ERROR]);
    vec![
        ("an upper case name", head("", &[("Name", "x")]), malformed),
        (
            "an unknown pseudo header",
            headers(0, 1, &[&[(":what", "x")], &HEAD[..]].concat()),
            malformed,
        ),
        (
            "a response's pseudo header",
            headers(0, 1, &[&[(":status", "200")], &HEAD[..]].concat()),
            malformed,
        ),
        (
            "a pseudo header behind others",
            head(":path", &[(":path", "/test.v1.Math/add")]),
            malformed,
        ),
        (
            "a connection's header",
            head("", &[("connection", "keep-alive")]),
            malformed,
        ),
        (
            "`te` of something else",
            head("te", &[("te", "gzip")]),
            malformed,
        ),
        ("no :method", head(":method", &[]), malformed),
        ("no :scheme", head(":scheme", &[]), malformed),
        ("no :path", head(":path", &[]), malformed),
        (
            "an empty :path",
            headers(0, 1, &[&[(":path", "")], &HEAD[..2], &HEAD[3..]].concat()),
            malformed,
        ),
        (
            "two :method",
            headers(0, 1, &[&[(":method", "POST")], &HEAD[..]].concat()),
            malformed,
        ),
        (
            "two :scheme",
            headers(0, 1, &[&[(":scheme", "http")], &HEAD[..]].concat()),
            malformed,
        ),
        (
            "two :path",
            headers(0, 1, &[&[(":path", "/")], &HEAD[..]].concat()),
            malformed,
        ),
        (
            "a length above the body's",
            [head("", &[("content-length", "99")]), body(END_STREAM)].concat(),
            malformed,
        ),
        (
            "a length below the body's",
            [head("", &[("content-length", "1")]), body(END_STREAM)].concat(),
            malformed,
        ),
        (
            "a length of letters",
            [head("", &[("content-length", "x")]), body(END_STREAM)].concat(),
            malformed,
        ),
    ]
}

/// What a connection comes to: the codes of its streams' ends, and of its own if it has ended.
async fn play(url: &str, bytes: &[u8]) -> (Vec<u32>, Option<Option<u32>>) {
    let mut raw = Raw::greet(url, &[]).await;
    raw.send(bytes).await;
    // Its answer is the proof that the connection goes on. It passes what waits to be sent, so there
    // are more.
    let mut probes = [*b"2nd ping", *b"3rd ping"].into_iter();
    let mut probe = *b"1st ping";
    raw.send(&frame(PING, 0, 0, &probe)).await;
    let (mut streams, mut connection) = (Vec::new(), None);
    while let Some(came) = raw.next().await {
        match came.kind {
            RST_STREAM => streams.push(came.number(0)),
            GOAWAY => connection = Some(came.number(4)),
            PING if came.payload == probe => {
                let Some(next) = probes.next() else {
                    return (streams, None);
                };
                probe = next;
                raw.send(&frame(PING, 0, 0, &probe)).await;
            }
            _ => {}
        }
    }
    (streams, Some(connection))
}

async fn mistake(url: &str, (name, bytes, expected): &Row) -> Option<String> {
    let (streams, ended) = play(url, bytes).await;
    let became = match (expected, &ended) {
        (Stream(codes), None) => streams.iter().any(|it| codes.contains(it)),
        // Where RFC 9113 wants a stream's error, a connection's is allowed (section 5.4.2).
        (Stream(codes) | Connection(codes), Some(Some(code))) => codes.contains(code),
        // What was answered before the end of the call is reset without an error.
        (Fine, None) => streams.iter().all(|it| *it == 0),
        _ => false,
    };
    (!became).then(|| format!("{name}: {expected:?} expected, but {streams:?} {ended:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_rule_has_its_error() {
    let limits = Limits::new().max_calls(4);
    let serving = start(server().limits(limits).accept([Wire::Native, Wire::Http])).await;
    let bystander = Bystander::of(&serving.url.replace("tcp://", "grpc://")).await;
    let rows = [rules_of_frames(), rules_of_streams(), rules_of_requests()].concat();
    assert!(rows.len() > 80, "{} rows", rows.len());
    let mut mistakes = Vec::new();
    for row in &rows {
        mistakes.extend(mistake(&serving.url, row).await);
    }
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
    bystander.expect_unharmed().await;
}

#[tokio::test]
async fn a_preface_that_is_none_ends_the_connection() {
    let serving = start(server().accept([Wire::Native, Wire::Http])).await;
    let wrong = PREFACE.to_ascii_lowercase();
    for bytes in [&wrong[..], b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"] {
        let mut raw = Raw::connect(&serving.url).await;
        raw.send(bytes).await;
        while let Some(frame) = raw.next().await {
            assert!(
                [SETTINGS, GOAWAY].contains(&frame.kind) || frame.kind > 9,
                "{frame:?}"
            );
        }
    }
}
