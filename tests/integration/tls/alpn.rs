//! What a gRPC client says to servers that speak TLS, and something else than HTTP/2 in it.

use std::sync::Arc;

use rpc_runtime::{Channel, Code};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::authority::Authority;

/// Connects to a server with these protocols, and returns why that fails.
async fn refused(protocols: &[&[u8]]) -> String {
    let authority = Authority::new();
    let signed = authority.server();
    let chain = CertificateDer::from_pem_slice(signed.chain.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("grpcs://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        // Kept open: the client is the one that leaves.
        let accepted = TlsAcceptor::from(Arc::new(config)).accept(stream).await;
        std::future::pending::<()>().await;
        drop(accepted);
    });
    let connecting = Channel::connect(&url).tls(authority.client_tls());
    let status = connecting.await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    status.to_string()
}

#[tokio::test]
async fn a_server_that_does_not_agree_to_http2_is_refused() {
    let status = refused(&[]).await;
    assert!(status.contains("did not agree to HTTP/2"), "{status}");
}

#[tokio::test]
async fn a_server_that_agrees_to_something_else_only_is_refused() {
    let status = refused(&[b"http/1.1"]).await;
    assert!(status.contains("speaks TLS, but not this wire"), "{status}");
}
