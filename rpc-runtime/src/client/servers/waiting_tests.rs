//! Servers that cannot be reached, on a clock that stands still.

use std::future::pending;
use std::time::Instant as WallClock;

use tokio::time::sleep;

use super::*;
use crate::client::Target;
use crate::transport::Io;
use crate::{Channel, Code, Server};

/// A server that answers.
fn well() -> Instance {
    let server = Server::new()
        .function("name", || async { "well".to_owned() })
        .connections();
    Instance::over("well", move || {
        let (here, there) = tokio::io::duplex(4096);
        tokio::spawn(server.serve(Io::new(there)));
        async move { Ok(Io::new(here)) }
    })
}

/// A host that is gone: nothing is heard of it.
fn gone() -> Instance {
    Instance::over("gone", pending)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_heard_of_does_not_hold_up_calls_for_those_that_are_there() {
    let servers = [gone(), well(), gone()];
    for balance in [Balance::LeastRequests, Balance::Random, Balance::PeakEwma] {
        let connect = Channel::connect(Target::listed(&servers)).balance(balance);
        let channel = connect.lazy().unwrap();
        let start = Instant::now();
        let calls: Vec<_> = (0..10)
            .map(|_| channel.call::<_, String>("name", ()).start())
            .collect();
        for call in calls {
            assert_eq!(call.await.unwrap(), "well");
        }
        assert!(start.elapsed() <= PATIENCE * 2, "{:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_heard_of_does_not_hold_up_connecting() {
    let start = Instant::now();
    let servers = [gone(), well()];
    Channel::connect(Target::listed(&servers)).await.unwrap();
    assert!(start.elapsed() <= PATIENCE * 2, "{:?}", start.elapsed());
    // Where there is no other, it is waited for as long as is said.
    let start = Instant::now();
    let connect = Channel::connect(Target::listed(&[gone(), gone()]));
    let connect = connect.connect_timeout(PATIENCE * 5);
    let status = connect.await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(start.elapsed(), PATIENCE * 5);
}

/// A list that is another one after two seconds.
struct Replaced(Vec<Instance>);

impl Discover for Replaced {
    type Error = std::convert::Infallible;

    async fn next(&mut self) -> Result<Vec<Instance>, Self::Error> {
        match self.0.len() {
            0 => return pending().await,
            1 => sleep(PATIENCE * 2).await,
            _ => {}
        }
        Ok(vec![self.0.remove(0)])
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_goes_to_a_server_that_was_found_meanwhile() {
    let list = Replaced(vec![gone(), well()]);
    let channel = Channel::connect(Target::discovered(list)).lazy().unwrap();
    let start = Instant::now();
    assert_eq!(channel.call::<_, String>("name", ()).await.unwrap(), "well");
    assert!(start.elapsed() <= PATIENCE * 4, "{:?}", start.elapsed());
}

#[cfg(feature = "health")]
#[tokio::test(start_paused = true)]
async fn no_call_waits_to_connect_to_a_server_that_is_not_healthy() {
    let connect = Channel::connect(Target::listed(&[gone()]));
    let channel = connect.health_check(HealthCheck::new()).lazy().unwrap();
    let first = channel.call::<_, String>("name", ()).start();
    // By then the question how it is was not answered in its time.
    sleep(PATIENCE * 3).await;
    let start = Instant::now();
    let failed = channel.call::<_, String>("name", ()).await.unwrap_err();
    let text = failed.message();
    assert!(text.contains("the server is not healthy"), "{text}");
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert!(first.await.is_err());
}

/// Looking for the reasons of all of them took time by the cube of their number.
#[tokio::test(start_paused = true)]
async fn a_call_where_no_server_of_many_can_be_reached_fails_at_once() {
    let refuse = || std::future::ready(Err(std::io::ErrorKind::ConnectionRefused.into()));
    let servers: Vec<_> = (0..2_000)
        .map(|number| Instance::over(format!("dead-{number}"), refuse))
        .collect();
    let connected = Channel::connect(Target::listed(&servers));
    let channel = connected.lazy().unwrap();
    for _ in 0..2 {
        let start = WallClock::now();
        let failed = channel.call::<_, String>("name", ()).await.unwrap_err();
        let text = failed.message();
        assert!(
            text.starts_with("none of 2000 servers can be reached"),
            "{text}"
        );
        let taken = start.elapsed();
        assert!(taken < Duration::from_secs(2), "{taken:?}");
    }
}
