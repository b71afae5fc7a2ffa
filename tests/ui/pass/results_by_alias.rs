//! Aliases of `Result` whose names end in `Result`, and results inside other types.

use rpc_runtime::{RpcError, rpc_service};
use serde::{Deserialize, Serialize};

#[derive(Debug, thiserror::Error, Serialize, Deserialize, RpcError)]
#[error("unknown name")]
#[rpc(error_code = NotFound)]
struct UnknownName;

type GreeterResult<T> = Result<T, UnknownName>;

mod names {
    pub(super) type NestedResult<T = String, E = rpc_runtime::Status> = Result<T, E>;
}

#[rpc_service]
trait Greeter {
    async fn greet(&self, name: String) -> GreeterResult<String>;
    async fn welcome(&self, name: String) -> names::NestedResult;
    async fn first(&self, numbers: Vec<Result<u8, String>>) -> Option<Result<u8, String>>;
}

struct Polite;

impl Greeter for Polite {
    async fn greet(&self, _name: String) -> GreeterResult<String> {
        Err(UnknownName)
    }

    async fn welcome(&self, name: String) -> names::NestedResult {
        Ok(name)
    }

    async fn first(&self, numbers: Vec<Result<u8, String>>) -> Option<Result<u8, String>> {
        numbers.into_iter().next()
    }
}

#[tokio::test]
async fn works() {
    let client = GreeterClient::new(GreeterServer::new(Polite));
    let error = client.greet("Ann".to_owned()).await.unwrap_err();
    assert!(error.app().is_some());
    assert_eq!(client.welcome("Ann".to_owned()).await.unwrap(), "Ann");
    let first = client.first(vec![Err("no".to_owned())]).await.unwrap();
    assert_eq!(first, Some(Err("no".to_owned())));
}
