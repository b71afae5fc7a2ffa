//! The registry over a real redis-server, which each test starts for itself.

use std::net::TcpListener;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rpc_runtime::client::Discover;
use rpc_runtime::registry::{KeptLease, Lease, RedisRegistry, Registered};
use rpc_runtime::{Channel, Code, Server};
use rpc_tests::eventually_async;
use rpc_tests::serving::{Serving, serve};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

const LONG: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_millis(600);

/// A redis-server that ends with the test.
struct Redis {
    port: u16,
    folder: TempDir,
    process: Child,
}

impl Redis {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        loop {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            // Another process may have taken the port meanwhile.
            if let Some(process) = spawn(port, &folder).await {
                return Self {
                    port,
                    folder,
                    process,
                };
            }
        }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn registry(&self) -> RedisRegistry {
        RedisRegistry::open(&self.url()).unwrap()
    }

    /// Ends it at once, with all that it knew.
    async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Sends it a signal: one that is stopped takes connections, and answers nothing.
    async fn signal(&self, name: &str) {
        let process = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &process]).status();
        assert!(sent.await.unwrap().success());
    }

    /// Returns what it says to a command.
    async fn tell(&self, command: &[&str]) -> String {
        let mut client = Command::new("redis-cli");
        client.args(["-p", &self.port.to_string()]).args(command);
        let output = client.output().await.unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn start_again(&mut self) {
        let started = spawn(self.port, &self.folder).await;
        self.process = started.expect("its port is free again");
    }
}

/// Starts it, keeping nothing on disk, and waits until it listens, or has ended because it cannot.
async fn spawn(port: u16, folder: &TempDir) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
    command.arg("--dir").arg(folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let process = command.kill_on_drop(true).spawn();
    let mut process = process.expect("redis-server is there (bash tests/setup.sh installs it)");
    let mut has_ended = false;
    eventually_async("redis-server listens", async || {
        has_ended = process.try_wait().unwrap().is_some();
        has_ended || TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
    // It may have ended while somebody else answered at its port.
    has_ended |= process.try_wait().unwrap().is_some();
    (!has_ended).then_some(process)
}

async fn named(name: &'static str) -> Serving {
    let server = Server::new().function("name", move || async move { name.to_owned() });
    serve("tcp", server).await
}

async fn until_known(registry: &RedisRegistry, expected: &[&Serving]) {
    let mut expected: Vec<_> = expected.iter().map(|it| it.url.clone()).collect();
    expected.sort();
    eventually_async("the registry knows who is there", async || {
        registry
            .servers("math")
            .await
            .is_ok_and(|it| it == expected)
    })
    .await;
}

async fn until_answered_by(channel: &Channel, expected: &[&str]) {
    eventually_async("those answer who are there", async || {
        let mut names = Vec::new();
        for _ in 0..10 {
            names.extend(channel.call::<_, String>("name", ()).await.ok());
        }
        names.sort();
        names.dedup();
        names == expected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_register_are_followed_and_forgotten_in_redis() {
    let redis = Redis::start().await;
    let registry = redis.registry();
    // The servers ask Redis themselves, the client asks a registry that is a server.
    let own = Channel::new(registry.service());
    let serving = serve("tcp", Server::new().add(redis.registry().service())).await;
    let remote = Channel::connect(&serving.url).await.unwrap();
    let (first, second) = (named("first").await, named("second").await);
    let lease = |of: &Serving| Lease::new("math", &of.url).length(LEASE);
    let first_lease = lease(&first).keep(&own).await.unwrap();
    let channel = Channel::connect(Registered::new("math", &remote).hold(LEASE));
    let channel = channel.await.unwrap();
    until_answered_by(&channel, &["first"]).await;
    let second_lease = lease(&second).keep(&own).await.unwrap();
    until_answered_by(&channel, &["first", "second"]).await;
    // Leases are renewed.
    sleep(LEASE * 2).await;
    until_known(&registry, &[&first, &second]).await;
    // Who says that he goes is gone at once, and who says nothing when his lease is over.
    let began = Instant::now();
    first_lease.end().await.unwrap();
    until_answered_by(&channel, &["second"]).await;
    println!(
        "a lease that was ended was forgotten in {:?}",
        began.elapsed()
    );
    drop(second_lease);
    until_known(&registry, &[]).await;
    eventually_async("nothing is left in Redis", async || {
        redis.tell(&["dbsize"]).await == "0"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_registry_and_redis_restart_and_no_call_fails() {
    let mut redis = Redis::start().await;
    let mut serving = serve("tcp", Server::new().add(redis.registry().service())).await;
    let url = serving.url.clone();
    let remote = Channel::connect(&url).await.unwrap();
    let (first, second) = (named("first").await, named("second").await);
    let mut leases = Vec::new();
    for server in [&first, &second] {
        let lease = Lease::new("math", &server.url).length(LEASE);
        leases.push(lease.keep(&remote).await.unwrap());
    }
    let channel = Channel::connect(Registered::new("math", &remote).hold(LONG / 3));
    let channel = channel.await.unwrap();
    until_answered_by(&channel, &["first", "second"]).await;

    let (made, over) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
    let load = tokio::spawn({
        let (channel, made, over) = (channel.clone(), Arc::clone(&made), Arc::clone(&over));
        async move {
            while !over.load(Ordering::Relaxed) {
                channel
                    .call::<_, String>("name", ())
                    .await
                    .expect("no call fails");
                made.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(1)).await;
            }
        }
    });

    // The registry is another process: what it knew is in Redis.
    serving.task.abort();
    assert!((&mut serving.task).await.unwrap_err().is_cancelled());
    let mut again = None;
    eventually_async("what the registry listened at is free again", async || {
        let server = Server::new().add(redis.registry().service());
        again = server.listen(url.clone()).bind().await.ok();
        again.is_some()
    })
    .await;
    let again = again.expect("it listens");
    let stop = again.shutdown_handle();
    let again = tokio::spawn(again.serve());
    until_known(&redis.registry(), &[&first, &second]).await;
    until_answered_by(&channel, &["first", "second"]).await;

    // Redis forgets everything, and servers register again.
    redis.kill().await;
    sleep(LEASE).await;
    let down = redis.registry().servers("math").await.unwrap_err();
    assert_eq!(down.code(), Code::Unavailable, "{down}");
    assert!(
        down.to_string().contains("cannot reach its Redis"),
        "{down}"
    );
    until_answered_by(&channel, &["first", "second"]).await;
    redis.start_again().await;
    until_known(&redis.registry(), &[&first, &second]).await;
    sleep(LEASE * 2).await;
    until_answered_by(&channel, &["first", "second"]).await;

    // What changes from then on is heard.
    leases.remove(0).end().await.unwrap();
    until_answered_by(&channel, &["second"]).await;
    over.store(true, Ordering::Relaxed);
    load.await.unwrap();
    assert!(made.load(Ordering::Relaxed) > 100);
    stop.shutdown();
    again.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_in_redis_is_bounded() {
    let redis = Redis::start().await;
    let longest = LEASE * 5;
    let registry = redis.registry().bounds(2, 3, longest);
    let channel = Channel::new(registry.service());
    let register = async |group: &str, url: &str| {
        let lease = Lease::new(group, url).length(Duration::from_secs(3_600));
        lease.keep(&channel).await.map(drop)
    };
    for url in ["a", "b", "c", "a"] {
        register("one", url).await.unwrap();
    }
    let full = register("one", "d").await.unwrap_err();
    assert_eq!(full.code(), Code::ResourceExhausted, "{full}");
    assert!(full.to_string().contains("3 servers"), "{full}");
    register("two\r\n*1\r\n$8\r\nFLUSHALL\r\n", "a")
        .await
        .unwrap();
    let full = register("three", "a").await.unwrap_err();
    assert!(full.to_string().contains("2 groups"), "{full}");
    for (group, url) in [("", "a"), ("one", ""), ("one", &*"x".repeat(1_025))] {
        let refused = register(group, url).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    assert_eq!(registry.servers("one").await.unwrap(), ["a", "b", "c"]);
    assert!(
        redis
            .registry()
            .prefix("other:")
            .servers("one")
            .await
            .unwrap()
            .is_empty()
    );
    // A lease is no longer than the bound, and what is over makes room.
    sleep(longest).await;
    register("one", "d").await.unwrap();
    register("three", "a").await.unwrap();
    assert_eq!(registry.servers("one").await.unwrap(), ["d"]);

    for url in ["http://127.0.0.1", ""] {
        let refused = RedisRegistry::open(url).unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{url}");
    }
}

async fn keep(registry: &RedisRegistry, group: &str, length: Duration) -> KeptLease {
    let lease = Lease::new(group, "mem:a").length(length);
    lease.keep(&Channel::new(registry.service())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_redis_shortens_is_renewed_within_what_was_granted() {
    let redis = Redis::start().await;
    let registry = redis.registry().bounds(10, 10, LEASE);
    let _kept = keep(&registry, "math", Duration::from_secs(3_600)).await;
    sleep(LEASE * 3).await;
    eventually_async("the server is known, as it lives", async || {
        registry.servers("math").await.unwrap() == ["mem:a"]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_without_an_end_ends_far_ahead_in_redis() {
    let redis = Redis::start().await;
    let registry = redis.registry().bounds(10, 10, Duration::MAX);
    let _kept = keep(&registry, "math", Duration::MAX).await;
    assert_eq!(registry.servers("math").await.unwrap(), ["mem:a"]);
    let left = redis.tell(&["pttl", "{rpc-registry}:group:math"]).await;
    assert!(left.parse::<i64>().unwrap() > 0, "{left}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_hears_in_time_of_a_lease_that_became_shorter_in_redis() {
    let redis = Redis::start().await;
    let registry = redis.registry().bounds(1, 10, LONG);
    drop(keep(&registry, "math", LONG).await);
    let mut watching = Registered::new("math", &Channel::new(registry.service()));
    assert_eq!(watching.next().await.unwrap().len(), 1);
    let watching = tokio::spawn(async move { watching.next().await });
    // It waits for word of a change, and for the end that it knows.
    sleep(Duration::from_millis(200)).await;
    let died = Instant::now();
    drop(keep(&registry, "math", LEASE).await);
    assert!(watching.await.unwrap().unwrap().is_empty());
    let took = died.elapsed();
    assert!(took < Duration::from_secs(4), "{took:?}");
    // Nor does its group keep the place of another one.
    drop(keep(&registry, "chess", LEASE).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_hangs_fails_all_calls_in_their_time() {
    let redis = Redis::start().await;
    let registry = redis.registry();
    registry.servers("math").await.unwrap();
    redis.signal("STOP").await;
    // On the connection that there is, and then while there is none.
    for wave in 0..2 {
        let began = Instant::now();
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let registry = registry.clone();
                tokio::spawn(async move { registry.servers("math").await })
            })
            .collect();
        for call in calls {
            let status = call.await.unwrap().unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{status}");
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(9), "wave {wave}: {took:?}");
    }
    redis.signal("CONT").await;
    until_known(&registry, &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_lose_their_connection_together_share_the_next_one() {
    let redis = Redis::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let (cut, connections) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let proxy = tokio::spawn({
        let (cut, connections, port) = (Arc::clone(&cut), Arc::clone(&connections), redis.port);
        async move {
            loop {
                let (mut here, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::Relaxed);
                let cut = Arc::clone(&cut);
                tokio::spawn(async move {
                    let mut there = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut here, &mut there) => {}
                        () = cut.notified() => {}
                    }
                });
            }
        }
    });
    let registry = RedisRegistry::open(&url).unwrap();
    registry.servers("math").await.unwrap();
    redis.signal("STOP").await;
    let calls: Vec<_> = (0..32)
        .map(|_| {
            let registry = registry.clone();
            tokio::spawn(async move { registry.servers("math").await })
        })
        .collect();
    sleep(Duration::from_millis(300)).await;
    cut.notify_waiters();
    redis.signal("CONT").await;
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(connections.load(Ordering::Relaxed), 2);
    proxy.abort();
}
