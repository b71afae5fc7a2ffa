//! Connections that end because they are old.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use rpc_runtime::call::ConnectionInfo;
use rpc_runtime::layer::Retry;
use rpc_runtime::{Channel, Code, Server, Status, Stream, from_fn, rpc_service};
use rpc_tests::serving::{TRANSPORTS, connect, serve};
use tokio::time::{Instant, sleep};

#[rpc_service(name = "test.v1.Ageing")]
trait Ageing {
    /// Says nothing.
    #[rpc(read_only)]
    fn watch(&self) -> impl Stream<Item = Result<u32, Status>>;

    /// Takes a while, and may not run twice.
    async fn work(&self, milliseconds: u64) -> u64;
}

struct Aged;

impl Ageing for Aged {
    fn watch(&self) -> impl Stream<Item = Result<u32, Status>> {
        stream::pending()
    }

    async fn work(&self, milliseconds: u64) -> u64 {
        sleep(Duration::from_millis(milliseconds)).await;
        milliseconds
    }
}

#[tokio::test]
async fn an_old_connection_is_replaced_and_no_call_fails() {
    let age = Duration::from_millis(100);
    for transport in TRANSPORTS.into_iter().chain(["grpc", "tls"]) {
        let seen: Arc<Mutex<Vec<Arc<ConnectionInfo>>>> = Arc::default();
        let noted = Arc::clone(&seen);
        let note = from_fn(move |request, next| {
            if let Some(connection) = request.connection() {
                let mut seen = noted.lock().unwrap();
                if !seen.iter().any(|it| Arc::ptr_eq(it, connection)) {
                    seen.push(Arc::clone(connection));
                }
            }
            async move { next.call(request).await }
        });
        let server = Server::new()
            .add(AgeingServer::new(Aged))
            .layer(note)
            .max_connection_age(age, Duration::from_secs(20));
        let serving = serve(transport, server).await;
        let channel = connect(&serving.url).await.unwrap();
        let client = AgeingClient::new(channel.layer(Retry::new()));
        let start = Instant::now();
        // A call may be under way, or be on its way, when its connection becomes old.
        while seen.lock().unwrap().len() < 4 {
            assert_eq!(client.work(5).await.unwrap(), 5, "{transport}");
            assert!(start.elapsed() < age * 200, "{transport}: it never ends");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connections_of_one_time_end_at_different_times_and_calls_within_the_grace() {
    let (age, grace) = (Duration::from_secs(100), Duration::from_secs(5));
    let server = Server::new()
        .add(AgeingServer::new(Aged))
        .max_connection_age(age, grace);
    let serving = serve("mem", server).await;
    let start = Instant::now();
    let mut watching = Vec::new();
    for _ in 0..50 {
        let client = AgeingClient::new(Channel::connect(&serving.url).await.unwrap());
        watching.push(tokio::spawn(async move {
            let mut numbers = client.watch();
            let status = numbers.next().await.unwrap().unwrap_err();
            assert_eq!(status.code(), Code::Unavailable, "{status}");
            start.elapsed()
        }));
    }
    let mut ends = Vec::new();
    for watcher in watching {
        ends.push(watcher.await.unwrap());
    }
    ends.sort();
    let (first, last) = (ends[0], ends[49]);
    assert!(first >= age * 9 / 10 + grace, "{first:?}");
    assert!(last <= age * 11 / 10 + grace * 2, "{last:?}");
    assert!(last - first >= age / 20, "{first:?} to {last:?}");
}
