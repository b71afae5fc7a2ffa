//! Peers that send, or ask for, more than anyone should: memory stays bounded, others are served.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rpc_runtime::{Limits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::healthy::{Bystander, Memory, alone, server, start};
use super::raw::*;
use rpc_tests::eventually;

const MIB: usize = 1 << 20;

/// A call of a method that never answers by itself.
fn endless(call: u64) -> Request<'static> {
    Request {
        call,
        method: "test.v1.Math/sleep",
        message: &[0x91, 0xCE, 0xFF, 0xFF, 0xFF, 0xFF],
        ..Request::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_sent_messages() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let memory = Memory::now();
    for call in (1..20_000).step_by(2) {
        let half = Request {
            call,
            flags: BODY | MORE,
            ..Request::default()
        };
        assert!(raw.send(&half.bytes()).await);
    }
    raw.expect_alive(20_001).await;
    // The bystander's calls come and go beside them, here and below.
    eventually("every half-sent call counts", || {
        serving.stop.running_calls() == 10_000
    })
    .await;
    memory.expect_below("10,000 half-sent messages", 100 * MIB);
    drop(raw);
    eventually("every call is dropped", || {
        serving.stop.running_calls() == 0
    })
    .await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_fragments_are_held_up_to_max_buffered() {
    let _alone = alone().await;
    let limits = Limits::new().max_buffered(32 * MIB);
    let serving = start(server().limits(limits)).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let memory = Memory::now();
    let fragment = vec![0; MIB];
    for call in (1..200).step_by(2) {
        let half = Request {
            call,
            flags: BODY | MORE,
            message: &[0xC6],
            ..Request::default()
        };
        raw.send(&half.bytes()).await;
        raw.send(&frame(MESSAGE, MORE, call, &fragment)).await;
    }
    raw.expect_alive(201).await;
    // What was refused is told; `expect_alive` has passed over those frames.
    eventually("the calls within the limit are held", || {
        (28..=32).contains(&serving.stop.running_calls())
    })
    .await;
    memory.expect_below("fragments of 1 MiB on 100 calls", 100 * MIB);
    let half = Request {
        call: 203,
        flags: BODY | MORE,
        ..Request::default()
    };
    raw.send(&half.bytes()).await;
    raw.send(&frame(MESSAGE, MORE, 203, &fragment)).await;
    let error = raw.until(ERROR, 203).await;
    assert_eq!(error.code(), 8);
    assert!(error.text().contains("`max_buffered`"), "{}", error.text());
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_requests_that_wait_are_held_up_to_max_buffered() {
    let _alone = alone().await;
    let limits = Limits::new().max_buffered(16 * MIB);
    let server = server()
        .limits(limits)
        .function("keep", |text: String| async move {
            std::future::pending::<()>().await;
            text
        });
    let serving = start(server).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let memory = Memory::now();
    let text = [&[0x91, 0xDB, 0, 1, 0, 0][..], &[b'a'; 1 << 16]].concat();
    for call in (1..4_000).step_by(2) {
        let request = Request {
            call,
            method: "keep",
            message: &text,
            ..Request::default()
        };
        raw.send(&request.bytes()).await;
    }
    let error = raw.until(ERROR, 1_999).await;
    assert_eq!((error.code(), error.flags & NOT_STARTED), (8, NOT_STARTED));
    assert!(error.text().contains("`max_buffered`"), "{}", error.text());
    raw.expect_alive(4_001).await;
    eventually("the calls within the limit run", || {
        (200..=256).contains(&serving.stop.running_calls())
    })
    .await;
    memory.expect_below("2,000 requests of 64 KiB that wait", 64 * MIB);
    // What is given up is given back.
    for call in (1..4_000).step_by(2) {
        raw.send(&frame(CANCEL, 0, call, &[])).await;
    }
    eventually("every call is dropped", || {
        serving.stop.running_calls() == 0
    })
    .await;
    let request = Request {
        call: 4_003,
        method: "keep",
        message: &text,
        ..Request::default()
    };
    raw.send(&request.bytes()).await;
    eventually("the call runs", || serving.stop.running_calls() == 1).await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_bombs_are_held_up_to_max_buffered() {
    let _alone = alone().await;
    let limits = Limits::new().max_buffered(16 * MIB);
    let serving = start(server().limits(limits)).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let memory = Memory::now();
    let many: Vec<u8> = (0..128)
        .flat_map(|it| metadata(&format!("{it:x}"), b""))
        .collect();
    let large = metadata("x-large", &[b'a'; 16_000]);
    for call in (1..20_000).step_by(2) {
        let request = Request {
            fields: if call % 4 == 1 { &many } else { &large },
            ..endless(call)
        };
        assert!(raw.send(&request.bytes()).await);
    }
    raw.expect_alive(20_001).await;
    println!("{} calls run", serving.stop.running_calls());
    memory.expect_below("10,000 calls with metadata bombs", 64 * MIB);
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_now_and_then_is_cut_off() {
    let _alone = alone().await;
    let limit = Duration::from_secs(1);
    let serving = start(server().frame_timeout(limit).handshake_timeout(limit)).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut greeting = Raw::connect(&serving.url).await;
    let mut sent = 0;
    for byte in PREFACE.into_iter().chain(settings()) {
        sent += usize::from(greeting.send(&[byte]).await);
        sleep(Duration::from_millis(100)).await;
    }
    assert!(sent < 20, "a slow greeting is cut off");

    let mut raw = Raw::greet(&serving.url).await;
    for byte in Request::default().bytes() {
        raw.send(&[byte]).await;
        sleep(Duration::from_millis(100)).await;
    }
    raw.expect_go_away("`frame_timeout`").await;
    eventually("both are gone", || serving.stop.connections() == 1).await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_that_never_greet() {
    let _alone = alone().await;
    let limit = Duration::from_millis(800);
    let serving = start(server().handshake_timeout(limit)).await;
    let bystander = Bystander::of(&serving.url).await;
    let memory = Memory::now();
    let mut silent = Vec::new();
    for number in 0..1_000 {
        let mut raw = Raw::connect(&serving.url).await;
        // Some say a part of it.
        raw.send(&PREFACE[..number % 9]).await;
        silent.push(raw);
    }
    memory.expect_below("1,000 silent connections", 40 * MIB);
    for raw in &mut silent {
        raw.rest().await;
    }
    eventually("all are gone", || serving.stop.connections() == 1).await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_replies_that_nobody_reads() {
    let _alone = alone().await;
    let server = server()
        .keepalive(Duration::from_secs(20), Duration::from_secs(2))
        .function("large", |length: usize| async move { "a".repeat(length) });
    let serving = start(server).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let memory = Memory::now();
    for call in (1..10_000).step_by(2) {
        let request = Request {
            call,
            method: "large",
            message: &[0x91, 0xCE, 0, 0x10, 0, 0],
            ..Request::default()
        };
        raw.send(&request.bytes()).await;
    }
    let mut most = 0;
    while serving.stop.connections() > 1 {
        most = most.max(memory.growth());
        sleep(Duration::from_millis(5)).await;
    }
    println!("replies that nobody reads: grew by {} MiB", most >> 20);
    assert!(most < 64 * MIB, "{most}");
    eventually("every call is dropped", || {
        serving.stop.running_calls() == 0
    })
    .await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pings_and_refusals_that_nobody_reads() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    let memory = Memory::now();
    let pings = frame(PING, 0, 0, b"12345678").repeat(1_000);
    let mut raw = Raw::greet(&serving.url).await;
    let mut sent = 0;
    while raw.send(&pings).await {
        sent += 1_000;
        assert!(sent < 10_000_000, "the flood is never cut off");
    }
    let mut raw = Raw::greet(&serving.url).await;
    let mut call = 1;
    loop {
        let mut refused = Vec::new();
        for _ in 0..1_000 {
            let request = Request {
                call,
                method: "no.such.Service/with_a_name_that_the_error_repeats_at_some_length",
                ..Request::default()
            };
            refused.extend(request.bytes());
            call += 2;
        }
        if !raw.send(&refused).await {
            break;
        }
        assert!(call < 10_000_000, "the flood is never cut off");
    }
    // Twice `max_outgoing` on either connection, in buffers that grow by doubling.
    memory.expect_below("answers that nobody reads", 128 * MIB);
    eventually("both are gone", || serving.stop.connections() == 1).await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_calls_that_wait() {
    const CALLS: u64 = 1_000_000;
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    let memory = Memory::now();
    let Raw { stream, .. } = Raw::greet(&serving.url).await;
    let (mut reader, mut writer) = stream.into_split();
    // A peer that leaves its answers unread is another test: this one keeps up with them.
    let unread = Arc::new(Semaphore::new(40_000));
    let allowed = Arc::clone(&unread);
    let sending = tokio::spawn(async move {
        for batch in 0..CALLS / 1_000 {
            let first = batch * 2_000 + 1;
            let calls = (first..first + 2_000).step_by(2);
            let bytes: Vec<u8> = calls.flat_map(|call| endless(call).bytes()).collect();
            allowed.acquire_many(1_000).await.unwrap().forget();
            writer.write_all(&bytes).await.unwrap();
        }
        writer
    });
    let (mut refused, mut rest) = (0, BytesMut::new());
    while refused < CALLS - 16_384 {
        assert!(reader.read_buf(&mut rest).await.unwrap() > 0);
        while let Some(header) = rest.get(..16) {
            let length = u32::from_le_bytes(header[..4].try_into().unwrap()) as usize;
            if rest.len() < 16 + length {
                break;
            }
            let answer = rest.split_to(16 + length);
            assert_eq!((answer[4], answer[5] & NOT_STARTED), (ERROR, NOT_STARTED));
            assert_eq!(answer[16..19], [CODE, 1, 8]);
            refused += 1;
            unread.add_permits(1);
        }
    }
    eventually("the calls within the limit run", || {
        serving.stop.running_calls() == 16_384
    })
    .await;
    memory.expect_below("a million calls, of which 16,384 wait", 160 * MIB);
    drop((sending.await.unwrap(), reader));
    eventually("every call is dropped", || {
        serving.stop.running_calls() == 0
    })
    .await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_cancelled_at_once() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut raw = Raw::greet(&serving.url).await;
    let memory = Memory::now();
    let sending = tokio::spawn(async move {
        for batch in 0..100 {
            let first = batch * 2_000 + 1;
            let calls = (first..first + 2_000).step_by(2);
            let bytes = calls.flat_map(|call| [endless(call).bytes(), frame(CANCEL, 0, call, &[])]);
            assert!(raw.send(&bytes.flatten().collect::<Vec<u8>>()).await);
            // The refusals of those above the limit must be read.
            while let Some(frame) = raw.try_next() {
                assert_eq!(frame.code(), 8);
            }
        }
        raw
    });
    let mut raw = sending.await.unwrap();
    eventually("every call is dropped", || {
        serving.stop.running_calls() == 0
    })
    .await;
    raw.expect_alive(1_000_001).await;
    memory.expect_below("100,000 calls that are cancelled at once", 160 * MIB);
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_above_the_limit_are_closed_and_the_others_go_on() {
    let _alone = alone().await;
    let serving = start(Server::max_connections(server(), 2)).await;
    let bystander = Bystander::of(&serving.url).await;
    let mut second = Raw::greet(&serving.url).await;
    for _ in 0..100 {
        let mut third = Raw::connect(&serving.url).await;
        assert_eq!(third.rest().await, []);
    }
    second.expect_alive(1).await;
    bystander.expect_unharmed().await;
}
