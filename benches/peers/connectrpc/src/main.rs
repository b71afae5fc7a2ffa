//! connectrpc with buffa: the Connect protocol over HTTP/2. Only the largest message, 4 MiB, is
//! raised for the sweep.

// The generated trait lets a handler reply with anything that can be encoded; these name the type.
#![allow(refining_impl_trait)]

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use connectrpc::client::{
    BidiStream, ClientConfig, ClientTransport, Http2Connection, ServerStream, SharedHttp2Connection,
};
use connectrpc::{
    ConnectRpcService, Limits, RequestContext, Response, Server, ServiceRequest, ServiceResult,
    ServiceStream, StreamMessage,
};
use futures_util::stream::{self, StreamExt as _};
use harness::{Items, Peer, PingPong, Result};

use generated::bench::v1::__buffa::view::{BlobView, SmallView};
use generated::bench::v1::{self, Bench, BenchClient, BenchServer};

#[allow(
    clippy::all,
    clippy::unimplemented,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

const LARGEST: usize = 17 << 20;
/// Requests that may wait for the connection.
const QUEUED: usize = 1_024;

struct Service;

impl Bench for Service {
    async fn echo(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, v1::Small>,
    ) -> ServiceResult<v1::Small> {
        Response::ok(request.to_owned_message())
    }

    async fn echo_bytes(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, v1::Blob>,
    ) -> ServiceResult<v1::Blob> {
        Response::ok(request.to_owned_message())
    }

    async fn burn(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, v1::Time>,
    ) -> ServiceResult<v1::Time> {
        harness::burn(Duration::from_nanos(request.nanos));
        Response::ok(request.to_owned_message())
    }

    async fn items(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, v1::Count>,
    ) -> ServiceResult<ServiceStream<v1::Small>> {
        Response::stream_ok(stream::iter((0..request.count).map(|id| Ok(small(id)))))
    }

    async fn blobs(
        &self,
        _: RequestContext,
        request: ServiceRequest<'_, v1::Count>,
    ) -> ServiceResult<ServiceStream<v1::Blob>> {
        let blob = blob(vec![0xA5; request.len as usize]);
        Response::stream_ok(stream::iter(
            (0..request.count).map(move |_| Ok(blob.clone())),
        ))
    }

    async fn ping_pong(
        &self,
        _: RequestContext,
        messages: ServiceStream<StreamMessage<v1::Small>>,
    ) -> ServiceResult<ServiceStream<v1::Small>> {
        Response::stream_ok(messages.map(|message| Ok(message?.to_owned_message())))
    }
}

fn small(id: u64) -> v1::Small {
    let harness::Small { id, name, tags } = harness::Small::new(id);
    v1::Small {
        id,
        name,
        tags,
        ..Default::default()
    }
}

fn blob(body: Vec<u8>) -> v1::Blob {
    v1::Blob {
        body,
        ..Default::default()
    }
}

fn checksum(message: &SmallView<'_>) -> u64 {
    harness::checksum(message.id, message.name, message.tags.iter().copied())
}

#[derive(Clone)]
struct Connect(BenchClient<SharedHttp2Connection>);

impl Peer for Connect {
    const NAME: &'static str = "peer-connectrpc";

    async fn serve() -> Result<SocketAddr> {
        let bound = Server::bind("127.0.0.1:0")
            .await
            .map_err(anyhow::Error::from_boxed)?;
        let address = bound.local_addr()?;
        let limits = Limits::default()
            .with_max_request_body_size(LARGEST)
            .with_max_message_size(LARGEST);
        let service = ConnectRpcService::new(BenchServer::new(Service)).with_limits(limits);
        tokio::spawn(bound.serve_with_service(service));
        Ok(address)
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        let uri: http::Uri = format!("http://{server}").parse()?;
        let connection = Http2Connection::connect_plaintext(uri.clone())
            .await?
            .shared(QUEUED);
        let config = ClientConfig::new(uri).with_default_max_message_size(LARGEST);
        Ok(Self(BenchClient::new(connection, config)))
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        let reply = self.0.echo(small(id)).await?;
        Ok(checksum(reply.view()))
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        // Its type owns a vector, so that a caller who keeps the bytes has to copy them.
        Ok(self
            .0
            .echo_bytes(blob(body.to_vec()))
            .await?
            .view()
            .body
            .len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        let request = v1::Time {
            nanos: time.as_nanos() as u64,
            ..Default::default()
        };
        self.0.burn(request).await?;
        Ok(())
    }

    async fn items(&self, count: u64) -> Result<impl Items> {
        let request = v1::Count {
            count,
            ..Default::default()
        };
        Ok(SmallItems(self.0.items(request).await?))
    }

    async fn blobs(&self, count: u64, len: u64) -> Result<impl Items> {
        let request = v1::Count {
            count,
            len,
            ..Default::default()
        };
        Ok(Blobs(self.0.blobs(request).await?))
    }

    async fn ping_pong(&self) -> Result<impl PingPong> {
        Ok(Rounds(self.0.ping_pong().await?))
    }
}

type ResponseBody = <SharedHttp2Connection as ClientTransport>::ResponseBody;

struct SmallItems(ServerStream<ResponseBody, SmallView<'static>>);

impl Items for SmallItems {
    async fn next(&mut self) -> Result<Option<u64>> {
        Ok(self.0.message().await?.map(|item| checksum(item.view())))
    }
}

struct Blobs(ServerStream<ResponseBody, BlobView<'static>>);

impl Items for Blobs {
    async fn next(&mut self) -> Result<Option<u64>> {
        Ok(self
            .0
            .message()
            .await?
            .map(|blob| blob.view().body.len() as u64))
    }
}

struct Rounds(BidiStream<ResponseBody, v1::Small, SmallView<'static>>);

impl PingPong for Rounds {
    async fn round(&mut self, id: u64) -> Result<u64> {
        self.0.send(small(id)).await?;
        Ok(checksum(self.0.message().await?.context("closed")?.view()))
    }
}

fn main() {
    harness::run::<Connect>();
}
