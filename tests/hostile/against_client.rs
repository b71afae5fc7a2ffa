//! Servers that do what they like: our client's other calls and connections go on, and what failed
//! says why.

use std::future::Future;
use std::time::Duration;

use futures_util::stream;
use rpc_runtime::{Channel, Code, Limits, Phase, Status};
use rpc_tests::math::MathClient;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::healthy::{Bystander, Memory, alone, server, start};
use super::raw::*;

/// A server of one connection, which has read the client's greeting and answers it as it likes,
/// and what connecting to it comes to.
async fn connecting<F>(
    play: impl FnOnce(Raw) -> F + Send + 'static,
) -> (Result<Channel, Status>, JoinHandle<F::Output>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let limits = Limits::new().max_message(1 << 20);
    let playing = tokio::spawn(async move { play(Raw::accept(&listener).await).await });
    (Channel::connect(&url).limits(limits).await, playing)
}

/// As [`connecting`], of a server that greets first.
async fn against<F>(
    play: impl FnOnce(Raw) -> F + Send + 'static,
) -> (Channel, JoinHandle<F::Output>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let (channel, playing) = connecting(|mut raw| async move {
        let greeting = [&PREFACE[..], &generous_settings()].concat();
        raw.send(&greeting).await;
        play(raw).await
    })
    .await;
    (channel.expect("the server greets"), playing)
}

fn reply(call: u64, message: &[u8]) -> Vec<u8> {
    frame(RESPONSE, BODY | END, call, &block(&[], message))
}

fn math(channel: &Channel) -> MathClient {
    MathClient::new(channel.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endless_stream_without_regard_to_credit() {
    let _alone = alone().await;
    let good = start(server()).await;
    let bystander = Bystander::of(&good.url).await;
    let memory = Memory::now();
    let (channel, playing) = against(|mut raw| async move {
        raw.until(REQUEST, 1).await;
        raw.send(&frame(RESPONSE, 0, 1, &[0])).await;
        let items = frame(MESSAGE, 0, 1, &[5; 1_000]).repeat(100);
        for _ in 0..1_000 {
            assert!(raw.send(&items).await);
        }
        raw.until(CANCEL, 1).await;
        raw.until(REQUEST, 3).await;
        raw.send(&reply(3, &[5])).await;
        raw
    })
    .await;
    let mut count = math(&channel).count(1_000);
    // The stream is started and then not read.
    let first = count.next().await.unwrap();
    assert_eq!(
        first.unwrap_err().code(),
        Code::Internal,
        "1,000 fives are not one number"
    );
    drop(count);
    assert_eq!(math(&channel).add(2, 3).await.unwrap(), 5);
    memory.expect_below("a stream of 100 MB that nobody reads", 32 << 20);
    playing.await.unwrap();
    bystander.expect_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acceptances_without_end() {
    let _alone = alone().await;
    let memory = Memory::now();
    let (channel, playing) = against(|mut raw| async move {
        raw.until(REQUEST, 1).await;
        // Each with a message, which needs no credit.
        let again = frame(RESPONSE, BODY, 1, &block(&[], &[])).repeat(1_000);
        for _ in 0..2_000 {
            assert!(raw.send(&again).await);
        }
        let cancel = raw.until(CANCEL, 1).await;
        raw.until(REQUEST, 3).await;
        raw.send(&reply(3, &[5])).await;
        (cancel.code(), raw)
    })
    .await;
    let stream = math(&channel).count(1_000).start();
    sleep(Duration::from_millis(100)).await;
    let sum = math(&channel)
        .add(2, 3)
        .timeout(Duration::from_secs(60))
        .await;
    assert_eq!(sum.unwrap(), 5);
    memory.expect_below("two million acceptances of one call", 32 << 20);
    assert_eq!(playing.await.unwrap().0, u64::from(Code::Internal.number()));
    drop(stream);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_nobody_asked_for_and_two_to_one_call() {
    let _alone = alone().await;
    let (channel, playing) = against(|mut raw| async move {
        for call in [1, 3, 5] {
            raw.until(REQUEST, call).await;
            let mut bytes = Vec::new();
            for nobody in [2, 99, u64::MAX] {
                bytes.extend(reply(nobody, &[9]));
                bytes.extend(frame(MESSAGE, MORE, nobody, &[9]));
                bytes.extend(frame(ERROR, END, nobody, &[]));
                bytes.extend(frame(CREDIT, 0, nobody, &varint(u64::MAX)));
            }
            // The right one, and a second.
            bytes.extend(reply(call, &[5]));
            bytes.extend(reply(call, &[6]));
            bytes.extend(frame(ERROR, END, call, &field(CODE, &[3])));
            raw.send(&bytes).await;
        }
        raw
    })
    .await;
    for _ in 0..3 {
        assert_eq!(math(&channel).add(2, 3).await.unwrap(), 5);
    }
    playing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_that_mean_nothing_are_sent_back_as_they_came() {
    let _alone = alone().await;
    let (channel, playing) = against(|mut raw| async move {
        raw.until(REQUEST, 1).await;
        let number = field(METHOD_NUMBER, &varint(u64::MAX));
        raw.send(&frame(RESPONSE, BODY | END, 1, &block(&number, &[5])))
            .await;
        let second = raw.until(REQUEST, 3).await;
        raw.send(&reply(3, &[5])).await;
        second.field(METHOD_NUMBER).map(<[u8]>::to_vec)
    })
    .await;
    for _ in 0..2 {
        assert_eq!(math(&channel).add(2, 3).await.unwrap(), 5);
    }
    assert_eq!(playing.await.unwrap(), Some(varint(u64::MAX)));
}

/// Answers the first call with `bytes` and the second one well; returns how the first one ends.
async fn answered(bytes: Vec<u8>) -> Status {
    let (channel, playing) = against(|mut raw| async move {
        raw.until(REQUEST, 1).await;
        raw.send(&bytes).await;
        raw.until(REQUEST, 3).await;
        raw.send(&reply(3, &[5])).await;
        raw
    })
    .await;
    let error = math(&channel).add(2, 3).await.unwrap_err();
    assert_eq!(
        math(&channel).add(2, 3).await.unwrap(),
        5,
        "the next call is served"
    );
    playing.await.unwrap();
    let text = error.to_string();
    assert!(text.contains("test.v1.Math/add"), "{text}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_answers_fail_their_call_alone() {
    let _alone = alone().await;
    let whole = |payload: &[u8]| frame(RESPONSE, BODY | END, 1, payload);
    let text = field(TEXT, &vec![b'a'; 100_000]);
    let large: Vec<u8> = [
        frame(RESPONSE, BODY | MORE, 1, &[0]),
        frame(MESSAGE, MORE, 1, &vec![0; 1 << 20]).repeat(3),
    ]
    .concat();
    // (answer, code, part of the text)
    let cases = [
        (large, Code::ResourceExhausted, "`max_message`"),
        (
            frame(ERROR, END, 1, &text),
            Code::ResourceExhausted,
            "bytes of fields",
        ),
        (
            frame(ERROR, END, 1, &field(TEXT, b"\xFF\xFF")),
            Code::Internal,
            "not valid UTF-8",
        ),
        (
            frame(ERROR, END, 1, &field(CODE, &varint(u64::MAX))),
            Code::Unknown,
            "",
        ),
        (
            frame(ERROR, END, 1, &field(0x09, &[0xC1; 100])),
            Code::Unknown,
            "",
        ),
        (whole(&[0xFF; 10]), Code::Internal, "cannot be read"),
        (
            whole(&block(&field(0x20, b""), &[5])),
            Code::Internal,
            "must be understood",
        ),
        (
            whole(&block(&metadata("UPPER", b""), &[5])),
            Code::Internal,
            "not a lower-case",
        ),
        (whole(&block(&[], b"\xC1")), Code::Internal, "0xc1"),
        (whole(&block(&[], b"\xA3abc")), Code::Internal, ""),
        (
            whole(&block(&[], b"\x05\x05")),
            Code::Internal,
            "follow the value",
        ),
        (whole(&block(&[], b"")), Code::Internal, ""),
        (frame(RESPONSE, END, 1, &[0]), Code::Internal, ""),
        (
            frame(MESSAGE, END, 1, &[5]),
            Code::Internal,
            "before its RESPONSE",
        ),
        (
            frame(END_FRAME, END, 1, &[]),
            Code::Internal,
            "before its RESPONSE",
        ),
        (
            [
                frame(RESPONSE, BODY, 1, &[0, 5]),
                frame(MESSAGE, END, 1, &[5]),
            ]
            .concat(),
            Code::Internal,
            "",
        ),
        (
            frame(0x0F, 0, 1, &[]),
            Code::Unimplemented,
            "no meaning here",
        ),
        (
            frame(CANCEL, 0, 1, &[]),
            Code::Unimplemented,
            "no meaning here",
        ),
    ];
    for (index, (answer, code, text)) in cases.into_iter().enumerate() {
        let error = answered(answer).await;
        assert_eq!(error.code(), code, "{index}: {error}");
        assert!(error.to_string().contains(text), "{index}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_to_a_client_that_serves_nothing_is_refused() {
    let _alone = alone().await;
    let (channel, playing) = against(|mut raw| async move {
        let calls = |number| Request {
            call: number,
            ..Request::default()
        };
        raw.until(REQUEST, 1).await;
        raw.send(&calls(2).bytes()).await;
        let error = raw.until(ERROR, 2).await;
        raw.send(&reply(1, &[5])).await;
        (error.code(), error.flags & NOT_STARTED, raw)
    })
    .await;
    assert_eq!(math(&channel).add(2, 3).await.unwrap(), 5);
    let (code, not_started, _raw) = playing.await.unwrap();
    assert_eq!((code, not_started), (12, NOT_STARTED));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_silence_and_a_close_inside_a_message() {
    let _alone = alone().await;
    // (what is sent instead of a greeting, and part of the error)
    let cases: [(Vec<u8>, &str); 5] = [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            "does not speak this wire: it began with `HTTP/1.1 400",
        ),
        (b"\xD3RPC\r\n\x1A\x07".to_vec(), "version 7"),
        ([&PREFACE[..], &reply(1, &[5])].concat(), "not SETTINGS"),
        (
            [&PREFACE[..], &frame(SETTINGS, 0, 0, &[0x10, 1, 0])].concat(),
            "bad SETTINGS",
        ),
        (Vec::new(), "before it introduced itself"),
    ];
    for (bytes, text) in cases {
        let (channel, playing) = connecting(|mut raw| async move {
            raw.send(&bytes).await;
        })
        .await;
        let error = channel.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error}");
        assert_eq!(error.phase(), Some(Phase::Connect), "{error}");
        assert!(error.to_string().contains(text), "{text}: {error}");
        playing.await.unwrap();
    }

    // (what is sent after the client's request, and part of the error)
    let cases: [(Vec<u8>, &str); 3] = [
        (header(u32::MAX, MESSAGE, 0, 1).to_vec(), "`max_frame`"),
        (reply(1, &[5])[..17].to_vec(), "inside a frame"),
        (
            frame(RESPONSE, BODY | MORE, 1, &[0, 5]),
            "closed the connection",
        ),
    ];
    for (bytes, text) in cases {
        let (channel, playing) = against(|mut raw| async move {
            raw.until(REQUEST, 1).await;
            raw.send(&bytes).await;
        })
        .await;
        let error = math(&channel).add(2, 3).await.unwrap_err();
        assert_eq!(error.code(), Code::Unavailable, "{error}");
        assert!(error.to_string().contains(text), "{text}: {error}");
        playing.await.unwrap();
    }

    // One that never answers: the deadline holds, for a stream too, and nothing waits longer.
    let (channel, playing) = against(|mut raw| async move { raw.rest().await }).await;
    let began = Instant::now();
    let short = Duration::from_millis(150);
    let error = math(&channel).add(2, 3).timeout(short).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
    let error = math(&channel)
        .sum(stream::iter(0..1_000_000))
        .timeout(short)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
    let mut count = math(&channel).count(5).timeout(short);
    let error = count.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    // Far below the usual 30 seconds, however busy the machine is.
    assert!(began.elapsed() < Duration::from_secs(15));
    drop((channel, count));
    let frames = playing.await.unwrap();
    assert_eq!(frames.iter().filter(|it| it.kind == CANCEL).count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_reads_stops_an_upload_at_its_deadline() {
    let _alone = alone().await;
    let memory = Memory::now();
    let (channel, playing) = against(|mut raw| async move {
        raw.until(REQUEST, 1).await;
        raw.send(&frame(CREDIT, 0, 1, &varint(u64::MAX))).await;
        sleep(Duration::from_millis(2_500)).await;
        raw
    })
    .await;
    let lines = stream::iter((0..).map(|_| rpc_tests::math::Line {
        author: "ann".into(),
        text: "a".repeat(100_000),
    }));
    let mut chat = math(&channel)
        .chat("room".into(), lines)
        .timeout(Duration::from_secs(2));
    let error = chat.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded, "{error}");
    memory.expect_below("an endless upload that nobody reads", 48 << 20);
    playing.await.unwrap();
}
