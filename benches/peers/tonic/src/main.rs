//! tonic with prost: gRPC over HTTP/2. Windows and buffers are those that it has by default; only
//! the largest message, 4 MiB, is raised for the sweep.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use harness::{Items, Peer, PingPong, Result};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use pb::bench_client::BenchClient;
use pb::bench_server::{Bench, BenchServer};

#[allow(unreachable_pub, unused_qualifications, reason = "generated")]
mod pb {
    tonic::include_proto!("bench.v1");
}

const LARGEST: usize = 17 << 20;

struct Service;

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Bench for Service {
    type ItemsStream = Replies<pb::Small>;
    type BlobsStream = Replies<pb::Blob>;
    type PingPongStream = Streaming<pb::Small>;

    async fn echo(&self, request: Request<pb::Small>) -> Reply<pb::Small> {
        Ok(Response::new(request.into_inner()))
    }

    async fn echo_bytes(&self, request: Request<pb::Blob>) -> Reply<pb::Blob> {
        Ok(Response::new(request.into_inner()))
    }

    async fn burn(&self, request: Request<pb::Time>) -> Reply<pb::Time> {
        harness::burn(Duration::from_nanos(request.get_ref().nanos));
        Ok(Response::new(request.into_inner()))
    }

    async fn items(&self, request: Request<pb::Count>) -> Reply<Self::ItemsStream> {
        Ok(replies((0..request.get_ref().count).map(small)))
    }

    async fn blobs(&self, request: Request<pb::Count>) -> Reply<Self::BlobsStream> {
        let pb::Count { count, len } = request.into_inner();
        let body = Bytes::from(vec![0xA5; len as usize]);
        Ok(replies(
            (0..count).map(move |_| pb::Blob { body: body.clone() }),
        ))
    }

    async fn ping_pong(
        &self,
        request: Request<Streaming<pb::Small>>,
    ) -> Reply<Self::PingPongStream> {
        Ok(Response::new(request.into_inner()))
    }
}

type Replies<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn replies<T: 'static>(messages: impl Iterator<Item = T> + Send + 'static) -> Response<Replies<T>> {
    Response::new(Box::pin(stream::iter(messages.map(Ok))))
}

fn small(id: u64) -> pb::Small {
    let harness::Small { id, name, tags } = harness::Small::new(id);
    pb::Small { id, name, tags }
}

fn checksum(message: &pb::Small) -> u64 {
    harness::checksum(
        message.id,
        &message.name,
        message.tags.iter().map(String::as_str),
    )
}

#[derive(Clone)]
struct Tonic(BenchClient<Channel>);

impl Peer for Tonic {
    const NAME: &'static str = "peer-tonic";

    async fn serve() -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let service = BenchServer::new(Service).max_decoding_message_size(LARGEST);
        tokio::spawn(
            Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming),
        );
        Ok(address)
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        let channel = Endpoint::from_shared(format!("http://{server}"))?
            .connect()
            .await?;
        Ok(Self(
            BenchClient::new(channel).max_decoding_message_size(LARGEST),
        ))
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        Ok(checksum(self.0.clone().echo(small(id)).await?.get_ref()))
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        Ok(self
            .0
            .clone()
            .echo_bytes(pb::Blob { body })
            .await?
            .get_ref()
            .body
            .len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        self.0
            .clone()
            .burn(pb::Time {
                nanos: time.as_nanos() as u64,
            })
            .await?;
        Ok(())
    }

    async fn items(&self, count: u64) -> Result<impl Items> {
        let request = pb::Count { count, len: 0 };
        Ok(SmallItems(
            self.0.clone().items(request).await?.into_inner(),
        ))
    }

    async fn blobs(&self, count: u64, len: u64) -> Result<impl Items> {
        let request = pb::Count { count, len };
        Ok(Blobs(self.0.clone().blobs(request).await?.into_inner()))
    }

    async fn ping_pong(&self) -> Result<impl PingPong> {
        let (messages, mut outgoing) = mpsc::channel(1);
        let outgoing = stream::poll_fn(move |context| outgoing.poll_recv(context));
        let echoes = self.0.clone().ping_pong(outgoing).await?.into_inner();
        Ok(Rounds { messages, echoes })
    }
}

struct SmallItems(Streaming<pb::Small>);

impl Items for SmallItems {
    async fn next(&mut self) -> Result<Option<u64>> {
        Ok(self.0.message().await?.as_ref().map(checksum))
    }
}

struct Blobs(Streaming<pb::Blob>);

impl Items for Blobs {
    async fn next(&mut self) -> Result<Option<u64>> {
        Ok(self.0.message().await?.map(|blob| blob.body.len() as u64))
    }
}

struct Rounds {
    messages: mpsc::Sender<pb::Small>,
    echoes: Streaming<pb::Small>,
}

impl PingPong for Rounds {
    async fn round(&mut self, id: u64) -> Result<u64> {
        self.messages.send(small(id)).await?;
        Ok(checksum(&self.echoes.message().await?.context("closed")?))
    }
}

fn main() {
    harness::run::<Tonic>();
}
