//! The side that accepts.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoClientAuth, NoServerSessionStorage, WebPkiClientVerifier};

use super::super::Io;
use super::by_name::ByName;
use super::explain::{Side, ended_early};
use super::peer_certificate::PeerCertificate;
use super::pem::{Certificate, Roots};
use super::provider;
use super::reloading::Reloading;
use super::stream::{linger, secured};
use crate::error::Error;

/// The type of the record that every TLS connection begins with: RFC 8446, section 5.1.
const HANDSHAKE: u8 = 22;

/// A fatal alert `unexpected_message`, which tells any peer that TLS is spoken here: RFC 8446,
/// sections 5.1 and 6.
const SPEAK_TLS: [u8; 7] = [21, 3, 3, 0, 2, 2, 10];

/// What a browser or `curl` is told.
const SPEAK_HTTPS: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    Content-Type: text/plain\r\nContent-Length: 40\r\nConnection: close\r\n\r\n\
    This port speaks TLS: use an https URL.\n";

/// How a server speaks TLS: see [`Server::tls`](crate::Server::tls).
///
/// What it takes from files is read when the server begins to listen, and again when the files
/// have changed: see [`Certificate`].
#[derive(Clone, Debug)]
pub struct ServerTls {
    certificate: Certificate,
    named: Vec<(String, Certificate)>,
    client_auth: Option<(ClientAuth, Roots)>,
    max_handshakes: usize,
    pub(crate) allow_plaintext: bool,
}

/// Whether clients must show a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientAuth {
    /// A client without one is refused in the handshake.
    Required,
    /// A client may have none, and then has no [`Identity`](crate::Identity) from it. One that cannot
    /// be trusted is refused.
    Optional,
}

impl ServerTls {
    /// Shows clients this certificate, and asks them for none.
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            named: Vec::new(),
            client_auth: None,
            max_handshakes: 1_024,
            allow_plaintext: false,
        }
    }

    /// Shows another certificate to clients that ask for this host name (SNI, RFC 6066, section 3),
    /// such as `api.example.org`, or `*.example.org` for any one label in place of the star. May be
    /// called for several names; clients that ask for none of them are shown that of [`new`](Self::new).
    #[must_use]
    pub fn certificate_for(mut self, name: impl Into<String>, certificate: Certificate) -> Self {
        self.named.push((name.into(), certificate));
        self
    }

    /// Asks clients for a certificate that one of `roots` vouches for.
    ///
    /// Handlers read it with [`Context::peer_certificate`](crate::Context::peer_certificate). Its name
    /// is their [`Context::identity`](crate::Context::identity), unless a layer finds another: the first
    /// URI among its alternative names, else the first DNS name, else `CN=` and the common name.
    #[must_use]
    pub fn client_auth(mut self, auth: ClientAuth, roots: Roots) -> Self {
        self.client_auth = Some((auth, roots));
        self
    }

    /// Lets clients in that speak plaintext, on the same port; they are told apart by their first byte.
    /// Without it they are refused, and told why as far as they can understand it.
    #[must_use]
    pub fn allow_plaintext(mut self) -> Self {
        self.allow_plaintext = true;
        self
    }

    /// Bounds the handshakes at once; 1,024 by default, and at least 1. One more waits, which is part of
    /// its [`Server::handshake_timeout`](crate::Server::handshake_timeout). A client that has not
    /// sent a byte yet does not count.
    #[must_use]
    pub fn max_handshakes(mut self, handshakes: usize) -> Self {
        self.max_handshakes = handshakes.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    fn read(&self, protocols: &[Vec<u8>]) -> Result<ServerConfig, Error> {
        let certificates = ByName::read(&self.certificate, &self.named)?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::new("TLS cannot be set up", error))?;
        let mut config = builder
            .with_client_cert_verifier(self.verifier()?)
            .with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = protocols.to_vec();
        if self.client_auth.is_some() {
            // A session that is taken up again shows no certificate: one that has expired meanwhile
            // would be believed.
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }

    fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let Some((auth, roots)) = &self.client_auth else {
            return Ok(Arc::new(NoClientAuth));
        };
        let store = Arc::new(roots.read()?);
        let verifier = WebPkiClientVerifier::builder_with_provider(store, provider())
            .with_crls(roots.read_revocations()?);
        let verifier = match auth {
            ClientAuth::Required => verifier.build(),
            ClientAuth::Optional => verifier.allow_unauthenticated().build(),
        };
        verifier.map_err(|error| Error::new("clients cannot be authenticated", error))
    }
}

/// Speaks TLS on the connections of a server.
pub(crate) struct Acceptor {
    config: Arc<Reloading<ServerConfig>>,
    handshakes: Semaphore,
    allow_plaintext: bool,
}

impl Acceptor {
    /// `protocols` are the names of the wires in ALPN, the preferred first.
    pub(crate) fn new(tls: ServerTls, protocols: Vec<Vec<u8>>) -> Self {
        let roots = tls.client_auth.iter().flat_map(|(_, roots)| roots.files());
        let named = tls.named.iter().flat_map(|(_, it)| it.files());
        let files = tls.certificate.files().chain(named).chain(roots).collect();
        Self {
            handshakes: Semaphore::new(tls.max_handshakes),
            allow_plaintext: tls.allow_plaintext,
            config: Reloading::new(files, move || tls.read(&protocols)),
        }
    }

    /// Reads the files, so that a server with mistakes in them does not begin.
    pub(crate) async fn load(&self) -> Result<(), Error> {
        self.config.current().await.map(drop)
    }

    /// Makes the handshake, or lets plaintext pass where that is allowed. `None` if the connection is of no
    /// use; the reason is in the log.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub(crate) async fn accept(&self, io: Io, limit: Duration) -> Option<Io> {
        let peer = Arc::clone(io.peer());
        let accepted = timeout(limit, self.tell_apart(io, &peer)).await;
        accepted.unwrap_or_else(|_| {
            tracing::info!(
                peer = &*peer,
                "refused: the TLS handshake did not end within `handshake_timeout`"
            );
            None
        })
    }

    async fn tell_apart(&self, mut io: Io, peer: &str) -> Option<Io> {
        let mut first = [0; 64];
        let read = io.read(&mut first).await.ok()?;
        let first = first.get(..read).unwrap_or_default();
        match first {
            // The peer has gone without a word, as health checks of load balancers do.
            [] => None,
            [HANDSHAKE, ..] => self.handshake(io.unread(first), peer).await,
            _ if self.allow_plaintext => Some(io.unread(first)),
            _ => {
                refuse_plaintext(io, first, peer).await;
                None
            }
        }
    }

    async fn handshake(&self, io: Io, peer: &str) -> Option<Io> {
        let turn = self.handshakes.acquire().await.ok()?;
        let config = match self.config.current().await {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(peer, %error, "refused: TLS cannot be spoken");
                return None;
            }
        };
        match TlsAcceptor::from(config).accept(io).into_fallible().await {
            Ok(stream) => {
                let chain = stream.get_ref().1.peer_certificates();
                let certificate = chain.and_then(PeerCertificate::new);
                let io = secured(stream, Side::Server, peer);
                Some(match certificate {
                    Some(certificate) => io.with_extension(certificate),
                    None => io,
                })
            }
            Err((error, io)) => {
                drop(turn);
                report(error, peer);
                linger(io).await;
                None
            }
        }
    }
}

fn report(error: io::Error, peer: &str) {
    let error = ended_early(error, Side::Server);
    tracing::info!(peer, %error, "refused: the TLS handshake failed");
}

async fn refuse_plaintext(mut io: Io, first: &[u8], peer: &str) {
    let began_with = first.get(..24).unwrap_or(first).escape_ascii().to_string();
    tracing::warn!(
        peer,
        began_with,
        "refused: the client does not speak TLS (`ServerTls::allow_plaintext` would let it in)"
    );
    let answer: &[u8] = if is_http1(first) {
        SPEAK_HTTPS
    } else {
        &SPEAK_TLS
    };
    if io.write_all(answer).await.is_ok() {
        linger(io).await;
    }
}

/// Says whether this begins with a method of HTTP/1: capital letters and a space, RFC 9112, section 3.
/// HTTP/2 begins alike, with `PRI *`, and would not understand the answer.
fn is_http1(bytes: &[u8]) -> bool {
    let method: Vec<_> = bytes.split(|it| *it == b' ').take(1).flatten().collect();
    let capitals = method.iter().all(|it| it.is_ascii_uppercase());
    let ended = bytes.get(method.len()) == Some(&b' ');
    !method.is_empty() && capitals && ended && !bytes.starts_with(b"PRI ")
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_is_known_by_its_method() {
        for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"POST /x", b"M-SEARCH * "] {
            assert_eq!(is_http1(bytes), !bytes.starts_with(b"M-"), "{bytes:?}");
        }
        for bytes in [
            &b""[..],
            b" ",
            b"GET",
            b"get /",
            b"PRI * HTTP/2.0",
            b"\xD3RPC ",
        ] {
            assert!(!is_http1(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn the_answer_to_http_is_as_long_as_it_says() {
        let text = str::from_utf8(SPEAK_HTTPS).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}", body.len())),
            "{head}"
        );
    }
}
