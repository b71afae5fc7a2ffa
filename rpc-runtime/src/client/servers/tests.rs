//! Picking servers, on a clock that stands still.

use std::collections::{BTreeMap, BTreeSet};

use http::{HeaderName, HeaderValue};
use tokio::time::advance;

use super::hash::{mix, of_text};
use super::*;
use crate::call::{Body, Method};
use crate::client::endpoint::Destination;
use crate::wire::config::Config;

pub(super) fn endpoint(name: &str) -> Arc<Endpoint> {
    let destination = Destination::Connector {
        name: Arc::from(name),
        connector: Arc::new(|| Box::pin(std::future::pending())),
    };
    Endpoint::new(
        destination,
        None,
        Arc::new(Config::default()),
        Duration::from_secs(1),
        None,
    )
}

pub(super) fn nodes(count: usize) -> Vec<Node> {
    let node = |number| {
        let name = format!("server-{number}");
        Node::new(Instance::new(&name), endpoint(&name))
    };
    (0..count).map(node).collect()
}

pub(super) fn candidates(nodes: &[Node]) -> Vec<Candidate<'_>> {
    let candidate = |(place, node)| Candidate {
        node,
        place,
        calls: 0,
        weight: node.rank().weight,
    };
    nodes.iter().enumerate().map(candidate).collect()
}

pub(super) fn request() -> Request {
    Request::new(Method::named("m.M/x"), Body::empty())
}

fn tenant(value: &str) -> Request {
    let mut request = request();
    let value = HeaderValue::from_str(value).unwrap();
    request.metadata_mut().insert("tenant", value);
    request
}

/// Returns how many of so many calls go where.
pub(super) fn picks(
    balance: &Balance,
    candidates: &[Candidate<'_>],
    calls: usize,
) -> BTreeMap<usize, usize> {
    let turn = AtomicUsize::new(0);
    let mut picks = BTreeMap::new();
    for _ in 0..calls {
        let turn = || turn.fetch_add(1, Ordering::Relaxed);
        let picked = balance.pick(candidates, &request(), turn).unwrap().place;
        *picks.entry(picked).or_insert(0) += 1;
    }
    picks
}

#[tokio::test(start_paused = true)]
async fn each_way_picks_as_it_says() {
    fastrand::seed(7);
    let nodes = nodes(4);
    let mut candidates = candidates(&nodes);
    let each = BTreeMap::from([(0, 100), (1, 100), (2, 100), (3, 100)]);
    assert_eq!(picks(&Balance::RoundRobin, &candidates, 400), each);
    assert_eq!(picks(&Balance::LeastRequests, &candidates, 400), each);
    let random = picks(&Balance::Random, &candidates, 4_000);
    assert!(
        random.values().all(|it| (900..1_100).contains(it)),
        "{random:?}"
    );

    candidates[1].calls = 3;
    candidates[3].calls = 1;
    let least = picks(&Balance::LeastRequests, &candidates, 100);
    assert!(least.keys().eq(&[0, 2]), "{least:?}");
    assert!(Balance::Random.pick(&[], &request(), || 0).is_none());
}

/// Returns four servers, the last of which is for emergencies only.
fn weighted() -> Vec<Node> {
    let nodes = nodes(4);
    for (node, weight) in nodes.iter().zip([1, 2, 5, 0]) {
        node.set_rank(Rank {
            priority: 0,
            weight,
        });
    }
    nodes
}

#[tokio::test(start_paused = true)]
async fn each_way_weighs_servers() {
    fastrand::seed(7);
    let nodes = weighted();
    let mut candidates = candidates(&nodes);
    let tenants = Balance::ConsistentHash(HeaderName::from_static("tenant"));
    for (balance, error) in [
        (Balance::RoundRobin, 5),
        (Balance::LeastRequests, 5),
        (tenants, 5),
        (Balance::Random, 120),
    ] {
        let picks = picks(&balance, &candidates, 8_000);
        let near = |place, expected: usize| picks[&place].abs_diff(expected) <= error;
        let all = near(0, 1_000) && near(1, 2_000) && near(2, 5_000);
        assert!(all && picks.len() == 3, "{balance:?}: {picks:?}");
    }
    // In a few calls too: each server's turn comes as its weight says.
    let few = picks(&Balance::RoundRobin, &candidates, 16);
    assert!(
        few[&0].abs_diff(2) <= 1 && few[&1].abs_diff(4) <= 1,
        "{few:?}"
    );

    // The third has more calls on their way, and fewer for its weight.
    candidates[0].calls = 1;
    candidates[1].calls = 2;
    candidates[2].calls = 4;
    assert_eq!(
        picks(&Balance::LeastRequests, &candidates, 10),
        BTreeMap::from([(2, 10)])
    );
    candidates[2].calls = 6;
    let least = picks(&Balance::LeastRequests, &candidates, 10);
    assert!(!least.contains_key(&2), "{least:?}");
    // The better of any two is another one.
    nodes[2].succeeded(Duration::from_secs(1));
    nodes
        .iter()
        .take(2)
        .for_each(|it| it.succeeded(Duration::from_millis(1)));
    let quick = picks(&Balance::PeakEwma, &candidates, 1_000);
    assert!(quick.keys().eq(&[0, 1]), "{quick:?}");
}

#[tokio::test(start_paused = true)]
async fn values_belong_to_servers_by_weight_and_few_move_when_that_changes() {
    let nodes = weighted();
    let balance = Balance::ConsistentHash(HeaderName::from_static("tenant"));
    let place = |candidates: &[Candidate<'_>], value: usize| {
        let request = tenant(&format!("tenant-{value}"));
        balance.pick(candidates, &request, || 0).unwrap().place
    };
    let before = candidates(&nodes);
    let mut counts = [0_usize; 4];
    (0..8_000).for_each(|value| counts[place(&before, value)] += 1);
    let near = |place: usize, expected| counts[place].abs_diff(expected) <= 150;
    assert!(
        near(0, 1_000) && near(1, 2_000) && near(2, 5_000),
        "{counts:?}"
    );
    assert_eq!(counts[3], 0);
    let mut after = candidates(&nodes);
    after[0].weight = 2;
    for value in 0..1_000 {
        let (before, after) = (place(&before, value), place(&after, value));
        assert!(
            after == before || after == 0,
            "{value} went from {before} to {after}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn peak_ewma_avoids_what_is_slow_and_forgets_it() {
    fastrand::seed(7);
    let nodes = nodes(2);
    for node in &nodes {
        node.succeeded(Duration::from_millis(1));
    }
    nodes[1].succeeded(Duration::from_millis(100));
    let mut both = candidates(&nodes);
    assert_eq!(
        picks(&Balance::PeakEwma, &both, 100),
        BTreeMap::from([(0, 100)])
    );
    // So much work in front of the quick one is slower.
    both[0].calls = 200;
    assert_eq!(
        picks(&Balance::PeakEwma, &both, 100),
        BTreeMap::from([(1, 100)])
    );
    both[0].calls = 0;
    // One quick answer does not make up for it, time does.
    nodes[1].succeeded(Duration::from_millis(1));
    assert!(nodes[1].latency().unwrap() > 0.05);
    for _ in 0..100 {
        advance(Duration::from_secs(1)).await;
        nodes
            .iter()
            .for_each(|it| it.succeeded(Duration::from_millis(1)));
    }
    assert!(nodes[1].latency().unwrap() < 0.002);
}

#[tokio::test(start_paused = true)]
async fn peak_ewma_waits_elsewhere_for_a_first_answer() {
    fastrand::seed(7);
    let nodes = nodes(2);
    nodes[0].succeeded(Duration::from_secs(1));
    let mut both = candidates(&nodes);
    let all_at = |place| BTreeMap::from([(place, 100)]);
    assert_eq!(
        picks(&Balance::PeakEwma, &both, 100),
        all_at(1),
        "it is tried"
    );
    both[1].calls = 1;
    assert_eq!(picks(&Balance::PeakEwma, &both, 100), all_at(0));
    nodes[1].succeeded(Duration::from_millis(1));
    assert_eq!(picks(&Balance::PeakEwma, &both, 100), all_at(1));
}

#[tokio::test(start_paused = true)]
async fn a_value_stays_with_its_server_and_only_those_of_one_that_goes_move() {
    let nodes = nodes(10);
    let balance = Balance::ConsistentHash(HeaderName::from_static("tenant"));
    let place = |candidates: &[Candidate<'_>], value: usize| {
        let request = tenant(&format!("tenant-{value}"));
        balance.pick(candidates, &request, || 0).unwrap().place
    };
    let all = candidates(&nodes);
    let mut counts = [0; 10];
    for value in 0..10_000 {
        counts[place(&all, value)] += 1;
    }
    assert!(
        counts.iter().all(|it| (850..1_150).contains(it)),
        "{counts:?}"
    );
    let mut rest = candidates(&nodes);
    rest.remove(4);
    for value in 0..1_000 {
        let before = place(&all, value);
        assert_eq!(place(&all, value), before);
        assert!(before == 4 || place(&rest, value) == before);
    }
    // Without the metadata it is the fewest requests.
    assert_eq!(picks(&balance, &all, 100).len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_too_often_is_left_out_for_longer_each_time() {
    let ejection = Ejection {
        failures: 3,
        pause: Duration::from_secs(4),
    };
    let node = &nodes(1)[0];
    assert!(!node.failed(ejection) && !node.failed(ejection));
    node.succeeded(Duration::ZERO);
    assert!(!node.failed(ejection) && !node.failed(ejection) && node.failed(ejection));
    let mut pause = Duration::from_secs(4);
    for _ in 0..10 {
        assert!(!node.is_ejected());
        node.eject(ejection);
        advance(pause.mul_f64(0.74)).await;
        assert!(node.is_ejected() && !node.failed(ejection));
        advance(pause.mul_f64(0.52)).await;
        // It gets a call again, and one failure is enough.
        assert!(!node.is_ejected() && node.failed(ejection));
        pause = (pause * 2).min(Duration::from_secs(300));
    }
    node.succeeded(Duration::ZERO);
    assert!(!node.failed(ejection) && !node.failed(ejection) && node.failed(ejection));
}

#[tokio::test(start_paused = true)]
async fn no_more_than_half_are_left_out() {
    for (count, most) in [(2, 1), (3, 1), (4, 2), (9, 4)] {
        let endpoints = (0..count).map(|it| endpoint(&it.to_string())).collect();
        let Servers::Many(many) = Servers::listed(endpoints, Spread::default()) else {
            panic!("these are several");
        };
        let nodes = many.list.known();
        for _ in 0..20 {
            for node in &*nodes {
                let failure = Err(Status::unavailable("down"));
                let _ = many.observe(node, Instant::now(), failure);
            }
        }
        assert_eq!(
            nodes.iter().filter(|it| it.is_ejected()).count(),
            most,
            "of {count}"
        );
    }
    // What the caller did wrong is not the server's fault.
    let many = Many::new(
        List::listed(nodes(2).into_iter().map(Arc::new).collect(), 2),
        Spread::default(),
    );
    let node = Arc::clone(&many.list.known()[0]);
    for _ in 0..20 {
        let _ = many.observe(&node, Instant::now(), Err(Status::invalid_argument("no")));
    }
    assert!(!node.is_ejected());
}

#[tokio::test(start_paused = true)]
async fn a_subset_is_a_clients_own_and_stays() {
    let all: Vec<_> = (0..100).map(|it| format!("server-{it}")).collect();
    let mut used = BTreeMap::new();
    for seed in 0..200 {
        fastrand::seed(seed);
        let names = |servers: Vec<Arc<Node>>| -> BTreeSet<String> {
            fastrand::seed(seed);
            let known = List::listed(servers, 10).known();
            known.iter().map(|it| it.instance.url.clone()).collect()
        };
        let nodes = || {
            all.iter()
                .map(|it| Arc::new(Node::new(Instance::new(it), endpoint(it))))
        };
        let before = names(nodes().collect());
        assert_eq!(before.len(), 10);
        for name in &before {
            *used.entry(name.clone()).or_insert(0) += 1;
        }
        let after = names(nodes().filter(|it| it.instance.url != "server-7").collect());
        let stay = before.intersection(&after).count();
        assert_eq!(stay, if before.contains("server-7") { 9 } else { 10 });
    }
    let ranked = nodes(30).into_iter().enumerate().map(|(number, node)| {
        let priority = u16::from(number >= 8);
        node.set_rank(Rank {
            priority,
            weight: 1,
        });
        Arc::new(node)
    });
    let known = List::listed(ranked.collect(), 10).known();
    let first = known.iter().filter(|it| it.rank().priority == 0);
    assert_eq!((first.count(), known.len()), (8, 10));
    // 20 clients a server, were it not for chance.
    assert!(
        used.len() == 100 && used.values().all(|it| (5..45).contains(it)),
        "{used:?}"
    );
}

#[test]
fn an_error_says_of_every_server_why() {
    let failure = |number: usize| {
        let peer = Arc::from(format!("tcp://10.0.0.{number}:80"));
        Status::unavailable(format!("reason {number}")).at_peer(&peer)
    };
    let one = none_reached(vec![failure(1)]);
    assert_eq!(one.message(), "reason 1");
    let status = none_reached((0..12).map(failure).collect());
    assert!(status.is_not_started() && status.phase() == Some(Phase::Connect));
    let text = status.message();
    assert!(text.starts_with("none of 12 servers can be reached: at tcp://10.0.0.0:80 failed: "));
    assert!(
        text.contains("reason 7") && !text.contains("reason 8;"),
        "{text}"
    );
    assert!(text.ends_with("; and 4 more"), "{text}");
    assert_eq!(none_reached(Vec::new()).message(), "there are no servers");
}

#[test]
fn hashes_are_the_same_in_every_process() {
    assert_eq!(of_text(b""), 0xcbf2_9ce4_8422_2325);
    assert_eq!(of_text(b"foobar"), 0x8594_4171_f739_67e8);
    let weights: BTreeSet<_> = (0..1_000).map(|it| mix(it, 7)).collect();
    assert_eq!(weights.len(), 1_000);
}

#[cfg(feature = "http")]
mod over_http1 {
    use super::*;
    use crate::{Channel, Server, Wire, rpc_service};

    #[rpc_service(name = "test.v1.Count", crate = crate)]
    trait Count {
        async fn count(&self);
    }

    struct Counter(Arc<AtomicUsize>);

    impl Count for Counter {
        async fn count(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// There a call never begins at once, and was given two turns.
    #[tokio::test]
    async fn calls_take_turns_as_on_other_wires() {
        for balance in [Balance::RoundRobin, Balance::LeastRequests] {
            let counts: [Arc<AtomicUsize>; 2] = Default::default();
            let mut urls = Vec::new();
            for count in &counts {
                let server = Server::new()
                    .add(CountServer::new(Counter(Arc::clone(count))))
                    .accept([Wire::Http])
                    .listen("tcp://127.0.0.1:0");
                let bound = server.bind().await.unwrap();
                urls.push(bound.url().replace("tcp://", "connect+http1://"));
                tokio::spawn(bound.serve());
            }
            let channel = Channel::connect(urls).balance(balance.clone()).await;
            let client = CountClient::new(channel.unwrap());
            for _ in 0..20 {
                client.count().await.unwrap();
            }
            let counts = counts.each_ref().map(|it| it.load(Ordering::SeqCst));
            assert_eq!(counts.iter().sum::<usize>(), 20);
            assert!(counts.iter().all(|it| *it >= 8), "{balance:?}: {counts:?}");
        }
    }
}
