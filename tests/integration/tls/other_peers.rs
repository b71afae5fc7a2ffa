//! Implementations of TLS that are not rustls.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use rpc_runtime::tls::{ClientAuth, ServerTls};
use tokio::process::Command;
use tokio::time::timeout;

use super::authority::{Authority, dns};
use super::{address, serve_math};

async fn output(command: &mut Command) -> Output {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(Duration::from_secs(120), command.output()).await;
    output
        .expect("it is bounded in time")
        .expect("it is installed (bash tests/setup.sh installs it)")
}

/// Writes what a client needs into a directory.
fn write(directory: &Path, authority: &Authority, clients: &Authority) {
    let client = clients.sign(|params| params.subject_alt_names = vec![dns("python")]);
    std::fs::write(directory.join("authority.pem"), authority.pem()).unwrap();
    std::fs::write(directory.join("client.pem"), client.chain + &client.key).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_in_python_speaks_the_native_wire_over_tls() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let tls = ServerTls::new(authority.server().certificate());
    let serving = serve_math(tls.client_auth(ClientAuth::Required, clients.roots())).await;
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &authority, &clients);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/test_tls.py");
    let mut python = Command::new("python3");
    python
        .arg(script)
        .arg(address(&serving.url))
        .arg(directory.path());
    let output = output(&mut python).await;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "a check failed, see above");
    assert!(text.lines().count() >= 4, "every check prints a line");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_agrees_with_both_versions_of_tls() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let serving = serve_math(authority.server_tls()).await;
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &authority, &clients);
    for (version, name) in [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")] {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", address(&serving.url), version]);
        openssl.args(["-servername", "localhost", "-verify_hostname", "localhost"]);
        openssl.args([
            "-verify_return_error",
            "-alpn",
            "h2,rpc-native/1",
            "-CAfile",
        ]);
        openssl.arg(directory.path().join("authority.pem"));
        let output = output(&mut openssl).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(text.contains("Verify return code: 0 (ok)"), "{text}");
        assert!(text.contains("ALPN protocol: rpc-native/1"), "{text}");
        assert!(text.contains(name), "{text}");
    }
}
