//! Small things that are kept do not keep the large buffers that they were read into.

use rpc_runtime::{Request as RpcRequest, Response, Server, Status, service_fn};

use super::healthy::{Memory, alone, start};
use super::raw::*;
use rpc_tests::eventually;

const CALLS: u64 = 5_000;

/// Opens calls that keep something small each, with frames between them that are read and thrown
/// away: each call would keep the 64 KiB beside its few bytes.
async fn keep(what: &str, head: &[u8], item: Option<&[u8]>) {
    let _alone = alone().await;
    let server = Server::new().fallback(service_fn(|request: RpcRequest| async move {
        std::future::pending::<()>().await;
        drop(request);
        Err::<Response, _>(Status::internal("never"))
    }));
    let serving = start(server).await;
    let mut raw = Raw::greet(&serving.url).await;
    let memory = Memory::now();
    let filler = frame(0x8F, 0, 0, &[0; 64_000]);
    for call in (1..CALLS * 2).step_by(2) {
        let request = Request {
            call,
            method: "keep",
            flags: 0,
            fields: head,
            message: &[],
            ..Request::default()
        };
        let mut bytes = request.bytes();
        if let Some(item) = item {
            bytes.extend(frame(MESSAGE, 0, call, item));
        }
        bytes.extend(&filler);
        assert!(raw.send(&bytes).await);
    }
    let running = || serving.stop.running_calls() as u64 == CALLS;
    eventually("every call runs", running).await;
    memory.expect_below(what, 40 << 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_keeps_only_itself() {
    keep(
        "5,000 calls with an entry each",
        &metadata("x-tiny", b"a"),
        None,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queued_message_keeps_only_itself() {
    keep("5,000 calls with an item each", &[], Some(&[5])).await;
}
