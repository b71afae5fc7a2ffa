use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::call::{
    Body, BodyFrame, Identity, Message, Method, MethodDescriptor, MethodKind, Request, Response,
    ServiceDescriptor, ValueMessage,
};
use crate::codec::{Encoding, Serde};
use crate::service::{BoxService, Service, service_fn};
use crate::status::{Code, Status};

const TENANT: HeaderName = HeaderName::from_static("tenant");
const SECRET: &str = "hunter2-hunter2-hunter2-hunter2";
const NOON: u64 = 1_800_000_000_000;

thread_local! {
    /// Each test has a thread, and so a clock, of its own.
    static NOW: Cell<u64> = const { Cell::new(NOON) };
}

fn now() -> u64 {
    NOW.get()
}

fn signer() -> HmacSigner {
    let mut signer = HmacSigner::new("key-1", SECRET).unwrap();
    signer.clock = now;
    signer
}

fn auth() -> HmacAuth {
    let mut auth = HmacAuth::keys([
        ("key-1", HmacKey::new(SECRET, Identity::new("alice"))),
        ("empty", HmacKey::new("", Identity::new("nobody"))),
    ]);
    auth.clock = now;
    auth
}

fn request() -> Request {
    let message = Message::encoded(Bytes::from_static(b"[1,2]"), Encoding::JSON);
    let mut request = Request::new(Method::named("m.M/add"), Body::message(message));
    request.set_encoding(Encoding::JSON);
    request
}

/// A copy of what crosses a wire; a stream is copied as an empty one.
fn copy(request: &mut Request) -> Request {
    let encoding = request.encoding().unwrap();
    let body = if request.body().is_stream() {
        Body::stream(stream::empty())
    } else {
        let message = request.body_mut().single_mut();
        message.map_or_else(Body::empty, |it| {
            Body::message(Message::encoded(it.bytes(encoding).unwrap(), encoding))
        })
    };
    let mut copy = Request::new(request.method().clone(), body);
    *copy.metadata_mut() = request.metadata().clone();
    copy.set_encoding(encoding);
    copy
}

/// Signs a request and returns it as a server would get it.
async fn signed(signer: HmacSigner, request: Request) -> Request {
    let sent = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&sent);
    let wire = service_fn(move |request: Request| {
        *slot.lock().unwrap() = Some(request);
        async { Ok(Response::new(Body::empty())) }
    });
    let service = BoxService::new(wire).layer(signer);
    service.call(request).await.unwrap();
    sent.lock().unwrap().take().unwrap()
}

/// Answers with the identity that it was given.
fn server(auth: HmacAuth) -> BoxService {
    let service = service_fn(|request: Request| async move {
        let mut response = Response::new(Body::empty());
        let identity = request.extensions().get::<Identity>().cloned();
        response.extensions_mut().insert(identity);
        Ok(response)
    });
    BoxService::new(service).layer(auth)
}

async fn name(service: &BoxService, request: Request) -> Result<Option<String>, Status> {
    let response = service.call(request).await?;
    let identity = response.extensions().get::<Option<Identity>>().cloned();
    Ok(identity.flatten().map(|it| it.name().to_owned()))
}

async fn refusal(service: &BoxService, request: Request) -> String {
    let status = name(service, request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    status.message().to_owned()
}

#[tokio::test]
async fn a_signed_call_has_the_identity_of_its_key_and_is_good_once() {
    let service = server(auth());
    let mut first = signed(signer(), request()).await;
    let replay = copy(&mut first);
    let name = name(&service, first).await.unwrap();
    assert_eq!(name.as_deref(), Some("alice"));
    assert!(refusal(&service, replay).await.contains("was replayed"));
}

#[tokio::test]
async fn every_signed_part_is_covered() {
    let service = server(auth().sign_metadata([TENANT]));
    let tampers: [fn(&mut Request); 9] = [
        |it| it.set_method(Method::named("m.M/sub")),
        |it| it.set_encoding(Encoding::MESSAGE_PACK),
        |it| it.set_body(Body::empty()),
        |it| {
            let message = Message::encoded(Bytes::from_static(b"[1,3]"), Encoding::JSON);
            it.set_body(Body::message(message));
        },
        |it| it.set_body(Body::stream(stream::empty())),
        |it| set(it.metadata_mut(), "tenant", "b"),
        |it| {
            it.metadata_mut()
                .append(TENANT, HeaderValue::from_static("b"));
        },
        |it| set(it.metadata_mut(), TIMESTAMP, &(NOON + 1).to_string()),
        |it| set(it.metadata_mut(), NONCE, &"00".repeat(16)),
    ];
    for (index, tamper) in tampers.into_iter().enumerate() {
        let mut original = request();
        set(original.metadata_mut(), "tenant", "a");
        let mut sent = signed(signer().sign_metadata([TENANT]), original).await;
        let mut tampered = copy(&mut sent);
        tamper(&mut tampered);
        let message = refusal(&service, tampered).await;
        assert!(
            message.contains("signature was refused"),
            "{index}: {message}"
        );
        assert!(name(&service, sent).await.is_ok(), "{index}");
    }
}

fn set(metadata: &mut HeaderMap, name: &'static str, value: &str) {
    metadata.insert(name, HeaderValue::try_from(value).unwrap());
}

#[tokio::test]
async fn missing_and_malformed_metadata_is_named_and_not_repeated() {
    let service = server(auth());
    for name in [KEY_ID, TIMESTAMP, NONCE, SIGNATURE] {
        let mut sent = signed(signer(), request()).await;
        sent.metadata_mut().remove(name);
        let message = refusal(&service, sent).await;
        assert!(message.contains("not signed") && message.contains(name));

        for wrong in ["", "wr\u{f6}ng", "-1", &"f".repeat(300)] {
            let mut sent = signed(signer(), request()).await;
            let value = HeaderValue::from_bytes(wrong.as_bytes()).unwrap();
            sent.metadata_mut().insert(name, value);
            let message = refusal(&service, sent).await;
            let is_key = name == KEY_ID && wrong == "-1";
            assert!(
                message.contains("must be") || is_key,
                "{name} {wrong}: {message}"
            );
            assert!(wrong.is_empty() || wrong == "-1" || !message.contains(wrong));
        }

        let mut sent = signed(signer(), request()).await;
        let value = sent.metadata().get(name).unwrap().clone();
        sent.metadata_mut().append(name, value);
        assert!(refusal(&service, sent).await.contains("be there once"));
    }
}

#[tokio::test]
async fn an_unknown_key_and_a_wrong_secret_look_the_same() {
    let service = server(auth());
    let wrong = HmacSigner::new("key-1", "something else").unwrap();
    let unknown = HmacSigner::new("key-2", SECRET).unwrap();
    let mut messages = Vec::new();
    for mut signer in [wrong, unknown] {
        signer.clock = now;
        messages.push(refusal(&service, signed(signer, request()).await).await);
    }
    assert_eq!(messages[0], messages[1]);
}

#[tokio::test]
async fn an_empty_secret_opens_nothing() {
    assert!(HmacSigner::new("empty", "").is_err());
    let service = server(auth());
    let mut forged = signed(signer(), request()).await;
    set(forged.metadata_mut(), KEY_ID, "empty");
    let claim = canonical::Claim {
        key_id: "empty",
        timestamp: NOON,
        nonce: [0; 16],
    };
    let names = canonical::SignedNames::default();
    let mac = canonical::authenticate(b"", &claim, &mut forged, &names)
        .await
        .unwrap();
    let signature = hex::encode(&::hmac::Mac::finalize(mac).into_bytes());
    set(forged.metadata_mut(), NONCE, &"00".repeat(16));
    set(forged.metadata_mut(), SIGNATURE, &signature);
    assert!(refusal(&service, forged).await.contains("was refused"));
}

#[tokio::test]
async fn the_window_reaches_both_ways() {
    let window = Duration::from_secs(60);
    let service = server(auth().window(window));
    for (signed_at, is_good) in [
        (NOON - 60_001, false),
        (NOON - 60_000, true),
        (NOON + 60_000, true),
        (NOON + 60_001, false),
    ] {
        NOW.set(signed_at);
        let sent = signed(signer(), request()).await;
        NOW.set(NOON);
        if is_good {
            assert!(name(&service, sent).await.is_ok());
        } else {
            assert!(refusal(&service, sent).await.contains("`HmacAuth::window`"));
        }
    }
}

#[tokio::test]
async fn a_call_from_the_future_cannot_be_replayed_when_its_time_comes() {
    let service = server(auth().window(Duration::from_secs(60)));
    NOW.set(NOON + 60_000);
    let mut sent = signed(signer(), request()).await;
    let (second, third) = (copy(&mut sent), copy(&mut sent));
    NOW.set(NOON);
    assert!(name(&service, sent).await.is_ok());
    NOW.set(NOON + 120_000);
    assert!(refusal(&service, second).await.contains("was replayed"));
    NOW.set(NOON + 120_001);
    assert!(
        refusal(&service, third)
            .await
            .contains("`HmacAuth::window`")
    );
}

#[tokio::test]
async fn a_stranger_uses_up_no_room_for_nonces() {
    let service = server(auth().max_nonces(1));
    for _ in 0..5 {
        let mut forged = signed(signer(), request()).await;
        set(forged.metadata_mut(), SIGNATURE, &"00".repeat(32));
        refusal(&service, forged).await;
    }
    assert!(
        name(&service, signed(signer(), request()).await)
            .await
            .is_ok()
    );
    let status = name(&service, signed(signer(), request()).await).await;
    assert_eq!(status.unwrap_err().code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn values_are_signed_as_the_bytes_they_travel_as() {
    let message = || ValueMessage::<Serde, Vec<u8>>::wrap(vec![1, 2, 3]);
    let mut typed = Request::new(Method::named("m.M/add"), Body::message(message()));
    typed.set_encoding(Encoding::MESSAGE_PACK);
    let sent = signed(signer(), typed).await;
    assert!(name(&server(auth()), sent).await.is_ok());

    let without_encoding = Request::new(Method::named("m.M/add"), Body::message(message()));
    let service = server(auth()).layer(signer());
    let status = name(&service, without_encoding).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
}

#[tokio::test]
async fn a_call_without_a_message_and_one_that_streams_are_signed() {
    let service = server(auth());
    for body in [Body::empty(), Body::stream(stream::empty())] {
        let mut request = request();
        request.set_body(body);
        let sent = signed(signer(), request).await;
        assert!(name(&service, sent).await.is_ok());
    }
}

/// `upload(account, items: Streaming<_>)`: the arguments beside a stream, and two items.
fn upload(account: &'static str) -> Request {
    let frames = [account, "1", "2"].map(|text| {
        let message = Message::encoded(text.into(), Encoding::JSON);
        Ok(BodyFrame::Message(message))
    });
    let mut request = request();
    request.set_body(Body::stream(stream::iter(frames)).with_head());
    request
}

#[tokio::test]
async fn the_arguments_beside_a_stream_are_signed_and_stay_there() {
    let mut sent = signed(signer(), upload("[7]")).await;
    assert!(sent.body().has_head());
    let mut texts = Vec::new();
    while let Some(frame) = sent.body_mut().frame().await {
        if let BodyFrame::Message(message) = frame.unwrap() {
            texts.push(message.as_bytes().unwrap().clone());
        }
    }
    assert_eq!(texts, ["[7]", "1", "2"]);

    let service = server(auth());
    for (account, is_good) in [("[8]", false), ("[7]", true)] {
        let mut tampered = upload(account);
        *tampered.metadata_mut() = sent.metadata().clone();
        assert_eq!(name(&service, tampered).await.is_ok(), is_good);
    }
    // On some wires a stream without arguments arrives with some that have no bytes.
    let mut sent = signed(signer(), upload("")).await;
    assert!(sent.body().has_head());
    sent.set_body(Body::stream(stream::empty()));
    assert!(name(&service, sent).await.is_ok());
    let mut sent = signed(signer(), upload("[7]")).await;
    sent.set_body(Body::stream(stream::empty()));
    let message = refusal(&service, sent).await;
    assert!(message.contains("signature was refused"), "{message}");
}

/// What one remembers for ten minutes is not what the other needs room for.
#[tokio::test]
async fn layers_with_different_windows_remember_apart() {
    let long = auth().max_nonces(2).window(Duration::from_secs(600));
    let short = server(long.clone().window(Duration::from_secs(1)));
    let (same, long) = (server(long.clone()), server(long));
    for service in [&long, &same] {
        let sent = signed(signer(), request()).await;
        name(service, sent).await.unwrap();
    }
    let sent = signed(signer(), request()).await;
    let status = name(&long, sent).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);

    let mut sent = signed(signer(), request()).await;
    let replay = copy(&mut sent);
    name(&short, sent).await.unwrap();
    assert!(refusal(&short, replay).await.contains("was replayed"));
}

#[tokio::test]
async fn one_message_that_arrives_as_a_stream_is_verified_as_one() {
    const METHODS: &[MethodDescriptor] =
        &[MethodDescriptor::new("m.M/add", MethodKind::Unary, &["a"])];
    static SERVICE: ServiceDescriptor = ServiceDescriptor::new("m.M", METHODS);
    let service = server(auth());
    for (copies, is_good) in [(1, true), (2, false)] {
        let mut sent = signed(signer(), request()).await;
        sent.set_method(SERVICE.method("add"));
        let frames: Vec<_> = (0..copies)
            .map(|_| Message::encoded(Bytes::from_static(b"[1,2]"), Encoding::JSON))
            .map(|it| Ok(BodyFrame::Message(it)))
            .collect();
        sent.set_body(Body::stream(stream::iter(frames)));
        assert_eq!(name(&service, sent).await.is_ok(), is_good);
    }
}

#[tokio::test]
async fn clones_of_a_signer_share_their_nonces() {
    let signer = signer();
    let first = signed(signer.clone(), request()).await;
    let second = signed(signer, request()).await;
    assert_ne!(first.metadata().get(NONCE), second.metadata().get(NONCE));
}

#[tokio::test]
async fn a_function_finds_keys_and_allowed_methods_need_none() {
    let mut auth = HmacAuth::new(|key_id: String| async move {
        match key_id.as_str() {
            "key-1" => Ok(Some(HmacKey::new(SECRET, Identity::new("bob")))),
            "down" => Err(Status::unavailable("no keys now")),
            _ => Ok(None),
        }
    });
    auth.clock = now;
    let service = server(auth.allow(["m.M/open"]));
    let good = name(&service, signed(signer(), request()).await).await;
    assert_eq!(good.unwrap().as_deref(), Some("bob"));

    let mut down = HmacSigner::new("down", SECRET).unwrap();
    down.clock = now;
    let status = name(&service, signed(down, request()).await).await;
    assert_eq!(status.unwrap_err().code(), Code::Unavailable);

    let mut open = request();
    open.set_method(Method::named("m.M/open"));
    assert_eq!(name(&service, open).await.unwrap(), None);
}

/// Computed by Python's `hmac` and `hashlib` from the description in the documentation of the signer.
#[tokio::test]
async fn the_signed_bytes_are_those_of_the_documentation() {
    let claim = canonical::Claim {
        key_id: "key-1",
        timestamp: NOON,
        nonce: [0xab; 16],
    };
    let mut names = canonical::SignedNames::default();
    names.extend([TENANT, HeaderName::from_static("absent"), TENANT]);
    for (mut request, expected) in [
        (
            request(),
            "836d62174ca27918f14ef78bc5491979023867d8b8ead5d050404902523d4505",
        ),
        (
            upload("[7]"),
            "79e7ce84d402882540d64f7f2888495c3a2cef1fb7bd0b9efb4de2ae9e469966",
        ),
    ] {
        set(request.metadata_mut(), "tenant", "a");
        let mac = canonical::authenticate(SECRET.as_bytes(), &claim, &mut request, &names);
        let mac = mac.await.unwrap();
        let signature = hex::encode(&::hmac::Mac::finalize(mac).into_bytes());
        assert_eq!(signature, expected);
    }
}

#[test]
fn secrets_are_not_printed() {
    let key = HmacKey::new(SECRET, Identity::new("alice"));
    let printed = format!("{:?} {:?} {key:?}", signer(), auth());
    assert!(printed.contains("key-1") && printed.contains("alice"));
    assert!(!printed.contains("hunter2"));
    // Nor as a list of numbers.
    assert!(!printed.contains("104, 117"));
}

#[test]
fn a_key_id_that_cannot_be_sent_is_refused_when_the_layer_is_made() {
    for key_id in ["", "two words", "line\n", &"k".repeat(257)] {
        let status = HmacSigner::new(key_id, SECRET).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}
