//! Messages that nest as deep as they may, of a type that takes the most stack: in a debug build 200 KB a level.

use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use rpc_runtime::codec::{CodecError, DecodeLimits, Encodes, Protobuf};
use rpc_runtime::{
    Body, Channel, Code, Encoding, Limits, Message, Next, Request, Server, Status, Wire, from_fn,
};
use rpc_schema_tests::schema::wide::v1::{Wide, Wides, WidesClient, WidesServer};
use rpc_schema_tests::users::{ChatMessage, UsersClient, UsersServer};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::patterns::Names;

const LEVELS: usize = 70;

/// What a thread has that nobody said anything about.
pub(crate) const SMALL: usize = 2 << 20;

/// What everything fits into.
pub(crate) const LARGE: usize = 256 << 20;

pub(crate) fn on_stack<T: Send + 'static>(
    size: usize,
    run: impl FnOnce() -> T + Send + 'static,
) -> T {
    let thread = thread::Builder::new().stack_size(size).spawn(run);
    thread
        .expect("a thread starts")
        .join()
        .expect("it does not panic")
}

fn decode(bytes: &Bytes, encoding: Encoding, limits: DecodeLimits) -> Result<usize, CodecError> {
    let message: Wide = Protobuf::decode(bytes, encoding, limits)?;
    Ok(levels(&message))
}

/// How many messages are in each other.
fn levels(message: &Wide) -> usize {
    let inner = [message.f8.as_option(), message.f9.first()];
    let inner = inner.into_iter().flatten().chain(message.f10.values());
    1 + inner.map(levels).max().unwrap_or_default()
}

/// As many messages as `levels` says around an empty one, each in another kind of field, in binary form and as JSON.
pub(crate) fn nested(levels: usize) -> [(Bytes, Encoding); 2] {
    let (mut binary, mut json) = (Vec::new(), "{}".to_owned());
    for level in 0..levels {
        let (tag, text) = match level % 3 {
            0 => (0x42, format!("{{\"f8\":{json}}}")),
            1 => (0x4A, format!("{{\"f9\":[{json}]}}")),
            _ => {
                binary = field(0x12, &binary);
                (0x52, format!("{{\"f10\":{{\"\":{json}}}}}"))
            }
        };
        binary = field(tag, &binary);
        json = text;
    }
    [
        (binary.into(), Encoding::PROTOBUF),
        (json.into(), Encoding::JSON),
    ]
}

fn field(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    [&bytes, content].concat()
}

#[test]
fn no_nesting_overflows_the_stack() {
    for limits in [
        DecodeLimits::default(),
        DecodeLimits::default().max_depth(usize::MAX),
    ] {
        for (bytes, encoding) in nested(LEVELS) {
            let read = on_stack(SMALL, move || decode(&bytes, encoding, limits));
            // An optimised build may have the stack for it.
            let is_bounded = read
                .as_ref()
                .map_or_else(CodecError::is_too_deep, |it| *it == LEVELS + 1);
            assert!(is_bounded, "{read:?}");
        }
        for (bytes, encoding) in nested(2) {
            let read = on_stack(SMALL, move || decode(&bytes, encoding, limits));
            assert_eq!(read.expect("the stack is enough for it"), 3);
        }
    }
}

#[test]
fn the_limit_of_the_stack_can_be_set() {
    let limits = DecodeLimits::default().max_depth(usize::MAX);
    for (bytes, encoding) in nested(60) {
        let few = bytes.clone();
        let limit = limits.max_stack(20_000);
        let error = on_stack(LARGE, move || decode(&few, encoding, limit));
        let error = error.expect_err("it is too deep");
        assert!(error.is_too_deep());
        let expected = "take more than 20000 bytes of the stack, the limit `max_stack`";
        assert!(error.to_string().contains(expected), "{error}");

        let limit = limits.max_stack(usize::MAX);
        let read = on_stack(LARGE, move || decode(&bytes, encoding, limit));
        assert_eq!(read.expect("the stack is enough for it"), 61);
    }
}

struct Echo;

impl Wides for Echo {
    async fn echo(&self, wide: Wide) -> Result<Wide, Status> {
        Ok(wide)
    }
}

/// A client that sends these bytes whatever it is asked to send.
fn sending(channel: &Channel, bytes: Bytes, encoding: Encoding) -> WidesClient {
    let layer = from_fn(move |mut request: Request, next: Next| {
        let message = Message::encoded(bytes.clone(), encoding);
        request.set_body(Body::message(message));
        async move { next.call(request).await }
    });
    WidesClient::new(channel.clone().layer(layer))
}

/// The call is told so, and nothing else on the connection hears of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_keeps_to_the_limit_of_its_stack() {
    let limits = Limits::new().max_depth(usize::MAX).max_stack(100_000);
    let server = Server::new().limits(limits).accept([Wire::Http]);
    let server = server.add(WidesServer::new(Echo));
    let server = server.add(UsersServer::new(Names(vec!["Ada"])));
    let bound = server.listen("tcp://127.0.0.1:0").bind().await;
    let bound = bound.expect("a port is free");
    let address = bound.url().trim_start_matches("tcp://").to_owned();
    let serving = tokio::spawn(bound.serve());
    for scheme in ["tcp", "grpc", "connect+http"] {
        let channel = Channel::connect(format!("{scheme}://{address}")).await;
        let channel = channel.expect("the server is there");
        let (said, lines) = mpsc::channel(1);
        let lines = stream::unfold(lines, async |mut lines: mpsc::Receiver<ChatMessage>| {
            Some((lines.recv().await?, lines))
        });
        let mut open_all_the_while = UsersClient::new(channel.clone()).chat(lines).start();
        for (bytes, encoding) in nested(60) {
            let client = sending(&channel, bytes, encoding);
            let status = client.echo(Wide::default()).encoding(encoding).await;
            let status = status.expect_err("it is too deep");
            let what = format!("{scheme} {encoding}: {status}");
            assert_eq!(status.code(), Code::InvalidArgument, "{what}");
            let expected = "more than 100000 bytes of the stack, the limit `max_stack`";
            assert!(status.message().contains(expected), "{what}");
            said.send(ChatMessage::default()).await.expect("it is read");
            let echoed = timeout(Duration::from_secs(20), open_all_the_while.next()).await;
            assert!(matches!(echoed, Ok(Some(Ok(_)))), "{what}: {echoed:?}");
        }
    }
    serving.abort();
}

/// Wherever the stack ends, reading ends well.
#[test]
fn the_stack_may_end_anywhere() {
    on_stack(LARGE, || {
        for (bytes, encoding) in nested(20) {
            let mut outcomes = [0, 0];
            for limit in (0..16_000_000).step_by(20_011) {
                let limits = DecodeLimits::default().max_stack(limit);
                match decode(&bytes, encoding, limits) {
                    Ok(levels) => {
                        assert_eq!(levels, 21);
                        outcomes[0] += 1;
                    }
                    Err(error) => {
                        assert!(error.is_too_deep(), "{error}");
                        outcomes[1] += 1;
                    }
                }
            }
            assert!(!outcomes.contains(&0), "{encoding:?}: {outcomes:?}");
        }
    });
}
