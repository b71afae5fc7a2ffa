//! Layers over a wire: who calls, and what is counted until a call ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rpc_runtime::layer::auth::{BearerAuth, BearerToken, HmacAuth, HmacKey, HmacSigner};
use rpc_runtime::layer::{AdaptiveLimit, ConcurrencyLimit, Retry, Timeout};
use rpc_runtime::{Channel, Code, Context, Identity, Server, Status, from_fn};
use rpc_tests::math::{Calculator, MathClient, MathServer};
use rpc_tests::serving::{TRANSPORTS, serve};

async fn name() -> Result<String, Status> {
    let context = Context::current().ok_or_else(|| Status::internal("no context"))?;
    let identity = context
        .identity()
        .ok_or_else(|| Status::internal("nobody"))?;
    Ok(identity.name().to_owned())
}

#[tokio::test]
async fn a_bearer_token_becomes_an_identity() {
    for transport in TRANSPORTS {
        let auth = BearerAuth::tokens([("secret", Identity::new("ann"))]).allow(["open"]);
        let server = Server::new()
            .try_function("name", name)
            .function("open", || async { true })
            .layer(auth);
        let serving = serve(transport, server).await;
        let channel = Channel::connect(&serving.url).await.unwrap();
        assert!(channel.call::<_, bool>("open", ()).await.unwrap());
        let status = channel.call::<_, String>("name", ()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        let wrong = channel.clone().layer(BearerToken::new("wrong").unwrap());
        let status = wrong.call::<_, String>("name", ()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        let right = channel.layer(BearerToken::new("secret").unwrap());
        assert_eq!(right.call::<_, String>("name", ()).await.unwrap(), "ann");
    }
}

#[tokio::test]
async fn a_signed_request_is_accepted_once() {
    for transport in TRANSPORTS {
        let key = HmacKey::new("a shared secret", Identity::new("ann"));
        let server = Server::new()
            .try_function("name", name)
            .add(MathServer::new(Calculator::new()))
            .layer(HmacAuth::keys([("key-1", key)]));
        let serving = serve(transport, server).await;
        let channel = Channel::connect(&serving.url).await.unwrap();
        let status = channel.call::<_, String>("name", ()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");

        let signer = HmacSigner::new("key-1", "a shared secret").unwrap();
        let signed = channel.clone().layer(signer);
        assert_eq!(signed.call::<_, String>("name", ()).await.unwrap(), "ann");
        let math = MathClient::new(signed.clone());
        assert_eq!(math.add(2, 3).await.unwrap(), 5);
        assert_eq!(
            math.sum(futures_util::stream::iter(0..5)).await.unwrap(),
            10
        );

        // Whoever saw a signed request cannot send it again.
        let seen = Arc::new(std::sync::Mutex::new(None));
        let recorder = {
            let seen = Arc::clone(&seen);
            from_fn(move |request, next| {
                *seen.lock().unwrap() = Some(request.metadata().clone());
                async move { next.call(request).await }
            })
        };
        let signer = HmacSigner::new("key-1", "a shared secret").unwrap();
        let recorded = channel.clone().layer(recorder).layer(signer);
        assert_eq!(recorded.call::<_, String>("name", ()).await.unwrap(), "ann");
        let metadata = seen.lock().unwrap().take().unwrap();
        let replay = channel.layer(from_fn(move |mut request, next| {
            *request.metadata_mut() = metadata.clone();
            async move { next.call(request).await }
        }));
        let status = replay.call::<_, String>("name", ()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        assert!(status.message().contains("replay"), "{status}");
    }
}

#[tokio::test]
async fn an_open_stream_counts_against_a_limit_until_it_ends() {
    for transport in TRANSPORTS {
        let server = Server::new()
            .add(MathServer::new(Calculator::new()))
            .layer(ConcurrencyLimit::new(1).or_refuse());
        let serving = serve(transport, server).await;
        let math = MathClient::connect(&serving.url).await.unwrap();
        let mut stream = math.count(100_000);
        assert_eq!(stream.next().await.unwrap().unwrap(), 0);
        let status = math.add(1, 1).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        drop(stream);
        let freed = async {
            while math.add(1, 1).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), freed)
            .await
            .expect("the permit is back");
    }
}

#[tokio::test]
async fn a_servers_timeout_ends_a_call_and_layers_see_it_in_order() {
    for transport in TRANSPORTS {
        let order = Arc::new(AtomicUsize::new(0));
        let note = |place: usize| {
            let order = Arc::clone(&order);
            from_fn(move |request, next| {
                let before = order.fetch_add(1, Ordering::SeqCst);
                assert_eq!(before % 2, place);
                async move { next.call(request).await }
            })
        };
        let server = Server::new()
            .add(MathServer::new(Calculator::new()))
            .layer(Timeout::new(Duration::from_millis(50)))
            .layer(note(1))
            .layer(note(0));
        let serving = serve(transport, server).await;
        let math = MathClient::connect(&serving.url).await.unwrap();
        let status = math.sleep(60_000).await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
        assert!(status.is_remote(), "the server ended it: {status}");
        assert_eq!(math.add(1, 1).await.unwrap(), 2);
        assert_eq!(order.load(Ordering::SeqCst), 4);
    }
}

#[tokio::test]
async fn a_routers_layer_covers_what_is_added_later_and_stays_its_own_when_merged() {
    let refuse = || from_fn(|_, _| async { Err(Status::permission_denied("layered")) });
    let closed = rpc_runtime::Router::new()
        .function("before", || async { 1 })
        .layer(refuse())
        .function("after", || async { 2 });
    let open = rpc_runtime::Router::new()
        .function("open", || async { 3 })
        .merge(closed.clone());
    for (router, is_open) in [(closed, false), (open, true)] {
        let channel = Channel::new(router);
        for name in ["before", "after"] {
            let status = channel.call::<_, i32>(name, ()).await.unwrap_err();
            assert_eq!(status.code(), Code::PermissionDenied, "{name}");
        }
        let status = channel.call::<_, i32>("unknown", ()).await.unwrap_err();
        let expected = if is_open {
            Code::Unimplemented
        } else {
            Code::PermissionDenied
        };
        assert_eq!(status.code(), expected);
        assert_eq!(channel.call::<_, i32>("open", ()).await.is_ok(), is_open);
    }
}

#[tokio::test]
async fn what_a_layer_refuses_was_not_started_and_is_made_again() {
    let adaptive = AdaptiveLimit::new()
        .between(1..=1)
        .max_waiting(0)
        .pushback(Duration::from_millis(5));
    let limits = [
        Server::new().layer(ConcurrencyLimit::new(1).or_refuse()),
        Server::new().layer(adaptive),
    ];
    for (server, transport) in limits.into_iter().zip(TRANSPORTS) {
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let (waits, ran) = (Arc::clone(&gate), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&ran);
        let server = server.function("wait", move || {
            let waits = Arc::clone(&waits);
            count.fetch_add(1, Ordering::SeqCst);
            async move { waits.acquire().await.is_ok() }
        });
        let serving = serve(transport, server).await;
        let channel = Channel::connect(&serving.url).await.unwrap();
        let first = channel.call::<_, bool>("wait", ()).start();
        while ran.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let status = channel.call::<_, bool>("wait", ()).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.is_not_started(), "{transport}: {status:?}");

        // Nobody said that it may run twice.
        let again = channel.layer(Retry::new().max_attempts(1_000));
        let second = again.call::<_, bool>("wait", ()).start();
        tokio::time::sleep(Duration::from_millis(20)).await;
        gate.add_permits(10);
        assert!(first.await.unwrap() && second.await.unwrap());
        assert_eq!(ran.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_call_whose_handler_ran_was_started_whatever_a_layer_fails_with() {
    let nobody = Channel::connect("mem:nobody-at-all").lazy().unwrap();
    let aside = from_fn(move |request, next| {
        let nobody = nobody.clone();
        async move {
            let response = next.call(request).await;
            nobody.call::<_, ()>("audit", ()).await?;
            response
        }
    });
    for transport in TRANSPORTS {
        let slow = || tokio::time::sleep(Duration::from_millis(1));
        let server = Server::new()
            .function("quick", || async {})
            .function("slow", move || async move { slow().await })
            .layer(aside.clone());
        let serving = serve(transport, server).await;
        let channel = Channel::connect(&serving.url).await.unwrap();
        for name in ["quick", "slow"] {
            let status = channel.call::<_, ()>(name, ()).await.unwrap_err();
            assert_eq!(status.code(), Code::Unavailable);
            assert!(!status.is_not_started(), "{transport}, {name}: {status:?}");
        }
    }
}
