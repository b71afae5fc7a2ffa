//! The service as its generated client sees it, in process and over the native wire.

use super::v1::health_check_response::ServingStatus;
use super::v1::{HealthCheckRequest, HealthClient, HealthListRequest};
use super::*;
use crate::{Code, Router, Server};

fn service(name: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: name.to_owned(),
        ..HealthCheckRequest::default()
    }
}

fn client(health: &Health) -> HealthClient {
    HealthClient::new(Router::new().add(HealthService::server(health.clone())))
}

async fn check(client: &HealthClient, name: &str) -> Result<ServingStatus, Code> {
    let answer = client.check(service(name)).await;
    let status = answer.map_err(|status| status.code())?.status;
    Ok(status.as_known().unwrap_or_default())
}

#[tokio::test]
async fn services_are_checked_by_name_and_as_a_whole() {
    let health = Health::new();
    health.set_not_serving("a.A");
    health.add(["a.A", "b.B"].into_iter());
    let client = client(&health);
    assert_eq!(check(&client, "").await, Ok(ServingStatus::SERVING));
    assert_eq!(check(&client, "a.A").await, Ok(ServingStatus::NOT_SERVING));
    assert_eq!(check(&client, "b.B").await, Ok(ServingStatus::SERVING));
    assert_eq!(check(&client, "c.C").await, Err(Code::NotFound));
    health.drain();
    health.set_serving("b.B");
    assert_eq!(check(&client, "").await, Ok(ServingStatus::NOT_SERVING));
    assert_eq!(check(&client, "b.B").await, Ok(ServingStatus::NOT_SERVING));
    assert_eq!(check(&client, "c.C").await, Err(Code::NotFound));
}

#[tokio::test]
async fn a_watch_hears_of_changes_only_and_ends_with_the_server() {
    let health = Health::new();
    let mut watch = client(&health).watch(service("a.A"));
    let mut hear = async || {
        let answer = watch.next().await.expect("the stream goes on");
        answer.map(|it| it.status.as_known().unwrap_or_default())
    };
    assert_eq!(hear().await.unwrap(), ServingStatus::SERVICE_UNKNOWN);
    health.set_serving("b.B");
    health.set_serving("a.A");
    assert_eq!(hear().await.unwrap(), ServingStatus::SERVING);
    health.set_serving("a.A");
    health.set_not_serving("a.A");
    assert_eq!(hear().await.unwrap(), ServingStatus::NOT_SERVING);
    health.set_serving("a.A");
    assert_eq!(hear().await.unwrap(), ServingStatus::SERVING);
    health.drain();
    assert_eq!(hear().await.unwrap(), ServingStatus::NOT_SERVING);
    health.set_serving("a.A");
    health.end();
    assert_eq!(hear().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn names_to_watch_and_services_to_list_are_bounded() {
    let by_default = Health::new();
    let set = Health::new().max_listed(3).max_name(5);
    for (health, max_listed, max_name) in [(by_default, 100, 1024), (set, 3, 5)] {
        let client = client(&health);
        let mut watch = client.watch(service(&"a".repeat(max_name)));
        assert!(watch.next().await.expect("an answer").is_ok());
        let mut watch = client.watch(service(&"a".repeat(max_name + 1)));
        let refused = watch.next().await.expect("an answer").unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        // The server as a whole is one of them.
        let names: Vec<String> = (1..max_listed).map(|number| format!("s{number}")).collect();
        health.add(names.iter().map(String::as_str));
        let listed = client.list(HealthListRequest::default()).await.unwrap();
        assert_eq!(listed.statuses.len(), max_listed);
        health.set_serving("one.More");
        let refused = client.list(HealthListRequest::default()).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert!(refused.message().contains("`max_listed`"), "{refused}");
    }
}

#[tokio::test]
async fn a_server_knows_its_services_and_says_when_it_drains() {
    let health = Health::new();
    let server = Server::new()
        .health(health.clone())
        .shutdown_timeout(std::time::Duration::from_secs(60))
        .listen("tcp://127.0.0.1:0")
        .bind()
        .await
        .unwrap();
    let url = server.url().to_owned();
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve());
    let client = HealthClient::connect(&url).await.unwrap();
    let mut watch = client.watch(service(""));
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(first.status, ServingStatus::SERVING);
    stop.shutdown();
    let second = watch.next().await.unwrap().unwrap();
    assert_eq!(second.status, ServingStatus::NOT_SERVING);
    let end = watch.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
    tokio::time::timeout(std::time::Duration::from_secs(20), serving)
        .await
        .expect("the stream does not hold up the shutdown")
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_server_is_not_ready_some_time_before_it_accepts_no_more() {
    let health = Health::new();
    let delay = std::time::Duration::from_secs(2);
    let server = Server::new().health(health).drain_delay(delay);
    let server = server.shutdown_timeout(std::time::Duration::from_secs(60));
    let server = server.listen("tcp://127.0.0.1:0").bind().await.unwrap();
    let url = server.url().to_owned();
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve());
    let client = HealthClient::connect(&url).await.unwrap();
    let mut watch = client.watch(service(""));
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(first.status, ServingStatus::SERVING);

    let began = std::time::Instant::now();
    stop.shutdown();
    let second = watch.next().await.unwrap().unwrap();
    assert_eq!(second.status, ServingStatus::NOT_SERVING);
    // Whoever comes now is served all the same, on a connection of their own.
    let late = HealthClient::connect(&url).await.unwrap();
    assert_eq!(check(&late, "").await, Ok(ServingStatus::NOT_SERVING));
    let end = watch.next().await.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable);
    assert!(began.elapsed() >= delay);
    tokio::time::timeout(std::time::Duration::from_secs(20), serving)
        .await
        .expect("it ends after that")
        .unwrap()
        .unwrap();
    assert!(HealthClient::connect(&url).await.is_err());
}

#[tokio::test]
async fn a_second_shutdown_ends_the_delay() {
    let delay = std::time::Duration::from_secs(3600);
    let server = Server::new().drain_delay(delay).listen("tcp://127.0.0.1:0");
    let server = server.bind().await.unwrap();
    let stop = server.shutdown_handle();
    let serving = tokio::spawn(server.serve());
    stop.shutdown();
    stop.shutdown();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(20), serving).await;
    ended.expect("nobody waits an hour").unwrap().unwrap();
}
