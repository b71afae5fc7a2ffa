//! What works without TLS works over it.

use std::future::IntoFuture;

use futures_util::stream;
use rpc_runtime::tls::{Certificate, ClientTls, Roots, ServerTls};
use rpc_runtime::{Channel, Code, Context, Phase, Server, Wire};
use rpc_tests::math::{Calculator, Line, MathClient, MathServer};
use rpc_tests::serving::serve;
use tokio::time::timeout;

use super::authority::Authority;
use super::{PATIENCE, address, math, serve_math};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_call_works() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    assert!(
        serving.url.starts_with("tls://127.0.0.1:"),
        "{}",
        serving.url
    );
    make_every_form_of_call(math(&serving.url, authority.client_tls()).await).await;
}

/// The wire is told by the first bytes inside TLS, and the client's name for it in ALPN is accepted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_call_works_over_grpc_grpc_web_and_connect() {
    let authority = Authority::new();
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let server = server.accept([Wire::Http]).tls(authority.server_tls());
    let serving = serve("tcp", server).await;
    make_every_form_of_call(math(&serving.url, authority.client_tls()).await).await;
    for scheme in ["grpcs", "grpc-web+https", "connect+https"] {
        let url = format!("{scheme}://{}", address(&serving.url));
        make_every_form_of_call(math(&url, authority.client_tls()).await).await;
        let refused = Channel::connect(&url).await.unwrap_err().to_string();
        assert!(
            refused.contains(&url) && refused.contains("TLS"),
            "{refused}"
        );
    }
}

/// The native wire inside of WebSocket inside of TLS, and what it says where there is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_of_call_works_over_websocket() {
    let authority = Authority::new();
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let server = server.accept([Wire::WebSocket]).tls(authority.server_tls());
    let serving = serve("tcp", server).await;
    let url = format!("wss://{}/rpc", address(&serving.url));
    make_every_form_of_call(math(&url, authority.client_tls()).await).await;
    let untrusted = Channel::connect(&url).await.unwrap_err().to_string();
    assert!(
        untrusted.contains(&url) && untrusted.contains("TLS"),
        "{untrusted}"
    );
    let plain = Channel::connect(url.replacen("wss", "ws", 1)).await;
    assert_eq!(plain.unwrap_err().code(), Code::Unavailable);
}

async fn make_every_form_of_call(math: MathClient) {
    assert_eq!(math.add(1, 2).await.unwrap(), 3);
    let mut count = math.count(10_000);
    for expected in 0..10_000 {
        assert_eq!(count.next().await.unwrap().unwrap(), expected);
    }
    assert!(count.next().await.is_none());
    let numbers = stream::iter(0..10_000);
    assert_eq!(math.sum(numbers).await.unwrap(), 49_995_000);
    let line = |text: String| Line {
        author: "a".into(),
        text,
    };
    let lines = stream::iter((0..100).map(move |n| line(n.to_string())));
    let mut chat = math.chat("room".into(), lines);
    let mut answers = 0;
    while let Some(answer) = chat.next().await {
        assert_eq!(answer.unwrap().text, format!("a: {answers}"));
        answers += 1;
    }
    assert_eq!(answers, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_cross_in_both_directions_at_once() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    let math = math(&serving.url, authority.client_tls()).await;
    // More than any buffer on the way holds, so that writes are cut short and have to be gone on with.
    let bytes: Vec<u8> = (0..12_u32 << 20).map(|it| (it % 251) as u8).collect();
    let calls: Vec<_> = (0..4)
        .map(|_| {
            math.echo(bytes.clone().into())
                .timeout(PATIENCE * 3)
                .start()
        })
        .collect();
    for call in calls {
        let echoed = timeout(PATIENCE * 3, call).await.expect("it comes in time");
        assert!(
            echoed.unwrap().into_vec() == bytes,
            "the bytes came back changed"
        );
    }
}

#[tokio::test]
async fn a_name_and_an_address_are_proven() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    let port = serving.url.rsplit_once(':').unwrap().1;
    let by_name = math(&format!("tls://localhost:{port}"), authority.client_tls()).await;
    assert_eq!(by_name.add(1, 2).await.unwrap(), 3);
    let by_address = math(&serving.url, authority.client_tls()).await;
    assert_eq!(by_address.add(1, 2).await.unwrap(), 3);
}

#[tokio::test]
async fn handlers_see_the_url_of_the_peer() {
    let authority = Authority::new();
    let server = Server::new().function("peer", || async {
        let ctx = Context::current().expect("a call is served");
        ctx.peer().unwrap_or_default().to_owned()
    });
    let serving = serve("tcp", server.tls(authority.server_tls())).await;
    let connect = Channel::connect(&serving.url).tls(authority.client_tls());
    let channel = connect.await.unwrap();
    let peer: String = channel.call("peer", ()).await.unwrap();
    assert!(peer.starts_with("tls://127.0.0.1:"), "{peer}");
}

#[tokio::test]
async fn every_tcp_address_of_a_server_speaks_it_and_no_other() {
    let authority = Authority::new();
    let socket = rpc_tests::serving::address("unix");
    let bound = Server::new()
        .add(MathServer::new(Calculator::new()))
        .tls(authority.server_tls())
        .listen("tcp://127.0.0.1:0")
        .listen("tls://127.0.0.1:0")
        .listen(&socket)
        .bind()
        .await
        .unwrap();
    let urls = bound.urls().to_vec();
    let serving = tokio::spawn(bound.serve());
    assert!(
        urls[0].starts_with("tls://") && urls[1].starts_with("tls://"),
        "{urls:?}"
    );
    for url in &urls[..2] {
        assert_eq!(
            math(url, authority.client_tls())
                .await
                .add(1, 2)
                .await
                .unwrap(),
            3
        );
    }
    let channel = Channel::connect(&socket).await.unwrap();
    let math = MathClient::new(channel);
    assert_eq!(math.add(1, 2).await.unwrap(), 3);
    serving.abort();
}

#[tokio::test]
async fn streams_that_somebody_else_accepts_speak_it_too() {
    let authority = Authority::new();
    let connections = Server::new()
        .add(MathServer::new(Calculator::new()))
        .tls(authority.server_tls())
        .connections();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tls://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        connections
            .serve(rpc_runtime::transport::Io::new(stream))
            .await;
    });
    assert_eq!(
        math(&url, authority.client_tls())
            .await
            .add(1, 2)
            .await
            .unwrap(),
        3
    );
    serving.abort();
}

#[tokio::test]
async fn a_value_of_a_stream_reaches_its_calls() {
    #[derive(Clone)]
    struct Seat(u32);

    let connections = Server::new()
        .function("seat", || async {
            let ctx = Context::current().expect("a call is served");
            ctx.extension::<Seat>().map_or(0, |it| it.0)
        })
        .connections();
    let (client, server) = tokio::io::duplex(64 << 10);
    let server = rpc_runtime::transport::Io::new(server).with_extension(Seat(7));
    let serving = tokio::spawn(connections.serve(server));
    let channel = Channel::over(rpc_runtime::transport::Io::new(client));
    assert_eq!(channel.call::<_, u32>("seat", ()).await.unwrap(), 7);
    serving.abort();
}

#[tokio::test]
async fn a_drain_finishes_what_runs_and_announces_the_end() {
    let authority = Authority::new();
    let mut serving = serve_math(authority.server_tls()).await;
    let math = math(&serving.url, authority.client_tls()).await;
    let running = math.sleep(200).start();
    while serving.stop.running_calls() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    serving.stop.shutdown();
    assert_eq!(timeout(PATIENCE, running).await.unwrap().unwrap(), 200);
    timeout(PATIENCE, &mut serving.task)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn mistakes_of_a_server_are_told_before_it_listens() {
    let authority = Authority::new();
    let listen = |server: Server| async { server.listen("tls://127.0.0.1:0").bind().await };
    let error = listen(Server::new()).await.unwrap_err().to_string();
    assert!(error.contains("call `Server::tls`"), "{error}");

    let missing = Certificate::from_pem_files("/no/such/chain.pem", "/no/such/key.pem");
    let error = listen(Server::new().tls(ServerTls::new(missing))).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("cannot read `/no/such/chain.pem`"),
        "{error}"
    );

    let (one, other) = (authority.server(), authority.server());
    let mixed = Certificate::from_pem(&one.chain, &other.key);
    let error = listen(Server::new().tls(ServerTls::new(mixed))).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("cannot use the certificate in"), "{error}");

    for (chain, key, text) in [
        ("", &*one.key, "no `-----BEGIN CERTIFICATE-----`"),
        (&*one.chain, "", "no `-----BEGIN PRIVATE KEY-----`"),
        (&*one.chain, &*one.chain, "no `-----BEGIN PRIVATE KEY-----`"),
        (
            "-----BEGIN CERTIFICATE-----\n!\n",
            &*one.key,
            "is not valid PEM",
        ),
    ] {
        let tls = ServerTls::new(Certificate::from_pem(chain, key));
        let error = listen(Server::new().tls(tls))
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(text), "{error}");
        assert!(
            !error.contains("MII"),
            "it shows what is in the file: {error}"
        );
    }
}

#[tokio::test]
async fn mistakes_of_a_client_are_told_before_it_connects() {
    let refused = |url: &'static str, tls: ClientTls| async move {
        let status = Channel::connect(url).tls(tls).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert_eq!(status.phase(), Some(Phase::Connect));
        status.to_string()
    };
    let text = refused("tcp://127.0.0.1:1", ClientTls::new()).await;
    assert!(
        text.contains(
            "this URL is plaintext (write `tls://`, `grpcs://` or `wss://`): tcp://127.0.0.1:1"
        ),
        "{text}"
    );
    let text = refused("mem:nobody", ClientTls::new()).await;
    assert!(text.contains("there is no `tls://` URL"), "{text}");
    let text = refused("tls://127.0.0.1:1", ClientTls::new().server_name("a b")).await;
    assert!(
        text.contains("`a b` is neither a host name nor an IP address"),
        "{text}"
    );

    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    let roots = Roots::from_pem_file("/no/such/roots.pem");
    let connect = Channel::connect(&serving.url).tls(ClientTls::new().roots(roots));
    let status = timeout(PATIENCE, connect.into_future())
        .await
        .unwrap()
        .unwrap_err();
    assert!(
        status.to_string().contains("/no/such/roots.pem"),
        "{status}"
    );
    assert_eq!(address(&serving.url), address(status.peer().unwrap()));
}
