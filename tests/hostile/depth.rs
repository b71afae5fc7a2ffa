//! Values that nest without end, against types that recurse, on a stack of 2 MiB.

use std::future::Future;

use futures_util::stream;
use rpc_runtime::{Channel, Code, Encoding, Limits, Server, Streaming, rpc_service};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::healthy::{alone, start};
use super::raw::*;

const DEEP: usize = 100_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tree {
    children: Vec<Tree>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Expression {
    Number(i64),
    Negate(Box<Expression>),
    Sum { terms: Vec<Expression> },
}

/// A type whose levels take much of the stack.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Wide {
    numbers: [Option<u64>; 32],
    names: [Option<String>; 32],
    next: Option<Box<Wide>>,
}

#[rpc_service(name = "test.v1.Nested")]
pub(crate) trait Nested {
    async fn tree(&self, tree: Tree) -> Tree;
    async fn expression(&self, expression: Expression) -> Expression;
    #[rpc(bare)]
    async fn bare(&self, expression: Expression) -> Expression;
    async fn number(&self, number: i64) -> i64;
    async fn wide(&self, wide: Box<Wide>) -> bool;
    async fn trees(&self, trees: Streaming<Tree>) -> u64;
}

pub(crate) struct Echo;

impl Nested for Echo {
    async fn tree(&self, tree: Tree) -> Tree {
        tree
    }

    async fn expression(&self, expression: Expression) -> Expression {
        expression
    }

    async fn bare(&self, expression: Expression) -> Expression {
        expression
    }

    async fn number(&self, number: i64) -> i64 {
        number
    }

    async fn wide(&self, wide: Box<Wide>) -> bool {
        wide.next.is_some()
    }

    async fn trees(&self, mut trees: Streaming<Tree>) -> u64 {
        let mut count = 0;
        while let Some(Ok(_)) = trees.next().await {
            count += 1;
        }
        count
    }
}

/// Runs on threads with the stack that tokio's own have by default, whatever the platform says.
pub(crate) fn on_small_stacks(test: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(2 << 20)
        .enable_all()
        .build()
        .unwrap();
    let test = runtime.spawn(async move {
        let _alone = alone().await;
        test.await;
    });
    runtime.block_on(test).unwrap();
}

fn nested(start: &[u8], open: &[u8], end: &[u8]) -> Vec<u8> {
    [start, &open.repeat(DEEP), end].concat()
}

/// Method, encoding, message.
fn attacks() -> Vec<(&'static str, u8, Vec<u8>)> {
    let tree = "test.v1.Nested/tree";
    let expression = "test.v1.Nested/expression";
    let bare = "test.v1.Nested/bare";
    let number = "test.v1.Nested/number";
    vec![
        (
            tree,
            1,
            nested(b"\x81\xA4tree", b"\x81\xA8children\x91", b"\x80"),
        ),
        (tree, 1, nested(b"\x91", b"\x91", b"\x90")),
        (expression, 1, nested(b"\x91", b"\x81\xA6Negate", b"\x00")),
        (
            expression,
            1,
            nested(b"\x91", b"\x81\xA3Sum\x81\xA5terms\x91", b"\x00"),
        ),
        (bare, 1, nested(b"", b"\x81\xA6Negate", b"\x00")),
        (
            number,
            1,
            nested(b"\x82\xA6number\x05\xA4junk", b"\x91", b"\x00"),
        ),
        (
            number,
            1,
            nested(b"\x82\xA4junk", b"\x81\xA1a", b"\x00\xA6number\x05"),
        ),
        (number, 1, nested(b"\x82\xA4junk", b"\x81", b"\x00\x00")),
        (tree, 2, nested(br#"{"tree":"#, br#"{"children":["#, b"")),
        (tree, 2, nested(b"[", b"[", b"")),
        (
            expression,
            2,
            nested(br#"{"expression":"#, br#"{"Negate":"#, b"1"),
        ),
        (bare, 2, nested(b"", br#"{"Negate":"#, b"1")),
        (number, 2, nested(br#"{"number":5,"junk":"#, b"[", b"")),
        (number, 2, nested(br#"{"junk":"#, br#"{"a":"#, b"")),
        (number, 2, nested(br#"{"number":"#, b"[{\"\\\"[\":", b"")),
    ]
}

/// A message in fragments behind a REQUEST or RESPONSE.
fn fragments(call: u64, mut message: &[u8], end: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    while message.len() > 60_000 {
        let (fragment, rest) = message.split_at(60_000);
        bytes.extend(frame(MESSAGE, MORE, call, fragment));
        message = rest;
    }
    bytes.extend(frame(MESSAGE, end, call, message));
    bytes
}

#[test]
fn endless_nesting_is_an_error_of_its_call() {
    on_small_stacks(async {
        let serving = start(Server::new().add(NestedServer::new(Echo))).await;
        let client = NestedClient::new(Channel::connect(&serving.url).await.unwrap());
        let mut raw = Raw::greet(&serving.url).await;
        for (index, (method, encoding, message)) in attacks().into_iter().enumerate() {
            let call = index as u64 * 2 + 1;
            let request = Request {
                call,
                method,
                encoding,
                flags: BODY | MORE,
                message: &[],
                ..Request::default()
            };
            raw.send(&request.bytes()).await;
            raw.send(&fragments(call, &message, END)).await;
            let error = raw.until(ERROR, call).await;
            assert_eq!(error.code(), 3, "{method} {encoding}: {}", error.text());
            assert!(error.text().contains("`max_depth`"), "{}", error.text());
            assert_eq!(client.number(5).await.unwrap(), 5);
        }
        // An item of a stream, in the middle of good ones.
        let upload = Request {
            call: 1_001,
            method: "test.v1.Nested/trees",
            flags: 0,
            message: &[],
            ..Request::default()
        };
        raw.send(&upload.bytes()).await;
        raw.send(&frame(MESSAGE, 0, 1_001, b"\x81\xA8children\x90"))
            .await;
        let deep = nested(b"", b"\x81\xA8children\x91", b"\x80");
        raw.send(&fragments(1_001, &deep, END)).await;
        assert_eq!(raw.until(RESPONSE, 1_001).await.payload.last(), Some(&1));
    });
}

#[test]
fn what_the_limit_allows_fits_the_stack() {
    on_small_stacks(async {
        let limits = Limits::new().max_depth(usize::MAX);
        let server = Server::new()
            .limits(limits.clone())
            .add(NestedServer::new(Echo));
        let serving = start(server).await;
        let channel = Channel::connect(&serving.url).limits(limits).await.unwrap();
        for encoding in [Encoding::MESSAGE_PACK, Encoding::JSON] {
            let client = NestedClient::new(channel.clone().with_encoding(encoding));
            // Two containers a level and one for the arguments: up to the highest limit, 128.
            let mut tree = Tree { children: vec![] };
            let mut expression = Expression::Number(1);
            for _ in 0..62 {
                tree = Tree {
                    children: vec![tree],
                };
                expression = Expression::Negate(Box::new(expression));
            }
            assert_eq!(
                client.tree(tree.clone()).await.unwrap(),
                tree,
                "{encoding:?}"
            );
            let echoed = client.expression(expression.clone()).await;
            assert_eq!(echoed.unwrap(), expression, "{encoding:?}");
        }
    });
}

/// What the limit on depth lets in, and the stack does not.
#[test]
fn what_takes_too_much_of_the_stack_is_an_error_of_its_call() {
    on_small_stacks(async {
        let limits = Limits::new().max_depth(usize::MAX).max_stack(100_000);
        let server = Server::new().limits(limits);
        let serving = start(server.add(NestedServer::new(Echo))).await;
        let client = NestedClient::new(Channel::connect(&serving.url).await.unwrap());
        let (items, trees) = mpsc::channel(1);
        let trees = stream::unfold(trees, async |mut trees| Some((trees.recv().await?, trees)));
        let open_all_the_while = client.trees(trees).start();
        for encoding in [Encoding::MESSAGE_PACK, Encoding::JSON] {
            let deep = (0..60).fold(Box::<Wide>::default(), |inner, _| {
                Box::new(Wide {
                    next: Some(inner),
                    ..Wide::default()
                })
            });
            let status = client.wide(deep).encoding(encoding).await.unwrap_err();
            assert_eq!(status.code(), Code::InvalidArgument, "{encoding}: {status}");
            let expected = "more than 100000 bytes of the stack, the limit `max_stack`";
            assert!(status.message().contains(expected), "{encoding}: {status}");
            assert_eq!(client.number(5).await.unwrap(), 5);
            items.send(Tree { children: vec![] }).await.unwrap();
        }
        drop(items);
        assert_eq!(open_all_the_while.await.unwrap(), 2);
        assert_eq!(serving.stop.connections(), 1);
    });
}

#[test]
fn endless_nesting_in_a_reply_is_an_error_of_its_call() {
    on_small_stacks(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("tcp://{}", listener.local_addr().unwrap());
        let replies = [
            (
                Encoding::MESSAGE_PACK,
                nested(b"", b"\x81\xA6Negate", b"\x00"),
            ),
            (Encoding::JSON, nested(b"", br#"{"Negate":"#, b"1")),
        ];
        let sent = replies.clone();
        let server = tokio::spawn(async move {
            let mut raw = Raw::accept(&listener).await;
            raw.send(&[&PREFACE[..], &generous_settings()].concat())
                .await;
            for (index, (_, message)) in sent.iter().enumerate() {
                let call = index as u64 * 2 + 1;
                raw.until(REQUEST, call).await;
                raw.send(&frame(RESPONSE, BODY | MORE, call, &[0])).await;
                raw.send(&fragments(call, message, END)).await;
            }
            raw.rest().await
        });
        let client = NestedClient::new(Channel::connect(&url).await.unwrap());
        for (encoding, _) in replies {
            let call = client.bare(Expression::Number(1)).encoding(encoding);
            let error = call.await.unwrap_err();
            assert_eq!(error.code(), Code::Internal);
            assert!(error.to_string().contains("`max_depth`"), "{error}");
        }
        drop(client);
        server.await.unwrap();
    });
}
