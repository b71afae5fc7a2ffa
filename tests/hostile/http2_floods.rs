//! Clients that send over HTTP/2, or ask for, more than anyone should, or next to nothing for ever:
//! memory stays flat, they are cut off where they must be, and others are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::{Either, join_all, select};
use rpc_runtime::{Limits, Response, Server, Wire, service_fn};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::healthy::{Bystander, Memory, alone, server, start};
use crate::http2::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, PRIORITY, RST_STREAM,
    Raw, SETTINGS, block, frame, head, headers, message, rst, settings, window_update,
};
use rpc_tests::eventually;

const MIB: usize = 1 << 20;

/// How much of a flood is sent at most, and how long it goes on.
const FLOOD: usize = 32 * MIB;
const FLOOD_TIME: Duration = Duration::from_secs(1);

const SLEEP: [(&str, &str); 5] = head("/test.v1.Math/sleep");

fn http(server: Server) -> Server {
    server.accept([Wire::Native, Wire::Http])
}

/// The number of the stream that is opened as the `n`th.
fn stream(n: usize) -> u32 {
    u32::try_from(2 * n + 1).expect("few streams") & (u32::MAX >> 1)
}

/// One piece of a flood after the other.
type Pieces = Box<dyn FnMut(usize) -> Vec<u8> + Send>;

/// Everything that is sent again and again, behind what is sent once.
fn floods() -> Vec<(&'static str, Vec<u8>, Pieces)> {
    let opened = headers(0, 1, &SLEEP);
    let half = frame(HEADERS, 0, 1, &block(&SLEEP));
    let one = br#"{"milliseconds":1}"#;
    // A field of 4,000 bytes that is kept, and then named by one byte each time.
    let long = "x".repeat(4_000);
    let kept = [vec![0x40], block(&[("bomb", &long)])[1..].to_vec()].concat();
    let bomb = move |n| match n {
        0 => frame(
            HEADERS,
            END_HEADERS,
            1,
            &[block(&SLEEP), kept.clone()].concat(),
        ),
        n => frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            stream(n),
            &[block(&SLEEP), vec![0xBE; 15_000]].concat(),
        ),
    };
    let repeated = |piece: Vec<u8>| -> Pieces { Box::new(move |_| piece.clone()) };
    vec![
        (
            "calls that are reset at once",
            vec![],
            Box::new(|n| [headers(0, stream(n), &SLEEP), rst(stream(n), 8)].concat()),
        ),
        (
            "calls that are made and reset",
            vec![],
            Box::new(move |n| {
                let said = frame(DATA, END_STREAM, stream(n), &message(one));
                [headers(0, stream(n), &SLEEP), said, rst(stream(n), 8)].concat()
            }),
        ),
        (
            "heads that have no end",
            half.clone(),
            repeated(frame(
                CONTINUATION,
                0,
                1,
                &block(&[("name", &"x".repeat(10_000))]),
            )),
        ),
        (
            "heads that have no end, of nothing",
            half,
            repeated(frame(CONTINUATION, 0, 1, &[])),
        ),
        ("heads that unpack to much", vec![], Box::new(bomb)),
        (
            "heads with many fields",
            vec![],
            Box::new(|n| {
                headers(
                    END_STREAM,
                    stream(n),
                    &[&SLEEP[..], &[("a", "b"); 2_000]].concat(),
                )
            }),
        ),
        ("SETTINGS", vec![], repeated(settings(&[(4, 70_000)]))),
        ("PING", vec![], repeated(frame(PING, 0, 0, &[7; 8]))),
        (
            "answers to no PING",
            vec![],
            repeated(frame(PING, ACK, 0, &[7; 8])),
        ),
        (
            "PRIORITY",
            vec![],
            repeated(frame(PRIORITY, 0, 3, &[0, 0, 0, 1, 9])),
        ),
        (
            "WINDOW_UPDATE",
            opened.clone(),
            repeated(window_update(1, 1)),
        ),
        (
            "DATA of nothing",
            opened.clone(),
            repeated(frame(DATA, 0, 1, &[])),
        ),
        ("DATA of a byte", opened, repeated(frame(DATA, 0, 1, &[0]))),
        (
            "unknown frames",
            vec![],
            repeated(frame(0xFA, 0, 0, &[0; 100])),
        ),
        (
            "requests that are refused",
            vec![],
            Box::new(|n| headers(END_STREAM, stream(n), &SLEEP[..4])),
        ),
        (
            "SETTINGS with many entries",
            vec![],
            repeated(settings(&[(0xFF, 1); 2_000])),
        ),
    ]
}

/// Sends a flood until it is over or refused. A client that `reads` takes all answers.
async fn flood(url: &str, first: Vec<u8>, mut pieces: Pieces, reads: bool) -> TcpStream {
    let address = url.split_once("://").expect("a URL").1;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    let hello = [
        PREFACE,
        &settings(&[]),
        &frame(SETTINGS, ACK, 0, &[]),
        &first,
    ]
    .concat();
    tcp.write_all(&hello).await.unwrap();
    let (mut reader, mut writer) = tcp.split();
    let sending = async {
        let (mut sent, mut n) = (0, 0);
        let began = Instant::now();
        while sent < FLOOD && began.elapsed() < FLOOD_TIME {
            let mut bytes = Vec::new();
            while bytes.len() < 64 << 10 {
                bytes.extend(pieces(n));
                n += 1;
            }
            sent += bytes.len();
            // Who does not read is not read either.
            if !matches!(
                timeout(FLOOD_TIME / 2, writer.write_all(&bytes)).await,
                Ok(Ok(()))
            ) {
                break;
            }
        }
    };
    let reading = async {
        let mut bytes = vec![0; 64 << 10];
        while reads && matches!(reader.read(&mut bytes).await, Ok(1..)) {}
        std::future::pending::<()>().await
    };
    match select(Box::pin(sending), Box::pin(reading)).await {
        Either::Left(_) => {}
        Either::Right(_) => unreachable!("reading has no end"),
    }
    tcp
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_leave_memory_flat_and_others_served() {
    let _alone = alone().await;
    let serving = start(http(server())).await;
    let bystander = Bystander::of(&serving.url.replace("tcp://", "grpc://")).await;
    let memory = Memory::now();
    for reads in [true, false] {
        // Two at a time, so that they take half the time.
        let mut floods = floods().into_iter();
        while let Some((name, first, pieces)) = floods.next() {
            let sent = flood(&serving.url, first, pieces, reads);
            let (_tcp, _other) = match floods.next() {
                None => (sent.await, None),
                Some((_, first, pieces)) => {
                    let both =
                        futures_util::future::join(sent, flood(&serving.url, first, pieces, reads))
                            .await;
                    (both.0, Some(both.1))
                }
            };
            // Of each connection `max_calls` requests may be open, and each of them is a task: what that
            // takes at most stays with the allocator. There are 32 floods of up to 32 MiB.
            memory.expect_below(&format!("{name} and the next (read: {reads})"), 200 * MIB);
        }
    }
    bystander.expect_unharmed().await;
    eventually("every handler is dropped", || {
        serving.stop.running_calls() == 0
    })
    .await;
    eventually("every connection is closed", || {
        serving.stop.connections() == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_does_not_read_is_refused() {
    let _alone = alone().await;
    let limits = Limits::new().max_buffered(16 * MIB);
    let serving = start(http(server().limits(limits))).await;
    let bystander = Bystander::of(&serving.url.replace("tcp://", "grpc://")).await;
    let memory = Memory::now();
    // No room for a byte of any answer.
    let mut raw = Raw::greet(&serving.url, &[(4, 0)]).await;
    // The server's windows hold from here on.
    assert_eq!(raw.next().await.expect("a greeting").kind, SETTINGS);
    raw.send(&frame(SETTINGS, ACK, 0, &[])).await;
    let echo = [&[0xC6, 0, 0x10, 0, 0][..], &vec![7; MIB]].concat();
    let bytes = message(&echo);
    let (mut calls, mut refused, mut room) = (0, 0, 65_535_usize);
    while calls < 50 {
        let mut fields = head("/test.v1.Math/echo").to_vec();
        fields[4].1 = "application/grpc+msgpack";
        raw.send(&headers(0, stream(calls), &fields)).await;
        // The server's own windows are kept, as it would end the connection otherwise.
        let mut sent = 0;
        let mut own = 256 << 10;
        while sent < bytes.len() {
            let piece = (bytes.len() - sent).min(16_384).min(room).min(own);
            if piece > 0 {
                let end = u8::from(sent + piece == bytes.len());
                raw.send(&frame(DATA, end, stream(calls), &bytes[sent..sent + piece]))
                    .await;
                (sent, room, own) = (sent + piece, room - piece, own - piece);
                continue;
            }
            let came = raw.next().await.expect("the connection goes on");
            match came.kind {
                8 if came.stream == 0 => room += came.number(0) as usize,
                8 if came.stream == stream(calls) => own += came.number(0) as usize,
                PING if came.flags == 0 => {
                    raw.send(&frame(PING, ACK, 0, &came.payload)).await;
                }
                HEADERS if came.ends() => {
                    refused += 1;
                    // What is refused before it has come is not taken any more.
                    if came.stream == stream(calls) {
                        break;
                    }
                }
                _ => {}
            }
        }
        calls += 1;
    }
    raw.send(&frame(PING, 0, 0, b"the end?")).await;
    while refused < 30 {
        let came = raw.next().await.expect("the connection goes on");
        refused += usize::from(came.kind == HEADERS && came.ends());
    }
    assert!(
        refused < 38,
        "{refused} of {calls} replies of 1 MiB, where there is room for 16"
    );
    memory.expect_below("50 replies of 1 MiB that nobody reads", 100 * MIB);
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_who_gives_windows_and_reads_nothing_is_bounded() {
    let _alone = alone().await;
    const CALLS: usize = 400;
    const LARGEST_WINDOW: u32 = i32::MAX as u32;
    for (content_type, body) in [
        ("application/grpc+json", message(b"[200000]")),
        ("application/json", b"[200000]".to_vec()),
    ] {
        let made = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&made);
        let server = server().function("make", move |length: usize| {
            count.fetch_add(1, Ordering::Relaxed);
            async move { "x".repeat(length) }
        });
        let limits = Limits::new().max_outgoing(MIB).max_buffered(8 * MIB);
        let serving = start(http(server.limits(limits))).await;
        let memory = Memory::now();
        let mut raw = Raw::greet(&serving.url, &[(4, LARGEST_WINDOW)]).await;
        assert_eq!(raw.next().await.expect("a greeting").kind, SETTINGS);
        raw.send(&frame(SETTINGS, ACK, 0, &[])).await;
        raw.send(&window_update(0, LARGEST_WINDOW - 65_535)).await;
        let mut fields = head("/make");
        fields[4].1 = content_type;
        for n in 0..CALLS {
            let asked = headers(0, stream(n), &fields);
            let said = frame(DATA, END_STREAM, stream(n), &body);
            raw.send(&[asked, said].concat()).await;
        }
        eventually("it begins", || made.load(Ordering::Relaxed) > 0).await;
        let mut before = 0;
        while before != made.load(Ordering::Relaxed) {
            before = made.load(Ordering::Relaxed);
            sleep(Duration::from_secs(1)).await;
        }
        memory.expect_below("80 MB of answers that nobody reads", 50 * MIB);
        // Each is answered or refused once there is somebody who reads.
        let (mut ended, mut bytes) = (0, 0);
        while ended < CALLS {
            let came = raw.next().await.expect("the connection goes on");
            match came.kind {
                DATA => bytes += came.payload.len(),
                PING if came.flags == 0 => {
                    raw.send(&frame(PING, ACK, 0, &came.payload)).await;
                }
                _ => {}
            }
            ended += usize::from(came.ends() || came.kind == RST_STREAM);
        }
        assert!(bytes > MIB, "{bytes} bytes of answers");
    }
}

/// Sends a byte now and then until the server has closed; returns how long that took.
async fn trickle(url: &str, first: &[u8], byte: u8) -> Duration {
    let began = Instant::now();
    let address = url.split_once("://").expect("a URL").1;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    tcp.write_all(first).await.unwrap();
    let (mut reader, mut writer) = tcp.split();
    let closed = async {
        let mut bytes = vec![0; 4 << 10];
        while matches!(reader.read(&mut bytes).await, Ok(1..)) {}
    };
    let sent = async {
        while writer.write_all(&[byte]).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    select(Box::pin(closed), Box::pin(sent)).await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_clients_are_cut_off() {
    let short = Duration::from_secs(2);
    let server = server()
        .handshake_timeout(short)
        .frame_timeout(short)
        .keepalive(short, short)
        .limits(Limits::new().message_timeout(short));
    let serving = start(http(server)).await;
    let bystander = Bystander::of(&serving.url.replace("tcp://", "grpc://")).await;
    let hello = [PREFACE, &settings(&[])].concat();
    let half = [&hello[..], &frame(HEADERS, 0, 1, &block(&SLEEP))].concat();
    let in_frame = [&hello[..], &headers(0, 1, &SLEEP)[..20]].concat();
    let post = b"POST /test.v1.Math/add HTTP/1.1\r\nhost: localhost\r\n";
    let body = [
        &post[..],
        b"content-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
    ]
    .concat();
    let slow: [(&str, &[u8], u8); 7] = [
        ("nothing", b"", b'P'),
        ("a preface", b"PRI * HT", b'T'),
        (
            "SETTINGS",
            &[PREFACE, &settings(&[(3, 1); 100])[..9]].concat(),
            0,
        ),
        ("a head over HTTP/2", &in_frame, b'x'),
        ("a block over HTTP/2", &half, 0),
        ("a head over HTTP/1.1", post, b'x'),
        ("a body over HTTP/1.1", &body, b' '),
    ];
    let url = &serving.url;
    let cut_off = slow.map(async |(name, first, byte)| {
        let took = timeout(Duration::from_secs(30), trickle(url, first, byte)).await;
        println!("{name}: cut off after {took:?}");
        assert!(took.is_ok(), "{name} goes on for ever");
    });
    join_all(cut_off).await;
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_handler_reads_is_bounded_by_windows() {
    let _alone = alone().await;
    const OF_A_CALL: usize = 128 << 10;
    const OF_A_CONNECTION: usize = 512 << 10;
    let limits = Limits::new()
        .stream_window(u32::try_from(OF_A_CALL).unwrap())
        .max_buffered(OF_A_CONNECTION);
    // It holds its request, and does not look at it.
    let idle = service_fn(|request| async move {
        let _request = request;
        std::future::pending::<Result<Response, _>>().await
    });
    let serving = start(http(Server::new().limits(limits).fallback(idle))).await;
    let tcp = TcpStream::connect(serving.url.replace("tcp://", ""))
        .await
        .unwrap();
    let (http2, connection) = h2::client::handshake(tcp).await.unwrap();
    tokio::spawn(connection);
    let mut http2 = http2.ready().await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..8 {
        let request = ::http::Request::post("http://localhost/idle.v1.Idle/call");
        let request = request.header("content-type", "application/grpc");
        let (_, mut stream) = http2
            .send_request(request.body(()).unwrap(), false)
            .unwrap();
        stream.reserve_capacity(4 * MIB);
        streams.push((stream, 0));
    }
    let mut taken = 0;
    for (stream, sent) in &mut streams {
        // What there is room for goes out, until no more room comes.
        loop {
            let capacity = std::future::poll_fn(|cx| stream.poll_capacity(cx));
            let Ok(Some(Ok(room))) = timeout(Duration::from_millis(500), capacity).await else {
                break;
            };
            stream.send_data(Bytes::from(vec![7; room]), false).unwrap();
            stream.reserve_capacity(4 * MIB);
            *sent += room;
        }
        assert!(*sent <= OF_A_CALL, "{sent} of one call");
        taken += *sent;
    }
    assert_eq!(taken, OF_A_CONNECTION, "of the connection");
}

/// Asks for something, and reads a few bytes of it now and then.
async fn sip(url: &str, request: &[u8]) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let address = url.split_once("://").expect("a URL").1.parse().unwrap();
    let mut tcp = socket.connect(address).await.unwrap();
    tcp.write_all(request).await.unwrap();
    let mut some = [0; 64];
    while matches!(tcp.read(&mut some).await, Ok(1..)) {
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_next_to_nothing_over_http1_is_cut_off() {
    let _alone = alone().await;
    // He takes bytes all the time, so that only how few they are gives him away.
    let limits = Limits::new().message_timeout(Duration::from_millis(500));
    let server = server().keepalive(Duration::from_secs(60), Duration::from_secs(60));
    // More than the system takes off the server's hands.
    let server = server.function("make", |length: usize| async move { "x".repeat(length) });
    let serving = start(http(server.limits(limits))).await;
    let request = b"POST /make HTTP/1.1\r\nhost: localhost\r\n\
        content-type: application/json\r\ncontent-length: 10\r\n\r\n[15000000]";
    let url = serving.url.clone();
    tokio::spawn(async move { sip(&url, request).await });
    eventually("he is there", || serving.stop.connections() == 1).await;
    eventually("he is cut off", || serving.stop.connections() == 0).await;
}
