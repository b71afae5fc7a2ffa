//! capnp-rpc over TCP. Its objects stay on one thread, so server and client have a thread each.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, new_client, twoparty};
use futures_util::io::{BufReader, BufWriter};
use harness::{Items, NAME, Peer, Result, TAGS};
use send_wrapper::SendWrapper;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};

use bench_capnp::{bench, sink, small};

/// Generated: see `generate.sh`.
#[allow(clippy::all, clippy::unimplemented, unreachable_pub, unused_qualifications, reason = "generated")]
#[rustfmt::skip]
mod bench_capnp;

struct Service;

impl bench::Server for Service {
    async fn echo(
        self: Rc<Self>,
        params: bench::EchoParams,
        mut results: bench::EchoResults,
    ) -> capnp::Result<()> {
        results.get().set_message(params.get()?.get_message()?)
    }

    async fn echo_bytes(
        self: Rc<Self>,
        params: bench::EchoBytesParams,
        mut results: bench::EchoBytesResults,
    ) -> capnp::Result<()> {
        results.get().set_body(params.get()?.get_body()?);
        Ok(())
    }

    async fn burn(
        self: Rc<Self>,
        params: bench::BurnParams,
        _: bench::BurnResults,
    ) -> capnp::Result<()> {
        harness::burn(Duration::from_nanos(params.get()?.get_nanos()));
        Ok(())
    }

    async fn items(
        self: Rc<Self>,
        params: bench::ItemsParams,
        _: bench::ItemsResults,
    ) -> capnp::Result<()> {
        let params = params.get()?;
        let sink = params.get_sink()?;
        for id in 0..params.get_count() {
            let mut item = sink.item_request();
            write(item.get().init_message(), id);
            item.send().await?;
        }
        Ok(())
    }
}

/// Where the server sends the items of a stream.
struct Receiver(mpsc::UnboundedSender<u64>);

impl sink::Server for Receiver {
    async fn item(self: Rc<Self>, params: sink::ItemParams) -> capnp::Result<()> {
        // The reader may have stopped.
        let _ = self.0.send(checksum(params.get()?.get_message()?)?);
        Ok(())
    }
}

fn write(mut message: small::Builder<'_>, id: u64) {
    message.set_id(id);
    message.set_name(NAME);
    let mut tags = message.init_tags(TAGS.len() as u32);
    for (index, tag) in (0..).zip(TAGS) {
        tags.set(index, tag);
    }
}

fn checksum(message: small::Reader<'_>) -> capnp::Result<u64> {
    let mut tags = [""; TAGS.len()];
    for (tag, text) in tags.iter_mut().zip(message.get_tags()?) {
        *tag = text?.to_str()?;
    }
    Ok(harness::checksum(
        message.get_id(),
        message.get_name()?.to_str()?,
        tags,
    ))
}

fn system(
    socket: TcpStream,
    side: Side,
    bootstrap: Option<capnp::capability::Client>,
) -> Result<RpcSystem<Side>> {
    socket.set_nodelay(true)?;
    let (reader, writer) = socket.into_split();
    let network = twoparty::VatNetwork::new(
        BufReader::new(reader.compat()),
        BufWriter::new(writer.compat_write()),
        side,
        Default::default(),
    );
    Ok(RpcSystem::new(Box::new(network), bootstrap))
}

async fn accept(listener: std::net::TcpListener) -> Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let service: bench::Client = new_client(Service);
    loop {
        let (socket, _) = listener.accept().await?;
        spawn_local(system(socket, Side::Server, Some(service.client.clone()))?);
    }
}

#[derive(Clone)]
struct Capnp(SendWrapper<bench::Client>);

impl Peer for Capnp {
    const NAME: &'static str = "peer-capnp";
    const ONE_THREAD_A_SIDE: bool = true;

    async fn serve() -> Result<SocketAddr> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        harness::on_own_thread(|| accept(listener));
        Ok(address)
    }

    fn connect(server: SocketAddr) -> impl Future<Output = Result<Self>> + Send {
        SendWrapper::new(async move {
            let mut system = system(TcpStream::connect(server).await?, Side::Client, None)?;
            let client = system.bootstrap(Side::Server);
            spawn_local(system);
            Ok(Self(SendWrapper::new(client)))
        })
    }

    fn echo(&self, id: u64) -> impl Future<Output = Result<u64>> + Send {
        SendWrapper::new(async move {
            let mut request = self.0.echo_request();
            write(request.get().init_message(), id);
            let reply = request.send().promise.await?;
            Ok(checksum(reply.get()?.get_message()?)?)
        })
    }

    fn echo_bytes(&self, body: Bytes) -> impl Future<Output = Result<usize>> + Send {
        SendWrapper::new(async move {
            let mut request = self.0.echo_bytes_request();
            request.get().set_body(&body);
            let reply = request.send().promise.await?;
            Ok(reply.get()?.get_body()?.len())
        })
    }

    fn burn(&self, time: Duration) -> impl Future<Output = Result<()>> + Send {
        SendWrapper::new(async move {
            let mut request = self.0.burn_request();
            request.get().set_nanos(time.as_nanos() as u64);
            request.send().promise.await?;
            Ok(())
        })
    }

    fn items(&self, count: u64) -> impl Future<Output = Result<impl Items>> + Send {
        SendWrapper::new(async move {
            let (sender, received) = mpsc::unbounded_channel();
            let mut request = self.0.items_request();
            request.get().set_count(count);
            request.get().set_sink(new_client(Receiver(sender)));
            let call = spawn_local(request.send().promise);
            Ok(SmallItems {
                received,
                left: count,
                call: call.abort_handle(),
            })
        })
    }
}

struct SmallItems {
    received: mpsc::UnboundedReceiver<u64>,
    left: u64,
    call: tokio::task::AbortHandle,
}

impl Items for SmallItems {
    async fn next(&mut self) -> Result<Option<u64>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        Ok(Some(self.received.recv().await.context("closed")?))
    }
}

/// Dropping the promise cancels the call.
impl Drop for SmallItems {
    fn drop(&mut self) {
        self.call.abort();
    }
}

fn main() {
    harness::run::<Capnp>();
}
