//! What was found beside the simulation, each in the smallest scenario that shows it.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use rpc_runtime::transport::Io;
use rpc_runtime::{Channel, Limits, Server};
use tokio::time::sleep;

#[tokio::test(start_paused = true)]
async fn an_answer_that_nobody_takes_is_not_held() {
    let server = Server::new()
        .function("filled", |length: usize| async move { "x".repeat(length) })
        .connections();
    let channel = Channel::connect_with("duplex", move || {
        let (here, there) = tokio::io::duplex(1 << 20);
        tokio::spawn(server.serve(Io::new(there)));
        async move { Ok(Io::new(here)) }
    })
    .limits(Limits::new().max_buffered(100_000))
    .await
    .expect("it connects");
    for _ in 0..10 {
        let mut call = pin!(channel.call::<_, String>("filled", (30_000,)).into_future());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut cx).is_pending());
        // The answer comes, and the caller goes without a look at it.
        sleep(Duration::from_millis(10)).await;
    }
    let answer = channel.call::<_, String>("filled", (30_000,)).await;
    assert_eq!(
        answer.map(|it| it.len()).map_err(|it| it.to_string()),
        Ok(30_000)
    );
}
