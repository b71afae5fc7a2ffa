//! Peers that break rules: each costs its own call or connection, says why, and harms no other.

use rpc_runtime::{Limits, Server};

use super::healthy::{Bystander, alone, server, start};
use super::raw::*;
use rpc_tests::eventually;

fn golden() -> Vec<(String, Vec<u8>)> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/wire");
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|it| it.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let words = text.lines().flat_map(|line| {
                let bytes = line.split('#').next().unwrap_or_default();
                bytes
                    .split_whitespace()
                    .map(|it| u8::from_str_radix(it, 16).unwrap())
            });
            (
                path.file_stem().unwrap().to_str().unwrap().to_owned(),
                words.collect(),
            )
        })
        .collect();
    files.sort();
    assert!(files.len() >= 20);
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_truncation_of_every_golden_frame() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    for (name, bytes) in golden() {
        for length in 0..=bytes.len() {
            let part = &bytes[..length];
            let mut raw = Raw::connect(&serving.url).await;
            if name != "preface" {
                raw.send(&PREFACE).await;
            }
            if name != "preface" && name != "settings" {
                raw.send(&settings()).await;
            }
            raw.send(part).await;
            drop(raw);
        }
    }
    eventually("every broken connection is gone", || {
        serving.stop.connections() == 1
    })
    .await;
    eventually("every broken call is dropped", || {
        serving.stop.running_calls() == 0
    })
    .await;
    bystander.expect_unharmed().await;
    Raw::greet(&serving.url).await.expect_alive(1).await;
}

/// Sends frames after the greeting and expects a GO_AWAY with this text.
async fn expect_broken(url: &str, bytes: &[u8], text: &str) {
    let mut raw = Raw::greet(url).await;
    raw.send(bytes).await;
    raw.expect_go_away(text).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_connection_is_told_in_a_go_away() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    let url = &serving.url;
    let request = |call| Request {
        call,
        ..Request::default()
    };
    let huge = header(u32::MAX, MESSAGE, 0, 1);
    expect_broken(
        url,
        &huge,
        "4294967295 bytes, the limit `max_frame` is 1048576",
    )
    .await;
    expect_broken(url, &settings(), "SETTINGS came twice").await;
    let twice = [request(5).bytes(), request(5).bytes()].concat();
    expect_broken(url, &twice, "number 5 after 5").await;
    let back = [request(5).bytes(), request(3).bytes()].concat();
    expect_broken(url, &back, "number 3 after 5").await;
    expect_broken(url, &request(2).bytes(), "the wrong side").await;
    expect_broken(url, &request(0).bytes(), "the wrong side").await;
    expect_broken(url, &frame(PING, 0, 0, b"1234567"), "a PING has 7 bytes").await;
    expect_broken(url, &frame(0x0F, 0, 0, b""), "has no meaning here").await;
    expect_broken(url, &frame(MESSAGE, 0, 0, b""), "belongs to no call").await;
    expect_broken(url, &frame(END_FRAME, 0, 0, b""), "belongs to no call").await;
    for kind in [RESPONSE, ERROR, CANCEL] {
        expect_broken(url, &frame(kind, 0, 0, b"\0"), "belongs to no call").await;
    }
    expect_broken(url, &frame(GO_AWAY, 0, 0, &[0x20, 0]), "bad GO_AWAY").await;

    let mut first = Raw::connect(url).await;
    first.send(&PREFACE).await;
    first.send(&request(1).bytes()).await;
    first.expect_greeting().await;
    first
        .expect_go_away("the first frame is REQUEST, not SETTINGS")
        .await;
    let mut bad = Raw::connect(url).await;
    bad.send(&PREFACE).await;
    bad.send(&frame(SETTINGS, 0, 0, &field(0x10, &[1]))).await;
    bad.expect_greeting().await;
    bad.expect_go_away("`MAX_FRAME` is below 131072").await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_or_version_is_closed() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let mut http = Raw::connect(&serving.url).await;
    http.send(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(http.rest().await, []);
    let mut newer = Raw::connect(&serving.url).await;
    newer.send(b"\xD3RPC\r\n\x1A\x09").await;
    newer.expect_greeting().await;
    assert_eq!(newer.rest().await, []);
    eventually("both are gone", || serving.stop.connections() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_a_call_leaves_its_connection_alone() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let upload = |call| Request {
        call,
        method: "test.v1.Math/sum",
        flags: 0,
        message: &[],
        ..Request::default()
    };
    // (frames, call, code, part of the text)
    let many: Vec<u8> = (0..129).flat_map(|_| metadata("x-bomb", b"")).collect();
    let large = metadata("x-bomb", &[b'a'; 17_000]);
    let request = |call, fields| Request {
        call,
        fields,
        ..Request::default()
    };
    let cases: Vec<(Vec<u8>, u64, &str)> = vec![
        (
            request(1, &many).bytes(),
            8,
            "`max_metadata` is 128 entries",
        ),
        (request(3, &large).bytes(), 8, "bytes of fields"),
        (
            request(5, &[0x20, 0]).bytes(),
            12,
            "unknown here and must be understood",
        ),
        (
            request(7, &metadata("X-Upper", b"a")).bytes(),
            3,
            "not a lower-case header name",
        ),
        (
            request(9, &metadata("x-a", b"a\r\nb")).bytes(),
            3,
            "control characters",
        ),
        (
            request(11, &field(TIMEOUT, &[0xFF; 11])).bytes(),
            3,
            "beyond 64 bits",
        ),
        (
            request(13, &field(METHOD_NUMBER, &[0])).bytes(),
            3,
            "exactly one of METHOD",
        ),
        (
            frame(
                REQUEST,
                BODY | END,
                15,
                &block(&field(METHOD_NUMBER, &[99]), &[]),
            ),
            12,
            "number 99",
        ),
        (frame(REQUEST, BODY | END, 17, &[0xFF; 9]), 3, "cut short"),
        (frame(REQUEST, BODY | END, 19, &[0x7F, 1]), 3, "cut short"),
        (frame(REQUEST, 0, 21, &[]), 3, "cut short"),
        (
            Request {
                call: 23,
                flags: BODY | MORE | END,
                ..Request::default()
            }
            .bytes(),
            3,
            "MORE",
        ),
        (
            [upload(25).bytes(), frame(CREDIT, 0, 25, &[0x80])].concat(),
            13,
            "CREDIT",
        ),
        (
            [upload(27).bytes(), frame(0x0F, 0, 27, &[])].concat(),
            12,
            "no meaning here",
        ),
        (
            [upload(29).bytes(), frame(END_FRAME, END, 29, &[0x20, 0])].concat(),
            13,
            "unknown",
        ),
        (
            [
                upload(31).bytes(),
                frame(MESSAGE, MORE, 31, &[1]),
                frame(END_FRAME, END, 31, &[]),
            ]
            .concat(),
            13,
            "inside a message",
        ),
        (
            [upload(33).bytes(), frame(MESSAGE, END, 33, &[0xC1])].concat(),
            3,
            "0xc1",
        ),
        (
            [upload(35).bytes(), frame(RESPONSE, 0, 35, &[0])].concat(),
            12,
            "no meaning here",
        ),
        (
            Request {
                call: 37,
                message: &[0x92, 2, 3, 4],
                ..Request::default()
            }
            .bytes(),
            3,
            "follow the value",
        ),
        (
            Request {
                call: 39,
                message: &[0xDD, 0xFF, 0xFF, 0xFF, 0xFF],
                ..Request::default()
            }
            .bytes(),
            3,
            "inside a value",
        ),
        (
            Request {
                call: 41,
                message: &[0xC6, 0xFF, 0xFF, 0xFF, 0xFF],
                ..Request::default()
            }
            .bytes(),
            3,
            "inside a value",
        ),
    ];
    for (index, (bytes, code, text)) in cases.into_iter().enumerate() {
        let call = index as u64 * 2 + 1;
        raw.send(&bytes).await;
        let error = raw.until(ERROR, call).await;
        assert_eq!(error.code(), code, "call {call}: {}", error.text());
        assert!(error.text().contains(text), "call {call}: {}", error.text());
    }
    raw.expect_alive(1_001).await;
    bystander.expect_unharmed().await;
    eventually("every call is over", || serving.stop.running_calls() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_without_a_call_and_hostile_numbers_are_ignored() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let credit = varint(u64::MAX);
    let count = Request {
        call: 1,
        method: "test.v1.Math/count",
        message: &[0x91, 0xCD, 0x03, 0xE8],
        ..Request::default()
    };
    raw.send(&count.bytes()).await;
    for _ in 0..2_000 {
        let mut bytes = frame(CREDIT, 0, 1, &credit);
        for call in [0, 2, 3, 1 << 40, u64::MAX] {
            bytes.extend(frame(CREDIT, 0, call, &credit));
        }
        for call in [2, 999, u64::MAX] {
            bytes.extend(frame(MESSAGE, MORE, call, b"nobody asked"));
            bytes.extend(frame(END_FRAME, END, call, &[]));
            bytes.extend(frame(CANCEL, 0, 999, &[]));
            bytes.extend(frame(ERROR, END, 2, &[]));
            bytes.extend(frame(
                RESPONSE,
                BODY | END,
                2,
                &block(&field(METHOD_NUMBER, &credit), &[1]),
            ));
        }
        bytes.extend(frame(0x8F, 0, 0, &[0; 100]));
        bytes.extend(frame(PING, ACK, 0, b"unasked!"));
        assert!(raw.send(&bytes).await);
    }
    let mut items = 0;
    while let Some(frame) = raw.next().await {
        items += usize::from(frame.is(MESSAGE, 1));
        if frame.call == 1 && frame.flags & END != 0 {
            break;
        }
    }
    assert_eq!(items, 1_000, "too much credit is no harm");
    raw.expect_alive(3).await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_go_aways_ends_when_its_calls_have_ended() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let sleep = Request {
        method: "test.v1.Math/sleep",
        message: &[0x91, 100],
        ..Request::default()
    };
    let mut bytes = sleep.bytes();
    for _ in 0..10_000 {
        bytes.extend(frame(GO_AWAY, 0, 0, &field(0x0A, &varint(u64::MAX))));
    }
    raw.send(&bytes).await;
    let frames = raw.rest().await;
    assert!(
        frames.iter().any(|it| it.is(RESPONSE, 1)),
        "the open call is finished"
    );
    assert!(frames.len() < 5);
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_of_a_stream_than_its_window_fails_that_call() {
    let _alone = alone().await;
    let limits = Limits::new().stream_window(4 << 10).max_message(8 << 10);
    let server = Server::new()
        .limits(limits)
        .fallback(rpc_runtime::service_fn(|request| async {
            // Takes nothing.
            let _request: rpc_runtime::Request = request;
            std::future::pending().await
        }));
    let serving = start(server).await;
    let mut raw = Raw::greet(&serving.url).await;
    let upload = |call, method| Request {
        call,
        method,
        flags: 0,
        message: &[],
        ..Request::default()
    };
    raw.send(&upload(1, "wait").bytes()).await;
    for _ in 0..6 {
        raw.send(&frame(MESSAGE, 0, 1, &[0; 1_000])).await;
    }
    let error = raw.until(ERROR, 1).await;
    assert_eq!(error.code(), 8);
    assert!(error.text().contains("`stream_window`"), "{}", error.text());

    raw.send(&upload(3, "wait").bytes()).await;
    for _ in 0..10 {
        raw.send(&frame(MESSAGE, MORE, 3, &[0; 1_000])).await;
    }
    let error = raw.until(ERROR, 3).await;
    assert_eq!(error.code(), 8);
    assert!(error.text().contains("`max_message`"), "{}", error.text());
    raw.send(&frame(PING, 0, 0, b"12345678")).await;
    raw.until(PING, 0).await;
    eventually("both calls are over", || serving.stop.running_calls() == 0).await;
}
