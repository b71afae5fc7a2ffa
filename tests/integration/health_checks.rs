//! Channels that ask their servers whether they can be called.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rpc_runtime::client::{Balance, Connect, HealthCheck};
use rpc_runtime::health::Health;
use rpc_runtime::{Channel, Code, Server, Status, from_fn};
use rpc_tests::serving::{Serving, connect, serve};
use tokio::time::sleep;

const INTERVAL: Duration = Duration::from_secs(1);

/// Longer than from one question to the next.
const A_QUESTION: Duration = Duration::from_millis(1_300);

fn check() -> HealthCheck {
    HealthCheck::new().interval(INTERVAL).timeout(INTERVAL / 2)
}

/// A server that says its name, whose health checks can be made to hang, and are counted.
struct Named {
    serving: Serving,
    health: Health,
    hangs: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
}

async fn named(transport: &str, name: &'static str) -> Named {
    let health = Health::new();
    let hangs = Arc::<AtomicBool>::default();
    let asked = Arc::<AtomicUsize>::default();
    let (hanging, counted) = (Arc::clone(&hangs), Arc::clone(&asked));
    let server = Server::new()
        .function("name", move || async move { name.to_owned() })
        .health(health.clone())
        .layer(from_fn(move |request, next| {
            let is_check = request.method().path().starts_with("grpc.health");
            counted.fetch_add(usize::from(is_check), Ordering::Relaxed);
            let hangs = is_check && hanging.load(Ordering::Relaxed);
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                next.call(request).await
            }
        }));
    Named {
        serving: serve(transport, server).await,
        health,
        hangs,
        asked,
    }
}

async fn name(channel: &Channel) -> Result<String, Status> {
    channel.call("name", ()).await
}

/// Returns who answers 20 calls.
async fn names(channel: &Channel) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for _ in 0..20 {
        names.insert(name(channel).await.expect("a server is healthy"));
    }
    names
}

fn to(servers: &[&Named]) -> Connect<Channel> {
    let urls: Vec<_> = servers.iter().map(|it| &it.serving.url).collect();
    Channel::connect(urls).balance(Balance::RoundRobin)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_healthy_gets_no_calls_until_it_is() {
    let (first, second) = (named("mem", "first").await, named("mem", "second").await);
    let channel = to(&[&first, &second]).health_check(check());
    let channel = channel.await.unwrap();
    for _ in 0..3 {
        assert_eq!(names(&channel).await, set(&["first", "second"]));
        first.health.set_not_serving("");
        sleep(A_QUESTION).await;
        assert_eq!(names(&channel).await, set(&["second"]));
        first.health.set_serving("");
        sleep(A_QUESTION).await;
    }
    // The service that is asked for is another one.
    let other = check().service("math.v1.Math");
    first.health.set_serving("math.v1.Math");
    second.health.set_not_serving("math.v1.Math");
    let channel = to(&[&first, &second]).health_check(other).await.unwrap();
    assert_eq!(names(&channel).await, set(&["first"]));
}

#[tokio::test(start_paused = true)]
async fn a_server_gets_no_call_before_it_has_said_that_it_serves() {
    let (first, second) = (named("mem", "first").await, named("mem", "second").await);
    first.health.set_not_serving("");
    let channel = to(&[&first, &second]).health_check(check()).lazy().unwrap();
    assert_eq!(names(&channel).await, set(&["second"]));
    // Nor does it while its answer is awaited.
    first.hangs.store(true, Ordering::Relaxed);
    let channel = to(&[&first, &second]).health_check(check()).lazy().unwrap();
    assert_eq!(names(&channel).await, set(&["second"]));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_left_out_after_so_many_questions() {
    let (first, second) = (named("mem", "first").await, named("mem", "second").await);
    let check = check().unhealthy_after(3).healthy_after(2);
    let channel = to(&[&first, &second]).health_check(check).await.unwrap();
    let asked = || first.asked.load(Ordering::Relaxed);
    let until_asked = async |questions: usize| {
        let end = asked() + questions;
        while asked() < end {
            sleep(INTERVAL / 100).await;
        }
    };
    first.hangs.store(true, Ordering::Relaxed);
    // The third has begun, and the second has failed.
    until_asked(3).await;
    assert_eq!(names(&channel).await, set(&["first", "second"]));
    sleep(INTERVAL).await;
    assert_eq!(names(&channel).await, set(&["second"]));

    first.hangs.store(false, Ordering::Relaxed);
    until_asked(1).await;
    sleep(INTERVAL / 10).await;
    assert_eq!(names(&channel).await, set(&["second"]));
    until_asked(1).await;
    sleep(INTERVAL / 10).await;
    assert_eq!(names(&channel).await, set(&["first", "second"]));

    drop(channel);
    let before = asked();
    sleep(INTERVAL * 10).await;
    assert_eq!(asked(), before, "nobody asks when the channel is gone");
}

#[tokio::test(start_paused = true)]
async fn where_none_is_healthy_calls_fail_with_the_reasons() {
    let (first, second) = (named("mem", "first").await, named("mem", "second").await);
    first.health.set_not_serving("");
    second.hangs.store(true, Ordering::Relaxed);
    let channel = to(&[&first, &second]).health_check(check()).lazy().unwrap();
    for _ in 0..2 {
        let status = name(&channel).await.unwrap_err();
        assert!(status.is_not_started(), "{status}");
        let text = status.to_string();
        assert!(
            text.contains("says in its health check that it does not serve"),
            "{text}"
        );
        assert!(
            text.contains("2 servers") && text.contains("the deadline"),
            "{text}"
        );
    }
    // One server alone is asked as well.
    let alone = to(&[&first]).health_check(check());
    let status = alone.await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.to_string().contains("is not healthy"), "{status}");
    let alone = to(&[&first]).health_check(check()).lazy().unwrap();
    assert!(name(&alone).await.is_err());
    first.health.set_serving("");
    sleep(A_QUESTION).await;
    assert_eq!(name(&alone).await.unwrap(), "first");
}

#[tokio::test(start_paused = true)]
async fn a_server_without_the_service_counts_as_healthy() {
    let server = Server::new().function("name", || async { "plain".to_owned() });
    let serving = serve("mem", server).await;
    let channel = Channel::connect(&serving.url).health_check(check());
    assert_eq!(name(&channel.await.unwrap()).await.unwrap(), "plain");
}

#[tokio::test]
async fn every_wire_that_has_the_service_is_asked() {
    for transport in [
        "tcp",
        "grpc",
        "grpcs",
        "connect+http",
        "connect+http1",
        "ws",
    ] {
        let only = named(transport, "only").await;
        let check = HealthCheck::new().interval(Duration::from_millis(20));
        let channel = connect(&only.serving.url).health_check(check);
        let channel = channel.await.unwrap();
        assert_eq!(name(&channel).await.unwrap(), "only", "{transport}");
        only.health.set_not_serving("");
        let refused = async {
            while name(&channel).await.is_ok() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let refused = tokio::time::timeout(Duration::from_secs(10), refused).await;
        refused.unwrap_or_else(|_| panic!("{transport}: it is called on"));
    }
}
