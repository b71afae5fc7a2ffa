//! tarpc with its bincode transport over TCP. Only the longest frame, 8 MiB, is raised for the
//! sweep.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use harness::{Peer, Result, Small};
use serde_bytes::ByteBuf;
use tarpc::client::Config;
use tarpc::context::{self, Context};
use tarpc::serde_transport;
use tarpc::server::{BaseChannel, Channel as _};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio::net::{TcpListener, TcpStream};

const LARGEST: usize = 17 << 20;

#[tarpc::service]
trait Bench {
    async fn echo(message: Small) -> Small;
    async fn echo_bytes(body: ByteBuf) -> ByteBuf;
    async fn burn(nanos: u64);
}

#[derive(Clone)]
struct Service;

impl Bench for Service {
    async fn echo(self, _: Context, message: Small) -> Small {
        message
    }

    async fn echo_bytes(self, _: Context, body: ByteBuf) -> ByteBuf {
        body
    }

    async fn burn(self, _: Context, nanos: u64) {
        harness::burn(Duration::from_nanos(nanos));
    }
}

fn framed(socket: TcpStream) -> Result<Framed<TcpStream, LengthDelimitedCodec>> {
    socket.set_nodelay(true)?;
    Ok(LengthDelimitedCodec::builder()
        .max_frame_length(LARGEST)
        .new_framed(socket))
}

/// A task a connection and a task a request, as in its examples.
async fn accept(listener: TcpListener) -> Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        let transport = serde_transport::new(framed(socket)?, Bincode::default());
        let requests = BaseChannel::with_defaults(transport).execute(Service.serve());
        tokio::spawn(requests.for_each(async |response| {
            tokio::spawn(response);
        }));
    }
}

#[derive(Clone)]
struct Tarpc(BenchClient);

impl Peer for Tarpc {
    const NAME: &'static str = "peer-tarpc";

    async fn serve() -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(accept(listener));
        Ok(address)
    }

    async fn connect(server: SocketAddr) -> Result<Self> {
        let socket = TcpStream::connect(server).await?;
        let transport = serde_transport::new(framed(socket)?, Bincode::default());
        Ok(Self(BenchClient::new(Config::default(), transport).spawn()))
    }

    async fn echo(&self, id: u64) -> Result<u64> {
        Ok(self
            .0
            .echo(context::current(), Small::new(id))
            .await?
            .checksum())
    }

    async fn echo_bytes(&self, body: Bytes) -> Result<usize> {
        // Its type owns a vector, so that a caller who keeps the bytes has to copy them.
        let body = ByteBuf::from(body.to_vec());
        Ok(self.0.echo_bytes(context::current(), body).await?.len())
    }

    async fn burn(&self, time: Duration) -> Result<()> {
        Ok(self
            .0
            .burn(context::current(), time.as_nanos() as u64)
            .await?)
    }
}

fn main() {
    harness::run::<Tarpc>();
}
