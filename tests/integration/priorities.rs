//! The priority that a method has by itself, as a server's layers see it on every wire.

use std::sync::{Arc, Mutex};

use rpc_runtime::call::Priority;
use rpc_runtime::{Server, from_fn, rpc_service};
use rpc_tests::serving::{connect, serve};

#[rpc_service]
trait Desk {
    #[rpc(priority = High)]
    async fn pay(&self) -> u8;
    #[rpc(priority = Low)]
    async fn report(&self) -> u8;
    async fn look(&self) -> u8;
}

struct Clerk;

impl Desk for Clerk {
    async fn pay(&self) -> u8 {
        1
    }
    async fn report(&self) -> u8 {
        2
    }
    async fn look(&self) -> u8 {
        3
    }
}

#[tokio::test]
async fn a_method_says_how_much_its_calls_matter_and_a_caller_can_ask_for_less() {
    for wire in ["tcp", "grpc", "connect+http", "jsonrpc+tcp"] {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        let layer = from_fn(move |request, next| {
            notes.lock().unwrap().push(Priority::of(&request));
            async move { next.call(request).await }
        });
        let server = Server::new().add(DeskServer::new(Clerk)).layer(layer);
        let serving = serve(wire, server).await;
        let desk = DeskClient::new(connect(&serving.url).await.unwrap());
        assert_eq!(desk.pay().await.unwrap(), 1);
        assert_eq!(desk.report().await.unwrap(), 2);
        assert_eq!(desk.look().await.unwrap(), 3);
        let mut expected = vec![Priority::High, Priority::Low, Priority::Normal];
        // JSON-RPC carries no metadata.
        if wire != "jsonrpc+tcp" {
            let polite = desk.pay().metadata(Priority::METADATA, "low").await;
            assert_eq!(polite.unwrap(), 1);
            expected.push(Priority::Low);
        }
        assert_eq!(*seen.lock().unwrap(), expected, "{wire}");
    }
}
