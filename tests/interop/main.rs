//! gRPC's official interoperability cases, against software that is not ours, both ways
//! (<https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md>).
//!
//! `cases` are those that our client makes; `service` is what the clients of others call. Each peer
//! says which cases it makes, and a test names all that it must pass.

mod cases;
mod compression;
mod peers;
mod service;

/// The schema, as `rpc-build` makes it of our own copy.
#[allow(missing_docs, unreachable_pub)]
mod schema {
    rpc_runtime::include_schema!("grpc.testing");
}

use peers::{Peer, cache, cases_of_client, our_server, passed_against, passed_at};

/// What our client shows against a server of another language.
const CLIENT_CASES: [&str; 16] = cases::ALL;

/// What only servers show that compress what they are asked to.
const OF_COMPRESSING_SERVERS: [&str; 2] =
    ["server_compressed_unary", "server_compressed_streaming"];

/// What only servers show that know how a message came, which no other language's tells its handlers.
const OF_KNOWING_SERVERS: [&str; 2] = ["client_compressed_unary", "client_compressed_streaming"];

/// What every client can show against our server.
const SERVER_CASES: [&str; 14] = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_in_ruby_is_served() {
    let serving = our_server().await;
    // It has no case of special characters.
    let expected: Vec<&str> = SERVER_CASES
        .into_iter()
        .filter(|it| *it != "special_status_message")
        .collect();
    assert_eq!(cases_of_client(Peer::Ruby, &serving.url).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpcio_is_served() {
    let serving = our_server().await;
    // One message of a stream cannot be left uncompressed there.
    let more = [
        "client_compressed_unary",
        "server_compressed_unary",
        "server_compressed_streaming",
    ];
    assert_eq!(
        cases_of_client(Peer::Python, &serving.url).await,
        [&SERVER_CASES[..], &more].concat()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grpc_js_is_served() {
    let serving = our_server().await;
    assert_eq!(
        cases_of_client(Peer::Node, &serving.url).await,
        [
            &SERVER_CASES[..],
            &OF_KNOWING_SERVERS,
            &OF_COMPRESSING_SERVERS
        ]
        .concat()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_server_in_ruby_is_called() {
    // It refuses calls beyond its 30 threads.
    let expected: Vec<&str> = CLIENT_CASES
        .into_iter()
        .filter(|it| *it != "concurrent_large_unary")
        .collect();
    assert_eq!(passed_against(Peer::Ruby, &expected).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_grpcio_is_called() {
    let expected = [&CLIENT_CASES[..], &OF_COMPRESSING_SERVERS].concat();
    assert_eq!(passed_against(Peer::Python, &expected).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_grpc_js_is_called() {
    assert_eq!(
        passed_against(Peer::Node, &CLIENT_CASES).await,
        CLIENT_CASES
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_server_is_called() {
    let serving = our_server().await;
    let expected = [
        &CLIENT_CASES[..],
        &OF_COMPRESSING_SERVERS,
        &OF_KNOWING_SERVERS,
    ]
    .concat();
    assert_eq!(passed_at(&serving.url, &expected).await, expected);
}

/// The case `cacheable_unary`, whose cache is a process of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_nothing_is_answered_by_a_cache_in_between() {
    let serving = our_server().await;
    let (_cache, url) = cache(&serving.url).await;
    cases::cacheable_unary(&url).await;
}
