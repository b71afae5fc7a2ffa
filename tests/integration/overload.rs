//! Servers whose handlers compute on the threads that everything runs on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use rpc_runtime::layer::AdaptiveLimit;
use rpc_runtime::{Code, Server};
use rpc_tests::serving::{TRANSPORTS, connect, serve};

/// HTTP/1.1 has one call on a connection at a time.
const CONNECTIONS: usize = 4;

/// Every wire that runs calls side by side.
fn wires() -> impl Iterator<Item = &'static str> {
    let others = [
        "grpc",
        "grpc-web+http",
        "connect+http",
        "connect+http1",
        "jsonrpc+tcp",
        "jsonrpc+ws",
    ];
    TRANSPORTS.into_iter().chain(others)
}

/// There is one thread, so no two handlers ever run at once: only who decides of calls before they have
/// that thread sees more than one of them.
#[tokio::test]
async fn a_limit_decides_of_calls_that_wait_for_a_thread_on_every_wire() {
    for wire in wires() {
        let ran = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ran);
        let server = Server::new()
            .function("compute", move || {
                let count = Arc::clone(&count);
                async move {
                    count.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(Duration::from_millis(2));
                }
            })
            .layer(AdaptiveLimit::new().between(1..=1).max_waiting(0));
        let serving = serve(wire, server).await;
        let mut channels = Vec::new();
        for _ in 0..CONNECTIONS {
            channels.push(connect(&serving.url).await.unwrap());
        }
        let (mut answered, mut refused) = (0, 0);
        // Again, as it is found out first that the method is slow.
        for _ in 0..20 {
            let calls = (0..20).map(|number| &channels[number % CONNECTIONS]);
            let calls = calls.map(|it| it.call::<_, ()>("compute", ()).into_future());
            for result in join_all(calls).await {
                match result {
                    Ok(()) => answered += 1,
                    Err(status) if status.code() == Code::ResourceExhausted => refused += 1,
                    Err(status) => panic!("{wire}: {status}"),
                }
            }
            if refused > 0 && answered > 0 {
                break;
            }
        }
        assert!(refused > 0, "{wire}: all {answered} were admitted");
        assert_eq!(ran.load(Ordering::Relaxed), answered, "{wire}");
    }
}
