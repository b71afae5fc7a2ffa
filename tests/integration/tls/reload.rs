//! Certificates that are renewed under a running server, and under a client.

use std::path::Path;
use std::time::Duration;

use rpc_runtime::Channel;
use rpc_runtime::tls::{Certificate, ClientAuth, ClientTls, Roots, ServerTls};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use super::authority::{Authority, Signed};
use super::logged::Logged;
use super::{PATIENCE, math, serve_math};

/// Files of a certificate, in a directory of their own.
struct Files {
    directory: TempDir,
}

impl Files {
    fn of(signed: &Signed) -> Self {
        let directory = TempDir::new().unwrap();
        let files = Self { directory };
        files.write(signed);
        files
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, signed: &Signed) {
        std::fs::write(self.path("chain.pem"), &signed.chain).unwrap();
        std::fs::write(self.path("key.pem"), &signed.key).unwrap();
    }

    fn certificate(&self) -> Certificate {
        Certificate::from_pem_files(self.path("chain.pem"), self.path("key.pem"))
    }
}

/// Connects until it works, which proves that the server shows what this client trusts.
async fn until_trusted(url: &str, tls: impl Fn() -> ClientTls) {
    let trusted = async {
        while Channel::connect(url).tls(tls()).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, trusted)
        .await
        .expect("the certificate is read again");
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart() {
    let (before, after) = (Authority::new(), Authority::new());
    let files = Files::of(&before.server());
    let serving = serve_math(ServerTls::new(files.certificate())).await;
    let open = math(&serving.url, before.client_tls()).await;
    files.write(&after.server());
    until_trusted(&serving.url, || after.client_tls()).await;
    // What was connected before stays connected.
    assert_eq!(open.add(1, 2).await.unwrap(), 3);
    assert!(serving.stop.connections() >= 1);
}

#[tokio::test]
async fn broken_files_are_named_once_and_what_was_there_stays() {
    let authority = Authority::new();
    let files = Files::of(&authority.server());
    let serving = serve_math(ServerTls::new(files.certificate())).await;
    let logged = Logged::begin();
    std::fs::write(files.path("chain.pem"), "not a certificate").unwrap();
    let broken = async {
        loop {
            Channel::connect(&serving.url)
                .tls(authority.client_tls())
                .await
                .unwrap();
            let lines = logged.lines();
            let told: Vec<_> = lines.iter().filter(|it| it.starts_with("ERROR")).collect();
            if let Some(line) = told.first() {
                return String::clone(line);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let line = timeout(PATIENCE, broken).await.expect("it is noticed");
    assert!(
        line.contains("chain.pem") && line.contains("the former stay in use"),
        "{line}"
    );

    // More than another look later it is still served, and nobody complains again.
    sleep(Duration::from_millis(1_100)).await;
    for _ in 0..3 {
        Channel::connect(&serving.url)
            .tls(authority.client_tls())
            .await
            .unwrap();
    }
    let lines = logged.lines();
    assert_eq!(
        lines.iter().filter(|it| it.starts_with("ERROR")).count(),
        1,
        "{lines:#?}"
    );

    // Half of a renewal is as broken; the whole of it is not.
    let renewed = Authority::new();
    files.write(&renewed.server());
    until_trusted(&serving.url, || renewed.client_tls()).await;
    logged.line_with("were read again").await;
}

#[tokio::test]
async fn a_file_that_goes_is_no_reason_to_stop() {
    let authority = Authority::new();
    let files = Files::of(&authority.server());
    let serving = serve_math(ServerTls::new(files.certificate())).await;
    std::fs::remove_file(files.path("key.pem")).unwrap();
    sleep(Duration::from_millis(1_100)).await;
    for _ in 0..2 {
        Channel::connect(&serving.url)
            .tls(authority.client_tls())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn roots_and_the_certificates_of_clients_are_renewed_too() {
    let servers = Authority::new();
    let (before, after) = (Authority::new(), Authority::new());
    let directory = TempDir::new().unwrap();
    let roots = directory.path().join("clients.pem");
    std::fs::write(&roots, before.pem()).unwrap();
    let tls = servers
        .server_tls()
        .client_auth(ClientAuth::Required, Roots::from_pem_file(&roots));
    let serving = serve_math(tls).await;

    let files = Files::of(&before.sign(|_| ()));
    let certificate = files.certificate();
    let client = || servers.client_tls().certificate(certificate.clone());
    // One channel, whose connections are made anew.
    let lasting = Channel::connect(&serving.url).tls(client()).await.unwrap();
    drop(lasting);
    std::fs::write(Path::new(&roots), after.pem()).unwrap();
    files.write(&after.sign(|_| ()));
    until_trusted(&serving.url, client).await;
    let old = before.sign(|_| ()).certificate();
    let tls = servers.client_tls().certificate(old);
    let status = Channel::connect(&serving.url).tls(tls).await.unwrap_err();
    assert!(
        status.to_string().contains("does not know the issuer"),
        "{status}"
    );
}
