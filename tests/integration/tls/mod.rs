//! TLS below the native wire.

mod alpn;
mod authority;
mod certificates;
mod clients;
mod hostile;
mod logged;
mod other_peers;
mod plaintext;
mod reload;
mod revoked;
mod works;

use std::time::Duration;

use rpc_runtime::tls::{ClientTls, ServerTls};
use rpc_runtime::{Channel, Server};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{Serving, serve};
use tokio::net::TcpStream;

/// Nothing that is waited for takes longer, on the slowest machine that runs the tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves every form of method over TLS.
async fn serve_math(tls: ServerTls) -> Serving {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    serve("tcp", server.tls(tls)).await
}

async fn math(url: &str, tls: ClientTls) -> MathClient {
    let channel = Channel::connect(url).tls(tls).await;
    MathClient::new(channel.expect("the server is trusted"))
}

/// Returns host and port of a URL.
fn address(url: &str) -> &str {
    url.split_once("://").expect("a URL").1
}

/// Connects to the port of a URL without speaking TLS.
async fn plain(url: &str) -> TcpStream {
    let stream = TcpStream::connect(address(url)).await;
    stream.expect("the server listens")
}
