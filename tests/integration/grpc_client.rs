//! Our gRPC client and how servers end calls and connections. What a server can do wrong is in
//! `tests/hostile/grpc_servers.rs`.

use std::future::IntoFuture;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use rpc_runtime::{Channel, Code, Encoding, Limits, Status};
use rpc_tests::math::{Line, MathClient};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// No call takes longer than this, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

type Asked = (Request<RecvStream>, SendResponse<Bytes>);
type Server = server::Connection<TcpStream, Bytes>;

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpc://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Answers every call in this way.
async fn answering(answer: impl Fn(Asked) + Send + Clone + 'static) -> MathClient {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut http2: Server = server::handshake(stream).await.unwrap();
                while let Some(Ok(asked)) = http2.accept().await {
                    answer(asked);
                }
            });
        }
    });
    let limits = Limits::new().max_message(4_000);
    let channel = Channel::connect(&url).limits(limits).await.unwrap();
    MathClient::new(channel.with_encoding(Encoding::JSON))
}

fn head(status: u16, headers: &[(&'static str, &'static str)]) -> Response<()> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    response.body(()).unwrap()
}

const GRPC: (&str, &str) = ("content-type", "application/grpc+json");

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[0][..], &length, message].concat()
}

/// An answer with this data and these trailers; without trailers the data is the end.
fn answer_with(asked: Asked, data: &[u8], trailers: Option<&[(&'static str, &'static str)]>) {
    reply_with(asked.1, data, trailers);
}

fn reply_with(
    mut reply: SendResponse<Bytes>,
    data: &[u8],
    trailers: Option<&[(&'static str, &'static str)]>,
) {
    let mut stream = reply.send_response(head(200, &[GRPC]), false).unwrap();
    stream
        .send_data(Bytes::copy_from_slice(data), trailers.is_none())
        .unwrap();
    if let Some(trailers) = trailers {
        let map: HeaderMap = trailers
            .iter()
            .map(|(name, value)| {
                let name = HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect();
        stream.send_trailers(map).unwrap();
    }
}

async fn failure(client: &MathClient) -> Status {
    let call = tokio::time::timeout(PATIENCE, client.add(2, 3).into_future()).await;
    let status = call.expect("the call ends").expect_err("the call fails");
    // A stream must not take it for an end either.
    let mut items = client.count(3);
    let last = async {
        loop {
            match items.next().await {
                Some(Ok(_)) => {}
                other => break other,
            }
        }
    };
    let last = tokio::time::timeout(PATIENCE, last)
        .await
        .expect("the stream ends");
    assert!(
        matches!(last, Some(Err(_))),
        "not a good end, after {status}"
    );
    status
}

#[tokio::test]
async fn only_what_the_server_surely_did_not_begin_is_marked() {
    for (reason, expected) in [(Reason::REFUSED_STREAM, true), (Reason::CANCEL, false)] {
        let client = answering(move |(_, mut reply)| reply.send_reset(reason)).await;
        assert_eq!(
            failure(&client).await.is_not_started(),
            expected,
            "{reason:?}"
        );
    }
}

/// Speaks HTTP/2 by hand, and says goodbye to the first call: it was above the last that is begun.
async fn say_goodbye(mut stream: TcpStream) {
    let mut preface = [0; 24];
    stream.read_exact(&mut preface).await.unwrap();
    stream.write_all(b"\0\0\0\x04\0\0\0\0\0").await.unwrap();
    loop {
        let mut header = [0; 9];
        if stream.read_exact(&mut header).await.is_err() {
            return;
        }
        let [_, a, b, kind, flags, ..] = header;
        let mut payload = vec![0; usize::from(u16::from_be_bytes([a, b]))];
        stream.read_exact(&mut payload).await.unwrap();
        let answer = match (kind, flags) {
            (4, 0) => b"\0\0\0\x04\x01\0\0\0\0".to_vec(),
            (6, 0) => [b"\0\0\x08\x06\x01\0\0\0\0", &payload[..]].concat(),
            (1, _) => b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
            _ => continue,
        };
        stream.write_all(&answer).await.unwrap();
    }
}

#[tokio::test]
async fn a_call_above_the_last_of_a_goodbye_was_not_begun() {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(say_goodbye(stream));
        }
    });
    let client = MathClient::connect(&url).await.unwrap();
    let failed = failure(&client).await;
    assert_eq!(failed.code(), Code::Unavailable);
    assert!(failed.is_not_started(), "{failed}");
}

#[tokio::test]
async fn a_server_that_never_answers_cannot_keep_a_call() {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let client = answering(move |asked| kept.lock().unwrap().push(asked)).await;
    let timeout = Duration::from_millis(50);
    let error = client.add(2, 3).timeout(timeout).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    let mut items = client.count(3).timeout(timeout);
    let error = items.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_call_says_what_it_is_and_how_long_it_may_take() {
    let (sender, mut asked) = mpsc::unbounded_channel();
    let client = answering(move |(request, reply)| {
        sender.send(request.headers().clone()).unwrap();
        answer_with(
            (request, reply),
            &frame(b"5"),
            Some(&[("grpc-status", "0")]),
        );
    })
    .await;
    let call = client
        .add(2, 3)
        .metadata("trace-bin", "AAE=")
        .timeout(Duration::from_secs(2));
    assert_eq!(call.await.unwrap(), 5);
    let headers = asked.recv().await.unwrap();
    assert_eq!(headers["te"], "trailers");
    assert_eq!(headers["content-type"], "application/grpc+json");
    assert_eq!(headers["trace-bin"], "AAE");
    let timeout = headers["grpc-timeout"].to_str().unwrap();
    let microseconds: u64 = timeout.trim_end_matches('u').parse().unwrap();
    assert!((1..=2_000_000).contains(&microseconds), "{timeout}");
    assert_eq!(microseconds % 1_000, 0, "{timeout} is rounded up");
    let refused = client
        .add(2, 3)
        .metadata("trace-bin", "*")
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_server_that_says_goodbye_finishes_and_is_connected_again() {
    let (listener, url) = listen().await;
    let (goodbye, mut said) = mpsc::channel::<()>(1);
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            let mut http2: Server = server::handshake(stream).await.unwrap();
            let goodbye = goodbye.clone();
            tokio::spawn(async move {
                while let Some(Ok(asked)) = http2.accept().await {
                    if connection == 0 {
                        http2.graceful_shutdown();
                        goodbye.send(()).await.unwrap();
                    }
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        answer_with(asked, &frame(b"5"), Some(&[("grpc-status", "0")]));
                    });
                }
            });
        }
    });
    let channel = Channel::connect(&url).await.unwrap();
    let client = MathClient::new(channel.with_encoding(Encoding::JSON));
    let first = client.add(2, 3).start();
    said.recv().await.unwrap();
    assert_eq!(first.await.unwrap(), 5);
    assert_eq!(client.add(2, 3).await.unwrap(), 5);
}

#[tokio::test]
async fn places_are_waited_for_and_named() {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut builder = server::Builder::new();
        let http2 = builder
            .max_concurrent_streams(2)
            .handshake::<_, Bytes>(stream)
            .await;
        let mut http2 = http2.unwrap();
        let mut held = Vec::new();
        while let Some(Ok(asked)) = http2.accept().await {
            held.push(asked);
            assert!(held.len() <= 2, "a third call at once");
        }
    });
    let client = MathClient::connect(&url).await.unwrap();
    let held = [client.add(1, 1).start(), client.add(1, 1).start()];
    tokio::task::yield_now().await;
    let call = client.add(2, 3).timeout(Duration::from_millis(50));
    let error = call.await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    assert!(
        error.message().contains("MAX_CONCURRENT_STREAMS"),
        "{error}"
    );
    drop(held);
}

#[tokio::test]
async fn a_port_where_something_else_listens_is_told() {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                .await;
        }
    });
    let error = Channel::connect(&url).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    let text = error.to_string();
    assert!(
        text.contains(&url) && text.contains("is it a gRPC server?"),
        "{text}"
    );
}

#[tokio::test]
async fn messages_that_are_compressed_are_read() {
    let client = answering(|(_, mut reply)| {
        let headers = [GRPC, ("grpc-encoding", "gzip")];
        let mut stream = reply.send_response(head(200, &headers), false).unwrap();
        let packed =
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x33\x05\x00\xae\x2b\xb1\x84\x01\x00\x00\x00";
        let mut message = frame(packed);
        message[0] = 1;
        stream.send_data(message.into(), false).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        stream.send_trailers(trailers).unwrap();
    })
    .await;
    assert_eq!(client.add(2, 3).await.unwrap(), 5);
}

/// A server that answers with 1 to a message that is compressed, and with 0 to one that is not.
async fn sees_compression() -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut http2: Server = server::handshake(stream).await.unwrap();
        while let Some(Ok((request, reply))) = http2.accept().await {
            tokio::spawn(async move {
                let named = request.headers().get("grpc-encoding").cloned();
                let first = request.into_body().data().await.unwrap().unwrap();
                // gzip begins with 1F 8B, behind the flag and the length.
                let is_packed = first.get(5..7) == Some(&[0x1F, 0x8B]);
                assert_eq!(first[0] == 1, is_packed);
                assert!(!is_packed || named.unwrap() == "gzip");
                let answer = if is_packed { b"1" } else { b"0" };
                reply_with(reply, &frame(answer), Some(&[("grpc-status", "0")]));
            });
        }
    });
    url
}

#[tokio::test]
async fn requests_are_compressed_where_that_is_asked_for() {
    for (by_default, per_call, expected) in [
        (false, None, 0),
        (true, None, 1),
        (false, Some(true), 1),
        (true, Some(false), 0),
    ] {
        let url = sees_compression().await;
        let channel = Channel::connect(&url).compress_requests(by_default);
        let channel = channel.await.unwrap().with_encoding(Encoding::JSON);
        for (length, expected) in [(2_000, expected), (100, 0)] {
            let mut call = channel.call::<_, u8>("test.v1.Test/call", ("a".repeat(length),));
            if let Some(is_compressed) = per_call {
                call = call.compressed(is_compressed);
            }
            assert_eq!(call.await.unwrap(), expected, "{by_default} {per_call:?}");
        }
    }
}

#[tokio::test]
async fn a_server_that_has_fallen_silent_is_noticed_where_that_was_asked_for() {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut http2: Server = server::handshake(stream).await.unwrap();
        let held = http2.accept().await;
        std::future::pending::<()>().await;
        drop(held);
    });
    let short = Duration::from_millis(500);
    let client = MathClient::connect(&url)
        .keepalive(short, short)
        .await
        .unwrap();
    let call = tokio::time::timeout(PATIENCE, client.add(2, 3).into_future()).await;
    let error = call.expect("it is noticed in time").unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_message_that_is_the_whole_body_is_compressed_as_a_body_is() {
    let (listener, url) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut http2: Server = server::handshake(stream).await.unwrap();
        while let Some(Ok((request, mut reply))) = http2.accept().await {
            tokio::spawn(async move {
                let named = request.headers().get("content-encoding").cloned();
                let first = request.into_body().data().await.unwrap().unwrap();
                let is_packed = first.starts_with(&[0x1F, 0x8B]);
                assert_eq!(named, is_packed.then(|| HeaderValue::from_static("gzip")));
                let head = head(200, &[("content-type", "application/json")]);
                let mut stream = reply.send_response(head, false).unwrap();
                let answer = if is_packed { "1" } else { "0" };
                stream.send_data(answer.into(), true).unwrap();
            });
        }
    });
    let url = url.replace("grpc://", "connect+http://");
    let channel = Channel::connect(&url).compress_requests(true);
    let channel = channel.await.unwrap().with_encoding(Encoding::JSON);
    for (length, expected) in [(2_000, 1), (100, 0)] {
        let call = channel.call::<_, u8>("test.v1.Test/call", ("a".repeat(length),));
        assert_eq!(call.await.unwrap(), expected, "{length}");
    }
}

/// A server that says what comes, and never answers.
async fn only_listening() -> (MathClient, mpsc::UnboundedReceiver<(String, Bytes)>) {
    let (listener, url) = listen().await;
    let (came, coming) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut http2: Server = server::handshake(stream).await.unwrap();
        let mut unanswered = Vec::new();
        while let Some(Ok((request, reply))) = http2.accept().await {
            unanswered.push(reply);
            let came = came.clone();
            tokio::spawn(async move {
                let path = request.uri().path().to_owned();
                let mut body = request.into_body();
                while let Some(Ok(bytes)) = body.data().await {
                    body.flow_control().release_capacity(bytes.len()).unwrap();
                    let _ = came.send((path.clone(), bytes));
                }
            });
        }
    });
    let channel = Channel::connect(&url).await.unwrap();
    (
        MathClient::new(channel.with_encoding(Encoding::JSON)),
        coming,
    )
}

#[tokio::test]
async fn calls_return_at_once_and_send_before_the_server_has_answered() {
    let (client, mut coming) = only_listening().await;
    // Nobody polls it.
    let _unary = client.add(2, 3).start();
    let (path, _) = tokio::time::timeout(PATIENCE, coming.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(path, "/test.v1.Math/add");
    let lines = (0..3).map(|number| Line {
        author: "a".into(),
        text: format!("line {number}"),
    });
    // Each line goes out by itself, when another has arrived.
    let (say, said) = mpsc::channel(1);
    let said = stream::unfold(said, |mut it| async { Some((it.recv().await?, it)) });
    let mut answers = client.chat("r".into(), said);
    let waiting = tokio::spawn(async move { answers.next().await });
    for line in lines {
        let text = line.text.clone();
        say.send(line).await.unwrap();
        let heard = async {
            loop {
                let (path, bytes) = coming.recv().await.expect("the server listens");
                assert_eq!(path, "/test.v1.Math/chat");
                if bytes.windows(text.len()).any(|it| it == text.as_bytes()) {
                    break;
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        heard.expect("it does not wait for headers");
    }
    assert!(!waiting.is_finished());
    waiting.abort();
}

/// Answers with these numbers in one frame, and a good end.
async fn counting(messages: &'static [&'static [u8]]) -> MathClient {
    answering(move |asked| {
        let data: Vec<u8> = messages.iter().flat_map(|it| frame(it)).collect();
        answer_with(asked, &data, Some(&[("grpc-status", "0")]));
    })
    .await
}

#[tokio::test]
async fn items_that_came_together_end_at_one_that_cannot_be_read() {
    let client = counting(&[b"1", b"2", b"{", b"4"]).await;
    let mut items = client.count(4);
    assert_eq!(items.next().await.unwrap().unwrap(), 1);
    assert_eq!(items.next().await.unwrap().unwrap(), 2);
    let status = items.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(items.next().await.is_none());
    // The same for who blocks, outside of any runtime.
    let thread = std::thread::spawn(move || client.count(4).wait().collect::<Vec<_>>());
    let numbers = tokio::task::spawn_blocking(|| thread.join()).await.unwrap();
    let numbers = numbers.unwrap();
    assert!(matches!(numbers[..], [Ok(1), Ok(2), Err(_)]), "{numbers:?}");
}

#[tokio::test]
async fn items_that_came_together_wait_for_no_one_whose_time_is_up() {
    let client = counting(&[b"1", b"2", b"3"]).await;
    let mut items = client.count(3).timeout(Duration::from_millis(500));
    assert_eq!(items.next().await.unwrap().unwrap(), 1);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let status = items.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(items.next().await.is_none());
    // Without a deadline nobody hurries a reader.
    let mut items = client.count(3);
    assert_eq!(items.next().await.unwrap().unwrap(), 1);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(items.next().await.unwrap().unwrap(), 2);
    assert_eq!(items.next().await.unwrap().unwrap(), 3);
    assert!(items.next().await.is_none());
}

#[tokio::test]
async fn settings_that_come_too_late_fail_a_stream_whose_items_are_here() {
    let client = counting(&[b"1", b"2", b"3"]).await;
    let mut items = client.count(3);
    assert_eq!(items.next().await.unwrap().unwrap(), 1);
    let mut items = items.timeout(PATIENCE);
    let status = items.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
}
