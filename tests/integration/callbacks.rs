//! A server that calls its client back over the connection that brought the call.

use rpc_runtime::{Channel, Code, Context, Router, Server, Status};
use rpc_tests::serving::{TRANSPORTS, serve};

/// Asks the caller for its name, and greets it.
async fn greet() -> Result<String, Status> {
    let context = Context::current().ok_or_else(|| Status::internal("no context"))?;
    let caller = Channel::to_caller(&context).ok_or_else(|| Status::internal("in process"))?;
    let name: String = caller.call("name", ()).await.map_err(Status::forward)?;
    Ok(format!("Hello, {name}!"))
}

#[tokio::test]
async fn the_server_reaches_what_the_client_serves() {
    for transport in TRANSPORTS {
        let serving = serve(transport, Server::new().try_function("greet", greet)).await;
        let router = Router::new().function("name", || async { "Ann".to_owned() });
        let channel = Channel::connect(&serving.url).serve(router).await.unwrap();
        let greeting: String = channel.call("greet", ()).await.unwrap();
        assert_eq!(greeting, "Hello, Ann!");
    }
}

#[tokio::test]
async fn a_client_that_serves_nothing_refuses() {
    let serving = serve("tcp", Server::new().try_function("greet", greet)).await;
    let channel = Channel::connect(&serving.url).await.unwrap();
    let status = channel
        .call::<_, String>("greet", ())
        .timeout(std::time::Duration::from_secs(5));
    let status = status.await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
}
