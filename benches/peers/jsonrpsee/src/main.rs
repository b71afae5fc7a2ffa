//! jsonrpsee: JSON-RPC 2.0 over WebSocket. Bytes are Base64 in a string. Raised are the number of
//! connections (100), the size of a message (10 MiB), and what a subscription may buffer: the
//! client ends a subscription that fills its buffer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use harness::{Items, Peer, Result, Small};
use jsonrpsee::core::client::Subscription;
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use jsonrpsee::proc_macros::rpc;
use jsonrpsee::server::{PendingSubscriptionSink, Server, ServerConfig, SubscriptionMessage};
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};

const LARGEST: u32 = 32 << 20;
const CONNECTIONS: u32 = 2_000;
/// All items of W5.
const BUFFERED: usize = 1_000_000;

#[rpc(server, client)]
trait Bench {
    #[method(name = "echo")]
    async fn echo(&self, message: Small) -> RpcResult<Small>;

    #[method(name = "echo_bytes")]
    async fn echo_bytes(&self, body: String) -> RpcResult<String>;

    #[method(name = "burn")]
    async fn burn(&self, nanos: u64) -> RpcResult<()>;

    #[subscription(name = "items", unsubscribe = "end_items", item = Small)]
    async fn items(&self, count: u64) -> SubscriptionResult;
}

struct Service;

#[async_trait]
impl BenchServer for Service {
    async fn echo(&self, message: Small) -> RpcResult<Small> {
        Ok(message)
    }

    async fn echo_bytes(&self, body: String) -> RpcResult<String> {
        let body = BASE64_STANDARD
            .decode(body)
            .map_err(|error| ErrorObjectOwned::owned(1, error.to_string(), None::<()>))?;
        Ok(BASE64_STANDARD.encode(body))
    }

    async fn burn(&self, nanos: u64) -> RpcResult<()> {
        harness::burn(Duration::from_nanos(nanos));
        Ok(())
    }

    async fn items(&self, pending: PendingSubscriptionSink, count: u64) -> SubscriptionResult {
        let sink = pending.accept().await?;
        for id in 0..count {
            let item = serde_json::value::to_raw_value(&Small::new(id))?;
            sink.send(SubscriptionMessage::from(item)).await?;
        }
        Ok(())
    }
}

#[derive(Clone)]
struct JsonRpsee(Arc<WsClient>);

impl Peer for JsonRpsee {
    const NAME: &'static str = "peer-jsonrpsee";

    async fn serve() -> Result<SocketAddr> {
        let config = ServerConfig::builder()
            .max_connections(CONNECTIONS)
            .max_request_body_size(LARGEST)
            .max_response_body_size(LARGEST)
            .build();
        let server = Server::builder()
            .set_config(config)
            .build("127.0.0.1:0")
            .await?;
        let address = server.local_addr()?;
        tokio::spawn(server.start(Service.into_rpc()).stopped());
        Ok(address)
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        let client = WsClientBuilder::default()
            .max_request_size(LARGEST)
            .max_response_size(LARGEST)
            .max_buffer_capacity_per_subscription(BUFFERED)
            .build(format!("ws://{server}"))
            .await?;
        Ok(Self(Arc::new(client)))
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        Ok(BenchClient::echo(&*self.0, Small::new(id))
            .await?
            .checksum())
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        let echo = BenchClient::echo_bytes(&*self.0, BASE64_STANDARD.encode(body)).await?;
        Ok(BASE64_STANDARD.decode(echo)?.len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        Ok(BenchClient::burn(&*self.0, time.as_nanos() as u64).await?)
    }

    async fn items(&self, count: u64) -> Result<impl Items> {
        let items = BenchClient::items(&*self.0, count).await?;
        Ok(SmallItems { items, left: count })
    }
}

struct SmallItems {
    items: Subscription<Small>,
    left: u64,
}

impl Items for SmallItems {
    async fn next(&mut self) -> Result<Option<u64>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(self.items.next().await.context("closed")??.checksum()))
    }
}

fn main() {
    harness::run::<JsonRpsee>();
}
