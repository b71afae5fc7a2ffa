//! A stream ends well only if its end marker arrived, in both directions.

use futures_util::{StreamExt, stream};
use rpc_runtime::{Code, Status, Streaming};
use rpc_tests::json_peer::{self, JsonPeer};
use rpc_tests::raw::{RawPeer, block, field, field_of, flag, frame, kind, method, raw_server};
use tokio::sync::oneshot;

use crate::probe::{Event, Panics, ProbeClient, Probing, Then, Trap, bounded};

on_every_transport! {
    a_cut_connection_is_not_an_end
    a_frame_cut_in_half_is_not_an_end
    a_server_that_says_goodbye_has_not_ended_its_streams
    an_error_and_an_end_inside_a_message_are_not_ends
    a_panic_and_a_failure_are_not_ends
    a_server_that_is_dropped_has_not_ended_its_streams
    a_reply_without_its_end_is_no_reply
    only_an_end_ends_an_upload
    a_client_that_gives_up_has_not_ended_its_upload
    an_upload_that_fails_has_not_ended
    an_upload_that_panics_has_not_ended
}

/// The subscriptions of JSON-RPC.
mod over_json_and_websocket {
    over! { "jsonrpc+ws":
        a_subscription_that_fails_has_not_ended_well
    }
}

over_http_and_tls! {
    a_cut_connection_is_not_an_end
    a_panic_and_a_failure_are_not_ends
    a_server_that_is_dropped_has_not_ended_its_streams
    a_client_that_gives_up_has_not_ended_its_upload
    an_upload_that_fails_half_way_has_not_ended
}

/// Over HTTP/1.1 such a call is never sent.
mod that_fails_at_once {
    use super::{an_upload_that_fails_has_not_ended, an_upload_that_panics_has_not_ended};

    over_http2_and_tls! {
        an_upload_that_fails_has_not_ended
        an_upload_that_panics_has_not_ended
    }
}

/// A stream that a hand-made server accepted, with two items of it sent.
async fn begun(transport: &str) -> (rpc_runtime::ResponseStream<u64>, RawPeer, u64) {
    let (channel, mut server) = raw_server(transport).await;
    let mut items = ProbeClient::new(channel).give(9, Then::End).start();
    let call = server.next_of(kind::REQUEST).await.call;
    server
        .send(kind::RESPONSE, flag::BODY, call, &block(&[], &[0]))
        .await;
    server.send(kind::MESSAGE, 0, call, &[1]).await;
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 0);
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 1);
    (items, server, call)
}

async fn breaks_off(mut items: rpc_runtime::ResponseStream<u64>) -> Status {
    let status = loop {
        match bounded(items.next()).await {
            Some(Ok(_)) => {}
            Some(Err(status)) => break status,
            None => panic!("the stream ended well"),
        }
    };
    assert!(bounded(items.next()).await.is_none());
    status
}

async fn a_cut_connection_is_not_an_end(transport: &str) {
    let (items, server, _) = begun(transport).await;
    drop(server);
    assert_eq!(breaks_off(items).await.code(), Code::Unavailable);
}

async fn a_frame_cut_in_half_is_not_an_end(transport: &str) {
    let end = |call| {
        frame(
            kind::END,
            flag::END,
            call,
            &field_of(field::METADATA, b"\x01ab"),
        )
    };
    let length = end(1).len();
    for cut in [1, 8, 15, length - 1] {
        let (items, mut server, call) = begun(transport).await;
        server.bytes(&end(call)[..cut]).await;
        drop(server);
        assert_eq!(
            breaks_off(items).await.code(),
            Code::Unavailable,
            "cut at {cut}"
        );
    }
}

async fn a_server_that_says_goodbye_has_not_ended_its_streams(transport: &str) {
    let (items, mut server, call) = begun(transport).await;
    let last = field_of(field::LAST_CALL, &[u8::try_from(call).unwrap()]);
    server.send(kind::GO_AWAY, 0, 0, &last).await;
    drop(server);
    assert_eq!(breaks_off(items).await.code(), Code::Unavailable);
}

async fn an_error_and_an_end_inside_a_message_are_not_ends(transport: &str) {
    let (items, mut server, call) = begun(transport).await;
    server
        .send(kind::ERROR, flag::END, call, &field_of(field::CODE, &[10]))
        .await;
    assert_eq!(breaks_off(items).await.code(), Code::Aborted);

    let (items, mut server, call) = begun(transport).await;
    server.send(kind::MESSAGE, flag::MORE, call, &[0xCD]).await;
    server.send(kind::END, flag::END, call, &[]).await;
    assert_eq!(breaks_off(items).await.code(), Code::Internal);
}

async fn a_panic_and_a_failure_are_not_ends(transport: &str) {
    let probing = Probing::on(transport).await;
    for items in [0, 1, 100] {
        let status = breaks_off(probing.client.give(items, Then::Panic)).await;
        assert_eq!(status.code(), Code::Internal);
        let status = breaks_off(probing.client.give(items, Then::Fail)).await;
        assert_eq!(status.code(), Code::DataLoss);
    }
    let mut whole = probing.client.give(100, Then::End);
    for item in 0..100 {
        assert_eq!(bounded(whole.next()).await.unwrap().unwrap(), item);
    }
    assert!(bounded(whole.next()).await.is_none());
}

async fn a_server_that_is_dropped_has_not_ended_its_streams(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let mut items = probing.client.give(3, Then::Wait);
    assert_eq!(bounded(items.next()).await.unwrap().unwrap(), 0);
    probing.expect(&[Event::Started]).await;
    probing.serving.task.abort();
    assert_eq!(breaks_off(items).await.code(), Code::Unavailable);
    probing.expect(&[Event::Dropped]).await;
}

async fn a_reply_without_its_end_is_no_reply(transport: &str) {
    let (channel, mut server) = raw_server(transport).await;
    let sum = ProbeClient::new(channel).add(1, 2).start();
    let call = server.next_of(kind::REQUEST).await.call;
    server
        .send(kind::RESPONSE, flag::BODY, call, &block(&[], &[3]))
        .await;
    server.settle().await;
    drop(server);
    assert_eq!(bounded(sum).await.unwrap_err().code(), Code::Unavailable);
}

/// The probe, and an upload of two items to it by hand.
async fn uploading(transport: &str) -> (Probing, RawPeer) {
    let mut probing = Probing::on(transport).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    let request = block(&method("test.v1.Probe/collect"), &[]);
    client.send(kind::REQUEST, 0, 1, &request).await;
    for _ in 0..2 {
        client.send(kind::MESSAGE, 0, 1, b"\xa5Never").await;
    }
    probing.expect(&[Event::Started]).await;
    (probing, client)
}

async fn ends_badly(probing: &mut Probing, items: u64) {
    match probing.event().await {
        Event::Upload(count, Err(_)) => assert!(count <= items, "{count} items came"),
        other => panic!("the upload ended with {other:?}"),
    }
}

async fn only_an_end_ends_an_upload(transport: &str) {
    let (mut probing, mut client) = uploading(transport).await;
    client.send(kind::END, flag::END, 1, &[]).await;
    probing.expect(&[Event::Upload(2, Ok(()))]).await;
    assert_eq!(client.next_of(kind::RESPONSE).await.message(), [2]);

    let (mut probing, mut client) = uploading(transport).await;
    client.send(kind::CANCEL, 0, 1, &[]).await;
    ends_badly(&mut probing, 2).await;

    let (mut probing, mut client) = uploading(transport).await;
    client.send(kind::MESSAGE, flag::MORE, 1, b"\xa5").await;
    client.send(kind::END, flag::END, 1, &[]).await;
    ends_badly(&mut probing, 2).await;
}

async fn a_client_that_gives_up_has_not_ended_its_upload(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let numbers = stream::iter([Trap(Panics::Never)]).chain(stream::pending());
    let upload = probing.client.collect(numbers).start();
    probing.expect(&[Event::Started]).await;
    drop(upload);
    ends_badly(&mut probing, 1).await;
    probing.quiet().await;
    probing.works().await;
}

async fn an_upload_that_fails_has_not_ended(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let items = [
        Ok(Trap(Panics::Never)),
        Err(Status::data_loss("the disk is gone")),
    ];
    let numbers = Streaming::try_from_stream(stream::iter(items));
    let status = bounded(probing.client.collect(numbers).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::DataLoss);
    probing.expect(&[Event::Started]).await;
    ends_badly(&mut probing, 1).await;
    probing.works().await;
}

async fn an_upload_that_fails_half_way_has_not_ended(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let (began, begin) = oneshot::channel();
    let begin = stream::once(async {
        let _ = begin.await;
        Err(Status::data_loss("the disk is gone"))
    });
    let first = stream::iter([Ok(Trap(Panics::Never))]);
    let numbers = Streaming::try_from_stream(first.chain(begin));
    let upload = probing.client.collect(numbers).start();
    probing.expect(&[Event::Started]).await;
    let _ = began.send(());
    let status = bounded(upload).await.unwrap_err();
    assert_eq!(status.code(), Code::DataLoss);
    ends_badly(&mut probing, 1).await;
    probing.works().await;
}

async fn an_upload_that_panics_has_not_ended(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let panics = stream::iter([1, 2]).map(|it| {
        assert!(it == 1, "an upload panics on purpose");
        Trap(Panics::Never)
    });
    let status = bounded(probing.client.collect(panics).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    probing.expect(&[Event::Started]).await;
    ends_badly(&mut probing, 1).await;

    let unsendable = stream::iter([Trap(Panics::Never), Trap(Panics::Serialize)]);
    let status = bounded(probing.client.collect(unsendable).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    probing.expect(&[Event::Started]).await;
    ends_badly(&mut probing, 1).await;
    probing.works().await;
}

async fn a_subscription_that_fails_has_not_ended_well(wire: &str) {
    let probing = Probing::on(wire).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    for (then, code) in [
        (Then::Panic, Some(Code::Internal)),
        (Then::Fail, Some(Code::DataLoss)),
        (Then::End, None),
    ] {
        let id = client.call(1, "test.v1.Probe.give", (100, then)).await["result"].clone();
        for item in 0..100 {
            let params = client.next().await["params"].clone();
            assert_eq!(
                (&params["subscription"], &params["result"]),
                (&id, &item.into())
            );
        }
        let end = client.next().await["params"].clone();
        assert_eq!(end["subscription"], id);
        let error = end.get("error").expect("the end says how it was");
        match code {
            Some(code) => assert_eq!(json_peer::code(&end), code, "{then:?}"),
            None => assert!(error.is_null(), "{error}"),
        }
    }
    // A connection that is cut says nothing.
    let id = client.call(2, "test.v1.Probe.give", (1, Then::Wait)).await["result"].clone();
    assert_eq!(client.next().await["params"]["subscription"], id);
    probing.serving.task.abort();
    assert_eq!(client.rest().await, Vec::<serde_json::Value>::new());
}
