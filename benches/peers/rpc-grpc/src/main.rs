//! This framework over gRPC: protobuf, deadlines, limits, and everything else that is on by default.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use harness::{Items, Peer, PingPong, Result};
use rpc_runtime::client::Connect;
use rpc_runtime::{Limits, ResponseStream, Server, Status, Streaming, Wire};
use tokio::sync::mpsc;

use pb::{Bench, BenchClient, BenchServer};

#[allow(unreachable_pub, unused_qualifications, reason = "generated")]
mod pb {
    rpc_runtime::include_schema!("bench.v1");
}

struct Service;

impl Bench for Service {
    async fn echo(&self, message: pb::Small) -> Result<pb::Small, Status> {
        Ok(message)
    }

    async fn echo_bytes(&self, blob: pb::Blob) -> Result<pb::Blob, Status> {
        Ok(blob)
    }

    async fn burn(&self, time: pb::Time) -> Result<pb::Time, Status> {
        harness::burn(Duration::from_nanos(time.nanos));
        Ok(time)
    }

    fn items(&self, count: pb::Count) -> impl Stream<Item = Result<pb::Small, Status>> {
        stream::iter((0..count.count).map(|id| Ok(small(id))))
    }

    fn blobs(&self, count: pb::Count) -> impl Stream<Item = Result<pb::Blob, Status>> {
        let body = Bytes::from(vec![0xA5; count.len as usize]);
        stream::iter((0..count.count).map(move |_| Ok(blob(body.clone()))))
    }

    fn ping_pong(
        &self,
        messages: Streaming<pb::Small>,
    ) -> impl Stream<Item = Result<pb::Small, Status>> {
        messages
    }
}

fn small(id: u64) -> pb::Small {
    let harness::Small { id, name, tags } = harness::Small::new(id);
    pb::Small {
        id,
        name,
        tags,
        ..pb::Small::default()
    }
}

fn blob(body: Bytes) -> pb::Blob {
    pb::Blob {
        body,
        ..pb::Blob::default()
    }
}

fn checksum(message: &pb::Small) -> u64 {
    let tags = message.tags.iter().map(String::as_str);
    harness::checksum(message.id, &message.name, tags)
}

/// The largest message of the sweep is 16 MiB of bytes, which takes a little more on the wire than
/// the 16 MiB that a message may have by default.
fn limits() -> Limits {
    Limits::new().max_message(17 << 20)
}

#[derive(Clone)]
struct Grpc(BenchClient);

impl Peer for Grpc {
    const NAME: &'static str = "peer-rpc-grpc";

    async fn serve() -> Result<SocketAddr> {
        let server = Server::new()
            .add(BenchServer::new(Service))
            .limits(limits())
            .accept([Wire::Http])
            .listen("tcp://127.0.0.1:0")
            .bind()
            .await?;
        let address = server.url().trim_start_matches("tcp://").parse()?;
        tokio::spawn(server.serve());
        Ok(address)
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        let client = Connect::new(format!("grpc://{server}")).limits(limits());
        Ok(Self(client.await?))
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        Ok(checksum(&self.0.echo(small(id)).await?))
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        Ok(self.0.echo_bytes(blob(body)).await?.body.len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        let nanos = u64::try_from(time.as_nanos())?;
        let time = pb::Time {
            nanos,
            ..pb::Time::default()
        };
        self.0.burn(time).await?;
        Ok(())
    }

    async fn items(&self, count: u64) -> Result<impl Items> {
        Ok(SmallItems(self.0.items(pb::Count {
            count,
            ..pb::Count::default()
        })))
    }

    async fn blobs(&self, count: u64, len: u64) -> Result<impl Items> {
        Ok(Blobs(self.0.blobs(pb::Count {
            count,
            len,
            ..pb::Count::default()
        })))
    }

    async fn ping_pong(&self) -> Result<impl PingPong> {
        let (messages, outgoing) = mpsc::channel(1);
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

struct SmallItems(ResponseStream<pb::Small>);

impl Items for SmallItems {
    async fn next(&mut self) -> Result<Option<u64>> {
        Ok(self.0.next().await.transpose()?.as_ref().map(checksum))
    }
}

struct Blobs(ResponseStream<pb::Blob>);

impl Items for Blobs {
    async fn next(&mut self) -> Result<Option<u64>> {
        let blob = self.0.next().await.transpose()?;
        Ok(blob.map(|blob| blob.body.len() as u64))
    }
}

struct Rounds {
    messages: mpsc::Sender<pb::Small>,
    echoes: ResponseStream<pb::Small>,
}

impl PingPong for Rounds {
    async fn round(&mut self, id: u64) -> Result<u64> {
        self.messages.send(small(id)).await?;
        Ok(checksum(&self.echoes.next().await.context("closed")??))
    }
}

fn main() {
    harness::run::<Grpc>();
}
