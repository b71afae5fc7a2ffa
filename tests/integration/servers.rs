//! Channels over several servers that fail, come, go and shut down.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderName;
use rpc_runtime::client::{Balance, Connect, Discover, Dns, Instance, ServerFile, Target};
use rpc_runtime::layer::Retry;
use rpc_runtime::{Channel, Code, Phase, Server, Status, from_fn};
use rpc_tests::serving::{Serving, address, serve};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) fn named(name: &str) -> Server {
    let name = name.to_owned();
    Server::new().function("name", move || {
        let name = name.clone();
        async move { name }
    })
}

pub(crate) async fn name(channel: &Channel) -> Result<String, Status> {
    channel.call("name", ()).await
}

/// Returns how many of so many calls were answered by whom.
pub(crate) async fn names(channel: &Channel, calls: usize) -> BTreeMap<String, usize> {
    let mut names = BTreeMap::new();
    for _ in 0..calls {
        *names.entry(name(channel).await.unwrap()).or_insert(0) += 1;
    }
    names
}

/// Calls until everyone who is expected, and nobody else, has answered 20 calls in a row.
pub(crate) async fn until_answered_by(channel: &Channel, expected: &[&str]) {
    let answered = async {
        while !names(channel, 20).await.keys().eq(expected) {
            sleep(Duration::from_millis(5)).await;
        }
    };
    let answered = timeout(LONG, answered).await;
    answered.unwrap_or_else(|_| panic!("only {expected:?} answer"));
}

/// Servers with their priorities.
struct Ranked(Vec<(String, u16)>);

impl Discover for Ranked {
    type Error = Infallible;

    async fn next(&mut self) -> Result<Vec<Instance>, Self::Error> {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let instance = |(url, priority)| Instance::new(url).priority(priority);
        Ok(self.0.drain(..).map(instance).collect())
    }
}

#[tokio::test]
async fn calls_go_to_the_lowest_priority_that_can_be_reached_and_back() {
    let [first, second, third] = [(); 3].map(|()| address("unix"));
    let list = [(&third, 7), (&first, 1), (&second, 4)];
    let list = list.map(|(url, priority)| (url.clone(), priority));
    let connect = Channel::connect(Target::discovered(Ranked(list.into())));
    // A call may be on its way to the one that ends.
    let connect = connect.layer(Retry::new().assume_idempotent());
    let channel = connect.lazy().unwrap();
    // The first two are not there yet.
    let _third = serve_at(&third, "third").await;
    until_answered_by(&channel, &["third"]).await;
    let running = serve_at(&first, "first").await;
    until_answered_by(&channel, &["first"]).await;
    let _second = serve_at(&second, "second").await;
    // Only the lowest is called, also when a higher one has come since.
    sleep(Duration::from_millis(300)).await;
    assert_eq!(names(&channel, 50).await.len(), 1);
    drop(running);
    until_answered_by(&channel, &["second"]).await;
    let _first = serve_at(&first, "first").await;
    until_answered_by(&channel, &["first"]).await;
}

async fn serve_at(url: &str, name: &str) -> Serving {
    let bound = named(name).listen(url).bind().await.unwrap();
    Serving {
        url: bound.url().to_owned(),
        stop: bound.shutdown_handle(),
        task: tokio::spawn(bound.serve()),
    }
}

/// Servers that a test sets.
struct Known(watch::Receiver<Vec<String>>);

impl Discover for Known {
    type Error = watch::error::RecvError;

    async fn next(&mut self) -> Result<Vec<Instance>, Self::Error> {
        self.0.changed().await?;
        Ok(self
            .0
            .borrow_and_update()
            .iter()
            .map(Instance::new)
            .collect())
    }
}

fn known(urls: &[&Serving]) -> (watch::Sender<Vec<String>>, Connect<Channel>) {
    let (sender, receiver) = watch::channel(Vec::new());
    sender.send_replace(urls.iter().map(|it| it.url.clone()).collect());
    (
        sender,
        Channel::connect(Target::discovered(Known(receiver))),
    )
}

#[tokio::test]
async fn where_none_can_be_reached_each_reason_is_told() {
    let urls = ["unix:///nowhere/a", "tcp://127.0.0.1:1", "mem:nobody"];
    let lazy = Channel::connect(urls).lazy().unwrap();
    for status in [
        Channel::connect(urls).await.unwrap_err(),
        name(&lazy).await.unwrap_err(),
    ] {
        let text = status.to_string();
        assert!(urls.iter().all(|url| text.contains(url)), "{text}");
        assert!(text.contains("none of 3 servers can be reached"), "{text}");
        assert_eq!(
            (status.code(), status.phase()),
            (Code::Unavailable, Some(Phase::Connect))
        );
        assert!(status.is_not_started());
    }
}

#[tokio::test]
async fn a_dead_server_gets_no_call_whatever_the_balance() {
    let [first, second] = [named("first"), named("second")];
    let first = serve("tcp", first).await;
    let second = serve("unix", second).await;
    let dead = address("unix");
    for balance in [
        Balance::LeastRequests,
        Balance::RoundRobin,
        Balance::Random,
        Balance::PeakEwma,
        Balance::ConsistentHash(HeaderName::from_static("tenant")),
    ] {
        let connect = Channel::connect([&dead, &first.url, &second.url]);
        let channel = connect.balance(balance.clone()).await.unwrap();
        let answered = names(&channel, 200).await;
        assert_eq!(answered.len(), 2, "{balance:?}: {answered:?}");
    }
}

#[tokio::test]
async fn a_server_that_dies_or_shuts_down_under_load_fails_no_call_that_may_be_repeated() {
    for drains in [false, true] {
        let servers = [
            serve("tcp", named("a")).await,
            serve("tcp", named("b")).await,
            serve("tcp", named("c")).await,
        ];
        let urls: Vec<_> = servers.iter().map(|it| it.url.clone()).collect();
        let retry = Retry::new().assume_idempotent();
        let channel = Channel::connect(&urls).layer(retry).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let (channel, stop) = (channel.clone(), Arc::clone(&stop));
                tokio::spawn(async move {
                    let mut calls = 0_u32;
                    while !stop.load(Ordering::Relaxed) {
                        name(&channel).await.unwrap();
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        sleep(Duration::from_millis(50)).await;
        match drains {
            true => servers[0].stop.shutdown(),
            false => servers[0].task.abort(),
        }
        until_answered_by(&channel, &["b", "c"]).await;
        let answered = names(&channel, 60).await;
        assert!(!answered.contains_key("a"), "{answered:?}");
        stop.store(true, Ordering::Relaxed);
        for caller in callers {
            assert!(timeout(LONG, caller).await.unwrap().unwrap() > 0);
        }
    }
}

#[tokio::test]
async fn a_server_whose_calls_fail_is_left_out() {
    let failing = Arc::new(Mutex::new(0));
    let count = Arc::clone(&failing);
    let sick = Server::new().try_function("name", move || {
        *count.lock().unwrap() += 1;
        async { Err::<String, _>(Status::unavailable("no database")) }
    });
    let servers = [serve("tcp", sick).await, serve("tcp", named("well")).await];
    let connect = Channel::connect(servers.each_ref().map(|it| &it.url));
    let connect = connect.balance(Balance::RoundRobin);
    let channel = connect
        .eject_after(3, Duration::from_secs(60))
        .await
        .unwrap();
    let mut failed = 0;
    for _ in 0..100 {
        failed += usize::from(name(&channel).await.is_err());
    }
    assert_eq!((failed, *failing.lock().unwrap()), (3, 3));
}

/// There the caller looks at the time as well, and may be faster than the connection.
#[tokio::test]
async fn a_server_that_answers_nobody_is_left_out_behind_a_layer_too() {
    let silent = Server::new().function("name", std::future::pending::<String>);
    let servers = [
        serve("tcp", silent).await,
        serve("tcp", named("well")).await,
    ];
    let pass = from_fn(|request, next| async move { next.call(request).await });
    let connect = Channel::connect(servers.each_ref().map(|it| &it.url));
    let connect = connect.balance(Balance::RoundRobin).layer(pass);
    let channel = connect
        .eject_after(3, Duration::from_secs(60))
        .await
        .unwrap()
        .with_timeout(Duration::from_millis(250));
    let mut failed = 0;
    for _ in 0..40 {
        failed += usize::from(name(&channel).await.is_err());
    }
    assert_eq!(failed, 3);
}

#[tokio::test]
async fn what_is_discovered_is_followed() {
    let servers = [
        serve("mem", named("a")).await,
        serve("mem", named("b")).await,
    ];
    let [a, b] = &servers;
    let (list, connect) = known(&[a]);
    let channel = connect.await.unwrap();
    assert!(names(&channel, 10).await.keys().eq(["a"]));
    list.send_replace(vec![a.url.clone(), b.url.clone(), "smtp://no".to_owned()]);
    until_answered_by(&channel, &["a", "b"]).await;
    list.send_replace(vec![b.url.clone()]);
    until_answered_by(&channel, &["b"]).await;
    // Whoever finds nothing any more leaves what there was.
    drop(list);
    until_answered_by(&channel, &["b"]).await;
}

#[tokio::test]
async fn no_servers_and_none_yet_are_told() {
    let (list, connect) = known(&[]);
    let channel = connect.lazy().unwrap();
    let status = name(&channel).await.unwrap_err();
    assert!(
        status.message().contains("there are no servers"),
        "{status}"
    );
    drop(list);

    struct Never;
    impl Discover for Never {
        type Error = Infallible;
        async fn next(&mut self) -> Result<Vec<Instance>, Infallible> {
            std::future::pending().await
        }
    }
    let connect = Channel::connect(Target::discovered(Never));
    let connect = connect.connect_timeout(Duration::from_millis(20));
    let status = timeout(LONG, async { connect.await })
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");

    let missing = Channel::connect(ServerFile::new("/nowhere/servers"));
    let status = missing.await.unwrap_err();
    assert!(
        status.to_string().contains("`/nowhere/servers`"),
        "{status}"
    );
}

#[tokio::test]
async fn a_name_is_looked_up_again() {
    let first = serve("tcp", named("first")).await;
    let port = first.url.rsplit_once(':').unwrap().1.to_owned();
    let second = named("second").listen(format!("tcp://127.0.0.2:{port}"));
    let second = tokio::spawn(second.bind().await.unwrap().serve());
    let addresses: Arc<Mutex<Vec<IpAddr>>> = Arc::new(Mutex::new(vec![[127, 0, 0, 1].into()]));
    let found = Arc::clone(&addresses);
    let dns = Dns::new(format!("tcp://math.test:{port}"))
        .interval(Duration::from_millis(5))
        .resolver(move |host| {
            assert_eq!(host, "math.test");
            let found = found.lock().unwrap().clone();
            async move { Ok(found) }
        });
    let channel = Channel::connect(dns).await.unwrap();
    assert!(names(&channel, 10).await.keys().eq(["first"]));
    addresses.lock().unwrap().push([127, 0, 0, 2].into());
    until_answered_by(&channel, &["first", "second"]).await;
    addresses.lock().unwrap().remove(0);
    until_answered_by(&channel, &["second"]).await;
    second.abort();

    let local = format!("tcp://localhost:{port}");
    let channel = Channel::connect(Dns::new(local)).await.unwrap();
    assert!(names(&channel, 3).await.keys().eq(["first"]));
}

#[tokio::test]
async fn a_file_is_watched() {
    let servers = [
        serve("mem", named("a")).await,
        serve("mem", named("b")).await,
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("servers");
    let write = |urls: &[&Serving]| {
        let lines = urls.iter().map(|it| format!("{} # one\n", it.url));
        let new = folder.path().join("new");
        std::fs::write(&new, lines.collect::<String>()).unwrap();
        std::fs::rename(new, &path).unwrap();
    };
    write(&[&servers[0]]);
    let file = ServerFile::new(&path).interval(Duration::from_millis(5));
    let channel = Channel::connect(file).await.unwrap();
    assert!(names(&channel, 10).await.keys().eq(["a"]));
    write(&[&servers[0], &servers[1]]);
    until_answered_by(&channel, &["a", "b"]).await;
    write(&[&servers[1]]);
    until_answered_by(&channel, &["b"]).await;
}
