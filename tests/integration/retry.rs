//! Calls that are made again, over every wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::{Stream, stream};
use rpc_runtime::layer::Retry;
use rpc_runtime::{Channel, Code, Context, Pushback, Server, Status, rpc_service};
use rpc_tests::serving::{TRANSPORTS, serve};

#[rpc_service(name = "test.v1.Flaky")]
trait Flaky {
    /// Fails so many times, and then tells which attempt it is.
    #[rpc(read_only)]
    async fn read(&self, failures: u64, ctx: &Context) -> Result<u32, Status>;

    /// Fails so many times, though nobody said that it may be called again.
    async fn write(&self, failures: u64) -> Result<u32, Status>;

    /// Fails with a pushback.
    #[rpc(idempotent)]
    async fn busy(&self, failures: u64, milliseconds: Option<u64>) -> Result<u32, Status>;

    /// Streams the numbers of its attempts after so many failures.
    #[rpc(idempotent)]
    fn watch(&self, failures: u64, ctx: &Context) -> impl Stream<Item = Result<u32, Status>>;
}

#[derive(Default)]
struct Failing(AtomicU64);

impl Failing {
    fn fails(&self, failures: u64) -> bool {
        let fails = self.0.fetch_add(1, Ordering::SeqCst) < failures;
        if !fails {
            self.0.store(0, Ordering::SeqCst);
        }
        fails
    }
}

impl Flaky for Failing {
    async fn read(&self, failures: u64, ctx: &Context) -> Result<u32, Status> {
        match self.fails(failures) {
            true => Err(Status::unavailable("not yet")),
            false => Ok(ctx.attempt()),
        }
    }

    async fn write(&self, failures: u64) -> Result<u32, Status> {
        match self.fails(failures) {
            true => Err(Status::unavailable("not yet")),
            false => Ok(1),
        }
    }

    async fn busy(&self, failures: u64, milliseconds: Option<u64>) -> Result<u32, Status> {
        if !self.fails(failures) {
            return Ok(1);
        }
        let pause = milliseconds.map(Duration::from_millis);
        let pushback = pause.map_or(Pushback::Never, Pushback::After);
        Err(Status::unavailable("busy").with_pushback(pushback))
    }

    fn watch(&self, failures: u64, ctx: &Context) -> impl Stream<Item = Result<u32, Status>> {
        let attempt = ctx.attempt();
        stream::iter(match self.fails(failures) {
            true => vec![Err(Status::unavailable("not yet"))],
            false => vec![Ok(attempt), Ok(attempt), Err(Status::unavailable("broken"))],
        })
    }
}

fn quick() -> Retry {
    let millisecond = Duration::from_millis(1);
    Retry::new().backoff(millisecond, millisecond)
}

/// Runs a test on a server, over every transport and wire.
async fn everywhere<Fut: Future<Output = ()>>(test: impl Fn(Channel) -> Fut) {
    for transport in TRANSPORTS.into_iter().chain(["grpc"]) {
        let server = Server::new().add(FlakyServer::new(Failing::default()));
        let serving = serve(transport, server).await;
        test(Channel::connect(&serving.url).await.unwrap()).await;
    }
    let server = FlakyServer::new(Failing::default());
    test(Channel::new(server)).await;
}

#[tokio::test]
async fn both_sides_see_the_attempts() {
    everywhere(|channel| async move {
        let plain = FlakyClient::new(channel.clone());
        let flaky = FlakyClient::new(channel.layer(quick()));
        assert_eq!(flaky.read(0).await.unwrap(), 1);
        assert_eq!(flaky.read(2).await.unwrap(), 3);
        let status = flaky.read(u64::MAX).await.unwrap_err();
        assert_eq!((status.code(), status.attempts()), (Code::Unavailable, 4));
        let text = "failed after 4 attempts: unavailable";
        assert!(status.to_string().contains(text), "{status}");
        assert_eq!(flaky.read(0).await.unwrap(), 1);
        assert_eq!(flaky.write(1).await.unwrap_err().attempts(), 1);
        assert_eq!(flaky.write(1).await.unwrap(), 1);

        assert_eq!(plain.read(1).await.unwrap_err().attempts(), 1);
        assert_eq!(plain.read(0).await.unwrap(), 1);
        assert_eq!(plain.read(1).retry(quick()).await.unwrap(), 2);
        let never = quick().max_attempts(1);
        assert_eq!(flaky.read(1).retry(never).await.unwrap_err().attempts(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_pushback_crosses_every_wire() {
    everywhere(|channel| async move {
        let flaky = FlakyClient::new(channel.layer(quick()));
        let start = Instant::now();
        assert_eq!(flaky.busy(1, Some(30)).await.unwrap(), 1);
        assert!(start.elapsed() >= Duration::from_millis(30));
        let status = flaky.busy(1, None).await.unwrap_err();
        assert_eq!(
            (status.attempts(), status.pushback()),
            (1, Some(Pushback::Never))
        );
    })
    .await;
}

#[tokio::test]
async fn a_stream_begins_again_until_it_has_begun() {
    everywhere(|channel| async move {
        let flaky = FlakyClient::new(channel);
        let mut items = flaky.watch(2).retry(quick());
        assert_eq!(items.next().await.unwrap().unwrap(), 3);
        assert_eq!(items.next().await.unwrap().unwrap(), 3);
        let status = items.next().await.unwrap().unwrap_err();
        assert_eq!((status.message(), status.attempts()), ("broken", 1));
        assert!(items.next().await.is_none());
    })
    .await;
}

#[tokio::test]
async fn a_layer_is_put_around_what_is_connected() {
    let server = Server::new().add(FlakyServer::new(Failing::default()));
    let serving = serve("tcp", server).await;
    let seen = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&seen);
    let counting = rpc_runtime::from_fn(move |request, next| {
        count.fetch_add(1, Ordering::SeqCst);
        async move { next.call(request).await }
    });
    let connect = FlakyClient::connect(&serving.url);
    let flaky = connect.layer(counting).layer(quick()).await.unwrap();
    assert_eq!(flaky.read(2).await.unwrap(), 3);
    // The one that was put on last is the outermost.
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}
