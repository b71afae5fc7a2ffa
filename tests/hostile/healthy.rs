//! What must go on undisturbed, and what is measured of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rpc_runtime::{Channel, Server};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{Serving, serve};
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;

/// Tests of memory, file handles and time cannot share the process with others.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Waits until no other test of this program runs.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().await
}

/// A server with the usual limits and short times.
pub(crate) fn server() -> Server {
    Server::new().add(MathServer::new(Calculator::new()))
}

pub(crate) async fn start(server: Server) -> Serving {
    serve("tcp", server).await
}

/// A good client that calls without a pause until it is asked how that went.
pub(crate) struct Bystander {
    stop: Arc<AtomicBool>,
    calls: JoinHandle<u64>,
}

impl Bystander {
    pub(crate) async fn of(url: &str) -> Self {
        let channel = Channel::connect(url).await;
        let math = MathClient::new(channel.expect("a good client connects"));
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let calls = tokio::spawn(async move {
            let mut calls = 0;
            while !stopped.load(Ordering::Relaxed) || calls == 0 {
                let sum = math.add(calls, 1).timeout(Duration::from_secs(10)).await;
                assert_eq!(sum.expect("a good client is served"), calls + 1);
                calls += 1;
                // One call at a time, but not at the cost of the attack on two cores.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            u64::try_from(calls).unwrap()
        });
        Self { stop, calls }
    }

    /// Ends it. Every call must have succeeded.
    pub(crate) async fn expect_unharmed(self) {
        self.stop.store(true, Ordering::Relaxed);
        assert!(self.calls.await.expect("every call succeeds") > 0);
    }
}

/// The memory of this process in use, in bytes.
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|it| it.starts_with("VmRSS:"));
    let kibibytes = line.and_then(|it| it.split_whitespace().nth(1));
    kibibytes
        .and_then(|it| it.parse::<usize>().ok())
        .expect("a number")
        << 10
}

/// The file handles of this process.
pub(crate) fn handles() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux").count()
}

/// Measures by how much the process grows.
pub(crate) struct Memory(usize);

impl Memory {
    pub(crate) fn now() -> Self {
        Self(resident())
    }

    pub(crate) fn growth(&self) -> usize {
        resident().saturating_sub(self.0)
    }

    pub(crate) fn expect_below(&self, what: &str, bound: usize) {
        let growth = self.growth();
        let (mebibytes, bound_mebibytes) = (growth >> 20, bound >> 20);
        println!("{what}: grew by {mebibytes} MiB of {bound_mebibytes}");
        assert!(
            growth <= bound,
            "{what}: {mebibytes} MiB > {bound_mebibytes} MiB"
        );
    }
}
