//! What a browser asks before a page of another site may call, and what it must be told.

use std::time::Duration;

use rpc_runtime::{Cors, Server, Wire};
use rpc_tests::http1::{Answer, send};
use rpc_tests::math::{Calculator, MathServer};
use rpc_tests::serving::{Serving, serve};

const PATH: &str = "/test.v1.Math/who";
const APP: (&str, &str) = ("origin", "https://app.example");
const OTHER: (&str, &str) = ("origin", "https://evil.example");

async fn serving(cors: Option<Cors>) -> Serving {
    let server = Server::new()
        .add(MathServer::new(Calculator::new()))
        .accept([Wire::Http]);
    let server = match cors {
        Some(cors) => server.cors(cors),
        None => server,
    };
    serve("tcp", server).await
}

async fn preflight(serving: &Serving, origin: (&str, &str)) -> Answer {
    let headers = [
        origin,
        ("access-control-request-method", "POST"),
        (
            "access-control-request-headers",
            "connect-protocol-version,name",
        ),
    ];
    send(&serving.url, "OPTIONS", PATH, &headers, b"").await
}

async fn call(serving: &Serving, headers: &[(&str, &str)]) -> Answer {
    let headers = [
        &[("content-type", "application/json"), ("name", "ann")][..],
        headers,
    ]
    .concat();
    send(&serving.url, "POST", PATH, &headers, b"{}").await
}

#[tokio::test]
async fn pages_of_other_sites_may_not_call_by_default() {
    let serving = serving(None).await;
    assert_eq!(preflight(&serving, APP).await.status, 405);
    let answer = call(&serving, &[APP]).await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (200, "")
    );
    assert_eq!(answer.header("vary"), "");
}

#[tokio::test]
async fn pages_of_an_allowed_origin_may() {
    let cors = Cors::new()
        .allow_origin("http://localhost:5173")
        .allow_origin("https://App.example/");
    let serving = serving(Some(cors.max_age(Duration::from_secs(60)))).await;
    let answer = preflight(&serving, APP).await;
    assert_eq!((answer.status, &answer.body[..]), (204, &b""[..]));
    for (name, value) in [
        ("access-control-allow-origin", APP.1),
        ("access-control-allow-methods", "GET, POST"),
        (
            "access-control-allow-headers",
            "connect-protocol-version,name",
        ),
        ("access-control-max-age", "60"),
        ("access-control-allow-credentials", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    let answer = call(&serving, &[APP]).await;
    assert_eq!(answer.header("access-control-allow-origin"), APP.1);
    assert_eq!(answer.header("vary"), "origin");
    let exposed = answer.header("access-control-expose-headers");
    for name in ["content-type", "served-by", "trailer-seen"] {
        assert!(
            exposed.split(", ").any(|it| it == name),
            "{name}: {exposed}"
        );
    }
    let web = [("content-type", "application/grpc-web+json"), APP];
    let failed = send(&serving.url, "POST", "/test.v1.Math/no", &web, b"").await;
    let exposed = failed.header("access-control-expose-headers");
    assert!(exposed.contains("grpc-status, grpc-message"), "{exposed}");
    // Failures of HTTP itself can be read as well.
    let refused = send(&serving.url, "POST", PATH, &[APP], b"").await;
    assert_eq!(
        (
            refused.status,
            refused.header("access-control-allow-origin")
        ),
        (415, APP.1)
    );

    assert_eq!(preflight(&serving, OTHER).await.status, 403);
    let answer = call(&serving, &[OTHER]).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("vary"), "origin");
}

#[tokio::test]
async fn any_origin_is_a_star_and_credentials_need_a_name() {
    let everyone = serving(Some(Cors::new().allow_any_origin())).await;
    let answer = preflight(&everyone, OTHER).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("access-control-max-age"), "7200");
    let trusted = Cors::new().allow_origin(APP.1).allow_credentials();
    let serving = serving(Some(trusted.clone())).await;
    for answer in [preflight(&serving, APP).await, call(&serving, &[APP]).await] {
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert_eq!(answer.header("access-control-allow-origin"), APP.1);
    }
    let refused = std::panic::catch_unwind(|| Server::new().cors(trusted.allow_any_origin()));
    let reason = refused.expect_err("it panics").downcast::<&str>().unwrap();
    assert!(reason.contains("`allow_origin`"), "{reason}");
}
