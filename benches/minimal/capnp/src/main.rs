//! A minimal service with capnp-rpc.
use std::rc::Rc;

use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::{RpcSystem, new_client, twoparty};
use futures_util::io::{BufReader, BufWriter};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};

use minimal_capnp::minimal;

#[allow(
    clippy::all,
    clippy::unimplemented,
    unreachable_pub,
    unused_qualifications,
    reason = "generated"
)]
mod minimal_capnp {
    include!(concat!(env!("OUT_DIR"), "/minimal_capnp.rs"));
}

struct Service;

impl minimal::Server for Service {
    async fn echo(
        self: Rc<Self>,
        params: minimal::EchoParams,
        mut results: minimal::EchoResults,
    ) -> capnp::Result<()> {
        results.get().set_message(params.get()?.get_message()?)
    }
}

fn system(
    socket: TcpStream,
    side: Side,
    bootstrap: Option<capnp::capability::Client>,
) -> RpcSystem<Side> {
    let (reader, writer) = socket.into_split();
    let (reader, writer) = (
        BufReader::new(reader.compat()),
        BufWriter::new(writer.compat_write()),
    );
    let network = twoparty::VatNetwork::new(reader, writer, side, Default::default());
    RpcSystem::new(Box::new(network), bootstrap)
}

async fn call() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:7000").await?;
    let socket = TcpStream::connect("127.0.0.1:7000").await?;
    let service: minimal::Client = new_client(Service);
    spawn_local(system(
        listener.accept().await?.0,
        Side::Server,
        Some(service.client),
    ));
    let mut system = system(socket, Side::Client, None);
    let client: minimal::Client = system.bootstrap(Side::Server);
    spawn_local(system);
    client.echo_request().send().promise.await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    LocalSet::new().run_until(call()).await
}
