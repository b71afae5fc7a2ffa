//! Servers that a client must not trust, and what it says of them.

use rpc_runtime::tls::{ClientTls, Roots, ServerTls};
use rpc_runtime::{Channel, Code, Phase, Status};

use super::authority::{Authority, Signed, dns, expired, not_yet_valid, this_machine};
use super::serve_math;

/// Connects to a server that shows this certificate.
async fn refused(signed: Signed, tls: ClientTls) -> Status {
    let serving = serve_math(ServerTls::new(signed.certificate())).await;
    let status = Channel::connect(&serving.url).tls(tls).await.unwrap_err();
    assert_eq!(
        (status.code(), status.phase(), status.peer()),
        (Code::Unavailable, Some(Phase::Connect), Some(&*serving.url)),
        "{status}"
    );
    assert!(std::error::Error::source(&status).is_some());
    assert!(
        status.to_string().contains("the TLS handshake failed"),
        "{status}"
    );
    status
}

#[tokio::test]
async fn an_unknown_issuer_is_refused() {
    let (known, other) = (Authority::new(), Authority::new());
    let status = refused(other.server(), known.client_tls())
        .await
        .to_string();
    let text = "has an unknown issuer: add its root with `ClientTls::roots`";
    assert!(status.contains(text), "{status}");
    assert!(status.lines().count() == 1, "{status}");
}

#[tokio::test]
async fn the_roots_of_the_system_do_not_know_the_tests() {
    let authority = Authority::new();
    let serving = serve_math(authority.server_tls()).await;
    // Without `tls` the system's roots are used.
    let status = Channel::connect(&serving.url)
        .await
        .unwrap_err()
        .to_string();
    let unknown = status.contains("has an unknown issuer");
    assert!(
        unknown || status.contains("no root certificates"),
        "{status}"
    );
    let error = rpc_runtime::transport::open(&serving.url)
        .await
        .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("unknown issuer") || error.contains("no root"),
        "{error}"
    );
}

#[tokio::test]
async fn roots_can_be_added_up() {
    let (one, other) = (Authority::new(), Authority::new());
    for authority in [&one, &other] {
        let serving = serve_math(authority.server_tls()).await;
        let tls = ClientTls::new().roots(one.roots().and(Roots::from_pem(other.pem())));
        Channel::connect(&serving.url).tls(tls).await.unwrap();
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let authority = Authority::new();
    let signed = authority.sign(|params| {
        params.subject_alt_names = this_machine();
        expired(params);
    });
    let status = refused(signed, authority.client_tls()).await.to_string();
    assert!(
        status.contains("the server's certificate expired "),
        "{status}"
    );
    assert!(status.contains(" days ago"), "{status}");
}

#[tokio::test]
async fn a_certificate_of_the_future_is_refused() {
    let authority = Authority::new();
    let signed = authority.sign(|params| {
        params.subject_alt_names = this_machine();
        not_yet_valid(params);
    });
    let status = refused(signed, authority.client_tls()).await.to_string();
    assert!(status.contains("is not valid yet, only in "), "{status}");
}

#[tokio::test]
async fn another_name_is_refused_and_both_are_told() {
    let authority = Authority::new();
    let signed = authority.sign(|params| {
        params.subject_alt_names = vec![dns("one.example.org"), dns("two.example.org")];
    });
    let status = refused(signed, authority.client_tls()).await.to_string();
    let text = "is not valid for name `127.0.0.1`, only for `one.example.org`, `two.example.org`";
    assert!(status.contains(text), "{status}");
}

#[tokio::test]
async fn the_name_that_is_expected_can_be_another_than_that_of_the_url() {
    let authority = Authority::new();
    let signed = authority.sign(|params| {
        params.subject_alt_names = vec![dns("one.example.org")];
    });
    let serving = serve_math(ServerTls::new(signed.certificate())).await;
    let tls = || authority.client_tls();
    let named = |name| Channel::connect(&serving.url).tls(tls().server_name(name));
    named("one.example.org").await.unwrap();
    let status = named("two.example.org").await.unwrap_err().to_string();
    assert!(
        status.contains("is not valid for name `two.example.org`"),
        "{status}"
    );
}

#[tokio::test]
async fn names_without_end_are_not_repeated() {
    let authority = Authority::new();
    let signed = authority.sign(|params| {
        let names = (0..500).map(|number| dns(&format!("host-{number}.example.org")));
        params.subject_alt_names = names.collect();
    });
    let status = refused(signed, authority.client_tls()).await.to_string();
    assert!(status.contains("and 495 more"), "{status}");
    assert!(status.len() < 1_000, "{status}");
}

#[tokio::test]
async fn a_client_is_shown_the_certificate_of_the_name_it_asks_for() {
    let authority = Authority::new();
    let signed = |name: &str| {
        let signed = authority.sign(|params| params.subject_alt_names = vec![dns(name)]);
        signed.certificate()
    };
    let tls = authority
        .server_tls()
        .certificate_for("*.example.net", signed("*.example.net"))
        .certificate_for("One.example.org", signed("one.example.org"))
        .certificate_for("special.example.net", signed("special.example.net"));
    let serving = serve_math(tls).await;
    let connect = |name| {
        let tls = authority.client_tls().server_name(name);
        Channel::connect(&serving.url).tls(tls)
    };
    for name in [
        "localhost",
        "one.example.org",
        "any.example.net",
        "special.example.net",
    ] {
        connect(name).await.unwrap();
    }
    // An address is no name to ask for.
    connect("127.0.0.1").await.unwrap();
    for name in ["two.example.org", "example.net", "a.b.example.net"] {
        let status = connect(name).await.unwrap_err().to_string();
        let shown = "only for `localhost`";
        assert!(status.contains(shown), "{name}: {status}");
    }
}
