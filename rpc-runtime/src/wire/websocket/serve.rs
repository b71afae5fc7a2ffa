//! A connection that became a WebSocket goes to what is spoken inside of it.

use std::sync::Arc;

use bytes::BytesMut;

#[cfg(feature = "jsonrpc")]
use super::lines::Lines;
use super::{Accepted, ByteStream, Side};
use crate::status::Status;
use crate::transport::Io;
use crate::wire::accepted::serve_native;
use crate::wire::config::{Config, Served};
use crate::wire::draining::Draining;
#[cfg(feature = "jsonrpc")]
use crate::wire::jsonrpc::{self, Dialects};

/// Serves a connection of which `received` was read already, to its end.
///
/// # Errors
///
/// Why the connection ended, if not in peace.
pub(crate) async fn serve(
    io: Io,
    received: BytesMut,
    accepted: Accepted,
    config: Arc<Config>,
    served: Served,
    draining: &Draining,
) -> Result<(), Status> {
    let none = BytesMut::new();
    match accepted {
        Accepted::Native => {
            let io = ByteStream::open(io, Side::Server, received);
            serve_native(io, none, config, served, draining).await
        }
        #[cfg(feature = "jsonrpc")]
        Accepted::JsonRpc(agreed) => {
            let io = Lines::open(io, Side::Server, agreed, &config, received);
            let (dialect, draining) = (Dialects::JsonRpcInMessages, draining.clone());
            jsonrpc::serve(io, none, dialect, config, served, draining).await
        }
        #[cfg(not(feature = "jsonrpc"))]
        Accepted::JsonRpc(_) => Ok(()),
    }
}

#[cfg(all(test, feature = "jsonrpc"))]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::timeout;

    use super::*;
    use crate::server::Router;
    use crate::service::BoxService;
    use crate::wire::config::RunningCalls;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_closes_and_takes_nothing_of_its_answer_is_not_waited_for() {
        let router = || Router::new().function("long", || async { "x".repeat(32 << 10) });
        let served = Served {
            service: BoxService::new(router()),
            methods: Arc::new(router()),
            running: RunningCalls::new(10),
            extensions: http::Extensions::new(),
        };
        let (ours, mut client) = duplex(1 << 10);
        let serving = tokio::spawn(async move {
            let (config, draining) = (Arc::default(), Draining::default());
            let spoken = Accepted::JsonRpc(None);
            let received = BytesMut::new();
            serve(Io::new(ours), received, spoken, config, served, &draining).await
        });
        let call = b"{\"jsonrpc\":\"2.0\",\"method\":\"long\",\"id\":1}";
        let length = 0x80 | u8::try_from(call.len()).unwrap();
        // A text and a close frame, masked with a key that changes nothing.
        let text = [&[0x81, length, 0, 0, 0, 0], &call[..]].concat();
        client.write_all(&text).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 0x81, "the answer begins");
        client.write_all(&[0x88, 0x80, 0, 0, 0, 0]).await.unwrap();
        let ended = timeout(Duration::from_secs(60), serving).await;
        assert!(ended.is_ok(), "the connection stays for ever");
    }
}
