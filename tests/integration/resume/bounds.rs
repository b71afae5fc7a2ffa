//! What is kept has bounds, and whoever misses something hears of it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rpc_runtime::server::ReplayLimits;
use rpc_runtime::testing::{Fault, Plan, Side, When, simulate};
use rpc_runtime::{Code, Limits, ResponseStream};
use tokio::time::{Instant, sleep};

use super::{FeedClient, Item, Place, Source, read};
use rpc_tests::eventually;

/// A stream of which much is lost on its way, where the server keeps few items.
async fn with_a_gap(limits: ReplayLimits, accepts: bool) -> (Source, Place, ResponseStream<Item>) {
    let source = Source::gated();
    let server = source.server().replay_limits(limits);
    let place = Place::new(server, |link| {
        let mut plan = Plan::default();
        if link == 0 {
            let at = When::After(Duration::from_secs(1));
            plan.faults.push((at, Fault::Silence(Side::Server)));
        }
        plan
    });
    let stream = place.client().numbers(100, 136);
    let mut stream = if accepts {
        stream.accept_gaps()
    } else {
        stream
    };
    source.made.add_permits(10);
    read(&mut stream, 0..10).await;
    sleep(Duration::from_secs(2)).await;
    // Nobody hears these 40, and of those only the last few are kept.
    source.made.add_permits(40);
    eventually("they are made", || source.items() == 50).await;
    sleep(Duration::from_millis(50)).await;
    place.reset();
    source.made.add_permits(50);
    (source, place, stream)
}

#[test]
fn a_stream_whose_item_cannot_be_sent_is_not_kept() {
    simulate(1, async {
        let source = Source::gated();
        let place = Place::calm(source.server());
        let limits = Limits::new().max_message(2_000);
        let mut stream = FeedClient::new(place.channel_with(limits)).numbers(100, 3_000);
        source.made.add_permits(100);
        let failure = stream.next().await.expect("it fails").unwrap_err();
        assert_eq!(failure.code(), Code::ResourceExhausted, "{failure}");
        let failed = Instant::now();
        eventually("its method ends", || source.ended() == 1).await;
        assert!(failed.elapsed() < Duration::from_secs(1));
        assert_eq!(place.stop.waiting_streams(), 0);
    });
}

#[test]
fn who_goes_on_hears_how_many_items_are_lost() {
    let limits = ReplayLimits::new();
    for limits in [
        limits.items(5),
        limits.bytes(1_050),
        limits.bytes_total(1_050),
    ] {
        simulate(1, async move {
            let (_source, _place, mut stream) = with_a_gap(limits, true).await;
            let item = stream
                .next()
                .await
                .expect("it goes on")
                .expect("a gap is fine");
            assert!((11..=46).contains(&item.number), "{item:?}");
            assert_eq!(u64::from(item.number), 10 + stream.lost(), "{limits:?}");
            read(&mut stream, item.number + 1..100).await;
            assert!(stream.next().await.is_none());
        });
        simulate(1, async move {
            let (source, place, mut stream) = with_a_gap(limits, false).await;
            let failure = stream
                .next()
                .await
                .expect("it fails")
                .expect_err("items are lost");
            assert_eq!(failure.code(), Code::DataLoss, "{failure}");
            assert!(
                failure.message().contains("items of the stream are lost"),
                "{failure}"
            );
            assert!(stream.next().await.is_none());
            // It is given up, and not waited for.
            eventually("its method ends", || source.ended() == 1).await;
            assert_eq!(place.stop.waiting_streams(), 0);
        });
    }
}

#[test]
fn a_stream_is_waited_for_as_long_as_is_said() {
    simulate(1, async {
        let source = Source::gated();
        let limits = ReplayLimits::new().wait(Duration::from_secs(5));
        let place = Place::calm(source.server().replay_limits(limits));
        let mut stream = place.client().numbers(100, 0);
        source.made.add_permits(3);
        read(&mut stream, 0..3).await;
        place.cut_off();
        let began = Instant::now();
        let failure = stream
            .next()
            .await
            .expect("it fails")
            .expect_err("nobody is there");
        assert_eq!(failure.code(), Code::Unavailable, "{failure}");
        assert!(failure.message().contains("behind 3 items"), "{failure}");
        assert!(
            began.elapsed() <= Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        sleep(Duration::from_millis(5_150).saturating_sub(began.elapsed())).await;
        assert_eq!((source.ended(), place.stop.waiting_streams()), (1, 0));
        assert!(
            source.cancelled.load(Ordering::SeqCst),
            "its method is told"
        );
    });
}

#[test]
fn a_deadline_holds_also_while_the_caller_is_away() {
    simulate(1, async {
        let source = Source::gated();
        let place = Place::calm(source.server());
        let began = Instant::now();
        let mut stream = place
            .client()
            .numbers(100, 0)
            .timeout(Duration::from_secs(4));
        source.made.add_permits(3);
        read(&mut stream, 0..3).await;
        place.cut_off();
        let failure = stream
            .next()
            .await
            .expect("it fails")
            .expect_err("it is too late");
        assert_eq!(failure.code(), Code::DeadlineExceeded, "{failure}");
        let late = began.elapsed().saturating_sub(Duration::from_secs(4));
        assert!(late <= Duration::from_millis(50), "{late:?} late");
        sleep(Duration::from_millis(150)).await;
        assert_eq!((source.ended(), place.stop.waiting_streams()), (1, 0));
    });
}

#[test]
fn a_stream_that_is_dropped_ends_at_the_server() {
    simulate(1, async {
        // At once if the server can hear of it.
        let source = Source::gated();
        let place = Place::calm(source.server());
        let client = place.client();
        let mut stream = client.numbers(100, 0);
        source.made.add_permits(3);
        read(&mut stream, 0..3).await;
        drop(stream);
        sleep(Duration::from_millis(20)).await;
        assert!(
            source.cancelled.load(Ordering::SeqCst),
            "its method is told"
        );
        sleep(Duration::from_millis(200)).await;
        assert_eq!((source.ended(), place.stop.waiting_streams()), (1, 0));

        // Else when its time is over.
        let mut stream = client.numbers(100, 0);
        source.made.add_permits(3);
        read(&mut stream, 0..3).await;
        place.cut_off();
        drop(stream);
        sleep(Duration::from_secs(29)).await;
        assert_eq!((source.ended(), place.stop.waiting_streams()), (1, 1));
        sleep(Duration::from_secs(2)).await;
        assert_eq!((source.ended(), place.stop.waiting_streams()), (2, 0));
    });
}

/// One that goes on is given up as any other.
#[test]
fn a_stream_that_went_on_can_be_dropped() {
    simulate(1, async {
        let source = Source::gated();
        let place = Place::calm(source.server());
        let mut stream = place.client().numbers(100, 0);
        source.made.add_permits(3);
        read(&mut stream, 0..3).await;
        place.reset();
        source.made.add_permits(3);
        read(&mut stream, 3..6).await;
        drop(stream);
        sleep(Duration::from_millis(200)).await;
        assert_eq!((source.ended(), place.stop.waiting_streams()), (1, 0));
    });
}

#[test]
fn streams_beyond_the_bound_are_served_and_not_kept() {
    simulate(1, async {
        let source = Source::gated();
        let limits = ReplayLimits::new().streams(2);
        let place = Place::calm(source.server().replay_limits(limits));
        let client = place.client();
        let mut streams = [(); 3].map(|()| client.numbers(5, 0));
        for stream in &mut streams {
            stream.accepted().await.expect("it is served");
        }
        place.reset();
        source.made.add_permits(10);
        let [first, second, third] = &mut streams;
        let failure = third
            .next()
            .await
            .expect("it fails")
            .expect_err("it is not kept");
        assert_eq!(failure.code(), Code::Unavailable, "{failure}");
        for stream in [first, second] {
            read(stream, 0..5).await;
            assert!(stream.next().await.is_none());
        }
        assert_eq!(
            place.stop.waiting_streams(),
            2,
            "their ends may not have arrived"
        );

        // They make room, as a stream that is over is worth less than one that is not.
        for _ in 0..4 {
            let mut stream = client.numbers(5, 0);
            stream.accepted().await.expect("it is served");
            place.reset();
            source.made.add_permits(5);
            read(&mut stream, 0..5).await;
            assert!(stream.next().await.is_none());
        }
    });
}

#[test]
fn a_server_that_shuts_down_keeps_nothing() {
    simulate(1, async {
        let source = Source::gated();
        let place = Place::calm(source.server());
        let (client, other) = (place.client(), place.client());
        source.made.add_permits(1);
        source.made_again.add_permits(1);
        let (mut there, mut gone) = (client.numbers(9, 0), other.again(9));
        read(&mut there, 0..1).await;
        read(&mut gone, 0..1).await;
        place.cut_off();
        eventually("both wait", || place.stop.waiting_streams() == 2).await;
        place.closed.store(false, Ordering::SeqCst);
        source.made.add_permits(1);
        read(&mut there, 1..2).await;
        assert_eq!(place.stop.waiting_streams(), 1);

        place.stop.shutdown();
        let began = Instant::now();
        sleep(Duration::from_millis(200)).await;
        assert_eq!((place.stop.waiting_streams(), source.ended()), (0, 1));
        // Who is there reads on, and hears in time that this is over.
        source.made.add_permits(1);
        read(&mut there, 2..3).await;
        let failure = there
            .next()
            .await
            .expect("it fails")
            .expect_err("the server ends");
        assert_eq!(failure.code(), Code::Unavailable, "{failure}");
        assert!(failure.message().contains("shuts down"), "{failure}");
        let taken = began.elapsed();
        assert!((8..10).contains(&taken.as_secs()), "{taken:?}");
        sleep(Duration::from_millis(200)).await;
        assert_eq!(source.ended(), 2);
    });
}

/// What a handler does once it is cancelled ends with its server, also if that ends first.
#[test]
fn no_grace_outlives_the_server() {
    for crashes in [true, false] {
        simulate(1, async move {
            let source = Source::gated();
            let server = source.server().cancel_grace(Duration::from_secs(60));
            let place = Place::calm(server.shutdown_timeout(Duration::from_secs(2)));
            let client = place.client();
            source.made.add_permits(1);
            let mut stream = client.numbers(9, 0);
            read(&mut stream, 0..1).await;
            drop(stream);
            sleep(Duration::from_secs(1)).await;
            assert!(source.cancelled.load(Ordering::SeqCst));
            assert_eq!(source.ended(), 0, "it has its grace");
            match crashes {
                true => place.network.crash("a"),
                false => place.stop.shutdown(),
            }
            sleep(Duration::from_millis(2010)).await;
            assert_eq!(source.ended(), 1, "crashes: {crashes}");
        });
    }
}
