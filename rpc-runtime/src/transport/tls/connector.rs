//! The side that connects.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::pki_types::ServerName;

use super::super::Io;
use super::explain::{Side, TlsError, ended_early};
use super::pem::{Certificate, Roots};
use super::provider;
use super::reloading::Reloading;
use super::stream::secured;
use crate::error::Error;

/// How a client speaks TLS: see [`Connect::tls`](crate::client::Connect::tls).
///
/// By default it trusts the [system's roots](Roots::system), shows no certificate, and expects the
/// server to prove the host name or IP address of the URL. What it takes from files is read at each
/// attempt to connect, if the files have changed.
#[derive(Clone, Debug)]
pub struct ClientTls {
    roots: Roots,
    certificate: Option<Certificate>,
    server_name: Option<String>,
}

impl Default for ClientTls {
    fn default() -> Self {
        Self::new()
    }
}

impl ClientTls {
    /// Trusts the system's roots and shows no certificate.
    pub fn new() -> Self {
        Self {
            roots: Roots::system(),
            certificate: None,
            server_name: None,
        }
    }

    /// Trusts these roots instead of the system's.
    #[must_use]
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Shows the server this certificate if it asks for one.
    #[must_use]
    pub fn certificate(mut self, certificate: Certificate) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Expects the server's certificate to be for this host name or IP address, instead of the one in
    /// the URL.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    fn read(&self, protocols: &[Vec<u8>]) -> Result<ClientConfig, Error> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new("TLS cannot be set up", error))?
            .with_webpki_verifier(self.verifier()?);
        let mut config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let (chain, key) = certificate.read()?;
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| Error::new(format!("cannot use {certificate}"), error))?
            }
        };
        config.alpn_protocols = protocols.to_vec();
        Ok(config)
    }

    fn verifier(&self) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let store = Arc::new(self.roots.read()?);
        WebPkiServerVerifier::builder_with_provider(store, provider())
            .with_crls(self.roots.read_revocations()?)
            .build()
            .map_err(|error| Error::new("servers cannot be authenticated", error))
    }
}

/// Speaks TLS on the connections of a client.
pub(crate) struct Connector {
    config: Arc<Reloading<ClientConfig>>,
    server_name: Option<ServerName<'static>>,
    /// HTTP/2 over TLS must be agreed on (RFC 9113, section 3.2); other wires introduce themselves.
    needs_alpn: bool,
}

impl Connector {
    /// `protocols` are the names of the wires in ALPN, the preferred first.
    ///
    /// # Errors
    ///
    /// A server name that is neither a host name nor an IP address.
    pub(crate) fn new(tls: ClientTls, protocols: Vec<Vec<u8>>) -> Result<Self, Error> {
        let server_name = tls.server_name.as_deref().map(server_name).transpose();
        let certificate = tls.certificate.iter().flat_map(Certificate::files);
        let files = tls.roots.files().chain(certificate).collect();
        Ok(Self {
            needs_alpn: protocols == [b"h2"],
            server_name: server_name
                .map_err(|error| Error::new("`ClientTls::server_name` cannot be used", error))?,
            config: Reloading::new(files, move || tls.read(&protocols)),
        })
    }

    /// Makes the handshake with a server at `host`.
    ///
    /// # Errors
    ///
    /// In words: files that cannot be used, a server that cannot prove who it is or does not speak TLS.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn connect(&self, io: Io, host: &str) -> io::Result<Io> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => server_name(host)?,
        };
        let config = self.config.current().await;
        let config = config.map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidInput, TlsError(error.to_string()))
        })?;
        let peer = Arc::clone(io.peer());
        let connected = TlsConnector::from(config).connect(name, io).await;
        let stream = connected.map_err(|error| ended_early(error, Side::Client))?;
        if self.needs_alpn && stream.get_ref().1.alpn_protocol().is_none() {
            let text = "the server speaks TLS, but did not agree to HTTP/2 in the handshake (`h2` in \
                        ALPN): is it a gRPC server?";
            return Err(io::Error::other(TlsError(text.to_owned())));
        }
        Ok(secured(stream, Side::Client, &peer))
    }
}

fn server_name(host: &str) -> io::Result<ServerName<'static>> {
    // The zone of a link-local address is this machine's own business.
    let name = host.split_once('%').map_or(host, |(address, _)| address);
    ServerName::try_from(name.to_owned()).map_err(|_| {
        let text = format!("`{host}` is neither a host name nor an IP address");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}
