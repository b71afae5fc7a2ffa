//! Clients that prove who they are, and those that cannot.

use rpc_runtime::tls::{Certificate, ClientAuth, ServerTls};
use rpc_runtime::{Channel, Code, Context, Phase, Server, Status};
use rpc_tests::serving::{Serving, serve};
use serde::{Deserialize, Serialize};

use super::authority::{Authority, Signed, common_name, dns, expired, uri};

/// What a handler sees of its caller.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Caller {
    identity: Option<String>,
    names: Vec<String>,
    common_name: Option<String>,
    der: usize,
    chain: usize,
}

async fn who() -> Caller {
    let ctx = Context::current().expect("a call is served");
    let certificate = ctx.peer_certificate();
    let names = certificate
        .iter()
        .flat_map(|it| it.uris().iter().chain(it.dns_names()));
    Caller {
        identity: ctx.identity().map(|it| it.name().to_owned()),
        names: names.cloned().collect(),
        common_name: certificate.and_then(|it| it.common_name().map(str::to_owned)),
        der: certificate.map_or(0, |it| it.der().len()),
        chain: certificate.map_or(0, |it| it.chain().count()),
    }
}

async fn serve_who(servers: &Authority, clients: &Authority, auth: ClientAuth) -> Serving {
    let tls = ServerTls::new(servers.server().certificate());
    let tls = tls.client_auth(auth, clients.roots());
    serve("tcp", Server::new().function("who", who).tls(tls)).await
}

async fn connect(
    serving: &Serving,
    servers: &Authority,
    certificate: Option<Certificate>,
) -> Result<Channel, Status> {
    let mut tls = servers.client_tls();
    if let Some(certificate) = certificate {
        tls = tls.certificate(certificate);
    }
    let connected = Channel::connect(&serving.url).tls(tls).await;
    if let Err(status) = &connected {
        assert_eq!(
            (status.code(), status.phase(), status.peer()),
            (Code::Unavailable, Some(Phase::Connect), Some(&*serving.url)),
            "{status}"
        );
    }
    connected
}

#[tokio::test]
async fn a_handler_sees_who_calls() {
    let (servers, clients) = (Authority::new(), Authority::new());
    for auth in [ClientAuth::Required, ClientAuth::Optional] {
        let serving = serve_who(&servers, &clients, auth).await;
        let all = clients.sign(|params| {
            params.distinguished_name = common_name("alice");
            params.subject_alt_names = vec![dns("a.example.org"), uri("spiffe://example.org/a")];
        });
        let dns = clients.sign(|params| {
            params.distinguished_name = common_name("alice");
            params.subject_alt_names = vec![dns("a.example.org")];
        });
        let only = clients.sign(|params| params.distinguished_name = common_name("alice"));
        let nobody = clients.sign(|_| ());
        for (signed, identity, names, common_name) in [
            (
                &all,
                Some("spiffe://example.org/a"),
                &["spiffe://example.org/a", "a.example.org"][..],
                Some("alice"),
            ),
            (
                &dns,
                Some("a.example.org"),
                &["a.example.org"],
                Some("alice"),
            ),
            (&only, Some("CN=alice"), &[], Some("alice")),
            (&nobody, None, &[], None),
        ] {
            let channel = connect(&serving, &servers, Some(signed.certificate()))
                .await
                .unwrap();
            let caller: Caller = channel.call("who", ()).await.unwrap();
            assert_eq!(caller.identity.as_deref(), identity);
            assert_eq!(caller.names, names);
            assert_eq!(caller.common_name.as_deref(), common_name);
            assert!(caller.der > 100, "{caller:?}");
            assert_eq!(caller.chain, 1);
        }
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_let_in_only_where_it_may_lack_one() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let serving = serve_who(&servers, &clients, ClientAuth::Optional).await;
    let channel = connect(&serving, &servers, None).await.unwrap();
    let caller: Caller = channel.call("who", ()).await.unwrap();
    let stranger = Caller {
        identity: None,
        names: vec![],
        common_name: None,
        der: 0,
        chain: 0,
    };
    assert_eq!(caller, stranger);

    let serving = serve_who(&servers, &clients, ClientAuth::Required).await;
    let status = connect(&serving, &servers, None)
        .await
        .unwrap_err()
        .to_string();
    let text = "requires a certificate of the client: set `ClientTls::certificate`";
    assert!(status.contains(text), "{status}");
}

#[tokio::test]
async fn a_client_that_cannot_be_trusted_is_refused_and_told_why() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let unknown: Signed = Authority::new().sign(|_| ());
    let old = clients.sign(expired);
    for auth in [ClientAuth::Required, ClientAuth::Optional] {
        let serving = serve_who(&servers, &clients, auth).await;
        for (signed, text) in [
            (
                &unknown,
                "does not know the issuer of this client's certificate",
            ),
            (&old, "says that this client's certificate has expired"),
        ] {
            let certificate = Some(signed.certificate());
            let status = connect(&serving, &servers, certificate).await.unwrap_err();
            assert!(status.to_string().contains(text), "{auth:?}: {status}");
        }
    }
}

#[tokio::test]
async fn the_server_says_in_its_log_who_was_refused_and_why() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let serving = serve_who(&servers, &clients, ClientAuth::Required).await;
    let logged = super::logged::Logged::begin();
    connect(&serving, &servers, None).await.unwrap_err();
    let line = logged.line_with("the client showed no certificate").await;
    assert!(
        line.starts_with("INFO") && line.contains("peer=\"tcp://127.0.0.1:"),
        "{line}"
    );
    let unknown = Authority::new().sign(|_| ());
    connect(&serving, &servers, Some(unknown.certificate()))
        .await
        .unwrap_err();
    logged
        .line_with("has an unknown issuer: add its root with `ServerTls::client_auth`")
        .await;
}

#[tokio::test]
async fn whoever_may_call_without_a_token_is_still_who_the_certificate_says() {
    use rpc_runtime::layer::auth::{BearerAuth, BearerToken, HmacAuth, HmacKey, HmacSigner};
    use rpc_runtime::{Identity, Next, Request, from_fn};

    let (servers, clients) = (Authority::new(), Authority::new());
    let tls = ServerTls::new(servers.server().certificate());
    let tls = tls.client_auth(ClientAuth::Required, clients.roots());
    let bearer = BearerAuth::tokens([("s3cret", Identity::new("a user"))]);
    let hmac = HmacAuth::keys([("id", HmacKey::new("s3cret", Identity::new("a signer")))]);
    let server = || Server::new().function("who", who).function("me", who);
    let in_front = from_fn(|mut request: Request, next: Next| {
        request.extensions_mut().insert(Identity::new("somebody"));
        async move { next.call(request).await }
    });
    let by_bearer = server()
        .layer(bearer.allow(["who"]))
        .layer(in_front.clone());
    let by_hmac = server().layer(hmac.allow(["who"])).layer(in_front);
    for (server, theirs) in [(by_bearer, "a user"), (by_hmac, "a signer")] {
        let serving = serve("tcp", server.tls(tls.clone())).await;
        let signed = clients.sign(|params| params.subject_alt_names = vec![dns("a.example.org")]);
        let channel = connect(&serving, &servers, Some(signed.certificate()))
            .await
            .unwrap();
        let channel = channel.layer(BearerToken::new("s3cret").unwrap());
        let channel = channel.layer(HmacSigner::new("id", "s3cret").unwrap());
        let caller: Caller = channel.call("who", ()).await.unwrap();
        assert_eq!(caller.identity.as_deref(), Some("a.example.org"));
        let caller: Caller = channel.call("me", ()).await.unwrap();
        assert_eq!(caller.identity.as_deref(), Some(theirs));
    }
}

#[tokio::test]
async fn a_layer_that_finds_an_identity_has_the_last_word() {
    use rpc_runtime::{Identity, Next, Request, from_fn};

    let (servers, clients) = (Authority::new(), Authority::new());
    let tls = ServerTls::new(servers.server().certificate());
    let tls = tls.client_auth(ClientAuth::Required, clients.roots());
    let server = Server::new().function("who", who).tls(tls);
    let server = server.layer(from_fn(|mut request: Request, next: Next| {
        request.extensions_mut().insert(Identity::new("a user"));
        async move { next.call(request).await }
    }));
    let serving = serve("tcp", server).await;
    let signed = clients.sign(|params| params.subject_alt_names = vec![dns("a.example.org")]);
    let channel = connect(&serving, &servers, Some(signed.certificate()))
        .await
        .unwrap();
    let caller: Caller = channel.call("who", ()).await.unwrap();
    assert_eq!(caller.identity.as_deref(), Some("a user"));
    assert_eq!(caller.names, ["a.example.org"]);
}
