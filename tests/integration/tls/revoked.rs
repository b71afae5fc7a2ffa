//! Certificates that their authority has revoked, on both sides.

use std::time::Duration;

use rcgen::SerialNumber;
use rpc_runtime::Channel;
use rpc_runtime::tls::{Certificate, ClientAuth, Roots, ServerTls};
use tempfile::TempDir;
use tokio::time::sleep;

use super::authority::{Authority, this_machine};
use super::{PATIENCE, math, serve_math};

fn numbered(authority: &Authority, serial: u64) -> Certificate {
    let signed = authority.sign(|params| {
        params.subject_alt_names = this_machine();
        params.serial_number = Some(SerialNumber::from(serial));
    });
    signed.certificate()
}

#[tokio::test]
async fn a_client_whose_certificate_was_revoked_is_refused_and_told_so() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let roots = clients.roots().revocations_from_pem(clients.revoke(&[7]));
    let tls = servers.server_tls();
    let serving = serve_math(tls.client_auth(ClientAuth::Required, roots)).await;
    let showing = |serial| servers.client_tls().certificate(numbered(&clients, serial));
    let good = math(&serving.url, showing(6)).await;
    assert_eq!(good.add(2, 3).await.unwrap(), 5);
    let refused = Channel::connect(&serving.url).tls(showing(7)).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("certificate has been revoked"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_server_whose_certificate_was_revoked_is_not_believed() {
    let authority = Authority::new();
    let roots = authority
        .roots()
        .revocations_from_pem(authority.revoke(&[7, 8]));
    for (serial, is_good) in [(6, true), (7, false), (8, false)] {
        let serving = serve_math(ServerTls::new(numbered(&authority, serial))).await;
        let tls = authority.client_tls().roots(roots.clone());
        let connected = Channel::connect(&serving.url).tls(tls).await;
        match connected {
            Ok(_) => assert!(is_good, "{serial}"),
            Err(status) => {
                let text = status.to_string();
                assert!(
                    text.contains("the server's certificate has been revoked"),
                    "{text}"
                );
                assert!(!is_good, "{serial}");
            }
        }
    }
}

#[tokio::test]
async fn what_no_list_tells_of_is_refused() {
    let (authority, another) = (Authority::new(), Authority::new());
    let serving = serve_math(authority.server_tls()).await;
    let roots = authority.roots().revocations_from_pem(another.revoke(&[]));
    let tls = authority.client_tls().roots(roots);
    let refused = Channel::connect(&serving.url).tls(tls).await.unwrap_err();
    let text = refused.to_string();
    assert!(
        text.contains("`Roots::revocations_from_pem_file`"),
        "{text}"
    );
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_named() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    for (text, expected) in [
        ("", "no `-----BEGIN X509 CRL-----`"),
        ("-----BEGIN X509 CRL-----\n!", "not valid PEM"),
    ] {
        let tls = authority
            .client_tls()
            .roots(authority.roots().revocations_from_pem(text));
        let refused = Channel::connect(&serving.url).tls(tls).await.unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[tokio::test]
async fn a_longer_list_counts_from_when_it_is_written() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let directory = TempDir::new().unwrap();
    let list = directory.path().join("revoked.pem");
    std::fs::write(&list, clients.revoke(&[])).unwrap();
    let roots = Roots::from_pem(clients.pem()).revocations_from_pem_file(&list);
    let tls = servers.server_tls();
    let serving = serve_math(tls.client_auth(ClientAuth::Required, roots)).await;
    let certificate = numbered(&clients, 7);
    let connect = || {
        let tls = servers.client_tls().certificate(certificate.clone());
        Channel::connect(&serving.url).tls(tls)
    };
    connect().await.expect("it is not revoked yet");
    std::fs::write(&list, clients.revoke(&[7])).unwrap();
    let refused = async {
        while connect().await.is_ok() {
            sleep(Duration::from_millis(100)).await
        }
    };
    tokio::time::timeout(PATIENCE, refused)
        .await
        .expect("it is read again");
}
