//! Many connections, many calls at once, many calls in a row: nothing is left of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use rpc_runtime::Channel;
use rpc_tests::math::{Line, MathClient};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::healthy::{Memory, alone, handles, server, start};
use super::raw::Raw;
use rpc_tests::eventually;

const MIB: usize = 1 << 20;

/// How many call at once.
const CALLERS: u64 = 16;

/// Calls in a row in CI; `RPC_SOAK_CALLS` makes them more.
const CALLS: u64 = 40_000;

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

async fn client(url: &str) -> MathClient {
    MathClient::new(Channel::connect(url).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_connections() {
    let _alone = alone().await;
    let serving = start(server()).await;
    // The accept loop is a task too, and runs once it has accepted.
    Raw::greet(&serving.url).await.expect_alive(1).await;
    eventually("it is gone", || serving.stop.connections() == 0).await;
    let (tasks_before, handles_before) = (tasks(), handles());
    let memory = Memory::now();
    let mut clients = Vec::new();
    for _ in 0..1_000 {
        let math = client(&serving.url).await;
        assert_eq!(math.add(1, 2).await.unwrap(), 3);
        clients.push(math);
    }
    assert_eq!(serving.stop.connections(), 1_000);
    // Both ends of each connection are in this process.
    memory.expect_below("1,000 idle connections, both ends", 80 * MIB);
    let again = join_all(clients.iter().map(|math| async { math.add(2, 3).await })).await;
    assert!(again.into_iter().all(|sum| sum.unwrap() == 5));
    drop(clients);
    eventually("every connection is gone", || {
        serving.stop.connections() == 0
    })
    .await;
    eventually("every task has ended", || tasks() <= tasks_before).await;
    eventually("every handle is closed", || handles() <= handles_before).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_in_flight() {
    let _alone = alone().await;
    // Held until all have arrived, however long a busy machine takes for that.
    let held = Arc::new(Semaphore::new(0));
    let gate = Arc::clone(&held);
    let server = server().function("held", move |number: u64| {
        let gate = Arc::clone(&gate);
        async move { gate.acquire().await.map_or(0, |_| number) }
    });
    let serving = start(server).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    let math = MathClient::new(channel.clone());
    assert_eq!(math.add(1, 2).await.unwrap(), 3);
    let tasks_before = tasks();
    let memory = Memory::now();
    let calls =
        (0..10_000_u64).map(|number| channel.call::<_, u64>("held", (number,)).into_future());
    let calls = tokio::spawn(join_all(calls));
    eventually("all calls run at once", || {
        serving.stop.running_calls() == 10_000
    })
    .await;
    memory.expect_below("10,000 calls in flight, both ends", 120 * MIB);
    assert_eq!(math.add(2, 3).await.unwrap(), 5);
    held.add_permits(10_000);
    for (number, answer) in calls.await.unwrap().into_iter().enumerate() {
        assert_eq!(answer.unwrap(), u64::try_from(number).unwrap());
    }
    // Again, and given up half-way.
    let calls = tokio::spawn(join_all(
        (0..10_000).map(|_| math.sleep(60_000).into_future()),
    ));
    eventually("all calls run at once", || {
        serving.stop.running_calls() == 10_000
    })
    .await;
    calls.abort();
    eventually("every call is cancelled", || {
        serving.stop.running_calls() == 0
    })
    .await;
    eventually("every task has ended", || tasks() <= tasks_before).await;
    assert_eq!(math.add(2, 3).await.unwrap(), 5);
}

/// Calls in a row by several callers at once, now and then of another form.
async fn calls_in_a_row(math: &MathClient, calls: u64) {
    let callers = (0..CALLERS).map(|_| {
        let math = math.clone();
        tokio::spawn(async move {
            for number in 0..calls / CALLERS {
                call(&math, number).await;
            }
        })
    });
    for caller in join_all(callers).await {
        caller.expect("every call ends as it should");
    }
}

async fn call(math: &MathClient, number: u64) {
    match number % 1_000 {
        0 => assert_eq!(math.count(20).count().await, 20),
        1 => assert_eq!(math.sum(stream::iter(0..20)).await.unwrap(), 190),
        2 => assert!(math.divide(1.0, 0.0).await.is_err()),
        3 => drop(math.count(100_000).next().await),
        4 => drop(math.sleep(1_000).timeout(Duration::from_millis(1)).await),
        5 => {
            let lines = (0..3).map(|_| Line {
                author: "a".into(),
                text: "b".into(),
            });
            let chat = math.chat("r".into(), stream::iter(lines));
            assert_eq!(chat.count().await, 3);
        }
        _ => assert_eq!(math.add(2, 3).await.unwrap(), 5),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_calls_in_a_row() {
    let _alone = alone().await;
    let calls = std::env::var("RPC_SOAK_CALLS");
    let calls = calls.map_or(CALLS, |it| it.parse().expect("a number"));
    let serving = start(server()).await;
    let math = client(&serving.url).await;
    calls_in_a_row(&math, 20_000).await;
    eventually("the warm-up is over", || serving.stop.running_calls() == 0).await;
    let (tasks_before, handles_before) = (tasks(), handles());
    let memory = Memory::now();
    let began = Instant::now();
    calls_in_a_row(&math, calls).await;
    let took = began.elapsed();
    println!("{calls} calls in {took:?}");
    eventually("every call is over", || serving.stop.running_calls() == 0).await;
    eventually("every task has ended", || tasks() <= tasks_before).await;
    assert_eq!(handles(), handles_before);
    assert_eq!(serving.stop.connections(), 1);
    // What the allocator keeps for threads and sizes: the same for any number of calls, where a
    // leak of 16 bytes a call would be 16 MB in a million.
    memory.expect_below("calls in a row", 16 * MIB);
}
