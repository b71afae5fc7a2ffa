//! TLS under every TCP address, by rustls.
//!
//! A server that is given a [`ServerTls`] speaks TLS at every `tcp://` and `tls://` address; a
//! client speaks it to `tls://` URLs, with the system's roots or with what a [`ClientTls`] says.
//! The bytes inside are those of any wire.
//!
//! TLS 1.2 and 1.3 are spoken, with the cipher suites that rustls holds to be safe. There is no way to
//! accept certificates without checking them: for tests, make an authority of your own and trust
//! it with [`ClientTls::roots`]. Certificates that were revoked are refused where lists of them are given
//! ([`Roots::revocations_from_pem_file`]).
//!
//! For what rustls can do and this module does not name, run the handshake yourself and hand the
//! stream on: [`Server::connections`](crate::Server::connections) and
//! [`Channel::connect_with`](crate::Channel::connect_with) take an [`Io`](super::Io) of any stream.
//!
//! # Examples
//!
//! ```no_run
//! use rpc_runtime::tls::{Certificate, ClientAuth, ClientTls, Roots, ServerTls};
//! use rpc_runtime::{Channel, Server};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let certificate = Certificate::from_pem_files("server.pem", "server.key");
//! let tls = ServerTls::new(certificate)
//!     .client_auth(ClientAuth::Required, Roots::from_pem_file("clients.pem"));
//! let server = Server::new().tls(tls).listen("tls://0.0.0.0:4443").bind().await?;
//! tokio::spawn(server.serve());
//!
//! let tls = ClientTls::new()
//!     .roots(Roots::from_pem_file("authority.pem"))
//!     .certificate(Certificate::from_pem_files("client.pem", "client.key"));
//! let channel = Channel::connect("tls://rpc.example.org:4443").tls(tls).await?;
//! # Ok(()) }
//! ```

mod acceptor;
mod by_name;
mod connector;
mod explain;
mod peer_certificate;
mod pem;
mod reloading;
mod stream;

pub use acceptor::{ClientAuth, ServerTls};
pub use connector::ClientTls;
pub use peer_certificate::PeerCertificate;
pub use pem::{Certificate, Roots};

pub(crate) use acceptor::Acceptor;
#[cfg(feature = "http")]
pub(crate) use connector::AgreedProtocol;
pub(crate) use connector::Connector;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::CryptoProvider;

/// The implementation of the algorithms, whatever the process has set as its default.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(tokio_rustls::rustls::crypto::ring::default_provider())
}
