//! What is served, told on request; and methods by their names alone.

use std::path::Path;
use std::process::Stdio;

use rpc_runtime::{Server, Status, Wire, from_fn, rpc_service};
use rpc_tests::json_peer::{self, JsonPeer};
use rpc_tests::serving::{Serving, serve};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::example::server;

const METHOD_NOT_FOUND: i64 = -32601;

#[rpc_service(name = "test.v1.Other")]
trait Other {
    async fn sum(&self, a: i64, b: i64) -> i64;
    async fn product(&self, a: i64, b: i64) -> i64;
}

struct Others;

impl Other for Others {
    async fn sum(&self, a: i64, b: i64) -> i64 {
        -(a + b)
    }

    async fn product(&self, a: i64, b: i64) -> i64 {
        a * b
    }
}

async fn serving(configure: impl FnOnce(Server) -> Server) -> (Serving, JsonPeer) {
    let (server, _) = server();
    let server = configure(server.add(OtherServer::new(Others)));
    let wires = [Wire::JsonRpc, Wire::KnSock];
    let serving = serve("tcp", server.accept(wires)).await;
    let peer = JsonPeer::connect(&serving.url.replacen("tcp", "jsonrpc+tcp", 1)).await;
    (serving, peer)
}

/// Has the meta schema of OpenRPC's makers say whether a document is one.
async fn check(document: &Value) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("node/openrpc.js");
    let mut node = Command::new("node");
    let child = node.arg(script).stdin(Stdio::piped()).spawn();
    let mut child = child.expect("node is there (bash tests/setup.sh installs it)");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin
        .write_all(document.to_string().as_bytes())
        .await
        .unwrap();
    drop(stdin);
    assert!(child.wait().await.unwrap().success(), "refused, see above");
}

#[tokio::test]
async fn what_is_served_is_told_where_that_was_asked_for() {
    let (_serving, mut peer) = serving(|it| it).await;
    let answer = peer.call(1, "rpc.discover", ()).await;
    assert_eq!(answer["error"]["code"], METHOD_NOT_FOUND);

    let (_serving, mut peer) = serving(|it| it.open_rpc("example", "1.0.0")).await;
    let document = &peer.call(1, "rpc.discover", [(); 0]).await["result"];
    check(document).await;
    assert_eq!(document["info"]["title"], "example");
    let methods = document["methods"].as_array().unwrap();
    assert_eq!(methods.len(), 15, "all of both services");
    let wait = methods
        .iter()
        .find(|it| it["name"] == "test.v1.Example.wait");
    let wait = wait.expect("it is described");
    assert_eq!(wait["description"], "Waits, and counts those who do.");
    assert_eq!(
        wait["params"],
        json!([{"name": "milliseconds", "schema": {}}])
    );
    // What is told can be called as it is told.
    let product = peer
        .call(2, "test.v1.Other.product", json!({"a": 2, "b": 3}))
        .await;
    assert_eq!(product["result"], 6);
}

#[tokio::test]
async fn who_may_not_call_is_told_nothing() {
    let refusing = from_fn(|_, _| async { Err(Status::unauthenticated("who are you")) });
    let (_serving, mut peer) = serving(|it| it.open_rpc("example", "1").layer(refusing)).await;
    for method in ["rpc.discover", "sum"] {
        let answer = peer.call(1, method, [1, 2]).await;
        assert_eq!(json_peer::message(&answer), "who are you", "{method}");
    }
}

#[tokio::test]
async fn a_name_alone_means_one_method_or_none() {
    let (serving, mut peer) = serving(|it| it).await;
    assert_eq!(peer.call(1, "product", [2, 3]).await["result"], 6);
    let answer = peer.call(2, "sum", [1, 2]).await;
    assert_eq!(answer["error"]["code"], METHOD_NOT_FOUND);
    let text = "several services have a method `sum`, so it must be called by its full name, such \
                as `test.v1.Example.sum`, `test.v1.Other.sum`";
    assert_eq!(json_peer::message(&answer), text);
    assert_eq!(
        peer.call(3, "test.v1.Other.sum", [1, 2]).await["result"],
        -3
    );
    let mut lines = JsonPeer::connect(&serving.url.replacen("tcp", "knsock", 1)).await;
    lines
        .send(&json!({"method": "sum", "params": [1, 2], "kwargs": {}}))
        .await;
    assert_eq!(lines.next().await["error"], text);
}

#[tokio::test]
async fn one_service_can_be_called_by_the_names_of_its_methods() {
    let (serving, mut peer) = serving(|it| it.json_rpc_service("test.v1.Other")).await;
    assert_eq!(peer.call(1, "sum", [1, 2]).await["result"], -3);
    assert_eq!(
        peer.call(2, "subtract", [3, 2]).await["result"],
        1,
        "of the other"
    );
    let full = peer.call(3, "test.v1.Example.sum", [1, 2, 3]).await;
    assert_eq!(full["result"], 6);
    let mut lines = JsonPeer::connect(&serving.url.replacen("tcp", "knsock", 1)).await;
    lines
        .send(&json!({"method": "sum", "params": [1, 2], "kwargs": {}}))
        .await;
    assert_eq!(lines.next().await["result"], -3);
}
