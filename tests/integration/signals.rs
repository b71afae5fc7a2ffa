//! A process that is told to end finishes what it has accepted.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rpc_runtime::{Channel, Code, Status};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than any of this takes, and shorter than the server's own bound.
const PATIENCE: Duration = Duration::from_secs(30);

struct Process {
    child: Child,
    url: String,
}

impl Process {
    async fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_until_signal"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it was built with the tests");
        let output = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines();
        let url = lines.next_line().await.expect("it can be read");
        let url = url.expect("it says where it listens");
        Self { child, url }
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args([name, &id]).status().await;
        assert!(sent.expect("there is `kill`").success());
    }

    /// Says whether it ended well.
    async fn ended_well(&mut self) -> bool {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended.expect("it ends").expect("it is ours").success()
    }

    /// Makes a call that takes so long, and returns when it runs.
    async fn call(&self, milliseconds: u64) -> impl Future<Output = Result<u64, Status>> + use<> {
        let channel = Channel::connect(&self.url).await.expect("it listens");
        let call = channel.call::<_, u64>("wait", (milliseconds,)).start();
        // A connection's calls begin in the order in which they were sent.
        let behind = channel.call::<_, u64>("wait", (0,)).await;
        assert_eq!(behind.expect("it serves"), 0);
        async move {
            let _channel = channel;
            call.await
        }
    }

    /// Waits until it takes no more calls.
    async fn drains(&self, channel: &Channel) {
        let began = Instant::now();
        while channel.call::<_, u64>("wait", (0,)).await.is_ok() {
            assert!(began.elapsed() < PATIENCE, "it still takes calls");
        }
        assert!(Channel::connect(&self.url).await.is_err());
    }
}

#[tokio::test]
async fn a_process_that_is_told_to_end_finishes_its_calls() {
    for signal in ["-TERM", "-INT"] {
        let mut process = Process::start().await;
        let other = Channel::connect(&process.url).await.expect("it listens");
        let call = process.call(2_000).await;
        process.signal(signal).await;
        process.drains(&other).await;
        assert_eq!(call.await.expect("it is finished"), 2_000, "{signal}");
        assert!(process.ended_well().await, "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut process = Process::start().await;
    let other = Channel::connect(&process.url).await.expect("it listens");
    let call = process.call(3_600_000).await;
    process.signal("-TERM").await;
    process.drains(&other).await;
    process.signal("-TERM").await;
    assert_eq!(call.await.map_err(|it| it.code()), Err(Code::Unavailable));
    assert!(process.ended_well().await);
}
