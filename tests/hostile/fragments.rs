//! Large messages in fragments, which are read where the message is put together.

use rpc_runtime::transport::Io;
use rpc_tests::raw::{RawPeer, block, flag, frame, kind, method};
use tokio::task::yield_now;

use super::healthy::{Memory, alone, server, start};

const ECHO: &str = "test.v1.Math/echo";
const FRAGMENT: usize = 64 << 10;

/// A peer of a server in this task's own time.
async fn against_server() -> RawPeer {
    let (here, there) = tokio::io::duplex(8 << 20);
    tokio::spawn(server().connections().serve(Io::new(there)));
    let mut peer = RawPeer::over(here);
    peer.introduce(&[]).await;
    peer
}

/// Bytes in MessagePack.
fn binary(length: usize, seed: u8) -> Vec<u8> {
    let mut message = vec![0xC6];
    message.extend(u32::try_from(length).unwrap().to_be_bytes());
    message.extend((0..length).map(|it| (it % 251) as u8 ^ seed));
    message
}

/// The frames of a call whose message comes in fragments of this length.
fn frames(call: u64, message: &[u8], length: usize) -> Vec<Vec<u8>> {
    let (first, rest) = message.split_at(5);
    let payload = block(&method(ECHO), first);
    let mut frames = vec![frame(
        kind::REQUEST,
        flag::BODY | flag::MORE,
        call,
        &payload,
    )];
    let count = rest.len().div_ceil(length);
    for (index, part) in rest.chunks(length).enumerate() {
        let flags = if index + 1 < count {
            flag::MORE
        } else {
            flag::END
        };
        frames.push(frame(kind::MESSAGE, flags, call, part));
    }
    frames
}

/// Reads whole answers until all of these calls have theirs.
async fn answers<const CALLS: usize>(peer: &mut RawPeer, calls: [u64; CALLS]) -> [Vec<u8>; CALLS] {
    let mut messages = [const { Vec::new() }; CALLS];
    let mut left = CALLS;
    while left > 0 {
        let frame = peer.next().await;
        let Some(index) = calls.iter().position(|it| *it == frame.call) else {
            continue;
        };
        match frame.kind {
            kind::RESPONSE => messages[index].extend(frame.message()),
            kind::MESSAGE => messages[index].extend(&frame.payload),
            _ => panic!("{frame:?}"),
        }
        left -= usize::from(frame.flags & flag::END != 0);
    }
    messages
}

#[tokio::test(start_paused = true)]
async fn they_arrive_however_they_trickle() {
    let mut random = fastrand::Rng::with_seed(7);
    for length in [9_000, FRAGMENT, FRAGMENT + 1, 300_000] {
        let mut peer = against_server().await;
        let messages = [binary(400_000, 1), binary(700_001, 2)];
        let [first, second] = [0, 1].map(|it| frames(2 * it as u64 + 1, &messages[it], length));
        let mut bytes = Vec::new();
        for index in 0..first.len().max(second.len()) {
            bytes.extend(first.get(index).into_iter().flatten());
            bytes.extend(second.get(index).into_iter().flatten());
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let most = [1, 15, 17, 4_000, 70_000][random.usize(..5)];
            let (piece, after) = rest.split_at(random.usize(1..=most).min(rest.len()));
            peer.bytes(piece).await;
            yield_now().await;
            rest = after;
        }
        let echoes = answers(&mut peer, [1, 3]).await;
        assert!(echoes == messages, "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_inside_a_fragment_leaves_the_connection_whole() {
    let mut peer = against_server().await;
    let frames = frames(1, &binary(4 * FRAGMENT, 1), FRAGMENT);
    for whole in &frames[..2] {
        peer.bytes(whole).await;
    }
    peer.send(kind::CANCEL, 0, 1, &[]).await;
    peer.settle().await;
    // What was on its way all the same, and a part of it late.
    let (half, rest) = frames[2].split_at(30_000);
    peer.bytes(half).await;
    yield_now().await;
    peer.bytes(rest).await;
    peer.request(3, "test.v1.Math/add", b"\x92\x02\x03").await;
    assert_eq!(peer.next_for(3).await.message(), b"\x05");
}

#[tokio::test(start_paused = true)]
async fn a_message_over_the_limit_fails_its_call_alone() {
    let mut peer = against_server().await;
    let too_long = binary(17 << 20, 1);
    for frame in frames(1, &too_long, FRAGMENT) {
        peer.bytes(&frame).await;
        yield_now().await;
    }
    let error = peer.next_for(1).await;
    assert_eq!(error.kind, kind::ERROR);
    assert!(error.text().contains("`max_message`"), "{}", error.text());
    peer.request(3, "test.v1.Math/add", b"\x92\x02\x03").await;
    assert_eq!(peer.next_for(3).await.message(), b"\x05");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_begun_keeps_no_more_than_a_multiple_of_what_came() {
    let _alone = alone().await;
    let serving = start(server()).await;
    let mut peer = RawPeer::introduced(&serving.url).await;
    // Messages whose memory could be used again, and then far shorter ones, which never end.
    for call in [1, 3, 5] {
        for frame in frames(call, &binary(2 << 20, 1), FRAGMENT) {
            peer.bytes(&frame).await;
        }
        answers(&mut peer, [call]).await;
    }
    let memory = Memory::now();
    for call in (7..4_007).step_by(2) {
        for frame in &frames(call, &binary(20_000, 2), 9_000)[..2] {
            peer.bytes(frame).await;
        }
    }
    peer.settle().await;
    memory.expect_below("2,000 messages of which 9,000 bytes came", 64 << 20);
}

#[tokio::test]
async fn a_connection_that_is_cut_inside_a_fragment_harms_no_other() {
    let serving = start(server()).await;
    for cut in [17, 9_000, FRAGMENT, FRAGMENT + 15] {
        let mut peer = RawPeer::introduced(&serving.url).await;
        let frames = frames(1, &binary(4 * FRAGMENT, 1), FRAGMENT);
        peer.bytes(&frames[0]).await;
        peer.settle().await;
        peer.bytes(&frames[1][..cut]).await;
        drop(peer);
    }
    let mut peer = RawPeer::introduced(&serving.url).await;
    let message = binary(4 * FRAGMENT, 1);
    for frame in frames(1, &message, FRAGMENT) {
        peer.bytes(&frame).await;
    }
    assert!(answers(&mut peer, [1]).await == [message]);
}
