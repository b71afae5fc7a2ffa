//! This framework: MessagePack, deadlines, limits, and everything else that is on by default.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream;
use harness::{Items, Peer, PingPong, Result, Small};
use peer_rpc::{BenchClient, BenchServer, Service};
use rpc_runtime::client::Connect;
use rpc_runtime::{Limits, ResponseStream, Server};
use tokio::sync::mpsc;

/// The largest message of the sweep is 16 MiB of bytes, which takes a little more on the wire than
/// the 16 MiB that a message may have by default.
fn limits() -> Limits {
    Limits::new().max_message(17 << 20)
}

#[derive(Clone)]
struct Rpc(BenchClient);

impl Peer for Rpc {
    const NAME: &'static str = "peer-rpc";

    async fn serve() -> Result<SocketAddr> {
        let server = Server::new()
            .add(BenchServer::new(Service))
            .limits(limits())
            .listen("tcp://127.0.0.1:0");
        #[cfg(feature = "http")]
        let server = server.accept([rpc_runtime::Wire::Native, rpc_runtime::Wire::Http]);
        let server = server.bind().await?;
        let address = server.url().trim_start_matches("tcp://").parse()?;
        tokio::spawn(server.serve());
        Ok(address)
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        Ok(Self(
            Connect::new(format!("tcp://{server}"))
                .limits(limits())
                .await?,
        ))
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        Ok(self.0.echo(Small::new(id)).await?.checksum())
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        Ok(self.0.echo_bytes(body).await?.len())
    }

    async fn echo_vec(&self, body: Vec<u8>) -> Result<usize> {
        Ok(self.0.echo_vec(body).await?.len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        Ok(self.0.burn(time).await?)
    }

    async fn items(&self, count: u64) -> Result<impl Items> {
        Ok(SmallItems(self.0.items(count)))
    }

    async fn blobs(&self, count: u64, len: u64) -> Result<impl Items> {
        Ok(Blobs(self.0.blobs(count, len)))
    }

    async fn ping_pong(&self) -> Result<impl PingPong> {
        let (messages, outgoing) = mpsc::channel::<Small>(1);
        let outgoing = stream::unfold(outgoing, async |mut outgoing| {
            let message = outgoing.recv().await?;
            Some((message, outgoing))
        });
        Ok(Rounds {
            messages,
            echoes: self.0.ping_pong(outgoing),
        })
    }
}

struct SmallItems(ResponseStream<Small>);

impl Items for SmallItems {
    async fn next(&mut self) -> Result<Option<u64>> {
        Ok(self.0.next().await.transpose()?.map(|item| item.checksum()))
    }
}

struct Blobs(ResponseStream<Bytes>);

impl Items for Blobs {
    async fn next(&mut self) -> Result<Option<u64>> {
        Ok(self
            .0
            .next()
            .await
            .transpose()?
            .map(|blob| blob.len() as u64))
    }
}

struct Rounds {
    messages: mpsc::Sender<Small>,
    echoes: ResponseStream<Small>,
}

impl PingPong for Rounds {
    async fn round(&mut self, id: u64) -> Result<u64> {
        self.messages.send(Small::new(id)).await?;
        Ok(self.echoes.next().await.context("closed")??.checksum())
    }
}

fn main() {
    harness::run::<Rpc>();
}
