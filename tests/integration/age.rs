//! Connections that end because they are old.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use rpc_runtime::call::ConnectionInfo;
use rpc_runtime::{Channel, Code, Server, Status, Stream, from_fn, rpc_service};
use rpc_tests::serving::{TRANSPORTS, serve};
use tokio::time::{Instant, sleep};

#[rpc_service(name = "test.v1.Ageing")]
trait Ageing {
    /// Says nothing.
    #[rpc(read_only)]
    fn watch(&self) -> impl Stream<Item = Result<u32, Status>>;

    /// Takes a while.
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

/// A server that ends connections, and those that called it.
fn server(age: Duration, grace: Duration) -> (Server, Arc<Mutex<Vec<Arc<ConnectionInfo>>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let note = from_fn(move |request, next| {
        if let Some(connection) = request.connection() {
            let mut seen: std::sync::MutexGuard<'_, Vec<Arc<ConnectionInfo>>> =
                noted.lock().unwrap();
            if !seen.iter().any(|it| Arc::ptr_eq(it, connection)) {
                seen.push(Arc::clone(connection));
            }
        }
        async move { next.call(request).await }
    });
    let server = Server::new().add(AgeingServer::new(Aged)).layer(note);
    (server.max_connection_age(age, grace), seen)
}

#[tokio::test]
async fn an_old_connection_is_replaced_and_no_call_fails() {
    let age = Duration::from_millis(100);
    for transport in TRANSPORTS.into_iter().chain(["grpc", "tls"]) {
        let (server, seen) = server(age, Duration::from_secs(20));
        let serving = serve(transport, server).await;
        let channel = rpc_tests::serving::connect(&serving.url).await.unwrap();
        let client = AgeingClient::new(channel);
        let start = Instant::now();
        // Each call may be under way when its connection becomes old.
        while start.elapsed() < age * 4 || seen.lock().unwrap().len() < 3 {
            assert_eq!(client.work(5).await.unwrap(), 5, "{transport}");
            assert!(start.elapsed() < age * 200, "{transport}: it never ends");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connections_of_one_time_end_at_different_times_and_calls_within_the_grace() {
    let (age, grace) = (Duration::from_secs(100), Duration::from_secs(5));
    let (server, _) = server(age, grace);
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
