//! Connections that end because they are old.

use std::time::Duration;

use futures_util::stream;
use rpc_runtime::{Channel, Code, Server, Status, Stream, rpc_service};
use rpc_tests::serving::serve;
use tokio::time::Instant;

#[rpc_service(name = "test.v1.Ageing")]
trait Ageing {
    /// Says nothing.
    #[rpc(read_only)]
    fn watch(&self) -> impl Stream<Item = Result<u32, Status>>;
}

struct Aged;

impl Ageing for Aged {
    fn watch(&self) -> impl Stream<Item = Result<u32, Status>> {
        stream::pending()
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
