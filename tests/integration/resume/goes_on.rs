//! Nothing is lost and nothing comes twice, wherever and however often a connection is lost.

use std::time::Duration;

use futures_util::StreamExt;
use rpc_runtime::layer::Retry;
use rpc_runtime::server::ReplayLimits;
use rpc_runtime::testing::{Fault, Network, Plan, Side, When, simulate};
use rpc_runtime::{Channel, Code};
use rpc_tests::line::Line;
use rpc_tests::serving::{connect, serve};
use tokio::time::timeout;

use super::{FeedClient, Place, Source, read};
use rpc_tests::eventually;

const ITEMS: u32 = 60;

fn breaks(at: When, fault: Fault) -> Plan {
    let mut plan = Plan::default();
    plan.faults.push((at, fault));
    plan
}

/// Reads a stream that its server accepts, on whose first link something goes wrong behind so many bytes.
/// Says whether it had to go on.
fn cut_at(side: Side, bytes: u64, fault: Fault) -> bool {
    simulate(bytes, async move {
        let source = Source::new();
        let place = Place::new(source.server(), move |link| match link {
            0 => breaks(When::Sent(side, bytes), fault),
            _ => Plan::default(),
        });
        let mut stream = place.client().numbers(ITEMS, 10);
        if stream.accepted().await.is_err() {
            return false;
        }
        read(&mut stream, 0..ITEMS).await;
        assert!(stream.next().await.is_none(), "{side:?} {bytes} {fault:?}");
        assert_eq!((source.began(), stream.lost()), (1, 0));
        place.network.connections("a") > 1
    })
}

#[test]
fn a_stream_goes_on_wherever_its_connection_was_cut() {
    let mut resumed = 0;
    for fault in [Fault::Cut, Fault::Reset, Fault::HalfClose(Side::Server)] {
        for bytes in (1..4_200).step_by(13) {
            resumed += u32::from(cut_at(Side::Server, bytes, fault));
        }
        for bytes in 1..250 {
            resumed += u32::from(cut_at(Side::Client, bytes, fault));
        }
    }
    assert!(resumed > 500, "only {resumed} of the cuts came in a stream");
}

#[test]
fn a_stream_goes_on_however_often_its_connection_is_cut() {
    for seed in 0..40 {
        simulate(seed, async move {
            let source = Source::new();
            let place = Place::new(source.server(), move |link| {
                let bytes = fastrand::Rng::with_seed(seed * 1_000 + link).u64(150..1_500);
                breaks(When::Sent(Side::Server, bytes), Fault::Cut)
            });
            let mut stream = place.client().numbers(500, 10);
            read(&mut stream, 0..500).await;
            assert!(stream.next().await.is_none());
            assert!(place.network.connections("a") > 10, "seed {seed}");
            assert_eq!(source.began(), 1);
        });
    }
}

/// What the server sends is lost for a while before anybody notices: all of it is there again.
#[test]
fn what_was_on_its_way_comes_again() {
    for large in [0, 3_000, 300_000] {
        simulate(1, async move {
            let source = Source::new();
            let place = Place::new(source.server(), |link| match link {
                0 => breaks(When::Sent(Side::Server, 500), Fault::Silence(Side::Server)),
                _ => Plan::default(),
            });
            let mut stream = place.client().numbers(300, large).start();
            tokio::time::sleep(Duration::from_secs(1)).await;
            place.reset();
            read(&mut stream, 0..300).await;
            assert!(stream.next().await.is_none());
            assert_eq!(source.began(), 1);
        });
    }
}

/// A server that does not know yet that a connection is lost gives the stream to the new one.
#[test]
fn a_caller_takes_its_stream_from_a_connection_that_hangs() {
    simulate(1, async {
        let source = Source::gated();
        let place = Place::new(source.server(), |link| match link {
            0 => breaks(When::After(Duration::from_secs(5)), Fault::Blackout),
            _ => Plan::default(),
        });
        let network = place.network.clone();
        let connecting =
            Channel::connect_with("a", move || std::future::ready(network.connect("a")));
        let keepalive = Duration::from_secs(1);
        let channel = connecting.keepalive(keepalive, keepalive).lazy();
        let mut stream = FeedClient::new(channel.expect("it has an address")).numbers(20, 0);
        source.made.add_permits(5);
        read(&mut stream, 0..5).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        // These go into the connection that hangs, which only the client has given up meanwhile.
        source.made.add_permits(15);
        read(&mut stream, 5..20).await;
        assert!(stream.next().await.is_none());
        assert_eq!((source.began(), place.stop.connections()), (1, 2));
    });
}

#[tokio::test]
async fn streams_go_on_over_real_connections_too() {
    for transport in ["tcp", "tls", "ws"] {
        let source = Source::gated();
        let serving = serve(transport, source.server()).await;
        let line = Line::to(&serving.url).await;
        let channel = connect(&line.url).await.expect("it serves");
        let mut stream = FeedClient::new(channel).numbers(50, 100);
        for tens in 0..5 {
            source.made.add_permits(10);
            let numbers = tens * 10..tens * 10 + 10;
            let reading = timeout(Duration::from_secs(20), read(&mut stream, numbers)).await;
            assert!(reading.is_ok(), "it hangs over {transport}");
            line.cut();
        }
        assert!(stream.next().await.is_none(), "{transport}");
        assert_eq!(source.began(), 1, "{transport}");
        eventually("nobody is waited for", || serving.stop.running_calls() == 0).await;
    }
}

#[test]
fn a_stream_goes_on_at_its_own_server() {
    simulate(1, async {
        let network = Network::new(1).plan(|_, link| match link {
            0..3 => breaks(When::Sent(Side::Server, 700), Fault::Cut),
            _ => Plan::default(),
        });
        let sources = ["a", "b", "c"].map(|host| {
            let source = Source {
                server: u32::from(host.as_bytes()[0]),
                ..Source::new()
            };
            network.serve(host, source.server().connections());
            source
        });
        let channel = Channel::connect(network.target(["a", "b", "c"])).await;
        let client = FeedClient::new(channel.expect("they are there"));
        let mut accepted = 0;
        for _ in 0..12 {
            let mut stream = client.numbers(ITEMS, 10);
            // Not one whose connection breaks before that: its server may not have seen it.
            if stream.accepted().await.is_err() {
                continue;
            }
            accepted += 1;
            let items: Vec<_> = stream.collect().await;
            let items: Result<Vec<_>, _> = items.into_iter().collect();
            let items = items.expect("it goes on");
            assert!(items.iter().map(|it| it.number).eq(0..ITEMS));
            assert!(items.iter().all(|it| it.server == items[0].server));
        }
        let links = ["a", "b", "c"].map(|host| network.connections(host));
        assert!(links.iter().sum::<u64>() > 6, "{links:?}");
        assert!(sources.iter().all(|it| it.began() > 0));
        assert!(accepted > 6);
    });
}

/// A stream that is kept is not begun a second time by a layer that makes calls again.
#[test]
fn retries_leave_a_stream_alone_that_goes_on() {
    simulate(1, async {
        let source = Source::gated();
        let place = Place::calm(source.server());
        let client = FeedClient::new(place.channel().layer(Retry::new()));
        let mut stream = client.again(10);
        stream.accepted().await.expect("the server is there");
        place.reset();
        source.made_again.add_permits(10);
        read(&mut stream, 0..10).await;
        assert!(stream.next().await.is_none());
        assert_eq!(source.began(), 1);
    });
}

/// While the caller is away the method goes on up to the bound, then it is not asked for more.
#[test]
fn a_stream_goes_on_without_its_caller_up_to_its_bounds() {
    let limits = ReplayLimits::new();
    let bounds = [
        (limits.items(50), 50..=51),
        (limits.bytes(50 * 200), 50..=120),
        (limits.bytes_total(50 * 200), 50..=120),
    ];
    for (limits, made) in bounds {
        simulate(1, async move {
            let source = Source::gated();
            let place = Place::calm(source.server().replay_limits(limits));
            let mut stream = place.client().numbers(1_000, 80);
            stream.accepted().await.expect("the server is there");
            place.cut_off();
            eventually("it waits", || place.stop.waiting_streams() == 1).await;
            source.made.add_permits(1_000);
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert!(
                made.contains(&source.items()),
                "{} of {limits:?}",
                source.items()
            );
            place
                .closed
                .store(false, std::sync::atomic::Ordering::SeqCst);
            read(&mut stream, 0..1_000).await;
            assert!(stream.next().await.is_none());
            assert_eq!(
                place.stop.waiting_streams(),
                1,
                "its end may not have arrived"
            );
            tokio::time::sleep(Duration::from_secs(31)).await;
            assert_eq!(place.stop.waiting_streams(), 0);
        });
    }
}

#[tokio::test]
async fn times_and_sizes_without_an_end_are_far_ahead() {
    let most = ReplayLimits::new()
        .wait(Duration::MAX)
        .items(usize::MAX)
        .bytes(usize::MAX)
        .bytes_total(usize::MAX)
        .streams(usize::MAX);
    let none = ReplayLimits::new()
        .wait(Duration::ZERO)
        .items(0)
        .bytes(0)
        .bytes_total(0)
        .streams(0);
    for limits in [most, none] {
        let source = Source::new();
        let place = Place::calm(source.server().replay_limits(limits));
        let mut stream = place.client().numbers(300, 10_000);
        read(&mut stream, 0..300).await;
        assert!(stream.next().await.is_none());
        let mut stream = place.client().numbers(300, 10_000);
        read(&mut stream, 0..1).await;
        place.reset();
        if limits == most {
            read(&mut stream, 1..300).await;
        } else {
            let last = std::pin::pin!(stream.filter_map(async |it| it.err()))
                .next()
                .await;
            assert_eq!(last.expect("it is not kept").code(), Code::Unavailable);
        }
    }
}
