//! A panic is `Internal` for its caller, and nothing for anybody else.

use rpc_runtime::{Code, Status, from_fn};
use rpc_tests::eventually;
use rpc_tests::json_peer::{self, JsonPeer};
use rpc_tests::raw::{RawPeer, kind};

use crate::probe::{Event, Panics, Probing, Then, bounded};

on_every_transport! {
    a_handler_that_panics_fails_its_call
    a_stream_that_panics_fails_its_call
    a_blocking_handler_that_panics_fails_its_call
    a_layer_that_panics_fails_its_call
    arguments_that_panic_fail_their_call
    a_panic_behind_an_await_fails_its_call
}

over_json! {
    a_handler_that_panics_fails_its_call
    a_blocking_handler_that_panics_fails_its_call
    a_panic_behind_an_await_fails_its_call
    a_batch_fails_only_where_it_panics
}

over_http_and_tls! {
    a_handler_that_panics_fails_its_call
    a_stream_that_panics_fails_its_call
    a_blocking_handler_that_panics_fails_its_call
    a_layer_that_panics_fails_its_call
    a_panic_behind_an_await_fails_its_call
}

/// A call that is open while others panic.
async fn beside(probing: &mut Probing) -> rpc_runtime::client::CallFuture<i64> {
    let open = probing.client.hold().start();
    probing.expect(&[Event::Started]).await;
    open
}

async fn unharmed(probing: &Probing, open: rpc_runtime::client::CallFuture<i64>) {
    probing.works().await;
    probing.shared.gate.add_permits(1);
    assert_eq!(bounded(open).await.unwrap(), 7);
    probing.quiet().await;
    // The open call has one for itself where they have one call each.
    let has_own = probing.serving.url.starts_with("connect+http1");
    let expected = 1 + usize::from(has_own);
    eventually("no connection was lost, and none is left over", || {
        probing.serving.stop.connections() == expected
    })
    .await;
}

fn is_internal(status: &Status) {
    assert_eq!(status.code(), Code::Internal, "{status}");
    assert!(
        !status.message().contains("on purpose"),
        "the peer sees the panic: {status}"
    );
}

async fn a_handler_that_panics_fails_its_call(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let open = beside(&mut probing).await;
    for panics in [
        Panics::Handler,
        Panics::Destructor,
        Panics::Serialize,
        Panics::ResultDestructor,
    ] {
        let status = bounded(probing.client.spring(panics).into_future()).await;
        is_internal(
            &status
                .err()
                .unwrap_or_else(|| panic!("{panics:?} was well")),
        );
        probing.works().await;
    }
    unharmed(&probing, open).await;
}

async fn a_stream_that_panics_fails_its_call(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let open = beside(&mut probing).await;
    for items in [0, 3] {
        let mut stream = probing.client.give(items, Then::Panic);
        for item in 0..items {
            assert_eq!(bounded(stream.next()).await.unwrap().unwrap(), item);
        }
        is_internal(&bounded(stream.next()).await.unwrap().unwrap_err());
        assert!(bounded(stream.next()).await.is_none());
        probing.expect(&[Event::Started, Event::Dropped]).await;
    }
    unharmed(&probing, open).await;
}

async fn a_blocking_handler_that_panics_fails_its_call(transport: &str) {
    let mut probing = Probing::with(transport, |it| it.blocking_threads(1), None).await;
    let open = beside(&mut probing).await;
    // More often than there are threads: each is given back.
    for _ in 0..3 {
        let call = probing.client.panic_blocking();
        is_internal(&bounded(call.into_future()).await.unwrap_err());
    }
    unharmed(&probing, open).await;
}

async fn a_layer_that_panics_fails_its_call(transport: &str) {
    struct PanicsAtTheEnd;
    impl Drop for PanicsAtTheEnd {
        fn drop(&mut self) {
            assert!(
                std::thread::panicking(),
                "a guard of a layer panics on purpose"
            );
        }
    }
    let layer = from_fn(
        |request: rpc_runtime::Request, next: rpc_runtime::Next| async move {
            let how = request.metadata().get("panic").cloned();
            let how = how.as_ref().and_then(|it| it.to_str().ok()).unwrap_or("no");
            assert!(how != "at once", "a layer panics on purpose");
            if how == "later" {
                tokio::task::yield_now().await;
                panic!("a layer panics on purpose");
            }
            let mut response = next.call(request).await?;
            if how == "at the end" {
                response.on_end(PanicsAtTheEnd);
            }
            Ok(response)
        },
    );
    let mut probing = Probing::with(transport, |it| it.layer(layer), None).await;
    let open = beside(&mut probing).await;
    for how in ["at once", "later", "at the end"] {
        let call = probing.client.add(1, 2).metadata("panic", how);
        is_internal(&bounded(call.into_future()).await.unwrap_err());
        probing.works().await;
        let mut items = probing.client.give(3, Then::End).metadata("panic", how);
        let status = loop {
            match bounded(items.next()).await {
                Some(Ok(_)) => {}
                Some(Err(status)) => break Some(status),
                None => break None,
            }
        };
        // A stream that was ended well before its guard panicked has ended well.
        if how != "at the end" {
            is_internal(&status.expect("the stream failed"));
        }
    }
    unharmed(&probing, open).await;
}

async fn arguments_that_panic_fail_their_call(transport: &str) {
    let mut probing = Probing::on(transport).await;
    let open = beside(&mut probing).await;
    let mut client = RawPeer::introduced(&probing.serving.url).await;
    client
        .request(1, "test.v1.Probe/step_on", b"\x91\xa7Handler")
        .await;
    let error = client.next_for(1).await;
    assert_eq!(
        (error.kind, error.number(rpc_tests::raw::field::CODE)),
        (kind::ERROR, Some(13))
    );
    client
        .request(3, "test.v1.Probe/step_on", b"\x91\xa5Never")
        .await;
    assert_eq!(client.next_for(3).await.message(), [1]);
    drop(client);
    let trap = crate::probe::Trap(Panics::Serialize);
    let status = bounded(probing.client.step_on(trap).into_future())
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal, "{status}");
    tokio::task::yield_now().await;
    eventually("the raw client is gone", || {
        probing.serving.stop.connections() == 1
    })
    .await;
    unharmed(&probing, open).await;
}

async fn a_panic_behind_an_await_fails_its_call(transport: &str) {
    // The same places as above, in the task of a call instead of in the connection's own.
    let layer = from_fn(
        |request: rpc_runtime::Request, next: rpc_runtime::Next| async move {
            tokio::task::yield_now().await;
            let response = next.call(request).await;
            tokio::task::yield_now().await;
            response
        },
    );
    let mut probing = Probing::with(transport, |it| it.layer(layer), None).await;
    let open = beside(&mut probing).await;
    for panics in [
        Panics::Handler,
        Panics::Destructor,
        Panics::Serialize,
        Panics::ResultDestructor,
    ] {
        let status = bounded(probing.client.spring(panics).into_future()).await;
        is_internal(
            &status
                .err()
                .unwrap_or_else(|| panic!("{panics:?} was well")),
        );
    }
    unharmed(&probing, open).await;
}

async fn a_batch_fails_only_where_it_panics(wire: &str) {
    let probing = Probing::on(wire).await;
    let mut client = JsonPeer::connect(&probing.serving.url).await;
    let calls = [
        json_peer::call(0, "test.v1.Probe.add", (2, 3)),
        json_peer::call(1, "test.v1.Probe.spring", [Panics::Handler]),
        json_peer::call(2, "test.v1.Probe.spring", [Panics::Serialize]),
        json_peer::call(3, "test.v1.Probe.spring", [Panics::ResultDestructor]),
        json_peer::call(4, "test.v1.Probe.step_on", [Panics::Handler]),
        json_peer::call(5, "test.v1.Probe.panic_blocking", [(); 0]),
        json_peer::call(6, "test.v1.Probe.add", (2, 3)),
    ];
    let answers = if wire == "lpjson" {
        // It has no batches.
        let mut answers = Vec::new();
        for call in &calls {
            client.send(call).await;
            answers.push(client.next().await);
        }
        answers
    } else {
        client.send(&calls[..].into()).await;
        client.next().await.as_array().expect("a batch").clone()
    };
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!(answer["id"], index);
        if index == 0 || index == 6 {
            assert_eq!(answer["result"], 5);
        } else {
            assert_eq!(json_peer::code(answer), Code::Internal, "{answer}");
            let text = json_peer::message(answer);
            assert!(
                !text.contains("on purpose"),
                "the peer sees the panic: {answer}"
            );
        }
    }
    assert_eq!(answers.len(), calls.len());
    probing.quiet().await;
}
