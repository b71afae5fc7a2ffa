//! JSON-RPC in the messages of a WebSocket, and streams as subscriptions, with clients that nobody
//! here wrote: `tests/node/jsonrpc_websocket.js`.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use rpc_runtime::server::ShutdownHandle;
use rpc_runtime::{Limits, Server, Status, Wire, rpc_service};
use rpc_tests::serving::serve;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

#[derive(Serialize, Deserialize)]
pub(super) struct Head {
    number: String,
}

#[rpc_service(name = "test.v1.Feed")]
pub(super) trait Feed {
    async fn add(&self, a: i64, b: i64) -> i64;
    async fn echo(&self, text: String) -> String;
    fn count(&self, up_to: u64) -> impl Stream<Item = u64>;
    fn count_and_fail(&self, up_to: u64) -> impl Stream<Item = Result<u64, Status>>;
    /// Items of so many bytes, without end.
    fn flow(&self, bytes: usize) -> impl Stream<Item = String>;
    /// No item, and no end.
    fn silence(&self) -> impl Stream<Item = u64>;
    /// So many items of all streams were made.
    async fn made(&self) -> u64;
    /// So many streams are open.
    async fn open(&self) -> u64;
    /// Ends the server in good order.
    async fn stop(&self);
    #[rpc(name = "eth_chainId")]
    async fn chain(&self) -> String;
    fn eth_subscribe(&self, kind: String) -> impl Stream<Item = Head>;
}

#[derive(Clone, Default)]
pub(super) struct Served {
    pub(super) made: Arc<AtomicU64>,
    pub(super) open: Arc<AtomicU64>,
    stop: Arc<OnceLock<ShutdownHandle>>,
}

struct Opened(Arc<AtomicU64>);

impl Drop for Opened {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Served {
    fn opened(&self) -> Opened {
        self.open.fetch_add(1, Ordering::SeqCst);
        Opened(Arc::clone(&self.open))
    }
}

impl Feed for Served {
    async fn add(&self, a: i64, b: i64) -> i64 {
        a + b
    }

    async fn echo(&self, text: String) -> String {
        text
    }

    fn count(&self, up_to: u64) -> impl Stream<Item = u64> {
        stream::iter(0..up_to)
    }

    fn count_and_fail(&self, up_to: u64) -> impl Stream<Item = Result<u64, Status>> {
        let failure = stream::iter([Err(Status::data_loss("no more"))]);
        stream::iter(0..up_to).map(Ok).chain(failure)
    }

    fn flow(&self, bytes: usize) -> impl Stream<Item = String> {
        let (opened, item) = (self.opened(), "x".repeat(bytes));
        stream::repeat_with(move || {
            let _opened = &opened;
            self.made.fetch_add(1, Ordering::SeqCst);
            item.clone()
        })
    }

    fn silence(&self) -> impl Stream<Item = u64> {
        let opened = self.opened();
        stream::pending().inspect(move |_| {
            let _opened = &opened;
        })
    }

    async fn made(&self) -> u64 {
        self.made.load(Ordering::SeqCst)
    }

    async fn open(&self) -> u64 {
        self.open.load(Ordering::SeqCst)
    }

    async fn stop(&self) {
        self.stop.get().expect("it is set").shutdown();
    }

    async fn chain(&self) -> String {
        "0x1".to_owned()
    }

    fn eth_subscribe(&self, kind: String) -> impl Stream<Item = Head> {
        assert_eq!(kind, "newHeads");
        let opened = self.opened();
        stream::iter(1_u64..).then(move |number| {
            let _opened = &opened;
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let number = format!("{number:#x}");
                Head { number }
            }
        })
    }
}

/// Runs the script's part of this name against a server that is configured like this.
async fn script(part: &str, configure: impl FnOnce(Server) -> Server) {
    let served = Served::default();
    let server = Server::new().add(FeedServer::new(served.clone()));
    let serving = serve("ws", configure(server.accept([Wire::JsonRpc]))).await;
    let _ = served.stop.set(serving.stop.clone());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("node");
    let installed = folder.join("node_modules/ws").exists();
    assert!(
        installed,
        "bash tests/setup.sh installs the peers in JavaScript"
    );
    let node = Command::new("node")
        .arg(folder.join("jsonrpc_websocket.js"))
        .args([part, &serving.url])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), node).await;
    let output = output.expect("it ends").expect("node runs");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn calls_are_answered() {
    script("calls", |it| it).await;
}

#[tokio::test]
async fn messages_are_compressed_where_that_is_set() {
    let limits = Limits::new().max_message(1 << 20);
    script("compressed", |it| {
        it.websocket_compression(true).limits(limits)
    })
    .await;
}

#[tokio::test]
async fn streams_are_subscriptions() {
    let limits = Limits::new().max_subscriptions(3);
    script("subscriptions", |it| it.limits(limits)).await;
}

#[tokio::test]
async fn a_slow_reader_slows_its_subscription_and_loses_nothing() {
    let limits = Limits::new().max_outgoing(64 << 10);
    script("slow", |it| it.limits(limits)).await;
}

#[tokio::test]
async fn a_peer_that_is_silent_is_pinged_and_then_cut_off() {
    let (interval, timeout) = (Duration::from_millis(50), Duration::from_secs(1));
    script("silent", |it| it.keepalive(interval, timeout)).await;
}

#[tokio::test]
async fn a_client_of_ethereum_hears_of_every_block() {
    script("ethereum", |it| it).await;
}

#[tokio::test]
async fn none_of_50_000_updates_is_lost() {
    script("many", |it| it).await;
}

#[tokio::test]
async fn a_drain_finishes_and_closes_with_1001() {
    script("drain", |it| it).await;
}
