//! A connection that became a WebSocket goes to what is spoken inside of it.

use std::sync::Arc;

use bytes::BytesMut;

use super::handshake::Subprotocol;
use super::{Accepted, ByteStream, Side};
use crate::status::Status;
use crate::transport::Io;
use crate::wire::accepted::serve_native;
use crate::wire::config::{Config, Served};
use crate::wire::draining::Draining;

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
    match accepted.subprotocol {
        Subprotocol::Native => {
            let io = ByteStream::open(io, Side::Server, received);
            serve_native(io, BytesMut::new(), config, served, draining).await
        }
    }
}
