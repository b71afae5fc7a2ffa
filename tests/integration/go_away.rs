//! Calls of a client whose server goes away.

use std::future::IntoFuture;

use rpc_runtime::Code;
use rpc_tests::raw::{field, field_of, kind, raw_server, varint};

/// It fails at once, so that it can go elsewhere, and nobody has to read the rest of it.
#[tokio::test]
async fn what_a_server_will_not_look_at_is_not_sent() {
    let (channel, mut peer) = raw_server("mem").await;
    // The pipe holds 64 KiB of it.
    let text = "x".repeat(3 << 20);
    let call = tokio::spawn(channel.call::<_, String>("echo", (text,)).into_future());
    let begun = peer.next().await;
    assert_eq!(begun.kind, kind::REQUEST);
    let none = field_of(field::LAST_CALL, &varint(0));
    peer.send(kind::GO_AWAY, 0, 0, &none).await;
    let status = call.await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(
        status.message().contains("before it saw the call"),
        "{status}"
    );
    let rest: usize = peer.rest().await.iter().map(|it| it.payload.len()).sum();
    assert!(rest < 512 << 10, "{rest} bytes were sent for nobody");
}
