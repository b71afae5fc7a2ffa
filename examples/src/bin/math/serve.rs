//! `math serve`.

use std::path::PathBuf;

use rpc_examples::math;
use rpc_runtime::tls::{Certificate, ServerTls};
use rpc_runtime::{Cors, Server, Wire};

use crate::Failure;

/// Serves at these URLs until the process is told to end; over TLS with a certificate and its key.
/// Pages of these origins may call.
pub(crate) async fn run(
    urls: &[String],
    tls: Option<(PathBuf, PathBuf)>,
    origins: &[String],
) -> Result<(), Failure> {
    let wires = [
        Wire::Http,
        Wire::JsonRpc,
        Wire::KnSock,
        Wire::LengthPrefixedJson,
        Wire::WebSocket,
    ];
    let mut server = Server::new()
        .router(math::router())
        .accept(wires)
        .open_rpc("math", env!("CARGO_PKG_VERSION"));
    if let Some((certificate, key)) = tls {
        server = server.tls(ServerTls::new(Certificate::from_pem_files(
            certificate,
            key,
        )));
    }
    if !origins.is_empty() {
        let cors = origins
            .iter()
            .fold(Cors::new(), |cors, it| cors.allow_origin(it));
        server = server.cors(cors);
    }
    for origin in origins {
        server = server.websocket_origin(origin);
    }
    for url in urls {
        server = server.listen(url);
    }
    let bound = server.bind().await?;
    for url in bound.urls() {
        // Not on standard output, which belongs to the wire under `stdio:`.
        eprintln!("serving at {url}");
    }
    Ok(bound.serve_until_signal().await?)
}
