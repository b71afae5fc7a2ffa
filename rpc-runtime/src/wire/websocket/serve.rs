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
