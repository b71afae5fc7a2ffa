//! This framework as JSON-RPC 2.0 over WebSocket, with everything that is on by default. What has no
//! form there, or none that anyone would choose, is left out: bytes, and streams to the server.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use harness::{Items, Peer, Result, Small, Unsupported};
use peer_rpc::{BenchClient, BenchServer, Service};
use rpc_runtime::{ResponseStream, Server, Wire};

const NO_BYTES: &str = "JSON has no bytes";

#[derive(Clone)]
struct JsonRpc(BenchClient);

impl Peer for JsonRpc {
    const NAME: &'static str = "peer-rpc-jsonrpc";
    const UNSUPPORTED: &'static [Unsupported] = &[
        Unsupported {
            workload: "w4",
            why: NO_BYTES,
        },
        Unsupported {
            workload: "fairness",
            why: NO_BYTES,
        },
        Unsupported {
            workload: "payload",
            why: NO_BYTES,
        },
    ];

    async fn serve() -> Result<SocketAddr> {
        let server = Server::new()
            .add(BenchServer::new(Service))
            .accept([Wire::JsonRpc, Wire::WebSocket])
            .listen("tcp://127.0.0.1:0")
            .bind()
            .await?;
        let address = server.url().trim_start_matches("tcp://").parse()?;
        tokio::spawn(server.serve());
        Ok(address)
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        let scheme = std::env::var("SCHEME").unwrap_or("jsonrpc+ws".to_owned());
        Ok(Self(
            BenchClient::connect(format!("{scheme}://{server}")).await?,
        ))
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        Ok(self.0.echo(Small::new(id)).await?.checksum())
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        Ok(self.0.echo_bytes(body).await?.len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        Ok(self.0.burn(time).await?)
    }

    async fn items(&self, count: u64) -> Result<impl Items> {
        Ok(SmallItems(self.0.items(count)))
    }
}

struct SmallItems(ResponseStream<Small>);

impl Items for SmallItems {
    async fn next(&mut self) -> Result<Option<u64>> {
        Ok(self.0.next().await.transpose()?.map(|item| item.checksum()))
    }
}

fn main() {
    harness::run::<JsonRpc>();
}
