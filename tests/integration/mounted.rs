//! A server as a part of an axum application, within layers of tower-http.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use rpc_runtime::{Channel, Code, Context, Encoding, Server, Status, rpc_service};
use rpc_tests::eventually;
use rpc_tests::math::{Calculator, MathClient, MathServer};
use tokio::net::TcpListener;
use tokio::process::Command;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::trace::TraceLayer;
use tower_service::Service as _;

use crate::grpc_python::{run_grpcio, server};

/// Serves an application at a free port until the test ends.
async fn serve(app: axum::Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn layered(app: axum::Router) -> axum::Router {
    app.layer(CompressionLayer::new())
        .layer(CorsLayer::permissive())
        .layer(TraceLayer::new_for_http())
}

async fn curl(arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "-i", "--max-time", "20"])
        .args(arguments);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
    let output = output.await.expect("curl is there (bash tests/setup.sh)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpcio_finds_the_same_in_an_axum_application() {
    let app = axum::Router::new()
        .route("/", get(|| async { "home" }))
        .fallback_service(server().into_http_service());
    let address = serve(layered(app)).await;
    run_grpcio(&address.to_string()).await;
}

#[tokio::test]
async fn curl_reaches_routes_and_calls_through_the_layers() {
    let calls = Server::new().add(MathServer::new(Calculator::new()));
    let app = axum::Router::new()
        .route("/", get(|| async { "home" }))
        .route_service("/test.v1.Math/{*method}", calls.into_http_service());
    let url = format!("http://{}", serve(layered(app)).await);
    let home = curl(&[&url]).await;
    assert!(home.ends_with("home"), "{home}");
    let missing = curl(&[&format!("{url}/other.Service/call")]).await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
    let add = format!("{url}/test.v1.Math/add");
    let json = [
        "-H",
        "content-type: application/json",
        "-H",
        "origin: http://page.example",
    ];
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let mut arguments = vec![version, "-d", r#"{"a":10,"b":20}"#, &*add];
        arguments.extend(json);
        let sum = curl(&arguments).await;
        assert!(sum.ends_with("\r\n\r\n30"), "{sum}");
        assert!(sum.contains("access-control-allow-origin: *"), "{sum}");
    }
}

/// Says what a handler sees of the host.
#[rpc_service(name = "host.v1.Host")]
trait Host {
    async fn seen(&self, ctx: &Context) -> Result<(String, u32), Status>;
}

struct Seen;

impl Host for Seen {
    async fn seen(&self, ctx: &Context) -> Result<(String, u32), Status> {
        let tenant = ctx.extension::<u32>().copied();
        let tenant = tenant.ok_or_else(|| Status::not_found("no tenant"))?;
        Ok((ctx.peer().unwrap_or_default().to_owned(), tenant))
    }
}

#[tokio::test]
async fn a_handler_sees_what_the_host_knows_of_a_request() {
    let service = Server::new().add(HostServer::new(Seen)).into_http_service();
    let peer: SocketAddr = "192.0.2.7:4000".parse().unwrap();
    let app = axum::Router::new()
        .fallback_service(service)
        .layer(Extension(7_u32))
        .layer(Extension(peer));
    let url = format!("grpc://{}", serve(app).await);
    let host = HostClient::connect(&url).await.unwrap();
    let seen = host.seen().await.unwrap();
    assert_eq!(seen, ("tcp://192.0.2.7:4000".to_owned(), 7));
}

#[tokio::test]
async fn limits_and_deadlines_hold_in_a_host_and_a_shutdown_is_seen() {
    let service = server()
        .add(MathServer::new(Calculator::new()))
        .limits(rpc_runtime::Limits::new().max_message(2_000))
        .into_http_service();
    let stop = service.shutdown_handle();
    let url = format!(
        "grpc://{}",
        serve(axum::Router::new().fallback_service(service)).await
    );
    let channel = Channel::connect(&url).await.unwrap();
    let large = channel.call::<_, String>("echo.v1.Echo/Echo", ("a".repeat(4_000),));
    let refused = large.encoding(Encoding::JSON).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(
        refused.message().contains("`max_message` of 2000"),
        "{refused}"
    );
    let waits = channel.call::<_, String>("echo.v1.Echo/Wait", ("",));
    let waits = waits
        .encoding(Encoding::JSON)
        .timeout(Duration::from_secs(20));
    let waits = tokio::spawn(waits.into_future());
    let running = |calls| {
        let stop = stop.clone();
        async move {
            while stop.running_calls() != calls {
                tokio::task::yield_now().await;
            }
        }
    };
    let bound = Duration::from_secs(10);
    tokio::time::timeout(bound, running(1))
        .await
        .expect("the call runs");
    waits.abort();
    tokio::time::timeout(bound, running(0))
        .await
        .expect("the call is cancelled");
    let math = MathClient::new(channel);
    assert_eq!(math.add(2, 3).await.unwrap(), 5);
}

#[tokio::test]
async fn requests_of_calls_that_run_count() {
    let service = Server::new()
        .function("keep", |text: String| async move {
            std::future::pending::<()>().await;
            text
        })
        .max_buffered_total(4 << 20)
        .into_http_service();
    let stop = service.shutdown_handle();
    let arguments = format!("[{:?}]", "x".repeat(1_000_000)).into_bytes();
    for content_type in [
        "application/json",
        "application/connect+json",
        "application/grpc+json",
        "application/grpc-web+json",
    ] {
        let ask = || {
            let body = match content_type {
                "application/json" => arguments.clone(),
                _ => rpc_tests::http1::envelope(0, &arguments),
            };
            let request = Request::post("http://localhost/keep").version(http::Version::HTTP_2);
            let request = request.header("content-type", content_type);
            let request = request.body(Body::from(body)).unwrap();
            let mut service = service.clone();
            tokio::spawn(async move { service.call(request).await.unwrap() })
        };
        let mut running = Vec::new();
        for _ in 0..4 {
            running.push(ask());
        }
        eventually("four of them run", || stop.running_calls() == 4).await;
        let refused = tokio::time::timeout(Duration::from_secs(20), ask()).await;
        let refused = refused.expect("it is refused").unwrap();
        let status = refused.headers().get("grpc-status").cloned();
        let text = axum::body::to_bytes(Body::new(refused.into_body()), 10_000).await;
        let text = String::from_utf8_lossy(&text.expect("it is short")).into_owned();
        match status {
            // Nothing but trailers.
            Some(status) => assert_eq!(status, "8", "{content_type}"),
            None => assert!(
                text.contains("max_buffered_total"),
                "{content_type}: {text}"
            ),
        }
        // What is given up is given back.
        running.iter().for_each(tokio::task::JoinHandle::abort);
        eventually("none of them runs", || stop.running_calls() == 0).await;
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_count() {
    let service = Server::new()
        .function("make", |length: usize| async move { "x".repeat(length) })
        .max_buffered_total(4 << 20)
        .into_http_service();
    for content_type in [
        "application/json",
        "application/grpc+json",
        "application/grpc-web+json",
    ] {
        let ask = || {
            let arguments = b"[1000000]";
            let body = if content_type == "application/json" {
                arguments.to_vec()
            } else {
                rpc_tests::http1::envelope(0, arguments)
            };
            let request = Request::post("http://localhost/make").version(http::Version::HTTP_2);
            let request = request.header("content-type", content_type);
            let mut service = service.clone();
            async move {
                service
                    .call(request.body(Body::from(body)).unwrap())
                    .await
                    .unwrap()
            }
        };
        let mut unread = Vec::new();
        for _ in 0..4 {
            unread.push(ask().await);
        }
        for answer in &unread {
            assert_eq!(answer.status(), StatusCode::OK, "{content_type}");
        }
        // As far as they are read they count no more, or less.
        let refused = ask().await;
        let status = refused.status();
        let text = axum::body::to_bytes(Body::new(refused.into_body()), 10_000).await;
        let text = String::from_utf8_lossy(&text.expect("it is short")).into_owned();
        match content_type {
            "application/json" => {
                assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
                assert!(text.contains("max_buffered_total"), "{text}");
            }
            // The status is a trailer.
            "application/grpc+json" => assert_eq!(text, ""),
            _ => assert!(text.contains("grpc-status: 8"), "{text}"),
        }
        unread.clear();
        let answer = ask().await;
        let text = axum::body::to_bytes(Body::new(answer.into_body()), 2_000_000).await;
        assert!(text.unwrap().len() > 1_000_000, "{content_type}");
    }
}
