//! That the network does what its plans say.

use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::*;
use crate::transport::Io;
use crate::{Channel, Code, Server};

/// Makes the two ends of a link with a plan.
fn ends(plan: &Plan) -> (Io, Io) {
    let (_, here, there) = link::make("link", plan, fastrand::Rng::with_seed(1), None);
    (here, there)
}

fn struck(when: When, fault: Fault) -> Plan {
    Plan {
        faults: vec![(when, fault)],
        ..Plan::default()
    }
}

/// Sends 100 different bytes each way and returns what arrives at the server and at the client.
async fn exchanged(plan: &Plan) -> [(Vec<u8>, Option<ErrorKind>); 2] {
    async fn sent(io: &mut (impl AsyncWriteExt + Unpin)) {
        let bytes: Vec<u8> = (0..100).collect();
        let _ = io.write_all(&bytes).await;
        let _ = io.shutdown().await;
    }
    async fn received(io: &mut (impl AsyncReadExt + Unpin)) -> (Vec<u8>, Option<ErrorKind>) {
        let mut bytes = Vec::new();
        let end = timeout(Duration::from_secs(60), io.read_to_end(&mut bytes)).await;
        let error = match end {
            Ok(end) => end.err().map(|it| it.kind()),
            Err(_) => Some(ErrorKind::TimedOut),
        };
        (bytes, error)
    }
    let (mut client, mut server) = ends(plan);
    sent(&mut client).await;
    sent(&mut server).await;
    [received(&mut server).await, received(&mut client).await]
}

#[test]
fn a_link_without_faults_carries_everything_in_order() {
    let all: Vec<u8> = (0..100).collect();
    for weather in [Weather::Clear, Weather::Slow] {
        for seed in 0..50 {
            let plan = Plan::drawn(weather, seed);
            assert_eq!(plan, Plan::drawn(weather, seed));
            // Nobody reads while the bytes are sent.
            let room = |direction: &Direction| direction.capacity >= 100;
            if room(&plan.from_client) && room(&plan.from_server) {
                let arrived = simulate(seed, exchanged(&plan));
                assert_eq!(arrived, [(all.clone(), None), (all.clone(), None)]);
            }
        }
    }
}

#[test]
fn each_fault_does_what_it_says_behind_each_byte() {
    for at in 1..=100 {
        let count = usize::try_from(at).unwrap();
        let whole: Vec<u8> = (0..100).collect();
        let begin = whole[..count].to_vec();
        let arrived = |fault| {
            let plan = struck(When::Sent(Side::Client, at), fault);
            simulate(at, exchanged(&plan))
        };
        let late = Some(ErrorKind::TimedOut);
        let reset = Some(ErrorKind::ConnectionReset);
        let half = [(begin.clone(), None), (whole.clone(), None)];
        assert_eq!(arrived(Fault::HalfClose(Side::Client)), half);
        let cut = [(begin.clone(), None), (Vec::new(), None)];
        assert_eq!(arrived(Fault::Cut), cut);
        let nothing = [(Vec::new(), reset), (Vec::new(), reset)];
        assert_eq!(arrived(Fault::Reset), nothing);
        let silent = [(begin.clone(), late), (whole.clone(), None)];
        assert_eq!(arrived(Fault::Silence(Side::Client)), silent);
        let dark = [(begin.clone(), late), (Vec::new(), late)];
        assert_eq!(arrived(Fault::Blackout), dark);
        let stalled = [(whole.clone(), None), (whole.clone(), None)];
        let hour = Duration::from_secs(30);
        assert_eq!(arrived(Fault::Stall(Side::Client, hour)), stalled);
        let rest = &whole[count..];
        let lost = [&begin, &rest[rest.len().min(7)..]].concat();
        let dropped = [(lost, None), (whole.clone(), None)];
        assert_eq!(arrived(Fault::Drop(Side::Client, 7)), dropped);
        let [(doubled, _), _] = arrived(Fault::Duplicate(Side::Client));
        assert!(at == 100 || doubled.len() > 100, "{at}: {doubled:?}");
        let mut once = doubled.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once, whole);
    }
}

#[test]
fn faults_strike_at_their_time() {
    simulate(1, async {
        let after = Duration::from_secs(5);
        let (mut client, _server) = ends(&struck(When::After(after), Fault::Reset));
        let began = Instant::now();
        let error = client.read(&mut [0; 1]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(began.elapsed(), after);
    });
}

#[test]
fn chunks_of_different_connections_change_places() {
    let mut orders = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut plan = Plan::default();
        plan.from_client.delay = Duration::ZERO..=Duration::from_millis(10);
        let arrivals = simulate(seed, async {
            let mut arrivals = Vec::new();
            for number in 0..3 {
                let rng = fastrand::Rng::with_seed(seed * 3 + number);
                let (_, mut here, mut there) = link::make("link", &plan, rng, None);
                here.write_all(b"x").await.unwrap();
                arrivals.push(async move {
                    there.read_exact(&mut [0]).await.unwrap();
                    drop(here);
                    (Instant::now(), number)
                });
            }
            let mut at = Vec::new();
            let tasks: Vec<_> = arrivals.into_iter().map(tokio::spawn).collect();
            for task in tasks {
                at.push(task.await.unwrap());
            }
            at.sort_unstable();
            at.into_iter().map(|(_, number)| number).collect::<Vec<_>>()
        });
        orders.insert(arrivals);
    }
    assert!(orders.len() > 2, "{orders:?}");
}

#[test]
fn hosts_crash_and_are_struck_and_come_back() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&events);
    simulate(1, async {
        let network = Network::new(1).observe(move |it| noted.lock().unwrap().push(it.to_owned()));
        let server = || {
            let wait = || async { tokio::time::sleep(Duration::from_secs(1)).await };
            Server::new().function("wait", wait).connections()
        };
        let channel = Channel::connect(network.target(["a"])).lazy().unwrap();
        let call = || channel.call::<_, ()>("wait", ());
        let refused = call().await.unwrap_err();
        assert!(
            refused.to_string().contains("nobody listens at `a`"),
            "{refused}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;

        let first = server();
        network.serve("a", first.clone());
        call().await.unwrap();
        assert_eq!((network.connections("a"), network.open_links()), (1, 1));
        let mut open = tokio::spawn(call().into_future());
        assert!(timeout(Duration::from_millis(10), &mut open).await.is_err());
        network.crash("a");
        assert_eq!(open.await.unwrap().unwrap_err().code(), Code::Unavailable);
        let handle = first.shutdown_handle();
        tokio::task::yield_now().await;
        assert_eq!((handle.connections(), handle.buffered_bytes()), (0, 0));

        network.serve("a", server());
        let mut open = tokio::spawn(call().into_future());
        assert!(timeout(Duration::from_millis(10), &mut open).await.is_err());
        network.strike("a", Fault::Cut);
        assert_eq!(open.await.unwrap().unwrap_err().code(), Code::Unavailable);
        drop(channel);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!((network.connections("a"), network.open_links()), (2, 0));
    });
    let events = events.lock().unwrap().join("; ");
    let expected = "a.0: is made; a.0: Reset after [";
    assert!(
        events.starts_with(expected) && events.contains("a.1: Cut after ["),
        "{events}"
    );
}

#[test]
fn times_and_sizes_without_an_end_are_far_ahead() {
    let whole: Vec<u8> = (0..100).collect();
    let late = Some(ErrorKind::TimedOut);
    let stalled = struck(
        When::Sent(Side::Client, 30),
        Fault::Stall(Side::Client, Duration::MAX),
    );
    let expected = [(whole[..30].to_vec(), late), (whole.clone(), None)];
    assert_eq!(simulate(1, exchanged(&stalled)), expected);

    let mut slow = Plan::default();
    slow.from_client.pause = Duration::MAX;
    let [(bytes, error), _] = simulate(1, exchanged(&slow));
    assert!(!bytes.is_empty() && bytes.len() < 100 && error == late);

    let mut late_for_ever = Plan::default();
    late_for_ever.from_client.delay = Duration::MAX..=Duration::MAX;
    let [from_client, _] = simulate(1, exchanged(&late_for_ever));
    assert_eq!(from_client, (Vec::new(), late));

    let mut lossy = Plan::default();
    for at in [30, 40] {
        let lost = Fault::Drop(Side::Client, usize::MAX);
        lossy.faults.push((When::Sent(Side::Client, at), lost));
    }
    let [from_client, _] = simulate(1, exchanged(&lossy));
    assert_eq!(from_client, (whole[..30].to_vec(), None));
}

/// Returns what is told while 100 bytes go each way.
fn told(plan: Plan) -> Vec<String> {
    let events = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&events);
    let observer = Arc::new(move |it: &str| noted.lock().unwrap().push(it.to_owned()));
    simulate(1, async move {
        let rng = fastrand::Rng::with_seed(1);
        let (_, mut client, mut server) = link::make("link", &plan, rng, Some(observer));
        let _ = client.write_all(&[0; 100]).await;
        let _ = server.write_all(&[0; 100]).await;
    });
    std::mem::take(&mut *events.lock().unwrap())
}

#[test]
fn all_faults_of_one_byte_strike_behind_it() {
    for at in [0, 1, 30, 100] {
        let mut plan = Plan::default();
        let faults = [
            Fault::Duplicate(Side::Server),
            Fault::Stall(Side::Client, Duration::from_secs(1)),
            Fault::Silence(Side::Client),
        ];
        let when = When::Sent(Side::Client, at);
        plan.faults.extend(faults.map(|fault| (when, fault)));
        let expected = faults.map(|fault| format!("link: {fault:?} after [{at}, 0]"));
        assert_eq!(told(plan)[1..], expected, "{at}");
    }
    // What ends a direction before its first byte lets none through.
    let none = struck(When::Sent(Side::Client, 0), Fault::HalfClose(Side::Client));
    let [from_client, _] = simulate(1, exchanged(&none));
    assert_eq!(from_client, (Vec::new(), None));
}

#[test]
fn who_is_told_and_who_plans_may_look_at_the_network() {
    let (done, is_done) = std::sync::mpsc::channel();
    // A thread of its own, as one that waits for itself waits for ever.
    std::thread::spawn(move || {
        let looks = Arc::new(Mutex::new(Vec::new()));
        simulate(1, async {
            let network = Network::new(1);
            let (looking, noted) = (network.clone(), Arc::clone(&looks));
            let network = network.observe(move |event| {
                let look = (looking.connections("a"), looking.open_links());
                noted.lock().unwrap().push((event.to_owned(), look));
            });
            let (looking, noted) = (network.clone(), Arc::clone(&looks));
            let network = network.plan(move |host, number| {
                let look = (looking.connections(host), looking.open_links());
                noted.lock().unwrap().push((format!("plan {number}"), look));
                struck(When::Sent(Side::Client, 5), Fault::Blackout)
            });
            network.serve("a", Server::new().connections());
            let mut io = network.connect("a").unwrap();
            io.write_all(&[0; 10]).await.unwrap();
            network.strike("a", Fault::Silence(Side::Server));
            network.crash("a");
        });
        let looks = std::mem::take(&mut *looks.lock().unwrap());
        let _ = done.send(looks);
    });
    let looks = is_done.recv_timeout(Duration::from_secs(20)).unwrap();
    let events: Vec<_> = looks.iter().map(|(event, _)| event.as_str()).collect();
    let expected = [
        "plan 0",
        "a.0: is made",
        "a.0: Blackout after [5, 0]",
        "a.0: Silence(Server) after [10, 0]",
        "a.0: Reset after [10, 0]",
    ];
    assert_eq!(events, expected);
    assert!(looks.iter().all(|(_, (made, _))| *made == 1), "{looks:?}");
}
