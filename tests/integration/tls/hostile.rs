//! Peers that mean harm, before and after the handshake.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rpc_runtime::tls::ClientAuth;
use rpc_runtime::{Channel, Code, Server};
use rpc_tests::math::{Calculator, MathServer};
use rpc_tests::serving::{Serving, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore};

use super::authority::{Authority, Signed};
use super::logged::Logged;
use super::{PATIENCE, address, math, plain, serve_math};

const PREFACE: [u8; 8] = [0xD3, b'R', b'P', b'C', 0x0D, 0x0A, 0x1A, 1];

/// A client of TLS that speaks what it likes inside.
async fn raw(url: &str, authority: &Authority, protocols: &[&[u8]]) -> Result<Raw, io::Error> {
    let mut config = config(authority, None);
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    raw_with(url, Arc::new(config)).await
}

type Raw = TlsStream<TcpStream>;

async fn raw_with(url: &str, config: Arc<ClientConfig>) -> Result<Raw, io::Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(config);
    connector.connect(name, plain(url).await).await
}

fn config(authority: &Authority, client: Option<&Signed>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes());
    roots.add(root.unwrap()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let Some(client) = client else {
        return builder.with_no_client_auth();
    };
    let chain = CertificateDer::from_pem_slice(client.chain.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).unwrap();
    builder.with_client_auth_cert(vec![chain], key).unwrap()
}

/// A server whose clients have so long for their handshakes.
async fn serve_hurried(authority: &Authority, limit: Duration, handshakes: usize) -> Serving {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let tls = authority.server_tls().max_handshakes(handshakes);
    serve("tcp", server.handshake_timeout(limit).tls(tls)).await
}

/// A hello as a client sends it.
async fn hello() -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tls://{}", listener.local_addr().unwrap());
    let authority = Authority::new();
    let connecting = raw(&url, &authority, &[]);
    let reading = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut header = [0; 5];
        stream.read_exact(&mut header).await.unwrap();
        let mut rest = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
        stream.read_exact(&mut rest).await.unwrap();
        [&header[..], &rest].concat()
    };
    let (_, hello) = tokio::join!(connecting, reading);
    hello
}

/// Waits until the server closes.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .expect("the server closes");
}

#[tokio::test]
async fn a_client_that_is_silent_or_stops_half_way_is_closed() {
    let authority = Authority::new();
    let limit = Duration::from_millis(100);
    let serving = serve_hurried(&authority, limit, 16).await;
    let logged = Logged::begin();
    let hello = hello().await;
    for sent in [0, 1, 5, hello.len() / 2, hello.len()] {
        let mut stream = plain(&serving.url).await;
        stream.write_all(&hello[..sent]).await.unwrap();
        let began = Instant::now();
        closed(&mut stream).await;
        assert!(
            began.elapsed() >= limit / 2,
            "{sent} bytes: closed too early"
        );
    }
    let line = logged
        .line_with("did not end within `handshake_timeout`")
        .await;
    assert!(line.contains("peer=\"tcp://127.0.0.1:"), "{line}");
}

#[tokio::test]
async fn a_client_that_trickles_its_hello_is_closed_in_the_same_time() {
    let authority = Authority::new();
    let serving = serve_hurried(&authority, Duration::from_millis(200), 16).await;
    let hello = hello().await;
    let mut stream = plain(&serving.url).await;
    let began = Instant::now();
    let mut sent = 0;
    for byte in hello.chunks(1) {
        if stream.write_all(byte).await.is_err() {
            break;
        }
        sent += 1;
        sleep(Duration::from_millis(5)).await;
    }
    assert!(sent < hello.len(), "it could send all of its hello");
    assert!(began.elapsed() < PATIENCE);
}

#[tokio::test]
async fn handshakes_at_once_are_bounded_and_the_next_one_gets_its_turn() {
    let authority = Authority::new();
    let serving = serve_hurried(&authority, Duration::from_secs(4), 2).await;
    let hello = hello().await;
    // Silent clients are no handshakes.
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(plain(&serving.url).await);
    }
    let began = Instant::now();
    Channel::connect(&serving.url)
        .tls(authority.client_tls())
        .await
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "it waited for silent clients"
    );

    // Two that stop half-way hold both places, and the next waits until their time is over.
    let mut stuck = Vec::new();
    for _ in 0..2 {
        let mut stream = plain(&serving.url).await;
        stream.write_all(&hello[..100]).await.unwrap();
        stuck.push(stream);
    }
    sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    Channel::connect(&serving.url)
        .tls(authority.client_tls())
        .await
        .unwrap();
    let waited = began.elapsed();
    assert!(
        waited > Duration::from_secs(1),
        "three handshakes at once: {waited:?}"
    );
    for stream in stuck.iter_mut().chain(&mut silent) {
        closed(stream).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_handshakes_does_not_keep_calls_from_being_served() {
    let authority = Authority::new();
    let serving = serve_hurried(&authority, Duration::from_secs(1), 8).await;
    let math = math(&serving.url, authority.client_tls()).await;
    let hello = hello().await;
    let url = serving.url.clone();
    let flood = tokio::spawn(async move {
        let mut streams = Vec::new();
        for _ in 0..300 {
            let mut stream = plain(&url).await;
            let _ = stream.write_all(&hello).await;
            streams.push(stream);
        }
        streams
    });
    for _ in 0..100 {
        let added = timeout(PATIENCE, math.add(1, 2).into_future()).await;
        assert_eq!(added.expect("calls go on").unwrap(), 3);
    }
    let streams = flood.await.unwrap();
    drop(streams);
    let gone = async {
        while serving.stop.connections() > 1 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone)
        .await
        .expect("the flood leaves nothing behind");
}

#[tokio::test]
async fn mutated_hellos_are_refused_without_harm() {
    let authority = Authority::new();
    let serving = serve_hurried(&authority, Duration::from_secs(10), 64).await;
    let hello = hello().await;
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..200 {
        let mut bytes = hello.clone();
        for _ in 0..random.usize(1..4) {
            let position = random.usize(..bytes.len());
            bytes[position] = random.u8(..);
        }
        let mut stream = plain(&serving.url).await;
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        closed(&mut stream).await;
    }
    let math = math(&serving.url, authority.client_tls()).await;
    assert_eq!(math.add(1, 2).await.unwrap(), 3);
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_handshakes() {
    let authority = Authority::new();
    let mut serving = serve_math(authority.server_tls()).await;
    let hello = hello().await;
    let mut streams = Vec::new();
    for sent in [0, 1, 100] {
        let mut stream = plain(&serving.url).await;
        stream.write_all(&hello[..sent]).await.unwrap();
        streams.push(stream);
    }
    sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    serving.stop.shutdown();
    timeout(PATIENCE, &mut serving.task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn other_protocols_are_refused_by_name_and_none_is_fine() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    let error = raw(&serving.url, &authority, &[b"h2"])
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
    let native = b"rpc-native/1".as_slice();
    for protocols in [&[][..], &[native], &[b"h2", native]] {
        let mut stream = raw(&serving.url, &authority, protocols).await.unwrap();
        stream.write_all(&PREFACE).await.unwrap();
        let mut preface = [0; 8];
        stream.read_exact(&mut preface).await.unwrap();
        assert_eq!(preface, PREFACE);
    }
}

#[tokio::test]
async fn a_shutdown_announces_the_end_of_the_stream() {
    let authority = Authority::new();
    let mut serving = serve_math(authority.server_tls()).await;
    let mut stream = raw(&serving.url, &authority, &[]).await.unwrap();
    stream.write_all(&PREFACE).await.unwrap();
    let mut preface = [0; 8];
    stream.read_exact(&mut preface).await.unwrap();
    serving.stop.shutdown();
    // An error here would mean that the end was not announced by a close_notify.
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .unwrap()
        .unwrap();
    drop(stream);
    timeout(PATIENCE, &mut serving.task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

/// Passes on the bytes of one connection, until it is told to cut them off.
async fn relay(url: &str) -> (String, Arc<tokio::sync::Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let relayed = format!("tls://{}", listener.local_addr().unwrap());
    let to = address(url).to_owned();
    let cut = Arc::new(tokio::sync::Notify::new());
    let notified = Arc::clone(&cut);
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = TcpStream::connect(to).await.unwrap();
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => {}
            () = notified.notified() => {}
        }
    });
    (relayed, cut)
}

#[tokio::test]
async fn a_stream_that_is_cut_off_is_not_a_good_end() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    let (url, cut) = relay(&serving.url).await;
    let math = math(&url, authority.client_tls()).await;
    let call = math.sleep(60_000).start();
    while serving.stop.running_calls() == 0 {
        sleep(Duration::from_millis(1)).await;
    }
    cut.notify_one();
    let status = timeout(PATIENCE, call).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    let text = "the connection was cut off: TLS did not announce its end";
    assert!(status.to_string().contains(text), "{status}");
    // The server drops the handler, whose caller is gone.
    let dropped = async {
        while serving.stop.running_calls() > 0 || serving.stop.connections() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, dropped)
        .await
        .expect("nothing is left running");
}

#[tokio::test]
async fn garbage_between_records_ends_the_connection() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    let mut stream = raw(&serving.url, &authority, &[]).await.unwrap();
    stream.write_all(&PREFACE).await.unwrap();
    let mut preface = [0; 8];
    stream.read_exact(&mut preface).await.unwrap();
    let (mut below, _) = stream.into_inner();
    // A record of application data that no key of this connection has sealed.
    below.write_all(&[23, 3, 3, 0, 32]).await.unwrap();
    below.write_all(&[7; 32]).await.unwrap();
    closed(&mut below).await;
}

/// Connects twice with the same memory of sessions, and says how the second handshake went.
async fn second_handshake(url: &str, config: Arc<ClientConfig>) -> HandshakeKind {
    let mut kind = HandshakeKind::Full;
    for _ in 0..2 {
        let mut stream = raw_with(url, Arc::clone(&config)).await.unwrap();
        stream.write_all(&PREFACE).await.unwrap();
        // Tickets come before the first byte of the wire.
        let mut preface = [0; 8];
        stream.read_exact(&mut preface).await.unwrap();
        kind = stream.get_ref().1.handshake_kind().unwrap();
    }
    kind
}

#[tokio::test]
async fn a_session_is_taken_up_again_but_not_by_who_has_to_show_a_certificate() {
    let authority = Authority::new();
    let client = authority.sign(|_| ());
    let config = || Arc::new(config(&authority, Some(&client)));
    let serving = serve_math(authority.server_tls()).await;
    let kind = second_handshake(&serving.url, config()).await;
    assert_eq!(kind, HandshakeKind::Resumed);
    let tls = authority.server_tls();
    let serving = serve_math(tls.client_auth(ClientAuth::Optional, authority.roots())).await;
    let kind = second_handshake(&serving.url, config()).await;
    assert_eq!(kind, HandshakeKind::Full);
}
