//! gRPC-Web as its specification says it
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md>), over HTTP/1.1; what real clients
//! make of it, and HTTP/2, is in `connect_node.rs`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rpc_runtime::{Limits, Server, Wire};
use rpc_tests::http1::{Answer, envelope, envelopes, send};
use rpc_tests::math::{Calculator, MathServer};
use rpc_tests::serving::{Serving, serve};

/// The flag of the envelope that has the trailers.
const TRAILERS: u8 = 0x80;

async fn serving() -> Serving {
    let server = Server::new().add(MathServer::new(Calculator::new()));
    let limits = Limits::new().max_message(4_000);
    serve("tcp", server.limits(limits).accept([Wire::Http])).await
}

async fn call(
    serving: &Serving,
    content_type: &str,
    method: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let path = format!("/test.v1.Math/{method}");
    let headers = [&[("content-type", content_type)][..], headers].concat();
    let answer = send(&serving.url, "POST", &path, &headers, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), content_type);
    answer
}

/// Takes a body apart: the messages, and the lines of the trailers.
fn parts(body: &[u8]) -> (Vec<String>, String) {
    let mut all = envelopes(body);
    let (flag, trailers) = all.pop().expect("trailers");
    assert_eq!(flag, TRAILERS);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let messages = all.into_iter().map(|(flag, bytes)| {
        assert_eq!(flag, 0);
        text(bytes)
    });
    (messages.collect(), text(trailers))
}

#[tokio::test]
async fn calls_have_their_trailers_in_the_body() {
    let serving = serving().await;
    for (method, sent, messages, trailers) in [
        (
            "add",
            &[r#"{"a":1,"b":2}"#][..],
            &["3"][..],
            "grpc-status: 0\r\n",
        ),
        (
            "who",
            &["{}"],
            &["\"ann\""],
            "seen: yes\r\ngrpc-status: 0\r\n",
        ),
        (
            "count",
            &[r#"{"up_to":2}"#],
            &["0", "1"],
            "grpc-status: 0\r\n",
        ),
        ("sum", &["1", "2"], &["3"], "grpc-status: 0\r\n"),
        (
            "count_then_fail",
            &[r#"{"items":1}"#],
            &["0"],
            "grpc-status: 11\r\ngrpc-message: the result does not fit\r\n",
        ),
    ] {
        let body: Vec<u8> = sent
            .iter()
            .flat_map(|it| envelope(0, it.as_bytes()))
            .collect();
        let headers = [("name", "ann"), ("x-grpc-web", "1")];
        let answer = call(
            &serving,
            "application/grpc-web+json",
            method,
            &headers,
            &body,
        )
        .await;
        let (received, end) = parts(&answer.body);
        assert_eq!(received, messages, "{method}");
        assert!(end.starts_with(trailers), "{method}: {end}");
        // The same as text, which whoever writes may cut and pad anywhere.
        let body: String = body
            .chunks(7)
            .map(|it| BASE64_STANDARD.encode(it))
            .collect();
        let text = "application/grpc-web-text+json";
        let answer = call(&serving, text, method, &headers, body.as_bytes()).await;
        let pieces = answer.body.split_inclusive(|it| *it == b'=');
        let pieces = pieces.filter(|it| *it != b"=").map(|it| {
            let unpadded = it.strip_suffix(b"=").unwrap_or(it);
            base64::prelude::BASE64_STANDARD_NO_PAD
                .decode(unpadded)
                .unwrap()
        });
        assert_eq!(
            parts(&pieces.flatten().collect::<Vec<_>>()),
            (received, end),
            "{method}"
        );
    }
}

#[tokio::test]
async fn a_call_that_fails_at_once_has_its_status_in_the_head() {
    let serving = serving().await;
    let web = "application/grpc-web+json";
    let large = envelope(0, &[b' '; 4_001]);
    for (content_type, method, headers, body, status) in [
        (web, "who", &[][..], &envelope(0, b"{}")[..], "16"),
        (web, "missing", &[], b"", "12"),
        (web, "add", &[], &envelope(0, b"{"), "3"),
        (web, "add", &[], b"", "13"),
        (web, "add", &[], &envelope(TRAILERS, b""), "13"),
        (web, "add", &[], &[0, 0, 0, 0, 2, b'{'], "13"),
        (web, "add", &[], &large, "8"),
        (
            web,
            "sleep",
            &[("grpc-timeout", "10m")],
            &envelope(0, br#"{"milliseconds":60000}"#),
            "4",
        ),
        (
            web,
            "add",
            &[("grpc-timeout", "10")],
            &envelope(0, b"{}"),
            "3",
        ),
        (
            web,
            "add",
            &[("grpc-encoding", "br")],
            &envelope(0, b"{}"),
            "12",
        ),
        (
            "application/grpc-web+xml",
            "add",
            &[],
            &envelope(0, b"{}"),
            "12",
        ),
        ("application/grpc-web-text+json", "add", &[], b"A*==", "3"),
        ("application/grpc-web-text+json", "add", &[], b"AAAA", "13"),
        (
            "application/grpc-web-text+json",
            "add",
            &[],
            b"AAAAAAJ7f",
            "13",
        ),
    ] {
        let answer = call(&serving, content_type, method, headers, body).await;
        assert_eq!(
            answer.header("grpc-status"),
            status,
            "{content_type} {method}: {answer:?}"
        );
        assert_eq!(answer.body, b"");
    }
}
