//! Clients of programs without a runtime.

use futures_util::stream;
use rpc_runtime::{Code, Server};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{TRANSPORTS, address};

/// Runs a server on a thread of its own, and stops it at the end.
fn with_server(transport: &'static str, test: impl FnOnce(&str)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let bound = runtime
        .block_on(server.listen(address(transport)).bind())
        .unwrap();
    let url = bound.url().to_owned();
    let stop = bound.shutdown_handle();
    let serving = runtime.spawn(bound.serve());
    test(&url);
    stop.shutdown();
    runtime.block_on(serving).unwrap().unwrap();
}

#[test]
fn calls_and_streams_block_their_thread() {
    for transport in TRANSPORTS {
        with_server(transport, |url| {
            let math = MathClient::connect(url).wait().unwrap();
            assert_eq!(math.add(2, 3).wait().unwrap(), 5);
            assert!(math.divide(1.0, 0.0).wait().unwrap_err().app().is_some());
            let counted: Result<Vec<u64>, _> = math.count(1_000).wait().collect();
            assert_eq!(counted.unwrap(), (0..1_000).collect::<Vec<_>>());
            assert_eq!(math.sum(stream::iter(0..10)).wait().unwrap(), 45);
        });
    }
}

#[tokio::test]
async fn inside_asynchronous_code_it_is_refused_and_not_a_deadlock() {
    let math = MathClient::new(MathServer::new(Calculator::new()));
    let status = math.add(2, 3).wait().unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let mut items = math.count(3).wait();
    assert_eq!(
        items.next().unwrap().unwrap_err().code(),
        Code::FailedPrecondition
    );
    assert!(items.next().is_none());
}
