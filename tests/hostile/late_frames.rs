//! Frames of HTTP/2 for calls that are over, as each side sends them before it has heard of the end: a connection
//! outlives any number of them.

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rpc_runtime::{Channel, Code, Wire};
use rpc_tests::math::MathClient;
use tokio::net::TcpListener;

use crate::healthy::{server, start};
use crate::http2::{
    ACK, DATA, END_STREAM, GOAWAY, HEADERS, PING, RST_STREAM, Raw, SETTINGS, frame, head, headers,
    message, settings,
};

/// So many calls together, and so often.
const AT_ONCE: u32 = 100;
const ROUNDS: u32 = 16;

/// Reads until so many streams have ended.
async fn ended(raw: &mut Raw, streams: u32) {
    let mut ended = 0;
    while ended < streams {
        let frame = raw.next().await.expect("the connection is open");
        assert_ne!(frame.kind, GOAWAY, "{frame:?}");
        ended += u32::from(frame.ends());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_left_of_refused_calls_ends_no_connection() {
    let serving = start(server().accept([Wire::Http])).await;
    let mut raw = Raw::greet(&serving.url, &[]).await;
    let refused = head("/test.v1.Math/missing");
    for round in 0..ROUNDS {
        let streams = (0..AT_ONCE).map(|n| 2 * (round * AT_ONCE + n) + 1);
        let heads = streams.clone().map(|it| headers(0, it, &refused));
        assert!(raw.send(&heads.collect::<Vec<_>>().concat()).await);
        ended(&mut raw, AT_ONCE).await;
        let rests = streams.map(|it| frame(DATA, END_STREAM, it, &message(b"{}")));
        assert!(raw.send(&rests.collect::<Vec<_>>().concat()).await);
    }
    let last = 2 * ROUNDS * AT_ONCE + 1;
    let add = [
        headers(0, last, &head("/test.v1.Math/add")),
        frame(DATA, END_STREAM, last, &message(br#"{"a":2,"b":3}"#)),
    ];
    assert!(raw.send(&add.concat()).await);
    ended(&mut raw, 1).await;
}

/// Answers calls when they are given up, and once it is told to when they come.
async fn answer_late(mut raw: Raw, in_time: Arc<AtomicBool>) {
    const OK: [(&str, &str); 2] = [(":status", "200"), ("content-type", "application/grpc")];
    assert!(raw.expect_preface().await);
    raw.send(&settings(&[])).await;
    while let Some(came) = raw.next().await {
        let answer = match came.kind {
            SETTINGS if came.flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
            PING if came.flags & ACK == 0 => frame(PING, ACK, 0, &came.payload),
            RST_STREAM => headers(
                END_STREAM,
                came.stream,
                &[&OK[..], &[("grpc-status", "14")]].concat(),
            ),
            HEADERS if in_time.load(Ordering::SeqCst) => [
                headers(0, came.stream, &OK),
                frame(DATA, 0, came.stream, &message(&[5])),
                headers(END_STREAM, came.stream, &[("grpc-status", "0")]),
            ]
            .concat(),
            _ => continue,
        };
        raw.send(&answer).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_calls_that_were_given_up_end_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    let in_time = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&in_time);
    // There is one connection, and never another.
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        answer_late(Raw::over(stream), told).await;
    });
    let math = MathClient::new(Channel::connect(&url).await.unwrap());
    for _ in 0..ROUNDS {
        let calls = (0..AT_ONCE).map(|n| {
            let call = math.add(n.into(), 1);
            call.timeout(Duration::from_millis(50)).into_future()
        });
        for ended in join_all(calls).await {
            assert_eq!(ended.unwrap_err().code(), Code::DeadlineExceeded);
        }
    }
    in_time.store(true, Ordering::SeqCst);
    let sum = math.add(2, 3).timeout(Duration::from_secs(10)).await;
    assert_eq!(sum.unwrap(), 5);
    serving.abort();
}
