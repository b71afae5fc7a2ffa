//! Mutated frames, fed to whole connections in memory: both roles, every state of a call.
//!
//! Each round is one connection whose peer sends a mutated conversation and closes. It must end by
//! itself, within its limits, and it must have answered, said why it closes, or been cut short.
//!
//! `RPC_MUTATIONS` sets how many frames are sent, `RPC_SEED` where the rounds begin; a failure
//! names the seed of its round. The long run:
//!
//! ```text
//! RPC_MUTATIONS=10000000 cargo test --release -p rpc-runtime mutated_frames -- --nocapture
//! ```

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use fastrand::Rng;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::Shared;
use super::field::{FieldType, begin_block, finish_block, put_field, put_varint, put_varint_field};
use super::frame::{Flags, FrameHeader, FrameReader, FrameType, begin_frame, finish_frame};
use super::preface::PREFACE;
use super::settings::WireSettings;
use super::{Connection, Role, open};
use crate::call::{Body, BodyFrame, Limits, Message, Method, Request, Response};
use crate::codec::Encoding;
use crate::server::Router;
use crate::service::{BoxService, Service, service_fn};
use crate::status::Status;
use crate::transport::Io;
use crate::wire::budget::SharedBudget;
use crate::wire::config::{Config, RunningCalls, Served};

/// What CI sends; about half of it to either role.
const MUTATIONS: u64 = 300_000;

/// The pattern of the PING that ends a conversation; its answer shows that the connection lives.
const LAST_PING: [u8; 8] = *b"the last";

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |it| it.parse().expect("a number"))
}

#[test]
fn mutated_frames_harm_nothing() {
    let mutations = number_from("RPC_MUTATIONS", MUTATIONS);
    let mut seed = number_from("RPC_SEED", 0x5EED);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let began = std::time::Instant::now();
    let (mut sent, mut rounds, mut answered) = (0, 0_u64, 0_u64);
    while sent < mutations {
        let round = AssertUnwindSafe(|| runtime.block_on(play(seed)));
        let outcome = std::panic::catch_unwind(round).unwrap_or_else(|panic| {
            eprintln!("the round with RPC_SEED={seed} failed");
            std::panic::resume_unwind(panic)
        });
        seed += 1;
        sent += outcome.frames;
        answered += u64::from(outcome.answered);
        rounds += 1;
    }
    println!(
        "{sent} mutated frames in {rounds} connections, of which {answered} lived on, in {:?}",
        began.elapsed()
    );
    // Both happen often, or the mutations test only one of them.
    assert!(answered > rounds / 20 && answered < rounds - rounds / 20);
}

struct Outcome {
    frames: u64,
    answered: bool,
}

async fn play(seed: u64) -> Outcome {
    let mut random = Rng::with_seed(seed);
    let role = if random.bool() {
        Role::Accepted
    } else {
        Role::Connected
    };
    let (frames, greeting, bytes) = conversation(role, &mut random);
    let wire = Arc::new(Mutex::new(Wire {
        input: bytes.into(),
        ..Wire::default()
    }));
    let io = Io::new(Script {
        wire: Arc::clone(&wire),
        random: random.fork(),
        greeting: Some(greeting),
    });
    let config = Arc::new(config());
    let served = (role == Role::Accepted || random.bool()).then(served);
    let (connection, driver) = open(io, role, config, served, BytesMut::new());
    let shared = Arc::clone(connection.shared());
    let tasks: Vec<_> = (0..calls_of(role))
        .map(|kind| tokio::spawn(call(connection.clone(), kind)))
        .collect();
    let ended = tokio::time::timeout(Duration::from_secs(3_600), Watched(driver, &shared)).await;
    let ended = ended.expect("a connection whose peer has closed ends");
    drop(connection);
    for task in tasks {
        // Every call ends, well or badly, but never by a panic.
        task.await.expect("no panic");
    }
    // Handlers that were stopped are dropped by their tasks.
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
    let state = shared.state();
    assert!(state.calls.is_empty() && state.peers_calls.is_empty());
    drop(state);
    assert_eq!(shared.budget.used(), 0, "bytes were never given back");
    let mut wire = wire.lock().unwrap();
    let output = std::mem::take(&mut wire.output);
    let said = Said::of(output, wire.refused);
    match ended.map_err(|it| it.to_string()) {
        // A go-away is tried once: the peer may not take it.
        Err(reason) if reason.contains("broke the protocol") => {
            assert!(said.went_away || wire.refused, "{reason}");
        }
        Err(reason) => {
            let silent = ["does not speak", "version", "inside a frame"];
            assert!(silent.iter().any(|it| reason.contains(it)), "{reason}");
        }
        Ok(()) => {}
    }
    Outcome {
        frames,
        answered: said.answered,
    }
}

/// What came out of a connection.
struct Said {
    answered: bool,
    went_away: bool,
}

impl Said {
    /// Reads the output, which is whole frames whatever came in, except for its end.
    fn of(mut output: BytesMut, refused: bool) -> Self {
        let mut said = Self {
            answered: false,
            went_away: false,
        };
        if output.len() < PREFACE.len() {
            assert!(output.is_empty() || refused);
            return said;
        }
        assert_eq!(output.split_to(PREFACE.len()), PREFACE[..]);
        let mut reader = FrameReader::with_bytes(1 << 20, output);
        while let Some(frame) = reader.next().expect("our own frames are in order") {
            assert!((0x01..=0x0A).contains(&frame.frame_type.0));
            said.went_away |= frame.frame_type == FrameType::GO_AWAY;
            let pong = frame.frame_type == FrameType::PING && frame.flags.contains(Flags::ACK);
            said.answered |= pong && frame.payload[..] == LAST_PING;
        }
        assert!(refused || !reader.is_mid_frame(), "a frame was cut short");
        said
    }
}

/// Polls a driver, and looks at every bound whenever it rests.
struct Watched<'a>(super::driver::Driver, &'a Shared);

impl Future for Watched<'_> {
    type Output = Result<(), Status>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let polled = Pin::new(&mut self.0).poll(cx);
        let shared = self.1;
        let limits = &shared.config.limits;
        let state = shared.state();
        assert!(state.peers_calls.len() <= usize::try_from(limits.max_calls).unwrap());
        assert!(state.outgoing.len() <= 2 * limits.max_outgoing + (1 << 20));
        assert!(state.method_numbers.len() <= super::caller::MAX_METHOD_NUMBERS);
        assert!(shared.budget.used() <= limits.max_buffered);
        polled
    }
}

fn config() -> Config {
    let limits = Limits::new()
        .max_message(64 << 10)
        .max_calls(16)
        .stream_window(4 << 10)
        .max_buffered(128 << 10);
    Config {
        limits,
        shared_budget: Some(SharedBudget::new(1 << 20)),
        ..Config::default()
    }
}

fn served() -> Served {
    let router = Router::new()
        .function("add", |a: i64, b: i64| async move { a.wrapping_add(b) })
        .function("wait", |milliseconds: u64| async move {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            milliseconds
        })
        .fallback(service_fn(stream));
    Served {
        service: BoxService::new(router.clone()),
        methods: Arc::new(router),
        running: RunningCalls::new(64),
        extensions: http::Extensions::new(),
    }
}

/// Gives every message back, one at a time.
async fn stream(mut request: Request) -> Result<Response, Status> {
    let body = request.take_body();
    let messages =
        futures_util::stream::unfold(
            body,
            |mut body| async move { Some((body.frame().await?, body)) },
        );
    Ok(Response::new(Body::stream(messages)))
}

fn calls_of(role: Role) -> u64 {
    match role {
        Role::Accepted => 0,
        Role::Connected => 6,
    }
}

/// A call of ours: one message or a stream each way.
async fn call(connection: Connection, kind: u64) {
    let message = || Message::encoded(Bytes::from_static(&[7; 40]), Encoding::MESSAGE_PACK);
    let body = if kind.is_multiple_of(2) {
        Body::message(message())
    } else {
        let items = (0..300).map(move |_| Ok(BodyFrame::Message(message())));
        Body::stream(futures_util::stream::iter(items))
    };
    let mut request = Request::new(Method::named("fuzz"), body);
    if kind < 4 {
        request.shorten_timeout(Duration::from_secs(kind + 1));
    }
    if let Ok(mut response) = connection.call(request).await {
        let mut body = response.take_body();
        let mut taken = 0;
        while let Some(Ok(_)) = body.frame().await {
            taken += 1;
            assert!(taken < 100_000, "an endless stream");
        }
    }
}

/// A conversation of the peer of `role`: how many frames, how long the greeting, and the bytes.
fn conversation(role: Role, random: &mut Rng) -> (u64, usize, Vec<u8>) {
    let mut bytes = PREFACE.to_vec();
    let mut settings = BytesMut::new();
    WireSettings::default().encode(&mut settings);
    let count = random.u64(1..48);
    let mut next_call = match role {
        Role::Accepted => 1,
        Role::Connected => 2,
    };
    let mut last = Vec::new();
    // Now and then the greeting itself is damaged.
    if random.u8(..) < 4 {
        mutate(&mut settings, random);
    }
    bytes.extend_from_slice(&settings);
    let greeting = bytes.len();
    for _ in 0..count {
        let mut frame = match random.u8(..64) {
            // Again: ids that do not rise, second acceptances, second ends.
            0 if !last.is_empty() => last.clone(),
            _ => frame(role, &mut next_call, random),
        };
        last.clone_from(&frame);
        // Some frames stay whole, so that the others find states worth to break.
        if random.u8(..4) != 0 {
            let mut mutated = BytesMut::from(&frame[..]);
            mutate(&mut mutated, random);
            frame = mutated.to_vec();
        }
        bytes.append(&mut frame);
    }
    if random.u8(..) < 4 {
        let position = random.usize(..PREFACE.len());
        bytes[position] ^= 1 << random.u8(..8);
    }
    let ping = build(FrameType::PING, Flags::NONE, 0, &LAST_PING);
    bytes.extend_from_slice(&ping);
    (count, greeting, bytes)
}

fn build(frame_type: FrameType, flags: Flags, call: u64, payload: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let start = begin_frame(&mut out);
    out.put_slice(payload);
    finish_frame(&mut out, start, FrameHeader::new(frame_type, flags, call));
    out.to_vec()
}

/// A frame that is in order by itself, for a call that may well be open.
fn frame(role: Role, next_call: &mut u64, random: &mut Rng) -> Vec<u8> {
    let flags = Flags(random.u8(..) & random.u8(..) & 0x0F);
    let some_call = match random.u8(..4) {
        0 => random.u64(1..16),
        1 => next_call.saturating_sub(2),
        _ => match role {
            Role::Accepted => random.u64(..8) * 2 + 1,
            Role::Connected => random.u64(..6) * 2 + 1,
        },
    };
    let kind = match random.u8(..16) {
        0..=3 => FrameType::REQUEST,
        4..=5 => FrameType::RESPONSE,
        6..=9 => FrameType::MESSAGE,
        10 => FrameType::END,
        11 => FrameType::ERROR,
        12 => FrameType::CANCEL,
        13 => FrameType::CREDIT,
        14 => FrameType(random.u8(..) | 0x80),
        _ if random.u8(..) < 40 => {
            [FrameType::PING, FrameType::GO_AWAY, FrameType(0x0F)][random.usize(..3)]
        }
        _ => FrameType::MESSAGE,
    };
    let payload = payload(kind, random);
    let call = match kind {
        FrameType::REQUEST => {
            *next_call += 2;
            *next_call - 2
        }
        _ => some_call,
    };
    let flags = match kind {
        FrameType::REQUEST | FrameType::RESPONSE => flags | Flags::BODY,
        _ => flags,
    };
    build(kind, flags, call, &payload)
}

fn payload(kind: FrameType, random: &mut Rng) -> Vec<u8> {
    let mut out = BytesMut::new();
    match kind {
        FrameType::REQUEST => {
            let block = begin_block(&mut out);
            let method = ["add", "wait", "stream", "none"][random.usize(..4)];
            match random.u8(..4) {
                0 => put_varint_field(&mut out, FieldType::METHOD_NUMBER, random.u64(..3)),
                _ => put_field(&mut out, FieldType::METHOD, method.as_bytes()),
            }
            if random.bool() {
                let timeout = random.u64(..) >> random.u32(..64);
                put_varint_field(&mut out, FieldType::TIMEOUT, timeout);
            }
            put_varint_field(&mut out, FieldType::ENCODING, random.u64(1..4));
            if random.bool() {
                put_field(&mut out, FieldType::METADATA, b"\x03x-avalue");
            }
            finish_block(&mut out, block);
            out.put_slice(b"\x92\x05\x07");
        }
        FrameType::RESPONSE => {
            let block = begin_block(&mut out);
            if random.bool() {
                put_varint_field(&mut out, FieldType::METHOD_NUMBER, random.u64(..9));
                put_field(&mut out, FieldType::METADATA, b"\x03x-bvalue");
            }
            finish_block(&mut out, block);
            out.put_slice(b"\x05");
        }
        FrameType::MESSAGE => {
            let length = match random.u8(..) {
                0..8 => random.usize(..40_000),
                _ => random.usize(..50),
            };
            out.put_bytes(0x05, length);
        }
        FrameType::CREDIT => put_varint(&mut out, random.u64(..) >> random.u32(..64)),
        FrameType::PING => out.put_u64(random.u64(..)),
        _ => {
            put_varint_field(&mut out, FieldType::CODE, random.u64(..20));
            put_field(&mut out, FieldType::TEXT, "weil es so ist".as_bytes());
            if random.bool() {
                put_field(&mut out, FieldType::DETAILS, b"\xA5error");
                put_varint_field(&mut out, FieldType::LAST_CALL, random.u64(..16));
            }
        }
    }
    out.to_vec()
}

/// Damages a frame in one to three ways. Its header mostly stays, and its length true: what breaks
/// the connection ends the conversation.
fn mutate(frame: &mut BytesMut, random: &mut Rng) {
    let whole = random.u8(..24) == 0 || frame.len() <= 16;
    let mut part = frame.split_off(if whole { 0 } else { 16 });
    for _ in 0..random.u8(1..4) {
        let position = random.usize(..part.len().max(1));
        let byte = part.get_mut(position);
        match (random.u8(..8), byte) {
            (0 | 1, Some(byte)) => *byte ^= 1 << random.u8(..8),
            (2 | 3, Some(byte)) => *byte = random.u8(..),
            (4, Some(byte)) => *byte = [0x00, 0x7F, 0x80, 0xFF][random.usize(..4)],
            (5, Some(_)) => part.truncate(position),
            (6, Some(_)) => {
                let tail = part.split_off(position);
                part.extend_from_slice(&tail[random.usize(..=tail.len())..]);
            }
            _ => {
                let tail = part.split_off(position.min(part.len()));
                part.put_bytes(random.u8(..), random.usize(1..12));
                part.unsplit(tail);
            }
        }
    }
    frame.unsplit(part);
    if let Some(payload) = frame.len().checked_sub(16)
        && (!whole || random.bool())
    {
        let length = u32::try_from(payload).expect("a small frame");
        frame[..4].copy_from_slice(&length.to_le_bytes());
    }
}

/// What the peer sends, and what it was sent.
#[derive(Default)]
struct Wire {
    input: VecDeque<u8>,
    output: BytesMut,
    /// The last write was not taken.
    refused: bool,
}

/// A byte stream that hands the input out in pieces of any size, some of them late, and then ends.
struct Script {
    wire: Arc<Mutex<Wire>>,
    random: Rng,
    /// What is left of the greeting. After it comes a pause, in which our calls begin, so that the
    /// frames that follow find them.
    greeting: Option<usize>,
}

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let pauses = self.random.u8(..4) == 0;
        let greeted = self.greeting.take_if(|it| *it == 0).is_some();
        if pauses || greeted {
            later(cx.waker().clone());
            return Poll::Pending;
        }
        let most = match self.random.u8(..4) {
            0 => self.random.usize(1..40),
            _ => usize::MAX,
        };
        let most = self.greeting.map_or(most, |it| most.min(it));
        let script = &mut *self;
        let mut wire = script.wire.lock().unwrap();
        let count = buffer.remaining().min(wire.input.len()).min(most);
        if let Some(greeting) = &mut script.greeting {
            *greeting -= count;
        }
        let (first, second) = wire.input.as_slices();
        let from_first = first.len().min(count);
        buffer.put_slice(&first[..from_first]);
        buffer.put_slice(&second[..count - from_first]);
        wire.input.drain(..count);
        Poll::Ready(Ok(()))
    }
}

/// Wakes when everything else has had its turn, some milliseconds later.
fn later(waker: Waker) {
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(3)).await;
        waker.wake();
    });
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.random.u8(..8) == 0 {
            cx.waker().wake_by_ref();
            self.wire.lock().unwrap().refused = true;
            return Poll::Pending;
        }
        let count = match self.random.u8(..4) {
            0 => self.random.usize(1..=bytes.len().max(1)).min(bytes.len()),
            _ => bytes.len(),
        };
        let mut wire = self.wire.lock().unwrap();
        // A write that takes a part may leave the rest for later, too.
        wire.refused = count < bytes.len();
        wire.output.put_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
