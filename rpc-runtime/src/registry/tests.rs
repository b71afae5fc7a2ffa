use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_core::Stream;
use futures_util::{StreamExt, stream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use super::directory::{Bounds, Directory};
use super::*;
use crate::client::Discover;
use crate::server::ShutdownHandle;
use crate::{Channel, Code, Server, Status};

const LEASE: Duration = Duration::from_secs(9);

/// Serves a registry at an address in memory.
async fn serve(registry: &Registry, name: &str) -> ShutdownHandle {
    let server = Server::new()
        .add(registry.service())
        .shutdown_timeout(Duration::from_millis(1))
        .listen(format!("mem:{name}"));
    let bound = server.bind().await.unwrap();
    let stop = bound.shutdown_handle();
    tokio::spawn(bound.serve());
    stop
}

async fn urls(registered: &mut Registered) -> Vec<String> {
    let instances = registered.next().await.unwrap();
    instances
        .into_iter()
        .map(|it| it.url().to_owned())
        .collect()
}

fn lease(url: &str) -> Lease {
    Lease::new("math", url).length(LEASE)
}

#[tokio::test(start_paused = true)]
async fn servers_come_stay_while_they_renew_and_go() {
    let registry = Registry::new();
    let _stop = serve(&registry, "registry-of-math").await;
    let channel = Channel::connect("mem:registry-of-math").await.unwrap();
    let mut math = Registered::new("math", &channel);
    assert!(urls(&mut math).await.is_empty());

    let a = lease("mem:a").keep(&channel).await.unwrap();
    assert_eq!(urls(&mut math).await, ["mem:a"]);
    let b = lease("mem:b").keep(&channel).await.unwrap();
    assert_eq!(urls(&mut math).await, ["mem:a", "mem:b"]);
    sleep(LEASE * 20).await;
    assert_eq!(registry.servers("math"), ["mem:a", "mem:b"]);

    a.end().await.unwrap();
    assert_eq!(urls(&mut math).await, ["mem:b"]);
    // One that dies says nothing: it is gone with its lease.
    let died = Instant::now();
    drop(b);
    assert!(urls(&mut math).await.is_empty());
    assert!(died.elapsed() <= LEASE && died.elapsed() >= LEASE / 2);
    assert!(registry.servers("chess").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_forgot_everything_empties_no_channel() {
    let first = Registry::new();
    let stop = serve(&first, "registry-1").await;
    let channel = Channel::connect("mem:registry-1").await.unwrap();
    let mut math = Registered::new("math", &channel).hold(LEASE);
    let _a = lease("mem:a").keep(&channel).await.unwrap();
    let b = lease("mem:b").keep(&channel).await.unwrap();
    while urls(&mut math).await.len() < 2 {}

    stop.shutdown();
    assert_eq!(math.next().await.unwrap_err().code(), Code::Unavailable);
    drop(b);
    sleep(Duration::from_secs(1)).await;
    let second = Registry::new();
    let _stop = serve(&second, "registry-1").await;
    let back = Instant::now();
    let mut lists = Vec::new();
    while lists.last().is_none_or(|it: &Vec<String>| it.len() > 1) {
        match math.next().await {
            Ok(servers) => lists.push(servers.into_iter().map(|it| it.url().to_owned()).collect()),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
    // The one that lives registered again, and the other one was kept for a while.
    assert!(
        lists.len() > 1 && lists[0] == ["mem:a", "mem:b"],
        "{lists:?}"
    );
    assert_eq!(lists[lists.len() - 1], ["mem:a"]);
    assert!(back.elapsed() >= LEASE && back.elapsed() <= LEASE * 3);
}

#[tokio::test]
async fn a_lease_without_an_end_ends_far_ahead() {
    let registry = Registry::with_bounds(1, 1, Duration::MAX);
    let _stop = serve(&registry, "registry-without-end").await;
    let channel = Channel::connect("mem:registry-without-end").await.unwrap();
    let lease = Lease::new("math", "mem:a").length(Duration::MAX);
    let _lease = lease.keep(&channel).await.unwrap();
    assert_eq!(
        urls(&mut Registered::new("math", &channel)).await,
        ["mem:a"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_directory_is_bounded_and_makes_room_of_what_is_over() {
    let mut directory = Directory::new(Bounds {
        groups: 2,
        servers: 2,
        longest_lease: LEASE,
    });
    let now = Instant::now();
    let mut register = |group: &str, url: &str, at| {
        let lease = Duration::MAX;
        let granted = directory.register(group, url, lease, now + at);
        let granted = granted.map_err(|status| status.code())?;
        assert_eq!(granted.lease, LEASE);
        Ok(granted.is_news)
    };
    let (start, later) = (Duration::ZERO, LEASE + Duration::from_secs(1));
    for (group, url) in [("a", "1"), ("a", "2"), ("b", "1")] {
        assert_eq!(register(group, url, start), Ok(true));
        assert_eq!(register(group, url, start), Ok(false));
    }
    assert_eq!(register("a", "3", start), Err(Code::ResourceExhausted));
    assert_eq!(register("c", "1", start), Err(Code::ResourceExhausted));
    // The longest lease there is has ended.
    assert_eq!(register("a", "3", later), Ok(true));
    assert_eq!(register("c", "1", later), Ok(true));
    let long = "x".repeat(1_025);
    for (group, url) in [("", "1"), ("a", ""), (long.as_str(), "1"), ("a", &long)] {
        assert_eq!(register(group, url, later), Err(Code::InvalidArgument));
    }
    assert_eq!(directory.servers("a", now + later).0, ["3"]);
}

/// A registry that knows other servers each time that it comes back, and goes away again.
struct Flaky {
    asked: AtomicU32,
    servers: fn(u32) -> Vec<String>,
}

impl RegistryService for Flaky {
    async fn register(&self, _: String, _: String, lease: u64) -> Result<u64, Status> {
        Ok(lease)
    }

    async fn remove(&self, _: String, _: String) -> Result<(), Status> {
        Ok(())
    }

    fn watch(&self, _: String) -> impl Stream<Item = Result<Vec<String>, Status>> {
        let servers = (self.servers)(self.asked.fetch_add(1, Ordering::SeqCst));
        let end = stream::once(async {
            sleep(Duration::from_secs(1)).await;
            Err(Status::unavailable("gone again"))
        });
        stream::iter([Ok(servers)]).chain(end)
    }
}

fn follow(servers: fn(u32) -> Vec<String>) -> Registered {
    let asked = AtomicU32::new(0);
    let flaky = RegistryServiceServer::new(Flaky { asked, servers });
    Registered::new("math", &Channel::new(flaky)).hold(LEASE)
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_goes_away_again_and_again_keeps_no_server_for_ever() {
    let mut math = follow(|asked| match asked {
        0 => vec!["mem:a".to_owned(), "mem:b".to_owned()],
        _ => vec!["mem:a".to_owned()],
    });
    let (mut comebacks, mut servers) = (0, Vec::new());
    while comebacks < 30 && servers != ["mem:a"] {
        match math.next().await {
            Ok(found) => servers = found.iter().map(|it| it.url().to_owned()).collect(),
            Err(_) => comebacks += 1,
        }
    }
    // It is back for a second each time.
    assert!((9..=11).contains(&comebacks), "{comebacks} {servers:?}");
}

#[tokio::test(start_paused = true)]
async fn the_servers_that_are_kept_beside_those_of_a_registry_are_bounded() {
    let mut math = follow(|asked| (0..6_000).map(|it| format!("mem:{asked}-{it}")).collect());
    let mut most = 0;
    for _ in 0..8 {
        if let Ok(servers) = math.next().await {
            most = most.max(servers.len());
        }
    }
    assert_eq!(most, 16_000);
}

/// A registry whose answers to renewals take their time.
struct Slow {
    log: Arc<Mutex<Vec<&'static str>>>,
    gate: Arc<Semaphore>,
}

impl RegistryService for Slow {
    async fn register(&self, _: String, _: String, lease: u64) -> Result<u64, Status> {
        self.log.lock().unwrap().push("asked");
        self.gate.acquire().await.unwrap().forget();
        self.log.lock().unwrap().push("registered");
        Ok(lease)
    }

    async fn remove(&self, _: String, _: String) -> Result<(), Status> {
        self.log.lock().unwrap().push("removed");
        Ok(())
    }

    fn watch(&self, _: String) -> impl Stream<Item = Result<Vec<String>, Status>> {
        stream::empty()
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_behind_the_renewal_that_is_on_its_way() {
    for is_answered in [true, false] {
        let log = Arc::new(Mutex::new(Vec::new()));
        let gate = Arc::new(Semaphore::new(1));
        let slow = RegistryServiceServer::new(Slow {
            log: Arc::clone(&log),
            gate: Arc::clone(&gate),
        });
        let (channel, lease) = (Channel::new(slow), lease("mem:a").length(LEASE * 10));
        let kept = lease.keep(&channel).await.unwrap();
        while log.lock().unwrap().len() < 3 {
            sleep(Duration::from_millis(100)).await;
        }
        let start = Instant::now();
        let ending = tokio::spawn(kept.end());
        sleep(Duration::from_secs(1)).await;
        gate.add_permits(usize::from(is_answered));
        ending.await.unwrap().unwrap();
        assert!(start.elapsed() <= Duration::from_secs(6));
        let mut expected = vec!["asked", "registered", "asked"];
        expected.extend(is_answered.then_some("registered"));
        expected.push("removed");
        assert_eq!(*log.lock().unwrap(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_the_registry_shortens_is_renewed_within_what_was_granted() {
    let registry = Registry::with_bounds(1, 1, LEASE);
    let channel = Channel::new(registry.service());
    let asked = lease("mem:a").length(LEASE * 400);
    let kept = asked.keep(&channel).await.unwrap();
    for look in 0..1_000 {
        assert_eq!(registry.servers("math"), ["mem:a"], "look {look}");
        sleep(Duration::from_millis(300)).await;
    }
    drop(kept);
    sleep(LEASE).await;
    assert!(registry.servers("math").is_empty());
}

/// A registry to which two renewals of three are lost.
struct Lossy {
    registry: Registry,
    asked: AtomicU32,
}

impl RegistryService for Lossy {
    async fn register(&self, group: String, url: String, lease: u64) -> Result<u64, Status> {
        if !self.asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(3) {
            std::future::pending::<()>().await;
        }
        self.registry.register(group, url, lease).await
    }

    async fn remove(&self, _: String, _: String) -> Result<(), Status> {
        Ok(())
    }

    fn watch(&self, _: String) -> impl Stream<Item = Result<Vec<String>, Status>> {
        stream::empty()
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_outlives_two_renewals_that_are_lost() {
    let registry = Registry::new();
    let channel = Channel::new(RegistryServiceServer::new(Lossy {
        registry: registry.clone(),
        asked: AtomicU32::new(0),
    }));
    let _kept = lease("mem:a").keep(&channel).await.unwrap();
    for look in 0..1_000 {
        assert_eq!(registry.servers("math"), ["mem:a"], "look {look}");
        sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_watches_hears_in_time_of_a_lease_that_became_shorter() {
    let registry = Registry::new();
    let channel = Channel::new(registry.service());
    drop(lease("mem:a").length(LEASE * 60).keep(&channel).await);
    let mut math = Registered::new("math", &channel);
    assert_eq!(urls(&mut math).await, ["mem:a"]);
    let watching = tokio::spawn(async move { (urls(&mut math).await, Instant::now()) });
    sleep(Duration::from_secs(1)).await;
    // The same server is deployed again with a shorter one, and dies.
    let died = Instant::now();
    drop(lease("mem:a").keep(&channel).await);
    let (servers, told) = watching.await.unwrap();
    assert!(servers.is_empty());
    assert!(told - died <= LEASE * 2, "{:?}", told - died);
}
