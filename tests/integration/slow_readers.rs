//! Streams that go on while their reader is slow, and say what he has missed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{Stream, stream};
use rpc_runtime::{Code, Context, Limits, Server, SlowReader, Status, rpc_service};
use rpc_tests::serving::{Serving, connect, serve};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// How many items a stream has: far more than a connection and a window hold.
const ITEMS: u32 = 5_000;

/// What a connection of the server may hold, in bytes.
const BUFFERED: usize = 1 << 20;

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Policy {
    DropOldest,
    /// Any number of them waits.
    DropOldestOfMany,
    KeepLatest,
    Close,
    CloseBehindMany,
}

#[derive(Serialize, Deserialize)]
struct Item {
    number: u32,
    filling: String,
}

#[rpc_service]
trait Feed {
    /// `ITEMS` items, all of which are ready; `fails` at the end.
    fn items(
        &self,
        ctx: &Context,
        policy: Policy,
        fails: bool,
    ) -> impl Stream<Item = Result<Item, Status>>;
}

/// Says when its stream is at its last item.
#[derive(Clone, Default)]
struct Source(Arc<(AtomicBool, Notify)>);

impl Source {
    async fn has_run_out(&self) {
        let heard = self.0.1.notified();
        if !self.0.0.load(Ordering::SeqCst) {
            heard.await;
        }
    }
}

impl Feed for Source {
    fn items(
        &self,
        ctx: &Context,
        policy: Policy,
        fails: bool,
    ) -> impl Stream<Item = Result<Item, Status>> {
        ctx.slow_reader(match policy {
            Policy::DropOldest => SlowReader::DropOldest(5),
            Policy::DropOldestOfMany => SlowReader::DropOldest(usize::MAX),
            Policy::KeepLatest => SlowReader::KeepLatest,
            Policy::Close => SlowReader::Close(5),
            Policy::CloseBehindMany => SlowReader::Close(usize::MAX),
        });
        let source = self.clone();
        let items = (0..ITEMS).map(move |number| {
            if number == ITEMS - 1 {
                source.0.0.store(true, Ordering::SeqCst);
                source.0.1.notify_one();
            }
            let filling = "x".repeat(1_000);
            Ok(Item { number, filling })
        });
        let failure = fails.then(|| Err(Status::aborted("no more")));
        stream::iter(items.chain(failure))
    }
}

/// Wires that tell at each item how many were left out before it; `""` is in process.
const TELL_AT_ONCE: [&str; 4] = ["", "tcp", "mem", "ws"];

/// Wires that tell at the end.
const TELL_AT_THE_END: [&str; 3] = ["grpc", "grpc-web+http", "connect+http"];

/// Wires that have no word for it.
const DO_NOT_TELL: [&str; 1] = ["jsonrpc+ws"];

fn wires() -> impl Iterator<Item = &'static str> {
    let some = TELL_AT_ONCE.into_iter().chain(TELL_AT_THE_END);
    some.chain(DO_NOT_TELL)
}

async fn client(wire: &str, source: &Source) -> (FeedClient, Option<Serving>) {
    let feed = FeedServer::new(source.clone());
    if wire.is_empty() {
        return (FeedClient::new(feed), None);
    }
    // Half of this is what may wait: far less than all items.
    let limits = Limits::new().max_buffered(BUFFERED);
    let serving = serve(wire, Server::new().add(feed).limits(limits)).await;
    let limits = Limits::new().stream_window(16 << 10);
    let channel = connect(&serving.url).limits(limits).await;
    (FeedClient::new(channel.expect("it listens")), Some(serving))
}

#[tokio::test]
async fn a_slow_reader_misses_items_and_knows_it() {
    for (wire, policy) in
        wires().flat_map(|it| [(it, Policy::KeepLatest), (it, Policy::DropOldest)])
    {
        let source = Source::default();
        let (client, _serving) = client(wire, &source).await;
        let mut items = client.items(policy, false);
        let mut numbers = Vec::new();
        while let Some(item) = items.next().await {
            numbers.push(item.expect("nothing fails").number);
            // Long enough for the method to be done, however slow its reader is.
            source.has_run_out().await;
            if TELL_AT_ONCE.contains(&wire) {
                let before = u64::from(numbers[numbers.len() - 1]) + 1 - numbers.len() as u64;
                assert_eq!(items.skipped(), before, "{wire}");
            }
        }
        assert!(numbers.is_sorted_by(|one, next| one < next), "{wire}");
        let waiting = match policy {
            Policy::DropOldest => ITEMS - 5..ITEMS,
            _ => ITEMS - 1..ITEMS,
        };
        let last = &numbers[numbers.len() - waiting.len()..];
        assert_eq!(last, waiting.collect::<Vec<_>>(), "{wire}");
        let missed = u64::from(ITEMS) - numbers.len() as u64;
        if DO_NOT_TELL.contains(&wire) {
            assert_eq!(items.skipped(), 0);
        } else {
            assert!(missed > 0, "all items had room, {wire}");
            assert_eq!(items.skipped(), missed, "{wire}");
            assert_eq!(
                items.trailers()["rpc-skipped"],
                missed.to_string(),
                "{wire}"
            );
        }
    }
}

#[tokio::test]
async fn a_failure_says_what_was_missed_too() {
    for wire in TELL_AT_ONCE.into_iter().chain(TELL_AT_THE_END) {
        let source = Source::default();
        let (client, _serving) = client(wire, &source).await;
        let mut items = client.items(Policy::KeepLatest, true);
        let mut count = 0;
        let failure = loop {
            match items.next().await.expect("it fails") {
                Ok(_) => count += 1,
                Err(failure) => break failure,
            }
            source.has_run_out().await;
        };
        assert_eq!(failure.code(), Code::Aborted, "{wire}");
        assert_eq!(items.skipped(), u64::from(ITEMS) - count, "{wire}");
    }
}

#[tokio::test]
async fn a_stream_can_end_because_its_reader_is_slow() {
    for wire in wires() {
        let (client, _serving) = client(wire, &Source::default()).await;
        let mut items = client.items(Policy::Close, false);
        let mut next = 0;
        let failure = loop {
            match items.next().await.expect("it fails") {
                Ok(item) => assert_eq!(item.number, next, "{wire}"),
                Err(failure) => break failure,
            }
            next += 1;
        };
        assert_eq!(failure.code(), Code::ResourceExhausted, "{wire}");
        assert!(failure.message().contains("SlowReader::Close"), "{failure}");
        assert!((5..ITEMS).contains(&next), "{next} items over {wire}");
        assert_eq!(items.skipped(), 0);
    }
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes_too() {
    let wires = TELL_AT_ONCE.into_iter().chain(TELL_AT_THE_END);
    for wire in wires.filter(|it| !it.is_empty()) {
        let source = Source::default();
        let (client, _serving) = client(wire, &source).await;
        let mut items = client.items(Policy::DropOldestOfMany, false);
        let mut count = 0;
        while let Some(item) = items.next().await {
            item.expect("nothing fails");
            source.has_run_out().await;
            count += 1;
        }
        assert_eq!(items.skipped(), u64::from(ITEMS - count), "{wire}");
        // With what the connection and the window hold.
        assert!(count * 1_000 < 2 * BUFFERED as u32, "{count} over {wire}");

        let mut items = client.items(Policy::CloseBehindMany, false);
        items
            .next()
            .await
            .expect("it has items")
            .expect("it has begun");
        // Long enough for the method to come to its end, however quick its reader is.
        for _ in 0..ITEMS {
            tokio::task::yield_now().await;
        }
        let failure = loop {
            if let Err(failure) = items.next().await.expect("it fails") {
                break failure;
            }
        };
        assert_eq!(failure.code(), Code::ResourceExhausted, "{wire}");
        assert!(failure.message().contains("`max_buffered`"), "{failure}");
    }
}
